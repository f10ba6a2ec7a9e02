"""Puts the page of a report together: numbers of the ledger, results, pace, and the template.

The charts are Vega-Lite, whose JavaScript vl-convert brings along; nothing on the page asks a
server for anything.
"""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path
from typing import Any

from humeai_async._base.cancellation import in_thread
from humeai_async._base.packages import load_package
from humeai_async._base.urls import without_queries
from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.ledger_records import RunStatus
from humeai_async.bulk.runs import LEDGER
from humeai_async.bulk.states import State, count_sources
from humeai_async.report.digest import Digest
from humeai_async.report.pace import read_pace
from humeai_async.report.results import read_results, results_file
from humeai_async.types.predictions.charts import COLORS, DASHES, MINUTES_FROM

__all__ = ["build_report"]

_MOST_REASONS = 100
_MOST_NAMES = 3
"""Sources that are named for each reason."""


async def build_report(folder: Path) -> str:
    """Make the HTML page about the run in a folder; the run may still be under way.

    Reads the ledger and the results once, in a thread.

    Args:
        folder: The folder of a bulk run.

    Returns:
        The page, under 6 MB for 10,000 sources. It shows no query of a URL and needs no network.

    Raises:
        InvalidArgumentError: There are no results in the folder.
        LedgerError: Ledger or results cannot be read.
        MissingPackageError: vl-convert is not installed (extra `report`).
    """
    scripts = await in_thread(_load_scripts)
    status = await read_status(folder / LEDGER)
    return await in_thread(_build, folder, status, scripts)


def _load_scripts() -> str:
    bundle: str = load_package("vl_convert").javascript_bundle()
    return bundle.replace("</script", "<\\/script")


def _build(folder: Path, status: RunStatus, scripts: str) -> str:
    digest = Digest(sum(status.counts.values()))
    if results_file(folder) is not None or status.counts[State.ARRIVED]:
        for found in read_results(folder):
            if found.reason is None:
                digest.add(found.name, found.blocks)
            else:
                digest.add_failed(found.name, found.reason)
    failed = digest.failed(_MOST_NAMES)
    reasons = [*status.reasons.items()][:_MOST_REASONS]
    data = {
        "run": folder.resolve().name,
        "counts": count_sources(status.counts) | {"jobs": status.jobs},
        "reasons": [[_line(why), count, failed.get(why, [])] for why, count in reasons],
        "moreReasons": len(status.reasons) - len(reasons),
        "pace": read_pace(folder),
        "colors": COLORS,
        "dashes": DASHES,
        "minutesFrom": MINUTES_FROM,
        **digest.to_json(),
    }
    page = importlib.resources.files("humeai_async.report").joinpath("page.html")
    text = page.read_text("utf-8")
    before, _, rest = text.partition("/*SCRIPTS*/")
    middle, _, after = rest.partition("/*DATA*/")
    return "".join([before, scripts, middle, _embedded(data), after])


def _line(reason: str) -> str:
    return " ".join(without_queries(reason).split())


def _embedded(data: Any) -> str:
    """Write JSON so that no text in it can end the script that it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
