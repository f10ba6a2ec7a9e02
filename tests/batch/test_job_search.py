"""A job in the list is the lost one only if its whole request is the one that was planned."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bulk_support import PATIENCE, search_quickly, submitted, urls
from support import client_of

from humeai_async import HumeAI
from humeai_async.testing import FakeHume, Fault

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


@pytest.mark.parametrize("change", OTHERS, ids=json.dumps)
async def test_a_job_that_was_asked_for_anything_else_is_another_one(
    change: dict[str, Any],
) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        fake.faults.add(Fault("reset", method="POST", after_work=True))
        change_echo(fake, **change)
        await run(hume, urls(3))
        assert len(fake.jobs) == 2
