"""When a tick would decide nothing, so that it need not be made.

Rule 1: before `until`, and with the price of the one symbol that moves inside `band`, `on_tick`
        emits no fact and sends no command. Whoever stays outside has to make it.
Rule 2: whatever is under way (an order in flight or in doubt, an exit, a refusal, a stop that is
        not as it must be) makes every tick count. It may count too many, never too few.
"""

from __future__ import annotations

from ..model.values import NS_PER_DAY, Key, OrderStatus, Symbol, TradingSessionStatus
from .breaker import BreakerState
from .contracts import ending_due
from .core import Core
from .cover import is_covered
from .exposure import Pool
from .housekeeping import MARGIN_RATIO_MAX, unwanted
from .market import MARK_LAG_NS, QUOTE_OLD_NS
from .order import Order, RequestState
from .orphans import is_orphan
from .parent import Parent
from .protection import is_settled, plan
from .state import State

Band = tuple[float, float]
"""The prices strictly between the two."""

NOWHERE: Band = (float("inf"), 0.0)
EVERYWHERE: Band = (0.0, float("inf"))
NEVER = 2**63 - 1

_SAFE = float(MARGIN_RATIO_MAX) * 0.95
"""The margin ratio that is kept; positions are closed above MARGIN_RATIO_MAX."""

_LATER = 2**62
"""A time at which nothing is waited for any more."""

_AT_REST = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


def until(core: Core) -> int:
    """Return before when no tick decides anything, the margin aside; 0 when each one may."""
    state = core.state
    if state.status is TradingSessionStatus.STOPPED:
        return NEVER
    if state.status is not TradingSessionStatus.RUNNING or state.is_killed or state.is_flattening:
        return 0
    if any(state.position(key).qty for key in state.to_flatten):
        return 0
    if core.asked_after or not all(_is_at_rest(order) for order in state.all_open_orders()):
        return 0
    if unwanted(core) or any(is_orphan(order) for order in state.all_open_orders()):
        return 0
    if any(each.state is not BreakerState.CLOSED for each in state.breakers.values()):
        return 0
    if not all(_is_guarded(state, parent) for parent in _guarded_parents(state)):
        return 0
    ends = ending_due(core)
    due = min([NEVER if ends is None else ends, *core.banned_until.values()])
    for name in state.named_accounts:
        account = state.account(name)
        if account.opened_ts:
            day = min(account.benchmark(asset).day for asset in state.margin_assets(name))
            next_day = (day + 1) * NS_PER_DAY
            due = min(due, next_day, account.sampled_ts + core.settings.equity_interval_ns)
    return min([due, *(_marked_until(core, key) for key in state.open_keys())])


def _marked_until(core: Core, key: Key) -> int:
    """Return from when on the mark price or quote that values a position may be too old for it."""
    market = core.market.of(key[1])
    if not market.marked:
        is_valued_by_quote = market.quoted_ts and all(market.touch)
        return market.quoted_ts + QUOTE_OLD_NS + 1 if is_valued_by_quote else NEVER
    is_fresh = market.last_ts - market.marked_ts <= MARK_LAG_NS
    return (market.marked_ts if is_fresh else market.told_ts) + MARK_LAG_NS + 1


def _is_at_rest(order: Order) -> bool:
    return (
        order.status in _AT_REST
        and order.ending is None
        and order.fence_ts is None
        and order.cancel is RequestState.NONE
        and order.replace is RequestState.NONE
        and order.reported_qty <= order.cum_qty
    )


def _guarded_parents(state: State) -> list[Parent]:
    parents = [state.parents[i] for ids in state.live_parents.values() for i in ids]
    return [p for p in parents if p.start.stop_loss is not None or p.start.take_profit is not None]


def _is_guarded(state: State, parent: Parent) -> bool:
    """Tell whether a parent's protection is as it must be, and time alone can't change that."""
    if parent.is_alarmed or parent.stop_failures:
        return False
    for order in state.children(parent):
        if order.status is OrderStatus.REJECTED or order.cancel_rejected_ts:
            return False
    return (
        is_settled(state, parent) and is_covered(state, parent) and not plan(state, parent, _LATER)
    )


def band(core: Core, symbol: Symbol) -> Band:
    """Return the prices of a symbol at which no account comes near the margin ratio allowed.

    Inside a bracket both sides are straight lines of the price; below it less is needed.
    """
    low, high = EVERYWHERE
    for account in core.state.named_accounts:
        for pool in core.exposure.margin_pools(account):
            floor, ceiling = _safe(core, pool, symbol)
            low, high = max(low, floor), min(high, ceiling)
    return low, high


def _safe(core: Core, pool: Pool, symbol: Symbol) -> Band:
    state = core.state
    left = _SAFE * float(pool.wallet)
    slope, ceiling = 0.0, float("inf")
    for key in pool.keys:
        position, mark = state.position(key), float(core.exposure.mark(key))
        qty, entry = float(position.qty), float(position.entry_price)
        cap, ratio = _bracket(core, key, abs(qty) * mark)
        own = core.market.of(key[1])
        if key[1] != symbol or own.marked or all(own.touch):
            left += _SAFE * qty * (mark - entry) - ratio * abs(qty) * mark
            continue
        left -= _SAFE * qty * entry
        slope += _SAFE * qty - ratio * abs(qty)
        ceiling = min(ceiling, cap / abs(qty))
    if slope > 0.0:
        return max(0.0, -left / slope), ceiling
    if slope < 0.0:
        return 0.0, min(ceiling, left / -slope)
    return (0.0, ceiling) if left > 0.0 else NOWHERE


def _bracket(core: Core, key: Key, notional: float) -> tuple[float, float]:
    """Return up to which notional a rate bounds the maintenance margin, and the rate."""
    instrument = core.state.instruments.get(key)
    if instrument is None or not instrument.brackets:
        return float("inf"), 0.0
    known = instrument.brackets
    bracket = next((b for b in known if notional <= float(b.notional_cap)), known[-1])
    cap = float("inf") if bracket is known[-1] else float(bracket.notional_cap)
    return cap, float(bracket.maint_margin_ratio)
