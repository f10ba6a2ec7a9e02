"""`humeai-async status`: how far a run is.

It reads the ledger only.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from humeai_async.bulk.ledger import read_status
from humeai_async.bulk.runs import LEDGER
from humeai_async.bulk.states import count_sources
from humeai_async.cli import interrupts
from humeai_async.cli.output import ExitCode, make_console, writing_output
from humeai_async.cli.progress import print_counts, print_failures
from humeai_async.cli.sources import NOT_THERE
from humeai_async.errors import InvalidArgumentError, LedgerError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def status(folder: Path, *, as_json: bool) -> int:
    """Show how far the run in a folder is.

    FOLDER is the one given to `predict --out`; the run may still be under way. The exit code is
    0 if every source arrived, and 1 if any failed or is still open.
    """
    ledger = ensure_run(folder)
    found = interrupts.run(read_status(ledger))
    counts = count_sources(found.counts) | {"jobs": found.jobs, "resubmitted": found.resubmitted}
    with writing_output():
        if as_json:
            click.echo(json.dumps(counts | {"reasons": dict(found.reasons)}))
        else:
            console = make_console()
            print_counts(console, f"Run in {folder}", counts)
            print_failures(console, found.reasons, counts["failed"])
    return ExitCode.FAILED if counts["failed"] or counts["open"] else ExitCode.OK


def ensure_run(folder: Path) -> Path:
    """Return the ledger of the run in a folder.

    Raises:
        InvalidArgumentError: There is no run in it.
        LedgerError: The ledger cannot be read.
    """
    ledger = folder / LEDGER
    try:
        ledger.stat()
    except ValueError:  # a null character
        pass
    except OSError as problem:
        if problem.errno not in NOT_THERE:
            raise LedgerError(f"cannot read {ledger}: {problem.strerror}") from None
    else:
        return ledger
    raise InvalidArgumentError(f"{folder} holds no run: it has no file {LEDGER}", field="folder")
