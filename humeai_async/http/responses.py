"""A response as users of `HumeAI.request` get it.

Everything else works with the `Response` that it is.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from humeai_async.http.codec import parse
from humeai_async.http.messages import Response


@define
class RawResponse(Response):
    """One response as Hume gave it: no envelope, Hume's own headers where they are known."""

    def json(self) -> Any:
        """Return the body as plain JSON objects.

        Raises:
            DecodeError: It is not JSON.
        """
        return parse(self.body)
