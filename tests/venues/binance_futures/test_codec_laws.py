"""Whatever the venue sends is read, or refused as a `BadFrame`: nothing else ever comes of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.errors import ConfigError
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import BadFrame, OrderNames, UserStream
from tests.venues.binance_futures import frames
from tests.venues.binance_futures.frames import BTC, T, raw

TRADE = {
    "symbol": "BTCUSDT", "id": 9001, "orderId": 7001, "side": "BUY", "price": "61234.5",
    "qty": "0.03", "realizedPnl": "0", "commission": "0.3", "commissionAsset": "USDT",
    "time": T, "positionSide": "BOTH", "buyer": True, "maker": False,
}  # fmt: skip
INCOME = {
    "symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.1", "asset": "USDT",
    "info": "FUNDING_FEE", "time": T, "tranId": 12, "tradeId": "",
}  # fmt: skip
POSITION = {
    "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "0.03", "entryPrice": "61234.5",
    "markPrice": "61000", "unRealizedProfit": "-7", "liquidationPrice": "0", "updateTime": T,
}  # fmt: skip
CONTRACT = {
    "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING",
    "baseAsset": "BTC", "quoteAsset": "USDT", "marginAsset": "USDT", "pricePrecision": 2,
    "quantityPrecision": 3, "liquidationFee": "0.0125", "triggerProtect": "0.05",
    "orderTypes": ["LIMIT", "MARKET", "NOVEL"], "timeInForce": ["GTC", "RPI", "NOVEL"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "9e5", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95"},
        {"filterType": "NOVEL", "what": [1, {"deep": None}]},
    ],
}  # fmt: skip
KLINE = [T, "1", "3", "0.5", "2", "10", T + 59_999, "20", 7, "1", "1", "0"]
DEPTH = {"lastUpdateId": 5, "E": T, "T": T, "bids": [["1", "2"]], "asks": [["3", "4"]]}
MARKET = [
    {"e": "aggTrade", "E": T, "s": "BTCUSDT", "a": 7, "p": "1.5", "q": "2", "T": T, "m": True},
    {
        "e": "bookTicker", "u": 1, "E": T, "T": T, "s": "BTCUSDT",
        "b": "1", "B": "2", "a": "3", "A": "4",
    },
    {
        "e": "depthUpdate", "E": T, "T": T, "s": "BTCUSDT", "U": 2, "u": 4, "pu": 1,
        "b": [["1", "2"]], "a": [],
    },
    {"e": "markPriceUpdate", "E": T, "s": "BTCUSDT", "p": "1", "i": "1", "r": "0.0001", "T": T},
    {
        "e": "kline", "E": T, "s": "BTCUSDT",
        "k": {
            "t": T, "T": T + 59_999, "i": "1m", "o": "1", "c": "1", "h": "1", "l": "1", "v": "1",
            "n": 3, "x": True,
        },
    },
]  # fmt: skip


def instrument(body):
    return codec.instrument(codec.contract(codec.exchange_info(body), BTC))


def user(body):
    return UserStream(OrderNames()).read(body)


def order(body):
    return codec.acknowledged(body, OrderNames())


def canceled(body):
    names = OrderNames()
    codec.algo_placed(raw(frames.algo()), names)
    return codec.algo_canceled(body, frames.cancel(is_conditional=True), names, 1)


READERS: dict[str, tuple[Callable, Any]] = {
    "order event": (user, json.loads(frames.fill_event())),
    "algo event": (user, json.loads(frames.algo_event())),
    "account event": (
        user,
        json.loads(frames.account_event("FUNDING_FEE", positions=[frames.position()], S="BTCUSDT")),
    ),
    "margin call": (
        user,
        {"e": "MARGIN_CALL", "E": T, "cw": "3", "p": [{"s": "BTCUSDT", "ps": "BOTH", "pa": "1"}]},
    ),
    "account configuration": (
        user,
        {"e": "ACCOUNT_CONFIG_UPDATE", "E": T, "T": T, "ac": {"s": "BTCUSDT", "l": 5}},
    ),
    "expired key": (user, {"e": "listenKeyExpired", "E": T, "listenKey": "k"}),
    **{f"market {each['e']}": (codec.read_market, each) for each in MARKET},
    "market list": (codec.read_market, MARKET),
    "acknowledgement": (order, frames.ack()),
    "amended": (lambda body: codec.amended(body, OrderNames()), frames.ack()),
    "queried": (lambda body: codec.queried(body, OrderNames(), asked_ts=1), frames.listed()),
    "open orders": (
        lambda body: codec.open_orders(body, OrderNames(), asked_ts=1),
        [frames.listed()],
    ),
    "algo placed": (lambda body: codec.algo_placed(body, OrderNames()), frames.algo()),
    "algo queried": (
        lambda body: codec.algo_queried(body, OrderNames(), asked_ts=1),
        frames.algo(actualOrderId="7002", actualPrice="0.0", actualQty="0"),
    ),
    "open algos": (
        lambda body: codec.open_algo_orders(body, OrderNames(), asked_ts=1),
        [frames.algo()],
    ),
    "algo canceled": (
        canceled,
        {"algoId": 1000000200000001, "clientAlgoId": frames.NAME, "code": "200", "msg": "success"},
    ),
    "trades": (
        lambda body: codec.trades(codec.trade_rows(body), OrderNames()),
        [TRADE],
    ),
    "income": (codec.income, [INCOME]),
    "positions": (codec.positions, [POSITION]),
    "account": (codec.balances, {"assets": [{"asset": "USDT", "walletBalance": "5"}]}),
    "contracts": (instrument, {"symbols": [CONTRACT], "rateLimits": [], "serverTime": T}),
    "brackets": (
        codec.leverage_brackets,
        [
            {
                "symbol": "BTCUSDT",
                "brackets": [
                    {
                        "bracket": 1, "initialLeverage": 125, "notionalCap": 5e4,
                        "notionalFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0,
                    }
                ],
            }
        ],
    ),
    "fees": (
        codec.commission_rate,
        {"symbol": "BTCUSDT", "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0004"},
    ),
    "funding intervals": (
        codec.funding_intervals,
        [{"symbol": "BTCUSDT", "fundingIntervalHours": 4}],
    ),
    "account settings": (
        codec.account_config,
        {"canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False},
    ),
    "symbol settings": (codec.symbol_configs, [{"symbol": "BTCUSDT", "leverage": 5}]),
    "leverage": (codec.leverage, {"leverage": 5}),
    "listen key": (codec.listen_key, {"listenKey": "k"}),
    "time": (codec.server_time_ms, {"serverTime": T}),
    "key": (codec.key_restrictions, {"enableWithdrawals": False, "ipRestrict": True}),
    "bars": (lambda body: codec.bars(body, BTC, "1m", 1 << 62), [KLINE]),
    "depth": (lambda body: codec.book_snapshot(body, BTC), DEPTH),
    "mark price": (codec.mark_price, {"symbol": "BTCUSDT", "markPrice": "1", "time": T}),
    "answer": (
        codec.read_reply,
        {
            "id": 1, "status": 400, "error": {"code": -1, "msg": "no"},
            "rateLimits": [
                {
                    "rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1,
                    "limit": 1200, "count": 1,
                }
            ],
        },
    ),
    "error": (codec.read_error, {"code": -1021, "msg": "late"}),
}  # fmt: skip

BY_NAME = pytest.mark.parametrize("name", READERS)
STRANGE: st.SearchStrategy[object] = st.sampled_from(
    [
        None, True, False, 0, -1, 1 << 70, -(1 << 70), 1.5, 1e308, "", " ", "NaN", "Infinity",
        "-Infinity", "1e400", "1E-400", "1e999999999", "-0", "0x10", "١٢", "NOVEL_WORD", "x" * 5000,
        [], {}, [[]], {"e": "NOVEL"}, [1, "2", None],
    ]
)  # fmt: skip


def places_in(value, path=()):
    """Yield the way to every value within."""
    yield path
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in inner:
            yield from places_in(each, (*path, key))


def put(value, path, new):
    if not path:
        return new
    value = copy.deepcopy(value)
    spot = value
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = new
    return value


def read_or_refused(name, body):
    try:
        return READERS[name][0](body)
    except (BadFrame, ConfigError):
        return None


@BY_NAME
def test_sample_is_read(name):
    reader, sample = READERS[name]

    assert reader(raw(sample)) is not None


@BY_NAME
@settings(max_examples=60)
@given(st.data())
def test_strange_values_are_read_or_refused(name, data):
    sample = READERS[name][1]
    for _ in range(data.draw(st.integers(1, 2))):
        sample = put(sample, data.draw(st.sampled_from([*places_in(sample)])), data.draw(STRANGE))
    read_or_refused(name, raw(sample))


@BY_NAME
@settings(max_examples=30)
@given(st.data())
def test_missing_fields_are_read_or_refused(name, data):
    sample = copy.deepcopy(READERS[name][1])
    path = data.draw(st.sampled_from([path for path in places_in(sample) if path]))
    spot = sample
    for key in path[:-1]:
        spot = spot[key]
    del spot[path[-1]]
    read_or_refused(name, raw(sample))


@BY_NAME
@settings(max_examples=30)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name, noise):
    read_or_refused(name, noise)


@BY_NAME
def test_deep_nesting_is_read_or_refused(name):
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'{"e":' + b"[" * 50_000):
        read_or_refused(name, body)


@BY_NAME
def test_fields_that_are_not_known_change_nothing(name):
    reader, sample = READERS[name]

    def widened(value):
        if isinstance(value, dict):
            more = {"novelField": {"deep": [1, None]}, "zz": "?"}
            return {key: widened(each) for key, each in value.items()} | more
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [widened(each) for each in value]
        return value

    assert _told(reader(raw(widened(sample)))) == _told(reader(raw(sample)))


def _told(value):
    """Return what was read without the words it was read from."""
    return value if not isinstance(value, codec.WsReply) else (value.id, value.status, value.error)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("order event", ("o", "f")), ("order event", ("o", "wt")), ("order event", ("o", "V")),
        ("order event", ("o", "pm")), ("order event", ("o", "er")), ("order event", ("o", "ot")),
        ("algo event", ("o", "f")), ("algo event", ("o", "wt")), ("account event", ("a", "m")),
        ("acknowledgement", ("timeInForce",)), ("acknowledgement", ("workingType",)),
        ("queried", ("selfTradePreventionMode",)), ("income", (0, "incomeType")),
        ("contracts", ("symbols", 0, "orderTypes", 0)), ("contracts", ("symbols", 0, "filters", 4)),
    ],
)  # fmt: skip
def test_word_that_is_not_known_is_survived_where_nothing_hangs_on_it(name, field):
    reader, sample = READERS[name]
    value = {"filterType": "NOVELTY"} if field[-1] == 4 else "NOVELTY"

    assert reader(raw(put(sample, field, value))) is not None
