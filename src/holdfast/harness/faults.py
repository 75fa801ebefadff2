"""What happens to the two processes and to what lies around them, and when: drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from ..model.errors import InputError

KILL_SESSION, KILL_EXCHANGE, POWER_CUT = "kill_session", "kill_exchange", "power_cut"

KILLS: dict[str, int] = {KILL_SESSION: 6, KILL_EXCHANGE: 3, POWER_CUT: 2}
"""What ends a life, by SIGKILL, and how often one is drawn beside the others.

With a power cut, what the session has written and not synced is lost too.
"""

TROUBLES: dict[str, tuple[int, float, float]] = {
    "freeze_session": (3, 0.2, 4.0),  # SIGSTOP, then SIGCONT; past the orders' deadline at times
    "freeze_exchange": (3, 0.2, 4.0),
    "cut": (4, 0.0, 0.0),  # RST
    "stall": (3, 0.3, 5.0),  # half-open: bytes are swallowed
    "disk_full": (2, 1.0, 3.0),
    "database_locked": (2, 0.3, 4.0),  # the product waits for 2 s
    "database_cut": (3, 0.0, 0.0),  # of a server: it ends its clients' connections
    "exchange_clock": (2, 0.5, 3.0),
    "session_clock": (2, 0.5, 3.0),
}
"""What happens meanwhile: weight, and how long it lasts, in seconds."""

KINDS = (*KILLS, *TROUBLES)

TROUBLES_MAX = 2
"""How many befall one life."""

FEW = 5
"""Where so few kinds are wanted, a life has as many troubles as it may have, or none."""

LIFE_S = (0.05, 2.6)
"""How long a life lasts after it has begun to trade."""

OWED_LIFE_S = 3.5
"""How long a life lasts in which something is to be seen at last."""

EARLY = 0.25
"""The share of lives that end while they start."""

EARLY_S = (0.02, 0.9)
AFTER_WRITE = 0.6
"""The share of kills that strike right after the journal has grown: orders are in flight then."""

LATENCIES_S = (0.0, 0.002, 0.01, 0.03)
"""Of the road, each way; one is drawn for each bout."""


class Trouble(NamedTuple):
    """One thing that happens: `after_s` from the life's beginning, for `lasts_s`."""

    kind: str
    after_s: float
    lasts_s: float
    size: float  # from -1 to 1: where there is more or less of it


class Life(NamedTuple):
    """What is to become of one life.

    `end_s` counts from the start of the process where `is_early`, else from RUNNING.
    """

    kill: str
    is_early: bool
    end_s: float
    after_write: bool
    troubles: tuple[Trouble, ...]


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds that are meant; none means all.

    Raises:
        InputError: there is no such kind.
    """
    wanted = tuple(names)
    unknown = sorted(set(wanted) - set(KINDS))
    if unknown:
        raise InputError(f"no fault {', '.join(unknown)}: expected {', '.join(KINDS)}")
    return wanted or KINDS


def draw_life(lots: Random, kinds: Iterable[str]) -> Life:
    """Draw what happens in one life. Without a kind of kill the session is killed."""
    wanted = set(kinds)
    kills = {kind: weight for kind, weight in KILLS.items() if kind in wanted} or {KILL_SESSION: 1}
    kill = lots.choices([*kills], weights=[*kills.values()])[0]
    is_cut = kill == POWER_CUT  # there must be something to lose: right behind a commit
    is_early = lots.random() < EARLY and not is_cut
    end_s = lots.uniform(*(EARLY_S if is_early else LIFE_S))
    troubles = [kind for kind in TROUBLES if kind in wanted]
    count = lots.randint(0, TROUBLES_MAX) if troubles else 0
    if count and len(wanted) <= FEW:
        count = TROUBLES_MAX  # each is to be seen
    weights = [TROUBLES[kind][0] for kind in troubles]
    drawn = lots.choices(troubles, weights=weights, k=count) if count else []
    return Life(
        kill,
        is_early,
        round(end_s, 3),
        is_cut or (not is_early and lots.random() < AFTER_WRITE),
        tuple(_draw(lots, kind, end_s) for kind in dict.fromkeys(drawn)),
    )


def with_owed(life: Life, lots: Random, kind: str) -> Life:
    """Return a life that is long enough for a trouble that has not struck yet, and has it."""
    _, least, most = TROUBLES[kind]
    owed = Trouble(kind, 0.5, round((least + most) / 2, 3), round(lots.uniform(-1, 1), 3))
    kept = tuple(each for each in life.troubles if each.kind != kind)[: TROUBLES_MAX - 1]
    return life._replace(is_early=False, end_s=OWED_LIFE_S, troubles=(*kept, owed))


def _draw(lots: Random, kind: str, end_s: float) -> Trouble:
    _, least, most = TROUBLES[kind]
    after_s = round(lots.uniform(0.0, end_s + 0.4), 3)
    return Trouble(
        kind, after_s, round(lots.uniform(least, most), 3), round(lots.uniform(-1, 1), 3)
    )
