import math
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given

from holdfast.model import events as ev
from holdfast.model.errors import InputError
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import IntentId, SessionId, Side, SignalType
from holdfast.stats import SessionFold, SessionStats, fold_session
from holdfast.stats.context import FOREIGN
from tests.stats.ledger import BTC, ETH, MACD, SMA, D, Ledger, trading


@pytest.mark.parametrize("facts", [[], Ledger().facts])
def test_a_session_in_which_nothing_happened_has_figures_that_can_be_printed(facts):
    stats = fold_session(facts)

    assert [
        f"{stats.duration}",
        f"{stats.total_trades}",
        f"{stats.win_rate:.2%}",
        f"{stats.profit_factor:.2f}",
        f"{stats.total_pnl:.2f}",
        f"{stats.max_drawdown:.2%}",
        f"{stats.sharpe_ratio:.2f}",
        f"{stats.sortino_ratio:.2f}",
        f"{stats.average_win:.2f} {stats.average_loss:.2f} {stats.expectancy:.2f}",
    ] == ["0:00:00", "0", "0.00%", "0.00", "0.00", "0.00%", "0.00", "0.00", "0.00 0.00 0.00"]


def session():
    ledger = Ledger()
    ledger.deposit("10000")
    ledger.equity("10000", after_s=0)
    ledger.buy("1", "100", fee="1")
    ledger.sell("1", "130", fee="1")
    ledger.sell("1", "50", symbol=ETH, strategy=MACD, fee="0.5")
    ledger.buy("1", "60", symbol=ETH, strategy=MACD, fee="0.5")
    ledger.buy("2", "100", fee="1")
    ledger.sell("2", "101", fee="1")
    ledger.funding("-4")
    ledger.equity("9900")
    ledger.buy("1", "100", strategy=MACD, fee="1")
    ledger.equity("10011", unrealized="3")
    return ledger


def test_trades_are_counted_after_fees():
    stats = fold_session(session().facts)

    assert (stats.total_trades, stats.winning_trades, stats.losing_trades) == (3, 1, 1)
    assert stats.win_rate == pytest.approx(1 / 3)
    assert stats.profit_factor == pytest.approx(28 / 11)
    assert (stats.average_win, stats.average_loss) == (D(28), D(-11))
    assert (stats.best_trade, stats.worst_trade) == (D(28), D(-11))
    assert stats.expectancy == D(17) / 3


def test_money_adds_up():
    stats = fold_session(session().facts)

    assert (stats.realized_pnl, stats.fees, stats.funding) == (D(22), D(6), D(-4))
    assert stats.total_pnl == 12
    assert stats.unrealized_pnl == 3
    assert (stats.equity_start, stats.equity_end) == (D(10_000), D(10_011))
    assert stats.max_drawdown == pytest.approx(0.01)


def test_each_strategy_and_each_symbol_has_its_part():
    stats = fold_session(session().facts)

    sma, macd = stats.by_strategy[SMA], stats.by_strategy[MACD]
    assert (sma.total_trades, sma.winning_trades, sma.net_pnl, sma.fills) == (2, 1, D(28), 4)
    assert (macd.total_trades, macd.losing_trades, macd.net_pnl, macd.fills) == (1, 1, D(-11), 3)
    assert (stats.by_symbol[BTC].net_pnl, stats.by_symbol[ETH].net_pnl) == (D(28), D(-11))
    assert stats.by_symbol[ETH].volume == 110
    assert (sma.win_rate, macd.win_rate) == (0.5, 0)


def test_wins_without_a_loss_are_an_infinite_profit_factor():
    ledger = Ledger()
    ledger.buy("1", "100")
    ledger.sell("1", "130")

    stats = fold_session(ledger.facts)

    assert stats.profit_factor == math.inf
    assert f"{stats.profit_factor:.2f}" == "inf"


def test_what_was_asked_and_refused_is_counted_by_rule():
    ledger = Ledger()
    wish = SignalGenerated(symbol=BTC, signal_type=SignalType.BUY)
    for number in range(3):
        ledger.add(ev.SignalReceived, intent_id=IntentId(str(number)), signal=wish)
    ledger.add(ev.SignalDenied, intent_id=IntentId("0"), rule="volatility", reason="wild")
    for reason in ("short", "shorter"):
        order = ledger.submit(Side.BUY, "1")
        ledger.add(ev.OrderDenied, order=order, rule="margin", reason=reason, verdicts=())
    ledger.add(ev.OrderRejected, cl_ord_id=order.cl_ord_id, reason="too late")

    stats = fold_session(ledger.facts)

    assert stats.rejection_reason == "too late"
    assert (stats.signals, stats.orders, stats.denied, stats.rejected) == (3, 2, 3, 1)
    assert stats.denials == {"volatility": 1, "margin": 2}
    assert stats.denial_reasons == {"volatility": "wild", "margin": "shorter"}


def test_fees_in_another_asset_stand_apart():
    ledger = Ledger()
    ledger.define(BTC)
    ledger.buy("1", "100", fee="0.25", fee_asset="BNB")
    ledger.sell("1", "100", fee="0.25", fee_asset="BNB")

    stats = fold_session(ledger.facts)

    assert (stats.fees, stats.total_pnl, stats.other_fees) == (D(0), D(0), {"BNB": D("0.5")})


