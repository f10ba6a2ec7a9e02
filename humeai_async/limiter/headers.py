"""What the headers of a response say about a quota, as plain numbers of seconds and calls.

Pure functions over a mapping of headers: no clock (the caller says what time it is), no state,
no pacing. The limiter learns from them and the retry rules read `parse_retry_after`.

The forms read, the first that is there wins for each number:

    RateLimit-Policy: "default";q=100;w=60     IETF draft 8 and later, with
    RateLimit: "default";r=42;t=12             calls remaining and seconds to the reset
    RateLimit-Policy: 100;w=60                 IETF draft 7, with
    RateLimit: limit=100, remaining=42, reset=12
    RateLimit-Limit: 100, 100;w=60             IETF drafts up to 6, with
    RateLimit-Remaining: 42, RateLimit-Reset: 12
    X-RateLimit-Limit, -Remaining, -Reset, -Reset-After, also with `-Requests` behind and
    spelt X-Rate-Limit-; the reset in seconds, with a unit ("1s", "6m0s", "250ms"), as epoch
    seconds or milliseconds, or in milliseconds where something else in the response shows it
    retry-after-ms: 250; Retry-After: 2; Retry-After: Sun, 06 Nov 1994 08:49:37 GMT

Points in time are measured against the response's own `Date` where it has one, so a wrong or
jumping clock on this side does no harm.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import evolve

from humeai_async._base.frozen import frozen

LONGEST_HINT: Final = 86_400.0
"""Seconds; no hint is taken to mean more than a day."""
MOST_CALLS: Final = 1e9
"""Calls; no limit is taken to be higher."""

_logger = logging.getLogger("humeai_async.limiter")
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e11
_MILLISECONDS_EVIDENCE = 10.0
"""A bare reset this many times as far off as the window or Retry-After is in milliseconds."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_DURATIONS = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_NUMBER = 40
_OLD_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")


@frozen
class Quota:
    """One quota as a response describes it; `None` where it does not say.

    Numbers are finite, at least zero and at most `MOST_CALLS` or `LONGEST_HINT`.
    """

    name: str = ""
    """The service's name of the policy, such as `default`."""
    limit: float | None = None
    """Number of calls allowed in a window."""
    window: float | None = None
    """Length of the window in seconds; above zero."""
    remaining: float | None = None
    """Calls left in this window."""
    reset: float | None = None
    """Seconds from the response until more calls are left."""


def parse_retry_after(headers: Mapping[str, str], *, now_epoch: float) -> float | None:
    """Read how long the service asks to wait before the next try.

    Args:
        headers: Headers of the response; names in lower case, or a mapping that ignores case.
        now_epoch: Seconds since 1970, for dates in a response that does not say its own.

    Returns:
        Seconds from 0 to `LONGEST_HINT`, or `None` if there is no hint that can be read. A
        negative number or a date in the past is 0; what was bounded is logged.
    """
    text = headers.get("retry-after-ms")
    if text is not None:
        number = _number(text)
        if number is not None:
            return _bounded(number / 1000, "retry-after-ms", text)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _duration(text)
    if seconds is None:
        date = _date(text)
        if date is None:
            _logger.info("Retry-After %.80r cannot be read and is ignored", text)
            return None
        seconds = date - _server_time(headers, now_epoch)
    return _bounded(seconds, "Retry-After", text)


def read_quotas(headers: Mapping[str, str], *, now_epoch: float) -> tuple[Quota, ...]:
    """Read all quotas that the headers of a response describe.

    Args:
        headers: Headers of the response; names in lower case, or a mapping that ignores case.
        now_epoch: Seconds since 1970, for resets given as a point in time.

    Returns:
        The quotas in the order of the headers; empty where there are none. Values that
        cannot be read are left out, absurd ones are bounded.
    """
    if "rate" not in "\n".join(headers).lower():
        return ()  # as most responses are: a dozen look-ups saved
    found = _ietf(headers)
    if found:
        return found
    for prefix in _OLD_PREFIXES:
        found = _counters(headers, prefix, now_epoch)
        if found:
            return found
    return ()


def _ietf(headers: Mapping[str, str]) -> tuple[Quota, ...]:
    """`RateLimit` and `RateLimit-Policy`, both syntaxes of the drafts."""
    state = headers.get("ratelimit")
    policy = headers.get("ratelimit-policy")
    if state is None and policy is None:
        return ()
    policies = _policies(policy or "")
    states = _states(state or "")
    if not states:
        return tuple(policies.values())
    quotas: list[Quota] = []
    for name, state_only in states.items():
        known, quota = policies.get(name), state_only
        if known is None and len(states) == 1 and policies:
            # Draft 7 gives states no names: they belong to the policy of the same limit.
            same = [item for item in policies.values() if item.limit == quota.limit]
            known = (same or [*policies.values()])[0]
        if known is not None:
            quota = evolve(
                known,
                limit=quota.limit or known.limit,
                remaining=quota.remaining,
                reset=quota.reset,
            )
        quotas.append(quota)
    quotas.extend(item for name, item in policies.items() if name not in states)
    return tuple(quotas) if len(states) > 1 or len(quotas) == 1 else tuple(_merged(quotas))


