"""A session's books as a value: saved, recovered, compared."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from holdfast import (
    ConfigError,
    Difference,
    InputError,
    JournalError,
    Order,
    OrderType,
    PortfolioState,
    Position,
    Side,
    TradingSessionStatus,
    TradingState,
    reconcile_orders,
    reconcile_positions,
)
from tests.runtime.session_desk import BTC, ETH, config_in, running


async def test_saving_keeps_a_snapshot_beside_the_facts(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        assert desk.service.live.journal.load_snapshot() is None
        (await desk.service.get_state()).save()

        sequence, _ = desk.service.live.journal.load_snapshot()
        assert sequence == desk.service.live.journal.sequence


async def test_a_recovered_state_has_nothing_to_save_and_says_nothing(tmp_path):
    async with running(tmp_path) as desk:
        session_id = desk.service.session().id
    state = TradingState.recover(str(session_id), config=config_in(tmp_path))
    state.save()

    assert state.session_id == session_id
    assert state.status.value == "STOPPED"


async def test_a_state_is_read_beside_the_session_that_writes_it(tmp_path):
    async with running(tmp_path, disabled=["duplicate"]) as desk:
        config = config_in(tmp_path)
        for quantity in ("0.01", "0.02"):
            await desk.service.adjust_position(BTC, quantity)
            read = TradingState.recover(desk.service.session().id, config=config)
            own = await desk.service.get_state()

            assert [p.quantity for p in read.positions] == [Decimal(quantity)]
            assert read.portfolio_state == own.portfolio_state
            assert (read.status, read.last_update) == (own.status, own.last_update)


async def test_another_session_s_state_is_refused(tmp_path):
    async with running(tmp_path) as desk:
        session_id = desk.service.session().id
    with pytest.raises(InputError, match=str(session_id)):
        TradingState.recover(uuid4(), config=config_in(tmp_path))


def test_a_state_is_made_of_its_six_fields_in_their_order():
    portfolio = PortfolioState("mine", {}, Decimal(0), Decimal(0), Decimal(0))
    fields: Any = (uuid4(), portfolio, [], [], [], datetime.now(UTC))
    state = TradingState(*fields)
    state.save()

    assert state == TradingState(
        session_id=fields[0],
        portfolio_state=fields[1],
        open_orders=fields[2],
        positions=fields[3],
        pending_signals=fields[4],
        last_update=fields[5],
    )
    assert state.status is TradingSessionStatus.STOPPED


def test_a_folder_that_is_not_there_is_a_setting_s_fault(tmp_path):
    with pytest.raises(ConfigError, match="there is no directory"):
        TradingState.recover(uuid4(), config=config_in(tmp_path / "nowhere"))


def test_a_journal_that_is_not_there_says_so(tmp_path):
    with pytest.raises(JournalError, match="there is no journal"):
        TradingState.recover(uuid4(), config=config_in(tmp_path))


async def test_a_damaged_snapshot_does_not_change_what_is_recovered(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        session_id = desk.service.session().id
    before = TradingState.recover(session_id, config=config_in(tmp_path))
    with closing(sqlite3.connect(tmp_path / "holdfast.db")) as database, database:
        database.execute("UPDATE snapshots SET payload = x'c0'")

    assert TradingState.recover(session_id, config=config_in(tmp_path)) == before


# Comparing


def order(name, filled="0"):
    made = Order(BTC, Side.BUY, 1, OrderType.LIMIT, 45_000)
    made.id, made.filled_quantity = name, Decimal(filled)
    return made


def test_orders_are_compared_by_id_and_by_how_far_they_executed():
    ours = [order("a"), order("b", "0.5"), order("c")]
    theirs = [order("c"), order("b", "0.7"), order("d", "0.1")]

    assert reconcile_orders(ours, theirs) == [
        Difference("order a", "0 executed", None),
        Difference("order b", "0.5 executed", "0.7 executed"),
        Difference("order d", None, "0.1 executed"),
    ]
    assert reconcile_orders(ours, list(reversed(ours))) == []


def test_orders_that_executed_alike_are_alike_however_that_is_written():
    ours, theirs = [order("a"), order("b", "0.02")], [order("a", "0.000"), order("b", "0.020")]

    assert reconcile_orders(ours, theirs) == []
    assert reconcile_orders(ours, [order("a", "0.100"), order("b", "2E-2")]) == [
        Difference("order a", "0 executed", "0.1 executed")
    ]


def test_positions_are_compared_exactly_and_flat_ones_are_none():
    ours = [Position(BTC, "0.1", 45_000), Position(ETH, 0, 0)]
    theirs = [Position(BTC, "0.10", 45_001)]

    assert reconcile_positions(ours, theirs) == []
    assert reconcile_positions(ours, [Position(ETH, "-1e-3", 2_500)]) == [
        Difference("position BTCUSDT", "0.1", None),
        Difference("position ETHUSDT", None, "-0.001"),
    ]
