"""Engine and adapter before `books_account`, driven by a loop of virtual time, and what they owe.

Law: each execution and each row of income that belongs in the books is booked once, whichever road
brought it; what merely trails halts nothing; in the calm ours are the venue's, exactly.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from unittest import mock
from urllib.parse import quote

import msgspec

from holdfast.engine.account import OPENING
from holdfast.engine.contracts import SETTLED
from holdfast.engine.engine import Engine
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.market import Trade
from holdfast.model.settings import EngineSettings, RiskLimits
from holdfast.model.values import MAIN, NS_PER_MS, NS_PER_S, OrderType, SessionId, Side, Symbol
from holdfast.model.values import TradingSessionStatus as Status
from holdfast.simulation.loop import SimLoop
from holdfast.venues.binance_futures import handshakes
from holdfast.venues.binance_futures.adapter import AUDIT, BinanceFuturesVenue
from holdfast.venues.binance_futures.codec import reads
from holdfast.venues.binance_futures.settings import BinanceSettings, Endpoints
from tests.venues.binance_futures.books_account import (
    BASE_MS,
    HOUR_MS,
    KINDS,
    OPEN,
    ZERO,
    Account,
)
from tests.venues.binance_futures.books_roads import Roads

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
OURS = (BTC, ETH)
OTHERS = ("DOGEUSDT", "SOLUSDC", "\u5e01\u5b89USDT")
KEY, SECRET = "canary-key-7f3a", "canary-secret-91cc"
WHERE = Endpoints(
    rest_url="http://venue", stream_url="ws://venue", ws_api_url="ws://venue/ws-fapi/v1"
)
LAG_NS = 2 * NS_PER_S
OFF_MS = 450
AUDIT_S = 10.0
CALM_S = 90.0
MONEY_APART_S = 10.0
"""Of several changes that are in the balance, and in no list yet, the sum alone shows."""

PAID_LATE_S = 12.0
"""How long behind its hour funding is paid that is listed with the hour's time."""

