"""The adapter's wire before `desk_floor`: REST, the WebSocket API and the account's stream."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from urllib.parse import parse_qsl

from holdfast.model.errors import OutcomeUnknownError, VenueUnavailable
from holdfast.venues.binance_futures.wire import HttpReply
from tests.venues.binance_futures.desk_floor import ALGO_STATUS, ANSWER_S, COMMANDS, METHODS

SYMBOL = {
    "symbol": "BTCUSDT", "status": "TRADING", "contractType": "PERPETUAL", "baseAsset": "BTC",
    "quoteAsset": "USDT", "marginAsset": "USDT", "deliveryDate": 4133404800000,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "1000000", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ],
    "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
}  # fmt: skip
BRACKET = {
    "bracket": 1, "initialLeverage": 125, "notionalCap": 100000000, "notionalFloor": 0,
    "maintMarginRatio": 0.004, "cum": 0,
}  # fmt: skip
READS = {
    "GET /fapi/v1/accountConfig": {
        "canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False
    },
    "GET /fapi/v1/exchangeInfo": {"rateLimits": [], "symbols": [SYMBOL]},
    "GET /fapi/v1/leverageBracket": [{"symbol": "BTCUSDT", "brackets": [BRACKET]}],
    "GET /fapi/v1/commissionRate": {
        "symbol": "BTCUSDT", "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0004"
    },
    "GET /fapi/v1/symbolConfig": [
        {"symbol": "BTCUSDT", "marginType": "CROSSED", "isAutoAddMargin": False, "leverage": 5}
    ],
    "GET /fapi/v3/account": {"assets": [{"asset": "USDT", "walletBalance": "1000"}]},
}  # fmt: skip
WALL_S = 76.0
"""How long the adapter stays away from a wall that no road leads around: 60 s, and up to a quarter.
"""


def is_exempt(method, params):
    """Tell whether the venue takes it while it throttles: what ends risk, and cancels."""
    return method.endswith(".cancel") or "true" in (
        params.get("reduceOnly"),
        params.get("closePosition"),
    )


class Roads:
    """What is opened here is told of the floor's events; `secrets` is what no text may have.

    `rest_ill` and `api_ill` return what ails one road for as long as they say so.
    """

    def __init__(self, floor, *, logs_on=False):
        self.floor, self.loop, self.lots = floor, floor.loop, floor.lots
        self.logs_on = logs_on
        self.rest_ill = self.api_ill = lambda method: ""
        self.sockets: list[Line] = []
        self.keys = 0
        self.key = ""
        self.secrets: set[str] = set()
        self.is_api_up = lambda: False
        self.walled_until: dict[str, float] = {}
        self.repeats = self.deaf = self.torn = 0.0
        floor.tell = self.tell

    # REST

    async def request(self, verb, url, headers, timeout_s):
        path, _, query = url.removeprefix("http://venue").partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True))
        self._keep_secret(params)
        place = f"{verb} {path}"
        method = METHODS.get(place, place)
        sent = self.floor.received("REST", method, params, is_exempt(method, params))
        sent.target = f"{path}?{query}"
        ill = self.rest_ill(method) or self.floor.fate(method)
        if ill == "unopened":
            await asyncio.sleep(self.latency())
            sent.is_sure, sent.answered_at = True, self.loop.time()
            raise VenueUnavailable("venue:443: connection refused")
        answer = self.loop.create_future()
        if not self._is_lost(ill):
            self.loop.call_later(self.latency(), self._arrive, sent, ill, params, answer)
        if ill == "cut":
            self.loop.call_later(self.latency(), self._give, sent, answer, None)
        try:
            async with asyncio.timeout(timeout_s):
                got = await answer
        except TimeoutError:
            raise OutcomeUnknownError("it took too long") from None
        if got is None:
            raise OutcomeUnknownError("connection reset")
        return got

    def _is_lost(self, ill):
        """Tell whether what was cut off, or gets no answer, does not arrive at all."""
        return ill == "lost" or (ill in ("cut", "mute") and self.lots.random() < 0.5)

    def _arrive(self, sent, ill, params, answer):
        if sent.method in METHODS.values():
            status, body, headers = self.floor.answer(sent, ill, params)
        else:
            status, body, headers = self._other(sent, ill)
        if ill in ("mute", "cut"):
            sent.is_sure = False
            return
        delay = self.lots.choice((4.0, 9.3, 10.8)) if ill == "slow" else self.latency()
        self.loop.call_later(delay, self._give, sent, answer, (status, headers, body), ill)

    def _give(self, sent, answer, got, ill=""):
        if answer.done():
            return
        if got is None:
            answer.set_result(None)
            return
        status, headers, body = got
        if body.startswith("<") and self.lots.random() < 0.5:
            body = f"<p>{sent.target} can't be had.</p>"
        if ill == "torn" and status < 400:
            answer.set_result(None)
            return
        if ill == "torn":
            body = body[: self.lots.randint(0, 30)]
        self._answered(sent, status, body)
        answer.set_result(HttpReply(status, headers, body.encode()))

    def _answered(self, sent, status, body):
        sent.answered_at = self.loop.time()
        is_alone = sent.method == ALGO_STATUS or not self.is_api_up()
        if status == 403 and sent.road == "REST" and is_alone:
            self.walled_until[sent.name] = self.loop.time() + WALL_S
        if sent.shut_s:
            self.floor.heard_shut(sent.shut_s)
        is_in_time = sent.answered_at - sent.at < ANSWER_S
        is_done = sent.is_carried and status == 200 and _is_whole(sent, body)
        sent.is_good = is_in_time and (is_done or (status == 400 and _is_unchanged(sent, body)))

    def _other(self, sent, ill):
        if isinstance(ill, tuple) or ill in ("weight", "banned"):
            return self.floor.answer(sent, ill, {})
        if self.floor.is_closed:
            return self.floor.closed_answer(sent)
        if sent.method == "GET /fapi/v1/time":
            return 200, json.dumps({"serverTime": self.floor.now_ms}), {}
        if sent.method == "POST /fapi/v1/listenKey":
            if not self.key:
                self.keys += 1
                self.key = f"canary-listen-{self.keys}-{self.lots.getrandbits(40)}"
                self.secrets.add(self.key)
            return 200, json.dumps({"listenKey": self.key}), {}
        return 200, json.dumps(READS.get(sent.method, [])), {}

    def rate_limits(self, sent):
        """Return what an answer on the WebSocket API tells of the limits."""
        return ()

    def _keep_secret(self, params):
        if "signature" in params:
            self.secrets.add(params["signature"][:16])

    def latency(self):
        return self.lots.choice((0.002, 0.01, 0.05, self.lots.uniform(0.0, 0.8)))

    # Sockets

    async def open_socket(self, url, ears):
        ill = self.api_ill("open") if "/ws-fapi" in url else ""
        await asyncio.sleep(self.latency())
        if ill == "unopened":
            raise VenueUnavailable("venue:443: connection refused")
        made = (ApiLine if "/ws-fapi" in url else UserLine)(self, ears)
        self.sockets.append(made)
        return made

    def tell(self, event):
        frame = json.dumps(event).encode()
        for each in self.sockets:
            if isinstance(each, UserLine) and each.is_open:
                each.tell(frame)

    def drop(self, kind, reason="connection reset"):
        """End the sockets of a kind from the other side."""
        for each in [s for s in self.sockets if isinstance(s, kind) and s.is_open]:
            each.break_off(reason)

    def revoke(self):
        """Tell each connection that its session is over, or let it be so untold."""
        gone = json.dumps({"id": None, "status": 401, "error": {"code": -2015, "msg": "revoked"}})
        for each in [s for s in self.sockets if isinstance(s, ApiLine) and s.is_open]:
            each.is_logged_on = False
            if self.lots.random() < 0.5:
                each.later(each.ears.on_frame, gone.encode())

    def drop_api(self):
        self.drop(ApiLine)

    def expire_key(self):
        told, self.key = self.key, ""
        self.tell({"e": "listenKeyExpired", "E": self.floor.now_ms, "listenKey": told})

    async def close(self):
        self.is_closed = True


class Line:
    """One WebSocket."""

    def __init__(self, roads, ears):
        self.roads, self.ears, self.loop = roads, ears, roads.loop
        self.is_open = True
        self.to_us = self.to_them = 0.0
        self.coming: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()

    def send(self, frame):
        raise AssertionError("nothing is sent on the account's stream")

    def ping(self):
        if self.is_open:
            self.later(self.ears.on_pong)

    def close(self):
        self.is_open = False

    def break_off(self, reason):
        if self.is_open:
            self.is_open = False
            self.loop.call_soon(self.ears.on_closed, reason)

    def later(self, do, *args):
        self.to_us = max(self.to_us, self.loop.time() + self.roads.latency())
        self.coming.append((do, args))
        self.loop.call_at(self.to_us, self.hear_next)  # whichever of those due at once comes first

    def hear_next(self):
        do, args = self.coming.popleft()
        self.heard(do, *args)

    def heard(self, do, *args):
        if self.is_open:
            do(*args)


class UserLine(Line):
    """The account's stream. Frames keep their order; some never come, or come twice."""

    def tell(self, frame):
        lots, roads = self.roads.lots, self.roads
        if lots.random() < roads.deaf and roads.floor.is_storm:
            return
        if lots.random() < roads.torn and roads.floor.is_storm:
            self.later(self.ears.on_frame, frame[: lots.randint(1, len(frame) - 1)])
            return
        self.later(self.ears.on_frame, frame)
        if lots.random() < roads.repeats:
            self.later(self.ears.on_frame, frame)


