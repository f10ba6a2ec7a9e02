"""One prediction from bytes to numbers in one pass, where its names are those of the one before.

The lists of scores of a model have the same names in the same order nearly always. A `Layout`
is one such order, compiled into types of the scanner that accept it and nothing else: what they
read needs no further look at its names. Whatever else the service sends (names that are missing,
doubled, unknown or in another order, scores that are no numbers) is refused by these types and
read the slower way, by the classes of `measurements.py`, to the same values. `rows.py` reads
predictions with it.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import nan
from typing import Any, TypeAlias

import msgspec

from humeai_async._base.frozen import frozen
from humeai_async.errors import DecodeError
from humeai_async.types.json import UNREADABLE, with_path_prefix
from humeai_async.types.predictions.measurements import Int64
from humeai_async.types.predictions.scores import Scored, Scores, type_of_scores
from humeai_async.types.predictions.slices import Slices

__all__ = ["Names", "Stretch", "read_stretches"]

Names: TypeAlias = tuple[tuple[str, ...] | None, ...]
"""Names of the scores in each field that is read; `None` where there is no list."""

MOST_LAYOUTS = 64
"""Orders that are compiled, which takes milliseconds each; the service has about ten."""
MOST_TOGETHER = 256
"""Predictions of one stretch, so that few are in memory where many come one by one."""
MOST_NAMES = 128
"""Names of one order; the service's longest list has fewer than sixty."""

# The classes of `measurements.py` without their scores: these are made in half the time.


class _Box(msgspec.Struct, frozen=True, gc=False):
    x: float = nan
    y: float = nan
    w: float = nan
    h: float = nan


class _Span(msgspec.Struct, frozen=True, gc=False):
    begin: float = nan
    end: float = nan


class _Position(msgspec.Struct, frozen=True, gc=False):
    begin: Int64 | None = None
    end: Int64 | None = None


class _Face(msgspec.Struct):
    frame: Int64 | None = None
    time: float = nan
    prob: float = nan
    box: _Box = _Box()


class _Burst(msgspec.Struct):
    time: _Span = _Span()


class _Prosody(msgspec.Struct):
    time: _Span = _Span()
    text: str | None = None
    confidence: float | None = None
    speaker_confidence: float | None = None


class _Language(msgspec.Struct):
    text: str | None = None
    position: _Position = _Position()
    time: _Span | None = None
    confidence: float | None = None
    speaker_confidence: float | None = None


class _Ner(msgspec.Struct):
    entity: str | None = None
    position: _Position = _Position()
    entity_confidence: float = nan
    support: float = nan
    uri: str | None = None
    link_word: str | None = None
    time: _Span | None = None
    confidence: float | None = None
    speaker_confidence: float | None = None


class _Facemesh(msgspec.Struct):
    """It has scores and nothing else."""


LIGHT_CLASSES: dict[str, type[msgspec.Struct]] = {
    "face": _Face,
    "burst": _Burst,
    "prosody": _Prosody,
    "language": _Language,
    "ner": _Ner,
    "facemesh": _Facemesh,
}
"""What a prediction of each model is read into."""


class Stretch:
    """Predictions that follow one another and whose scores have the same names.

    Attributes:
        names: Names of the scores in each field.
        kept: What was kept of the predictions, one after the other.
        scores: Their scores, those of all fields, one prediction after the other.
        count: The number of predictions.
        may_have_gaps: Whether scores can be not a number, which stands for none.
    """

    __slots__ = ("count", "kept", "may_have_gaps", "names", "scores")

    def __init__(self, names: Names, *, may_have_gaps: bool = False) -> None:
        self.names: Names = names
        self.kept: list[Any] = []
        self.scores: array[float] = array("d")
        self.count: int = 0
        self.may_have_gaps: bool = may_have_gaps

    def join(self, other: Stretch) -> bool:
        """Add predictions that follow these; false if they are others, or too many."""
        if self.names != other.names or self.count + other.count > MOST_TOGETHER:
            return False
        self.kept += other.kept
        self.scores += other.scores
        self.count += other.count
        self.may_have_gaps |= other.may_have_gaps
        return True


_Keep: TypeAlias = Callable[[Any], Iterable[Any]] | None
"""Gives what to keep of each prediction, which is what `measurements.py` or `LIGHT_CLASSES` has
for it; nothing is kept without it."""


@frozen
class Layout:
    """One order of names, and what reads predictions that have it."""

    names: Names
    """Names of the scores in each field."""
    decode: Callable[[bytes | msgspec.Raw], Any]
    """Read a prediction; raises an error of the scanner where it has another order."""
    fields: tuple[str, ...]
    """Fields that hold scores."""
    pack: Callable[..., bytes]
    """Make the bytes of 64-bit floats of as many numbers as there are names."""

    def read(self, raws: Sequence[msgspec.Raw], keep: _Keep) -> Stretch:
        """Read predictions up to the first one of another order, or that is wrong."""
        found = Stretch(self.names)
        decode, pack, add, kept = self.decode, self.pack, found.scores.frombytes, found.kept
        first, *more = self.fields
        for raw in raws:
            try:
                one = decode(raw)
            except UNREADABLE:
                break  # the slower way tells what it is
            if keep is not None:
                kept += keep(one)
            scores = [each.score for each in getattr(one, first)]
            for field in more:
                scores += [each.score for each in getattr(one, field)]
            add(pack(*scores))
            found.count += 1
        return found


