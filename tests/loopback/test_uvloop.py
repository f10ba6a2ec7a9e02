"""The same calls on uvloop: its sockets, timers and errors are not those of asyncio."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import anyio
import pytest
from support import client_of

from humeai_async.testing import FakeHume

pytest.importorskip("uvloop", reason="uvloop is not made for this platform")

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run the tests of this module on uvloop."""
    return "asyncio", {"use_uvloop": True}


transport: Any = importlib.import_module("tests.loopback.test_transport")

test_refused = transport.test_a_refused_connection_was_surely_not_carried_out
test_broken = transport.test_a_broken_answer_may_hide_a_success
test_stale = transport.test_a_request_is_never_repeated_in_secret_on_a_stale_connection
test_closing = transport.test_closing_ends_calls_in_flight_and_in_the_queue
test_cancelled = transport.test_a_cancelled_call_frees_its_place_in_the_pool
test_left_early = transport.test_a_stream_that_is_left_early_frees_its_place_in_the_pool
test_large_body = transport.test_a_json_body_arrives_whole


async def test_a_job_is_started_waited_for_and_fetched_on_uvloop() -> None:
    assert "uvloop" in type(asyncio.get_running_loop()).__module__
    async with FakeHume() as fake, client_of(fake) as hume:
        with anyio.fail_after(60):
            job = await hume.batch.start_job(text=["What a day!"], models={"language": {}})
            await job.wait()
            assert len(await job.predictions()) == 1
