"""What was measured: one class a kind of prediction, and the tree that they hang in.

The scanner makes the tree and leaves each prediction as a slice of the body (see `slices.py`);
of one that is touched, it leaves each list of scores as a slice (see `scores.py`). They hold no
more than the service sent; `predictions.py` puts the whole answer around them, `rows.py`
flattens them.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec
from attrs import field

from humeai_async._base.frozen import frozen
from humeai_async.types.predictions.scores import MaybeRawScores, RawScores, Scored
from humeai_async.types.predictions.slices import RawSlices, Sliced
from humeai_async.types.urls import repr_without_query

Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that tables can hold; the scanner refuses larger ones."""


@frozen(kw_only=True)
class BoundingBox:
    """Box around a face, in pixels of the frame."""

    x: float
    """Left edge."""
    y: float
    """Top edge."""
    w: float
    """Width."""
    h: float
    """Height."""


@frozen(kw_only=True)
class TimeInterval:
    """Span of the media, in seconds."""

    begin: float
    end: float


@frozen(kw_only=True)
class PositionInterval:
    """Span of characters, zero-based; `end` is not part of it."""

    begin: Int64
    end: Int64


@frozen(kw_only=True)
class FacePrediction(Scored):
    """One face in one frame."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "facs", "descriptions")

    frame: Int64
    """Frame number."""
    time: float
    """Seconds from the start."""
    prob: float
    """Probability that it is a face, 0 to 1."""
    box: BoundingBox
    """Where it is."""
    emotions: RawScores
    """48 expressions."""
    facs: MaybeRawScores = None
    """Action units of FACS 2.0, if asked for."""
    descriptions: MaybeRawScores = None
    """Descriptive features such as "Smile", if asked for."""


@frozen(kw_only=True)
class BurstPrediction(Scored):
    """One vocal burst: a sound that is not speech."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "descriptions")

    time: TimeInterval
    """When."""
    emotions: RawScores
    """48 expressions."""
    descriptions: RawScores
    """Kinds of vocal burst, such as "Gasp"."""


@frozen(kw_only=True)
class ProsodyPrediction(Scored):
    """One unit or window of speech."""

    time: TimeInterval
    """When."""
    emotions: RawScores
    """48 expressions."""
    text: str | None = None
    """The words; `None` where transcription was off."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""


@frozen(kw_only=True)
class LanguagePrediction(Scored):
    """One unit of text."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "sentiment", "toxicity")

    text: str
    """The words."""
    position: PositionInterval
    """Where in the whole text."""
    emotions: RawScores
    """53 expressions."""
    time: TimeInterval | None = None
    """When, for audio and video."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""
    sentiment: MaybeRawScores = None
    """Nine levels named "1" (most negative) to "9", if asked for."""
    toxicity: MaybeRawScores = None
    """Six kinds of toxicity, if asked for."""


@frozen(kw_only=True)
class NerPrediction(Scored):
    """One named entity."""

    entity: str
    """The topic or entity."""
    position: PositionInterval
    """Where in the whole text."""
    entity_confidence: float
    """Confidence in the entity."""
    support: float
    """How often other entities link to it."""
    uri: str = field(repr=repr_without_query)
    """Page that describes it."""
    link_word: str
    """Word that the emotions belong to."""
    emotions: RawScores
    """Expressions around the entity."""
    time: TimeInterval | None = None
    """When, for audio and video."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""


@frozen(kw_only=True)
class FacemeshPrediction(Scored):
    """One set of face landmarks."""

    emotions: RawScores
    """48 expressions."""


@frozen(kw_only=True)
class TranscriptionMetadata:
    """How well the media was transcribed."""

    confidence: float
    """0 to 1."""
    detected_language: str | None = None
    """BCP-47 tag."""


@frozen(kw_only=True)
class FaceGroup(Sliced):
    """All predictions of one face, in the order of time."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(FacePrediction)

    id: str
    """Label such as `face_0`, or `unknown` where faces were not identified."""
    predictions: RawSlices[FacePrediction]


@frozen(kw_only=True)
class BurstGroup(Sliced):
    """All vocal bursts of one id."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(BurstPrediction)

    id: str
    predictions: RawSlices[BurstPrediction]


