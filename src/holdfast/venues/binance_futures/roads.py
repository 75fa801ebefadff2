"""Which road to the venue a request takes.

Rule 1: orders take the WebSocket API while it is up, and REST else; one request, one road.
Rule 2: a question after an order takes REST, or the WebSocket API where REST failed last, and after
        each try without an answer the other one: either proves as much, from when it left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .codec import Call
from .orders_ws import OrdersSocket
from .rest import RestClient, Road


class Roads:
    """The roads of one account.

    Args:
        orders: returns the WebSocket API; None where there is none.
    """

    def __init__(self, rest: RestClient, orders: Callable[[], OrdersSocket | None]) -> None:
        self._rest = rest
        self._orders = orders

    def of_order(self, call: Call) -> Road:
        """Return where an order, an amendment or a cancel goes now."""
        orders = self._orders()
        if orders is not None and orders.is_up and call.route.ws_method:
            return orders
        return self._rest

    def of_question(self, call: Call) -> Iterator[Road]:
        """Yield where a question goes at each of its tries, for ever."""
        over_rest = not self._rest.is_failing
        while True:
            yield self._rest if over_rest else self.of_order(call)
            over_rest = not over_rest
