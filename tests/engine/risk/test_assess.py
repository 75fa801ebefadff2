"""All rules together: which are asked, in which order, and that none ever raises."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine import risk
from holdfast.engine.exposure import Exposure
from holdfast.engine.market import Market
from holdfast.engine.risk import ALL_RULES, RULES, RiskContext, assess, first_refusal
from holdfast.engine.state import State
from holdfast.model.settings import EngineSettings
from holdfast.model.values import (
    AccountId,
    ClOrdId,
    NewOrder,
    OrderType,
    Side,
    Symbol,
    TradingSessionStatus,
)
from tests.engine.risk.desk import BTC, ETH, Desk


def test_a_plain_order_passes_every_rule_in_the_order_of_the_table(desk):
    verdicts = desk.assess(desk.buy())
    assert [v.rule for v in verdicts] == list(RULES)
    assert all(v.passed for v in verdicts)
    assert first_refusal(verdicts) is None


def test_every_file_of_the_room_is_a_rule_of_its_own_name():
    files = {path.stem for path in Path(risk.__file__).parent.glob("*.py")}
    assert files - {"__init__", "base", "order_shape"} == set(ALL_RULES)


def test_the_first_refusal_is_the_one_reported(desk):
    desk.session(TradingSessionStatus.PAUSED)
    verdicts = desk.assess(desk.buy("100000"))
    refusals = [v.rule for v in verdicts if not v.passed]
    first = first_refusal(verdicts)
    assert first is not None
    assert first.rule == refusals[0] == "session"
    assert {"position_size", "leverage", "margin", "order_notional"} < set(refusals)
    assert len(verdicts) == len(RULES)


@pytest.mark.parametrize("name", list(RULES))
def test_a_disabled_rule_is_not_asked(name):
    desk = Desk(disabled=(name,))
    asked = [v.rule for v in desk.assess(desk.buy())]
    assert asked == [rule for rule in RULES if rule != name]


def test_a_disabled_rule_lets_pass_what_it_would_refuse():
    order = Desk().buy("11")
    refusal = first_refusal(Desk().assess(order))
    assert refusal is not None
    assert refusal.rule == "position_size"
    assert first_refusal(Desk(disabled=("position_size",)).assess(order)) is None


def test_an_amendment_is_checked_instead_of_the_order_it_changes(desk):
    order = desk.rest(desk.buy("8", "99.9"))
    amended = desk.buy("10", "100", cl_ord_id=order.cl_ord_id)
    assert first_refusal(desk.assess(amended)) is None
    assert not desk.check("position_size", desk.buy("10", "100")).passed


def test_a_context_keeps_each_orders_worst_case_apart(desk):
    context = desk.context()
    small, large = desk.buy("1"), desk.buy("50")
    first = assess(small, context)
    assert not RULES["position_size"](large, context).passed
    assert assess(small, context) == first


amounts = st.one_of(
    st.none(),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(min_value="0.001", max_value="1e16", places=3),
)
orders = st.builds(
    NewOrder,
    cl_ord_id=st.sampled_from([ClOrdId("a"), ClOrdId("o1")]),
    symbol=st.sampled_from([BTC, ETH, Symbol("NEWUSDT"), Symbol("")]),
    side=st.sampled_from(Side),
    qty=amounts.filter(lambda amount: amount is not None),
    order_type=st.sampled_from(OrderType),
    price=amounts,
    trigger_price=amounts,
    activation_price=amounts,
    reduce_only=st.booleans(),
    account=st.sampled_from([AccountId("main"), AccountId("nobody")]),
)


@given(orders)
def test_no_rule_raises_whatever_the_order(order):
    desk = Desk(
        max_gross_exposure_pct=Decimal(1),
        max_net_exposure_pct=Decimal(1),
        max_drawdown_pct=Decimal("0.1"),
        max_order_qty=Decimal(1),
    )
    desk.hold(ETH, "-3")
    desk.rest(desk.sell("1", "101"))
    desk.doubt(desk.buy("1", symbol=Symbol("NEWUSDT")))
    verdicts = desk.assess(order)
    assert verdicts
    assert all(v.passed or v.reason for v in verdicts)


@given(orders)
def test_no_rule_raises_on_an_empty_engine(order):
    state, settings = State(), EngineSettings()
    market = Market(settings.limits.sample_s)
    context = RiskContext(state, market, Exposure(state, market), settings, 0)
    verdicts = assess(order, context)
    assert first_refusal(verdicts) is not None
