"""What strategies hear of the market over the exchange's streams, and how true that is.

Judged is what the feed promises, and nothing beyond:

Rule 1: a trade comes once, in the venue's order, and as the market showed it; a quote is what the
        touch was, and none comes behind a later one.
Rule 2: trades that never came are told: a lost connection's by cutting the symbol off until it is
        heard again, and no entry is sent on it meanwhile. None is made up for.
Rule 3: a bar is the exchange's own, and is shown once, in order; where the market was heard without
        a break, soon after its end.
Rule 4: a symbol whose mark prices stay away is told to be cut off, though the rest may come.
Rule 5: once nothing goes wrong any more, market data soon flows again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..model import events as ev
from ..model.market import Bar, Quote, Trade
from ..model.values import NS_PER_S, ZERO, OrderRole, Symbol, TradingSessionStatus
from .churner import Listener
from .process import Process
from .seen_bars import SeenBars
from .shown import Shown

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World

BAR_LATE_NS_MAX = 5 * NS_PER_S
"""How long after its end a bar may be shown: the grace for late trades, a tick, clocks."""

FLOW_NS = 10 * NS_PER_S
"""How old the last news of a symbol may be where market data flows."""

FLOW_AGAIN_NS_MAX = 100 * NS_PER_S
"""How long after the storm, or the start of a life, it may take to flow: that quotes are silent is
noticed within 60 s, and the longest wait between two attempts to connect is 30 s."""

MARKS_NS_MAX = 16 * NS_PER_S
"""How long a symbol may be without mark prices before it is told to be cut off: 10 s, and looks."""

BREAK_NS = 2 * NS_PER_S
"""How long mark prices, which come every second, may stay away without a break."""

_UNDER_WAY = (TradingSessionStatus.RUNNING, TradingSessionStatus.PAUSED)
Say = Callable[[str], None]


class Heard:
    """What one strategy has heard in one life."""

    def __init__(self, ear: Ear, say: Say, shown: Shown, *, hears_bars: bool) -> None:
        self._ear = ear
        self._say = say
        self._shown = shown
        self._hears_bars = hears_bars
        self._began = ear.now()
        self._last: dict[Symbol, tuple[tuple[int, int], int]] = {}  # trade, and cuts told by then
        self._quoted: dict[Symbol, int] = {}
        self.bars: dict[Symbol, SeenBars] = {}

    def trade(self, trade: Trade) -> None:
        symbol, number = trade.symbol, trade.trade_id
        cuts, life = self._ear.cuts[symbol], self._shown.life_of(trade)
        if life is None:
            self._say(f"{trade} was heard, shown was {self._shown.trade(symbol, number)}")
            return
        place = life, number
        before, told = self._last.get(symbol, ((life, number - 1), cuts))
        self._last[symbol] = place, cuts - (symbol in self._ear.cut_off)  # goes on: is told
        if place == before:
            self._say(f"trade {number} of {symbol} was heard twice")
        elif place < before:
            self._say(f"trade {number} of {symbol} was heard behind {before[1]}")
        elif number != before[1] + 1:  # a tape that began anew may go on by chance: who could tell?
            self._judge_gap(symbol, f"behind {before[1]} and before {number}", is_told=cuts != told)
            self._judge_newest(symbol, life, number - 1)
        if self._hears_bars:
            self._bars_of(symbol).trade(trade)

    def _judge_gap(self, symbol: Symbol, missing: str, *, is_told: bool) -> None:
        if not is_told:
            self._say(f"trades of {symbol} {missing} are missing, and nothing was told")

    def _judge_newest(self, symbol: Symbol, life: int, number: int) -> None:
        """See whether the last of the missing was missed though the symbol was said to be back."""
        newest, up_ts = self._shown.trade(symbol, number, life), self._ear.up_ts.get(symbol)
        if newest is None or up_ts is None or symbol in self._ear.cut_off:
            return
        if newest.ts > up_ts:
            self._ear.doubts[symbol] = newest

    def quote(self, quote: Quote) -> None:
        before = self._quoted.get(quote.symbol, 0)
        self._quoted[quote.symbol] = quote.ts
        if quote.ts < before:
            self._say(f"{quote} was heard behind one of {before}")
        if not self._shown.has_touched(quote):
            self._say(f"{quote} was heard, and the touch was never that")

    def bar(self, bar: Bar) -> None:
        if self._hears_bars:
            self._bars_of(bar.symbol).bar(bar)

    def _bars_of(self, symbol: Symbol) -> SeenBars:
        if symbol not in self.bars:
            since = partial(self._since, symbol)
            self.bars[symbol] = SeenBars(self._say, self._shown, since)
        return self.bars[symbol]

    def _since(self, symbol: Symbol) -> int:
        """Return since when a symbol is heard: a strategy begins with a hole behind its history."""
        return max(self._ear.since(symbol), self._began)


_JUDGES: dict[type, Callable[[Heard, Any], None]] = {
    Trade: Heard.trade,
    Quote: Heard.quote,
    Bar: Heard.bar,
}


class Ear:
    """Stands between one life's runner and its strategies' hooks, as the runner's guard does."""

    budget_ns = 1 << 62

    def __init__(self, process: Process, say: Say, shown: Shown, now: Callable[[], int]) -> None:
        self.process = process
        self.live: LiveSession | None = None
        self.began = now()
        self.cuts: Counter[Symbol] = Counter()  # and gaps that were told
        self.cut_off: set[Symbol] = set()
        self.heard: dict[int, Heard] = {}  # by strategy
        self.doubts: dict[Symbol, Trade] = {}  # trades that were missed, and nobody has told so yet
        self.up_ts: dict[Symbol, int] = {}  # when it came back, or a gap was told
        self.last: dict[tuple[Symbol, type], int] = {}  # when what was heard
        self.marked: dict[Symbol, int] = {}  # when the last mark price came
        self._whole: dict[Symbol, int] = {}  # since when they came without a break
        self._say = say
        self._shown = shown
        self.now = now

    # As a guard

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def call(self, hook: Callable[..., object], *args: object) -> None:
        """Judge what a strategy is about to hear, and let it hear."""
        judge = _JUDGES.get(type(args[0])) if args else None
        if judge is not None:
            message: Any = args[0]
            strategy = getattr(hook, "__self__", hook)
            heard = self.heard.get(id(strategy))
            if heard is None:
                hears_bars = isinstance(strategy, Listener)
                heard = Heard(self, self._say, self._shown, hears_bars=hears_bars)
                self.heard[id(strategy)] = heard
            self.last[message.symbol, type(message)] = self.now()
            judge(heard, message)
        hook(*args)

    # As a listener

    def hear_link(self, symbol: Symbol, *, is_up: bool) -> None:
        """Hear what the feed has told of a symbol, once the session knows."""
        if is_up:
            self.cut_off.discard(symbol)
            self.up_ts[symbol] = self.now()
        else:
            self.cut_off.add(symbol)
            self.cuts[symbol] += 1
            self.doubts.pop(symbol, None)

    def hear_gap(self, symbol: Symbol) -> None:
        """Hear that the feed has told of trades that never came."""
        self.cuts[symbol] += 1
        self.up_ts[symbol] = self.now()
        self.doubts.pop(symbol, None)

    def hear_mark(self, symbol: Symbol) -> None:
        """Hear that a mark price was handed to the session."""
        now = self.now()
        if now > self.marked.get(symbol, 0) + BREAK_NS:
            self._whole[symbol] = now
        self.marked[symbol] = now

    def since(self, symbol: Symbol) -> int:
        """Return since when a symbol is heard without a break; far off while it is not."""
        now = self.now()
        if symbol in self.cut_off or now > self.marked.get(symbol, 0) + BREAK_NS:
            return now
        return max(self._whole.get(symbol, now), self.up_ts.get(symbol, 0))

    def hear_facts(self, facts: Sequence[ev.Event]) -> None:
        for fact in facts:
            if isinstance(fact, ev.OrderSubmitted) and fact.order.symbol in self.cut_off:
                self._judge_entry(fact)

    def _judge_entry(self, fact: ev.OrderSubmitted) -> None:
        order, live = fact.order, self.live
        if live is None or order.reduce_only or order.role is not OrderRole.ENTRY:
            return
        held = live.engine.state.position(order.key).qty
        if held * order.side.sign >= ZERO or abs(held) < order.qty:
            text = f"{order.cl_ord_id} was submitted while {order.symbol} was cut off"
            self._say(text)

    @property
    def is_open(self) -> bool:
        """Tell whether this life is under way, in a process that runs."""
        process, live = self.process, self.live
        if live is None or process.is_dead or process.is_frozen:
            return False
        is_over = live.is_closed or live.shell.has_failed
        return not is_over and live.status in _UNDER_WAY


