"""Recordings and images to be measured as a kind of work for bulk runs.

A recording has a request for itself, or one for each part, as `hume.expression.measure` does;
images may share one (`images.py`). The bill counts seconds, at least ten a request.
`hume.expression.measure_many` makes one for each run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from attrs import evolve

from humeai_async._base.base_values import is_number
from humeai_async._base.cancellation import in_thread
from humeai_async.bulk.ledger_records import PART, Plan, key_of
from humeai_async.bulk.single_requests import (
    Prepared,
    Quote,
    SingleRequests,
    keep_result,
    key_of_digest,
    read_part,
)
from humeai_async.bulk.work import Division, DoPart, Item, Reading
from humeai_async.catalog import expression as catalog
from humeai_async.errors import HumeError, InvalidArgumentError
from humeai_async.expression.images import (
    FRAME_SECONDS,
    IMAGE,
    Measured,
    describe_face,
    has_face_settings,
    identify_image,
    is_picture,
    own_results,
)
from humeai_async.expression.limits import (
    AUDIO_TOO_LONG,
    ENVELOPE,
    SHORTEST_BILL,
    TIMER_MS,
    UNSUPPORTED,
)
from humeai_async.expression.recordings import measure_recording
from humeai_async.expression.uploads import audio_part, config_part, image_parts, refuse
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.messages import Part, Upload
from humeai_async.http.multipart import LARGEST_FILE, File, pieces_of
from humeai_async.http.session import Session
from humeai_async.media.formats import HEAD, Kind, kind_of
from humeai_async.media.recordings import Recording, read_recording
from humeai_async.media.wav import HEADER_BYTES, RATE, WIDTH
from humeai_async.types.expression import AudioResult
from humeai_async.types.json import is_object
from humeai_async.types.paging import Items

_SECOND = RATE * WIDTH
_ANY_SIZE = 1 << 62
_NOTHING = AudioResult(run_id="", utterances=Items(()), measurements=Items(()))


class MeasureWork(SingleRequests[Measured]):
    """Uploads of recordings and images, as the pipeline runs them.

    Args:
        session: Makes the calls.
        budget: Seconds that all starts together may be billed; `None` is without limit.
        measurement_timer_ms: Milliseconds of speech between two measurements.
        face: Which faces of images are listed.
        convert: Whether sound of another form is converted.
    """

    stem = "measurements"
    unit = "seconds"
    bucket: str = catalog.EXPRESSION_MEASURE_AUDIO.bucket
    runs: Endpoint[Any] = catalog.EXPRESSION_RUNS_LIST
    run: Endpoint[Any] = catalog.EXPRESSION_RUNS_GET

    def __init__(
        self,
        session: Session,
        budget: float | None,
        measurement_timer_ms: int | None,
        face: Mapping[str, Any],
        *,
        convert: bool,
    ) -> None:
        super().__init__(session, budget)
        self.division: Division[File, Measured] | None = self
        self._timer = measurement_timer_ms
        self._face = face
        self._convert = convert

    @property
    def configuration(self) -> str:
        """What the results depend on besides the sources, as text."""
        return f"expression audio {self._timer or TIMER_MS[0]}{describe_face(self._face)}"

    async def look_at(self, source: File) -> Item[File]:
        """Say what a source is: images share requests."""
        if await is_picture(source):
            return await identify_image(source)
        return await super().look_at(source)

    async def quote(self, source: File) -> Quote:
        """Say what a source would cost, all parts of it as far as can be known before.

        Raises:
            InvalidArgumentError: The service would not take it.
        """
        if await is_picture(source):
            item = await identify_image(source)
            if item.problem is not None:
                raise item.problem
            cost = await self.price(FRAME_SECONDS)
            return Quote(item.key, FRAME_SECONDS, cost, item.share)
        try:
            return await super().quote(source)
        except InvalidArgumentError as problem:
            if not self.is_for_parts(problem):
                raise
        lengths: list[float] = []

        async def measure(part: Part, start_ms: int) -> AudioResult:
            del start_ms
            lengths.append(max(0, (part.size or 0) - HEADER_BYTES) / _SECOND)
            return _NOTHING

        await measure_recording(await self._recording(source), measure)
        cost = sum([await self.price(one) for one in lengths])
        return Quote(await self._key_of(source), sum(lengths), cost)

    def is_for_parts(self, problem: HumeError) -> bool:
        """Whether a recording was refused for its length."""
        return isinstance(problem, InvalidArgumentError) and problem.code == AUDIO_TOO_LONG

    async def do_in_parts(
        self, item: Item[File], do_part: DoPart[File, Measured]
    ) -> tuple[Measured, str, bytes]:
        """Measure a recording part by part.

        Raises:
            PartialResultError: A part failed after others had been measured.
            InvalidArgumentError: It holds no sound that can be read, or has changed since.
        """
        recording = await self._recording(item.source)
        await self._check_unchanged(item)

        async def measure(part: Part, start_ms: int) -> AudioResult:
            data = cast("bytes", part.content)
            digest = await in_thread(lambda: hashlib.sha256(data).hexdigest())
            key = key_of(PART, f"{item.key.hex()} {start_ms} {digest}")
            found = await do_part(Item(PART, key, Upload(data, "part.wav")))
            return cast("AudioResult", found)

        result = await measure_recording(recording, measure)
        await self._check_unchanged(item)  # else these are parts of two recordings
        seconds = ((result.received and result.received.audio_duration_ms) or 0) / 1000
        name = f"{result.run_id}+{len(result.run_ids) - 1}"
        return result, name, keep_result(seconds, codec.encode(result))

    async def _check_unchanged(self, item: Item[File]) -> None:
        if await self._key_of(item.source) != item.key:
            raise InvalidArgumentError("a source was changed during the run", field="sources")

    async def _recording(self, source: File) -> Recording:
        found = await read_recording(source, argument="sources", code=UNSUPPORTED)
        return evolve(found, converts=self._convert)

    async def _key_of(self, source: File) -> bytes:
        part, digest = await read_part(source, largest=_ANY_SIZE), hashlib.sha256()
        async with aclosing(pieces_of(part)) as pieces:
            async for piece in pieces:
                await in_thread(digest.update, piece)
        return key_of_digest(digest.hexdigest())

    async def _read(self, source: File) -> Upload:
        part = await read_part(source, largest=_ANY_SIZE)
        if (part.size or 0) > LARGEST_FILE:
            raise refuse("the recording is read part by part", AUDIO_TOO_LONG, "sources")
        return await super()._read(source)

    async def prepare(self, files: Sequence[Upload]) -> Prepared:
        """Make the request for a recording, or for images that share it."""
        if kind_of(cast("bytes", files[0].content)[:HEAD]) is Kind.JPEG:
            return await self._prepare_images(files)
        (file,) = files
        part = await audio_part(file, is_headerless=False, convert=self._convert)
        parts = [part]
        if self._timer is not None:
            parts.insert(0, config_part({"measurement_timer_ms": self._timer}))
        size = part.size or 0
        call = fill(catalog.EXPRESSION_MEASURE_AUDIO, parts=parts)
        return Prepared(call, size, max(0, size - HEADER_BYTES) / _SECOND)

    async def _prepare_images(self, files: Sequence[Upload]) -> Prepared:
        parts = await image_parts(files)
        size = sum(part.size or 0 for part in parts)
        if self._face:
            parts.insert(0, config_part({"face": self._face}))
        call = fill(catalog.EXPRESSION_MEASURE_IMAGES, parts=parts)
        return Prepared(call, size, len(files) * FRAME_SECONDS)

    async def price(self, seconds: float) -> float:
        """Return the seconds that a request is billed."""
        return max(SHORTEST_BILL, seconds)

    def cost_of(self, response: Mapping[str, Any]) -> float:
        """Return the seconds that a response is billed, by what was taken in."""
        received: Mapping[str, Any] = found if is_object(found := response.get("received")) else {}
        length, frames = received.get("audio_duration_ms"), received.get("frames")
        if is_number(frames):
            return max(SHORTEST_BILL, frames * FRAME_SECONDS)
        return max(SHORTEST_BILL, length / 1000 if is_number(length) else 0.0)

    def cost_of_run(self, run: Mapping[str, Any]) -> float | None:
        """Return the seconds of a run; one that is live is not billed to its end yet."""
        seconds = run.get("metered_seconds")
        if run.get("status") == "live" or not is_number(seconds):
            return None
        return float(seconds)

    def may_be(self, run: Mapping[str, Any], prepared: Prepared) -> bool:
        """Whether a run is an upload of the same kind, size and length."""
        has_images = prepared.call.endpoint is catalog.EXPRESSION_MEASURE_IMAGES
        kind = "video" if has_images else "audio"
        if (run.get("endpoint"), run.get("mode")) != (kind, "file"):
            return False
        size, seconds = run.get("bytes_received"), self.cost_of_run(run)
        length = prepared.seconds + prepared.missing * FRAME_SECONDS
        # Whether headers and the parts around each file are counted, nobody says.
        around = ENVELOPE * len(prepared.call.parts)
        more = size - prepared.size if is_number(size) and size else 0
        is_size = -around <= more and (more <= around or prepared.missing > 0)
        is_length = not seconds or abs(seconds - max(SHORTEST_BILL, length)) < 1
        return is_size and is_length

    def has_settings(self, run: Mapping[str, Any]) -> bool:
        """Whether a run was made with this timer, or these settings for faces."""
        config = run.get("config")
        timer = config.get("measurement_timer_ms") if is_object(config) else None
        is_timer = not is_number(timer) or timer == (self._timer or TIMER_MS[0])
        return is_timer and has_face_settings(run, self._face)

    def read_each(
        self, plan: Plan, response: Any, seconds: float, items: Sequence[Item[File]]
    ) -> list[Reading[Measured]]:
        """Find the results of some sources of a request."""
        if plan.kind == IMAGE:
            return own_results(response, plan, items)
        return super().read_each(plan, response, seconds, items)

    def read_response(self, response: Any, seconds: float) -> AudioResult:
        """Read what was measured."""
        del seconds
        return codec.structure(AudioResult, response)
