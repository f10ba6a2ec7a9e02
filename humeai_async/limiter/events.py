"""What a limiter tells its `on_event`, as plain values."""

from __future__ import annotations

from typing import TypeAlias

from humeai_async._base.frozen import frozen


@frozen
class Waited:
    """A call got its turn after it had to wait."""

    bucket: str
    seconds: float


@frozen
class Paused:
    """The quota is used up: nobody goes for so long."""

    bucket: str
    seconds: float


@frozen
class RateChanged:
    """The rate was measured, and is another than before."""

    bucket: str
    before: float | None
    rate: float


@frozen
class Shared:
    """A quota that many processes share can be reached again: the bucket takes turns with them."""

    bucket: str
    members: int
    """Processes that share it now."""


@frozen
class Alone:
    """It cannot be reached: the process goes on by its share so far, or stops."""

    bucket: str
    share: float
    """Calls a second until it is back."""


LimiterEvent: TypeAlias = Waited | Paused | RateChanged | Shared | Alone
