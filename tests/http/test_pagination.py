"""Lists in pages: what is asked for, in which order it comes, and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from scripted_transport import Reply, ScriptedTransport, query_of, reply_json
from support import session_of

from humeai_async import BadRequestError, DecodeError, InvalidArgumentError, Page, ServerError
from humeai_async.http import codec
from humeai_async.http import pagination as pages_module
from humeai_async.http.messages import Request, Response
from humeai_async.resources.chats import Chats
from humeai_async.resources.configs import Configs
from humeai_async.resources.datasets import Datasets
from humeai_async.resources.models import Models
from humeai_async.resources.prompts import Prompts
from humeai_async.types.evi_chats import ChatEventsPage
from humeai_async.types.evi_configs import Config
from humeai_async.types.paging import Items

pytestmark = pytest.mark.anyio

PAGE_TIME = 0.02
"""Seconds that a page takes where time matters."""


def field(request: Request, name: str) -> int:
    return int(dict(query_of(request))[name])


def config_page(numbers: range, **said: int) -> Response:
    items = [{"id": f"config-{n}", "version": 0} for n in numbers]
    return reply_json({"configs_page": items, **said})


def config_list(items: int, size: int = 10) -> Callable[[Request], Response]:
    """Serve a list of so many configs, as Hume does."""

    def answer(request: Request) -> Response:
        number = field(request, "page_number")
        rows = range(items)[number * size : (number + 1) * size]
        total = -(-items // size)
        return config_page(rows, page_number=number, page_size=size, total_pages=total)

    return answer


class Slow:
    """Answers after a while, and counts what it is working on."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self.in_flight = 0
        self.most_in_flight = 0
        self.rounds = 0
        """Times that it was waited for, by however many requests at once."""

    async def __call__(self, request: Request) -> Response:
        self.rounds += self.in_flight == 0
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.sleep(PAGE_TIME)
        finally:
            self.in_flight -= 1
        return self._answer(request)


def configs_of(*script: Reply, otherwise: Reply | None = None) -> tuple[Configs, ScriptedTransport]:
    transport = ScriptedTransport(*script, otherwise=otherwise)
    return Configs(session_of(transport)), transport


def numbers_of(transport: ScriptedTransport) -> list[int]:
    return [field(request, "page_number") for request in transport.requests]


def names(count: int, start: int = 0) -> list[str]:
    return [f"config-{n}" for n in range(start, count)]


async def test_items_come_in_order_over_all_pages() -> None:
    configs, transport = configs_of(otherwise=config_list(23))
    assert [config.id async for config in configs.list()] == names(23)
    assert numbers_of(transport) == [0, 1, 2]


async def test_nothing_is_asked_before_somebody_iterates() -> None:
    configs, transport = configs_of()
    configs.list()
    assert transport.requests == []


async def test_pages_know_their_number_size_and_total() -> None:
    configs, _ = configs_of(otherwise=config_list(23))
    pages = [page async for page in configs.list().pages()]
    assert [(page.number, page.size, page.total_pages) for page in pages] == [
        (0, 10, 3),
        (1, 10, 3),
        (2, 10, 3),
    ]


async def test_a_page_is_a_sequence_of_its_items() -> None:
    configs, _ = configs_of(otherwise=config_list(3))
    page = await configs.list()
    assert len(page) == 3
    assert page[0].id == "config-0"
    assert [config.id for config in page[1:]] == ["config-1", "config-2"]
    assert list(page) == page.items
    assert page.items[2] in page


async def test_awaiting_gives_the_first_page_for_one_request() -> None:
    configs, transport = configs_of(otherwise=config_list(23))
    page = await configs.list(prefetch=8)
    assert [config.id for config in page] == names(10)
    assert len(transport.requests) == 1


async def test_an_empty_list_is_one_request_and_one_empty_page() -> None:
    configs, transport = configs_of(otherwise=config_list(0))
    pages = [page async for page in configs.list().pages()]
    assert [page.items for page in pages] == [[]]
    assert await configs.list().collect() == []
    assert len(transport.requests) == 2


