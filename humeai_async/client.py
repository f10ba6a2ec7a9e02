"""`HumeAI`: the client, which puts credential, settings and resources together.

It finds the one credential, picks the origin, makes the transport and the limiter or takes
those it is given. The resources hang on them, each imported with its types when it is first
used. It makes no call itself but `request`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, cast

from humeai_async._base.advised import Advised
from humeai_async._base.secret import call_without_frames, hold
from humeai_async._base.unset import UNSET, Unset
from humeai_async.errors import ConfigurationError, HumeError
from humeai_async.http.additions import NO_ADDITIONS, Additions, hold_headers
from humeai_async.http.calls import Shared, Stats
from humeai_async.http.credentials import AskCredential, OAuth
from humeai_async.http.endpoint import QueryValue
from humeai_async.http.exchanges import Exchange
from humeai_async.http.oauth import TokenSource, bind
from humeai_async.http.observing import Observer, Observers
from humeai_async.http.origin_arguments import find_cloud, find_origin, hold_credential
from humeai_async.http.origins import Origin
from humeai_async.http.raw_calls import RawResponse
from humeai_async.http.session import Session
from humeai_async.http.transport.handed_in import HandedInTransport
from humeai_async.http.transport.interface import Transport
from humeai_async.http.transport.pool import AiohttpTransport, ClientSession
from humeai_async.limiter.limiter import Limiter
from humeai_async.limiter.queue import Priority
from humeai_async.settings import Polling, Pool, Retry, Timeout, check_setting

if TYPE_CHECKING:
    from humeai_async.batch.poller import Poller
    from humeai_async.resources.batch import Batch
    from humeai_async.resources.chat import Chat
    from humeai_async.resources.chat_groups import ChatGroups
    from humeai_async.resources.chats import Chats
    from humeai_async.resources.configs import Configs
    from humeai_async.resources.datasets import Datasets
    from humeai_async.resources.decisions import Decisions
    from humeai_async.resources.expression import Expression
    from humeai_async.resources.files import Files
    from humeai_async.resources.jobs import Jobs
    from humeai_async.resources.models import Models
    from humeai_async.resources.privacy import Privacy
    from humeai_async.resources.prompts import Prompts
    from humeai_async.resources.tools import Tools
    from humeai_async.types.definition import Definition


class HumeAI(Advised):
    """Client of the Hume AI API, directly or through the LowCodeAPI gateway.

    One client serves any number of tasks and is meant to live as long as the program. The
    connection pool is made on first use; `async with` or `aclose` closes it.
    A forked process has a pool of its own with the same client, and so has each event loop, one
    after another or, in threads, at once. Each loop learns the rate by itself; a `Limiter` with a
    declared rate is for one loop at a time.

    Args:
        api_token: LowCodeAPI token: calls go through the gateway.
        api_key: Hume API key: calls go to Hume.
        access_token: Hume access token, in place of a key; or an `OAuth`, which fetches tokens and
            renews them.
        base_url: Where calls go instead of the credential's usual place; also from
            `HUME_BASE_URL`.
        cloud_url: Where calls of Hume's newer products go (`expression`, `decisions`) instead of
            `https://api.cloud.hume.ai`; also from `HUME_CLOUD_URL`. The `base_url` of a stand-in
            serves both unless this says otherwise.
        timeout: A `Timeout`, or the seconds a whole call may take; `None` is no limit.
        retry: When to send again; `Retry(attempts=1)` for never.
        limiter: Paces requests; may be shared by several clients. Without one the client has
            its own, which learns the rate.
        pool: Settings of the connection pool.
        session: An aiohttp session to borrow instead, with its own connector, proxy and cookies; it
            is never closed here.
        polling: How often waits for jobs ask.
        gateway_carries: What this gateway can be trusted with although the open-source one
            cannot: `"uploads"`, `"binary"`, `"bare_json"`.
        headers: Headers for each call on top of the library's own, or in place of those of the
            same name, `User-Agent` among them. Each value is taken for a secret.
        transport: What moves the bytes in place of aiohttp: any `Transport`, such as
            `humeai_async.testing.MockTransport`. It is closed with the client.
        observers: Objects that are called with what happens to each call; see `Observer`.

    A LowCodeAPI gateway whose operator allows it takes your own Hume key with each call, in place
    of the one that is saved in your account there:
    `headers={"X-Credential-Key": "api_key", "X-Credential-Value": key}` beside the `api_token`.
    Other gateways ignore both headers without a word.

    What happens to calls is written to the logger `humeai_async.calls`: repeats and failures with
    their reasons at `INFO`, each start, wait, response and end at `DEBUG`, all lines of a call with
    its one id. Others are `humeai_async` (connections and bulk runs), `humeai_async.limiter`,
    `humeai_async.origins` (the gateway's URL format), `humeai_async.codec` (what could not be
    read), `humeai_async.chat` and `humeai_async.expression`. None of them shows a credential.

    Each credential may also be a function, asynchronous or not, that returns it: it is asked for
    each request that is about to be sent, and once more where the service says 401.

    Exactly one credential must be there. Without an argument, the variables
    `LOWCODEAPI_API_TOKEN`, `HUME_API_KEY` and `HUME_ACCESS_TOKEN` are read, now and not at
    import.

    Raises:
        ConfigurationError: No credential, more than one, or a setting that cannot be.
    """

    def __init__(
        self,
        *,
        api_token: str | AskCredential | None = None,
        api_key: str | AskCredential | None = None,
        access_token: str | AskCredential | OAuth | None = None,
        base_url: str | None = None,
        cloud_url: str | None = None,
        timeout: Timeout | float | None = Timeout(),  # noqa: B008 - frozen
        retry: Retry = Retry(),  # noqa: B008 - frozen
        limiter: Limiter | None = None,
        pool: Pool = Pool(),  # noqa: B008 - frozen
        session: ClientSession | None = None,
        polling: Polling = Polling(),  # noqa: B008 - frozen
        gateway_carries: Collection[str] = frozenset(),
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        given = {"api_token": api_token, "api_key": api_key, "access_token": access_token}
        credentials = {name: hold_credential(name, text) for name, text in given.items()}
        held = hold_headers(headers or {})
        base, cloud = hold(base_url, "base_url"), hold(cloud_url, "cloud_url")
        # From here on they are held so that no traceback shows them.
        del given, api_token, api_key, access_token, headers, base_url, cloud_url
        origin = find_origin(credentials, base, gateway_carries)
        check_setting("retry", retry, Retry, optional=False)
        check_setting("limiter", limiter, Limiter)
        check_setting("pool", pool, Pool, optional=False)
        check_setting("session", session, ClientSession)
        check_setting("polling", polling, Polling, optional=False)
        watching = Observers(tuple(_check_observers(observers)))
        self._session: Session = Session(
            origin=origin,
            transport=_make_transport(transport, pool, session),
            limiter=limiter or Limiter(),
            retry=retry,
            timeout=Timeout.of(timeout),
            polling=polling,
            additions=_check_additions(NO_ADDITIONS.with_headers(held), origin),
            observers=watching,
            # Nobody knows what another transport reaches.
            shared=Shared(has_warned_of_sunset=transport is not None, max_body=pool.max_body),
        )
        self._cloud: Session = self._session.with_settings(
            origin=find_cloud(origin, credentials, cloud)
        )
        if isinstance(origin.source, TokenSource):
            bind(origin.source, self._session)

    @functools.cached_property
    def batch(self) -> Batch:
        """Start, list and await expression-measurement jobs, one by one or in bulk."""
        from humeai_async.resources.batch import Batch

        return Batch(self._session, self._poller)

    @functools.cached_property
    def chat(self) -> Chat:
        """Talk with EVI over a WebSocket."""
        from humeai_async.resources.chat import Chat

        return Chat(self._session)

    @functools.cached_property
    def chat_groups(self) -> ChatGroups:
        """EVI conversations: a chat together with the chats that resumed it."""
        from humeai_async.resources.chat_groups import ChatGroups

        return ChatGroups(self._session)

    @functools.cached_property
    def chats(self) -> Chats:
        """Past EVI chats and their events."""
        from humeai_async.resources.chats import Chats

        return Chats(self._session)

    @functools.cached_property
    def configs(self) -> Configs:
        """EVI configurations and their versions."""
        from humeai_async.resources.configs import Configs

        return Configs(self._session)

    @functools.cached_property
    def datasets(self) -> Datasets:
        """Datasets of labelled files for training custom models."""
        from humeai_async.resources.datasets import Datasets

        return Datasets(self._session)

    @functools.cached_property
    def decisions(self) -> Decisions:
        """Put questions to audio, and get typed results (Audio Decisions)."""
        from humeai_async.resources.decisions import Decisions

        return Decisions(self._cloud)

    @functools.cached_property
    def expression(self) -> Expression:
        """Measure expressions in voices and faces, as Hume does today."""
        from humeai_async.resources.expression import Expression

        return Expression(self._cloud)

    @functools.cached_property
    def files(self) -> Files:
        """Files in the registry that custom models are trained on."""
        from humeai_async.resources.files import Files

        return Files(self._session)

    @functools.cached_property
    def jobs(self) -> Jobs:
        """Start jobs that train or run custom models."""
        from humeai_async.resources.jobs import Jobs

        return Jobs(self._session, self._poller)

    @functools.cached_property
    def models(self) -> Models:
        """Custom models and their versions."""
        from humeai_async.resources.models import Models

        return Models(self._session)

    @functools.cached_property
    def privacy(self) -> Privacy:
        """EVI privacy settings, and the deletion of EVI data."""
        from humeai_async.resources.privacy import Privacy

        return Privacy(self._session)

    @functools.cached_property
    def prompts(self) -> Prompts:
        """EVI system prompts and their versions."""
        from humeai_async.resources.prompts import Prompts

        return Prompts(self._session)

    @functools.cached_property
    def tools(self) -> Tools:
        """Tools that EVI's language model may call, and their versions."""
        from humeai_async.resources.tools import Tools

        return Tools(self._session)

    @functools.cached_property
    def _poller(self) -> Poller:
        """What asks for the states of jobs, for all waits of this client."""
        from humeai_async.batch.poller import Poller

        return Poller(self._session)

    def with_options(
        self,
        *,
        timeout: Timeout | float | Unset | None = UNSET,
        retry: Retry | None = None,
        limiter: Limiter | None = None,
        polling: Polling | None = None,
        headers: Mapping[str, str | None] | None = None,
        query: Mapping[str, QueryValue] | None = None,
        priority: Literal["interactive", "bulk"] | None = None,
    ) -> HumeAI:
        """Return a client with other settings that shares pool, limiter and counters.

        Closing either closes the pool of both. What is left out stays as it is.

        Args:
            timeout: As of `HumeAI`.
            retry: As of `HumeAI`.
            limiter: As of `HumeAI`.
            polling: As of `HumeAI`.
            headers: Headers on top of those that the client has; `None` in place of a value
                takes one away.
            query: Query fields for each call, on top of those that the client has. What a call
                says itself comes first; `None` and `UNSET` take one away.
            priority: Whom the limiter lets go first: `"bulk"` stands behind `"interactive"`.

        Raises:
            ConfigurationError: A setting cannot be.
        """
        held = hold_headers(headers or {})
        added = call_without_frames(self._session.additions.with_query, query or {})
        has_additions = bool(headers or query)
        del headers, query  # so that no traceback shows them
        if isinstance(added, HumeError):
            raise added
        check_setting("retry", retry, Retry)
        check_setting("limiter", limiter, Limiter)
        check_setting("polling", polling, Polling)
        changes: dict[str, Any] = {
            "retry": retry,
            "limiter": limiter,
            "polling": polling,
            "additions": _check_additions(added.with_headers(held), self._session.origin),
            "priority": None if priority is None else _priority(priority),
        }
        changes = {name: value for name, value in changes.items() if value is not None}
        if not isinstance(timeout, Unset):
            changes["timeout"] = Timeout.of(timeout)
        cls = type(self)
        # What hangs on the session is made anew.
        mine = {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(cls, name, None), functools.cached_property)
        }
        mine["_session"] = self._session.with_settings(**changes)
        mine["_cloud"] = self._cloud.with_settings(**changes)
        if not (polling or limiter or has_additions):
            mine["_poller"] = self._poller
        relative = cls.__new__(cls)
        vars(relative).update(mine)
        return relative

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, QueryValue] | None = None,
        json: object = None,
    ) -> RawResponse:
        """Make a call that has no method of its own, with the same pacing and retries.

        Args:
            method: HTTP method; GET, HEAD, PUT and DELETE may be repeated after a failure.
            path: Path from the root of the API, such as `/v0/evi/configs`.
            query: Query fields; `None` values are left out.
            json: JSON body; `None` for none.

        Returns:
            Status, headers and bytes of the response; the gateway's envelope is taken off.

        Raises:
            InvalidArgumentError: The method, path, query or body cannot be used.
        """
        made = call_without_frames(self._session.request, method, path, query, json)
        del query, json  # so that no traceback shows them
        if isinstance(made, HumeError):
            raise made
        return await made

    def capture(self) -> contextlib.AbstractContextManager[list[Exchange]]:
        """Take down what goes over the wire in a block: the raw responses beside the typed ones.

        ```python
        with hume.capture() as exchanges:
            config = await hume.configs.get_version(id, 3)
        print(exchanges[0].request_line, exchanges[0].status, exchanges[0].json())
        ```

        It sees the calls of this client, and of those made from it by `with_options`, that the
        running task makes in the block, and the tasks that it starts there. Where waits for jobs
        share a request, the task that sent it sees it. Credentials and the values of your own
        headers are `***`. All bodies stay in memory until the list goes, but for downloads.

        Returns:
            A context manager that gives a list, which fills while calls end.
        """
        return self._session.capture()

    async def definition(self) -> Definition:
        """Fetch the gateway's own definition of its API: its rows and their parameters.

        With a `base_url` of your own `{base_url}/definition` is asked first, then
        `backend.lowcodeapi.com/humeai/openapi`, then `/definition` there. Definitions are public:
        no credential is sent, nor headers or query fields of yours. `humeai-async check` tells how
        it differs from what the library knows.

        Costs one to three requests.

        Source: https://lowcodeapi.com

        Raises:
            ConfigurationError: Calls go to Hume, without a gateway.
            NotFoundError: No place has a definition.
            DecodeError: What is there is no definition.
        """
        from humeai_async.http.definition import fetch_definition

        return await fetch_definition(self._session)

    @property
    def stats(self) -> Stats:
        """Counters: calls, requests, retries, 429s and failures so far."""
        return self._session.stats

    @property
    def limiter(self) -> Limiter:
        """The limiter that paces this client."""
        return self._session.limiter

    @property
    def base_url(self) -> str:
        """URL that calls are sent to."""
        return self._session.origin.base_url

    @property
    def cloud_url(self) -> str:
        """URL that calls of Hume's newer products are sent to."""
        return self._cloud.origin.base_url

    async def aclose(self) -> None:
        """Close the connections; calls and waits in flight end with `ClientClosedError`."""
        self._session.close()
        await self._session.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what would have no effect.

        Raises:
            ConfigurationError: It is a setting, and those are fixed when the client is built.
        """
        if name in (HumeAI.__init__.__kwdefaults__ or {}):  # the names of its arguments
            raise ConfigurationError(
                f"{name} cannot be changed on a client: build another HumeAI, or use "
                "with_options for timeout, retry, limiter and polling"
            )
        object.__setattr__(self, name, value)

    def __enter__(self) -> None:
        raise TypeError("HumeAI is asynchronous: write `async with HumeAI(...) as hume:`")

    def __exit__(self, *_: object) -> None:
        """Never reached; `with` asks for it before `__enter__` can explain."""

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: the pickle would hold the credential."""
        raise TypeError(
            "a client cannot be pickled or copied: build one in each process, or use with_options"
        )

    def __repr__(self) -> str:
        session: Session | None = vars(self).get("_session")  # none while it is being built
        return f"HumeAI({session.origin!r})" if session else "HumeAI(unfinished)"


