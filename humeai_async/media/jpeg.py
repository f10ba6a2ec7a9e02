"""The size of a JPEG picture in pixels, as it is stored.

It goes from segment to segment, so the thumbnail that cameras put into a picture's EXIF data is
skipped with it. It knows no endpoint.
"""

from __future__ import annotations

_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segments that hold the size."""
_SCAN = 0xDA
_END = 0xD9
_SHORTEST = 9


class JpegError(Exception):
    """A file is no JPEG picture; the message says why."""


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels.

    Args:
        data: The picture.

    Raises:
        JpegError: It is none, or is cut off.
    """
    if data[:3] != b"\xff\xd8\xff":
        raise JpegError("it does not begin like a JPEG")
    at = 2
    size: tuple[int, int] | None = None
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # noqa: PLR2004 - begins a marker
            raise JpegError("its segments are damaged")
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fills up
            at += 1
            continue
        if marker in _NO_LENGTH:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN and size is not None:
            return _checked(size, data)
        if marker in _SIZES and len(data) >= at + _SHORTEST:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            size = int.from_bytes(data[at + 7 : at + 9], "big"), height
        at += 2 + length
    raise JpegError("it is cut off before its picture begins")


def _checked(size: tuple[int, int], data: bytes) -> tuple[int, int]:
    if not all(size):
        raise JpegError("it has no pixels")
    # Some programs fill a file up behind its end.
    if bytes((0xFF, _END)) not in data[-4096:]:
        raise JpegError("it is cut off within its picture")
    return size
