"""Which errors every further call of the same kind would meet too.

What makes many calls, a bulk run or a recording window by window, ends with such an error.
"""

from __future__ import annotations

from http import HTTPStatus

from humeai_async.errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    GatewayUnsupportedError,
    HumeError,
    PermissionDeniedError,
)

_FATAL_ERRORS = (
    AuthenticationError,
    PermissionDeniedError,
    GatewayUnsupportedError,
    ClientClosedError,
    ConfigurationError,
)
_NO_CREDIT = "E0300"
"""Hume's code where an account has no credit left, with whatever status."""


def is_fatal(problem: HumeError) -> bool:
    """Whether every other call would meet an error too."""
    has_no_credit = problem.status == HTTPStatus.PAYMENT_REQUIRED or problem.code == _NO_CREDIT
    return has_no_credit or isinstance(problem, _FATAL_ERRORS)
