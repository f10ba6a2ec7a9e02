"""What the headers of a response say about a quota, as plain numbers of seconds and calls.

Pure functions over a mapping of headers: no clock (the caller says what time it is), no state,
no pacing. The limiter learns from them and the retry rules read `parse_retry_after`.

The forms read, the first that is there wins for each number:

    RateLimit-Policy: "default";q=100;w=60     IETF draft 8 and later, with
    RateLimit: "default";r=42;t=12             calls remaining and seconds to the reset
    RateLimit-Policy: 100;w=60                 IETF draft 7, with
    RateLimit: limit=100, remaining=42, reset=12
    RateLimit-Limit: 100, 100;w=60             IETF drafts up to 6, with
    RateLimit-Remaining: 42, RateLimit-Reset: 12; the policies also in a RateLimit-Policy
    X-RateLimit-Limit, -Remaining, -Reset, -Reset-After, also with `-Requests` behind and
    spelt X-Rate-Limit-; the reset in seconds, with a unit ("1s", "6m0s", "250ms"), as epoch
    seconds or milliseconds, as a date, or in milliseconds where something else in the response
    shows it
    retry-after-ms: 250; Retry-After: 2, or as epoch seconds or milliseconds, or as a date
    dates: Sun, 06 Nov 1994 08:49:37 GMT; the older two of HTTP; ISO 8601; JavaScript's own

Points in time are measured against the response's own `Date` where it has one, so a wrong or
jumping clock on this side does no harm.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

LONGEST_HINT: Final = 86_400.0
"""Seconds; no hint is taken to mean more than a day."""
MOST_CALLS: Final = 1e9
"""Calls; no limit is taken to be higher."""

_EPOCH_SECONDS: Final = 1e9
_EPOCH_MILLISECONDS: Final = 1e11
"""From these numbers on it is a point in time."""
_MILLISECONDS_EVIDENCE: Final = 10.0
"""A bare reset this many times as far off as the window or Retry-After is in milliseconds."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_NUMBER = 40
_QUOTED = {mark: re.compile(rf'(?:[^{mark}"]|"(?:\\.|[^"\\])*"?)+') for mark in ",;"}
"""What stands between two marks, of which a text in quotes may have some."""
_REQUESTS = ("request", "requests")
_JAVASCRIPT_ZONE = re.compile(r"GMT(?=[+-]\d{4})", re.ASCII)
_OLD_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")

_logger = logging.getLogger("humeai_async.limiter")


class Quota(NamedTuple):
    """One quota as a response describes it; `None` where it does not say.

    Numbers are finite, at least zero and at most `MOST_CALLS` or `LONGEST_HINT`.
    """

    limit: float | None = None
    """Number of calls allowed in a window; above zero."""
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
    if text is not None and (number := _number(text)) is not None:
        return _bounded(number / 1000, "retry-after-ms", text)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _seconds_until(text, headers, now_epoch)
    if seconds is None:
        _logger.info("Retry-After %.80r cannot be read and is ignored", text)
        return None
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
    policies, others = _policies(_whole(headers, "ratelimit-policy"))
    states = _states(_whole(headers, "ratelimit"))
    for prefix in _OLD_PREFIXES:
        states = states or _counters(headers, prefix, now_epoch)
    for name in others:
        states.pop(name, None)
    if not policies:
        return tuple(states.values())
    if len(states) == 1 and not states.keys() & policies.keys():
        # Drafts up to 7 give states no names: they belong to the policy of the same limit.
        (state,) = states.values()
        same = [name for name, one in policies.items() if one.limit == state.limit]
        states = {(same or [*policies])[0]: state}
    for name, state in states.items():
        known = policies.pop(name, state)
        states[name] = state._replace(
            limit=state.limit or known.limit, window=state.window or known.window
        )
    return *states.values(), *policies.values()


def _whole(headers: Mapping[str, str], name: str) -> str:
    """Return a list, which may stand on several lines: `get` finds the first of them."""
    if name not in headers:
        return ""
    size = len(name)  # a name of another length need not be put in lower case
    lines = [text for key, text in headers.items() if len(key) == size and key.lower() == name]
    return ",".join(lines)


def _policies(text: str) -> tuple[dict[str, Quota], set[str]]:
    """Return the policies by name, and the names of those that do not count requests."""
    policies: dict[str, Quota] = {}
    others: set[str] = set()
    for head, parameters in _items(text):
        has_name = "q" in parameters
        limit = parameters["q"] if has_name else head
        name = head.strip('"') if has_name else f"{head};{parameters.get('w', '')}"
        if parameters.get("qu", _REQUESTS[0]).lower() in _REQUESTS:
            policies[name] = Quota(_calls(limit) or None, _seconds(parameters.get("w")) or None)
        else:
            others.add(name)
    return policies, others


