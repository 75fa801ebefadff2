"""Adversaries: each strikes, a seed without any is left as it was, and what each found is held."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from holdfast.exchange import VenueOrder
from holdfast.model.ids import epoch_at
from holdfast.model.values import MAIN, NS_PER_S, ClOrdId, NewOrder, Side, Symbol
from holdfast.simulation import market
from holdfast.simulation.against import ADVERSARIES
from holdfast.simulation.full_hours import START_S
from holdfast.simulation.oracles import may_open
from holdfast.simulation.run import play
from holdfast.simulation.settings_at_hand import SettingsAtHand
from holdfast.simulation.spec import Spec

SEEDS = {"child_names": 60_000_004, "burnt_fees": 60_000_007}
"""Of those that can't strike in every run: no stop may be triggered, no BNB be there."""


@pytest.fixture
def only(monkeypatch):
    """Have one adversary alone in every seed."""

    def choose(name):
        for each in ADVERSARIES:
            monkeypatch.setattr(each, "share", 1.0 if each.name == name else 0.0)

    return choose


@pytest.mark.parametrize("name", [each.name for each in ADVERSARIES])
def test_an_adversary_strikes_and_nothing_is_lost(only, name):
    only(name)
    accounts = 2 if name == "one_cut_off" else 0
    verdict = play(Spec(seed=SEEDS.get(name, 60_000_001), storm_s=18, accounts=accounts))

    assert verdict.violations == ()
    assert verdict.fired[name] > 0


@pytest.mark.parametrize(
    "seed",
    [22_510_123, 22_510_125, 22_511_072, 22_512_062, 22_512_213],
    ids=["unheard", "a day turns", "jumps", "a gap", "a stream trails"],
)
def test_a_days_loss_is_judged_by_what_was_heard_of_the_day_that_is(monkeypatch, seed):
    often = {"child_names", "whipsaw", "slow_disk", "full_hours", "burnt_fees"}
    for each in ADVERSARIES:
        if each.name in often:
            monkeypatch.setattr(each, "share", 0.5)

    assert play(Spec(seed=seed, storm_s=90)).violations == ()


@pytest.mark.parametrize(
    ("name", "reduce_only", "expected"),
    [("hf.1.1.1.E.s", False, True), ("hf.1.1.1.X.s", True, False), ("manual-1", False, False)],
)
def test_the_judge_of_limits_minds_no_exit_that_is_amended(name, reduce_only, expected):
    asked = NewOrder(
        cl_ord_id=ClOrdId(name),
        account=MAIN,
        symbol=Symbol("BTCUSDT"),
        side=Side.SELL,
        qty=Decimal(1),
        reduce_only=reduce_only,
    )
    order = VenueOrder(
        asked=asked, order_type=asked.order_type, qty=asked.qty, created_ts=0, updated_ts=0
    )

    assert may_open(order) is expected


def test_one_fault_that_is_judged_alone_has_no_adversary_beside_it(only):
    only("contracts")

    assert "contracts" not in play(Spec(seed=1, storm_s=18, kinds=frozenset({"drop_frame"}))).fired


def test_a_journal_that_was_lost_gives_no_epoch_anew(only):
    # It began with the first one again: an order had the id of one that had been cancelled.
    only("amnesia")
    verdict = play(Spec(seed=60_000_001, storm_s=18, keeps_log=True))
    told = re.compile(r"  EpochStarted epoch=([0-9]+) ")
    epochs = [int(found[1]) for line in verdict.log if (found := told.search(line))]

    assert "amnesia: no journal" in verdict.counts
    assert len(epochs) > 1
    assert epochs == sorted(set(epochs))
    assert epochs[0] >= epoch_at(START_S * NS_PER_S)


@pytest.mark.parametrize("seed", [60_000_001, 60_000_002])
def test_contracts_of_two_dollars_are_traded_beside_each_other(monkeypatch, seed):
    monkeypatch.setattr(market, "TWO_ASSETS_SHARE", 1.0)
    verdict = play(Spec(seed=seed, storm_s=30, keeps_log=True))

    assert verdict.violations == ()
    assert any("fee_asset=USDC" in line for line in verdict.log)
    assert any("asset=USDC" in line for line in verdict.log if "TradingDayStarted" in line)


def test_a_leverage_that_was_set_while_a_session_began_is_the_one_it_goes_by(monkeypatch):
    # It was told of, and then undone by the list that had been read before.
    monkeypatch.setattr(SettingsAtHand, "share", 1.0)
    monkeypatch.setattr(market, "TWO_ASSETS_SHARE", 0.5)

    assert play(Spec(seed=73_000_091, storm_s=45)).violations == ()


def test_a_session_hears_of_the_modes_that_somebody_sets(only):
    only("settings_at_hand")
    told = re.compile(r"  AccountModeChanged problem=(the account is in .*?-.*? mode|$)")
    found = set()
    for seed in (70_000_000, 70_000_002, 70_000_004):
        verdict = play(Spec(seed=seed, storm_s=40, keeps_log=True))
        assert verdict.violations == ()
        found |= {said[1] for line in verdict.log if (said := told.search(line))}

    assert "the account is in multi-assets mode" in found