class ApiLine(Line):
    """The WebSocket API. Requests keep their order, answers come as they please."""

    is_logged_on = False

    def __init__(self, roads, ears):
        super().__init__(roads, ears)
        self.asked = []

    def break_off(self, reason):
        for sent in self.asked if self.is_open else ():
            sent.broke_at = self.loop.time()
        super().break_off(reason)

    def send(self, frame):
        if not self.is_open:
            return False
        asked = json.loads(frame)
        method, params = asked["method"], {k: str(v) for k, v in asked["params"].items()}
        self.roads._keep_secret(params)
        floor = self.roads.floor
        sent = floor.received("WS", method, params, is_exempt(method, params))
        self.asked.append(sent)
        ill = self.roads.api_ill(method) or floor.fate(method)
        if ill == "unopened":
            ill = "cut"
        if ill == "lost_with_all":
            self.loop.call_later(self.roads.latency(), self.break_off, "connection reset")
            return True
        self.to_them = max(self.to_them, self.loop.time() + self.roads.latency())
        if not self.roads._is_lost(ill):
            self.loop.call_at(self.to_them, self.arrive, sent, ill, asked["id"], params)
        if ill == "cut":
            self.loop.call_later(self.roads.latency(), self.break_off, "connection reset")
        return True

    def arrive(self, sent, ill, number, params):
        if isinstance(ill, tuple):
            status, body, _ = self.roads.floor.answer(sent, ill, params)
        elif sent.method == "session.logon":
            status, body = self.log_on(ill)
        elif "signature" not in params and not self.is_logged_on:
            sent.is_sure = sent.is_unsigned = True
            status, body = 401, json.dumps({"code": -2015, "msg": "no session"})
        else:
            status, body, headers = self.roads.floor.answer(sent, ill, params)
            body = self.with_end(body, headers.get("retry-after"))
        if ill in ("mute", "cut"):
            sent.is_sure = False
            return
        delay = self.roads.lots.choice((4.0, 9.3, 10.8)) if ill == "slow" else self.roads.latency()
        self.loop.call_later(delay, self.heard, self.give, sent, number, status, body, ill)

    def with_end(self, body, seconds):
        """Write down when to come again: this road has no headers."""
        if seconds is None:
            return body
        now = self.roads.floor.now_ms
        when = {"serverTime": now, "retryAfter": now + int(seconds) * 1000}
        return json.dumps({"code": -1003, "msg": "Too many requests.", "data": when})

    def log_on(self, ill):
        if ill in ("", "slow", "torn", "mute"):
            self.is_logged_on = True
            return 200, json.dumps({"apiKey": "canary-key-7f3a", "authorizedSince": 1})
        return 400, json.dumps({"code": -1021, "msg": "late"})

    def give(self, sent, number, status, body, ill=""):
        lots = self.roads.lots
        if ill == "torn":
            raw = _reply(number, status, body)
            self.ears.on_frame(raw[: lots.randint(1, len(raw) - 1)])
            return
        self.asked.remove(sent)
        self.roads._answered(sent, status, body)
        told = str(number) if lots.random() < 0.3 else number
        raw = _reply(told, status, body, self.roads.rate_limits(sent))
        if lots.random() < 0.2:
            self.ears.on_frame(_reply(lots.randint(10_000, 99_999), 200, "{}"))
        for _ in range(lots.choice((1, 1, 1, 2))):
            self.ears.on_frame(raw)
        if lots.random() < 0.2:
            self.loop.call_later(self.roads.latency(), self.heard, self.ears.on_frame, raw)


