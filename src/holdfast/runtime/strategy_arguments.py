"""Turn the text of a strategy's parameters into what its constructor is annotated to take."""

from __future__ import annotations

import difflib
import enum
import inspect
import types
import typing
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from math import isfinite

from ..model.errors import StrategyError
from ..strategies.base import Strategy

Argument = object
"""What a parameter may become: a number, a text, a choice or None."""

ACCOUNT = "account"

_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_UNKNOWN = (inspect.Parameter.empty, typing.Any, object)


def arguments_for(cls: type[Strategy], name: str, text: str) -> dict[str, Argument]:
    """Read `name=value,name=value` for a constructor.

    Raises:
        StrategyError: a pair is malformed, a parameter unknown, missing or given twice, or a
            value is not of the parameter's type.
    """
    parameters = inspect.signature(cls).parameters
    hints = _hints(cls)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = {
        key: p
        for key, p in parameters.items()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    found: dict[str, Argument] = {}
    for key, value in _pairs(name, text):
        if key in found:
            raise StrategyError(f"{name}: parameter {key} is given twice")
        if key in named:
            wanted = hints.get(key, named[key].annotation)
            found[key] = _read(name, key, value, wanted, named[key].default)
        elif takes_any:
            found[key] = _guess(value)
        else:
            raise StrategyError(f"{name} has no parameter {key!r}{way_out(key, named)}")
    for key, parameter in named.items():
        if parameter.default is parameter.empty and key not in found:
            raise StrategyError(f"{name} needs parameter {key}: write {name}:{key}=VALUE")
    return found


def account_in(cls: type[Strategy], text: str) -> tuple[str, str]:
    """Part the account that a strategy is to trade from its parameters; "" where none is named.

    A constructor that has a parameter of that name is given it instead.
    """
    parts = text.split(",")
    named = [part for part in parts if part.partition("=")[0].strip() == ACCOUNT]
    if len(named) != 1 or ACCOUNT in inspect.signature(cls).parameters:
        return "", text
    account = named[0].partition("=")[2].strip()
    return account, ",".join(part for part in parts if part is not named[0])


def way_out(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, and which there are."""
    names = sorted(known)
    if not names:
        return "; there are none"
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{meant} known: {', '.join(names)}"


def _pairs(name: str, text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(",") if text.strip() else ():
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise StrategyError(f"{name}: expected name=value,name=value, was {part.strip()!r}")
        pairs.append((key.strip(), value.strip()))
    return pairs


def _hints(cls: type[Strategy]) -> dict[str, object]:
    try:
        return typing.get_type_hints(cls.__init__)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}  # a name that only the type checker can see: the default's type decides


def _read(name: str, key: str, text: str, wanted: object, default: object) -> Argument:
    """Read one value; try the narrowest of the types that its parameter may have."""
    if wanted in _UNKNOWN or isinstance(wanted, str):
        if not isinstance(default, bool | int | float | str | Decimal):
            return _guess(text)
        wanted = type(default)
    choices = _choices(wanted)
    for choice in choices:
        try:
            return _convert(text, choice)
        except (ValueError, InvalidOperation):
            continue
    expected = " or ".join(_shown(choice) for choice in choices)
    raise StrategyError(f"{name}: {key} must be {expected}, was {text!r}")


def _choices(wanted: object) -> list[object]:
    """Take a type apart, narrowest first."""
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        return sorted((c for arg in typing.get_args(wanted) for c in _choices(arg)), key=_width)
    return [wanted]


def _width(choice: object) -> int:
    order: list[object] = [int, Decimal, float, bool, types.NoneType]
    return order.index(choice) if choice in order else len(order) + (choice is str)


def _convert(text: str, choice: object) -> Argument:  # noqa: C901 - one line for each type
    """Read a text as one type; a ValueError or InvalidOperation says that it is not of it."""
    if choice is str:
        return text
    if choice is types.NoneType:
        if text.lower() not in ("none", ""):
            raise ValueError(text)
        return None
    if choice is bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError(text)
        return _BOOLEANS[text.lower()]
    if choice is int:
        return int(text)
    if choice is float or choice is Decimal:
        number = Decimal(text) if choice is Decimal else float(text)
        if not isfinite(number):
            raise ValueError(text)
        return number
    if typing.get_origin(choice) is typing.Literal:
        named = {str(value): value for value in typing.get_args(choice)}
        return named[text] if text in named else _no(text)
    if isinstance(choice, type) and issubclass(choice, enum.Enum):
        return choice.__members__.get(text) or choice(text)
    return _no(text)


def _no(text: str) -> Argument:
    raise ValueError(text)


def _shown(choice: object) -> str:
    if choice is types.NoneType:
        return "none"
    if choice is bool:
        return "true or false"
    if typing.get_origin(choice) is typing.Literal:
        return " or ".join(str(value) for value in typing.get_args(choice))
    if isinstance(choice, type) and issubclass(choice, enum.Enum):
        return " or ".join(choice.__members__)
    if choice in (float, Decimal):
        return "a number"
    if choice in (int, str):
        return "a whole number" if choice is int else "a text"
    return f"{choice} (which has no short text: set it in a subclass of your own)"


def _guess(text: str) -> Argument:
    """Read a value of which no type is known."""
    for choice in (int, float):
        try:
            return _convert(text, choice)
        except ValueError:
            continue
    words: dict[str, Argument] = {"true": True, "false": False, "none": None}
    return words.get(text.lower(), text)
