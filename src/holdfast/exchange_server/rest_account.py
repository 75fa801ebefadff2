"""How an account stands: balances, positions, margin, fees and limits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from ..exchange import SymbolMargin
from ..model.instrument import as_money
from ..model.margin import max_notional_at
from ..model.values import ZERO, AccountId, Symbol, plain
from .frames import ms
from .lagging import late
from .listing import NO_LIMIT
from .methods import Handler, Method, Methods, Place, RequestContext
from .order_answers import Json
from .params import Params
from .tape import Tape
from .venue import Venue

USDT = "USDT"
WALLET = Symbol("")
"""What the wallet's own moves are kept under, among those of the positions."""

_TOTALS = {
    "initialMargin": "totalInitialMargin",
    "maintMargin": "totalMaintMargin",
    "walletBalance": "totalWalletBalance",
    "unrealizedProfit": "totalUnrealizedProfit",
    "marginBalance": "totalMarginBalance",
    "positionInitialMargin": "totalPositionInitialMargin",
    "openOrderInitialMargin": "totalOpenOrderInitialMargin",
    "crossWalletBalance": "totalCrossWalletBalance",
    "crossUnPnl": "totalCrossUnPnl",
    "availableBalance": "availableBalance",
    "maxWithdrawAmount": "maxWithdrawAmount",
}
"""Sums over single assets are in dollars: one dollar asset counts as another."""


def money(amount: Decimal) -> str:
    return f"{as_money(amount):.8f}"


class _Held(NamedTuple):
    """A symbol and what the account has there."""

    tape: Tape
    margin: SymbolMargin

    @property
    def is_empty(self) -> bool:
        row = self.margin
        return not (row.position.qty or row.bid_notional or row.ask_notional)


def _held(ctx: RequestContext) -> list[_Held]:
    exchange = ctx.venue.exchange
    return [
        _Held(tape, exchange.symbol_margin(ctx.account, tape.symbol, side))
        for tape in ctx.venue.tapes.values()
        for side in exchange.sides(ctx.account)
    ]


def _assets(venue: Venue, account: AccountId) -> list[str]:
    listed = (tape.instrument.margin_asset for tape in venue.tapes.values())
    return list(dict.fromkeys([USDT, *listed, *venue.exchange.balances(account)]))


def _moved_ms(ctx: RequestContext, symbol: Symbol = WALLET) -> int:
    return ms(ctx.venue.archive.of(ctx.account).moved_ts.get(symbol, 0))


def _amounts(ctx: RequestContext, asset: str) -> dict[str, str]:
    exchange = ctx.venue.exchange
    total = exchange.margin(ctx.account, asset)
    available = exchange.pool_margin(ctx.account, asset).available
    withdrawable = max(ZERO, min(available, total.cross_wallet))
    return {
        "walletBalance": money(total.wallet),
        "unrealizedProfit": money(total.unrealized),
        "marginBalance": money(total.balance),
        "maintMargin": money(total.maintenance),
        "initialMargin": money(total.position_margin + total.order_margin),
        "positionInitialMargin": money(total.position_margin),
        "openOrderInitialMargin": money(total.order_margin),
        "crossWalletBalance": money(total.cross_wallet),
        "crossUnPnl": money(total.cross_unrealized),
        "availableBalance": money(available),
        "maxWithdrawAmount": money(withdrawable),
    }


def _account(ctx: RequestContext) -> Json:
    """Return totals and assets, which both versions of the account have."""
    amounts = {asset: _amounts(ctx, asset) for asset in _assets(ctx.venue, ctx.account)}
    totals = {
        total: money(sum((Decimal(each[name]) for each in amounts.values()), ZERO))
        for name, total in _TOTALS.items()
    }
    if ctx.venue.exchange.is_multi_assets(ctx.account):  # the dollars' is one and the same
        totals["availableBalance"] = amounts[USDT]["availableBalance"]
    moved = _moved_ms(ctx)
    assets = [{"asset": a, **each, "updateTime": moved} for a, each in amounts.items()]
    return {**totals, "assets": assets}


def account_v3(ctx: RequestContext, _params: Params) -> object:
    positions = [
        {
            "symbol": tape.symbol,
            "positionSide": row.position.side.value,
            "positionAmt": tape.digits.amount(row.position.qty),
            "unrealizedProfit": money(row.unrealized),
            "isolatedMargin": plain(as_money(row.isolated_margin)),
            "notional": plain(as_money(row.notional)),
            "isolatedWallet": plain(row.position.isolated_wallet),
            "initialMargin": money(row.position_margin + row.order_margin),
            "maintMargin": money(row.maintenance),
            "updateTime": _moved_ms(ctx, tape.symbol),
        }
        for tape, row in (each for each in _held(ctx) if not each.is_empty)
    ]
    return {**_account(ctx), "positions": positions}


