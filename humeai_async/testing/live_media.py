"""What the fake's newer products make of media: speech, faces and scores that follow from bytes.

The same sound always gives the same scores, wherever it stands in a recording; louder stretches
are speech. It shares no code with the client.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator

from humeai_async.testing.exchange import Record

LIVE_PRODUCTS = ("/v1/expression/", "/v0/decisions/")
"""Beginnings of the paths of the products that look at all that is uploaded."""
FRAME_MS = 20
SAMPLES_PER_MS = 16
_FRAME = FRAME_MS * SAMPLES_PER_MS * 2
_WINDOW_MS = 10_000
_HANGOVER = 30
"""Quiet frames that end an utterance."""
_LOUD = 400
"""Largest sample of a quiet frame."""
EXPRESSIONS = ("amusement", "calmness", "joy", "interest", "surprise (positive)", "tiredness")
ATTRIBUTES = ("calm", "clear", "fast", "low-pitched")
DESCRIPTIONS = ("grin", "jaw drop", "smile", "wide-eyed")


def scores(seed: bytes, names: tuple[str, ...], least: float) -> list[Record]:
    """Return scores from `least` on that follow from some bytes, best first."""
    digest = hashlib.blake2b(seed, digest_size=4 * len(names)).digest()
    found: list[Record] = []
    for place, name in enumerate(names):
        value = struct.unpack_from("<I", digest, 4 * place)[0] / 2**32
        if value >= max(least, 0.4):
            found.append({"name": name, "probability": round(value, 4)})
    return sorted(found, key=lambda one: -one["probability"])


class SpeechFinder:
    """Finds utterances in samples as they come, and measures them.

    Args:
        timer_ms: Milliseconds of speech between two measurements.
    """

    def __init__(self, timer_ms: int) -> None:
        self.utterances: int = 0
        self.measurements: int = 0
        self.now_ms: int = 0
        self._timer_ms = timer_ms
        self._rest = b""
        self._sound = bytearray()
        self._sound_from_ms = 0
        self._start_ms: int | None = None
        self._loud_ms = 0
        self._measured_ms = 0
        self._next_ms = 0

    def feed(self, samples: bytes) -> Iterator[Record]:
        """Take samples, and give the messages that they bring."""
        data = self._rest + samples
        whole = len(data) - len(data) % _FRAME
        self._rest = data[whole:]
        for at in range(0, whole, _FRAME):
            yield from self._take(data[at : at + _FRAME])

    def end(self) -> Iterator[Record]:
        """End the speech under way, if there is any."""
        if self._start_ms is not None:
            yield from self._stop()

    def _take(self, frame: bytes) -> Iterator[Record]:
        numbers = array("h", frame)[::8]
        is_loud = max(numbers) > _LOUD or min(numbers) < -_LOUD
        if self._start_ms is None:
            if is_loud:
                yield self._begin()
            else:
                self.now_ms += FRAME_MS
                return
        self._sound += frame
        self.now_ms += FRAME_MS
        if is_loud:
            self._loud_ms = self.now_ms
        if self.now_ms >= self._next_ms:
            self._next_ms += self._timer_ms
            yield self._measure(self.now_ms, "interval")
        if self.now_ms - self._loud_ms >= _HANGOVER * FRAME_MS:
            yield from self._stop()

    def _begin(self) -> Record:
        self._start_ms = self._sound_from_ms = self.now_ms
        self._sound.clear()
        self._measured_ms = -1
        self._next_ms = self.now_ms + self._timer_ms
        self.utterances += 1
        return {
            "type": "utterance.start",
            "utterance_id": self.utterances - 1,
            "audio_start_ms": self.now_ms,
        }

    def _stop(self) -> Iterator[Record]:
        start, end = self._start_ms or 0, self._loud_ms
        if self._measured_ms < 0 or end - self._measured_ms >= 1000:  # noqa: PLR2004 - a second
            yield self._measure(end, "speech_ended")
        self._start_ms = None
        yield {
            "type": "utterance.end",
            "utterance_id": self.utterances - 1,
            "audio_start_ms": start,
            "audio_end_ms": end,
        }

    def _measure(self, end_ms: int, trigger: str) -> Record:
        start_ms = max(self._start_ms or 0, end_ms - _WINDOW_MS)
        base = self._sound_from_ms
        sound = bytes(self._sound[_bytes(start_ms - base) : _bytes(end_ms - base)])
        self._measured_ms = end_ms
        self.measurements += 1
        return {
            "type": "measurement.result",
            "measurement_id": self.measurements - 1,
            "utterance_id": self.utterances - 1,
            "audio_start_ms": start_ms,
            "audio_end_ms": end_ms,
            "trigger": trigger,
            "expressions": scores(sound, EXPRESSIONS, 0.0),
            "voice_attributes": scores(sound[::-1], ATTRIBUTES, 0.725),
        }


def _bytes(milliseconds: int) -> int:
    return milliseconds * SAMPLES_PER_MS * 2


def wav_form(data: bytes) -> tuple[int, int, int, int, int, bytes] | None:
    """Return code, channels, rate, bits, block and data of a WAV file, or `None`."""
    at, form = 12, b""
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt ":
            form = data[at + 8 : at + 8 + size]
        if name == b"data" and len(form) >= 16:  # noqa: PLR2004 - the least that says all
            code, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", form)
            if at + 8 + size > len(data):
                return None
            return code, channels, rate, bits, block, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return None


def is_packed_sound(data: bytes) -> bool:
    """Whether a file is of a format that the service names rather than measures as samples."""
    is_riff = data[:4] == b"RIFF" and data[8:12] != b"WAVE"
    is_mp3 = data[:3] == b"ID3" or (
        len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2  # noqa: PLR2004 - layer 3
    )
    beginnings = (b"fLaC", b"OggS")
    return is_riff or is_mp3 or data[:4] in beginnings or data[4:8] == b"ftyp"


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG, or `None`."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 - begins a marker
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004 - begins a frame
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return None


def faces(data: bytes, first_id: int, threshold: float) -> list[Record]:
    """Return one or two faces that follow from a picture's bytes."""
    digest = hashlib.blake2b(data, digest_size=8).digest()
    found: list[Record] = []
    for place in range(1 + digest[0] % 2):
        confidence = round(0.9 + digest[place + 1] / 2560, 4)
        if confidence >= threshold:
            left, top = float(digest[2] + 300 * place), float(digest[3])
            found.append(
                {
                    "face_id": first_id + place,
                    "bbox": [left, top, left + 200.5, top + 240.25],
                    "confidence": confidence,
                    "expressions": scores(data + bytes([place]), EXPRESSIONS, 0.1),
                    "descriptions": scores(data + bytes([place, 1]), DESCRIPTIONS, 0.1),
                }
            )
    return found
