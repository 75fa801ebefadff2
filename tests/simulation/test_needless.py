"""The judge of what a session does of itself: a cause at the exchange, or a violation."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.engine.order import Order
from holdfast.model.events import AlarmRaised
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ZERO,
    ClOrdId,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
)
from holdfast.simulation.events import strike
from holdfast.simulation.market import SYMBOLS
from holdfast.simulation.needless import Needless
from holdfast.simulation.spec import Spec
from holdfast.simulation.world import World

BTC = SYMBOLS[0]
LAST = 50_000


@pytest.fixture
def world() -> World:
    """Has shown nothing yet: the last price is where each symbol begins."""
    return World(Spec(seed=3, accounts=1), strike)


def protective(role: OrderRole, side: Side, trigger: int) -> Order:
    request = NewOrder(
        cl_ord_id=ClOrdId("x"),
        account=MAIN,
        symbol=BTC,
        side=side,
        qty=Decimal(1),
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(trigger),
        reduce_only=True,
        role=role,
    )
    return Order(request, OrderStatus.REJECTED, 0, Decimal(1), None)


@pytest.mark.parametrize(
    ("role", "side", "trigger", "is_past"),
    [
        (OrderRole.STOP_LOSS, Side.SELL, LAST + 1, True),
        (OrderRole.STOP_LOSS, Side.SELL, LAST - 1, False),
        (OrderRole.STOP_LOSS, Side.BUY, LAST - 1, True),
        (OrderRole.STOP_LOSS, Side.BUY, LAST + 1, False),
        (OrderRole.TAKE_PROFIT, Side.SELL, LAST - 1, True),
        (OrderRole.TAKE_PROFIT, Side.SELL, LAST + 1, False),
    ],
)
def test_a_price_is_past_a_trigger_where_the_market_was_there(world, role, side, trigger, is_past):
    assert Needless(world)._was_past(protective(role, side, trigger)) is is_past


class Margins:
    """An exchange of one position: half used up alone, and hardly at all with the account.

    `put_in` is what somebody has put in beside the 10, and when.
    """

    def __init__(self, *, is_isolated: bool, put_in: tuple[int, int] = (0, 0)) -> None:
        self.is_isolated = is_isolated
        self.amount, self.ts = Decimal(put_in[0]), put_in[1]

    def symbol_margin(self, *_key: object) -> Any:
        return SimpleNamespace(
            is_isolated=self.is_isolated,
            maintenance=Decimal(9),
            isolated_margin=Decimal(10) + self.amount,
        )

    def margin_moves(self, *_key: object) -> Any:
        return [SimpleNamespace(amount=self.amount, ts=self.ts)]

    def pool_margin(self, *_key: object) -> Any:
        return SimpleNamespace(cross_maintenance=Decimal(9), cross_balance=Decimal(1000))


@pytest.mark.parametrize(("is_isolated", "is_needless"), [(True, False), (False, True)])
def test_an_isolated_position_is_judged_by_what_stands_for_it_alone(
    world, monkeypatch, is_isolated, is_needless
):
    instrument = world.instrument(BTC)
    monkeypatch.setattr(world, "instrument", lambda _symbol: instrument)
    margins = Margins(is_isolated=is_isolated)
    monkeypatch.setattr(type(world.bourse), "exchange", property(lambda _bourse: margins))
    fact = AlarmRaised(ts=0, code="emergency_close", text="closing", symbol=BTC)

    world.judges.needless.hear_facts([fact])

    assert bool(world.oracles.violations) is is_needless
    assert world.withdrawals.unheard(ClOrdId("hf.1.1.1.E.x"), 0) == ZERO


@pytest.mark.parametrize(("ago_s", "is_needless"), [(14, False), (16, True)])
def test_what_was_put_into_an_isolated_position_of_late_may_be_unheard_of(
    world, monkeypatch, ago_s, is_needless
):
    put_in = (990, world.venue_now() - ago_s * NS_PER_S)
    margins = Margins(is_isolated=True, put_in=put_in)
    monkeypatch.setattr(type(world.bourse), "exchange", property(lambda _bourse: margins))

    world.judges.needless.hear_facts(
        [AlarmRaised(ts=0, code="emergency_close", text="closing", symbol=BTC)]
    )

    assert bool(world.oracles.violations) is is_needless


@pytest.mark.parametrize("code", ["session_error", "books_differ"])
def test_what_can_not_be_explained_is_told(world, code):
    world.judges.needless.hear_facts([AlarmRaised(ts=0, code=code, text="so much is missing")])

    assert world.oracles.violations == ["needless: so much is missing"]
