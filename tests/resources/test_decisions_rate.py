"""Six hundred decisions a minute, through the client, in virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import virtual_time
from live_support import speech, wav
from scripted_transport import ScriptedTransport, reply_json
from support import session_of

from humeai_async import Limiter, Retry
from humeai_async.decisions import Noul
from humeai_async.http.messages import Request, Response
from humeai_async.resources.decisions import Decisions

pytestmark = pytest.mark.anyio

QUESTIONS = {"calm": Noul("Calm?")}
CLIP = wav(speech(1))
WINDOW = 60.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time.BACKEND


class Service:
    """Takes so many calls in any minute, and says 429 to others."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.times: list[float] = []
        self.refused = 0

    async def __call__(self, request: Request) -> Response:
        await anyio.sleep(0.05)
        now = anyio.current_time()
        if sum(now - at < WINDOW for at in self.times[-self.most :]) >= self.most:
            self.refused += 1
            return reply_json({"message": "API rate limit exceeded"}, 429)
        self.times.append(now)
        if request.url.endswith("/input_tokens"):
            return reply_json({"input_tokens": 5})
        if request.method == "GET":
            return reply_json({"runs": []})
        results = {"calm": {"type": "noul", "noul": 0.5}}
        return reply_json({"run_id": "r", "answers": results, "received": {"input_tokens": 5}})


@pytest.fixture
def made() -> tuple[Decisions, Service]:
    service = Service(600)
    transport = ScriptedTransport(otherwise=service)
    return Decisions(session_of(transport, limiter=Limiter(), retry=Retry(attempts=8))), service


async def spend(decisions: Decisions, count: int) -> None:
    """Make calls of all kinds, as fast as they are let go."""
    slots = anyio.Semaphore(64)

    async def call(number: int) -> None:
        async with slots:
            if number % 3 == 0:
                await decisions.estimate(QUESTIONS, audio_duration_ms=3000)
            elif number % 10 == 1:
                await decisions.runs.list()
            else:
                await decisions.create(CLIP, QUESTIONS)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(call, number)


def check_windows(times: list[float]) -> None:
    for first, beyond in zip(times, times[600:], strict=False):
        assert beyond - first >= WINDOW


@pytest.mark.slow
async def test_all_calls_together_keep_to_six_hundred_in_any_minute(
    made: tuple[Decisions, Service],
) -> None:
    decisions, service = made
    start = anyio.current_time()
    await spend(decisions, 2400)
    assert len(service.times) == 2400
    check_windows(service.times)
    # Now and then it finds out whether more is allowed, for a few refusals, which are free.
    assert service.refused < 120
    assert anyio.current_time() - start < 5 * WINDOW


async def test_a_burst_after_a_rest_goes_at_once(made: tuple[Decisions, Service]) -> None:
    decisions, service = made
    await spend(decisions, 100)
    await anyio.sleep(WINDOW)
    start = anyio.current_time()
    await spend(decisions, 600)
    assert anyio.current_time() - start < 2
    assert service.refused == 0


async def test_a_service_that_allows_less_is_learned(made: tuple[Decisions, Service]) -> None:
    decisions, service = made
    service.most = 60  # as it was before November 2026
    await spend(decisions, 300)
    assert len(service.times) == 300
    assert service.refused < 100
