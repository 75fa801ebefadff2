"""What must be equal on both sides, account by account, once a world has come to rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..engine.breaker import BreakerState
from ..engine.order import Order, RequestState
from ..engine.state import State
from ..exchange_server.close_orders import is_close_order
from ..exchange_server.faults import Kind
from ..journal.codec import decode
from ..model.events import (
    OrderAdopted,
    OrderFilled,
    OrderSubmitted,
    PositionAdopted,
    SettlementPaid,
)
from ..model.ids import parse_cl_ord_id
from ..model.values import (
    ZERO,
    AccountId,
    ClOrdId,
    Key,
    OrderRole,
    OrderStatus,
    OrderType,
    Symbol,
)
from .odd_account import odd_wallets

if TYPE_CHECKING:
    from .oracles import Oracles
    from .world import World

UNCOMMITTED = "facts are not committed"
"""What a session whose ticks fall on the very moments of the looks always says."""

COMMIT_S = 0.05
"""How long a commit may take: one that began at the moment of a look is over then."""


UNHEARD = tuple(kind.value for kind in (Kind.DROP_FRAME, Kind.SILENT_STREAM, Kind.DELAY_FRAME))
"""What keeps frames of a stream from being heard, or from being heard in time."""


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


def closes_dust(world: World, account: AccountId, symbol: Symbol) -> bool:
    """Tell whether a stop is open that closes what has become too small to trade: it guards it."""
    return any(
        (owner := parse_cl_ord_id(order.cl_ord_id)) is not None
        and owner.role is OrderRole.EXIT
        and order.symbol == symbol
        and order.asked.order_type is OrderType.STOP_MARKET
        and is_close_order(order)
        for order in world.bourse.exchange.open_orders(account)
    )


def is_called_back(world: World, cl_ord_id: str) -> bool:
    """Tell whether the session has asked an order back."""
    known = _known(world, cl_ord_id)
    return known is not None and known.cancel is not RequestState.NONE


def is_adopted(world: World, cl_ord_id: str) -> bool:
    """Tell whether the session's journal does not know where an order comes from."""
    known = _known(world, cl_ord_id)
    return known is not None and known.is_adopted


def is_heard_of(world: World, cl_ord_id: str) -> bool:
    """Tell whether a session can count an order in: one of ours that its journal knows.

    Where that was lost, and the exchange's lists leave the order out, it can't.
    """
    if parse_cl_ord_id(cl_ord_id) is None:
        return False
    return not world.fired["amnesia"] or _known(world, cl_ord_id) is not None


def _known(world: World, cl_ord_id: str) -> Order | None:
    live = world.live
    return None if live is None else live.engine.state.orders.get(ClOrdId(cl_ord_id))


def out_of_reach(world: World, state: State, *, is_told: bool) -> set[AccountId]:
    """Return the accounts for which nobody can mend what is missing: whose link is lost, which was
    told, or where the exchange refuses so much that it is left alone; all, where nobody can ask
    over REST and the stream loses frames, or while the address is banned, which was told.

    Args:
        is_told: whether a person was told that it is.
    """
    live, faults = world.live, world.bourse.venue.faults
    if world.road.rest is not None and any(
        each["kind"] in UNHEARD for each in faults.account_for()
    ):
        return set(world.accounts.venue_names)
    if live is not None and any(
        until > live.engine.core.now for until in live.engine.core.banned_until.values()
    ):
        return set(world.accounts.venue_names)
    lost = set() if live is None else set(live.engine.core.market.accounts_cut_off)
    is_open = (name for name, b in state.breakers.items() if b.state is not BreakerState.CLOSED)
    return lost | {AccountId(name.partition(" ")[0]) for name in is_open if is_told}


async def is_still(oracles: Oracles) -> bool:
    """Tell whether nothing is under way, but for a commit that begins at this very moment."""
    if oracles.restless() == [UNCOMMITTED]:
        await asyncio.sleep(COMMIT_S)
    return not oracles.restless()
