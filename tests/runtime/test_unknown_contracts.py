"""Simulated accounts in contracts that no catalogue has, or that the venue lists otherwise now."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.config import TradingConfig
from holdfast.model.events import OrderFilled
from holdfast.model.instrument import Instrument
from holdfast.model.market import Trade
from holdfast.model.values import NS_PER_S, Symbol
from holdfast.runtime.assembly import assemble
from tests.runtime.replays import BTC, START, Listed, Scripted, replayed, settings
from tests.runtime.session_desk import ScriptedFeed

NEW = Symbol("NEWUSDT")
NAKED = {"quantity": "300", "stop_loss": "0", "take_profit": "0"}
RECKLESS = {
    "leverage": 20,
    "initial_balance": "2000",
    "max_order_notional": "1000000",
    "disabled": "leverage,margin,position_size,drawdown,daily_loss",
}


def as_listed(symbol, **fields):
    """A contract as a venue shows it to everybody: without its margin table."""
    sizes = {"tick": Decimal("0.01"), "lot": Decimal("0.1"), "min_qty": Decimal("0.1")}
    return Instrument(symbol=symbol, base_asset=symbol.removesuffix("USDT"), **(sizes | fields))


class Listing(Listed):
    """A recording that tells of its contracts what its decimals say."""

    def instruments(self):
        return [as_listed(symbol) for symbol in self.symbols]


class LiveListing(ScriptedFeed):
    """A live market, whose contracts the venue has described."""

    def __init__(self, *contracts):
        super().__init__([each.symbol for each in contracts], is_live=True)
        self.contracts = contracts

    def instruments(self):
        return self.contracts


def test_a_replay_liquidates_in_contracts_that_no_catalogue_has():
    prices = [100.0] * 20 + [100.0 - 0.5 * step for step in range(40)]
    tape = [
        Trade(symbol=NEW, ts=START + n * NS_PER_S, price=price, qty=5000.0, trade_id=n + 1)
        for n, price in enumerate(prices)
    ]
    config = settings(**RECKLESS, symbols=("NEWUSDT",))

    _, facts = replayed(Listing(tape, (NEW,)), [Scripted({5: ("BUY", NAKED)})], config)

    fills = [fact for fact in facts if isinstance(fact, OrderFilled)]
    ends = [fact for fact in facts if getattr(fact, "code", "") == "emergency_close"]
    assert fills
    assert ends or fills[-1].cl_ord_id.startswith("autoclose")


@pytest.fixture
async def dry_run(tmp_path):
    opened = []

    async def begin(*contracts):
        config = TradingConfig(data_dir=tmp_path, dry_run=True, feed="binance")
        symbols = [each.symbol for each in contracts]
        parts = await assemble(config, symbols, feed=LiveListing(*contracts))
        opened.append(parts)
        return dict(await parts.venues[0].connect(symbols, lambda _: None))

    yield begin
    for parts in opened:
        for venue in parts.venues:
            await venue.close()
        parts.journal.close()


async def test_a_dry_run_has_a_margin_table_for_each_contract(dry_run):
    (contract,) = await dry_run(as_listed(NEW))

    assert contract.brackets
    assert (contract.tick, contract.lot) == (Decimal("0.01"), Decimal("0.1"))


async def test_a_dry_run_takes_the_venue_s_own_word_for_a_contract_that_is_known(dry_run):
    sizes = {"lot": Decimal("0.0001"), "min_qty": Decimal("0.0001"), "min_notional": Decimal(50)}
    (contract,) = await dry_run(as_listed(BTC, **sizes))

    assert (contract.lot, contract.min_notional) == (Decimal("0.0001"), 50)
    assert contract.brackets
