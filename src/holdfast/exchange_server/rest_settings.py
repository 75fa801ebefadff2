"""How an account trades: leverage, margin and position mode.

The core is one-way and cross. What it can't be is refused, never pretended: with orders or a
position in the way for the venue's own reasons, else as not supported.
"""

from __future__ import annotations

from ..model.values import plain
from .errors import (
    ASSETS_HAVE_OPEN_ORDERS,
    BAD_LEVERAGE,
    HAS_OPEN_ORDERS,
    HAS_POSITION,
    MODE_HAS_OPEN_ORDERS,
    MODE_HAS_POSITION,
    NOT_SUPPORTED,
    ONLY_ISOLATED,
    SAME_ASSET_MODE,
    SAME_MARGIN_TYPE,
    SAME_POSITION_MODE,
    ApiError,
    invalid,
)
from .methods import Method, Methods, RequestContext
from .params import Params
from .rest_account import max_notional
from .rest_orders import declined

DONE = {"code": 200, "msg": "success"}


def set_leverage(ctx: RequestContext, params: Params) -> object:
    tape = ctx.venue.tape(params.need("symbol"))
    leverage = params.need_integer("leverage")
    refusal = ctx.venue.set_leverage(ctx.account, tape.symbol, leverage)
    if refusal is not None and refusal.code == BAD_LEVERAGE:
        raise ApiError(BAD_LEVERAGE, f"Leverage {leverage} is not valid", why=refusal.text)
    if refusal is not None:
        raise declined(ctx, refusal.code, refusal.text, tape.symbol)
    return {
        "leverage": leverage,
        "maxNotionalValue": max_notional(tape, leverage),
        "symbol": tape.symbol,
    }


def symbol_config(ctx: RequestContext, params: Params) -> object:
    text = params.text("symbol")
    tapes = [ctx.venue.tape(text)] if text is not None else list(ctx.venue.tapes.values())
    found = [(tape, ctx.venue.exchange.leverage(ctx.account, tape.symbol)) for tape in tapes]
    return [
        {
            "symbol": tape.symbol,
            "marginType": "CROSSED",
            "isAutoAddMargin": False,
            "leverage": leverage,
            "maxNotionalValue": max_notional(tape, leverage),
        }
        for tape, leverage in found
    ]


def set_margin_type(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    kind = params.need("marginType")
    if kind in ("CROSSED", "CROSS"):
        raise ApiError(SAME_MARGIN_TYPE)
    if kind != "ISOLATED":
        raise invalid("marginType")
    if ctx.venue.exchange.open_orders(ctx.account, symbol):
        raise ApiError(HAS_OPEN_ORDERS)
    if any(each.symbol == symbol for each in ctx.venue.exchange.positions(ctx.account)):
        raise ApiError(HAS_POSITION)
    raise ApiError(NOT_SUPPORTED, why="isolated margin is not simulated")


def move_margin(ctx: RequestContext, params: Params) -> object:
    ctx.venue.tape(params.need("symbol"))
    amount = params.need_decimal("amount")
    raise ApiError(ONLY_ISOLATED, why=f"every position is cross; amount was {plain(amount)}")


def margin_moves(ctx: RequestContext, params: Params) -> object:
    ctx.venue.tape(params.need("symbol"))
    return []


def position_mode(_ctx: RequestContext, _params: Params) -> object:
    return {"dualSidePosition": False}


def set_position_mode(ctx: RequestContext, params: Params) -> object:
    if not params.need_flag("dualSidePosition"):
        raise ApiError(SAME_POSITION_MODE)
    if ctx.venue.exchange.open_orders(ctx.account):
        raise ApiError(MODE_HAS_OPEN_ORDERS)
    if ctx.venue.exchange.positions(ctx.account):
        raise ApiError(MODE_HAS_POSITION)
    raise ApiError(NOT_SUPPORTED, why="hedge mode is not simulated")


def asset_mode(_ctx: RequestContext, _params: Params) -> object:
    return {"multiAssetsMargin": False}


def set_asset_mode(ctx: RequestContext, params: Params) -> object:
    if not params.need_flag("multiAssetsMargin"):
        raise ApiError(SAME_ASSET_MODE)
    if ctx.venue.exchange.open_orders(ctx.account):
        raise ApiError(ASSETS_HAVE_OPEN_ORDERS)
    raise ApiError(NOT_SUPPORTED, why="multi-assets margin is not simulated")


def fee_burn(_ctx: RequestContext, _params: Params) -> object:
    return {"feeBurn": False}


def set_fee_burn(_ctx: RequestContext, params: Params) -> object:
    if params.need_flag("feeBurn"):
        raise ApiError(NOT_SUPPORTED, why="fees are paid in the margin asset alone")
    return DONE


METHODS: Methods = {
    ("POST", "/fapi/v1/leverage"): Method(set_leverage, 1),
    ("GET", "/fapi/v1/symbolConfig"): Method(symbol_config, 5),
    ("POST", "/fapi/v1/marginType"): Method(set_margin_type, 1),
    ("POST", "/fapi/v1/positionMargin"): Method(move_margin, 1),
    ("GET", "/fapi/v1/positionMargin/history"): Method(margin_moves, 1),
    ("GET", "/fapi/v1/positionSide/dual"): Method(position_mode, 30),
    ("POST", "/fapi/v1/positionSide/dual"): Method(set_position_mode, 1),
    ("GET", "/fapi/v1/multiAssetsMargin"): Method(asset_mode, 30),
    ("POST", "/fapi/v1/multiAssetsMargin"): Method(set_asset_mode, 1),
    ("GET", "/fapi/v1/feeBurn"): Method(fee_burn, 30),
    ("POST", "/fapi/v1/feeBurn"): Method(set_fee_burn, 1),
}
