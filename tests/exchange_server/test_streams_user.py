"""The user data stream: which events there are, in which order, and what stands in them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.exchange import OrderKey, SelfTrade
from holdfast.exchange_server.listen_keys import VALIDITY_NS
from holdfast.exchange_server.terms import note
from holdfast.exchange_server.user_events import Terms
from holdfast.model.market import Funding
from holdfast.model.values import ClOrdId, OrderType, Side, TimeInForce, WorkingType
from tests.exchange_server.stream_desk import ALICE, BOB, BTC, MS, START, S, open_desk


def words(frames):
    """Shorten frames to their kinds, with what happened to an order beside it."""
    told = []
    for frame in frames:
        kind = frame["e"]
        if kind == "ORDER_TRADE_UPDATE":
            kind = f"{frame['o']['x']}/{frame['o']['X']}"
        elif kind == "ALGO_UPDATE":
            kind = f"ALGO {frame['o']['X']}"
        told.append(kind)
    return told


async def market(desk):
    """Open a user stream on a market at 50 000, and leave the opening behind."""
    desk.quote(49_999.9, 50_000.1, 10, 10)
    desk.mark(50_000)
    client = await desk.user()
    await client.heard()
    return client


def same_time(frames):
    return len({frame["T"] for frame in frames}) == 1 and all(f["E"] >= f["T"] for f in frames)


async def test_a_taker_hears_trade_lite_new_account_trade_all_of_one_time():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")

        frames = await client.heard()
        assert words(frames) == ["TRADE_LITE", "NEW/NEW", "ACCOUNT_UPDATE", "TRADE/FILLED"]
        assert same_time(frames)


async def test_a_maker_hears_trade_lite_account_trade():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020", 49_990)
        assert words(await client.heard()) == ["NEW/NEW"]
        desk.advance(1000)
        desk.trade(49_980, 1)

        frames = await client.heard()
        assert words(frames) == ["TRADE_LITE", "ACCOUNT_UPDATE", "TRADE/FILLED"]
        assert same_time(frames)
        assert frames[0]["m"] is frames[2]["o"]["m"] is True


async def test_a_taker_that_fills_in_parts_hears_the_first_in_short_before_its_new():
    async with open_desk() as desk:
        client = await market(desk)
        desk.sell("0.010", 50_000, account=BOB)
        desk.sell("0.010", "50_000.1", account=BOB)
        desk.quote(49_999.9, 50_000.2, 10, 10)
        await client.heard()
        desk.buy("0.030")

        frames = await client.heard()
        assert words(frames) == [
            "TRADE_LITE", "NEW/NEW", "ACCOUNT_UPDATE", "TRADE/PARTIALLY_FILLED",
            "TRADE_LITE", "ACCOUNT_UPDATE", "TRADE/PARTIALLY_FILLED",
            "TRADE_LITE", "ACCOUNT_UPDATE", "TRADE/FILLED",
        ]  # fmt: skip


async def test_both_sides_of_a_match_hear_the_same_trade_id_and_time():
    async with open_desk() as desk:
        alice, bob = await market(desk), await desk.user(BOB)
        desk.sell("0.010", 50_000, account=BOB)
        desk.buy("0.010", 50_000)

        taker, maker = await alice.heard(), (await bob.heard())[1:]
        assert words(maker) == ["TRADE_LITE", "ACCOUNT_UPDATE", "TRADE/FILLED"]
        assert taker[-1]["o"]["t"] == maker[-1]["o"]["t"] == taker[0]["t"]
        assert same_time(taker + maker)
        assert (taker[-1]["o"]["m"], maker[-1]["o"]["m"]) == (False, True)


async def test_a_limit_order_is_told_as_recorded():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020", 48_000, cl_ord_id="web_1")

        frame = (await client.heard())[0]
        order = frame["o"]
        assert list(frame) == ["e", "T", "E", "o"]
        assert order == {
            "s": "BTCUSDT", "c": "web_1", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.02",
            "p": "48000", "ap": "0", "sp": "0", "x": "NEW", "X": "NEW", "i": order["i"], "l": "0",
            "z": "0", "L": "0", "n": "0", "N": "USDT", "T": frame["T"], "t": 0, "b": "960",
            "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH",
            "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER",
            "pm": "NONE", "gtd": 0, "er": "0",
        }  # fmt: skip
        assert " ".join(order) == (
            "s c S o f q p ap sp x X i l z L n N T t b a m R wt ot ps cp rp pP si ss V pm gtd er"
        )


async def test_a_fill_names_price_fee_profit_and_trade():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        desk.quote(51_000, 51_000.1, 10, 10)
        desk.sell("0.020", reduce_only=True)

        lite, _, account, fill = (await client.heard())[4:]
        order = fill["o"]
        assert (order["l"], order["z"], order["L"], order["ap"]) == (
            "0.02", "0.02", "51000", "51000",
        )  # fmt: skip
        assert (order["n"], order["N"], order["rp"]) == ("0.51", "USDT", "19.998")
        assert order["R"] is True
        assert (lite["q"], lite["p"], lite["L"]) == ("0.020", "0.0", "51000.0")
        assert lite["t"] == order["t"] > 0
        assert account["a"]["m"] == "ORDER"
        assert account["a"]["B"][0]["bc"] == "0"
        assert account["a"]["P"][0]["pa"] == "0"
        assert account["a"]["P"][0]["cr"] == "19.998"


async def test_notionals_of_open_bids_and_asks_follow_the_orders():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.010", 48_000)
        desk.buy("0.010", 49_000)
        desk.sell("0.010", 52_000)
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("o2")), is_conditional=False)

        told = [(f["o"]["b"], f["o"]["a"]) for f in await client.heard()]
        assert told == [("480", "0"), ("970", "0"), ("970", "520"), ("480", "520")]


async def test_an_amendment_keeps_ids_and_names_its_own():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.010", 48_000)
        order = desk.venue.exchange.open_orders(ALICE, BTC)[0]
        desk.venue.replace(order, Decimal("0.020"), Decimal(48_100), "m-7")

        new, amended = (frame["o"] for frame in await client.heard())
        assert (amended["x"], amended["X"]) == ("AMENDMENT", "NEW")
        assert (amended["i"], amended["c"]) == (new["i"], new["c"])
        assert (amended["q"], amended["p"], amended["M"]) == ("0.02", "48100", "m-7")
        assert "M" not in new


async def test_a_cancel_carries_the_original_client_id():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.010", 48_000, cl_ord_id="mine")
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("mine")), is_conditional=False)

        canceled = (await client.heard())[1]["o"]
        assert (canceled["x"], canceled["X"], canceled["c"]) == ("CANCELED", "CANCELED", "mine")


async def test_what_is_refused_is_not_told():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.0001", 48_000)
        desk.buy(900)
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("none")), is_conditional=False)

        assert await client.heard() == []


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"time_in_force": TimeInForce.IOC, "price": 50_001}, "EXPIRED", "2"),
        ({"price": None}, "EXPIRED", "9"),
    ],
)
async def test_a_remainder_expires_with_its_reason(more, status, code):
    async with open_desk() as desk:
        desk.quote(49_999.9, 50_000.1, 0.010, 0.010)
        client = await desk.user()
        await client.heard()
        desk.buy("0.020", **more)

        frames = await client.heard()
        assert words(frames)[-1] == "EXPIRED/EXPIRED"
        assert (frames[-1]["o"]["X"], frames[-1]["o"]["er"]) == (status, code)
        assert frames[-1]["o"]["z"] == "0.01"


@pytest.mark.parametrize(
    ("mode", "tif", "who", "code"),
    [
        (SelfTrade.EXPIRE_MAKER, TimeInForce.GTC, "maker", "1"),
        (SelfTrade.EXPIRE_TAKER, TimeInForce.GTC, "taker", "1"),
        (SelfTrade.EXPIRE_TAKER, TimeInForce.IOC, "taker", "3"),
    ],
)
async def test_self_trade_prevention_ends_in_expired_in_match(mode, tif, who, code):
    async with open_desk() as desk:
        client = await market(desk)
        desk.sell("0.010", 50_000, cl_ord_id="maker")
        order, _ = desk.buy("0.010", 40_000, cl_ord_id="x")
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("x")), is_conditional=False)
        await client.heard()
        taker = type(order)(
            cl_ord_id=ClOrdId("taker"),
            symbol=BTC,
            side=Side.BUY,
            qty=Decimal("0.010"),
            price=Decimal(50_000),
            order_type=OrderType.LIMIT,
            time_in_force=tif,
            account=ALICE,
        )
        desk.venue.submit(taker, mode)

        ended = [f["o"] for f in await client.heard() if f["o"]["x"] == "EXPIRED"]
        assert (ended[0]["c"], ended[0]["X"], ended[0]["er"]) == (who, "EXPIRED_IN_MATCH", code)


async def test_cross_funding_moves_the_wallet_alone_and_names_the_symbol():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.010")
        await client.heard()
        desk.show(Funding(symbol=BTC, ts=desk.now, rate=0.0001))

        frame = (await client.heard())[0]
        body = frame["a"]
        assert (body["m"], body["P"], body["S"]) == ("FUNDING_FEE", [], "BTCUSDT")
        assert body["B"][0]["bc"] == "-0.05"
        assert list(body) == ["B", "P", "m", "S"]


async def test_a_deposit_is_told_with_its_change():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.deposit(ALICE, Decimal(-10))

        body = (await client.heard())[0]["a"]
        assert body == {
            "B": [{"a": "USDT", "wb": "9990", "cw": "9990", "bc": "-10"}],
            "P": [],
            "m": "DEPOSIT",
        }


async def test_a_new_leverage_is_told():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.set_leverage(ALICE, BTC, 7)
        desk.venue.set_leverage(BOB, BTC, 9)

        frames = await client.heard()
        assert [frame["ac"] for frame in frames] == [{"s": "BTCUSDT", "l": 7}]
        assert list(frames[0]) == ["e", "E", "T", "ac"]


async def test_a_liquidation_is_calculated_and_a_margin_call_comes_before():
    async with open_desk(balance=300, leverage=100) as desk:
        client = await market(desk)
        desk.buy("0.4")
        await client.heard()
        desk.mark(49_500)
        desk.advance(1000)
        called = await client.heard()
        desk.mark(49_300)

        frames = await client.heard()
        assert words(called) == ["MARGIN_CALL"]
        assert called[0]["p"][0]["pa"] == "0.4"
        forced = [f["o"] for f in frames if f["e"] == "ORDER_TRADE_UPDATE"][-1]
        assert (forced["x"], forced["X"], forced["f"]) == ("CALCULATED", "FILLED", "IOC")
        assert forced["c"].startswith("autoclose-")
        assert "TRADE_LITE" not in words(frames)


async def test_a_margin_call_comes_once_for_each_time_it_is_close():
    async with open_desk(balance=300, leverage=100) as desk:
        client = await market(desk)
        desk.buy("0.4")
        await client.heard()
        told = []
        for mark in (49_500, 49_505, 50_000, 49_500):
            desk.mark(mark)
            desk.advance(1000)
            told.append(words(await client.heard()))

        assert told == [["MARGIN_CALL"], [], [], ["MARGIN_CALL"]]


async def test_a_fee_that_is_paid_in_bnb_is_told_with_both_wallets():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.deposit(ALICE, Decimal(1), "BNB")
        desk.venue.set_fee_burn(ALICE, is_on=True)
        await client.heard()
        desk.buy("0.020")

        frames = await client.heard()
        (trade,) = (f["o"] for f in frames if f.get("o", {}).get("x") == "TRADE")
        (account,) = (f["a"] for f in frames if f["e"] == "ACCOUNT_UPDATE")
        assert (trade["n"], trade["N"]) == ("0.00075", "BNB")
        assert [(row["a"], row["wb"]) for row in account["B"]] == [
            ("USDT", "10000"),
            ("BNB", "0.99925"),
        ]


# Conditional orders


def stop(desk, price=49_500, **more):
    return desk.sell(
        "0.020", kind=OrderType.STOP_MARKET, trigger_price=Decimal(price), reduce_only=True, **more
    )


async def frames_of_a_trigger(desk):
    """Hold, have a stop of that triggered, and return what is told of it."""
    client = await market(desk)
    desk.buy("0.020")
    stop(desk, cl_ord_id="stop")
    await client.heard()
    desk.trade(49_400)
    return await client.heard()


async def test_a_stop_lives_through_new_triggering_triggered_finished():
    async with open_desk() as desk:
        frames = await frames_of_a_trigger(desk)

        assert words(frames) == [
            "ALGO TRIGGERING", "TRADE_LITE", "ALGO TRIGGERED", "NEW/NEW", "ACCOUNT_UPDATE",
            "TRADE/FILLED", "ALGO FINISHED",
        ]  # fmt: skip
        triggering, triggered, finished = (f["o"] for f in frames if f["e"] == "ALGO_UPDATE")
        child = frames[3]["o"]
        assert triggering["ai"] == ""
        assert triggering["tt"] == START // MS
        assert triggered["ai"] == finished["ai"] == str(child["i"])
        assert (triggered["act"], triggered["ap"], triggered["aq"]) == ("MARKET", "0", "0")
        assert (finished["ap"], finished["aq"]) == ("49999.9", "0.02")
        assert child["c"] == "stop"
        assert "ap" not in triggering


async def test_a_child_may_be_told_under_a_name_of_its_own():
    async with open_desk(own_child_names=True) as desk:
        frames = await frames_of_a_trigger(desk)

        names = {f["o"]["c"] for f in frames if f["e"] == "ORDER_TRADE_UPDATE"}
        lite = next(f for f in frames if f["e"] == "TRADE_LITE")
        algos = [f["o"] for f in frames if f["e"] == "ALGO_UPDATE"]
        assert names == {lite["c"]} == {f"child-{algos[-1]['ai']}"}
        assert {algo["caid"] for algo in algos} == {"stop"}


async def test_a_waiting_stop_is_told_as_recorded():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        await client.heard()
        stop(desk, cl_ord_id="s1", working_type=WorkingType.MARK_PRICE)

        frame = (await client.heard())[0]
        order = frame["o"]
        assert list(frame) == ["e", "T", "E", "o"]
        assert order["aid"] > 10**15
        assert order == {
            "caid": "s1", "aid": order["aid"], "at": "CONDITIONAL", "o": "STOP_MARKET",
            "s": "BTCUSDT", "S": "SELL", "ps": "BOTH", "f": "GTC", "q": "0.02", "X": "NEW",
            "ai": "", "tp": "49500", "p": "0", "V": "EXPIRE_MAKER", "wt": "MARK_PRICE",
            "pm": "NONE", "cp": False, "pP": False, "R": True, "tt": 0, "gtd": 0, "ia": False,
        }  # fmt: skip
        assert " ".join(order) == "caid aid at o s S ps f q X ai tp p V wt pm cp pP R tt gtd ia"


async def test_a_close_position_stop_shows_no_quantity_and_gte():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        await client.heard()
        stop(desk, intent_id=note(Terms(close_position=True, price_protect=True)))

        order = (await client.heard())[0]["o"]
        assert (order["f"], order["q"], order["cp"], order["R"]) == ("GTE_GTC", "0", True, True)
        assert order["pP"] is True


async def test_a_cancelled_stop_is_told_and_leaves_no_ordinary_order():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        stop(desk, cl_ord_id="stop")
        await client.heard()
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("stop")), is_conditional=True)

        assert words(await client.heard()) == ["ALGO CANCELED"]


async def test_a_stop_that_is_refused_when_triggered_is_rejected_with_a_reason():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        stop(desk)
        desk.sell("0.020", reduce_only=True)
        await client.heard()
        desk.trade(49_400)

        frames = await client.heard()
        assert words(frames) == ["ALGO TRIGGERING", "ALGO REJECTED"]
        assert frames[-1]["o"]["rm"]


async def test_a_triggered_limit_finishes_when_its_child_is_cancelled():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        desk.sell(
            "0.020", 49_990, kind=OrderType.STOP, trigger_price=Decimal(49_500), cl_ord_id="stop"
        )
        await client.heard()
        desk.quote(49_300, 49_400, 10, 10)
        desk.trade(49_400)
        assert words(await client.heard()) == ["ALGO TRIGGERING", "ALGO TRIGGERED", "NEW/NEW"]
        desk.venue.cancel(OrderKey(ALICE, BTC, ClOrdId("stop")), is_conditional=False)

        assert words(await client.heard()) == ["CANCELED/CANCELED", "ALGO FINISHED"]


async def test_a_trailing_stop_is_told_again_when_it_becomes_active():
    async with open_desk() as desk:
        client = await market(desk)
        desk.buy("0.020")
        await client.heard()
        desk.sell(
            "0.020",
            kind=OrderType.TRAILING_STOP_MARKET,
            callback_rate=Decimal(1),
            activation_price=Decimal(50_500),
        )
        desk.advance(100)
        desk.trade(50_600)
        desk.advance(100)
        desk.advance(100)

        frames = await client.heard()
        assert words(frames) == ["ALGO NEW", "ALGO NEW"]
        assert [frame["o"]["ia"] for frame in frames] == [False, True]


# Listen keys


async def test_an_expired_key_is_told_and_then_the_open_socket_is_silent():
    async with open_desk() as desk:
        client = await market(desk)
        key = desk.listen_key()
        desk.advance(VALIDITY_NS // MS)
        desk.buy("0.020")

        frames = await client.heard()
        assert frames == [
            {"e": "listenKeyExpired", "E": (START + VALIDITY_NS) // MS, "listenKey": key}
        ]
        again = await desk.user()
        await again.heard()
        desk.buy("0.020")
        assert words(await again.heard())[0] == "TRADE_LITE"
        assert await client.heard() == []


async def test_a_closed_key_is_silent():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.listen_keys.close(ALICE)
        desk.buy("0.020")

        assert await client.heard() == []


async def test_a_filter_lets_the_end_of_the_key_through():
    async with open_desk() as desk:
        client = await desk.connect(f"/private/ws?listenKey={desk.listen_key()}&events=TRADE_LITE")
        desk.advance(VALIDITY_NS // MS)

        assert words(await client.heard()) == ["listenKeyExpired"]


# Laws

_deeds = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "limit_buy", "limit_sell", "trade", "quote", "cancel"]),
        st.integers(1, 9),
        st.integers(-20, 20),
    ),
    max_size=25,
)


def _do(desk, what, size, away):
    price = 50_000 + 10 * away
    if what in ("buy", "sell"):
        getattr(desk, what)(f"0.0{size}0")
    elif what in ("limit_buy", "limit_sell"):
        getattr(desk, what.removeprefix("limit_"))(f"0.0{size}0", price)
    elif what == "trade":
        desk.trade(price, size / 100)
    elif what == "quote":
        desk.quote(price, price + 1, size / 100, size / 100)
    else:
        desk.venue.cancel_all(ALICE, BTC, is_conditional=False)


@settings(max_examples=25)
@given(_deeds)
async def test_positions_and_wallet_follow_from_the_stream_and_order_holds(deeds):
    """What a client folds from fills and account updates is what the exchange's books say."""
    async with open_desk() as desk:
        client = await market(desk)
        for deed in deeds:
            desk.advance(1)
            _do(desk, *deed)
        frames = await client.heard()

        exchange, position, wallet = desk.venue.exchange, Decimal(0), Decimal(10_000)
        last_t: dict[str, int] = {}
        before: dict = {"e": ""}
        lite_ids, trade_ids = [], []
        for frame in frames:
            assert frame["T"] >= last_t.get(frame["e"], 0)
            assert frame["E"] >= frame["T"]
            last_t[frame["e"]] = frame["T"]
            if frame["e"] == "TRADE_LITE":
                lite_ids.append(frame["t"])
            elif frame["e"] == "ORDER_TRADE_UPDATE" and frame["o"]["x"] == "TRADE":
                order = frame["o"]
                sign = 1 if order["S"] == "BUY" else -1
                position += sign * Decimal(order["l"])
                wallet += Decimal(order["rp"]) - Decimal(order["n"])
                trade_ids.append(order["t"])
                assert before["e"] == "ACCOUNT_UPDATE"
                assert Decimal(before["a"]["P"][0]["pa"]) == position
                assert Decimal(before["a"]["B"][0]["wb"]) == wallet
            before = frame
        assert lite_ids == trade_ids
        assert sum((each.qty for each in exchange.positions(ALICE)), Decimal(0)) == position
        assert exchange.balances(ALICE)["USDT"] == wallet
        assert desk.now < START + S
