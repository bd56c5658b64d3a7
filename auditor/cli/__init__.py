"""The command line: parses, calls the layer that does the work, and turns what happened into an exit status.

Results go to standard output or into files, everything said to a person to standard error. Each command
lies in a module of its own that is imported when it is called, so that `auditor --version` costs little
more than Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from auditor import __version__
from auditor.errors import AuditorError

INTERRUPTED = 130
BROKEN_PIPE = 141
"""As shells say for SIGINT and SIGPIPE (128 + the signal): neither a verdict nor a mistake of the user's."""
DEFECT = 70
"""A defect of this program (sysexits' EX_SOFTWARE), apart from every status that tells of an estate."""


def main(
    arguments: Sequence[str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    working_directory: Path | None = None,
) -> int:
    """Run `auditor` with these arguments and answer its exit status; never raises for a mistake of the
    user's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:  # asked by scripts at each start: not worth importing a command line for
        print(f"auditor {__version__}")
        return 0
    import click

    from auditor.cli.app import cli
    from auditor.cli.call import Call
    from auditor.cli.problems import from_click, tell

    call = Call(
        environment=os.environ if environment is None else environment,
        working_directory=Path.cwd() if working_directory is None else working_directory,
    )
    try:
        # Not `cli.main`, which ends the process with status 1 when a pipe breaks: here 1 means findings.
        with cli.make_context("auditor", given, obj=call) as context:
            status = cli.invoke(context)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.exceptions.Exit as done:  # --help, --version
        sys.stdout.flush()
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as problem:
        print(problem.format_message(), file=sys.stderr)
        return 2
    except click.ClickException as problem:
        tell(from_click(problem), call)
        return 2
    except AuditorError as problem:
        tell(problem, call)
        return problem.exit_status
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads us has seen enough. Python would complain once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as defect:  # the top of the program: even a defect is told in a line
        from auditor.config import TRACEBACK

        if call.environment.get(TRACEBACK):
            raise
        print(f"error: defect in auditor: {type(defect).__name__}: {defect}", file=sys.stderr)
        print(f"  hint: {TRACEBACK}=1 shows where; please report it", file=sys.stderr)
        return DEFECT