@pytest.mark.parametrize(
    ("reason", "amount", "drawdown"),
    [
        ("INSURANCE_CLEAR", "-100", 0.1),  # what a liquidation costs beside its fill
        ("TRANSFER", "-100", 0),
        ("deposit", "-100", 0),
        ("INSURANCE_CLEAR", "100", 0),
    ],
)
@pytest.mark.parametrize("is_sampled", [True, False])
def test_what_leaves_the_wallet_and_was_not_moved_out_is_a_loss(
    reason, amount, drawdown, is_sampled
):
    ledger = Ledger()
    ledger.deposit("1000")
    ledger.buy("1", "100")
    if is_sampled:
        ledger.equity("1000", after_s=0)
    ledger.add(
        ev.WalletChanged, asset="USDT", amount=D(amount), reason=reason, change_id="once"
    )  # fmt: skip
    ledger.sell("1", "100")
    if is_sampled:
        ledger.equity(D(1000) + D(amount))

    stats = fold_session(ledger.facts)

    assert stats.max_drawdown == pytest.approx(drawdown)
    assert stats.equity_end == 1000 + D(amount)
    lost = D(amount) if drawdown else D(0)
    assert (stats.total_pnl, stats.charges) == (lost, -lost)


def test_the_total_of_a_liquidation_says_what_became_of_the_wallet():
    ledger = Ledger()
    ledger.define(BTC)
    ledger.deposit("1000")
    ledger.buy("10", "100", fee="1")
    ledger.sell("10", "60", fee="2")
    clearance = {"amount": D(-100), "reason": "INSURANCE_CLEAR", "change_id": "i"}
    ledger.add(ev.WalletChanged, asset="USDT", **clearance)
    ledger.add(ev.WalletChanged, asset="BNB", **clearance | {"change_id": "j"})

    stats = fold_session(ledger.facts)

    assert [stats.realized_pnl, stats.fees, stats.charges] == [-400, 3, 100]
    assert stats.total_pnl == stats.equity_end - stats.equity_start == -503
    assert stats.worst_trade == -403


# Which facts are a session's


def three_sessions():
    ledger = Ledger("first")
    ledger.buy("1", "100", fee="1")
    ledger.epoch("second")
    ledger.sell("1", "120", fee="2")
    ledger.epoch("second", is_resumed=True)
    ledger.buy("1", "100", fee="3", after_s=100)
    ledger.sell("1", "100", fee="4")
    ledger.epoch("third")
    ledger.buy("1", "100", fee="5")
    return ledger.facts


def test_without_a_name_it_is_the_last_session():
    stats = fold_session(three_sessions())

    assert (stats.session_id, stats.fees, stats.total_trades) == ("third", D(5), 0)


def test_a_session_goes_on_through_its_restarts_and_ends_what_an_earlier_one_began():
    stats = fold_session(three_sessions(), SessionId("second"))

    assert (stats.fees, stats.total_trades, stats.fills) == (D(9), 2, 3)
    assert stats.duration == timedelta(seconds=102)
    assert stats.best_trade == 17  # the entry's fee was paid in the first session


def test_the_first_of_several_can_be_named():
    stats = fold_session(three_sessions(), SessionId("first"))

    assert (stats.fees, stats.total_trades, stats.fills) == (D(1), 0, 1)


def test_a_session_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="no session 'fourth' in the journal"):
        fold_session(three_sessions(), SessionId("fourth"))


# The curve


def test_without_samples_the_wallet_makes_the_curve():
    ledger = Ledger()
    ledger.deposit("1000")
    ledger.buy("1", "100")
    ledger.sell("1", "200")
    ledger.buy("1", "200")
    ledger.deposit("5000")
    ledger.sell("1", "90")

    stats = fold_session(ledger.facts)

    assert (stats.equity_start, stats.equity_end) == (D(1000), D(5990))
    assert stats.max_drawdown == pytest.approx(110 / 6100)


def test_a_deposit_is_no_profit_and_a_withdrawal_no_drawdown():
    ledger = Ledger()
    for equity, flow in (("1000", "500"), ("1500", "-900"), ("600", "0")):
        ledger.equity(equity)
        ledger.deposit(flow)

    stats = fold_session(ledger.facts)

    assert (stats.max_drawdown, stats.sharpe_ratio) == (0, 0)


def test_money_in_an_asset_that_nothing_settles_in_does_not_touch_the_curve():
    ledger = Ledger()
    ledger.define(BTC)
    ledger.equity("1000")
    ledger.deposit("500", "BNB")
    ledger.equity("1000")

    assert fold_session(ledger.facts).max_drawdown == 0


def with_two_assets():
    ledger = Ledger()
    ledger.define(BTC)
    ledger.define("BTCUSDC", "USDC")
    return ledger


