"""Audio Decisions: questions put to audio.

Sends questions with a clip, estimates what they cost, and lists runs. It knows nothing of how
calls are made; checks and parts are in `humeai_async.decisions`.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping

from humeai_async.catalog import decisions as catalog
from humeai_async.decisions.uploads import TOO_LONG, TOO_SHORT, parts_of, read_clip
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.endpoint import fill
from humeai_async.http.multipart import File
from humeai_async.http.pagination import CursorPages, Pages
from humeai_async.resources._base import Resource
from humeai_async.resources._times import as_rfc3339
from humeai_async.types.decisions import Decision, DecisionRun, DecisionRunStatus, TokenEstimate
from humeai_async.types.questions import QuestionLike, QuestionSet

SHORTEST_MS = 1_000
LONGEST_MS = 300_000


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
                async iterator or an `Upload`. 25 MB at most; the service hears 16 kHz mono, so
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
        asked = QuestionSet.of(questions, context)
        clip = await read_clip(file, convert=convert)
        call = fill(catalog.DECISIONS_CREATE, parts=parts_of(asked, clip))
        response = await self._session.call(call)
        return Decision.read(response, asked, seconds=clip.seconds)

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
        asked = QuestionSet.of(questions, context)
        is_number = type(audio_duration_ms) is int
        if not is_number or not SHORTEST_MS <= audio_duration_ms <= LONGEST_MS:
            is_long = is_number and audio_duration_ms > LONGEST_MS
            raise InvalidArgumentError(
                f"audio_duration_ms must be from {SHORTEST_MS} to {LONGEST_MS}, not "
                f"{audio_duration_ms!r}",
                field="audio_duration_ms",
                code=TOO_LONG if is_long else TOO_SHORT,
                param="/audio_duration_ms",
            )
        body = {**asked.to_wire(), "audio_duration_ms": audio_duration_ms}
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
