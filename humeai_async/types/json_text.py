"""Reading the fields in which the service hands out JSON as text.

Used by the properties that stand beside such fields (`parsed_parameters`, `emotion_scores`),
so that the text is read only if somebody asks. It knows no type of the service, and nothing
but `DecodeError` comes out.
"""

from __future__ import annotations

import math
from typing import Any, cast

import msgspec

from humeai_async.errors import DecodeError
from humeai_async.types.json import scan


def read_json(text: str | None, path: str) -> Any:
    """Read JSON text; `None` stays `None`.

    Args:
        text: The field's value.
        path: Where the field stands, such as `$.metadata`, for the error.

    Raises:
        DecodeError: The text is not JSON.
    """
    if text is None:
        return None
    try:
        return scan(_decoder, text.encode(errors="replace"), f"the text at {path} is not JSON")
    except DecodeError as problem:
        message = problem.message
    raise DecodeError(message, path=path)


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def read_json_object(text: str | None, path: str) -> dict[str, Any] | None:
    """Read the text of a JSON object; `None` and the text `null` give `None`.

    Raises:
        DecodeError: The text is not JSON, or something else than an object.
    """
    value = read_json(text, path)
    if value is None or isinstance(value, dict):
        return cast("dict[str, Any] | None", value)
    raise DecodeError(f"the text at {path} is not a JSON object", path=path)


def read_scores(text: str | None, path: str) -> dict[str, float] | None:
    """Read the text of a JSON object of numbers; `None` and the text `null` give `None`.

    A score that is null, or no number such as NaN, is `math.nan`.

    Raises:
        DecodeError: The text is not JSON, or something else than names with numbers.
    """
    found = read_json_object(text, path)
    if found is None:
        return None
    scores: dict[str, float] = {}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise DecodeError(f"the score {name!r} at {path} is not a number", path=path)
        scores[name] = math.nan if value is None else float(value)
    return scores
