"""Cells of rate limiters that others wrote and many use, as they were recorded over sockets.

Unlike the cells that are drawn they say nothing false: whoever reads them with care gets all that
the quota lets in. Packages and versions are those that were recorded.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen
from zoo.cells import Cell, Shape
from zoo.headers import Dialect, Family, Reset, Rounding
from zoo.quotas import HAIR, Fixed, Gcra, Leaky, Quota, Sliding, Token, Weighted


class Renewed(Fixed):
    """Windows that begin anew with each request that is refused."""

    def take(self, now: float) -> bool:
        allowed = super().take(now)
        if not allowed:
            self.start = now
        return allowed


class StrictWeighted(Weighted):
    """Two windows in which refused requests count, too."""

    def take(self, now: float) -> bool:
        allowed = self._used(self._roll(now)) + 1.0 <= self.limit + HAIR
        self.now_used += 1
        return allowed


@frozen
class Service(Cell):
    """A cell with a name in place of a seed."""

    name: str = field(kw_only=True)

    def fresh(self) -> Cell:
        return SERVICES[self.name](self.name).scaled(self.factor)

    def __str__(self) -> str:
        return f"{self.name}: {super().__str__()}"


def _service(
    shape: Shape,
    quota: Callable[[], Quota],
    limit: int,
    window: float,
    family: Family = "none",
    reset: Reset = "left",
    rounding: Rounding = "up",
    *,
    says_when: bool = False,
    latency: float = 0.03,
    burst: int = 1,
) -> Callable[[str], Cell]:
    dialect = Dialect(
        family=family,
        on_all=True,
        says_when=says_when,
        reset=reset,
        rounding=rounding,
        remaining="own",
        limit=limit,
        window=window,
    )
    return lambda name: Service(
        seed=0,
        shape=shape,
        variant="as recorded",
        window=window,
        limit=limit,
        burst=burst,
        latency=latency,
        jitter=0.2,
        in_flight=32,
        most_in_flight=None,
        has_other=False,
        dialect=dialect,
        quota=quota(),
        name=name,
    )


SERVICES: dict[str, Callable[[str], Cell]] = {
    "express-rate-limit 8.7.4, draft-7, 100 in 1 s": _service(
        "fixed", lambda: Fixed(100, 1.0, None), 100, 1.0, "draft-7", says_when=True
    ),
    "express-rate-limit 8.7.4, draft-8, 200 in 2 s": _service(
        "fixed", lambda: Fixed(200, 2.0, None), 200, 2.0, "draft-8", says_when=True
    ),
    "express-rate-limit 8.7.4, draft-7, 60 in 1.5 s": _service(
        "fixed", lambda: Fixed(60, 1.5, None), 60, 1.5, "draft-7", says_when=True
    ),
    "express-rate-limit 8.7.4, silent, 60 in 1.5 s": _service(
        "fixed", lambda: Fixed(60, 1.5, None), 60, 1.5
    ),
    "express-rate-limit 8.7.4, legacy, 20 in 0.5 s": _service(
        "fixed", lambda: Fixed(20, 0.5, None), 20, 0.5, "x-ratelimit", "epoch", says_when=True
    ),
    "express-rate-limit 8.7.4, legacy, 20 in 0.5 s, near": _service(
        "fixed",
        lambda: Fixed(20, 0.5, None),
        20,
        0.5,
        "x-ratelimit",
        "epoch",
        says_when=True,
        latency=0.012,
    ),
    "@fastify/rate-limit 11.2.0, continueExceeding, 100 in 2 s": _service(
        "fixed", lambda: Renewed(100, 2.0, None), 100, 2.0, "x-ratelimit", says_when=True
    ),
    "Flask-Limiter 4.1.1, fixed window, 100 in 1 s": _service(
        "fixed", lambda: Fixed(100, 1.0, 0.0), 100, 1.0, "x-ratelimit", "epoch", says_when=True
    ),
    "slowapi 0.1.10, moving window, 100 in 2 s": _service(
        "sliding", lambda: Sliding(100, 2.0), 100, 2.0, "x-ratelimit", "epoch", says_when=True
    ),
    "Django REST framework 3.18.3, 50 in 1 s": _service(
        "sliding", lambda: Sliding(50, 1.0), 50, 1.0, "retry-after"
    ),
    "throttled-py 3.5.0, token bucket, 8 a second": _service(
        "token", lambda: Token(8.0, 8.0), 8, 1.0, "x-ratelimit", "full", says_when=True, burst=8
    ),
    "throttled-py 3.5.0, GCRA, 30 a second": _service(
        "gcra",
        lambda: Gcra(1 / 30, 59 / 30),
        30,
        1.0,
        "x-ratelimit",
        "full",
        "exact",
        says_when=True,
        burst=60,
    ),
    "quart-rate-limiter 0.12.1, 60 in 10 s": _service(
        "gcra",
        lambda: Gcra(1 / 6, 59 / 6),
        60,
        10.0,
        "x-ratelimit",
        "full",
        says_when=True,
        latency=0.02,
        burst=60,
    ),
    "nginx 1.22.1, burst=60 nodelay, 200 a second": _service(
        "gcra", lambda: Gcra(1 / 200, 60 / 200), 200, 1.0, latency=0.005, burst=61
    ),
    "HAProxy 2.6.12, http_req_rate, 50 in 1 s": _service(
        "sliding", lambda: StrictWeighted(50, 1.0, 0.37), 50, 1.0
    ),
    "Envoy 1.40.0, local rate limit, 10 each 0.1 s": _service(
        "leaky", lambda: Leaky(0.1, 10.0, 20.0), 100, 1.0, "x-ratelimit", burst=20
    ),
}
"""By package, version and setting; the function takes the name."""
