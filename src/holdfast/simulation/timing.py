"""How long things take in the simulated time: from the exchange's deed to our books, from start to
trading, from the kill switch to its proof.

Faults strike the answers too, so that a storm's figures tell of the storm. Those of one fault alone
say how fast that one is mended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from ..exchange import OrderUpdate, Output
from ..model import events as ev
from ..model.messages import ExecType
from ..model.values import NS_PER_S, TradingSessionStatus
from .bourse import ACCOUNT, OTHER

DOUBT = "doubt resolved, past its fence"
FILL = "fill booked"
REPAIR = "dropped frame repaired"
START = "start to trading"
KILL_SWITCH = "kill switch to verified"

REPAIR_S_MAX = 15.0
"""How long what a dropped frame told may be missing, on a road that is good otherwise."""

ENDS = (ev.OrderCanceled, ev.OrderExpired)
RESOLVED = (
    ev.OrderAccepted,
    ev.OrderFilled,
    *ENDS,
    ev.OrderRejected,
    ev.OrderNeverArrived,
)
"""What ends a doubt."""

TRADED = (ACCOUNT, OTHER)
_OVER = (ExecType.CANCELED, ExecType.EXPIRED)


class Timing:
    """Measures one run. `spans` are seconds by name; `slow` hears how long each repair took.

    Args:
        now: seconds since the run began.
    """

    def __init__(self, now: Callable[[], float], slow: Callable[[str, float], None]) -> None:
        self.spans: dict[str, list[float]] = defaultdict(list)
        self._now = now
        self._slow = slow
        self._doubts: dict[str, int] = {}
        self._due: dict[str, float] = {}  # what the exchange did that is not in our books yet
        self._dropped: dict[str, float] = {}
        self._started: float | None = None
        self._killed: float | None = None

    def _span(self, name: str, seconds: float) -> None:
        self.spans[name].append(round(seconds, 3))

    def on_start(self) -> None:
        """Hear that a process starts."""
        self._started = self._now()
        self._killed = None

    def hear_venue(self, outputs: Sequence[Output]) -> None:
        """Hear what the exchange did, before its frames leave."""
        for output in outputs:
            if isinstance(output, OrderUpdate) and output.report.account in TRADED:
                report = output.report
                if report.exec_type is ExecType.TRADE:
                    self._due[f"{report.symbol} {report.trade_id}"] = self._now()
                elif report.exec_type in _OVER:
                    self._due[report.cl_ord_id] = self._now()

    def on_dropped(self, frame: bytes) -> None:
        """Hear that a frame was dropped; before its text stand the bytes of a WebSocket."""
        try:
            event = msgspec.json.decode(frame[frame.index(b"{") :])
        except (msgspec.DecodeError, ValueError):
            return  # it was bent before it was dropped, and told nothing
        order = event.get("data", event).get("o") or {}
        if order.get("x") == "TRADE":
            self._dropped.setdefault(f"{order['s']} {order['t']}", self._now())
        elif order.get("x") in {"CANCELED", "EXPIRED"}:
            self._dropped.setdefault(str(order["c"]), self._now())

    def hear_facts(self, facts: Sequence[ev.Event]) -> None:
        for fact in facts:
            if isinstance(fact, ev.OrderInDoubt):
                self._doubts[fact.cl_ord_id] = fact.fence_ts
            elif isinstance(fact, RESOLVED):
                self._resolve(fact)
            elif isinstance(fact, ev.SessionChanged):
                if fact.status is TradingSessionStatus.RUNNING and self._started is not None:
                    self._span(START, self._now() - self._started)
                    self._started = None
            elif isinstance(fact, ev.KillSwitchEngaged):
                self._killed = self._now()
            elif isinstance(fact, ev.KillSwitchReleased):
                self._killed = None
            elif isinstance(fact, ev.KillSwitchVerified) and self._killed is not None:
                self._span(KILL_SWITCH, self._now() - self._killed)
                self._killed = None

    def _resolve(self, fact: ev.Event) -> None:
        if isinstance(fact, ev.OrderFilled):
            name = f"{fact.symbol} {fact.trade_id}"
            if (since := self._due.pop(name, None)) is not None:
                self._span(FILL, self._now() - since)
            self._repair(name)
        cl_ord_id: str = fact.cl_ord_id  # type: ignore[union-attr]  # all of `RESOLVED` have it
        if isinstance(fact, ENDS):
            self._repair(cl_ord_id)
        if (fence_ts := self._doubts.pop(cl_ord_id, None)) is not None:
            self._span(DOUBT, (fact.ts - fence_ts) / NS_PER_S)

    def _repair(self, name: str) -> None:
        since = self._dropped.pop(name, None)
        if since is not None:
            self._span(REPAIR, self._now() - since)
            self._slow(name, self._now() - since)
