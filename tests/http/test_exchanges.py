"""`hume.capture()`: what went over the wire, and nothing of what is secret."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import attrs
import pytest

from humeai_async import DecodeError, HumeAI, Request, Response, Retry
from humeai_async.testing import FakeHume, MockTransport
from humeai_async.testing.mock_transport import MockHandler

pytestmark = pytest.mark.anyio

QUICK = Retry(attempts=2, initial_delay=0.001)
PAGE: dict[str, Any] = {
    "page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": [], "new_field": [1],
}  # fmt: skip


def client_on(handler: MockHandler = lambda _: PAGE, **settings: Any) -> HumeAI:
    settings.setdefault("api_key", "m4rk3d-api-key")
    return HumeAI(transport=MockTransport(handler), retry=QUICK, **settings)


async def test_a_capture_has_request_line_status_headers_body_and_time() -> None:
    async with client_on() as hume:
        with hume.capture() as exchanges:
            await hume.configs.list(page_size=5)
    (one,) = exchanges
    assert one.request_line == "GET /v0/evi/configs?page_number=0&page_size=5 HTTP/1.1"
    assert (one.status, one.endpoint, one.attempt) == (200, "configs.list", 1)
    assert one.headers["content-type"] == "application/json"
    assert one.json()["new_field"] == [1]
    assert one.seconds > 0
    assert one.request_body is None


async def test_a_capture_has_each_attempt_and_what_it_failed_with() -> None:
    def handler(_: Request) -> Any:
        if len(exchanges) == 0:
            raise ConnectionResetError
        return PAGE

    async with client_on(handler) as hume:
        with hume.capture() as exchanges:
            await hume.configs.list()
    first, second = exchanges
    assert (first.status, first.error, first.body) == (None, "APIConnectionError", None)
    assert (second.status, second.error, second.attempt) == (200, None, 2)
    assert first.call_id == second.call_id
    with pytest.raises(DecodeError):
        first.json()


async def test_a_capture_has_the_body_that_was_sent() -> None:
    async with client_on(lambda _: {"id": "c", "version": 0}) as hume:
        with hume.capture() as exchanges:
            await hume.configs.create(name="Weather", evi_version="3")
    assert json.loads(exchanges[0].request_body or b"")["name"] == "Weather"


async def test_a_capture_sees_its_task_and_the_children_of_that_and_no_other() -> None:
    async with client_on() as hume:

        async def call(path: str) -> None:
            await hume.request("GET", path)

        go = asyncio.Event()

        async def stranger() -> None:
            await go.wait()
            await call("/v0/stranger")

        other = asyncio.ensure_future(stranger())
        with hume.capture() as exchanges:
            go.set()
            await other
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call, "/v0/child")
            with hume.capture() as inner:
                await call("/v0/inner")
        await call("/v0/after")
    assert [one.request_line.split()[1] for one in exchanges] == ["/v0/child", "/v0/inner"]
    assert len(inner) == 1


async def test_a_child_that_outlives_the_block_is_not_seen_after_it() -> None:
    async with client_on() as hume:
        go = asyncio.Event()

        async def late() -> None:
            await go.wait()
            await hume.request("GET", "/v0/late")

        with hume.capture() as exchanges:
            child = asyncio.ensure_future(late())
        go.set()
        await child
    assert exchanges == []


async def test_a_capture_sees_one_client_and_its_relatives() -> None:
    async with client_on() as hume, client_on() as other:
        with hume.capture() as exchanges:
            await other.request("GET", "/v0/other")
            await hume.with_options(timeout=5).request("GET", "/v0/mine")
    assert [one.request_line for one in exchanges] == ["GET /v0/mine HTTP/1.1"]


async def test_a_capture_has_the_envelope_of_a_gateway() -> None:
    async with client_on(lambda _: {"data": PAGE}, api_key=None, api_token="at_m4rk3d") as hume:
        with hume.capture() as exchanges:
            await hume.configs.list()
    assert exchanges[0].json() == {"data": PAGE}
    assert exchanges[0].request_line.endswith("page_number=0&api_token=*** HTTP/1.1")


@pytest.mark.parametrize("credential", ["api_key", "access_token", "api_token"])
async def test_what_a_server_repeats_of_a_request_is_hidden(credential: str) -> None:
    def handler(request: Request) -> Response:
        url, headers = request.signed()
        body = json.dumps({"echo": {"url": url, "headers": headers}}).encode()
        headers = {"location": url, "x-echo": str(headers), "set-cookie": "m4rk3d=1"}
        return Response(200, headers, body + b"\xff\x00")

    settings: dict[str, Any] = {"api_key": None, credential: "at_m4rk3d/secret+1"}
    headers = {"X-Own": "m4rk3d-own-value"}
    async with client_on(handler, headers=headers, **settings) as hume:
        with hume.capture() as exchanges:
            await hume.request("GET", "/v0/x", query={"access_token": "m4rk3d-in-query", "a": 1})
    (one,) = exchanges
    shown = f"{attrs.astuple(one)} {one.request_line} {one!r}"
    assert "m4rk3d" not in shown
    assert (one.body or b"").endswith(b"\xff\x00")
    assert "a=1" in one.request_line


async def test_a_download_is_captured_without_its_body(tmp_path: Any) -> None:
    async with client_on(lambda _: [1]) as hume:
        with hume.capture() as exchanges:
            await hume.batch.job("job-1").save_predictions(tmp_path / "p.json")
    assert [(one.status, one.body) for one in exchanges] == [(200, None)]


async def test_uploads_are_captured_without_their_files(tmp_path: Any) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    async with FakeHume() as fake, HumeAI(api_key=fake.api_key, base_url=fake.url) as hume:
        with hume.capture() as exchanges:
            await hume.batch.start_job(files=[tmp_path / "a.wav"])
    assert [(one.status, one.request_body) for one in exchanges] == [(200, None)]
