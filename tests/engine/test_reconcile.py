"""Ours against the venue's: opening the books, what was missed, and what disagrees."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.engine.asking import ANSWER_PATIENCE_NS, is_due
from holdfast.engine.beginning import LOOKS_MAX
from holdfast.engine.comparing import (
    CHANGING_MAX,
    FILLS_PATIENCE_NS,
    READ_MARGIN_NS,
    RESTLESS_NS,
    SIGHTINGS_BELIEVED,
)
from holdfast.engine.order import RequestState
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.ids import Owner, make_cl_ord_id
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    OPERATOR,
    ZERO,
    AccountId,
    ClOrdId,
    OrderRole,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    TradeId,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, KEY, Rig, contract

LIMIT, STOP = OrderType.LIMIT, OrderRole.STOP_LOSS


@pytest.fixture
def rig():
    return Rig(stop_loss_pct=Decimal(0), take_profit_pct=Decimal(0))


def new(**settings):
    """A session that has asked for the venue's books for the first time."""
    rig = Rig(start=False, **settings)
    rig.begin()
    return rig


def wallet(rig):
    return rig.state.account(MAIN).wallet("USDT")


def execution(rig, cl_ord_id, qty, trade_id, *, ago=0.0, side=Side.BUY, price="100"):
    return msg.ExecutionReport(
        symbol=BTC,
        cl_ord_id=ClOrdId(cl_ord_id),
        exec_type=ExecType.TRADE,
        status=OrderStatus.PARTIALLY_FILLED,
        side=side,
        venue_ts=rig.now - int(ago * NS_PER_S),
        qty=Decimal(3),
        cum_qty=Decimal(qty),
        last_qty=Decimal(qty),
        last_px=Decimal(price),
        trade_id=TradeId(trade_id),
        fee=Decimal("0.1"),
    )


def deposit(rig, amount="5", name="d1", *, ago=0.0):
    return msg.WalletChange(
        asset="USDT",
        amount=Decimal(amount),
        reason="deposit",
        change_id=name,
        venue_ts=rig.now - int(ago * NS_PER_S),
    )


def funding(rig, amount="-2", name="f1", *, ago=0.0):
    return msg.FundingPayment(
        symbol=BTC,
        amount=Decimal(amount),
        payment_id=name,
        venue_ts=rig.now - int(ago * NS_PER_S),
    )


# Opening the books


def test_the_first_start_begins_the_books_with_what_the_venue_has():
    rig = new()
    assert rig.resyncs() == 1

    rig.snapshot(balance="500", positions={BTC: "-2"})

    assert wallet(rig) == 500
    assert rig.qty() == -2
    assert rig.session() is Status.RUNNING
    assert rig.ever(ev.BooksDiffered) == []


def test_deposits_that_the_venue_still_remembers_are_part_of_the_opening():
    rig = new()

    rig.snapshot(balance="500", changes=(deposit(rig, "450"),))

    assert wallet(rig) == 500
    [opening] = [f for f in rig.told(ev.WalletChanged) if f.reason == "opening"]
    assert opening.amount == 50


def test_books_whose_beginning_was_cut_off_anywhere_are_begun_anew():
    rig = new()
    before = len(rig.facts)
    balances = {"BNB": Decimal(3), "USDT": Decimal(500)}
    held = msg.VenuePosition(symbol=BTC, qty=Decimal(2), entry_price=Decimal(100))

    def look(one):
        one.hear(
            msg.VenueSnapshot(
                asked_ts=one.now,
                taken_ts=one.now,
                orders=(),
                positions=(held,),
                balances=balances,
            )
        )
        account = one.state.account(MAIN)
        return one.qty(), account.wallet("BNB"), account.wallet("USDT"), one.session()

    whole = look(rig)
    opened = next(n for n, f in enumerate(rig.facts) if getattr(f, "reason", "") == "opening"
                  and isinstance(f, ev.WalletChanged))  # fmt: skip
    for kept in range(before, opened + 2):
        later = Rig(start=False, facts=rig.facts[:kept])
        later.epoch = 1
        later.begin(is_resumed=True)
        assert look(later) == whole == (2, 3, 500, Status.RUNNING)


def test_an_account_without_money_is_opened_all_the_same():
    rig = new()

    rig.hear(
        msg.VenueSnapshot(asked_ts=rig.now, taken_ts=rig.now, orders=(), positions=(), balances={})
    )

    assert rig.session() is Status.RUNNING
    assert wallet(rig) == 0


def test_what_traded_before_the_books_were_opened_is_in_their_balance():
    rig = new()
    rig.snapshot(balance="500", positions={BTC: "1"})

    rig.hear(execution(rig, "manual", "1", "old", ago=1))  # a late frame

    assert (rig.qty(), wallet(rig)) == (1, 500)


def test_what_trades_while_the_first_answer_is_on_its_way_is_booked_by_the_next():
    rig = new()
    asked_ts = rig.now
    rig.now += NS_PER_S
    trade = execution(rig, "manual", "1", "t1", ago=0.5)
    rig.hear(trade)
    rig.snapshot(balance="500", positions={}, asked_ts=asked_ts)
    assert rig.qty() == 0

    rig.now += NS_PER_S
    rig.snapshot(balance="499.9", positions={BTC: "1"}, trades=(trade,))

    assert (rig.qty(), wallet(rig)) == (1, Decimal("499.9"))
    assert rig.ever(ev.BooksDiffered) == []


@pytest.mark.parametrize("kind", ["trade", "transfer"])
def test_books_are_not_begun_with_balances_that_moved_while_they_were_read(kind):
    rig = new()
    asked_ts = rig.now
    rig.now += NS_PER_S
    moved = {
        "trade": {"trades": (execution(rig, "manual", "1", "t1", ago=0.5),)},
        "transfer": {"changes": (msgspec.structs.replace(deposit(rig, "-15"), venue_ts=rig.now),)},
    }[kind]

    rig.snapshot(balance="500", positions={BTC: "1"}, asked_ts=asked_ts, **moved)

    assert (rig.session(), rig.resyncs()) == (Status.STARTING, 1)
    rig.now += 2 * NS_PER_S
    rig.snapshot(balance="500", positions={BTC: "1"}, **moved)
    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, 500)


def test_funding_that_is_told_late_is_in_the_first_balances():
    rig = new()
    rig.snapshot(balance="500", positions={BTC: "-2"})

    rig.now += NS_PER_S
    rig.hear(funding(rig, ago=1.2))
    assert wallet(rig) == 500

    rig.hear(funding(rig, name="f2"))
    assert wallet(rig) == 498


