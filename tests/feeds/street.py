"""A market with what goes wrong on the way to us: its tapes, its connections, and its REST."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from holdfast.model.errors import OutcomeUnknownError, VenueUnavailable
from holdfast.model.market import Bar, Trade, timeframe_ns
from holdfast.model.values import NS_PER_MS, NS_PER_S, Symbol
from holdfast.simulation.loop import SimLoop
from holdfast.venues.binance_futures.wire import Ears, HttpReply

START = 1_700_000_040 * NS_PER_S  # a full minute
PUBLIC, MARKET = "public", "market"
LATE_S = 0.3
"""How late a frame may be, each stream's by itself and in its order."""

HANG_S = 60.0
Levels = tuple[tuple[float, float], ...]
State = tuple[Levels, Levels]
Frame = tuple[Symbol, bytes, int | None, int]  # of which symbol, trade's number, exchange's life


class Tape:
    """One symbol as the exchange has it."""

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.trades: list[Trade] = []
        self.places: dict[Trade, int] = {}
        self.dropped: set[int] = set()  # places of trades of which single frames were lost
        self.lives: list[int] = []  # of the exchange, by place
        self.sides: tuple[dict[float, float], dict[float, float]] = ({99.0: 1.0}, {101.0: 1.0})
        self.update_id = self.told_id = 1000
        self.trade_id = 500
        self.changed: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.first_id = 0  # of what is to be told of the book
        self.states: defaultdict[int, set[State]] = defaultdict(set)
        self.past: deque[tuple[float, int, int, State]] = deque(maxlen=400)
        self.quotes: set[tuple[int, float, float, float, float]] = set()
        self.touch = (99.0, 1.0, 101.0, 1.0)
        self.touched_at = 0.0

    def state(self) -> State:
        bids, asks = self.sides
        return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))

    def note(self, at: float, ts: int) -> None:
        state = self.state()
        self.states[self.update_id].add(state)
        self.past.append((at, self.update_id, ts, state))

    def begin_anew(self) -> None:
        """Count from the beginning, as an exchange does that has lost its memory."""
        self.update_id = self.told_id = 10
        self.trade_id = self.first_id = 0
        self.changed = ({}, {})
        self.past.clear()

    def bars(self, timeframe: str, until_place: int | None = None) -> dict[int, Bar]:
        """Return the bars by their beginning."""
        length, found = timeframe_ns(timeframe), dict[int, list[Trade]]()
        for trade in self.trades[:until_place]:
            found.setdefault(trade.ts - trade.ts % length, []).append(trade)
        return {start: _bar(rows, timeframe, start) for start, rows in found.items()}


def _bar(rows: list[Trade], timeframe: str, start: int) -> Bar:
    prices = [each.price for each in rows]
    return Bar(
        symbol=rows[0].symbol,
        timeframe=timeframe,
        open_ts=start,
        ts=start + timeframe_ns(timeframe),
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(each.qty for each in rows),
        trade_count=len(rows),
    )


