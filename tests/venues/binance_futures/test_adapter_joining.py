"""What is asked of an account before it is traded, and how its books are read page by page."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from typing import Any

import pytest

from holdfast.model.errors import NetworkError, VenueError, VenueRefused, VenueUnavailable
from holdfast.model.instrument import UNLISTED
from holdfast.model.values import MAIN, NS_PER_MS, Symbol
from holdfast.venues.binance_futures import asking, codec, joining, snapshot
from holdfast.venues.binance_futures.asking import Answered
from holdfast.venues.binance_futures.clock_offset import ClockOffset
from holdfast.venues.binance_futures.codec import OrderNames, reads
from holdfast.venues.binance_futures.contract_list import ContractList
from holdfast.venues.binance_futures.outcomes import Ask, classify
from holdfast.venues.binance_futures.permissions import check_permissions
from holdfast.venues.binance_futures.rest import Reply
from holdfast.venues.binance_futures.settings import (
    MAINNET,
    READ_LAG_NS,
    TESTNET,
    BinanceSettings,
    endpoints,
)
from holdfast.venues.binance_futures.snapshot import Books
from tests.venues.binance_futures.adapter_desk import BTC, ack, desk, scripted
from tests.venues.binance_futures.test_contracts import FILTERS, info, symbol

CONFIG = "GET__/fapi/v1/accountConfig"
GOOD = {"dualSidePosition": False, "multiAssetsMargin": False, "canTrade": True}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(asking, "backoff_ns", lambda first, attempt, random: 2 * NS_PER_MS)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"dualSidePosition": True}, "hedge mode"),
        ({"multiAssetsMargin": True}, "multi-assets"),
        ({"multiAssetsMargin": True}, "BNFCR"),  # accounts in the EU have no other mode
        ({"canTrade": False}, "may not trade"),
    ],
)
async def test_account_that_is_set_otherwise_is_refused(setting, text):
    async with scripted(**{CONFIG: [(200, GOOD | setting)]}) as server, desk(server.url) as one:
        with pytest.raises(VenueRefused, match=text):
            await joining.check_account(one.asker)


async def test_account_that_is_set_as_needed_is_taken():
    async with scripted(**{CONFIG: [(200, GOOD)]}) as server, desk(server.url) as one:
        await joining.check_account(one.asker)


async def test_locked_out_key_is_refused_and_an_overload_is_a_network_error():
    locked = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})
    async with scripted(**{CONFIG: [locked]}) as server, desk(server.url) as one:
        with pytest.raises(VenueRefused, match="API key"):
            await joining.check_account(one.asker)
    busy = (503, "Service Unavailable.")
    async with scripted(**{CONFIG: [busy]}) as server, desk(server.url) as one:
        with pytest.raises(NetworkError):
            await joining.check_account(one.asker)


class Late:
    """A clock that is some time behind or ahead."""

    def __init__(self, clock, off_ns):
        self._clock, self._off = clock, off_ns

    def now(self):
        return self._clock.now() + self._off

    def advance(self, ts):
        pass


@pytest.mark.parametrize(("off_s", "text"), [(3, "ahead of"), (-3, "behind")])
async def test_clock_that_is_seconds_off_is_refused(off_s, text):
    async with scripted() as server, desk(server.url) as one:
        one.asker.clock = Late(one.clock, off_s * 10**9)
        with pytest.raises(VenueRefused, match=rf"3\.. s {text}"):
            await joining.check_clock(one.asker)


async def test_small_offset_is_measured_and_used_for_questions():
    async with scripted(**{CONFIG: [(200, GOOD)]}) as server, desk(server.url) as one:
        one.asker.clock = Late(one.clock, -500 * NS_PER_MS)
        await joining.check_clock(one.asker)
        await joining.check_account(one.asker)

        stamped = int(server.requests[-1][2]["timestamp"]) * NS_PER_MS
        assert abs(stamped - one.clock.now()) < 200 * NS_PER_MS


def test_quickest_answer_decides_the_offset():
    offset = ClockOffset()
    offset.hear(0, 100 * NS_PER_MS, 1000)
    offset.hear(0, 10 * NS_PER_MS, 700)
    offset.hear(0, 500 * NS_PER_MS, 5000)

    assert offset.offset_ns == 695 * NS_PER_MS


@pytest.mark.parametrize("code", [-4046, -4059])
async def test_setting_that_is_so_already_is_success(code):
    config = [{"symbol": BTC, "leverage": 5, "marginType": "ISOLATED"}]
    places = {
        "GET__/fapi/v1/symbolConfig": [(200, config)],
        "POST__/fapi/v1/marginType": [(400, {"code": code, "msg": "No need to change."})],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        leverage = await joining._set_up(one.asker, BinanceSettings(leverage=5), BTC)

        assert leverage == 5
        assert server.requests[-1][2]["marginType"] == "CROSSED"


DUAL = "POST__/fapi/v1/positionSide/dual"


async def test_hedge_mode_is_left_where_that_is_asked_for():
    places = {
        CONFIG: [(200, GOOD | {"dualSidePosition": True})],
        DUAL: [(200, {"code": 200, "msg": "success"})],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        await joining.check_account(one.asker, switch_to_one_way=True)

        assert server.requests[-1][1:2] == ("/fapi/v1/positionSide/dual",)
        assert server.requests[-1][2]["dualSidePosition"] == "false"


@pytest.mark.parametrize(
    ("code", "way_out"), [(-4067, "cancel all orders"), (-4068, "close all pos"), (-4531, "coin")]
)
async def test_hedge_mode_that_can_not_be_left_says_what_to_do(code, way_out):
    places = {
        CONFIG: [(200, GOOD | {"dualSidePosition": True})],
        DUAL: [(400, {"code": code, "msg": "Position side cannot be changed."})],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        with pytest.raises(VenueRefused, match=way_out) as raised:
            await joining.check_account(one.asker, switch_to_one_way=True)

    assert raised.value.code == code


# What the key may do

RESTRICTIONS = "GET__/sapi/v1/account/apiRestrictions"
SAFE_KEY = {"ipRestrict": True, "enableWithdrawals": False, "enableFutures": True}


async def asked_of(answer, *, withdrawals_allowed=False):
    async with scripted(**{RESTRICTIONS: [answer]}) as server, desk(server.url) as one:
        await check_permissions(one.asker, withdrawals_allowed=withdrawals_allowed)
        assert "signature" in server.requests[0][2]


async def test_key_that_may_only_trade_from_one_place_is_taken_without_a_word(caplog):
    await asked_of((200, SAFE_KEY))

    assert not caplog.records


async def test_key_that_may_withdraw_is_refused_unless_told_otherwise(caplog):
    may_withdraw = (200, SAFE_KEY | {"enableWithdrawals": True})
    with pytest.raises(VenueRefused, match="may withdraw"):
        await asked_of(may_withdraw)
    await asked_of(may_withdraw, withdrawals_allowed=True)

    assert "can empty the account" in caplog.text


async def test_key_that_may_not_trade_futures_is_refused():
    with pytest.raises(VenueRefused, match="may not trade futures"):
        await asked_of((200, SAFE_KEY | {"enableFutures": False}))


async def test_key_that_works_from_anywhere_is_warned_of(caplog):
    await asked_of((200, SAFE_KEY | {"ipRestrict": False}))

    assert "from any address" in caplog.text


@pytest.mark.parametrize("answer", [(503, "Service Unavailable."), (200, "[]"), (200, "{")])
async def test_permissions_that_are_not_told_stop_a_start_unless_nobody_minds(answer, caplog):
    with pytest.raises(NetworkError):
        await asked_of(answer)
    await asked_of(answer, withdrawals_allowed=True)

    assert "not known" in caplog.text


def test_only_the_real_venue_is_asked_for_permissions():
    assert endpoints(testnet=False).permissions_url == "https://api.binance.com"
    assert endpoints(testnet=True).permissions_url == ""
    assert endpoints(testnet=False, rest_url="http://127.0.0.1:1").permissions_url == ""


# What a contract asks of orders


@pytest.mark.parametrize("odd", [{"filters": []}, {"marketTakeBound": "1e40"}])
async def test_filters_that_are_not_told_leave_those_that_are_known(odd):
    """It is asked in a task beside others, which end with it where it fails."""
    known = {BTC: (codec.instrument(codec.contract(info(symbol()), BTC)), 10)}
    told = {"rateLimits": [], "symbols": [symbol(**odd)]}
    script = {"GET__/fapi/v1/exchangeInfo": [(200, told)]}
    async with scripted(**script) as server, desk(server.url) as one:
        assert await joining.filters(one.asker, known) == []


async def test_contract_that_has_stopped_trading_is_told_once_two_looks_agree(monkeypatch):
    monkeypatch.setattr(joining, "SECOND_LOOK_S", 0.01)
    known = {BTC: (codec.instrument(codec.contract(info(symbol()), BTC)), 10)}
    halted = {"rateLimits": [], "symbols": [symbol(status="BREAK")]}
    fine = {"rateLimits": [], "symbols": [symbol()]}
    other = {"rateLimits": [], "symbols": [symbol(symbol="ETHUSDT")]}
    cases: list[tuple[list[object], list[str]]] = [
        ([halted, fine], []),
        ([halted, halted], ["BREAK"]),
        ([other, fine], []),
        ([other, other], ["UNLISTED"]),
        ([{"symbols": []}], []),
    ]
    for looks, found in cases:
        script = {"GET__/fapi/v1/exchangeInfo": [(200, each) for each in looks]}
        async with scripted(**script) as server, desk(server.url) as one:
            listed = await joining.filters(one.asker, known)
            assert [made.status for made, _ in listed if made.status != "TRADING"] == found


ETH = Symbol("ETHUSDT")


def contract_of(name):
    return codec.instrument(codec.contract(info(symbol(symbol=name)), name))


def listing(tick="0.10", **fields):
    """The venue's list, where ETH is as it is told, or is not."""
    rules: list[Any] = [*FILTERS]
    rules[0] = rules[0] | {"tickSize": tick}
    other = (
        [] if fields.get("status") == UNLISTED else [symbol(symbol=ETH, filters=rules, **fields)]
    )
    return (200, {"rateLimits": [], "symbols": [symbol(), *other]})


