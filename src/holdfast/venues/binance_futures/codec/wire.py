"""Read the venue's JSON into typed rows, and refuse what no exchange could mean.

Rule 1: a field that we do not know is ignored; a word that we do not know is translated by the
        tables in `words`; a number that is not finite, or absurd, is refused.
Rule 2: the text of a number carries no meaning: "0.10" and "0.1" are the same price.
"""

from __future__ import annotations

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

_LEAST = -LARGEST_AMOUNT


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
        raise BadFrame(f"{what} can't be read ({error}): {quote(raw)}") from error


def quote(raw: bytes | str | msgspec.Raw) -> str:
    """Return the beginning of a frame, for an error's text."""
    text = raw if isinstance(raw, str) else bytes(raw)[: SHOWN_BYTES * 4].decode(errors="replace")
    return text if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}..."


def checked(amount: Decimal, what: str) -> Decimal:
    """Return an amount that is finite and believable.

    Raises:
        BadFrame: it is neither.
    """
    try:
        if _LEAST <= amount <= LARGEST_AMOUNT:
            return amount
    except InvalidOperation:
        pass  # not a number: refused below
    raise BadFrame(f"{what} must be a finite number of at most {LARGEST_AMOUNT:f}, was {amount}")


def checked_or_none(amount: Decimal | None, what: str) -> Decimal | None:
    """Return an amount that the venue may leave out, checked where it is there."""
    return None if amount is None else checked(amount, what)


def ns(ms: int) -> int:
    """Turn the venue's milliseconds into nanoseconds."""
    return ms * NS_PER_MS


def ms(ns_: int) -> int:
    """Turn nanoseconds into the venue's milliseconds, cutting what is finer.

    Cutting is the safe side: a request never claims to be younger than it is.
    """
    return ns_ // NS_PER_MS
