"""What a quota is, judged from when it closed and opened.

Each case tells a story in seconds of the pacer's clock: calls that were let in, and the times
at which the quota closed and opened.
"""

from __future__ import annotations

import pytest

from humeai_async.limiter.estimator import SLOWEST, Contact, Evidence

START = 100.0


def evidence() -> Evidence:
    """Return evidence that begins with the first call, at second 100."""
    seen = Evidence(0.0, 24.0)
    seen.start(START)
    return seen


def calls(seen: Evidence, number: int, start: float, end: float) -> None:
    """Let so many calls in, evenly from just after a time until another."""
    for n in range(1, number + 1):
        seen.accept(start + (end - start) * n / number, 1.0)


def contact(
    closed: float,
    opened: float,
    *,
    doubt: float = 0.01,
    missed: int = 3,
    hinted: bool = False,
    coarse: bool = False,
) -> Contact:
    return Contact(closed, opened - doubt, opened + doubt, hinted, coarse, missed)


def window_of(length: float, number: int = 400) -> Evidence:
    """Return what the first contact with a window of so many calls shows."""
    seen = evidence()
    calls(seen, number, START, START + 0.5 * length)
    seen.first(contact(START + 0.5 * length, START + length), None)
    return seen


def bucket_of(rate: float) -> Evidence:
    """Return what is known of a token bucket after its first burst of a second."""
    seen = evidence()
    calls(seen, round(2 * rate), START, START + 1.0)
    seen.first(contact(START + 1.0, START + 1.01, missed=0), None)
    return seen


def test_a_contact_opens_half_way_between_the_last_refusal_and_the_first_success() -> None:
    one = Contact(1.0, 2.0, 5.0)
    assert (one.opened, one.doubt) == (3.5, 1.5)


# --- the first contact


@pytest.mark.parametrize("length", [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0])
def test_a_quota_that_opens_a_customary_time_after_the_start_is_a_window(length: float) -> None:
    seen = window_of(length)
    assert (seen.window, seen.confirmed, seen.sure) == (length, True, True)
    assert seen.rate == pytest.approx(400 / length)
    assert (seen.exact, seen.rough) == (False, False)


def test_a_window_of_another_length_is_a_guess_that_leans_to_more_calls() -> None:
    seen = window_of(3.0)
    assert seen.window == pytest.approx(2.995)
    assert (seen.confirmed, seen.sure) == (False, False)
    assert seen.rate == pytest.approx(1.1 * 400 / 2.995)


def test_a_vague_opening_takes_the_customary_window_that_lies_in_it() -> None:
    seen = evidence()
    calls(seen, 400, START, START + 1.0)
    seen.first(contact(START + 1.0, START + 4.2, doubt=1.0), None)
    assert (seen.window, seen.confirmed) == (5.0, True)


@pytest.mark.parametrize(
    ("earliest", "latest", "window"),
    [(1.5, 1.985, 2.0), (1.5, 1.975, None), (2.015, 2.4, 2.0), (2.025, 2.4, None)],
)
def test_a_hundredth_of_a_second_is_no_proof_against_a_customary_window(
    earliest: float, latest: float, window: float | None
) -> None:
    seen = evidence()
    calls(seen, 400, START, START + 1.0)
    seen.first(Contact(START + 1.0, START + earliest, START + latest, missed=1), None)
    assert (seen.window if seen.confirmed else None) == window


def test_what_is_longer_than_a_minute_is_paced_like_a_bucket() -> None:
    seen = window_of(90.0, number=900)
    assert seen.window is None
    assert seen.rate == pytest.approx(11.0, rel=0.01)


def test_a_quota_that_opens_at_once_is_a_bucket_whose_rate_is_surely_less() -> None:
    seen = bucket_of(100.0)
    assert seen.window is None
    assert seen.rate == pytest.approx(100.0, rel=0.02)
    assert (seen.rough, seen.sure, seen.exact) == (True, False, False)


@pytest.mark.parametrize(
    ("hint", "coarse", "is_bucket"),
    [(0.04, False, True), (0.06, False, False), (0.04, True, False)],
)
def test_where_the_service_says_how_long_only_a_short_and_fine_hint_shows_a_bucket(
    hint: float, coarse: bool, is_bucket: bool
) -> None:
    seen = evidence()
    calls(seen, 200, START, START + 1.0)
    opened = START + 1.0 + hint
    seen.first(Contact(START + 1.0, opened, opened, hinted=True, coarse=coarse), None)
    assert seen.rough is is_bucket


