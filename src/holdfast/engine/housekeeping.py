"""What time brings: questions after doubts, alarms, the new day, the equity curve, the end."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from ..model import events as ev
from ..model.ids import venue_closing
from ..model.instrument import as_money
from ..model.values import (
    NS_PER_DAY,
    NS_PER_S,
    ZERO,
    AccountId,
    OrderRole,
    OrderStatus,
    TradingSessionStatus,
)
from .asking import ANSWER_PATIENCE_NS, is_due
from .bans import tell_ends
from .breaker import Breaker, BreakerState
from .closing import flatten_by_time, insist_on_closing
from .contracts import closable_keys, is_stuck, tell_endings
from .core import Core
from .cover import WORKING
from .endings import shut
from .exits import closable
from .exposure import Pool
from .far_marks import waits
from .order import Order, RequestState
from .orphans import guards_nothing
from .parts import end_parts
from .protection import guard, is_settled
from .reports import UNWANTED, doubt_unanswered
from .state import State

MARGIN_RATIO_MAX = Decimal("0.8")
"""Maintenance margin over equity at which positions are closed before the venue does it."""

CANCEL_AGAIN_NS = 5 * NS_PER_S
"""How long to wait where the venue may well go on refusing: others' orders, halted contracts, and
whatever is asked while it fails everything.
"""

UNREAD_NS, UNREAD_AGAIN_NS = 30 * NS_PER_S, 600 * NS_PER_S
"""How long books may be asked for in vain before a person is told, and when once more."""

BREAKER_AGAIN_NS = 60 * NS_PER_S
"""How often it is told of a breaker that opens and closes by turns: one road alone may fail."""

QUERIES_PER_TICK = 20
"""How many orders of an account are asked after at once; the others wait their turn."""


def on_tick(core: Core) -> None:
    """Do what has fallen due; see `early_ticks` for accounts that nobody has looked at yet."""
    state, unseen = core.state, core.unseen
    if state.status is TradingSessionStatus.STOPPED:
        return
    ask_after_doubts(core)
    for key in [k for k, ids in state.live_parents.items() if ids and k[0] not in unseen]:
        guard(core, key)
    named = [each for each in state.named_accounts if each not in unseen]
    begun = [each for each in named if state.account(each).opened_ts]
    is_sample_due = _is_sample_due(core, begun)
    for account in begun:
        _turn_day(core, account)
        if is_sample_due:  # all at one instant: what they have together is known of such alone
            sample_equity(core, account)
        avoid_liquidation(core, account)
    _let_breakers_recover(core)
    tell_endings(core)
    tell_ends(core)
    flatten_by_time(core, lambda account: account not in unseen)
    if _wants_no_entries(core):
        insist_on_cancels(core, state.kill_reason or state.status_reason)
    take_back_unwanted(core)
    finish_stop(core)


def _wants_no_entries(core: Core) -> bool:
    """Tell whether entries that outlived their cancel are to be called back again."""
    status = core.state.status
    is_paused = status is TradingSessionStatus.PAUSED and core.settings.cancel_entries_on_pause
    ends = (TradingSessionStatus.STOPPING, TradingSessionStatus.ERROR)
    return core.state.is_killed or is_paused or status in ends


def insist_on_cancels(core: Core, reason: str) -> None:
    """Ask back once more what is to go; where the venue fails everything, not each second."""
    is_pause = core.state.status is TradingSessionStatus.PAUSED and not core.state.is_killed
    for order in core.entries(with_exits=core.state.is_to_stop):
        if not (_is_failing(core, order) and _was_just_refused(core, order)):
            core.cancel(order, reason, is_pause=is_pause)


def _was_just_refused(core: Core, order: Order) -> bool:
    return 0 <= core.now - order.cancel_rejected_ts < CANCEL_AGAIN_NS


def _is_failing(core: Core, order: Order) -> bool:
    account = f"{order.request.account} "
    breakers = core.state.breakers.items()
    return any(
        name.startswith(account) and each.state is not BreakerState.CLOSED
        for name, each in breakers
    )


def take_back_unwanted(core: Core) -> None:
    """Ask for what nobody is left to answer for, as often as it takes."""
    for order in unwanted(core):
        may_stay = not order.is_ours or bool(_why_shut(core, order))
        if (may_stay or _is_failing(core, order)) and _was_just_refused(core, order):
            continue
        core.cancel(order, _why_unwanted(core, order))


def _why_unwanted(core: Core, order: Order) -> str:
    if order.is_unwanted:
        return UNWANTED
    if not order.is_ours:
        return "foreign order"
    if _is_no_dust_left(core.state, order):
        return "what it was to close is gone, or has grown"
    if guards_nothing(core, order):
        return "its wish is gone, and it guards nothing"
    return _why_shut(core, order) or _why_left_out(core.state, order) or "its strategy was stopped"


def unwanted(core: Core) -> list[Order]:
    """Return the open entries of stopped strategies, those in contracts that do not trade or soon
    end, those that the settings have left out, and what appeared after it was given up or asked
    back; and others' orders, where the policy is to cancel them.
    """
    state, others = core.state, core.settings.foreign_order_policy == "cancel"
    stopped = state.stopped_strategies
    return [
        order
        for order in state.all_open_orders()
        if (order.is_unwanted and order.status is not OrderStatus.PENDING_NEW)
        or (others and not order.is_ours and not venue_closing(order.cl_ord_id))
        or _is_no_dust_left(state, order)
        or guards_nothing(core, order)
        or (stopped and order.role is OrderRole.ENTRY and order.request.strategy_id in stopped)
        or (order.is_ours and order.role is OrderRole.ENTRY and _why_shut(core, order))
        or _why_left_out(state, order)
    ]


def _why_left_out(state: State, order: Order) -> str:
    """Say why nobody is left to answer for an entry of a life before; "" where somebody is."""
    if not order.is_ours or order.role is not OrderRole.ENTRY:
        return ""
    if state.is_left_out(order.key):
        return f"{order.key[1]} is not traded any more"
    parent, name = state.parents.get(order.request.parent_id), order.request.strategy_id
    is_called_off = parent is not None and parent.is_called_off
    return f"{name} is not run any more" if is_called_off and name in state.left_strategies else ""


def _is_no_dust_left(state: State, order: Order) -> bool:
    """Tell whether an order was to close dust that is gone, since its twin has closed it, or that
    is a part of a larger position by now: all of that would be closed.
    """
    request = order.request
    is_exit = order.is_ours and order.role is OrderRole.EXIT and request.close_position
    left = closable(state.position(order.key).qty, request.side)
    return is_exit and order.is_waiting and not ZERO < left <= request.qty


def _why_shut(core: Core, order: Order) -> str:
    instrument = core.state.instruments.get(order.key)
    return "" if instrument is None else shut(instrument, core.now, core.settings.end_notice_ns)


def ask_after_doubts(core: Core) -> None:
    before, core.asked_after = core.asked_after, {}
    asked: Counter[AccountId] = Counter()
    for order in core.state.all_open_orders():
        doubt_unanswered(core, order, core.now - ANSWER_PATIENCE_NS)
        asked_ts, account = before.get(order.cl_ord_id, 0), order.request.account
        has_room = asked[account] < QUERIES_PER_TICK
        if has_room and is_due(order, asked_ts, core.now, core.settings.query_interval_ns):
            asked[account] += 1
            asked_ts = core.now
            core.query(order)
        if asked_ts:
            core.asked_after[order.cl_ord_id] = asked_ts


def _turn_day(core: Core, account: AccountId) -> None:
    """Begin the trading day at 00:00 UTC, or at the session's first sight of it."""
    day, books = core.now // NS_PER_DAY, core.state.account(account)
    for asset in core.state.margin_assets(account):
        if books.benchmark(asset).day >= day:  # a clock may have been set back over midnight
            continue
        context = core.risk_context()
        is_in_doubt = context.is_in_doubt(account, asset)
        if waits(core, ("day", account, asset), is_in_doubt=is_in_doubt):
            continue
        equity = as_money(context.equity(account, asset))
        core.emit(
            ev.TradingDayStarted(ts=core.now, account=account, day=day, equity=equity, asset=asset)
        )


