"""Two accounts of one engine: books, troubles and limits of each are its own."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import forgetting, housekeeping
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import InputError
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_DAY,
    NS_PER_S,
    AccountId,
    OrderStatus,
    OrderType,
    SessionId,
    Side,
    TradingSessionStatus,
)
from tests.engine.rig import BTC, ETH, Rig, contract

OTHER = AccountId("other")
BOTH = (MAIN, OTHER)
PLAIN = {"stop_loss_pct": Decimal(0), "take_profit_pct": Decimal(0)}


class TwoAccounts(Rig):
    """The rig with a second account, 5,000 USDT on it, whose venue is asked by itself."""

    def begin(self, *, is_resumed=False):
        self.epoch += 1
        self.hear(
            msg.StartSession(
                session_id=SessionId("x"),
                portfolio_id="p",
                epoch=self.epoch,
                accounts=(MAIN, OTHER),
                symbols=self.symbols,
                is_resumed=is_resumed,
            )
        )

    def start(self):
        self.begin()
        for account in (MAIN, OTHER):
            for symbol in self.symbols:
                listed = msg.InstrumentListed(
                    account=account, instrument=contract(symbol), leverage=10
                )
                self.hear(listed)
                self.price(100.0, symbol)
        self.books(MAIN, "10000")
        self.books(OTHER, "5000")

    def books(self, account, balance=None, orders=None):
        """An account's books at its venue, as ours are."""
        state = self.state
        positions = [
            msg.VenuePosition(symbol=key[1], qty=held.qty, entry_price=held.entry_price)
            for key, held in state.positions.items()
            if key[0] == account
        ]
        open_there = [
            self.row(order.cl_ord_id, account=account)
            for order in state.all_open_orders()
            if order.request.account == account
        ]
        orders = open_there if orders is None else orders
        wallet = state.account(account).wallet("USDT") if balance is None else Decimal(balance)
        self.hear(
            msg.VenueSnapshot(
                account=account,
                asked_ts=self.now,
                taken_ts=self.now,
                orders=tuple(orders),
                positions=tuple(positions),
                balances={"USDT": wallet},
            )
        )

    def unknown_on(self, account, order):
        submit = msg.Request.SUBMIT
        self.hear(
            msg.OutcomeUnknown(
                account=account, symbol=BTC, cl_ord_id=order, request=submit, reason="?"
            )
        )

    def not_found_on(self, account, order):
        self.hear(
            msg.OrderNotFound(account=account, symbol=BTC, cl_ord_id=order, asked_ts=self.now)
        )

    def reject_on(self, account, order):
        """Have an account's venue refuse an order."""
        rejected = OrderStatus.REJECTED
        self.report(order, ExecType.REJECTED, rejected, account=account, code=-1, reason="no")

    def fill(self, account, qty, side=Side.BUY):
        """Open a position by hand."""
        order = self.place(side, qty, account=account)
        self.report(order, ExecType.NEW, OrderStatus.NEW, account=account)
        self.trade(order, qty, account=account)


@pytest.fixture
def rig():
    return TwoAccounts(**PLAIN)


def qty(rig, account):
    return rig.state.position((account, BTC)).qty


def test_the_session_runs_once_the_books_of_each_account_have_agreed():
    rig = TwoAccounts(start=False, **PLAIN)
    rig.begin()
    assert [command.account for command in rig.asked if isinstance(command, cmd.Resync)] == [
        MAIN,
        OTHER,
    ]

    rig.books(OTHER, "5000")
    rig.books(OTHER)
    assert rig.state.status.name == "STARTING"
    rig.books(MAIN, "10000")

    assert rig.state.status.name == "RUNNING"


def test_after_a_restart_an_account_that_differs_holds_the_start_up(rig):
    rig.fill(OTHER, "2")
    rig.restart()
    rig.books(MAIN)
    rig.hear(
        msg.VenueSnapshot(
            account=OTHER,
            asked_ts=rig.now,
            taken_ts=rig.now,
            orders=(),
            positions=(),
            balances={"USDT": rig.state.account(OTHER).wallet("USDT")},
        )
    )
    assert rig.state.status.name == "STARTING"
    rig.books(MAIN)
    assert rig.state.status.name == "STARTING"

    rig.books(OTHER)
    assert rig.state.status.name == "RUNNING"
    assert (qty(rig, MAIN), qty(rig, OTHER)) == (0, 2)


