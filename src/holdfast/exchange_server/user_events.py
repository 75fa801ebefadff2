"""What the exchange says of an account, as user events in the order in which Binance sends them.

A taker hears TRADE_LITE, NEW, ACCOUNT_UPDATE and TRADE; a maker the same without NEW; all events
of one match carry the same `T`. A conditional order goes through NEW, TRIGGERING, TRIGGERED and
FINISHED, or ends CANCELED, EXPIRED or REJECTED. Nobody hears of what was refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..exchange import (
    ADL_PREFIX,
    LIQUIDATION_PREFIX,
    SETTLEMENT_PREFIX,
    AccountUpdate,
    Exchange,
    OrderUpdate,
    Output,
    PositionShown,
    VenueOrder,
)
from ..exchange.orders import Expiry
from ..model.instrument import as_money
from ..model.messages import ExecType, FundingPayment
from ..model.values import (
    ZERO,
    AccountId,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
    plain,
)
from . import frames_user as wire
from .frames import Digits, encode, ms


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer said of an order that the exchange need not know."""

    close_position: bool = False
    price_protect: bool = False
    price_match: str = "NONE"
    modify_id: str = ""  # of the latest amendment


PLAIN_TERMS = Terms()


class UserEvent(NamedTuple):
    """One event for the streams of one account."""

    account: AccountId
    kind: str
    payload: bytes


