"""Responses read in one pass, where they are as documented.

While msgspec parses a text it checks the fields of a class, as a struct that has the same ones,
and the object is made of the struct at once. Whatever is not as documented (a member that is no
field, a null where there is none, a value of another type) is left to the converter, which is
lenient and says what is wrong: nothing is refused here, and both read alike. It knows neither
cattrs nor a type of the service; `converter.py` says how fields are read.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GenericAlias, MemberDescriptorType, NoneType
from typing import Any, TypeAlias, Union, get_args, get_origin

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
    decode = msgspec.json.Decoder(struct, dec_hook=_read_other).decode

    def read(body: bytes) -> Any:
        try:
            return finish(decode(body))
        except Exception:  # noqa: BLE001, S110 - the converter meets it, and says where it is
            pass
        return lenient(body)

    return read


class _Other(type):
    """Type of a field that msgspec does not know, for which the converter reads what it finds."""

    read: Read

    def __instancecheck__(cls, _: object) -> bool:
        """Take whatever the converter made, which msgspec asks about."""
        return True


def _read_other(hint: Any, found: Any) -> Any:  # to msgspec, hint is a class
    return hint.read(found)


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
    lists: list[tuple[str, Read]] = []
    for f in fields(resolve_types(cls)):
        if f.name in own:
            continue
        if _is_list_of_objects(f.type):
            struct, finish = _struct_of(get_args(f.type)[0], own, read_field)
            hint: Any = GenericAlias(list, (struct,))
            lists.append((f.name, finish))
        else:
            hint = _hint_of(f.type, read_field)
        if _is_factory(f.default):  # it is called later, for null too
            columns.append((f.name, hint | None | msgspec.UnsetType, msgspec.UNSET))
        else:
            default = msgspec.NODEFAULT if f.default is NOTHING else f.default
            columns.append((f.name, hint, default))
    struct = msgspec.defstruct(
        cls.__name__, columns, kw_only=True, forbid_unknown_fields=True, gc=False
    )
    return struct, _finisher(cls, own, lists)


def _finisher(cls: Any, own: frozenset[str], lists: list[tuple[str, Read]]) -> Read:
    """Return what makes an object of a struct; own fields are new.

    Where objects have a dict, and attrs would do nothing but fill it, it is filled at once, as
    msgspec fills objects: to take twenty arguments one by one is most of what reading takes.
    """
    factories = [(f.name, f.default.factory) for f in fields(cls) if _is_factory(f.default)]
    constants = {
        f.name: f.default for f in fields(cls) if f.name in own and not _is_factory(f.default)
    }
    is_filled = _has_dict_alone(cls)
    new = object.__new__
    set_directly = object.__setattr__  # frozen classes have one that refuses

    def finish_object(found: Any) -> Any:
        values = asdict(found)
        for name, finish in lists:
            if type(values[name]) is list:
                values[name] = Items(map(finish, values[name]))
        if constants:
            values.update(constants)
        for name, factory in factories:
            one = values.get(name)
            if one is None or one is msgspec.UNSET:
                values[name] = factory()
        if not is_filled:
            return cls(**values)
        made = new(cls)
        set_directly(made, "__dict__", values)
        return made

    return finish_object


def _hint_of(hint: Any, read_field: FieldReader) -> Any:
    """Return what a field is to msgspec."""
    takes, read = read_field(hint)
    if takes - {NoneType}:
        return Union[tuple(takes)]  # noqa: UP007 - of as many as there are
    other: Any = _Other("Other", (), {"read": staticmethod(read)})
    return other | None if takes else other


def _is_factory(default: Any) -> bool:
    kind: Any = Factory  # a class, but to type checkers a function
    return isinstance(default, kind)


def _has_dict_alone(cls: Any) -> bool:
    """Whether all fields of an object stand in its dict, as they were given."""
    return any("__dict__" in vars(base) for base in cls.__mro__) and not (
        hasattr(cls, "__attrs_post_init__")
        or any(
            f.converter
            or f.validator
            or isinstance(getattr(cls, f.name, None), MemberDescriptorType)  # of a base's slot
            for f in fields(cls)
        )
    )
