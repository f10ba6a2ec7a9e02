"""`humeai-async fake`: a stand-in for Hume that serves until Ctrl-C.

For people who build what stands in front of Hume, and for programs in other languages.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
from typing import TYPE_CHECKING

import click

from humeai_async.cli import interrupts
from humeai_async.cli.output import ExitCode, print_message, writing_output

if TYPE_CHECKING:
    from humeai_async.testing import Dialect, FakeHume

DIALECTS: tuple[Dialect, ...] = ("direct", "gateway-documented", "gateway-recorded")
"""Servers that the stand-in can be; the first one if none is named."""


@click.command()
@click.option(
    "--port",
    default=8085,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port to serve on; 0 lets the system choose.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option(
    "--dialect",
    default=DIALECTS[0],
    show_default=True,
    type=click.Choice(DIALECTS),
    help="Hume itself, or LowCodeAPI by its documentation or by its open-source server.",
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 1_000_000),
    help="Requests per second that it allows; without limit if left out.",
)
@click.option(
    "--run-seconds",
    default=2.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds that a job takes.",
)
@click.option(
    "--latency",
    default=0.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds before each response.",
)
@click.option(
    "--allow-origin",
    metavar="ORIGIN",
    help="Pages of this origin, or of all with '*', may call it from a browser (CORS).",
)
def fake(
    port: int,
    host: str,
    dialect: Dialect,
    rate: float | None,
    run_seconds: float,
    latency: float,
    allow_origin: str | None,
) -> int:
    """Serve a stand-in for Hume on this machine until Ctrl-C.

    It prints the variables that lead programs to it, as lines that a shell can read. It keeps
    everything in memory, and sends nothing anywhere.

    The exit code is 0 after Ctrl-C or SIGTERM, and 3 if it cannot serve on the port.
    """
    from humeai_async.testing import FakeHume, Quota

    quota = None if rate is None else Quota(rate=rate, burst=max(1, int(rate / 4)))

    async def serve() -> int:
        server = FakeHume(
            host=host,
            port=port,
            dialect=dialect,
            quota=quota,
            run_seconds=run_seconds,
            latency=latency,
            record_bodies=False,
            allow_origin=allow_origin,
        )
        try:
            await server.start()
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
            print_message(f"cannot serve on port {port} of {host}: {reason}")
            return ExitCode.LOCAL_PROBLEM
        try:
            terminated = _listen_to_sigterm()  # first: who reads the variables may end it at once
            _print_variables(server)
            print_message(f"a stand-in for Hume is at {server.url}; Ctrl-C ends it")
            await terminated.wait()
        finally:
            await server.stop()
        return ExitCode.OK

    try:
        return interrupts.run(serve())
    except KeyboardInterrupt:  # here it is the usual end
        return ExitCode.OK


def _print_variables(server: FakeHume) -> None:
    with writing_output():
        for name, value in server.environment.items():
            click.echo(f"export {name}={shlex.quote(value)}" if value else f"unset {name}")


def _listen_to_sigterm() -> asyncio.Event:
    terminated = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    return terminated