@asynccontextmanager
async def followed(monkeypatch, *looks, known=None):
    """A start that trades BTC beside what it has traded before; give what is known behind it."""
    monkeypatch.setattr(joining, "SECOND_LOOK_S", 0.01)
    script = {
        "GET__/fapi/v1/exchangeInfo": list(looks),
        "GET__/fapi/v1/leverageBracket": [(200, [])],
        "GET__/fapi/v1/fundingInfo": [(200, [])],
        "GET__/fapi/v1/commissionRate": [
            (200, {"symbol": BTC, "makerCommissionRate": "0", "takerCommissionRate": "0"})
        ],
        "GET__/fapi/v1/symbolConfig": [
            (200, [{"symbol": BTC, "marginType": "CROSSED", "leverage": 10}])
        ],
    }
    before = {BTC: contract_of(BTC), ETH: known or contract_of(ETH)}
    async with scripted(**script) as server, desk(server.url) as one:
        one.told = []
        one.list = ContractList(one.asker, lambda *listed: one.told.append(listed))
        settings = BinanceSettings(leverage=10)
        one.list.begin(await joining.contracts(one.asker, settings, (BTC,), before))
        one.looks = [path for _, path, _ in server.requests].count("/fapi/v1/exchangeInfo")
        yield one


def ticks(one):
    return sorted((made.symbol, str(made.tick), leverage) for made, leverage in one.told)