def test_positions_and_wallets_are_each_accounts_own(rig):
    rig.fill(MAIN, "2")
    rig.fill(OTHER, "1", Side.SELL)

    assert (qty(rig, MAIN), qty(rig, OTHER)) == (2, -1)
    assert rig.state.account(MAIN).wallet("USDT") == Decimal("9999.99")
    assert rig.state.account(OTHER).wallet("USDT") == Decimal("4999.99")


def test_trades_of_one_number_on_two_accounts_are_two(rig):
    for account in (MAIN, OTHER):
        order = rig.place(qty="1", account=account)
        rig.trade(order, "1", account=account, trade_id="7")

    assert (qty(rig, MAIN), qty(rig, OTHER)) == (1, 1)


@pytest.mark.parametrize("trouble", ["breaker", "link"])
def test_trouble_of_one_account_stops_neither_the_others_entries_nor_its_own_exits(rig, trouble):
    rig.fill(MAIN, "1")
    rig.fill(OTHER, "1")
    if trouble == "breaker":
        for _ in range(rig.settings.breaker_threshold):
            rig.hear(msg.VenueFailure(account=OTHER, failure="venue", reason="503"))
    else:
        rig.hear(msg.VenueLink(account=OTHER, is_up=False, reason="gone"))

    assert rig.place(qty="2", account=OTHER) is None
    assert rig.told(ev.OrderDenied)[0].rule == trouble
    assert rig.place(qty="2", account=MAIN) is not None
    for account in (MAIN, OTHER):
        rig.hear(msg.CloseRequest(symbol=BTC, account=account))
        assert [order.account for order in rig.submitted()] == [account]


def test_messages_are_counted_by_account():
    rig = TwoAccounts(
        limits={"max_messages": 3, "message_reserve": 1, "duplicate_window_s": 0}, **PLAIN
    )
    for _ in range(2):
        assert rig.place(qty="1", account=OTHER) is not None
    assert rig.place(qty="1", account=OTHER) is None
    assert rig.told(ev.OrderDenied)[0].rule == "message_throttle"

    assert rig.place(qty="1", account=MAIN) is not None


def test_the_kill_switch_closes_every_account_and_is_verified_at_each(rig):
    rig.fill(MAIN, "1")
    rig.fill(OTHER, "2", Side.SELL)
    entry = rig.place(qty="1", order_type=OrderType.LIMIT, price="90", account=OTHER)

    rig.hear(msg.EngageKillSwitch(reason="panic", flatten=True))
    exits = {order.account: order for order in rig.submitted()}
    assert rig.canceled() == [entry]
    assert {name: (o.side, o.qty) for name, o in exits.items()} == {
        MAIN: (Side.SELL, 1),
        OTHER: (Side.BUY, 2),
    }
    rig.report(entry, ExecType.CANCELED, OrderStatus.CANCELED, account=OTHER)
    for account, order in exits.items():
        rig.trade(order.cl_ord_id, str(order.qty), account=account)

    rig.books(MAIN)
    assert not rig.state.is_kill_verified
    rig.books(OTHER)
    assert rig.state.is_kill_verified


def test_an_order_reported_on_another_account_shows_two_keys_of_one_and_stops_trading(rig):
    order = rig.place(qty="1", account=MAIN)
    rig.trade(order, "1", account=OTHER)

    assert rig.state.status.name == "ERROR"
    assert "two keys of one account" in rig.state.status_reason
    assert (qty(rig, MAIN), qty(rig, OTHER)) == (0, 0)


def test_an_order_of_others_that_both_accounts_show_is_of_two_keys_of_one_too(rig):
    for account in (MAIN, OTHER):
        rig.report(
            "phone-1",
            ExecType.NEW,
            OrderStatus.NEW,
            account=account,
            venue_order_id="71",
            qty=Decimal(2),
        )

    assert "two keys of one account" in rig.state.status_reason


