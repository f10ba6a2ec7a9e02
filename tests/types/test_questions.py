"""Questions are refused here with the service's own code and the place that it would name."""

from __future__ import annotations

from typing import Any

import pytest

from humeai_async.decisions import Choice, Criterion, Noul, Question, QuestionSet, Score, Span
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.types.decision_results import UnknownResult
from humeai_async.types.decisions import Decision, DecisionResponse

MOOD = Noul("Does the caller sound calm?")


def refusal(questions: Any, context: str | None = None) -> tuple[str | None, str | None]:
    with pytest.raises(InvalidArgumentError) as caught:
        QuestionSet.of(questions, context)
    return caught.value.code, caught.value.param


def many(count: int, one: Question = MOOD) -> dict[str, Question]:
    return {f"q{n}": one for n in range(count)}


@pytest.mark.parametrize(
    ("questions", "param"),
    [
        ({}, "/questions"),
        ([MOOD], "/questions"),
        (many(21), "/questions"),
        (many(6, Span("When?")), "/questions"),
        ({"": MOOD}, "/questions/"),
        ({"i" * 257: MOOD}, f"/questions/{'i' * 257}"),
        ({"a/b": {"type": "noul", "instructions": " "}}, "/questions/a~1b/instructions"),
        (
            {"a": {"type": "score", "instructions": "?", "criteria": ["one"]}},
            "/questions/a/criteria",
        ),
        ({"a": {"type": "choice", "instructions": "?"}}, "/questions/a/criteria"),
        ({"a": {"type": "essay", "instructions": "?"}}, "/questions/a/type"),
        ({"a": {"type": "span", "instructions": "?", "timer": 3}}, "/questions/a/timer"),
        ({"a": "Is it calm?"}, "/questions/a"),
        ({5: MOOD}, "/questions/5"),
        (
            {"a": {"type": "noul", "instructions": "?", "criteria": {"maybe": "it may"}}},
            "/questions/a/criteria",
        ),
        (
            {"a": {"type": "noul", "instructions": "?", "criteria": {"true": 5}}},
            "/questions/a/criteria",
        ),
        (
            {"a": {"type": "choice", "instructions": "?", "criteria": "yes"}},
            "/questions/a/criteria",
        ),
        (
            {"a": {"type": "choice", "instructions": "?", "criteria": [5, 6]}},
            "/questions/a/criteria",
        ),
        (
            {"a": {"type": "choice", "instructions": "?", "criteria": ["a", "a"]}},
            "/questions/a/criteria",
        ),
        (
            {"a": {"type": "score", "instructions": "?", "criteria": ["low", " "]}},
            "/questions/a/criteria",
        ),
        ({"a": {"type": "noul", "instructions": "?", 5: "?", "z": "?"}}, "/questions/a/5"),
        (
            {"a": {"type": "score", "instructions": "?", "criteria": {"low", "high"}}},
            "/questions/a/criteria",
        ),
        (
            {"a": {"type": "choice", "instructions": "?", "criteria": [{"name": "a", "desc": ""}]}},
            "/questions/a/criteria",
        ),
    ],
)
def test_questions_beyond_a_limit_are_refused(questions: Any, param: str) -> None:
    assert refusal(questions) == ("question_invalid", param)


def test_twenty_questions_and_five_spans_are_allowed() -> None:
    spans = {f"s{n}": Span("When?") for n in range(5)}
    assert len(QuestionSet.of({**many(20), **spans})) == 25


def test_a_context_of_1001_characters_is_refused() -> None:
    assert refusal({"a": MOOD}, "c" * 1001) == ("question_invalid", "/context")


def test_the_hash_depends_on_the_order() -> None:
    first, second = Noul("One?"), Noul("Two?")
    one = QuestionSet.of({"a": first, "b": second})
    other = QuestionSet.of({"b": second, "a": first})
    assert one.hash != other.hash
    assert one != other
    assert one == QuestionSet.of(codec.parse(codec.encode(one))["questions"])


def test_options_may_be_texts_dicts_or_a_map() -> None:
    for given in (["yes", "no"], [{"name": "yes"}, {"name": "no"}], {"yes": None, "no": None}):
        wire = Choice("Which?", given).to_wire()
        assert wire["criteria"] == [{"name": "yes"}, {"name": "no"}]


def test_criteria_are_sent_as_they_were_given() -> None:
    calm = Noul("Calm?", {"true": "speaks slowly"})
    assert calm.to_wire()["criteria"] == {"true": "speaks slowly"}
    which = Choice("Which?", [Criterion("yes", "agrees"), "no"])
    assert which.to_wire()["criteria"] == [
        {"name": "yes", "description": "agrees"},
        {"name": "no"},
    ]


def test_a_set_that_is_given_a_context_keeps_its_questions() -> None:
    one = QuestionSet.of({"a": MOOD})
    assert QuestionSet.of(one) is one
    other = QuestionSet.of(one, "a call")
    assert other.questions == one.questions
    assert other.context == "a call"
    assert hash(other) != hash(one)
    assert one != "a set"


def read(body: bytes, **questions: Question) -> Decision:
    response = codec.decode(DecisionResponse, body)
    return Decision.read(response, QuestionSet.of(questions), seconds=10.0, offset_ms=5000.0)


def test_a_missing_result_is_an_error_of_that_question_only() -> None:
    decision = read(b'{"run_id": "r", "answers": {"a": {"noul": 0.9}}}', a=MOOD, b=Noul("Angry?"))
    assert decision["a"].noul == 0.9
    assert decision.missing == ("b",)
    with pytest.raises(DecodeError) as caught:
        decision["b"]
    assert caught.value.path == "$.answers.b"


