"""What is wrong with the headers of media files is named."""

from __future__ import annotations

import struct

import pytest

from humeai_async.media.jpeg import JpegError, jpeg_size
from humeai_async.media.wav import WavError, read_wav, to_wav

WAV = to_wav(bytes(64))
SIZE = b"\xff\xc0\x00\x09\x08\x00\x10\x00\x20\x01\x00"
JPEG = b"\xff\xd8" + SIZE + b"\xff\xda\x00\x02\xff\xd9"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (WAV.replace(b"fmt ", b"odd "), "does not say what its data is"),
        (WAV[:20] + struct.pack("<H", 0xFFFE) + WAV[22:], "extensible header is cut off"),
        (WAV[:20] + struct.pack("<H", 7) + WAV[22:], "format 7"),
        (WAV[:30], "cut off within its header"),
        (WAV[:60], "is cut off: 64 bytes"),
        (WAV[:40] + bytes(4), "holds no sound"),
    ],
)
def test_a_wav_file_that_cannot_be_read_says_why(data: bytes, message: str) -> None:
    with pytest.raises(WavError, match=message):
        read_wav(data)


@pytest.mark.parametrize("between", [b"", b"\xff", b"\xff\x01", b"\xff\xe0\x00\x04ab"])
def test_a_picture_has_its_size_behind_other_segments(between: bytes) -> None:
    assert jpeg_size(JPEG[:2] + b"\xff\xe1\x00\x02" + between + JPEG[2:]) == (32, 16)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"GIF89a", "does not begin like"),
        (b"\xff\xd8\xff\xe1\x00\x02damage", "segments are damaged"),
        (JPEG[:6], "before its picture begins"),
        (JPEG[:-2], "within its picture"),
        (JPEG.replace(b"\x00\x10\x00\x20", bytes(4)), "no pixels"),
    ],
)
def test_a_picture_that_cannot_be_read_says_why(data: bytes, message: str) -> None:
    with pytest.raises(JpegError, match=message):
        jpeg_size(data)
