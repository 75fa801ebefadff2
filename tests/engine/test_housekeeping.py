"""What time brings: the day, the equity curve, liquidation, breakers, and the end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine.algos import ALGOS, Algo, Cause, SendChild, WakeIn
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    NS_PER_S,
    OrderRole,
    OrderStatus,
    OrderType,
    ParentId,
    SessionId,
    Side,
    Symbol,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, ETH, Rig, contract


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


# The day


def test_the_trading_day_begins_when_the_session_runs(rig):
    [day] = rig.ever(ev.TradingDayStarted)

    assert (day.day, day.equity) == (rig.now // NS_PER_DAY, 10_000)


def test_a_new_day_begins_at_midnight_utc_and_once(rig):
    rig.hold("2")
    midnight = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY
    rig.now = midnight - NS_PER_S
    rig.price(90)
    rig.tick()
    assert rig.told(ev.TradingDayStarted) == []

    rig.now = midnight
    rig.tick()
    [day] = rig.told(ev.TradingDayStarted)
    assert day.equity == Decimal("9999.99") - 20
    rig.tick()
    assert rig.told(ev.TradingDayStarted) == []


def test_a_new_day_forgets_the_daily_loss(rig):
    rig.hold("5")
    rig.price(50)  # 2.5 % of equity, past the 2 %
    assert rig.place(Side.BUY, "1") is None
    assert rig.told(ev.OrderDenied)[0].rule == "daily_loss"

    rig.now = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY
    rig.price(50)
    rig.price(100, ETH)
    rig.tick()

    assert rig.place(Side.BUY, "1")


def begin_earlier(rig, by_ns, **fields):
    """Lose 2.5 % of the day, and begin a new session by a clock that was set back."""
    rig.hold("5")
    rig.price(50)
    rig.tick()
    rig.now -= by_ns
    named = {"session_id": SessionId("y"), "portfolio_id": "p", "symbols": rig.symbols}
    rig.hear(msg.StartSession(epoch=rig.epoch + 1, **named, **fields))
    for symbol in rig.symbols:
        rig.price(50, symbol)
    rig.snapshot()


@pytest.mark.parametrize("by_s", [60, 3600, 24 * 3600])
def test_a_clock_that_was_set_back_between_sessions_forgets_no_loss(rig, by_s):
    begin_earlier(rig, by_s * NS_PER_S)
    rig.wait(2)

    assert rig.place(Side.BUY, "1") is None
    assert rig.told(ev.OrderDenied)[0].rule == "daily_loss"
    assert rig.session() is Status.RUNNING


def test_another_recording_knows_nothing_of_the_days_before_it(rig):
    begin_earlier(rig, 3600 * NS_PER_S, is_recorded=True)

    assert rig.place(Side.BUY, "1")


def test_a_clock_that_was_days_ahead_keeps_no_day_of_its_own(rig):
    begin_earlier(rig, 3 * NS_PER_DAY)

    assert rig.state.account(MAIN).benchmark("USDT").day == rig.now // NS_PER_DAY
    assert rig.place(Side.BUY, "1")


def test_a_restart_on_the_same_day_keeps_the_day(rig):
    rig.restart()
    rig.snapshot()

    assert len(rig.ever(ev.TradingDayStarted)) == 1


def losses(rig):
    """What a new order's verdicts say of the day's loss and of the fall from the peak."""
    rig.place(Side.BUY, "1")
    [denied] = rig.told(ev.OrderDenied)
    return {v.rule: v.value for v in denied.verdicts if v.rule in {"daily_loss", "drawdown"}}


def money(rig, amount, reason, asset="USDT"):
    rig.hear(
        msg.WalletChange(
            asset=asset,
            amount=Decimal(amount),
            reason=reason,
            change_id=f"{reason}{amount}",
            venue_ts=rig.now,
        )
    )


@pytest.mark.parametrize(
    ("amount", "reason", "share"),
    [
        ("2500", "TRANSFER", "0.02"),
        ("-5000", "TRANSFER", "0.05"),
        ("2500", "REFERRAL_KICKBACK", "0.02"),
        ("-250", "INSURANCE_CLEAR", "0.05"),
    ],
)
def test_money_that_was_moved_hides_no_loss_and_is_none(amount, reason, share):
    rig = Rig(limits={"max_drawdown_pct": Decimal("0.02")}, stop_loss_pct=Decimal(0))
    rig.hold("5")
    rig.wait(61)
    rig.price(Decimal("50.002"))  # 250 lost, the fee included
    money(rig, amount, reason)
    rig.wait(61)  # the curve has a point with the money

    assert losses(rig) == {
        "daily_loss": Decimal(share),
        "drawdown": pytest.approx(Decimal(share), abs=Decimal("0.00001")),
    }


def test_money_in_an_asset_that_no_contract_settles_in_moves_no_limit(rig):
    before = rig.state.account(MAIN).benchmark("USDT").day_equity

    money(rig, "7", "TRANSFER", "BNB")

    assert rig.state.account(MAIN).benchmark("USDT").day_equity == before


# The equity curve


def test_equity_is_sampled_at_its_interval(rig):
    first = len(rig.ever(ev.EquitySampled))
    rig.wait(59)
    assert len(rig.ever(ev.EquitySampled)) == first

    rig.wait(2)
    assert len(rig.ever(ev.EquitySampled)) == first + 1


def test_a_sample_says_what_the_account_is_worth_and_exposed_to(rig):
    rig.hold("2", Side.SELL)
    rig.price(90)
    rig.wait(60)

    sample = rig.ever(ev.EquitySampled)[-1]
    assert sample.wallet == Decimal("9999.99")
    assert sample.unrealized == 20
    assert sample.equity == sample.wallet + 20
    assert sample.exposure == 180


def test_the_highest_equity_of_the_session_is_remembered(rig):
    rig.hold("2")
    for price in (150, 120):
        rig.price(price)
        rig.wait(61)

    assert rig.state.account(MAIN).benchmark("USDT").peak_equity == Decimal("10099.99")


def test_nothing_happens_to_a_session_that_is_stopped():
    rig = Rig(start=False)

    assert rig.tick().facts == []


def test_nothing_is_sampled_before_the_books_are_open():
    rig = Rig(start=False)
    rig.begin()

    assert rig.tick().facts == []


# Liquidation


def nearly_liquidated(rig):
    """1,000 units at 100 with 10,000 of equity: the margin is used up near 91."""
    rig.trade("manual", "1000", side=Side.BUY, fee=Decimal(0))
    rig.trade("manual", "1", side=Side.BUY, symbol=ETH, fee=Decimal(0))
    rig.price("91.1")


def test_the_largest_position_is_closed_before_the_venue_does_it(rig):
    nearly_liquidated(rig)
    rig.price("91.2")
    rig.tick()
    assert rig.submitted() == []  # 912 of 1,199: under four fifths

    rig.price("91.1")
    rig.tick()
    [order] = rig.submitted()
    assert (order.symbol, order.qty, order.reduce_only) == (BTC, 1000, True)
    assert rig.alarms() == ["emergency_close"]


def test_what_is_closed_for_want_of_margin_is_not_opened_once_more(rig):
    rig.price(100, ETH)
    resting = {
        symbol: rig.place(Side.BUY, "5", symbol=symbol, order_type=OrderType.LIMIT, price="96")
        for symbol in (BTC, ETH)
    }
    rig.accept(*resting.values())
    nearly_liquidated(rig)

    rig.tick()

    assert [order.symbol for order in rig.submitted()] == [BTC]
    assert rig.canceled() == [resting[BTC]]


def test_each_margin_asset_stands_for_its_own_positions_alone(rig):
    other = Symbol("BTCUSDC")
    rig.hear(msg.InstrumentListed(instrument=contract(other, margin_asset="USDC"), leverage=10))
    rig.price(100, other)
    money(rig, "200", "TRANSFER", "USDC")
    rig.trade("manual-1", "500", symbol=BTC, fee=Decimal(0))  # 10,000 USDT back it
    rig.trade("manual-2", "100", symbol=other, fee=Decimal(0))
    rig.tick()
    assert rig.submitted() == []

    rig.price("99.1", other)  # 110 USDC are left, and 99.1 are needed
    rig.tick()

    assert [(o.symbol, o.qty) for o in rig.submitted()] == [(other, 100)]


def test_a_full_wallet_elsewhere_closes_no_healthy_position(rig):
    other = Symbol("BTCUSDC")
    rig.hear(msg.InstrumentListed(instrument=contract(other, margin_asset="USDC"), leverage=10))
    rig.price(100, other)
    money(rig, "90000", "TRANSFER", "USDC")
    rig.trade("manual", "9000", symbol=other, fee=Decimal(0))  # 9,000 of 90,000 are needed

    rig.tick()

    assert rig.submitted() == []


def test_the_emergency_close_is_not_repeated_while_it_is_under_way(rig):
    nearly_liquidated(rig)
    rig.tick()

    rig.tick()

    assert rig.submitted() == []
    assert rig.alarms() == ["emergency_close"]


def test_a_refused_emergency_close_is_tried_again(rig):
    nearly_liquidated(rig)
    rig.tick()
    rig.reject(rig.submitted()[0].cl_ord_id)

    rig.now += NS_PER_S
    rig.tick()

    assert len(rig.submitted()) == 1


def refuse_closes(rig, seconds):
    """Let time pass at a venue that takes no close; return how often one was asked for."""
    asked = 0
    for _ in range(seconds):
        for order in rig.submitted():
            rig.reject(order.cl_ord_id, code=-4131, reason="PERCENT_PRICE")
        rig.wait(1)
        asked += len(rig.submitted())
    return asked


@pytest.mark.parametrize("why", ["margin", "kill switch", "stop"])
def test_a_close_of_the_sessions_own_that_is_refused_is_told_once_and_asked_for_less_often(
    rig, why
):
    if why == "margin":
        nearly_liquidated(rig)
        rig.tick()
    else:
        rig.hold("2")
        asks = {
            "kill switch": msg.EngageKillSwitch(reason="x", flatten=True),
            "stop": msg.StopSession(reason="x", flatten=True),
        }
        rig.hear(asks[why])
    told = ["emergency_close"] if why == "margin" else []

    assert refuse_closes(rig, 60) <= 11
    assert rig.alarms() == [*told, "close_refused"]
    [alarm] = [fact for fact in rig.ever(ev.AlarmRaised) if fact.code == "close_refused"]
    assert "BTCUSDT" in alarm.text
    assert "PERCENT_PRICE" in alarm.text

    rig.wait(10)
    [order] = [c.order for c in rig.commands if isinstance(c, cmd.SubmitOrder)][-1:]
    rig.trade(order.cl_ord_id, str(order.qty))
    assert not rig.qty()


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5])
def test_a_close_in_parts_that_is_refused_is_told_once_for_each_run_of_refusals(rig, parts):
    rig.hold("6")
    most = Decimal(6) / parts
    rig.hear(msg.InstrumentListed(instrument=contract(BTC, max_market_qty=most), leverage=10))
    rig.hear(msg.EngageKillSwitch(reason="x", flatten=True))
    refuse_closes(rig, 120)
    assert rig.alarms().count("close_refused") == 1

    rig.hear(msg.CloseRequest(symbol=BTC))
    for order in rig.working(OrderRole.EXIT):
        rig.accept(order.cl_ord_id)
        rig.expire(order.cl_ord_id)  # it was taken, and nobody was there to trade with
    refuse_closes(rig, 120)
    assert rig.alarms().count("close_refused") == 2


def test_closes_that_are_refused_on_another_occasion_are_told_again(rig):
    """The stop closed what was refused to close; what is held an hour later is refused too."""
    rig.hold("2", stop_loss="90")
    [stop] = rig.working(OrderRole.STOP_LOSS)
    rig.hear(msg.EngageKillSwitch(reason="x", flatten=True))
    refuse_closes(rig, 30)
    rig.trigger(stop.cl_ord_id)
    rig.trade(stop.cl_ord_id, "2")
    for order in rig.working(OrderRole.EXIT):
        rig.reject(order.cl_ord_id, code=-2022, reason="nothing to reduce")
    rig.hear(msg.ReleaseKillSwitch(operator="ann"))
    rig.now += 3600 * NS_PER_S
    rig.price(100)
    rig.hold("2")
    rig.hear(msg.EngageKillSwitch(reason="y", flatten=True))

    refuse_closes(rig, 30)

    assert rig.alarms().count("close_refused") == 2


def test_a_person_who_wants_all_closed_waits_for_no_refusal(rig):
    nearly_liquidated(rig)
    rig.tick()
    refuse_closes(rig, 40)
    rig.tick()
    assert rig.submitted() == []

    rig.hear(msg.EngageKillSwitch(reason="now", flatten=True))

    assert (BTC, 1000) in [(o.symbol, o.qty) for o in rig.submitted()]


def test_a_refusal_of_long_ago_hides_no_emergency(rig):
    rig.hold("1")
    rig.hear(msg.CloseRequest(symbol=BTC))
    rig.reject(rig.submitted()[0].cl_ord_id, code=-2022)
    rig.wait(120, step=60)
    nearly_liquidated(rig)

    rig.tick()

    assert rig.alarms() == ["emergency_close"]


@pytest.mark.parametrize("message", [msg.PauseSession(reason="x"), msg.FailSession(reason="x")])
def test_the_emergency_close_works_outside_running(rig, message):
    rig.hear(message)
    nearly_liquidated(rig)

    rig.tick()

    assert len(rig.submitted()) == 1


# Breakers


def fail(rig, times, failure="venue"):
    for _ in range(times):
        rig.hear(msg.VenueFailure(failure=failure, reason="503"))


def test_the_failure_that_reaches_the_threshold_opens_the_breaker(rig):
    fail(rig, 4)
    assert rig.place(Side.BUY, "1")
    rig.wait(2)

    fail(rig, 1)
    assert rig.place(Side.BUY, "1.5") is None
    assert rig.told(ev.OrderDenied)[0].rule == "breaker"


def test_a_threshold_of_one_opens_at_once():
    rig = Rig(breaker_threshold=1)

    fail(rig, 1)

    assert rig.told(ev.BreakerChanged)[0].state == "OPEN"


def test_a_failure_a_day_never_opens_the_breaker(rig):
    for _ in range(10):
        fail(rig, 1)
        rig.now += NS_PER_DAY

    assert rig.state.breakers["main venue"].state.value == "CLOSED"
    assert rig.alarms() == []


def test_failures_of_an_hour_add_up_over_a_restart(rig):
    fail(rig, 4)
    rig.restart()
    rig.snapshot()
    fail(rig, 1)

    assert rig.state.breakers["main venue"].state.value == "OPEN"


def test_kinds_of_failure_are_counted_apart(rig):
    fail(rig, 4, "venue")
    fail(rig, 4, "limits")

    assert {b.state.value for b in rig.state.breakers.values()} == {"CLOSED"}


def test_an_open_breaker_lets_one_try_after_its_time_and_closes_by_it(rig):
    fail(rig, 5)
    rig.wait(61)
    assert rig.state.breakers["main venue"].state.value == "HALF_OPEN"

    order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.accept(order)

    breaker = rig.state.breakers["main venue"]
    assert (breaker.state.value, breaker.failure_count) == ("CLOSED", 0)


def test_a_failed_try_opens_it_for_another_while(rig):
    fail(rig, 5)
    rig.wait(61)
    fail(rig, 1)
    assert rig.state.breakers["main venue"].state.value == "OPEN"

    rig.wait(30)
    assert rig.state.breakers["main venue"].state.value == "OPEN"
    rig.wait(31)
    assert rig.state.breakers["main venue"].state.value == "HALF_OPEN"


def test_a_breaker_that_opens_is_told_of_once_however_long_it_takes(rig):
    fail(rig, 4)
    assert rig.alarms() == []
    fail(rig, 3)
    for _ in range(3):
        rig.wait(61)
        fail(rig, 2)

    assert rig.alarms() == ["breaker_open"]


def test_a_breaker_that_opens_and_closes_by_turns_is_told_of_once_a_minute():
    """One road of the venue fails, and by the other orders go through."""
    rig = Rig(breaker_threshold=1, breaker_recovery_ns=5 * NS_PER_S)
    for number in range(12):
        fail(rig, 1)
        rig.wait(6)
        price = Decimal(99) - number / Decimal(10)
        order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=price)
        rig.accept(order)
        rig.cancel(order)
        assert rig.state.breakers["main venue"].state.value == "CLOSED"

    assert rig.alarms() == ["breaker_open", "breaker_open"]


def test_a_breaker_that_opens_again_much_later_is_told_of_anew(rig):
    fail(rig, 5)
    rig.wait(600)
    fail(rig, 1)

    assert rig.alarms() == ["breaker_open", "breaker_open"]


def test_what_fails_while_the_breaker_is_open_is_no_news(rig):
    fail(rig, 5)
    told = len(rig.facts)
    fail(rig, 1000)
    rig.wait(61)
    fail(rig, 1000)

    moves = [fact for fact in rig.facts[told:] if isinstance(fact, ev.BreakerChanged)]
    assert [fact.state for fact in moves] == ["HALF_OPEN", "OPEN"]
    assert rig.state.breakers["main venue"].failure_count == 6


def test_where_the_venue_fails_everything_entries_are_asked_back_now_and_then(rig):
    order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.accept(order)
    fail(rig, 5)
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    for _ in range(60):
        if rig.order(order).cancel is not RequestState.NONE:
            rig.refuse(order, Request.CANCEL)
        fail(rig, 1)
        rig.wait(1)

    assert 10 <= len(rig.ever(ev.CancelRequested)) <= 14


def test_one_cancel_that_is_refused_is_asked_for_again_at_once_where_all_else_is_well(rig):
    order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.accept(order)
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    rig.refuse(order, Request.CANCEL)
    rig.wait(1)

    assert len(rig.ever(ev.CancelRequested)) == 2


def test_a_success_forgets_failures_below_the_threshold(rig):
    order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    fail(rig, 4)
    rig.accept(order)
    assert rig.state.breakers["main venue"].failure_count == 0

    rig.accept(order)
    assert rig.news == []


def test_an_order_of_somebody_else_says_nothing_of_our_way_to_the_venue(rig):
    fail(rig, 5)
    rig.wait(61)

    rig.report("web-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(1), price=Decimal(90))

    assert rig.state.breakers["main venue"].state.value == "HALF_OPEN"
    fail(rig, 1)
    assert rig.state.breakers["main venue"].state.value == "OPEN"


def test_an_open_breaker_takes_no_notice_of_stragglers(rig):
    order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    fail(rig, 5)

    rig.accept(order)

    assert rig.state.breakers["main venue"].state.value == "OPEN"


def test_closing_is_possible_while_the_breaker_is_open(rig):
    rig.hold("2")
    fail(rig, 5)

    rig.hear(msg.CloseRequest(symbol=BTC))

    assert len(rig.submitted()) == 1


# The end


def test_a_stop_waits_for_an_order_in_doubt(rig):
    order = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.unknown(order)
    rig.hear(msg.StopSession(reason="done"))
    rig.wait(5)
    assert rig.session() is Status.STOPPING

    rig.wait(3)
    rig.not_found(order)
    assert rig.session() is Status.STOPPED


def test_a_stop_waits_for_a_stop_order_that_is_not_yet_at_the_venue(rig):
    rig.place(Side.BUY, "2", stop_loss="90")
    entry = rig.submitted()[0].cl_ord_id
    rig.trade(entry, "2")
    [stop] = rig.submitted()
    rig.hear(msg.StopSession(reason="done"))
    rig.wait(1)
    assert rig.session() is Status.STOPPING

    rig.accept(stop.cl_ord_id)
    assert rig.session() is Status.STOPPED
    assert [o.role for o in rig.state.all_open_orders()] == [OrderRole.STOP_LOSS]


def test_the_last_point_of_the_curve_is_the_end(rig):
    rig.hear(msg.StopSession(reason="done"))
    rig.wait(1)

    assert [type(f) for f in rig.news][-2:] == [ev.EquitySampled, ev.SessionChanged]


def test_a_stop_before_the_venue_has_answered_ends_too():
    rig = Rig(start=False)
    rig.begin()
    rig.hear(msg.StopSession(reason="never mind"))

    rig.tick()

    assert rig.session() is Status.STOPPED
    assert rig.ever(ev.EquitySampled) == []


def test_a_stop_that_flattens_waits_for_books_that_have_not_begun():
    rig = Rig(start=False)
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    rig.price(100.0)
    rig.hear(msg.StopSession(reason="never mind", flatten=True))
    rig.tick()
    assert rig.session() is Status.STOPPING

    rig.snapshot(balance="10000", positions={BTC: "2"})
    rig.wait(1)
    [close] = rig.submitted()
    assert (close.side, close.qty, close.reduce_only) == (Side.SELL, Decimal(2), True)
    rig.trade(close.cl_ord_id, "2")

    assert rig.session() is Status.STOPPED


def test_a_stop_told_behind_a_power_cut_waits_for_a_look_at_the_venue(rig):
    """What the power cut has taken off the record may rest there."""
    kept = len(rig.facts)
    price = Decimal(99)
    entry = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=price)
    del rig.facts[kept:]
    rig.restart()
    rig.hear(msg.StopSession(reason="done"))
    rig.tick()
    assert rig.session() is Status.STOPPING

    row = rig.row(entry, qty=Decimal(1), price=price, order_type=OrderType.LIMIT)
    rig.snapshot(orders=[row])
    rig.tick()
    assert rig.canceled() == [entry]
    rig.cancel(entry)

    assert rig.session() is Status.STOPPED


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_stop_that_its_process_did_not_survive_is_carried_out(rig, deaths):
    rig.hold("2", stop_loss="90")
    entry = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.accept(entry)
    rig.hear(msg.StopSession(reason="done"))
    for _ in range(deaths):
        rig.restart()
    rig.snapshot()

    assert rig.session() is Status.STOPPING
    assert rig.alarms() == ["stop_cut_off"]
    rig.wait(15)
    rig.status(entry)  # the cancel was lost with the process: it is asked for once more
    rig.wait(5)
    asked = [c.cl_ord_id for c in rig.commands if isinstance(c, cmd.CancelOrder)]
    assert asked.count(entry) == 2
    rig.cancel(entry)
    assert rig.session() is Status.STOPPED
    assert rig.qty() == 2
    assert [o.role for o in rig.state.all_open_orders()] == [OrderRole.STOP_LOSS]


def test_a_stop_that_its_process_did_not_survive_still_flattens(rig):
    rig.hold("2", stop_loss="90")
    rig.hear(msg.StopSession(reason="done", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id)
    rig.restart()
    rig.snapshot()
    rig.wait(2)
    [close] = rig.working(OrderRole.EXIT)
    rig.trade(close.cl_ord_id, "2")
    rig.cancel(rig.working(OrderRole.STOP_LOSS)[0].cl_ord_id)

    assert rig.session() is Status.STOPPED


def test_a_stop_in_error_that_its_process_did_not_survive_still_flattens(rig):
    rig.hold("2", stop_loss="90")
    rig.hear(msg.FailSession(reason="cannot be"))
    rig.hear(msg.StopSession(reason="done", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id, code=-1008, reason="overloaded")
    rig.restart()
    rig.snapshot()

    assert rig.session() is Status.STOPPING
    assert rig.alarms()[-1] == "stop_cut_off"
    rig.wait(2)
    [close] = rig.working(OrderRole.EXIT)
    assert close.qty == 2
    rig.trade(close.cl_ord_id, "2")
    rig.cancel(rig.working(OrderRole.STOP_LOSS)[0].cl_ord_id)
    assert rig.session() is Status.STOPPED


@pytest.mark.parametrize("flatten", [True, False])
def test_a_stop_outlives_a_start_whose_books_differ(rig, flatten):
    """It was cut off, and the start that would carry it out ends in ERROR."""
    rig.hold("2", stop_loss="90")
    entry = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.accept(entry)
    rig.hear(msg.StopSession(reason="done", flatten=flatten))
    rig.restart()
    for _ in range(2):
        rig.now += NS_PER_S
        rig.snapshot(positions={BTC: "3"})
    assert rig.session() is Status.ERROR
    rig.now += NS_PER_S
    rig.restart()
    rig.snapshot()

    assert rig.session() is Status.STOPPING
    assert rig.state.is_flattening is flatten
    assert rig.alarms()[-1] == "stop_cut_off"


@pytest.mark.parametrize("is_error", [True, False])
def test_a_new_session_says_that_it_does_not_flatten_for_the_one_before(rig, is_error):
    rig.hold("2", stop_loss="90")
    if is_error:
        rig.hear(msg.FailSession(reason="cannot be"))
    rig.hear(msg.StopSession(reason="done", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id)
    if not is_error:
        rig.restart()  # and it dies before the venue has answered
    rig.restart(is_resumed=False)

    [told] = [c.text for c in rig.asked if isinstance(c, cmd.Notify)]
    assert "a stop that was to flatten" in told
    assert not rig.state.is_flattening


def test_an_error_that_was_reset_leaves_no_stop_behind(rig):
    rig.hold("2", stop_loss="90")
    rig.hear(msg.FailSession(reason="cannot be"))
    rig.hear(msg.StopSession(reason="done", flatten=True))
    rig.hear(msg.ResetSession(reason="seen"))
    rig.restart(is_resumed=False)
    rig.snapshot()

    assert (rig.session(), rig.state.is_flattening) == (Status.RUNNING, False)


def test_a_new_session_does_not_take_an_old_ones_stop_over(rig):
    entry = rig.place(Side.BUY, "1", order_type=OrderType.LIMIT, price=Decimal(99))
    rig.accept(entry)
    rig.hear(msg.StopSession(reason="done"))
    rig.restart(is_resumed=False)
    rig.snapshot()

    assert rig.session() is Status.RUNNING


def test_a_stop_that_could_not_flatten_at_once_tries_again(rig):
    rig.hold("2")
    rig.hear(msg.StopSession(reason="done", flatten=True))
    rig.reject(rig.submitted()[0].cl_ord_id)
    assert rig.session() is Status.STOPPING

    rig.wait(1)
    assert [o.qty for o in rig.submitted()] == [2]
    rig.trade(rig.submitted()[0].cl_ord_id, "2")
    assert rig.session() is Status.STOPPED


def test_a_stop_still_flattens_when_the_kill_switch_is_released_meanwhile(rig):
    rig.hold("2")
    rig.hear(msg.StopSession(reason="done", flatten=True))
    [order] = rig.submitted()
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    rig.hear(msg.ReleaseKillSwitch(operator="ann"))

    rig.reject(order.cl_ord_id)

    assert rig.session() is Status.STOPPING
    rig.wait(1)
    assert [o.qty for o in rig.submitted()] == [2]


# Parents and timers


def test_a_timer_for_nobody_changes_nothing(rig):
    rig.hear(msg.TimerFired(parent_id=ParentId("99")))
    assert rig.news == []

    parent = rig.hold("1")
    rig.hear(msg.TimerFired(parent_id=parent.parent_id))
    assert rig.news == []


def test_a_wake_that_was_scheduled_is_armed_again_after_a_restart(rig):
    parent = rig.hold("1")
    rig.facts.append(
        ev.WakeScheduled(ts=rig.now, parent_id=parent.parent_id, due_ts=rig.now + NS_PER_S)
    )
    rig.restart()

    rig.snapshot()
    timers = [c for c in rig.asked if isinstance(c, cmd.SetTimer)]
    assert [(t.parent_id, t.due_ts) for t in timers] == [(parent.parent_id, rig.now + NS_PER_S)]

    rig.hear(msg.TimerFired(parent_id=parent.parent_id))
    assert rig.news == []  # too early

    rig.now += NS_PER_S
    rig.hear(msg.TimerFired(parent_id=parent.parent_id))
    assert [type(f) for f in rig.news] == [ev.ParentWoken]


def test_an_algorithm_may_ask_to_be_woken_and_send_then(rig, monkeypatch):
    def nap(moment, terms):
        if moment.cause is Cause.STARTED:
            return [WakeIn(5 * NS_PER_S)]
        is_due = moment.cause is Cause.WOKEN
        return [SendChild(moment.parent.start.qty)] if is_due and not terms else []

    monkeypatch.setitem(ALGOS, "nap", Algo(nap))
    assert rig.place(Side.BUY, "1", algo="nap") is None
    [timer] = rig.asked
    assert isinstance(timer, cmd.SetTimer)
    assert timer.due_ts == rig.now + 5 * NS_PER_S

    rig.wait(5)
    rig.hear(msg.TimerFired(parent_id=timer.parent_id))
    assert [o.qty for o in rig.submitted()] == [1]

    rig.hear(msg.TimerFired(parent_id=timer.parent_id))
    assert rig.submitted() == []  # it was woken already


def test_a_new_session_on_an_older_recording_opens_its_books_anew(rig):
    rig.hold("2")
    rig.now -= NS_PER_DAY
    rig.hear(
        msg.StartSession(session_id=SessionId("another"), portfolio_id="p", epoch=2, symbols=(BTC,))
    )
    assert rig.state.last_ts == rig.now

    rig.snapshot(balance="7000", positions={})

    assert rig.session() is Status.RUNNING
    assert rig.state.account(MAIN).wallet("USDT") == 7_000
    assert rig.qty() == 0


def test_an_instrument_is_defined_anew_only_when_it_changed(rig):
    rig.hear(msg.InstrumentListed(instrument=contract(), leverage=10))
    assert rig.news == []

    rig.hear(msg.InstrumentListed(instrument=contract(), leverage=5))
    assert [f.leverage for f in rig.told(ev.InstrumentDefined)] == [5]


def test_time_never_goes_back_within_a_session(rig):
    rig.wait(5)
    last = rig.state.last_ts
    rig.now -= 60 * NS_PER_S

    rig.hear(msg.PauseSession(reason="x"))

    assert rig.news[0].ts == last


def test_an_old_amendment_row_of_a_market_order_is_no_news(rig):
    order = rig.place(Side.BUY, "1")

    rig.report(order, ExecType.REPLACED, OrderStatus.NEW, qty=Decimal(9))

    assert rig.order(order).qty == 1
