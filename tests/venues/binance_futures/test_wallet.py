"""Money on two roads: the stream at once, the income list under the venue's own ids."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.events import FundingPaid, WalletChanged
from holdfast.model.messages import FundingPayment, WalletChange
from holdfast.model.values import MAIN, NS_PER_S
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import Unlisted, WalletMoved, funding_id
from tests.engine.rig import BTC, Rig
from tests.venues.binance_futures.frames import MS, raw

HOUR_MS = 3_600_000
FULL = 497_225 * HOUR_MS  # a full hour


def row(kind="FUNDING_FEE", amount="-0.01200000", time=FULL, **fields):
    return {
        "symbol": "BTCUSDT",
        "incomeType": kind,
        "income": amount,
        "asset": "USDT",
        "info": kind,
        "time": time,
        "tranId": 1_581_916_192_027_936_360,
        "tradeId": "",
        **fields,
    }


def streamed(time, amount="-0.012", symbol="BTCUSDT"):
    balance = {"a": "USDT", "wb": "99", "cw": "99", "bc": amount}
    books = {"B": [balance], "P": [], "m": "FUNDING_FEE", "S": symbol}
    frame = raw({"e": "ACCOUNT_UPDATE", "T": time, "E": time, "a": books})
    return codec.UserStream(codec.OrderNames()).read(frame)[0]


@pytest.mark.parametrize(
    ("late_s", "back_s"), [(0, 0), (0.4, 0.4), (12, 12), (60, 60), (61, 0), (3599, 0)]
)
def test_what_is_dated_with_the_hour_and_paid_behind_it_is_read_again(late_s, back_s):
    since = FULL * MS + round(late_s * NS_PER_S)

    assert since - codec.listed_since(since) == round(back_s * NS_PER_S)


def test_changes_without_ids_are_not_taken_for_one():
    rows = [
        row("TRANSFER", amount, time=FULL + late) for late, amount in ((0, "5"), (0, "7"), (1, "5"))
    ]
    for each in rows:
        del each["tranId"]

    names = {change.change_id for change in codec.income(raw(rows)).changes}  # type: ignore[union-attr]
    assert len(names) == 3


def test_the_same_payment_on_both_roads_counts_once():
    rig = Rig()
    hour = -(-rig.now // (HOUR_MS * MS)) * HOUR_MS
    on_stream = streamed(hour + 3_246)
    (on_list,) = codec.income(raw([row(time=hour)])).changes

    rig.hear(on_stream)
    rig.restart()  # another process has no memory but the journal
    rig.hear(on_list)
    rig.hear(on_stream)
    rig.snapshot(changes=(on_list,))

    assert len(rig.ever(FundingPaid)) == 1
    assert rig.state.account(MAIN).funding == {"USDT": Decimal("-0.012")}


@given(
    st.integers(-60_000, 60_000),
    st.integers(-60_000, 600_000),
    st.sampled_from(["-0.012", "-0.01200000", "-1.2E-2"]),
)
def test_payment_ids_agree_whatever_the_delay_and_the_text(told, listed, text):
    (on_list,) = codec.income(raw([row(income=text, time=FULL + listed)])).changes

    assert isinstance(on_list, FundingPayment)
    assert streamed(FULL + told).payment_id == on_list.payment_id


def test_equal_payments_within_an_hour_are_two_where_they_are_not_of_the_hour():
    half = FULL + HOUR_MS // 2
    times = (FULL, FULL + 1, half, half + 60_000)
    listed = codec.income(raw([row(time=at, tranId=at) for at in times])).changes
    payments = [each for each in listed if isinstance(each, FundingPayment)]

    assert len(payments) == 4
    assert len({each.payment_id for each in payments}) == 3


def test_payments_of_another_hour_symbol_amount_or_asset_are_others():
    first = ("BTCUSDT", "USDT", Decimal("-0.012"), FULL * MS)
    others = [
        ("ETHUSDT", *first[1:]),
        (first[0], "USDC", *first[2:]),
        (*first[:2], Decimal("-0.013"), first[3]),
        (*first[:3], (FULL + HOUR_MS) * MS),
    ]

    assert len({funding_id(*each) for each in [first, *others]}) == 5


def test_special_funding_is_funding():
    usual, special = codec.income(
        raw([row(), row("SPECIAL_FUNDING_FEE", "0.5", FULL + 1000, tranId=7)])
    ).changes

    assert isinstance(special, FundingPayment)
    assert isinstance(usual, FundingPayment)
    assert special.payment_id != usual.payment_id


def test_other_income_counts_under_the_venues_id():
    rows = [
        row("TRANSFER", "100.00000000", tranId=42, symbol=""),
        row("API_REBATE", "0.1", tranId=43),
    ]
    transfer, rebate = codec.income(raw(rows)).changes

    assert isinstance(transfer, WalletChange)
    assert (transfer.change_id, transfer.amount) == ("TRANSFER-42", Decimal(100))
    assert isinstance(rebate, WalletChange)
    assert rebate.reason == "API_REBATE"


def test_two_equal_deposits_within_a_second_are_two():
    rig = Rig()
    rows = [row("TRANSFER", "100", tranId=each, symbol="") for each in (1, 2, 2)]
    for change in codec.income(raw(rows)).changes:
        rig.hear(change)

    booked = [each for each in rig.ever(WalletChanged) if each.reason == "TRANSFER"]
    assert len(booked) == 2


def test_what_executions_carry_themselves_is_not_counted_again():
    rows = [row("COMMISSION", "-1"), row("REALIZED_PNL", "5", time=FULL + 9), row(symbol=None)]
    listed = codec.income(raw(rows))

    assert [type(each) for each in listed.changes] == [WalletChange]  # funding without a symbol
    assert (listed.row_count, listed.last_ts) == (3, (FULL + 9) * MS)


def test_income_comes_oldest_first():
    listed = codec.income(raw([row(time=FULL + 5, tranId=2), row(time=FULL, tranId=1)]))

    assert [each.venue_ts for each in listed.changes] == [FULL * MS, (FULL + 5) * MS]
    assert codec.income(b"[]") == ((), 0, 0, (), 0)


# Waiting for the list


def moved(ts_s, amount=100):
    return WalletMoved("USDT", Decimal(amount), "DEPOSIT", ts_s * NS_PER_S)


def listed(ts_s, amount=100):
    return WalletChange(
        asset="USDT",
        amount=Decimal(amount),
        reason="TRANSFER",
        change_id="x",
        venue_ts=ts_s * NS_PER_S,
    )


def test_a_change_is_waited_for_until_the_list_shows_it():
    unlisted = Unlisted()
    unlisted.hear(moved(1_000))
    unlisted.strike((listed(1_000, amount=99), listed(900)))
    assert len(unlisted) == 1

    unlisted.strike((listed(998),))
    assert len(unlisted) == 0


def test_each_row_answers_for_one_change():
    unlisted = Unlisted()
    for second in (1_000, 1_001, 1_002):
        unlisted.hear(moved(second))
    unlisted.strike((listed(1_000),))

    assert len(unlisted) == 2


def test_what_is_never_listed_is_given_up_and_said():
    unlisted = Unlisted()
    unlisted.hear(moved(1_000))
    unlisted.hear(moved(1_050))

    assert unlisted.give_up(1_030 * NS_PER_S) == (moved(1_000),)
    assert len(unlisted) == 1


def test_waiting_is_bounded():
    unlisted = Unlisted()
    for second in range(1_000):
        unlisted.hear(moved(second))

    assert len(unlisted) == 256


# The rest of the books


@pytest.mark.parametrize("mark", ["", None, "NaN", "-1", "1e99", "much", 0])
def test_a_position_counts_whatever_is_told_of_its_worth(mark):
    row = {"symbol": "BTCUSDT", "positionAmt": "2", "entryPrice": "1", "markPrice": mark}

    (position,) = codec.positions(raw([row])).positions

    assert (position.qty, position.mark_price) == (Decimal(2), 0.0)


def test_positions_that_are_flat_are_left_out():
    def risk(symbol, qty, side="BOTH", entry="60000"):
        return {
            "symbol": symbol,
            "positionSide": side,
            "positionAmt": qty,
            "entryPrice": entry,
            "markPrice": "61000",
            "adl": 2,
            "updateTime": FULL,
        }

    books = codec.positions(raw([risk("BTCUSDT", "-0.030"), risk("ETHUSDT", "0.000")]))
    (position,) = books.positions
    assert (position.symbol, position.qty, position.entry_price) == (
        BTC,
        Decimal("-0.03"),
        Decimal(60_000),
    )
    assert position.mark_price == 61_000
    assert not books.is_hedged

    hedged = codec.positions(
        raw([risk("BTCUSDT", "3", "LONG"), risk("BTCUSDT", "-1", "SHORT", "61000")])
    )
    assert hedged.is_hedged
    assert hedged.positions[0].qty == 2


def test_wallets_are_read_and_empty_ones_left_out():
    body = {
        "totalWalletBalance": "3.5",
        "assets": [
            {"asset": "USDT", "walletBalance": "3.50000000", "crossWalletBalance": "3.5"},
            {"asset": "BNB", "walletBalance": "0.00000000"},
        ],
        "positions": [],
    }

    assert codec.balances(raw(body)) == {"USDT": Decimal("3.5")}


def test_settings_are_read():
    config = codec.account_config(
        raw({"feeTier": 0, "canTrade": True, "dualSidePosition": True, "multiAssetsMargin": False})
    )
    assert config.dual_side_position
    assert not config.multi_assets_margin
    symbols = [
        {"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 21, "maxNotionalValue": "1"}
    ]
    [row] = codec.symbol_configs(raw(symbols))
    assert (row.symbol, row.leverage, row.is_isolated) == ("BTCUSDT", 21, False)
    assert codec.leverage(raw({"leverage": 5, "maxNotionalValue": "1", "symbol": "X"})) == 5
    assert codec.listen_key(raw({"listenKey": "abc"})) == "abc"
    assert codec.server_time_ms(raw({"serverTime": FULL})) == FULL


def test_a_body_of_another_shape_names_the_place():
    with pytest.raises(codec.BadFrame, match="the list of positions"):
        codec.positions(raw({"code": -1}))
    with pytest.raises(codec.BadFrame, match="walletBalance"):
        codec.balances(raw({"assets": [{"asset": "USDT", "walletBalance": "NaN"}]}))
    assert issubclass(codec.BadFrame, Exception)
    assert not issubclass(codec.BadFrame, msgspec.MsgspecError)
