"""A plain aiohttp client for the fake, so that its tests share nothing with the library."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from attrs import frozen

from humeai_async.testing import FakeHume


@frozen
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        """The upstream body, out of whatever envelope it came in."""
        if not self.body.startswith(b"{"):
            return self.json
        wrapped: dict[str, Any] = self.json
        if set(wrapped) == {"data"}:
            return wrapped["data"]
        return wrapped["result"] if "response_headers" in wrapped else wrapped


class RawClient:
    """Calls a fake in its own dialect: credential, URL format."""

    def __init__(self, fake: FakeHume, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.session = session

    async def __call__(
        self,
        method: str,
        path: str,
        *ids: str | int,
        query: Mapping[str, str] | list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: Any = None,
    ) -> Reply:
        pairs = list(query.items() if isinstance(query, Mapping) else query or [])
        names = re.findall(r"\{(\w+)\}", path)
        if self.fake.dialect == "gateway-recorded":
            pairs += [(name, str(value)) for name, value in zip(names, ids, strict=True)]
            path = re.sub(r"\{(\w+)\}", r"\1", path)
        else:
            for name, value in zip(names, ids, strict=True):
                path = path.replace(f"{{{name}}}", str(value))
        all_headers = dict(headers or {})
        if self.fake.dialect == "direct":
            all_headers.setdefault("X-Hume-Api-Key", self.fake.api_key)
        else:
            pairs.append(("api_token", self.fake.api_token))
        if json is not None:
            data = _dump(json)
            all_headers["Content-Type"] = "application/json"
        async with self.session.request(
            method, self.fake.url + path, params=pairs, headers=all_headers, data=data
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def start(self, *urls: str, **body: Any) -> str:
        reply = await self("POST", "/v0/batch/jobs", json={"urls": list(urls), **body})
        assert reply.status == 200, reply.body
        return str(reply.result["job_id"])

    async def status(self, job: str) -> str:
        reply = await self("GET", "/v0/batch/jobs/{id}", job)
        return str(reply.result["state"]["status"])


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()


@asynccontextmanager
async def open_raw_client(**options: Any) -> AsyncGenerator[RawClient]:
    """Start a fake and a client for it; short timeouts, so that nothing hangs."""
    timeout = aiohttp.ClientTimeout(total=options.pop("timeout", 20.0))
    async with FakeHume(**options) as fake, aiohttp.ClientSession(timeout=timeout) as session:
        yield RawClient(fake, session)