def _states(text: str) -> dict[str, Quota]:
    states: dict[str, Quota] = {}
    flat: dict[str, str] = {}
    for head, parameters in _items(text):
        if "=" in head and not head.startswith('"'):
            key, _, value = head.partition("=")
            flat[key.strip().lower()] = value.strip()
        elif "r" in parameters or "t" in parameters:
            states[head.strip('"')] = _state(*map(parameters.get, "qrt"))
    if flat:
        states[""] = _state(*map(flat.get, ("limit", "remaining", "reset")))
    return states


def _state(limit: str | None, remaining: str | None, reset: str | None) -> Quota:
    return Quota(_calls(limit) or None, None, _calls(remaining), _seconds(reset))


def _items(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Members of a structured list with their parameters."""
    for member in _split(text, ","):
        head, *rest = (piece.strip() for piece in _split(member, ";"))
        pairs = (piece.partition("=") for piece in rest)
        if head:
            yield (
                head,
                {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs},
            )


def _split(text: str, mark: str) -> list[str]:
    return _QUOTED[mark].findall(text) if '"' in text else text.split(mark)


def _counters(headers: Mapping[str, str], prefix: str, now_epoch: float) -> dict[str, Quota]:
    """The older families of three headers, each with one number."""

    def get(name: str) -> str | None:
        return headers.get(prefix + name, headers.get(f"{prefix}{name}-requests"))

    # Draft 6 puts policies behind the limit.
    items = list(_items(get("limit") or ""))
    limit = _calls(items[0][0]) or None if items else None
    windows = (_seconds(one.get("w")) for head, one in items if limit and _calls(head) == limit)
    window = next(filter(None, windows), None)
    after, reset = get("reset-after"), get("reset")
    quota = Quota(
        limit,
        window,
        _calls(get("remaining")),
        _reset(reset, headers, window, now_epoch) if after is None else _seconds(after),
    )
    return {} if quota == Quota() else {"": quota}


def _reset(
    text: str | None, headers: Mapping[str, str], window: float | None, now_epoch: float
) -> float | None:
    """Seconds until the reset, whichever of the customs the number follows."""
    seconds = None if text is None else _seconds_until(text, headers, now_epoch)
    if text is None or seconds is None:
        return None
    if _number(text) == seconds:
        other = window or parse_retry_after(headers, now_epoch=now_epoch)
        if other and seconds > _MILLISECONDS_EVIDENCE * other:
            seconds /= 1000
    return _bounded(seconds, "reset", text)


def _seconds_until(text: str, headers: Mapping[str, str], now_epoch: float) -> float | None:
    """Seconds from the response on, given as a duration or as a point in time."""
    seconds = _duration(text)
    if seconds is None or seconds >= _EPOCH_SECONDS:
        point = _date(text) if seconds is None else seconds
        if point is None:
            return None
        point /= 1000 if point >= _EPOCH_MILLISECONDS else 1
        return point - _server_time(headers, now_epoch)
    return seconds


def _server_time(headers: Mapping[str, str], now_epoch: float) -> float:
    date = _date(headers.get("date", ""))
    return now_epoch if date is None else date


def _date(text: str) -> float | None:
    for read in (parsedate_to_datetime, dt.datetime.fromisoformat):
        try:
            date = read(_JAVASCRIPT_ZONE.sub("", text))
            return (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _number(text: str) -> float | None:
    text = text.strip()
    # The pattern first: `float` also takes "nan", "infinity" and "1_000".
    number = float(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def _duration(text: str) -> float | None:
    """A number of seconds, or numbers with units such as `6m0s`."""
    text = text.strip().lower()
    pieces = _DURATION.findall(text) if len(text) <= _LONGEST_NUMBER else []
    if pieces and "".join(value + unit for value, unit in pieces) == text:
        return sum(float(value) * _UNITS[unit] for value, unit in pieces)
    return _number(text)


def _seconds(text: str | None) -> float | None:
    return _within(_duration(text or ""), LONGEST_HINT)


def _calls(text: str | None) -> float | None:
    return _within(_number(text or ""), MOST_CALLS)


def _within(number: float | None, most: float) -> float | None:
    # Below zero, as some gateways say for a quota without limit, is no number of calls.
    return None if number is None or number < 0 else min(number, most)


def _bounded(seconds: float, name: str, text: str) -> float:
    bounded = min(max(seconds, 0.0), LONGEST_HINT)
    if bounded != seconds:
        _logger.info("%s %.80r is bounded to %g s", name, text, bounded)
    return bounded
