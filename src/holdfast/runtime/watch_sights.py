"""What somebody sees who looks at the venue's books and the journal, and at nothing else.

A sight is no alarm yet: a fact may be on its way. What is seen again, unchanged, is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ..engine.cover import cover
from ..engine.order import Order, RequestState
from ..engine.state import State
from ..model.ids import by_number
from ..model.messages import ExecutionReport
from ..model.values import ZERO, AccountId, ClOrdId, OrderRole, OrderStatus, Symbol, plain

_WORKING = (OrderStatus.NEW, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's books of one account, as far as they are watched."""

    orders: tuple[ExecutionReport, ...]  # open ones, conditional ones included
    positions: dict[Symbol, Decimal]
    balances: dict[str, Decimal]

    @property
    def traces(self) -> tuple[object, ...]:
        """Return what moves where somebody trades, and not because it was looked at again."""
        orders = sorted((o.cl_ord_id, o.status.value, o.qty, o.cum_qty) for o in self.orders)
        return (orders, self.positions, self.balances)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be.

    `kind` is stable and for programs, `what` names the thing, `gap` by how much it is off: two
    sights of one thing with the same gap are the same. `here` and `there` are what the journal and
    the venue have, where both have a number.
    """

    kind: str
    what: str
    gap: str
    told: str
    here: str = ""
    there: str = ""


def book_sights(state: State, seen: Seen, account: AccountId) -> list[Sight]:
    """Hold positions and wallets against the venue's, to the last digit."""
    ours = {str(key[1]): p.qty for key, p in state.positions.items() if key[0] == account}
    theirs = {str(symbol): qty for symbol, qty in seen.positions.items()}
    books = state.account(account)
    wallets = {asset: books.wallet(asset) for asset in books.assets()}
    return [
        *_differing("position", ours, theirs),
        *_differing("balance", wallets, seen.balances),
    ]


def here_now(state: State, sight: Sight, account: AccountId) -> str:
    """Return what the journal has by now of what was off; "" where that is no number."""
    if sight.kind == "position_differs":
        return plain(state.position((account, Symbol(sight.what))).qty)
    if sight.kind == "order_differs":
        order = state.orders.get(ClOrdId(sight.what))
        return "" if order is None else _terms(*_own_terms(order))
    return plain(state.account(account).wallet(sight.what)) if sight.here else ""


def _differing(
    kind: str, ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]
) -> Iterable[Sight]:
    for name in sorted({*ours, *theirs}):
        here, there = ours.get(name, ZERO), theirs.get(name, ZERO)
        if here != there:
            yield Sight(
                kind=f"{kind}_differs",
                what=name,
                gap=plain(there - here),
                told=f"{kind} {name}: the journal has {plain(here)}, the venue {plain(there)}",
                here=plain(here),
                there=plain(there),
            )


def order_sights(state: State, seen: Seen, account: AccountId) -> list[Sight]:
    """Hold the open orders of both sides against each other."""
    there = _by_name(state, seen, account)
    ours = {
        order.cl_ord_id: order
        for order in state.all_open_orders()
        if order.request.account == account
    }
    found = [
        _sight("unknown_order", name, _unknown(state, report))
        for name, report in there.items()
        if name not in ours
    ]
    for name, order in ours.items():
        is_asked = order.cancel is not RequestState.NONE or order.replace is not RequestState.NONE
        is_clear = order.status in _WORKING and not order.is_in_doubt and not is_asked
        if not is_clear or order.ending is not None:
            continue
        if name in there:
            found += _changed(order, there[name])
        else:
            text = f"order {name} is {order.status.value} in the journal, and not at the venue"
            found.append(_sight("missing_order", name, text))
    return found


def _changed(order: Order, report: ExecutionReport) -> Iterable[Sight]:
    """See whether an order has another quantity or price at the venue.

    What the venue does not tell of it is not compared: the quantity of what closes a whole
    position, and prices that move, or that an order of its type does not have.
    """
    ours = _own_terms(order)
    qty = order.qty if report.close_position else report.qty
    told = (qty, report.price, report.trigger_price)
    theirs = [own if own is None or it is None else it for own, it in zip(ours, told, strict=True)]
    here, there = _terms(*ours), _terms(*theirs)
    if here != there:
        yield Sight(
            kind="order_differs",
            what=order.cl_ord_id,
            gap=there,
            told=f"order {order.cl_ord_id}: the journal has {here}, the venue {there}",
            here=here,
            there=there,
        )


def _own_terms(order: Order) -> tuple[Decimal, Decimal | None, Decimal | None]:
    """Return an order's quantity, price and trigger price; the last where it still waits for it."""
    moves = order.request.callback_rate is not None
    trigger = None if moves or order.is_closing else order.request.trigger_price
    return order.qty, order.price, trigger


def _terms(qty: Decimal | None, price: Decimal | None, trigger: Decimal | None) -> str:
    """Write down what may be amended of an order."""
    named = (("", qty), ("at ", price), ("from ", trigger))
    return " ".join(f"{name}{plain(value)}" for name, value in named if value is not None)


def _by_name(state: State, seen: Seen, account: AccountId) -> dict[ClOrdId, ExecutionReport]:
    """Return the venue's orders by what the journal calls them.

    Of two of somebody else's with one name the second is known by its number.
    """
    found = {}
    for report in seen.orders:
        name = report.cl_ord_id
        number, known = by_number(name, report.venue_order_id), state.orders.get(name)
        is_namesake = known is not None and known.key != (account, report.symbol)
        found[number if is_namesake or number in state.orders else name] = report
    return found


def _unknown(state: State, report: ExecutionReport) -> str:
    what = f"{report.side.value} {plain(report.qty)} {report.symbol}"
    known = state.orders.get(report.cl_ord_id)
    if known is None or known.request.symbol != report.symbol:
        return f"order {report.cl_ord_id} ({what}) is at the venue, and no fact of it"
    return (
        f"order {report.cl_ord_id} ({what}) is open at the venue, and {known.status.value} in "
        "the journal"
    )


def stop_sights(state: State, seen: Seen, account: AccountId) -> list[Sight]:
    """Hold that what asked for a stop has it at the venue, for all that it holds."""
    there = _by_name(state, seen, account)
    found = []
    for ids in state.live_parents.values():
        for parent in (state.parents[i] for i in ids):
            held = cover(state, parent)
            if parent.start.stop_loss is None or parent.start.account != account or not held:
                continue
            stops = (_covers(there, child, state, held) for child in parent.children)
            covered = sum(stops, ZERO)
            if covered < held:
                text = (
                    f"{plain(held)} {parent.start.symbol} of parent {parent.parent_id} are held, "
                    f"and stops at the venue cover {plain(covered)}"
                )
                gap = plain(held - covered)
                found.append(Sight(kind="stop_missing", what=parent.parent_id, gap=gap, told=text))
    return found


def _covers(
    there: Mapping[ClOrdId, ExecutionReport], child: ClOrdId, state: State, held: Decimal
) -> Decimal:
    """Return what a child still covers at the venue: nothing where it is no stop, or not there.

    One that closes whatever is held names no quantity.
    """
    order, report = state.orders.get(child), there.get(child)
    if report is None or order is None or order.role is not OrderRole.STOP_LOSS:
        return ZERO
    return held if report.close_position else report.qty - report.cum_qty


def _sight(kind: str, what: str, told: str) -> Sight:
    return Sight(kind=kind, what=what, gap="", told=told)
