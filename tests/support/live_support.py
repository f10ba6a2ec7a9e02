"""Sound and pictures for tests of the newer products: speech that the stand-in finds, silence."""

from __future__ import annotations

import io
import math
import struct
import wave
from array import array
from pathlib import Path

from humeai_async import Upload

RATE = 16_000


def speech(seconds: float, *, pitch: int = 220) -> bytes:
    """Return samples that the stand-in takes for speech."""
    period = RATE // math.gcd(RATE, pitch)  # after which it is the same again
    step = 2 * math.pi * pitch / RATE
    once = array("h", [round(8000 * math.sin(step * n)) or 500 for n in range(period)]).tobytes()
    size = 2 * round(seconds * RATE)
    return (once * (size // len(once) + 1))[:size]


def silence(seconds: float) -> bytes:
    """Return samples without any sound."""
    return bytes(2 * round(seconds * RATE))


def wav(samples: bytes, *, rate: int = RATE, channels: int = 1) -> bytes:
    """Return samples as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return file.getvalue()


def extensible_wav(samples: bytes) -> bytes:
    """Return samples as a WAV file with the longer header."""
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * 2, 2, 16, 22, 16, 4) + guid
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def mp3(seconds: float) -> bytes:
    """Return an MP3 file of silent frames: 128 kbit, 48 kHz, mono."""
    frame = b"\xff\xfb\x94\xc4" + bytes(380)
    return frame * round(seconds * 48_000 / 1152)


def clip(seconds: float = 3.0) -> Upload:
    """Return a WAV file with some speech in it."""
    return Upload(wav(silence(0.5) + speech(seconds - 1.0) + silence(0.5)), "clip.wav")


def picture(width: int = 640, height: int = 480, size: int = 300, *, seed: int = 0) -> bytes:
    """Return a JPEG file of so many pixels and bytes, whose picture is nearly black."""
    frame = b"\xff\xc0\x00\x11\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x03" + bytes(9)
    scan = b"\xff\xda\x00\x08" + bytes(6) + seed.to_bytes(4)
    return (b"\xff\xd8" + frame + scan).ljust(size - 2, b"\0") + b"\xff\xd9"


def clips(folder: Path, count: int) -> list[Path]:
    """Write clips, each with a length of its own."""
    paths = [folder / f"clip-{n}.wav" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(wav(speech(1 + number / 50) + silence(0.2)))
    return paths
