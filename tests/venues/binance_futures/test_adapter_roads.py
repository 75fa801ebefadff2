"""Which road a request takes, who signs it, and how long the account's key lives."""

from __future__ import annotations

from contextlib import asynccontextmanager

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from holdfast.exchange_server.settings import DEFAULT_KEY, ApiKey
from holdfast.model.commands import Resync
from holdfast.model.errors import VenueRefused
from holdfast.model.messages import ExecType, VenueFailure, VenueLink, VenueSnapshot
from holdfast.model.values import MAIN, NS_PER_S, AccountId, ClOrdId, OrderStatus, OrderType, Side
from holdfast.runtime.clock import WallClock
from holdfast.venues.binance_futures import adapter, listen_key, permissions
from holdfast.venues.binance_futures.adapter import BinanceFuturesVenue
from holdfast.venues.binance_futures.settings import endpoints
from tests.venues.binance_futures.adapter_desk import (
    BTC,
    market_order,
    order,
    scripted,
    submit,
    until,
)
from tests.venues.binance_futures.adapter_exchange import (
    ACCOUNT,
    amount,
    joined,
    settings_for,
    town,
)
from tests.venues.binance_futures.adapter_mangler import Manner, mangled
from tests.venues.binance_futures.frames import fill_event

E1, E2 = ClOrdId("hf.1.1.0.E.x"), ClOrdId("hf.1.2.0.E.x")


def watched(venue, monkeypatch):
    """Note what goes over REST."""
    sent: list[str] = []
    send = venue._rest.send

    async def note(call):
        sent.append(f"{call.route.verb} {call.route.path}")
        return await send(call)

    monkeypatch.setattr(venue._rest, "send", note)
    return sent


async def test_orders_take_the_websocket_while_it_is_up(monkeypatch):
    async with town() as one, joined(one) as venue:
        sent = watched(venue, monkeypatch)
        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)

        assert "POST /fapi/v1/order" not in sent
        assert venue._asker.budget.used(one.core.now())["orders of 10 s"] == 1


async def test_key_is_looked_at_before_anything_is_traded():
    may_withdraw = {"ipRestrict": True, "enableWithdrawals": True, "enableFutures": True}
    places = {"GET__/sapi/v1/account/apiRestrictions": [(200, may_withdraw)]}
    async with town() as one, scripted(**places) as host:
        here = settings_for(one.server).endpoints
        where = msgspec.structs.replace(here, permissions_url=host.url)
        with pytest.raises(VenueRefused, match="may withdraw"):
            async with joined(one, where=where):
                raise AssertionError("it joined")
        async with joined(one, where=where, allow_withdrawals=True):
            assert one.contracts


SILENT, UNREAD = "reset", (503, "Service Unavailable.")


@asynccontextmanager
async def started_anew(one, answers, monkeypatch):
    """Start on an account that was traded, whose key's permissions are answered so."""
    monkeypatch.setattr(permissions, "AGAIN_S", 0.05)
    places = {"GET__/sapi/v1/account/apiRestrictions": answers}
    async with joined(one):
        known = {made.symbol: made for made, _ in one.contracts}
    async with scripted(**places) as host:
        here = settings_for(one.server)
        where = msgspec.structs.replace(here.endpoints, permissions_url=host.url)
        venue = BinanceFuturesVenue(
            DEFAULT_KEY,
            DEFAULT_KEY,
            clock=WallClock(),
            settings=msgspec.structs.replace(here, endpoints=where),
            known=known,
        )
        try:
            await venue.connect((BTC,), one.hear)
            yield host
        finally:
            await venue.close()


@pytest.mark.parametrize("answer", [SILENT, UNREAD])
async def test_account_that_was_traded_is_joined_though_nobody_says_what_the_key_may(
    answer, monkeypatch, caplog
):
    may_trade = {"ipRestrict": True, "enableWithdrawals": False, "enableFutures": True}
    answers = [answer, (200, may_trade)]
    async with town() as one, started_anew(one, answers, monkeypatch) as host:
        await until(lambda: len(host.requests) == 2)

    assert "what the key may do is not known" in caplog.text
    assert not [m for m in one.heard if isinstance(m, VenueFailure)]


async def test_key_that_turns_out_to_be_able_to_withdraw_is_told_of(monkeypatch):
    may_withdraw = {"ipRestrict": True, "enableWithdrawals": True, "enableFutures": True}
    async with town() as one, started_anew(one, [SILENT, (200, may_withdraw)], monkeypatch):
        told = await one.has(lambda m: isinstance(m, VenueFailure))

    assert "may withdraw funds" in told.reason


