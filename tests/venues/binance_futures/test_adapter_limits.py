"""The venue's limits: one budget for all that this process asks, and the venue's word kept."""

from __future__ import annotations

import asyncio
import gc
import re
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest
from aiohttp import web

from holdfast.exchange_server.settings import LimitSettings
from holdfast.feeds import FeedSettings, open_feed
from holdfast.feeds.binance_futures import BinanceFuturesFeed
from holdfast.model.commands import Resync
from holdfast.model.messages import AddressBanned, ExecType
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
from holdfast.venues.binance_futures import codec, counters, joining, orders_ws
from holdfast.venues.binance_futures.codec import reads
from holdfast.venues.binance_futures.counters import LIMITS, shared_budget
from holdfast.venues.binance_futures.handshakes import Banned, TooMany
from holdfast.venues.binance_futures.turns import READS_MAX
from holdfast.venues.limits import Urgency
from tests.venues.binance_futures.adapter_desk import (
    BTC,
    PATIENCE_S,
    cancel,
    desk,
    listening,
    market_order,
    no_jitter,
    order,
    query,
    submit,
)
from tests.venues.binance_futures.adapter_exchange import joined, town
from tests.venues.binance_futures.frames import raw
from tests.venues.binance_futures.test_contracts import info, symbol

WEIGHT, SHORT, LONG = (limit.name for limit in LIMITS)
ROADS = pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])


def resting(number):
    return order(f"hf.1.{number}.0.E.x", OrderType.LIMIT, price=Decimal(49_000))


@ROADS
async def test_all_that_leaves_is_counted_as_the_venue_counts_it(over_ws):
    """Nothing is left for the venue's headers to tell: connecting to the WebSocket API included."""
    async with town() as one:
        budget = shared_budget(one.server.urls["rest"], no_jitter)
        async with joined(one, budget=budget, orders_over_ws=over_ws) as venue:
            feed = open_feed(
                FeedSettings(
                    source="binance_futures", symbols=(BTC,), rest_url=one.server.urls["rest"]
                )
            )
            assert isinstance(feed, BinanceFuturesFeed)
            await feed.fetch_instruments()
            await feed.fetch_history([(BTC, "1m", 20)], one.core.now())
            venue.submit(submit(resting(1)))
            await one.report("hf.1.1.0.E.x", status=OrderStatus.NEW)
            venue.cancel(cancel("hf.1.1.0.E.x"))
            await one.report("hf.1.1.0.E.x", status=OrderStatus.CANCELED)
            await one.snapshot(venue)
            await one.until(lambda: not venue._asker.awaits)

            ours, theirs = budget.used(one.core.now()), one.core.limits
            assert budget._windows[0]._told <= budget._windows[0]._used
            assert ours[WEIGHT] >= theirs.used("127.0.0.1", one.core.now()) > 100
            assert ours[SHORT] == 1
            assert feed._budget.used(one.core.now()) == {WEIGHT: ours[WEIGHT], SHORT: 0, LONG: 0}


async def test_what_the_feed_uses_leaves_less_to_the_account_and_cancels_keep_their_room():
    async with town() as one:
        url = one.server.urls["rest"]
        feed, account = (shared_budget(url, no_jitter) for _ in range(2))
        now = one.core.now()
        while feed.when((50, 0, 0), Urgency.READ, now) == now:
            feed.take((50, 0, 0), Urgency.READ, now)

        assert account.when((50, 0, 0), Urgency.READ, now) > now
        assert account.when((1, 1, 1), Urgency.TRADE, now) == now
        assert account.when((1, 0, 0), Urgency.PROTECT, now) == now
        assert shared_budget("http://other", no_jitter).used(now)[WEIGHT] == 0


