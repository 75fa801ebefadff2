"""Read settings from a TOML file, a .env file, the environment and arguments, and say from where.

Every name is one of ours or a mistake: a limit that is ignored because of a typing error is worse
than a start that fails. A section of the TOML file is for the reader; a setting means the same in
each, or in none.
"""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import parse_stream

from .config_accounts import ACCOUNTS, is_of_account, key_of_variable, mistake_in
from .config_fields import ALIASES, SECRETS, SECTION_OF
from .config_kinds import DatabaseUrl, Secret

PREFIX = "HOLDFAST_"
CONFIG_VARIABLE = "HOLDFAST_CONFIG"
"""Names the TOML file; the one variable of ours that is no setting."""

NOTHING_SAID = {"venue": None}
"""What the table of an account says that is all as the session has it."""

OTHERS_READ = 0o044  # mode bits: the group, or everyone, may read
_NAMES = {**{key: key for key in SECTION_OF if key != ACCOUNTS}, **ALIASES}
_SECTIONS = tuple(dict.fromkeys(SECTION_OF.values()))
_NAMED_BY_SECTION = {("venue", "name"): "venue", ("feed", "name"): "feed"}
# A Kubernetes service called holdfast puts these into the environment of every pod.
_KUBERNETES = r"SERVICE_.*|PORT(_.*)?"
_OF_THE_EXCHANGE = r"EXCHANGE_(FEED_URL|ADMIN_TOKEN)"  # options of `holdfast exchange`
_NO_SETTING = re.compile(rf"{PREFIX}({_KUBERNETES}|{_OF_THE_EXCHANGE})")
_TOML_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_TOML_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+(?:\s*\.\s*[A-Za-z0-9_\"'-]+)*)\s*=")
_TOML_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")


class Setting(NamedTuple):
    """A value as it was written, and where."""

    key: str
    value: object
    where: str


@dataclass
class Reading:
    """What one source gave."""

    settings: dict[str, Setting] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, key: str, value: object, where: str) -> None:
        """Keep a setting. The same one twice is a mistake where the values differ."""
        setting = Setting(key, _veil(key, value), where)
        earlier = self.settings.setdefault(key, setting)
        if earlier is not setting and earlier.value != setting.value:  # NaN is not NaN
            self.mistakes.append(f"{label(where, key)} has another value at {earlier.where}")


_WITH_OPTION = frozenset({
    "symbols", "feed", "speed", "seed", "initial_balance", "dry_run", "venue", "testnet",
    "data_dir", "database_url",
})  # fmt: skip
"""Settings that commands have an option for, under their own name."""


def label(where: str, name: str) -> str:
    """Name a place and a setting; the setting only where the place does not say it already.

    No colon goes behind it: what follows the name of a key and a colon is masked as its value.
    """
    said = where.rpartition(" ")[2].lstrip("-").replace("-", "_")
    return where if said.casefold() == name.casefold() else f"{where}: {name}"


def read_toml(path: Path, *, must_exist: bool) -> Reading:
    """Read a TOML file; one that is missing and need not exist gives nothing."""
    reading = Reading()
    text = _text_of(path, reading, must_exist=must_exist)
    if text is None:
        return reading
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        reading.mistakes.append(_syntax_mistake(path, text, str(error)))
        return reading
    lines = _toml_lines(text)
    for name, value in document.items():
        if name == ACCOUNTS:
            where = f"{path}:{lines.get((name,), '?')}"
            _take_accounts(reading, value, where, lambda at: f"{path}:{lines.get(at, '?')}")
        elif isinstance(value, dict) and name in _SECTIONS:
            for inner, item in value.items():
                where = f"{path}:{lines.get((name, inner), '?')}"
                _take_toml(
                    reading, _NAMED_BY_SECTION.get((name, str(inner)), str(inner)), item, where
                )
        else:
            where = f"{path}:{lines.get((name,), '?')}"
            _take_toml(reading, name, value, where)
    _warn_if_readable(path, reading)
    return reading


