"""The one loop of a call: pace, send, classify, and perhaps again.

A `Session` is given everything it works with (origin, transport, limiter, settings) and holds
no other state than counters and a retry budget. It knows no resource; resources, pages and
jobs call `call`, `send` and `stream`, the chat `open_socket`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import math
import time
import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Mapping,
)
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

import anyio
from attrs import Factory, define, evolve, field

from humeai_async._base.event_loops import PerLoop
from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET
from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DecodeError,
    HumeError,
    HumeSunsetWarning,
    NotFoundError,
    RateLimitWaitError,
)
from humeai_async.http.deadlines import Deadline, Deadlines
from humeai_async.http.endpoint import Call, Endpoint
from humeai_async.http.messages import JsonText, Part, Request, Response
from humeai_async.http.origins import Format, Origin
from humeai_async.http.retry import (
    SERVICE_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    RetryBudget,
    decide,
    may_have_worked,
)
from humeai_async.http.transport.errors import client_closed, is_unsent
from humeai_async.http.transport.interface import Download, Transport
from humeai_async.limiter.limiter import INTERACTIVE, Limiter
from humeai_async.limiter.queue import Priority
from humeai_async.settings import Polling, Retry, Timeout

if TYPE_CHECKING:
    from humeai_async.http.transport.websocket import Socket
    from humeai_async.limiter.bucket import Permit

T = TypeVar("T")
Body: TypeAlias = bytes | tuple[Part, ...] | None
Read: TypeAlias = Callable[[type[Any], bytes], Any]
"""Makes a type of a body."""

logger: logging.Logger = logging.getLogger("humeai_async")

_SWITCHING = 101
_PACED = frozenset({TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE})
"""What asks to be left alone for a time."""
_LARGE = 1 << 18
"""Bytes of a body from which on each step with it takes a noticeable time."""
_NO_HEADERS: Mapping[str, str] = {}


@define
class Stats:
    """What a client has done so far; clients made by `with_options` count together."""

    calls: int = 0
    """Number of calls made."""
    requests: int = 0
    """Requests sent, repeats included."""
    retries: int = 0
    """Repeats of an earlier attempt of the same call."""
    rate_limited: int = 0
    """Responses with status 429."""
    failures: int = 0
    """Calls that ended with an error."""


@define(eq=False, repr=False)
class _Shared:
    """What the clients of one family share beyond pool and limiter."""

    stats: Stats = field(factory=Stats)
    sunset_told: bool = False
    is_closed: bool = False
    deadlines: PerLoop[Deadlines] = field(factory=lambda: PerLoop(Deadlines))
    """What watches the calls on each event loop."""

    def close(self) -> None:
        """End every call and every wait, and let none begin."""
        self.is_closed = True
        for watching in self.deadlines.all():
            watching.expire_all()


@define(eq=False, repr=False)
class _Progress(Deadline):
    """A call on its way: its deadline, and what is known of it when an error ends it."""

    endpoint: Endpoint[Any]
    started: float
    attempts: int = 0
    sent: int = 0
    """Requests; an attempt takes two where the URL format is still to be found, and none where
    the limiter says no."""
    in_flight: bool = False
    may_have_worked: bool = False
    """Whether an earlier attempt may have been carried out."""


class _Body:
    """A streamed answer that has what is known of its call put on the error it breaks off with."""

    def __init__(self, download: Download, finish: Callable[[HumeError], None]) -> None:
        self._download = download
        self._finish = finish
        self.status = download.status
        self.headers = download.headers

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        from anyio.lowlevel import checkpoint_if_cancelled

        try:
            async for chunk in self._download.chunks():
                # Who never has to wait for a piece is never found waiting by anyio's cancellation.
                await checkpoint_if_cancelled()
                yield chunk
        except HumeError as problem:
            self._finish(problem)
            raise


@frozen(eq=False)
class Session:
    """How calls are made; see the module's first lines."""

    origin: Origin
    transport: Transport
    limiter: Limiter
    retry: Retry = field(factory=Retry)
    timeout: Timeout = field(factory=Timeout)
    polling: Polling = field(factory=Polling)
    priority: Priority = INTERACTIVE
    """Whom the limiter lets go first; bulk runs stand behind everybody else."""
    _shared: _Shared = field(factory=_Shared)
    _budget: RetryBudget = field(
        default=Factory(lambda self: RetryBudget(self.retry.budget), takes_self=True)
    )

    @property
    def stats(self) -> Stats:
        """Counters of the client's family."""
        return self._shared.stats

    def with_settings(self, **changes: Any) -> Session:
        """Return a session with other settings that shares everything else."""
        if "retry" in changes:
            changes["budget"] = RetryBudget(changes["retry"].budget)
        return evolve(self, **changes)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled with what hangs on it, such as a job: it holds the credential."""
        raise TypeError("what belongs to a client cannot be pickled or copied; keep its id")

    def call(self, call: Call[T]) -> Coroutine[Any, Any, T]:
        """Make a call and decode its answer."""
        from humeai_async.http.codec import decode

        return self._run(call, decode)

    def send(self, call: Call[Any]) -> Coroutine[Any, Any, Response]:
        """Make a call and return its answer, the envelope taken off."""
        return self._run(call, None)

    @contextlib.asynccontextmanager
    async def stream(
        self, call: Call[Any], headers: Mapping[str, str] = _NO_HEADERS
    ) -> AsyncGenerator[Download]:
        """Make a call and leave its body to be read piece by piece.

        Repeats end where the body begins; the total timeout covers the body too. Through a
        gateway the body still has its envelope. The headers go on top of the origin's own.
        """
        progress = self._begin(call.endpoint)
        with progress:
            async with contextlib.AsyncExitStack() as stack:
                once = functools.partial(self._open, call, progress, stack, headers)
                yield await self._attempts(progress, once)
            return
        raise self._cut_off(progress)

    async def open_socket(self, call: Call[Any]) -> Socket:
        """Open a WebSocket; the handshake is paced, timed and repeated like any call."""
        progress = self._begin(call.endpoint)
        with progress:
            once = functools.partial(self._handshake, call, progress)
            return await self._attempts(progress, once)
        raise self._cut_off(progress)

    def close(self) -> None:
        """End all calls and waits of the client's family with an error; no other can begin."""
        self._shared.close()

    @contextlib.contextmanager
    def until_closed(self) -> Generator[None]:
        """Wait in a block, outside of calls, but no longer than the client is open.

        Raises:
            ClientClosedError: The client was closed, before or meanwhile.
        """
        if self._shared.is_closed:
            raise client_closed()
        with Deadline(self._shared.deadlines.here(), math.inf):
            yield
            return
        raise client_closed()

    async def pause(self, seconds: float) -> None:
        """Sleep between two calls, but no longer than the client is open.

        Raises:
            ClientClosedError: The client was closed, before or meanwhile.
        """
        with self.until_closed():
            await anyio.sleep(seconds)

    async def _run(self, call: Call[Any], read: Read | None) -> Any:
        """Make a call; its answer is what `read` makes of the body, or as it is."""
        progress = self._begin(call.endpoint)
        body = call.parts or (None if call.body is UNSET else _encoded(call.body))
        with progress:
            return await self._attempts(
                progress,
                functools.partial(self._once, call, body, progress, read),
                can_repeat=_can_repeat(call.parts),
            )
        raise self._cut_off(progress)

    def _begin(self, endpoint: Endpoint[Any]) -> _Progress:
        """Refuse what cannot be carried, and set the call's deadline."""
        shared = self._shared
        self.origin.refuse(endpoint)
        if shared.is_closed:
            raise client_closed(method=endpoint.method, endpoint=endpoint.path)
        if endpoint.sunset is not None and self.origin.is_hume and not shared.sunset_told:
            self._warn_of_sunset(endpoint, endpoint.sunset)
        shared.stats.calls += 1
        self._budget.earn()
        deadlines = shared.deadlines.here()
        now = deadlines.loop.time()
        total = self.timeout.total
        until = math.inf if total is None else now + total
        return _Progress(deadlines, until, endpoint, now)

    def _warn_of_sunset(self, endpoint: Endpoint[Any], sunset: dt.date) -> None:
        if sunset > today():
            return
        self._shared.sunset_told = True
        warnings.warn(
            f"Hume switched {endpoint.name} off on {sunset.isoformat()}; instead there "
            f"is {endpoint.replacement or 'nothing'}. The call is made all the same.",
            HumeSunsetWarning,
            stacklevel=2,
        )

    async def _attempts(
        self,
        progress: _Progress,
        once: Callable[[], Awaitable[T]],
        *,
        can_repeat: bool = True,
    ) -> T:
        """Make attempts until one succeeds or no further one is allowed."""
        failure: HumeError | None = None
        while True:
            progress.attempts += 1
            progress.in_flight = False
            try:
                return await once()
            except RateLimitWaitError as problem:
                problem.retry_after = problem.seconds
                if failure is not None:
                    problem.status, problem.code = failure.status, failure.code
                    problem.request_id = failure.request_id
                self._finish(problem, progress)
                raise problem from failure
            except (APIConnectionError, APIStatusError, DecodeError) as problem:
                failure = problem
            except HumeError as problem:
                failure, can_repeat = problem, False
            pause = self._pause(failure, progress) if can_repeat else None
            if pause is None:
                self._finish(failure, progress)
                raise failure
            self._shared.stats.retries += 1
            logger.debug(
                "%s: attempt %d failed (%s), again in %.2f s",
                progress.endpoint.name,
                progress.attempts,
                type(failure).__name__,
                pause,
            )
            await anyio.sleep(pause)

    def _pause(self, failure: HumeError, progress: _Progress) -> float | None:
        """Say how long to wait before going again, or `None` to give up."""
        endpoint = progress.endpoint
        repeatable = endpoint.repeatable and not self._may_be_done(failure, endpoint)
        pause = decide(self.retry, failure, attempt=progress.attempts, repeatable=repeatable)
        if pause is None or anyio.current_time() + pause >= progress.when:
            return None
        is_told_when = failure.status == SERVICE_UNAVAILABLE and failure.retry_after is not None
        is_paced = failure.status == TOO_MANY_REQUESTS or is_told_when
        if not is_paced and not self._budget.spend():
            return None
        progress.may_have_worked |= _left_open(failure)
        return pause

    def _may_be_done(self, failure: HumeError, endpoint: Endpoint[Any]) -> bool:
        """Whether silence may mean success: the gateway never passes a 204 on."""
        return (
            self.origin.drops_204
            and endpoint.method == "DELETE"
            and isinstance(failure, APITimeoutError)
            and failure.outcome_unknown
        )

    def _finish(self, failure: HumeError, progress: _Progress) -> None:
        """Put what is known of the call on the error that ends it."""
        endpoint = progress.endpoint
        self._shared.stats.failures += 1
        failure.method = endpoint.method
        failure.endpoint = endpoint.path
        failure.attempts = progress.sent
        failure.elapsed = anyio.current_time() - progress.started
        # An answer that cannot be read was a success all the same.
        unknown = failure.outcome_unknown or isinstance(failure, DecodeError)
        failure.outcome_unknown = self._may_be_done(failure, endpoint) or (
            unknown and not endpoint.repeatable
        )
        if isinstance(failure, NotFoundError) and endpoint.method == "DELETE":
            # A repeated DELETE finds nothing where the first one worked unheard.
            failure.outcome_unknown = progress.may_have_worked

    def _cut_off(self, progress: _Progress) -> HumeError:
        """Return the error of a call whose time was up, or whose client was closed."""
        unknown = progress.in_flight or progress.may_have_worked
        failure: HumeError
        if self._shared.is_closed:
            failure = client_closed(outcome_unknown=unknown)
        else:
            failure = APITimeoutError(
                f"the call did not end within its total timeout of {self.timeout.total:g} s",
                outcome_unknown=unknown,
            )
        self._finish(failure, progress)
        return failure

    async def _once(
        self, call: Call[Any], body: Body, progress: _Progress, read: Read | None
    ) -> Any:
        """Make one attempt, in as many URL formats as it takes."""
        origin = self.origin
        doubted: list[Response] = []
        for url_format in origin.formats(call):
            try:
                answer = await self._exchange(origin.request(call, body, url_format), progress)
            except APIConnectionError as problem:
                self._settle_silence(call, url_format, problem)
                raise
            if origin.settle(call, url_format, answer) or not _can_repeat(call.parts):
                break
            progress.may_have_worked |= may_have_worked(answer.status, None)
            doubted.append(answer)
        else:
            answer = _least_doubtful(doubted)
        if not answer.is_success:
            raise self._error(answer, call)
        if read is None:
            return answer
        if len(answer.body) > _LARGE:
            await _let_others_go()
        try:
            return read(call.endpoint.returns, answer.body)
        except DecodeError as problem:
            problem.status = answer.status
            # Without the frames of the codec, which hold the body.
            raise problem.with_traceback(None)  # noqa: B904 - the same error

    def _settle_silence(
        self, call: Call[Any], url_format: Format, problem: APIConnectionError
    ) -> None:
        """Tell the origin of a request that the server closed the connection on."""
        if problem.outcome_unknown and not isinstance(problem, APITimeoutError):
            self.origin.settle(call, url_format, None)

    async def _exchange(self, request: Request, progress: _Progress) -> Response:
        """Wait for the limiter, send one request, and tell the limiter how it went."""
        permit = await self._permit(progress)
        began = time.perf_counter()
        try:
            progress.in_flight = True
            response = await self.transport.send(request, self.timeout)
            progress.in_flight = False
            if len(response.body) > _LARGE:
                await _let_others_go()
            answer = self.origin.read(response)
        except BaseException as problem:
            if isinstance(problem, asyncio.CancelledError):
                progress.in_flight = not is_unsent(problem)
            permit.done(None)
            raise
        self._observe(permit, answer)
        if logger.isEnabledFor(logging.DEBUG):
            seconds = time.perf_counter() - began
            name = progress.endpoint.name
            logger.debug("%s: status %d after %.3f s", name, answer.status, seconds)
        return answer

    async def _open(
        self,
        call: Call[Any],
        progress: _Progress,
        stack: contextlib.AsyncExitStack,
        headers: Mapping[str, str],
    ) -> Download:
        """Make one attempt at a streamed answer; what is opened stays on the stack."""
        doubted: list[Response] = []
        for url_format in self.origin.formats(call):
            request = self.origin.request(call, None, url_format)
            request = evolve(request, headers={**request.headers, **headers})
            permit = await self._permit(progress)
            async with contextlib.AsyncExitStack() as opened:
                opened.callback(permit.done, None)
                try:
                    download = await opened.enter_async_context(
                        self.transport.stream(request, self.timeout)
                    )
                except APIConnectionError as problem:
                    self._settle_silence(call, url_format, problem)
                    raise
                if 200 <= download.status < 300:  # noqa: PLR2004 - the classes of HTTP
                    answer = Response(download.status, download.headers, b"")
                    self._observe(permit, answer)
                    self.origin.settle(call, url_format, answer)
                    stack.push_async_exit(opened.pop_all())
                    return _Body(download, lambda problem: self._finish(problem, progress))
                # Not in a variable: what echoes a credential must not show in a traceback.
                response = Response(download.status, download.headers, await download.read())
            answer = self.origin.read(response)
            self._observe(permit, answer)
            if self.origin.settle(call, url_format, answer):
                break
            doubted.append(answer)
        else:
            answer = _least_doubtful(doubted)
        raise self._error(answer, call)

    async def _handshake(self, call: Call[Any], progress: _Progress) -> Socket:
        """Make one attempt at a WebSocket."""
        url_format = self.origin.formats(call)[0]
        request = self.origin.request(call, None, url_format)
        permit = await self._permit(progress)
        try:
            opened = await self.transport.open_socket(request, self.timeout)
            if not isinstance(opened, Response):
                permit.done(_SWITCHING, {}, None)
                return opened
            answer = self.origin.read(opened)
            self._observe(permit, answer)
        finally:
            permit.done(None)
        raise self._error(answer, call)

    async def _permit(self, progress: _Progress) -> Permit:
        until = progress.when
        permit = await self.limiter.acquire(
            f"{self.origin.account}/{progress.endpoint.bucket}",
            deadline=None if until == math.inf else until,
            priority=self.priority,
            head=progress.attempts > 1,
        )
        self._shared.stats.requests += 1
        progress.sent += 1
        return permit

    def _observe(self, permit: Permit, answer: Response) -> None:
        hint = None
        if answer.status in _PACED:
            hint = _retry_after(answer)
            self._shared.stats.rate_limited += answer.status == TOO_MANY_REQUESTS
        permit.done(answer.status, answer.headers, hint)

    def _error(self, answer: Response, call: Call[Any]) -> APIStatusError:
        from humeai_async.http.secrets import find_secrets, hide
        from humeai_async.http.status_errors import BODY_KEPT, to_error

        secrets = find_secrets(_sent(call))
        return to_error(
            answer,
            call.endpoint,
            retry_after=_retry_after(answer),
            scrub=lambda text: hide(self.origin.scrub(text), secrets, BODY_KEPT),
            today=today(),
        )


