"""The strongest expressions of each source, and for how long."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from attrs import evolve
from tabular import batches_of, body, face, text_source, url_source, word

from humeai_async.errors import DecodeError
from humeai_async.types.predictions.blocks import blocks_of
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.rows import Place, Row
from humeai_async.types.predictions.summary import Expression, Profiles
from humeai_async.types.predictions.timelines import make_timeline


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
    assert text.splitlines()[1:] == ["https://x/a.mp4  face   0:01    Joy 80%, Awe 20%"]


def test_a_summary_shows_no_query_of_a_url() -> None:
    summary = smiling(0.9).summary()
    assert "secret" not in f"{summary} {summary!r} {list(summary)!r}"


def test_a_summary_tells_what_failed() -> None:
    failed = {"source": {"type": "url", "url": "https://x/b.mp4"}, "error": "not found"}
    summary = Predictions.from_json(
        body(url_source("https://x/a.mp4", face=[face(0)]), failed)
    ).summary()
    assert str(summary).endswith("https://x/b.mp4  failed: not found")


def test_a_summary_tells_which_file_failed_and_nothing_secret_of_its_reason() -> None:
    source = url_source("https://x/a.zip", face=[face(0)])
    reason = "cannot read https://user:pass@x/b.mp4?sig=secret"
    source["results"]["errors"] = [{"file": "b.mp4", "message": reason}]
    text = str(Predictions.from_json(body(source)).summary())
    assert text.endswith("https://x/a.zip  failed: b.mp4: cannot read https://x/b.mp4?***")


def test_a_summary_names_sources_in_which_no_expression_was_measured() -> None:
    nothing = url_source("https://x/b.mp4?sig=secret", face=[])
    summary: Any = Predictions.from_json(
        body(url_source("https://x/a.mp4", face=[face(0)]), nothing)
    ).summary()
    assert str(summary).splitlines()[2:] == ["https://x/b.mp4  no expressions"]
    assert "1 without expressions" in summary._repr_html_()


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
    profiles.add(blocks_of(smiling(0.5).row_batches()))
    assert len(profiles.take()) == 1
    assert profiles.take() == []


def one_by_one(rows: list[Row]) -> list[Expression]:
    """What a profile of the rows finds, score by score."""
    found: dict[str, list[float]] = {}
    peaks: dict[str, tuple[float, float | None]] = {}
    wins: dict[str, int] = {}
    for row in rows:
        finite = [
            pair
            for pair in dict(zip(row.names, row.scores, strict=True)).items()
            if math.isfinite(pair[1])
        ]
        for name, score in finite:
            found.setdefault(name, []).append(score)
            if name not in peaks or score > peaks[name][0]:
                peaks[name] = (score, row.place.begin)
        if finite:
            first = max(finite, key=lambda pair: pair[1])[0]
            wins[first] = wins.get(first, 0) + 1
    count, sums = len(rows), {name: math.fsum(some) for name, some in found.items()}
    order = sorted(sums, key=lambda name: (-wins.get(name, 0), -sums[name] / count, name))
    return [
        Expression(
            name=name,
            share=wins.get(name, 0) / count,
            mean=sums[name] / count,
            peak=peaks[name][0],
            peak_at=peaks[name][1],
        )
        for name in order
    ]


def odd_rows(seed: int) -> list[Row]:
    """Rows whose names take turns, with names twice and scores that are no numbers."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    kinds = [("Joy", "Awe", "Calm"), ("Awe", "Joy"), ("Joy", "Awe", "Joy"), ("Awe", "Zest")]
    kinds = kinds[: 1 + seed % 4]
    values = [math.nan, math.inf, 0.1, 0.7, *[chance.random() for _ in range(20 * (1 + seed % 3))]]
    values = values if seed % 2 else values[2:]
    rows: list[Row] = []
    while len(rows) < 600:
        names = chance.choice(kinds)
        for _ in range(chance.choice((1, 2, 300))):
            place = Place("a", "a", "face", "unknown", begin=float(len(rows)))
            rows.append(Row(place, names, [chance.choice(values) for _ in names]))
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_columns_are_added_up_to_what_is_added_up_score_by_score(seed: int) -> None:
    rows = odd_rows(seed)
    profiles = Profiles()
    profiles.add(blocks_of(batches_of(rows)))
    (profile,) = profiles.take()
    expected = one_by_one(rows)
    for ours, theirs in zip(profile.strongest(100), expected, strict=True):
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-12)
        assert evolve(ours, mean=theirs.mean) == theirs
    means = {one.name: -one.mean for one in expected}
    order = sorted(means, key=lambda name: (means[name], name))
    assert make_timeline(blocks_of(batches_of(rows)), top=100).expressions == order
