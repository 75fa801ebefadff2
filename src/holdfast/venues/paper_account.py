"""Open the simulated account that a session's settings describe."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec

from ..exchange import completed_instrument, known_instrument
from ..model.ids import parse_cl_ord_id
from ..model.values import MAIN, ZERO, AccountId, NewOrder, OrderStatus, Symbol
from ..owner_only import make_folder
from .paper import PaperSettings, PaperVenue
from .wiring import Wiring

BOOKS = "paper.db"

_NAMES = """
SELECT DISTINCT json_extract(CAST(payload AS TEXT), '$.asked.cl_ord_id')
FROM kept WHERE kind = 'order'
"""


_OPEN = """
SELECT payload FROM kept WHERE kind = 'position' OR kind = 'order' ORDER BY kind, key
"""


class _Kept(msgspec.Struct):
    """What a position's row, or an order's, tells of whether it is open."""

    symbol: Symbol = Symbol("")
    qty: Decimal = ZERO
    status: OrderStatus = OrderStatus.NEW
    asked: NewOrder | None = None

    @property
    def open_symbol(self) -> Symbol | None:
        if self.asked is not None:
            return self.asked.symbol if self.status.is_open else None
        return self.symbol if self.qty else None


_KEPT = msgspec.json.Decoder(_Kept)


def paper_path(folder: Path, account: AccountId = MAIN) -> Path:
    """Return where a folder's account keeps its books."""
    return folder / (BOOKS if account == MAIN else f"paper-{account}.db")


def open_paper(
    wiring: Wiring, *, initial_balance: Decimal | None = None, data_dir: Path | None = None
) -> PaperVenue:
    """Open it.

    Args:
        initial_balance: put in once, when the account is opened; None takes the setting.
        data_dir: where its books are kept; None takes the setting.
    """
    config = wiring.config
    guessed = {i.symbol: i for i in wiring.instruments()}
    folder = data_dir or config.data_dir
    make_folder(folder)
    open_there = open_symbols(paper_path(folder, wiring.account))
    asked = dict.fromkeys((*(wiring.symbols or guessed), *open_there))
    wanted = [s for s in asked if s in guessed or known_instrument(s)]
    return PaperVenue(
        account=wiring.account,
        path=paper_path(folder, wiring.account),
        instruments=[
            completed_instrument(s, guessed.get(s), is_listed=wiring.is_listed) for s in wanted
        ],
        clock=wiring.clock,
        settings=PaperSettings(
            initial_balance=initial_balance or config.initial_balance,
            leverage=config.leverage,
            leverages=dict(config.leverages),
            is_isolated=config.isolated,
        ),
    )


def open_symbols(path: Path) -> tuple[Symbol, ...]:
    """Return the symbols in which an account has a position or an order, by its books.

    None where there are no books, or where they can't be read: who opens them is told why.
    """
    if not path.exists():
        return ()
    try:
        with closing(sqlite3.connect(path, timeout=0)) as books:
            found = [_KEPT.decode(row[0]).open_symbol for row in books.execute(_OPEN)]
    except (sqlite3.Error, msgspec.MsgspecError):
        return ()
    return tuple(dict.fromkeys(symbol for symbol in found if symbol is not None))


def newest_epoch(path: Path) -> int:
    """Return the latest epoch of whose orders an account's books tell.

    0 where there are none, or where they can't be read: who opens them is told why.
    """
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=0)) as books:
            names = [row[0] for row in books.execute(_NAMES)]
    except sqlite3.Error:
        return 0
    return max((owner.epoch for owner in map(parse_cl_ord_id, names) if owner), default=0)
