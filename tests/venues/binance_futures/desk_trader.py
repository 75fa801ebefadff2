"""Who asks the adapter as the engine does, before `desk_floor`, and judges what it is told."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from holdfast.model.commands import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder
from holdfast.model.messages import (
    ExecType,
    ExecutionReport,
    OrderNotFound,
    OutcomeUnknown,
    Request,
    RequestRefused,
)
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
)
from holdfast.ports import NOT_SENT
from holdfast.simulation.loop import SimLoop
from holdfast.venues.binance_futures import handshakes
from holdfast.venues.binance_futures.adapter import BinanceFuturesVenue
from holdfast.venues.binance_futures.settings import BinanceSettings, Endpoints
from holdfast.venues.binance_futures.streams import LIFETIME_S, Watch
from tests.venues.binance_futures.desk_floor import (
    ALGO_CANCEL,
    ALGO_PLACE,
    ANSWER_S,
    BASE_MS,
    CANCEL,
    COMMANDS,
    KEY,
    MODIFY,
    PLACE,
    QUESTIONS,
    SECRET,
    Floor,
)
from tests.venues.binance_futures.desk_roads import Roads

BTC = Symbol("BTCUSDT")
WINDOW_S = 5.0
LAG_S = 2.0
SKEW_S = 1.0
HAS_CHILD = (OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED)
FENCE_S = WINDOW_S + SKEW_S + LAG_S
TRIES = 4
RATE_MAX = 16
"""How often one thing may be asked for within a second, where all is refused."""

ASKED_AT = (1.0, 3.0, 7.0)
WHERE = Endpoints(
    rest_url="http://venue", stream_url="ws://venue", ws_api_url="ws://venue/ws-fapi/v1"
)
METHODS_OF = {
    Request.SUBMIT: (PLACE, ALGO_PLACE),
    Request.CANCEL: (CANCEL, ALGO_CANCEL),
    Request.REPLACE: (MODIFY,),
}


ED25519 = (
    Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)


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

    def emit(self, record):
        self.texts.append(self.format(record))

    @contextmanager
    def listening(self):
        log = logging.getLogger("holdfast")
        level = log.level
        log.addHandler(self)
        log.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            log.removeHandler(self)
            log.setLevel(level)


class Clock:
    """Ours, so far ahead of the loop's."""

    def __init__(self, loop):
        self.loop, self.ahead_ms = loop, 0

    def now(self):
        return BASE_MS * NS_PER_MS + self.loop.now_ns + self.ahead_ms * NS_PER_MS

    def advance(self, ts):
        pass


@dataclass
class Asked:
    """A command, what was sent for it, and what was told of it."""

    method: str
    name: str
    at: float
    ts: int
    command: object
    is_free: bool  # nothing was to hold it back
    sent: list = field(default_factory=list)
    bad: list = field(default_factory=list)
    doubt_over: float | None = None
    doubted: bool = False
    told: str = ""
    told_at: float = 0.0

    @property
    def fence_ts(self):
        return self.ts + int(FENCE_S * NS_PER_S)

    @property
    def is_answered(self):
        return bool(self.bad) or any(s.is_good for s in self.sent)

    @property
    def is_carried(self):
        return any(s.is_carried for s in self.sent)


