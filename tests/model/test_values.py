"""Numbers that users write: which are taken, and that none can be too long to be written out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.model.values import LARGEST_AMOUNT, plain, to_decimal


@pytest.mark.parametrize(
    "value",
    ["1e99999999", "-1e99999999", "1e-99999999", "0e-99999999", "0e99999999", Decimal("1e-1000")],
)
def test_a_number_that_would_fill_the_memory_when_written_out_is_refused(value):
    with pytest.raises(ValueError, match="qty must be at most 1000000000000000 in size, and not"):
        to_decimal(value, "qty")


@pytest.mark.parametrize("value", [5e-324, -5e-324, "1e15", "-1e15", "0", "0.00000000", "0e10", 0])
def test_every_number_that_can_be_meant_is_taken_as_it_is(value):
    number = to_decimal(value)

    assert number == Decimal(repr(value) if isinstance(value, float) else value)
    assert len(plain(number)) < 400
    assert abs(number) <= LARGEST_AMOUNT
