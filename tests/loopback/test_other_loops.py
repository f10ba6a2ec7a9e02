"""What belongs to one event loop, used on another one or in another thread: told by name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from humeai_async import ChatSocket, ConfigurationError, HumeAI

Use = Callable[[ChatSocket], Coroutine[Any, Any, object]]
USES: dict[str, Use] = {
    "send": lambda chat: chat.send_text("Good morning!"),
    "receive": anext,
    "audio": lambda chat: chat.send_audio(b"sound"),
    "close": lambda chat: chat.aclose(),
}


async def opened(hume: HumeAI) -> ChatSocket:
    return await hume.chat.connect().__aenter__()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_chat_that_is_used_on_a_second_loop_says_so(use: Use, hume: HumeAI) -> None:
    with asyncio.Runner() as first, asyncio.Runner() as second:
        chat = first.run(opened(hume))
        with pytest.raises(ConfigurationError, match="run_coroutine_threadsafe"):
            second.run(use(chat))
        first.run(hume.aclose())


def test_a_chat_that_is_used_in_another_thread_says_so_and_goes_on(hume: HumeAI) -> None:
    found: list[BaseException] = []

    def work(chat: ChatSocket) -> None:
        try:
            asyncio.run(chat.send_text("Good morning!"))
        except ConfigurationError as problem:
            found.append(problem)

    async def main() -> None:
        async with hume.chat.connect() as chat:
            thread = threading.Thread(target=work, args=(chat,))
            thread.start()
            await asyncio.to_thread(thread.join)
            await chat.send_text("Good morning!")
            assert (await anext(chat)).type == "chat_metadata"

    asyncio.run(main())
    assert len(found) == 1


def test_what_is_handed_to_the_first_loop_works(hume: HumeAI) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with hume.chat.connect() as chat:

            def work() -> None:
                asyncio.run_coroutine_threadsafe(chat.send_text("Hello"), loop).result(10)

            await asyncio.to_thread(work)

    asyncio.run(main())
