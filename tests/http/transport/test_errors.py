"""What goes wrong below HTTP, explained: resolvers, certificates, and what nobody foresaw."""

from __future__ import annotations

import ssl
import traceback
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from rawserver import RawServer, answer

from humeai_async import APIConnectionError, HumeAI, HumeError, Retry, TLSError
from humeai_async.http.messages import Delivery, Request
from humeai_async.http.transport.errors import explain

ONCE = Retry(attempts=1)
KEY = "m4rk3d-credential-of-20"


def key(host: str = "hume.test", port: int = 443) -> ConnectionKey:
    return ConnectionKey(host, port, True, True, None, None, None)


def explained(problem: BaseException, delivery: Delivery = Delivery.NOT_SENT) -> Any:
    request = Request("POST", "/v0/thing/{id}", "https://hume.test/v0/thing/1", {})
    request.delivery = delivery
    return explain(problem, request, is_closed=False)


# Names.


class Resolver(aiohttp.ThreadedResolver):
    """Fails as the resolver on aiodns does: without a number of the operating system."""

    async def resolve(self, *_: Any, **__: Any) -> Any:
        raise OSError(None, "Domain name not found")


@pytest.mark.anyio
async def test_a_name_that_aiodns_does_not_find_is_no_server_that_hung_up() -> None:
    connector = aiohttp.TCPConnector(resolver=Resolver())
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        HumeAI(api_key=KEY, base_url="http://hume.test", session=session, retry=ONCE) as hume,
    ):
        with pytest.raises(APIConnectionError) as caught:
            await hume.configs.list()
    message = "could not connect to hume.test:80: its name could not be resolved"
    assert caught.value.message == f"{message} (Domain name not found)"
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("arguments", [(None, None), (), ("",)])
def test_a_resolver_without_words_is_still_a_resolver(arguments: tuple[Any, ...]) -> None:
    problem = explained(aiohttp.ClientConnectorDNSError(key(), OSError(*arguments)))
    assert problem.message.endswith("its name could not be resolved (no reason given)")


# Certificates.


def refused(code: int, words: str) -> ssl.SSLCertVerificationError:
    problem = ssl.SSLCertVerificationError(1, words)
    problem.verify_code, problem.verify_message = code, words
    return problem


def test_a_refused_certificate_is_told_by_either_of_aiohttps_classes() -> None:
    cause = refused(10, "certificate has expired")
    for kind in (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
        problem = explained(kind(key(), cause))
        assert type(problem) is TLSError
        assert problem.message == (
            "could not connect to hume.test:443: its certificate is refused: "
            "certificate has expired"
        )
        assert not problem.outcome_unknown


def test_a_certificate_error_without_the_operating_systems_half_is_told_too() -> None:
    # Before 3.13.4 aiohttp sets no `_os_error` on this class, and its property fails.
    problem = aiohttp.ClientConnectorCertificateError(key(), refused(18, "self-signed"))
    problem.__dict__.pop("_os_error", None)
    assert "its certificate is refused: self-signed" in explained(problem).message


def test_an_error_of_a_certificate_that_is_none_of_openssls_is_told() -> None:
    problem = aiohttp.ClientConnectorCertificateError(key(), ValueError("m4rk3d"))
    found = explained(problem)
    assert isinstance(found, APIConnectionError)
    assert "m4rk3d" not in str(found)


# What nobody foresaw.


@pytest.mark.parametrize(
    "problem",
    [
        UnicodeEncodeError("latin-1", "m4rk3d", 0, 1, "ordinal not in range"),
        ValueError("m4rk3d"),
        AttributeError("m4rk3d"),
        AssertionError("m4rk3d"),
        KeyError("m4rk3d"),
        RuntimeError("m4rk3d"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_a_foreign_exception_is_one_of_ours_and_keeps_nothing_of_it(problem: Exception) -> None:
    for delivery in (Delivery.NOT_SENT, Delivery.UNKNOWN):
        try:
            raise problem
        except type(problem) as caught:
            found = explained(caught, delivery)
        assert type(found) is APIConnectionError
        assert found.outcome_unknown is (delivery is Delivery.UNKNOWN)
        assert type(problem).__name__ in found.message
        told = "".join(traceback.TracebackException.from_exception(found).format())
        assert "m4rk3d" not in told


@pytest.mark.anyio
async def test_a_foreign_exception_out_of_aiohttp_keeps_none_of_its_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise LookupError(KEY)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", fail)
    async with HumeAI(api_key=KEY, base_url="http://hume.test", retry=ONCE) as hume:
        with pytest.raises(HumeError, match="LookupError") as caught:
            await hume.batch.start_job(urls=["https://m.example/1.mp4"])
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "aiohttp" not in {frame.name for frame in shown.stack}
    told = [line for line in shown.format() if "KEY" not in line]
    assert KEY not in "".join(told)


# Bodies that are packed in ways that were not asked for.


@pytest.mark.anyio
@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br"])
@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
async def test_a_body_that_cannot_be_unpacked_keeps_its_status_and_is_named(
    encoding: str, status: str
) -> None:
    act = answer(b"\x1b\x03\x00packed", status=status, headers={"Content-Encoding": encoding})
    async with (
        RawServer(act) as server,
        HumeAI(api_key=KEY, base_url=server.url, retry=ONCE) as hume,
    ):
        with pytest.raises(HumeError) as caught:
            await hume.configs.list()
    assert caught.value.status == int(status[:3])
    assert f"packed as {encoding!r}" in caught.value.message
