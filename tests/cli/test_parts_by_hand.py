"""What goes on in parts is seen, taken back and closed from the command line."""

from __future__ import annotations

import asyncio
import json

from holdfast.cli import main
from holdfast.model.values import ParentId
from tests.runtime.control_desk import running

BUY = ["place", "BTCUSDT", "BUY", "0.02", "--algo", "twap:over=30s,slices=2"]
LINE = "1 twap:over=30s,slices=2 BUY 0.02 BTCUSDT, 0.01 filled"


async def say(capsys, folder, *words):
    """Run a command; return its code, what it said, and what it said of trouble."""
    code = await asyncio.to_thread(main, [*words, "--data-dir", str(folder)])
    return code, *capsys.readouterr()


async def placed(capsys, folder):
    """Send the first slice, which fills at once, and return its id."""
    code, told, _ = await say(capsys, folder, *BUY, "--json")
    assert code == 0
    return json.loads(told)["order"]["id"]


def is_over(desk):
    return desk.service.live.engine.state.parents["1"].is_over


async def test_what_goes_on_is_seen_though_nothing_of_it_rests(tmp_path, capsys):
    async with running(tmp_path) as desk:
        await placed(capsys, tmp_path)
        _, orders, _ = await say(capsys, tmp_path, "orders")
        _, status, _ = await say(capsys, tmp_path, "status")
        listed = await desk.get("/v1/orders")
        stood = await desk.get("/v1/status")
        desk.service.live.save_now()
        left = asyncio.get_running_loop().run_in_executor(None, _journal, tmp_path)
        from_journal = await left

    assert "no open orders" in orders
    assert "Going on in parts" in orders
    assert LINE in status
    for found in (listed, stood, *from_journal):
        [whole] = found["parts"]
        assert (whole["id"], whole["quantity"], whole["filled_quantity"]) == ("1", "0.02", "0.01")


def _journal(folder):
    """Answer as where no session runs."""
    from holdfast.cli import journaled
    from holdfast.model.config import TradingConfig

    config = TradingConfig(data_dir=folder)
    return [journaled.orders(config, open_only=True), journaled.status(config)]


async def test_all_that_is_taken_back_includes_what_goes_on_in_parts(tmp_path, capsys):
    async with running(tmp_path) as desk:
        await placed(capsys, tmp_path)
        code, told, _ = await say(capsys, tmp_path, "cancel", "--all")
        assert (code, is_over(desk)) == (0, True)
        _, again, _ = await say(capsys, tmp_path, "cancel", "--all")
        answer = await desk.post("/v1/orders/all/cancel")

    assert "Ended: nothing more of it is sent" in told
    assert "twap:over=30s,slices=2" in told
    assert "nothing to cancel" not in told
    assert "there was nothing to cancel" in again
    assert answer["parts"] == []


async def test_one_is_taken_back_by_the_id_of_a_part_that_has_filled(tmp_path, capsys):
    async with running(tmp_path) as desk:
        part = await placed(capsys, tmp_path)
        code, told, _ = await say(capsys, tmp_path, "cancel", part, "--json")
        assert (code, is_over(desk)) == (0, True)
        again, _, wrong = await say(capsys, tmp_path, "cancel", part)

    found = json.loads(told)
    assert (found["order"]["id"], found["order"]["status"]) == (part, "FILLED")
    assert [(each["id"], each["status"]) for each in found["parts"]] == [("1", "CANCELED")]
    assert again
    assert "FILLED already" in wrong


async def test_one_is_taken_back_by_its_number_with_what_rests_of_it(tmp_path, capsys):
    async with running(tmp_path) as desk:
        bid = ["--type", "LIMIT", "--price", "49000"]
        code, placed_, _ = await say(capsys, tmp_path, *BUY, *bid, "--json")
        part = json.loads(placed_)["order"]["id"]
        code, told, _ = await say(capsys, tmp_path, "cancel", "1", "--json")
        assert (code, is_over(desk)) == (0, True)
        left = (await desk.get(f"/v1/orders/{part}"))["order"]

    assert json.loads(told)["order"]["id"] == "1"
    assert left["status"] == "CANCELED"


async def test_a_close_says_what_it_has_ended(tmp_path, capsys):
    async with running(tmp_path) as desk:
        await placed(capsys, tmp_path)
        code, told, _ = await say(capsys, tmp_path, "close", "BTCUSDT")
        assert (code, is_over(desk)) == (0, True)

    assert "BTCUSDT is flat" in told
    assert "Ended: nothing more of it is sent" in told


async def test_who_closes_what_is_flat_is_told_what_goes_on_there(tmp_path, capsys):
    async with running(tmp_path) as desk:
        bid = ["--type", "LIMIT", "--price", "49000", "--tif", "IOC"]
        await say(capsys, tmp_path, *BUY, *bid)
        code, _, wrong = await say(capsys, tmp_path, "close", "BTCUSDT")
        assert not is_over(desk)

    assert code
    assert "twap 1 goes on there (`cancel 1` ends it)" in wrong


async def test_a_close_says_nothing_of_what_ended_elsewhere_meanwhile(
    tmp_path, capsys, monkeypatch
):
    async with running(tmp_path, accounts={"second": {"leverage": 3}}) as desk:
        await placed(capsys, tmp_path)
        await say(capsys, tmp_path, *BUY, "--account", "second")
        close = desk.service.close_position

        async def closed(*words):
            await desk.service.cancel_order("2")
            return await close(*words)

        monkeypatch.setattr(desk.service, "close_position", closed)
        answer = await desk.post("/v1/positions/BTCUSDT/close")
        assert desk.service.live.engine.state.parents[ParentId("2")].is_over

    assert [each["id"] for each in answer["parts"]] == ["1"]
