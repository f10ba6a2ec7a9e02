"""`humeai-async quota`: how a quota stands that several processes share.

Thin: `RedisQuota.state` reads it from the server, and this prints it.
"""

from __future__ import annotations

import json

import click
from attrs import asdict
from rich.console import Console
from rich.table import Table

from humeai_async.cli import interrupts
from humeai_async.cli.output import (
    ExitCode,
    escape_controls,
    make_console,
    print_message,
    writing_output,
)
from humeai_async.shared import RedisQuota
from humeai_async.shared.state import BucketShares


@click.command()
@click.argument("url")
@click.option("--name", default="default", show_default=True, help="Name of the quota.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def quota(url: str, name: str, *, as_json: bool) -> int:
    """Show who shares the quota in a Redis or Valkey, and how.

    URL is what the processes give to RedisQuota, such as redis://quota.internal:6379/0. For each
    bucket (a credential and a product) it shows the calls a second of all together, the members
    with what each has taken lately, pauses, and in a pause the one that tries for all.

    The exit code is 0, 1 if the server cannot be reached, and 2 if the URL or the password is
    wrong.
    """
    found = interrupts.run(RedisQuota(url, name).state())
    with writing_output():
        if as_json:
            click.echo(json.dumps({"name": name, "buckets": [asdict(one) for one in found]}))
        elif found:
            console = make_console()
            for bucket in found:
                _print_bucket(console, bucket)
        else:
            print_message(f"nobody has used the quota {name!r} there in the last hour")
    return ExitCode.OK


def _print_bucket(console: Console, bucket: BucketShares) -> None:
    """Print a bucket as a line and a table of its members."""
    rate = "no calls lately" if bucket.rate is None else f"{bucket.rate:.4g} calls a second"
    window = "" if bucket.window is None else f", window {bucket.window:.4g} s"
    paused = f", paused for {bucket.paused_for:.1f} s" if bucket.paused_for else ""
    holder = f", {bucket.holder} tries for all" if bucket.holder else ""
    line = f"{bucket.name or '(no name)'}: {rate}{window}, {bucket.pauses} pauses{paused}{holder}"
    console.print(escape_controls(line), soft_wrap=True)
    if not bucket.members:
        return
    table = Table("member", "calls a second", "share", "last turn")
    total = sum(one.share for one in bucket.members) or 1.0
    for one in bucket.members:
        share = f"{one.share / total:.0%}"
        table.add_row(
            escape_controls(one.name), f"{one.share:.1f}", share, f"{one.idle_for:.1f} s ago"
        )
    console.print(table)
