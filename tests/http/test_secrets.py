"""What a server repeats of a request in its errors."""

from __future__ import annotations

import copy
import json
import pickle
import time
from typing import Any
from urllib.parse import quote

import pytest

from humeai_async import OAuth
from humeai_async._base.secret import Secret
from humeai_async.http.secrets import without_secrets

HOOK = "https://me:s3cretUser@hooks.example.com/services/T0Marked99/s3cretPath?to=s3cretQuery#s3cretEnd"
MEDIUM = (
    "https://media.example.com/shows/pilot.mp4?X-Amz-Expires=3600&X-Amz-Signature=s3cret%2FSign"
)
SENT: dict[str, Any] = {"urls": [MEDIUM], "models": {"face": {}}, "callback_url": HOOK}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("POST /services/T0Marked99/s3cretPath?to=s3cretQuery failed", "POST /***?*** failed"),
        ("services\\/T0Marked99\\/s3cretPath is gone", "*** is gone"),
        (quote("services/T0Marked99/s3cretPath", safe=""), "***"),
        ("no token s3cretPath of team T0Marked99", "no token *** of team ***"),
        ("no user s3cretUser, no fragment s3cretEnd", "no user ***, no fragment ***"),
        ("to=s3cretQuery", "***"),
        ("the signature s3cret/Sign is wrong", "the signature *** is wrong"),
        ("the signature s3cret%2FSign is wrong", "the signature *** is wrong"),
        ("X-Amz-Signature is missing", "X-Amz-Signature is missing"),
        ("/shows/pilot.mp4 at media.example.com", "/shows/pilot.mp4 at media.example.com"),
        ("services of hooks.example.com are down", "services of hooks.example.com are down"),
    ],
)
def test_secret_parts_of_what_was_sent_are_hidden_wherever_they_stand(
    said: str, expected: str
) -> None:
    assert without_secrets(said, SENT) == expected


@pytest.mark.parametrize(
    "sent",
    [
        {"webhooks": [{"url": HOOK, "events": ["chat_ended"]}, None]},
        [{"a": {"b": [[HOOK]]}}],
        HOOK,
        {"language_model": {"resource": HOOK}},
    ],
)
def test_urls_are_found_at_every_depth(sent: object) -> None:
    assert without_secrets("s3cretPath", sent) == "***"


@pytest.mark.parametrize(
    "sent", [None, {}, 5, {"text": ["say s3cretPath"]}, {"urls": ["https://a.example/s3cretPath"]}]
)
def test_a_text_stays_as_it_is_where_nothing_secret_was_sent(sent: object) -> None:
    assert without_secrets("s3cretPath", sent) == "s3cretPath"


def test_a_url_that_cannot_be_read_is_hidden_whole() -> None:
    assert without_secrets("at http://[s3cret, ", {"callback_url": "http://[s3cret"}) == "at ***, "


@pytest.mark.parametrize("before", range(1880, 2010, 3))
@pytest.mark.parametrize("echoes", [0, 30])
def test_no_secret_is_cut_in_half_where_a_text_is_cut(before: int, echoes: int) -> None:
    path = "s3cretPath" * 10
    said = f"{'x' * before} {path} " * (echoes + 1) + path * 100
    assert "s3" not in without_secrets(said, {"url": f"https://a.example/{path}"}, 2000)[:2000]


def test_a_large_error_about_many_urls_is_searched_in_no_time() -> None:
    sent = {"urls": [f"https://media.example.com/{n}?Signature=s3cret{n:020}" for n in range(100)]}
    said = json.dumps(sent) * 100
    began = time.process_time()
    kept = without_secrets(said, sent, 2000)
    assert time.process_time() - began < 0.25
    assert "s3cret" not in kept


def test_nesting_without_end_is_no_trouble() -> None:
    nested: list[Any] = [HOOK]
    for _ in range(100_000):
        nested = [nested]
    assert without_secrets("s3cretPath", nested) == "***"


@pytest.mark.parametrize(
    ("credential", "text", "hidden"),
    [
        ("e", "the key e was refused", "the key *** was refused"),
        ("on", "one config is on hold: on", "one config is *** hold: ***"),
        ("key4", "xkey4x", "x***x"),
        ("", "nothing was given", "nothing was given"),
    ],
)
def test_a_credential_of_a_few_letters_leaves_words_whole(
    credential: str, text: str, hidden: str
) -> None:
    assert hidden == Secret(credential).redact(text)


@pytest.mark.parametrize("held", [Secret("key_of_tests"), OAuth("key_of_tests", "and_its_secret")])
def test_what_holds_a_credential_is_copied_but_never_pickled(held: object) -> None:
    for again in (copy.copy(held), copy.deepcopy(held)):
        assert type(again) is type(held)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(held)
