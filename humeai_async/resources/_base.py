"""What all resource classes share.

A resource turns a method's arguments into a filled endpoint and hands it to the session; it
holds no state, sends nothing itself and knows nothing of retries, pacing or URLs.
"""

from __future__ import annotations

from humeai_async._base.advised import Advised
from humeai_async.http.session import Session


class Resource(Advised):
    """One resource of the API, such as the configs of EVI.

    Args:
        session: How calls are made.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session
