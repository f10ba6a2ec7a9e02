"""What is imported when, in two fresh interpreters: only what is needed, and no credential."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TypeAlias

import pytest

pytestmark = pytest.mark.slow  # two interpreters of their own

Imported: TypeAlias = dict[str, set[str]]

MOST_MODULES = 66
"""Of this package, for a client that calls Hume; 65 before a limiter's pauses had their own."""

STEPS = """
import json, sys
def note(step):
    found[step] = [*sys.modules]
found = {}
import aiohttp, attrs, cattrs, anyio.lowlevel, anyio.to_thread, msgspec
note("libraries")
import humeai_async
note("package")
client = humeai_async.HumeAI(api_key="k")
note("client")
client.configs
note("configs")
client.chat
note("chat")
client.expression.runs
note("expression")
client.batch
note("batch")
import humeai_async.distributed, humeai_async.shared
note("distributed")
print(json.dumps(found))
"""

FIRST_CALL = """
import asyncio, json, sys
from humeai_async import HumeAI
from humeai_async.testing import MockTransport
page = {"page_number": 0, "total_pages": 1, "configs_page": [{"id": "a", "version": 0}]}
async def main():
    transport = MockTransport(lambda request: (200, page))
    async with HumeAI(api_key="k", transport=transport) as hume:
        configs, before = hume.configs, [*sys.modules]
        await configs.list()
        print(json.dumps({"before": before, "after": [*sys.modules]}))
asyncio.run(main())
"""


def run(program: str, **credentials: str) -> Imported:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUME_", "LOWCODEAPI_"))}
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", program],
        env=kept | credentials,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return {step: set(names) for step, names in json.loads(done.stdout).items()}


@pytest.fixture(scope="module")
def imported() -> Imported:
    """Name the modules that are there after each step, without any credential."""
    return run(STEPS)


def rooms_of(names: set[str]) -> set[str]:
    """Name the folders and files at the top of the package that are among modules."""
    return {name.split(".")[1] for name in names if name.startswith("humeai_async.")}


def test_importing_the_package_does_not_import_what_notebooks_show(imported: Imported) -> None:
    assert "humeai_async._base.html" not in imported["package"]


def test_a_client_imports_next_to_nothing_beyond_its_libraries(imported: Imported) -> None:
    beyond = imported["client"] - imported["libraries"]
    assert {name for name in beyond if name.partition(".")[0] != "humeai_async"} == set()
    core = {"_base", "client", "errors", "http", "limiter", "settings", "types"}
    assert rooms_of(imported["client"]) == core


def test_a_client_is_built_with_few_modules(imported: Imported) -> None:
    own = {name for name in imported["client"] if name.startswith("humeai_async")}
    assert len(own) <= MOST_MODULES


def test_the_first_resource_imports_nothing_of_other_products(imported: Imported) -> None:
    added = imported["configs"] - imported["client"]
    assert rooms_of(added) == {"catalog", "http", "resources", "types"}
    names = {name.split(".")[2] for name in added if name.startswith("humeai_async.types.")}
    assert names == {"evi", "evi_configs", "json_text", "times"}


def test_the_first_use_of_batch_imports_neither_bulk_runs_nor_archives(
    imported: Imported,
) -> None:
    assert "batch" in rooms_of(imported["batch"])
    assert "bulk" not in rooms_of(imported["batch"])
    assert not imported["batch"] & {"sqlite3", "zipfile", "humeai_async.batch.archives"}


def test_the_first_use_of_a_resource_imports_no_predictions(imported: Imported) -> None:
    """Their classes take as long as all others of a resource, in which the event loop stands."""
    rooms = {name.rpartition(".")[0] for name in imported["batch"]}
    assert "humeai_async.types.predictions" not in rooms


def test_a_chat_imports_no_types_of_jobs(imported: Imported) -> None:
    """One row of its table is the list of jobs, by a mistake of the reference."""
    assert "humeai_async.types.batch" not in imported["chat"]


def test_expression_measurement_imports_no_messages_of_its_sessions(imported: Imported) -> None:
    assert "humeai_async.types.expression" in imported["expression"]
    assert "humeai_async.types.expression_messages" not in imported["expression"]


def test_runs_over_workers_import_neither_redis_nor_dask(imported: Imported) -> None:
    roots = {name.partition(".")[0] for name in imported["distributed"]}
    assert not roots & {"redis", "valkey", "distributed", "dask", "fsspec", "pyarrow"}


def test_the_first_call_imports_nothing_that_the_resource_did_not() -> None:
    """Two credentials at once are an error of a client that is not given one, and of no import."""
    found = run(FIRST_CALL, HUME_API_KEY="a", LOWCODEAPI_API_TOKEN="b")
    assert found["after"] == found["before"]
