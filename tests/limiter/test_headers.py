"""Every form of header that tells of a quota."""

from __future__ import annotations

import logging
import math
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from humeai_async.limiter.headers import (
    LONGEST_HINT,
    MOST_CALLS,
    Quota,
    parse_retry_after,
    read_quotas,
)

NOW = 1_700_000_000.0
DATE = formatdate(NOW, usegmt=True)
LATER = formatdate(NOW + 30, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "31536000"}, LONGEST_HINT),
        ({"retry-after": "1e300"}, LONGEST_HINT),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": LATER}, 30.0),
        ({"retry-after": formatdate(NOW - 60, usegmt=True)}, 0.0),
        ({"retry-after": "Sun, 99 Foo 1994 08:49:37 GMT"}, None),
        ({"retry-after": "Tuesday, 14-Nov-23 22:13:50 GMT"}, 30.0),
        ({"retry-after": "2023-11-14T22:13:50Z"}, 30.0),
        ({"retry-after": "2023-11-14T23:13:50+01:00"}, 30.0),
        ({"retry-after": "Tue Nov 14 2023 23:13:50 GMT+0100 (CET)"}, 30.0),
        ({"retry-after": str(int(NOW) + 30)}, 30.0),
        ({"retry-after": str(int(NOW) * 1000 + 30_500)}, 30.5),
        ({"retry-after-ms": "50"}, 0.05),
        ({"retry-after-ms": "50", "retry-after": "9"}, 0.05),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "-1"}, 0.0),
    ],
)
def test_retry_after_is_read_in_all_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert parse_retry_after(headers, now_epoch=NOW) == seconds


def test_a_clock_an_hour_back_does_not_change_a_date() -> None:
    headers = {"retry-after": LATER, "date": DATE}
    assert parse_retry_after(headers, now_epoch=NOW - 3600) == 30.0


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be set on Windows")
@pytest.mark.parametrize("date", ["Tue Nov 14 22:13:50 2023", "2023-11-14T22:13:50"])
def test_a_date_without_a_zone_is_of_greenwich(date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        assert parse_retry_after({"retry-after": date}, now_epoch=NOW) == 30.0
    time.tzset()


def test_names_are_matched_without_regard_to_case_in_aiohttps_mapping() -> None:
    assert parse_retry_after(CIMultiDict({"Retry-After": "4"}), now_epoch=NOW) == 4.0


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"retry-after": "31536000"}, "Retry-After '31536000' is bounded to 86400 s"),
        ({"retry-after-ms": "-1"}, "retry-after-ms '-1' is bounded to 0 s"),
        ({"retry-after": "soon"}, "Retry-After 'soon' cannot be read and is ignored"),
    ],
)
def test_an_absurd_hint_is_logged(
    headers: dict[str, str], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "humeai_async.limiter"):
        parse_retry_after(headers, now_epoch=NOW)
    assert caplog.messages == [message]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        (
            {"ratelimit-policy": '"default";q=100;w=60', "ratelimit": '"default";r=42;t=12'},
            (Quota(100, 60, 42, 12),),
        ),
        (
            {"ratelimit-policy": "100;w=60", "ratelimit": "limit=100, remaining=42, reset=12"},
            (Quota(100, 60, 42, 12),),
        ),
        (
            {
                "ratelimit-policy": '"burst";q=100;w=60, "daily";q=1000;w=86400',
                "ratelimit": '"burst";r=0;t=12',
            },
            (Quota(100, 60, 0, 12), Quota(1000, 86400)),
        ),
        (
            {"ratelimit": '"a";r=5;t=1, "b";r=0;t=30'},
            (Quota(remaining=5, reset=1), Quota(remaining=0, reset=30)),
        ),
        (
            {
                "ratelimit-limit": "100, 100;w=60, 1000;w=3600",
                "ratelimit-remaining": "42",
                "ratelimit-reset": "12",
            },
            (Quota(100, 60, 42, 12),),
        ),
        (
            {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3"},
            (Quota(100, None, 0, 3),),
        ),
        ({"x-ratelimit-reset": str(int(NOW) + 12)}, (Quota(reset=12),)),
        ({"x-ratelimit-reset": str(int(NOW * 1000) + 250)}, (Quota(reset=0.25),)),
        ({"x-ratelimit-reset": str(int(NOW) - 3600)}, (Quota(reset=0),)),
        ({"x-ratelimit-reset": "1900", "retry-after": "2"}, (Quota(reset=1.9),)),
        ({"x-ratelimit-reset": "1900", "retry-after": LATER}, (Quota(reset=1.9),)),
        ({"x-ratelimit-reset-requests": "6m0s"}, (Quota(reset=360),)),
        ({"x-ratelimit-reset": "2023-11-14T22:13:50.5Z"}, (Quota(reset=30.5),)),
        ({"x-ratelimit-reset": "250ms"}, (Quota(reset=0.25),)),
        ({"x-ratelimit-reset": LATER}, (Quota(reset=30),)),
        ({"x-ratelimit-reset-after": "1.5"}, (Quota(reset=1.5),)),
        ({"x-rate-limit-remaining": "7"}, (Quota(remaining=7),)),
        ({"x-ratelimit-limit": "many", "x-ratelimit-remaining": "0"}, (Quota(remaining=0),)),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "soon"}, (Quota(remaining=3),)),
        ({"x-ratelimit-limit": "-1", "x-ratelimit-remaining": "-1"}, ()),
        ({"x-ratelimit-limit": "9", "x-ratelimit-remaining": "-1"}, (Quota(limit=9),)),
        ({"ratelimit": '"default";r=-1;t=60'}, (Quota(reset=60),)),
        (
            {"ratelimit-policy": '"a,b;q=1";q=9;w=2', "ratelimit": '"a,b;q=1";r=3;t=1'},
            (Quota(9, 2, 3, 1),),
        ),
        ({"ratelimit": '"he said \\"5,6\\"";r=3;t=1'}, (Quota(remaining=3, reset=1),)),
        ({"ratelimit": '"never closed, r=3'}, ()),
        (
            {
                "ratelimit-policy": '"size";q=9000;w=1;qu="content-bytes", "calls";q=5;w=2',
                "ratelimit": '"size";r=0;t=1, "calls";r=4;t=2',
            },
            (Quota(5, 2, 4, 2),),
        ),
        (
            {
                "ratelimit-policy": "20;w=1, 100;w=60",
                "ratelimit-limit": "100",
                "ratelimit-remaining": "0",
                "ratelimit-reset": "9",
            },
            (Quota(100, 60, 0, 9), Quota(20, 1)),
        ),
        ({"ratelimit": "garbage;;;,=,"}, ()),
        ({"ratelimit": "limit=100, remaining=42, reset=12"}, (Quota(100, None, 42, 12),)),
        ({"ratelimit": '"a";r=5X;t=1'}, (Quota(reset=1),)),
        ({"ratelimit-limit": "100, 20;w=1, 100;w=60"}, (Quota(100, 60),)),
        ({"ratelimit-policy": "100;w=60, 100;w=5"}, (Quota(100, 60), Quota(100, 5))),
        ({"ratelimit-policy": '"size";q=9000;w=1;qu="content-bytes"'}, ()),
        ({"ratelimit": '"a";t=5'}, (Quota(reset=5),)),
        ({"ratelimit": '"a";r=5'}, (Quota(remaining=5),)),
        (
            {"ratelimit-policy": '"c";q=9;w=2', "ratelimit": '"a";r=5;t=1, "b";r=3;t=1'},
            (Quota(remaining=5, reset=1), Quota(remaining=3, reset=1), Quota(9, 2)),
        ),
    ],
)
def test_quotas_are_read_in_all_their_forms(
    headers: dict[str, str], expected: tuple[Quota, ...]
) -> None:
    found = read_quotas(headers, now_epoch=NOW)
    assert [quota for quota in found if quota != Quota()] == list(expected)


