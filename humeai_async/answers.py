"""An answer with its envelope taken off.

Origins make it of what came, whatever the service wrote around it. How a bad one becomes an
error is in `failures.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from attrs import field

from humeai_async.frozen import frozen

NOT_FOUND = 404
METHOD_NOT_ALLOWED = 405


class Sender(enum.Enum):
    """Who wrote an answer."""

    HUME = enum.auto()
    GATEWAY = enum.auto()
    """The gateway itself: it refused the token or could not reach Hume."""
    ROUTER = enum.auto()
    """The web framework before the gateway: it knows no such path."""
    UNKNOWN = enum.auto()
    """The gateway or Hume; the answer does not say."""


@frozen
class Answer:
    """One answer as Hume gave it: no envelope, Hume's own headers where they are known."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sender: Sender = Sender.HUME

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the classes of HTTP

    @property
    def is_no_route(self) -> bool:
        """Whether it says that there is no such path, rather than no such thing."""
        return self.sender is Sender.ROUTER and self.status in {NOT_FOUND, METHOD_NOT_ALLOWED}

    def json(self) -> Any:
        """Return the body as plain JSON objects.

        Raises:
            DecodeError: It is not JSON.
        """
        from humeai_async.codec import parse

        return parse(self.body)
