"""What all resource classes share.

A resource turns a method's arguments into a filled endpoint and hands it to the session; it
holds no state, sends nothing itself and knows nothing of retries, pacing or URLs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from humeai_async.http.session import Session


class Resource:
    """One resource of the API, such as the configs of EVI.

    Args:
        session: How calls are made.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    if not TYPE_CHECKING:  # for a type checker, a name that is not there is a mistake

        def __getattr__(self, name: str) -> object:
            from humeai_async.resources.official_names import advise

            raise AttributeError(advise(type(self), name), name=name, obj=self)