def test_an_epoch_is_measured_against_the_answers_own_date() -> None:
    headers = {"x-ratelimit-reset": str(int(NOW) + 12), "date": DATE}
    assert read_quotas(headers, now_epoch=NOW + 3600) == (Quota(reset=12),)


NAMES = [
    "retry-after", "retry-after-ms", "ratelimit", "ratelimit-policy", "ratelimit-limit",
    "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining",
    "x-ratelimit-reset", "x-rate-limit-reset-after", "date",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.integers().map(str),
    st.floats().map(str),
    st.from_regex(r'"?\w*"?(;[qwrt]=\d{0,12}(\.\d*)?){0,3}(, ?\w+=?-?\d*)*', fullmatch=True),
    st.sampled_from([DATE, LATER, "9" * 400, "Thu, 01 Jan 0000 00:00:00 GMT"]),
)


@pytest.mark.slow
@given(headers=st.dictionaries(st.sampled_from(NAMES), TEXTS), now=st.floats(0, 4e9))
def test_whatever_stands_in_the_headers_the_numbers_are_bounded(
    headers: dict[str, str], now: float
) -> None:
    wait = parse_retry_after(headers, now_epoch=now)
    assert wait is None or 0 <= wait <= LONGEST_HINT
    for quota in read_quotas(headers, now_epoch=now):
        for calls in (quota.limit, quota.remaining):
            assert calls is None or 0 <= calls <= MOST_CALLS
        for seconds in (quota.window, quota.reset):
            assert seconds is None or 0 <= seconds <= LONGEST_HINT
        assert quota.window is None or quota.window > 0
        assert not any(math.isnan(value or 0) for value in (quota.limit, quota.reset))
