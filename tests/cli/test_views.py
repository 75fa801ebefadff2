"""What is shown while a session runs: on a terminal, and in lines."""

from __future__ import annotations

import asyncio
import io
import threading
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from holdfast.cli.frame import Camera, place_of
from holdfast.cli.happenings import Happenings, Line
from holdfast.cli.live_view import LiveView, draw, sparkline
from holdfast.cli.plain_view import LINES_PER_S_MAX, PlainView
from holdfast.model.config import TradingConfig
from holdfast.model.events import OrderFilled
from holdfast.model.messages import MarketLink
from holdfast.model.values import ZERO, ClOrdId, Side, TradeId
from holdfast.stats import SessionStats
from tests.runtime.control_desk import BTC, running


def drawn(frame, width=100):
    out = io.StringIO()
    Console(width=width, file=out, force_terminal=False).print(draw(frame, width))
    return out.getvalue()


async def test_the_picture_shows_position_stop_target_order_and_fill(tmp_path):
    async with running(tmp_path) as desk:
        happenings = Happenings()
        happenings.follow(desk.service)
        camera = Camera(desk.service, happenings)
        await desk.service.place_order(
            "BTCUSDT", "BUY", "0.01", stop_loss="49000.5", take_profit="52000"
        )
        await desk.service.place_order("BTCUSDT", "BUY", "0.005", "LIMIT", "48500")
        frame = camera.take(await desk.service.get_session_stats())
        wide, narrow = drawn(frame), drawn(frame, 50)

    position = next(line for line in wide.splitlines() if line.startswith("BTCUSDT"))
    assert "0.01" in position
    assert "49000.5" in position
    assert "52000" in position
    assert "BUY 0.005 LIMIT @ 48500" in wide
    assert "BUY 0.01 BTCUSDT @" in wide
    assert "RUNNING" in wide
    assert all(len(line.rstrip()) <= 50 for line in narrow.splitlines())


async def test_a_position_without_a_stop_says_so_and_a_kill_is_seen(tmp_path):
    async with running(tmp_path) as desk:
        happenings = Happenings()
        happenings.follow(desk.service)
        await desk.service.place_order("BTCUSDT", "BUY", "0.01")
        await desk.service.kill("smoke")
        frame = Camera(desk.service, happenings).take(SessionStats())
        text = drawn(frame)

    assert frame.positions[0].stop is None
    assert "none" in text
    assert "KILL SWITCH ENGAGED" in text
    assert "kill switch engaged: smoke" in text


async def test_figures_that_stand_still_are_marked(tmp_path, capsys):
    """RUNNING says nothing of what is heard."""
    async with running(tmp_path) as desk:
        link = MarketLink(symbol=BTC, is_up=False, reason="the public stream is down")
        desk.service.live.shell.hear(link)
        text = drawn(Camera(desk.service, Happenings()).take(SessionStats()))
        lines = PlainView()
        lines.begin(desk.service, Happenings())
        lines._next_progress = 0.0
        lines.refresh(SessionStats())

    marked = "CUT OFF: market data is cut off (the public stream is down): BTCUSDT"
    assert marked in text
    assert capsys.readouterr().out.splitlines()[-1].endswith(marked)


@pytest.mark.parametrize(
    ("fee", "asset", "shown"),
    [("0.0512", "USDT", "fee 0.05 USDT"), ("0.00008000", "BNB", "fee 0.00008 BNB")],
)
async def test_a_fill_names_what_its_fee_was_paid_in(tmp_path, fee, asset, shown):
    fill = OrderFilled(
        ts=1,
        symbol=BTC,
        side=Side.BUY,
        cl_ord_id=ClOrdId("web_1"),
        trade_id=TradeId("7"),
        qty=Decimal(1),
        price=Decimal(100),
        fee=Decimal(fee),
        fee_asset=asset,
        realized_pnl=ZERO,
        venue_ts=1,
    )
    async with running(tmp_path) as desk:
        happenings = Happenings()
        happenings.follow(desk.service)
        desk.service.event_bus.publish("order.filled", fill)

    [line] = [line for line in happenings.lines if line.kind == "FILL"]
    assert line.text == f"BUY 1 BTCUSDT @ 100  not ours, {shown}"


async def test_a_refusal_is_told_with_rule_and_reason(tmp_path):
    async with running(tmp_path) as desk:
        happenings = Happenings()
        happenings.follow(desk.service)
        with pytest.raises(Exception, match="position_size"):
            await desk.service.place_order("BTCUSDT", "BUY", "0.1")
        line = happenings.lines[-1]

    assert line.kind == "DENIED"
    assert line.text.startswith("BUY 0.1 BTCUSDT  position_size: ")


