"""Which sources the command line names: URLs, files, folders and lists of them.

It knows no command and no run. `predict` calls it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from humeai_async.bulk.outcomes import BulkSource
from humeai_async.errors import InvalidArgumentError

MEDIA = frozenset({
    ".aac", ".aiff", ".avi", ".bmp", ".flac", ".gif", ".jpeg", ".jpg", ".m4a", ".m4v", ".mkv",
    ".mov", ".mp3", ".mp4", ".mpeg", ".oga", ".ogg", ".opus", ".png", ".tif", ".tiff", ".txt",
    ".wav", ".weba", ".webm", ".webp", ".wma", ".wmv", ".zip",
})  # fmt: skip
"""Endings of the files that are taken from a folder."""


def collect(arguments: Iterable[str], listed: str | None) -> Iterator[BulkSource]:
    """Find all sources that the command line names.

    Raises:
        InvalidArgumentError: There are none, or a file is not there.
    """
    names = list(arguments)
    if listed is not None:
        names += _lines(listed)
    if "-" in names:
        names.remove("-")
        names += _lines("-")
    if not names:
        raise InvalidArgumentError(
            "no sources: give URLs, files or folders, or a list with --from FILE or -",
            field="sources",
        )
    for name in names:
        yield from _expand(name)


def _lines(name: str) -> list[str]:
    """Read a list of sources, one a line; empty lines and those with # are passed over."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not a text file"
        raise InvalidArgumentError(f"cannot read {name}: {reason}", field="from") from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _expand(name: str) -> Iterator[BulkSource]:
    if name.lower().startswith(("http://", "https://")):
        yield name
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if _is_media(p))
        if not files:
            raise InvalidArgumentError(f"{name} holds no media files", field="sources")
        yield from files
    elif path.is_file():
        yield path
    else:
        raise InvalidArgumentError(
            f"{name} is no URL, and there is no such file or folder", field="sources"
        )


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in MEDIA and not path.name.startswith(".") and path.is_file()