async def test_contract_that_is_traded_no_more_is_followed_and_its_leverage_left_alone(monkeypatch):
    """Something may be held there still, whose stops go by its filters."""
    async with followed(monkeypatch, listing("0.02"), listing("0.05")) as one:
        assert (one.looks, one.told) == (1, [])
        one.list.tell_all()
        assert ticks(one) == [(BTC, "0.10", 10), (ETH, "0.02", 0)]
        one.told.clear()
        await one.list.refresh()

    assert ticks(one) == [(BTC, "0.10", 10), (ETH, "0.05", 0)]
    assert one.list.symbols == {BTC}
    assert not one.list.unlisted


@pytest.mark.parametrize("status", [UNLISTED, "SETTLING"])
async def test_that_one_of_those_has_stopped_trading_is_believed_when_two_looks_agree(
    monkeypatch, status
):
    """Where it is off the list its lists are not asked for by name: the venue would refuse them."""
    for again, found in ((listing(status=status), status), (listing(), "TRADING")):
        async with followed(monkeypatch, listing(status=status), again) as one:
            one.list.tell_all()

        assert one.looks == 2
        assert {made.symbol: made.status for made, _ in one.told} == {BTC: "TRADING", ETH: found}
        assert one.list.unlisted == ({ETH} if found == UNLISTED else set())


