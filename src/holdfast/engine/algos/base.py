"""What an execution algorithm is: a pure reaction of a parent order to what happens to it.

An algorithm keeps no memory. It reads the parent and its children, which are folded from the
journal, and answers with actions; so it survives a restart without code of its own.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from ..order import Order
from ..parent import Parent


class Cause(enum.Enum):
    """Why the algorithm is asked."""

    STARTED = enum.auto()
    WOKEN = enum.auto()
    CHILD_CLOSED = enum.auto()


STARTED = Cause.STARTED


class SendChild(msgspec.Struct, frozen=True):
    """Send one order of the parent's pattern for `qty`, base units."""

    qty: Decimal


class WakeIn(msgspec.Struct, frozen=True):
    """Ask again after `delay_ns`."""

    delay_ns: int


Action = SendChild | WakeIn
Algo = Callable[[Parent, Sequence[Order], Cause], list[Action]]
