"""Wallets: in every asset, what is there is what deposits, profits, fees and funding add up to."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.account import AccountState
from holdfast.model import events as ev
from holdfast.model.values import ZERO, ClOrdId, Side, Symbol, TradeId


def fill(realized, fee, asset="USDT", ts=1):
    return ev.OrderFilled(
        ts=ts,
        symbol=Symbol("X"),
        side=Side.BUY,
        cl_ord_id=ClOrdId("1"),
        trade_id=TradeId("t"),
        qty=Decimal(1),
        price=Decimal(1),
        fee=Decimal(fee),
        fee_asset=asset,
        realized_pnl=Decimal(realized),
        venue_ts=ts,
    )


def funding(amount, asset="USDT", ts=1):
    return ev.FundingPaid(
        ts=ts,
        symbol=Symbol("X"),
        amount=Decimal(amount),
        payment_id="f",
        asset=asset,
        venue_ts=ts,
    )


def change(amount, asset="USDT", ts=1):
    return ev.WalletChanged(
        ts=ts, asset=asset, amount=Decimal(amount), reason="deposit", change_id="w"
    )


def test_a_fee_in_another_asset_is_taken_from_that_wallet():
    account = AccountState()
    account.apply_wallet(change("100"))

    account.apply_fill(fill("7", "0.01", "BNB"), "USDT")

    assert (account.wallet("USDT"), account.wallet("BNB")) == (Decimal(107), Decimal("-0.01"))
    assert account.assets() == {"USDT", "BNB"}


def test_an_account_that_was_never_touched_is_empty():
    assert AccountState().wallet("USDT") == 0
    assert AccountState().assets() == set()


def test_everything_that_moves_money_says_when():
    account = AccountState()
    for number, apply in enumerate(
        (
            lambda ts: account.apply_wallet(change("1", ts=ts)),
            lambda ts: account.apply_fill(fill("1", "0", ts=ts), "USDT"),
            lambda ts: account.apply_funding(funding("1", ts=ts)),
        ),
        start=1,
    ):
        apply(number)
        assert account.moved_ts == number


amounts = st.decimals(min_value=-1000, max_value=1000, places=8)
assets = st.sampled_from(["USDT", "BNB"])
movements = st.lists(
    st.one_of(
        st.builds(fill, amounts, amounts, assets),
        st.builds(funding, amounts, assets),
        st.builds(change, amounts, assets),
    ),
    max_size=40,
)


@given(movements)
def test_the_wallet_is_exactly_the_sum_of_what_was_booked(history):
    account = AccountState()
    sums = {"USDT": ZERO, "BNB": ZERO}
    for fact in history:
        if isinstance(fact, ev.OrderFilled):
            account.apply_fill(fact, "USDT")
            sums["USDT"] += fact.realized_pnl
            sums[fact.fee_asset] -= fact.fee
        elif isinstance(fact, ev.FundingPaid):
            account.apply_funding(fact)
            sums[fact.asset] += fact.amount
        else:
            account.apply_wallet(fact)
            sums[fact.asset] += fact.amount

    assert {asset: account.wallet(asset) for asset in sums} == sums
