"""Examine what a session stands on here: its folder, the disk below, and the journal."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..journal import open_journal
from ..journal.location import scheme_of, sqlite_path
from ..journal.owner import parse_owner
from ..journal.sqlite import is_there
from ..model.config import TradingConfig
from ..model.errors import TradingError
from ..venues import Area, Finding, Health
from ..venues.findings import failed, ok, skipped, warned

FREE_LEAST = 100 * 1024 * 1024
FREE_GOOD = 2 * 1024 * 1024 * 1024
"""Bytes: below the first a session should not start, below the second somebody should look."""

FSYNC_SLOW_S = 0.1
OWNER_BYTES_MAX = 4096


def examine_machine(config: TradingConfig) -> Iterator[Finding]:
    """Yield what is found. A file is written and removed; nothing else is changed."""
    yield _space(config.data_dir)
    yield _writing(config.data_dir)
    yield _journal(config.database_url)
    yield _owner(config.database_url)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above that is there."""
    # Not Path.exists, which raises where a folder above is closed to this user.
    return next(p for p in (folder.absolute(), *folder.absolute().parents) if os.path.exists(p))  # noqa: PTH110


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    told = f"{free / 2**30:.1f} GB free below {folder}"
    way_out = "make room, or name another disk with --data-dir"
    if free < FREE_LEAST:
        return failed("disk", told, way_out, Area.JOURNAL)
    if free < FREE_GOOD:
        return warned("disk", told, way_out, Area.JOURNAL)
    return _local(ok("disk", told))


def _writing(folder: Path) -> Finding:
    """Write, sync and remove a file, as the journal does with its own."""
    where = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=where) as file:
            file.write(b"holdfast")
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took_s = time.perf_counter() - began
    except OSError as error:
        told = f"{where} can't be written to: {error.strerror}"
        return failed("fsync", told, "give it to this user, or name another", Area.JOURNAL)
    told = f"{where} takes a write to the disk in {took_s * 1000:.1f} ms"
    if took_s > FSYNC_SLOW_S:
        return warned("fsync", told, "a slow disk makes durability = power slow", Area.JOURNAL)
    return _local(ok("fsync", told))


def _journal(where: str) -> Finding:
    """Open the journal beside its owner and see that its last fact can be read."""
    try:
        if not is_made(where):
            return _local(skipped("journal", "not there yet: the first session makes it"))
        journal = open_journal(where, read_only=True)
        try:
            told = f"{journal.sequence:,} facts, epoch {journal.epoch}"
        finally:
            journal.close()
    except TradingError as error:
        way_out = "see database_url; holdfast journal verify tells where it is damaged"
        return failed("journal", str(error), way_out, Area.JOURNAL)
    return _local(ok("journal", told))


def is_made(where: str) -> bool:
    """Tell whether there is a journal yet.

    Raises:
        TradingError: its server does not say.
    """
    scheme = scheme_of(where)
    if scheme.startswith("postgres"):
        from ..journal.postgres import look_at_postgres  # noqa: PLC0415 - loads SQLAlchemy

        return look_at_postgres(where).is_made
    return scheme != "sqlite" or is_there(sqlite_path(where))


def _owner(where: str) -> Finding:
    """Tell who owns the journal. To ask, its lock is shared for an instant, and never taken."""
    scheme = scheme_of(where)
    if scheme.startswith("postgres"):
        return _server_owner(where)
    if scheme != "sqlite":
        return _local(skipped("owner", f"{scheme} has no lock"))
    path = sqlite_path(where)
    lock = path.with_name(f"{path.name}.lock")
    try:
        fd = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return _local(ok("owner", "nobody has it"))
    except OSError as error:
        told = f"{lock} can't be read: {error.strerror}"
        return failed("owner", told, "give it to this user", Area.JOURNAL)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owned(os.pread(fd, OWNER_BYTES_MAX, 0), "a second session needs another --data-dir")
    finally:
        os.close(fd)
    return _local(ok("owner", "nobody has it"))


def _server_owner(where: str) -> Finding:
    from ..journal.postgres import look_at_postgres  # noqa: PLC0415 - loads SQLAlchemy

    try:
        held_by = look_at_postgres(where).owner
    except TradingError as error:
        return failed("owner", str(error), "see database_url", Area.JOURNAL)
    if not held_by:
        return _local(ok("owner", "nobody has it"))
    way_out = "a second session needs another ?journal=NAME in database_url, and another --data-dir"
    return _owned(held_by, way_out)


def _owned(text: str | bytes, way_out: str) -> Finding:
    told = f"{parse_owner(text) or 'another process'} trades with it"
    return warned("owner", told, way_out, Area.JOURNAL)


def _local(finding: Finding) -> Finding:
    return Finding(check=finding.check, health=finding.health, told=finding.told, area=Area.JOURNAL)


__all__ = ["Area", "Finding", "Health", "examine_machine", "is_made"]
