"""What the judges take off for what a session could not have known."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.values import MAIN, Side, Symbol
from holdfast.simulation.unheard import entered

KEY = (MAIN, Symbol("BTCUSDT"))


@pytest.mark.parametrize(
    ("number", "against", "taken_off"),
    [
        (5, "10", "0"),  # nothing was decided on later
        (4, "10", "3"),
        (1, "10", "5"),
        (1, "4", "4"),  # no more than strangers had closed
        (1, "0", "0"),
    ],
)
def test_later_entries_count_for_what_strangers_had_closed_and_no_more(number, against, taken_off):
    entries = [(2, KEY, Side.BUY, Decimal(2)), (5, KEY, Side.BUY, Decimal(3))]
    assert entered(entries, number, Decimal(against)) == Decimal(taken_off)
