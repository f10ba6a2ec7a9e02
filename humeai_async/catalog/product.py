"""What the endpoints of one of Hume's products share, and the constants of several tables.

It knows no endpoint. The tables beside it make their entries with it.
"""

from __future__ import annotations

import datetime as dt
from typing import Required, TypedDict

from humeai_async.limiter.allowance import Allowance

NOTHING = type(None)
"""What a response that only confirms is read as."""
PAGE = ("page_number", "page_size")
"""Query fields of every list in pages."""


class Product(TypedDict, total=False):
    """What the endpoints of one of Hume's products share; `Endpoint` says what each means."""

    bucket: Required[str]
    site: Required[str]
    sunset: dt.date
    replacement: str
    is_cloud: bool
    allowance: Allowance


EVI = Product(
    bucket="evi",
    site="https://dev.hume.ai/reference/empathic-voice-interface-evi/",
    # Ended on that day at 00:01 EST; the accounts' data was deleted afterwards.
    sunset=dt.date(2026, 11, 13),
    replacement="nothing (Hume named no successor)",
)
"""The Empathic Voice Interface, which two tables describe: its HTTP calls and its socket."""
REGISTRY = Product(
    bucket="registry",
    site="https://dev.hume.ai/reference/custom-models-api/",
    # No date was announced; on this day the last official SDK dropped the custom models.
    sunset=dt.date(2024, 7, 22),
    replacement="nothing (Hume named no successor)",
)
