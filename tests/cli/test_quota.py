"""`humeai-async quota` on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis_servers import Server, running

from humeai_async import Limiter
from humeai_async.cli.main import commands
from humeai_async.errors import APIConnectionError, ConfigurationError
from humeai_async.shared import RedisQuota

pytestmark = pytest.mark.server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("redis", tmp_path, "--requirepass", "s3cret") as started:
        yield started


@pytest.fixture
def url(server: Server) -> str:
    return server.url.replace("redis://", "redis://:s3cret@")


async def use(url: str) -> None:
    async with RedisQuota(url) as quota:
        limiter = Limiter(rate=100, shared=quota)
        for _ in range(3):
            (await limiter.acquire("0123abcd/batch")).done(200)
        (await limiter.acquire("0123abcd/evi")).done(429, retry_after=30.0)
        await asyncio.sleep(0.1)


def test_it_shows_buckets_members_shares_and_pauses(url: str) -> None:
    asyncio.run(use(url))
    shown = CliRunner().invoke(commands, ["quota", url])
    assert shown.exit_code == 0
    assert "/batch: 99 calls a second, 0 pauses" in shown.output
    assert "/evi: 99 calls a second, 1 pauses, paused for 2" in shown.output
    assert "tries for all" in shown.output
    assert "100%" in shown.output
    assert "s3cret" not in shown.output
    found = json.loads(CliRunner().invoke(commands, ["quota", url, "--json"]).output)
    assert found["name"] == "default"
    batch, evi = found["buckets"]
    assert [member["share"] > 0 for member in batch["members"]] == [True]
    assert evi["holder"] == evi["members"][0]["name"]


def test_a_quota_that_nobody_uses_is_no_mistake(url: str) -> None:
    shown = CliRunner().invoke(commands, ["quota", url, "--name", "other", "--json"])
    assert json.loads(shown.output) == {"name": "other", "buckets": []}
    assert "nobody" in CliRunner().invoke(commands, ["quota", url, "--name", "other"]).output


def test_what_is_wrong_is_an_error_by_name_without_the_password(url: str, server: Server) -> None:
    wrong = CliRunner().invoke(commands, ["quota", url.replace("s3cret", "wr0ng")])
    assert isinstance(wrong.exception, ConfigurationError)
    assert "wr0ng" not in str(wrong.exception)
    no_url = CliRunner().invoke(commands, ["quota", "quota.internal"])
    assert isinstance(no_url.exception, ConfigurationError)
    server.kill()
    gone = CliRunner().invoke(commands, ["quota", url])
    assert isinstance(gone.exception, APIConnectionError)
    assert "s3cret" not in str(gone.exception)
