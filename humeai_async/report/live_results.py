"""Results of the products that live by column: measurements of voices and images, and decisions.

They are read from their JSON, as files of results have it. It knows no files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from humeai_async.types.predictions.blocks import Block, block_of_labels

__all__ = ["ATTRIBUTES", "CELLS", "DECISIONS", "NOT_DRAWN", "live_blocks"]

VOICE, ATTRIBUTES = "voice", "voice attributes"
IMAGE, DESCRIPTIONS = "image", "image descriptions"
DECISIONS = "decisions"
NOT_DRAWN = frozenset({ATTRIBUTES, DESCRIPTIONS})
"""Models that timelines leave out: what they list stands beside the expressions."""
CELLS: Mapping[str, str] = {
    VOICE: "the share of the measurements that list an expression, 0 to 1",
    ATTRIBUTES: "the share of the measurements that list an attribute, 0 to 1",
    IMAGE: "the share of the faces for which an expression is listed, 0 to 1",
    DESCRIPTIONS: "the share of the faces for which a description is listed, 0 to 1",
    DECISIONS: "the share of raters who would say so, 0 to 1; of a span, its highest probability",
}
"""What the map of sources shows of each model: what is not listed is no zero, so a mean of scores
would say nothing."""


class _Label(msgspec.Struct):
    name: str
    probability: float


class _Face(msgspec.Struct):
    face_id: int | None = None
    expressions: list[_Label] | None = None
    descriptions: list[_Label] | None = None


class _Measurement(msgspec.Struct):
    audio_start_ms: float | None = None
    audio_end_ms: float | None = None
    expressions: list[_Label] = []
    voice_attributes: list[_Label] = []
    faces: list[_Face] = []


class _Span(msgspec.Struct):
    probability: float | None = None


class _QuestionResult(msgspec.Struct):
    """The result of a question, of whichever kind."""

    noul: float | None = None
    probabilities: dict[str, float] = {}
    legend: dict[str, str] = {}
    spans: list[_Span] | None = None


class _Result(msgspec.Struct):
    measurements: list[_Measurement] = []
    results: dict[str, _QuestionResult] = {}


_decoder = msgspec.json.Decoder(_Result)


def live_blocks(source: str, result: bytes) -> list[Block]:
    """Read a result.

    Args:
        source: The source that it is of.
        result: JSON of an `AudioResult`, an `ImagesResult` or a `Decision`.

    Returns:
        A block for each kind of label, and of images for each face; scores that are not listed are
        no numbers.

    Raises:
        msgspec.DecodeError: It is none of these.
    """
    found = _decoder.decode(result)
    blocks = [*_voices(source, found), *_images(source, found), _decisions(source, found)]
    return [block for block in blocks if block is not None]


def _voices(source: str, found: _Result) -> Iterator[Block | None]:
    voices = [one for one in found.measurements if one.audio_start_ms is not None]
    spans = [(one.audio_start_ms, one.audio_end_ms) for one in voices]
    attributes = [one.voice_attributes for one in voices]
    yield block_of_labels((source, VOICE, "unknown"), spans, [one.expressions for one in voices])
    yield block_of_labels((source, ATTRIBUTES, "unknown"), spans, attributes)


def _images(source: str, found: _Result) -> Iterator[Block | None]:
    for image in found.measurements:
        for face in image.faces:
            label = "unknown" if face.face_id is None else f"face {face.face_id}"
            nowhere = [(None, None)]
            yield block_of_labels((source, IMAGE, label), nowhere, [face.expressions or []])
            yield block_of_labels((source, DESCRIPTIONS, label), nowhere, [face.descriptions or []])


def _decisions(source: str, found: _Result) -> Block | None:
    shares: list[_Label] = []
    for name, result in found.results.items():
        shares += [_Label(*share) for share in _shares(name, result)]
    return block_of_labels((source, DECISIONS, "unknown"), [(None, None)], [shares])


def _shares(question: str, result: _QuestionResult) -> Iterator[tuple[str, float]]:
    if result.noul is not None:
        yield question, result.noul
    for option, share in result.probabilities.items():
        yield f"{question}: {result.legend.get(option, option)}", share
    if result.spans is not None:
        known = [1.0 if one.probability is None else one.probability for one in result.spans]
        yield question, max(known, default=0.0)
