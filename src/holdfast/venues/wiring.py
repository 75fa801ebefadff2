"""What a venue is opened with, and how one is named that is loaded when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..model.instrument import Instrument
from ..model.values import MAIN, AccountId, Symbol
from ..ports import Clock, Venue

if TYPE_CHECKING:  # pydantic takes a fifth of a second to import
    from ..model.config import TradingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a venue is opened with.

    `config` is the account's own, as `TradingConfig.of_account` gives it, and `account` its name.
    `symbols` empty means all of `instruments`, which tells what the feed knows of its contracts
    and may have to ask for it; `is_listed` where that is the venue's own word, and no guess.
    `known` are the contracts of the journal. `clock` is the session's: the wall's wherever the feed
    is live.
    """

    config: TradingConfig
    clock: Clock
    account: AccountId = MAIN
    symbols: tuple[Symbol, ...] = ()
    known: Mapping[Symbol, Instrument] = field(default_factory=dict)
    instruments: Callable[[], Sequence[Instrument]] = tuple
    is_listed: bool = False


Opener = Callable[[Wiring], Venue]
"""Makes a venue and connects to nothing yet: that is `Venue.connect`.

Raises ConfigError where a setting is missing or can't be used.
"""


def later(module: str) -> Opener:
    """Return the function `open_venue` of a module in this package, loaded when it is called."""

    def open_venue(wiring: Wiring) -> Venue:
        loaded = importlib.import_module(f".{module}", __package__)
        made: Venue = loaded.open_venue(wiring)
        return made

    return open_venue
