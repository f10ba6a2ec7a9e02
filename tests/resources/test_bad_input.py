"""Bad arguments are told before anything is sent, with the name of the argument."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from scripted_transport import ScriptedTransport
from support import session_of

from humeai_async import InvalidArgumentError, Upload
from humeai_async.batch.poller import Poller
from humeai_async.http.session import Session
from humeai_async.resources.batch import Batch
from humeai_async.resources.chat import Chat
from humeai_async.resources.chat_groups import ChatGroups
from humeai_async.resources.chats import Chats
from humeai_async.resources.configs import Configs
from humeai_async.resources.datasets import Datasets
from humeai_async.resources.files import Files
from humeai_async.resources.jobs import Jobs
from humeai_async.resources.models import Models
from humeai_async.resources.privacy import Privacy
from humeai_async.resources.prompts import Prompts
from humeai_async.resources.tools import Tools
from humeai_async.types.dicts import FileInputDict, ModelRefDict, NewModelDict

pytestmark = pytest.mark.anyio

MODEL: NewModelDict = {"name": "Moods"}
REF: ModelRefDict = {"id": "m"}
FILE: FileInputDict = {"name": "a.wav", "hume_storage": True, "data_type": "audio"}
NOTHING: Any = {}
MISTAKEN: dict[str, Any] = {"text": "https://a", "set": {"https://a"}}
"""Sources as people give them who do not check their types."""
BIG = Upload(b"x" * 100_000_001, "big.csv")


def jobs(session: Session) -> Jobs:
    return Jobs(session, Poller(session))


CALLS: list[tuple[str, Callable[[Session], Awaitable[Any]]]] = [
    ("id", lambda s: Configs(s).delete("")),
    ("id", lambda s: Prompts(s).update_name("a/b", name="x")),
    ("id", lambda s: Tools(s).get_version("..", 0)),
    ("id", lambda s: Datasets(s).get("a?b")),
    ("id", lambda s: Datasets(s).create_version("", labels_file=b"a")),
    ("id", lambda s: Files(s).get_predictions("a b")),
    ("id", lambda s: Models(s).get_version("a,b")),
    ("version", lambda s: Configs(s).get_version("c", -1)),
    ("version", lambda s: Tools(s).delete_version("t", -7)),
    ("version", lambda s: Prompts(s).update_description("p", -1, version_description="x")),
    ("version", lambda s: Prompts(s).get_version("p", True)),
    ("name", lambda s: Configs(s).create(name="", evi_version="3")),
    ("name", lambda s: Configs(s).update_name("c", name=" ")),
    ("name", lambda s: Prompts(s).create(name="", text="x")),
    ("name", lambda s: Tools(s).create(name="", parameters="{}")),
    ("name", lambda s: Files(s).update_name("f", name="")),
    ("name", lambda s: Models(s).update_name("m", name="")),
    ("name", lambda s: Datasets(s).create(name="", labels_file=b"a")),
    ("evi_version", lambda s: Configs(s).create(name="x", evi_version="")),
    ("evi_version", lambda s: Configs(s).create_version("c", evi_version="")),
    ("text", lambda s: Prompts(s).create(name="x", text="")),
    ("text", lambda s: Prompts(s).create_version("p", text="")),
    ("parameters", lambda s: Tools(s).create(name="x", parameters="")),
    ("parameters", lambda s: Tools(s).create_version("t", parameters="")),
    ("labels_file", lambda s: Datasets(s).create(name="x")),
    ("labels_file", lambda s: Datasets(s).create_version("d")),
    ("labels_file", lambda s: Datasets(s).create(name="x", labels_file=Path("/not/there.csv"))),
    ("labels_file", lambda s: Datasets(s).create(name="x", labels_file=BIG)),
    ("file", lambda s: Files(s).upload(file=Path("/not/there.wav"))),
    ("file", lambda s: Files(s).create()),
    ("file", lambda s: Files(s).create(files=[])),
    ("file", lambda s: Files(s).create(file=FILE, files=[{"file": FILE}])),
    ("attributes", lambda s: Files(s).create(files=[{"file": FILE}], attributes=[])),
    ("description", lambda s: Models(s).update_version_description("v", description="")),
    ("allow_retention", lambda s: Privacy(s).update_settings()),
    ("config_version", lambda s: Chat(s).get(config_version=-1)),
    ("custom_model", lambda s: jobs(s).start_training(custom_model=NOTHING, dataset={"id": "d"})),
    ("dataset", lambda s: jobs(s).start_training(custom_model=MODEL, dataset={})),
    ("custom_model", lambda s: jobs(s).start_inference(custom_model={}, urls=["https://a"])),
    ("urls", lambda s: jobs(s).start_inference(custom_model=REF)),
    ("urls", lambda s: jobs(s).start_inference(custom_model=REF, urls=["https://a"] * 101)),
    ("registry_files", lambda s: jobs(s).start_inference(custom_model=REF, registry_files=[""])),
    ("urls", lambda s: Batch(s, Poller(s)).start_job(urls=[])),
    ("urls", lambda s: Batch(s, Poller(s)).start_job(urls=MISTAKEN["text"])),
    ("urls", lambda s: Batch(s, Poller(s)).start_job(urls=MISTAKEN["set"])),
    ("timeout", lambda s: Batch(s, Poller(s)).job("j").wait(timeout=-1.0)),
    ("timeout", lambda s: Batch(s, Poller(s)).job("j").wait(timeout=float("nan"))),
    ("job_size", lambda s: anext(aiter(Batch(s, Poller(s)).predict([], job_size=101)))),
    ("page_size", lambda s: Configs(s).list(page_size=0)),
    ("page_size", lambda s: Chats(s).list(page_size=101)),
    ("page_size", lambda s: Files(s).list(page_size=0)),
    ("page_number", lambda s: ChatGroups(s).list(page_number=-1)),
    ("page_number", lambda s: Datasets(s).list_versions("d", page_number=-1)),
    ("id", lambda s: Chats(s).list_events("")),
    ("id", lambda s: ChatGroups(s).list_events("a%2Fb")),
    ("id", lambda s: Tools(s).list_versions("a#b")),
    ("id", lambda s: Datasets(s).list_version_files("")),
    ("prefetch", lambda s: Models(s).list(prefetch=-1)),
    ("name", lambda s: Configs(s).list(name=cast("Any", {"a": 1}))),
    ("files", lambda s: Files(s).create(files=cast("Any", -1))),
    ("jobs", lambda s: anext(Batch(s, Poller(s)).as_completed(cast("Any", None)))),
    ("id", lambda s: anext(Batch(s, Poller(s)).as_completed(cast("Any", [None])))),
    ("session_settings", lambda s: Chat(s).connect(session_settings=cast("Any", "x")).aclose()),
    ("reconnect", lambda s: Chat(s).connect(reconnect=cast("Any", 5)).aclose()),
    ("timeout", lambda s: Batch(s, Poller(s)).job("j").wait(timeout=10**400)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call"), CALLS)
async def test_a_bad_argument_is_named_and_nothing_is_sent(
    name: str, call: Callable[[Session], Awaitable[Any]]
) -> None:
    transport = ScriptedTransport()
    with pytest.raises(InvalidArgumentError) as caught:
        await call(session_of(transport))
    assert caught.value.field == name
    assert isinstance(caught.value, ValueError)
    assert transport.requests == []


async def test_a_file_that_is_not_there_is_explained() -> None:
    datasets = Datasets(session_of(ScriptedTransport()))
    wrong: Any = "labels.csv"
    with pytest.raises(InvalidArgumentError, match="No such file") as caught:
        await datasets.create(name="x", labels_file=wrong)
    assert caught.value.field == "labels_file"
