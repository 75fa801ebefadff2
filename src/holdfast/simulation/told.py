"""What strategies are told of their orders, beside what became of them.

Rule 1: in a life, each execution of a strategy's order is told to it once, in turn, and to nobody
        else; an order's updates add up to what was told of its executions.
Rule 2: what has ended is told to have ended, once, and nothing comes behind an end.
Rule 3: at rest a strategy sees its own open entries, as the exchange has them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ..engine.forgetting import trade_name
from ..exchange import VenueOrder
from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.values import MAIN, ZERO, AccountId, ClOrdId, OrderRole, StrategyId
from ..strategies import OrderUpdate, Strategy
from .churner import Churner
from .judge import Judge

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World


class Seen(msgspec.Struct):
    """What a strategy knows of one of its orders."""

    filled: Decimal  # by executions that it was told of, and before
    last: OrderUpdate


class Ears:
    """What one strategy of one life was told, and what it still is to be told."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.due: deque[ev.OrderFilled | ev.FillRecognized] = deque()
        self.orders: dict[ClOrdId, Seen] = {}
        self.fills: defaultdict[ClOrdId, Decimal] = defaultdict(lambda: ZERO)


class Told(Judge):
    """Judges what the strategies of the newest life are told."""

    oracle = "told"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._live: LiveSession | None = None
        self._ears: dict[StrategyId, Ears] = {}
        self._owners: dict[ClOrdId, StrategyId] = {}
        self._foreign: set[ClOrdId] = set()  # and taken on as somebody else's
        self._lost: set[ClOrdId] = set()  # and taken on: of their past the venue alone knows

    def begin(self, live: LiveSession) -> None:
        self._live, self._ears = live, {}

    def hear_facts(self, facts: Iterable[ev.Event]) -> None:
        for fact in facts:
            if isinstance(fact, ev.OrderSubmitted):
                self._owners[fact.order.cl_ord_id] = fact.order.strategy_id
            elif isinstance(fact, ev.OrderFilled):
                owner = self._owners.get(fact.cl_ord_id)
                ears = None if owner is None else self._ears.get(owner)
                if ears is None or self._is_nobodys(fact.cl_ord_id):
                    continue
                if self._is_under_way and self._is_booked(fact):
                    ears.due.append(fact)
            elif isinstance(fact, ev.OrderAdopted):
                self._lost.add(fact.order.cl_ord_id)
                if not fact.is_ours:
                    self._foreign.add(fact.order.cl_ord_id)
            elif isinstance(fact, ev.FillRecognized):
                self._hear_recognized(fact)
            elif isinstance(fact, ev.StrategyStopped):
                self._ears.pop(fact.strategy_id, None)

    def _hear_recognized(self, fact: ev.FillRecognized) -> None:
        if not fact.venue_ts:  # with its contract its fills have gone, or they are of before
            self._lost.add(fact.cl_ord_id)
            return
        live = self._live
        order = None if live is None else live.engine.state.orders.get(fact.cl_ord_id)
        owner = self._owners.get(fact.cl_ord_id)
        ears = None if owner is None else self._ears.get(owner)
        is_own = order is not None and fact.trade_id in order.trade_ids  # and no zombie's
        if ears is not None and is_own and self._is_under_way:
            ears.due.append(fact)

    def _is_nobodys(self, name: ClOrdId) -> bool:
        """Tell whether the journal that knew of an order was lost, and its prefix is another's."""
        owner = parse_cl_ord_id(name)
        if self._live is None or owner is None or not self._has_lost:
            return False
        known = self._live.engine.state.orders.get(name)
        is_kept = known is not None and known.is_ours and not known.is_adopted
        return not is_kept and owner.prefix != self._live.engine.core.settings.order_prefix

    @property
    def _has_lost(self) -> bool:
        fired = self.world.fired
        return bool(fired["power_cut_lost_tail"] or fired["amnesia"])

    def _is_booked(self, fill: ev.OrderFilled) -> bool:
        """Tell whether it is this life's, and no zombie's."""
        name = trade_name(fill.account, fill.symbol, fill.trade_id)
        return self._live is not None and self._live.engine.state.trades_seen.get(name) == fill.ts

    @property
    def _is_under_way(self) -> bool:
        live, world = self._live, self.world
        return live is not None and live is world.live and not live.is_closed

    def hear_hook(self, hook: Callable[..., object], args: tuple[object, ...]) -> None:
        strategy = getattr(hook, "__self__", None)
        if not isinstance(strategy, Churner) or not self._is_under_way:
            return  # of a zombie's facts, too, none is due
        name, own = hook.__name__, strategy.ctx.strategy_id
        if name == "on_start":
            self._ears[own] = Ears(strategy)
        elif name == "on_stop":
            self._ears.pop(own, None)
        elif (ears := self._ears.get(own)) is not None and ears.strategy is strategy:
            (what,) = args
            if isinstance(what, ev.OrderFilled):
                self._hear_fill(own, ears, what)
            elif isinstance(what, OrderUpdate):
                self._hear_update(own, ears, what)

    def _hear_fill(self, own: StrategyId, ears: Ears, fill: ev.OrderFilled) -> None:
        ears.fills[fill.cl_ord_id] += fill.qty
        owner = self._owners.get(fill.cl_ord_id)
        if owner is not None and owner != own:
            self.say(f"{own} was told of {fill.trade_id}, which is {owner}'s")
        if owner is None:
            return  # a lost order's, of which its name alone is known
        expected = ears.due.popleft() if ears.due else None
        if expected is None or expected.trade_id != fill.trade_id:
            there = "nothing" if expected is None else expected.trade_id
            self.say(f"{own} was told of execution {fill.trade_id}, due was {there}")

    def _hear_update(self, own: StrategyId, ears: Ears, update: OrderUpdate) -> None:
        name = update.cl_ord_id
        seen = ears.orders.get(name)
        if seen is None:
            # Of executions that come at once the sum is told with the first.
            coming = sum((fill.qty for fill in ears.due if fill.cl_ord_id == name), ZERO)
            filled = update.cum_qty - ears.fills[name] - coming
            ears.orders[name] = Seen(filled, update)
            return
        before, seen.last = seen.last, update
        if not before.status.is_open and update.status.is_open and not self._is_revived(name):
            self.say(f"{own}: {name} was {before.status.value}, and is {update.status.value}")

    def _is_revived(self, name: ClOrdId) -> bool:
        order = None if self._live is None else self._live.engine.state.orders.get(name)
        return order is not None and order.is_unwanted

    def look(self) -> None:
        live = self._live
        if live is None or not self._is_under_way or live.shell.has_failed:
            return
        for own, ears in self._ears.items():
            for fill in ears.due:
                self.say(f"{own} was not told of execution {fill.trade_id} of {fill.cl_ord_id}")
            for name, seen in ears.orders.items():
                told = seen.filled + ears.fills[name]
                if (
                    seen.last.cum_qty != told and name not in self._lost
                ):  # of what comes at once the sum is told first
                    self.say(f"{own}: {name} has {seen.last.cum_qty} filled, {told} was told")

    def judge_rest(self, live: LiveSession) -> None:
        if live is not self._live:
            return
        for own, ears in self._ears.items():
            self._judge_ends(own, ears)
            self._judge_orders(own, ears)

    def _judge_ends(self, own: StrategyId, ears: Ears) -> None:
        """See that each order that is not open at the exchange was told to be over."""
        there = self._open()
        for name, seen in ears.orders.items():
            if seen.last.status.is_open and name not in there:
                self.say(f"{own}: {name} is over, and was told to be {seen.last.status.value}")

    def _judge_orders(self, own: StrategyId, ears: Ears) -> None:
        there = self._open()
        shown = {update.cl_ord_id: update for update in ears.strategy.ctx.orders()}
        home = self.world.accounts.venue_names[AccountId(ears.strategy.account or MAIN)]
        mine = {
            name
            for name, order in there.items()
            if self._owners.get(name) == own and _is_entry(name) and order.asked.account == home
        }
        if self._has_lost:  # under another prefix they are nobody's
            mine -= self._foreign
        if odd := sorted(mine ^ set(shown)):
            known = [name for name in odd if name in self._owners]
            if known:
                self.say(f"{own}: entries on one side alone: {', '.join(known)}")
        for name in mine & set(shown):
            order, update = there[name], shown[name]
            ours, theirs = (update.qty, update.cum_qty), (order.qty, order.cum_qty)
            if ours != theirs or update.price != order.price:
                self.say(f"{own}: {name} is shown as {ours} at {update.price}, is {theirs}")

    def _open(self) -> dict[ClOrdId, VenueOrder]:
        """Return what is open at the exchange, by its name."""
        exchange, accounts = self.world.bourse.exchange, self.world.accounts
        return {
            ClOrdId(order.cl_ord_id): order
            for account in accounts.session_names
            for order in exchange.open_orders(account)
        }


def _is_entry(name: ClOrdId) -> bool:
    owner = parse_cl_ord_id(name)
    return owner is not None and owner.role is OrderRole.ENTRY
