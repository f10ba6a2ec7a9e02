"""What the Expression Measurement API measures of voices and faces.

All vocabularies are open: a name that is new is a new label. Lists hold only what passed the
service's thresholds, so a name that is missing is not a score of zero; each label is judged by
itself, and sums mean nothing. Runs are in `expression_runs.py`, the messages of the sockets in
`expression_messages.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.errors import InvalidArgumentError
from humeai_async.types.paging import Items
from humeai_async.types.tabular import Tabular
from humeai_async.types.unknown_fields import Open


class MeasurementTrigger(enum.StrEnum):
    """Why a measurement was taken."""

    INTERVAL = "interval"
    """The timer fired during speech."""
    SPEECH_ENDED = "speech_ended"
    """The utterance ended."""


@frozen(kw_only=True)
class NamedScore(Open):
    """A label with its score."""

    name: str
    """Label, in lower case; it may hold spaces and punctuation."""
    probability: float
    """0 to 1. For expressions of a voice the measured chance that it is present, for voice
    attributes the intensity a rater would give, for expressions of a face the chance that a
    rater would name it, for descriptions the chance that the facial action is present."""


def find_probability(name: str, *lists: Iterable[NamedScore] | None) -> float | None:
    """Return the score of a label in the first list that has it.

    Args:
        name: The label.
        *lists: Scores, or `None` for none.

    Returns:
        The score, 0 to 1; `None` where it is not listed, which is not a score of zero.
    """
    for scores in lists:
        for score in scores or ():
            if score.name == name:
                return score.probability
    return None


def _strongest(scores: Sequence[NamedScore] | None) -> list[tuple[str, float]]:
    """Return the first scores of a list that is in order, for tables of notebooks."""
    return [(one.name, one.probability) for one in (scores or ())[:_SHOWN]]


_SHOWN = 3
"""Labels of a measurement that notebooks show."""
_LONG: Mapping[str, str] = {"kind": "string", "name": "string", "probability": "double"}
"""Columns of the long form besides those of the place."""
_BOX = ("box_x", "box_y", "box_w", "box_h")
"""Columns of a face's box: left, top, width and height in pixels."""


def _rows_of(
    place: dict[str, Any], scores: Iterable[tuple[str, NamedScore]], *, long: bool
) -> Iterator[dict[str, Any]]:
    """Give the row of what has scores, or a row a score."""
    if long:
        for kind, s in scores:
            yield {**place, "kind": kind, "name": s.name, "probability": s.probability}
    else:
        yield place | {f"{kind}_{s.name}": s.probability for kind, s in scores}


@frozen(kw_only=True)
class Utterance(Open):
    """One continuous stretch of speech."""

    utterance_id: int
    """Index in the recording or session; the first is 0."""
    audio_start_ms: int
    """Start in milliseconds from the start of the audio."""
    audio_end_ms: int
    """End in milliseconds from the start of the audio."""
    is_joined: bool = False
    """Whether it was longer than a part and measured in pieces, which only
    `hume.expression.measure` does; the service does not send this."""


@frozen(kw_only=True)
class AudioMeasurement(Open):
    """The scores of one window of speech; `measurement["joy"]` is one of them.

    A window covers the newest ten seconds of its utterance, or all of it; windows overlap.
    """

    measurement_id: int
    """Index in the recording or session; the first is 0."""
    utterance_id: int
    """Utterance that the window belongs to."""
    audio_start_ms: int
    """Start of the window in milliseconds from the start of the audio."""
    audio_end_ms: int
    """End of the window; one taken by the timer may end a little after its utterance."""
    trigger: MeasurementTrigger | str | None = None
    """Why it was taken."""
    # An empty list that came is written back, one that did not come is not: () is not [].
    expressions: Sequence[NamedScore] = field(factory=list[NamedScore])
    """Expressions that were found present, each by a threshold of its own, best first."""
    voice_attributes: Sequence[NamedScore] = field(factory=list[NamedScore])
    """Qualities of voice and recording from 0.725 on, best first."""

    def __getitem__(self, name: str) -> float | None:
        """Return the score of an expression or voice attribute; `None` where it is not listed."""
        return find_probability(name, self.expressions, self.voice_attributes)


@frozen(kw_only=True)
class AudioReceived(Open):
    """What an audio upload held."""

    audio_duration_ms: int | None = None
    """Length of the audio in milliseconds."""


