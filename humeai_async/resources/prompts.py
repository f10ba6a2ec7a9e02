"""EVI prompts: instructions to the language model, in numbered versions.

Only what prompts do not share with configs and tools stands here: what one is made of. It
knows nothing of how calls are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from humeai_async.catalog import evi as catalog
from humeai_async.http.arguments import check_text
from humeai_async.http.endpoint import fill
from humeai_async.resources._versioned import VersionedEndpoints, VersionedResource
from humeai_async.types.evi import Prompt, PromptExpansion, PromptRequest

if TYPE_CHECKING:
    from humeai_async.types.dicts import PromptExpansionDict


class Prompts(VersionedResource[Prompt]):
    """EVI system prompts and their versions.

    Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/prompts/list-prompts
    """

    __slots__ = ()

    _request = PromptRequest
    _endpoints = VersionedEndpoints(
        list=catalog.PROMPTS_LIST,
        create=catalog.PROMPTS_CREATE,
        list_versions=catalog.PROMPTS_LIST_VERSIONS,
        create_version=catalog.PROMPTS_CREATE_VERSION,
        delete=catalog.PROMPTS_DELETE,
        update_name=catalog.PROMPTS_UPDATE_NAME,
        get_version=catalog.PROMPTS_GET_VERSION,
        delete_version=catalog.PROMPTS_DELETE_VERSION,
        update_description=catalog.PROMPTS_UPDATE_DESCRIPTION,
    )

    async def create(
        self,
        *,
        name: str,
        text: str,
        version_description: str | None = None,
        prompt_expansion: PromptExpansion | PromptExpansionDict | None = None,
    ) -> Prompt:
        """Create a prompt; its first version is 0.

        Costs one request.

        Args:
            name: Name, unique in the account.
            text: The prompt.
            version_description: Note on version 0.
            prompt_expansion: Whether Hume adds instructions of its own, such as
                `{"enabled": False}`; it does if left out.

        Returns:
            The prompt as made.

        Raises:
            InvalidArgumentError: `name` or `text` is empty.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/prompts/create-prompt
        """
        check_text("name", name)
        check_text("text", text)
        request = PromptRequest(
            name=name,
            text=text,
            version_description=version_description,
            prompt_expansion=prompt_expansion,
        )
        return await self._session.call(fill(catalog.PROMPTS_CREATE, body=request))

    async def create_version(
        self,
        id: str,
        *,
        text: str,
        version_description: str | None = None,
        prompt_expansion: PromptExpansion | PromptExpansionDict | None = None,
    ) -> Prompt:
        """Create a new version of a prompt.

        Costs one request.

        Args:
            id: Prompt UUID.
            text: The prompt.
            version_description: Note on this version.
            prompt_expansion: Whether Hume adds instructions of its own; it does if left out.

        Returns:
            The new version.

        Raises:
            InvalidArgumentError: The id cannot be one, or `text` is empty.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/prompts/create-prompt-verison
        """
        check_text("text", text)
        request = PromptRequest(
            text=text,
            version_description=version_description,
            prompt_expansion=prompt_expansion,
        )
        return await self._session.call(fill(catalog.PROMPTS_CREATE_VERSION, id, body=request))
