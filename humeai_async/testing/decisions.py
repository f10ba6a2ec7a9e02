"""The fake's Audio Decisions: results that follow from sound and questions, runs, and a rate.

Limits and refusals are those of the documentation, with statuses as far as they are known. It
shares no code with the client.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    FormPart,
    Record,
    Refusal,
    as_record,
    json_response,
)
from humeai_async.testing.live_media import is_packed_sound, wav_form
from humeai_async.testing.live_runs import as_time, filtered, find_run, page_of, refusal
from humeai_async.testing.world import World

LARGEST_BODY = 25_000_000
_MP3_BYTES_A_SECOND = 16_000
_TOKENS_A_SECOND = 32


class DecisionStore:
    """Runs of one fake, and the routes that make and list them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs: list[Record] = []
        """Every run, oldest first, as its own endpoint gives it."""
        self.files: dict[str, str] = {}
        """SHA-256 of the file of each run, by its id."""
        self.calls_a_minute: int = 600
        """Calls that any 60 seconds take."""
        self.omit: set[str] = set()
        """Ids of questions that get no result."""
        self.on_run: list[Callable[[Record], None]] = []
        """Each is called with one run that is made, in turn, such as to have it end in error."""
        self._calls: deque[float] = deque()

    @property
    def input_tokens(self) -> int:
        """Tokens that all runs together are billed."""
        return sum(run["received"].get("input_tokens", 0) for run in self.runs)

    def routes(self) -> dict[str, Any]:
        """Return the handlers by route."""
        return {
            "POST /v0/decisions/file": self._paced(self.create),
            "POST /v0/decisions/file/input_tokens": self._paced(self.estimate),
            "GET /v0/decisions/run": self._paced(self.list_runs),
            "GET /v0/decisions/run/{id}": self._paced(self.get_run),
        }

    def create(self, arrival: Arrival) -> FakeResponse:
        """Put questions to a clip."""
        parts = list(arrival.parts or ())
        if [part.name for part in parts] != ["request", "file"]:
            raise refusal(400, "message_invalid", "request, then one file", param="file")
        if sum(part.size for part in parts) > LARGEST_BODY:
            raise refusal(413, "payload_too_large", "the request is over 25000000 bytes")
        request = _read_request(parts[0].content)
        milliseconds = _length(parts[1])
        _check_length(milliseconds, "file")
        tokens = _tokens(request, milliseconds)
        now = as_time(self.world.now_ms() / 1000)
        run: Record = {
            "run_id": self.world.new_id("decision-run"),
            "user_id": self.world.user_id,
            "status": "ended",
            "started_at": now,
            "ended_at": now,
            "received": {"file_bytes": parts[1].size, "input_tokens": tokens},
            "request": request,
        }
        self.runs.append(run)
        self.files[run["run_id"]] = parts[1].sha256
        if self.on_run:
            self.on_run.pop(0)(run)
        seed = parts[1].sha256 + json.dumps(request)
        results = {
            name: _KINDS[question["type"]](question, f"{seed}{name}".encode(), milliseconds)
            for name, question in request["questions"].items()
            if name not in self.omit
        }
        body = {"run_id": run["run_id"], "responses": results, "received": {"input_tokens": tokens}}
        return json_response(body)

    def estimate(self, arrival: Arrival) -> FakeResponse:
        """Estimate a bill."""
        request = arrival.object()
        milliseconds: Any = request.pop("audio_duration_ms", None)
        if type(milliseconds) is not int:
            raise refusal(400, "message_invalid", "no duration", param="/audio_duration_ms")
        _check_length(milliseconds, "/audio_duration_ms")
        _check_questions(request)
        return json_response({"input_tokens": _tokens(request, milliseconds)})

    def list_runs(self, arrival: Arrival) -> FakeResponse:
        """List runs."""
        page = page_of(filtered(self.runs, arrival, "status"), arrival)
        runs = page.pop("items")
        page["runs"] = [{k: v for k, v in run.items() if k != "request"} for run in runs]
        return json_response(page)

    def get_run(self, arrival: Arrival, id: str) -> FakeResponse:
        """Give one run."""
        del arrival
        return json_response(find_run(self.runs, id))

    def _paced(self, handler: Any) -> Any:
        def handle(*args: Any) -> FakeResponse:
            now = self.world.clock.now()
            while self._calls and self._calls[0] <= now - 60:
                self._calls.popleft()
            if len(self._calls) >= self.calls_a_minute:
                message = "API rate limit exceeded"
                raise Refusal(429, message, body={"message": message})
            self._calls.append(now)
            response: FakeResponse = handler(*args)
            return response

        return handle


