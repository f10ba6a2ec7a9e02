"""Quotas of widely used packages, met for thirty seconds each as well as they were.

`tests/limiter_zoo.py --services` shows them all. Whoever makes one better moves its line.
"""

from __future__ import annotations

import pytest
from zoo.services import SERVICES
from zoo.traffic import run_long

pytestmark = pytest.mark.slow  # thousands of calls each

MET = {
    "express-rate-limit 8.7.4, draft-7, 100 in 1 s": (0.880, 0.011),
    "express-rate-limit 8.7.4, draft-8, 200 in 2 s": (0.925, 0.012),
    "express-rate-limit 8.7.4, draft-7, 60 in 1.5 s": (0.860, 0.016),
    "express-rate-limit 8.7.4, silent, 60 in 1.5 s": (0.920, 0.021),
    "express-rate-limit 8.7.4, legacy, 20 in 0.5 s": (0.870, 0.022),
    "express-rate-limit 8.7.4, legacy, 20 in 0.5 s, near": (0.790, 0.010),
    "@fastify/rate-limit 11.2.0, continueExceeding, 100 in 2 s": (0.730, 0.012),
    "Flask-Limiter 4.1.1, fixed window, 100 in 1 s": (0.910, 0.015),
    "slowapi 0.1.10, moving window, 100 in 2 s": (0.930, 0.010),
    "Django REST framework 3.18.3, 50 in 1 s": (0.870, 0.015),
    "throttled-py 3.5.0, token bucket, 8 a second": (0.990, 0.085),
    "throttled-py 3.5.0, GCRA, 30 a second": (0.990, 0.035),
    "quart-rate-limiter 0.12.1, 60 in 10 s": (0.990, 0.122),
    "nginx 1.22.1, burst=60 nodelay, 200 a second": (0.990, 0.010),
    "HAProxy 2.6.12, http_req_rate, 50 in 1 s": (0.920, 0.018),
    "Envoy 1.40.0, local rate limit, 10 each 0.1 s": (0.980, 0.015),
}
"""By service: the least share of the quota's pace, and the largest share of 429s."""


def test_every_service_has_its_line() -> None:
    assert MET.keys() == SERVICES.keys()


@pytest.mark.parametrize("name", MET)
def test_a_service_is_met_as_well_as_it_was(name: str) -> None:
    pace, refused = MET[name]
    outcome = run_long(SERVICES[name](name), 30.0)
    assert outcome.pace >= pace, outcome
    assert outcome.refused <= refused, outcome
    assert not outcome.failed, outcome
    assert outcome.idle <= outcome.allowed_idle, outcome
