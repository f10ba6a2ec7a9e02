"""Bodies to disk: streamed, resumed, checked, and under their final name only when complete.

A download goes to a temporary file beside its target, is flushed, checked and renamed; when
anything goes wrong, cancellation included, the temporary file goes away. Where a body breaks
off, the rest of it is asked for by Range if the server knows that, else the whole again. It
knows no job and no archive; `Job` calls it.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from operator import methodcaller
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import anyio
from attrs import define, evolve

from humeai_async._base import atomic_files
from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async.errors import APIConnectionError, APIStatusError, SaveError
from humeai_async.http.endpoint import Call
from humeai_async.http.retry import decide
from humeai_async.http.session import Session
from humeai_async.http.transport.interface import Download

OnProgress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes so far, and with their number in the end or `None` if not known."""
Check: TypeAlias = Callable[[Path], str]
"""Looks at a complete file and says what is wrong with it, or nothing."""

_PIECE = 1 << 21
"""Bytes that are written at once: a hop to a thread costs as much as writing half a MiB."""
_PATIENCE = 0.1
"""Seconds after which what has come is written all the same, and told, be it ever so little."""
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


async def download(
    session: Session,
    call: Call[Any],
    path: str | os.PathLike[str],
    check: Check,
    on_progress: OnProgress | None = None,
) -> None:
    """Make a call and stream its body to a file.

    A body that breaks off is gone on with as long as there is progress; without, as often as
    the session's `Retry` allows. The session's total timeout is for all of it.

    Args:
        session: Makes the call.
        call: A call that can be repeated.
        path: Final name; a file that is there is replaced.
        check: Looks at the complete file.
        on_progress: Told at the first piece, then after 2 MiB or a tenth of a second.

    Raises:
        SaveError: The file cannot be written, or the check found something.
        HumeError: The call failed, as ever.
    """

    async def fill(opened: BinaryIO) -> None:
        await _Body(session, call, opened, on_progress).fetch()

    await _save(Path(path), check, fill)


