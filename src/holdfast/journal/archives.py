"""Old facts, compressed, outside of the table of facts, and read as if they had never left it.

An archive is gzip: a JSON array a line with what the row said, its hash too. So the chain of hashes
runs on from archive to archive into the table. Which archives there are is on record in the table
`archives`; one that is not is never read. Beside SQLite they are files, such as
`holdfast.db.archive-000000000001-000000050000.gz` for facts 1 to 50,000; on a server they are rows
of a table, so that whoever takes the journal over has them.
"""

from __future__ import annotations

import glob
import gzip
import os
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import msgspec

from ..model.errors import JournalCorrupt, JournalError
from ..owner_only import open_file
from .codec import StoredRow, fault

LEVEL = 6
"""How hard gzip tries."""

ROOM_BYTES = 100_000_000
"""With less room beside the journal no archive is begun: the session needs what there is."""


class Archive(NamedTuple):
    """One archive of old facts. `head` is the hash of the last."""

    first: int
    last: int
    file: str
    head: bytes


class Shelf(Protocol):
    """Where archives are."""

    def name(self, first: int, last: int) -> str:
        """Return what an archive of these facts is called."""

    def place(self, archive: Archive) -> str:
        """Return where an archive is, for people."""

    def new(self, name: str, first: int) -> AbstractContextManager[IO[bytes]]:
        """Open a new body to write; it is there, durably, once it was closed without an error.

        One that is there, as a run that was cut short leaves it, is not on record: it gives way.

        Raises:
            JournalError: there is no room; nothing is lost.
        """

    def open(self, archive: Archive) -> IO[bytes]:
        """Open a body to read.

        Raises:
            JournalCorrupt: it is not there.
        """


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


def write(shelf: Shelf, first: int, last: int, rows: Iterable[StoredRow]) -> Archive:
    """Write rows to a new archive, durably.

    Raises:
        JournalError: there is no room; the facts are where they were.
    """
    name, head = shelf.name(first, last), b""
    with (
        shelf.new(name, first) as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=LEVEL, mtime=0) as file,
    ):
        for row in rows:
            file.write(_line(row))
            head = row[6]
    return Archive(first, last, name, head)


def _line(row: StoredRow) -> bytes:
    *numbers, kind, payload, found = row
    texts = (kind.decode(), payload.decode(), found.hex())
    return msgspec.json.encode((*numbers, *texts)) + b"\n"


def read(shelf: Shelf, archive: Archive, after: int = 0) -> Iterator[StoredRow]:
    """Yield the rows of an archive in order from the one behind `after`, unchecked but complete.

    Raises:
        JournalCorrupt: it is not there, is damaged or ends too soon.
        JournalError: it can't be read, which says nothing of how whole it is.
    """
    place, sequence = shelf.place(archive), archive.first - 1
    try:
        with shelf.open(archive) as raw, gzip.open(raw, "rb") as file:
            for text in file:
                line = _decode(text)
                sequence = line.sequence
                if sequence > after:
                    yield _row(line)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:  # gzip's own have none
            raise JournalError(f"journal archive {place}: {error.strerror}") from error
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


def check(shelf: Shelf, archive: Archive, previous: bytes) -> None:
    """Read an archive back, its chain from the hash `previous` to its own head.

    Raises:
        JournalCorrupt: it does not read as it was written.
    """
    sequence, head = archive.first - 1, previous
    for row in read(shelf, archive):
        sequence += 1
        if problem := fault(row, sequence, head):
            raise JournalCorrupt(f"journal archive {shelf.place(archive)}: {problem}")
        head = row[6]
    if head != archive.head:
        raise JournalCorrupt(f"journal archive {shelf.place(archive)} has another end")


class Folder:
    """Files beside an SQLite database."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def name(self, first: int, last: int) -> str:
        return f"{self._database.name}.archive-{first:012}-{last:012}.gz"

    def place(self, archive: Archive) -> str:
        return str(self._database.with_name(archive.file))

    @contextmanager
    def new(self, name: str, first: int) -> Iterator[IO[bytes]]:
        del first
        place = self._database.with_name(name)
        part = place.with_name(f"{name}.part")
        try:
            self._make_room()
            fd = open_file(part, os.O_WRONLY | os.O_TRUNC, beside=self._database)
            with os.fdopen(fd, "wb") as raw:
                yield raw
                raw.flush()
                os.fsync(raw.fileno())
            if place.exists():
                place.rename(place.with_name(f"{name}.cut-{time.time_ns()}"))
            part.rename(place)
            sync_directory(place.parent)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise JournalError(
                f"journal {self._database}: the archive {name} can't be written: "
                f"{error.strerror}; nothing was moved"
            ) from error

    def _make_room(self) -> None:
        """Remove what archivers that were killed have left: there is one at a time."""
        folder = self._database.parent
        for left in folder.glob(f"{glob.escape(self._database.name)}.archive-*.gz.part"):
            left.unlink(missing_ok=True)
        if (free := shutil.disk_usage(folder).free) < ROOM_BYTES:
            raise JournalError(
                f"journal {self._database}: {free // 1_000_000} MB are free beside it, an archive "
                f"is begun with {ROOM_BYTES // 1_000_000} MB: free some space"
            )

    def open(self, archive: Archive) -> IO[bytes]:
        try:
            return self._database.with_name(archive.file).open("rb")
        except FileNotFoundError as error:
            raise JournalCorrupt(
                f"journal archive {self.place(archive)} is missing: put it back beside the database"
            ) from error


def sync_directory(directory: Path) -> None:
    """Return when the names in a directory survive a power cut."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
