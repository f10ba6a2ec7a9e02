"""Damage to valid answers, in one place for hypothesis and for the coverage-guided run.

All dice are thrown by a `random.Random` that the caller brings: hypothesis brings one whose
throws it controls and shrinks, the coverage-guided run one that it seeds from its input.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from humeai_async import catalog
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.batch import JobDetails
from humeai_async.types.chat import ClientEvent, ServerEvent
from humeai_async.types.json import is_array, is_object

ANSWERS = Path(__file__).parents[2] / "samples" / "answers"
_FACTS = json.loads((ANSWERS.parent / "endpoints.json").read_text("utf-8"))

Dice: TypeAlias = random.Random
Holder: TypeAlias = dict[str, Any] | list[Any]

SECRET = "at_pl4nted/s3cret"
"""The credential of the origins here; it turns up in damaged bodies, and must nowhere else."""

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.0, 0.5, -0.0, 1e308, 2**53 + 1, 2**63, 2**64, -(2**63) - 1,
    10**30, "", "x", "COMPLETED", "PAUSED", "null", "NaN", "\x00", "\x1b[31m", "\u202e",
    "\U0001f600", "a" * 5000, SECRET, "E0300", [], {}, [None], [[]], {"": {}},
    {"type": "nobody_knows"},
)  # fmt: skip
ODD_TEXTS: tuple[bytes, ...] = (
    b"", b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b'"', b"\\", b"\\ud800", b"\\u0000", b",",
    b":", b"{", b"}", b"[", b"]", b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 400,
    b"1." + b"3" * 400, b"[" * 200, b"]" * 200, b'{"a":' * 300, b"\n", b"//", b"<html>",
)  # fmt: skip
DEPTHS = (3, 60, 400, 3000)

_EXTRA = {
    "extra_list_jobs": list[JobDetails],
    "extra_tl_predictions": catalog.BATCH_GET_PREDICTIONS.returns,
    "chat": list[ServerEvent],
}


def _samples() -> dict[str, tuple[Any, bytes]]:
    """Find every sample of an answer, with the type that it is read as."""
    names = {
        fact["operation"]: endpoint.returns
        for fact, endpoint in zip(_FACTS, catalog.ALL, strict=False)
        if fact["row"] is not None
    } | _EXTRA
    return {
        name: (returns, path.read_bytes())
        for name, returns in names.items()
        if (path := ANSWERS / f"{name}.json").exists()
    }


SAMPLES: dict[str, tuple[Any, bytes]] = _samples()
"""Type and body of a valid answer, by name."""
ERROR_SAMPLES: list[bytes] = [p.read_bytes() for p in sorted(ANSWERS.glob("extra_error_*.json"))]

TYPES: dict[str, Any] = {
    **{endpoint.name: endpoint.returns for endpoint in catalog.ALL},
    "job_list": list[JobDetails],
    "server_event": ServerEvent,
    "client_event": ClientEvent,
    "server_events": list[ServerEvent],
}
"""Every type that a body is read as."""

ENDPOINTS: dict[str, Endpoint[Any]] = {endpoint.name: endpoint for endpoint in catalog.ALL}


def places(value: Any) -> list[list[Any]]:
    """Find the way to every value in a sample, of lists to the first two elements."""
    found: list[list[Any]] = []
    pending: list[tuple[Any, list[Any]]] = [(value, [])]
    while pending:
        inner, way = pending.pop()
        found.append(way)
        if is_object(inner):
            pending.extend((one, [*way, name]) for name, one in inner.items())
        elif is_array(inner):
            pending.extend((one, [*way, place]) for place, one in enumerate(inner[:2]))
    return found


def put(plain: Any, way: list[Any], value: Any) -> Any:
    """Return a copy of a sample with one value replaced."""
    if not way:
        return value
    holder = root = copy.deepcopy(plain)
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = value
    return root


def mutated(plain: Any, dice: Dice, most: int = 3) -> Any:
    """Return a copy of JSON values with a few changes: keys, types, values, nesting."""
    root = [copy.deepcopy(plain)]
    for _ in range(dice.randint(1, most)):
        places = list(_places(root))
        if places:
            dice.choice(_CHANGES)(*dice.choice(places), dice, places)
    return root[0] if root else None


def damaged(text: bytes, dice: Dice, most: int = 3) -> bytes:
    """Return bytes with a few of them cut out, flipped, written twice or put in between."""
    for _ in range(dice.randint(1, most)):
        start = dice.randint(0, len(text))
        stop = min(len(text), start + dice.choice((1, 2, 8, 60, len(text))))
        piece = text[start:stop]
        match dice.randrange(5):
            case 0:
                text = text[:start] + text[stop:]
            case 1:
                text = text[:start]
            case 2:
                flipped = bytes(byte ^ (1 << dice.randrange(8)) for byte in piece[:2])
                text = text[:start] + flipped + text[start + len(flipped) :]
            case 3:
                text = text[:stop] + piece[:200] + text[stop:]
            case _:
                text = text[:start] + dice.choice(ODD_TEXTS) + text[start:]
    return text


def spoiled(body: bytes, dice: Dice) -> bytes:
    """Return a body with its values changed, its bytes damaged, or both."""
    kind = dice.randrange(3)
    if kind < 2:
        body = written(mutated(json.loads(body), dice), dice)
    return damaged(body, dice) if kind > 0 else body


def written(plain: Any, dice: Dice) -> bytes:
    """Write JSON values in one of the ways that servers do, deep ones included."""
    text = json.dumps(
        plain,
        ensure_ascii=dice.random() < 0.5,
        indent=dice.choice((None, None, 1)),
        allow_nan=True,
    )
    while _NEST in text:
        depth = dice.choice(DEPTHS)
        opening, closing = dice.choice((("[", "]"), ('{"a":', "}")))
        text = text.replace(f'"{_NEST}"', opening * depth + "1" + closing * depth, 1)
        text = text.replace(_NEST, "", text.count(_NEST) - text.count(f'"{_NEST}"'))
    return text.encode("utf-8", "surrogatepass")


_NEST = "nested without end"
"""Stands for nesting that neither `json` nor a copy could carry."""


def _places(value: Holder) -> Iterator[tuple[Holder, Any]]:
    """Walk over all members and elements."""
    for key, inner in list(value.items() if is_object(value) else enumerate(value)):
        yield value, key
        if is_object(inner) or is_array(inner):
            yield from _places(inner)


def _delete(holder: Any, key: Any, *_: Any) -> None:
    del holder[key]


def _replace(holder: Any, key: Any, dice: Dice, _: Any) -> None:
    holder[key] = copy.deepcopy(dice.choice(ODD_VALUES))


def _repeat(holder: Any, key: Any, dice: Dice, _: Any) -> None:
    if is_array(holder):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[f"{key}{dice.choice(('', '_', ' ', '2'))}"] = holder[key]


def _swap(holder: Any, key: Any, dice: Dice, places: list[tuple[Any, Any]]) -> None:
    other, its = dice.choice(places)
    holder[key], other[its] = copy.deepcopy(other[its]), copy.deepcopy(holder[key])


def _wrap(holder: Any, key: Any, dice: Dice, _: Any) -> None:
    holder[key] = dice.choice(([holder[key]], {"data": holder[key]}, [None, holder[key]]))


def _unwrap(holder: Any, key: Any, *_: Any) -> None:
    inner = holder[key]
    parts: list[Any] = [*inner.values()] if is_object(inner) else inner if is_array(inner) else []
    if parts:
        holder[key] = parts[0]


def _retype(holder: Any, key: Any, *_: Any) -> None:
    value = holder[key]
    if isinstance(value, str):
        holder[key] = len(value)
    elif is_array(value):
        holder[key] = {str(place): one for place, one in enumerate(value)}
    elif is_object(value):
        holder[key] = [*value.values()]
    else:
        holder[key] = str(value)


def _scale(holder: Any, key: Any, dice: Dice, _: Any) -> None:
    value = holder[key]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        holder[key] = value * dice.choice((-1, 10, 10**20))


def _nest(holder: Any, key: Any, *_: Any) -> None:
    holder[key] = _NEST


def _add(holder: Any, _: Any, dice: Dice, places: list[tuple[Any, Any]]) -> None:
    """Add a member under a name that stands elsewhere: unknown here, perhaps known."""
    names = [name for _, name in places if isinstance(name, str)] or ["added"]
    if is_object(holder):
        holder[dice.choice(names)] = copy.deepcopy(dice.choice(ODD_VALUES))


_CHANGES = (
    _delete,
    _replace,
    _replace,
    _repeat,
    _swap,
    _wrap,
    _unwrap,
    _retype,
    _scale,
    _nest,
    _add,
)