async def test_iteration_begins_at_the_page_asked_for() -> None:
    configs, transport = configs_of(otherwise=config_list(23))
    found = await configs.list(page_number=1, page_size=10).collect()
    assert [config.id for config in found] == names(23, start=10)
    assert numbers_of(transport) == [1, 2]
    assert all(field(request, "page_size") == 10 for request in transport.requests)


async def test_a_second_iteration_begins_anew() -> None:
    configs, transport = configs_of(otherwise=config_list(12))
    pages = configs.list()
    assert await pages.collect() == await pages.collect()
    assert numbers_of(transport) == [0, 1, 0, 1]


async def test_collect_stops_at_its_limit_and_asks_for_no_more() -> None:
    configs, transport = configs_of(otherwise=config_list(100))
    found = await configs.list().collect(limit=15)
    assert [config.id for config in found] == names(15)
    assert len(transport.requests) == 2


async def test_collect_of_nothing_asks_for_nothing() -> None:
    configs, transport = configs_of()
    assert await configs.list().collect(limit=0) == []
    assert transport.requests == []


async def test_a_limit_below_zero_is_refused() -> None:
    configs, _ = configs_of()
    with pytest.raises(InvalidArgumentError) as caught:
        await configs.list().collect(limit=-1)
    assert caught.value.field == "limit"


@pytest.mark.parametrize("prefetch", [0, 1, 3, 8, 200])
async def test_no_page_past_the_last_is_asked_for_and_order_holds(prefetch: int) -> None:
    configs, transport = configs_of(otherwise=config_list(95))
    found = await configs.list(prefetch=prefetch).collect()
    assert [config.id for config in found] == names(95)
    assert sorted(numbers_of(transport)) == list(range(10))


async def test_pages_fetched_ahead_come_in_order_whatever_the_order_of_answers() -> None:
    answer = config_list(60)

    async def the_later_the_sooner(request: Request) -> Response:
        await anyio.sleep(0.001 * (6 - field(request, "page_number")))
        return answer(request)

    configs, _ = configs_of(otherwise=the_later_the_sooner)
    found = await configs.list(prefetch=5).collect()
    assert [config.id for config in found] == names(60)


@pytest.mark.parametrize("prefetch", [1, 2, 4])
async def test_as_many_pages_as_asked_for_are_fetched_ahead_and_no_more(prefetch: int) -> None:
    slow = Slow(config_list(200))
    configs, transport = configs_of(otherwise=slow)
    async for config in configs.list(prefetch=prefetch):
        if config.id == "config-10":
            break
    assert slow.most_in_flight == prefetch
    assert sorted(numbers_of(transport)) == list(range(prefetch + 1))


async def test_leaving_a_loop_early_leaves_no_request_running() -> None:
    slow = Slow(config_list(1000))
    configs, transport = configs_of(otherwise=slow)
    async for config in configs.list(prefetch=8):
        if config.id == "config-15":
            break
    asked = len(transport.requests)
    await anyio.sleep(2 * PAGE_TIME)
    assert slow.in_flight == 0
    assert len(transport.requests) == asked


async def test_cancelling_while_pages_are_fetched_leaves_no_request_running() -> None:
    slow = Slow(config_list(1000))
    configs, _ = configs_of(otherwise=slow)
    pages = configs.list(prefetch=8).pages()
    await anext(pages)
    with anyio.move_on_after(PAGE_TIME / 4) as scope:
        await anext(pages)
    assert scope.cancelled_caught
    assert slow.in_flight == 0


async def test_ten_thousand_items_are_a_hundred_requests_and_prefetch_saves_most_of_the_time() -> (
    None
):
    slow = Slow(config_list(10_000, size=100))
    configs, transport = configs_of(otherwise=slow)
    found = [config.id async for config in configs.list(page_size=100, prefetch=8)]
    assert found == names(10_000)
    assert len(transport.requests) == 100
    assert slow.rounds == 1 + 13  # the first page tells how many there are


