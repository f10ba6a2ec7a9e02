"""The guide's web backends, as written there, on real servers under real trouble."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import frozen
from backends import KINDS, PATIENCE, Answer, Backend, Browser, Kind, backend

from humeai_async.testing import FakeHume, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CONFIGS = "/v0/evi/configs/*"
BROWSERS = 50


@frozen
class Served:
    """A backend with a fake Hume behind it."""

    kind: Kind
    fake: FakeHume
    backend: Backend
    path: str
    """Where the backend gives a config that there is."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Let all tests of this module share their backends: each takes a second to start."""
    return "asyncio"


@asynccontextmanager
async def serving(
    kind: Kind, folder: Path, fake: FakeHume, *options: str
) -> AsyncGenerator[Served]:
    """Run a recipe with a fake Hume behind it."""
    async with fake, backend(kind, folder, fake.url, *options, key=fake.api_key) as running:
        config = fake.upstream.evi.configs.add({"name": "Front desk", "evi_version": "3"})
        yield Served(kind, fake, running, f"/configs/{config['id']}")


@pytest.fixture(scope="module", params=KINDS)
async def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Served]:
    kind: Kind = request.param
    async with serving(kind, tmp_path_factory.mktemp(kind), FakeHume()) as one:
        yield one
        assert await one.backend.stop(signal.SIGINT) == 0
        assert one.backend.noise() == []


async def until_open(fake: FakeHume, least: int, most: int) -> None:
    """Wait until so many connections to Hume are open."""
    async with asyncio.timeout(PATIENCE):
        while not least <= fake.connections_open <= most:
            await asyncio.sleep(0.01)


async def test_an_answer_goes_through(served: Served) -> None:
    answer = await served.backend.get(served.path)
    assert (answer.status, json.loads(answer.body)) == (200, {"name": "Front desk"})


@pytest.mark.parametrize(
    ("hume", "status", "name"),
    [(404, 404, "NotFoundError"), (401, 502, "AuthenticationError"), (400, 502, "BadRequestError")],
)
async def test_an_error_is_told_to_the_browser(
    served: Served, hume: int, status: int, name: str
) -> None:
    served.fake.faults.add(Fault("status", status=hume))
    answer = await served.backend.get(served.path)
    told = {"error": name, "may_have_worked": False}
    assert (answer.status, json.loads(answer.body)) == (status, told)


async def test_browsers_that_leave_cancel_their_calls(served: Served) -> None:
    served.fake.faults.add(Fault("stall", path=CONFIGS, times=None))
    browsers = [await served.backend.ask(served.path) for _ in range(BROWSERS)]
    await until_open(served.fake, 8, BROWSERS)
    for browser in browsers:
        await browser.leave()
    await until_open(served.fake, 0, 0)
    served.fake.faults.clear()
    # The first ones took every place in the limiter; nobody gets in now if one was kept.
    after = [served.backend.get(served.path) for _ in range(BROWSERS)]
    assert [answer.status for answer in await asyncio.gather(*after)] == [200] * BROWSERS


async def test_without_the_recipe_starlette_lets_the_call_run_on(tmp_path: Path) -> None:
    fake = FakeHume(faults=[Fault("stall")])
    async with serving("fastapi", tmp_path, fake) as served:
        browser = await served.backend.ask(served.path.replace("configs", "plain"))
        await until_open(served.fake, 1, 1)
        await browser.leave()
        # The backend has had every chance to notice, and the old call holds its connection.
        for _ in range(3):
            assert (await served.backend.get(served.path)).status == 200
        assert served.fake.connections_open == 2


async def in_flight(served: Served) -> Browser:
    """Ask on a connection that the backend surely has accepted."""
    browser = await served.backend.ask("/nowhere")
    assert (await browser.answer()).status == 404
    await browser.ask(served.path)
    return browser


@pytest.mark.parametrize("kind", KINDS)
async def test_all_in_flight_at_shutdown_are_answered(kind: Kind, tmp_path: Path) -> None:
    fake, patient = FakeHume(latency=0.2), ("--timeout-graceful-shutdown", "30")
    async with serving(kind, tmp_path, fake, *patient) as served:
        browsers = [await in_flight(served) for _ in range(BROWSERS)]
        await served.backend.get("/nowhere")
        code = await served.backend.stop(signal.SIGTERM)
        answers = [await browser.answer() for browser in browsers]
    assert [json.loads(answer.body) for answer in answers] == [{"name": "Front desk"}] * BROWSERS
    # uvicorn shuts down in good order and then ends by the signal, as a shell expects.
    assert code == (-signal.SIGTERM if kind == "fastapi" else 0)
    assert served.backend.noise() == []


async def test_what_does_not_end_in_time_at_shutdown_is_cut_cleanly(tmp_path: Path) -> None:
    fake, hasty = (
        FakeHume(faults=[Fault("stall", times=None)]),
        ("--timeout-graceful-shutdown", "1"),
    )
    async with serving("fastapi", tmp_path, fake, *hasty) as served:
        browsers = [await in_flight(served) for _ in range(BROWSERS)]
        await served.backend.get("/nowhere")
        code = await served.backend.stop(signal.SIGINT)
        ends = [await end_of(browser) for browser in browsers]
        await until_open(fake, 0, 0)
    assert all(end is None or end.status >= 500 for end in ends)
    assert code == 0
    assert "Unclosed" not in served.backend.log()
    assert "never" not in served.backend.log()


async def end_of(browser: Browser) -> Answer | None:
    """Return the answer, or `None` where the connection was closed in its place."""
    try:
        return await browser.answer()
    except asyncio.IncompleteReadError:
        return None
