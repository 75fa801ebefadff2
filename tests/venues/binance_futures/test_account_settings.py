"""What somebody else sets at the exchange while we trade is noticed, and seen to."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.exchange import PositionSide
from holdfast.exchange_server.app import METHODS
from holdfast.exchange_server.methods import RequestContext
from holdfast.exchange_server.params import Params
from holdfast.model.errors import VenueRefused
from holdfast.model.messages import (
    AccountMode,
    ExecType,
    InstrumentListed,
    IsolatedWallets,
    MarginCalled,
    MarginModeSet,
    VenueLink,
)
from holdfast.model.values import NS_PER_S, OrderStatus, OrderType
from holdfast.venues.binance_futures import account_settings, asking
from holdfast.venues.binance_futures.counters import LIMITS
from holdfast.venues.binance_futures.joining import HEDGED, MULTI_ASSETS
from holdfast.venues.limits import IN_USE, KEPT_FREE, Urgency
from tests.venues.binance_futures.adapter_desk import BTC, market_order, order, submit
from tests.venues.binance_futures.adapter_exchange import ACCOUNT, amount, joined, town

ENTRY = "hf.1.1.0.E.x"


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Nobody is to wait for a look."""
    monkeypatch.setattr(account_settings, "LOOK_LEAST_S", 0.02)


def limit_order(name):
    return order(name, OrderType.LIMIT, price=amount("49000"))


def looking_often(monkeypatch):
    monkeypatch.setattr(account_settings, "LOOK_EVERY_S", 0.05)


def is_told(kind, **fields):
    def fits(message):
        return isinstance(message, kind) and all(
            getattr(message, key) == value for key, value in fields.items()
        )

    return fits


def isolate(one, *, is_isolated=True):
    assert one.core.set_margin_type(ACCOUNT, BTC, is_isolated=is_isolated) is None


async def test_a_symbol_that_somebody_isolates_is_set_back_and_told_of():
    async with town() as one, joined(one):
        isolate(one)

        told = await one.has(is_told(MarginModeSet, symbol=BTC))
        assert told.text == "BTCUSDT was set to isolated margin, and has been set back"
        assert not one.core.exchange.is_isolated(ACCOUNT, BTC)


async def test_a_symbol_that_somebody_sets_to_cross_is_isolated_again():
    async with town() as one, joined(one, is_isolated=True):
        assert one.core.exchange.is_isolated(ACCOUNT, BTC)
        isolate(one, is_isolated=False)

        told = await one.has(is_told(MarginModeSet, symbol=BTC))
        assert told.text == "BTCUSDT was set to cross margin, and has been set back"
        assert one.core.exchange.is_isolated(ACCOUNT, BTC)


async def test_a_margin_mode_that_can_not_be_set_back_is_told_of_once(monkeypatch):
    async with town() as one:
        one.goes_wrong("drop_frame", "ACCOUNT_UPDATE")  # nobody hears of the change
        async with joined(one) as venue:
            isolate(one)
            venue.submit(submit(limit_order(ENTRY)))
            await one.report(ENTRY, exec_type=ExecType.NEW)
            looking_often(monkeypatch)
            venue._account_settings.want()

            told = await one.has(is_told(MarginModeSet))
            assert "which is gone by: POST /fapi/v1/marginType" in told.text
            assert "open orders" in told.text
            rounds = one.core.now() + 300_000_000
            await one.until(lambda: one.core.now() > rounds)
            assert len([m for m in one.heard if isinstance(m, MarginModeSet)]) == 1


async def test_a_margin_mode_is_told_of_though_setting_it_back_was_not_answered_at_first(
    monkeypatch,
):
    """The try that met an overload counted as one that was told of."""
    async with town() as one:
        one.goes_wrong("drop_frame", "ACCOUNT_UPDATE")
        async with joined(one, retry_attempts=0) as venue:
            isolate(one)
            venue.submit(submit(limit_order(ENTRY)))
            await one.report(ENTRY, exec_type=ExecType.NEW)
            one.goes_wrong("service_unavailable", on="POST /fapi/v1/marginType", count=3)
            looking_often(monkeypatch)
            venue._account_settings.want()

            told = await one.has(is_told(MarginModeSet))
            assert "which is gone by: POST /fapi/v1/marginType" in told.text