def look(rig, balance, qty, **fields):
    """Read the books over a network, and let the time pass that is between two reads."""
    rig.snapshot(balance=balance, positions={BTC: qty}, sure_ts=rig.now, **fields)
    rig.now += 2 * NS_PER_S


def test_books_that_are_read_over_a_network_begin_once_two_looks_agree():
    rig = new()
    told = {
        "trades": (execution(rig, "manual", "1", "t1", ago=0.5),),
        "changes": (funding(rig, ago=0.4),),
    }
    look(rig, "499", "1", **told)
    look(rig, "500", "1", **told)
    assert (rig.session(), rig.resyncs()) == (Status.STARTING, 1)
    second = rig.now - 2 * NS_PER_S
    look(rig, "500", "1", **told)

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, 500)
    assert rig.state.account(MAIN).opened_ts == second - rig.engine.core.overlap_ns


def test_a_second_look_that_does_not_reach_back_to_the_first_begins_nothing():
    """What the first had in its balances and did not list yet would be booked behind it."""
    rig = new()
    told = {"trades": (execution(rig, "manual", "1", "t1", ago=0.1),)}
    look(rig, "500", "1", **told)
    look(rig, "500", "1", trades_since=rig.now, **told)
    assert rig.session() is Status.STARTING

    look(rig, "500", "1", trades_since=rig.now - 10 * NS_PER_S, **told)
    assert rig.session() is Status.RUNNING


def test_no_kill_is_proven_by_a_look_that_began_no_books():
    """What rests there of ours, whose journal is lost, is taken on with the books."""
    rig = new()
    name = make_cl_ord_id(Owner("hf", 0, 1, 0, OrderRole.ENTRY, OPERATOR))
    rig.hear(msg.EngageKillSwitch(reason="panic"))
    resting = rig.row(name, qty=Decimal(1), price=Decimal(90))
    look(rig, "500", "0", orders=[resting])
    assert rig.ever(ev.KillSwitchVerified) == []

    look(rig, "500", "0", orders=[resting])
    assert (len(rig.ever(ev.CancelRequested)), rig.ever(ev.KillSwitchVerified)) == (1, [])


def test_where_nothing_happens_about_its_time_one_look_will_do():
    rig = new()
    look(rig, "500", "1", trades=(execution(rig, "manual", "1", "t1", ago=3600),))

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, 500)


def test_what_the_first_of_two_looks_has_listed_is_in_the_books_and_not_booked_once_more():
    rig = new()
    told = {
        "trades": (execution(rig, "manual", "1", "t1", ago=0.1),),
        "changes": (funding(rig, ago=0.2),),
    }
    for _ in range(3):
        look(rig, "500", "1", **told)

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, 500)


def test_a_fill_behind_the_first_look_is_not_taken_for_older_where_our_clock_is_ahead():
    rig = new()
    behind = execution(rig, "manual", "1", "t1", ago=0.2)  # by the venue's clock
    look(rig, "500", "0", trades=(behind,))
    for _ in range(3):
        look(rig, "499.9", "1", trades=(behind,))

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, Decimal("499.9"))
    assert rig.ever(ev.BooksDiffered) == []


def test_a_fill_that_is_listed_late_is_booked_though_it_looks_older_than_the_look():
    rig = new()
    open_one = rig.row("manual", qty=Decimal(3), price=Decimal(100))
    look(rig, "500", "0", orders=[open_one])
    late = execution(rig, "manual", "1", "t1", ago=2.2)  # our clock is ahead, and lists trail
    look(rig, "500", "0", orders=[open_one])

    rig.hear(late)
    look(rig, "499.9", "1", trades=(late,))

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, Decimal("499.9"))
    assert rig.ever(ev.BooksDiffered) == []


@pytest.mark.parametrize("kind", ["trades", "changes"])
def test_what_happened_in_the_very_instant_of_the_first_question_is_looked_at_again(kind):
    rig = new()
    there = {"trades": (execution(rig, "manual", "1", "t1"),), "changes": (funding(rig),)}
    told = {kind: there[kind]}

    rig.snapshot(balance="500", positions={BTC: "1"}, **told)
    assert rig.session() is Status.STARTING
    rig.now += 2 * NS_PER_S
    rig.snapshot(balance="500", positions={BTC: "1"}, **told)

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, 500)
    assert rig.ever(ev.BooksDiffered) == []


def test_what_is_heard_while_the_first_look_is_on_its_way_is_looked_at_again():
    """The look was taken before it, and lists nothing: it would be met at the next audit alone."""
    rig = new()
    asked_ts = rig.now
    rig.now += NS_PER_S
    trade = execution(rig, "manual", "1", "t1", ago=0.1)
    rig.hear(trade)
    rig.snapshot(balance="500", positions={}, asked_ts=asked_ts, sure_ts=asked_ts)
    assert rig.session() is Status.STARTING

    rig.now += 2 * NS_PER_S
    look(rig, "499.9", "1", trades=(trade,))
    look(rig, "499.9", "1", trades=(trade,))

    assert (rig.session(), rig.qty(), wallet(rig)) == (Status.RUNNING, 1, Decimal("499.9"))
    assert rig.ever(ev.BooksDiffered) == []


