"""The fake as a server: life, credentials, records, latency, and all rows in all dialects."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from raw_client import RawClient, open_raw_client

from humeai_async.testing import (
    Arrival,
    Clock,
    Credentials,
    Dialect,
    FakeHume,
    Fault,
    FormPart,
    ManualClock,
)
from humeai_async.testing.loopback import read_arrival
from humeai_async.testing.rows import ROWS, Row

pytestmark = pytest.mark.anyio

DIALECTS: tuple[Dialect, ...] = ("direct", "gateway-documented", "gateway-recorded")


async def test_the_url_fits_the_dialect() -> None:
    for dialect, tail in zip(DIALECTS, ("", "/humeai", "/humeai"), strict=True):
        async with FakeHume(dialect=dialect) as fake:
            assert fake.url == f"http://127.0.0.1:{fake.port}{tail}"


async def test_a_port_that_is_asked_for_is_used() -> None:
    async with FakeHume() as first:
        port = first.port
    async with FakeHume(port=port) as second:
        assert second.port == port


async def test_before_the_start_there_is_no_port() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = FakeHume().url


async def test_stopping_closes_everything_and_may_be_repeated() -> None:
    fake = FakeHume()
    await fake.start()
    async with aiohttp.ClientSession() as session:
        url, headers = fake.url + "/v0/batch/jobs", {"X-Hume-Api-Key": fake.api_key}
        async with session.get(url, headers=headers) as response:
            assert response.status == 200
        await fake.stop()
        await fake.stop()
        with pytest.raises(aiohttp.ClientError):
            await session.get(url, headers=headers)


async def test_state_outlives_a_restart() -> None:
    fake = FakeHume()
    async with fake, aiohttp.ClientSession() as session:
        job = await RawClient(fake, session).start("https://a.example/a.mp4")
    async with fake, aiohttp.ClientSession() as session:
        assert await RawClient(fake, session).status(job) == "COMPLETED"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Hume-Api-Key": "fake-hume-key"}, 200),
        ({"Authorization": "Bearer fake-access-token"}, 200),
        ({"X-Hume-Api-Key": "other"}, 401),
        ({"Authorization": "Bearer other"}, 401),
        ({"X-Hume-Api-Key": "fake-hume-key", "Authorization": "Bearer fake-access-token"}, 401),
        ({}, 401),
    ],
)
async def test_hume_wants_exactly_one_good_credential(headers: dict[str, str], status: int) -> None:
    async with (
        FakeHume() as fake,
        aiohttp.ClientSession(headers=headers) as session,
        session.get(fake.url + "/v0/batch/jobs") as response,
    ):
        assert response.status == status


async def test_credentials_can_be_chosen_and_do_not_show() -> None:
    credentials = Credentials(api_key="k1", api_token="at_2", access_token="t3")
    fake = FakeHume(credentials=credentials)
    assert (fake.api_key, fake.api_token, fake.access_token) == ("k1", "at_2", "t3")
    assert "k1" not in repr(credentials)


async def test_requests_are_recorded_with_what_hume_saw() -> None:
    async with open_raw_client(dialect="gateway-recorded") as call:
        job = await call.start("https://a.example/a.mp4")
        await call.status(job)
        await call("GET", "/v0/nope")
        first, second, third = call.fake.requests
        assert call.fake.count() == 3
        assert call.fake.count(method="POST", path="/v0/batch/jobs") == 1
        assert call.fake.count(path=f"/v0/batch/jobs/{job}") == 1
        assert call.fake.count(path="/v0/batch/jobs/id") == 1
        assert call.fake.count(status=404) == 1
    assert first.body.startswith(b'{"urls"')
    assert ("api_token", call.fake.api_token) in second.query
    assert second.upstream is not None
    assert second.upstream.headers["x-hume-api-key"] == call.fake.api_key
    assert (third.status, third.upstream) == (404, None)


async def test_bodies_need_not_be_kept() -> None:
    async with open_raw_client(record_bodies=False) as call:
        await call.start("https://a.example/a.mp4")
        assert call.fake.requests[0].body == b""


async def test_connections_are_counted() -> None:
    async with open_raw_client() as call:
        for _ in range(3):
            await call("GET", "/v0/batch/jobs")
        assert (call.fake.connections_opened, call.fake.connections_open) == (1, 1)


async def test_latency_may_depend_on_the_request() -> None:
    def latency(arrival: Arrival) -> float:
        return 0.0 if arrival.method == "GET" else 60.0

    async with open_raw_client(latency=latency) as call:
        assert (await call("GET", "/v0/batch/jobs")).status == 200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await call.start("https://a.example/a.mp4")
        # The work is done when the request arrives, whoever waits for the answer.
        assert len(call.fake.jobs) == 1


async def test_unknown_paths_and_methods_are_refused() -> None:
    async with open_raw_client() as call:
        assert (await call("GET", "/v0/nope")).status == 404
        assert (await call("PUT", "/v0/batch/jobs")).status == 405


async def test_head_is_a_get_without_a_body() -> None:
    async with open_raw_client() as call:
        reply = await call("HEAD", "/v0/batch/jobs")
    assert (reply.status, reply.body) == (200, b"")


async def test_a_body_that_is_no_json_is_refused() -> None:
    async with open_raw_client() as call:
        reply = await call("POST", "/v0/batch/jobs", data=b"{")
    assert reply.status == 400
    assert reply.json["code"] == "E0100"


@pytest.mark.parametrize("dialect", DIALECTS[1:])
async def test_a_gateway_carries_no_websocket(dialect: Dialect) -> None:
    async with FakeHume(dialect=dialect) as fake, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"{fake.url}/v0/evi/chat?api_token={fake.api_token}")
    assert caught.value.status == 404


def test_a_clock_can_run_fast() -> None:
    assert Clock(speed=1e6).now() < Clock(speed=1e6).now() + 1e6
    clock = Clock(speed=1e9, epoch=5.0)
    assert clock.now() > 1.0
    assert clock.epoch_ms(1.0) == 6000


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf")])
def test_a_clock_cannot_stand_or_go_back(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Clock(speed)
    with pytest.raises(ValueError, match="moved"):
        ManualClock().advance(-1.0)


BODIES: dict[str, Any] = {
    "POST /v0/batch/jobs": {"urls": ["https://a.example/a.mp4"]},
    "POST /v0/evi/configs": {"name": "n", "evi_version": "3"},
    "POST /v0/evi/configs/{id}": {"evi_version": "3"},
    "POST /v0/evi/prompts": {"name": "n", "text": "t"},
    "POST /v0/evi/prompts/{id}": {"text": "t"},
    "POST /v0/evi/tools": {"name": "n", "parameters": "{}"},
    "POST /v0/evi/tools/{id}": {"parameters": "{}"},
    "POST /v0/registry/files": [
        {"file": {"name": "f", "data_type": "audio", "hume_storage": False}}
    ],
    "POST /v0/registry/v0/batch/jobs/tl/train": {
        "custom_model": {"name": "n"},
        "dataset": {"id": "d"},
    },
    "PATCH /v0/registry/models/version/{id}": "described",
}
UPLOADS = {
    "POST /v0/registry/datasets": "labels_file",
    "POST /v0/registry/datasets/{id}": "labels_file",
    "POST /v0/registry/files/upload": "file",
}


async def prepare(call: RawClient, row: Row) -> list[str | int]:
    """Make what a row needs, straight in the fake's state; return its ids."""
    upstream = call.fake.upstream
    if not row.parameters:
        return []
    kind = row.path.split("/")[3]
    if kind in {"configs", "prompts", "tools"}:
        fields = {"name": "n", "evi_version": "3", "text": "t", "parameters": "{}"}
        made = getattr(upstream.evi, kind).add(fields)
        return [made["id"], 0][: len(row.parameters)]
    if kind == "jobs":
        return [await call.start("https://a.example/a.mp4")]
    if kind in {"chats", "chat_groups"}:
        chat = call.fake.add_chat()
        return [chat.id if kind == "chats" else chat.group_id]
    if kind == "models":
        model, versions = next(iter(upstream.registry.models.models.items()))
        return [versions[0]["id"] if "version" in row.path else model]
    return [await prepare_asset(call, row, kind)]


