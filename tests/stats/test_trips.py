from decimal import Decimal

from hypothesis import given

from holdfast.model import events as ev
from holdfast.model.ids import short_name
from holdfast.model.values import MAIN, ClOrdId, Side, StrategyId
from holdfast.stats import RoundTrip, RoundTrips, round_trips
from holdfast.stats.context import FOREIGN
from holdfast.stats.trips import OpenTrip
from tests.stats.ledger import BTC, ETH, MACD, SMA, D, Ledger, trading


def test_a_trip_goes_from_flat_to_flat_with_average_prices():
    ledger = Ledger()
    opened = ledger.buy("1", "100", fee="0.05")
    ledger.buy("3", "104", fee="0.15")
    ledger.sell("1", "110", fee="0.06")
    closed = ledger.sell("3", "106", fee="0.16")

    (trip,) = round_trips(ledger.facts)

    assert (trip.symbol, trip.side, trip.strategy_id) == (BTC, Side.BUY, SMA)
    assert (trip.entry_ts, trip.exit_ts) == (opened.ts, closed.ts)
    assert (trip.qty, trip.entry_price, trip.exit_price) == (D(4), D(103), D(107))
    assert (trip.gross_pnl, trip.fees, trip.net_pnl) == (D(16), D("0.42"), D("15.58"))


def test_a_short_trip_gains_when_the_price_falls():
    ledger = Ledger()
    ledger.sell("2", "100")
    ledger.buy("2", "90")

    (trip,) = round_trips(ledger.facts)

    assert (trip.side, trip.gross_pnl) == (Side.SELL, D(20))


def test_a_fill_past_zero_ends_one_trip_and_begins_the_next():
    ledger = Ledger()
    ledger.buy("1", "100", fee="0.1")
    flip = ledger.sell("3", "110", strategy=MACD, fee="0.3")
    ledger.buy("2", "105", fee="0.2")

    first, second = round_trips(ledger.facts)

    assert (first.gross_pnl, first.fees, first.strategy_id) == (D(10), D("0.2"), SMA)
    assert (second.side, second.qty, second.entry_price) == (Side.SELL, D(2), D(110))
    assert (second.gross_pnl, second.fees, second.strategy_id) == (D(10), D("0.4"), MACD)
    assert first.exit_ts == second.entry_ts == flip.ts


def test_what_the_end_of_a_contract_brought_belongs_to_the_trip_that_it_ends():
    ledger = Ledger()
    ledger.buy("2", "100", fee="0.1")
    paid = {"symbol": BTC, "venue_ts": ledger.ts}
    ledger.add(ev.SettlementPaid, **paid, amount=D(30), settlement_id="1")
    ledger.add(ev.SettlementPaid, **paid, amount=D("-0.5"), settlement_id="2", is_fee=True)
    ledger.add(ev.PositionAdopted, symbol=BTC, qty=D(0), entry_price=D(0), reason="settled")

    (trip,) = round_trips(ledger.facts)

    assert (trip.qty, trip.exit_price) == (D(2), D(0))
    assert (trip.gross_pnl, trip.fees, trip.net_pnl) == (D(30), D("0.6"), D("29.4"))


def test_a_fee_finer_than_a_wallet_books_is_not_rounded():
    ledger = Ledger()
    ledger.buy("1", "100", fee="0.00000000001")
    ledger.sell("1", "100", fee="0.00000000002")

    assert round_trips(ledger.facts)[0].fees == D("0.00000000003")


def test_symbols_do_not_mix():
    ledger = Ledger()
    ledger.buy("1", "100", symbol=BTC)
    ledger.sell("1", "10", symbol=ETH)

    assert round_trips(ledger.facts) == []


def test_a_strategy_is_named_in_full_where_the_journal_has_its_order():
    """The id holds twelve characters made of it."""
    name = StrategyId("momentum_of_bitcoin")
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "1", strategy=name)
    ledger.buy("1", "100", cl_ord_id=order.cl_ord_id)
    ledger.sell("1", "101")
    ledger.buy("1", "100", strategy=name)
    ledger.sell("1", "101")

    known, guessed = round_trips(ledger.facts)

    assert (known.strategy_id, guessed.strategy_id) == (name, short_name(name))


