"""What a newcomer writes by mistake is answered by what to write instead."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from humeai_async import AuthenticationError, HumeAI, Limiter, Timeout, errors
from humeai_async._base.official_names import NAMES
from humeai_async.testing import FakeHume
from humeai_async.types.sources import Text


@pytest.fixture
def hume(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("HUME_BASE_URL", raising=False)
    yield HumeAI(api_key="key_of_tests")  # noqa: PT022 - it was never used, so nothing is open


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("expression_measurement", "hume.batch"),
        ("empathic_voice", "hume.configs"),
        ("tts", "hume.request"),
        ("custom_models", "hume.datasets"),
        ("with_raw_response", "hume.request"),
        ("close", "await hume.aclose()"),
        ("submit_job", "hume.batch.start_job"),
        ("iter_configs", "hume.configs.list()"),
        ("confgis", "did you mean 'configs'?"),
    ],
)
def test_a_name_of_the_official_sdk_says_what_to_write(hume: Any, name: str, advice: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute") as caught:
        getattr(hume, name)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("resource", "name", "advice"),
    [
        ("batch", "start_inference_job", "use start_job(...)"),
        ("batch", "start_inference_job_from_local_file", "use start_job(files=[...])"),
        ("batch", "get_job_details", "use get_job(id)"),
        ("configs", "list_configs", "use list(...)"),
        ("configs", "create_config_version", "use create_version(...)"),
        ("prompts", "update_prompt_name", "use update_name(...)"),
        ("tools", "list_tool_versions", "use list_versions(...)"),
        ("chats", "list_chat_events", "use list_events(id)"),
        ("chat", "connect_with_callbacks", "use connect(...)"),
        ("privacy", "get_setting", "did you mean 'get_settings'?"),
    ],
)
def test_a_method_of_the_official_sdk_says_what_to_write(
    hume: Any, resource: str, name: str, advice: str
) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(getattr(hume, resource), name)
    assert advice in str(caught.value)


def things(hume: Any) -> dict[str, Any]:
    """Return an object of each class that has advice."""
    return {
        "HumeAI": hume,
        "Batch": hume.batch,
        "Job": hume.batch.job("j"),
        "Pages": hume.tools.list(),
        "Chat": hume.chat,
        "ChatSocket": hume.chat.connect(),
        "Chats": hume.chats,
        "ChatGroups": hume.chat_groups,
    }


@pytest.mark.parametrize(
    ("owner", "name", "advice"),
    [
        ("Job", "await_complete", "use await job.wait()"),
        ("Job", "refersh", "did you mean 'refresh'?"),
        ("Pages", "iter_pages", "use pages()"),
        ("Pages", "items", "use `async for`"),
        ("Pages", "collcet", "did you mean 'collect'?"),
        ("ChatSocket", "send_user_input", "use send_text(text)"),
        ("ChatSocket", "recv", "use `async for event in chat`"),
    ],
)
def test_a_name_that_an_object_does_not_have_says_what_to_write(
    hume: Any, owner: str, name: str, advice: str
) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(things(hume)[owner], name)
    assert advice in str(caught.value)


def test_what_the_advice_names_is_there(hume: Any) -> None:
    objects = things(hume)
    for owner, names in NAMES.items():
        starts = {"": objects[owner], "hume": hume, "job": objects["Job"]}
        for advice in names.values():
            for first, path in re.findall(r"(?:\b(hume|job)\.|^)([a-z_.]+)(?=\()", advice):
                found = starts[first]
                for part in path.split("."):
                    found = getattr(found, part)
                assert callable(found), advice


def test_a_name_like_no_other_is_an_ordinary_attribute_error(hume: Any) -> None:
    assert not hasattr(hume, "zebra")
    assert not hasattr(hume.configs, "zebra")
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        copy.copy(hume)


def test_an_attribute_error_inside_of_a_property_is_not_hidden(
    hume: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("humeai_async.resources.privacy.Privacy")
    with pytest.raises(ImportError, match="Privacy"):
        _ = hume.privacy


MAKERS: dict[str, tuple[Callable[[HumeAI], object], str]] = {
    "chat": (lambda hume: hume.chat.connect(), "async with hume.chat.connect"),
    "predict": (lambda hume: hume.batch.predict([Text("Hello.")]), "async for outcome in"),
    "as_completed": (lambda hume: hume.batch.as_completed([]), "async for job in"),
    "job": (lambda hume: hume.batch.job("0d1e"), "await job.wait()"),
}


@pytest.mark.parametrize("statement", ["for _ in x: pass", "list(x)", "with x: pass"])
@pytest.mark.parametrize("name", MAKERS)
def test_what_is_asynchronous_says_so_to_for_and_with(
    hume: HumeAI, name: str, statement: str
) -> None:
    make, advice = MAKERS[name]
    with pytest.raises(TypeError) as caught:
        exec(statement, {"x": make(hume)})  # noqa: S102 - three statements of ours
    assert advice in str(caught.value)


@pytest.mark.anyio
async def test_what_cannot_be_awaited_says_what_to_write(hume: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot be awaited: write `async with hume.chat.connect"):
        await hume.chat.connect()
    with pytest.raises(TypeError, match=r"cannot be awaited: write `async for outcome in"):
        await hume.batch.predict([Text("Hello.")])
    with pytest.raises(TypeError, match=r"cannot be awaited: write `await job.wait\(\)`"):
        await hume.batch.job("0d1e")


@pytest.mark.anyio
async def test_a_401_names_the_argument_that_the_credential_came_from() -> None:
    async with FakeHume() as fake, HumeAI(api_key="wrong_key", base_url=fake.url) as hume:
        with pytest.raises(AuthenticationError) as caught:
            await hume.configs.list()
    assert "the credential came from the argument api_key" in str(caught.value)
    assert "wrong_key" not in str(caught.value)


@pytest.mark.anyio
async def test_a_401_names_the_variable_that_the_credential_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOWCODEAPI_API_TOKEN", raising=False)
    monkeypatch.delenv("HUME_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("HUME_API_KEY", "wrong_key")
    async with FakeHume() as fake, HumeAI(base_url=fake.url) as hume:
        with pytest.raises(AuthenticationError) as caught:
            await hume.configs.list()
    assert "the credential came from the variable HUME_API_KEY" in caught.value.message
    assert caught.value.args == (caught.value.message,)


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["gateway-recorded", "gateway-documented"])
async def test_a_refusal_by_the_gateway_names_the_token(dialect: Any) -> None:
    fake = FakeHume(dialect=dialect)
    async with fake, HumeAI(api_token="at_wrong", base_url=fake.url) as hume:
        with pytest.raises(errors.APIStatusError, match="from the argument api_token"):
            await hume.configs.list()


@pytest.mark.anyio
async def test_a_timeout_names_the_host() -> None:
    async with FakeHume(latency=30) as fake:
        options: dict[str, Any] = {"base_url": fake.url, "limiter": Limiter(rate=100)}
        host = fake.url.removeprefix("http://")
        for timeout in (Timeout(total=0.2), Timeout(read=0.2, total=1)):
            async with HumeAI(api_key=fake.api_key, timeout=timeout, **options) as hume:
                with pytest.raises(errors.APITimeoutError) as caught:
                    await hume.configs.create(name="a", evi_version="3")
            assert host in caught.value.message


def test_a_call_without_an_event_loop_names_asyncio(hume: HumeAI) -> None:
    call = hume.configs.get_version("0d1e", 0)
    with pytest.raises(errors.ConfigurationError, match="Trio and Curio are not supported"):
        call.send(None)


def test_a_client_goes_on_after_its_event_loop_was_closed() -> None:
    async def ask(hume: HumeAI) -> int:
        async with FakeHume(port=port):
            return len(await hume.configs.list())

    async def find_port() -> int:
        async with FakeHume() as fake:
            return int(fake.url.rpartition(":")[2])

    port = asyncio.run(find_port())
    hume = HumeAI(api_key="fake-key", base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(AuthenticationError):
        asyncio.run(ask(hume))
    with pytest.raises(AuthenticationError):
        asyncio.run(ask(hume))
    asyncio.run(hume.aclose())
