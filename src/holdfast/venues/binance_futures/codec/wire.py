"""Read the venue's JSON into typed rows, and refuse what no exchange could mean.

Rule 1: a field that we do not know is ignored; a word that we do not know is translated by the
        tables in `words`; a number that is not finite, or absurd, is refused.
Rule 2: the text of a number carries no meaning: "0.10" and "0.1" are the same price.
Rule 3: a field that is null or empty where neither can be is taken for one that was left out.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec

from ....model.errors import VenueError
from ....model.values import LARGEST_AMOUNT, NS_PER_MS

T = TypeVar("T")

SHOWN_BYTES = 300
"""How much of a frame that can't be read an error quotes."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises: for a wrong shape, for no text, and for brackets without end."""

PLACES_MAX = 30
"""Decimal places of an amount; the finest contract has ten."""

LAST_MS = (2**63 - 1) // NS_PER_MS
"""The latest time that nanoseconds in 64 bits can tell, in the year 2262."""

_KEYS = re.compile(r"""\b((?:apiKey|listenKey|signature)(?:"\s*:\s*"|=))[^"&\s<>']+""")
"""Where a frame names a key, or a page the address that was asked for."""

_LEAST = -LARGEST_AMOUNT
_NOTHING: tuple[object, ...] = (None, "")
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode

Said = str | int | float | None
"""What is a text or a number, whichever the venue likes, and empty where there is none."""


def said(value: Said) -> str:
    """Return it as a text; "" where there is none."""
    return "" if value is None else str(value)


class BadFrame(VenueError):
    """The venue sent something that can't be read; the text quotes its beginning."""


def decode(decoder: msgspec.json.Decoder[T], raw: bytes | str | msgspec.Raw, what: str) -> T:
    """Decode one frame or body.

    Raises:
        BadFrame: it has another shape; `what` names the place.
    """
    try:
        return decoder.decode(raw)
    except UNREADABLE as error:
        try:
            return decoder.decode(without_empties(raw))
        except UNREADABLE:
            raise BadFrame(f"{what} can't be read ({error}): {quote(raw)}") from error


def without_empties(raw: bytes | str | msgspec.Raw) -> bytes:
    """Write JSON again without the fields that are null or empty texts; it takes its time.

    Raises:
        DecodeError: it is no JSON.
    """
    text = raw if isinstance(raw, str) else bytes(raw).decode()
    try:
        return _ENCODE(_filled(json.loads(text, parse_float=Decimal, parse_constant=_refuse)))
    except (ValueError, OverflowError) as error:
        raise msgspec.DecodeError(str(error)) from None


def _filled(value: object) -> object:
    if isinstance(value, dict):
        return {name: _filled(each) for name, each in value.items() if each not in _NOTHING}
    return [_filled(each) for each in value] if isinstance(value, list) else value


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no number")


def quote(raw: bytes | str | msgspec.Raw) -> str:
    """Return the beginning of a frame, for an error's text; keys are left out."""
    text = raw if isinstance(raw, str) else bytes(raw)[: SHOWN_BYTES * 4].decode(errors="replace")
    text = without_keys(text)
    return text if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}..."


def without_keys(text: str) -> str:
    """Return a text of the venue's, or of a proxy's, without keys and signatures in it."""
    return _KEYS.sub(r"\1***", text)


def checked(amount: Decimal, what: str) -> Decimal:
    """Return an amount that is finite and believable.

    Raises:
        BadFrame: it is neither.
    """
    try:
        if _LEAST <= amount <= LARGEST_AMOUNT and _places(amount) <= PLACES_MAX:
            return amount
    except InvalidOperation:
        pass  # not a number: refused below
    raise BadFrame(
        f"{what} must be a finite number of at most {LARGEST_AMOUNT:f} with at most {PLACES_MAX} "
        f"decimal places, was {str(amount)[:SHOWN_BYTES]}"
    )


def _places(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else PLACES_MAX + 1


def unsigned(amount: Decimal, what: str) -> Decimal:
    """Return a checked amount of what can't be less than nothing: a quantity, a price.

    Raises:
        BadFrame: it is less.
    """
    if checked(amount, what) < 0:
        raise BadFrame(f"{what} must not be negative, was {amount:f}")
    return amount


def checked_or_none(amount: Decimal | None, what: str) -> Decimal | None:
    """Return an amount that the venue may leave out, checked where it is there."""
    return None if amount is None else checked(amount, what)


def ns(ms: int) -> int:
    """Turn the venue's milliseconds into nanoseconds.

    Raises:
        BadFrame: it is before 1970, or past what a journal holds: no time in milliseconds.
    """
    if 0 <= ms <= LAST_MS:
        return ms * NS_PER_MS
    told = "less" if ms < 0 else "more"
    raise BadFrame(f"a time must be from 0 to {LAST_MS} ms since 1970, was {told}")


def ns_or_0(ms: int) -> int:
    """Turn a time that the venue may leave out; one that can't be counts as left out."""
    return ms * NS_PER_MS if 0 <= ms <= LAST_MS else 0


def ms(ns_: int) -> int:
    """Turn nanoseconds into the venue's milliseconds, cutting what is finer.

    Cutting is the safe side: a request never claims to be younger than it is.
    """
    return ns_ // NS_PER_MS
