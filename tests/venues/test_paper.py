from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from holdfast.exchange import Liquidity
from holdfast.exchange.catalog import known_instrument
from holdfast.model.commands import Resync, SubmitOrder
from holdfast.model.errors import ConfigError
from holdfast.model.market import Funding, MarkPrice, Trade
from holdfast.model.messages import (
    ExecType,
    FundingPayment,
    IsolatedWallets,
    OrderNotFound,
    OutcomeUnknown,
    Request,
    RequestRefused,
    VenueMessage,
    WalletChange,
)
from holdfast.model.values import (
    MAIN,
    ClOrdId,
    NewOrder,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
)
from holdfast.ports import Venue
from holdfast.runtime.clock import FeedClock
from holdfast.venues import VENUES, Fault, Faults, PaperSettings
from tests.venues.paper_desk import BTC, START, WINDOW, PaperDesk, S, paper_venue

ETH = Symbol("ETHUSDT")


def kinds(heard):
    return [getattr(each, "exec_type", type(each)) for each in heard]


def test_the_paper_venue_keeps_the_ports_promises():
    venue: Venue = paper_venue()

    assert venue.name in VENUES
    assert venue.capabilities.is_simulated
    assert OrderType.TRAILING_STOP_MARKET in venue.capabilities.order_types


def test_connecting_lists_the_contracts_and_opens_the_account_once():
    desk = PaperDesk()

    assert desk.listed == [(known_instrument(BTC), 20)]
    assert desk.snapshot().balances == {"USDT": Decimal(10_000)}
    asyncio.run(desk.venue.connect([BTC], desk._hear))
    assert desk.snapshot().balances == {"USDT": Decimal(10_000)}


def test_an_unknown_contract_must_be_given():
    venue = paper_venue()

    with pytest.raises(ConfigError, match="NOPEUSDT"):
        asyncio.run(venue.connect([Symbol("NOPEUSDT")], print))


def test_an_order_is_answered_new_and_filled():
    desk = PaperDesk()
    desk.trade(50_000)

    assert kinds(desk.submit("a")) == [ExecType.NEW, ExecType.TRADE]


def test_cancel_amend_and_query_are_answered():
    desk = PaperDesk()
    desk.trade(50_000)
    desk.submit("a", price="49000")

    assert kinds(desk.replace("a", "0.2", "49100")) == [ExecType.REPLACED]
    assert desk.query("a").qty == Decimal("0.2")
    assert kinds(desk.cancel("a")) == [ExecType.CANCELED]
    assert desk.query("a").status is OrderStatus.CANCELED
    assert kinds(desk.cancel("a")) == [RequestRefused]
    assert desk.query("never") == OrderNotFound(
        account=MAIN, symbol=BTC, cl_ord_id=ClOrdId("never"), asked_ts=desk.now
    )


