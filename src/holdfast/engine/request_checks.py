"""What is wrong with a request before anything is recorded of it."""

from __future__ import annotations

from decimal import Decimal

from ..model import messages as msg
from ..model.errors import InputError, SessionStateError
from ..model.values import (
    ZERO,
    AccountId,
    Key,
    OrderType,
    TimeInForce,
    TradingSessionStatus,
    to_decimal,
)
from .core import Core
from .parents import Plan, unfit
from .sizing import misplaced_exit, outside_exit


def check_request(core: Core, request: msg.PlaceRequest) -> None:
    """Refuse what contradicts itself, or its contract.

    Raises:
        InputError: the text says what is wrong.
        SessionStateError: the account's books are not open yet.
    """
    kind = request.order_type
    wants = {
        "price": (request.price, kind.has_limit_price),
        "trigger_price": (
            request.trigger_price,
            kind.is_conditional and kind is not OrderType.TRAILING_STOP_MARKET,
        ),
        "callback_rate": (request.callback_rate, kind is OrderType.TRAILING_STOP_MARKET),
    }
    for name, (value, is_needed) in wants.items():
        if is_needed != (value is not None):
            verb = "needs a" if is_needed else "takes no"
            raise InputError(f"a {kind.value} order {verb} {name}, was {value}")
        check_amount(name, value)
    check_amount("quantity", request.qty)
    check_amount("activation_price", request.activation_price)
    if request.activation_price is not None and kind is not OrderType.TRAILING_STOP_MARKET:
        was = request.activation_price
        raise InputError(f"a {kind.value} order takes no activation_price, was {was}")
    _check_time_in_force(request)
    key = (request.account, request.symbol)
    if (core.state.contract if request.reduce_only else core.state.traded)(key) is None:
        raise InputError(f"{request.symbol} is not traded {where(core, key)}")
    check_books(core, request.account)
    _check_exits(core, request)


def _check_time_in_force(request: msg.PlaceRequest) -> None:
    """Refuse a time in force that the venue takes of orders with a limit price alone."""
    kind, asked = request.order_type, request.time_in_force
    if (asked is TimeInForce.GTD) != (request.expire_ts is not None):
        raise InputError("GTD, and GTD alone, needs the time at which the order expires")
    is_at_once = kind is OrderType.MARKET and asked is TimeInForce.IOC
    if not (kind.has_limit_price or is_at_once or asked is TimeInForce.GTC):
        takes = "GTC or IOC" if kind is OrderType.MARKET else "GTC"
        raise InputError(f"a {kind.value} order's time in force is {takes}, was {asked.value}")


def where(core: Core, key: Key) -> str:
    """Say where a contract is not traded: in the session, or on an account that has its own."""
    is_elsewhere = any(key[1] in symbols for symbols in core.state.traded_symbols.values())
    return f"on {key[0]}" if is_elsewhere else "in this session"


def check_algo(core: Core, request: msg.PlaceRequest, plan: Plan) -> None:
    """Refuse an algorithm that there is not, or that can't work the plan.

    Raises:
        InputError: the text says why.
    """
    instrument = core.state.contract(plan.pattern.key)
    if not request.algo or instrument is None:
        return
    if request.reduce_only and request.algo != "direct":
        raise InputError(f"a reduce-only order goes out at once, not by {request.algo}")
    price = request.price or core.market.price(request.symbol)
    if price is None:
        raise InputError(f"no price of {request.symbol} yet")
    if wrong := unfit(plan, instrument, price):
        raise InputError(wrong)


def check_books(core: Core, account: AccountId) -> None:
    """Refuse to trade on an account of which nothing is known yet, or nobody hears any more."""
    check_hears(core)
    if not core.state.account(account).opened_ts:
        raise SessionStateError(f"the books of {account} are not open: wait for the venue's answer")


def check_hears(core: Core) -> None:
    """Refuse an order of which nobody would hear what came: its stop would be left to nobody.

    Raises:
        SessionStateError: the session has ended.
    """
    if core.state.status is TradingSessionStatus.STOPPED:
        raise SessionStateError("the session is STOPPED: start one to trade, or to close")


def check_amount(name: str, value: Decimal | None) -> None:
    """Refuse what is no number above 0; None is nothing to refuse."""
    if value is None:
        return
    try:
        to_decimal(value, name)
    except ValueError as error:
        raise InputError(str(error)) from error
    if value <= ZERO:
        raise InputError(f"{name} must be above 0, was {value:f}")


def _check_exits(core: Core, request: msg.PlaceRequest) -> None:
    if request.stop_loss is None and request.take_profit is None:
        return
    if request.reduce_only:
        raise InputError("a reduce-only order takes no stop_loss or take_profit")
    instrument = core.state.instruments[request.account, request.symbol]
    for name in ("stop_loss", "take_profit"):
        price: Decimal | None = getattr(request, name)
        check_amount(name, price)
        if price is not None and not instrument.is_on_tick(price):
            raise InputError(f"{name} {price:f} is no multiple of the tick {instrument.tick:f}")
    if outside := outside_exit(instrument, request.stop_loss, request.take_profit):
        raise InputError(outside)
    market = core.market.price(request.symbol)
    entry = request.price or request.trigger_price or request.activation_price or market
    if entry is None:
        raise InputError(f"no price of {request.symbol} yet to place stop_loss and take_profit by")
    if request.order_type is not OrderType.LIMIT:
        market = None  # it waits for its own
    fault = misplaced_exit(request.side, entry, request.stop_loss, request.take_profit, market)
    if fault:
        raise InputError(fault)
