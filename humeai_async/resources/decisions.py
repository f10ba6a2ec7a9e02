"""Audio Decisions: questions put to audio.

Sends questions with a clip, estimates what they cost, and lists runs. It knows nothing of how
calls are made; checks and parts are in `humeai_async.decisions`.
"""

from __future__ import annotations

import datetime as dt
import functools
import os
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING

from humeai_async.catalog import decisions as catalog
from humeai_async.decisions.recordings import decide_recording, decide_window
from humeai_async.decisions.timeline import Timeline, check_windows
from humeai_async.decisions.uploads import (
    LONGEST,
    SHORTEST,
    TOO_LONG,
    TOO_SHORT,
    UNSUPPORTED,
    parts_of,
    read_clip,
)
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.arguments import check_many, check_number, check_seconds
from humeai_async.http.cursor_pages import CursorPages
from humeai_async.http.endpoint import fill
from humeai_async.http.multipart import File
from humeai_async.http.pages import Pages
from humeai_async.limiter.limiter import BULK
from humeai_async.media.recordings import read_recording
from humeai_async.resources._base import Resource
from humeai_async.types.decisions import Decision, DecisionRun, DecisionRunStatus, TokenEstimate
from humeai_async.types.questions import QuestionLike, QuestionSet
from humeai_async.types.times import as_rfc3339

if TYPE_CHECKING:
    from humeai_async.bulk.ledger import Memory
    from humeai_async.bulk.paid_outcomes import PaidOutcomes
    from humeai_async.decisions.live import LiveTurns


