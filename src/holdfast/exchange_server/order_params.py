"""From the parameters of a request to the order that is meant, or the reason why it is none."""

from __future__ import annotations

import re
import secrets
import string
from decimal import Decimal
from typing import NamedTuple

from ..exchange import PositionSide, SelfTrade, VenueOrder
from ..model.values import (
    NS_PER_MS,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderType,
    Side,
    TimeInForce,
    WorkingType,
)
from . import terms
from .errors import (
    BAD_CLIENT_ID,
    BAD_COMBINATION,
    BAD_POSITION_SIDE,
    BAD_PRECISION,
    BAD_PRICE_MATCH,
    BAD_RESPONSE_TYPE,
    BAD_SELF_TRADE,
    BAD_SIDE,
    BAD_TIF,
    BAD_TYPE,
    BAD_WORKING_TYPE,
    ILLEGAL_CHARS,
    NO_PRICE_TO_MATCH,
    NOT_SUPPORTED,
    NOT_WANTED,
    OTHER_POSITION_SIDE,
    PRICE_MATCH_TYPE,
    QTY_WITH_CLOSE,
    REDUCE_ONLY_CONFLICT,
    REDUCE_ONLY_WITH_CLOSE,
    USE_ALGO_ORDER,
    ApiError,
    invalid,
    missing,
)
from .params import Params
from .tape import Tape
from .user_events import Terms
from .venue import Venue

CLIENT_ID_LENGTH = 36
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]*")
_LETTERS = bytes((string.ascii_letters + string.digits).encode()[i % 62] for i in range(256))
"""One letter for each byte."""

_CLOSING = (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)

_MATCHES: dict[str, tuple[bool, int]] = {
    "OPPONENT": (True, 1),
    "OPPONENT_5": (True, 5),
    "QUEUE": (False, 1),
    "QUEUE_5": (False, 5),
    "QUEUE_10": (False, 10),
    "QUEUE_20": (False, 20),
}
"""Whether the price is one of the other side, and which level's."""


class Wanted(NamedTuple):
    """An order as a request asks for it. `is_final` waits for the end of what can't rest."""

    order: NewOrder
    self_trade: SelfTrade
    is_final: bool
    position_side: PositionSide = PositionSide.BOTH

    def shell(self, now: int = 0) -> VenueOrder:
        """Return the order as it would be kept, without a number."""
        order = self.order
        return VenueOrder(
            asked=order,
            order_type=order.order_type,
            qty=order.qty,
            price=order.price,
            created_ts=now,
            updated_ts=now,
            self_trade=self.self_trade,
            position_side=self.position_side,
        )


def new_client_id() -> ClOrdId:
    """Draw the id of an order that came without."""
    return ClOrdId(secrets.token_bytes(22).translate(_LETTERS).decode())


def client_id(params: Params, name: str) -> ClOrdId:
    """Return the client id sent, or a new one.

    Raises:
        ApiError: it is too long, or of other characters.
    """
    text = params.text(name)
    if text is None:
        return new_client_id()
    if len(text) > CLIENT_ID_LENGTH:
        raise ApiError(BAD_CLIENT_ID, why=f"{name} has {len(text)} characters")
    if not _CLIENT_ID.fullmatch(text):
        text = f"Illegal characters found in parameter '{name}'; legal range is "
        raise ApiError(ILLEGAL_CHARS, text + r"'^[\.A-Z\:/a-z0-9_-]{1,36}$'.")
    return ClOrdId(text)


def modify_id(params: Params) -> str:
    """Return the id that an amendment was given, "" where it has none.

    Raises:
        ApiError: it is longer than a client id, or of other characters.
    """
    text = params.text("modifyId") or ""
    if len(text) > CLIENT_ID_LENGTH or not _CLIENT_ID.fullmatch(text):
        raise invalid("modifyId")
    return text