async def test_one_that_is_known_to_be_off_the_list_holds_up_no_start(monkeypatch):
    gone = joining.unlisted(contract_of(ETH))
    async with followed(monkeypatch, listing(status=UNLISTED), known=gone) as one:
        assert (one.looks, one.list.unlisted) == (1, {ETH})


@pytest.mark.parametrize("odd", [{"marketTakeBound": "1e40"}, {"pricePrecision": "x"}])
async def test_an_odd_row_of_one_of_those_ends_no_start(monkeypatch, odd):
    async with followed(monkeypatch, listing("0.02", **odd)) as one:
        one.list.tell_all()

    assert ticks(one) == [(BTC, "0.10", 10), (ETH, "0.10", 0)]


# What a symbol is set to


async def set_up(config, *, leverage=10, is_isolated=False, **places):
    script = {"GET__/fapi/v1/symbolConfig": [(200, [config])], **places}
    async with scripted(**script) as server, desk(server.url) as one:
        settings = BinanceSettings(leverage=leverage, is_isolated=is_isolated)
        found = await joining._set_up(one.asker, settings, BTC)
        return found, [(verb, path) for verb, path, _ in server.requests]


CROSSED_10 = {"symbol": BTC, "leverage": 10, "marginType": "CROSSED"}
LEVERAGE = "POST__/fapi/v1/leverage"


async def test_symbol_that_is_set_as_configured_is_left_alone():
    assert await set_up(CROSSED_10) == (10, [("GET", "/fapi/v1/symbolConfig")])


async def test_leverage_is_set_and_what_the_venue_set_is_believed():
    told = {"leverage": 20, "maxNotionalValue": "1", "symbol": BTC}
    leverage, asked = await set_up(CROSSED_10, leverage=20, **{LEVERAGE: [(200, told)]})

    assert leverage == 20
    assert asked[-1] == ("POST", "/fapi/v1/leverage")


async def test_leverage_that_the_venue_sets_otherwise_is_refused():
    told = {"leverage": 15, "maxNotionalValue": "1", "symbol": BTC}
    places = {LEVERAGE: [(200, told)], POSITIONS: [(200, [])]}
    with pytest.raises(VenueRefused, match="20 was asked for, the venue set 15"):
        await set_up(CROSSED_10, leverage=20, **places)


async def test_leverage_that_the_venue_sets_otherwise_where_something_is_open_is_gone_by(caplog):
    told = {"leverage": 15, "maxNotionalValue": "1", "symbol": BTC}
    listed = (200, [{"symbol": BTC, "positionAmt": "0.5"}])
    places = {LEVERAGE: [(200, told)], POSITIONS: [listed]}
    leverage, _ = await set_up(CROSSED_10, leverage=20, **places)

    assert leverage == 15
    assert "BTCUSDT: leverage 20 was asked for, the venue set 15" in caplog.text


async def test_leverage_that_is_declined_says_what_to_do():
    declined = (400, {"code": -4028, "msg": "Leverage is not valid."})
    with pytest.raises(VenueRefused, match="allow"):
        await set_up(CROSSED_10, leverage=5, **{LEVERAGE: [declined], POSITIONS: [(200, [])]})


