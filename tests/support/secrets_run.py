"""A program that does everything, with everything it says turned up; `test_secrets` runs it.

Whatever it is given as a secret has the word `m4rk3d` in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from error_text import collect_error_text

from humeai_async import HumeAI, HumeError, Polling, Pool, Reconnect, Retry, Timeout
from humeai_async.types.batch import InferenceRequest
from humeai_async.types.chat import SessionSettings
from humeai_async.types.dicts import ConnectSettingsDict
from humeai_async.types.evi_configs import Webhook

MEDIA = "https://me:m4rk3dUser@media.example.com/{}?X-Amz-Signature=m4rk3dMedia&x=m4rk3d"
HOOK = "https://hooks.example.com/m4rk3dPath?key=m4rk3dHook"
OWN = r"m4rk3d(Media|User|Path|Hook|Url|Body|Row\w+|\b)"
"""What the program gives to its calls, which may stand in the frames of those; no credentials."""
SMALL = Pool(max_body=10_000)
QUICK = Retry(attempts=2, initial_delay=0.001)

At = dict[str, Any]


def say(*things: object) -> None:
    """Print things as a program, a debugger and a log would."""
    for thing in things:
        print(repr(thing), str(thing))  # noqa: T201 - it is what is looked through
        logging.getLogger("program").debug("%r %s", thing, thing)


async def attempt(work: Awaitable[object]) -> None:
    """Do something, and say all there is to say of how it went."""
    try:
        say(await work)
    except (HumeError, ExceptionGroup) as problem:
        say(problem)
        print(collect_error_text(problem, __file__, OWN))  # noqa: T201 - likewise
        logging.getLogger("program").exception("it went wrong")


def client(at: At, **settings: Any) -> HumeAI:
    """Make a client that gives up soon."""
    timeout = Timeout(read=20, total=60)
    polling = Polling(min_interval=0.01, max_interval=0.05)
    settings = {"timeout": timeout, "retry": QUICK, "polling": polling, **settings}
    settings[at["credential"]] = at["secret"]
    return HumeAI(base_url=at["url"], **settings)


async def jobs(hume: HumeAI) -> None:
    """Start jobs that end well, in part and not at all."""
    for name in ("a.mp4", "missing.mp4", "broken.mp4", "fail-job.mp4"):
        urls = [MEDIA.format(name)]
        job = await hume.batch.start_job(urls=urls, callback_url=HOOK)
        await attempt(job.wait(timeout=5))
        await attempt(job.refresh())
        await attempt(job.predictions())
    await attempt(hume.batch.list_jobs())
    await attempt(hume.batch.get_job("no-such-job"))


async def bulk(hume: HumeAI, folder: Path) -> None:
    """Run sources without a ledger and with one."""
    names = ("a.mp4", "missing.mp4", "fail-job.mp4", "b.mp4")

    async def sources() -> AsyncIterator[str]:
        for name in names:
            yield MEDIA.format(name)

    with contextlib.suppress(HumeError):
        async for outcome in hume.batch.predict(sources(), job_size=2):
            say(outcome)
            if outcome.error is not None:
                print(collect_error_text(outcome.error, __file__, OWN))  # noqa: T201 - likewise
    report = await hume.batch.predict_into(folder, sources(), formats=("jsonl", "csv"), job_size=2)
    say(report)


async def chat(hume: HumeAI) -> None:
    """Talk, with settings that hold a key, over connections that break."""
    settings: ConnectSettingsDict = {"language_model_api_key": "m4rk3dModel"}
    reconnect = Reconnect(attempts=1, initial_delay=0.01, jitter=0)
    async with hume.chat.connect(session_settings=settings, reconnect=reconnect) as opened:
        say(opened)
        await opened.send_text("hi")
        say(await anext(opened))
        await opened.send(SessionSettings(language_model_api_key="m4rk3dSecondModel"))
        async for event in opened:
            say(event)
            if event.type == "assistant_end":
                break
    await attempt(opened.send(SessionSettings(language_model_api_key="m4rk3dThird")))
    await attempt(hume.chat.get(api_key="m4rk3dRowKey", access_token="m4rk3dRowToken"))


async def failures(at: At) -> None:
    """Meet a server that does all that a bad one can do."""
    calls: list[Callable[[HumeAI], Awaitable[object]]] = [
        lambda hume: hume.batch.start_job(urls=[MEDIA.format("a")], callback_url=HOOK),
        lambda hume: hume.batch.list_jobs(),
        lambda hume: hume.batch.job("job-1").save_predictions("saved.json"),
        lambda hume: hume.request("POST", "/v0/x", json={"key": "m4rk3dBody"}),
        lambda hume: hume.chat.get(api_key="m4rk3dRowKey", access_token="m4rk3dRowToken"),
        lambda hume: hume.jobs.start_inference(
            custom_model={"id": "m"}, urls=[MEDIA.format("a")], callback_url=HOOK
        ),
    ]
    for call in calls:
        async with client(at, timeout=Timeout(read=0.05, total=5), pool=SMALL) as hume:
            for _ in range(at["acts"]):
                await attempt(call(hume))
            say(hume, hume.stats, hume.limiter)


async def proxies(at: At) -> None:
    """Go through a proxy, one that refuses and one that is not there."""
    for proxy in at["proxies"]:
        pool = Pool(proxy=proxy)
        say(pool)
        async with client(at, pool=pool) as hume:
            await attempt(hume.batch.list_jobs())


def values() -> None:
    """Show all kinds of values that hold secrets."""
    say(InferenceRequest(urls=[MEDIA.format("a")], callback_url=HOOK))
    say(Webhook(url=HOOK, events=[]))
    say(SessionSettings(language_model_api_key="m4rk3dModel"))
    for url in ("https://me:m4rk3dUrl@hume.example", "https://hume.example?key=m4rk3dUrl"):
        try:
            HumeAI(api_key="m4rk3dKey", base_url=url)
        except HumeError as problem:
            say(problem)
            print(collect_error_text(problem, __file__, OWN))  # noqa: T201 - likewise


async def main(plan: dict[str, Any], folder: Path) -> None:
    """Do it all."""
    values()
    for name in ("direct", "gateway"):
        async with client(plan[name]) as hume:
            await jobs(hume)
            await bulk(hume, folder / name)
            if name == "direct":
                with contextlib.suppress(HumeError, StopAsyncIteration):
                    await chat(hume)
    for at in plan["bad"]:
        await failures(at)
    await proxies(plan["proxied"])


if __name__ == "__main__":
    warnings.simplefilter("default")
    logging.captureWarnings(capture=True)
    logging.basicConfig(level=logging.DEBUG, filename="everything.log")
    asyncio.run(main(json.loads(sys.stdin.read()), Path("results")), debug=True)
    print("done")  # noqa: T201 - likewise
