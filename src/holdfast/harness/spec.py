"""What is to be played in one bout, and what came of it."""

from __future__ import annotations

import msgspec

from .faults import KINDS

KILLS_MAX = 25
"""Of one bout."""

CALM_EVERY = 5
"""After how many kills the books are compared."""


REST_S_MAX = 60.0
"""How long it may take after the last wish until both books are the same."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One bout: an exchange, a session, and what is done to them, drawn from `seed`.

    `without` names a mechanism that is taken out of the product (a mutant of the simulation).
    """

    seed: int
    folder: str
    kills: int = KILLS_MAX
    kinds: tuple[str, ...] = KINDS
    without: str = ""
    rest_s: float = REST_S_MAX  # less where it is known that something is wrong
    server: str = ""  # the journal is on a PostgreSQL there, else in SQLite's files
    keeps: bool = False  # everything, also where nothing was wrong


class Verdict(msgspec.Struct, kw_only=True):
    """What came of a bout. `violations` are sentences that begin with the oracle's name."""

    seed: int
    kills: int = 0  # that were wanted
    fired: dict[str, int] = {}
    exchange_fired: dict[str, int] = {}
    exits: dict[str, int] = {}  # ends of the session's process that nobody asked for, by reason
    unavailable: tuple[str, ...] = ()  # kinds that this machine can't do
    full_disk: str = ""
    calms: int = 0
    lives: int = 0
    orders: int = 0
    fills: int = 0
    facts: int = 0
    recoveries: list[float] = []  # s from start to RUNNING in a calm
    recoveries_in_storm: list[float] = []
    rests: list[float] = []  # s until the books agreed in a calm
    violations: list[str] = []
    story: list[str] = []
    folder: str = ""  # where everything is kept; "" where nothing is
    told: list[str] = []  # all that happened, with the seconds since the beginning
    seconds: float = 0.0