def _read_request(text: bytes) -> Record:
    try:
        request: Any = json.loads(text)
    except ValueError:
        raise refusal(400, "message_invalid", "request is not JSON", param="request") from None
    _check_questions(request)
    record: Record = request
    return record


def _check_questions(request: object) -> None:
    body = as_record(request) or {}
    questions = as_record(body.get("questions"))
    if not questions or not all(as_record(one) for one in questions.values()):
        raise refusal(400, "question_invalid", "no questions", param="/questions")
    if len(body.get("context") or "") > 1000:  # noqa: PLR2004 - as documented
        raise refusal(400, "question_invalid", "the context is too long", param="/context")
    kinds = [one.get("type") for one in questions.values()]
    if kinds.count("span") > 5 or len(kinds) - kinds.count("span") > 20:  # noqa: PLR2004 - as documented
        raise refusal(400, "question_invalid", "too many questions", param="/questions")
    for name, one in questions.items():
        place = f"/questions/{name}"
        if not name or len(name) > 256 or one.get("type") not in _KINDS:  # noqa: PLR2004 - as documented
            raise refusal(400, "question_invalid", "no such question", param=place)
        if one["type"] in {"choice", "score"} and len(one.get("criteria", ())) < 2:  # noqa: PLR2004 - as said below
            raise refusal(400, "question_invalid", "two or more", param=f"{place}/criteria")


def _length(part: FormPart) -> int:
    """Return the milliseconds of a clip."""
    form = wav_form(part.content) if part.content[:4] == b"RIFF" else None
    if form is not None:
        return round(len(form[5]) / (form[4] * form[2]) * 1000)
    if is_packed_sound(part.content) and part.content[:4] not in {b"fLaC", b"OggS", b"RIFF"}:
        return round(part.size / _MP3_BYTES_A_SECOND * 1000)
    message = "the file is neither MP3 nor WAV"
    raise refusal(415, "audio_format_unsupported", message, param="file")


def _check_length(milliseconds: int, param: str) -> None:
    if milliseconds < 1000:  # noqa: PLR2004 - as documented
        message = f"the audio is {milliseconds} ms long"
        raise refusal(400, "audio_too_short", message, param=param)
    if milliseconds > 300_000:  # noqa: PLR2004 - as documented
        message = f"the audio is {milliseconds} ms long"
        raise refusal(400, "audio_too_long", message, param=param)


def _tokens(request: Record, milliseconds: int) -> int:
    return milliseconds * _TOKENS_A_SECOND // 1000 + 4 * len(request["questions"])


def _shares(seed: bytes, count: int) -> list[float]:
    digest = hashlib.blake2b(seed, digest_size=max(1, count)).digest()
    weights = [byte + 1 for byte in digest]
    return [round(one / sum(weights), 4) for one in weights]


def _noul(question: Record, seed: bytes, milliseconds: int) -> Record:
    del question, milliseconds
    return {"type": "noul", "noul": round(hashlib.blake2b(seed).digest()[0] / 255, 4)}


def _choice(question: Record, seed: bytes, milliseconds: int) -> Record:
    del milliseconds
    names = [one["name"] for one in question["criteria"]]
    shares = dict(zip(names, _shares(seed, len(names)), strict=True))
    best = max(shares, key=lambda name: shares[name])
    return {"type": "choice", "choice": best, "probabilities": shares, "confidence": shares[best]}


def _score(question: Record, seed: bytes, milliseconds: int) -> Record:
    del milliseconds
    levels = question["criteria"]
    shares = _shares(seed, len(levels))
    return {
        "type": "score",
        "score": round(sum(place * share for place, share in enumerate(shares)), 4),
        "probabilities": {str(place): share for place, share in enumerate(shares)},
        "legend": {str(place): level for place, level in enumerate(levels)},
        "confidence": max(shares),
    }


def _span(question: Record, seed: bytes, milliseconds: int) -> Record:
    del question
    start = int.from_bytes(hashlib.blake2b(seed).digest()[:4], "big") % max(1, milliseconds - 500)
    span = {"start_ms": start, "end_ms": start + 500, "probability": 0.77}
    return {"type": "span", "spans": [span]}


_KINDS = {"noul": _noul, "choice": _choice, "score": _score, "span": _span}
