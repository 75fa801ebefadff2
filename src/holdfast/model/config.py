"""The one place where settings come together: checked at once, frozen, secrets never printed.

From weak to strong: defaults, `holdfast.toml`, `.env`, environment variables, arguments. A
`TradingConfig` made directly takes its arguments and the defaults alone; `TradingConfig.load`
reads all sources. Importing this module loads pydantic (about 0.2 s): import it where it is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
from pydantic import BaseModel, ValidationError

from .config_accounts import (
    ACCOUNTS,
    ACCOUNTS_MAX,
    AccountFields,
    gathered,
    key_at,
    keys_twice,
    taken,
)
from .config_fields import SECRETS, SECTION_OF, ConfigFields
from .config_kinds import MASK, show
from .config_sources import (
    CONFIG_VARIABLE,
    Reading,
    Setting,
    label,
    read_arguments,
    read_dotenv,
    read_environment,
    read_flags,
    read_toml,
)
from .errors import ConfigError
from .settings import EngineSettings, RiskLimits
from .values import MAIN, NS_PER_S, AccountId, Symbol

__all__ = ["LoadedConfig", "TradingConfig"]

TOML_FILE = "holdfast.toml"
DOTENV_FILE = ".env"
BY_PLACE = (
    "api_key",
    "api_secret",
    "testnet",
    "dry_run",
    "max_positions",
    "position_size_pct",
    "stop_loss_pct",
    "take_profit_pct",
    "max_daily_loss_pct",
    "use_market_orders",
    "slippage_tolerance",
    "retry_attempts",
    "auto_restart",
    "save_state_interval",
)
"""The settings that may be given without their names, in this order."""

SHOWN_LENGTH_MAX = 60
"""How much of a wrong value an error message shows."""


class TradingConfig(ConfigFields):  # type: ignore[explicit-any]  # pydantic's base says Any
    """Every setting, checked. Made directly it reads no file and no environment.

    `api_key` and `api_secret` are usable strings that `repr`, `str`, errors and dumps mask.

    Args:
        by_place: settings in the order of `BY_PLACE`.

    Raises:
        ConfigError: the text lists every mistake, not the first alone.
    """

    def __init__(self, *by_place: object, **settings: object) -> None:
        reading = read_arguments(_named(by_place, settings))
        mistakes = reading.mistakes + _mistakes(reading.settings)
        if mistakes:
            raise as_error(mistakes)
        BaseModel.__init__(self, **_values(reading.settings))

    @property
    def use_testnet(self) -> bool:
        """Return `testnet`, by its other name."""
        return self.testnet

    @property
    def account_names(self) -> tuple[AccountId, ...]:
        """Return the session's accounts, the main one first."""
        return (MAIN, *map(AccountId, self.accounts))

    def of_account(self, name: AccountId) -> TradingConfig:
        """Return the settings that one account goes by."""
        if name == MAIN:
            return self
        return self.model_copy(update=taken(self.accounts[name]))

    def leverage_of(self, symbol: Symbol) -> int:
        """Return the leverage a symbol is traded at."""
        return self.leverages.get(symbol, self.leverage)

    def risk_limits(self) -> RiskLimits:
        """Return what the risk rules compare with."""
        return msgspec.convert(
            {name: getattr(self, name) for name in RiskLimits.__struct_fields__}, RiskLimits
        )

    def engine_settings(self) -> EngineSettings:
        """Return what the engine goes by."""
        names = set(EngineSettings.__struct_fields__) - {"limits", "equity_interval_ns"}
        interval = self.equity_interval_ns or self.save_state_interval * NS_PER_S
        given = {name: getattr(self, name) for name in names}
        settings = msgspec.convert({**given, "equity_interval_ns": interval}, EngineSettings)
        return msgspec.structs.replace(settings, limits=self.risk_limits())

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        dotenv: Path | str | None = None,
        overrides: Mapping[str, object] | None = None,
        *,
        is_strict: bool = True,
    ) -> LoadedConfig:
        """Read all sources and remember which one gave what.

        Args:
            path: the TOML file; None takes HOLDFAST_CONFIG, or `holdfast.toml` where it exists.
            env: the environment; None takes the process's own.
            dotenv: the .env file; None takes `.env` where it exists.
            overrides: the strongest source, by name; a value of None was not given.
            is_strict: whether a name in the environment that is close to a setting's is a mistake.
                A kill is not refused for what somebody else calls his variables.

        Raises:
            ConfigError: the text lists every mistake with its source.
        """
        environment = os.environ if env is None else env
        named = path or environment.get(CONFIG_VARIABLE)
        return _combine(
            read_toml(Path(named or TOML_FILE), must_exist=bool(named)),
            read_dotenv(Path(dotenv or DOTENV_FILE), must_exist=dotenv is not None),
            read_environment(environment, is_strict=is_strict),
            read_flags(overrides or {}),
        )


