"""The JSON text of a job's predictions, read into sources: all together, or one by one.

What of a source cannot be read is told at its place, and the others stand. `predictions.py` puts
the sources together, `stored.py` reads them from a file.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from humeai_async.errors import DecodeError
from humeai_async.types.json import (
    UNREADABLE,
    is_json,
    repaired,
    scan,
    scan_leniently,
    with_path_prefix,
)
from humeai_async.types.paging import Undecodable
from humeai_async.types.predictions.measurements import Source, SourcePredictions
from humeai_async.types.predictions.rows import MODELS
from humeai_async.types.predictions.scores import Scored, Scores


class _Head(msgspec.Struct):
    """What names a source, when its results cannot be read."""

    source: Source = Source()


_decoder = msgspec.json.Decoder(list[SourcePredictions])
parts_decoder: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
source_decoder: msgspec.json.Decoder[SourcePredictions] = msgspec.json.Decoder(SourcePredictions)
_head_decoder = msgspec.json.Decoder(_Head)
_any_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=float)

NOT_PREDICTIONS = "the predictions do not have the documented form"

_SPACE = b" \t\r\n"


def spaced(pattern: bytes) -> re.Pattern[bytes]:
    """Compile a pattern in which a space stands for whatever space JSON may have there."""
    return re.compile(pattern.replace(b" ", rb"[ \t\r\n]*"))


BEGINNINGS = (
    spaced(rb' \[ (\{ "source" : \{ "type" : "\w*"(?: , "(?:url|filename)" : ")?)'),
    spaced(rb' \[ (\{ "source")'),
)
"""How a list of sources begins, and the first of them in its group: all that sources of one kind
have in common, for a long text is found several times as fast, and what all sources have."""

Where: TypeAlias = tuple[int, int, str, int]
"""Source, file, model and group: a path is made of it only for an error."""


def cut(body: bytes, beginning: re.Pattern[bytes]) -> Iterator[memoryview]:
    """Give the parts of a list between which a source seems to begin; none for another text.

    Args:
        body: The text of the list.
        beginning: One of `BEGINNINGS`.
    """
    begun = beginning.match(body)
    stop = len(body.rstrip(_SPACE)) - 1
    if begun is None or body[stop : stop + 1] != b"]":
        return
    first, start, view = begun[1], begun.start(1), memoryview(body)
    while (following := body.find(first, start + 1, stop)) >= 0:
        yield view[start : max(end_before(body, following, b","), start)]
        start = following
    yield view[start:stop]


def end_before(body: bytes | bytearray, place: int, sign: bytes) -> int:
    """Return where a sign stands before a place, with nothing but space between; else 0.

    Before a source it is a comma, or that is no place between two sources.
    """
    end = place - 1
    while end > 0 and body[end] in _SPACE:
        end -= 1
    return end if body[end : end + 1] == sign else 0


def read_sources(text: bytes) -> tuple[list[SourcePredictions], bytes]:
    """Read the sources, each for itself where they cannot be read together.

    Returns:
        The sources, and the text that they are slices of.

    Raises:
        DecodeError: The text is no list, or none of its sources can be read.
    """
    try:
        return _decoder.decode(text), text
    except UNREADABLE:
        pass
    text = repaired(text) or text
    parts = scan(parts_decoder, text, NOT_PREDICTIONS)
    found = [_read_source_leniently(part, place) for place, part in enumerate(parts)]
    sources = [source for source, _ in found]
    problems = {place: odd for place, (_, odd) in enumerate(found) if odd is not None}
    refuse_all(problems, sources)
    return sources, text


def read_source(text: bytes, place: int) -> tuple[SourcePredictions, DecodeError | None]:
    """Read the text of one source; one that cannot be read keeps its place.

    Args:
        text: JSON, or almost.
        place: Place among the sources of the job, for paths.

    Returns:
        The source, and what is wrong with it.
    """
    try:
        with without_collection():
            return source_decoder.decode(text), None
    except UNREADABLE:
        return _read_source_leniently(repaired(text) or text, place)


def _read_source_leniently(
    text: bytes | msgspec.Raw, place: int
) -> tuple[SourcePredictions, DecodeError | None]:
    try:
        return scan_leniently(source_decoder, text, NOT_PREDICTIONS), None
    except DecodeError as problem:
        odd = with_path_prefix(problem, f"$[{place}]")
    return undecodable_at(text, odd, place), odd


def read_head(text: bytes) -> Source | None:
    """Return which source a text is of, as far as it says so; `None` where it is no JSON."""
    try:
        return _head_decoder.decode(text).source
    except UNREADABLE:
        text = repaired(text) or text
    return _head_of(text) if is_json(text) else None


def _head_of(text: bytes | msgspec.Raw) -> Source:
    try:
        return scan_leniently(_head_decoder, text, NOT_PREDICTIONS).source
    except DecodeError:
        return Source()


def refuse_all(problems: dict[int, DecodeError], sources: Sequence[SourcePredictions]) -> None:
    """Raise what is wrong with the first source if no other one can be read either."""
    if problems and len(problems) == len(sources):
        raise next(iter(problems.values()))


def undecodable_at(
    text: bytes | msgspec.Raw, problem: DecodeError, place: int
) -> SourcePredictions:
    """Say at the place of a source that it cannot be read, and what is still known of it."""
    reason = problem.message.removesuffix(f" at {problem.path}").rpartition(": ")[2]
    path = "$" + problem.path.removeprefix(f"$[{place}]").removeprefix("$")
    try:
        value = scan(_any_decoder, text, NOT_PREDICTIONS)
    except DecodeError:  # nested too deep to be made into objects
        value = bytes(text).decode("utf-8", errors="replace")
    return SourcePredictions(
        source=_head_of(text),
        error=f"the results that the service sent cannot be read: {reason} at {path}",
        undecodable=Undecodable(json=value, reason=reason, path=path, index=place),
    )


def problem_in(
    source: SourcePredictions,
    place: int,
    *,
    files: int | None = None,
    most: int | None = None,
    scores: bool = False,
) -> DecodeError | None:
    """Read the predictions of a source, or some of them, and tell what is wrong.

    Args:
        source: The source.
        place: Its place among the sources of the job, for the path.
        files: Files to look at; all if left out.
        most: Predictions of each list to look at; all if left out.
        scores: Whether to read their scores, too.
    """
    for where, many in lists_of(source, place, MODELS, files):
        try:
            for index, prediction in enumerate(itertools.islice(many, most)):
                if scores:
                    _check_scores(prediction, f"$[{index}]")
        except DecodeError as problem:
            return with_path_prefix(problem, path_of(where))
    return None


def lists_of(
    source: SourcePredictions, place: int, models: tuple[str, ...], files: int | None = None
) -> Iterator[tuple[Where, Sequence[Scored]]]:
    """Give each list of predictions of a source, and where it stands."""
    for f, file in enumerate(source.files[:files]):
        for model in models:
            found = getattr(file.models, model)
            groups: list[Any] = found.grouped_predictions if found else []
            for g, group in enumerate(groups):
                yield (place, f, model, g), group.predictions


def _check_scores(prediction: Scored, path: str) -> None:
    """Read the scores of a prediction.

    Raises:
        DecodeError: Some are not what was promised; `path` names them.
    """
    for name in prediction.score_fields:
        scores: Scores | None = getattr(prediction, name)
        if scores is not None:
            try:
                scores.validate()
            except DecodeError as problem:
                raise with_path_prefix(problem, f"{path}.{name}") from None


def path_of(where: Where) -> str:
    """Return the path of a list of predictions in the JSON of its job."""
    s, f, model, g = where
    return f"$[{s}].results.predictions[{f}].models.{model}.grouped_predictions[{g}].predictions"


@contextlib.contextmanager
def without_collection() -> Generator[None]:
    """Look for no garbage: everything that is made stays, and it would only hold the loop."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
