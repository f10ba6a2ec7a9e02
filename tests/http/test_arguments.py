"""Arguments of all kinds of numbers and texts, checked before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from foreign_values import Url
from rawserver import RawServer, answer
from support import client_of

from humeai_async import HumeAI, InvalidArgumentError, Limiter, Pool, Retry, Timeout
from humeai_async.http.arguments import check_number, check_seconds
from humeai_async.testing import FakeHume


@pytest.mark.parametrize("number", [5, np.int64(5), np.uint8(5), np.array(5)], ids=repr)
def test_a_whole_number_is_pythons_own_whoevers_it_was(number: Any) -> None:
    checked = check_number("limit", number, least=1)
    assert (checked, type(checked)) == (5, int)


@pytest.mark.parametrize(
    "wrong", [0, np.int64(0), 101, True, np.bool_(True), 5.0, np.float64(5.0), "5", None, [5]]
)
def test_what_is_no_whole_number_in_range_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="limit must be from 1 to 100") as caught:
        check_number("limit", wrong, least=1, most=100)
    assert caught.value.field == "limit"


@pytest.mark.parametrize("seconds", [None, 0, 2.5, np.int64(3), np.float32(0.5), float("inf")])
def test_a_length_of_time_may_be_any_number(seconds: Any) -> None:
    check_seconds("timeout", seconds)


@pytest.mark.parametrize("wrong", [-1, np.int64(-1), float("nan"), True, "5", Decimal(5)])
def test_what_is_no_length_of_time_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="timeout must be a number of seconds"):
        check_seconds("timeout", wrong)


def test_settings_take_numbers_of_numpy() -> None:
    five: Any = np.int64(5)
    half: Any = np.float32(0.5)
    assert Pool(limit=five).limit == Retry(attempts=five).attempts == 5
    assert Timeout(connect=half).connect == 0.5
    assert Limiter(rate=five, per=half).buckets == ()


@pytest.mark.anyio
async def test_numbers_of_numpy_go_through_whole_calls() -> None:
    one: Any = np.int64(1)
    async with FakeHume() as fake, client_of(fake, pool=Pool(limit=one), timeout=one) as hume:
        config = await hume.configs.create(name="n", evi_version="3")
        assert [c.id for c in await hume.configs.list(page_size=one).collect(one)] == [config.id]
        assert (await hume.configs.get_version(str(config.id), np.int64(0))).id == config.id  # type: ignore[arg-type]  # what numpy users write
        jobs = hume.batch.list_jobs(limit=one, when="created_before", timestamp_ms=one)
        assert await jobs.collect() == []
        assert [o async for o in hume.batch.fetch_predictions([], concurrency=one)] == []
        settings: dict[str, Any] = {"config_id": config.id, "config_version": np.int64(0)}
        async with hume.chat.connect(**settings, reconnect=False) as chat:
            await anext(chat)


@pytest.mark.anyio
async def test_a_text_of_another_class_is_sent_as_what_it_is_wherever_it_stands() -> None:
    async with RawServer(answer(b"{}")) as server:
        async with HumeAI(api_key=Url("k" * 20), base_url=Url(server.url)) as hume:
            await hume.request(Url("get"), Url("/v0/x"), query={Url("q"): Url("a b")})
            await hume.configs.delete(Url("c-1"))
            await hume.request("POST", "/v0/x", json={Url("key"): [Url("value")]})
    requests = [head.partition(" HTTP")[0] for head in server.heads]
    assert requests == ["GET /v0/x?q=a+b", "DELETE /v0/evi/configs/c-1", "POST /v0/x"]
    assert server.bodies[-1] == b'{"key":["value"]}'
    assert all(f"X-Hume-Api-Key: {'k' * 20}" in head for head in server.heads)


@pytest.mark.anyio
async def test_a_token_of_another_class_is_sent_as_what_it_is() -> None:
    async with RawServer(answer(b"{}")) as server:
        async with HumeAI(access_token=Url("t" * 20), base_url=server.url) as hume:
            await hume.request("GET", "/v0/x")
        async with HumeAI(api_token=Url("at_" + "t" * 20), base_url=server.url) as hume:
            await hume.request("GET", "/v0/x")
    assert f"Authorization: Bearer {'t' * 20}" in server.heads[0]
    assert f"api_token=at_{'t' * 20}" in server.heads[1]


@pytest.mark.anyio
async def test_a_chat_takes_texts_of_other_classes() -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        config = await hume.configs.create(name=Url("n"), evi_version=Url("3"))
        async with hume.chat.connect(config_id=Url(config.id), reconnect=False) as chat:
            await chat.send_text(Url("hi"))
            await anext(chat)
    sent = fake.chat.connections[0]
    assert "something else" not in repr(vars(sent) if hasattr(sent, "__dict__") else sent)
    assert not [one for one in fake.requests if b"something" in one.body]
