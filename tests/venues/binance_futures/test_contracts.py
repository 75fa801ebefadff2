from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.errors import ConfigError
from holdfast.model.values import NS_PER_S, OrderType, Symbol, TimeInForce
from holdfast.venues.binance_futures import codec
from tests.venues.binance_futures.frames import BTC, raw

FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.002", "maxQty": "1000", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
    {"filterType": "MAX_NUM_ORDERS", "limit": 200},
    {"filterType": "MIN_NOTIONAL", "notional": "100"},
    {
        "filterType": "PERCENT_PRICE",
        "multiplierUp": "1.0500",
        "multiplierDown": "0.9400",
        "multiplierDecimal": "4",
    },
    {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    {"filterType": "OF_TOMORROW", "notional": {"by": "day"}},
]

BARE = {"filterType": "PRICE_FILTER"}


def symbol(**fields):
    return {
        "symbol": "BTCUSDT",
        "pair": "BTCUSDT",
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "underlyingSubType": ["PoW"],
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.10",
        "filters": FILTERS,
        "orderTypes": ["LIMIT", "MARKET", "STOP", "OF_TOMORROW"],
        "timeInForce": ["GTC", "IOC", "GTX", "RPI"],
        **fields,
    }


def info(*symbols, **fields):
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
    ]
    body = {"timezone": "UTC", "serverTime": 1, "rateLimits": limits, "exchangeFilters": []}
    return codec.exchange_info(raw(body | {"symbols": list(symbols)} | fields))


def made(**fields):
    return codec.instrument(codec.contract(info(symbol(**fields)), BTC))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"filters": [{**BARE, "tickSize": "-0.1"}, FILTERS[1]]}, "not be negative"),
        (
            {"filters": [FILTERS[0], {"filterType": "LOT_SIZE", "stepSize": "-1"}]},
            "not be negative",
        ),
        ({"filters": [BARE, FILTERS[1]], "pricePrecision": 10**9}, "precision"),
        ({"filters": [BARE, FILTERS[1]], "pricePrecision": -1}, "precision"),
    ],
)
def test_a_contract_that_can_not_be_is_refused(fields, text):
    row = codec.contract(info(symbol(**fields)), BTC)
    with pytest.raises(codec.BadFrame, match=text):
        codec.instrument(row)


def test_filters_become_the_contract():
    contract = made()

    assert (contract.base_asset, contract.quote_asset, contract.margin_asset) == (
        "BTC",
        "USDT",
        "USDT",
    )
    assert contract.tick == Decimal("0.1")  # not the price's precision
    assert (contract.lot, contract.min_qty) == (Decimal("0.001"), Decimal("0.002"))
    assert (contract.max_qty, contract.max_market_qty) == (1000, 120)
    assert contract.min_notional == 100
    assert (contract.price_up, contract.price_down) == (Decimal("1.05"), Decimal("0.94"))
    assert (contract.market_take_bound, contract.liquidation_fee) == (
        Decimal("0.1"),
        Decimal("0.0125"),
    )
    assert contract.is_on_tick(Decimal("60000.1"))


@pytest.mark.parametrize(
    ("told", "delivery_ts"),
    [
        (1_795_251_600_000, 1_795_251_600 * NS_PER_S),  # announced, or a quarterly contract's
        ("1795251600000", 1_795_251_600 * NS_PER_S),
        (4_133_404_800_000, 0),
        (4_133_404_802_000, 0),  # of some perpetuals
        (0, 0),
        (None, 0),
        ("", 0),
        (-1, 0),
    ],
)
def test_the_day_of_settlement_is_read_where_there_is_one(told, delivery_ts):
    assert made(deliveryDate=told).delivery_ts == delivery_ts


def test_prices_are_bounded_as_the_price_filter_says():
    contract = made()
    assert (contract.min_price, contract.max_price) == (Decimal("556.80"), Decimal(4529764))
    off = {"filterType": "PRICE_FILTER", "minPrice": "0", "maxPrice": "0", "tickSize": "0.1"}
    unbounded = made(filters=[off, *FILTERS[1:]])
    assert (unbounded.min_price, unbounded.max_price) == (0, 10**9)


def test_fees_brackets_and_interval_are_added():
    rates = {"makerCommissionRate": "0.000180", "takerCommissionRate": "0.000450"}
    fees = codec.commission_rate(raw({"symbol": "BTCUSDT", **rates, "rpiCommissionRate": "0"}))
    steps = [
        {
            "bracket": 2,
            "initialLeverage": 50,
            "notionalCap": 800_000,
            "notionalFloor": 300_000.0,
            "maintMarginRatio": 0.0065,
            "cum": 750.0,
        },
        {
            "bracket": 1,
            "initialLeverage": 100,
            "notionalCap": 300_000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.004,
            "cum": 0,
        },
    ]
    table = {"symbol": "BTCUSDT", "notionalCoef": 1.5, "brackets": steps}
    tables = codec.leverage_brackets(raw([table]))
    assert tables == codec.leverage_brackets(raw(table))
    hours = codec.funding_intervals(raw([{"symbol": "BTCUSDT", "fundingIntervalHours": 4}]))

    contract = codec.instrument(
        codec.contract(info(symbol()), BTC),
        brackets=tables[BTC],
        fees=fees,
        funding_interval_h=hours[BTC],
    )
    assert (contract.maker_fee, contract.taker_fee) == (Decimal("0.00018"), Decimal("0.00045"))
    assert [each.max_leverage for each in contract.brackets] == [100, 50]
    assert contract.brackets[1].maint_margin_ratio == Decimal("0.0065")  # not a float's neighbour
    assert contract.funding_interval_h == 4


def test_a_zero_turns_a_filter_off():
    off = [
        {"filterType": "PRICE_FILTER", "tickSize": "0"},
        {"filterType": "LOT_SIZE", "minQty": "0", "maxQty": "0", "stepSize": "0"},
    ]
    contract = made(filters=off)

    assert (contract.tick, contract.lot, contract.min_qty) == (
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.001"),
    )


@pytest.mark.parametrize(("place", "kind"), [(0, "PRICE_FILTER"), (1, "LOT_SIZE")])
def test_a_contract_without_tick_or_lot_is_refused(place, kind):
    with pytest.raises(ConfigError, match=f"names no {kind}"):
        made(filters=[each for each in FILTERS if each != FILTERS[place]])


def test_words_of_tomorrow_are_tolerated():
    row = codec.contract(info(symbol(contractType="OF_TOMORROW", future=[1])), BTC)

    assert codec.order_types(row) == {OrderType.LIMIT, OrderType.MARKET, OrderType.STOP}
    assert codec.times_in_force(row) == {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTX}


def test_what_is_not_listed_or_not_trading_is_refused_by_name():
    listed = info(symbol(), symbol(symbol="OLDUSDT", status="SETTLING"))

    with pytest.raises(ConfigError, match="NEWUSDT is not listed"):
        codec.contract(listed, Symbol("NEWUSDT"))
    with pytest.raises(ConfigError, match="SETTLING"):
        codec.contract(listed, Symbol("OLDUSDT"))


def test_the_limits_of_this_venue_are_told():
    assert [each.limit for each in info().rate_limits] == [6000, 300]


def test_an_absurd_filter_is_refused():
    with pytest.raises(codec.BadFrame, match="filter"):
        made(filters=[{"filterType": "PRICE_FILTER", "tickSize": "NaN"}, FILTERS[1]])
