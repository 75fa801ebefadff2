"""The exchange in one process and a session in another, as the README shows it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.journal import open_journal
from holdfast.model import events as ev
from tests.cli.desk import environment

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,DOGEUSDT"
STRATEGY = "sma_cross:fast=2,slow=3,timeframe=1s"
SECRET = "e2e-secret-of-the-account"
PATIENCE_S = 60

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def exchange():
    """The addresses of an exchange that routes streams as strictly as the real one."""
    words = ["exchange", "--symbols", SYMBOLS, "--seed", "7", "--strict-routing"]
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words, "--account", f"me:{SECRET}"],
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


def run(folder, ready, *more, **env):
    (folder / "holdfast.toml").write_text(
        f'symbols = "{SYMBOLS}"\nstrategies = ["{STRATEGY}"]\n'
        f'[venue]\nname = "binance_futures"\nrest_url = "{ready["rest"]}"\n'
        f'stream_url = "{ready["streams"]}"\nws_api_url = "{ready["ws_api"]}"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "run", "--for", "15s", "--json", *more],
        cwd=folder,
        env={**environment(), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S + 30,
        check=False,
    )
    log = folder / "holdfast-data" / "logs" / "trading" / "holdfast.log"
    text = log.read_text() if log.exists() else ""
    found = [line for line in text.splitlines() if " WARNING " in line or " ERROR " in line]
    return done, json.loads(done.stdout), found


def test_a_session_trades_at_the_exchange_over_sockets_and_the_books_agree(tmp_path, exchange):
    keys = {"BINANCE_API_KEY": "me", "BINANCE_API_SECRET": SECRET}
    done, document, warnings = run(tmp_path, exchange, **keys)

    assert (done.returncode, done.stderr, warnings) == (0, "", [])
    assert document["venue"] == document["feed"] == "binance_futures"
    assert document["status"] == "STOPPED"
    assert document["fills"] > 0
    assert document["restarts"] == 0
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}
    assert not holding(tmp_path, SECRET)
    assert_way_is_told(tmp_path)


def assert_way_is_told(folder):
    """An order's way out is on record, step by step."""
    database = folder / "holdfast-data" / "holdfast.db"
    facts = open_journal(database, read_only=True)
    first = next(fact for fact in facts.replay() if isinstance(fact, ev.OrderTimed))
    facts.close()
    words = ["trace", first.cl_ord_id, "--data-dir", str(database.parent)]
    command = [sys.executable, "-m", "holdfast", *words]
    told = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    timing = json.loads(told.stdout)["timing"]
    steps = [timing[name] for name in ("strategy_ns", "decision_ns", "record_ns", "send_ns")]

    assert min(steps) > 0
    assert sum(steps) == timing["total_ns"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    ).stdout
    assert "Its way out" in shown
    assert "algorithm, sizes and risk rules" in shown


def test_a_dry_run_trades_on_the_same_market_and_needs_no_key(tmp_path, exchange):
    done, document, warnings = run(tmp_path, exchange, "--dry-run")

    assert (done.returncode, done.stderr, warnings) == (0, "", [])
    assert (document["venue"], document["feed"]) == ("paper", "binance_futures")
    assert document["fills"] > 0
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}


def holding(folder: Path, secret: str) -> list[Path]:
    """Return the files below a folder that hold a text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]