async def test_what_stands_for_an_isolated_position_is_told_with_every_move():
    async with town() as one, joined(one, is_isolated=True) as venue:
        venue.submit(submit(market_order(ENTRY)))
        await one.report(ENTRY, exec_type=ExecType.TRADE)
        opened = await one.has(is_told(IsolatedWallets))
        assert list(opened.wallets) == [BTC]
        assert opened.qtys == {BTC: one.core.exchange.positions(ACCOUNT)[0].qty}
        wallet = opened.wallets[BTC]
        assert wallet > 0

        assert one.core.move_margin(ACCOUNT, BTC, PositionSide.BOTH, amount("25")) is None
        await one.has(is_told(IsolatedWallets, wallets={BTC: wallet + 25}))
        [held] = (await one.snapshot(venue)).positions
        assert held.isolated_wallet == wallet + 25


async def test_a_margin_call_is_passed_on():
    async with town() as one, joined(one, is_isolated=True) as venue:
        venue.submit(submit(market_order(ENTRY)))
        await one.report(ENTRY, exec_type=ExecType.TRADE)
        one.price(45_215.0)

        await one.has(is_told(MarginCalled, symbols=(BTC,)))


async def test_moving_margin_is_no_money_that_came_or_went(caplog):
    async with town() as one, joined(one, is_isolated=True) as venue:
        venue.submit(submit(market_order(ENTRY)))
        await one.report(ENTRY, exec_type=ExecType.TRADE)
        before = await one.snapshot(venue)
        assert one.core.move_margin(ACCOUNT, BTC, PositionSide.BOTH, amount("25")) is None
        await one.has(lambda m: isinstance(m, IsolatedWallets) and m.wallets[BTC] > 25)

        assert venue._books.awaits == ""
        after = await one.snapshot(venue)
        assert (after.balances, after.changes) == (before.balances, before.changes)


async def test_a_leverage_that_was_set_while_nobody_listened_is_read():
    async with town() as one:
        one.goes_wrong("drop_frame", "ACCOUNT_CONFIG_UPDATE")
        async with joined(one) as venue:
            assert one.core.set_leverage(ACCOUNT, BTC, 3) is None
            one.goes_wrong("disconnect")
            venue.submit(submit(limit_order(ENTRY)))
            await one.has(is_told(VenueLink, is_up=True))

            await one.has(is_told(InstrumentListed, leverage=3))


async def test_hedge_mode_is_told_of_when_an_order_is_refused_for_it_and_when_it_is_left(
    monkeypatch,
):
    async with town() as one, joined(one) as venue:
        assert one.core.set_position_mode(ACCOUNT, is_hedged=True) is None
        venue.submit(submit(market_order(ENTRY)))
        await one.report(ENTRY, exec_type=ExecType.REJECTED)
        told = await one.has(is_told(AccountMode))
        assert told.problem.startswith("the account is in hedge mode")

        assert one.core.set_position_mode(ACCOUNT, is_hedged=False) is None
        looking_often(monkeypatch)
        venue._account_settings.want()
        await one.has(is_told(AccountMode, problem=""))


async def test_hedge_mode_is_left_where_that_is_asked_for():
    async with town() as one, joined(one, switch_to_one_way=True) as venue:
        assert one.core.set_position_mode(ACCOUNT, is_hedged=True) is None
        venue._account_settings.want()

        await one.until(lambda: not one.core.exchange.is_hedged(ACCOUNT))
        assert not [m for m in one.heard if isinstance(m, AccountMode)]


async def test_multi_assets_mode_is_told_of_at_once_and_when_it_is_left():
    async with town() as one, joined(one):
        assert one.core.set_asset_mode(ACCOUNT, is_multi_assets=True) is None
        told = await one.has(is_told(AccountMode))
        assert told.problem.startswith("the account is in multi-assets mode")

        assert one.core.set_asset_mode(ACCOUNT, is_multi_assets=False) is None
        await one.has(is_told(AccountMode, problem=""))


