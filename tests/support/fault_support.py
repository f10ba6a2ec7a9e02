"""One call of every kind, and what it ends with: for the tests with faults on real sockets."""

from __future__ import annotations

import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from attrs import frozen
from contract import Things

from humeai_async import HumeAI
from humeai_async.errors import HumeError
from humeai_async.testing import FakeHume
from humeai_async.types.chat import ChatMetadata

WARM_UP = "/v0/batch/jobs/{job}"
"""Path of the call that each client makes first: it opens a connection to the server, and
settles which URL format a gateway takes."""


@frozen
class Kind:
    """One kind of request, as one call that checks its own answer."""

    call: Callable[[HumeAI, Things, Path], Awaitable[None]]
    method: str
    path: str
    """As Hume sees it, a pattern."""
    is_repeatable: bool = True
    is_direct_only: bool = False
    """Whether gateways do not carry it."""


async def _get(hume: HumeAI, things: Things, _: Path) -> None:
    config = await hume.configs.get_version(things.config, 0)
    assert config.id == things.config


async def _delete(hume: HumeAI, things: Things, _: Path) -> None:
    await hume.prompts.delete(things.prompt)


async def _patch(hume: HumeAI, things: Things, _: Path) -> None:
    tool = await hume.tools.update_description(things.tool, 0, version_description="better")
    assert tool.version_description == "better"


async def _post(hume: HumeAI, things: Things, _: Path) -> None:
    job = await hume.batch.start_job(text=["Hello."], models={"language": {}})
    assert job.id != things.job


async def _upload(hume: HumeAI, things: Things, folder: Path) -> None:
    labels = folder.parent / f"{folder.name}.csv"
    labels.write_bytes(b"file,label\n" * 10_000)
    dataset = await hume.datasets.create(name="More calls", labels_file=labels)
    assert dataset.name == "More calls"
    assert dataset.id != things.dataset


async def _stream(hume: HumeAI, things: Things, folder: Path) -> None:
    await hume.batch.job(things.job).save_predictions(folder / "predictions.json")
    assert b'"models"' in (folder / "predictions.json").read_bytes()


async def _download(hume: HumeAI, things: Things, folder: Path) -> None:
    await hume.batch.job(things.job).save_artifacts(folder / "artifacts.zip")
    with zipfile.ZipFile(folder / "artifacts.zip") as archive:
        assert archive.testzip() is None


async def _socket(hume: HumeAI, _: Things, __: Path) -> None:
    async with hume.chat.connect() as chat:
        assert isinstance(await anext(aiter(chat)), ChatMetadata)


KINDS = {
    "GET": Kind(_get, "GET", "/v0/evi/configs/*/version/0"),
    "DELETE": Kind(_delete, "DELETE", "/v0/evi/prompts/*"),
    "PATCH": Kind(_patch, "PATCH", "/v0/evi/tools/*/version/0", is_repeatable=False),
    "POST": Kind(_post, "POST", "/v0/batch/jobs", is_repeatable=False),
    "upload": Kind(
        _upload, "POST", "/v0/registry/datasets", is_repeatable=False, is_direct_only=True
    ),
    "stream": Kind(_stream, "GET", "/v0/batch/jobs/*/predictions"),
    "download": Kind(_download, "GET", "/v0/batch/jobs/*/artifacts", is_direct_only=True),
    "socket": Kind(_socket, "GET", "/v0/evi/chat", is_direct_only=True),
}


@frozen
class Outcome:
    """What a call ends with."""

    error: type[HumeError] | None = None
    """`None` for the right answer."""
    is_open: bool = False
    """Whether the error says that the request may have been carried out."""
    times: int = 0
    """How often it was carried out, as the server counts."""


async def attempt(hume: HumeAI, kind: Kind, things: Things, folder: Path) -> HumeError | None:
    """Make a call; of its files only those of a right answer may be left."""
    folder.mkdir(parents=True)
    try:
        await kind.call(hume, things, folder)
    except HumeError as problem:
        assert list(folder.iterdir()) == []
        return problem
    assert not [path for path in folder.iterdir() if path.suffix not in {".json", ".zip"}]
    return None


def times_carried_out(fake: FakeHume, kind: Kind) -> int:
    """Count how often the server did what a kind of request asks for."""
    if kind is KINDS["socket"]:
        return len(fake.chat.connections)
    return fake.count(method=kind.method, path=kind.path, is_carried_out=True)
