"""A strategy's wish, before sizing, risk or execution."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .values import (
    MAIN,
    OPERATOR,
    AccountId,
    OrderType,
    SignalType,
    StrategyId,
    Symbol,
    TimeInForce,
)


class SignalGenerated(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """What a strategy would like to happen.

    `quantity` None lets the sizing rules decide; `strength` (0 to 1] scales what they give.
    `stop_loss` and `take_profit` are prices; None takes the configured distances, and zero
    asks for none. `algo` names how the quantity is worked ("" chooses: bracket when there is
    something to protect, else direct). `signal_id` makes a repeated wish harmless: the same
    strategy's same id is acted on once; empty ids are told apart by arrival.
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
