"""Real frames of the venue (2024 to 2026), where the reference data are at hand."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from holdfast.engine.account import AccountState
from holdfast.engine.position import PositionState
from holdfast.model import margin
from holdfast.model.events import OrderFilled
from holdfast.model.market import BookDelta, Trade
from holdfast.model.messages import ExecType, ExecutionReport, FundingPayment
from holdfast.model.values import OrderStatus
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import BooksMoved, WalletMoved
from tests.venues.binance_futures.reference import RECORDED, REFERENCE

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"no recorded frames at {RECORDED}: they are not published"
)

USER = {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "ALGO_UPDATE"}


def load(name):
    (path,) = RECORDED.glob(f"{name}*.json")
    return json.loads(path.read_text())


def frames_in(value):
    """Yield every event, however deep it lies."""
    if isinstance(value, dict):
        if isinstance(value.get("e"), str):
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from frames_in(each)


def read(stream, frame):
    raw = json.dumps(_timed(frame), separators=(",", ":")).encode()
    return list(stream.read(raw) if frame["e"] in USER else codec.read_market(raw))


def _timed(value):
    """Fill in the times and ids that a record leaves out as dots."""
    return {
        name: 1_789_000_000_000 if each == "..." and name in "ET" else each
        for name, each in value.items()
    }


def test_every_recorded_frame_is_read():
    seen: dict[str, list] = {}
    for path in sorted(RECORDED.glob("*.json")):
        stream = codec.UserStream(codec.OrderNames())
        for frame in frames_in(json.loads(path.read_text())):
            seen.setdefault(frame["e"], []).extend(read(stream, frame))

    assert len(seen) >= 8
    assert len(seen["ORDER_TRADE_UPDATE"]) >= 8
    assert seen["TRADE_LITE"] == seen["24hrMiniTicker"] == seen["kline"] == []


def test_an_order_that_takes_is_new_then_moves_the_position_then_fills():
    stream = codec.UserStream(codec.OrderNames())
    told = [each for frame in load("user_open")["open"] for each in read(stream, frame)]

    assert [type(each) for each in told] == [ExecutionReport, BooksMoved, ExecutionReport]
    fill = told[-1]
    assert (fill.exec_type, fill.status) == (ExecType.TRADE, OrderStatus.FILLED)
    assert fill.fee == (fill.last_px * fill.last_qty * Decimal("0.0005")).quantize(Decimal("1e-8"))
    assert fill.price == fill.last_px  # "91739.90" and "91739.90000" are one price


def test_a_close_realizes_what_the_venue_says():
    stream = codec.UserStream(codec.OrderNames())
    told = [each for frame in load("user_open")["close"] for each in read(stream, frame)]

    assert told[-1].realized_pnl == Decimal("-1.7734")
    assert told[-1].reduce_only
    assert told[-1].price is None


def test_an_amendment_a_cancel_and_money_are_what_they_are():
    recorded = load("user_ETHUSDC")
    stream = codec.UserStream(codec.OrderNames())
    told = {name: read(stream, recorded[name]) for name in recorded if "e" in recorded[name]}

    assert told["amendment"][0].exec_type is ExecType.REPLACED
    assert told["canceled"][0].status is OrderStatus.CANCELED
    assert [type(each) for each in told["deposit"]] == [WalletMoved, BooksMoved]
    assert told["withdraw"][0].amount == -10
    # From before the symbol was told (August 2026): the income list names it.
    assert isinstance(told["funding_cross"][0], WalletMoved)


def test_recorded_funding_would_be_one_payment_on_both_roads():
    frame = load("user_ETHUSDC")["funding_cross"]
    frame["a"]["S"] = "ETHUSDC"
    payment = read(codec.UserStream(codec.OrderNames()), frame)[0]
    hour = frame["T"] // 3_600_000 * 3_600_000
    row = {"symbol": "ETHUSDC", "incomeType": "FUNDING_FEE", "income": "-0.00085067"}
    more = {"asset": "USDC", "time": hour, "tranId": 1}
    (listed,) = codec.income(json.dumps([row | more]).encode()).changes

    assert isinstance(payment, FundingPayment)
    assert isinstance(listed, FundingPayment)
    assert listed.payment_id == payment.payment_id


def test_the_depth_chain_holds_and_ids_jump():
    recorded = load("market_streams")
    deltas = [each for frame in recorded["public_depth_100ms"] for each in read(None, frame)]

    assert all(isinstance(each, BookDelta) for each in deltas)
    assert all(after.previous_id == before.final_id for before, after in pairwise(deltas))
    assert any(each.first_id != each.previous_id + 1 for each in deltas)
    assert all(isinstance(read(None, frame)[0], Trade) for frame in recorded["public_trade"])


def test_the_testnets_conditional_order_is_read():
    recorded = load("testnet_probe")["ALGO_UPDATE_o_new_closePosition"]
    frame = {"e": "ALGO_UPDATE", "T": 1, "E": 1, "o": recorded}
    (report,) = read(codec.UserStream(codec.OrderNames()), frame)

    assert report.status is OrderStatus.NEW
    assert report.trigger_price == Decimal("74960.75")


def test_recorded_books_are_read():
    recorded = load("rest")
    risk = json.dumps(recorded["GET /fapi/v3/positionRisk"]).encode()
    (position,) = codec.positions(risk).positions
    account = json.dumps(recorded["GET /fapi/v3/account (cut)"]).encode()

    assert (position.qty, position.entry_price) == (Decimal("0.009"), Decimal("67445.9"))
    assert codec.balances(account) == {"USDT": Decimal("3.72964781")}
    (batch,) = (value for name, value in recorded.items() if name.startswith("POST"))
    (ack,) = codec.batch(json.dumps(batch).encode(), codec.OrderNames())
    assert isinstance(ack, ExecutionReport)
    assert ack.status is OrderStatus.NEW


def test_the_real_brackets_are_exact_and_continuous():
    tables = codec.leverage_brackets((REFERENCE / "leverageBracket_8symbols.json").read_bytes())

    assert len(tables) == 8
    for brackets in tables.values():
        for below, above in pairwise(brackets):
            assert below.notional_cap == above.notional_floor
            edge = above.notional_floor
            assert edge * below.maint_margin_ratio - below.cum == pytest.approx(
                edge * above.maint_margin_ratio - above.cum, abs=Decimal("0.5")
            )


def test_the_errors_of_a_testnet_have_an_outcome():
    from holdfast.venues.binance_futures.outcomes import Ask, Kind, classify

    for each in load("testnet_probe")["errors"]:
        assert classify(Ask.SUBMIT, 400, each["code"], each["msg"]).kind is Kind.FINAL


# What the frames add up to


def booked(report):
    """Return the fact that a fill's report becomes."""
    return OrderFilled(
        ts=report.venue_ts,
        symbol=report.symbol,
        side=report.side,
        cl_ord_id=report.cl_ord_id,
        trade_id=report.trade_id,
        qty=report.last_qty,
        price=report.last_px,
        fee=report.fee,
        fee_asset=report.fee_asset,
        realized_pnl=report.realized_pnl,
        venue_ts=report.venue_ts,
    )