async def test_the_live_view_draws_and_leaves_the_terminal_clean(tmp_path):
    out = io.StringIO()
    console = Console(width=100, height=40, file=out, force_terminal=True)
    async with running(tmp_path) as desk:
        view = LiveView(console)
        view.begin(desk.service, Happenings())
        view.refresh(await desk.service.get_session_stats())
        assert view._live is not None
        view._live.refresh()
        view.end()
    text = out.getvalue()

    assert "RUNNING" in text
    assert text.endswith("\x1b[2K")  # the last thing done is to wipe its lines
    assert "\x1b[?25h" in text  # and the cursor is back


async def test_a_terminal_that_is_held_holds_nothing_else_up(tmp_path):
    """As Ctrl-S does: whoever writes to it waits, and the picture's thread is in the midst of it."""
    is_held, may_go_on = threading.Event(), threading.Event()

    class Held(io.StringIO):
        def write(self, text):
            if "RUNNING" in text and not may_go_on.is_set():
                is_held.set()
                may_go_on.wait(30)
            return super().write(text)

    out = Held()
    view = LiveView(Console(file=out, force_terminal=True, width=80))
    async with running(tmp_path) as desk:
        view.begin(desk.service, Happenings())
        view.refresh(await desk.service.get_session_stats())
        try:
            assert await asyncio.to_thread(is_held.wait, 10)
            telling = threading.Thread(target=view.tell, args=["interrupted"], daemon=True)
            telling.start()
            await asyncio.to_thread(telling.join, 5)
            assert not telling.is_alive()
        finally:
            may_go_on.set()
            await asyncio.to_thread(view.end)
    assert "interrupted" in out.getvalue()


async def test_a_picture_that_failed_once_is_drawn_again(tmp_path):
    """A terminal that another program made non-blocking refuses a write now and then."""
    has_failed, is_drawn_again = threading.Event(), threading.Event()

    class Fickle(io.StringIO):
        def write(self, text):
            if "RUNNING" in text and not has_failed.is_set():
                has_failed.set()
                raise BlockingIOError("write could not complete without blocking")
            if "RUNNING" in text:
                is_drawn_again.set()
            return super().write(text)

    view = LiveView(Console(file=Fickle(), force_terminal=True, width=80))
    async with running(tmp_path) as desk:
        view.begin(desk.service, Happenings())
        view.refresh(await desk.service.get_session_stats())
        assert await asyncio.to_thread(has_failed.wait, 10)
        assert await asyncio.to_thread(is_drawn_again.wait, 5)
        view.end()


def test_a_flood_of_lines_is_counted_instead_of_written(capsys):
    view = PlainView()
    for number in range(500):
        view._tell(Line(0, "FILL", f"line {number}"))
    view._tell(Line(0, "ALARM", "not to be missed"))
    view.end()

    out = capsys.readouterr().out.splitlines()
    shown = [line for line in out if " FILL " in line and "not shown" not in line]
    assert LINES_PER_S_MAX <= len(shown) <= LINES_PER_S_MAX + 3
    assert out[-2].endswith("ALARM    not to be missed")
    assert out[-1].endswith(f"... and {500 - len(shown)} FILL not shown")


def test_an_output_that_is_gone_disturbs_nobody(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Gone())
    view = PlainView()
    view._tell(Line(0, "FILL", "one"))
    view._tell(Line(0, "FILL", "two"))

    assert view._is_closed


@pytest.mark.parametrize(
    ("values", "bars"),
    [((), ""), ((1.0,), ""), ((1.0, 1.0), "▁▁"), ((1.0, 2.0, 3.0), "▁▅█"), ((3.0, 1.0), "█▁")],
)
def test_a_curve_spans_from_its_lowest_to_its_highest(values, bars):
    assert sparkline(values).plain == bars


@pytest.mark.parametrize(
    ("settings", "is_simulated", "said"),
    [
        ({}, True, "paper (simulated)"),
        ({}, False, "paper (testnet)"),
        ({"testnet": False}, False, "paper (REAL MONEY)"),
        ({"rest_url": "http://127.0.0.1:9"}, False, "paper (http://127.0.0.1:9)"),
    ],
)
def test_where_orders_go_is_said_and_real_money_is_called_so(settings, is_simulated, said):
    venue = SimpleNamespace(name="paper", capabilities=SimpleNamespace(is_simulated=is_simulated))
    service: Any = SimpleNamespace(
        config=TradingConfig(**settings),
        live=SimpleNamespace(accounts=SimpleNamespace(venues={"main": venue})),
    )

    assert place_of(service) == said


@pytest.mark.parametrize("view", [PlainView, LiveView])
def test_what_a_start_waits_for_and_its_alarms_are_told_at_once_on_stderr(capfd, view):
    shown = view()
    shown.hear_early(Line(0, "NOTICE", "the start waits for room"))
    shown.hear_early(Line(0, "SESSION", "STARTING"))
    shown.hear_early(Line(0, "ALARM", "the books differ"))

    told = "holdfast: the start waits for room\nholdfast: ALARM the books differ\n"
    assert capfd.readouterr() == ("", told)
