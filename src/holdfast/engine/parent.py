"""A parent order: the whole quantity that was taken on, its children, and what it holds."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..model.events import FillRecognized, OrderFilled, ParentStarted
from ..model.values import ZERO, ClOrdId, Key, OrderRole, ParentId, Side, StrategyId

REFUSALS_MAX = 3
"""Refusals in a row after which a position is closed for want of a stop, or a target left out."""

Execution = OrderFilled | FillRecognized

PASSING = frozenset({None, -1003, -1008, -1015})
"""Codes of refusals that are of the moment: it never left, or the venue wants fewer requests."""

_SENDERS = {-1002, -1011, -1022, -1099, -1109, -2014, -2015, -2017, -4056, -4057, -4109}
_CLOCKS = {-1021, -5028}
_SERVICES = {-1016}
NOT_OF_THE_ORDER = PASSING | _SENDERS | _CLOCKS | _SERVICES
"""Codes of refusals that say nothing of the order: any other one would have been refused as well.

They speak of who sent it (key, signature, account), of the time that it bore, of the service.
"""


class Parent(msgspec.Struct):
    """One parent, folded from the journal.

    `open_qty` is what its entries have filled and nothing has closed yet: the quantity that its
    stop must cover. `attempts` counts children sent and children denied; `stop_failures` the
    stops that the venue refused in a row for what they were. `turned_qty` is what its entries
    closed by our books instead of opening, or lost to others' fills of before `entered_ts`, when
    the last of them filled at the venue, by `entered_trade`: what was closed there before that may
    be told later. `begun_ts` is when the first of them did. `taken_qty` is what others than its
    strategy have closed of the rest. `to_flatten` is how much of `open_qty` was taken over with the
    position, to be closed. `is_called_off` says that what ends trading has ended its work, or kept
    it from beginning; `is_over` that its algorithm has ended it short, and told so. `refusal` says
    which of its forgotten entries was taken back or refused, `last_price` which limit the last of
    these had at the venue, and `last_price_ts` of when it is.
    """

    start: ParentStarted
    children: list[ClOrdId] = []
    filled_qty: Decimal = ZERO
    open_qty: Decimal = ZERO
    opened_ts: int = 0  # of the first fill since all that it held had a working stop
    turned_qty: Decimal = ZERO
    taken_qty: Decimal = ZERO
    to_flatten: Decimal = ZERO
    begun_ts: int = 0
    entered_ts: int = 0
    entered_trade: str = ""
    attempts: int = 0
    wake_ts: int | None = None
    is_called_off: bool = False
    is_over: bool = False
    is_untold: bool = False  # ended before its time, with all of it at the venue: it may fill yet
    refusal: str = ""
    last_price: Decimal | None = None
    last_price_ts: int = 0
    stop_failures: int = 0
    is_alarmed: bool = False  # a missing stop has been reported and not restored

    def enter(self, fill: OrderFilled) -> None:
        """Hear of a fill of its entries, in whichever order they are told."""
        if not self.entered_after(fill):
            self.entered_ts, self.entered_trade = fill.venue_ts, fill.trade_id
        self.begun_ts = min(self.begun_ts or fill.venue_ts, fill.venue_ts)

    def entered_after(self, fill: Execution) -> bool:
        """Tell whether its last entry filled behind a fill; of one instant the numbers tell."""
        if self.entered_ts != fill.venue_ts:
            return self.entered_ts > fill.venue_ts
        own, its = self.entered_trade, fill.trade_id
        return own.isdecimal() and its.isdecimal() and int(own) > int(its)

    def is_behind(self, fill: Execution) -> bool:
        """Tell whether all its entries filled behind a fill, as far as is known."""
        return self.entered_after(fill) and not 0 < self.begun_ts < fill.venue_ts

    @property
    def parent_id(self) -> ParentId:
        """Return the parent's id."""
        return self.start.parent_id

    @property
    def key(self) -> Key:
        """Return the (account, symbol) pair."""
        return self.start.order.key

    @property
    def epoch(self) -> int:
        """Return the epoch in which it was wished for, which its intent's id begins with."""
        epoch = self.start.intent_id.partition("-")[0]
        return int(epoch) if epoch.isdecimal() else 0

    @property
    def side(self) -> Side:
        """Return the side of its entries."""
        return self.start.side

    @property
    def strategy_id(self) -> StrategyId:
        """Return who wished for it."""
        return self.start.strategy_id

    @property
    def legs(self) -> int:
        """Return how many protective orders it is to have."""
        return (self.start.stop_loss is not None) + (self.start.take_profit is not None)

    @property
    def wants_a_stop(self) -> bool:
        """Tell whether what it holds is to be closed, since the venue takes no stop of it."""
        return bool(self.open_qty) and self.stop_failures >= REFUSALS_MAX

    def protective_price(self, role: OrderRole) -> Decimal | None:
        """Return the trigger that the role's order must have; None where none was asked for."""
        return self.start.stop_loss if role is OrderRole.STOP_LOSS else self.start.take_profit