async def test_pages_before_one_that_fails_come_first_then_the_error() -> None:
    answer = config_list(50)

    def fail_on_three(request: Request) -> Response:
        if field(request, "page_number") == 3:
            return reply_json({"message": "no"}, 400)
        return answer(request)

    configs, _ = configs_of(otherwise=fail_on_three)
    pages = configs.list(prefetch=4).pages()
    assert [(await anext(pages)).number for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BadRequestError):
        await anext(pages)


@pytest.mark.parametrize("prefetch", [0, 4])
async def test_iteration_goes_on_at_the_page_that_failed(prefetch: int) -> None:
    answer, failed = config_list(50), [2]

    def fail_once(request: Request) -> Response:
        if field(request, "page_number") in failed:
            failed.clear()
            return reply_json({"message": "no"}, 500)
        return answer(request)

    configs, _ = configs_of(otherwise=fail_once)
    pages = configs.list(prefetch=prefetch).pages()
    numbers = [(await anext(pages)).number for _ in range(2)]
    with pytest.raises(ServerError):
        await anext(pages)
    numbers += [page.number async for page in pages]
    assert numbers == [0, 1, 2, 3, 4]


async def test_without_a_total_the_list_ends_at_a_short_page() -> None:
    configs, transport = configs_of(
        config_page(range(10)), config_page(range(10, 20)), config_page(range(20, 23))
    )
    assert len(await configs.list(page_size=10).collect()) == 23
    assert not transport.script


async def test_without_a_total_and_a_size_the_list_ends_at_an_empty_page() -> None:
    configs, transport = configs_of(
        config_page(range(10)), config_page(range(10, 13)), reply_json({})
    )
    pages = [page async for page in configs.list(prefetch=8).pages()]
    assert [len(page) for page in pages] == [10, 3]
    assert not transport.script


@pytest.mark.parametrize("prefetch", [0, 8])
async def test_an_empty_page_in_the_middle_is_not_the_end(prefetch: int) -> None:
    def gap(request: Request) -> Response:
        number = field(request, "page_number")
        rows = range(0) if number == 2 else range(number, number + 1)
        return config_page(rows, total_pages=9)

    configs, transport = configs_of(otherwise=gap)
    found = await configs.list(prefetch=prefetch).collect()
    assert [config.id for config in found] == [name for name in names(9) if name != names(3)[2]]
    assert sorted(numbers_of(transport)) == [*range(9)]


async def test_a_list_that_claims_pages_without_end_and_sends_empty_ones_is_given_up() -> None:
    answer = config_list(20)

    def boast(request: Request) -> Response:
        honest = answer(request)
        return Response(200, {}, honest.body.replace(b'"total_pages": 2', b'"total_pages": 900'))

    configs, transport = configs_of(otherwise=boast)
    with pytest.raises(DecodeError, match="101 pages in a row are empty, up to page 102, although"):
        await configs.list().collect()
    assert len(numbers_of(transport)) == 103


async def test_a_list_that_shrinks_while_it_is_read_ends_with_its_new_last_page() -> None:
    configs, transport = configs_of(
        config_page(range(10), total_pages=9),
        config_page(range(10, 20), total_pages=9),
        config_page(range(20, 25), total_pages=3),
    )
    assert len(await configs.list().collect()) == 25
    assert not transport.script


async def test_a_list_that_grows_while_it_is_read_is_read_to_its_new_end() -> None:
    configs, _ = configs_of(
        config_page(range(10), total_pages=2),
        config_page(range(10, 20), total_pages=3),
        config_page(range(20, 25), total_pages=3),
    )
    assert len(await configs.list().collect()) == 25


@pytest.mark.parametrize("total", [0, -3])
async def test_a_total_that_cannot_be_ends_the_list_after_the_page_that_came(total: int) -> None:
    configs, transport = configs_of(config_page(range(10), total_pages=total))
    assert len(await configs.list().collect()) == 10
    assert not transport.script


