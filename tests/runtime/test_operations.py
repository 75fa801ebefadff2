"""Orders and positions by hand: what is taken, what is refused, and what comes back."""

from __future__ import annotations

import asyncio
import enum
import re
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import (
    InputError,
    InsufficientBalanceError,
    NetworkError,
    Order,
    OrderStatus,
    OrderType,
    OutcomeUnknownError,
    PretradeRiskValidator,
    RateLimitError,
    RiskDenied,
    SessionStateError,
    Side,
    SignalGenerated,
    TimeInForce,
    TradingState,
    UnknownOrderError,
    VenueRefused,
)
from holdfast.engine import forgetting
from holdfast.model.commands import SubmitOrder
from holdfast.model.events import OrderDenied
from holdfast.model.messages import (
    CancelRequest,
    ExecType,
    ExecutionReport,
    ModifyRequest,
    Request,
    RequestRefused,
)
from holdfast.model.settings import RiskLimits
from holdfast.model.values import LARGEST_AMOUNT, ClOrdId, NewOrder, TradeId, Verdict
from holdfast.runtime.refusals import denial_error
from holdfast.runtime.user_orders import request_of
from tests.runtime.session_desk import BTC, ETH, ScriptedFeed, config_in, running

KEY = ("main", BTC)


# Amounts


@pytest.mark.parametrize("quantity", [Decimal("0.1"), "0.1", 0.1])
def test_amounts_are_what_they_show(quantity):
    order = Order(BTC, Side.BUY, quantity, OrderType.LIMIT, price=45_000.1, stop_loss="44000.5")

    assert order.quantity == Decimal("0.1")
    assert order.price == Decimal("45000.1")
    assert order.stop_loss == Decimal("44000.5")
    assert request_of(order).qty == Decimal("0.1")


@given(st.floats(min_value=1e-9, max_value=1e12, allow_nan=False))
def test_a_float_is_the_shortest_decimal_that_denotes_it(value):
    assert Order(BTC, Side.BUY, value).quantity == Decimal(repr(value))


ABSURD = [
    float("nan"),
    float("inf"),
    "-Infinity",
    "NaN",
    "1e400",
    float(LARGEST_AMOUNT) * 10,
    True,
    None,
    "ten",
    "",
    b"1",
    [1],
    1j,
]


@pytest.mark.parametrize("value", ABSURD)
def test_what_is_no_amount_is_refused_by_its_name(value):
    with pytest.raises(InputError, match=r"^quantity must be"):
        Order(BTC, Side.BUY, value)
    for name in ("price", "trigger_price", "stop_loss", "take_profit"):
        if value is not None:
            with pytest.raises(InputError, match=f"^{name} must be"):
                Order(BTC, Side.BUY, 1, **{name: value})


