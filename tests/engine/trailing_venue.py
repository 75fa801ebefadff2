"""A venue whose answers trail, each by its own time, on clocks that are two.

Strangers trade there and move money. What happens is told at once, late or never; positions,
balances, income and executions are read one after the other, as the adapter reads them, each as
they were up to `lag_s` before.
"""

from __future__ import annotations

import heapq
import itertools
from decimal import Decimal

from holdfast.model import commands as cmd
from holdfast.model import messages as msg
from holdfast.model.margin import book_fill
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    ZERO,
    ClOrdId,
    OrderStatus,
    Side,
    TradeId,
)
from tests.engine.rig import BTC, START, Rig, contract

READ_LAG_NS = 2 * NS_PER_S
MEASURED_NS = 50 * NS_PER_MS
FIRST = Decimal(10_000)
TRANSFERS_APART_NS = 10 * NS_PER_S
"""Of several that are in the balance, and in no ledger yet, the sum alone shows."""

OFF_MS = 450
"""How far the venue's clock may be off ours, or step: less than what is reckoned with."""


def ms(seconds):
    return round(seconds * 1000) * NS_PER_MS


class TrailingVenue:
    """One account, and one session that watches it.

    Args:
        lots: draws all that is left to chance.
        lag_s: the most that an answer trails, seconds.
        dropped: the share of what happens that the stream does not tell of.
        rate: how many things happen in a second.
    """

    def __init__(self, lots, *, lag_s, dropped, rate):
        self.lots = lots
        self.lag_s = lag_s
        self.dropped = dropped
        self.rate = rate
        self.rig = Rig(start=False)
        self.rig.engine.core.read_lag_ns = READ_LAG_NS
        self.now = START
        self.ahead = self.measured = lots.choice((0, lots.randint(-300, 300))) * NS_PER_MS
        self.qty, self.entry_price, self.wallet = ZERO, ZERO, FIRST
        self._books = [(START, ZERO, ZERO, FIRST)]
        self._trades, self._changes = [], []
        self._names = itertools.count(1)
        self._due, self._order = [], itertools.count()
        self._wanted, self._is_reading = None, False

    # What happens

    def trade(self):
        qty = Decimal(self.lots.choice((1, 1, 1, 2, 3))) / 10 * self.lots.choice((1, -1))
        price = Decimal(self.lots.choice((99, 100, 100, 101)))
        booked, fee = book_fill(self.qty, self.entry_price, qty, price), abs(qty) / 100
        self.qty, self.entry_price = booked.qty, booked.entry_price
        self._move(booked.realized - fee)
        name = str(next(self._names))
        report = msg.ExecutionReport(
            symbol=BTC,
            cl_ord_id=ClOrdId(f"manual-{name}"),
            exec_type=ExecType.TRADE,
            status=OrderStatus.FILLED,
            side=Side.BUY if qty > ZERO else Side.SELL,
            venue_ts=self._stamp(),
            qty=abs(qty),
            cum_qty=abs(qty),
            last_qty=abs(qty),
            last_px=price,
            trade_id=TradeId(name),
            fee=fee,
            realized_pnl=booked.realized,
        )
        self._trades.append((self.now, report))
        if self.lots.random() >= self.dropped:
            self._after(self.lots.choice((0.01, 0.05, 0.3, self._up_to(2))), self._hear, report)

    def transfer(self):
        if self._changes and self.now - self._changes[-1][0] < TRANSFERS_APART_NS:
            self.trade()
            return
        amount = Decimal(self.lots.choice((-40, -40, 25)))
        self._move(amount)
        change = msg.WalletChange(
            asset="USDT",
            amount=amount,
            reason="TRANSFER",
            change_id=f"T{next(self._names)}",
            venue_ts=self._stamp(),
        )
        self._changes.append((self.now, change))
        if self.lots.random() >= self.dropped:  # it is read once the ledger shows it
            since = self.now - 120 * NS_PER_S
            self._after(0.3 + self._up_to(self.lag_s), self._want, since)

    def step_clock(self):
        self.ahead = self.lots.randint(-OFF_MS, OFF_MS) * NS_PER_MS
        if self.lots.random() < 0.5:
            self._after(self._up_to(20), self._measure)

    def _measure(self):
        self.measured = self.ahead

    def _move(self, amount):
        self.wallet += amount
        self._books.append((self.now, self.qty, self.entry_price, self.wallet))

    def _stamp(self):
        return (self.now + self.ahead) // NS_PER_MS * NS_PER_MS

    # What is read

    def _want(self, since):
        self._wanted = since if self._wanted is None else min(self._wanted, since)
        self._read_if_free()

    def _read_if_free(self):
        if not self._is_reading and self._wanted is not None:
            self._is_reading, since, self._wanted = True, self._wanted, None
            self._after(0.01, self._read_books, {"asked_ts": self.now}, since)

    def _read_books(self, read, since):
        read["positions"], read["balances"] = self._then(), self._then()
        self._after(0.01 + self._up_to(0.1), self._read_changes, read, since)

    def _then(self):
        until = self.now - ms(self._up_to(self.lag_s))
        return [books for books in self._books if books[0] <= until or books is self._books[0]][-1]

    def _read_changes(self, read, since):
        read["changes"] = self._listed(self._changes, since)
        self._after(0.01 + self._up_to(0.1), self._read_trades, read, since)

    def _read_trades(self, read, since):
        read["trades"] = self._listed(self._trades, since)
        self._after(0.01 + self._up_to(0.1), self._answer, read, since)

    def _listed(self, rows, since):
        until = self.now - ms(self._up_to(self.lag_s))
        return tuple(row for ts, row in rows if ts <= until and row.venue_ts >= since)

    def _answer(self, read, since):
        _, qty, price, _ = read["positions"]
        position = msg.VenuePosition(symbol=BTC, qty=qty, entry_price=price)
        self._hear(
            msg.VenueSnapshot(
                asked_ts=read["asked_ts"],
                sure_ts=read["asked_ts"] + self.measured - MEASURED_NS,
                taken_ts=max(self.now, self.now + self.measured + MEASURED_NS),
                orders=(),
                positions=(position,) if qty else (),
                balances={"USDT": read["balances"][3]},
                trades=read["trades"],
                changes=read["changes"],
                trades_since=since,
            )
        )
        self._after(READ_LAG_NS / NS_PER_S, self._read_next)

    def _read_next(self):
        self._is_reading = False
        self._read_if_free()

    # Time

    def run(self, storm_s, steps):
        """Begin, let things happen for so long, and come to rest."""
        self.rig.now = self.now
        self._hear_begin()
        self._after(10, self._audit)
        self._after(1, self._tick)
        begins_s = at_s = 4.0  # an account that rests while its books are begun
        while (at_s := at_s + self.lots.expovariate(self.rate)) < begins_s + storm_s:
            self._after(at_s, self.trade if self.lots.random() < 0.7 else self.transfer)
        for _ in range(steps):
            self._after(begins_s + self._up_to(storm_s), self.step_clock)
        end = self.now + ms(begins_s + storm_s + 40)
        while self._due[0][0] <= end:
            self.now, _, deed, arguments = heapq.heappop(self._due)
            deed(*arguments)

    def _hear_begin(self):
        self.rig.begin()
        self._carry_out()
        self._hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
        self.rig.price(100)

    def _tick(self):
        self._hear(msg.Tick())
        self._after(1, self._tick)

    def _audit(self):
        self._hear(msg.AuditDue(account=MAIN, reason="audit"))
        self._after(10, self._audit)

    def _hear(self, message):
        self.rig.now = self.now
        self.rig.hear(message)
        self._carry_out()

    def _carry_out(self):
        for command in self.rig.asked:
            if isinstance(command, cmd.Resync):
                self._want(command.trades_since)

    def _after(self, seconds, deed, *arguments):
        entry = (self.now + ms(seconds), next(self._order), deed, arguments)
        heapq.heappush(self._due, entry)

    def _up_to(self, seconds):
        return self.lots.random() * seconds
