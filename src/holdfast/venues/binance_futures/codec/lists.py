"""Lists whose rows are read one by one, so that an odd row is told from the others.

Rule 1: a row of ours that can't be read leaves the list unread: it may hide an order.
        So does an answer that is no list, whosoever it is.
Rule 2: one of a symbol that is not ours is left out and told: it must not keep an account from
        its books for ever. A row that names no symbol may be ours.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from .wire import UNREADABLE, BadFrame, decode

T = TypeVar("T")


class Others(NamedTuple):
    """Whose odd rows are left out: those of every symbol but `ours`. `tell` hears of each."""

    ours: Container[str]
    tell: Callable[[str], None]


class NoList(BadFrame):
    """The answer as a whole can't be read."""


class _Named(msgspec.Struct, frozen=True):
    symbol: str = ""


_ROWS = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_NAMED = msgspec.json.Decoder(_Named)


def read_rows(
    raw: bytes | msgspec.Raw,
    read: Callable[[msgspec.Raw], T],
    what: str,
    others: Others | None = None,
    *,
    is_vast: bool = False,
) -> Iterator[T]:
    """Read a list row by row.

    Args:
        others: whose odd rows are left out; nobody's when None.
        is_vast: all rows of others are passed over: reading them would hold up orders.

    Raises:
        NoList: it is none.
        BadFrame: a row can't be read and may be ours.
    """
    try:
        rows = decode(_ROWS, raw, what)
    except BadFrame as error:
        raise NoList(str(error)) from error
    for row in rows:
        if is_vast and others is not None and _is_of_others(row, others):
            continue
        try:
            found = read(row)
        except BadFrame as error:
            if others is None or not _is_of_others(row, others):
                raise
            others.tell(f"left out of {what}: {error}")
        else:
            yield found


def _is_of_others(row: msgspec.Raw, others: Others) -> bool:
    symbol = symbol_of(row)
    return bool(symbol) and symbol not in others.ours


def symbol_of(row: msgspec.Raw) -> str:
    """Return which symbol a row is of; "" where that can't be told."""
    try:
        return _NAMED.decode(row).symbol
    except UNREADABLE:
        return ""
