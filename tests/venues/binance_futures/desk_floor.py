"""Binance's order entry as its protocol describes it, in memory: what is carried out, and what ails.

Written from the protocol alone, not from our exchange. Of each request it knows what became of it,
and whether what was answered is sure.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

BASE_MS = 1_790_000_000_000
KEY, SECRET = "canary-key-7f3a", "canary-secret-91cc"
ANSWER_S = 10.0
"""How long the adapter says that it waits for an answer."""

PLACE, MODIFY, CANCEL = "order.place", "order.modify", "order.cancel"
ALGO_PLACE, ALGO_CANCEL = "algoOrder.place", "algoOrder.cancel"
STATUS, ALGO_STATUS = "order.status", "GET algoOrder"
METHODS = {
    "POST /fapi/v1/order": PLACE,
    "PUT /fapi/v1/order": MODIFY,
    "DELETE /fapi/v1/order": CANCEL,
    "GET /fapi/v1/order": STATUS,
    "POST /fapi/v1/algoOrder": ALGO_PLACE,
    "DELETE /fapi/v1/algoOrder": ALGO_CANCEL,
    "GET /fapi/v1/algoOrder": ALGO_STATUS,
}
QUESTIONS = (STATUS, ALGO_STATUS)
COMMANDS = (PLACE, MODIFY, CANCEL, ALGO_PLACE, ALGO_CANCEL)

TEXTS = {
    -1000: "Unknown error, please check your request or try again later.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown.",
    -1008: "Request throttled by system-level protection. Reduce-only/close-position orders are "
    "exempt. Please try again.",
}

# What may have been carried out, whatever is answered: HTTP status and body.
OPEN = {
    "unknown": [(503, -1000), (503, TEXTS[-1000]), (500, "Request occur unknown error.")],
    "timeout": [(408, -1007), (408, ""), (400, -1006), (503, -1006)],
    "gateway": [
        (502, "<html>Bad Gateway</html>"),
        (504, ""),
        (503, "<h1>Service Unavailable</h1>"),
    ],
    "undocumented": [(400, -9871), (503, -1955), (500, -4999)],
    "garbled": [(200, "garbled")],
}
# What says that nothing was done.
SURE = {
    "unavailable": [(503, "Service Unavailable.")],
    "disconnected": [(503, -1001)],
    "overload": [(503, -1008)],
    "weight": [(429, -1003), (429, "<html>Too many</html>"), (429, ""), (429, '{"code":-10')],
    "banned": [(418, -1003), (418, "<html>banned</html>"), (418, "")],
    "orders": [(429, -1015)],
    "late": [(400, -1021)],
    "wall": [(403, "<html>Forbidden</html>"), (403, "")],
    "refused": [],
    "refused_as_ok": [],
}
REFUSALS = {
    PLACE: (-2019, -2010, -4014, -1111, -4164, -2022, -5021, -5022, -4400, -2025, -1102, -2015),
    ALGO_PLACE: (-2021, -4130, -4045, -2022, -4120, -4142, -2015, -1102),
    MODIFY: (-5025, -5029, -5026, -5024, -5043, -4014, -2013, -5028, -2015),
    CANCEL: (-2015, -1102, -1116),
    ALGO_CANCEL: (-2015, -1102, -4117),
    STATUS: (-2015,),
    ALGO_STATUS: (-2015,),
}
ROADS = ("unopened", "cut", "mute", "slow", "torn")
"""No connection; it breaks; it says nothing; it takes its time; it says half."""

ILLS = (*OPEN, *SURE, *ROADS)


@dataclass
class Sent:
    """One request, and what became of it."""

    at: float
    road: str
    method: str
    name: str
    is_exempt: bool = False
    is_carried: bool = False
    is_sure: bool = False  # it was said, or is plain, that nothing was done
    answered_at: float | None = None
    is_good: bool = False  # what was carried out was answered as it should be
    status: str = ""
    is_unsigned: bool = False  # refused for want of a session, and for nothing else
    broke_at: float | None = None  # when its connection did, unanswered
    target: str = ""  # path and query of REST
    shut_s: float = 0.0  # for how long it was said that nothing is taken any more
    told: tuple[int, ...] = ()  # what was counted when it arrived

    def __repr__(self):
        flags = [f for f in ("is_carried", "is_sure", "is_good") if getattr(self, f)]
        return f"<{self.at:.3f} {self.road} {self.method} {self.name} {flags} {self.answered_at}>"


@dataclass
class Order:
    """An order at the venue; a conditional one has a child once it was triggered."""

    name: str
    number: int
    kind: str
    side: str
    qty: float
    price: str
    is_algo: bool
    status: str = "NEW"
    done: float = 0.0
    child: Order | None = None
    ended: str = ""
    past: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def is_open(self):
        return self.status in ("NEW", "PARTIALLY_FILLED")


class Refused(Exception):
    """What is answered to a request that is not carried out."""

    def __init__(self, code, status=400):
        super().__init__(code)
        self.code, self.status = code, status


class Floor:
    """One account's orders, and what ails the roads to them.

    `tell` is given each event of the account; `off_ms` is how far its clock is ahead.
    """

    def __init__(self, loop, lots, ills, chance):
        self.loop, self.lots, self.ills, self.chance = loop, lots, tuple(ills), chance
        self.is_storm = False
        self.off_ms = 0
        self.lag_s = 0.0
        self.orders: dict[str, Order] = {}
        self.log: list[Sent] = []
        self.closed_until = 0.0
        self.closed_by = 0
        self.closed_from = self.told_until = 0.0
        self.knocks = []
        self.tell = lambda event: None
        self.note = lambda sent: None
        self._numbers = itertools.count(7000)
        self._trades = itertools.count(900)

    @property
    def now_ms(self):
        return BASE_MS + round(self.loop.time() * 1000) + self.off_ms

    # Requests

    def received(self, road, method, params, is_exempt=False):
        """Note a request in the moment in which it leaves."""
        name = params.get("newClientOrderId") or params.get("clientAlgoId")
        name = name or params.get("origClientOrderId") or f"order-{params.get('orderId')}"
        sent = Sent(self.loop.time(), road, method, str(name), is_exempt)
        self.log.append(sent)
        self.note(sent)
        if self.closed_from <= sent.at < self.closed_until:
            self.knocks.append(sent)
        return sent

    def fate(self, method):
        """Return what ails a request; "" for nothing."""
        if not self.is_storm or not self.ills or self.lots.random() >= self.chance:
            return ""
        ill = self.lots.choice(self.ills)
        if ill == "orders" and method not in (PLACE, MODIFY, ALGO_PLACE):
            return ""
        if ill in ("refused", "refused_as_ok") and method not in REFUSALS:
            return ""
        return ill

    def answer(self, sent, ill, params):
        """Carry a request out, or not; return (status, body, headers)."""
        if self.is_closed:
            sent.is_sure = True
            return self.closed_answer(sent)
        if isinstance(ill, tuple):
            sent.is_sure = ill[0] == 403
            return ill[0], _body(ill[1]), {}
        if ill in OPEN:
            status, body = self.lots.choice(OPEN[ill])
            good = self._now_later_or_never(sent, params)
            if body == "garbled":
                whole = good if sent.is_carried else "" if good else self._row_of(sent.name)
                return 200, self._garbled(whole), {}
            return status, _body(body), {}
        if ill in SURE and not (ill == "overload" and sent.is_exempt):
            sent.is_sure = True
            return self._refusal(ill, sent)
        return self.carry_out(sent, params)

    def carry_out(self, sent, params):
        """Return (status, body, headers) of a request that arrives."""
        try:
            body = self._do(sent.method, params)
        except Refused as refusal:
            sent.is_sure = True
            return refusal.status, _body(refusal.code), {}
        sent.is_carried = sent.method in COMMANDS
        sent.status = str(body.get("status", ""))
        return 200, json.dumps(body), self._headers()

    def _headers(self):
        return {"x-mbx-used-weight-1m": "12", "x-mbx-order-count-10s": "1"}

    def _now_later_or_never(self, sent, params):
        """Let one be carried out that is answered otherwise; return what it should have been."""
        when = self.lots.random()
        if when < 0.4:
            _, body, _ = self.carry_out(sent, params)
            sent.is_sure = False
            return body
        if when < 0.7:
            self.loop.call_later(self.lots.uniform(0.05, 4.0), self._late, sent, params)
        return ""

    def _late(self, sent, params):
        self.carry_out(sent, params)
        sent.is_sure = False

    def _refusal(self, ill, sent):
        if ill in ("refused", "refused_as_ok"):
            code = self.lots.choice(REFUSALS[sent.method])
            status = 401 if code == -2015 else 400
            return (200 if ill == "refused_as_ok" else status), _body(code), {}
        status, body = self.lots.choice(SURE[ill])
        if ill in ("weight", "banned"):
            return self._close_down(sent, status, body)
        return status, _body(body), {}

    def _close_down(self, sent, status, body):
        """Refuse all, for a while that is named or not."""
        now = self.loop.time()
        seconds, headers = self.lots.randint(2, 8), {}
        if self.lots.random() < 0.5:
            headers = {"retry-after": str(seconds)}
            until = now + seconds
        elif status == 418 and body == -1003:
            until = now + seconds
            body = (
                -1003,
                f"Way too many requests; IP banned until {self.now_ms + seconds * 1000}.",
            )
        elif status == 418:
            until = now + 120.0
        else:
            until = now + 60.0 - (self.now_ms / 1000) % 60.0
        self.closed_by, sent.shut_s = status, until - now
        self.closed_until = max(self.closed_until, until)
        self.closed_from = float("inf")  # until it was heard
        return status, _body(body), headers

    @property
    def is_closed(self):
        """Tell whether it takes nothing of this address."""
        return self.loop.time() < self.closed_until

    def closed_answer(self, sent):
        sent.shut_s = left = max(1, round(self.closed_until - self.loop.time() + 0.5))
        return self.closed_by, _body(-1003), {"retry-after": str(left)}

    def heard_shut(self, seconds):
        """Note that it is known now: from here on nothing may be sent until the end."""
        now = self.loop.time()
        self.closed_from = min(self.closed_from, now + 0.000001)
        self.told_until = max(self.told_until, now + seconds)

    def _garbled(self, good):
        """Return what stands in an answer's place."""
        way = self.lots.randrange(6)
        row = json.loads(good) if good else {}
        if way == 0 or not isinstance(row, dict) or not row:
            return self.lots.choice(("", "<html>ok</html>", "{}", "null", "[]", '{"code":-9871}'))
        if way == 1:
            return json.dumps(row)[: self.lots.randint(1, 40)]
        if way == 2:
            gone = self.lots.choice(("symbol", "side", "status", "orderId", "clientOrderId"))
            short = {k: v for k, v in row.items() if k != gone} if gone in row else {}
            return json.dumps(short)
        if way == 3:
            return json.dumps(
                row | {"clientOrderId": "hf.9.9.9.E.z", "clientAlgoId": "hf.9.9.9.E.z"}
            )
        if way == 4:
            return json.dumps(row | {"origQty": "NaN", "quantity": "NaN", "code": "500"})
        return json.dumps({"data": row})

    def _row_of(self, name):
        order = self.orders.get(name)
        return json.dumps(self._row(order)) if order is not None else ""

    # What is carried out

    def _do(self, method, params):
        self._check_time(params)
        match method:
            case "order.place":
                return self._place(params)
            case "algoOrder.place":
                return self._place_algo(params)
            case "order.modify":
                return self._modify(params)
            case "order.cancel":
                return self._cancel(self._ordinary(params, -2011))
            case "algoOrder.cancel":
                return self._cancel_algo(params)
            case "order.status":
                return self._seen(self._ordinary(params, -2013))
            case _:
                order = self._algo(params)
                if order is None:
                    raise Refused(-2013)
                return self._seen(order)

    def _check_time(self, params):
        ts, window, now = int(params["timestamp"]), int(params["recvWindow"]), self.now_ms
        if not (ts < now + 1000 and now - ts <= window):
            raise Refused(-1021)

    def _ordinary(self, params, code):
        number, name = params.get("orderId"), params.get("origClientOrderId")
        ordinary = [o for o in self.orders.values() if not o.is_algo]
        ordinary += [o.child for o in self.orders.values() if o.child is not None]
        for order in ordinary:
            if str(order.number) == str(number) or (number is None and order.name == name):
                return order
        raise Refused(code)

    def _algo(self, params):
        name, number = params.get("clientAlgoId"), params.get("algoId")
        algos = (o for o in self.orders.values() if o.is_algo)
        return next((o for o in algos if name == o.name or str(number) == str(o.number)), None)

    def _new(self, name, params, *, is_algo):
        known = self.orders.get(name)
        if known is not None:
            raise Refused(-4116)
        price = params.get("triggerPrice" if is_algo else "price", "0")
        kind, side, qty = params["type"], params["side"], float(params["quantity"])
        order = Order(name, next(self._numbers), kind, side, qty, price, is_algo)
        self.orders[name] = order
        return order

    def _place(self, params):
        order = self._new(params["newClientOrderId"], params, is_algo=False)
        self._say(order, "NEW")
        ack = self._row(order)
        if order.kind == "MARKET" or self.lots.random() < 0.3:
            self.fill(order)
        return ack

    def _place_algo(self, params):
        order = self._new(params["clientAlgoId"], params, is_algo=True)
        self._say(order, "NEW")
        return self._row(order)

    def _modify(self, params):
        order = self._ordinary(params, -2013)
        if not order.is_open:
            raise Refused(-2013)
        qty, price = float(params["quantity"]), params["price"]
        if (qty, price) == (order.qty, order.price):
            raise Refused(-5027)
        order.qty, order.price = qty, price
        if qty <= order.done:
            order.status = "CANCELED"
            self._say(order, "CANCELED")
        else:
            self._say(order, "AMENDMENT")
        return self._row(order)

    def _cancel(self, order):
        if not order.is_open:
            raise Refused(-2011)
        order.status = "CANCELED"
        self._say(order, "CANCELED")
        return self._row(order)

    def _cancel_algo(self, params):
        order = self._algo(params)
        if order is None or order.status != "NEW":
            raise Refused(-2011)
        order.status = "CANCELED"
        self._say(order, "CANCELED")
        told = {"algoId": order.number, "clientAlgoId": order.name}
        return told | {"code": "200", "msg": "success"}

    def fill(self, order, share=1.0):
        """Execute an ordinary order, or a share of it, in one part or two."""
        parts = [(order.qty - order.done) * share]
        if self.lots.random() < 0.3:
            parts = [parts[0] / 2, parts[0] / 2]
        for part in [round(each, 6) for each in parts]:
            order.done = round(order.done + part, 6)
            order.status = "FILLED" if order.done >= order.qty else "PARTIALLY_FILLED"
            self._say(order, "TRADE", part)

    def trigger(self, order):
        """Let a conditional order become an ordinary one, step by step, which fills."""
        order.status = "TRIGGERING"
        self._say(order, "TRIGGERING")
        self.loop.call_later(self.lots.choice((0.0, 0.2)), self._triggered, order)

    def _triggered(self, order):
        order.status = "TRIGGERED"
        child = Order(order.name, next(self._numbers), "MARKET", order.side, order.qty, "0", False)
        order.child = child
        self._say(order, "TRIGGERED")
        self._say(child, "NEW")
        self.loop.call_later(self.lots.choice((0.0, 3.0)), self._finish, order, child)

    def _finish(self, order, child):
        if child.is_open:
            self.fill(child)
        order.status = "FINISHED"
        self._say(order, "FINISHED")

    # What is told

    def _seen(self, order):
        """Return an order as a question is answered: as it was a while ago."""
        at = self.loop.time() - self.lots.choice((0.0, 0.0, 1.0)) * self.lag_s
        row = None
        for when, what in order.past:
            if when <= at:
                row = what
        if row is None:
            raise Refused(-2013)
        return row

    def _row(self, order):
        if order.is_algo:
            child = order.child
            return {
                "algoId": order.number, "clientAlgoId": order.name, "algoType": "CONDITIONAL",
                "orderType": order.kind, "symbol": "BTCUSDT", "side": order.side,
                "positionSide": "BOTH", "timeInForce": "GTC", "quantity": f"{order.qty:g}",
                "algoStatus": order.status, "triggerPrice": order.price, "price": "0",
                "workingType": "CONTRACT_PRICE", "reduceOnly": True, "closePosition": False,
                "createTime": self.now_ms, "updateTime": self.now_ms, "triggerTime": 0,
                "actualOrderId": str(child.number) if child else "",
                "actualQty": f"{child.done:g}" if child and order.status == "FINISHED" else "",
            }  # fmt: skip
        return {
            "orderId": order.number, "symbol": "BTCUSDT", "status": order.status,
            "clientOrderId": order.name, "price": order.price, "origQty": f"{order.qty:g}",
            "executedQty": f"{order.done:g}", "cumQty": f"{order.done:g}", "timeInForce": "GTC",
            "type": order.kind, "reduceOnly": False, "closePosition": False, "side": order.side,
            "positionSide": "BOTH", "stopPrice": "0", "workingType": "CONTRACT_PRICE",
            "updateTime": self.now_ms,
        }  # fmt: skip

    def _say(self, order, what, part=0.0):
        order.past.append((self.loop.time(), self._row(order)))
        ts, child = self.now_ms, order.child
        if order.is_algo:
            told = {
                "caid": order.name, "aid": order.number, "at": "CONDITIONAL", "o": order.kind,
                "s": "BTCUSDT", "S": order.side, "ps": "BOTH", "f": "GTC", "q": f"{order.qty:g}",
                "X": what, "ai": str(child.number) if child else "", "tp": order.price, "p": "0",
                "aq": f"{child.done:g}" if child and what == "FINISHED" else "",
                "wt": "CONTRACT_PRICE", "R": True, "tt": 0, "gtd": 0,
            }  # fmt: skip
            self.tell({"e": "ALGO_UPDATE", "T": ts, "E": ts, "o": told})
            return
        told = {
            "s": "BTCUSDT", "c": order.name, "S": order.side, "o": order.kind, "f": "GTC",
            "q": f"{order.qty:g}", "p": order.price, "ap": "0", "x": what, "X": order.status,
            "i": order.number, "l": f"{part:g}", "z": f"{order.done:g}", "L": "100" if part else "0",
            "n": "0", "N": "USDT", "T": ts, "t": next(self._trades) if part else 0, "m": False,
            "R": False, "rp": "0", "er": "0",
        }  # fmt: skip
        self.tell({"e": "ORDER_TRADE_UPDATE", "T": ts, "E": ts, "o": told})


def _body(what):
    """Write a body: a code in the venue's shape, or a text as it is."""
    if isinstance(what, tuple):
        return json.dumps({"code": what[0], "msg": what[1]})
    if isinstance(what, int):
        return json.dumps({"code": what, "msg": TEXTS.get(what, f"refused ({what})")})
    return what
