"""Positions as they were last told."""

from __future__ import annotations

from decimal import Decimal

from holdfast import LiveTradingService, Position, PositionTracker
from tests.runtime.session_desk import BTC, ETH, config_in, running


def known(tracker, symbol=BTC) -> Position:
    found = tracker.get(symbol)
    assert found is not None
    return found


def position(quantity, ratio="0.1", symbol=BTC):
    view = Position(symbol, quantity, 45_000)
    view.margin_ratio = Decimal(ratio)
    return view


async def test_the_newest_view_counts_and_a_flat_one_is_forgotten():
    tracker = PositionTracker()
    await tracker.update(position("0.1"))
    await tracker.update(position("1", symbol=ETH))
    await tracker.update(position("0.2"))

    assert known(tracker).quantity == Decimal("0.2")
    assert [p.symbol for p in tracker.positions()] == [BTC, ETH]
    await tracker.update(position(0))
    assert tracker.get(BTC) is None
    assert [p.symbol for p in tracker.positions()] == [ETH]


async def test_the_alarm_rings_once_each_time_the_line_is_crossed():
    rung = []

    async def ring(view):
        rung.append(view.margin_ratio)

    tracker = PositionTracker(on_emergency=ring)
    for ratio in ("0.8", "0.81", "0.9", "0.5", "0.85"):
        await tracker.update(position(1, ratio))
    await tracker.update(position(0))
    await tracker.update(position(1, "0.95"))

    assert rung == [Decimal("0.81"), Decimal("0.85"), Decimal("0.95")]


async def test_what_an_update_leaves_out_is_taken_from_the_service(tmp_path):
    service = LiveTradingService(config=config_in(tmp_path))
    tracker = PositionTracker(service)
    await tracker.update(Position(BTC, "0.5", 45_000))  # no session: nothing to add
    assert known(tracker).leverage == 1

    async with running(tmp_path, service=service):
        await service.place_order(BTC, "BUY", "0.01")
        await tracker.update(Position(BTC, "0.01", "45000.1", 45_000))
        booked = (await service.get_positions())[0]

        assert known(tracker).leverage == 5
        assert known(tracker).margin == booked.margin
        assert known(tracker).margin_ratio == booked.margin_ratio > 0
        assert known(tracker).roi_percentage == booked.roi_percentage


def test_a_position_by_hand_reckons_its_profit():
    view = Position(BTC, "-0.5", 45_000, 44_000, leverage=10)

    assert view.unrealized_pnl == 500
    assert view.roi_percentage == Decimal(500) / (22_500 / Decimal(10)) * 100
    assert Position(BTC, 0, 0).roi_percentage == 0


async def test_a_plain_function_may_hear_of_an_emergency_too():
    rung: list[str] = []
    tracker = PositionTracker(on_emergency=lambda position: rung.append(position.symbol))

    await tracker.update(Position("BTCUSDT", 1, 100, margin_ratio=Decimal("0.9")))

    assert rung == ["BTCUSDT"]
