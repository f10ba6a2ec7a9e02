"""The middleware that puts headers on a request, sends it once, and notes when.

It is all there is between this library and aiohttp's own sending. The transport hangs it on each
request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import aiohttp
from aiohttp.connector import Connection

from humeai_async.http.deadlines import StallLimit
from humeai_async.http.messages import Delivery, Request
from humeai_async.http.transport.errors import (
    DroppedConnectionError,
    UnsolicitedDataError,
    system_reason,
)

_Send: TypeAlias = Callable[[Connection], Awaitable[aiohttp.ClientResponse]]
_MOST_SKIPPED = 4
"""Connections that are given up for one request, so that a server which always sends first does
not keep it for ever."""


async def watch_sending(
    request: Request,
    limit: StallLimit | None,
    sent: aiohttp.ClientRequest,
    handler: aiohttp.ClientHandlerType,
) -> aiohttp.ClientResponse:
    """Put headers on a request and send it once; its limit runs from its first byte on.

    On a stale connection aiohttp sends GET and DELETE again by itself, without telling, for two
    classes of errors; ours is neither. The session decides about repeats, counts them and paces
    them.
    """
    # Here they replace aiohttp's own in one step. Given to it before, they are merged one by one.
    sent.headers.update(request.signed_headers())
    is_watched = _watch_connection(request, limit, sent)
    skipped = 0
    try:
        while True:
            try:
                return await handler(sent)
            except UnsolicitedDataError:
                skipped += 1
                if skipped == _MOST_SKIPPED:
                    raise
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        request.delivery = Delivery.NOT_SENT
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as problem:
        raise DroppedConnectionError(system_reason(problem)) from problem
    finally:
        if is_watched:
            del sent.send  # or the request would hold itself in memory


def _watch_connection(
    request: Request, limit: StallLimit | None, sent: aiohttp.ClientRequest
) -> bool:
    """Look at the connection that a request is given, before it is written there.

    What comes on an idle connection, be it the rest of a body longer than was said, aiohttp
    takes for the response to the next request, and each response after it for that of the
    request one later: https://github.com/aio-libs/aiohttp/issues/13656. Such a connection is
    dropped, and another one used. aiohttp has no public place to look at it from, so its `send`
    is replaced, for this one request. Where there is no such method the request counts as written
    from the start, for then nobody knows.

    The first half of this goes with the release of aiohttp that mends it.

    Returns:
        Whether `send` was replaced.
    """
    send: _Send | None = getattr(sent, "send", None)
    if send is None:
        request.delivery = Delivery.UNKNOWN
        if limit is not None:
            limit.start()
        return False

    def send_once(connection: Connection) -> Awaitable[aiohttp.ClientResponse]:
        protocol = connection.protocol
        if protocol is not None and protocol.should_close:
            raise UnsolicitedDataError
        request.delivery = Delivery.UNKNOWN
        if limit is not None:
            limit.start()
        return send(connection)

    sent.send = send_once  # type: ignore[method-assign,assignment]  # it is awaited alone
    return True