class Hearing:
    """Judges one world whose market comes over the streams.

    Args:
        is_wild: one of the strategies is a `Listener`, and so hears everything.
    """

    def __init__(self, world: World, *, is_wild: bool) -> None:
        self._world = world
        self._shown = Shown(world.bourse.venue)
        world.bourse.restarted = self._shown.restarted
        self._is_wild = is_wild
        self._calm_ts: int | None = None
        self._late: set[tuple[object, ...]] = set()
        self.ears: list[Ear] = []

    def ear(self, process: Process) -> Ear:
        """Return what one life hears by."""
        ear = Ear(process, self._say, self._shown, self._world.venue_now)
        self.ears = [each for each in self.ears if not each.process.is_dead]
        self.ears.append(ear)
        return ear

    def _say(self, text: str) -> None:
        self._world.oracles.say("heard", text)

    def calm_down(self) -> None:
        """Hear that nothing goes wrong any more."""
        self._calm_ts = self._world.venue_now()

    # Now and then

    def look(self) -> None:
        """Look for what is overdue, and whether market data flows in the calm."""
        now = self._world.venue_now()
        late = {each for ear in self.ears if ear.is_open for each in self._overdue(ear, now)}
        for symbol, text, *_ in sorted(late & self._late, key=str):
            self._say(f"{symbol}: {text}")
        self._late = late
        for ear in self.ears:
            if self._calm_ts is None or not ear.is_open:
                continue
            since = max(self._calm_ts, ear.began)
            for text in self._silences(ear, max(since, now - FLOW_AGAIN_NS_MAX)):
                if now - since > FLOW_AGAIN_NS_MAX:
                    self._say(f"{text}, {(now - since) / NS_PER_S:.0f} s into the calm")

    def _overdue(self, ear: Ear, now: int) -> Iterator[tuple[object, ...]]:
        """Yield what should have come: twice in a row, and it is missing."""
        for number, heard in ear.heard.items():
            for symbol, bars in heard.bars.items():
                if bars.is_due and bars.end_ts < now - BAR_LATE_NS_MAX:
                    yield symbol, f"no bar to {bars.end_ts}, and that is long over", number
        for symbol, missed in ear.doubts.items():
            number = missed.trade_id
            if symbol not in ear.cut_off:
                yield symbol, f"trade {number} is missing, and was shown when it was back", number
        for symbol, marked in ear.marked.items():
            if now - marked > MARKS_NS_MAX and symbol not in ear.cut_off:
                yield symbol, "no mark prices, and nothing was told", marked

    def _silences(self, ear: Ear, since: int) -> list[str]:
        """Say of which symbols nothing was heard since a time."""
        found = []
        for symbol in self._world.market.symbols:
            if symbol in ear.cut_off:
                found.append(f"market data of {symbol} is cut off")
            kinds = (Trade, Quote) if self._is_wild else ()
            found += [
                f"no {kind.__name__.lower()} of {symbol}"
                for kind in kinds
                if ear.last.get((symbol, kind), 0) < since
            ]
        return found

    # At rest

    def restless(self) -> list[str]:
        """Say what does not flow, once it should."""
        found: list[str] = []
        for ear in self.ears:
            if ear.is_open and ear.live is self._world.live:
                found += self._silences(ear, self._world.venue_now() - FLOW_NS)
        return found
