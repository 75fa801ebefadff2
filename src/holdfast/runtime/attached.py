"""One strategy in a session: what it hears, what it sees, and what it says.

Rule: what a hook says, wishes and log lines, is passed on when it has returned. A hook that
      fails has wished for nothing, and no hook is ever cut off while others act on its wishes.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from ..engine.order import Order
from ..model.errors import StrategyError
from ..model.ids import PREFIX, Owner, make_cl_ord_id, parse_cl_ord_id
from ..model.market import Bar, timeframe_ns
from ..model.order_wish import Wish
from ..model.values import ClOrdId, OrderRole, StrategyId, Symbol
from ..strategies.base import HOOKS, OrderUpdate, Strategy, overridden_hooks
from .order_updates import shown

HISTORY_BARS = 1000
"""Bars that `ctx.history` reaches back, of each symbol and time frame; more where a strategy
warms up with more."""

SAID_MAX = 1000
"""Wishes and log lines that one hook may utter."""

WISHES_MAX = 10_000
"""Wishes of a strategy at one moment of the market's time. One that says more answers what comes of
its own wishes with further ones, and nobody else would have a turn."""


class Behind(Protocol):
    """Who shows trades that not everybody has heard of yet."""

    def now(self) -> int:
        """Return the time of the one that is being shown."""

    def catch_up(self) -> None:
        """Let everybody know of it."""


class View(Protocol):
    """What the runner asks of the books."""

    def position(self, strategy_id: StrategyId, symbol: Symbol) -> Decimal:
        """Return the quantity that a strategy holds, short negative."""

    def equity(self) -> Decimal: ...

    def orders(self, strategy_id: StrategyId, symbol: Symbol | None) -> Sequence[Order]:
        """Return a strategy's open entries, oldest first; None: of all symbols."""

    def parts(self, strategy_id: StrategyId, symbol: Symbol | None) -> list[OrderUpdate]:
        """Return what of a strategy's goes on in parts, oldest first; None: of all symbols."""

    def order(self, cl_ord_id: ClOrdId) -> Order | None:
        """Return one of our orders as it stands now; None for others'."""


class Window:
    """The `Context` of one strategy."""

    def __init__(  # noqa: PLR0913, PLR0917 - a window looks at all of this
        self,
        strategy_id: StrategyId,
        symbols: Sequence[Symbol],
        timeframes: Sequence[str],
        history_bars: int,
        clock: Callable[[], int],
        view: View,
    ) -> None:
        self.strategy_id = strategy_id
        self.symbols = symbols
        self.timeframes = timeframes
        self.is_warming_up = False
        self.said: list[Wish | str] = []
        self._wished_ts = self._wishes = 0  # when it wished last, and how often then
        self._clock = clock
        self._view = view
        self._shown_ts = 0  # of the last bar
        self._bars: dict[tuple[Symbol, str], deque[Bar]] = {
            (symbol, timeframe): deque(maxlen=max(HISTORY_BARS, history_bars))
            for symbol in symbols
            for timeframe in timeframes
        }

    def now(self) -> int:
        return self._shown_ts if self.is_warming_up else self._clock()

    def position(self, symbol: Symbol) -> Decimal:
        return self._view.position(self.strategy_id, symbol)

    def equity(self) -> Decimal:
        return self._view.equity()

    def orders(self, symbol: Symbol | None = None) -> list[OrderUpdate]:
        return [shown(order) for order in self._view.orders(self.strategy_id, symbol)]

    def parts(self, symbol: Symbol | None = None) -> list[OrderUpdate]:
        return self._view.parts(self.strategy_id, symbol)

    def history(self, symbol: Symbol, timeframe: str, count: int) -> list[Bar]:
        bars = self._bars.get((symbol, timeframe))
        if bars is None:
            raise StrategyError(
                f"{self.strategy_id} asked for bars {timeframe} of {symbol}; "
                f"it gets {', '.join(self.timeframes)} of {', '.join(self.symbols)}"
            )
        return [bars[i] for i in range(max(len(bars) - count, 0), len(bars))] if count > 0 else []

    def log(self, text: str) -> None:
        self.say(str(text))

    def wish(self, wish: Wish) -> None:
        """Keep a wish until the hook has returned."""
        now = self._clock()
        self._wishes = self._wishes + 1 if now == self._wished_ts else 1
        self._wished_ts = now
        if self._wishes > WISHES_MAX:
            raise StrategyError(f"more than {WISHES_MAX} wishes at one moment: it answers itself")
        self.say(wish)

    def say(self, what: Wish | str) -> None:
        """Keep a wish or a line until the hook has returned."""
        if len(self.said) >= SAID_MAX:
            raise StrategyError(f"one hook said more than {SAID_MAX} things")
        self.said.append(what)

    def show(self, bar: Bar) -> bool:
        """Add a bar; False for one that is not wanted, or not later than the last."""
        bars = self._bars.get((bar.symbol, bar.timeframe))
        if bars is None or (bars and bar.ts <= bars[-1].ts):
            return False
        bars.append(bar)
        self._shown_ts = bar.ts
        return True

    def last_ts(self, symbol: Symbol, timeframe: str) -> int:
        """Return the end of the last bar that was shown; 0 for none."""
        bars = self._bars[symbol, timeframe]
        return bars[-1].ts if bars else 0


