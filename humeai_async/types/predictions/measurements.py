"""What was measured: one class for each kind of prediction, and the tree that holds them.

The scanner makes the tree and leaves each prediction as a slice of the body (see `slices.py`);
of one that is touched, it leaves each list of scores as a slice (see `scores.py`). They hold no
more than the service sent, and need not hold all of it: a measured number that is missing is
`math.nan`, anything else `None` or empty. `predictions.py` puts the whole response around
them, `rows.py` flattens them.
"""

from __future__ import annotations

from math import nan
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar

import msgspec
from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.urls import repr_without_query
from humeai_async.types.paging import Undecodable
from humeai_async.types.predictions.scores import NO_SCORES, MaybeRawScores, RawScores, Scored
from humeai_async.types.predictions.slices import Group

Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that tables can hold; the scanner refuses larger ones."""


@frozen(kw_only=True)
class BoundingBox:
    """Box around a face, in pixels of the frame."""

    x: float = nan
    """Left edge of the box, in pixels."""
    y: float = nan
    """Top edge of the box, in pixels."""
    w: float = nan
    """Width of the box, in pixels."""
    h: float = nan
    """Height of the box, in pixels."""


@frozen(kw_only=True)
class TimeInterval:
    """Span of the media, in seconds."""

    begin: float = nan
    """Begin of the span, in seconds from the start of the media."""
    end: float = nan
    """End of the span, in seconds from the start of the media."""


@frozen(kw_only=True)
class PositionInterval:
    """Span of characters in a text, counted from 0."""

    begin: Int64 | None = None
    """Index of the first character."""
    end: Int64 | None = None
    """Index behind the last character."""


@frozen(kw_only=True)
class FacePrediction(Scored):
    """One face in one frame."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "facs", "descriptions")
    """Names of the fields that hold scores."""

    frame: Int64 | None = None
    """Number of the frame; the first is 0."""
    time: float = nan
    """Time of the frame, in seconds from the start of the media."""
    prob: float = nan
    """Probability that this is a face, 0 to 1."""
    box: BoundingBox = BoundingBox()
    """Box around the face, in pixels of the frame."""
    emotions: RawScores = NO_SCORES
    """Scores of the 48 expressions."""
    facs: MaybeRawScores = None
    """Scores of the action units of FACS 2.0, if the job asked for them."""
    descriptions: MaybeRawScores = None
    """Scores of descriptive features such as "Smile", if the job asked for them."""


@frozen(kw_only=True)
class BurstPrediction(Scored):
    """One vocal burst: a sound that is not speech."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "descriptions")
    """Names of the fields that hold scores."""

    time: TimeInterval = TimeInterval()
    """Span of the media that the burst covers."""
    emotions: RawScores = NO_SCORES
    """Scores of the 48 expressions."""
    descriptions: RawScores = NO_SCORES
    """Scores of kinds of vocal bursts, such as "Gasp"."""


@frozen(kw_only=True)
class ProsodyPrediction(Scored):
    """One unit or window of speech."""

    time: TimeInterval = TimeInterval()
    """Span of the media that the speech covers."""
    emotions: RawScores = NO_SCORES
    """Scores of the 48 expressions."""
    text: str | None = None
    """Words that were spoken; `None` if transcription was off."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""


@frozen(kw_only=True)
class LanguagePrediction(Scored):
    """One unit of text, such as a word or a sentence."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "sentiment", "toxicity")
    """Names of the fields that hold scores."""

    text: str | None = None
    """Words that were measured."""
    position: PositionInterval = PositionInterval()
    """Place of the words in the whole text."""
    emotions: RawScores = NO_SCORES
    """Scores of 53 expressions."""
    time: TimeInterval | None = None
    """Span of the media in which the words are spoken, for audio and video."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""
    sentiment: MaybeRawScores = None
    """Scores of nine levels, "1" (most negative) to "9", if the job asked for them."""
    toxicity: MaybeRawScores = None
    """Scores of six kinds of toxicity, if the job asked for them."""


@frozen(kw_only=True)
class NerPrediction(Scored):
    """One named entity in a text."""

    entity: str | None = None
    """Name of the topic or entity."""
    position: PositionInterval = PositionInterval()
    """Place of the entity in the whole text."""
    entity_confidence: float = nan
    """Confidence that the entity was recognised correctly, 0 to 1."""
    support: float = nan
    """How often other entities link to this one."""
    uri: str | None = field(default=None, repr=repr_without_query)
    """Page that describes the entity."""
    link_word: str | None = None
    """Word that the emotions belong to."""
    emotions: RawScores = NO_SCORES
    """Scores of the expressions around the entity."""
    time: TimeInterval | None = None
    """Span of the media in which the entity is named, for audio and video."""
    confidence: float | None = None
    """Confidence of the transcript, 0 to 1."""
    speaker_confidence: float | None = None
    """Confidence of the speaker's label, 0 to 1."""


@frozen(kw_only=True)
class FacemeshPrediction(Scored):
    """One set of landmarks of a face."""

    emotions: RawScores = NO_SCORES
    """Scores of the 48 expressions."""


@frozen(kw_only=True)
class TranscriptionMetadata:
    """How well the media was transcribed."""

    confidence: float = nan
    """Confidence of the transcription, 0 to 1."""
    detected_language: str | None = None
    """Language that was spoken, as a BCP-47 tag such as `en`."""


@frozen(kw_only=True)
class FaceGroup(Group[FacePrediction]):
    """All predictions of one face, in the order of time."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(FacePrediction)


@frozen(kw_only=True)
class BurstGroup(Group[BurstPrediction]):
    """All vocal bursts of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(BurstPrediction)


