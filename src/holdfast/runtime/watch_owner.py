"""Whether anybody owns a journal, found out without ever holding its lock.

A watcher that took the lock, if only for an instant, could make a session's start fail. So the
kernel's list of locks is read, or the server's.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..journal.location import scheme_of, sqlite_path
from ..journal.owner import Owner, parse_owner
from ..journal.postgres import look_at_postgres
from ..model.errors import JournalError
from .control_file import is_alive

KERNEL_LOCKS = Path("/proc/locks")
OWNER_BYTES_MAX = 4096


def owner_of(where: str) -> Owner | None:
    """Return who owns a journal now; None where nobody does.

    Raises:
        JournalError: the lock can't be read, or the server can't be asked.
    """
    if scheme_of(where) == "sqlite":
        return _sqlite_owner(sqlite_path(where))
    return parse_owner(look_at_postgres(where).owner)


def _sqlite_owner(path: Path) -> Owner | None:
    lock = path.with_name(f"{path.name}.lock")
    try:
        found = lock.stat()
        owner = parse_owner(lock.read_bytes()[:OWNER_BYTES_MAX])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # closed to this user, for one
        raise JournalError(f"{lock}: {error.strerror}: it can't be told who owns it") from error
    if owner is None or not owner.is_beside:
        return owner  # of locks elsewhere this kernel tells nothing: whoever is named is believed
    try:
        is_locked = any(
            _is_of(line, found, owner) for line in KERNEL_LOCKS.read_text().splitlines()
        )
    except OSError:  # no Linux: the process that wrote its name there is asked after
        is_locked = is_alive(owner.pid)
    return owner if is_locked else None


def _is_of(line: str, found: os.stat_result, owner: Owner) -> bool:
    """Tell whether a line of the kernel's list is of this file.

    Some file systems show another device there than in `stat`: then the process must be the owner.
    """
    words = line.split()
    if "FLOCK" not in words:
        return False
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    is_named = str(owner.pid) in words and any(w.endswith(f":{found.st_ino}") for w in words)
    return device in words or is_named
