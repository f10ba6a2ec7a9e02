"""What the account lets Hume keep and use.

Reads and changes the settings, and deletes the account's data. It knows nothing of how calls
are made.
"""

from __future__ import annotations

from humeai_async.catalog import evi_chats as catalog
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.endpoint import fill
from humeai_async.resources._base import Resource
from humeai_async.types.evi_chats import PrivacySettings


class Privacy(Resource):
    """The account's EVI privacy settings and the deletion of its EVI data.

    Source:
    https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/get-user-privacy-settings
    """

    __slots__ = ()

    async def get_settings(self) -> PrivacySettings:
        """Fetch the privacy settings of the account.

        Costs one request. The form of the response was never published; all its fields may be
        `None`.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/get-user-privacy-settings
        """
        return await self._session.call(fill(catalog.PRIVACY_GET_SETTINGS))

    async def update_settings(
        self, *, allow_retention: bool | None = None, allow_training: bool | None = None
    ) -> None:
        """Change the privacy settings of the account.

        Costs one request. The fields go into the query as `allowRetention` and
        `allowTraining`, where Hume takes them; the documented table has them in the body.
        The response is not read, as its form was never published.

        Args:
            allow_retention: Let Hume keep data; unchanged if left out.
            allow_training: Let Hume train on data; unchanged if left out.

        Raises:
            InvalidArgumentError: Neither is given.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/patch-user-privacy-settings
        """
        if allow_retention is None and allow_training is None:
            raise InvalidArgumentError(
                "pass allow_retention or allow_training, or both", field="allow_retention"
            )
        query = {"allowRetention": allow_retention, "allowTraining": allow_training}
        await self._session.call(fill(catalog.PRIVACY_UPDATE_SETTINGS, query=query))

    async def delete_data(self) -> None:
        """Delete all EVI data of the account.

        Costs one request. Through the gateway an empty response never arrives: an
        `APITimeoutError` with `outcome_unknown` then probably means that it worked.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/delete-user-data
        """
        await self._session.call(fill(catalog.PRIVACY_DELETE_DATA))