@pytest.mark.parametrize("said", [{}, {"total_pages": 1000, "page_number": 0}])
@pytest.mark.parametrize("prefetch", [0, 8])
async def test_a_server_that_ignores_the_page_number_is_noticed(
    said: dict[str, int], prefetch: int
) -> None:
    configs, transport = configs_of(otherwise=config_page(range(10), **said))
    found: list[str | None] = []

    async def read() -> None:
        async for config in configs.list(prefetch=prefetch):
            found.append(config.id)  # noqa: PERF401 - what came before the error counts

    pattern = r"page \d+ holds the same as the 2 pages before it: the server seems to ignore"
    with pytest.raises(DecodeError, match=pattern):
        await read()
    assert found == names(10)
    assert len(transport.requests) <= 1 + max(prefetch, 2)


async def test_a_page_pushed_back_by_new_items_is_told_once() -> None:
    configs, _ = configs_of(
        config_page(range(1), total_pages=3),
        config_page(range(1), total_pages=4),
        config_page(range(1, 2), total_pages=4),
        config_page(range(2, 3), total_pages=4),
    )
    found = await configs.list(page_size=1).collect()
    assert [config.id for config in found] == names(3)


async def test_a_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_module, "MAX_PAGES", 40)

    def endless(request: Request) -> Response:
        number = field(request, "page_number")
        return config_page(range(number, number + 1), total_pages=number + 2)

    configs, transport = configs_of(otherwise=endless)
    with pytest.raises(DecodeError, match="no end"):
        await configs.list().collect()
    assert len(transport.requests) == 40


async def test_a_page_that_is_none_is_a_decode_error_with_its_place() -> None:
    configs, _ = configs_of(reply_json({"total_pages": 1, "configs_page": {"id": "a"}}))
    with pytest.raises(DecodeError) as caught:
        await configs.list()
    assert caught.value.path == "$.configs_page"


async def test_an_item_that_cannot_be_read_stands_beside_the_others_of_its_page() -> None:
    odd = {"id": 7, "version": 0, "name": "odd"}
    items = [{"id": "a", "version": 0}, odd, {"id": "b", "version": 1}]
    reply = reply_json({"total_pages": 1, "page_size": 10, "configs_page": items})
    page = await configs_of(reply)[0].list()
    assert [config.id for config in page] == ["a", "b"]
    (found,) = page.undecodable
    assert (found.json, found.reason) == (odd, "expected text, got number")
    assert (found.path, found.index) == ("$.id", 1)


async def test_a_page_of_items_that_cannot_be_read_is_no_end_of_the_list() -> None:
    odd = [{"id": 7}] * 2
    configs, transport = configs_of(
        reply_json({"page_size": 2, "configs_page": odd}),
        reply_json({"page_size": 2, "configs_page": [{"id": "a", "version": 0}]}),
    )
    pages = [page async for page in configs.list(page_size=2).pages()]
    assert [(len(page), len(page.undecodable)) for page in pages] == [(0, 2), (1, 0)]
    assert not transport.script


@pytest.mark.parametrize("read", [list, iter, sorted, enumerate])
def test_pages_that_are_read_without_waiting_say_what_to_write(read: Any) -> None:
    configs, _ = configs_of()
    with pytest.raises(InvalidArgumentError, match="write `async for item in pages`"):
        read(configs.list())


async def test_nulls_among_the_items_are_dropped() -> None:
    prompt = {
        "id": "p", "version": 0, "version_type": "FIXED", "name": "n",
        "created_on": 1, "modified_on": 1, "text": "t",
    }  # fmt: skip
    reply = reply_json({"prompts_page": [None, prompt, None], "total_pages": 1})
    found = await Prompts(session_of(ScriptedTransport(reply))).list().collect()
    assert [prompt.id for prompt in found] == ["p"]


