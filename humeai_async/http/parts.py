"""Parts of requests that are given as plain dicts: keys that no such part has are refused.

The attrs classes of the requests say which keys there are. It knows no endpoint and sends
nothing; the codec asks it before a request is written, and what starts long runs asks earlier.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import Any, cast, get_args, get_origin

from attrs import fields, has, resolve_types

from humeai_async.errors import InvalidArgumentError
from humeai_async.types.unknown_fields import Open

__all__ = ["check_keys", "check_parts", "suggest"]


def check_parts(request: object) -> None:
    """Refuse unknown keys in the dicts that stand in a typed request, or in a list of such.

    Raises:
        InvalidArgumentError: `field` names the argument, the message the key and its place.
    """
    if isinstance(request, (list, tuple)):
        for one in cast("list[object]", request):
            check_parts(one)
    elif has(type(request)):
        for name, part in _parts_of(cast("Any", type(request))).items():
            if part is not None:
                check_keys(name, getattr(request, name), part)


def check_keys(place: str, value: object, part: type) -> None:
    """Refuse keys that a class has no field for, in a dict given for it and in its own parts.

    Args:
        place: Where the value stands, such as `models.face`.
        value: A dict; a list of such; anything else is another's to check.
        part: Class that the dict stands for.

    Raises:
        InvalidArgumentError: `field` is the first step of the place.
    """
    if isinstance(value, Mapping):
        known = _parts_of(part)
        for key, one in cast("Mapping[str, object]", value).items():
            if key not in known:
                raise _unknown(place, key, part)
            inner = known[key]
            if inner is not None:
                check_keys(f"{place}.{key}", one, inner)
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(cast("list[object]", value)):
            check_keys(f"{place}[{index}]", one, part)
    elif has(type(value)):
        for name, inner in _parts_of(cast("Any", type(value))).items():
            if inner is not None:
                check_keys(f"{place}.{name}", getattr(value, name), inner)


def suggest(name: object, known: Collection[str]) -> str:
    """Return the known name that was probably meant, or all that there are."""
    import difflib  # of use to a mistake only, and no part of every program's start

    if not known:
        return "it takes none"
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}"


def _unknown(place: str, key: object, part: type) -> InvalidArgumentError:
    known = _parts_of(part)
    ways = f"; members newer than this library: {part.__name__}(extra={{...}})"
    return InvalidArgumentError(
        f"{place} has no key {key!r}: {suggest(key, known)}"
        f"{ways if issubclass(part, Open) else ''}",
        field=place.partition(".")[0].partition("[")[0],
    )


@functools.cache
def _parts_of(cls: Any) -> dict[str, type | None]:
    """Return the names of a class's fields, each with the class of the part that it holds."""
    return {
        one.name: _class_in(one.type)
        for one in fields(resolve_types(cls))
        if not (one.name == "extra" and issubclass(cls, Open))
    }


def _class_in(hint: Any) -> type | None:
    """Find the attrs class in a hint such as `Sequence[Tag | Mapping[str, Any]] | None`."""
    if isinstance(hint, type) and has(hint):
        return hint
    if get_origin(hint) in {dict, Mapping}:
        return None
    return next(filter(None, map(_class_in, get_args(hint))), None)
