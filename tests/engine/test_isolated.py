"""Isolated margin: a part of the wallet stands for one position alone, and the rest not for it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.engine import quiet
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import MAIN, NS_PER_S, ZERO, OrderRole, OrderStatus, Side, Symbol
from tests.engine.rig import BTC, ETH, KEY, Rig

OTHER = (MAIN, ETH)


@pytest.fixture
def rig():
    """Holds 4 BTCUSDT and 2 ETHUSDT at 100, bought for 10,000 USDT."""
    made = Rig(stop_loss_pct=ZERO, take_profit_pct=ZERO)
    for symbol, qty in ((BTC, "4"), (ETH, "2")):
        entry = made.place(Side.BUY, qty, symbol=symbol)
        made.report(entry, msg.ExecType.NEW, OrderStatus.NEW, symbol=symbol)
        made.trade(entry, qty, symbol=symbol, fee=ZERO)
    return made


def isolate(rig, **wallets):
    rig.hear(msg.IsolatedWallets(wallets={Symbol(k): Decimal(v) for k, v in wallets.items()}))


def pools(rig):
    found = rig.engine.core.exposure.margin_pools(MAIN)
    return {tuple(key[1] for key in pool.keys): (pool.wallet, pool.ratio) for pool in found}


def test_cross_positions_share_one_purse(rig):
    assert pools(rig) == {(BTC, ETH): (10_000, Decimal(6) / 10_000)}


def test_an_isolated_position_has_a_purse_of_its_own_and_takes_it_from_the_others(rig):
    isolate(rig, BTCUSDT="40")
    rig.price(95)

    assert pools(rig) == {
        (ETH,): (9_960, Decimal(2) / 9_960),
        (BTC,): (40, Decimal("3.8") / (40 - 20)),
    }
    assert rig.engine.core.exposure.margin_ratio(MAIN) == Decimal("0.19")


def test_an_isolated_position_near_its_end_is_closed_though_the_account_is_rich(rig):
    isolate(rig, BTCUSDT="20")
    rig.price("96")
    rig.price(100, ETH)

    rig.tick()

    [order] = rig.submitted()
    assert (order.symbol, order.role) == (BTC, OrderRole.EXIT)
    assert rig.alarms() == ["emergency_close"]


def test_a_position_that_has_grown_since_its_purse_was_told_has_what_it_ties_up(rig):
    """What was told of a small position would have the large one closed without need."""
    isolate(rig, BTCUSDT="1")
    entry = rig.place(Side.BUY, "1")
    rig.report(entry, msg.ExecType.NEW, OrderStatus.NEW)
    rig.trade(entry, "1", fee=ZERO)
    rig.tick()

    leverage = rig.state.leverages.get(KEY, 1)
    assert pools(rig)[BTC,][0] == Decimal(5 * 100) / leverage
    assert rig.alarms() == []


def test_what_is_told_late_of_a_smaller_position_is_not_the_purse_of_the_larger_one(rig):
    """Frames overtake each other: the first fill's word comes behind the second fill."""
    rig.hear(msg.IsolatedWallets(wallets={BTC: Decimal(1)}, qtys={BTC: Decimal("0.1")}))

    rig.tick()

    assert pools(rig)[BTC,][0] == Decimal(4 * 100) / rig.state.leverages.get(KEY, 1)
    assert rig.alarms() == []


def test_a_purse_in_the_books_goes_with_the_position_in_them(rig):
    small = msg.VenuePosition(
        symbol=BTC, qty=Decimal("0.1"), entry_price=Decimal(100), isolated_wallet=Decimal(1)
    )
    rig.hear(
        msg.VenueSnapshot(
            asked_ts=rig.now,
            taken_ts=rig.now,
            orders=(),
            positions=(small,),
            balances={"USDT": rig.state.account(MAIN).wallet("USDT")},
        )
    )

    assert pools(rig)[BTC,][0] == Decimal(4 * 100) / rig.state.leverages.get(KEY, 1)


def test_each_purse_that_is_nearly_used_up_is_seen_to_at_once(rig):
    isolate(rig, BTCUSDT="20", ETHUSDT="10")
    rig.price("96")
    rig.price("96", ETH)

    rig.tick()

    assert {order.symbol for order in rig.submitted()} == {BTC, ETH}


def test_an_isolated_loss_closes_no_cross_position(rig):
    """What the isolated one may lose beyond its purse is not the account's."""
    isolate(rig, ETHUSDT="9990")
    rig.price("99.9")

    rig.tick()

    assert {order.symbol for order in rig.submitted()} == set()
    assert pools(rig)[BTC,][0] == 10


