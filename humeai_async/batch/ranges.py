"""Parts of a body: which part a response holds, and whether it is a part of the same body.

Two bodies that are mixed in one file are worse than none, so only a strong validator joins
them (RFC 9110, sections 8.8 and 13.1.5). It only reads headers; `downloads.py` asks it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from humeai_async._base.frozen import frozen

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_MINUTE = dt.timedelta(minutes=1)


@frozen
class Part:
    """The part of a body that a response holds."""

    start: int
    """First byte."""
    end: int
    """Byte after the last one."""
    total: int
    """Bytes of the whole body."""


@frozen
class Validators:
    """What names one state of a body."""

    tag: str | None = None
    """ETag, as it came."""
    modified: str | None = None
    """Last-Modified, as it came."""
    strong: str | None = None
    """The one of the two that no other state of the body has, if any."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        """Read the validators of a response."""
        tag, modified = headers.get("ETag"), headers.get("Last-Modified")
        strong = None
        if tag is not None and tag.startswith('"'):
            strong = tag
        elif tag is None and modified is not None and _is_strong(modified, headers.get("Date")):
            strong = modified
        return cls(tag, modified, strong)

    def agree_with(self, headers: Mapping[str, str]) -> bool:
        """Whether a part is surely of the same body; a server may ignore If-Range."""
        tag, modified = headers.get("ETag"), headers.get("Last-Modified")
        if self.strong is None or self.strong not in {tag, modified}:
            return False
        # The other one need not be repeated, but must not differ.
        return tag in {None, self.tag} and modified in {None, self.modified}


def _is_strong(modified: str, date: str | None) -> bool:
    """Whether a Last-Modified was old enough when it was sent to name one state only."""
    try:
        return parsedate_to_datetime(date or "") - parsedate_to_datetime(modified) >= _MINUTE
    except (ValueError, TypeError):  # no dates, or only one of them with a time zone
        return False


def read_part(headers: Mapping[str, str]) -> Part | None:
    """Read which part of a body a response holds; `None` where that is not clear."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None or is_encoded(headers):
        return None
    start, last, total = map(int, match.groups())
    length = headers.get("Content-Length", str(last + 1 - start))
    if not start <= last < total or length != str(last + 1 - start):
        return None
    return Part(start, last + 1, total)


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether a body is packed, so that its bytes are not those of the file."""
    return headers.get("Content-Encoding", "identity").lower() != "identity"