def account_v2(ctx: RequestContext, _params: Params) -> object:
    found = _account(ctx)
    assets = found["assets"]
    assert isinstance(assets, list)
    positions = [
        {
            "symbol": tape.symbol,
            "initialMargin": money(row.position_margin + row.order_margin),
            "maintMargin": money(row.maintenance),
            "unrealizedProfit": money(row.unrealized),
            "positionInitialMargin": money(row.position_margin),
            "openOrderInitialMargin": money(row.order_margin),
            "leverage": str(row.leverage),
            "isolated": row.is_isolated,
            "entryPrice": plain(as_money(row.position.entry_price)),
            "breakEvenPrice": plain(as_money(row.position.break_even_price)),
            "maxNotional": max_notional(tape, row.leverage),
            "bidNotional": plain(as_money(row.bid_notional)),
            "askNotional": plain(as_money(row.ask_notional)),
            "positionSide": row.position.side.value,
            "positionAmt": tape.digits.amount(row.position.qty),
            "notional": plain(as_money(row.notional)),
            "isolatedWallet": plain(row.position.isolated_wallet),
            "updateTime": _moved_ms(ctx, tape.symbol),
        }
        for tape, row in _held(ctx)
    ]
    return {
        **{name: value for name, value in _config(ctx).items() if name != "dualSidePosition"},
        "feeBurn": ctx.venue.exchange.burns_fees(ctx.account),
        **found,
        "assets": [{**asset, "marginAvailable": True} for asset in assets],
        "positions": positions,
    }


def max_notional(tape: Tape, leverage: int) -> str:
    """Return how large a position may be at a leverage, as the text of a whole number."""
    most = max_notional_at(tape.instrument.brackets, leverage)
    return "0" if most is None else plain(most)


def _config(ctx: RequestContext) -> Json:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": ctx.venue.exchange.is_hedged(ctx.account),
        "updateTime": 0,
        "multiAssetsMargin": ctx.venue.exchange.is_multi_assets(ctx.account),
        "tradeGroupId": -1,
    }


def account_config(ctx: RequestContext, _params: Params) -> object:
    return _config(ctx)


def balance(ctx: RequestContext, _params: Params) -> object:
    rows: list[Json] = []
    for asset in _assets(ctx.venue, ctx.account):
        amounts = _amounts(ctx, asset)
        rows.append(
            {
                "accountAlias": _alias(ctx.account),
                "asset": asset,
                "balance": amounts["walletBalance"],
                "crossWalletBalance": amounts["crossWalletBalance"],
                "crossUnPnl": amounts["crossUnPnl"],
                "availableBalance": amounts["availableBalance"],
                "maxWithdrawAmount": amounts["maxWithdrawAmount"],
                "marginAvailable": True,
                "updateTime": _moved_ms(ctx),
            }
        )
    return rows


def _alias(account: AccountId) -> str:
    return account[:8].ljust(4, "-")


def _position(ctx: RequestContext, held: _Held) -> Json:
    """Return what both versions of the position's risk have."""
    tape, row = held
    position, exchange = row.position, ctx.venue.exchange
    place = (ctx.account, tape.symbol, position.side)
    liquidation = exchange.liquidation_price(*place) if position.qty else None
    mark = exchange.mark_price(tape.symbol)
    return {
        "symbol": tape.symbol,
        "positionSide": row.position.side.value,
        "positionAmt": tape.digits.amount(position.qty),
        "entryPrice": plain(as_money(position.entry_price)) if position.qty else "0.0",
        "breakEvenPrice": plain(as_money(position.break_even_price)),
        "markPrice": money(mark or ZERO),
        "unRealizedProfit": money(row.unrealized),
        "liquidationPrice": "0" if liquidation is None else plain(as_money(liquidation)),
        "isolatedMargin": plain(as_money(row.isolated_margin)),
        "notional": plain(as_money(row.notional)),
    }


def _chosen(ctx: RequestContext, params: Params, *, with_empty: bool) -> Iterator[_Held]:
    text = params.text("symbol")
    symbol = ctx.venue.tape(text).symbol if text is not None else None
    for held in _held(ctx):
        if symbol not in (None, held.tape.symbol):
            continue
        if with_empty or not held.is_empty:
            yield held


