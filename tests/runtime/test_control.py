"""The control API: who may ask, what is answered, and how failures come back."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import stat
import threading
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

import aiohttp
import pytest

from holdfast.cli import main
from holdfast.model.config import TradingConfig
from holdfast.model.errors import (
    ConfigError,
    InputError,
    InsufficientBalanceError,
    OutcomeUnknownError,
    RiskDenied,
    SessionStateError,
    UnknownOrderError,
    VenueRefused,
)
from holdfast.model.messages import (
    ExecType,
    ExecutionReport,
    MarketLink,
    Request,
    RequestRefused,
    VenueLink,
)
from holdfast.model.values import NS_PER_S, ClOrdId, OrderStatus, OrderType, Side
from holdfast.runtime import books, control_client, live, operations
from holdfast.runtime.control import BODY_BYTES_MAX, CONNECTIONS_MAX, ControlServer
from holdfast.runtime.control_client import ControlClient
from holdfast.runtime.control_file import Endpoint, NoSessionRunning, write_endpoint
from holdfast.runtime.control_routes import ROUTES
from holdfast.runtime.service import LiveTradingService
from tests.runtime.control_desk import BTC, restarting, running

ENDS = "2040-01-01T08:00:00+00:00"


@pytest.fixture
async def bare(tmp_path):
    """A server whose service runs nothing."""
    server = ControlServer(LiveTradingService(config=TradingConfig(data_dir=tmp_path)), tmp_path)
    await server.bind()
    yield server
    await server.close()


async def ask(server, method, path, **options):
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, server.url + path, **options) as answer,
    ):
        return answer.status, await answer.json()


def bearing(server, **more):
    return {"Authorization": f"Bearer {server.token}", **more}


@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic abc", "Bearer \xff"])
async def test_nothing_is_said_without_the_token(bare, header):
    headers = {} if header is None else {"Authorization": header}
    for method, path in [*ROUTES, ("GET", "/"), ("GET", "/nowhere"), ("DELETE", "/v1/status")]:
        status, answer = await ask(bare, method, path, headers=headers)
        assert (status, answer["kind"]) == (401, "Unauthorized"), path


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", "x:1"])
async def test_a_name_that_is_not_loopbacks_is_not_answered_to(bare, host):
    status, answer = await ask(bare, "GET", "/v1/status", headers=bearing(bare, Host=host))

    assert (status, answer["kind"]) == (403, "ForbiddenHost")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:80", "[::1]", "LOCALHOST"])
async def test_loopbacks_names_are_answered_to(bare, host):
    status, _ = await ask(bare, "GET", "/v1/positions", headers=bearing(bare, Host=host))

    assert status == 409  # no session runs


async def test_no_other_origin_is_allowed_anything(bare):
    async with aiohttp.ClientSession() as http:
        headers = bearing(bare, Origin="http://evil.example")
        async with http.options(bare.url + "/v1/orders", headers=headers) as answer:
            allowed = [h for h in answer.headers if h.lower().startswith("access-control")]

    assert answer.status == 405
    assert allowed == []


async def test_a_body_past_its_bound_is_refused(bare):
    body = b"x" * (BODY_BYTES_MAX + 1)
    status, answer = await ask(bare, "POST", "/v1/pause", headers=bearing(bare), data=body)

    assert (status, answer["kind"]) == (413, "InputError")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "can't be read"),
        (b'{"symbol": "BTCUSDT"}', "missing required field"),
        (b'{"symbol": "B", "side": "BUY", "quantity": 1, "prise": 2}', "prise"),
        (b'{"symbol": "B", "side": "UP", "quantity": 1}', "side must be one of BUY, SELL"),
        (b"\xff\xfe", "can't be read"),
    ],
)
async def test_a_request_that_makes_no_sense_says_why(bare, body, said):
    status, answer = await ask(bare, "POST", "/v1/orders", headers=bearing(bare), data=body)

    assert (status, answer["kind"]) == (400, "InputError")
    assert said in answer["error"]


async def test_who_holds_connections_open_takes_no_room_from_the_owner(tmp_path):
    """Any user of the machine can reach a port of the loopback, and each connection is a file."""
    async with running(tmp_path) as desk:
        place = urlsplit(desk.server.url)
        held = [
            await asyncio.open_connection(place.hostname, place.port)
            for _ in range(CONNECTIONS_MAX + 20)
        ]
        status = await desk.get("/v1/status")
        ends = [reader.at_eof() for reader, _ in held]
        for _, writer in held:
            writer.close()

    assert status["is_running"]
    assert 20 <= sum(ends) <= 22
    assert not any(ends[-CONNECTIONS_MAX + 2 :])


async def test_a_taken_port_names_the_port_and_the_setting(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        service = LiveTradingService(config=TradingConfig(data_dir=tmp_path))
        server = ControlServer(service, tmp_path, port)
        with pytest.raises(ConfigError, match=rf"port {port} .* is in use; set control_port"):
            await server.bind()


async def test_the_control_file_is_its_owners_alone_and_goes_with_the_session(tmp_path):
    async with running(tmp_path) as desk:
        file = tmp_path / "control.json"
        mode = stat.S_IMODE(file.stat().st_mode)
        assert mode == 0o600
        assert desk.server.token in file.read_text()
        assert desk.server.token not in repr(desk.client.endpoint)

    assert not file.exists()
    with pytest.raises(NoSessionRunning, match="holdfast run"):
        ControlClient(tmp_path)


async def test_an_order_by_hand_goes_its_whole_way(tmp_path):
    async with running(tmp_path) as desk:
        placed = await desk.post(
            "/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.01", stop_loss="49000"
        )
        positions = await desk.get("/v1/positions")
        orders = await desk.get("/v1/orders")
        closed = await desk.post("/v1/positions/BTCUSDT/close")
        after = await desk.get("/v1/orders")
        everything = await desk.get("/v1/orders?all=1")

    assert placed["order"]["status"] == "FILLED"
    assert placed["order"]["filled_quantity"] == "0.01"
    assert [(p["symbol"], p["quantity"]) for p in positions["positions"]] == [("BTCUSDT", "0.01")]
    assert [(o["order_type"], o["trigger_price"]) for o in orders["orders"]] == [
        ("STOP_MARKET", "49000")
    ]
    assert closed["position"]["quantity"] == "0"
    assert after["orders"] == []
    assert len(everything["orders"]) == 3


async def test_trailing_stops_and_orders_with_an_end_are_placed(tmp_path):
    async with running(tmp_path) as desk:
        buy = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.004"}
        await desk.post("/v1/orders", **buy)
        trailing = await desk.post(
            "/v1/orders",
            **buy | {"side": "SELL", "type": "TRAILING_STOP_MARKET", "reduce_only": True},
            callback_rate="1.5",
            activation_price="51000",
        )
        ending = {"type": "LIMIT", "price": "48000", "tif": "GTD", "expire_at": ENDS}
        limited = await desk.post("/v1/orders", **buy | ending)
        known = desk.service.live.engine.state.orders
        requests = [known[each["order"]["id"]].request for each in (trailing, limited)]
        with pytest.raises(InputError, match="time zone"):
            await desk.post("/v1/orders", **buy | ending | {"expire_at": ENDS[:19]})
        with pytest.raises(InputError, match="expire_at"):
            await desk.post("/v1/orders", **buy | ending | {"expire_at": "tomorrow"})

    assert (requests[0].callback_rate, requests[0].activation_price) == (
        Decimal("1.5"),
        Decimal(51000),
    )
    assert requests[1].expire_ts == int(datetime.fromisoformat(ENDS).timestamp()) * NS_PER_S


async def test_a_resting_order_is_amended_and_taken_back(tmp_path):
    async with running(tmp_path) as desk:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
        placed = (await desk.post("/v1/orders", **order, quantity="0.01", price=49_000))["order"]
        path = f"/v1/orders/{placed['id']}"
        amended = await desk.post(f"{path}/modify", price="48900", quantity="0.011")
        with pytest.raises(InputError, match="needs a price or a quantity"):
            await desk.post(f"{path}/modify")
        cancelled = await desk.post("/v1/orders/all/cancel")
        shown = await desk.get(path)
        with pytest.raises(SessionStateError, match="CANCELED already"):
            await desk.post(f"{path}/cancel")

    assert (amended["order"]["price"], amended["order"]["quantity"]) == ("48900", "0.011")
    assert [o["id"] for o in cancelled["orders"]] == [placed["id"]]
    assert shown["order"]["status"] == "CANCELED"


async def test_orders_of_others_are_left_where_all_are_taken_back(tmp_path):
    async with running(tmp_path) as desk:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
        ours = (await desk.post("/v1/orders", **order, quantity="0.01", price=49_000))["order"]
        for name, kind in (("web_1", OrderType.LIMIT), ("web_2", OrderType.STOP_MARKET)):
            desk.service.live.shell.hear(
                ExecutionReport(
                    symbol=BTC,
                    cl_ord_id=ClOrdId(name),
                    exec_type=ExecType.NEW,
                    status=OrderStatus.NEW,
                    side=Side.SELL,
                    order_type=kind,
                    qty=Decimal("0.01"),
                    price=Decimal(60_000) if kind is OrderType.LIMIT else None,
                    trigger_price=None if kind is OrderType.LIMIT else Decimal(40_000),
                    venue_order_id=name,
                    venue_ts=1,
                )
            )
        taken = await desk.post("/v1/orders/all/cancel")
        left = desk.service.live.engine.state.all_open_orders()

    assert [each["id"] for each in taken["orders"]] == [ours["id"]]
    assert [(each.cl_ord_id, each.cancel.name) for each in left] == [
        ("web_1", "NONE"),
        ("web_2", "NONE"),
    ]


async def test_an_order_that_is_not_taken_back_keeps_no_other_from_it(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.004"}
        placed = [
            await desk.post("/v1/orders", **order, price=price)
            for price in (49_000, 49_100, 49_200, 49_300)
        ]
        refused, silent, *others = [each["order"]["id"] for each in placed]
        venue = desk.service.live.venue
        honest = venue.cancel

        def cancel(command):
            if command.cl_ord_id == refused:
                venue_says = RequestRefused(
                    symbol=BTC,
                    cl_ord_id=command.cl_ord_id,
                    request=Request.CANCEL,
                    code=-4000,
                    reason="no",
                )
                desk.service.live.shell.hear(venue_says)
            elif command.cl_ord_id != silent:
                honest(command)

        monkeypatch.setattr(venue, "cancel", cancel)
        monkeypatch.setattr(operations, "ANSWER_PATIENCE_S", 1.0)
        told = f"2 taken back, 2 not: {refused}: no; {silent}: the cancel of {silent}: no answer"
        with pytest.raises(VenueRefused, match=re.escape(told)) as raised:
            await desk.post("/v1/orders/all/cancel")
        assert raised.value.code == -4000

        left = {order.id for order in await desk.service.get_orders()}
        assert left == {refused, silent}
        assert others
        monkeypatch.setattr(venue, "cancel", honest)


def deafen(venue, monkeypatch):
    """Let the venue hear nothing more of orders."""
    for name in ("submit", "cancel", "replace"):
        monkeypatch.setattr(venue, name, lambda _: None)
    monkeypatch.setattr(operations, "ANSWER_PATIENCE_S", 0.2)
    monkeypatch.setattr(live, "STOP_PATIENCE_S", 0.2)


async def test_what_the_venue_has_not_answered_is_told_as_unknown(tmp_path, monkeypatch):
    async with running(tmp_path) as desk:
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.004"}
        await desk.post("/v1/orders", **order)
        amended, cancelled = [
            (await desk.post("/v1/orders", **order, type="LIMIT", price=price))["order"]["id"]
            for price in (49_000, 49_100)
        ]
        deafen(desk.service.live.venue, monkeypatch)
        unanswered: dict[str, dict[str, str | int]] = {
            f"/v1/orders/{amended}/modify": {"price": 48_000},
            f"/v1/orders/{cancelled}/cancel": {},
            "/v1/adjust": {"symbol": "BTCUSDT", "target": "0.002"},
            "/v1/positions/BTCUSDT/close": {},
            "/v1/orders/all/cancel": {},
        }
        for path, body in unanswered.items():
            with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.2 s"):
                await desk.post(path, **body)


async def test_an_order_without_an_answer_is_no_success_of_the_command(
    tmp_path, monkeypatch, capsys
):
    def place(quantity):
        return main(["place", "BTCUSDT", "BUY", quantity, "--data-dir", str(tmp_path)])

    async with running(tmp_path) as desk:
        assert await asyncio.to_thread(place, "0.004") == 0
        deafen(desk.service.live.venue, monkeypatch)
        assert await asyncio.to_thread(place, "0.005") == 4
    assert "the venue has not answered" in capsys.readouterr().err


async def test_a_stop_that_leaves_something_unanswered_is_no_success_of_the_command(
    tmp_path, monkeypatch, capsys
):
    async with running(tmp_path) as desk:
        deafen(desk.service.live.venue, monkeypatch)
        await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.004")
        assert await asyncio.to_thread(main, ["stop", "--data-dir", str(tmp_path)]) == 4
    assert "the next start carries the stop out" in capsys.readouterr().err


def test_a_session_that_does_not_answer_leaves_the_outcome_unknown(tmp_path):
    def fall_silent_after_one():
        asking, _ = silent.accept()
        with asking:
            asking.recv(65_536)
            asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        write_endpoint(tmp_path, Endpoint(url=url, token="t", pid=os.getpid(), session="s"))
        threading.Thread(target=fall_silent_after_one, daemon=True).start()
        client = ControlClient(tmp_path, timeout_s=0.5)
        with pytest.raises(OutcomeUnknownError, match=r"did not answer within 0\.5 s"):
            client.post("/v1/stop")


def test_a_command_waits_longer_than_a_stop_may_take():
    assert control_client.TIMEOUT_S > live.STOP_PATIENCE_S + books.READ_PATIENCE_S


async def test_a_trailing_stop_is_placed_by_the_command(tmp_path):
    trailing = ["place", "BTCUSDT", "SELL", "0.004", "--type", "TRAILING_STOP_MARKET"]
    options = ["--callback-rate", "1", "--activation-price", "51000", "--reduce-only"]
    async with running(tmp_path) as desk:
        await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.004")
        command = [*trailing, *options, "--data-dir", str(tmp_path)]
        assert await asyncio.to_thread(main, command) == 0
        (order,) = await desk.service.get_orders()

    assert (order.callback_rate, order.activation_price) == (1, 51_000)


async def test_a_repeated_request_id_places_nothing_twice(tmp_path):
    async with running(tmp_path) as desk:
        order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "request_id": "one"}
        first = await desk.post("/v1/orders", **order)
        second = await desk.post("/v1/orders", **order)

    assert first["order"]["id"] == second["order"]["id"]


async def test_refusals_come_back_as_the_errors_they_were(tmp_path):
    async with running(tmp_path) as desk:
        with pytest.raises(RiskDenied, match="position_size"):
            await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="0.1")
        with pytest.raises(InsufficientBalanceError, match="position_size") as short:
            await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="9")
        assert short.value.code is None
        with pytest.raises(UnknownOrderError, match="nope"):
            await desk.post("/v1/orders/nope/cancel")
        with pytest.raises(InputError, match="DOGEUSDT is not traded"):
            await desk.post("/v1/orders", symbol="DOGEUSDT", side="BUY", quantity="1")
        with pytest.raises(InputError, match="no position in BTCUSDT"):
            await desk.post("/v1/positions/BTCUSDT/close")
        with pytest.raises(InputError, match="number"):
            await desk.post("/v1/orders", symbol="BTCUSDT", side="BUY", quantity="many")


@pytest.mark.parametrize("number", ["1e99999999", "1e-99999999", "0e-99999999"])
async def test_a_number_that_can_not_be_written_out_is_refused_at_the_door(tmp_path, number):
    async with running(tmp_path) as desk:
        for name in ("quantity", "price", "trigger_price", "stop_loss", "take_profit"):
            given = {"symbol": BTC, "side": "BUY", "quantity": "0.01", name: number}
            with pytest.raises(InputError, match=f"{name} must be at most"):
                await desk.post("/v1/orders", **given)
        with pytest.raises(InputError, match="must be at most"):
            await desk.post("/v1/adjust", symbol=BTC, target=number)
        assert (await desk.get("/v1/orders?all=1"))["orders"] == []


async def test_an_explanation_shows_every_rule_and_leaves_no_trace(tmp_path):
    async with running(tmp_path) as desk:
        before = desk.service.live.journal.sequence
        good = (await desk.post("/v1/explain", symbol="BTCUSDT", side="buy"))["explanation"]
        bad = await desk.post("/v1/explain", symbol="BTCUSDT", side="BUY", quantity="3")
        nothing = await desk.post("/v1/explain", symbol="BTCUSDT", side="CLOSE")
        after = desk.service.live.journal.sequence

    assert good["passed"] is True
    assert good["plans"][0]["quantity"] == "0.019"  # a tenth of the equity, cut to the lot
    rules = {verdict["rule"]: verdict for verdict in good["plans"][0]["verdicts"]}
    assert len(rules) > 15
    assert rules["position_size"]["limit"] == "0.1"
    assert bad["explanation"]["passed"] is False
    assert nothing["explanation"]["denial"] is not None
    assert before == after


async def test_pause_resume_kill_and_release_steer_the_session(tmp_path):
    order = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
    async with running(tmp_path) as desk:
        paused = await desk.post("/v1/pause", reason="lunch")
        with pytest.raises(RiskDenied, match="session"):
            await desk.post("/v1/orders", **order)
        with pytest.raises(SessionStateError, match="PAUSED"):
            await desk.post("/v1/pause")
        resumed = await desk.post("/v1/resume")
        await desk.post("/v1/kill", reason="smoke")
        status = await desk.get("/v1/status")
        with pytest.raises(RiskDenied, match="kill_switch"):
            await desk.post("/v1/orders", **order)
        await desk.post("/v1/pause")
        blocked = await desk.post("/v1/resume")
        with pytest.raises(InputError, match="operator"):
            await desk.post("/v1/release", operator=" ")
        await desk.post("/v1/release", operator="ann")
        with pytest.raises(SessionStateError, match="not engaged"):
            await desk.post("/v1/release", operator="ann")
        placed = await desk.post("/v1/orders", **order)

    assert (paused["session"]["status"], paused["session"]["reason"]) == ("PAUSED", "lunch")
    assert resumed["session"]["status"] == "RUNNING"
    assert (resumed["is_killed"], resumed["kill_reason"]) == (False, "")
    assert (blocked["session"]["status"], blocked["kill_reason"]) == ("RUNNING", "smoke")
    assert (status["is_killed"], status["kill_reason"]) == (True, "smoke")
    assert placed["order"]["status"] == "FILLED"


async def test_a_status_says_what_does_not_come(tmp_path, capsys):
    async with running(tmp_path) as desk:
        hear = desk.service.live.shell.hear
        before = (await desk.get("/v1/status"))["cut_off"]
        hear(MarketLink(symbol=BTC, is_up=False, reason="no mark prices of BTCUSDT"))
        hear(VenueLink(is_up=False, reason="a ping was not answered"))
        found = (await desk.get("/v1/status"))["cut_off"]
        assert await asyncio.to_thread(main, ["status", "--data-dir", str(tmp_path)]) == 0
        hear(MarketLink(symbol=BTC, is_up=True))

        assert before == []
        assert found == [
            "reports of main do not come: a ping was not answered",
            "market data is cut off (no mark prices): BTCUSDT",
        ]
        assert "no mark prices" in capsys.readouterr().out
        hear(VenueLink(is_up=True))
        await asyncio.wait_for(_seen_all(desk), 10)


async def _seen_all(desk):
    while (await desk.get("/v1/status"))["cut_off"]:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0)


async def test_metrics_are_of_the_account_that_is_named(tmp_path):
    async with running(tmp_path, accounts={"second": {"initial_balance": 5000}}) as desk:
        shown = [
            (await desk.get(f"/v1/metrics{query}"))["metrics"]["wallet"]
            for query in ("", "?account=main", "?account=second")
        ]
        with pytest.raises(InputError, match="no account 'third'"):
            await desk.get("/v1/metrics?account=third")

    assert shown == ["10000", "10000", "5000"]


async def test_adjust_trades_to_the_target_and_stop_flattens(tmp_path):
    async with running(tmp_path) as desk:
        long = await desk.post("/v1/adjust", symbol="BTCUSDT", target="0.015")
        short = await desk.post("/v1/adjust", symbol="BTCUSDT", target="-0.01")
        metrics = (await desk.get("/v1/metrics"))["metrics"]
        stopped = await desk.post("/v1/stop", reason="evening", flatten=True)
        stats = await desk.service.get_session_stats()

    assert (long["position"]["quantity"], short["position"]["quantity"]) == ("0.015", "-0.01")
    assert metrics["position_count"] == 1
    assert (stopped["session"]["status"], stopped["session"]["reason"]) == ("STOPPED", "evening")
    assert stats.total_trades == 2
    assert desk.service.live.engine.state.open_keys() == []


async def test_a_stop_answers_though_the_server_goes_with_the_session(tmp_path):
    """As `holdfast run` does it: the end of the session closes the server under the answer."""
    async with running(tmp_path) as desk:
        stopping = asyncio.ensure_future(desk.post("/v1/stop"))
        await desk.service.wait()
        await desk.server.close()
        answer = await stopping

    assert answer["session"]["status"] == "STOPPED"


async def test_two_stops_at_once_are_one(tmp_path):
    async with running(tmp_path) as desk:
        by_program = asyncio.ensure_future(desk.post("/v1/stop", reason="first"))
        by_signal = asyncio.ensure_future(desk.service.stop("second"))
        answer, session = await asyncio.gather(by_program, by_signal)

    assert answer["session"]["status"] == session.status.value == "STOPPED"


async def test_a_stop_between_two_lives_ends_the_session_all_the_same(tmp_path):
    async with running(tmp_path) as desk:
        desk.service.live.shell.fail(RuntimeError("a bug"))
        await restarting(desk.service)
        session = await asyncio.wait_for(desk.service.stop(), 10)

    assert session.status.value == "STOPPED"
    assert desk.service.restarts == 1


async def test_a_kill_between_two_lives_meets_the_next(tmp_path):
    async with running(tmp_path) as desk:
        desk.service.live.shell.fail(RuntimeError("a bug"))
        await restarting(desk.service)
        killed = await desk.post("/v1/kill", reason="enough")

        assert killed["is_killed"] is True
        assert desk.service.live.engine.state.is_killed
        assert desk.service.restarts == 1
