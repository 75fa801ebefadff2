"""What can be set: every setting with its kind, its range and its default.

Percentages are fractions: 0.1 is 10 %. Amounts are exact decimals. The limits and the engine's
settings have their names and defaults from `settings.py`, where each is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from .config_accounts import ACCOUNTS, AccountFields
from .config_kinds import (
    LEVERAGE_MAX,
    OR_NONE,
    BySymbol,
    Folder,
    HttpUrl,
    Names,
    PrefixText,
    SecretText,
    SocketUrl,
    Strategies,
    Symbols,
    Text,
    UrlText,
    YesNo,
    amount,
    choice,
    duration,
    real,
    show,
    whole,
)
from .settings import (
    EXECUTIONS_COUNTED_MAX,
    MESSAGES_COUNTED_MAX,
    RETURNS_COUNTED_MAX,
    EngineSettings,
    RiskLimits,
)
from .values import NS_PER_S, Symbol

_LIMITS = RiskLimits()
_ENGINE = EngineSettings()

SECRETS = frozenset(
    {"api_key", "api_secret", "api_secret_password", "watch_api_key", "watch_api_secret"}
)

Share = Annotated[Decimal, amount("0", "1", above=True)]
LooseShare = Annotated[Decimal, amount("0", "1000", above=True)]
Money = Annotated[Decimal, amount("0", "1E+12", above=True)]
MaybeLooseShare = Annotated[LooseShare | None, OR_NONE]
Seconds = Annotated[int, whole(1, 86_400)]
Count = Annotated[int, whole(1, 100_000)]
Returns = Annotated[int, whole(2, RETURNS_COUNTED_MAX)]


def _database_in(settings: Mapping[str, object]) -> str:
    return f"sqlite:///{settings.get('data_dir', '')}/holdfast.db"


def _feed_of(settings: Mapping[str, object]) -> str:
    """Take the market of the venue; a simulated account has none of its own."""
    venue = str(settings.get("venue", ""))
    return "synthetic" if venue == "paper" else venue


def _logs_in(settings: Mapping[str, object]) -> Path:
    return Path(str(settings.get("data_dir", ""))) / "logs" / "trading"


class ConfigFields(BaseModel):  # type: ignore[explicit-any]  # pydantic's own base says Any
    """The settings as a frozen record; `TradingConfig` adds where they come from."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    # Section trading
    dry_run: YesNo = False  # True: no order leaves, the simulated exchange fills on live prices
    log_trades: YesNo = True
    symbols: Symbols = ()
    strategies: Strategies = ()
    leverage: Annotated[int, whole(1, LEVERAGE_MAX)] = 5
    leverages: BySymbol = Field(default_factory=dict[Symbol, int])  # where it differs
    initial_balance: Money = Decimal(10_000)  # of a simulated account

    # Section venue
    venue: Text = "paper"
    testnet: YesNo = True
    api_key: SecretText = ""
    api_secret: SecretText = ""
    api_secret_file: Annotated[Folder | None, OR_NONE] = None  # of mode 0600
    api_secret_password: SecretText = ""  # of an encrypted private key
    watch_api_key: SecretText = ""  # of `holdfast watch`: one that may read, and nothing else
    watch_api_secret: SecretText = ""
    watch_api_secret_file: Annotated[Folder | None, OR_NONE] = None  # of mode 0600
    api_keyring: Text = ""  # the service under which the OS keyring has api_key and api_secret
    rest_url: Annotated[HttpUrl | None, OR_NONE] = None  # instead of the venue's own; it serves
    stream_url: Annotated[SocketUrl | None, OR_NONE] = None  # the two others too,
    ws_api_url: Annotated[SocketUrl | None, OR_NONE] = None  # unless they are named
    isolated: YesNo = False  # margin of each position by itself
    orders_over_ws: YesNo = True
    allow_withdrawals: YesNo = False  # takes a key that may withdraw, which is refused otherwise
    switch_to_one_way: YesNo = False  # leaves hedge mode where the account is flat
    dead_man_s: Annotated[int, whole(0, 86_400)] = 120  # 0: the venue's countdown is not used
    read_lag_ns: Annotated[int, duration("0s", "60s")] = 2 * NS_PER_S  # of the venue's answers

    # Section risk
    stop_loss_pct: Annotated[Decimal, amount("0", "0.99")] = _ENGINE.stop_loss_pct
    take_profit_pct: Annotated[Decimal, amount("0", "100")] = _ENGINE.take_profit_pct
    position_size_pct: Share = _LIMITS.position_size_pct
    max_leverage: Annotated[Decimal, amount("0", "125", above=True)] = _LIMITS.max_leverage
    min_free_margin_pct: Annotated[Decimal, amount("0", "1")] = _LIMITS.min_free_margin_pct
    max_daily_loss_pct: Share = _LIMITS.max_daily_loss_pct
    max_drawdown_pct: Annotated[Share | None, OR_NONE] = _LIMITS.max_drawdown_pct
    max_positions: Annotated[int, whole(1, 1000)] = _LIMITS.max_positions
    max_gross_exposure_pct: MaybeLooseShare = _LIMITS.max_gross_exposure_pct
    max_net_exposure_pct: MaybeLooseShare = _LIMITS.max_net_exposure_pct
    max_portfolio_exposure_pct: MaybeLooseShare = _LIMITS.max_portfolio_exposure_pct
    max_portfolio_daily_loss_pct: Annotated[Share | None, OR_NONE] = (
        _LIMITS.max_portfolio_daily_loss_pct
    )
    max_portfolio_drawdown_pct: Annotated[Share | None, OR_NONE] = (
        _LIMITS.max_portfolio_drawdown_pct
    )
    max_correlation: Annotated[Decimal, amount("0", "1")] = _LIMITS.max_correlation
    correlation_returns: Returns = _LIMITS.correlation_returns
    correlation_returns_min: Returns = _LIMITS.correlation_returns_min
    sample_s: Seconds = _LIMITS.sample_s
    volatility_min: Annotated[Decimal, amount("0", "1000")] = _LIMITS.volatility_min
    volatility_max: LooseShare = _LIMITS.volatility_max
    volatility_returns_min: Returns = _LIMITS.volatility_returns_min
    max_order_qty: Annotated[Money | None, OR_NONE] = _LIMITS.max_order_qty
    max_order_notional: Money = _LIMITS.max_order_notional
    price_collar_pct: Share = _LIMITS.price_collar_pct
    max_open_orders: Count = _LIMITS.max_open_orders
    max_conditional_orders: Count = _LIMITS.max_conditional_orders
    stale_after_s: Seconds = _LIMITS.stale_after_s
    duplicate_window_s: Annotated[int, whole(0, 86_400)] = _LIMITS.duplicate_window_s
    max_messages: Annotated[int, whole(1, MESSAGES_COUNTED_MAX)] = _LIMITS.max_messages
    message_window_s: Seconds = _LIMITS.message_window_s
    message_reserve: Annotated[int, whole(0, 100_000)] = _LIMITS.message_reserve
    max_executions: Annotated[int, whole(1, EXECUTIONS_COUNTED_MAX)] = _LIMITS.max_executions
    execution_window_s: Seconds = _LIMITS.execution_window_s
    disabled: Names = _LIMITS.disabled

    # Section execution
    use_market_orders: YesNo = _ENGINE.use_market_orders
    slippage_tolerance: Annotated[Decimal, amount("0", "0.1")] = _ENGINE.slippage_tolerance
    retry_attempts: Annotated[int, whole(0, 10)] = 3  # of a request of which no byte has left
    order_prefix: PrefixText = _ENGINE.order_prefix
    recv_window_ns: Annotated[int, duration("1ms", "60s")] = _ENGINE.recv_window_ns
    clock_skew_ns: Annotated[int, duration("0s", "60s")] = _ENGINE.clock_skew_ns
    audit_interval_ns: Annotated[int, duration("1s", "1h")] = _ENGINE.audit_interval_ns
    query_interval_ns: Annotated[int, duration("100ms", "1h")] = _ENGINE.query_interval_ns
    protection_alarm_ns: Annotated[int, duration("100ms", "1h")] = _ENGINE.protection_alarm_ns
    foreign_order_policy: Annotated[str, choice("adopt", "cancel", "halt")] = (
        _ENGINE.foreign_order_policy
    )
    mismatch_policy: Annotated[str, choice("adopt", "flatten", "halt")] = _ENGINE.mismatch_policy
    cancel_entries_on_pause: YesNo = _ENGINE.cancel_entries_on_pause
    breaker_threshold: Annotated[int, whole(1, 1000)] = _ENGINE.breaker_threshold
    breaker_recovery_ns: Annotated[int, duration("1s", "24h")] = _ENGINE.breaker_recovery_ns
    end_notice_ns: Annotated[int, duration("0s", "720h")] = _ENGINE.end_notice_ns

    # Section session
    auto_restart: YesNo = True
    save_state_interval: Seconds = 60  # between two points of the equity curve
    equity_interval_ns: Annotated[Annotated[int, duration("100ms", "24h")] | None, OR_NONE] = (
        None  # instead of `save_state_interval`; looked at once a second of the session
    )
    hook_budget_ms: Annotated[int, whole(1, 60_000)] = 250  # a strategy's hook is cut off past it
    on_stop: Annotated[str, choice("keep", "flatten")] = "keep"  # open positions, with their stops
    control_port: Annotated[int, whole(0, 65_535)] = 0  # 0: a free one

    # Section journal
    data_dir: Folder = Path("holdfast-data")
    database_url: UrlText = Field(default_factory=_database_in)
    durability: Annotated[str, choice("process", "power")] = "process"
    archive_facts: Annotated[Annotated[int, whole(10_000, 10**9)] | None, OR_NONE] = 1_000_000
    # so many old facts stay in the database; what is more is archived at a start and at midnight
    log_dir: Folder = Field(default_factory=_logs_in)
    log_level: Annotated[str, choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")] = "INFO"

    # Section feed
    feed: Text = Field(default_factory=_feed_of)
    speed: Annotated[float, real("0", "1000000")] = 1.0  # 1 real time, 0 as fast as it reads
    seed: Annotated[int, whole(0, 2**63 - 1)] = 1
    invented_symbols: YesNo = False  # the synthetic feed also makes up symbols that nobody lists
    books: YesNo = False  # a live feed's whole order books, also where no strategy hears them

    # Section accounts
    accounts: dict[str, AccountFields] = Field(  # beside the main one: see `config_accounts`
        default_factory=dict[str, AccountFields]
    )

    @field_serializer(*SECRETS, "database_url")
    def _mask(self, value: str) -> str:
        return show(value)


SECTION_STARTS = {
    "dry_run": "trading",
    "venue": "venue",
    "stop_loss_pct": "risk",
    "use_market_orders": "execution",
    "auto_restart": "session",
    "data_dir": "journal",
    "feed": "feed",
    ACCOUNTS: ACCOUNTS,
}
"""The first setting of each section; the others follow it in the order of the fields."""


def _sections() -> dict[str, str]:
    section, by_key = "", {}
    for key in ConfigFields.model_fields:
        section = SECTION_STARTS.get(key, section)
        by_key[key] = section
    return by_key


SECTION_OF = _sections()
ALIASES = {
    "use_testnet": "testnet",
    "binance_api_key": "api_key",
    "binance_api_secret": "api_secret",
}
