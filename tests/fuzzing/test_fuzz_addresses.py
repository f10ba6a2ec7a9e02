"""Ids, queries and base URLs of every kind: what leaves is what was meant, or is refused.

Some really go out, to a server on a socket and through both gateways of the fake.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Generator
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from fuzzing.addresses import check_base, check_call, filled
from fuzzing.budget import examples
from fuzzing.mutations import ENDPOINTS
from hypothesis import given
from hypothesis import strategies as st
from rawserver import RawServer, answer
from support import DIALECTS, client_of

from humeai_async import HumeAI, InvalidArgumentError, NotFoundError
from humeai_async.http.endpoint import Endpoint
from humeai_async.testing import Dialect, FakeHume
from humeai_async.testing.exchange import Arrival, FakeResponse
from humeai_async.testing.upstream import Upstream

S = TypeVar("S", bound=contextlib.AbstractAsyncContextManager[Any])

WITH_IDS = sorted(name for name, endpoint in ENDPOINTS.items() if endpoint.parameters)

ANY_TEXT = st.text(st.characters(codec=None), max_size=12)
PIECES = st.sampled_from(
    ["a", "Z9", "-_~", "{", ".", "..", "...", "/", "\\", "?", "#", "%", "%2e", "%2F", "$&", ",",
     ":", ";", "&", "=", "+", "@", "!", "*", "'", '"', "(", "[", "{id}", "{version}",
     "|", "^", "`", "<", " ", "\t", "\n", "\x00", "\x7f", "\u00e9", "e\u0301", "\u3002",
     "\uff0e\uff0e", "\uff0f", "\u202e", "\u00a0", "\u2028", "\U0001f600", "\ud800",
     "http://evil.test/"]
)  # fmt: skip
TEXTS = ANY_TEXT | st.lists(PIECES, max_size=4).map("".join)
IDS = TEXTS | st.integers() | st.sampled_from([True, None, 1.5, b"a", 10**5000])
QUERY_VALUES = st.one_of(
    TEXTS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXTS, max_size=3)
)
QUERIES = st.dictionaries(
    TEXTS | st.sampled_from(["page_number", "name"]), QUERY_VALUES, max_size=3
)


@pytest.mark.slow
@examples(300)
@given(st.sampled_from(WITH_IDS), st.data(), QUERIES)
def test_what_leaves_is_what_was_meant(name: str, data: st.DataObject, query: Any) -> None:
    endpoint = ENDPOINTS[name]
    check_call(endpoint, [data.draw(IDS) for _ in endpoint.parameters], query)


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

    def listen(upstream: Upstream, arrival: Arrival) -> FakeResponse:
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


@pytest.mark.slow
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
        meant = filled(Endpoint("request", "GET", path, bytes, ""), [], query)
        assert meant is not None
        assert parse_qsl(sent.query, keep_blank_values=True) == list(meant.query)

    with running(server, lambda server: HumeAI(api_key="key", base_url=server.url)) as (
        runner,
        hume,
    ):
        run()


PARTS: tuple[tuple[str, ...], ...] = (
    ("https", "http", "HTTP", "hTTps", "ftp", "file", "javascript", "ws", ""),
    ("://", ":", "//", ":/", ":///"),
    ("api.hume.ai", "API.Hume.AI", "127.0.0.1", "[::1]", "[::1", "::1", "[v1.x]", "[::1]x", "[]",
     "h\u00fcme.ai", "xn--hme-goa.ai", "h_u.me", "localhost", "h%2ee", "h\\evil.test", "h evil",
     "user@h", "user:word@h", "@h", "h,x", "h|x", "h..x", ".h", "h.", "", "\uff0f", "h\u3002x",
     "\u2100.ai", "h<x", "h;x", "h'x", "h*", "1.2.3.4.5", "h\ud800"),
    ("", ":80", ":", ":0", ":65536", ":-1", ":x", ":+80", ": 80", ":\u0663", ":0080"),
    ("", "/", "//", "/base", "/base/", "/a/../b", "/..", "/%2e%2e/b", "/a%2Fb", "/a b", "/\u00e9",
     "/a;b", "?", "?x=1", "#", "#x", "/a?b#c", "\\", "/\\..\\x", "/a:b", "/@x", "/\x00", "/%zz"),
)  # fmt: skip
"""Scheme, separator, host, port and path of base URLs; the first of each is good."""


@pytest.mark.parametrize("odd", [*itertools.combinations(range(len(PARTS)), 2)])
def test_a_base_url_with_two_odd_parts_is_refused_by_name_or_is_where_calls_go(
    odd: tuple[int, int],
) -> None:
    choices = [parts if place in odd else parts[:1] for place, parts in enumerate(PARTS)]
    for parts in itertools.product(*choices):
        check_base("".join(parts))


@pytest.mark.slow
@examples(200)
@given(TEXTS, TEXTS)
def test_a_base_url_of_any_text_is_refused_by_name_or_is_where_calls_go(
    host: str, path: str
) -> None:
    check_base(f"https://{host}/{path}")
