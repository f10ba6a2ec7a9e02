"""Fixtures for all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A machine that has other work is slow, and slow is not wrong. Where CI is set, hypothesis takes
# a profile of its own that says so too.
if not os.environ.get("CI"):
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


@pytest.fixture
def anyio_backend() -> str:
    """aiohttp is asyncio-only, so that is the one backend."""
    return "asyncio"
