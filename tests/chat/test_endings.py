"""When a chat is resumed, and what it begins with then."""

from __future__ import annotations

import pytest

from humeai_async.chat.connections import remember
from humeai_async.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    HumeError,
    NotFoundError,
    RateLimitError,
    RateLimitWaitError,
    ServerError,
    TLSError,
)
from humeai_async.http.reconnect import describe, may_resume, may_try_again, pause_before
from humeai_async.http.transport.websocket import Closed
from humeai_async.settings import Reconnect


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1012, 1013])
def test_a_server_that_goes_away_is_come_back_to(code: int) -> None:
    assert may_resume(code)


@pytest.mark.parametrize("code", [1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010, 3000, 4999])
def test_other_ends_are_final(code: int) -> None:
    assert not may_resume(code)


@pytest.mark.parametrize(
    "failure",
    [
        APIConnectionError("refused"),
        APITimeoutError("late"),
        RateLimitError("slow down", status=429),
        ServerError("down", status=503),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_passing_failures_are_tried_again(failure: HumeError) -> None:
    assert may_try_again(failure)


def test_a_request_timeout_is_tried_again() -> None:
    assert may_try_again(ServerError("late", status=408))


@pytest.mark.parametrize(
    "failure",
    [
        AuthenticationError("no", status=401),
        NotFoundError("gone", status=404),
        RateLimitWaitError("too long", seconds=900.0),
        DecodeError("odd"),
        TLSError("no trust"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_lasting_failures_are_not_tried_again(failure: HumeError) -> None:
    assert not may_try_again(failure)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 1.0), (0.5, 3.0), (1.0, 5.0)])
def test_the_first_pause_is_one_to_five_seconds(jitter: float, seconds: float) -> None:
    assert pause_before(Reconnect(), 0, jitter=lambda: jitter) == seconds


def test_pauses_grow_up_to_the_longest() -> None:
    pauses = [pause_before(Reconnect(), tries, jitter=lambda: 0.5) for tries in range(7)]
    assert pauses[:4] == pytest.approx([3.0, 3.9, 5.07, 6.591])
    assert pauses[5:] == [10.0, 10.0]


def test_no_try_is_left_after_the_last() -> None:
    assert pause_before(Reconnect(attempts=3), 2) is not None
    assert pause_before(Reconnect(attempts=3), 3) is None


def test_a_pause_is_bounded_however_many_tries_there_were() -> None:
    assert pause_before(Reconnect(attempts=10**6), 10**5) == 10.0


@pytest.mark.parametrize(
    "setting",
    [{"attempts": 0}, {"initial_delay": 0}, {"jitter": -1}, {"growth": 0}, {"max_delay": -1}],
)
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        Reconnect(**setting)  # type: ignore[arg-type]  # one float stands for all fields


def test_later_settings_win_over_earlier_ones() -> None:
    kept = remember({}, {"type": "session_settings", "system_prompt": "a", "voice_id": "v"})
    kept = remember(kept, {"type": "session_settings", "system_prompt": "b"})
    assert kept == {"system_prompt": "b", "voice_id": "v"}


@pytest.mark.parametrize("kind", [{}, {"type": "temporary"}, {"type": None}])
def test_a_context_for_one_message_is_not_kept(kind: dict[str, str | None]) -> None:
    assert remember({}, {"context": {"text": "x", **kind}}) == {}


def test_a_lasting_context_is_kept_until_it_is_taken_away() -> None:
    lasting = {"text": "x", "type": "persistent"}
    kept = remember({}, {"context": lasting})
    assert kept == {"context": lasting}
    assert remember(kept, {"context": None}) == {"context": None}


def test_remembering_changes_neither_argument() -> None:
    kept, sent = {"voice_id": "v"}, {"type": "session_settings", "context": {"text": "x"}}
    remember(kept, sent)
    assert kept == {"voice_id": "v"}
    assert sent == {"type": "session_settings", "context": {"text": "x"}}


@pytest.mark.parametrize(
    ("closed", "text"),
    [
        (Closed(1008), "code 1008, policy violation"),
        (Closed(1008, "not allowed"), "code 1008, policy violation, not allowed"),
        (Closed(1006, "the connection was lost"), "code 1006, the connection was lost"),
        (Closed(4001, "own"), "code 4001, own"),
    ],
)
def test_an_end_is_named(closed: Closed, text: str) -> None:
    assert describe(closed) == text