def test_the_fence_refuses_what_comes_too_late():
    desk = PaperDesk()
    desk.trade(50_000)
    sent = desk.now
    desk.submit("resting", price="49000")
    desk.tick(WINDOW // S)

    assert kinds(desk.submit("in-time", ts=sent)) == [ExecType.NEW, ExecType.TRADE]

    desk.venue.tick(sent + WINDOW + 1)
    (late,) = desk.submit("late", ts=sent)
    (late_cancel,) = desk.cancel("resting", ts=sent)

    assert (late.exec_type, late.code) == (ExecType.REJECTED, -1021)
    assert (late_cancel.request, late_cancel.code) == (Request.CANCEL, -1021)
    assert isinstance(desk.query("late"), OrderNotFound)
    assert desk.query("resting").status is OrderStatus.NEW


def test_the_snapshot_holds_open_orders_positions_balances_trades_and_incomes():
    desk = PaperDesk()
    desk.trade(50_000)
    desk.submit("a")
    early = desk.now
    desk.submit("b", price="49000")
    desk.submit("c", Side.SELL, kind=OrderType.STOP_MARKET, trigger_price=Decimal(48_000))
    desk.now += 3600 * S
    desk.venue.on_market(Funding(symbol=BTC, ts=desk.now, rate=0.0001))
    (payment,) = desk.news()
    desk.submit("d")

    whole, later = desk.snapshot(), desk.snapshot(early + 1)

    assert [o.cl_ord_id for o in whole.orders] == ["b", "c"]
    assert {o.exec_type for o in whole.orders} == {ExecType.STATUS}
    assert [(p.symbol, p.qty) for p in whole.positions] == [(BTC, Decimal("0.2"))]
    assert whole.balances == desk.venue.exchange.balances(MAIN)
    assert [t.cl_ord_id for t in whole.trades] == ["a", "d"]
    assert [type(c) for c in whole.changes] == [WalletChange, FundingPayment]
    assert [t.cl_ord_id for t in later.trades] == ["d"]
    assert later.changes == (payment,)


def test_time_is_the_newest_heard_of():
    desk = PaperDesk()
    desk.trade(50_000)
    desk.venue.tick(desk.now + 5 * S)
    desk.venue.tick(desk.now)

    assert desk.submit("a")[0].venue_ts == desk.now + 5 * S


def test_a_clock_tells_the_time_where_one_is_given():
    desk = PaperDesk()
    venue = paper_venue(clock=FeedClock(START + 77, 0))
    asyncio.run(venue.connect([BTC], desk._hear))
    desk.venue = venue

    assert desk.query("never").asked_ts == START + 77


class Hands:
    """A clock that a test sets."""

    def __init__(self, ts):
        self.ts = ts

    def now(self):
        return self.ts

    def advance(self, ts):
        """Nothing: the test turns it by hand."""


def test_a_market_whose_clock_is_ahead_of_ours_makes_no_request_late():
    """The account's time is the session's, by which requests are stamped and books are asked for."""
    desk, clock = PaperDesk(), Hands(START)
    desk.venue = paper_venue(clock=clock)
    asyncio.run(desk.venue.connect([BTC], desk._hear))
    desk.venue.on_market(Trade(symbol=BTC, ts=START + 7 * S, price=50_000.0, qty=1.0))
    desk.venue.pass_over(Trade(symbol=BTC, ts=START + 8 * S, price=50_000.0, qty=1.0))

    assert [(each.exec_type, each.venue_ts) for each in desk.submit("a", ts=START)] == [
        (ExecType.NEW, START),
        (ExecType.TRADE, START),
    ]
    assert desk.snapshot().asked_ts == START
    clock.ts += 7 * S
    assert desk.submit("b", ts=START)[0].exec_type is ExecType.REJECTED  # on its way for so long


def test_what_fell_due_before_a_request_has_happened_when_it_comes():
    """Funding is not charged on what is opened behind its time, nor is a dead order amended."""
    desk = PaperDesk()
    desk.trade(50_000)
    desk.submit("old", price="49000", time_in_force=TimeInForce.GTD, expire_ts=START + 700 * S)
    due = START + 690 * S
    mark = MarkPrice(
        symbol=BTC, ts=desk.now, mark_price=50_000.0, funding_rate=0.001, next_funding_ts=due
    )
    desk.venue.on_market(mark)

    desk.now = START + 701 * S
    answer = desk.replace("old", "0.1", "49500")
    opened = desk.submit("new")
    paid = desk.tick()

    assert kinds(answer) == [ExecType.EXPIRED, RequestRefused]
    assert kinds(opened) == [ExecType.NEW, ExecType.TRADE]
    assert paid == []


def test_leverage_is_what_the_settings_say_for_each_symbol():
    venue = paper_venue(settings=PaperSettings(leverage=10, leverages={ETH: 50}))

    listed = asyncio.run(venue.connect([BTC, ETH], print))

    assert [leverage for _, leverage in listed] == [10, 50]
    with pytest.raises(ConfigError, match="leverage"):
        asyncio.run(paper_venue(settings=PaperSettings(leverage=500)).connect([BTC], print))


# Faults


def faulty(fault, number=1, **more):
    desk = PaperDesk(faults=Faults(requests={number: fault}, **more))
    desk.trade(50_000)
    return desk


def test_a_request_can_be_lost():
    desk = faulty(Fault.NOT_EXECUTED)

    assert kinds(desk.submit("a")) == [OutcomeUnknown]
    assert isinstance(desk.query("a"), OrderNotFound)


def test_an_answer_can_be_lost_while_the_stream_still_tells():
    desk = faulty(Fault.EXECUTED)

    assert kinds(desk.submit("a")) == [OutcomeUnknown, ExecType.NEW, ExecType.TRADE]


def test_answer_and_stream_can_both_be_lost():
    desk = faulty(Fault.EXECUTED_SILENT)

    assert kinds(desk.submit("a")) == [OutcomeUnknown]
    assert desk.query("a").status is OrderStatus.FILLED
    assert [t.cl_ord_id for t in desk.snapshot().trades] == ["a"]


def test_a_refusal_is_part_of_the_lost_answer():
    desk = faulty(Fault.EXECUTED)

    assert kinds(desk.submit("a", qty="0.00001")) == [OutcomeUnknown]


def test_a_delayed_request_arrives_within_its_fence():
    desk = faulty(Fault.DELAYED)
    desk.submit("a")

    assert isinstance(desk.query("a"), OrderNotFound)
    assert desk.tick(1) == []
    assert kinds(desk.tick(1)) == [ExecType.NEW, ExecType.TRADE]


def test_a_delayed_request_never_arrives_past_its_fence():
    desk = faulty(Fault.DELAYED, delay_ns=WINDOW + 1)
    desk.submit("a")

    assert desk.tick(60) == []
    assert isinstance(desk.query("a"), OrderNotFound)


def test_cancels_and_amendments_are_counted_with_the_submits():
    desk = faulty(Fault.EXECUTED_SILENT, number=3)
    desk.submit("a", price="49000")
    desk.replace("a", "0.2", "49000")

    (unknown,) = desk.cancel("a")

    assert unknown.request is Request.CANCEL
    assert desk.query("a").status is OrderStatus.CANCELED


def test_one_report_of_the_stream_can_be_lost():
    desk = PaperDesk(faults=Faults(lost_reports=frozenset({2})))
    desk.trade(50_000)

    assert kinds(desk.submit("a")) == [ExecType.NEW]
    assert kinds(desk.submit("b")) == [ExecType.NEW, ExecType.TRADE]


@pytest.mark.parametrize(
    ("is_isolated", "qty", "why"),
    [(True, "0.1", "isolated position is open"), (False, "2", "45000 USDT more")],
    ids=["isolated", "margin"],
)
def test_a_leverage_that_an_open_position_holds_up_stays_and_is_told(
    tmp_path, caplog, is_isolated, qty, why
):
    """A position that nobody looks after is worse: the session begins."""
    more = {"path": tmp_path / "paper.db"}
    desk = PaperDesk()
    desk.venue = paper_venue(settings=PaperSettings(is_isolated=is_isolated, leverage=20), **more)
    asyncio.run(desk.venue.connect([BTC], desk._hear))
    desk.trade(50_000)
    assert desk.submit("a", qty=qty)[-1].status is OrderStatus.FILLED
    desk.close()

    again = paper_venue(settings=PaperSettings(is_isolated=is_isolated, leverage=2), **more)
    [(_, leverage)] = asyncio.run(again.connect([BTC], print))

    assert leverage == 20
    assert "BTCUSDT: leverage 2 is wanted, but what is open holds it at 20" in caplog.text
    assert why in caplog.text


# Margin of its own, and several dollars


COIN = Symbol("BTCUSDC")


def coin():
    known = known_instrument(BTC)
    assert known is not None
    return msgspec.structs.replace(known, symbol=COIN, quote_asset="USDC", margin_asset="USDC")


def joined(symbols, **settings):
    heard: list[VenueMessage] = []
    settings = {"liquidity": Liquidity(half_spread=Decimal(0)), **settings}
    venue = paper_venue(instruments=[coin()], settings=PaperSettings(**settings))
    asyncio.run(venue.connect(symbols, heard.append))
    return venue, heard


@pytest.mark.parametrize(
    ("symbols", "assets"),
    [([BTC], {"USDT"}), ([COIN], {"USDC"}), ([BTC, COIN], {"USDT", "USDC"}), ([], {"USDT"})],
)
def test_each_dollar_that_something_is_settled_in_is_put_in_once(symbols, assets):
    venue, heard = joined(symbols)
    asyncio.run(venue.connect(symbols, heard.append))

    assert venue.exchange.balances(MAIN) == dict.fromkeys(assets, 10_000)


def test_isolated_margin_is_set_where_it_is_asked_for_and_told_with_each_fill():
    venue, heard = joined([BTC], is_isolated=True, leverage=10)
    assert venue.exchange.is_isolated(MAIN, BTC)
    venue.on_market(Trade(symbol=BTC, ts=START, price=50_000.0, qty=1000.0))
    order = NewOrder(cl_ord_id=ClOrdId("o"), symbol=BTC, side=Side.BUY, qty=Decimal("0.1"))
    venue.submit(SubmitOrder(order=order, ts=START, recv_window_ns=WINDOW))

    assert IsolatedWallets(wallets={BTC: Decimal(500)}) in heard
    venue.resync(Resync(account=MAIN, reason="test", trades_since=0))
    [held] = heard[-1].positions
    assert held.isolated_wallet == 500


def test_a_margin_mode_that_a_position_holds_up_stays_and_is_told(caplog):
    venue, heard = joined([BTC], is_isolated=True)
    venue.on_market(Trade(symbol=BTC, ts=START, price=50_000.0, qty=1000.0))
    order = NewOrder(cl_ord_id=ClOrdId("o"), symbol=BTC, side=Side.BUY, qty=Decimal("0.1"))
    venue.submit(SubmitOrder(order=order, ts=START, recv_window_ns=WINDOW))
    asyncio.run(venue.connect([BTC], heard.append))
    assert caplog.text == ""
    venue._settings = PaperSettings()

    asyncio.run(venue.connect([BTC], heard.append))

    assert venue.exchange.is_isolated(MAIN, BTC)
    assert "BTCUSDT: its margin mode is held up by what is open" in caplog.text


def test_a_contract_that_ended_while_nobody_was_there_is_settled_at_its_entry(tmp_path):
    """No market tells a mark of it any more: else its position would stay open for ever."""
    desk = PaperDesk(tmp_path / "paper.db")
    desk.trade(60_000)
    desk.submit("a", qty="0.1")
    desk.close()
    again = PaperDesk(tmp_path / "paper.db")
    [known] = again.venue.contracts()
    assert [each.qty for each in again.snapshot().positions] == [Decimal("0.1")]

    again.venue.relist(msgspec.structs.replace(known, status="SETTLING"))
    again.news()

    assert again.snapshot().positions == ()


def test_a_contract_that_ended_is_settled_at_the_last_mark_of_the_life_before(tmp_path):
    desk = PaperDesk(tmp_path / "paper.db")
    desk.trade(60_000)
    desk.submit("a", qty="0.1")
    desk.trade(55_000)
    desk.close()
    again = PaperDesk(tmp_path / "paper.db")
    [known] = again.venue.contracts()

    again.venue.relist(msgspec.structs.replace(known, status="SETTLING"))
    again.news()

    assert again.snapshot().balances["USDT"] < 9_500
