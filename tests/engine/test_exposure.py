"""The worst case: everything that is open, as if each order filled."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.market import Bar, MarkPrice
from holdfast.model.messages import ExecType, Request
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    NS_PER_S,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
)
from tests.engine.rig import BTC, ETH, KEY, Rig
from tests.engine.risk.desk import Desk

LIMIT = OrderType.LIMIT
STOP = OrderType.STOP_MARKET


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


def reach(rig, extra=None, key=KEY):
    return rig.engine.core.exposure.reach(key, extra)


def order(side=Side.BUY, qty="1", price=None, **fields):
    kind = LIMIT if price else OrderType.MARKET
    return NewOrder(
        cl_ord_id=ClOrdId("new"),
        symbol=BTC,
        side=side,
        qty=Decimal(qty),
        order_type=kind,
        price=Decimal(price) if price else None,
        **fields,
    )


def limit(rig, side=Side.BUY, qty="1", price="99", **fields):
    rig.now += 2 * 10**9
    rig.price(100)
    cl_ord_id = rig.place(side, qty, order_type=LIMIT, price=price, **fields)
    rig.accept(cl_ord_id)
    return cl_ord_id


def test_nothing_open_reaches_nothing(rig):
    assert reach(rig)[:2] == (0, 0)
    assert reach(rig).size == 0


@pytest.mark.parametrize(("mark", "worth"), [(1.0, 100), (130.0, 130)])
def test_a_mark_far_from_the_market_makes_no_position_small(rig, mark, worth):
    limit(rig)
    rig.hear(MarkPrice(symbol=BTC, ts=rig.now, mark_price=mark))

    assert reach(rig).price == worth
    assert reach(rig, order(qty="2")).price == worth
    assert reach(rig, order(qty="2"), key=KEY).notional == 3 * worth
    assert Rig().engine.core.exposure.reach(KEY, order()).price == 100


def test_buys_and_sells_are_reckoned_apart_and_the_worse_side_counts(rig):
    limit(rig, Side.BUY, "3")
    limit(rig, Side.SELL, "2", "101")

    assert reach(rig)[:2] == (3, -2)
    assert (reach(rig).size, reach(rig).notional) == (3, 303)  # at the highest price asked


def test_a_position_shifts_both_sides(rig):
    rig.hold("4")
    limit(rig, Side.SELL, "1", "101")

    assert reach(rig)[:2] == (4, 3)


@pytest.mark.parametrize("answer", ["none", "doubt", "partial"])
def test_an_order_counts_from_the_moment_it_is_journaled_until_its_end(rig, answer):
    cl_ord_id = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    if answer == "doubt":
        rig.unknown(cl_ord_id)
    if answer == "partial":
        rig.accept(cl_ord_id)
        rig.trade(cl_ord_id, "1", "99")

    assert reach(rig).longest == 3

    rig.cancel(cl_ord_id)

    assert reach(rig).longest == (1 if answer == "partial" else 0)


def test_a_cancel_that_is_asked_or_in_doubt_frees_nothing(rig):
    cl_ord_id = limit(rig, Side.BUY, "3")
    rig.engine.core.begin(rig.now)
    rig.engine.core.cancel(rig.order(cl_ord_id), "test")
    assert reach(rig).longest == 3

    rig.unknown(cl_ord_id, Request.CANCEL)
    assert reach(rig).longest == 3


@pytest.mark.parametrize("is_in_doubt", [False, True])
def test_an_amendment_counts_at_its_larger_side_and_its_higher_price(rig, is_in_doubt):
    cl_ord_id = limit(rig, Side.BUY, "3", "99")
    rig.hear(msg.ModifyRequest(cl_ord_id=cl_ord_id, qty=Decimal(5), price=Decimal("99.5")))
    if is_in_doubt:
        rig.unknown(cl_ord_id, Request.REPLACE)
    assert reach(rig) == (5, 0, 100)

    rig.price(90)
    assert reach(rig).price == Decimal("99.5")

    rig.report(cl_ord_id, ExecType.REPLACED, OrderStatus.NEW, qty=Decimal(5), price=Decimal("99.5"))
    rig.now += 2 * 10**9
    rig.hear(msg.ModifyRequest(cl_ord_id=cl_ord_id, qty=Decimal(2), price=Decimal(99)))
    assert reach(rig) == (5, 0, Decimal("99.5"))


def test_one_more_order_stands_for_what_it_becomes(rig):
    cl_ord_id = limit(rig, Side.BUY, "3", "99")
    becomes = order(Side.BUY, "7", "120")

    assert reach(rig, becomes) == (10, 0, 120)
    renamed = NewOrder(
        cl_ord_id=cl_ord_id,
        symbol=BTC,
        side=Side.BUY,
        qty=Decimal(7),
        order_type=LIMIT,
        price=Decimal(98),
    )
    assert reach(rig, renamed) == (7, 0, 100)


def test_resting_reduce_only_orders_add_nothing(rig):
    rig.hold("2")
    limit(rig, Side.SELL, "2", "110", reduce_only=True)
    cl_ord_id = rig.place(Side.SELL, "2", order_type=STOP, trigger_price="90", reduce_only=True)
    rig.accept(cl_ord_id)

    assert reach(rig)[:2] == (2, 0)


def test_an_exit_may_close_first_so_that_what_trades_its_way_opens_from_flat(rig):
    rig.hold("2")
    rig.place(Side.SELL, "2", reduce_only=True)

    assert reach(rig, order(Side.SELL, "2")).shortest == -2
    rig.reject(rig.submitted(rig.commands)[-1].cl_ord_id)
    assert reach(rig, order(Side.SELL, "2")).shortest == 0


def test_a_resting_stop_may_have_traded_before_the_fills_that_turned_the_position(rig):
    rig.hold("2", Side.SELL)
    stop = rig.place(Side.BUY, "2", order_type=STOP, trigger_price="110", reduce_only=True)
    rig.accept(stop)
    assert reach(rig)[:2] == (0, -2)

    rig.trade("manual", "3", side=Side.BUY)

    assert rig.qty() == 1
    assert reach(rig).longest == 3


def test_resting_exits_may_have_closed_what_was_held_and_no_more(rig):
    """Stop and target of one position: together they close it once."""
    rig.hold("2", Side.SELL)
    for kind, price in ((STOP, "110"), (OrderType.TAKE_PROFIT_MARKET, "90")):
        exit_ = rig.place(Side.BUY, "2", order_type=kind, trigger_price=price, reduce_only=True)
        rig.accept(exit_)

    rig.trade("manual", "3", side=Side.BUY)

    assert reach(rig).longest == 3


def test_an_exit_that_is_confirmed_cancelled_has_closed_nothing(rig):
    rig.hold("2", Side.SELL)
    stop = rig.place(Side.BUY, "2", order_type=STOP, trigger_price="110", reduce_only=True)
    rig.accept(stop)
    rig.trade("manual", "3", side=Side.BUY)

    rig.cancel(stop)

    assert reach(rig).longest == 1


def test_books_that_agree_show_that_no_exit_has_traded_unheard(rig):
    rig.hold("2", Side.SELL)
    stop = rig.place(Side.BUY, "2", order_type=STOP, trigger_price="110", reduce_only=True)
    rig.accept(stop)
    rig.trade("manual", "3", side=Side.BUY)

    rig.now += 10**9
    rig.snapshot()

    assert reach(rig).longest == 1
    assert isinstance(rig.facts[-1], ev.BooksAgreed)


def test_a_fill_that_comes_late_may_have_given_an_exit_something_to_close(rig):
    """In the venue's order: bought 2, the exit sold 2 unheard, sold 4. The first comes last."""
    exit_ = rig.place(Side.SELL, "2", order_type=STOP, trigger_price="90", reduce_only=True)
    rig.accept(exit_)
    rig.trade("manual-2", "4", side=Side.SELL, venue_ts=rig.now + 9)
    assert reach(rig).shortest == -4

    rig.trade("manual-1", "2", side=Side.BUY, venue_ts=rig.now + 5)

    assert rig.qty() == -2
    assert reach(rig).shortest == -4


