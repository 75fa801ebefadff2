"""How orders are written into answers: the acknowledgement, the query's row, the conditional's.

Since June 2026 an acknowledgement has neither average price nor filled value; older programs
want them (`legacy_acks`).
"""

from __future__ import annotations

from ..exchange import VenueOrder
from ..exchange.orders import Expiry
from ..model.instrument import as_money
from ..model.values import ZERO, OrderStatus, TimeInForce, plain
from .archive import booked_ts
from .frames import ms
from .tape import Tape
from .terms import algo_id_of
from .venue import Venue

Json = dict[str, object]

_ASKED_FOR = {"priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"}


def status_word(order: VenueOrder) -> str:
    """Return an order's status in the venue's words."""
    if order.status is OrderStatus.EXPIRED and order.expiry is Expiry.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return "NEW" if order.status is OrderStatus.TRIGGERED else order.status.value


def acknowledgement(venue: Venue, order: VenueOrder) -> Json:
    """Write an order as the answer to placing, amending or cancelling it."""
    tape = venue.tapes[order.symbol]
    answer = _common(venue, order, tape)
    answer["cumQty"] = tape.digits.amount(order.cum_qty)
    if venue.settings.legacy_acks:
        answer |= _filled(order)
    return answer


def tested(venue: Venue, order: VenueOrder) -> Json:
    """Write an order that went nowhere; this answer has kept what others have lost."""
    return acknowledgement(venue, order) | _filled(order)


def row(venue: Venue, order: VenueOrder) -> Json:
    """Write an order as the answer to a query."""
    answer = _common(venue, order, venue.tapes[order.symbol])
    answer |= _filled(order)
    answer["time"] = ms(booked_ts(order))
    if order.asked.callback_rate is not None:
        answer["activatePrice"] = plain(order.asked.activation_price or ZERO)
        answer["priceRate"] = plain(order.asked.callback_rate)
    return answer


def long_row(venue: Venue, order: VenueOrder) -> Json:
    """Write an order as a row of all orders."""
    answer = row(venue, order)
    answer["pair"] = order.symbol
    answer["cumBase"] = "0"
    return answer


def forced_row(venue: Venue, order: VenueOrder) -> Json:
    """Write a liquidation or a deleveraging: nobody asked for more than the order itself."""
    found = long_row(venue, order)
    return {name: value for name, value in found.items() if name not in _ASKED_FOR}


def _filled(order: VenueOrder) -> Json:
    average = order.avg_px
    return {
        "avgPrice": "0.00" if average is None else plain(as_money(average)),
        "cumQuote": plain(as_money(order.cum_quote)),
    }


def _common(venue: Venue, order: VenueOrder, tape: Tape) -> Json:
    asked, terms, digits = order.asked, venue.terms_of(order), tape.digits
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": status_word(order),
        "clientOrderId": venue.name_of(order),
        "price": digits.px(order.price or ZERO),
        "origQty": digits.amount(order.qty),
        "executedQty": digits.amount(order.cum_qty),
        "timeInForce": asked.time_in_force.value,
        "type": order.order_type.value,
        "reduceOnly": asked.reduce_only,
        "closePosition": terms.close_position,
        "side": asked.side.value,
        "positionSide": order.position_side.value,
        "stopPrice": "0",
        "workingType": asked.working_type.value,
        "priceProtect": terms.price_protect,
        "origType": order.order_type.value,
        "priceMatch": terms.price_match,
        "selfTradePreventionMode": order.self_trade.value,
        "goodTillDate": ms(asked.expire_ts or 0),
        "updateTime": ms(order.updated_ts),
    }


# Conditional orders


def algo_status(order: VenueOrder) -> str:
    """Return how far a conditional order has come."""
    if order.is_waiting:
        return "NEW" if order.is_open else order.status.value
    if order.expiry is Expiry.TRIGGER_REFUSED:
        return "REJECTED"
    return "TRIGGERED" if order.is_open else "FINISHED"


def algo_acknowledgement(venue: Venue, order: VenueOrder) -> Json:
    """Write a conditional order as the answer to placing it."""
    asked, terms, digits = order.asked, venue.terms_of(order), venue.tapes[order.symbol].digits
    is_gte = terms.close_position and asked.time_in_force is TimeInForce.GTC
    return {
        "algoId": algo_id_of(order),
        "clientAlgoId": order.cl_ord_id,
        "algoType": "CONDITIONAL",
        "orderType": asked.order_type.value,
        "symbol": order.symbol,
        "side": asked.side.value,
        "positionSide": order.position_side.value,
        "timeInForce": "GTE_GTC" if is_gte else asked.time_in_force.value,
        "quantity": digits.amount(ZERO if terms.close_position else order.qty),
        "algoStatus": algo_status(order),
        "triggerPrice": plain(asked.trigger_price or ZERO),
        "price": digits.px(asked.price or ZERO),
        "icebergQuantity": None,
        "selfTradePreventionMode": order.self_trade.value,
        "workingType": asked.working_type.value,
        "priceMatch": terms.price_match,
        "closePosition": terms.close_position,
        "priceProtect": terms.price_protect,
        "reduceOnly": asked.reduce_only,
        "activatePrice": "" if asked.activation_price is None else plain(asked.activation_price),
        "callbackRate": "" if asked.callback_rate is None else plain(asked.callback_rate),
        "createTime": ms(order.created_ts),
        "updateTime": ms(order.updated_ts),
        "triggerTime": ms(order.triggered_ts),
        "goodTillDate": ms(asked.expire_ts or 0),
    }


def algo_row(venue: Venue, order: VenueOrder) -> Json:
    """Write a conditional order as the answer to a query."""
    digits, average = venue.tapes[order.symbol].digits, order.avg_px
    return algo_acknowledgement(venue, order) | {
        "actualOrderId": str(order.order_id) if order.order_id else "",
        "actualPrice": "0.00000" if average is None else plain(as_money(average)),
        "actualType": order.order_type.value if order.order_id else "",
        "actualQty": digits.amount(order.cum_qty),
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
    }
