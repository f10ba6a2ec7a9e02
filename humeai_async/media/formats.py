"""What a file is, by its first bytes.

Services take anything that they do not recognise for raw samples, and measure noise. So every
format that sound or pictures come in is told by name here, before anything is sent.
"""

from __future__ import annotations

import enum

from humeai_async.media.mp3 import is_mp3

HEAD = 4096
"""Bytes that are enough to tell what a file is."""
_TEXT = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}
_LEAST_TEXT = 16


class Kind(enum.StrEnum):
    """What a file is; the values are names for people."""

    EMPTY = "an empty file"
    WAV = "WAV"
    RIFF = "a RIFF file that is no plain WAV"
    MP3 = "MP3"
    AAC = "AAC"
    FLAC = "FLAC"
    OGG = "Ogg"
    MP4 = "MP4 or M4A"
    MATROSKA = "WebM or Matroska"
    AIFF = "AIFF"
    AU = "AU"
    CAF = "CAF"
    ASF = "WMA or WMV"
    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    WEBP = "WebP"
    PDF = "PDF"
    ZIP = "a ZIP archive"
    GZIP = "gzip"
    TEXT = "text"
    UNKNOWN = "of no known format"
    """Raw samples have no format to know them by."""


PICTURES = frozenset({Kind.JPEG, Kind.PNG, Kind.GIF, Kind.WEBP})
"""What is a picture."""
NO_SOUND = PICTURES | {Kind.EMPTY, Kind.TEXT, Kind.PDF, Kind.ZIP, Kind.GZIP}
"""What surely holds no sound."""


def describe_silent(kind: Kind) -> str:
    """Say why a file of `NO_SOUND` is refused."""
    if kind is Kind.EMPTY:
        return "the file is empty"
    return f"the file is {kind}, which holds no sound"


_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"fLaC", Kind.FLAC),
    (b"OggS", Kind.OGG),
    (b"\x1aE\xdf\xa3", Kind.MATROSKA),
    (b".snd", Kind.AU),
    (b"caff", Kind.CAF),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind.ASF),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"GIF8", Kind.GIF),
    (b"%PDF-", Kind.PDF),
    (b"PK\x03\x04", Kind.ZIP),
    (b"\x1f\x8b\x08", Kind.GZIP),
    (b"RF64", Kind.RIFF),
    (b"RIFX", Kind.RIFF),
    (b"BW64", Kind.RIFF),
)


_INNER = {
    b"WAVE": Kind.WAV,
    b"WEBP": Kind.WEBP,
    b"AIFF": Kind.AIFF,
    b"AIFC": Kind.AIFF,
}
"""What files are that begin with `RIFF` or `FORM`, by what follows."""


def kind_of(data: bytes) -> Kind:
    """Tell what a file is.

    Args:
        data: The file, or its first `HEAD` bytes at least.
    """
    if not data:
        return Kind.EMPTY
    if data[4:8] == b"ftyp":
        return Kind.MP4
    if data[:4] in {b"RIFF", b"FORM"}:
        return _INNER.get(data[8:12], Kind.RIFF)
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    return Kind.MP3 if is_mp3(data) else _by_content(data)


def _by_content(data: bytes) -> Kind:
    is_adts = data[0] == 0xFF and len(data) > 6 and data[1] & 0xF6 == 0xF0  # noqa: PLR2004 - ADTS
    if is_adts:
        length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
        if data[length : length + 1] == b"\xff":
            return Kind.AAC
    start = data[:HEAD]
    if len(start) >= _LEAST_TEXT and _TEXT.issuperset(start):
        return Kind.TEXT
    return Kind.UNKNOWN
