"""A venue that counts: weight by address, orders by account, in windows of its own clock.

Written from the protocol alone. Both roads share its counters, other programs use them too, and
what they refuse, and ban, is the venue's own word. It judges who comes: whether what is refused was
sent against what had been told, and whether anybody knocks while it is known to be shut.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from typing import NamedTuple

from holdfast.venues.binance_futures.handshakes import refused
from tests.venues.binance_futures.desk_floor import (
    ALGO_CANCEL,
    ALGO_PLACE,
    ALGO_STATUS,
    CANCEL,
    MODIFY,
    PLACE,
    STATUS,
    Floor,
    Sent,
)
from tests.venues.binance_futures.desk_roads import SYMBOL, Roads

LENGTHS_MS = (60_000, 10_000, 60_000)
KINDS = ("REQUEST_WEIGHT", "ORDERS", "ORDERS")
INTERVALS = (("MINUTE", 1), ("SECOND", 10), ("MINUTE", 1))
HEADERS = ("x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-order-count-1m")
ORDER = (0, 1, 1)
COSTS = {
    PLACE: ORDER, ALGO_PLACE: ORDER, MODIFY: ORDER,
    CANCEL: (1, 0, 0), ALGO_CANCEL: (1, 0, 0), STATUS: (1, 0, 0), ALGO_STATUS: (1, 0, 0),
    "session.logon": (2, 0, 0), "connect": (5, 0, 0),
    "GET /fapi/v1/time": (1, 0, 0), "GET /fapi/v1/exchangeInfo": (1, 0, 0),
    "GET /fapi/v1/fundingInfo": (0, 0, 0), "GET /fapi/v1/klines": (10, 0, 0),
    "GET /fapi/v1/leverageBracket": (1, 0, 0), "GET /fapi/v1/commissionRate": (20, 0, 0),
    "GET /fapi/v1/openOrders": (40, 0, 0), "GET /fapi/v1/openAlgoOrders": (40, 0, 0),
    "GET /fapi/v1/allOrders": (5, 0, 0), "GET /fapi/v1/forceOrders": (20, 0, 0),
    "GET /fapi/v1/userTrades": (5, 0, 0), "GET /fapi/v1/income": (30, 0, 0),
    "GET /fapi/v3/positionRisk": (5, 0, 0), "GET /fapi/v3/account": (5, 0, 0),
    "GET /fapi/v1/accountConfig": (5, 0, 0), "GET /fapi/v1/symbolConfig": (5, 0, 0),
    "POST /fapi/v1/leverage": (1, 0, 0), "POST /fapi/v1/marginType": (1, 0, 0),
    "POST /fapi/v1/positionSide/dual": (1, 0, 0), "POST /fapi/v1/countdownCancelAll": (10, 0, 0),
    "POST /fapi/v1/listenKey": (1, 0, 0), "PUT /fapi/v1/listenKey": (1, 0, 0),
}  # fmt: skip
DEAR = ("GET /fapi/v1/openOrders", "GET /fapi/v1/openAlgoOrders")
UNNAMED_S = 120.0
"""How long a ban lasts at least whose end nobody names."""


class Arrival(NamedTuple):
    """What was counted of ours in one window."""

    left: float
    place: int
    window: int
    cost: int


class Heard(NamedTuple):
    """A count that reached us, and of which window it was."""

    at: float
    place: int
    window: int
    told: int


class Gate:
    """The counters.

    Args:
        limits: weight of a minute, orders of 10 s, orders of a minute.
    """

    def __init__(self, floor, limits):
        self.floor, self.loop, self.lots = floor, floor.loop, floor.lots
        self.limits = list(limits)
        self.limit_told_at = [math.inf] * 3
        self.counts: Counter[tuple[int, int]] = Counter()
        self.arrivals: list[Arrival] = []
        self.heard: list[Heard] = []
        self.wrong: list[object] = []
        self.refusals = self.bans = self.bans_heard = 0
        self.is_vague = "torn" in self.floor.ills  # the end of a ban may be untold
        self.known: list[tuple[float, float]] = []  # since when, and until when it is
        self.full_by: dict[int, tuple[int, int]] = {}  # which window, an answer says, is full
        self.known_full: list[tuple[float, int, int]] = []
        self.shut_by: dict[int, float] = {}  # until when an answer says that nothing is taken
        self.ban_ends: list[tuple[float, float]] = []
        self.knows_time = True
        self.stepped_at = -math.inf

    def window(self, place):
        return self.floor.now_ms // LENGTHS_MS[place]

    def used(self, place):
        return self.counts[place, self.window(place)]

    def others(self, place, count):
        """Let other programs use some of it, up to the limit."""
        room = max(0, self.limits[place] - self.used(place))
        self.counts[place, self.window(place)] += min(count, room)

    def allow(self, place, amount):
        """Allow another amount from now on."""
        self.limits[place] = amount
        self.limit_told_at[place] = math.inf

    def arrive(self, sent):
        """Count a request; return what refuses it, or None: (status, body, headers)."""
        if self.floor.is_closed:
            sent.is_sure = True
            return self.floor.closed_answer(sent)
        cost = cost_of(sent)
        over = [p for p in range(3) if cost[p] and self.used(p) + cost[p] > self.limits[p]]
        for place in range(3):
            if cost[place]:
                self._count(sent, place, cost[place])
        sent.told = tuple(map(self.used, range(3)))
        if not over:
            return None
        sent.is_sure = True
        self.refusals += 1
        for place in over:
            self._judge(sent, place)
        return self._too_many_orders(sent, over[0]) if over[0] else self._too_heavy(sent)

    def _count(self, sent, place, cost):
        window = self.window(place)
        self.counts[place, window] += cost
        self.arrivals.append(Arrival(sent.at, place, window, cost))

    def _judge(self, sent, place):
        """See whether what is refused was known to be too much when it left."""
        is_stepping = self.loop.time() - self.stepped_at < LENGTHS_MS[0] / 1000
        if is_stepping or sent.at <= self.limit_told_at[place]:
            return
        window = self.window(place)
        ours = [a for a in self.arrivals if (a.place, a.window) == (place, window)]
        known = [Heard(0.0, place, window, 0)]
        if self.knows_time:
            known += [
                h for h in self.heard if (h.place, h.window) == (place, window) and h.at < sent.at
            ]
        for heard in known:
            since = sum(a.cost for a in ours if a.left >= heard.at)
            if heard.told + since > self.limits[place]:
                self.wrong.append(("over by our own doing", heard, since, self.limits, sent))
                return

    def _too_heavy(self, sent):
        """Refuse all of the address until the window is over."""
        now_ms = self.floor.now_ms
        self.shut(429, (LENGTHS_MS[0] - now_ms % LENGTHS_MS[0]) / 1000)
        return self._refusal(sent, 429, "Too many requests; current limit is reached.")

    def ban(self, seconds):
        """Ban the address, whoever was to blame."""
        self.bans += 1
        self.shut(418, seconds)

    def shut(self, status, seconds):
        self.floor.closed_by = status
        now = self.loop.time()
        self.floor.closed_until = max(self.floor.closed_until, now + seconds)
        if status == 418:
            self.ban_ends.append((now, self.floor.closed_until))

    def hear_shut(self, sent):
        """Note that it is known until when nothing is taken."""
        until = self.shut_by.pop(id(sent), 0.0)
        if not until:
            return
        surely = self.loop.time() + UNNAMED_S if self.is_vague else until
        self.known.append((self.loop.time(), min(until, surely)))
        self.bans_heard += self.floor.closed_by == 418
        self.floor.told_until = max(self.floor.told_until, until)

    def hear_full(self, sent):
        """Note that it is known that no orders are taken in this window."""
        full = self.full_by.pop(id(sent), None)
        if full is not None:
            self.known_full.append((self.loop.time(), *full))

    def check_knock(self, sent):
        if sent.method in COSTS and cost_of(sent) == ORDER and self.knows_time:
            now = self.loop.time()
            self.wrong += [
                ("sent orders though they were too many", sent)
                for since, place, window in self.known_full
                if since < now and self.window(place) == window
            ]
        if any(since < self.loop.time() < until for since, until in self.known):
            self.floor.knocks.append(sent)

    def refuse_shut(self, sent):
        """Answer while it is shut, with its end named in one way or another."""
        end_ms = self.floor.now_ms + round((self.floor.closed_until - self.loop.time()) * 1000)
        text = "Too many requests."
        if self.floor.closed_by == 418:
            text = f"Way too many requests; IP(10.0.0.1) banned until {end_ms}. Please use sockets."
        return self._refusal(sent, self.floor.closed_by, text)

    def _refusal(self, sent, status, text):
        left = self.floor.closed_until - self.loop.time()
        self.shut_by[id(sent)] = self.floor.closed_until
        headers = {}
        is_named = "until" in text
        if status == 418 and left >= UNNAMED_S - 1.0 and self.lots.random() < 0.2:
            self.is_vague, text = True, "Way too many requests."
        elif self.lots.random() < 0.5 or (status == 418 and not is_named):
            headers = {"retry-after": str(int(left) + 1)}
        return status, json.dumps({"code": -1003, "msg": text}), headers

    def _too_many_orders(self, sent, place):
        self.full_by[id(sent)] = place, self.window(place)
        interval, number = INTERVALS[place]
        of = f"{number} {interval}" if number > 1 else interval
        text = f"Too many new orders; current limit is {self.limits[place]} orders per {of}."
        return 429, json.dumps({"code": -1015, "msg": text}), {HEADERS[0]: str(sent.told[0])}

    # What is told

    def headers(self, sent):
        """Return what REST tells of the counters; of orders where one was placed alone."""
        told = sent.told or ()
        names = HEADERS if cost_of(sent) == ORDER else HEADERS[:1]
        return {name: str(count) for name, count in zip(names, told, strict=False)}

    def rate_limits(self, sent):
        """Return the rows of an answer on the WebSocket API."""
        if not sent.told:
            return ()
        return tuple(self._row(place) | {"count": sent.told[place]} for place in range(3))

    def rows(self):
        """Return the rows of exchangeInfo."""
        return [self._row(place) for place in range(3)]

    def _row(self, place):
        interval, number = INTERVALS[place]
        return {
            "rateLimitType": KINDS[place],
            "interval": interval,
            "intervalNum": number,
            "limit": self.limits[place],
        }

    def hear(self, sent, status):
        """Note what an answer that came in time has told: of more than the limit nothing."""
        if not sent.told:
            return
        is_order = cost_of(sent) == ORDER
        at = self.loop.time()
        left_ms = self.floor.now_ms - round((at - sent.at) * 1000)
        for place in range(3):
            if place and sent.road == "REST" and not (is_order and status == 200):
                continue
            is_of_now = left_ms // LENGTHS_MS[place] == self.window(place)
            if is_of_now and sent.told[place] <= self.limits[place]:
                self.heard.append(Heard(at, place, self.window(place), sent.told[place]))
        if sent.road == "WS" or sent.method == "GET /fapi/v1/exchangeInfo":
            self.limit_told_at = [min(each, at) for each in self.limit_told_at]


def cost_of(sent):
    """Return what a request costs: weight, orders."""
    if sent.method in DEAR and "symbol=" in sent.target:
        return (1, 0, 0)
    return COSTS[sent.method]


class CountedFloor(Floor):
    """A floor behind a gate. The gate alone refuses for what was counted."""

    def __init__(self, limits, *what):
        super().__init__(*what)
        self.gate = Gate(self, limits)
        self.closed_from = math.inf  # the gate looks who knocks

    def received(self, *what):
        sent = super().received(*what)
        self.gate.check_knock(sent)
        return sent

    def heard_shut(self, seconds):
        """See `Gate.hear_shut`: what was told is of when the answer was made."""

    def answer(self, sent, ill, params):
        refusal = self.gate.arrive(sent)
        if refusal is not None:
            return refusal
        status, body, _ = super().answer(sent, ill, params)
        return status, body, self.gate.headers(sent)

    def closed_answer(self, sent):
        return self.gate.refuse_shut(sent)


class CountedRoads(Roads):
    """Roads to such a floor: connecting costs weight, and is refused as all is.

    `wall` returns our time (ns): it reads what a handshake is refused with.
    """

    wall = staticmethod(lambda: 0)

    def _other(self, sent, ill):
        gate = self.floor.gate
        refusal = gate.arrive(sent)
        if refusal is not None:
            return refusal
        if sent.method == "GET /fapi/v1/exchangeInfo":
            body = {"rateLimits": gate.rows(), "symbols": [SYMBOL]}
            return 200, json.dumps(body), gate.headers(sent)
        status, body, _ = super()._other(sent, ill)
        return status, body, gate.headers(sent)

    def _answered(self, sent, status, body):
        super()._answered(sent, status, body)
        self.floor.gate.hear_shut(sent)
        self.floor.gate.hear_full(sent)
        if sent.answered_at - sent.at < 10.0:
            self.floor.gate.hear(sent, status)

    def rate_limits(self, sent):
        return self.floor.gate.rate_limits(sent)

    async def open_socket(self, url, ears):
        if "/ws-fapi" in url:
            await self._knock()
        return await super().open_socket(url, ears)

    async def _knock(self):
        """Take the weight of a connection, or refuse it."""
        sent = Sent(self.loop.time(), "WS", "connect", "connect")
        self.floor.gate.check_knock(sent)
        await asyncio.sleep(self.latency())
        refusal = self.floor.gate.arrive(sent)
        if refusal is not None:
            status, body, headers = refusal
            await asyncio.sleep(self.latency())
            self.floor.gate.hear_shut(sent)
            raise refused(status, headers, body.encode(), self.wall())
