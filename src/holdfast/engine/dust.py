"""Positions too small to trade: below a contract's least quantity, or off its lot.

The venue takes no quantity of them, but a conditional order that closes a whole position, however
small. Rule: it is used where all that is held is one owner's; of several owners' the part on the
lot is guarded, and what is left raises the alarm.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ..model.instrument import Instrument
from ..model.values import (
    EXIT,
    NO_ID,
    ZERO,
    Key,
    NewOrder,
    OrderType,
    Side,
    StrategyId,
)
from .core import Core
from .cover import dust_exit
from .holdings import holding
from .parents import Plan
from .state import State

STEP = Decimal("0.0003")
"""How far from the price the two orders wait that close dust."""

_KINDS = ((OrderType.STOP_MARKET, -1), (OrderType.TAKE_PROFIT_MARKET, 1))


def takes(state: State, key: Key, qty: Decimal) -> bool:
    """Tell whether the venue takes an order of this quantity."""
    instrument = state.instruments.get(key)
    return instrument is None or instrument.takes(qty)


def is_whole(state: State, key: Key, qty: Decimal) -> bool:
    """Tell whether a quantity is all of a position."""
    return qty == abs(state.position(key).qty)


def closing_plans(core: Core, key: Key, strategy_id: StrategyId) -> list[Plan]:
    """Plan to close dust: a stop and a target around the price, of which one triggers soon.

    None where it is no dust, another's holding would be closed too, or such orders are out.
    """
    state, instrument = core.state, core.state.instruments.get(key)
    held, price = holding(state, key, strategy_id), core.market.price(key[1])
    if instrument is None or price is None or not held or instrument.takes(abs(held)):
        return []
    if instrument.round_qty(abs(held)) >= instrument.min_qty or not is_whole(state, key, abs(held)):
        return []
    if not core.is_time_to_try(key):
        return []
    side = Side.SELL if held > ZERO else Side.BUY
    pattern = NewOrder(
        cl_ord_id=NO_ID,
        account=key[0],
        symbol=key[1],
        side=side,
        qty=abs(held),
        reduce_only=True,
        close_position=True,
        role=EXIT,
        strategy_id=strategy_id,
    )
    plans = []
    for kind, sign in _KINDS:
        if dust_exit(state, key, kind):
            continue
        trigger_price = _trigger(instrument, price, sign * side.opposite.sign)
        plans.append(Plan(replace(pattern, order_type=kind, trigger_price=trigger_price), "direct"))
    return plans


def _trigger(instrument: Instrument, price: Decimal, move: int) -> Decimal:
    step = max(instrument.round_price(price * STEP), instrument.tick)
    return max(instrument.round_price(price) + move * step, instrument.tick)
