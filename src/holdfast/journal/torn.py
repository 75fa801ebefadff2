"""Find facts at the end of a journal that were torn, and set them aside.

Only the end may be torn: a machine that loses power loses what it wrote last. A bad fact with a
good one behind it was altered, and that stops the journal.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..model.errors import JournalCorrupt
from ..owner_only import make_file
from .codec import StoredRow, fault
from .problems import WAY_OUT
from .reading import Tables

TAIL_FACTS = 100
"""Facts at the end that are looked at when a journal is opened."""


def torn_facts(tables: Tables) -> list[StoredRow]:
    """Return the torn facts at the end, oldest first.

    Raises:
        JournalCorrupt: a fact is missing, a bad one has a good one behind it, or too many are bad.
    """
    rows = tables.newest_rows(TAIL_FACTS + 1)
    if len(rows) > TAIL_FACTS:
        sequence, *_, previous = rows.pop(0)
    else:
        sequence = tables.archived()  # archived ones may be on their way out of the table
        rows = [row for row in rows if row[0] > sequence]
        previous = tables.hash_at(sequence)
    torn: list[StoredRow] = []
    problem = ""
    for row in rows:
        found = fault(row, sequence + 1, previous)
        is_missing = row[0] != sequence + 1
        if is_missing or (torn and not found):
            raise _corrupt(tables, problem or found)
        if found:
            problem = problem or found
            torn.append(row)
        sequence, previous = row[0], row[6]
    if len(torn) == TAIL_FACTS:
        raise _corrupt(tables, f"{problem}, and so on to the end")
    return torn


def _corrupt(tables: Tables, problem: str) -> JournalCorrupt:
    return JournalCorrupt(f"journal {tables.place}: {problem}; {WAY_OUT}")


def set_aside(path: Path, rows: Sequence[StoredRow]) -> None:
    """Write rows to a new file, durably: a JSON array a line, bytes as base64."""
    make_file(path)
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(tuple(row)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
