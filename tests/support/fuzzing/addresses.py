"""What must hold of addresses: the checks of ids, queries and base URLs.

URLs are taken apart again the way aiohttp takes them, through yarl, before it sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fuzzing.mutations import ENDPOINTS
from routes import request_of, url_of
from yarl import URL

from humeai_async.errors import ConfigurationError, InvalidArgumentError
from humeai_async.http.endpoint import Call, Endpoint, fill
from humeai_async.http.gateway import LowCodeAPI
from humeai_async.http.origins import Direct, Format, Origin

HOST = "https://host.test:8443/base"
TOKEN = "at_t0ken/+&="
ORIGINS: tuple[tuple[Origin, list[tuple[str, str]]], ...] = (
    (Direct(HOST, api_key="key"), []),
    (LowCodeAPI(TOKEN, base_url=HOST), [("api_token", TOKEN)]),
)
"""Both origins, each with what it adds to a query."""
PORTS = {"http": 80, "https": 443}


def filled(endpoint: Endpoint[Any], ids: Sequence[Any], query: Mapping[str, Any]) -> Any:
    """Fill an endpoint in, or return nothing where an argument is refused by name."""
    try:
        return fill(endpoint, *ids, query=query)
    except InvalidArgumentError as problem:
        refusal = problem
    assert refusal.field in {*endpoint.parameters, *query}
    assert str(refusal).isprintable()
    return None


def check_call(endpoint: Endpoint[Any], ids: Sequence[Any], query: Mapping[str, Any]) -> None:
    """Fill an endpoint in and see what would leave, to both origins and in both formats."""
    call = filled(endpoint, ids, query)
    if call is None:
        return
    assert call.ids == tuple(map(str, ids))
    for origin, added in ORIGINS:
        formats = origin.formats(call) if isinstance(origin, LowCodeAPI) else (Format.NEW,)
        for url_format in formats:
            url = URL(url_of(request_of(origin, call, None, url_format)))
            path, own = _written(call, url_format)
            _check_url(url, path, [*own, *call.query, *added])


def _written(call: Call[Any], url_format: Format) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the steps that a path must have, and what the ids add to the query."""
    steps = ["", "base", *call.endpoint.path.split("/")[1:]]
    if url_format is Format.OLD:
        names = [step.strip("{}") for step in steps]
        return names, list(zip(call.endpoint.parameters, call.ids, strict=True))
    ids = iter(call.ids)
    return [next(ids) if "{" in step else step for step in steps], []


def _check_url(url: URL, path: list[str], query: list[tuple[str, str]]) -> None:
    """Check that a URL has this path and these query fields, and nothing more."""
    assert (url.scheme, url.host, url.port, url.user) == ("https", "host.test", 8443, None)
    assert url.raw_fragment == ""
    assert (url.raw_path + url.raw_query_string).isascii()
    assert [unquote(step, errors="strict") for step in url.raw_path.split("/")] == path
    sent = parse_qsl(url.raw_query_string, keep_blank_values=True, errors="strict")
    assert sent == query


def check_base(base: str) -> None:
    """Take a base URL: it is refused by name, or calls go there and nowhere else."""
    try:
        origin = Direct(base, api_key="key")
    except ConfigurationError as problem:
        refusal = str(problem)
    else:
        _check_where(base, origin)
        return
    assert "base_url" in refusal


def _check_where(base: str, origin: Origin) -> None:
    call = fill(ENDPOINTS["tools.list"])
    url = URL(url_of(request_of(origin, call)))
    meant = urlsplit(base)
    assert url.scheme == meant.scheme
    assert url.raw_host
    assert url.raw_host == URL.build(scheme="http", host=meant.hostname or "").raw_host
    assert url.port == (meant.port or PORTS[meant.scheme])
    assert (url.user, url.raw_query_string, url.raw_fragment) == (None, "", "")
    assert unquote(url.raw_path) == unquote(meant.path).rstrip("/") + "/v0/evi/tools"
    assert origin.is_hume is url.raw_host.endswith(".hume.ai")
