"""Old facts in compressed files beside an SQLite journal, read as if they had never left it.

`holdfast.db.archive-000000000001-000000050000.gz` holds facts 1 to 50,000: a JSON array a line with
what the row said, its hash too. So the chain of hashes runs on from file to file into the table.
Which files there are is on record in the table `archives`; a file that is not is never read.
"""

from __future__ import annotations

import gzip
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..model.errors import JournalCorrupt, JournalError
from .codec import StoredRow, fault

LEVEL = 6
"""How hard gzip tries."""


class Archive(NamedTuple):
    """One file of old facts. `head` is the hash of the last."""

    first: int
    last: int
    file: str
    head: bytes


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """A fact's row."""

    sequence: int
    epoch: int
    ts: int
    version: int
    kind: str
    payload: str
    hash: str  # hexadecimal


_decode = msgspec.json.Decoder(_Line).decode


def write(path: Path, first: int, last: int, rows: Iterable[StoredRow]) -> Archive:
    """Write rows to a new file beside the database `path`, durably.

    A file of that name that is on no record, as a run that was cut short leaves it, is set aside.

    Raises:
        JournalError: the disk is full or failed; the database is as it was.
    """
    place = path.with_name(f"{path.name}.archive-{first:012}-{last:012}.gz")
    part = place.with_name(f"{place.name}.part")
    head = b""
    try:
        with part.open("wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=LEVEL, mtime=0) as file:
                for row in rows:
                    file.write(_line(row))
                    head = row[6]
            raw.flush()
            os.fsync(raw.fileno())
        if place.exists():
            place.rename(place.with_name(f"{place.name}.cut-{time.time_ns()}"))
        part.rename(place)
        sync_directory(path.parent)
    except OSError as error:
        raise JournalError(
            f"journal {path}: the archive {place.name} can't be written: {error.strerror}; "
            "nothing was moved"
        ) from error
    return Archive(first, last, place.name, head)


def _line(row: StoredRow) -> bytes:
    *numbers, kind, payload, found = row
    texts = (kind.decode(), payload.decode(), found.hex())
    return msgspec.json.encode((*numbers, *texts)) + b"\n"


def read(directory: Path, archive: Archive, after: int = 0) -> Iterator[StoredRow]:
    """Yield the rows of an archive in order from the one behind `after`, unchecked but complete.

    Raises:
        JournalCorrupt: the file is not there, is damaged or ends too soon.
    """
    place = directory / archive.file
    sequence = archive.first - 1
    try:
        with gzip.open(place, "rb") as file:
            for text in file:
                line = _decode(text)
                sequence = line.sequence
                if sequence > after:
                    yield _row(line)
    except FileNotFoundError as error:
        raise JournalCorrupt(
            f"journal archive {place} is missing: put it back beside the database"
        ) from error
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise JournalCorrupt(
            f"journal archive {place} is damaged behind fact {sequence}: {error}; restore a backup"
        ) from error
    if sequence != archive.last:
        raise JournalCorrupt(
            f"journal archive {place} ends at fact {sequence}, not at {archive.last}: "
            "restore a backup"
        )


def _row(line: _Line) -> StoredRow:
    numbers = (line.sequence, line.epoch, line.ts, line.version)
    return (*numbers, line.kind.encode(), line.payload.encode(), bytes.fromhex(line.hash))


def check(directory: Path, archive: Archive, previous: bytes) -> None:
    """Read an archive back, its chain from the hash `previous` to its own head.

    Raises:
        JournalCorrupt: it does not read as it was written.
    """
    sequence, head = archive.first - 1, previous
    for row in read(directory, archive):
        sequence += 1
        if problem := fault(row, sequence, head):
            raise JournalCorrupt(f"journal archive {directory / archive.file}: {problem}")
        head = row[6]
    if head != archive.head:
        raise JournalCorrupt(f"journal archive {directory / archive.file} has another end")


def sync_directory(directory: Path) -> None:
    """Return when the names in a directory survive a power cut."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
