"""The chat: what the documented table calls "Chat", and the socket it means.

The row gives the query of the EVI WebSocket with the path of the list of jobs; `get` calls it
as it stands there. It knows nothing of how calls are made.
"""

from __future__ import annotations

from collections.abc import Sequence

from humeai_async import catalog
from humeai_async.checks import check_number
from humeai_async.endpoint import fill
from humeai_async.resources._base import Resource
from humeai_async.types.batch import JobDetails


class Chat(Resource):
    """The category "Chat" of the documented table.

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
        """Call the row "Chat" as it is documented, which lists batch jobs.

        The documented table files the EVI WebSocket under `GET /v0/batch/jobs`. Called so, the
        service lists the account's newest batch jobs and the parameters mean nothing to it;
        `batch.list_jobs` is the call for that. What the row stands for is a WebSocket, which
        no plain request opens.

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
        if config_version is not None:
            check_number("config_version", config_version, least=0)
        query = {
            "access_token": access_token,
            "api_key": api_key,
            "config_id": config_id,
            "config_version": config_version,
            "resumed_chat_group_id": resumed_chat_group_id,
        }
        return await self._session.call(fill(catalog.CHAT_GET, query=query))
