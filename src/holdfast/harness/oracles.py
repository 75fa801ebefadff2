"""The exchange's own books against the journal: what must hold whenever there is a calm.

The exchange keeps its books apart and to the last digit, so what it says is the truth. Two kinds
of sentences come out: what must never be (`wrongs`), and what must be so once all is quiet
(`differences`), which is looked at again until it is or time is up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..engine.cover import cover
from ..engine.order import RequestState
from ..model.ids import parse_cl_ord_id
from ..model.values import MAIN, ZERO, ClOrdId, OrderRole, OrderStatus, Symbol
from .ledger import Ledger

SAID_MAX = 20
"""How many sentences of one oracle are kept."""


class Truth:
    """The exchange's books of one account, as `GET /admin/truth` shows them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.balances = {k: Decimal(v) for k, v in document["balances"].items()}
        self.positions = {
            Symbol(name): Decimal(row["qty"])
            for name, row in document["positions"].items()
            if Decimal(row["qty"])
        }
        self.orders: list[Mapping[str, Any]] = document["orders"]
        self.algos: list[Mapping[str, Any]] = document["algoOrders"]
        self.trades: list[Mapping[str, Any]] = document["trades"]
        self.open: dict[ClOrdId, Mapping[str, Any]] = {}
        for row in document["openOrders"]:
            self.open[ClOrdId(row["clientOrderId"])] = row
        for row in document["openAlgoOrders"]:
            self.open[ClOrdId(row["clientAlgoId"])] = row

    def names(self) -> Counter[ClOrdId]:
        """Return the client ids of all orders that are no child of a conditional one."""
        children = {str(row.get("actualOrderId") or "") for row in self.algos}
        ordinary = [
            row["clientOrderId"] for row in self.orders if str(row["orderId"]) not in children
        ]
        return Counter(
            ClOrdId(name) for name in (*ordinary, *(row["clientAlgoId"] for row in self.algos))
        )


def wrongs(ledger: Ledger, truth: Truth) -> list[str]:
    """Say what must never be, in storm or calm."""
    found = _ids(ledger, truth) + _intents(ledger, truth) + _fills_twice(ledger)
    return found[:SAID_MAX]


def _ids(ledger: Ledger, truth: Truth) -> list[str]:
    found = []
    for name, count in truth.names().items():
        owner = parse_cl_ord_id(name)
        if owner is None:
            found.append(f"stranger: nobody of ours named the order {name}")
        elif name not in ledger.submitted and owner.epoch not in ledger.lost:
            found.append(f"facts first: {name} is at the exchange, and no fact of its submission")
        if count > 1:
            found.append(f"one order per id: {name} was accepted {count} times")
    found += [
        f"one order per id: {name} was submitted {count} times"
        for name, count in ledger.submitted.items()
        if count > 1
    ]
    there = truth.names()
    found += [
        f"absent: {name} was declared absent and is at the exchange"
        for name in sorted(ledger.never_arrived)
        if name in there
    ]
    found += [f"absent: {a.text}" for a in ledger.alarms if a.code == "order_appeared"]
    return found


def _intents(ledger: Ledger, truth: Truth) -> list[str]:
    """Hold that what was wished once was done once at most."""
    there = truth.names()
    entries: dict[str, list[ClOrdId]] = defaultdict(list)
    for order in ledger.orders.values():
        # What was adopted after a power cut has its parent by name alone: numbers come again.
        is_known = order.cl_ord_id in ledger.submitted
        if order.role is OrderRole.ENTRY and is_known and order.cl_ord_id in there:
            entries[order.parent_id].append(order.cl_ord_id)
    found = [
        f"one order per intent: parent {parent} has {', '.join(names)} at the exchange"
        for parent, names in entries.items()
        if len(names) > 1
    ]
    filled: dict[str, Decimal] = defaultdict(lambda: ZERO)
    executed = {row["clientOrderId"]: Decimal(row["executedQty"]) for row in truth.orders}
    for order in ledger.orders.values():
        if order.role is OrderRole.ENTRY and order.intent_id:
            filled[order.intent_id] += executed.get(order.cl_ord_id, ZERO)
    found += [
        f"one order per intent: intent {intent} asked for {ledger.asked[intent]}, got {qty}"
        for intent, qty in filled.items()
        if qty > ledger.asked[intent]
    ]
    return found


def _fills_twice(ledger: Ledger) -> list[str]:
    return [
        f"one booking per trade: trade {trade} of {symbol} (order {fills[0].cl_ord_id}) was "
        f"booked {len(fills)} times"
        for (symbol, trade), fills in ledger.fills.items()
        if len(fills) > 1
    ]


