"""Questions are refused here with the service's own code and the place that it would name."""

from __future__ import annotations

from typing import Any

import pytest

from humeai_async.decisions import Choice, Noul, Question, QuestionSet, Score, Span
from humeai_async.errors import DecodeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.types.decisions import Decision, DecisionResponse, UnknownResult

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
