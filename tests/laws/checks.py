"""The laws as plain functions: each takes a world that has come to rest and returns violations.

Tests of the laws and tests of the mutants use the same ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from holdfast.engine import forgetting
from holdfast.engine.account import OPENING
from holdfast.engine.breaker import FAILURES_KEPT
from holdfast.engine.cover import cover
from holdfast.engine.order import RequestState
from holdfast.engine.state import State
from holdfast.model import events as ev
from holdfast.model.values import (
    MAIN,
    ZERO,
    OrderRole,
    OrderStatus,
    Side,
    TradingSessionStatus,
)

from .steps import SYMBOLS
from .world import World

EQUITY_SLACK = Decimal("1.03")
"""Fees and losses that have happened and were not yet heard of move the equity a little."""


def law_1(world: World) -> list[str]:
    """fold(journal) == state, at every prefix of the journal."""
    return [each for each in world.violations if each.startswith("law 1:")]


def law_3(world: World) -> list[str]:
    """Position == sum of fills; balance == deposits + realized - fees + funding; as at the venue."""
    found, state = [], world.state
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for fact in world.journal.facts:
        if isinstance(fact, ev.OrderFilled):
            sums[fact.symbol] += fact.qty * fact.side.sign
        elif isinstance(fact, ev.PositionAdopted) and fact.reason == OPENING:
            sums[fact.symbol] = fact.qty
        elif isinstance(fact, ev.PositionAdopted):
            found.append(f"position of {fact.symbol} adopted for {fact.reason}")
    for symbol in SYMBOLS:
        ours, theirs = state.position((MAIN, symbol)).qty, world.venue_qty(symbol)
        if not ours == theirs == sums[symbol]:
            found.append(f"{symbol}: state {ours}, fills {sums[symbol]}, venue {theirs}")
    found += _money(world)
    return [f"law 3: {each}" for each in found]


def _money(world: World) -> list[str]:
    found = []
    wallet: Decimal = ZERO
    for fact in world.journal.facts:
        if isinstance(fact, ev.WalletChanged):
            wallet += fact.amount
            if fact.reason not in (OPENING, "deposit"):
                found.append(f"wallet changed by {fact.amount}: {fact.reason}")
        elif isinstance(fact, ev.OrderFilled):
            wallet += fact.realized_pnl - fact.fee
        elif isinstance(fact, ev.FundingPaid):
            wallet += fact.amount
    ours = world.state.account(MAIN).wallet("USDT")
    theirs = world.venue.exchange.balances(MAIN)["USDT"]
    if not ours == theirs == wallet:
        found.append(f"wallet: state {ours}, facts {wallet}, venue {theirs}")
    return found


def law_4(world: World) -> list[str]:
    """A fact is committed before its command leaves."""
    return [each for each in world.violations if each.startswith("law 4:")]


def law_5(world: World) -> list[str]:
    """No new risk outside RUNNING, or under the kill switch."""
    found = []
    for sent in world.sent:
        if sent.status is TradingSessionStatus.RUNNING and not sent.is_killed:
            continue
        if not sent.order.reduce_only:  # what it could close may be gone when it is there
            where = "under the kill switch" if sent.is_killed else sent.status.value
            found.append(f"law 5: {sent.order.cl_ord_id} was sent while {where}")
    return found


def law_6(world: World) -> list[str]:
    """Every execution of the venue is booked, and booked once."""
    booked = Counter(f.trade_id for f in world.journal.facts if isinstance(f, ev.OrderFilled))
    found = [
        f"trade {name} was booked {count} times" for name, count in booked.items() if count > 1
    ]
    opened_ts = world.state.account(MAIN).opened_ts
    theirs = {trade.trade_id for trade in world.venue.exchange.trades_since(MAIN, opened_ts)}
    if theirs != set(booked):
        found.append(f"trades {sorted(theirs ^ set(booked))} are known on one side alone")
    return [f"law 6: {each}" for each in found]


def law_7(world: World) -> list[str]:
    """One intent, at most one order at the venue; no id twice; no blind resend."""
    found = [
        f"id {name} was sent {count} times"
        for name, count in world.ids_submitted.items()
        if count > 1
    ]
    intents: Counter[str] = Counter()
    wishes: Counter[str] = Counter()
    for fact in world.journal.facts:
        if isinstance(fact, ev.OrderSubmitted) and fact.order.role is OrderRole.ENTRY:
            intents[fact.order.intent_id] += 1
        if isinstance(fact, ev.ParentStarted) and fact.request_id:
            wishes[f"{fact.strategy_id} {fact.request_id}"] += 1
    found += [f"intent {name} has {count} entries" for name, count in intents.items() if count > 1]
    found += [f"request {name} was acted on {n} times" for name, n in wishes.items() if n > 1]
    found += _signals_acted_on_twice(world)
    found += [
        f"{fact.text}"
        for fact in world.journal.facts
        if isinstance(fact, ev.AlarmRaised) and fact.code == "order_appeared"
    ]
    return [f"law 7: {each}" for each in found]


def _signals_acted_on_twice(world: World) -> list[str]:
    facts = world.journal.facts
    acted = {f.order.intent_id for f in facts if isinstance(f, ev.OrderSubmitted)}
    names = Counter(
        f"{fact.signal.strategy_id} {fact.signal.signal_id}"
        for fact in facts
        if isinstance(fact, ev.SignalReceived) and fact.signal.signal_id and fact.intent_id in acted
    )
    return [
        f"signal {name} was acted on {count} times" for name, count in names.items() if count > 1
    ]


def law_8(world: World) -> list[str]:
    """Positions, open orders and what is on the road stay within the limit when sent."""
    limit = world.settings.limits.position_size_pct
    found = []
    for sent in world.sent:
        if sent.order.reduce_only:
            continue
        reach = (
            sent.position + sent.buys if sent.order.side is Side.BUY else sent.sells - sent.position
        )
        notional = reach * sent.price
        allowed = limit * sent.equity * EQUITY_SLACK
        if notional > allowed and not _only_closes(sent):
            name = sent.order.cl_ord_id
            found.append(f"law 8: {name} reaches {notional:f}, allowed {allowed:f}")
    return found


def _only_closes(sent) -> bool:
    return abs(sent.position) >= sent.order.qty and sent.position * sent.order.side.sign < ZERO


def law_9(world: World) -> list[str]:
    """Every position that asked for a stop has exactly one at the venue, and never had none."""
    found = [
        f"{each.cl_ord_id} was called back while {each.held} was held and no other stop had come"
        for each in world.withdrawn
        if each.held and each.position >= each.held and not each.has_successor
    ]
    state = world.state
    for parent in state.parents.values():
        held = cover(state, parent)
        if parent.start.stop_loss is None or not held:
            continue
        children = [world.at_venue(parent.key[1], child) for child in parent.children]
        stops = [c for c in children if c and c.is_open and c.asked.role is OrderRole.STOP_LOSS]
        if [stop.leaves_qty for stop in stops] != [held]:
            sizes = [str(stop.leaves_qty) for stop in stops]
            found.append(f"parent {parent.parent_id} holds {held}, its stops are {sizes}")
    return [f"law 9: {each}" for each in found]


def law_10(world: World) -> list[str]:
    """Every collection is within the bound that it names."""
    found = [each for each in world.violations if each.startswith("law 10:")]
    for owner, thing in _things(world.state):
        for field in msgspec.structs.fields(thing):
            value = getattr(thing, field.name)
            if not isinstance(value, dict | list):
                continue
            bound = BOUNDS.get(f"{owner}.{field.name}")
            if bound is None:
                found.append(f"law 10: {owner}.{field.name} has no bound")
            elif len(value) > bound():
                found.append(f"law 10: {owner}.{field.name} holds {len(value)}, at most {bound()}")
    return found


def _things(state: State) -> Iterator[tuple[str, msgspec.Struct]]:
    yield "State", state
    yield from (("AccountState", each) for each in state.accounts.values())
    yield from (("Order", each) for each in state.orders.values())
    yield from (("Breaker", each) for each in state.breakers.values())
    yield from (("Parent", each) for each in state.parents.values())


OPEN_MAX = 100
"""More orders than any script can have open at once."""


def _ended_max() -> int:
    return forgetting.CLOSED_ORDERS_KEPT + forgetting.DENIED_ORDERS_KEPT


def _ended_parents_max() -> int:
    """A parent is remembered as long as an order of it."""
    return forgetting.CLOSED_PARENTS_KEPT + _ended_max()


STRATEGIES_MAX = 3
ASSETS_MAX = 1
TRADES_OF_AN_ORDER_MAX = 200  # one for each lot: nothing here is larger

BOUNDS: dict[str, Callable[[], int]] = {
    "State.instruments": lambda: len(SYMBOLS),
    "State.leverages": lambda: len(SYMBOLS),
    "State.accounts": lambda: 1,
    "State.positions": lambda: len(SYMBOLS),
    "State.to_flatten": lambda: len(SYMBOLS),
    "State.orders": lambda: _ended_max() + OPEN_MAX,
    "State.open_orders": lambda: len(SYMBOLS),
    "State.closed_orders": lambda: forgetting.CLOSED_ORDERS_KEPT,
    "State.denied_orders": lambda: forgetting.DENIED_ORDERS_KEPT,
    "State.parents": lambda: _ended_parents_max() + OPEN_MAX,
    "State.live_parents": lambda: len(SYMBOLS),
    "State.closed_parents": _ended_parents_max,
    "State.trades_seen": lambda: forgetting.TRADES_REMEMBERED,
    "State.nameless_fills": lambda: forgetting.NAMELESS_FILLS_KEPT,
    "State.intents": lambda: forgetting.INTENTS_REMEMBERED,
    "State.strategies": lambda: STRATEGIES_MAX,
    "State.stopped_strategies": lambda: STRATEGIES_MAX,
    "State.markets": lambda: 1,  # as many as accounts
    "State.traded_symbols": lambda: 1,  # likewise
    "State.breakers": lambda: 3,  # one for each kind of failure
    "State.odd_modes": lambda: 1,
    "State.message_times": lambda: 1,
    "State.execution_times": lambda: STRATEGIES_MAX,
    "State.recent_orders": lambda: forgetting.RECENT_ORDERS_KEPT,
    "State.differences": lambda: len(SYMBOLS) + ASSETS_MAX,
    "State.sampled_equity": lambda: ASSETS_MAX,
    "State.equity_times": lambda: ASSETS_MAX,
    "State.portfolio_peaks": lambda: ASSETS_MAX,
    "AccountState.deposits": lambda: ASSETS_MAX,
    "AccountState.realized": lambda: ASSETS_MAX,
    "AccountState.fees": lambda: ASSETS_MAX,
    "AccountState.funding": lambda: ASSETS_MAX,
    "AccountState.benchmarks": lambda: ASSETS_MAX,
    "AccountState.changes_seen": lambda: forgetting.CHANGES_REMEMBERED,
    "Breaker.failures": lambda: FAILURES_KEPT,
    "Order.trade_ids": lambda: TRADES_OF_AN_ORDER_MAX,
    "Parent.children": lambda: _ended_max() + OPEN_MAX,
}


def at_rest(world: World) -> list[str]:
    """Nothing is left unclear: every order, cancel and amendment has found its answer."""
    found = []
    theirs = {order.cl_ord_id for order in world.venue.exchange.open_orders(MAIN)}
    ours = world.state.all_open_orders()
    if {order.cl_ord_id for order in ours} != theirs:
        names = theirs ^ {order.cl_ord_id for order in ours}
        found.append(f"open orders {sorted(names)} are known on one side alone")
    for order in ours:
        is_asked = (order.cancel, order.replace) != (RequestState.NONE, RequestState.NONE)
        if order.status is OrderStatus.PENDING_NEW or order.is_in_doubt or is_asked:
            found.append(
                f"{order.cl_ord_id} is {order.status.value}, {order.cancel}, {order.replace}"
            )
        there = world.at_venue(order.key[1], order.cl_ord_id)
        if there and (there.qty, there.price) != (order.qty, order.price):
            found.append(f"{order.cl_ord_id} is amended differently here and there")
    if world.state.status in (TradingSessionStatus.ERROR, TradingSessionStatus.STARTING):
        found.append(f"the session is {world.state.status.value}: {world.state.status_reason}")
    if world.state.status is TradingSessionStatus.STOPPING:
        found.append("the session never stopped")
    if world.state.differences:
        found.append(f"the books differ: {world.state.differences}")
    return [f"at rest: {each}" for each in found]


LAWS = (law_1, law_3, law_4, law_5, law_6, law_7, law_8, law_9, law_10, at_rest)


def violations(world: World) -> list[str]:
    """Ask every law; of a world that broke only what was seen until then."""
    if not world.has_ended:
        return world.violations
    return [each for law in LAWS for each in law(world)]
