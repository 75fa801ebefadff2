"""What is promised of entries in parts, looked at from outside at each message and in the end."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from holdfast.engine.algos import find
from holdfast.engine.algos import iceberg as icebergs
from holdfast.engine.algos import twap as twaps
from holdfast.engine.parts import worked
from holdfast.engine.protection import REFUSALS_MAX
from holdfast.engine.refusals import is_put_off
from holdfast.engine.reports import UNWANTED
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.order_wish import OrderWish
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import (
    MAIN,
    OPERATOR,
    ZERO,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    SignalType,
    TradingSessionStatus,
)
from tests.engine.parts_venue import PASSING
from tests.engine.rig import BTC, KEY

RUNNING = TradingSessionStatus.RUNNING
ENDINGS = (msg.EngageKillSwitch, msg.StopSession, msg.FailSession)


WRONG = (
    "books_differ",
    "session_error",
    "order_forgotten",
    "order_appeared",
    "order_adopted",
    "order_lost",
    "order_larger",
)
"""Alarms for which this venue gives no cause."""


class Promises:
    """Holds an engine's deeds against what was promised, by the venue's own count."""

    def __init__(self, rig, venue):
        self.rig = rig
        self.venue = venue
        self.has_strangers = False
        self.back = set()  # parts that somebody has taken back, and no pause
        # Of parents, by their ids:
        self.more: Counter[str] = Counter()  # by how much parts were asked to be larger
        self.ended, self.never_begun = set(), set()
        self.told: Counter[str] = Counter()  # how often it was told of an end
        self.own = (
            set()
        )  # of which its own strategy, or its stop, has closed a part, or that it ended
        self.sent = {}  # the entries that were sent, oldest first
        self._going_on = set()  # before the message
        self._barred = {}  # what kept further parts from going out before the message
        self._named = set()  # strategies that the last life began with

    # At each message

    def before(self, message):
        self._barred = {p.parent_id: self._bars(p) for p in self._worked()}
        self._going_on = {p.parent_id for p in worked(self.rig.state, KEY)}

    def after(self, message):
        state = self.rig.state
        self._note_ends(message)
        if isinstance(message, msg.StartSession):
            self._named = {*message.strategies}
        if state.status is not RUNNING or state.is_killed:
            self.never_begun.update(fact.parent_id for fact in self.rig.told(ev.ParentStarted))
        self._note_taken_back()
        for order in self.rig.submitted():
            if order.role is OrderRole.ENTRY:
                self._look_at_part(order, state.parents[order.parent_id])
            if not isinstance(message, msg.AdjustRequest):  # a person's amounts are as they are
                self._look_at_size(order)
        self._note_alarms()
        self._look_at_sums()

    def torn(self):
        """Look at what was committed, and at nothing that left."""
        self._note_alarms()

    def _worked(self):
        state = self.rig.state
        return [p for p in state.parents.values() if find(p.start.algo)[1]]

    def _bars(self, parent):
        """Say why no part of a parent may follow by what is known."""
        state = self.rig.state
        bars = {
            "it has ended": parent.parent_id in self.ended | self.own,
            "the session takes no risk": state.status is not RUNNING or state.is_killed,
            "its strategy was stopped": parent.strategy_id in state.stopped_strategies,
            "a part of it was closed": _is_closed_in_part(parent),
            "its stop was refused": parent.open_qty and parent.stop_failures >= REFUSALS_MAX,
        }
        named = {why for why, is_so in bars.items() if is_so}
        for each in state.children(parent):
            if why := self._bar_of_child(parent, each):
                named.add(f"{each.cl_ord_id} {why}")
        for each in state.open_orders_of(KEY):
            if _closes(each, parent):
                named.add(f"{each.cl_ord_id} closes it")
        return named

    def _bar_of_child(self, parent, each):
        if each.role is OrderRole.STOP_LOSS:
            return "is a stop that trades" if each.is_open and each.is_closing else ""
        if each.role is not OrderRole.ENTRY:
            return ""
        if each.status is OrderStatus.CANCELED and not each.cancel_is_pause:
            return "was taken back"
        if each.is_refused and not is_put_off(each):
            return "was refused"
        is_iceberg = parent.start.algo.startswith("iceberg")
        return "is shown" if each.is_open and is_iceberg else ""

    def _note_ends(self, message):
        """Whatever ends trading ends all that was begun before."""
        for parent in self._worked():
            if _is_closed_in_part(parent) and not parent.taken_qty:
                self.own.add(parent.parent_id)
            is_own = isinstance(message, msg.StrategyFailed)
            is_own = is_own and message.strategy_id == parent.strategy_id
            is_new = isinstance(message, msg.StartSession) and self._is_begun_anew(message, parent)
            is_flat = isinstance(message, msg.AdjustRequest) and not message.target_qty
            is_closed = isinstance(message, msg.CloseRequest) or is_flat
            is_closed = is_closed or self._is_taken_back(message, parent)
            if isinstance(message, ENDINGS) or is_own or is_new or is_closed:
                self.ended.add(parent.parent_id)
            if parent.parent_id in self._going_on and self._is_turned_from(message, parent):
                self.own.add(parent.parent_id)

    def _is_turned_from(self, message, parent):
        """Tell whether its own strategy wants the opposite, or nothing, from now on."""
        if not isinstance(message, SignalGenerated) or message.strategy_id != parent.strategy_id:
            return False
        denied = [fact.rule for fact in self.rig.told(ev.SignalDenied)]
        if denied and denied != ["close"] and not self.rig.told(ev.ParentStarted):
            return False
        if message.signal_type is SignalType.CLOSE:
            return message.quantity is None
        return (message.signal_type is SignalType.BUY) != (parent.side is Side.BUY)

    def _is_taken_back(self, message, parent):
        """Tell whether a person or its strategy takes it back, by whichever name."""
        if isinstance(message, OrderWish):
            if not message.is_cancel or message.strategy_id != parent.strategy_id:
                return False
            if message.strategy_id in self.rig.state.stopped_strategies:
                return False
        elif not isinstance(message, msg.CancelRequest):
            return False
        children = self.rig.state.children(parent)
        entries = {o.cl_ord_id for o in children if o.role is OrderRole.ENTRY}
        return message.cl_ord_id in {parent.parent_id, *entries}

    def _is_begun_anew(self, message, parent):
        is_left_out = parent.strategy_id in self._named - {*message.strategies}
        return not message.is_resumed or is_left_out

    def _look_at_part(self, order, parent):
        parts = self.sent.setdefault(parent.parent_id, [])
        parts.append((order, self.rig.engine.core.now))
        name, _, _ = parent.start.algo.partition(":")
        whole, qty = parent.start.qty, order.qty
        if name not in {"twap", "iceberg"}:
            assert len(parts) == 1
            assert qty == whole
            return
        bars = self._barred.get(parent.parent_id, set()) & self._bars(parent)
        assert not bars, (order.cl_ord_id, bars)
        assert parent.parent_id not in self.ended | self.own
        if len(parts) > 1:
            self._look_at_stop(order, parent)
        terms = find(parent.start.algo)[1]
        if name == "twap":
            self._look_at_slice(parent, parts, twaps.read(terms))
        else:
            assert qty <= icebergs.read(terms) * Decimal("1.5")

    def _look_at_stop(self, order, parent):
        """No part would be closed by its own stop at once."""
        stop, sign = parent.start.stop_loss, order.side.sign
        market = self.rig.engine.core.market.price(BTC)
        if stop is not None:
            fills_at = min(order.price or market, market, key=lambda price: price * sign)
            assert (fills_at - stop) * sign > ZERO, (fills_at, stop)

    def _look_at_slice(self, parent, parts, schedule):
        slots = [(ts - parent.start.ts) // schedule.interval_ns for _, ts in parts]
        assert len(slots) == len(set(slots)), slots
        assert slots[-1] < schedule.slices
        first = parent.start.qty / schedule.slices
        assert parts[-1][0].qty <= 2 * first

    def _look_at_size(self, order):
        parent = self.rig.state.parents[order.parent_id]
        is_direct = parent.start.order.role is OrderRole.ENTRY and not find(parent.start.algo)[1]
        if order.close_position or is_direct:  # one that could only close is the venue's to judge
            return
        instrument = self.rig.state.instruments[KEY]
        assert instrument.takes(order.qty), (order, instrument.lot, instrument.min_qty)
        if order.price is None:
            assert order.qty <= instrument.max_market_qty, order

    def _note_alarms(self):
        for fact in self.rig.told(ev.AlarmRaised):
            if fact.code == "algo_short":
                name = fact.text.split(" of ", 1)[0].rsplit(" ", 1)[1]
                self.told[name] += 1
                self.ended.add(name)
                self._look_at_reason(name, fact.text.partition(" filled: ")[2])
            assert fact.code not in WRONG or fact.text == "odd", fact.text

    def _look_at_reason(self, parent_id, reason):
        """No part ends all of it by what was not done to it for good."""
        parent = self.rig.state.parents[parent_id]
        assert parent.taken_qty or not _is_closed_in_part(parent), reason
        name, _, what = reason.partition(" was ")
        if what.startswith("taken back"):
            assert name in self.back, reason
        if what.startswith("refused"):
            assert self.venue.refused[name] not in PASSING, reason

    def _note_taken_back(self):
        """Note what was asked back by more than a pause."""
        for fact in self.rig.told(ev.CancelRequested):
            if not fact.is_pause and fact.reason != UNWANTED:
                self.back.add(fact.cl_ord_id)
        for fact in self.rig.told(ev.ReplaceRequested):  # one below what has filled takes it back
            self.back.add(fact.cl_ord_id)

    def _look_at_sums(self):
        """No parent has more at the venue, or on its way there, than was asked for."""
        for fact in self.rig.told(ev.ReplaceRequested):
            order = self.rig.order(fact.cl_ord_id)
            self.more[order.request.parent_id] += max(fact.qty - order.qty, ZERO)
        asked: Counter[str] = Counter()
        for each in self.venue.orders.values():
            if each.order.role is OrderRole.ENTRY:
                asked[each.order.parent_id] += each.filled + each.left
        for order in self.venue.may_arrive():
            if order.role is OrderRole.ENTRY:
                asked[order.parent_id] += order.qty
        for parent_id, qty in asked.items():
            whole = self.rig.state.parents[parent_id].start.qty
            assert qty <= whole + self.more[parent_id], (parent_id, qty, whole)

    # In the end

    def look_at_rest(self):
        """Look at a session that has had time to come to rest."""
        state, venue = self.rig.state, self.venue
        assert state.status is RUNNING
        assert not venue.under_way
        assert not venue.due
        assert self.rig.qty() == venue.qty
        assert state.account(MAIN).wallet("USDT") == venue.wallet
        ours = sorted(order.cl_ord_id for order in state.all_open_orders())
        assert ours == sorted(each.name for each in venue.open_orders())
        live = state.live_parents_of(KEY)
        held = sum((p.open_qty * p.side.sign for p in live), ZERO)
        assert held == venue.qty or self.has_strangers
        assert [p.parent_id for p in state.parents.values() if p.wake_ts is not None] == []
        for parent in live:
            assert parent.open_qty or any(o.is_open for o in state.children(parent)), parent
        for parent in self._worked():
            self._look_at_end(parent)
            self._look_at_guard(parent)

    def _look_at_guard(self, parent):
        """What a whole holds has one stop, where it asked for one."""
        stops = [
            o.left
            for o in self.venue.open_orders()
            if o.order.role is OrderRole.STOP_LOSS and o.order.parent_id == parent.parent_id
        ]
        is_guarded = parent.start.stop_loss is not None and parent.open_qty
        assert stops == [parent.open_qty] * bool(is_guarded) or self.has_strangers

    def _look_at_end(self, parent):
        filled = sum(
            (
                each.filled
                for each in self.venue.orders.values()
                if each.order.role is OrderRole.ENTRY and each.order.parent_id == parent.parent_id
            ),
            ZERO,
        )
        assert parent.filled_qty == filled
        told = self.told[parent.parent_id]
        assert told <= 1, parent.parent_id
        is_done = filled >= parent.start.qty
        if is_done and not self.more[parent.parent_id]:
            assert not told, parent.parent_id
        is_own = parent.parent_id in self.own
        assert not parent.is_called_off or parent.parent_id in self.ended | self.never_begun
        if not is_done and not parent.is_called_off and not is_own:
            assert told == 1, (parent.parent_id, parent.start.algo, filled, parent.start.qty)


def _is_closed_in_part(parent):
    return parent.open_qty < parent.filled_qty - parent.turned_qty


def _closes(order, parent):
    """Tell whether an order closes at the market what a parent has opened."""
    request = order.request
    is_exit = request.role is OrderRole.EXIT and request.order_type is OrderType.MARKET
    is_theirs = request.strategy_id in {parent.strategy_id, OPERATOR}
    return is_exit and is_theirs and request.side is not parent.side
