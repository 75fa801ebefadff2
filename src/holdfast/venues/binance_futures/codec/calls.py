"""A request to the venue, before it is signed and sent, and what it costs."""

from __future__ import annotations

import enum
from typing import NamedTuple

Value = str | int
Params = dict[str, Value]


class Security(enum.Enum):
    """What a request must carry."""

    NONE = "NONE"
    KEY = "KEY"  # the key alone
    SIGNED = "SIGNED"  # key, timestamp and signature


class Cost(NamedTuple):
    """What a request takes out of the budgets: weight of the IP, orders in 10 s, in a minute."""

    weight: int = 1
    orders_10s: int = 0
    orders_1m: int = 0


class Route(NamedTuple):
    """Where a request goes. `ws_method` is "" where the WebSocket API can't take it."""

    verb: str
    path: str
    ws_method: str = ""
    cost: Cost = Cost()
    security: Security = Security.SIGNED


class Call(NamedTuple):
    """A request. Amounts are text, times and ids numbers, booleans "true"; not yet encoded."""

    route: Route
    params: Params

    @property
    def cost(self) -> Cost:
        """Return what it takes out of the budgets."""
        return self.route.cost
