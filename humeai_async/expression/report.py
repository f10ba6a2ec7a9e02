"""What became of the frames of a session; sessions keep it, and their users read it."""

from __future__ import annotations

from attrs import define


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
