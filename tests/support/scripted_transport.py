"""`ScriptedTransport`: answers from a list, without a socket.

It stands in for the transport below a session, so that what the session decides can be
tested to the byte and in no time. It knows requests and answers, no endpoint; tests build
sessions on it.
"""

from __future__ import annotations

import inspect
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

from humeai_async.http.messages import Delivery, Request, Response

Reply: TypeAlias = Response | BaseException | Callable[[Request], Response | Awaitable[Response]]
"""One thing to happen: an answer, an error to raise, or a function that makes either."""

_PIECE = 7


class ScriptedTransport:
    """Does one step of its script for each request, and keeps the requests.

    ```python
    transport = ScriptedTransport(Response(429, {"retry-after": "2"}, b""), json_answer(b"{}"))
    session = Session(Direct(api_key="key"), transport, Limiter())
    ```
    """

    def __init__(self, *script: Reply, otherwise: Reply | None = None) -> None:
        """Make a transport.

        Args:
            script: What happens, request by request.
            otherwise: What happens after the last step; an error if left out.
        """
        self.otherwise = otherwise
        self.script: deque[Reply] = deque(script)
        """What is still to happen; may be added to at any time."""
        self.requests: list[Request] = []
        """Every request, in order."""
        self.timeouts: list[object] = []
        """The timeout of every request."""
        self.is_closed: bool = False

    async def open(self, request: Request, timeout: object) -> ScriptedResponse:
        """Do the next step, and give its body in small pieces.

        Raises:
            AssertionError: The script is at its end.
        """
        return ScriptedResponse(await self.next_response(request, timeout))

    async def open_socket(self, request: Request, timeout: object) -> Response:
        """Do the next step, which refuses the socket with its response."""
        return await self.next_response(request, timeout)

    async def next_response(self, request: Request, timeout: object) -> Response:
        """Do the next step.

        Raises:
            AssertionError: The script is at its end.
        """
        self.requests.append(request)
        self.timeouts.append(timeout)
        request.delivery = Delivery.UNKNOWN
        step = self.script.popleft() if self.script else self.otherwise
        assert step is not None, f"no step is left for {request.method} {request.label}"
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, Response):
            return step
        made = step(request)
        return await made if inspect.isawaitable(made) else made

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.is_closed = True


class ScriptedResponse:
    """A response that comes piece by piece."""

    def __init__(self, response: Response) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._body = response.body

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def read(self) -> bytes:
        """Return the whole body."""
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body in pieces."""
        for start in range(0, len(self._body), _PIECE):
            yield self._body[start : start + _PIECE]


def json_answer(
    body: bytes = b"{}", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Make an answer.

    Args:
        body: JSON text.
        status: HTTP status.
        headers: Further headers, names in lower case.
    """
    return Response(status, {"content-type": "application/json", **(headers or {})}, body)


def reply_json(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Make an answer of plain JSON objects; see `json_answer`."""
    return json_answer(json.dumps(value).encode(), status, headers)


def query_of(request: Request) -> list[tuple[str, str]]:
    """Return the query of a request, in order."""
    return parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