async def test_an_account_in_multi_assets_mode_is_not_joined():
    async with town() as one:
        assert one.core.set_asset_mode(ACCOUNT, is_multi_assets=True) is None
        with pytest.raises(VenueRefused, match=r"multi-assets mode; single-asset mode is needed"):
            async with joined(one):
                pass


async def test_a_start_goes_by_a_margin_mode_that_a_position_holds_up():
    async with town() as one:
        async with joined(one, is_isolated=True) as venue:
            venue.submit(submit(market_order(ENTRY)))
            await one.report(ENTRY, exec_type=ExecType.TRADE)

        async with joined(one) as venue:
            [held] = (await one.snapshot(venue)).positions
            assert held.isolated_wallet > 0


async def test_a_start_goes_by_a_leverage_that_a_position_is_too_large_for():
    """The position was left to nobody for as long as the settings wished for more leverage."""
    async with town(balance=amount("1000000")) as one:
        one.price(50_000.0, qty=1000.0)
        async with joined(one, leverage=10) as venue:
            venue.submit(submit(market_order(ENTRY, qty="20")))
            await one.report(ENTRY, status=OrderStatus.FILLED)

        async with joined(one, leverage=125):
            assert one.contracts[0][1] == 10


async def test_what_was_set_while_a_session_began_comes_with_the_first_books():
    """It lists the contracts that `connect` returned, behind what the stream told meanwhile."""
    async with town() as one, joined(one) as venue:
        assert one.core.set_leverage(ACCOUNT, BTC, 3) is None
        await one.has(is_told(InstrumentListed, leverage=3))
        one.heard.clear()

        await one.snapshot(venue)
        await one.snapshot(venue)

        assert [m.leverage for m in one.heard if isinstance(m, InstrumentListed)] == [3]


def trailing(one, monkeypatch, path, for_s):
    """Let answers be what they are now for so long."""
    place = ("GET", path)
    real, until = METHODS[place], one.core.now() + int(for_s * NS_PER_S)
    old = real.handler(RequestContext(one.core, ACCOUNT, one.core.now()), Params({}))

    def handler(ctx, params):
        return old if one.core.now() < until else real.handler(ctx, params)

    monkeypatch.setitem(METHODS, place, real._replace(handler=handler))


async def test_an_asset_mode_that_the_stream_told_is_not_taken_back_by_an_older_look(monkeypatch):
    """What opens next was refused by the venue for up to a minute, its stops with it."""
    async with town() as one, joined(one, read_lag_ns=NS_PER_S):
        trailing(one, monkeypatch, "/fapi/v1/accountConfig", 0.5)
        assert one.core.set_asset_mode(ACCOUNT, is_multi_assets=True) is None
        await one.has(is_told(AccountMode, problem=MULTI_ASSETS))
        past = one.core.now() + NS_PER_S
        await one.until(lambda: one.core.now() > past)
        modes = [m.problem for m in one.heard if isinstance(m, AccountMode)]
        assert modes == [MULTI_ASSETS]


async def test_an_asset_mode_that_the_stream_told_left_is_not_told_again_by_an_older_look(
    monkeypatch,
):
    async with town() as one, joined(one, read_lag_ns=NS_PER_S):
        assert one.core.set_asset_mode(ACCOUNT, is_multi_assets=True) is None
        await one.has(is_told(AccountMode, problem=MULTI_ASSETS))
        trailing(one, monkeypatch, "/fapi/v1/accountConfig", 0.5)
        assert one.core.set_asset_mode(ACCOUNT, is_multi_assets=False) is None

        await one.has(is_told(AccountMode, problem=""), patience_s=0.4)


