"""Sessions at exchanges that speak otherwise than ours, or badly: nothing breaks, is lost or doubled."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from holdfast import LiveTradingService
from holdfast.feeds import FeedSettings
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.config import TradingConfig
from holdfast.model.errors import TradingError
from holdfast.model.values import TradingSessionStatus
from holdfast.venues.binance_futures import orders_ws, rest
from tests.venues.binance_futures.adapter_desk import BTC
from tests.venues.binance_futures.adapter_mangler import Manner, mangled
from tests.venues.binance_futures.adapter_street import street
from tests.venues.binance_futures.test_adapter_session import QUICK_FENCES, Session, broker_at

QUOTED = re.compile(r'(?<=[:,\[])"(-?\d+(?:\.\d+)?)"')
BARE = re.compile(r"(?<=[:,\[])(-?\d+)(?=[,}\]])")
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>cloudfront</body></html>"
NOT_ORDERS = re.compile(r"(?i)order|listenKey|leverage|/time")


class Bare(Manner):
    """Numbers are numbers, not texts."""

    def answer(self, verb, path, status, body):
        return status, self.say(body.decode()).encode()

    def frames(self, path, frame):
        return [self.say(frame)]

    def say(self, text):
        self.struck += 1
        return QUOTED.sub(r"\1", text)


class Quoted(Bare):
    """Whole numbers are texts, as prices are: ids, times, statuses."""

    def say(self, text):
        self.struck += 1
        return BARE.sub(r'"\1"', text)


class Parsed(Manner):
    """Says something else of what was said."""

    def answer(self, verb, path, status, body):
        self.struck += 1
        return status, json.dumps(self.change(json.loads(body))).encode()

    def frames(self, path, frame):
        self.struck += 1
        return [json.dumps(self.change(json.loads(frame)))]

    def change(self, told):
        if isinstance(told, dict):
            return {key: self.change(value) for key, value in self.items(told)}
        return [self.change(each) for each in told] if isinstance(told, list) else told

    def items(self, told):
        return told.items()


class Reversed(Parsed):
    """Rows come newest first, fields in any order."""

    def answer(self, verb, path, status, body):
        told = json.loads(body)
        if isinstance(told, list):
            body = json.dumps(told[::-1]).encode()
        return super().answer(verb, path, status, body)

    def items(self, told):
        return list(told.items())[::-1]


class Newer(Parsed):
    """Fields and words of tomorrow, events that nobody knows, and each event twice."""

    def items(self, told):
        more = (
            []
            if "zz" in told or "a" in told
            else [("zzNew", [None, {"zz": 1.5e300}]), ("zz", None)]
        )
        return [*told.items(), *more]

    def frames(self, path, frame):
        [told] = super().frames(path, frame)
        if "ws-fapi" in path:
            return [told, told, '{"id":null,"event":"hello"}', '{"id":987654321,"status":200}']
        news = ['{"e":"SOMETHING_NEW","E":1,"x":[1]}', '{"stream":"a@b","data":{"e":"NEW"}}']
        return [told, told, *news]


class Poorer(Parsed):
    """Leaves out what it can."""

    OUT = frozenset({
        "avgPrice", "cumQuote", "cumQty", "updateTime", "workingType", "priceProtect", "priceMatch",
        "goodTillDate", "selfTradePreventionMode", "closePosition", "origType", "pair", "st", "ps",
        "pm", "gtd", "V", "R", "isolatedWallet", "breakEvenPrice", "bep", "iw", "notional", "adl",
        "bidNotional", "askNotional", "marginAsset", "totalInitialMargin", "availableBalance",
        "rateLimits", "positionSide", "ap", "sp", "wt", "cp", "pP", "si", "ss", "AP", "cr",
        "activatePrice", "priceRate", "reorderId", "count", "limit", "serverTimezone",
    })  # fmt: skip

    def items(self, told):
        kept = [(k, v) for k, v in told.items() if k not in self.OUT]
        return told.items() if set(told) == {"serverTime"} else kept


class Nulled(Poorer):
    """Says of all that it could leave out that it is null."""

    NOTHING: str | None = None

    def items(self, told):
        said = [(k, self.NOTHING if k in self.OUT else v) for k, v in told.items()]
        return told.items() if "serverTime" in told or "rateLimitType" in told else said


class Emptied(Nulled):
    """Says of all that it could leave out that it is empty."""

    NOTHING = ""


class Longer(Manner):
    """Ids of orders are longer than any machine's integer."""

    TOLD = re.compile(r'("(?:orderId|algoId|i|aid|ai|actualOrderId)":"?)(\d+)(?=[",}])')
    ASKED = re.compile(r"((?:orderId|algoId)=)9{20}(\d+)")

    def passed_on(self, raw_path):
        return self.ASKED.sub(r"\1\2", raw_path)

    def answer(self, verb, path, status, body):
        return status, self.say(body.decode()).encode()

    def frames(self, path, frame):
        return [self.say(frame)]

    def say(self, text):
        self.struck += 1
        return self.TOLD.sub(rf"\g<1>{'9' * 20}\2", text)


