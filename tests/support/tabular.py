"""Bodies of predictions for tests of tables and sinks."""

from __future__ import annotations

import importlib
import json
import math
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from humeai_async.types.predictions.measurements import SourcePredictions
from humeai_async.types.predictions.rows import (
    EXPRESSIONS,
    LANGUAGE_EXPRESSIONS,
    SENTIMENT,
    TOXICITY,
    Row,
    RowBatch,
    row_batches,
)

# Their types are not known, or not whole.
np: Any = importlib.import_module("numpy")
pa: Any = importlib.import_module("pyarrow")
pd: Any = importlib.import_module("pandas")
pl: Any = importlib.import_module("polars")
pq: Any = importlib.import_module("pyarrow.parquet")


def scores(names: Sequence[str], start: int) -> list[dict[str, Any]]:
    """Give each name a number that says where it came from."""
    return [{"name": n, "score": (start + k) / 1024} for k, n in enumerate(names)]


def face(frame: int, names: Sequence[str] = EXPRESSIONS) -> dict[str, Any]:
    box = {"x": 1.5, "y": 2.5, "w": 30.0, "h": 40.0}
    place = {"frame": frame, "time": frame / 4, "prob": 0.99, "box": box}
    return {**place, "emotions": scores(names, frame)}


def word(text: str, *, sentiment: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "text": text,
        "position": {"begin": 0, "end": len(text)},
        "emotions": scores((*EXPRESSIONS, *LANGUAGE_EXPRESSIONS), 7),
    }
    if sentiment:
        found |= {"sentiment": scores(SENTIMENT, 1), "toxicity": scores(TOXICITY, 2)}
    return found


def url_source(url: str, **models: list[dict[str, Any]]) -> dict[str, Any]:
    """Make a source with predictions of some models, in one group each."""
    name = url.rsplit("/", 1)[-1]
    found = {
        model: {"metadata": None, "grouped_predictions": [{"id": "a", "predictions": predictions}]}
        for model, predictions in models.items()
    }
    return {
        "source": {"type": "url", "url": url},
        "results": {"predictions": [{"file": name, "models": found}], "errors": []},
    }


def text_source(**models: list[dict[str, Any]]) -> dict[str, Any]:
    return {**url_source("text", **models), "source": {"type": "text"}}


def body(*sources: dict[str, Any]) -> bytes:
    return json.dumps(sources).encode()


def rows(source: str, found: SourcePredictions) -> list[Row]:
    """Flatten what was found for a source."""
    return [row for batch in row_batches(source, found) for row in batch.rows()]


def dicts(source: str, found: SourcePredictions) -> list[dict[str, Any]]:
    """Flatten what was found for a source into dicts."""
    return [row.as_dict() for row in rows(source, found)]


def batches_of(rows: Iterable[Row]) -> list[RowBatch]:
    """Make a batch of each row."""
    return [
        RowBatch(row.place[:4], [*row.place[4:]], row.names, array("d", row.scores), 1)
        for row in rows
    ]


def is_missing(value: Any) -> bool:
    """Whether a cell is empty, in whatever way a format says so."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


_SPACES = st.sampled_from(["", " ", "\n\t ", "\r\n", "\x0b"])


def parts_of_texts(sources: list[Any]) -> tuple[st.SearchStrategy[Any], ...]:
    """Return strategies for what `text_of` takes: lists of sources, and what only look so."""
    commas, ends = st.sampled_from([",", "", ",,", ";"]), st.sampled_from(["", "]", "x", ","])
    return st.lists(st.sampled_from(sources), max_size=5), _SPACES, _SPACES, commas, ends


def text_of(sources: list[Any], before: str, after: str, comma: str, end: str) -> bytes:
    """Write sources as a list, with so much space, between such commas, before such an end."""
    parts = f"{after}{comma}{before}".join(map(json.dumps, sources))
    return f"{before}[{after}{parts}{before}]{after}{end}".encode()