def ordinary(venue: Venue, account: AccountId, params: Params) -> Wanted:
    """Read an order for the book: LIMIT or MARKET.

    Raises:
        ApiError: a parameter is missing or can't be.
    """
    tape = venue.tape(params.need("symbol"))
    side = need_side(params)
    kind = _need_type(params)
    if kind.is_conditional:
        raise ApiError(USE_ALGO_ORDER)
    position_side = _position_side(venue, account, params, no_reduce=NOT_WANTED)
    if kind is OrderType.MARKET:
        for name in ("price", "timeInForce", "priceMatch", "goodTillDate"):
            params.refuse(name)
        tif, price, match = TimeInForce.GTC, None, "NONE"
    else:
        tif = need_tif(params)
        match = _price_match(params)
        price = matched_price(venue, tape, side, match) if match != "NONE" else limit(params, tape)
    qty = quantity(params, tape)
    order = NewOrder(
        cl_ord_id=client_id(params, "newClientOrderId"),
        symbol=tape.symbol,
        side=side,
        qty=qty,
        order_type=kind,
        price=price,
        time_in_force=tif,
        expire_ts=_expiry(params, tif),
        reduce_only=params.flag("reduceOnly"),
        account=account,
        intent_id=terms.note(Terms(price_match=match)),
    )
    is_final = _is_final(params) and not _may_rest(order)
    return Wanted(order, _self_trade(params), is_final, position_side)


def conditional(venue: Venue, account: AccountId, params: Params) -> Wanted:
    """Read a conditional order.

    Raises:
        ApiError: a parameter is missing or can't be.
    """
    if params.text("algoType") not in (None, "CONDITIONAL"):
        raise ApiError(NOT_SUPPORTED, why="only CONDITIONAL algo orders are simulated")
    tape = venue.tape(params.need("symbol"))
    side = need_side(params)
    kind = _need_type(params)
    if not kind.is_conditional:
        raise ApiError(BAD_TYPE)
    position_side = _position_side(venue, account, params, no_reduce=REDUCE_ONLY_CONFLICT)
    if _price_match(params) != "NONE":
        raise ApiError(NOT_SUPPORTED, why="priceMatch of conditional orders is not simulated")
    closes = params.flag("closePosition")
    tif = params.choice("timeInForce", TimeInForce, BAD_TIF) or TimeInForce.GTC
    is_trailing = kind is OrderType.TRAILING_STOP_MARKET
    order = NewOrder(
        cl_ord_id=client_id(params, "clientAlgoId"),
        symbol=tape.symbol,
        side=side,
        qty=_closing_qty(params, tape, kind) if closes else quantity(params, tape),
        order_type=kind,
        price=limit(params, tape) if kind.has_limit_price else None,
        trigger_price=None if is_trailing else params.need_decimal("triggerPrice"),
        working_type=params.choice("workingType", WorkingType, BAD_WORKING_TYPE)
        or WorkingType.CONTRACT_PRICE,
        callback_rate=params.need_decimal("callbackRate") if is_trailing else None,
        activation_price=_activation(params) if is_trailing else None,
        time_in_force=tif,
        expire_ts=_expiry(params, tif),
        reduce_only=closes or params.flag("reduceOnly"),
        account=account,
        intent_id=terms.note(
            Terms(close_position=closes, price_protect=params.flag("priceProtect"))
        ),
    )
    return Wanted(order, _self_trade(params), is_final=False, position_side=position_side)


def _closing_qty(params: Params, tape: Tape, kind: OrderType) -> Decimal:
    if kind not in _CLOSING:
        raise ApiError(BAD_COMBINATION, why=f"closePosition has no meaning on {kind.value}")
    if params.decimal("quantity"):
        raise ApiError(QTY_WITH_CLOSE)
    if params.has("reduceOnly") and not params.flag("reduceOnly"):
        raise ApiError(REDUCE_ONLY_WITH_CLOSE)
    most = tape.instrument.round_qty(tape.instrument.max_market_qty)
    return max(most, tape.instrument.lot)


# Single parameters


def need_side(params: Params) -> Side:
    side = params.choice("side", Side, BAD_SIDE)
    if side is None:
        raise missing("side")
    return side


def _need_type(params: Params) -> OrderType:
    kind = params.choice("type", OrderType, BAD_TYPE)
    if kind is None:
        raise missing("type")
    return kind


