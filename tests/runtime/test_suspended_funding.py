"""Funding that falls due while a living paper session is suspended, or does not hear its market."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from holdfast.exchange import known_instrument
from holdfast.model.commands import SubmitOrder
from holdfast.model.errors import NetworkError
from holdfast.model.market import Funding, MarkPrice, Quote
from holdfast.model.messages import FundingPayment
from holdfast.model.values import MAIN, ClOrdId, NewOrder, Side
from holdfast.runtime import missed_funding
from holdfast.venues import PaperVenue
from tests.runtime.test_missed_funding import Silent, Source, Told
from tests.venues.paper_desk import BTC, S

HOUR = 3600 * S
DAY = 1_700_006_400 * S  # midnight UTC


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, ts):
        self.ts = ts

    def now(self):
        return self.ts

    def advance(self, ts):
        self.ts = max(self.ts, ts)


def due(hours, rate=0.001, mark=50_000.0):
    return Funding(symbol=BTC, ts=DAY + round(hours * HOUR), rate=rate, mark_price=mark)


class Session:
    """A long of 1 BTC since 07:00 on an account whose session lives."""

    def __init__(self, feed, path=None):
        self.clock, self.feed, self.heard, self.told = Hand(DAY + 7 * HOUR), feed, [], Told()
        self.path = path
        self.begin()
        self.mark(8)
        self.trade(Side.BUY, "1")

    def begin(self):
        known = known_instrument(BTC)
        assert known is not None
        self.venue = PaperVenue(instruments=[known], clock=self.clock, path=self.path)
        asyncio.run(self.venue.connect((BTC,), self.heard.append))
        asyncio.run(missed_funding.settle_missed(self.feed, self.venue, self.clock.ts, self.told))

    def restart(self):
        asyncio.run(self.venue.close())
        self.begin()

    def mark(self, next_hour, price=50_000.0):
        self.quote(price)
        self.venue.on_market(
            MarkPrice(
                symbol=BTC,
                ts=self.clock.ts,
                mark_price=price,
                funding_rate=0.001,
                next_funding_ts=DAY + next_hour * HOUR,
            )
        )

    def quote(self, price=50_000.0):
        """Show the market without a mark: nothing tells when funding falls due."""
        ts = self.clock.ts
        self.venue.on_market(
            Quote(symbol=BTC, ts=ts, bid=price, bid_qty=1000.0, ask=price + 1, ask_qty=1000.0)
        )

    def trade(self, side, qty):
        order = NewOrder(
            cl_ord_id=ClOrdId(f"o{self.clock.ts}"), symbol=BTC, side=side, qty=Decimal(qty)
        )
        self.venue.submit(SubmitOrder(order=order, ts=self.clock.ts, recv_window_ns=S))

    def sleep_until(self, hour):
        """Stand still until then."""
        self.clock.ts = DAY + round(hour * HOUR)
        self.venue.tick(self.clock.ts)

    def live(self, next_hour, seconds=62):
        """Hear the market for a while, and have the history asked as a session does."""
        for _ in range(seconds // 2):
            self.clock.ts += 2 * S
            self.venue.tick(self.clock.ts)
            self.mark(next_hour)
        asyncio.run(self._settle())

    async def _settle(self):
        venues = [self.venue]
        task = asyncio.ensure_future(
            missed_funding.keep_settled(self.feed, venues, self.clock, self.told)
        )
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()

    @property
    def paid(self):
        return [
            (int((int(m.payment_id.rsplit("-")[-1]) - DAY) / HOUR), m.amount)
            for m in self.heard
            if isinstance(m, FundingPayment)
        ]


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(missed_funding, "EVERY_S", 0.0)


def test_each_settlement_that_was_slept_through_is_charged_at_its_own_rate_and_mark():
    session = Session(Source(due(0), due(8, 0.0005, 49_000.0), due(16, -0.002), due(24)))
    session.sleep_until(17)
    session.mark(24)
    session.trade(Side.SELL, "0.5")

    session.live(24)
    session.live(24)

    assert session.paid == [(8, Decimal("-24.5")), (16, Decimal(100))], "who held then pays"
    assert session.venue.unpaid_since() == {}
    session.sleep_until(24)
    assert session.paid[2:] == [(24, Decimal(-25))]
    assert session.told.lines == []


def test_what_is_charged_in_time_is_not_charged_by_history_again():
    session = Session(Source(due(8), due(16)))
    session.sleep_until(8)
    session.live(16)
    session.sleep_until(15.9)
    session.mark(16)
    session.sleep_until(17)
    session.live(24)

    assert [hour for hour, _ in session.paid] == [8, 16]


def test_settlements_that_a_silent_stream_did_not_announce_are_charged():
    session = Session(Source(due(8), due(16)))
    session.sleep_until(8)
    session.sleep_until(17)

    session.live(24)
    session.live(24)

    assert [hour for hour, _ in session.paid] == [8, 16]


def test_where_the_history_is_away_it_is_told_once_and_asked_again():
    feed = Source(due(8), due(16), error=NetworkError("no answer"))
    session = Session(feed)
    session.sleep_until(17)
    session.live(24)

    [(level, text)] = session.told.lines
    assert len(feed.asked) > 2, "once each time that it is seen to"
    assert level == "alarm"
    assert "no answer; it is asked for again" in text
    session.live(24)
    session.sleep_until(24)
    session.live(32)
    assert [hour for hour, _ in session.paid] == [24]

    feed.error = None
    session.live(32)

    assert [hour for hour, _ in session.paid] == [24, 8, 16]


def test_a_trade_says_nothing_of_what_was_charged_before_it(tmp_path):
    feed = Source(due(0), due(8), due(16), error=NetworkError("no answer"))
    session = Session(feed, tmp_path / "paper.db")
    session.sleep_until(17)
    session.mark(24)
    session.trade(Side.SELL, "0.5")
    feed.error = None

    session.restart()

    changes = session.venue.exchange.incomes_since(MAIN)
    hours = [
        (int(each.payment_id.rsplit("-")[-1]) - DAY) // HOUR
        for each in changes
        if isinstance(each, FundingPayment)
    ]
    assert hours == [8, 16]


def test_what_is_not_listed_yet_at_a_start_is_asked_for_again(tmp_path):
    feed = Source()
    session = Session(feed, tmp_path / "paper.db")
    asyncio.run(session.venue.close())
    session.clock.ts = DAY + 8 * HOUR + 2 * S
    session.begin()
    session.mark(16)
    feed.fundings = (due(8),)

    session.live(16)

    assert [hour for hour, _ in session.paid] == [8]


def test_without_a_history_what_is_announced_is_charged_though_it_is_late():
    session = Session(Silent())
    session.sleep_until(17)
    session.mark(24)

    assert [hour for hour, _ in session.paid] == [8]


def test_a_position_of_a_later_day_owes_nothing_of_the_earlier_ones():
    session = Session(Source(due(8), due(16)))
    session.trade(Side.SELL, "1")
    session.sleep_until(17)
    session.live(24)
    session.trade(Side.BUY, "1")
    session.live(24)

    assert session.paid == []
    assert session.venue.unpaid_since() == {}


def down(session, hour):
    """Have the process end, and begin again at an hour, its market heard at once."""
    asyncio.run(session.venue.close())
    session.clock.ts = DAY + round(hour * HOUR)
    session.begin()
    session.mark(round(hour) + 8)


def paid_in_all(session):
    changes = session.venue.exchange.incomes_since(MAIN)
    return [
        ((int(each.payment_id.rsplit("-")[-1]) - DAY) // HOUR, each.amount)
        for each in changes
        if isinstance(each, FundingPayment)
    ]


@pytest.mark.parametrize(
    "sold", [("1",), ("1.5",), ("1", "0.8")], ids=["closed", "turned", "opened anew"]
)
def test_who_held_while_nobody_was_there_pays_whatever_restarts_follow(tmp_path, sold):
    feed = Source(due(8), error=NetworkError("no answer"))
    session = Session(feed, tmp_path / "paper.db")
    down(session, 9)
    for qty in sold:
        session.clock.ts += S
        session.trade(Side.SELL, qty)
    down(session, 9.5)
    feed.error = None

    session.restart()

    assert paid_in_all(session) == [(8, Decimal(-50))]


def test_each_of_two_breaks_is_paid_by_its_own_holders(tmp_path):
    feed = Source(due(8), due(16), error=NetworkError("no answer"))
    session = Session(feed, tmp_path / "paper.db")
    down(session, 9)
    session.trade(Side.SELL, "1.5")
    down(session, 17)
    feed.error = None
    session.trade(Side.BUY, "0.5")

    session.restart()

    assert paid_in_all(session) == [(8, Decimal(-50)), (16, Decimal(25))]


def test_a_position_of_between_two_breaks_owes_nothing_where_none_was_open(tmp_path):
    feed = Source(due(8), due(16), error=NetworkError("no answer"))
    session = Session(feed, tmp_path / "paper.db")
    down(session, 9)
    session.trade(Side.SELL, "1")
    down(session, 17)
    session.trade(Side.BUY, "2")
    feed.error = None

    session.restart()

    assert paid_in_all(session) == [(8, Decimal(-50))]


@pytest.mark.parametrize(
    ("trades", "paid"),
    [
        ([(7.6, Side.SELL, "1")], []),
        ([(7.6, Side.SELL, "0.5")], [(8, Decimal(-25))]),
        ([(7.6, Side.SELL, "1.5")], [(8, Decimal(25))]),
        ([(7.6, Side.BUY, "1")], [(8, Decimal(-100))]),
        ([(8.01, Side.SELL, "1")], [(8, Decimal(-50))]),
        ([(7.6, Side.SELL, "0.5"), (8.01, Side.SELL, "0.5")], [(8, Decimal(-25))]),
        ([(7.6, Side.SELL, "1"), (8.01, Side.BUY, "2")], []),
    ],
    ids=["closed", "reduced", "turned", "more", "closed after", "in two parts", "opened after"],
)
def test_who_holds_at_a_settlement_that_nothing_announced_pays_it(tmp_path, trades, paid):
    """Marks are silent behind a restart, and so what fell due since then is asked for."""
    session = Session(Source(due(8)), tmp_path / "paper.db")
    asyncio.run(session.venue.close())
    session.clock.ts = DAY + round(7.5 * HOUR)
    session.begin()
    session.quote()
    for hour, side, qty in trades:
        session.clock.ts = DAY + round(hour * HOUR)
        session.quote()
        session.trade(side, qty)

    session.clock.ts = DAY + round(8.05 * HOUR)
    session.quote()
    asyncio.run(session._settle())

    assert paid_in_all(session) == paid


def test_what_is_traded_while_all_is_announced_makes_no_span(tmp_path):
    """Each would be kept until the history answers, which may be long."""
    session = Session(Source(error=NetworkError("no answer")), tmp_path / "paper.db")
    down(session, 7.5)
    spans = session.venue.exchange._markets[BTC].coverage.unknown
    session.clock.ts += S

    session.trade(Side.SELL, "0.5")

    assert session.venue.exchange._markets[BTC].coverage.unknown == spans
