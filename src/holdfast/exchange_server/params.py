"""The parameters of a request, from the query and the form in the body, and how they are read.

A name in both counts as the query has it. Unknown names are ignored, as the venue ignores them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from urllib.parse import unquote_plus

import msgspec

from ..model.values import LARGEST_AMOUNT, ZERO
from .errors import MANDATORY, NOT_WANTED, ApiError, invalid, missing

Choice = TypeVar("Choice", bound=enum.Enum)

PARAMS_MAX = 100
"""More than any request of the venue takes."""

DIGITS_MAX = 60
"""Characters of a number, sign and exponent included."""

SMALLEST_EXPONENT = -30
"""Of a number that is not zero: a tiny one would be written with as many zeros."""

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What reading JSON that somebody sent may raise: too deep, or not Unicode, it is none."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
_INT_MAX = 2**63 - 1


def parse_form(text: str) -> dict[str, str]:
    """Read `a=1&b=2`; of a name that comes twice the first counts."""
    found: dict[str, str] = {}
    is_encoded = "%" in text or "+" in text
    for pair in text.split("&", PARAMS_MAX) if text else ():
        name, _, value = pair.partition("=")
        if is_encoded:
            name, value = unquote_plus(name), unquote_plus(value)
        found.setdefault(name, value)
    return found


class Params:
    """Read what was sent by name and kind; None where it was not sent or is empty."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    @classmethod
    def of_request(cls, query: str, body: str) -> Params:
        """Take the raw query and the raw body of a request."""
        return cls(parse_form(query) if not body else {**parse_form(body), **parse_form(query)})

    def renamed(self, names: Mapping[str, str]) -> Params:
        """Return the same parameters, some under other names."""
        return Params({names.get(name, name): value for name, value in self._values.items()})

    def has(self, name: str) -> bool:
        return self.text(name) is not None

    def text(self, name: str) -> str | None:
        """Return a value as it would stand in a query."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return repr(value)
        return msgspec.json.encode(value).decode()

    def need(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str, *, least: int = 0, most: int = _INT_MAX) -> int | None:
        """Read a whole number.

        Raises:
            ApiError: it is none, or out of bounds.
        """
        text = self.text(name)
        if text is None:
            return None
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise missing(name)
        number = int(text)
        if not least <= number <= most:
            raise invalid(name)
        return number

    def need_integer(self, name: str) -> int:
        number = self.integer(name)
        if number is None:
            raise missing(name)
        return number

    def limit(self, default: int, most: int) -> int:
        """Read `limit`; what is above the most counts as the most."""
        return min(self.integer("limit", least=1) or default, most)

    def decimal(self, name: str) -> Decimal | None:
        """Read an exact number.

        Raises:
            ApiError: it is none.
        """
        text = self.text(name)
        if text is None:
            return None
        if len(text) > DIGITS_MAX or not _NUMBER.fullmatch(text):
            raise missing(name)
        try:
            number = Decimal(text)
        except InvalidOperation:  # of an exponent
            raise missing(name) from None
        if not -LARGEST_AMOUNT <= number <= LARGEST_AMOUNT:
            raise missing(name)
        if not number:
            return ZERO
        if number.adjusted() < SMALLEST_EXPONENT:
            raise missing(name)
        return number

    def need_decimal(self, name: str) -> Decimal:
        number = self.decimal(name)
        if number is None:
            raise missing(name)
        return number

    def flag(self, name: str) -> bool:
        """Read a boolean, in whatever case; False where it was not sent."""
        text = self.text(name)
        if text is None:
            return False
        found = _TRUTHS.get(text.lower())
        if found is None:
            raise missing(name)
        return found

    def need_flag(self, name: str) -> bool:
        if not self.has(name):
            raise missing(name)
        return self.flag(name)

    def choice(self, name: str, kind: type[Choice], code: int) -> Choice | None:
        """Read one of an enumeration's values; `code` is what any other is refused with."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return kind(text)
        except ValueError:
            raise ApiError(code, why=f"{name} was {text!r}") from None

    def array(self, name: str) -> list[object] | None:
        """Read a JSON array; its name may be written in lower case."""
        text = self.text(name) or self.text(name.lower())
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=list[object])
        except UNREADABLE:
            raise missing(name) from None

    def refuse(self, name: str) -> None:
        """Refuse a parameter that has no meaning beside the others."""
        if self.has(name):
            raise ApiError(NOT_WANTED, f"Parameter '{name}' sent when not required.")

    def need_one_of(self, first: str, second: str) -> None:
        if not self.has(first) and not self.has(second):
            text = f"Param '{first}' or '{second}' must be sent, but both were empty/null!"
            raise ApiError(MANDATORY, text)
