"""Lists of named scores, left as a slice of the body until somebody reads them.

A body of predictions is mostly scores: 48 names and numbers for every face in every frame.
`Scores` looks like a sequence of pairs and is made of such a slice; `Scored` puts it into the
fields of the predictions' classes. `slices.py` does the same for the predictions themselves.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar, overload

import msgspec

from humeai_async._base.frozen import frozen
from humeai_async.errors import DecodeError
from humeai_async.types.json import UNREADABLE, scan_leniently
from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS


class ExpressionScore(NamedTuple):
    """One named number, such as `("Joy", 0.73)`."""

    name: str
    """Label: one of the 48 expressions (53 for language), an action unit, a level."""
    score: float
    """Mostly 0 to 1, but it may lie outside; `math.nan` where the service gave no number."""


_N = TypeVar("_N")


class _WireScore(msgspec.Struct, frozen=True, gc=False):
    name: str
    score: float = math.nan


class _NamedScore(msgspec.Struct, Generic[_N], gc=False):
    """One score, whose name has a type that allows this name alone.

    All of them are of one class, of which Python reads attributes in half the time.
    """

    name: _N
    score: float


def type_of_scores(names: tuple[str, ...]) -> Any:
    """Return the type of a list of scores that have these names, in this order.

    No name is made anew then, nor looked at once more.
    """
    return tuple[tuple([_NamedScore[Literal[one]] for one in names])]  # type: ignore[misc,valid-type]  # from a table


_scores_decoder = msgspec.json.Decoder(list[_WireScore])

_NULL = msgspec.Raw(b"null")


@functools.cache
def _orders() -> list[tuple[tuple[str, ...], Callable[[msgspec.Raw], Any]]]:
    """Return the names of the service's lists of expressions, and what reads lists of each.

    It is made at first use, which takes milliseconds.
    """
    many = EXPRESSIONS, tuple(sorted(EXPRESSIONS + LANGUAGE_EXPRESSIONS))
    return [(names, msgspec.json.Decoder(type_of_scores(names)).decode) for names in many]


_to_score = functools.partial(tuple.__new__, ExpressionScore)  # pyright: ignore[reportUnknownMemberType]  # untyped in typeshed


_MOST_DRAWN = 20
"""Scores that a notebook shows of one list."""
_MOST_SHARED = 128
"""Names of a list that is looked for among those that were seen; Hume's own are shorter."""


