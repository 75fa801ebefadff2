"""One account at Binance as its protocol describes it, in memory: what it has, and has had.

Written from the protocol alone, not from our exchange. Each of its lists can be had as it was some
time before: that is how answers trail.
"""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from decimal import Decimal

HOUR_MS = 3_600_000
BASE_MS = 497_222 * HOUR_MS
"""The venue's time when the loop's is 0, less what `starts_ms` adds; a full hour."""

CENT = Decimal("0.00000001")
ZERO = Decimal(0)
RATE = Decimal("0.0004")
OPEN = ("NEW", "PARTIALLY_FILLED")
KINDS = {
    "TRANSFER": "DEPOSIT",
    "INTERNAL_TRANSFER": "ASSET_TRANSFER",
    "COMMISSION_REBATE": "ADJUSTMENT",
    "INSURANCE_CLEAR": "INSURANCE_CLEAR",
    "COIN_SWAP_DEPOSIT": "COIN_SWAP_DEPOSIT",
    "WELCOME_BONUS": "ADMIN_DEPOSIT",
    "A_KIND_OF_TOMORROW": "A_WORD_OF_TOMORROW",
}
"""What the ledger calls money that moves, and what the stream calls it."""


def settled_in(symbol):
    return symbol[-4:]


@dataclass
class Order:
    """An order at the venue; a conditional one has a child once it was triggered."""

    symbol: str
    name: str
    number: int
    side: str
    qty: Decimal
    price: Decimal
    kind: str = "LIMIT"
    is_algo: bool = False
    reduce_only: bool = False
    closes: bool = False  # the whole position, whatever that is
    status: str = "NEW"
    done: Decimal = ZERO
    child: Order | None = None
    is_untold: bool = False  # no list of orders has it

    @property
    def sign(self):
        return 1 if self.side == "BUY" else -1

    @property
    def is_open(self):
        return self.status in OPEN


class History:
    """Values, and since when each was so."""

    def __init__(self, value):
        self.times, self.values = [-1.0], [value]

    def put(self, time, value):
        self.times.append(time)
        self.values.append(value)

    def at(self, time):
        return self.values[max(bisect.bisect_right(self.times, time) - 1, 0)]