async def test_account_that_was_traded_is_not_joined_with_a_key_that_may_withdraw(monkeypatch):
    may_withdraw = {"ipRestrict": True, "enableWithdrawals": True, "enableFutures": True}
    async with town() as one:
        with pytest.raises(VenueRefused, match="may withdraw"):
            async with started_anew(one, [(200, may_withdraw)], monkeypatch):
                raise AssertionError("it joined")


async def test_order_has_left_when_submit_returns(monkeypatch):
    async with town() as one, joined(one) as venue:
        frames: list[bytes] = []
        send = venue._orders.stream.send

        def note(frame):
            frames.append(frame)
            return send(frame)

        monkeypatch.setattr(venue._orders.stream, "send", note)
        venue.submit(submit(market_order(E1)))

        assert b"order.place" in frames[0]
        await one.report(E1, exec_type=ExecType.TRADE)
        assert len(frames) == 1


async def test_order_that_finds_its_socket_gone_is_sent_once_over_rest(monkeypatch):
    async with town() as one, joined(one) as venue:
        sent = watched(venue, monkeypatch)
        venue._orders.stream.give_up("a test")
        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)

        assert sent.count("POST /fapi/v1/order") == 1
        assert venue._asker.budget.used(one.core.now())["orders of 10 s"] == 1


async def test_orders_take_rest_where_the_websocket_does_not_open(monkeypatch):
    monkeypatch.setattr(adapter, "ORDERS_PATIENCE_S", 0.1)
    async with town() as one:
        where = endpoints(
            testnet=True, rest_url=one.server.urls["rest"], ws_api_url="ws://127.0.0.1:1/"
        )
        async with joined(one, where=where) as venue:
            sent = watched(venue, monkeypatch)
            venue.submit(submit(market_order(E1)))
            await one.report(E1, exec_type=ExecType.TRADE)

            assert "POST /fapi/v1/order" in sent


async def test_ed25519_key_logs_the_session_on_and_then_signs_no_order(monkeypatch):
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    account = ApiKey(key="ed", account=AccountId("ed"), public_key=public.decode())
    async with town(keys=(account,)) as one, joined(one, key="ed", secret=private) as venue:
        await one.until(lambda: venue._orders._is_logged_on)
        frames: list[bytes] = []
        send = venue._orders.stream.send

        def note(frame):
            frames.append(frame)
            return send(frame)

        monkeypatch.setattr(venue._orders.stream, "send", note)
        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)

        assert b"order.place" in frames[0]
        assert b"signature" not in frames[0]


async def test_listen_key_is_kept_alive(monkeypatch):
    monkeypatch.setattr(listen_key, "KEEP_ALIVE_S", 0.05)
    async with town() as one, joined(one) as venue:
        sent = watched(venue, monkeypatch)
        await one.until(lambda: sent.count("PUT /fapi/v1/listenKey") > 1)

        assert not [m for m in one.heard if isinstance(m, VenueLink)]


async def test_listen_key_that_is_gone_unannounced_is_replaced(monkeypatch):
    monkeypatch.setattr(listen_key, "KEEP_ALIVE_S", 0.05)
    async with town() as one, joined(one) as venue:
        one.core.listen_keys.expire(ACCOUNT)
        await one.has(lambda m: isinstance(m, VenueLink) and not m.is_up)
        await one.has(lambda m: isinstance(m, VenueLink) and m.is_up)

        venue.submit(submit(market_order(E1)))

        await one.report(E1, exec_type=ExecType.TRADE)


class Keyless(Manner):
    """Answers the first questions after a listen key without one."""

    BODIES = (b"{}", b'{"listenKey":null}', b'{"listenKey":""}')

    def instead(self, verb, path):
        if (verb, path) != ("POST", "/fapi/v1/listenKey") or self.struck == len(self.BODIES):
            return None
        self.struck += 1
        return 200, self.BODIES[self.struck - 1]


async def test_answer_without_a_listen_key_opens_no_silent_stream():
    manner = Keyless()
    async with town() as one, mangled(one.server.urls["rest"], manner) as proxy:
        where = endpoints(testnet=True, rest_url=proxy.url)
        async with joined(one, where=where) as venue:
            venue.submit(submit(market_order(E1)))
            await one.report(E1, exec_type=ExecType.TRADE)

            assert manner.struck == len(Keyless.BODIES)
            assert not [m for m in one.heard if isinstance(m, VenueLink)]


