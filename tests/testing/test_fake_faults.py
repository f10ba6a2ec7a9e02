"""The script of faults, acted out on the socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp_release import IS_3_14
from raw_client import RawClient, open_raw_client
from unreachable import hanging_url, refusing_url

from humeai_async.testing import FakeHume, Fault, FaultKind, Faults

pytestmark = pytest.mark.anyio

BODY = {"urls": ["https://a.example/a.mp4"]}


async def post(call: RawClient) -> Any:
    return await call("POST", "/v0/batch/jobs", json=BODY)


async def test_a_status_fault_comes_before_the_work() -> None:
    async with open_raw_client(
        faults=[Fault("status", status=503, headers={"Retry-After": "3"})]
    ) as call:
        reply = await post(call)
        assert not call.fake.jobs
        assert (await post(call)).status == 200
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "3"
    assert reply.json == {"message": "A scripted fault"}


async def test_a_status_fault_may_come_after_the_work() -> None:
    async with open_raw_client(faults=[Fault("status", status=500, after_work=True)]) as call:
        assert (await post(call)).status == 500
        assert len(call.fake.jobs) == 1


async def test_html_stands_where_json_belongs() -> None:
    async with open_raw_client(faults=[Fault("html", status=502)]) as call:
        reply = await post(call)
    assert reply.status == 502
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.body.startswith(b"<html>")


async def test_garbage_is_whole_but_no_json() -> None:
    async with open_raw_client(faults=[Fault("garbage")]) as call:
        reply = await post(call)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    with pytest.raises(json.JSONDecodeError):
        _ = reply.json


async def test_an_empty_answer_keeps_its_status() -> None:
    async with open_raw_client(faults=[Fault("empty")]) as call:
        reply = await post(call)
        assert len(call.fake.jobs) == 1
    assert (reply.status, reply.body) == (200, b"")


async def test_a_wrong_content_type_spoils_nothing_else() -> None:
    async with open_raw_client(faults=[Fault("content-type", content_type="image/png")]) as call:
        reply = await post(call)
    assert reply.headers["Content-Type"] == "image/png"
    assert reply.json["job_id"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", aiohttp.ClientOSError),
        ("close", aiohttp.ServerDisconnectedError),
        ("not-http", aiohttp.ClientResponseError),
        ("reset-head", aiohttp.ClientOSError),
        ("reset-body", aiohttp.ClientPayloadError),
        ("truncate", aiohttp.ClientPayloadError),
        ("truncate-chunk", aiohttp.ClientPayloadError),
        ("encoding", aiohttp.ClientPayloadError),
        ("long-header", aiohttp.ClientResponseError),
        *([("many-headers", aiohttp.ClientResponseError)] if IS_3_14 else []),
    ],
)
async def test_connections_fail_as_scripted(kind: FaultKind, error: type[Exception]) -> None:
    async with open_raw_client(faults=[Fault(kind)]) as call:
        with pytest.raises(error):
            await post(call)
        assert (await post(call)).status == 200


@pytest.mark.parametrize("kind", ["stall", "stall-head", "stall-body"])
async def test_a_stall_lasts_until_the_client_gives_up(kind: FaultKind) -> None:
    async with open_raw_client(faults=[Fault(kind)], timeout=0.2) as call:
        with pytest.raises(TimeoutError):
            await post(call)
        assert (await post(call)).status == 200


@pytest.mark.parametrize("kind", ["stall", "stall-head", "stall-body"])
async def test_a_stall_may_end(kind: FaultKind) -> None:
    async with open_raw_client(faults=[Fault(kind, seconds=0.01)]) as call:
        reply = await post(call)
    assert reply.json["job_id"]


async def test_a_surplus_follows_the_answer_on_its_connection() -> None:
    async with FakeHume(faults=[Fault("surplus")]) as fake:
        reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        key = f"X-Hume-Api-Key: {fake.api_key}"
        writer.write(f"GET /v0/batch/jobs HTTP/1.1\r\nHost: x\r\n{key}\r\n\r\n".encode())
        data = await reader.readuntil(b"smuggled")
        writer.close()
        await writer.wait_closed()
        assert fake.count() == 1
    assert data.count(b"HTTP/1.1 200 OK") == 2


async def test_a_stale_connection_is_closed_when_the_next_request_comes() -> None:
    async with open_raw_client(faults=[Fault("stale")]) as call:
        assert (await post(call)).status == 200
        assert call.fake.connections_open == 1
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(call)
        assert len(call.fake.jobs) == 1
        assert (await post(call)).status == 200


async def test_a_handshake_that_is_hit_is_not_made() -> None:
    async with open_raw_client(faults=[Fault("garbage", path="/v0/evi/chat")]) as call:
        url = f"{call.fake.url}/v0/evi/chat?api_key={call.fake.api_key}"
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await call.session.ws_connect(url)
        assert caught.value.status == 200
        await (await call.session.ws_connect(url)).close()


async def test_the_fake_says_what_was_carried_out() -> None:
    faults = [Fault("status"), Fault("status", after_work=True)]
    async with open_raw_client(faults=faults) as call:
        await post(call)
        await post(call)
        await call("GET", "/v0/batch/jobs/{id}", "unknown")
        assert call.fake.count(is_carried_out=True) == 1
        assert call.fake.count(is_carried_out=False) == 2
        assert call.fake.requests[1].is_carried_out


@pytest.mark.parametrize("kind", ["reset", "close", "stall"])
async def test_what_cuts_the_answer_comes_before_or_after_the_work(kind: FaultKind) -> None:
    faults = [Fault(kind), Fault(kind, after_work=True)]
    async with open_raw_client(faults=faults, timeout=0.1) as call:
        for jobs in (0, 1):
            with pytest.raises((aiohttp.ClientError, TimeoutError)):
                await post(call)
            assert len(call.fake.jobs) == jobs
        assert call.fake.count(status=200) == 0


async def test_faults_hit_only_what_they_match() -> None:
    faults = [
        Fault("status", method="POST", times=None),
        Fault("status", path="/v0/batch/jobs/*", status=418, times=None),
        Fault("status", when=lambda _, path: path.endswith("tools"), status=419, times=None),
    ]
    async with open_raw_client(faults=faults) as call:
        assert (await call("GET", "/v0/batch/jobs")).status == 200
        assert (await call("GET", "/v0/batch/jobs/{id}", "x")).status == 418
        assert (await call("GET", "/v0/evi/tools")).status == 419
        assert (await post(call)).status == 500
        assert [path for _, _, path in call.fake.faults.fired] == [
            "/v0/batch/jobs/x",
            "/v0/evi/tools",
            "/v0/batch/jobs",
        ]
        call.fake.faults.clear()
        assert (await post(call)).status == 200


def test_faults_run_out() -> None:
    faults = Faults(Fault("reset", times=2), Fault("stall", times=1))
    picked = [faults.pick("GET", "/x") for _ in range(4)]
    assert [fault and fault.kind for fault in picked] == ["reset", "reset", "stall", None]


def test_a_share_of_requests_is_hit_the_same_in_every_run() -> None:
    runs = [
        [bool(faults.pick("GET", "/x")) for _ in range(1000)]
        for faults in (Faults(Fault("reset", times=None, probability=0.1), seed=7),) * 1
        + (Faults(Fault("reset", times=None, probability=0.1), seed=7),)
    ]
    assert runs[0] == runs[1]
    assert 60 < sum(runs[0]) < 140


@pytest.mark.parametrize("dialect", ["direct", "gateway-documented", "gateway-recorded"])
async def test_one_script_serves_all_dialects(dialect: str) -> None:
    fault = Fault("status", status=500, path="/v0/batch/jobs/*/predictions")
    async with open_raw_client(dialect=dialect, faults=[fault]) as call:
        job = await call.start("https://a.example/a.mp4")
        assert (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).status == 500
        assert (await call("GET", "/v0/batch/jobs/{id}/predictions", job)).status == 200


async def test_the_gateway_turns_a_reset_at_hume_into_its_own_500() -> None:
    async with open_raw_client(
        dialect="gateway-recorded", faults=[Fault("reset", upstream=True)]
    ) as call:
        reply = await post(call)
    assert reply.status == 500
    assert reply.json == {
        "message": "socket hang up",
        "provider": "humeai",
        "error": {"message": "socket hang up"},
    }


async def test_a_refusing_url_refuses() -> None:
    async with aiohttp.ClientSession() as session:
        with refusing_url() as url, pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_a_hanging_url_never_connects() -> None:
    timeout = aiohttp.ClientTimeout(sock_connect=0.05)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with hanging_url() as url, pytest.raises(aiohttp.ConnectionTimeoutError):
            await session.get(url)