async def test_a_leverage_that_the_stream_told_is_not_set_back_by_an_older_look(monkeypatch):
    async with town() as one, joined(one, read_lag_ns=NS_PER_S) as venue:
        trailing(one, monkeypatch, "/fapi/v1/symbolConfig", 0.5)
        one.heard.clear()
        assert one.core.set_leverage(ACCOUNT, BTC, 3) is None
        await one.has(is_told(InstrumentListed, leverage=3))
        venue._account_settings.want()
        past = one.core.now() + 2 * NS_PER_S
        await one.until(lambda: one.core.now() > past)

        assert {m.leverage for m in one.heard if isinstance(m, InstrumentListed)} == {3}


async def test_a_margin_mode_that_the_stream_told_is_looked_at_until_reads_can_show_it(monkeypatch):
    """The one look came too early, and the next one a minute later."""
    async with town() as one, joined(one, read_lag_ns=NS_PER_S):
        trailing(one, monkeypatch, "/fapi/v1/symbolConfig", 0.5)
        isolate(one)

        await one.has(is_told(MarginModeSet, symbol=BTC))
        assert not one.core.exchange.is_isolated(ACCOUNT, BTC)


async def test_a_leverage_that_came_while_contracts_were_read_stays():
    async with town() as one, joined(one) as venue:
        one.goes_wrong("delay_answer", on="GET /fapi/v1/leverageBracket", delay_ms=700)
        reading = asyncio.create_task(venue._contracts.refresh())
        await one.until(lambda: one.core.faults.account_for()[0]["fired"])
        assert one.core.set_leverage(ACCOUNT, BTC, 3) is None
        await one.has(is_told(InstrumentListed, leverage=3))
        one.heard.clear()
        await reading

        assert [m.leverage for m in one.heard if isinstance(m, InstrumentListed)] == [3]
        assert venue._contracts.leverage(BTC) == 3


async def test_settings_are_read_though_audits_leave_no_room_for_looks(monkeypatch):
    """A look that found none goes before the audits that have taken it."""
    monkeypatch.setattr(asking, "ROOM_PATIENCE_NS", 50_000_000)
    async with town() as one, joined(one) as venue:
        budget, now = venue._asker.budget, venue._asker.clock.now()
        weight = round(LIMITS[0].amount * IN_USE * (1 - KEPT_FREE[Urgency.AUDIT]))
        budget.hear_count(0, weight, now)
        assert not budget.fits((5, 0, 0), Urgency.AUDIT, now)
        assert one.core.set_position_mode(ACCOUNT, is_hedged=True) is None
        looking_often(monkeypatch)
        venue._account_settings.want()

        await one.has(is_told(AccountMode, problem=HEDGED))
        assert one.core.set_position_mode(ACCOUNT, is_hedged=False) is None
        isolate(one)
        await one.has(is_told(MarginModeSet, symbol=BTC))
        assert not one.core.exchange.is_isolated(ACCOUNT, BTC)


async def test_a_look_that_was_answered_leaves_the_next_its_place_behind_orders(monkeypatch):
    async with town() as one, joined(one) as venue:
        asked: list = []
        plain = venue._asker.read

        async def read(call, **more):
            asked.append(more["urgency"])
            return await plain(call, **more)

        monkeypatch.setattr(venue._asker, "read", read)
        venue._account_settings._is_behind = True
        await venue._account_settings.look()
        await venue._account_settings.look()

        assert asked == [Urgency.TRADE] * 2 + [Urgency.AUDIT] * 2


async def test_contracts_are_read_though_nothing_is_left_for_questions():
    async with town() as one, joined(one) as venue:
        budget, now = venue._asker.budget, venue._asker.clock.now()
        weight = round(LIMITS[0].amount * IN_USE * (1 - KEPT_FREE[Urgency.READ]))
        budget.hear_count(0, weight, now)
        assert not budget.fits((5, 0, 0), Urgency.READ, now)
        before = len([m for m in one.heard if isinstance(m, InstrumentListed)])

        async with asyncio.timeout(10):
            await venue._contracts.refresh()

        assert len([m for m in one.heard if isinstance(m, InstrumentListed)]) > before
