"""Funding that falls due while a paper session is down is charged at the venue's own rates."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest

from holdfast.engine import comparing
from holdfast.model.commands import Resync
from holdfast.model.errors import NetworkError, VenueRefused
from holdfast.model.market import Funding, MarkPrice, Trade
from holdfast.model.messages import FundingPayment, VenueSnapshot
from holdfast.model.values import MAIN, AccountId, Side
from holdfast.runtime import missed_funding
from holdfast.runtime.missed_funding import LOOK_BACK_NS, settle_missed
from tests.runtime.session_desk import ScriptedFeed, books_agree, crash_image, running
from tests.venues.paper_desk import BTC, START, PaperDesk, S

HOUR = 3600 * S


class Told:
    def __init__(self):
        self.lines = []

    def notify(self, level, text):
        self.lines.append((level, text))


class Source:
    """A live feed; `fundings` None is one without a history."""

    name, is_live = "source", True

    def __init__(self, *fundings, error=None):
        self.fundings, self.error, self.asked = fundings, error, []

    async def fetch_fundings(self, symbol, since, until):
        self.asked.append((symbol, since, until))
        if self.error is not None:
            raise self.error
        return [each for each in self.fundings if since <= each.ts <= until]


class Silent:
    name, is_live = "silent", True


def funding(hours, rate=0.001, mark=50_000.0):
    return Funding(symbol=BTC, ts=START + round(hours * HOUR), rate=rate, mark_price=mark)


@pytest.fixture
def desk(tmp_path):
    """An account that holds 0.1 BTC, its session down and its venue opened anew."""
    before = PaperDesk(tmp_path / "paper.db")
    before.trade(50_000)
    before.submit("a", Side.BUY)
    asyncio.run(before.venue.close())
    after = PaperDesk(tmp_path / "paper.db")
    after.news()
    return after


def settle(desk, feed, hours=20.0):
    told = Told()
    asyncio.run(settle_missed(feed, desk.venue, START + round(hours * HOUR), told))
    return told.lines


def books(desk):
    desk.venue.resync(Resync(account=MAIN, trades_since=0, reason="a look"))
    (snapshot,) = desk.news()
    assert isinstance(snapshot, VenueSnapshot)
    return snapshot


def payments(desk):
    return [each for each in books(desk).changes if isinstance(each, FundingPayment)]


def test_each_settlement_of_the_downtime_is_charged_once_at_its_own_mark(desk):
    feed = Source(funding(8), funding(16, rate=-0.002, mark=40_000.0), funding(24))
    before = books(desk).balances["USDT"]

    assert settle(desk, feed) == []
    assert settle(desk, feed) == []

    assert [each.amount for each in payments(desk)] == [Decimal(-5), Decimal(8)]
    assert [each.venue_ts for each in payments(desk)] == [START + 8 * HOUR, START + 16 * HOUR]
    assert books(desk).balances["USDT"] == before + 3


def test_what_is_charged_late_is_among_the_changes_since_it_was_charged(desk):
    desk.now = START + 12 * HOUR
    desk.tick()
    settle(desk, Source(funding(8)))

    desk.venue.resync(Resync(account=MAIN, trades_since=desk.now, reason="a look"))
    (snapshot,) = desk.news()
    assert [each.amount for each in snapshot.changes] == [Decimal(-5)]


def test_what_fell_due_before_the_position_was_opened_is_not_charged(desk):
    settle(desk, Source(funding(-8), funding(8)))

    assert [each.amount for each in payments(desk)] == [Decimal(-5)]


def test_what_was_charged_while_the_session_lived_is_not_charged_again(tmp_path):
    before = PaperDesk(tmp_path / "paper.db")
    before.trade(50_000)
    before.submit("a", Side.BUY)
    due = START + 8 * HOUR
    for ts, following in ((due - S, due), (due + S, due + 8 * HOUR)):
        mark = MarkPrice(
            symbol=BTC, ts=ts, mark_price=50_000.0, funding_rate=0.001, next_funding_ts=following
        )
        before.venue.on_market(mark)
    asyncio.run(before.venue.close())
    after = PaperDesk(tmp_path / "paper.db")
    after.news()
    assert len(payments(after)) == 1

    settle(after, Source(funding(8), funding(16)))

    assert len(payments(after)) == 2


def test_no_position_asks_for_nothing(tmp_path):
    feed = Source()

    assert settle(PaperDesk(tmp_path / "paper.db"), feed) == []
    assert feed.asked == []


@pytest.mark.parametrize(
    ("feed", "reason"),
    [
        (Source(error=NetworkError("no answer")), "no answer"),
        (Silent(), "the feed silent has no history of it"),
        (Source(funding(8, mark=None)), "names no mark price"),
    ],
    ids=["no answer", "no history", "no mark"],
)
def test_what_is_not_known_is_told_and_not_guessed(desk, feed, reason):
    ((level, text),) = settle(desk, feed)

    assert level == "alarm"
    assert "funding of BTCUSDT" in text
    assert reason in text
    assert payments(desk) == []


def test_what_the_venue_does_not_know_any_more_is_told_once_and_not_asked_for_again(tmp_path, desk):
    """The contract is gone, and its history with it."""
    unknown = VenueRefused("Invalid symbol.", code=-1121)
    feed = Source(error=unknown)
    desk.trade(50_000)
    desk.submit("b", Side.SELL)

    ((level, text),) = settle(desk, feed)

    assert level == "alarm"
    assert "Invalid symbol.; it is not asked for again" in text
    assert desk.venue.unpaid_since() == {}
    asyncio.run(desk.venue.close())
    assert settle(PaperDesk(tmp_path / "paper.db"), feed) == []
    assert len(feed.asked) == 1


def test_what_the_venue_refuses_for_another_reason_is_asked_for_again(desk):
    feed = Source(error=VenueRefused("Too many requests.", code=-1003))

    ((_, text),) = settle(desk, feed)

    assert "asked for again" in text
    assert BTC in desk.venue.unpaid_since()


def test_a_downtime_longer_than_is_asked_for_is_told(desk):
    feed = Source(funding(8))

    ((_, text),) = settle(desk, feed, hours=LOOK_BACK_NS / HOUR + 30)

    assert "older than" in text
    assert payments(desk) == []


class LiveFeed(ScriptedFeed):
    """A live market of the test's own, and its history of funding."""

    def __init__(self, *fundings):
        super().__init__(is_live=True, start_ts=time.time_ns())
        self.fundings = fundings

    async def fetch_fundings(self, symbol, since, until):
        return [each for each in self.fundings if since <= each.ts <= until]


