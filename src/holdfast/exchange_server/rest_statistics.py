"""Statistics of the market under `/futures/data`: open interest, who is long, who takes, the basis.

Rule 1: every figure is counted here: positions are those of this exchange's accounts, takers
        those of its tape. What nobody has counted has no row.
Rule 2: rows come oldest first; of more than the limit the newest are given. A sample's row bears
        the time that it was taken at, the takers' row the begin of its period, which is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from ..exchange import Position
from ..model.values import NS_PER_DAY, NS_PER_MS, ZERO, AccountId, Symbol, to_decimal
from .errors import BAD_PARAMETER, ApiError
from .frames import ms
from .limits import Pool
from .listing import price_places
from .methods import Handler, Method, Methods, RequestContext, Security
from .order_answers import Json
from .params import Params
from .samples import PERIODS, Sample, Sides
from .tape import Tape
from .venue import Venue

ROWS, ROWS_MAX = 30, 500
REACH_NS = 31 * NS_PER_DAY
"""How far back may be asked. 30 days are promised, and asking for exactly those is granted."""

TOP_PART = 5
"""One in so many accounts is a top trader: those with the most margin balance."""

PERPETUAL = "PERPETUAL"
CONTRACTS = (PERPETUAL, "CURRENT_QUARTER", "NEXT_QUARTER")
"""Those that the venue knows; only the first is traded here."""


# Samples


class _Crowd(NamedTuple):
    """What each account holds, and each of the top traders."""

    everyone: list[list[Position]]
    top: list[list[Position]]


def look(venue: Venue) -> None:
    """Take the samples that are due. Call it often."""
    end = venue.samples.draw(venue.now())
    if end is None:
        return
    crowd = _crowd(venue)
    for tape in venue.tapes.values():
        mark = venue.exchange.mark_price(tape.symbol)
        if mark is not None:  # else nothing was ever heard of it
            sample = _sample(tape, end, mark, crowd)
            trades = sample.next_trade_id + venue.samples.trades_before(tape.symbol)
            venue.keep_sample(tape.symbol, replace(sample, next_trade_id=trades))


def _crowd(venue: Venue) -> _Crowd:
    exchange = venue.exchange
    assets = {tape.instrument.margin_asset for tape in venue.tapes.values()}

    def worth(account: AccountId) -> Decimal:
        return sum((exchange.margin(account, asset).balance for asset in assets), ZERO)

    accounts = dict.fromkeys(key.account for key in venue.keys.all())
    richest = sorted(accounts, key=worth, reverse=True)
    held = [exchange.held(account) for account in richest]
    return _Crowd(held, held[: -(-len(held) // TOP_PART)])


def _sample(tape: Tape, end: int, mark: Decimal, crowd: _Crowd) -> Sample:
    price = tape.last_price()
    index = tape.mark.index_price if tape.mark is not None else None
    return Sample(
        ts=end,
        next_trade_id=tape.draw_trade_id(),
        price=mark if price is None else to_decimal(price),
        mark=mark,
        index=to_decimal(index) if index else mark,
        positions=_positions(crowd.everyone, tape.symbol),
        accounts=_accounts(crowd.everyone, tape.symbol),
        top_positions=_positions(crowd.top, tape.symbol),
        top_accounts=_accounts(crowd.top, tape.symbol),
    )


def _positions(crowd: list[list[Position]], symbol: Symbol) -> Sides:
    return Sides.of(each.qty for held in crowd for each in held if each.symbol == symbol)


def _accounts(crowd: list[list[Position]], symbol: Symbol) -> Sides:
    """Count accounts by what they hold on balance; one that is hedged evenly is on no side."""
    nets = [sum((p.qty for p in held if p.symbol == symbol), ZERO) for held in crowd]
    return Sides.of(Decimal((net > 0) - (net < 0)) for net in nets)


# Questions


class _Asked(NamedTuple):
    """Which rows are wanted; times are nanoseconds, both ends included."""

    tape: Tape
    period: str
    limit: int
    start: int
    end: int

    def newest(self, rows: Iterable[tuple[int, Json]]) -> list[Json]:
        """Return the newest rows of the time asked for; they come with their times."""
        found = [row for ts, row in rows if self.start <= ts <= self.end]
        return found[-self.limit :]


def _asked(ctx: RequestContext, params: Params, named: str = "symbol") -> _Asked:
    """Read what every question has; `named` says what the contract is asked by.

    Raises:
        ApiError: something is missing, is no such thing, or is too long ago.
    """
    symbol, period = params.need(named), params.need("period")
    if period not in PERIODS:
        raise _wrong("period", f"{period!r} is none of {', '.join(PERIODS)}")
    start, end = _time(ctx, params, "startTime"), _time(ctx, params, "endTime")
    if start is not None and end is not None and start > end:
        raise _wrong("startTime", f"{ms(start)} is after endTime {ms(end)}")
    limit = params.limit(ROWS, ROWS_MAX)
    until = ctx.now if end is None else end + NS_PER_MS - 1
    return _Asked(ctx.venue.tape(symbol), period, limit, start or 0, until)


def _time(ctx: RequestContext, params: Params, name: str) -> int | None:
    found = params.integer(name)
    if found is None:
        return None
    if found * NS_PER_MS < ctx.now - REACH_NS:
        raise _wrong(name, f"{found} is more than {REACH_NS // NS_PER_DAY} days ago")
    return found * NS_PER_MS


def _wrong(name: str, why: str) -> ApiError:
    return ApiError(BAD_PARAMETER, f"parameter '{name}' is invalid.", why=why)


def _samples(ctx: RequestContext, asked: _Asked) -> Iterable[Sample]:
    look(ctx.venue)  # one may be due this very moment
    return ctx.venue.samples.of(asked.tape.symbol, asked.period)


# Answers


def open_interest_hist(ctx: RequestContext, params: Params) -> object:
    """Return the open interest; as on the venue, a period without trades has no row."""
    asked = _asked(ctx, params)
    traded = _traded(_samples(ctx, asked))
    return asked.newest((each.ts, _interest(asked.tape.symbol, each)) for each in traded)


def _interest(symbol: Symbol, sample: Sample) -> Json:
    held = sample.positions.open_interest
    return {
        "symbol": symbol,
        "sumOpenInterest": f"{held:.8f}",
        "sumOpenInterestValue": f"{held * sample.mark:.8f}",
        "CMCCirculatingSupply": "0.00000000",  # it is not known here
        "timestamp": ms(sample.ts),
    }


def _traded(samples: Iterable[Sample]) -> Iterator[Sample]:
    before = 1
    for each in samples:
        if each.next_trade_id != before:
            yield each
        before = each.next_trade_id


def _ratio(kind: str) -> Handler:
    """Answer with the shares of long and short; `kind` is the field of a sample."""

    def answer(ctx: RequestContext, params: Params) -> object:
        asked = _asked(ctx, params)
        rows: list[tuple[int, Json]] = []
        for each in _samples(ctx, asked):
            sides: Sides = getattr(each, kind)
            if sides.total:  # else there is nothing to have shares of
                rows.append((each.ts, _shares(asked.tape.symbol, each.ts, sides)))
        return asked.newest(rows)

    return answer


def _shares(symbol: Symbol, ts: int, sides: Sides) -> Json:
    return {
        "symbol": symbol,
        "longAccount": f"{sides.longs / sides.total:.4f}",
        "longShortRatio": _divided(sides.longs, sides.shorts),
        "shortAccount": f"{sides.shorts / sides.total:.4f}",
        "timestamp": ms(ts),
    }


def _divided(above: Decimal | float, below: Decimal | float) -> str:
    """Write a ratio; one to nothing is written as 0."""
    return f"{float(above) / float(below):.4f}" if below else "0.0000"


def taker_ratio(ctx: RequestContext, params: Params) -> object:
    asked = _asked(ctx, params)
    rows: list[tuple[int, Json]] = []
    for each in asked.tape.series(asked.period).candles:
        if each.end > ctx.now:
            continue
        sold = each.volume - each.taker_volume
        row: Json = {
            "buySellRatio": _divided(each.taker_volume, round(sold, 8)),
            "sellVol": f"{sold:.4f}",
            "buyVol": f"{each.taker_volume:.4f}",
            "timestamp": ms(each.start),
        }
        rows.append((each.start, row))
    return asked.newest(rows)


def basis(ctx: RequestContext, params: Params) -> object:
    """Return the last price less the index; where a feed tells of no index the mark is it."""
    contract = params.need("contractType")
    if contract not in CONTRACTS:
        raise _wrong("contractType", f"{contract!r} is none of {', '.join(CONTRACTS)}")
    asked = _asked(ctx, params, "pair")
    if contract != PERPETUAL:
        return []
    return asked.newest((each.ts, _basis(asked.tape, each)) for each in _samples(ctx, asked))


def _basis(tape: Tape, sample: Sample) -> Json:
    found = sample.price - sample.index
    return {
        "indexPrice": f"{sample.index:.8f}",
        "contractType": PERPETUAL,
        "basisRate": f"{found / sample.index:.4f}",
        "futuresPrice": f"{sample.price:.{price_places(tape.instrument)}f}",
        "annualizedBasisRate": "",  # a perpetual has no end to reckon to
        "basis": f"{found:.8f}",
        "pair": tape.symbol,
        "timestamp": ms(sample.ts),
    }


def delivery_price(ctx: RequestContext, params: Params) -> object:
    """Return at what a pair's contracts were settled: there were none."""
    ctx.venue.tape(params.need("pair"))
    return []


def _free(handler: Handler) -> Method:
    return Method(handler, 0, Security.NONE, pool=Pool.STATISTICS)


METHODS: Methods = {
    ("GET", "/futures/data/openInterestHist"): _free(open_interest_hist),
    ("GET", "/futures/data/topLongShortAccountRatio"): _free(_ratio("top_accounts")),
    ("GET", "/futures/data/topLongShortPositionRatio"): _free(_ratio("top_positions")),
    ("GET", "/futures/data/globalLongShortAccountRatio"): _free(_ratio("accounts")),
    ("GET", "/futures/data/takerlongshortRatio"): _free(taker_ratio),
    ("GET", "/futures/data/basis"): _free(basis),
    ("GET", "/futures/data/delivery-price"): _free(delivery_price),
}
