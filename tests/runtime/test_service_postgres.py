"""A whole session, and its successor, on a PostgreSQL journal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast import (
    JournalLocked,
    LiveTradingService,
    OrderStatus,
    TradingSessionStatus,
    TradingState,
)
from tests.runtime.session_desk import BTC, ScriptedFeed, books_agree, config_in, running

pytestmark = pytest.mark.postgres


async def test_a_session_on_postgresql(tmp_path, postgres_url):
    settings = {"database_url": postgres_url}
    async with running(tmp_path, **settings) as desk:
        service = desk.service
        session_id = service.session().id
        order = await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        resting = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_500)
        await service.modify_order(resting.id, new_price=44_400)
        await desk.wish("BUY", BTC, quantity="0.004")
        state = TradingState.recover(session_id, config=service.config)

        assert order.status is OrderStatus.FILLED
        assert [p.quantity for p in state.positions] == [Decimal("0.014")]
        with pytest.raises(JournalLocked):
            await LiveTradingService(
                config=config_in(tmp_path / "other", **settings)
            ).start_session(strategies=[], feed=ScriptedFeed())

        session = await service.stop(flatten=True)
        assert session.status is TradingSessionStatus.STOPPED
        assert session.total_trades > 0
        assert books_agree(service)

    async with running(tmp_path, **settings) as desk:
        assert desk.service.session().id != session_id
        assert await desk.service.get_positions() == []
        assert (await desk.service.place_order(BTC, "BUY", "0.01")).status is OrderStatus.FILLED
