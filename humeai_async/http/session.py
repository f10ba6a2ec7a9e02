"""The one loop of a call: pace, send, judge the response, and perhaps again.

A `Session` is given everything it works with (origin, transport, limiter, settings) and holds
no other state than counters and a retry budget. It knows no resource; resources, pages and
jobs call `call`, `send` and `stream`, the chat `open_socket`. All four go through
`_with_retries`, which holds the call's deadline and makes attempts until one response is final;
`_send_once` waits for the limiter and exchanges one request for its response.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import math
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn, TypeAlias, TypeVar

import anyio
from attrs import Factory, evolve, field

from humeai_async._base.frozen import frozen
from humeai_async._base.unset import UNSET
from humeai_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DecodeError,
    HumeError,
    HumeSunsetWarning,
    RateLimitError,
)
from humeai_async.http.additions import NO_ADDITIONS, Additions
from humeai_async.http.calls import NO_HEADERS, Progress, Shared, Stats, TimedBody
from humeai_async.http.codec import encode_request
from humeai_async.http.credentials import CredentialSource
from humeai_async.http.deadlines import Deadline
from humeai_async.http.endpoint import Call, Endpoint, QueryValue
from humeai_async.http.exchanges import Exchange, captures_of, capturing
from humeai_async.http.messages import Delivery, Request, Response, unknown_encoding
from humeai_async.http.observing import Observers, Watch
from humeai_async.http.origins import Origin, Route
from humeai_async.http.raw_calls import RawResponse, raw_call, raw_response
from humeai_async.http.reading import (
    LARGE,
    Read,
    decoded,
    decoded_with_id,
    read_in_steps,
    yield_to_loop,
)
from humeai_async.http.retry import (
    LONGEST_REFUSAL,
    TOO_MANY_REQUESTS,
    RetryBudget,
    decide,
    delivery_by_status,
    delivery_of,
    is_paced,
)
from humeai_async.http.status_errors import error_of_call, successor_of
from humeai_async.http.transport.errors import client_closed
from humeai_async.http.transport.interface import Download, OpenResponse, Transport
from humeai_async.http.transport.websocket import Socket
from humeai_async.limiter.headers import parse_retry_after
from humeai_async.limiter.limiter import INTERACTIVE, BucketState, Limiter
from humeai_async.limiter.queue import Priority
from humeai_async.settings import Polling, Retry, Timeout

T = TypeVar("T")
Send: TypeAlias = Callable[[Request, Progress], Awaitable[Response]]
"""Makes one attempt."""


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
    observers: Observers = field(factory=Observers, repr=False)
    additions: Additions = NO_ADDITIONS
    """Headers and query fields of every call."""
    shared: Shared = field(factory=Shared, repr=False)
    _budget: RetryBudget = field(
        default=Factory(lambda self: RetryBudget(self.retry.budget), takes_self=True)
    )

    @property
    def stats(self) -> Stats:
        """Counters of the client's family."""
        return self.shared.stats

    @property
    def has_envelopes(self) -> bool:
        """Whether bodies come wrapped, as through a gateway."""
        return self.origin.has_envelopes

    def ensure_supported(self, endpoint: Endpoint[Any]) -> None:
        """Refuse a call that the gateway cannot carry.

        Raises:
            GatewayUnsupportedError: Nothing was sent.
        """
        self.origin.ensure_supported(endpoint)

    def redact(self, text: str) -> str:
        """Remove the client's credential, and the values of its own headers, from a text."""
        return self.additions.redact(self.origin.redact(text))

    def quota(self, bucket: str) -> BucketState:
        """Return what the limiter knows of one of the account's quotas."""
        return self.limiter.snapshot(f"{self.origin.account}/{bucket}")

    def with_settings(self, **changes: Any) -> Session:
        """Return a session with other settings that shares everything else."""
        if "retry" in changes:
            changes["budget"] = RetryBudget(changes["retry"].budget)
        return evolve(self, **changes)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled with what hangs on it, such as a job: it holds the credential."""
        raise TypeError("what belongs to a client cannot be pickled or copied; keep its id")

    def call(self, call: Call[T]) -> Coroutine[Any, Any, T]:
        """Make a call and decode its response."""
        return self._run(call, decoded)

    def call_with_id(self, call: Call[T]) -> Coroutine[Any, Any, tuple[T, str | None]]:
        """Make a call, and return its decoded response with the service's id of the request."""
        return self._run(call, decoded_with_id)

    def send(self, call: Call[Any]) -> Coroutine[Any, Any, Response]:
        """Make a call and return its response, the envelope taken off."""
        return self._run(call)

    def request(
        self, method: str, path: str, query: Mapping[str, QueryValue] | None, json: object
    ) -> Coroutine[Any, Any, RawResponse]:
        """Make a call that has no method of its own.

        Raises:
            InvalidArgumentError: The method, path, query or body cannot be used.
        """
        return self._run(raw_call(method, path, query, json), raw_response)

    def capture(self) -> contextlib.AbstractContextManager[list[Exchange]]:
        """Take down what the calls of a block exchange, by the client's whole family."""
        return capturing(self.shared)

    def _run(self, call: Call[Any], read: Read | None = None) -> Coroutine[Any, Any, Any]:
        send = self._send_once
        if call.before_send is not None:
            send = functools.partial(self._send_once, before=call.before_send)
        watch = self._watch(call.endpoint)
        if watch is None:
            return self._with_retries(call, send, read=read)
        return self._watched(watch, call, send, read)

    async def _watched(self, watch: Watch, call: Call[Any], send: Send, read: Read | None) -> Any:
        """Make a call that somebody looks at."""
        progress = self._begin(call.endpoint)
        progress.watch = watch
        with watch:
            return await self._with_retries(call, send, progress, read)

    def _watch(self, endpoint: Endpoint[Any]) -> Watch | None:
        """Return what tells of a call, if there is anybody to be told."""
        listeners, captures = self.observers.present(), captures_of(self.shared)
        if not (listeners or captures):
            return None
        about = endpoint.name, endpoint.method, endpoint.path
        base_url = self.origin.base_url
        return Watch(self.observers, listeners, captures, about, base_url, self.redact)

    @contextlib.asynccontextmanager
    async def stream(
        self, call: Call[Any], headers: Mapping[str, str] = NO_HEADERS
    ) -> AsyncGenerator[Download]:
        """Make a call and leave its body to be read piece by piece.

        Repeats end where the body begins; the total timeout covers its reading too. Through a
        gateway the body still has its envelope. The headers go on top of the origin's own.
        """
        progress = self._begin(call.endpoint)
        progress.watch = watch = self._watch(call.endpoint)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(watch or contextlib.nullcontext())
            found = list[OpenResponse]()

            async def take(request: Request) -> Response:
                request.headers = {**request.headers, **headers}
                opened = await self.transport.open(request, self.timeout)
                response = Response(opened.status, opened.headers, b"")
                if response.is_error:
                    return await self._read(opened, watch)
                found.append(opened)
                stack.push_async_callback(opened.aclose)
                return response

            await self._with_retries(call, functools.partial(self._send_once, take=take), progress)
            yield TimedBody(found[-1], progress)

    async def open_socket(self, call: Call[Any]) -> Socket:
        """Open a WebSocket; the handshake is paced, timed and repeated like any call."""
        progress, found = self._begin(call.endpoint), list[Socket]()
        progress.watch = watch = self._watch(call.endpoint)

        async def take(request: Request) -> Response:
            opened = await self.transport.open_socket(request, self.timeout)
            if not isinstance(opened, Response):
                found.append(opened)
                return Response(HTTPStatus.SWITCHING_PROTOCOLS, {}, b"")
            if watch is not None:
                watch.note_raw(opened)
            return self.origin.read(opened)

        async def once(request: Request, progress: Progress) -> Response:
            response = await self._send_once(request, progress, take)
            # To the loop a socket is a success like any other.
            return Response(HTTPStatus.OK, {}, b"") if found else response

        with watch or contextlib.nullcontext():
            response = await self._with_retries(call, once, progress)
            if not found:  # a server that takes the request for one of another kind
                raise progress.end_with(self._error_of(response, call, None))
        return found[-1]

    def close(self) -> None:
        """End all calls and waits of the client's family with an error; no other can begin."""
        self.shared.close()

    @contextlib.contextmanager
    def until_closed(self) -> Generator[None]:
        """Wait in a block, outside of calls, but no longer than the client is open.

        Raises:
            ClientClosedError: The client was closed, before or meanwhile.
        """
        if self.shared.is_closed:
            raise client_closed()
        with Deadline(self.shared.deadlines.current(), math.inf):
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

    def _begin(self, endpoint: Endpoint[Any]) -> Progress:
        """Refuse what cannot be carried, and set the call's deadline."""
        shared = self.shared
        self.origin.ensure_supported(endpoint)
        if shared.is_closed:
            raise client_closed(method=endpoint.method, endpoint=endpoint.path)
        deadlines = shared.deadlines.current()
        if endpoint.sunset is not None and self.origin.is_hume and not shared.has_warned_of_sunset:
            self._warn_of_sunset(endpoint, endpoint.sunset)
        shared.stats.calls += 1
        self._budget.earn()
        now = deadlines.loop.time()
        total = self.timeout.total
        until = math.inf if total is None else now + total
        return Progress(deadlines, until, endpoint, now, shared, total, self.origin.drops_204)

    def _warn_of_sunset(self, endpoint: Endpoint[Any], sunset: dt.date) -> None:
        if sunset > today():
            return
        self.shared.has_warned_of_sunset = True
        warnings.warn(
            f"Hume switched {endpoint.name} off on {sunset.isoformat()}. "
            f"{successor_of(endpoint)} The call is made all the same.",
            HumeSunsetWarning,
            stacklevel=2,
        )

    async def _with_retries(
        self,
        call: Call[Any],
        send: Send,
        progress: Progress | None = None,
        read: Read | None = None,
    ) -> Any:
        """Make attempts until a response is final or no further attempt is allowed."""
        if self.additions.query:
            call = self.additions.on(call)
        body = call.parts or (None if call.body is UNSET else encode_request(call.body))
        if progress is None:
            progress = self._begin(call.endpoint)
        route = self.origin.route(call, body)
        with progress:
            while True:
                try:
                    response = await send(route.request, progress)
                    chosen = route.choose(response)
                    if chosen is None:  # sent in the wrong URL format
                        progress.is_in_doubt |= _is_unclear(response)
                        continue
                    if read is not None and len(chosen.body) > LARGE:
                        await yield_to_loop()
                        if read is decoded:
                            read = await read_in_steps(read, call.endpoint.returns, chosen)
                    return self._result(call, chosen, read)
                except HumeError as problem:
                    failure = problem
                pause = self._pause_after(failure, progress, route, can_repeat=call.can_repeat)
                if pause is None:
                    raise progress.end_with(failure)
                await anyio.sleep(pause)
                route = self.origin.route(call, body)
        raise progress.end_early()

    def _result(self, call: Call[Any], response: Response, read: Read | None) -> Any:
        """Return what a final response comes to."""
        if not 200 <= response.status < 300:  # noqa: PLR2004 - `is_error`, at each call
            raise self._error_of(response, call, _retry_after(response))
        if read is None:
            return response
        try:
            return read(call.endpoint.returns, response)
        except DecodeError as problem:
            failure = problem
        # Made anew, without the frames of the codec, which hold the body.
        message = failure.message
        if encoding := unknown_encoding(response.headers):
            message += f"; it is packed as {encoding!r}, which nobody asked for"
        raise DecodeError(
            message, path=failure.path, is_whole=failure.is_whole, status=response.status
        )

    def _error_of(
        self, response: Response, call: Call[Any], retry_after: float | None
    ) -> APIStatusError:
        return error_of_call(
            response, call, self.origin, retry_after, redact=self.redact, today=today()
        )

    def _pause_after(
        self, failure: HumeError, progress: Progress, route: Route, *, can_repeat: bool
    ) -> float | None:
        """Say how long to wait before the next attempt, or `None` to give up."""
        if can_repeat and self._can_ask_again(failure, progress):
            return self._go_again(failure, progress, 0.0)
        endpoint, now = progress.endpoint, progress.now
        is_refused = failure.status == TOO_MANY_REQUESTS and isinstance(failure, RateLimitError)
        if is_refused:
            progress.patient_until = min(progress.patient_until, now + LONGEST_REFUSAL)
        else:
            progress.failures += 1
        if _is_hang_up(failure):
            route.note_silence()
        pause = decide(
            self.retry,
            failure,
            attempt=progress.failures,
            repeatable=endpoint.repeatable and not progress.may_be_silent_success(failure),
        )
        until = progress.waits_until if is_refused else progress.when
        if pause is None or not can_repeat or now + pause >= until or progress.is_keyless:
            return None
        if not is_paced(failure) and not self._budget.spend():
            return None
        return self._go_again(failure, progress, pause)

    def _can_ask_again(self, failure: HumeError, progress: Progress) -> bool:
        """Whether a call was refused for a credential that changes, for the first time."""
        source, request = self.origin.source, progress.request
        if source is None or request is None or request.credential is None:
            return False
        is_refused = failure.status == HTTPStatus.UNAUTHORIZED and not progress.has_asked_again
        if not is_refused or progress.is_keyless:
            return False
        progress.has_asked_again = True
        source.reject(request.credential.secret)
        return True

    def _go_again(self, failure: HumeError, progress: Progress, pause: float) -> float:
        """Take down what the next attempt should know of the last one."""
        is_in_doubt = delivery_of(failure) is Delivery.UNKNOWN
        progress.is_in_doubt |= is_in_doubt
        if progress.request is not None and not is_in_doubt:
            progress.request.delivery = Delivery.REFUSED
        progress.failure, progress.request = failure, None
        self.shared.stats.retries += 1
        if progress.watch is not None:
            progress.watch.retry(failure, pause)
        return pause

    async def _send_once(
        self,
        request: Request,
        progress: Progress,
        take: Callable[[Request], Awaitable[Response]] | None = None,
        before: Callable[[Request], Awaitable[None]] | None = None,
    ) -> Response:
        """Wait for the limiter, exchange one request for its response, and tell the limiter.

        Args:
            request: The request.
            progress: Its call.
            take: Sends it where more than a response that is read whole comes of it.
            before: Called when it may go.
        """
        request.private = self.additions.headers
        progress.request = request
        endpoint, watch = progress.endpoint, progress.watch
        permit = await self.limiter.acquire(
            f"{self.origin.account}/{endpoint.bucket}",
            deadline=progress.waits_until,
            priority=self.priority,
            head=progress.failure is not None,
            allowance=endpoint.allowance,
        )
        self.shared.stats.requests += 1
        progress.sent += 1
        if watch is not None:
            watch.wait(progress.sent, permit.waited)
            watch.send(progress.sent, request)
        try:
            if self.origin.source is not None:
                await self._ask_credential(self.origin.source, request, progress)
            if before is not None:
                await before(request)
            if take is None:
                response = await self._read(await self.transport.open(request, self.timeout), watch)
            else:
                response = await take(request)
            request.delivery = Delivery.RESPONDED
            self.shared.stats.rate_limited += response.status == TOO_MANY_REQUESTS
            permit.done(response.status, response.headers)
        except BaseException as problem:
            permit.done(None)  # which does nothing where the limiter knows already
            if watch is not None:
                watch.fail(request, problem)
            raise
        if watch is not None:
            watch.respond(request, response)
        return response

    async def _ask_credential(
        self, source: CredentialSource, request: Request, progress: Progress
    ) -> None:
        """Put the credential of the moment on a request."""
        progress.is_keyless = True
        secret = await source.current()
        progress.is_keyless = False
        request.credential = evolve(self.origin.credential, secret=secret)

    async def _read(self, opened: OpenResponse, watch: Watch | None) -> Response:
        """Read a response whole, and take its envelope off."""
        try:
            response = Response(opened.status, opened.headers, await opened.read())
        finally:
            await opened.aclose()
        if watch is not None:
            watch.note_raw(response)
        if len(response.body) > LARGE:
            await yield_to_loop()
        return self.origin.read(response)


def _is_hang_up(failure: HumeError) -> bool:
    """Whether the server closed the connection on a request."""
    is_broken = isinstance(failure, APIConnectionError) and failure.outcome_unknown
    return is_broken and not isinstance(failure, APITimeoutError)


def _is_unclear(response: Response) -> bool:
    """Whether a request may have been carried out although its response is not final."""
    return delivery_by_status(response.status, None) is Delivery.UNKNOWN


def _retry_after(response: Response) -> float | None:
    return parse_retry_after(response.headers, now_epoch=time.time())


def today() -> dt.date:
    """Return the date that decides what Hume has switched off."""
    return dt.datetime.now(tz=dt.UTC).date()
