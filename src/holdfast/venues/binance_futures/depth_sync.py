"""Order books that are whole: a snapshot over REST, then the stream's changes without a gap.

Rule 1: changes are kept until the snapshot is here; what is older than it is dropped, the first
        one that is shown spans it (U <= lastUpdateId <= u), and each further one's `pu` is the
        `u` of the one before. Ids jump, so nothing else may be asked of them.
Rule 2: a gap makes the book worthless: an empty one is shown, and it begins anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from ...model.errors import NetworkError, VenueError
from ...model.market import BookDelta, BookSnapshot
from ...model.values import Symbol
from ..limits import Urgency
from . import codec
from .asking import Asker
from .codec import BadFrame, reads
from .complaints import Complaints
from .joining import require

KEPT_MAX = 5_000
"""Changes that are kept while a snapshot is on its way; the oldest is let go of first."""

PAUSE_S = 0.5
"""How long to wait before a snapshot that did not fit is asked for again."""

Shown = BookSnapshot | BookDelta
_log = logging.getLogger("holdfast.feed")


class DepthSync:
    """One symbol's book on its way to being whole."""

    __slots__ = ("_is_spanned", "_kept", "_last_id", "symbol")

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self._kept: deque[BookDelta] = deque(maxlen=KEPT_MAX)
        self._last_id: int | None = None  # None: a snapshot is needed
        self._is_spanned = False

    @property
    def needs_snapshot(self) -> bool:
        """Tell whether the book has to be begun."""
        return self._last_id is None

    def hear(self, delta: BookDelta) -> Sequence[Shown]:
        """Take in a change and return what is to be shown."""
        if self._last_id is None:
            self._keep(delta)
            return ()
        if self._is_old(delta):
            return ()
        if not self._follows(delta):
            shown = self.lose(delta.ts)
            self._kept.append(delta)
            return shown
        self._last_id, self._is_spanned = delta.final_id, True
        return (delta,)

    def _keep(self, delta: BookDelta) -> None:
        """Keep a change, and none from before a gap: no snapshot that is yet to come needs it.

        One whose number is of another count would fit no snapshot, and keep the others waiting.
        """
        if self._kept:
            last_id = self._kept[-1].final_id
            if delta.final_id == last_id:
                return  # it is told twice
            if delta.previous_id != last_id:
                self._kept.clear()
        self._kept.append(delta)

    def begin(self, snapshot: BookSnapshot) -> Sequence[Shown]:
        """Take in a snapshot; return what is to be shown, nothing where it does not fit."""
        self._last_id, self._is_spanned = snapshot.last_update_id, False
        shown: list[Shown] = [snapshot]
        kept, self._kept = self._kept, deque(maxlen=KEPT_MAX)
        for delta in kept:
            if self._is_old(delta):
                continue
            if not self._follows(delta):
                self._last_id = None  # it is older than what was kept, or there is a gap
                self._kept = kept
                return ()
            self._last_id, self._is_spanned = delta.final_id, True
            shown.append(delta)
        return shown

    def lose(self, ts: int) -> Sequence[Shown]:
        """Give the book up; return an empty one to be shown, nothing where there was none."""
        self._kept.clear()
        if self._last_id is None:
            return ()
        self._last_id = None
        return (BookSnapshot(symbol=self.symbol, ts=ts, bids=(), asks=()),)

    def _is_old(self, delta: BookDelta) -> bool:
        assert self._last_id is not None, "a book without a snapshot has no age"
        return delta.final_id < self._last_id + self._is_spanned

    def _follows(self, delta: BookDelta) -> bool:
        assert self._last_id is not None, "nothing follows a book that is not begun"
        if self._is_spanned:
            return delta.previous_id == self._last_id
        return delta.first_id <= self._last_id or delta.previous_id == self._last_id


class DepthBooks:
    """The books of several symbols. Run `keep` in a task while the stream is heard.

    Args:
        show: is given snapshots and changes.
        random: draws from 0 to 1, for jitter.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        asker: Asker,
        show: Callable[[Shown], None],
        random: Callable[[], float],
    ) -> None:
        self._books = {symbol: DepthSync(symbol) for symbol in symbols}
        self._asker = asker
        self._show = show
        self._random = random
        self._wanted = asyncio.Event()
        self._lost: set[Symbol] = set()  # of whose stream nothing was heard since
        self._first: dict[Symbol, int] = {}  # the first change on its connection
        self._complaints = Complaints(_log)

    def hear(self, delta: BookDelta) -> None:
        """Take in a change off the stream."""
        book = self._books.get(delta.symbol)
        if book is None:
            return
        self._lost.discard(delta.symbol)
        self._first.setdefault(delta.symbol, delta.final_id)
        was_whole = not book.needs_snapshot
        for message in book.hear(delta):
            self._show(message)
        if not book.needs_snapshot:
            return
        if was_whole:
            self._complaints.warn(f"the book of {delta.symbol} has a gap before {delta.first_id}")
        self._wanted.set()

    def lose(self, symbols: Sequence[Symbol]) -> None:
        """Begin the books of these anew, once their stream, which was lost, is heard again."""
        self._lost.update(symbols)
        now = self._asker.clock.now()
        for symbol in symbols:
            self._first.pop(symbol, None)
            for message in self._books[symbol].lose(now):
                self._show(message)

    def says_touch(self, snapshot: BookSnapshot) -> bool:
        """Tell whether a snapshot and the quotes of this connection say what the touch is.

        The first change that was heard may be of before the connection, and so may the quote that
        went with it: the snapshot must have it.
        """
        first = self._first.get(snapshot.symbol)
        is_full = bool(snapshot.bids and snapshot.asks)
        return is_full and first is not None and snapshot.last_update_id >= first

    async def keep(self) -> None:
        """Ask for the snapshots that are needed, one after the other, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            for book in self._books.values():
                if self._is_due(book):
                    await self._begin(book)
            if any(map(self._is_due, self._books.values())):
                await asyncio.sleep(PAUSE_S * (1 + self._random()))
                self._wanted.set()

    def _is_due(self, book: DepthSync) -> bool:
        return book.needs_snapshot and book.symbol not in self._lost

    async def _begin(self, book: DepthSync) -> None:
        first = self._first.get(book.symbol)
        try:
            snapshot = await self._read(book.symbol)
        except VenueError as error:
            self._complaints.warn(f"the book of {book.symbol} can't be read: {error}")
            return
        if not self._is_due(book) or self._first.get(book.symbol) != first:
            return  # its stream was lost meanwhile: nothing would follow, or what counts anew
        for message in book.begin(snapshot):
            self._show(message)

    async def _read(self, symbol: Symbol) -> BookSnapshot:
        answered = await require(self._asker, reads.depth(symbol), Urgency.READ)
        try:
            return codec.book_snapshot(answered.reply.body, symbol)
        except BadFrame as error:
            raise NetworkError(str(error)) from error
