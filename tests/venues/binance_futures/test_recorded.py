"""Real frames of the venue (2024 to 2026), where the reference data are at hand."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from holdfast.model.market import BookDelta, Trade
from holdfast.model.messages import ExecType, ExecutionReport, FundingPayment
from holdfast.model.values import OrderStatus
from holdfast.venues.binance_futures import codec
from holdfast.venues.binance_futures.codec import BooksMoved, WalletMoved

REFERENCE = Path(__file__).resolve().parents[3] / "../shared/design/binance"
RECORDED = REFERENCE / "recorded"
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
