"""What a server makes of what it was sent: no secret of a URL survives it, and nothing breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from fuzzing.budget import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from humeai_async.http.secrets import without_secrets

PRINTABLE = st.characters(exclude_categories=["C", "Z"])
KEYS = st.text(PRINTABLE, min_size=8, max_size=30).map("9{}".format)
NOISE = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.integers() | NOISE | NOISE.map("https://{}".format),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["urls", "url", "webhooks"]), inner, max_size=3)
    ),
    max_leaves=10,
)
FORMS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: text.replace("/", "\\/"),
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
]
"""How a server may write a text."""


@pytest.mark.slow
@examples(150)
@given(st.lists(KEYS, min_size=4, max_size=4), st.sampled_from(FORMS), NOISE, st.data())
def test_no_key_in_a_url_survives_in_whatever_form(
    keys: list[str], form: Callable[[str], str], noise: str, data: st.DataObject
) -> None:
    user, step, value, end = [quote(key, safe="") for key in keys]
    url = f"https://{user}:x@a.example/{step}/b?c={value}&d=e#{end}"
    # The user and the end are looked for as they stand, the others as what they mean too.
    echoed = data.draw(
        st.sampled_from([f"{step}/b", f"c={value}&d=e", *keys[1:3], user, step, value, end])
    )
    assume(form(echoed) not in noise)
    shown = without_secrets(f"{noise}{form(echoed)}{noise}", {"callback_url": url})
    assert form(echoed) not in shown


@pytest.mark.slow
@examples(150)
@given(NOISE, JSON, st.integers(0, 40))
def test_whatever_was_sent_nothing_breaks(said: str, sent: Any, most: int) -> None:
    assert isinstance(without_secrets(said, sent, most), str)
