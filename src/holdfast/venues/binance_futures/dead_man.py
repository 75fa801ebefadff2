"""The venue's dead-man switch: entry orders do not outlive us by more than a while.

A countdown of each symbol with open entry orders is wound up again and again; should we fall
silent, the venue cancels that symbol's orders. Conditional orders, our stops, are not touched.

A process that was killed leaves its countdowns running, and the venue does not tell of them: at
the first order of a symbol that rests, or will, its countdown is wound up or let go of. Where the
session does not trade that goes for orders of ours alone: another program may have one running.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Collection

from ...model.commands import SubmitOrder
from ...model.ids import parse_cl_ord_id
from ...model.messages import ExecType, ExecutionReport, OrderNotFound
from ...model.values import NS_PER_S, ClOrdId, OrderRole, OrderType, Symbol
from ..limits import Urgency
from .asking import Asker
from .clock_offset import SKEW_MAX_NS
from .codec import reads
from .outcomes import Ask
from .settings import BinanceSettings

BEATS, BEATS_LEAST = 4, 2
"""How often in one countdown it is wound up: less often where many run."""

BEAT_LEAST_S = 2.5
"""How far two beats are apart, for each symbol: they may weigh a tenth of what there is."""

AT_ONCE = 5
"""How many are wound up at once: one after the other, slow answers outlast a countdown."""

TRIES = 8
"""How often in one countdown what was not answered is tried again."""

TRY_AGAIN_S = 30.0
"""After this what a process before wound up is let go of again, where ours is off."""

DISARM_PATIENCE_S = 5.0
"""How long an end takes to let go of countdowns: one that is left takes back what was to stay."""

_log = logging.getLogger("holdfast.venue")


class DeadMan:
    """Winds the countdowns. Run `beat` in a task.

    Args:
        settings: `dead_man_s` is how long the venue waits for the next sign of life; 0 winds
            nothing up.
        symbols: of the session: there whatever rests may be under a countdown of ours.
    """

    def __init__(
        self, asker: Asker, settings: BinanceSettings, symbols: Collection[Symbol] = ()
    ) -> None:
        self._asker = asker
        self._after_s = settings.dead_man_s
        self._lag_ns = settings.read_lag_ns
        self._prefix = settings.order_prefix
        self._symbols = frozenset(symbols)
        self._entries: dict[Symbol, dict[ClOrdId, int]] = {}  # until when absence proves nothing
        self._armed: dict[Symbol, float] = {}  # may be running; and when they are due
        self._last_due = 0.0
        self._met: set[Symbol] = set()  # where something rests, or has rested
        self._doubted: set[Symbol] = set()  # of them: one from before may be running
        self._in_hand: set[Symbol] = set()  # being wound up, or let go of, by a beat
        self._news = asyncio.Event()
        self._turns: defaultdict[Symbol, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._is_over = False

    def sent(self, command: SubmitOrder) -> None:
        """Hear of an order that leaves."""
        order = command.order
        if order.order_type.has_limit_price:
            self._meet(order.symbol)
        if order.order_type is OrderType.LIMIT and order.role is OrderRole.ENTRY:
            fence_ts = command.ts + command.recv_window_ns + SKEW_MAX_NS + self._lag_ns
            self._add(order.symbol, order.cl_ord_id, fence_ts)

    def heard(self, report: ExecutionReport) -> None:
        """Hear what became of an order, or that one from before is open."""
        if not report.status.is_open:
            self._gone(report.symbol, report.cl_ord_id)
            return
        owner = parse_cl_ord_id(report.cl_ord_id)
        is_ours = owner is not None and owner.prefix == self._prefix
        if not is_ours and report.symbol not in self._symbols:
            return  # another program's, and so would the countdown be
        if report.order_type.has_limit_price:
            self._meet(report.symbol)
        is_listed = report.exec_type is ExecType.STATUS and report.order_type is OrderType.LIMIT
        if is_listed and owner is not None and owner.role is OrderRole.ENTRY:
            self._add(report.symbol, report.cl_ord_id)

    def not_found(self, answer: OrderNotFound) -> None:
        """Hear that an order is not there: one that may still appear stays guarded."""
        fence_ts = self._entries.get(answer.symbol, {}).get(answer.cl_ord_id)
        if fence_ts is not None and answer.asked_ts > fence_ts:
            self._gone(answer.symbol, answer.cl_ord_id)

    def _gone(self, symbol: Symbol, cl_ord_id: ClOrdId) -> None:
        entries = self._entries.get(symbol)
        if entries is not None:
            entries.pop(cl_ord_id, None)
            if not entries:
                del self._entries[symbol]

    def _meet(self, symbol: Symbol) -> None:
        """Doubt a symbol's countdown, once: whoever traded before us may have wound it up."""
        if symbol not in self._met:
            self._met.add(symbol)
            self._doubted.add(symbol)
            self._news.set()

    def _add(self, symbol: Symbol, cl_ord_id: ClOrdId, fence_ts: int = 0) -> None:
        if symbol not in self._entries:
            self._news.set()
        self._entries.setdefault(symbol, {}).setdefault(cl_ord_id, fence_ts)

    async def beat(self) -> None:
        """Wind up what guards something, and let go what does not, until the end.

        Between two beats only what is not wound up yet is: entries that come and go would use up
        the venue's weights.
        """
        async with asyncio.TaskGroup() as hands:
            for _ in range(AT_ONCE):
                hands.create_task(self._beat())

    async def _beat(self) -> None:
        now = asyncio.get_running_loop().time
        while not self._is_over:
            self._news.clear()
            due, symbol = self._first()
            if symbol and due <= now():
                await self._take_in_hand(symbol)
                continue
            try:
                async with asyncio.timeout(max(due - now(), 0.0) if symbol else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _take_in_hand(self, symbol: Symbol) -> None:
        self._in_hand.add(symbol)
        try:
            await self._set(symbol, self._after_s if symbol in self._guarded else 0)
        finally:
            self._in_hand.discard(symbol)
            self._news.set()  # the other hands have waited for what they saw without it

    @property
    def _guarded(self) -> Collection[Symbol]:
        """Return whose countdown is to run."""
        return self._entries if self._after_s and not self._is_over else ()

    @property
    def _running(self) -> set[Symbol]:
        """Return whose countdown may be running, though nothing may be guarded there."""
        return {*self._armed, *self._doubted}

    def _first(self) -> tuple[float, Symbol]:
        """Return which is due first, and when; what is not wound up yet is at once.

        One that is in hand is not meant.
        """
        concerned = {*self._guarded, *self._running} - self._in_hand
        nobody = (0.0, Symbol(""))
        return min(((self._armed.get(each, 0.0), each) for each in concerned), default=nobody)

    def _next_due(self, now: float) -> float:
        """Return when what was wound up now is due: one after the other, not all at once."""
        count = len({*self._guarded, *self._running})
        interval = max(self._after_s / BEATS, count * BEAT_LEAST_S)
        interval = min(interval, self._after_s / BEATS_LEAST)
        due = max(self._last_due + interval / count, now + interval / 4)
        self._last_due = min(due, now + interval * 5 / 4)
        return self._last_due

    async def _set(self, symbol: Symbol, after_s: float) -> None:
        async with self._turns[symbol]:  # what is sent last must arrive last
            if after_s and self._is_over:
                return
            self._armed.setdefault(symbol, 0.0)
            self._doubted.discard(symbol)
            call = reads.countdown_cancel_all(symbol, int(after_s * NS_PER_S))
            answered = await self._asker.read(call, ask=Ask.SETTING, urgency=Urgency.RESOLVE)
            now = asyncio.get_running_loop().time()
            if not answered.is_ok:
                _log.warning("dead-man switch of %s: %s", symbol, answered.outcome.reason)
                self._armed[symbol] = now + (self._after_s / TRIES or TRY_AGAIN_S)
            elif after_s:
                self._armed[symbol] = self._next_due(now)
            else:
                self._armed.pop(symbol, None)

    async def disarm(self, answers: Awaitable[None] | None = None) -> None:
        """Let go of every countdown that guards nothing, for good: what rests is to stay.

        Entries that are left behind are not: nobody would look after what they fill.

        Args:
            answers: what is waited for first, with nothing wound up meanwhile: an entry may have
                been asked back a moment ago.
        """
        self._is_over = True
        if answers is not None:
            await answers
        guarded = self._entries if self._after_s else ()
        running = sorted(self._running.difference(guarded))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISARM_PATIENCE_S):
                await asyncio.gather(*(self._set(symbol, 0) for symbol in running))
        if self._running:
            text = "dead-man switch: the venue may take back all that rests in the book of %s"
            _log.warning(text, ", ".join(sorted(self._running)))
