"""What a run was given changes between its starts, and what the service says is late or odd.

Each source is still carried out once, and each outcome is its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fuzzing.budget import DEEP
from hostile_gateway import DIALECTS, Dialect
from hostile_results import Kind, normal_form, score_of
from hostile_service import HostileService
from run_checks import RunSources, lines_of, scores_in

from humeai_async import HumeAI, HumeError, Job, Limiter, Polling, Retry, Timeout
from humeai_async.batch.bulk_jobs import JobWork
from humeai_async.batch.submission import start_inference
from humeai_async.bulk.work import Submitted
from humeai_async.types.dicts import ModelsDict

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KINDS: tuple[Kind, ...] = ("urls", "text", "files")
LANGUAGE: ModelsDict = {"language": {}}


def by_kind(*rows: Any) -> list[tuple[Any, ...]]:
    """Put a kind of source before each row: the kinds in turn, or all of them in the deep form."""
    if DEEP:
        return [(kind, *row) for kind in KINDS for row in rows]
    return [(kind, *row) for kind, row in zip(itertools.cycle(KINDS), rows, strict=False)]


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humeai_async.bulk.patience.SEARCH_PAUSES", (0.02, 0.1))


async def run(
    service: HostileService, sources: list[Any], folder: Path, **settings: Any
) -> HumeError | None:
    """Run sources into a folder; returns the error that ended it, if one did."""
    given: dict[str, Any] = {"models": LANGUAGE, "job_size": 2, "search_patience": 0.4, **settings}
    service.client_started()
    async with HumeAI(
        **service.settings,
        polling=Polling(min_interval=0.01, max_interval=0.05),
        timeout=Timeout(read=2.0, total=30),
        retry=Retry(initial_delay=0.01),
        limiter=Limiter(rate=1000),
    ) as hume:
        try:
            await hume.batch.predict_into(folder, sources, **given)
        except HumeError as problem:
            return problem
    return None


async def interrupt(
    service: HostileService, event: str, number: int, sources: list[Any], folder: Path, **more: Any
) -> None:
    """Start a run and stop it at the n-th of some events."""
    counts: Counter[str] = Counter()

    def count(name: str) -> None:
        counts[name] += 1
        if name == event and counts[name] == number:
            running.cancel()

    service.on_event = count
    running = asyncio.ensure_future(run(service, sources, folder, **more))
    await asyncio.wait([running])
    service.on_event = lambda _: None
    assert running.cancelled()


@pytest.fixture(params=[("arrived", 3), ("carried-out", 3)], ids=["unsent", "unanswered"])
def stop(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Where a run of three jobs is stopped: all arrived, and all or none carried out."""
    found: tuple[str, int] = request.param
    return found


