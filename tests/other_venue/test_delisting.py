"""Contracts that stop trading at the other venue, while a session runs and before it starts."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from holdfast.model.errors import ConfigError, TradingError
from holdfast.model.values import MAIN, Symbol
from holdfast.venues.binance_futures import asking, contract_list, joining
from tests.other_venue.street import session, street

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
BOTH = (BTC, ETH)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(asking, "SECOND_LOOK_S", 0.05)
    monkeypatch.setattr(joining, "SECOND_LOOK_S", 0.05)
    monkeypatch.setattr(contract_list, "EVERY_S", 0.2)
    monkeypatch.setattr(contract_list, "OFF_EVERY_S", 0.2)


async def hold_both(one, market):
    await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
    await one.service.place_order(ETH, "BUY", "0.1", stop_loss="1900")
    await one.until(lambda: set(market.books()[1]) == set(BOTH))
    await one.agree()


def status_of(one, symbol):
    return one.state.instruments[MAIN, symbol].status


def relist(market, symbol, status):
    """Give a contract a status; None takes it off the list."""

    def change():
        contracts = market.venue.books.contracts
        if status is None:
            del contracts[symbol]
        else:
            contracts[symbol]["status"] = status

    market.call(change)


async def test_an_announced_end_stops_entries_a_day_ahead_and_nothing_else(tmp_path):
    with street() as market:
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await hold_both(one, market)
            end_ms = int((time.time() + 12 * 3600) * 1000)
            market.call(lambda: market.venue.books.contracts[ETH].update(ends=end_ms))
            await one.until(lambda: one.state.instruments[MAIN, ETH].delivery_ts)

            with pytest.raises(TradingError, match="settled by the venue at"):
                await one.service.place_order(ETH, "BUY", "0.2", stop_loss="1900")
            await one.service.place_order(BTC, "BUY", "0.02", stop_loss="49000")
            await one.service.close_position(ETH)
            await one.until(lambda: set(market.books()[1]) == {BTC})
            assert one.status == "RUNNING"


@pytest.mark.parametrize("status", ["SETTLING", "BREAK", "CLOSE", "PENDING_TRADING"])
async def test_a_start_goes_on_beside_a_contract_that_does_not_trade(tmp_path, status):
    with street() as market:
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await hold_both(one, market)
        relist(market, ETH, status)
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await one.agree()
            assert one.status == "RUNNING"
            assert status_of(one, ETH) == status
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            with pytest.raises(TradingError, match=status):
                await one.service.place_order(ETH, "BUY", "0.1")
            await one.agree()


async def test_a_start_goes_on_beside_a_contract_that_was_settled_and_is_gone(tmp_path):
    with street() as market:
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await hold_both(one, market)
        market.call(
            lambda: market.venue.books.taken_over(ETH, "settlement_autoclose-1", Decimal(1990))
        )
        relist(market, ETH, None)
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await one.until(lambda: not one.state.position((MAIN, ETH)).qty)
            await one.agree()
            assert one.status == "RUNNING"
            assert not one.state.differences


async def test_a_symbol_that_was_never_known_still_ends_a_start(tmp_path):
    with street() as market, pytest.raises(ConfigError, match="NOPEUSDT is not listed"):
        async with session(tmp_path, market, symbols=(BTC, Symbol("NOPEUSDT"))):
            pass


async def test_a_contract_that_is_halted_and_resumed_while_the_session_runs(tmp_path):
    with street() as market:
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await hold_both(one, market)
            relist(market, ETH, "BREAK")
            await one.until(lambda: status_of(one, ETH) == "BREAK")
            relist(market, ETH, "TRADING")
            await one.until(lambda: status_of(one, ETH) == "TRADING")
            await one.service.place_order(ETH, "BUY", "0.2", stop_loss="1900")
            await one.agree()


async def test_a_contract_that_is_settled_and_unlisted_while_the_session_runs(tmp_path):
    with street() as market:
        async with session(tmp_path, market, symbols=BOTH, disabled=("correlation",)) as one:
            await hold_both(one, market)

            def settle():
                market.venue.books.taken_over(ETH, "settlement_autoclose-1", Decimal(1990))
                del market.venue.books.contracts[ETH]

            market.call(settle)
            await one.until(lambda: status_of(one, ETH) == "UNLISTED")
            await one.agree()
            assert not one.state.position((MAIN, ETH)).qty
            assert not one.state.differences
            assert one.status == "RUNNING"
