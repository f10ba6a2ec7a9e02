"""Times in queries, as the live products take them.

Resources with filters by time call it.
"""

from __future__ import annotations

import datetime as dt

from humeai_async.errors import InvalidArgumentError


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
