"""What the other venue keeps: orders, conditional ones, fills, positions; and how it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED")


def exact(amount):
    """Round as the venue does: to eight places."""
    return amount.quantize(Decimal("1E-8"))


class Refused(Exception):
    def __init__(self, code, msg, status=400):
        super().__init__(msg)
        self.code, self.msg, self.status = code, msg, status


@dataclass
class Order:
    order_id: int
    symbol: str
    client_id: str
    side: str
    kind: str
    qty: Decimal
    price: Decimal
    tif: str
    reduce_only: bool
    made: int
    status: str = "NEW"
    done: Decimal = ZERO
    cost: Decimal = ZERO
    changed: int = 0

    @property
    def sign(self):
        return 1 if self.side == "BUY" else -1

    @property
    def is_open(self):
        return self.status in OPEN


@dataclass
class Algo:
    algo_id: int
    symbol: str
    client_id: str
    side: str
    kind: str
    qty: Decimal
    price: Decimal
    trigger: Decimal
    tif: str
    reduce_only: bool
    working: str
    made: int
    status: str = "NEW"
    child: Order | None = None
    changed: int = 0
    callback: Decimal = ZERO
    activate: Decimal = ZERO
    extreme: Decimal = ZERO
    is_active: bool = True


@dataclass
class Fill:
    trade_id: int
    order: Order
    qty: Decimal
    price: Decimal
    profit: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    at: int


@dataclass
class Position:
    qty: Decimal = ZERO
    entry: Decimal = ZERO
    side: str = "BOTH"
    is_isolated: bool = False
    margin: Decimal = ZERO
    """Of an isolated one: what stands for it alone."""