class UserEvents:
    """Turns outputs into events.

    `terms_of` says what else was asked of an order, `algo_id_of` what number a conditional one
    has on the wire, `name_of` what client id an order has in the book.
    """

    def __init__(
        self,
        exchange: Exchange,
        terms_of: Callable[[VenueOrder], Terms] = lambda _: PLAIN_TERMS,
        algo_id_of: Callable[[VenueOrder], int] = lambda order: order.algo_id,
        name_of: Callable[[VenueOrder], str] = lambda order: order.cl_ord_id,
    ) -> None:
        self._exchange = exchange
        self._terms_of = terms_of
        self._algo_id_of = algo_id_of
        self._name_of = name_of
        self._digits: dict[Symbol, Digits] = {}
        self._assets: dict[Symbol, str] = {}
        self._inactive: dict[int, None] = {}  # trailing stops that wait for their activation

    def translate(
        self,
        outputs: Sequence[Output],
        now: int,
        is_heard: Callable[[AccountId], bool] = lambda _: True,
    ) -> list[UserEvent]:
        """Return the events of what one request or one market message set off.

        Those of accounts that nobody listens to (`is_heard`) are left out.
        """
        events: list[UserEvent] = []
        lites = _lite_places(outputs)
        for place, output in enumerate(outputs):
            if place in lites and is_heard(lites[place].report.account):
                events.append(self._trade_lite(lites[place], now))
            if isinstance(output, OrderUpdate):
                self._note_activity(output.order)
                if is_heard(output.report.account):
                    events += self._order_events(output, now)
            elif isinstance(output, AccountUpdate) and is_heard(output.account):
                following = outputs[place + 1 : place + 2]
                events.append(_account_event(output, following, now))
        return events

    def activations(self, now: int) -> list[UserEvent]:
        """Return the events of trailing stops that became active since the last look."""
        events = []
        for algo_id in tuple(self._inactive):
            order = self._exchange.order_by_id(algo_id)
            if order is None or not order.is_open or not order.is_waiting:
                del self._inactive[algo_id]
            elif order.peak is not None:
                del self._inactive[algo_id]
                events.append(self._algo_event(order, "NEW", now, now))
        return events

    # Ordinary orders

    def _order_events(self, update: OrderUpdate, now: int) -> list[UserEvent]:
        order, exec_type = update.order, update.report.exec_type
        ts = update.report.venue_ts
        if not order.algo_id:
            return [self._order_event(update, now)]
        if order.is_waiting:
            return [self._algo_event(order, _ended_or_new(order), ts, now)]
        if exec_type is ExecType.TRIGGERED:
            return [self._algo_event(order, "TRIGGERING", ts, now)]
        if order.expiry is Expiry.TRIGGER_REFUSED:
            return [self._algo_event(order, "REJECTED", ts, now)]
        if exec_type is ExecType.NEW:
            return [self._algo_event(order, "TRIGGERED", ts, now), self._order_event(update, now)]
        if order.is_open:
            return [self._order_event(update, now)]
        return [self._order_event(update, now), self._algo_event(order, "FINISHED", ts, now)]

    def _order_event(self, update: OrderUpdate, now: int) -> UserEvent:
        order, report = update.order, update.report
        asked, terms = order.asked, self._terms_of(order)
        exec_type = report.exec_type
        bids, asks = self._open_notional(order)
        body = wire.OrderBody(
            symbol=order.symbol,
            cl_ord_id=self._name_of(order),
            side=order.side.value,
            order_type=order.order_type.value,
            time_in_force=asked.time_in_force.value,
            qty=plain(order.qty),
            price=_text(order.price),
            average=_text(order.avg_px),
            exec_type=_exec_word(update),
            status=_status_word(order),
            order_id=order.order_id,
            cum_qty=plain(order.cum_qty),
            fee_asset=self._asset(order.symbol),
            transacted=ms(report.venue_ts),
            bids_notional=bids,
            asks_notional=asks,
            reduce_only=asked.reduce_only,
            working_type=asked.working_type.value,
            original_type=order.order_type.value,
            position_side=order.position_side.value,
            close_position=terms.close_position,
            price_protect=terms.price_protect,
            self_trade=order.self_trade.value,
            price_match=terms.price_match,
            good_till=ms(asked.expire_ts or 0),
            expiry=_expiry_code(order),
        )
        if exec_type is ExecType.TRADE:
            body.last_qty, body.last_price = plain(report.last_qty), plain(report.last_px)
            body.fee_asset = report.fee_asset
            body.fee, body.realized = plain(report.fee), plain(report.realized_pnl or ZERO)
            body.trade_id, body.is_maker = int(report.trade_id), report.is_maker
        elif exec_type is ExecType.REPLACED and terms.modify_id:
            body.modify_id = terms.modify_id
        frame = wire.OrderTradeUpdate(body.transacted, ms(now), body)
        return UserEvent(report.account, "ORDER_TRADE_UPDATE", encode(frame))

    def _trade_lite(self, update: OrderUpdate, now: int) -> UserEvent:
        order, report = update.order, update.report
        digits = self._digits_of(order.symbol)
        frame = wire.TradeLite(
            sent=ms(now),
            transacted=ms(report.venue_ts),
            symbol=order.symbol,
            qty=digits.amount(order.qty),
            price=digits.px(order.price or ZERO),
            is_maker=report.is_maker,
            cl_ord_id=self._name_of(order),
            side=order.side.value,
            last_price=digits.px(report.last_px),
            last_qty=digits.amount(report.last_qty),
            trade_id=int(report.trade_id),
            order_id=order.order_id,
        )
        return UserEvent(report.account, "TRADE_LITE", encode(frame))

    def _open_notional(self, order: VenueOrder) -> tuple[str, str]:
        """Return what the account's open buys and sells of the symbol were worth right then."""
        sums = {Side.BUY: ZERO, Side.SELL: ZERO}
        for other in self._exchange.open_orders(order.account, order.symbol):
            if other.uid != order.uid:
                sums[other.side] += _notional(other)
        sums[order.side] += _notional(order)
        return plain(sums[Side.BUY]), plain(sums[Side.SELL])

    # Conditional orders

    def _note_activity(self, order: VenueOrder) -> None:
        is_trailing = order.asked.order_type is OrderType.TRAILING_STOP_MARKET
        if is_trailing and order.is_open and order.is_waiting:
            self._inactive[order.algo_id] = None

    def _algo_event(self, order: VenueOrder, status: str, ts: int, now: int) -> UserEvent:
        asked, terms = order.asked, self._terms_of(order)
        body = wire.AlgoBody(
            cl_algo_id=order.cl_ord_id,
            algo_id=self._algo_id_of(order),
            order_type=asked.order_type.value,
            symbol=order.symbol,
            side=order.side.value,
            position_side=order.position_side.value,
            time_in_force="GTE_GTC" if terms.close_position else asked.time_in_force.value,
            qty="0" if terms.close_position else plain(order.qty),
            status=status,
            trigger_price=_text(asked.trigger_price),
            price=_text(asked.price),
            self_trade=order.self_trade.value,
            working_type=asked.working_type.value,
            price_match=terms.price_match,
            close_position=terms.close_position,
            price_protect=terms.price_protect,
            reduce_only=asked.reduce_only or terms.close_position,
            triggered=ms(order.triggered_ts),
            good_till=ms(asked.expire_ts or 0),
            is_active=order.peak is not None,
        )
        if status in ("TRIGGERED", "FINISHED"):
            body.order_id, body.actual_type = str(order.order_id), order.order_type.value
            body.average, body.filled = _text(order.avg_px), plain(order.cum_qty)
        elif status == "REJECTED":
            body.refusal = order.reason
        frame = wire.AlgoUpdate(ms(ts), ms(now), body)
        return UserEvent(order.account, "ALGO_UPDATE", encode(frame))

    # What is known of a symbol

    def _learn(self, symbol: Symbol) -> None:
        for instrument in self._exchange.instruments():
            if instrument.symbol == symbol:
                self._digits[symbol] = Digits.of(instrument)
                self._assets[symbol] = instrument.margin_asset

    def _digits_of(self, symbol: Symbol) -> Digits:
        if symbol not in self._digits:
            self._learn(symbol)
        return self._digits[symbol]

    def _asset(self, symbol: Symbol) -> str:
        if symbol not in self._assets:
            self._learn(symbol)
        return self._assets[symbol]