def test_a_position_that_was_taken_over_is_something_that_an_exit_may_close(rig):
    exit_ = rig.place(Side.SELL, "2", order_type=STOP, trigger_price="90", reduce_only=True)
    rig.accept(exit_)
    rig.state.apply(adopting(rig, "2"))

    rig.trade("manual", "3", side=Side.SELL)

    assert rig.qty() == -1
    assert reach(rig).shortest == -3


def adopting(rig, qty):
    return ev.PositionAdopted(
        ts=rig.now, symbol=BTC, qty=Decimal(qty), entry_price=Decimal(100), reason="test"
    )


def test_an_exit_that_counted_as_gone_may_have_closed_anything_when_it_appears(rig):
    """While it was taken for refused nobody followed what there was to close."""
    exit_ = rig.place(Side.SELL, "2", order_type=STOP, trigger_price="90", reduce_only=True)
    rig.reject(exit_)
    rig.trade("manual", "2", side=Side.BUY)
    rig.trade("manual", "3", side=Side.SELL)
    assert reach(rig).shortest == -1

    rig.accept(exit_)

    assert rig.order(exit_).is_open
    assert reach(rig).shortest == -3


@pytest.mark.parametrize("is_triggered", [False, True])
def test_an_exit_at_the_market_may_have_traded_before_fills_that_were_heard(rig, is_triggered):
    """Its report is lost, the position has moved on: what it did comes on top."""
    rig.hold("2", Side.SELL)
    if is_triggered:
        cl_ord_id = rig.place(Side.BUY, "2", order_type=STOP, trigger_price="110", reduce_only=True)
        rig.accept(cl_ord_id)
        rig.trigger(cl_ord_id)
    else:
        rig.place(Side.BUY, "2", reduce_only=True)
    assert reach(rig)[:2] == (0, -2)

    rig.trade("manual", "3", side=Side.BUY)

    assert rig.qty() == 1
    assert reach(rig).longest == 3


