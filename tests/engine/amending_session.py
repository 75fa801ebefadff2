"""A session on a venue that amends, who trades on it, and what must hold at each step."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import msgspec

from holdfast.engine.engine import Engine
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError, SessionStateError
from holdfast.model.messages import ExecType
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    NS_PER_S,
    ZERO,
    OrderRole,
    OrderStatus,
    Side,
    SignalType,
    TradingSessionStatus,
)
from tests.engine.amending_venue import LOT, READ_LAG_NS, AmendingVenue
from tests.engine.rig import BTC, KEY, LIMIT, S


class AmendingSession(AmendingVenue):
    """What is asked of it comes from people, strategies and the engine itself."""

    # What happens

    def happen(self):
        """Let one thing happen: a fill, a wish, the end of the process."""
        open_ones = [each for each in self.held.values() if each.left and each.price is not None]
        draw = self.lots.random()
        if draw < 0.3 and open_ones:
            held = self.lots.choice(open_ones)
            self.fill(held, self._part(held))
            self.judge_reserve()
        elif draw < 0.33 and self.crashes:
            self.crash()
        elif draw < 0.36:
            self.pause_or_resume()
        elif draw < 0.38:
            self.step_clock()
        elif draw < 0.42 and self.cuts and open_ones:
            self.meddle(self.lots.choice(open_ones))
        else:
            self.wish()

    def pause_or_resume(self):
        """Have entries taken back by a pause or by the kill switch, or end that."""
        if self.rig.state.is_killed:
            self._hear(msg.ReleaseKillSwitch(operator="x"))
        elif self.rig.session() is TradingSessionStatus.PAUSED:
            self._hear(msg.ResumeSession())
        elif self.lots.random() < 0.1:
            self._hear(msg.EngageKillSwitch(reason="x"))
        elif self.rig.session() is TradingSessionStatus.RUNNING and self.lots.random() < 0.3:
            self._hear(msg.PauseSession(reason="x"))

    def meddle(self, held):
        """Let somebody else amend an order of ours at the venue, or take it back."""
        self.has_lost = True
        if self.lots.random() < 0.3:
            self._end(held, OrderStatus.CANCELED)
            return
        held.qty, held.price = held.cum + self._qty(), self._price(held.order.side)
        self._say(held, ExecType.REPLACED)

    def wish(self):
        orders = [o for o in self.rig.state.all_open_orders() if o.price is not None]
        ended = [o for o in self.rig.state.orders.values() if o.price is not None and not o.is_open]
        draw = self.lots.random()
        if not orders or draw < 0.2:
            self._ask(self._entry())
        elif draw < 0.25:
            self._ask(self._exit())
        elif draw < 0.26:
            self._ask(msg.CloseRequest(symbol=BTC))
        elif draw < 0.3:
            target = self._qty() * self.lots.choice((1, -1))
            self._ask(msg.AdjustRequest(symbol=BTC, target_qty=target))
        elif draw < 0.45:
            order = self.lots.choice(orders)
            self._ask(self.lots.choice((_cancel, _take_back))(order))
        else:
            order = self.lots.choice(ended if ended and self.lots.random() < 0.05 else orders)
            self._ask(self._amendment(order))

    def _exit(self):
        side = Side.SELL if self.rig.qty() > ZERO else Side.BUY
        fields = {"order_type": LIMIT, "price": self._price(side), "reduce_only": True}
        return msg.PlaceRequest(symbol=BTC, side=side, qty=self._qty(), **fields)

    def _entry(self):
        side = self.lots.choice(tuple(Side))
        fields = {"price": self._price(side), "order_type": LIMIT}
        if self.lots.random() < 0.5:
            return msg.PlaceRequest(symbol=BTC, side=side, qty=self._qty(), **fields)
        kind = SignalType.BUY if side is Side.BUY else SignalType.SELL
        draw = self.lots.random()
        if draw < 0.3:
            fields["stop_loss"] = Decimal(80 if side is Side.BUY else 120)
        elif draw < 0.5:
            fields["algo"] = self.lots.choice(("iceberg:show=0.5", "twap:over=6s,slices=3"))
        return SignalGenerated(
            symbol=BTC, strategy_id=S, signal_type=kind, quantity=self._qty(), **fields
        )

    def _amendment(self, order):
        near = (order.cum_qty + LOT, order.reported_qty + LOT, order.cum_qty or LOT)
        first = order.request
        qty = self.lots.choice((None, self._qty(), first.qty, order.qty * 2, *near))
        price = self.lots.choice((None, self._price(order.side), first.price))
        fields = {"cl_ord_id": order.cl_ord_id, "qty": qty, "price": price}
        if order.request.strategy_id == S and self.lots.random() < 0.8:
            return OrderWish(strategy_id=S, **fields)
        return msg.ModifyRequest(**fields)

    def _qty(self):
        return LOT * self.lots.randint(1, 40)

    def _price(self, side):
        return Decimal(100 - side.sign * self.lots.randint(1, 4))

    def _ask(self, message):
        """Hear a wish; what can't be carried out is refused by an error, and nothing is done."""
        with suppress(InputError, SessionStateError):
            self._hear(message)

    # What must hold

    def _hear(self, message):
        before = {
            o.cl_ord_id: (o.replace, o.cancel, _has_ended(o))
            for o in self.rig.state.orders.values()
        }
        self.rig.now = self.now
        self.rig.hear(message)
        if not self.has_lost:
            self._judge_commands(message, before)
            self._judge_told(before)
        self._carry_out()
        self.judge_reserve()

    def _judge_commands(self, message, before):
        """No amendment but the one that is wished for, and nothing of an order that has ended."""
        for command in self.rig.asked:
            if isinstance(command, cmd.CancelOrder | cmd.ReplaceOrder):
                assert not before[command.cl_ord_id][2], command
            if isinstance(command, cmd.CancelOrder):
                refused = {fact.cl_ord_id for fact in self.rig.told(ev.CancelRejected)}
                is_asked = before[command.cl_ord_id][1] is not RequestState.NONE
                assert not is_asked or command.cl_ord_id in refused, command
            if isinstance(command, cmd.SubmitOrder):
                self._judge_part(command.order)
        sent = [each for each in self.rig.asked if isinstance(each, cmd.ReplaceOrder)]
        if not sent:
            return
        [only] = sent
        assert isinstance(message, msg.ModifyRequest | OrderWish), message
        assert only.cl_ord_id == message.cl_ord_id
        assert message.qty in (None, only.qty)
        assert message.price in (None, only.price)
        assert before[only.cl_ord_id][0] is RequestState.NONE
        order = self.rig.order(only.cl_ord_id)
        assert min(only.qty, order.qty) > max(order.cum_qty, order.reported_qty)

    def _judge_part(self, order):
        """No part makes a whole more than was wished for, whatever its others have become."""
        parent = self.rig.state.parents[order.parent_id]
        if order.role is OrderRole.ENTRY:
            others = [each for each in parent.children if each != order.cl_ord_id]
            done = sum((self.held[each].cum for each in others if each in self.held), ZERO)
            possible = self._possible()
            left = sum((possible[each][1] for each in others if each in possible), ZERO)
            assert order.qty + done + left <= parent.start.qty, (order, done, left)

    def _judge_told(self, before):
        """What is told of an amendment or a cancel is what came of it."""
        for fact in self.rig.news:
            match fact:
                case ev.OrderReplaced():
                    if ask := self._asked(fact.cl_ord_id, cmd.ReplaceOrder, before):
                        ask.told = "done"
                        asked = (ask.command.qty, ask.command.price)
                        assert (ask.fate, fact.qty, fact.price) == ("done", *asked), fact
                case ev.ReplaceRejected():
                    if ask := self._asked(fact.cl_ord_id, cmd.ReplaceOrder, before):
                        ask.told = "refused"
                        assert ask.fate not in {"done", "ended"}, fact
                case ev.CancelRejected():
                    if ask := self._asked(fact.cl_ord_id, cmd.CancelOrder, before):
                        ask.told = "refused"
                        assert ask.fate != "done", fact
                case _:
                    pass

    def _asked(self, name, kind, before):
        """Return what was asked last of an order, where that was not answered yet."""
        was = before[name][0 if kind is cmd.ReplaceOrder else 1]
        if was is RequestState.NONE:
            return None
        return [a for a in self.asks if a.name == name and type(a.command) is kind][-1]

    def judge_reserve(self):
        """What the engine reserves is no less than what the venue could make of it."""
        if self.has_lost:
            return
        reach = self.rig.engine.core.exposure.reach(KEY)
        opens, closes = {Side.BUY: ZERO, Side.SELL: ZERO}, {Side.BUY: ZERO, Side.SELL: ZERO}
        for name, (order, left, price) in self._possible().items():
            (closes if order.reduce_only else opens)[order.side] += left
            if left and price is not None:
                known = self.rig.order(name)
                assert max(known.price, known.replace_price) >= price, (name, known, price)
                assert order.reduce_only or reach.price >= price, (name, reach, price)
        for side in Side:
            closed = min(closes[side], self._room(side))
            far = self.qty + side.sign * (closed + opens[side])
            ours = reach.longest if side is Side.BUY else reach.shortest
            assert (ours - far) * side.sign >= ZERO, (side, ours, far)

    def _possible(self):
        """Return what each order could still fill, and its dearest price, by what is under way."""
        found = {}
        on_way = [a for a in self.asks if not a.fate and self.now + self.ahead <= a.until]
        for ask in self.asks:
            if isinstance(ask.command, cmd.SubmitOrder):
                held, order = self.held.get(ask.name), ask.command.order
                may_be = held.status.is_open if held else ask in on_way
                cum = held.cum if held else ZERO
                now = (held.qty, held.price) if held else (order.qty, order.price)
                sizes = [now] + [
                    (each.command.qty, each.command.price)
                    for each in on_way
                    if isinstance(each.command, cmd.ReplaceOrder) and each.name == ask.name
                ]
                left = max(qty for qty, _ in sizes) - cum if may_be else ZERO
                prices = [price for _, price in sizes if price is not None]
                found[ask.name] = (order, left, max(prices, default=None))
        return found

    # Time

    def crash(self):
        """Begin a new process from the facts; a power cut has taken the last of them."""
        rig = self.rig
        if self.cuts and (lost := self.lots.choice((0, 1, 2, 5, 10))):
            begun = next(i for i, f in enumerate(rig.facts) if isinstance(f, ev.WalletChanged))
            rig.facts = rig.facts[: max(len(rig.facts) - lost, begun + 10)]
            self.has_lost = True
        facts = msgspec.json.decode(msgspec.json.encode(rig.facts), type=list[ev.Event])
        rig.engine = Engine(rig.settings, facts, read_lag_ns=READ_LAG_NS)
        rig.now = self.now
        self._wanted, self._is_reading = None, False
        rig.begin(is_resumed=True)
        rig.price(100)
        self._carry_out()

    def run(self, storm_s, rate):
        """Let things happen for so long, and come to rest."""
        self._after(10, self._audit)
        self._after(1, self._tick)
        at_s = 0.0
        while (at_s := at_s + self.lots.expovariate(rate)) < storm_s:
            self._after(at_s, self.happen)
        self._until(self.now + round(storm_s * NS_PER_S))
        self.trouble = self.dropped = 0.0
        self._until(self.now + 20 * NS_PER_S)
        for _ in range(2):
            if self.rig.state.is_killed or self.rig.session() is TradingSessionStatus.PAUSED:
                self.pause_or_resume()
        self._until(self.now + 40 * NS_PER_S)


def _has_ended(order):
    return not order.is_open or order.ending is not None


def _cancel(order):
    return msg.CancelRequest(cl_ord_id=order.cl_ord_id, reason="x")


def _take_back(order):
    return OrderWish(strategy_id=S, cl_ord_id=order.cl_ord_id, is_cancel=True)
