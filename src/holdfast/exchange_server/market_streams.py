"""The public streams: what is sent the moment it happens, and what every so many milliseconds.

Only what somebody wants is made, and made once for all who want it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from ..exchange import OrderUpdate, Output
from ..model.market import MarketData, MarkPrice, Trade
from ..model.messages import ExecType
from ..model.values import NS_PER_MS, Side, Symbol
from . import market_frames as make
from .depth import DepthWatch, DiffTap
from .faults import Kind
from .frames import encode, ms
from .frames_market import ContinuousKlineBody, ContinuousKlineFrame, DepthFrame, KlineFrame
from .levels import offered_to
from .market_frames import Touch
from .stream_names import Channel, parse
from .subscriptions import Hub
from .tape import Candle, Tape
from .user_events import is_liquidation
from .venue import Venue

PULSE_NS = 50 * NS_PER_MS
"""How often `pulse` wants to be called."""

MARKS_AVERAGED = 30

_PERIODS_MS = {
    "aggTrade": 100,
    "kline": 250,
    "continuousKline": 250,
    "forceOrder": 1000,
    "miniTicker": 2000,
    "ticker": 2000,
}
_PERIODS_OF_ALL_MS = {"miniTicker": 1000, "ticker": 1000, "bookTicker": 5000, "forceOrder": 1000}
_OF_DIFFS = ("depth", "rpiDepth")  # nobody here improves prices for retail orders


def period_ns(channel: Channel) -> int:
    """Return how often a stream speaks; 0 when it speaks as things happen."""
    periods = _PERIODS_MS if channel.symbol else _PERIODS_OF_ALL_MS
    return (channel.speed_ms or periods.get(channel.kind, 0)) * NS_PER_MS


class Lane:
    """What is remembered of one symbol between its events."""

    __slots__ = ("average", "tape", "told_group", "touch", "watch")

    def __init__(self, tape: Tape, watch: DepthWatch) -> None:
        self.tape = tape
        self.watch = watch
        self.told_group = 0  # the newest that was told
        self.touch: Touch | None = None
        self.average = 0.0  # moving, of the mark


class MarketStreams:
    """Feeds a hub from a venue. Call `pulse` about every `PULSE_NS`."""

    def __init__(self, venue: Venue, hub: Hub) -> None:
        self._venue = venue
        self._hub = hub
        self._lanes: dict[Symbol, Lane] = {}
        self._names: dict[Channel, dict[str, None]] = {}
        self._due: dict[Channel, int] = {}
        self._taps: dict[Channel, DiffTap] = {}
        self._told_bars: dict[Channel, tuple[int, int, bool]] = {}  # begin, count, is closed
        self._told_ids: dict[tuple[Channel, Symbol], int] = {}  # of trades, or of book updates
        self._forced: dict[Channel, dict[Symbol, tuple[Decimal, bytes]]] = {}
        self._speak: dict[str, Callable[[Channel, int], None]] = {
            "aggTrade": self._speak_groups,
            "kline": self._speak_kline,
            "continuousKline": self._speak_kline,
            "markPrice": self._speak_mark,
            "miniTicker": self._speak_ticker,
            "ticker": self._speak_ticker,
            "bookTicker": self._speak_touches,
            "levels": self._speak_levels,
            "depth": self._speak_diff,
            "rpiDepth": self._speak_diff,
            "forceOrder": self._speak_forced,
        }
        hub.on_demand = self.on_demand
        venue.market_sinks.append(self.on_market)
        venue.sinks.append(self.on_outputs)

    # Demand

    def on_demand(self, name: str, is_wanted: bool) -> None:
        """Hear that a stream is wanted by somebody, or by nobody any more."""
        channel = parse(name)
        if channel is None or (channel.symbol and channel.symbol not in self._venue.tapes):
            return
        names = self._names.setdefault(channel, {})
        if is_wanted:
            names[name] = None
            self._open(channel)
            return
        names.pop(name, None)
        if not names:
            self._close(channel)

    def _open(self, channel: Channel) -> None:
        period = period_ns(channel)
        if period and channel not in self._due:
            now = self._venue.now()
            self._due[channel] = now - now % period + period
        if channel.kind == "aggTrade":
            lane = self._lane(channel.symbol)
            over = next(lane.tape.aggregates.over(self._venue.now()), None)
            lane.told_group = max(lane.told_group, over.number if over is not None else 0)
        if channel.kind in _OF_DIFFS and channel not in self._taps:
            self._taps[channel] = self._lane(channel.symbol).watch.tap()

    def _close(self, channel: Channel) -> None:
        del self._names[channel]
        self._due.pop(channel, None)
        self._told_bars.pop(channel, None)
        self._forced.pop(channel, None)
        for key in [key for key in self._told_ids if key[0] == channel]:
            del self._told_ids[key]
        tap = self._taps.pop(channel, None)
        if tap is not None:
            self._lane(channel.symbol).watch.untap(tap)

    def _lane(self, symbol: str) -> Lane:
        lane = self._lanes.get(Symbol(symbol))
        if lane is None:
            tape = self._venue.tapes[Symbol(symbol)]
            lane = self._lanes[tape.symbol] = Lane(tape, DepthWatch(self._venue.exchange, tape))
        return lane

    def _publish(self, channel: Channel, payload: bytes) -> None:
        for name in self._names.get(channel, ()):
            self._hub.publish(name, payload)

    # As things happen

    def on_market(self, message: MarketData) -> None:
        """Hear what the market shows."""
        lane = self._lane(message.symbol)
        if isinstance(message, Trade):
            self._on_trade(lane, message)
        elif isinstance(message, MarkPrice):
            before = lane.average or message.mark_price
            lane.average = before + (message.mark_price - before) / MARKS_AVERAGED
        else:
            self._tell_touch(lane)

    def _on_trade(self, lane: Lane, trade: Trade) -> None:
        channel = Channel("trade", trade.symbol)
        if channel in self._names:
            sent = ms(self._venue.now())
            self._publish(channel, encode(make.trade(trade, lane.tape.digits, sent)))
        channel = Channel("aggTrade", trade.symbol)
        if channel in self._names and lane.tape.aggregates.number > lane.told_group + 1:
            self._speak_groups(channel, self._venue.now())

    def on_outputs(self, outputs: Sequence[Output], now: int) -> None:
        """Hear what happened to orders: they are part of the book, and some are forced."""
        touched: dict[Symbol, None] = {}
        for output in outputs:
            if isinstance(output, OrderUpdate):
                touched[output.order.symbol] = None
                is_fill = output.report.exec_type is ExecType.TRADE
                if is_fill and is_liquidation(output.order):
                    self._on_forced(output, now)
        for symbol in touched:
            self._tell_touch(self._lane(symbol))

    def _on_forced(self, update: OrderUpdate, now: int) -> None:
        symbol, report = update.order.symbol, update.report
        size = report.last_qty * report.last_px
        for channel in (Channel("forceOrder", symbol), Channel("forceOrder")):
            largest = self._forced.setdefault(channel, {})
            if channel in self._names and size > largest.get(symbol, (Decimal(0), b""))[0]:
                frame = make.force_order(update, self._lane(symbol).tape.digits, ms(now))
                largest[symbol] = (size, encode(frame))

    def _tell_touch(self, lane: Lane) -> None:
        channel = Channel("bookTicker", lane.tape.symbol)
        if channel not in self._names:
            return
        touch = self._touch(lane.tape)
        if touch != lane.touch:
            lane.touch = touch
            sent = ms(self._venue.now())
            self._publish(channel, encode(make.book_ticker(lane.tape, touch, sent)))

    def _touch(self, tape: Tape) -> Touch:
        return Touch(self._best(tape, Side.SELL), self._best(tape, Side.BUY))

    def _best(self, tape: Tape, taker: Side) -> tuple[str, str]:
        digits = tape.digits
        quick = self._venue.exchange.touch(tape.symbol, taker)
        if quick is not None:
            return digits.px(quick[0]), digits.amount(quick[1])
        found = offered_to(self._venue.exchange, tape, taker, 1)
        return found[0] if found else (digits.px(0.0), digits.amount(0.0))

    # Every so often

    def pulse(self, now: int) -> None:
        """Let every stream speak whose time has come."""
        for channel, due in tuple(self._due.items()):
            if now >= due:
                period = period_ns(channel)
                self._due[channel] = now - now % period + period
                self._speak[channel.kind](channel, now)

    def _tapes(self, channel: Channel) -> Iterable[Tape]:
        if channel.symbol:
            return (self._venue.tapes[Symbol(channel.symbol)],)
        return self._venue.tapes.values()

    def _say_all(self, channel: Channel, frames: Sequence[msgspec.Struct]) -> None:
        """Send one symbol's frame bare, those of all symbols as one array."""
        if frames:
            self._publish(channel, encode(frames[0] if channel.symbol else list(frames)))

    def _speak_groups(self, channel: Channel, now: int) -> None:
        lane = self._lane(channel.symbol)
        over = lane.tape.aggregates.over(now)
        for group in list(itertools.takewhile(lambda g: g.number > lane.told_group, over))[::-1]:
            lane.told_group = group.number
            self._publish(channel, encode(make.aggregate(group, lane.tape.digits, ms(now))))

    def _speak_mark(self, channel: Channel, now: int) -> None:
        frames = []
        for tape in self._tapes(channel):
            mark = self._venue.mark_of(tape)
            if mark is not None:
                average = self._lane(tape.symbol).average or mark.mark_price
                frames.append(make.mark_price(mark, average, ms(now)))
        self._say_all(channel, frames)

    def _speak_ticker(self, channel: Channel, now: int) -> None:
        maker = make.ticker if channel.kind == "ticker" else make.mini_ticker
        frames: list[msgspec.Struct] = []
        for tape in self._tapes(channel):
            last_id = tape.trades[-1].trade_id if tape.trades else 0
            key = (channel, tape.symbol)
            day = tape.day(now) if last_id != self._told_ids.get(key) else None
            if day is not None:
                self._told_ids[key] = last_id
                frames.append(maker(tape, day, ms(now)))
        self._say_all(channel, frames)

    def _speak_touches(self, channel: Channel, now: int) -> None:
        for tape in self._tapes(channel):
            self._publish(channel, encode(make.book_ticker(tape, self._touch(tape), ms(now))))

    def _speak_kline(self, channel: Channel, now: int) -> None:
        tape = self._venue.tapes[Symbol(channel.symbol)]
        candles = tape.series(channel.interval).candles
        if not candles:
            return
        start, count, was_closed = self._told_bars.get(channel, (candles[-1].start, -1, True))
        if candles[-1].start > start and not was_closed:  # its last word is still owed
            owed = [candle for candle in reversed(candles) if candle.start == start]
            self._say_kline(channel, tape, owed[:1], now, is_closed=True)
        candle = candles[-1]
        is_closed = now >= candle.end
        said = (candle.start, candle.count, is_closed)
        if said != (start, count, was_closed):
            self._told_bars[channel] = said
            self._say_kline(channel, tape, [candle], now, is_closed=is_closed)

    def _say_kline(
        self, channel: Channel, tape: Tape, candles: Iterable[Candle], now: int, *, is_closed: bool
    ) -> None:
        for candle in candles:
            body = make.kline_body(tape, candle, channel.interval, is_closed=is_closed)
            if channel.kind == "kline":
                self._publish(channel, encode(KlineFrame(ms(now), tape.symbol, body)))
            else:
                of_pair = ContinuousKlineBody.of(body)
                frame = ContinuousKlineFrame(ms(now), tape.symbol, "PERPETUAL", of_pair)
                self._publish(channel, encode(frame))

    def _speak_levels(self, channel: Channel, now: int) -> None:
        lane = self._lane(channel.symbol)
        key = (channel, lane.tape.symbol)
        before, update_id = self._told_ids.get(key, 0), lane.watch.refresh()
        if update_id == before:
            return
        self._told_ids[key] = update_id
        bids, asks = lane.watch.top(channel.levels)
        frame = DepthFrame(
            sent=ms(now),
            transacted=ms(now),
            symbol=channel.symbol,
            pair=channel.symbol,
            first_id=before + 1,
            final_id=update_id,
            previous_id=before,
            bids=make.levels(bids, lane.tape.digits),
            asks=make.levels(asks, lane.tape.digits),
        )
        self._publish(channel, encode(frame))

    def _speak_diff(self, channel: Channel, now: int) -> None:
        found = self._taps[channel].take()
        names = self._names[channel]
        if found is None or self._venue.faults.draw(Kind.DEPTH_GAP, next(iter(names)), now):
            return
        tape = self._venue.tapes[Symbol(channel.symbol)]
        self._publish(channel, encode(make.diff(tape, found, ms(now))))

    def _speak_forced(self, channel: Channel, now: int) -> None:
        for _, payload in self._forced.pop(channel, {}).values():
            self._publish(channel, payload)