class Trader:
    """Asks as the engine does, and judges what it is told."""

    def __init__(self, loop, floor, roads, clock, venue):
        self.loop, self.floor, self.roads = loop, floor, roads
        self.clock, self.venue, self.lots = clock, venue, floor.lots
        self.asked: list[Asked] = []
        self.heard = []
        self.ended: dict[str, OrderStatus] = {}
        self.known: dict[str, ExecutionReport] = {}
        self.names = itertools.count(1)
        self.last_query = {}
        self.wrong: list[Any] = []
        self.calm_at = 0.0
        self.is_in_turn = self.knows_time = True
        floor.note = self.note

    # Commands

    def act(self):
        choice = self.lots.random()
        mine = [a for a in self.asked if a.method in (PLACE, ALGO_PLACE)]
        if choice < 0.4 or not mine:
            self.place(is_algo=self.lots.random() < 0.35)
            return
        first = self.lots.choice(mine)
        if choice < 0.65:
            self.cancel(first)
        elif choice < 0.8 and first.command.order.order_type is OrderType.LIMIT:
            self.replace(first)
        elif choice < 0.9:
            self.move(first.name)
        else:
            self.query(first)

    def move(self, name):
        """Let something happen at the venue."""
        order = self.floor.orders.get(name)
        if order is None or not order.is_open:
            return
        if order.is_algo and order.status == "NEW":
            self.floor.trigger(order)
        else:
            self.floor.fill(order, self.lots.choice((0.5, 1.0)))

    def place(self, *, is_algo):
        role = "S" if is_algo else "E"
        name = ClOrdId(f"hf.1.{next(self.names)}.0.{role}.x")
        fields: dict[str, Any] = {"order_type": OrderType.MARKET}
        if is_algo:
            fields = {
                "order_type": OrderType.STOP_MARKET,
                "trigger_price": Decimal(90),
                "reduce_only": True,
                "role": OrderRole.STOP_LOSS,
            }
        elif self.lots.random() < 0.7:
            fields = {"order_type": OrderType.LIMIT, "price": Decimal(100)}
        side = Side.SELL if is_algo else Side.BUY
        order = NewOrder(cl_ord_id=name, symbol=BTC, side=side, qty=Decimal("0.4"), **fields)
        ts = self.clock.now()
        command = SubmitOrder(order=order, ts=ts, recv_window_ns=int(WINDOW_S * NS_PER_S))
        self.begin(ALGO_PLACE if is_algo else PLACE, name, ts, command, self.venue.submit)

    def cancel(self, first):
        known = self.known.get(first.name)
        is_child = known is not None and known.status in HAS_CHILD
        method = ALGO_CANCEL if first.method == ALGO_PLACE and not is_child else CANCEL
        if first.name in self.ended or self.is_under_way(first.name, CANCEL, ALGO_CANCEL):
            return
        command = CancelOrder(
            account=MAIN,
            symbol=BTC,
            cl_ord_id=first.name,
            is_conditional=method == ALGO_CANCEL,
            ts=self.clock.now(),
            recv_window_ns=int(WINDOW_S * NS_PER_S),
        )
        self.begin(method, first.name, command.ts, command, self.venue.cancel)

    def replace(self, first):
        if first.name in self.ended or self.is_under_way(first.name, MODIFY):
            return
        command = ReplaceOrder(
            account=MAIN,
            symbol=BTC,
            cl_ord_id=first.name,
            side=Side.BUY,
            qty=Decimal(self.lots.choice(("0.1", "0.4"))),
            price=Decimal(self.lots.randint(98, 100)),
            ts=self.clock.now(),
            recv_window_ns=int(WINDOW_S * NS_PER_S),
        )
        self.begin(MODIFY, first.name, command.ts, command, self.venue.replace)

    def is_under_way(self, name, *methods):
        return any(
            a.name == name and a.method in methods and (not a.is_answered or self.is_doubted(a))
            for a in self.asked
        )

    def begin(self, method, name, ts, command, send):
        asked = Asked(method, name, self.loop.time(), ts, command, not self.is_held())
        self.asked.append(asked)
        send(command)

    def is_held(self):
        return self.floor.closed_until > 0.0

    def query(self, first):
        self.venue.query(
            QueryOrder(
                account=MAIN,
                symbol=BTC,
                cl_ord_id=first.name,
                is_conditional=first.method == ALGO_PLACE,
            )
        )

    # Asking after doubts

    def is_doubted(self, asked):
        return asked.doubted and asked.doubt_over is None

    @property
    def doubts(self):
        return [a for a in self.asked if self.is_doubted(a)]

    async def keep_asking(self):
        while True:
            await asyncio.sleep(1.0)
            for asked in self.doubts:
                if self.is_due(asked):
                    self.last_query[id(asked)] = self.clock.now()
                    first = next(a for a in self.asked if a.name == asked.name)
                    self.query(first)

    def is_due(self, asked):
        """Tell whether the engine would ask now: see `engine.asking`."""
        now, last = self.clock.now(), self.last_query.get(id(asked), 0)
        starts = [asked.ts] + ([asked.fence_ts] if now >= asked.fence_ts else [])
        if last < asked.fence_ts <= now:
            return True
        return any(questions(now - each) > questions(last - each) for each in starts)

    async def settle(self):
        """End the storm, and wait until nothing is in doubt any more, or for long enough."""
        self.floor.is_storm = False
        self.calm_at = self.loop.time()
        while self.doubts or any(not each.is_answered for each in self.asked):
            await asyncio.sleep(1.0)
            if self.loop.time() > max(self.calm_at, self.floor.told_until) + 90.0:
                break
        await asyncio.sleep(5.0)

    # What is told

    def note(self, sent):
        if sent.method not in COMMANDS:
            return
        asked = next(
            a
            for a in reversed(self.asked)
            if a.method == sent.method and sent.name in self.names_of(a.name)
        )
        if asked.sent and not (asked.sent[-1].is_sure and asked.sent[-1].answered_at is not None):
            self.complain("sent again in doubt", asked)
        if asked.bad:
            self.complain("sent again after its outcome was told", asked)
        asked.sent.append(sent)
        if len(asked.sent) > 2 * TRIES:
            self.complain("sent too often", asked)

    def complain(self, what, asked):
        self.wrong.append((round(self.loop.time(), 3), what, asked))

    def hear(self, message):
        self.heard.append((self.loop.time(), message))
        match message:
            case OutcomeUnknown():
                asked = self.told_of(message, message.request)
                asked.doubted = True
            case RequestRefused():
                asked = self.told_of(message, message.request)
                asked.told = "refused"
            case ExecutionReport():
                self.hear_report(message)
            case OrderNotFound():
                self.hear_absent(message)
            case _:
                pass

    def told_of(self, message, request):
        methods = METHODS_OF[request]
        asked = next(
            a for a in reversed(self.asked) if a.name == message.cl_ord_id and a.method in methods
        )
        asked.bad.append(message)
        asked.told_at = self.loop.time()
        return asked

    def hear_report(self, report):
        name = report.cl_ord_id
        if report.status is OrderStatus.REJECTED and not report.venue_order_id:
            self.told_of(report, Request.SUBMIT).told = "refused"
            self.ended.setdefault(name, report.status)
            return
        order = self.floor.orders.get(name)
        if order is None:
            self.wrong.append((self.loop.time(), "told of what is not there", report))
            return
        self.check_report(order, report)
        self.check_asked(name, report.asked_ts)
        self.known[name] = report
        if not report.status.is_open:
            self.ended[name] = report.status
        for asked in [a for a in self.doubts if a.name == name]:
            is_over = asked.method in (PLACE, ALGO_PLACE) or not report.status.is_open
            if is_over or report.asked_ts > asked.fence_ts:
                if report.status.is_open and asked.method in (CANCEL, ALGO_CANCEL):
                    asked.told = "never"
                asked.doubt_over = self.loop.time()

    def check_report(self, order, report):
        """See that what is told was so at the venue some time before."""
        states = [(o.status, o.done) for o in (order, order.child) if o is not None]
        for each in (order, order.child):
            if each is not None:
                for _, row in each.past:
                    status = row.get("status") or row["algoStatus"]
                    done = float(row.get("executedQty") or row.get("actualQty") or 0)
                    states.append((status, done))
        words = {"FINISHED": "TRIGGERED", "TRIGGERING": "NEW"}
        told = report.status.name
        seen = {words.get(status, status) for status, _ in states}
        if any(status == "FINISHED" and done >= order.qty for status, done in states):
            seen.add("FILLED")
        if order.child is not None:
            seen.add("TRIGGERED")
        if told not in seen:
            self.wrong.append((self.loop.time(), f"told {told} of {seen}", report))
        if float(report.cum_qty) > max(done for _, done in states):
            self.wrong.append((self.loop.time(), "told more than was done", report))

    def check_asked(self, name, asked_ts):
        """See that what answers a question names the time at which one left."""
        names = self.names_of(name)
        left = [s.at for s in self.floor.log if s.method in QUESTIONS and s.name in names]
        ahead = self.clock.now() / NS_PER_S - self.loop.time()
        if asked_ts and not any(abs(asked_ts / NS_PER_S - at - ahead) < 0.0005 for at in left):
            self.wrong.append((self.loop.time(), "asked at no such time", name))

    def names_of(self, name):
        """Return what an order, and its child, is called where it is asked for."""
        order = self.floor.orders.get(name)
        return {name, f"order-{order.child.number}" if order and order.child else name}

    def hear_absent(self, message):
        name = message.cl_ord_id
        self.check_asked(name, message.asked_ts)
        for asked in [a for a in self.doubts if a.name == name]:
            if message.asked_ts <= asked.fence_ts:
                continue
            asked.doubt_over = self.loop.time()
            if asked.method in (PLACE, ALGO_PLACE):
                asked.told = "never"
                self.ended.setdefault(name, OrderStatus.REJECTED)

    # Judging

    def judge(self):
        """Return what is wrong now that all is over."""
        wrong: list[Any] = []
        for asked in self.asked:
            goods = sum(s.is_good for s in asked.sent)
            if len(asked.bad) + goods != 1:
                wrong.append(("not one outcome", len(asked.bad), goods, asked))
            if asked.told in ("refused", "never") and asked.is_carried:
                wrong.append(("carried out, and told as refused", asked))
            wrong += self.judge_time(asked)
            wrong += self.judge_last(asked)
            if goods:
                wrong += self.judge_good(asked)
        wrong += self.judge_turns() + self.judge_rate()
        if self.knows_time:  # a ban's end is told in the venue's
            wrong += [("knocked while it was shut", each) for each in self.floor.knocks]
        return wrong

    def judge_rate(self):
        """See that nothing is asked for in a circle."""
        times = defaultdict(list)
        for sent in self.floor.log:
            times[sent.method, sent.name].append(sent.at)
        return [
            ("asked for in a circle", what)
            for what, each in times.items()
            if any(later - at < 1.0 for at, later in zip(each, each[RATE_MAX:], strict=False))
        ]

    def judge_turns(self):
        """See that executions of an order are told in their turn, at first."""
        first = dict.fromkeys(
            (message.cl_ord_id, int(message.trade_id))
            for _, message in self.heard
            if isinstance(message, ExecutionReport) and message.trade_id
        )
        turns = [trade for _, trade in first]
        return [("out of turn", turns)] if self.is_in_turn and turns != sorted(turns) else []

    def judge_time(self, asked):
        fence = asked.at + FENCE_S
        latest = max(fence, self.calm_at + 16.0, self.floor.told_until + 2.0) + 5.0
        walled = [self.roads.walled_until.get(each, 0.0) for each in self.names_of(asked.name)]
        latest = max(latest, *walled)
        if asked.doubted and (asked.doubt_over is None or asked.doubt_over > latest):
            return [("in doubt for too long", asked.doubt_over, latest, asked)]
        if asked.told_at > asked.at + WINDOW_S + ANSWER_S + 0.1:
            return [("its outcome was told late", asked.told_at, asked)]
        is_cancel = asked.method in (CANCEL, ALGO_CANCEL)
        if is_cancel and asked.is_free and not (asked.sent and asked.sent[0].at == asked.at):
            return [("a cancel did not leave at once", asked)]
        return []

    def judge_last(self, asked):
        """See that a session that is over refuses nothing, and that a broken connection is told."""
        last = asked.sent[-1] if asked.sent else None
        if last is None or not asked.bad:
            return []
        was_sent = not asked.bad[0].reason.startswith(NOT_SENT)
        is_answered = last.answered_at is not None and last.answered_at <= asked.told_at
        if last.is_unsigned and is_answered and was_sent:
            return [("not done for want of a session", asked)]
        if last.broke_at and self.is_in_turn and asked.told_at > last.broke_at + 0.01:
            return [("its connection broke, and it was told late", asked)]
        return []

    def judge_good(self, asked):
        """See that what was answered as carried out is told in that moment."""
        sent = next(s for s in asked.sent if s.is_good)
        kinds = {PLACE: ExecType.NEW, ALGO_PLACE: ExecType.NEW, CANCEL: ExecType.CANCELED}
        kind = kinds.get(asked.method)
        told = [
            m
            for at, m in self.heard
            if at == sent.answered_at
            and isinstance(m, ExecutionReport)
            and m.cl_ord_id == asked.name
            and (kind is None or m.exec_type is kind)
        ]
        if not told and asked.method != ALGO_CANCEL:
            return [("an answer was not told", asked)]
        return []


