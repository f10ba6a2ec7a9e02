"""The gateway's own definition of its API, read leniently.

What the gateway publishes is no valid OpenAPI: path parameters stand without braces in the path,
and responses have no schema. It knows no catalog and sends nothing; `http/definition.py`
fetches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query
from humeai_async.types.json import is_object

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head"})
_PREFIX = "/humeai"
_MOST_REFERENCES = 20
"""Steps of a schema that refers to others, so that one that refers to itself ends."""


@frozen
class Operation:
    """One method of one path, as the gateway defines it."""

    method: str
    """In capitals, such as `GET`."""
    path: str
    """With braces around its parameters, such as `/v0/batch/jobs/{id}`, however it was given."""
    category: str = ""
    summary: str = ""
    reference: str = ""
    """Address of Hume's own page on it."""
    path_parameters: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


@frozen
class Definition:
    """What a gateway says of its API."""

    url: str = field(repr=repr_without_query)
    """Where it was found."""
    operations: tuple[Operation, ...]
    raw: Mapping[str, Any] = field(repr=False)
    """The whole document, as it came."""

    @classmethod
    def of(cls, document: object, url: str) -> Definition | None:
        """Read a document; `None` if it is no definition.

        Args:
            document: Decoded JSON, in an envelope or without.
            url: Where it was found.
        """
        while is_object(document) and "paths" not in document:
            inner = [document.get(name) for name in ("data", "result", "definition")]
            document = next((one for one in inner if is_object(one)), None)
        if not is_object(document) or not is_object(document["paths"]):
            return None
        return cls(url, tuple(_operations(document)), document)


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, operation in _fields(item).items():
            if method.lower() in _METHODS and is_object(operation):
                shared = _list(item, "parameters")
                parameters = [*shared, *_list(operation, "parameters")]
                yield _operation(document, method, path, operation, parameters)


def _operation(
    document: dict[str, Any],
    method: str,
    path: str,
    operation: dict[str, Any],
    parameters: list[object],
) -> Operation:
    named = [_resolve(document, one) for one in parameters]
    ids = _named(named, "path")
    tags = [tag for tag in _list(operation, "tags") if isinstance(tag, str)]
    reference = _fields(operation.get("externalDocs"))
    return Operation(
        method=method.upper(),
        path=_with_braces(path, ids),
        category=tags[0] if tags else "",
        summary=_text(operation.get("summary")),
        reference=_text(reference.get("api_ref") or reference.get("url")),
        path_parameters=ids,
        query=_named(named, "query"),
        body=_body(document, operation) or _named(named, "body"),
    )


def _named(parameters: list[dict[str, Any]], place: str) -> tuple[str, ...]:
    names = [_text(one.get("name")) for one in parameters if one.get("in") == place]
    return tuple(dict.fromkeys(name for name in names if name and name != "api_token"))


def _with_braces(path: str, names: tuple[str, ...]) -> str:
    """Put braces around the parameters of a path: around the last step of each name."""
    steps = path.removeprefix(_PREFIX).rstrip("/").split("/")
    for name in names:
        places = [place for place, step in enumerate(steps) if step == name]
        if f"{{{name}}}" not in steps and places:
            steps[places[-1]] = f"{{{name}}}"
    return "/".join(steps)


def _body(document: dict[str, Any], operation: dict[str, Any]) -> tuple[str, ...]:
    content = _fields(_resolve(document, operation.get("requestBody")).get("content"))
    names: dict[str, None] = {}
    for media in content.values():
        names |= dict.fromkeys(_members(document, _fields(media).get("schema")))
    return tuple(names)


def _members(document: dict[str, Any], schema: object, depth: int = 0) -> Iterator[str]:
    resolved = _resolve(document, schema)
    yield from _fields(resolved.get("properties"))
    if depth < _MOST_REFERENCES:
        for part in _list(resolved, "allOf"):
            yield from _members(document, part, depth + 1)


def _resolve(document: dict[str, Any], value: object) -> dict[str, Any]:
    """Follow a reference into the document; what cannot be followed is empty."""
    for _ in range(_MOST_REFERENCES):
        found = _fields(value)
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        value = document
        for step in reference.removeprefix("#/").split("/"):
            value = _fields(value).get(step)
    return {}


def _fields(value: object) -> dict[str, Any]:
    return value if is_object(value) else {}


def _list(value: object, name: str) -> list[object]:
    found = _fields(value).get(name)
    return cast("list[object]", found) if isinstance(found, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