class Attached:
    """A strategy and its hooks; those that do nothing are None."""

    __slots__ = (
        "is_live",
        "on_bar",
        "on_book",
        "on_fill",
        "on_order",
        "on_quote",
        "on_start",
        "on_stop",
        "on_trade",
        "said",
        "strategy",
        "strategy_id",
        "timeframes",
        "warmup_bars",
        "window",
    )

    def __init__(self, strategy_id: StrategyId, strategy: Strategy) -> None:
        hooks = _hooks_of(strategy_id, strategy)
        self.strategy_id = strategy_id
        self.strategy = strategy
        self.is_live = True
        self.timeframes = _timeframes(strategy_id, strategy.timeframes)
        self.warmup_bars = _bar_count(strategy_id, strategy.warmup_bars)
        self.on_start = hooks.get("on_start")
        self.on_bar = hooks.get("on_bar")
        self.on_trade = hooks.get("on_trade")
        self.on_quote = hooks.get("on_quote")
        self.on_book = hooks.get("on_book")
        self.on_fill = hooks.get("on_fill")
        self.on_order = hooks.get("on_order")
        self.on_stop = hooks.get("on_stop")
        self.window: Window
        self.said: list[Wish | str] = []

    def open(
        self, symbols: Sequence[Symbol], timeframe: str, clock: Callable[[], int], view: View
    ) -> None:
        """Give the strategy its window. It has no bars unless it has a use for them."""
        wants_bars = self.on_bar is not None or self.timeframes or self.warmup_bars
        self.timeframes = (self.timeframes or (timeframe,)) if wants_bars else ()
        self.window = Window(
            self.strategy_id, symbols, self.timeframes, self.warmup_bars, clock, view
        )
        self.said = self.window.said
        self.strategy.bind(self.strategy_id, self.window.wish, self.window)


def id_on_wire(strategy_id: StrategyId) -> StrategyId:
    """Return the part of a strategy's id that client order ids carry."""
    owner = Owner(PREFIX, 0, 0, 0, OrderRole.ENTRY, strategy_id)
    parsed = parse_cl_ord_id(make_cl_ord_id(owner))
    assert parsed is not None, f"{strategy_id!r} makes an id that can't be read"
    return parsed.strategy


def named_by(cl_ord_id: str, strategies: Iterable[StrategyId]) -> StrategyId | None:
    """Return the strategy that an id names, which may be cut; None where two could be meant."""
    owner = parse_cl_ord_id(cl_ord_id)
    return None if owner is None else owner.meant_among(strategies)


def _hooks_of(strategy_id: StrategyId, strategy: Strategy) -> dict[str, Callable[..., object]]:
    if not isinstance(strategy, Strategy):
        raise StrategyError(
            f"{strategy_id} must be an instance of a Strategy, was {strategy!r:.80}"
        )
    wish: object = strategy.signal
    if not callable(wish):
        raise StrategyError(
            f"{strategy_id}.signal must be what strategies wish with, was {wish!r:.80}"
        )
    names = overridden_hooks(strategy)
    hooks = {name: getattr(strategy, name) for name in HOOKS if name in names}
    for name, hook in hooks.items():
        if not callable(hook):
            raise StrategyError(f"{strategy_id}.{name} must be a function, was {hook!r:.80}")
        if inspect.iscoroutinefunction(hook) or inspect.isgeneratorfunction(hook):
            raise StrategyError(
                f"{strategy_id}.{name} must be a plain function, without async and yield: "
                "nobody would wait for it"
            )
        _check_takes(strategy_id, name, hook)
    return hooks


def _check_takes(strategy_id: StrategyId, name: str, hook: Callable[..., object]) -> None:
    given = list(inspect.signature(getattr(Strategy, name)).parameters)[1:]
    try:
        inspect.signature(hook).bind(*given)
    except TypeError:
        wanted = ", ".join(["self", *given])
        raise StrategyError(
            f"{strategy_id}.{name} must be written as def {name}({wanted})"
        ) from None


def _timeframes(strategy_id: StrategyId, named: object) -> tuple[str, ...]:
    given = named if isinstance(named, tuple | list) else None
    names = [name for name in given or () if isinstance(name, str)]
    if given is None or len(names) != len(given):
        raise StrategyError(
            f'{strategy_id}.timeframes must be names as in ("1m", "1h"), was {named!r}'
        )
    try:
        for name in names:
            timeframe_ns(name)
    except ValueError as error:
        raise StrategyError(f"{strategy_id}: {error}") from None
    return tuple(dict.fromkeys(names))


def _bar_count(strategy_id: StrategyId, count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise StrategyError(f"{strategy_id}.warmup_bars must be a count, was {count!r}")
    return count