def _make_transport(
    transport: Transport | None, pool: Pool, session: ClientSession | None
) -> Transport:
    """Return what moves the bytes.

    Raises:
        ConfigurationError: A transport goes without a session, or is none.
    """
    if transport is None:
        return AiohttpTransport(pool, session)
    if session is not None:
        raise ConfigurationError("give a transport or an aiohttp session, not both")
    given = cast("object", transport)
    if isinstance(given, type):  # which has the methods too
        raise ConfigurationError(f"transport is an object: write {given.__name__}(...)")
    if not isinstance(given, Transport):
        kind = type(given).__name__
        raise ConfigurationError(
            f"transport has the methods open, open_socket and aclose, which {kind} has not"
        )
    return HandedInTransport(transport)


def _check_observers(observers: object) -> Iterator[Observer]:
    """Give the observers, each of which is one.

    Raises:
        ConfigurationError: One has not the methods of `Observer`, or there is no list of them.
    """
    check_setting("observers", observers, (list, tuple), optional=False)
    for one in cast("Sequence[object]", observers):
        if not isinstance(one, Observer):
            kind = type(one).__name__
            raise ConfigurationError(f"observers is a list of Observer objects, not of {kind}")
        yield one


def _check_additions(additions: Additions, origin: Origin) -> Additions:
    """Refuse what would take the credential's place.

    Raises:
        ConfigurationError: It names header or query field.
    """
    credential = origin.credential
    for name in additions.headers:
        if name.lower() == credential.header.lower():
            raise ConfigurationError(f"the header {name} holds the client's credential already")
    for name, _ in additions.query:
        if name == credential.parameter:
            raise ConfigurationError(f"the query field {name} holds the client's token already")
    return additions


def _priority(name: object) -> Priority:
    """Read the name of a priority.

    Raises:
        ConfigurationError: There is no such priority.
    """
    if isinstance(name, Priority):
        return name
    if isinstance(name, str) and name.upper() in Priority.__members__:
        return Priority[name.upper()]
    raise ConfigurationError(f'priority is "interactive" or "bulk", not {name!r}')
