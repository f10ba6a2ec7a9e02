"""Runs on a cluster, one function for each kind of work.

Each plans its run and has `dask.py` work on it; none knows Dask.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from humeai_async._base.unset import UNSET, Unset
from humeai_async.bulk.options import BulkOptions
from humeai_async.distributed.collect import RunReport
from humeai_async.distributed.dask import RunProgress, run_over
from humeai_async.distributed.plan import PARTITION_SIZE, plan
from humeai_async.distributed.recordings import (
    RECORDINGS_IN_PARTITION,
    RecordingPath,
    plan_decisions,
    plan_measurements,
)
from humeai_async.distributed.redis_ledger import RedisLedger
from humeai_async.distributed.store import IntoFolder
from humeai_async.http.arguments import check_number, check_seconds
from humeai_async.shared.quota import RedisQuota
from humeai_async.types.batch import Models, Transcription
from humeai_async.types.expression import FaceSettings
from humeai_async.types.questions import QuestionLike, QuestionSet
from humeai_async.types.sources import BulkSource

if TYPE_CHECKING:
    from humeai_async.types.dicts import ModelsDict, TranscriptionDict

_CLIENT = "humeai_async:HumeAI"


async def predict_over(
    dask: Any,
    into: IntoFolder,
    sources: Iterable[BulkSource] | AsyncIterable[BulkSource],
    *,
    models: Models | ModelsDict | None = None,
    transcription: Transcription | TranscriptionDict | Unset | None = UNSET,
    ledger: RedisLedger | None = None,
    client: str = _CLIENT,
    options: BulkOptions | None = None,
    partition_size: int = PARTITION_SIZE,
    retry_failed: bool = False,
    quota: RedisQuota | None = None,
    rate: float | None = None,
    on_progress: Callable[[RunProgress], None] | None = None,
) -> RunReport:
    """Predict sources on a Dask cluster; continue where an earlier start stopped.

    Each source is once in the results, whatever workers and schedulers die and however often it
    is started again; with a ledger none is paid for twice. Costs what `hume.batch.predict`
    costs.

    Args:
        dask: A `dask.distributed.Client` with `asynchronous=True`.
        into: The run's folder: a path that all workers have, or a URL that fsspec knows, such as
            `s3://bucket/run-7`. A file of results for each partition is put in place there,
            whole.
        sources: As for `plan`.
        models: As for `plan`; the same at every start.
        transcription: As for `plan`; the same at every start.
        ledger: Where all workers write down what they submit. Left out, it is a file in the
            run's folder, which has to be a path of the file system then.
        client: Where workers find what makes their client, as `"module:function"`: it is called
            without arguments, or with `limiter` where there is a quota. The one that stands here
            takes credential and address from the worker's environment variables.
        options: How it is done; `job_size` is given at the first start and stays.
        partition_size: Sources in a partition.
        retry_failed: Submit sources once more that failed at an earlier start.
        quota: The quota that all workers share, made with a URL that they all reach.
        rate: Calls a second of all workers together, which the quota needs.
        on_progress: Called with how far the run is.

    Returns:
        How the run stands: `problems` names partitions that are not done, which the next start
        goes on with.

    Raises:
        ConfigurationError: The client is not asynchronous, workers lack the library or a
            credential, or quota and rate are not given together or cannot go to workers.
        MissingPackageError: distributed is not installed here, or another package on workers.
        LedgerError: The folder belongs to a run with other settings.
        SaveError: The folder cannot be written to.
        AuthenticationError: The credential is refused.
    """
    return await run_over(
        dask,
        into,
        lambda: plan(
            into,
            sources,
            models=models,
            transcription=transcription,
            partition_size=partition_size,
            job_size=BulkOptions.of(options).job_size,
        ),
        ledger=ledger,
        client=client,
        options=options,
        partition_size=partition_size,
        retry_failed=retry_failed,
        quota=quota,
        rate=rate,
        on_progress=on_progress,
    )


async def measure_over(
    dask: Any,
    into: IntoFolder,
    sources: Iterable[RecordingPath] | AsyncIterable[RecordingPath],
    *,
    measurement_timer_ms: int | None = None,
    face: FaceSettings | Mapping[str, Any] | None = None,
    images_per_request: int = 1,
    convert: bool = True,
    client: str = _CLIENT,
    options: BulkOptions | None = None,
    partition_size: int = RECORDINGS_IN_PARTITION,
    retry_failed: bool = False,
    budget: float | None = None,
    quota: RedisQuota | None = None,
    rate: float | None = None,
    on_progress: Callable[[RunProgress], None] | None = None,
) -> RunReport:
    """Measure recordings and images on a Dask cluster; continue where an earlier start stopped.

    Each source is once in the results, and none is paid for twice, whatever workers die. The
    files have one row a score, the long form of `to_arrow`; the whole results are in
    `_run/results`. Costs what `hume.expression.measure_many` costs.

    A request whose response was lost is looked for among Hume's runs, by time, length and settings.
    That of another worker, with sources of the same length, may be taken for it: it fails with
    `ResultLostError` then, and is not sent again but by `retry_failed`.

    Args:
        dask: As for `predict_over`.
        into: As for `plan_measurements`.
        sources: As for `plan_measurements`. A file that was changed since fails, and is not sent.
        measurement_timer_ms: As for `plan_measurements`.
        face: As for `plan_measurements`.
        images_per_request: As for `plan_measurements`.
        convert: As for `plan_measurements`.
        client: As for `predict_over`.
        options: As for `work`.
        partition_size: Sources in a partition.
        retry_failed: Measure sources once more that failed at an earlier start; those whose
            result was lost, or of which a part failed, are billed again as a whole.
        budget: Seconds that all workers together may be billed over all starts; the same, or a
            larger one, at every start. What would cost more than is left is not sent and stays
            open, with a `BudgetReachedError`. Each source is read once more for what it costs.
        quota: As for `predict_over`.
        rate: As for `predict_over`.
        on_progress: As for `predict_over`.

    Returns:
        How the run stands; `billed` counts seconds.

    Raises:
        ConfigurationError: As for `predict_over`, or `into` is no folder of the file system.
        GatewayUnsupportedError: Through the gateway; nothing was sent.
        HumeError: Anything else that `predict_over` raises.
    """
    check_seconds("budget", budget)
    return await run_over(
        dask,
        into,
        lambda: plan_measurements(
            into,
            sources,
            measurement_timer_ms=measurement_timer_ms,
            face=face,
            images_per_request=images_per_request,
            convert=convert,
            partition_size=partition_size,
        ),
        client=client,
        options=options,
        partition_size=partition_size,
        retry_failed=retry_failed,
        budget=budget,
        quota=quota,
        rate=rate,
        on_progress=on_progress,
    )


async def decide_over(
    dask: Any,
    into: IntoFolder,
    sources: Iterable[RecordingPath] | AsyncIterable[RecordingPath],
    questions: QuestionSet | Mapping[str, QuestionLike],
    *,
    context: str | None = None,
    convert: bool = True,
    client: str = _CLIENT,
    options: BulkOptions | None = None,
    partition_size: int = RECORDINGS_IN_PARTITION,
    retry_failed: bool = False,
    budget: int | None = None,
    quota: RedisQuota | None = None,
    rate: float | None = None,
    on_progress: Callable[[RunProgress], None] | None = None,
) -> RunReport:
    """Put questions to clips on a Dask cluster; continue where an earlier start stopped.

    As `measure_over` in all else. The files have one row a clip and a column for each question, as
    `to_arrow` has them; spans of sound are in `_run/results`. Costs what
    `hume.decisions.create_many` costs.

    Args:
        dask: As for `predict_over`.
        into: As for `plan_measurements`.
        sources: As for `plan_decisions`. A file that was changed since fails, and is not sent.
        questions: As for `plan_decisions`.
        context: As for `plan_decisions`.
        convert: As for `plan_decisions`.
        client: As for `predict_over`.
        options: As for `work`.
        partition_size: Clips in a partition.
        retry_failed: Send clips once more that failed at an earlier start; those whose result was
            lost are billed again.
        budget: Input tokens, as for `measure_over`; each partition costs two estimates, which are
            not billed.
        quota: As for `predict_over`.
        rate: As for `predict_over`.
        on_progress: As for `predict_over`.

    Returns:
        How the run stands; `billed` counts input tokens.

    Raises:
        InvalidArgumentError: A question is none, or a setting is out of range.
        ConfigurationError: As for `measure_over`.
        GatewayUnsupportedError: Through the gateway; nothing was sent.
        HumeError: Anything else that `predict_over` raises.
    """
    if budget is not None:
        check_number("budget", budget, least=0)
    return await run_over(
        dask,
        into,
        lambda: plan_decisions(
            into,
            sources,
            questions,
            context=context,
            convert=convert,
            partition_size=partition_size,
        ),
        client=client,
        options=options,
        partition_size=partition_size,
        retry_failed=retry_failed,
        budget=budget,
        quota=quota,
        rate=rate,
        on_progress=on_progress,
    )
