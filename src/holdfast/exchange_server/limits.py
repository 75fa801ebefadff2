"""How much each address and each account has asked for, and what is refused for it.

Windows are the clock's own: a minute begins at its second 0. An address that goes on asking
beyond its weight is banned, each time twice as long. Some requests have no weight but a pool:
so many of them in five minutes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum

from ..model.values import NS_PER_MS, NS_PER_S, AccountId
from .errors import TOO_MANY_ORDERS, TOO_MANY_REQUESTS, ApiError
from .settings import LimitSettings

MINUTE_NS = 60 * NS_PER_S
FIVE_MINUTES_NS = 5 * MINUTE_NS
TEN_SECONDS_NS = 10 * NS_PER_S
BAN_S_MAX = 3 * 86_400
ADDRESSES_MAX = 10_000
"""How many addresses are remembered; then all but the banned ones are forgotten."""


class Window:
    """What was counted since the window began."""

    __slots__ = ("count", "length", "start")

    def __init__(self, length: int) -> None:
        self.length = length
        self.start = 0
        self.count = 0

    def at(self, now: int) -> int:
        """Return the count at a time."""
        if now >= self.start + self.length:
            self.start, self.count = now - now % self.length, 0
        return self.count

    def seconds_left(self, now: int) -> int:
        return max(1, -(-(self.start + self.length - now) // NS_PER_S))


class Pool(Enum):
    """Requests that are counted by themselves."""

    FUNDING = "FUNDING"
    STATISTICS = "STATISTICS"


class _Address:
    __slots__ = ("ban_s", "banned_until", "pools", "refused", "weight")

    def __init__(self) -> None:
        self.weight = Window(MINUTE_NS)
        self.pools = {pool: Window(FIVE_MINUTES_NS) for pool in Pool}
        self.refused = Window(MINUTE_NS)
        self.banned_until = 0
        self.ban_s = 0


class Limits:
    """Counts weights by address and orders by account. Times are nanoseconds."""

    def __init__(self, settings: LimitSettings) -> None:
        self.settings = settings
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[AccountId, tuple[Window, Window]] = {}
        self._pool_sizes = {
            Pool.FUNDING: settings.funding_5m,
            Pool.STATISTICS: settings.statistics_5m,
        }

    def spend(self, address: str, weight: int, now: int, pool: Pool | None = None) -> int:
        """Count a request's weight, and itself in its pool; return what the minute has come to.

        Raises:
            ApiError: that is too much, or the address is banned.
        """
        found = self._address(address)
        if now < found.banned_until:
            raise _banned(found.banned_until, now)
        used = found.weight.at(now) + weight
        most = self.settings.weight_1m
        if most and used > most:
            raise self._refused(found, found.weight, most, now)
        if pool is not None:
            self._draw(found, pool, now)
        found.weight.count = used
        return used

    def _draw(self, found: _Address, pool: Pool, now: int) -> None:
        """Count a request in its pool."""
        window, most = found.pools[pool], self._pool_sizes[pool]
        if most and window.at(now) >= most:
            raise self._refused(found, window, most, now)
        window.count = window.at(now) + 1

    def used(self, address: str, now: int) -> int:
        return self._address(address).weight.at(now)

    def ban(self, address: str, seconds: float, now: int) -> ApiError:
        """Ban an address, and return what it is told."""
        found = self._address(address)
        found.banned_until = now + round(seconds * NS_PER_S)
        return _banned(found.banned_until, now)

    def count_orders(self, account: AccountId, count: int, now: int) -> None:
        """Count a request that places or amends: by `count` in ten seconds, by one in a minute.

        Raises:
            ApiError: that is too much; it is counted in neither then.
        """
        short, long = self._windows(account)
        for window, added, most, name in (
            (short, count, self.settings.orders_10s, "10 SECOND"),
            (long, 1, self.settings.orders_1m, "1 MINUTE"),
        ):
            if most and window.at(now) + added > most:
                text = f"Too many new orders; current limit is {most} orders per {name}."
                raise ApiError(TOO_MANY_ORDERS, text, retry_after=window.seconds_left(now))
        short.count = short.at(now) + count
        long.count = long.at(now) + 1

    def order_counts(self, account: AccountId, now: int) -> tuple[int, int]:
        """Return the counts of the last 10 seconds' and the minute's window."""
        short, long = self._windows(account)
        return short.at(now), long.at(now)

    def _address(self, address: str) -> _Address:
        found = self._addresses.get(address)
        if found is None:
            if len(self._addresses) >= ADDRESSES_MAX:
                kept = {k: a for k, a in self._addresses.items() if a.banned_until}
                self._addresses = kept if len(kept) < ADDRESSES_MAX else {}
            found = self._addresses[address] = _Address()
        return found

    def _windows(self, account: AccountId) -> tuple[Window, Window]:
        found = self._orders.get(account)
        if found is None:
            found = self._orders[account] = (Window(TEN_SECONDS_NS), Window(MINUTE_NS))
        return found

    def _refused(self, found: _Address, window: Window, most: int, now: int) -> ApiError:
        found.refused.at(now)
        found.refused.count += 1
        if found.refused.count > self.settings.warnings:
            found.ban_s = min(found.ban_s * 2 or self.settings.ban_s, BAN_S_MAX)
            found.banned_until = now + found.ban_s * NS_PER_S
            return _banned(found.banned_until, now)
        return too_many(most, window.seconds_left(now))


def too_many(most: int, retry_after: int) -> ApiError:
    """Refuse a request for its weight."""
    return ApiError(
        TOO_MANY_REQUESTS,
        f"Too many requests; current limit is {most} requests per minute. "
        "Please use the websocket for live updates to avoid polling the API.",
        retry_after=retry_after,
    )


def seconds_to_minute(now: int) -> int:
    """Return when a refused address may ask again."""
    return 60 - datetime.fromtimestamp(now // NS_PER_S, UTC).second


def _banned(until: int, now: int) -> ApiError:
    return ApiError(
        TOO_MANY_REQUESTS,
        f"Way too many requests; IP banned until {until // NS_PER_MS}. "
        "Please use the websocket for live updates to avoid bans.",
        status=418,
        retry_after=max(1, -(-(until - now) // NS_PER_S)),
    )