async def test_a_session_goes_on_from_a_crash_with_its_funding_booked_and_its_bracket(tmp_path):
    async with running(tmp_path / "a", feed=LiveFeed()) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000, take_profit=46_000)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_000)
        image = crash_image(tmp_path / "a", tmp_path / "b")
    due = Funding(symbol=BTC, ts=time.time_ns(), rate=0.001, mark_price=50_000.0)

    async with running(image, feed=LiveFeed(due)) as after:
        books = after.state.account(MAIN)
        assert books.funding == {"USDT": Decimal("-0.5")}
        assert after.open_roles() == ["ENTRY", "STOP_LOSS", "TAKE_PROFIT"]
        await after.service.stop()
        assert books_agree(after.service)


async def test_what_fell_due_while_a_session_lived_is_booked_at_its_next_start(
    tmp_path, monkeypatch
):
    """It was suspended, or its mark stream was: its books have agreed with the venue's since."""
    monkeypatch.setattr(comparing, "AGREEMENT_INTERVAL_NS", 0)
    lively = {"speed": 1.0, "audit_interval_ns": "1s", "clock_skew_ns": "0s"}
    async with running(tmp_path / "a", feed=LiveFeed(), **lively) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        due = Funding(symbol=BTC, ts=time.time_ns(), rate=0.001, mark_price=50_000.0)
        await desk.until(lambda: desk.state.account(MAIN).trades_until > due.ts)
        image = crash_image(tmp_path / "a", tmp_path / "b")

    async with running(image, feed=LiveFeed(due), **lively) as after:
        assert after.state.account(MAIN).funding == {"USDT": Decimal("-0.5")}
        await after.service.stop()
        assert books_agree(after.service)