def read_dotenv(path: Path, *, must_exist: bool) -> Reading:
    """Read a .env file. `${...}` is not expanded: a secret may well hold a dollar sign.

    Other programs keep settings there too: an unknown name is left alone where it is not close
    to one of ours and has not our prefix.
    """
    reading = Reading()
    if path.is_dir() and not must_exist:
        return reading  # a virtual environment goes by that name too
    text = _text_of(path, reading, must_exist=must_exist)
    variables: list[tuple[str, str, str]] = []
    for binding in parse_stream(io.StringIO(text or "")):
        original = binding.original
        blank = len(original.string) - len(original.string.lstrip("\r\n"))
        where = f"{path}:{original.line + original.string[:blank].count(chr(10))}"
        if binding.error:
            reading.mistakes.append(f"{where}: expected NAME=value")
        elif binding.key is not None and binding.value is None:
            reading.mistakes.append(f"{where}: {binding.key} needs a value behind =")
        elif binding.key is not None and binding.value is not None:
            variables.append((binding.key, binding.value, where))
    doubts = _take_variables(reading, variables, is_our_file=True)
    reading.mistakes += doubts
    _warn_if_readable(path, reading)
    return reading


def read_environment(env: Mapping[str, str], *, is_strict: bool = True) -> Reading:
    """Read environment variables; one that is empty counts as not set.

    They are not ours alone: other names than ours are a mistake where they are close to one, or a
    warning for whoever is not strict.
    """
    reading = Reading()
    names = sorted(name for name in env if not _NO_SETTING.fullmatch(name))
    variables = ((name, env[name], f"environment {name}") for name in names)
    odd = _take_variables(reading, variables, is_our_file=False)
    (reading.mistakes if is_strict else reading.warnings).extend(odd)
    return reading


def read_arguments(arguments: Mapping[str, object]) -> Reading:
    """Read what a program handed over by name."""
    reading = Reading()
    for name, value in arguments.items():
        _take_named(reading, name, value, f"argument {name}")
    return reading


def read_flags(flags: Mapping[str, object]) -> Reading:
    """Read what came from the command line; None is a flag that was not given.

    Settings that have no option of their own came by `--set`.
    """
    reading = Reading()
    for name, value in flags.items():
        if value is not None:
            option = "--" + name.replace("_", "-") if name in _WITH_OPTION else f"--set {name}"
            _take_named(reading, name, value, option)
    return reading


def _take_toml(reading: Reading, name: str, value: object, where: str) -> None:
    if isinstance(value, dict) and name not in _NAMES:
        reading.mistakes.append(f"{where}: [{name}]: unknown section{_closest(name, _SECTIONS)}")
    else:
        _take_named(reading, name, value, where)


def _take_accounts(
    reading: Reading,
    value: object,
    where: str,
    place_of: Callable[[tuple[str, ...]], str] | None = None,
) -> None:
    """Take further accounts: a table of tables, each setting by itself."""
    if not isinstance(value, Mapping):
        reading.mistakes.append(f"{label(where, ACCOUNTS)}: expected a table for each account")
        return
    for name, table in value.items():
        if not isinstance(table, Mapping):  # without the value: it may be a secret
            reading.mistakes.append(f"{where}: expected a table [{ACCOUNTS}.{name}]")
            continue
        for inner, item in (table or NOTHING_SAID).items():
            at = place_of((ACCOUNTS, str(name), str(inner))) if place_of else where
            _take_of_account(reading, f"{ACCOUNTS}.{name}.{inner}", item, at)


def _take_of_account(reading: Reading, key: str, value: object, where: str) -> None:
    if mistake := mistake_in(key):
        reading.mistakes.append(f"{where}: {mistake}")
    else:
        reading.take(key, value, where)


