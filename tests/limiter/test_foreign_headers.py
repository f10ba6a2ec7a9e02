"""Headers as widely used rate limiters send them, recorded from the packages themselves."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from multidict import CIMultiDict

from humeai_async.limiter.headers import Quota, parse_retry_after, read_quotas

DATE = "Sun, 29 Nov 2026 21:39:12 GMT"
NOW = parsedate_to_datetime(DATE).timestamp() + 0.4
RECORDED: dict[str, tuple[list[tuple[str, str]], tuple[Quota, ...], float | None]] = {
    "express-rate-limit 8.7.4, draft-6, 200 in 2 s, refused": (
        [
            ("RateLimit-Policy", "200;w=2"),
            ("RateLimit-Limit", "200"),
            ("RateLimit-Remaining", "0"),
            ("RateLimit-Reset", "1"),
            ("Retry-After", "1"),
        ],
        (Quota(200, 2, 0, 1),),
        1.0,
    ),
    "express-rate-limit 8.7.4, draft-6 and legacy at once, 60 in 1.5 s": (
        [
            ("X-RateLimit-Limit", "60"),
            ("X-RateLimit-Remaining", "59"),
            ("X-RateLimit-Reset", "1795988354"),
            ("RateLimit-Policy", "60;w=2"),
            ("RateLimit-Limit", "60"),
            ("RateLimit-Remaining", "59"),
            ("RateLimit-Reset", "2"),
        ],
        (Quota(60, 2, 59, 2),),
        None,
    ),
    "express-rate-limit 8.7.4, draft-8, two limiters with lines of their own": (
        [
            ("RateLimit", '"sustained"; r=149; t=5'),
            ("RateLimit", '"burst"; r=24; t=1'),
            ("RateLimit-Policy", '"sustained"; q=150; w=5; pk=:MTJjYTE3YjQ5YWYy:'),
            ("RateLimit-Policy", '"burst"; q=25; w=1; pk=:MTJjYTE3YjQ5YWYy:'),
        ],
        (Quota(150, 5, 149, 5), Quota(25, 1, 24, 1)),
        None,
    ),
    "hono-rate-limiter 0.5.4, draft-8, which sends those of draft 6": (
        [
            ("ratelimit-limit", "2"),
            ("ratelimit-policy", "2;w=2"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "2"),
            ("retry-after", "2"),
        ],
        (Quota(2, 2, 0, 2),),
        2.0,
    ),
    "litestar 2.25.0": (
        [
            ("ratelimit-policy", "2; w=1"),
            ("ratelimit-limit", "2"),
            ("ratelimit-remaining", "1"),
            ("ratelimit-reset", "1"),
        ],
        (Quota(2, 1, 1, 1),),
        None,
    ),
    "quart-rate-limiter 0.12.1, refused, which says twice when": (
        [
            ("retry-after", "5"),
            ("retry-after", "5"),
            ("ratelimit-limit", "2"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "10"),
        ],
        (Quota(2, None, 0, 10),),
        5.0,
    ),
    "slowapi 0.1.10, an epoch with fractions": (
        [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "99"),
            ("x-ratelimit-reset", "1795988354.75"),
            ("retry-after", "2"),
        ],
        (Quota(100, None, 99, 2.75),),
        2.0,
    ),
    "koa-ratelimit 6.0.0, refused": (
        [
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", "1795988353.5"),
            ("X-RateLimit-Limit", "2"),
            ("Retry-After", "1"),
        ],
        (Quota(2, None, 0, 1.5),),
        1.0,
    ),
    "rate-limiter-flexible 11.4.0, a JavaScript date in Berlin": (
        [
            ("Retry-After", "1.984"),
            ("X-RateLimit-Limit", "2"),
            ("X-RateLimit-Remaining", "0"),
            (
                "X-RateLimit-Reset",
                "Sun Nov 29 2026 22:39:14 GMT+0100 (Central European Standard Time)",
            ),
        ],
        (Quota(2, None, 0, 2),),
        1.984,
    ),
    "Envoy 1.40.0, X-RateLimit headers of draft 3": (
        [
            ("x-ratelimit-limit", "200"),
            ("x-ratelimit-remaining", "199"),
            ("x-ratelimit-reset", "0"),
        ],
        (Quota(200, None, 199, 0),),
        None,
    ),
    "@fastify/rate-limit 11.2.0, draft headers, refused": (
        [
            ("ratelimit-limit", "2"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "3"),
            ("retry-after", "3"),
        ],
        (Quota(2, None, 0, 3),),
        3.0,
    ),
    "hapi-rate-limit 8.0.0, refused, in names that nobody else has": (
        [
            ("X-RateLimit-UserLimit", "2"),
            ("X-RateLimit-UserRemaining", "-1"),
            ("X-RateLimit-UserReset", "1795988356376"),
        ],
        (),
        None,
    ),
}


@pytest.mark.parametrize("source", RECORDED)
def test_headers_of_others_are_read_as_they_are_meant(source: str) -> None:
    lines, quotas, retry_after = RECORDED[source]
    headers = CIMultiDict([*lines, ("Date", DATE)])
    assert read_quotas(headers, now_epoch=NOW) == quotas
    assert parse_retry_after(headers, now_epoch=NOW) == retry_after