class Unlisted(Manner):
    """Lists no conditional order; asked for one by its name, it has it."""

    def answer(self, verb, path, status, body):
        if (verb, path) != ("GET", "/fapi/v1/openAlgoOrders"):
            return status, body
        self.struck += 1
        return status, b"[]"


class Unanswering(Manner):
    """Over the WebSocket API every third order is answered by nothing but that it went well."""

    asked_for = 0

    def frames(self, path, frame):
        told = json.loads(frame)
        if "ws-fapi" not in path or "orderId" not in json.dumps(told.get("result")):
            return [frame]
        self.asked_for += 1
        if self.asked_for % 3:
            return [frame]
        self.struck += 1
        return [json.dumps({**told, "result": [None, {}, [], "ok"][self.struck % 4]})]


class Foreign(Manner):
    """Tells of symbols that nobody asked about, with ids that are ours too."""

    def frames(self, path, frame):
        told = json.loads(frame)
        if told.get("e") not in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE"):
            return [frame]
        self.struck += 1
        other = frame.replace("BTCUSDT", "ZZZUSDT")
        if told["e"] == "ACCOUNT_UPDATE":
            told["a"]["B"] = []
            other = json.dumps(told).replace("BTCUSDT", "ZZZUSDT")
        else:
            inner = told["o"]
            if inner.get("x", "NEW") != "NEW":
                return [frame]
            name = "caid" if told["e"] == "ALGO_UPDATE" else "c"
            inner[name] = f"web_{inner[name][:20]}"
            other = json.dumps(told).replace("BTCUSDT", "ZZZUSDT")
        return [other, frame, other]


class Failing(Manner):
    """Every third answer is another one."""

    def __init__(self, status, body, *, on_orders=False):
        super().__init__()
        self.given, self.on_orders = (status, body), on_orders
        self.asked = 0

    def instead(self, verb, path):
        if not self.on_orders and NOT_ORDERS.search(path):
            return None
        if self.on_orders and "rder" not in path:
            return None
        self.asked += 1
        if self.asked % 3:
            return None
        self.struck += 1
        return self.given


class Shutting(Manner):
    """Closes each of the first sockets right after its handshake."""

    def closes(self, path):
        self.struck += 1
        return self.struck <= 6


class Dripping(Manner):
    """Every tenth answer comes byte by byte."""

    drip_s = 0.0

    def answer(self, verb, path, status, body):
        self.struck += 1
        self.drip_s = 0.02 if self.struck % 10 == 0 else 0.0
        return status, body


def failing(status, body, **more):
    return lambda: Failing(status, body, **more)


ERROR_IN_200 = b'{"code":-1001,"msg":"Internal error; unable to process your request."}'
ODD = {
    "bare": Bare,
    "quoted": Quoted,
    "reversed": Reversed,
    "newer": Newer,
    "poorer": Poorer,
    "nulled": Nulled,
    "emptied": Emptied,
    "longer": Longer,
}
BAD = {
    "html": failing(502, HTML),
    "html-200": failing(200, HTML),
    "html-orders": failing(502, HTML, on_orders=True),
    "error-200": failing(200, ERROR_IN_200),
    "error-200-orders": failing(200, ERROR_IN_200, on_orders=True),
    "empty": failing(200, b""),
    "empty-orders": failing(200, b"", on_orders=True),
    "empty-503-orders": failing(503, b"", on_orders=True),
    "html-200-orders": failing(200, HTML, on_orders=True),
    "null-orders": failing(200, b"null", on_orders=True),
    "list-orders": failing(200, b"[]", on_orders=True),
    "nothing-orders": failing(200, b"{}", on_orders=True),
    "redirect-orders": failing(302, b"", on_orders=True),
    "unlisted": Unlisted,
    "unanswering": Unanswering,
    "null": failing(200, b"null"),
    "shutting": Shutting,
    "dripping": Dripping,
    "foreign": Foreign,
}

