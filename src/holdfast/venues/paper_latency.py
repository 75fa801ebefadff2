"""The paper venue at a distance: requests arrive later than they were sent, news is heard later.

A request reaches the exchange `latency_ns` of feed time after it was sent and is matched against
the market of that time; what the exchange says is heard `latency_ns` after it was said. Books are
read at once: a read decides nothing that the reports on the way would not.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

from ..model.commands import CancelOrder, QueryOrder, ReplaceOrder, Resync, SubmitOrder
from ..model.instrument import Instrument
from ..model.market import MarketData, Trade
from ..model.messages import VenueMessage, VenueSnapshot
from ..model.values import AccountId, Symbol
from ..ports import Capabilities, Clock
from .paper import NEVER, PaperVenue

UNDERWAY_MAX = 100_000
"""How many requests and reports may be on their way."""


class DistantVenue:
    """A paper venue, `latency_ns` away.

    Args:
        near: the venue; its time is only what it is told, it has no clock.
        clock: the session's; it goes to the time at which each report is heard.
    """

    def __init__(self, near: PaperVenue, clock: Clock, latency_ns: int) -> None:
        self._near = near
        self._clock = clock
        self._latency_ns = latency_ns
        self._underway: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._hear: Callable[[VenueMessage], None]

    @property
    def name(self) -> str:
        return self._near.name

    @property
    def account(self) -> AccountId:
        return self._near.account

    @property
    def capabilities(self) -> Capabilities:
        return self._near.capabilities

    async def connect(
        self, symbols: Sequence[Symbol], hear: Callable[[VenueMessage], None]
    ) -> Sequence[tuple[Instrument, int]]:
        self._hear = hear
        return await self._near.connect(symbols, self._say)

    def submit(self, command: SubmitOrder) -> None:
        self._arrive(command.ts, lambda: self._near.submit(command))

    def cancel(self, command: CancelOrder) -> None:
        self._arrive(command.ts, lambda: self._near.cancel(command))

    def replace(self, command: ReplaceOrder) -> None:
        self._arrive(command.ts, lambda: self._near.replace(command))

    def query(self, command: QueryOrder) -> None:
        self._arrive(self._clock.now(), lambda: self._near.query(command))

    def resync(self, command: Resync) -> None:
        self._near.resync(command)

    async def close(self) -> None:
        await self._near.close()

    # The market and time

    def on_market(self, message: MarketData) -> None:
        self._near.on_market(message)

    def pass_time(self, now: int) -> None:
        """Let what is underway arrive that is due by now, the clock going along."""
        while self._underway and self._underway[0][0] <= now:
            due_ts, _, arrive = heapq.heappop(self._underway)
            self._clock.advance(due_ts)
            arrive()

    def tick(self, now: int) -> None:
        self.pass_time(now)
        self._near.tick(now)

    # What need not be looked at

    @property
    def due_ts(self) -> int:
        due = self._underway[0][0] if self._underway else NEVER
        return min(due, self._near.due_ts)

    def band(self, symbol: Symbol) -> tuple[float, float]:
        return self._near.band(symbol)

    def pass_over(self, trade: Trade) -> None:
        self._near.pass_over(trade)

    # The way there and back

    def _arrive(self, sent_ts: int, request: Callable[[], None]) -> None:
        due_ts = sent_ts + self._latency_ns

        def arrive() -> None:
            self._near.tick(due_ts)
            request()

        self._send(due_ts, arrive)

    def _say(self, message: VenueMessage) -> None:
        if isinstance(message, VenueSnapshot):
            self._hear(message)
        else:
            self._send(self._near.time + self._latency_ns, lambda: self._hear(message))

    def _send(self, due_ts: int, what: Callable[[], None]) -> None:
        if len(self._underway) >= UNDERWAY_MAX:
            raise RuntimeError(f"{UNDERWAY_MAX} requests and reports are underway")
        self._number += 1
        heapq.heappush(self._underway, (due_ts, self._number, what))
