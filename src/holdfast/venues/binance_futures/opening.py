"""Open the account that a session's settings describe."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from ...model.config_keys import keys_of
from ...model.errors import ConfigError
from ...model.values import MAIN, AccountId
from ..wiring import Wiring
from .adapter import BinanceFuturesVenue
from .counters import shared_budget
from .settings import BinanceSettings, Endpoints, endpoints

if TYPE_CHECKING:
    from ...model.config import TradingConfig


_NO_KEY = (
    "the venue binance_futures needs an API key; put BINANCE_API_KEY and "
    "BINANCE_API_SECRET into the environment or .env, or name a file of mode 0600 with "
    "api_secret_file, or take --dry-run for a simulated account on its prices"
)


def _no_key_of(account: AccountId) -> str:
    names = f"HOLDFAST_ACCOUNTS_{account.upper()}_API_KEY and the same with _API_SECRET"
    return (
        f"the account {account} at binance_futures needs an API key of its own: put {names} into "
        f"the environment or .env, or api_key and api_secret_file below [accounts.{account}], or "
        'say venue = "paper" there for a simulated account'
    )


def endpoints_of(config: TradingConfig) -> Endpoints:
    """Return where the settings say that the venue is."""
    return endpoints(
        testnet=config.testnet,
        rest_url=config.rest_url,
        stream_url=config.stream_url,
        ws_api_url=config.ws_api_url,
    )


def settings_of(config: TradingConfig) -> BinanceSettings:
    """Return how the settings want the account traded."""
    return BinanceSettings(
        endpoints=endpoints_of(config),
        leverage=config.leverage,
        leverages=dict(config.leverages),
        is_isolated=config.isolated,
        retry_attempts=config.retry_attempts,
        orders_over_ws=config.orders_over_ws,
        dead_man_s=config.dead_man_s,
        allow_withdrawals=config.allow_withdrawals,
        switch_to_one_way=config.switch_to_one_way,
        read_lag_ns=config.read_lag_ns,
        clock_skew_ns=config.clock_skew_ns,
        order_prefix=config.order_prefix,
    )


def open_venue(wiring: Wiring) -> BinanceFuturesVenue:
    """Open it.

    Raises:
        ConfigError: there is no key, it can't be used, or an address is none.
    """
    keys = keys_of(wiring.config)
    if keys is None:
        raise ConfigError(_NO_KEY if wiring.account == MAIN else _no_key_of(wiring.account))
    settings = settings_of(wiring.config)
    return BinanceFuturesVenue(
        keys.api_key,
        keys.api_secret,
        clock=wiring.clock,
        account=wiring.account,
        password=keys.password,
        known=wiring.known,
        settings=settings,
        budget=shared_budget(settings.endpoints.rest_url, random.random),
    )