@pytest.mark.parametrize(
    ("held", "side", "qty", "adds"),
    [
        ("0", Side.BUY, "1", True),
        ("2", Side.BUY, "1", True),
        ("2", Side.SELL, "2", False),
        ("2", Side.SELL, "3", True),
        ("-2", Side.BUY, "2", False),
        ("-2", Side.BUY, "3", True),
        ("-2", Side.SELL, "1", True),
    ],
)
def test_only_what_cannot_open_add_or_turn_adds_no_risk(rig, held, side, qty, adds):
    size = Decimal(held)
    if size:
        rig.hold(abs(size), Side.BUY if size > 0 else Side.SELL)
    context = rig.engine.core.risk_context()

    assert context.adds_risk(order(side, qty)) is adds
    assert not context.adds_risk(order(side, qty, reduce_only=True))


@pytest.mark.parametrize("held", ["0", "2", "-2"])
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("price", [None, "99", "120"])
@pytest.mark.parametrize("reduce_only", [False, True])
def test_reach_of_a_new_order_is_that_of_what_an_open_one_becomes(
    rig, held, side, price, reduce_only
):
    """The shorter way, where nothing else is open, comes to the same."""
    size = Decimal(held)
    if size:
        rig.hold(abs(size), Side.BUY if size > 0 else Side.SELL)
    new = order(side, "3", price, reduce_only=reduce_only)
    alone = reach(rig, new)
    resting = limit(rig)

    assert rig.order(resting).is_open
    assert reach(rig, msgspec.structs.replace(new, cl_ord_id=resting)) == alone


def test_equity_is_the_wallet_and_the_open_profit_of_the_account(rig):
    rig.hold("2")
    rig.price(110)
    exposure = rig.engine.core.exposure

    assert exposure.equity(MAIN, "USDT") == Decimal(10000) - Decimal("0.01") + 20
    assert exposure.unrealized(KEY) == 20
    assert exposure.unrealized((MAIN, ETH)) == 0
    assert exposure.equity(AccountId("other"), "USDT") == 0


