"""The keys by which user data streams are opened: drawn, kept alive, closed, forgotten in time."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from typing import NamedTuple

from ..model.values import NS_PER_S, AccountId

VALIDITY_NS = 3600 * NS_PER_S
LENGTH = 64
_ALPHABET = string.ascii_letters + string.digits


class ExpiredKey(NamedTuple):
    """A key that is no longer good for anything, and whose it was."""

    key: str
    account: AccountId


def draw_key() -> str:
    """Return a new key."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


class ListenKeys:
    """At most one key for each account, good for an hour from the last sign of life.

    Times are nanoseconds. `POST` is `start`, `PUT` is `keep_alive`, `DELETE` is `close`.
    `on_change` hears of an account's key, None where it has none now, and until when it is good.
    """

    def __init__(self, validity_ns: int = VALIDITY_NS, draw: Callable[[], str] = draw_key) -> None:
        self._validity_ns = validity_ns
        self._draw = draw
        self._keys: dict[AccountId, str] = {}
        self._accounts: dict[str, AccountId] = {}
        self._ends: dict[AccountId, int] = {}
        self._untold: list[ExpiredKey] = []  # replaced before anybody heard that they expired
        self.on_change: Callable[[AccountId, str | None, int], None] = lambda *_: None

    def restore(self, account: AccountId, key: str, end: int) -> None:
        """Take back a key of before a restart; one whose time is up expires soon."""
        self._keys[account], self._accounts[key], self._ends[account] = key, account, end

    def start(self, account: AccountId, now: int) -> str:
        """Return the account's key, the same one while it is good, and extend it."""
        key = self.keep_alive(account, now)
        if key is None:
            if (expired := self.expire(account)) is not None:
                self._untold.append(expired)
            key = self._keys[account] = self._draw()
            self._accounts[key] = account
            self._extend(account, now)
        return key

    def _extend(self, account: AccountId, now: int) -> None:
        end = self._ends[account] = now + self._validity_ns
        self.on_change(account, self._keys[account], end)

    def keep_alive(self, account: AccountId, now: int) -> str | None:
        """Extend the account's key and return it; None when there is none (error -1125)."""
        if now >= self._ends.get(account, now):
            return None
        self._extend(account, now)
        return self._keys[account]

    def close(self, account: AccountId) -> str | None:
        """Make the account's key worthless and return it; None when there was none."""
        key = self._keys.pop(account, None)
        if key is not None:
            del self._accounts[key], self._ends[account]
            self.on_change(account, None, 0)
        return key

    def key_of(self, account: AccountId) -> str | None:
        """Return the account's key as long as nobody has heard that it expired."""
        return self._keys.get(account)

    def account_of(self, key: str) -> AccountId | None:
        """Return whose key it is; None when it is unknown, closed or expired."""
        return self._accounts.get(key)

    def expire_due(self, now: int) -> list[ExpiredKey]:
        """Forget the keys whose time is up and return them, to be told to their streams."""
        due = [account for account, end in self._ends.items() if now >= end]
        untold, self._untold = self._untold, []
        return untold + [key for account in due if (key := self.expire(account)) is not None]

    def expire(self, account: AccountId) -> ExpiredKey | None:
        """Let an account's key expire before its time; None when there is none."""
        key = self.close(account)
        return None if key is None else ExpiredKey(key, account)