def _named(by_place: tuple[object, ...], settings: Mapping[str, object]) -> dict[str, object]:
    """Join the settings that came without their names to the others, as a call does."""
    if len(by_place) > len(BY_PLACE):
        raise TypeError(f"TradingConfig takes at most {len(BY_PLACE)} settings without their names")
    placed = dict(zip(BY_PLACE, by_place, strict=False))
    if twice := sorted(placed.keys() & settings.keys()):
        raise TypeError(f"TradingConfig got {', '.join(twice)} twice")
    return {**placed, **settings}


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and where each setting came from."""

    config: TradingConfig
    sources: Mapping[str, str]  # "holdfast.toml:3", ".env:2", "environment DRY_RUN", "--seed"
    warnings: tuple[str, ...]

    def source_of(self, key: str) -> str:
        """Return where a setting came from; "default" where nothing gave it."""
        return self.sources.get(key, "default")

    def table(self) -> list[tuple[str, str, str]]:
        """Return (section.key, shown value, source) of every setting; secrets are masked."""
        rows = [
            (f"{section}.{key}", show(getattr(self.config, key)), self.source_of(key))
            for key, section in SECTION_OF.items()
            if key != ACCOUNTS
        ]
        return rows + [
            (key, show(_value(self.config, key)), self.source_of(key))
            for key in self.sources
            if key.startswith(f"{ACCOUNTS}.")
        ]


def _combine(*readings: Reading) -> LoadedConfig:
    """Let later readings win over earlier ones."""
    given: dict[str, Setting] = {}
    for reading in readings:
        given |= reading.settings
    mistakes = [mistake for reading in readings for mistake in reading.mistakes]
    mistakes += _mistakes(given)
    if mistakes:
        raise as_error(mistakes)
    return LoadedConfig(
        config=TradingConfig(**_values(given)),
        sources={key: setting.where for key, setting in given.items()},
        warnings=(
            *(warning for reading in readings for warning in reading.warnings),
            *_doubts(given),
        ),
    )


FRACTION = "; it is a fraction: 0.02 is 2 %"


def _doubts(given: Mapping[str, Setting]) -> Iterator[str]:
    """Yield what may be meant otherwise: a distance to the target of 5 is no 5 %."""
    target = given.get("take_profit_pct")
    if target is not None and Decimal(str(target.value)) >= 1:
        yield f"{_place(target)} is {Decimal(str(target.value)):.0%} of the price{FRACTION}"


def _values(given: Mapping[str, Setting]) -> dict[str, object]:
    return gathered((key, setting.value) for key, setting in given.items())


def _value(fields: ConfigFields, key: str) -> object:
    """Return a setting by its key, which may be an account's."""
    if not key.startswith(f"{ACCOUNTS}."):
        return getattr(fields, key)
    _, name, inner = key.split(".", 2)
    return getattr(fields.accounts[name], inner)