def test_a_question_that_was_not_asked_is_no_key_error() -> None:
    with pytest.raises(InvalidArgumentError):
        read(b'{"answers": {}}', a=MOOD)["c"]


def test_a_result_of_an_unknown_form_stays_raw() -> None:
    decision = read(b'{"answers": {"a": {"mood": "calm"}, "b": {"noul": 0.1}}}', a=MOOD, b=MOOD)
    assert isinstance(decision["a"], UnknownResult)
    assert decision["a"].raw == {"mood": "calm"}
    assert decision["b"].noul == 0.1


@pytest.mark.parametrize("key", ["results", "decisions"])
def test_results_are_found_under_other_names(key: str) -> None:
    assert read(f'{{"{key}": {{"a": {{"noul": 0.2}}}}}}'.encode(), a=MOOD)["a"].noul == 0.2


def test_results_are_found_beside_the_run_id() -> None:
    assert read(b'{"run_id": "r", "a": {"noul": 0.2}}', a=MOOD)["a"].noul == 0.2


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ('{"start_ms": 100, "end_ms": 200}', (5100, 5200)),
        ('{"start": 1.5, "end": 2.5}', (6500, 7500)),
        ('{"start": 1, "end": 2}', (6000, 7000)),
        ('{"begin": 1000, "end": 2000}', (6000, 7000)),
    ],
)
def test_spans_are_shifted_to_the_recordings_time(span: str, expected: tuple[int, int]) -> None:
    found = read(f'{{"answers": {{"a": {{"spans": [{span}]}}}}}}'.encode(), a=Span("When?"))
    assert (found["a"].spans[0].start_ms, found["a"].spans[0].end_ms) == expected


def test_a_result_is_typed_by_its_question() -> None:
    scale = Score("How?", ["bad", "good"])
    decision = read(b'{"answers": {"a": {"score": 0.5, "probabilities": [0.5, 0.5]}}}', a=scale)
    assert decision.of(scale).legend == {0: "bad", 1: "good"}
    assert read(b'{"answers": {"a": {"noul": 1}}}', a=MOOD).of(MOOD).noul == 1.0


@pytest.mark.parametrize(
    ("question", "result"),
    [
        (MOOD, '{"noul": true}'),
        (MOOD, '{"noul": null}'),
        (Choice("Which?", ["a", "b"]), '{"choice": 1}'),
        (Choice("Which?", ["a", "b"]), '"a"'),
        (Choice("Which?", ["a", "b"]), '{"choice": "a", "probabilities": {"a": "high"}}'),
        (Score("How?", ["a", "b"]), '{"score": 1, "probabilities": {"c": 0.5}}'),
        (Span("When?"), '{"spans": 5}'),
        (Span("When?"), '{"spans": [{"from": 1, "to": 2}]}'),
        (Span("When?"), '{"spans": [5]}'),
        (Score("How?", ["a", "b"]), "1.5"),
        (Score("How?", ["a", "b"]), '"a"'),
        (Score("How?", ["a", "b"]), "[0.5, 0.5]"),
        (MOOD, '{"noul": 1' + "0" * 400 + "}"),
    ],
)
def test_a_result_that_is_not_understood_is_told_by_the_question(
    question: Question, result: str
) -> None:
    decision = read(f'{{"answers": {{"a": {result}}}}}'.encode(), a=question)
    assert isinstance(decision["a"], UnknownResult)
    with pytest.raises(DecodeError, match="not known"):
        decision.of(question)  # type: ignore[call-overload]  # any kind of question


def test_a_question_that_was_not_asked_has_no_typed_result() -> None:
    with pytest.raises(InvalidArgumentError, match="no such question"):
        read(b'{"answers": {"a": {"noul": 0.9}}}', a=MOOD).of(Noul("Angry?"))


def test_a_decision_is_a_mapping_of_the_results_that_came() -> None:
    decision = read(b'{"answers": {"a": {"noul": 0.9}}}', a=MOOD, b=Noul("Angry?"))
    assert list(decision) == ["a"]
    assert len(decision) == 1
    assert "a" in decision
    assert "b" not in decision
    assert "c" not in decision
    assert decision.get("b") is None
    assert decision.get("a") is decision["a"]


SCALE = Score("How calm?", ["bad", "fair", "good"])
RATED = b'{"answers": {"a": {"score": 1.5, "probabilities": {"bad": 0.1, "1": 0.3, "good": 0.6}}}}'


@pytest.mark.parametrize(("level", "share"), [(0, 1.0), (1, 0.9), ("fair", 0.9), ("good", 0.6)])
def test_the_share_from_a_level_counts_it_and_those_above(level: int | str, share: float) -> None:
    assert read(RATED, a=SCALE).of(SCALE).share_from(level) == pytest.approx(share)


@pytest.mark.parametrize("level", [-1, 3, "splendid"])
def test_a_level_that_the_scale_does_not_have_is_refused(level: int | str) -> None:
    with pytest.raises(InvalidArgumentError, match="no level"):
        read(RATED, a=SCALE).of(SCALE).share_from(level)


def test_spans_are_filtered_by_their_probability() -> None:
    spans = b"""{"answers": {"a": [{"start_ms": 0, "end_ms": 9, "probability": 0.4},
        {"start_ms": 10, "end_ms": 19, "probability": 0.8}, {"start_ms": 20, "end_ms": 29}]}}"""
    found = read(spans, a=Span("When?"))["a"]
    assert [one.start_ms for one in found.at_least(0.5)] == [5010]
