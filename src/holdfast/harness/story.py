"""Tell of a failed bout what a person needs: the order in question, here and at the exchange."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..model import events as ev
from .oracles import Truth
from .stage import Stage

LINES_MAX = 80
WIDTH = 240
_ORDER = re.compile(r"[A-Za-z0-9_-]+\.[0-9a-z]+\.[0-9a-z]+\.(?P<parent>[0-9a-z]+)\.[EXST]\.\w*")
_PARENT = re.compile(r"parent (?P<number>\d+)")
_TRADE = re.compile(r"trade (?P<number>\d+) of (?P<symbol>\w+)")
_SCENERY = (ev.EpochStarted, ev.SessionChanged, ev.BooksDiffered, ev.AlarmRaised)


def story_of(stage: Stage, violation: str, truth: Truth | None) -> list[str]:
    """Return the facts and the exchange's rows that have to do with a violation."""
    marks = _marks(violation)
    lines = [f"The story of {', '.join(marks) or 'the session'}, from the journal:"]
    lines += _shortened(
        _line(number, fact)
        for number, fact in enumerate(stage.ledger.facts, 1)
        if isinstance(fact, _SCENERY) or any(mark in repr(fact) for mark in marks)
    )
    if truth is not None and marks:
        lines.append("And from the exchange:")
        rows = (*truth.orders, *truth.algos, *truth.trades)
        lines += _shortened(_row(row) for row in rows if any(m in repr(row) for m in marks))
    return lines


def _marks(violation: str) -> list[str]:
    """Return texts by which what concerns the violation is found."""
    marks = [match[0] for match in _ORDER.finditer(violation)]
    marks += [f".{match['parent']}." for match in _ORDER.finditer(violation)]
    marks += [f"parent_id='{match['number']}'" for match in _PARENT.finditer(violation)]
    marks += [f"trade_id='{match['number']}'" for match in _TRADE.finditer(violation)]
    return list(dict.fromkeys(marks))


def _line(number: int, fact: ev.Event) -> str:
    when = datetime.fromtimestamp(fact.ts / 1e9, UTC)
    told = {k: v for k, v in msgspec.to_builtins(fact).items() if k not in ("ts", "verdicts")}
    return f"{number:>7} {when:%H:%M:%S.%f} {told}"[:WIDTH]


def _row(row: Mapping[str, Any]) -> str:
    return str(dict(row))[:WIDTH]


def _shortened(lines: Iterable[str]) -> list[str]:
    kept = list(lines)
    if len(kept) <= LINES_MAX:
        return kept
    left_out = len(kept) - LINES_MAX
    return [*kept[:20], f"... {left_out} lines left out ...", *kept[20 - LINES_MAX :]]
