"""Ids of orders: what they carry, and that none comes twice."""

from holdfast.model.ids import LENGTH_MAX, Owner, epoch_at, make_cl_ord_id, parse_cl_ord_id
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