@pytest.mark.parametrize("value", [0, -1, "-0.001", Decimal("-0")])
def test_amounts_that_are_not_above_zero_are_refused_by_their_names(value):
    with pytest.raises(InputError, match=r"^quantity must be above 0"):
        request_of(Order(BTC, Side.BUY, value))
    for name in ("price", "trigger_price", "stop_loss", "take_profit"):
        with pytest.raises(InputError, match=f"^{name} must be above 0"):
            request_of(Order(BTC, Side.BUY, 1, **{name: value}))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"side": "LONG"}, r"side must be one of BUY, SELL, was 'LONG'"),
        ({"side": None}, "side must be one of"),
        ({"order_type": "ICEBERG"}, "order_type must be one of MARKET, LIMIT"),
        ({"time_in_force": "DAY"}, "time_in_force must be one of GTC, IOC, FOK, GTX, GTD"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_those_that_do(wrong, text):
    with pytest.raises(InputError, match=text):
        Order(**({"symbol": BTC, "side": "BUY", "quantity": 1} | wrong))


async def test_amounts_of_every_kind_pass_exactly_through_a_session(tmp_path):
    async with running(tmp_path, disabled=["position_size"]) as desk:
        service = desk.service
        for quantity in (Decimal("0.003"), "0.003", 0.003):
            await service.place_order(BTC, "BUY", quantity)
            await desk.feed.price(45_000)
        order = await service.place_order(BTC, "BUY", 0.5, "LIMIT", 43_000.1)
        modified = await service.modify_order(order.id, new_price="43000.2", new_quantity=0.501)
        position = await service.adjust_position(BTC, 0.1)

        assert (modified.price, modified.quantity) == (Decimal("43000.2"), Decimal("0.501"))
        assert position.quantity == Decimal("0.1")


async def test_nonsense_is_refused_before_anything_is_recorded(tmp_path):
    async with running(tmp_path) as desk:
        service, sequence = desk.service, desk.service.live.journal.sequence
        nonsense = (
            service.place_order(BTC, "BUY", float("nan")),
            service.place_order(BTC, "BUY", -1),
            service.place_order(BTC, "HOLD", 1),
            service.place_order(BTC, "BUY", 1, "LIMIT"),
            service.place_order(BTC, "BUY", 1, "MARKET", 45_000),
            service.place_order(BTC, "BUY", 1, stop_loss=46_000),
            service.place_order(BTC, "BUY", 1, take_profit=44_000),
            service.place_order(BTC, "BUY", 1, reduce_only=True, stop_loss=44_000),
            service.place_order("NOPEUSDT", "BUY", 1),
            service.adjust_position(BTC, True),
            service.adjust_position(BTC, "0.0005"),
            service.adjust_position("NOPEUSDT", 1),
            service.close_position(BTC),
            service.place_order(BTC, "BUY", "0.004", request_id=17),
            service.place_order(BTC, "BUY", "0.004", request_id="\udc80"),
            service.pause(17),
            service.stop(ValueError("enough")),
            service.stop(flatten="yes"),
        )
        for ask in nonsense:
            with pytest.raises(InputError):
                await ask

        assert service.live.journal.sequence == sequence
        assert desk.state.orders == {}


async def test_execute_order_tells_in_its_result_what_place_order_raises(tmp_path):
    async with running(tmp_path) as desk:
        for order in (Order(BTC, Side.BUY, 1), Order(BTC, Side.BUY, "0.004", OrderType.LIMIT)):
            result = await desk.service.execute_order(order)
            assert not result.success
            assert result.order_id is None
            assert result.error
            assert order.id is None

        order = Order(BTC, Side.BUY, "0.004")
        result = await desk.service.execute_order(order)
        assert result.success
        assert result.error == ""
        assert result.order_id == order.id
        assert order.status is OrderStatus.FILLED
        assert order.filled_quantity == Decimal("0.004")
        assert order.average_price == Decimal("45000.1")
        assert order.fees > 0
        assert order.margin_required == Decimal("0.004") * Decimal("45000.1") / 5


async def test_an_order_that_ends_without_a_fill_did_not_succeed(tmp_path):
    async with running(tmp_path) as desk:
        order = Order(
            BTC, Side.BUY, "0.004", OrderType.LIMIT, price=44_000, time_in_force=TimeInForce.IOC
        )
        result = await desk.service.execute_order(order)

        assert not result.success
        assert result.error
        assert order.status in (OrderStatus.EXPIRED, OrderStatus.CANCELED)


# Life of an order


async def test_a_repeated_request_id_places_nothing(tmp_path):
    async with running(tmp_path) as desk:
        one = await desk.service.place_order(BTC, "BUY", "0.004", request_id="a")
        two = await desk.service.place_order(BTC, "BUY", "0.004", request_id="a")

        assert one.id == two.id
        assert desk.state.position(KEY).qty == Decimal("0.004")
        with pytest.raises(RiskDenied):
            await desk.service.place_order(BTC, "BUY", 1, request_id="b")
        with pytest.raises(RiskDenied):
            await desk.service.place_order(BTC, "BUY", 1, request_id="b")


async def test_a_request_whose_order_is_forgotten_is_told_to_have_been_acted_on(
    tmp_path, monkeypatch
):
    """Whoever believed that nothing came of it would order once more under another id."""
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 2)
    async with running(tmp_path, duplicate_window_s=0) as desk:
        await desk.service.place_order(BTC, "BUY", "0.004", request_id="a")
        for qty in ("0.005", "0.006", "0.007"):
            await desk.service.place_order(BTC, "BUY", qty)

        with pytest.raises(UnknownOrderError, match=r"a was acted on .* nothing was placed now"):
            await desk.service.place_order(BTC, "BUY", "0.004", request_id="a")
        assert desk.state.position(KEY).qty == Decimal("0.022")


