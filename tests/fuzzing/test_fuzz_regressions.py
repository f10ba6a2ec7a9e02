"""What fuzzing found, one case each: kept so that it is found at once if it comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fuzzing.mutations import SAMPLES, TYPES
from fuzzing.promises import check_decoding

from humeai_async import catalog, codec
from humeai_async.errors import DecodeError


def failure(name: str, body: bytes) -> DecodeError:
    """Return the error of a body, which must keep all promises too."""
    assert not check_decoding(TYPES[name], body)
    with pytest.raises(DecodeError) as caught:
        codec.decode(TYPES[name], body)
    return caught.value


@pytest.mark.parametrize(
    ("name", "body", "path", "reason"),
    [
        ("batch.start_job", b"null", "$", "expected an object, got null"),
        ("batch.start_job", b"3.5", "$", "expected an object, got number"),
        ("batch.start_job", b"[]", "$", "expected an object, got array"),
        ("privacy.get_settings", b'"id"', "$", "expected an object, got text"),
        ("datasets.list", b'{"sort": []}', "$.sort", "expected an object, got array"),
        ("datasets.list", b'{"pageable": "sort"}', "$.pageable", "expected an object, got text"),
        ("datasets.create_version", b'{"latest_version": 1}', "$.name", "'name' is missing"),
        ("datasets.list_files", b'[{"size": "x"}]', "$[0].size", "expected an integer, got text"),
        ("datasets.list_files", b'[{}, {"content": [{}]}]', "$[1].content[0].file", "is missing"),
        ("datasets.list_files", b"[[]]", "$", "expected a page or an array of pages"),
        ("prompts.list", b'{"prompts_page": [null, null, 7]}', "$.prompts_page[2]", "got number"),
        ("prompts.list", b'{"prompts_page": "none"}', "$.prompts_page", "expected an array"),
    ],
)
def test_an_answer_of_another_kind_is_told_with_its_place(
    name: str, body: bytes, path: str, reason: str
) -> None:
    error = failure(name, body)
    assert error.path == path
    assert reason in error.message


@pytest.mark.parametrize(
    ("key", "step"),
    [
        ("Joy", '["Joy"]'),
        ("0", '["0"]'),
        ('a"]\n', '["a\\"]\\n"]'),
        ("\u202e", '["\\u202e"]'),
        ("x" * 5000, "[...]"),
    ],
)
def test_the_name_of_a_free_member_stands_in_a_path_as_json_has_it(key: str, step: str) -> None:
    event = json.loads(SAMPLES["chat"][1])[2]
    event["models"]["prosody"]["scores"] = {key: "high"}
    error = failure("server_event", json.dumps(event).encode())
    assert error.path == "$.models.prosody.scores" + step


def test_a_score_that_cannot_be_read_is_told_with_its_whole_path_in_the_message() -> None:
    plain = json.loads(SAMPLES["get_job_predictions"][1])
    models: dict[str, Any] = plain[0]["results"]["predictions"][0]["models"]
    model, found = next((name, one) for name, one in models.items() if one)
    found["grouped_predictions"][0]["predictions"][0]["emotions"][1]["score"] = "high"
    value = codec.decode(catalog.BATCH_GET_PREDICTIONS.returns, json.dumps(plain).encode())
    with pytest.raises(DecodeError) as caught:
        value.validate()
    place = f".{model}.grouped_predictions[0].predictions[0].emotions[1].score"
    assert caught.value.path.endswith(place)
    assert caught.value.message.endswith(f" at {caught.value.path}")
