"""What goes wrong, when, and how hard: a plan drawn from a seed, before anything runs.

A fault that is taken out of a plan leaves the others as they were, so that a failing plan can be
made smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from ..exchange_server.faults import Kind
from ..model.errors import InputError

ORDER_ROADS = "*order*"
FEED = "feed"
"""The group of faults that has a plan of its own."""


ALONE = frozenset({"drop_frame"})
"""The one fault under which its repair is judged by its time."""

RESTART = "exchange_restart"
RESTARTS = 0.1
"""The share of seeds in which the exchange is started again, where all kinds may strike."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong. `at_s` is from the start; what the rest means, its kind says."""

    number: int
    kind: str
    at_s: float
    for_s: float = 0.0
    chance: float = 1.0
    delay_ms: int = 0
    count: int = 1
    word: str = ""

    def __str__(self) -> str:
        text = f"{self.at_s:7.1f} s  {self.kind}"
        if self.for_s:
            text += f" for {self.for_s:.1f} s"
        if self.chance < 1.0:
            text += f", {self.chance:.0%} of the time"
        if self.delay_ms:
            text += f", {self.delay_ms} ms"
        if self.word:
            text += f", {self.word}"
        return text


class Shape(NamedTuple):
    """How faults of a kind are drawn. `rule` is the exchange's own fault, where it is one.

    One without weight is in no seed's first plan: what is new to the list leaves the plans of all
    seeds as they were.
    """

    rule: Kind | None = None
    weight: float = 1.0
    for_s: tuple[float, float] = (0.0, 0.0)
    chance: tuple[float, float] = (1.0, 1.0)
    delay_ms: tuple[int, int] = (0, 0)
    times: tuple[int, int] = (1, 1)
    words: tuple[str, ...] = ("",)
    group: str = "network"
    on: str = "*"


def _rule(kind: Kind, group: str, **fields: object) -> Shape:
    drawn: dict[str, object] = {"for_s": (5.0, 60.0), "chance": (0.05, 0.6), **fields}
    return Shape(rule=kind, group=group, **drawn)  # type: ignore[arg-type]


def _feed(kind: Kind, **fields: object) -> Shape:
    return _rule(kind, FEED, **{"weight": 0.0, "on": "*@*", **fields})


_PHASES = ("before", "torn", "after")
_EVENTS = "*_UPDATE*"

