"""What a base install does without is neither imported nor needed before it is used."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import sys
import humeai_async, humeai_async.distributed, humeai_async.shared
found = {name.partition(".")[0] for name in sys.modules}
print(sorted(found & {"redis", "valkey", "distributed", "dask", "fsspec", "pyarrow"}))
"""
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


def output_of(program: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )
    return done.stdout.strip() + done.stderr


def test_importing_the_library_imports_neither_redis_nor_dask() -> None:
    assert output_of(IMPORTS) == "[]"


def test_without_the_extras_all_else_works_and_they_are_named_where_they_are_needed() -> None:
    assert output_of(WITHOUT).split() == ["[]", "True", "True", "True"]
