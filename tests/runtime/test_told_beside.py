"""What a person is told beside an answer: what has no stop, what was not done, what stays."""

from __future__ import annotations

import pytest

from holdfast.model.errors import InputError, RiskDenied
from tests.runtime.control_desk import running

BUY = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.005"}
SELL = {**BUY, "side": "SELL"}
STOP = {**SELL, "type": "STOP_MARKET", "trigger_price": "48000", "reduce_only": True}
EXIT = {**STOP, "type": "TAKE_PROFIT_MARKET", "trigger_price": "52000"}


async def unguarded(desk):
    return (await desk.get("/v1/metrics"))["metrics"]["without_stop"]


# What an order by hand leads to


async def test_an_order_by_hand_is_explained_as_it_is_placed(tmp_path):
    """Signals have the settings' stop and target; what is placed has those that it names."""
    async with running(tmp_path) as desk:
        asked = {**BUY, "quantity": "0.004", "stop_loss": "48000"}
        bare = (await desk.post("/v1/explain", **BUY))["explanation"]["plans"]
        named = (await desk.post("/v1/explain", **asked))["explanation"]["plans"]
        sized = (await desk.post("/v1/explain", symbol="BTCUSDT", side="BUY"))["explanation"]
        await desk.post("/v1/orders", **BUY)
        await desk.post("/v1/orders", **asked)
        started = [each.start for each in desk.service.live.engine.state.parents.values()]

    for plans, start in zip((bare, named), started, strict=True):
        assert len(plans) == 1
        shown = plans[0]["algo"], plans[0]["stop_loss"], plans[0]["take_profit"]
        is_ = [None if each is None else str(each) for each in (start.stop_loss, start.take_profit)]
        assert shown == (start.algo, *is_)
    assert (sized["plans"][0]["quantity"], sized["plans"][0]["stop_loss"]) == ("0.019", None)


async def test_an_order_by_hand_that_only_closes_is_explained_as_one_order(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        plans = (await desk.post("/v1/explain", **SELL))["explanation"]["plans"]

    assert [(each["role"], each["quantity"], each["side"]) for each in plans] == [
        ("ENTRY", "0.005", "SELL")
    ]


async def test_what_place_refuses_its_explanation_refuses(tmp_path):
    wrong = {**BUY, "stop_loss": "60000"}
    off_lot = {**BUY, "quantity": "0.0051"}
    async with running(tmp_path) as desk:
        for path in ("/v1/explain", "/v1/orders"):
            with pytest.raises(InputError, match="stop_loss 60000 must be below"):
                await desk.post(path, **wrong)
        answer = await desk.post("/v1/explain", **off_lot)
        found = answer["explanation"]
        with pytest.raises(RiskDenied, match="filters"):
            await desk.post("/v1/orders", **off_lot)

    assert answer["notes"] == []  # nothing is opened
    refused = [each["rule"] for each in found["plans"][0]["verdicts"] if not each["passed"]]
    assert (found["passed"], refused) == (False, ["filters"])


async def test_a_strategys_signal_is_explained_with_the_settings_stop(tmp_path):
    async with running(tmp_path) as desk:
        plans = (await desk.post("/v1/explain", **BUY, strategy="rsi"))["explanation"]["plans"]

    assert plans[0]["stop_loss"] is not None


# No stop


async def test_what_is_opened_without_a_stop_is_told_and_counted(tmp_path):
    async with running(tmp_path) as desk:
        explained = await desk.post("/v1/explain", **BUY)
        placed = await desk.post("/v1/orders", **BUY)
        before = await unguarded(desk)
        await desk.post("/v1/orders", **STOP)
        behind = await unguarded(desk)
        adjusted = await desk.post("/v1/adjust", symbol="BTCUSDT", target="0.011")
        at_last = await unguarded(desk)

    for answer in (explained, placed, adjusted):
        assert "no stop" in answer["notes"][0]
        assert "--type STOP_MARKET --trigger-price PRICE --reduce-only" in answer["notes"][0]
    assert "place BTCUSDT SELL 0.006 " in adjusted["notes"][0]
    assert (before, behind, at_last) == (1, 0, 1)


@pytest.mark.parametrize(
    "stop", [{"quantity": "0.004", "stop_loss": "48000"}, {**SELL, "reduce_only": True}]
)
async def test_what_needs_no_stop_has_no_word_of_it(tmp_path, stop):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY, stop_loss="48000")
        placed = await desk.post("/v1/orders", **{**BUY, **stop})
        lessened = await desk.post("/v1/adjust", symbol="BTCUSDT", target="0")

    assert (placed["notes"], lessened["notes"]) == ([], [])


TRAIL = {**SELL, "type": "TRAILING_STOP_MARKET", "callback_rate": "1", "reduce_only": True}
FAR = {**TRAIL, "activation_price": "51000"}


