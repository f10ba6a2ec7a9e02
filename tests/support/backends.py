"""The web backends of the guide, in processes of their own, and browsers for them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import frozen

Kind: TypeAlias = Literal["fastapi", "aiohttp"]
KINDS: tuple[Kind, ...] = ("fastapi", "aiohttp")

PLAIN = """
import os
from fastapi import Request
from fastapi_app import app
from humeai_async import HumeAI

everywhere = HumeAI()


@app.get("/plain/{id}")
async def plain(id: str, request: Request) -> dict[str, str | None]:
    return {"name": (await request.app.state.hume.configs.get_version(id, 0)).name}


@app.get("/process/{id}")
async def process(id: str) -> dict[str, int]:
    await everywhere.configs.get_version(id, 0)
    return {"process": os.getpid()}
"""
"""The recipe with two routes more: one that does without `while_connected`, and one with a client
made at import, which tells in what process it runs."""

WITNESS = """
import atexit
import gc


def tell():
    from aiohttp import ClientSession
    from humeai_async import Limiter

    for one in gc.get_objects():
        if type(one) is ClientSession and not one.closed:
            print("Unclosed session", one, flush=True)
        if type(one) is Limiter:
            for state in map(one.snapshot, one.buckets):
                if state.in_flight or state.waiting:
                    print("Unclosed place in the limiter", state, flush=True)


atexit.register(tell)
"""
"""Told by the interpreter at its end: what the program never closed or gave back."""

GUIDE = Path(__file__).parents[2] / "humeai_async" / "guides" / "web-backends.md"
_RECIPE = re.compile(r"```python\n(# (\w+\.py).*?)```", re.DOTALL)
PATIENCE = 15.0
"""Seconds after which a test gives up waiting: far beyond what anything here takes, and below
the recipes' own timeout, which would end in its time what should have been ended at once."""
_NOISE = ("Traceback", "Unclosed", "never awaited", "never retrieved", "Warning", "destroyed")


def recipes() -> dict[str, str]:
    """Return the guide's recipes by the names of their files, as they are written there."""
    return {name: code for code, name in _RECIPE.findall(GUIDE.read_text("utf-8"))}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@frozen
class Answer:
    """What a browser got."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Browser:
    """One connection of a browser."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def ask(self, path: str) -> None:
        """Send a request and wait for nothing."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: backend\r\n\r\n".encode())
        await self._writer.drain()

    async def head(self) -> Answer:
        """Read an answer up to its body."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines[1:-2]]
        return Answer(int(lines[0].split()[1]), {k.lower(): v for k, v in pairs}, b"")

    async def answer(self) -> Answer:
        """Read a whole answer.

        Raises:
            asyncio.IncompleteReadError: The backend closed the connection before its end.
        """
        head = await self.head()
        if "chunked" not in head.headers.get("transfer-encoding", ""):
            size = int(head.headers["content-length"])
            return Answer(head.status, head.headers, await self.reader.readexactly(size))
        pieces: list[bytes] = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return Answer(head.status, head.headers, b"".join(pieces))

    async def leave(self) -> None:
        """Close the connection, whatever is on its way."""
        self._writer.transport.abort()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


class Backend:
    """One process that serves."""

    def __init__(self, port: int, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._port = port
        self._log = log
        self._browsers: list[Browser] = []

    async def browser(self) -> Browser:
        """Open a connection; it reads no further ahead than a little."""
        streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 16)
        self._browsers.append(Browser(*streams))
        return self._browsers[-1]

    async def ask(self, path: str) -> Browser:
        """Send a request on a connection of its own."""
        browser = await self.browser()
        await browser.ask(path)
        return browser

    async def get(self, path: str) -> Answer:
        """Ask on a connection of its own, and read the answer."""
        browser = await self.ask(path)
        async with asyncio.timeout(PATIENCE):
            return await browser.answer()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def close(self) -> None:
        """Close all browsers' connections, and end it if that was not done."""
        for browser in self._browsers:
            await browser.leave()
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    def log(self) -> str:
        """Return all that it wrote so far."""
        return self._log.read_text()

    def noise(self) -> list[str]:
        """Return the lines it wrote that a clean program does not write."""
        return [line for line in self.log().splitlines() if any(w in line for w in _NOISE)]


@asynccontextmanager
async def backend(
    kind: Kind, folder: Path, hume: str, *options: str, key: str = "key"
) -> AsyncGenerator[Backend]:
    """Run a recipe until it answers, and end it at the end.

    Args:
        kind: Which one.
        folder: Where the recipes are written, and where it runs.
        hume: URL at which it finds Hume.
        options: Arguments for uvicorn.
        key: Hume's key.
    """
    extra = {"plain.py": PLAIN, "sitecustomize.py": WITNESS}
    for name, code in (recipes() | extra).items():
        (folder / name).write_text(code)
    port = free_port()
    uvicorn = ["-m", "uvicorn", "plain:app", "--port", str(port), "--no-access-log", *options]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUME_", "LOWCODEAPI_"))}
    given = {
        "HUME_API_KEY": key,
        "HUME_BASE_URL": hume,
        "PORT": str(port),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), kept.get("PYTHONPATH")])),
        "PYTHONWARNINGS": "default::ResourceWarning",
    }
    with (folder / "log.txt").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(uvicorn if kind == "fastapi" else ["aiohttp_app.py"]),
            cwd=folder,
            env=kept | given,
            stdout=log,
            stderr=log,
        )
    running = Backend(port, process, folder / "log.txt")
    try:
        await _answers(running)
        yield running
    finally:
        await running.close()


async def _answers(running: Backend) -> None:
    """Wait until a backend listens."""
    async with asyncio.timeout(PATIENCE):
        while running.process.returncode is None:
            with suppress(OSError):
                await running.browser()
                return
            await asyncio.sleep(0.02)
    raise AssertionError(running.log())
