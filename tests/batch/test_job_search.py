"""A job in the list is the lost one only if its whole request is the one that was planned."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from bulk_support import PATIENCE, search_quickly, submitted, urls
from scripted_transport import ScriptedTransport, json_answer
from support import client_of, session_of

from humeai_async import HumeAI
from humeai_async.batch.job_search import find_job
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
