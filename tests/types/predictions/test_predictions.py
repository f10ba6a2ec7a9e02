"""The typed shell over predictions, and the scores left in the body until they are touched."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import operator
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tabular
from hypothesis import given
from hypothesis import strategies as st

from humeai_async.errors import DecodeError, HumeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.types.json import is_array, is_object
from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.measurements import FaceGroup, FacePrediction
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.predictions.scores import ExpressionScore, Scores

SAMPLE = (Path(__file__).parents[2] / "samples/answers/get_job_predictions.json").read_bytes()

PLACE = "$[0].results.predictions[0].models.face.grouped_predictions[0].predictions"


def read() -> Predictions:
    return Predictions.from_json(SAMPLE)


def faces(predictions: Predictions) -> Sequence[FacePrediction]:
    found = predictions[0].files[0].models.face
    assert found is not None
    return found.grouped_predictions[0].predictions


def face(predictions: Predictions) -> FacePrediction:
    return faces(predictions)[0]


def body_of(*faces: dict[str, Any]) -> bytes:
    """Write predictions with some faces, each given by what is special about it."""
    usual = {
        "frame": 0,
        "time": 0.0,
        "prob": 1,
        "box": {"x": 0, "y": 0, "w": 1, "h": 1},
        "emotions": [{"name": "Joy", "score": 0.5}, {"name": "Awe", "score": 0.25}],
    }
    group = {"id": "unknown", "predictions": [usual | changes for changes in faces]}
    file = {"file": "a.jpg", "models": {"face": {"grouped_predictions": [group]}}}
    results = {"predictions": [file], "errors": []}
    return json.dumps([{"source": {"type": "text"}, "results": results}]).encode()


def one_face(**changes: Any) -> bytes:
    return body_of(changes)


def pickled(value: object) -> object:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def test_scores_read_as_a_sequence_of_names_and_numbers() -> None:
    scores = face(Predictions.from_json(one_face())).emotions
    assert list(scores) == [("Joy", 0.5), ("Awe", 0.25)]
    assert ExpressionScore("Awe", 0.25) == scores[-1]
    assert (ExpressionScore("Joy", 0.5),) == scores[:1]
    assert len(scores) == 2


def test_scores_are_found_by_name() -> None:
    scores = face(Predictions.from_json(one_face())).emotions
    assert scores["Awe"] == 0.25
    assert operator.contains(scores, "Joy")
    assert not operator.contains(scores, "Fear")
    assert scores.as_dict() == {"Joy": 0.5, "Awe": 0.25}
    with pytest.raises(KeyError):
        scores["Fear"]


def test_the_strongest_come_first() -> None:
    scores = Scores([("a", 0.1), ("b", 0.9), ("c", 0.5)])
    assert scores.top(2) == [("b", 0.9), ("c", 0.5)]


def test_scores_not_asked_for_are_none() -> None:
    prediction = face(Predictions.from_json(one_face(facs=None)))
    assert prediction.facs is None
    assert prediction.descriptions is None


def test_reading_touches_no_scores() -> None:
    body = one_face(emotions=[{"name": 5}])
    prediction = face(Predictions.from_json(body))
    with pytest.raises(DecodeError) as caught:
        len(prediction.emotions)
    assert caught.value.path == "$[0].name"


def test_validation_names_the_path_of_what_is_wrong_inside() -> None:
    predictions = Predictions.from_json(one_face(emotions=[{"name": "Joy", "score": "high"}]))
    with pytest.raises(DecodeError) as caught:
        predictions.validate()
    assert caught.value.path == f"{PLACE}[0].emotions[0].score"


@pytest.mark.parametrize("broken", [5, "x", [5], [{}], {"a": 1}])
def test_emotions_of_another_shape_are_a_decode_error_when_touched(broken: object) -> None:
    prediction = face(Predictions.from_json(one_face(emotions=broken)))
    with pytest.raises(DecodeError):
        list(prediction.emotions)


# What JSON does not have, and what is missing.


def test_halves_of_surrogate_pairs_and_no_numbers_cost_nothing() -> None:
    body = one_face(emotions=[{"name": "Joy", "score": 0.5}]).replace(b"0.5}", b"NaN}")
    body = body.replace(b'"a.jpg"', rb'"ha \ud83d.jpg"')
    predictions = Predictions.from_json(body)
    assert predictions[0].files[0].file == "ha �.jpg"
    assert math.isnan(face(predictions).emotions["Joy"])
    assert json.loads(predictions.body.replace(b"null", b"0"))
    predictions.validate()


@pytest.mark.parametrize("odd", ["null", "NaN", "-Infinity", "1e999"])
def test_a_score_that_is_no_number_is_said_to_be_missing(odd: str) -> None:
    body = one_face().replace(b"0.25", odd.encode())
    scores = face(Predictions.from_json(body)).emotions
    assert scores.missing == ("Awe",)
    assert scores.top() == [("Joy", 0.5)]
    assert Predictions.from_json(body).to_arrow()["Awe"].to_pylist() == [None]
    (row,) = [row.as_dict() for row in Predictions.from_json(body).rows()]
    assert (row["Joy"], row["Awe"]) == (0.5, None)


def test_bytes_that_are_no_utf_8_cost_nothing() -> None:
    body = one_face(emotions=[{"name": "Jo~y", "score": 0.5}]).replace(b"~", b"\xff")
    assert list(face(Predictions.from_json(body)).emotions) == [("Jo�y", 0.5)]


def test_whatever_a_prediction_lacks_has_a_default() -> None:
    empty = dict.fromkeys(["frame", "time", "prob", "box", "emotions"])
    for one in (face(Predictions.from_json(one_face(**empty))), FacePrediction()):
        assert (one.frame, [*one.emotions], one.facs) == (None, [], None)
        assert math.isnan(one.time)
        assert math.isnan(one.box.x)
    (row,) = [row.as_dict() for row in Predictions.from_json(one_face(**empty)).rows()]
    assert {*row} == {"source", "file", "model", "id"}


def test_null_in_place_of_any_list_is_an_empty_list() -> None:
    body = tabular.body(tabular.url_source("https://x/a", face=[tabular.face(0)]))
    plain = json.loads(body)
    plain[0]["results"]["errors"] = None
    plain[0]["results"]["predictions"][0]["models"]["face"]["grouped_predictions"] = None
    (found,) = Predictions.from_json(json.dumps(plain).encode())
    assert found.results is not None
    assert found.results.errors == []
    assert found.files[0].models.face is not None
    assert found.files[0].models.face.grouped_predictions == []


# One odd source of several.


GOOD = tabular.url_source("https://x/a", face=[tabular.face(0)])
ODD_SHELL = {"source": {"type": "url", "url": "https://x/b"}, "results": {"predictions": 5}}
ODD_PREDICTION = tabular.url_source("https://x/b", language=[{"text": 5}])


@pytest.mark.parametrize("odd", [ODD_SHELL, 5, {}], ids=["shell", "number", "empty"])
@pytest.mark.parametrize("place", [0, 1])
def test_one_source_that_cannot_be_read_costs_no_other(odd: Any, place: int) -> None:
    sources = [GOOD, GOOD]
    sources.insert(place, odd)
    predictions = Predictions.from_json(tabular.body(*sources))
    assert [found.error is None for found in predictions] == [i != place for i in range(3)]
    (noted,) = predictions.undecodable
    assert (noted.index, noted.json) == (place, odd)
    assert len(predictions.to_arrow()) == 2
    with pytest.raises(DecodeError) as caught:
        predictions.validate()
    assert caught.value.path.startswith(f"$[{place}]")


def test_a_source_that_cannot_be_read_is_still_named() -> None:
    predictions = Predictions.from_json(tabular.body(GOOD, ODD_SHELL))
    assert [name for name, _ in predictions.named()] == ["https://x/a", "https://x/b"]
    assert predictions[1].error == (
        "the results that the service sent cannot be read: Expected `array`, got `int` at "
        "$.results.predictions"
    )


def test_who_checks_everything_learns_which_source_cannot_be_read_whole() -> None:
    predictions = Predictions.from_json(tabular.body(GOOD, ODD_PREDICTION, GOOD))
    assert predictions.undecodable == []
    checked = predictions.checked()
    assert [found.error is None for found in checked] == [True, False, True]
    assert checked[1].source.url == "https://x/b"
    assert checked.undecodable[0].path.endswith(".predictions[0].text")
    assert Predictions.from_json(tabular.body(GOOD)).checked().undecodable == []


def test_a_wrong_score_fails_its_source_alone() -> None:
    wrong = tabular.url_source("https://x/b", face=[tabular.face(0)])
    text = tabular.body(GOOD, wrong, GOOD).decode()
    middle = text.index("https://x/b")
    at = text.index('"score": ', middle) + len('"score": ')
    body = text[:at] + '"high"' + text[text.index("}", at) :]
    checked = Predictions.from_json(body).checked()
    assert [found.error is None for found in checked] == [True, False, True]


@pytest.mark.parametrize("body", [None, 5, {}, []])
def test_what_is_no_text_at_all_is_refused_with_what_to_give(body: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"read_bytes\(\)"):
        Predictions.from_json(body)


@pytest.mark.parametrize("kind", [str, bytes, bytearray])
def test_text_may_come_as_text_or_bytes(kind: Any) -> None:
    body = one_face()
    found = Predictions.from_json(body.decode() if kind is str else kind(body))
    assert found == Predictions.from_json(body)


# Lists of predictions, which are slices until they are touched.


def faces_of(*frames: object) -> Sequence[FacePrediction]:
    """Read one face a frame number."""
    return faces(Predictions.from_json(body_of(*({"frame": frame} for frame in frames))))


def test_predictions_read_as_a_list() -> None:
    many = faces_of(0, 1, 2)
    assert [each.frame for each in many] == [0, 1, 2]
    assert [each.frame for each in reversed(many)] == [2, 1, 0]
    assert (len(many), many[-1].frame, [each.frame for each in many[1:]]) == (3, 2, [1, 2])
    assert many[1] in many
    assert many[1] not in many[2:]
    assert many.index(many[2]) == 2
    for place in (3, -4):
        with pytest.raises(IndexError):
            many[place]


def test_lists_of_predictions_are_equal_by_what_is_in_them() -> None:
    many = faces_of(0, 1)
    assert many == faces_of(0, 1)
    assert many == [*many]
    assert [*many] == many
    for other in (faces_of(0, 2), faces_of(0), faces_of(0, 1, 1), "01", ()):
        assert many != other


def test_the_repr_of_a_list_of_predictions_reads_nothing() -> None:
    assert repr(faces_of(0, "x")) == "Slices(2 of FacePrediction)"


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickled])
def test_copies_of_a_list_are_read_when_they_are_touched(how: Callable[[Any], Any]) -> None:
    many = how(faces_of(0, "x", 2))
    assert [many[0], many[2]] == [*faces_of(0, 2)]
    with pytest.raises(DecodeError):
        many[1]


def test_a_prediction_that_is_wrong_is_told_when_touched_with_its_place() -> None:
    many = faces_of(0, 1, "x")
    assert [each.frame for each in many[:2]] == [0, 1]
    for key in (2, -1):
        with pytest.raises(DecodeError, match="the prediction cannot be read") as caught:
            many[key]
        assert caught.value.path == "$[2].frame"
        assert caught.value.message.endswith(" at $[2].frame")


def test_the_first_of_each_list_of_the_first_file_is_tried_at_once() -> None:
    good = tabular.url_source("https://x/a", face=[tabular.face(0)])
    wrong = tabular.url_source("https://x/b", face=[tabular.face(0)], language=[{"text": 5}])
    with pytest.raises(DecodeError) as caught:
        Predictions.from_json(tabular.body(wrong))
    assert caught.value.path.endswith("models.language.grouped_predictions[0].predictions[0].text")
    later = Predictions.from_json(tabular.body(good, wrong))
    with pytest.raises(DecodeError) as caught:
        later.validate()
    assert caught.value.path.startswith("$[1].results.predictions[0].models.language.")


def test_who_reads_all_is_told_of_a_wrong_prediction_with_its_whole_path() -> None:
    predictions = Predictions.from_json(body_of({}, {"box": []}))
    reads = predictions.validate, predictions.to_arrow, lambda: predictions.scores("face")
    for read in reads:
        with pytest.raises(DecodeError) as caught:
            read()
        assert caught.value.path == f"{PLACE}[1].box"


def test_equal_bodies_give_equal_predictions() -> None:
    assert read() == read()
    assert read() != Predictions.from_json(one_face())
    assert hash(face(read()).emotions) == hash(face(read()).emotions)


def test_predictions_survive_pickling_and_copying() -> None:
    first = read()[0]
    assert first == pickle.loads(pickle.dumps(first))  # noqa: S301 - our own bytes
    assert first == copy.deepcopy(first)
    whole = pickle.loads(pickle.dumps(read()))  # noqa: S301 - our own bytes
    assert read() == whole
    assert read().body == whole.body


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("touched", [False, True])
def test_copies_and_pickles_of_every_part_equal_it(
    how: Callable[[object], object], touched: bool
) -> None:
    predictions = read()
    prediction = face(predictions)
    if touched:
        assert len(prediction.emotions)
    many = faces(predictions)
    for part in (predictions, predictions[0], many, prediction, prediction.emotions):
        assert part == how(part)
    built = Predictions(list(predictions))
    assert built == how(built)


def test_a_pickle_is_the_body_and_reads_no_scores() -> None:
    body = one_face(emotions=[{"name": 5}])
    pickled = pickle.dumps(Predictions.from_json(body))
    assert len(pickled) < len(body) + 200
    whole = pickle.loads(pickled)  # noqa: S301 - our own bytes
    alone = pickle.loads(pickle.dumps(face(whole)))  # noqa: S301 - our own bytes
    for found in (face(whole), alone):
        with pytest.raises(DecodeError) as caught:
            len(found.emotions)
        assert caught.value.path == "$[0].name"


@pytest.mark.parametrize("name", ["Joy", "An expression of next year"])
def test_scores_of_known_and_of_new_names_read_alike(name: str) -> None:
    scores = face(Predictions.from_json(one_face(emotions=[{"name": name, "score": 1}]))).emotions
    assert [*scores] == [ExpressionScore(name, 1.0)]
    assert type(scores[0]) is ExpressionScore
    assert scores.split() == ((name,), [1.0])
    assert scores.top() == [(name, 1.0)]


LANGUAGE = sorted(EXPRESSIONS + LANGUAGE_EXPRESSIONS)


@pytest.mark.parametrize(
    "names",
    [
        EXPRESSIONS,
        LANGUAGE,
        [*EXPRESSIONS, *LANGUAGE_EXPRESSIONS],
        EXPRESSIONS[::-1],
        EXPRESSIONS[1:],
        EXPRESSIONS[:-1],
        [*EXPRESSIONS, "An expression of next year"],
        [*EXPRESSIONS[:-1], EXPRESSIONS[0]],
    ],
)
def test_expressions_in_the_order_of_the_service_and_in_any_other_read_alike(
    names: Sequence[str],
) -> None:
    pairs = [(name, place / 64) for place, name in enumerate(names)]
    emotions = [{"name": name, "score": score} for name, score in pairs]
    read_one = face(Predictions.from_json(one_face(emotions=emotions))).emotions
    assert [*read_one] == pairs
    assert read_one == Scores(pairs)
    assert read_one.as_dict() == dict(pairs)


def test_a_wrong_score_among_those_of_the_service_s_order_is_told_with_its_place() -> None:
    emotions: list[dict[str, Any]] = [{"name": name, "score": 0.5} for name in EXPRESSIONS]
    emotions[7]["score"] = "high"
    with pytest.raises(DecodeError) as caught:
        face(Predictions.from_json(one_face(emotions=emotions))).emotions.as_dict()
    assert caught.value.path == "$[7].score"


def test_a_repr_is_short_and_says_what_is_strongest() -> None:
    scores = Scores([("a", 0.1), ("b", 0.9), ("c", 0.5), ("d", 0.2)])
    assert repr(scores) == "Scores(4: b=0.900, c=0.500, d=0.200, ...)"
    assert f"Predictions(3 sources, {len(SAMPLE)} bytes)" == repr(read())


@pytest.mark.parametrize("touched", [False, True])
def test_what_is_written_again_equals_what_was_read(touched: bool) -> None:
    predictions = read()
    if touched:
        predictions.validate()
    assert without_nulls(json.loads(SAMPLE)) == without_nulls(json.loads(codec.encode(predictions)))


def test_a_group_made_by_hand_is_written_like_one_that_was_read() -> None:
    many = faces_of(0, 1)
    read, made = FaceGroup(id="a", predictions=many), FaceGroup(id="a", predictions=[*many])
    assert read == made
    assert json.loads(codec.encode(read)) == json.loads(codec.encode(made))
    assert len(json.loads(codec.encode(many))) == 2
    assert codec.encode(FaceGroup(id="a", predictions=[])) == b'{"id":"a"}'


def without_nulls(value: Any) -> Any:
    if is_object(value):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if is_array(value) else value


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"\xff", "$"),
        (b"<html></html>", "$"),
        (b"{}", "$"),
        (b"[1]", "$[0]"),
        (SAMPLE[: len(SAMPLE) // 2], "$"),
        (b'[{"source": {}}]', "$[0]"),
        (b'[{"source": 5}]', "$[0].source"),
        (b'[{"message": "no"}, {"message": "no"}]', "$[0]"),
        (b"[" * 100_000, "$"),
    ],
)
def test_a_body_that_is_wrong_is_a_decode_error_with_its_path(body: bytes, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Predictions.from_json(body)
    assert path == caught.value.path


@given(st.binary(max_size=60), st.integers(0, len(SAMPLE) - 1))
def test_a_mutated_body_gives_predictions_or_an_error_of_ours(piece: bytes, at: int) -> None:
    body = SAMPLE[:at] + piece + SAMPLE[at + len(piece) :]
    with contextlib.suppress(HumeError):
        Predictions.from_json(body).validate()


def test_custom_model_results_are_read_too() -> None:
    sample = Path(__file__).parents[2] / "samples/answers/extra_tl_predictions.json"
    body = sample.read_bytes() if sample.exists() else TL_SAMPLE
    found = Predictions.from_json(body)[0].files[0].custom_models
    assert found
    assert all(model.output for model in found.values())


TL_SAMPLE = json.dumps(
    [
        {
            "source": {"type": "url", "url": "https://media.example.com/a.mp3"},
            "results": {
                "predictions": [
                    {
                        "file": "a.mp3",
                        "file_type": "audio",
                        "custom_models": {
                            "mood": {
                                "output": {"calm": 0.8, "cross": 0.2},
                                "error": "",
                                "task_type": "classification",
                            }
                        },
                    }
                ],
                "errors": [],
            },
        }
    ]
).encode()
