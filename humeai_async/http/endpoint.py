"""The description of one endpoint, and how it is filled in.

`Endpoint` is a constant of the catalog: what is called and what comes back. `fill` makes a
`Call` of it; it is pure and refuses ids that could change the meaning of a path. Nothing
here knows a host, a credential or an envelope.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import unquote, urljoin

from attrs import Factory, field

from humeai_async._base.base_values import as_base
from humeai_async._base.frozen import define, frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async._base.urls import repr_without_query
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.messages import Part, Request
from humeai_async.limiter.allowance import Allowance

T = TypeVar("T")

QueryValue: TypeAlias = str | int | float | bool | Sequence[str] | Unset | None
"""What a query field may hold; `None` and `UNSET` leave it out, a sequence repeats its key."""

_PARAMETER = re.compile(r"\{(\w+)\}")
_UNSAFE_ID = re.compile(r"[ /\\?#%$,:{}]")
"""What must not stand in a path id: the gateway escapes nothing, so any of these would
address something else, or be taken for the name of another id."""

_MOST_SHOWN = 100
"""Characters of a refused text that its error repeats."""


class Encoding(enum.StrEnum):
    """How the body of a request is written."""

    NONE = "none"
    JSON = "json"
    MULTIPART = "multipart"
    BARE_JSON = "bare_json"
    """A JSON value that is not an object or array; the gateway refuses those."""


class Pagination(enum.StrEnum):
    """The form in which an endpoint hands out a list: whole, or in which kind of pages."""

    NONE = "none"
    NUMBERED = "page_number"
    """`page_number` and `page_size` in, `total_pages` and a named list out."""
    SPRING = "spring"
    """The registry's pages: `content`, `number`, `total_pages`, `last`."""
    CURSOR = "cursor"
    """`cursor` and `page_size` in, `next_cursor` and a named list out."""


def _encoding_of(endpoint: Endpoint[Any]) -> Encoding:
    return Encoding.JSON if endpoint.body else Encoding.NONE


def _paging_of(endpoint: Endpoint[Any]) -> Pagination:
    if endpoint.items is None:
        return Pagination.NONE
    return Pagination.SPRING if endpoint.items == "content" else Pagination.NUMBERED


def _is_repeatable(endpoint: Endpoint[Any]) -> bool:
    return endpoint.method not in {"POST", "PATCH"}


def _parameters_of(endpoint: Endpoint[Any]) -> tuple[str, ...]:
    return tuple(_PARAMETER.findall(endpoint.path))


@frozen(eq=False)
class Endpoint(Generic[T]):
    """One operation of the service, as a constant: equal to itself alone."""

    name: str
    """Resource and method of this library, such as `configs.create_version`."""
    method: str
    path: str
    """Path template, such as `/v0/evi/configs/{id}/version/{version}`."""
    returns: type[T]
    """Type of the decoded response; `bytes` for raw ones, `NoneType` where it says nothing."""
    bucket: str
    """Which quota it draws on."""
    site: str = ""
    """Where its product's reference begins."""
    docs: str = ""
    """Its page there."""
    row: str | None = None
    """Its label in the documented table of 63 rows, or `None` beyond it."""
    query: tuple[str, ...] = ()
    """Query fields that the service knows."""
    body: tuple[str, ...] = ()
    """Body fields that the service knows."""
    items: str | None = None
    """Field of a page that holds its items."""
    encoding: Encoding = Factory(_encoding_of, takes_self=True)
    """How its body is written: a body is JSON if nothing else is said."""
    paging: Pagination = Factory(_paging_of, takes_self=True)
    """How its list is handed out: by the name of `items` if nothing is said."""
    repeatable: bool = Factory(_is_repeatable, takes_self=True)
    """Whether sending it twice does what sending it once does; all but POST and PATCH do."""
    binary: bool = False
    """Whether the response is not text."""
    socket: bool = False
    """Whether it is a WebSocket; what comes back is then one message."""
    sunset: dt.date | None = None
    """First day on which Hume no longer serves it."""
    replacement: str = ""
    """What took its place."""
    is_cloud: bool = False
    """Whether Hume serves it at `api.cloud.hume.ai`, which no gateway reaches."""
    allowance: Allowance | None = None
    """How many calls its bucket takes in a time, where that is documented."""
    parameters: tuple[str, ...] = field(
        init=False, default=Factory(_parameters_of, takes_self=True)
    )
    """Names of the path parameters, in order."""

    @property
    def source(self) -> str:
        """Link to the reference."""
        return urljoin(self.site, self.docs)


