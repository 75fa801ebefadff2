"""Learn what orders are called of which an execution names the venue's number alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from ...model.errors import VenueError, VenueUnavailable
from ...model.values import AccountId, Symbol
from ..limits import Urgency
from . import codec
from .answers import NOT_FOUND
from .asking import Answered, Asker, twice_if_gone
from .codec import BadFrame, Call, NoList, OrderNames, Others, TradeRow, reads
from .outcomes import Ask

PAGES_MAX = 200
"""How many pages of one list are read."""

NAMES_ASKED_MAX = 50
"""How many orders' names are asked for one by one."""

_log = logging.getLogger("holdfast.venue")


class OrderNaming(NamedTuple):
    """Asks for the names of one account's orders, and puts them into `names`."""

    asker: Asker
    names: OrderNames
    account: AccountId

    async def learn(self, rows: Sequence[TradeRow], others: Others | None) -> None:
        """Ask what we called the orders behind executions: page by page, then one by one."""
        for symbol, ids in codec.unnamed_orders(rows, self.names).items():
            try:
                await self._learn_of(symbol, ids)
            except BadFrame as error:
                leave_out(symbol, others, error)

    async def _learn_of(self, symbol: Symbol, ids: Sequence[int]) -> None:
        await self._list_names(symbol, ids)
        left = [each for each in ids if self.names.known(symbol, each) is None]
        for order_id in left[:NAMES_ASKED_MAX]:
            await self._learn_name(symbol, order_id)
        if any(self.names.known(symbol, each) is None for each in left):
            await self._list_forced(symbol)
        if len(left) > NAMES_ASKED_MAX:
            _log.warning("%s: %d orders of executions are not listed", symbol, len(left))

    async def _list_names(self, symbol: Symbol, ids: Sequence[int]) -> None:
        for _ in range(PAGES_MAX):
            body = (
                await fetch(self.asker, reads.orders_from(symbol, ids[0]), Urgency.TRADE)
            ).reply.body
            page = codec.open_orders(body, self.names, self.account)
            last = max((int(order.venue_order_id) for order in page), default=0)
            is_further = last >= ids[0]
            ids = [each for each in ids if each > last]
            if len(page) < reads.ROWS_MAX or not ids or not is_further:
                return

    async def _learn_name(self, symbol: Symbol, order_id: int) -> None:
        """Ask after one order; that it is not there is an answer, silence is none."""
        try:
            answered = await fetch(self.asker, reads.order_by_id(symbol, order_id), Urgency.TRADE)
        except VenueError as error:
            if error.code not in NOT_FOUND:
                raise
        else:
            codec.queried(answered.reply.body, self.names, self.account, asked_ts=0)

    async def _list_forced(self, symbol: Symbol) -> None:
        """Ask which orders were the venue's own: its list of all may leave those out.

        A liquidation that nothing else tells of is known by its name alone.
        """
        try:
            body = (await fetch(self.asker, reads.forced_orders(symbol), Urgency.TRADE)).reply.body
            codec.open_orders(body, self.names, self.account)
        except (VenueError, BadFrame) as error:
            _log.warning("%s: the venue's own orders can't be read: %s", symbol, error)


async def fetch(asker: Asker, call: Call, urgency: Urgency) -> Answered:
    """Ask what must be answered.

    Raises:
        VenueUnavailable: it was not; the text says why.
        VenueError: it was refused.
    """
    answered = await twice_if_gone(lambda: asker.read(call, ask=Ask.QUERY, urgency=urgency))
    if answered.is_ok:
        return answered
    text = f"{call.route.verb} {call.route.path}: {answered.outcome.reason}"
    if answered.outcome.code is None:
        raise VenueUnavailable(text)
    raise VenueError(text, code=answered.outcome.code)


def leave_out(symbol: Symbol, others: Others | None, error: BadFrame) -> None:
    """Tell of what can't be read of a symbol that is not ours; see `codec.lists`.

    Raises:
        BadFrame: it is ours, or the answer was none: another one may tell of the symbol.
    """
    if others is None or symbol in others.ours or isinstance(error, NoList):
        raise error
    others.tell(f"left out of the executions of {symbol}: {error}")
