"""Trades of a session and of its replay are paired, and what is apart is measured."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.model import events as ev
from holdfast.model.errors import InputError
from holdfast.model.values import (
    MAIN,
    NS_PER_MS,
    NS_PER_S,
    AccountId,
    ClOrdId,
    Side,
    Symbol,
    TradeId,
)
from holdfast.runtime.replay_compare import compare as compare_trips
from holdfast.runtime.replay_compare import recorded
from holdfast.stats import round_trips

START = 1_700_000_000 * NS_PER_S
BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")


def trip(at_s, entry, exit_, side=Side.BUY, late_ms=0):
    """Return the two fills of one trade; the exit comes ten seconds behind the entry."""
    ts = START + at_s * NS_PER_S + late_ms * NS_PER_MS
    pnl = (Decimal(exit_) - Decimal(entry)) * side.sign
    return [
        fill(ts, side, entry, Decimal(0), "E"),
        fill(ts + 10 * NS_PER_S, side.opposite, exit_, pnl, "X"),
    ]


def fill(ts, side, price, pnl, role):
    return ev.OrderFilled(
        ts=ts,
        symbol=BTC,
        side=side,
        cl_ord_id=ClOrdId(f"hf.1.1.1.{role}.cross"),
        trade_id=TradeId(str(ts)),
        qty=Decimal(1),
        price=Decimal(price),
        fee=Decimal(0),
        realized_pnl=pnl,
        venue_ts=ts,
    )


def compare(session, replay):
    return compare_trips(round_trips(session), round_trips(replay))


def begun(session_id, ts):
    return ev.EpochStarted(
        ts=ts,
        epoch=1,
        session_id=session_id,
        portfolio_id="p",
        accounts=(),
        strategies=(),
        symbols=(BTC,),
        venue="paper",
        is_resumed=False,
    )


def test_a_trade_in_both_shows_how_far_they_are_apart():
    drift = compare(trip(0, "100.10", "101", late_ms=250), trip(0, "100", "101.5"))

    (pair,) = drift.pairs
    assert pair.entry_ms == pair.exit_ms == 250
    assert pair.entry_bp == pytest.approx(10)  # bought dearer
    assert pair.exit_bp == pytest.approx(49.26, abs=0.01)  # sold cheaper
    assert pair.pnl == Decimal("-0.6")


def test_a_short_that_was_sold_dearer_is_better():
    drift = compare(trip(0, "101", "99", Side.SELL), trip(0, "100", "99", Side.SELL))

    assert drift.pairs[0].entry_bp == pytest.approx(-100)


def test_trades_that_only_one_made_stand_alone_and_count_in_the_sums():
    session = [*trip(0, "100", "101"), *trip(600, "100", "105")]
    replay = [*trip(0, "100", "101"), *trip(300, "100", "98")]

    found = compare(session, replay).summary()

    assert (found["trades_in_both"], found["only_in_session"], found["only_in_replay"]) == (1, 1, 1)
    assert (found["session_pnl"], found["replay_pnl"]) == (Decimal(6), Decimal(-1))
    assert found["pnl_drift"] == Decimal(7)


def test_trades_of_opposite_sides_are_never_the_same():
    drift = compare(trip(0, "100", "101"), trip(0, "100", "101", Side.SELL))

    assert len(drift.pairs) == 2
    assert drift.both() == []


def test_a_session_is_found_by_the_beginning_of_its_id():
    facts = [begun("aa-1", START), *trip(1, "100", "101"), begun("bb-2", START + 99)]

    assert recorded(facts, "aa").session_id == "aa-1"
    assert (recorded(facts, "aa").started_ts, recorded(facts, "aa").ended_ts) == (
        START,
        START + 11 * NS_PER_S,
    )
    assert len(recorded(facts, "aa").trips) == 1
    assert recorded(facts, "last").session_id == "bb-2"
    with pytest.raises(InputError, match="it has aa-1, bb-2"):
        recorded(facts, "cc")


def test_what_an_earlier_session_left_open_ends_in_this_one():
    """The fill that closes it must not be taken for one that opens the opposite."""
    entry, exit_ = trip(0, "100", "104")
    later = [trip(at, "104", "105") for at in (100, 200)]
    facts = [begun("aa", START), entry, begun("bb", exit_.ts), exit_, *later[0], *later[1]]

    found = recorded(facts, "bb").trips

    assert [(each.side, each.net_pnl) for each in found] == [
        (Side.BUY, Decimal(4)),
        (Side.BUY, Decimal(1)),
        (Side.BUY, Decimal(1)),
    ]


def started(strategy_id, description):
    return ev.StrategyStarted(ts=START, strategy_id=strategy_id, description=description)


def test_a_strategy_that_came_back_with_other_parameters_is_replayed_once():
    """Both of it at once traded twice, under two names."""
    facts = [
        begun("aa", START),
        started("cross", "cross:fast=5"),
        started("other", "other"),
        begun("aa", START + NS_PER_S),
        started("cross", "cross:fast=8"),
        started("other", "other"),
    ]

    assert recorded(facts, "aa").strategies == ("cross:fast=8", "other")


def test_how_long_a_session_was_down_is_known():
    facts = [
        begun("aa", START),
        started("cross", "cross"),
        begun("bb", START + 10 * NS_PER_S),
        begun("aa", START + 90 * NS_PER_S),
        *trip(95, "100", "101"),
        begun("aa", START + 110 * NS_PER_S),
    ]

    assert recorded(facts, "aa").down_ns == (90 + 5) * NS_PER_S
    assert recorded(facts, "bb").down_ns == 0


def test_two_strategies_of_one_description_are_both_replayed():
    facts = [begun("aa", START), started("cross", "cross"), started("cross-2", "cross")]

    assert recorded(facts, "aa").strategies == ("cross", "cross")


def test_fees_that_are_in_no_profit_are_told():
    """Paid in BNB they are in no trade's profit; the replay's are."""
    bought = trip(0, "100", "101")
    facts = [
        begun("aa", START),
        msgspec.structs.replace(bought[0], fee_asset="BNB", fee=Decimal("0.01")),
        msgspec.structs.replace(bought[1], fee_asset="BNB", fee=Decimal("0.02")),
        begun("bb", START + NS_PER_S),
        *(msgspec.structs.replace(each, fee=Decimal("0.05")) for each in trip(60, "100", "101")),
    ]

    assert recorded(facts, "aa").other_fees == {"BNB": Decimal("0.03")}
    assert recorded(facts, "bb").other_fees == {}


def test_a_second_session_of_a_day_begins_with_its_own_equity():
    def sampled(ts, equity):
        zero = Decimal(0)
        return ev.EquitySampled(
            ts=ts, equity=Decimal(equity), wallet=zero, unrealized=zero, exposure=zero
        )

    facts = [
        begun("aa", START),
        ev.TradingDayStarted(ts=START + 1, day=1, equity=Decimal(100)),
        sampled(START + 1, 100),
        begun("bb", START + 50),
        sampled(START + 51, 90),
        ev.TradingDayStarted(ts=START + 99, day=2, equity=Decimal(70)),
    ]

    assert recorded(facts, "aa").equity == {MAIN: 100}
    assert recorded(facts, "bb").equity == {MAIN: 90}


def test_each_account_begins_with_its_own_equity():
    def day(account, equity, asset="USDT"):
        return ev.TradingDayStarted(
            ts=START, account=account, day=1, equity=Decimal(equity), asset=asset
        )

    second = AccountId("second")
    facts = [begun("aa", START), day(MAIN, 8000), day(MAIN, 5, "USDC"), day(second, 700)]

    assert recorded(facts, "aa").equity == {MAIN: 8000, second: 700}


@pytest.mark.parametrize(
    ("later", "symbols"), [((BTC, ETH), (BTC, ETH)), ((ETH,), (BTC, ETH)), ((), ())]
)
def test_symbols_that_a_session_was_resumed_with_are_its_own(later, symbols):
    resumed = msgspec.structs.replace(begun("aa", START + 9), symbols=later, is_resumed=True)
    facts = [begun("aa", START), resumed, begun("bb", START + 99)]

    assert recorded(facts, "aa").symbols == symbols
    assert recorded(facts, "bb").symbols == (BTC,)


def test_the_nearest_trades_are_paired_where_one_made_a_trade_more():
    times = (0, 20, 40)
    more = [fact for at in times for fact in trip(at, "100", "101")]
    fewer = [fact for at in times[1:] for fact in trip(at, "100", "101", late_ms=300)]

    for drift in (compare(fewer, more), compare(more, fewer)):
        assert [abs(pair.entry_ms) for pair in drift.both()] == [300, 300]
        assert len(drift.pairs) == 3


def test_trades_that_nothing_else_is_near_are_paired_beside_a_nearer_pair():
    """The second of the session is nearest to the second of the replay; the first are left."""
    session = [fact for at in (0, 30) for fact in trip(at, "100", "101")]
    replay = [fact for at in (20, 31) for fact in trip(at, "100", "101")]

    drift = compare(session, replay)

    assert [pair.entry_ms for pair in drift.pairs] == [-20_000, -1_000]


def test_pairs_keep_the_order_of_time():
    session = [fact for at in (0, 20) for fact in trip(at, "100", "101")]
    replay = [fact for at in (19, 40) for fact in trip(at, "100", "101")]

    drift = compare(session, replay)

    assert [pair.entry_ms for pair in drift.both()] == [1_000]  # 0 and 40 would cross it
    assert len(drift.pairs) == 3


def test_an_exit_without_a_price_is_not_laid_beside_another():
    gone = ev.PositionAdopted(
        ts=START + 10 * NS_PER_S,
        symbol=BTC,
        qty=Decimal(0),
        entry_price=Decimal(0),
        reason="policy",
    )
    taken_away = [trip(0, "100", "101")[0], gone]

    for drift in (compare(taken_away, trip(0, "100", "101")),
                  compare(trip(0, "100", "101"), taken_away)):  # fmt: skip
        assert drift.pairs[0].exit_bp is None
        assert drift.pairs[0].entry_bp == 0
