"""What happens in a session, as lines for people: fills, denials, alarms, the session's moves."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from ..model import events as ev
from ..model.errors import SessionStateError
from ..model.instrument import DOLLARS
from ..model.values import MAIN, NS_PER_S, ClOrdId, NewOrder, OrderRole, plain
from ..runtime.notices import LogNotifier
from ..runtime.service import LiveTradingService
from ..runtime.unread import LINE_MAX, has_room
from ..stats import SessionStats
from .output import visible

LINES_KEPT = 50
_ROLES = {
    OrderRole.ENTRY: "",
    OrderRole.EXIT: "exit",
    OrderRole.STOP_LOSS: "stop loss",
    OrderRole.TAKE_PROFIT: "take profit",
}


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened. `kind` is one word; `ts` is the session's time."""

    ts: int
    kind: str
    text: str

    @property
    def clock(self) -> str:
        """Return the time of day, UTC."""
        return f"{datetime.fromtimestamp(self.ts / NS_PER_S, UTC):%H:%M:%S}" if self.ts else ""

    @property
    def early(self) -> str:
        """Return what is to be told of it while a session starts; "" where that can wait."""
        if self.kind == "ALARM":
            return f"ALARM {self.text}"
        return self.text if self.kind == "NOTICE" else ""


class View(Protocol):
    """Shows a session while it runs. Must not raise, and must not keep the loop waiting."""

    def hear_early(self, line: Line) -> None:
        """Hear of what happens before there is a session to show."""

    def begin(self, service: LiveTradingService, happenings: Happenings) -> None:
        """Show a session that has just begun to run."""

    def refresh(self, figures: SessionStats) -> None:
        """Take a new look; called about four times a second, on the loop."""

    def tell(self, text: str) -> None:
        """Show a message to the person who runs the session."""

    def end(self) -> None:
        """Show nothing more."""


class Silent:
    """Shows nothing."""

    def hear_early(self, line: Line) -> None: ...

    def begin(self, service: LiveTradingService, happenings: Happenings) -> None: ...

    def refresh(self, figures: SessionStats) -> None: ...

    def tell(self, text: str) -> None:
        """Write a message to stderr, whatever becomes of it; none where nobody reads there."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if has_room(sys.stderr):
                os.write(sys.stderr.fileno(), f"holdfast: {text[:LINE_MAX]}\n".encode())

    def end(self) -> None: ...


class Happenings:
    """Keeps the newest lines and tells one listener of each.

    Nothing of it is done before `follow`; each fact then costs a line of text.
    """

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self.counts: Counter[str] = Counter()
        self.listener: Callable[[Line], None] | None = None
        self._service: LiveTradingService | None = None
        self._wish = ""

    def follow(self, service: LiveTradingService) -> None:
        """Hear of a session from its bus."""
        self._service = service
        for topic, handler in self._handlers().items():
            service.event_bus.subscribe(topic, handler)

    def add(self, ts: int, kind: str, text: str) -> None:
        """Keep a line and tell the listener."""
        line = Line(ts, kind, visible(text))
        self.lines.append(line)
        self.counts[kind] += 1
        if self.listener is not None:
            self.listener(line)

    def now(self) -> int:
        """Return the session's time; 0 before it has one."""
        try:
            return self._service.now() if self._service else 0
        except SessionStateError:
            return 0

    def _handlers(self) -> dict[str, Callable[..., None]]:
        return {
            "signal.received": self._wished,
            "signal.denied": self._wish_denied,
            "order.denied": self._denied,
            "order.rejected": self._rejected,
            "order.filled": self._filled,
            "order.in_doubt": self._in_doubt,
            "session.changed": self._moved,
            "strategy.stopped": self._strategy_stopped,
            "kill_switch.engaged": self._killed,
            "kill_switch.released": self._released,
        }

    def _order(self, cl_ord_id: ClOrdId) -> NewOrder | None:
        if self._service is None:
            return None
        order = self._service.live.engine.state.orders.get(cl_ord_id)
        return order.request if order else None

    def _filled(self, fill: ev.OrderFilled) -> None:
        order = self._order(fill.cl_ord_id)
        what = _ROLES[order.role] if order else "not ours"
        notes = [what, str(order.strategy_id) if order else ""]
        if fill.account != MAIN:
            notes.append(f"account {fill.account}")
        if fill.realized_pnl:
            notes.append(f"{fill.realized_pnl:+,.2f}")
        fee = f"{fill.fee:,.2f}" if fill.fee_asset in DOLLARS else plain(fill.fee)
        notes.append(f"fee {fee} {fill.fee_asset}")
        text = f"{fill.side.value} {plain(fill.qty)} {fill.symbol} @ {plain(fill.price)}"
        self.add(fill.ts, "FILL", f"{text}  {', '.join(n for n in notes if n)}")

    def _wished(self, fact: ev.SignalReceived) -> None:
        self._wish = f"{fact.signal.signal_type.value} {fact.signal.symbol}"

    def _wish_denied(self, fact: ev.SignalDenied) -> None:
        self.add(fact.ts, "DENIED", f"{self._wish}  {fact.rule}: {fact.reason}")

    def _denied(self, fact: ev.OrderDenied) -> None:
        order = fact.order
        text = f"{order.side.value} {plain(order.qty)} {order.symbol}"
        self.add(fact.ts, "DENIED", f"{text}  {fact.rule}: {fact.reason}")

    def _rejected(self, fact: ev.OrderRejected) -> None:
        order = self._order(fact.cl_ord_id)
        text = f"{order.side.value} {plain(order.qty)} {order.symbol}" if order else fact.cl_ord_id
        self.add(fact.ts, "REJECTED", f"{text}  {fact.reason}")

    def _in_doubt(self, fact: ev.OrderInDoubt) -> None:
        self.add(fact.ts, "DOUBT", f"{fact.cl_ord_id}  {fact.reason}")

    def _moved(self, fact: ev.SessionChanged) -> None:
        self.add(fact.ts, "SESSION", f"{fact.status.value}  {fact.reason}")

    def _strategy_stopped(self, fact: ev.StrategyStopped) -> None:
        self.add(fact.ts, "STRATEGY", f"{fact.strategy_id} stopped: {fact.reason}")

    def _killed(self, fact: ev.KillSwitchEngaged) -> None:
        self.add(fact.ts, "KILL", f"kill switch engaged: {fact.reason}")

    def _released(self, fact: ev.KillSwitchReleased) -> None:
        self.add(fact.ts, "KILL", f"kill switch released by {fact.operator}")


class TellingNotifier:
    """Writes notices to the log, and shows them."""

    never_blocks = True

    def __init__(self, happenings: Happenings) -> None:
        self._log = LogNotifier()
        self._happenings = happenings

    def notify(self, level: str, text: str) -> None:
        """Tell of a notice."""
        self._log.notify(level, text)
        kind = "ALARM" if level == "alarm" else "NOTICE"
        self._happenings.add(self._happenings.now(), kind, text)
