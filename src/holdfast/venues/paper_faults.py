"""What may go wrong on the road to the paper exchange, on order: a deterministic schedule."""

from __future__ import annotations

import enum

import msgspec

from ..model.values import NS_PER_S


class Fault(enum.Enum):
    """What becomes of a request whose answer never comes."""

    NOT_EXECUTED = "NOT_EXECUTED"  # it was lost on its way
    EXECUTED = "EXECUTED"  # only the answer was lost: the reports come all the same
    EXECUTED_SILENT = "EXECUTED_SILENT"  # and so are the reports of what it did at once
    DELAYED = "DELAYED"  # it arrives `delay_ns` later, if the fence lets it


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests and which reports suffer; both are counted from 1."""

    requests: dict[int, Fault] = {}  # submits, cancels and amendments, counted together
    lost_reports: frozenset[int] = frozenset()  # of those that would have been heard
    delay_ns: int = 2 * NS_PER_S
