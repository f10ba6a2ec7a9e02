"""`MockTransport`: a function in place of the network, for tests without a server.

Pacing, retries, envelopes and decoding all run above it, as they do above a socket. `FakeHume`
knows what Hume does; here the test says everything itself. It knows no endpoint.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from humeai_async.errors import ConfigurationError
from humeai_async.http.messages import Delivery, Request, Response
from humeai_async.http.transport.handed_in import BufferedResponse
from humeai_async.settings import Timeout

MockReply: TypeAlias = Response | tuple[int, Any] | dict[str, Any] | list[Any]
"""A `Response`, a status and a JSON value, or a JSON value with status 200."""
MockHandler: TypeAlias = Callable[[Request], MockReply | Awaitable[MockReply]]
"""What a test gives: it makes a reply of a request, perhaps asynchronously."""

_JSON = {"content-type": "application/json"}


class MockTransport:
    """Gives each request to a function, and its reply to the client.

    ```python
    def handler(request):
        assert request.path == "/v0/batch/jobs"
        return 429, {"message": "slow down"}

    hume = HumeAI(api_key="key", transport=MockTransport(handler))
    ```

    The function sees method, `path`, `query`, `headers` and `json()` of the request; the
    credential is in `request.signed()` alone, the URL and the headers as they would be sent. It
    returns `(status, json)`, a dict or list with status 200, or a whole
    `Response(status, headers, body)`. An `OSError` that it raises is a connection that broke, a
    `TimeoutError` one that stays silent; any other exception reaches the caller as it is.

    Args:
        handler: The function; it may be asynchronous.

    Raises:
        ConfigurationError: It cannot be called.
    """

    def __init__(self, handler: MockHandler) -> None:
        if not callable(cast("object", handler)):
            kind = type(handler).__name__
            raise ConfigurationError(f"MockTransport takes a function of a request, not {kind}")
        self._handler = handler
        self.requests: list[Request] = []
        """Every request, in order; repeats by the client are requests of their own."""
        self.is_closed: bool = False
        """Whether the client was closed."""

    async def open(self, request: Request, timeout: Timeout) -> BufferedResponse:
        """Give a request to the function.

        Raises:
            TypeError: It returned something that is no reply.
        """
        del timeout  # nothing here takes time
        response = await self._reply_to(request)
        return BufferedResponse(response.status, response.headers, response.body)

    async def open_socket(self, request: Request, timeout: Timeout) -> Response:
        """Give the handshake of a WebSocket to the function, whose reply refuses it."""
        del timeout
        return await self._reply_to(request)

    async def aclose(self) -> None:
        """Note that the client was closed."""
        self.is_closed = True

    async def _reply_to(self, request: Request) -> Response:
        self.requests.append(request)
        request.delivery = Delivery.UNKNOWN
        made = self._handler(request)
        return _as_response(await made if inspect.isawaitable(made) else made)


def _as_response(reply: object) -> Response:
    if isinstance(reply, Response):
        return reply
    if isinstance(reply, (dict, list)):
        reply = 200, cast("object", reply)
    match cast("Any", reply):
        case (int(status), value):
            return Response(status, _JSON, json.dumps(value).encode())
        case _:
            kind = type(reply).__name__
            raise TypeError(
                f"a handler returns (status, json), a dict, a list or a Response, not {kind}"
            )
