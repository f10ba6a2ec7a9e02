"""No credential shows in what an error says, wherever one looks.

Every kind of failure is met over a real socket; then texts, reprs, tracebacks with the values
of all local variables, causes, contexts and logs are searched for the planted credential.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp_release import BACKEND
from error_text import NOTHING, collect_error_text
from proxyserver import ProxyServer
from rawserver import (
    HALF_A_BODY,
    NOT_GZIP,
    NOT_HTTP,
    Act,
    RawServer,
    answer,
    raw,
    reset,
    silence,
)
from secrets_run import OWN

from humeai_async import HumeAI, HumeError, Pool, Retry, Timeout, Upload
from humeai_async.testing import Credentials, FakeHume
from humeai_async.types.dicts import WebhookDict

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return BACKEND


SECRET = "at_PLANTED-marked/secret+1"
LOOKS = (SECRET, "at_PLANTED-marked%2Fsecret%2B1", SECRET.replace("/", "\\/"), "PLANTED-marked")
ECHO = (
    '{"message":"A valid API token is required: ' + SECRET + '","provider":"humeai","error":'
    '{"code":401,"logging":{"query":{"api_token":"'
    + SECRET
    + '"},"headers":{"x":"'
    + SECRET
    + '"}}}}'
).encode()
ELSEWHERE = f"https://elsewhere.example/?api_token={LOOKS[1]}"

ACTS = {
    "reset": reset(),
    "closed": raw(b""),
    "reset inside the body": reset(HALF_A_BODY),
    "cut off inside the body": raw(HALF_A_BODY),
    "badly packed": raw(NOT_GZIP),
    "another protocol": raw(NOT_HTTP),
    "silent": silence(),
    "silent inside the body": silence(HALF_A_BODY),
    "the gateway's echo": answer(ECHO, status="401 Unauthorized"),
    "an echo in the text": answer(SECRET.encode(), status="400 Bad Request"),
    "an echo in quotes": answer(
        b'{"message": "no ' + SECRET.replace("/", "\\/").encode() + b'"}', status="400 Bad Request"
    ),
    "an echo in every field": answer(
        b'{"code": "' + SECRET.encode() + b'", "request_id": "' + SECRET.encode() + b'"}',
        status="500 Oops",
        headers={"X-Request-Id": SECRET},
    ),
    "a redirect": answer(b"", status="302 Found", headers={"Location": ELSEWHERE}),
    "no JSON": answer(b"<html>"),
    "another shape": answer(b'{"job_id": []}'),
}


@pytest.fixture(params=["api_token", "api_key", "access_token"])
def credential(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def leaks(said: str) -> list[str]:
    """Return the lines that show the credential."""
    return [line for line in said.splitlines() if any(look in line for look in LOOKS)]


def client_with(credential: str, url: str, **settings: Any) -> HumeAI:
    """Make a client with the planted credential."""
    settings[credential] = SECRET
    return HumeAI(base_url=url, **settings)


async def content() -> AsyncIterator[bytes]:
    """Give more than fits into the buffers on the way."""
    for _ in range(8):
        yield b"x" * (1 << 20)


CALLS: dict[str, Callable[[HumeAI], Awaitable[object]]] = {
    "get": lambda hume: hume.batch.get_job("job-1"),
    "start": lambda hume: hume.batch.start_job(urls=["https://media.example.com/a.mp4"]),
    "upload": lambda hume: hume.batch.start_job(files=[Upload(content, "a.wav")]),
    "stream": lambda hume: hume.batch.job("job-1").save_artifacts("never-written.zip"),
}


async def failure_of(hume: HumeAI, kind: str = "get") -> HumeError:
    """Make a call of one kind and return what it raises."""
    with pytest.raises(HumeError) as caught:
        await CALLS[kind](hume)
    return caught.value


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
async def test_no_failure_shows_the_credential(
    act: Act, kind: str, credential: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    carries = {"uploads", "binary"} if credential == "api_token" else set[str]()
    total = 0.05 if act is ACTS["silent"] else 5.0
    async with RawServer(act, reads_bodies=kind != "upload") as server:
        hume = client_with(
            credential,
            server.url,
            timeout=Timeout(read=0.03, total=total),
            retry=Retry(attempts=2, initial_delay=0.001),
            gateway_carries=carries,
        )
        async with hume:
            error = await failure_of(hume, kind)
    assert leaks(collect_error_text(error, __file__) + caplog.text) == []
    assert leaks(f"{hume!r} {vars(hume)!r}") == []


async def test_a_failed_connection_does_not_show_the_credential(
    credential: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with RawServer(answer()) as server:
        url = server.url
    retry = Retry(attempts=2, initial_delay=0.001)
    async with client_with(credential, url, retry=retry) as hume:
        error = await failure_of(hume)
    said = collect_error_text(error, __file__) + caplog.text
    assert leaks(said) == []


async def test_a_closed_client_does_not_show_the_credential(credential: str) -> None:
    hume = client_with(credential, "http://127.0.0.1:9")
    await hume.aclose()
    said = collect_error_text(await failure_of(hume), __file__) + repr(hume)
    assert leaks(said) == []


async def cut_off(call: Awaitable[object]) -> BaseException:
    """Cut a call off that does not end, and return what its caller sees."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.05):
            await call
    return caught.value


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("act", [silence(), silence(HALF_A_BODY)], ids=["silent", "in the body"])
async def test_a_call_cut_off_by_its_caller_does_not_show_the_credential(
    act: Act, kind: str, credential: str
) -> None:
    carries = {"uploads", "binary"} if credential == "api_token" else set[str]()
    async with RawServer(act, reads_bodies=kind != "upload") as server:
        async with client_with(credential, server.url, gateway_carries=carries) as hume:
            said = collect_error_text(await cut_off(CALLS[kind](hume)), __file__)
    assert "CancelledError" in said
    assert leaks(said) == []


