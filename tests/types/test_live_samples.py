"""Every example of the newer products is read, and written again as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from humeai_async import catalog
from humeai_async.http import codec
from humeai_async.types.decision_results import UnknownResult
from humeai_async.types.decisions import Decision, DecisionResponse
from humeai_async.types.expression_messages import (
    AudioMessage,
    ClientMessage,
    SessionClosed,
    UnknownMessage,
    UtteranceStart,
    VideoMessage,
)
from humeai_async.types.json import is_array, is_object
from humeai_async.types.questions import QuestionSet

ANSWERS = Path(__file__).parents[1] / "samples" / "answers"
TYPES: dict[str, Any] = {
    "em_measure_audio": catalog.EXPRESSION_MEASURE_AUDIO.returns,
    "em_measure_video": catalog.EXPRESSION_MEASURE_IMAGES.returns,
    "em_list_runs": catalog.EXPRESSION_RUNS_LIST.returns,
    "em_list_runs_last": catalog.EXPRESSION_RUNS_LIST.returns,
    "em_get_run": catalog.EXPRESSION_RUNS_GET.returns,
    "em_get_run_file": catalog.EXPRESSION_RUNS_GET.returns,
    "em_get_run_live": catalog.EXPRESSION_RUNS_GET.returns,
    "em_get_run_errored": catalog.EXPRESSION_RUNS_GET.returns,
    "em_list_run_events": catalog.EXPRESSION_RUNS_EVENTS.returns,
    "em_list_run_events_capped": catalog.EXPRESSION_RUNS_EVENTS.returns,
    "em_audio_client": list[ClientMessage],
    "em_video_client": list[ClientMessage],
    "em_audio_realtime": list[AudioMessage],
    "em_audio_realtime_config_invalid": list[AudioMessage],
    "em_audio_realtime_internal_error": list[AudioMessage],
    "em_audio_realtime_shutdown": list[AudioMessage],
    "em_audio_realtime_idle": list[AudioMessage],
    "em_audio_realtime_unknown_types": list[AudioMessage],
    "em_video_realtime": list[VideoMessage],
    "em_video_realtime_five_failures": list[VideoMessage],
    "em_video_realtime_too_large": list[VideoMessage],
    "ad_create_decision": catalog.DECISIONS_CREATE.returns,
    "ad_create_decision_sparse": catalog.DECISIONS_CREATE.returns,
    "ad_estimate_input_tokens": catalog.DECISIONS_ESTIMATE.returns,
    "ad_list_runs": catalog.DECISIONS_RUNS_LIST.returns,
    "ad_get_run": catalog.DECISIONS_RUNS_GET.returns,
}
SENT = {
    "em_measure_audio_config",
    "em_measure_video_config",
    "ad_create_decision_request",
    "ad_estimate_input_tokens_request",
    "em_http_errors",
    "ad_http_errors",
}


def read(name: str) -> bytes:
    return (ANSWERS / f"extra_{name}.json").read_bytes()


def without_nulls(value: Any) -> Any:
    if is_object(value):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if is_array(value) else value


def without_defaults(written: Any, expected: Any) -> Any:
    """Put back what equals its default and is therefore not written: formats, and empty pages."""
    if is_object(expected) and is_object(written):
        for name, value in expected.items():
            if name not in written and value in (
                {},
                [],
                "audio/pcm",
                "s16le",
                16000,
                1,
                "image/jpeg",
            ):
                written[name] = value
            elif name in written:
                without_defaults(written[name], value)
    elif is_array(expected):
        for ours, theirs in zip(written, expected, strict=True):
            without_defaults(ours, theirs)
    return written


def test_every_example_has_a_test() -> None:
    names = {path.stem.removeprefix("extra_") for path in ANSWERS.glob("extra_[ea][md]_*.json")}
    assert names == {*TYPES, *SENT}


@pytest.mark.parametrize("name", TYPES)
def test_an_example_is_written_again_as_it_was(name: str) -> None:
    expected = without_nulls(json.loads(read(name)))
    written = json.loads(codec.encode(codec.decode(TYPES[name], read(name))))
    assert without_defaults(written, expected) == expected


@pytest.mark.parametrize("name", TYPES)
def test_keys_that_nobody_knows_survive(name: str) -> None:
    plain = json.loads(read(name))
    (plain[0] if is_array(plain) else plain)["new_key"] = {"a": [1]}
    again: Any = json.loads(codec.encode(codec.decode(TYPES[name], json.dumps(plain).encode())))
    first: Any = again[0] if is_array(again) else again
    is_page = "list" in name
    assert ("new_key" not in first) == is_page


def test_a_session_with_unknown_types_ends_as_it_should() -> None:
    messages = codec.decode(list[AudioMessage], read("em_audio_realtime_unknown_types"))
    kinds = [type(one) for one in messages]
    assert kinds[1:4] == [UnknownMessage] * 3
    assert kinds[4:] == [UtteranceStart, SessionClosed]
    assert messages[4].extra == {"speaker": "A"}


def asked() -> QuestionSet:
    return QuestionSet.of(**json.loads(read("ad_create_decision_request")))


def test_questions_are_sent_as_in_the_example() -> None:
    assert json.loads(codec.encode(asked())) == json.loads(read("ad_create_decision_request"))


def test_results_are_typed_by_their_questions() -> None:
    decision = Decision.read(
        codec.decode(DecisionResponse, read("ad_create_decision")), asked(), seconds=31.0
    )
    assert decision["caller_frustrated"].noul == 0.83
    assert decision["reason"].choice == "cancel"
    assert decision["naturalness"].share_from("natural") == pytest.approx(0.6)
    assert decision["asks_to_cancel"].spans[0].end_ms == 6080
    assert decision.input_tokens == 1184


def test_results_without_a_type_are_read_by_their_questions() -> None:
    decision = Decision.read(
        codec.decode(DecisionResponse, read("ad_create_decision_sparse")), asked()
    )
    assert not any(isinstance(one, UnknownResult) for one in decision.results.values())
    assert decision["naturalness"].legend[4] == "like a person"
