"""The frames of an MP3 file: whether it is one, and how long it plays.

Reads headers only. It knows no endpoint.
"""

from __future__ import annotations

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Samples a second by the header's version: MPEG 1, 2 and 2.5."""
_KILOBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG_1 = 3
_LAYER_3 = 1
_HEADER = 4
_ID3 = 10
_MOST_JUNK = 4096
"""Bytes that may stand between two frames, or before the first one."""


def _frame(data: bytes, at: int) -> tuple[int, float] | None:
    """Return length in bytes and in seconds of the frame at a place, if there is one."""
    if at + _HEADER > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:  # noqa: PLR2004 - eleven set bits
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    bits, rate = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version not in _RATES or layer != _LAYER_3 or rate > 2 or not 0 < bits < 15:  # noqa: PLR2004 - reserved
        return None
    frequency, padding = _RATES[version][rate], data[at + 2] >> 1 & 1
    samples = 1152 if version == _MPEG_1 else 576
    kilobits = (_KILOBITS_1 if version == _MPEG_1 else _KILOBITS_2)[bits]
    return samples // 8 * kilobits * 1000 // frequency + padding, samples / frequency


def _tag_length(data: bytes) -> int:
    """Return the bytes of the ID3 tag that a file begins with."""
    if data[:3] != b"ID3" or len(data) < _ID3:
        return 0
    length = 0
    for byte in data[6:10]:
        length = length << 7 | byte & 0x7F
    return _ID3 + length


def is_mp3(data: bytes) -> bool:
    """Whether a file is MP3: it begins with a tag, or with two frames in a row."""
    if data[:3] == b"ID3":
        return True
    first = _frame(data, 0)
    if first is None:
        return False
    return first[0] >= len(data) or _frame(data, first[0]) is not None


def duration(data: bytes) -> float:
    """Return how many seconds a file plays; 0 where it has no frames."""
    at, seconds, junk = _tag_length(data), 0.0, 0
    while at + _HEADER <= len(data) and junk < _MOST_JUNK:
        found = _frame(data, at)
        if found is None:
            at, junk = at + 1, junk + 1
            continue
        at, seconds, junk = at + found[0], seconds + found[1], 0
    return seconds
