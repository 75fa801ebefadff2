"""A session, its journal and its venue, as small as a watcher can be shown them.

Rule 1: what the venue does becomes a fact within `DELAY_S_MAX`, in order; its lists trail by up to
        `LAG_S_MAX`, each by its own. So far anything is under way, and nothing is wrong.
Rule 2: what is wrong is said here by whoever does it (`spoil`), with when it began and ended.
"""

from __future__ import annotations

import heapq
import os
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from holdfast.engine.order import RequestState
from holdfast.engine.state import State
from holdfast.journal import open_journal
from holdfast.journal.archiving import archive
from holdfast.model import events as ev
from holdfast.model.config import TradingConfig
from holdfast.model.errors import NetworkError
from holdfast.model.ids import by_number
from holdfast.model.instrument import Instrument
from holdfast.model.messages import ExecType, ExecutionReport
from holdfast.model.values import (
    MAIN,
    AccountId,
    ClOrdId,
    IntentId,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    ParentId,
    SessionId,
    Side,
    Symbol,
    TradeId,
    TradingSessionStatus,
)
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.runtime.watch import Watch
from holdfast.runtime.watch_sights import Seen

GUARDED, PLAIN, ODD = Symbol("BTCUSDT"), Symbol("ETHUSDT"), Symbol("XRPUSDT")
"""Held with stops; traded without, by others too; and one that others alone have orders in."""

OTHER = AccountId("other")
LOT, OFF, CENT, DUST = Decimal("0.01"), Decimal("0.007"), Decimal("0.01"), Decimal("0.00000001")
DELAY_S_MAX, LAG_S_MAX = 15.0, 2.0
ANSWERS_S = (0.02, 0.1, 0.4)
LOOK_S_MAX = 3 * max(ANSWERS_S)
SAMPLE_S, QUIET_S = 30.0, 90.0
CANARY = "cAn4ry"


class Books(NamedTuple):
    """What the venue has from a moment on."""

    since: float
    orders: dict[ClOrdId, ExecutionReport]
    positions: dict[Symbol, Decimal]
    wallets: dict[str, Decimal]


class Wrong(msgspec.Struct):
    """Something that is not as it should be, and which sights may tell of it."""

    kinds: tuple[tuple[str, str], ...]  # "*" stands for any thing
    must: tuple[tuple[str, str], ...]
    since: float
    until: float = float("inf")
    mend: Any = None


