"""Lists with an odd row: what is ours is read or refused, what is another's is left out."""

from __future__ import annotations

import asyncio
import time

import pytest

from holdfast.model.messages import VenueFailure, VenueSnapshot
from holdfast.model.values import LARGEST_AMOUNT, MAIN, NS_PER_S, Symbol
from holdfast.venues.binance_futures import asking, bookkeeping, codec
from holdfast.venues.binance_futures.codec import BadFrame, OrderNames, Others
from holdfast.venues.binance_futures.rest import Reply
from holdfast.venues.binance_futures.snapshot import Books
from tests.venues.binance_futures.adapter_desk import BTC, PATIENCE_S, ack, desk, scripted
from tests.venues.binance_futures.frames import algo, raw
from tests.venues.binance_futures.test_contracts import info, symbol

ODD = Symbol("ODDUSDT")
HELD = {"symbol": "BTCUSDT", "positionAmt": "1", "entryPrice": "5"}
PAID = {
    "symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "1", "asset": "USDT", "time": 5,
}  # fmt: skip
GET = "GET__/fapi"
BOOKS = {
    f"{GET}/v3/positionRisk": [HELD],
    f"{GET}/v3/account": {"assets": []},
    f"{GET}/v1/openOrders": [ack("hf.1.1.0.E.x")],
    f"{GET}/v1/openAlgoOrders": [algo()],
    f"{GET}/v1/userTrades": [],
    f"{GET}/v1/income": [PAID],
}
ODD_ROWS = {
    "side": ("v1/openOrders", ack("a", side="SHORT")),
    "amount": ("v1/openOrders", ack("a", origQty="1e40")),
    "id": ("v1/openOrders", ack("a", orderId="one")),
    "child": ("v1/openAlgoOrders", algo(actualOrderId="9" * 5000)),
    "income": ("v1/income", PAID | {"income": "much"}),
    "income's time": ("v1/income", PAID | {"time": 10**16}),
    "stop": ("v1/openAlgoOrders", algo(side="SHORT")),
    "position": ("v3/positionRisk", HELD | {"positionAmt": "much"}),
    "entry": ("v3/positionRisk", HELD | {"entryPrice": "1e40"}),
}


async def read_with(place, row, symbols=(BTC,)):
    told = BOOKS | {f"{GET}/{place}": [row, *BOOKS[f"{GET}/{place}"]]}
    script = {where: [(200, body)] for where, body in told.items()}
    async with scripted(**script) as server, desk(server.url) as one:
        books = Books(one.asker, OrderNames(), MAIN, 1)
        return await books.read(symbols, time.time_ns() - NS_PER_S)


@pytest.mark.parametrize("name", ODD_ROWS)
async def test_odd_row_of_another_symbol_does_not_keep_the_books_closed(name, caplog):
    place, row = ODD_ROWS[name]

    books = await read_with(place, row | {"symbol": ODD})

    assert {order.symbol for order in books.orders} == {BTC}
    assert len(books.orders) == 2
    assert [position.symbol for position in books.positions] == [BTC]
    assert len(books.changes) == 1
    assert "left out" in caplog.text


@pytest.mark.parametrize("whose", [BTC, "", None])
@pytest.mark.parametrize("name", ODD_ROWS)
async def test_odd_row_that_may_be_ours_leaves_the_books_unread(name, whose):
    place, row = ODD_ROWS[name]

    with pytest.raises(BadFrame):
        await read_with(place, row | {"symbol": whose})


FEE = {
    "symbol": ODD, "incomeType": "COMMISSION", "income": "-1", "asset": "USDT", "time": 5,
}  # fmt: skip
FILL = {
    "symbol": ODD, "id": 1, "orderId": 2, "side": "BUY", "price": "1", "qty": "1", "time": 5,
}  # fmt: skip
ODD_FILLS = {
    "side": FILL | {"side": "SHORT"},
    "amount": FILL | {"qty": "1e40"},
    "price": FILL | {"price": "-1"},
    "fee": FILL | {"commission": "1e40"},
    "profit": FILL | {"realizedPnl": "1e40"},
    "time": FILL | {"time": 10**16},
    "id": FILL | {"id": "one"},
}