def begun_too_early(rig, qty="1"):
    """Begin with a look that trails an execution of just before; return that execution."""
    trade = execution(rig, "manual", qty, "t1", ago=0.2)
    rig.snapshot(balance="500", positions={}, sure_ts=rig.now - NS_PER_S // 20)
    assert rig.session() is Status.RUNNING
    rig.now += 3 * NS_PER_S
    return trade


@pytest.mark.parametrize(("balance", "qty"), [("499.9", "1"), ("500", "1"), ("499.9", "0")])
def test_books_begin_with_what_the_first_look_trailed_where_that_is_all_that_is_missing(
    balance, qty
):
    """Positions and balances are read apart: the one may have shown what the other did not."""
    rig = new()
    trade = begun_too_early(rig)
    look(rig, balance, qty, trades=(trade,))
    look(rig, balance, qty, trades=(trade,))

    found = (rig.session(), rig.qty(), wallet(rig))
    assert found == (Status.RUNNING, Decimal(qty), Decimal(balance))
    assert (rig.alarms(), rig.ever(ev.OrderFilled)) == ([], [])  # it is of before the books
    look(rig, balance, qty, trades=(trade,))
    assert not rig.state.differences


@pytest.mark.parametrize(("balance", "qty"), [("499.8", "1"), ("499.9", "2")])
def test_what_the_first_look_trailed_is_not_taken_over_where_it_is_not_all(balance, qty):
    rig = new()
    trade = begun_too_early(rig)
    for _ in range(2):
        look(rig, balance, qty, trades=(trade,))

    assert rig.session() is Status.ERROR
    assert rig.ever(ev.OrderFilled) == []


def test_nothing_is_compared_with_a_look_that_leaves_executions_for_the_next_one():
    rig = new()
    look(rig, "500", "1")
    for _ in range(3):
        look(rig, "499.9", "2", is_partial=True)
    assert (rig.session(), rig.ever(ev.BooksDiffered)) == (Status.RUNNING, [])

    for _ in range(2):
        look(rig, "499.9", "2")
    assert rig.session() is Status.ERROR


def test_what_was_in_the_first_look_is_not_booked_however_well_it_would_fit_later():
    """The same is missing long behind the beginning: that is no look that trailed."""
    rig = new()
    trade = begun_too_early(rig)
    rig.now += 180 * NS_PER_S
    for _ in range(2):
        look(rig, "499.9", "1", trades=(trade,))

    assert rig.session() is Status.ERROR


def test_an_account_that_others_trade_without_a_pause_is_begun_in_the_end():
    rig = new()
    looks = 0
    while rig.session() is Status.STARTING:
        rig.now += 2 * NS_PER_S
        trade = execution(rig, "manual", "1", f"t{looks}")
        asked_ts = rig.now - NS_PER_S
        rig.snapshot(balance="500", positions={}, asked_ts=asked_ts, trades=(trade,))
        looks += 1

    assert looks == LOOKS_MAX + 1


@pytest.mark.parametrize("is_listed", [False, True])
def test_an_order_sent_behind_the_opening_is_never_part_of_it_whatever_our_clock_says(is_listed):
    rig = Rig()
    rig.price(100)
    name, opened_ts = rig.place(qty="0.1"), rig.state.account(MAIN).opened_ts
    fill = execution(rig, name, "0.1", "t1")
    behind = NS_PER_S * 4 // 10  # the venue's clock, of ours
    fill = msgspec.structs.replace(fill, venue_ts=opened_ts - behind)

    if is_listed:
        rig.now += NS_PER_S
        rig.snapshot(balance="9999.9", positions={BTC: "0.1"}, trades=(fill,))
    else:
        rig.hear(fill)

    assert rig.qty() == Decimal("0.1")


def test_an_order_sent_behind_the_opening_is_never_part_of_it_though_the_venues_clock_goes_back():
    """The venue's clock was ahead when the books were begun, and is set right since."""
    rig = Rig(start=False)
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    rig.price(100)
    ahead = rig.now + NS_PER_S * 7 // 100
    rig.snapshot(balance="10000", sure_ts=ahead)
    name = rig.place(qty="0.1")

    rig.now += NS_PER_S
    fill = msgspec.structs.replace(execution(rig, name, "0.1", "t1"), venue_ts=ahead - 1)
    rig.snapshot(balance="9999.9", positions={BTC: "0.1"}, trades=(fill,))

    assert (rig.session(), rig.qty()) == (Status.RUNNING, Decimal("0.1"))


def test_a_clock_that_went_back_during_the_first_look_hides_no_fill():
    rig = Rig(start=False)
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    rig.price(100)
    rig.snapshot(balance="10000", asked_ts=rig.now + NS_PER_S // 2)  # before it went back
    name = rig.place(qty="0.1")

    rig.hear(execution(rig, name, "0.1", "t1"))

    assert rig.qty() == Decimal("0.1")


def test_a_fill_behind_the_question_is_compared_later_where_our_clock_is_ahead():
    """It is listed though what is held was read before it: by our own clock it looks older."""
    rig = Rig()
    rig.price(100)
    rig.now += NS_PER_S
    ahead = NS_PER_S * 4 // 10
    fill = execution(rig, "manual", "1", "t1", ago=0.2)
    rig.snapshot(balance="10000", positions={}, sure_ts=rig.now - ahead, trades=(fill,))

    assert (rig.qty(), rig.ever(ev.BooksDiffered)) == (1, [])


def test_a_fill_before_the_question_is_compared_at_once_where_our_clock_is_behind():
    rig = Rig()
    rig.price(100)
    rig.now += NS_PER_S
    behind = NS_PER_S * 4 // 10
    fill = execution(rig, "manual", "1", "t1", ago=-0.2)
    told = {"sure_ts": rig.now + behind, "taken_ts": rig.now + NS_PER_S, "trades": (fill,)}
    rig.snapshot(balance="9999", positions={BTC: "1"}, **told)

    assert [found.what for found in rig.ever(ev.BooksDiffered)] == ["balance USDT"]


def test_open_orders_of_the_first_look_are_taken_on():
    rig = new()

    rig.snapshot(balance="500", orders=[rig.row("manual-1", qty=Decimal(1), price=Decimal(90))])

    assert not rig.order("manual-1").is_ours


def test_two_accounts_run_only_when_both_have_answered():
    rig = Rig(start=False)
    rig.hear(
        msg.StartSession(
            session_id=SessionId("x"),
            portfolio_id="p",
            epoch=1,
            accounts=(MAIN, AccountId("second")),
        )
    )
    assert rig.resyncs() == 2

    rig.snapshot(balance="1")
    assert rig.session() is Status.STARTING

    rig.snapshot(balance="1", account="second", positions={})
    assert rig.session() is Status.RUNNING


# What was missed


def test_missed_fills_are_booked_once_under_their_real_ids(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="100")
    rig.accept(order)
    rig.now += NS_PER_S
    missed = execution(rig, order, "1", "t7", ago=0.5)

    rig.snapshot(positions={BTC: "1"}, balance="9999.9", trades=(missed,))
    assert [f.trade_id for f in rig.told(ev.OrderFilled)] == ["t7"]
    assert rig.ever(ev.BooksDiffered) == []

    rig.hear(missed)
    rig.snapshot(trades=(missed,))
    assert rig.qty() == 1
    assert len(rig.ever(ev.OrderFilled)) == 1


def test_missed_fills_are_booked_after_a_restart_before_it_runs(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="100")
    rig.now += 60 * NS_PER_S
    rig.restart()
    missed = execution(rig, order, "1", "t7", ago=50)

    rig.snapshot(positions={BTC: "1"}, balance="9999.9", trades=(missed,))

    kinds = [type(f) for f in rig.news]
    assert kinds.index(ev.OrderFilled) < kinds.index(ev.SessionChanged)
    assert rig.session() is Status.RUNNING


def test_books_are_compared_at_the_start_also_when_fills_were_missed(rig):
    """The very snapshot that brings missed fills must not go uncompared, late as it is heard."""
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="100")
    rig.now += 60 * NS_PER_S
    rig.restart()
    missed = execution(rig, order, "1", "t7", ago=50)
    asked_ts = rig.now
    rig.now += NS_PER_S

    rig.snapshot(positions={BTC: "2"}, balance="9999.9", trades=(missed,), asked_ts=asked_ts)

    assert [f.what for f in rig.told(ev.BooksDiffered)] == ["position BTCUSDT"]
    assert rig.session() is Status.STARTING


def test_missed_funding_and_deposits_are_booked_once(rig):
    rig.now += NS_PER_S
    changes = (funding(rig), deposit(rig))
    for _ in range(2):
        rig.snapshot(balance="10003", changes=changes)
    for change in changes:
        rig.hear(change)

    assert wallet(rig) == 10_003
    assert rig.state.position(KEY).funding == -2
    assert rig.state.account(MAIN).funding["USDT"] == -2
    assert rig.ever(ev.BooksDiffered) == []


def test_live_funding_and_deposits_are_booked_once(rig):
    for _ in range(2):
        rig.hear(funding(rig))
        rig.hear(deposit(rig))

    assert wallet(rig) == 10_003


def test_changes_from_before_the_opening_are_not_booked_again(rig):
    rig.now += NS_PER_S
    rig.snapshot(changes=(funding(rig, ago=3600), deposit(rig, ago=3600)), balance="10000")

    assert wallet(rig) == 10_000


def test_what_is_asked_for_reaches_back_before_what_is_known(rig):
    rig.now += 600 * NS_PER_S
    rig.snapshot()
    [agreed] = rig.told(ev.BooksAgreed)
    assert agreed.trades_until == rig.now - NS_PER_S  # the clock skew

    rig.hear(msg.AuditDue())
    [command] = rig.asked
    assert isinstance(command, cmd.Resync)
    assert command.trades_since == agreed.trades_until - NS_PER_S


def restless(rig, minutes, since=None, **books):
    """An account that trades while each look at it is under way."""
    asked = cmd.Resync(account=MAIN, reason="", trades_since=rig.now - 2 * NS_PER_S)
    for second in range(0, minutes * 60, 10):
        rig.now += 10 * NS_PER_S
        asked_ts = rig.now
        rig.now += 1
        rig.trade(f"page-{second}", "0.001", fee=Decimal(0))
        rig.snapshot(
            asked_ts=asked_ts,
            trades_since=asked.trades_since if since is None else since(rig),
            **books,
        )
        rig.hear(msg.AuditDue())
        [asked] = [each for each in rig.asked if isinstance(each, cmd.Resync)]
        yield rig.now - asked.trades_since


def test_the_known_past_follows_an_account_that_never_rests(rig):
    trailed = list(restless(rig, 60))

    assert max(trailed) < RESTLESS_NS + 20 * NS_PER_S
    assert max(trailed[100:]) > READ_MARGIN_NS
    assert len(rig.ever(ev.BooksAgreed)) == 1  # at the start
    assert len(rig.ever(ev.TradesRead)) == 58  # one a minute, behind the first three


@pytest.mark.parametrize("since", [lambda _: 0, lambda rig: rig.now - 120 * NS_PER_S])
def test_the_known_past_does_not_move_over_what_was_not_asked_for(rig, since):
    trailed = list(restless(rig, 15, since))

    assert trailed[-1] > RESTLESS_NS + 60 * NS_PER_S
    assert rig.ever(ev.TradesRead) == []


@pytest.mark.parametrize("why", ["a difference", "a fill that is missing"])
def test_the_known_past_does_not_move_over_what_is_open(rig, why):
    rig.now += NS_PER_S
    if why == "a difference":
        rig.snapshot(positions={BTC: "2"})
    else:
        order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
        rig.status(order, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal(1))

    trailed = list(restless(rig, 15))

    assert trailed[-1] > RESTLESS_NS + 60 * NS_PER_S


def test_the_known_past_does_not_move_over_a_fill_that_waits_for_its_orders_size(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    rig.accept(order)
    fill = msgspec.structs.replace(execution(rig, order, "5", "t1"), qty=ZERO, cum_qty=ZERO)

    trailed = list(restless(rig, 15, trades=(fill,)))

    assert trailed[-1] > RESTLESS_NS + 60 * NS_PER_S
    assert rig.ever(ev.TradesRead) == []


# Orders


def test_open_orders_that_the_venue_does_not_list_are_asked_after(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    rig.accept(order)
    rig.now += NS_PER_S

    rig.snapshot(orders=[])

    assert rig.queried() == [order]
    assert rig.order(order).is_open  # only its own answer ends it


def test_an_order_younger_than_the_question_is_not_asked_after(rig):
    asked_ts = rig.now
    rig.now += NS_PER_S
    rig.place(Side.BUY, "3", order_type=LIMIT, price="99")

    rig.snapshot(orders=[], asked_ts=asked_ts)

    assert rig.queried() == []


def test_an_unlisted_order_of_this_life_is_given_its_time_before_it_is_doubted(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    rig.now += 2 * NS_PER_S
    rig.snapshot(orders=[])
    assert not rig.order(order).is_in_doubt

    rig.now += 4 * NS_PER_S
    rig.snapshot(orders=[])
    assert rig.order(order).is_in_doubt


def test_a_listed_order_is_acknowledged(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")

    rig.snapshot()

    assert rig.order(order).status is OrderStatus.NEW


def test_orders_of_another_account_are_not_asked_after(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="99")
    rig.accept(order)

    rig.snapshot(account="second", orders=[], positions={}, balance="0")

    assert rig.queried() == []


# What disagrees


def test_a_first_difference_is_noted_and_looked_at_again(rig):
    rig.now += NS_PER_S

    rig.snapshot(positions={BTC: "1"})

    [fact] = rig.told(ev.BooksDiffered)
    assert (fact.what, fact.ours, fact.theirs, fact.sightings) == ("position BTCUSDT", 0, 1, 1)
    assert rig.resyncs() == 1
    assert rig.session() is Status.RUNNING
    assert rig.qty() == 0  # never a fill that nobody reported


def test_agreement_forgets_an_earlier_difference(rig):
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "1"})
    rig.snapshot(positions={})

    assert rig.state.differences == {}
    assert len(rig.told(ev.BooksAgreed)) == 1

    rig.snapshot(positions={BTC: "1"})
    assert rig.told(ev.BooksDiffered)[0].sightings == 1


def differ_twice(rig, **books):
    rig.now += NS_PER_S
    rig.snapshot(**books)
    rig.now += NS_PER_S
    rig.snapshot(**books)


@pytest.mark.parametrize("books", [{"positions": {BTC: "1"}}, {"balance": "9000"}])
def test_a_second_look_that_differs_halts_by_policy(books):
    rig = Rig(mismatch_policy="halt")
    entry = rig.place(Side.BUY, "1", order_type=LIMIT, price="99")
    rig.accept(entry)

    differ_twice(rig, **books)

    assert rig.session() is Status.ERROR
    assert "the books differ" in rig.state.status_reason
    assert rig.canceled() == [entry]
    assert rig.resyncs() == 0
    assert "books_differ" in rig.alarms()


def test_a_look_of_the_process_before_is_no_second_one():
    """Two starts within a moment look at one and the same answer that trails."""
    rig = Rig(mismatch_policy="halt")
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "1"})
    rig.restart()
    rig.now += NS_PER_S // 2
    rig.snapshot(positions={BTC: "1"})

    assert rig.session() is Status.STARTING
    assert rig.resyncs() == 1
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "1"})
    assert rig.session() is Status.ERROR


