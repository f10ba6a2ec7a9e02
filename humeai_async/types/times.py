"""Times of the service as Python's own, in UTC.

Hume writes times as milliseconds since 1970, its newest products in RFC 3339. The fields keep
what came; properties beside them give it as a `datetime`. `as_rfc3339` goes the other way.
"""

from __future__ import annotations

import datetime as dt

from humeai_async.errors import InvalidArgumentError

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def from_milliseconds(milliseconds: int | None) -> dt.datetime | None:
    """Return a time as a `datetime` in UTC.

    Args:
        milliseconds: Milliseconds since 1970.

    Returns:
        `None` if there is none, or if it is beyond what Python can tell (year 9999).
    """
    if milliseconds is None:
        return None
    try:
        return _EPOCH + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def from_rfc3339(text: str | None) -> dt.datetime | None:
    """Return a time as a `datetime` in UTC; `None` if there is none or it cannot be read."""
    try:
        time = dt.datetime.fromisoformat(text or "")
        return time.replace(tzinfo=time.tzinfo or dt.UTC).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def as_rfc3339(name: str, value: dt.datetime | str | None) -> str | None:
    """Write a time as RFC 3339; a text stays as it is.

    Raises:
        InvalidArgumentError: It has no time zone, and nobody knows which one is meant.
    """
    if not isinstance(value, dt.datetime):
        return value
    if value.tzinfo is None:
        raise InvalidArgumentError(
            f"{name} needs a time zone, such as datetime.now(tz=UTC)", field=name
        )
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