@functools.lru_cache(maxsize=256)
def _seen(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the same tuple for the same names: all faces have one between them."""
    return _seen(names) if len(names) <= _MOST_SHARED else names


class Scores(Sequence[ExpressionScore]):
    """A list of named scores in the service's order, read from the body on first touch.

    Works as a sequence of `(name, score)` pairs and as a lookup by name:
    `face.emotions["Joy"]`. Names and numbers are kept apart, and pairs are made when they are
    asked for: millions of them would keep the garbage collector busy.
    """

    __slots__ = ("_names", "_numbers", "_raw")

    def __init__(self, pairs: Iterable[tuple[str, float]] | msgspec.Raw) -> None:
        self._raw: msgspec.Raw | None = None
        self._names: tuple[str, ...] = ()
        self._numbers: array[float] | None = None
        if isinstance(pairs, msgspec.Raw):
            self._raw = pairs
        else:
            both = [*pairs]
            self._names = _shared(tuple([name for name, _ in both]))
            self._numbers = array("d", [number for _, number in both])

    def _read(self) -> tuple[tuple[str, ...], array[float]]:
        """Return names and numbers, and keep them."""
        if self._numbers is None:
            self._names, numbers = self.split()
            # In a third of the time that an array takes to read a list.
            self._numbers = array("d", struct.pack(f"{len(numbers)}d", *numbers))
        return self._names, self._numbers

    @overload
    def __getitem__(self, key: int) -> ExpressionScore: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[ExpressionScore, ...]: ...
    @overload
    def __getitem__(self, key: str) -> float: ...
    def __getitem__(
        self, key: int | slice | str
    ) -> ExpressionScore | tuple[ExpressionScore, ...] | float:
        """Return the pair at a position, or the score of a name.

        Raises:
            KeyError: There is no such name (a `str` key).
            IndexError: There is no such position (an `int` key).
            DecodeError: The body is wrong here.
        """
        names, numbers = self._read()
        if isinstance(key, slice):
            return tuple(map(_to_score, zip(names[key], numbers[key], strict=True)))
        if not isinstance(key, str):
            return ExpressionScore(names[key], numbers[key])
        if key not in names:
            raise KeyError(key)
        return numbers[-1 - names[::-1].index(key)]  # the last one counts, as everywhere

    def __len__(self) -> int:
        return len(self._read()[0])

    def __iter__(self) -> Iterator[ExpressionScore]:
        return map(_to_score, zip(*self._read(), strict=True))

    def __contains__(self, item: object) -> bool:
        return item in self._read()[0] if isinstance(item, str) else item in [*self]

    def top(self, count: int = 3) -> list[ExpressionScore]:
        """Return the strongest scores, strongest first, without those that are no number."""
        numbers = [pair for pair in self if not math.isnan(pair.score)]
        return sorted(numbers, key=operator.itemgetter(1), reverse=True)[:count]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names whose score the service gave as null, NaN or Infinity; it reads `math.nan`."""
        return tuple([name for name, score in self if math.isnan(score)])

    def as_dict(self) -> dict[str, float]:
        """Return all scores by name, in the service's order."""
        return dict(zip(*self._read(), strict=True))

    def split(self) -> tuple[tuple[str, ...], list[float]]:
        """Return the names and the numbers apart, in the service's order.

        Keeps nothing, so that tables of many predictions take little memory.

        Raises:
            DecodeError: The body is wrong here.
        """
        if self._numbers is not None:
            return self._names, self._numbers.tolist()
        raw = self._raw or msgspec.Raw()
        for names, decode in _orders():
            try:
                return names, [one.score for one in decode(raw)]
            except UNREADABLE:
                pass
        # Another kind of score, or an expression that Hume has added since.
        found = _scan(raw)
        return _shared(tuple([one.name for one in found])), [one.score for one in found]

    def validate(self) -> None:
        """Read all and keep nothing.

        Raises:
            DecodeError: The body is wrong here.
        """
        self.split()

    def to_wire(self) -> msgspec.Raw | list[dict[str, str | float]]:
        """Return what the JSON writer takes: the text as it came, or the pairs as objects."""
        return [pair._asdict() for pair in self] if self._raw is None else self._raw

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Scores):
            return self._read() == other._read()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        try:
            len(self)
        except DecodeError:
            return "Scores(unreadable)"
        strongest = ", ".join(f"{name}={score:.3f}" for name, score in self.top())
        return f"Scores({len(self)}: {strongest}{', ...' if len(self) > 3 else ''})"  # noqa: PLR2004 - as many as top() gives

    def _repr_html_(self) -> str:
        """Show the strongest scores in a notebook, as bars."""
        from humeai_async._base.html import bars, table

        try:
            pairs = [*zip(*self.split(), strict=True)]
        except DecodeError as problem:
            return table("Scores", ("problem",), [(problem.message,)], total=1)
        pairs.sort(key=lambda pair: -math.inf if math.isnan(pair[1]) else pair[1], reverse=True)
        rows = ((bars([pair]),) for pair in pairs[:_MOST_DRAWN])
        return table("Scores", ("strongest",), rows, total=len(pairs))

    def __reduce__(self) -> tuple[Any, ...]:
        if self._numbers is None and self._raw is not None:
            return _unread, (bytes(self._raw),)
        return Scores, (tuple(self),)


def _scan(raw: msgspec.Raw) -> Sequence[_WireScore]:
    """Read a list of whatever names."""
    with contextlib.suppress(*UNREADABLE):
        return _scores_decoder.decode(raw)
    if raw == _NULL:
        return ()
    return scan_leniently(_scores_decoder, raw, "the scores are no list of names and numbers")


def _unread(text: bytes) -> Scores:
    """Make scores of their JSON text, so that pickles and copies are read on first touch too."""
    return Scores(msgspec.Raw(text))


# The scanner has to see a raw slice where everybody else, from `__attrs_post_init__` on, sees
# `Scores`, or `None` for a slice that says null: msgspec has no hook that makes one of the other.
if TYPE_CHECKING:
    RawScores = Scores
    MaybeRawScores = Scores | None
else:
    RawScores = MaybeRawScores = msgspec.Raw

NO_SCORES: Any = msgspec.Raw(b"[]")
"""Default of a field with scores."""


@frozen(kw_only=True)
class Scored:
    """A prediction, whose scores are read from the body when they are asked for."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions",)
    """Names of the fields that hold scores."""

    def __attrs_post_init__(self) -> None:
        for name in self.score_fields:
            raw = getattr(self, name)
            if isinstance(raw, msgspec.Raw):
                absent = raw == _NULL and name != "emotions"
                object.__setattr__(self, name, None if absent else Scores(raw))
