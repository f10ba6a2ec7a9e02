"""What users give as recordings of any length: a path, bytes, or an `Upload` of either.

It looks at a file before anything is read of it. Nothing here knows an endpoint.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.messages import Upload
from humeai_async.http.multipart import File, as_part, read_first, read_whole
from humeai_async.media.formats import HEAD, NO_SOUND, Kind, kind_of


@frozen
class Recording:
    """A recording that can be read from its start."""

    source: bytes | Path = field(repr=False)
    is_headerless: bool = False
    """Whether it is raw samples: 16 bit, 16 kHz, mono, low byte first."""
    channel: int | None = None
    """Index of the one channel to keep; all are mixed if left out."""
    converts: bool = True
    """Whether sound of another form is converted; otherwise it cannot be read."""


async def read_recording(
    file: File,
    *,
    is_headerless: bool = False,
    channel: int | None = None,
    argument: str = "source",
    code: str | None = None,
) -> Recording:
    """Find out what a user has given.

    Args:
        file: A path, bytes, an open file, or an `Upload` of one of these.
        is_headerless: Whether it is raw samples.
        channel: Index of the one channel to keep.
        argument: Argument that it was given in, for errors.
        code: The service's code for what it does not take.

    Raises:
        InvalidArgumentError: It cannot be read, or is no recording.
    """
    if channel is not None and (type(channel) is not int or channel < 0):
        raise InvalidArgumentError(
            f"channel must be a number from 0, not {channel!r}", field="channel"
        )
    content: object = file.content if isinstance(file, Upload) else file
    part = await as_part(file, argument=argument, largest=1 << 62)
    if isinstance(content, (str, os.PathLike)):
        source: bytes | Path = Path(cast("str", content))
        head = await read_first(part, HEAD)
    else:
        source = await read_whole(part)
        head = source[:HEAD]
    kind = kind_of(head)
    is_raw = kind is Kind.UNKNOWN
    if kind in NO_SOUND or is_raw != is_headerless:
        hint = "; for raw 16-bit 16 kHz mono samples pass is_headerless=True" if is_raw else ""
        raise InvalidArgumentError(
            f"the recording is {kind}{hint}", field=argument, code=code, param="file"
        )
    return Recording(source, is_headerless, channel)
