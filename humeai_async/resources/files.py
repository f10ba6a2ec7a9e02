"""Files of the custom models' registry.

Lists, registers and uploads files with their attributes. It knows nothing of how calls are
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from humeai_async.catalog import custom_models as catalog
from humeai_async.errors import InvalidArgumentError
from humeai_async.http import codec
from humeai_async.http.arguments import check_many, check_text
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Upload
from humeai_async.http.multipart import File, as_part
from humeai_async.http.pages import Pages
from humeai_async.http.pagination import NumberedPages
from humeai_async.http.parts import check_keys
from humeai_async.resources._base import Resource
from humeai_async.types.registry import (
    Attribute,
    FileInput,
    FilePage,
    FileRequest,
    FileWithAttributes,
)

if TYPE_CHECKING:
    from humeai_async.types.dicts import AttributeDict, FileInputDict, FileRequestDict


class Files(Resource):
    """Files in the registry that custom models are trained on.

    Source: https://dev.hume.ai/reference/custom-models-api/files/list-files
    """

    __slots__ = ()

    def list(
        self,
        *,
        page_number: int = 0,
        page_size: int | None = None,
        shared_assets: bool | None = None,
        prefetch: int = 0,
    ) -> Pages[FileWithAttributes, FilePage]:
        """List the files in the registry.

        Costs one request a page.

        Args:
            page_number: Page to begin with; the first is 0.
            page_size: Files a page, 1 or more; the upper limit was never published.
            shared_assets: Also what others share with the account; off if left out.
            prefetch: Pages to fetch ahead, once their number is known.

        Returns:
            Pages of files.

        Raises:
            InvalidArgumentError: A number is out of range.

        Source: https://dev.hume.ai/reference/custom-models-api/files/list-files
        """
        call = fill(catalog.FILES_LIST, query={"shared_assets": shared_assets})
        return NumberedPages(self._session, call, page_number, page_size, prefetch)

    async def create(
        self,
        *,
        file: FileInput | FileInputDict | None = None,
        attributes: Sequence[Attribute | AttributeDict] | None = None,
        files: Sequence[FileRequest | FileRequestDict] | None = None,
    ) -> Sequence[FileWithAttributes]:
        """Register files without their bytes.

        With `hume_storage` the bytes go by PUT to the `upload_uri` of the response; otherwise
        they stay at `uri`. Hume accepts and returns an array, where the documented table has one
        object: give one file by `file` and `attributes`, or any number by `files`.

        Costs one request.

        Args:
            file: One file: `name`, `hume_storage`, `data_type`, perhaps `uri`.
            attributes: Keys and values to attach to it.
            files: Several, each with its `file` and `attributes`.

        Returns:
            The files as registered, in their order.

        Raises:
            InvalidArgumentError: Neither `file` nor `files` is given, or both are.

        Source: https://dev.hume.ai/reference/custom-models-api/files/create-files
        """
        if files is not None:
            check_many("files", files)
            check_keys("files", files, FileRequest)
        if (file is None) == (not files):
            raise InvalidArgumentError("pass one file, or a list of files", field="file")
        if files and attributes is not None:
            raise InvalidArgumentError(
                "put the attributes beside each of the files", field="attributes"
            )
        body = (
            list(files or ()) if file is None else [FileRequest(file=file, attributes=attributes)]
        )
        return await self._session.call(fill(catalog.FILES_CREATE, body=body))

    async def upload(
        self,
        *,
        file: File,
        attributes: Sequence[Attribute | AttributeDict] | None = None,
    ) -> FileWithAttributes:
        """Upload a file and register it.

        Costs one request. The file is read piece by piece as it is sent.

        Args:
            file: The file, 100 MB at most: a path, bytes, an open file, an async iterator, or
                an `Upload` for a name and type, both of which Hume wants.
            attributes: Keys and values to attach.

        Returns:
            The file as registered.

        Raises:
            InvalidArgumentError: The file cannot be read, or is too large.
            GatewayUnsupportedError: Through the gateway; the file was not read.

        Source: https://dev.hume.ai/reference/custom-models-api/files/upload-file
        """
        self._session.ensure_supported(catalog.FILES_UPLOAD)
        parts = [await as_part(file, argument="file")]
        if attributes is not None:
            check_keys("attributes", attributes, Attribute)
            text = Upload(codec.encode_request(attributes), "attributes.json", "application/json")
            parts.append(await as_part(text, name="attributes", argument="attributes"))
        return await self._session.call(fill(catalog.FILES_UPLOAD, parts=parts))

    async def get(self, id: str) -> FileWithAttributes:
        """Fetch the registry entry of a file.

        Costs one request.

        Args:
            id: File id.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/files/get-file
        """
        return await self._session.call(fill(catalog.FILES_GET, id))

    async def delete(self, id: str) -> None:
        """Delete a file from the registry.

        Costs one request. Through the gateway an empty response never arrives: an
        `APITimeoutError` with `outcome_unknown` then probably means that it worked.

        Args:
            id: File id.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/files/delete-file
        """
        await self._session.call(fill(catalog.FILES_DELETE, id))

    async def update_name(self, id: str, *, name: str) -> FileWithAttributes:
        """Rename a file in the registry.

        Costs one request. The name goes into the query, where Hume takes it; the documented
        table has it in the body.

        Args:
            id: File id.
            name: The new name.

        Returns:
            The file with its new name.

        Raises:
            InvalidArgumentError: The id cannot be one, or the name is empty.

        Source: https://dev.hume.ai/reference/custom-models-api/files/update-file-name
        """
        check_text("name", name)
        return await self._session.call(fill(catalog.FILES_UPDATE_NAME, id, query={"name": name}))

    async def get_predictions(self, id: str) -> Any:
        """Fetch the predictions for a file.

        Costs one request.

        Args:
            id: File id.

        Returns:
            Plain JSON objects. The form of the response was never published; it probably is that
            of `batch.get_predictions`.

        Raises:
            InvalidArgumentError: The id cannot be one.

        Source: https://dev.hume.ai/reference/custom-models-api/files/get-file-predictions
        """
        return await self._session.call(fill(catalog.FILES_GET_PREDICTIONS, id))
