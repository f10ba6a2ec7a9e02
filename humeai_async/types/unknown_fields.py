"""Objects of the service that keep what this library does not know yet.

`Open` is the base of such classes: keys that are no field of theirs are kept in `extra` and
written back. It knows nothing of JSON; the converter fills and empties it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field

from humeai_async._base.frozen import frozen


def _nothing() -> dict[str, Any]:
    return {}


@frozen(kw_only=True, slots=False)
class Open:
    """Keys that came with an object and are no field of its class."""

    extra: Mapping[str, Any] = field(factory=_nothing, repr=False, hash=False)
    """Members that this version of the library does not know, as plain JSON values."""
