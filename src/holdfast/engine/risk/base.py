"""What a risk rule is, and what it may look at.

A rule is a function of a new order and a context; it answers with a `Verdict` and changes
nothing. Rules are asked only about orders that could add risk: closing is always allowed.
Law: every rule judges the worst case, positions and open orders as if each order filled.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from operator import mul
from typing import NamedTuple

import msgspec

from ...model.instrument import Instrument
from ...model.settings import EngineSettings, RiskLimits
from ...model.values import (
    BUY,
    NS_PER_DAY,
    NS_PER_S,
    ZERO,
    AccountId,
    Key,
    NewOrder,
    Symbol,
    Verdict,
    plain,
)
from ..exposure import Exposure, Reach
from ..market import Market, SymbolMarket
from ..state import State

PAIRS_KEPT = 10_000
"""How many correlations are remembered until their samples change."""

FLAT = 1e-12
"""Returns that spread less than this are a price that stands still, not a measurement."""


class Case(msgspec.Struct, frozen=True, gc=False):
    """One order under judgement, with what many rules look at: reckoned once.

    `market` is what its symbol shows, `reference` the price that orders are judged by, None while
    the market is silent. `price` is what a unit of it is valued at: its own limit or trigger
    price, else the reference. `equity` is its account's, in the asset that it is settled in.

    The rest is the account's worst case with this order, by symbol: `reaches` is of all that could
    hold something, `positions` how many those are. `notionals` is of those that the same equity
    stands for, `notional` the one of its own, `gross` their sum. `missing` says why nothing can be
    said in shares of equity; it is "" where it can.
    """

    order: NewOrder
    key: Key
    instrument: Instrument | None  # None where the venue never listed it
    market: SymbolMarket
    reference: Decimal | None
    price: Decimal | None
    equity: Decimal
    reaches: dict[Key, Reach]
    notionals: dict[Key, Decimal]
    notional: Decimal
    gross: Decimal
    positions: int
    missing: str


class Window(NamedTuple):
    """One symbol's latest log returns, each divided by the root of its length in seconds.

    So samples that are further apart count for no more than neighbours do. `spread` is the
    root of the sum of the squared `deviations` from the mean.
    """

    logs: dict[int, float]  # number of the period since 1970 -> log of its close
    deviations: list[float]
    spread: float

    @property
    def size(self) -> int:
        """Return how many returns there are."""
        return len(self.deviations)


class Samples:
    """Returns of the market's closed sampling periods. What it keeps is a view, not a memory.

    One may outlive many contexts; then returns are reckoned anew once a period, not once an
    order.
    """

    __slots__ = ("_market", "_pairs", "_windows")

    def __init__(self, market: Market) -> None:
        self._market = market
        self._windows: dict[Symbol, tuple[tuple[object, ...], Window]] = {}
        self._pairs: dict[tuple[Symbol, Symbol], tuple[Window, Window, int, float | None]] = {}

    def window(self, symbol: Symbol, now: int, limits: RiskLimits) -> Window:
        """Return a symbol's last returns, up to `correlation_returns` of them.

        The period that `now` falls into is left out: it has no close yet.
        """
        closes, count = self._market.of(symbol).closes, limits.correlation_returns
        running = now // (limits.sample_s * NS_PER_S)
        stamp = (running, limits.sample_s, count, len(closes), closes.get(running - 1))
        kept = self._windows.get(symbol)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        periods = sorted(closes)
        del periods[bisect_left(periods, running) :]
        latest = ((p, closes[p]) for p in periods[-(count + 1) :])
        logs = {p: math.log(close) for p, close in latest if 0.0 < close < math.inf}
        window = _window(logs, limits.sample_s)
        self._windows[symbol] = (stamp, window)
        return window

    def correlation(
        self, pair: tuple[Symbol, Symbol], a: Window, b: Window, sample_s: int
    ) -> tuple[int, float | None]:
        """Return how many returns a pair's windows share, and their correlation (-1 to 1).

        None where a price stood still or there are fewer than two returns.
        """
        kept = self._pairs.get(pair)
        if kept is None or kept[0] is not a or kept[1] is not b:
            if len(self._pairs) >= PAIRS_KEPT:
                self._pairs.clear()
            kept = self._pairs[pair] = (a, b, *_correlate(a, b, sample_s))
        return kept[2], kept[3]


def _window(logs: dict[int, float], sample_s: int) -> Window:
    """Take logs of closes, oldest first."""
    steps = list(logs.items())
    returns = [
        (close - close_before) / math.sqrt((period - before) * sample_s)
        for (before, close_before), (period, close) in pairwise(steps)
    ]
    mean = math.fsum(returns) / len(returns) if returns else 0.0
    deviations = [r - mean for r in returns]
    return Window(logs, deviations, math.sqrt(math.fsum(map(mul, deviations, deviations))))


def _correlate(a: Window, b: Window, sample_s: int) -> tuple[int, float | None]:
    if a.logs.keys() != b.logs.keys():  # returns must span the same time on both sides
        common = [period for period in a.logs if period in b.logs]
        a = _window({period: a.logs[period] for period in common}, sample_s)
        b = _window({period: b.logs[period] for period in common}, sample_s)
    if a.size < 2 or a.spread < FLAT or b.spread < FLAT:
        return a.size, None
    together = math.fsum(map(mul, a.deviations, b.deviations)) / (a.spread * b.spread)
    return a.size, max(-1.0, min(1.0, together))


class RiskContext:
    """Everything a rule may read. `now` is the engine's time, nanoseconds UTC.

    It stands for one instant and keeps what it has reckoned: make a new one after a fact or a
    price. `samples` may be shared by all contexts of one market.
    """

    __slots__ = (
        "_case",
        "_own",
        "_windows",
        "exposure",
        "legs",
        "limits",
        "market",
        "now",
        "samples",
        "settings",
        "state",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - all that a rule may read, and nothing to group
        self,
        state: State,
        market: Market,
        exposure: Exposure,
        settings: EngineSettings,
        now: int,
        samples: Samples | None = None,
    ) -> None:
        self.state = state
        self.market = market
        self.exposure = exposure
        self.settings = settings
        self.limits: RiskLimits = settings.limits
        self.now = now
        self.legs = 0  # protective orders that an order without a parent would bring
        self.samples = samples if samples is not None else Samples(market)
        self._windows: dict[Symbol, Window] = {}
        self._own: tuple[NewOrder, Reach] | None = None
        self._case: Case | None = None

    def case(self, order: NewOrder) -> Case:
        """Return the order with what is known of it."""
        case = self._case
        if case is None or case.order is not order:
            case = self._case = self._open_case(order)
        return case

    @property
    def today(self) -> int:
        """Return the day of `now`, UTC: a benchmark may still be of yesterday, up to the tick."""
        return self.now // NS_PER_DAY

    def protective(self, order: NewOrder) -> int:
        """Return how many protective orders the order's fills are to have."""
        parent = self.state.parents.get(order.parent_id)
        return self.legs if parent is None else parent.legs

    def whole_qty(self, order: NewOrder) -> Decimal:
        """Return what the venue goes by: of an amendment, what has executed too."""
        known = self.state.orders.get(order.cl_ord_id)
        return order.qty if known is None else order.qty + known.cum_qty

    def _reach(self, order: NewOrder) -> Reach:
        """Return the worst case of the order's symbol, the order included."""
        if self._own is None or self._own[0] is not order:
            self._own = (order, self.exposure.reach(order.key, order))
        return self._own[1]

    def adds_risk(self, order: NewOrder) -> bool:
        """Tell whether an order could do more than close: open, add to, or turn a position."""
        if order.reduce_only:
            return False
        reach = self._reach(order)
        return (reach.longest if order.side is BUY else -reach.shortest) > ZERO

    def _open_case(self, order: NewOrder) -> Case:
        own = order.key
        asset, market = self.state.settled_in(own), self.market.of(order.symbol)
        equity = self.equity(order.account, asset)
        reference = market.decimal(market.reference)
        price = order.price or order.trigger_price or reference
        reaches, notionals = self._reaches(order, own), dict[Key, Decimal]()
        gross, positions = ZERO, 0
        unpriced = None if price else order.symbol
        for key, reach in reaches.items():
            size = reach.size
            positions += 1 if size else 0
            if key != own and self.state.settled_in(key) != asset:
                continue
            notionals[key] = notional = size * reach.price
            if size:
                gross += notional
                if not notional:
                    unpriced = unpriced or key[1]
        missing = _missing(equity, unpriced)
        instrument, notional = self.state.instruments.get(own), notionals[own]
        return Case(
            order,
            own,
            instrument,
            market,
            reference,
            price,
            equity,
            reaches,
            notionals,
            notional,
            gross,
            positions,
            missing,
        )

    def equity(self, account: AccountId, asset: str) -> Decimal:
        """Return an account's equity in a margin asset, open profit as far as it is believed."""
        return self.exposure.equity(account, asset) + self._doubtful(account, asset)

    def _doubtful(self, account: AccountId, asset: str) -> Decimal:
        """Return what open profits lose where they go by the market instead of the mark; 0 at most.

        A mark that lies further from the market than a limit price may is not believed to make an
        account richer: it lasts for a moment, and what is opened on it stays.
        """
        return sum((min(gap, ZERO) for gap in self._gaps(account, asset)), ZERO)

    def is_in_doubt(self, account: AccountId, asset: str) -> bool:
        """Tell whether a mark or a market is off, so that what the equity is will show later."""
        return any(True for _ in self._gaps(account, asset))

    def _gaps(self, account: AccountId, asset: str) -> Iterator[Decimal]:
        """Yield what open profits change by where they go by the market instead of such a mark."""
        state, collar = self.state, float(self.limits.price_collar_pct)
        for key, held in state.positions.items():
            if not held.qty or key[0] != account or state.settled_in(key) != asset:
                continue
            market = self.market.of(key[1])
            mark, price = market.valued, market.reference
            is_far = abs(mark - price) > collar * price > 0.0 < mark
            if is_far and not market.is_outlived and self._is_fresh(market):
                yield held.qty * (Decimal(repr(price)) - Decimal(repr(mark)))

    def _is_fresh(self, market: SymbolMarket) -> bool:
        age_ns = market.age_ns(self.now)
        return age_ns is not None and age_ns <= self.limits.stale_after_s * NS_PER_S

    def _reaches(self, order: NewOrder, own: Key) -> dict[Key, Reach]:
        reaches = {}
        for key in self.exposure.keys(order.account):
            if key != own:
                reaches[key] = self.exposure.reach(key)
        reaches[own] = self._reach(order)
        return reaches

    def window(self, symbol: Symbol) -> Window:
        """Return a symbol's latest returns."""
        window = self._windows.get(symbol)
        if window is None:
            window = self.samples.window(symbol, self.now, self.limits)
            self._windows[symbol] = window
        return window

    def correlation(self, one: Symbol, other: Symbol) -> tuple[int, float | None]:
        """Return how many returns two symbols share, and their correlation; see `Samples`."""
        a, b = self.window(one), self.window(other)
        return self.samples.correlation((one, other), a, b, self.limits.sample_s)


def _missing(equity: Decimal, unpriced: Symbol | None) -> str:
    if equity <= ZERO:
        return f"equity is {plain(equity)}, there is nothing to risk"
    return f"no price of {unpriced} yet to value it at" if unpriced else ""


Rule = Callable[[NewOrder, RiskContext], Verdict]


def passed(rule: str, value: Decimal | None = None, limit: Decimal | None = None) -> Verdict:
    """Let an order pass; no value where nothing was measured, no limit where none is set."""
    return Verdict(rule=rule, passed=True, value=value, limit=limit)


def refused(
    rule: str, reason: str, value: Decimal | None = None, limit: Decimal | None = None
) -> Verdict:
    """Refuse an order. `reason` is for people and names value and limit."""
    return Verdict(rule=rule, passed=False, value=value, limit=limit, reason=reason)


def percent(share: Decimal) -> str:
    """Write a fraction for people: 0.105 is "10.5%"."""
    return f"{plain(Decimal(f'{share * 100:.6f}'))}%"
