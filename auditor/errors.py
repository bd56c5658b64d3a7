"""The few ways in which a call of `auditor` ends without a result, one class an exit status.

A message says what is wrong, where, and (in `hint`) how to mend it; nobody needs a traceback for a mistake
of theirs.
"""

from collections.abc import Iterable


class AuditorError(Exception):
    """What went wrong, in one lower-case line without a full stop."""

    exit_status = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageProblem(AuditorError):
    """A flag, key, file or value that cannot be meant: exit status 2."""

    exit_status = 2


class ManyProblems(UsageProblem):
    """Every problem of a file, configuration or command line at once, so that nobody mends it ten times."""

    def __init__(self, problems: Iterable[AuditorError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.message for problem in self.problems))


class NothingRead(AuditorError):
    """Nothing could be read at all (no credentials, endpoint down, empty snapshot): exit status 4."""

    exit_status = 4
