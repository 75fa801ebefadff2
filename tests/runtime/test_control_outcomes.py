"""What a command says where what it asked for did not come about: never that it did."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from decimal import Decimal

import pytest

from holdfast.cli import main
from holdfast.model.messages import ExecType, ExecutionReport
from holdfast.model.values import ZERO, ClOrdId, OrderStatus, TradeId
from holdfast.runtime.control_client import ControlClient
from holdfast.runtime.control_file import Endpoint, NoSessionRunning, write_endpoint
from holdfast.venues import PaperVenue
from tests.runtime.control_desk import START, restarting, running


async def said(*words):
    return await asyncio.to_thread(main, [str(word) for word in words])


async def test_all_are_not_taken_back_by_a_session_that_has_failed(tmp_path, capsys):
    async with running(tmp_path) as desk:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.004"}
        await desk.post("/v1/orders", **order, price=49_000)
        desk.service.live.shell.fail(RuntimeError("a bug"))
        await restarting(desk.service)
        code = await said("cancel", "--all", "--data-dir", tmp_path)

        assert code == 2
        assert "the session has failed" in capsys.readouterr().err


def let_expire(venue, monkeypatch):
    """Have the venue end each new order unfilled, as one does that finds nobody to trade with."""

    def submit(command):
        order = command.order
        venue._hear(
            ExecutionReport(
                symbol=order.symbol,
                cl_ord_id=order.cl_ord_id,
                exec_type=ExecType.EXPIRED,
                status=OrderStatus.EXPIRED,
                side=order.side,
                venue_ts=START,
                qty=order.qty,
                reason="nobody to trade with",
            )
        )

    monkeypatch.setattr(venue, "submit", submit)


@pytest.mark.parametrize(
    "words", [["close", "BTCUSDT"], ["adjust", "BTCUSDT", "0.002"], ["adjust", "BTCUSDT", "0.009"]]
)
async def test_a_position_that_the_market_left_as_it_was_is_no_success(
    tmp_path, monkeypatch, capsys, words
):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.004")
        with monkeypatch.context() as patch:
            let_expire(desk.service.live.venue, patch)
            code = await said(*words, "--data-dir", tmp_path)

    assert code == 4
    err = capsys.readouterr().err
    assert "nobody to trade with" in err
    assert "0.004" in err


async def test_a_position_that_somebody_else_brought_there_is_a_success(tmp_path, monkeypatch):
    """A close by hand at the venue, or a stop, was faster: what was asked for is so."""
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.004")
        venue = desk.service.live.venue
        assert isinstance(venue, PaperVenue)
        hear = venue._hear
        assert hear is not None
        with monkeypatch.context() as patch:
            let_expire(venue, patch)
            expire = venue.submit

            def submit(command):
                order = command.order
                hear(
                    ExecutionReport(
                        symbol=order.symbol,
                        cl_ord_id=ClOrdId("by-hand"),
                        exec_type=ExecType.TRADE,
                        status=OrderStatus.FILLED,
                        side=order.side,
                        venue_ts=desk.service.live.now(),
                        qty=order.qty,
                        cum_qty=order.qty,
                        last_qty=order.qty,
                        last_px=Decimal(50_000),
                        trade_id=TradeId("900"),
                        fee=ZERO,
                    )
                )
                expire(command)

            patch.setattr(venue, "submit", submit)
            code = await said("adjust", "BTCUSDT", "0.002", "--data-dir", tmp_path)

    assert code == 0


def serve(folder, text):
    """Be at a session's port, and say this to each request before the connection ends."""
    server = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    write_endpoint(folder, Endpoint(url=url, token="t", pid=os.getpid(), session="s"))

    def answer_all():
        while True:
            try:
                asking, _ = server.accept()
            except OSError:
                return
            with asking:
                asking.recv(65_536)
                asking.sendall(text)

    threading.Thread(target=answer_all, daemon=True).start()
    return server


def lose_answers(folder):
    """Be a session that dies with each request half done."""
    return serve(folder, b"")


@pytest.mark.parametrize(
    "words",
    [
        ["place", "BTCUSDT", "BUY", "0.01"],
        ["close", "BTCUSDT"],
        ["cancel", "--all"],
        ["stop"],
    ],
)
def test_a_session_that_dies_with_a_request_leaves_its_outcome_unknown(tmp_path, capsys, words):
    with lose_answers(tmp_path):
        code = main([*words, "--data-dir", str(tmp_path)])

    assert code == 4
    assert "nobody knows what came of it" in capsys.readouterr().err


def test_a_question_to_a_session_that_dies_finds_none(tmp_path):
    with lose_answers(tmp_path), pytest.raises(NoSessionRunning):
        ControlClient(tmp_path).get("/v1/status")


async def test_a_kill_that_a_session_dies_with_is_in_its_journal(tmp_path, capsys):
    async with running(tmp_path):
        pass
    with lose_answers(tmp_path):
        code = await said("kill", "--data-dir", tmp_path)

    assert code == 0
    assert "the next session there will start blocked" in capsys.readouterr().out


def answer(folder, head, body):
    """Be another program that has the port of a session that has died, and answers there."""
    text = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return serve(folder, text.encode())


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("401 Unauthorized", '{"error": "a token is needed", "kind": "Unauthorized"}'),
        ("200 OK", "<html>It works!</html>"),
    ],
)
async def test_somebody_else_at_a_dead_session_s_port_keeps_no_kill_from_its_journal(
    tmp_path, capsys, head, body
):
    """A process of the same number is alive too, as it always is in a container."""
    async with running(tmp_path):
        pass
    with answer(tmp_path, head, body):
        killed = await said("kill", "--data-dir", tmp_path)
        status = await said("status", "--data-dir", tmp_path)

    assert (killed, status) == (0, 0)
    assert "ENGAGED" in capsys.readouterr().out


async def test_a_kill_waits_for_no_words_whatever_bytes_they_are_of(tmp_path):
    """A terminal of another encoding hands over what is no text."""
    odd = os.fsdecode(b"caf\xe9")
    async with running(tmp_path) as desk:
        assert await said("kill", "--reason", odd, "--data-dir", tmp_path) == 0
        assert desk.service.live.engine.state.kill_reason == "caf\\udce9"
        assert await said("release", "--yes", "--operator", odd, "--data-dir", tmp_path) == 0
    assert await said("kill", "--reason", odd, "--data-dir", tmp_path) == 0
    assert await said("release", "--yes", "--operator", odd, "--data-dir", tmp_path) == 0
