"""Facts as rows, and the chain of hashes that runs through them.

A row's hash is taken over its predecessor's hash and everything the row says, so that no row can
be altered, dropped or inserted without the chain showing where.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from ..model.errors import JournalCorrupt, JournalError
from ..model.events import Event
from . import upcast

Row = tuple[int, int, int, int, str, str, bytes]
"""What is written: sequence, epoch, ts, version, kind, payload, hash."""

StoredRow = tuple[int, int, int, int, bytes, bytes, bytes]
"""What is read: the same with the texts as bytes, since damage need not be UTF-8."""

GENESIS = bytes(32)
"""The predecessor's hash of the first fact."""

_EMPTY = sha256()
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def link(previous: bytes, columns: tuple[int, int, int, int, bytes, bytes]) -> bytes:
    """Return the hash of a row of `columns` behind the row with hash `previous`."""
    digest = _EMPTY.copy()  # half the cost of a new one, which OpenSSL looks up by its name
    digest.update(b"%b%d|%d|%d|%d|%b|%b" % (previous, *columns))
    return digest.digest()


def payload_of(fact: Event) -> bytes:
    return _encode(fact)


class Chain:
    """The end of the record: the last fact's sequence and hash, and the epoch that writes."""

    def __init__(self, sequence: int, head: bytes, epoch: int) -> None:
        self.sequence = sequence
        self.head = head
        self.epoch = epoch

    def rows(self, facts: Iterable[Event]) -> list[Row]:
        """Return the rows that would follow; `advance` takes them on."""
        sequence, head, epoch, version = self.sequence, self.head, self.epoch, upcast.VERSION
        rows: list[Row] = []
        for fact in facts:
            sequence += 1
            kind = type(fact).__name__
            try:
                payload = _encode(fact)
            except (TypeError, ValueError, OverflowError) as error:
                raise JournalError(f"{kind} can't be written as JSON: {error}") from error
            head = link(head, (sequence, epoch, fact.ts, version, kind.encode(), payload))
            rows.append((sequence, epoch, fact.ts, version, kind, payload.decode(), head))
        return rows

    def advance(self, rows: Sequence[Row]) -> None:
        if rows:
            self.sequence, self.head = rows[-1][0], rows[-1][6]


def fault(row: StoredRow, sequence: int, previous: bytes) -> str:
    """Say why a row is not the untouched one that belongs at `sequence`; "" when it is."""
    if row[0] != sequence:
        return f"fact {sequence} is missing, the next one is {row[0]}"
    try:
        found = link(previous, row[:6])
    except TypeError:
        return f"fact {sequence} is unreadable: a column has the wrong type"
    if found != row[6]:
        return f"fact {sequence} was altered: its hash does not match"
    return ""


def decode(row: StoredRow) -> Event:
    """Return the fact of a row whose chain has been checked.

    Raises:
        JournalCorrupt: it is no fact that this version knows.
    """
    sequence, _, _, version, kind, payload, _ = row
    try:
        if version != upcast.VERSION:
            payload = upcast.upcast(payload, version)
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, KeyError, ValueError, TypeError) as error:
        raise JournalCorrupt(
            f"fact {sequence} ({kind.decode(errors='replace')}, version {version}) can't be read: "
            f"{error}; was it written by another version of Holdfast?"
        ) from error
