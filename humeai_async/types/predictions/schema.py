"""The documented columns of tables: names, types and units, for all models, one, or the long form.

Everything that makes or reads a table of predictions asks here. pyarrow, polars and pandas are
imported when they are asked for and never before.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from humeai_async._base.packages import load_package
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.predictions.expressions import EXPRESSIONS, LANGUAGE_EXPRESSIONS
from humeai_async.types.predictions.rows import MODELS, PLACE, SCORES

__all__ = [
    "LONG_SCHEMA",
    "MODEL_PLACES",
    "SCHEMA",
    "check_model",
    "long_schema",
    "schema",
]

STRING, INT, FLOAT, LABEL = "string", "int64", "double", "label"
"""Names of the types, as Arrow has them; a label is a text that is written once for many rows."""

_TEXTS = frozenset({"source", "file", "model", "id", "text"})
_INTEGERS = frozenset({"frame", "text_begin", "text_end"})

SCHEMA: Mapping[str, str] = {
    name: STRING if name in _TEXTS else INT if name in _INTEGERS else FLOAT
    for name in (*PLACE, *SCORES)
}
"""Type by column; every column may be null.

Scores are 64-bit floats because that is what the service's JSON says: what is read from a
table equals what is read from the objects. Times are seconds, boxes pixels of the frame.
"""

LONG_SCHEMA: Mapping[str, str] = {
    "source": LABEL,
    "file": LABEL,
    "model": LABEL,
    "id": LABEL,
    "begin": FLOAT,
    "end": FLOAT,
    "text": LABEL,
    "expression": LABEL,
    "score": FLOAT,
}
"""Type by column of the long form, which has one row for each score of a prediction."""

_NAMED = ("source", "file", "id")
_SPAN = ("begin", "end")
_SPOKEN = ("text", "confidence", "speaker_confidence")
_WORDS = (*_NAMED, *_SPAN, "text_begin", "text_end", *_SPOKEN)

MODEL_PLACES: Mapping[str, tuple[str, ...]] = {
    "face": (*_NAMED, "frame", "begin", "box_x", "box_y", "box_w", "box_h", "probability"),
    "burst": (*_NAMED, *_SPAN),
    "prosody": (*_NAMED, *_SPAN, *_SPOKEN),
    "language": _WORDS,
    "ner": _WORDS,
    "facemesh": _NAMED,
}
"""By model, the columns that say where its predictions come from."""

_MODEL_SCORES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(MODELS, EXPRESSIONS),
    "language": SCORES,
    "ner": (*EXPRESSIONS, *LANGUAGE_EXPRESSIONS),
}

_UNITS = {
    **dict.fromkeys(_SPAN, "seconds from the start of the media"),
    **dict.fromkeys(("box_x", "box_y", "box_w", "box_h"), "pixels of the frame"),
    **dict.fromkeys(("text_begin", "text_end"), "characters from the start of the text"),
    **dict.fromkeys(("probability", "confidence", "speaker_confidence"), "0 to 1"),
    "frame": "frames from the start of the media",
    "score": "mostly 0 to 1",
}


def check_model(model: str | None) -> tuple[str, ...]:
    """Return the models to read: the one that is named, or all.

    Raises:
        InvalidArgumentError: There is no such model.
    """
    if model is None:
        return MODELS
    if model not in MODELS:
        raise InvalidArgumentError(f"model must be one of {', '.join(MODELS)}", field="model")
    return (model,)


def columns_of(model: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of the wide form: those of the place, and those of scores."""
    return (PLACE, SCORES) if model is None else (MODEL_PLACES[model], _MODEL_SCORES[model])


def schema(extra: Iterable[str] = (), *, model: str | None = None, scores: str = FLOAT) -> Any:
    """Return the wide form as a `pyarrow.Schema`: `SCHEMA`, or the columns of one model.

    Its metadata names the form and the model, that of a field its unit.

    Args:
        extra: Names of further columns of scores, which go to the end.
        model: One of `face`, `burst`, `prosody`, `language`, `ner`, `facemesh`; all without it.
        scores: Arrow's name of the type of scores: `double`, or `float` for 32 bits.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    place, names = columns_of(model)
    kinds = [(name, SCHEMA[name]) for name in place]
    kinds += [(name, scores) for name in (*names, *extra)]
    return _arrow_schema((*kinds,), form="wide", model=model or "all")


def long_schema(*, scores: str = FLOAT) -> Any:
    """Return the long form, `LONG_SCHEMA`, as a `pyarrow.Schema`.

    Args:
        scores: Arrow's name of the type of scores: `double`, or `float` for 32 bits.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    kinds = {**LONG_SCHEMA, "score": scores}
    return _arrow_schema((*kinds.items(),), form="long")


@functools.lru_cache  # each batch has one, and making it takes a millisecond
def _arrow_schema(kinds: tuple[tuple[str, str], ...], **about: str) -> Any:
    pa = load_package("pyarrow")
    fields: list[Any] = []
    for name, kind in kinds:
        unit = _UNITS.get(name if name in PLACE or name in LONG_SCHEMA else "score")
        fields.append(pa.field(name, arrow_type(kind), metadata={"unit": unit} if unit else None))
    return pa.schema(fields, metadata={f"humeai_async.{key}": each for key, each in about.items()})


@functools.cache  # asked for each column of each batch
def arrow_type(kind: str) -> Any:
    """Return a type by the name that `SCHEMA` has for it, as pyarrow's own.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = load_package("pyarrow")
    return pa.dictionary(pa.int32(), pa.string()) if kind == LABEL else pa.type_for_alias(kind)
