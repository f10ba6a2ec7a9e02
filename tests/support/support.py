"""What several test modules need: clients for a fake, and media files made by real tools."""

from __future__ import annotations

import importlib
import io
import random
import struct
import wave
from pathlib import Path
from typing import Any

from PIL import Image
from scripted_transport import ScriptedTransport

from humeai_async import HumeAI, Limiter, Polling, Retry
from humeai_async.http.origins import Direct
from humeai_async.http.session import Session
from humeai_async.testing import Dialect, FakeHume

DIALECTS: tuple[Dialect, ...] = ("direct", "gateway-documented", "gateway-recorded")

QUICK = Polling(min_interval=0.01, max_interval=0.05)
"""Rounds in quick succession, for jobs that end within milliseconds."""


def client_of(fake: FakeHume, **settings: Any) -> HumeAI:
    """Return a client that speaks the fake's dialect, polls often and soon repeats what failed."""
    settings.setdefault("polling", QUICK)
    settings.setdefault("retry", Retry(initial_delay=0.01))
    if fake.dialect == "direct":
        return HumeAI(api_key=fake.api_key, base_url=fake.url, **settings)
    return HumeAI(api_token=fake.api_token, base_url=fake.url, **settings)


def wav_file(path: Path, seed: int) -> Path:
    """Write a fifth of a second of noise as 16 kHz mono WAV."""
    noise = random.Random(seed)  # noqa: S311 - noise, no secret
    samples = [noise.randint(-8000, 8000) for _ in range(3200)]
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def jpeg_file(path: Path, seed: int) -> Path:
    """Write a small picture of coloured noise as JPEG."""
    pixels = random.Random(seed).randbytes(48 * 32 * 3)  # noqa: S311 - noise, no secret
    buffer = io.BytesIO()
    Image.frombytes("RGB", (48, 32), pixels).save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue())
    return path


def media_folder(folder: Path, count: int = 24) -> list[Path]:
    """Fill a folder with WAV and JPEG files by turns."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        wav_file(folder / f"sound-{n:02}.wav", n)
        if n % 2
        else jpeg_file(folder / f"picture-{n:02}.jpg", n)
        for n in range(count)
    ]


def session_of(transport: ScriptedTransport, **settings: Any) -> Session:
    """Return a session that talks to a script, unpaced and without repeats."""
    settings.setdefault("limiter", Limiter(rate=1_000_000))
    settings.setdefault("retry", Retry(attempts=1))
    settings.setdefault("origin", Direct("https://hume.test", api_key="key"))
    return Session(transport=transport, **settings)


def session_in(hume: HumeAI) -> Session:
    """Return what makes a client's calls."""
    inside: Any = hume
    opened: Session = inside._session
    return opened


def parquet_column(path: Path, name: str) -> list[Any]:
    """Read one column of a Parquet file."""
    parquet: Any = importlib.import_module("pyarrow.parquet")  # untyped in part
    values: list[Any] = parquet.read_table(path, columns=[name]).column(name).to_pylist()
    return values