def test_another_difference_at_each_look_is_what_fills_look_like_that_are_not_listed_yet(rig):
    """The venue's positions are ahead of its lists of trades: each look misses the latest one."""
    for position in ("1", "3", "2", "5"):
        rig.now += NS_PER_S
        rig.snapshot(positions={BTC: position})

    assert rig.session() is Status.RUNNING
    assert [f.sightings for f in rig.ever(ev.BooksDiffered)] == [1, 1, 1, 1]


def test_the_same_gap_behind_a_fill_that_explains_it_is_another_difference(rig):
    """Two orders of one size, and a list of trades that trails the positions."""
    rig.snapshot(positions={BTC: "1"})
    first = execution(rig, "manual", "1", "t1")
    for _ in range(2):
        rig.now += NS_PER_S
        rig.snapshot(positions={BTC: "2"}, trades=(first,))

    assert [f.sightings for f in rig.ever(ev.BooksDiffered) if "position" in f.what] == [1, 1, 2]
    assert rig.session() is Status.ERROR


def test_positions_that_trail_behind_fills_of_one_size_are_no_difference_that_stays(rig):
    """Each look lists one more fill than the positions show: by as much each time."""
    told = []
    for each in range(7):
        rig.now += 2 * NS_PER_S
        told.append(execution(rig, "manual", "1", f"t{each}"))
        rig.now += NS_PER_S // 2
        rig.snapshot(positions={BTC: str(each)}, trades=tuple(told))

    assert rig.session() is Status.RUNNING
    assert {f.sightings for f in rig.ever(ev.BooksDiffered) if "position" in f.what} == {0}
    assert rig.resyncs() == 1  # until they agree


