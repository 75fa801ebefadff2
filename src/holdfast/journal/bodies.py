"""Archives in a table of the server that has the journal: whoever takes it over has them too."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from sqlalchemy import Engine, delete, insert, select

from ..model.errors import JournalCorrupt
from .archives import Archive
from .problems import explained
from .schema import bodies

PIECE_BYTES = 1024 * 1024
"""How much of a body one row holds; a last one may hold less."""


class ServerShelf:
    """Archives by their first fact, each in as many rows as it needs."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self._place = place

    def name(self, first: int, last: int) -> str:
        return f"archive-{first:012}-{last:012}"

    def place(self, archive: Archive) -> str:
        return f"{archive.file} of {self._place}"

    @contextmanager
    def new(self, name: str, first: int) -> Iterator[IO[bytes]]:
        del name
        with explained(self._place):
            with self._engine.connect() as sql:
                sql.execute(delete(bodies).where(bodies.c.first == first))
            with _Pieces(self._engine, first) as file:
                yield file

    def open(self, archive: Archive) -> IO[bytes]:
        file = _Body(self._engine, self._place, archive.first)
        if not file.has_more():
            raise JournalCorrupt(
                f"journal archive {self.place(archive)} is missing: restore a backup"
            )
        return io.BufferedReader(file)


class _Pieces(io.BytesIO):
    """Takes bytes in and keeps them piece by piece."""

    def __init__(self, engine: Engine, first: int) -> None:
        super().__init__()
        self._engine = engine
        self._first = first
        self._count = 0

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]  # gzip gives bytes
        written = super().write(data)
        if self.tell() >= PIECE_BYTES:
            self._keep()
        return written

    def close(self) -> None:
        if not self.closed and self.tell():
            self._keep()
        super().close()

    def _keep(self) -> None:
        row = {"first": self._first, "piece": self._count, "body": self.getvalue()}
        with self._engine.connect() as sql:
            sql.execute(insert(bodies), row)
        self._count += 1
        self.seek(0)
        self.truncate()


class _Body(io.RawIOBase):
    """Reads the pieces one after the other."""

    def __init__(self, engine: Engine, place: str, first: int) -> None:
        self._engine = engine
        self._place = place
        self._first = first
        self._count = 0
        self._rest = memoryview(b"")

    def has_more(self) -> bool:
        """Tell whether there is anything left, and fetch it."""
        if not self._rest:
            b = bodies.c
            query = select(b.body).where(b.first == self._first, b.piece == self._count)
            with explained(self._place), self._engine.connect() as sql:
                found = sql.scalar(query)
            self._rest = memoryview(bytes(found or b""))
            self._count += 1
        return bool(self._rest)

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self.has_more():
            return 0
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
