"""The predictions of a batch job: a typed shell around raw scores.

A body of predictions is mostly scores: 48 names and numbers for every face in every frame.
So the scanner makes the objects around them at once and leaves each list of scores as a slice
of the body until somebody reads it. This is the one module of types that knows the scanner
(msgspec); `codec.py` calls `Predictions.from_json`, users read the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, overload

import msgspec
from attrs import frozen

from humeai_async.errors import DecodeError


class Score(NamedTuple):
    """One named number, such as `("Joy", 0.73)`."""

    name: str
    """Label: one of the 48 expressions (53 for language), an action unit, a level."""
    score: float
    """Mostly 0 to 1, but it may lie outside."""


class _WireScore(msgspec.Struct, frozen=True, gc=False):
    name: str
    score: float


_scores_decoder = msgspec.json.Decoder(list[_WireScore])


class Scores(Sequence[Score]):
    """A list of named scores in the service's order, read from the body on first touch.

    Works as a sequence of `(name, score)` pairs and as a lookup by name:
    `face.emotions["Joy"]`.
    """

    __slots__ = ("_pairs", "_raw")

    def __init__(self, pairs: Iterable[tuple[str, float]] | msgspec.Raw) -> None:
        self._raw = pairs if isinstance(pairs, msgspec.Raw) else None
        self._pairs = None if isinstance(pairs, msgspec.Raw) else tuple(Score(*p) for p in pairs)

    def _read(self) -> tuple[Score, ...]:
        if self._pairs is None:
            assert self._raw is not None  # noqa: S101 - one of the two is always there
            try:
                decoded = _scores_decoder.decode(self._raw)
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                raise scan_error(
                    problem, "the scores are not a list of names and numbers"
                ) from None
            self._pairs = tuple([Score(item.name, item.score) for item in decoded])
        return self._pairs

    @overload
    def __getitem__(self, key: int) -> Score: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Score, ...]: ...
    @overload
    def __getitem__(self, key: str) -> float: ...
    def __getitem__(self, key: int | slice | str) -> Score | tuple[Score, ...] | float:
        """Return the pair at a position, or the score of a name.

        Raises:
            KeyError: There is no such name (a `str` key).
            IndexError: There is no such position (an `int` key).
            DecodeError: The body is wrong here.
        """
        pairs = self._read()
        if not isinstance(key, str):
            return pairs[key]
        for name, score in pairs:
            if name == key:
                return score
        raise KeyError(key)

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[Score]:
        return iter(self._read())

    def __contains__(self, item: object) -> bool:
        pairs = self._read()
        return any(p.name == item for p in pairs) if isinstance(item, str) else item in pairs

    def top(self, count: int = 3) -> list[Score]:
        """Return the strongest scores, strongest first."""
        return sorted(self._read(), key=lambda pair: pair.score, reverse=True)[:count]

    def as_dict(self) -> dict[str, float]:
        """Return all scores by name, in the service's order."""
        return dict(self._read())

    def to_wire(self) -> msgspec.Raw | list[dict[str, str | float]]:
        """Return what the JSON writer takes: the text as it came, or the pairs as objects."""
        if self._raw is not None:
            return self._raw
        return [pair._asdict() for pair in self._read()]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Scores):
            return self._read() == other._read()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._read())

    def __repr__(self) -> str:
        strongest = ", ".join(f"{name}={score:.3f}" for name, score in self.top())
        return f"Scores({len(self)}: {strongest}{', ...' if len(self) > 3 else ''})"  # noqa: PLR2004 - as many as top() gives

    def __reduce__(self) -> tuple[Any, ...]:
        return Scores, (self._read(),)


if TYPE_CHECKING:
    RawScores = Scores
    MaybeRawScores = Scores | None
else:
    # What the scanner sees is a slice; what everybody else sees, from __attrs_post_init__ on,
    # is `Scores`, or `None` for a slice that says null.
    RawScores = MaybeRawScores = msgspec.Raw


@frozen(kw_only=True)
class _Scored:
    """Turns the raw slices of its fields into `Scores`."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions",)
    """Names of the fields that hold scores."""

    def __attrs_post_init__(self) -> None:
        for name in self.score_fields:
            raw = getattr(self, name)
            if isinstance(raw, msgspec.Raw):
                absent = name != "emotions" and bytes(raw) == b"null"
                object.__setattr__(self, name, None if absent else Scores(raw))


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

    begin: int
    end: int


@frozen(kw_only=True)
class FacePrediction(_Scored):
    """One face in one frame."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "facs", "descriptions")

    frame: int
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
class BurstPrediction(_Scored):
    """One vocal burst: a sound that is not speech."""

    score_fields: ClassVar[tuple[str, ...]] = ("emotions", "descriptions")

    time: TimeInterval
    """When."""
    emotions: RawScores
    """48 expressions."""
    descriptions: RawScores
    """Kinds of vocal burst, such as "Gasp"."""