def _is_sample_due(core: Core, accounts: list[AccountId]) -> bool:
    """Tell whether accounts are to be sampled, which wait for a mark that is off on any of them."""
    late = (core.now - core.state.account(each).sampled_ts for each in accounts)
    is_late = max(late, default=-1) >= core.settings.equity_interval_ns
    is_in_doubt = is_late and _are_in_doubt(core, accounts)
    return not waits(core, ("sample",), is_in_doubt=is_in_doubt) and is_late


def _are_in_doubt(core: Core, accounts: list[AccountId]) -> bool:
    """Tell whether a mark is far off its market: what it sets, the day or the peak, would stay."""
    context, assets = core.risk_context(), core.state.margin_assets
    return any(context.is_in_doubt(each, a) for each in accounts for a in assets(each))


def sample_equity(core: Core, account: AccountId) -> None:
    """Put one point on the equity curve of each margin asset."""
    for asset in core.state.margin_assets(account):
        wallet = core.state.account(account).wallet(asset)
        equity = as_money(core.risk_context().equity(account, asset))
        core.emit(
            ev.EquitySampled(
                ts=core.now,
                account=account,
                equity=equity,
                wallet=wallet,
                unrealized=equity - wallet,
                exposure=as_money(core.exposure.gross_now(account, asset)),
                asset=asset,
            )
        )


