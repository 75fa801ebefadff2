"""Closing what is held because a person or the session wants it closed, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from ..model.values import NS_PER_S, OPERATOR, ZERO, AccountId, Key, OrderRole
from .contracts import is_stuck
from .core import Core
from .dust import closing_plans
from .exits import trades_at_market
from .holdings import worked_of_taken_over
from .order import Order
from .parents import start_parent
from .protection import REFUSALS_MAX, refused_of, was_just_refused
from .signals import close_plans
from .to_flatten import is_its_close

REFUSALS_REMEMBERED_NS = 60 * NS_PER_S
"""How long a refused close counts: the next one, much later, is of another occasion."""


def close_position(core: Core, key: Key, qty: Decimal | None = None) -> None:
    """Send what is left to close of a position; nothing when exits already cover it.

    Args:
        qty: how much is left of what was taken over to be closed, what exits are at work on
            included; None is all of the position, whosever it is.
    """
    intent, is_of_it = core.next_intent(), qty is not None
    if qty is not None:
        qty = max(qty - _worked(core, key), ZERO)
    plans = close_plans(core.state, key, OPERATOR, qty) or closing_plans(core, key, OPERATOR)
    for plan in plans:
        start_parent(core, replace(plan, closes_taken_over=is_of_it), intent)


def _worked(core: Core, key: Key) -> Decimal:
    """Return how much of what was taken over is being closed: by closes of it, and by others' exits
    as far as their fills will be booked on it.
    """
    state, worked, others = core.state, ZERO, list[Order]()
    held = state.position(key).qty
    for order in state.open_orders_of(key):
        if not trades_at_market(order):
            continue
        if is_its_close(state, order):
            worked += order.leaves_qty
        elif held * order.side.sign < ZERO:
            others.append(order)
    return worked + worked_of_taken_over(state, key, others)


def insist_on_closing(
    core: Core, key: Key, qty: Decimal | None = None, *, at_once: bool = False
) -> bool:
    """Close a position because the session wants it closed; less often where that is refused.

    Args:
        qty: how much is left of what was taken over; see `close_position`.
        at_once: a person wants it now, whatever was refused a moment ago.

    Returns:
        Whether something went out, and nothing of the kind was refused of late.
    """
    refused = _refused_closes(core, key)
    if was_just_refused(refused, core.now) and not at_once:
        return False
    before = len(core.facts)
    if len(refused) >= REFUSALS_MAX:
        _tell_refused(core, key, refused)
    close_position(core, key, qty)
    return len(core.facts) > before and not refused


def _tell_refused(core: Core, key: Key, refused: list[Order]) -> None:
    """Tell of a run of refusals, once: a close in parts is refused several times at once."""
    place = ("close_refused", *key)
    if core.told.get(place, -1) < refused[-1].updated_ts:
        core.told[place] = core.now
        text = f"a close was refused {len(refused)} times, the last: {refused[0].reason}"
        core.alarm("close_refused", f"{key[1]}: {text}", *key)


def _refused_closes(core: Core, key: Key) -> list[Order]:
    """Return the closes at the market that were refused since one was taken, newest first; those
    of another occasion left out.
    """
    closes = [
        order
        for order in core.state.orders.values()
        if order.role is OrderRole.EXIT and order.key == key and order.price is None
    ]
    found, since = list[Order](), core.now
    for order in refused_of(closes):
        if since - order.updated_ts > REFUSALS_REMEMBERED_NS:
            break
        found.append(order)
        since = order.updated_ts
    return found


def flatten(core: Core, *, at_once: bool = False) -> None:
    """Close every position."""
    for key in core.state.open_keys():
        flatten_key(core, key, at_once=at_once)


def flatten_by_time(core: Core, is_ready: Callable[[AccountId], bool]) -> None:
    """Close what a person wants closed, or the policy what was taken over, as often as it takes.

    Args:
        is_ready: tells whether an account's books are known well enough for that.
    """
    if core.state.is_flattening:
        for key in core.state.open_keys():
            if is_ready(key[0]):
                flatten_key(core, key)
    if core.settings.mismatch_policy == "flatten":
        for key, qty in tuple(core.state.to_flatten.items()):
            if is_ready(key[0]):
                flatten_key(core, key, qty)


def flatten_key(core: Core, key: Key, qty: Decimal | None = None, *, at_once: bool = False) -> None:
    """Close a position; where the contract's status says that it can't be, try now and then."""
    stuck = is_stuck(core.state, key)
    if not stuck or core.is_time_to_try(key):
        insist_on_closing(core, key, qty, at_once=at_once)
    if stuck and core.is_time_to_try(key):
        core.tried_ts[key] = core.now