GONE = (400, {"code": -2013, "msg": "Order does not exist."})


async def read_fills(fill, order=None, symbols=(BTC,), alone=GONE, torn=None):
    told = BOOKS | {
        f"{GET}/v1/income": [PAID, FEE],
        f"{GET}/v1/userTrades": [fill],
        f"{GET}/v1/allOrders": [order] if order is not None else [],
    }
    script = {where: [(200, body)] for where, body in told.items()}
    script |= {f"{GET}/v1/order": [alone]}
    if torn is not None:
        script[f"{GET}/{torn}"] = [(200, '[{"symbol": "ODDUSDT", "id": 1, "ord')]
    async with scripted(**script) as server, desk(server.url) as one:
        send = one.asker.road.send

        async def send_of_symbol(call):
            if call.route.path.endswith("userTrades") and call.params["symbol"] != ODD:
                return Reply(200, b"[]")
            return await send(call)

        one.asker.road.send = send_of_symbol
        books = Books(one.asker, OrderNames(), MAIN, 1)
        return await books.read(symbols, time.time_ns() - NS_PER_S)


@pytest.mark.parametrize("name", ODD_FILLS)
async def test_odd_execution_of_another_symbol_does_not_keep_the_books_closed(name, caplog):
    """The income list names its fee, so its executions are asked for."""
    books = await read_fills(ODD_FILLS[name])

    assert books.trades == ()
    assert len(books.orders) == 2
    assert "left out" in caplog.text


@pytest.mark.parametrize("name", ODD_FILLS)
async def test_odd_execution_of_ours_leaves_the_books_unread(name):
    with pytest.raises(BadFrame):
        await read_fills(ODD_FILLS[name], symbols=(BTC, ODD))


@pytest.mark.parametrize("is_recent", [True, False])
async def test_books_say_that_an_execution_waits_for_its_order_to_be_listed(is_recent):
    time_ms = time.time_ns() // 1_000_000 if is_recent else 5

    books = await read_fills(FILL | {"time": time_ms})

    assert (len(books.trades), books.is_partial) == ((0, True) if is_recent else (1, False))


@pytest.mark.parametrize("place", ["v1/userTrades", "v1/allOrders"])
async def test_an_answer_that_is_no_list_leaves_the_books_unread_whosoever_it_is(place):
    """What it would have told of lies behind the time from which the next look reads."""
    with pytest.raises(BadFrame, match="list"):
        await read_fills(FILL, torn=place)


@pytest.mark.parametrize("is_listed", [True, False])
async def test_odd_order_behind_an_execution_of_another_symbol_leaves_it_without_a_name(
    caplog, is_listed
):
    order = ack("a", origQty="1e40") | {"symbol": ODD, "orderId": 2}
    how = {"order": order} if is_listed else {"alone": (200, order)}

    books = await read_fills(FILL, **how)

    assert {trade.cl_ord_id for trade in books.trades} == {"order-2"}
    assert "left out" in caplog.text
    with pytest.raises(BadFrame):
        await read_fills(FILL, **how, symbols=(BTC, ODD))


async def test_odd_order_of_a_symbol_that_is_held_is_ours():
    place, row = ODD_ROWS["side"]

    with pytest.raises(BadFrame, match="side"):
        await read_with(place, row, symbols=(Symbol("ETHUSDT"),))


