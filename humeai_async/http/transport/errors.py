"""What goes wrong below HTTP, told in the library's own errors.

It knows aiohttp's exceptions and the operating system's, and no request but for its method, its
endpoint and whether it was written. The pool and the WebSockets call it.
"""

from __future__ import annotations

import asyncio
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
from humeai_async.http.messages import Delivery, Request
from humeai_async.http.transport.bodies import UnpackError


class DroppedConnectionError(Exception):
    """The connection broke while a response was awaited."""


class UnsolicitedDataError(Exception):
    """The server sent data on each idle connection that was to be had."""


_UNCONNECTED = (
    UnsolicitedDataError,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
"""What comes before anything is sent."""


_NETWORK = (aiohttp.ClientError, OSError, DroppedConnectionError, UnpackError)
"""What may come from the network; `TimeoutError` is an `OSError`."""


def explain(problem: BaseException, request: Request, *, is_closed: bool) -> BaseException:
    """Return what is raised in place of an exception from below, without the frames of that.

    Args:
        problem: Whatever came out of aiohttp.
        request: What was on its way.
        is_closed: Whether the client was closed meanwhile.
    """
    if _is_thrown_away(problem):
        return GeneratorExit()
    # `asyncio.timeout` makes a cancellation the cause of the error that its user sees.
    problem.__cause__ = problem.__context__ = None
    problem = problem.with_traceback(None)
    is_ours = isinstance(problem, HumeError)
    is_cancelled = isinstance(problem, asyncio.CancelledError) and not (
        is_closed and _is_cancelled_by_pool()
    )
    if is_ours or is_cancelled or not isinstance(problem, (Exception, asyncio.CancelledError)):
        return problem
    about: dict[str, Any] = {"method": request.method, "endpoint": request.label}
    is_unknown = request.delivery is not Delivery.NOT_SENT
    if is_closed:
        return client_closed(outcome_unknown=is_unknown, **about)
    if isinstance(problem, _UNCONNECTED):
        return _unconnected(problem, about, request.host)
    if isinstance(problem, _NETWORK):
        return _unanswered(problem, about, request.host, is_unknown=is_unknown)
    kind = type(problem).__name__
    message = f"the HTTP library failed on this request, for no known reason: {kind}"
    return APIConnectionError(message, outcome_unknown=is_unknown, **about)


def _is_thrown_away(problem: BaseException | None) -> bool:
    """Whether the call goes on no more: its event loop was closed, and nobody waits for it.

    What cleans up then may fail, for it has no event loop either.
    """
    while problem is not None and not isinstance(problem, GeneratorExit):
        problem = problem.__context__
    return problem is not None


def _is_cancelled_by_pool() -> bool:
    """Whether a cancellation comes from a pool that closed, and not from the caller.

    Closing its pool, aiohttp cancels whoever waits there for a free connection. Let through,
    that would end the caller's task without a word.
    """
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


def _unconnected(problem: Exception, about: dict[str, Any], host: str) -> HumeError:
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
        kind = TLSError if _is_permanent(problem) else APIConnectionError
        return kind(f"could not connect to {where}: {system_reason(problem)}", **about)
    if isinstance(problem, UnsolicitedDataError):
        return APIConnectionError("the server sent data on an idle connection", **about)
    return APITimeoutError(f"the connection to {host} was not made in time", **about)


def _unanswered(
    problem: Exception, about: dict[str, Any], host: str, *, is_unknown: bool
) -> HumeError:
    """Explain a response that did not come: the request, if sent, may have been carried out."""
    if not is_unknown:
        reason = f"the connection broke before the request was sent: {_reason(problem)}"
        return APIConnectionError(reason, **about)
    if isinstance(problem, TimeoutError):
        message = f"the server {host} did not go on with its response in time"
        return APITimeoutError(message, outcome_unknown=True, **about)
    message = f"the connection broke before the response was complete: {_reason(problem)}"
    return APIConnectionError(message, outcome_unknown=True, **about)


def _reason(problem: Exception) -> str:
    """Say why a response did not come, without aiohttp's words."""
    if isinstance(problem, (aiohttp.ClientPayloadError, UnpackError)):
        return "the body was cut off or cannot be unpacked"
    if isinstance(problem, aiohttp.ClientResponseError):
        return (
            "the response is not HTTP, or it has a header of more than 8,190 bytes, or more than "
            "128 headers; if the server speaks TLS, the base URL must begin with https://"
        )
    if isinstance(problem, DroppedConnectionError):
        return str(problem)
    return system_reason(problem)


def system_reason(problem: Exception) -> str:
    """Return the operating system's words for an error; aiohttp's own may hold the URL."""
    if isinstance(problem, aiohttp.ClientConnectorError):
        is_lookup = isinstance(problem, aiohttp.ClientConnectorDNSError)
        problem = _cause_of(problem)
        if isinstance(problem, SSLCertVerificationError):
            return _certificate_error(problem)
        if isinstance(problem, SSLError) and problem.reason in _NO_TLS:
            return "it does not speak TLS, so the URL must begin with http:// or name another port"
        if is_lookup and isinstance(problem, OSError):  # resolvers have numbers of their own
            return f"its name could not be resolved ({problem.strerror or 'no reason given'})"
        if isinstance(problem, (gaierror, SSLError)):  # their numbers are their own
            return problem.strerror or "TLS failed"
    if isinstance(problem, OSError) and problem.errno:
        return os.strerror(problem.errno)
    return "closed by the server"


def _cause_of(problem: aiohttp.ClientConnectorError) -> Exception:
    """Return what the operating system, OpenSSL or a resolver said of a failed connection."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return problem.certificate_error
    return problem.os_error


_NO_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
"""OpenSSL's words, by its versions, for a response that is no TLS."""


def _is_permanent(problem: aiohttp.ClientConnectorError) -> bool:
    """Whether it is of no use to connect again: what a server is does not pass."""
    cause = _cause_of(problem)
    is_refused = isinstance(cause, SSLCertVerificationError)
    return is_refused or (isinstance(cause, SSLError) and cause.reason in _NO_TLS)


_UNKNOWN_AUTHORITY = {18, 19, 20, 21}
"""OpenSSL's numbers for a certificate whose issuer is not among those that are trusted."""


def _certificate_error(problem: SSLCertVerificationError) -> str:
    """Say why a server's certificate is refused, and what to do about it."""
    reason = f"its certificate is refused: {problem.verify_message}"
    if problem.verify_code not in _UNKNOWN_AUTHORITY:
        return reason
    return (
        f"{reason}. For a certificate authority of your own pass "
        "Pool(ssl=ssl.create_default_context(cafile=...)), or set SSL_CERT_FILE"
    )


def client_closed(**about: Any) -> ClientClosedError:
    """Return the error of whatever is done with a closed client."""
    return ClientClosedError("the client is closed; build a new one", **about)
