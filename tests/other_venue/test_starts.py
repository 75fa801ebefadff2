"""Starts at the other venue: of real processes, and with accounts that have a history."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal

import pytest

from holdfast.model.errors import VenueRefused
from tests.cli.desk import environment
from tests.other_venue.keys import KEY, SECRET
from tests.other_venue.orders import Position
from tests.other_venue.street import BTC, session, street

STRATEGY = '''"""Buy once, with a stop."""
from decimal import Decimal

from holdfast import SignalType, Strategy


class Once(Strategy):
    bought = False

    def on_trade(self, trade):
        if not self.bought:
            self.bought = True
            self.signal(SignalType.BUY, trade.symbol, quantity=Decimal("0.01"))
'''
PATIENCE_S = 40.0
ZERO = Decimal(0)


async def run(folder, market, *more, secret=SECRET):
    """Run `holdfast run` to its end; return exit code, document and what it complained of."""
    (folder / "once.py").write_text(STRATEGY)
    (folder / "holdfast.toml").write_text(
        f'symbols = "{BTC}"\nstrategies = ["once.py:Once"]\nleverage = 10\n'
        f'[venue]\nname = "binance_futures"\nrest_url = "{market.url}"\n'
    )
    words = ["run", "--for", "3s", "--json", "--no-report", *more]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", *words,
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**environment(), "BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": secret},
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    return process.returncode, json.loads(out or b"{}"), err.decode()


@pytest.mark.e2e
async def test_a_real_process_trades_and_its_books_are_the_venues(tmp_path):
    with street("gzip", "pings", "odd_contracts") as market:
        code, document, complaints = await run(tmp_path, market)

        assert (code, complaints) == (0, "")
        assert document["status"] == "STOPPED"
        assert (document["fills"], document["restarts"]) == (1, 0)
        assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}
        assert market.protected() == market.books()[1] == {BTC: Decimal("0.01")}
        assert len(market.ordinary()) == 1


def hedged(market):
    market.venue.books.is_hedged = True


def multi(market):
    market.venue.books.is_multi = True


def too_low(market):
    market.venue.habits.add("leverage_refused")


def late(market):
    market.venue.skew_ms = 7_000


def settling(market):
    market.venue.books.contracts[BTC]["status"] = "SETTLING"


REFUSALS = {
    "hedge mode": (hedged, 4, "the account is in hedge mode; one-way mode is needed"),
    "multi-assets": (multi, 4, "the account is in multi-assets mode; single-asset mode is needed"),
    "leverage": (too_low, 4, "the symbol does not allow so much"),
    "clock": (late, 4, "this machine's clock is 7.0 s behind the venue's"),
    "contract": (settling, 2, "BTCUSDT is not trading at the venue: it is SETTLING"),
}


@pytest.mark.e2e
@pytest.mark.parametrize("name", REFUSALS)
async def test_what_can_not_be_traded_is_refused_at_the_start_with_a_reason(tmp_path, name):
    spoil, code, reason = REFUSALS[name]
    with street() as market:
        market.call(lambda: spoil(market))
        got, _, complaints = await run(tmp_path, market)

        assert (got, market.ordinary()) == (code, [])
        assert reason in complaints


@pytest.mark.e2e
async def test_a_secret_that_is_not_the_keys_is_refused_at_the_start(tmp_path):
    with street() as market:
        code, _, complaints = await run(tmp_path, market, secret="another")

        assert code == 4
        assert "the venue does not accept the API key" in complaints
        assert "another" not in complaints


async def test_a_failure_that_is_told_as_a_success_is_no_word_on_the_accounts_mode(tmp_path):
    with street("all_well") as market:
        market.call(lambda: hedged(market))
        trouble = market.trouble("unknown", "GET /fapi/v1/accountConfig")
        with pytest.raises(VenueRefused, match="hedge mode"):
            async with session(tmp_path, market):
                pass
        assert trouble.fired == 1


def strange(books, symbol):
    """Give the account what other programs and hands have left there."""
    books.placed_by_hand(symbol, "BUY", "0.05", "MARKET")
    books.placed_by_hand(symbol, "BUY", "0.01", "LIMIT", books.prices[symbol] - 100)
    books.guarded_by_hand(symbol, "SELL", "STOP_MARKET", books.prices[symbol] - 500)
    books.guarded_by_hand(symbol, "SELL", "TRAILING_STOP_MARKET", ZERO)


@pytest.mark.parametrize("symbol", [BTC, "ETHUSDT"], ids=["ours", "another"])
async def test_an_account_with_a_history_is_taken_as_it_is(tmp_path, symbol):
    """A position, an order and guards of others, which have no quantity."""
    with street("other_child_names", "flat_rows") as market:
        market.call(lambda: strange(market.venue.books, symbol))
        async with session(tmp_path, market) as one:
            await one.agree()
            market.price(market.venue.books.prices[symbol] - 200, symbol)  # the order fills
            await one.until(lambda: len(market.books()[2]) == 2)
            await one.agree()
            await asyncio.sleep(2.2)  # an audit
            await one.agree()
            assert one.status == "RUNNING"
            assert market.ordinary() == []


async def test_a_strangers_guard_may_close_what_is_ours_too(tmp_path):
    with street() as market:
        market.call(lambda: strange(market.venue.books, BTC))
        async with session(tmp_path, market) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="48000")
            await one.until(lambda: len(market.books()[2]) == 4)
            await one.agree()
            market.price(49_450)

            await one.until(lambda: not market.books()[1])
            await one.until(lambda: len(market.books()[2]) == 1)  # the trailing one
            await asyncio.sleep(2.2)  # an audit
            await one.agree()
            assert one.status == "RUNNING"


def hold_hedged(books):
    books.is_hedged = True
    books.positions[BTC] = Position(Decimal("0.01"), Decimal(50_000), "LONG")


def rest_hedged(books):
    books.placed_by_hand(BTC, "BUY", "0.01", "LIMIT", Decimal(40_000))
    books.is_hedged = True


async def test_hedge_mode_is_left_where_nothing_is_open_in_it_and_else_refused(tmp_path):
    with street() as market:
        books = market.venue.books
        for number, open_something in enumerate((hold_hedged, rest_hedged)):
            market.call(lambda act=open_something: act(books))
            with pytest.raises(VenueRefused, match="if there exists"):
                async with session(tmp_path / str(number), market, switch_to_one_way=True):
                    pass
            assert books.is_hedged
            market.call(lambda: (books.positions.clear(), books.orders.clear()))
            books.is_hedged = False
        books.is_hedged = True
        async with session(tmp_path, market, switch_to_one_way=True) as one:
            assert not books.is_hedged
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: len(market.books()[2]) == 1)
            await one.agree()
        assert len(market.ordinary()) == 1
