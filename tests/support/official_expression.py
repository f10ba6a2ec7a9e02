"""The official package for Expression Measurement, where it is installed, as a client of a fake."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from humeai_async.testing import FakeHume

official: Any = pytest.importorskip(
    "hume_expression_measurement", reason="the peer is installed where it is compared"
)
# It is imported bit by bit, and reads the environment when it is.
importlib.import_module("hume_expression_measurement.client")

httpx: Any = importlib.import_module("httpx")

MARKS = [
    pytest.mark.anyio,
    # It leaves connections open, and calls what its own dependencies have deprecated.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def module(name: str) -> Any:
    """Return a module of the package."""
    return importlib.import_module(f"hume_expression_measurement.{name}")


@contextlib.asynccontextmanager
async def client_at(url: str, key: str = "key", **settings: Any) -> AsyncGenerator[Any]:
    """Give the package's client; the connections are closed for it, as it cannot itself."""
    where = official.ExpressionMeasurementClientEnvironment(
        base=url, production=url.replace("http", "ws", 1)
    )
    async with httpx.AsyncClient(timeout=30.0) as connections:
        yield official.AsyncExpressionMeasurementClient(
            api_key=key, environment=where, httpx_client=connections, **settings
        )


@contextlib.asynccontextmanager
async def theirs(fake: FakeHume, **settings: Any) -> AsyncGenerator[Any]:
    """Give the package's client for a fake."""
    async with client_at(fake.url, fake.api_key, **settings) as client:
        yield client
