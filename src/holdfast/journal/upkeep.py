"""A thread beside an SQLite journal: fills it from its first stage, syncs its log, moves the log's
pages to the database, and sees that the files are still in their place.

None of them may happen on the loop's thread, where an unlucky fsync would hold up trading for
milliseconds, and one that the disk holds for as long as that lasts.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..model.errors import Fenced, JournalError
from .commit import ENDED_S_MAX, FLUSH_S_MAX, give_back_behind
from .delivery import Delivery
from .problems import BUSY_TIMEOUT_S, explain

SYNC_EVERY_S = 0.03
"""Facts committed without an fsync get one within this time and that of the fsync: 50 ms."""

SYNC_S_MAX = 15.0
"""How long who may not go on without a sync waits for it."""

CHECKPOINT_FACTS = 1_000
"""Facts after which the log's pages are moved to the database."""

CHECKPOINT_BYTES = 4 * 1024 * 1024
"""Bytes of snapshots after which they are moved too: of a quiet log they are the most."""

WAL_BYTES_LIMIT = 64 * 1024 * 1024
"""A log of this size is made to start over, even if that holds up the next commit."""

WAL_BYTES_MAX = 1024 * 1024 * 1024
"""A log of this size that a foreign reader holds for `HELD_S` more stops the journal."""

HELD_S = BUSY_TIMEOUT_S
"""How long at least a reader holds pages of such a log before it counts as one that stays."""

_sync_file: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class WatchedStore(Protocol):
    """Counts what it commits, and ends a log that upkeep finds too long."""

    commits: int
    inserted: int  # facts
    snapshot_bytes: int
    is_log_long: bool


