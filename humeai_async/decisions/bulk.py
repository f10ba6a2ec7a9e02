"""Decisions as a kind of work for bulk runs: a clip a request, the same questions for all.

The bill counts input tokens. `hume.decisions.create_many` makes one for each run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from humeai_async._base.base_values import is_number
from humeai_async.bulk.single_requests import Prepared, SingleRequests
from humeai_async.catalog import decisions as catalog
from humeai_async.decisions.uploads import LONGEST, SHORTEST, parts_of, read_clip
from humeai_async.http import codec
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.messages import Upload
from humeai_async.http.session import Session
from humeai_async.types.decisions import Decision, DecisionResponse
from humeai_async.types.json import is_object
from humeai_async.types.questions import QuestionSet


class TokenLine:
    """Tokens by the length of the audio: a straight line through two free estimates.

    Args:
        session: Makes the calls, which count toward the rate.
        questions: The questions.
    """

    def __init__(self, session: Session, questions: QuestionSet) -> None:
        self._session = session
        self._questions = questions
        self._lock = anyio.Lock()
        self._line: tuple[float, float] | None = None

    async def tokens(self, seconds: float) -> float:
        """Estimate the tokens of a clip; 0 where the service's estimates cannot be read."""
        async with self._lock:
            if self._line is None:
                least, most = await self._estimate(SHORTEST), await self._estimate(LONGEST)
                slope = (most - least) / (LONGEST - SHORTEST)
                self._line = least - slope * SHORTEST, slope
        base, slope = self._line
        return math.ceil(round(base + slope * seconds, 3))

    async def _estimate(self, seconds: float) -> int:
        body = {**self._questions.to_wire(), "audio_duration_ms": round(seconds * 1000)}
        found = await self._session.call(fill(catalog.DECISIONS_ESTIMATE, body=body))
        return found.tokens or 0


class DecisionWork(SingleRequests[Decision]):
    """Decisions, as the pipeline runs them.

    Args:
        session: Makes the calls.
        budget: Tokens that all starts together may be billed; `None` is without limit.
        questions: The questions for each clip.
        convert: Whether sound that is neither MP3 nor WAV is converted.
    """

    stem = "decisions"
    unit = "input tokens"
    bucket: str = catalog.DECISIONS_CREATE.bucket
    runs: Endpoint[Any] = catalog.DECISIONS_RUNS_LIST
    run: Endpoint[Any] = catalog.DECISIONS_RUNS_GET

    def __init__(
        self,
        session: Session,
        budget: float | None,
        questions: QuestionSet,
        *,
        convert: bool,
    ) -> None:
        super().__init__(session, budget)
        self._questions = questions
        self._convert = convert
        self._line = TokenLine(session, questions)

    @property
    def configuration(self) -> str:
        """What the results depend on besides the sources, as text."""
        return f"decisions {self._questions.hash}"

    async def prepare(self, files: Sequence[Upload]) -> Prepared:
        """Make the request for a clip, which shares it with no other."""
        (file,) = files
        clip = await read_clip(file, convert=self._convert)
        call = fill(catalog.DECISIONS_CREATE, parts=parts_of(self._questions, clip))
        return Prepared(call, len(clip.data), clip.seconds)

    async def price(self, seconds: float) -> float:
        """Return the tokens that a clip may cost; the first call costs two free requests."""
        return await self._line.tokens(seconds)

    def cost_of(self, response: Mapping[str, Any]) -> float:
        """Return the tokens that a response says were billed."""
        return _tokens(response) or 0.0

    def cost_of_run(self, run: Mapping[str, Any]) -> float | None:
        """Return the tokens of a run; a run without them was not billed."""
        return _tokens(run) or 0.0 if run.get("status") == "errored" else _tokens(run)

    def may_be(self, run: Mapping[str, Any], prepared: Prepared) -> bool:
        """Whether a run had a file of this size."""
        received = run.get("received")
        size = received.get("file_bytes") if is_object(received) else None
        return size is None or size == prepared.size

    def has_settings(self, run: Mapping[str, Any]) -> bool:
        """Whether a run had these questions, in this order."""
        request = run.get("request")
        if not is_object(request) or not is_object(request.get("questions")):
            return True
        sent = self._questions.to_wire()
        return _identities(request["questions"]) == _identities(sent["questions"]) and (
            request.get("context") or None
        ) == sent.get("context")

    def read_response(self, response: Any, seconds: float) -> Decision:
        """Read the results of a clip."""
        found = codec.structure(DecisionResponse, response)
        return Decision.read(found, self._questions, seconds=seconds)


def _tokens(found: Mapping[str, Any]) -> float | None:
    received = found.get("received")
    tokens = received.get("input_tokens") if is_object(received) else None
    return float(tokens) if is_number(tokens) else None


def _identities(questions: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what distinguishes questions, whatever the service has filled in."""
    return [
        (name, one.get("type"), one.get("instructions")) if is_object(one) else (name, None, one)
        for name, one in questions.items()
    ]
