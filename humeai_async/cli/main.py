"""The command line: a module a command.

It names the commands and what they need installed, and turns every way in which a command can
end into an exit code and one line, without a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

try:
    import click

    from humeai_async.cli.check import check
    from humeai_async.cli.demo import demo
    from humeai_async.cli.fake import fake
    from humeai_async.cli.live import decide, measure
    from humeai_async.cli.output import (
        ExitCode,
        OutputError,
        accept_any_text,
        exit_code_of,
        print_message,
        warnings_as_messages,
        writing_output,
    )
    from humeai_async.cli.predict import predict
    from humeai_async.cli.quota import quota
    from humeai_async.cli.report import report
    from humeai_async.cli.status import status
except ModuleNotFoundError as _problem:
    if _problem.name not in {"click", "rich"}:
        raise
    sys.exit("humeai-async needs the extra `cli`: pip install 'humeai_async[cli]'")
except KeyboardInterrupt:
    sys.exit(130)

from humeai_async.errors import HumeError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="humeai_async")
def commands() -> None:
    """Measure expressions in media with Hume AI, directly or through LowCodeAPI."""


for _command in (check, decide, demo, fake, measure, predict, quota, report, status):
    commands.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code.

    Args:
        arguments: Words of the command line; those of the process if left out.
    """
    accept_any_text()
    with warnings_as_messages():
        code = _run(arguments)
    sys.exit(int(code))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with writing_output():
            # Not standalone: click would end in exit code 1 where Ctrl-C is pressed.
            return commands.main(arguments, "humeai-async", standalone_mode=False) or ExitCode.OK
    except click.ClickException as problem:
        problem.show()
        return ExitCode.WRONG_USE
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except HumeError as problem:
        print_message(str(problem))
        return exit_code_of(problem)
    except OutputError as problem:
        print_message(str(problem))
        return ExitCode.LOCAL_PROBLEM
    return ExitCode.OK