def test_sums_run_over_every_symbol_of_one_account_and_no_other(rig):
    rig.hold("2")
    rig.state.apply(
        ev.PositionAdopted(
            ts=rig.now,
            account=AccountId("other"),
            symbol=ETH,
            qty=Decimal(9),
            entry_price=Decimal(100),
            reason="test",
        )
    )
    entry = rig.place(Side.SELL, "3", symbol=ETH, order_type=LIMIT, price="101")
    assert entry
    exposure = rig.engine.core.exposure

    assert exposure.gross(MAIN) == 200 + 303
    assert exposure.gross_now(MAIN) == 200
    assert exposure.gross_now(AccountId("other")) == 900
    assert exposure.gross(MAIN, order(Side.BUY, "1")) == 300 + 303
    assert exposure.initial_margin(MAIN) == Decimal("50.3")
    assert exposure.initial_margin(MAIN, order(Side.BUY, "1")) == Decimal("60.3")
    assert exposure.maintenance_margin(MAIN) == 2
    assert exposure.keys(MAIN) == [KEY, (MAIN, ETH)]


def test_a_silent_market_leaves_the_entry_price(rig):
    rig.hold("2")
    rig.restart()

    assert rig.engine.core.exposure.mark(KEY) == 100


def test_the_margin_ratio_is_what_is_needed_over_what_is_there(rig):
    exposure = rig.engine.core.exposure
    assert exposure.margin_ratio(MAIN) == 0

    rig.hold("4")
    assert exposure.margin_ratio(MAIN) == Decimal(4) / Decimal("9999.99")

    rig.state.accounts[MAIN].deposits["USDT"] = Decimal(0)
    assert exposure.margin_ratio(MAIN) == 1


def test_an_account_without_contracts_is_taken_to_settle_in_usdt():
    assert Rig(start=False).engine.core.exposure.shown_assets(MAIN) == ["USDT"]


def test_a_position_without_a_contract_ties_up_no_margin():
    rig = Rig(symbols=(BTC,))
    rig.trade("manual", "1", symbol=Symbol("NEWUSDT"), side=Side.BUY)

    assert rig.engine.core.exposure.maintenance_margin(MAIN) == 0


WAITING_ABOVE = [
    {"order_type": OrderType.TAKE_PROFIT, "price": "100", "trigger_price": Decimal(130)},
    {
        "order_type": OrderType.TRAILING_STOP_MARKET,
        "callback_rate": Decimal(1),
        "activation_price": Decimal(130),
    },
]


@pytest.mark.parametrize("fields", WAITING_ABOVE)
def test_a_sell_that_waits_for_a_higher_price_is_worth_that(fields):
    desk = Desk(price_collar_pct=Decimal(1), max_order_notional=Decimal(1_250))
    waiting = desk.sell("10", **fields)

    assert desk.exposure.reach(KEY, waiting).notional == 1_300
    assert desk.check("position_size", waiting).value == Decimal("0.13")
    assert not desk.check("order_notional", waiting).passed

    desk.rest(waiting)
    assert desk.exposure.reach(KEY).notional == 1_300
    assert desk.exposure.reach(KEY, desk.sell("1")).notional == 1_430


def told(rig, mark, symbol=BTC):
    """The venue's books, with what they value the one position at."""
    held = rig.state.position((MAIN, symbol))
    qty, entry_price = held.qty or Decimal(5), held.entry_price or Decimal(100)
    row = msg.VenuePosition(symbol=symbol, qty=qty, entry_price=entry_price, mark_price=mark)
    balances = {"USDT": rig.state.account(MAIN).wallet("USDT")}
    look = {"asked_ts": rig.now, "taken_ts": rig.now, "orders": (), "positions": (row,)}
    rig.hear(msg.VenueSnapshot(**look, balances=balances))


