"""What may be given as a source of a measurement: a URL, a text or a file.

`read_source` decides which of them something is, for `predict`, `start_job` and whatever
takes sources later, so that one rule holds everywhere. It knows no request. It looks at the
disk, so callers on an event loop call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias, TypeGuard, cast

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query
from humeai_async.errors import InvalidArgumentError

__all__ = [
    "MEDIA_SUFFIXES",
    "BulkSource",
    "SourceKind",
    "Text",
    "is_url",
    "name_of",
    "read_source",
    "unwrap_texts",
]

MEDIA_SUFFIXES = frozenset({
    ".aac", ".aiff", ".avi", ".bmp", ".flac", ".gif", ".jpeg", ".jpg", ".m4a", ".m4v", ".mkv",
    ".mov", ".mp3", ".mp4", ".mpeg", ".oga", ".ogg", ".opus", ".png", ".tif", ".tiff", ".txt",
    ".wav", ".weba", ".webm", ".webp", ".wma", ".wmv", ".zip",
})  # fmt: skip
"""File name endings, in lower case, of the media and archives that the service takes."""

SourceKind: TypeAlias = Literal["urls", "text", "files"]
"""The list of a batch job's request that a source belongs to."""

_LONGEST_NAME = 4096
"""Characters of a path at most, so that longer texts need no look at the disk."""


@frozen
class Text:
    """A text to be analysed itself, whatever it looks like.

    A plain `str` does as well, but is refused where it may be meant as the name of a file.
    """

    text: str
    """The text to measure, itself."""


BulkSource: TypeAlias = str | os.PathLike[str] | Text
"""A source: a text that begins with http:// or https:// is a URL, a path is a file to upload,
and any other text, or a `Text`, is analysed itself."""


def read_source(source: object, *, argument: str = "sources") -> tuple[SourceKind, str]:
    """Say what a source is, and return its URL, text or path as a plain `str`.

    Looks at the disk where a text may be the name of a file.

    Args:
        source: What was given.
        argument: Name of the argument, for the error.

    Raises:
        InvalidArgumentError: It is none of the three, empty, cannot be sent, or is a text that
            looks like the name of a file.
    """
    if _is_path(source):
        path = _text_of(os.fspath(source))  # it may be bytes after all
        if path:
            return "files", str.__str__(path)
    # Subclasses of str come from parsers of HTML and XML, and may print as they like.
    given = _text_of(source)
    if given.strip():
        text = str.__str__(given)
        _refuse_half_characters(text, argument)
        if isinstance(source, Text):
            return "text", text
        if is_url(text):
            return "urls", text
        refuse_file_name(text, argument)
        return "text", text
    shown = repr_without_query(source)
    raise InvalidArgumentError(f"a source must be a URL, text or path, not {shown}", field=argument)


def is_url(text: str) -> bool:
    """Whether a text that is given as a source is a URL."""
    return text.lower().startswith(("http://", "https://"))


def unwrap_texts(texts: Sequence[str | Text] | None) -> Sequence[str] | None:
    """Return texts with each `Text` as the `str` in it; whatever is no sequence as it is."""
    if isinstance(texts, str) or not isinstance(cast("object", texts), Sequence):
        return cast("Sequence[str] | None", texts)
    return [one.text if isinstance(one, Text) else one for one in cast("Sequence[Any]", texts)]


def name_of(source: BulkSource) -> str:
    """Return a source as text; bytes of a path that are no text become question marks."""
    text = source.text if isinstance(source, Text) else os.fspath(source)
    return text.encode("utf-8", errors="replace").decode()


def _text_of(source: object) -> str:
    """Return a text as it was given; nothing for what is none."""
    given: object = source.text if isinstance(source, Text) else source
    return given if isinstance(given, str) else ""


def _is_path(source: object) -> TypeGuard[os.PathLike[str]]:
    return isinstance(source, os.PathLike)


def refuse_file_name(text: str, argument: str) -> None:
    """Refuse a text that is probably meant as a file: it would be billed as a text.

    Raises:
        InvalidArgumentError: It names a file that exists, or is one word that ends as media
            files do.
    """
    is_word = len(text.split()) == 1
    has_suffix = PurePosixPath(text.strip()).suffix.lower() in MEDIA_SUFFIXES
    if not (is_word and has_suffix) and not _is_file(text):
        return
    shown = text if len(text) < 200 else f"{text[:200]}..."  # noqa: PLR2004 - a line or two
    raise InvalidArgumentError(
        f"{shown!r} looks like a file name, but would be analysed as text; write "
        f"Path({shown!r}) to upload the file, or Text({shown!r}) to analyse these words",
        field=argument,
    )


def _is_file(text: str) -> bool:
    if len(text) > _LONGEST_NAME or "\n" in text or "\0" in text:
        return False
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that is too long, or a loop of links
        return False


def _refuse_half_characters(text: str, argument: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = repr_without_query(text)
    else:
        return
    raise InvalidArgumentError(
        f"a source holds characters that cannot be sent: {shown}", field=argument
    )
