"""The settings of a session's further accounts: `[accounts.NAME]`, each a table of its own.

The account that the other settings describe is `main`. What an account does not say is as the
session has it, but for its key: that is its own, or it has none. All accounts are traded on one
market, the session's: prices, feed and addresses are not an account's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from .config_kinds import (
    LEVERAGE_MAX,
    OR_NONE,
    BySymbol,
    Folder,
    SecretText,
    Symbols,
    Text,
    YesNo,
    amount,
    show,
    whole,
)
from .values import MAIN, Symbol

ACCOUNTS = "accounts"
ACCOUNTS_MAX = 16
"""So many accounts may a session have beside its main one."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")
NAME_EXPECTED = "a name of up to 16 small letters, digits and _, beginning with a letter"

OF_THE_MARKET = frozenset(
    {"testnet", "use_testnet", "rest_url", "stream_url", "ws_api_url", "feed", "dry_run"}
)
"""Settings that an account can't have of its own."""

ONE_MARKET = (
    "is the session's, whose accounts are all traded on one market: run another session, with "
    "a data_dir of its own, for another market"
)


class AccountFields(BaseModel):  # type: ignore[explicit-any]  # pydantic's own base says Any
    """One further account; None takes what the session has."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    venue: Annotated[Text | None, OR_NONE] = None
    api_key: SecretText = ""
    api_secret: SecretText = ""
    api_secret_file: Annotated[Folder | None, OR_NONE] = None
    api_secret_password: SecretText = ""
    api_keyring: Text = ""
    symbols: Symbols = ()
    leverage: Annotated[Annotated[int, whole(1, LEVERAGE_MAX)] | None, OR_NONE] = None
    leverages: BySymbol = Field(default_factory=dict[Symbol, int])
    isolated: Annotated[YesNo | None, OR_NONE] = None
    initial_balance: Annotated[
        Annotated[Decimal, amount("0", "1E+12", above=True)] | None, OR_NONE
    ] = None

    @field_serializer("api_key", "api_secret", "api_secret_password")
    def _mask(self, value: str) -> str:
        return show(value)


OWN = ("api_key", "api_secret", "api_secret_file", "api_secret_password", "api_keyring")
"""What an account never takes from the session."""

_UNSAID: tuple[object, ...] = (None, "", (), {})
_INNER = "|".join(AccountFields.model_fields)
_VARIABLE = re.compile(rf"accounts_(?P<name>.+?)_(?P<inner>{_INNER})")


def key_of_variable(name: str) -> str | None:
    """Return the key of an environment variable's name without our prefix; None for another's.

    `accounts_second_api_key` is `accounts.second.api_key`.
    """
    found = _VARIABLE.fullmatch(name)
    return None if found is None else f"{ACCOUNTS}.{found['name']}.{found['inner']}"


def is_of_account(key: str) -> bool:
    """Tell whether a name is one of an account's settings, as in `accounts.second.leverage`."""
    return key.startswith(f"{ACCOUNTS}.") and key.count(".") == 2


def mistake_in(key: str) -> str:
    """Say what is wrong with the key of an account's setting; "" where nothing is."""
    _, name, inner = key.split(".", 2)
    if name == MAIN:
        return f"the account {MAIN} is the one that the other settings describe: leave it out"
    if not NAME.fullmatch(name):
        return f"an account needs {NAME_EXPECTED}, was {name!r:.40}"
    if inner in OF_THE_MARKET:
        return f"{inner} {ONE_MARKET}"
    if inner not in AccountFields.model_fields:
        return f"{inner} is no setting of an account; there are {_INNER.replace('|', ', ')}"
    return ""


def gathered(settings: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Put accounts' settings back into tables of tables."""
    found: dict[str, object] = {}
    accounts: dict[str, dict[str, object]] = {}
    for key, value in settings:
        if key.startswith(f"{ACCOUNTS}."):
            _, name, inner = key.split(".", 2)
            accounts.setdefault(name, {})[inner] = value
        else:
            found[key] = value
    return {**found, ACCOUNTS: accounts} if accounts else found


def key_at(place: tuple[int | str, ...]) -> str:
    """Return the key of a setting from where pydantic found a mistake."""
    return ".".join(map(str, place[:3])) if place[0] == ACCOUNTS else str(place[0])


def taken(account: AccountFields) -> dict[str, object]:
    """Return what an account puts in the place of the session's settings."""
    own = {name: getattr(account, name) for name in OWN}
    if account.leverage is not None:
        own["leverages"] = {}
    said = {name: getattr(account, name) for name in AccountFields.model_fields}
    return {**own, **{name: value for name, value in said.items() if value not in _UNSAID}}


def keys_twice(
    main: tuple[str, str, str], accounts: Mapping[str, AccountFields]
) -> list[tuple[str, str]]:
    """Return the settings, two by two, that name one key at one venue.

    Args:
        main: venue, key and keyring of the main account.
    """
    seen: dict[tuple[str, str], str] = {}
    found = []
    every = {"": main}
    for name, each in accounts.items():
        every[f"{ACCOUNTS}.{name}."] = (each.venue or main[0], each.api_key, each.api_keyring)
    for prefix, (venue, key, ring) in every.items():
        for inner, value in (("api_key", key), ("api_keyring", ring)):
            if not value:
                continue
            first = seen.setdefault((f"{venue} {inner}", value), prefix + inner)
            if first != prefix + inner:
                found.append((first, prefix + inner))
    return found
