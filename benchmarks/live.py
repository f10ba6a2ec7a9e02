"""What do a decision and a frame of a session cost, and does a large recording hold the loop?

    python -m benchmarks.live [--full]

CPU and wall time of a small decision (a clip of a second) and of one frame of audio in a session
whose pace is not kept, for it would take as long as the audio plays: bare aiohttp and msgspec,
this library, the official package for Expression Measurement. Then the longest stall of the event
loop while a recording in 44.1 kHz is converted to 25 MB and sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import io
import json
import statistics
import tempfile
import time
import wave
from collections.abc import AsyncGenerator, Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from benchmarks import clients
from benchmarks.measuring import (
    Call,
    Caller,
    Opened,
    Spent,
    Verdict,
    fresh,
    in_turn,
    is_there,
    print_table,
    run_alone,
    serving,
)
from benchmarks.stalls import Ticker
from humeai_async.decisions import Noul
from humeai_async.expression.timing import AudioPacer

DECISION, AUDIO, SOCKET = (
    "/v0/decisions/file",
    "/v1/expression/audio/file",
    "/v1/expression/audio/realtime",
)
BARE, OURS = "aiohttp + msgspec", "humeai_async"
PEER = "hume_expression_measurement"
FRAME = bytes(3_200)
FRAMES_A_RESULT = 30
"""Frames of three seconds of speech."""
DECIDED = {
    "run_id": "0f1b3e1c-4a7d-4a54-9d0f-0a4b6f2f1c11",
    "answers": {"calm": {"type": "noul", "noul": 0.83}},
    "received": {"input_tokens": 41},
}
MEASURED = {
    "type": "measurement.result",
    "measurement_id": 0,
    "utterance_id": 0,
    "audio_start_ms": 0,
    "audio_end_ms": 3000,
    "trigger": "interval",
    "expressions": [{"name": f"expression {n}", "probability": 0.5} for n in range(30)],
    "voice_attributes": [{"name": f"attribute {n}", "probability": 0.8} for n in range(10)],
}
UPLOADED: dict[str, Any] = {
    "request_id": "r",
    "run_id": "0f1b3e1c-4a7d-4a54-9d0f-0a4b6f2f1c11",
    "received": {"audio_duration_ms": 1000},
    "utterances": [],
    "measurements": [],
}
SECONDS = 770
"""Length of the large recording: 24.6 MB once converted."""
STALL_BAR = 10.0
"""Longest stall in milliseconds."""


async def serve(told: Connection) -> None:
    """Take uploads and sessions, and spend little on them."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == SOCKET:
            return await serve_session(request)
        async for _ in request.content.iter_any():
            pass
        return web.json_response(DECIDED if request.path == DECISION else UPLOADED)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()


async def serve_session(request: web.BaseRequest) -> web.StreamResponse:
    """Take frames, and give a measurement for every three seconds of them."""
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    await socket.send_json({"type": "session.created", "session_id": "s"})
    measured, frames = json.dumps(MEASURED), 0
    async for message in socket:
        frames += message.type is aiohttp.WSMsgType.BINARY
        if frames and frames % FRAMES_A_RESULT == 0:
            await socket.send_str(measured)
    return socket


