"""What a base install does without is not needed before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import asyncio, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"redis", "distributed", "dask", "fsspec", "pyarrow"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from humeai_async import HumeAI, MissingPackageError
from humeai_async.distributed import RedisLedger, predict_over
from humeai_async.shared import RedisQuota
from humeai_async.testing import MockTransport

async def main():
    page = {"page_number": 0, "page_size": 10, "total_pages": 1, "configs_page": []}
    transport = MockTransport(lambda _: page)
    async with HumeAI(api_key="key", transport=transport) as hume:
        print([one async for one in hume.configs.list()])
    for use in (RedisQuota, RedisLedger):
        try:
            use("redis://localhost")
        except MissingPackageError as problem:
            print("humeai_async[redis]" in str(problem))
    try:
        await predict_over(None, "run", [])
    except MissingPackageError as problem:
        print("humeai_async[dask]" in str(problem))

asyncio.run(main())
"""


@pytest.mark.slow  # an interpreter of its own
def test_without_the_extras_all_else_works_and_they_are_named_where_they_are_needed() -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", WITHOUT], capture_output=True, check=False, text=True
    )
    assert (done.stdout.split(), done.stderr) == (["[]", "True", "True", "True"], "")
