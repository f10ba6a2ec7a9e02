"""Expression Measurement as Hume serves it today.

Uploads recordings and images, opens sessions, and lists runs. It knows nothing of how calls are
made; checks and parts are in `humeai_async.expression`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from humeai_async.catalog import expression as catalog
from humeai_async.expression.limits import UNSUPPORTED, check_face, check_images, check_timer
from humeai_async.expression.recordings import measure_recording
from humeai_async.expression.uploads import audio_part, config_part, image_parts
from humeai_async.http.arguments import check_many, check_seconds, check_text
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Part
from humeai_async.http.multipart import File
from humeai_async.http.reconnect import read_reconnect
from humeai_async.http.session import Session
from humeai_async.limiter.limiter import BULK
from humeai_async.media.recordings import read_recording
from humeai_async.resources._base import Resource
from humeai_async.resources.expression_runs import ExpressionRuns
from humeai_async.settings import Reconnect
from humeai_async.types.expression import AudioResult, FaceSettings, ImagesResult

if TYPE_CHECKING:
    from humeai_async.bulk.ledger import Memory
    from humeai_async.bulk.paid_outcomes import PaidOutcomes
    from humeai_async.expression.audio_session import AudioSession
    from humeai_async.expression.video_session import VideoSession

LONGEST_REPLAY = 600.0
"""Seconds of audio that a session keeps at most: 19 MB."""

UPLOAD_WAIT = 300.0
"""Seconds to wait for the response to an upload: it comes when all is measured, and nothing says
how long 13 minutes of audio take."""


class Expression(Resource):
    """Measure expressions in voices and faces.

    Source: https://dev.hume.ai/docs/expression-measurement/overview
    """

    __slots__ = ("__dict__",)

    @functools.cached_property
    def runs(self) -> ExpressionRuns:
        """Uploads and sessions that were made, and what they are billed for."""
        return ExpressionRuns(self._session)

    async def measure_audio(
        self,
        file: File,
        *,
        measurement_timer_ms: int | None = None,
        is_headerless: bool = False,
        convert: bool = True,
    ) -> AudioResult:
        """Measure one recording of up to about 13 minutes.

        Costs one request, which is billed by the length of the audio and at least ten seconds,
        unless it fails. It is never sent again by itself where it may have been carried out: the
        error then has `outcome_unknown` set, and `runs.list` tells.

        Args:
            file: The recording: a path, bytes, an open file, an async iterator or an `Upload`.
                16-bit 16 kHz mono WAV goes out as it is.
            measurement_timer_ms: Milliseconds of speech between two measurements, 3000 to 10000;
                the service takes 3000 if left out.
            is_headerless: Whether the file is raw samples: 16 bit, low byte first, 16 kHz, mono.
            convert: Whether to convert sound of another form first (WAV of another rate, MP3,
                FLAC, Ogg, MP4, ...), which needs the extra `media`. Otherwise it is refused.

        Returns:
            Utterances and measurements, with times in milliseconds from the start.

        Raises:
            InvalidArgumentError: The service would refuse the recording, or measure it as noise;
                `code` is the service's own, such as `unsupported_media_type`. Nothing was sent.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.

        Source: https://dev.hume.ai/docs/expression-measurement/overview
        """
        self._session.ensure_supported(catalog.EXPRESSION_MEASURE_AUDIO)
        check_timer(measurement_timer_ms)
        part = await audio_part(file, is_headerless=is_headerless, convert=convert)
        parts = [part]
        if measurement_timer_ms is not None:
            parts.insert(0, config_part({"measurement_timer_ms": measurement_timer_ms}))
        call = fill(catalog.EXPRESSION_MEASURE_AUDIO, parts=parts)
        return await _with_upload_wait(self._session).call(call)

    async def measure(
        self,
        source: File,
        *,
        measurement_timer_ms: int | None = None,
        is_headerless: bool = False,
        channel: int | None = None,
    ) -> AudioResult:
        """Measure a recording of any length and form.

        It is converted while it is read, and split where an upload would be too long: at the
        quietest place of a part's last minute. An utterance that touches the cut is measured again
        with the next part; one that is longer than a part (13 minutes) is put together of its
        pieces and has `is_joined` set. Times and ids are those of the whole recording.

        Costs one request for each 13 minutes, billed by the length of the audio and at least ten
        seconds each; what is measured again is billed again. 25 MB are held in memory.

        Args:
            source: The recording: a path, bytes, an open file or an `Upload`. Other forms than
                16-bit 16 kHz mono WAV need the extra `media`.
            measurement_timer_ms: Milliseconds of speech between two measurements, 3000 to 10000;
                the service takes 3000 if left out.
            is_headerless: Whether it is raw samples: 16 bit, low byte first, 16 kHz, mono.
            channel: Index of the one channel to measure; all are mixed if left out.

        Returns:
            Utterances and measurements of the whole; `run_ids` has the runs of all parts.

        Raises:
            InvalidArgumentError: It is no recording; nothing was sent.
            MissingPackageError: It has to be converted, and the extra `media` is not installed.
            PartialResultError: A part failed after others had been measured; `result` has those.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.

        Source: https://dev.hume.ai/docs/expression-measurement/overview
        """
        self._session.ensure_supported(catalog.EXPRESSION_MEASURE_AUDIO)
        check_timer(measurement_timer_ms)
        recording = await read_recording(
            source, is_headerless=is_headerless, channel=channel, code=UNSUPPORTED
        )
        config = {"measurement_timer_ms": measurement_timer_ms} if measurement_timer_ms else None
        session = _with_upload_wait(self._session)

        async def upload(part: Part, start_ms: int) -> AudioResult:
            del start_ms
            parts = [part] if config is None else [config_part(config), part]
            return await session.call(fill(catalog.EXPRESSION_MEASURE_AUDIO, parts=parts))

        return await measure_recording(recording, upload)

    def measure_many(
        self,
        sources: Iterable[File] | AsyncIterable[File],
        *,
        measurement_timer_ms: int | None = None,
        face: FaceSettings | Mapping[str, Any] | None = None,
        images_per_request: int = 1,
        ledger: str | os.PathLike[str] | Memory | None = None,
        budget: float | None = None,
        convert: bool = True,
        concurrency: int = 8,
        retry_failed: bool = False,
        search_patience: float = 60.0,
        outage_patience: float | None = 600.0,
    ) -> PaidOutcomes[AudioResult | ImagesResult]:
        """Measure any number of recordings of any length, and of images, and pay for each once.

        Costs one request a recording, or one for each 13 minutes of it (see `measure`), billed by
        the length and at least ten seconds, and one at the start. An image is billed a third of a
        second, and ten seconds at least for the request that it goes in: alone it costs what 30
        cost together (see `images_per_request`). A result, or that of a part, is in the ledger
        before the next step. A request whose response was lost may be billed: the list of runs
        says whether it is, by time, size and settings, before anything is sent again. If it was
        billed, its results are lost, and the outcome of each of its sources a `ResultLostError`.

        Args:
            sources: Recordings and JPEG images from any iterable, told apart by their bytes:
                paths, bytes or `Upload`s of them; see `measure_audio` and `measure_images`. Read
                only as fast as outcomes are taken.
            measurement_timer_ms: Milliseconds of speech between two measurements, 3000 to 10000;
                the service takes 3000 if left out. The same at every start.
            face: Which faces of images are listed: `threshold` and `min_size`. The same at every
                start.
            images_per_request: Images that may share a request, 1 to 100; fewer where they have
                more than 25 MB together. Hume describes the images of a request as measured one by
                one, with their faces numbered together, and does not promise that the others
                make no difference. So each has its own request, unless you say more: 30 cost
                what one costs. Images that come one by one wait up to ten seconds for others.
            ledger: File that remembers what was sent and what arrived, made if it is not there:
                the same run, started again after a crash, pays for nothing twice and gives what
                is missing. It keeps the results that it has paid for. Files of the same content
                are one source.
            budget: Seconds that the run may be billed over all its starts. What would cost more
                than is left is not sent: its outcome is open, with a `BudgetReachedError`.
            convert: Whether to convert sound of another form first, which needs the extra `media`.
                Otherwise it is refused.
            concurrency: Requests in flight at once; each holds up to 100 MB of its file in memory,
                or a part of a larger one.
            retry_failed: Whether to send those again that failed at earlier starts with the same
                ledger, and those whose result was lost, which are billed again.
            search_patience: Seconds that a request without a response is looked for among the
                runs before it is sent again.
            outage_patience: Seconds that the run waits for a service that cannot be reached;
                `None` is without limit.

        Returns:
            Async iterator of one `Outcome` a source, in the order in which they arrive;
            `predictions` is the `AudioResult` of a recording, and the `ImagesResult` of an image,
            which has one measurement, with its faces numbered from 0. A source that failed has an
            `error` and ends nothing; that of a recording which could not be measured further after
            some parts of it is a `PartialResultError`, which says at which part and why. `bill`
            says what was spent.

        Raises:
            InvalidArgumentError: A setting is out of range.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.
            LedgerError: Another run has the ledger, it is not this run's, or it cannot be written.

        Source: https://dev.hume.ai/docs/expression-measurement/overview
        """
        from humeai_async.bulk.paid_outcomes import PaidOutcomes
        from humeai_async.expression.bulk import MeasureWork

        self._session.ensure_supported(catalog.EXPRESSION_MEASURE_AUDIO)
        check_many("sources", sources)
        check_timer(measurement_timer_ms)
        if budget is not None:
            check_seconds("budget", budget)
        faces = check_face(face, is_session=True)
        together = check_images(images_per_request)
        session = _with_upload_wait(self._session).with_settings(priority=BULK)
        return PaidOutcomes(
            MeasureWork(session, budget, measurement_timer_ms, faces, convert=convert),
            sources,
            ledger,
            concurrency=concurrency,
            together=together,
            retry_failed=retry_failed,
            search_patience=search_patience,
            outage_patience=outage_patience,
        )

    def connect_audio(
        self,
        *,
        measurement_timer_ms: int | None = None,
        reconnect: bool | Reconnect = True,
        replay_seconds: float = 30.0,
        sends_again: bool = True,
    ) -> AudioSession:
        """Prepare a session that measures a voice while it speaks; `async with` opens it.

        Connected time is free, audio is billed by its length, silence too, and at least ten
        seconds a session. Costs one handshake, and one for each time that it is opened anew.

        Args:
            measurement_timer_ms: Milliseconds of speech between two measurements, 3000 to 10000;
                the service takes 3000 if left out.
            reconnect: Whether, or how, to open the session anew when it is lost.
            replay_seconds: Seconds of speech that are kept to be sent again then.
            sends_again: Whether audio that was refused for its pace is sent again; false leaves
                it out, as live sources may want.

        Returns:
            The session, not open yet.

        Raises:
            InvalidArgumentError: A value is out of range.

        Entering it raises `GatewayUnsupportedError` through the gateway, and what any call may
        raise where the handshake fails.

        Source: https://dev.hume.ai/docs/expression-measurement/overview
        """
        from humeai_async.expression.audio_session import AudioSession
        from humeai_async.types.expression_messages import SessionUpdate

        check_timer(measurement_timer_ms)
        check_seconds("replay_seconds", replay_seconds)
        update = None
        if measurement_timer_ms is not None:
            update = SessionUpdate(measurement_timer_ms=measurement_timer_ms)
        return AudioSession(
            self._session,
            update,
            read_reconnect(reconnect),
            replay_seconds=min(replay_seconds, LONGEST_REPLAY),
            sends_again=sends_again,
        )

    def connect_video(
        self,
        *,
        face: FaceSettings | Mapping[str, Any] | None = None,
        reconnect: bool | Reconnect = True,
        sends_again: bool = True,
    ) -> VideoSession:
        """Prepare a session that measures faces frame by frame; `async with` opens it.

        Connected time is free, each frame is billed as a third of a second, and at least ten
        seconds a session. Costs one handshake, and one for each time that it is opened anew.

        Args:
            face: Which faces are listed: `threshold` and `min_size`.
            reconnect: Whether, or how, to open the session anew when it is lost.
            sends_again: Whether frames that were refused for their pace, or left without a reply,
                are sent again; false leaves them out, as live sources may want.

        Returns:
            The session, not open yet.

        Raises:
            InvalidArgumentError: A value is out of range.

        Entering it raises `GatewayUnsupportedError` through the gateway, and what any call may
        raise where the handshake fails.

        Source: https://dev.hume.ai/docs/expression-measurement/overview
        """
        from humeai_async.expression.video_session import VideoSession
        from humeai_async.types.expression_messages import SessionUpdate

        settings = check_face(face, is_session=True)
        update = SessionUpdate(face=FaceSettings(**settings)) if settings else None
        return VideoSession(
            self._session, update, read_reconnect(reconnect), sends_again=sends_again
        )

    async def measure_images(
        self,
        files: Sequence[File],
        *,
        face: FaceSettings | Mapping[str, Any] | None = None,
        face_state: str | None = None,
    ) -> ImagesResult:
        """Measure the faces in images.

        Costs one request, which is billed a third of a second for each image and at least ten
        seconds, unless it fails: 30 images cost what one costs. One bad image fails the whole
        request, so all are checked before they are sent.

        Args:
            files: JPEG images in the order that numbers the results, each a path, bytes, an open
                file or an `Upload`. An image has 2 MB and 8,294,400 pixels at most, all
                together have 25 MB.
            face: Which faces are listed: `threshold`, `min_size`, and whether `face_state` is to
                be returned.
            face_state: That of an earlier result of the last 24 hours, for `face_id` to go on. One
                that is too old, altered or of another account is ignored by the service.

        Returns:
            One measurement for each image; an image without faces is a normal result.

        Raises:
            InvalidArgumentError: The service would refuse the request; `code` is its own.
            GatewayUnsupportedError: Through the gateway; nothing was read or sent.

        Source: https://dev.hume.ai/docs/expression-measurement/overview
        """
        self._session.ensure_supported(catalog.EXPRESSION_MEASURE_IMAGES)
        settings = check_face(face)
        config: dict[str, Any] = {"face": settings} if settings else {}
        if face_state is not None:
            check_text("face_state", face_state)
            config["face_state"] = face_state
        parts = await image_parts(files)
        if config:
            parts.insert(0, config_part(config))
        call = fill(catalog.EXPRESSION_MEASURE_IMAGES, parts=parts)
        return await _with_upload_wait(self._session).call(call)


def _with_upload_wait(session: Session) -> Session:
    """Return a session that waits longer for a response, as uploads need."""
    timeout = session.timeout
    if timeout.read is None or timeout.read >= UPLOAD_WAIT:
        return session
    return session.with_settings(timeout=evolve(timeout, read=UPLOAD_WAIT))
