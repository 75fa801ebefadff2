"""The adapter's wire before `books_account`: REST whose lists trail, and the account's stream."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from holdfast.model.errors import OutcomeUnknownError, VenueUnavailable
from holdfast.venues.binance_futures.wire import HttpReply
from tests.venues.binance_futures.books_account import ZERO

ODD = (
    {"symbol": "ODDUSDT", "positionAmt": "a lot", "time": -5},
    {"symbol": "ODDUSDT", "positionAmt": "1e99", "side": "HOLD", "status": 7},
    {"symbol": "ODDUSDT"},
)
ILLS = ("unopened", "mute", "cut", "torn", "busy", "odd", "unknown", "limit", "gone")
GONE_APART_S = 60.0
DAYS_7_MS = 7 * 86_400_000
BRACKET = {
    "bracket": 1, "initialLeverage": 125, "notionalCap": 100000000, "notionalFloor": 0,
    "maintMarginRatio": 0.004, "cum": 0,
}  # fmt: skip
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "1000000", "tickSize": "0.1"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    {"filterType": "MIN_NOTIONAL", "notional": "5"},
]


def contract(symbol):
    return {
        "symbol": symbol, "status": "TRADING", "contractType": "PERPETUAL",
        "baseAsset": symbol[:-4], "quoteAsset": symbol[-4:], "marginAsset": symbol[-4:],
        "deliveryDate": 4133404800000, "filters": FILTERS, "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }  # fmt: skip


class Refused(Exception):
    """What is answered to a request that is not carried out."""

    def __init__(self, code, status=400):
        super().__init__(code)
        self.code, self.status = code, status


class Roads:
    """What is opened here is told of the account's events.

    Args:
        symbols: which are listed.
        lag_s: the most that a list trails, each time another.
        ills: the share of questions that get no answer, or none that helps.
        dropped: the share of events that are not told.
        cut: which end of a list is left out that has more rows than are wanted.
    """

    def __init__(self, account, symbols, *, lag_s=0.0, ills=0.0, dropped=0.0, cut="last"):
        self.account, self.loop, self.lots = account, account.loop, account.lots
        self.symbols, self.lag_s, self.cut = symbols, lag_s, cut
        self.ills, self.dropped = ills, dropped
        self.kinds = self.lots.sample(ILLS, k=self.lots.choice((1, 2, len(ILLS))))
        self.gone_at = -GONE_APART_S
        self.is_storm = False
        self.sockets = []
        self.keys, self.key = 0, ""
        self.secrets = set()
        self.asked = []
        account.tell = self.tell
        self._answers = {
            "GET /fapi/v1/openOrders": lambda p: self._open("orders", p),
            "GET /fapi/v1/openAlgoOrders": lambda p: self._open("algos", p),
            "GET /fapi/v3/positionRisk": self._positions,
            "GET /fapi/v3/account": self._wallets,
            "GET /fapi/v1/userTrades": self._trades,
            "GET /fapi/v1/income": self._income,
            "GET /fapi/v1/allOrders": self._all_orders,
            "GET /fapi/v1/forceOrders": self._forced,
            "GET /fapi/v1/order": self._order,
            "GET /fapi/v1/algoOrder": self._algo,
            "GET /fapi/v1/time": lambda _: {"serverTime": account.now_ms},
            "POST /fapi/v1/listenKey": self._key,
            "POST /fapi/v1/order": self._place,
            "POST /fapi/v1/algoOrder": self._place_algo,
            "DELETE /fapi/v1/order": lambda p: self._cancel(p, is_algo=False),
            "DELETE /fapi/v1/algoOrder": self._cancel_algo,
        }

    # REST

    async def request(self, verb, url, headers, timeout_s):
        path, _, query = url.removeprefix("http://venue").partition("?")
        params = dict(parse_qsl(query, keep_blank_values=True))
        if "signature" in params:
            self.secrets.add(params["signature"][:16])
        await asyncio.sleep(self.latency())
        ill = self._ill(verb, path)
        if ill == "unopened":
            raise VenueUnavailable("venue:443: connection refused")
        if ill == "mute":
            await asyncio.sleep(timeout_s)
            raise OutcomeUnknownError("it took too long")
        status, found = self._answer(f"{verb} {path}", params, ill)
        await asyncio.sleep(self.latency())
        if ill == "cut":
            raise OutcomeUnknownError("connection reset")
        body = found if isinstance(found, str) else self.written(found)
        if ill == "torn":
            body = body[: self.lots.randint(0, len(body) - 1)]
        headers = {"retry-after": "2"} if status == 429 else {}
        return HttpReply(status, headers, body.encode())

    def _ill(self, verb, path):
        is_ailing = self.is_storm and self.lots.random() < self.ills
        if not is_ailing or verb != "GET":
            return ""
        ill = self.lots.choice(self.kinds)
        if ill != "gone":
            return ill
        if self.loop.time() < self.gone_at + GONE_APART_S:  # a moment's gap, and no second one
            return ""
        self.gone_at = self.loop.time()
        return ill

    def _answer(self, place, params, ill):
        self.asked.append((self.loop.time(), place, params))
        if ill == "busy":
            return 503, {"code": -1008, "msg": "Request throttled by system-level protection."}
        if ill == "gone" and "symbol" in params:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        if ill == "limit":
            return 429, {"code": -1003, "msg": "Too many requests."}
        if ill == "unknown":
            return 503, "Unknown error, please check your request or try again later."
        if ill == "odd":
            return 200, self.lots.choice(("", "<html>Bad Gateway</html>", '{"code": -1000}'))
        try:
            if place in self._answers:
                return 200, self._answers[place](params)
            return 200, self._settings().get(place, [])
        except Refused as refused:
            return refused.status, {"code": refused.code, "msg": "It is refused."}

    def _key(self, params):
        if not self.key:
            self.keys += 1
            self.key = f"canary-listen-{self.keys}-{self.lots.getrandbits(40)}"
            self.secrets.add(self.key)
        return {"listenKey": self.key}

    def _settings(self):
        each_symbol = self.symbols
        return {
            "GET /fapi/v1/accountConfig": {"canTrade": True, "dualSidePosition": False},
            "GET /fapi/v1/exchangeInfo": {
                "rateLimits": [], "symbols": [contract(each) for each in each_symbol]
            },
            "GET /fapi/v1/leverageBracket": [
                {"symbol": each, "brackets": [BRACKET]} for each in each_symbol
            ],
            "GET /fapi/v1/commissionRate": {
                "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0004"
            },
            "GET /fapi/v1/symbolConfig": [
                {"symbol": each, "marginType": "CROSSED", "leverage": 5} for each in each_symbol
            ],
        }  # fmt: skip

    # Lists, as they were some time ago

    def _then(self):
        return self.loop.time() - self.lots.choice((0.0, self.lots.random())) * self.lag_s

    def _known(self, params):
        symbol = params.get("symbol")
        if symbol is not None and symbol not in self.symbols:
            raise Refused(-1121)
        return symbol

    def _open(self, what, params):
        symbol = self._known(params)
        rows = self.account.past[what].at(self._then()) or []
        return self._odd([row for row in rows if symbol in (None, row["symbol"])])

    def _odd(self, rows):
        """Add a row that nobody can read, of a symbol that is not traded here, now and then."""
        return [*rows, self.lots.choice(ODD)] if self.lots.random() < 0.1 else rows

    def _positions(self, params):
        held = self.account.past["positions"].at(self._then())
        rows = [
            {
                "symbol": symbol, "positionSide": "BOTH", "positionAmt": qty, "entryPrice": entry,
                "breakEvenPrice": entry, "markPrice": Decimal(100), "unRealizedProfit": ZERO,
                "isolatedWallet": Decimal(5) if symbol in self.account.isolated else ZERO,
                "marginAsset": symbol[-4:],
            }
            for symbol, (qty, entry) in held.items()
        ]  # fmt: skip
        flat = {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "0.000"}
        return self._odd(rows if "BTCUSDT" in held else [*rows, flat])

    def _wallets(self, params):
        wallets = self.account.past["wallets"].at(self._then())
        rows = [{"asset": asset, "walletBalance": held} for asset, held in wallets.items()]
        return {"totalWalletBalance": "0", "assets": [*rows, {"asset": "FDUSD",
                "walletBalance": "0.00000000"}], "positions": []}  # fmt: skip

    def _trades(self, params):
        symbol, then = self._known(params), self._then()
        rows = [r for at, r in self.account.trades if at <= then and r["symbol"] == symbol]
        if "orderId" in params:
            rows = [row for row in rows if row["orderId"] == int(params["orderId"])]
        if "fromId" in params:
            if "startTime" in params or "endTime" in params:
                raise Refused(-1128)
            rows = [row for row in rows if row["id"] >= int(params["fromId"])]
            return rows[: int(params["limit"])]
        return self._page(self._between(rows, params, DAYS_7_MS), params)

    def _income(self, params):
        then = self._then()
        rows = [row for at, row in self.account.income if at <= then]
        return self._page(self._between(rows, params, None), params)

    def _between(self, rows, params, longest_ms):
        if "startTime" not in params:
            return rows
        start, end = int(params["startTime"]), int(params["endTime"])
        if start > end or (longest_ms is not None and end - start > longest_ms):
            raise Refused(-4165)
        return [row for row in rows if start <= row["time"] <= end]

    def _page(self, rows, params):
        limit = int(params["limit"])
        return rows[:limit] if self.cut == "last" else rows[-limit:]

    def _all_orders(self, params):
        symbol, then = self._known(params), self._then()
        rows = [
            self.account.states[number].at(then)
            for number, order in sorted(self.account.orders.items())
            if not order.is_algo and not order.is_untold and order.symbol == symbol
            if number >= int(params["orderId"])
        ]
        return [row for row in rows if row is not None][: int(params["limit"])]

    def _forced(self, params):
        symbol, then = self._known(params), self._then()
        found = [
            self.account.states[number].at(then)
            for number, order in self.account.orders.items()
            if order.symbol == symbol and order.name.startswith(("autoclose", "adl"))
        ]
        return [row for row in found if row is not None]

    def _order(self, params):
        self._known(params)
        return self._one(params, "orderId", "origClientOrderId", is_algo=False)

    def _algo(self, params):
        return self._one(params, "algoId", "clientAlgoId", is_algo=True)

    def _one(self, params, by_number, by_name, *, is_algo):
        number, name = params.get(by_number), params.get(by_name)
        found = [
            order for order in self.account.orders.values()
            if order.is_algo is is_algo and not order.is_untold
            and params.get("symbol") in (None, order.symbol)
            and (str(order.number) == number or (number is None and order.name == name))
        ]  # fmt: skip
        row = self.account.states[found[-1].number].at(self._then()) if found else None
        if row is None:
            raise Refused(-2013)
        return row

    # Orders of ours

    def _place(self, params):
        account, price = self.account, Decimal(100)
        order = account.place(
            params["symbol"], params["newClientOrderId"], params["side"],
            Decimal(params["quantity"]), Decimal(params.get("price", 0)), kind=params["type"],
            reduce_only=params.get("reduceOnly") == "true",
        )  # fmt: skip
        row = account._row(order)
        if params["type"] == "MARKET":
            if not (room := account.room(order)):
                account.end(order, "EXPIRED")
            for part in [room] if self.lots.random() < 0.7 else [room / 2, room / 2]:
                if part:
                    account.fill(order, part, price)
            if order.is_open:
                account.end(order, "EXPIRED")
        return row

    def _place_algo(self, params):
        order = self.account.place(
            params["symbol"], params["clientAlgoId"], params["side"], Decimal(params.get("quantity", 0)),
            Decimal(params["triggerPrice"]), kind=params["type"], is_algo=True,
            reduce_only="true" in (params.get("reduceOnly"), params.get("closePosition")),
            closes=params.get("closePosition") == "true",
        )  # fmt: skip
        return self.account._row(order)

    def _cancel_algo(self, params):
        row = self._cancel(params, is_algo=True)
        told = {name: row[name] for name in ("algoId", "clientAlgoId")}
        return {**told, "code": "200", "msg": "success"}

    def _cancel(self, params, *, is_algo):
        number = params.get("algoId" if is_algo else "orderId")
        name = params.get("clientAlgoId" if is_algo else "origClientOrderId")
        found = [
            order for order in self.account.orders.values()
            if order.is_algo is is_algo and order.is_open
            and (str(order.number) == number or (number is None and order.name == name))
        ]  # fmt: skip
        if not found:
            raise Refused(-2011)
        self.account.end(found[-1])
        return self.account._row(found[-1])

    # Texts

    def written(self, found):
        """Write an answer, amounts as texts or numbers, with fields that nobody knows."""
        return json.dumps(self._worded(found), ensure_ascii=self.lots.random() < 0.5)

    def _worded(self, value):
        if isinstance(value, dict):
            row = {name: self._worded(each) for name, each in value.items()}
            if self.lots.random() < 0.1:
                row |= {"fieldOfTomorrow": {"of": [None]}, "pair": None}
            return row
        if isinstance(value, list | tuple):
            return [self._worded(each) for each in value]
        if not isinstance(value, Decimal):
            return value
        if self.lots.random() < 0.1:
            return float(value)
        return (
            f"{value:f}"
            if self.lots.random() < 0.5
            else f"{value:.8f}"
            if _is_8(value)
            else (f"{value:f}")
        )

    def latency(self):
        return self.lots.choice((0.002, 0.01, 0.05, self.lots.uniform(0.0, 0.4)))

    # The stream

    async def open_socket(self, url, ears):
        await asyncio.sleep(self.latency())
        if self.is_storm and self.lots.random() < self.ills:
            raise VenueUnavailable("venue:443: connection refused")
        made = UserLine(self, ears)
        self.sockets.append(made)
        return made

    def tell(self, event):
        frame = self.written(event).encode()
        for each in self.sockets:
            if each.is_open:
                each.tell(frame)

    def drop(self):
        for each in [s for s in self.sockets if s.is_open]:
            each.break_off("connection reset")

    def expire_key(self):
        told, self.key = self.key, ""
        now = self.account.now_ms
        self.tell({"e": "listenKeyExpired", "E": now, "listenKey": told})

    async def close(self):
        for each in self.sockets:
            each.close()


def _is_8(value):
    return value == value.quantize(Decimal("0.00000001"))


class UserLine:
    """The account's stream. Frames keep their order, mostly; some never come, or come twice."""

    def __init__(self, roads, ears):
        self.roads, self.ears, self.loop = roads, ears, roads.loop
        self.is_open = True
        self.due: dict[bytes, float] = {}
        self.coming: dict[bytes, deque[Any]] = {}

    def tell(self, frame):
        """Tell a frame: those of one kind keep their order, others may overtake them."""
        lots, roads = self.roads.lots, self.roads
        kind = frame[:24]
        if roads.is_storm and lots.random() < roads.dropped:
            return
        if roads.is_storm and lots.random() < roads.dropped / 10:
            frame = frame[: lots.randint(1, len(frame) - 1)]
        for _ in range(lots.choice((1, 1, 1, 2))):
            late = lots.choice((0.0, 0.0, 0.0, lots.uniform(0.0, 2.0)))
            self.later(kind, self.ears.on_frame, frame, late=late)

    def later(self, kind, do, *args, late=0.0):
        soonest = self.loop.time() + self.roads.latency() + late
        self.due[kind] = max(self.due.get(kind, 0.0), soonest)
        self.coming.setdefault(kind, deque()).append((do, args))
        self.loop.call_at(self.due[kind], self.hear_next, kind)

    def hear_next(self, kind):
        do, args = self.coming[kind].popleft()
        if self.is_open:
            do(*args)

    def send(self, frame):
        raise AssertionError("nothing is sent on the account's stream")

    def ping(self):
        if self.is_open:
            self.later(b"", self.ears.on_pong)

    def close(self):
        self.is_open = False

    def break_off(self, reason):
        if self.is_open:
            self.is_open = False
            self.loop.call_soon(self.ears.on_closed, reason)
