"""The command line: `humeai-async demo`, `predict` and `status`.

It names the commands and what they need installed. What a user got wrong is told in one line,
without a traceback, with exit code 2; failed sources and errors of the service give 1, Ctrl-C
gives 130.
"""

from __future__ import annotations

import sys

try:
    import click

    from humeai_async.cli.demo import demo
    from humeai_async.cli.predict import predict
    from humeai_async.cli.status import status
except ModuleNotFoundError as problem:
    if problem.name not in {"click", "rich"}:
        raise
    sys.exit("humeai-async needs the extra `cli`: pip install 'humeai_async[cli]'")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="humeai_async")
def main() -> None:
    """Measure expressions in media with Hume AI, directly or through LowCodeAPI."""


for command in (demo, predict, status):
    main.add_command(command)
