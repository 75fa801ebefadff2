"""What is traded here: the exchange's own account of its contracts, filters and limits."""

from __future__ import annotations

from decimal import Decimal

from ..exchange.conditional import TRIGGER_PROTECT
from ..model.instrument import UNLISTED, Instrument
from ..model.values import OrderType, plain
from .frames import decimals, ms
from .order_answers import Json
from .settings import LimitSettings
from .venue import Venue

PERPETUAL_DELIVERY_MS = 4_133_404_800_000
ONBOARD_MS = 1_569_398_400_000
NO_LIMIT = 1_000_000_000
"""What is said where nothing is limited: clients want a number."""

TIMES_IN_FORCE = ["GTC", "IOC", "FOK", "GTX", "GTD"]
"""Mainnet lists RPI too, at which some clients refuse the whole list."""

MAX_ORDERS = 200


def exchange_info(venue: Venue) -> Json:
    assets = dict.fromkeys(tape.instrument.margin_asset for tape in venue.tapes.values())
    return {
        "timezone": "UTC",
        "serverTime": ms(venue.now()),
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(venue.settings.limits),
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "0"} for asset in assets
        ],
        "symbols": [
            contract(tape.instrument)
            for tape in venue.tapes.values()
            if tape.instrument.status != UNLISTED
        ],
    }


def rate_limits(limits: LimitSettings) -> list[Json]:
    return [
        {
            "rateLimitType": kind,
            "interval": interval,
            "intervalNum": number,
            "limit": limit or NO_LIMIT,
        }
        for kind, interval, number, limit in (
            ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m),
            ("ORDERS", "MINUTE", 1, limits.orders_1m),
            ("ORDERS", "SECOND", 10, limits.orders_10s),
        )
    ]


def contract(instrument: Instrument) -> Json:
    """Write one contract. Prices may have more decimals than the tick, as the real ones do."""
    places = price_places(instrument)
    first = next(iter(instrument.brackets), None)
    maintenance = Decimal("2.5") if first is None else first.maint_margin_ratio * 100
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": ms(instrument.delivery_ts) or PERPETUAL_DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "status": instrument.status,
        "maintMarginPercent": f"{maintenance:.4f}",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base_asset,
        "quoteAsset": instrument.quote_asset,
        "marginAsset": instrument.margin_asset,
        "pricePrecision": places,
        "quantityPrecision": decimals(instrument.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": f"{TRIGGER_PROTECT:.4f}",
        "liquidationFee": f"{instrument.liquidation_fee:.6f}",
        "marketTakeBound": f"{instrument.market_take_bound:.2f}",
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(instrument, places),
        "orderTypes": [kind.value for kind in OrderType],
        "timeInForce": TIMES_IN_FORCE,
    }


def price_places(instrument: Instrument) -> int:
    return max(2, decimals(instrument.tick))


def _filters(instrument: Instrument, places: int) -> list[Json]:
    tick = f"{instrument.tick:.{places}f}"
    least, step = plain(instrument.min_qty), plain(instrument.lot)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{instrument.min_price or instrument.tick:.{places}f}",
            "maxPrice": plain(instrument.max_price),
            "tickSize": tick,
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": least,
            "maxQty": plain(instrument.max_qty),
            "stepSize": step,
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": least,
            "maxQty": plain(instrument.max_market_qty),
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": MAX_ORDERS},
        {"filterType": "MIN_NOTIONAL", "notional": plain(instrument.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{instrument.price_up:.4f}",
            "multiplierDown": f"{instrument.price_down:.4f}",
            "multiplierDecimal": "4",
        },
    ]
