"""What the library gives out goes out of a FastAPI route: as JSON, and through a response model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import client_of

from humeai_async import HumeAI, to_dict
from humeai_async.testing import FakeHume

pytest.importorskip("fastapi", reason="comes with the extra test")
pytest.importorskip("httpx", reason="FastAPI's test client needs it")
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

pytestmark = pytest.mark.anyio


class ConfigOut(BaseModel):
    """What an application shows of a config."""

    id: str
    version: int
    name: str | None


async def make_values(hume: HumeAI) -> dict[str, Any]:
    job = await hume.batch.start_job(text=["What a day!"], models={"language": {}})
    await job.wait()
    async with hume.chat.connect() as chat:
        event = await anext(chat)
    return {
        "config": await hume.configs.create(name="Guide", evi_version="3"),
        "page": await hume.configs.list(),
        "job": job,
        "predictions": await job.predictions(),
        "event": event,
    }


async def test_the_encoder_of_fastapi_writes_everything_with_to_dict() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        values = await make_values(hume)
    for value in [*values.values(), values, list(values.values())]:
        encoded = jsonable_encoder(value, custom_encoder={object: to_dict})
        assert encoded == to_dict(value)
        assert json.loads(json.dumps(encoded)) == encoded


async def test_a_route_returns_plain_json_or_its_own_model_of_a_response() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        values = await make_values(hume)
    app = FastAPI()

    @app.get("/model", response_model=ConfigOut)
    async def model() -> Any:
        return values["config"]

    @app.get("/models", response_model=list[ConfigOut])
    async def models() -> Any:
        return values["page"].items

    @app.get("/plain")
    async def plain() -> Any:
        return to_dict(values["predictions"])

    async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as browser:
        config = {"id": values["config"].id, "version": 0, "name": "Guide"}
        assert (await browser.get("/model")).json() == config
        assert (await browser.get("/models")).json() == [config]
        assert (await browser.get("/plain")).json() == to_dict(values["predictions"])
