"""Requests to the outside world, named as imperatives. The shells carry them out."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .values import AccountId, ClOrdId, NewOrder, ParentId, Side, Symbol


class SubmitOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Send an order. `ts` and `recv_window_ns` go on the wire as they stand here: past their
    sum the venue can no longer accept it.
    """

    order: NewOrder
    ts: int
    recv_window_ns: int


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take an order back.

    `venue_order_id` names one of somebody else's that is not called at the venue what it is here,
    since another account has one of its name: see `strangers.namesake`. It is "" for all others.
    """

    account: AccountId
    symbol: Symbol
    cl_ord_id: ClOrdId
    is_conditional: bool
    ts: int
    recv_window_ns: int
    venue_order_id: str = ""


class ReplaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Amend a resting limit order. `qty` is the new total, executed part included.

    `venue_order_id` is as in `CancelOrder`.
    """

    account: AccountId
    symbol: Symbol
    cl_ord_id: ClOrdId
    side: Side
    qty: Decimal
    price: Decimal
    ts: int
    recv_window_ns: int
    venue_order_id: str = ""


class QueryOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask the venue what became of an order, by our id, or by its own as in `CancelOrder`.

    Answered by an `ExecutionReport` of kind STATUS or an `OrderNotFound` that names the time
    at which the question was asked. `is_short` says that fewer of its executions are booked than
    the venue has named: a venue that can list them tells them too.
    """

    account: AccountId
    symbol: Symbol
    cl_ord_id: ClOrdId
    is_conditional: bool
    is_short: bool = False
    venue_order_id: str = ""


class Resync(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Read the venue's books and answer with a `VenueSnapshot`.

    `trades_since` is the time (ns UTC) from which executions and funding are wanted.
    """

    account: AccountId
    reason: str
    trades_since: int


class SetTimer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Send `TimerFired(parent_id)` back at `due_ts`."""

    parent_id: ParentId
    due_ts: int


class Notify(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell a person. `level` is "info", "warning" or "alarm"."""

    level: str
    text: str


Command = SubmitOrder | CancelOrder | ReplaceOrder | QueryOrder | Resync | SetTimer | Notify