def questions(elapsed_ns):
    """Return how many questions are due so long after something."""
    elapsed = elapsed_ns / NS_PER_S
    if elapsed < ASKED_AT[-1]:
        return sum(elapsed >= each for each in ASKED_AT)
    return int((elapsed - ASKED_AT[-1]) // 4) + len(ASKED_AT)


@asynccontextmanager
async def joined(
    loop,
    lots,
    ills=(),
    chance=1.0,
    *,
    secret=SECRET,
    lifetime_s=LIFETIME_S,
    dead_man=(0, 8),
    who=(Floor, Roads, Trader),
):
    """Join before a floor; give who trades there. What is wrong is in `wrong` behind it."""
    make_floor, make_roads, make_trader = who
    trader: Trader
    floor = make_floor(loop, lots, ills, chance)
    roads, clock, ears = make_roads(floor), Clock(loop), Ears()
    clock.ahead_ms = lots.randint(-900, 900)
    handshakes._BANNED_UNTIL.clear()
    dead_man_s = lots.choice(dead_man)
    lag_ns = int(LAG_S * NS_PER_S)
    venue = BinanceFuturesVenue(
        KEY,
        secret,
        clock=clock,
        lifetime_s=lifetime_s,
        settings=BinanceSettings(endpoints=WHERE, dead_man_s=dead_man_s, read_lag_ns=lag_ns),
        random=lots.random,
        open_wire=lambda: roads,
    )
    trader = make_trader(loop, floor, roads, clock, venue)
    with ears.listening():
        await venue.connect([BTC], trader.hear)
        assert venue._orders is not None
        venue._orders.stream._watch = Watch(lifetime_s=lifetime_s)
        roads.is_api_up = lambda orders=venue._orders: orders.is_up
        asking = asyncio.ensure_future(trader.keep_asking())
        try:
            yield trader
        finally:
            asking.cancel()
            await venue.close()
            left = asyncio.all_tasks(loop) - {asyncio.current_task(), asking}
        trader.wrong += trader.judge() if trader.calm_at else []
        await asyncio.sleep(61.0)  # complaints are summed up
    trader.wrong += [("a task is left", each) for each in left]
    secrets = {KEY, SECRET, *roads.secrets, *map(quote, roads.secrets)}
    told = [*ears.texts, *(repr(message) for _, message in trader.heard)]
    trader.wrong += [("a secret was told", t) for t in told if any(s in t for s in secrets)]


def alone(main, seed=1):
    """Run what a test does on a loop of its own; return what is wrong."""
    loop = Loop(f"{seed}")  # type: ignore[abstract]
    trader = loop.run(main(loop, random.Random(seed)))
    trader.wrong += [("nobody took it", each) for each in loop.untaken]
    return trader
