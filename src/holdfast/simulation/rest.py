"""What must be equal on both sides, account by account, once a world has come to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine.order import RequestState
from ..engine.state import State
from ..exchange_server.close_orders import is_close_order
from ..journal.codec import decode
from ..model.events import (
    OrderAdopted,
    OrderFilled,
    OrderSubmitted,
    PositionAdopted,
    SettlementPaid,
)
from ..model.values import ZERO, Key, OrderStatus
from .odd_account import odd_wallets

if TYPE_CHECKING:
    from .world import World

UNCOMMITTED = "facts are not committed"
"""What a session whose ticks fall on the very moments of the looks always says."""


def orders_apart(world: World, state: State) -> list[str]:
    """Say which open orders are on one side alone, or otherwise there than here."""
    found = []
    accounts, exchange = world.accounts, world.bourse.exchange
    theirs = {
        (name, o.cl_ord_id) for name in accounts.session_names for o in exchange.open_orders(name)
    }
    ours = state.all_open_orders()
    known = {(accounts.venue_names[o.request.account], o.cl_ord_id) for o in ours}
    if odd := sorted(theirs ^ known):
        found.append(f"open orders on one side alone: {', '.join(map(' '.join, odd))}")
    for order in ours:
        is_asked = (order.cancel, order.replace) != (RequestState.NONE, RequestState.NONE)
        if order.status is OrderStatus.PENDING_NEW or order.is_in_doubt or is_asked:
            text = f"{order.status.value}, {order.cancel.value}, {order.replace.value}"
            found.append(f"{order.cl_ord_id} is {text}")
        name = accounts.venue_names[order.request.account]
        there = accounts.order(order.key[1], order.cl_ord_id, name)
        if there and is_close_order(there):
            continue  # of a whole position no size is told
        if there and (there.qty, there.price) != (order.qty, order.price):
            found.append(f"{order.cl_ord_id} is amended differently here and there")
    return found


def holdings_apart(world: World, state: State) -> list[str]:
    """Say of which position a part is nobody's, where nobody but our own orders has traded it.

    An exit of ours opens nothing: what our entries opened is theirs, in whichever order all of it
    was heard.
    """
    apart = {}
    for key, position in state.positions.items():
        held = sum((p.open_qty for p in state.parents.values() if p.key == key), ZERO)
        if held != abs(position.qty):
            apart[key] = f"{key[0]}: of {position.qty} {key[1]} the parents hold {held}"
    others = _traded_by_others(world) if apart else set()
    return [text for key, text in apart.items() if key not in others]


def _traded_by_others(world: World) -> set[Key]:
    """Return the keys that somebody else traded, or of which a power cut took facts."""
    found, ours = set[Key](), set[str]()
    for fact in map(decode, world.disk.rows):
        match fact:
            case OrderSubmitted():
                ours.add(fact.order.cl_ord_id)
            case OrderFilled() if fact.cl_ord_id not in ours:
                found.add((fact.account, fact.symbol))
            case PositionAdopted() | SettlementPaid():
                found.add((fact.account, fact.symbol))
            case OrderAdopted():
                found.add(fact.order.key)
            case _:
                pass
    return found


def books_apart(world: World, state: State) -> list[str]:
    """Say where positions and wallets of an account are not the exchange's."""
    found = []
    for name, account in world.accounts.venue_names.items():
        for symbol in world.market.symbols:
            ours = state.position((name, symbol)).qty
            theirs = world.accounts.qty(symbol, account)
            if ours != theirs:
                found.append(f"{name}: position of {symbol}: ours {ours}, theirs {theirs}")
    if not found:
        found += holdings_apart(world, state)
    return found + odd_wallets(world, state)


def is_cut_off(world: World) -> bool:
    """Tell whether an account's books are not known, which was told once when its link was lost."""
    live = world.live
    return live is not None and bool(live.engine.core.market.accounts_cut_off)
