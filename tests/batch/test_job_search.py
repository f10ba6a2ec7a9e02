"""A job in the list is the lost one only if its whole request is the one that was planned."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from bulk_support import PATIENCE, search_quickly, submitted, urls
from scripted_transport import ScriptedTransport, json_answer
from support import client_of, session_of

from humeai_async import DecodeError, HumeAI
from humeai_async.batch.job_search import LIMIT, find_job
from humeai_async.batch.url_forms import mark_of
from humeai_async.bulk.ledger_records import MARK_SIZE, Plan
from humeai_async.bulk.work import ServiceClock, local_ms
from humeai_async.testing import FakeHume, Fault
from humeai_async.types.batch import InferenceRequest

pytestmark = pytest.mark.anyio

MODELS: dict[str, Any] = {"face": {"fps_pred": 5}}


@pytest.fixture(autouse=True)
def quick_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    search_quickly(monkeypatch)


async def run(hume: HumeAI, sources: list[str], **settings: Any) -> None:
    given: dict[str, Any] = {"models": MODELS, "search_patience": PATIENCE, **settings}
    async with hume.batch.predict(sources, **given) as outcomes:
        assert [None] * len(sources) == [one.error async for one in outcomes]


def change_echo(fake: FakeHume, **changes: Any) -> None:
    """Have every listed job's request say something else, too."""
    inside: Any = fake
    handle = inside.upstream.handle

    def changed(arrival: Any) -> Any:
        for job in fake.jobs.values():
            job.request = {**job.request, **changes}
        return handle(arrival)

    inside.upstream.handle = changed


FILLED_IN: dict[str, Any] = {
    "models": {
        "face": {"fps_pred": 5.0, "prob_threshold": 0.99, "facs": None, "save_faces": False},
        "prosody": None,
    },
    "transcription": {"language": None, "identify_speakers": False, "confidence_threshold": 0.5},
    "text": [],
    "callback_url": None,
    "notify": False,
    "files": [],
}


async def test_a_lost_job_is_found_although_its_request_is_told_with_what_was_filled_in() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", after_work=True))
        change_echo(fake, **FILLED_IN)
        await run(hume, urls(3))
        assert {1} == set(submitted(fake).values())


OTHERS: list[dict[str, Any]] = [
    {"models": {"face": {"fps_pred": 3}}},
    {"models": {"face": {"fps_pred": 5, "identify_faces": True}}},
    {"models": {"face": {"fps_pred": 5}, "prosody": {}}},
    {"models": {"prosody": {}}},
    {"transcription": None},
    {"transcription": {"language": "en"}},
    {"callback_url": "https://example.com/hook"},
    {"notify": True},
    {"text": ["and a text"]},
    {"urls": urls(3)[::-1]},
    {"urls": urls(2)},
]


