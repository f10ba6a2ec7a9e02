"""Responses read in one pass, where they are as documented.

While msgspec parses a text it checks the fields of a class, as a struct that has the same ones,
and the object is made of the struct at once. Whatever is not as documented (a member that is no
field, a null where there is none, a value of another type) is left to the converter, which is
lenient and says what is wrong: nothing is refused here, and both read alike. It knows neither
cattrs nor a type of the service; `converter.py` says how fields are read.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from types import GenericAlias, MemberDescriptorType, NoneType
from typing import Any, NamedTuple, TypeAlias, Union, get_args, get_origin

import msgspec
from attrs import NOTHING, Factory, fields, has, resolve_types
from msgspec.structs import asdict

from humeai_async.types.paging import Items
from humeai_async.types.tagged import UNIONS

Read: TypeAlias = Callable[[Any], Any]
FieldReader: TypeAlias = Callable[[Any], tuple[frozenset[Any], Read]]
"""Tells the types that a field takes as they are, and what reads everything else."""


def reader_of(cls: Any, own: frozenset[str], read_field: FieldReader, lenient: Read) -> Read:
    """Return what reads a class of JSON text.

    Args:
        cls: What a response is read as.
        own: Names of fields that do not come with a response.
        read_field: How the converter reads a field of a type.
        lenient: How the converter reads a text; it is returned for what is never read in one pass.
    """
    if not _is_class(cls) or not all(_is_readable(f.type) for f in fields(resolve_types(cls))):
        return lenient
    struct, finish = _struct_of(cls, own, read_field)
    decode = msgspec.json.Decoder(struct).decode

    def read(body: bytes) -> Any:
        try:
            return finish(decode(body))
        except Exception:  # noqa: BLE001, S110 - the converter meets it, and says where it is
            pass
        return lenient(body)

    return read


def _is_class(hint: Any) -> bool:
    return isinstance(hint, type) and has(hint) and hint not in UNIONS


def _is_readable(hint: Any) -> bool:
    """Whether a field is not a list whose entries are read each for itself, or one of objects."""
    origin = get_origin(hint)
    is_lenient = isinstance(origin, type) and issubclass(origin, Items)
    return not is_lenient or _is_list_of_objects(hint)


def _is_list_of_objects(hint: Any) -> bool:
    return get_origin(hint) is Items and _is_class(get_args(hint)[0])


def _struct_of(cls: Any, own: frozenset[str], read_field: FieldReader) -> tuple[Any, Read]:
    """Make a struct of a class's fields, and what makes an object of it."""
    columns: list[tuple[str, Any, Any]] = []
    optional: dict[str, Read] = {}
    others: list[_Other] = []
    for f in fields(resolve_types(cls)):
        if f.name in own:
            continue
        takes, read = read_field(f.type)
        hint: Any = Any
        if takes - {NoneType} and not _is_factory(f.default):
            hint = Union[tuple(takes)]  # noqa: UP007 - of as many as there are
        elif f.default is None and str not in get_args(f.type):
            optional[f.name] = read
        else:
            if _is_list_of_objects(f.type):
                hint, read = _list_of(get_args(f.type)[0], own, read_field)
            others.append(_Other(f.name, read, f.default, NoneType in takes))
        columns.append((f.name, hint, _struct_default(f.default)))
    struct = msgspec.defstruct(
        cls.__name__, columns, kw_only=True, forbid_unknown_fields=True, gc=False
    )
    return struct, _finisher(cls, {name for name, _, _ in columns}, optional, others)


def _struct_default(default: Any) -> Any:
    if default is NOTHING:
        return msgspec.NODEFAULT
    return msgspec.UNSET if _is_factory(default) else default


def _list_of(item: Any, own: frozenset[str], read_field: FieldReader) -> tuple[Any, Read]:
    """Make the type of a list, and what makes objects of its structs."""
    struct, finish = _struct_of(item, own, read_field)
    many: Any = GenericAlias(list, (struct,))
    return many | None | msgspec.UnsetType, lambda found: Items(map(finish, found))


class _Other(NamedTuple):
    """A field that is read by itself, each time."""

    name: str
    read: Read
    default: Any
    takes_null: bool


def _is_factory(default: Any) -> bool:
    kind: Any = Factory  # a class, but to type checkers a function
    return isinstance(default, kind)


def _fresh(default: Any) -> Any:
    return default.factory() if _is_factory(default) else default


def _finisher(
    cls: Any, given: set[str], optional: Mapping[str, Read], others: Sequence[_Other]
) -> Read:
    """Return what makes an object of a struct.

    Args:
        cls: The class.
        given: Fields that the struct has.
        optional: Fields that mostly do not come, so that all are looked at together, with what
            reads them where they do.
        others: Fields that are read each time.
    """
    pick = operator.itemgetter(*optional) if optional else None
    nothing = pick and pick(dict.fromkeys(optional))
    make = _maker(cls, given)

    def finish(found: Any) -> Any:
        values = asdict(found)
        if pick is not None and pick(values) != nothing:
            for name, read in optional.items():
                if values[name] is not None:
                    values[name] = read(values[name])
        for name, read, default, takes_null in others:
            one = values[name]
            if one is default or (one is None and takes_null):
                continue
            if default is not NOTHING and (one is None or one is msgspec.UNSET):
                values[name] = _fresh(default)
            else:
                values[name] = read(one)
        return make(values)

    return finish


def _maker(cls: Any, given: set[str]) -> Read:
    """Return what makes an object of the values of the given fields; all others are new.

    Where objects have a dict, and attrs would do nothing but fill it, it is filled at once, as
    msgspec fills objects: to take twenty arguments one by one is most of what reading takes.
    """
    has_dict = any("__dict__" in vars(base) for base in cls.__mro__)
    is_filled = not hasattr(cls, "__attrs_post_init__") and not any(
        f.converter or f.validator or (f.name in given and _is_slot(cls, f.name))
        for f in fields(cls)
    )
    if not (has_dict and is_filled):
        return lambda values: cls(**values)
    rest = [f for f in fields(cls) if f.name not in given]
    constants = {f.name: f.default for f in rest if not _is_factory(f.default)}
    made_anew = [(f.name, f.default.factory) for f in rest if f.name not in constants]
    slots = [one for one in made_anew if _is_slot(cls, one[0])]
    factories = [one for one in made_anew if one not in slots]
    set_directly = object.__setattr__  # frozen classes have one that refuses

    def make(values: dict[str, Any]) -> Any:
        made = object.__new__(cls)
        if constants:
            values.update(constants)
        for name, factory in factories:
            values[name] = factory()
        set_directly(made, "__dict__", values)
        for name, factory in slots:
            set_directly(made, name, factory())
        return made

    return make


def _is_slot(cls: type, name: str) -> bool:
    """Whether a field is a slot, of a base class."""
    return isinstance(getattr(cls, name, None), MemberDescriptorType)
