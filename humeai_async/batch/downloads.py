"""Bodies to disk: streamed, resumed, checked, and under their final name only when complete.

A download goes to a temporary file beside its target, is flushed, checked and renamed; when
anything goes wrong, cancellation included, the temporary file goes away. Where a body breaks
off, the rest of it is asked for by Range if a strong validator names it, else the whole again. It
knows no job and no archive; `Job` calls it.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from http import HTTPStatus
from operator import methodcaller
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import anyio
from attrs import define, evolve, field

from humeai_async._base import atomic_files
from humeai_async._base.cancellation import in_thread, run_uncancelled
from humeai_async.batch.ranges import Validators, is_encoded, read_part
from humeai_async.errors import APIConnectionError, APIStatusError, DecodeError, SaveError
from humeai_async.http.arguments import check_path
from humeai_async.http.endpoint import Call
from humeai_async.http.retry import decide
from humeai_async.http.session import Session
from humeai_async.http.transport.bodies import too_large
from humeai_async.http.transport.interface import Download

OnProgress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes so far, and with their number in the end or `None` if not known."""
Check: TypeAlias = Callable[[Path], str]
"""Looks at a complete file and says what is wrong with it, or nothing."""

_PIECE = 1 << 21
"""Bytes that are written at once: a hop to a thread costs as much as writing half a MiB."""
_PATIENCE = 0.1
"""Seconds after which what has come is written all the same, and told, be it ever so little."""


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
        on_progress: Called at the first piece, then after 2 MiB or a tenth of a second.

    Raises:
        InvalidArgumentError: The path is none.
        SaveError: The file cannot be written, or the check found something.
        HumeError: The call failed, as ever.
    """
    target = check_path("path", path)

    async def fill(opened: BinaryIO) -> None:
        await _Body(session, call, _File(opened), on_progress).fetch()

    await _save(target, check, fill)


class Target(Protocol):
    """What a body goes to."""

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Take the next pieces."""
        ...

    async def restart(self) -> None:
        """Drop what has come so far: the body begins anew."""
        ...


@define
class _File:
    """An open file, written in threads."""

    _opened: BinaryIO

    async def write(self, pieces: Sequence[bytes]) -> None:
        await in_thread(self._opened.writelines, pieces)

    async def restart(self) -> None:
        await in_thread(_empty, self._opened)


async def fetch_into(
    session: Session,
    call: Call[Any],
    target: Target,
    *,
    check: Callable[[], Awaitable[DecodeError | None]],
) -> None:
    """Make a call and hand its body on as it comes, to be read: no larger than others may be.

    Args:
        session: Makes the call.
        call: A call that can be repeated.
        target: Takes the body.
        check: Looks at the complete body. What may have been cut off on its way is asked for
            again, as any call would.

    Raises:
        ResponseTooLargeError: It has more bytes than `Pool.max_body`.
        HumeError: The call failed, as ever, or the check found something.
    """
    await _Body(session, call, target, None, check, session.shared.max_body).fetch()