async def test_a_repeated_request_is_not_answered_by_the_stop_of_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(forgetting, "CLOSED_ORDERS_KEPT", 2)
    async with running(tmp_path, duplicate_window_s=0) as desk:
        await desk.service.place_order(BTC, "BUY", "0.004", request_id="a", stop_loss=44_000)
        for qty in ("0.005", "0.006", "0.007"):
            await desk.service.place_order(BTC, "BUY", qty)

        with pytest.raises(UnknownOrderError, match=r"a was acted on"):
            await desk.service.place_order(BTC, "BUY", "0.004", request_id="a", stop_loss=44_000)


async def test_an_order_in_parts_of_which_another_came_about_is_not_told_to_be_refused(
    tmp_path, monkeypatch
):
    """Whoever believed that would order the whole of it once more."""
    async with running(tmp_path) as desk:
        venue, held = desk.service.live.venue, list[SubmitOrder]()
        submit = venue.submit
        monkeypatch.setattr(venue, "submit", held.append)  # on its way, for long
        body = {"algo": "twap:over=10s,slices=2", "request_id": "a"}
        asked = asyncio.ensure_future(desk.service.place_order(BTC, "BUY", "0.008", **body))
        await desk.until(lambda: held)
        monkeypatch.setattr(venue, "submit", submit)
        await desk.feed.pass_time(7)
        assert desk.state.position(KEY).qty == Decimal("0.004")
        refuse_submit(desk, held[0], code=-1021)
        part = await asked
        again = await desk.service.place_order(BTC, "BUY", "0.008", **body)

        assert part.status is OrderStatus.REJECTED
        assert part.id == again.id == held[0].order.cl_ord_id


async def test_cancelling(tmp_path):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        assert order.status is OrderStatus.NEW
        cancelled = await desk.service.cancel_order(order.id)

        assert cancelled.status is OrderStatus.CANCELED
        assert await desk.service.get_orders() == []
        assert [o.id for o in await desk.service.get_orders(open_only=False)] == [order.id]
        with pytest.raises(SessionStateError, match="CANCELED already"):
            await desk.service.cancel_order(order.id)
        with pytest.raises(UnknownOrderError, match="nope"):
            await desk.service.cancel_order("nope")
        with pytest.raises(UnknownOrderError, match="nope"):
            await desk.service.get_order_status("nope")
        with pytest.raises(UnknownOrderError, match="never placed"):
            await desk.service.cancel_order(Order(BTC, Side.BUY, 1).id)
        for ask in (desk.service.cancel_order, desk.service.get_order_status):
            with pytest.raises(InputError, match="named by its id, was Order"):
                await ask(order)


async def test_a_cancel_that_is_ahead_of_its_order_waits_for_it(tmp_path):
    async with running(tmp_path) as desk:
        service, venue = desk.service, desk.service.live.venue
        submit, late = venue.submit, asyncio.Queue[SubmitOrder]()
        venue.submit = late.put_nowait
        placing = asyncio.create_task(service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000))
        command = await late.get()
        del venue.submit
        cancelling = asyncio.create_task(service.cancel_order(command.order.cl_ord_id))
        for _ in range(10):
            await asyncio.sleep(0)
        submit(command)

        assert (await cancelling).status is OrderStatus.CANCELED
        assert (await placing).status is OrderStatus.CANCELED


async def test_modifying(tmp_path):
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        modified = await service.modify_order(order.id, new_price=44_100)

        assert (modified.price, modified.quantity) == (Decimal(44_100), Decimal("0.004"))
        with pytest.raises(InputError, match="already"):
            await service.modify_order(order.id, new_price=44_100)
        with pytest.raises(InputError, match="new_quantity must be above 0"):
            await service.modify_order(order.id, new_quantity=0)
        with pytest.raises(RiskDenied, match="position_size"):
            await service.modify_order(order.id, new_quantity=1)
        filled = await service.place_order(BTC, "BUY", "0.004")
        with pytest.raises(SessionStateError, match="FILLED"):
            await service.modify_order(filled.id, new_price=1)


@pytest.mark.parametrize("request_kind", [Request.CANCEL, Request.REPLACE])
async def test_what_the_venue_refuses_is_raised_and_the_order_stands(tmp_path, request_kind):
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        venue = service.live.venue

        def refuse(command):
            refusal = RequestRefused(
                symbol=BTC,
                cl_ord_id=command.cl_ord_id,
                request=request_kind,
                code=-4000,
                reason="no",
            )
            service.live.shell.hear(refusal)

        venue.cancel = venue.replace = refuse
        asked = {
            Request.CANCEL: lambda: service.cancel_order(order.id),
            Request.REPLACE: lambda: service.modify_order(order.id, new_price=44_100),
        }
        with pytest.raises(VenueRefused, match="no") as caught:
            await asked[request_kind]()

        assert caught.value.code == -4000
        assert (await service.get_order(order.id)).price == 44_000
        assert await service.get_order_status(order.id) is OrderStatus.NEW
        del venue.cancel, venue.replace


