"""Lists of predictions, left as slices of the body until somebody reads them.

A video has a prediction for every face in every frame, and their objects can weigh several
times what their text does. `Slices` looks like a list of them and keeps no more than where each
one stands; `Group` puts it into the classes that hold such lists. The scores inside of a
prediction are in `scores.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, overload

import msgspec
from attrs import Factory

from humeai_async._base.frozen import frozen
from humeai_async.errors import DecodeError
from humeai_async.types.json import UNREADABLE, scan_leniently, with_path_prefix

__all__ = ["NO_SLICES", "Group", "RawSlices", "Slices"]

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
            return self._read_leniently(raw, key)

    def _read_leniently(self, raw: msgspec.Raw, key: int) -> T:
        try:
            return scan_leniently(self._decoder, raw, "the prediction cannot be read")
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
        kind = self._decoder.type
        return f"Slices({len(self)} of {getattr(kind, '__name__', kind)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unread, (self._decoder.type, b"[%b]" % b",".join(self._raws))


def _unread(kind: type[T], text: bytes) -> Slices[T]:
    """Make slices of their JSON text, so that pickles and copies are read when touched, too."""
    return Slices(msgspec.json.Decoder(kind), msgspec.json.decode(text, type=list[msgspec.Raw]))


# The scanner has to see a list of raw slices where everybody else, from `__attrs_post_init__`
# on, sees a sequence of predictions: msgspec has no hook that makes one of the other.
if TYPE_CHECKING:
    RawSlices = Sequence
else:

    class RawSlices:
        """What the scanner sees of a list of predictions."""

        def __class_getitem__(cls, kind: type) -> Any:
            return list[msgspec.Raw]


NO_SLICES: Any = Factory(list[Any])
"""Default of such a field."""


@frozen(kw_only=True)
class Group(Generic[T]):
    """All predictions of one face or speaker, each read from the body when it is asked for."""

    decoder: ClassVar[msgspec.json.Decoder[Any]]
    """Reads one prediction of the group from its JSON."""

    id: str = "unknown"
    """Label of the face or speaker such as `face_0`, or `unknown` if they were not told apart."""
    predictions: RawSlices[T] = NO_SLICES
    """Predictions in the service's order, each read from the body when it is asked for."""

    def __attrs_post_init__(self) -> None:
        raws: Any = self.predictions
        if raws and isinstance(raws[0], msgspec.Raw):
            object.__setattr__(self, "predictions", Slices(self.decoder, raws))
