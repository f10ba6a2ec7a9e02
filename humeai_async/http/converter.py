"""Plain JSON objects to types and back: the one converter, taught in one file.

Only this module knows cattrs. The codec imports it with the first typed answer or request:
with it come all types, which takes longer than everything else in the package.

What is coerced, on purpose: a whole float is accepted for an integer and an integer for a
float (JavaScript in the gateway writes `1.0` as `1`), nothing else. Unknown keys are ignored,
unknown enum texts stay text, unknown tags become the union's fallback class.
"""

from __future__ import annotations

import enum
import functools
import json
import operator
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar, Union, cast, get_args, get_origin

import msgspec
from attrs import evolve, fields, has, resolve_types
from cattrs import (
    AttributeValidationNote,
    ClassValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.cols import is_mapping
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from humeai_async._base.unset import Unset
from humeai_async.errors import DecodeError
from humeai_async.types import batch, chat
from humeai_async.types.json import is_array, is_object, json_type
from humeai_async.types.paging import NumberedPage, SpringPage
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.scores import Scores
from humeai_async.types.predictions.slices import Slices
from humeai_async.types.registry import Dataset
from humeai_async.types.tagged import Tagged

T = TypeVar("T")
P = TypeVar("P", int, str)
Hook: TypeAlias = Callable[[Any, Any], Any]
"""Reads a plain value as a type."""

_PLAIN = frozenset({str, int, float, bool})
_OBJECT = frozenset({dict})
_ARRAY = frozenset({list})
"""What the parser makes of objects and arrays; to ask this takes no call."""
_LONGEST_NAME = 100
"""Characters of a member's name that a path tells."""

TAGGED: tuple[Tagged, ...] = (
    batch.JOBS,
    chat.CLIENT_EVENTS,
    chat.SERVER_EVENTS,
    chat.TOOL_RESULTS,
)
"""Every union that is told apart by a tag."""


def structure(returns: type[T], plain: object) -> T:
    """Make plain JSON objects into typed ones.

    Raises:
        DecodeError: They are not of that type; `path` says where.
    """
    try:
        return cast("T", _reader(cast("Any", returns))(plain, returns))
    except Exception:  # noqa: BLE001, S110 - whatever it is comes again
        pass
    # Once more, keeping track of the place: that takes too long for every answer.
    try:
        return _tracking_converter().structure(plain, returns)
    except Exception as problem:  # noqa: BLE001 - whatever a hook raises is about the body
        path, reason = _first_problem(problem)
    raise DecodeError(f"the answer is not what was promised: {reason} at {path}", path=path)


def unstructure(value: object) -> Any:
    """Make typed objects into plain JSON ones; fields equal to their default are left out."""
    return _converter.unstructure(value)


def _first_problem(problem: BaseException, path: str = "$") -> tuple[str, str]:
    """Walk down cattrs' groups of errors to the first leaf, collecting its JSON path."""
    while isinstance(problem, (ClassValidationError, IterableValidationError)):
        problem = problem.exceptions[0]
        for note in getattr(problem, "__notes__", ()):
            if isinstance(note, IterableValidationNote):
                path += _step(note.index)
            elif isinstance(note, AttributeValidationNote):
                path += f".{note.name}"
    if isinstance(problem, KeyError):
        return path, f"{problem} is missing"
    return path, str(problem) or type(problem).__name__


def _step(place: object) -> str:
    """Write the place of an element, or the name of a member that is no field of a class."""
    if not isinstance(place, str):
        return f"[{place}]"
    return "[...]" if len(place) > _LONGEST_NAME else f"[{json.dumps(place)}]"


def _text(value: object, _: object) -> str:
    if type(value) is str:
        return value
    raise TypeError(f"expected text, got {json_type(value)}")


def _integer(value: object, _: object) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise TypeError(f"expected an integer, got {json_type(value)}")


def _number(value: object, _: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise TypeError(f"expected a number, got {json_type(value)}")


def _boolean(value: object, _: object) -> bool:
    if type(value) is bool:
        return value
    raise TypeError(f"expected a boolean, got {json_type(value)}")


def _object(value: object) -> dict[str, Any]:
    if is_object(value):
        return value
    raise TypeError(f"expected an object, got {json_type(value)}")


def _object_hook(cls: Any, converter: Converter) -> Hook:
    """Read a class from an object only: cattrs finds nothing missing in a list or a text."""
    if converter.detailed_validation:
        return _from_object(make_dict_structure_fn(cls, converter))
    known = {
        f.name: (f.alias, *_field_reader(f.type, converter))
        for f in fields(resolve_types(cls))
        if f.init
    }

    # In one frame, with a look at each field's type: a call for each would take twice as long.
    def read_object(value: Any, _: object) -> object:
        plain: dict[str, Any] = value if type(value) in _OBJECT else _object(value)
        found: dict[str, object] = {}
        for name, one in plain.items():
            if name in known:
                argument, as_it_is, read, hint = known[name]
                found[argument] = one if type(one) in as_it_is else read(one, hint)
        return cls(**found)

    return read_object


def _field_reader(hint: Any, converter: Converter) -> tuple[frozenset[Any], Hook, Any]:
    """Return the types that a field takes as they are, and what reads everything else as what."""
    as_it_is: frozenset[Any] = frozenset()
    if _is_optional(hint):
        (hint,) = [a for a in get_args(hint) if a is not types.NoneType]
        as_it_is |= {types.NoneType}
    if hint in _PLAIN:
        as_it_is |= {hint}
    return as_it_is, converter.get_structure_hook(hint), hint


def _mapping_hook(hint: Any, converter: Converter) -> Hook:
    """Read an object whose members' names are not known before."""
    _, item = get_args(hint)
    read_item = converter.get_structure_hook(item)
    tracks = converter.detailed_validation

    def read(plain: dict[str, Any], _: object) -> dict[str, object]:
        if tracks:
            return dict(_tracked(plain.items(), read_item, item))
        return {name: read_item(one, item) for name, one in plain.items()}

    return _from_object(read)


def _from_object(read: Callable[[Any, Any], object]) -> Hook:
    # The first look saves a call: there are more objects than anything else.
    def read_object(value: object, hint: Any) -> object:
        return read(value if type(value) is dict else _object(value), hint)

    return read_object


def _is_optional(hint: object) -> bool:
    return _is_union(hint) and types.NoneType in get_args(hint) and not _is_odd_union(hint)


def _is_union(hint: object) -> bool:
    return get_origin(hint) in {Union, types.UnionType}


def _is_odd_union(hint: object) -> bool:
    """Whether a union is more than `X | None`, which cattrs knows by itself."""
    return _is_union(hint) and len([a for a in get_args(hint) if a is not types.NoneType]) > 1


def _odd_union_hook(hint: Any, converter: Converter) -> Any:
    """Read open enums, plain alternatives, and classes that may be given as dicts."""
    options = [a for a in get_args(hint) if a not in {types.NoneType, Unset}]
    enums = [a for a in options if isinstance(a, type) and issubclass(a, enum.Enum)]
    classes = [a for a in options if isinstance(a, type) and has(a)]
    plain = _PLAIN.intersection(options)
    known = {member.value: member for member in enums[0]} if enums else {}
    lists = [a for a in options if get_origin(a) in {list, tuple}]
    nullable = types.NoneType in get_args(hint)

    def read(value: object, _: object) -> object:
        if value is None and nullable:
            return None
        if isinstance(value, str) and enums:
            return known.get(value, value)
        if is_object(value) and classes:
            return converter.structure(value, classes[0])
        if is_array(value) and lists:
            return converter.structure(value, lists[0])
        if type(value) in plain or (type(value) is int and float in plain):
            return value
        raise TypeError(f"got {json_type(value)}, which is none of the possible types")

    return read


def _tagged_hooks(converter: Converter, union: Tagged) -> None:
    """Teach a converter one union that is told apart by a tag."""

    def read(value: object, _: object) -> Any:
        plain = _object(value)
        tag = plain.get(union.tag)
        member = union.members.get(tag) if isinstance(tag, str) else None
        if member is None:
            return converter.structure({**plain, "data": plain}, union.fallback)
        return converter.structure(plain, member)

    converter.register_structure_hook_func(lambda hint: hint is union.base, read)
    converter.register_unstructure_hook_func(
        lambda hint: hint is union.base,
        lambda value: converter.unstructure(value, unstructure_as=type(value)),
    )
    converter.register_unstructure_hook(union.fallback, lambda value: value.data)
    for member in set(union.members.values()):
        # Made at first use, when the members that stand inside this one have their writers too.
        converter.register_unstructure_hook_factory(
            functools.partial(operator.is_, member),
            functools.partial(_writer_with_tag, union=union),
        )


def _writer_with_tag(member: type, converter: Converter, union: Tagged) -> Callable[[Any], Any]:
    """Write a member with its tag, although that equals the field's default."""

    def write(value: object) -> dict[str, Any]:
        tag = converter.unstructure(getattr(value, union.tag))
        return {union.tag: tag, **write_rest(value)}

    write_rest: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
        member, converter, _cattrs_omit_if_default=True
    )
    return write


def _page_hook(cls: Any, converter: Converter) -> Any:
    """Read a page, dropping the nulls that Hume puts among its items."""
    lists = {f.name: f.type for f in fields(resolve_types(cls)) if _list_in(f.type) is not None}
    tracks = converter.detailed_validation
    read: Hook
    if tracks:
        sifts: dict[str, Any] = {
            name: override(struct_hook=_sifted(hint, converter)) for name, hint in lists.items()
        }
        read = make_dict_structure_fn(cls, converter, **sifts)
    else:
        read = _object_hook(cls, converter)

    def read_page(value: Any, hint: Any) -> object:
        if type(value) in _ARRAY and issubclass(cls, SpringPage):
            return _join_pages(cls, value, converter)
        plain: dict[str, Any] = value if type(value) in _OBJECT else _object(value)
        nulls = 0
        for name in lists:
            part: Any = plain.get(name)
            if type(part) in _ARRAY and (holes := part.count(None)):
                nulls += holes
                # Where places are told, they are those before the nulls are taken out.
                plain = plain if tracks else {**plain, name: _without_nulls(part)}
        return read({**plain, "nulls": nulls} if nulls else plain, hint)

    return read_page


def _without_nulls(many: list[Any]) -> list[Any]:
    return [one for one in many if one is not None]


def _list_in(hint: Any) -> Any:
    """Return `list[X]` of `list[X]` and of `list[X] | None`, or nothing."""
    return next((one for one in (hint, *get_args(hint)) if get_origin(one) is list), None)


def _sifted(hint: Any, converter: Converter) -> Any:
    """Read a list and leave its nulls out, once the place of each element is known."""
    many = _list_in(hint)
    nullable: Any = types.GenericAlias(list, (get_args(many)[0] | None,))
    nullable = nullable if many is hint else nullable | None
    read_all = converter.get_structure_hook(nullable)

    def read(value: object, _: object) -> list[Any] | None:
        found = read_all(value, nullable)
        return found and _without_nulls(found)

    return read


def _join_pages(cls: Any, value: list[Any], converter: Converter) -> object:
    """Make one page of an array of pages, as the reference types the files of a dataset."""
    if not all(is_object(page) for page in value):
        raise TypeError("expected a page or an array of pages")
    many: Any = types.GenericAlias(list, (cls,))
    pages = converter.structure(value, many)
    items = [item for page in pages for item in page.content]
    return evolve(pages[-1] if pages else cls(), content=items)


def _is_sequence(hint: object) -> bool:
    return get_origin(hint) in {list, Sequence}


def _array_hook(hint: Any, converter: Converter) -> Any:
    """Read an array; cattrs alone takes the keys of an object and the letters of a text, too."""
    (item,) = get_args(hint)
    make: type[list[Any] | tuple[Any, ...]] = list if get_origin(hint) is list else tuple
    read_item = converter.get_structure_hook(item)
    tracks = converter.detailed_validation

    def read(value: Any, _: object) -> object:
        if type(value) not in _ARRAY:
            raise TypeError(f"expected an array, got {json_type(value)}")
        if tracks:
            numbered: enumerate[Any] = enumerate(value)
            return make([one for _, one in _tracked(numbered, read_item, item)])
        many = [read_item(one, item) for one in value]
        return many if type(many) is make else make(many)

    return read


# Its own signature is not the one that the type checker sees.
_InArrayError: Any = IterableValidationError


def _tracked(
    elements: Iterable[tuple[P, object]], read: Callable[[object, Any], object], hint: Any
) -> Iterator[tuple[P, object]]:
    """Read what is in an array or object, and say of the first wrong one where it stands.

    cattrs goes on and keeps an error for each: a million wrong ones hold the loop for 18 s.
    """
    for place, one in elements:
        try:
            yield place, read(one, hint)
        except Exception as problem:  # noqa: BLE001 - it goes on, with its place
            problem.add_note(IterableValidationNote(f"at {place}", place, object))
            raise _InArrayError("a wrong element", [problem], list) from None


def _array_or_one_hook(hint: Any, converter: Converter) -> Any:
    """Read an array that may come as its only element."""
    read_array = _array_hook(hint, converter)

    def read_either(value: object, _: object) -> object:
        if is_object(value):
            return [converter.structure(value, get_args(hint)[0])]
        return read_array(value, hint)

    return read_either


def _make_converter(*, tracks: bool) -> Converter:
    """Make a converter.

    Args:
        tracks: Whether its errors say where they happened.
    """
    converter = Converter(omit_if_default=True, detailed_validation=tracks)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook_factory(_is_sequence, _array_hook)
    converter.register_structure_hook_factory(_is_odd_union, _odd_union_hook)
    converter.register_structure_hook_factory(has, _object_hook)
    converter.register_structure_hook_factory(is_mapping, _mapping_hook)
    # Fields with predictions or scores are slices to the scanner, and so to the converter.
    converter.register_unstructure_hook_func(
        lambda hint: hint is Slices or hint == list[msgspec.Raw],
        lambda many: (
            many.to_wire()
            if isinstance(many, Slices)
            else [converter.unstructure(one) for one in many]
        ),
    )
    converter.register_unstructure_hook(msgspec.Raw, Scores.to_wire)
    converter.register_unstructure_hook(Scores, Scores.to_wire)
    converter.register_unstructure_hook(
        Predictions,
        lambda found: (
            msgspec.Raw(found.body)
            if found.body
            else [converter.unstructure(source) for source in found]
        ),
    )
    converter.register_structure_hook_factory(
        lambda cls: isinstance(cls, type) and issubclass(cls, (NumberedPage, SpringPage)),
        _page_hook,
    )
    converter.register_structure_hook_factory(
        lambda hint: hint == list[Dataset],  # a new dataset version: documented as an array
        _array_or_one_hook,
    )
    for union in TAGGED:
        _tagged_hooks(converter, union)
    return converter


_converter = _make_converter(tracks=False)


@functools.cache
def _reader(returns: Any) -> Hook:
    """Find out once how a type is read."""
    return _converter.get_structure_hook(returns)


@functools.cache
def _tracking_converter() -> Converter:
    return _make_converter(tracks=True)
