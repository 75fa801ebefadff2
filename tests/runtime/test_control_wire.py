"""How values are written for other programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from holdfast.model.errors import InputError
from holdfast.model.values import OrderType, Side
from holdfast.runtime.control_wire import ModifyBody, builtins, document, one_of, parse
from holdfast.stats import SessionStats


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("1E+2"), "100"),
        (Decimal("0E-8"), "0"),
        (Decimal("0.1000"), "0.1"),
        (float("inf"), None),
        (float("nan"), None),
        (1.5, 1.5),
        (Side.BUY, "BUY"),
        ((Decimal(1), {"a": Decimal("2.50")}), ["1", {"a": "2.5"}]),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
    ],
)
def test_values_are_written_plainly(value, written):
    assert builtins(value) == written


def test_a_whole_session_of_figures_is_json_that_others_can_read():
    figures = SessionStats(profit_factor=float("inf"), total_pnl=Decimal("1E+3"))

    found = json.loads(document(figures), parse_constant=pytest.fail)
    assert (found["profit_factor"], found["total_pnl"]) == (None, "1000")


def test_words_are_taken_in_any_case_and_refused_with_the_known_ones():
    assert one_of(OrderType, " limit ", "type") is OrderType.LIMIT
    with pytest.raises(InputError, match="side must be one of BUY, SELL, was 'up'"):
        one_of(Side, "up", "side")


def test_an_empty_body_is_an_empty_request():
    assert parse(b"", ModifyBody) == ModifyBody()
