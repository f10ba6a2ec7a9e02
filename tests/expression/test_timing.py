"""When a frame may go, and which moment of the media a result is about."""

from __future__ import annotations

import pytest

from humeai_async.expression.timing import AudioPacer, TimeMap, VideoPacer


def test_audio_goes_as_fast_as_it_plays() -> None:
    pacer, now, sent = AudioPacer(), 0.0, 0.0
    for _ in range(100):
        now += pacer.wait(now) + 0.003  # a timer is late
        assert now >= sent
        pacer.sent(now, 0.1)
        sent += 0.1
    assert now == pytest.approx(9.9, abs=0.05)


def test_a_stall_is_not_made_up_for() -> None:
    pacer = AudioPacer()
    pacer.sent(0.0, 0.1)
    pacer.sent(5.0, 0.1)
    assert pacer.wait(5.0) == pytest.approx(0.1)


def test_video_goes_at_three_frames_a_second() -> None:
    pacer, now = VideoPacer(), 0.0
    for _ in range(31):
        now += pacer.wait(now)
        pacer.sent(now)
    assert now == pytest.approx(10.0)


def test_video_slows_down_after_a_refusal_and_climbs_back() -> None:
    pacer = VideoPacer()
    for _ in range(9):
        pacer.refused()
    assert pacer.rate == 0.5
    for _ in range(9):
        pacer.accepted()
    assert pacer.rate == 3.0


def test_times_after_a_refused_frame_are_those_of_the_media() -> None:
    times = TimeMap()
    for start in (0, 100, 200):
        times.add(start, 100)
    times.take_back(100)  # the one from 200 to 300
    times.add(300, 100)
    assert times.to_media(150) == 150
    assert times.to_media(200, is_end=True) == 200
    assert times.to_media(200) == 300
    assert times.to_media(250) == 350


def test_times_on_a_new_connection_begin_where_its_media_begin() -> None:
    times = TimeMap()
    times.add(5_000, 100)
    times.add(5_100, 100)
    assert times.to_media(0) == 5_000
    assert times.to_media(200, is_end=True) == 5_200


def test_a_first_frame_that_is_refused_leaves_no_trace() -> None:
    times = TimeMap()
    times.add(0, 100)
    times.take_back(100)
    times.add(100, 100)
    assert times.to_media(50) == 150