def test_a_ban_outlives_the_session_that_heard_of_it():
    """Else each life that begins anew would ask once more, and a ban grows with each request."""
    taken = shared_budget("http://banned", no_jitter)
    taken.hear_refusal(418, NS_PER_S, retry_after_s=700)
    del taken
    gc.collect()

    anew = shared_budget("http://banned", no_jitter)
    assert anew.when((1, 0, 0), Urgency.PROTECT, 2 * NS_PER_S) == 701 * NS_PER_S


def test_shared_budgets_end_with_those_who_hold_them():
    taken = shared_budget("http://here", no_jitter)
    taken.take((100, 0, 0), Urgency.READ, NS_PER_S)
    assert shared_budget("http://here", no_jitter).used(NS_PER_S)[WEIGHT] == 100
    del taken
    gc.collect()

    assert shared_budget("http://here", no_jitter).used(NS_PER_S)[WEIGHT] == 0


@ROADS
async def test_ban_holds_every_road_back_until_the_second_it_ends(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        one.goes_wrong("banned", "GET /fapi/v3/account", delay_ms=2000)
        await one.until(lambda: not venue._books.awaits)
        began = one.core.now()
        venue.resync(Resync(account=MAIN, reason="test", trades_since=1))
        await one.until(lambda: venue._asker.is_held)
        venue.submit(submit(market_order("hf.1.1.0.E.x")))
        report = await one.report("hf.1.1.0.E.x", exec_type=ExecType.TRADE)

        assert report.venue_ts - began >= 1.9 * NS_PER_S
        assert fired(one) == 1  # nobody knocked meanwhile


@ROADS
async def test_each_ban_is_told_once_with_its_end(over_ws):
    async with town() as one, joined(one, orders_over_ws=over_ws) as venue:
        await one.until(lambda: not venue._books.awaits)
        for count in (1, 2):
            one.goes_wrong("banned", "GET /fapi/v3/account", delay_ms=1500)
            began = one.core.now()
            venue.resync(Resync(account=MAIN, reason="test", trades_since=1))
            await one.until(lambda: venue._asker.is_held)
            venue.query(query("hf.1.1.0.E.x"))
            await one.until(lambda: not venue._asker.awaits)

            told = bans(one)
            assert len(told) == count
            assert 1.4 < (told[-1].until_ts - began) / NS_PER_S < 4
            assert re.search(r"banned .* until [-0-9]{10} [:0-9]{8} UTC", told[-1].text)


async def test_a_start_beside_a_contract_that_was_left_out_waits_for_no_room_of_an_audit():
    """Countdowns and audits of another session at this address leave it none for a minute."""
    gone = codec.instrument(codec.contract(info(symbol(symbol="GONEUSDT")), Symbol("GONEUSDT")))
    gone = joining.unlisted(gone)
    async with town() as one:
        budget = shared_budget(one.server.urls["rest"], no_jitter)
        budget.spend((LIMITS[0].amount * 3 // 4, 0, 0), one.core.now())
        assert not budget.fits((1, 0, 0), Urgency.AUDIT, one.core.now())
        async with (
            asyncio.timeout(15.0),
            joined(one, budget=budget, known={gone.symbol: gone}) as venue,
        ):
            assert venue._contracts.unlisted == {gone.symbol}


async def test_a_ban_that_the_feed_has_met_is_told_by_the_account_that_it_holds_back():
    async with town() as one:
        budget = shared_budget(one.server.urls["rest"], no_jitter)
        async with joined(one, budget=budget) as venue:
            await one.until(lambda: not venue._books.awaits)
            until = budget.hear_refusal(418, one.core.now(), retry_after_s=1)
            venue.query(query("hf.1.1.0.E.x"))

            assert (await one.has(lambda m: isinstance(m, AddressBanned))).until_ts == until


async def test_a_ban_that_a_connection_meets_is_told(monkeypatch):
    async with town() as one, joined(one) as venue:
        opens = venue._wire.open_socket

        async def bans_next(url, ears):
            monkeypatch.setattr(venue._wire, "open_socket", opens)
            raise Banned("HTTP 418: banned", retry_after=1)

        for stream in (venue._channel.stream, venue._orders.stream):
            one.heard.clear()
            monkeypatch.setattr(venue._wire, "open_socket", bans_next)
            stream.give_up("a test")
            await one.has(lambda m: isinstance(m, AddressBanned))
            await one.until(lambda stream=stream: stream.is_up)


@pytest.mark.parametrize("error", [Banned, TooMany])
async def test_what_the_api_refuses_a_connection_for_holds_back_every_request(monkeypatch, error):
    """It shares its counters with REST: what was asked there meanwhile made a ban longer."""
    async with town() as one, joined(one) as venue:
        opens = venue._wire.open_socket

        async def refuses_next(url, ears):
            monkeypatch.setattr(venue._wire, "open_socket", opens)
            raise error("HTTP 4xx", retry_after=1)

        monkeypatch.setattr(venue._wire, "open_socket", refuses_next)
        venue._orders.stream.give_up("a test")
        await one.until(lambda: venue._wire.open_socket == opens)
        until = now(one) + NS_PER_S

        assert venue.order_room_at(now(one)) > until - NS_PER_S // 2


async def test_too_many_requests_are_no_ban():
    async with town() as one, joined(one) as venue:
        one.goes_wrong("too_many_requests", "GET /fapi/v1/order", delay_ms=500)
        venue.query(query("hf.1.1.0.E.x"))
        await one.until(lambda: fired(one) and not venue._asker.awaits)

        assert bans(one) == []


def bans(one):
    return [each for each in one.heard if isinstance(each, AddressBanned)]


def fired(one):
    return sum(rule["fired"] for rule in one.core.faults.account_for())


@ROADS
async def test_too_many_orders_wait_as_told_while_cancels_and_questions_go_on(over_ws):
    """The venue allows fewer than it says: another program trades the same account."""
    async with (
        town(limits=LimitSettings(orders_10s=4)) as one,
        joined(one, orders_over_ws=over_ws) as venue,
    ):
        venue._asker.budget.hear_limit(1, 300)  # over REST it is told at the start alone
        for number in range(1, 6):
            venue.submit(submit(resting(number), window_s=15))
        await one.report("hf.1.4.0.E.x", status=OrderStatus.NEW)
        await one.until(
            lambda: venue._asker.budget.when((0, 1, 1), Urgency.TRADE, now(one)) > now(one)
        )
        until = venue._asker.budget.when((0, 1, 1), Urgency.TRADE, now(one))
        venue.cancel(cancel("hf.1.1.0.E.x"))
        gone = await one.report("hf.1.1.0.E.x", status=OrderStatus.CANCELED)
        last = await one.report("hf.1.5.0.E.x", patience_s=20, status=OrderStatus.NEW)

        assert gone.venue_ts < until <= last.venue_ts + NS_PER_S
        assert until <= now(one)
        assert len(one.core.exchange.open_orders("test")) == 4


def now(one):
    return one.core.now()


async def test_stop_and_cancel_find_room_where_entries_have_used_theirs_up():
    async with town(limits=LimitSettings(orders_10s=20)) as one, joined(one) as venue:
        for number in range(1, 25):
            venue.submit(submit(resting(number), window_s=2))
        stop = order(
            "hf.1.99.1.S.x",
            OrderType.STOP_MARKET,
            side=Side.SELL,
            role=OrderRole.STOP_LOSS,
            trigger_price=Decimal(48_000),
        )
        venue.submit(submit(stop))
        placed = await one.report(ClOrdId("hf.1.99.1.S.x"), status=OrderStatus.NEW)
        entries = [o for o in one.core.exchange.open_orders("test") if ".E." in o.cl_ord_id]

        assert placed
        assert len(entries) == int(20 * 0.95 * 0.85)


async def test_limits_that_the_venue_has_changed_are_heard_with_the_next_list_of_contracts():
    """Where orders go over REST, no other answer tells what is allowed."""
    async with town(limits=LimitSettings(orders_10s=20)) as one, joined(one) as venue:
        budget = venue._asker.budget
        budget.hear_limit(1, 300)  # what was told before
        await venue._contracts.refresh()

        assert budget._windows[1].amount == 20


async def test_cancel_finds_room_where_questions_have_used_theirs_up():
    """Orders in doubt, a hundred of them, are asked after until there is no weight left."""
    async with town(limits=LimitSettings(weight_1m=400)) as one, joined(one) as venue:
        venue.submit(submit(resting(1)))
        await one.report("hf.1.1.0.E.x", status=OrderStatus.NEW)
        for number in range(400):
            venue.query(query(f"hf.1.{1000 + number}.0.E.x"))
        await one.until(lambda: venue._asker.is_held)
        venue.cancel(cancel("hf.1.1.0.E.x"))

        assert await one.report("hf.1.1.0.E.x", status=OrderStatus.CANCELED)


def test_refusal_on_the_websocket_api_says_when_and_answers_say_how_much_is_allowed():
    reply = orders_ws._as_reply(
        codec.read_reply(
            raw(
                {
                    "id": 7,
                    "status": 429,
                    "error": {
                        "code": -1003,
                        "msg": "Too many requests.",
                        "data": {"serverTime": 1_700_000_000_000, "retryAfter": 1_700_000_002_500},
                    },
                    "rateLimits": [
                        {
                            "rateLimitType": "REQUEST_WEIGHT",
                            "interval": "MINUTE",
                            "intervalNum": 1,
                            "limit": 6000,
                            "count": 6001,
                        }
                    ],
                }
            )
        )
    )

    assert (reply.code, reply.retry_after_s) == (-1003, 2.5)
    assert reply.limits[0].limit == 6000


@pytest.mark.parametrize(
    "data", [None, {}, [], "soon", 7, {"serverTime": 1}, {"retryAfter": "x", "serverTime": 1}]
)
def test_refusal_whose_data_is_strange_keeps_its_code(data):
    error = {"code": -1003, "msg": "no", **({"data": data} if data is not None else {})}
    reply = orders_ws._as_reply(codec.read_reply(raw({"id": 1, "status": 429, "error": error})))

    assert (reply.code, reply.text, reply.retry_after_s) == (-1003, "no", None)
    assert codec.read_error(raw(error)).code == -1003


def test_no_refusal_names_more_than_the_longest_ban():
    data = msgspec.Raw(raw({"serverTime": 0, "retryAfter": 10**15}))

    assert counters.retry_after_of(codec.ErrorBody(-1003, "", data)) == counters.RETRY_AFTER_MAX_S


@asynccontextmanager
async def held_up(status):
    """An exchange that answers nothing until it is let; and 60 reads that are on their way."""
    came, may_answer, counted = [], asyncio.Event(), asyncio.Event()

    async def answer(_):
        came.append(1)
        if len(came) == READS_MAX:
            counted.set()
        await may_answer.wait()
        text = '{"code": -1003, "msg": "Too many requests."}'
        return web.Response(status=status, text=text, headers={"Retry-After": "600"})

    async with listening(answer) as port, desk(f"http://127.0.0.1:{port}", retry_attempts=0) as one:
        reading = [asyncio.ensure_future(one.asker.read(reads.server_time())) for _ in range(60)]
        await asyncio.wait_for(counted.wait(), PATIENCE_S)
        yield came, one.asker
        may_answer.set()
        await asyncio.wait_for(asyncio.gather(*reading), PATIENCE_S)


@pytest.mark.parametrize("status", [429, 418])
async def test_no_read_that_waits_for_its_turn_leaves_behind_a_refusal(status):
    async with held_up(status) as (came, _):
        pass

    assert len(came) == READS_MAX


async def test_what_waits_for_its_turn_has_taken_nothing_of_the_limits_yet():
    async with held_up(429) as (_, asker):
        now = asker.clock.now()
        assert asker.budget.used(now)[WEIGHT] == READS_MAX * reads.server_time().cost[0]
