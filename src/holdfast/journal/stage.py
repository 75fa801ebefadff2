"""The first stage of an SQLite journal: facts in plain files, until the database has them too.

To commit in the database costs several times what it costs to write to a file, and an order waits
for it. So rows are written here in one piece, at once, and moved to the database in groups.

Rule 1: what was written here survives kill -9, whether the database has it yet or not.
Rule 2: who takes a journal over renames these files before reading them, and a writer looks for
        its file's name, which no other owner's has, after each write. So a former owner's rows are
        either read by the new one, or refused to the former. Whoever goes on to a next file
        looks for the name of the one before, too: nobody may look for a further one any more.
Rule 3: rows count by the chain of hashes alone. What does not follow the database's last fact is
        what it has already, or was never whole.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ..model.errors import Fenced, JournalError
from ..owner_only import open_file
from .codec import Row, StoredRow, fault

FILES_OF_EPOCH = 1_000_000
"""Files are numbered from the epoch times this on."""

STAGE_BYTES = 1024 * 1024
"""A file of this size is followed by the next; it goes once the database has all of it."""

LOOKS_MAX = 10
"""How often files are looked for: a former owner that is not dead may make one more meanwhile."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where no more may be written."""

_LENGTH = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Row]).decode


class Stage:
    """Where an owner writes rows first.

    Args:
        path: the database's.
        epoch: the owner's.
        fenced: returns the error for one who has lost the journal.
    """

    def __init__(self, path: Path, epoch: int, fenced: Callable[[], Fenced]) -> None:
        self._database = path
        self._fenced = fenced
        self._full: list[tuple[int, Path]] = []  # files that are full, by their last sequence
        self._last = 0
        before = max((_number(each) for each in stage_files(path)), default=0)
        self._begin(max(before, epoch * FILES_OF_EPOCH) + 1)

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, all or none.

        Raises:
            JournalError: the disk is full or fails.
            Fenced: another process has taken the journal over.
        """
        body = _encode(rows)
        frame = len(body).to_bytes(_LENGTH.size, "big") + body
        if self._size and self._size + len(frame) > STAGE_BYTES:
            self._follow_on()
        try:
            written = os.write(self._fd, frame)
        except OSError as error:
            raise self._unwritten(error, self._file[0]) from error
        if written != len(frame):
            raise self._unwritten(OSError(errno.ENOSPC, "not all was written"), self._file[0])
        self._size += written
        self._last = rows[-1][0]
        if not os.access(self._name, os.F_OK) and not self._is_ours():  # the first is the cheaper
            raise self._fenced()

    def check(self) -> None:
        """See that the file is still the one that the next owner will read. From any thread.

        Raises:
            Fenced: another one, a copy perhaps, has its name.
        """
        if not self._is_ours():
            raise self._fenced()

    def drop(self, sequence: int) -> None:
        """Remove full files whose rows the database has up to `sequence`. From any thread.

        Who has lost the journal removes nothing.

        Raises:
            JournalError: the disk fails, or is so full that it does not even do this.
        """
        while self._full and self._full[0][0] <= sequence and self._is_ours():
            self._remove(self._full.pop(0)[1])

    def close(self, *, is_moved: bool) -> None:
        """Let go of the files; remove them where the database has all."""
        try:
            if is_moved and self._is_ours():
                self.drop(self._last)
                self._remove(self._file[0])
        finally:
            os.close(self._fd)

    def _follow_on(self) -> None:
        last, former, fd = self._last, self._file, self._fd
        self._begin(_number(former[0]) + 1)  # where it can't, the old one stays ours to close
        os.close(fd)
        if not _is_at(*former):
            self._file[0].unlink(missing_ok=True)
            raise self._fenced()
        self._full.append((last, former[0]))

    def _begin(self, number: int) -> None:
        path = self._database.with_name(f"{self._database.name}.stage-{number}")
        flags = os.O_WRONLY | os.O_EXCL | os.O_APPEND
        try:
            self._fd = open_file(path, flags, beside=self._database)
        except OSError as error:
            raise self._unwritten(error, path) from error
        self._file = path, os.fstat(self._fd).st_ino
        self._name = str(path)
        self._size = 0

    def _remove(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritten(error, file) from error

    def _is_ours(self) -> bool:
        return _is_at(*self._file)

    def _unwritten(self, error: OSError, path: Path) -> JournalError:
        what = "the disk failed to write: check it, then start again"
        if error.errno in FULL:
            what = "the disk is full: free some space, then start again"
        return JournalError(f"journal {self._database}: {what} ({path.name}: {error.strerror})")


def _is_at(path: Path, inode: int) -> bool:
    """Tell whether a file has its name still, as far as that can be seen."""
    try:
        return path.stat().st_ino == inode
    except OSError:
        return False


class Staged:
    """What a former owner has left in files: rows that follow a fact, and which files are torn.

    What was appended together counts together or not at all.
    """

    def __init__(self, path: Path, sequence: int, head: bytes) -> None:
        for _ in range(LOOKS_MAX):
            self.rows: list[Row] = []
            self._sequence, self._head = sequence, head
            files = stage_files(path)
            self.torn = [file for file in files if not self._read(file)]
            if stage_files(path) == files:
                return  # or one may have been missed, as an owner to come has renamed it meanwhile

    def _read(self, file: Path) -> bool:
        """Take what follows from a file; tell whether all of it was whole and followed."""
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return True  # its rows have been moved meanwhile, or it has another name
        at = 0
        while at < len(content):
            begin = at + _LENGTH.size
            if begin > len(content):
                return False
            at = begin + _LENGTH.unpack_from(content, begin - _LENGTH.size)[0]
            rows = _rows(content[begin:at]) if at <= len(content) else []
            if not rows or not self._take([row for row in rows if row[0] > self._sequence]):
                return False
        return True

    def _take(self, rows: list[Row]) -> bool:
        sequence, head = self._sequence, self._head
        for row in rows:
            if fault(as_stored(row), sequence + 1, head):
                return False
            sequence, head = row[0], row[6]
        self.rows += rows
        self._sequence, self._head = sequence, head
        return True


def _rows(body: bytes) -> list[Row]:
    """Return the rows of one append; none where they are not whole."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def take_over(path: Path) -> list[Path]:
    """Rename what a former owner wrote, so that it can't write on; return what is to be read.

    Raises:
        JournalError: it writes on, from file to file.
    """
    for _ in range(LOOKS_MAX):
        files = stage_files(path)
        left = [each for each in files if not each.name.endswith(TAKEN)]
        if not left:
            return files
        for file in left:
            with suppress(FileNotFoundError):  # its rows have been moved meanwhile
                file.rename(file.with_name(f"{file.name}{TAKEN}"))
    raise JournalError(f"journal {path}: another process keeps making files of it: stop that one")


TAKEN = ".taken"


def stage_files(path: Path) -> list[Path]:
    """Return the files of a database's first stage, oldest first."""
    mark = f"{path.name}.stage-"
    found = [each for each in path.parent.iterdir() if each.name.startswith(mark)]
    return sorted((each for each in found if _number(each)), key=_number)


def _number(file: Path) -> int:
    """Return the number of a stage's file; 0 where the name is another's."""
    number = file.name.removesuffix(TAKEN).rpartition(".stage-")[2]
    return int(number) if number.isdecimal() else 0


def as_stored(row: Row) -> StoredRow:
    """Return a row as the database would give it back."""
    return (*row[:4], row[4].encode(), row[5].encode(), row[6])
