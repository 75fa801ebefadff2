"""What commands hand on to a running session, in another thread of this process."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from decimal import Decimal

from holdfast.cli import main
from holdfast.model.values import NS_PER_S
from tests.runtime.control_desk import running

ENDS = "2040-01-01T08:00:00+00:00"


async def said(capsys, *words):
    code = await asyncio.to_thread(main, [str(word) for word in words])
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


async def test_place_hands_on_the_end_and_the_trail_of_an_order(tmp_path, capsys):
    async with running(tmp_path) as desk:
        buy = ["place", "BTCUSDT", "BUY", "0.004", "--data-dir", tmp_path, "--json"]
        ending = ["--price", "48000", "--tif", "GTD", "--expire-at", ENDS]
        trail = ["--type", "TRAILING_STOP_MARKET", "--callback-rate", "1.5"]
        trail += ["--activation-price", "49000"]
        placed = [(await said(capsys, *buy, *words))["order"] for words in (ending, trail)]
        known = desk.service.live.engine.state.orders
        limited, trailing = (known[each["id"]].request for each in placed)

    assert limited.expire_ts == int(datetime.fromisoformat(ENDS).timestamp()) * NS_PER_S
    assert (trailing.callback_rate, trailing.activation_price) == (Decimal("1.5"), Decimal(49000))


async def test_metrics_are_of_the_account_that_is_named(tmp_path, capsys):
    async with running(tmp_path, accounts={"second": {"initial_balance": 5000}}):
        words = ["metrics", "--data-dir", tmp_path, "--json"]
        main_one = await said(capsys, *words)
        second = await said(capsys, *words, "--account", "second")

    assert [each["metrics"]["wallet"] for each in (main_one, second)] == ["10000", "5000"]


async def test_resume_and_status_say_that_the_kill_switch_blocks_what_is_new(tmp_path, capsys):
    async with running(tmp_path):
        for words in (["pause"], ["kill", "--reason", "smoke"], ["resume"], ["status"]):
            code = await asyncio.to_thread(main, [*words, "--data-dir", str(tmp_path)])
            told = capsys.readouterr()
            assert code == 0, told.err
            if words == ["resume"]:
                resumed = told

    assert "nothing new is opened" in resumed.err
    assert "smoke" in resumed.err
    assert "holdfast release" in resumed.err
    assert "nothing new is opened" in told.out


async def test_commands_find_a_session_whose_folder_is_named_from_home(tmp_path, monkeypatch):
    """A shell hands `--data-dir=~/hf` on as it stands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    async with running(tmp_path / "hf") as desk:
        for command in ("pause", "kill", "status"):
            assert await asyncio.to_thread(main, [command, "--data-dir=~/hf"]) == 0, command

        assert desk.service.session().status.value == "PAUSED"
        assert desk.service.live.engine.state.is_killed


async def test_who_wants_a_stopped_session_flat_is_told_what_is_held(tmp_path, capsys):
    words = ["stop", "--flatten", "--data-dir", str(tmp_path)]
    code = await asyncio.to_thread(main, words)
    never = capsys.readouterr().err
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.01", type="MARKET")
    assert await asyncio.to_thread(main, words) == code
    told = capsys.readouterr().err
    assert await asyncio.to_thread(main, [words[0], *words[2:]]) == code

    assert "no session runs" in told
    assert "+0.01 BTCUSDT is still held" in told
    assert "held" not in never
    assert "held" not in capsys.readouterr().err
