"""The back door for those who test against the exchange: its books, its faults, its market.

Beyond the loopback it opens to the token alone (`Authorization: Bearer TOKEN`), and so it does to
pages in a browser of this machine: they say where they come from, or ask under a name of their own.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from ..exchange import Position, PositionSide
from ..model.errors import InputError
from ..model.market import MarketData
from ..model.values import LARGEST_AMOUNT, AccountId, plain
from .archive import RECORDS_KEPT
from .faults import read_script
from .lagging import look
from .methods import RequestContext
from .order_answers import algo_row, long_row
from .params import UNREADABLE, Params
from .rest_account import BOOKS, account_v2, position_risk_v3
from .rest_algo import open_orders as open_algo_orders
from .rest_history import income, user_trades
from .rest_orders import open_orders
from .venue import Venue

Answer = Callable[[Venue, web.Request], Awaitable[object]]

INCOMES_MAX = 3 * RECORDS_KEPT
"""An execution gives two: profit and fee."""

_MARKET = msgspec.json.Decoder(list[MarketData])


class Deposit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money put in, or taken out with a negative amount."""

    account: str
    amount: Decimal
    asset: str = "USDT"


def is_allowed(request: web.Request, token: str) -> bool:
    """Tell whether a request may use the back door."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        return True
    return not token and _is_loopback(request.remote) and not _is_of_a_page(request)


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _is_of_a_page(request: web.Request) -> bool:
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        return True
    return "Origin" in request.headers or not (name == "localhost" or _is_loopback(name))


async def show_faults(venue: Venue, _request: web.Request) -> object:
    return {"faults": venue.faults.account_for()}


async def give_faults(venue: Venue, request: web.Request) -> object:
    venue.faults.give(read_script(await request.read()), venue.now())
    look(venue, BOOKS)  # what is so now may be asked for once it is past
    return {"faults": venue.faults.account_for()}


async def clear_faults(venue: Venue, _request: web.Request) -> object:
    fared = venue.faults.account_for()
    venue.faults.clear()
    return {"faults": [], "were": fared}


async def truth(venue: Venue, _request: web.Request) -> object:
    """Return the books of every account, exactly and whole."""
    return {
        "serverTime": venue.now() // 10**6,
        "accounts": {key.account: books_of(venue, key.account) for key in venue.keys.all()},
    }


def books_of(venue: Venue, account: AccountId) -> dict[str, object]:
    """Return one account's books: what it has, what it has done, what it waits for."""
    ctx = RequestContext(venue, account, venue.now(), is_truth=True)
    all_of_it = Params({})
    records = venue.archive.of(account)
    trades = [trade for symbol in venue.tapes for trade in _trades(ctx, symbol)]
    return {
        "balances": {a: plain(v) for a, v in venue.exchange.balances(account).items()},
        "positions": {
            _name(each): {
                "qty": plain(each.qty),
                "entryPrice": plain(each.entry_price),
                "isolatedWallet": plain(each.isolated_wallet),
            }
            for each in venue.exchange.held(account)
        },
        "account": account_v2(ctx, all_of_it),
        "positionRisk": position_risk_v3(ctx, all_of_it),
        "openOrders": open_orders(ctx, all_of_it),
        "openAlgoOrders": open_algo_orders(ctx, all_of_it),
        "orders": [long_row(venue, order) for order in records.ordinary(venue.now())],
        "algoOrders": [algo_row(venue, order) for order in records.conditional()],
        "trades": trades,
        "income": income(ctx, Params({"startTime": 0}), most=INCOMES_MAX),
    }


def _name(position: Position) -> str:
    """Return what a position is called: by its symbol, and its side where there can be two."""
    is_only = position.side is PositionSide.BOTH
    return position.symbol if is_only else f"{position.symbol} {position.side.value}"


def _trades(ctx: RequestContext, symbol: str) -> list[object]:
    """Return every execution that is kept."""
    return _list(user_trades(ctx, Params({"symbol": symbol, "fromId": 0}), most=RECORDS_KEPT))


def _list(found: object) -> list[object]:
    assert isinstance(found, list)
    return found


async def move_market(venue: Venue, request: web.Request) -> object:
    """Show the exchange market data: a list of messages, tagged with `type`."""
    try:
        messages = _MARKET.decode(await request.read())
    except UNREADABLE as error:
        raise InputError(f"expected a list of market messages: {error}") from error
    for message in messages:
        venue.on_market(msgspec.structs.replace(message, ts=message.ts or venue.now()))
    return {"count": len(messages)}


async def deposit(venue: Venue, request: web.Request) -> object:
    try:
        wanted = msgspec.json.decode(await request.read(), type=Deposit)
    except UNREADABLE as error:
        raise InputError(f"expected account and amount: {error}") from error
    if not (wanted.amount.is_finite() and abs(wanted.amount) <= LARGEST_AMOUNT):
        raise InputError(f"amount must be at most {LARGEST_AMOUNT:f}, was {wanted.amount}")
    account = AccountId(wanted.account)
    if not venue.exchange.has_account(account):
        raise InputError(f"there is no account {account}")
    venue.deposit(account, wanted.amount, wanted.asset)
    return {"balances": {a: plain(v) for a, v in venue.exchange.balances(account).items()}}


ROUTES: dict[tuple[str, str], Answer] = {
    ("GET", "/admin/faults"): show_faults,
    ("POST", "/admin/faults"): give_faults,
    ("DELETE", "/admin/faults"): clear_faults,
    ("GET", "/admin/truth"): truth,
    ("POST", "/admin/market"): move_market,
    ("POST", "/admin/deposit"): deposit,
}
