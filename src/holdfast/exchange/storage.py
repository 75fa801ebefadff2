"""Taking the books back from the rows that storage kept."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..model.messages import AccountChange, ExecutionReport
from . import rows
from .books import Books
from .ledger import Position
from .market import Market
from .orders import VenueOrder
from .outputs import HedgedReport

_ORDER = msgspec.json.Decoder(VenueOrder)
_POSITION = msgspec.json.Decoder(Position)
_ACCOUNT = msgspec.json.Decoder(rows.AccountRow)
_MARKET = msgspec.json.Decoder(rows.MarketRow)
_COUNTERS = msgspec.json.Decoder(rows.Counters)
_TRADE = msgspec.json.Decoder(ExecutionReport | HedgedReport)
_MARGIN_MOVE = msgspec.json.Decoder(rows.MarginMove)
_INCOME = msgspec.json.Decoder(AccountChange)

_FIRST_TO_LAST = (
    rows.COUNTERS,
    rows.MARKET,
    rows.ACCOUNT,
    rows.POSITION,
    rows.ORDER,
    rows.MARGIN_MOVE,
    rows.TRADE,
    rows.INCOME,
)


def load(books: Books, kept: Iterable[rows.Row], now: int) -> None:
    """Fill empty books from rows: of each key the newest, trades and incomes oldest first.

    Raises:
        ValueError: a row is none that `drain_changes` made; the text names it.
    """
    by_kind: dict[str, list[rows.Row]] = {kind: [] for kind in _FIRST_TO_LAST}
    for row in kept:
        if row.kind not in by_kind or row.payload is None:
            raise ValueError(f"row {row.kind} {row.key!r} is of no known kind, or empty")
        by_kind[row.kind].append(row)
    for kind in _FIRST_TO_LAST:
        of_kind = by_kind[kind]
        if kind in (rows.ORDER, rows.MARGIN_MOVE):
            of_kind.sort(key=lambda row: int(row.key))
        for row in of_kind:
            try:
                _take(books, kind, row.payload or b"")
            except msgspec.MsgspecError as error:
                raise ValueError(f"row {kind} {row.key!r} can't be read: {error}") from error
    _by_end(books)
    _cover(books, now)


def _cover(books: Books, now: int) -> None:
    """Note that nobody knows what fell due until now; what a market that tells nothing had paid
    was paid by its last trade.
    """
    traded = {trade.symbol: trade.venue_ts for trade in books.trades}
    for symbol, market in books.markets.items():
        coverage = market.coverage
        coverage.lose(now, market.holders)
        if coverage.is_owed and not coverage.complete_ts:
            coverage.complete_ts = max(market.funded_ts, traded.get(symbol, 0))


def _by_end(books: Books) -> None:
    """Put closed orders in the order in which they ended: the oldest is forgotten first."""
    for account in books.accounts.values():
        ended = sorted(account.closed.items(), key=lambda item: item[1].updated_ts)
        account.closed = dict(ended)


def _take(books: Books, kind: str, payload: bytes) -> None:
    if kind == rows.COUNTERS:
        books.counters = _COUNTERS.decode(payload)
    elif kind == rows.MARKET:
        _take_market(books, _MARKET.decode(payload))
    elif kind == rows.ACCOUNT:
        row = _ACCOUNT.decode(payload)
        account = books.account(row.account)
        account.wallets.update(row.wallets)
        account.leverages.update(row.leverages)
        account.is_hedged = row.is_hedged
        account.is_multi_assets = row.is_multi_assets
        account.burns_fees = row.burns_fees
        account.isolated = dict.fromkeys(row.isolated)
    elif kind == rows.POSITION:
        _take_position(books, _POSITION.decode(payload))
    elif kind == rows.ORDER:
        _take_order(books, _ORDER.decode(payload))
    elif kind == rows.MARGIN_MOVE:
        move = _MARGIN_MOVE.decode(payload)
        books.margin_moves[move.number] = move
    elif kind == rows.TRADE:
        books.trades.append(_TRADE.decode(payload))
    else:
        books.incomes.append(_INCOME.decode(payload))


def _take_market(books: Books, row: rows.MarketRow) -> None:
    market = books.markets.get(row.instrument.symbol)
    if market is None:  # else what was given on this start holds
        market = books.markets[row.instrument.symbol] = Market(row.instrument, books.model)
    market.funded_ts = row.funded_ts
    market.display.kept_mark = row.mark
    market.coverage.complete_ts, market.coverage.charged = row.complete_ts, row.charged
    market.coverage.unknown = row.unknown
    if market.instrument.status != row.instrument.status:
        market.list_as(msgspec.structs.replace(market.instrument, status=row.instrument.status))


def _take_position(books: Books, position: Position) -> None:
    books.account(position.account).positions[position.symbol, position.side] = position
    if position.qty:
        holder = position.account, position.side
        books.markets[position.symbol].holders[holder] = position.qty


def _take_order(books: Books, order: VenueOrder) -> None:
    account, market = books.account(order.account), books.markets[order.symbol]
    for number in (order.algo_id, order.order_id):
        if number:
            books.by_id[number] = order
    if not order.is_open:
        account.close(order)
        return
    account.orders[order.cl_ord_id] = order
    if order.is_waiting:
        market.wait(order)
    else:
        market.rest(order)
