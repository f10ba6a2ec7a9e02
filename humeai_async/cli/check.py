"""`humeai-async check`: how the gateway's definition differs from what the library knows."""

from __future__ import annotations

import json

import attrs
import click
from rich.table import Table

from humeai_async import catalog
from humeai_async.catalog.comparison import Comparison, compare
from humeai_async.cli import interrupts
from humeai_async.cli.output import ExitCode, escape_controls, make_console
from humeai_async.client import HumeAI
from humeai_async.settings import Pool
from humeai_async.types.definition import Definition


@click.command()
@click.option("--base-url", help="Ask this gateway first, instead of the hosted one.")
@click.option("--proxy", help="URL of the proxy to use; left out, that of the environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def check(base_url: str | None, proxy: str | None, *, as_json: bool) -> int:
    """Compare the gateway's definition of its API with the rows that the library knows.

    The definition is public, so nothing is sent but the request for it. The variable
    LOWCODEAPI_API_TOKEN may be left out.

    The exit code is 0 if nothing differs, 1 if something does or the definition could not be
    fetched, 2 for a mistake in the command, and 130 after Ctrl-C.
    """

    async def fetch() -> Definition:
        pool = Pool(proxy=proxy, trust_env=True)
        # No credential goes out, and none is needed: any token makes it a gateway's client.
        async with HumeAI(api_token="at_none", base_url=base_url, pool=pool) as hume:  # noqa: S106 - no token is sent
            return await hume.definition()

    found = compare(interrupts.run(fetch()), catalog.TABLE)
    if as_json:
        click.echo(json.dumps({**attrs.asdict(found), "is_equal": found.is_equal}))
    else:
        _print(found)
    return ExitCode.OK if found.is_equal else ExitCode.FAILED


def _print(found: Comparison) -> None:
    console = make_console()
    console.print(f"{found.rows} rows in {escape_controls(found.url)}")
    if found.is_equal:
        console.print("they are the rows that the library knows, with the same parameters")
        return
    table = Table("row", "difference", box=None, pad_edge=False)
    for row in found.missing:
        table.add_row(row, "is not in the definition")
    for row in found.new:
        table.add_row(escape_controls(row), "is not known to the library")
    for change in found.changed:
        lacks = [f"lacks {', '.join(change.missing)}"] if change.missing else []
        has = [f"has {', '.join(change.new)} as well"] if change.new else []
        table.add_row(change.row, escape_controls("; ".join(lacks + has)))
    console.print(table)
