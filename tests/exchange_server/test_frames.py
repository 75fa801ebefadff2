"""Every frame has the fields of the official client's models, of the right types, in the order recorded."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.exchange import known_instrument
from holdfast.exchange_server.frames import Digits, decimals
from holdfast.exchange_server.listen_keys import VALIDITY_NS
from holdfast.exchange_server.outbox import text_frame
from holdfast.model.market import Funding
from holdfast.model.values import OrderType
from tests.exchange_server.stream_desk import BTC, ETH, FIELDS, MS, open_desk, sdk_fields

MODELS = {
    "aggTrade": ("AggregateTradeStreamsResponse", {}),
    "markPriceUpdate": ("MarkPriceStreamResponse", {}),
    "kline": ("KlineCandlestickStreamsResponse", {"k": "KlineCandlestickStreamsResponseK"}),
    "continuous_kline": (
        "ContinuousContractKlineCandlestickStreamsResponse",
        {"k": "ContinuousContractKlineCandlestickStreamsResponseK"},
    ),
    "24hrMiniTicker": ("IndividualSymbolMiniTickerStreamResponse", {}),
    "24hrTicker": ("IndividualSymbolTickerStreamsResponse", {}),
    "bookTicker": ("IndividualSymbolBookTickerStreamsResponse", {}),
    "depthUpdate": ("DiffBookDepthStreamsResponse", {}),
    "forceOrder": (
        "AllMarketLiquidationOrderStreamsResponse",
        {"o": "AllMarketLiquidationOrderStreamsResponseO"},
    ),
    "ORDER_TRADE_UPDATE": ("OrderTradeUpdate", {"o": "OrderTradeUpdateO"}),
    "TRADE_LITE": ("TradeLite", {}),
    "ACCOUNT_UPDATE": (
        "AccountUpdate",
        {"a": "AccountUpdateA", "a.B": "AccountUpdateABInner", "a.P": "AccountUpdateAPInner"},
    ),
    "ALGO_UPDATE": ("AlgoUpdate", {"o": "AlgoUpdateO"}),
    "ACCOUNT_CONFIG_UPDATE": ("AccountConfigUpdate", {"ac": "AccountConfigUpdateAc"}),
    "MARGIN_CALL": ("MarginCall", {"p": "MarginCallPInner"}),
    "listenKeyExpired": ("ListenKeyExpired", {}),
}
NOT_ALWAYS = {
    "OrderTradeUpdateO": {"M", "AP", "cr"},  # of an amendment; of trailing orders of old
    "AccountUpdateA": {"S"},  # of funding
    "AlgoUpdateO": {"ap", "aq", "act", "rm"},  # once in the book; when rejected
    "AccountConfigUpdate": {"ac", "ai"},  # one of the two
}
BESIDE = {"AccountUpdateAPInner": {"ma"}}  # recorded, though the models do not have it
TYPES = {"str": str, "int": int, "bool": bool}


async def one_of_each(desk):
    """Let everything happen once that makes a frame, and return the frames by kind."""
    market = await desk.connect("/ws")
    names = [
        "trade", "aggTrade", "bookTicker", "depth@100ms", "depth5@100ms", "markPrice@1s",
        "kline_1m", "miniTicker", "ticker", "forceOrder",
    ]  # fmt: skip
    await market.subscribe(*(f"btcusdt@{name}" for name in names))
    await market.subscribe("btcusdt_perpetual@continuousKline_1m", "!forceOrder@arr")
    user = await desk.user()
    await user.heard()
    desk.quote(49_999.9, 50_000.1, 10, 10)
    desk.mark(50_000, index_price=50_000.5, funding_rate=0.0001, next_funding_ts=desk.now + 10**12)
    desk.trade(50_000)
    desk.venue.set_leverage("alice", BTC, 100)
    desk.buy("0.4")
    desk.sell("0.1", kind=OrderType.STOP_MARKET, trigger_price=Decimal(49_900))
    desk.show(Funding(symbol=BTC, ts=desk.now, rate=0.0001))
    desk.buy("0.01", 49_000)
    order = next(o for o in desk.venue.exchange.open_orders("alice", BTC) if o.order_id)
    desk.venue.replace(order, Decimal("0.02"), Decimal(48_000), "7")
    desk.trade(49_900)
    desk.advance(2000)
    desk.mark(49_280)
    desk.advance(1000)
    desk.mark(49_200)
    desk.advance(1000)
    desk.advance(VALIDITY_NS // MS)
    found: dict[str, list[dict]] = {}
    for frame in [*await market.heard(), *await user.heard()]:
        found.setdefault(frame["e"], []).append(frame)
    return found


def check(model, frame, fields, path):
    known = {k: v for k, v in fields[model].items() if k != "additional_properties"}
    needed = known.keys() - NOT_ALWAYS.get(model, set())
    had = set(frame) - {"e"}
    assert needed <= had | {"e"}, f"{path} lacks {needed - had}"
    assert had <= known.keys() | BESIDE.get(model, set()), f"{path} has {had - known.keys()}"
    for name in had & known.keys():
        kind = TYPES.get(known[name])
        if kind is not None:
            assert type(frame[name]) is kind, f"{path}.{name} is {frame[name]!r}, not {kind}"


@pytest.mark.skipif(not FIELDS.exists(), reason="the official client's field lists are not here")
async def test_every_frame_has_the_fields_and_types_of_the_official_models():
    fields = sdk_fields()["websocket_streams"]
    async with open_desk(balance=300) as desk:
        found = await one_of_each(desk)

    assert set(MODELS) <= set(found)
    for kind, (model, inner) in MODELS.items():
        for frame in found[kind]:
            check(model, frame, fields, kind)
            for path, inner_model in inner.items():
                parts = [frame]
                for letter in path.split("."):
                    parts = [part[letter] for part in parts if letter in part]
                    parts = [row for p in parts for row in (p if isinstance(p, list) else [p])]
                for part in parts:
                    check(inner_model, part, fields, f"{kind}.{path}")


RECORDED = FIELDS.parent / "recorded"


def recorded_frames():
    """All frames in all recordings, however deep."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("e"), str) and value.get("E") != "...":
                found.append(value)
            else:
                for each in value.values():
                    walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for path in sorted(RECORDED.glob("*.json")):
        walk(json.loads(path.read_text()))
    return [frame for frame in found if frame.get("st") != 2]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded frames are not here")
