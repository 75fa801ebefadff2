"""An engine between people and strategies who wish, time that passes, and a venue that is slow.

Whatever happens is one step; `Promises` looks on at each message.
"""

from __future__ import annotations

import heapq
from decimal import Decimal

from holdfast.engine.algos import find
from holdfast.model import commands as cmd
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError, UnknownOrderError
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    NS_PER_MS,
    NS_PER_S,
    OPERATOR,
    ZERO,
    ClOrdId,
    OrderRole,
    OrderType,
    SessionId,
    Side,
    SignalType,
    StrategyId,
    TimeInForce,
    TradingSessionStatus,
)
from tests.engine.parts_promises import Promises
from tests.engine.parts_venue import STEP, PartsVenue
from tests.engine.rig import BTC, KEY, Rig

STRATEGIES: tuple[StrategyId, ...] = (StrategyId("a"), StrategyId("b"))
CLOCK_OFF_MS = 300
SPANS_S = (0.05, 0.3, 0.3, 1, 1, 1, 1, 2.5, 2.5, 7, 7, 21)
CALM_S, CALM_S_MAX = 45, 300
"""So long at least, and at most while something is to be sent yet: a breaker may be open for a
minute, and then a part be denied for another one.
"""

ENDED = (TradingSessionStatus.STOPPED, TradingSessionStatus.ERROR)
"""Behind these a start begins a session of its own."""

PEOPLES_FAULTS = (InputError, SessionStateError, UnknownOrderError)


