"""Timelines are few enough points to draw, and pictures of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tabular import batches_of, body, face, scores, text_source, url_source, word

from humeai_async.errors import InvalidArgumentError, MissingPackageError
from humeai_async.types.expression import AudioMeasurement, AudioResult, NamedScore
from humeai_async.types.paging import Items
from humeai_async.types.predictions import charts
from humeai_async.types.predictions.blocks import blocks_of
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.timelines import Track, make_timeline


def faces(count: int) -> list[dict[str, Any]]:
    return [face(n) for n in range(count)]


def spoken(begin: float, text: str) -> dict[str, Any]:
    return {
        "text": text,
        "time": {"begin": begin, "end": begin + 1},
        "emotions": scores(("Joy", "Awe"), 5),
    }


FOUND = Predictions.from_json(
    body(
        {"source": {"type": "url", "url": "https://x/failed.mp4"}, "error": "not found"},
        url_source(
            "https://x/a.mp4?sig=secret",
            face=faces(40),
            prosody=[spoken(0, "Hello there."), spoken(2, "Goodbye.")],
        ),
        text_source(language=[word("Good.", sentiment=True), word("Bad.", sentiment=False)]),
    )
)


def rows_of(place: int) -> list[Any]:
    name = [name for name, _ in FOUND.named()][place]
    return [row for row in FOUND.rows() if row.place.source == name]


def test_a_track_for_each_face_and_speaker_with_the_transcript() -> None:
    timeline = make_timeline(blocks_of(batches_of(rows_of(1))))
    assert [track.title for track in timeline.tracks] == ["face a", "prosody a"]
    assert [words.text for words in timeline.tracks[1].words] == ["Hello there.", "Goodbye."]
    assert timeline.has_time
    assert timeline.tracks[1].places == [0.5, 2.5]  # the middle of each sentence
    assert timeline.tracks[1].scores["Awe"] == [6 / 1024] * 2


def crowd(count: int) -> Predictions:
    """Faces of which each is seen once more than the one before, and one sentence."""
    source = url_source("https://x/a.mp4", face=[], prosody=[spoken(0, "Hello there.")])
    models = source["results"]["predictions"][0]["models"]
    groups = [{"id": f"face_{n}", "predictions": faces(n + 1)} for n in range(count)]
    models["face"]["grouped_predictions"] = groups
    return Predictions.from_json(body(source))


def test_of_a_crowd_the_longest_of_each_model_are_drawn_in_their_order() -> None:
    blocks = [*blocks_of(crowd(30).row_batches())]
    timeline = make_timeline(blocks, tracks=4)
    assert [one.title for one in timeline.tracks] == ["face_27", "face_28", "face_29", "prosody a"]
    assert timeline.left_out == 27
    assert make_timeline(blocks).left_out == 0


def test_only_what_is_drawn_says_which_expressions_are() -> None:
    still = [{"emotions": [{"name": "Pain", "score": 1.0}]}]
    source = url_source("https://x/a.mp4", prosody=[spoken(0, "Hello.")], facemesh=still)
    found = Predictions.from_json(body(source))
    timeline = make_timeline(blocks_of(found.row_batches()), top=2)
    assert [one.model for one in timeline.tracks] == ["prosody"]
    assert {*timeline.expressions} == {"Joy", "Awe"}


@pytest.mark.usefixtures("altair")
def test_a_picture_of_a_crowd_says_how_many_faces_it_leaves_out() -> None:
    few, all_of_them = [
        json.loads(crowd(3).plot(strips=most).to_json())["title"]["text"] for most in (2, 4)
    ]
    assert few == "https://x/a.mp4 (2 of 4 faces and speakers)"
    assert all_of_them == "https://x/a.mp4"


def test_many_predictions_become_means_of_few_spans() -> None:
    found = Predictions.from_json(body(url_source("https://x/a.mp4", face=faces(1000))))
    (track,) = make_timeline(blocks_of(found.row_batches()), top=1, spans=10).tracks
    (line,) = track.scores.values()
    assert len(track.places) == len(line) == 10
    whole = [score for row in found.rows() for score in row.scores[-1:]]
    assert sum(score or 0 for score in line) / 10 == pytest.approx(sum(whole) / 1000, rel=0.01)


@pytest.mark.parametrize(("spans", "places"), [(3, [0, 0.25, 100]), (2, [0.125, 100])])
def test_predictions_stand_at_their_time_and_those_of_a_span_at_their_mean(
    spans: int, places: list[float]
) -> None:
    found = Predictions.from_json(
        body(url_source("https://x/a.mp4", face=[face(0), face(1), face(400)]))
    )
    (track,) = make_timeline(blocks_of(found.row_batches()), spans=spans).tracks
    assert track.places == pytest.approx(places)


def test_predictions_at_the_same_time_are_one_point() -> None:
    found = Predictions.from_json(
        body(url_source("https://x/a.mp4", face=[face(0), face(8), face(0)]))
    )
    (track,) = make_timeline(blocks_of(found.row_batches())).tracks
    assert track.places == [0, 2]


@pytest.mark.parametrize(
    ("model", "label", "title"),
    [
        ("face", "unknown", "face"),
        ("face", "face_0", "face_0"),
        ("prosody", "spk_1", "prosody spk_1"),
    ],
)
def test_a_track_is_called_by_its_model_and_label(model: str, label: str, title: str) -> None:
    assert Track(model, label, [], {}, []).title == title


def test_words_without_a_time_stand_in_their_order() -> None:
    timeline = make_timeline(blocks_of(batches_of(rows_of(2))))
    assert not timeline.has_time
    (track,) = timeline.tracks
    assert track.places == [1, 2]
    assert [(one.begin, one.end, one.text) for one in track.words] == [
        (0.5, 1.5, "Good."),
        (1.5, 2.5, "Bad."),
    ]


def test_nothing_makes_an_empty_timeline() -> None:
    assert make_timeline([]).tracks == []


@pytest.fixture
def altair() -> Any:
    return pytest.importorskip("altair", reason="comes with the extra report")


@pytest.mark.usefixtures("altair")
@pytest.mark.parametrize("source", [None, 1, 2, "https://x/a.mp4?sig=secret"])
def test_a_picture_shows_strips_and_no_query(source: Any) -> None:
    text = FOUND.plot(source).to_json()
    assert "secret" not in text
    assert "vconcat" in text
    assert "Hello there." in text or source == 2


@pytest.mark.usefixtures("altair")
def test_no_caption_runs_into_the_next_one_or_out_of_the_picture() -> None:
    said = [spoken(1.5 * n, f"words, {n} of them") for n in range(8)]
    found = Predictions.from_json(body(url_source("https://x/a.mp4", prosody=said)))
    spec = json.loads(found.plot(model="prosody").to_json())
    lines, strip = spec["vconcat"]
    captions = strip["data"]["values"]
    first, last = strip["layer"][1]["encoding"]["x"]["scale"]["domain"]
    scale = lines["width"] / (last - first)
    begins = [(one["begin"] - first) * scale for one in captions]
    for one, begin, until in zip(captions, begins, [*begins[1:], lines["width"]], strict=True):
        assert 0 < one["room"] <= until - begin - 3


@pytest.mark.usefixtures("altair")
def test_a_single_prediction_is_drawn_as_bars() -> None:
    found = Predictions.from_json(body(url_source("https://x/a.jpg", face=faces(1))))
    assert '"type": "bar"' in found.plot(model="face").to_json()


def strips(chart: Any) -> list[Any]:
    found: list[Any] = json.loads(chart.to_json())["vconcat"]
    return found


@pytest.mark.usefixtures("altair")
def test_all_strips_have_the_same_scales() -> None:
    face_lines, speaker_lines, words = strips(FOUND.plot(1))
    for axis in ("x", "y"):
        of_faces, of_speaker = (
            one["encoding"][axis]["scale"] for one in (face_lines, speaker_lines)
        )
        assert of_faces == of_speaker
    assert words["layer"][0]["encoding"]["x"]["scale"] == face_lines["encoding"]["x"]["scale"]
    assert face_lines["encoding"]["y"]["scale"]["domain"][0] == 0


@pytest.mark.usefixtures("altair")
@pytest.mark.parametrize(("last", "unit", "end"), [(600, "seconds", 150), (960, "minutes", 4)])
def test_long_sources_are_drawn_in_minutes(last: int, unit: str, end: float) -> None:
    found = Predictions.from_json(body(url_source("https://x/a.mp4", face=[face(0), face(last)])))
    spec = json.loads(found.plot().to_json())
    (lines,) = spec["vconcat"]
    assert lines["encoding"]["x"]["title"] == unit
    assert lines["encoding"]["x"]["scale"]["domain"] == [0, end]
    assert max(one["place"] for one in spec["data"]["values"]) == end


def heard(*joys: float | None) -> AudioResult:
    """Measurements of which some list a joy, and all a calm of 0.5."""
    calm = NamedScore(name="calm", probability=0.5)
    measurements = [
        AudioMeasurement(
            measurement_id=n,
            utterance_id=0,
            audio_start_ms=n * 1000,
            audio_end_ms=n * 1000 + 3000,
            expressions=[calm] if joy is None else [NamedScore(name="joy", probability=joy), calm],
        )
        for n, joy in enumerate(joys)
    ]
    return AudioResult(run_id="r1", utterances=Items(()), measurements=Items(measurements))


@pytest.mark.usefixtures("altair")
def test_a_measured_recording_is_drawn_with_gaps_where_nothing_is_listed() -> None:
    spec = json.loads(heard(*[0.75, None, 0.25] * 30).plot(title="call.wav").to_json())
    (lines,) = spec["vconcat"]
    assert spec["title"]["text"] == "call.wav"
    joys = [one for one in spec["data"]["values"] if one["expression"] == "joy"]
    assert [(one["place"], one["score"]) for one in joys[:3]] == [
        (1.5, 0.75),
        (2.5, None),
        (3.5, 0.25),
    ]
    assert lines["mark"]["point"], "a point between two gaps would not be seen"
    assert json.loads(heard(0.5).plot().to_json())["title"]["text"] == "run r1"


def test_a_recording_of_which_nothing_is_listed_is_not_drawn() -> None:
    with pytest.raises(InvalidArgumentError, match="no measurement lists"):
        heard().plot()
    with pytest.raises(InvalidArgumentError, match="top must be"):
        heard(0.5).plot(top=11)


@pytest.mark.usefixtures("altair")
def test_a_text_is_drawn_with_its_words_below_the_line() -> None:
    lines, words = strips(FOUND.plot(2))
    assert [one["text"] for one in words["data"]["values"]] == ["Good.", "Bad."]
    assert words["layer"][0]["encoding"]["x"]["scale"] == lines["encoding"]["x"]["scale"]


@pytest.mark.usefixtures("altair")
def test_many_pieces_of_a_transcript_have_no_edge_that_would_hide_them() -> None:
    said = [spoken(1.5 * n, "words") for n in range(17)]
    found = Predictions.from_json(body(url_source("https://x/a.mp4", prosody=said)))
    _, words = strips(found.plot())
    assert words["mark"]["type"] == "bar"
    assert "stroke" not in words["mark"]


@pytest.mark.usefixtures("altair")
def test_a_picture_says_what_it_shows() -> None:
    spec = json.loads(FOUND.plot(1, top=1).to_json())
    assert spec["title"]["text"] == "https://x/a.mp4"
    assert spec["description"].endswith("in https://x/a.mp4")
    assert json.loads(FOUND.plot(2).to_json())["title"]["text"] == "text #2"


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", charts.COLORS)
@pytest.mark.parametrize("background", ["#ffffff", "#14171a"])
def test_lines_can_be_seen_on_white_and_on_black(color: str, background: str) -> None:
    lighter, darker = sorted(map(luminance, (color, background)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.usefixtures("altair")
@pytest.mark.slow
def test_a_picture_is_saved_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="comes with the extra report")
    chart = FOUND.plot()
    chart.save(str(tmp_path / "a.svg"))
    chart.save(str(tmp_path / "a.html"), inline=True)
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")
    assert "https://cdn" not in (tmp_path / "a.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": "https://x/b.mp4?sig=secret"}, "there is no source"),
        ({"source": 3}, "there is no source"),
        ({"source": -1}, "there is no source"),
        ({"source": 0}, "no predictions to draw"),
        ({"model": "faces"}, "model must be"),
        ({"top": 0}, "top must be"),
        ({"top": 11}, "top must be"),
        ({"strips": 0}, "strips must be"),
        ({"strips": "all"}, "strips must be"),
    ],
)
def test_what_cannot_be_drawn_is_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        FOUND.plot(**given)
    assert "secret" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingPackageError, match=r"humeai_async\[report\]"):
        FOUND.plot()
