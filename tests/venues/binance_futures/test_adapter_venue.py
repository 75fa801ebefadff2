"""The adapter against the exchange on a port, order by order."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.exchange_server.settings import DEFAULT_KEY
from holdfast.model.commands import ReplaceOrder
from holdfast.model.errors import ConfigError, NetworkError, VenueRefused
from holdfast.model.market import Funding
from holdfast.model.messages import (
    ExecType,
    FundingPayment,
    OrderNotFound,
    OutcomeUnknown,
    RequestRefused,
    VenueLink,
    VenueSnapshot,
)
from holdfast.model.values import (
    MAIN,
    NS_PER_S,
    ClOrdId,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
)
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures import asking
from holdfast.venues.binance_futures.adapter import BinanceFuturesVenue
from holdfast.venues.binance_futures.codec import user_events, wallet
from tests.venues.binance_futures.adapter_desk import (
    BTC,
    cancel,
    market_order,
    order,
    query,
    submit,
)
from tests.venues.binance_futures.adapter_exchange import ACCOUNT, joined, settings_for, town

ROADS = pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
E1, S1 = ClOrdId("hf.1.1.0.E.x"), ClOrdId("hf.1.2.1.S.x")


def limit_order(name=E1, price="49000", qty="0.01", **fields):
    return order(name, OrderType.LIMIT, qty, price=Decimal(price), **fields)


def stop_order(name=S1, trigger="49500", qty="0.01"):
    return order(
        name,
        OrderType.STOP_MARKET,
        qty,
        side=Side.SELL,
        role=OrderRole.STOP_LOSS,
        trigger_price=Decimal(trigger),
        reduce_only=True,
    )


async def test_joining_reads_the_contract_and_sets_leverage():
    async with town() as one, joined(one, leverage=7):
        ((instrument, leverage),) = one.contracts

        assert instrument.symbol == BTC
        assert instrument.brackets
        assert leverage == 7
        assert one.core.exchange.leverage(ACCOUNT, BTC) == 7


async def test_unknown_symbol_is_a_mistake_of_the_settings():
    async with town() as one:
        venue = BinanceFuturesVenue(
            DEFAULT_KEY, DEFAULT_KEY, clock=WallClock(), settings=settings_for(one.server)
        )
        with pytest.raises(ConfigError, match="NOPEUSDT"):
            await venue.connect((Symbol("NOPEUSDT"),), one.hear)


async def test_wrong_secret_is_refused_without_being_shown():
    async with town() as one:
        venue = BinanceFuturesVenue(
            DEFAULT_KEY, "canary-secret", clock=WallClock(), settings=settings_for(one.server)
        )
        with pytest.raises(VenueRefused) as refusal:
            await venue.connect((BTC,), one.hear)

        assert "canary-secret" not in f"{refusal.value}{venue!r}"


async def test_exchange_that_is_not_there_is_a_network_error():
    async with town() as one:
        settings = settings_for(one.server, retry_attempts=0)
    venue = BinanceFuturesVenue(DEFAULT_KEY, DEFAULT_KEY, clock=WallClock(), settings=settings)
    with pytest.raises(NetworkError):
        await venue.connect((BTC,), lambda _: None)


@ROADS
async def test_market_order_is_filled_with_the_venues_trade_id(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        venue.submit(submit(market_order(E1)))

        fill = await one.report(E1, exec_type=ExecType.TRADE)
        assert fill.status is OrderStatus.FILLED
        assert fill.last_qty == Decimal("0.01")
        assert fill.trade_id not in ("", "0")
        assert fill.fee > 0


@ROADS
async def test_limit_order_rests_is_amended_and_cancelled(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        venue.submit(submit(limit_order()))
        await one.report(E1, status=OrderStatus.NEW)
        venue.replace(
            ReplaceOrder(
                account=MAIN,
                symbol=BTC,
                cl_ord_id=E1,
                side=Side.BUY,
                qty=Decimal("0.02"),
                price=Decimal(48_000),
                ts=WallClock().now(),
                recv_window_ns=5 * NS_PER_S,
            )
        )
        amended = await one.report(E1, exec_type=ExecType.REPLACED)
        assert (amended.qty, amended.price) == (Decimal("0.02"), Decimal(48_000))

        venue.cancel(cancel(E1))
        await one.report(E1, status=OrderStatus.CANCELED)


@ROADS
async def test_stop_rests_at_the_algo_service_and_its_trigger_closes_the_position(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        venue.submit(submit(market_order(E1)))
        await one.report(E1, status=OrderStatus.FILLED)
        venue.submit(submit(stop_order()))
        await one.report(S1, status=OrderStatus.NEW)
        listed = (await one.snapshot(venue)).orders
        assert [each.cl_ord_id for each in listed] == [S1]

        one.price(49_400.0)

        fill = await one.report(S1, exec_type=ExecType.TRADE)
        assert fill.status is OrderStatus.FILLED
        after = await one.snapshot(venue)
        assert (after.orders, after.positions) == ((), ())


@ROADS
async def test_waiting_stop_is_taken_back(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        venue.submit(submit(market_order(E1)))
        await one.report(E1, status=OrderStatus.FILLED)
        venue.submit(submit(stop_order()))
        await one.report(S1, status=OrderStatus.NEW)

        venue.cancel(cancel(S1, is_conditional=True))

        await one.report(S1, status=OrderStatus.CANCELED)
        assert (await one.snapshot(venue)).orders == ()


async def test_stop_is_asked_after_before_and_after_its_trigger():
    async with town() as one, joined(one) as venue:
        venue.submit(submit(market_order(E1)))
        await one.report(E1, status=OrderStatus.FILLED)
        venue.submit(submit(stop_order()))
        await one.report(S1, status=OrderStatus.NEW)
        venue.query(query(S1, is_conditional=True))
        await one.report(S1, exec_type=ExecType.STATUS, status=OrderStatus.NEW)

        one.price(49_400.0)
        await one.report(S1, exec_type=ExecType.TRADE)
        venue.query(query(S1, is_conditional=True))

        done = await one.has(lambda m: getattr(m, "asked_ts", 0) and m.status is OrderStatus.FILLED)
        assert (done.cl_ord_id, done.cum_qty) == (S1, Decimal("0.01"))


async def test_absent_order_is_not_found():
    async with town() as one, joined(one) as venue:
        venue.query(query("hf.1.9.0.E.x"))
        venue.query(query("hf.1.8.1.S.x", is_conditional=True))

        for name in ("hf.1.9.0.E.x", "hf.1.8.1.S.x"):
            await one.has(lambda m, name=name: isinstance(m, OrderNotFound) and m.cl_ord_id == name)


async def test_cancel_of_an_absent_order_is_refused():
    async with town() as one, joined(one) as venue:
        venue.cancel(cancel("hf.1.9.0.E.x"))

        refused = await one.has(lambda m: isinstance(m, RequestRefused))
        assert refused.code == -2011


async def test_snapshot_has_books_and_names_its_executions():
    async with town() as one, joined(one) as venue:
        venue.submit(submit(market_order(E1)))
        fill = await one.report(E1, exec_type=ExecType.TRADE)
        venue.submit(submit(limit_order("hf.1.3.0.E.x")))
        await one.report("hf.1.3.0.E.x", status=OrderStatus.NEW)
        books = await one.snapshot(venue)

        (position,) = books.positions
        assert (position.qty, position.entry_price) == (Decimal("0.01"), fill.last_px)
        assert books.balances["USDT"] == Decimal(10_000) - fill.fee
        assert [each.cl_ord_id for each in books.orders] == ["hf.1.3.0.E.x"]
        (trade,) = books.trades
        assert (trade.cl_ord_id, trade.trade_id, trade.fee) == (E1, fill.trade_id, fill.fee)
        assert books.asked_ts <= books.taken_ts


async def test_executions_of_an_earlier_life_are_named_by_asking():
    async with town() as one:
        async with joined(one) as venue:
            venue.submit(submit(market_order(E1)))
            await one.report(E1, exec_type=ExecType.TRADE)
        async with joined(one) as venue:
            books = await one.snapshot(venue)

        assert [each.cl_ord_id for each in books.trades] == [E1]


@pytest.mark.parametrize("kind", ["unknown_executed", "status_unknown_executed", "reset_after"])
@ROADS
async def test_executed_order_with_a_lost_answer_is_in_doubt_and_found(kind, over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong(kind, "POST /fapi/v1/order")
        venue.submit(submit(limit_order()))
        await one.has(lambda m: isinstance(m, OutcomeUnknown))

        venue.query(query(E1))

        await one.report(E1, exec_type=ExecType.STATUS, status=OrderStatus.NEW)
        assert len((await one.snapshot(venue)).orders) == 1


@ROADS
async def test_order_that_was_not_executed_is_in_doubt_and_absent(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong("unknown_not_executed", "POST /fapi/v1/order")
        venue.submit(submit(limit_order()))
        await one.has(lambda m: isinstance(m, OutcomeUnknown))

        venue.query(query(E1))

        await one.has(lambda m: isinstance(m, OrderNotFound))


async def test_expired_listen_key_is_renewed_and_the_link_told_down_and_up():
    async with town() as one, joined(one) as venue:
        one.goes_wrong("listen_key_expired")
        venue.submit(submit(limit_order("hf.1.3.0.E.x")))
        await one.has(lambda m: isinstance(m, VenueLink) and not m.is_up)
        await one.has(lambda m: isinstance(m, VenueLink) and m.is_up)
        one.heard.clear()

        venue.submit(submit(market_order(E1)))

        await one.report(E1, exec_type=ExecType.TRADE)


async def test_lost_stream_comes_back():
    async with town() as one, joined(one) as venue:
        one.goes_wrong("disconnect")
        venue.submit(submit(limit_order("hf.1.3.0.E.x")))
        await one.has(lambda m: isinstance(m, VenueLink) and not m.is_up)
        await one.has(lambda m: isinstance(m, VenueLink) and m.is_up)
        one.heard.clear()

        venue.submit(submit(market_order(E1)))

        await one.report(E1, exec_type=ExecType.TRADE)


async def test_a_refusal_does_not_say_that_a_lost_stream_is_back():
    # To the engine it did: entries went out while nobody heard what became of them.
    async with town() as one, joined(one) as venue:
        one.goes_wrong("internal_error", "POST /fapi/v1/listenKey", count=None)
        one.goes_wrong("disconnect")
        venue.submit(submit(limit_order("hf.1.3.0.E.x")))
        await one.has(lambda m: isinstance(m, VenueLink) and not m.is_up)

        venue.submit(submit(market_order(E1, side=Side.SELL, reduce_only=True)))
        refused = await one.report(E1, exec_type=ExecType.REJECTED)

        assert refused.code == -2022
        assert not any(isinstance(each, VenueLink) and each.is_up for each in one.heard)
        await one.has(lambda m: isinstance(m, VenueSnapshot))  # the books are compared all the same


async def test_dead_mans_switch_guards_entries_while_they_rest():
    async with town() as one, joined(one, dead_man_s=4) as venue:
        venue.submit(submit(limit_order()))
        await one.report(E1, status=OrderStatus.NEW)
        await one.until(lambda: one.core._countdowns)

        venue.cancel(cancel(E1))

        await one.until(lambda: not one.core._countdowns)


async def test_orders_stay_when_the_venue_is_closed_and_the_switch_guards_entries_on():
    """A life that fails leaves them to the next one, which may never come."""
    async with town() as one:
        async with joined(one, dead_man_s=30) as venue:
            venue.submit(submit(limit_order()))
            await one.report(E1, status=OrderStatus.NEW)
            await one.until(lambda: one.core._countdowns)

        assert len(one.core._countdowns) == 1
        assert len(one.core.exchange.open_orders(ACCOUNT)) == 1


async def test_switch_is_let_go_though_an_order_is_unanswered_at_the_end():
    async with town() as one:
        async with joined(one, dead_man_s=30) as venue:
            venue.submit(submit(limit_order()))
            await one.report(E1, status=OrderStatus.NEW)
            await one.until(lambda: one.core._countdowns)
            venue.cancel(cancel(E1))
            await one.report(E1, status=OrderStatus.CANCELED)
            one.goes_wrong("timeout_before", "POST /fapi/v1/order")
            venue.submit(submit(market_order("hf.1.2.0.E.x")))

        assert not one.core._countdowns
        assert not one.core.exchange.open_orders(ACCOUNT)


async def test_deposit_is_found_in_the_income_list():
    async with town() as one, joined(one) as venue:
        await one.snapshot(venue)
        one.heard.clear()
        one.core.deposit(ACCOUNT, Decimal(500))

        books = await one.has(lambda m: hasattr(m, "balances"))

        assert books.balances["USDT"] == Decimal(10_500)
        assert Decimal(500) in [change.amount for change in books.changes]


async def test_command_after_the_end_is_rejected_as_not_sent():
    async with town() as one:
        async with joined(one) as venue:
            pass
        venue._hear = one.hear
        venue.submit(submit(market_order(E1)))

        rejected = await one.report(E1, status=OrderStatus.REJECTED)
        assert rejected.reason.startswith("not sent")


def pays_funding(one, rate):
    one.core.on_market(Funding(symbol=BTC, ts=one.core.now(), rate=rate))


async def test_funding_that_the_stream_lost_is_fetched_with_the_books():
    async with town() as one, joined(one) as venue:
        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)
        since = one.core.now()
        one.goes_wrong("drop_frame", "ACCOUNT_UPDATE")
        pays_funding(one, 0.0001)
        books = await one.snapshot(venue, since)

        (payment,) = [each for each in books.changes if isinstance(each, FundingPayment)]
        assert payment.amount == Decimal("-0.05")
        assert not [m for m in one.heard if isinstance(m, FundingPayment)]


async def test_funding_has_one_id_on_the_stream_and_in_the_income_list(monkeypatch):
    monkeypatch.setattr(user_events, "TOLD_LATE_NS", wallet.HOUR_NS)  # any time is the hour's
    monkeypatch.setattr(wallet, "LISTED_LATE_NS", wallet.HOUR_NS)
    async with town() as one, joined(one) as venue:
        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)
        since = one.core.now()
        pays_funding(one, 0.0001)
        told = await one.has(lambda m: isinstance(m, FundingPayment))
        books = await one.snapshot(venue, since)

        listed = [each for each in books.changes if isinstance(each, FundingPayment)]
        assert [each.payment_id for each in listed] == [told.payment_id]


async def test_the_books_are_read_on_though_a_contract_is_gone(monkeypatch):
    monkeypatch.setattr(asking, "SECOND_LOOK_S", 0.05)
    async with town() as one, joined(one) as venue:
        venue.submit(submit(limit_order()))
        await one.report(E1)
        del one.core.tapes[BTC]
        one.core.exchange.cancel_all(ACCOUNT, BTC, one.core.now())

        snapshot = await one.snapshot(venue)
        venue.query(query(E1))

        assert snapshot.orders == snapshot.trades == ()
        assert await one.has(lambda m: isinstance(m, OrderNotFound))