def _reply(number, status, body, limits=()):
    """Write an answer on the WebSocket API; a body that is no JSON is left away."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    told = {"id": number, "status": status} | ({"rateLimits": limits} if limits else {})
    if status == 200 and not (isinstance(found, dict) and _is_error(found)):
        told["result"] = found
        return json.dumps(told).encode()
    if isinstance(found, dict):
        told["error"] = found
    elif body and not body.startswith("<"):
        told["error"] = {"msg": body}
    return json.dumps(told).encode()


def _is_error(found):
    return str(found.get("code", "")).startswith("-")


def _is_unchanged(sent, body):
    """Tell whether an amendment is told to change nothing: it is as was wanted."""
    return sent.method == "order.modify" and body.startswith('{"code": -5027,') and body[-1] == "}"


def _is_whole(sent, body):
    """Tell whether a body is the answer to a command, as it should be."""
    try:
        row = json.loads(body)
    except ValueError:
        return False
    if not isinstance(row, dict) or sent.method not in COMMANDS:
        return False
    if sent.method == "algoOrder.cancel":
        return row.get("clientAlgoId") == sent.name and row.get("code") == "200"
    called = row.get("clientAlgoId" if sent.method == "algoOrder.place" else "clientOrderId")
    fields = {"orderId", "status"} if "status" in row else {"algoId", "algoStatus"}
    names = (called, f"order-{row.get('orderId')}")  # a child is taken back by its number
    return sent.name in names and {"symbol", "side", *fields} <= row.keys() and "NaN" not in body
