"""What is asked for beside the market: indices, the insurance fund, ADL risk, rules of conduct.

Rule: what is not simulated is answered as it is here, empty or at rest, never made up.
"""

from __future__ import annotations

from decimal import Decimal

from ..exchange import LIQUIDATION_PREFIX
from ..model.messages import WalletChange
from ..model.values import ZERO
from . import levels
from .errors import BAD_SYMBOL, ApiError
from .frames import ms
from .methods import Handler, Method, Methods, RequestContext, Security, Weight
from .order_answers import Json
from .params import Params
from .rest_account import USDT, money
from .tape import Tape
from .venue import Venue

SOURCE = "holdfast"
"""The one exchange that an index price is made of."""

DOLLAR_ASSETS = (USDT, "USDC")
"""Their index is one dollar here, whatever the market."""

RPI_LEVELS = 1000


def rpi_depth(ctx: RequestContext, params: Params) -> object:
    """Show the book with retail price improvement in it; nobody can place such orders here."""
    tape = ctx.venue.tape(params.need("symbol"))
    limit = params.limit(RPI_LEVELS, RPI_LEVELS)
    return {
        "lastUpdateId": tape.look(),
        "E": ms(ctx.now),
        "T": ms(ctx.now),
        "bids": levels.bids(ctx.venue.exchange, tape, limit),
        "asks": levels.asks(ctx.venue.exchange, tape, limit),
    }


# Indices


def constituents(ctx: RequestContext, params: Params) -> object:
    """Say what an index price is made of: the feed's own index, or the mark."""
    tape = ctx.venue.tape(params.need("symbol"))
    part = {
        "exchange": SOURCE,
        "symbol": tape.symbol,
        "price": f"{_index(ctx.venue, tape):.8f}",
        "weight": "1.00000000",
    }
    return {"symbol": tape.symbol, "time": ms(ctx.now), "constituents": [part]}


def _index(venue: Venue, tape: Tape) -> Decimal | float:
    mark = venue.mark_of(tape)
    if mark is None:
        return ZERO
    return mark.mark_price if mark.index_price is None else mark.index_price


def index_info(_ctx: RequestContext, _params: Params) -> object:
    """Return the composite indices: there are none."""
    return []


def asset_index(ctx: RequestContext, params: Params) -> object:
    rows: dict[str, Json] = {f"{asset}USD": _asset_row(ctx, asset) for asset in DOLLAR_ASSETS}
    text = params.text("symbol")
    if text is None:
        return list(rows.values())
    if text not in rows:
        raise ApiError(BAD_SYMBOL)
    return rows[text]


def _asset_row(ctx: RequestContext, asset: str) -> Json:
    one, none = "1.00000000", "0.00000000"
    return {
        "symbol": f"{asset}USD",
        "time": ms(ctx.now),
        "index": one,
        "bidBuffer": none,
        "askBuffer": none,
        "bidRate": one,
        "askRate": one,
        "autoExchangeBidBuffer": none,
        "autoExchangeAskBuffer": none,
        "autoExchangeBidRate": one,
        "autoExchangeAskRate": one,
    }


# Insurance and deleveraging


def insurance(ctx: RequestContext, params: Params) -> object:
    """Return what liquidations have left for others, less what was paid for the bankrupt."""
    text = params.text("symbol")
    symbol = None if text is None else ctx.venue.tape(text).symbol
    assets: dict[str, list[str]] = {}
    for tape in ctx.venue.tapes.values():
        assets.setdefault(tape.instrument.margin_asset, []).append(tape.symbol)
    rows = [
        {
            "symbols": symbols,
            "assets": [
                {
                    "asset": asset,
                    "marginBalance": money(_fund(ctx.venue, asset)),
                    "updateTime": ms(ctx.now),
                }
            ],
        }
        for asset, symbols in assets.items()
        if symbol is None or symbol in symbols
    ]
    return rows if symbol is None else rows[0]


def _fund(venue: Venue, asset: str) -> Decimal:
    held = ZERO
    for account in venue.archive.accounts():
        records = venue.archive.of(account)
        held += sum(
            (
                trade.fee
                for trade in records.trades
                if trade.fee_asset == asset and trade.cl_ord_id.startswith(LIQUIDATION_PREFIX)
            ),
            ZERO,
        )
        held -= sum(
            (
                each.amount
                for each in records.incomes
                if isinstance(each, WalletChange)
                and (each.asset, each.reason) == (asset, "insurance")
            ),
            ZERO,
        )
    return held


def adl_risk(ctx: RequestContext, params: Params) -> object:
    """Return how likely deleveraging is: nobody is deleveraged but on order."""
    text = params.text("symbol")
    tapes = ctx.venue.tapes.values() if text is None else [ctx.venue.tape(text)]
    now = ms(ctx.now)
    rows = [{"symbol": each.symbol, "adlRisk": "low", "updateTime": now} for each in tapes]
    return rows if text is None else rows[0]


# Rules of conduct and hours


def trading_status(ctx: RequestContext, _params: Params) -> object:
    """Return the indicators by which an account may be locked: none is reckoned."""
    return {"indicators": {}, "updateTime": ms(ctx.now)}


def trading_schedule(ctx: RequestContext, _params: Params) -> object:
    """Return the hours of contracts that have some: what is traded here never closes."""
    return {"updateTime": ms(ctx.now), "marketSchedules": {}}


def _open(handler: Handler, weight: int | Weight = 1) -> Method:
    return Method(handler, weight, Security.NONE)


def _one_or_ten(params: Params) -> int:
    return 1 if params.has("symbol") else 10


METHODS: Methods = {
    ("GET", "/fapi/v1/rpiDepth"): _open(rpi_depth, 20),
    ("GET", "/fapi/v1/constituents"): _open(constituents, 2),
    ("GET", "/fapi/v1/indexInfo"): _open(index_info, _one_or_ten),
    ("GET", "/fapi/v1/assetIndex"): _open(asset_index, _one_or_ten),
    ("GET", "/fapi/v1/insuranceBalance"): _open(insurance),
    ("GET", "/fapi/v1/symbolAdlRisk"): _open(adl_risk),
    ("GET", "/fapi/v1/tradingSchedule"): _open(trading_schedule, 5),
    ("GET", "/fapi/v1/apiTradingStatus"): Method(trading_status, _one_or_ten),
}
