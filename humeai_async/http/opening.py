"""A client's session, put together when its first call is near.

With it come the modules that make a call: the import of the package and the building of a client
do without them. The client calls it.
"""

from __future__ import annotations

from typing import Any

from humeai_async.http import oauth
from humeai_async.http.calls import Shared
from humeai_async.http.observing import Observer, Observers
from humeai_async.http.origins import Origin
from humeai_async.http.session import Session

__all__ = ["open_session"]


def open_session(
    *,
    origin: Origin,
    observers: tuple[Observer, ...],
    has_warned_of_sunset: bool,
    **settings: Any,
) -> Session:
    """Build what makes a client's calls.

    Args:
        origin: Where they go.
        observers: Who is told of them.
        has_warned_of_sunset: Whether no warning is wanted of what Hume has switched off.
        settings: Further fields of `Session`.
    """
    session = Session(
        origin=origin,
        observers=Observers(observers),
        shared=Shared(has_warned_of_sunset=has_warned_of_sunset),
        **settings,
    )
    if isinstance(origin.source, oauth.TokenSource):
        oauth.bind(origin.source, session)
    return session
