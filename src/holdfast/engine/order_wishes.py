"""What a strategy wishes of its own open entries: an operator's paths, with narrower rights.

Rule 1: a strategy reaches the entries of its own on its own account, and nothing else: no stop, no
        target, no close, nobody else's order.
Rule 2: a wish never raises. What is refused of an order that stays as it is goes on record as a
        refused amendment, which its strategy hears of; of the rest a person is told.
"""

from __future__ import annotations

from decimal import Decimal

from ..model import commands as cmd
from ..model import events as ev
from ..model.errors import InputError, SessionStateError
from ..model.messages import ModifyRequest
from ..model.order_wish import OrderWish
from ..model.values import OrderRole
from .core import Core
from .order import Order, RequestState
from .parts import named, take_back
from .request_checks import check_amount
from .requests import on_modify


def on_order_wish(core: Core, wish: OrderWish) -> None:
    """Take an entry back or amend it, where it is the strategy's own.

    Of one that has ended nothing is said: its end was told, and the wish came too late; but of what
    goes on in parts any part ends the whole.
    """
    order = core.state.orders.get(wish.cl_ord_id)
    fault = _overreach(core, wish, order)
    if fault:
        _tell(core, wish, fault)
    elif wish.is_cancel:
        _take_back(core, wish, order)
    elif order is not None and order.is_open and not order.ending:
        _amend(core, wish, order)


def _take_back(core: Core, wish: OrderWish, order: Order | None) -> None:
    reason = wish.reason or f"strategy {wish.strategy_id}"
    if not take_back(core, wish.cl_ord_id, reason) and order is not None:
        core.cancel(order, reason)


def _overreach(core: Core, wish: OrderWish, order: Order | None) -> str:
    """Say why a strategy has no business with an order; "" where it has."""
    if wish.strategy_id in core.state.stopped_strategies:
        return f"the strategy was stopped: {core.state.stopped_strategies[wish.strategy_id]}"
    if order is None:
        return _overreach_in_parts(core, wish)
    request = order.request
    is_own = order.is_ours and request.strategy_id == wish.strategy_id
    if not is_own or request.account != wish.account:
        return "the order is not its own"
    return "" if order.role is OrderRole.ENTRY else f"the order is a {order.role.value}"


def _overreach_in_parts(core: Core, wish: OrderWish) -> str:
    parent = named(core, wish.cl_ord_id) if wish.is_cancel else None
    if parent is None:
        return "no such order is known"
    is_own = parent.strategy_id == wish.strategy_id and parent.key[0] == wish.account
    return "" if is_own else "the order is not its own"


def _amend(core: Core, wish: OrderWish, order: Order) -> None:
    if order.is_in_doubt or order.replace is not RequestState.NONE:
        _tell(core, wish, "it is in doubt or being amended")
        return
    try:
        qty, price = _rounded(core, wish, order)
        if (qty, price) != (order.qty, order.price):  # else it is what it should be
            on_modify(core, ModifyRequest(cl_ord_id=order.cl_ord_id, qty=qty, price=price))
    except (InputError, SessionStateError) as error:
        core.emit(ev.ReplaceRejected(ts=core.now, cl_ord_id=order.cl_ord_id, reason=str(error)))


def _rounded(core: Core, wish: OrderWish, order: Order) -> tuple[Decimal, Decimal | None]:
    """Return the quantity and the price that the order is to have."""
    check_amount("quantity", wish.qty)
    check_amount("price", wish.price)
    qty, price = wish.qty, wish.price
    instrument = core.state.contract(order.key)
    if instrument is not None:
        qty = qty and instrument.round_qty(qty)
        price = price and instrument.round_price(price, order.side)
    return order.qty if qty is None else qty, order.price if price is None else price


def _tell(core: Core, wish: OrderWish, why: str) -> None:
    what = "cancel" if wish.is_cancel else "amend"
    text = f"{wish.strategy_id} may not {what} {wish.cl_ord_id!r:.60}: {why}"
    core.send(cmd.Notify(level="info", text=text))