def differences(ledger: Ledger, truth: Truth) -> list[str]:
    """Say what must be so once all is quiet, and is not."""
    found = _fills(ledger, truth)
    found += _books(ledger, truth)
    found += _open_orders(ledger, truth)
    found += _stops(ledger, truth)
    return found[:SAID_MAX]


def _fills(ledger: Ledger, truth: Truth) -> list[str]:
    """Hold each execution against its booking: side, quantity, price, fee and profit."""
    theirs = {
        (Symbol(row["symbol"]), str(row["id"])): (
            row["side"],
            Decimal(row["qty"]),
            Decimal(row["price"]),
            Decimal(row["commission"]),
            Decimal(row["realizedPnl"]),
            row["orderId"],
        )
        for row in truth.trades
    }
    found = []
    for key, row in theirs.items():
        if key not in ledger.fills:
            found.append(
                f"lost fill: trade {key[1]} of {key[0]}, order {_named(truth, row[5])}: {row[:4]}"
            )
            continue
        fill = ledger.fills[key][0]
        booked = (fill.side.value, fill.qty, fill.price, fill.fee, fill.realized_pnl)
        if booked != row[:5]:
            found.append(
                f"fill: trade {key[1]} of {key[0]} ({fill.cl_ord_id}) was {row[:5]}, is {booked}"
            )
    found += [
        f"invented fill: trade {key[1]} of {key[0]} ({fills[0].cl_ord_id}) is not the exchange's"
        for key, fills in ledger.fills.items()
        if key not in theirs
    ]
    return found


def _named(truth: Truth, order_id: object) -> str:
    return next((r["clientOrderId"] for r in truth.orders if r["orderId"] == order_id), "?")


def _books(ledger: Ledger, truth: Truth) -> list[str]:
    """Hold positions and wallets, by both folds, against the exchange's."""
    positions = {(MAIN, symbol): qty for symbol, qty in truth.positions.items()}
    balances = {(MAIN, asset): amount for asset, amount in truth.balances.items()}
    found = [f"books: {text}" for text in ledger.books.differences(positions, balances)]
    for symbol in sorted({*truth.positions, *(key[1] for key in ledger.state.positions)}):
        ours = ledger.state.position((MAIN, symbol)).qty
        if ours != truth.positions.get(symbol, ZERO):
            there = truth.positions.get(symbol, ZERO)
            found.append(f"position {symbol}: the state has {ours}, the exchange {there}")
    for asset, there in truth.balances.items():
        ours = ledger.state.account(MAIN).wallet(asset)
        if ours != there:
            found.append(f"wallet {asset}: the state has {ours}, the exchange {there}")
    return found


def _open_orders(ledger: Ledger, truth: Truth) -> list[str]:
    found = []
    ours = {order.cl_ord_id: order for order in ledger.state.all_open_orders()}
    for name in sorted({*ours, *truth.open}):
        if name not in ours:
            found.append(f"open orders: {name} is open at the exchange, and not in the journal")
        elif name not in truth.open:
            order = ours[name]
            found.append(
                f"open orders: {name} is {order.status.value} in the journal, and not open there"
            )
    for name, order in ours.items():
        is_asked = (order.cancel, order.replace) != (RequestState.NONE, RequestState.NONE)
        if order.status is OrderStatus.PENDING_NEW or order.is_in_doubt or is_asked:
            text = f"{order.status.value}, {order.cancel.value}, {order.replace.value}"
            found.append(f"at rest: {name} is {text}")
        row = truth.open.get(name)
        asked = _qty(row) if row else order.qty
        if asked != order.qty:
            found.append(f"open orders: {name} is for {order.qty} here and {asked} there")
    return found


def _stops(ledger: Ledger, truth: Truth) -> list[str]:
    """Hold that each parent that asked for a stop has it there, for what it holds, once."""
    found = []
    for parent in ledger.state.parents.values():
        held = cover(ledger.state, parent)
        if parent.start.stop_loss is None or not held:
            continue
        stops = [
            _qty(row)
            for child in parent.children
            if (row := truth.open.get(child)) and _role(child) is OrderRole.STOP_LOSS
        ]
        if stops != [held]:
            sizes = ", ".join(map(str, stops)) or "none"
            found.append(f"stops: parent {parent.parent_id} holds {held}, its stops are {sizes}")
    return found


def _qty(row: Mapping[str, Any]) -> Decimal:
    return Decimal(row["quantity"] if "algoId" in row else row["origQty"])


def _role(name: str) -> OrderRole | None:
    owner = parse_cl_ord_id(name)
    return None if owner is None else owner.role