def _encoded(body: object) -> bytes:
    """Write a JSON body."""
    from humeai_async.http.codec import encode

    return encode(body)


def _sent(call: Call[Any]) -> object:
    """Return the JSON that a call sends, as plain objects; files are left out."""
    from humeai_async.http.codec import parse, to_plain

    if call.parts:
        return [parse(part.content) for part in call.parts if isinstance(part.content, JsonText)]
    return None if call.body is UNSET else to_plain(call.body)


async def _let_others_go() -> None:
    """Let the event loop see to everything else between two long steps with a large body."""
    # Timers and sockets that fell due queue up behind the first turn, and the tasks that they
    # wake behind the second.
    for _ in range(3):
        await asyncio.sleep(0)


def _can_repeat(parts: tuple[Part, ...]) -> bool:
    """Whether all parts of a body can be sent a second time."""
    return not parts or all(part.repeatable for part in parts)


def _least_doubtful(doubted: list[Response]) -> Response:
    """Choose the first answer that says more than that there is no such path."""
    return next((answer for answer in doubted if not answer.is_no_route), doubted[-1])


def _left_open(failure: HumeError) -> bool:
    """Whether a failed attempt may have been carried out."""
    if isinstance(failure, APIStatusError):
        return failure.status is not None and may_have_worked(failure.status, failure.retry_after)
    return failure.outcome_unknown or isinstance(failure, DecodeError)


def _retry_after(answer: Response) -> float | None:
    from humeai_async.limiter.headers import parse_retry_after

    return parse_retry_after(answer.headers, now_epoch=time.time())


def today() -> dt.date:
    """Return the date that decides what Hume has switched off."""
    return dt.datetime.now(tz=dt.UTC).date()
