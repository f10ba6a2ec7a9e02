"""Plain JSON values to types and back: the one converter, taught in one file.

Only this module knows cattrs. It knows no type of the service by name: how a class is read
follows from its fields, unions register themselves (`types/tagged.py`), and what was left as
JSON text says so by a `to_wire`. The codec calls it.

What is coerced, on purpose: a whole float is accepted for an integer and an integer for a
float (JavaScript in the gateway writes `1.0` as `1`), and null for a field that can do without
a value. Unknown keys are ignored, unknown enum texts stay text, unknown tags become the
union's fallback class. A list goes on behind an entry that cannot be read.
"""

from __future__ import annotations

import enum
import functools
import json
import logging
import math
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec
from attrs import NOTHING, evolve, fields, has, resolve_types
from cattrs import Converter
from cattrs.cols import is_mapping
from cattrs.gen import make_dict_unstructure_fn, override

from humeai_async._base.unset import Unset
from humeai_async.errors import DecodeError
from humeai_async.http import one_pass
from humeai_async.types.json import is_array, is_object, json_type
from humeai_async.types.paging import Items, ListPage, OneOrMany, Undecodable
from humeai_async.types.tagged import FALLBACKS, MEMBERS, UNIONS
from humeai_async.types.unknown_fields import Open

logger: logging.Logger = logging.getLogger("humeai_async.codec")

T = TypeVar("T")
Hook: TypeAlias = Callable[[Any, Any], Any]
"""Reads a plain value as a type."""
Check: TypeAlias = Callable[[Any], None]
"""Refuses an object that is not what was asked for."""

_PLAIN = frozenset({str, int, float, bool})
_OBJECT = frozenset({dict})
_ARRAY = frozenset({list})
"""What the parser makes of objects and arrays; to ask this takes no call."""
_NOTHING = frozenset[Any]()
_LONGEST_NAME = 100
"""Characters of a member's name that a path shows."""
_MOST_NAMES = 5
"""Names of members that an error repeats."""
_EXTRA = "extra"
"""Field of an `Open` class that holds what is no field of it."""
_OWN_FIELDS = frozenset(field.name for field in fields(ListPage))
"""Fields of a page that say how it was read."""
_NEVER_SENT = _OWN_FIELDS | {_EXTRA}
"""Fields that do not come with a response."""