@pytest.mark.parametrize("alone", [True, False])
def test_a_window_that_a_chance_refusal_may_have_shown_is_no_more_than_a_lower_bound(
    alone: bool,
) -> None:
    seen = evidence()
    calls(seen, 100, START, START + 1.0)
    seen.first(Contact(START + 1.0, START + 1.99, START + 2.01, hinted=True, alone=alone), None)
    assert (seen.rough, seen.window, seen.rate) == (alone, 2.0, 50.0)


def test_a_start_that_took_no_time_is_no_infinite_rate() -> None:
    seen = evidence()
    calls(seen, 4, START - 1.0, START)
    seen.first(Contact(START, START, START), None)
    assert seen.rate == pytest.approx(200.0)


@pytest.mark.parametrize(
    ("declared", "exact"),
    [((400.0, 2.0), True), ((100.0, 2.0), False), ((800.0, 2.0), False), ((210.0, 2.0), True),
     ((780.0, 2.0), True)],
)  # fmt: skip
def test_a_declared_window_is_believed_within_a_factor_of_two_of_the_measure(
    declared: tuple[float, float], exact: bool
) -> None:
    seen = evidence()
    calls(seen, 400, START, START + 1.0)
    seen.first(contact(START + 1.0, START + 2.0), declared)
    assert seen.exact is exact
    assert seen.rate == (declared[0] / declared[1] if exact else pytest.approx(200.0))
    assert (seen.window, seen.confirmed, seen.sure) == (2.0, True, True)


def test_no_estimate_is_lower_than_the_slowest() -> None:
    seen = evidence()
    seen.accept(START, 1.0)
    seen.first(contact(START, START + 60.0), None)
    assert seen.rate == SLOWEST
    seen.next(contact(START + 60.5, START + 200.0), None)
    assert seen.rate >= SLOWEST


# --- windows, later


def test_a_known_window_counts_what_it_let_in() -> None:
    seen = window_of(2.0)
    calls(seen, 100, START + 2.0, START + 2.5)
    seen.next(contact(START + 2.5, START + 4.0), None)
    assert seen.rate == pytest.approx(50.0)
    assert (seen.window, seen.confirmed, seen.sure, seen.rough) == (2.0, True, True, False)


def test_a_vague_measure_moves_a_known_rate_no_further_than_it_must() -> None:
    seen = window_of(2.0)
    calls(seen, 440, START + 2.0, START + 4.0)
    # Opened at some time in which 380 to 420 calls were in the window.
    seen.next(contact(START + 4.0, START + 4.1, doubt=0.1), None)
    assert seen.rate == pytest.approx(200.0, rel=0.01)


def test_a_vague_measure_that_excludes_the_rate_replaces_it() -> None:
    seen = window_of(2.0)
    calls(seen, 800, START + 2.0, START + 4.0)
    seen.next(contact(START + 4.0, START + 4.05, doubt=0.05), None)
    assert seen.rate == pytest.approx(390.0, rel=0.01)


def test_a_coarse_measure_of_a_known_window_keeps_to_its_bounds() -> None:
    seen = window_of(2.0)
    calls(seen, 800, START + 2.0, START + 4.0)
    opened = START + 4.3
    seen.next(Contact(START + 4.0, opened - 0.3, opened + 0.3, hinted=True, coarse=True), None)
    assert seen.rate == pytest.approx(280.0, rel=0.01)


def test_a_window_that_let_nothing_in_halves_the_rate() -> None:
    seen = window_of(2.0)
    seen.next(contact(START + 50.0, START + 52.0), None)
    assert seen.rate == pytest.approx(100.0)


def guessed(opened: float) -> Evidence:
    """Return what a first contact shows that fits no customary window."""
    seen = evidence()
    calls(seen, 300, START, START + 1.0)
    seen.first(contact(START + 1.0, START + opened), None)
    assert not seen.confirmed
    return seen


@pytest.mark.parametrize("doubt", [0.01, 0.1])
def test_two_openings_whole_windows_apart_tell_its_length(doubt: float) -> None:
    seen = guessed(2.6)
    calls(seen, 400, START + 2.6, START + 3.6)
    seen.next(contact(START + 3.6, START + 4.6, doubt=doubt), None)
    assert (seen.window, seen.confirmed, seen.sure) == (2.0, True, True)
    assert seen.rate == pytest.approx(200.0)