async def test_pages_of_events_carry_their_chat() -> None:
    event = {"id": "e", "chat_id": "c", "timestamp": 1, "role": "USER", "type": "NEW_KIND"}
    reply = reply_json({
        "id": "c", "chat_group_id": "g", "status": "ACTIVE", "start_timestamp": 5,
        "page_number": 0, "page_size": 10, "total_pages": 1,
        "pagination_direction": "ASC", "events_page": [event],
    })  # fmt: skip
    page = await Chats(session_of(ScriptedTransport(reply))).list_events("c")
    assert isinstance(page.envelope, ChatEventsPage)
    assert page.envelope.chat_group_id == "g"
    assert page[0].type == "NEW_KIND"


def dataset_page(numbers: range, **said: Any) -> Response:
    return reply_json({"content": [{"id": f"set-{n}"} for n in numbers], **said})


async def test_registry_pages_end_by_their_total() -> None:
    transport = ScriptedTransport(
        dataset_page(range(2), number=0, size=2, total_pages=2, last=False),
        dataset_page(range(2, 4), number=1, size=2, total_pages=2, last=True),
    )
    pages = [page async for page in Datasets(session_of(transport)).list().pages()]
    assert [(page.number, page.size, len(page)) for page in pages] == [(0, 2, 2), (1, 2, 2)]
    assert not transport.script


async def test_registry_pages_without_a_total_end_with_the_one_that_says_it_is_last() -> None:
    transport = ScriptedTransport(
        dataset_page(range(2), last=False), dataset_page(range(2, 4), last=True)
    )
    assert len(await Datasets(session_of(transport)).list().collect()) == 4
    assert not transport.script


async def test_registry_pages_without_a_total_end_at_an_empty_one() -> None:
    transport = ScriptedTransport(dataset_page(range(2)), dataset_page(range(0)))
    assert len(await Datasets(session_of(transport)).list().collect()) == 2
    assert not transport.script


async def test_registry_pages_may_be_larger_than_those_of_evi() -> None:
    transport = ScriptedTransport(dataset_page(range(1), total_pages=1))
    await Datasets(session_of(transport)).list(page_size=5000)
    assert field(transport.requests[0], "page_size") == 5000


async def test_a_list_without_pages_is_one_page() -> None:
    transport = ScriptedTransport(otherwise=reply_json([]))
    pages = Models(session_of(transport)).list_versions(id=["a", "b"])
    (page,) = [page async for page in pages.pages()]
    assert (page.items, page.number, page.total_pages, page.envelope) == ([], 0, 1, [])
    assert query_of(transport.requests[0]) == [("id", "a"), ("id", "b")]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"page_number": -1}, "page_number"),
        ({"page_number": True}, "page_number"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": 101}, "page_size"),
        ({"page_size": 2.5}, "page_size"),
        ({"prefetch": -1}, "prefetch"),
    ],
)
async def test_numbers_out_of_range_are_told_before_sending(
    arguments: dict[str, Any], name: str
) -> None:
    configs, _ = configs_of()
    with pytest.raises(InvalidArgumentError, match=name) as caught:
        configs.list(**arguments)
    assert caught.value.field == name


def test_pages_are_equal_by_their_items_and_place_not_by_their_envelope() -> None:
    config = Config(id="a", version=0)
    assert Page(items=[config], envelope=Items()) == Page(items=[config])
    assert Page(items=[config], number=1) != Page(items=[config])


async def test_a_page_of_nulls_alone_is_not_the_end() -> None:
    def prompts(*names: str | None) -> Response:
        items = [name and {"id": name, "version": 0, "name": name, "text": ""} for name in names]
        return reply_json({"prompts_page": items, "total_pages": 3, "page_size": 2})

    fields = {"version_type": "FIXED", "created_on": 1, "modified_on": 1}
    pages = [prompts("a", None), prompts(None, None), prompts("b")]
    bodies = [codec.parse(page.body) for page in pages]
    for body in bodies:
        body["prompts_page"] = [item and {**item, **fields} for item in body["prompts_page"]]
    transport = ScriptedTransport(*[reply_json(body) for body in bodies])
    found = await Prompts(session_of(transport)).list().collect()
    assert [prompt.id for prompt in found] == ["a", "b"]
    assert len(transport.requests) == 3
