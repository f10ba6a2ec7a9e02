"""Batch jobs: what is asked for and what is told about them.

Requests may be given as these classes or as plain dicts of the same keys. Fields carry the
wire's names. Nothing here does I/O; the predictions themselves are in `predictions.py`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async.errors import DecodeError
from humeai_async.types.registry import CustomModelInferenceRequest, TrainingRequest
from humeai_async.types.tagged import Tagged
from humeai_async.types.urls import repr_host_only, repr_without_query


class JobStatus(enum.StrEnum):
    """Where a job is."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class JobType(enum.StrEnum):
    """What a job does."""

    INFERENCE = "INFERENCE"
    TRAINING = "TRAINING"
    TL_INFERENCE = "TL_INFERENCE"
    EMBEDDING_GENERATION = "EMBEDDING_GENERATION"


class JobSortBy(enum.StrEnum):
    """Which time a list of jobs is sorted by."""

    CREATED = "created"
    STARTED = "started"
    ENDED = "ended"


class SortDirection(enum.StrEnum):
    """Which way a list of jobs is sorted."""

    ASCENDING = "asc"
    DESCENDING = "desc"


class JobWhen(enum.StrEnum):
    """Which side of a time a list of jobs covers."""

    CREATED_BEFORE = "created_before"
    CREATED_AFTER = "created_after"


class Granularity(enum.StrEnum):
    """What one prediction about speech or text covers."""

    WORD = "word"
    SENTENCE = "sentence"
    UTTERANCE = "utterance"
    CONVERSATIONAL_TURN = "conversational_turn"


@frozen(kw_only=True)
class Unconfigurable:
    """Switches a model or an extra on; it takes no settings (`{}` on the wire)."""


@frozen(kw_only=True)
class Face:
    """Settings of the face model (images and video)."""

    fps_pred: float | None = None
    """Frames analysed for each second of video; the service takes 3 if left out, 0 is all."""
    prob_threshold: float | None = None
    """Faces less probable than this are dropped, 0 to 1; 0.99 if left out."""
    identify_faces: bool | None = None
    """Give each face an id that stays the same over frames; off if left out."""
    min_face_size: int | None = None
    """Shortest side of a face's box in pixels; 60 if left out."""
    facs: Unconfigurable | None = None
    """Add action units (FACS 2.0)."""
    descriptions: Unconfigurable | None = None
    """Add descriptive features."""
    save_faces: bool | None = None
    """Put pictures of the faces into the artifacts; off if left out."""


@frozen(kw_only=True)
class ProsodyWindow:
    """Sliding window of the prosody model, in seconds."""

    length: float | None = None
    """At least 0.5; 4 if left out."""
    step: float | None = None
    """At least 0.5; 1 if left out."""


@frozen(kw_only=True)
class Prosody:
    """Settings of the speech prosody model (audio and video)."""

    granularity: Granularity | str | None = None
    """What one prediction covers; `utterance` if left out. Not together with `window`."""
    window: ProsodyWindow | None = None
    """Predict by windows of time instead."""
    identify_speakers: bool | None = None
    """Tell speakers apart; off if left out."""


@frozen(kw_only=True)
class Language:
    """Settings of the language model (text, audio and video)."""

    granularity: Granularity | str | None = None
    """What one prediction covers; `word` if left out."""
    sentiment: Unconfigurable | None = None
    """Add nine levels of sentiment."""
    toxicity: Unconfigurable | None = None
    """Add six kinds of toxicity."""
    identify_speakers: bool | None = None
    """Tell speakers apart; off if left out."""


@frozen(kw_only=True)
class Ner:
    """Settings of the named-entity model."""

    identify_speakers: bool | None = None
    """Tell speakers apart; off if left out."""


@frozen(kw_only=True)
class Models:
    """Which models a job runs; without it, every one."""

    face: Face | None = None
    """Facial expression."""
    burst: Unconfigurable | None = None
    """Vocal bursts: sounds that are not speech."""
    prosody: Prosody | None = None
    """Tone of speech."""
    language: Language | None = None
    """Meaning of text."""
    ner: Ner | None = None
    """Named entities with the emotions around them."""
    facemesh: Unconfigurable | None = None
    """Expression from face landmarks."""


@frozen(kw_only=True)
class Transcription:
    """Settings of the transcription that prosody, language and ner share."""

    language: str | None = None
    """Spoken language as a BCP-47 tag such as `en` or `pt-BR`; detected if left out."""
    identify_speakers: bool | None = None
    """Tell speakers apart; off if left out."""
    confidence_threshold: float | None = None
    """Transcripts below this are not used, 0 to 1; 0.5 if left out."""


@frozen(kw_only=True)
class UploadedFile:
    """An uploaded file, as told with its job."""

    md5sum: str
    """MD5 of the content, in hex."""
    filename: str | None = None
    """Name it was uploaded under."""
    content_type: str | None = None
    """MIME type."""


