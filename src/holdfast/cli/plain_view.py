"""Show a session as plain lines, for files and pipes: never more of them than one can read."""

from __future__ import annotations

import sys
import time
from collections import Counter
from datetime import UTC, datetime

from ..model.values import NS_PER_S, ZERO
from ..runtime.cut_off import cut_off
from ..runtime.service import LiveTradingService
from ..runtime.unread import LINE_MAX, has_room
from ..stats import SessionStats
from .frame import place_of
from .happenings import Happenings, Line, Silent

LINES_PER_S_MAX = 10
PROGRESS_S = 2.0
"""Between two lines of progress where the feed outruns the clock ..."""

PROGRESS_REAL_TIME_S = 60.0
"""... and where it does not."""

_ALWAYS = frozenset({"ALARM", "SESSION", "KILL", "STRATEGY"})


class PlainView(Silent):
    """Writes to stdout. One that was closed, or whose disk is full, is not written to again.

    Where nobody reads, as a pager that waits for its user, lines are left out: a write would wait,
    and the session with it.
    """

    def __init__(self) -> None:
        self._budget = float(LINES_PER_S_MAX)
        self._budgeted_at = time.monotonic()
        self._left_out: Counter[str] = Counter()
        self._next_progress = 0.0
        self._progress_s = PROGRESS_S
        self._service: LiveTradingService | None = None
        self._is_closed = False

    def hear_early(self, line: Line) -> None:
        """Say at once what a start waits for, and what is amiss: it may come to nothing."""
        if early := line.early:
            self.tell(early)

    def begin(self, service: LiveTradingService, happenings: Happenings) -> None:
        """Say what runs, and what has happened already."""
        self._service = service
        config, session = service.config, service.session()
        if config.speed == 1:
            self._progress_s = PROGRESS_REAL_TIME_S
        self._next_progress = time.monotonic() + self._progress_s
        speed = f"{config.speed:g}x" if config.speed else "as fast as possible"
        self._write(
            f"session {session.id} {session.status.value}: {', '.join(session.strategies)} on "
            f"{', '.join(session.symbols)}, account {place_of(service)}, feed {config.feed} at "
            f"{speed}, "
            f"data in {config.data_dir}"
        )
        for line in happenings.lines:
            self._tell(line)
        happenings.listener = self._tell

    def refresh(self, figures: SessionStats) -> None:
        """Write a line of progress when one is due."""
        now = time.monotonic()
        if now < self._next_progress or self._service is None:
            return
        self._next_progress = now + self._progress_s
        self._tell_left_out()
        live = self._service.live
        exposure = live.engine.core.exposure
        names = exposure.addable(live.accounts.names)
        equity = sum(map(exposure.shown_equity, names), ZERO)
        clock = f"{datetime.fromtimestamp(live.now() / NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"
        self._write(
            f"{clock} {live.status.value:<8} equity {equity:,.2f}  "
            f"realized {figures.total_pnl:+,.2f}  signals {figures.signals:,}  "
            f"denied {figures.denied:,}  orders {figures.orders:,}  "
            f"fills {figures.fills:,}  positions {len(live.engine.state.open_keys())}"
            + "".join(f"  CUT OFF: {text}" for text in cut_off(live))
        )

    def end(self) -> None:
        """Say how many lines were left out, and no more."""
        self._tell_left_out()

    def _tell(self, line: Line) -> None:
        now = time.monotonic()
        earned = (now - self._budgeted_at) * LINES_PER_S_MAX
        self._budget = min(LINES_PER_S_MAX, self._budget + earned)
        self._budgeted_at = now
        is_one_too_many = self._budget < 1 and line.kind not in _ALWAYS
        if is_one_too_many or not has_room(sys.stdout):
            self._left_out[line.kind] += 1
            return
        self._budget -= 1
        self._write(f"{line.clock or '--:--:--'} {line.kind:<8} {line.text}"[:LINE_MAX])

    def _tell_left_out(self) -> None:
        if self._left_out and has_room(sys.stdout):
            counts = ", ".join(f"{n:,} {kind}" for kind, n in sorted(self._left_out.items()))
            self._write(f"         ... and {counts} not shown")
            self._left_out.clear()

    def _write(self, text: str) -> None:
        if self._is_closed or not has_room(sys.stdout):
            return
        try:
            print(text, file=sys.stdout, flush=True)
        except (OSError, ValueError):  # a session does not end because nobody listens
            self._is_closed = True
