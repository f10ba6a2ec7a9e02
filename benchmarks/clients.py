"""The clients that are compared: ours, bare aiohttp, and the official SDK."""

from __future__ import annotations

import importlib
from typing import Any

from humeai_async import HumeAI, Limiter

UNPACED = 1e9
"""A declared rate that never makes anybody wait."""
KEY = {"X-Hume-Api-Key": "key"}


def ours(url: str, *, rate: float | None = UNPACED, gateway: bool = False) -> HumeAI:
    """Build a client; without a rate its limiter learns."""
    limiter = Limiter(rate=rate)
    if gateway:
        return HumeAI(api_token="at_key", base_url=url, limiter=limiter)
    return HumeAI(api_key="key", base_url=url, limiter=limiter)


def official(url: str) -> Any:
    """Build the official SDK's client, which is untyped where it matters."""
    return importlib.import_module("hume").AsyncHumeClient(api_key="key", base_url=url)
