"""The chat: what the documented table calls "Chat", and the socket it means.

The row gives the query of the EVI WebSocket with the path of the list of jobs; `get` calls it
as it stands there, `connect` opens the socket. It knows nothing of how calls are made, nor of
what goes over the socket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from humeai_async._base.secret import call_without_frames, hold
from humeai_async.chat.connections import ReconnectingSocket
from humeai_async.chat.socket import ChatSocket
from humeai_async.errors import DecodeError, HumeError, InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.arguments import check_number, check_text
from humeai_async.http.endpoint import fill
from humeai_async.http.parts import check_keys
from humeai_async.http.reconnect import read_reconnect
from humeai_async.resources._base import Resource
from humeai_async.settings import Reconnect
from humeai_async.types.chat_settings import ConnectSettings

if TYPE_CHECKING:
    from humeai_async.types.batch import JobDetails
    from humeai_async.types.dicts import ConnectSettingsDict

MOST_EVENTS = 300
"""Events of a group's earlier chats that Hume gives at most."""


class Chat(Resource):
    """Talk with EVI over a WebSocket.

    Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/chat/chat
    """

    __slots__ = ()

    async def get(
        self,
        *,
        access_token: str | None = None,
        api_key: str | None = None,
        config_id: str | None = None,
        config_version: int | None = None,
        resumed_chat_group_id: str | None = None,
    ) -> Sequence[JobDetails]:
        """Send `GET /v0/batch/jobs`, the documented form of "Chat"; it lists batch jobs.

        Hume's table of endpoints lists the EVI chat under `GET /v0/batch/jobs`. At that address
        the service returns the account's newest batch jobs and ignores these parameters; use
        `batch.list_jobs` for that. To talk with EVI, use `connect`.

        Costs one request.

        Args:
            access_token: Documented as the OAuth token of the chat. It would show in the URL;
                the client's own credential is sent anyhow.
            api_key: Documented as the API key of the chat; likewise.
            config_id: Documented as the config's UUID.
            config_version: Documented as the config's version, 0 or more.
            resumed_chat_group_id: Documented as the chat group to go on with.

        Returns:
            The newest jobs, 50 at most.

        Raises:
            InvalidArgumentError: `config_version` is below 0.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/chat/chat
        """
        # Its types are those of batch jobs, which nobody who talks with EVI needs.
        from humeai_async.catalog.batch import CHAT_GET

        keys = {"access_token": hold(access_token), "api_key": hold(api_key)}
        del access_token, api_key  # so that no traceback shows them
        if config_version is not None:
            check_number("config_version", config_version, least=0)
        query = {
            "config_id": config_id,
            "config_version": config_version,
            "resumed_chat_group_id": resumed_chat_group_id,
        }
        call = fill(CHAT_GET, query=query)
        for name, key in keys.items():
            if isinstance(key, type):
                raise InvalidArgumentError(f"{name} is a str, not {key.__name__}", field=name)
            if key is not None:
                call.query += ((name, key.reveal()),)
        return await self._session.call(call)

    def connect(
        self,
        *,
        config_id: str | None = None,
        config_version: int | None = None,
        resumed_chat_group_id: str | None = None,
        event_limit: int | None = None,
        verbose_transcription: bool | None = None,
        allow_connection: bool | None = None,
        session_settings: ConnectSettings | ConnectSettingsDict | None = None,
        reconnect: bool | Reconnect = True,
    ) -> ChatSocket:
        """Prepare a chat with EVI; `async with` opens it.

        Costs one handshake, paced and repeated like any call, and one for each resumption.
        The client's credential goes into a header. Not through the gateway, which carries no
        WebSockets. Hume ended the service on 13 November 2026.

        Args:
            config_id: Config UUID; Hume's own default config (EVI 3) if left out.
            config_version: Version of the config, 0 or more; the newest if left out.
            resumed_chat_group_id: Conversation to go on with.
            event_limit: Events of that conversation's history to take up, 0 to 300; Hume
                takes 300 if left out.
            verbose_transcription: Also send interim versions of what the user says.
            allow_connection: Let the control plane join in.
            session_settings: Settings to begin with, as `ConnectSettings` or a dict of the
                same keys.
            reconnect: Whether, or how, to resume the conversation when the connection is
                lost; see `ChatSocket`. A first connection that fails is not resumed.

        Returns:
            The chat, not open yet.

        Raises:
            InvalidArgumentError: A number is out of range, an id is empty, or the settings
                are none.

        Entering it raises `GatewayUnsupportedError` through the gateway, and what any call may
        raise where the handshake fails.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/chat/chat
        """
        settings = call_without_frames(_read_settings, session_settings)
        del session_settings  # so that no traceback shows a language model's key
        if isinstance(settings, HumeError):
            raise settings
        if config_version is not None:
            check_number("config_version", config_version, least=0)
        if event_limit is not None:
            check_number("event_limit", event_limit, least=0, most=MOST_EVENTS)
        for name, text in {
            "config_id": config_id,
            "resumed_chat_group_id": resumed_chat_group_id,
        }.items():
            if text is not None:
                check_text(name, text)
        query = {
            "config_id": config_id,
            "config_version": config_version,
            "resumed_chat_group_id": resumed_chat_group_id,
            "event_limit": event_limit,
            "verbose_transcription": verbose_transcription,
            "allow_connection": allow_connection,
        }
        connections = ReconnectingSocket(self._session, query, settings, read_reconnect(reconnect))
        return ChatSocket(connections)


def _read_settings(given: ConnectSettings | ConnectSettingsDict | None) -> ConnectSettings:
    """Read settings that may be given as a dict.

    Raises:
        InvalidArgumentError: A key is unknown, or a value of a wrong type.
    """
    if isinstance(given, ConnectSettings):
        return given
    name = "session_settings"
    if given is not None and not isinstance(cast("object", given), Mapping):
        kind = type(given).__name__
        raise InvalidArgumentError(
            f"{name} must be a ConnectSettings or a dict, not {kind}", field=name
        )
    check_keys(name, given, ConnectSettings)
    try:
        return codec.structure(ConnectSettings, codec.to_plain(given or {}))
    except DecodeError as problem:
        reason = problem.message
    raise InvalidArgumentError(f"{name}: {reason}", field=name)