@define
class Call(Generic[T]):
    """An endpoint with everything filled in but host and credential."""

    endpoint: Endpoint[T]
    ids: tuple[str, ...] = ()
    """Checked path values, in the order of the path."""
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: object = field(default=UNSET, repr=False)
    """JSON body before encoding: attrs objects, dicts, lists or text."""
    parts: tuple[Part, ...] = field(default=(), repr=False)
    """Parts of a multipart body."""
    before_send: Callable[[Request], Awaitable[None]] | None = field(default=None, repr=False)
    """Awaited each time that a request is about to be sent: after all waits for the limiter."""

    @property
    def can_repeat(self) -> bool:
        """Whether all parts of its body can be sent a second time."""
        return not self.parts or all(part.repeatable for part in self.parts)


def fill(
    endpoint: Endpoint[T],
    *ids: str | int,
    query: Mapping[str, QueryValue] | None = None,
    body: object = UNSET,
    parts: Sequence[Part] = (),
) -> Call[T]:
    """Fill an endpoint in.

    Args:
        endpoint: What to call.
        ids: Values of the path parameters, in the path's order.
        query: Query fields; `None` and `UNSET` values are left out.
        body: JSON body.
        parts: Parts of a multipart body.

    Raises:
        InvalidArgumentError: An id is empty or holds what must not stand in a path.
    """
    checked: tuple[str, ...] = ()
    if ids or endpoint.parameters:
        pairing = zip(ids, endpoint.parameters, strict=True)
        checked = tuple([check_id(value, name) for value, name in pairing])
    pairs = tuple(query_pairs(query)) if query else ()
    return Call(endpoint, checked, pairs, body, tuple(parts))


def check_id(value: object, field_name: str) -> str:
    r"""Return a path id, a text, a `UUID` or a number, as text if it is safe to put into a path.

    Raises:
        InvalidArgumentError: It is something else, empty, `.` or `..`, a number below 0, or
            holds white space, control characters or any of `/ \ ? # % $ , : { }`.
    """
    value = str(value) if isinstance(value, uuid.UUID) else as_base(value)
    text = _written(field_name, value)
    is_id = isinstance(value, (str, int)) and not isinstance(value, bool)
    is_safe = text not in {"", ".", ".."} and text.isprintable() and not _UNSAFE_ID.search(text)
    if not (is_id and is_safe):
        raise InvalidArgumentError(
            f"{field_name} must be a plain id of letters, digits, '-' and '_', not {_start(text)}",
            field=field_name,
        )
    if isinstance(value, int) and value < 0:
        raise InvalidArgumentError(f"{field_name} must be 0 or more, not {text}", field=field_name)
    return text


def has_dot_segments(path: str) -> bool:
    """Whether a path has steps `.` or `..`: even escaped ones are resolved before it is sent."""
    return not {".", ".."}.isdisjoint(unquote(path).split("/"))


def query_pairs(query: Mapping[str, QueryValue]) -> list[tuple[str, str]]:
    """Write query fields as pairs of texts; what is `None` or `UNSET` is left out.

    Raises:
        InvalidArgumentError: A name or a value cannot stand in a query.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None or isinstance(value, Unset):
            continue
        if not isinstance(cast("object", name), str):
            raise InvalidArgumentError("the names of query fields must be strings", field="query")
        key = _check_encodable(name, as_base(name))
        is_many = isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
        many = cast("Iterable[object]", value) if is_many else [value]
        pairs.extend([(key, _text(key, one)) for one in many])
    return pairs


def _text(name: str, value: object) -> str:
    value = as_base(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise InvalidArgumentError(
            f"{name} must be a string, a number or a boolean, or a list of those, not "
            f"{type(value).__name__}",
            field=name,
        )
    return _check_encodable(name, _written(name, value))


def _written(name: str, value: object) -> str:
    """Write a value as text."""
    try:
        return str(value)
    except ValueError:  # from thousands of digits on
        reason = f"{name} is too large a number"
    raise InvalidArgumentError(reason, field=name)


def _check_encodable(name: str, text: str) -> str:
    """Refuse half a surrogate pair, as of a broken file name: it has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        reason = f"{name!r} holds characters that cannot be sent: {_start(text)}"
    else:
        return text
    raise InvalidArgumentError(reason, field=name)


def _start(text: str) -> str:
    """Show how a refused text begins; it may be a signed URL, or a whole file."""
    return repr_without_query(text[:_MOST_SHOWN])