@pytest.mark.parametrize("name", ["api_key", "access_token"])
async def test_a_handshake_cut_off_by_its_caller_does_not_show_the_credential(name: str) -> None:
    async with RawServer(silence()) as server, client_with(name, server.url) as hume:
        said = collect_error_text(await cut_off(hume.chat.connect().__aenter__()), __file__)
    assert "CancelledError" in said
    assert leaks(said) == []


async def test_a_proxy_that_lets_no_chat_through_does_not_show_its_password() -> None:
    proxy = f"http://me:{LOOKS[1]}@127.0.0.1:9"
    nowhere = "http://127.0.0.1:9"
    settings = {"pool": Pool(proxy=proxy), "retry": Retry(attempts=1)}
    async with client_with("api_key", nowhere, **settings) as hume:
        with pytest.raises(HumeError) as caught:
            await hume.chat.connect().__aenter__()
    assert leaks(collect_error_text(caught.value, __file__)) == []


async def test_a_job_that_is_named_by_a_credential_is_not_told() -> None:
    act = answer(json.dumps({"job_id": f"no job: {SECRET}"}).encode())
    async with RawServer(act) as server, client_with("api_key", server.url) as hume:
        error = await failure_of(hume, "start")
    assert error.outcome_unknown
    assert leaks(str(error)) == []


async def sources_of_secrets(hume: HumeAI) -> None:
    await hume.batch.start_job(urls=[f"https://a.example/?{SECRET}"] * 101)


async def webhook_of_secrets(hume: HumeAI) -> None:
    hook: WebhookDict = {"url": f"https://a.example/{SECRET}", "events": ["chat_ended"]}
    await hume.configs.create(name="x", evi_version="3", webhooks=[hook])


async def ability_of_secrets(_: HumeAI) -> None:
    unhashable: Any = [["uploads"]]
    client_with("api_token", "http://127.0.0.1:9", gateway_carries=unhashable)


@pytest.mark.parametrize(
    ("call", "own"),
    [
        (sources_of_secrets, re.escape(SECRET)),
        (webhook_of_secrets, re.escape(SECRET)),
        (ability_of_secrets, NOTHING),
    ],
)
async def test_a_wrong_call_does_not_show_what_it_was_given(
    call: Callable[[HumeAI], Awaitable[None]],
    own: str,
) -> None:
    async with RawServer(answer(b"", status="400 Bad Request")) as server:
        async with HumeAI(api_key="key", base_url=server.url) as hume:
            with pytest.raises(HumeError) as caught:
                await call(hume)
    assert leaks(collect_error_text(caught.value, __file__, own)) == []


async def test_the_servers_words_stay_in_the_error() -> None:
    act = answer(b'{"message": "no such job", "code": "E0101"}', status="404 Not Found")
    async with RawServer(act) as server, HumeAI(api_key=SECRET, base_url=server.url) as hume:
        assert "no such job" in str(await failure_of(hume))


# A whole program, run with everything it says turned up.

