"""A session beside its replay: trade by trade, and how far they drifted apart.

A trip of the session and one of the replay are the same trade where strategy, symbol and side
agree and they began within `PAIR_NS` of each other. The nearest are paired first, and pairs keep
the order of time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain

from ..model import events as ev
from ..model.errors import InputError
from ..model.values import NS_PER_S, ZERO, AccountId, SessionId, Symbol
from ..stats import Context, RoundTrip, RoundTrips

PAIR_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the journal says of a session.

    `symbols` are those of all its lives, () where one traded whatever was listed. `ended_ts` is its
    last fact's time, `equity` the first of each account; `trips` are those that ended in it, also
    where an earlier session began them. `other_fees` are those in assets that are none of a
    contract's margin, by asset: no trip's profit has them. `down_ns` is how long nobody traded,
    between what its lives said last and the next one's beginning.
    """

    session_id: SessionId
    strategies: tuple[str, ...]  # as they were named
    symbols: tuple[Symbol, ...]
    started_ts: int
    ended_ts: int
    equity: dict[AccountId, Decimal]
    trips: list[RoundTrip]
    other_fees: dict[str, Decimal]
    down_ns: int

    def between(
        self, start_ts: int, end_ts: int | None, symbols: Sequence[Symbol]
    ) -> list[RoundTrip]:
        """Return the trips that a replay from one time to another can have; 0 and None are open."""
        return [
            trip
            for trip in self.trips
            if (not start_ts or trip.entry_ts >= start_ts)
            and (end_ts is None or trip.exit_ts < end_ts)
            and (not symbols or trip.symbol in symbols)
        ]


@dataclass(frozen=True, slots=True)
class Pair:
    """A trade in the session, in the replay, or in both."""

    session: RoundTrip | None
    replay: RoundTrip | None

    @property
    def entry_ms(self) -> float | None:
        """Return how much later the session entered."""
        return self._apart("entry_ts")

    @property
    def exit_ms(self) -> float | None:
        """Return how much later the session left."""
        return self._apart("exit_ts")

    def _apart(self, name: str) -> float | None:
        if self.session is None or self.replay is None:
            return None
        later: int = getattr(self.session, name) - getattr(self.replay, name)
        return later / 1e6

    @property
    def entry_bp(self) -> float | None:
        """Return how much worse the session's entry was, in hundredths of a percent."""
        return self._worse("entry_price", 1)

    @property
    def exit_bp(self) -> float | None:
        """Return how much worse the session's exit was."""
        return self._worse("exit_price", -1)

    def _worse(self, name: str, sign: int) -> float | None:
        if self.session is None or self.replay is None:
            return None
        real, made = getattr(self.session, name), getattr(self.replay, name)
        if not (real and made):
            return None  # it left without a fill
        return float((real - made) / made * self.session.side.sign * sign * 10_000)

    @property
    def pnl(self) -> Decimal:
        """Return how much more the session made of it."""
        real, made = self.session, self.replay
        return (real.net_pnl if real else ZERO) - (made.net_pnl if made else ZERO)


@dataclass(frozen=True, slots=True)
class Drift:
    """Every trade of either, and the sums."""

    pairs: list[Pair]

    def both(self) -> list[Pair]:
        """Return the trades that both made."""
        return [each for each in self.pairs if _is_in_both(each)]

    def furthest(self, count: int) -> list[Pair]:
        """Return the trades whose profits are furthest apart, in order of time.

        Those that only one of them made come before all others.
        """
        far = sorted(self.pairs, key=lambda each: (_is_in_both(each), -abs(each.pnl)))[:count]
        return sorted(far, key=_entry)

    def summary(self) -> dict[str, object]:
        """Return the figures: counts, mean drifts over the trades of both, profits."""
        both = self.both()
        return {
            "trades_in_both": len(both),
            "only_in_session": sum(each.replay is None for each in self.pairs),
            "only_in_replay": sum(each.session is None for each in self.pairs),
            "mean_entry_ms": _mean(each.entry_ms for each in both),
            "mean_exit_ms": _mean(each.exit_ms for each in both),
            "mean_entry_bp": _mean(each.entry_bp for each in both),
            "mean_exit_bp": _mean(each.exit_bp for each in both),
            "session_pnl": sum((e.session.net_pnl for e in self.pairs if e.session), ZERO),
            "replay_pnl": sum((e.replay.net_pnl for e in self.pairs if e.replay), ZERO),
            "pnl_drift": sum((each.pnl for each in self.pairs), ZERO),
        }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def recorded(facts: Iterable[ev.Event], session_id: str) -> Recorded:
    """Cut one session out of a journal; "last" is the last one.

    Raises:
        InputError: the journal has no such session; the text names those that there are.
    """
    sessions: dict[str, _Sheet] = {}
    context = Context()
    fold, sheet = RoundTrips(context), None
    for fact in facts:
        if isinstance(fact, ev.EpochStarted):
            sheet = sessions.setdefault(fact.session_id, _Sheet(fact, fact.ts))
            sheet.down_ns += max(0, fact.ts - sheet.ended_ts)
            sheet.symbols.append(fact.symbols)
        context.apply(fact)
        trip = fold.apply(fact)
        if sheet is not None:
            sheet.note(fact, trip, context)
    found = _named(sessions, session_id)
    own = sessions[found]
    return Recorded(
        session_id=SessionId(found),
        strategies=tuple(own.strategies.values()),
        symbols=_all_of(own.symbols),
        started_ts=own.begun.ts,
        ended_ts=own.ended_ts,
        equity=own.equity,
        trips=own.trips,
        other_fees=own.other_fees,
        down_ns=own.down_ns,
    )