async def test_each_account_of_a_session_is_charged_what_fell_due_while_it_was_down(tmp_path):
    two = {"accounts": {"second": {"leverage": 3}}}
    async with running(tmp_path / "a", feed=LiveFeed(), **two) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        await desk.service.place_order(BTC, "SELL", "0.004", account="second")
        image = crash_image(tmp_path / "a", tmp_path / "b")
    due = Funding(symbol=BTC, ts=time.time_ns(), rate=0.001, mark_price=50_000.0)

    async with running(image, feed=LiveFeed(due), **two) as after:
        assert after.state.account(MAIN).funding == {"USDT": Decimal("-0.5")}
        assert after.state.account(AccountId("second")).funding == {"USDT": Decimal("0.2")}
        await after.service.stop()
        assert books_agree(after.service)


async def test_what_is_not_known_of_another_account_is_told_with_its_name(tmp_path, caplog):
    two = {"accounts": {"second": {"leverage": 3}}}
    for folder in ("a", "b"):
        feed = ScriptedFeed(is_live=True, start_ts=time.time_ns())
        path = tmp_path / folder
        async with running(path, feed=feed, **two) as desk:
            if folder == "a":
                await desk.service.place_order(BTC, "SELL", "0.004", account="second")
                crash_image(path, tmp_path / "b")

    assert "funding of BTCUSDT on account second from" in caplog.text
    assert "funding of BTCUSDT from" not in caplog.text


async def test_an_order_that_is_filled_in_part_goes_on_filling_behind_a_crash(tmp_path):
    feed = LiveFeed()
    async with running(tmp_path / "a", feed=feed) as desk:
        resting = await desk.service.place_order(
            BTC, "BUY", "0.01", "LIMIT", 44_000, stop_loss=43_000
        )
        await feed.say(Trade(BTC, time.time_ns(), 43_990.0, 0.004))
        assert desk.state.position(("main", BTC)).qty == Decimal("0.004")
        fees = desk.state.account(MAIN).fees["USDT"]
        image = crash_image(tmp_path / "a", tmp_path / "b")

    after_feed = LiveFeed()
    async with running(image, feed=after_feed) as after:
        order = after.state.orders[resting.id]
        assert (order.cum_qty, order.qty) == (Decimal("0.004"), Decimal("0.01"))
        assert after.open_roles() == ["ENTRY", "STOP_LOSS"]
        assert after.state.account(MAIN).fees["USDT"] == fees

        await after_feed.say(Trade(BTC, time.time_ns(), 43_990.0, 5.0))
        assert after.state.position(("main", BTC)).qty == Decimal("0.01")
        stops = [o.qty for o in after.state.all_open_orders() if o.role.name == "STOP_LOSS"]
        assert stops == [Decimal("0.01")]
        await after.service.stop()
        assert books_agree(after.service)


async def test_a_session_that_lives_asks_for_what_fell_due_unheard(tmp_path, monkeypatch):
    monkeypatch.setattr(missed_funding, "EVERY_S", 0.01)
    feed = LiveFeed()
    async with running(tmp_path, feed=feed) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        market = desk.service.live.venue.exchange._markets[BTC]
        feed.fundings = (Funding(symbol=BTC, ts=time.time_ns(), rate=0.001, mark_price=50_000.0),)

        market.coverage.lose(
            time.time_ns(), market.holders
        )  # as a stream that was silent over it does

        await desk.until(lambda: desk.state.account(MAIN).funding != {})
        assert desk.state.account(MAIN).funding == {"USDT": Decimal("-0.5")}
        await desk.service.stop()
        assert books_agree(desk.service)
