"""What everybody may see: contracts, book, trades, candles, prices, marks and funding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..model.market import Trade
from ..model.values import ZERO, to_decimal
from . import levels
from .errors import BAD_DEPTH_LIMIT, BAD_INTERVAL, ApiError, invalid
from .frames import ms
from .limits import Pool
from .listing import exchange_info
from .methods import Handler, Method, Methods, RequestContext, Security, Weight
from .order_answers import Json
from .params import Params
from .price_candles import INDEX, MARK, PREMIUM
from .ranges import check_hours, time_range
from .samples import Sides
from .tape import DAY_MINUTES, INTERVALS, MINUTE_NS, Candle, Day, Series, Span, Tape

DEPTH_LIMITS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
"""Levels that may be asked for, and the weight of asking."""

DEPTH_DEFAULT = 500
FUNDING_LIMIT = 100
AGGREGATES_HOURS = 1
_ALL_TICKERS = 40


def ping(_ctx: RequestContext, _params: Params) -> object:
    return {}


def server_time(ctx: RequestContext, _params: Params) -> object:
    return {"serverTime": ms(ctx.venue.shown_now())}


def listing(ctx: RequestContext, _params: Params) -> object:
    return exchange_info(ctx.venue)


def depth(ctx: RequestContext, params: Params) -> object:
    """Show the book: what a taker could have, quotes and resting orders of everyone together."""
    tape = ctx.venue.tape(params.need("symbol"))
    limit = params.integer("limit")
    limit = DEPTH_DEFAULT if limit is None else limit
    if limit not in DEPTH_LIMITS:
        raise ApiError(BAD_DEPTH_LIMIT, f"'{limit}' is not valid depth limit.")
    return {
        "lastUpdateId": tape.look(),  # a diff after this reaches over it
        "E": ms(ctx.now),
        "T": ms(ctx.now),
        "bids": levels.bids(ctx.venue.exchange, tape, limit),
        "asks": levels.asks(ctx.venue.exchange, tape, limit),
    }


# Trades


def trades(ctx: RequestContext, params: Params) -> object:
    tape = ctx.venue.tape(params.need("symbol"))
    newest = list(tape.trades)[-params.limit(500, 1000) :]
    return [_trade(tape, trade) for trade in newest]


def historical_trades(ctx: RequestContext, params: Params) -> object:
    tape = ctx.venue.tape(params.need("symbol"))
    limit, from_id = params.limit(100, 500), params.integer("fromId")
    found = [each for each in tape.trades if from_id is None or each.trade_id >= from_id]
    return [_trade(tape, each) for each in (found[-limit:] if from_id is None else found[:limit])]


def _trade(tape: Tape, trade: Trade) -> Json:
    return {
        "id": trade.trade_id,
        "price": tape.digits.px(trade.price),
        "qty": tape.digits.amount(trade.qty),
        "quoteQty": tape.digits.value(trade.price * trade.qty),
        "time": ms(trade.ts),
        "isBuyerMaker": trade.is_buyer_maker,
        "isRPITrade": False,
    }


def agg_trades(ctx: RequestContext, params: Params) -> object:
    """Return the groups of trades that the stream tells, under the same ids."""
    tape = ctx.venue.tape(params.need("symbol"))
    limit, from_id = params.limit(500, 1000), params.integer("fromId")
    start, end = time_range(params, ctx.now, days=None)
    check_hours(params, AGGREGATES_HOURS)
    found = [
        each
        for each in tape.aggregates.over(ctx.now)
        if (each.number >= from_id if from_id is not None else start <= each.first.ts <= end)
    ][::-1]
    from_first = from_id is not None or params.has("startTime")
    return [
        {
            "a": each.number,
            "p": tape.digits.px(each.first.price),
            "q": tape.digits.amount(each.qty),
            "nq": tape.digits.amount(each.qty),
            "f": each.first.trade_id,
            "l": each.last_id,
            "T": ms(each.first.ts),
            "m": each.first.is_buyer_maker,
        }
        for each in (found[:limit] if from_first else found[-limit:])
    ]


# Candles


def _interval(params: Params) -> str:
    interval = params.need("interval")
    if interval not in INTERVALS:
        raise ApiError(BAD_INTERVAL)
    return interval


def _candles(ctx: RequestContext, series: Series, params: Params) -> Iterable[Candle]:
    limit = params.limit(500, 1500)
    start, end = time_range(params, ctx.now, days=None)
    found = list(series.between(start, end))
    return found[:limit] if params.has("startTime") else found[-limit:]


def klines(ctx: RequestContext, params: Params) -> object:
    return _klines(ctx, ctx.venue.tape(params.need("symbol")), params)


def continuous_klines(ctx: RequestContext, params: Params) -> object:
    tape = ctx.venue.tape(params.need("pair"))
    if params.need("contractType") != "PERPETUAL":
        raise invalid("contractType")
    return _klines(ctx, tape, params)


def _klines(ctx: RequestContext, tape: Tape, params: Params) -> object:
    digits = tape.digits
    return [
        [
            ms(each.start),
            digits.px(each.open),
            digits.px(each.high),
            digits.px(each.low),
            digits.px(each.close),
            digits.amount(each.volume),
            ms(each.end) - 1,
            digits.value(each.quote_volume),
            each.count,
            digits.amount(each.taker_volume),
            digits.value(each.taker_quote_volume),
            "0",
        ]
        for each in _candles(ctx, tape.series(_interval(params)), params)
    ]


def _price_klines(kind: str, named: str) -> Handler:
    """Answer with candles of a price that nobody trades at; `named` says what it is asked by."""

    def answer(ctx: RequestContext, params: Params) -> object:
        symbol = ctx.venue.tape(params.need(named)).symbol
        series = ctx.venue.prices[symbol].series(kind, _interval(params))
        return [
            [
                ms(each.start),
                f"{each.open:.8f}",
                f"{each.high:.8f}",
                f"{each.low:.8f}",
                f"{each.close:.8f}",
                "0",
                ms(each.end) - 1,
                "0",
                each.count,
                "0",
                "0",
                "0",
            ]
            for each in _candles(ctx, series, params)
        ]

    return answer


# Prices


def _chosen(ctx: RequestContext, params: Params) -> Iterator[Tape]:
    text = params.text("symbol")
    yield from ctx.venue.tapes.values() if text is None else (ctx.venue.tape(text),)


def _one_or_all(params: Params, rows: list[Json]) -> object:
    return rows[0] if params.has("symbol") and rows else rows


def ticker_24hr(ctx: RequestContext, params: Params) -> object:
    days = [(tape, tape.day(ctx.now)) for tape in _chosen(ctx, params)]
    if params.has("symbol"):
        tape, day = days[0]
        return _day(tape, day or _empty_day(tape, ctx.now))
    return [_day(tape, day) for tape, day in days if day is not None]


def _empty_day(tape: Tape, now: int) -> Day:
    """Return a day without trades, at the last price that is known."""
    span = Span(now - DAY_MINUTES * MINUTE_NS, now)
    candle = Candle(span, tape.last_price() or 0.0)
    return Day(candle, candle, *span)


def _day(tape: Tape, day: Day) -> Json:
    whole, digits = day.whole, tape.digits
    change = whole.close - whole.open
    last = tape.trades[-1].qty if tape.trades else 0.0
    mean = whole.quote_volume / whole.volume if whole.volume else whole.close
    return {
        "symbol": tape.symbol,
        "priceChange": digits.px(change),
        "priceChangePercent": f"{change / (whole.open or 1.0) * 100:.3f}",
        "weightedAvgPrice": digits.px(mean),
        "lastPrice": digits.px(whole.close),
        "lastQty": digits.amount(last),
        "openPrice": digits.px(whole.open),
        "highPrice": digits.px(whole.high),
        "lowPrice": digits.px(whole.low),
        "volume": digits.amount(whole.volume),
        "quoteVolume": digits.value(whole.quote_volume),
        "openTime": ms(day.begin),
        "closeTime": ms(day.end),
        "firstId": whole.first_id,
        "lastId": whole.last_id,
        "count": whole.count,
    }


def ticker_price(ctx: RequestContext, params: Params) -> object:
    rows: list[Json] = []
    for tape in _chosen(ctx, params):
        price = tape.last_price()
        shown = ctx.venue.exchange.mark_price(tape.symbol) if price is None else to_decimal(price)
        if shown is not None or params.has("symbol"):
            text = tape.digits.px(shown or ZERO)
            rows.append({"symbol": tape.symbol, "price": text, "time": ms(ctx.now)})
    return _one_or_all(params, rows)


def book_ticker(ctx: RequestContext, params: Params) -> object:
    rows: list[Json] = []
    for tape in _chosen(ctx, params):
        exchange = ctx.venue.exchange
        bids, asks = levels.bids(exchange, tape, 1), levels.asks(exchange, tape, 1)
        bid, bid_qty = bids[0] if bids else ("0", "0")
        ask, ask_qty = asks[0] if asks else ("0", "0")
        rows.append(
            {
                "symbol": tape.symbol,
                "bidPrice": bid,
                "bidQty": bid_qty,
                "askPrice": ask,
                "askQty": ask_qty,
                "time": ms(ctx.now),
            }
        )
    return _one_or_all(params, rows)


# Marks and funding


def premium_index(ctx: RequestContext, params: Params) -> object:
    return _one_or_all(params, [_premium(ctx, tape) for tape in _chosen(ctx, params)])


def _premium(ctx: RequestContext, tape: Tape) -> Json:
    """Return the mark; where a feed tells of no index the mark stands in for it."""
    mark = ctx.venue.exchange.mark_price(tape.symbol) or ZERO
    heard = tape.mark
    index = heard.index_price if heard is not None else None
    rate = heard.funding_rate if heard is not None else None
    next_ts = heard.next_funding_ts if heard is not None else None
    return {
        "symbol": tape.symbol,
        "markPrice": f"{mark:.8f}",
        "indexPrice": f"{mark if index is None else index:.8f}",
        "estimatedSettlePrice": f"{mark:.8f}",
        "lastFundingRate": f"{rate or 0.0:.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": ms(next_ts or 0),
        "time": ms(ctx.now),
    }


def funding_rate(ctx: RequestContext, params: Params) -> object:
    limit = params.limit(FUNDING_LIMIT, 1000)
    start, end = time_range(params, ctx.now, days=None)
    rows: list[Json] = [
        {
            "symbol": tape.symbol,
            "fundingRate": f"{funding.rate:.8f}",
            "fundingTime": ms(funding.ts),
            "markPrice": f"{funding.mark:.8f}",
            "rateType": "FUNDING",
        }
        for tape in _chosen(ctx, params)
        for funding in ctx.venue.exchange.fundings(tape.symbol)
        if start <= funding.ts <= end
    ]
    rows.sort(key=lambda row: str(row["fundingTime"]))  # of one length for centuries
    return rows[:limit] if params.has("startTime") else rows[-limit:]


def funding_info(_ctx: RequestContext, _params: Params) -> object:
    """Return the contracts whose funding was adjusted; there are none here."""
    return []


def open_interest(ctx: RequestContext, params: Params) -> object:
    """Return what the accounts of this exchange hold; a fed market tells of no others."""
    tape = ctx.venue.tape(params.need("symbol"))
    held = Sides.of(
        position.qty
        for account in dict.fromkeys(key.account for key in ctx.venue.keys.all())
        for position in ctx.venue.exchange.held(account)
        if position.symbol == tape.symbol
    )
    amount = tape.digits.amount(held.open_interest)
    return {"openInterest": amount, "symbol": tape.symbol, "time": ms(ctx.now)}


# Weights


def _limit_asked(params: Params) -> int | None:
    """Return the limit that a weight goes by; one that is no number is refused after that."""
    text = params.text("limit") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _depth_weight(params: Params) -> int:
    limit = _limit_asked(params)
    return 10 if limit is None else DEPTH_LIMITS.get(limit, 20)


def _kline_weight(params: Params) -> int:
    limit = _limit_asked(params)
    limit = 500 if limit is None else limit
    for most, weight in ((99, 1), (499, 2), (1000, 5)):
        if limit <= most:
            return weight
    return 10


def _one_or_many(one: int, many: int) -> Weight:
    return lambda params: one if params.has("symbol") else many


def _open(handler: Handler, weight: int | Weight = 1) -> Method:
    return Method(handler, weight, Security.NONE)


METHODS: Methods = {
    ("GET", "/api/v3/ping"): _open(ping),
    ("GET", "/api/v3/time"): _open(server_time),
    ("GET", "/fapi/v1/ping"): _open(ping),
    ("GET", "/fapi/v1/time"): _open(server_time),
    ("GET", "/fapi/v1/exchangeInfo"): _open(listing),
    ("GET", "/fapi/v1/depth"): _open(depth, _depth_weight),
    ("GET", "/fapi/v1/trades"): _open(trades, 5),
    ("GET", "/fapi/v1/historicalTrades"): Method(historical_trades, 20, Security.KEY),
    ("GET", "/fapi/v1/aggTrades"): _open(agg_trades, 20),
    ("GET", "/fapi/v1/klines"): _open(klines, _kline_weight),
    ("GET", "/fapi/v1/continuousKlines"): _open(continuous_klines, _kline_weight),
    ("GET", "/fapi/v1/markPriceKlines"): _open(_price_klines(MARK, "symbol"), _kline_weight),
    ("GET", "/fapi/v1/indexPriceKlines"): _open(_price_klines(INDEX, "pair"), _kline_weight),
    ("GET", "/fapi/v1/premiumIndexKlines"): _open(_price_klines(PREMIUM, "symbol"), _kline_weight),
    ("GET", "/fapi/v1/premiumIndex"): _open(premium_index, _one_or_many(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): Method(funding_rate, 0, Security.NONE, pool=Pool.FUNDING),
    ("GET", "/fapi/v1/fundingInfo"): Method(funding_info, 0, Security.NONE, pool=Pool.FUNDING),
    ("GET", "/fapi/v1/ticker/24hr"): _open(ticker_24hr, _one_or_many(1, _ALL_TICKERS)),
    ("GET", "/fapi/v1/ticker/price"): _open(ticker_price, _one_or_many(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): _open(ticker_price, _one_or_many(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): _open(book_ticker, _one_or_many(2, 5)),
    ("GET", "/fapi/v1/openInterest"): _open(open_interest),
}
