"""The nine verbs that configs, prompts and tools share.

A versioned resource is its endpoints and the two verbs whose arguments differ: `create` and
`create_version`, which the subclasses write out. Nothing here knows which resource it is.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from humeai_async._base.frozen import frozen
from humeai_async.errors import DecodeError, NotFoundError
from humeai_async.http import codec
from humeai_async.http.arguments import check_text
from humeai_async.http.endpoint import Endpoint, fill
from humeai_async.http.pages import Pages
from humeai_async.http.pagination import NumberedPages
from humeai_async.resources._base import Resource
from humeai_async.resources._request_bodies import check_changes, revised
from humeai_async.types.evi import NameRequest, VersionDescriptionRequest
from humeai_async.types.json import is_array, is_object

T = TypeVar("T")


@frozen(kw_only=True)
class VersionedEndpoints(Generic[T]):
    """The endpoints of one versioned resource."""

    list: Endpoint[Any]
    create: Endpoint[T]
    list_versions: Endpoint[Any]
    create_version: Endpoint[T]
    delete: Endpoint[None]
    update_name: Endpoint[None]
    get_version: Endpoint[T]
    delete_version: Endpoint[None]
    update_description: Endpoint[T]


class VersionedResource(Resource, Generic[T]):
    """Named objects with versions numbered from 0: configs, prompts or tools."""

    __slots__ = ()

    _endpoints: VersionedEndpoints[T]
    _request: ClassVar[type]
    """Class of the request for a new version."""

    def list(
        self,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        restrict_to_most_recent: bool | None = None,
        name: str | None = None,
        prefetch: int = 0,
    ) -> Pages[T]:
        """List all objects, by default only the newest version of each.

        Costs one request a page.

        Args:
            page_number: Page to begin with; the first is 0.
            page_size: Items a page, 1 to 100; Hume takes 10 if left out.
            restrict_to_most_recent: Only the newest version of each, which is what Hume does if
                it is left out; false lists every version.
            name: Only objects with this name.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of items.

        Raises:
            InvalidArgumentError: A number is out of range.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/list-configs
        (and likewise `prompts/list-prompts`, `tools/list-tools`)
        """
        query = {"restrict_to_most_recent": restrict_to_most_recent, "name": name}
        call = fill(self._endpoints.list, query=query)
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    def list_versions(
        self,
        id: str,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        restrict_to_most_recent: bool = False,
        prefetch: int = 0,
    ) -> Pages[T]:
        """List the versions of one object.

        Hume itself would list only the newest version by default; this method sends
        `restrict_to_most_recent=False` unless you pass something else.

        Costs one request a page.

        Args:
            id: UUID of the object.
            page_number: Page to begin with; the first is 0.
            page_size: Items a page, 1 to 100; Hume takes 10 if left out.
            restrict_to_most_recent: Only the newest version.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of versions.

        Raises:
            InvalidArgumentError: The id is malformed, or a number is out of range.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/list-config-versions
        (and likewise `prompts/list-prompt-versions`, `tools/list-tool-versions`)
        """
        query = {"restrict_to_most_recent": restrict_to_most_recent}
        call = fill(self._endpoints.list_versions, id, query=query)
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    async def delete(self, id: str) -> None:
        """Delete an object with all its versions.

        Costs one request. Through the gateway an empty response never arrives: an
        `APITimeoutError` with `outcome_unknown` then probably means that it worked.

        Args:
            id: UUID of the object.

        Raises:
            NotFoundError: Nothing has this id; with `outcome_unknown`, an earlier attempt
                of this very call may have deleted it.

        Source: https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/delete-config
        (and likewise `prompts/delete-prompt`, `tools/delete-tool`)
        """
        await self._session.call(fill(self._endpoints.delete, id))

    async def update_name(self, id: str, *, name: str) -> None:
        """Rename an object, with all its versions.

        Costs one request. Hume sends back an empty body or plain text, never the object; through
        the gateway an empty response may never arrive (`APITimeoutError` with
        `outcome_unknown`).

        Args:
            id: UUID of the object.
            name: The new name, unique in the account.

        Raises:
            InvalidArgumentError: The id is malformed, or the name is empty.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/update-config-name
        (and likewise `prompts/update-prompt-name`, `tools/update-tool-name`)
        """
        check_text("name", name)
        body = NameRequest(name=name)
        await self._session.call(fill(self._endpoints.update_name, id, body=body))

    async def get_version(self, id: str, version: int) -> T:
        """Fetch one version of an object.

        Costs one request.

        Args:
            id: UUID of the object.
            version: Number of the version; the first is 0.

        Raises:
            InvalidArgumentError: The id is malformed, or the version is below 0.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/get-config-version
        (and likewise `prompts/get-prompt-version`, `tools/get-tool-version`)
        """
        return await self._session.call(fill(self._endpoints.get_version, id, version))

    async def revise(self, id: str, **changes: Any) -> T:
        """Create a new version that is the newest one but for what is named.

        Everything else is copied, members that this version of the library does not know
        included. A part that is given takes the place of the whole part: `timeouts={...}`
        keeps nothing of the old timeouts. What another response gave may be given, such as
        `prompt=config.prompt`.

        Where nothing would change there is no new version, and the newest is returned.

        Costs two requests, or one where nothing changes. A version that somebody else creates
        between the two is not seen, and its changes are not in the new one.

        Args:
            id: UUID of the object.
            **changes: Fields of `create_version` with their new values; `None` leaves a field
                to Hume's default.

        Returns:
            The new version, or the newest one where nothing changes.

        Raises:
            InvalidArgumentError: The id is malformed, or there is no such field.
            NotFoundError: Nothing has this id.
        """
        check_changes(changes, self._request)
        newest = await self._newest(id)
        body = revised(newest, changes)
        endpoint = self._endpoints.create_version
        if body == revised(newest, {}):
            return codec.decode(endpoint.returns, codec.encode(newest))
        return await self._session.call(fill(endpoint, id, body=body))

    async def _newest(self, id: str) -> dict[str, Any]:
        """Fetch the newest version as plain JSON.

        Raises:
            NotFoundError: Nothing has this id.
            DecodeError: The response is no page of versions.
        """
        endpoint = self._endpoints.list_versions
        query = {"page_number": 0, "restrict_to_most_recent": True}
        response = await self._session.send(fill(endpoint, id, query=query))
        page = codec.parse(response.body)
        items = endpoint.items or ""
        found = page.get(items) if is_object(page) else None
        versions = [one for one in found if is_object(one)] if is_array(found) else None
        if versions is None:
            raise DecodeError(
                "the response is no page of versions",
                path=f"$.{items}",
                method=endpoint.method,
                endpoint=endpoint.path,
                attempts=1,
            )
        if not versions:
            raise NotFoundError(
                "nothing has this id", method=endpoint.method, endpoint=endpoint.path, attempts=1
            )
        # A server that ignores the filter lists them all.
        return max(versions, key=_number)

    async def delete_version(self, id: str, version: int) -> None:
        """Delete one version of an object.

        Costs one request. Through the gateway an empty response never arrives: an
        `APITimeoutError` with `outcome_unknown` then probably means that it worked.

        Args:
            id: UUID of the object.
            version: Number of the version; the first is 0.

        Raises:
            InvalidArgumentError: The id is malformed, or the version is below 0.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/delete-config-version
        (and likewise `prompts/delete-prompt-version`, `tools/delete-tool-version`)
        """
        await self._session.call(fill(self._endpoints.delete_version, id, version))

    async def update_description(
        self, id: str, version: int, *, version_description: str | None
    ) -> T:
        """Change the description of one version.

        Costs one request.

        Args:
            id: UUID of the object.
            version: Number of the version; the first is 0.
            version_description: The new description; `None` is sent as null.

        Returns:
            The version with its new description.

        Raises:
            InvalidArgumentError: The id is malformed, or the version is below 0.

        Source:
        https://dev.hume.ai/reference/empathic-voice-interface-evi/configs/update-config-description
        (and likewise `prompts/update-prompt-description`, `tools/update-tool-description`)
        """
        body = VersionDescriptionRequest(version_description=version_description)
        call = fill(self._endpoints.update_description, id, version, body=body)
        return await self._session.call(call)


def _number(version: dict[str, Any]) -> int:
    number = version.get("version")
    return number if isinstance(number, int) else -1
