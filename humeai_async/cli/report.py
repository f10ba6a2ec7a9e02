"""`humeai-async report`: one HTML page about a run, which opens without a network."""

from __future__ import annotations

from pathlib import Path

import click

from humeai_async._base.atomic_files import saving, write_whole
from humeai_async.cli import interrupts
from humeai_async.cli.output import escape_controls, print_message, writing_output
from humeai_async.cli.status import ensure_run

PAGE = "report.html"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help=f"File to write; {PAGE} in FOLDER if left out. One that is there is replaced.",
)
def report(folder: Path, out: Path | None) -> None:
    """Write one HTML page about the run in a folder.

    FOLDER is the one given to `predict --out`; the run may still be under way. The page opens
    without a network, and holds no query of a URL.
    """
    from humeai_async.report.build import build_report

    ensure_run(folder)
    target = out or folder / PAGE
    data = interrupts.run(build_report(folder)).encode()
    with saving(f"cannot write {target}"):
        write_whole(target, [data])
    with writing_output():
        click.echo(escape_controls(str(target)))
    print_message(f"wrote {len(data) / 1e6:.1f} MB; open it in a browser")
