"""Ids, queries and base URLs of every kind: what leaves is what was meant, or is refused.

URLs are taken apart again as aiohttp takes them before it sends, and some really go out, to
a server on a socket and through both gateways of the fake.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from fuzzing.budget import examples
from fuzzing.mutations import ENDPOINTS
from hypothesis import given
from hypothesis import strategies as st
from rawserver import RawServer, answer
from support import DIALECTS, client_of
from yarl import URL

from humeai_async import HumeAI, InvalidArgumentError, NotFoundError
from humeai_async.endpoint import Call, Endpoint, fill
from humeai_async.errors import ConfigurationError
from humeai_async.origins import Direct, LowCodeAPI, Origin, check_base_url
from humeai_async.testing import Dialect, FakeHume
from humeai_async.testing.exchange import Answer, Arrival
from humeai_async.testing.upstream import Upstream

S = TypeVar("S", bound=contextlib.AbstractAsyncContextManager[Any])

HOST = "https://host.test:8443/base"
TOKEN = "at_t0ken/+&="
ORIGINS: tuple[Origin, ...] = (Direct(HOST, api_key="key"), LowCodeAPI(TOKEN, base_url=HOST))
WITH_IDS = sorted(name for name, endpoint in ENDPOINTS.items() if endpoint.parameters)

ANY_TEXT = st.text(st.characters(codec=None), max_size=12)
PIECES = st.sampled_from(
    ["a", "Z9", "-_~", "{", ".", "..", "...", "/", "\\", "?", "#", "%", "%2e", "%2F", "$&", ",",
     ":", ";", "&", "=", "+", "@", "!", "*", "'", '"', "(", "[", "{id}", "{version}",
     "|", "^", "`", "<", " ", "\t", "\n", "\x00", "\x7f", "\u00e9", "e\u0301", "\u3002",
     "\uff0e\uff0e", "\uff0f", "\u202e", "\u00a0", "\u2028", "\U0001f600", "\ud800", "http://evil.test/"]
)  # fmt: skip
TEXTS = ANY_TEXT | st.lists(PIECES, max_size=4).map("".join)
IDS = TEXTS | st.integers() | st.sampled_from([True, None, 1.5, b"a", 10**5000])
QUERY_VALUES = st.one_of(
    TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXTS, max_size=3)
)
QUERIES = st.dictionaries(
    TEXTS | st.sampled_from(["page_number", "name"]), QUERY_VALUES, max_size=3
)


def filled(endpoint: Endpoint[Any], ids: list[Any], query: Any) -> Call[Any] | None:
    """Fill an endpoint in, or return nothing where an argument is refused by name."""
    try:
        return fill(endpoint, *ids, query=query)
    except InvalidArgumentError as problem:
        refusal = problem
    assert refusal.field in {*endpoint.parameters, *query}
    assert str(refusal).isprintable()
    return None


def check_address(url: URL, call: Call[Any], path: str, extra: list[tuple[str, str]]) -> None:
    """Check that a URL, as it goes out, has this path and these query fields, and no more."""
    assert (url.scheme, url.host, url.port, url.user) == ("https", "host.test", 8443, None)
    assert url.raw_fragment == ""
    assert (url.raw_path + url.raw_query_string).isascii()
    assert [unquote(step, errors="strict") for step in url.raw_path.split("/")] == path.split("/")
    sent = parse_qsl(url.raw_query_string, keep_blank_values=True, errors="strict")
    assert sent == [*extra, *call.query, *sent[len(extra) + len(call.query) :]]
    assert sent[len(extra) + len(call.query) :] in ([], [("api_token", TOKEN)])


@examples(300)
@given(st.sampled_from(WITH_IDS), st.data(), QUERIES)
def test_what_leaves_is_what_was_meant(name: str, data: st.DataObject, query: Any) -> None:
    endpoint = ENDPOINTS[name]
    ids = [data.draw(IDS) for _ in endpoint.parameters]
    call = filled(endpoint, ids, query)
    if call is None:
        return
    assert call.ids == tuple(map(str, ids))
    for origin in ORIGINS:
        for url_format in origin.formats(call):
            url = URL(origin.request(call, None, url_format).url)
            path, own = "/base" + endpoint.path, list[tuple[str, str]]()
            if url_format.value == "old":
                own = list(zip(endpoint.parameters, call.ids, strict=True))
                path = path.replace("{", "").replace("}", "")
            else:
                ids_left = iter(call.ids)
                path = "/".join(next(ids_left) if "{" in s else s for s in path.split("/"))
            check_address(url, call, path, own)


@contextlib.contextmanager
def running(server: S, make: Callable[[S], HumeAI]) -> Generator[tuple[asyncio.Runner, HumeAI]]:
    """Keep a server and a client open over all examples of a test, on one event loop."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        try:
            runner.run(stack.enter_async_context(server))
            yield runner, runner.run(stack.enter_async_context(make(server)))
        finally:
            runner.run(stack.aclose())