async def test_a_part_of_the_sources_comes_again_and_then_all(
    stop: tuple[str, int], tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 2)
    out = tmp_path / "out"
    async with HostileService(latency=0.05) as service:
        await interrupt(service, *stop, sources.given, out)
        assert await run(service, sources.given[::2], out) is None
        assert await run(service, sources.given[::-1], out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_the_size_of_jobs_may_change_between_two_starts(
    stop: tuple[str, int], tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 6)
    out = tmp_path / "out"
    async with HostileService(latency=0.05) as service:
        await interrupt(service, *stop, sources.given, out, job_size=3)
        assert await run(service, sources.given, out, job_size=1) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_file_that_is_gone_at_the_restart_costs_the_others_nothing(
    stop: tuple[str, int], tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, ["files"], 6)
    out, gone = tmp_path / "out", tmp_path / "0.wav"
    async with HostileService(latency=0.05) as service:
        await interrupt(service, *stop, sources.given, out)
        content = gone.read_bytes()
        gone.unlink()
        assert await run(service, sources.given, out) is None
        good = {line["source"] for line in lines_of(out) if "error" not in line}
        assert set(sources.names) - {os.fspath(gone)} <= good
        gone.write_bytes(content)
        assert await run(service, sources.given, out, retry_failed=True) is None
    assert max(service.carried_out.values()) == 1
    assert [] == sources.swapped(lines_of(out))
    good = {line["source"] for line in lines_of(out) if "error" not in line}
    assert set(sources.names) == good


async def test_a_file_with_other_content_is_another_source(tmp_path: Path) -> None:
    path, out = tmp_path / "a.wav", tmp_path / "out"
    contents = [b"RIFF one" * 50, b"RIFF two" * 50]
    async with HostileService() as service:
        for content in contents:
            path.write_bytes(content)
            assert await run(service, [path], out) is None
    md5s = [hashlib.md5(one, usedforsecurity=False).hexdigest() for one in contents]
    assert Counter(md5s) == service.carried_out
    assert [{score_of(md5)} for md5 in md5s] == [
        scores_in(line["predictions"]) for line in lines_of(out)
    ]


async def test_a_file_that_changes_while_it_is_submitted_gets_no_results_of_another(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, ["files"], 4)
    out = tmp_path / "out"
    async with HostileService(latency=0.05) as service:

        def swap(event: str) -> None:
            if event == "list":  # at the start of the run: the files were read, and not yet sent
                first, second = tmp_path / "0.wav", tmp_path / "1.wav"
                content = first.read_bytes()
                first.write_bytes(second.read_bytes())
                second.write_bytes(content)

        service.on_event = swap
        await run(service, sources.given, out)
        service.on_event = lambda _: None
        await run(service, sources.given, out)
    now = RunSources(
        sources.by_kind,
        {
            name: hashlib.md5(Path(name).read_bytes(), usedforsecurity=False).hexdigest()
            for name in sources.names
        },
    )
    either = [now.swapped([line]) and sources.swapped([line]) for line in lines_of(out)]
    assert not any(either)


@pytest.mark.parametrize("changed", [1, 4])
async def test_a_file_that_is_replaced_before_its_upload_is_not_bought_by_its_old_content(
    changed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = RunSources.make(tmp_path, ["files"], 4)
    out, paths = tmp_path / "out", [tmp_path / f"{number}.wav" for number in range(4)]
    submit = JobWork.submit

    async def replace_and_submit(work: JobWork, items: Any, sending: Any) -> Submitted:
        for number, path in enumerate(paths[:changed]):  # it has waited for its turn for long
            path.write_bytes(b"RIFF new" + bytes([number]) * 500)
        return await submit(work, items, sending)

    async with HostileService() as service:
        with monkeypatch.context() as patched:
            patched.setattr(JobWork, "submit", replace_and_submit)
            assert await run(service, sources.given, out, job_size=4) is None
        assert service.carried_out.total() == 4 - changed
        assert await run(service, sources.given, out, job_size=4) is None
    md5s = [hashlib.md5(one.read_bytes(), usedforsecurity=False).hexdigest() for one in paths]
    assert Counter(md5s) == service.carried_out
    assert set(sources.names) == {line["source"] for line in lines_of(out) if "error" not in line}


@pytest.mark.parametrize("shapes", [(), ("reordered",)], ids="-".join)
@pytest.mark.parametrize(
    "texts",
    [
        ["Good.", "Good!", "good?", "GOOD..."],
        ["😀 😀", "😢 😢", "!!!", "???"],
        ["a b", "a  b", "ab", " a b "],
        ["one", "one two", "one two three", "two three"],
        ["same text", "same text", "Same text", "same  text"],
    ],
    ids=lambda texts: str(texts[0]),
)
async def test_texts_that_are_nearly_the_same_get_their_own_results(
    texts: list[str], shapes: tuple[str, ...], tmp_path: Path
) -> None:
    async with HostileService(shapes=frozenset(shapes)) as service:
        assert await run(service, texts, tmp_path, job_size=4) is None
    lines = [line for line in lines_of(tmp_path) if "error" not in line]
    assert [] == RunSources({"text": texts}).swapped(lines)
    if not shapes:
        assert set(texts) == {line["source"] for line in lines}


@pytest.mark.parametrize(
    "urls",
    [
        ["https://h.example.com/a", "https://h.example.com/a/", "https://h.example.com/A"],
        ["https://h.example.com/a%2Fb", "https://h.example.com/a/b", "https://h.example.com/a%2fb"],
        ["https://h.example.com/v?x=1", "https://h.example.com/v?X=1", "https://h.example.com/v"],
        ["https://h.example.com/a+b", "https://h.example.com/a%20b", "https://h.example.com/a b"],
        ["https://münchen.example/ü", "https://xn--mnchen-3ya.example/%C3%BC"],
    ],
    ids=lambda urls: str(urls[0]),
)
@pytest.mark.parametrize("shapes", [("reordered",), ("reordered", "renamed")], ids="-".join)
async def test_urls_that_are_nearly_the_same_get_their_own_results(
    urls: list[str], shapes: tuple[str, ...], tmp_path: Path
) -> None:
    async with HostileService(shapes=frozenset(shapes)) as service:
        assert await run(service, urls, tmp_path, job_size=3) is None
    lines = [line for line in lines_of(tmp_path) if "error" not in line]
    wrong = RunSources({"urls": urls}).swapped(lines)
    # Those of one normal form are one and the same resource.
    alike = {one for one in urls if [normal_form(x) for x in urls].count(normal_form(one)) > 1}
    assert set() == set(wrong) - (alike if "renamed" in shapes else set())
    assert 1 == max(service.carried_out.values())


@pytest.mark.parametrize("job_size", [1, 6])
async def test_urls_that_differ_in_their_last_slash_do_not_get_each_others_lost_jobs(
    job_size: int, tmp_path: Path
) -> None:
    urls = [f"https://H.example.com/{name}" for name in ("a", "a/", "b/", "b", "c", "c/")]
    async with HostileService(shapes=frozenset({"renamed", "reordered"})) as service:
        service.posts.extend(["reset-after"] * len(urls))
        assert await run(service, urls, tmp_path, job_size=job_size) is None
    lines = lines_of(tmp_path)
    assert [] == RunSources({"urls": urls}).swapped(lines)
    assert set(urls) == {line["source"] for line in lines if "error" not in line}
    assert 1 == max(service.carried_out.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shapes",
    [("filled",), ("punctual",), ("filled", "renamed", "punctual")],
    ids="-".join,
)
async def test_a_lost_job_is_found_however_the_service_tells_it(
    kind: Kind, shapes: tuple[str, ...], tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, [kind], 4)
    if kind == "text":
        sources = RunSources({"text": [f" {text}\n" for text in sources.names]})
    out = tmp_path / "out"
    async with HostileService(shapes=frozenset(shapes)) as service:
        service.posts.extend(["reset-after", "ok", "reset-after"])
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


@pytest.mark.parametrize("status", ["404", "400"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_job_that_does_not_show_at_once_is_not_bought_again(
    kind: Kind, status: str, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, [kind], 2)
    out = tmp_path / "out"
    async with HostileService() as service:
        service.fetches.extend([status, "ok", status])
        for attempt in range(4):
            await run(service, sources.given, out, retry_failed=attempt > 1)
    assert 1 == max(service.carried_out.values())
    good = {line["source"] for line in lines_of(out) if "error" not in line}
    assert set(sources.names) == good


@pytest.mark.parametrize("ahead", [1.0, 30.0, 600.0])
async def test_a_newer_job_of_somebody_else_from_a_clock_that_is_ahead_hides_nothing(
    ahead: float, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 2)
    out = tmp_path / "out"
    async with HostileService() as service:
        service.add_foreign("urls", ["https://others.example.com/"], {"face": {}}, age=-ahead)
        service.posts.append("reset-after")
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


@pytest.mark.parametrize("ahead", [-600.0, 600.0])
async def test_a_lost_job_is_found_behind_sixty_newer_ones_whatever_the_local_clock_says(
    ahead: float, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 2)
    out = tmp_path / "out"
    async with HostileService(clock=ahead, newer=60) as service:
        service.posts.append("reset-after")
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_lost_job_is_not_passed_over_where_times_are_cut_to_seconds_and_many_share_one(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 2)
    async with HostileService(newer=60, shapes=frozenset({"punctual"})) as service:
        service.posts.append("reset-after")
        await run(service, sources.given, tmp_path / "out", search_patience=0.5)
    assert 1 == max(service.carried_out.values())


@pytest.mark.parametrize("is_among_them", [False, True])
async def test_more_jobs_of_one_millisecond_than_the_list_shows_are_read_past(
    is_among_them: bool, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 2)
    out = tmp_path / "out"
    async with HostileService() as service:

        def bury(event: str) -> None:
            if event == "carried-out":
                made = service.journal[-1].created_ms
                for number in range(70):
                    url = f"https://others.example.com/{number}"
                    other = service.add_foreign("urls", [url], {"face": {}}, age=0)
                    other.created_ms = made if is_among_them else made + 1

        service.on_event = bury
        service.posts.append("reset-after")
        assert await run(service, sources.given, out, search_patience=0.5) is None
        assert service.requests["list"] < 30
    assert 1 == max(service.carried_out.values())
    arrived = {line["source"] for line in lines_of(out)}
    # Where it may be among those that are not shown, nobody knows, and the sources stay open.
    assert arrived in ([set(), set(sources.names)] if is_among_them else [set(sources.names)])


@pytest.mark.parametrize("ahead", [-600.0, 600.0])
@pytest.mark.parametrize("gateway", DIALECTS)
async def test_the_clock_of_a_gateway_is_not_taken_for_that_of_the_service(
    gateway: Dialect, ahead: float, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 2)
    out = tmp_path / "out"
    async with HostileService(gateway=gateway, clock=ahead) as service:
        service.posts.extend(["reset-after"] * 3)
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_results_that_could_not_be_read_are_read_again_and_not_bought_again(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 2)
    out = tmp_path / "out"
    async with HostileService() as service:
        service.spoil = lambda found: [*found[: len(found) // 2], {"source": 7}]
        await run(service, sources.given, out)
        service.spoil = None
        for _ in range(2):
            await run(service, sources.given, out, retry_failed=True)
    assert 1 == max(service.carried_out.values())
    good = {line["source"] for line in lines_of(out) if "error" not in line}
    assert set(sources.names) == good


async def test_runs_of_the_same_sources_with_other_models_do_not_meet(tmp_path: Path) -> None:
    sources = RunSources.make(tmp_path, KINDS, 4)
    async with HostileService(latency=0.02) as service:
        service.posts.extend(["reset-after", "reset-before", "late"] * 4)
        await asyncio.gather(
            *(
                run(service, sources.given, tmp_path / model, models={model: {}})
                for model in ("language", "face", "prosody")
            )
        )
    assert {3} == set(service.carried_out.values())
    for model in ("language", "face", "prosody"):
        lines = lines_of(tmp_path / model)
        assert set(sources.names) == {line["source"] for line in lines}
        for line in lines:
            identity = sources.identity(line["source"])
            assert {score_of(identity, model)} == scores_in(line["predictions"])


@pytest.mark.parametrize(
    ("kind", "act", "jobs_at_once"), by_kind(*itertools.product(["same-id", "replayed"], [1, 4]))
)
async def test_a_response_that_names_a_job_whose_own_response_was_lost_is_found_out(
    kind: Kind, act: str, jobs_at_once: int, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, [kind], 6)
    out = tmp_path / "out"
    async with HostileService(run_seconds=0.3) as service:
        service.posts.extend(["reset-after", act])
        assert await run(service, sources.given, out, jobs_at_once=jobs_at_once) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_name_that_two_responses_give_at_once_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong one comes first, and the other before anybody has looked at the job."""
    right: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
    wrong = asyncio.Event()

    async def start(request: Any, files: Any, *rest: Any) -> Job:
        job = await start_inference(request, files, *rest)
        if files is None:
            right.set_result(job)
            await wrong.wait()
        elif not wrong.is_set():
            job = await right
            wrong.set()
        return job

    monkeypatch.setattr("humeai_async.batch.bulk_jobs.start_inference", start)
    sources = RunSources.make(tmp_path, ["files", "urls"], 2)
    out = tmp_path / "out"
    async with HostileService() as service:
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


@pytest.mark.parametrize(
    ("kind", "event", "act"),
    by_kind(*itertools.product(["job", "list", "predictions"], ["same-id", "replayed"])),
)
async def test_a_job_called_by_anothers_name_is_found_out_after_a_restart(
    kind: Kind, event: str, act: str, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, [kind], 4)
    out = tmp_path / "out"
    async with HostileService() as service:
        service.posts.extend(["hang-after", act])
        # The first list is the one at the start of a run.
        await interrupt(service, event, 2 if event == "list" else 1, sources.given, out)
        service.calm()
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


OTHERS = [f"https://others.example.com/{n}.mp4" for n in range(2)]
OTHER_JOBS: dict[str, dict[str, Any]] = {
    "new": {},
    "of other models": {"models": {"face": {}}},
    "old": {"age": 86_400.0},
    "another kind": {"kind": "text"},
    "the same sources, other models": {"is_same": True, "models": {"face": {}}, "age": 3000.0},
}


@pytest.mark.parametrize(
    ("kind", "name", "is_restarted"), by_kind(*itertools.product(OTHER_JOBS, [False, True]))
)
async def test_a_response_that_names_a_job_of_somebody_else_is_found_out(
    kind: Kind, name: str, is_restarted: bool, tmp_path: Path
) -> None:
    sources = RunSources.make(tmp_path, [kind], 4)
    other: dict[str, Any] = {
        "kind": kind,
        "models": LANGUAGE,
        "age": 0.0,
        "is_same": False,
        **OTHER_JOBS[name],
    }
    given = OTHERS
    if kind == "files":
        given = [hashlib.md5(one.encode(), usedforsecurity=False).hexdigest() for one in given]
    if other.pop("is_same"):
        given = [sources.identity(name) for name in sources.names[:2]]
    out = tmp_path / "out"
    async with HostileService(run_seconds=0.1) as service:
        service.add_foreign(other.pop("kind"), given, other.pop("models"), **other)
        service.posts.extend(["foreign"])
        if is_restarted:
            await interrupt(service, "job", 1, sources.given, out)
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


def add_foreign_with_the_first(service: HostileService, kind: Kind) -> None:
    """Have somebody else's job made as the first submission arrives, after the run began."""

    def add(event: str) -> None:
        if event == "arrived":
            service.on_event = lambda _: None
            service.add_foreign(kind, OTHERS, LANGUAGE, age=0.0)

    service.on_event = add


@pytest.mark.parametrize("kind", ["urls", "text"])
@pytest.mark.parametrize("is_older", [False, True], ids=["younger than the run", "older"])
async def test_a_job_of_somebody_else_is_not_believed_because_the_own_one_shows_late(
    kind: Kind, tmp_path: Path, *, is_older: bool
) -> None:
    sources = RunSources.make(tmp_path, [kind], 2)
    out = tmp_path / "out"
    async with HostileService(lag=0.15) as service:
        if is_older:
            service.add_foreign(kind, OTHERS, LANGUAGE, age=0.0)
        else:
            add_foreign_with_the_first(service, kind)
        service.posts.append("foreign")
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_job_of_somebody_else_is_not_believed_where_the_list_cannot_be_read(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 2)
    out = tmp_path / "out"
    async with HostileService() as service:
        add_foreign_with_the_first(service, "urls")
        service.posts.append("foreign")
        service.lists.extend(["ok", "404"])  # the first one is that of the start
        assert await run(service, sources.given, out) is None
        assert [] == lines_of(out)
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_service_that_does_not_tell_the_models_is_asked_for_no_list_of_jobs(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 4)  # two jobs, which are waited for one by one
    async with HostileService(shapes=frozenset({"no-models"})) as service:
        assert await run(service, sources.given, tmp_path / "out") is None
        assert 1 == service.requests["list"]  # the one at the start
    assert {} == await asyncio.to_thread(sources.find_faults, tmp_path / "out", service.carried_out)


async def test_a_service_that_tells_all_urls_in_other_words_is_believed(tmp_path: Path) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 4)
    out = tmp_path / "out"
    async with HostileService(shapes=frozenset({"other-words"})) as service:
        assert await run(service, sources.given, out) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_service_that_gives_everything_the_same_name_is_not_paid_without_end(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, ["urls"], 4)
    out = tmp_path / "out"
    async with HostileService() as service:
        service.posts.extend(["reset-after", *["replayed"] * 20])
        await run(service, sources.given, out, search_patience=0.2)
        assert service.requests["post"] <= 10
        service.calm()
        assert await run(service, sources.given, out, search_patience=0.2) is None
    assert {} == await asyncio.to_thread(sources.find_faults, out, service.carried_out)


async def test_a_source_that_is_given_often_without_a_ledger_is_paid_at_most_as_often() -> None:
    url = "https://media.example.com/same.mp4"
    async with HostileService() as service:
        service.posts.extend(["reset-after", "reset-before", "same-id", "replayed"])
        async with HumeAI(
            **service.settings,
            polling=Polling(min_interval=0.01, max_interval=0.05),
        ) as hume:
            outcomes = [
                outcome
                async for outcome in hume.batch.predict(
                    [url] * 6, models=LANGUAGE, job_size=1, search_patience=1.0
                )
            ]
    assert [None] * 6 == [outcome.error for outcome in outcomes]
    assert service.carried_out[url] <= 6


async def test_the_same_relative_path_in_another_folder_is_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    async with HostileService() as service:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.wav").write_bytes(b"RIFF" + name.encode() * 50)
            monkeypatch.chdir(tmp_path / name)
            assert await run(service, [Path("a.wav")], out) is None
    assert [1, 1] == list(service.carried_out.values())
    assert 2 == len(lines_of(out))


async def test_the_same_file_by_another_path_is_paid_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "a.wav", tmp_path / "out"
    path.write_bytes(b"RIFF" * 50)
    monkeypatch.chdir(tmp_path)
    async with HostileService() as service:
        for source in (path, Path("a.wav"), Path("./a.wav"), tmp_path / "." / "a.wav"):
            assert await run(service, [source], out) is None
    assert [1] == list(service.carried_out.values())


async def test_a_completed_job_without_any_result_fails_its_sources_by_name(
    tmp_path: Path,
) -> None:
    sources = RunSources.make(tmp_path, KINDS, 2)
    out = tmp_path / "out"
    async with HostileService(spoil=lambda _: []) as service:
        assert await run(service, sources.given, out) is None
    lines = await asyncio.to_thread(lines_of, out)
    assert set(sources.names) == {line["source"] for line in lines}
    assert all("is completed, but" in line["error"]["message"] for line in lines)


async def test_one_source_that_is_refused_costs_the_others_nothing(tmp_path: Path) -> None:
    good = RunSources.make(tmp_path, KINDS, 7)
    bad = ["https://media.example.com/refused-422.mp4", "a text that is refused-400"]
    file = tmp_path / "refused-413.wav"
    file.write_bytes(b"RIFF" * 50)
    sources = [*good.given[:4], *bad, *good.given[4:], file]
    async with HostileService() as service:
        service.posts.extend(["reset-after", "429", "reset-before", "late"])
        for attempt in range(3):
            more = {"retry_failed": attempt == 1, "job_size": 8}
            assert await run(service, sources, tmp_path / "out", **more) is None
    lines = lines_of(tmp_path / "out")
    failed = Counter(line["source"] for line in lines if "error" in line)
    assert {*bad, os.fspath(file)} == set(failed)
    assert {2} == set(failed.values())  # it was tried again
    assert 1 == max(service.carried_out.values())
    assert [] == good.swapped(lines)
    assert set(good.names) == {line["source"] for line in lines if "error" not in line}