def test_the_curve_is_the_sum_of_all_margin_assets_in_dollars():
    ledger = with_two_assets()
    for usdt, usdc in (("1000", "500"), ("1000", "350")):
        ledger.equity(usdt, asset="USDT")
        ledger.equity(usdc, asset="USDC", after_s=0, unrealized="-7")

    stats = fold_session(ledger.facts)

    assert (stats.equity_end, stats.unrealized_pnl) == (D(1350), D(-7))
    assert stats.max_drawdown == pytest.approx(0.1)


def test_money_that_comes_in_another_margin_asset_is_no_profit():
    ledger = with_two_assets()
    ledger.equity("1000", asset="USDT")
    ledger.deposit("500", "USDC")
    ledger.equity("1000", asset="USDT")  # the deposit was before the asset's first sample
    ledger.equity("500", asset="USDC", after_s=0)
    ledger.deposit("250", "USDC")
    ledger.equity("1000", asset="USDT")
    ledger.equity("750", asset="USDC", after_s=0)

    stats = fold_session(ledger.facts)

    assert (stats.equity_end, stats.max_drawdown, stats.sharpe_ratio) == (D(1750), 0, 0)


def test_a_curve_goes_on_where_samples_did_not_name_their_asset():
    ledger = with_two_assets()
    ledger.equity("1000")
    ledger.equity("990", asset="USDT")
    ledger.equity("500", asset="USDC", after_s=0)

    stats = fold_session(ledger.facts)

    assert (stats.equity_start, stats.equity_end) == (D(1500), D(1490))
    assert stats.max_drawdown == pytest.approx(0.01)


def test_an_asset_that_is_no_dollar_is_not_added_to_dollars():
    ledger = with_two_assets()
    ledger.define("ETHBTC", "BTC")
    ledger.equity("1000", asset="USDT")
    ledger.equity("2", asset="BTC", after_s=0)
    ledger.equity("1000", asset="USDT")
    ledger.equity("3", asset="BTC", after_s=0)

    assert fold_session(ledger.facts).equity_end == 1000


# Laws


@given(trading)
def test_figures_agree_with_each_other(ledger):
    stats = fold_session(ledger.facts)

    assert stats.total_pnl == stats.realized_pnl - stats.fees - stats.charges + stats.funding
    assert stats.winning_trades + stats.losing_trades <= stats.total_trades
    for parts in (stats.by_strategy.values(), stats.by_symbol.values()):
        assert sum(part.total_trades for part in parts) == stats.total_trades
        assert sum(part.fills for part in parts) == stats.fills
    assert 0 <= stats.win_rate <= 1
    assert 0 <= stats.max_drawdown <= 1
    assert not math.isnan(stats.profit_factor + stats.sharpe_ratio)


@given(trading)
def test_asking_on_the_way_changes_nothing(ledger):
    asked, quiet = SessionFold(), SessionFold()
    for fact in ledger.facts:
        asked.apply(fact)
        asked.stats()
        quiet.apply(fact)

    assert asked.stats() == quiet.stats()


@given(trading)
def test_figures_travel_as_json(ledger):
    stats = fold_session(ledger.facts)

    back = msgspec.json.decode(msgspec.json.encode(stats), type=dict)

    assert SessionStats.__struct_fields__ == tuple(back)


def test_figures_once_given_do_not_change():
    ledger = session()
    fold = SessionFold()
    for fact in ledger.facts:
        fold.apply(fact)
    before = fold.stats()
    seen = msgspec.json.encode(before)

    fold.apply(ledger.sell("1", "500", strategy=MACD))

    assert msgspec.json.encode(before) == seen


def test_a_fill_that_was_booked_under_its_childs_name_is_its_strategys_once_that_is_known():
    ledger = Ledger()
    ledger.buy("1", "100")
    stop = ledger.submit(Side.SELL, "1")
    told = ledger.fill(Side.SELL, "1", "90", cl_ord_id="child-7")
    before = fold_session(ledger.facts)
    ledger.add(
        ev.FillRecognized,
        cl_ord_id=stop.cl_ord_id,
        trade_id=told.trade_id,
        qty=told.qty,
        price=told.price,
        fee=told.fee,
        venue_ts=told.venue_ts,
    )
    after = fold_session(ledger.facts)

    assert (before.by_strategy[SMA].fills, before.by_strategy[FOREIGN].fills) == (1, 1)
    assert (after.by_strategy[SMA].fills, after.by_strategy[SMA].volume) == (2, D(190))
    assert FOREIGN not in after.by_strategy
    assert (after.fills, after.realized_pnl) == (2, D(-10))


def test_a_fee_of_a_contracts_end_in_another_asset_is_none_of_the_margin_assets():
    ledger = Ledger()
    ledger.buy("2", "100", fee="0.1")
    paid = {"symbol": BTC, "venue_ts": ledger.ts, "is_fee": True}
    ledger.add(ev.SettlementPaid, **paid, amount=D("-0.5"), settlement_id="1")
    ledger.add(ev.SettlementPaid, **paid, amount=D("-0.001"), settlement_id="2", asset="BNB")

    stats = fold_session(ledger.facts)

    assert (stats.fees, stats.other_fees) == (D("0.6"), {"BNB": D("0.001")})
