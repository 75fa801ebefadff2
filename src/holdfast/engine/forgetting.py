"""What the state remembers of the past, and how it forgets within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..model.settings import EXECUTIONS_COUNTED_MAX, MESSAGES_COUNTED_MAX
from ..model.values import ENTRY, NS_PER_S, AccountId, ClOrdId, Key, ParentId, StrategyId
from .parent import Parent
from .refusals import NOTHING, refusal

if TYPE_CHECKING:
    from .state import State

CLOSED_ORDERS_KEPT = 2_000
DENIED_ORDERS_KEPT = 1_000
"""Counted apart: a strategy that is denied without end pushes out nothing that was at the venue."""

CLOSED_PARENTS_KEPT = 1_000
"""More are kept while an order of theirs is: one that counts as over may be open after all."""

TRADES_REMEMBERED = 50_000
INTENTS_REMEMBERED = 10_000
CHANGES_REMEMBERED = 10_000
NAMELESS_FILLS_KEPT = 500
"""A child's fills are heard some seconds before it is known whose child it is."""

LISTED_LATE_NS = 600 * NS_PER_S
"""How much older than the end of what is known an execution is that is not listed again."""

MESSAGE_TIMES_KEPT = MESSAGES_COUNTED_MAX
EXECUTION_TIMES_KEPT = EXECUTIONS_COUNTED_MAX
RECENT_ORDERS_KEPT = 1_000

K = TypeVar("K")
V = TypeVar("V")


def retire_all(state: State, key: Key) -> None:
    for parent in state.live_parents_of(key):
        retire(state, parent)


def retire(state: State, parent: Parent) -> None:
    """Take a parent that holds nothing and works nothing off the live ones."""
    live = state.live_parents.get(parent.key, [])
    if parent.open_qty or parent.wake_ts is not None or parent.parent_id not in live:
        return
    if parent.attempts == 0 or any(o.is_open for o in state.children(parent)):
        return
    live.remove(parent.parent_id)
    ended = state.closed_parents
    ended.append(parent.parent_id)
    if not parent.children and len(ended) > CLOSED_PARENTS_KEPT:
        bare = (i for i in ended if not state.parents[i].children)
        _forget_parent(state, next(bare))


def _forget_childless(state: State, parent: Parent) -> None:
    """Forget an ended parent whose last order is forgotten, where more than enough are kept."""
    is_ended = parent.parent_id not in state.live_parents.get(parent.key, ())
    if not parent.children and is_ended and len(state.closed_parents) > CLOSED_PARENTS_KEPT:
        _forget_parent(state, parent.parent_id)


def _forget_parent(state: State, parent_id: ParentId) -> None:
    state.closed_parents.remove(parent_id)  # it is among the first
    del state.parents[parent_id]


def call_off(state: State, strategy_id: StrategyId | None = None) -> None:
    """Work on no parent any more; or on none of a strategy's. What is still open may yet fill."""
    for ids in state.live_parents.values():
        for parent in [state.parents[i] for i in ids]:
            if strategy_id not in {None, parent.strategy_id}:
                continue
            parent.is_called_off = True
            if parent.wake_ts is not None:
                parent.wake_ts = None
                retire(state, parent)


def bury(state: State, cl_ord_id: ClOrdId) -> None:
    _bury(state, cl_ord_id, state.closed_orders, CLOSED_ORDERS_KEPT)


def bury_denied(state: State, cl_ord_id: ClOrdId) -> None:
    _bury(state, cl_ord_id, state.denied_orders, DENIED_ORDERS_KEPT)


def _bury(state: State, cl_ord_id: ClOrdId, ended: list[ClOrdId], most: int) -> None:
    ended.append(cl_ord_id)
    if len(ended) > most:
        oldest = state.orders[ended.pop(0)]
        parent = state.parents.get(oldest.request.parent_id)
        forget_order(state, oldest.cl_ord_id)
        if parent is not None:
            parent.refusal = parent.refusal or refusal(oldest)
            was_there = oldest.role is ENTRY and oldest.status not in NOTHING
            if was_there and oldest.created_ts >= parent.last_price_ts:
                parent.last_price, parent.last_price_ts = oldest.price, oldest.created_ts
            _forget_childless(state, parent)


def forget_order(state: State, cl_ord_id: ClOrdId) -> None:
    order = state.orders.pop(cl_ord_id)
    parent = state.parents.get(order.request.parent_id)
    if parent is not None and cl_ord_id in parent.children:
        parent.children.remove(cl_ord_id)


def unbury(state: State, cl_ord_id: ClOrdId) -> bool:
    """Forget an order that counted as over and is open; tell whether there was one."""
    if cl_ord_id not in state.orders:
        return False
    is_denied = cl_ord_id in state.denied_orders
    (state.denied_orders if is_denied else state.closed_orders).remove(cl_ord_id)
    forget_order(state, cl_ord_id)
    return True


def settled_name(symbol: str, trade_id: str) -> str:
    """Name an execution that the ledger alone told of, among the changes that were seen."""
    return f"settled-{symbol}-{trade_id}"


def trade_name(account: AccountId, symbol: str, trade_id: str) -> str:
    """Name an execution so that its second report is known for what it is."""
    return f"{account} {symbol} {trade_id}"


def remember_trade(state: State, account: AccountId, symbol: str, trade_id: str, ts: int) -> None:
    """Note an execution that is booked, and forget one that no look at the venue lists any more.

    Where accounts differ in how busy they are, and in how far back they are read, the oldest may be
    one that is listed again: of an account that was cut off, or left out of the settings, for long.
    """
    seen, name = state.trades_seen, trade_name(account, symbol, trade_id)
    seen[name] = ts
    if len(seen) > TRADES_REMEMBERED:
        past = _past_trade(state) if len(state.accounts) > 1 else None
        own = (each for each in seen if each != name and each.startswith(f"{account} "))
        del seen[past or next(own, None) or next(iter(seen))]


def _past_trade(state: State) -> str | None:
    for name, ts in state.trades_seen.items():
        if ts < state.account(AccountId(name.partition(" ")[0])).trades_until - LISTED_LATE_NS:
            return name
    return None


def bound(remembered: dict[K, V], most: int) -> None:
    if len(remembered) > most:
        del remembered[next(iter(remembered))]