@frozen(kw_only=True)
class InferenceRequest:
    """What an inference job is asked, or was asked."""

    models: Models | Mapping[str, Any] | None = None
    """Models to run; all of them if left out."""
    transcription: Transcription | Mapping[str, Any] | Unset | None = UNSET
    """Settings of the transcription; `None` switches it off, which leaving out does not."""
    urls: Sequence[str] | None = field(default=None, repr=repr_without_query)
    """Public URLs of media or archives, 100 at most."""
    text: Sequence[str] | None = None
    """Texts for the language and ner models, 100 at most."""
    registry_files: Sequence[str] | None = None
    """Ids of registry files (custom models only)."""
    callback_url: str | None = field(default=None, repr=repr_host_only)
    """URL that the service posts to when the job ends; unsigned, so a hint, not a proof."""
    notify: bool | None = None
    """Send an e-mail when the job ends; off if left out."""
    files: Sequence[UploadedFile] | None = None
    """Uploaded files; told by the service, never sent."""


@frozen(kw_only=True)
class RegistryFileDetail:
    """One registry file of an embedding job."""

    file_id: str
    file_url: str = field(repr=repr_without_query)


@frozen(kw_only=True)
class EmbeddingRequest:
    """What an embedding job was asked."""

    registry_file_details: list[RegistryFileDetail] | None = None
    """Files concerned."""


@frozen(kw_only=True)
class TrainedModel:
    """A model that a training job made."""

    id: str
    """Model id."""
    version_id: str | None = None
    """Model version id."""


@frozen(kw_only=True)
class JobState:
    """Where a job is, and what it has counted so far."""

    status: JobStatus | str
    created_timestamp_ms: int | None = None
    """Milliseconds since 1970."""
    started_timestamp_ms: int | None = None
    """Milliseconds since 1970; `None` before the start."""
    ended_timestamp_ms: int | None = None
    """Milliseconds since 1970; `None` before the end."""
    message: str | None = field(default=None, repr=repr_without_query)
    """Why it failed."""
    num_predictions: int | None = None
    """Predictions made, of a completed inference job."""
    num_errors: int | None = None
    """Files that failed, of a completed inference job."""
    custom_model: TrainedModel | None = None
    """The model, of a completed training job."""
    alternatives: dict[str, TrainedModel] | None = None
    """Further models by name, of a completed training job."""

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended, well or not; false for statuses not known here."""
        return self.status in {JobStatus.COMPLETED, JobStatus.FAILED}


@frozen(kw_only=True)
class JobDetails:
    """What the service tells of a job; its subclasses have the `request`, by type."""

    type: JobType | str = ""
    job_id: str
    state: JobState
    user_id: str | None = None
    """Owner; not told by every version of the service."""


@frozen(kw_only=True)
class InferenceJob(JobDetails):
    """An expression measurement job."""

    type: JobType | str = JobType.INFERENCE
    request: InferenceRequest = InferenceRequest()


@frozen(kw_only=True)
class TrainingJob(JobDetails):
    """A job that trains a custom model."""

    type: JobType | str = JobType.TRAINING
    request: TrainingRequest


@frozen(kw_only=True)
class CustomModelInferenceJob(JobDetails):
    """A job that runs a custom model."""

    type: JobType | str = JobType.TL_INFERENCE
    request: CustomModelInferenceRequest


@frozen(kw_only=True)
class EmbeddingJob(JobDetails):
    """A job with which the service prepares registry files for training."""

    type: JobType | str = JobType.EMBEDDING_GENERATION
    request: EmbeddingRequest


class Artifacts(bytes):
    """A ZIP of CSV files."""

    __slots__ = ()

    @classmethod
    def from_json(cls, body: bytes) -> Artifacts:
        """Take a body in.

        Raises:
            DecodeError: It does not begin and end as archives do.
        """
        if body.startswith(b"PK") and _LAST_RECORD in body[-_LONGEST_END:]:
            return cls(body)
        raise DecodeError("the answer is not a ZIP archive")


_LAST_RECORD = b"PK\x05\x06"
"""How the last record of an archive begins."""
_LONGEST_END = 22 + 0xFFFF
"""Bytes of that record at most, with its comment."""


@frozen(kw_only=True)
class UnknownJob(JobDetails):
    """A job of a type that this version of the library does not know."""

    data: Mapping[str, Any] = field(default=Factory(dict[str, Any]), repr=repr_host_only)
    """Everything that was told."""


JOBS = Tagged(
    base=JobDetails,
    tag="type",
    members={
        JobType.INFERENCE: InferenceJob,
        JobType.TRAINING: TrainingJob,
        JobType.TL_INFERENCE: CustomModelInferenceJob,
        JobType.EMBEDDING_GENERATION: EmbeddingJob,
    },
    fallback=UnknownJob,
)


@frozen(kw_only=True)
class JobId:
    """Answer to every call that starts a job."""

    job_id: str
