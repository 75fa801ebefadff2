"""A wish as users write it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.model.errors import InputError
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import OrderType, SignalType, Symbol, TimeInForce

BTC = Symbol("BTCUSDT")


def test_amounts_are_what_they_show_and_words_what_they_name():
    given: dict[str, Any] = {
        "signal_type": "BUY",
        "quantity": 0.1,
        "order_type": "LIMIT",
        "price": "45000.10",
        "time_in_force": "IOC",
        "stop_loss": 44_000,
        "take_profit": 46_000.5,
    }
    signal = SignalGenerated(symbol=BTC, **given)

    assert signal == SignalGenerated(
        symbol=BTC,
        signal_type=SignalType.BUY,
        quantity=Decimal("0.1"),
        order_type=OrderType.LIMIT,
        price=Decimal("45000.10"),
        time_in_force=TimeInForce.IOC,
        stop_loss=Decimal(44_000),
        take_profit=Decimal("46000.5"),
    )
    assert type(signal.stop_loss) is Decimal
    assert msgspec.json.decode(msgspec.json.encode(signal), type=SignalGenerated) == signal


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"quantity": float("nan")}, "quantity must be finite"),
        ({"price": "cheap"}, "price must be a number"),
        ({"stop_loss": True}, "stop_loss must be a number"),
        ({"signal_type": "HOLD"}, "signal_type must be one of BUY, SELL, CLOSE, was 'HOLD'"),
        ({"order_type": "ICEBERG"}, "order_type must be one of MARKET, LIMIT"),
        ({"time_in_force": "DAY"}, "time_in_force must be one of GTC"),
    ],
)
def test_what_means_nothing_is_refused_by_its_name(wrong, text):
    with pytest.raises(InputError, match=text):
        SignalGenerated(**({"symbol": BTC, "signal_type": "BUY"} | wrong))
