"""Bulk runs that go on where they stopped."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from bulk_support import PATIENCE, draft, search_quickly, submitted, urls
from support import client_of, media_folder

from humeai_async import (
    AuthenticationError,
    HumeAI,
    InvalidArgumentError,
    LedgerError,
    Outcome,
    Retry,
)
from humeai_async.bulk.ledger import Ledger, read_status
from humeai_async.bulk.ledger_records import Note, key_of
from humeai_async.bulk.sinks import SourceOutcome
from humeai_async.bulk.states import State
from humeai_async.testing import FakeHume, Fault, ManualClock
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

MODELS: ModelsDict = {"face": {}}


async def run(hume: HumeAI, path: Path, sources: Any, **settings: Any) -> list[SourceOutcome]:
    given: dict[str, Any] = {"models": MODELS, "job_size": 3, "ledger": path, **settings}
    given.setdefault("search_patience", PATIENCE)
    return [outcome async for outcome in hume.batch.predict(sources, **given)]


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)


async def test_a_run_that_is_done_gives_nothing_and_submits_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        first = await run(hume, ledger, urls(10))
        again = await run(hume, ledger, urls(10))
        assert Counter(urls(10)) == submitted(fake)
    assert sorted(urls(10)) == sorted(str(outcome.source) for outcome in first)
    assert again == []


async def test_a_run_that_was_left_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    ledger = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        seen: list[str] = []
        outcomes = hume.batch.predict(urls(10), models=MODELS, job_size=3, ledger=ledger)
        async with outcomes:
            async for outcome in outcomes:
                seen.append(str(outcome.source))
                if len(seen) == 5:
                    break
        rest = [str(outcome.source) for outcome in await run(hume, ledger, urls(10))]
        assert Counter(urls(10)) == submitted(fake)
    # The fifth was in the consumer's hands when it left: it may have dealt with it, or not.
    assert set(urls(10)) == set(seen) | set(rest)
    assert [seen[4]] == sorted(set(seen) & set(rest))


async def test_more_sources_are_added_to_a_run(tmp_path: Path) -> None:
    ledger = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        await run(hume, ledger, urls(4))
        more = await run(hume, ledger, urls(9))
        assert Counter(urls(9)) == submitted(fake)
    assert set(urls(9)[4:]) == {outcome.source for outcome in more}


async def test_a_source_given_twice_goes_in_once(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = await run(hume, tmp_path / "run.db", [*urls(5), *urls(5)])
        assert Counter(urls(5)) == submitted(fake)
    assert len(outcomes) == 5


async def test_a_submission_that_was_not_answered_is_found_in_the_list(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", after_work=True, times=2))
        outcomes = await run(hume, tmp_path / "run.db", urls(9))
        assert Counter(urls(9)) == submitted(fake)
    assert [outcome.error for outcome in outcomes] == [None] * 9


async def test_a_submission_that_did_not_work_is_repeated(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", times=2))
        outcomes = await run(hume, tmp_path / "run.db", urls(9))
        assert Counter(urls(9)) == submitted(fake)
    assert [outcome.error for outcome in outcomes] == [None] * 9
    assert (await read_status(tmp_path / "run.db")).resubmitted == 2


async def test_a_disk_that_cannot_be_read_is_a_named_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        del connection
        problem = sqlite3.OperationalError("disk I/O error")
        problem.sqlite_errorcode = sqlite3.SQLITE_IOERR | (4 << 8)
        raise problem

    monkeypatch.setattr("humeai_async.bulk.storage.status", fail)
    async with await Ledger.open(tmp_path / "run.db", "") as ledger:
        with pytest.raises(LedgerError, match=r"disk I/O error.*to a local disk") as caught:
            await ledger.status()
    assert "damaged" not in caught.value.message


@pytest.mark.parametrize("reached_hume", [True, False])
async def test_a_crash_while_submitting_loses_and_doubles_nothing(
    tmp_path: Path, reached_hume: bool
) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        async with await Ledger.open(path, '{"models":{"face":{}}}') as ledger:
            planned = await ledger.plan(draft("urls", urls(3)))
            await ledger.send(planned.number, None)
        if reached_hume:
            await hume.batch.start_job(urls=urls(3), models=MODELS)
        outcomes = await run(hume, path, urls(6))
        assert Counter(urls(6)) == submitted(fake)
    assert sorted(urls(6)) == sorted(str(outcome.source) for outcome in outcomes)


async def test_texts_of_an_earlier_job_find_their_own_predictions(tmp_path: Path) -> None:
    texts = ["first", "second", "third"]
    path = tmp_path / "run.db"
    models: ModelsDict = {"language": {}}
    async with FakeHume() as fake, client_of(fake) as hume:
        job = await hume.batch.start_job(text=texts, models=models)
        await job.wait()
        whole = await job.predictions()
        async with await Ledger.open(path, '{"models":{"language":{}}}') as ledger:
            keys = [key_of("text", text) for text in texts]
            planned = await ledger.plan(draft("text", texts))
            await ledger.send(planned.number, None)
            await ledger.submit(planned.number, job.id)
            ledger.note([Note(keys[0], State.ARRIVED)])
        outcomes = await run(hume, path, texts, models=models)
    assert {"second": whole[1], "third": whole[2]} == {o.source: o.predictions for o in outcomes}


async def test_failed_sources_are_tried_again_only_if_asked(tmp_path: Path) -> None:
    ledger = tmp_path / "run.db"
    sources = ["https://media.example.com/missing.mp4", *urls(3)]
    async with FakeHume() as fake, client_of(fake) as hume:
        await run(hume, ledger, sources)
        assert await run(hume, ledger, sources) == []
        again = await run(hume, ledger, sources, retry_failed=True)
        assert submitted(fake)[sources[0]] == 2
    assert [sources[0]] == [outcome.source for outcome in again]


async def test_a_job_that_was_not_done_in_time_is_not_submitted_again(tmp_path: Path) -> None:
    ledger = tmp_path / "run.db"
    async with FakeHume(run_seconds=0.3) as fake, client_of(fake) as hume:
        late = await run(hume, ledger, urls(3), timeout=0.02)
        again = await run(hume, ledger, urls(3))
        assert Counter(urls(3)) == submitted(fake)
    assert {"JobTimeoutError"} == {type(outcome.error).__name__ for outcome in late}
    assert [outcome.error for outcome in again] == [None] * 3


async def test_files_that_cannot_be_uploaded_fail_by_themselves(tmp_path: Path) -> None:
    files = media_folder(tmp_path / "media", 4)
    sources = [*files, tmp_path / "nowhere.wav"]
    ledger = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = await run(hume, ledger, sources, models=None)
        again = await run(hume, ledger, sources, models=None)
    failed = [outcome for outcome in outcomes if outcome.error]
    assert [sources[-1]] == [outcome.source for outcome in failed]
    assert isinstance(failed[0].error, InvalidArgumentError)
    assert len(outcomes) == 5
    assert again == []


async def test_two_runs_cannot_have_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        async with await Ledger.open(path, '{"models":{"face":{}}}'):
            with pytest.raises(LedgerError, match="another run"):
                await run(hume, path, urls(3))
        assert len(fake.jobs) == 0
        await run(hume, path, urls(3))


async def test_a_run_whose_lock_was_removed_writes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        first = hume.batch.predict(urls(9), models=MODELS, ledger=path, job_size=3, jobs_at_once=1)
        await anext(first)
        (tmp_path / "run.db.lock").unlink()
        second = await run(hume, path, urls(9))
        with pytest.raises(LedgerError, match="removed during the run"):
            [one async for one in first]
        assert Counter(urls(9)) == submitted(fake)
    assert [None] * len(second) == [one.error for one in second]


async def test_a_ledger_of_another_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        await run(hume, path, urls(1))
        with pytest.raises(LedgerError, match="other settings"):
            await run(hume, path, urls(1), models={"prosody": {}})


@pytest.mark.parametrize("order", [["X", "Y", "A0", "X"], ["X", "Y", "A0", "X", "A1", "Y"]])
@pytest.mark.parametrize("is_async", [False, True], ids=["list", "generator"])
async def test_a_source_given_twice_around_one_of_an_earlier_job_is_submitted_once(
    order: list[str], is_async: bool, tmp_path: Path
) -> None:
    async def given() -> AsyncIterator[str]:
        for name in order:
            yield f"https://example.com/{name}.mp4"

    earlier = [f"https://example.com/A{n}.mp4" for n in range(4)]
    begun, clock, seconds = anyio.Event(), ManualClock(epoch=time.time()), 1.0

    def run_seconds(_: object) -> float:
        return seconds

    async def stop_early() -> None:
        def on_job(_: object) -> None:
            begun.set()

        await hume.batch.predict_into(tmp_path, earlier, job_size=2, on_job=on_job)

    async with FakeHume(clock=clock, run_seconds=run_seconds) as fake, client_of(fake) as hume:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_early)
            await begun.wait()
            tasks.cancel_scope.cancel()
        seconds = 0.0
        clock.advance(1)
        sources: Any = given() if is_async else [one async for one in given()]
        found = await hume.batch.predict_into(tmp_path, sources, job_size=2)
    assert found.outcomes == len(set(order))
    assert set(submitted(fake).values()) == {1}


async def test_a_start_that_planned_nothing_leaves_the_settings_open(tmp_path: Path) -> None:
    async with FakeHume() as fake:
        async with HumeAI(api_key="wrong", base_url=fake.url) as hume:
            with pytest.raises(AuthenticationError):
                await hume.batch.predict_into(tmp_path, urls(2), models={"face": {}})
        async with client_of(fake) as hume:
            found = await hume.batch.predict_into(tmp_path, urls(2), formats=["csv"])
    assert found.counts[State.ARRIVED] == 2
    assert (tmp_path / "predictions.csv").stat().st_size > 0


async def test_a_ledger_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with await Ledger.open(path, ""):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="version 99"):
        await Ledger.open(path, "")


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one" * 100, b"short"])
async def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.db"
    path.write_bytes(content)
    with pytest.raises(LedgerError):
        await Ledger.open(path, "")
    with pytest.raises(LedgerError):
        await read_status(path)


async def test_a_damaged_ledger_is_a_named_error(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with await Ledger.open(path, "") as ledger:
        for n in range(50):
            await ledger.plan(draft("urls", [f"{n}-{m}" for m in range(50)]))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(LedgerError):  # noqa: PT012 - where it shows depends on the damage
        async with await Ledger.open(path, "") as ledger:
            await ledger.look_up([key_of("urls", f"{n}-7") for n in range(50)])
            await ledger.status()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sources SET key = x'000000000000000000000000' WHERE number = 2",
        "UPDATE sources SET work = 2 WHERE number = 2",
        "UPDATE sources SET state = 3 WHERE number = 2",
        "UPDATE counts SET sources = 0 WHERE state = 1",
        "UPDATE known SET source = 9 WHERE source = 2",
        "UPDATE known SET key = x'000000000000000000000000' WHERE source = 2",
        "UPDATE works SET state = 3 WHERE number = 1",
        "UPDATE works SET state = 0 WHERE number = 2",
        "UPDATE works SET state = 7 WHERE number = 2",
    ],
)
async def test_a_ledger_whose_content_changed_by_itself_is_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.bulk.connection.RECENT", 4)
    path = tmp_path / "run.db"
    async with await Ledger.open(path, "") as ledger:
        for name in "abc":
            planned = await ledger.plan(draft("urls", [f"{name}-{n}" for n in range(3)]))
            await ledger.send(planned.number, 1)
            if name != "b":
                await ledger.submit(planned.number, f"job-{name}")
    async with await Ledger.open(path, "") as ledger:
        assert (await ledger.status()).jobs == 2
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(change).rowcount == 1
        connection.commit()
    with pytest.raises(LedgerError, match="damaged"):
        await Ledger.open(path, "")


async def test_the_status_of_a_ledger_that_has_counted_wrongly_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with await Ledger.open(path, "") as ledger:
        await ledger.plan(draft("urls", ["a", "b"]))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE counts SET sources = sources + 32 WHERE state = 2")
    with pytest.raises(LedgerError, match="damaged"):
        await read_status(path)


async def stopped_with_a_log(tmp_path: Path) -> tuple[Path, Path]:
    """Return the ledger of a run that was killed after three submissions, and its log."""
    written, path = tmp_path / "run.db", tmp_path / "killed.db"
    log = tmp_path / "killed.db-wal"
    async with await Ledger.open(written, "") as ledger:
        for name in "abc":
            planned = await ledger.plan(draft("urls", [f"{name}-{n}" for n in range(3)]))
            await ledger.send(planned.number, 1)
            await ledger.submit(planned.number, f"job-{name}")
        shutil.copy(written, path)
        shutil.copy(f"{written}-wal", log)
    return path, log


@pytest.mark.parametrize("place", [12, 17, 32 + 5000, -500, -1040], ids=str)
async def test_a_log_that_is_damaged_loses_no_submission_in_silence(
    place: int, tmp_path: Path
) -> None:
    path, log = await stopped_with_a_log(tmp_path)
    content = bytearray(log.read_bytes())
    content[place] ^= 1
    log.write_bytes(content)
    for use in (read_status(path), Ledger.open(path, "")):
        with pytest.raises(LedgerError, match="may be paid for again"):
            await use
    await (await Ledger.open(path, "")).aclose()  # it was told


@pytest.mark.parametrize("missing", [0, 500, 1040, 2500])
async def test_a_log_that_was_not_written_to_its_end_is_read_as_far_as_it_goes(
    missing: int, tmp_path: Path
) -> None:
    path, log = await stopped_with_a_log(tmp_path)
    os.truncate(log, log.stat().st_size - missing)
    async with await Ledger.open(path, "") as ledger:
        assert (await ledger.status()).jobs == (2 if missing else 3)


async def test_a_folder_that_is_not_there_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot"):
        await Ledger.open(tmp_path / "nowhere" / "run.db", "")


@pytest.mark.parametrize("name", ["", ".", "a\x00b"])
async def test_what_cannot_be_a_file_is_no_ledger(name: str) -> None:
    with pytest.raises(LedgerError, match="cannot be the name"):
        await Ledger.open(name, "")


async def test_the_read_status_a_run_can_be_read_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with await Ledger.open(path, "") as ledger:
        keys = [key_of("urls", url) for url in urls(4)]
        planned = await ledger.plan(draft("urls", urls(4)))
        await ledger.send(planned.number, None)
        await ledger.submit(planned.number, "job-1")
        ledger.note([Note(keys[0], State.ARRIVED)])
        ledger.note([Note(keys[1], State.FAILED, "no such file")])
        await ledger.checkpoint()
        status = await read_status(path)
    assert [status.counts[state] for state in State] == [0, 2, 1, 1, 0]
    assert status.reasons == {"no such file": 1}
    assert status.jobs == 1


async def test_no_source_is_written_into_the_ledger(tmp_path: Path) -> None:
    secret = "https://media.example.com/a.mp4?signature=MARKED"
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        await run(hume, path, [secret])
    for file in tmp_path.iterdir():
        assert b"MARKED" not in file.read_bytes()


async def test_outcomes_are_on_disk_soon_after_they_were_taken(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(urls(3), models=MODELS, ledger=path)
        async with outcomes:
            for _ in range(3):
                await anext(outcomes)
            with anyio.fail_after(5):
                while (await read_status(path)).counts[State.ARRIVED] < 2:
                    await anyio.sleep(0.005)


async def test_a_refused_job_fails_its_sources_and_nothing_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    async with FakeHume() as fake, client_of(fake, retry=Retry(attempts=1)) as hume:
        fake.faults.add(Fault("status", status=404, method="POST", times=1))
        outcomes: list[Outcome[Any, Any]] = await run(hume, path, urls(3))
        status = await read_status(path)
    assert sum(outcome.error is not None for outcome in outcomes) == 3
    assert status.counts[State.FAILED] == 3


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout"])
async def test_a_device_is_no_ledger_and_gets_no_files_beside_it(name: str) -> None:
    with pytest.raises(LedgerError, match="cannot open"):
        await Ledger.open(name, "{}")
    assert not Path(f"{name}.lock").exists()


async def test_a_folder_in_place_of_a_ledger_is_named_as_one(tmp_path: Path) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        with pytest.raises(LedgerError, match="is a folder: give the path of a file in it"):
            await run(hume, tmp_path, urls(1))


async def test_a_step_that_no_run_takes_is_not_called_damage(tmp_path: Path) -> None:
    async with await Ledger.open(tmp_path / "run.db", "") as ledger:
        planned = await ledger.plan(draft("urls", urls(1)))
        with pytest.raises(LedgerError, match="start the run again") as caught:
            await ledger.submit(planned.number, "job-1")  # without having sent it
        assert (await ledger.status()).counts[State.PLANNED] == 1
    assert "PLANNED to SUBMITTED, which no run does" in str(caught.value)
    assert "damaged" not in str(caught.value)


async def test_a_ledger_can_be_closed_twice(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path / "run.db", "")
    await ledger.aclose()
    await ledger.aclose()
