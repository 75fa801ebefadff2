"""What is listed: two contracts that are traded, and on wish 300 of odd kinds around them."""

from __future__ import annotations

from decimal import Decimal

LIFE = "币安人生USDT"
"""There are contracts whose names are not ASCII."""

MARKET_MAX, LIMIT_MAX = 120, 1000
"""Of one order's quantity, whatever the contract."""

PERPETUAL_END = 4_133_404_800_000
ODD = (
    ("CURRENT_QUARTER", "TRADING", "BTCUSDT_26{:04d}", "COIN"),
    ("NEXT_QUARTER", "PENDING_TRADING", "ETHUSDT_27{:04d}", "COIN"),
    ("TRADIFI_PERPETUAL", "TRADING", "TSLA{}USDT", "EQUITY"),
    ("PERPETUAL", "SETTLING", "LUNA{}USDT", "COIN"),
    ("PERPETUAL", "TRADING", "币安人生{}USDT", "COIN"),
    ("", "CLOSE", "OLD{}BUSD", "INDEX"),
    ("PERPETUAL DELIVERING", "DELIVERING", "X{}USD1", "PREMARKET"),
)


def contracts():
    return {
        "BTCUSDT": {"tick": Decimal("0.1"), "lot": Decimal("0.001"), "status": "TRADING"},
        "ETHUSDT": {"tick": Decimal("0.01"), "lot": Decimal("0.001"), "status": "TRADING"},
        LIFE: {"tick": Decimal("0.0001"), "lot": Decimal(1), "status": "TRADING"},
    }


def exchange_info(known, now, habits):
    listed = [symbol_row(name, **each) for name, each in known.items()]
    if "odd_contracts" in habits:
        odd = [odd_row(number) for number in range(300)]
        listed = [*odd[:150], *reversed(listed), *odd[150:]]
    return {
        "timezone": "UTC",
        "serverTime": 0 if "stale_times" in habits else now,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
            limit("ORDERS", "MINUTE", 1, 1200),
            limit("ORDERS", "SECOND", 10, 300),
            limit("RAW_REQUESTS", "FORTNIGHT", 5, 61_000),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": listed,
    }


def limit(kind, interval, count, amount):
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": amount}


def odd_row(number):
    kind, status, name, sort = ODD[number % len(ODD)]
    row = symbol_row(name.format(number), Decimal("1E-7"), Decimal(1), status)
    row |= {"contractType": kind, "underlyingType": sort, "deliveryDate": number}
    if number % 3 == 0:
        row["filters"] = [{"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"}]
    return row


def symbol_row(name, tick, lot, status, ends=PERPETUAL_END):
    base = name.removesuffix("USDT")
    return {
        "symbol": name, "pair": name, "contractType": "PERPETUAL", "deliveryDate": ends,
        "onboardDate": 1_569_398_400_000, "status": status, "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": base, "quoteAsset": "USDT",
        "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3,
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "underlyingSubType": ["PoW"], "settlePlan": 0, "triggerProtect": "0.0500",
        "liquidationFee": "0.012500", "marketTakeBound": "0.05",
        "filters": filters(tick, lot),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TRAILING_STOP_MARKET", "NEW_KIND"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD", "RPI"],
    }  # fmt: skip


def filters(tick, lot):
    sizes = {"minQty": f"{lot:f}", "stepSize": f"{lot:f}"}
    price = {"minPrice": f"{tick:f}", "maxPrice": "4529764", "tickSize": f"{tick:f}"}
    return [
        {"filterType": "MARKET_LOT_SIZE", "maxQty": f"{MARKET_MAX}", **sizes},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": "50"},
        {"filterType": "PERCENT_PRICE", "multiplierDown": "0.9500", "multiplierUp": "1.0500",
         "multiplierDecimal": "4"},
        {"filterType": "LOT_SIZE", "maxQty": f"{LIMIT_MAX}", **sizes},
        {"filterType": "PRICE_FILTER", **price},
    ]  # fmt: skip
