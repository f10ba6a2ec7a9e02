"""How sessions end: whether they are opened anew, and what their users are told.

Hume's own client sets the rule. Pure decisions; nothing here receives, opens or closes.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from humeai_async.errors import APIConnectionError, HumeError, SessionClosedError
from humeai_async.http.reconnect import describe, may_resume
from humeai_async.http.transport.websocket import NORMAL, Closed
from humeai_async.types.expression_messages import (
    CloseReason,
    SessionClosed,
    SessionError,
    SessionErrorCode,
)

ENDING: frozenset[Any] = frozenset(
    {SessionErrorCode.CONFIG_INVALID, SessionErrorCode.MESSAGE_TOO_LARGE}
)
"""Codes of errors that end a session whatever they say of it."""

UNTOLD = SessionError(message="it failed, and did not say why")
"""The error of a session that the service closed for one that it has not told."""


@define
class SessionReport:
    """What became of the frames of a session, over all of its connections.

    Once the session is over, each frame is either `measured` or `lost`.
    """

    sent: int = 0
    """Frames that went out, repeats included."""
    refused: int = 0
    """Frames that the service refused; those that were sent again are counted for each time."""
    measured: int = 0
    """Frames that the service took for good, each counted once; of video, those with a result."""
    lost: int = 0
    """Frames of which nothing is measured, and which are not sent again, each counted once."""
    replayed: int = 0
    """Frames that were sent again on a new connection, for each time."""
    connections: int = 0
    """Connections that were opened."""


def may_reopen(
    closed: Closed | SessionClosed,
    error: SessionError | None,
    *,
    was_closed: bool,
    resumes_failures: bool,
) -> bool:
    """Say whether a session may be opened anew; the one rule.

    Args:
        closed: The end of the connection, or the message that comes before it.
        error: The error that came before it, if one did.
        was_closed: Whether such a message came before this end, and left the session open.
        resumes_failures: Whether a session that ended with `internal_error` is opened anew.
    """
    if isinstance(closed, SessionClosed) and closed.reason == CloseReason.SERVER_SHUTDOWN:
        return True
    code = None if error is None else error.code
    if code in ENDING:
        return False
    if code == SessionErrorCode.INTERNAL_ERROR and resumes_failures:
        return True
    if isinstance(closed, SessionClosed):
        return False
    return was_closed or may_resume(closed.code)


def refusal_of(closed: Closed, error: SessionError | None) -> HumeError:
    """Return the error for a connection that ended before there was a session."""
    if error is None:
        return APIConnectionError(f"the session was closed at once: {describe(closed)}")
    message = f"the service opened no session: {error.message or error.code}"
    code = _code_of(error)
    if error.retryable is False:
        return SessionClosedError(message, code=code, close_code=closed.code, reason=closed.reason)
    return APIConnectionError(message, code=code)


def error_for_sender(end: Closed, error: SessionError | None) -> SessionClosedError:
    """Return the error for whoever sends to a session that is over."""
    if error is not None:
        why = str(error.message or error.code)
    else:
        why = end.reason or "closed" if end.code == NORMAL else describe(end)
    return SessionClosedError(
        f"the session is over ({why}); nothing was sent",
        code=_code_of(error),
        close_code=end.code,
        reason=end.reason,
    )


def error_for_receiver(end: Closed, error: SessionError | None, lost: int) -> SessionClosedError:
    """Return the error that ends an iteration.

    Args:
        end: The end of the last connection.
        error: The error that came before it, if one did.
        lost: Frames of which nothing is measured.
    """
    if error is not None:
        message = f"the service ended the session: {error.message or error.code}"
    else:
        message = f"the session was closed: {describe(end)}"
        if lost:
            message += f"; {lost} frames were not measured"
    return SessionClosedError(message, code=_code_of(error), close_code=end.code, reason=end.reason)


def _code_of(error: SessionError | None) -> str | None:
    return None if error is None or error.code is None else str(error.code)
