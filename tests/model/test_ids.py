"""Ids of orders: what they carry, and that none comes twice."""

import pytest

from holdfast.model.ids import (
    LENGTH_MAX,
    Owner,
    epoch_at,
    make_cl_ord_id,
    parse_cl_ord_id,
    short_name,
)
from holdfast.model.values import NS_PER_S, OrderRole, StrategyId

NOW = 1_796_000_000 * NS_PER_S  # November 2026


def test_an_epoch_is_above_all_that_were_given_out_before():
    assert epoch_at(NOW) > epoch_at(NOW - 60 * NS_PER_S) > 1_000_000


def test_a_clock_that_was_never_set_gives_the_first_epoch():
    assert epoch_at(0) == 1


def test_an_id_of_ten_years_from_now_has_room_for_its_strategy():
    epoch, name = epoch_at(NOW + 315_000_000 * NS_PER_S), StrategyId("twelve_chars")
    named = Owner("hf", epoch, 10**7, 10**7, OrderRole.ENTRY, name)

    text = make_cl_ord_id(named)

    assert len(text) <= LENGTH_MAX
    assert parse_cl_ord_id(text) == named


NAMES = ("donchian_breakout", "donchian_breakout-2", "donchian_br", "sma cross", "sma_cross")


def test_names_that_begin_alike_are_not_alike_in_ids():
    shorts = [short_name(StrategyId(name)) for name in NAMES]

    assert shorts == ["donchian-w5m", "donchian-2ce", "donchian_br", "sma_cros-5g7", "sma_cross"]
    assert all(len(short) <= 12 for short in shorts)


@pytest.mark.parametrize("prefix", ["hf", "tradebot"])
@pytest.mark.parametrize("name", NAMES)
def test_an_id_is_its_own_strategys_and_no_others(prefix, name):
    owner = Owner(prefix, 30_000_000, 5_000, 2_000, OrderRole.ENTRY, StrategyId(name))

    read = parse_cl_ord_id(make_cl_ord_id(owner))

    assert read is not None
    assert read.meant_among(map(StrategyId, NAMES)) == name
