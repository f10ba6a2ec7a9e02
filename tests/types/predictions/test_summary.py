"""The strongest expressions of each source, and for how long."""

from __future__ import annotations

import pytest
from tabular import body, face, text_source, url_source, word

from humeai_async.errors import DecodeError
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.summary import Profiles


def smiling(*joys: float) -> Predictions:
    """Faces whose joy is given, beside an awe of 0.5."""
    faces = [face(n, ("Awe", "Joy")) for n in range(len(joys))]
    for one, joy in zip(faces, joys, strict=True):
        one["emotions"] = [{"name": "Awe", "score": 0.5}, {"name": "Joy", "score": joy}]
    return Predictions.from_json(body(url_source("https://x/a.mp4?sig=secret", face=faces)))


def test_the_share_is_that_of_the_predictions_in_which_an_expression_is_strongest() -> None:
    (profile,) = smiling(0.1, 0.9, 0.8, 0.7).summary()
    joy, awe = profile.strongest()
    assert (joy.name, joy.share, joy.mean, joy.peak, joy.peak_at) == ("Joy", 0.75, 0.625, 0.9, 0.25)
    assert (awe.name, awe.share) == ("Awe", 0.25)
    assert (profile.count, profile.begin, profile.end) == (4, 0.0, 0.75)


def test_a_summary_prints_a_line_for_each_source_and_model() -> None:
    text = str(smiling(0.9, 0.8, 0.1, 0.9, 0.9).summary())
    assert text.splitlines()[1:] == ["https://x/a.mp4?***  face   0:01    Joy 80%, Awe 20%"]


def test_a_summary_shows_no_query_of_a_url() -> None:
    summary = smiling(0.9).summary()
    assert "secret" not in f"{summary} {summary!r} {list(summary)!r}"


def test_a_summary_tells_what_failed() -> None:
    failed = {"source": {"type": "url", "url": "https://x/b.mp4"}, "error": "not found"}
    summary = Predictions.from_json(
        body(url_source("https://x/a.mp4", face=[face(0)]), failed)
    ).summary()
    assert str(summary).endswith("https://x/b.mp4  failed: not found")


def test_sentiment_and_toxicity_are_no_expressions() -> None:
    loud = word("Good.", sentiment=True)
    loud["sentiment"][0]["score"] = 5.0
    (profile,) = Predictions.from_json(body(text_source(language=[loud]))).summary()
    assert "sentiment_1" not in profile.means
    assert profile.strongest()[0].share == 1.0


def test_scores_without_a_number_count_as_nothing() -> None:
    found = face(0)
    for score in found["emotions"]:
        score["score"] = None
    (profile,) = Predictions.from_json(body(url_source("https://x/a", face=[found]))).summary()
    assert profile.strongest() == []


def test_a_wrong_score_is_told_with_its_path() -> None:
    found = face(0)
    found["emotions"][2]["score"] = "high"
    predictions = Predictions.from_json(body(url_source("https://x/a", face=[found])))
    with pytest.raises(DecodeError) as caught:
        predictions.summary()
    assert caught.value.path.endswith("emotions[2].score")


def test_profiles_are_forgotten_once_they_are_taken() -> None:
    profiles = Profiles()
    profiles.add(smiling(0.5).rows())
    assert len(profiles.take()) == 1
    assert profiles.take() == []