async def test_fields_stand_in_the_order_recorded():
    """What a recording has must come in the recording's order; newer fields may come between."""
    async with open_desk(balance=300) as desk:
        ours = await one_of_each(desk)

    compared = 0
    for frame in recorded_frames():
        kind = frame["e"]
        if kind == "bookTicker" and "st" not in frame:
            continue  # of 2025: its order has changed since
        for mine in ours[kind][:1]:
            for old, new in [(frame, mine), *((frame[k], mine[k]) for k in "oka" if k in frame)]:
                if isinstance(old, dict):
                    common = [name for name in new if name in old]
                    assert common == [name for name in old if name in new], kind
                    compared += 1
    assert compared > 30


@pytest.mark.parametrize(
    ("step", "count"), [("0.1", 1), ("0.10", 1), ("0.001", 3), ("1", 0), ("10", 0), ("0.5", 1)]
)
def test_decimals_of_a_step(step, count):
    assert decimals(Decimal(step)) == count


@given(st.integers(0, 10**9), st.sampled_from([BTC, ETH]))
def test_a_price_on_the_tick_is_written_exactly(ticks, symbol):
    instrument = known_instrument(symbol)
    assert instrument is not None
    price = ticks * instrument.tick

    text = Digits.of(instrument).px(float(price))
    assert Decimal(text) == price
    assert text == Digits.of(instrument).px(price)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
async def test_frames_of_every_size_are_read_by_a_real_client(size):
    async with open_desk() as desk:
        client = await desk.connect("/public/ws/btcusdt@trade")
        await client.heard()
        payload = b'"' + b"x" * size + b'"'
        desk.broadcast.hub.publish("btcusdt@trade", payload)

        assert await client.next() == "x" * size
        assert len(text_frame(payload)) > len(payload)
