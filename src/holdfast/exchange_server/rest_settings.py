"""How an account trades: leverage, margin, position and asset mode.

Fees in another asset are refused, never pretended.
"""

from __future__ import annotations

from ..model.instrument import as_money
from ..model.values import ZERO, Symbol, plain
from .errors import (
    AMOUNT_NOT_POSITIVE,
    BAD_LEVERAGE,
    OTHER_POSITION_SIDE,
    ApiError,
    invalid,
)
from .frames import ms
from .methods import Method, Methods, RequestContext
from .order_params import named_side
from .params import Params
from .ranges import time_range
from .rest_account import max_notional
from .rest_orders import declined

ADD, REDUCE = 1, 2
_MARGIN_TYPES = {"ISOLATED": True, "CROSSED": False, "CROSS": False}
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
            "marginType": _margin_type(ctx, tape.symbol),
            "isAutoAddMargin": False,
            "leverage": leverage,
            "maxNotionalValue": max_notional(tape, leverage),
        }
        for tape, leverage in found
    ]


def _margin_type(ctx: RequestContext, symbol: Symbol) -> str:
    return "ISOLATED" if ctx.venue.exchange.is_isolated(ctx.account, symbol) else "CROSSED"


def set_margin_type(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    is_isolated = _MARGIN_TYPES.get(params.need("marginType"))
    if is_isolated is None:
        raise invalid("marginType")
    refusal = ctx.venue.set_margin_type(ctx.account, symbol, is_isolated=is_isolated)
    if refusal is not None:
        raise declined(ctx, refusal.code, refusal.text, symbol)
    return DONE


def move_margin(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    amount, kind = params.need_decimal("amount"), params.need_integer("type")
    if kind not in (ADD, REDUCE):
        raise invalid("type")
    if amount <= ZERO:
        raise ApiError(AMOUNT_NOT_POSITIVE, why=f"amount was {plain(amount)}")
    side = named_side(params)
    if side not in ctx.venue.exchange.sides(ctx.account):
        raise ApiError(OTHER_POSITION_SIDE)
    signed = as_money(amount if kind == ADD else -amount)
    refusal = ctx.venue.move_margin(ctx.account, symbol, side, signed)
    if refusal is not None:
        raise declined(ctx, refusal.code, refusal.text, symbol)
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


def margin_moves(ctx: RequestContext, params: Params) -> object:
    symbol = ctx.venue.tape(params.need("symbol")).symbol
    kind, limit = params.integer("type", least=ADD, most=REDUCE), params.limit(500, 500)
    start, end = time_range(params, ctx.now, days=None)
    found = [
        {
            "symbol": symbol,
            "type": ADD if each.amount > ZERO else REDUCE,
            "deltaType": "USER_ADJUST",
            "amount": plain(each.amount),
            "asset": each.asset,
            "time": ms(each.ts),
            "positionSide": each.side.value,
            "clientTranId": "",
        }
        for each in ctx.venue.exchange.margin_moves(ctx.account, symbol)
        if start <= each.ts <= end
    ]
    return [each for each in found if kind in (None, each["type"])][-limit:]


def position_mode(ctx: RequestContext, _params: Params) -> object:
    return {"dualSidePosition": ctx.venue.exchange.is_hedged(ctx.account)}


def set_position_mode(ctx: RequestContext, params: Params) -> object:
    wanted = params.need_flag("dualSidePosition")
    refusal = ctx.venue.set_position_mode(ctx.account, is_hedged=wanted)
    if refusal is not None:
        raise ApiError(refusal.code, why=refusal.text)
    return DONE


def asset_mode(ctx: RequestContext, _params: Params) -> object:
    return {"multiAssetsMargin": ctx.venue.exchange.is_multi_assets(ctx.account)}


def set_asset_mode(ctx: RequestContext, params: Params) -> object:
    wanted = params.need_flag("multiAssetsMargin")
    refusal = ctx.venue.set_asset_mode(ctx.account, is_multi_assets=wanted)
    if refusal is not None:
        raise ApiError(refusal.code, why=refusal.text)
    return DONE


def fee_burn(ctx: RequestContext, _params: Params) -> object:
    return {"feeBurn": ctx.venue.exchange.burns_fees(ctx.account)}


def set_fee_burn(ctx: RequestContext, params: Params) -> object:
    ctx.venue.set_fee_burn(ctx.account, is_on=params.need_flag("feeBurn"))
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
