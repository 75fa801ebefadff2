"""How the two sides are set up: the exchange with its own faults, the session that trades there."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT")
KEY = "harness-key-of-the-account"
SECRET = "harness-secret-of-the-account"  # noqa: S105 - of an account that lives for a minute
BALANCE = "1000000"
OWN_NAMES_EACH = 3
"""Each so many-th bout the exchange gives triggered stops client ids of its own."""

RECV_WINDOW_S = 1.0
CLOCK_SKEW_S = 1.0
READ_LAG_S = 0.5
FENCE_S = RECV_WINDOW_S + CLOCK_SKEW_S + READ_LAG_S
"""After how long an order in doubt can't arrive any more."""

CLOCK_OFF_S = 0.4
"""How far each of the two clocks is moved at most: less, together, than the fence reckons with."""

_ORDER = "POST /fapi/v1/*rder"
_CANCEL = "DELETE /fapi/v1/*rder"
_ANY = "* /fapi/v1/*rder*"

RULES: tuple[dict[str, Any], ...] = (
    {"kind": "unknown_executed", "on": _ORDER, "probability": 0.01},
    {"kind": "unknown_not_executed", "on": _ORDER, "probability": 0.01},
    {"kind": "status_unknown_executed", "on": _ORDER, "probability": 0.01},
    {"kind": "status_unknown_not_executed", "on": _ANY, "probability": 0.01},
    {"kind": "timeout_after", "on": _ORDER, "probability": 0.005},
    {"kind": "timeout_before", "on": _CANCEL, "probability": 0.005},
    {"kind": "reset_after", "on": _ORDER, "probability": 0.005},
    {"kind": "reset_before", "on": _ANY, "probability": 0.005},
    {"kind": "overloaded", "on": _ORDER, "probability": 0.01},
    {"kind": "internal_error", "on": _ANY, "probability": 0.005},
    {"kind": "service_unavailable", "on": _ANY, "probability": 0.005},
    {"kind": "delay", "on": _ORDER, "probability": 0.03, "delay_ms": 700},
    {"kind": "delay_answer", "on": _ORDER, "probability": 0.03, "delay_ms": 900},
    {"kind": "read_lag", "on": "GET *", "probability": 0.2, "delay_ms": 300},
    {"kind": "partial_fill", "on": "POST /fapi/v1/order", "probability": 0.15},
    {"kind": "self_trade", "on": "POST /fapi/v1/order", "probability": 0.01},
    {"kind": "fill_before_cancel", "on": "DELETE /fapi/v1/order", "probability": 0.2},
    {"kind": "drop_frame", "on": "ORDER_TRADE_UPDATE", "probability": 0.02},
    {"kind": "duplicate_frame", "on": "ORDER_TRADE_UPDATE", "probability": 0.05},
    {"kind": "reorder_frame", "on": "*_UPDATE", "probability": 0.03, "delay_ms": 300},
    {"kind": "delay_frame", "on": "*_UPDATE", "probability": 0.03, "delay_ms": 1500},
    {"kind": "disconnect", "on": "ORDER_TRADE_UPDATE", "probability": 0.003},
    {"kind": "silent_stream", "on": "ORDER_TRADE_UPDATE", "probability": 0.002},
    {"kind": "listen_key_expired", "on": "ORDER_TRADE_UPDATE", "probability": 0.001},
    {"kind": "trade_lite_first", "on": "TRADE_LITE", "probability": 0.02, "delay_ms": 200},
    {"kind": "events_before_reply", "on": _ORDER, "probability": 0.1, "delay_ms": 50},
)
"""What the exchange does wrong of itself, all through the storm."""


LOSSY: tuple[dict[str, Any], ...] = (
    {"kind": "drop_frame", "on": "*_UPDATE", "probability": 0.4},
    {"kind": "drop_frame", "on": "TRADE_LITE", "probability": 0.4},
)
"""What it does wrong while all else is well: a stream that seems healthy, and leaves frames out."""


def exchange_words(port: int, data_dir: Path, faults: Path, seed: int) -> list[str]:
    """Return the words behind `holdfast` that start the exchange."""
    words = ["exchange", "--port", str(port), "--symbols", ",".join(SYMBOLS), "--unlimited"]
    words += ["--seed", str(seed), "--feed", "none", "--balance", BALANCE]
    words += ["--account", f"{KEY}:{SECRET}", "--data-dir", str(data_dir)]
    words += ["--own-child-names"] if seed % OWN_NAMES_EACH == 0 else []
    return [*words, "--faults", str(faults)]


def rules_of(seed: int, number: int) -> dict[str, Any]:
    """Return the exchange's faults, and funding once for each symbol.

    A session knows a payment by symbol, hour and amount, as no venue pays twice within an hour.
    Here it is paid more often than that: so at another rate each time.
    """
    lots = Random(f"{seed}/{number}/funding")
    funding = [
        {
            "kind": "funding",
            "on": symbol,
            "probability": 0.1,
            "count": 1,
            "rate": round(lots.uniform(-0.002, 0.002), 9),
        }
        for symbol in SYMBOLS
    ]
    return {"faults": [*RULES, *funding], "seed": seed + number}


QUIET = "quiet"
"""The file that keeps the trader quiet, beside the settings."""

RUN_WORDS = ("run", "--json", "--no-report")
ENVIRONMENT = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}


def write_config(path: Path, data_dir: Path, database: str, port: int, seed: int) -> None:
    """Write the session's settings: it trades through the proxy on `port`."""
    trader = f"holdfast.harness.trader:Trader:seed={seed},quiet={path.with_name(QUIET)}"
    rules = '["correlation", "volatility", "duplicate", "execution_throttle", "position_size"]'
    path.write_text(
        f'data_dir = "{data_dir}"\n'
        f'database_url = "{database}"\n'
        f'symbols = "{",".join(SYMBOLS)}"\n'
        f'strategies = ["{trader}"]\n'
        "leverage = 10\n"
        '[venue]\nname = "binance_futures"\n'
        f'rest_url = "http://127.0.0.1:{port}"\n'
        f'read_lag_ns = "{READ_LAG_S}s"\n'
        "[risk]\n"
        'max_daily_loss_pct = "1"\n'
        'price_collar_pct = "0.5"\n'
        "max_messages = 5000\n"
        f"disabled = {rules}\n"
        "[execution]\n"
        f'recv_window_ns = "{RECV_WINDOW_S}s"\n'
        f'clock_skew_ns = "{CLOCK_SKEW_S}s"\n'
        'audit_interval_ns = "2s"\n'
        'query_interval_ns = "500ms"\n'
        'breaker_recovery_ns = "2s"\n'
        "[session]\n"
        "save_state_interval = 3\n"
    )
