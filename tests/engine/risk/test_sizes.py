"""Rules that compare the worst case with equity, and one order with its own limits.

Equity is 10,000 and every price 100, so that a quantity of 10 is 10 % of equity.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.events import OrderCanceled
from holdfast.model.values import AccountId, OrderStatus, OrderType, Side, Symbol
from tests.engine.risk.desk import BTC, ETH, SOL, Desk


def resting(desk, qty, **fields):
    desk.rest(desk.buy(qty, "99.9", **fields))


def in_flight(desk, qty, **fields):
    desk.send(desk.buy(qty, **fields))


def in_doubt(desk, qty, **fields):
    desk.doubt(desk.buy(qty, **fields))


def half_filled(desk, qty, **fields):
    order = desk.rest(desk.buy(qty, "99.9", **fields))
    desk.fill(order, Decimal(qty) / 2, "100")


def amended_upwards(desk, qty, **fields):
    order = desk.rest(desk.buy("1", "99.9", **fields))
    desk.ask_replace(order, qty, "99.9")


def amended_downwards(desk, qty, **fields):
    order = desk.rest(desk.buy(qty, "99.9", **fields))
    desk.ask_replace(order, "1", "99.9")


def conditional(desk, qty, **fields):
    desk.rest(desk.buy(qty, order_type=OrderType.STOP_MARKET, trigger_price="100", **fields))


def ended_with_fills_to_come(desk, qty, **fields):
    order = desk.rest(desk.buy(qty, "99.9", **fields))
    desk.tell(OrderCanceled(ts=desk.now, cl_ord_id=order.cl_ord_id, cum_qty=Decimal(qty)))
    assert desk.status(order) is OrderStatus.NEW


def position(desk, qty, **fields):
    desk.hold(fields.get("symbol", BTC), qty)


def several(desk, qty, **fields):
    resting(desk, "1", **fields)
    in_doubt(desk, "2", **fields)
    position(desk, Decimal(qty) - 3, **fields)


COMMITTED = [
    resting,
    in_flight,
    in_doubt,
    half_filled,
    amended_upwards,
    amended_downwards,
    conditional,
    ended_with_fills_to_come,
    position,
    several,
]


def reduce_only(desk, qty, **fields):
    desk.rest(desk.buy(qty, "99.9", reduce_only=True, **fields))


def cancelled(desk, qty, **fields):
    desk.cancel(desk.rest(desk.buy(qty, "99.9", **fields)))


def other_side(desk, qty, **fields):
    desk.rest(desk.sell("3", "100", **fields))


FREE = [reduce_only, cancelled, other_side]


def says(desk, rule, order, *, value=None):
    verdict = desk.check(rule, order)
    if value is not None:
        assert verdict.value == Decimal(value)
    return verdict.passed


# Position size: at most 10 % of equity


@pytest.mark.parametrize("side", list(Side))
def test_position_size_passes_at_the_limit_and_refuses_a_lot_beyond(desk, side):
    assert says(desk, "position_size", desk.order(side, "10"), value="0.1")
    verdict = desk.check("position_size", desk.order(side, "10.001"))
    assert not verdict.passed
    assert verdict.limit == Decimal("0.1")
    assert "10.001%" in verdict.reason
    assert "10%" in verdict.reason


@pytest.mark.parametrize("commit", COMMITTED)
def test_position_size_counts_what_could_still_fill(desk, commit):
    commit(desk, "6")
    assert says(desk, "position_size", desk.buy("4"), value="0.1")
    assert not says(desk, "position_size", desk.buy("4.001"))


@pytest.mark.parametrize("commit", FREE)
def test_position_size_leaves_out_what_can_not_add(desk, commit):
    commit(desk, "6")
    assert says(desk, "position_size", desk.buy("10"), value="0.1")
    assert not says(desk, "position_size", desk.buy("10.001"))


def test_position_size_values_at_the_highest_price_asked(desk):
    assert says(desk, "position_size", desk.buy("10", "100"))
    assert not says(desk, "position_size", desk.buy("10", "100.1"))
    stop = desk.buy("10", order_type=OrderType.STOP_MARKET, trigger_price="100.1")
    assert not says(desk, "position_size", stop)


def test_position_size_values_a_waiting_stop_at_its_trigger(desk):
    desk.rest(desk.buy("5", order_type=OrderType.STOP_MARKET, trigger_price="104"))
    assert says(desk, "position_size", desk.buy("4"), value="0.0936")


def test_position_size_values_an_amended_order_at_the_higher_price(desk):
    order = desk.rest(desk.buy("5", "99.9"))
    desk.ask_replace(order, "5", "104")
    assert says(desk, "position_size", desk.buy("4"), value="0.0936")


def test_position_size_lets_a_position_turn_within_the_limit(desk):
    desk.hold(BTC, "10")
    assert says(desk, "position_size", desk.sell("20"))
    assert not says(desk, "position_size", desk.sell("20.001"))


def test_position_size_does_not_count_on_a_position_that_an_exit_may_close(desk):
    desk.hold(BTC, "10")
    desk.rest(desk.sell("6", "101", reduce_only=True))
    assert says(desk, "position_size", desk.sell("14"), value="0.1")
    assert not says(desk, "position_size", desk.sell("14.001"))


def test_position_size_of_another_account_counts_there(desk):
    other = AccountId("other")
    desk.hold(BTC, "10", account=other)
    assert says(desk, "position_size", desk.buy("10"))
    assert not says(desk, "position_size", desk.buy("1", account=other))  # no equity there


EQUITY_RULES = ["position_size", "leverage", "margin", "gross_exposure", "net_exposure"]
LIMITED = {"max_gross_exposure_pct": Decimal(2), "max_net_exposure_pct": Decimal(2)}


@pytest.mark.parametrize("rule", EQUITY_RULES)
@pytest.mark.parametrize("equity", ["0", "-5"])
def test_without_equity_nothing_opens(rule, equity):
    desk = Desk(equity=equity, **LIMITED)
    verdict = desk.check(rule, desk.buy("0.001"))
    assert not verdict.passed
    assert f"equity is {equity}" in verdict.reason


@pytest.mark.parametrize("rule", EQUITY_RULES)
def test_without_a_price_nothing_can_be_weighed(rule):
    desk = Desk(**LIMITED)
    new = Symbol("NEWUSDT")
    desk.define(new)
    verdict = desk.check(rule, desk.buy("1", symbol=new))
    assert not verdict.passed
    assert "no price of NEWUSDT" in verdict.reason


@pytest.mark.parametrize("rule", EQUITY_RULES)
def test_an_order_in_flight_on_a_silent_symbol_does_not_count_as_nothing(rule):
    desk = Desk(**LIMITED)
    new = Symbol("NEWUSDT")
    desk.define(new)
    desk.doubt(desk.buy("1", symbol=new))
    verdict = desk.check(rule, desk.buy("0.1"))
    assert not verdict.passed
    assert "no price of NEWUSDT" in verdict.reason


# Leverage: gross notional at most 10 times equity


def test_leverage_passes_at_the_limit_and_refuses_a_lot_beyond():
    desk = Desk(max_leverage=Decimal("0.3"))
    desk.hold(ETH, "-10")
    desk.rest(desk.buy("10", "100", symbol=SOL))
    assert says(desk, "leverage", desk.buy("10"), value="0.3")
    verdict = desk.check("leverage", desk.sell("10.001"))
    assert not verdict.passed
    assert verdict.limit == Decimal("0.3")
    assert "0.30001" in verdict.reason


@pytest.mark.parametrize("commit", COMMITTED)
def test_leverage_counts_what_could_still_fill_on_any_symbol(commit):
    desk = Desk(max_leverage=Decimal("0.1"))
    commit(desk, "6", symbol=ETH)
    assert says(desk, "leverage", desk.buy("4"), value="0.1")
    assert not says(desk, "leverage", desk.buy("4.001"))


def test_leverage_of_the_bracket_must_allow_the_one_configured():
    desk = Desk(equity="1000000")
    desk.define(BTC, leverage=25)
    assert says(desk, "leverage", desk.buy("500"))  # 50,000: the first bracket's end
    verdict = desk.check("leverage", desk.buy("500.001"))
    assert (verdict.passed, verdict.value, verdict.limit) == (False, Decimal(25), Decimal(20))
    assert "50000.1" in verdict.reason
    desk.define(BTC, leverage=20)
    assert says(desk, "leverage", desk.buy("10000"))
    past_the_table = desk.check("leverage", desk.buy("10000.001"))
    assert (past_the_table.passed, past_the_table.limit) == (False, Decimal(0))


def test_leverage_of_the_bracket_counts_what_could_still_fill():
    desk = Desk(equity="1000000")
    desk.define(BTC, leverage=25)
    desk.doubt(desk.buy("400"))
    assert says(desk, "leverage", desk.buy("100"))
    assert not says(desk, "leverage", desk.buy("100.001"))


def test_leverage_is_judged_where_the_venue_names_no_brackets(desk):
    desk.define(BTC, brackets=())
    assert says(desk, "leverage", desk.buy("1000"), value="10")
    assert not says(desk, "leverage", desk.buy("1000.001"))


# Margin: at least 20 % of equity stays free


def test_margin_passes_with_just_enough_free_and_refuses_a_lot_beyond(desk):
    assert says(desk, "margin", desk.buy("800"), value="0.2")  # 80,000 at leverage 10
    verdict = desk.check("margin", desk.buy("800.001"))
    assert not verdict.passed
    assert verdict.limit == Decimal("0.2")
    assert "19.9999%" in verdict.reason


@pytest.mark.parametrize("commit", COMMITTED)
def test_margin_counts_what_could_still_fill_at_each_symbols_leverage(desk, commit):
    desk.define(ETH, leverage=1)
    commit(desk, "60", symbol=ETH)
    assert says(desk, "margin", desk.buy("200"), value="0.2")
    assert not says(desk, "margin", desk.buy("200.001"))


def test_margin_counts_open_losses(desk):
    desk.hold(ETH, "10", price="200")  # 1,000 under water, 100 tied
    assert says(desk, "margin", desk.buy("710"), value="0.2")
    assert not says(desk, "margin", desk.buy("710.001"))


# Positions: symbols that hold something or could


@pytest.mark.parametrize("commit", COMMITTED)
def test_max_positions_counts_symbols_that_could_hold_one(commit):
    desk = Desk(max_positions=2)
    commit(desk, "6", symbol=ETH)
    assert says(desk, "max_positions", desk.buy(), value="2")
    desk.hold(SOL, "-1")
    verdict = desk.check("max_positions", desk.buy())
    assert (verdict.passed, verdict.value, verdict.limit) == (False, Decimal(3), Decimal(2))


def test_max_positions_counts_each_symbol_once():
    desk = Desk(max_positions=1)
    desk.hold(BTC, "1")
    desk.rest(desk.buy("1", "99"))
    assert says(desk, "max_positions", desk.buy(), value="1")


@pytest.mark.parametrize("commit", [reduce_only, cancelled])
def test_max_positions_leaves_out_what_can_not_open(commit):
    desk = Desk(max_positions=1)
    commit(desk, "6", symbol=ETH)
    assert says(desk, "max_positions", desk.buy(), value="1")


# Gross and net exposure


def test_gross_and_net_exposure_are_off_by_default(desk):
    for rule in ("gross_exposure", "net_exposure"):
        verdict = desk.check(rule, desk.buy("100000"))
        assert (verdict.passed, verdict.value, verdict.limit) == (True, None, None)


def test_gross_exposure_adds_longs_and_shorts():
    desk = Desk(max_gross_exposure_pct=Decimal("0.3"))
    desk.hold(ETH, "-10")
    desk.doubt(desk.buy("10", symbol=SOL))
    assert says(desk, "gross_exposure", desk.buy("10"), value="0.3")
    verdict = desk.check("gross_exposure", desk.buy("10.001"))
    assert (verdict.passed, verdict.limit) == (False, Decimal("0.3"))
    assert "30.001%" in verdict.reason


def test_net_exposure_lets_a_short_position_offset():
    desk = Desk(max_net_exposure_pct=Decimal("0.1"))
    desk.hold(ETH, "-10")
    assert says(desk, "net_exposure", desk.buy("20"), value="0.1")
    assert not says(desk, "net_exposure", desk.buy("20.001"))
    assert not says(desk, "net_exposure", desk.sell("0.001"))


def test_net_exposure_does_not_count_on_orders_to_offset():
    desk = Desk(max_net_exposure_pct=Decimal("0.1"))
    desk.rest(desk.sell("10", "100.1", symbol=ETH))
    assert says(desk, "net_exposure", desk.buy("10"), value="0.1")
    assert not says(desk, "net_exposure", desk.buy("10.001"))


def test_net_exposure_values_an_offset_at_the_mark_not_at_its_orders():
    desk = Desk(max_net_exposure_pct=Decimal("0.1"))
    desk.hold(ETH, "-10")
    desk.rest(desk.sell("1", "105", symbol=ETH))
    assert not says(desk, "net_exposure", desk.buy("20.001"))


def test_net_exposure_never_refuses_a_hedge():
    desk = Desk(max_net_exposure_pct=Decimal("0.1"))
    desk.hold(ETH, "50")  # far past the limit by now
    assert says(desk, "net_exposure", desk.sell("60"), value="0.1")
    assert not says(desk, "net_exposure", desk.buy("0.001"))


# One order by itself


def test_order_qty_is_limited_where_a_limit_is_set():
    desk = Desk(max_order_qty=Decimal(5))
    assert says(desk, "order_qty", desk.buy("5"), value="5")
    verdict = desk.check("order_qty", desk.sell("5.001"))
    assert not verdict.passed
    assert "5.001" in verdict.reason
    assert says(Desk(), "order_qty", desk.buy("5000"))


def test_order_notional_passes_at_the_limit_and_refuses_a_lot_beyond():
    desk = Desk(max_order_notional=Decimal(1000))
    assert says(desk, "order_notional", desk.buy("10"), value="1000")
    assert not says(desk, "order_notional", desk.buy("10.001"))


def test_order_notional_takes_the_higher_of_own_price_and_market():
    desk = Desk(max_order_notional=Decimal(1000))
    assert not says(desk, "order_notional", desk.buy("10", "100.1"))
    assert not says(desk, "order_notional", desk.sell("10.001", "90"))  # fills at 100


def test_order_notional_needs_some_price(desk):
    new = Symbol("NEWUSDT")
    assert not says(desk, "order_notional", desk.buy("1", symbol=new))
    assert says(desk, "order_notional", desk.buy("1", "3", symbol=new), value="3")
