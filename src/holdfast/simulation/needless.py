"""Did it have to? What the session does of itself costs money, so it needs a cause.

Two closings are nobody's wish: of a position that can't be protected, and of one whose margin is
nearly used up. The cause must be there at the exchange, within what a price may be late by. That
books can't be explained stops a session; here everything that moves them can be explained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.housekeeping import MARGIN_RATIO_MAX
from ..engine.order import Order
from ..engine.protection import REFUSALS_MAX, WOULD_TRIGGER_AT_ONCE
from ..engine.refusals import is_unfit
from ..model.events import AlarmRaised, Event, OrderRejected, OrderSubmitted
from ..model.values import NS_PER_S, ZERO, ClOrdId, Key, OrderRole, ParentId
from .judge import Judge

if TYPE_CHECKING:
    from .world import World

LATE_NS_MAX = 15 * NS_PER_S
"""How old the price may be that an order was refused by."""

RATIO_MIN = MARGIN_RATIO_MAX / 2
"""A margin that is used up no further at the exchange was no cause, whatever the last prices."""


class Needless(Judge):
    """Judges the closings of one run, each by its own account."""

    oracle = "needless"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._unprotected: set[Key] = set()  # told of, the order has not been heard of yet
        self._refused: defaultdict[ParentId, set[ClOrdId]] = defaultdict(set)  # of each parent's

    def hear_facts(self, facts: Iterable[Event]) -> None:
        for fact in facts:
            if isinstance(fact, AlarmRaised):
                if fact.code == "protection_closed":
                    self._unprotected.add((fact.account, fact.symbol))
                elif fact.code == "emergency_close":
                    self._judge_emergency(fact)
                elif fact.code in _UNEXPLAINED:
                    self.say(fact.text)
            elif isinstance(fact, OrderRejected):
                self._note_refusal(fact.cl_ord_id)
            elif isinstance(fact, OrderSubmitted) and fact.order.key in self._unprotected:
                self._unprotected.discard(fact.order.key)
                self._judge_unprotected(fact)

    def _note_refusal(self, name: ClOrdId) -> None:
        """Keep what a session that has many orders forgets of those that have ended."""
        live = self.world.live
        order = None if live is None else live.engine.state.orders.get(name)
        if order is not None and order.role in _PROTECTIVE and is_unfit(order):
            self._refused[order.request.parent_id].add(name)

    def _judge_unprotected(self, fact: OrderSubmitted) -> None:
        live = self.world.live
        parent = None if live is None else live.engine.state.parents.get(fact.order.parent_id)
        if live is None or parent is None:
            return
        state, wish = live.engine.state, parent.start.intent_id
        # What is below the lot is closed for its parent by one of its own, which has no stop.
        is_own = parent.start.stop_loss is None
        tried = [
            order
            for each in state.parents.values()
            if each is parent or (is_own and each.start.intent_id == wish)
            for order in state.children(each)
            if order.role in _PROTECTIVE
        ]
        refused = [o for o in tried if is_unfit(o)]
        past = [o for o in refused if o.code == WOULD_TRIGGER_AT_ONCE]
        names = {order.cl_ord_id for order in refused} | self._refused[parent.parent_id]
        if not past and len(names) < REFUSALS_MAX:
            self.say(f"{fact.order.cl_ord_id} closes what no refusal left without a stop")
        elif past and not self._was_past(past[-1]):
            self.say(
                f"{fact.order.cl_ord_id} closes for a price past {past[-1].request.trigger_price}"
            )

    def _was_past(self, order: Order) -> bool:
        """Tell whether the last price was past the trigger when the order was sent, or later.

        What the accounts trade with each other is a last price too, wherever the market is.
        """
        request, since = order.request, order.created_ts - LATE_NS_MAX
        low, high = self.world.market.range_since(request.symbol, since)
        for name in self.world.accounts.session_names:
            for trade in self.world.bourse.exchange.trades_since(name, since):
                if trade.symbol == request.symbol:
                    price = float(trade.last_px)
                    low, high = min(low, price), max(high, price)
        is_stop = request.role is OrderRole.STOP_LOSS
        trigger = request.trigger_price
        if trigger is None:
            return False
        falls = (request.side.sign < 0) == is_stop
        return low <= float(trigger) if falls else high >= float(trigger)

    def _judge_emergency(self, fact: AlarmRaised) -> None:
        account = self.world.accounts.venue_names[fact.account]
        needed, backed = self._margin((account, fact.symbol))
        ratio = needed / backed if backed > ZERO else Decimal(1)
        is_victim = account == self.world.accounts.victim
        if ratio < RATIO_MIN and not (is_victim and self.world.withdrawals.have_drained):
            self.say(f"{fact.text}, but it is {ratio:.2f} at the exchange")

    def _margin(self, key: Key) -> tuple[Decimal, Decimal]:
        """Return the maintenance margin of what falls with a position, and what backs it."""
        (account, symbol), exchange = key, self.world.bourse.exchange
        own = exchange.symbol_margin(account, symbol)
        if own.is_isolated:
            return own.maintenance, own.isolated_margin - self._just_put_in(key)
        asset = self.world.instrument(symbol).margin_asset
        is_paid_in = account == self.world.accounts.victim and asset == "USDT"
        since = self.world.venue_now() - LATE_NS_MAX
        unheard = self.world.withdrawals.paid_in_unheard(since) if is_paid_in else ZERO
        pool = exchange.pool_margin(account, asset)
        return pool.cross_maintenance, pool.cross_balance - unheard

    def _just_put_in(self, key: Key) -> Decimal:
        """Return what a hand has put into an isolated position of late: it may be unheard of."""
        since = self.world.venue_now() - LATE_NS_MAX
        moves = self.world.bourse.exchange.margin_moves(*key)
        return sum((each.amount for each in moves if each.ts >= since and each.amount > ZERO), ZERO)


_UNEXPLAINED = ("session_error", "books_differ")
_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)
