"""What is shown of a position when nobody watches the market: no figure that is none."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal

import pytest

from holdfast.cli import main
from holdfast.model.values import NS_PER_DAY, NS_PER_S
from tests.cli.desk import run_json
from tests.runtime.control_desk import running


@pytest.fixture
def left(tmp_path):
    """Leave a folder whose session ended with a position."""

    async def session():
        async with running(tmp_path, on_stop="keep") as desk:
            await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.01")
            await asyncio.sleep(0.1)

    asyncio.run(session())
    return tmp_path


def test_a_position_has_no_worth_where_no_market_is_heard(capsys, left):
    position = run_json(capsys, "positions", "--data-dir", left)[1]["positions"][0]
    assert main(["positions", "--data-dir", str(left)]) == 0
    shown = capsys.readouterr().out

    assert position["entry_price"] is not None
    unknown = ("mark_price", "unrealized_pnl", "margin_ratio")
    assert [position[name] for name in unknown] == [None] * 3
    assert shown.count("n/a") == 3


def test_a_status_from_the_journal_says_of_when_its_equity_is(capsys, left):
    found = run_json(capsys, "status", "--data-dir", left)[1]
    figures = run_json(capsys, "stats", "--data-dir", left)[1]["stats"]
    assert main(["status", "--data-dir", str(left)]) == 0
    shown = capsys.readouterr().out

    metrics = found["metrics"]
    assert metrics["equity"] == figures["equity_end"]
    assert metrics["equity_at"] is not None
    assert f" as of {metrics['equity_at'][:19].replace('T', ' ')}" in shown
    assert [metrics[name] for name in ("daily_pnl", "free_margin", "margin_ratio", "leverage")] == (
        [None] * 4
    )


def test_totals_of_all_time_are_named_so(capsys, left):
    """Beside the time at which the position was opened they would pass for its own."""
    assert main(["positions", "--data-dir", str(left)]) == 0
    shown = capsys.readouterr().out

    for name in ("Realized", "Fees", "Funding"):
        assert f"{name}, all time" in shown


def test_each_account_is_without_worth_where_no_market_is_heard(capsys, tmp_path):
    async def session():
        accounts = {"second": {"initial_balance": 5000}}
        async with running(tmp_path, on_stop="keep", accounts=accounts) as desk:
            order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.005"}
            await desk.post("/v1/orders", **order, account="second")
            await asyncio.sleep(0.1)

    asyncio.run(session())
    found = run_json(capsys, "status", "--data-dir", tmp_path)[1]["accounts"]
    assert main(["status", "--data-dir", str(tmp_path)]) == 0

    equities = {name: row["metrics"]["equity"] for name, row in found.items()}
    assert equities == {"main": "10000", "second": None}
    assert "equity n/a, unrealized n/a" in capsys.readouterr().out


@pytest.fixture
def flat(tmp_path):
    """Leave a folder whose session ended without a position, and lost by that."""

    async def session():
        async with running(tmp_path) as desk:
            await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.01")
            await desk.post("/v1/positions/BTCUSDT/close")

    asyncio.run(session())
    return tmp_path


def test_the_result_of_another_day_is_none_of_today(capsys, flat, monkeypatch):
    ended = run_json(capsys, "status", "--data-dir", flat)[1]["time"]
    ended_ns = round(datetime.fromisoformat(ended).timestamp()) * NS_PER_S

    monkeypatch.setattr("holdfast.cli.journaled.time_ns", lambda: ended_ns)
    of_the_day = run_json(capsys, "status", "--data-dir", flat)[1]["metrics"]
    assert Decimal(of_the_day["daily_pnl"]) < 0

    monkeypatch.setattr("holdfast.cli.journaled.time_ns", lambda: ended_ns + NS_PER_DAY)
    later = run_json(capsys, "status", "--data-dir", flat)[1]["metrics"]
    assert later == of_the_day | {"daily_pnl": None}
    assert main(["status", "--data-dir", str(flat)]) == 0
    assert "Today" not in capsys.readouterr().out


def test_the_result_of_another_day_is_none_of_the_day_that_the_switch_was_turned(capsys, flat):
    assert main(["kill", "--data-dir", str(flat)]) == 0
    capsys.readouterr()

    found = run_json(capsys, "status", "--data-dir", flat)[1]

    assert found["is_killed"]
    assert found["metrics"]["daily_pnl"] is None
