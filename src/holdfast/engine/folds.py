"""How each fact changes the state. `State.apply` is the only caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.values import (
    AccountId,
    NewOrder,
    OrderRole,
    OrderStatus,
)
from . import (
    difference,
    exits,
    forgetting,
    holdings,
    portfolio,
    session_folds,
    to_flatten,
    wish_folds,
)
from .account import OPENING, AccountState, Benchmark, is_loss
from .difference import Difference
from .forgetting import (
    bound,
    bury,
    bury_denied,
    remember_trade,
    retire,
    retire_all,
    settled_name,
    unbury,
)
from .order import Order
from .parent import Parent
from .position import PositionState
from .refusals import is_unfit

if TYPE_CHECKING:
    from .state import State

# The account


def _day_started(state: State, fact: ev.TradingDayStarted) -> None:
    known = _benchmark(state, fact)
    known.day, known.day_equity = fact.day, fact.equity


def _equity_sampled(state: State, fact: ev.EquitySampled) -> None:
    state.accounts[fact.account].sampled_ts = fact.ts
    known = _benchmark(state, fact)
    known.peak_equity = max(known.peak_equity, fact.equity)
    portfolio.sampled(state, fact)


def _benchmark(state: State, fact: ev.TradingDayStarted | ev.EquitySampled) -> Benchmark:
    asset = fact.asset or state.first_margin_asset(fact.account)
    return state.accounts[fact.account].benchmarks.setdefault(asset, Benchmark())


def _noted(state: State, fact: ev.Event) -> None:
    """A fact for people and for statistics: the engine decides nothing by it."""


# Orders and what they fill


def _submitted(state: State, fact: ev.OrderSubmitted) -> None:
    order = Order(
        request=fact.order,
        status=OrderStatus.PENDING_NEW,
        created_ts=fact.ts,
        updated_ts=fact.ts,
        qty=fact.order.qty,
        price=fact.order.price,
    )
    _open(state, order)
    _count_attempt(state, fact.order)
    state.recent_orders[fact.order.cl_ord_id] = fact.ts
    forgetting.bound(state.recent_orders, forgetting.RECENT_ORDERS_KEPT)
    _count_message(state, fact.order.account, fact.ts)


def _denied(state: State, fact: ev.OrderDenied) -> None:
    order = Order(
        request=fact.order,
        status=OrderStatus.DENIED,
        created_ts=fact.ts,
        updated_ts=fact.ts,
        qty=fact.order.qty,
        price=fact.order.price,
        reason=f"{fact.rule}: {fact.reason}",
    )
    state.orders[order.cl_ord_id] = order
    _count_attempt(state, fact.order)
    wish_folds.order_denied(state, fact)
    bury_denied(state, order.cl_ord_id)
    if parent := state.parents.get(fact.order.parent_id):
        retire(state, parent)


def _adopted(state: State, fact: ev.OrderAdopted) -> None:
    is_back = unbury(state, fact.order.cl_ord_id)
    order = Order(
        request=fact.order,
        status=fact.status,
        created_ts=fact.ts,
        updated_ts=fact.ts,
        qty=fact.order.qty,
        price=fact.order.price,
        venue_order_id=fact.venue_order_id,
        cum_qty=fact.cum_qty,
        reported_qty=fact.cum_qty,
        is_ours=fact.is_ours,
        is_adopted=True,
        is_unwanted=is_back and fact.is_ours,
    )
    _open(state, order)
    if is_back:
        exits.reappeared(order)
    parent = state.parents.get(fact.order.parent_id)
    if parent is not None:
        parent.attempts = max(parent.attempts, 1)
        parent.children.append(order.cl_ord_id)
        holdings.revive(state, parent)


def _open(state: State, order: Order) -> None:
    cl_ord_id = order.request.cl_ord_id
    state.orders[cl_ord_id] = order
    state.open_orders.setdefault(order.request.key, []).append(cl_ord_id)
    exits.opened(state, order)


def _count_attempt(state: State, order: NewOrder) -> None:
    state.order_seq += 1
    parent = state.parents.get(order.parent_id)
    if parent is not None:
        parent.attempts += 1
        parent.children.append(order.cl_ord_id)
        if parent.attempts > 1 and order.role is OrderRole.ENTRY:
            holdings.revive(state, parent)


def _count_message(state: State, account: AccountId, ts: int) -> None:
    times = state.message_times.setdefault(account, [])
    times.append(ts)
    if len(times) > 2 * forgetting.MESSAGE_TIMES_KEPT:
        del times[: -forgetting.MESSAGE_TIMES_KEPT]


def _order_changed(state: State, fact: ev.OrderFact) -> None:
    order = state.orders[fact.cl_ord_id]
    was_open = order.is_open
    order.apply(fact)
    _moved(state, order, was_open=was_open)
    if isinstance(fact, ev.CancelRequested | ev.ReplaceRequested):
        _count_message(state, order.request.account, fact.ts)


def _recognized(state: State, fact: ev.FillRecognized) -> None:
    order = state.orders[fact.cl_ord_id]
    holdings.recognize(state, fact, order)
    _order_changed(state, fact)
    _pay(order, fact, state.settled_in(order.key))
    if fact.gives_back:
        retire_all(state, order.key)


def _moved(state: State, order: Order, *, was_open: bool) -> None:
    parent = state.parents.get(order.request.parent_id)
    if was_open and not order.is_open:
        state.open_orders[order.key].remove(order.cl_ord_id)
        bury(state, order.cl_ord_id)
    elif order.is_open and not was_open:  # declared absent, and it appeared
        state.closed_orders.remove(order.cl_ord_id)
        state.open_orders.setdefault(order.key, []).append(order.cl_ord_id)
        exits.reappeared(order)
        if parent is not None:
            holdings.revive(state, parent)
    if parent is not None:
        _count_stop_failure(parent, order)
        retire(state, parent)


def _count_stop_failure(parent: Parent, order: Order) -> None:
    if order.role is not OrderRole.STOP_LOSS:
        return
    if is_unfit(order):
        parent.stop_failures += 1
    elif order.status is OrderStatus.NEW:
        parent.stop_failures = 0


def _filled(state: State, fact: ev.OrderFilled) -> None:
    key = (fact.account, fact.symbol)
    order = state.orders.get(fact.cl_ord_id)
    was_open = order is not None and order.is_open
    if order is not None:
        order.apply(fact)  # first: it refuses what can't be, before anything has changed
    remember_trade(state, fact.account, fact.symbol, fact.trade_id, fact.ts)
    position = state.positions.setdefault(key, PositionState())
    nobodys = holdings.nobodys(state, key)
    holdings.attribute(state, fact, order, position.qty)
    is_late = fact.venue_ts <= position.traded_ts
    margin_asset = state.settled_in(key)
    held = position.qty
    position.apply_fill(fact, margin_asset)
    to_flatten.traded(state, fact, order, held, nobodys - holdings.nobodys(state, key))
    exits.traded(state, fact, is_late=is_late)
    account = state.accounts.setdefault(fact.account, AccountState())
    account.apply_fill(fact, margin_asset)
    if order is not None:
        _pay(order, fact, margin_asset)
        _count_execution(state, order, fact.ts)
        _moved(state, order, was_open=was_open)
    retire_all(state, key)
    if state.differences:
        difference.explain(state, fact)


def _pay(order: Order, fill: ev.OrderFilled | ev.FillRecognized, margin_asset: str) -> None:
    if fill.fee_asset == margin_asset:  # as of positions: others are in the account's books alone
        order.fees += fill.fee


def _count_execution(state: State, order: Order, ts: int) -> None:
    if order.is_ours and order.role is OrderRole.ENTRY:
        times = state.execution_times.setdefault(order.request.strategy_id, [])
        times.append(ts)
        if len(times) > 2 * forgetting.EXECUTION_TIMES_KEPT:
            del times[: -forgetting.EXECUTION_TIMES_KEPT]


# Folding: money, positions, protection


def _funding_paid(state: State, fact: ev.FundingPaid) -> None:
    account = state.accounts.setdefault(fact.account, AccountState())
    account.apply_funding(fact)
    account.changes_seen[fact.payment_id] = fact.ts
    bound(account.changes_seen, forgetting.CHANGES_REMEMBERED)
    position = state.positions.setdefault((fact.account, fact.symbol), PositionState())
    position.funding += fact.amount
    difference.explain_money(state, fact)


def _settlement_paid(state: State, fact: ev.SettlementPaid) -> None:
    account = state.accounts.setdefault(fact.account, AccountState())
    account.apply_settlement(fact)
    account.changes_seen[fact.settlement_id] = fact.ts
    if fact.trade_id:  # should its execution be listed after all: its money is booked
        account.changes_seen[settled_name(fact.symbol, fact.trade_id)] = fact.ts
        remember_trade(state, fact.account, fact.symbol, fact.trade_id, fact.ts)
    bound(account.changes_seen, forgetting.CHANGES_REMEMBERED)
    key = (fact.account, fact.symbol)
    state.positions.setdefault(key, PositionState()).apply_settlement(fact)
    difference.explain_money(state, fact)


def _wallet_changed(state: State, fact: ev.WalletChanged) -> None:
    account = state.accounts.setdefault(fact.account, AccountState())
    account.apply_wallet(fact)
    if account.opened_ts:
        account.apply_flow(fact)
        if not is_loss(fact):
            portfolio.moved(state, fact.account, fact.asset, fact.amount)
    if fact.reason == OPENING and not account.opened_ts:
        account.opened_ts, account.begun_ts = fact.asked_ts or fact.ts, fact.ts
    difference.explain_money(state, fact)
    account.changes_seen[fact.change_id] = fact.ts
    bound(account.changes_seen, forgetting.CHANGES_REMEMBERED)


def _position_adopted(state: State, fact: ev.PositionAdopted) -> None:
    key = (fact.account, fact.symbol)
    state.positions.setdefault(key, PositionState()).adopt(fact)
    exits.adopted(state, key)
    holdings.trim(state, key)
    to_flatten.taken_over(state, fact)
    retire_all(state, key)


def _differed(state: State, fact: ev.BooksDiffered) -> None:
    in_a_row = fact.in_a_row or fact.sightings
    found = Difference(fact.theirs - fact.ours, fact.sightings, in_a_row, fact.ts)
    state.differences[f"{fact.account} {fact.what}"] = found


def _agreed(state: State, fact: ev.BooksAgreed) -> None:
    account = state.accounts.setdefault(fact.account, AccountState())
    account.trades_until = max(account.trades_until, fact.trades_until)
    exits.agreed(state, fact.account)
    for each in fact.entry_prices:
        state.positions[fact.account, each.symbol].entry_price = each.price
    prefix = f"{fact.account} "
    state.differences = {k: v for k, v in state.differences.items() if not k.startswith(prefix)}


def _read(state: State, fact: ev.TradesRead) -> None:
    account = state.accounts.setdefault(fact.account, AccountState())
    account.trades_until = max(account.trades_until, fact.trades_until)


def _protection_missing(state: State, fact: ev.ProtectionMissing) -> None:
    if parent := state.parents.get(fact.parent_id):
        parent.is_alarmed = True


def _protection_restored(state: State, fact: ev.ProtectionRestored) -> None:
    if parent := state.parents.get(fact.parent_id):
        parent.is_alarmed, parent.stop_failures = False, 0


# Each fold takes its own kind of fact, which no single signature can say.
FOLDS: dict[type[ev.Fact], Callable[..., None]] = {  # type: ignore[explicit-any]
    ev.EpochStarted: session_folds.epoch_started,
    ev.SessionChanged: session_folds.session_changed,
    ev.KillSwitchEngaged: session_folds.killed,
    ev.KillSwitchReleased: session_folds.released,
    ev.KillSwitchVerified: session_folds.kill_verified,
    ev.FlattenRequested: session_folds.flatten_asked,
    ev.BreakerChanged: session_folds.breaker_changed,
    ev.AccountModeChanged: session_folds.mode_changed,
    ev.StrategyStarted: session_folds.strategy_started,
    ev.StrategyStopped: session_folds.strategy_stopped,
    ev.InstrumentDefined: session_folds.instrument_defined,
    ev.TradingDayStarted: _day_started,
    ev.EquitySampled: _equity_sampled,
    ev.AlarmRaised: _noted,
    ev.OrderTimed: _noted,
    ev.SignalReceived: wish_folds.signal_received,
    ev.SignalDenied: wish_folds.signal_denied,
    ev.ParentStarted: wish_folds.parent_started,
    ev.WakeScheduled: wish_folds.wake_scheduled,
    ev.ParentWoken: wish_folds.parent_woken,
    ev.OrderSubmitted: _submitted,
    ev.OrderDenied: _denied,
    ev.OrderAdopted: _adopted,
    ev.OrderFilled: _filled,
    ev.FillRecognized: _recognized,
    ev.FundingPaid: _funding_paid,
    ev.SettlementPaid: _settlement_paid,
    ev.WalletChanged: _wallet_changed,
    ev.PositionAdopted: _position_adopted,
    ev.BooksDiffered: _differed,
    ev.BooksAgreed: _agreed,
    ev.TradesRead: _read,
    ev.ProtectionMissing: _protection_missing,
    ev.ProtectionRestored: _protection_restored,
    **dict.fromkeys(
        (
            ev.OrderAccepted,
            ev.OrderRejected,
            ev.OrderTriggered,
            ev.OrderCanceled,
            ev.OrderExpired,
            ev.OrderReported,
            ev.OrderInDoubt,
            ev.OrderNeverArrived,
            ev.CancelRequested,
            ev.CancelRejected,
            ev.CancelInDoubt,
            ev.ReplaceRequested,
            ev.OrderReplaced,
            ev.ReplaceRejected,
            ev.ReplaceInDoubt,
        ),
        _order_changed,
    ),
}