def test_a_day_that_begins_while_the_market_is_silent_counts_what_the_venue_tells(rig):
    rig.hold("5")
    rig.now = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY
    rig.restart()
    told(rig, 150.0)

    rig.tick()

    _, day = rig.ever(ev.TradingDayStarted)
    assert day.equity == rig.state.account(MAIN).wallet("USDT") + 250
    assert reach(rig).notional == 750
    assert rig.engine.core.market.price(BTC) is None  # orders need a price of the market itself

    rig.price(120)
    told(rig, 150.0)
    assert rig.engine.core.exposure.equity(MAIN, "USDT") == day.equity - 150


def test_a_loss_is_seen_though_mark_prices_are_sent_no_more(rig):
    """Trades go on: equity at the last mark would hide it from the limits on losses."""
    rig.hold("5")
    rig.hear(MarkPrice(symbol=BTC, ts=rig.now, mark_price=100.0))
    rig.price(50)
    equity = rig.engine.core.exposure.equity(MAIN, "USDT")

    rig.wait(61)

    assert rig.engine.core.exposure.equity(MAIN, "USDT") == equity - 250
    assert rig.place(Side.BUY, "1") is None
    assert rig.told(ev.OrderDenied)[0].rule == "daily_loss"


def look(rig, entry_price):
    """The venue's books: all as ours, but for the entry price."""
    balances = {"USDT": rig.state.account(MAIN).wallet("USDT")}
    row = msg.VenuePosition(symbol=BTC, qty=rig.qty(), entry_price=Decimal(entry_price))
    times = {"asked_ts": rig.now, "taken_ts": rig.now}
    rig.hear(msg.VenueSnapshot(**times, orders=(), positions=(row,), balances=balances))


def test_what_a_late_fill_made_of_an_entry_price_is_put_right_by_the_venues(rig):
    """The profit of a fill is the venue's: beside our own entry price it would count twice."""
    rig.hold("1")
    rig.price(120)
    closing = rig.place(Side.SELL, "1", reduce_only=True)
    opening = rig.place(Side.BUY, "1")
    rig.trade(opening, "1", "120", venue_ts=rig.now + 1)
    rig.trade(closing, "1", "120", venue_ts=rig.now, realized_pnl=Decimal(20))
    wallet = rig.state.account(MAIN).wallet("USDT")
    assert rig.engine.core.exposure.equity(MAIN, "USDT") == wallet + 10

    rig.now += NS_PER_S
    look(rig, "120")

    assert rig.state.position(KEY).entry_price == 120
    assert rig.engine.core.exposure.equity(MAIN, "USDT") == wallet


@pytest.mark.parametrize("told", ["0", "100.005"])
def test_an_entry_price_that_the_venue_rounds_or_does_not_tell_stays_ours(rig, told):
    rig.hold("1")
    rig.now += NS_PER_S

    look(rig, told)

    assert rig.state.position(KEY).entry_price == 100


def test_a_bar_of_history_values_nothing_that_the_venue_has_valued_since(rig):
    # A peak, and a day's beginning, by the close of a minute ago: limits went by it for good.
    rig.hold("5")
    rig.now = (rig.now // NS_PER_DAY + 1) * NS_PER_DAY
    rig.restart()
    closed = Bar(
        symbol=BTC,
        ts=rig.now - 30 * NS_PER_S,
        open_ts=rig.now - 90 * NS_PER_S,
        timeframe="1m",
        open=200.0,
        high=200.0,
        low=200.0,
        close=200.0,
        volume=1.0,
    )
    rig.hear(closed)
    told(rig, 150.0)

    rig.tick()

    assert rig.ever(ev.TradingDayStarted)[-1].equity == rig.state.account(MAIN).wallet("USDT") + 250


@pytest.mark.parametrize(("mark", "worth"), [(300.0, 1_500), (30.0, 150), (0.0, 500)])
def test_a_position_in_a_contract_that_nobody_shows_is_worth_what_the_venue_tells(mark, worth):
    rig, sol = Rig(mismatch_policy="adopt"), Symbol("SOLUSDT")
    for _ in range(3):
        rig.wait(10)
        told(rig, mark, sol)
    exposure = rig.engine.core.exposure

    assert exposure.reach((MAIN, sol)).notional == worth
    assert exposure.equity(MAIN, "USDT") == 10_000 + worth - 500
