"""Bars and contracts over public REST: what warms a strategy up, and what describes a contract."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.bars import BarBuilder
from ...model.errors import NetworkError, VenueRefused
from ...model.instrument import TRADING, Instrument
from ...model.market import Bar, timeframe_ns
from ...model.values import Symbol
from ..limits import Urgency
from . import codec
from .asking import BAD_SYMBOL, Asker
from .codec import BadFrame, reads
from .joining import require

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
PAGE_MAX = 1500
PAGES_MAX = 20

_BY_LENGTH = sorted(INTERVALS, key=timeframe_ns, reverse=True)


async def instruments(asker: Asker, symbols: Sequence[Symbol]) -> list[Instrument]:
    """Return contracts without brackets and with the usual fees, those that are traded.

    Raises:
        NetworkError: there was no answer.
        VenueRefused: the venue declined.
        ConfigError: none of the symbols is traded there.
    """
    raw = (await require(asker, reads.exchange_info(), Urgency.TRADE)).reply.body
    try:
        info = codec.exchange_info(raw)
    except BadFrame as error:
        raise NetworkError(str(error)) from error
    asker.hear_limits(info.rate_limits)
    rows = [codec.listed(info, symbol) for symbol in symbols]
    traded = [row for row in rows if row is not None and row.status == TRADING]
    if symbols and not traded:
        codec.contract(info, symbols[0])  # says what is wrong with it
    return [codec.instrument(row) for row in traded]


async def bars(
    asker: Asker, symbol: Symbol, timeframe: str, before_ts: int, count: int
) -> list[Bar]:
    """Return up to `count` closed bars that end at or before a time, oldest first.

    Time frames that the venue lacks are built of smaller ones; there is none below a minute.

    Raises:
        NetworkError: there was no answer.
        VenueRefused: the venue declined.
    """
    length = timeframe_ns(timeframe)
    interval = next((each for each in _BY_LENGTH if length % timeframe_ns(each) == 0), None)
    if interval is None or count <= 0:
        return []
    until = before_ts - before_ts % length
    parts = count * (length // timeframe_ns(interval))
    try:
        found = await _parts(asker, symbol, interval, until, min(parts, PAGE_MAX * PAGES_MAX))
    except VenueRefused as error:
        if error.code != BAD_SYMBOL:
            raise
        return []  # it is gone from the venue
    builder = BarBuilder(symbol, [timeframe])
    whole = [bar for part in found for bar in builder.on_bar(part)]
    if found and found[0].open_ts % length and whole:
        del whole[0]  # its beginning is missing
    return whole[-count:]


async def _parts(asker: Asker, symbol: Symbol, interval: str, until: int, wanted: int) -> list[Bar]:
    """Read bars page by page, backwards from a time."""
    found: list[Bar] = []
    while len(found) < wanted:
        count = min(PAGE_MAX, wanted - len(found))
        answered = await require(asker, reads.klines(symbol, interval, until, count), Urgency.TRADE)
        try:
            page = codec.bars(answered.reply.body, symbol, interval, until)
        except BadFrame as error:
            raise NetworkError(str(error)) from error
        found = [*page, *found]
        if len(page) < count:
            break
        until = page[0].open_ts
    return found