@dataclass
class _Sheet:
    """What is noted of one session while the journal is read."""

    begun: ev.EpochStarted
    ended_ts: int
    symbols: list[tuple[Symbol, ...]] = field(default_factory=list)  # of each life
    equity: dict[AccountId, Decimal] = field(default_factory=dict)
    strategies: dict[str, str] = field(default_factory=dict)  # as each was named last
    trips: list[RoundTrip] = field(default_factory=list)
    other_fees: dict[str, Decimal] = field(default_factory=dict)
    down_ns: int = 0

    def note(self, fact: ev.Event, trip: RoundTrip | None, context: Context) -> None:
        """Take one of its facts in, and the trip that it ended."""
        self.ended_ts = fact.ts
        if trip is not None:
            self.trips.append(trip)
        match fact:
            case ev.StrategyStarted():
                self.strategies[fact.strategy_id] = fact.description
            case ev.TradingDayStarted() | ev.EquitySampled():
                self.equity.setdefault(fact.account, fact.equity)
            case ev.OrderFilled() if fact.fee:
                asset = fact.fee_asset
                if asset != context.margin_asset_of((fact.account, fact.symbol)):
                    self.other_fees[asset] = self.other_fees.get(asset, ZERO) + fact.fee
            case _:
                pass


def _all_of(lives: Sequence[tuple[Symbol, ...]]) -> tuple[Symbol, ...]:
    """Return the symbols of all lives; () where one had no list."""
    return tuple(dict.fromkeys(chain.from_iterable(lives))) if all(lives) else ()


def _named(sessions: dict[str, _Sheet], wanted: str) -> str:
    if wanted == "last" and sessions:
        return next(reversed(sessions))
    fitting = [known for known in sessions if known.startswith(wanted)]
    if len(fitting) != 1:
        known = ", ".join(sessions) or "none"
        raise InputError(
            f"--compare names one session of the journal, was {wanted!r}; it has {known}"
        )
    return fitting[0]


def compare(session: Iterable[RoundTrip], replay: Iterable[RoundTrip]) -> Drift:
    """Pair the trades of a session with those of its replay."""
    real, made = _by_kind(session), _by_kind(replay)
    pairs = [
        pair
        for kind in dict.fromkeys([*real, *made])
        for pair in _pairs(real.get(kind, []), made.get(kind, []))
    ]
    return Drift(sorted(pairs, key=_entry))


def _is_in_both(pair: Pair) -> bool:
    return pair.session is not None and pair.replay is not None


def _entry(pair: Pair) -> int:
    trip = pair.session or pair.replay
    assert trip is not None, "a pair has a side"
    return trip.entry_ts


Kind = tuple[str, str, str]
Places = tuple[int, int]


def _by_kind(all_trips: Iterable[RoundTrip]) -> dict[Kind, list[RoundTrip]]:
    found: dict[Kind, list[RoundTrip]] = defaultdict(list)
    for trip in all_trips:
        found[trip.strategy_id, trip.symbol, trip.side.value].append(trip)
    for trips in found.values():
        trips.sort(key=lambda trip: trip.entry_ts)
    return found


def _pairs(real: Sequence[RoundTrip], made: Sequence[RoundTrip]) -> Iterator[Pair]:
    """Pair what is the same trade; what finds no partner stands alone."""
    same = _same(real, made)
    yield from (Pair(real[i], made[j]) for i, j in same)
    paired, taken = {i for i, _ in same}, {j for _, j in same}
    yield from (Pair(each, None) for i, each in enumerate(real) if i not in paired)
    yield from (Pair(None, each) for j, each in enumerate(made) if j not in taken)


def _same(real: Sequence[RoundTrip], made: Sequence[RoundTrip]) -> list[Places]:
    """Return the places of trades that are the same: the nearest first, in order of time."""
    found: list[Places] = []
    ends = (len(real), len(made))
    for _, i, j in sorted(_near(real, made)):
        at = bisect_left(found, (i, j))
        before, behind = found[at - 1] if at else (-1, -1), found[at] if at < len(found) else ends
        if before[0] < i < behind[0] and before[1] < j < behind[1]:
            found.insert(at, (i, j))
    return found


def _near(real: Sequence[RoundTrip], made: Sequence[RoundTrip]) -> Iterator[tuple[int, int, int]]:
    """Yield how far apart two trades began that may be the same, and their places."""
    times = [trip.entry_ts for trip in made]
    for i, trip in enumerate(real):
        start = bisect_left(times, trip.entry_ts - PAIR_NS)
        end = bisect_right(times, trip.entry_ts + PAIR_NS)
        for j in range(start, end):
            yield abs(times[j] - trip.entry_ts), i, j
