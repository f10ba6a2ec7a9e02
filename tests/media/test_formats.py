"""A file is told by its bytes, and what has to be known of it is read."""

from __future__ import annotations

import struct

import pytest
from live_support import extensible_wav, mp3, silence, speech, wav

from humeai_async.media.formats import Kind, kind_of
from humeai_async.media.jpeg import JpegError, jpeg_size
from humeai_async.media.mp3 import duration
from humeai_async.media.wav import WavError, read_wav, to_wav


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def jpeg(width: int, height: int, *before: bytes) -> bytes:
    frame = segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + bytes(9))
    scan = segment(0xDA, bytes(10)) + b"picture"
    return b"\xff\xd8" + (b"".join(before) or segment(0xE0, b"JFIF\0")) + frame + scan + b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", Kind.EMPTY),
        (wav(speech(0.1)), Kind.WAV),
        (b"RIFF\0\0\0\0AVI LIST", Kind.RIFF),
        (b"RF64\0\0\0\0WAVEds64", Kind.RIFF),
        (mp3(1), Kind.MP3),
        (b"ID3\4\0\0\0\0\0\0", Kind.MP3),
        (b"fLaC\0\0\0\x22", Kind.FLAC),
        (b"OggS\0\2", Kind.OGG),
        (b"\0\0\0\x20ftypM4A ", Kind.MP4),
        (b"FORM\0\0\0\0AIFF", Kind.AIFF),
        (jpeg(10, 10), Kind.JPEG),
        (b'{"not": "sound at all"}', Kind.TEXT),
        (speech(0.1), Kind.UNKNOWN),
        (silence(0.1), Kind.UNKNOWN),
        (b"\xff\xfb\x94\xc4" + bytes(4000), Kind.UNKNOWN),
        (b"\xff\xf1\x50\x80\x02\0\xfc" + bytes(9) + b"\xff\xf1", Kind.AAC),
        (b"\xff\xf1\x50\x80\x02\0\xfc" + bytes(11), Kind.UNKNOWN),
    ],
)
def test_a_file_is_told_by_its_bytes(data: bytes, kind: Kind) -> None:
    assert kind_of(data) is kind


def test_the_thumbnail_in_a_pictures_exif_data_is_skipped() -> None:
    exif = segment(0xE1, b"Exif\0\0" + jpeg(160, 120))
    assert jpeg_size(jpeg(4000, 3000, exif)) == (4000, 3000)


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", jpeg(8, 8)[:-9], jpeg(0, 8), b"GIF89a"])
def test_a_picture_that_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(JpegError):
        jpeg_size(data)


def test_an_mp3_file_is_as_long_as_its_frames() -> None:
    tag = b"ID3\4\0\0\0\0\1\0" + bytes(128)
    assert duration(tag + mp3(12)) == pytest.approx(12, abs=0.05)


def test_an_extensible_header_is_read_and_known_for_one() -> None:
    found = read_wav(extensible_wav(speech(1)))
    assert (found.is_16k_mono, found.is_plain, found.seconds) == (True, False, 1.0)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF",
        wav(speech(1))[:40],
        wav(speech(1))[:-100],
        wav(b""),
        wav(speech(1))[:45],
        to_wav(b"\0"),
    ],
)
def test_a_damaged_wav_file_is_refused(data: bytes) -> None:
    with pytest.raises(WavError):
        read_wav(data)


def test_a_plain_header_is_what_the_standard_library_writes() -> None:
    assert to_wav(speech(0.1)) == wav(speech(0.1))
