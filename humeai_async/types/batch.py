"""Batch jobs: what they are started with, and what the service reports about them.

Requests may be given as these classes or as plain dicts of the same keys. Fields carry the
wire's names. Nothing here does I/O; the predictions themselves are in `predictions.py`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, field

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET, Unset
from humeai_async._base.urls import repr_host_only, repr_without_query
from humeai_async.errors import DecodeError
from humeai_async.types.tagged import Tagged
from humeai_async.types.times import from_milliseconds
from humeai_async.types.training import CustomModelInferenceRequest, TrainingRequest


class JobStatus(enum.StrEnum):
    """States that a job goes through."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class JobType(enum.StrEnum):
    """Kinds of jobs that the service runs."""

    INFERENCE = "INFERENCE"
    TRAINING = "TRAINING"
    TL_INFERENCE = "TL_INFERENCE"
    EMBEDDING_GENERATION = "EMBEDDING_GENERATION"


class JobSortBy(enum.StrEnum):
    """Times that a list of jobs can be sorted by."""

    CREATED = "created"
    STARTED = "started"
    ENDED = "ended"


class SortDirection(enum.StrEnum):
    """Order of a list of jobs: oldest or newest first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


class JobWhen(enum.StrEnum):
    """Which side of a point in time a list of jobs covers."""

    CREATED_BEFORE = "created_before"
    CREATED_AFTER = "created_after"


class Granularity(enum.StrEnum):
    """How much speech or text one prediction covers."""

    WORD = "word"
    SENTENCE = "sentence"
    UTTERANCE = "utterance"
    CONVERSATIONAL_TURN = "conversational_turn"


@frozen(kw_only=True)
class Unconfigurable:
    """A model or an extra that is switched on and takes no settings (`{}` on the wire)."""


@frozen(kw_only=True)
class Face:
    """Settings of the face model (images and video)."""

    fps_pred: float | None = None
    """Frames analysed for each second of video; 3 if left out, 0 means every frame."""
    prob_threshold: float | None = None
    """Probability from which something counts as a face, 0 to 1; 0.99 if left out."""
    identify_faces: bool | None = None
    """If true, each face has an id that stays the same over all frames."""
    min_face_size: int | None = None
    """Shortest side of a face's box, in pixels; 60 if left out."""
    facs: Unconfigurable | None = None
    """Adds scores of facial action units (FACS 2.0)."""
    descriptions: Unconfigurable | None = None
    """Adds scores of descriptive features such as "Smile"."""
    save_faces: bool | None = None
    """If true, the artifacts contain pictures of the faces."""


@frozen(kw_only=True)
class ProsodyWindow:
    """Sliding window of the prosody model, in seconds."""

    length: float | None = None
    """Length of the window in seconds, at least 0.5; 4 if left out."""
    step: float | None = None
    """Seconds from one window to the next, at least 0.5; 1 if left out."""


@frozen(kw_only=True)
class Prosody:
    """Settings of the speech prosody model (audio and video)."""

    granularity: Granularity | str | None = None
    """How much speech one prediction covers; `utterance` if left out. Not with `window`."""
    window: ProsodyWindow | None = None
    """Sliding window of time, instead of a granularity."""
    identify_speakers: bool | None = None
    """If true, the predictions are grouped by speaker."""


@frozen(kw_only=True)
class Language:
    """Settings of the language model (text, audio and video)."""

    granularity: Granularity | str | None = None
    """How much text one prediction covers; `word` if left out."""
    sentiment: Unconfigurable | None = None
    """Adds scores of nine levels of sentiment."""
    toxicity: Unconfigurable | None = None
    """Adds scores of six kinds of toxicity."""
    identify_speakers: bool | None = None
    """If true, the predictions are grouped by speaker."""


@frozen(kw_only=True)
class Ner:
    """Settings of the named-entity model."""

    identify_speakers: bool | None = None
    """If true, the predictions are grouped by speaker."""


@frozen(kw_only=True)
class Models:
    """Models that a job runs, with their settings."""

    face: Face | None = None
    """Facial expression, in images and video."""
    burst: Unconfigurable | None = None
    """Vocal bursts: sounds that are not speech, such as laughter."""
    prosody: Prosody | None = None
    """Speech prosody: the tone of speech."""
    language: Language | None = None
    """Emotional language: the meaning of text."""
    ner: Ner | None = None
    """Named entities and the emotions around them."""
    facemesh: Unconfigurable | None = None
    """Facial expression, from landmarks of the face."""


@frozen(kw_only=True)
class Transcription:
    """Settings of the transcription that prosody, language and ner share."""

    language: str | None = None
    """Spoken language as a BCP-47 tag such as `en` or `pt-BR`; detected if left out."""
    identify_speakers: bool | None = None
    """If true, the predictions are grouped by speaker."""
    confidence_threshold: float | None = None
    """Confidence from which a transcript is used, 0 to 1; 0.5 if left out."""


@frozen(kw_only=True)
class UploadedFile:
    """An uploaded file, as its job lists it."""

    md5sum: str | None = None
    """MD5 checksum of the file's content, in hex."""
    filename: str | None = None
    """Name that the file was uploaded under."""
    content_type: str | None = None
    """MIME type of the file."""


@frozen(kw_only=True)
class InferenceRequest:
    """Everything that an inference job is started with."""

    models: Models | Mapping[str, Any] | None = None
    """Models to run; all models if left out."""
    transcription: Transcription | Mapping[str, Any] | Unset | None = UNSET
    """Settings of the transcription; `None` switches it off, which leaving it out does not."""
    urls: Sequence[str] | None = field(default=None, repr=repr_without_query)
    """Public URLs of media or archives, 100 at most."""
    text: Sequence[str] | None = None
    """Texts for the language and ner models, 100 at most."""
    registry_files: Sequence[str] | None = None
    """Ids of registry files (for custom models only)."""
    callback_url: str | None = field(default=None, repr=repr_host_only)
    """URL that the service posts to when the job ends; unsigned, so a hint, not a proof."""
    notify: bool | None = None
    """If true, the service sends an e-mail when the job ends."""
    files: Sequence[UploadedFile] | None = None
    """Uploaded files, as the service lists them; never sent."""