def _merged(quotas: list[Quota]) -> Iterator[Quota]:
    """Drop policies that a state has already been joined with."""
    first, *rest = quotas
    yield first
    for quota in rest:
        if (quota.limit, quota.window) != (first.limit, first.window):
            yield quota


def _policies(text: str) -> dict[str, Quota]:
    policies: dict[str, Quota] = {}
    for head, parameters in _items(text):
        limit = parameters.get("q", head)
        name = head if "q" in parameters else f"{head};{parameters.get('w', '')}"
        policies[name] = Quota(name=name, limit=_calls(limit), window=_seconds(parameters.get("w")))
    return policies


def _states(text: str) -> dict[str, Quota]:
    states: dict[str, Quota] = {}
    flat: dict[str, str] = {}
    for head, parameters in _items(text):
        if "=" in head:
            key, _, value = head.partition("=")
            flat[key.strip().lower()] = value.strip()
        elif "r" in parameters or "t" in parameters:
            states[head] = Quota(
                name=head,
                limit=_calls(parameters.get("q")),
                remaining=_calls(parameters.get("r"), zero=True),
                reset=_seconds(parameters.get("t"), zero=True),
            )
    if flat:
        states[""] = Quota(
            limit=_calls(flat.get("limit")),
            remaining=_calls(flat.get("remaining"), zero=True),
            reset=_seconds(flat.get("reset"), zero=True),
        )
    return states


def _items(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Members of a structured list with their parameters; no member holds a comma."""
    for member in text.split(","):
        head, *rest = (piece.strip() for piece in member.split(";"))
        pairs = (piece.partition("=") for piece in rest)
        if head:
            yield (
                head.strip('"'),
                {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs},
            )


def _counters(headers: Mapping[str, str], prefix: str, now_epoch: float) -> tuple[Quota, ...]:
    """The older families of three headers, each with one number."""

    def get(name: str) -> str | None:
        text = headers.get(prefix + name)
        return headers.get(f"{prefix}{name}-requests") if text is None else text

    limit_text = get("limit")
    limit, window = _limit(limit_text) if limit_text is not None else (None, None)
    remaining = _calls(get("remaining"), zero=True)
    after = get("reset-after")
    if after is not None:
        reset = _seconds(after, zero=True)
    else:
        reset_text = get("reset")
        reset = None if reset_text is None else _reset(reset_text, headers, window, now_epoch)
    if limit is None and remaining is None and reset is None:
        return ()
    return (Quota(limit=limit, window=window, remaining=remaining, reset=reset),)


def _limit(text: str) -> tuple[float | None, float | None]:
    """The limit and, from the policies that draft 6 puts behind it, its window."""
    items = list(_items(text))
    if not items:
        return None, None
    limit = _calls(items[0][0])
    for head, parameters in items:
        window = _seconds(parameters.get("w"))
        if window is not None and _calls(head) == limit:
            return limit, window
    return limit, None


def _reset(
    text: str, headers: Mapping[str, str], window: float | None, now_epoch: float
) -> float | None:
    """Seconds until the reset, whichever of the customs the number follows."""
    number = _number(text)
    if number is None:
        seconds = _duration(text)
        if seconds is None:
            date = _date(text)
            seconds = None if date is None else date - _server_time(headers, now_epoch)
        return None if seconds is None else _bounded(seconds, "reset", text)
    if number >= _EPOCH_MILLISECONDS:
        number = number / 1000 - _server_time(headers, now_epoch)
    elif number >= _EPOCH_SECONDS:
        number -= _server_time(headers, now_epoch)
    else:
        other = window or parse_retry_after(headers, now_epoch=now_epoch)
        if other and number > _MILLISECONDS_EVIDENCE * other:
            number /= 1000
    return _bounded(number, "reset", text)


def _server_time(headers: Mapping[str, str], now_epoch: float) -> float:
    text = headers.get("date")
    date = None if text is None else _date(text)
    return now_epoch if date is None else date


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _number(text: str) -> float | None:
    text = text.strip()
    # The pattern first: `float` also takes "nan", "infinity" and "1_000".
    number = float(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _duration(text: str) -> float | None:
    """A number of seconds, or numbers with units such as `6m0s`."""
    text = text.strip().lower()
    if len(text) <= _LONGEST_NUMBER and _DURATIONS.fullmatch(text):
        return sum(float(value) * _UNITS[unit] for value, unit in _DURATION.findall(text))
    return _number(text)


def _seconds(text: str | None, *, zero: bool = False) -> float | None:
    seconds = None if text is None else _duration(text)
    if seconds is None or seconds < 0 or not (seconds or zero):
        return None
    return min(seconds, LONGEST_HINT)


def _calls(text: str | None, *, zero: bool = False) -> float | None:
    number = None if text is None else _number(text)
    # Below zero, as some gateways say for a quota without limit, is no number of calls.
    if number is None or number < 0 or not (number or zero):
        return None
    return min(number, MOST_CALLS)


def _bounded(seconds: float, name: str, text: str) -> float:
    if 0 <= seconds <= LONGEST_HINT:
        return seconds
    bounded = min(max(seconds, 0.0), LONGEST_HINT)
    _logger.info("%s %.80r is bounded to %g s", name, text, bounded)
    return bounded