async def test_leaving_keeps_the_listen_key_for_others():
    async with town() as one:
        async with joined(one):
            key = one.core.listen_keys.key_of(ACCOUNT)

        assert key
        assert one.core.listen_keys.key_of(ACCOUNT) == key


async def test_silent_stream_is_found_out_by_an_order_of_which_it_says_nothing(monkeypatch):
    monkeypatch.setattr(adapter, "EVENT_PATIENCE_S", 0.3)
    async with town() as one, joined(one) as venue:
        one.goes_wrong("silent_stream", "ORDER_TRADE_UPDATE")
        venue.submit(submit(order(E1, OrderType.LIMIT, price=amount("49000"))))
        await one.report(E1, status=OrderStatus.NEW)

        await one.has(lambda m: isinstance(m, VenueLink) and not m.is_up)
        await one.has(lambda m: isinstance(m, VenueLink) and m.is_up)


async def test_frame_that_can_not_be_read_asks_for_the_books():
    async with town() as one, joined(one) as venue:
        venue._channel._on_frame('{"e":"ORDER_TRADE_UPDATE","o":{}}')

        assert one.heard[-1] == VenueLink(
            account=MAIN, is_up=True, reason="an event could not be read"
        )


async def test_event_that_we_fail_on_asks_for_the_books_and_the_stream_goes_on(monkeypatch, caplog):
    async with town() as one, joined(one) as venue:
        tell = venue._tell

        def fails(message):
            monkeypatch.setattr(venue, "_tell", tell)
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(venue, "_tell", fails)
        venue._channel._on_frame(fill_event())

        assert one.heard[-1].reason == "an event was not understood"
        assert "a fault of ours" in caplog.text
        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_answer_that_comes_after_the_fill_takes_nothing_back(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong("delay_answer", "POST /fapi/v1/order", delay_ms=300)
        venue.submit(submit(market_order(E1)))
        fill = await one.report(E1, exec_type=ExecType.TRADE)
        await one.until(lambda: not venue._desk._under_way)

        assert fill.status is OrderStatus.FILLED


@pytest.mark.parametrize(("reason", "weight_max"), [("audit", 60), ("recovery", 140)])
async def test_audit_weighs_less_than_a_recovery(monkeypatch, reason, weight_max):
    async with town() as one, joined(one) as venue:
        asked: list[dict] = []
        send = venue._rest.send

        async def note(call):
            if call.route.path.endswith(("openOrders", "openAlgoOrders")):
                asked.append(call.params)
            return await send(call)

        monkeypatch.setattr(venue._rest, "send", note)
        before = venue._asker.budget.used(one.core.now())["weight of a minute"]
        venue.resync(Resync(account=MAIN, reason=reason, trades_since=one.core.now()))
        await one.has(lambda m: isinstance(m, VenueSnapshot))

        after = venue._asker.budget.used(one.core.now())["weight of a minute"]
        assert after - before <= weight_max
        assert [params.get("symbol") for params in asked] == (
            [BTC, BTC] if reason == "audit" else [None, None]
        )


async def test_audit_of_many_symbols_reads_executions_only_where_something_happened(monkeypatch):
    async with town() as one, joined(one, one_by_one_max=0) as venue:
        asked: list[str] = []
        send = venue._rest.send

        async def note(call):
            asked.append(call.route.path)
            return await send(call)

        async def audit(reason="audit", back_ns=10 * NS_PER_S):
            asked.clear()
            since = one.core.now() - back_ns
            one.heard.clear()
            venue.resync(Resync(account=MAIN, reason=reason, trades_since=since))
            return await one.has(lambda m: isinstance(m, VenueSnapshot))

        monkeypatch.setattr(venue._rest, "send", note)
        assert (await audit()).trades == ()
        assert "/fapi/v1/userTrades" not in asked
        await audit("another look at a difference")
        assert "/fapi/v1/userTrades" in asked  # what is no audit reads all

        venue.submit(submit(market_order(E1)))
        await one.report(E1, exec_type=ExecType.TRADE)
        assert [trade.cl_ord_id for trade in (await audit()).trades] == [E1]
        await one.until(lambda: not venue._books._is_reading)
        await audit(back_ns=-NS_PER_S)
        assert "/fapi/v1/userTrades" in asked  # it is held, whatever the income list says

        venue.submit(submit(market_order(E2, side=Side.SELL)))
        await one.report(E2, exec_type=ExecType.TRADE)
        flat = await audit()
        assert flat.positions == ()
        assert [trade.cl_ord_id for trade in flat.trades] == [E1, E2]
