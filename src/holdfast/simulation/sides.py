"""Entries that would be closed at once, or that open again what was closed.

Rule 1: no entry goes out, or is amended, so that it fills past its own stop: what it opened would
        be closed at the market at once, for nothing but fees.
Rule 2: what is closed for want of a stop, or by hand, is not opened again by the rest of its entry:
        that has been asked back by then.
Rule 3: nothing but a stop or a target goes out behind the end of a session, what closes where a
        stop can't be had any more, and what closes for a kill switch that is to flatten.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.order import Order, RequestState
from ..engine.state import State
from ..model import events as ev
from ..model.values import (
    NS_PER_S,
    ZERO,
    NewOrder,
    OrderRole,
    OrderType,
    Side,
    TradingSessionStatus,
)
from .judge import Judge

if TYPE_CHECKING:
    from ..runtime.live import LiveSession

LATE_NS_MAX = 15 * NS_PER_S


class Sides(Judge):
    """Judges the entries of one run."""

    oracle = "sides"
    _live: LiveSession | None = None

    def begin(self, live: LiveSession) -> None:
        self._live = live

    def hear_facts(self, facts: Iterable[ev.Event]) -> None:
        for fact in facts:
            if isinstance(fact, ev.OrderSubmitted):
                self._hear_order(fact.order)
            elif isinstance(fact, ev.ReplaceRequested):
                self._hear_amendment(fact)

    @property
    def _state(self) -> State | None:
        """Return what the session knows, where nobody else has taken over."""
        live = self._live
        return None if live is None or live is not self.world.live else live.engine.state

    def _hear_order(self, order: NewOrder) -> None:
        state = self._state
        known = None if state is None else state.orders.get(order.cl_ord_id)
        if state is None or known is None or known.request is not order:
            return  # a zombie's: what leaves of it is judged elsewhere
        is_wished = order.role in (OrderRole.ENTRY, OrderRole.EXIT)
        is_over = state.status is TradingSessionStatus.STOPPED
        if is_wished and is_over and not self._is_called_for(state, order):
            self.say(f"{order.cl_ord_id} goes out behind the end of its session")
        if order.role is OrderRole.ENTRY and order.order_type is OrderType.LIMIT:
            self._judge_side(state, order, order.price)
        elif order.role is OrderRole.EXIT:
            self._judge_rest(state, order)

    @staticmethod
    def _is_called_for(state: State, order: NewOrder) -> bool:
        """Tell whether something closes for the kill switch, or for the stop of its own entry.

        A wish to close, of whomever, is a parent of its own, without a stop.
        """
        parent = state.parents.get(order.parent_id)
        is_for_stop = parent is not None and parent.start.stop_loss is not None
        is_flattened = state.is_killed and state.is_flattening
        return order.role is OrderRole.EXIT and (is_flattened or is_for_stop)

    def _hear_amendment(self, fact: ev.ReplaceRequested) -> None:
        state = self._state
        order = None if state is None else state.orders.get(fact.cl_ord_id)
        if state is None or order is None or order.role is not OrderRole.ENTRY:
            return
        if fact.price != order.price:
            self._judge_side(state, order.request, fact.price)

    def _judge_side(self, state: State, order: NewOrder, price: Decimal | None) -> None:
        """Judge a limit by the kindest of the last prices: at it, or at the market, it fills.

        Before anything was heard in a life its session goes by the last bar of history.
        """
        parent = state.parents.get(order.parent_id)
        if parent is None or price is None or parent.start.stop_loss is None:
            return
        stop, sign = parent.start.stop_loss, order.side.sign
        best = self._best(order)
        if best is None:
            return
        fills_at = min(price * sign, best * sign)
        if fills_at <= stop * sign:
            self.say(f"{order.cl_ord_id} fills at {fills_at * sign}, past its own stop {stop}")

    def _best(self, order: NewOrder) -> Decimal | None:
        """Return the kindest price that an order may have been judged by; None without any."""
        live = self._live
        if live is None:
            return None
        if not live.engine.core.market.of(order.symbol).quoted_ts:
            return live.engine.core.market.price(order.symbol)
        since = self.world.venue_now() - LATE_NS_MAX
        low, high = self.world.market.range_since(order.symbol, since)
        tick = self.world.instrument(order.symbol).tick  # between bid and ask is a price too
        return Decimal(repr(high)) + tick if order.side is Side.BUY else Decimal(repr(low)) - tick

    def _judge_rest(self, state: State, order: NewOrder) -> None:
        """See that the entries of what is closed were asked back."""
        parent = state.parents.get(order.parent_id)
        if parent is None or parent.start.stop_loss is None:
            return  # a close by hand, of a strategy, or by a parent of its own
        for child in state.children(parent):
            if child.role is OrderRole.ENTRY and is_left(child):
                self.say(f"{order.cl_ord_id} closes what the rest of {child.cl_ord_id} opens again")


def is_left(order: Order) -> bool:
    """Tell whether an order rests, and nobody wants it back."""
    is_asked = order.cancel is not RequestState.NONE or order.is_unwanted
    return order.is_open and not is_asked and order.ending is None and order.leaves_qty > ZERO