@frozen(kw_only=True)
class ProsodyPrediction(_Scored):
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
class LanguagePrediction(_Scored):
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
class NerPrediction(_Scored):
    """One named entity."""

    entity: str
    """The topic or entity."""
    position: PositionInterval
    """Where in the whole text."""
    entity_confidence: float
    """Confidence in the entity."""
    support: float
    """How often other entities link to it."""
    uri: str
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
class FacemeshPrediction(_Scored):
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
class FaceGroup:
    """All predictions of one face, in the order of time."""

    id: str
    """Label such as `face_0`, or `unknown` where faces were not identified."""
    predictions: list[FacePrediction]


@frozen(kw_only=True)
class BurstGroup:
    """All vocal bursts of one id."""

    id: str
    predictions: list[BurstPrediction]


@frozen(kw_only=True)
class ProsodyGroup:
    """All speech of one speaker."""

    id: str
    predictions: list[ProsodyPrediction]


@frozen(kw_only=True)
class LanguageGroup:
    """All text of one speaker."""

    id: str
    predictions: list[LanguagePrediction]


@frozen(kw_only=True)
class NerGroup:
    """All entities of one speaker."""

    id: str
    predictions: list[NerPrediction]


@frozen(kw_only=True)
class FacemeshGroup:
    """All face meshes of one id."""

    id: str
    predictions: list[FacemeshPrediction]


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

    message: str
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
    url: str | None = None
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
    error: str | None = None
    """Why the whole source failed."""

    @property
    def files(self) -> list[FilePredictions]:
        """Predictions of each file; empty where the source failed."""
        return self.results.predictions if self.results else []


_decoder = msgspec.json.Decoder(list[SourcePredictions])


class Predictions(Sequence[SourcePredictions]):
    """The answer of "Get job predictions": one `SourcePredictions` a source, in order.

    Holds the body it was read from; score lists are slices of it until they are touched.

    Attributes:
        body: The JSON text as it came.
    """

    __slots__ = ("_sources", "body")

    def __init__(self, sources: Sequence[SourcePredictions], body: bytes = b"") -> None:
        self._sources = sources
        self.body = body

    @classmethod
    def from_json(cls, body: bytes) -> Predictions:
        """Read a predictions body.

        Raises:
            DecodeError: It is not a list of predictions; `path` says where.
        """
        try:
            return cls(_decoder.decode(body), body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
            raise scan_error(problem, "the predictions are not what was promised") from None

    def validate(self) -> None:
        """Read every score, so that nothing wrong is left for later.

        Raises:
            DecodeError: A list of scores is not what was promised; `path` names it.
        """
        for path, prediction in self._walk():
            for name in prediction.score_fields:
                scores: Scores | None = getattr(prediction, name)
                if scores is not None:
                    try:
                        len(scores)
                    except DecodeError as problem:
                        raise DecodeError(
                            problem.message, path=f"{path}.{name}{problem.path[1:]}"
                        ) from None

    def _walk(self) -> Iterator[tuple[str, _Scored]]:
        for s, source in enumerate(self._sources):
            for f, file in enumerate(source.files):
                here = f"$[{s}].results.predictions[{f}].models"
                for model in ("face", "burst", "prosody", "language", "ner", "facemesh"):
                    found = getattr(file.models, model)
                    groups: list[Any] = found.grouped_predictions if found else []
                    for g, group in enumerate(groups):
                        for p, prediction in enumerate(group.predictions):
                            yield (
                                f"{here}.{model}.grouped_predictions[{g}].predictions[{p}]",
                                prediction,
                            )

    @overload
    def __getitem__(self, key: int) -> SourcePredictions: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[SourcePredictions]: ...
    def __getitem__(self, key: int | slice) -> SourcePredictions | Sequence[SourcePredictions]:
        return self._sources[key]

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[SourcePredictions]:
        return iter(self._sources)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Predictions):
            return list(self._sources) == list(other._sources)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable sequences of sources inside

    def __repr__(self) -> str:
        return f"Predictions({len(self)} sources, {len(self.body)} bytes)"


def scan_error(problem: Exception, what: str) -> DecodeError:
    """Turn an error of the scanner into ours, with its path."""
    text = str(problem)
    message, found, path = text.partition(" - at `")
    if not found or not isinstance(problem, msgspec.ValidationError):
        return DecodeError(f"{what}: {text}")
    path = path.rstrip("`")
    return DecodeError(f"{what}: {message} at {path}", path=path)
