"""Faults times requests times origins, over real sockets: the right answer or the right error.

The table says what one attempt meets under each fault. What a call makes of it follows from
the kind of the request alone: whether it goes again, and whether its outcome is known. How
often a request was carried out is what the server counted.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import anyio
import pytest
from aiohttp_release import IS_3_14
from attrs import evolve, frozen
from contract import furnish
from fault_support import KINDS, WARM_UP, Kind, Outcome, attempt, times_carried_out
from support import DIALECTS, client_of

from humeai_async import Limiter, Retry, Timeout
from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DecodeError,
    GatewayUnsupportedError,
    HumeError,
    NotFoundError,
    RateLimitError,
    SaveError,
    ServerError,
)
from humeai_async.testing import Dialect, FakeHume, Fault

pytestmark = pytest.mark.anyio

PATIENT = Timeout(connect=30, read=30, total=60)
HASTY = Timeout(connect=30, read=0.3, total=60)
SOON = {"retry-after-ms": "1"}
WAYS = {"once": False, "with repeats": True}
FILES = ("stream", "download")


@frozen
class Meets:
    """What one attempt meets."""

    error: type[HumeError] | None
    """`None` for the right answer."""
    is_open: bool = True
    """Whether the request may have been carried out, by all that its client can know."""
    is_in_body: bool = False
    """Whether only those meet it who are sent a body."""
    is_in_text: bool = False
    """Whether only those meet it who make something of the body."""


FINE = Meets(None)
BROKEN = Meets(APIConnectionError)
BROKEN_BODY = Meets(APIConnectionError, is_in_body=True)
LATE = Meets(APITimeoutError)
LATE_BODY = Meets(APITimeoutError, is_in_body=True)
FAILED = Meets(ServerError)
OVERLOADED = Meets(ServerError, is_open=False)
REFUSED = Meets(RateLimitError, is_open=False)
UNREADABLE = Meets(DecodeError, is_in_text=True)

ROWS: dict[str, tuple[Fault, Meets]] = {
    "500 before the work": (Fault("status", status=500), FAILED),
    "500 after the work": (Fault("status", status=500, after_work=True), FAILED),
    "502 before the work": (Fault("status", status=502), FAILED),
    "502 after the work": (Fault("status", status=502, after_work=True), FAILED),
    "503 before the work": (Fault("status", status=503), FAILED),
    "503 after the work": (Fault("status", status=503, after_work=True), FAILED),
    "503 that says when": (Fault("status", status=503, headers=SOON), OVERLOADED),
    "504 before the work": (Fault("status", status=504), FAILED),
    "504 after the work": (Fault("status", status=504, after_work=True), FAILED),
    "429": (Fault("status", status=429, headers=SOON), REFUSED),
    "502 with a page": (Fault("html", status=502), FAILED),
    "502 without a body": (Fault("status", status=502, body=b""), FAILED),
    "a page": (Fault("html", status=200, after_work=True), UNREADABLE),
    "no body": (Fault("empty"), UNREADABLE),
    "half of the text": (Fault("garbage"), UNREADABLE),
    "half of the gzip": (Fault("half-packed"), BROKEN_BODY),
    "wrong type": (Fault("content-type", content_type="text/csv"), FINE),
    "unknown encoding": (Fault("encoding", headers={"Content-Encoding": "x-own"}), FINE),
    "no gzip": (Fault("encoding"), BROKEN_BODY),
    "bomb": (Fault("bomb"), FINE),
    "early hints": (Fault("informational"), FINE),
    "too many headers": (Fault("many-headers"), BROKEN),
    "too long a header": (Fault("long-header"), BROKEN),
    "reset before the work": (Fault("reset"), BROKEN),
    "reset after the work": (Fault("reset", after_work=True), BROKEN),
    "closed before the work": (Fault("close"), BROKEN),
    "closed after the work": (Fault("close", after_work=True), BROKEN),
    "reset at the gateway": (Fault("reset", after_work=True, upstream=True), BROKEN),
    "no HTTP": (Fault("not-http"), BROKEN),
    "reset in the headers": (Fault("reset-head"), BROKEN),
    "reset in the body": (Fault("reset-body"), BROKEN_BODY),
    "cut off in the body": (Fault("truncate"), BROKEN_BODY),
    "cut off in a chunk": (Fault("truncate-chunk"), BROKEN),
    "no answer, no work": (Fault("stall"), LATE),
    "no answer": (Fault("stall", after_work=True), LATE),
    "no answer at the gateway": (Fault("stall", after_work=True, upstream=True), LATE),
    "no end of the headers": (Fault("stall-head"), LATE),
    "no end of the body": (Fault("stall-body"), LATE_BODY),
}
"""What happens once to each request, and what one attempt makes of it."""
if not IS_3_14:
    del ROWS["too many headers"]

AT_GATEWAYS: dict[tuple[str, Dialect], Meets] = {
    # The documented one has no 503 and makes it a 500, and text where JSON belongs a string.
    ("503 that says when", "gateway-documented"): FAILED,
    ("wrong type", "gateway-documented"): UNREADABLE,
    ("reset at the gateway", "gateway-documented"): FAILED,
    ("reset at the gateway", "gateway-recorded"): FAILED,
}
"""Where a gateway makes something else of a fault."""

APART: dict[tuple[str, str, Dialect | None], Meets] = {
    # Blanks are no harm in JSON, but in an archive.
    ("bomb", "download", None): UNREADABLE,
    # What says that nothing came back may be empty, but no page, and no half of a text.
    ("a page", "DELETE", None): Meets(DecodeError),
    ("half of the text", "DELETE", "direct"): Meets(DecodeError),
    # A response in place of a handshake keeps its status, though its body is cut in half.
    ("half of the gzip", "socket", "direct"): Meets(DecodeError, is_in_text=True),
}
"""Where one kind of request makes something else of a fault."""

ON_THE_WAY: dict[str, tuple[Fault, Meets]] = {
    "closed at this moment": (Fault("stale", times=None), BROKEN),
    "more than was said": (Fault("surplus", times=None), FINE),
}
"""What happened to the request before on the same connection, which was answered well."""


def expected(meets: Meets, name: str, dialect: Dialect, *, is_done: bool, again: bool) -> Outcome:
    """Say what a call ends with.

    Args:
        meets: What its first attempt meets.
        name: Of the kind of request.
        dialect: Of the server.
        is_done: Whether the first attempt was carried out.
        again: Whether further attempts are allowed; they meet nothing bad.
    """
    kind, is_gateway = KINDS[name], dialect != "direct"
    has_body = name != "DELETE" or dialect == "gateway-documented"
    if is_gateway and kind.is_direct_only:
        return Outcome(GatewayUnsupportedError)
    is_missed = (meets.is_in_body and not has_body) or (meets.is_in_text and name == "DELETE")
    if meets.error is None or is_missed:
        return Outcome(times=1)
    if meets.is_in_text and name in FILES:
        return Outcome(SaveError, times=1)
    # That there was nothing to answer is not passed on by gateways.
    is_mute = is_gateway and name == "DELETE" and meets.error is APITimeoutError
    if not again or is_mute or (meets.is_open and not kind.is_repeatable):
        is_open = meets.is_open and (is_mute or not kind.is_repeatable)
        return Outcome(meets.error, is_open, times=is_done)
    if name == "DELETE" and is_done:
        return Outcome(NotFoundError, is_open=True, times=1)
    return Outcome(times=is_done + 1)


def expected_of_a_socket(meets: Meets, dialect: Dialect, *, again: bool) -> Outcome:
    """Say what opening a chat ends with: an answer in place of the handshake is no good one."""
    if dialect == "direct" and (meets.error is None or meets.is_in_text):
        return Outcome(APIStatusError)
    return expected(meets, "socket", dialect, is_done=False, again=again)


@pytest.fixture(autouse=True)
def _before_the_sunset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("humeai_async.http.session.today", lambda: dt.date(2024, 1, 1))


async def run_all(
    dialect: Dialect, fault: Fault, folder: Path, *, again: bool, is_on_the_way: bool = False
) -> dict[str, Outcome]:
    """Make a call of each kind at the same time, each with a client of its own.

    Args:
        dialect: Of the server.
        fault: What happens to each of them, or to the call before it.
        folder: Where files go.
        again: Whether each may make three attempts, or one.
        is_on_the_way: Whether it happens to the call before.
    """
    retry = Retry(attempts=3 if again else 1, initial_delay=0.001)
    timeout = HASTY if fault.kind.startswith("stall") else PATIENT
    found: dict[str, Outcome] = {}
    async with FakeHume(dialect=dialect) as fake:
        things = furnish(fake)
        for kind in KINDS.values():
            path = WARM_UP.format(job=things.job) if is_on_the_way else kind.path
            fake.faults.add(
                evolve(fault, path=path, method="GET" if is_on_the_way else kind.method)
            )

        async def run(name: str, kind: Kind) -> None:
            async with client_of(fake, limiter=Limiter(rate=1e6), retry=retry) as hume:
                await hume.batch.get_job(things.job)
                before = hume.stats.requests
                hasty = hume.with_options(timeout=timeout)
                problem = await attempt(hasty, kind, things, folder / str(again) / name)
                sent = hume.stats.requests - before
            check_counts(fake, kind, sent, problem, unseen=is_stale and sent > 0)
            found[name] = Outcome(
                type(problem) if problem else None,
                bool(problem and problem.outcome_unknown),
                times_carried_out(fake, kind),
            )

        is_stale = fault.kind == "stale"
        async with anyio.create_task_group() as group:
            for name, kind in KINDS.items():
                group.start_soon(run, name, kind)
        with anyio.fail_after(30):
            while fake.connections_open or fake.chat.open:
                await anyio.sleep(0.001)
    return found


def check_counts(
    fake: FakeHume, kind: Kind, sent: int, problem: HumeError | None, *, unseen: int
) -> None:
    """See that nothing was sent but what the client counts, and that its error says it.

    Args:
        fake: The server.
        kind: What was called.
        sent: Requests, as the client counts.
        problem: What the call ended with.
        unseen: Requests that the server did not read.
    """
    if problem is not None and not isinstance(problem, SaveError):
        assert (problem.method, problem.attempts) == (kind.method, sent)
        assert problem.endpoint
    if kind is not KINDS["socket"]:
        assert fake.count(method=kind.method, path=kind.path) == sent - unseen


async def in_both_ways(
    dialect: Dialect, fault: Fault, folder: Path, *, is_on_the_way: bool = False
) -> dict[str, Outcome]:
    """Make all calls with repeats and without, and see that no task is left of them."""
    tasks = asyncio.all_tasks()
    found: dict[str, Outcome] = {}

    async def run(way: str) -> None:
        ended = await run_all(dialect, fault, folder, again=WAYS[way], is_on_the_way=is_on_the_way)
        found.update({f"{name} {way}": outcome for name, outcome in ended.items()})

    async with anyio.create_task_group() as group:
        for way in WAYS:
            group.start_soon(run, way)
    assert asyncio.all_tasks() == tasks
    return found


SLOW_THROUGH_GATEWAYS = [
    pytest.param(one, marks=() if one == "direct" else pytest.mark.slow) for one in DIALECTS
]


@pytest.mark.parametrize("dialect", SLOW_THROUGH_GATEWAYS)
@pytest.mark.parametrize("row", ROWS)
async def test_a_fault_is_survived_or_named_and_nothing_done_twice(
    row: str, dialect: Dialect, tmp_path: Path
) -> None:
    fault, meets = ROWS[row]
    meets = AT_GATEWAYS.get((row, dialect), meets)

    def met_by(name: str) -> Meets:
        return APART.get((row, name, dialect), APART.get((row, name, None), meets))

    wanted = {
        f"{name} {way}": expected(met_by(name), name, dialect, is_done=fault.does_work, again=again)
        if name != "socket"
        else expected_of_a_socket(met_by(name), dialect, again=again)
        for name in KINDS
        for way, again in WAYS.items()
    }
    assert await in_both_ways(dialect, fault, tmp_path) == wanted


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("row", ON_THE_WAY)
async def test_what_became_of_a_connection_is_no_harm_to_the_next_request(
    row: str, dialect: Dialect, tmp_path: Path
) -> None:
    fault, meets = ON_THE_WAY[row]
    # A socket has a connection of its own.
    wanted = {
        f"{name} {way}": expected(
            FINE if name == "socket" else meets, name, dialect, is_done=False, again=again
        )
        for name in KINDS
        for way, again in WAYS.items()
    }
    assert await in_both_ways(dialect, fault, tmp_path, is_on_the_way=True) == wanted
