"""How many examples a test tries: a few always, more where time is no matter."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

SOAK = bool(os.environ.get("HUMEAI_ASYNC_SOAK"))
"""Whether this is the long form: many more examples, and others each time."""
DEEP = SOAK or bool(os.environ.get("HUMEAI_ASYNC_DEEP"))
"""Whether tests that repeat one experiment do so as often as continuous integration wants it."""


def examples(count: int) -> Callable[[Any], Any]:
    """Try so many examples, always the same ones, or many more and new ones in the long form."""
    return settings(
        max_examples=count * 100 if SOAK else count,
        derandomize=not SOAK,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),  # explaining takes minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