def said(order, kind, status, **fields):
    """What the venue says of a limit buy."""
    return ExecutionReport(
        symbol=BTC,
        cl_ord_id=order.id,
        exec_type=kind,
        status=status,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        **{"venue_ts": 0, "qty": Decimal("0.004"), "price": Decimal(44_000), **fields},
    )


@pytest.mark.parametrize(
    ("price", "told"), [(44_000, "had ended"), (44_050, "44050: somebody else"), (44_100, "")]
)
async def test_an_amendment_that_the_end_of_its_order_answers_is_told_as_what_it_was(
    tmp_path, price, told
):
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)

        def end(command):
            ended = said(order, ExecType.CANCELED, OrderStatus.CANCELED, price=Decimal(price))
            service.live.shell.hear(ended)

        service.live.venue.replace = end
        amending = service.modify_order(order.id, new_price=44_100)
        if told:
            with pytest.raises(VenueRefused, match=told):
                await amending
        else:
            assert (await amending).price == price
        del service.live.venue.replace


async def test_an_amendment_that_nobody_heard_of_before_the_end_of_its_order_is_unknown(tmp_path):
    """An execution as a list has it names no price of its order."""
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)

        def fill(command):
            fill = said(
                order,
                ExecType.TRADE,
                OrderStatus.PARTIALLY_FILLED,
                venue_ts=service.live.now(),
                qty=Decimal(0),
                price=None,
                last_qty=Decimal("0.004"),
                last_px=Decimal(44_000),
                trade_id=TradeId("900"),
            )
            service.live.shell.hear(fill)

        service.live.venue.replace = fill
        with pytest.raises(OutcomeUnknownError, match="FILLED"):
            await service.modify_order(order.id, new_price=44_100)
        del service.live.venue.replace


async def test_a_cancel_that_is_refused_meanwhile_is_no_word_on_an_amendment(tmp_path):
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        shell, venue = service.live.shell, service.live.venue

        def refuse(command):
            fields = {"symbol": BTC, "cl_ord_id": command.cl_ord_id, "reason": "no"}
            shell.hear(RequestRefused(request=Request.CANCEL, **fields))

        amend = venue.replace

        def be_slow(command):
            venue.cancel = refuse
            asyncio.get_running_loop().call_soon(cancel_too, command)

        def cancel_too(command):
            shell.ask(CancelRequest(cl_ord_id=command.cl_ord_id))
            amend(command)

        venue.replace = be_slow
        amended = await service.modify_order(order.id, new_price=44_100)
        del venue.replace, venue.cancel

        assert amended.price == 44_100


async def test_a_later_amendment_is_no_word_on_the_one_before(tmp_path):
    """A strategy amends its order once more as soon as it hears of it, and is refused."""
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        shell, venue = service.live.shell, service.live.venue
        amend = venue.replace

        def refuse(command):
            fields = {"symbol": BTC, "cl_ord_id": command.cl_ord_id, "reason": "no"}
            shell.hear(RequestRefused(request=Request.REPLACE, **fields))

        def amend_once_more(command):
            amend(command)
            venue.replace = refuse
            shell.ask(ModifyRequest(cl_ord_id=command.cl_ord_id, price=Decimal(44_200)))

        loop = asyncio.get_running_loop()
        venue.replace = lambda command: loop.call_soon(amend_once_more, command)
        amended = await service.modify_order(order.id, new_price=44_100)
        del venue.replace

        assert amended.price == 44_100


async def test_stop_and_target_end_each_other(tmp_path):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(
            BTC, "BUY", "0.01", stop_loss=44_000, take_profit=46_000
        )
        assert (order.stop_loss, order.take_profit) == (44_000, 46_000)
        assert desk.open_roles() == ["STOP_LOSS", "TAKE_PROFIT"]
        await desk.feed.price(46_100)

        assert desk.open_roles() == []
        assert desk.state.open_keys() == []


# Positions


