"""What the exchange has said of each account, kept so that it can be asked for again.

The core forgets an order when its client id is used again; the archive does not. After a
restart it holds what storage held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..exchange import AccountUpdate, HedgedReport, OrderUpdate, Output, VenueOrder
from ..exchange.rows import INCOME, ORDER, TRADE, Row
from ..model.messages import AccountChange, ExecType, ExecutionReport
from ..model.values import (
    NS_PER_DAY,
    ZERO,
    AccountId,
    ClOrdId,
    OrderStatus,
    Symbol,
)

ORDERS_KEPT = 10_000
"""Of one account. The oldest closed ones go first."""

RECORDS_KEPT = 20_000
"""Executions, and other moves of the wallet, of one account."""

UNFILLED_VISIBLE_NS = 3 * NS_PER_DAY
VISIBLE_NS = 90 * NS_PER_DAY

_ORDER = msgspec.json.Decoder(VenueOrder)
_TRADE = msgspec.json.Decoder(ExecutionReport | HedgedReport)
_INCOME = msgspec.json.Decoder(AccountChange)


class Amendment(NamedTuple):
    """One amendment of an order: what was, and what became of it."""

    number: int
    order: VenueOrder
    price_before: Decimal
    qty_before: Decimal
    ts: int
    modify_id: str


class Past(NamedTuple):
    """What was answered about an account's books from a time on, by place and symbol."""

    ts: int
    moves: int
    answers: dict[tuple[tuple[str, str], str], object]


class Records:
    """One account's. `name_of` says what client id an order has in the book."""

    def __init__(self, name_of: Callable[[VenueOrder], ClOrdId]) -> None:
        self._name_of = name_of
        self.orders: dict[int, VenueOrder] = {}  # by the id that they had first, oldest first
        self.children: dict[int, int] = {}  # order ids of triggered conditional orders
        self.newest: dict[tuple[Symbol, ClOrdId], int] = {}  # of those that were in the book
        self.newest_algo: dict[ClOrdId, int] = {}
        self.trades: deque[ExecutionReport] = deque(maxlen=RECORDS_KEPT)
        self.incomes: deque[AccountChange] = deque(maxlen=RECORDS_KEPT)
        self.amendments: deque[Amendment] = deque(maxlen=RECORDS_KEPT)
        self.modify_ids: dict[int, str] = {}
        self.moved_ts: dict[Symbol, int] = {}  # positions; "" is the wallet
        self.moves = 0  # how often wallet or positions have moved
        self.fresh_amendments: list[Amendment] = []  # that storage has not been given yet

    def take(self, output: Output) -> None:
        if isinstance(output, OrderUpdate):
            self._take_order(output)
        elif isinstance(output, AccountUpdate):
            self.moved_ts[output.symbol] = output.venue_ts
            self.moved_ts[Symbol("")] = output.venue_ts
            self.moves += 1
        elif isinstance(output, AccountChange):
            self.incomes.append(output)

    def keep(self, order: VenueOrder) -> None:
        """Put an order in, or in the place of what was known of it."""
        self.orders[order.uid] = order
        if order.order_id:
            self.newest[order.symbol, self._name_of(order)] = order.uid
        if order.algo_id:
            self.newest_algo[order.cl_ord_id] = order.uid
        if order.algo_id and order.order_id:
            self.children[order.order_id] = order.algo_id
        if len(self.orders) > ORDERS_KEPT:
            self._forget_one()

    def _take_order(self, update: OrderUpdate) -> None:
        exec_type = update.report.exec_type
        if exec_type is ExecType.TRADE:
            self.trades.append(update.report)
        elif exec_type is ExecType.REPLACED:
            self._take_amendment(update)
        self.keep(update.order)

    def _take_amendment(self, update: OrderUpdate) -> None:
        order = update.order
        before = self.orders.get(order.uid, order)
        made = Amendment(
            number=self.amendments[-1].number + 1 if self.amendments else 1,
            order=order,
            price_before=before.price or ZERO,
            qty_before=before.qty,
            ts=update.report.venue_ts,
            modify_id=self.modify_ids.get(order.order_id, ""),
        )
        self.amendments.append(made)
        self.fresh_amendments.append(made)

    def restore(self, amendment: Amendment) -> None:
        """Take back an amendment of before a restart; they come in their order."""
        self.amendments.append(amendment)
        self.modify_ids[amendment.order.order_id] = amendment.modify_id

    def _forget_one(self) -> None:
        gone = next((each for each in self.orders.values() if not each.is_open), None)
        if gone is None:
            return
        del self.orders[gone.uid]
        self.children.pop(gone.order_id, None)
        self.modify_ids.pop(gone.order_id, None)
        name = (gone.symbol, self._name_of(gone))
        if self.newest.get(name) == gone.uid:
            del self.newest[name]
        if self.newest_algo.get(gone.cl_ord_id) == gone.uid:
            del self.newest_algo[gone.cl_ord_id]

    # Questions

    def by_id(self, order_id: int) -> VenueOrder | None:
        """Return an order by its order id."""
        order = self.orders.get(self.children.get(order_id, order_id))
        return order if order is not None and order.order_id == order_id else None

    def by_algo_id(self, algo_id: int) -> VenueOrder | None:
        order = self.orders.get(algo_id)
        return order if order is not None and order.algo_id else None

    def by_client_id(self, symbol: Symbol, cl_ord_id: str) -> VenueOrder | None:
        """Return the newest order of a symbol's book that had this client id."""
        uid = self.newest.get((symbol, ClOrdId(cl_ord_id)))
        return None if uid is None else self.orders[uid]

    def by_client_algo_id(self, cl_ord_id: str) -> VenueOrder | None:
        """Return the newest conditional order that had this client id."""
        uid = self.newest_algo.get(ClOrdId(cl_ord_id))
        return None if uid is None else self.orders[uid]

    def ordinary(self, now: int) -> Iterator[VenueOrder]:
        """Yield the orders that are or were in the book, oldest first, as far as still shown."""
        found = [o for o in self.orders.values() if o.order_id and is_visible(o, now)]
        yield from sorted(found, key=lambda order: order.order_id)

    def conditional(self) -> Iterator[VenueOrder]:
        """Yield the conditional orders, triggered ones too, oldest first."""
        yield from (order for order in self.orders.values() if order.algo_id)


