"""No credential shows in what an error says, wherever one looks.

Every kind of failure is met over a real socket; then texts, reprs, tracebacks with the values
of all local variables, causes, contexts and logs are searched for the planted credential.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any

import pytest
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

from humeai_async import HumeAI, HumeError, Retry, Timeout, Upload

pytestmark = pytest.mark.anyio

SECRET = "at_PLANTED-marked/secret+1"
LOOKS = (SECRET, "at_PLANTED-marked%2Fsecret%2B1", SECRET.replace("/", "\\/"))
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


def chain(error: BaseException) -> Iterator[BaseException]:
    """Walk over an error and everything that it is linked to."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and one not in seen:
            seen.append(one)
            left += [one.__cause__, one.__context__]
            yield one


def below_the_test(trace: TracebackType | None) -> TracebackType | None:
    """Skip the frames of this file, which hold the credential themselves."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def everything_said(error: BaseException) -> str:
    """Collect all that a log, a debugger or an error tracker could show."""
    said: list[str] = []
    for one in chain(error):
        shown = traceback.TracebackException(
            type(one), one, below_the_test(one.__traceback__), capture_locals=True
        )
        said += [str(one), repr(one), repr(one.args), repr(vars(one))]
        said += shown.format(chain=False)
    return "\n".join(said)


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
            retry=Retry(attempts=2, backoff=0.001),
            gateway_carries=carries,
        )
        async with hume:
            error = await failure_of(hume, kind)
    assert leaks(everything_said(error) + caplog.text) == []
    assert leaks(f"{hume!r} {vars(hume)!r}") == []


async def test_a_failed_connection_does_not_show_the_credential(
    credential: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with RawServer(answer()) as server:
        url = server.url
    retry = Retry(attempts=2, backoff=0.001)
    async with client_with(credential, url, retry=retry) as hume:
        error = await failure_of(hume)
    said = everything_said(error) + caplog.text
    assert leaks(said) == []


async def test_a_closed_client_does_not_show_the_credential(credential: str) -> None:
    hume = client_with(credential, "http://127.0.0.1:9")
    await hume.aclose()
    said = everything_said(await failure_of(hume)) + repr(hume)
    assert leaks(said) == []


async def test_the_servers_words_stay_in_the_error() -> None:
    act = answer(b'{"message": "no such job", "code": "E0101"}', status="404 Not Found")
    async with RawServer(act) as server, HumeAI(api_key=SECRET, base_url=server.url) as hume:
        assert "no such job" in str(await failure_of(hume))