@pytest.mark.parametrize("windows", [2, 3])
def test_openings_several_windows_apart_tell_its_length_and_the_last_one_its_calls(
    windows: int,
) -> None:
    seen = guessed(2.6)
    end = START + 2.6 + 2.0 * windows
    calls(seen, 900, START + 2.6, end - 2.1)
    calls(seen, 400, end - 2.0, end - 1.0)
    seen.next(contact(end - 1.0, end), None)
    assert (seen.window, seen.confirmed) == (2.0, True)
    assert seen.rate == pytest.approx(200.0)


@pytest.mark.parametrize(
    ("opened", "doubt"),
    [(2.0, 0.295), (5.0, 0.01), (6.3, 0.1)],
    ids=["too vague", "twice as long as the first", "no customary length for three"],
)
def test_openings_that_fit_no_number_of_windows_tell_no_length(opened: float, doubt: float) -> None:
    seen = guessed(2.6)
    end = START + 2.6 + opened
    calls(seen, 400, START + 2.6, end - 1.0)
    seen.next(contact(end - 1.0, end, doubt=doubt), None)
    assert not seen.confirmed


def test_a_window_of_no_customary_length_is_measured_but_not_taken_as_known() -> None:
    seen = guessed(3.4)
    calls(seen, 400, START + 3.4, START + 4.4)
    seen.next(contact(START + 4.4, START + 6.7), None)
    assert seen.window == pytest.approx(3.3)
    assert seen.rate == pytest.approx(400 / 3.3)
    assert not seen.confirmed


@pytest.mark.parametrize("doubt", [0.01, 0.1])
def test_a_guessed_window_is_counted_with_a_lean_to_more_calls(doubt: float) -> None:
    seen = guessed(3.4)
    calls(seen, 660, START + 3.4, START + 6.7)
    seen.next(contact(START + 6.7, START + 6.71, doubt=doubt), None)
    assert seen.rate == pytest.approx(1.03 * 200.0, rel=0.03)
    assert (seen.sure, seen.confirmed) == (False, False)


def test_a_guessed_window_may_be_shorter_down_to_half() -> None:
    seen = guessed(3.4)
    calls(seen, 400, START + 4.7, START + 6.7)
    seen.next(contact(START + 6.7, START + 6.75), None)
    assert seen.rate == pytest.approx(1.03 * 200.0, rel=0.03)


def test_a_guessed_window_let_in_no_less_than_went_since_its_last_opening() -> None:
    seen = guessed(3.4)
    calls(seen, 300, START + 3.4, START + 4.4)
    seen.next(contact(START + 4.4, START + 4.41, doubt=0.005), None)
    assert seen.rate == pytest.approx(1.03 * 300.0, rel=0.03)


def test_a_vague_opening_of_a_guessed_window_lowers_the_rate_a_little() -> None:
    seen = guessed(3.4)
    before = seen.rate
    calls(seen, 300, START + 3.4, START + 3.9)
    seen.next(contact(START + 3.9, START + 4.2, doubt=0.3), None)
    assert seen.rate == pytest.approx(0.97 * before)


def test_a_window_that_opens_at_once_three_times_is_a_bucket_after_all() -> None:
    seen, now = window_of(2.0), START + 2.0
    windows: list[float | None] = []
    for _ in range(3):
        calls(seen, 50, now, now + 0.5)
        seen.next(contact(now + 0.5, now + 0.51, doubt=0.005, missed=0), None)
        windows.append(seen.window)
        now += 0.51
    assert windows == [2.0, 2.0, None]


@pytest.mark.parametrize("third", [{"missed": 2}, {"hinted": True, "missed": 0}, {"missed": 0}])
def test_an_opening_that_took_its_time_speaks_for_the_window_again(third: dict[str, int]) -> None:
    seen, now = window_of(2.0), START + 2.0
    windows: list[float | None] = []
    for number in range(6):
        gap = 1.5 if number == 2 and third == {"missed": 0} else 0.5
        options = third if number == 2 else {"missed": 0}
        calls(seen, 50, now, now + gap)
        seen.next(contact(now + gap, now + gap + 0.01, doubt=0.005, **options), None)  # type: ignore[arg-type]  # numbers and flags
        windows.append(seen.window)
        now += gap + 0.01
    assert windows == [2.0] * 5 + [None]


def test_whole_seconds_of_a_guessed_window_count_the_seconds_before_the_closing() -> None:
    seen = window_of(3.0, number=300)
    calls(seen, 330, START + 3.0, START + 6.0)
    seen.next(Contact(START + 6.0, START + 6.0, START + 7.0, hinted=True, coarse=True), None)
    assert seen.rate == pytest.approx(110.0, rel=0.01)
    assert not seen.sure