OVER_WS = {"unanswering"}


class Quick:
    """The session of one manner, begun again where a start was refused."""

    def __init__(self, folder, market, proxy, over_ws):
        self.folder, self.market, self.proxy, self.over_ws = folder, market, proxy, over_ws

    async def begin(self):
        config = TradingConfig(
            dry_run=False,
            data_dir=self.folder,
            log_trades=False,
            leverage=10,
            position_size_pct="1",
            take_profit_pct="0",
            audit_interval_ns="1s",
            **QUICK_FENCES,
        )
        service = LiveTradingService(config=config)
        service.set_broker(broker_at(self.proxy, orders_over_ws=self.over_ws))
        feed = BinanceFuturesFeed(FeedSettings(symbols=(BTC,)), rest_url=self.proxy.url)
        for tries_left in range(5, -1, -1):
            try:
                await service.start_session("p", [], [BTC], feed=feed)
                break
            except TradingError:
                if not tries_left:
                    raise
        one = Session(service, self.market)
        await one.until(lambda: service.live.engine.core.market.price(BTC) is not None)
        return one


async def trade(one, *, is_sure):
    """Trade a bracket, a resting order that is amended and taken back, and close."""
    steps = 0

    async def attempt(work):
        nonlocal steps
        try:
            await work
            steps += 1
        except TradingError:
            if is_sure:
                raise

    service = one.service
    await attempt(service.place_order(BTC, "BUY", "0.01", stop_loss="49000", take_profit="52000"))
    if is_sure:
        await one.until(lambda: len(one.books()[2]) == 2)
    for number in range(3):
        try:
            placed = await service.place_order(
                BTC, "BUY", f"0.00{3 + number}", "LIMIT", "49500", stop_loss="48000"
            )
        except TradingError:
            if is_sure:
                raise
            continue
        await attempt(service.modify_order(placed.id, new_price="49400"))
        await attempt(service.cancel_order(placed.id))
    if is_sure:
        await one.agree()
        assert one.books()[1] == {BTC: Decimal("0.01")}
    await attempt(service.close_position(BTC))
    return steps


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
@pytest.mark.parametrize("name", ODD)
async def test_what_is_said_in_another_way_is_understood(tmp_path, caplog, name, over_ws):
    manner = ODD[name]()
    with street() as market:
        async with mangled(market.url, manner) as proxy:
            one = await Quick(tmp_path, market, proxy, over_ws).begin()
            try:
                await trade(one, is_sure=True)
                await one.until(lambda: not one.books()[1] and not one.books()[2])
                await one.agree()

                assert manner.struck > 5
                assert one.state.status is TradingSessionStatus.RUNNING
                assert not one.state.differences
                assert "not understood" not in caplog.text
                assert "can't be read" not in caplog.text
            finally:
                await one.service.stop("test")


def ours(books):
    """Return books without the orders of others."""
    balances, positions, orders = books
    return balances, positions, [name for name in orders if name.startswith("hf.")]


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
async def test_what_is_said_badly_costs_time_and_nothing_else(tmp_path, monkeypatch, name):
    monkeypatch.setattr(rest, "ANSWER_S", 1.0)
    monkeypatch.setattr(orders_ws, "ANSWER_S", 1.0)
    manner = BAD[name]()
    with street() as market:
        async with mangled(market.url, manner) as proxy:
            over_ws = name in OVER_WS
            one = await Quick(tmp_path, market, proxy, over_ws).begin()
            try:
                await trade(one, is_sure=False)
                assert manner.struck
                manner.is_on = False
                await one.until(lambda: not one.state.differences)
                await one.until(lambda: ours(one.books()) == market.books())
                if one.books()[1]:
                    await one.service.close_position(BTC)
                await one.until(lambda: not one.books()[1])
                await one.until(lambda: ours(one.books()) == market.books())
                assert one.state.status is TradingSessionStatus.RUNNING
                assert not one.state.differences
            finally:
                await one.service.stop("test")
