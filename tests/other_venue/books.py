"""One account's books at the other venue, and the simplest market: one price for each symbol.

Market orders fill at the price; limit orders rest, and fill at their own price once the market's
is at or past it; conditional orders trigger on the price. With the habit "depth" there are levels
on either side of it, see `depth`. Everything that happens is told as the frames of the user stream,
in the order in which the real venue was seen to send them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from . import rows
from .contracts import LIFE, LIMIT_MAX, MARKET_MAX, contracts
from .margin import Margin
from .matching import Matching
from .orders import Algo, Order, Position, Refused, exact

ZERO = Decimal(0)
NAMES = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}\Z")


@dataclass
class Books(Matching, Margin):
    """The account. `tell` is given each frame of the user stream, `now` is in milliseconds."""

    tell: Callable[[dict], None]
    now: Callable[[], int]
    habits: set
    wallets: dict = field(default_factory=lambda: {"USDT": Decimal(10_000), "BNB": ZERO})
    orders: dict = field(default_factory=dict)
    algos: dict = field(default_factory=dict)
    positions: dict = field(default_factory=dict)
    fills: list = field(default_factory=list)
    income: list = field(default_factory=list)
    leverages: dict = field(default_factory=dict)
    countdowns: dict = field(default_factory=dict)
    isolated: set = field(default_factory=set)
    is_hedged: bool = False
    is_multi: bool = False
    part: Decimal = Decimal(1)
    """Which part of a resting order each crossing fills."""

    def __post_init__(self):
        self.contracts = contracts()
        self.prices = {"BTCUSDT": Decimal(50_000), "ETHUSDT": Decimal(2_000), LIFE: Decimal("0.5")}
        first = 2**62 if "wide_ids" in self.habits else 8_389_765_000
        self.number_from(first)
        self.open_market()
        self._trades = self._numbers(first // 3)
        self._algo_ids = itertools.count(first + 10**15)
        self._hands = itertools.count(1)

    def number_from(self, first):
        """Count orders from here on."""
        self._ids = self._numbers(first)

    def _numbers(self, first):
        """Return what counts: each symbol by itself, or all together."""
        counts: dict = {}

        def number(symbol):
            key = symbol if "own_numbers" in self.habits else ""
            return next(counts.setdefault(key, itertools.count(first)))

        return number

    # What is asked for

    def contract(self, symbol):
        found = self.contracts.get(symbol)
        if found is None:
            raise Refused(-1121, "Invalid symbol.")
        return found

    def place(self, p):
        self._check(p, p["newClientOrderId"], Decimal(p["quantity"]), p.get("price"))
        if p["type"] not in ("LIMIT", "MARKET"):
            raise Refused(-4120, "Order type not supported for this endpoint.")
        order = self._make(p, p["newClientOrderId"], p["type"], p.get("timeInForce", "GTC"))
        self._check_matches(order)
        self._enter(order)
        return order

    def _check(self, p, name, qty, price):
        if not NAMES.match(name):
            raise Refused(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
        if (p["type"] == "LIMIT") != bool(p.get("timeInForce") and price):
            raise Refused(-1106, "Parameter 'timeInForce' or 'price' sent when not required.")
        if self.is_hedged and p.get("positionSide", "BOTH") == "BOTH":
            raise Refused(-4061, "Order's position side does not match user's setting.")
        contract, symbol = self.contract(p["symbol"]), p["symbol"]
        if contract["status"] != "TRADING" and p.get("reduceOnly") != "true":
            raise Refused(-4141, "Symbol is closed.")
        if any(each.client_id == name and each.is_open for each in self.orders.values()):
            raise Refused(-4116, "ClientOrderId is duplicated.")
        tick, lot = contract["tick"], contract["lot"]
        if qty <= 0 or qty % lot:
            raise Refused(-1111, "Precision is over the maximum defined for this asset.")
        check_size(p["type"], qty)
        if price and Decimal(price) % tick:
            raise Refused(-4014, "Price not increased by tick size.")
        if p.get("reduceOnly") == "true":
            self._check_reduces(symbol, 1 if p["side"] == "BUY" else -1)
        elif qty * self.prices[symbol] > self.wallets["USDT"] * self.leverages.get(symbol, 20):
            raise Refused(-2019, "Margin is insufficient.")

    def _check_reduces(self, symbol, sign):
        if self.position(symbol).qty * sign >= 0:
            raise Refused(-2022, "ReduceOnly Order is rejected.")

    def _make(self, p, name, kind, tif):
        now = self.now()
        return Order(
            self._ids(p["symbol"]), p["symbol"], name, p["side"], kind, Decimal(p["quantity"]),
            Decimal(p.get("price") or 0), tif, p.get("reduceOnly") == "true", now, changed=now,
        )  # fmt: skip

    def amend(self, order, qty, price):
        if order.kind != "LIMIT" or not order.is_open:
            raise Refused(-2013, "Order does not exist.")
        if (order.qty, order.price) == (qty, price):
            raise Refused(-5027, "No need to modify the order.")
        if qty <= order.done:
            self._end(order, "CANCELED")
            return
        if order.tif == "GTX" and self._would_take(order, price):
            self._end(order, "CANCELED")
            return
        order.qty, order.price, order.changed = qty, price, self.now()
        self.tell(rows.order_event(order, "AMENDMENT", self.now()))
        self._meet(order, is_maker=True)

    def cancel(self, order):
        if not order.is_open:
            raise Refused(-2011, "Unknown order sent.")
        self._end(order, "CANCELED")

    def place_algo(self, p):
        name, now = p["clientAlgoId"], self.now()
        contract = self.contract(p["symbol"])
        is_whole = p.get("closePosition") == "true"
        qty, trigger = Decimal(p.get("quantity", 0)), Decimal(p.get("triggerPrice", 0))
        if is_whole:
            self._check_whole(p)
        elif qty <= 0 or qty % contract["lot"]:
            raise Refused(-1111, "Precision is over the maximum defined for this asset.")
        check_size(p["type"], qty)
        algo = Algo(
            next(self._algo_ids), p["symbol"], name, p["side"], p["type"], qty,
            Decimal(p.get("price", 0)), trigger, "GTE_GTC" if is_whole else p.get("timeInForce", "GTC"),
            is_whole or p.get("reduceOnly") == "true", p.get("workingType", "CONTRACT_PRICE"), now, changed=now,
        )  # fmt: skip
        if algo.kind == "TRAILING_STOP_MARKET":
            self._trail(algo, Decimal(p["callbackRate"]), Decimal(p.get("activatePrice", 0)))
        if any(each.client_id == name and each.status == "NEW" for each in self.algos.values()):
            raise Refused(-4116, "ClientOrderId is duplicated.")
        if self._triggers(algo, self.prices[algo.symbol]):
            raise Refused(-2021, "Order would immediately trigger.")
        self.algos[algo.algo_id] = algo
        self.tell(rows.algo_event(algo, self.now()))
        return algo

    def _check_whole(self, p):
        """Refuse a second order of one kind that closes all in one direction."""
        if p.get("quantity") or p.get("reduceOnly"):
            raise Refused(-4137, "Quantity must be zero with closePosition equals true.")
        for each in self.open_algos(p["symbol"]):
            if not each.qty and (each.side, each.kind) == (p["side"], p["type"]):
                raise Refused(-4130, "An open stop or take profit order is existing.")

    def cancel_algo(self, algo):
        if algo.status != "NEW":
            raise Refused(-2011, "Unknown order sent.")
        self._tell_algo(algo, "CANCELED")

    # What others do with the account

    def placed_by_hand(self, symbol, side, qty, kind, price=None):
        """Place an order that is none of the session's."""
        order = {"symbol": symbol, "side": side, "type": kind, "quantity": qty}
        order |= {"price": price, "timeInForce": "GTC"} if kind == "LIMIT" else {}
        return self.place({**order, "newClientOrderId": f"web_{next(self._hands)}"})

    def guarded_by_hand(self, symbol, side, kind, trigger):
        """Guard the whole position: such a conditional order has no quantity."""
        algo = Algo(
            next(self._algo_ids), symbol, f"ios_{next(self._hands)}", side, kind, ZERO, ZERO,
            trigger, "GTE_GTC", True, "MARK_PRICE", self.now(), changed=self.now(),
        )  # fmt: skip
        self.algos[algo.algo_id] = algo
        self.tell(rows.algo_event(algo, self.now()))

    def count_down(self, symbol, left_ms):
        """Cancel what rests in a symbol once so long nothing is heard; 0 lets it be."""
        self.countdowns.pop(symbol, None)
        if left_ms:
            self.countdowns[symbol] = self.now() + left_ms

    def end_silent(self):
        for symbol, end in list(self.countdowns.items()):
            if self.now() >= end:
                del self.countdowns[symbol]
                for order in self.open_orders(symbol):
                    self._end(order, "CANCELED")

    # What the market does

    def price(self, symbol, price):
        """Move the market."""
        self.prices[symbol] = price = Decimal(str(price))
        if self.depths:
            self.depths[symbol].refill(price)
        for order in [each for each in self.orders.values() if each.symbol == symbol]:
            self._cross(order)
        for algo in [each for each in self.algos.values() if each.symbol == symbol]:
            if algo.status == "NEW" and self._triggers(algo, price):
                self._trigger(algo)

    def _trail(self, algo, callback, activate):
        price = self.prices[algo.symbol]
        algo.callback, algo.activate, algo.extreme = callback, activate or price, price
        algo.is_active = not activate

    def _triggers(self, algo, price):
        if algo.callback:
            return self._trails_over(algo, price)
        if not algo.trigger:
            return False
        is_up = (algo.side == "BUY") == algo.kind.startswith("STOP")
        return price >= algo.trigger if is_up else price <= algo.trigger

    def _trails_over(self, algo, price):
        """Follow the price; tell whether it came back by the callback."""
        sign, was_active = (1 if algo.side == "BUY" else -1), algo.is_active
        algo.is_active |= (algo.activate - price) * sign >= 0
        if not algo.is_active:
            return False
        if algo.is_active is not was_active and algo.algo_id in self.algos:
            algo.extreme = price
            self.tell(rows.algo_event(algo, self.now()))
        algo.extreme = min(algo.extreme, price) if sign > 0 else max(algo.extreme, price)
        return (price - algo.extreme * (1 + sign * algo.callback / 100)) * sign >= 0

    def _trigger(self, algo):
        self._tell_algo(algo, "TRIGGERING")
        held = self.position(algo.symbol).qty
        sign = 1 if algo.side == "BUY" else -1
        is_refused = "refuses_children" in self.habits
        if is_refused or (algo.reduce_only and held * sign >= 0):
            self._tell_algo(algo, "FINISHED" if "silent_refusals" in self.habits else "REJECTED")
            return
        kind = "LIMIT" if algo.kind in ("STOP", "TAKE_PROFIT") else "MARKET"
        name = algo.client_id if "other_child_names" not in self.habits else f"{algo.algo_id}c"
        is_cut = algo.reduce_only and "shrinks" in self.habits
        qty = min(algo.qty, abs(held)) if is_cut else algo.qty or abs(held)
        given = {"symbol": algo.symbol, "side": algo.side, "quantity": qty, "price": algo.price}
        child = self._make(given, name, kind, algo.tif)
        child.reduce_only, algo.child = algo.reduce_only, child
        steps = [lambda: self._tell_algo(algo, "TRIGGERED"), lambda: self._enter(child)]
        for step in reversed(steps) if "children_first" in self.habits else steps:
            step()
        self._tell_algo(algo, "FINISHED")

    def _tell_algo(self, algo, status):
        algo.status, algo.changed = status, self.now()
        self.tell(rows.algo_event(algo, self.now()))

    def _move(self, symbol, qty, price):
        """Change a position; return the profit."""
        held = self.positions.setdefault(symbol, Position())
        profit, was = ZERO, held.qty
        if was * qty < 0:
            closed = min(abs(was), abs(qty))
            profit = exact(closed * (price - held.entry) * (1 if was > 0 else -1))
        else:
            held.entry = (held.entry * abs(was) + price * abs(qty)) / (abs(was) + abs(qty))
        held.qty = was + qty
        if held.qty * was < 0:
            held.entry = price
        self._keep_margin(symbol, held, was, price)
        return profit

    def _pay(self, amount, kind, symbol, trade_id="", asset="USDT"):
        if amount:
            self.wallets[asset] += amount
            row = rows.income_row(
                amount, kind, symbol, at=self.now(), number=len(self.income), trade_id=trade_id
            ) | {"asset": asset}
            self.income.append(row)

    def fund(self, symbol, rate):
        """Pay or take funding."""
        held = self.position(symbol)
        amount = exact(-held.qty * self.prices[symbol] * Decimal(rate))
        self._pay(amount, "FUNDING_FEE", symbol)
        held.margin += amount if held.is_isolated else ZERO
        self.tell(rows.funded_event(self, symbol, amount, self.now()))

    def _end(self, order, status, why="0"):
        order.status, order.changed = status, self.now()
        event = rows.order_event(order, status, self.now())
        event["o"]["er"] = why
        if self._match is not None:
            self._match.append({"end": event})
        else:
            self.tell(event)

    # What others ask

    def position(self, symbol):
        return self.positions.get(symbol, Position(is_isolated=symbol in self.isolated))

    def open_orders(self, symbol=None):
        found = self.orders.values()
        return [each for each in found if each.is_open and symbol in (None, each.symbol)]

    def open_algos(self, symbol=None):
        found = self.algos.values()
        return [each for each in found if each.status == "NEW" and symbol in (None, each.symbol)]

    def find(self, symbol, order_id="", name=""):
        """Return the newest order of that id or name."""
        for order in reversed(self.orders.values()):
            is_it = order.order_id == int(order_id) if order_id else order.client_id == name
            if is_it and order.symbol == symbol:
                return order
        return None

    def find_algo(self, algo_id="", name=""):
        for algo in reversed(self.algos.values()):
            if algo.algo_id == int(algo_id) if algo_id else algo.client_id == name:
                return algo
        return None


def check_size(kind, qty):
    if qty > (MARKET_MAX if kind.endswith("MARKET") else LIMIT_MAX):
        raise Refused(-4005, "Quantity greater than max quantity.")