class House:
    """One account: what happens falls due by `lots`, as the time goes on."""

    account = MAIN

    def __init__(self, lots: Any) -> None:
        self.lots = lots
        memory = "/dev/shm"
        self.root = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        self.folder = self.root / "data"
        self.folder.mkdir()
        self.config = TradingConfig(
            data_dir=str(self.folder),
            venue="binance_futures",
            equity_interval_ns=int(SAMPLE_S * 1e9),
            watch_api_key=f"{CANARY}-key",
            watch_api_secret=f"{CANARY}-secret",
        )
        self.time = 0.0
        self.number = 0
        self.due: list[tuple[float, int, Any]] = []
        self.facts_due = 0.0
        self.orders: dict[ClOrdId, ExecutionReport] = {}
        self.positions: dict[Symbol, Decimal] = {}
        self.wallets = {"USDT": Decimal(1000), "BNB": Decimal(5)}
        self.past: list[Books] = []
        self.state = State()
        self.epoch = 0
        self.journal: Any = None
        self.is_hung = False
        self.backlog: list[ev.Event] = []
        self.later: list[Any] = []
        self.last_fact = 0.0
        self.wrongs: list[Wrong] = []
        self.told: list[tuple[str, str]] = []
        self.spoiled: set[ClOrdId] = set()  # orders that something was done to
        self.copied: set[Symbol] = set()
        self.blind_until = -1.0
        self.is_read = False  # by the watcher, now
        self.has_refused = False  # at its last look
        self.is_calm = False
        self.changed()
        self.begin(is_first=True)
        self.at(SAMPLE_S, self.sample)
        self.watch = Watch(self.config, self, self, patience_s=20.0, now=lambda: self.time)

    # --- time ------------------------------------------------------------------------------------

    def at(self, after_s: float, act: Any) -> None:
        self.number += 1
        heapq.heappush(self.due, (self.time + after_s, self.number, act))

    def advance(self, until: float) -> None:
        while self.due and self.due[0][0] <= until:
            when, _, act = heapq.heappop(self.due)
            self.time = max(self.time, when)
            act()
        self.time = max(self.time, until)

    # --- the journal -----------------------------------------------------------------------------

    def ts(self) -> int:
        return int(self.time * 1e9) + 1

    def record(self, *facts: ev.Event) -> None:
        if not self.is_alive:
            self.backlog += facts
            return
        self.journal.append(facts)
        for fact in facts:
            self.state.apply(fact)
        self.last_fact = self.time

    @property
    def is_alive(self) -> bool:
        return self.journal is not None and not self.is_hung

    def hear(self, *facts: ev.Event, then: Any = None) -> None:
        """Let facts follow what the venue did, behind all that followed before."""
        is_lost = self.lots.random() < 0.15
        delay = self.lots.uniform(1, DELAY_S_MAX) if is_lost else self.lots.uniform(0.01, 0.6)
        self.facts_due = max(self.facts_due, self.time + delay)

        def come() -> None:
            self.record(*facts)
            if then is not None:
                then() if self.is_alive else self.later.append(then)

        self.at(self.facts_due - self.time, come)

    def revive(self) -> None:
        """Go on where a session that hung left off, or its successor finds things."""
        self.is_hung = False
        backlog, self.backlog = self.backlog, []
        self.record(*backlog)
        self.tell_equity()
        later, self.later = self.later, []
        for act in later:
            act()

    def begin(self, *, is_first: bool = False) -> None:
        self.journal = open_journal(self.config.database_url)
        self.epoch += 1
        begun = ev.EpochStarted(
            ts=self.ts(),
            epoch=self.epoch,
            session_id=SessionId("s"),
            portfolio_id="p",
            accounts=(MAIN, OTHER),
            strategies=(),
            symbols=(GUARDED, PLAIN),
            venue="binance_futures",
            is_resumed=not is_first,
        )
        facts: list[ev.Event] = [begun]
        if is_first:
            facts += [self._contract(symbol) for symbol in (GUARDED, PLAIN)]
            facts += [
                self._money(asset, amount, "opening") for asset, amount in self.wallets.items()
            ]
        self.is_hung = False
        self.record(*facts, self.moved(TradingSessionStatus.STARTING))
        self.revive()
        self.record(self.moved(TradingSessionStatus.RUNNING))

    def _contract(self, symbol: Symbol) -> ev.InstrumentDefined:
        made = Instrument(
            symbol=symbol, base_asset=symbol[:3], tick=CENT, lot=LOT / 10, min_qty=LOT / 10
        )
        return ev.InstrumentDefined(ts=self.ts(), instrument=made, leverage=5)

    def _money(self, asset: str, amount: Decimal, why: str) -> ev.WalletChanged:
        self.number += 1
        return ev.WalletChanged(
            ts=self.ts(), asset=asset, amount=amount, reason=why, change_id=f"c{self.number}"
        )

    def moved(self, status: TradingSessionStatus) -> ev.SessionChanged:
        return ev.SessionChanged(ts=self.ts(), status=status, reason="test")

    def sample(self) -> None:
        self.at(SAMPLE_S, self.sample)
        if self.is_alive:
            self.tell_equity()

    def tell_equity(self) -> None:
        self.record(
            ev.EquitySampled(
                ts=self.ts(),
                equity=Decimal(1),
                wallet=Decimal(1),
                unrealized=Decimal(0),
                exposure=Decimal(0),
            )
        )

    def save(self) -> None:
        if self.is_alive:
            StateRecoveryService(self.journal).save(self.state)
            if self.lots.random() < 0.5:
                self.journal.sync()
                archive(self.config.database_url, is_beside=True)

    def leave(self) -> None:
        self.journal.close()
        self.journal = None

    def restart(self) -> None:
        """End in good order, or be killed, and be there again within seconds."""
        if not self.is_alive:
            return
        if self.lots.random() < 0.5:
            ending = (TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED)
            self.record(*map(self.moved, ending))
        self.leave()
        self.at(self.lots.uniform(0.1, 8), self.begin)

    # --- the venue -------------------------------------------------------------------------------

    def changed(self) -> None:
        books = Books(self.time, dict(self.orders), dict(self.positions), dict(self.wallets))
        self.past.append(books)
        del self.past[:-200]

    def as_of(self, when: float) -> Books:
        return next((each for each in reversed(self.past) if each.since <= when), self.past[0])

    def _lagging(self) -> Books:
        """Return the books as one of the lists has them."""
        lag = self.lots.choice((0.0, 0.0, self.lots.uniform(0, LAG_S_MAX)))
        return self.as_of(self.time - lag)

    async def open(self) -> None:
        await self._answer()

    async def look(self, symbols: Any) -> Seen:
        """Show the books as REST does: one list after the other, each behind by its own."""
        await self._answer()
        positions, wallets = self._lagging().positions, self._lagging().wallets
        await self._answer()
        wanted = {*symbols, *(symbol for symbol, qty in positions.items() if qty)}
        orders = [
            order
            for symbol in sorted(wanted)
            for order in self._lagging().orders.values()
            if order.symbol == symbol
        ]
        await self._answer()
        return Seen(
            orders=tuple(orders),
            positions={symbol: qty for symbol, qty in positions.items() if qty},
            balances={asset: amount for asset, amount in wallets.items() if amount},
        )

    async def _answer(self) -> None:
        self.is_read = self.has_refused = False
        self.advance(self.time + self.lots.choice(ANSWERS_S))
        is_lost = not self.is_calm and self.lots.random() < 0.004
        if self.time <= self.blind_until or is_lost:
            self.has_refused = True
            raise NetworkError("no route")
        self.is_read = True

    async def close(self) -> None:
        pass

    def files(self) -> dict[str, bytes]:
        """Return what is in the journal's folder, but for what readers tell each other."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        known = {path.name: path.read_bytes() for path in found if path.suffix != ".db-shm"}
        return {name: text for name, text in known.items() if text}

    def calm(self) -> None:
        """Let nothing new begin: what is under way arrives."""
        self.is_calm = True

    def clear(self) -> None:
        if self.journal is not None:
            self.journal.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def notify(self, level: str, text: str) -> None:
        assert CANARY not in text
        self.told.append((level, text))

    # --- orders ----------------------------------------------------------------------------------

    def name(self, role: str = "E") -> ClOrdId:
        self.number += 1
        return ClOrdId(f"hf.{self.epoch}.{self.number}.0.{role}.test")

    def listed(self, asked: NewOrder) -> ExecutionReport:
        self.number += 1
        return ExecutionReport(
            symbol=asked.symbol,
            cl_ord_id=asked.cl_ord_id,
            exec_type=ExecType.STATUS,
            status=OrderStatus.NEW,
            side=asked.side,
            venue_ts=self.ts(),
            venue_order_id=str(self.number),
            qty=Decimal(0) if asked.close_position else asked.qty,
            price=asked.price,
            trigger_price=asked.trigger_price,
            close_position=asked.close_position,
        )

    def place(self, asked: NewOrder, then: Any = None) -> None:
        """Send an order: a fact, the venue's book, and its word of it."""
        self.record(
            ev.OrderSubmitted(ts=self.ts(), order=asked, verdicts=(), recv_window_ns=5 * 10**9)
        )

        def arrive() -> None:
            report = self.listed(asked)
            self.orders[asked.cl_ord_id] = report
            self.changed()
            self.hear(
                ev.OrderAccepted(
                    ts=self.ts(), cl_ord_id=asked.cl_ord_id, venue_order_id=report.venue_order_id
                ),
                then=then,
            )

        self.at(self.lots.uniform(0.02, 0.3), arrive)

    def fill(
        self, name: ClOrdId, qty: Decimal, *, symbol: Symbol, side: Side, then: Any = None
    ) -> None:
        """Execute at the venue; what an order has left stays in the book."""
        order = self.orders.get(name)
        if order is not None:
            done = order.cum_qty + qty
            if done >= order.qty:
                del self.orders[name]
            else:
                self.orders[name] = msgspec.structs.replace(
                    order, cum_qty=done, status=OrderStatus.PARTIALLY_FILLED
                )
        self.number += 1
        asset = self.lots.choice(("USDT", "BNB"))
        fee, gain = CENT / 10, CENT * self.lots.randint(-3, 3)
        before = self.positions.get(symbol, Decimal(0))
        self.positions[symbol] = before + side.sign * qty
        self.wallets[asset] -= fee
        self.wallets["USDT"] += gain
        self.changed()
        self.hear(
            ev.OrderFilled(
                ts=self.ts(),
                symbol=symbol,
                side=side,
                cl_ord_id=ClOrdId(name),
                trade_id=TradeId(str(self.number)),
                qty=qty,
                price=Decimal(100),
                fee=fee,
                fee_asset=asset,
                realized_pnl=gain,
                venue_ts=self.ts(),
            ),
            then=then,
        )

    def trade(self) -> None:
        """Enter or leave in a few fills, or rest and be taken back."""
        side = self.lots.choice((Side.BUY, Side.SELL))
        parts = self.lots.randint(1, 3)
        name = self.name()
        asked = NewOrder(
            cl_ord_id=name,
            symbol=PLAIN,
            side=side,
            qty=parts * LOT,
            order_type=OrderType.LIMIT,
            price=Decimal(100),
        )
        self.place(asked, lambda: self._go_on(asked, parts))

    def _go_on(self, asked: NewOrder, parts: int) -> None:
        if self.lots.random() < 0.4:
            self.at(self.lots.uniform(5, 60), lambda: self.take_back(asked.cl_ord_id))
            return
        for _ in range(parts):
            self.at(self.lots.uniform(0, 8), lambda: self._fill_listed(asked))

    def _fill_listed(self, asked: NewOrder) -> None:
        name = asked.cl_ord_id
        if name in self.orders and name not in self.spoiled and not self.is_calm:
            self.fill(asked.cl_ord_id, LOT, symbol=asked.symbol, side=asked.side)

    def is_clear(self, name: ClOrdId) -> bool:
        """Tell whether both sides have an order, and nothing of it is on its way."""
        order = self.state.orders.get(name)
        return (
            name in self.orders
            and order is not None
            and order.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)
            and order.cancel is RequestState.NONE
            and order.replace is RequestState.NONE
        )

    def amend(self) -> None:
        """Let an order have another price: as we ask, or by hand; it is heard of either way."""
        names = [
            each
            for each, report in self.orders.items()
            if report.symbol == PLAIN and each not in self.spoiled and self.is_clear(each)
        ]
        if self.is_calm or not self.is_alive or not names:
            return
        name, price = self.lots.choice(names), self.lots.randint(90, 110) * CENT * 100
        if self.lots.random() < 0.5:
            qty = self.state.orders[name].qty
            self.record(ev.ReplaceRequested(ts=self.ts(), cl_ord_id=name, qty=qty, price=price))

        def arrive() -> None:
            report = self.orders.get(name)
            if report is None or name in self.spoiled:
                return
            self.orders[name] = msgspec.structs.replace(report, price=price)
            self.changed()
            told = ev.OrderReplaced(
                ts=self.ts(), cl_ord_id=name, qty=report.qty, price=price, venue_ts=self.ts()
            )
            self.hear(told)

        self.at(self.lots.uniform(0.02, 0.3), arrive)

    def take_back(self, name: ClOrdId) -> None:
        if self.is_calm or not self.is_alive or name in self.spoiled or not self.is_clear(name):
            return
        self.record(ev.CancelRequested(ts=self.ts(), cl_ord_id=name))

        def arrive() -> None:
            if self.orders.pop(name, None) is not None:
                self.changed()
                self.hear(ev.OrderCanceled(ts=self.ts(), cl_ord_id=name))

        self.at(self.lots.uniform(0.02, 0.3), arrive)

    # --- what is held with a stop ----------------------------------------------------------------

    def enter(self) -> None:
        """Buy in one fill or two; what is booked has its stop at once."""
        self.number += 1
        parent = ParentId(str(self.number))
        entry = NewOrder(
            cl_ord_id=self.name(), symbol=GUARDED, side=Side.BUY, qty=2 * LOT, parent_id=parent
        )
        self.record(
            ev.ParentStarted(
                ts=self.ts(),
                parent_id=parent,
                intent_id=IntentId(str(self.number)),
                symbol=GUARDED,
                side=Side.BUY,
                qty=2 * LOT,
                algo="bracket",
                order=entry,
                stop_loss=Decimal(90),
            )
        )

        def fill() -> None:
            if entry.cl_ord_id in self.orders and not self.is_calm:
                self.fill(entry.cl_ord_id, LOT, symbol=GUARDED, side=Side.BUY, then=guard)

        def guard() -> None:
            self.guard(parent)

        def begin() -> None:
            fill()
            self.at(self.lots.uniform(0.1, 20), fill)

        self.place(entry, begin)

    def stops(self, parent: ParentId) -> list[ClOrdId]:
        """Return a parent's stops that both sides have, oldest first."""
        children = self.state.children(self.state.parents[parent])
        names = [each.cl_ord_id for each in children if each.role is OrderRole.STOP_LOSS]
        return [name for name in names if self.is_clear(name)]

    def guard(self, parent: ParentId) -> None:
        """Place a stop of all that is held, and take the one before it back."""
        held = self.state.parents[parent].open_qty
        stop = NewOrder(
            cl_ord_id=self.name("S"),
            symbol=GUARDED,
            side=Side.SELL,
            qty=held,
            order_type=OrderType.STOP_MARKET,
            trigger_price=Decimal(90),
            reduce_only=True,
            close_position=self.lots.random() < 0.2,
            role=OrderRole.STOP_LOSS,
            parent_id=parent,
        )

        def replace() -> None:
            for name in self.stops(parent)[:-1]:
                self.take_back(name)
            if self.stops(parent)[-1:] == [stop.cl_ord_id]:
                self.at(self.lots.uniform(20, 90), lambda: self.trigger(parent, stop))

        self.place(stop, replace)

    def trigger(self, parent: ParentId, stop: NewOrder) -> None:
        """Let a stop close what is held."""
        held = self.state.parents[parent].open_qty
        is_whole = held == stop.qty and self.stops(parent) == [stop.cl_ord_id]
        if (
            not self.is_alive
            or self.is_calm
            or not held
            or not is_whole
            or stop.cl_ord_id in self.spoiled
        ):
            return
        del self.orders[stop.cl_ord_id]
        self.hear(ev.OrderTriggered(ts=self.ts(), cl_ord_id=stop.cl_ord_id))
        self.fill(stop.cl_ord_id, held, symbol=GUARDED, side=Side.SELL)

    # --- others ----------------------------------------------------------------------------------

    def meet(self, *, is_unknown: bool = False) -> ClOrdId:
        """Let somebody else place an order, which the session takes on unless `is_unknown`.

        One name may be of two of them, in two symbols: the session calls the second by its number.
        """
        symbol = PLAIN if is_unknown else self.lots.choice((PLAIN, ODD))
        self.number += 1
        name = told = ClOrdId(f"web_{self.number}")
        report = self.listed(NewOrder(cl_ord_id=told, symbol=symbol, side=Side.SELL, qty=LOT))
        if not is_unknown and symbol not in self.copied and self.lots.random() < 0.5:
            told = ClOrdId("copied")
            name = by_number(told, report.venue_order_id) if self.copied else told
            self.copied.add(symbol)
        self.orders[name] = msgspec.structs.replace(report, cl_ord_id=told)
        self.changed()
        if not is_unknown:
            self.adopt(name)
            self.at(self.lots.uniform(20, 60), lambda: self.vanish(name))
        return name

    def adopt(self, name: ClOrdId) -> None:
        report = self.orders[name]
        asked = NewOrder(cl_ord_id=name, symbol=report.symbol, side=report.side, qty=report.qty)
        self.hear(
            ev.OrderAdopted(
                ts=self.ts(),
                order=asked,
                venue_order_id=report.venue_order_id,
                status=OrderStatus.NEW,
                cum_qty=Decimal(0),
                is_ours=False,
            )
        )

    def vanish(self, name: ClOrdId) -> None:
        """Let somebody else's order end, and sometimes another of theirs fill that nobody saw."""
        if self.is_calm or self.orders.pop(name, None) is None:
            return
        self.changed()
        self.hear(ev.OrderCanceled(ts=self.ts(), cl_ord_id=name))
        if self.lots.random() < 0.5:
            self.fill(ClOrdId(f"{name}-market"), LOT, symbol=PLAIN, side=Side.SELL)

    def doubt(self) -> None:
        """Send an order whose outcome is open for long, and which never came."""
        asked = NewOrder(cl_ord_id=self.name(), symbol=PLAIN, side=Side.BUY, qty=LOT)
        fence = self.ts() + 45 * 10**9
        self.record(
            ev.OrderSubmitted(ts=self.ts(), order=asked, verdicts=(), recv_window_ns=5 * 10**9),
            ev.OrderInDoubt(ts=self.ts(), cl_ord_id=asked.cl_ord_id, fence_ts=fence),
        )

        def end() -> None:
            self.record(ev.OrderNeverArrived(ts=self.ts(), cl_ord_id=asked.cl_ord_id))

        self.at(45, end)

    def move_money(self) -> None:
        """Let funding be paid, or money come or go."""
        asset = self.lots.choice(("USDT", "USDT", "BNB"))
        amount = CENT * self.lots.randint(1, 500) * self.lots.choice((1, -1))
        if self.wallets[asset] + amount < 1:
            amount = -amount
        self.wallets[asset] += amount
        self.changed()
        self.hear(self._money(asset, amount, "transfer"))

    def elsewhere(self) -> None:
        """Let another account of the session's trade."""
        asked = NewOrder(cl_ord_id=self.name(), symbol=PLAIN, side=Side.BUY, qty=LOT, account=OTHER)
        self.record(
            ev.OrderSubmitted(ts=self.ts(), order=asked, verdicts=(), recv_window_ns=5 * 10**9),
            ev.OrderAccepted(ts=self.ts(), cl_ord_id=asked.cl_ord_id, venue_order_id="9"),
            ev.WalletChanged(
                ts=self.ts(),
                account=OTHER,
                asset="USDT",
                amount=Decimal(3),
                reason="transfer",
                change_id=f"o{asked.cl_ord_id}",
            ),
        )