def recording(seconds: float, rate: int, channels: int) -> bytes:
    """Return a WAV file of a tone that is none."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(bytes(range(256)) * round(seconds * rate * channels * 2 / 256))
    return file.getvalue()


CLIP = recording(1.0, 16_000, 1)
QUESTIONS = {"calm": Noul("Does the caller sound calm?")}


@contextlib.asynccontextmanager
async def bare_decisions(url: str) -> AsyncGenerator[Call]:
    asked = json.dumps(
        {"questions": {"calm": {"type": "noul", "instructions": "Does the caller sound calm?"}}}
    )
    async with aiohttp.ClientSession(headers=clients.KEY) as session:

        async def call() -> None:
            form = aiohttp.FormData()
            form.add_field("request", asked, content_type="application/json")
            form.add_field("file", io.BytesIO(CLIP), filename="clip.wav", content_type="audio/wav")
            async with session.post(url + DECISION, data=form) as response:
                msgspec.json.decode(await response.read())

        yield call


@contextlib.asynccontextmanager
async def our_decisions(url: str) -> AsyncGenerator[Call]:
    async with clients.ours(url) as hume:

        async def call() -> None:
            decision = await hume.decisions.create(CLIP, QUESTIONS)
            assert decision["calm"].noul == 0.83

        yield call


@contextlib.asynccontextmanager
async def bare_frames(url: str) -> AsyncGenerator[Call]:
    async with (
        aiohttp.ClientSession(headers=clients.KEY) as session,
        session.ws_connect(url + SOCKET) as socket,
    ):

        async def receive() -> None:
            async for message in socket:
                msgspec.json.decode(message.data)

        task = asyncio.create_task(receive())
        yield lambda: socket.send_bytes(FRAME)
        task.cancel()


def _at_once(self: AudioPacer, now: float) -> float:
    del self, now
    return 0.0


@contextlib.asynccontextmanager
async def our_frames(url: str) -> AsyncGenerator[Call]:
    AudioPacer.wait = _at_once  # type: ignore[method-assign]  # this process measures only CPU
    async with clients.ours(url) as hume, hume.expression.connect_audio() as session:

        async def receive() -> None:
            async for _ in session:
                pass

        task = asyncio.create_task(receive())
        yield lambda: session.send(FRAME)
        task.cancel()


@contextlib.asynccontextmanager
async def official_frames(url: str) -> AsyncGenerator[Call]:
    package: Any = importlib.import_module(PEER)
    where = package.ExpressionMeasurementClientEnvironment(
        base=url, production=url.replace("http", "ws", 1)
    )
    client = package.AsyncExpressionMeasurementClient(api_key="key", environment=where)
    async with client.audio.connect() as socket:

        async def receive() -> None:
            async for _ in socket:
                pass

        task = asyncio.create_task(receive())
        yield lambda: socket.send_audio_frame(FRAME)
        task.cancel()


def compare(
    url: str, openers: dict[str, Callable[..., Opened]], calls: int, in_flight: int, rounds: int
) -> dict[str, Spent]:
    """Return what a call takes, by client."""
    with contextlib.ExitStack() as stack:
        bursts: dict[str, Callable[[], Spent]] = {}
        for name, opened in openers.items():
            caller = stack.enter_context(Caller(opened, url))
            bursts[name] = functools.partial(caller.burst, calls, in_flight)
        return in_turn(bursts, rounds)


def upload(url: str, path: str, rounds: int) -> list[tuple[float, float, float]]:
    """Convert and send the recording; return stalls by the clock and in CPU time, and seconds."""

    async def main() -> list[tuple[float, float, float]]:
        found: list[tuple[float, float, float]] = []
        async with clients.ours(url) as hume:
            await hume.expression.measure_audio(CLIP)  # connections and imports
            for _ in range(rounds):
                ticker = Ticker()
                task = asyncio.create_task(ticker.tick())
                await asyncio.sleep(0.02)
                began = time.perf_counter()
                await hume.expression.measure_audio(Path(path))
                took = time.perf_counter() - began
                task.cancel()
                found.append((ticker.late * 1e3, ticker.busy * 1e3, took))
        return found

    return asyncio.run(main())


def _verdicts(what: str, spent: dict[str, Spent]) -> Iterator[Verdict]:
    ours, base, official = spent[OURS], spent[BARE], spent.get(PEER)
    for name, mine, theirs, others in (
        ("CPU", ours.cpu, base.cpu, official and official.cpu),
        ("wall", ours.wall, base.wall, official and official.wall),
    ):
        peers = f"{BARE} {theirs * 1e6:.0f} us"
        if others:
            peers += f", {PEER} {others * 1e6:.0f} us"
        yield Verdict(f"{name} of {what}", f"{mine * 1e6:.0f} us", peers, mine / theirs, "", None)


def run(*, full: bool) -> list[Verdict]:
    rounds = 10 if full else 4
    frames: dict[str, Callable[..., Opened]] = {BARE: bare_frames, OURS: our_frames}
    if is_there(PEER):
        frames[PEER] = official_frames
    decisions: dict[str, Callable[..., Opened]] = {BARE: bare_decisions, OURS: our_decisions}
    verdicts: list[Verdict] = []
    rows: list[tuple[str, ...]] = []
    with serving(serve) as url, tempfile.TemporaryDirectory() as folder:
        for what, openers, calls, in_flight in (
            ("a small decision, 1 in flight", decisions, 150, 1),
            ("a small decision, 16 in flight", decisions, 320, 16),
            ("a frame of audio", frames, 2_000, 1),
        ):
            spent = compare(url, openers, calls, in_flight, rounds)
            verdicts += _verdicts(what, spent)
            rows += [
                (what, name, f"{cpu * 1e6:.0f}", f"{wall * 1e6:.0f}")
                for name, (cpu, wall) in spent.items()
            ]
        print_table("The live products", ("what", "client", "CPU us", "wall us"), rows)
        path = Path(folder, "large.wav")
        path.write_bytes(recording(SECONDS, 44_100, 1))
        found = fresh(upload, url, str(path), 5 if full else 3)
    late, busy, took = (statistics.median(column) for column in zip(*found, strict=True))
    verdicts.append(
        Verdict(
            "longest stall (CPU) while 25 MB are converted and sent",
            f"{busy:.1f} ms",
            f"by the clock {late:.1f} ms, in {took:.1f} s",
            None,
            f"under {STALL_BAR:g} ms",
            busy < STALL_BAR,
        )
    )
    return verdicts


if __name__ == "__main__":
    run_alone(run, __doc__)
