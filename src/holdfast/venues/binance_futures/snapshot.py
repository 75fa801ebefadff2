"""Read an account's books over REST: orders, positions, wallets, executions, income.

Positions and wallets are read first and executions last: a fill in between is then found among
the executions, and the engine sees that the books moved while they were read.

Executions are listed by symbol. Besides ours they are asked for where the account holds something
or the income list names fills: what somebody closed elsewhere while nobody listened is found so.

Executions name their order by the venue's number alone, and whose it is may be listed later than
they are. Such a one is left for the next look, which reaches further back than the venue trails:
booked under the number, it would be no fill of the order that waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from ...model.errors import VenueError, VenueUnavailable
from ...model.messages import (
    AccountChange,
    ExecutionReport,
    FundingPayment,
    SettlementPayment,
    VenueSnapshot,
)
from ...model.values import NS_PER_DAY, NS_PER_MS, AccountId, Symbol
from ..limits import Urgency
from . import codec
from .asking import BAD_SYMBOL, Answered, Asker
from .codec import BadFrame, Call, Income, OrderNames, Others, TradeRow, reads
from .complaints import Complaints
from .order_naming import PAGES_MAX, OrderNaming, fetch, leave_out
from .settings import ONE_BY_ONE_MAX

SPAN_NS = 7 * NS_PER_DAY
"""The longest time that one question after executions may cover."""

HISTORY_NS = 89 * NS_PER_DAY
"""How far back the venue remembers executions, with a day to spare."""

_log = logging.getLogger("holdfast.venue")


@dataclass(slots=True)
class _IncomeRead:
    """Pages of the income list as one, each row once."""

    changes: dict[str, AccountChange] = field(default_factory=dict)
    fills: dict[str, SettlementPayment] = field(default_factory=dict)
    row_count: int = 0

    def take(self, page: Income) -> bool:
        """Add a page; tell whether it has news."""
        known = len(self.changes) + len(self.fills)
        self.changes |= {_id_of(change): change for change in page.changes}
        self.fills |= {fill.settlement_id: fill for fill in page.fills}
        self.row_count += page.row_count
        return len(self.changes) + len(self.fills) > known


@dataclass(frozen=True, slots=True)
class Books:
    """Reads one account's books.

    Args:
        lag_ns: how far the venue's answers may trail what has happened.
        one_by_one_max: see `BinanceSettings`.

    Raises (each method):
        VenueUnavailable: a question was not answered; the text names it.
        VenueError: an answer can't be read.
    """

    asker: Asker
    names: OrderNames
    account: AccountId
    lag_ns: int
    one_by_one_max: int = ONE_BY_ONE_MAX
    _oddities: Complaints = field(default_factory=lambda: Complaints(_log))

    async def read(
        self,
        symbols: Sequence[Symbol],
        since: int,
        *,
        is_audit: bool = False,
        unlisted: frozenset[Symbol] = frozenset(),
    ) -> VenueSnapshot:
        """Read everything; `since` is the time from which executions and income are wanted.

        An audit is cheaper and waits for others. Of few symbols it lists the orders one by one,
        and none of other people's. Of many it lists them all at once, and executions only where
        something is held, open or in the income list: what that misses makes the books differ,
        and the next look at a difference is no audit.

        Args:
            unlisted: symbols that the venue does not list any more: of their orders and executions
                it says nothing, and of their end what its income list says.
        """
        asked_ts, offset = self.asker.clock.now(), self.asker.offset
        sure_ts = offset.venue_time(asked_ts) - offset.error_ns
        urgency = Urgency.AUDIT if is_audit else Urgency.TRADE
        held, wallets = await asyncio.gather(
            self._get(reads.positions(), urgency), self._get(reads.account(), urgency)
        )
        # Asked without symbols, all are of concern.
        others = Others(symbols, self._oddities.warn) if symbols else None
        positions = codec.positions(held.reply.body, others).positions
        wanted = {*symbols, *(each.symbol for each in positions)}
        if others is not None:
            others = Others(frozenset(wanted), self._oddities.warn)
        listed = wanted - unlisted
        is_narrow = is_audit and len(listed) > self.one_by_one_max
        asked = sorted(listed) if is_audit and not is_narrow else [None]
        orders = await self._orders(asked, asked_ts, urgency, others)
        if is_narrow:
            wanted = {each.symbol for each in positions}
        wanted |= {order.symbol for order in orders}
        start = max(since, asked_ts - HISTORY_NS) if since > 0 else asked_ts - SPAN_NS
        income = await self._income(codec.listed_since(start), urgency, others)
        named = (wanted | income.traded) - unlisted
        silent = set(unlisted)
        trades, is_partial = await self._trades(sorted(named), start, urgency, others, silent)
        ends = tuple(each for each in income.fills if each.symbol in silent)
        now = self.asker.clock.now()
        return VenueSnapshot(
            account=self.account,
            asked_ts=asked_ts,
            sure_ts=sure_ts,
            taken_ts=max(now, offset.venue_time(now) + offset.error_ns),
            orders=tuple(orders),
            positions=positions,
            balances=codec.balances(wallets.reply.body),
            trades=trades,
            changes=(*income.changes, *ends),
            trades_since=start,
            is_partial=is_partial,
        )

    async def _orders(
        self,
        symbols: Sequence[Symbol | None],
        asked_ts: int,
        urgency: Urgency,
        others: Others | None,
    ) -> list[ExecutionReport]:
        """Read open orders and conditional ones, symbol by symbol or (None) all at once."""
        listed, waiting = await asyncio.gather(
            asyncio.gather(*(self._list(reads.open_orders(each), urgency) for each in symbols)),
            asyncio.gather(
                *(self._list(reads.open_algo_orders(each), urgency) for each in symbols)
            ),
        )
        found: list[ExecutionReport] = []
        for read, bodies in ((codec.open_orders, listed), (codec.open_algo_orders, waiting)):
            for body in bodies:
                if body is not None:
                    found += read(body, self.names, self.account, asked_ts=asked_ts, others=others)
        return found

    async def _list(self, call: Call, urgency: Urgency) -> bytes | msgspec.Raw | None:
        """Read a symbol's list; None where its contract is gone: what was open there is, too."""
        try:
            return (await self._get(call, urgency)).reply.body
        except VenueError as error:
            if error.code != BAD_SYMBOL:
                raise
            return None

    async def _get(self, call: Call, urgency: Urgency = Urgency.TRADE) -> Answered:
        return await fetch(self.asker, call, urgency)

    # Executions

    async def _trades(
        self,
        symbols: Sequence[Symbol],
        start: int,
        urgency: Urgency = Urgency.TRADE,
        others: Others | None = None,
        silent: set[Symbol] | None = None,
    ) -> tuple[tuple[ExecutionReport, ...], bool]:
        """Read executions, and tell whether some wait for their orders to be listed.

        Symbols that the venue does not know any more are added to `silent`.
        """
        found = await asyncio.gather(
            *(self._trades_if_read(symbol, start, urgency, others) for symbol in symbols)
        )
        if silent is not None:
            silent |= {symbol for symbol, rows in zip(symbols, found, strict=True) if rows is None}
        rows = sorted(
            (row for rows in found for row in rows or ()), key=lambda row: (row.time, row.id)
        )
        settled_ts = self._settled_until()
        await OrderNaming(self.asker, self.names, self.account).learn(rows, others)
        told = [row for row in rows if self._is_named(row) or row.time * NS_PER_MS <= settled_ts]
        if len(told) < len(rows):
            _log.info("%d executions wait for their orders to be listed", len(rows) - len(told))
        return codec.trades(told, self.names, self.account), len(told) < len(rows)

    def _is_named(self, row: TradeRow) -> bool:
        return self.names.known(row.symbol, row.order_id) is not None

    def _settled_until(self) -> int:
        """Return the venue's time before which all is listed that will be, asked now."""
        return self.asker.offset.least_venue_time(self.asker.clock.now()) - self.lag_ns

    async def _trades_if_read(
        self, symbol: Symbol, start: int, urgency: Urgency, others: Others | None
    ) -> list[TradeRow] | None:
        """Read a symbol's executions; none where one is odd and the symbol not ours."""
        try:
            return await self._trades_of(symbol, start, urgency)
        except BadFrame as error:
            leave_out(symbol, others, error)
            return []

    async def _trades_of(
        self, symbol: Symbol, start: int, urgency: Urgency
    ) -> list[TradeRow] | None:
        """Read a symbol's executions: by time, and past a full page by id; None of one unknown."""
        end = self._until()
        rows: dict[int, TradeRow] = {}
        for begin, until in pairwise([*range(start, end, SPAN_NS), end]):
            body = await self._list(reads.trades_since(symbol, begin, until), urgency)
            if body is None:
                return None
            page = codec.trade_rows(body)
            rows |= {row.id: row for row in page}
            if len(page) >= reads.ROWS_MAX:
                rows |= await self._trades_before(symbol, begin, page)
                rows |= await self._trades_behind(symbol, max(row.id for row in page))
                break  # ids go up to the present
        return list(rows.values())

    async def _trades_before(
        self, symbol: Symbol, begin: int, page: Sequence[TradeRow]
    ) -> dict[int, TradeRow]:
        """Read what a full page may have left out of the beginning of its time."""
        rows = {row.id: row for row in page}
        for _ in range(PAGES_MAX):
            known, first_ts = len(rows), page[0].time * NS_PER_MS
            call = reads.trades_since(symbol, begin, first_ts)
            page = codec.trade_rows((await self._get(call)).reply.body)
            rows |= {row.id: row for row in page}
            if len(rows) == known or len(page) < reads.ROWS_MAX:
                return rows
        raise VenueUnavailable(f"{symbol}: more than {PAGES_MAX} pages of executions")

    async def _trades_behind(self, symbol: Symbol, last_id: int) -> dict[int, TradeRow]:
        rows: dict[int, TradeRow] = {}
        for _ in range(PAGES_MAX):
            page = codec.trade_rows(
                (await self._get(reads.trades_from(symbol, last_id + 1))).reply.body
            )
            rows |= {row.id: row for row in page}
            if len(page) < reads.ROWS_MAX:
                return rows
            newest = max(row.id for row in page)
            if newest <= last_id:
                raise VenueUnavailable(f"{symbol}: the same page of executions comes again")
            last_id = newest
        raise VenueUnavailable(f"{symbol}: more than {PAGES_MAX} pages of executions")

    # Income

    async def changes(
        self, start: int, urgency: Urgency = Urgency.TRADE, others: Others | None = None
    ) -> tuple[AccountChange, ...]:
        """Read what moved the wallet otherwise than by fills, oldest first, each once."""
        return (await self._income(start, urgency, others)).changes

    async def _income(self, start: int, urgency: Urgency, others: Others | None = None) -> Income:
        """Read the income list, all pages as one."""
        end, begin, read = self._until(), start, _IncomeRead()
        for _ in range(PAGES_MAX):
            page = await self._income_page(start, end, urgency, others)
            read.take(page)
            if page.row_count < reads.ROWS_MAX or page.last_ts + NS_PER_MS <= start:
                break
            if page.first_ts > start:
                await self._income_before(page, start, urgency, others, read)
            start = _behind(page, start)
        else:
            raise VenueUnavailable(f"more than {PAGES_MAX} pages of income")
        changes = sorted(read.changes.values(), key=lambda change: change.venue_ts)
        return Income(tuple(changes), read.row_count, start, tuple(read.fills.values()), begin)

    async def _income_page(
        self, start: int, end: int, urgency: Urgency, others: Others | None
    ) -> Income:
        body = (await self._get(reads.income_since(start, end), urgency)).reply.body
        return codec.income(body, self.account, others)

    async def _income_before(
        self, page: Income, start: int, urgency: Urgency, others: Others | None, read: _IncomeRead
    ) -> None:
        """Read what a full page may have left out of the beginning of its time."""
        for _ in range(PAGES_MAX):
            page = await self._income_page(start, page.first_ts, urgency, others)
            if not read.take(page) or page.row_count < reads.ROWS_MAX:
                return
        raise VenueUnavailable(f"more than {PAGES_MAX} pages of income")

    def _until(self) -> int:
        """Return a time that nothing can be later than, in the venue's time."""
        return self.asker.offset.venue_time(self.asker.clock.now()) + 60_000_000_000


def _behind(page: Income, start: int) -> int:
    """Return where to go on after a full page; past its millisecond where it has no other."""
    if page.last_ts > start:
        return page.last_ts
    _log.warning("of one millisecond's income no more than %d rows can be read", page.row_count)
    return page.last_ts + NS_PER_MS


def _id_of(change: AccountChange) -> str:
    if isinstance(change, SettlementPayment):
        return change.settlement_id
    return change.payment_id if isinstance(change, FundingPayment) else change.change_id