@frozen(kw_only=True)
class AudioResult(Open, Tabular):
    """Everything that was measured in a recording; `result["joy"]` is one label over time."""

    run_id: str
    """Id of the run, for `hume.expression.runs`."""
    utterances: Items[Utterance]
    """Every utterance, in order."""
    measurements: Items[AudioMeasurement]
    """Every measurement, in order."""
    request_id: str | None = None
    """Id of the request, for Hume's support."""
    received: AudioReceived | None = None
    """What was taken in."""
    run_ids: Sequence[str] = ()
    """Runs of all parts, where `hume.expression.measure` split the recording."""

    def __getitem__(self, name: str) -> list[tuple[int, int, float | None]]:
        """Return a label over time: start and end in milliseconds, and score, of each window.

        The score is `None` where the label is not listed, which is not a score of zero.
        """
        return [(m.audio_start_ms, m.audio_end_ms, m[name]) for m in self.measurements]

    def rows(self, *, long: bool = False) -> Iterator[dict[str, Any]]:
        """Give one flat row a measurement, or one a score.

        Args:
            long: Whether to give the long form, with the columns `kind` (`expression` or `voice`),
                `name` and `probability`. The wide form has a column for each label that is
                listed, such as `expression_joy` and `voice_calm`; a row lacks those that its
                measurement does not list, which is not a score of zero.
        """
        for one in self.measurements:
            place = {
                "measurement_id": one.measurement_id,
                "utterance_id": one.utterance_id,
                "start_ms": one.audio_start_ms,
                "end_ms": one.audio_end_ms,
                "trigger": None if one.trigger is None else str(one.trigger),
            }
            scores = [("expression", s) for s in one.expressions]
            scores += [("voice", s) for s in one.voice_attributes]
            yield from _rows_of(place, scores, long=long)

    def columns(self, *, long: bool = False) -> Mapping[str, str]:
        """Return the columns that every table has, with their Arrow types."""
        place = dict.fromkeys(("measurement_id", "utterance_id", "start_ms", "end_ms"), "int64")
        return {**place, "trigger": "string", **(_LONG if long else {})}

    def plot(self, *, title: str | None = None, top: int = 5) -> Any:
        """Draw how the strongest expressions go up and down; each window stands at its middle.

        A line is broken where its expression is not listed, which is not a score of zero.

        Args:
            title: What to write above it; the run's id if left out.
            top: Expressions to draw, 1 to 10.

        Returns:
            An `altair.VConcatChart`, as of `Predictions.plot`.

        Raises:
            InvalidArgumentError: `top` is out of range, or no measurement lists an expression.
            MissingPackageError: Altair is not installed (extra `report`).
        """
        from humeai_async.types.predictions import charts
        from humeai_async.types.predictions.blocks import block_of_labels
        from humeai_async.types.predictions.timelines import make_timeline

        charts.check_top(top)
        spans = [(one.audio_start_ms, one.audio_end_ms) for one in self.measurements]
        listed = [one.expressions for one in self.measurements]
        block = block_of_labels((self.run_id, "voice", "unknown"), spans, listed)
        if block is None:
            raise InvalidArgumentError(
                "no measurement lists an expression to draw", field="measurements"
            )
        name = f"run {self.run_id}" if title is None else title
        return charts.draw_timeline(name, make_timeline([block], top=top))

    def _repr_html_(self) -> str:
        """Show the first measurements in a notebook."""
        from humeai_async._base import html

        rows = (
            (
                one.audio_start_ms / 1000,
                one.audio_end_ms / 1000,
                html.bars(_strongest(one.expressions)),
                html.bars(_strongest(one.voice_attributes)),
            )
            for one in self.measurements[: html.MOST_ROWS]
        )
        total = len(self.measurements)
        columns = ("begin, s", "end, s", "expressions", "voice attributes")
        return html.table(f"AudioResult: {total:,} measurements", columns, rows, total=total)


