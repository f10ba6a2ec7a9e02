"""The fake's Expression Measurement: uploads, runs and what they cost.

Speech, faces and scores follow from the bytes (`live_media.py`). Limits and refusals are those
of the documentation, with statuses as far as they are known. Sessions are in
`expression_sockets.py`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from humeai_async.testing.exchange import (
    Arrival,
    FakeResponse,
    FormPart,
    Record,
    as_record,
    json_response,
)
from humeai_async.testing.live_media import (
    SpeechFinder,
    faces,
    is_packed_sound,
    picture_size,
    wav_form,
)
from humeai_async.testing.live_runs import as_time, filtered, find_run, page_of, refusal
from humeai_async.testing.world import World

LARGEST_BODY = 25_000_000
LARGEST_IMAGE = 2_000_000
MOST_PIXELS = 8_294_400
SHORTEST_BILL = 10.0
"""Seconds that a run with any media costs at least."""


class ExpressionStore:
    """Runs of one fake, and the routes that make and list them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs: list[Record] = []
        """Every run, oldest first, as its own endpoint gives it."""
        self.files: dict[str, list[str]] = {}
        """SHA-256 of the files of each upload, by its run."""
        self.events: dict[str, list[Record]] = {}
        """Problems that sessions logged, by run."""
        self.has_size_limit: bool = True
        """Whether an upload over 25 MB is refused."""
        self._state_key = world.new_id("face-state")

    @property
    def metered_seconds(self) -> float:
        """Seconds that all runs together are billed."""
        return float(sum(run["metered_seconds"] for run in self.runs))

    def routes(self) -> dict[str, Any]:
        """Return the handlers by route."""
        return {
            "POST /v1/expression/audio/file": self.measure_audio,
            "POST /v1/expression/video/file": self.measure_images,
            "GET /v1/expression/run": self.list_runs,
            "GET /v1/expression/run/{id}": self.get_run,
            "GET /v1/expression/run/{id}/events": self.list_events,
        }

    def begin(self, endpoint: str, mode: str, config: Record) -> Record:
        """Open a run."""
        run: Record = {
            "run_id": self.world.new_id("expression-run"),
            "user_id": self.world.user_id,
            "status": "live",
            "endpoint": endpoint,
            "mode": mode,
            "started_at": as_time(self.world.now_ms() / 1000),
            "ended_at": None,
            "close_code": None,
            "close_reason": None,
            "bytes_received": None,
            "bytes_recorded": None,
            "metered_seconds": 0.0,
            "config": {"schema": "v4", **config},
        }
        self.runs.append(run)
        return run

    def end(self, run: Record, seconds: float, size: int, status: str = "ended") -> None:
        """Close a run and bill it."""
        run["status"], run["ended_at"] = status, as_time(self.world.now_ms() / 1000)
        run["bytes_received"] = run["bytes_recorded"] = size
        run["metered_seconds"] = max(SHORTEST_BILL, round(seconds, 3)) if size else 0.0

    def measure_audio(self, arrival: Arrival) -> FakeResponse:
        """Measure a recording."""
        config = self._config(arrival, {"measurement_timer_ms"})
        timer = read_timer(config)
        files = [part for part in arrival.parts or () if part.name == "file"]
        if len(files) != 1:
            raise refusal(400, "message_invalid", "there must be one file part")
        if self.has_size_limit and _size(arrival) > LARGEST_BODY:
            raise refusal(413, "audio_too_long", "the request is over the size limit")
        samples = _samples(files[0].content)
        finder = SpeechFinder(timer)
        messages = [*finder.feed(samples), *finder.end()]
        run = self.begin("audio", "file", {"audio": AUDIO, "measurement_timer_ms": timer})
        duration_ms = len(samples) // 32
        self.end(run, duration_ms / 1000, files[0].size)
        self.files[run["run_id"]] = [files[0].sha256]
        return json_response(
            {
                "request_id": self.world.new_id("request").replace("-", ""),
                "run_id": run["run_id"],
                "received": {"audio_duration_ms": duration_ms},
                "utterances": _without_type(messages, "utterance.end"),
                "measurements": _without_type(messages, "measurement.result"),
            }
        )

    def measure_images(self, arrival: Arrival) -> FakeResponse:
        """Measure images."""
        config = self._config(arrival, {"face", "face_state"})
        face = read_face(config, {"threshold", "min_size", "return_face_state"})
        files = [part for part in arrival.parts or () if part.name == "file"]
        if not files:
            raise refusal(400, "message_invalid", "there must be a file part")
        for index, part in enumerate(files):
            _check_image(index, part)
        if self.has_size_limit and _size(arrival) > LARGEST_BODY:
            raise refusal(413, "image_too_large", "the request is over the size limit")
        next_id = self._known_faces(config.get("face_state"))
        measured: list[Record] = []
        first_ids: dict[str, int] = {}
        for index, part in enumerate(files):
            first_id = first_ids.setdefault(part.sha256, next_id)
            found = faces(part.content, first_id, face["threshold"])
            measured.append({"frame_id": index, "faces": found})
            next_id = max(next_id, first_id + len(found))
        run = self.begin("video", "file", {"image": IMAGE, "face": face})
        self.end(run, len(files) / 3, sum(part.size for part in files))
        self.files[run["run_id"]] = [part.sha256 for part in files]
        body: Record = {
            "request_id": self.world.new_id("request").replace("-", ""),
            "run_id": run["run_id"],
            "received": {"frames": len(files)},
            "measurements": measured,
        }
        if face.get("return_face_state"):
            state = f"{self._state_key}/{next_id}".encode()
            body["face_state"] = base64.b64encode(state).decode()
        return json_response(body)

    def list_runs(self, arrival: Arrival) -> FakeResponse:
        """List runs."""
        page = page_of(filtered(self.runs, arrival, "status", "mode", "endpoint"), arrival)
        left_out = {"close_code", "close_reason", "config"}
        page["runs"] = [
            {name: value for name, value in run.items() if name not in left_out}
            for run in page.pop("items")
        ]
        return json_response(page)

    def get_run(self, arrival: Arrival, id: str) -> FakeResponse:
        """Give one run."""
        del arrival
        return json_response(find_run(self.runs, id))

    def list_events(self, arrival: Arrival, id: str) -> FakeResponse:
        """List a session's problems."""
        run = find_run(self.runs, id)
        page = page_of(self.events.get(run["run_id"], []), arrival)
        page["events"] = page.pop("items")
        return json_response({**page, "at_cap": False, "capped_kinds": [], "gaps": False})

    def _known_faces(self, state: object) -> int:
        """Return the next face id of an earlier upload; another account's state is ignored."""
        try:
            key, _, number = base64.b64decode(str(state)).decode().partition("/")
            return int(number) if key == self._state_key else 0
        except ValueError:
            return 0

    def _config(self, arrival: Arrival, known: set[str]) -> Record:
        part = arrival.part("config")
        if part is None:
            return {}
        if part.content_type != "application/json":
            raise refusal(400, "message_invalid", "config must be application/json")
        return read_config(part.content, known)


