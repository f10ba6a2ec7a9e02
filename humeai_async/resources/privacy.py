"""What the account lets Hume keep and use.

Reads and changes the settings, and deletes the account's data. It knows nothing of how calls
are made.
"""

from __future__ import annotations

from humeai_async.catalog import evi as catalog
from humeai_async.errors import InvalidArgumentError
from humeai_async.http.endpoint import fill
from humeai_async.resources._base import Resource
from humeai_async.types.evi import PrivacySettings


class Privacy(Resource):
    """The category "Privacy" of the documented table.

    Source:
    https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/get-user-privacy-settings
    """

    __slots__ = ()

    async def get_settings(self) -> PrivacySettings:
        """Fetch the settings.

        Costs one request. The form of the answer was never published; all its fields may be
        `None`.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/get-user-privacy-settings
        """
        return await self._session.call(fill(catalog.PRIVACY_GET_SETTINGS))

    async def update_settings(
        self, *, allow_retention: bool | None = None, allow_training: bool | None = None
    ) -> None:
        """Change the settings.

        Costs one request. The fields go into the query as `allowRetention` and
        `allowTraining`, where Hume takes them; the documented table has them in the body.
        Whatever is answered is not read, as its form was never published.

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
                "give allow_retention or allow_training", field="allow_retention"
            )
        query = {"allowRetention": allow_retention, "allowTraining": allow_training}
        await self._session.call(fill(catalog.PRIVACY_UPDATE_SETTINGS, query=query))

    async def delete_data(self) -> None:
        """Delete the account's EVI data, all of it.

        Costs one request. Through the gateway an answer without a body never arrives: an
        `APITimeoutError` with `outcome_unknown` then probably means that it worked.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/privacy/delete-user-data
        """
        await self._session.call(fill(catalog.PRIVACY_DELETE_DATA))