def avoid_liquidation(core: Core, account: AccountId) -> None:
    """Close the largest position of each purse whose margin is nearly used up."""
    for pool in core.exposure.margin_pools(account):
        if pool.ratio >= MARGIN_RATIO_MAX:
            _close_largest(core, account, pool)


def _close_largest(core: Core, account: AccountId, pool: Pool) -> None:
    keys = [key for key in pool.keys if not is_stuck(core.state, key)]
    if not keys:
        return
    worst = max(keys, key=lambda k: abs(core.state.position(k).qty) * core.exposure.mark(k))
    end_parts(core, worst, "its position is closed before the venue does it (emergency close)")
    core.cancel_openers(core.state.open_orders_of(worst), "emergency close")
    if insist_on_closing(core, worst):
        core.alarm(
            "emergency_close",
            f"margin ratio {pool.ratio:.2f}: closing {worst[1]}",
            account,
            worst[1],
        )


def _let_breakers_recover(core: Core) -> None:
    for name, breaker in core.state.breakers.items():
        after = breaker.after_waiting(core.now, core.settings.breaker_recovery_ns)
        if after is not breaker.state:
            _move_breaker(core, name, after, breaker.failure_count)


def on_failure(core: Core, account: AccountId, failure: str, reason: str) -> None:
    """Count a failure of the venue against its breaker; one that is open has counted enough.

    A venue that fails everything fails some hundred requests a minute, and each fact is kept.
    """
    name = f"{account} {failure}"
    breaker = core.state.breakers.get(name) or Breaker()
    if breaker.state is BreakerState.OPEN:
        return
    count = breaker.count_at(core.now)
    after = breaker.after_failure(count, core.settings.breaker_threshold)
    place = ("breaker_open", account, failure)
    is_told = core.now - core.told.get(place, -BREAKER_AGAIN_NS) < BREAKER_AGAIN_NS
    is_told = is_told or _was_open(core, breaker)
    _move_breaker(core, name, after, count, reason)
    if after is BreakerState.OPEN and not is_told:
        core.told[place] = core.now
        text = f"nothing new is opened, for {count} failures within an hour, the last: {reason}"
        core.alarm("breaker_open", text, account)


def _was_open(core: Core, breaker: Breaker) -> bool:
    """Tell whether it is open, or was until it let one through just now: a person knows of it."""
    if breaker.state is BreakerState.HALF_OPEN:
        return core.now - breaker.opened_ts <= 2 * core.settings.breaker_recovery_ns
    return breaker.state is BreakerState.OPEN


