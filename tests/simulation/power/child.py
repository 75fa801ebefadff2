"""Keep a journal for one life, and say in a file what has been promised so far.

Marks: `e N` epoch N is in use; `s N` whoever waited was told that fact N survives a power cut, or
the thread that syncs has done so.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path

from holdfast.journal import claim, upkeep
from holdfast.journal.sqlite import SqliteStore, open_sqlite
from holdfast.model import events as ev
from holdfast.model.values import StrategyId

upkeep.CHECKPOINT_FACTS = 12  # so that pages move while it writes


def sync_nothing(*_):
    """Take the syncs out: the log's own, and SQLite's."""
    upkeep._sync_file = lambda _: None
    original = SqliteStore.pragma
    SqliteStore.pragma = lambda self, text: original(  # type: ignore[method-assign]
        self, "synchronous = OFF" if text.startswith("synchronous") else text
    )


def sync_no_epoch():
    """Give an epoch out without a word to the disk."""
    original = SqliteStore.pragma

    def pragma(self, text):
        return (0, 0, 0) if text == "wal_checkpoint(TRUNCATE)" else original(self, text)

    def next_epoch(*arguments, honest=claim.next_epoch):
        original(arguments[1], "synchronous = OFF")
        return honest(*arguments)

    SqliteStore.pragma = pragma  # type: ignore[method-assign]
    claim.next_epoch = next_epoch


def tell_syncs(journal, mark):
    """Say what the thread has made safe, each time."""
    committer, honest = vars(journal)["_committer"], upkeep.Upkeep.sync

    def sync(self):
        moved = committer._moved
        honest(self)
        mark(f"s {moved}")

    upkeep.Upkeep.sync = sync  # type: ignore[method-assign]


KILLED_EPOCH = 2
"""A life that ends without a word."""

BREAKS = {"": lambda: None, "no_sync": sync_nothing, "no_epoch_sync": sync_no_epoch}


def fact(number):
    return ev.StrategyStarted(
        ts=number, strategy_id=StrategyId("s"), description="x" * (number % 700)
    )


def main(path: Path, durability: str, wrong: str) -> None:
    BREAKS[wrong]()
    marks = os.open(path.with_name("marks"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def mark(text):
        os.write(marks, text.encode() + b"\n")

    journal = open_sqlite(path, syncs_commits=durability == "power")
    if durability == "process":
        tell_syncs(journal, mark)
    number = journal.sequence
    mark(f"e {journal.epoch}")
    for size in (1, 1, 3, 1, 7, 2, 1, 1, 1, 4, 1, 1, 1, 1, 2, 1, 1, 9, 1, 1):
        journal.append([fact(number + i + 1) for i in range(size)])
        number += size
        if durability == "power":
            journal.sync()
            mark(f"s {number}")
        else:
            time.sleep(0.004)
    if durability == "process":
        journal.sync()
        mark(f"s {number}")
    journal.save_snapshot(number - 2, b"state" * 100)
    if journal.epoch != KILLED_EPOCH:
        reader = sqlite3.connect(path)  # so that the end of the writer is not the database's
        reader.execute("SELECT count(*) FROM facts").fetchone()
        journal.append([fact(number + 1)])
        journal.close()
        mark(f"s {number + 1}")
    os._exit(0)


main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