_layouts: dict[tuple[str, tuple[str, ...], Names], Layout | None] = {}
"""By model, fields and names; `None` for an order that was met once."""
_latest: dict[tuple[str, tuple[str, ...]], Layout] = {}
"""The last one that was found, by model and fields."""


def read_stretches(
    model: str,
    predictions: Sequence[Scored],
    fields: tuple[str, ...],
    keep: _Keep = None,
) -> Iterator[Stretch]:
    """Read predictions of one group, and all their scores in some fields.

    Args:
        model: Name of the model, as columns have it.
        predictions: The predictions.
        fields: Fields of scores to read; of the others nothing is known.
        keep: Gives what to keep of each prediction; nothing is kept without it.

    Returns:
        All predictions in their order, at most `MOST_TOGETHER` in each stretch.

    Raises:
        DecodeError: A part is not what was promised; `path` begins at the list. What stands
            before it was given.
    """
    stretch = Stretch(())
    try:
        for some in _read(model, predictions, fields, keep):
            if not stretch.join(some):
                if stretch.count:
                    yield stretch
                stretch = some
    except DecodeError:
        if stretch.count:
            yield stretch
        raise
    if stretch.count:
        yield stretch


def _read(
    model: str, predictions: Sequence[Scored], fields: tuple[str, ...], keep: _Keep
) -> Iterator[Stretch]:
    """Read predictions of one layout together, and others one by one."""
    raws = predictions.to_wire() if isinstance(predictions, Slices) else ()
    layout = _latest.get((model, fields)) if raws else None
    place = 0
    while place < len(predictions):
        if layout is not None:
            found = layout.read(raws[place : place + MOST_TOGETHER], keep)
            if found.count:
                place += found.count
                yield found
                continue
        one = predictions[place]
        names, scores = _split(one, fields, place)
        found = Stretch(names, may_have_gaps=True)
        found.kept += keep(one) if keep is not None else ()
        found.scores += scores
        found.count = 1
        place += 1
        yield found
        layout = _find_layout(model, fields, names) if raws else None


def _split(prediction: Scored, fields: tuple[str, ...], index: int) -> tuple[Names, array[float]]:
    """Return the names of a prediction's scores in some fields, and the scores."""
    names: list[tuple[str, ...] | None] = []
    scores = array("d")
    for field in fields:
        some: Scores | None = getattr(prediction, field)
        try:
            found, more = (None, []) if some is None else some.split()
        except DecodeError as problem:
            raise with_path_prefix(problem, f"$[{index}].{field}") from None
        names.append(found)
        scores.fromlist(more)
    return tuple(names), scores


def _find_layout(model: str, fields: tuple[str, ...], names: Names) -> Layout | None:
    """Return the layout of a prediction that was read the slower way.

    Returns:
        What reads further ones like it; `None` where it is met for the first time, or is such
        that it has to be read the slower way.
    """
    key = (model, fields, names)
    if key in _layouts:
        layout = _layouts[key]
        if layout is None:
            layout = _layouts[key] = _compile(model, fields, names)
        _latest[model, fields] = layout
        return layout
    if len(_layouts) < MOST_LAYOUTS and _can_be_compiled(names):
        _layouts[key] = None
    return None


def _can_be_compiled(names: Names) -> bool:
    """Whether there are names, and no list has one twice."""
    lists = [some for some in names if some]
    return bool(lists) and all(
        len(some) <= MOST_NAMES and len(set(some)) == len(some) for some in lists
    )


def _compile(model: str, fields: tuple[str, ...], names: Names) -> Layout:
    base, lists = LIGHT_CLASSES[model], dict(zip(fields, names, strict=True))
    whole = msgspec.defstruct(
        base.__name__,
        [_struct_field(field, some) for field, some in lists.items()],
        bases=(base,),
        kw_only=True,
        gc=False,
    )
    with_scores = tuple([field for field, some in lists.items() if some])
    pack = struct.Struct(f"{sum(map(len, filter(None, names)))}d").pack
    return Layout(names, msgspec.json.Decoder(whole).decode, with_scores, pack)


def _struct_field(name: str, names: tuple[str, ...] | None) -> tuple[str, Any, Any]:
    """Make the field of a list of scores: its name, its type and its default."""
    if names is None:
        return name, None, None
    return name, type_of_scores(names), msgspec.NODEFAULT if names else ()