class Account:
    """Positions, wallets, orders, executions and income.

    `tell` is given each event of the account's stream.
    """

    def __init__(self, loop, lots, starts_ms):
        self.loop, self.lots, self.starts_ms = loop, lots, starts_ms
        self.positions: dict[str, tuple[Decimal, Decimal]] = {}
        self.wallets = {"USDT": Decimal(10_000), "BNB": Decimal(100)}
        self.orders: dict[int, Order] = {}
        self.trades: list[tuple[float, dict]] = []
        self.income: list[tuple[float, dict]] = []
        self.isolated: set[str] = set()
        self.past = {each: History({}) for each in ("orders", "algos", "positions")}
        self.past["wallets"] = History(dict(self.wallets))
        self.states: dict[int, History] = {}
        self.tell = lambda event: None
        self._numbers = itertools.count(lots.choice((7000, 8_389_766_100_000_000)))
        self._trades = itertools.count(900)
        self._moves = itertools.count(50_000)

    @property
    def now_ms(self):
        return self.ms(self.loop.time())

    def ms(self, time):
        return BASE_MS + self.starts_ms + round(time * 1000)

    @property
    def closers(self):
        """Return the names of open orders that close a whole position."""
        return {each.name for each in self.orders.values() if each.closes and each.is_open}

    # Orders

    def place(self, symbol, name, side, qty, price, **fields):
        order = Order(symbol, name, next(self._numbers), side, qty, price, **fields)
        self.orders[order.number] = order
        self._note(order)
        self._tell_order(order, "NEW")
        return order

    def end(self, order, status="CANCELED"):
        order.status = status
        self._note(order)
        self._tell_order(order, status)

    def amend(self, order, qty, price):
        order.qty, order.price = qty, price
        self._note(order)
        self._tell_order(order, "AMENDMENT")

    def trigger(self, order, name):
        """Make an ordinary order of a conditional one."""
        order.status = "TRIGGERED"
        held = abs(self.positions.get(order.symbol, (ZERO, ZERO))[0])
        child = Order(
            order.symbol, name, next(self._numbers), order.side, held if order.closes else order.qty, ZERO, kind="MARKET",
            reduce_only=order.reduce_only,
        )  # fmt: skip
        order.child = self.orders[child.number] = child
        self._note(order)
        self._note(child)
        self._tell_order(order, "TRIGGERED")
        self._tell_order(child, "NEW")
        return child

    def room(self, order):
        """Return how much of an order may execute."""
        held = self.positions.get(order.symbol, (ZERO, ZERO))[0]
        left = order.qty - order.done
        return min(left, max(-held * order.sign, ZERO)) if order.reduce_only else left

    def run_child(self, order, child, price):
        """Execute what a conditional order has become, as far as there is something to close."""
        if child.is_open and (room := self.room(child)):
            self.fill(child, room, price)
        if child.is_open:
            self.end(child, "EXPIRED")
        order.status, order.done = "FINISHED", child.done
        self._note(order)
        self._tell_order(order, "FINISHED")

    def fill(self, order, qty, price):
        """Execute so much of an order, and book it."""
        order.done += qty
        order.status = "FILLED" if order.done >= order.qty else "PARTIALLY_FILLED"
        earned, fee, fee_asset = self._book(order, qty, price)
        row = {
            "symbol": order.symbol, "id": next(self._trades), "orderId": order.number,
            "side": order.side, "price": price, "qty": qty, "realizedPnl": earned,
            "commission": fee, "commissionAsset": fee_asset, "time": self.now_ms,
            "marginAsset": settled_in(order.symbol), "positionSide": "BOTH", "maker": False,
            "buyer": order.side == "BUY", "quoteQty": qty * price,
        }  # fmt: skip
        self.trades.append((self.loop.time(), row))
        shared = {"symbol": order.symbol, "tradeId": str(row["id"]), "tranId": next(self._moves)}
        if earned:
            self._earn("REALIZED_PNL", earned, row["marginAsset"], **shared)
        self._earn("COMMISSION", -fee, fee_asset, **shared)
        self._note(order)
        self._tell_fill(order, row)
        return row

    def _book(self, order, qty, price):
        held, entry = self.positions.get(order.symbol, (ZERO, ZERO))
        earned, signed = ZERO, qty * order.sign
        if held * signed >= 0:
            entry = (entry * abs(held) + price * qty) / (abs(held) + qty)
        else:
            closed = min(qty, abs(held))
            earned = (closed * (price - entry) * (1 if held > 0 else -1)).quantize(CENT)
            entry = price if qty > closed else entry
        self.positions[order.symbol] = (held + signed, entry if held + signed else ZERO)
        asset = settled_in(order.symbol)
        fee, fee_asset = (qty * price * RATE).quantize(CENT), asset
        if self.lots.random() < 0.3:
            fee, fee_asset = (fee / 600).quantize(CENT), "BNB"
        self._pay(asset, earned)
        self._pay(fee_asset, -fee)
        return earned, fee, fee_asset

    def _pay(self, asset, amount):
        self.wallets[asset] = self.wallets.get(asset, ZERO) + amount

    def _earn(self, kind, amount, asset, *, symbol="", time=None, **fields):
        number = next(self._moves)
        fields = {
            "tranId": self.lots.choice((number, str(number))), "tradeId": "", "info": kind, **fields,
        }  # fmt: skip
        row = {
            "symbol": symbol or self.lots.choice(("", None)), "incomeType": kind, "income": amount, "asset": asset,
            "time": self.now_ms if time is None else time, **fields,
        }  # fmt: skip
        self.income.append((self.loop.time(), row))
        self.income.sort(key=lambda each: each[1]["time"])

    # Money

    def move(self, kind, amount, asset):
        self._pay(asset, amount)
        self._earn(kind, amount, asset)
        self._note()
        self._tell_books(KINDS.get(kind, kind), {asset: amount}, ())

    def fund(self, symbol, time_ms):
        """Settle funding that is listed at a time which may be some seconds past."""
        held, entry = self.positions.get(symbol, (ZERO, ZERO))
        amount, asset = (-held * entry / 10_000).quantize(CENT), settled_in(symbol)
        if not amount:
            return
        self._pay(asset, amount)
        self._earn("FUNDING_FEE", amount, asset, symbol=symbol, time=time_ms)
        self._note()
        rows = (symbol,) if symbol in self.isolated else ()
        self._tell_books("FUNDING_FEE", {asset: amount}, rows, symbol)

    def settle(self, symbol, price):
        """End a contract: what is open there expires, what is held is settled without a trade."""
        for order in [o for o in self.orders.values() if o.symbol == symbol and o.is_open]:
            self.end(order, "EXPIRED")
        held, entry = self.positions.get(symbol, (ZERO, ZERO))
        if held:
            self.positions[symbol] = (ZERO, ZERO)
            earned, asset = (held * (price - entry)).quantize(CENT), settled_in(symbol)
            self._pay(asset, earned)
            self._earn("DELIVERED_SETTELMENT", earned, asset, symbol=symbol)
        self._note()

    # What was

    def _note(self, order=None):
        now = self.loop.time()
        self.past["positions"].put(now, {s: p for s, p in self.positions.items() if p[0]})
        self.past["wallets"].put(now, dict(self.wallets))
        rows = [each for each in self.orders.values() if each.is_open and not each.is_untold]
        self.past["orders"].put(now, [self._row(each) for each in rows if not each.is_algo])
        self.past["algos"].put(now, [self._row(each) for each in rows if each.is_algo])
        if order is not None:
            self.states.setdefault(order.number, History(None)).put(now, self._row(order))

    def _row(self, order):
        if order.is_algo:
            child = order.child
            return {
                "algoId": order.number, "clientAlgoId": order.name, "algoType": "CONDITIONAL",
                "orderType": order.kind, "symbol": order.symbol, "side": order.side,
                "timeInForce": "GTC", "quantity": order.qty, "algoStatus": order.status,
                "triggerPrice": order.price, "price": ZERO, "workingType": "CONTRACT_PRICE",
                "closePosition": order.closes, "reduceOnly": order.reduce_only,
                "createTime": self.now_ms, "updateTime": self.now_ms,
                "actualOrderId": str(child.number) if child else "",
                "actualQty": order.done if order.status == "FINISHED" else "",
            }  # fmt: skip
        return {
            "orderId": order.number, "symbol": order.symbol, "status": order.status,
            "clientOrderId": order.name, "price": order.price, "avgPrice": ZERO,
            "origQty": order.qty, "executedQty": order.done, "cumQuote": ZERO,
            "timeInForce": "GTC", "type": order.kind, "reduceOnly": order.reduce_only,
            "closePosition": False, "side": order.side, "positionSide": "BOTH",
            "time": self.now_ms, "updateTime": self.now_ms,
        }  # fmt: skip

    # What is told

    def _tell_order(self, order, kind, row=None):
        now = self.now_ms
        if order.is_algo:
            self.tell({
                "e": "ALGO_UPDATE", "T": now, "E": now + 1, "o": {
                    "caid": order.name, "aid": order.number, "at": "CONDITIONAL", "o": order.kind,
                    "s": order.symbol, "S": order.side, "ps": "BOTH", "f": "GTC", "q": order.qty,
                    "X": order.status, "ai": str(order.child.number) if order.child else "",
                    "tp": order.price, "p": ZERO, "wt": "CONTRACT_PRICE", "cp": order.closes,
                    "R": order.reduce_only,
                } | ({"aq": order.done} if order.status == "FINISHED" else {}),
            })  # fmt: skip
            return
        body = {
            "s": order.symbol, "c": order.name, "S": order.side, "o": order.kind, "f": "GTC",
            "q": order.qty, "p": order.price, "ap": ZERO, "sp": ZERO, "x": kind,
            "X": order.status, "i": order.number, "l": ZERO, "z": order.done, "L": ZERO,
            "n": ZERO, "N": "USDT", "T": now, "t": 0, "m": False, "R": order.reduce_only,
            "ps": "BOTH", "rp": ZERO, "er": "0",
        }  # fmt: skip
        if row is not None:
            body |= {
                "l": row["qty"], "L": row["price"], "n": row["commission"], "t": row["id"],
                "N": row["commissionAsset"], "rp": row["realizedPnl"],
            }  # fmt: skip
        self.tell({"e": "ORDER_TRADE_UPDATE", "T": now, "E": now + 1, "o": body})

    def _tell_fill(self, order, row):
        now = self.now_ms
        self.tell({
            "e": "TRADE_LITE", "E": now + 1, "T": now, "s": order.symbol, "q": order.qty,
            "p": order.price, "m": False, "c": order.name, "S": order.side, "L": row["price"],
            "l": row["qty"], "t": row["id"], "i": order.number,
        })  # fmt: skip
        moved = {settled_in(order.symbol): ZERO, row["commissionAsset"]: ZERO}
        self._tell_books("ORDER", moved, (order.symbol,))
        is_forced = order.name.startswith(("autoclose", "adl"))
        if is_forced and self.lots.random() < 0.3:
            row = {**row, "id": 0}
        self._tell_order(order, "CALCULATED" if is_forced else "TRADE", row)

    def _tell_books(self, reason, moved, symbols, funded=""):
        balances = [
            {"a": asset, "wb": self.wallets[asset], "cw": self.wallets[asset], "bc": change}
            for asset, change in moved.items()
        ]
        rows = [
            {
                "s": symbol, "pa": self.positions[symbol][0], "ep": self.positions[symbol][1],
                "cr": ZERO, "up": ZERO, "ps": "BOTH", "ma": settled_in(symbol),
                "mt": "isolated" if symbol in self.isolated else "cross",
                "iw": Decimal(5) if symbol in self.isolated else ZERO,
            }
            for symbol in symbols
        ]  # fmt: skip
        body = {"B": balances, "P": rows, "m": reason}
        if funded and self.lots.random() < 0.7:
            body["S"] = funded
        now = self.now_ms
        self.tell({"e": "ACCOUNT_UPDATE", "T": now, "E": now + 1, "a": body})