POSITIONS = "GET__/fapi/v3/positionRisk"
NOT_ALLOWED = (-4028, -4202, -4203, -4205, -4206, -4208, -4209, -4403)
"""The symbol, the place or the person has no such leverage: whether something is open or not."""


@pytest.mark.parametrize("code", NOT_ALLOWED)
@pytest.mark.parametrize("amount", ["0.5", "0"], ids=["position", "order"])
async def test_leverage_that_is_declined_where_something_is_open_is_gone_by(code, amount, caplog):
    declined = (400, {"code": code, "msg": "Leverage is not valid."})
    listed = (200, [{"symbol": BTC, "positionAmt": amount}])
    places = {LEVERAGE: [declined], POSITIONS: [listed]}
    leverage, _ = await set_up(CROSSED_10, leverage=5, **places)

    assert leverage == 10
    assert "BTCUSDT: leverage 5 is wanted, but what is open holds it at 10" in caplog.text


@pytest.mark.parametrize("code", NOT_ALLOWED)
@pytest.mark.parametrize("rows", [[], [{"symbol": "ETHUSDT", "positionAmt": "1"}]])
async def test_leverage_that_is_declined_where_nothing_is_open_is_refused(code, rows):
    declined = (400, {"code": code, "msg": "Leverage is not valid."})
    places = {LEVERAGE: [declined], POSITIONS: [(200, rows)]}
    with pytest.raises(VenueRefused, match="Leverage is not valid"):
        await set_up(CROSSED_10, leverage=5, **places)


@pytest.mark.parametrize("code", [-2027, -2028, -4161])
async def test_leverage_that_a_position_holds_up_is_gone_by_and_told(code, caplog):
    declined = (400, {"code": code, "msg": "Leverage is smaller than permitted."})
    leverage, _ = await set_up(CROSSED_10, leverage=5, **{LEVERAGE: [declined]})

    assert leverage == 10
    assert "BTCUSDT: leverage 5 is wanted, but what is open holds it at 10" in caplog.text


MARGIN_TYPE = "POST__/fapi/v1/marginType"
ISOLATED_10 = CROSSED_10 | {"marginType": "ISOLATED"}


@pytest.mark.parametrize("code", [-4047, -4048])
@pytest.mark.parametrize(("config", "is_isolated"), [(CROSSED_10, True), (ISOLATED_10, False)])
async def test_margin_mode_that_something_open_holds_up_is_gone_by_and_told(
    code, config, is_isolated, caplog
):
    declined = (400, {"code": code, "msg": "Margin type cannot be changed."})
    places = {MARGIN_TYPE: [declined]}

    assert (await set_up(config, is_isolated=is_isolated, **places))[0] == 10
    assert "BTCUSDT: its margin mode is held up by what is open, and gone by" in caplog.text


async def test_margin_mode_that_can_not_be_changed_at_all_is_refused():
    declined = (400, {"code": -4168, "msg": "Unable to adjust to isolated-margin mode."})
    with pytest.raises(VenueRefused, match="Unable to adjust"):
        await set_up(CROSSED_10, is_isolated=True, **{MARGIN_TYPE: [declined]})


def test_one_host_serves_all_three_doors_and_each_may_be_named():
    here = endpoints(testnet=True, rest_url="http://127.0.0.1:9")
    named = endpoints(testnet=False, stream_url="ws://x/")

    assert here.stream_url == "ws://127.0.0.1:9"
    assert here.ws_api_url == "ws://127.0.0.1:9/ws-fapi/v1"
    assert (named.rest_url, named.stream_url) == (MAINNET.rest_url, "ws://x")
    assert endpoints(testnet=True) == TESTNET


# Reading books page by page


def trade(number, order_id=77, age_s=None):
    """Return an execution's row; of long ago where no age is given."""
    ago = 1_700_000_000_000 if age_s is None else time.time_ns() // NS_PER_MS - int(age_s * 1000)
    return {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": order_id,
        "side": "BUY",
        "price": "1",
        "qty": "1",
        "time": ago + number,
    }


