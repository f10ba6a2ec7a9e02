"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # at run time the plugin's fixture imports it, and coverage sees that
    from humeai_async.testing import FakeHume

# Where the checkout is not installed, no entry point names the plugin. As an entry point it is
# known by another name, and must not be loaded twice.
PLUGIN = "humeai_async.pytest_plugin"
pytest_plugins = ["pytester"] if PLUGIN in sys.modules else ["pytester", PLUGIN]

# A machine that has other work is slow, and slow is not wrong. Where CI is set, hypothesis takes
# a profile of its own that says so too.
if not os.environ.get("CI"):
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


# Where the variable is set, each worker would rewrite the asserts of all test modules, and each
# program that a test starts would compile the package, at every run: half a minute in all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


OTHER_PROGRAMS = ("server", "browser", "media")
"""Marks of tests that need programs that pip does not install."""


# The hook of xdist, which may not be installed.
@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Take one worker more than `-n auto` would: at any time some tests only wait."""
    workers = yield
    return workers + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs other programs, unless the command line's -m names it."""
    expression = str(config.option.markexpr)
    left_out = {mark for mark in OTHER_PROGRAMS if mark not in expression}
    deselected = [i for i in items if any(mark.name in left_out for mark in i.iter_markers())]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests that stay to the end: many look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> str:
    """aiohttp is asyncio-only, so that is the one backend."""
    return "asyncio"


@pytest.fixture
def fake(fake_hume: FakeHume) -> FakeHume:
    """The plugin's stand-in, by a short name."""
    return fake_hume
