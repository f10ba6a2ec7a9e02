"""Access tokens of the stand-in: made of a pair of keys, good for half an hour."""

from __future__ import annotations

import base64

import aiohttp
import pytest

from humeai_async import AuthenticationError, HumeAI, OAuth
from humeai_async.testing import FakeHume, ManualClock
from humeai_async.testing.tokens import TOKEN_PATH, TOKEN_SECONDS

pytestmark = pytest.mark.anyio


async def test_a_client_with_a_pair_of_keys_has_one_token_made() -> None:
    async with FakeHume() as fake:
        oauth = OAuth(fake.api_key, fake.secret_key)
        async with HumeAI(access_token=oauth, base_url=fake.url) as hume:
            await hume.configs.list()
            await hume.configs.list()
        assert fake.count(path=TOKEN_PATH) == 1
        assert fake.count(path="/v0/evi/configs", status=200) == 2


async def test_the_pair_opens_a_chat() -> None:
    async with FakeHume() as fake:
        oauth = OAuth(fake.api_key, fake.secret_key)
        async with HumeAI(access_token=oauth, base_url=fake.url) as hume:
            async with hume.chat.connect() as chat:
                assert (await anext(chat)).type == "chat_metadata"


async def test_a_token_that_has_ended_is_refused_and_a_new_one_made() -> None:
    clock = ManualClock()
    async with FakeHume(clock=clock) as fake:
        oauth = OAuth(fake.api_key, fake.secret_key)
        async with HumeAI(access_token=oauth, base_url=fake.url) as hume:
            await hume.configs.list()
            clock.advance(TOKEN_SECONDS)
            await hume.configs.list()
        assert fake.count(path=TOKEN_PATH) == 2
        assert fake.count(path="/v0/evi/configs", status=401) == 1


async def test_the_wrong_pair_gets_no_token() -> None:
    async with FakeHume() as fake:
        oauth = OAuth(fake.api_key, "another-secret")
        async with HumeAI(access_token=oauth, base_url=fake.url) as hume:
            with pytest.raises(AuthenticationError):
                await hume.configs.list()
        assert fake.count(path="/v0/evi/configs") == 0


async def test_a_form_without_its_grant_is_refused() -> None:
    async with FakeHume() as fake, aiohttp.ClientSession() as session:
        pair = base64.b64encode(f"{fake.api_key}:{fake.secret_key}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        async with session.post(f"{fake.url}{TOKEN_PATH}", headers=headers) as response:
            assert response.status == 400
