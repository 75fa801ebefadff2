"""Keep from forked children what makes their parent the owner of a journal.

A child is born with every open file of its parent, the lock of a journal and the connection that
holds one among them. It may outlive a parent that is killed, such as a worker of a pool that a
strategy has made; the lock would outlive it too, and nobody could own the journal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")

_held: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


class Connected(Protocol):
    """Whoever holds a lock by a server's connection, which may be made anew."""

    sql: Connection


def keep_from_children(holder: T, let_go: Callable[[T], None]) -> None:
    """Have every forked child let go of what something holds, for as long as that lives."""
    _held[holder] = let_go


def leave_socket(holder: Connected) -> None:
    """Put nothing in the place of a socket, without a word to the server at its other end."""
    sql = holder.sql
    driver = None if sql.closed or sql.invalidated else sql.connection.driver_connection
    if driver is not None:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), driver.fileno())


def _let_go() -> None:
    for holder, let_go in tuple(_held.items()):
        let_go(holder)


os.register_at_fork(after_in_child=_let_go)
