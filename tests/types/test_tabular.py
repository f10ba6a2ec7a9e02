"""Results of the newer products as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from live_support import silence, speech, wav
from support import client_of

from humeai_async import InvalidArgumentError
from humeai_async.bulk.paid_outcomes import PaidOutcomes
from humeai_async.decisions import Choice, Decision, Noul, QuestionSet, Score, Span
from humeai_async.http import codec
from humeai_async.testing import FakeHume
from humeai_async.types.decisions import DecisionResponse
from humeai_async.types.expression import AudioResult, ImagesResult

pytestmark = pytest.mark.anyio


def audio(*lists: dict[str, float]) -> AudioResult:
    """Return a result with so many measurements, each listing these expressions."""
    measurements: list[dict[str, Any]] = [
        {
            "measurement_id": number,
            "utterance_id": 0,
            "audio_start_ms": 0,
            "audio_end_ms": 3000 * (number + 1),
            "trigger": "interval",
            "expressions": [{"name": k, "probability": v} for k, v in listed.items()],
            "voice_attributes": [{"name": "calm", "probability": 0.8}],
        }
        for number, listed in enumerate(lists)
    ]
    return codec.structure(
        AudioResult, {"run_id": "r", "utterances": [], "measurements": measurements}
    )


QUESTIONS = QuestionSet(
    {
        "angry": Noul("Angry?"),
        "topic": Choice("Why?", ["a", "b"]),
        "natural": Score("How natural?", ["low", "high"]),
        "laughs": Span("A laugh."),
        "unanswered": Noul("Else?"),
    }
)


def decision() -> Decision:
    response = {
        "run_id": "r1",
        "received": {"input_tokens": 9},
        "answers": {
            "angry": {"noul": 0.25},
            "topic": {"choice": "b", "probabilities": {"a": 0.1, "b": 0.9}, "confidence": 0.7},
            "natural": {"score": 0.5},
            "laughs": {"spans": [{"start_ms": 1, "end_ms": 2}]},
        },
    }
    return Decision.read(codec.structure(DecisionResponse, response), QUESTIONS)


def test_a_label_that_is_not_listed_is_null_and_not_zero() -> None:
    table = audio({"joy": 0.0}, {"interest": 0.5}).to_arrow()
    assert [0.0, None] == table["expression_joy"].to_pylist()
    assert [None, 0.5] == table["expression_interest"].to_pylist()
    assert [0.8, 0.8] == table["voice_calm"].to_pylist()
    assert ["measurement_id", "utterance_id"] == table.column_names[:2]


def test_the_long_form_has_one_row_a_score() -> None:
    rows = audio({"joy": 0.6, "interest": 0.5}).to_arrow(long=True).to_pylist()
    found = [(row["kind"], row["name"], row["probability"]) for row in rows]
    assert [
        ("expression", "joy", 0.6),
        ("expression", "interest", 0.5),
        ("voice", "calm", 0.8),
    ] == (found)


def test_a_result_without_measurements_has_its_columns() -> None:
    table = audio().to_arrow(long=True)
    assert (0, ["kind", "name", "probability"]) == (len(table), table.column_names[-3:])


def test_a_decision_is_one_row_with_a_typed_column_a_question() -> None:
    table = decision().to_arrow()
    (row,) = table.to_pylist()
    assert {
        "run_id": "r1",
        "input_tokens": 9,
        "angry": 0.25,
        "topic": "b",
        "natural": 0.5,
        "laughs": 1,
        "unanswered": None,
    } == row
    assert "double" == str(table.schema.field("unanswered").type)


def test_a_question_named_like_a_column_has_one_of_its_own() -> None:
    questions = QuestionSet({"source": Noul("A?"), "run_id": Noul("B?")})
    response = {"run_id": "r1", "answers": {"source": {"noul": 0.5}, "run_id": {"noul": 0.75}}}
    found = Decision.read(codec.structure(DecisionResponse, response), questions)
    (row,) = found.rows()
    assert ("r1", 0.5, 0.75) == (row["run_id"], row["question_source"], row["question_run_id"])


def test_a_decision_in_the_long_form_has_one_row_a_question() -> None:
    rows = decision().to_polars(long=True).rows_by_key("question", named=True, unique=True)
    assert (None, "b", 0.7) == tuple(rows["topic"][k] for k in ("value", "choice", "confidence"))
    assert rows["angry"]["value"] == 0.25
    assert rows["unanswered"]["value"] is None


async def test_a_run_is_one_table_that_names_its_sources(tmp_path: Any) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(speech(2) + silence(1)))
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.expression.measure_many([path, b"%PDF"])
        frame = await outcomes.to_pandas()
        assert {str(path)} == set(frame["source"])
        assert [("file", "InvalidArgumentError")] == [
            (one.source, one.error) for one in outcomes.failures
        ]
        table = await hume.decisions.create_many([path], QUESTIONS).to_arrow()
        assert ["source", "run_id", "input_tokens", *QUESTIONS] == table.column_names
        with pytest.raises(InvalidArgumentError):
            await hume.decisions.create_many([path], QUESTIONS).to_arrow("face")


async def test_a_table_of_paid_results_that_did_not_fit_is_whole_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    sources = [wav(speech(2)), wav(speech(3))]
    async with FakeHume() as fake, client_of(fake) as hume:

        def run() -> PaidOutcomes[AudioResult | ImagesResult]:
            return hume.expression.measure_many(sources, ledger=tmp_path / "run.db")

        with monkeypatch.context() as patch:
            patch.setattr("humeai_async.bulk.paid_outcomes.make_table", fail)
            with pytest.raises(MemoryError):
                await run().to_arrow()
        assert (await run().to_arrow()).num_rows > 0
        assert len(fake.expression.runs) == 2
        assert (await run().to_arrow()).num_rows == 0
