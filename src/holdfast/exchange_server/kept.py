"""What storage keeps beside the books: listen keys, countdowns, amendments and samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ..exchange import Row
from ..model.values import AccountId, Symbol
from .archive import RECORDS_KEPT, Amendment, Archive
from .samples import Sample

LISTEN_KEY, COUNTDOWN, AMENDMENT, SAMPLE = "listen key", "countdown", "amendment", "sample"
KINDS = frozenset({LISTEN_KEY, COUNTDOWN, AMENDMENT, SAMPLE})


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
    samples: list[tuple[Symbol, Sample]] = []


_ENCODE = msgspec.json.Encoder().encode
_KEY = msgspec.json.Decoder(KeptKey)
_COUNTDOWN = msgspec.json.Decoder(KeptCountdown)
_AMENDMENT = msgspec.json.Decoder(Amendment)
_SAMPLE = msgspec.json.Decoder(Sample)


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


def fresh_amendments(archive: Archive) -> Iterator[Row]:
    """Yield the rows of amendments since the last time, and of those forgotten for them."""
    for account in archive.accounts():
        records = archive.of(account)
        fresh, records.fresh_amendments = records.fresh_amendments, []
        for each in fresh:
            yield amendment_row(account, each.number, each)
            if each.number > RECORDS_KEPT:
                yield amendment_row(account, each.number - RECORDS_KEPT, None)


def sample_row(symbol: Symbol, ts: int, sample: Sample | None) -> Row:
    """Return the row of a sample by its time; None: it is forgotten."""
    return Row(SAMPLE, f"{symbol}\n{ts}", None if sample is None else _ENCODE(sample))


def split(found: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of the books, and those that are kept beside them."""
    return (
        [row for row in found if row.kind not in KINDS],
        [row for row in found if row.kind in KINDS],
    )


def read(found: Iterable[Row]) -> Kept:
    """Read what `split` set apart; amendments and samples in their order.

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
        elif row.kind == SAMPLE:
            symbol = Symbol(row.key.partition("\n")[0])
            kept.samples.append((symbol, _SAMPLE.decode(row.payload)))
        else:
            kept.amendments.append(_AMENDMENT.decode(row.payload))
    kept.amendments.sort(key=lambda each: each.number)
    kept.samples.sort(key=lambda each: each[1].ts)
    return kept
