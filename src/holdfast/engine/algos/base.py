"""What an execution algorithm is: a pure reaction of a parent order to what happens to it.

An algorithm keeps no memory. It reads the parent and its children, which are folded from the
journal, and answers with actions; so it survives a restart without code of its own.

A wish names one, and the terms behind it: `twap:over=10m,slices=6`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ...model.instrument import Instrument
from ...model.values import ENTRY, MARKET, ZERO, NewOrder, plain
from ..order import Order
from ..parent import Parent
from ..refusals import refusal


class Cause(enum.Enum):
    """Why the algorithm is asked."""

    STARTED = enum.auto()
    WOKEN = enum.auto()
    CHILD_CLOSED = enum.auto()


STARTED = Cause.STARTED


class SendChild(msgspec.Struct, frozen=True):
    """Send one order of the parent's pattern for `qty`, base units; less than a lot is not sent.

    With `or_end` it is the end then: there would be no other part either.
    """

    qty: Decimal
    or_end: bool = False


class WakeIn(msgspec.Struct, frozen=True):
    """Ask again after `delay_ns`."""

    delay_ns: int


class End(msgspec.Struct, frozen=True):
    """Send nothing any more, though not all has filled. `reason` says why; "" tells nobody.

    With `takes_back` what rests of it is asked back, for that reason.
    """

    reason: str = ""
    takes_back: str = ""


class Moment(NamedTuple):
    """What an algorithm is asked about: `now` is in nanoseconds UTC."""

    parent: Parent
    children: Sequence[Order]
    cause: Cause
    now: int

    @property
    def entries(self) -> list[Order]:
        """Return the children that open, denied ones among them, oldest first."""
        return [child for child in self.children if child.role is ENTRY]

    @property
    def left(self) -> Decimal:
        """Return what has neither filled nor is on its way, or at the venue, to do so.

        Of an entry that was met half way the venue's count may be ahead of what is booked.
        """
        entries = self.entries
        working = sum((child.leaves_qty for child in entries), ZERO)
        counted = sum((child.cum_qty for child in entries), ZERO)
        return self.parent.start.qty - max(self.parent.filled_qty, counted) - working

    @property
    def is_closed_in_part(self) -> bool:
        """Tell whether something has closed a part of what the entries opened."""
        parent = self.parent
        return parent.open_qty < parent.filled_qty - parent.turned_qty

    @property
    def refusal(self) -> str:
        """Say which entry was taken back, or refused by the venue; "" where none was."""
        if self.parent.refusal:
            return self.parent.refusal
        return next((why for child in self.entries if (why := refusal(child))), "")


def ended_by_close(moment: Moment) -> list[Action]:
    """End what something has closed a part of; told where that was not its own strategy's doing.

    What rests of it would open again.
    """
    taken = moment.parent.taken_qty
    why = f"others have closed {plain(taken)} of that" if taken else ""
    return [End(why, takes_back="a part of what it opened was closed")]


Action = SendChild | WakeIn | End
Terms = Mapping[str, str]
Reaction = Callable[[Moment, Terms], list[Action]]
Check = Callable[[Terms, NewOrder, Instrument, Decimal], None]
"""Raises ValueError, with what is wrong, on terms that do not fit an order, its contract or the
price that a unit is worth."""


def takes_no_terms(terms: Terms, order: NewOrder, instrument: Instrument, price: Decimal) -> None:
    """Refuse any terms."""
    del order, instrument, price
    check_names(terms, ())


class Algo(NamedTuple):
    """An algorithm: what it does, and which terms it takes."""

    react: Reaction
    check: Check = takes_no_terms


def check_names(terms: Terms, wanted: Sequence[str]) -> None:
    """Refuse terms of other names.

    Raises:
        ValueError: one is missing, or not known.
    """
    if set(terms) != set(wanted):
        has, wants = ", ".join(terms) or "none", ", ".join(wanted) or "none"
        raise ValueError(f"its terms are {wants}; these were {has}")


def check_largest(qty: Decimal, what: str, order: NewOrder, instrument: Instrument) -> None:
    """Refuse to cut an order into parts that are larger than the venue takes.

    Raises:
        ValueError: the text says how large the parts are and may be.
    """
    most, where = instrument.max_qty, ""
    if order.order_type is MARKET:
        most, where = instrument.max_market_qty, " at the market"
    part = instrument.round_qty(qty)
    if part > most:
        raise ValueError(f"{what} is {plain(part)}; the most{where} is {plain(most)}")


def check_part(qty: Decimal, what: str, instrument: Instrument, price: Decimal) -> None:
    """Refuse to cut an order into parts that the venue would not take.

    Raises:
        ValueError: the text says how small the parts are and how large they must be.
    """
    part = instrument.round_qty(qty)
    if part < instrument.min_qty:
        raise ValueError(f"{what} is {qty:f}; the least is {instrument.min_qty:f}")
    if part * price < instrument.min_notional:
        worth = f"{what} is worth {part * price:.2f}"
        raise ValueError(f"{worth}; the least is {instrument.min_notional:f}")
