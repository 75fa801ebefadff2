"""Numbers as numpy makes them, means and levels of a strategy's, are taken like Python's own."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError, InputError
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import SignalType, Symbol, to_decimal
from holdfast.strategies.parameters import bars, within

SHOWN = {
    np.float64(0.1): "0.1",
    np.float32(0.7): "0.7",
    np.float16(0.5): "0.5",
    np.mean([0.004, 0.006]): "0.005",
    np.int64(3): "3",
    np.uint8(200): "200",
    np.str_("1.50"): "1.50",
}


@pytest.mark.parametrize(("value", "text"), SHOWN.items())
def test_a_number_of_numpys_is_the_decimal_that_it_shows(value, text):
    number = to_decimal(value, "quantity")

    assert str(number) == text
    assert type(number) is Decimal


@pytest.mark.parametrize(
    "value", [np.bool_(1), True, np.float64("nan"), np.float32("inf"), np.array([1.0]), Fraction(1)]
)
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"quantity must be (a number|finite), was"):
        to_decimal(value, "quantity")


def signal(**fields):
    return SignalGenerated(symbol=Symbol("BTCUSDT"), signal_type=SignalType.BUY, **fields)


@pytest.mark.parametrize("half", [np.float64(0.5), np.float32(0.5), Decimal("0.5"), 0.5])
def test_a_strength_is_a_plain_float(half):
    assert repr(signal(strength=half).strength) == "0.5"


@pytest.mark.parametrize("strength", [True, np.bool_(1), "0.5", None])
def test_a_strength_that_is_no_number_is_refused(strength):
    with pytest.raises(InputError, match="strength must be a number, was"):
        signal(strength=strength)


def test_settings_take_them_too():
    config = TradingConfig(position_size_pct=np.float64(0.1), max_positions=np.int64(7))

    assert (str(config.position_size_pct), repr(config.max_positions)) == ("0.1", "7")
    for wrong in ({"position_size_pct": np.bool_(1)}, {"max_positions": np.bool_(1)}):
        with pytest.raises(ConfigError, match=r"expected a (whole )?number"):
            TradingConfig(**wrong)


def test_parameters_of_strategies_take_them_too():
    assert repr(bars("fast", np.int64(5))) == "5"
    assert repr(within("level", np.float32(0.5), 0, 1)) == "0.5"