def _take_named(reading: Reading, name: str, value: object, where: str) -> None:
    if name == ACCOUNTS:
        _take_accounts(reading, value, where)
    elif is_of_account(name):
        _take_of_account(reading, name, value, where)
    elif name in _NAMES:
        reading.take(_NAMES[name], value, where)
    else:  # without the value: it may be a secret under a mistyped name
        reading.mistakes.append(f"{label(where, name)} is no setting{_closest(name, _NAMES)}")


def _take_variables(
    reading: Reading, variables: Iterable[tuple[str, str, str]], *, is_our_file: bool
) -> list[str]:
    """Take variables in their upper-case names; those with our prefix win over those without.

    A limit that is ignored for its small letters is no limit: that is said.

    Returns:
        What to say of the names that are none of ours and look like it.
    """
    bare, ours, doubts = Reading(), Reading(), list[str]()
    for name, value, where in variables:
        is_ours = name.upper().startswith(PREFIX)
        key = name.upper().removeprefix(PREFIX).lower()
        if not value or name == CONFIG_VARIABLE:
            continue
        if not name.isupper():  # another program's, unless it is ours in all but its letters
            if (key in _NAMES and (is_ours or is_our_file)) or (is_ours and key_of_variable(key)):
                what = f"{label(where, name)} is no setting; did you mean {name.upper()}?"
                reading.mistakes.append(what)
            continue
        if is_ours and (of_account := key_of_variable(key)):
            _take_of_account(ours, of_account, value, where)
            continue
        if key in _NAMES:
            (ours if is_ours else bare).take(_NAMES[key], value, where)
            continue
        hint = _closest(key, _NAMES, cutoff=0.6 if is_ours else 0.88, upper=True)
        what = f"{label(where, name)} is no setting{hint}"
        if is_ours:
            reading.mistakes.append(what)
        elif hint:
            doubts.append(what)
    reading.settings |= bare.settings | ours.settings
    reading.mistakes += bare.mistakes + ours.mistakes
    return doubts


def _closest(name: str, known: Iterable[str], *, cutoff: float = 0.6, upper: bool = False) -> str:
    matches = get_close_matches(name.lower(), list(known), n=1, cutoff=cutoff)
    if not matches:
        return ""
    return f"; did you mean {matches[0].upper() if upper else matches[0]}?"


def _veil(key: str, value: object) -> object:
    """Wrap what must not be seen before anything can print it."""
    if isinstance(value, str) and key.rpartition(".")[2] in SECRETS:
        return Secret(value)
    return DatabaseUrl(value) if isinstance(value, str) and key == "database_url" else value


def _text_of(path: Path, reading: Reading, *, must_exist: bool) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if must_exist:
            reading.mistakes.append(f"{path}: no such file")
    except UnicodeDecodeError as error:
        reading.mistakes.append(f"{path}: expected UTF-8, byte {error.start} is not")
    except OSError as error:
        reading.mistakes.append(f"{path}: can't be read: {error.strerror}")
    return None


def _syntax_mistake(path: Path, text: str, message: str) -> str:
    at = _TOML_AT_LINE.search(message)
    if at is None:
        line, what = text.count("\n") + 1, message
    else:
        line, what = int(at[1]), f"{message[: at.start()]} (column {at[2]})"
    return f"{path}:{line}: not valid TOML: {what}"


def _toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """Find the line of each (section, key) and (key,); a guess inside multi-line strings."""
    lines: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TOML_HEADER.match(line):
            section = _parts(header[1])
            path = section
        elif key := _TOML_KEY.match(line):
            path = section + _parts(key[1])
        else:
            continue
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], number)
    return lines


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _warn_if_readable(path: Path, reading: Reading) -> None:
    """Warn of a secret that others on this machine can read."""
    values = [setting.value for setting in reading.settings.values()]
    is_secret = any(
        (isinstance(value, Secret) and value)
        or (isinstance(value, DatabaseUrl) and value.has_password)
        for value in values
    )
    if is_secret and (mode := path.stat().st_mode) & OTHERS_READ:
        reading.warnings.append(
            f"{path}: holds a secret and others may read it (mode {mode & 0o777:03o}); "
            f"chmod 600 {path}"
        )
