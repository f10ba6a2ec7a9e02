"""Recordings to be measured as a kind of work for bulk runs: a recording a request.

The bill counts seconds of audio, at least ten a recording. `hume.expression.measure_many` makes
one for each run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from humeai_async.bulk.bill import Bill
from humeai_async.bulk.single_requests import Prepared, SingleRequests
from humeai_async.bulk.work import ServiceClock
from humeai_async.catalog import expression as catalog
from humeai_async.expression.limits import ENVELOPE, SHORTEST_BILL, TIMER_MS
from humeai_async.expression.uploads import audio_part, config_part
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.messages import Upload
from humeai_async.http.session import Session
from humeai_async.media.wav import HEADER_BYTES, RATE, WIDTH
from humeai_async.types.expression import AudioResult
from humeai_async.types.json import is_object

UNIT = "seconds"
_SECOND = RATE * WIDTH


class MeasureWork(SingleRequests[AudioResult]):
    """Uploads of recordings, as the pipeline runs them.

    Args:
        session: Makes the calls.
        clock: Learns the service's time.
        bill: What they cost.
        measurement_timer_ms: Milliseconds of speech between two measurements.
        convert: Whether sound of another form is converted.
    """

    runs: Endpoint[Any] = catalog.EXPRESSION_RUNS_LIST
    run: Endpoint[Any] = catalog.EXPRESSION_RUNS_GET

    def __init__(
        self,
        session: Session,
        clock: ServiceClock,
        bill: Bill,
        measurement_timer_ms: int | None,
        *,
        convert: bool,
    ) -> None:
        super().__init__(session, clock, bill)
        self._timer = measurement_timer_ms
        self._convert = convert

    @property
    def configuration(self) -> str:
        """What the results depend on besides the sources, as text."""
        return f"expression audio {self._timer or TIMER_MS[0]}"

    async def prepare(self, file: Upload) -> Prepared:
        """Make the request for a recording."""
        part = await audio_part(file, is_headerless=False, convert=self._convert)
        parts = [part]
        if self._timer is not None:
            parts.insert(0, config_part({"measurement_timer_ms": self._timer}))
        size = part.size or 0
        call = fill(catalog.EXPRESSION_MEASURE_AUDIO, parts=parts)
        return Prepared(call, size, max(0, size - HEADER_BYTES) / _SECOND)

    async def price(self, seconds: float) -> float:
        """Return the seconds that a recording is billed."""
        return max(SHORTEST_BILL, seconds)

    def cost_of(self, response: Mapping[str, Any]) -> float:
        """Return the seconds that a response is billed, by the length of what was taken in."""
        received = response.get("received")
        length = received.get("audio_duration_ms") if is_object(received) else None
        return max(SHORTEST_BILL, length / 1000 if isinstance(length, (int, float)) else 0.0)

    def cost_of_run(self, run: Mapping[str, Any]) -> float | None:
        """Return the seconds of a run; one that is live is not billed to its end yet."""
        seconds = run.get("metered_seconds")
        if run.get("status") == "live" or not isinstance(seconds, (int, float)):
            return None
        return float(seconds)

    def may_be(self, run: Mapping[str, Any], prepared: Prepared) -> bool:
        """Whether a run is an upload of audio of this size and length."""
        if (run.get("endpoint"), run.get("mode")) != ("audio", "file"):
            return False
        size, seconds = run.get("bytes_received"), self.cost_of_run(run)
        # Whether headers and the parts around the file are counted, nobody says.
        is_size = not size or abs(size - prepared.size) <= ENVELOPE
        is_length = not seconds or abs(seconds - max(SHORTEST_BILL, prepared.seconds)) < 1
        return is_size and is_length

    def has_settings(self, run: Mapping[str, Any]) -> bool:
        """Whether a run was made with this timer."""
        config = run.get("config")
        timer = config.get("measurement_timer_ms") if is_object(config) else None
        return timer is None or timer == (self._timer or TIMER_MS[0])

    def read_response(self, response: Any, seconds: float) -> AudioResult:
        """Read what was measured."""
        del seconds
        return codec.structure(AudioResult, response)