async def test_books_that_we_fail_on_are_told_and_asked_for_again(monkeypatch, caplog):
    """The task that reads them is one of many that end together."""
    monkeypatch.setattr(bookkeeping, "TRY_PAUSE_S", 0.0)
    told: list[object] = []
    script = {where: [(200, body)] for where, body in BOOKS.items()}
    async with scripted(**script) as server, desk(server.url) as one:
        books = Books(one.asker, OrderNames(), MAIN, 1)
        keeper = bookkeeping.Bookkeeping(books, 0, told.append, lambda _: None)
        task = asyncio.ensure_future(keeper.run())
        with monkeypatch.context() as broken:
            broken.setattr(codec, "balances", lambda _: 1 // 0)
            keeper.want(1)
            await heard(told, VenueFailure)
        keeper.want(1)
        await heard(told, VenueSnapshot)
        task.cancel()

    assert "not understood: ZeroDivisionError" in str(told[0])
    assert "not understood" in caplog.text


async def heard(told, kind):
    async with asyncio.timeout(PATIENCE_S):
        while not any(isinstance(each, kind) for each in told):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_every_row_is_of_concern_where_no_symbol_is_traded():
    place, row = ODD_ROWS["side"]

    with pytest.raises(BadFrame, match="side"):
        await read_with(place, row | {"symbol": ODD}, symbols=())


def test_position_that_is_listed_twice_counts_once():
    (position,) = codec.positions(raw([HELD, HELD])).positions

    assert position.qty == 1


async def test_open_orders_are_not_taken_for_gone_for_a_moments_gap_in_the_contracts(monkeypatch):
    monkeypatch.setattr(asking, "SECOND_LOOK_S", 0.05)
    gone = (400, {"code": -1121, "msg": "Invalid symbol."})
    script = {where: [(200, body)] for where, body in BOOKS.items()}
    script[f"{GET}/v1/openOrders"].insert(0, gone)
    async with scripted(**script) as server, desk(server.url) as one:
        books = await Books(one.asker, OrderNames(), MAIN, 1).read((BTC,), 1, is_audit=True)

    assert len(books.orders) == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"symbol": ODD, "pricePrecision": "two"},
        {"symbol": ODD, "orderTypes": [None]},
        {"symbol": ODD, "liquidationFee": "none"},
        {"pair": ODD},
        None,
    ],
)
def test_odd_contract_leaves_the_others_tradable(odd):
    assert codec.contract(info(odd, symbol()), BTC).symbol == BTC


def test_odd_contract_of_ours_is_refused_by_name():
    with pytest.raises(BadFrame, match="the contract BTCUSDT"):
        codec.contract(info(symbol(liquidationFee="none")), BTC)


def brackets(whose, cap):
    step = {
        "bracket": 1, "initialLeverage": 20, "notionalCap": cap, "notionalFloor": 0,
        "maintMarginRatio": 0.01, "cum": 0,
    }  # fmt: skip
    return {"symbol": whose, "brackets": [step]}


def test_brackets_of_other_symbols_are_passed_over_odd_or_not():
    """Reading all of them, some 700 tables, holds up whatever else there is to do."""
    left_out: list[str] = []
    told = raw([brackets(ODD, "all"), brackets(BTC, 100), brackets("ETHUSDT", 100)])

    assert set(codec.leverage_brackets(told, Others({BTC}, left_out.append))) == {BTC}
    assert left_out == []
    with pytest.raises(BadFrame):
        codec.leverage_brackets(told, Others({BTC, ODD}, left_out.append))


def test_odd_settings_of_another_symbol_keep_nobody_from_ours():
    told = raw(
        [
            {"symbol": ODD, "leverage": "1.5", "marginType": "CROSSED"},
            {"symbol": BTC, "leverage": 7, "marginType": "ISOLATED"},
        ]
    )

    (ours,) = codec.symbol_configs(told, Others({BTC}, lambda _: None))
    assert (ours.leverage, ours.is_isolated) == (7, True)
    with pytest.raises(BadFrame):
        codec.symbol_configs(told)


def test_odd_funding_interval_of_another_symbol_is_left_out():
    told = raw(
        [
            {"symbol": ODD, "fundingIntervalHours": "few"},
            {"symbol": BTC, "fundingIntervalHours": 4},
        ]
    )

    assert codec.funding_intervals(told, Others({BTC}, lambda _: None)) == {BTC: 4}
    with pytest.raises(BadFrame):
        codec.funding_intervals(told)


def test_bracket_without_an_end_reaches_as_far_as_anything_is_believed():
    (bracket,) = codec.leverage_brackets(raw([brackets(BTC, 2**63 - 1)]))[BTC]

    assert bracket.notional_cap == LARGEST_AMOUNT