def test_no_more_orders_are_remembered_than_the_bound(monkeypatch):
    monkeypatch.setattr("holdfast.stats.context.OWNERS_REMEMBERED", 1)
    ledger = Ledger()
    name = StrategyId("momentum_of_bitcoin")
    orders = [ledger.submit(side, "1", strategy=name) for side in (Side.BUY, Side.SELL)]
    for order in orders:
        ledger.fill(order.side, "1", "100", cl_ord_id=order.cl_ord_id)

    assert round_trips(ledger.facts)[0].strategy_id == short_name(name)


def test_a_fill_of_no_order_of_ours_is_foreign():
    ledger = Ledger()
    ledger.sell("1", "100", cl_ord_id=ClOrdId("autoclose-1"))
    ledger.buy("1", "100")

    assert round_trips(ledger.facts)[0].strategy_id == FOREIGN


def test_a_fee_in_another_asset_is_not_taken_off_a_profit_in_dollars():
    ledger = Ledger()
    ledger.define(BTC)
    ledger.buy("1", "100", fee="0.001", fee_asset="BNB")
    ledger.sell("1", "101", fee="0.5")

    assert round_trips(ledger.facts)[0].fees == D("0.5")


def adopt(ledger, qty, price):
    ledger.add(
        ev.PositionAdopted, 1, symbol=BTC, qty=D(qty), entry_price=D(price), reason="first start"
    )
    ledger.held["main", BTC] = (D(qty), D(price))


def test_an_adopted_position_begins_a_trip_of_nobody():
    ledger = Ledger()
    adopt(ledger, "-2", "100")
    ledger.buy("2", "95")

    (trip,) = round_trips(ledger.facts)

    assert (trip.side, trip.strategy_id, trip.entry_price) == (Side.SELL, FOREIGN, D(100))
    assert trip.gross_pnl == 10


def test_adopting_a_flat_position_ends_the_trip():
    ledger = Ledger()
    ledger.buy("2", "100", fee="1")
    adopt(ledger, "0", "0")

    (trip,) = round_trips(ledger.facts)

    assert (trip.qty, trip.net_pnl, trip.exit_ts) == (D(2), D(-1), ledger.ts)


def test_adopting_another_quantity_goes_on_with_the_trip():
    for qty in ("1", "3"):
        ledger = Ledger()
        ledger.buy("2", "100")
        adopt(ledger, qty, "100")
        ledger.sell(qty, "110")

        (trip,) = round_trips(ledger.facts)

        assert trip.gross_pnl == 10 * D(qty)


@given(trading)
def test_trips_and_what_is_open_hold_all_profit_and_all_fees(ledger):
    fold = RoundTrips()
    ended = [trip for fact in ledger.facts if (trip := fold.apply(fact))]
    fills = [fact for fact in ledger.facts if isinstance(fact, ev.OrderFilled)]

    parts: list[RoundTrip | OpenTrip] = [*ended, *fold.open.values()]

    assert sum(part.gross_pnl for part in parts) == sum(fill.realized_pnl for fill in fills)
    assert sum(part.fees for part in parts) == sum(fill.fee for fill in fills)
    for key, (qty, _) in ledger.held.items():
        left = fold.open.get(key)
        assert qty == (left.qty * left.side.sign if left else 0)


@given(trading)
def test_profit_is_what_the_average_prices_say(ledger):
    for trip in round_trips(ledger.facts):
        expected = (trip.exit_price - trip.entry_price) * trip.qty * trip.side.sign

        assert abs(trip.gross_pnl - expected) < Decimal("0.00001")


def test_what_was_adopted_away_has_no_exit_price():
    ledger = Ledger()
    ledger.buy("2", "100")
    ledger.add(ev.PositionAdopted, symbol=BTC, qty=D(1), entry_price=D(100), reason="policy")
    ledger.held[MAIN, BTC] = (D(1), D(100))
    ledger.sell("1", "110")
    ledger.buy("1", "100")
    ledger.add(ev.PositionAdopted, symbol=BTC, qty=D(0), entry_price=D(0), reason="policy")

    first, second = round_trips(ledger.facts)

    assert (first.qty, first.exit_price, first.gross_pnl) == (D(2), D(110), D(10))
    assert second.exit_price == 0
