"""What a stop says that came too late, or that ended otherwise than in order."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.cli import main
from holdfast.model.errors import JournalError, SessionStateError
from holdfast.model.values import TradingSessionStatus
from holdfast.runtime import lives
from holdfast.runtime.books import read_and_compare
from tests.runtime.control_desk import BTC, running
from tests.runtime.session_desk import running as session

S = TradingSessionStatus
LONG = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.004", "stop_loss": "49000"}


async def said(*words):
    return await asyncio.to_thread(main, [str(word) for word in words])


async def test_a_stop_that_is_to_flatten_what_one_before_it_kept_is_refused(
    tmp_path, monkeypatch, capsys
):
    """It has STOPPED, and compares its books: nothing closes a position any more."""
    is_read, compare = asyncio.Event(), read_and_compare

    async def compared(live):
        await is_read.wait()
        return await compare(live)

    monkeypatch.setattr(lives, "read_and_compare", compared)
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **LONG)
        keeping = asyncio.ensure_future(desk.post("/v1/stop", flatten=False))
        async with asyncio.timeout(10):
            while desk.service.session().status is not S.STOPPED:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        flattening = asyncio.ensure_future(said("stop", "--flatten", "--data-dir", tmp_path))
        await asyncio.sleep(0.3)  # it is asked, and waits for the end
        is_read.set()

        assert await flattening == 2
        assert "+0.004 BTCUSDT is still held" in capsys.readouterr().err
        assert (await keeping)["session"]["status"] == "STOPPED"


async def test_a_session_that_has_stopped_is_not_told_to_be_flat(tmp_path):
    async with session(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.004", stop_loss=44_000)
        assert (await desk.service.stop(flatten=False)).status is S.STOPPED

        assert (await desk.service.stop()).status is S.STOPPED
        with pytest.raises(SessionStateError, match=r"\+0.004 BTCUSDT is still held"):
            await desk.service.stop(flatten=True)


async def test_a_stop_of_a_session_that_is_given_up_meanwhile_ends_with_7(
    tmp_path, monkeypatch, capsys
):
    async with running(tmp_path) as desk:
        live, ask = desk.service.live, desk.service.live.shell.ask

        def fail(message):
            live.shell.fail(JournalError("the disk is full"))
            return ask(message)

        monkeypatch.setattr(live.shell, "ask", fail)
        code = await said("stop", "--data-dir", tmp_path)

        assert "ERROR (JournalError: the disk is full)" in capsys.readouterr().out
        assert code == 7
