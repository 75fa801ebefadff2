"""What storage keeps beside the books: listen keys, countdowns and amendments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ..exchange import Row
from ..model.values import AccountId, Symbol
from .archive import Amendment

LISTEN_KEY, COUNTDOWN, AMENDMENT = "listen key", "countdown", "amendment"
KINDS = frozenset({LISTEN_KEY, COUNTDOWN, AMENDMENT})


class KeptKey(msgspec.Struct, frozen=True):
    """A listen key, and until when it is good."""

    account: AccountId
    key: str
    end: int


class KeptCountdown(msgspec.Struct, frozen=True):
    """When a symbol's orders are cancelled unless somebody speaks."""

    account: AccountId
    symbol: Symbol
    due: int


class Kept(msgspec.Struct):
    """Everything that storage had."""

    keys: list[KeptKey] = []
    countdowns: list[KeptCountdown] = []
    amendments: list[Amendment] = []


_ENCODE = msgspec.json.Encoder().encode
_KEY = msgspec.json.Decoder(KeptKey)
_COUNTDOWN = msgspec.json.Decoder(KeptCountdown)
_AMENDMENT = msgspec.json.Decoder(Amendment)


def key_row(account: AccountId, key: str | None, end: int) -> Row:
    """Return the row of an account's listen key; None: it has none any more."""
    payload = None if key is None else _ENCODE(KeptKey(account, key, end))
    return Row(LISTEN_KEY, account, payload)


def countdown_row(account: AccountId, symbol: Symbol, due: int | None) -> Row:
    """Return the row of a countdown; None: it does not run any more."""
    payload = None if due is None else _ENCODE(KeptCountdown(account, symbol, due))
    return Row(COUNTDOWN, f"{account}\n{symbol}", payload)


def amendment_row(account: AccountId, number: int, amendment: Amendment | None) -> Row:
    """Return the row of an amendment by its number; None: it is forgotten."""
    payload = None if amendment is None else _ENCODE(amendment)
    return Row(AMENDMENT, f"{account}\n{number}", payload)


def split(found: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of the books, and those that are kept beside them."""
    return (
        [row for row in found if row.kind not in KINDS],
        [row for row in found if row.kind in KINDS],
    )


def read(found: Iterable[Row]) -> Kept:
    """Read what `split` set apart; amendments in their order.

    Raises:
        MsgspecError: a row can't be read.
    """
    kept = Kept()
    for row in found:
        if row.payload is None:
            continue
        if row.kind == LISTEN_KEY:
            kept.keys.append(_KEY.decode(row.payload))
        elif row.kind == COUNTDOWN:
            kept.countdowns.append(_COUNTDOWN.decode(row.payload))
        else:
            kept.amendments.append(_AMENDMENT.decode(row.payload))
    kept.amendments.sort(key=lambda each: each.number)
    return kept
