"""The first results on the last screen: whole sources, whatever product they are of."""

from __future__ import annotations

import io

import pytest
from tabular import body, face, url_source

from humeai_async.cli.first_results import FirstResults
from humeai_async.cli.output import make_console
from humeai_async.types.decision_results import (
    ChoiceResult,
    NoulResult,
    Result,
    ScoreResult,
    SpanResult,
    TimeSpan,
    UnknownResult,
)
from humeai_async.types.decisions import Decision
from humeai_async.types.predictions.predictions import Predictions
from humeai_async.types.questions import Noul, QuestionSet


def printed(results: FirstResults) -> list[str]:
    file = io.StringIO()
    results.print(make_console(file))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_source_that_is_shown_is_shown_with_all_its_models() -> None:
    results = FirstResults()
    faces = url_source("https://x/a.mp4", face=[face(0)])
    models = faces["results"]["predictions"][0]["models"]
    models["facemesh"] = models["face"]
    results.add("https://x/none.mp4", None)
    (found,) = Predictions.from_json(body(faces))
    for n in range(7):
        results.add(f"https://x/{n}.mp4?key=secret", found)
    lines = printed(results)
    names = [line for line in lines if line.startswith("https")]
    assert names == [f"https://x/{n}.mp4" for n in range(len(names))]
    assert len(lines) == 1 + len(names) * 3
    assert len(names) == 5


def test_nothing_is_printed_where_nothing_arrived() -> None:
    results = FirstResults()
    results.add("a.wav", None)
    assert printed(results) == []


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (NoulResult(raw=0, noul=0.854), "yes 85%"),
        (ChoiceResult(raw=0, choice="praise", probabilities={"praise": 0.6}), "praise 60%"),
        (ChoiceResult(raw=0, choice="praise"), "praise"),
        (ScoreResult(raw=0, score=0.9, legend={0: "not", 1: "a bit"}), "a bit (0.9)"),
        (ScoreResult(raw=0, score=float("inf"), legend={0: "not"}), "not (inf)"),
        (ScoreResult(raw=0, score=0.9), "0.9"),
        (SpanResult(raw=0, spans=(TimeSpan(500, 1250), TimeSpan(3000, 4000))),
         "0.5 to 1.2 s, 3.0 to 4.0 s"),
        (SpanResult(raw=0), "never"),
        (UnknownResult(raw="?"), "a result of an unknown form"),
    ],
)  # fmt: skip
def test_an_answer_is_a_few_words(result: Result, shown: str) -> None:
    results = FirstResults()
    questions = QuestionSet({"it": Noul("Is it?")})
    results.add("a.wav", Decision(run_id="r", questions=questions, results={"it": result}))
    name, line = printed(results)[1:]
    assert (name, line.split()) == ("a.wav", ["it", *shown.split()])