def test_positions_that_trail_behind_fills_that_no_list_shows_yet_are_no_difference_that_stays(rig):
    """The stream has told of each: the list of fills trails as the positions do."""
    for each in range(4):
        rig.now += 2 * NS_PER_S
        rig.hear(execution(rig, "manual", "1", f"t{each}"))
        rig.now += NS_PER_S // 2
        rig.snapshot(positions={BTC: str(each)}, trades=())

    assert rig.session() is Status.RUNNING
    assert {f.sightings for f in rig.ever(ev.BooksDiffered) if "position" in f.what} == {0}


def test_what_we_ask_of_an_order_puts_off_no_question_after_its_fills(rig):
    order = rig.order(rig.place(Side.BUY, "3", order_type=LIMIT, price="100"))
    rig.accept(order.cl_ord_id)
    rig.snapshot(
        orders=[rig.row(order.cl_ord_id, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal(1))]
    )
    asked_ts, rig.now = rig.now, rig.now + ANSWER_PATIENCE_NS + 2 * NS_PER_S
    assert is_due(order, asked_ts, rig.now, NS_PER_S)

    rig.hear(msg.CancelRequest(cl_ord_id=order.cl_ord_id))

    assert is_due(order, asked_ts, rig.now, NS_PER_S)


def test_balances_that_trail_behind_transfers_of_one_size_are_no_difference_that_stays(rig):
    """Each look lists one more than the balance shows: by as much each time."""
    told: list[msg.WalletChange] = []
    for each in range(7):
        rig.now += 2 * NS_PER_S
        told.append(deposit(rig, "-40", f"w{each}"))
        rig.now += NS_PER_S // 2
        rig.snapshot(balance=str(10_000 - 40 * each), changes=tuple(told))

    assert rig.session() is Status.RUNNING
    assert {f.sightings for f in rig.ever(ev.BooksDiffered) if "balance" in f.what} == {0}


def test_differences_that_money_explains_one_after_the_other_do_not_add_up(rig):
    """Each look shows one transfer in the balance that the ledger does not list yet."""
    told: list[msg.WalletChange] = []
    for each in range(7):
        rig.now += 2 * NS_PER_S
        latest = deposit(rig, str(each + 1), f"w{each}")
        rig.now += NS_PER_S // 2
        held = wallet(rig) + sum((c.amount for c in told[-1:]), Decimal(0)) + latest.amount
        rig.snapshot(balance=str(held), changes=tuple(told))
        told.append(latest)

    assert rig.session() is Status.RUNNING


def test_positions_that_trail_first_and_then_fills_are_no_difference_that_stays(rig):
    """Bought, which positions do not show yet; sold again, which no list of fills shows yet."""
    rig.now += NS_PER_S
    bought = execution(rig, "manual", "1", "t1")
    rig.now += NS_PER_S // 2
    rig.snapshot(positions={BTC: "0"}, trades=(bought,))
    rig.now += 3 * NS_PER_S
    rig.snapshot(positions={BTC: "0"}, trades=(bought,))

    assert rig.session() is Status.RUNNING


