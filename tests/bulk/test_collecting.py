"""Large results are read beside the event loop, and are the same as small ones."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support import client_of

from humeai_async.batch.bulk_jobs import JobWork
from humeai_async.bulk import collecting
from humeai_async.testing import FakeHume

pytestmark = pytest.mark.anyio
URLS = [f"https://media.example.com/{n}.mp4" for n in range(3)]


@pytest.mark.parametrize("is_large", [False, True])
async def test_large_results_are_read_in_a_thread(
    is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    read = JobWork.read

    def noting(work: JobWork, *given: Any) -> Any:
        threads.append(threading.current_thread())
        return read(work, *given)

    monkeypatch.setattr(JobWork, "read", noting)
    if is_large:
        monkeypatch.setattr(collecting, "_LARGE_BODY", 1)
    async with FakeHume(frames=2) as fake, client_of(fake) as hume:
        found = [one async for one in hume.batch.predict(URLS, models={"face": {}})]
    assert sorted(str(one.source) for one in found) == URLS
    assert all(one.predictions is not None for one in found)
    assert [one is threading.main_thread() for one in threads] == [not is_large]