class _WrongValueError(Exception):
    """A value is not of its type; whatever holds it adds a step of the path, inside first."""

    def __init__(self, reason: str, *steps: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = [*steps]

    @property
    def path(self) -> str:
        return "$" + "".join(reversed(self.steps))


def _wrong(problem: Exception) -> _WrongValueError:
    """Take any error of reading a value for what it is: a wrong value."""
    if isinstance(problem, _WrongValueError):
        return problem
    return _WrongValueError(str(problem) or type(problem).__name__)


def _inside(step: str, problem: Exception) -> _WrongValueError:
    """Add the step that leads to where a problem is."""
    found = _wrong(problem)
    found.steps.append(step)
    return found


def structure(returns: type[T], plain: object) -> T:
    """Make plain JSON values into typed ones.

    Raises:
        DecodeError: They are not of that type; `path` says where.
    """
    hint: Any = returns  # to mypy a type is not hashable
    found: T = reader_of(hint)(plain)
    return found


@functools.cache
def reader_of(returns: Any) -> Callable[[object], Any]:
    """Find out once how a type is read; what is returned does it, and fails as `structure` does."""
    read, checks = _converter.get_structure_hook(returns), _checks_of(returns)

    def read_whole(plain: Any) -> Any:
        try:
            if type(plain) in _OBJECT:
                for check in checks:
                    check(plain)
            return read(plain, returns)
        except Exception as problem:  # noqa: BLE001 - whatever a hook raises is about the body
            found = _wrong(problem)
        raise DecodeError(
            f"the response does not have the documented form: {found.reason} at {found.path}",
            path=found.path,
            # Gateways make a text, or nothing, of a body that came to them cut off.
            is_whole=is_object(plain) or is_array(plain),
        )

    return read_whole


def one_pass_reader(returns: Any, lenient: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return what reads JSON text as a type in one pass where it is as documented.

    Args:
        returns: The type.
        lenient: Reads what is not; see `one_pass.py`.
    """

    def read_field(hint: Any) -> tuple[frozenset[Any], Callable[[Any], Any]]:
        as_it_is, read, hint = _field_reader(hint, _converter)
        return as_it_is, lambda value: read(value, hint)

    return one_pass.reader_of(returns, _NEVER_SENT, read_field, lenient)


def to_plain(value: object) -> Any:
    """Make typed objects into plain JSON ones; fields equal to their default are left out."""
    return _converter.unstructure(value)


def _text(value: object, _: object) -> str:
    if type(value) is str:
        return value
    raise _WrongValueError(f"expected text, got {json_type(value)}")


def _integer(value: object, _: object) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise _WrongValueError(f"expected an integer, got {json_type(value)}")


def _number(value: object, _: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise _WrongValueError(f"expected a number, got {json_type(value)}")


def _boolean(value: object, _: object) -> bool:
    if type(value) is bool:
        return value
    raise _WrongValueError(f"expected a boolean, got {json_type(value)}")


def _object(value: object) -> dict[str, Any]:
    if is_object(value):
        return value
    raise _WrongValueError(f"expected an object, got {json_type(value)}")


def _object_hook(cls: Any, converter: Converter) -> Hook:
    """Read a class from an object only: cattrs finds nothing missing in a list or a text."""
    keeps_unknown = issubclass(cls, Open)
    found_fields = [f for f in fields(resolve_types(cls)) if f.init]
    required = [f.name for f in found_fields if f.default is NOTHING]
    sent = [f for f in found_fields if f.name not in _NEVER_SENT]
    readers = {f.name: _field_reader(f.type, converter) for f in sent}
    as_they_are = {name: taken for name, (taken, _, _) in readers.items()}

    # In one frame, with a look at each field's type: a call for each would take twice as long.
    def read_object(value: Any, _: object) -> object:
        plain: dict[str, Any] = value if type(value) in _OBJECT else _object(value)
        found = plain.copy()
        name, unknown = "", False
        try:
            for name, one in plain.items():
                if type(one) in as_they_are.get(name, _NOTHING):
                    continue
                if name not in readers:
                    del found[name]
                    unknown = True
                elif one is not None or name in required:
                    _, read, hint = readers[name]
                    found[name] = read(one, hint)
                else:
                    del found[name]
        except Exception as problem:  # noqa: BLE001 - it goes on, with its place
            raise _inside(f".{name}", problem) from None
        for name in required:
            if name not in found:
                raise _WrongValueError(f"{name!r} is missing", f".{name}")
        if unknown and keeps_unknown:
            found[_EXTRA] = {name: one for name, one in plain.items() if name not in readers}
        return cls(**found)

    return read_object


def _field_reader(hint: Any, converter: Converter) -> tuple[frozenset[Any], Hook, Any]:
    """Return the types that a field takes as they are, and what reads everything else as what."""
    as_it_is: frozenset[Any] = frozenset()
    if _is_union(hint) and types.NoneType in get_args(hint):
        as_it_is |= {types.NoneType}
        if not _is_odd_union(hint):
            (hint,) = [a for a in get_args(hint) if a is not types.NoneType]
    if get_origin(hint) is Literal:  # the tag of a union, by which the class was chosen
        hint = str
    if hint in _PLAIN:
        as_it_is |= {hint}
    return as_it_is, converter.get_structure_hook(hint), hint


def _mapping_hook(hint: Any, converter: Converter) -> Hook:
    """Read an object whose members' names are not known before.

    Null for a number is one that is missing, as NaN and null are among the scores of
    predictions; other members that are null are left out.
    """
    _, item = get_args(hint)
    read_item = converter.get_structure_hook(item)
    takes_null = _takes_null(item)

    def read(value: object, _: object) -> dict[str, object]:
        plain = _object(value)
        found: dict[str, object] = {}
        name = ""
        try:
            for name, one in plain.items():
                if one is not None or takes_null:
                    found[name] = read_item(one, item)
                elif item is float:
                    found[name] = math.nan
        except Exception as problem:  # noqa: BLE001 - it goes on, with its place
            raise _inside(_member(name), problem) from None
        return found

    return read


def _member(name: str) -> str:
    """Write the step to a member whose name is no field of a class."""
    return "[...]" if len(name) > _LONGEST_NAME else f"[{json.dumps(name)}]"


def _start_of(name: str) -> str:
    return "..." if len(name) > _LONGEST_NAME else name


def _is_union(hint: object) -> bool:
    return get_origin(hint) in {Union, types.UnionType}


def _takes_null(hint: object) -> bool:
    """Whether null is a value of a type."""
    is_free = hint is Any or hint is object or hint is types.NoneType
    return is_free or (_is_union(hint) and types.NoneType in get_args(hint))


def _is_odd_union(hint: object) -> bool:
    """Whether a union is more than `X | None`, which cattrs knows by itself."""
    return _is_union(hint) and len([a for a in get_args(hint) if a is not types.NoneType]) > 1


def _odd_union_hook(hint: Any, converter: Converter) -> Any:
    """Read open enums, plain alternatives, and classes that may be given as dicts.

    An object that is not of the class stays a dict where dicts are allowed.
    """
    options = [a for a in get_args(hint) if a not in {types.NoneType, Unset}]
    enums = [a for a in options if isinstance(a, type) and issubclass(a, enum.Enum)]
    classes = [a for a in options if isinstance(a, type) and has(a)]
    plain = _PLAIN.intersection(options)
    known = {member.value: member for member in enums[0]} if enums else {}
    lists = [a for a in options if get_origin(a) in {list, tuple}]
    dicts = [a for a in options if get_origin(a) in {dict, Mapping}]
    nullable = types.NoneType in get_args(hint)

    def read(value: object, _: object) -> object:
        if value is None and nullable:
            return None
        if isinstance(value, str) and enums:
            return known.get(value, value)
        if is_object(value) and classes:
            try:
                return converter.structure(value, classes[0])
            except Exception:
                if not dicts:
                    raise
                return value
        if is_array(value) and lists:
            return converter.structure(value, lists[0])
        if type(value) in plain or (type(value) is int and float in plain):
            return value
        raise _WrongValueError(f"got {json_type(value)}, which is none of the possible types")

    return read


def _union_hook(base: Any, converter: Converter) -> Hook:
    """Read one of the classes of a union that is distinguished by a tag."""
    union = UNIONS[base]

    def read(value: object, _: object) -> Any:
        plain = _object(value)
        tag = plain.get(union.tag)
        member = union.members.get(tag) if isinstance(tag, str) else None
        if member is None:
            return converter.structure({**plain, "data": plain}, union.fallback)
        return converter.structure(plain, member)

    return read


def _member_writer(member: Any, converter: Converter) -> Callable[[Any], Any]:
    """Write a member of a union with its tag, although that equals the field's default."""
    tag_name = MEMBERS[member].tag

    def write(value: object) -> dict[str, Any]:
        tag = converter.unstructure(getattr(value, tag_name))
        return {tag_name: tag, **write_rest(value)}

    write_rest = _fields_writer(member, converter)
    return write


def _fields_writer(cls: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Write the fields of a class; those of an `Open` one with what it did not know."""
    if not issubclass(cls, Open):
        return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True)
    omitted: Any = {_EXTRA: override(omit=True)}
    write = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **omitted)
    return lambda value: {**write(value), **value.extra}


def _page_hook(cls: Any, converter: Converter) -> Hook:
    """Read a page, and say of it what its lists left out."""
    read = _object_hook(cls, converter)
    names = _wire_names(cls)
    lists = [f.name for f in fields(resolve_types(cls)) if get_origin(f.type) is Items]

    def read_page(value: Any, hint: Any) -> object:
        if type(value) in _ARRAY and cls.may_come_in_parts:
            return _join_pages(cls, value, converter)
        if type(value) in _OBJECT:
            _check_known(names, value)
        page = read(value, hint)
        for name in lists:
            items: Items[Any] = getattr(page, name)
            if items.nulls or items.undecodable:
                page = evolve(
                    page,
                    nulls=page.nulls + items.nulls,
                    undecodable=[*page.undecodable, *items.undecodable],
                )
        return page

    return read_page


def _join_pages(cls: Any, value: list[Any], converter: Converter) -> object:
    """Make one page of an array of pages, as the reference types the files of a dataset."""
    value = [page for page in value if page is not None]
    if not all(is_object(page) for page in value):
        raise _WrongValueError("expected a page or an array of pages")
    many: Any = types.GenericAlias(list, (cls,))
    pages = converter.structure(value, many)
    return evolve(
        pages[-1] if pages else cls(),
        content=Items([item for page in pages for item in page.content]),
        nulls=sum(page.nulls for page in pages),
        undecodable=[odd for page in pages for odd in page.undecodable],
    )


def _items_hook(hint: Any, converter: Converter) -> Hook:
    """Read the entries of a list, each for itself: one that cannot be read costs no other."""
    (item,) = get_args(hint)
    make: Any = get_origin(hint)
    takes_one = issubclass(make, OneOrMany)
    read_item = converter.get_structure_hook(item)

    def read(value: Any, _: object) -> object:
        if takes_one and type(value) in _OBJECT:
            return make([read_item(value, item)])
        if type(value) not in _ARRAY:
            raise _WrongValueError(f"expected an array, got {json_type(value)}")
        found: Items[Any] = make()
        for index, one in enumerate(value):
            if one is None:
                found.nulls += 1
                continue
            try:
                found.append(read_item(one, item))
            except Exception as problem:  # noqa: BLE001 - it is kept, and told once
                wrong = _wrong(problem)
                odd = Undecodable(json=one, reason=wrong.reason, path=wrong.path, index=index)
                found.undecodable.append(odd)
                _warn_once(getattr(item, "__name__", str(item)), odd.reason, odd.path)
        return found

    return read


@functools.lru_cache(maxsize=256)
def _warn_once(kind: str, reason: str, path: str) -> None:
    """Log an entry that cannot be read: once for each kind of problem, not for each entry."""
    logger.warning(
        "an entry of a list could not be read as %s (%s at %s): it is in `undecodable`, the "
        "other entries are not affected; this kind of problem is logged once",
        kind,
        reason,
        path,
    )


def _is_sequence(hint: object) -> bool:
    return get_origin(hint) in {list, Sequence}


def _array_hook(hint: Any, converter: Converter) -> Hook:
    """Read an array; cattrs alone takes the keys of an object and the letters of a text, too.

    Nulls are left out: what is missing inside of an object never costs the object.
    """
    (item,) = get_args(hint)
    is_list = get_origin(hint) is list
    takes_null = _takes_null(item)
    read_item = converter.get_structure_hook(item)

    def read(value: Any, _: object) -> object:
        if type(value) not in _ARRAY:
            raise _WrongValueError(f"expected an array, got {json_type(value)}")
        if item is str and set(map(type, value)) <= {str}:  # such as the URLs of a whole job
            return list(value) if is_list else tuple(value)
        found: list[Any] = []
        place = 0
        try:
            for place, one in enumerate(value):  # noqa: B007 - an error says where
                if one is not None or takes_null:
                    found.append(read_item(one, item))
        except Exception as problem:  # noqa: BLE001 - it goes on, with its place
            raise _inside(f"[{place}]", problem) from None
        return found if is_list else tuple(found)

    return read


def _is_page(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, ListPage)


def _is_open(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, Open)


def _page_writer(cls: Any, converter: Converter) -> Callable[[Any], Any]:
    """Write a page without what says how it was read."""
    omitted: Any = dict.fromkeys(_OWN_FIELDS, override(omit=True))
    return make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=True, **omitted)


def _is_items(hint: Any) -> bool:
    return (get_origin(hint) or hint) in (Items, OneOrMany)


def _is_union_base(hint: Any) -> bool:
    return hint in UNIONS


def _is_anything(hint: Any) -> bool:
    return hint is object


def _is_raw(hint: Any) -> bool:
    """Whether a field or class is left as JSON text; to the scanner, fields are slices."""
    return hint in (msgspec.Raw, list[msgspec.Raw]) or hasattr(hint, "to_wire")


def _make_converter() -> Converter:
    """Make a converter; hooks that are registered later are asked first."""
    converter = Converter(omit_if_default=True, detailed_validation=False)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook_func(_is_anything, lambda value, _: value)
    converter.register_structure_hook_factory(_is_sequence, _array_hook)
    converter.register_structure_hook_factory(_is_odd_union, _odd_union_hook)
    converter.register_structure_hook_factory(has, _object_hook)
    converter.register_structure_hook_factory(is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(_is_page, _page_hook)
    converter.register_structure_hook_factory(_is_items, _items_hook)
    converter.register_structure_hook_factory(_is_union_base, _union_hook)
    _register_writers(converter)
    return converter


def _register_writers(converter: Converter) -> None:
    """Teach a converter to write what is not written field by field."""

    def write_each(many: Any) -> list[Any]:
        return [converter.unstructure(one) for one in many]

    def write_raw(value: Any) -> object:
        raw = value.to_wire() if hasattr(value, "to_wire") else value
        # A video has tens of thousands of slices, and to look at each takes a third of the writing.
        is_text = not is_array(raw) or (raw and isinstance(raw[0], msgspec.Raw))
        return raw if is_text else write_each(raw)

    converter.register_unstructure_hook_func(_is_raw, write_raw)
    converter.register_unstructure_hook_func(_is_items, write_each)
    converter.register_unstructure_hook_factory(_is_open, _fields_writer)
    converter.register_unstructure_hook_factory(_is_page, _page_writer)
    converter.register_unstructure_hook_func(
        _is_union_base, lambda value: converter.unstructure(value, unstructure_as=type(value))
    )
    converter.register_unstructure_hook_func(
        lambda hint: hint in FALLBACKS, lambda value: value.data
    )
    # Made at first use, when the members that stand inside this one have their writers too.
    converter.register_unstructure_hook_factory(lambda hint: hint in MEMBERS, _member_writer)


_converter = _make_converter()


def _checks_of(returns: Any) -> tuple[Check, ...]:
    """Return how to tell that a response is something else."""
    is_class = has(returns) and returns not in UNIONS
    names = _wire_names(returns) if is_class else frozenset[str]()
    checks: tuple[Check, ...] = (_check_success,) if names.isdisjoint(_REFUSALS) else ()
    can_be_strange = _is_open(returns) or getattr(returns, "may_be_empty", False)
    if is_class and not issubclass(returns, ListPage) and not can_be_strange:
        checks += (functools.partial(_check_known, names),)
    return checks


def _wire_names(cls: Any) -> frozenset[str]:
    """Return the names of a class's fields that the service may send."""
    names = frozenset(field.name for field in fields(cls))
    return names - _OWN_FIELDS if issubclass(cls, ListPage) else names


_REFUSALS = {"error", "success"}
"""Members by which gateways say that a call failed, although the status is one of success."""


def _check_success(plain: dict[str, Any]) -> None:
    """Refuse an error that came with a status of success; most fields have defaults."""
    if plain.get("error") or plain.get("success") is False:
        name = "error" if plain.get("error") else "success"
        raise _WrongValueError(f"the response says that the call failed ({name!r})", f".{name}")


def _check_known(names: frozenset[str], plain: dict[str, Any]) -> None:
    """Refuse an object that holds nothing of a class, such as `{"message": "try later"}`.

    All fields may be missing, so that it would pass for an empty page or a thing without data.
    """
    if plain and names.isdisjoint(plain):
        shown = ", ".join([_start_of(name) for name in plain][:_MOST_NAMES])
        raise _WrongValueError(f"none of its fields is known ({shown})")
