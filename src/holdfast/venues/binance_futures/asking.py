"""Ask the venue until there is an answer: limits, tries, backing off, the fence.

Rule 1: a request whose outcome is in doubt is never sent again. What is sent again was refused
        in words that say that nothing was done, or never left.
Rule 2: no command leaves at or past its own fence, and a command keeps its own time on every try.
Rule 3: reads, entries and amendments leave connections free: what ends risk never waits behind
        them, nor does a setting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from ...model.values import NS_PER_MS, NS_PER_S
from ...ports import NO_ROOM, NOT_CONNECTED, TOO_LATE, Clock
from ..limits import HTTP_BANNED, HTTP_TOO_MANY, Budget, Urgency, backoff_ns
from .clock_offset import SAMPLES, ClockOffset
from .codec import BadFrame, Call, Cost, RateLimit, reads, server_time_ms
from .counters import LIMITS, place_of
from .outcomes import Ask, Kind, Outcome, Then, classify
from .rest import WALLED, Reply, Road
from .turns import Turns

READ_WINDOW_NS = 5 * NS_PER_S
FIRST_BACKOFF_NS = 100 * NS_PER_MS
BACKOFF_MAX_NS = 10 * NS_PER_S
ROOM_PATIENCE_NS = 90 * NS_PER_S
"""How long a read waits for room within the limits before it gives up."""

ROOM_LOOKS_MAX = 200
"""How often room is looked for: others may take it first."""

READING_TOLD_MAX = 3
"""How many of the questions under way are named."""

DETOUR_LOOK_S = 1.0
"""How often a way around a firewall is looked for."""

SECOND_LOOK_S = 5.0
"""How long after the venue said that it has no such contract it is asked once more."""

_NO_PLACE = Reply(0, was_sent=False, text="other orders have the connections that entries may use")

TOO_MANY_REQUESTS, TOO_MANY_ORDERS, BAD_SYMBOL = -1003, -1015, -1121


class Answered(NamedTuple):
    """What a request came to. `asked_ts` is our time at which the last try left."""

    outcome: Outcome
    reply: Reply
    asked_ts: int

    @property
    def is_ok(self) -> bool:
        """Tell whether `reply` has the body that was asked for."""
        return self.reply.is_ok and self.outcome.kind is Kind.TREAT_AS_SUCCESS


async def twice_if_gone(ask: Callable[[], Awaitable[Answered]]) -> Answered:
    """Ask, and once more after a while where the venue has no such contract.

    With its contract an order is taken for gone: more than a moment's gap in a list must say so.
    """
    answered = await ask()
    if answered.outcome.code != BAD_SYMBOL:
        return answered
    await asyncio.sleep(SECOND_LOOK_S)
    return await ask()


class Begun(NamedTuple):
    """A request that has left already, when in our time, and by which road."""

    answer: Awaitable[Reply]
    asked_ts: int
    road: Road


class Asker:
    """Asks over one road, REST unless told otherwise.

    Args:
        random: draws from 0 to 1, for jitter.
    """

    def __init__(
        self,
        road: Road,
        clock: Clock,
        random: Callable[[], float],
        *,
        retry_attempts: int = 3,
        budget: Budget | None = None,
    ) -> None:
        self.road = road
        self.clock = clock
        self.offset = ClockOffset()
        self.budget = budget or Budget(LIMITS, random)
        self.on_ban: Callable[[int], None] = lambda _: None
        """Hears when a ban of the address ends (ns), whenever it refuses or holds back."""

        self._random = random
        self._attempts_max = retry_attempts + 1
        self._reading: list[str] = []
        self._turns = Turns(clock)
        self._held_until = 0
        self._measuring = asyncio.Lock()
        self._measured: list[bool] = []  # the answers of the last measurement

    @property
    def awaits(self) -> str:
        """Say what is being waited for; "" where nothing is."""
        if self.is_held:
            until = datetime.fromtimestamp(self._held_until // NS_PER_S, UTC)
            return f"room within the venue's limits, until {until:%H:%M:%S} UTC"
        if self._reading:
            return f"an answer to {', '.join(sorted(set(self._reading))[:READING_TOLD_MAX])}"
        return ""

    @property
    def is_held(self) -> bool:
        """Tell whether a request waits for room within the limits."""
        return self.clock.now() < self._held_until

    async def read(
        self, call: Call, *, ask: Ask = Ask.QUERY, urgency: Urgency = Urgency.READ
    ) -> Answered:
        """Ask what may be repeated at will; each try has a time of its own."""
        name = f"{call.route.verb} {call.route.path}"
        self._reading.append(name)
        try:
            return await self.ask(
                lambda ts: reads.at(call, ts, READ_WINDOW_NS), call.cost, ask, urgency
            )
        finally:
            self._reading.remove(name)

    async def admit(self, cost: Cost, urgency: Urgency) -> bool:
        """Take what is sent past us out of the limits; return when it may leave, False if never."""
        if not await self._find_room(cost, urgency, self._until(None)):
            return False
        self.budget.spend(cost, self.clock.now())
        return True

    def begin(self, call: Call, urgency: Urgency, fence_ts: int, road: Road) -> Begun | None:
        """Send at once what may leave at once; hand the result to `ask`, which waits for it.

        Returns:
            None where it can't: nothing was written, and `ask` will see to it.
        """
        now, cost = self.clock.now(), call.route.cost
        if now >= fence_ts or not self.budget.fits(cost, urgency, now):
            return None
        answer = road.begin(call)
        if answer is None:
            return None
        self.budget.spend(cost, now)
        return Begun(answer, now, road)

    async def ask(  # noqa: PLR0913 - what a request consists of
        self,
        make: Callable[[int], Call],
        cost: Cost,
        ask: Ask,
        urgency: Urgency,
        *,
        fence_ts: int | None = None,
        roads: Callable[[], Road] | None = None,
        begun: Begun | None = None,
    ) -> Answered:
        """Ask until answered, refused or out of tries.

        Args:
            make: is given the venue's time, and makes the call that leaves then.
            fence_ts: our time at which it may no longer leave.
            roads: returns the road of the next try, once for each.
            begun: the first try, where it has left.

        Returns:
            An outcome RETRY_LATER where the tries are used up; FINAL where no byte has left.
        """
        is_late = fence_ts is not None and self.clock.now() >= fence_ts
        unsent = Outcome(Kind.FINAL, reason=TOO_LATE if is_late else NO_ROOM)
        last = Answered(unsent, Reply(0, was_sent=False), 0)
        take = roads or (lambda: self.road)
        detour: Road | None = None
        for attempt in range(self._attempts_max):
            if begun is not None:
                answer, asked_ts, road = begun
                begun, reply = None, await answer
            else:
                depart = partial(self._depart, make, take, detour)
                left = await self._leave(depart, cost, ask, urgency, fence_ts)
                if left is None:
                    break
                reply, asked_ts, road = left
            last = Answered(self._judge(ask, reply, asked_ts), reply, asked_ts)
            if reply.was_sent and last.outcome.kind is not Kind.RETRY_LATER:
                break
            if reply.was_sent and last.outcome.then is Then.SYNC_CLOCK:
                await self.sync_clock()
            if attempt + 1 >= self._attempts_max:
                break
            is_due, detour = await self._pause(take, road, last, attempt, fence_ts)
            if not is_due:
                break
        return last

    async def _leave(
        self,
        depart: Callable[[], Begun],
        cost: Cost,
        ask: Ask,
        urgency: Urgency,
        fence_ts: int | None,
    ) -> tuple[Reply, int, Road] | None:
        """Send once there is room and a place, and wait for the reply; None where there is none.

        What was heard while it waited for its place counts: a refusal of the address for one. Its
        cost is taken as it leaves, and nobody waits for room in a place that others could use.
        """
        until = self._until(fence_ts)
        while await self._find_room(cost, urgency, until):
            async with self._turns.of(ask, urgency, until) as has_place:
                now = self.clock.now()
                if not has_place:
                    return _NO_PLACE, now, self.road
                if self.budget.fits(cost, urgency, now):
                    self.budget.spend(cost, now)
                    answer, asked_ts, road = depart()
                    return await answer, asked_ts, road
        return None

    def _depart(
        self, make: Callable[[int], Call], take: Callable[[], Road], detour: Road | None
    ) -> Begun:
        asked_ts, road = self.clock.now(), detour or take()
        return Begun(road.send(make(self.offset.venue_time(asked_ts))), asked_ts, road)

    async def _pause(
        self,
        take: Callable[[], Road],
        left_by: Road,
        last: Answered,
        attempt: int,
        fence_ts: int | None,
    ) -> tuple[bool, Road | None]:
        """Wait before the next try.

        Returns:
            Whether its fence lets it be, and the road that leads around a wall, where one stands.
        """
        delay_ns, road = last.outcome.delay_ns, None
        if last.reply.status == WALLED:
            patience_ns = delay_ns if fence_ts is None else 0
            road = await self._around(take, left_by, patience_ns)
            delay_ns = 0 if road is not left_by or patience_ns else delay_ns
        return await self._back_off(delay_ns, attempt, fence_ts), road

    async def _around(self, take: Callable[[], Road], left_by: Road, patience_ns: int) -> Road:
        """Return a road that a wall does not stand before, or, after so long, that very one."""
        until = self.clock.now() + patience_ns
        road = take()
        if road is left_by:
            road = take()  # roads may take turns
        while road is left_by and self.clock.now() < until:
            await asyncio.sleep(DETOUR_LOOK_S)
            road = take()
        return road

    def _until(self, fence_ts: int | None) -> int:
        """Return until when room is waited for."""
        return self.clock.now() + ROOM_PATIENCE_NS if fence_ts is None else fence_ts

    async def _find_room(self, cost: Cost, urgency: Urgency, until: int) -> bool:
        """Wait until the limits would let a request through; tell whether they do in time."""
        for _ in range(ROOM_LOOKS_MAX):
            now = self.clock.now()
            if now >= until:
                return False
            due = self.budget.look(cost, urgency, now)
            if due <= now:
                return True
            if self.budget.banned_until > now:
                self.on_ban(self.budget.banned_until)
            if due >= until:
                return False
            self._held_until = max(self._held_until, due)
            await asyncio.sleep((due - now) / NS_PER_S)
        return False

    async def _back_off(self, delay_ns: int, attempt: int, fence_ts: int | None) -> bool:
        """Wait before the next try; False where its fence would be past."""
        wait_ns = backoff_ns(delay_ns or FIRST_BACKOFF_NS, attempt, self._random)
        wait_ns = min(wait_ns, max(BACKOFF_MAX_NS, delay_ns))
        if fence_ts is not None and self.clock.now() + wait_ns >= fence_ts:
            return False
        await asyncio.sleep(wait_ns / NS_PER_S)
        return True

    def _judge(self, ask: Ask, reply: Reply, asked_ts: int) -> Outcome:
        now, late = self.clock.now(), self.offset.late
        self.hear_limits(reply.limits)
        for place, count in enumerate(reply.counts):
            if count >= 0:
                self.budget.hear_count(place, count, now, asked_ts=asked_ts, late=late)
        if not reply.was_sent:
            return Outcome(Kind.FINAL, failure="venue", reason=f"{NOT_CONNECTED}{reply.text}")
        self.hear_refusal(reply)
        return classify(ask, reply.status, reply.code, reply.text)

    def hear_refusal(self, reply: Reply) -> None:
        """Hear what refuses this address, or its orders: in an answer, or without any request."""
        now, late = self.clock.now(), self.offset.late
        is_ban = reply.status == HTTP_BANNED
        if reply.code == TOO_MANY_ORDERS and not is_ban:
            self.budget.hear_full(now, reply.text, retry_after_s=reply.retry_after_s, late=late)
        elif is_ban or reply.status == HTTP_TOO_MANY or reply.code == TOO_MANY_REQUESTS:
            until = self.budget.hear_refusal(
                HTTP_BANNED if is_ban else HTTP_TOO_MANY,
                now,
                retry_after_s=reply.retry_after_s,
                text=reply.text,
                late=late,
            )
            if is_ban:
                self.on_ban(until)

    def hear_limits(self, limits: tuple[RateLimit, ...]) -> None:
        """Take the venue's own word for how much it allows."""
        for limit in limits:
            place = place_of(limit)
            if place is not None:
                self.budget.hear_limit(place, limit.limit)

    def hear_stream_refused(self, seconds: float, is_ban: bool) -> None:
        """Hear for how long no stream may be opened: those have counters of their own."""
        if is_ban:
            self.on_ban(self.clock.now() + int(seconds * NS_PER_S))

    def hear_refused(self, seconds: float, is_ban: bool) -> None:
        """Hear for how long nothing at all of this address is taken."""
        status = HTTP_BANNED if is_ban else HTTP_TOO_MANY
        until = self.budget.hear_refusal(status, self.clock.now(), retry_after_s=seconds)
        if is_ban:
            self.on_ban(until)

    async def sync_clock(self) -> bool:
        """Measure the venue's time anew, or wait for who does; tell whether it answered."""
        before = self._measured
        async with self._measuring:
            if self._measured is not before:
                return bool(self._measured)
            self.offset.begin()
            answers = [await self._sample_time() for _ in range(SAMPLES)]
            self._measured = [each for each in answers if each]
        return bool(self._measured)

    async def _sample_time(self) -> bool:
        call = reads.server_time()
        if not await self.admit(call.cost, Urgency.PROTECT):
            return False
        asked_ts = self.clock.now()
        reply = await self.road.send(call)
        self._judge(Ask.QUERY, reply, asked_ts)
        if not reply.is_ok:
            return False
        try:
            self.offset.hear(asked_ts, self.clock.now(), server_time_ms(reply.body))
        except BadFrame:
            return False
        return True
