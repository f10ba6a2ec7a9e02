"""How many bytes finished calls leave, measured by a process that starts for it alone."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from typing import Any

from scripted_transport import ScriptedTransport
from support import session_of

from humeai_async import catalog
from humeai_async.http.endpoint import fill
from humeai_async.http.messages import Request, Response

PAGE: dict[str, Any] = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": []}


def bytes_left_by(calls: int) -> int:
    page = Response(200, {}, json.dumps(PAGE).encode())

    class Forgetful(ScriptedTransport):
        async def next_response(self, request: Request, timeout: object) -> Response:
            del request, timeout
            return page

    session = session_of(Forgetful())
    call = fill(catalog.CONFIGS_LIST)

    def traced() -> int:
        # Without the limiter's log of recent calls, which a window of time bounds.
        log = tracemalloc.Filter(inclusive=False, filename_pattern="*/limiter/*")
        if not tracemalloc.is_tracing():
            return 0
        found = tracemalloc.take_snapshot().filter_traces([log])
        return sum(trace.size for trace in found.traces)

    async def make(calls: int) -> int:
        gc.collect()
        before = traced()
        for _ in range(calls):
            await session.call(call)
        gc.collect()
        return traced() - before

    async def compare() -> int:
        await make(50)
        tracemalloc.start()
        await make(50)
        return await make(calls)

    return asyncio.run(compare())