@pytest.mark.slow
@pytest.mark.parametrize("change", OTHERS, ids=json.dumps)
async def test_a_job_that_was_asked_for_anything_else_is_another_one(
    change: dict[str, Any],
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", after_work=True))
        change_echo(fake, **change)
        await run(hume, urls(3))
        assert len(fake.jobs) == 2


@pytest.mark.parametrize("planned_ahead", [600, -600])
async def test_a_job_is_found_although_the_clock_was_set_before_the_service_told_its_own(
    planned_ahead: int,
) -> None:
    """Ten minutes from the service's clock when it was planned, and ten on the other side now."""
    service_ms = local_ms() + planned_ahead * 1000
    url = urls(1)[0]
    job = {
        "job_id": "lost",
        "type": "INFERENCE",
        "request": {"urls": [url], "models": MODELS},
        "state": {"created_timestamp_ms": service_ms, "status": "COMPLETED"},
    }
    plan = Plan(
        number=1,
        kind="urls",
        keys=(b"key",),
        marks=(mark_of("urls", url, MARK_SIZE),),
        planned_ms=service_ms + planned_ahead * 1000,
    )
    listed = json_answer(
        json.dumps([job]).encode(), headers={"date": formatdate(service_ms / 1000)}
    )
    session = session_of(ScriptedTransport(listed))
    request = InferenceRequest(models=MODELS)
    assert await find_job(session, ServiceClock(), plan, request, ()) == "lost"


URL = urls(1)[0]
NOW_MS = local_ms()


def listed_job(job_id: str = "lost", **changes: Any) -> dict[str, Any]:
    """Return a job as the service lists it: the very one of `find`'s plan, but for changes."""
    job = {
        "job_id": job_id,
        "type": "INFERENCE",
        "request": {"urls": [URL], "models": MODELS},
        "state": {"created_timestamp_ms": NOW_MS, "status": "COMPLETED"},
    }
    return job | changes


async def find(*pages: object, known: tuple[str, ...] = ()) -> str | None:
    """Search pages of the list for a planned job; empty ones follow."""
    mark = mark_of("urls", URL, MARK_SIZE)
    plan = Plan(number=1, kind="urls", keys=(b"key",), marks=(mark,), planned_ms=NOW_MS)
    ends: list[object] = [[], []]
    responses = [json_answer(json.dumps(page).encode()) for page in (*pages, *ends)]
    session = session_of(ScriptedTransport(*responses))
    return await find_job(session, ServiceClock(), plan, InferenceRequest(models=MODELS), known)


@pytest.mark.parametrize(
    "job",
    [
        listed_job(type="TRAINING"),
        listed_job(request={"registry_files": ["id"], "models": MODELS}),
        listed_job(request={"urls": "no array", "models": MODELS}),
        listed_job(request={"text": [URL], "models": MODELS}),
        listed_job(state={"created_timestamp_ms": NOW_MS - 86_400_000}),
    ],
    ids=["training", "registry files", "no array", "another kind", "a day older"],
)
async def test_a_job_that_cannot_be_the_planned_one_is_passed_over(job: dict[str, Any]) -> None:
    assert await find([job]) is None


async def test_a_job_that_is_known_to_be_another_is_passed_over() -> None:
    assert await find([listed_job("other"), listed_job()], known=("other",)) == "lost"


@pytest.mark.parametrize(
    "page",
    [{"jobs": []}, ["job"], [{"id": "x"}], [listed_job(request=None)]],
    ids=["no array", "no object", "no id", "no request"],
)
async def test_a_list_that_cannot_be_read_is_no_proof_that_the_job_is_not_there(
    page: object,
) -> None:
    with pytest.raises(DecodeError):
        await find(page)


async def test_the_planned_job_is_found_beside_one_that_cannot_be_read() -> None:
    assert await find([listed_job("odd", request=None), listed_job()]) == "lost"


async def test_a_job_that_does_not_say_when_it_was_made_is_looked_at() -> None:
    assert await find([listed_job(state=None)]) == "lost"


async def test_a_long_list_without_times_cannot_be_read_to_its_end() -> None:
    page = [listed_job(f"job-{n}", type="TRAINING", state={}) for n in range(LIMIT)]
    with pytest.raises(DecodeError, match="creation times"):
        await find(page)


async def test_more_jobs_of_one_time_than_the_list_shows_are_a_doubt() -> None:
    page = [listed_job(f"job-{n}", type="TRAINING") for n in range(LIMIT)]
    older = [listed_job("old", state={"created_timestamp_ms": NOW_MS - 86_400_000})]
    with pytest.raises(DecodeError, match="at one time"):
        await find(page, page, page, older)


async def test_a_list_that_shows_fewer_jobs_than_asked_for_is_read_to_its_end() -> None:
    def others(start: int) -> list[dict[str, Any]]:
        return [
            listed_job(
                f"job-{n}", type="TRAINING", state={"created_timestamp_ms": NOW_MS + 1000 - n}
            )
            for n in range(start, start + 7)
        ]

    assert await find(others(0), others(6), [*others(12)[:5], listed_job()]) == "lost"


async def test_a_list_is_read_to_its_end_after_more_jobs_of_one_time_than_it_shows_at_once() -> (
    None
):
    def others(start: int, end: int) -> list[dict[str, Any]]:
        # Sixty were made in one millisecond, the others each in one of its own.
        return [
            listed_job(
                f"job-{n}",
                type="TRAINING",
                state={"created_timestamp_ms": NOW_MS + 1000 - max(n - 59, 0)},
            )
            for n in range(start, end)
        ]

    of_one_time = others(0, LIMIT)
    pages = of_one_time, of_one_time, others(0, 2 * LIMIT), others(99, 99 + LIMIT)
    assert await find(*pages, [*others(148, 150), listed_job()]) == "lost"


@pytest.mark.parametrize("count", [LIMIT, 3 * LIMIT])
async def test_a_list_that_does_not_go_back_in_time_is_not_asked_for_ever(count: int) -> None:
    page = [
        listed_job(f"job-{n}", type="TRAINING", state={"created_timestamp_ms": NOW_MS + n})
        for n in range(count)
    ]
    with pytest.raises(DecodeError, match="at one time"):
        await find(*[page] * 6, [listed_job()])  # which it does not come to


async def test_a_short_list_that_does_not_go_back_in_time_is_taken_for_whole() -> None:
    assert await find(*[[listed_job("another", type="TRAINING")]] * 5) is None


def oldest_first(count: int) -> list[dict[str, Any]]:
    """Return jobs of yesterday, a minute between them, as a service lists them that cannot sort."""
    return [
        listed_job(
            f"job-{n}",
            type="TRAINING",
            state={"created_timestamp_ms": NOW_MS - 86_400_000 + n * 60_000},
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [7, LIMIT])
async def test_a_list_that_begins_with_the_oldest_is_no_proof_where_more_are_not_shown(
    count: int,
) -> None:
    with pytest.raises(DecodeError, match="newest first"):
        await find(oldest_first(count), [listed_job()])


async def test_a_list_that_begins_with_the_oldest_is_proof_where_it_is_all_there_is() -> None:
    assert await find(oldest_first(7), []) is None
