"""Know a table of market data by its header, or by the number and kind of its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .rows import Row


class Field(NamedTuple):
    """A column that is read: its type, and the names it goes by.

    One of text is no part of a message: see `claims`.
    """

    kind: type
    names: tuple[str, ...]
    is_optional: bool = False

    def parse(self, text: str) -> float | bool | str:
        """Read a cell.

        Raises:
            ValueError: it is not of the field's type; NaN and infinity are no numbers here.
        """
        if self.kind is str:
            return text.strip().strip('"')
        value = text.strip().lower()
        number, expected = _SHAPES[self.kind]
        if number.fullmatch(value) is None:
            raise ValueError(f"{self.names[0]} must be {expected}, was {text!r}")
        if self.kind is bool:
            return value == "true"
        return int(value) if self.kind is int else float(value)


_SHAPES: dict[type, tuple[re.Pattern[str], str]] = {
    bool: (re.compile(r"true|false"), "true or false"),
    int: (re.compile(r"[+-]?[0-9]{1,30}"), "a whole number"),
    float: (re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?"), "a number"),
}

_TIMES = ("time", "transact_time", "transaction_time", "timestamp")
_TRADE = (
    Field(int, _TIMES),
    Field(float, ("price",)),
    Field(float, ("qty", "quantity")),
    Field(int, ("id", "agg_trade_id", "trade_id")),
    Field(bool, ("is_buyer_maker",)),
)
FIELDS: dict[str, tuple[Field, ...]] = {
    "klines": (
        Field(int, ("open_time",)),
        Field(float, ("open",)),
        Field(float, ("high",)),
        Field(float, ("low",)),
        Field(float, ("close",)),
        Field(float, ("volume",)),
        Field(int, ("count", "trade_count"), is_optional=True),
    ),
    "quotes": (
        Field(int, ("transaction_time", "time", "event_time")),
        Field(float, ("best_bid_price",)),
        Field(float, ("best_bid_qty",)),
        Field(float, ("best_ask_price",)),
        Field(float, ("best_ask_qty",)),
    ),
    "trades": _TRADE,
    "funding": (
        Field(int, ("funding_time_ms", "calc_time", "funding_time")),
        Field(float, ("rate", "last_funding_rate", "funding_rate")),
    ),
}
CLAIMS = (
    Field(str, ("symbol",), is_optional=True),
    Field(str, ("pair",), is_optional=True),
)
"""What a table of any kind may say of itself beside its name; of bars their end too."""

END_OF_BAR = Field(str, ("close_time",), is_optional=True)

PRICE_AND_QTY: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "klines": ((1, 2, 3, 4), (5,)),
    "marks": ((), ()),  # finer than the tick
    "quotes": ((1, 3), (2, 4)),
    "trades": ((1,), (2,)),
    "funding": ((), ()),
}
"""Which fields of a kind tell the tick, and which the lot."""

_KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
# What Binance's archive writes where it writes no header, by columns and how many are booleans.
_WITHOUT_HEADER = {
    (12, 0): _KLINES,
    (6, 0): "open_time,open,high,low,close,volume",
    (6, 1): "id,price,qty,quote_qty,time,is_buyer_maker",
    (7, 2): "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",  # spot
    (7, 1): "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
    (8, 2): "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
    "is_buyer_maker,is_best_match",  # spot
    (7, 0): "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,"
    "transaction_time,event_time",
    (3, 0): "calc_time,funding_interval_hours,last_funding_rate",
    (2, 0): "funding_time_ms,rate",
}


class Layout(NamedTuple):
    """Where the fields of a kind stand among a table's columns."""

    kind: str
    fields: tuple[Field, ...]
    places: tuple[int, ...]  # of the fields, in their order
    width: int
    has_header: bool

    @property
    def claims(self) -> tuple[Field, ...]:
        """Return the last of the fields: those that are held against the file's name."""
        return tuple(field for field in self.fields if field.kind is str)

    def parse(self, line: str) -> Row:
        """Read one line, cell by cell.

        Raises:
            ValueError: it has another number of columns, or a cell is not of its type.
        """
        cells = line.split(",")
        if len(cells) != self.width:
            raise ValueError(f"expected {self.width} columns, found {len(cells)}: {line[:80]!r}")
        pairs = zip(self.fields, self.places, strict=True)
        return tuple(field.parse(cells[place]) for field, place in pairs)


def layout_of_line(line: str, path: Path) -> Layout:
    """Tell the layout from a table's first line.

    Raises:
        ValueError: it is none that is known; the text says what was expected.
    """
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    if any(cell[:1].isalpha() and cell.lower() not in ("true", "false") for cell in cells):
        return layout_of_names([cell.lower() for cell in cells], path)
    booleans = sum(cell.lower() in ("true", "false") for cell in cells)
    names = _WITHOUT_HEADER.get((len(cells), booleans))
    if names is None:
        raise ValueError(
            f"{len(cells)} columns without a header are no known table ({line[:80]!r}); "
            f"expected a header such as {_WITHOUT_HEADER[6, 0]} or {_WITHOUT_HEADER[6, 1]}"
        )
    return layout_of_names(names.split(","), path)._replace(has_header=False)


def layout_of_names(names: Sequence[str], path: Path) -> Layout:
    """Tell the layout from the names of a table's columns.

    Raises:
        ValueError: no kind of table has all its fields among them.
    """
    for kind, fields in FIELDS.items():
        claims = (*CLAIMS, END_OF_BAR) if kind == "klines" else CLAIMS
        known = [(field, _place(field, names)) for field in (*fields, *claims)]
        if all(place is not None or field.is_optional for field, place in known):
            found = [(field, place) for field, place in known if place is not None]
            return Layout(
                kind=_kind_at(kind, path),
                fields=tuple(field for field, _ in found),
                places=tuple(place for _, place in found),
                width=len(names),
                has_header=True,
            )
    raise ValueError(
        f"the columns {', '.join(names)[:120]} are no known table; expected those of klines "
        f"({_WITHOUT_HEADER[6, 0]}), trades ({_WITHOUT_HEADER[6, 1]}), aggTrades, bookTicker "
        "or fundingRate"
    )


def _place(field: Field, names: Sequence[str]) -> int | None:
    return next((names.index(name) for name in field.names if name in names), None)


def _kind_at(kind: str, path: Path) -> str:
    """Mind the archive's folders: klines of mark prices look like klines of trades."""
    if kind != "klines":
        return kind
    parts = [part.lower() for part in path.parts]
    if any(part.startswith(("indexprice", "premiumindex")) for part in parts):
        raise ValueError("index prices and premiums are not traded; expected klines or trades")
    return "marks" if any(part.startswith("markprice") for part in parts) else kind