@pytest.mark.parametrize(
    ("order", "count"),
    [
        (STOP, 0),
        ({**STOP, "quantity": "0.003"}, 1),
        ({**STOP, "reduce_only": False}, 0),
        (EXIT, 1),
        (TRAIL, 0),
        (FAR, 1),
    ],
    ids=["stop", "of a part", "not reduce-only", "target", "trailing", "not set out"],
)
async def test_a_position_is_without_stop_unless_one_at_the_venue_covers_all(
    tmp_path, order, count
):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        await desk.post("/v1/orders", **order)

        assert await unguarded(desk) == count


async def test_a_stop_that_an_order_by_hand_names_counts_once_it_is_there(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY, stop_loss="48000")

        assert await unguarded(desk) == 0


async def test_a_stop_of_an_order_that_only_closes_is_told_to_be_none(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        placed = await desk.post("/v1/orders", **SELL, stop_loss="52000")
        open_now = (await desk.get("/v1/orders"))["orders"]

    assert open_now == []
    assert "stop_loss 52000 is not put up" in placed["notes"][0]


async def test_an_order_at_the_market_is_answered_with_its_fill(tmp_path):
    async with running(tmp_path) as desk:
        placed = (await desk.post("/v1/orders", **BUY))["order"]

    assert (placed["status"], placed["filled_quantity"]) == ("FILLED", "0.005")


async def test_a_stop_that_is_put_up_again_is_told(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY, stop_loss="48000")
        stop = (await desk.get("/v1/orders"))["orders"][0]
        answer = await desk.post(f"/v1/orders/{stop['id']}/cancel")
        again = (await desk.get("/v1/orders"))["orders"]

    assert answer["order"]["status"] == "CANCELED"
    assert [each["trigger_price"] for each in again] == ["48000"]
    assert "put up again" in answer["notes"][0]


async def test_an_entry_that_is_taken_back_has_no_word_beside_it(tmp_path):
    async with running(tmp_path) as desk:
        entry = await desk.post("/v1/orders", **BUY, type="LIMIT", price="49000")
        answer = await desk.post(f"/v1/orders/{entry['order']['id']}/cancel")

    assert answer["notes"] == []


# What stays


async def test_a_close_tells_of_the_orders_that_can_only_close_and_stay(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        left = [(await desk.post("/v1/orders", **each))["order"]["id"] for each in (STOP, EXIT)]
        closed = await desk.post("/v1/positions/BTCUSDT/close")

    assert closed["position"]["quantity"] == "0"
    assert f"2 orders that can only close stay: {', '.join(left)}" in closed["notes"][0]


async def test_a_stop_that_flattens_tells_of_the_orders_that_it_leaves(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        left = (await desk.post("/v1/orders", **STOP))["order"]["id"]
        stopped = await desk.post("/v1/stop", flatten=True)

    assert f"1 order that can only close stays: {left}" in stopped["notes"][0]


async def test_what_guards_a_position_that_is_kept_is_no_news(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        await desk.post("/v1/orders", **STOP)
        stopped = await desk.post("/v1/stop", flatten=False)

    assert stopped["notes"] == []


async def test_cancel_all_names_the_stops_and_exits_that_it_leaves(tmp_path):
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        left = [(await desk.post("/v1/orders", **each))["order"]["id"] for each in (STOP, EXIT)]
        answer = await desk.post("/v1/orders/all/cancel")
        open_now = [each["id"] for each in (await desk.get("/v1/orders"))["orders"]]

    assert (answer["orders"], answer["stay"]) == ([], left)
    assert open_now == left


async def test_cancel_all_with_exits_takes_back_what_was_put_up_by_hand_and_guards_nothing(
    tmp_path,
):
    """A strategy's exits, and the stop of what is held, go by their ids alone."""
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", **BUY)
        await desk.post("/v1/orders", **{**BUY, "quantity": "0.004"}, stop_loss="48500")
        stop, target = [
            (await desk.post("/v1/orders", **each))["order"]["id"] for each in (STOP, EXIT)
        ]
        held = await desk.post("/v1/orders/all/cancel", exits=True)
        await desk.post("/v1/positions/BTCUSDT/close")
        flat = await desk.post("/v1/orders/all/cancel", exits=True)
        open_now = (await desk.get("/v1/orders"))["orders"]

    assert [each["id"] for each in held["orders"]] == [target]
    assert held["stay"][-1] == stop
    assert len(held["stay"]) == 2  # the other is the second order's own
    assert ([each["id"] for each in flat["orders"]], flat["stay"], open_now) == ([stop], [], [])


async def test_exits_go_with_all_and_no_single_order(tmp_path):
    async with running(tmp_path) as desk:
        with pytest.raises(InputError, match="exits"):
            await desk.post("/v1/orders/hf.1.1.1.E.operator/cancel", exits=True)