@frozen(kw_only=True)
class RegistryFileDetail:
    """One registry file of an embedding job."""

    file_id: str | None = None
    """Id of the registry file."""
    file_url: str | None = field(default=None, repr=repr_without_query)
    """URL from which the service reads the file."""


@frozen(kw_only=True)
class EmbeddingRequest:
    """Everything that an embedding job was started with."""

    registry_file_details: list[RegistryFileDetail] | None = None
    """Registry files that the job prepares."""


@frozen(kw_only=True)
class TrainedModel:
    """A model that a training job made."""

    id: str | None = None
    """Id of the model."""
    version_id: str | None = None
    """Id of the model version."""


@frozen(kw_only=True)
class JobState:
    """The state of a job, and what the job has counted so far."""

    status: JobStatus | str = ""
    """State that the job is in; empty if the service sent none."""
    created_timestamp_ms: int | None = None
    """Time of the job's creation, in milliseconds since 1970."""
    started_timestamp_ms: int | None = None
    """Start of the job, in milliseconds since 1970; `None` before the start."""
    ended_timestamp_ms: int | None = None
    """End of the job, in milliseconds since 1970; `None` before the end."""
    message: str | None = field(default=None, repr=repr_without_query)
    """Reason why the job failed."""
    num_predictions: int | None = None
    """Number of predictions that a completed inference job made."""
    num_errors: int | None = None
    """Number of files that failed in a completed inference job."""
    custom_model: TrainedModel | None = None
    """Model that a completed training job made."""
    alternatives: dict[str, TrainedModel] | None = None
    """Further models that a completed training job made, by name."""

    @property
    def is_finished(self) -> bool:
        """True if the job has completed or failed; false for unknown statuses."""
        return self.status in {JobStatus.COMPLETED, JobStatus.FAILED}

    @property
    def created_at(self) -> dt.datetime | None:
        """Time of the job's creation in UTC; `None` where it is not known."""
        return from_milliseconds(self.created_timestamp_ms)

    @property
    def started_at(self) -> dt.datetime | None:
        """Start of the job in UTC; `None` where it is not known."""
        return from_milliseconds(self.started_timestamp_ms)

    @property
    def ended_at(self) -> dt.datetime | None:
        """End of the job in UTC; `None` where it is not known."""
        return from_milliseconds(self.ended_timestamp_ms)


@frozen(kw_only=True)
class JobDetails:
    """What the service reports about a job; subclasses add the `request` of their type."""

    type: JobType | str = ""
    """Kind of the job; empty if the service sent none."""
    job_id: str
    """UUID of the job."""
    state: JobState = JobState()
    """State of the job, and what it has counted so far."""
    user_id: str | None = None
    """Id of the owner's account; not every version of the service sends it."""


@frozen(kw_only=True)
class InferenceJob(JobDetails):
    """An expression measurement job."""

    type: JobType | str = JobType.INFERENCE
    """Type of the job, always `INFERENCE`."""
    request: InferenceRequest = InferenceRequest()
    """Everything that the job was started with."""


@frozen(kw_only=True)
class TrainingJob(JobDetails):
    """A job that trains a custom model."""

    type: JobType | str = JobType.TRAINING
    """Type of the job, always `TRAINING`."""
    request: TrainingRequest = TrainingRequest()
    """Everything that the job was started with."""


@frozen(kw_only=True)
class CustomModelInferenceJob(JobDetails):
    """A job that runs a custom model."""

    type: JobType | str = JobType.TL_INFERENCE
    """Type of the job, always `TL_INFERENCE`."""
    request: CustomModelInferenceRequest = CustomModelInferenceRequest()
    """Everything that the job was started with."""


@frozen(kw_only=True)
class EmbeddingJob(JobDetails):
    """A job with which the service prepares registry files for training."""

    type: JobType | str = JobType.EMBEDDING_GENERATION
    """Type of the job, always `EMBEDDING_GENERATION`."""
    request: EmbeddingRequest = EmbeddingRequest()
    """Everything that the job was started with."""


class Artifacts(bytes):
    """The artifacts of a job: a ZIP archive of CSV files."""

    __slots__ = ()

    @classmethod
    def from_json(cls, body: bytes) -> Artifacts:
        """Check that a response body is an archive.

        Raises:
            DecodeError: It does not begin and end as archives do.
        """
        if body.startswith(b"PK") and _LAST_RECORD in body[-_LONGEST_END:]:
            return cls(body)
        raise DecodeError("the response is not a ZIP archive")


_LAST_RECORD = b"PK\x05\x06"
"""How the last record of an archive begins."""
_LONGEST_END = 22 + 0xFFFF
"""Bytes of that record at most, with its comment."""


@frozen(kw_only=True)
class UnknownJob(JobDetails):
    """A job of a type that this version of the library does not know."""

    data: Mapping[str, Any] = field(default=Factory(dict[str, Any]), repr=repr_host_only)
    """The whole job, as a plain JSON object."""


JOBS = Tagged.of(
    JobDetails,
    "type",
    (InferenceJob, TrainingJob, CustomModelInferenceJob, EmbeddingJob),
    UnknownJob,
)
"""Jobs of every type."""


@frozen(kw_only=True)
class JobId:
    """Response to every request that starts a job."""

    job_id: str
    """UUID of the new job."""
