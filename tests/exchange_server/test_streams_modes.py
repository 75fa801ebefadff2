"""What a user stream says of hedged accounts and isolated margin."""

from __future__ import annotations

from decimal import Decimal

from holdfast.exchange import PositionSide
from holdfast.model.market import Funding
from holdfast.model.values import ClOrdId, NewOrder, OrderType, Side
from tests.exchange_server.stream_desk import ALICE, BTC, open_desk
from tests.exchange_server.test_streams_user import market, words

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def trade(desk, side, qty, position_side, **more):
    desk.count += 1
    order = NewOrder(
        cl_ord_id=ClOrdId(f"h{desk.count}"),
        symbol=BTC,
        side=side,
        qty=Decimal(qty),
        account=ALICE,
        **more,
    )
    return desk.venue.submit(order, position_side=position_side)


def accounts(frames):
    return [frame["a"] for frame in frames if frame["e"] == "ACCOUNT_UPDATE"]


async def test_a_hedged_close_shows_all_three_rows():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.set_position_mode(ALICE, is_hedged=True)
        trade(desk, Side.SELL, "0.020", SHORT)
        trade(desk, Side.BUY, "0.020", SHORT)
        frames = await client.heard()
        opened, closed = accounts(frames)
        fill = frames[-1]["o"]

        assert [(row["ps"], row["pa"]) for row in opened["P"]] == [("SHORT", "-0.02")]
        assert [(row["ps"], row["pa"]) for row in closed["P"]] == [
            ("BOTH", "0"), ("LONG", "0"), ("SHORT", "0"),
        ]  # fmt: skip
        assert (fill["ps"], fill["R"]) == ("SHORT", True)


async def test_a_conditional_order_names_its_side():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.set_position_mode(ALICE, is_hedged=True)
        more = {"order_type": OrderType.STOP_MARKET, "trigger_price": Decimal(49_000)}
        trade(desk, Side.SELL, "0.020", LONG, **more)
        (told,) = await client.heard()

        assert (told["o"]["ps"], told["o"]["R"]) == ("LONG", True)


async def test_isolated_wallets_are_told_with_every_move():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.set_margin_type(ALICE, BTC, is_isolated=True)
        desk.buy("0.020")
        desk.venue.move_margin(ALICE, BTC, PositionSide.BOTH, Decimal(5))
        desk.show(Funding(symbol=BTC, ts=desk.now, rate=0.001))
        desk.sell("0.020", reduce_only=True)
        kind, opened, moved, funded, closed = accounts(await client.heard())

        assert (kind["m"], kind["B"], kind["P"][0]["mt"]) == ("MARGIN_TYPE_CHANGE", [], "isolated")
        assert (opened["B"][0]["wb"], opened["B"][0]["cw"]) == ("9999.499999", "9949.499899")
        assert opened["P"][0]["iw"] == "50.0001"
        assert (moved["m"], moved["B"][0]["bc"], moved["P"][0]["iw"]) == (
            "MARGIN_TRANSFER", "-5", "55.0001",
        )  # fmt: skip
        assert (funded["m"], funded["B"][0]["bc"], funded["P"][0]["iw"]) == (
            "FUNDING_FEE", "-1", "54.0001",
        )  # fmt: skip
        assert funded["B"][0]["cw"] == moved["B"][0]["cw"]
        assert (closed["P"][0]["iw"], closed["P"][0]["mt"]) == ("0", "isolated")
        assert closed["B"][0]["wb"] == closed["B"][0]["cw"]


async def test_an_isolated_position_is_warned_and_taken_over_alone():
    async with open_desk() as desk:
        client = await market(desk)
        desk.venue.set_margin_type(ALICE, BTC, is_isolated=True)
        desk.buy("0.020")
        desk.mark(47_730)
        desk.advance(1000)
        (call,) = [each for each in await client.heard() if each["e"] == "MARGIN_CALL"]
        assert (call["p"][0]["mt"], call["p"][0]["iw"]) == ("ISOLATED", "50.0001")
        desk.mark(47_600)

        told = words(await client.heard())
        assert told[:2] == ["ACCOUNT_UPDATE", "CALCULATED/FILLED"]
