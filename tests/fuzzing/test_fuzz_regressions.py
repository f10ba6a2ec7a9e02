"""What fuzzing found, one case each: kept so that it is found at once if it comes back."""

from __future__ import annotations

import enum
import json
from typing import Any

import pytest
from fuzzing.mutations import SAMPLES, TYPES
from fuzzing.promises import check_decoding

from humeai_async import HumeAI, Pool, catalog
from humeai_async.errors import ConfigurationError, DecodeError, HumeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.endpoint import fill
from humeai_async.http.origins import check_base_url


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
        ("datasets.create_version", b'{"latest_version": 1}', "$.latest_version", "got number"),
        ("datasets.list_files", b'[{"size": "x"}]', "$[0].size", "expected an integer, got text"),
        ("datasets.list_files", b"[[]]", "$", "expected a page or an array of pages"),
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


class Colour(str, enum.Enum):  # noqa: UP042 - the older kind, which `str` writes by its name
    RED = "red"


class Number(int, enum.Enum):
    SEVEN = 7


def test_a_member_of_an_enum_is_sent_as_its_value() -> None:
    call = fill(catalog.TOOLS_GET_VERSION, Colour.RED, Number.SEVEN, query={"a": [Colour.RED]})
    assert call.ids == ("red", "7")
    assert call.query == (("a", "red"),)


@pytest.mark.parametrize(
    ("ids", "query", "field"),
    [
        (("a", 10**5000), {}, "version"),
        (("{version}", 1), {}, "id"),
        (("a", 1), {"n": 10**5000}, "n"),
        (("a", 1), {"\ud800": "x"}, "\ud800"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_its_name(
    ids: tuple[Any, ...], query: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        fill(catalog.TOOLS_GET_VERSION, *ids, query=query)
    assert caught.value.field == field


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v0/%2e%2e/x", "/v0/.%2E", "/%2e", "/v0/a%2F..%2Fb"])
async def test_a_path_that_climbs_when_it_is_unescaped_is_refused(path: str) -> None:
    async with HumeAI(api_key="key", base_url="http://127.0.0.1:9") as hume:
        with pytest.raises(InvalidArgumentError, match="path must start"):
            await hume.request("GET", path)


@pytest.mark.parametrize(
    "url",
    ["https://h\\evil.test", "https://[::1]x", "https://[v1.x]", "https://h%2ee", "https://h,x",
     "http://h/\\..\\x", "https://h/a/../b", "https://h/%2e%2e/b", "https://[]", "https://:80"],
)  # fmt: skip
def test_a_base_url_that_would_go_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        check_base_url(url)


@pytest.mark.parametrize("host", ["a..b", ".a", "h\u00fc..a8", "a" * 64, "\u00fc" * 60])
def test_a_host_whose_name_cannot_be_written_is_refused(host: str) -> None:
    # Python's own error would come out of the lookup, and that for each call.
    with pytest.raises(ConfigurationError, match="base_url"):
        check_base_url(f"https://{host}")
    with pytest.raises(ConfigurationError, match="proxy must be a URL"):
        Pool(proxy=f"http://{host}:3128")


@pytest.mark.parametrize("host", ["a.b.", "h\u00fc.ai", "xn--a", "a" * 63, "[::1]", "10.0.0.1"])
def test_a_host_whose_name_is_odd_may_be_there_all_the_same(host: str) -> None:
    assert check_base_url(f"https://{host}") == f"https://{host}"


@pytest.mark.parametrize("field", ["message", "code", "request_id"])
def test_what_a_server_writes_cannot_play_with_a_terminal_or_a_log(field: str) -> None:
    about: dict[str, Any] = {"message": "m", field: "a\x1b[2J\nb\u202e\ud800"}
    error = HumeError(**about)
    assert getattr(error, field) == "a\ufffd[2J b\ufffd\ufffd"
    assert str(error).isprintable()


@pytest.mark.parametrize(("body", "items"), [(b"[null, null]", []), (b"null", [])])
def test_a_page_whose_list_may_be_null_loses_its_nulls_too(
    body: bytes, items: list[object] | None
) -> None:
    page = codec.decode(catalog.CONFIGS_LIST.returns, b'{"configs_page": %s}' % body)
    assert page.configs_page == items