class Street:
    """The exchange, the road to it, and what is wrong with both.

    `cut`, `mute` and so on do what they say; the rest lasts until a time of the loop.
    """

    def __init__(self, loop: SimLoop, lots: Random, symbols: tuple[Symbol, ...]) -> None:
        self.loop, self.lots = loop, lots
        self.tapes = {symbol: Tape(symbol) for symbol in symbols}
        self.venue_off = self.machine_off = 0  # ns
        self.revisited: list[tuple[int, int]] = []  # venue times that came twice
        self.life = 0
        self.has_dropped = False  # single frames, though their connection lived on
        self.has_lost = False  # likewise, and the connection was as lively as ever
        self.has_failed = False  # REST, or the clocks were not right
        self.told: defaultdict[str, deque[Frame]] = defaultdict(lambda: deque(maxlen=4))
        self.sockets: list[FarSocket] = []
        self.lost_at: dict[tuple[Symbol, str], float] = {}
        self.arrived: set[tuple[Symbol, int, int]] = set()  # trades' numbers and lives
        self.until: defaultdict[str, float] = defaultdict(float)
        self.no_marks: defaultdict[Symbol, float] = defaultdict(float)
        self.quiet: defaultdict[Symbol, float] = defaultdict(float)
        self.rest_lag_s = 0.0
        self.asked: list[tuple[float, str]] = []
        self.opened = Counter[str]()

    # Times

    def venue_now(self) -> int:
        now = START + self.loop.now_ns + self.venue_off
        return now - now % NS_PER_MS

    def machine_now(self) -> int:
        return START + self.loop.now_ns + self.machine_off

    def lasts(self, what: str) -> bool:
        return self.loop.time() < self.until[what]

    # What goes wrong

    def cut(self, path: str) -> None:
        for each in [s for s in self.sockets if path in {s.path, ""}]:
            each.break_off("connection reset")

    def mute(self, path: str, seconds: float, *, has_pongs: bool) -> None:
        for each in [s for s in self.sockets if path in {s.path, ""}]:
            each.mute_until, each.has_pongs = self.loop.time() + seconds, has_pongs

    def step_venue(self, off_ns: int) -> None:
        before = self.venue_now()
        self.venue_off += off_ns
        self.has_failed = True
        if off_ns < 0:
            self.revisited.append((self.venue_now() - 2 * NS_PER_S, before + 2 * NS_PER_S))

    def restart(self, seconds: float, *, forgets: bool) -> None:
        self.until["refused"] = max(self.until["refused"], self.loop.time() + seconds)
        self.cut("")
        self.life += 1
        for tape in self.tapes.values():
            if forgets:
                tape.begin_anew()
            tape.note(self.loop.time(), self.venue_now())

    # The market goes on

    async def live(self, symbol: Symbol, until: float) -> None:
        tape, lots = self.tapes[symbol], self.lots
        tape.note(self.loop.time(), self.venue_now())
        while self.loop.time() < until:
            await asyncio.sleep(lots.expovariate(2.5))
            if self.lasts("refused") or self.loop.time() < self.quiet[symbol]:
                continue
            if lots.random() < 0.4:
                self.trade(tape)
            else:
                self.change(tape)

    async def mark(self, symbol: Symbol, until: float) -> None:
        while self.loop.time() < until:
            await asyncio.sleep(1.0)
            if not self.lasts("refused") and self.loop.time() >= self.no_marks[symbol]:
                ms = self.venue_now() // NS_PER_MS
                told = {"e": "markPriceUpdate", "E": ms, "s": symbol, "p": "100.5", "i": "100.5"}
                self.tell(symbol, "markPrice@1s", {**told, "P": "1", "r": "0.0001", "T": 0})

    def trade(self, tape: Tape, count: int = 1) -> None:
        for _ in range(count):
            tape.trade_id += 1
            ts, price = self.venue_now(), float(self.lots.randint(95, 105))
            qty = self.lots.randint(1, 9) / 8
            trade = Trade(tape.symbol, ts, price, qty, tape.trade_id, False)
            tape.places[trade] = len(tape.trades)
            tape.trades.append(trade)
            tape.lives.append(self.life)
            ms = ts // NS_PER_MS
            told = {"e": "aggTrade", "E": ms, "T": ms, "s": tape.symbol, "a": tape.trade_id}
            self.tell(tape.symbol, "aggTrade", {**told, "p": str(price), "q": str(qty), "m": False})

    def change(self, tape: Tape) -> None:
        side, ts = self.lots.randrange(2), self.venue_now()
        price = float(99 - self.lots.randrange(6) if side == 0 else 101 + self.lots.randrange(6))
        qty = float(self.lots.randint(0, 3))
        levels = tape.sides[side]
        if not qty and len(levels) < 2:
            qty = 2.0
        tape.update_id += self.lots.randint(1, 3)
        tape.first_id = tape.first_id or tape.update_id
        tape.changed[side][price] = levels[price] = qty
        if not qty:
            del levels[price]
        tape.note(self.loop.time(), ts)
        if len(tape.changed[0]) + len(tape.changed[1]) == 1:
            self.loop.call_later(0.1, self.flush, tape)
        (bid, bid_qty), (ask, ask_qty) = (each[0] for each in tape.state())
        touch = (bid, bid_qty, ask, ask_qty)
        if touch != tape.touch:
            tape.touch, tape.touched_at = touch, self.loop.time()
            tape.quotes.add((ts, *touch))
            told = {"e": "bookTicker", "u": tape.update_id, "E": ts // NS_PER_MS}
            told |= {"T": ts // NS_PER_MS, "s": tape.symbol, "b": str(bid), "B": str(bid_qty)}
            self.tell(tape.symbol, "bookTicker", {**told, "a": str(ask), "A": str(ask_qty)})

    def flush(self, tape: Tape) -> None:
        bids, asks = ([[str(p), str(q)] for p, q in side.items()] for side in tape.changed)
        tape.changed = ({}, {})
        if not (bids or asks):
            return  # it has counted anew meanwhile
        ms = self.venue_now() // NS_PER_MS
        told = {"e": "depthUpdate", "E": ms, "T": ms, "s": tape.symbol, "U": tape.first_id}
        told |= {"u": tape.update_id, "pu": tape.told_id, "b": bids, "a": asks}
        tape.told_id, tape.first_id = tape.update_id, 0
        self.tell(tape.symbol, "depth@100ms", told)

    def tell(self, symbol: Symbol, kind: str, told: Mapping[str, Any]) -> None:
        stream = f"{symbol.lower()}@{kind}"
        frame = json.dumps({"stream": stream, "data": told}, separators=(",", ":")).encode()
        number = told["a"] if kind == "aggTrade" else None
        self.told[stream].append((symbol, frame, number, self.life))
        for each in self.sockets:
            if stream in each.streams:
                each.tell(stream, symbol, frame, number)


class FarSocket:
    """The exchange's end of a connection."""

    def __init__(self, street: Street, path: str, streams: frozenset[str], ears: Ears) -> None:
        self.street, self.path, self.streams, self.ears = street, path, streams, ears
        self.is_open = True
        self.mute_until, self.has_pongs = 0.0, True
        self.has_dropped = False
        self._free_at: defaultdict[str, float] = defaultdict(float)

    def tell(self, stream: str, symbol: Symbol, frame: bytes, number: int | None) -> None:
        street, lots, loop = self.street, self.street.lots, self.street.loop
        if loop.time() < self.mute_until:
            street.has_dropped = self.has_dropped = True
            return
        if self.has_dropped:
            street.has_lost = True  # it speaks again, and nothing tells of what it left out
        tape = street.tapes[symbol]
        if street.lasts("lossy") and lots.random() < 0.1:
            street.has_dropped = street.has_lost = True
            if number is not None:
                tape.dropped.add(len(tape.trades) - 1)
            return
        if street.lasts("garbled") and lots.random() < 0.1:
            street.has_dropped = street.has_lost = True
            if number is not None:
                tape.dropped.add(len(tape.trades) - 1)
            frame, number = frame[: len(frame) // 2], None
        for _ in range(2 if street.lasts("doubled") else 1):
            self._send(stream, (symbol, frame, number, street.life))

    def retell(self) -> None:
        """Begin with what was told before."""
        for stream in sorted(self.streams):
            for frame in self.street.told[stream]:
                self._send(stream, frame)

    def _send(self, stream: str, frame: Frame) -> None:
        loop = self.street.loop
        soonest = loop.time() + self.street.lots.uniform(0.002, LATE_S)
        self._free_at[stream] = when = max(self._free_at[stream] + 1e-6, soonest)
        loop.call_at(when, self._arrive, *frame)

    def _arrive(self, symbol: Symbol, frame: bytes, number: int | None, life: int) -> None:
        if self.is_open:
            if number is not None:
                self.street.arrived.add((symbol, number, life))
            self.ears.on_frame(frame)

    def break_off(self, reason: str) -> None:
        if self.is_open:
            self._end()
            self.ears.on_closed(reason)

    def _end(self) -> None:
        street, self.is_open = self.street, False
        street.sockets.remove(self)
        if not any(each.path == self.path for each in street.sockets):
            for symbol in street.tapes:
                street.lost_at[symbol, self.path] = street.loop.time()

    # As our end

    def send(self, frame: bytes | str) -> bool:
        return self.is_open

    def ping(self) -> None:
        if self.has_pongs or self.street.loop.time() >= self.mute_until:
            self.street.loop.call_later(0.05, self._pong)

    def _pong(self) -> None:
        if self.is_open:
            self.ears.on_pong()

    def close(self) -> None:
        if self.is_open:
            self._end()


class StreetWire:
    """The way to it."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self._sockets: list[FarSocket] = []

    async def open_socket(self, url: str, ears: Ears) -> FarSocket:
        street = self._street
        path, streams = urlsplit(url).path.split("/")[1], url.partition("streams=")[2]
        street.opened[path] += 1
        await asyncio.sleep(street.lots.uniform(0.01, 0.3))
        if street.lasts("hanging"):
            await asyncio.sleep(HANG_S)
        if street.lasts("refused"):
            raise VenueUnavailable("connection refused")
        socket = FarSocket(street, path, frozenset(streams.split("/")), ears)
        street.sockets.append(socket)
        self._sockets.append(socket)
        if street.lasts("retold"):
            socket.retell()
        try:
            await asyncio.sleep(street.lots.uniform(0.0, 0.2))
        except asyncio.CancelledError:
            socket.close()
            raise
        return socket

    async def request(
        self, verb: str, url: str, headers: Mapping[str, str], timeout_s: float
    ) -> HttpReply:
        street, parts = self._street, urlsplit(url)
        query = dict(parse_qsl(parts.query))
        street.asked.append((street.loop.time(), parts.path))
        await asyncio.sleep(street.lots.uniform(0.005, 0.2))
        if street.lasts("refused"):
            street.has_failed = True
            raise VenueUnavailable("connection refused")
        if street.lasts("no_rest"):
            street.has_failed = True
            if street.lots.random() < 0.3:
                await asyncio.sleep(timeout_s)
                raise OutcomeUnknownError("it took too long")
            return HttpReply(503, {}, b"<html>")
        body = json.dumps(_ANSWERS[parts.path.rpartition("/")[2]](street, query)).encode()
        await asyncio.sleep(street.lots.uniform(0.005, 3.0 if street.lasts("slow") else 0.2))
        return HttpReply(200, {}, body)

    async def close(self) -> None:
        for each in self._sockets:
            each.close()


def _depth(street: Street, query: dict[str, str]) -> object:
    tape = street.tapes[Symbol(query["symbol"])]
    lag_s = street.rest_lag_s if street.lasts("rest_lag") else 0.0
    shown = tape.past[0]
    for each in tape.past:
        if each[0] <= street.loop.time() - lag_s:
            shown = each
    _, number, ts, sides = shown
    bids, asks = ([[str(p), str(q)] for p, q in side] for side in sides)
    ms = ts // NS_PER_MS
    return {"lastUpdateId": number, "E": ms, "T": ms, "bids": bids, "asks": asks}


def _klines(street: Street, query: dict[str, str]) -> object:
    tape, timeframe = street.tapes[Symbol(query["symbol"])], query["interval"]
    until = (int(query["endTime"]) + 1) * NS_PER_MS
    found = [bar for start, bar in sorted(tape.bars(timeframe).items()) if start < until]
    return [
        [
            b.open_ts // NS_PER_MS, str(b.open), str(b.high), str(b.low), str(b.close),
            str(b.volume), b.ts // NS_PER_MS - 1, "0", b.trade_count, "0", "0", "0",
        ]
        for b in found[-int(query["limit"]) :]
    ]  # fmt: skip


def _time(street: Street, _: dict[str, str]) -> object:
    return {"serverTime": street.venue_now() // NS_PER_MS}


_ANSWERS: dict[str, Callable[[Street, dict[str, str]], object]] = {
    "depth": _depth,
    "klines": _klines,
    "time": _time,
}
