"""What a base install does without is not imported before it is needed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import humeai_async, humeai_async.distributed, humeai_async.shared
found = {name.partition(".")[0] for name in sys.modules}
print(sorted(found & {"redis", "valkey", "distributed", "dask", "fsspec", "pyarrow"}))
"""


def test_importing_the_library_imports_neither_redis_nor_dask() -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True
    )
    assert done.stdout.strip() == b"[]"