SHAPES: dict[str, Shape] = {
    # Frames of the account's stream
    "drop_frame": _rule(Kind.DROP_FRAME, "stream", on=_EVENTS),
    "delay_frame": _rule(Kind.DELAY_FRAME, "stream", on=_EVENTS, delay_ms=(200, 12_000)),
    "duplicate_frame": _rule(Kind.DUPLICATE_FRAME, "stream", on=_EVENTS, chance=(0.3, 1.0)),
    "reorder_frame": _rule(Kind.REORDER_FRAME, "stream", on=_EVENTS, delay_ms=(100, 3_000)),
    "silent_stream": _rule(Kind.SILENT_STREAM, "stream", on=_EVENTS, times=(1, 1)),
    "disconnect": _rule(Kind.DISCONNECT, "stream", on=_EVENTS, times=(1, 2)),
    "listen_key_expired": _rule(Kind.LISTEN_KEY_EXPIRED, "stream", times=(1, 2)),
    "trade_lite_first": _rule(Kind.TRADE_LITE_FIRST, "stream", delay_ms=(50, 2_000)),
    "events_before_reply": _rule(Kind.EVENTS_BEFORE_REPLY, "stream", delay_ms=(50, 3_000)),
    # Requests
    "unknown_executed": _rule(Kind.UNKNOWN_EXECUTED, "request", on=ORDER_ROADS),
    "unknown_not_executed": _rule(Kind.UNKNOWN_NOT_EXECUTED, "request", on=ORDER_ROADS),
    "status_unknown_executed": _rule(Kind.STATUS_UNKNOWN_EXECUTED, "request", on=ORDER_ROADS),
    "status_unknown_not_executed": _rule(
        Kind.STATUS_UNKNOWN_NOT_EXECUTED, "request", on=ORDER_ROADS
    ),
    "timeout_before": _rule(Kind.TIMEOUT_BEFORE, "request", chance=(0.05, 0.4)),
    "timeout_after": _rule(Kind.TIMEOUT_AFTER, "request", chance=(0.05, 0.4)),
    "reset_before": _rule(Kind.RESET_BEFORE, "request", chance=(0.05, 0.4)),
    "reset_after": _rule(Kind.RESET_AFTER, "request", chance=(0.05, 0.4)),
    "bad_timestamp": _rule(Kind.BAD_TIMESTAMP, "request", for_s=(2.0, 15.0)),
    "too_many_requests": _rule(
        Kind.TOO_MANY_REQUESTS, "request", for_s=(5.0, 30.0), times=(1, 2), chance=(0.1, 0.3)
    ),
    "banned": _rule(
        Kind.BANNED, "request", delay_ms=(2_000, 40_000), times=(1, 1), chance=(0.1, 0.3)
    ),
    "overloaded": _rule(Kind.OVERLOADED, "request", for_s=(2.0, 20.0)),
    "service_unavailable": _rule(Kind.SERVICE_UNAVAILABLE, "request", for_s=(2.0, 20.0)),
    "internal_error": _rule(Kind.INTERNAL_ERROR, "request", for_s=(2.0, 20.0)),
    "delay": _rule(Kind.DELAY, "request", delay_ms=(200, 9_000)),
    "delay_answer": _rule(Kind.DELAY_ANSWER, "request", delay_ms=(200, 12_000)),
    "exchange_clock": _rule(Kind.CLOCK_SKEW, "request", chance=(1.0, 1.0), delay_ms=(-450, 450)),
    "less_than_asked": _rule(Kind.PARTIAL_FILL, "request", chance=(0.2, 1.0)),
    "met_oneself": _rule(Kind.SELF_TRADE, "request", chance=(0.1, 0.5)),
    "filled_before_cancel": _rule(Kind.FILL_BEFORE_CANCEL, "request", chance=(0.2, 1.0)),
    "read_lag": _rule(
        Kind.READ_LAG, "request", for_s=(20.0, 90.0), chance=(1.0, 1.0), delay_ms=(200, 1_900)
    ),
    "stale_reads": Shape(for_s=(0.3, 1.9), weight=2.0, group="request"),
    "fog": Shape(weight=3.0, for_s=(4.0, 20.0), group="request"),
    # The road
    "refused": Shape(for_s=(0.5, 20.0), group="road"),
    "swallowed": Shape(for_s=(1.0, 30.0), group="road"),
    "cut_sockets": Shape(group="road"),
    "cut_before": Shape(times=(1, 4), group="road"),
    "cut_after": Shape(times=(1, 4), group="road"),
    "cut_early": Shape(times=(1, 4), delay_ms=(300, 4_900), group="road"),
    # Words that nobody knows
    "strange_frames": Shape(for_s=(5.0, 60.0), chance=(0.05, 0.6), group="strange"),
    "strange_answers": Shape(for_s=(5.0, 60.0), chance=(0.05, 0.5), group="strange"),
    "replayed_frames": Shape(times=(1, 3), group="strange"),
    # The machine
    "clock_skew": Shape(for_s=(10.0, 90.0), delay_ms=(-450, 450), group="machine"),
    "clock_jump": Shape(delay_ms=(-450, 450), group="machine"),
    "freeze": Shape(for_s=(0.2, 25.0), group="machine"),
    "kill": Shape(weight=3.0, times=(1, 25), words=_PHASES, group="kill"),
    "kill_any_time": Shape(weight=1.0, group="kill"),
    "kill_starting": Shape(weight=2.0, times=(1, 10), words=_PHASES, group="kill"),
    "power_cut": Shape(weight=2.0, times=(1, 15), delay_ms=(0, 45), group="kill"),
    "zombie": Shape(weight=1.0, for_s=(2.0, 40.0), group="kill"),
    "disk_full": Shape(weight=0.5, for_s=(1.0, 10.0), group="disk"),
    "sync_error": Shape(weight=0.5, for_s=(1.0, 10.0), group="disk"),
    # The market
    "gap": Shape(weight=2.0, delay_ms=(-60, 60), group="market"),
    "funding": Shape(weight=1.0, delay_ms=(-20, 20), group="market"),
    "liquidation": Shape(weight=0.3, group="market"),
    "deleveraging": Shape(weight=0.3, group="market"),
    # The market's streams, in the seeds in which the market comes over them
    "market_silent": _feed(Kind.SILENT_STREAM),
    "market_cut": _feed(Kind.DISCONNECT, times=(1, 2)),
    "market_doubled": _feed(Kind.DUPLICATE_FRAME, chance=(0.3, 1.0)),
    "marks_missing": _feed(
        Kind.DROP_FRAME, on="*@markPrice*", for_s=(8.0, 40.0), chance=(1.0, 1.0)
    ),
    # The exchange's own process, in seeds that are drawn for it
    "exchange_restart": Shape(weight=0.0, for_s=(0.3, 12.0), group="exchange"),
    # The operator
    "pause": Shape(weight=0.7, for_s=(1.0, 30.0), group="operator"),
    "stop": Shape(weight=0.5, words=("keep", "flatten"), group="operator"),
    "kill_switch": Shape(
        weight=0.7, for_s=(2.0, 30.0), words=("keep", "flatten"), group="operator"
    ),
}
"""Every kind of fault, and how it is drawn."""