def fills_in(frames):
    stream = codec.UserStream(codec.OrderNames())
    told = [each for frame in frames for each in read(stream, frame)]
    return [booked(each) for each in told if getattr(each, "exec_type", None) is ExecType.TRADE]


def books_in(frames):
    (books,) = (frame["a"] for frame in frames if frame["e"] == "ACCOUNT_UPDATE")
    (position,), (balance,) = books["P"], books["B"]
    return Decimal(position["pa"]), Decimal(position["ep"]), Decimal(balance["wb"])


def test_recorded_fills_fold_to_the_positions_and_wallets_recorded_with_them():
    recorded = load("user_open")
    position, account = PositionState(), AccountState()
    (opening,), (closing,) = fills_in(recorded["open"]), fills_in(recorded["close"])
    qty, entry, wallet = books_in(recorded["open"])

    position.apply_fill(opening, "USDT")
    account.deposits["USDT"] = wallet + opening.fee
    account.apply_fill(opening, "USDT")
    assert (position.qty, position.entry_price) == (qty, entry)
    assert account.wallet("USDT") == wallet

    qty, _, wallet = books_in(recorded["close"])
    position.apply_fill(closing, "USDT")
    account.apply_fill(closing, "USDT")
    assert (position.qty, position.realized_pnl) == (qty, Decimal("-1.7734"))
    assert account.wallet("USDT") == wallet


@pytest.mark.parametrize("record", ["user_market_open", "user_hedge"])
def test_every_recorded_fill_makes_the_position_that_the_venue_tells(record):
    frames = list(frames_in(load(record)))
    moved = [frame["a"] for frame in frames if frame["e"] == "ACCOUNT_UPDATE"]
    position = PositionState()
    for fill in fills_in(frames):
        position.apply_fill(fill, "USDT")
        told = next(each for each in moved[0]["P"] if each["s"] == fill.symbol)
        assert position.qty == Decimal(told["pa"])
        assert position.entry_price == Decimal(told["ep"])


def test_the_real_positions_figures_come_out():
    """Margins, profit and the price of liquidation, as a real account showed them."""
    recorded = load("rest")
    (shown,) = recorded["GET /fapi/v3/positionRisk"]
    (held,) = codec.positions(json.dumps([shown]).encode()).positions
    tables = codec.leverage_brackets((REFERENCE / "leverageBracket_8symbols.json").read_bytes())
    brackets = tables[held.symbol]
    mark = Decimal(shown["markPrice"])
    notional = held.qty * mark
    fine = Decimal("1e-8")

    assert notional == pytest.approx(Decimal(shown["notional"]), abs=fine)  # it cuts digits off
    pnl = margin.unrealized_pnl(held.qty, held.entry_price, mark)
    assert pnl.quantize(fine) == pytest.approx(Decimal(shown["unRealizedProfit"]), abs=fine)
    assert margin.initial_margin(notional, 80) == pytest.approx(
        Decimal(shown["initialMargin"]), abs=fine
    )
    assert margin.maintenance_margin(brackets, notional) == pytest.approx(
        Decimal(shown["maintMargin"]), abs=2 * fine
    )
    liquidation = margin.liquidation_price(
        held.qty, held.entry_price, Decimal("25.72470371"), brackets
    )
    assert liquidation == pytest.approx(Decimal(shown["liquidationPrice"]), abs=Decimal("1e-7"))


def test_recorded_frames_say_the_same_when_they_are_written_again():
    """Number text, order of fields and white space carry no meaning; unknown fields none either."""
    for path in sorted(RECORDED.glob("*.json")):
        for frame in frames_in(json.loads(path.read_text())):
            written = dict(reversed(list(_timed(frame).items()))) | {"zz": {"novel": 1}}
            raw = json.dumps(written, indent=1).encode()
            stream = codec.UserStream(codec.OrderNames())
            again = stream.read(raw) if frame["e"] in USER else codec.read_market(raw)
            assert list(again) == read(codec.UserStream(codec.OrderNames()), frame)
