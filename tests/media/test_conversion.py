"""Sound of any form becomes 16 kHz mono, where the decoder is installed."""

from __future__ import annotations

import functools
import struct
from pathlib import Path
from typing import Any

import pytest
from live_support import extensible_wav, silence, speech, wav

from humeai_async import Upload
from humeai_async.decisions.uploads import read_clip
from humeai_async.errors import InvalidArgumentError, MissingPackageError
from humeai_async.expression.uploads import audio_part
from humeai_async.media.conversion import ConversionError, convert_to_wav, has_decoder, samples_of
from humeai_async.media.recordings import Recording, read_recording
from humeai_async.media.wav import read_wav

pytestmark = pytest.mark.anyio

needs_decoder = pytest.mark.skipif(not has_decoder(), reason="the extra media is not installed")


async def read(source: bytes | Path, channel: int | None = None) -> bytes:
    return b"".join([block async for block in samples_of(Recording(source, channel=channel))])


async def test_samples_that_are_right_pass_as_they_are(tmp_path: Path) -> None:
    sound = speech(9)
    (tmp_path / "sound.wav").write_bytes(extensible_wav(sound))
    assert await read(tmp_path / "sound.wav") == sound
    assert await read(wav(sound)) == sound


@needs_decoder
async def test_stereo_of_44_kilohertz_becomes_mono_of_16() -> None:
    sound = wav(speech(2), rate=44_100, channels=2)
    found = await convert_to_wav(sound, lambda _: None)
    header = read_wav(found)
    assert header.is_16k_mono
    assert header.seconds == pytest.approx(16_000 / 44_100, abs=0.005)


@needs_decoder
async def test_one_channel_can_be_kept() -> None:
    left, right = speech(1), silence(1)
    pairs = b"".join(left[n : n + 2] + right[n : n + 2] for n in range(0, len(left), 2))
    sound = wav(pairs, rate=8_000, channels=2)
    assert max(await read(sound, channel=1)) == 0
    assert max(await read(sound, channel=0)) > 0


@needs_decoder
@pytest.mark.parametrize("data", [b"fLaC", b"OggS" + bytes(100), b"%PDF-1.4"])
async def test_what_cannot_be_decoded_is_one_error(data: bytes) -> None:
    with pytest.raises(ConversionError):
        await read(data)


async def test_without_the_decoder_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingPackageError, match=r"humeai_async\[media\]"):
        await read(b"fLaC")


@pytest.mark.parametrize("damaged", [wav(speech(1))[:-5_000], wav(speech(1) + b"\0")])
async def test_a_damaged_wav_file_is_not_read_in_part(damaged: bytes) -> None:
    with pytest.raises(ConversionError, match=r"cut off|within a sample"):
        await read(damaged)


async def test_raw_samples_that_end_within_one_are_refused() -> None:
    with pytest.raises(ConversionError, match="no whole 16-bit samples"):
        [one async for one in samples_of(Recording(b"abc", is_headerless=True))]


async def test_a_channel_that_a_mono_file_has_not_is_refused() -> None:
    with pytest.raises(ConversionError, match="no channel 1"):
        await read(wav(speech(1)), channel=1)


@pytest.mark.parametrize("channel", [-1, "left", True, 0.0])
async def test_a_channel_that_is_no_index_is_refused(channel: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="channel must be a number from 0"):
        await read_recording(wav(speech(1)), channel=channel)


@needs_decoder
async def test_a_recording_of_the_telephone_is_decoded() -> None:
    form = struct.pack("<HHIIHH", 7, 1, 8_000, 8_000, 1, 8)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 16_000)
    file = b"RIFF" + struct.pack("<I", 16_036) + b"WAVE" + chunks + bytes(range(100)) * 160
    part = await audio_part(file, is_headerless=False, convert=True)
    assert (part.size or 0) == pytest.approx(64_044, abs=200)
    assert (await read_clip(file)).seconds == pytest.approx(2, abs=0.01)
    with pytest.raises(InvalidArgumentError, match="format 7"):
        await read_clip(file, convert=False)


def _with_title(sound: bytes, title: bytes) -> bytes:
    """Return a WAV file with a title before its data."""
    inner = b"INFOINAM" + struct.pack("<I", len(title)) + title
    chunk = b"LIST" + struct.pack("<I", len(inner)) + inner
    size = struct.pack("<I", len(sound) + len(chunk) - 8)
    return sound[:4] + size + sound[8:36] + chunk + sound[36:]


@needs_decoder
async def test_a_title_that_is_no_utf_8_keeps_nobody_from_the_sound() -> None:
    sound = wav(speech(1), rate=8_000)
    assert await read(_with_title(sound, b"caf\xe9")) == await read(sound)


@needs_decoder
async def test_files_of_two_forms_that_were_joined_are_read_to_the_end() -> None:
    mono, stereo = b"\xff\xfb\x94\xc4" + bytes(380), b"\xff\xfb\x94\x44" + bytes(380)
    samples = len(await read(mono * 50 + stereo * 50)) // 2
    assert abs(samples - 100 * 1152 / 3) < 1152


async def test_a_path_that_cannot_be_read_is_refused_by_name() -> None:
    unreadable = "/proc/self/mem"  # a file in all else, and its first byte is nobody's
    with pytest.raises(InvalidArgumentError, match="Input/output error"):
        await read_recording(unreadable)


async def test_a_file_that_is_gone_meanwhile_is_an_error_of_conversions(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="No such file"):
        await read(tmp_path / "gone.wav")


@pytest.mark.parametrize("announced", [0, 0xFFFFFFFF])
async def test_a_clip_from_a_pipe_is_sent_with_its_sizes(announced: int) -> None:
    sound = wav(speech(2))
    streamed = sound[:4] + struct.pack("<I", announced) + sound[8:40]
    clip = await read_clip(Upload(streamed + struct.pack("<I", announced) + sound[44:]))
    assert (clip.data, clip.seconds) == (sound, 2.0)


async def test_a_recording_whose_header_is_wrong_about_the_file_gets_another() -> None:
    sound = wav(speech(2))
    part = await audio_part(sound[:4] + bytes(4) + sound[8:], is_headerless=False, convert=True)
    assert part.content == sound


@pytest.mark.parametrize("read", [read_clip, functools.partial(audio_part, is_headerless=False)])
async def test_a_refusal_says_how_sound_of_another_form_can_be_sent(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flac, text = b"fLaC" + bytes(99), b"No sound, but a line of text."
    with pytest.raises(InvalidArgumentError, match=r"FLAC.*; convert=True converts it"):
        await read(flac, convert=False)
    with pytest.raises(InvalidArgumentError, match=r"text, which holds no sound \["):
        await read(text, convert=False)
    for product in ("expression", "decisions"):
        monkeypatch.setattr(f"humeai_async.{product}.uploads.has_decoder", lambda: False)
    with pytest.raises(InvalidArgumentError, match=r"FLAC.*; pip install 'humeai_async\[media\]'"):
        await read(flac, convert=True)