async def prepare_asset(call: RawClient, row: Row, kind: str) -> str:
    if kind == "files":
        await call("POST", "/v0/registry/files", json=BODIES["POST /v0/registry/files"])
        return next(iter(call.fake.upstream.registry.files))
    # The recorded gateway drops uploads, so this goes straight to Hume.
    parts = (FormPart.of("name", b"n"), FormPart.of("labels_file", b"file,label\na,b\n"))
    key = {"x-hume-api-key": call.fake.api_key}
    arrival = Arrival("POST", "/v0/registry/datasets", headers=key, parts=parts)
    made = json.loads(call.fake.upstream.handle(arrival).body)
    return str(made["latest_version"]["id"] if "version/" in row.path else made["id"])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("row", ROWS, ids=[f"{row.method} {row.path}" for row in ROWS])
async def test_every_row_answers_in_every_dialect(row: Row, dialect: Dialect) -> None:
    label = f"{row.method} {row.path}"
    async with open_raw_client(dialect=dialect, timeout=5.0) as call:
        ids = await prepare(call, row)
        body: Any = BODIES.get(label)
        if label.endswith("tl/inference"):
            model = next(iter(call.fake.upstream.registry.models.models))
            body = {"custom_model": {"id": model}, "urls": ["https://a.example/a.mp3"]}
        if row.method == "PATCH" and body is None and "/evi/" in row.path:
            body = {"name": "new"} if len(ids) == 1 else {"version_description": "new"}
        form: aiohttp.FormData | None = None
        if label in UPLOADS:
            form = aiohttp.FormData()
            form.add_field(UPLOADS[label], b"a,b\n1,2\n", filename="x.csv")
            if row.path.endswith("datasets"):
                form.add_field("name", "n")
        query = {"name": "new"} if row.path.startswith("/v0/registry") else None
        lost = dialect == "gateway-recorded" and (
            row.method == "DELETE" and row.path.startswith("/v0/registry")
        )
        if lost:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await call(row.method, row.path, *ids)
            return
        reply = await call(row.method, row.path, *ids, query=query, json=body, data=form)
        dropped = dialect == "gateway-recorded" and (
            form is not None or label == "PATCH /v0/registry/models/version/{id}"
        )
    if dropped:
        # Uploads go on as `{}`, a bare JSON string is refused: neither can work.
        assert reply.status == 400
    else:
        assert reply.status in {200, 201, 204}, reply.body