def test_whole_seconds_of_a_bucket_count_the_last_two_seconds_and_what_came_late() -> None:
    seen = bucket_of(100.0)
    calls(seen, 300, START + 1.01, START + 4.01)
    calls(seen, 20, START + 4.5, START + 5.0)
    calls(seen, 20, START + 5.5, START + 6.0)
    opened = START + 6.0
    seen.next(Contact(START + 4.01, opened - 1.0, opened, hinted=True, coarse=True), None)
    assert seen.rate == pytest.approx(110.0, rel=0.01)
    assert not seen.sure


# --- buckets, later


def test_calls_between_two_contacts_tell_the_rate_of_a_bucket() -> None:
    seen = bucket_of(100.0)
    calls(seen, 160, START + 1.01, START + 3.01)
    seen.next(contact(START + 3.01, START + 3.02, missed=0), None)
    assert seen.rate == pytest.approx(160 / 2.01, rel=0.01)
    assert (seen.window, seen.sure, seen.rough) == (None, True, False)


@pytest.mark.parametrize(("number", "seconds"), [(80, 0.8), (500, 5.0), (5, 2.0)])
def test_short_long_and_slow_spans_tell_the_rate_too(number: int, seconds: float) -> None:
    seen = bucket_of(100.0)
    end = START + 1.01 + seconds
    calls(seen, number, START + 1.01, end)
    seen.next(contact(end, end, doubt=0.001, missed=0), None)
    assert seen.rate == pytest.approx(number / seconds, rel=0.02)


def test_a_contact_without_a_call_since_the_last_is_measured_from_an_earlier_one() -> None:
    seen = bucket_of(100.0)
    calls(seen, 160, START + 1.01, START + 3.01)
    seen.next(contact(START + 3.01, START + 3.02, missed=0), None)
    seen.next(contact(START + 3.5, START + 3.51, missed=0), None)
    assert seen.rate == pytest.approx(160 / 2.5, rel=0.01)


def test_a_span_that_is_good_enough_is_not_mixed_with_earlier_ones() -> None:
    seen = bucket_of(100.0)
    calls(seen, 150, START + 1.01, START + 2.01)
    seen.next(contact(START + 2.01, START + 2.01, missed=0), None)
    calls(seen, 160, START + 2.01, START + 4.01)
    seen.next(contact(START + 4.01, START + 4.01, missed=0), None)
    assert seen.rate == pytest.approx(80.0, rel=0.01)


def test_a_span_with_a_vague_beginning_does_not_replace_a_surer_one() -> None:
    seen = evidence()
    calls(seen, 200, START, START + 0.5)
    seen.first(contact(START + 0.5, START + 1.0, doubt=0.5, missed=0), None)
    calls(seen, 80, START + 1.0, START + 3.0)
    seen.next(contact(START + 3.0, START + 3.0, doubt=0.001, missed=0), None)
    calls(seen, 19, START + 3.0, START + 4.0)
    seen.next(contact(START + 4.0, START + 4.0, doubt=0.001, missed=0), None)
    assert seen.rate == pytest.approx(19.0, rel=0.01)


def test_what_is_older_than_five_seconds_is_not_looked_at() -> None:
    seen = bucket_of(100.0)
    calls(seen, 200, START + 1.01, START + 2.01)
    seen.next(contact(START + 2.01, START + 2.01, missed=0), None)
    calls(seen, 11, START + 2.01, START + 7.51)
    seen.next(contact(START + 7.51, START + 7.51, missed=0), None)
    assert seen.rate == pytest.approx(2.0, rel=0.01)


def test_the_longer_and_surer_of_two_spans_is_taken() -> None:
    seen = bucket_of(100.0)
    calls(seen, 160, START + 1.01, START + 3.01)
    seen.next(contact(START + 3.01, START + 3.02, missed=0), None)
    calls(seen, 30, START + 3.02, START + 3.32)
    seen.next(contact(START + 3.32, START + 3.33, missed=0), None)
    assert seen.rate == pytest.approx(190 / 2.32, rel=0.01)


def test_a_contact_right_after_another_lowers_the_rate_a_little() -> None:
    seen = bucket_of(100.0)
    calls(seen, 200, START + 1.01, START + 3.01)
    seen.next(contact(START + 3.01, START + 3.02, missed=0), None)
    before = seen.rate
    calls(seen, 10, START + 3.02, START + 3.12)
    seen.next(contact(START + 3.12, START + 3.13, missed=0), None)
    assert 0.94 * before < seen.rate < 0.99 * before


