"""Settle on paper the funding that fell due while nobody was there to charge it.

A simulated account lives as long as its session, and stands still while the machine is suspended.
Rates and marks of such a time are the venue's own, from its history; what is not to be had is
told, and never guessed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from ..exchange.refusals import BAD_SYMBOL
from ..model.errors import TradingError, VenueRefused
from ..model.market import Funding
from ..model.values import MAIN, NS_PER_S, AccountId, Symbol
from ..ports import Clock, Feed, FundingHistory, Notifier, Venue

LOOK_BACK_NS = 30 * 86_400 * NS_PER_S
"""How far back settlements are asked for; of what is older nothing is charged, and it is told."""

EVERY_S = 60.0
"""How often it is seen whether something is to be asked for."""

_log = logging.getLogger("holdfast.session")


@runtime_checkable
class Unattended(Protocol):
    """An account for which nobody charges funding while its session is down."""

    @property
    def account(self) -> AccountId: ...

    def unpaid_since(self) -> dict[Symbol, int]:
        """Return since when funding of what was held may be unpaid."""

    def leave_late_funding(self) -> None:
        """Charge what falls due in time alone; the rest is asked for."""

    def pay_missed(self, fundings: list[Funding], *, is_told: bool = False) -> None:
        """Book settlements, each once, at the marks that they name."""

    def settle_funding(self, symbol: Symbol, until: int, *, is_last: bool = False) -> None:
        """Take it that all that fell due until then is known; or that no more will ever be."""


def leave_late_funding(feed: Feed, venues: Iterable[Venue]) -> None:
    """Charge what falls due in time alone, where the rest can be asked for."""
    for venue in venues:
        if feed.is_live and isinstance(feed, FundingHistory) and isinstance(venue, Unattended):
            venue.leave_late_funding()


async def settle_missed(
    feed: Feed, venue: Venue, now: int, notifier: Notifier, *, is_told: bool = False
) -> None:
    """Charge and pay what fell due until now. A recording shows it again by itself.

    Args:
        is_told: the books were asked for already; else they tell of it.

    Raises:
        VenueError: the account's books can't be written.
    """
    if not feed.is_live or not isinstance(venue, Unattended):
        return
    leave_late_funding(feed, (venue,))
    for symbol, unpaid in venue.unpaid_since().items():
        if problem := await _settle(feed, venue, symbol, (unpaid, now), is_told=is_told):
            _alarm(venue, symbol, (unpaid, now), problem, notifier)


async def keep_settled(
    feed: Feed, venues: Iterable[Venue], clock: Clock, notifier: Notifier
) -> None:
    """Do so for ever, where a session stood still while funding fell due, or did not hear of it.

    Returns at once where nobody can be asked.
    """
    accounts = [venue for venue in venues if isinstance(venue, Unattended)]
    if not feed.is_live or not isinstance(feed, FundingHistory) or not accounts:
        return
    told: set[tuple[AccountId, Symbol, int]] = set()
    while True:
        await asyncio.sleep(EVERY_S)
        for venue in accounts:
            try:
                await _settle_all(feed, venue, clock.now(), notifier, told)
            except TradingError as error:
                _log.warning("missed funding can't be booked: %s", error)
            except Exception:  # noqa: BLE001 - a fault of ours; the session goes on by what it knows
                _log.exception("missed funding was not understood")


async def _settle_all(
    feed: Feed,
    venue: Unattended,
    now: int,
    notifier: Notifier,
    told: set[tuple[AccountId, Symbol, int]],
) -> None:
    for symbol, unpaid in venue.unpaid_since().items():
        problem = await _settle(feed, venue, symbol, (unpaid, now), is_told=True)
        if problem and (venue.account, symbol, unpaid) not in told:
            told.add((venue.account, symbol, unpaid))
            _alarm(venue, symbol, (unpaid, now), problem, notifier)


async def _settle(
    feed: Feed, venue: Unattended, symbol: Symbol, span: tuple[int, int], *, is_told: bool
) -> str:
    """Charge what the history tells; return what is wrong with it, "" where nothing is."""
    unpaid, now = span
    since = max(unpaid, now - LOOK_BACK_NS)
    problem = "" if since == unpaid else f"older than {LOOK_BACK_NS // NS_PER_S} s"
    found: list[Funding] = []
    if isinstance(feed, FundingHistory):
        try:
            found = await feed.fetch_fundings(symbol, since, now)
        except VenueRefused as error:
            is_gone = error.code == BAD_SYMBOL  # the contract, and its history with it
            if is_gone:
                venue.settle_funding(symbol, now, is_last=True)
            return f"{error}; it is {'not ' if is_gone else ''}asked for again"
        except TradingError as error:
            return f"{error}; it is asked for again"
    else:
        problem = f"the feed {feed.name} has no history of it"
    known = [each for each in found if each.mark_price is not None]
    if len(known) < len(found):
        problem = "the venue names no mark price for it"
    venue.pay_missed(known, is_told=is_told)
    venue.settle_funding(symbol, now)
    return problem


def _alarm(
    venue: Unattended, symbol: Symbol, span: tuple[int, int], problem: str, notifier: Notifier
) -> None:
    times = " to ".join(map(_time, span))
    where = "" if venue.account == MAIN else f" on account {venue.account}"
    text = f"funding of {symbol}{where} from {times} UTC is not charged as far as it is unknown"
    notifier.notify("alarm", f"{text}: {problem}")


def _time(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"
