"""Positions as they were last told."""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from holdfast import InputError, LiveTradingService, Position, PositionTracker
from holdfast.model import messages as msg
from holdfast.model.values import MAIN, ZERO, OrderStatus, Side, Symbol
from holdfast.runtime.control_wire import builtins
from holdfast.runtime.views import position_view
from tests.engine.rig import KEY, Rig
from tests.runtime.session_desk import BTC, ETH, ScriptedFeed, config_in, running


def known(tracker, symbol=BTC, account="") -> Position:
    found = tracker.get(symbol, account)
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


def holding(qty, *symbols):
    rig = Rig(stop_loss_pct=ZERO, take_profit_pct=ZERO)
    for symbol in symbols:
        fields = {"symbol": symbol, "qty": Decimal(qty)}
        rig.report("web_" + symbol, msg.ExecType.NEW, OrderStatus.NEW, **fields)
        rig.trade("web_" + symbol, qty, symbol=symbol, side=Side.BUY, fee=ZERO)
    return rig


async def test_cross_positions_are_in_danger_together():
    """Each needs 404 of the 820 that both share; alone it would be far from its end."""
    rung: list[Any] = []
    rig = holding("450", BTC, ETH)
    tracker = PositionTracker(on_emergency=rung.append)
    for symbol in (BTC, ETH):
        rig.price(89.8, symbol)

    for symbol in (BTC, ETH):
        await tracker.update(position_view(rig.engine, (MAIN, Symbol(symbol))))

    assert [p.symbol for p in rung] == [BTC, ETH]
    assert {p.margin_ratio for p in rung} == {rig.engine.core.exposure.margin_ratio(MAIN)}


def test_an_isolated_position_is_shown_what_it_used_up_of_its_own():
    rig = holding("4", BTC, ETH)
    rig.hear(msg.IsolatedWallets(wallets={Symbol(BTC): Decimal(40)}))
    rig.price(95)

    assert position_view(rig.engine, KEY).margin_ratio == Decimal("3.8") / (40 - 20)
    assert position_view(rig.engine, (MAIN, Symbol(ETH))).margin_ratio == Decimal(4) / 9_960


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


async def test_positions_of_one_symbol_are_kept_for_each_account():
    rung: list[tuple[str, object]] = []
    tracker = PositionTracker(on_emergency=lambda p: rung.append((p.account, p.quantity)))
    await tracker.update(Position(BTC, 1, 100, account="main"))
    await tracker.update(Position(BTC, 2, 100, margin_ratio=Decimal("0.9"), account="second"))
    await tracker.update(Position(BTC, 3, 100, margin_ratio=Decimal("0.9"), account="main"))

    assert rung == [("second", 2), ("main", 3)]
    assert [(p.account, p.quantity) for p in tracker.positions()] == [("main", 3), ("second", 2)]
    assert known(tracker, account="second").quantity == 2
    with pytest.raises(InputError, match="main, second: say which"):
        tracker.get(BTC)
    await tracker.update(Position(BTC, 0, 0, account="main"))
    assert tracker.get(BTC, "main") is None
    assert known(tracker).account == "second"


async def test_an_update_is_completed_by_the_position_of_its_own_account(tmp_path):
    """Else who closes what is near liquidation closes the wrong account's."""
    async with two_accounts(tmp_path) as (service, tracker):
        main, second = Position(BTC, 1, 1, account="main"), Position(BTC, 1, 1, account="second")
        unnamed, elsewhere = Position(BTC, 1, 1), Position(ETH, 1, 1, account="main")
        for view in (main, second, unnamed, elsewhere):
            await tracker.update(view)
        ratios = {
            p.account: p.margin_ratio for p in await service.get_positions() if p.symbol == BTC
        }

        assert main.margin_ratio == ratios["main"] < second.margin_ratio == ratios["second"]
        assert unnamed.margin_ratio == 0  # whose is it?
        assert elsewhere.margin_ratio == 0


async def test_an_update_that_names_no_account_is_of_the_only_one_that_holds_its_symbol(tmp_path):
    async with two_accounts(tmp_path) as (_, tracker):
        await tracker.update(Position(ETH, "0.1", 2_500))
        assert known(tracker, ETH).account == "second"
        assert known(tracker, ETH).margin_ratio > 0

        await tracker.update(Position(ETH, 0, 0))
        assert tracker.positions() == []


@asynccontextmanager
async def two_accounts(folder):
    """A session that holds BTC on both, more of it on the second, and ETH there alone."""
    accounts = {"second": {"initial_balance": 10_000}}
    lax = ["correlation"]  # it wants a history
    config = config_in(folder, initial_balance=100_000, accounts=accounts, disabled=lax)
    service = LiveTradingService(config=config)
    async with running(folder, service=service, feed=ScriptedFeed(symbols=(BTC, ETH))):
        await service.place_order(BTC, "BUY", "0.01")
        await service.place_order(BTC, "BUY", "0.02", account="second")
        await service.place_order(ETH, "BUY", "0.1", account="second")
        yield service, PositionTracker(service)


def test_a_position_without_an_account_is_the_main_one_s_to_all_others():
    unnamed, named = Position(BTC, 1, 100), Position(BTC, 1, 100, account="main")

    assert (unnamed, builtins(unnamed)) == (named, builtins(named))
    assert "names_account" not in builtins(named)
    assert not copy.deepcopy(unnamed).names_account
