"""The first books of an account that others trade, at a venue whose clock and lists are not ours."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.beginning import LOOKS_MAX
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    ClOrdId,
    OrderStatus,
    Side,
    TradeId,
)
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.rig import BTC, Rig, contract

LAG_MS, SKEW_MS = 2000, 1000
"""How far answers trail, and clocks are apart, at most."""


def up_to(most):
    """Draw the ends more often than what lies between."""
    return st.one_of(st.just(most), st.just(0), st.integers(0, most))


WAY_MS, TRAIL_MS = up_to(400), up_to(LAG_MS)
AHEAD_MS = st.one_of(up_to(SKEW_MS), up_to(SKEW_MS).map(lambda ms: -ms))
BEFORE_MS, AFTER_MS = -4_000, 8_000


class Venue:
    """Trades of somebody else's, one after the other, and looks that trail them.

    Times are the venue's own, in milliseconds from the beginning of the first look.
    """

    def __init__(self, times, sizes, begun):
        self.begun = begun
        self.trades = [
            msg.ExecutionReport(
                symbol=BTC,
                cl_ord_id=ClOrdId("manual"),
                exec_type=ExecType.TRADE,
                status=OrderStatus.PARTIALLY_FILLED,
                side=Side.BUY if size > 0 else Side.SELL,
                venue_ts=begun + ts * NS_PER_MS,
                qty=Decimal(1000),
                last_qty=Decimal(abs(size)),
                last_px=Decimal(100),
                trade_id=TradeId(str(number)),
                fee=Decimal("0.1"),
                realized_pnl=Decimal(0),
            )
            for number, (ts, size) in enumerate(zip(times, sizes, strict=False))
        ]

    def done(self, ts):
        return tuple(t for t in self.trades if t.venue_ts <= self.begun + ts * NS_PER_MS)

    def books(self, ts):
        """Return the position and the balance as they were then."""
        done = self.done(ts)
        qty = sum((t.last_qty * t.side.sign for t in done), Decimal(0))
        return qty, Decimal(10_000) - sum((t.fee for t in done), Decimal(0))


@settings(max_examples=1000, deadline=None)
@given(
    data=st.data(),
    ahead_ms=AHEAD_MS,
    times=st.lists(st.integers(BEFORE_MS, AFTER_MS), unique=True, max_size=6).map(sorted),
    sizes=st.lists(st.sampled_from([-2, -1, 1, 2]), min_size=6, max_size=6),
)
def test_books_begun_in_the_midst_of_trading_are_the_venues(data, ahead_ms, times, sizes):
    """Whatever trails, and whosever clock is ahead: no fill is lost, none is counted twice."""
    rig = Rig(start=False)
    rig.engine.core.read_lag_ns = LAG_MS * NS_PER_MS
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    venue = Venue(times, sizes, rig.now)
    resting = rig.row("manual", qty=Decimal(1000), price=Decimal(100))
    asked, looks = 0, 0
    while rig.session() is Status.STARTING:
        read = asked + data.draw(WAY_MS)  # what is held
        listed = read + data.draw(WAY_MS)  # what has happened
        qty, balance = venue.books(read - data.draw(TRAIL_MS))
        trades = venue.done(listed - data.draw(TRAIL_MS))
        ours = venue.begun + (asked + ahead_ms) * NS_PER_MS
        rig.now = max(rig.now, venue.begun + (listed + ahead_ms) * NS_PER_MS)
        rig.snapshot(
            asked_ts=ours,
            sure_ts=ours,
            taken_ts=rig.now + NS_PER_S,
            balance=balance,
            positions={BTC: qty},
            orders=[resting],
            trades=tuple(t for t in trades if t.venue_ts >= venue.begun - 60 * NS_PER_S),
        )
        asked, looks = listed + LAG_MS, looks + 1
    if looks > LOOKS_MAX:
        return  # begun anyway
    for trade in venue.trades:
        rig.hear(trade)

    qty, balance = venue.books(AFTER_MS)
    assert (rig.qty(), rig.state.account(MAIN).wallet("USDT")) == (qty, balance)


def test_a_transfer_of_a_moment_ago_that_the_balance_trails_wants_another_look():
    rig = Rig(start=False)
    rig.engine.core.read_lag_ns = LAG_MS * NS_PER_MS
    rig.begin()
    rig.hear(msg.InstrumentListed(instrument=contract(BTC), leverage=10))
    moved = msg.WalletChange(
        asset="USDT",
        amount=Decimal(50),
        reason="transfer",
        change_id="t-1",
        venue_ts=rig.now - NS_PER_S,
    )
    for balance in ("10000", "10050", "10050", "10050"):
        rig.snapshot(balance=balance, changes=(moved,), sure_ts=rig.now)
        rig.now += 2 * NS_PER_S

    assert rig.session() is Status.RUNNING
    assert rig.state.account(MAIN).wallet("USDT") == Decimal(10_050)
    assert not rig.state.differences
    assert not rig.ever(ev.BooksDiffered)
