"""A strategy's wish, before sizing, risk or execution."""

from __future__ import annotations

import enum
import numbers
from decimal import Decimal

import msgspec

from .errors import InputError
from .values import (
    MAIN,
    OPERATOR,
    AccountId,
    Amount,
    OrderType,
    SignalType,
    StrategyId,
    Symbol,
    TimeInForce,
    to_decimal,
)


class SignalGenerated(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a strategy would like to happen.

    `quantity` None lets the sizing rules decide; `strength` (0 to 1] scales what they give.
    `stop_loss` and `take_profit` are prices; None takes the configured distances, and zero
    asks for none. `algo` names how the quantity is worked, and its terms, such as
    "twap:over=10m,slices=6"; "" chooses: bracket when there is something to protect, else direct.
    `signal_id` makes a repeated wish harmless: the same strategy's same id is acted on once, and
    may come again where it was denied; empty ids are told apart by arrival.

    Amounts may be given as Decimal, str, int or float and words by name; they are exact from
    there on.

    Raises:
        InputError: a number or a word can't be used; the text names it.
    """

    symbol: Symbol
    signal_type: SignalType
    strategy_id: StrategyId = OPERATOR
    quantity: Decimal | None = None
    order_type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    strength: float = 1.0
    algo: str = ""
    signal_id: str = ""
    reason: str = ""
    ts: int = 0
    account: AccountId = MAIN

    def __post_init__(self) -> None:
        for name in _AMOUNTS:
            number: Amount | None = getattr(self, name)
            if number is not None and type(number) is not Decimal:
                _set(self, name, _exact(number, name))
        if type(self.strength) is not float:
            _set(self, "strength", _real(self.strength, "strength"))
        for name, kind in _WORDS:
            word: object = getattr(self, name)
            if type(word) is not kind:
                _set(self, name, _named(kind, word, name))


_AMOUNTS = ("quantity", "price", "stop_loss", "take_profit")
_WORDS: tuple[tuple[str, type[enum.Enum]], ...] = (
    ("signal_type", SignalType),
    ("order_type", OrderType),
    ("time_in_force", TimeInForce),
)
_set = msgspec.structs.force_setattr


def _exact(number: Amount, name: str) -> Decimal:
    try:
        return to_decimal(number, name)
    except ValueError as error:
        raise InputError(str(error)) from None


def _real(number: object, name: str) -> float:
    if not isinstance(number, Decimal | numbers.Real):
        raise InputError(f"{name} must be a number, was {number!r}")
    return float(_exact(number, name))  # type: ignore[arg-type]  # a library's own is a number too


def _named(kind: type[enum.Enum], word: object, name: str) -> enum.Enum:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(str(one.value) for one in kind)
        raise InputError(f"{name} must be one of {known}, was {word!r}") from None
