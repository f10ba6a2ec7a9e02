"""The public types as users write them, for mypy and pyright; nothing here is ever run."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, assert_type

from humeai_async import (
    AsCompleted,
    BulkOptions,
    ChatSocket,
    Download,
    HumeAI,
    HumeError,
    Job,
    JobFailedError,
    JobTimeoutError,
    Limiter,
    Outcome,
    Outcomes,
    Page,
    Pages,
    Pool,
    RateLimitWaitError,
    RawResponse,
    Reconnect,
    ResponseTooLargeError,
    Retry,
    RunUpdates,
    SunsetError,
    Timeout,
    Undecodable,
    Upload,
)
from humeai_async.bulk.progress import Progress
from humeai_async.bulk.runs import Report
from humeai_async.types.batch import JobDetails, JobStatus
from humeai_async.types.chat import AnyServerEvent, AssistantMessage, AudioOutput
from humeai_async.types.evi import Prompt, Tool
from humeai_async.types.evi_chats import (
    Chat,
    ChatEvent,
    ChatEventsPage,
    ChatGroup,
    ChatGroupEventsPage,
)
from humeai_async.types.evi_configs import Config
from humeai_async.types.expression_messages import AudioMeasured, VideoMeasured
from humeai_async.types.expression_runs import RunEventsPage
from humeai_async.types.paging import Items, ListPage
from humeai_async.types.predictions.predictions import Predictions, SourcePredictions
from humeai_async.types.registry import (
    Dataset,
    DatasetPage,
    FilePage,
    FileWithAttributes,
    Model,
    ModelPage,
    ModelVersion,
)
from humeai_async.types.sources import BulkSource


async def build_clients() -> None:
    async with HumeAI(
        api_key="key",
        timeout=Timeout(connect=10, read=60, total=None),
        retry=Retry(attempts=1),
        limiter=Limiter(rate=50),
        pool=Pool(limit=10),
    ) as hume:
        assert_type(hume, HumeAI)
        assert_type(hume.with_options(timeout=5), HumeAI)
        assert_type(hume.limiter, Limiter)
        assert_type(await hume.request("GET", "/v0/evi/configs"), RawResponse)


async def list_everything(hume: HumeAI) -> None:
    assert_type(hume.configs.list(), Pages[Config])
    assert_type(hume.prompts.list(), Pages[Prompt])
    assert_type(hume.tools.list(), Pages[Tool])
    assert_type(hume.chats.list(), Pages[Chat])
    assert_type(hume.chats.list_events("id"), Pages[ChatEvent, ChatEventsPage])
    assert_type(hume.chat_groups.list(), Pages[ChatGroup])
    assert_type(hume.datasets.list(), Pages[Dataset, DatasetPage])
    assert_type(hume.files.list(), Pages[FileWithAttributes, FilePage])
    assert_type(hume.models.list(), Pages[Model, ModelPage])
    assert_type(hume.models.list_versions(), Pages[ModelVersion, Items[ModelVersion]])
    assert_type(hume.batch.list_jobs(), Pages[JobDetails])


async def read_a_list(hume: HumeAI) -> None:
    async for config in hume.configs.list():
        assert_type(config, Config)
    async for page in hume.configs.list(prefetch=4).pages():
        assert_type(page, Page[Config])
    first = await hume.configs.list(page_size=50)
    assert_type(first, Page[Config])
    assert_type(first.items, list[Config])
    assert_type(first.envelope, ListPage | Items[Any])
    events = await hume.chats.list_events("id")
    assert_type(events.envelope.chat_group_id, str | None)
    async for group in hume.chat_groups.list_events("id").pages():
        assert_type(group.envelope, ChatGroupEventsPage)
    assert_type((await hume.datasets.list()).envelope.total_elements, int | None)
    assert_type((await hume.expression.runs.events("id")).envelope, RunEventsPage)
    assert_type(first[0], Config)
    assert_type(first.undecodable, list[Undecodable])
    assert_type(await hume.configs.list().collect(limit=20), list[Config])
    assert_type(await hume.configs.get_version("id", 0), Config)


async def await_jobs(hume: HumeAI) -> None:
    job = await hume.batch.start_job(files=[Upload(b"", filename="a.wav")], models={"face": {}})
    assert_type(job, Job)
    assert_type(await job.wait(timeout=600), Job)
    assert_type(job.status, JobStatus | str | None)
    predictions = await job.predictions()
    assert_type(predictions, Predictions)
    for source in predictions:
        assert_type(source, SourcePredictions)
        for file in source.files:
            if face := file.models.face:
                prediction = face.grouped_predictions[0].predictions[0]
                assert_type(prediction.time, float)
                assert_type(prediction.emotions.top(3)[0].name, str)
                assert_type(prediction.emotions["Joy"], float)
    async with job.stream_artifacts() as download:
        assert_type(download, Download)
        assert_type(download.chunks(), AsyncIterator[bytes])
    assert_type(hume.batch.as_completed([job, "id"]), AsCompleted)
    assert_type(hume.batch.fetch_predictions([job]), Outcomes[str, Predictions])


async def run_in_bulk(hume: HumeAI, sources: Sequence[BulkSource]) -> None:
    options = BulkOptions(job_size=10, timeout=None)
    async for outcome in hume.batch.predict(sources, options=options, retry_failed=True):
        assert_type(outcome, Outcome[BulkSource, SourcePredictions])
        assert_type(outcome.predictions, SourcePredictions | None)
        assert_type(outcome.error, HumeError | None)
        assert_type(outcome.result(), SourcePredictions)
    assert_type(await hume.batch.predict_into("results", sources, options=options), Report)

    async def start(*, on_progress: Callable[[Progress], None]) -> Report:
        return await hume.batch.predict_into("results", sources, on_progress=on_progress)

    async with RunUpdates(start) as updates:
        async for progress in updates:
            assert_type(progress, Progress)
        assert_type(await updates.result(), Report)


async def talk(hume: HumeAI) -> None:
    async with hume.chat.connect(config_id="id", reconnect=Reconnect()) as chat:
        assert_type(chat, ChatSocket)
        assert_type(await chat.send_audio(b""), bool)
        async for event in chat:
            assert_type(event, AnyServerEvent)
            if isinstance(event, AssistantMessage):
                assert_type(event.message.content, str | None)
            elif isinstance(event, AudioOutput):
                assert_type(event.audio, bytes)


async def measure_as_it_comes(hume: HumeAI) -> None:
    async with hume.expression.connect_audio() as session:
        async for message in session:
            if message.type == "measurement.result":
                assert_type(message, AudioMeasured)
            elif message.type == "error":
                assert_type(message.retryable, bool | None)
    async with hume.expression.connect_video() as video:
        async for frame in video:
            if frame.type == "measurement.result":
                assert_type(frame, VideoMeasured)


def read_errors(error: HumeError) -> None:
    assert_type(error.status, int | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.outcome_unknown, bool)
    if isinstance(error, (JobFailedError, JobTimeoutError)):
        assert_type(error.job_id, str)
    if isinstance(error, RateLimitWaitError):
        assert_type(error.seconds, float)
    if isinstance(error, ResponseTooLargeError):
        assert_type(error.limit, int)
    if isinstance(error, SunsetError):
        assert_type(error.sunset, dt.date)
