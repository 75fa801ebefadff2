"""The countdowns of the dead-man switch: who winds them, who lets them go, and at what price."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import msgspec
import pytest

from holdfast.model.messages import ExecType, ExecutionReport
from holdfast.model.values import ClOrdId, OrderRole, OrderStatus, OrderType, Side, Symbol
from holdfast.venues.binance_futures import adapter
from holdfast.venues.binance_futures.asking import Asker
from holdfast.venues.binance_futures.dead_man import AT_ONCE, DeadMan
from holdfast.venues.binance_futures.rest import Reply
from holdfast.venues.binance_futures.settings import BinanceSettings
from tests.venues.binance_futures.adapter_desk import cancel, market_order, order, submit
from tests.venues.binance_futures.adapter_exchange import ACCOUNT, amount, joined, town
from tests.venues.binance_futures.desk_trader import Clock, Loop

HELD, E1, X1, X2 = (
    ClOrdId(name) for name in ("hf.1.1.0.E.x", "hf.1.2.0.E.x", "hf.1.3.0.X.x", "hf.1.4.0.X.x")
)
WITH_AND_WITHOUT = pytest.mark.parametrize("dead_man_s", [120, 0], ids=["wound", "off"])


def entry():
    return order(E1, OrderType.LIMIT, price=amount("49000"))


def resting_exit(name=X1, kind=OrderType.LIMIT, **fields):
    fields |= {"side": Side.SELL, "role": OrderRole.EXIT, "reduce_only": True}
    return order(name, kind, price=amount("51000"), **fields)


async def killed_behind_a_countdown(one, *resting):
    """Leave a position, orders that close it, and a countdown whose entry has filled."""
    async with joined(one, dead_man_s=120) as venue:
        venue.submit(submit(market_order(HELD)))
        await one.report(HELD, status=OrderStatus.FILLED)
        venue.submit(submit(entry()))
        await one.until(lambda: one.core._countdowns)
        for each in resting:
            venue.submit(submit(each))
            await one.report(each.cl_ord_id, exec_type=ExecType.NEW)
        one.price(48_990.0)
        await one.report(E1, status=OrderStatus.FILLED)
        venue._hear = None  # killed: it lets go of nothing
    assert one.core._countdowns


@WITH_AND_WITHOUT
@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP])
async def test_countdown_of_a_killed_process_does_not_take_what_rests_behind_it(kind, dead_man_s):
    """The next one had no entry in the symbol: it neither wound the countdown nor let it go."""
    async with town() as one:
        more = {} if kind is OrderType.LIMIT else {"trigger_price": amount("48000")}
        await killed_behind_a_countdown(one, resting_exit(kind=kind, **more))
        async with joined(one, dead_man_s=dead_man_s) as venue:
            await one.snapshot(venue)

            await one.until(lambda: not one.core._countdowns)


@WITH_AND_WITHOUT
async def test_countdown_of_a_killed_process_does_not_take_what_is_sent_behind_it(dead_man_s):
    async with town() as one:
        await killed_behind_a_countdown(one)
        async with joined(one, dead_man_s=dead_man_s) as venue:
            await one.snapshot(venue)
            venue.submit(submit(resting_exit(X2)))

            await one.until(lambda: not one.core._countdowns)


async def test_countdown_of_a_killed_process_is_wound_on_where_an_entry_rests():
    async with town() as one:
        async with joined(one, dead_man_s=120) as venue:
            venue.submit(submit(entry()))
            await one.until(lambda: one.core._countdowns)
            venue._hear = None
        [wound] = one.core._countdowns._due.values()
        async with joined(one, dead_man_s=120) as venue:
            await one.snapshot(venue)

            await one.until(lambda: max(one.core._countdowns._due.values()) > wound)
            assert len(one.core.exchange.open_orders(ACCOUNT)) == 1


STRANGERS = ("other_bot_17", "bot.1.2.0.E.x")
"""What another program calls an order of its own; the second is a Holdfast under another prefix."""


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("kind", [ExecType.NEW, ExecType.STATUS])
def test_a_countdown_of_another_program_is_left_to_it(name, kind):
    async def main(switch):
        switch.hear(name, Symbol("DOGEUSDT"), kind)
        await asyncio.sleep(300.0)

    assert before_countdowns(main).calls == 0


@pytest.mark.parametrize("name", STRANGERS)
def test_one_from_before_takes_nothing_of_strangers_where_the_session_trades(name):
    async def main(switch):
        switch.hear(name, SESSIONS, ExecType.NEW)
        await asyncio.sleep(300.0)

    venue = before_countdowns(main, after_s=0)
    assert (venue.calls, venue.due) == (1, {})


def test_one_from_before_takes_nothing_of_ours_where_the_session_does_not_trade():
    async def main(switch):
        switch.hear(X1, Symbol("DOGEUSDT"), ExecType.STATUS)
        await asyncio.sleep(300.0)

    venue = before_countdowns(main)
    assert (venue.calls, venue.due) == (1, {})


async def test_countdown_that_can_not_be_let_go_of_is_let_go_of_at_the_next_beat():
    async with town() as one:
        await killed_behind_a_countdown(one, resting_exit())
        place = "POST /fapi/v1/countdownCancelAll"
        one.goes_wrong("service_unavailable", place, count=4)
        async with joined(one, dead_man_s=4, retry_attempts=0) as venue:
            await one.snapshot(venue)

            await one.until(lambda: not one.core._countdowns)


# Many symbols, in time that is made


SESSIONS = Symbol("BTCUSDT")


class Countdowns:
    """A venue of nothing but countdowns: what runs, until when, and what has left for it."""

    def __init__(self, loop):
        self.loop = loop
        self.due = {}
        self.over = set()
        self.winds = defaultdict(list)
        self.calls = 0
        self.under_way = self.most = 0
        self.answer_s = 0.1
        self.ill = lambda symbol: 0  # a status, or None for no answer

    def begin(self, call):
        return None

    async def send(self, call):
        symbol, now = call.params["symbol"], self.loop.time()
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self.answer_s)
        self.under_way -= 1
        status = self.ill(symbol)
        if status is None:
            await asyncio.sleep(3600.0)
        if status:
            return Reply(status, code=None, text="Service Unavailable.")
        self.look()
        self.due.pop(symbol, None)
        if call.params["countdownTime"]:
            self.winds[symbol].append(now)
            self.due[symbol] = now + call.params["countdownTime"] / 1000
        return Reply(200, b"{}")

    def look(self):
        """See which countdowns are over: their orders are gone."""
        self.over |= {symbol for symbol, due in self.due.items() if due <= self.loop.time()}


class Switch:
    """A switch before such a venue, and its beat."""

    def __init__(self, loop, after_s):
        self.loop, self.venue, self.clock = loop, Countdowns(loop), Clock(loop)
        self.asker = Asker(self.venue, self.clock, random.Random(1).random)
        settings = BinanceSettings(dead_man_s=after_s, read_lag_ns=0)
        self.dead_man = DeadMan(self.asker, settings, (SESSIONS,))

    def rest(self, count):
        """Let an entry rest in so many symbols."""
        for number in range(count):
            asked = order(E1, OrderType.LIMIT, price=amount("1"))
            named = msgspec.structs.replace(asked, symbol=Symbol(f"C{number:03d}USDT"))
            self.dead_man.sent(submit(named, ts=self.clock.now()))

    def hear(self, name, symbol, exec_type):
        """Let a limit order be told to be open."""
        self.dead_man.heard(
            ExecutionReport(
                symbol=symbol,
                cl_ord_id=ClOrdId(name),
                exec_type=exec_type,
                status=OrderStatus.NEW,
                side=Side.BUY,
                venue_ts=1,
                order_type=OrderType.LIMIT,
            )
        )

    def take_back(self, *numbers):
        """Let the entries of so many symbols be gone; their countdowns run on."""
        for number in numbers:
            self.dead_man.heard(
                ExecutionReport(
                    symbol=Symbol(f"C{number:03d}USDT"),
                    cl_ord_id=E1,
                    exec_type=ExecType.CANCELED,
                    status=OrderStatus.CANCELED,
                    side=Side.BUY,
                    venue_ts=1,
                )
            )


def before_countdowns(main, after_s=120):
    """Run what a test does before a venue of countdowns, in time that is made."""
    loop = Loop("countdowns")  # type: ignore[abstract]

    async def run():
        switch = Switch(loop, after_s)
        beating = asyncio.ensure_future(switch.dead_man.beat())
        await main(switch)
        beating.cancel()
        switch.venue.look()
        return switch.venue

    return loop.run(run())


def test_countdowns_of_many_symbols_leave_audits_their_weight_and_come_in_no_bursts():
    """At four beats each, those of 100 symbols took four fifths of the weight there is."""

    async def main(switch):
        switch.rest(100)
        await asyncio.sleep(1200.0)

    venue = before_countdowns(main)
    winds = sorted(at for each in venue.winds.values() for at in each)
    assert not venue.over
    assert len(venue.due) == 100
    assert len(winds) <= 100 * (1200 / 60 + 2)
    steady = [at for at in winds if at > 120.0]
    assert max(sum(at <= each < at + 10.0 for each in steady) for at in steady) <= 20


def test_countdowns_of_few_symbols_are_wound_up_four_times_each():
    async def main(switch):
        switch.rest(5)
        await asyncio.sleep(1200.0)

    venue = before_countdowns(main)
    assert not venue.over
    assert min(map(len, venue.winds.values())) >= 1200 / 30 - 2


def test_countdowns_of_many_symbols_outlive_a_while_without_answers():
    async def main(switch):
        switch.rest(100)
        switch.venue.ill = lambda symbol: (
            503 if 30.0 < switch.loop.time() < 65.0 or symbol == "C050USDT" else 0
        )
        await asyncio.sleep(600.0)

    assert not before_countdowns(main).over


@pytest.mark.parametrize(("symbols", "answer_s"), [(16, 9.0), (45, 3.0), (60, 5.0)])
def test_countdowns_of_many_symbols_outlive_slow_answers(symbols, answer_s):
    """One after the other, the sixteenth waited 144 s of its 120."""

    async def main(switch):
        switch.venue.answer_s = answer_s
        switch.rest(symbols)
        await asyncio.sleep(1200.0)

    venue = before_countdowns(main)
    assert not venue.over
    assert len(venue.due) == symbols


def test_a_few_countdowns_are_wound_up_at_once_and_no_more():
    async def main(switch):
        switch.venue.answer_s = 4.0
        switch.rest(20)
        await asyncio.sleep(600.0)

    assert before_countdowns(main).most == AT_ONCE


def test_an_entry_that_comes_while_others_are_wound_up_is_wound_up_at_once():
    async def main(switch):
        switch.venue.answer_s = 9.0
        switch.rest(2)
        await asyncio.sleep(1.0)
        switch.rest(3)
        await asyncio.sleep(9.5)
        assert "C002USDT" in switch.venue.due

    before_countdowns(main)


def test_an_end_leaves_a_beat_nothing_to_wind_up():
    async def main(switch):
        switch.rest(3)
        await asyncio.sleep(2.0)
        switch.take_back(0, 1, 2)
        await switch.dead_man.disarm()
        await asyncio.sleep(300.0)

    venue = before_countdowns(main)
    assert not venue.due
    assert not venue.over


def test_an_end_lets_the_countdown_run_out_where_an_entry_rests():
    """The next life may never come, and nobody would look after what it fills."""

    async def main(switch):
        switch.rest(3)
        await asyncio.sleep(31.0)
        switch.take_back(1)
        await switch.dead_man.disarm()
        left.update(switch.venue.due)
        await asyncio.sleep(300.0)

    left: dict[str, float] = {}
    venue = before_countdowns(main)
    assert set(left) == {"C000USDT", "C002USDT"}
    assert set(venue.over) == {"C000USDT", "C002USDT"}


def test_an_orderly_end_lets_go_of_all_countdowns_at_once():
    """One after the other within the two seconds of all, those left took what was to stay."""

    async def main(switch):
        switch.rest(60)
        await asyncio.sleep(20.0)
        assert len(switch.venue.due) == 60
        switch.take_back(*range(60))
        switch.venue.answer_s = 0.5
        async with asyncio.timeout(2.0):
            await switch.dead_man.disarm()

    assert not before_countdowns(main).due


def test_an_orderly_end_tells_which_countdowns_it_has_left(caplog):
    async def main(switch):
        switch.rest(3)
        await asyncio.sleep(2.0)
        switch.take_back(0, 1, 2)
        switch.venue.ill = lambda symbol: None if symbol == "C001USDT" else 0
        async with asyncio.timeout(10.0):
            await switch.dead_man.disarm()

    assert list(before_countdowns(main).due) == ["C001USDT"]
    assert "C001USDT" in caplog.text
    assert "C000USDT" not in caplog.text


async def test_an_end_gives_countdowns_longer_than_orders(monkeypatch):
    monkeypatch.setattr(adapter, "CLOSE_PATIENCE_S", 0.1)
    async with town() as one:
        async with joined(one, dead_man_s=30) as venue:
            venue.submit(submit(entry()))
            await one.until(lambda: one.core._countdowns)
            venue.cancel(cancel(E1))
            await one.report(E1, status=OrderStatus.CANCELED)
            one.goes_wrong("service_unavailable", "POST /fapi/v1/countdownCancelAll")

        assert not one.core._countdowns


async def test_an_end_lets_go_of_the_countdown_of_what_it_has_just_asked_back():
    """A life that is given up takes its entries back, and is closed before that is answered."""
    async with town() as one:
        async with joined(one, dead_man_s=120) as venue:
            venue.submit(submit(market_order(HELD)))
            await one.report(HELD, status=OrderStatus.FILLED)
            venue.submit(submit(entry()))
            await one.report(E1, exec_type=ExecType.NEW)
            await one.until(lambda: one.core._countdowns)
            venue.submit(submit(resting_exit()))
            await one.report(X1, exec_type=ExecType.NEW)
            venue.cancel(cancel(E1))

        assert [o.cl_ord_id for o in one.core.exchange.open_orders(ACCOUNT)] == [X1]
        assert not one.core._countdowns


def test_an_end_winds_nothing_up_while_it_hears_the_last_answers():
    async def main(switch):
        async def answers():
            await asyncio.sleep(1.0)
            switch.take_back(1, 2)

        switch.rest(3)
        await asyncio.sleep(29.0)
        wound.update({symbol: len(each) for symbol, each in switch.venue.winds.items()})
        await switch.dead_man.disarm(answers())

    wound: dict[str, int] = {}
    venue = before_countdowns(main)
    assert {symbol: len(each) for symbol, each in venue.winds.items()} == wound
    assert list(venue.due) == ["C000USDT"]
