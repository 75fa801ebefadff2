"""Keep a folder's journal to its accounts: an account's facts are of one venue and market."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..feeds import FeedSettings
from ..model.config import TradingConfig
from ..model.errors import ConfigError
from ..model.values import MAIN, AccountId
from ..owner_only import make_file, make_folder
from ..ports import Venue
from ..venues import PAPER

FILE = "account"
TEXT_MAX = 4_000


def account_text(venue: Venue, market: FeedSettings) -> str:
    """Say which account a session trades: the venue, and which of its two markets."""
    if venue.capabilities.is_simulated:
        return venue.name
    return _text(venue.name, market.rest_url, is_testnet=market.testnet)


def configured_text(config: TradingConfig) -> str:
    """Say the same of an account of which the settings alone are known."""
    if config.dry_run or config.venue == PAPER:
        return PAPER
    return _text(config.venue, config.rest_url, is_testnet=config.testnet)


def _text(name: str, rest_url: str | None, *, is_testnet: bool) -> str:
    if rest_url is not None:
        return f"{name} at an address of its own"
    return f"{name} {'testnet' if is_testnet else 'mainnet'}"


def check_recorded(
    folder: Path, recorded: Mapping[AccountId, str], accounts: Mapping[AccountId, str]
) -> None:
    """Keep a folder's journal to the accounts that it names; an older one names none.

    Raises:
        ConfigError: it has another's records: two folders may name one database.
    """
    way_out = "name another with --data-dir, or with --database-url where several share one"
    for name, account in accounts.items():
        known = recorded.get(name, account)
        _check(f"the journal of {folder}", name, known, account, way_out)


def claim_folder(folder: Path, accounts: Mapping[AccountId, str], *, has_records: bool) -> None:
    """Mark a data folder as these accounts'; the first that left records there has it.

    An account that joins later is noted beside them, and one that is left out stays noted.

    Raises:
        ConfigError: it is another's, or can't be written to.
    """
    path = folder / FILE
    try:
        make_folder(folder)
        before = path.read_text() if path.exists() else ""
        known = _read(before) if has_records else {}
        _check_known(folder, known, accounts)
        if (text := _written({**known, **accounts})) != before:
            _replace(path, text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be used: {error}; name another --data-dir") from error


def check_folder(folder: Path, accounts: Mapping[AccountId, str]) -> None:
    """Keep a folder with records to the accounts that it is marked as, and change nothing.

    Raises:
        ConfigError: it is another's, or can't be read.
    """
    path = folder / FILE
    try:
        known = _read(path.read_text()) if path.exists() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be used: {error}; name another --data-dir") from error
    _check_known(folder, known, accounts)


def _check_known(
    folder: Path, known: Mapping[AccountId, str], accounts: Mapping[AccountId, str]
) -> None:
    for name, account in accounts.items():
        place = f"the folder {folder}"
        _check(place, name, known.get(name, account), account, "name another with --data-dir")


def _replace(path: Path, text: str) -> None:
    """Write a file anew, whole or not at all: an empty one would let any account in."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make_file(draft)
        draft.write_text(text)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _check(place: str, name: AccountId, known: str, account: str, way_out: str) -> None:
    if known != account:
        whose = "" if name == MAIN else f", as the account {name}"
        raise ConfigError(
            f"{place} holds the records of {known}{whose}; {account} needs one of its own: "
            f"{way_out}"
        )


def _read(text: str) -> dict[AccountId, str]:
    """Return what is noted: the main account's line first, then the others' with their names."""
    first, *others = [line.strip() for line in text[:TEXT_MAX].splitlines()] or [""]
    found = {MAIN: first} if first else {}
    for line in others:
        name, _, account = line.partition(": ")
        found[AccountId(name)] = account
    return found


def _written(accounts: Mapping[AccountId, str]) -> str:
    others = (f"{name}: {account}" for name, account in accounts.items() if name != MAIN)
    return "\n".join((accounts.get(MAIN, ""), *others)) + "\n"