async def test_a_client_that_leaves_at_once_is_nothing_to_complain_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeHume() as fake:
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", fake.port)
            writer.write(b"GET /v0/evi/configs HTTP/1.1\r\nHost: fake\r\n\r\n")
            writer.transport.abort()
        while fake.count() < 10 or fake.connections_open:
            await asyncio.sleep(0)
    assert caplog.text == ""


def test_a_dialect_a_fault_or_a_job_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="dialect is one of direct"):
        FakeHume(dialect="lowcodeapi")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(ValueError, match="kind"):
        Fault("503")  # type: ignore[arg-type]  # a mistake
    fake = FakeHume()
    for use in (fake.fail_job, fake.finish_job, fake.hold_job, fake.state):
        with pytest.raises(ValueError, match="there is no job 'j1'"):
            use("j1")


async def test_a_part_that_arrives_in_small_and_large_pieces_is_read_without_a_warning() -> None:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    sound = bytes(400 * 1024)
    connection = BaseProtocol(asyncio.get_running_loop())
    connection.connection_made(asyncio.Transport())
    stream = aiohttp.StreamReader(connection, 2**16)
    form = {"Content-Type": "multipart/form-data; boundary=edge"}
    request = make_mocked_request("POST", "/v0/batch/jobs", headers=form, payload=stream)
    reading = asyncio.create_task(read_arrival(request))
    for piece in (head + sound[:3], sound[3:6], sound[6:] + b"\r\n--edge--\r\n"):
        stream.feed_data(piece)
        for _ in range(5):  # until the reader waits for more
            await asyncio.sleep(0)
    stream.feed_eof()
    parts = (await reading).parts
    assert parts is not None
    assert [one.size for one in parts] == [len(sound)]
