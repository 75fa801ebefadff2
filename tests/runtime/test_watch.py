"""The drop copy: what is a sight, when it is an alarm, and that it can do nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from holdfast.journal import Owner, open_journal
from holdfast.journal.reading import Tables
from holdfast.model import events as ev
from holdfast.model.config import TradingConfig
from holdfast.model.config_keys import watch_keys_of
from holdfast.model.errors import ConfigError, JournalError, NetworkError
from holdfast.model.messages import ExecType, ExecutionReport
from holdfast.model.values import (
    MAIN,
    ClOrdId,
    IntentId,
    NewOrder,
    OrderRole,
    OrderStatus,
    OrderType,
    ParentId,
    SessionId,
    Side,
    Symbol,
    TradeId,
    TradingSessionStatus,
)
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.runtime.watch import QUIET_S_MIN, UNCOMPARED_S, Watch
from holdfast.runtime.watch_owner import owner_of
from holdfast.runtime.watch_sights import Seen
from holdfast.runtime.watch_standing import CHANGING_MAX, EXPLAINED_MAX
from holdfast.runtime.watch_venue import AskingWire, open_view
from holdfast.venues.binance_futures.wire import Ears

BTC = Symbol("BTCUSDT")
NAME, STOP = ClOrdId("hf.1.1.1.E.test"), ClOrdId("hf.1.1.2.S.test")
PARENT = ParentId("1")
PATIENCE_S = 10.0


class View:
    """A venue that shows what a test says."""

    account = MAIN

    def __init__(self):
        self.seen = Seen(orders=(), positions={}, balances={"USDT": Decimal(1000)})
        self.meanwhile = lambda: None
        self.error = None

    async def open(self):
        pass

    async def look(self, symbols):
        self.asked = symbols
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return self.seen

    async def close(self):
        pass


class Desk:
    """A journal with a running session, a venue, a clock, and somebody who watches."""

    def __init__(self, folder):
        self.config = TradingConfig(data_dir=str(folder), venue="binance_futures")
        folder.mkdir(exist_ok=True)
        self.journal = open_journal(self.config.database_url)
        self.view = View()
        self.time = 0.0
        self.told = []
        self.fills = 0
        self.record(
            ev.EpochStarted(
                ts=1,
                epoch=1,
                session_id=SessionId("s"),
                portfolio_id="p",
                accounts=(MAIN,),
                strategies=(),
                symbols=(BTC,),
                venue="binance_futures",
                is_resumed=False,
            ),
            ev.WalletChanged(
                ts=2, asset="USDT", amount=Decimal(1000), reason="opening", change_id="o"
            ),
            self.moved(TradingSessionStatus.STARTING),
            self.moved(TradingSessionStatus.RUNNING),
        )
        self.watch = Watch(
            self.config, self.view, self, patience_s=PATIENCE_S, now=lambda: self.time
        )

    @staticmethod
    def moved(status):
        return ev.SessionChanged(ts=3, status=status, reason="test")

    def notify(self, level, text):
        self.told.append((level, text))

    def record(self, *facts):
        self.journal.append(facts)

    def show(self, **changes):
        before = self.view.seen
        fields = {"orders": before.orders, "positions": before.positions, **changes}
        self.view.seen = Seen(**{"balances": before.balances, **fields})

    def fill(self, count):
        """Book fills of one by orders that nobody knows."""
        for _ in range(count):
            self.fills += 1
            names = {"cl_ord_id": ClOrdId("web"), "trade_id": TradeId(str(self.fills))}
            self.record(msgspec.structs.replace(filled(), **names))

    def change_journal(self):
        """Put another journal in the place of this one: with a wallet of 7, and longer."""
        self.journal.close()
        folder = Path(self.config.data_dir)
        folder.rename(folder.with_name("away"))
        folder.mkdir()
        self.journal = open_journal(self.config.database_url)
        money = ev.WalletChanged(ts=2, asset="USDT", amount=Decimal(7), reason="o", change_id="o")
        self.record(money, *[self.moved(TradingSessionStatus.STOPPED)] * 5)

    def grow(self):
        self.record(ev.AlarmRaised(ts=7, code="test", text="the journal grows"))

    async def look(self, after_s=6.0):
        self.time += after_s
        return await self.watch.look()

    async def kinds_after(self, *pauses):
        looks = [await self.look(pause) for pause in pauses]
        return {sight.kind for sight in looks[-1].alarms}


@pytest.fixture
async def desk(tmp_path):
    made = Desk(tmp_path / "data")
    yield made
    await made.watch.close()
    made.journal.close()


def break_reads(patch, count=0):
    """Let a journal be read so often more, and then no more."""
    real, left = Tables._read, [count]

    def read(tables, take):
        left[0] -= 1
        if left[0] < 0:
            raise JournalError("the disk failed to read")
        return real(tables, take)

    patch.setattr(Tables, "_read", read)


def order(status=OrderStatus.NEW):
    return ExecutionReport(
        symbol=BTC,
        cl_ord_id=NAME,
        exec_type=ExecType.STATUS,
        status=status,
        side=Side.BUY,
        venue_ts=1,
        qty=Decimal(1),
    )


def submitted():
    request = NewOrder(cl_ord_id=NAME, symbol=BTC, side=Side.BUY, qty=Decimal(1))
    return ev.OrderSubmitted(ts=5, order=request, verdicts=(), recv_window_ns=1)


def filled():
    return ev.OrderFilled(
        ts=6,
        symbol=BTC,
        side=Side.BUY,
        cl_ord_id=NAME,
        trade_id=TradeId("1"),
        qty=Decimal(1),
        price=Decimal(100),
        fee=Decimal(0),
        realized_pnl=Decimal(0),
        venue_ts=6,
    )


async def test_books_that_agree_are_no_sight(desk):
    look = await desk.look()

    assert (look.sights, look.alarms, look.status, look.sequence) == ([], [], "RUNNING", 4)
    assert look.owner.startswith("process ")
    assert desk.told == []


async def test_a_difference_is_an_alarm_once_it_was_seen_twice_and_has_stayed(desk):
    desk.show(positions={BTC: Decimal("0.5")})

    assert await desk.kinds_after(1) == set()
    assert await desk.kinds_after(1) == set()
    assert await desk.kinds_after(PATIENCE_S) == {"position_differs"}
    [(level, text)] = desk.told
    assert level == "alarm"
    assert "BTCUSDT: the journal has 0, the venue 0.5" in text

    desk.show(positions={})
    assert await desk.kinds_after(1) == set()
    assert desk.told[-1][0] == "warning"


async def test_a_difference_that_is_gone_at_the_next_look_is_forgotten(desk):
    desk.show(balances={"USDT": Decimal(999)})
    await desk.look()
    desk.show(balances={"USDT": Decimal(1000)})
    await desk.look()
    desk.show(balances={"USDT": Decimal(999)})
    desk.grow()

    assert await desk.kinds_after(PATIENCE_S) == set()
    assert await desk.kinds_after(PATIENCE_S) == {"balance_differs"}


async def test_another_gap_each_time_is_an_alarm_only_after_many_looks(desk):
    for number in range(1, CHANGING_MAX + 1):
        assert not desk.told
        desk.show(balances={"USDT": Decimal(1000 + number)})
        desk.grow()
        look = await desk.look(PATIENCE_S)

    assert "balance_differs" in {sight.kind for sight in look.alarms}


async def test_books_that_move_while_they_are_read_are_not_compared(desk):
    desk.record(submitted())
    desk.show(positions={BTC: Decimal(1)}, orders=(order(),))
    desk.view.meanwhile = lambda: desk.record(filled())

    look = await desk.look()

    assert "position_differs" not in {sight.kind for sight in look.sights}
    assert (look.is_compared, look.is_decided) == (False, False)
    desk.view.meanwhile = desk.grow
    desk.show(orders=())
    assert (await desk.look()).sights == []


async def test_books_that_move_at_each_look_for_long_are_told_to_be_compared_with_nothing(desk):
    def move():
        desk.fill(1)
        desk.show(positions={BTC: Decimal(desk.fills)})

    desk.view.meanwhile = move
    assert await desk.kinds_after(UNCOMPARED_S / 2, PATIENCE_S) == set()
    assert await desk.kinds_after(UNCOMPARED_S / 2, PATIENCE_S) == {"uncompared"}
    desk.view.error = NetworkError("no route")
    with pytest.raises(NetworkError):
        await desk.look()
    assert [level for level, _ in desk.told] == ["alarm"]
    desk.view.error, desk.view.meanwhile = None, lambda: None

    assert await desk.kinds_after(1) == set()
    assert "it is over: the books have moved at each look" in desk.told[-1][1]


async def test_orders_that_only_one_side_knows_are_named(desk):
    desk.show(orders=(order(),))
    assert await desk.kinds_after(1, PATIENCE_S) == {"unknown_order"}

    desk.record(submitted(), ev.OrderAccepted(ts=6, cl_ord_id=NAME))
    assert (await desk.look()).sights == []

    desk.show(orders=())
    assert await desk.kinds_after(1, PATIENCE_S) >= {"missing_order"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"qty": Decimal(2)}, "the journal has 1 at 99 from 98, the venue 2 at 99 from 98"),
        ({"price": Decimal(97)}, "the venue 1 at 97 from 98"),
        ({"trigger_price": Decimal(55)}, "the venue 1 at 99 from 55"),
    ],
)
async def test_an_order_that_has_other_terms_at_the_venue_is_an_alarm(desk, change, text):
    asked = submitted().order
    waits = {"price": Decimal(99), "trigger_price": Decimal(98)}
    asked = msgspec.structs.replace(asked, order_type=OrderType.STOP, **waits)
    sent = ev.OrderSubmitted(ts=5, order=asked, verdicts=(), recv_window_ns=1)
    desk.record(sent, ev.OrderAccepted(ts=6, cl_ord_id=NAME))
    listed = msgspec.structs.replace(order(), **waits)
    desk.show(orders=(listed,))
    assert (await desk.look()).sights == []

    desk.show(orders=(msgspec.structs.replace(listed, **change),))
    assert await desk.kinds_after(1, PATIENCE_S) == {"order_differs"}
    assert text in desk.told[-1][1]

    desk.record(ev.ReplaceRequested(ts=7, cl_ord_id=NAME, qty=Decimal(3), price=Decimal(9)))
    assert (await desk.look()).sights == []  # what the venue says of it is on its way


async def test_a_stop_that_moves_with_the_market_has_no_price_of_its_own(desk):
    asked = msgspec.structs.replace(
        submitted().order,
        order_type=OrderType.TRAILING_STOP_MARKET,
        callback_rate=Decimal(1),
        trigger_price=Decimal(98),
    )
    sent = ev.OrderSubmitted(ts=5, order=asked, verdicts=(), recv_window_ns=1)
    desk.record(sent, ev.OrderAccepted(ts=6, cl_ord_id=NAME))
    desk.show(orders=(msgspec.structs.replace(order(), trigger_price=Decimal(99)),))

    assert (await desk.look()).sights == []


async def test_a_stop_limit_that_has_triggered_waits_for_no_price_any_more(desk):
    waits = {"price": Decimal(99), "trigger_price": Decimal(98)}
    asked = msgspec.structs.replace(submitted().order, order_type=OrderType.STOP, **waits)
    desk.record(
        ev.OrderSubmitted(ts=5, order=asked, verdicts=(), recv_window_ns=1),
        ev.OrderAccepted(ts=6, cl_ord_id=NAME),
        ev.OrderTriggered(ts=7, cl_ord_id=NAME),
    )
    listed = {"price": Decimal(99), "trigger_price": Decimal(0)}
    desk.show(orders=(msgspec.structs.replace(order(), **listed),))

    assert (await desk.look()).sights == []


async def test_a_stop_limit_that_has_filled_in_part_waits_for_no_price_any_more(desk):
    waits = {"price": Decimal(99), "trigger_price": Decimal(98)}
    asked = msgspec.structs.replace(submitted().order, order_type=OrderType.STOP, **waits)
    desk.record(
        ev.OrderSubmitted(ts=5, order=asked, verdicts=(), recv_window_ns=1),
        ev.OrderAccepted(ts=6, cl_ord_id=NAME),
        ev.OrderTriggered(ts=7, cl_ord_id=NAME),
        msgspec.structs.replace(filled(), qty=Decimal("0.4")),
    )
    listed = {"price": Decimal(99), "trigger_price": Decimal(0), "cum_qty": Decimal("0.4")}
    desk.show(orders=(msgspec.structs.replace(order(), **listed),))

    assert "order_differs" not in {sight.kind for sight in (await desk.look()).sights}


class Quoter:
    """A strategy that moves its order all the time: on record behind each answer of the venue."""

    def __init__(self, desk, **asked):
        self.desk, self.price = desk, 100
        request = msgspec.structs.replace(submitted().order, price=Decimal(100), **asked)
        sent = ev.OrderSubmitted(ts=5, order=request, verdicts=(), recv_window_ns=1)
        desk.record(sent, ev.OrderAccepted(ts=6, cl_ord_id=NAME))
        desk.view.meanwhile = self.amend_behind_the_list

    def amend(self):
        self.price += 1
        qty, price = Decimal(1), Decimal(self.price)
        self.desk.record(
            ev.ReplaceRequested(ts=7, cl_ord_id=NAME, qty=qty, price=price),
            ev.OrderReplaced(ts=7, cl_ord_id=NAME, qty=qty, price=price),
        )

    def amend_behind_the_list(self):
        self.list_it()
        self.amend()

    def list_it(self):
        price, none = Decimal(self.price), Decimal(0)
        listed = msgspec.structs.replace(order(), price=price, trigger_price=none)
        self.desk.show(orders=(listed,))

    async def look(self, count):
        looks = []
        for _ in range(count):
            self.amend()
            self.amend()
            looks.append(await self.desk.look(PATIENCE_S / 2))
        return {sight.kind for each in looks for sight in each.alarms}


async def test_an_order_that_is_amended_at_each_look_is_none_that_differs(desk):
    quoter = Quoter(desk, order_type=OrderType.LIMIT)

    assert await quoter.look(3 * CHANGING_MAX) == set()


async def test_so_is_a_stop_limit_that_has_triggered(desk):
    stop = {"order_type": OrderType.STOP, "trigger_price": Decimal(98)}
    quoter = Quoter(desk, **stop)
    desk.record(ev.OrderTriggered(ts=7, cl_ord_id=NAME))

    assert await quoter.look(3 * CHANGING_MAX) == set()


async def test_an_order_whose_amendments_never_come_to_the_venue_is_one(desk):
    quoter = Quoter(desk, order_type=OrderType.LIMIT)
    desk.view.meanwhile = quoter.amend
    quoter.list_it()

    assert await quoter.look(2 * CHANGING_MAX) == {"order_differs"}


async def test_a_stop_that_closes_whatever_is_held_is_none_that_is_missing(desk):
    """What is below the lot is guarded by one that names no quantity: it is listed with 0."""
    entry = NewOrder(cl_ord_id=NAME, symbol=BTC, side=Side.BUY, qty=Decimal(1), parent_id=PARENT)
    stop = NewOrder(
        cl_ord_id=STOP,
        symbol=BTC,
        side=Side.SELL,
        qty=Decimal(1),
        order_type=OrderType.STOP_MARKET,
        trigger_price=Decimal(90),
        reduce_only=True,
        close_position=True,
        role=OrderRole.STOP_LOSS,
        parent_id=PARENT,
    )
    begun = ev.ParentStarted(
        ts=4,
        parent_id=PARENT,
        intent_id=IntentId("1"),
        symbol=BTC,
        side=Side.BUY,
        qty=Decimal(1),
        algo="bracket",
        order=entry,
        stop_loss=Decimal(90),
    )
    sent = [
        ev.OrderSubmitted(ts=5, order=each, verdicts=(), recv_window_ns=1) for each in (entry, stop)
    ]
    taken = ev.OrderAccepted(ts=6, cl_ord_id=STOP, venue_order_id="7")
    desk.record(begun, sent[0], filled(), sent[1], taken)
    desk.show(orders=(), positions={BTC: Decimal(1)})
    assert "stop_missing" in {sight.kind for sight in (await desk.look()).sights}

    listed = msgspec.structs.replace(order(), cl_ord_id=STOP, side=Side.SELL, qty=Decimal(0))
    desk.show(orders=(msgspec.structs.replace(listed, close_position=True),))

    assert "stop_missing" not in {sight.kind for sight in (await desk.look()).sights}


async def test_an_order_whose_outcome_is_open_is_the_sessions_business(desk):
    desk.record(submitted(), ev.OrderInDoubt(ts=6, cl_ord_id=NAME, fence_ts=9))

    assert (await desk.look()).sights == []


async def test_an_order_that_ended_before_its_fills_were_told_is_not_missing(desk):
    ended = ev.OrderCanceled(ts=7, cl_ord_id=NAME, cum_qty=Decimal("0.5"))
    desk.record(submitted(), ev.OrderAccepted(ts=6, cl_ord_id=NAME), ended)

    assert (await desk.look()).sights == []


@pytest.mark.parametrize("is_alive", [True, False])
async def test_a_session_that_has_given_up_is_noticed_until_it_is_reset(desk, is_alive):
    desk.record(desk.moved(TradingSessionStatus.ERROR))
    if not is_alive:
        desk.journal.close()
    assert await desk.kinds_after(1, PATIENCE_S) == {"session_error"}
    assert "is in ERROR: test" in desk.told[-1][1]

    if is_alive:
        desk.record(desk.moved(TradingSessionStatus.STOPPED))
        assert await desk.kinds_after(1) == set()


async def test_a_session_that_nobody_runs_is_noticed_and_one_that_was_stopped_is_not(desk):
    desk.journal.close()
    assert await desk.kinds_after(1, PATIENCE_S) == {"nobody"}

    desk.journal = open_journal(desk.config.database_url)
    ended = (TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED)
    desk.record(*map(desk.moved, ended))
    desk.journal.close()
    look = await desk.look()

    assert (look.sights, look.owner) == ([], "")


async def test_a_session_that_records_nothing_for_long_hangs(desk):
    await desk.look()

    found = await desk.kinds_after(desk.watch._quiet_s + 1, PATIENCE_S)

    assert desk.watch._quiet_s >= QUIET_S_MIN
    assert found == {"journal_quiet"}


async def test_a_venue_that_moves_while_the_journal_stands_still_is_told(desk):
    desk.record(submitted(), ev.OrderAccepted(ts=6, cl_ord_id=NAME))
    desk.show(orders=(order(),))
    assert (await desk.look()).sights == []

    desk.show(orders=(), positions={BTC: Decimal(1)})
    found = await desk.kinds_after(1, PATIENCE_S)

    assert {"missing_order", "position_differs"} <= found
    desk.show(positions={BTC: Decimal(2)})
    assert "journal_still" in {sight.kind for sight in (await desk.look()).sights}


@pytest.mark.parametrize("is_late", [False, True])
async def test_books_of_before_a_fact_are_no_sign_of_a_journal_that_stands_still(desk, is_late):
    """A fact that comes while the venue is asked, or a list that trails what is on record."""
    if is_late:
        desk.record(submitted(), filled())
    else:
        desk.view.meanwhile = lambda: desk.record(submitted(), filled())
    await desk.look()
    desk.view.meanwhile = lambda: None
    desk.show(positions={BTC: Decimal(1)})

    assert await desk.kinds_after(1, PATIENCE_S, PATIENCE_S) == set()
    assert desk.told == []


async def test_what_a_journal_recorded_while_it_could_not_be_read_counts(desk, monkeypatch):
    await desk.look()
    await desk.look()
    with monkeypatch.context() as failing:
        break_reads(failing)
        with pytest.raises(JournalError):
            await desk.look(desk.watch._quiet_s)
    desk.record(submitted(), filled())
    desk.show(positions={BTC: Decimal(1)})

    look = await desk.look()

    assert look.facts_age_s == 0
    assert [each.kind for each in look.sights] == []


async def test_a_journal_that_fails_while_it_is_folded_anew_is_not_folded_half(desk, monkeypatch):
    await desk.look()
    desk.change_journal()
    for reads in (99, 5):  # found to be another one, then not read to its end
        with monkeypatch.context() as failing:
            break_reads(failing, reads)
            with pytest.raises(JournalError):
                await desk.look()
    desk.show(balances={"USDT": Decimal(7)})

    look = await desk.look()

    assert (look.sights, look.sequence) == ([], 6)


async def test_another_journal_in_the_place_of_one_known_by_its_snapshot_is_folded(desk):
    folded = StateRecoveryService(desk.journal)
    folded.save(folded.recover().engine.state)
    await desk.look()
    desk.change_journal()
    desk.show(balances={"USDT": Decimal(7)})
    with pytest.raises(JournalError, match="another journal is in its place"):
        await desk.look()

    assert (await desk.look()).sights == []


@pytest.mark.parametrize("off", [1, -1])
async def test_the_same_gap_behind_what_explained_it_is_another_one(desk, off):
    """Fills of one size that are on their way, or lists that trail by one of them, again and
    again: between two looks the one side has been where the other was.
    """
    desk.fill(2)
    for held in range(2, 7):
        desk.show(positions={BTC: Decimal(held + off)})
        assert "position_differs" not in await desk.kinds_after(PATIENCE_S)
        desk.fill(1)

    desk.show(positions={BTC: Decimal(7 + off)})
    assert "position_differs" in await desk.kinds_after(1, PATIENCE_S)


async def test_what_is_off_at_each_look_is_an_alarm_in_the_end_whatever_explains_it(desk):
    """Who trades a lot at each look makes any difference of a lot look so."""
    for held in range(EXPLAINED_MAX):
        desk.show(positions={BTC: Decimal(held + 1)})
        found = await desk.kinds_after(PATIENCE_S / 2)
        assert ("position_differs" in found) is (held + 1 == EXPLAINED_MAX)
        desk.fill(1)


async def test_orders_of_others_are_asked_for_in_whatever_symbol_they_are(desk):
    odd = NewOrder(cl_ord_id=NAME, symbol=Symbol("XRPUSDT"), side=Side.BUY, qty=Decimal(1))
    desk.record(
        ev.OrderAdopted(
            ts=5,
            order=odd,
            venue_order_id="7",
            status=OrderStatus.NEW,
            cum_qty=Decimal(0),
            is_ours=False,
        )
    )
    await desk.look()

    assert desk.view.asked == ["XRPUSDT"]


async def test_two_orders_of_others_of_one_name_are_two(desk):
    """The second has the venue's number for a name in the journal, as in the session's books."""
    listed = [
        msgspec.structs.replace(
            order(), symbol=symbol, cl_ord_id=ClOrdId("copied"), venue_order_id=number
        )
        for symbol, number in ((BTC, "7"), (Symbol("XRPUSDT"), "8"))
    ]
    for each, name in zip(listed, ("copied", "order-8"), strict=True):
        known = NewOrder(cl_ord_id=ClOrdId(name), symbol=each.symbol, side=Side.BUY, qty=Decimal(1))
        desk.record(
            ev.OrderAdopted(
                ts=5,
                order=known,
                venue_order_id=each.venue_order_id,
                status=OrderStatus.NEW,
                cum_qty=Decimal(0),
                is_ours=False,
            )
        )
    desk.show(orders=tuple(listed))
    assert (await desk.look()).sights == []

    desk.show(orders=tuple(listed[1:]))
    assert [(s.kind, s.what) for s in (await desk.look()).sights] == [("missing_order", "copied")]
    desk.show(orders=tuple(listed[:1]))
    assert ("missing_order", "order-8") in [(s.kind, s.what) for s in (await desk.look()).sights]


async def test_a_venue_that_can_not_be_asked_is_an_alarm_in_time(desk):
    desk.view.error = NetworkError("no route")
    for _ in range(3):
        with pytest.raises(NetworkError):
            await desk.look()

    assert [sight.kind for sight in desk.watch.alarms] == ["blind"]


async def test_an_alarm_is_not_called_off_by_a_venue_that_does_not_answer(desk):
    desk.show(positions={BTC: Decimal(1)})
    assert await desk.kinds_after(1, PATIENCE_S) == {"position_differs"}

    desk.view.error = NetworkError("one frame was lost")
    with pytest.raises(NetworkError):
        await desk.look()

    assert not [text for _, text in desk.told if "it is over" in text]
    assert [sight.kind for sight in desk.watch.alarms] == ["position_differs"]


async def test_an_order_that_is_missing_before_and_behind_a_long_silence_may_be_so_twice(desk):
    desk.record(submitted(), ev.OrderAccepted(ts=6, cl_ord_id=NAME))
    assert {sight.kind for sight in (await desk.look()).sights} == {"missing_order"}
    desk.view.error = NetworkError("no route")
    for _ in range(2):
        with pytest.raises(NetworkError):
            await desk.look(PATIENCE_S)
    desk.view.error = None

    assert "missing_order" not in await desk.kinds_after(1)
    assert "missing_order" in await desk.kinds_after(1, PATIENCE_S)


async def test_a_session_that_died_is_noticed_while_the_venue_can_not_be_asked(desk):
    desk.view.error = NetworkError("no route")
    desk.journal.close()
    for _ in range(3):
        with pytest.raises(NetworkError):
            await desk.look()

    assert {sight.kind for sight in desk.watch.alarms} == {"blind", "nobody"}


async def test_a_journal_that_can_not_be_read_is_an_alarm_in_time(desk, monkeypatch):
    desk.show(positions={BTC: Decimal(1)})
    await desk.kinds_after(1, PATIENCE_S)
    readable = desk.watch._fold

    def fail():
        raise JournalError("the server is gone")

    monkeypatch.setattr(desk.watch, "_fold", fail)
    for _ in range(3):
        with pytest.raises(JournalError):
            await desk.look()
    found = {sight.kind for sight in desk.watch.alarms}

    assert found == {"position_differs", "journal_unread"}
    assert not [text for _, text in desk.told if "it is over" in text]
    monkeypatch.setattr(desk.watch, "_fold", readable)
    await desk.look()
    assert [text for _, text in desk.told if "it is over" in text] == [
        "watch: it is over: the journal can't be read: the server is gone"
    ]


async def test_the_wire_lets_nothing_out_but_questions():
    wire = AskingWire()
    try:
        for verb in ("POST", "PUT", "DELETE", "PATCH"):
            with pytest.raises(AssertionError, match=f"{verb} is refused"):
                await wire.request(verb, "http://127.0.0.1:9/fapi/v1/order", {}, 1.0)
        with pytest.raises(AssertionError, match="no socket"):
            await wire.open_socket("ws://127.0.0.1:9", Ears(print, print, print))
    finally:
        await wire.close()


def test_the_code_that_places_orders_is_not_even_loaded():
    code = (
        "import sys, holdfast.runtime.watch, holdfast.runtime.watch_venue\n"
        "bad = [n for n in sys.modules if n.endswith(('order_desk', 'orders_ws', '.adapter'))]\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_looking_for_the_owner_takes_no_lock(tmp_path):
    url = f"sqlite:///{tmp_path}/holdfast.db"
    assert owner_of(url) is None
    journal = open_journal(url)
    try:
        owner = owner_of(url)
    finally:
        journal.close()

    assert owner is not None
    assert owner.pid > 0
    assert owner_of(url) is None  # the file is still there, and nobody holds it


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"pids": 7}])
def test_locks_of_another_machine_or_container_are_not_told_here(tmp_path, elsewhere):
    """The kernel lists them where they are held: that none is listed here says nothing."""
    lock, url = tmp_path / "holdfast.db.lock", f"sqlite:///{tmp_path}/holdfast.db"
    here = Owner.here()
    lock.write_bytes(msgspec.json.encode(here))
    assert owner_of(url) is None

    there = msgspec.structs.replace(here, **elsewhere)
    lock.write_bytes(msgspec.json.encode(there))

    assert owner_of(url) == there


def test_a_lock_that_can_not_be_read_says_nothing_of_its_owner(tmp_path):
    (tmp_path / "holdfast.db.lock").mkdir()

    with pytest.raises(JournalError, match=r"holdfast\.db\.lock: .* can't be told who owns it"):
        owner_of(f"sqlite:///{tmp_path}/holdfast.db")


@pytest.mark.postgres
def test_the_owner_of_a_journal_on_a_server_is_known_by_the_servers_locks(postgres_url):
    journal = open_journal(postgres_url)
    try:
        assert owner_of(postgres_url) is not None
    finally:
        journal.close()

    assert owner_of(postgres_url) is None


@pytest.mark.postgres
async def test_a_journal_on_a_server_is_watched_as_one_in_a_file(postgres_url, tmp_path):
    config = TradingConfig(
        data_dir=str(tmp_path), venue="binance_futures", database_url=postgres_url
    )
    journal = open_journal(postgres_url)
    journal.append([Desk.moved(TradingSessionStatus.STARTING)])
    journal.sync()
    view = View()
    watch = Watch(config, view, Desk, patience_s=0.0)  # type: ignore[arg-type]  # tells nobody
    view.seen = Seen(orders=(), positions={}, balances={})
    try:
        assert (await watch.look()).sights == []
        journal.close()
        look = await asyncio.wait_for(watch.look(), 20)
    finally:
        await watch.close()

    assert [sight.kind for sight in look.sights] == ["nobody"]


def test_a_watcher_needs_a_key_of_its_own():
    with pytest.raises(ConfigError, match="HOLDFAST_WATCH_API_KEY"):
        watch_keys_of(TradingConfig(venue="binance_futures"))
    same = TradingConfig(
        api_key="k1234567", api_secret="s", watch_api_key="k1234567", watch_api_secret="t"
    )
    with pytest.raises(ConfigError, match="trades with"):
        watch_keys_of(same)
    own = TradingConfig(watch_api_key="w1234567", watch_api_secret="secret-of-it")

    assert watch_keys_of(own).api_secret == "secret-of-it"
    assert "secret-of-it" not in repr(own)


def test_only_a_real_account_can_be_watched():
    for config in (TradingConfig(), TradingConfig(venue="binance_futures", dry_run=True)):
        with pytest.raises(ConfigError, match="can be watched"):
            open_view(config)
