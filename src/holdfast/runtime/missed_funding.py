"""Settle on paper the funding that fell due while nobody was there to charge it.

A simulated account lives as long as its session. Rates and marks of the time between are the
venue's own, from its history; what is not to be had is told, and never guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from ..model.errors import TradingError
from ..model.market import Funding
from ..model.values import MAIN, NS_PER_S, Symbol
from ..ports import Feed, FundingHistory, Notifier, Venue

LOOK_BACK_NS = 30 * 86_400 * NS_PER_S
"""How far back settlements are asked for; of what is older nothing is charged, and it is told."""


@runtime_checkable
class Unattended(Protocol):
    """An account for which nobody charges funding while its session is down."""

    def unpaid_since(self) -> dict[Symbol, int]:
        """Return since when funding of its open positions may be unpaid."""

    def pay_missed(self, fundings: list[Funding]) -> None:
        """Book settlements, each once, at the marks that they name."""


async def settle_missed(feed: Feed, venue: Venue, now: int, notifier: Notifier) -> None:
    """Charge and pay what fell due until now. A recording shows it again by itself.

    Raises:
        VenueError: the account's books can't be written.
    """
    if not feed.is_live or not isinstance(venue, Unattended):
        return
    for symbol, unpaid in venue.unpaid_since().items():
        since = max(unpaid, now - LOOK_BACK_NS)
        problem = "" if since == unpaid else f"older than {LOOK_BACK_NS // NS_PER_S} s"
        found: list[Funding] = []
        if isinstance(feed, FundingHistory):
            try:
                found = await feed.fetch_fundings(symbol, since, now)
            except TradingError as error:
                problem = str(error)
        else:
            problem = f"the feed {feed.name} has no history of it"
        known = [each for each in found if each.mark_price is not None]
        if len(known) < len(found):
            problem = "the venue names no mark price for it"
        venue.pay_missed(known)
        if problem:
            span = f"{_time(unpaid)} to {_time(now)} UTC"
            where = "" if venue.account == MAIN else f" on account {venue.account}"
            text = f"funding of {symbol}{where} from {span} is not charged as far as it is unknown"
            notifier.notify("alarm", f"{text}: {problem}")


def _time(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"
