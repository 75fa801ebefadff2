"""The road between an engine and its venue: what is lost, late, doubled, and never answered."""

from __future__ import annotations

import heapq
import random
from decimal import Decimal
from typing import NamedTuple

from holdfast.exchange import Liquidity
from holdfast.model import messages as msg
from holdfast.model.values import NS_PER_MS, NS_PER_S
from holdfast.ports import Clock
from holdfast.venues import PaperVenue
from holdfast.venues.paper import PaperSettings
from holdfast.venues.paper_faults import Fault, Faults

REQUESTS_MAX = 1_500
"""How many requests of one script may suffer a fault."""


class Road(NamedTuple):
    """How bad it is. Chances in percent; whatever is drawn is drawn from the seed."""

    seed: int = 0
    requests: int = 0  # that a request's answer is lost, whatever became of it
    lost: int = 0  # that a report is lost
    late: int = 0  # that a message is late, and overtaken
    twice: int = 0  # that a report is delivered again


GOOD = Road()


def bad(seed: int) -> Road:
    return Road(seed=seed, requests=12, lost=8, late=20, twice=10)


class Delivery:
    """Messages on their way from the venue, each with its time of arrival."""

    def __init__(self, road: Road) -> None:
        self.road = road
        self.silent_until = 0
        self.answers_take_ns = 0
        self._lots = random.Random(road.seed)
        self._coming: list[tuple[int, int, msg.VenueMessage]] = []
        self._number = 0

    def make_venue(self, clock: Clock) -> PaperVenue:
        """Make an exchange whose answers are lost as the road has it."""
        lots = self._lots
        faults = {
            number: lots.choice(list(Fault))
            for number in range(1, REQUESTS_MAX)
            if lots.randrange(100) < self.road.requests
        }
        beyond = lots.choice((None, Decimal("0.0005")))
        delay_ns = lots.choice((2, 4, 8)) * NS_PER_S
        return PaperVenue(
            clock=clock,
            settings=PaperSettings(
                liquidity=Liquidity(beyond_touch=beyond),
                faults=Faults(requests=faults, delay_ns=delay_ns),
            ),
        )

    def take(self, message: msg.VenueMessage, now: int) -> None:
        """Take a message on the way. Answers are never lost here: the venue loses them itself."""
        is_report = isinstance(message, msg.ExecutionReport) and message.exec_type not in (
            msg.ExecType.STATUS,
            msg.ExecType.REJECTED,
        )
        is_news = is_report or isinstance(message, msg.FundingPayment | msg.WalletChange)
        if is_news and (now < self.silent_until or self._draws(self.road.lost)):
            return
        self._send(message, now if is_news else now + self.answers_take_ns)
        if is_news and self._draws(self.road.twice):
            self._send(message, now)

    def _draws(self, percent: int) -> bool:
        return self._lots.randrange(100) < percent

    def _send(self, message: msg.VenueMessage, now: int) -> None:
        delay = 0
        if self._draws(self.road.late):
            delay = self._lots.choice((1, 20, 400, 1_500, 6_000)) * NS_PER_MS
        self._number += 1
        heapq.heappush(self._coming, (now + delay, self._number, message))

    @property
    def next_ts(self) -> int | None:
        return self._coming[0][0] if self._coming else None

    def arrived(self, now: int) -> msg.VenueMessage | None:
        """Hand over the next message that is there; None when there is none."""
        if self._coming and self._coming[0][0] <= now:
            return heapq.heappop(self._coming)[2]
        return None

    def drop(self) -> None:
        """Lose everything on the way: its receiver has died."""
        self._coming.clear()

    def mend(self, venue: PaperVenue) -> None:
        """Take every fault away."""
        self.road = GOOD
        self.silent_until = self.answers_take_ns = 0
        venue._faults = Faults()
