"""What may be given as a server, and that its password shows nowhere."""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_support import run
from error_text import below, chain, collect_error_text
from redis_servers import KINDS, running
from rich.console import Console
from rich.traceback import Traceback

from humeai_async import ConfigurationError, Limiter
from humeai_async._base.packages import load_package
from humeai_async.cli.output import ExitCode
from humeai_async.distributed import RedisLedger
from humeai_async.shared import RedisQuota

pytestmark = [pytest.mark.anyio, pytest.mark.server]

MARK = "m4rk3d"
MALFORMED = [
    f"nope://user:{MARK}@host:6379/0",
    f"redis://user:{MARK}@host:port/0",
    f"redis://user:{MARK}@[::1/0",
    f"redis://user:{MARK}/x@host:6379/0",
    f"redis://user:12/{MARK}@host:6379/0",
    f"redis://user:12?{MARK}@host:6379/0",
    f"redis://user:12#{MARK}@host:6379/0",
    f"redis://user:{MARK}\u2100@host:6379/0",
    f"user:{MARK}@host:6379",
    f"redis:/user:{MARK}@host",
    f"redis://user:{MARK}@host:6379/0?nosuchoption=1",
    f"redis://user:{MARK}@host:6379/quota",
    f"redis://user:{MARK}@host:6379/-1",
    f"redis://user:{MARK}@host:6379/0?socket_timeout=soon",
]
MAKERS: list[Callable[[Any], object]] = [RedisQuota, RedisLedger]


def text_of(error: BaseException) -> str:
    """Collect what an error shows, and what rich prints of it with all variables."""
    printed = Console(file=io.StringIO(), width=200)
    for one in chain(error):
        trace = below(one.__traceback__, __file__)
        printed.print(Traceback.from_exception(type(one), one, trace, show_locals=True))
    assert isinstance(printed.file, io.StringIO)
    return collect_error_text(error, __file__) + printed.file.getvalue()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_that_cannot_be_used_is_refused_at_once_and_not_shown(
    url: str, make: Callable[[Any], object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as caught:
        make(url)
    assert MARK not in text_of(caught.value) + caplog.text


@pytest.mark.parametrize("url", MALFORMED)
async def test_the_command_shows_no_password_of_a_url_that_it_refuses(url: str) -> None:
    done = await run(["quota", url])
    assert done.returncode == ExitCode.WRONG_USE
    assert MARK not in done.stdout + done.stderr


@pytest.mark.parametrize("make", MAKERS)
def test_a_url_is_held_so_that_its_password_does_not_show(make: Callable[[Any], object]) -> None:
    made = make(f"rediss://user:{MARK}@host:6380/2?client_name=fleet")
    assert "rediss://host:6380/2'" in repr(made)
    assert MARK not in repr(made) + repr(vars(made))
    again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own
    assert repr(again) == repr(made)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("given", [None, 7, b"redis://host", ["redis://host"]])
def test_what_is_neither_a_url_nor_a_client_is_refused_at_once(
    given: object, make: Callable[[Any], object]
) -> None:
    with pytest.raises(ConfigurationError, match=f"not {type(given).__name__}"):
        make(given)


@pytest.mark.parametrize("make", MAKERS)
def test_a_client_that_is_not_asynchronous_is_refused_at_once(
    make: Callable[[Any], object],
) -> None:
    with pytest.raises(ConfigurationError, match=r"redis\.asyncio"):
        make(load_package("redis").Redis())


@pytest.mark.parametrize("make", MAKERS)
def test_what_was_made_with_a_client_cannot_go_to_other_processes(
    make: Callable[[Any], object],
) -> None:
    with pytest.raises(TypeError, match="client"):
        pickle.dumps(make(load_package("redis.asyncio").Redis()))


async def test_a_password_that_the_server_refuses_stands_in_no_frame_of_the_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running("redis", tmp_path, "--requirepass", "right") as server:
        async with RedisQuota(server.url.replace("//", f"//:{MARK}@")) as quota:
            limiter = Limiter(rate=10.0, shared=quota)
            for refused in (limiter.acquire, quota.state):
                with pytest.raises(ConfigurationError) as caught:
                    await refused()
                assert MARK not in text_of(caught.value)
            assert MARK not in repr(limiter) + repr(limiter.snapshot())
    assert MARK not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_server_will_never_do_is_said_at_once(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path, "--rename-command", "EVALSHA", "") as server:
        wrong = {
            server.url.replace("/0", "/99"): "DB index is out of range",
            server.url: "unknown command",
        }
        for url, reason in wrong.items():
            async with RedisQuota(url) as quota:
                limiter = Limiter(rate=10.0, shared=quota)
                for refused in (limiter.acquire, quota.state):
                    with pytest.raises(ConfigurationError, match=reason):
                        await refused()