def need_tif(params: Params) -> TimeInForce:
    tif = params.choice("timeInForce", TimeInForce, BAD_TIF)
    if tif is None:
        raise missing("timeInForce")
    return tif


def quantity(params: Params, tape: Tape) -> Decimal:
    """Read the quantity; more decimals than the lot has are refused as the venue refuses them."""
    qty = params.need_decimal("quantity")
    if _decimals(qty) > tape.digits.qty:
        raise ApiError(BAD_PRECISION, why=f"quantity {qty} has more than {tape.digits.qty}")
    return qty


def limit(params: Params, tape: Tape) -> Decimal:
    """Read the limit price; more decimals than prices are written with are refused."""
    price = params.need_decimal("price")
    if _decimals(price) > price_precision(tape):
        raise ApiError(BAD_PRECISION, why=f"price {price} has more than {price_precision(tape)}")
    return price


def price_precision(tape: Tape) -> int:
    """Return how many decimals a price may have; the tick may be coarser."""
    return max(2, tape.digits.price)


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def _activation(params: Params) -> Decimal | None:
    """Read the activation price; some clients write its old name, and 0 for none."""
    return params.decimal("activatePrice") or params.decimal("activationPrice") or None


def _expiry(params: Params, tif: TimeInForce) -> int | None:
    if tif is not TimeInForce.GTD:
        return None
    seconds = params.need_integer("goodTillDate") // 1000
    return seconds * 1000 * NS_PER_MS


def _position_side(
    venue: Venue, account: AccountId, params: Params, *, no_reduce: int
) -> PositionSide:
    """Read which position is meant; `no_reduce` is what a hedged reduce-only is refused with."""
    side = named_side(params)
    if side not in venue.exchange.sides(account):
        raise ApiError(OTHER_POSITION_SIDE)
    if side is not PositionSide.BOTH and params.flag("reduceOnly"):
        if no_reduce == NOT_WANTED:
            params.refuse("reduceOnly")
        raise ApiError(no_reduce)
    return side


def named_side(params: Params) -> PositionSide:
    """Read a position's side; BOTH where none is sent."""
    side = params.choice("positionSide", PositionSide, BAD_POSITION_SIDE)
    return side or PositionSide.BOTH


def _self_trade(params: Params) -> SelfTrade:
    mode = params.choice("selfTradePreventionMode", SelfTrade, BAD_SELF_TRADE)
    return mode or SelfTrade.EXPIRE_MAKER


def _is_final(params: Params) -> bool:
    word = params.text("newOrderRespType") or "ACK"
    if word not in ("ACK", "RESULT"):
        raise ApiError(BAD_RESPONSE_TYPE)
    return word == "RESULT"


def _may_rest(order: NewOrder) -> bool:
    return order.order_type is OrderType.LIMIT and order.time_in_force not in (
        TimeInForce.IOC,
        TimeInForce.FOK,
    )


def _price_match(params: Params) -> str:
    word = params.text("priceMatch") or "NONE"
    if word == "NONE":
        return word
    if word not in _MATCHES:
        raise ApiError(BAD_PRICE_MATCH)
    if params.decimal("price"):
        raise ApiError(BAD_COMBINATION, why="priceMatch stands in the place of a price")
    if params.text("type") not in (None, "LIMIT", "STOP", "TAKE_PROFIT"):
        raise ApiError(PRICE_MATCH_TYPE)
    return word


def matched_price(venue: Venue, tape: Tape, side: Side, match: str) -> Decimal:
    """Return the price of the level that is meant.

    Raises:
        ApiError: the book has no such level.
    """
    is_opponent, level = _MATCHES[match]
    taker = side if is_opponent else side.opposite
    levels = venue.exchange.offered(tape.symbol, taker, level)
    if len(levels) < level:
        raise ApiError(NO_PRICE_TO_MATCH)
    return levels[level - 1][0]


def match_of(params: Params) -> str:
    """Return an amendment's price match, "NONE" where it names a price."""
    return _price_match(params)
