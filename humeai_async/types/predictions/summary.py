"""What a person wants to read of predictions: the strongest expressions, and for how long.

A `Profile` is what one model found in one source, in a few dozen numbers: it takes rows in and
keeps none. A `Summary` is the profiles of many sources, and prints as a table of text. The command
line, reports and `Predictions.summary` make them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, overload

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import short_name, without_queries
from humeai_async.types.predictions.blocks import Block
from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS

__all__ = ["Expression", "Profile", "Profiles", "Summary"]

_TOP = 3
_WIDEST = 60
"""Characters of a source that are printed."""


@frozen(kw_only=True)
class Expression:
    """How strong one expression was in a source, as one model saw it."""

    name: str
    """Name of the expression, such as `Joy`."""
    share: float
    """Share of the predictions in which no other expression was stronger, 0 to 1."""
    mean: float
    """Mean of its scores."""
    peak: float
    """Highest of its scores."""
    peak_at: float | None = None
    """Where the highest score begins, in seconds; `None` where the media has no time."""


class Profile:
    """What one model found in one source.

    Attributes:
        source: The source, as tables name it.
        model: The model.
        count: Predictions that were taken in.
        begin: Begin of the first one, in seconds; `None` where the media has no time.
        end: End of the last one.
    """

    def __init__(self, source: str, model: str) -> None:
        self.source = source
        self.model = model
        self.count: int = 0
        self.begin: float | None = None
        self.end: float | None = None
        self._sums: dict[str, float] = {}
        self._wins: dict[str, int] = {}
        self._peaks: dict[str, tuple[float, float | None]] = {}

    def add(self, block: Block) -> None:
        """Take in predictions."""
        if not block.columns:
            return
        self.count += len(block)
        for begin, end in zip(block.begins, block.ends, strict=True):
            self._add_span(begin, end)
        for name, total in block.sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + total
            column = block.columns[name]
            peak = max(column)
            if not math.isfinite(peak) or math.isnan(column[0]):
                peak = max(filter(math.isfinite, column))
            if name not in self._peaks or peak > self._peaks[name][0]:
                self._peaks[name] = (peak, block.begins[column.index(peak)])
        names = [*block.columns]
        for some in zip(*block.columns.values(), strict=True):
            finite = some if math.isfinite(sum(some)) else [*filter(math.isfinite, some)]
            if finite:
                strongest = names[some.index(max(finite))]
                self._wins[strongest] = self._wins.get(strongest, 0) + 1

    def _add_span(self, begin: float | None, end: float | None) -> None:
        if begin is not None and math.isfinite(begin):
            self.begin = begin if self.begin is None else min(self.begin, begin)
            later = end if end is not None and math.isfinite(end) else begin
            self.end = later if self.end is None else max(self.end, later)

    @property
    def means(self) -> dict[str, float]:
        """Mean score of each expression, in the service's order."""
        return {name: total / self.count for name, total in self._sums.items()}

    def strongest(self, most: int = _TOP) -> list[Expression]:
        """Return the expressions that were strongest for the longest, those first.

        Args:
            most: Expressions at most.
        """
        means = self.means
        order = sorted(means, key=lambda name: (-self._wins.get(name, 0), -means[name], name))
        return [
            Expression(
                name=name,
                share=self._wins.get(name, 0) / self.count,
                mean=means[name],
                peak=self._peaks[name][0],
                peak_at=self._peaks[name][1],
            )
            for name in order[:most]
        ]

    def __repr__(self) -> str:
        source = without_queries(self.source)
        return f"Profile({source!r}, {self.model!r}, {self.count} predictions)"


class Profiles:
    """Takes blocks in, in any order, and keeps a profile for each source and model."""

    def __init__(self) -> None:
        self._profiles: dict[tuple[str, str], Profile] = {}

    def add(self, blocks: Iterable[Block]) -> None:
        """Take predictions of any source in."""
        for block in blocks:
            key = block.source, block.model
            if key not in self._profiles:
                self._profiles[key] = Profile(*key)
            self._profiles[key].add(block)

    def take(self) -> list[Profile]:
        """Return the profiles so far that have predictions, and forget them."""
        found = [profile for profile in self._profiles.values() if profile.count]
        self._profiles = {}
        return found


class Summary(Sequence[Profile]):
    """The strongest expressions of each source and model; `print` shows them as a table.

    A sequence of `Profile`, in the order of the sources. URLs are shown without their query.

    Args:
        profiles: What was found.
        failed: Sources and files that have no predictions, and why.
        without: Sources that did not fail, and in which no expression was measured.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        failed: Iterable[tuple[str, str]] = (),
        without: Iterable[str] = (),
    ) -> None:
        self._profiles = [*profiles]
        self._failed = [*failed]
        self._without = [*without]

    @overload
    def __getitem__(self, key: int) -> Profile: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Profile]: ...
    def __getitem__(self, key: int | slice) -> Profile | Sequence[Profile]:
        return self._profiles[key]

    def __len__(self) -> int:
        return len(self._profiles)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as of a list

    def lines(self) -> list[tuple[str, str, str, str]]:
        """Return the cells of the table: source, model, length, and the strongest expressions."""
        return [
            (
                _name(profile.source),
                profile.model,
                _length(profile),
                ", ".join(f"{one.name} {one.share:.0%}" for one in _shown(profile)),
            )
            for profile in self._profiles
        ]

    def __str__(self) -> str:
        lines = [("source", "model", "length", "strongest expressions, share of the time")]
        lines += self.lines()
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        texts = ["  ".join([*map(str.ljust, line[:3], widths), line[3]]).rstrip() for line in lines]
        texts += [f"{_name(source)}  no expressions" for source in self._without]
        texts += [
            f"{_name(source)}  failed: {without_queries(reason)}" for source, reason in self._failed
        ]
        return "\n".join(texts)

    def _repr_html_(self) -> str:
        """Show the first sources in a notebook."""
        from humeai_async._base import html

        rows = [
            (
                _name(one.source),
                one.model,
                _length(one),
                html.bars((found.name, found.share) for found in _shown(one)),
            )
            for one in self._profiles[: html.MOST_ROWS]
        ]
        beside = (("without expressions", self._without), ("failed", self._failed))
        notes = [f"{len(some):,} {what}" for what, some in beside if some]
        columns = ("source", "model", "length", "strongest expressions, share of the time")
        title = f"Summary of {len(self):,} profiles"
        return html.table(title, columns, rows, total=len(self), notes=notes)

    def __repr__(self) -> str:
        return f"Summary({len(self)} profiles, {len(self._failed)} failures)"


KNOWN_EXPRESSIONS = (*EXPRESSIONS, *LANGUAGE_EXPRESSIONS)
"""Expressions in the order in which pictures and tables list them."""


def _shown(profile: Profile) -> list[Expression]:
    """Leave out what was never the strongest."""
    return [one for one in profile.strongest() if one.share > 0]


def _length(profile: Profile) -> str:
    if profile.begin is not None and profile.end is not None and profile.end > profile.begin:
        minutes, seconds = divmod(round(profile.end - profile.begin), 60)
        return f"{minutes}:{seconds:02}"
    return f"{profile.count} x"


def _name(source: str) -> str:
    return short_name(source, _WIDEST)