def books_of(one):
    return Books(one.asker, OrderNames(), MAIN, READ_LAG_NS)


async def test_full_page_of_executions_is_followed_by_the_next_ones(monkeypatch):
    monkeypatch.setattr(reads, "ROWS_MAX", 2)
    first, earlier = (200, [trade(1), trade(2)]), (200, [trade(1)])
    pages = [first, earlier, (200, [trade(3), trade(4)]), (200, [trade(5)])]
    places = {
        "GET__/fapi/v1/userTrades": pages,
        "GET__/fapi/v1/allOrders": [(200, [ack("hf.1.1.0.E.x")])],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        since = one.clock.now() - 10**9
        found, _ = await books_of(one)._trades((BTC,), since)

        assert [each.trade_id for each in found] == ["1", "2", "3", "4", "5"]
        assert {each.cl_ord_id for each in found} == {"hf.1.1.0.E.x"}
        asked = [p.get("fromId") for _, path, p in server.requests if path.endswith("userTrades")]
        assert asked == [None, None, "3", "5"]


async def test_long_time_is_asked_for_in_spans_that_the_venue_takes():
    places: dict[str, list] = {"GET__/fapi/v1/userTrades": [(200, [])]}
    async with scripted(**places) as server, desk(server.url) as one:
        await books_of(one)._trades((BTC,), one.clock.now() - 3 * snapshot.SPAN_NS)

    spans = [(int(p["startTime"]), int(p["endTime"])) for _, _, p in server.requests]
    assert len(spans) == 4
    assert all(until - start <= 7 * 86_400_000 for start, until in spans)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))