@frozen(kw_only=True)
class ProsodyGroup(Sliced):
    """All speech of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(ProsodyPrediction)

    id: str
    predictions: RawSlices[ProsodyPrediction]


@frozen(kw_only=True)
class LanguageGroup(Sliced):
    """All text of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(LanguagePrediction)

    id: str
    predictions: RawSlices[LanguagePrediction]


@frozen(kw_only=True)
class NerGroup(Sliced):
    """All entities of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(NerPrediction)

    id: str
    predictions: RawSlices[NerPrediction]


@frozen(kw_only=True)
class FacemeshGroup(Sliced):
    """All face meshes of one id."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(FacemeshPrediction)

    id: str
    predictions: RawSlices[FacemeshPrediction]


@frozen(kw_only=True)
class FacePredictions:
    """What the face model found."""

    grouped_predictions: list[FaceGroup]
    metadata: dict[str, Any] | None = None


@frozen(kw_only=True)
class BurstPredictions:
    """What the vocal burst model found."""

    grouped_predictions: list[BurstGroup]
    metadata: dict[str, Any] | None = None


@frozen(kw_only=True)
class ProsodyPredictions:
    """What the speech prosody model found."""

    grouped_predictions: list[ProsodyGroup]
    metadata: TranscriptionMetadata | None = None


@frozen(kw_only=True)
class LanguagePredictions:
    """What the language model found."""

    grouped_predictions: list[LanguageGroup]
    metadata: TranscriptionMetadata | None = None


@frozen(kw_only=True)
class NerPredictions:
    """What the named-entity model found."""

    grouped_predictions: list[NerGroup]
    metadata: TranscriptionMetadata | None = None


@frozen(kw_only=True)
class FacemeshPredictions:
    """What the face mesh model found."""

    grouped_predictions: list[FacemeshGroup]
    metadata: dict[str, Any] | None = None


@frozen(kw_only=True)
class ModelsPredictions:
    """Predictions by model; `None` for models that did not run on the file."""

    face: FacePredictions | None = None
    burst: BurstPredictions | None = None
    prosody: ProsodyPredictions | None = None
    language: LanguagePredictions | None = None
    ner: NerPredictions | None = None
    facemesh: FacemeshPredictions | None = None


@frozen(kw_only=True)
class CustomModelPrediction:
    """Output of one custom model."""

    output: dict[str, float]
    """Score by label."""
    error: str = ""
    """What went wrong; empty if nothing did."""
    task_type: str = ""
    """`classification` or `regression`."""


@frozen(kw_only=True)
class FilePredictions:
    """Predictions of one file; a source that is an archive has many."""

    file: str
    """Path relative to the source."""
    file_type: str | None = None
    """`image`, `audio`, `video` or `text`; not sent by every version of the service."""
    models: ModelsPredictions = ModelsPredictions()
    """By model."""
    custom_models: dict[str, CustomModelPrediction] | None = None
    """By custom model, for jobs that ran one."""


@frozen(kw_only=True)
class FileError:
    """One file of a source that could not be processed."""

    message: str = field(repr=repr_without_query)
    """What went wrong."""
    file: str
    """Path relative to the source."""


@frozen(kw_only=True)
class SourceResults:
    """What came of one source."""

    predictions: list[FilePredictions]
    """One for each file that was processed."""
    errors: list[FileError]
    """One for each file that was not."""


@frozen(kw_only=True)
class Source:
    """Where the media came from."""

    type: str
    """`url`, `file` or `text`."""
    url: str | None = field(default=None, repr=repr_without_query)
    """Of a `url` source."""
    filename: str | None = None
    """Of a `file` source: the name it was uploaded under."""
    content_type: str | None = None
    """Of a `file` source: its MIME type."""
    md5sum: str | None = None
    """Of a `file` source: MD5 of the content, in hex."""


@frozen(kw_only=True)
class SourcePredictions:
    """Everything found for one source of a job; either `results` or `error` is set."""

    source: Source
    results: SourceResults | None = None
    error: str | None = field(default=None, repr=repr_without_query)
    """Why the whole source failed."""

    @property
    def files(self) -> list[FilePredictions]:
        """Predictions of each file; empty where the source failed."""
        return self.results.predictions if self.results else []
