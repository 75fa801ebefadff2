"""How an account's books are read: all of it counts once, and what trails halts nothing."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model import events as ev
from holdfast.model.values import NS_PER_MS
from tests.venues.binance_futures.books_account import HOUR_MS, ZERO
from tests.venues.binance_futures.books_session import BTC, Life, played


@given(
    seed=st.integers(0, 2**64),
    ways=st.fixed_dictionaries(
        {
            "lag_s": st.sampled_from((0.0, 0.3, 1.9)),
            "ills": st.sampled_from((0.0, 0.0, 0.1, 0.3)),
            "dropped": st.sampled_from((0.0, 0.3, 0.7, 1.0)),
            "wishes": st.sampled_from((0, 1)),
            "rate": st.sampled_from((0.1, 0.3, 0.8)),
            "page": st.sampled_from((1000, 40, 24)),
            "cut": st.sampled_from(("last", "first")),
            "one_by_one_max": st.sampled_from((20, 20, 0)),
            "lifetime_s": st.sampled_from((1e9, 30.0)),
        }
    ),
    seconds=st.integers(5, 60),
    absences=st.sampled_from(((), (), (60.0,), (3600.0,), (9 * 86_400.0,), (60.0, 60.0))),
)
@settings(max_examples=60)
def test_all_of_it_is_booked_once_and_what_trails_halts_nothing(seed, ways, seconds, absences):
    session = played(lambda one: one.run(seconds, absences), seed, **ways)

    assert session.wrong == []


def test_funding_paid_behind_its_hour_is_booked_though_the_books_agreed_in_between():
    hour = 60.0

    async def main(session):
        account = session.account
        order = account.place(BTC, "web_1", "BUY", Decimal(1), ZERO, kind="MARKET")
        account.fill(order, Decimal(1), Decimal(100))
        await asyncio.sleep(5.0)
        session.life = Life(session, 1)
        await session.life.begin()
        await asyncio.sleep(hour + 12.0 - session.loop.time())
        account.tell = lambda event: None
        account.fund(BTC, account.ms(hour))
        await asyncio.sleep(60.0)
        session.judge()
        await session.life.end()

    session = played(main, starts_ms=HOUR_MS - 60_000)

    hour_ts = session.account.ms(hour) * NS_PER_MS
    agreed = [fact for fact in session.facts if isinstance(fact, ev.BooksAgreed)]
    assert any(hour_ts + 3e9 < fact.trades_until < hour_ts + 9e9 for fact in agreed)
    assert session.wrong == []