def on_success(core: Core, account: AccountId) -> None:
    """A venue that takes orders is well again."""
    for name, breaker in core.state.breakers.items():
        if name.startswith(f"{account} ") and breaker.failure_count:
            after = breaker.after_success()
            if after is BreakerState.CLOSED:
                _move_breaker(core, name, after, 0)


def _move_breaker(core: Core, name: str, state: BreakerState, count: int, reason: str = "") -> None:
    account, failure = name.split(" ", 1)
    core.emit(
        ev.BreakerChanged(
            ts=core.now,
            account=AccountId(account),
            failure=failure,
            state=state.value,
            failure_count=count,
            reason=reason,
        )
    )


def mind_unread(core: Core, account: AccountId) -> None:
    """Say that an account's books have been asked for in vain for long; call it at each audit.

    Orders may go out and fills come in meanwhile: what a stream has lost, and a stop that somebody
    took away, stay unknown all the same.
    """
    since = core.unread_since.setdefault(account, core.now)
    is_under_way = core.state.status in {TradingSessionStatus.RUNNING, TradingSessionStatus.PAUSED}
    if not is_under_way or core.now - since < UNREAD_NS:
        return
    place = ("books_unread", account, "")
    if core.now - core.told.get(place, -UNREAD_AGAIN_NS) >= UNREAD_AGAIN_NS:
        core.told[place] = core.now
        seconds = (core.now - since) // NS_PER_S
        text = (
            f"for {seconds} s nobody could read what the venue has: a lost fill or stop is unseen"
        )
        core.alarm("books_unread", text, account)


def finish_stop(core: Core) -> None:
    """End a session that can be left.

    Where it was told to stop before the venue was looked at, what a power cut has taken off the
    record may rest there: the look comes first.
    """
    state = core.state
    if state.status is not TradingSessionStatus.STOPPING or core.unseen or not can_be_left(state):
        return
    for account in state.named_accounts:
        if state.account(account).opened_ts:
            sample_equity(core, account)
    core.move(TradingSessionStatus.STOPPED, state.status_reason)


def can_be_left(state: State) -> bool:
    """Tell whether a session's entries have ended, and it is flat if that was asked for.

    What it leaves behind must be safe without it: every stop at the venue, nothing in doubt. What
    an account holds whose books have not begun, nobody knows.
    """
    working = [o for o in state.all_open_orders() if o.is_ours and _delays_stop(state, o)]
    if working or (state.is_flattening and not _is_flat(state)):
        return False
    held = [state.parents[i] for ids in state.live_parents.values() for i in ids]
    return all(is_settled(state, parent) for parent in held)


def _is_flat(state: State) -> bool:
    """Tell whether all is closed that can be."""
    has_begun = all(state.account(name).opened_ts for name in state.named_accounts)
    return has_begun and not closable_keys(state)


def _delays_stop(state: State, order: Order) -> bool:
    """Only what protects, and is known to rest at the venue, may outlive the session; one with a
    limit price rests on in the book. Where nothing takes it back, what closes at a price may too.
    """
    is_conditional, is_limited = order.request.order_type.is_conditional, order.price is not None
    is_protecting = order.role is not OrderRole.ENTRY and is_conditional
    is_left = order.request.reduce_only and (is_conditional or is_limited) and not state.is_to_stop
    is_in_book = is_limited and order.ending is None and order.status in WORKING
    rests = order.cancel is RequestState.NONE and (is_in_book or order.status is OrderStatus.NEW)
    return not rests or not (is_protecting or is_left)


def verify_kill(core: Core, account: AccountId) -> None:
    """Once the venues' own books show it: nothing of ours is left that could add risk."""
    state = core.state
    if not state.is_killed or state.is_kill_verified or not state.account(account).opened_ts:
        return
    core.kill_looks.add(account)
    if not core.kill_looks.issuperset(state.named_accounts):
        return
    open_keys = state.open_keys()
    if core.entries() or (state.kill_flattens and open_keys):
        return
    core.emit(ev.KillSwitchVerified(ts=core.now, positions=len(open_keys)))
