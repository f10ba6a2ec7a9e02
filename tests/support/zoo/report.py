"""What the zoo prints: how the cells are spread, and the worst of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from zoo.traffic import Changed, Outcome

ENOUGH = 0.95
"""Pace at which a changed quota counts as found."""


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def lines(outcomes: Sequence[Outcome], worst: int = 10) -> Iterator[str]:
    """Write the table of a run and its worst cells."""
    paces = [one.pace for one in outcomes]
    refusals = [one.refused for one in outcomes]
    yield f"{len(outcomes)} cells"
    yield "pace      " + _spread(paces, (0.05, 0.1, 0.25, 0.5))
    yield "429s      " + _spread(refusals, (0.5, 0.75, 0.9, 0.95))
    yield f"failed    {sum(one.failed > 0 for one in outcomes)} cells"
    idle = [one for one in outcomes if one.idle > one.allowed_idle]
    longest = max(one.idle / one.cell.window for one in outcomes)
    yield f"too idle  {len(idle)} cells; the longest gap is {longest:.2f} windows"
    for name in ("shape", "family", "window", "limit"):
        yield from _rows(name, outcomes)
    yield f"the slowest {worst}; run one by `python tests/limiter_zoo.py --seed N`"
    for one in sorted(outcomes, key=lambda one: one.pace)[:worst]:
        yield f"  {one}"
    yield "with the most 429s"
    for one in sorted(outcomes, key=lambda one: -one.refused)[:worst]:
        yield f"  {one}"
    troubled = [one for one in outcomes if one.failed or one in idle]
    if troubled:
        yield "with failed calls or idle for too long"
        for one in troubled[:worst]:
            yield f"  {one}"


def lines_of_changes(found: Sequence[Changed], worst: int = 10) -> Iterator[str]:
    """Write how the cells whose quota changed did, and the worst of them."""
    yield f"{len(found)} cells"
    for name in ("halved", "tripled"):
        paces = [getattr(one, name) for one in found]
        share = sum(pace >= ENOUGH for pace in paces) / len(paces)
        yield f"{name:8s} {_spread(paces, (0.05, 0.1, 0.25, 0.5))}; {share:.0%} at {ENOUGH:.0%}"
    yield f"the slowest {worst}; run one by `python tests/limiter_zoo.py --changes --seed N`"
    for one in sorted(found, key=lambda one: min(one.halved, one.tripled))[:worst]:
        yield f"  {one}"


def _rows(name: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Write the table by one of a cell's traits."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        value = {
            "shape": one.cell.shape,
            "family": one.cell.dialect.family,
            "window": f"{one.cell.window:4g} s",
            "limit": f"below {10 ** len(str(one.cell.limit)):5d}",
        }[name]
        groups.setdefault(value, []).append(one)
    for value, group in sorted(groups.items()):
        paces, refusals = [one.pace for one in group], [one.refused for one in group]
        yield (
            f"  {name} {value:13s} {len(group):3d} cells: "
            f"pace p10 {percentile(paces, 0.1):6.1%} p50 {percentile(paces, 0.5):6.1%}, "
            f"429s p50 {percentile(refusals, 0.5):5.1%} p90 {percentile(refusals, 0.9):5.1%}, "
            f"failed {sum(one.failed > 0 for one in group)}, "
            f"too idle {sum(one.idle > one.allowed_idle for one in group)}"
        )


def _spread(values: Sequence[float], shares: Sequence[float]) -> str:
    found = ", ".join(f"p{share * 100:g} {percentile(values, share):.1%}" for share in shares)
    return f"{found}, mean {sum(values) / len(values):.1%}"