def test_the_cross_purse_is_without_what_is_isolated(rig):
    isolate(rig, ETHUSDT="9995")
    rig.price("99.9")

    rig.tick()

    assert [order.symbol for order in rig.submitted()] == [BTC]


@pytest.mark.parametrize("price", ["95.5", "96.5", "110"])
def test_a_tick_that_is_left_out_would_close_no_isolated_position(rig, price):
    isolate(rig, BTCUSDT="20")
    low, high = quiet.band(rig.engine.core, BTC)
    rig.price(price)

    if low < float(price) < high:
        assert not rig.tick().commands
    else:
        assert float(price) < 96.5


def test_a_wallet_of_nothing_makes_a_position_cross_again(rig):
    isolate(rig, BTCUSDT="40")
    isolate(rig, BTCUSDT="0")

    assert list(pools(rig)) == [(BTC, ETH)]


def test_the_venues_books_say_anew_what_is_isolated(rig):
    isolate(rig, BTCUSDT="40")
    entry = Decimal(100)
    own = Decimal(30)
    rig.hear(
        msg.VenueSnapshot(
            asked_ts=rig.now,
            taken_ts=rig.now,
            orders=(),
            positions=(
                msg.VenuePosition(symbol=BTC, qty=Decimal(4), entry_price=entry),
                msg.VenuePosition(
                    symbol=ETH, qty=Decimal(2), entry_price=entry, isolated_wallet=own
                ),
            ),
            balances={"USDT": Decimal(10_000)},
        )
    )

    assert pools(rig) == {(BTC,): (9_970, Decimal(4) / 9_970), (ETH,): (30, Decimal(2) / 30)}


def test_margin_that_somebody_put_into_a_position_is_not_free(rig):
    exposure = rig.engine.core.exposure
    assert exposure.initial_margin(MAIN) == 60

    isolate(rig, BTCUSDT="9000")

    assert exposure.initial_margin(MAIN) == 9_020
    assert rig.place(Side.BUY, "1") is None
    assert rig.told(ev.OrderDenied)[0].rule == "margin"


def test_what_was_isolated_of_a_position_that_is_closed_ties_up_nothing(rig):
    isolate(rig, BTCUSDT="9000")
    rig.hear(msg.CloseRequest(symbol=BTC))
    [order] = rig.submitted()
    rig.trade(order.cl_ord_id, "4", fee=ZERO)

    assert rig.engine.core.exposure.initial_margin(MAIN) == 20
    assert rig.engine.core.exposure.tied(KEY, ZERO) == 0


# The mode of the account


def mode(rig, problem=""):
    rig.hear(msg.AccountMode(problem=problem))


def test_nothing_new_is_opened_while_the_account_is_set_otherwise(rig):
    mode(rig, "the account is in multi-assets mode")
    assert [type(fact) for fact in rig.news] == [ev.AccountModeChanged, ev.AlarmRaised]

    assert rig.place(Side.BUY, "1") is None
    [denied] = rig.told(ev.OrderDenied)
    assert (denied.rule, denied.reason) == ("account_mode", "the account is in multi-assets mode")
    assert rig.place(Side.SELL, "1", reduce_only=True)

    mode(rig)
    assert rig.place(Side.BUY, "1")


def test_a_mode_is_told_of_once(rig):
    mode(rig)
    assert rig.news == []
    mode(rig, "hedge")
    mode(rig, "hedge")

    assert rig.news == []
    assert rig.alarms() == ["account_mode"]


def test_a_start_forgets_a_mode_that_the_venue_would_not_be_joined_in(rig):
    mode(rig, "hedge")
    rig.restart()

    assert rig.state.odd_modes == {}


def test_a_margin_mode_that_somebody_set_is_an_alarm_and_no_more(rig):
    rig.hear(msg.MarginModeSet(symbol=ETH, text="it was isolated"))

    assert [(fact.code, fact.symbol) for fact in rig.told(ev.AlarmRaised)] == [("margin_mode", ETH)]
    assert [type(command) for command in rig.asked] == [cmd.Notify]


def test_a_margin_call_is_an_alarm_and_one_that_is_repeated_is_told_once(rig):
    for seconds in (0, 60, 700):
        rig.now += seconds * NS_PER_S
        rig.hear(msg.MarginCalled(symbols=(BTC, ETH)))

    told = [fact.text for fact in rig.ever(ev.AlarmRaised) if fact.code == "margin_call"]
    assert told == ["the venue warns of the liquidation of BTCUSDT, ETHUSDT"] * 2
