"""Who owns a journal, and the lock file beside SQLite that lets one process own it."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..model.errors import ConfigError, JournalError, JournalLocked
from ..model.values import NS_PER_S
from ..owner_only import open_file
from .forked import keep_from_children

PID_NAMESPACE = Path("/proc/self/ns/pid")

GLANCES = 20
GLANCE_S = 0.01
"""Who only asks for the owner (`holdfast doctor`) shares the lock for less than that."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A process that writes a journal; `started` is ns UTC.

    `pids` tells among which processes its id is meant, as a container has its own; 0 is not known.
    """

    pid: int
    host: str
    started: int
    session: str | None = None
    pids: int = 0

    @classmethod
    def here(cls, session: str | None = None) -> Owner:
        """Return this process."""
        return cls(
            pid=os.getpid(),
            host=socket.gethostname(),
            started=time.time_ns(),
            session=session,
            pids=_pid_namespace(),
        )

    @property
    def is_beside(self) -> bool:
        """Tell whether it is, or was, where the kernel tells this process of its locks."""
        is_same = self.pids in (0, _pid_namespace())
        return is_same and self.host == socket.gethostname()

    @property
    def is_here(self) -> bool:
        """Tell whether it is this process."""
        return self.is_beside and self.pid == os.getpid()

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.started // NS_PER_S, UTC).isoformat()
        session = f", session {self.session}" if self.session else ""
        return f"process {self.pid} on {self.host} (since {since}{session})"


def _pid_namespace() -> int:
    try:
        return PID_NAMESPACE.stat().st_ino
    except OSError:  # no Linux
        return 0


def parse_owner(text: str | bytes) -> Owner | None:
    """Return the owner that a lock or an epoch names; None when the text names none."""
    try:
        return msgspec.json.decode(text, type=Owner)
    except msgspec.MsgspecError:
        return None


def locked_by(place: str, text: str | bytes) -> JournalLocked:
    owner = parse_owner(text)
    return JournalLocked(
        f"journal {place} is owned by {owner or 'another process'}: "
        "stop that one first, or open the journal for reading"
    )


class FileLock:
    """The right to write one SQLite journal. The kernel takes it back when the process dies.

    Raises:
        JournalLocked: another process has it.
        ConfigError: the file can't be made.
        JournalError: it can't be locked, or written.
    """

    def __init__(self, path: Path, owner: Owner) -> None:
        try:
            self._fd = open_file(path, os.O_RDWR)
        except OSError as error:
            raise ConfigError(
                f"can't make the lock file {path}: {error.strerror}; "
                "the journal needs a directory that it may write to"
            ) from error
        try:
            self._take(path, msgspec.json.encode(owner))
        except BaseException:
            os.close(self._fd)
            raise
        keep_from_children(self, FileLock.release)

    def _take(self, path: Path, text: bytes) -> None:
        try:
            if not self._is_free():
                raise locked_by(str(path.with_suffix("")), os.pread(self._fd, 4096, 0))
        except OSError as error:
            raise JournalError(
                f"{path} can't be locked: {error.strerror}; "
                "the journal needs a file system with locks"
            ) from error
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text, 0)
        except OSError as error:
            raise JournalError(f"can't write the lock file {path}: {error.strerror}") from error

    def _is_free(self) -> bool:
        """Take the lock, unless somebody has it for longer than a glance."""
        for _ in range(GLANCES):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(GLANCE_S)
            else:
                return True
        return False

    def release(self) -> None:
        """Give the right back. The file stays: to remove it would race with the next owner."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
