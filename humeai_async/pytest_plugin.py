"""The pytest plugin: the fixtures `fake_hume` and `hume`, for tests of code that uses the library.

pytest imports it at its start wherever the library is installed, so it imports nothing of the
library itself before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from humeai_async.client import HumeAI
    from humeai_async.testing import FakeHume

SPEED = 100.0
"""Seconds of the stand-in's clock in one real second: a job of a minute takes 0.6 s."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark `fake_hume`."""
    config.addinivalue_line(
        "markers",
        "fake_hume(**settings): settings of the fixture fake_hume, as of "
        "humeai_async.testing.FakeHume",
    )


@pytest.fixture
def fake_hume(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Generator[FakeHume]:
    """A stand-in for Hume that serves on a thread of its own, for tests of every kind.

    While a test runs, the environment's variables lead to it: `HumeAI()` without arguments
    reaches it, and no other credential is there. Its clock is 100 times as fast as real time.
    `@pytest.mark.fake_hume(dialect="gateway-recorded", run_seconds=30)` sets it up otherwise, for
    a test, a class or a module; the closest mark wins.
    """
    from humeai_async.testing import Clock, FakeHume

    marks = list(reversed(list(request.node.iter_markers("fake_hume"))))
    if any(one.args for one in marks):
        raise pytest.UsageError('the mark takes names: fake_hume(dialect="gateway-recorded")')
    settings: dict[str, Any] = {name: value for one in marks for name, value in one.kwargs.items()}
    settings.setdefault("clock", Clock(SPEED))
    with FakeHume(**settings) as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake


@pytest.fixture
def hume(request: pytest.FixtureRequest, fake_hume: FakeHume) -> HumeAI:
    """A client of the fixture `fake_hume`, which polls and repeats within milliseconds.

    It needs no closing: its connections end with the test's event loop. Where anyio's plugin
    runs a test on trio too, that run is skipped, for the library needs asyncio.
    """
    from humeai_async.client import HumeAI
    from humeai_async.settings import Polling, Retry

    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend_name")
        if backend != "asyncio":
            pytest.skip(f"humeai_async runs on asyncio, not on {backend}")
    is_direct = fake_hume.dialect == "direct"
    return HumeAI(
        api_key=fake_hume.api_key if is_direct else None,
        api_token=None if is_direct else fake_hume.api_token,
        base_url=fake_hume.url,
        cloud_url=fake_hume.url if is_direct else None,
        polling=Polling(min_interval=0.01, max_interval=0.1),
        retry=Retry(initial_delay=0.01, max_delay=0.1),
    )
