"""One session on two accounts of an exchange in another process, killed, and started again."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest

from holdfast import TradingConfig
from holdfast.journal import open_journal
from holdfast.model import events as ev
from holdfast.model.config_keys import keys_of
from holdfast.model.errors import JournalError
from holdfast.model.values import AccountId
from holdfast.runtime.binance import BinanceFuturesBroker
from holdfast.stats import fold_books, repeated_ids
from tests.cli.desk import environment

SYMBOLS = "BTCUSDT,ETHUSDT"
SECRETS = {"main": "e2e-secret-of-the-first", "second": "e2e-secret-of-the-second"}
TRADER = "holdfast.harness.trader:Trader"
PATIENCE_S = 60

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def ready():
    """The addresses of an exchange with two accounts."""
    accounts = [f"--account={name}:{secret}" for name, secret in SECRETS.items()]
    words = ["exchange", "--unlimited", "--symbols", SYMBOLS, "--seed", "7", *accounts]
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, errors) == (0, "")


def write_settings(folder, ready):
    (folder / "holdfast.toml").write_text(
        f"""\
symbols = "{SYMBOLS}"
strategies = [
    "{TRADER}:seed=1,quiet=quiet",
    "{TRADER}:seed=2,quiet=quiet,account=second",
]
duplicate_window_s = 0
disabled = "correlation"
max_daily_loss_pct = 0.9

[venue]
name = "binance_futures"
rest_url = "{ready["rest"]}"
stream_url = "{ready["streams"]}"
ws_api_url = "{ready["ws_api"]}"

[accounts.second]
leverage = 3
"""
    )


ENVIRONMENT = {
    "BINANCE_API_KEY": "main",
    "BINANCE_API_SECRET": SECRETS["main"],
    "HOLDFAST_ACCOUNTS_SECOND_API_KEY": "second",
    "HOLDFAST_ACCOUNTS_SECOND_API_SECRET": SECRETS["second"],
}


def start(folder, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "run", "--json", "--no-report", *more],
        cwd=folder,
        env={**environment(), **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def facts_of(folder):
    """Return the facts so far; none while the journal is being made."""
    try:
        return _read(folder)
    except JournalError as error:
        assert "is no journal" in str(error)  # noqa: PT017 - not yet
        return []


def _read(folder):
    journal = open_journal(f"sqlite:///{folder}/holdfast-data/holdfast.db", read_only=True)
    try:
        return list(journal.replay())
    finally:
        journal.close()


def fills_of(facts, account):
    return [f for f in facts if isinstance(f, ev.OrderFilled) and f.account == account]


def wait_for_fills(folder, process, count):
    """Wait until each account has been traded so often."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.5)
        if not (folder / "holdfast-data" / "holdfast.db").exists():
            continue
        facts = facts_of(folder)
        if all(len(fills_of(facts, name)) >= count for name in SECRETS):
            return
    process.kill()
    raise AssertionError(f"too few fills: {process.communicate()}")


def ask(folder, *words):
    command = [sys.executable, "-m", "holdfast", *words]
    answer = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    return answer.stdout


async def at_the_exchange(ready, config, account):
    """Return positions and balance of an account as the exchange tells them, by a key of its own."""
    keys = keys_of(config.of_account(AccountId(account)))
    assert keys is not None
    broker = BinanceFuturesBroker(
        keys.api_key, keys.api_secret, rest_url=ready["rest"], config=config
    )
    positions = {p.symbol: p.quantity for p in await broker.get_positions()}
    return positions, await broker.get_balance()


def test_a_session_on_two_accounts_is_killed_and_both_books_are_right_again(tmp_path, ready):
    write_settings(tmp_path, ready)
    process = start(tmp_path)
    wait_for_fills(tmp_path, process, 3)
    shown = ask(tmp_path, "status")
    process.kill()
    process.communicate(timeout=PATIENCE_S)

    process = start(tmp_path)
    wait_for_fills(tmp_path, process, len(fills_of(facts_of(tmp_path), "second")) + 2)
    (tmp_path / "quiet").touch()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=PATIENCE_S)
    document = json.loads(out)

    assert (process.returncode, document["status"]) == (0, "STOPPED"), errors
    assert "Account main" in shown
    assert "Account second" in shown
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}
    facts = facts_of(tmp_path)
    assert [f.is_resumed for f in facts if isinstance(f, ev.EpochStarted)] == [False, True]
    assert not repeated_ids(facts)
    ids = [f.order.cl_ord_id for f in facts if isinstance(f, ev.OrderSubmitted)]
    assert len(set(ids)) == len(ids)
    config = TradingConfig.load(
        tmp_path / "holdfast.toml", env=ENVIRONMENT, overrides={"data_dir": tmp_path}
    ).config
    for account in SECRETS:
        theirs, balance = asyncio.run(at_the_exchange(ready, config, account))
        ours = {
            symbol: qty
            for (owner, symbol), qty in fold_books(facts).positions.items()
            if owner == account and qty
        }
        assert ours == theirs
        assert fold_books(facts).balance(AccountId(account), "USDT") == balance
        assert balance != Decimal(10_000)
    assert {
        f.leverage for f in facts if isinstance(f, ev.InstrumentDefined) and f.account == "second"
    } == {3}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [
        path
        for path in files
        for secret in SECRETS.values()
        if secret.encode() in path.read_bytes()
    ]


def test_an_account_without_a_key_is_told_before_anything_is_opened(tmp_path, ready):
    write_settings(tmp_path, ready)
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "run", "--for", "1s"],
        cwd=tmp_path,
        env={**environment(), "BINANCE_API_KEY": "main", "BINANCE_API_SECRET": SECRETS["main"]},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 2
    assert "HOLDFAST_ACCOUNTS_SECOND_API_KEY" in done.stderr