async def test_closing_takes_entries_of_that_symbol_back(tmp_path):
    feed = ScriptedFeed((BTC, ETH))
    async with running(tmp_path, feed=feed, disabled=["correlation"]) as desk:
        service = desk.service
        await service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        await service.place_order(BTC, "BUY", "0.004", "LIMIT", 44_000)
        other = await service.place_order(ETH, "BUY", "0.1", "LIMIT", 2_400)
        position = await service.close_position(symbol=BTC, reason="enough")

        assert position.quantity == 0
        assert [o.id for o in await service.get_orders()] == [other.id]
        assert await service.get_positions() == []


async def test_an_entry_that_went_out_reduce_only_shows_the_exits_it_asked_for(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01")
        await desk.service.pause()
        order = await desk.service.place_order(BTC, "SELL", "0.01", stop_loss=50_000)

        assert (order.reduce_only, order.stop_loss, order.margin_required) == (True, 50_000, 0)


async def test_adjusting_up_down_over_zero_and_to_flat(tmp_path):
    async with running(tmp_path, disabled=["duplicate"]) as desk:
        service = desk.service
        for target in ("0.01", "0.02", "0.004", "-0.01", "-0.01", "0"):
            position = await service.adjust_position(BTC, target)
            assert position.quantity == Decimal(target)
            assert desk.state.position(KEY).qty == Decimal(target)
        assert await service.get_positions() == []


@pytest.mark.parametrize("at_market", [True, False])
@pytest.mark.parametrize("is_taken", [True, False])
async def test_an_adjustment_that_is_under_way_already_is_waited_for(
    tmp_path, monkeypatch, is_taken, at_market
):
    feed = ScriptedFeed(is_live=True, start_ts=time.time_ns())
    async with running(tmp_path, feed=feed, use_market_orders=at_market) as desk:
        venue, held = desk.service.live.venue, list[SubmitOrder]()
        submit = venue.submit
        monkeypatch.setattr(venue, "submit", held.append)  # on its way
        asked = [asyncio.ensure_future(desk.service.adjust_position(BTC, "0.02")) for _ in "ab"]
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in asked)
        [command] = held
        if is_taken:
            submit(command)
        else:
            refuse_submit(desk, command)
        answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)

        if is_taken:
            assert [position.quantity for position in answers] == [Decimal("0.02")] * 2
        else:
            assert [type(error) for error in answers] == [VenueRefused] * 2
            assert f"{command.order.cl_ord_id} ended with 0 of 0.02 filled" in str(answers[1])


def refuse_submit(desk, command, code=None):
    """Have the venue refuse an order."""
    order = command.order
    desk.service.live.shell.hear(
        ExecutionReport(
            symbol=order.symbol,
            cl_ord_id=order.cl_ord_id,
            exec_type=ExecType.REJECTED,
            status=OrderStatus.REJECTED,
            side=order.side,
            venue_ts=desk.feed.now,
            qty=order.qty,
            reason="no",
            code=code,
        )
    )


async def test_adjusting_past_a_limit_is_refused_but_less_is_always_possible(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.adjust_position(BTC, "0.02")
        with pytest.raises(RiskDenied, match="position_size"):
            await desk.service.adjust_position(BTC, 1)
        await desk.service.kill("stop it")
        assert (await desk.service.adjust_position(BTC, "0.01")).quantity == Decimal("0.01")
        with pytest.raises(RiskDenied, match="kill_switch"):
            await desk.service.adjust_position(BTC, "-0.01")
        assert desk.state.position(KEY).qty == 0


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"symbol": None}, "symbol must be a text like BTCUSDT, was None"),
        ({"expire_at": "2033", "time_in_force": "GTD"}, "expire_at must be a datetime, was '2033'"),
    ],
)
async def test_an_order_of_the_wrong_types_is_an_input_error_and_no_crash(tmp_path, order, text):
    async with running(tmp_path) as desk:
        fields = {"symbol": BTC, "side": "BUY", "quantity": "0.001", "price": 44_000} | order
        result = await desk.service.execute_order(Order(**fields, order_type=OrderType.LIMIT))
        assert (result.success, result.error) == (False, text)
        with pytest.raises(InputError, match="symbol must be a text"):
            await desk.service.close_position(None)


class Mine(enum.Enum):
    NAME = "breakout"
    TWAP = "twap:over=10s,slices=2"


OWN = UUID("6f1c9a52-3b1e-4c1a-9d4e-0b7f5a2f8c11")


