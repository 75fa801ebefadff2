"""Read a raw capture of an exchange's streams: a line each, `<local receive ns> <json>`.

Messages are Binance's, wrapped as `{"stream", "data"}` or bare; depth snapshots are answers to
REST requests. A message's time is the exchange's own: T, when the books changed, else E, when
it was sent; for want of both, the time it was received. Streams overtake each other by some
milliseconds and an engine's time never goes back: a message that is older than one above it is
given that one's time, also where the one above is in the file before. More than `BACKSTEP_NS_MAX`
back is an error, but for a bar: it may be told of as late as the venue likes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from ..model.market import MarketData
from ..model.values import NS_PER_MS, NS_PER_S, Symbol
from .files import Block, fail, lines, read_blocks
from .guess import Decimals
from .names import symbol_of
from .source import SAMPLE_ROWS, Chunk, Reading, Source
from .translate import TRANSLATIONS, is_in_book, snapshot
from .wire import (
    KNOWN,
    AggTrade,
    BookTicker,
    DepthUpdate,
    Kline,
    TapeTrade,
    WireEvent,
    depth_decoder,
    envelope_decoder,
    event_decoder,
)

BACKSTEP_NS_MAX = NS_PER_S
_LINE = re.compile(rb"\d{16,20} ")
_PARTIAL = re.compile(r"@depth\d")
"""Streams of the best levels alone: as changes to a book they would be wrong."""

_TAPES = (TapeTrade, AggTrade)
"""Both tell of the same trades: of a symbol that came in both the first counts."""


def is_capture(line: bytes) -> bool:
    """Tell a line of a capture from one of a table."""
    return _LINE.match(line) is not None


def open_capture(path: Path) -> Source:
    """Look at the head of a capture.

    Raises:
        FeedError: it holds no market data, or a line of its head is torn.
    """
    sample = list(itertools.islice(lines(read_blocks(path)), SAMPLE_ROWS))
    decimals: dict[Symbol, Decimals] = {}
    for _, line in sample:
        _see(line, decimals)
    own = _own_symbol(path, decimals)
    if own is not None:
        decimals = {own: Decimals(), **decimals}
    reading = Reading()
    head = _Capture(path, own, reading).read(sample)
    if not head:
        seen = ", ".join(reading.skips) or "nothing"
        fail(path, 0, f"no market data in the first {len(sample)} lines, which hold {seen}")
    return Source(
        path=path,
        kind="capture",
        decimals=decimals,
        first_ts=head[0].ts,
        read=partial(_read, path, own),
        is_numbered=True,
        may_have=partial(_has, path),
    )


def _read(path: Path, own: Symbol | None, reading: Reading) -> Iterator[Chunk]:
    capture = _Capture(path, own, reading)
    for block in read_blocks(path):
        if chunk := capture.read(_numbered(block)):
            yield chunk


def _numbered(block: Block) -> Iterator[tuple[int, bytes]]:
    return enumerate(block.text.split(b"\n"), block.line)


class _Capture:
    """One pass over a capture: where it is, and the latest time it has shown."""

    def __init__(self, path: Path, own: Symbol | None, reading: Reading) -> None:
        self._path = path
        self._own = own  # whose the depth snapshots are
        self._wanted = reading.symbols
        self._skips = reading.skips
        self._last = reading.last_ts
        self._tapes: dict[str, type[WireEvent]] = {}  # which of the two streams counts
        self._numbers = reading.numbers
        self._quoted: dict[str, int] = {}  # time of the last quote

    def read(self, rows: Iterator[tuple[int, bytes]] | list[tuple[int, bytes]]) -> Chunk:
        messages: list[MarketData] = []
        for number, line in rows:
            if not line:
                continue
            received, _, body = line.partition(b" ")
            try:
                message = self._message(int(received), body)
            except (ValueError, OverflowError) as error:
                self._fail(number, line, error)
            if message is not None:
                messages.append(message)
        return messages

    def _message(self, received: int, body: bytes) -> MarketData | None:
        try:
            envelope = envelope_decoder.decode(body)
        except msgspec.ValidationError:
            return self._other(received, body)
        event = envelope.data
        if type(event) is DepthUpdate and _PARTIAL.search(envelope.stream):
            self._skips[envelope.stream] += 1
            return None
        return self._event(event, received)

    def _event(self, event: WireEvent, received: int) -> MarketData | None:
        if self._wanted and event.symbol not in self._wanted:
            return None
        kind = type(event)
        if kind in _TAPES and self._tapes.setdefault(event.symbol, kind) is not kind:
            self._skips[f"{event.__struct_config__.tag} beside another tape"] += 1
            return None
        told = event.sent if kind is Kline else 0  # a bar ends before anybody can tell of it
        ts = self._monotone((event.transacted or event.sent) * NS_PER_MS or received, told)
        if self._was_told(event):
            self._skips[f"{event.__struct_config__.tag} told before"] += 1
            return None
        if isinstance(event, _TAPES):
            self._number(event)
        message = TRANSLATIONS[kind](event, Symbol(event.symbol), ts)
        if message is None:
            self._skips[f"{event.__struct_config__.tag} without market data"] += 1
        return message

    def _was_told(self, event: WireEvent) -> bool:
        """Tell whether a trade came before, or a quote is older than the one before.

        While a connection is replaced by another, both tell the same, one later than the other.
        """
        at = event.transacted or event.sent
        if isinstance(event, _TAPES):
            number, told = self._numbers.told.get(event.symbol, (-1, 0))
            if event.trade_id <= number and at <= told:
                return True
            self._numbers.told[event.symbol] = event.trade_id, at
        elif isinstance(event, BookTicker):
            if at < self._quoted.get(event.symbol, 0):
                return True
            self._quoted[event.symbol] = at
        return False

    def _number(self, event: TapeTrade | AggTrade) -> None:
        """Number the trades that are shown without a gap: one that is not has a number too."""
        symbol, number, known = event.symbol, event.trade_id, self._numbers
        is_next = number == known.next_ids.get(symbol)
        known.next_ids[symbol] = number + 1
        if is_next and not is_in_book(event):
            known.unshown[symbol] += 1
        event.trade_id = number - known.unshown[symbol]

    def _other(self, received: int, body: bytes) -> MarketData | None:
        """Sort out what is no wrapped message of a kind that is shown."""
        whole = msgspec.json.decode(body)
        inner = whole.get("data", whole) if isinstance(whole, dict) else whole
        if not isinstance(inner, dict):
            self._skip(whole)
            return None
        if "lastUpdateId" in inner and "stream" not in whole:
            return self._depth(received, body)
        if inner.get("e") not in KNOWN:
            self._skip(whole)
            return None
        if inner is not whole:
            envelope_decoder.decode(body)  # raises again what made it fall through
        return self._event(event_decoder.decode(body), received)

    def _depth(self, received: int, body: bytes) -> MarketData | None:
        symbol = self._own
        if symbol is None:
            raise ValueError(
                "a depth snapshot does not name its symbol, and the capture holds several: "
                "name the file after one of them, as in btcusdt_20240808.gz"
            )
        if self._wanted and symbol not in self._wanted:
            return None
        answer = depth_decoder.decode(body)
        ts = self._monotone((answer.transacted or answer.sent) * NS_PER_MS or received)
        return snapshot(answer, symbol, ts)

    def _skip(self, whole: Any) -> None:  # noqa: ANN401  any JSON
        fields = whole if isinstance(whole, dict) else {}
        name = fields.get("stream") or fields.get("e") or "a message of no stream"
        self._skips[str(name)] += 1

    def _monotone(self, ts: int, told_ms: int = 0) -> int:
        """Return a time, or the latest shown; `told_ms` is when it was told of, if later."""
        if ts < self._last:
            if self._last - max(ts, told_ms * NS_PER_MS) > BACKSTEP_NS_MAX:
                raise ValueError(
                    f"its time is {(self._last - ts) / NS_PER_S:.3f} s before that of a line "
                    "above; sort the capture by its first column"
                )
            return self._last
        self._last = ts
        return ts

    def _fail(self, number: int, line: bytes, error: Exception) -> NoReturn:
        text = line[:80].decode("utf-8", "replace")
        fail(self._path, number, f"{error}; expected `<receive time in ns> <json>`: {text!r}")


def _own_symbol(path: Path, decimals: dict[Symbol, Decimals]) -> Symbol | None:
    if len(decimals) == 1:
        return next(iter(decimals))
    named = symbol_of(path)
    return named if named in decimals or not decimals else None


def _see(line: bytes, decimals: dict[Symbol, Decimals]) -> None:
    """Look at the texts of a message's numbers; what is torn is left to the reading to refuse."""
    try:
        whole = msgspec.json.decode(line.partition(b" ")[2])
    except msgspec.DecodeError:
        return
    inner = whole.get("data", whole) if isinstance(whole, dict) else whole
    if not isinstance(inner, dict) or inner.get("e") not in KNOWN or "s" not in inner:
        return
    seen = decimals.setdefault(Symbol(str(inner["s"])), Decimals())
    match inner:
        case {"e": "bookTicker", "b": bid, "B": bid_qty, "a": ask, "A": ask_qty}:
            seen.see((str(bid), str(ask)), (str(bid_qty), str(ask_qty)))
        case {"e": "trade" | "aggTrade", "p": price, "q": qty}:
            seen.see((str(price),), (str(qty),))
        case {"e": "kline", "k": {"o": o, "h": h, "l": l, "c": c, "v": volume}}:
            seen.see(map(str, (o, h, l, c)), (str(volume),))
        case _:
            pass  # other numbers do not tell the tick


def _has(path: Path, symbol: Symbol) -> bool:
    needle = b'"s":"' + symbol.encode() + b'"'
    return any(needle in block.text for block in read_blocks(path))