AUDIO: Record = {"type": "audio/pcm", "encoding": "s16le", "sample_rate": 16000, "channels": 1}
IMAGE: Record = {"type": "image/jpeg"}


def read_config(text: bytes, known: set[str]) -> Record:
    """Read settings; a key that is not known is refused."""
    try:
        config: Any = json.loads(text)
    except ValueError:
        raise refusal(400, "message_invalid", "config is not JSON") from None
    record = as_record(config)
    if record is None:
        raise refusal(400, "config_invalid", "config is no object")
    for name in record.keys() - known:
        raise refusal(400, "config_invalid", f"config holds an unknown setting: {name}")
    return record


def read_timer(config: Record) -> int:
    """Return the time between measurements."""
    timer: Any = config.get("measurement_timer_ms", 3000)
    if type(timer) is not int or not 3000 <= timer <= 10000:  # noqa: PLR2004 - as documented
        raise refusal(400, "config_invalid", "measurement_timer_ms is out of range")
    return timer


def read_face(config: Record, known: set[str]) -> Record:
    """Return the settings for faces, with their defaults."""
    given = as_record(config.get("face", {}))
    face: Record = {"threshold": 0.9, "min_size": 60, **(given or {})}
    threshold, size = face["threshold"], face["min_size"]
    are_numbers = type(threshold) in {int, float} and type(size) is int
    is_known = given is not None and not face.keys() - known
    if not (is_known and are_numbers and 0 <= threshold <= 1 and size >= 1):
        raise refusal(400, "config_invalid", "face holds a setting that cannot be")
    return face


def _size(arrival: Arrival) -> int:
    return sum(part.size for part in arrival.parts or ())


def _samples(data: bytes) -> bytes:
    if not data:
        raise refusal(400, "audio_decode_failed", "the file is empty")
    if is_packed_sound(data):
        raise refusal(415, "unsupported_media_type", "the file is no WAV")
    samples = data
    if data[:4] == b"RIFF":
        form = wav_form(data)
        if form is None or form[:4] != (1, 1, 16000, 16):
            raise refusal(400, "audio_decode_failed", "the WAV file is not 16 kHz 16 bit mono")
        samples = form[5]
    if not samples or len(samples) % 2:
        raise refusal(400, "audio_decode_failed", "the samples are not whole")
    return samples


def _check_image(index: int, part: FormPart) -> None:
    if part.content[:3] != b"\xff\xd8\xff":
        raise refusal(415, "unsupported_media_type", f"image {index} is no JPEG")
    if part.size > LARGEST_IMAGE:
        raise refusal(413, "image_too_large", f"image {index} is over the size limit")
    size = picture_size(part.content)
    if size is None:
        raise refusal(400, "image_decode_failed", f"image {index} could not be decoded")
    if size[0] * size[1] > MOST_PIXELS:
        raise refusal(413, "image_too_large", f"image {index} has too many pixels")


def _without_type(messages: list[Record], kind: str) -> list[Record]:
    return [
        {name: value for name, value in one.items() if name != "type"}
        for one in messages
        if one["type"] == kind
    ]
