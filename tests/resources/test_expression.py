"""Expression Measurement against the stand-in: what is sent, refused, read and billed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from live_support import clip, extensible_wav, mp3, silence, speech, wav
from support import client_of, jpeg_file

from humeai_async import (
    GatewayUnsupportedError,
    HumeAI,
    InvalidArgumentError,
    Retry,
    ServerError,
    Upload,
)
from humeai_async.decisions import Noul
from humeai_async.errors import AuthenticationError, ConfigurationError
from humeai_async.media import conversion
from humeai_async.testing import FakeHume, Fault, FormPart

pytestmark = pytest.mark.anyio

SPEECH = silence(0.5) + speech(2) + silence(1) + speech(4) + silence(1)


def parts_of(fake: FakeHume) -> tuple[FormPart, ...]:
    return fake.requests[0].parts or (FormPart.of("none", b""),)


async def refusal(hume: HumeAI, file: Any, **settings: Any) -> str | None:
    with pytest.raises(InvalidArgumentError) as caught:
        await hume.expression.measure_audio(file, **settings)
    return caught.value.code


async def test_a_recording_is_measured(hume: HumeAI, fake: FakeHume) -> None:
    result = await hume.expression.measure_audio(wav(SPEECH), measurement_timer_ms=3000)
    assert [(one.audio_start_ms, one.audio_end_ms) for one in result.utterances] == [
        (500, 2500), (3500, 7500),
    ]  # fmt: skip
    assert [one.trigger for one in result.measurements] == [
        "speech_ended", "interval", "speech_ended",
    ]  # fmt: skip
    assert fake.expression.metered_seconds == 10
    config, file = parts_of(fake)
    assert (config.name, config.filename, config.content_type) == (
        "config",
        None,
        "application/json",
    )
    assert (file.name, file.content_type) == ("file", "audio/wav")


async def test_a_label_over_time_has_none_where_it_is_not_listed(hume: HumeAI) -> None:
    result = await hume.expression.measure_audio(wav(SPEECH))
    found = {value for _, _, value in result["joy"]}
    assert all(value is None or value > 0 for value in found)
    assert result["no such label"] == [
        (m.audio_start_ms, m.audio_end_ms, None) for m in result.measurements
    ]


async def test_raw_samples_are_sent_as_such(hume: HumeAI, fake: FakeHume) -> None:
    result = await hume.expression.measure_audio(SPEECH, is_headerless=True)
    assert len(result.utterances) == 2
    (file,) = parts_of(fake)
    assert file.content_type == "application/octet-stream"


async def test_an_extensible_header_is_replaced(hume: HumeAI, fake: FakeHume) -> None:
    result = await hume.expression.measure_audio(extensible_wav(SPEECH))
    assert len(result.utterances) == 2
    assert parts_of(fake)[0].content[:44] == wav(SPEECH)[:44]


@pytest.mark.parametrize("place", ["before", "after", "stray"])
async def test_what_stands_around_the_samples_is_not_sent(
    hume: HumeAI, fake: FakeHume, place: str
) -> None:
    whole = wav(SPEECH)
    note = b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT" + bytes(18)
    source = {
        "before": whole[:36] + note + whole[36:],
        "after": whole + note,
        "stray": whole + b"\0",
    }[place]
    await hume.expression.measure_audio(source)
    (file,) = parts_of(fake)
    assert file.content == whole
    await hume.expression.measure_audio(source, convert=False)
    assert fake.requests[1].parts is not None
    assert fake.requests[1].parts[0].content == source


async def test_a_file_of_more_than_100_mb_has_the_services_code(hume: HumeAI) -> None:
    source = b"RIFF" + bytes(100_000_001)
    assert await refusal(hume, source) == "audio_too_long"
    with pytest.raises(InvalidArgumentError) as images:
        await hume.expression.measure_images([source])
    with pytest.raises(InvalidArgumentError) as clip_:
        await hume.decisions.create(source, {"calm": Noul("Calm?")})
    assert (images.value.code, clip_.value.code) == ("image_too_large", "payload_too_large")


@pytest.mark.parametrize(
    ("file", "settings", "code"),
    [
        (b"", {}, "audio_decode_failed"),
        (b"", {"is_headerless": True}, "audio_decode_failed"),
        (speech(1), {}, "unsupported_media_type"),
        (speech(1)[:-1], {"is_headerless": True}, "audio_decode_failed"),
        (mp3(3), {"is_headerless": True}, "unsupported_media_type"),
        (mp3(3), {"convert": False}, "unsupported_media_type"),
        (wav(speech(1), rate=44_100), {"convert": False}, "audio_decode_failed"),
        (extensible_wav(speech(1)), {"convert": False}, "audio_decode_failed"),
        (wav(speech(1))[:-10], {}, "audio_decode_failed"),
        (b'{"this is": "no sound"}', {}, "unsupported_media_type"),
        (bytes(26_000_000), {"is_headerless": True}, "audio_too_long"),
        (wav(bytes(26_000_000)), {}, "audio_too_long"),
        (wav(speech(1)), {"measurement_timer_ms": 2999}, "config_invalid"),
        (wav(speech(1)), {"measurement_timer_ms": 20_000}, "config_invalid"),
        (wav(speech(1)), {"measurement_timer_ms": True}, "config_invalid"),
    ],
)
async def test_what_the_service_would_refuse_is_not_sent(
    hume: HumeAI, fake: FakeHume, file: bytes, settings: dict[str, Any], code: str
) -> None:
    assert await refusal(hume, file, **settings) == code
    assert fake.requests == []


async def test_other_sound_is_refused_where_nothing_converts_it(
    hume: HumeAI, fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humeai_async.expression.uploads.has_decoder", lambda: False)
    assert await refusal(hume, wav(speech(1), rate=8_000)) == "audio_decode_failed"
    assert fake.requests == []


@pytest.mark.skipif(not conversion.has_decoder(), reason="the extra media is not installed")
async def test_other_sound_is_converted(hume: HumeAI) -> None:
    result = await hume.expression.measure_audio(wav(speech(4), rate=8_000))
    assert result.received is not None
    assert result.received.audio_duration_ms == pytest.approx(8_000, abs=20)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [jpeg_file(tmp_path / f"{n}.jpg", n) for n in range(3)]


async def test_images_are_measured_in_their_order(
    hume: HumeAI, fake: FakeHume, pictures: list[Path]
) -> None:
    result = await hume.expression.measure_images(pictures, face={"threshold": 0.5})
    assert [one.frame_id for one in result.measurements] == [0, 1, 2]
    assert result.measurements[0].faces[0].is_measured
    assert fake.expression.metered_seconds == 10
    assert [part.filename for part in parts_of(fake)[1:]] == [path.name for path in pictures]


async def test_the_ids_of_faces_go_on_with_their_state(hume: HumeAI, pictures: list[Path]) -> None:
    face = {"threshold": 0.5, "return_face_state": True}
    first = await hume.expression.measure_images(pictures[:1], face=face)
    more = await hume.expression.measure_images(
        pictures[1:], face=face, face_state=first.face_state
    )
    foreign = await hume.expression.measure_images(
        pictures[1:], face=face, face_state="Zm9yZWlnbi83"
    )
    assert more.measurements[0].faces[0].face_id != 0
    assert foreign.measurements[0].faces[0].face_id == 0


@pytest.mark.parametrize(
    ("files", "settings", "code"),
    [
        ([], {}, "message_invalid"),
        ([b""], {}, "image_decode_failed"),
        ([b"\x89PNG\r\n\x1a\n"], {}, "unsupported_media_type"),
        ([b"\xff\xd8\xff\xd9"], {}, "image_decode_failed"),
        ([b"\xff\xd8\xff" + bytes(2_000_000)], {}, "image_too_large"),
        ([b"x"], {"face": {"threshold": 2}}, "config_invalid"),
        ([b"x"], {"face": {"min_size": 0}}, "config_invalid"),
        ([b"x"], {"face": {"timer": 1}}, "config_invalid"),
    ],
)
async def test_images_that_the_service_would_refuse_are_not_sent(
    hume: HumeAI, fake: FakeHume, files: list[bytes], settings: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await hume.expression.measure_images(files, **settings)
    assert caught.value.code == code
    assert fake.requests == []


async def test_runs_are_listed_page_by_page(hume: HumeAI) -> None:
    for _ in range(5):
        await hume.expression.measure_audio(clip())
    pages = hume.expression.runs.list(page_size=2, mode="file")
    sizes = [len(page) async for page in pages.pages()]
    assert sizes == [2, 2, 1]
    first = await pages
    rest = await hume.expression.runs.list(page_size=3, cursor=first.next_cursor).collect()
    assert len(rest) == 3
    run = await hume.expression.runs.get(rest[-1].run_id)
    assert run.config is not None
    assert run.config.measurement_timer_ms == 3000
    assert await hume.expression.runs.events(run.run_id).collect() == []


async def test_times_in_filters_need_a_time_zone(hume: HumeAI) -> None:
    soon = dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=365 * 5)
    await hume.expression.measure_audio(clip())
    assert len(await hume.expression.runs.list(started_before=soon)) == 1
    assert len(await hume.expression.runs.list(started_after=soon)) == 0
    with pytest.raises(InvalidArgumentError, match="time zone"):
        hume.expression.runs.list(started_after=soon.replace(tzinfo=None))


async def test_an_upload_that_failed_on_the_server_is_not_sent_again(
    hume: HumeAI, fake: FakeHume
) -> None:
    fake.faults.add(Fault("status", status=500, after_work=True))
    with pytest.raises(ServerError) as caught:
        await hume.expression.measure_audio(clip())
    assert caught.value.outcome_unknown
    assert len(fake.requests) == 1


async def test_a_wrong_key_is_the_gateways_message(fake: FakeHume) -> None:
    async with HumeAI(api_key="wrong", base_url=fake.url, retry=Retry(attempts=1)) as hume:
        with pytest.raises(AuthenticationError, match="Unauthorized") as caught:
            await hume.expression.measure_audio(clip())
    assert caught.value.code is None


@pytest.mark.parametrize("dialect", ["gateway-documented", "gateway-recorded"])
async def test_a_gateway_does_not_reach_it(dialect: Any) -> None:
    async with FakeHume(dialect=dialect) as fake, client_of(fake) as hume:
        with pytest.raises(GatewayUnsupportedError):
            await hume.expression.measure_audio(Upload(b"never read"))
        with pytest.raises(GatewayUnsupportedError, match=r"api\.cloud\.hume\.ai"):
            await hume.expression.runs.list()
        with pytest.raises(GatewayUnsupportedError):
            await hume.decisions.create(b"never read", {})
        assert fake.requests == []


async def test_the_newer_products_have_an_address_of_their_own(
    fake: FakeHume, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HUME_BASE_URL", "HUME_CLOUD_URL"):  # the fixture sets them
        monkeypatch.delenv(name)
    elsewhere = HumeAI(api_key="k", base_url="https://api.hume.ai")
    assert elsewhere.cloud_url == "https://api.cloud.hume.ai"
    async with HumeAI(api_key=fake.api_key, cloud_url=fake.url) as hume:
        assert hume.base_url == "https://api.hume.ai"
        assert len(await hume.expression.runs.list()) == 0
        assert len(await hume.with_options(timeout=5).expression.runs.list()) == 0
    monkeypatch.setenv("HUME_CLOUD_URL", "http://127.0.0.1:9")
    assert HumeAI(api_key="k").cloud_url == "http://127.0.0.1:9"
    with pytest.raises(ConfigurationError, match="cloud_url"):
        HumeAI(api_token="at_0123", cloud_url=fake.url)


async def test_a_large_recording_in_memory_goes_out_whole_and_with_its_length(
    hume: HumeAI, fake: FakeHume
) -> None:
    data = wav(speech(1) * 40)
    result = await hume.expression.measure_audio(data)
    assert parts_of(fake)[0].content == data
    assert int(fake.requests[0].headers["content-length"]) == pytest.approx(len(data), abs=1000)
    assert result.received is not None
    assert result.received.audio_duration_ms == 40_000
