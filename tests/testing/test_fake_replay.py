"""Answers from recordings."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest
from replay_server import ReplayServer

pytestmark = pytest.mark.anyio

EXCHANGES = [
    exchange
    for exchange in json.loads(
        (Path(__file__).parents[1] / "samples" / "transcripts.json").read_text()
    )
    # Several set-ups of the gateway were recorded; requests are told apart within one only.
    if exchange["gateway"].startswith("auth set") or exchange["name"] == "proxylist_new_format"
]
JOB = "8b1c2f3a-4d5e-4f60-9a7b-1c2d3e4f5a6b"


async def test_a_request_gets_its_recorded_answer() -> None:
    async with ReplayServer(EXCHANGES) as server, aiohttp.ClientSession() as session:
        url = f"{server.url}/v0/batch/jobs/id?api_token=at_mine&id={JOB}"
        async with session.get(url) as response:
            body = await response.json()
        assert server.served == ["get_old_format"]
    assert body["result"]["seen"]["raw_path"] == f"/v0/batch/jobs/{JOB}"


async def test_names_answer_whatever_comes_next() -> None:
    async with ReplayServer(EXCHANGES) as server, aiohttp.ClientSession() as session:
        server.serve("upstream_429_get", "env_array")
        async with session.get(server.url + "/anything") as response:
            assert response.status == 429
            assert (await response.json())["headers"]["retry-after"] == "7"
            assert response.headers["Set-Cookie"].startswith("connect.sid")
        async with session.post(server.url + "/else") as response:
            assert (await response.json())["result"][1] == {"job_id": "b"}


async def test_what_was_never_answered_is_never_answered() -> None:
    timeout = aiohttp.ClientTimeout(total=0.2)
    async with (
        ReplayServer(EXCHANGES) as server,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        server.serve("env_204_delete")
        with pytest.raises(TimeoutError):
            await session.delete(server.url + "/v0/evi/configs/id")


async def test_what_was_closed_is_closed() -> None:
    async with ReplayServer(EXCHANGES) as server, aiohttp.ClientSession() as session:
        server.serve("proxylist_new_format", "proxylist_new_format")
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.post(server.url + "/x")


async def test_an_unknown_request_is_a_404() -> None:
    async with ReplayServer(EXCHANGES) as server, aiohttp.ClientSession() as session:
        async with session.get(server.url + "/nowhere") as response:
            assert response.status == 404
        assert server.served == [None]


def test_a_part_of_a_recording_is_not_served() -> None:
    server = ReplayServer(EXCHANGES)
    with pytest.raises(ValueError, match="not whole"):
        server.serve("response_20MB")
    with pytest.raises(KeyError):
        server.serve("nothing")
