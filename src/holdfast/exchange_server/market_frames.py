"""How the public's frames are made of what the tape has."""

from __future__ import annotations

from typing import NamedTuple

from ..exchange import OrderUpdate
from ..model.market import MarkPrice, Trade
from ..model.values import plain
from . import frames_market as wire
from .aggregates import Group
from .depth import Diff, Levels
from .frames import Digits, ms
from .tape import Candle, Day, Tape


def aggregate(group: Group, digits: Digits, sent: int) -> wire.AggTradeFrame:
    first, qty = group.first, digits.amount(group.qty)
    transacted = ms(first.ts)
    return wire.AggTradeFrame(
        sent=max(sent, transacted),
        symbol=first.symbol,
        agg_id=group.number,
        price=digits.px(first.price),
        qty=qty,
        normal_qty=qty,
        first_id=first.trade_id,
        last_id=group.last_id,
        transacted=transacted,
        is_buyer_maker=first.is_buyer_maker,
    )


def trade(trade: Trade, digits: Digits, sent: int) -> wire.TradeFrame:
    transacted = ms(trade.ts)
    return wire.TradeFrame(
        sent=max(sent, transacted),
        transacted=transacted,
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        price=digits.px(trade.price),
        qty=digits.amount(trade.qty),
        is_buyer_maker=trade.is_buyer_maker,
    )


class Touch(NamedTuple):
    """The best bid and ask as texts; a side without one has price and quantity 0."""

    bid: tuple[str, str]
    ask: tuple[str, str]


def book_ticker(tape: Tape, touch: Touch, sent: int) -> wire.BookTickerFrame:
    return wire.BookTickerFrame(
        update_id=tape.update_id,
        sent=sent,
        transacted=sent,
        symbol=tape.symbol,
        pair=tape.symbol,
        bid=touch.bid[0],
        bid_qty=touch.bid[1],
        ask=touch.ask[0],
        ask_qty=touch.ask[1],
    )


def mark_price(mark: MarkPrice, average: float, sent: int) -> wire.MarkPriceFrame:
    price = f"{mark.mark_price:.8f}"
    return wire.MarkPriceFrame(
        sent=sent,
        symbol=mark.symbol,
        mark=price,
        average=f"{average:.8f}",
        index=price if mark.index_price is None else f"{mark.index_price:.8f}",
        settle=price,
        rate=f"{mark.funding_rate or 0.0:.8f}",
        next_funding=ms(mark.next_funding_ts or 0),
    )


def kline_body(tape: Tape, candle: Candle, interval: str, *, is_closed: bool) -> wire.KlineBody:
    digits = tape.digits
    return wire.KlineBody(
        start=ms(candle.start),
        last_ms=ms(candle.end) - 1,
        symbol=tape.symbol,
        interval=interval,
        first_id=candle.first_id or -1,
        last_id=candle.last_id or -1,
        open=digits.px(candle.open),
        close=digits.px(candle.close),
        high=digits.px(candle.high),
        low=digits.px(candle.low),
        volume=digits.amount(candle.volume),
        count=candle.count,
        is_closed=is_closed,
        quote_volume=digits.value(candle.quote_volume),
        taker_volume=digits.amount(candle.taker_volume),
        taker_quote_volume=digits.value(candle.taker_quote_volume),
    )


def mini_ticker(tape: Tape, day: Day, sent: int) -> wire.MiniTickerFrame:
    digits, whole = tape.digits, day.whole
    return wire.MiniTickerFrame(
        sent=sent,
        symbol=tape.symbol,
        pair=tape.symbol,
        close=digits.px(whole.close),
        open=digits.px(whole.open),
        high=digits.px(whole.high),
        low=digits.px(whole.low),
        volume=digits.amount(whole.volume),
        quote_volume=f"{whole.quote_volume:.2f}",
    )


def ticker(tape: Tape, day: Day, sent: int) -> wire.TickerFrame:
    digits, whole = tape.digits, day.whole
    change = whole.close - whole.open
    mean = whole.quote_volume / whole.volume if whole.volume else whole.close
    return wire.TickerFrame(
        sent=sent,
        symbol=tape.symbol,
        pair=tape.symbol,
        change=digits.px(change),
        change_percent=f"{100 * change / whole.open:.3f}",
        average=digits.px(mean),
        close=digits.px(whole.close),
        last_qty=digits.amount(tape.trades[-1].qty if tape.trades else 0.0),
        open=digits.px(whole.open),
        high=digits.px(whole.high),
        low=digits.px(whole.low),
        volume=digits.amount(whole.volume),
        quote_volume=f"{whole.quote_volume:.2f}",
        opened=ms(day.begin),
        closed=ms(day.end),
        first_id=whole.first_id,
        last_id=whole.last_id,
        count=whole.count,
    )


def diff(tape: Tape, found: Diff, sent: int) -> wire.DepthFrame:
    return wire.DepthFrame(
        sent=sent,
        transacted=sent,
        symbol=tape.symbol,
        pair=tape.symbol,
        first_id=found.first_id,
        final_id=found.final_id,
        previous_id=found.previous_id,
        bids=levels(found.bids, tape.digits),
        asks=levels(found.asks, tape.digits),
    )


def levels(found: Levels, digits: Digits) -> wire.Levels:
    return [(digits.px(price), digits.amount(qty)) for price, qty in found.items()]


def force_order(update: OrderUpdate, digits: Digits, sent: int) -> wire.ForceOrderFrame:
    order, report = update.order, update.report
    price = digits.px(report.last_px)
    return wire.ForceOrderFrame(
        sent=sent,
        pair=order.symbol,
        order=wire.ForcedOrder(
            symbol=order.symbol,
            side=order.side.value,
            order_type=order.order_type.value,
            time_in_force=order.asked.time_in_force.value,
            qty=digits.amount(order.qty),
            price=digits.px(order.price or report.last_px),
            average=price,
            status=order.status.value,
            last_qty=digits.amount(report.last_qty),
            cum_qty=plain(order.cum_qty),
            transacted=ms(report.venue_ts),
        ),
    )