class Decisions(Resource):
    """Put questions to audio: yes or no, a choice, a score, or when something happens.

    All calls of an account share 600 requests a minute, which this client keeps to.

    Source: https://dev.hume.ai/docs/audio-decisions/overview
    """

    __slots__ = ("__dict__",)

    @functools.cached_property
    def runs(self) -> DecisionRuns:
        """Decisions that were made, and what they were billed for."""
        return DecisionRuns(self._session)

    async def create(
        self,
        file: File,
        questions: QuestionSet | Mapping[str, QuestionLike],
        *,
        context: str | None = None,
        convert: bool = True,
    ) -> Decision:
        """Put questions to a clip of 1 second to 5 minutes.

        Costs one request, which is billed by the length of the audio unless it fails. It is never
        sent again by itself where it may have been carried out: the error then has
        `outcome_unknown` set, and `runs.list` tells.

        Args:
            file: The clip, as MP3 or WAV of any rate and channels: a path, bytes, an open file, an
                async iterator or an `Upload`. 25 MB at most; the service uses 16 kHz mono, so
                more only costs bytes.
            questions: Questions by ids of your own, or a `QuestionSet`. Their order matters: to
                compare recordings, ask the same in the same order.
            context: Who speaks, and the setting; 1,000 characters at most.
            convert: Whether to convert sound that is neither MP3 nor WAV first, which needs the
                extra `media`. Otherwise it is refused.

        Returns:
            A result for each question, by its id.

        Raises:
            InvalidArgumentError: The service would refuse it; `code` and `param` are its own.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.

        Source: https://dev.hume.ai/docs/audio-decisions/overview
        """
        self._session.ensure_supported(catalog.DECISIONS_CREATE)
        question_set = QuestionSet.of(questions, context)
        clip = await read_clip(file, convert=convert)
        call = fill(catalog.DECISIONS_CREATE, parts=parts_of(question_set, clip))
        response = await self._session.call(call)
        return Decision.read(response, question_set, seconds=clip.seconds)

    def create_many(
        self,
        sources: Iterable[File] | AsyncIterable[File],
        questions: QuestionSet | Mapping[str, QuestionLike],
        *,
        context: str | None = None,
        ledger: str | os.PathLike[str] | Memory | None = None,
        budget: int | None = None,
        convert: bool = True,
        concurrency: int = 8,
        retry_failed: bool = False,
        search_patience: float = 60.0,
        outage_patience: float | None = 600.0,
    ) -> PaidOutcomes[Decision]:
        """Put the same questions to any number of clips, and pay for each once.

        Costs one request a clip, one at the start, and two estimates if there is a budget. A
        result is in the ledger before the next step. A request whose response was lost may be
        billed: the list of runs says whether it is, by time, size and questions, before anything
        is sent again. If it was billed, its result is lost, and its outcome a `ResultLostError`.

        Args:
            sources: Clips of 1 second to 5 minutes, from any iterable: paths, bytes or `Upload`s
                of them; see `create`. Read only as fast as outcomes are taken.
            questions: Questions by ids of your own, or a `QuestionSet`; the same at every start.
            context: Who speaks, and the setting; 1,000 characters at most.
            ledger: File that remembers what was sent and what arrived, made if it is not there:
                the same run, started again after a crash, pays for nothing twice and gives what
                is missing. It keeps the results that it has paid for. Files of the same content
                are one source.
            budget: Input tokens that the run may be billed over all its starts. What may cost more
                than is left is not sent: its outcome is open, with a `BudgetReachedError`.
            convert: Whether to convert sound that is neither MP3 nor WAV first, which needs the
                extra `media`. Otherwise it is refused.
            concurrency: Requests in flight at once; each holds its file in memory.
            retry_failed: Whether to send those again that failed at earlier starts with the same
                ledger, and those whose result was lost, which are billed again.
            search_patience: Seconds that a request without a response is looked for among the
                runs before it is sent again.
            outage_patience: Seconds that the run waits for a service that cannot be reached;
                `None` is without limit.

        Returns:
            Async iterator of one `Outcome` a clip, in the order in which they arrive; `predictions`
            is its `Decision`. A clip that failed has an `error` and ends nothing. `bill` says
            what was spent.

        Raises:
            InvalidArgumentError: A setting is out of range, or a question is none.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.
            LedgerError: Another run has the ledger, it is not this run's, or it cannot be written.

        Source: https://dev.hume.ai/docs/audio-decisions/overview
        """
        from humeai_async.bulk.paid_outcomes import PaidOutcomes
        from humeai_async.decisions.bulk import DecisionWork

        self._session.ensure_supported(catalog.DECISIONS_CREATE)
        check_many("sources", sources)
        question_set = QuestionSet.of(questions, context)
        if budget is not None:
            check_number("budget", budget, least=0)
        session = self._session.with_settings(priority=BULK)
        return PaidOutcomes(
            DecisionWork(session, budget, question_set, convert=convert),
            sources,
            ledger,
            concurrency=concurrency,
            retry_failed=retry_failed,
            search_patience=search_patience,
            outage_patience=outage_patience,
        )

    async def over(
        self,
        source: File,
        questions: QuestionSet | Mapping[str, QuestionLike],
        *,
        window: float = 30.0,
        hop: float | None = None,
        context: str | None = None,
        channel: int | None = None,
        is_headerless: bool = False,
        concurrency: int = 4,
    ) -> Timeline:
        """Put questions to a recording of any length, window by window.

        The recording is converted while it is read; a few windows are held in memory. Costs one
        request a window, billed by its length: windows that overlap by half cost about double. A
        rest at the end that is shorter than 5 seconds (than `window`, if that is shorter) is made
        as long with what comes before it. A window that fails costs no other.

        Args:
            source: The recording: a path, bytes, an open file or an `Upload`. Other forms than
                16-bit 16 kHz mono WAV need the extra `media`.
            questions: Questions by ids of your own, or a `QuestionSet`; the same for all windows.
            window: Seconds of a window, 1 to 300; most questions want 5 or more.
            hop: Seconds from the start of one window to that of the next; `window` if left out.
            context: Who speaks, and the setting; 1,000 characters at most.
            channel: Index of the one channel to use; all are mixed if left out.
            is_headerless: Whether it is raw samples: 16 bit, low byte first, 16 kHz, mono.
            concurrency: Windows in flight at once.

        Returns:
            Results over time, with spans in the time of the recording.

        Raises:
            InvalidArgumentError: It is no recording, has less than 1 second, or a limit is
                exceeded; nothing was sent.
            AuthenticationError: The credential is refused, by the first window that finds out.
            PartialResultError: The recording could not be read to its end, the credential was
                refused, or the account has no credit left, after windows had been decided;
                `result` is the `Timeline` of those.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.

        Source: https://dev.hume.ai/docs/audio-decisions/overview
        """
        self._session.ensure_supported(catalog.DECISIONS_CREATE)
        question_set = QuestionSet.of(questions, context)
        window_ms, hop_ms = check_windows(window, hop)
        check_number("concurrency", concurrency, least=1)
        recording = await read_recording(
            source, is_headerless=is_headerless, channel=channel, code=UNSUPPORTED
        )
        decide = functools.partial(decide_window, self._session, question_set)
        return await decide_recording(
            recording, question_set, decide, window_ms, hop_ms, concurrency=concurrency
        )

    def live(
        self,
        questions: QuestionSet | Mapping[str, QuestionLike],
        *,
        wait: float | None = 2.0,
        context: str | None = None,
    ) -> LiveTurns:
        """Put questions to the turns of a call while it goes on.

        Costs one request a turn, billed by its length, 5 seconds at least.

        Args:
            questions: Questions by ids of your own, or a `QuestionSet`; the same for all turns.
            wait: Seconds to wait for a decision. One that takes longer is late: its turn says so,
                and has it when it comes. `None` is without limit.
            context: Who speaks, and the setting; 1,000 characters at most.

        Returns:
            An async context manager: `feed` it samples, and say with `end_turn` that a turn ended.

        Raises:
            InvalidArgumentError: A question is none, or `wait` is out of range.
            GatewayUnsupportedError: Through the gateway; nothing was sent.

        Source: https://dev.hume.ai/docs/audio-decisions/overview
        """
        from humeai_async.decisions.live import LiveTurns

        self._session.ensure_supported(catalog.DECISIONS_CREATE)
        question_set = QuestionSet.of(questions, context)
        check_seconds("wait", wait)
        return LiveTurns(functools.partial(decide_window, self._session, question_set), wait)

    async def estimate(
        self,
        questions: QuestionSet | Mapping[str, QuestionLike],
        *,
        audio_duration_ms: int,
        context: str | None = None,
    ) -> TokenEstimate:
        """Estimate what questions to a clip would be billed for.

        Costs one request, which is not billed but counts toward the 600 a minute.

        Args:
            questions: Questions by their ids, or a `QuestionSet`.
            audio_duration_ms: Length of the clip in milliseconds, 1,000 to 300,000.
            context: Who speaks, and the setting; 1,000 characters at most.

        Returns:
            The estimate; the bill may differ slightly.

        Raises:
            InvalidArgumentError: A limit is exceeded; `code` and `param` are the service's own.

        Source: https://dev.hume.ai/docs/audio-decisions/overview
        """
        question_set = QuestionSet.of(questions, context)
        is_whole = type(audio_duration_ms) is int
        least, most = round(SHORTEST * 1000), round(LONGEST * 1000)
        if not is_whole or not least <= audio_duration_ms <= most:
            is_long = is_whole and audio_duration_ms > most
            raise InvalidArgumentError(
                f"audio_duration_ms must be from {least} to {most}, not {audio_duration_ms!r}",
                field="audio_duration_ms",
                code=TOO_LONG if is_long else TOO_SHORT,
                param="/audio_duration_ms",
            )
        body = {**question_set.to_wire(), "audio_duration_ms": audio_duration_ms}
        return await self._session.call(fill(catalog.DECISIONS_ESTIMATE, body=body))