MARK = b"m4rk3d"
RESULTS = {"predictions.jsonl", "predictions.csv"}
ALLOWED = RESULTS | {"saved.json"}
"""Results name their sources as they were given, and what is saved is the answer as it came."""
HERE = Path(__file__).parents[1] / "support"
ECHO_OF_ALL = (
    '{"message":"no SECRET, https://a.example/b?X-Amz-Signature=m4rk3dMedia",'
    '"provider":"humeai","error":{"code":401,"logging":{"query":{"api_token":"SECRET"},'
    '"body":"https:\\/\\/a.example\\/b?m4rk3dMedia"}}}'
)


def acts_against(secret: str, elsewhere: str) -> list[Act]:
    """Return all that a bad server can do with a secret."""
    echo = ECHO_OF_ALL.replace("SECRET", secret).encode()
    return [
        reset(),
        raw(b""),
        reset(HALF_A_BODY),
        raw(NOT_GZIP),
        raw(NOT_HTTP),
        silence(),
        answer(echo, status="401 Unauthorized"),
        answer(echo, status="500 Oops"),
        answer(b"<html>"),
        answer(b"x" * 10_001),
        answer(b'[{"job_id": [], "callback_url": "https://a.example/m4rk3dHook?m4rk3dHook"}]'),
        answer(status="302 Found", headers={"Location": f"{elsewhere}/?api_token={secret}"}),
    ]


