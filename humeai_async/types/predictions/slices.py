"""Lists of predictions, left as slices of the body until somebody reads them.

A video has a prediction for every face in every frame, and their objects can weigh several
times what their text does. `Slices` looks like a list of them and keeps no more than where each
one stands; `Sliced` puts it into the classes that hold such lists. What stands inside a
prediction is told in `scores.py`.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

import msgspec
from attrs import frozen

from humeai_async.errors import DecodeError
from humeai_async.types.json import UNREADABLE, is_array, is_object, scan, with_path_prefix

__all__ = ["RawSlices", "Sliced", "Slices"]

T = TypeVar("T")


class Slices(Sequence[T]):
    """A list of predictions, each made of its part of the body when it is asked for.

    What was made is not kept here: reading a million predictions one after the other takes no
    more memory than reading one. Who looks at one several times holds it.
    """

    __slots__ = ("_decoder", "_raws")

    def __init__(self, decoder: msgspec.json.Decoder[T], raws: Sequence[msgspec.Raw]) -> None:
        self._decoder = decoder
        self._raws = raws

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> Slices[T]: ...
    def __getitem__(self, key: int | slice) -> T | Slices[T]:
        """Make the prediction at a position.

        Raises:
            IndexError: There is no such position.
            DecodeError: The body is wrong here.
        """
        if isinstance(key, slice):
            return Slices(self._decoder, self._raws[key])
        raw = self._raws[key]
        try:
            return self._decoder.decode(raw)
        except UNREADABLE:
            return self._with_whole_numbers(raw, key)

    def _with_whole_numbers(self, raw: msgspec.Raw, key: int) -> T:
        """Make a prediction that may have `1.0` for `1`, as everywhere else; else tell of it."""
        # If that goes wrong, the scanner below tells of what it met first.
        with contextlib.suppress(*UNREADABLE):
            raw = msgspec.Raw(msgspec.json.encode(_whole(msgspec.json.decode(raw))))
        try:
            return scan(self._decoder, raw, "the prediction is not what was promised")
        except DecodeError as problem:
            raise with_path_prefix(problem, f"$[{range(len(self))[key]}]") from None

    def __iter__(self) -> Iterator[T]:
        for place in range(len(self)):
            yield self[place]

    def __len__(self) -> int:
        return len(self._raws)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Slices, list)):
            return NotImplemented
        items = cast("Sequence[object]", other)
        return len(self) == len(items) and all(map(operator.eq, self, items))

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as of a list

    def to_wire(self) -> Sequence[msgspec.Raw]:
        """Return what the JSON writer takes: the texts as they came."""
        return self._raws

    def __repr__(self) -> str:
        return f"Slices({len(self)} of {self._decoder.type.__name__})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unread, (self._decoder.type, b"[%b]" % b",".join(self._raws))


def _unread(kind: type[T], text: bytes) -> Slices[T]:
    """Make slices of their JSON text, so that pickles and copies are read when touched, too."""
    return Slices(msgspec.json.Decoder(kind), msgspec.json.decode(text, type=list[msgspec.Raw]))


def _whole(value: Any) -> Any:
    """Write whole numbers as such, wherever they stand in plain JSON."""
    if is_object(value):
        return {name: _whole(inner) for name, inner in value.items()}
    if is_array(value):
        return [_whole(inner) for inner in value]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _BEYOND
    return int(value) if is_whole else value


_BEYOND = 2**63
"""First number that no field for whole ones takes."""


if TYPE_CHECKING:
    RawSlices = Sequence
else:

    class RawSlices:
        """What the scanner sees of a list of predictions."""

        def __class_getitem__(cls, kind: type) -> Any:
            return list[msgspec.Raw]


@frozen(kw_only=True)
class Sliced:
    """Turns the raw slices of its predictions into `Slices`."""

    decoder: ClassVar[msgspec.json.Decoder[Any]]
    """Makes a prediction."""

    predictions: RawSlices[Any]
    """In the service's order, each made of the body when it is asked for, and not kept."""

    def __attrs_post_init__(self) -> None:
        raws = self.predictions
        if raws and isinstance(raws[0], msgspec.Raw):
            object.__setattr__(self, "predictions", Slices(self.decoder, raws))
