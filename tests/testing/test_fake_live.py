"""The live products of the fake: what a request may be, and how a wrong one is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import aiohttp
import pytest
from live_support import mp3, speech, wav
from PIL import Image
from raw_client import RawClient, Reply, open_raw_client

from humeai_async.testing import ManualClock

pytestmark = pytest.mark.anyio

AUDIO = "/v1/expression/audio/file"
VIDEO = "/v1/expression/video/file"
DECISIONS = "/v0/decisions/file"
JSON = "application/json"
CLIP = wav(speech(2))


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    return buffer.getvalue()


JPEG = picture()
NOUL = {"type": "noul", "instructions": "Is it calm?"}


def form(*parts: tuple[str, bytes, str]) -> aiohttp.FormData:
    made = aiohttp.FormData()
    for name, content, kind in parts:
        made.add_field(name, io.BytesIO(content), filename=name, content_type=kind)
    return made


def code_of(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def as_config(value: object, kind: str = JSON) -> tuple[str, bytes, str]:
    return ("config", json.dumps(value).encode(), kind)


def as_file(content: bytes) -> tuple[str, bytes, str]:
    return ("file", content, "application/octet-stream")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], (400, "message_invalid")),
        ([as_file(CLIP), as_file(CLIP)], (400, "message_invalid")),
        ([as_file(b"")], (400, "audio_decode_failed")),
        ([as_file(b"\x01" * 3)], (400, "audio_decode_failed")),
        ([as_file(mp3(2))], (415, "unsupported_media_type")),
        ([as_file(wav(speech(2), rate=44_100))], (400, "audio_decode_failed")),
        ([as_file(wav(b""))], (400, "audio_decode_failed")),
        ([as_config({}, "text/plain"), as_file(CLIP)], (400, "message_invalid")),
        ([("config", b"{", JSON), as_file(CLIP)], (400, "message_invalid")),
        ([as_config([]), as_file(CLIP)], (400, "config_invalid")),
        ([as_config({"timer": 1}), as_file(CLIP)], (400, "config_invalid")),
        ([as_config({"measurement_timer_ms": 2999}), as_file(CLIP)], (400, "config_invalid")),
        ([as_config({"measurement_timer_ms": "3000"}), as_file(CLIP)], (400, "config_invalid")),
        ([as_file(wav(bytes(25_000_001)))], (413, "audio_too_long")),
    ],
)
async def test_sound_that_cannot_be_measured_is_refused(
    parts: list[tuple[str, bytes, str]], expected: tuple[int, str]
) -> None:
    async with open_raw_client() as call:
        assert code_of(await call("POST", AUDIO, data=form(*parts))) == expected
        assert (await call("GET", "/v1/expression/run")).json["runs"] == []


@pytest.mark.parametrize(
    ("config", "files", "expected"),
    [
        ({}, [], (400, "message_invalid")),
        ({}, [CLIP], (415, "unsupported_media_type")),
        ({}, [b"\xff\xd8\xff\xd9"], (400, "image_decode_failed")),
        ({}, [JPEG + bytes(20_000_000)], (413, "image_too_large")),
        ({"face": {"mood": 1}}, [JPEG], (400, "config_invalid")),
        ({"face": {"threshold": 1.5}}, [JPEG], (400, "config_invalid")),
        ({"face": {"min_size": 0}}, [JPEG], (400, "config_invalid")),
        ({"face": {"threshold": "high"}}, [JPEG], (400, "config_invalid")),
        ({"face": []}, [JPEG], (400, "config_invalid")),
    ],
)
async def test_images_that_cannot_be_measured_are_refused(
    config: Any, files: list[bytes], expected: tuple[int, str]
) -> None:
    async with open_raw_client() as call:
        data = form(as_config(config), *map(as_file, files))
        assert code_of(await call("POST", VIDEO, data=data)) == expected


async def decide(call: RawClient, request: object, file: bytes = CLIP) -> Reply:
    text = request if isinstance(request, bytes) else json.dumps(request).encode()
    return await call("POST", DECISIONS, data=form(("request", text, JSON), as_file(file)))


@pytest.mark.parametrize(
    ("request_body", "expected"),
    [
        (b"{", (400, "message_invalid")),
        ([], (400, "question_invalid")),
        ({}, (400, "question_invalid")),
        ({"questions": {"a": "Is it calm?"}}, (400, "question_invalid")),
        ({"questions": {"": NOUL}}, (400, "question_invalid")),
        ({"questions": {"a": {"type": "essay"}}}, (400, "question_invalid")),
        ({"questions": {"a": {"type": "choice", "criteria": ["b"]}}}, (400, "question_invalid")),
        ({"questions": {"a": NOUL}, "context": "c" * 1001}, (400, "question_invalid")),
        ({"questions": {f"q{n}": NOUL for n in range(21)}}, (400, "question_invalid")),
    ],
)
async def test_questions_that_cannot_be_put_are_refused(
    request_body: object, expected: tuple[int, str]
) -> None:
    async with open_raw_client() as call:
        assert code_of(await decide(call, request_body)) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (b"none", (415, "audio_format_unsupported")),
        (wav(speech(0.9)), (400, "audio_too_short")),
        (mp3(302), (400, "audio_too_long")),
        (wav(bytes(25_000_001)), (413, "payload_too_large")),
    ],
)
async def test_a_clip_that_cannot_be_heard_is_refused(
    file: bytes, expected: tuple[int, str]
) -> None:
    async with open_raw_client() as call:
        assert code_of(await decide(call, {"questions": {"a": NOUL}}, file)) == expected


async def test_the_request_comes_before_the_one_file() -> None:
    async with open_raw_client() as call:
        text = json.dumps({"questions": {"a": NOUL}}).encode()
        turned = form(as_file(CLIP), ("request", text, JSON))
        assert code_of(await call("POST", DECISIONS, data=turned)) == (400, "message_invalid")


@pytest.mark.parametrize("duration", [None, "3000", 1.5])
async def test_an_estimate_needs_whole_milliseconds(duration: object) -> None:
    async with open_raw_client() as call:
        body = {"questions": {"a": NOUL}, "audio_duration_ms": duration}
        reply = await call("POST", f"{DECISIONS}/input_tokens", json=body)
        assert code_of(reply) == (400, "message_invalid")


@pytest.mark.parametrize("path", ["/v1/expression/run/{id}", "/v0/decisions/run/{id}"])
async def test_a_run_that_is_not_there_is_not_found(path: str) -> None:
    async with open_raw_client() as call:
        assert code_of(await call("GET", path, "nope")) == (404, "not_found")


async def test_a_face_state_of_another_account_is_ignored() -> None:
    async with open_raw_client() as call:
        for state in ("bm90IGJhc2U2NA==", "!", "b3RoZXIvNw=="):
            data = form(as_config({"face_state": state}), as_file(JPEG))
            assert (await call("POST", VIDEO, data=data)).status == 200


@pytest.mark.parametrize(("kind", "media"), [("audio", speech(0.1)), ("video", JPEG)])
async def test_media_that_come_faster_than_they_play_are_refused_if_that_is_set(
    kind: str, media: bytes
) -> None:
    clock = ManualClock()
    async with open_raw_client(clock=clock) as call:
        call.fake.sessions.burst_seconds = 0.25
        socket = await call.session.ws_connect(
            f"{call.fake.url}/v1/expression/{kind}/realtime",
            headers={"X-Hume-Api-Key": call.fake.api_key},
        )
        for _ in range(8):
            await socket.send_bytes(media)
        await socket.send_json({"type": "session.close"})
        messages = [json.loads(message.data) async for message in socket]
    codes = [one["code"] for one in messages if one["type"] == "error"]
    accepted = 3 if kind == "audio" else 1
    assert codes == ["rate_limited"] * (8 - accepted)
    assert messages[-1]["received"]["frames"] == accepted
