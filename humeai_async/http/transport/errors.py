"""What goes wrong below HTTP, told in the library's own errors.

It knows aiohttp's exceptions and the operating system's, and no request but for its method and
endpoint. The pool and the WebSockets call it.
"""

from __future__ import annotations

import os
from socket import gaierror
from ssl import SSLCertVerificationError, SSLError
from typing import Any

import aiohttp

from humeai_async.errors import (
    APIConnectionError,
    APITimeoutError,
    ClientClosedError,
    HumeError,
    InvalidArgumentError,
    TLSError,
)


class DroppedConnectionError(Exception):
    """The connection broke while an answer was awaited."""


class UnsolicitedDataError(Exception):
    """Only such connections were to be had as something came on that nobody had asked for."""


UNCONNECTED = (
    UnsolicitedDataError,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""What comes before anything is sent."""


NETWORK = (aiohttp.ClientError, OSError, DroppedConnectionError)
"""What may come from below; `TimeoutError` is an `OSError`."""


def is_unsent(problem: BaseException) -> bool:
    """Whether a request that an exception ended was surely not sent."""
    return bool(vars(problem).get(UNSENT)) or came_while_connecting(problem)


def came_while_connecting(problem: BaseException) -> bool:
    """Whether an exception came while a request waited for a connection.

    Its traceback tells, or that of its cause: to watch every request on its way would cost
    every request time.
    """
    trace = problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == aiohttp.connector.__name__:
            return True
        trace = trace.tb_next
    return problem.__cause__ is not None and came_while_connecting(problem.__cause__)


UNSENT = "humeai_unsent"


def unconnected(problem: Exception, about: dict[str, Any]) -> HumeError:
    """Explain a connection that was never made: nothing was sent."""
    if isinstance(problem, aiohttp.InvalidURL):
        return InvalidArgumentError("the URL cannot be used", field="base_url")
    if isinstance(problem, aiohttp.ClientHttpProxyError):
        reason = f"the proxy did not let the call through: status {problem.status}"
        return APIConnectionError(reason, **about)
    if isinstance(problem, aiohttp.ClientConnectorError):
        where = f"{problem.host}:{problem.port}"
        if isinstance(problem, aiohttp.ClientProxyConnectionError):
            where = "the proxy"  # the address that aiohttp names is the server's
        kind = TLSError if _is_for_good(problem) else APIConnectionError
        return kind(f"could not connect to {where}: {system_reason(problem)}", **about)
    if isinstance(problem, UnsolicitedDataError):
        return APIConnectionError("the server speaks before it is asked", **about)
    return APITimeoutError("the connection was not made in time", **about)


def unanswered(problem: Exception, about: dict[str, Any]) -> HumeError:
    """Explain an answer that did not come: the request, if sent, may have been carried out."""
    if is_unsent(problem):
        reason = f"the connection broke before the request was sent: {_reason(problem)}"
        return APIConnectionError(reason, **about)
    if isinstance(problem, aiohttp.ClientResponseError) and _TLS_ALERT in problem.message:
        # Not a byte of the request can have been understood.
        return TLSError("the server speaks TLS: the base URL must begin with https://", **about)
    if isinstance(problem, TimeoutError):
        message = "the server did not go on answering in time"
        return APITimeoutError(message, outcome_unknown=True, **about)
    message = f"the connection broke before the answer was complete: {_reason(problem)}"
    return APIConnectionError(message, outcome_unknown=True, **about)


_TLS_ALERT = r"b'\x15\x03"
"""How aiohttp shows an answer that is no HTTP, but what a server with TLS says to that."""


_HEADERS_TOO_LARGE = ("Got more than", "Too many headers")
"""How aiohttp's words begin where the headers of an answer exceed its bounds."""


def _reason(problem: Exception) -> str:
    """Say why an answer did not come, without aiohttp's words."""
    if isinstance(problem, aiohttp.ClientPayloadError):
        return "the body was cut off or cannot be unpacked"
    if isinstance(problem, aiohttp.ClientResponseError):
        if problem.message.startswith(_HEADERS_TOO_LARGE):
            return "it has a header of more than 8,190 bytes, or more than 128 headers"
        return "the answer is not HTTP"
    if isinstance(problem, DroppedConnectionError):
        return str(problem)
    return system_reason(problem)


def system_reason(problem: Exception) -> str:
    """Return the operating system's words for an error; aiohttp's own may hold the URL."""
    if isinstance(problem, aiohttp.ClientConnectorError):
        problem = problem.os_error
        if isinstance(problem, SSLCertVerificationError):
            return _mistrust(problem)
        if isinstance(problem, SSLError) and problem.reason in _NO_TLS:
            return "it does not speak TLS, so the URL must begin with http:// or name another port"
        if isinstance(problem, (gaierror, SSLError)):  # their numbers are their own
            return problem.strerror or "TLS failed"
    if isinstance(problem, OSError) and problem.errno:
        return os.strerror(problem.errno)
    return "closed by the server"


_NO_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
"""OpenSSL's words, by its versions, for an answer that is no TLS."""


def _is_for_good(problem: aiohttp.ClientConnectorError) -> bool:
    """Whether it is of no use to connect again: what a server is does not pass."""
    cause = problem.os_error
    is_refused = isinstance(cause, SSLCertVerificationError)
    return is_refused or (isinstance(cause, SSLError) and cause.reason in _NO_TLS)


_UNKNOWN_AUTHORITY = {18, 19, 20, 21}
"""OpenSSL's numbers for a certificate whose issuer is not among those that are trusted."""


def _mistrust(problem: SSLCertVerificationError) -> str:
    """Say why a server's certificate is refused, and what to do about it."""
    said = f"its certificate is refused: {problem.verify_message}"
    if problem.verify_code not in _UNKNOWN_AUTHORITY:
        return said
    return (
        f"{said}. For a certificate authority of your own pass "
        "Pool(ssl=ssl.create_default_context(cafile=...)), or set SSL_CERT_FILE"
    )


def client_closed(**about: Any) -> ClientClosedError:
    """Return the error of whatever is done with a closed client."""
    return ClientClosedError("the client is closed; build a new one", **about)
