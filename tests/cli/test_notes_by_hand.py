"""What commands tell a person beside their answers, and what `--json` has of it."""

from __future__ import annotations

import asyncio

from holdfast.cli import main
from tests.runtime.control_desk import running

ORDER = ["place", "BTCUSDT"]
STOP = ["--type", "STOP_MARKET", "--trigger-price", "48000", "--reduce-only"]


async def say(capsys, folder, *words, code=0):
    """Run a command; return what it said, and what it said beside that."""
    assert await asyncio.to_thread(main, [*words, "--data-dir", str(folder)]) == code
    return capsys.readouterr()


async def test_commands_tell_of_what_has_no_stop(tmp_path, capsys):
    async with running(tmp_path):
        buy = ["BTCUSDT", "BUY"]
        told = [
            await say(capsys, tmp_path, "explain", *buy, "--quantity", "0.005"),
            await say(capsys, tmp_path, "place", *buy, "0.005"),
            await say(capsys, tmp_path, "adjust", "BTCUSDT", "0.011"),
        ]
        status = (await say(capsys, tmp_path, "status")).out
        metrics = (await say(capsys, tmp_path, "metrics")).out

    assert all("has no stop" in each.err for each in told)
    assert "direct" in told[0].out
    assert "stop " not in told[0].out.splitlines()[0]
    for shown in (status, metrics):
        assert "Without stop 1" in " ".join(shown.split())


async def test_commands_tell_of_what_stays(tmp_path, capsys):
    async with running(tmp_path):
        await say(capsys, tmp_path, *ORDER, "BUY", "0.005")
        await say(capsys, tmp_path, *ORDER, "SELL", "0.005", *STOP)
        all_ = await say(capsys, tmp_path, "cancel", "--all")
        closed = await say(capsys, tmp_path, "close", "BTCUSDT")
        exits = await say(capsys, tmp_path, "cancel", "--all", "--exits")
        nothing = await say(capsys, tmp_path, "cancel", "--all")
        await say(capsys, tmp_path, "cancel", "x", "--exits", code=2)

    assert "1 stop or exit stays: " in all_.out
    assert "nothing to cancel" not in all_.out
    assert "1 order that can only close stays: " in closed.err
    assert "CANCELED" in exits.out
    assert "nothing to cancel" in nothing.out


async def test_a_stop_tells_of_what_it_leaves(tmp_path, capsys):
    async with running(tmp_path):
        await say(capsys, tmp_path, *ORDER, "BUY", "0.005")
        await say(capsys, tmp_path, *ORDER, "SELL", "0.005", *STOP)
        stopped = await say(capsys, tmp_path, "stop", "--flatten")

    assert "STOPPED" in stopped.out
    assert "1 order that can only close stays: " in stopped.err
