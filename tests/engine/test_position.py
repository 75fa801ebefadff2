"""Average-cost positions, against a model that keeps every lot."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.position import PositionState
from holdfast.model import events as ev
from holdfast.model.margin import book_fill
from holdfast.model.values import ZERO, ClOrdId, Side, Symbol, TradeId

CENT = Decimal("0.00000001")


def book(position, side, qty, price, fee="0", *, fee_asset="USDT", ts=1):
    qty, price = Decimal(qty), Decimal(price)
    signed = qty * side.sign
    realized = book_fill(position.qty, position.entry_price, signed, price).realized
    position.apply_fill(
        ev.OrderFilled(
            ts=ts,
            symbol=Symbol("X"),
            side=side,
            cl_ord_id=ClOrdId("1"),
            trade_id=TradeId("t"),
            qty=qty,
            price=price,
            fee=Decimal(fee),
            fee_asset=fee_asset,
            realized_pnl=realized,
            venue_ts=ts,
        ),
        "USDT",
    )
    return position


def test_adding_averages_the_entry_price():
    position = book(book(PositionState(), Side.BUY, 1, 100), Side.BUY, 3, 108)

    assert (position.qty, position.entry_price, position.realized_pnl) == (4, 106, 0)


def test_a_fee_in_another_asset_is_no_fee_in_the_margin_asset():
    position = book(PositionState(), Side.BUY, 1, 600, "0.3")
    book(position, Side.SELL, 1, 600, "0.0005", fee_asset="BNB")

    assert position.fees == Decimal("0.3")


def test_reducing_realizes_profit_and_keeps_the_entry_price():
    position = book(book(PositionState(), Side.SELL, 4, 100), Side.BUY, 1, 90)

    assert (position.qty, position.entry_price, position.realized_pnl) == (-3, 100, 10)


def test_closing_leaves_nothing_but_what_was_earned():
    position = book(book(PositionState(), Side.BUY, 2, 100, "0.1"), Side.SELL, 2, 99, "0.1", ts=9)

    assert (position.qty, position.entry_price, position.opened_ts) == (0, 0, 0)
    assert (position.realized_pnl, position.fees) == (-2, Decimal("0.2"))


def test_a_fill_past_zero_closes_first_and_opens_the_rest_at_its_own_price():
    position = book(book(PositionState(), Side.BUY, 2, 100, ts=1), Side.SELL, 5, 110, ts=7)

    assert (position.qty, position.entry_price, position.realized_pnl) == (-3, 110, 20)
    assert position.opened_ts == 7


def test_adding_and_reducing_leave_the_time_of_opening():
    position = book(PositionState(), Side.BUY, 2, 100, ts=3)
    book(position, Side.BUY, 1, 100, ts=4)
    book(position, Side.SELL, 1, 100, ts=5)

    assert (position.opened_ts, position.updated_ts) == (3, 5)


def test_an_adopted_position_is_the_venues():
    position = PositionState(realized_pnl=Decimal(5))

    position.adopt(
        ev.PositionAdopted(
            ts=8, symbol=Symbol("X"), qty=Decimal(-2), entry_price=Decimal(50), reason="policy"
        )
    )

    assert (position.qty, position.entry_price) == (Decimal(-2), Decimal(50))
    assert position.opened_ts == 8
    assert position.realized_pnl == 5


def test_adopting_flat_leaves_no_time_of_opening():
    position = PositionState(qty=Decimal(1), opened_ts=3)

    position.adopt(
        ev.PositionAdopted(ts=8, symbol=Symbol("X"), qty=ZERO, entry_price=ZERO, reason="policy")
    )

    assert (position.qty, position.opened_ts) == (ZERO, 0)


fills = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.decimals(min_value="0.001", max_value=20, places=3),
        st.decimals(min_value="0.1", max_value=200, places=1),
    ),
    max_size=30,
)


class Lots:
    """Every unit that is held, with the price it cost; what leaves costs the average."""

    def __init__(self):
        self.lots: list[tuple[Decimal, Decimal]] = []  # signed quantity, price
        self.cash = ZERO

    @property
    def qty(self):
        return sum((qty for qty, _ in self.lots), ZERO)

    def trade(self, signed, price):
        self.cash -= signed * price
        held = self.qty
        if held * signed >= 0:
            self.lots.append((signed, price))
        elif abs(signed) < abs(held):
            left = 1 + signed / held
            self.lots = [(qty * left, cost) for qty, cost in self.lots]
        else:
            self.lots = [(held + signed, price)] if held + signed else []


@given(fills)
def test_any_fills_leave_the_quantity_the_cost_and_the_cash_of_the_lots(history):
    position, lots, signed_sum = PositionState(), Lots(), ZERO
    for side, qty, price in history:
        book(position, side, qty, price)
        lots.trade(qty * side.sign, price)
        signed_sum += qty * side.sign

    assert position.qty == signed_sum
    cost = sum((qty * price for qty, price in lots.lots), ZERO)
    assert abs(position.qty * position.entry_price - cost) < Decimal("1e-9")
    # What came in and went out is what was earned, less what the position has cost.
    earned = position.realized_pnl - position.qty * position.entry_price
    assert abs(lots.cash - earned) <= CENT * (len(history) + 1)


@given(fills)
def test_a_flat_position_has_no_entry_price_and_an_open_one_lies_among_its_fills(history):
    position = PositionState()
    for side, qty, price in history:
        book(position, side, qty, price)
        if position.qty:
            prices = [p for _, _, p in history]
            low, high = min(prices), max(prices)
            assert low - CENT <= position.entry_price <= high + CENT
        else:
            assert position.entry_price == 0
