"""Mutants that show where a road is closed for minutes, lists are short or long, or clocks jump."""

from __future__ import annotations

from typing import Any

import msgspec

from ...engine import comparing, difference, reconcile
from ...engine.core import Core
from ...engine.order import Order
from ...engine.reports import forget
from ...engine.state import State
from ...model.events import OrderFilled
from ...model.messages import VenueLink
from ...runtime import clock
from ...venues.binance_futures import snapshot
from ...venues.binance_futures.adapter import BinanceFuturesVenue
from ...venues.binance_futures.codec import TradeRow
from ...venues.binance_futures.snapshot import Books
from .patching import Known, Mutant, Patch


def take_a_refusal_for_a_stream_that_is_back(patch: Patch) -> None:
    """Ask for a look at the books as if the account's stream had come back."""

    def fetch(self: BinanceFuturesVenue, reason: str) -> None:
        self._say(VenueLink(account=self.account, is_up=True, reason=reason))

    patch.attr(BinanceFuturesVenue, "_fetch_missed", fetch)


def believe_a_list(patch: Patch) -> None:
    """Take for gone what is not listed past its fence, without asking after it."""
    original: Any = vars(reconcile)["_ask_after_missing"]
    ask = Core.query

    def query(self: Core, order: Order) -> None:
        is_past = self.now > self.fence_after(order.known_ts)
        forget(self, order) if is_past else ask(self, order)

    def ask_after(core: Core, told: Any) -> None:  # noqa: ANN401
        inner = Patch()
        inner.attr(Core, "query", query)
        try:
            original(core, told)
        finally:
            inner.undo()

    patch.attr(reconcile, "_ask_after_missing", ask_after)


def take_a_page_for_all(patch: Patch) -> None:
    """Read no executions behind a full page."""

    async def behind(*_: object) -> dict[int, TradeRow]:
        return {}

    patch.attr(Books, "_trades_behind", behind)


def go_on_past_the_millisecond(patch: Patch) -> None:
    """Go on behind the last row's time, as if no page of income ended in the midst of it."""
    patch.attr(snapshot, "_behind", lambda page, _start: page.last_ts + 1_000_000)


def count_what_fills_have_explained(patch: Patch) -> None:
    """Take for differences what trails, and count those that fills have explained wholly."""
    original: Any = vars(difference)["explain"]

    def explain(state: State, fill: OrderFilled) -> None:
        before = dict(state.differences)
        original(state, fill)
        for name, found in state.differences.items():
            in_a_row = before[name].in_a_row
            state.differences[name] = msgspec.structs.replace(found, in_a_row=in_a_row)

    patch.attr(difference, "explain", explain)
    patch.attr(comparing, "_trails", lambda *_: False)


def stay_ahead(patch: Patch) -> None:
    """Pass at the pace of time for ever, once the machine's clock was set right."""
    patch.attr(clock, "CATCH_UP", (1, 1))


ROADS = (
    Mutant(
        "a refusal is no stream that is back",
        take_a_refusal_for_a_stream_that_is_back,
        ("alarms", "stops"),
        known=(Known(19_000_117, 18),),
    ),
    Mutant("no list is believed", believe_a_list, ("absent",), known=(Known(14_150_051, 18),)),
    Mutant(
        "executions are read behind a full page",
        take_a_page_for_all,
        ("at rest",),
        known=(Known(14_150_020, 18),),
    ),
    Mutant(
        "a page ends in the midst of a millisecond",
        go_on_past_the_millisecond,
        ("at rest",),
        known=(Known(14_150_330, 18),),
    ),
    Mutant(
        "what fills explain is no difference",
        count_what_fills_have_explained,
        ("needless",),
        known=(Known(15_303_976, 18),),
    ),
    Mutant(
        "a clock that was set right is caught up with",
        stay_ahead,
        ("at rest",),
        known=(Known(14_150_063, 18),),
    ),
)
"""Mutants that the adversaries of roads, lists and clocks alone have shown."""