def marked(text: bytes) -> list[bytes]:
    """Return the lines that show a secret, as it is or in Base64 as proxies get it."""
    looks = [MARK]
    for n in range(3):
        whole = base64.b64encode(b"x" * n + MARK + b"xxx")
        looks.append(whole[-(-n * 4 // 3) : (n + len(MARK)) * 4 // 3])
    lines = dict.fromkeys(text.splitlines())
    return [line[:400] for line in lines if any(look in line for look in looks)]


def everything_written(folder: Path) -> dict[str, list[bytes]]:
    """Search all files and their names, but for results."""
    found = {
        str(path): marked(path.read_bytes()) + marked(str(path).encode())
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ALLOWED
    }
    return {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize("user", [b"me:", b"you:", b"them:"])
def test_a_secret_is_found_in_base64_too(user: bytes) -> None:
    said = b"first\nsecond " + base64.b64encode(user + b"m4rk3dProxy") + b"\nthird"
    assert [line[:6] for line in marked(said)] == [b"second"]


async def run_in(folder: Path, command: list[str], given: bytes, **variables: str) -> bytes:
    """Run a program in a folder of its own, and return all that it printed."""
    (folder / "tmp").mkdir(parents=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUME_", "LOWCODEAPI_"))}
    settings = {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
    settings |= {"TMPDIR": str(folder / "tmp"), "PYTHONASYNCIODEBUG": "1"}
    with anyio.fail_after(200):
        done = await anyio.run_process(
            [sys.executable, *command],
            input=given,
            check=False,
            cwd=folder,
            env=kept | settings | variables,
            stderr=subprocess.STDOUT,
        )
    return done.stdout


async def test_a_whole_program_shows_no_secret_anywhere(tmp_path: Path) -> None:
    keys = Credentials(api_key="m4rk3dKey", api_token="at_m4rk3dToken")
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        direct = await enter(FakeHume(credentials=keys))
        gateway = await enter(FakeHume(dialect="gateway-documented", credentials=keys))
        elsewhere = await enter(RawServer(answer()))
        proxy = await enter(ProxyServer(user="me:m4rk3dProxy"))
        names = {"api_key": "m4rk3dKey", "api_token": "at_m4rk3dToken", "access_token": "m4rk3dAt"}
        bad: list[dict[str, Any]] = []
        for name, secret in names.items():
            acts = acts_against(secret, elsewhere.url)
            url = (await enter(RawServer(*(acts * 40)))).url
            bad.append({"url": url, "credential": name, "secret": secret, "acts": len(acts)})
        plan: dict[str, Any] = {
            "bad": bad,
            "direct": {"url": direct.url, "credential": "api_key", "secret": "m4rk3dKey"},
            "gateway": {"url": gateway.url, "credential": "api_token", "secret": "at_m4rk3dToken"},
        }
        proxies = ["me:m4rk3dProxy", "me:m4rk3dWrong"]
        plan["proxied"] = plan["direct"] | {
            "proxies": [*map(proxy.url_for, proxies), "http://me:m4rk3dProxy@127.0.0.1:9"]
        }
        script = str(HERE / "secrets_run.py")
        said = await run_in(tmp_path / "run", ["-X", "dev", script], json.dumps(plan).encode())
    assert said.endswith(b"done\n"), said[-3000:].decode()
    assert marked(said) == []
    assert everything_written(tmp_path) == {}
    assert elsewhere.heads == []
    assert len(proxy.heads) == 2
    log = (tmp_path / "run/everything.log").read_text()
    assert "DEBUG:humeai_async.calls:" in log
    assert "DEBUG:asyncio:" in log
    written = {path.name for path in (tmp_path / "run/results").rglob("*")}
    assert RESULTS <= written
    assert "ledger.db" in written


async def test_the_command_line_shows_no_secret(tmp_path: Path) -> None:
    keys = Credentials(api_key="m4rk3dKey")
    names = ("a.mp4", "missing.mp4", "fail-job.mp4")
    sources = "\n".join(f"https://media.example.com/{n}?X-Amz-Signature=m4rk3dMedia" for n in names)
    command = ["-P", "-X", "dev", "-m", "humeai_async", "predict", "-", "--job-size", "1"]
    async with FakeHume(credentials=keys) as fake:
        variables = {"HUME_API_KEY": "m4rk3dKey", "HUME_BASE_URL": fake.url, "COLUMNS": "200"}
        said = await run_in(tmp_path / "run", command, sources.encode(), **variables)
        variables["HUME_API_KEY"] = "m4rk3dWrong"
        refused = await run_in(tmp_path / "refused", command, sources.encode(), **variables)
    assert b"https://media.example.com/a.mp4\n" in said  # as people look for it, without its query
    assert b"failed" in said
    assert b"AuthenticationError" not in said
    assert b"401" in refused
    assert marked(said + refused) == []
    assert everything_written(tmp_path) == {}


# What was sent as a webhook or a signed URL is as secret as a credential.

HOOK = "https://hooks.example.com/services/m4rk3dPath?key=m4rk3dHook"
MEDIUM = "https://media.example.com/a.mp4?X-Amz-Signature=m4rk3dMedia"
SENDERS: dict[str, Callable[[HumeAI], Awaitable[object]]] = {
    "job": lambda hume: hume.batch.start_job(urls=[MEDIUM], callback_url=HOOK),
    "job with files": lambda hume: hume.batch.start_job(files=[b"RIFF"], callback_url=HOOK),
    "custom job": lambda hume: hume.jobs.start_inference(
        custom_model={"id": "m"}, urls=[MEDIUM], callback_url=HOOK
    ),
    "version": lambda hume: hume.configs.create_version(
        "id", evi_version="3", webhooks=[{"url": HOOK, "events": []}]
    ),
    "config": lambda hume: hume.configs.create(
        name="n", evi_version="3", webhooks=[{"url": HOOK, "events": []}]
    ),
    "anything": lambda hume: hume.request("PUT", "/v0/x", json=[{"deep": [HOOK]}, MEDIUM]),
}
ECHOES: dict[str, Callable[[str], bytes]] = {
    "as it came": lambda sent: sent.encode(),
    "in JSON": lambda sent: json.dumps({"message": f"cannot read {sent}"}).encode(),
    "in Hume's own error": lambda sent: json.dumps(
        {"code": "m4rk3dPath", "message": sent[sent.find("m4rk3d") :][:120], "request_id": sent}
    ).encode(),
    "without host": lambda sent: sent.replace("https://", "").replace(".example.com", "").encode(),
    "slashes escaped": lambda sent: sent.replace("/", "\\/").encode(),
}


@pytest.mark.parametrize("credential", ["api_key", "api_token"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("send", SENDERS.values(), ids=SENDERS)
async def test_no_error_repeats_the_secrets_of_what_was_sent(
    send: Callable[[HumeAI], Awaitable[object]],
    echo: Callable[[str], bytes],
    credential: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def act(writer: asyncio.StreamWriter) -> None:
        said = echo(server.bodies[-1].decode("latin-1"))
        assert MARK in said
        await answer(said, status="400 Bad Request")(writer)

    async with RawServer(act) as server:
        carries = {"uploads"} if credential == "api_token" else set[str]()
        async with client_with(credential, server.url, gateway_carries=carries) as hume:
            with pytest.raises(HumeError) as caught:
                await send(hume)
    assert marked((collect_error_text(caught.value, __file__, OWN) + caplog.text).encode()) == []