def test_an_order_of_others_that_has_one_name_on_two_accounts_does_not_stay_where_none_may():
    rig, asked = TwoAccounts(**PLAIN, foreign_order_policy="cancel"), []
    for account, number in ((MAIN, "71"), (OTHER, "72")):
        where = {"account": account, "venue_order_id": number}
        rig.report("copy-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(2), **where)
        asked += [c for c in rig.asked if isinstance(c, cmd.CancelOrder)]

    assert rig.state.status.name == "RUNNING"
    told = [(each.account, each.cl_ord_id, each.venue_order_id) for each in asked]
    assert told == [(MAIN, "copy-1", ""), (OTHER, "order-72", "72")]


def test_orders_of_others_halt_the_session_where_that_is_the_policy_whatever_their_names():
    rig = TwoAccounts(**PLAIN, foreign_order_policy="halt")
    where = {"account": OTHER, "venue_order_id": "72"}
    rig.report("copy-1", ExecType.NEW, OrderStatus.NEW, qty=Decimal(2), **where)

    assert rig.state.status.name == "ERROR"


def deleverage(rig, account, qty, number, *, symbol=BTC):
    """Let the venue take a part of a long position: each such order has the same client id."""
    where = {"account": account, "symbol": symbol, "side": Side.SELL, "venue_order_id": number}
    amount = Decimal(qty)
    rig.report("adl_autoclose", ExecType.NEW, OrderStatus.NEW, qty=amount, **where)
    rig.trade("adl_autoclose", qty, cum_qty=amount, status=OrderStatus.FILLED, of=qty, **where)


@pytest.mark.parametrize("policy", ["adopt", "cancel", "halt"])
def test_two_accounts_that_are_deleveraged_at_once_stop_nobody(policy):
    rig = TwoAccounts(**PLAIN, foreign_order_policy=policy)
    rig.fill(MAIN, "3")
    rig.fill(OTHER, "3")

    deleverage(rig, MAIN, "1", "71")
    deleverage(rig, OTHER, "2", "72")
    deleverage(rig, MAIN, "1", "73")

    assert rig.state.status.name == "RUNNING"
    assert (qty(rig, MAIN), qty(rig, OTHER)) == (1, 1)
    assert list(rig.state.all_open_orders()) == []
    told = [f.account for f in rig.ever(ev.AlarmRaised) if f.code == "closed_by_venue"]
    assert told == [MAIN, OTHER]
    assert not [c for c in rig.commands if isinstance(c, cmd.CancelOrder)]


def test_one_account_that_is_deleveraged_in_two_contracts_stops_nobody_where_others_would():
    rig = Rig(**PLAIN, foreign_order_policy="halt")
    for number, symbol in (("71", BTC), ("72", ETH)):
        order = rig.place(qty="3", symbol=symbol)
        rig.trade(order, "3", symbol=symbol)
        deleverage(rig, MAIN, "1", number, symbol=symbol)

    assert rig.state.status.name == "RUNNING"
    assert [rig.qty(symbol) for symbol in (BTC, ETH)] == [2, 2]


def test_orders_of_others_that_have_one_name_are_told_apart(rig):
    """Somebody copies trades to both accounts, and names them alike."""
    where = {MAIN: "71", OTHER: "72"}
    for account, number in where.items():
        rig.report(
            "copy-1",
            ExecType.NEW,
            OrderStatus.NEW,
            account=account,
            venue_order_id=number,
            order_type=OrderType.LIMIT,
            qty=Decimal(2),
            price=Decimal(90),
        )
    rig.trade("copy-1", "1", account=OTHER, venue_order_id="72", of="2")

    found = {o.request.account: o for o in rig.state.all_open_orders()}
    assert {name: (o.venue_order_id, o.leaves_qty) for name, o in found.items()} == {
        MAIN: ("71", 2),
        OTHER: ("72", 1),
    }
    assert (rig.state.status.name, qty(rig, OTHER)) == ("RUNNING", 1)

    listed = [
        rig.row("copy-1", account=account, venue_order_id=number)
        for account, number in where.items()
    ]
    rig.now += 60_000_000_000
    for account, row in zip(where, listed, strict=True):
        held = [msg.VenuePosition(symbol=BTC, qty=qty(rig, account), entry_price=Decimal(100))]
        rig.hear(
            msg.VenueSnapshot(
                account=account,
                asked_ts=rig.now,
                taken_ts=rig.now,
                orders=(row,),
                positions=tuple(each for each in held if each.qty),
                balances={"USDT": rig.state.account(account).wallet("USDT")},
            )
        )
        assert [c for c in rig.asked if isinstance(c, cmd.QueryOrder)] == []
    assert len(list(rig.state.all_open_orders())) == 2


def test_doubts_of_one_account_do_not_keep_the_others_from_being_asked_after(rig, monkeypatch):
    monkeypatch.setattr(housekeeping, "QUERIES_PER_TICK", 1)
    for account in (OTHER, MAIN):
        order = rig.place(qty="1", account=account)
        rig.hear(
            msg.OutcomeUnknown(
                account=account, symbol=BTC, cl_ord_id=order, request=msg.Request.SUBMIT, reason="?"
            )
        )
    rig.wait(1)
    asked = [command.account for command in rig.asked if isinstance(command, cmd.QueryOrder)]

    assert sorted(asked) == [MAIN, OTHER]


def test_what_protects_does_not_wait_for_the_books_of_another_account_at_a_start(rig):
    entry = rig.place(qty="1", stop_loss="90")
    rig.accept(entry)
    rig.trade(entry, "1")
    lost = rig.submitted()[0].cl_ord_id
    rig.unknown(lost)
    rig.wait(1)
    rig.restart()
    rig.books(MAIN, orders=())
    asked = []
    while rig.now < rig.order(lost).fence_ts:
        rig.wait(1)
        asked += rig.queried()
    rig.now += 1
    rig.not_found(lost)

    assert rig.session() is TradingSessionStatus.STARTING
    assert asked.count(lost) >= 3
    assert [order.trigger_price for order in rig.submitted()] == [90]
    assert "protection_missing" in rig.alarms()


def test_time_sends_nothing_for_an_account_whose_books_have_not_agreed_since_a_start(rig):
    rig.fill(OTHER, "1")
    rig.place(qty="1", account=OTHER)
    rig.place(qty="1", account=MAIN)
    rig.hear(msg.EngageKillSwitch(reason="k", flatten=True))
    closes = [order for order in rig.submitted() if order.account == OTHER]
    rig.reject_on(OTHER, closes[0].cl_ord_id)
    rig.restart()
    rig.books(MAIN)
    before = len(rig.commands), len(rig.facts)
    rig.wait(60)
    new = {type(command) for command in rig.commands[before[0] :]}
    facts = {type(fact) for fact in rig.facts[before[1] :]}

    assert rig.session() is TradingSessionStatus.STARTING
    assert new <= {cmd.QueryOrder}
    assert not facts & {ev.EquitySampled, ev.TradingDayStarted}

    rig.books(OTHER)
    assert [order.account for order in rig.submitted()] == [OTHER]  # and now it is closed


def test_no_stop_goes_out_at_a_start_before_its_own_account_has_books(rig):
    entry = rig.place(qty="1", stop_loss="90", account=OTHER)
    rig.report(entry, ExecType.NEW, OrderStatus.NEW, account=OTHER)
    rig.trade(entry, "1", account=OTHER)
    rig.reject_on(OTHER, rig.submitted()[0].cl_ord_id)
    rig.restart()
    rig.price(100.0)
    rig.books(MAIN)
    before = len(rig.commands)
    rig.wait(60)
    assert not [each for each in rig.commands[before:] if isinstance(each, cmd.SubmitOrder)]

    rig.books(OTHER, orders=())
    rig.wait(5)
    sent = [each.order for each in rig.commands[before:] if isinstance(each, cmd.SubmitOrder)]
    assert [(each.account, each.trigger_price) for each in sent] == [(OTHER, Decimal(90))]


@pytest.mark.parametrize("ready", BOTH)
def test_margins_are_guarded_at_a_start_where_an_accounts_books_are_there_alone(rig, ready):
    rig.fill(OTHER, "1")
    rig.trade("manual", "499", account=OTHER, fee=Decimal(0))
    rig.restart()
    rig.price(90.1)
    rig.books(ready)
    before = len(rig.facts)
    rig.wait(3)

    closes = [each.order for each in rig.facts[before:] if isinstance(each, ev.OrderSubmitted)]
    assert {order.account for order in closes} == ({OTHER} if ready == OTHER else set())
    assert rig.session() is TradingSessionStatus.STARTING


def test_an_order_is_not_given_up_at_a_start_before_its_account_was_looked_at(rig):
    entry = rig.place(qty="1", stop_loss="90", account=OTHER)
    rig.report(entry, ExecType.NEW, OrderStatus.NEW, account=OTHER)
    rig.trade(entry, "1", account=OTHER)
    lost = rig.submitted()[0].cl_ord_id
    rig.unknown_on(OTHER, lost)
    rig.restart()
    rig.wait(60)  # the venue has another stop, which a power cut took off the record

    rig.not_found_on(OTHER, lost)
    assert (rig.order(lost).status, rig.submitted()) == (OrderStatus.PENDING_NEW, [])

    rig.books(OTHER, orders=())
    assert lost in rig.queried()
    rig.not_found_on(OTHER, lost)
    assert [order.trigger_price for order in rig.submitted()] == [90]


def test_an_alarm_names_its_account_where_there_are_two(rig):
    rig.hear(msg.VenueLink(account=OTHER, is_up=False, reason="gone"))

    told = [command.text for command in rig.asked if isinstance(command, cmd.Notify)]
    assert told == ["link_down on account other: gone"]


def test_a_difference_of_an_account_that_is_not_traded_any_more_holds_no_start_up(rig):
    rig.hear(
        msg.VenueSnapshot(
            account=OTHER,
            asked_ts=rig.now,
            taken_ts=rig.now,
            orders=(),
            positions=(),
            balances={"USDT": Decimal(1)},
        )
    )
    assert rig.state.differences
    later = Rig(start=False, facts=rig.facts, **PLAIN)
    later.epoch = rig.epoch
    later.now = rig.now
    later.begin(is_resumed=True)
    later.snapshot()

    assert later.state.status.name == "RUNNING"


def later_without_other(rig):
    """The next process's session, whose settings name the main account alone."""
    later = Rig(start=False, facts=rig.facts, **PLAIN)
    later.epoch, later.now = rig.epoch, rig.now
    later.begin(is_resumed=True)
    return later


def test_what_was_still_to_be_sent_on_an_account_that_is_left_out_is_told_and_not_sent(rig):
    part = rig.place(qty="4", account=OTHER, algo="twap:over=20s,slices=4")
    rig.report(part, ExecType.EXPIRED, OrderStatus.EXPIRED, account=OTHER)
    later = later_without_other(rig)
    told = [command.text for command in later.asked if isinstance(command, cmd.Notify)]
    later.snapshot()
    for parent in list(later.state.parents.values()):
        later.now += 60 * NS_PER_S
        later.price(100.0)
        later.hear(msg.TimerFired(parent_id=parent.parent_id))

    assert later.state.status.name == "RUNNING"
    assert not [c for c in later.commands if isinstance(c, cmd.SetTimer | cmd.SubmitOrder)]
    text = "twap 1 of operator ended with 0 of 4 filled: its account other is not traded any more"
    assert told == [f"algo_short: BTCUSDT: {text}"]


def test_the_end_of_a_contract_is_not_told_for_an_account_that_is_left_out(rig):
    ends = rig.now + 5 * NS_PER_DAY
    ending = contract(BTC, delivery_ts=ends)
    rig.hear(msg.InstrumentListed(account=OTHER, instrument=ending, leverage=10))
    later = later_without_other(rig)
    later.snapshot()
    later.now = ends - 60 * NS_PER_S
    later.tick()

    assert "contract_ends" not in [f.code for f in later.news if isinstance(f, ev.AlarmRaised)]


def test_an_order_of_others_that_has_one_name_on_two_accounts_is_asked_for_by_its_number(rig):
    plain = {"qty": Decimal(2), "price": Decimal(90)}
    for account, number in ((MAIN, "71"), (OTHER, "72")):
        where = {"account": account, "venue_order_id": number, "order_type": OrderType.LIMIT}
        rig.report("copy-1", ExecType.NEW, OrderStatus.NEW, **where, **plain)
    asked = {}
    for order in rig.state.all_open_orders():
        rig.hear(msg.CancelRequest(cl_ord_id=order.cl_ord_id))
        refused = {"account": order.request.account, "symbol": BTC, "cl_ord_id": order.cl_ord_id}
        (cancel,) = [c for c in rig.asked if isinstance(c, cmd.CancelOrder)]
        rig.hear(msg.RequestRefused(**refused, request=msg.Request.CANCEL, code=-2011))
        (query,) = [c for c in rig.asked if isinstance(c, cmd.QueryOrder)]
        asked[order.request.account] = [
            (each.cl_ord_id, each.venue_order_id) for each in (cancel, query)
        ]

    assert asked == {MAIN: [("copy-1", "")] * 2, OTHER: [("order-72", "72")] * 2}


def test_a_request_id_that_was_used_on_another_account_is_refused(rig):
    """Whoever trades alike on two accounts is told that the second order did not go out."""
    assert rig.place(qty="1", account=MAIN, request_id="r1")
    with pytest.raises(InputError, match=r"r1 is the request of BUY .* BTCUSDT on main"):
        rig.place(qty="1", account=OTHER, request_id="r1")

    assert rig.place(qty="1", account=MAIN, request_id="r1") is None
    assert rig.place(qty="1", account=OTHER, request_id="r2")


def test_a_busy_account_does_not_make_another_s_executions_forgotten(rig, monkeypatch):
    """Nobody reads what the other has for long: cut off, or left out of the settings."""
    monkeypatch.setattr(forgetting, "TRADES_REMEMBERED", 5)
    order = rig.place(qty="2", account=OTHER)
    where = {"account": OTHER, "trade_id": "t1", "last_qty": Decimal(2), "last_px": Decimal(100)}
    done = {"cum_qty": Decimal(2), "fee": Decimal("0.01")}
    rig.report(order, ExecType.TRADE, OrderStatus.FILLED, **where, **done)
    for _ in range(10):
        rig.fill(MAIN, "0.1")
        rig.now += 3600 * NS_PER_S
        rig.price(100.0)
        rig.books(MAIN)
    rig.report(order, ExecType.TRADE, OrderStatus.FILLED, **where, **done)

    assert qty(rig, OTHER) == 2
    assert len(rig.state.trades_seen) <= 6


def test_the_first_execution_behind_a_busy_account_s_is_booked_once(rig, monkeypatch):
    """Of as many as are kept none is past, and the only one of this account is the newest."""
    monkeypatch.setattr(forgetting, "TRADES_REMEMBERED", 5)
    order = rig.place(qty="2", account=OTHER)
    for _ in range(6):
        rig.now += NS_PER_S
        rig.price(100.0)
        rig.fill(MAIN, "0.1")
    where = {"account": OTHER, "trade_id": "t1", "last_qty": Decimal(2), "last_px": Decimal(100)}
    done = {"cum_qty": Decimal(2), "fee": Decimal("0.01")}
    for _ in range(2):
        rig.report(order, ExecType.TRADE, OrderStatus.FILLED, **where, **done)

    assert qty(rig, OTHER) == 2
    assert len(rig.state.trades_seen) == 5


def hedged(**limits):
    """Ten long on one account and ten short on the other, whose curve begins half a minute later."""
    rig = TwoAccounts(limits={"disabled": HEDGING, **limits}, **PLAIN)
    rig.fill(MAIN, "10")
    rig.tick()
    rig.now += 30 * NS_PER_S
    rig.price(100.0)
    rig.fill(OTHER, "10", Side.SELL)
    rig.tick()
    return rig


HEDGING = ("correlation", "position_size", "leverage", "margin", "drawdown", "price_collar")


def test_accounts_that_hedge_each_other_have_no_peak_that_they_never_had():
    """Each one's sample counted beside what the other had been at its last: at another price."""
    rig = hedged(max_portfolio_drawdown_pct=Decimal("0.01"))
    for price in (130.0, 100.0, 130.0, 100.0):
        rig.now += 30 * NS_PER_S
        rig.price(price)
        rig.tick()

    assert rig.state.portfolio_peaks["USDT"] <= 15_000
    assert rig.place(qty="1") is not None, rig.told(ev.OrderDenied)


def test_an_account_whose_books_begin_later_is_sampled_with_the_others_from_then_on():
    rig = TwoAccounts(start=False, **PLAIN)
    rig.begin()
    rig.books(MAIN, "10000")
    rig.tick()
    rig.now += 20 * NS_PER_S
    rig.books(OTHER, "5000")

    begun = rig.now
    assert [f.account for f in rig.ever(ev.EquitySampled) if f.ts == begun] == [MAIN, OTHER]
    rig.wait(130)
    later = [(f.ts, f.account) for f in rig.ever(ev.EquitySampled) if f.ts > begun]
    assert later == [(begun + n * 60 * NS_PER_S, name) for n in (1, 2) for name in BOTH]
