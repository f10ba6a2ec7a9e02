"""Packages of the extras take tenths of a second to import: no event loop waits for that."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import Any

import pytest
from bulk_support import urls
from support import client_of

from humeai_async._base import packages
from humeai_async.report.build import build_report
from humeai_async.testing import FakeHume
from humeai_async.types.dicts import ModelsDict

pytestmark = pytest.mark.anyio

MODELS: ModelsDict = {"face": {}}


class Importer:
    """Imports as importlib does, and takes note of the thread in which it is done."""

    def __init__(self) -> None:
        self.threads: dict[str, set[int]] = {}

    def import_module(self, name: str) -> Any:
        self.threads.setdefault(name, set()).add(threading.get_ident())
        return importlib.import_module(name)

    def on_the_loop(self) -> set[str]:
        return {name for name, found in self.threads.items() if threading.get_ident() in found}


@pytest.fixture
def importer(monkeypatch: pytest.MonkeyPatch) -> Importer:
    watched = Importer()
    monkeypatch.setattr(packages, "importlib", watched)
    return watched


@pytest.mark.parametrize("kind", ["arrow", "polars", "pandas"])
async def test_a_table_of_a_run_imports_nothing_on_the_loop(importer: Importer, kind: str) -> None:
    async with FakeHume() as fake, client_of(fake) as hume:
        outcomes = hume.batch.predict(urls(2), models=MODELS)
        await getattr(outcomes, f"to_{kind}")()
    assert {"pyarrow"} <= set(importer.threads)
    assert importer.on_the_loop() == set()


@pytest.mark.slow
async def test_a_run_into_a_folder_and_its_report_import_nothing_on_the_loop(
    importer: Importer, tmp_path: Path
) -> None:
    formats = ("parquet", "csv", "jsonl.zst")
    async with FakeHume() as fake, client_of(fake) as hume:
        await hume.batch.predict_into(tmp_path, urls(2), models=MODELS, formats=formats)
    await build_report(tmp_path)
    assert {"pyarrow", "pyarrow.parquet", "vl_convert"} <= set(importer.threads)
    assert importer.on_the_loop() == set()
