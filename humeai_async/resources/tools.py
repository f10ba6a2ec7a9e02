"""EVI tools: functions that the language model may ask the caller to run, in versions.

Only what tools do not share with configs and prompts stands here: what one is made of. It
knows nothing of how calls are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from humeai_async.catalog import evi as catalog
from humeai_async.http import codec
from humeai_async.http.arguments import check_text
from humeai_async.http.endpoint import fill
from humeai_async.resources._versioned import VersionedEndpoints, VersionedResource
from humeai_async.types.evi import Tool, ToolRequest


class Tools(VersionedResource[Tool]):
    """Tools (functions) that EVI's language model may call, and their versions.

    Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/tools/list-tools
    """

    __slots__ = ()

    _request = ToolRequest
    _endpoints = VersionedEndpoints(
        list=catalog.TOOLS_LIST,
        create=catalog.TOOLS_CREATE,
        list_versions=catalog.TOOLS_LIST_VERSIONS,
        create_version=catalog.TOOLS_CREATE_VERSION,
        delete=catalog.TOOLS_DELETE,
        update_name=catalog.TOOLS_UPDATE_NAME,
        get_version=catalog.TOOLS_GET_VERSION,
        delete_version=catalog.TOOLS_DELETE_VERSION,
        update_description=catalog.TOOLS_UPDATE_DESCRIPTION,
    )

    async def create(
        self,
        *,
        name: str,
        parameters: str | Mapping[str, Any],
        version_description: str | None = None,
        description: str | None = None,
        fallback_content: str | None = None,
    ) -> Tool:
        """Create a tool; its first version is 0.

        Costs one request.

        Args:
            name: Name of the function, unique in the account.
            parameters: JSON Schema of the function's arguments, as text or as a dict.
            version_description: Note on version 0.
            description: What it does; the language model reads it to know when to call.
            fallback_content: Text for the language model if the tool fails.

        Returns:
            The tool as made.

        Raises:
            InvalidArgumentError: `name` is empty, or `parameters` is no text.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/tools/create-tool
        """
        check_text("name", name)
        parameters = _as_text(parameters)
        request = ToolRequest(
            name=name,
            parameters=parameters,
            version_description=version_description,
            description=description,
            fallback_content=fallback_content,
        )
        return await self._session.call(fill(catalog.TOOLS_CREATE, body=request))

    async def create_version(
        self,
        id: str,
        *,
        parameters: str | Mapping[str, Any],
        version_description: str | None = None,
        description: str | None = None,
        fallback_content: str | None = None,
    ) -> Tool:
        """Create a new version of a tool.

        Costs one request.

        Args:
            id: Tool UUID.
            parameters: JSON Schema of the function's arguments, as text or as a dict.
            version_description: Note on this version.
            description: What it does.
            fallback_content: Text for the language model if the tool fails.

        Returns:
            The new version.

        Raises:
            InvalidArgumentError: The id cannot be one, or `parameters` is no text.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/tools/create-tool-version
        """
        parameters = _as_text(parameters)
        request = ToolRequest(
            parameters=parameters,
            version_description=version_description,
            description=description,
            fallback_content=fallback_content,
        )
        return await self._session.call(fill(catalog.TOOLS_CREATE_VERSION, id, body=request))


def _as_text(parameters: str | Mapping[str, Any]) -> str:
    """Write a JSON Schema as the text that Hume takes.

    Raises:
        InvalidArgumentError: It is neither a text that says something nor a dict.
    """
    if isinstance(parameters, Mapping):
        return codec.encode_request(parameters).decode()
    check_text("parameters", parameters)
    return parameters
