"""Mutants of what was found by reading: each was a fault that seeds by the hundred thousand missed.

The first five are limits that no oracle minded, one of them over all accounts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...engine import protection, request_checks, requests, signals, sizing, strangers
from ...engine.core import Core
from ...engine.order import Order
from ...engine.risk import ALL_RULES, PORTFOLIO_RULES, RULES
from ...model import events as ev
from ...model.events import Event
from ...model.values import AccountId
from ...runtime import operations
from ...runtime.operations import Operations
from ...runtime.runner import LiveStrategyRunner
from ...runtime.views import order_view
from ...stats.trips import RoundTrips
from ...venues.binance_futures.orders_ws import OrdersSocket
from .engine import passes
from .patching import Patch


def _pass(patch: Patch, *names: str) -> None:
    for name in names:
        for rules in (RULES, ALL_RULES):
            if name in rules:
                patch.item(rules, name, passes(name))


def count_no_orders(patch: Patch) -> None:
    _pass(patch, "open_orders", "max_positions", "order_notional")


def bound_no_exposure(patch: Patch) -> None:
    _pass(patch, "gross_exposure", "net_exposure")


def bear_any_loss(patch: Patch) -> None:
    _pass(patch, "daily_loss", "drawdown")


def hurry(patch: Patch) -> None:
    _pass(patch, "message_throttle", "execution_throttle")


def look_at_one_account(patch: Patch) -> None:
    _pass(patch, *PORTFOLIO_RULES)


def take_no_answer_for_done(patch: Patch) -> None:
    """Return as if all were well where the venue has said nothing within the time."""

    async def until(self: Operations, condition: Callable[[], bool], _what: str) -> None:
        await self._has_come(condition)

    patch.attr(Operations, "_until", until)


def take_any_end_for_done(patch: Patch) -> None:
    patch.attr(operations, "check_filled", lambda _order, _held: None)


def take_what_never_arrived_for_done(patch: Patch) -> None:
    original: Any = vars(Operations)["_accepted"]

    def accepted(self: Operations, cl_ord_id: str) -> Any:  # noqa: ANN401
        order: Any = self._engine.state.orders[cl_ord_id]  # type: ignore[index]
        if order.status.value == "NEVER_ARRIVED":
            return order_view(self._engine, order)
        return original(self, cl_ord_id)

    patch.attr(Operations, "_accepted", accepted)


def count_stops_for_a_request(patch: Patch) -> None:
    """Take whatever leaves in the moment of a request for its own orders."""

    def sent_for(facts: list[Event]) -> list[str]:
        return [fact.order.cl_ord_id for fact in facts if isinstance(fact, ev.OrderSubmitted)]

    patch.attr(operations, "sent_for", sent_for)


def adjust_by_the_position_alone(patch: Patch) -> None:
    patch.attr(requests, "_qty_under_way", lambda core, key: core.state.position(key).qty)


def forget_a_cancel_that_was_too_early(patch: Patch) -> None:
    original: Any = vars(Order)["_refuse_cancel"]

    def refuse(self: Order, fact: ev.CancelRejected) -> None:
        was = self.is_unwanted
        original(self, fact)
        self.is_unwanted = was

    patch.attr(Order, "_refuse_cancel", refuse)


def amend_past_its_own_stop(patch: Patch) -> None:
    patch.attr(requests, "misplaced_exit", lambda *_: None)


def judge_stops_by_the_limit(patch: Patch) -> None:
    """Mind no market that is already past an order's limit, where it will fill."""
    original = sizing.misplaced_exit

    def misplaced(*args: Any) -> str | None:  # noqa: ANN401
        return original(*args[:4])

    patch.attr(signals, "misplaced_exit", misplaced)
    patch.attr(request_checks, "misplaced_exit", misplaced)


def leave_the_rest_of_a_closed_entry(patch: Patch) -> None:
    patch.attr(Core, "cancel_openers", lambda _self, _orders, _reason: None)


def tell_of_each_stranger(patch: Patch) -> None:
    patch.attr(strangers, "_is_usual", lambda _core, _key: False)


def tell_of_each_refused_close(patch: Patch) -> None:
    """Ask at once, and tell each time, where the venue refuses to close."""
    patch.attr(protection, "refused_of", lambda _orders: [])


def tell_no_link(patch: Patch) -> None:
    original: Any = vars(Core)["alarm"]

    def alarm(
        self: Core, code: str, text: str, account: AccountId | None = None, symbol: str = ""
    ) -> None:
        if code != "link_down":
            original(self, code, text, account, symbol)

    patch.attr(Core, "alarm", alarm)


def trust_in_an_open_api(patch: Patch) -> None:
    patch.attr(OrdersSocket, "is_up", property(lambda self: self.stream.is_up))


def tell_no_last_fill(patch: Patch) -> None:
    """Leave out what comes with the end of an order."""
    original: Any = vars(LiveStrategyRunner)["on_fact"]

    def on_fact(self: LiveStrategyRunner, fact: Event) -> None:
        if isinstance(fact, ev.OrderFilled):
            order = self._view.order(fact.cl_ord_id) if self._hears_orders else None
            if order is not None and not order.is_open:
                return
        original(self, fact)

    patch.attr(LiveStrategyRunner, "on_fact", on_fact)


def place_again_what_is_asked_again(patch: Patch) -> None:
    """Forget the ids of requests."""
    original = requests.on_place

    def on_place(core: Core, request: Any) -> None:  # noqa: ANN401
        known = f"{request.strategy_id} {request.request_id}"
        core.state.intents.pop(known, None)
        original(core, request)

    from ...engine import engine  # noqa: PLC0415
    from ...model import messages as msg  # noqa: PLC0415

    patch.item(engine._HANDLERS, msg.PlaceRequest, on_place)  # noqa: SLF001


def leave_settlements_out_of_trades(patch: Patch) -> None:
    patch.attr(RoundTrips, "_settle", lambda _self, _fact: None)
