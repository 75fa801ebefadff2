"""What the exit codes of `holdfast` mean. They are stable: programs may rely on them.

     0  all went well
     1  an unexpected error: a bug of Holdfast or of the machine; of holdfast simulate that a run
        failed, or that nothing was tried
     2  wrong usage, bad input, bad configuration, or not possible in the session's state
     3  our own risk rules refused
     4  the venue refused or can't be reached, or an outcome or, at the end, its books are unknown;
        or a session ended before all it had asked for was answered
     5  the journal can't be used: locked, damaged, or its disk or server fails
     6  no session is running in that data folder
     7  the session ended in ERROR, or all its strategies had been taken off; or a replay did, or
        had one taken off, or every one of a sweep had
     8  the venue's books and ours differ: at the end of a session or replay, or as holdfast watch
        found, which says so too where nobody is at work
   130  interrupted: before the session ran, or a second time while it stopped

`holdfast --help` shows this list. `holdfast doctor` ends with 0 where no check failed, else with
the code of the first that did: 2 the settings, the key or whose records the folder holds, 4 the
venue, 5 the disk or the journal.
"""

from __future__ import annotations

import enum
import errno

from ..model import errors
from ..runtime.control_file import NoSessionRunning


class ExitCode(enum.IntEnum):
    """See the module's text for what each means."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    RISK_DENIED = 3
    VENUE = 4
    JOURNAL = 5
    NOT_RUNNING = 6
    SESSION_ERROR = 7
    ALARM = 8
    INTERRUPTED = 130


UNFINISHED = "it ended before all it asked for was answered: the next start carries the stop out"
"""What is said with `VENUE` of a session that ended while it was STOPPING."""

CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (NoSessionRunning, ExitCode.NOT_RUNNING),
    (errors.RiskDenied, ExitCode.RISK_DENIED),
    (errors.VenueError, ExitCode.VENUE),
    (errors.CircuitOpenError, ExitCode.VENUE),
    (errors.JournalError, ExitCode.JOURNAL),
    (errors.ConfigError, ExitCode.USAGE),
    (errors.InputError, ExitCode.USAGE),
    (errors.UnknownOrderError, ExitCode.USAGE),
    (errors.SessionStateError, ExitCode.USAGE),
)
"""The first kind that fits an error gives its code; anything else is `UNEXPECTED`."""

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""What the system says of a disk that takes no more."""

_SHARED = (errors.InsufficientBalanceError, errors.RateLimitError)


def is_of_the_disk(error: BaseException) -> bool:
    """Tell whether an error, or what caused it, is a disk that is full or fails."""
    causes = (error, error.__cause__)
    return any(isinstance(each, OSError) and each.errno in _DISK for each in causes)


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error."""
    if isinstance(error, _SHARED) and error.code is None:
        return ExitCode.RISK_DENIED  # our own rule said so, before the venue could
    if is_of_the_disk(error):
        return ExitCode.JOURNAL  # whichever file it was that met it first
    return next((code for kind, code in CODES if isinstance(error, kind)), ExitCode.UNEXPECTED)
