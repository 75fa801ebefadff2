"""The kinds of values that settings have: how each is read from text, and what it expects.

A kind goes into a field's annotation. It raises ValueError with what was expected alone, never
with the value: that may be a secret, and whoever reports the mistake knows where it came from.
"""

from __future__ import annotations

import json
import numbers
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from .durations import duration_ns
from .values import Symbol, is_short, plain, to_decimal

MASK = "********"
LEVERAGE_MAX = 125
_NONE = frozenset({"none", "off", "null"})
_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})
# A file's path may hold whatever a folder's name does.
_URL = re.compile(r"(?s:sqlite:///.*)|[a-z][a-z0-9+]*://\S*")
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^/@]*?):(?P<password>.*)(?=@)")
_PASSWORD_OPTION = re.compile(r"(?P<name>[?&](?:ssl)?(?:password|passwd|pwd)=)[^&]*", re.IGNORECASE)


class Secret(str):
    """A usable string that does not show itself in `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self.shown)

    @property
    def shown(self) -> str:
        """Return what may be printed: a mask, or nothing where nothing is set."""
        return MASK if self else ""


class DatabaseUrl(str):
    """A usable URL that does not show its password in `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self.shown)

    @property
    def shown(self) -> str:
        """Return the URL with its password masked; nothing of a text that is no URL."""
        if not _URL.fullmatch(self):
            return MASK if self else ""
        masked = _PASSWORD.sub(lambda m: f"{m['user']}:{MASK}", self)
        return _PASSWORD_OPTION.sub(lambda m: f"{m['name']}{MASK}", masked)

    @property
    def has_password(self) -> bool:
        """Tell whether there is anything to hide."""
        return self.shown != str(self)


def show(value: object) -> str:
    """Write a setting's value for people: secrets masked, amounts plain, lists with commas."""
    match value:
        case Secret() | DatabaseUrl():
            return value.shown
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value) if value.is_finite() and is_short(value) else str(value)
        case tuple() | list():
            return ", ".join(show(item) for item in value)
        case dict():
            return ", ".join(f"{key}={show(item)}" for key, item in value.items())
        case _:
            return str(value)


def amount(low: str, high: str, *, above: bool = False) -> BeforeValidator:
    """Make a kind: an exact decimal from `low` (or above it) to `high`."""
    return BeforeValidator(_amount(low, high, above=above))


def real(low: str, high: str) -> BeforeValidator:
    """Make a kind: a float from `low` to `high`."""
    exact = _amount(low, high, above=False)
    return BeforeValidator(lambda value: float(exact(value)))


def whole(low: int, high: int) -> BeforeValidator:
    """Make a kind: a whole number from `low` to `high`."""
    return BeforeValidator(_whole(low, high))


def duration(low: str, high: str) -> BeforeValidator:
    """Make a kind: whole nanoseconds, or a text such as "5s", "250ms" or "1m"."""
    expected = f'nanoseconds, or a text such as "5s" or "250ms", from {low} to {high}'
    least, most = _duration_ns(low), _duration_ns(high)

    def parse(value: object) -> int:
        number = _duration_ns(value)
        if not least <= number <= most:
            raise ValueError(expected)
        return number

    return BeforeValidator(parse)


def choice(*names: str) -> BeforeValidator:
    """Make a kind: one of the names, whatever their case."""
    by_key = {name.casefold(): name for name in names}
    expected = "one of " + ", ".join(names)

    def parse(value: object) -> str:
        text = value.strip().casefold() if isinstance(value, str) else ""
        if text not in by_key:
            raise ValueError(expected)
        return by_key[text]

    return BeforeValidator(parse)


def _amount(low: str, high: str, *, above: bool) -> Callable[[object], Decimal]:
    least, most = Decimal(low), Decimal(high)
    expected = f"a number {'above' if above else 'from'} {low} {'up ' if above else ''}to {high}"

    def parse(value: object) -> Decimal:
        given = value.strip() if isinstance(value, str) else value
        if not isinstance(given, Decimal | str | numbers.Real):
            raise ValueError(expected)  # noqa: TRY004 - pydantic hears ValueError alone
        try:
            number = to_decimal(given)  # type: ignore[arg-type]  # a library's own is a number too
        except ValueError:
            raise ValueError(expected) from None
        if not least <= number <= most or (above and number == least):
            raise ValueError(expected)
        return number

    return parse


def _whole(low: int, high: int) -> Callable[[object], int]:
    expected = f"a whole number from {low} to {high}"

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral | str):
            raise ValueError(expected)  # noqa: TRY004 - pydantic hears ValueError alone
        try:
            number = int(value)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= number <= high:
            raise ValueError(expected)
        return number

    return parse


def _duration_ns(value: object) -> int:
    """Return the nanoseconds of a number or a text; -1 where it is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdigit():
        return int(text)
    found = duration_ns(text)
    return -1 if found is None else found


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().casefold() if isinstance(value, str | int) else ""
    if text not in _YES | _NO:
        raise ValueError("true or false")
    return text in _YES


def _names(value: object) -> tuple[str, ...]:
    """Take a list, or a text of names with commas between them; a repeated name counts once."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError("a list of names")  # noqa: TRY004 - pydantic hears ValueError alone
    names = [item.strip() for item in given if isinstance(item, str)]
    if len(names) < len(given):
        raise ValueError("a list of names")
    return tuple(dict.fromkeys(name for name in names if name))


def _strategies(value: object) -> tuple[str, ...]:
    """Take strategies; what follows a comma as `name=value` is a parameter of the one before."""
    if not isinstance(value, str):
        return _names(value)
    given: list[str] = []
    for item in value.split(","):
        if given and item.partition(":")[0].count("="):
            given[-1] += f",{item.strip()}"
        else:
            given.append(item)
    return _names(given)


def _symbols(value: object) -> tuple[str, ...]:
    return _names([item.upper() for item in _names(value)])


def _by_symbol(value: object) -> dict[str, int]:
    """Take a table, a JSON object, or a text like "BTCUSDT=10, ETHUSDT=5"."""
    expected = f'whole numbers from 1 to {LEVERAGE_MAX} by symbol, such as "BTCUSDT=10, ETHUSDT=5"'
    parse = _whole(1, LEVERAGE_MAX)
    given = _pairs(value) if isinstance(value, str) else value
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        raise ValueError(expected)
    try:
        return {key.strip().upper(): parse(item) for key, item in given.items()}
    except ValueError:
        raise ValueError(expected) from None


def _pairs(text: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return None
    pairs = [item.partition("=") for item in text.split(",") if item.strip()]
    return {name: number for name, _, number in pairs}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004 - pydantic hears ValueError alone
    return value.strip()


def _key(value: object) -> str:
    """Take a key of letters and digits, or a private one in PEM with its lines and spaces."""
    text = value.strip() if isinstance(value, str) else " "
    is_pem = text.startswith("-----BEGIN ")
    if not text.isascii() or not (is_pem or text.isprintable()) or (" " in text and not is_pem):
        raise ValueError("a key without spaces, or a private key in PEM")
    return text


def _url(value: object) -> str:
    if not isinstance(value, str) or not _URL.fullmatch(value.strip()):
        raise ValueError("a database URL such as sqlite:///file.db or postgresql://host/name")
    return value.strip()


def _address(scheme: str) -> BeforeValidator:
    """Make a kind: where a service is. Name and password have no place in it."""
    expected = f"a URL such as {scheme}://127.0.0.1:9000 or {scheme}s://host, without a password"
    form = re.compile(rf"{scheme}s?://(\[[0-9a-f:]+\]|[\w.-]+)(:\d{{1,5}})?(/[\w./-]*)?")

    def parse(value: object) -> str:
        if not isinstance(value, str) or not form.fullmatch(value.strip()):
            raise ValueError(expected)
        return value.strip().rstrip("/")

    return BeforeValidator(parse)


def _prefix(value: object) -> str:
    """Bound to eight characters: epoch, sequence and strategy must fit behind it in 36."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,8}", value.strip()):
        raise ValueError("1 to 8 letters, digits, _ or -")
    return value.strip()


def _folder(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError("a folder's path")
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError("a folder's name in UTF-8") from None
    path = Path(value.strip() if isinstance(value, str) else value)
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"a folder's path; nobody's home is known as {path.parts[0]}") from None


def _none_or(value: object) -> object:
    return None if isinstance(value, str) and value.strip().casefold() in _NONE else value


OR_NONE = BeforeValidator(_none_or)
"""Goes behind `X | None`: the texts "none" and "off" switch a setting off."""

YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Text = Annotated[str, BeforeValidator(_text)]
PrefixText = Annotated[str, BeforeValidator(_prefix)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Strategies = Annotated[tuple[str, ...], BeforeValidator(_strategies)]
Symbols = Annotated[tuple[Symbol, ...], BeforeValidator(_symbols)]
BySymbol = Annotated[dict[Symbol, int], BeforeValidator(_by_symbol)]
Folder = Annotated[Path, BeforeValidator(_folder)]
SecretText = Annotated[str, BeforeValidator(_key), AfterValidator(Secret)]
HttpUrl = Annotated[str, _address("http")]
SocketUrl = Annotated[str, _address("ws")]
UrlText = Annotated[str, BeforeValidator(_url), AfterValidator(DatabaseUrl)]