def buy(quantity="0.004", **fields: Any):
    return Order(BTC, Side.BUY, quantity, **fields)


@pytest.mark.parametrize(
    ("given", "text"), [(OWN, str(OWN)), (Mine.NAME, "breakout"), (Decimal(7), "7")]
)
async def test_an_id_that_denotes_a_text_is_taken_as_that(tmp_path, given, text):
    async with running(tmp_path) as desk:
        result = await desk.service.execute_order(buy(strategy_id=given))
        assert result.success
        assert result.order.strategy_id == text
        assert [order.request.strategy_id for order in desk.state.orders.values()] == [text]
        one = await desk.service.place_order(BTC, "BUY", "0.003", request_id=given)
        two = await desk.service.place_order(BTC, "BUY", "0.003", request_id=text)
        assert one.id == two.id
        assert desk.service.restarts == 0


async def test_what_a_request_leaves_out_is_not_recorded(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.004")
        [order] = desk.state.orders.values()

        assert msgspec.json.decode(msgspec.json.encode(order.request)).get("account") is None


async def test_an_algo_may_be_named_by_an_enumeration_of_the_callers(tmp_path):
    async with running(tmp_path) as desk:
        result = await desk.service.execute_order(buy("0.01", algo=Mine.TWAP))

        assert result.success
        [parent] = desk.state.parents.values()
        assert parent.start.algo == "twap:over=10s,slices=2"


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("strategy_id", 7, r"PlaceRequest\.strategy_id .*Expected `str`, got `int`, was 7"),
        ("strategy_id", b"mine", r"PlaceRequest\.strategy_id .*a text, was b'mine'"),
        ("strategy_id", object, r"PlaceRequest\.strategy_id .*, was <class 'object'>"),
        ("algo", OWN, f"there is no algorithm {OWN}"),
        ("account", OWN, "there is no account"),
        ("reduce_only", "false", r"PlaceRequest\.reduce_only .*`bool`, got `str`, was 'false'"),
    ],
)
async def test_what_denotes_no_text_is_refused_by_its_name_and_fails_nothing(
    tmp_path, field, value, text
):
    async with running(tmp_path) as desk:
        result = await desk.service.execute_order(buy(**{field: value}))

        assert not result.success
        assert re.search(text, result.error), result.error
        assert desk.service.restarts == 0
        assert desk.state.orders == {}


async def test_a_signal_is_judged_by_the_text_of_its_strategys_id(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.execute_order(buy(strategy_id=OWN))
        given: dict[str, Any] = {"signal_type": "CLOSE", "strategy_id": OWN}

        assert desk.service.explain(SignalGenerated(symbol=BTC, **given)).denial is None


async def test_an_order_shows_its_margin_and_explains_itself(tmp_path, caplog):
    async with running(tmp_path) as desk:
        order = await desk.service.place_order(
            BTC, "BUY", "0.01", "LIMIT", 44_000, stop_loss=43_000
        )
        with caplog.at_level("INFO", "holdfast.orders"):
            info = order.debug_info()

        assert order.margin_required == Decimal("0.01") * 44_000 / 5
        assert info["symbol"] == BTC
        assert info["side"] == "BUY"
        assert info["price"] == "44000"
        assert info["status"] == "NEW"
        assert info["margin_required"] == "88"
        assert info["id"] in caplog.text


async def test_an_order_without_a_price_is_valued_by_what_is_known(tmp_path):
    shown: list[Order] = []
    async with running(tmp_path) as desk:
        desk.service.event_bus.subscribe("order.changed", shown.append)
        await desk.service.place_order(BTC, "BUY", "0.01")
        await desk.service.event_bus.drain(1)
        sent = shown[0]
        trailing = {"order_type": "TRAILING_STOP_MARKET", "callback_rate": 1}
        later = await desk.service.place_order(
            BTC, "BUY", "0.005", **trailing, activation_price=44_500
        )
        now = await desk.service.place_order(BTC, "BUY", "0.006", **trailing)

        assert (sent.average_price, sent.status) == (None, OrderStatus.PENDING_NEW)
        assert sent.margin_required == Decimal("0.01") * 45_000 / 5
        assert later.margin_required == Decimal("0.005") * 44_500 / 5
        assert now.margin_required == Decimal("0.006") * 45_000 / 5


async def test_the_margin_of_an_order_is_not_known_while_no_price_is(tmp_path):
    async with running(tmp_path) as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", "STOP_MARKET", trigger_price=46_000)
        order = await desk.service.place_order(
            BTC, "BUY", "0.006", "TRAILING_STOP_MARKET", callback_rate=1
        )
        session_id = desk.service.session().id
        read = TradingState.recover(session_id, config=config_in(tmp_path))
        margins = {each.id: each.margin_required for each in read.open_orders}

        assert margins.pop(order.id) is None
        assert list(margins.values()) == [Decimal("0.01") * 46_000 / 5]


# Refusals by who must act


async def test_an_order_that_the_margin_does_not_cover_is_short_of_balance(tmp_path):
    async with running(tmp_path) as desk:
        with pytest.raises(InsufficientBalanceError, match="position_size"):
            await desk.service.place_order(BTC, "BUY", 2)
        with pytest.raises(RiskDenied, match="position_size"):
            await desk.service.place_order(BTC, "BUY", "0.1")


async def test_the_venue_s_own_word_on_margin_is_short_of_balance_too(tmp_path):
    lax = ["position_size", "leverage", "margin", "order_notional"]
    async with running(tmp_path, disabled=lax) as desk:
        with pytest.raises(InsufficientBalanceError) as caught:
            await desk.service.place_order(BTC, "BUY", 10)

        assert caught.value.code is not None


async def test_orders_that_come_too_fast_are_told_when_to_come_again(tmp_path):
    throttle = {"max_messages": 12, "message_reserve": 4, "message_window_s": 7}
    async with running(tmp_path, disabled=["position_size"], **throttle) as desk:
        for number in range(8):
            await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_000 + number)
        with pytest.raises(RateLimitError, match="message_throttle") as caught:
            await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_008)

        assert caught.value.retry_after == 7.0
        await desk.feed.pass_time(8)
        await desk.service.place_order(BTC, "BUY", "0.004", "LIMIT", 43_500)