def test_differences_that_are_explained_wholly_one_after_the_other_do_not_add_up(rig):
    """Each look shows one fill in positions and balance that is not in the list of fills yet."""
    held, money = 0, wallet(rig)
    told: list[msg.ExecutionReport] = []
    for each, qty in enumerate("1231231"):
        rig.now += 2 * NS_PER_S
        latest, held = execution(rig, "manual", qty, f"t{each}"), held + int(qty)
        money -= latest.fee
        rig.now += NS_PER_S // 2
        rig.snapshot(positions={BTC: str(held)}, balance=str(money), trades=tuple(told))
        told.append(latest)

    assert rig.session() is Status.RUNNING
    assert {f.in_a_row for f in rig.ever(ev.BooksDiffered)} == {1}


def test_differences_that_are_explained_in_part_alone_add_up(rig):
    held = 0
    told: list[msg.ExecutionReport] = []
    for each, qty in enumerate("12312"):
        rig.now += 2 * NS_PER_S
        latest, held = execution(rig, "manual", qty, f"t{each}"), held + int(qty)
        rig.now += NS_PER_S // 2
        rig.snapshot(positions={BTC: str(held + 5)}, trades=tuple(told))
        told.append(latest)

    assert rig.session() is Status.ERROR


def test_a_gap_that_no_latest_fills_are_is_a_difference_whatever_else_is_filled(rig):
    told = []
    for each in range(2):
        rig.now += 2 * NS_PER_S
        told.append(execution(rig, "manual", "1", f"t{each}"))
        rig.now += NS_PER_S // 2
        rig.snapshot(positions={BTC: str(each + 3)}, trades=tuple(told))

    assert rig.session() is Status.ERROR


def test_a_gap_of_the_size_of_a_fill_that_is_long_past_is_a_difference(rig):
    rig.now += NS_PER_S
    old = execution(rig, "manual", "1", "t1")
    for _ in range(2):
        rig.now += 5 * NS_PER_S
        rig.snapshot(positions={BTC: "0"}, trades=(old,))

    assert rig.session() is Status.ERROR


@pytest.mark.parametrize("told", [deposit, funding])
def test_the_same_gap_behind_money_that_explains_it_is_another_difference(rig, told):
    """Two transfers of one amount, each in the balance before it is in the list."""
    held = wallet(rig)
    rig.snapshot(balance=str(held + 25))
    rig.hear(told(rig, "25", "c1"))
    for _ in range(2):
        rig.now += NS_PER_S
        rig.snapshot(balance=str(held + 50))

    assert [f.sightings for f in rig.ever(ev.BooksDiffered)] == [1, 1, 2]
    assert rig.session() is Status.ERROR


def test_a_fill_that_the_venue_dates_behind_the_look_explains_it_where_its_clock_is_ahead(rig):
    """Two fills of one size, each in the balance before it is heard of."""
    first = execution(rig, "manual", "1", "t1", ago=-0.3)
    money = wallet(rig)
    rig.snapshot(balance=str(money - first.fee))
    rig.hear(first)
    rig.now += 3 * NS_PER_S
    rig.snapshot(balance=str(money - 2 * first.fee))

    assert [f.sightings for f in rig.ever(ev.BooksDiffered)] == [1, 1]


def test_money_of_another_amount_explains_no_difference(rig):
    held = wallet(rig)
    rig.snapshot(balance=str(held + 25))
    rig.hear(deposit(rig, "20", "c1"))
    rig.now += NS_PER_S
    rig.snapshot(balance=str(held + 45))

    assert [f.sightings for f in rig.ever(ev.BooksDiffered)] == [1, 2]


def test_books_that_never_agree_stop_new_risk_though_they_differ_otherwise_each_time(rig):
    for position in ("1", "3", "2", "5", "4"):
        rig.now += NS_PER_S
        rig.snapshot(positions={BTC: position})

    assert rig.session() is Status.ERROR


def test_a_second_look_that_differs_adopts_by_policy():
    rig = Rig(mismatch_policy="adopt")

    differ_twice(rig, positions={BTC: "1"}, balance="9000")

    assert rig.session() is Status.RUNNING
    assert (rig.qty(), wallet(rig)) == (1, 9000)
    assert rig.state.position(KEY).entry_price == 100
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "1"}, balance="9000")
    assert rig.state.differences == {}


def test_adopting_flat_lets_go_of_what_was_held():
    rig = Rig(mismatch_policy="adopt")
    parent = rig.hold("2", stop_loss="90")

    differ_twice(rig, positions={BTC: "0"})

    assert rig.qty() == 0
    assert parent.open_qty == 0
    assert len(rig.canceled()) == 1  # the stop has nothing to protect


@pytest.mark.parametrize(("qty", "held"), [("4", (0, 4)), ("1", (0, 1)), ("7", (2, 4))])
def test_adopting_less_leaves_no_holding_that_is_not_there(qty, held):
    rig = Rig(mismatch_policy="adopt")
    parents = rig.hold("2", stop_loss="90"), rig.hold("4", stop_loss="95")

    differ_twice(rig, positions={BTC: qty})

    assert tuple(parent.open_qty for parent in parents) == held
    rig.accept(*[order.cl_ord_id for order in rig.submitted()])
    rig.hold("2", stop_loss="80")  # of which nothing is theirs
    stops = [stop for stop in rig.working(STOP) if stop.cancel is RequestState.NONE]
    assert sum(stop.leaves_qty for stop in stops) == sum(held) + 2


def test_a_position_that_the_venue_does_not_even_list_is_adopted_as_flat():
    rig = Rig(mismatch_policy="adopt")
    rig.hold("2")

    differ_twice(rig, positions={})

    assert rig.qty() == 0


def test_a_second_look_that_differs_adopts_and_flattens_by_policy():
    rig = Rig(mismatch_policy="flatten")

    differ_twice(rig, positions={BTC: "-2"})

    assert rig.qty() == -2
    [exit_] = rig.submitted()
    assert (exit_.side, exit_.qty, exit_.role) == (Side.BUY, Decimal(2), OrderRole.EXIT)


def test_flattening_what_is_flat_there_sends_nothing():
    rig = Rig(mismatch_policy="flatten")
    rig.hold("2")

    differ_twice(rig, positions={})

    assert rig.submitted() == []


