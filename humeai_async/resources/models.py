"""Custom models and their versions.

Lists, renames and describes them; training and running them are jobs. It knows nothing of how
calls are made.
"""

from __future__ import annotations

from collections.abc import Sequence

from humeai_async.catalog import custom_models as catalog
from humeai_async.http.arguments import check_text
from humeai_async.http.endpoint import fill
from humeai_async.http.pages import Pages
from humeai_async.http.pagination import NumberedPages, SinglePage
from humeai_async.resources._base import Resource
from humeai_async.types.paging import Items
from humeai_async.types.registry import Model, ModelPage, ModelVersion


class Models(Resource):
    """Custom models and their versions.

    Source: https://dev.hume.ai/reference/custom-models-api/models/list-models
    """

    __slots__ = ()

    def list(
        self,
        *,
        name: str | None = None,
        page_number: int = 0,
        page_size: int | None = None,
        shared_assets: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[Model, ModelPage]:
        """List the custom models of the account.

        Costs one request a page.

        Args:
            name: Only those of this name.
            page_number: Page to begin with; the first is 0.
            page_size: Models a page, 1 or more; the upper limit was never published.
            shared_assets: Also what others share with the account; off if left out.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of models.

        Raises:
            InvalidArgumentError: A number is out of range.

        Source: https://dev.hume.ai/reference/custom-models-api/models/list-models
        """
        call = fill(catalog.MODELS_LIST, query={"name": name, "shared_assets": shared_assets})
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    async def get(self, id: str) -> Model:
        """Fetch a model with its newest version.

        Costs one request.

        Args:
            id: Model id.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/models/get-model-details
        """
        return await self._session.call(fill(catalog.MODELS_GET, id))

    async def update_name(self, id: str, *, name: str) -> Model:
        """Rename a custom model by its id.

        Costs one request. The name goes into the query, where Hume takes it; the documented
        table has it in the body.

        Args:
            id: Model id.
            name: The new name.

        Returns:
            The model with its new name.

        Raises:
            InvalidArgumentError: The id cannot be one, or the name is empty.

        Source: https://dev.hume.ai/reference/custom-models-api/models/update-model-name
        """
        check_text("name", name)
        return await self._session.call(fill(catalog.MODELS_UPDATE_NAME, id, query={"name": name}))

    def list_versions(
        self,
        *,
        id: str | Sequence[str] | None = None,
        name: str | None = None,
        version: str | None = None,
        shared_assets: bool | None = None,
    ) -> Pages[ModelVersion, Items[ModelVersion]]:
        """List the versions of custom models.

        Costs one request: Hume gives this list as a whole, so there is one page.

        Args:
            id: Only these versions, by version id. The open-source gateway writes a list of
                ids in a form that Hume may not know; give it one.
            name: Only versions of the model of this name.
            version: Only this number, as text.
            shared_assets: Also what others share with the account; off if left out.

        Returns:
            One page of versions.

        Source: https://dev.hume.ai/reference/custom-models-api/models/list-model-versions
        """
        query = {"id": id, "name": name, "version": version, "shared_assets": shared_assets}
        return SinglePage(self._session, fill(catalog.MODELS_LIST_VERSIONS, query=query))

    async def get_version(self, id: str, *, shared_assets: bool | None = None) -> ModelVersion:
        """Fetch one version of a model.

        Costs one request.

        Args:
            id: Model version id.
            shared_assets: Also if others share it with the account; off if left out.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/models/get-model-version
        """
        query = {"shared_assets": shared_assets}
        return await self._session.call(fill(catalog.MODELS_GET_VERSION, id, query=query))

    async def update_version_description(self, id: str, *, description: str) -> ModelVersion:
        """Change the description of one version of a model.

        Costs one request. The body is the description itself as a JSON text, not an object;
        the documented table has no body at all.

        Args:
            id: Model version id.
            description: The new description.

        Returns:
            The version with its new description.

        Raises:
            InvalidArgumentError: The id cannot be one, or the description is empty.
            GatewayUnsupportedError: The gateway refuses bodies that are not objects or arrays.

        Source: https://dev.hume.ai/reference/custom-models-api/models/update-model-description
        """
        check_text("description", description)
        return await self._session.call(
            fill(catalog.MODELS_UPDATE_VERSION_DESCRIPTION, id, body=description)
        )
