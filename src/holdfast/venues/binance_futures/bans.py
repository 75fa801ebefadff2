"""Tell of each ban of our address once: whoever is refused, or held back, hears of it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ...model.messages import AddressBanned, VenueMessage
from ...model.values import NS_PER_S, AccountId

Hear = Callable[[VenueMessage], None]


class Bans:
    """What an account tells of bans.

    Args:
        hear: returns who is told; None where nobody listens yet: the ban is told later then.
    """

    def __init__(self, account: AccountId, hear: Callable[[], Hear | None]) -> None:
        self._account = account
        self._hear = hear
        self._told_until = 0

    def heard(self, until: int) -> None:
        """Hear that a ban ends at this time (ns)."""
        hear = self._hear()
        if hear is None or until <= self._told_until:
            return
        self._told_until = until
        end = datetime.fromtimestamp(-(-until // NS_PER_S), UTC)
        text = f"the venue has banned this address for too many requests, until {end:{_FORM}}"
        hear(AddressBanned(account=self._account, until_ts=until, text=text))


_FORM = "%Y-%m-%d %H:%M:%S UTC"
