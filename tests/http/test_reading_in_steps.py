"""A large response is read little by little where its type knows how."""

from __future__ import annotations

import asyncio

import pytest
from scripted_transport import ScriptedTransport, json_answer
from tabular import body, face, url_source

from humeai_async import catalog
from humeai_async.errors import DecodeError
from humeai_async.http.endpoint import fill
from humeai_async.http.origins import Direct
from humeai_async.http.session import Session
from humeai_async.limiter.limiter import Limiter
from humeai_async.types.predictions import predictions as module
from humeai_async.types.predictions.predictions import Predictions

pytestmark = pytest.mark.anyio

SOURCE = url_source("https://x/a.mp4", face=[face(n) for n in range(20)])


def session_with(text: bytes) -> Session:
    return Session(
        Direct("http://127.0.0.1", api_key="key"), ScriptedTransport(json_answer(text)), Limiter()
    )


async def test_the_loop_goes_on_between_two_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEP_SECONDS", 0.0)
    text, turns = body(*[SOURCE] * 20), 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    found = await session_with(text).call(fill(catalog.BATCH_GET_PREDICTIONS, "a"))
    counting.cancel()
    assert found == Predictions.from_json(text)
    assert turns > 20


async def test_what_is_wrong_in_a_large_response_is_told() -> None:
    text = body(*[{"source": {"type": "url"}, "results": "x" * 300_000}] * 3)
    with pytest.raises(DecodeError) as caught:
        await session_with(text).call(fill(catalog.BATCH_GET_PREDICTIONS, "a"))
    assert caught.value.path == "$[0].results"
    assert caught.value.status == 200