def test_what_is_to_be_flattened_by_policy_is_closed_though_the_close_is_refused():
    rig = Rig(mismatch_policy="flatten")
    differ_twice(rig, positions={BTC: "2"})
    [exit_] = rig.submitted()
    rig.reject(exit_.cl_ord_id, code=-1008, reason="overloaded")

    again = closes_within(rig, 10)

    assert (again.side, again.qty, again.role) == (Side.SELL, Decimal(2), OrderRole.EXIT)
    rig.trade(again.cl_ord_id, "2")
    rig.hold("1")
    rig.wait(20)
    assert rig.qty() == 1  # what is opened later is nobody's mistake


@pytest.mark.parametrize("is_resumed", [True, False])
def test_what_is_to_be_flattened_by_policy_is_closed_by_the_next_process(is_resumed):
    """It died between the record of the close and its sending."""
    rig = Rig(mismatch_policy="flatten")
    differ_twice(rig, positions={BTC: "2"})
    [exit_] = rig.submitted()

    rig.now += NS_PER_S
    rig.restart(is_resumed=is_resumed)
    rig.snapshot(orders=[])
    rig.now += 60 * NS_PER_S
    rig.not_found(exit_.cl_ord_id)
    rig.snapshot(orders=[])

    assert closes_within(rig, 10).qty == 2


def test_what_was_to_be_flattened_is_kept_where_the_policy_is_another_one():
    rig = Rig(mismatch_policy="flatten")
    differ_twice(rig, positions={BTC: "2"})
    rig.reject(rig.submitted()[0].cl_ord_id)

    rig.settings = msgspec.structs.replace(rig.settings, mismatch_policy="adopt")
    rig.restart()
    rig.snapshot()
    sent = len(rig.submitted(rig.commands))
    rig.wait(20)

    assert len(rig.submitted(rig.commands)) == sent


def test_a_position_that_has_turned_is_not_what_was_to_be_flattened():
    rig = Rig(mismatch_policy="flatten")
    differ_twice(rig, positions={BTC: "2"})
    rig.reject(rig.submitted()[0].cl_ord_id)

    entry = rig.place(Side.SELL, "3")
    rig.trade(entry, "3")
    sent = len(rig.submitted(rig.commands))
    rig.wait(20)

    assert (rig.qty(), len(rig.submitted(rig.commands))) == (-1, sent)


def test_a_close_by_policy_that_is_refused_again_and_again_is_told():
    rig = Rig(mismatch_policy="flatten")
    differ_twice(rig, positions={BTC: "2"})

    for _ in range(20):
        for order in rig.submitted():
            rig.reject(order.cl_ord_id, code=-4131, reason="PERCENT_PRICE")
        rig.wait(1)

    assert rig.alarms() == ["books_differ", "close_refused"]


def closes_within(rig, seconds):
    """Let time pass until a close goes out, and return it."""
    for _ in range(seconds):
        rig.wait(1)
        if rig.submitted():
            break
    [order] = rig.submitted()
    return order


def test_a_difference_that_keeps_coming_back_halts_whatever_the_policy():
    rig = Rig(mismatch_policy="adopt")
    for number in range(SIGHTINGS_BELIEVED + 1):
        assert rig.session() is Status.RUNNING
        rig.now += NS_PER_S
        rig.snapshot(positions={BTC: str(number + 1)})

    assert rig.session() is Status.ERROR
    assert "has differed 6 times in a row" in rig.state.status_reason


@pytest.mark.parametrize("is_resumed", [False, True])
def test_books_that_differed_in_error_are_adopted_by_the_start_behind_it(is_resumed):
    """A person was told, looked, and starts anew with the venue's books a minute later."""
    rig = Rig(mismatch_policy="halt")
    differ_twice(rig, positions={BTC: "1"})
    for _ in range(6):
        rig.wait(10)
        rig.snapshot(positions={BTC: "1"})
    assert {found.in_a_row for found in rig.state.differences.values()} == {2}  # it was judged
    rig.settings = msgspec.structs.replace(rig.settings, mismatch_policy="adopt")
    rig.restart(is_resumed=is_resumed)

    differ_twice(rig, positions={BTC: "1"})
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "1"})

    assert (rig.session(), rig.qty()) == (Status.RUNNING, 1)


def test_one_look_of_a_new_session_closes_nothing_whatever_was_seen_before_it():
    """The person has sold it at the venue, and the first list trails by a second."""
    rig = Rig(mismatch_policy="halt")
    rig.hold("1")
    differ_twice(rig, positions={BTC: "3"})
    for _ in range(6):
        rig.wait(10)
        rig.snapshot(positions={BTC: "3"})
    rig.hear(msg.ResetSession(reason="seen"))
    rig.settings = msgspec.structs.replace(rig.settings, mismatch_policy="flatten")
    rig.restart(is_resumed=False)
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "3"})
    assert rig.submitted() == []
    rig.now += NS_PER_S
    rig.snapshot(positions={BTC: "1"})

    assert (rig.session(), rig.qty()) == (Status.RUNNING, 1)


def test_a_session_that_dies_behind_each_look_comes_to_a_verdict():
    rig = Rig(mismatch_policy="halt")
    for _ in range(CHANGING_MAX):
        assert rig.session() is not Status.ERROR
        rig.now += NS_PER_S
        rig.restart()
        rig.snapshot(positions={BTC: "1"})

    assert rig.session() is Status.ERROR


def test_a_session_does_not_start_on_books_that_differ(rig):
    rig.restart()
    rig.snapshot(positions={BTC: "1"})
    assert rig.session() is Status.STARTING

    rig.now += NS_PER_S
    rig.snapshot(positions={})
    assert rig.session() is Status.RUNNING


def test_a_stopped_session_does_not_look_again_and_again(rig):
    rig.hear(msg.StopSession(reason="x"))
    rig.wait(1)
    assert rig.session() is Status.STOPPED

    for _ in range(3):
        rig.snapshot(positions={BTC: "1"})
        assert rig.resyncs() == 0


# No false alarms


def test_a_fill_heard_after_the_question_makes_the_answer_too_old_to_compare(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="100")
    asked_ts = rig.now
    rig.now += NS_PER_S
    rig.trade(order, "1")

    rig.snapshot(positions={}, balance="10000", asked_ts=asked_ts)

    assert rig.told(ev.BooksDiffered) == []
    assert rig.told(ev.BooksAgreed) == []


def test_a_trade_after_the_question_makes_the_answer_too_young_to_compare(rig):
    asked_ts = rig.now
    rig.now += NS_PER_S
    trade = execution(rig, "manual", "1", "t1", ago=0.5)

    rig.snapshot(
        positions={}, balance="10000", asked_ts=asked_ts, taken_ts=rig.now, trades=(trade,)
    )

    assert rig.qty() == 1
    assert rig.told(ev.BooksDiffered) == []


