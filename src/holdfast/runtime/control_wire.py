"""What the control API takes and gives, and how values are written: amounts as plain decimals."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, TypeVar

import msgspec

from ..engine.explaining import Explanation
from ..model.errors import InputError
from ..model.signal import SignalGenerated
from ..model.values import (
    MAIN,
    OPERATOR,
    AccountId,
    NewOrder,
    OrderType,
    SignalType,
    StrategyId,
    Symbol,
    plain,
    to_decimal,
)

Amount = str | int | float
Choice = TypeVar("Choice", bound=enum.Enum)


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request body has in common: an unknown name is a mistake."""


class PlaceBody(_Body, frozen=True, kw_only=True):
    """An order by hand."""

    symbol: str
    side: str
    quantity: Amount
    type: str = "MARKET"
    price: Amount | None = None
    trigger_price: Amount | None = None
    callback_rate: Amount | None = None
    activation_price: Amount | None = None
    tif: str = "GTC"
    expire_at: datetime | None = None
    stop_loss: Amount | None = None
    take_profit: Amount | None = None
    reduce_only: bool = False
    algo: str = ""
    request_id: str = ""
    account: str = MAIN


class ModifyBody(_Body, frozen=True, kw_only=True):
    """An amendment; None keeps what is."""

    price: Amount | None = None
    quantity: Amount | None = None


class CancelBody(_Body, frozen=True, kw_only=True):
    """Whether exits by hand are taken back too, of the id `all`."""

    exits: bool = False


class AdjustBody(_Body, frozen=True, kw_only=True):
    """A position's signed target."""

    symbol: str
    target: Amount
    account: str = MAIN


class CloseBody(_Body, frozen=True, kw_only=True):
    """Why a position is closed, and on which account."""

    reason: str = "operator"
    account: str = MAIN


class ReasonBody(_Body, frozen=True, kw_only=True):
    """Why a session is paused or resumed."""

    reason: str = "operator"


class StopBody(_Body, frozen=True, kw_only=True):
    """How to stop; None leaves positions to the setting `on_stop`."""

    reason: str = "operator"
    flatten: bool | None = None


class KillBody(_Body, frozen=True, kw_only=True):
    """Why everything is to end, and whether positions are closed too."""

    reason: str = "operator"
    flatten: bool = False


class ReleaseBody(_Body, frozen=True, kw_only=True):
    """Who answers for going on."""

    operator: str


class ExplainBody(_Body, frozen=True, kw_only=True):
    """A wish to be looked at and not acted on."""

    symbol: str
    side: str
    quantity: Amount | None = None
    type: str = "MARKET"
    price: Amount | None = None
    stop_loss: Amount | None = None
    take_profit: Amount | None = None
    algo: str = ""
    strategy: str = OPERATOR
    strength: float = 1.0
    account: str = MAIN

    def signal(self) -> SignalGenerated:
        """Return the wish.

        Raises:
            ValueError: a word or a number is none.
        """
        return SignalGenerated(
            symbol=Symbol(self.symbol),
            signal_type=one_of(SignalType, self.side, "side"),
            strategy_id=StrategyId(self.strategy),
            quantity=_amount(self.quantity, "quantity"),
            order_type=one_of(OrderType, self.type, "type"),
            price=_amount(self.price, "price"),
            stop_loss=_amount(self.stop_loss, "stop_loss"),
            take_profit=_amount(self.take_profit, "take_profit"),
            strength=self.strength,
            algo=self.algo,
            account=AccountId(self.account),
        )


def one_of(kind: type[Choice], word: str, name: str) -> Choice:
    """Return the member of an enumeration that a word names, whatever its case.

    Raises:
        InputError: it names none.
    """
    try:
        return kind(word.strip().upper())
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise InputError(f"{name} must be one of {known}, was {word!r}") from None


def _amount(value: Amount | None, name: str) -> Decimal | None:
    return None if value is None else to_decimal(value, name)


def explained(found: Explanation) -> dict[str, object]:
    """Show each plan with the verdicts on it, and the early denial, None where there was none."""
    return {
        "plans": [
            {
                **_order(plan.pattern),
                "algo": plan.algo,
                "stop_loss": plan.stop_loss,
                "take_profit": plan.take_profit,
                "verdicts": list(verdicts),
                "reduced": is_reduced,
            }
            for plan, verdicts, is_reduced in zip(
                found.plans, found.verdicts, found.reduced, strict=True
            )
        ],
        "denial": found.denial and {"rule": found.denial.rule, "reason": found.denial.reason},
        "passed": found.denial is None and not found.refusals,
    }


def _order(order: NewOrder) -> dict[str, object]:
    return {
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.qty,
        "type": order.order_type,
        "price": order.price,
        "trigger_price": order.trigger_price,
        "time_in_force": order.time_in_force,
        "reduce_only": order.reduce_only,
        "role": order.role.name,
        "strategy": order.strategy_id,
    }


def builtins(value: object) -> Any:  # noqa: ANN401 - JSON's values
    """Turn structs, dataclasses, enumerations and times into what JSON has.

    Amounts become texts without exponent or trailing zeros; what is not finite becomes null.
    """
    return _plain(msgspec.to_builtins(value, builtin_types=(Decimal,), str_keys=True))


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return plain(value)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not isfinite(value):
            return None
        case _:
            return value


def document(value: object) -> bytes:
    """Return a value as one JSON document; infinite numbers become null."""
    return msgspec.json.encode(builtins(value))


def parse(text: bytes, kind: type[Any]) -> Any:  # noqa: ANN401 - of `kind`
    """Read a request's body; an empty one counts as `{}`.

    Raises:
        InputError: it is no JSON, or not of that kind.
    """
    try:
        return msgspec.json.decode(text or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"the request can't be read: {error}") from error