def as_error(mistakes: list[str]) -> ConfigError:
    """Return one error that lists every mistake."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return ConfigError("\n  ".join([f"{count} in the configuration:", *mistakes]))


def _mistakes(given: Mapping[str, Setting]) -> list[str]:
    """Check each value, and the good ones against each other."""
    expected = _wrong_values(given)
    found = [
        f"{_place(given[key])}: expected {what}{FRACTION if key.endswith('_pct') else ''}"
        for key, what in expected.items()
    ]
    good = {key: setting for key, setting in given.items() if key not in expected}
    fields = ConfigFields.model_validate(_values(good))
    for keys, what in _contradictions(fields):
        if not set(keys) & set(expected):
            sides = " and ".join(_side(fields, key, given) for key in keys)
            found.append(f"{sides}: {what}")
    return found


def _wrong_values(given: Mapping[str, Setting]) -> dict[str, str]:
    """Return what was expected, by the key of each value that is not."""
    try:
        ConfigFields.model_validate(_values(given))
    except ValidationError as error:
        return {
            key: item["msg"].removeprefix("Value error, ")
            for item in error.errors(include_input=False, include_url=False)
            # Defaults made from others are not tried then, and say so.
            if (key := key_at(item["loc"])) in given
        }
    return {}


def _contradictions(fields: ConfigFields) -> list[tuple[tuple[str, ...], str]]:
    """Return the keys that can't stand together, and why."""
    gross, net = fields.max_gross_exposure_pct, fields.max_net_exposure_pct
    rules: list[tuple[bool, tuple[str, ...], str]] = [
        *_key_rules(fields),
        *_account_rules(fields),
        (
            fields.message_reserve >= fields.max_messages,
            ("message_reserve", "max_messages"),
            "the reserve must leave room for entries",
        ),
        (
            fields.correlation_returns_min > fields.correlation_returns,
            ("correlation_returns_min", "correlation_returns"),
            "the window never holds so many returns",
        ),
        (
            fields.volatility_returns_min > fields.correlation_returns,
            ("volatility_returns_min", "correlation_returns"),
            "the window never holds so many returns",
        ),
        (
            fields.volatility_min >= fields.volatility_max,
            ("volatility_min", "volatility_max"),
            "nothing lies between the two",
        ),
        (
            gross is not None and net is not None and net > gross,
            ("max_net_exposure_pct", "max_gross_exposure_pct"),
            "net exposure is never above gross",
        ),
    ]
    return [(keys, what) for is_broken, keys, what in rules if is_broken]


def _account_rules(fields: ConfigFields) -> list[tuple[bool, tuple[str, ...], str]]:
    """Hold that each account has a key of its own."""
    is_crowded = len(fields.accounts) > ACCOUNTS_MAX
    rules: list[tuple[bool, tuple[str, ...], str]] = [
        (is_crowded, (ACCOUNTS,), f"at most {ACCOUNTS_MAX} accounts beside {MAIN}")
    ]
    for name, account in fields.accounts.items():
        for is_broken, keys, what in _key_rules(account):
            rules.append((is_broken, tuple(f"{ACCOUNTS}.{name}.{key}" for key in keys), what))
    twice = keys_twice((fields.venue, fields.api_key, fields.api_keyring), fields.accounts)
    rules += [(True, pair, "one account twice: each needs a key of its own") for pair in twice]
    return rules


def _key_rules(
    fields: ConfigFields | AccountFields,
) -> list[tuple[bool, tuple[str, ...], str]]:
    """Hold that an account has one key and one secret, from one place."""
    has_file, has_ring = fields.api_secret_file is not None, bool(fields.api_keyring)
    return [
        (
            bool(fields.api_key) != (bool(fields.api_secret) or has_file),
            ("api_key", "api_secret_file" if has_file else "api_secret"),
            "a key and its secret come together",
        ),
        (
            bool(fields.api_secret) and has_file,
            ("api_secret", "api_secret_file"),
            "the secret comes from one place",
        ),
        (
            has_ring and (bool(fields.api_key) or has_file),
            ("api_key", "api_keyring"),
            "the key comes from one place",
        ),
    ]


def _place(setting: Setting) -> str:
    shown = MASK if setting.key.rpartition(".")[2] in SECRETS else _clip(setting.value)
    return f"{label(setting.where, setting.key)} = {shown}"


def _side(fields: ConfigFields, key: str, given: Mapping[str, Setting]) -> str:
    where = given[key].where if key in given else "default"
    return f"{key} = {_clip(_value(fields, key))} ({where})"


def _clip(value: object) -> str:
    """Show a value as it was written: text in quotes, secrets masked, long ones cut."""
    text = repr(value) if isinstance(value, str) else show(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "..."
