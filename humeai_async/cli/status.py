"""`humeai-async status`: where a run stands.

It reads the ledger only.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from humeai_async.bulk.ledger import standing_of
from humeai_async.bulk.runs import LEDGER
from humeai_async.cli.output import run
from humeai_async.cli.progress import counts_of, show_counts, show_reasons


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def status(folder: Path, *, as_json: bool) -> None:
    """Tell where the run in a folder stands.

    FOLDER is what `predict --out` named; the run may still be going on.
    """

    async def work() -> int:
        standing = await standing_of(folder / LEDGER)
        counts = counts_of(standing.counts) | {"jobs": standing.jobs}
        if as_json:
            click.echo(json.dumps(counts | {"reasons": dict(standing.reasons)}))
        else:
            show_counts(Console(), f"Run in {folder}", counts)
            show_reasons(Console(), standing.reasons, counts["failed"])
        return 0

    run(work)