async def save(
    body: bytes,
    path: str | os.PathLike[str],
    check: Check,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a body that is in memory to a file, with the same care.

    Raises:
        InvalidArgumentError: The path is none.
        SaveError: The file cannot be written, or the check found something.
    """
    target = check_path("path", path)

    async def fill(opened: BinaryIO) -> None:
        for start in range(0, len(body), _PIECE):
            await in_thread(opened.write, body[start : start + _PIECE])
            if on_progress is not None:
                on_progress(min(start + _PIECE, len(body)), len(body))

    await _save(target, check, fill)


async def _save(target: Path, check: Check, fill: Callable[[BinaryIO], Awaitable[None]]) -> None:
    with atomic_files.saving(f"{target} was not saved"):
        partial = await in_thread(atomic_files.partial_name, target)
        try:
            opened = await in_thread(
                atomic_files.create_partial, partial, target, discard=methodcaller("close")
            )
            try:
                await fill(opened)
                await in_thread(atomic_files.flush, opened)
            finally:
                opened.close()
            reason = await in_thread(check, partial)
            if not reason:
                await in_thread(atomic_files.put_in_place, partial, target)
        finally:
            await run_uncancelled(in_thread(_remove, partial))
    if reason:
        raise SaveError(f"{target} was not saved: {reason}")


def _remove(partial: Path) -> None:
    """Let a partial file go; where even that fails, the first error says more."""
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)


@define
class _Body:
    """A body on its way to its target, over as many responses as it takes."""

    _session: Session
    _call: Call[Any]
    _target: Target
    _on_progress: OnProgress | None
    _check: Callable[[], Awaitable[DecodeError | None]] | None = None
    _most: float = math.inf
    """Bytes that it may have."""
    _done: int = 0
    _total: int | None = None
    """Bytes in the end, where known."""
    _end: int | None = None
    """Bytes after this response, where known: a server may send less than the whole rest."""
    _validators: Validators = field(factory=Validators)
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

    async def _once(self, session: Session) -> APIConnectionError | DecodeError | None:
        """Read one response into the target, and return what it broke off with."""
        headers = self._resuming()
        try:
            async with session.stream(self._call, headers) as response:
                if not await self._begin(response):
                    return self._broken("the server sent a part that does not fit what came before")
                failure = await self._read(response)
            return failure or await self._checked()
        except APIStatusError as problem:
            if not headers or problem.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
        self._can_resume = False
        return self._broken("the server no longer has the rest of the body")

    def _resuming(self) -> dict[str, str]:
        """Return the headers that ask for the rest; none asks for the whole."""
        validator = self._validators.strong
        if not (self._can_resume and self._done and validator):
            return {}
        # Packed bodies cannot be counted in bytes of the file.
        return {
            "Range": f"bytes={self._done}-",
            "If-Range": validator,
            "Accept-Encoding": "identity",
        }

    async def _checked(self) -> DecodeError | None:
        """Look at the complete body; what is wrong with one cannot be mended by its rest."""
        problem = None if self._check is None else await self._check()
        if problem is not None:
            self._can_resume = False
        return problem

    async def _begin(self, response: Download) -> bool:
        """Make the target stand where the response begins; false if it begins elsewhere."""
        headers = response.headers
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            part = read_part(headers)
            fits = (
                self._can_resume
                and part is not None
                and part.start == self._done
                and self._total in {None, part.total}
                and self._validators.agree_with(headers)
            )
            if part is None or not fits:
                self._can_resume = False
                return False
            self._total, self._end = part.total, part.end
            return True
        self._done = 0
        await self._target.restart()
        is_packed = is_encoded(headers)
        size = headers.get("Content-Length", "")
        self._total = self._end = int(size) if size.isdecimal() and not is_packed else None
        self._validators = Validators.of(headers)
        self._ensure_small(self._total or 0, response)
        is_refused = headers.get("Accept-Ranges", "").lower() == "none"
        self._can_resume = not (is_packed or is_refused)
        return True

    async def _read(self, response: Download) -> APIConnectionError | None:
        pieces, chunks = list[bytes](), response.chunks()
        size, since = 0, -math.inf  # the first piece is reported at once
        failure: APIConnectionError | None = None
        try:
            async for chunk in chunks:
                pieces.append(chunk)
                size += len(chunk)
                self._ensure_small(self._done + size, response)
                if size >= _PIECE or anyio.current_time() - since >= _PATIENCE:
                    await self._write(pieces)
                    size, since = 0, anyio.current_time()
        except APIConnectionError as problem:
            failure = problem
        finally:
            if isinstance(chunks, AsyncGenerator):  # else the event loop closes it in a task
                await chunks.aclose()
        await self._write(pieces)
        if failure is not None:
            return failure
        if self._end is not None and self._done > self._end:
            self._can_resume = False
            return self._broken(f"the body has more than the {self._end} bytes that it should have")
        if self._total is not None and self._done != self._total:
            return self._broken(f"the body ended after {self._done} of {self._total} bytes")
        return None

    async def _write(self, pieces: list[bytes]) -> None:
        """Write what has come, which need not be asked for again, and empty the list."""
        if not pieces:
            return
        await self._target.write(pieces)
        self._done += sum(map(len, pieces))
        pieces.clear()
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def _ensure_small(self, size: int, response: Download) -> None:
        if size > self._most:
            raise too_large(size, round(self._most), response.status)

    def _broken(self, reason: str) -> APIConnectionError:
        endpoint = self._call.endpoint
        return APIConnectionError(reason, method=endpoint.method, endpoint=endpoint.path)


def _shortened(session: Session, deadline: float | None) -> Session:
    """Return a session whose calls end at a time of the event loop's clock."""
    if deadline is None:
        return session
    left = max(deadline - anyio.current_time(), 0.001)
    return session.with_settings(timeout=evolve(session.timeout, total=left))


def _empty(opened: BinaryIO) -> None:
    opened.seek(0)
    opened.truncate()


def check_json(path: Path) -> str:
    """Say what keeps a file from being a whole JSON array.

    Every bracket must have its other half: where a body has no length, one that is cut behind
    an inner bracket looks whole at its ends.
    """
    with path.open("rb") as opened:
        first = opened.read(64).lstrip()[:1]
        opened.seek(max(0, path.stat().st_size - 64))
        last = opened.read().rstrip()[-1:]
        opened.seek(0)
        is_whole = (first, last) == (b"[", b"]") and _is_balanced(opened)
    return "" if is_whole else "what came is not a whole JSON array"


def _is_balanced(opened: BinaryIO) -> bool:
    """Whether as many brackets close as open, outside of texts."""
    depth, in_text, carried = 0, False, b""
    while piece := opened.read(_SCANNED):
        piece, carried = carried + piece, b""
        if b"\\" in piece:
            # A backslash at the very end belongs to a character that is still to come.
            piece, carried = _ESCAPE.sub(b"", piece), b""
            if piece.endswith(b"\\"):
                piece, carried = piece[:-1], b"\\"
        # Two quotes side by side open and close a text, or close one and open the next.
        rest = piece.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
        for number, part in enumerate(rest.split(b'"')):
            if number:
                in_text = not in_text
            if not in_text:
                depth += part.count(b"[") + part.count(b"{") - part.count(b"]") - part.count(b"}")
    return depth == 0 and not in_text


_SCANNED = 1 << 16
"""Bytes that are looked at at once: longer steps would hold the event loop."""
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
