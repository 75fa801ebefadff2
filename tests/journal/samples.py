"""Facts to record: a plain one, and Hypothesis strategies for every kind there is."""

from __future__ import annotations

import types
import typing
from decimal import Decimal
from enum import Enum

import msgspec
from hypothesis import strategies as st

from holdfast.model.events import Event, OrderFilled
from holdfast.model.values import ClOrdId, Side, Symbol, TradeId

KINDS = typing.get_args(Event)


def fill(number, qty="0.5"):
    return OrderFilled(
        ts=1_700_000_000_000_000_000 + number,
        symbol=Symbol("BTCUSDT"),
        side=Side.BUY,
        cl_ord_id=ClOrdId(f"hf-1-{number}"),
        trade_id=TradeId(f"t{number}"),
        qty=Decimal(qty),
        price=Decimal("64000.10"),
        fee=Decimal("0.0128"),
        realized_pnl=Decimal(0),
        venue_ts=1_700_000_000_000_000_000,
    )


def fills(count, start=1):
    return [fill(number) for number in range(start, start + count)]


def commit(journal, facts):
    """Append, and return when it is durable; raise what keeps it from being so."""
    journal.append(facts)
    journal.sync()


_PLAIN = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=12),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
}


def _values(kind):
    if isinstance(kind, typing.NewType):
        return _values(kind.__supertype__)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return st.one_of([_values(arm) for arm in typing.get_args(kind)])
    if typing.get_origin(kind) is tuple:
        return st.lists(_values(typing.get_args(kind)[0]), max_size=2).map(tuple)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    fields = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: _values(field.type) for field in fields})


FACTS = st.one_of([_values(kind) for kind in KINDS])
HISTORIES = st.lists(st.lists(FACTS, max_size=4), max_size=4)
