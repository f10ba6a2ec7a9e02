"""How a shared quota stands, as its server has it; for people who look.

Read from the keys that `scripts.py` writes; it changes nothing and knows no network.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

from humeai_async._base.frozen import frozen
from humeai_async.limiter.turns import SHARE_SECONDS
from humeai_async.shared.lessons import read_lesson
from humeai_async.shared.scripts import as_text

RECENT: Final = 10.0
"""Seconds after its last turn for which a member is shown."""


@frozen(kw_only=True)
class MemberShare:
    """A process that shares a quota."""

    name: str
    """Host, process id and a random part."""
    share: float
    """Calls a second that it has taken lately."""
    idle_for: float
    """Seconds since its last turn."""


@frozen(kw_only=True)
class BucketShares:
    """One bucket of a shared quota: a credential's product."""

    name: str
    """Digest of the credential and name of the product."""
    rate: float | None
    """Calls a second of all together: the lowest that was declared in the last ten seconds, else
    what all have learned; `None` where neither is known."""
    window: float | None
    """Seconds of the quota's window, where one was found; a declared quota has none."""
    members: tuple[MemberShare, ...]
    """Who took turns in the last ten seconds, those with the greatest share first."""
    paused_for: float
    """Seconds until a call may go again: the service's quota is used up."""
    pauses: int
    """Number of pauses so far."""
    holder: str | None
    """The member that tries alone whether the quota is open again, in a pause."""


def read_bucket(name: str, found: Any) -> BucketShares | None:
    """Read what the server holds of a bucket; `None` if nobody has used it for an hour."""
    now, line, rates, gate, shares, (pace, text) = found
    if line is None:
        return None
    at = float(now)
    closed = _pairs(gate)
    probing = float(closed.get("probing", 0)) - at
    members = [_member(who, text, at) for who, text in _pairs(shares).items()]
    declared = [float(as_text(one).split()[0]) for one in rates]
    lesson = read_lesson(as_text(text or ""))
    if not declared and lesson is not None and lesson.is_known:
        declared = [float(pace)]
    return BucketShares(
        name=name,
        rate=min(declared, default=None),
        window=None if lesson is None else lesson.window,
        members=tuple(
            sorted((one for one in members if one.idle_for <= RECENT), key=lambda one: -one.share)
        ),
        paused_for=max(0.0, float(closed.get("until", 0)) - at),
        pauses=int(closed.get("pauses", 0)),
        holder=closed.get("prober") if probing > 0 else None,
    )


def _member(name: str, text: str, now: float) -> MemberShare:
    had, at = map(float, text.split())
    idle_for = max(0.0, now - at)
    share = had * math.exp(-idle_for / SHARE_SECONDS) / SHARE_SECONDS
    return MemberShare(name=name, share=share, idle_for=idle_for)


def _pairs(given: Any) -> dict[str, str]:
    """Return a hash, which a script returns as a list, or a newer protocol as a mapping."""
    if isinstance(given, dict):
        mapping = cast("dict[bytes | str, bytes | str]", given)
        return {as_text(name): as_text(value) for name, value in mapping.items()}
    texts = [as_text(one) for one in given]
    return dict(zip(texts[::2], texts[1::2], strict=True))