def test_a_span_too_short_to_measure_lowers_the_rate_by_three_hundredths() -> None:
    seen = bucket_of(100.0)
    before = seen.rate
    calls(seen, 2, START + 1.01, START + 1.05)
    seen.next(contact(START + 1.05, START + 1.06, missed=0), None)
    assert seen.rate == pytest.approx(0.97 * before)


def test_a_bucket_that_was_full_in_between_is_measured_by_its_last_calls() -> None:
    seen = bucket_of(100.0)
    calls(seen, 60, START + 8.0, START + 9.0)
    calls(seen, 200, START + 9.0, START + 11.0)
    seen.next(contact(START + 11.0, START + 11.01, doubt=0.001, missed=0), None)
    assert seen.rate == pytest.approx(0.8 * 100.0, rel=0.02)


def test_after_such_a_measure_older_contacts_count_no_more() -> None:
    seen = bucket_of(100.0)
    calls(seen, 200, START + 9.0, START + 11.0)
    seen.next(contact(START + 11.0, START + 11.01, missed=0), None)
    calls(seen, 300, START + 11.01, START + 13.01)
    seen.next(contact(START + 13.01, START + 13.02, missed=0), None)
    assert seen.rate == pytest.approx(150.0, rel=0.02)


# --- what the service declares, later


@pytest.mark.parametrize(
    ("number", "exact"), [(200, True), (162, True), (158, False), (248, True), (256, False)]
)
def test_a_declared_rate_near_the_measure_is_taken_exactly(number: int, exact: bool) -> None:
    seen = bucket_of(100.0)
    calls(seen, number, START + 1.01, START + 3.01)
    seen.next(contact(START + 3.01, START + 3.01, missed=0), (400.0, 4.0))
    assert seen.exact is exact
    assert seen.rate == (100.0 if exact else pytest.approx(number / 2.0, rel=0.01))


def test_a_refusal_right_after_another_speaks_against_the_declared_rate() -> None:
    seen = bucket_of(100.0)
    seen.next(contact(START + 1.2, START + 1.21, missed=0), (100.0, 1.0))
    assert not seen.exact


def test_without_a_declaration_no_rate_is_exact_any_more() -> None:
    seen = evidence()
    calls(seen, 400, START, START + 1.0)
    seen.first(contact(START + 1.0, START + 2.0), (400.0, 2.0))
    calls(seen, 400, START + 2.0, START + 3.0)
    seen.next(contact(START + 3.0, START + 4.0), None)
    assert not seen.exact


# --- counts and clocks


def test_costs_add_up() -> None:
    seen = evidence()
    seen.accept(START, 2.5)
    seen.accept(START + 0.5, 1.0)
    assert seen.accepted == 3.5
    assert seen.recent(2.0, START + 1.0).between(0.0, START + 1.0) == 3.5
    assert seen.recent(0.7, START + 1.0).between(0.0, START + 1.0) == 1.0


def test_the_memory_of_calls_spans_two_windows_and_more() -> None:
    assert window_of(5.0).recent(5.0, START + 5.0).between(0.0, START + 5.0) == 400
    seen = window_of(30.0)
    calls(seen, 60, START + 30.0, START + 90.0)
    assert seen.recent(60.0, START + 90.0).between(0.0, START + 90.0) == 60


def test_a_clock_that_jumps_moves_the_start_along() -> None:
    seen = evidence()
    calls(seen, 400, START, START + 1.0)
    seen.shift(1000.0)
    seen.first(contact(START + 1001.0, START + 1002.0), None)
    assert seen.window == 2.0
    assert seen.rate == pytest.approx(200.0)


def test_no_rate_is_measured_across_a_jump_of_the_clock() -> None:
    seen = bucket_of(100.0)
    before = seen.rate
    seen.shift(1000.0)
    calls(seen, 160, START + 1001.01, START + 1003.01)
    seen.next(contact(START + 1003.01, START + 1003.02, missed=0), None)
    assert seen.rate == pytest.approx(0.97 * before)


def test_a_jump_of_the_clock_moves_the_calls_along() -> None:
    seen = window_of(2.0)
    calls(seen, 100, START + 2.0, START + 2.5)
    seen.shift(1000.0)
    seen.next(contact(START + 1002.5, START + 1004.0), None)
    assert seen.rate == pytest.approx(50.0)