def test_fills_that_the_venue_has_named_are_waited_for_within_bounds(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="100")
    rig.accept(order)
    rig.now += NS_PER_S
    row = [rig.row(order, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal(1))]
    rig.snapshot(positions={BTC: "1"}, orders=row)
    assert rig.told(ev.BooksDiffered) == []
    assert rig.resyncs() == 1

    rig.now += FILLS_PATIENCE_NS
    rig.snapshot(positions={BTC: "1"}, orders=row)
    assert len(rig.told(ev.BooksDiffered)) == 1


def test_what_we_ask_of_an_order_is_no_reason_to_wait_longer_for_its_fills(rig):
    order = rig.place(Side.BUY, "3", order_type=LIMIT, price="100")
    rig.accept(order)
    rig.now += NS_PER_S
    row = [rig.row(order, OrderStatus.PARTIALLY_FILLED, cum_qty=Decimal(1))]
    rig.snapshot(positions={BTC: "1"}, orders=row)

    for _ in range(FILLS_PATIENCE_NS // (6 * NS_PER_S)):
        rig.now += 6 * NS_PER_S
        rig.hear(msg.CancelRequest(cl_ord_id=order))
        rig.refuse(order, msg.Request.CANCEL)
    rig.snapshot(positions={BTC: "1"}, orders=row)

    assert len(rig.told(ev.BooksDiffered)) == 1


def test_agreement_is_a_fact_only_now_and_then(rig):
    rig.now += 100 * NS_PER_S
    rig.snapshot()
    assert len(rig.told(ev.BooksAgreed)) == 1

    rig.now += 10 * NS_PER_S
    rig.snapshot()
    assert rig.told(ev.BooksAgreed) == []


# The road


def test_a_link_that_comes_back_is_followed_by_a_look_at_the_books(rig):
    rig.hear(msg.VenueLink(is_up=False, reason="socket closed"))
    assert rig.alarms() == ["link_down"]
    assert rig.resyncs() == 0

    rig.hear(msg.VenueLink(is_up=True))
    assert rig.asked[0].reason == "the connection came back"


def test_a_wallet_in_another_asset_is_compared_too(rig):
    rig.now += NS_PER_S
    rig.hear(
        msg.VenueSnapshot(
            asked_ts=rig.now,
            taken_ts=rig.now,
            orders=(),
            positions=(),
            balances={"USDT": Decimal(10_000), "BNB": Decimal(1)},
        )
    )

    [fact] = rig.told(ev.BooksDiffered)
    assert (fact.what, fact.ours, fact.theirs) == ("balance BNB", ZERO, 1)


def test_a_difference_that_halted_a_session_is_told_of_once_and_so_is_another():
    rig = Rig()
    for _ in range(10):
        rig.snapshot(balance="9000")
        rig.wait(10)
    assert rig.alarms() == ["books_differ", "session_error"]

    for _ in range(10):
        rig.snapshot(balance="8000")
        rig.wait(10)
    assert rig.alarms() == ["books_differ", "session_error", "books_differ"]


def test_books_that_nobody_can_read_for_half_a_minute_are_told_of_and_again_in_ten(rig):
    begun_ts = rig.now
    for _ in range(75):
        rig.wait(10)
        rig.hear(msg.AuditDue(account=MAIN, reason="audit"))
    assert rig.alarms() == ["books_unread", "books_unread"]
    assert rig.ever(ev.AlarmRaised)[0].ts - begun_ts == 40 * NS_PER_S  # asked for 10 s later

    rig.snapshot()
    for _ in range(75):
        rig.wait(10)
        rig.hear(msg.AuditDue(account=MAIN, reason="audit"))
        rig.snapshot()
    assert rig.alarms() == ["books_unread", "books_unread"]


def test_books_that_have_not_been_begun_are_not_told_of_as_unread():
    rig = Rig(start=False)
    rig.begin()
    for _ in range(10):
        rig.wait(10)
        rig.hear(msg.AuditDue(account=MAIN, reason="audit"))

    assert "books_unread" not in rig.alarms()


def begun_anew():
    """Return a rig whose opening lost its end to a power cut, and the exit that filled before it.

    What was held was known, and closed by hand during the start.
    """
    rig = new()
    rig.snapshot(balance="500", positions={BTC: "2"})
    opened = next(n for n, f in enumerate(rig.facts) if isinstance(f, ev.WalletChanged))
    later = Rig(start=False, facts=rig.facts[:opened])
    later.epoch = 1
    later.begin(is_resumed=True)
    later.hear(msg.CloseRequest(account=MAIN, symbol=BTC))
    [name] = [each.cl_ord_id for each in later.submitted()]
    fill = execution(later, name, "2", "t1")
    later.hear(msgspec.structs.replace(fill, cum_qty=Decimal(2), status=OrderStatus.FILLED))
    for _ in range(3):
        later.now += 10 * NS_PER_S
        later.snapshot(balance="499", positions={})
    assert later.order(name).is_open
    return later, msgspec.structs.replace(
        fill, exec_type=ExecType.STATUS, cum_qty=Decimal(2), status=OrderStatus.FILLED
    )


@pytest.mark.parametrize("cum_qty", ["2", "3"], ids=["all", "more than it was for"])
def test_an_exit_that_filled_before_the_books_were_begun_anew_is_filled(cum_qty):
    rig, told = begun_anew()

    rig.hear(msgspec.structs.replace(told, cum_qty=Decimal(cum_qty)))
    rig.snapshot()

    assert rig.session() is Status.RUNNING
    assert rig.order(told.cl_ord_id).status is OrderStatus.FILLED
    assert (rig.qty(), wallet(rig), rig.ever(ev.OrderFilled)) == (0, 499, [])


@pytest.mark.parametrize("why", ["it may fill on", "it ended behind the opening"])
def test_what_an_order_may_have_filled_behind_the_opening_is_no_part_of_that(why):
    rig, told = begun_anew()
    if why == "it may fill on":
        told = msgspec.structs.replace(told, status=OrderStatus.PARTIALLY_FILLED)
    else:
        told = msgspec.structs.replace(told, venue_ts=rig.state.account(MAIN).opened_ts)

    rig.hear(told)

    assert rig.ever(ev.FillRecognized) == []
