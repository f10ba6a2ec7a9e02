"""The cells of the zoo: one service and one client each, drawn by a seed.

Draws are uniform, limits and latencies uniform in their logarithms, but for these: headers are on
all responses in three of four cells; the remaining number is false in a quarter of them, each way
as often; one cell in ten has a limit of calls in flight, and one another client. Each header
dialect is combined with each kind of reset and of rounding, so cells are harsher than services.
"""

from __future__ import annotations

import math
import random
from typing import Literal, TypeAlias

from attrs import evolve, frozen
from zoo.headers import Dialect, Family, Remaining
from zoo.quotas import Both, Fixed, Gcra, Leaky, Quota, Sliding, Token, Weighted

Shape: TypeAlias = Literal["token", "gcra", "leaky", "fixed", "sliding", "both"]
SHAPES: tuple[Shape, ...] = ("token", "gcra", "leaky", "fixed", "sliding", "both")
FAMILIES: tuple[Family, ...] = (
    "none", "retry-after", "draft-7", "draft-8", "x-ratelimit", "x-rate-limit",
)  # fmt: skip
WINDOWS = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds."""
TRUE: tuple[Remaining, ...] = ("own",) * 12
REMAINING: tuple[Remaining, ...] = (*TRUE, "other", "late", "zero", "minus-one")
FEWEST, MOST = 2, 5000
"""Requests a window."""


@frozen
class Cell:
    """One service and the client that knows nothing of it."""

    seed: int
    shape: Shape
    variant: str
    """The anchor of a fixed window, the kind of a sliding one, the burst of a bucket."""
    window: float
    limit: int
    burst: int
    latency: float
    jitter: float
    """Share by which latencies scatter."""
    in_flight: int
    most_in_flight: int | None
    """The service refuses more requests at the same time than these."""
    has_other: bool
    """Whether another client takes half of the quota."""
    dialect: Dialect
    quota: Quota
    factor: float = 1.0
    """By how much its quota is larger than it was drawn."""

    @property
    def rate(self) -> float:
        """Requests a second that the quota lets in."""
        return self.limit / self.window

    def fresh(self) -> Cell:
        """Return the same cell with nothing of its quota used."""
        return draw(self.seed).scaled(self.factor)

    def scaled(self, factor: float) -> Cell:
        """Let its quota take so many times as many requests from now on, and return what it is."""
        self.quota.scale(factor)
        limit = max(1, round(self.limit * factor))
        said = evolve(self.dialect, limit=limit)
        return evolve(self, factor=self.factor * factor, limit=limit, dialect=said)

    def __str__(self) -> str:
        say = self.dialect
        text = f"{self.shape}/{self.variant} {self.limit} in {self.window:g} s"
        text += f", {self.latency * 1000:.0f} ms, {self.in_flight} in flight"
        if self.most_in_flight is not None:
            text += f" of {self.most_in_flight}"
        if self.has_other:
            text += ", another client"
        text += f"; {say.family}"
        if say.family not in {"none", "retry-after"}:
            text += f" on {'all' if say.on_all else '429s'}, reset {say.reset}"
            text += f", remaining {say.remaining}"
        if say.says_when or say.family == "retry-after":
            text += ", Retry-After"
        return text if say.family == "none" else f"{text}, rounded {say.rounding}"


def draw(seed: int) -> Cell:
    """Draw the cell of a seed."""
    chance = random.Random(seed)  # noqa: S311 - a cell, no secret
    shape = chance.choice(SHAPES)
    window = chance.choice(WINDOWS)
    limit = round(FEWEST * (MOST / FEWEST) ** chance.random())
    latency, jitter = 0.005 * 100 ** chance.random(), chance.choice((0.0, 0.2, 0.5))
    # Whoever paces evenly must get through: a burst holds what the network bunches up.
    bunched = limit / window * latency * jitter
    burst = math.ceil(max(1 + bunched, limit * chance.choice((0.0, 0.1, 0.5, 1.0))))
    variant = f"burst {burst}"
    if shape in {"fixed", "both"}:
        variant = chance.choice(("clock", "first request", "key"))
    elif shape == "sliding":
        variant = chance.choice(("log", "log", "weighted"))
    in_flight = chance.choice((8, 64, 256))
    family = chance.choice(FAMILIES)
    dialect = Dialect(
        family=family,
        on_all=chance.random() < 0.75,
        says_when=family not in {"none", "retry-after"} and chance.random() < 0.5,
        reset=chance.choice(("left", "window", "full", "epoch", "ms")),
        rounding=chance.choice(("exact", "up", "down", "half", "constant")),
        remaining=chance.choice(REMAINING),
        limit=limit,
        window=window,
    )
    return Cell(
        seed=seed,
        shape=shape,
        variant=variant,
        window=window,
        limit=limit,
        burst=burst,
        latency=latency,
        jitter=jitter,
        in_flight=in_flight,
        most_in_flight=max(2, in_flight // 3) if chance.random() < 0.1 else None,
        has_other=chance.random() < 0.1,
        dialect=dialect,
        quota=_quota(chance, shape, variant, window, limit, burst),
    )


def _quota(
    chance: random.Random, shape: Shape, variant: str, window: float, limit: int, burst: int
) -> Quota:
    if shape in {"token", "gcra", "leaky"}:
        return _bucket(shape, limit / window, burst)
    phase = {"clock": 0.0, "key": chance.random() * window}.get(variant)
    if shape == "both":
        first = chance.choice((Token(2 * limit / window, max(1, burst // 5)), None))
        short = Fixed(max(1, -(-limit // 5)), window / 10, phase)
        return Both(first or short, Fixed(limit, window, phase))
    if shape == "fixed":
        return Fixed(limit, window, phase)
    if variant == "weighted":
        return Weighted(limit, window, chance.random() * window)
    return Sliding(limit, window)


def _bucket(shape: Shape, rate: float, burst: int) -> Quota:
    if shape == "token":
        return Token(rate, burst)
    if shape == "gcra":
        return Gcra(1 / rate, (burst - 1) / rate)
    tick = max(1 / rate, 0.01)
    return Leaky(tick, rate * tick, max(burst, rate * tick))
