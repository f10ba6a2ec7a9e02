"""`humeai-async check`: how the gateway's definition differs from the library's catalog."""

from __future__ import annotations

import json

import attrs
import click
from rich.table import Table

from humeai_async import catalog
from humeai_async.catalog.comparison import Comparison, compare
from humeai_async.cli import interrupts
from humeai_async.cli.output import ExitCode, escape_controls, make_console, writing_output
from humeai_async.client import HumeAI
from humeai_async.settings import Pool
from humeai_async.types.definition import Definition


@click.command()
@click.option(
    "--base-url",
    help="URL of the gateway. Left out, that of the variable HUME_BASE_URL, else the hosted one.",
)
@click.option("--proxy", help="URL of the proxy to use; left out, that of the environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def check(base_url: str | None, proxy: str | None, *, as_json: bool) -> int:
    """List what a LowCodeAPI gateway defines otherwise than this library.

    A gateway publishes the definition of its API: its endpoints and their parameters. No
    credential is needed, and none is sent. Hume itself publishes no such definition.

    The exit code is 0 if nothing differs, 1 if something does or the definition could not be
    fetched, 2 for a mistake in the command, and 130 after Ctrl-C.
    """

    async def fetch() -> Definition:
        pool = Pool(proxy=proxy, trust_env=True)
        # No credential goes out, and none is needed: any token makes it a gateway's client.
        async with HumeAI(api_token="at_none", base_url=base_url, pool=pool) as hume:  # noqa: S106 - no token is sent
            return await hume.definition()

    found = compare(interrupts.run(fetch()), catalog.TABLE)
    with writing_output():
        if as_json:
            click.echo(json.dumps({**attrs.asdict(found), "is_equal": found.is_equal}))
        else:
            _print(found)
    return ExitCode.OK if found.is_equal else ExitCode.FAILED


def _print(found: Comparison) -> None:
    console = make_console()
    console.print(f"{found.rows} endpoints in {escape_controls(found.url)}")
    if found.is_equal:
        console.print("the same endpoints and parameters as in this library")
        return
    table = Table("endpoint", "difference", box=None, pad_edge=False)
    for row in found.missing:
        table.add_row(row, "not in the definition")
    for row in found.new:
        table.add_row(escape_controls(row), "unknown to this library")
    for change in found.changed:
        lacks = [f"lacks {', '.join(change.missing)}"] if change.missing else []
        has = [f"also has {', '.join(change.new)}"] if change.new else []
        table.add_row(change.row, escape_controls("; ".join(lacks + has)))
    console.print(table)