def _lite_places(outputs: Sequence[Output]) -> dict[int, OrderUpdate]:
    """Return before which output each fill is told in short: the NEW, or its account update."""
    places: dict[int, OrderUpdate] = {}
    news: dict[int, int] = {}
    for place, output in enumerate(outputs):
        if not isinstance(output, OrderUpdate) or is_forced(output.order):
            continue
        order_id, exec_type = output.order.order_id, output.report.exec_type
        if exec_type is ExecType.NEW and order_id:
            news[order_id] = place
        elif exec_type is ExecType.TRADE:
            places[news.pop(order_id, place - 1)] = output
    return places


def _account_event(update: AccountUpdate, following: Sequence[Output], now: int) -> UserEvent:
    balance = wire.Balance(
        asset=update.asset,
        wallet=plain(update.wallet),
        cross_wallet=plain(update.cross_wallet),
        change=plain(update.change),
    )
    beside = [
        wire.Balance(asset=asset, wallet=plain(wallet), cross_wallet=plain(wallet), change="0")
        for asset, wallet in update.beside
    ]
    body = wire.AccountBody(
        balances=[] if update.reason == "MARGIN_TYPE_CHANGE" else [balance, *beside],
        positions=[_position_row(update, each) for each in update.positions],
        reason=update.reason,
    )
    if following and isinstance(following[0], FundingPayment):
        body.symbol = following[0].symbol
    frame = wire.AccountUpdateFrame(ms(update.venue_ts), ms(now), body)
    return UserEvent(update.account, "ACCOUNT_UPDATE", encode(frame))


def _position_row(update: AccountUpdate, shown: PositionShown) -> wire.PositionRow:
    return wire.PositionRow(
        symbol=update.symbol,
        qty=plain(shown.qty),
        entry_price=_text(shown.entry_price),
        realized=_text(shown.realized),
        unrealized=_text(shown.unrealized),
        margin_type="isolated" if update.is_isolated else "cross",
        isolated_wallet=plain(shown.isolated_wallet),
        position_side=shown.side.value,
        margin_asset=update.asset,
        break_even_price=_text(shown.break_even_price),
    )


def _text(number: Decimal | None) -> str:
    """Write an amount with at most eight decimals; none as "0"."""
    return "0" if number is None else plain(as_money(number))


def _notional(order: VenueOrder) -> Decimal:
    """Return what an open order still counts for."""
    counts = order.is_open and not order.is_waiting and order.order_type is OrderType.LIMIT
    return order.leaves_qty * (order.price or ZERO) if counts else ZERO


def _ended_or_new(order: VenueOrder) -> str:
    return "NEW" if order.is_open else order.status.value


def is_liquidation(order: VenueOrder) -> bool:
    return order.cl_ord_id.startswith(LIQUIDATION_PREFIX)


def is_forced(order: VenueOrder) -> bool:
    """Tell whether the exchange itself placed an order: to liquidate, deleverage or settle."""
    return (
        is_liquidation(order)
        or order.cl_ord_id == ADL_PREFIX
        or order.cl_ord_id.startswith(SETTLEMENT_PREFIX)
    )


def _exec_word(update: OrderUpdate) -> str:
    exec_type = update.report.exec_type
    if exec_type is ExecType.TRADE and is_forced(update.order):
        return "CALCULATED"
    return "AMENDMENT" if exec_type is ExecType.REPLACED else exec_type.value


def _status_word(order: VenueOrder) -> str:
    if order.status is OrderStatus.EXPIRED and order.expiry is Expiry.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return "NEW" if order.status is OrderStatus.TRIGGERED else order.status.value


def _expiry_code(order: VenueOrder) -> str:
    if order.expiry is Expiry.TIME:
        return "0"  # Binance has no code for a good-till date that has come
    is_remainder = order.asked.time_in_force is TimeInForce.IOC
    if order.expiry is Expiry.SELF_TRADE and is_remainder:
        return "3"
    return str(order.expiry.value)
