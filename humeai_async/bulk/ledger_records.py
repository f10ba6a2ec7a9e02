"""What a ledger remembers of a run: its sources, its pieces of work, and its counts.

The values that the pipeline, the searches and the ledger pass to one another, and the digests
that stand for a source and for a request. It knows no tables: those are in `storage.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import attrs

from humeai_async._base.frozen import frozen
from humeai_async.bulk.states import State, WorkState

KEY_SIZE = 12
"""Bytes that stand for a source."""
MARK_SIZE = 16
"""Bytes that stand for the content of a file, or the normal form of a URL."""
PART = "part"
"""Kind of a part of a source that is too large for one piece of work."""
WHOLE = "whole"
"""Kind of such a source: its piece of work costs nothing, and is there once all parts are."""


@frozen
class Entry:
    """What the ledger knows of one source."""

    key: bytes
    state: State
    work: int
    """Number of its piece of work in the ledger."""
    work_state: WorkState


@frozen(kw_only=True)
class Draft:
    """A piece of work that is about to be planned."""

    kind: str
    keys: tuple[bytes, ...]
    """Its sources, in the order in which they are sent."""
    marks: tuple[bytes, ...] = ()
    """What tells the content of each source, or nothing at all."""
    planned_ms: int
    """Milliseconds since 1970 by this machine's clock."""
    after_ms: int | None = None
    """Milliseconds since 1970, by the service's clock, after which it is carried out."""
    attempt: int = 1
    """How often its sources were sent together with this, as far as is known."""


@frozen(kw_only=True)
class Plan(Draft):
    """A piece of work that is planned."""

    number: int
    """Number in the ledger."""
    state: WorkState = WorkState.PLANNED
    sent_ms: int | None = None
    """When it was last sent, in milliseconds since 1970 by the service's clock, if known."""
    work_id: str | None = None
    """The service's name for it; `None` where it did not say, or not yet."""


@frozen
class Note:
    """A source whose outcome the consumer has."""

    key: bytes
    state: State
    reason: str | None = None


def _named(counts: Mapping[State, int]) -> str:
    return str({state.name.lower(): count for state, count in counts.items() if count})


@frozen
class RunStatus:
    """How many of a run's sources are in each state, and why some failed."""

    counts: Mapping[State, int] = attrs.field(repr=_named)
    """Sources in each state."""
    jobs: int
    """Pieces of work that are at the service."""
    reasons: Mapping[str, int]
    """Why sources failed, and how many, the most frequent first."""
    resubmitted: int = 0
    """Pieces of work that were sent again, since the service did not list the first one after a
    patient search. Should it have carried out both, both are paid for."""


def key_of(kind: str, source: str) -> bytes:
    """Return the digest that stands for a source."""
    # Names of files may hold bytes that are no text.
    text = f"{kind}\0{source}".encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=KEY_SIZE).digest()


def request_of(kind: str, marks: Iterable[bytes]) -> bytes:
    """Return the digest that stands for the sources of a piece of work, in any order."""
    text = b"\0".join((kind.encode(), *sorted(marks)))
    return hashlib.blake2b(text, digest_size=MARK_SIZE).digest()


def numbered(draft: Draft, number: int) -> Plan:
    """Return a draft as the plan that it becomes under a number."""
    return Plan(number=number, **attrs.asdict(draft, recurse=False))
