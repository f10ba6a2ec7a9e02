"""Pages in a browser may call the stand-in where it is told to allow their origin."""

from __future__ import annotations

import aiohttp
import pytest

from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio

PREFLIGHT = {
    "Origin": "http://localhost:3000",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "x-hume-api-key,content-type",
}


async def test_a_preflight_needs_no_key_and_is_no_request_of_the_service() -> None:
    async with FakeHume(allow_origin="*") as fake, aiohttp.ClientSession() as session:
        url = f"{fake.url}/v0/batch/jobs"
        async with session.options(url, headers=PREFLIGHT) as response:
            headers = response.headers
            assert response.status == 204
        assert fake.requests == []
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert headers["Access-Control-Allow-Headers"] == "x-hume-api-key,content-type"


@pytest.mark.parametrize(("key", "status"), [("fake-hume-key", 200), ("wrong", 401)])
async def test_a_page_may_read_the_answer_whatever_it_is(key: str, status: int) -> None:
    origin = "http://localhost:3000"
    async with FakeHume(allow_origin=origin) as fake, aiohttp.ClientSession() as session:
        headers = {"X-Hume-Api-Key": key, "Origin": origin}
        async with session.get(f"{fake.url}/v0/evi/configs", headers=headers) as response:
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert response.headers["Access-Control-Expose-Headers"] == "*"


async def test_no_origin_is_allowed_unless_it_is_named() -> None:
    async with FakeHume() as fake, aiohttp.ClientSession() as session:
        async with session.options(f"{fake.url}/v0/batch/jobs", headers=PREFLIGHT) as response:
            assert response.status == 401
            assert "Access-Control-Allow-Origin" not in response.headers
