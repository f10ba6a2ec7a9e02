"""Which sources the command line names: URLs, files, folders and lists of them.

It knows no command and no run. The commands that run sources call it.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from humeai_async._base.frozen import frozen
from humeai_async.cli.output import escape_controls, print_message
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.sources import MEDIA_SUFFIXES, BulkSource, is_url

STANDARD_INPUT = "-"

_SHOWN = 200
"""Characters of a name in a message."""
_KINDS = 5
"""Kinds of other files that are named."""
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL})
"""Errors that say that a name belongs to no file."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@frozen
class Wanted:
    """The files of folders that are sources."""

    suffixes: frozenset[str]
    """Endings of their names, in lower case."""
    name: str
    """What they are called."""


IMAGE_SUFFIXES = frozenset({".jpeg", ".jpg"})
"""File name endings of images that are measured."""
_SOUND_SUFFIXES = MEDIA_SUFFIXES - {
    ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".txt", ".webp", ".zip",
}  # fmt: skip
"""File name endings of media that have a sound track."""

MEDIA = Wanted(MEDIA_SUFFIXES, "media files")
RECORDINGS = Wanted(_SOUND_SUFFIXES, "recordings")
RECORDINGS_AND_IMAGES = Wanted(_SOUND_SUFFIXES | IMAGE_SUFFIXES, "recordings and JPEG images")


def collect_files(
    arguments: Iterable[str], listed: str | None, wanted: Wanted = RECORDINGS
) -> list[Path]:
    """Find all files that the command line names; else as `collect_sources`.

    Raises:
        InvalidArgumentError: One of them is a URL, too.
    """
    found: list[Path] = []
    for source in collect_sources(arguments, listed, wanted):
        if not isinstance(source, Path):
            raise _refusal(str(source), "URLs are not fetched here: name a file")
        found.append(source)
    return found


def collect_sources(
    arguments: Iterable[str], listed: str | None, wanted: Wanted = MEDIA
) -> Iterator[BulkSource]:
    """Find all sources that the command line names.

    Args:
        arguments: URLs, files, folders, and `-` for a list on standard input.
        listed: File with a source a line, or `-`.
        wanted: The files of folders that are sources.

    Raises:
        InvalidArgumentError: There are none, or one cannot be found or read.
    """
    names: list[str] = []
    for argument in arguments:
        names += _read_list(argument) if argument == STANDARD_INPUT else [argument]
    if listed is not None:
        names += _read_list(listed)
    if not names:
        raise InvalidArgumentError(
            "no sources: pass URLs, files or folders, or a list with --from FILE or -",
            field="sources",
        )
    for name in names:
        yield from _expand(name, wanted)


def _read_list(name: str) -> list[str]:
    """Read a list of sources, one a line; empty lines and those with # are passed over."""
    shown = "standard input" if name == STANDARD_INPUT else _shorten(name)
    try:
        content = _read_bytes(name)
        # What Windows programs write begins with a mark that says how.
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except ValueError:  # a name with a null character, a stream that is closed
        reason = "it cannot be opened"
    else:
        # Not by splitlines: names may hold the further separators of Unicode.
        lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
        return [line for line in lines if line and not line.startswith("#")]
    raise InvalidArgumentError(f"cannot read {shown}: {reason}", field="from")


def _read_bytes(name: str) -> bytes:
    if name != STANDARD_INPUT:
        return Path(name).read_bytes()
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # so it is where closed
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read()


def _expand(name: str, wanted: Wanted) -> Iterator[BulkSource]:
    if is_url(name):
        yield name
        return
    path = Path(name)
    mode = _mode_of(name)
    if stat.S_ISDIR(mode):
        yield from _files_of(name, path, wanted)
    elif stat.S_ISREG(mode):
        yield path
    else:
        raise _refusal(name, "it is neither a regular file nor a folder")


def _files_of(name: str, folder: Path, wanted: Wanted) -> list[Path]:
    """Return the files of a folder that are sources, and say which others there are."""
    there = sorted(path for path in _files_below(folder) if not path.name.startswith("."))
    files = [path for path in there if _is_media(path, wanted.suffixes)]
    if not files:
        raise _refusal(name, f"the folder holds no {wanted.name}")
    known = {*files}
    endings = [path.suffix.lower() or path.name for path in there if path not in known]
    if endings:
        kinds = sorted({*endings})
        more = ", ..." if len(kinds) > _KINDS else ""
        print_message(
            f"passed over {len(endings)} of {len(there)} files in {_shorten(name)} "
            f"({', '.join(kinds[:_KINDS])}{more}), for {wanted.name} are wanted"
        )
    return files


def _mode_of(name: str) -> int:
    try:
        if name:
            return os.stat(name).st_mode  # noqa: PTH116 - an empty name is no path
    except OSError as problem:
        if problem.errno not in NOT_THERE:
            raise _refusal(name, problem.strerror or type(problem).__name__) from None
    except ValueError:  # a null character
        pass
    raise _refusal(name, "it is not an http or https URL, and there is no such file or folder")


def _files_below(folder: Path) -> Iterator[Path]:
    """Find all files in a folder and those inside it.

    Raises:
        InvalidArgumentError: A folder cannot be read: a run must not pass over it in silence.
    """

    def refuse(problem: OSError) -> None:
        reason = problem.strerror or type(problem).__name__
        raise _refusal(str(problem.filename), reason)

    for place, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            yield Path(place, name)


def _is_media(path: Path, suffixes: Collection[str]) -> bool:
    return path.suffix.lower() in suffixes and path.is_file()


def _refusal(name: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"cannot use {_shorten(name)}: {reason}", field="sources")


def _shorten(name: str) -> str:
    text = escape_controls(name)
    return repr(text) if len(text) <= _SHOWN else repr(text[:_SHOWN]) + "..."
