"""Fixtures for all tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """aiohttp is asyncio-only, so that is the one backend."""
    return "asyncio"