class World:
    """One session and its venue.

    Args:
        lots: draws all that is left to chance.
        eager: how readily requests arrive and words are heard, of 1.
        rough: how often something goes wrong at the venue, of 1.
        dropped: the share of the venue's words that are never heard.
        deeds: what may happen, by name; each as often as it is named.
    """

    def __init__(self, lots, *, eager=0.7, rough=0.5, dropped=0.1, deeds=(), **settings):
        self.lots = lots
        self.eager = eager
        self.deeds = deeds
        limits = {
            "duplicate_window_s": 0,
            "max_daily_loss_pct": Decimal(1),
            "position_size_pct": lots.choice((Decimal("0.1"), Decimal("0.1"), Decimal("0.03"))),
            "max_messages": lots.choice((100, 100, 45)),  # of which 30 are kept for exits
        }
        self.rig = Rig(start=False, limits=limits, symbols=(BTC,), **settings)
        self.venue = PartsVenue(lots, rough=rough, dropped=dropped)
        if lots.random() < 0.3:
            self.venue.list_anew(is_new=True)
        self.session, self.strategies = "", STRATEGIES
        self.timers = []
        self.promises = Promises(self.rig, self.venue)
        self._start(is_resumed=False)
        self.settle()

    # Steps

    def step(self):
        """Let one thing happen, and some of what follows from it."""
        getattr(self, self.lots.choice(self.deeds))()
        if self.lots.random() < 0.25:
            self._unblock()
        while self.lots.random() < self.eager:
            if not self._move_on():
                break

    def _move_on(self):
        """Let a request arrive, or a word be heard; tell whether there was one."""
        venue = self.venue
        if venue.under_way and (not venue.due or self.lots.random() < 0.5):
            venue.arrive()
        elif venue.due:
            word = venue.due.pop(self.lots.randrange(len(venue.due)))
            self.hear(self._listing() if isinstance(word, msg.InstrumentListed) else word)
        else:
            return False
        return True

    def settle(self):
        while self._move_on():
            pass

    def hear(self, message):
        """Have the engine hear a message, and send on what it asks for."""
        self.rig.now = self.venue.ours()
        self.promises.before(message)
        try:
            self.rig.hear(message)
        except PEOPLES_FAULTS:
            assert isinstance(message, msg.OperatorMessage)
            return
        for command in self.rig.asked:
            if isinstance(command, cmd.SetTimer):
                heapq.heappush(self.timers, (command.due_ts, command.parent_id))
            elif not isinstance(command, cmd.Notify):
                self.venue.ask(command)
        self.promises.after(message)

    # Time and the market

    def time(self):
        span_s = 70 if self.lots.random() < 0.01 else self.lots.choice(SPANS_S)
        self._pass(int(span_s * NS_PER_S))

    def _pass(self, span_ns, *, is_fresh=True):
        self.venue.pass_time(span_ns)
        if is_fresh and self.lots.random() < 0.9:
            self._show_price()
        self._ring()
        if self.lots.random() < 0.8:
            self.hear(msg.Tick())

    def _ring(self):
        while self.timers and self.timers[0][0] <= self.venue.ours():
            self.hear(msg.TimerFired(parent_id=heapq.heappop(self.timers)[1]))

    def _show_price(self):
        self.rig.now = self.venue.ours()
        self.rig.price(float(self.venue.price))

    def set_clock(self):
        self.venue.off_ns = self.lots.randint(-CLOCK_OFF_MS, CLOCK_OFF_MS) * NS_PER_MS

    def market(self):
        move = Decimal(self.lots.choice((-40, -10, -5, -1, 1, 5, 10, 40))) * STEP
        price = self.venue.price + move
        if 80 < price < 120:
            self.venue.move_price(price)
            self._show_price()

    def taker(self):
        self.venue.take_resting(wholly=self.lots.random() < 0.5)
        self.venue.finish_triggered()

    def audit(self):
        self.hear(msg.AuditDue(reason="audit"))

    # Wishes

    def wish(self):
        kind = self.lots.choice((SignalType.BUY, SignalType.BUY, SignalType.SELL))
        side = Side.BUY if kind is SignalType.BUY else Side.SELL
        fields = self._terms(side)
        fields["stop_loss"] = fields["stop_loss"] or ZERO  # none, and not the settings'
        self.hear(
            SignalGenerated(
                signal_type=kind,
                symbol=BTC,
                strategy_id=self.lots.choice(STRATEGIES),
                quantity=fields.pop("qty"),
                take_profit=self.lots.choice((None, ZERO, ZERO)),
                **fields,
            )
        )

    def place(self):
        side = self.lots.choice((Side.BUY, Side.BUY, Side.SELL))
        self.hear(msg.PlaceRequest(symbol=BTC, side=side, **self._terms(side)))

    def place_exit(self):
        held, known = self.rig.qty(), self.rig.state.instruments[KEY]
        side = Side.SELL if held > 0 else Side.BUY
        most = min(abs(held) + STEP, known.max_market_qty)
        qty = known.round_qty(self._qty(int(most / STEP)))
        terms = {"symbol": BTC, "side": side, "qty": qty, "reduce_only": True}
        if self.lots.random() < 0.4:
            off = self.lots.choice((-5, 0, 5, 20)) * STEP
            price = known.round_price(self.venue.price - off * side.sign)
            terms.update(order_type=OrderType.LIMIT, price=price)
        if qty >= known.min_qty:
            self.hear(msg.PlaceRequest(**terms))

    def close(self):
        qty = self.lots.choice((None, self._qty(10)))
        self.hear(
            SignalGenerated(
                signal_type=SignalType.CLOSE,
                symbol=BTC,
                strategy_id=self.lots.choice(STRATEGIES),
                quantity=qty,
            )
        )

    def close_by_hand(self):
        self.hear(msg.CloseRequest(symbol=BTC))

    def adjust(self):
        if self.rig.state.instruments[KEY].is_on_lot(self.rig.qty()):
            target = self.lots.randint(-20, 20) * STEP
            self.hear(msg.AdjustRequest(symbol=BTC, target_qty=target))

    def _qty(self, most):
        return Decimal(self.lots.randint(1, most)) * STEP

    def _terms(self, side):
        """Draw how an entry is to be worked; now and then in parts too small for its contract."""
        lots, qty = self.lots, Decimal(self.lots.randint(3, 32)) * STEP
        algo = lots.choice(("", "twap", "twap", "iceberg", "iceberg"))
        terms = {"qty": qty, "order_type": OrderType.MARKET, "stop_loss": None}
        if algo == "iceberg" or lots.random() < 0.5:
            off = Decimal(lots.choice((-20, -5, 0, 5))) * STEP
            terms["order_type"] = OrderType.LIMIT
            terms["price"] = self.venue.price + off * side.sign
            tifs = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTX, TimeInForce.IOC)
            terms["time_in_force"] = lots.choice(tifs[: 3 if algo == "iceberg" else 4])
        if lots.random() < 0.5:
            away = Decimal(lots.choice((3, 6, 15)))
            terms["stop_loss"] = self.venue.price - away * side.sign
        slices = lots.randint(2, 5)
        if algo == "twap":
            algo = f"twap:over={lots.choice((slices, 2 * slices, 15))}s,slices={slices}"
        elif algo == "iceberg":
            algo = f"iceberg:show={max(qty / slices, STEP * 2).quantize(STEP)}"
        return {**terms, "algo": algo}

    # What is wished of orders that are open

    def _an_entry(self):
        entries = [o for o in self.rig.state.all_open_orders() if o.role is OrderRole.ENTRY]
        return self.lots.choice(entries) if entries else None

    def cancel(self):
        if order := self._an_entry():
            self.hear(msg.CancelRequest(cl_ord_id=order.cl_ord_id))

    def cancel_an_exit(self):
        exits = [o for o in self.rig.state.all_open_orders() if o.role is not OrderRole.ENTRY]
        if exits:
            self.hear(msg.CancelRequest(cl_ord_id=self.lots.choice(exits).cl_ord_id))

    def end_whole(self):
        """Take back what goes out in parts, by its number or any part's id, by hand or not."""
        state = self.rig.state
        wholes = [p for p in state.parents.values() if find(p.start.algo)[1]]
        if not wholes:
            return
        parent = self.lots.choice(wholes)
        parts = [o.cl_ord_id for o in state.children(parent) if o.role is OrderRole.ENTRY]
        name = ClOrdId(self.lots.choice([parent.parent_id, *parts]))
        strategy = parent.strategy_id
        if strategy == OPERATOR or self.lots.random() < 0.5:
            self.hear(msg.CancelRequest(cl_ord_id=name))
        else:
            self.hear(OrderWish(strategy_id=strategy, cl_ord_id=name, is_cancel=True))

    def modify(self):
        if order := self._an_entry():
            self.hear(msg.ModifyRequest(cl_ord_id=order.cl_ord_id, **self._other(order)))

    def take_back(self):
        if order := self._an_entry():
            strategy = order.request.strategy_id
            if strategy != OPERATOR:
                name = order.cl_ord_id
                self.hear(OrderWish(strategy_id=strategy, cl_ord_id=name, is_cancel=True))

    def amend(self):
        if order := self._an_entry():
            strategy = order.request.strategy_id
            fields = self._other(order)
            self.hear(OrderWish(strategy_id=strategy, cl_ord_id=order.cl_ord_id, **fields))

    def _other(self, order):
        if order.price is None or self.lots.random() < 0.5:
            return {"qty": self._qty(20)}
        return {"price": order.price + self.lots.choice((-5, -1, 1, 5)) * STEP}

    # The session

    def pause(self):
        self.hear(msg.PauseSession(reason="lunch"))

    def kill(self):
        self.hear(msg.EngageKillSwitch(reason="enough", flatten=self.lots.random() < 0.5))

    def fail_strategy(self):
        self.hear(msg.StrategyFailed(strategy_id=self.lots.choice(STRATEGIES), reason="raised"))

    def stop(self):
        self.hear(msg.StopSession(reason="home", flatten=self.lots.random() < 0.3))

    def fail(self):
        self.hear(msg.FailSession(reason="odd"))

    def failures(self):
        """So many failures of the venue that nothing is opened for a minute."""
        for _ in range(5):
            self.hear(msg.VenueFailure(failure="venue", reason="out of order"))

    def dead_man(self):
        """The venue takes back what rests of a session that it does not hear of."""
        for name in self.venue.take_back_all():
            self.promises.back.add(name)

    def stranger(self):
        """Somebody else trades on the account."""
        self.venue.trade_for_others(self.lots.randint(-8, 8) * STEP)
        self.promises.has_strangers = True

    def link(self):
        self.hear(msg.VenueLink(is_up=False, reason="gone"))

    def _unblock(self):
        """Undo what keeps anything from being opened."""
        state = self.rig.state
        if self.rig.engine.core.market.accounts_cut_off:
            self.hear(msg.VenueLink(is_up=True))
        if state.is_killed:
            self.hear(msg.ReleaseKillSwitch(operator="me"))
        for strategy_id in tuple(state.stopped_strategies):
            self.hear(msg.StrategyAttached(strategy_id=strategy_id, description="again"))
        if self.rig.session() is TradingSessionStatus.PAUSED:
            self.hear(msg.ResumeSession())
        if self.rig.session() is TradingSessionStatus.ERROR:
            self.hear(msg.ResetSession(reason="looked at"))
        if self.rig.session() is TradingSessionStatus.STOPPED:
            self.venue.pass_time(NS_PER_S)
            self._start(is_resumed=False)

    def list_anew(self):
        """The contract changes; it is heard of at once, or later."""
        self.venue.list_anew()
        self._list()

    def _list(self):
        self.venue.due.append(self._listing())

    def _listing(self):
        """Return the contract as it is now: of two listings none is heard behind a later one."""
        return msg.InstrumentListed(instrument=self.venue.contract, leverage=10)

    def refuse(self):
        """The venue takes no orders of some kind for a while; or all again."""
        stops, exits = (OrderRole.STOP_LOSS,), (OrderRole.EXIT,)
        kinds = ((), stops, exits, stops + exits, (OrderRole.ENTRY,), (OrderRole.TAKE_PROFIT,))
        self.venue.refuses = self.lots.choice(kinds)

    def crash(self):
        """The process ends, and another one takes its journal over."""
        self.venue.cut_off()
        self.timers.clear()
        away_ns = int(self.lots.choice((1, 1, 3, 12, 40)) * NS_PER_S)
        self.venue.pass_time(away_ns)
        self.rig.refold()
        self._start(is_resumed=self.rig.session() not in ENDED)

    def tear(self):
        """A power cut takes what the last message led to, or its commands alone."""
        word = self.venue.due.pop() if self.venue.due else msg.Tick()
        self.rig.now = self.venue.ours()
        self.rig.hear(self._listing() if isinstance(word, msg.InstrumentListed) else word)
        before = len(self.rig.facts) - len(self.rig.news)
        if self.lots.random() < 0.5:
            self.rig.news = []
        self.rig.facts[before:] = self.rig.news
        self.promises.torn()
        self.crash()

    def _start(self, *, is_resumed):
        self.rig.epoch += 1
        self.session += "" if is_resumed else "x"
        if self.lots.random() < 0.1:
            self.strategies = STRATEGIES[: self.lots.randint(0, 2)]
        self.hear(
            msg.StartSession(
                session_id=SessionId(self.session),
                portfolio_id="p",
                epoch=self.rig.epoch,
                symbols=(BTC,),
                strategies=self.strategies,
                is_resumed=is_resumed,
            )
        )
        self.hear(self._listing())
        self._show_price()

    # The calm

    def come_to_rest(self):
        """Let all go well for so long that nothing is left to be done."""
        self._calm_down()
        for second in range(CALM_S_MAX):
            if second > CALM_S and not self._is_working():
                break
            self._unblock()
            self.venue.pass_time(NS_PER_S)
            self._show_price()
            self._ring()
            self.hear(msg.Tick())
            if second % 10 == 9:
                self.audit()
            if second > 2:
                for _ in self.venue.open_orders():
                    self.venue.take_resting(wholly=True)
                self.venue.finish_triggered()
            self.settle()

    def _is_working(self):
        return any(each.wake_ts is not None for each in self.rig.state.parents.values())

    def _calm_down(self):
        venue = self.venue
        venue.rough = venue.dropped = 0
        venue.refuses = ()
        venue.contract = venue.plain_contract()
        self._list()
        self.settle()
        for asked in venue.under_way:
            asked.is_answered = True