class Upkeep:
    """Fills, syncs and checkpoints until closed. `fill` commits what waits to be committed."""

    def __init__(self, path: Path, store: WatchedStore, delivery: Delivery, *, syncs: bool) -> None:
        self.fill: Callable[[], None] = _nothing
        self._place = str(path)
        self._store = store
        self._delivery = delivery
        self._syncs = syncs
        self._synced = store.commits
        self._checkpointed = store.inserted, store.snapshot_bytes
        self._held: tuple[int, float] | None = None  # pages a reader was seen to hold, since when
        # The database file itself must not be opened here: closing it would drop SQLite's locks.
        self._log_path = f"{path.absolute()}-wal"  # the process may go to another folder
        self._log = os.open(self._log_path, os.O_RDWR)
        # Strings: they are looked for 30 times a second.
        self._files = {name: _inode(name) for name in (self._log_path, str(path.absolute()))}
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._page_size: int = self._connection.execute("PRAGMA page_size").fetchone()[0]
        self._asked = self._answered = 0  # syncs, in their order
        self._calls: deque[tuple[int, Callable[[], None]]] = deque()  # behind which of them
        self._rounds = 0
        self._is_syncing = self._is_stopping = self._has_ended = False
        self._answers = threading.Condition()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-upkeep", daemon=True)
        self._thread.start()

    def wait_synced(self) -> None:
        """Return when all that was committed so far, by stages too, survives a power cut.

        From any thread but upkeep's own, whose sync it waits for: no other wait for a disk ends.

        Raises:
            JournalError: the disk failed, or has held the sync for too long.
        """
        if not self._syncs:
            return
        with self._answers:
            wanted = self._ask()
            is_over = self._answers.wait_for(
                lambda: self._answered >= wanted or self._has_ended, SYNC_S_MAX
            )
            is_synced = self._answered >= wanted
        if not is_over:
            raise JournalError(
                f"journal {self._place}: the disk has held a sync for {SYNC_S_MAX:g} s: see to it, "
                "then start again"
            )
        if not is_synced:
            self._delivery.check()
            raise JournalError(f"journal {self._place}: its thread has ended")

    def when_synced(self, call: Callable[[], None]) -> None:
        """Have `call` made on the loop's thread once all that was committed so far is synced."""
        self._delivery.find_loop()
        with self._answers:
            self._calls.append((self._ask(), call))

    def sync_under_way(self) -> int:
        """Return the number of the sync that is waited for or under way; 0 for none."""
        is_under_way = self._is_syncing or self._asked > self._answered
        return self._rounds + 1 if is_under_way and not self._has_ended else 0

    def _ask(self) -> int:
        self._asked += 1
        self._wake.set()
        return self._asked

    def sync(self) -> None:
        """Sync every commit made so far. On upkeep's own thread.

        Raises:
            JournalError: the disk failed; what it holds now is unknown, so the journal ends.
        """
        commits = self._store.commits
        if not self._syncs or commits == self._synced:
            return
        try:
            _sync_file(self._log)
        except OSError as error:
            raise JournalError(
                f"journal {self._place}: the disk failed to sync: {error.strerror}"
            ) from error
        self._synced = commits

    @property
    def is_checkpoint_due(self) -> bool:
        """Tell whether so much was written since the last one, or that one has to be seen again."""
        facts, snapshot_bytes = self._checkpointed
        return (
            self._held is not None
            or self._store.inserted - facts >= CHECKPOINT_FACTS
            or self._store.snapshot_bytes - snapshot_bytes >= CHECKPOINT_BYTES
        )

    def checkpoint(self) -> None:
        """Move the log's pages to the database, as far as no reader needs them in the log.

        Raises:
            JournalError: a reader has kept a log that is far too long for too long.
        """
        store = self._store
        commits, written = store.commits, (store.inserted, store.snapshot_bytes)
        query = "PRAGMA wal_checkpoint(PASSIVE)"
        _, pages, moved = self._connection.execute(query).fetchone()
        if pages < 0:  # another one is moving them
            return
        self._checkpointed = written
        # Unless someone wrote meanwhile, or a reader still needs it, the log starts over by itself.
        is_moved = pages == moved and commits == store.commits
        if not is_moved and pages * self._page_size > WAL_BYTES_LIMIT:
            store.is_log_long = True
        self._judge(pages, moved)

    def _judge(self, pages: int, moved: int) -> None:
        """End the journal where a reader still holds what it held of a log that was too long."""
        now = time.monotonic()
        if moved == pages or pages * self._page_size <= WAL_BYTES_MAX:
            self._held = None
        elif self._held is None or moved >= self._held[0]:  # pages of then: that one has let go
            self._held = pages, now
        elif now - self._held[1] >= HELD_S:
            raise JournalError(
                f"journal {self._place}: its log has grown past {WAL_BYTES_MAX} bytes, since "
                "another program keeps a transaction open: close that program"
            )

    def check_place(self) -> None:
        """See that log and database are still in their place: a start would read what is there.

        Raises:
            Fenced: one was moved away or removed, and perhaps a backup put there.
        """
        if any(_inode(name) != ours for name, ours in self._files.items()):
            raise Fenced(
                f"journal {self._place}: its files were moved away or replaced: this process must "
                "stop; see that no -wal of before is beside a database that you put there"
            )

    def close(self) -> None:
        self._stop()
        self._thread.join()
        self._connection.close()
        os.close(self._log)

    def behind(self, give_back: Callable[[], None]) -> None:
        """End, and give back what the thread needs: now, or where the disk holds it, behind it."""
        self._stop()
        self._thread.join(FLUSH_S_MAX if self._delivery.failure is None else ENDED_S_MAX)
        give_back_behind(self._thread, give_back)

    def _stop(self) -> None:
        self._is_stopping = True
        self._wake.set()

    def _run(self) -> None:
        try:
            self._keep_up()
        finally:
            with self._answers:
                self._has_ended = True
                self._answers.notify_all()

    def _sync_round(self) -> None:
        """Commit and sync what there is, and answer who had asked for that before."""
        asked = self._asked
        self._is_syncing = True
        self.check_place()
        self.fill()
        self.sync()
        self._is_syncing = False
        self._rounds += 1
        if asked == self._answered:
            return
        ready = []
        with self._answers:
            self._answered = asked
            self._answers.notify_all()
            while self._calls and self._calls[0][0] <= asked:
                ready.append(self._calls.popleft()[1])
        self._delivery.put(ready)

    def _keep_up(self) -> None:
        while True:
            self._wake.wait(SYNC_EVERY_S)
            self._wake.clear()
            if self._is_stopping:
                return
            try:
                self._sync_round()
                if self.is_checkpoint_due:
                    self.checkpoint()
            except JournalError as error:
                self._delivery.fail(error)
                return
            except sqlite3.Error as error:
                self._delivery.fail(JournalError(str(explain(error, self._place))))
                return
            except Exception as error:  # noqa: BLE001 - a thread must not die unheard
                self._delivery.fail(
                    JournalError(f"journal {self._place}: its thread failed: {error!r}")
                )
                return


def _inode(name: str) -> int:
    """Return which file has a name; 0 where none has."""
    try:
        return os.stat(name).st_ino  # noqa: PTH116 - a string
    except OSError:
        return 0


def _nothing() -> None:
    """Nothing waits."""