async def test_execution_of_an_order_that_nobody_can_name_is_called_by_the_venues_id():
    places = {
        "GET__/fapi/v1/userTrades": [(200, [trade(1, 5)])],
        "GET__/fapi/v1/allOrders": [(200, [])],
        "GET__/fapi/v1/order": [(400, {"code": -2013, "msg": "Order does not exist."})],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        ((found,), _) = await books_of(one)._trades((BTC,), one.clock.now() - 10**9)

        assert found.cl_ord_id == "order-5"


async def test_liquidation_that_the_list_of_orders_leaves_out_is_known_by_its_name():
    forced = [{**ack("autoclose-77"), "orderId": 5, "status": "FILLED", "symbol": "BTCUSDT"}]
    places = {
        "GET__/fapi/v1/userTrades": [(200, [trade(1, 5)])],
        "GET__/fapi/v1/allOrders": [(200, [])],
        "GET__/fapi/v1/order": [NOT_THERE],
        "GET__/fapi/v1/forceOrders": [(200, forced)],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        ((found,), _) = await books_of(one)._trades((BTC,), one.clock.now() - 10**9)

        assert found.cl_ord_id == "autoclose-77"


async def test_executions_are_asked_for_wherever_the_income_list_names_fills():
    """Somebody closed what he held elsewhere while nobody listened: it is not among what is held."""

    def row(kind, symbol):
        return {
            "symbol": symbol, "incomeType": kind, "income": "1", "asset": "USDT",
            "time": 9_000_000_000_000, "tranId": 1,
        }  # fmt: skip

    income = [row("COMMISSION", "DOGEUSDT"), row("FUNDING_FEE", "XRPUSDT"), row("TRANSFER", "")]
    nothing: dict[str, list] = {
        f"GET__/fapi/{place}": [(200, [])]
        for place in ("v3/positionRisk", "v1/openOrders", "v1/openAlgoOrders", "v1/userTrades")
    }
    places = nothing | {
        "GET__/fapi/v3/account": [(200, {"assets": []})],
        "GET__/fapi/v1/income": [(200, income)],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        since = one.clock.now() - 10**9
        books = await books_of(one).read((BTC,), since)

        asked = [p["symbol"] for _, path, p in server.requests if path.endswith("userTrades")]
        assert sorted(asked) == ["BTCUSDT", "DOGEUSDT"]
        assert (books.trades_since, len(books.changes)) == (since, 2)


NOT_THERE = (400, {"code": -2013, "msg": "Order does not exist."})


async def told_of(rows, listed, asked):
    """Return how the executions in `rows` are told."""
    places = {
        "GET__/fapi/v1/userTrades": [(200, rows)],
        "GET__/fapi/v1/allOrders": listed,
        "GET__/fapi/v1/order": [asked],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        found, _ = await books_of(one)._trades((BTC,), one.clock.now() - 10**9)
        return [(each.cl_ord_id, each.trade_id) for each in found]


async def test_execution_whose_order_is_not_listed_yet_is_told_at_the_next_look():
    rows = [trade(1, 5), trade(2, 6, age_s=1)]

    assert await told_of(rows, [(200, [])], NOT_THERE) == [("order-5", "1")]


async def test_execution_whose_order_is_past_the_lag_and_not_there_is_told_by_its_number():
    rows = [trade(1, 5, age_s=READ_LAG_NS / 10**9 + 2)]

    assert await told_of(rows, [(200, [])], NOT_THERE) == [("order-5", "1")]


async def test_how_ill_the_venues_time_is_known_makes_an_execution_wait_longer():
    places = {
        "GET__/fapi/v1/userTrades": [(200, [trade(1, 5, age_s=READ_LAG_NS / 10**9 + 2)])],
        "GET__/fapi/v1/allOrders": [(200, [])],
        "GET__/fapi/v1/order": [NOT_THERE],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        one.asker.offset.error_ns = 10 * 10**9

        assert await books_of(one)._trades((BTC,), one.clock.now() - 10**9) == ((), True)


async def test_an_execution_waits_for_its_order_though_our_clock_was_stepped_since_it_was_measured():
    # By the time as it was measured, 0.95 s behind, it is older than the lag; it is 1.5 s old.
    places = {
        "GET__/fapi/v1/userTrades": [(200, [trade(1, 5, age_s=0.95 + 1.5)])],
        "GET__/fapi/v1/allOrders": [(200, [])],
        "GET__/fapi/v1/order": [NOT_THERE],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        one.asker.offset.offset_ns, one.asker.offset.error_ns = 950 * NS_PER_MS, 20 * NS_PER_MS

        assert await books_of(one)._trades((BTC,), one.clock.now() - 10**9) == ((), True)


async def test_books_say_since_when_they_are_sure_by_the_venues_clock():
    nothing: dict[str, list] = {
        f"GET__/fapi/{place}": [(200, [])]
        for place in ("v3/positionRisk", "v1/openOrders", "v1/openAlgoOrders", "v1/userTrades")
    }
    places = nothing | {
        "GET__/fapi/v3/account": [(200, {"assets": []})],
        "GET__/fapi/v1/income": [(200, [])],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        one.asker.offset.offset_ns, one.asker.offset.error_ns = 500 * NS_PER_MS, 20 * NS_PER_MS
        books = await books_of(one).read((BTC,), one.clock.now() - 10**9)

        assert books.sure_ts - books.asked_ts == 480 * NS_PER_MS


async def test_books_are_not_read_while_the_question_who_an_order_is_goes_unanswered():
    with pytest.raises(VenueUnavailable, match="/fapi/v1/order"):
        await told_of([trade(1, 5)], [(200, [])], (503, "Service Unavailable."))


async def test_orders_behind_executions_are_listed_page_by_page(monkeypatch):
    monkeypatch.setattr(reads, "ROWS_MAX", 2)
    listed = [
        (200, [ack("hf.1.1.0.E.x", orderId=3), ack("hf.1.2.0.E.x", orderId=8)]),
        (200, [ack("hf.1.3.0.E.x", orderId=9)]),
    ]
    pages = [[trade(1, 3), trade(2, 9)], []]
    places = {
        "GET__/fapi/v1/userTrades": [(200, page) for page in pages],
        "GET__/fapi/v1/allOrders": listed,
    }
    async with scripted(**places) as server, desk(server.url) as one:
        found, _ = await books_of(one)._trades((BTC,), one.clock.now() - 10**9)

        assert [each.cl_ord_id for each in found] == ["hf.1.1.0.E.x", "hf.1.3.0.E.x"]
        asked = [p["orderId"] for _, path, p in server.requests if path.endswith("allOrders")]
        assert asked == ["3", "9"]


async def test_pages_that_come_again_are_not_asked_for_on_and_on(monkeypatch):
    """Two hundred of them take half of a minute's weight."""
    monkeypatch.setattr(reads, "ROWS_MAX", 2)
    repeated = {"GET__/fapi/v1/userTrades": [(200, [trade(1, 9), trade(2, 9)])]}
    async with scripted(**repeated) as server, desk(server.url) as one:
        with pytest.raises(VenueUnavailable, match="comes again"):
            await books_of(one)._trades((BTC,), one.clock.now() - 10**9)
        assert len(server.requests) == 3

    named = [ack("hf.1.1.0.E.x", orderId=3), ack("hf.1.2.0.E.x", orderId=4)]
    places = {
        "GET__/fapi/v1/userTrades": [(200, [trade(1, 9)])],
        "GET__/fapi/v1/allOrders": [(200, named)],
        "GET__/fapi/v1/order": [(200, ack("hf.1.3.0.E.x", orderId=9))],
    }
    async with scripted(**places) as server, desk(server.url) as one:
        ((found,), _) = await books_of(one)._trades((BTC,), one.clock.now() - 10**9)
        assert found.cl_ord_id == "hf.1.3.0.E.x"
        assert len(server.requests) == 3


async def test_full_page_of_income_goes_on_at_its_last_rows_time(monkeypatch):
    monkeypatch.setattr(reads, "ROWS_MAX", 2)

    def row(number):
        return {
            "symbol": "", "incomeType": "TRANSFER", "income": str(number), "asset": "USDT",
            "time": 9_000_000_000_000 + number, "tranId": number,
        }  # fmt: skip

    pages = [(200, [row(1), row(2)]), (200, [row(2), row(3)]), (200, [row(3)])]
    async with scripted(**{"GET__/fapi/v1/income": pages}) as server, desk(server.url) as one:
        found = await books_of(one).changes(one.clock.now() - 10**9)

        assert [int(each.amount) for each in found] == [1, 2, 3]


async def test_full_page_of_one_millisecond_of_income_does_not_hide_what_follows(monkeypatch):
    """A market order that sweeps the book makes hundreds of rows at once."""
    monkeypatch.setattr(reads, "ROWS_MAX", 2)
    swept, later = 9_000_000_000_000, 9_000_000_000_001

    def row(number, time, kind):
        return {
            "symbol": "BTCUSDT", "incomeType": kind, "income": str(number), "asset": "USDT",
            "time": time, "tranId": number,
        }  # fmt: skip

    full = [row(1, swept, "COMMISSION"), row(2, swept, "REALIZED_PNL")]
    earlier = (200, full)  # nothing was left out before them
    pages = [(200, full), earlier, (200, full), (200, [row(3, later, "TRANSFER")])]
    async with scripted(**{"GET__/fapi/v1/income": pages}) as server, desk(server.url) as one:
        found = await books_of(one).changes(one.clock.now() - 10**9)
        starts = [int(query["startTime"]) for _, _, query in server.requests]

        assert [int(each.amount) for each in found] == [3]
        assert starts[2:] == [swept, later]


async def test_books_that_can_not_be_read_say_which_question_failed():
    refused = (400, {"code": -1130, "msg": "Data sent for parameter is not valid."})
    async with scripted(**{"GET__/fapi/v1/income": [refused]}) as server, desk(server.url) as one:
        with pytest.raises(VenueError, match="/fapi/v1/income"):
            await books_of(one).changes(one.clock.now() - 10**9)


def test_a_key_that_is_not_taken_may_be_a_portfolio_margin_account_s():
    text = "Invalid API-key, IP, or permissions for action"
    outcome = classify(Ask.QUERY, 401, -2015, text)
    told = str(joining.refusal(Answered(outcome, Reply(401, code=-2015), 0), reads.account()))

    assert text in told
    assert "portfolio margin" in told