CHATTER = (
    {"e": "MARGIN_CALL", "cw": "3.16", "p": [{"s": "BTCUSDT", "ps": "BOTH", "pa": "1"}]},
    {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": "DOGEUSDT", "l": 25}},
    {"e": "STRATEGY_UPDATE", "su": {"si": 1, "st": "GRID", "ss": "NEW", "s": "BTCUSDT"}},
    {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "or": {"s": "BTCUSDT", "i": 1, "r": "no"}},
    {"e": "EVENT_OF_TOMORROW", "o": None},
)
WAYS = ("web_a1B2", "android_77", "x-Cb7ytekJ1", "ios_ZZ", "electron_x")


class Loop(SimLoop):
    """Notes what a loop would have told of exceptions that nobody took."""

    def __init__(self, seed):
        super().__init__(seed)
        self.untaken = []

    def call_exception_handler(self, context):
        self.untaken.append(context)


class Ears(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []
        self.faults = []

    def emit(self, record):
        text = self.format(record)
        self.texts.append(text)
        if record.exc_info or record.levelno >= logging.ERROR:
            self.faults.append(text)

    @contextmanager
    def listening(self):
        log = logging.getLogger("holdfast")
        level, spreads = log.level, log.propagate
        log.addHandler(self)
        log.setLevel(logging.DEBUG)
        log.propagate = False
        try:
            yield
        finally:
            log.removeHandler(self)
            log.setLevel(level)
            log.propagate = spreads


class Clock:
    """Ours, so far ahead of the venue's; it never goes back."""

    def __init__(self, loop, starts_ms):
        self.loop, self.starts_ms, self.ahead_ms, self.last = loop, starts_ms, 0, 0

    def now(self):
        ns = (BASE_MS + self.starts_ms + self.ahead_ms) * NS_PER_MS + self.loop.now_ns
        self.last = max(self.last, ns)
        return self.last

    def advance(self, ts):
        pass


class Life:
    """One process: an engine that goes on from facts, and an adapter."""

    def __init__(self, session, epoch):
        self.session, self.clock, self.loop = session, session.clock, session.loop
        limits = RiskLimits(disabled=("correlation",))
        known = msgspec.json.decode(msgspec.json.encode(session.facts), type=list[ev.Event])
        self.engine = Engine(EngineSettings(limits=limits), known, read_lag_ns=LAG_NS)
        self.epoch = epoch
        self.early = []
        self.is_begun = False
        settings = BinanceSettings(
            endpoints=WHERE, dead_man_s=0, orders_over_ws=False, read_lag_ns=LAG_NS,
            one_by_one_max=session.one_by_one_max,
        )  # fmt: skip
        self.venue = BinanceFuturesVenue(
            KEY,
            SECRET,
            clock=session.clock,
            settings=settings,
            random=session.lots.random,
            open_wire=lambda: session.roads,
            lifetime_s=session.lifetime_s,
        )

    async def begin(self):
        listed = await self.venue.connect(OURS, self.hear)
        self.is_begun = True
        self.take(
            msg.StartSession(
                session_id=SessionId("x"),
                portfolio_id="p",
                epoch=self.epoch,
                symbols=OURS,
                is_resumed=self.epoch > 1,
            )
        )
        for made, leverage in listed:
            self.take(msg.InstrumentListed(instrument=made, leverage=leverage))
        early, self.early = self.early, []
        for message in early:
            self.take(message)
        self.tasks = [
            asyncio.ensure_future(self.every(1.0, lambda: self.take(msg.Tick()))),
            asyncio.ensure_future(self.every(AUDIT_S, self.audit)),
        ]

    async def end(self):
        self.is_begun = False
        for each in self.tasks:
            each.cancel()
        await self.venue.close()

    async def every(self, seconds, do):
        while True:
            await asyncio.sleep(seconds)
            do()

    def audit(self):
        self.take(msg.AuditDue(account=MAIN, reason=AUDIT))

    def hear(self, message):
        if self.is_begun:
            self.take(message)
        else:
            self.early.append(message)

    def take(self, message):
        if isinstance(message, msg.Tick):
            for symbol in OURS:
                self.engine.handle(
                    Trade(symbol=symbol, ts=self.clock.now(), price=100.0, qty=1.0),
                    self.clock.now(),
                )
        outcome = self.engine.handle(message, self.clock.now())
        self.session.note(outcome.facts)
        for command in outcome.commands:
            match command:
                case cmd.Resync():
                    self.venue.resync(command)
                case cmd.QueryOrder():
                    self.venue.query(command)
                case cmd.SubmitOrder():
                    self.venue.submit(command)
                case cmd.CancelOrder():
                    self.venue.cancel(command)
                case cmd.ReplaceOrder():
                    self.venue.replace(command)
                case _:
                    pass


class Session:
    """What happens at the venue, and who watches it.

    Args:
        lots: draws all that is left to chance.
        rate: how many things happen in a second.
        starts_ms: how far behind a full hour it begins; drawn when None.
        road: what ails the roads: see `Roads`.
    """

    def __init__(
        self,
        loop,
        lots,
        *,
        rate=0.3,
        one_by_one_max=20,
        lifetime_s=1e9,
        starts_ms=None,
        wishes=0,
        **road,
    ):
        self.loop, self.lots, self.rate, self.wishes = loop, lots, rate, wishes
        self.one_by_one_max, self.lifetime_s = one_by_one_max, lifetime_s
        if starts_ms is None:
            # What the first look trails is told from other things for a minute, which may be ill.
            least_s = 20 if road.get("ills") else 0
            starts_ms = lots.choice((10 * 60_000, HOUR_MS - lots.randint(least_s, 60) * 1000))
        self.account = Account(loop, lots, starts_ms)
        self.roads = Roads(self.account, (*OURS, *OTHERS), **road)
        self.clock = Clock(loop, starts_ms)
        self.clock.ahead_ms = lots.randint(-OFF_MS, OFF_MS)
        self.facts, self.wrong, self.alarms = [], [], []
        self.booked, self.paid = {}, {}
        self.names = iter(range(1, 10**9))
        self.money_at = -MONEY_APART_S
        self.funded_until = 0
        self.life: Any = None
        self.happenings = []
        self.is_absent = False

    # What happens

    def happen(self):
        deed = self.lots.choices(
            (self.trade, self.wish, self.place, self.fill, self.amend, self.cancel, self.condition,
             self.trigger, self.money, self.force, self.drop, self.expire, self.step_clock,
             self.isolate, self.chatter, self.delist),
            (10, 6 * self.wishes, 3, 4, 1, 2, 1, 1, 3, 0.5, 0.5, 0.2, 0.5, 0.3, 1, 0.1),
        )[0]  # fmt: skip
        self.happenings.append((round(self.loop.time(), 3), deed.__name__))
        deed()

    def name(self):
        return f"{self.lots.choice(WAYS)}_{next(self.names)}"

    def symbol(self):
        symbol = self.lots.choice((BTC, BTC, BTC, ETH, *OTHERS))
        return symbol if symbol in self.roads.symbols else BTC

    def qty(self):
        return Decimal(self.lots.choice((1, 1, 1, 2, 3))) / 10

    def price(self):
        return Decimal(self.lots.choice((99, 100, 100, 101)))

    def trade(self):
        symbol, side = self.symbol(), self.lots.choice(("BUY", "SELL"))
        for _ in range(self.lots.choice((1, 1, 1, 1, 2, 4))):  # in one millisecond
            qty = self.qty()
            order = self.account.place(
                symbol, self.name(), side, qty, ZERO, kind="MARKET",
                is_untold=self.lots.random() < 0.1,
            )  # fmt: skip
            parts = [qty] if self.lots.random() < 0.7 else [qty / 2, qty / 2]
            for part in parts:
                self.account.fill(order, part, self.price())

    def wish(self):
        """Ask for an order of ours, by hand, with a stop now and then."""
        if not self.life.is_begun or self.life.engine.state.status is not Status.RUNNING:
            return
        side = self.lots.choice(tuple(Side))
        fields: dict[str, Any] = {}
        if self.lots.random() < 0.3:
            fields = {"price": Decimal(100), "order_type": OrderType.LIMIT}
        if self.lots.random() < 0.5:
            fields["stop_loss"] = Decimal(90 if side is Side.BUY else 110)
        symbol = self.lots.choice(OURS)
        self.life.take(msg.PlaceRequest(side=side, qty=self.qty(), symbol=symbol, **fields))

    def open_ones(self, *, is_algo=False):
        return [
            each
            for each in self.account.orders.values()
            if each.is_open and each.is_algo is is_algo and each.kind != "MARKET"
        ]

    def place(self):
        if len(self.open_ones()) < 5:
            side = self.lots.choice(("BUY", "SELL"))
            self.account.place(self.symbol(), self.name(), side, self.qty(), self.price())

    def fill(self):
        if orders := self.open_ones():
            order = self.lots.choice(orders)
            left = order.qty - order.done
            part = left if self.lots.random() < 0.5 else left / 2
            self.account.fill(order, part, order.price)

    def amend(self):
        if orders := self.open_ones():
            order = self.lots.choice(orders)
            self.account.amend(order, order.done + self.qty(), self.price())

    def cancel(self):
        orders = self.open_ones() + self.open_ones(is_algo=True)
        if orders:
            self.account.end(self.lots.choice(orders), self.lots.choice(("CANCELED", "EXPIRED")))

    def condition(self):
        if len(self.open_ones(is_algo=True)) < 3:
            side = self.lots.choice(("BUY", "SELL"))
            self.account.place(
                self.symbol(), self.name(), side, self.qty(), self.price(), kind="STOP_MARKET",
                is_algo=True,
            )  # fmt: skip

    def trigger(self):
        if orders := self.open_ones(is_algo=True):
            order = self.lots.choice(orders)
            name = order.name if self.lots.random() < 0.7 else self.name()
            child = self.account.trigger(order, name)
            late = self.lots.choice((0.0, 0.5))
            self.loop.call_later(late, self.account.run_child, order, child, self.price())

    def money(self):
        now = self.loop.time()
        if now - self.money_at < MONEY_APART_S or self.lots.random() < 0.3:
            return
        self.money_at = now
        kind, asset = self.lots.choice(tuple(KINDS)), self.lots.choice(("USDT", "USDT", "BNB"))
        amount = Decimal(self.lots.choice((-40, 25, 25, 3))) / 10
        for _ in range(self.lots.choice((1, 1, 1, 2, 3))):
            self.account.move(kind, amount, asset)

    def fund(self, hour_ms):
        self.money_at = self.loop.time()
        for symbol in (*OURS, *OTHERS):
            self.account.fund(symbol, hour_ms if self.lots.random() < 0.9 else self.account.now_ms)

    def force(self):
        held = [(s, p[0]) for s, p in self.account.positions.items() if p[0]]
        if held:
            symbol, qty = self.lots.choice(held)
            name = self.lots.choice((f"autoclose-{next(self.names)}", "adl_autoclose"))
            order = self.account.place(
                symbol, name, "SELL" if qty > 0 else "BUY", abs(qty), ZERO,
                is_untold=self.lots.random() < 0.5,
            )  # fmt: skip
            self.account.fill(order, abs(qty), self.price())

    def isolate(self):
        self.account.isolated ^= {self.symbol()}

    def delist(self):
        """End a contract that is not traded here, for good."""
        gone = OTHERS[0]
        if gone in self.roads.symbols:
            self.account.settle(gone, self.price())
            self.roads.symbols = tuple(each for each in self.roads.symbols if each != gone)

    def chatter(self):
        """Tell what is of no concern to the books, or of no kind that is known."""
        now = self.account.now_ms
        self.account.tell({"E": now, "T": now, **self.lots.choice(CHATTER)})

    def drop(self):
        self.roads.drop()

    def expire(self):
        self.roads.expire_key()

    def step_clock(self):
        self.clock.ahead_ms = self.lots.randint(-OFF_MS, OFF_MS)

    # Time

    async def storm(self, seconds):
        self.roads.is_storm = True
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            await asyncio.sleep(self.lots.expovariate(self.rate))
            self.happen()
        self.roads.is_storm = False

    async def keep_funding(self):
        while True:
            now = self.account.now_ms
            hour = now - now % HOUR_MS + HOUR_MS
            if self.is_absent:
                hour += 7 * HOUR_MS
            late = self.lots.choice((0.05, 3.2, self.lots.uniform(0.0, PAID_LATE_S)))
            await asyncio.sleep((hour - now) / 1000 + late)
            self.fund(hour)

    async def run(self, seconds, absences=()):
        """Trade for so long in each life; between two of them nobody listens for a time."""
        for _ in range(self.lots.choice((0, 0, 3))):
            self.trade()
        await asyncio.sleep(5.0)
        funding = asyncio.ensure_future(self.keep_funding())
        for epoch, absence_s in enumerate((*absences, 0.0), start=1):
            self.life = Life(self, epoch)
            await self.begin(epoch)
            await self.storm(seconds)
            if absence_s:
                await self.life.end()
                await self.absent(absence_s)
        await asyncio.sleep(CALM_S)
        self.judge()
        await self.life.end()
        funding.cancel()
        await asyncio.sleep(61.0)  # complaints are summed up

    async def begin(self, epoch):
        """Join: while the books are begun nothing happens, while they are taken up it does."""
        if epoch == 1:
            await self.life.begin()
            await asyncio.sleep(8.0)
            return
        joining = asyncio.ensure_future(self.life.begin())
        while not joining.done():
            await asyncio.sleep(self.lots.expovariate(self.rate * 3))
            if not self.life.is_begun:
                self.happen()
        await joining

    async def absent(self, seconds):
        end, self.is_absent = self.loop.time() + seconds, True
        while (now := self.loop.time()) < end:
            await asyncio.sleep(min(self.lots.expovariate(40 / seconds), end - now + 0.01))
            self.happen()
        self.is_absent = False

    # Judging

    def note(self, facts):
        self.facts += facts
        for fact in facts:
            match fact:
                case ev.OrderFilled():
                    self.once(self.booked, (fact.symbol, fact.trade_id), fact)
                case ev.WalletChanged(change_id=name) | ev.FundingPaid(payment_id=name):
                    self.once(self.paid, name, fact)
                case ev.BooksAgreed(trades_until=until) | ev.TradesRead(trades_until=until):
                    self.check_cursor(until, fact)
                case ev.AlarmRaised(code=code):
                    self.alarms.append(code)
                    if code in {"books_differ", "session_error"}:
                        self.wrong.append((self.at(), fact))
                case ev.PositionAdopted(reason=reason) if reason not in {OPENING, SETTLED}:
                    self.wrong.append((self.at(), fact))
                case _:
                    pass

    def at(self):
        return round(self.loop.time(), 3)

    def once(self, seen, name, fact):
        if name in seen:
            self.wrong.append((self.at(), "booked twice", fact, seen[name]))
        seen[name] = fact

    def check_cursor(self, until, fact):
        """See that nothing is left behind that will not be read again."""
        for at, row in self.account.trades:
            ts = row["time"] * NS_PER_MS
            if self.opened_ts <= ts <= until and not self.is_booked(row):
                self.wrong.append((self.at(), "passed an execution", at, row, fact))

    def is_booked(self, row):
        """Tell whether an execution counts; in what was unlisted the ledger's rows may instead."""
        is_gone = row["symbol"] not in self.roads.symbols
        return is_gone or (row["symbol"], str(row["id"])) in self.booked

    @property
    def opened_ts(self):
        return self.life.engine.state.account(MAIN).opened_ts

    def judge(self):
        state, account = self.life.engine.state, self.account
        self.expect("status", state.status, Status.RUNNING)
        self.expect("differences", dict(state.differences), {})
        held = {key[1]: p.qty for key, p in state.positions.items() if p.qty}
        held_there = {symbol: p[0] for symbol, p in account.positions.items() if p[0]}
        self.expect("positions", held, held_there)
        books = state.account(MAIN)
        assets = {*books.assets(), *account.wallets}
        self.expect(
            "wallets",
            {a: books.wallet(a) for a in assets},
            {a: account.wallets.get(a, ZERO) for a in assets},
        )
        ours = {(o.cl_ord_id, o.qty, o.cum_qty) for o in state.all_open_orders()}
        closing = {each for each in ours if each[0] in account.closers}
        self.expect("closing orders", {each[0] for each in closing}, account.closers)
        listed = [o for o in account.orders.values() if o.status in OPEN and not o.closes]
        there = {(o.name, o.qty, o.done): o for o in listed}
        # An audit of few symbols lists nothing of other ones.
        owed = {name for name, o in there.items() if o.symbol in OURS and not o.is_untold}
        self.expect("open orders, missing", owed - ours, set())
        self.expect("open orders, over", ours - closing - there.keys(), set())
        for _, row in account.trades:
            if row["time"] * NS_PER_MS >= self.opened_ts and not self.is_booked(row):
                self.wrong.append(("never booked", row))

    def expect(self, what, ours, theirs):
        if ours != theirs:
            self.wrong.append((what, ours, theirs))


def played(main, seed=1, *, page=1000, **ways):
    """Play one session; return it, with all that is wrong.

    Args:
        main: what happens to the session.
        page: how many rows a list has at most.
    """
    loop, ears = Loop(f"{seed}"), Ears()  # type: ignore[abstract]
    session = Session(loop, random.Random(seed), **ways)
    handshakes._BANNED_UNTIL.clear()
    with ears.listening(), mock.patch.object(reads, "ROWS_MAX", page):
        loop.run(main(session))
    session.wrong += [("nobody took it", each) for each in loop.untaken]
    session.wrong += [("a fault was logged", text) for text in ears.faults]
    secrets = {KEY, SECRET, *session.roads.secrets, *map(quote, session.roads.secrets)}
    session.wrong += [("a secret", t) for t in ears.texts if any(s in t for s in secrets)]
    return session