@pytest.mark.parametrize("credential", ["api_key", "api_token"])
def test_what_arrives_on_a_socket_is_what_was_meant(credential: str) -> None:
    """Through the whole client and a real socket, where the request line can be read."""
    server = RawServer(answer(b'{"id": "x", "version": 1}'))
    own = {"api_key": [], "api_token": [("api_token", "at_x")]}[credential]

    @examples(60)
    @given(TEXTS, st.integers(0, 99))
    def run(id: str, version: int) -> None:
        before = len(server.heads)
        try:
            runner.run(hume.configs.get_version(id, version))
        except InvalidArgumentError:
            assert len(server.heads) == before
            return
        target = urlsplit(server.heads[-1].split(" ")[1])
        steps = [unquote(step, errors="strict") for step in target.path.split("/")]
        assert steps == ["", "v0", "evi", "configs", id, "version", str(version)]
        assert parse_qsl(target.query) == own
        assert len(server.heads) == before + 1

    def make(server: RawServer) -> HumeAI:
        if credential == "api_key":
            return HumeAI(api_key="at_x", base_url=server.url)
        return HumeAI(api_token="at_x", base_url=server.url)

    with running(server, make) as (runner, hume):
        run()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_hume_is_asked_for_the_id_that_was_meant_behind_every_gateway(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateways of the fake escape no more than the recorded one does."""
    seen: list[str] = []
    handle = Upstream.handle

    def listen(upstream: Upstream, arrival: Arrival) -> Answer:
        seen.append(arrival.path)
        return handle(upstream, arrival)

    monkeypatch.setattr(Upstream, "handle", listen)
    fake = FakeHume(dialect=dialect)

    @examples(40)
    @given(TEXTS)
    def run(id: str) -> None:
        seen.clear()
        try:
            runner.run(hume.tools.get_version(id, 7))
        except InvalidArgumentError:
            assert seen == []
        except NotFoundError:
            assert {unquote(path) for path in seen} == {f"/v0/evi/tools/{id}/version/7"}
        else:
            raise AssertionError("there is no such tool")

    with running(fake, client_of) as (runner, hume):
        run()


PATHS = st.lists(PIECES | st.sampled_from(["/", "v0", "%2e%2e", "%2E", "%zz"]), max_size=6).map(
    lambda pieces: "/" + "".join(pieces)
)


def test_a_path_of_the_callers_own_goes_out_as_it_is() -> None:
    server = RawServer(answer(b"{}"))

    @examples(150)
    @given(PATHS, QUERIES)
    def run(path: str, query: Any) -> None:
        before = len(server.heads)
        try:
            runner.run(hume.request("GET", path, query=query))
        except InvalidArgumentError:
            assert len(server.heads) == before
            return
        sent = urlsplit("http://host" + server.heads[-1].split(" ")[1])
        assert unquote(sent.path) == unquote(path)
        meant = filled(Endpoint("request", "GET", path, bytes, "", ""), [], query)
        assert meant is not None
        assert parse_qsl(sent.query, keep_blank_values=True) == list(meant.query)

    with running(server, lambda server: HumeAI(api_key="key", base_url=server.url)) as (
        runner,
        hume,
    ):
        run()


SCHEMES = st.sampled_from(["http", "https", "HTTP", "hTTps", "ftp", "file", "javascript", "ws", ""])
HOSTS = st.sampled_from(
    ["api.hume.ai", "API.Hume.AI", "127.0.0.1", "[::1]", "[::1", "::1", "[v1.x]", "[::1]x", "[]",
     "h\u00fcme.ai", "xn--hme-goa.ai", "h_u.me", "localhost", "h%2ee", "h\\evil.test", "h evil",
     "user@h", "user:word@h", "@h", "h,x", "h|x", "h..x", ".h", "h.", "", "\uff0f", "h\u3002x",
     "\u2100.ai", "h<x", "h;x", "h'x", "h*", "1.2.3.4.5", "h\ud800"]
)  # fmt: skip
PORTS = st.sampled_from(
    ["", ":80", ":", ":0", ":65536", ":-1", ":x", ":+80", ": 80", ":\u0663", ":0080"]
)
TAILS = st.sampled_from(
    ["", "/", "//", "/base", "/base/", "/a/../b", "/..", "/%2e%2e/b", "/a%2Fb", "/a b", "/\u00e9",
     "/a;b", "?", "?x=1", "#", "#x", "/a?b#c", "\\", "/\\..\\x", "/a:b", "/@x", "/\x00", "/%zz"]
)  # fmt: skip
BASES = st.builds(
    "{}{}{}{}{}".format, SCHEMES, st.sampled_from(["://", ":", "//"]), HOSTS, PORTS, TAILS
)


@examples(600)
@given(BASES | ANY_TEXT)
def test_a_base_url_is_refused_by_name_or_is_where_calls_go(base: str) -> None:
    try:
        origin = Direct(base, api_key="key")
    except ConfigurationError:
        with pytest.raises(ConfigurationError, match="base_url"):
            check_base_url(base)
        return
    call = fill(ENDPOINTS["tools.list"])
    url = URL(origin.request(call, None, origin.formats(call)[0]).url)
    meant = urlsplit(base)
    assert url.scheme == meant.scheme
    assert url.host is not None
    assert url.host == URL.build(scheme="http", host=meant.hostname or "").host
    assert url.port == (meant.port or {"http": 80, "https": 443}[meant.scheme])
    assert (url.user, url.raw_query_string, url.raw_fragment) == (None, "", "")
    assert unquote(url.raw_path) == unquote(meant.path).rstrip("/") + "/v0/evi/tools"
    assert origin.is_hume is ((url.host or "").endswith(".hume.ai"))