class DecisionRuns(Resource):
    """Decisions of the whole organization; results are not kept.

    Source: https://dev.hume.ai/docs/audio-decisions/overview
    """

    __slots__ = ()

    def list(
        self,
        *,
        page_size: int | None = None,
        cursor: str | None = None,
        user_id: str | None = None,
        status: DecisionRunStatus | str | None = None,
        started_before: dt.datetime | str | None = None,
        started_after: dt.datetime | str | None = None,
    ) -> Pages[DecisionRun]:
        """List runs, newest first.

        Costs one request a page, which is not billed but counts toward the 600 a minute. A run
        appears a moment after its decision, and may be missing under heavy load.

        Args:
            page_size: Runs a page, 1 to 200; the service takes 50 if left out.
            cursor: `next_cursor` of a page with the same filters, to go on behind it.
            user_id: Only runs of this user.
            status: Only `ended` or `errored` ones.
            started_before: Only those that began before this time; a text is in RFC 3339.
            started_after: Only those that began at this time or later.

        Returns:
            Pages of runs.

        Raises:
            InvalidArgumentError: A value is out of range, or a time has no time zone.
        """
        query = {
            "user_id": user_id,
            "status": status,
            "started_before": as_rfc3339("started_before", started_before),
            "started_after": as_rfc3339("started_after", started_after),
        }
        call = fill(catalog.DECISIONS_RUNS_LIST, query=query)
        return CursorPages(self._session, call, page_size=page_size, cursor=cursor)

    async def get(self, run_id: str) -> DecisionRun:
        """Fetch one run with its request.

        Costs one request, which is not billed but counts toward the 600 a minute.

        Args:
            run_id: Id of the run. It is not found for a moment after its decision.

        Raises:
            InvalidArgumentError: The id cannot be one.
        """
        return await self._session.call(fill(catalog.DECISIONS_RUNS_GET, run_id))
