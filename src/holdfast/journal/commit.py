"""Three ways to commit: in place, by stages, or many appends at a time on a thread of their own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from ..model.errors import Fenced, JournalError
from .codec import Chain, Row
from .delivery import Delivery
from .stage import Stage

QUEUE_FACTS_MAX = 100_000
"""Facts that may wait for the database. With more, a journal that commits by stages waits for it;
one whose commits are grouped, where nothing is safe before, gives up."""

GROUP_FACTS_MAX = 2_000
"""Facts after which a commit takes no further append along."""

FLUSH_S_MAX = 30.0
"""How long `flush` waits for what was appended, or for another thread to let go of the store."""

ENDED_S_MAX = 1.0
"""How long the end of a journal that has failed waits for a commit, which may hang."""


class Store(Protocol):
    """Where rows go. Each call is one transaction; all are made from one thread at a time."""

    def insert(self, rows: Sequence[Row]) -> None:
        """Commit rows.

        Raises:
            JournalError: nothing was recorded.
            Fenced: a newer epoch owns the journal.
        """

    def keep_snapshot(self, sequence: int, payload: bytes) -> None:
        """Commit a snapshot, and drop the older ones.

        Raises:
            JournalError: the one before is still there.
            Fenced: a newer epoch owns the journal.
        """


class Committer(Protocol):
    """How rows get from `append` to the store, in order. Moves the chain on as it takes them."""

    is_synchronous: bool

    def rows(self, rows: Sequence[Row], on_commit: Callable[[], None] | None) -> None: ...

    def snapshot(self, sequence: int, payload: bytes) -> None: ...

    def flush(self) -> None:
        """Return when all is committed, or raise."""

    def close(self) -> None: ...


class DirectCommit:
    """Commits before it returns."""

    is_synchronous = True

    def __init__(self, store: Store, chain: Chain, delivery: Delivery) -> None:
        self._store = store
        self._chain = chain
        self._delivery = delivery

    def rows(self, rows: Sequence[Row], on_commit: Callable[[], None] | None) -> None:
        try:
            self._store.insert(rows)
        except JournalError as error:
            self._delivery.fail(error, is_told=True)
            raise
        self._chain.advance(rows)  # before `on_commit`, which may append in its turn
        if on_commit is not None:
            on_commit()

    def snapshot(self, sequence: int, payload: bytes) -> None:
        self._store.keep_snapshot(sequence, payload)

    def flush(self) -> None:
        self._delivery.check()

    def close(self) -> None:
        """Nothing to stop."""


class StagedCommit:
    """Commits to files before it returns; `move` takes what is there to the store."""

    is_synchronous = True

    def __init__(self, store: Store, chain: Chain, delivery: Delivery, stage: Stage) -> None:
        self._store = store
        self._chain = chain
        self._delivery = delivery
        self._stage = stage
        self._waiting: deque[Sequence[Row]] = deque()
        self._taken: list[Row] = []  # of them, and the store has not confirmed it yet
        self._moved = chain.sequence
        self._lock = threading.Lock()  # held while the store is used

    def rows(self, rows: Sequence[Row], on_commit: Callable[[], None] | None) -> None:
        if rows:
            try:
                if self._chain.sequence - self._moved > QUEUE_FACTS_MAX:
                    self.move()  # the database does not keep up: wait for it
                self._stage.append(rows)
            except JournalError as error:
                self._delivery.fail(error, is_told=True)
                raise
            self._chain.advance(rows)  # before `on_commit`, which may append in its turn
            self._waiting.append(rows)
        if on_commit is not None:
            on_commit()

    def snapshot(self, sequence: int, payload: bytes) -> None:
        self.flush()
        try:
            with self._held_store():
                self._store.keep_snapshot(sequence, payload)
        except Fenced as error:
            self._delivery.fail(error, is_told=True)
            raise

    def flush(self) -> None:
        self._delivery.check()
        try:
            self.move()
        except JournalError as error:
            self._delivery.fail(error, is_told=True)
            raise

    def move(self) -> None:
        """Take what waits to the store, in one commit. From any thread.

        Raises:
            JournalError: the store failed; what waits is still in the files, and waits on, ahead
                of all that follows it: whoever moves next takes it too, or fails as well.
            Fenced: another process has taken the journal over.
        """
        with self._held_store():
            self._stage.drop(self._moved)  # the store has been synced since
            waiting, taken = self._waiting, self._taken
            for _ in range(len(waiting)):  # others append meanwhile
                taken += waiting.popleft()
            if taken:
                self._stage.check()
                self._store.insert(taken)
                self._moved = taken[-1][0]
                taken.clear()

    @contextmanager
    def _held_store(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=FLUSH_S_MAX):
            raise JournalError(
                f"the database has taken nothing for {FLUSH_S_MAX:g} s: see to its disk"
            )
        try:
            yield
        finally:
            self._lock.release()

    def close(self) -> None:
        is_moved = self._delivery.failure is None and self._moved == self._chain.sequence
        self._stage.close(is_moved=is_moved)


class _Work:
    """One append, or one snapshot."""

    __slots__ = ("on_commit", "rows", "snapshot")

    def __init__(
        self,
        rows: Sequence[Row],
        on_commit: Callable[[], None] | None = None,
        snapshot: tuple[int, bytes] | None = None,
    ) -> None:
        self.rows = rows
        self.on_commit = on_commit
        self.snapshot = snapshot


class GroupCommit:
    """Commits on a thread: what came in during one commit shares the next."""

    is_synchronous = False

    def __init__(self, store: Store, chain: Chain, delivery: Delivery) -> None:
        self._store = store
        self._chain = chain
        self._delivery = delivery
        self._queue: deque[_Work] = deque()
        self._facts_waiting = 0
        self._is_idle = True
        self._is_stopping = False
        lock = threading.Lock()
        self._has_work = threading.Condition(lock)
        self._has_finished = threading.Condition(lock)
        self._thread = threading.Thread(target=self._run, name="journal-commit", daemon=True)
        self._thread.start()

    def rows(self, rows: Sequence[Row], on_commit: Callable[[], None] | None) -> None:
        self._delivery.find_loop()
        self._put(_Work(rows, on_commit))

    def snapshot(self, sequence: int, payload: bytes) -> None:
        self._put(_Work((), snapshot=(sequence, payload)))

    def flush(self) -> None:
        with self._has_finished:
            is_done = self._has_finished.wait_for(
                lambda: self._is_idle or self._delivery.failure is not None, FLUSH_S_MAX
            )
        self._delivery.check()
        if not is_done:
            error = JournalError(f"facts were not committed within {FLUSH_S_MAX:g} s")
            self._delivery.fail(error, is_told=True)
            raise error
        if not self._delivery.has_loop:
            self._delivery.drain()

    def close(self) -> None:
        with self._has_work:
            self._is_stopping = True
            self._has_work.notify()
        self._thread.join(FLUSH_S_MAX if self._delivery.failure is None else ENDED_S_MAX)

    def behind(self, give_back: Callable[[], None]) -> None:
        """Give back what commits need: now, or where one hangs, once it has ended."""
        give_back_behind(self._thread, give_back)

    def _put(self, work: _Work) -> None:
        with self._has_work:
            waiting = self._facts_waiting + len(work.rows)
            if waiting <= QUEUE_FACTS_MAX:
                self._facts_waiting = waiting
                self._queue.append(work)
                self._chain.advance(work.rows)
                self._is_idle = False
                self._has_work.notify()
                return
        error = JournalError(
            f"the database does not keep up: more than {QUEUE_FACTS_MAX} facts wait for it"
        )
        self._delivery.fail(error, is_told=True)
        raise error

    def _run(self) -> None:
        try:
            while group := self._take():
                self._commit(group)
        except JournalError as error:
            self._delivery.fail(error)
        except Exception as error:  # noqa: BLE001 - a thread must not die unheard
            self._delivery.fail(JournalError(f"the journal's thread failed: {error!r}"))
        finally:
            with self._has_finished:
                self._has_finished.notify_all()

    def _take(self) -> list[_Work]:
        """Return what waits, at least one; nothing when it is time to stop."""
        with self._has_work:
            if not self._queue:
                self._is_idle = True
                self._has_finished.notify_all()
            self._has_work.wait_for(lambda: self._queue or self._is_stopping)
            group: list[_Work] = []
            facts = 0
            while self._queue and facts < GROUP_FACTS_MAX:
                group.append(self._queue.popleft())
                facts += len(group[-1].rows)
            self._facts_waiting -= facts
            return group

    def _commit(self, group: list[_Work]) -> None:
        if self._delivery.failure is not None:
            return  # nothing later may be recorded either
        rows = [row for work in group for row in work.rows]
        if rows:
            self._store.insert(rows)
        self._delivery.put([work.on_commit for work in group if work.on_commit is not None])
        for work in group:
            if work.snapshot is not None:
                self._store.keep_snapshot(*work.snapshot)


def give_back_behind(thread: threading.Thread, give_back: Callable[[], None]) -> None:
    """Give back what a thread needs: now, or where it still runs, once it has ended."""
    if not thread.is_alive():
        give_back()
        return

    def wait() -> None:
        thread.join()
        give_back()

    threading.Thread(target=wait, name="journal-end", daemon=True).start()
