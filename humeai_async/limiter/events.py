"""What a limiter tells its `on_event`, as plain values."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Waited(NamedTuple):
    """A call got its turn after it had to wait."""

    bucket: str
    seconds: float


class Paused(NamedTuple):
    """The quota is used up: nobody goes for so long."""

    bucket: str
    seconds: float


class RateChanged(NamedTuple):
    """The rate was measured, and is another than before."""

    bucket: str
    before: float | None
    rate: float


class Shared(NamedTuple):
    """A quota that many processes share can be reached again: the bucket takes turns with them."""

    bucket: str
    members: int
    """Processes that share it now."""


class Alone(NamedTuple):
    """It cannot be reached: the process goes on by its share so far, or stops."""

    bucket: str
    share: float
    """Calls a second until it is back."""


LimiterEvent: TypeAlias = Waited | Paused | RateChanged | Shared | Alone