COMPANIONS = {
    "read_lag": "unknown_executed",
    "stale_reads": "delay_frame",
    "replayed_frames": "disconnect",
}
"""What bites only together with something else."""

HOW_IT_SHOWS: dict[str, tuple[str, ...]] = {
    "kill": ("kill_before", "kill_torn", "kill_after", "torn_tail_found"),
    "power_cut": ("power_cut", "power_cut_lost_tail"),
    "liquidation": ("liquidation", "liquidation_fill"),
}
"""Under which names a kind is counted, where not its own."""

GROUPS = tuple(dict.fromkeys(shape.group for shape in SHAPES.values()))


def chosen(words: Sequence[str]) -> frozenset[str]:
    """Read kinds and groups of kinds; none means all.

    Raises:
        InputError: there is no such kind.
    """
    found: set[str] = set()
    for word in words:
        kinds = {kind for kind, shape in SHAPES.items() if word in (kind, shape.group)}
        if word == "none":
            continue
        if not kinds:
            text = f"there are no faults {word!r}: groups are {', '.join(GROUPS)}; kinds are "
            raise InputError(text + ", ".join(SHAPES))
        found |= kinds
    return frozenset(found) if words else frozenset(SHAPES)


def draw_plan(
    seed: str, storm_s: float, kinds: frozenset[str], *, has_live_feed: bool = False
) -> tuple[Fault, ...]:
    """Draw what goes wrong in a storm, in the order of its time."""
    plan = _first_plan(seed, storm_s, kinds) + _restart_plan(seed, storm_s, kinds)
    if has_live_feed:
        plan += _feed_plan(seed, storm_s, kinds)
    numbered = [msgspec.structs.replace(fault, number=n) for n, fault in enumerate(plan)]
    return tuple(sorted(numbered, key=lambda fault: fault.at_s))


def _restart_plan(seed: str, storm_s: float, kinds: frozenset[str]) -> list[Fault]:
    """Draw restarts of the exchange, in few seeds where they are one kind among all."""
    lots = Random(f"{seed}/restart plan")
    is_chosen = len(kinds) < len(SHAPES)
    is_drawn = lots.random() < RESTARTS or is_chosen
    if RESTART not in kinds or not is_drawn:
        return []
    return [_draw(lots, RESTART, storm_s) for _ in range(lots.choice((1, 1, 2)))]


def _feed_plan(seed: str, storm_s: float, kinds: frozenset[str]) -> list[Fault]:
    """Draw what goes wrong with the market's streams."""
    lots = Random(f"{seed}/feed plan")
    known = [kind for kind, shape in SHAPES.items() if shape.group == FEED and kind in kinds]
    number = lots.choice((0, 1, 2, 3)) + int(storm_s // 60)
    return [_draw(lots, lots.choice(known), storm_s) for _ in range(number)] if known else []


def _first_plan(seed: str, storm_s: float, kinds: frozenset[str]) -> list[Fault]:
    """Draw a few kinds of faults, some of them often.

    Each seed has its own character: most have few kinds, some have many.
    """
    lots = Random(f"{seed}/plan")
    known = [kind for kind, shape in SHAPES.items() if kind in kinds and shape.weight]
    if not known:
        return []
    variety = min(len(known), lots.choice((2, 4, 7, 12)))
    weights = [SHAPES[kind].weight for kind in known]
    some = [*dict.fromkeys(lots.choices(known, weights, k=variety * 2))][:variety]
    number = max(2, round(storm_s / 60 * lots.choice((1.5, 3.0, 6.0))))
    plan = [_draw(lots, lots.choice(some), storm_s) for _ in range(number)]
    plan += [
        msgspec.structs.replace(_draw(lots, COMPANIONS[fault.kind], storm_s), at_s=fault.at_s)
        for fault in plan
        if COMPANIONS.get(fault.kind) in kinds
    ]
    return sorted(plan, key=lambda fault: fault.at_s)


def kind_of(rule: Mapping[str, object]) -> str:
    """Return which kind of fault a rule of the exchange is of."""
    kinds = [k for k, shape in SHAPES.items() if shape.rule and shape.rule.value == rule["kind"]]
    return next((kind for kind in kinds if SHAPES[kind].on == rule["on"]), kinds[0])


def _draw(lots: Random, kind: str, storm_s: float) -> Fault:
    shape = SHAPES[kind]

    def between(ends: tuple[float, float]) -> float:
        return round(lots.uniform(*ends), 2)

    return Fault(
        number=0,
        kind=kind,
        at_s=round(lots.uniform(2.0, storm_s), 3),
        for_s=between(shape.for_s),
        chance=between(shape.chance),
        delay_ms=lots.randint(*shape.delay_ms),
        count=lots.randint(*shape.times),
        word=lots.choice(shape.words),
    )