def booked_ts(order: VenueOrder) -> int:
    """Return when an order came into the book: a conditional one when it was triggered."""
    return order.triggered_ts or order.created_ts


def is_visible(order: VenueOrder, now: int) -> bool:
    """Tell whether the venue still answers for an order: unfilled ones are forgotten sooner."""
    if order.is_open:
        return True
    age = now - order.updated_ts
    is_unfilled = not order.cum_qty and order.status is not OrderStatus.FILLED
    return age <= (UNFILLED_VISIBLE_NS if is_unfilled else VISIBLE_NS)


class Archive:
    """All accounts' records. `name_of` is theirs."""

    def __init__(self, name_of: Callable[[VenueOrder], ClOrdId]) -> None:
        self._name_of = name_of
        self._records: dict[AccountId, Records] = {}

    def of(self, account: AccountId) -> Records:
        found = self._records.get(account)
        if found is None:
            found = self._records[account] = Records(self._name_of)
        return found

    def accounts(self) -> list[AccountId]:
        return list(self._records)

    def take(self, outputs: Sequence[Output]) -> None:
        """Keep what was said; answers to the asker alone are not."""
        for output in outputs:
            if isinstance(output, OrderUpdate):
                self.of(output.report.account).take(output)
            elif isinstance(output, AccountUpdate | AccountChange):
                self.of(output.account).take(output)

    def load(self, rows: Iterable[Row]) -> None:
        """Take back what storage kept; orders come oldest first."""
        by_kind: dict[str, list[bytes]] = {ORDER: [], TRADE: [], INCOME: []}
        for row in rows:
            if row.kind in by_kind and row.payload is not None:
                by_kind[row.kind].append(row.payload)
        for order in sorted(map(_ORDER.decode, by_kind[ORDER]), key=lambda each: each.uid):
            self.of(order.account).keep(order)
        for trade in map(_TRADE.decode, by_kind[TRADE]):
            self.of(trade.account).trades.append(trade)
        for income in map(_INCOME.decode, by_kind[INCOME]):
            self.of(income.account).incomes.append(income)
