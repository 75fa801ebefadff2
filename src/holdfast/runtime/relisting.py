"""Read the contracts of simulated accounts anew: a paper session may run for weeks.

A real account's venue does so of itself. Here the market tells: ticks, lots and bounds that change,
contracts that are halted, and the end of one, at which it is settled on paper too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from ..model.errors import TradingError
from ..model.instrument import Instrument
from ..ports import Feed, Listing, Venue

EVERY_S = 120.0
"""How often the market is asked."""

_log = logging.getLogger("holdfast.session")


@runtime_checkable
class Relisted(Protocol):
    """An account whose contracts are what it is told."""

    def contracts(self) -> Sequence[Instrument]:
        """Return the contracts that the session trades, as they are listed now."""

    def relist(self, made: Instrument) -> None:
        """Take a contract as the market has it now."""


async def keep_listed(feed: Feed, venues: Iterable[Venue]) -> None:
    """Do so for ever; return at once where there is nobody to ask, or nothing to be told.

    The first time is now: an account's books remember a halt that is over.
    """
    accounts = [venue for venue in venues if isinstance(venue, Relisted)]
    if not feed.is_live or not isinstance(feed, Listing) or not accounts:
        return
    while True:
        for account in accounts:
            try:
                await _relist(feed, account)
            except TradingError as error:
                _log.warning("the contracts can't be read anew: %s", error)
            except Exception:  # noqa: BLE001 - a fault of ours; the session goes on by what it knows
                _log.exception("the contracts were not understood")
        await asyncio.sleep(EVERY_S)


async def _relist(feed: Listing, account: Relisted) -> None:
    for made in await feed.fetch_listed(account.contracts()):
        if made not in account.contracts():
            account.relist(made)