@frozen(kw_only=True)
class Face(Open):
    """One face of an image: measured, or only listed; `face["joy"]` is one of its scores."""

    bbox: Sequence[float] = field(factory=list[float])
    """Left, top, right and bottom in stored pixels; rotation by EXIF is not applied."""
    face_id: int | None = None
    """Follows a face through a session, an upload, or a chain of `face_state`; it says nothing
    of identity. `None` for a face that was not measured."""
    confidence: float | None = None
    """How sure it is that the box holds a face, 0 to 1."""
    expressions: Sequence[NamedScore] | None = None
    """Expressions above 0.1, best first; `None` for a face that was not measured."""
    descriptions: Sequence[NamedScore] | None = None
    """Facial actions above 0.1, best first; `None` for a face that was not measured."""

    @property
    def is_measured(self) -> bool:
        """Whether it has scores; only the largest faces of an image do."""
        return self.expressions is not None or self.descriptions is not None

    def __getitem__(self, name: str) -> float | None:
        """Return the score of an expression or description; `None` where it is not listed."""
        return find_probability(name, self.expressions, self.descriptions)


@frozen(kw_only=True)
class ImageMeasurement(Open):
    """The faces of one image."""

    frame_id: int
    """Place of the image among those of the upload or session; the first is 0."""
    faces: Sequence[Face] = field(factory=list[Face])
    """Measured ones first, by size, then the others; 32 at most, and none is a normal result."""


@frozen(kw_only=True)
class ImagesReceived(Open):
    """What an upload of images held."""

    frames: int | None = None
    """Number of images."""


@frozen(kw_only=True)
class ImagesResult(Open, Tabular):
    """Everything that was measured in images."""

    run_id: str
    """Id of the run, for `hume.expression.runs`."""
    measurements: Items[ImageMeasurement]
    """One for each image, in order."""
    request_id: str | None = None
    """Id of the request, for Hume's support."""
    received: ImagesReceived | None = None
    """What was taken in."""
    face_state: str | None = None
    """Given to the next upload within 24 hours, makes its `face_id` go on; only if asked for."""

    def rows(self, *, long: bool = False) -> Iterator[dict[str, Any]]:
        """Give one flat row a face, or one a score; an image without faces has none.

        Args:
            long: Whether to give the long form, with the columns `kind` (`expression` or
                `description`), `name` and `probability`. The wide form has a column for each label
                that is listed, such as `expression_joy` and `description_smile`; a row lacks those
                that its face does not list, which is not a score of zero.
        """
        for image in self.measurements:
            for face in image.faces:
                place = {"frame_id": image.frame_id, **_place_of(face)}
                scores = [("expression", s) for s in face.expressions or ()]
                scores += [("description", s) for s in face.descriptions or ()]
                yield from _rows_of(place, scores, long=long)

    def columns(self, *, long: bool = False) -> Mapping[str, str]:
        """Return the columns that every table has, with their Arrow types."""
        place = {"frame_id": "int64", "face_id": "int64"}
        box = dict.fromkeys((*_BOX, "confidence"), "double")
        return {**place, **box, **(_LONG if long else {})}

    def _repr_html_(self) -> str:
        """Show the first faces in a notebook."""
        from humeai_async._base import html

        faces = [(image.frame_id, face) for image in self.measurements for face in image.faces]
        rows = (
            (
                image,
                face.face_id,
                html.bars(_strongest(face.expressions)),
                html.bars(_strongest(face.descriptions)),
            )
            for image, face in faces[: html.MOST_ROWS]
        )
        title = f"ImagesResult: {len(faces):,} faces in {len(self.measurements):,} images"
        columns = ("image", "face", "expressions", "descriptions")
        return html.table(title, columns, rows, total=len(faces))


def _place_of(face: Face) -> dict[str, Any]:
    """Return where a face is, as tables have it."""
    box: Sequence[float | None] = (None,) * len(_BOX)
    if len(face.bbox) == len(_BOX):
        left, top, right, bottom = face.bbox
        box = (left, top, right - left, bottom - top)
    return {
        "face_id": face.face_id,
        **dict(zip(_BOX, box, strict=True)),
        "confidence": face.confidence,
    }


@frozen(kw_only=True)
class FaceSettings(Open):
    """Which faces are listed."""

    threshold: float | None = None
    """Least confidence, 0 to 1; the service takes 0.9 if left out."""
    min_size: int | None = None
    """Least length of the box's shorter side in pixels, 1 or more; 60 if left out."""
    return_face_state: bool | None = None
    """Whether the response is to hold `face_state`; uploads only."""