def position_risk_v3(ctx: RequestContext, params: Params) -> object:
    return [
        {
            **_position(ctx, held),
            "marginAsset": held.tape.instrument.margin_asset,
            "isolatedWallet": plain(held.margin.position.isolated_wallet),
            "initialMargin": money(held.margin.position_margin + held.margin.order_margin),
            "maintMargin": money(held.margin.maintenance),
            "positionInitialMargin": money(held.margin.position_margin),
            "openOrderInitialMargin": money(held.margin.order_margin),
            "adl": 0,
            "bidNotional": plain(as_money(held.margin.bid_notional)),
            "askNotional": plain(as_money(held.margin.ask_notional)),
            "updateTime": _moved_ms(ctx, held.tape.symbol),
        }
        for held in _chosen(ctx, params, with_empty=False)
    ]


def position_risk_v2(ctx: RequestContext, params: Params) -> object:
    return [
        {
            **_position(ctx, held),
            "isolatedWallet": plain(held.margin.position.isolated_wallet),
            "leverage": str(held.margin.leverage),
            "maxNotionalValue": max_notional(held.tape, held.margin.leverage),
            "marginType": "isolated" if held.margin.is_isolated else "cross",
            "isAutoAddMargin": "false",
            "updateTime": _moved_ms(ctx, held.tape.symbol),
        }
        for held in _chosen(ctx, params, with_empty=True)
    ]


# Risk and fees


def commission_rate(ctx: RequestContext, params: Params) -> object:
    instrument = ctx.venue.tape(params.need("symbol")).instrument
    return {
        "symbol": instrument.symbol,
        "makerCommissionRate": plain(instrument.maker_fee),
        "takerCommissionRate": plain(instrument.taker_fee),
        "rpiCommissionRate": plain(instrument.maker_fee),
    }


def leverage_bracket(ctx: RequestContext, params: Params) -> object:
    text = params.text("symbol")
    if text is not None:
        return _brackets(ctx.venue.tape(text))
    return [_brackets(tape) for tape in ctx.venue.tapes.values()]


def _brackets(tape: Tape) -> Json:
    return {
        "symbol": tape.symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": bracket.max_leverage,
                "notionalCap": _number(bracket.notional_cap),
                "notionalFloor": _number(bracket.notional_floor),
                "maintMarginRatio": float(bracket.maint_margin_ratio),
                "cum": _number(bracket.cum),
            }
            for number, bracket in enumerate(tape.instrument.brackets, 1)
        ],
    }


def _number(amount: Decimal) -> int | float:
    """Return an amount as the number that JSON shows: whole where it is whole."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def adl_quantile(ctx: RequestContext, params: Params) -> object:
    """Return rank 0 for every position: nobody is deleveraged for another here."""
    held = list(_chosen(ctx, params, with_empty=False))
    last = "HEDGE" if ctx.venue.exchange.is_hedged(ctx.account) else "BOTH"
    return [
        {"symbol": symbol, "adlQuantile": {"LONG": 0, "SHORT": 0, last: 0}}
        for symbol in dict.fromkeys(each.tape.symbol for each in held if each.margin.position.qty)
    ]


def order_counts(ctx: RequestContext, _params: Params) -> object:
    """Return the limits of orders; `count` tells how much of each is used."""
    limits = ctx.venue.settings.limits
    short, long = ctx.venue.limits.order_counts(ctx.account, ctx.now)
    return [
        {
            "rateLimitType": "ORDERS",
            "interval": interval,
            "intervalNum": number,
            "limit": limit or NO_LIMIT,
            "count": count,
        }
        for interval, number, limit, count in (
            ("SECOND", 10, limits.orders_10s, short),
            ("MINUTE", 1, limits.orders_1m, long),
        )
    ]


BOOKS: dict[Place, Handler] = {
    ("GET", "/fapi/v2/account"): account_v2,
    ("GET", "/fapi/v3/account"): account_v3,
    ("GET", "/fapi/v2/balance"): balance,
    ("GET", "/fapi/v3/balance"): balance,
    ("GET", "/fapi/v2/positionRisk"): position_risk_v2,
    ("GET", "/fapi/v3/positionRisk"): position_risk_v3,
}
"""What tells of balances and positions, and may be told late."""

METHODS: Methods = {
    **{place: Method(late(place, handler), 5) for place, handler in BOOKS.items()},
    ("GET", "/fapi/v1/accountConfig"): Method(account_config, 5),
    ("GET", "/fapi/v1/commissionRate"): Method(commission_rate, 20),
    ("GET", "/fapi/v1/leverageBracket"): Method(leverage_bracket, 1),
    ("GET", "/fapi/v1/adlQuantile"): Method(adl_quantile, 5),
    ("GET", "/fapi/v1/rateLimit/order"): Method(order_counts, 1),
}