@pytest.mark.parametrize(
    ("rule", "free", "kind"),
    [
        ("position_size", Decimal("0.5"), RiskDenied),
        ("margin", Decimal("0.1"), RiskDenied),
        ("margin", Decimal("-0.1"), InsufficientBalanceError),
        ("position_size", Decimal("-0.1"), InsufficientBalanceError),
        ("message_throttle", Decimal("0.5"), RateLimitError),
        ("link", Decimal("0.5"), NetworkError),
    ],
)
def test_a_denial_becomes_the_error_of_who_must_act(rule, free, kind):
    denied = OrderDenied(
        ts=1,
        order=NewOrder(cl_ord_id=ClOrdId("x"), symbol=BTC, side=Side.BUY, qty=Decimal(1)),
        rule=rule,
        reason="too much",
        verdicts=(Verdict(rule="margin", passed=free > 0, value=free),),
    )

    assert type(denial_error(denied, RiskLimits())) is kind


async def test_symbols_are_taken_in_capitals(tmp_path):
    async with running(tmp_path) as desk:
        service = desk.service
        order = await service.place_order("btcusdt", "BUY", "0.01")
        assert order.symbol == BTC
        assert (await service.adjust_position(" btcusdt ", "0.005")).symbol == BTC
        assert (await service.close_position("btcusdt")).quantity == 0


async def test_a_signal_of_floats_can_be_asked_about(tmp_path):
    async with running(tmp_path) as desk:
        validator = PretradeRiskValidator(desk.service)

        given: dict[str, Any] = {"signal_type": "BUY", "quantity": 0.01, "stop_loss": 44_000.0}
        assert await validator.validate_signal(SignalGenerated(symbol=BTC, **given))


async def test_another_thread_must_ask_on_the_session_s_loop(tmp_path):
    async with running(tmp_path) as desk:
        loop, sequence = asyncio.get_running_loop(), desk.service.live.journal.sequence

        def place():
            return desk.service.place_order(BTC, "BUY", "0.004")

        def on_a_loop_of_its_own(ask):
            return asyncio.run(ask())

        for ask in (place, desk.service.pause, desk.service.kill):
            with pytest.raises(SessionStateError, match="run_coroutine_threadsafe"):
                await asyncio.to_thread(on_a_loop_of_its_own, ask)
        assert desk.service.live.journal.sequence == sequence
        order = await asyncio.to_thread(
            lambda: asyncio.run_coroutine_threadsafe(place(), loop).result(10)
        )
        assert order.status is OrderStatus.FILLED