async def save(
    body: bytes,
    path: str | os.PathLike[str],
    check: Check,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a body that is in memory to a file, with the same care.

    Raises:
        SaveError: The file cannot be written, or the check found something.
    """

    async def fill(opened: BinaryIO) -> None:
        for start in range(0, len(body), _PIECE):
            await in_thread(opened.write, body[start : start + _PIECE])
            if on_progress is not None:
                on_progress(min(start + _PIECE, len(body)), len(body))

    await _save(Path(path), check, fill)


async def _save(target: Path, check: Check, fill: Callable[[BinaryIO], Awaitable[None]]) -> None:
    partial = _beside(target)
    reason = ""
    try:
        try:
            opened = await in_thread(lambda: partial.open("xb"), discard=methodcaller("close"))
            try:
                await fill(opened)
                await in_thread(atomic_files.flush, opened)
            finally:
                opened.close()
            reason = await in_thread(check, partial)
            if not reason:
                await in_thread(atomic_files.put_in_place, partial, target)
        except OSError as problem:
            reason = problem.strerror or type(problem).__name__
    finally:
        await run_uncancelled(in_thread(_remove, partial))
    if reason:
        raise SaveError(f"{target} was not saved: {reason}")


def _remove(partial: Path) -> None:
    """Let a partial file go; where even that fails, the first error says more."""
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    """Return the name to write under until all is there."""
    try:
        return atomic_files.partial_name(target)
    except ValueError:
        reason = "that is not the name of a file"
    raise SaveError(f"{target} was not saved: {reason}")


@define
class _Body:
    """A body on its way into a file, over as many answers as it takes."""

    _session: Session
    _call: Call[Any]
    _file: BinaryIO
    _on_progress: OnProgress | None
    _done: int = 0
    _total: int | None = None
    """Bytes in the end, where known."""
    _validator: str | None = None
    """Names this very body to the server."""
    _can_resume: bool = False

    async def fetch(self) -> None:
        """Go on until the body is whole.

        Raises:
            HumeError: It breaks off without progress, or an answer is an error.
        """
        total = self._session.timeout.total
        deadline = None if total is None else anyio.current_time() + total
        attempt, furthest, requests, began = 0, 0, 0, anyio.current_time()
        while (failure := await self._once(_shortened(self._session, deadline))) is not None:
            attempt = 1 if self._done > furthest else attempt + 1
            furthest = max(furthest, self._done)
            requests += max(failure.attempts, 1)
            failure.attempts, failure.elapsed = requests, anyio.current_time() - began
            pause = decide(self._session.retry, failure, attempt=attempt, repeatable=True)
            if pause is None or (deadline and anyio.current_time() + pause >= deadline):
                raise failure
            await self._session.pause(pause)

    async def _once(self, session: Session) -> APIConnectionError | None:
        """Read one answer into the file, and return what it broke off with."""
        headers = self._resuming()
        try:
            async with session.stream(self._call, headers) as answer:
                if not await self._begin(answer):
                    return self._broken("the server sent another part than the one asked for")
                return await self._read(answer)
        except APIStatusError as problem:
            if not headers or problem.status != _RANGE_NOT_SATISFIABLE:
                raise
        self._can_resume = False
        return self._broken("the server no longer has the rest of the body")

    def _resuming(self) -> dict[str, str]:
        """Return the headers that ask for the rest; none asks for the whole."""
        if not (self._can_resume and self._done):
            return {}
        # Packed bodies cannot be counted in bytes of the file.
        headers = {"Range": f"bytes={self._done}-", "Accept-Encoding": "identity"}
        return headers | ({"If-Range": self._validator} if self._validator else {})

    async def _begin(self, answer: Download) -> bool:
        """Make the file stand where the answer begins; false if it begins elsewhere."""
        if answer.status == _PARTIAL_CONTENT:
            start, total = _content_range(answer.headers)
            fits = start == self._done and (self._total is None or total in {None, self._total})
            self._can_resume = self._can_resume and fits
            return fits
        self._done = 0
        await in_thread(_empty, self._file)
        self._learn(answer.headers)
        return True

    def _learn(self, headers: Mapping[str, str]) -> None:
        """Note how a whole body can be gone on with."""
        packed = headers.get("Content-Encoding", "identity").lower() != "identity"
        size = headers.get("Content-Length", "")
        self._total = int(size) if size.isdecimal() and not packed else None
        tag = headers.get("ETag", "")
        is_strong = tag and not tag.startswith("W/")
        self._validator = tag if is_strong else headers.get("Last-Modified")
        same = self._validator is not None or self._total is not None
        refused = headers.get("Accept-Ranges", "").lower() == "none"
        self._can_resume = same and not packed and not refused

    async def _read(self, answer: Download) -> APIConnectionError | None:
        pieces: list[bytes] = []
        size, since = 0, -math.inf  # the first piece is told at once
        failure: APIConnectionError | None = None
        try:
            async for chunk in answer.chunks():
                pieces.append(chunk)
                size += len(chunk)
                if size >= _PIECE or anyio.current_time() - since >= _PATIENCE:
                    await self._write(pieces)
                    size, since = 0, anyio.current_time()
        except APIConnectionError as problem:
            failure = problem
        await self._write(pieces)
        if failure is not None:
            return failure
        if self._total is not None and self._done != self._total:
            return self._broken(f"the body ended after {self._done} of {self._total} bytes")
        return None

    async def _write(self, pieces: list[bytes]) -> None:
        """Write what has come, which need not be asked for again, and empty the list."""
        if not pieces:
            return
        await in_thread(self._file.writelines, pieces)
        self._done += sum(map(len, pieces))
        pieces.clear()
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def _broken(self, reason: str) -> APIConnectionError:
        endpoint = self._call.endpoint
        return APIConnectionError(reason, method=endpoint.method, endpoint=endpoint.path)


def _shortened(session: Session, deadline: float | None) -> Session:
    """Return a session whose calls end at a time of the event loop's clock."""
    if deadline is None:
        return session
    left = max(deadline - anyio.current_time(), 0.001)
    return session.with_settings(timeout=evolve(session.timeout, total=left))


def _content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Read which byte a part begins with, and how many the whole has."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None:
        return None, None
    total = match[2]
    return int(match[1]), None if total == "*" else int(total)


def _empty(opened: BinaryIO) -> None:
    opened.seek(0)
    opened.truncate()


def check_json(path: Path) -> str:
    """Say what keeps a file from being a whole JSON array."""
    with path.open("rb") as opened:
        first = opened.read(64).lstrip()[:1]
        opened.seek(max(0, path.stat().st_size - 64))
        last = opened.read().rstrip()[-1:]
    return "" if (first, last) == (b"[", b"]") else "what came is not a whole JSON array"