@frozen(kw_only=True)
class ProsodyGroup(Group[ProsodyPrediction]):
    """All speech of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(ProsodyPrediction)


@frozen(kw_only=True)
class LanguageGroup(Group[LanguagePrediction]):
    """All text of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(LanguagePrediction)


@frozen(kw_only=True)
class NerGroup(Group[NerPrediction]):
    """All entities of one speaker."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(NerPrediction)


@frozen(kw_only=True)
class FacemeshGroup(Group[FacemeshPrediction]):
    """All landmarks of one face."""

    decoder: ClassVar[Any] = msgspec.json.Decoder(FacemeshPrediction)


_G = TypeVar("_G")


@frozen(kw_only=True)
class _Grouped(Generic[_G]):
    """What one model found in a file."""

    grouped_predictions: list[_G] = Factory(list[Any])
    """Predictions of each face or speaker."""


@frozen(kw_only=True)
class FacePredictions(_Grouped[FaceGroup]):
    """Results of the face model."""

    metadata: dict[str, Any] | None = None
    """Further details about the results."""


@frozen(kw_only=True)
class BurstPredictions(_Grouped[BurstGroup]):
    """Results of the vocal burst model."""

    metadata: dict[str, Any] | None = None
    """Further details about the results."""


@frozen(kw_only=True)
class ProsodyPredictions(_Grouped[ProsodyGroup]):
    """Results of the speech prosody model."""

    metadata: TranscriptionMetadata | None = None
    """How well the media was transcribed."""


@frozen(kw_only=True)
class LanguagePredictions(_Grouped[LanguageGroup]):
    """Results of the language model."""

    metadata: TranscriptionMetadata | None = None
    """How well the media was transcribed."""


@frozen(kw_only=True)
class NerPredictions(_Grouped[NerGroup]):
    """Results of the named-entity model."""

    metadata: TranscriptionMetadata | None = None
    """How well the media was transcribed."""


@frozen(kw_only=True)
class FacemeshPredictions(_Grouped[FacemeshGroup]):
    """Results of the face mesh model."""

    metadata: dict[str, Any] | None = None
    """Further details about the results."""


@frozen(kw_only=True)
class ModelsPredictions:
    """Results of each model; `None` for models that did not run on the file."""

    face: FacePredictions | None = None
    """Results of the face model."""
    burst: BurstPredictions | None = None
    """Results of the vocal burst model."""
    prosody: ProsodyPredictions | None = None
    """Results of the speech prosody model."""
    language: LanguagePredictions | None = None
    """Results of the language model."""
    ner: NerPredictions | None = None
    """Results of the named-entity model."""
    facemesh: FacemeshPredictions | None = None
    """Results of the face mesh model."""


@frozen(kw_only=True)
class CustomModelPrediction:
    """Output of one custom model."""

    output: dict[str, float | None] = Factory(dict[str, "float | None"])
    """Score of each label, by the label's name."""
    error: str = ""
    """Description of the failure; empty if there was none."""
    task_type: str = ""
    """Kind of the model's task: `classification` or `regression`."""


@frozen(kw_only=True)
class FilePredictions:
    """Predictions of one file; a source that is an archive has many."""

    file: str = ""
    """Path of the file, relative to the source."""
    file_type: str | None = None
    """`image`, `audio`, `video` or `text`; not every version of the service sends it."""
    models: ModelsPredictions = ModelsPredictions()
    """Results of each model."""
    custom_models: dict[str, CustomModelPrediction] | None = None
    """Output of each custom model, for jobs that ran one."""


@frozen(kw_only=True)
class FileError:
    """One file of a source that could not be processed."""

    message: str = field(default="", repr=repr_without_query)
    """Description of the failure."""
    file: str = ""
    """Path of the file, relative to the source."""


@frozen(kw_only=True)
class SourceResults:
    """Results of one source, file by file."""

    predictions: list[FilePredictions] = Factory(list[FilePredictions])
    """Results of each file that was processed."""
    errors: list[FileError] = Factory(list[FileError])
    """Failure of each file that was not processed."""


@frozen(kw_only=True)
class Source:
    """The source that predictions belong to."""

    type: str = ""
    """Kind of the source: `url`, `file` or `text`."""
    url: str | None = field(default=None, repr=repr_without_query)
    """URL of a `url` source."""
    filename: str | None = None
    """Name that a `file` source was uploaded under."""
    content_type: str | None = None
    """MIME type of a `file` source."""
    md5sum: str | None = None
    """MD5 checksum of a `file` source's content, in hex."""


_NO_SOURCE = Source()


@frozen(kw_only=True)
class SourcePredictions:
    """Everything found for one source of a job; either `results` or `error` is set.

    `Predictions([source])` has tables, a summary and a picture of it.
    """

    source: Source = Source()
    """The source that the results belong to."""
    results: SourceResults | None = None
    """Results of the source, file by file; `None` if it failed."""
    error: str | None = field(default=None, repr=repr_without_query)
    """Reason why the whole source failed."""
    undecodable: Undecodable | None = None
    """The source as it came, if the service sent something that cannot be read as results."""

    def __attrs_post_init__(self) -> None:
        # Everything has a default, and yet not every object is a source of predictions.
        if self.results is None and self.error is None and self.source == _NO_SOURCE:
            raise ValueError("an object without source, results and error")

    @property
    def files(self) -> list[FilePredictions]:
        """Results of each file; empty if the source failed."""
        return self.results.predictions if self.results else []
