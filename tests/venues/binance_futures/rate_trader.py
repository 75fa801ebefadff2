"""Who asks more of the adapter than the venue allows, and judges who had to wait, and for what."""

from __future__ import annotations

import asyncio
import itertools
import math
from decimal import Decimal

from holdfast.model.commands import QueryOrder, Resync, SubmitOrder
from holdfast.model.messages import AddressBanned, VenueFailure
from holdfast.model.values import MAIN, NS_PER_S, ClOrdId, NewOrder, OrderRole, OrderType, Side
from holdfast.venues.binance_futures.codec import reads
from holdfast.venues.limits import Urgency
from tests.venues.binance_futures.desk_floor import (
    ALGO_CANCEL,
    ALGO_PLACE,
    ANSWER_S,
    BASE_MS,
    CANCEL,
    METHODS,
    PLACE,
)
from tests.venues.binance_futures.desk_roads import ApiLine, UserLine
from tests.venues.binance_futures.desk_trader import BTC, FENCE_S, WINDOW_S, Trader
from tests.venues.binance_futures.rate_gate import UNNAMED_S

WINDOW_END_S = 62.0
"""How long what is full stays full, at most: a window, and what clocks differ by."""

ROOM_S = 600.0
"""How long a read may take, with all its tries, each of which may wait for room."""

KEPT = (0.04, 0.1, 0.1)
"""The part of each limit that is there for what ends risk, whatever else is asked."""

MISTIMED = -1021
TIME = "GET /fapi/v1/time"
WINDOWS_S = (61.0, 11.0, 61.0)
STRANGERS = 40
"""How many orders that nobody knows are asked after, again and again."""

LEAST = (200, 20, 60)
"""The least that is allowed: a list of all costs 40."""

TRUE_S = 3.5
"""How much later than it is a ban's end may be told: whole seconds, clocks, the way."""

STEP_S = 3.0


class RateTrader(Trader):
    """Asks more than there is room for, and judges who had to wait."""

    def __init__(self, *what):
        super().__init__(*what)
        self.roads.wall = self.clock.now
        self.gate = self.floor.gate
        self.reading = []
        self.strangers = itertools.cycle(range(9000, 9000 + STRANGERS))
        self.others_at = [-1000.0, -1000.0, -1000.0]
        self.quiet_tasks = 0
        self.places: tuple[int, ...] = ()  # the limits that what is asked just now goes by

    def step(self, what):
        getattr(self, f"do_{what}")()

    def do_reads(self):
        self.read_much(self.lots.randint(1, 12))

    def do_audit(self):
        why = self.lots.choice(("audit", "a look"))
        self.venue.resync(Resync(account=MAIN, reason=why, trades_since=1))

    def do_questions(self):
        for _ in range(self.lots.randint(1, 30)):
            self.ask_after_nothing()

    def do_hunger(self):
        self.reading.append(asyncio.ensure_future(self.keep_reading()))

    def do_crowd(self):
        for _ in range(self.lots.randint(5, 40)):
            self.act()

    def do_entries(self):
        """Ask for more entries than there is room for, and then for a stop."""
        for _ in range(self.lots.choice((10, 45))):
            self.place(is_algo=False)
        self.place(is_algo=True)

    def do_kill(self):
        """Take back all that may be open, and close, as a kill switch does."""
        for each in [a for a in self.asked if a.method in (PLACE, ALGO_PLACE)]:
            self.cancel(each)
        self.close()

    def close(self):
        name = ClOrdId(f"hf.1.{next(self.names)}.0.X.x")
        order = NewOrder(
            cl_ord_id=name,
            symbol=BTC,
            side=Side.SELL,
            qty=Decimal("0.4"),
            order_type=OrderType.MARKET,
            reduce_only=True,
            role=OrderRole.EXIT,
        )
        ts = self.clock.now()
        command = SubmitOrder(order=order, ts=ts, recv_window_ns=int(WINDOW_S * NS_PER_S))
        self.begin(PLACE, name, ts, command, self.venue.submit)

    def do_others(self):
        place, share = self.lots.randrange(3), self.lots.choice((0.1, 0.5, 0.9, 1.0))
        self.others_at[place] = self.loop.time()
        self.gate.others(place, round(self.gate.limits[place] * share))

    def do_ban(self):
        self.gate.ban(self.lots.choice((3, 20, 121)))

    def do_api_cut(self):
        self.roads.drop(ApiLine)

    def do_stream_cut(self):
        self.roads.drop(UserLine)

    def do_clock(self):
        self.gate.knows_time = self.knows_time = False
        self.gate.stepped_at = self.loop.time()
        self.floor.off_ms += self.lots.choice((3_000, -3_000, 400, -400))

    def do_limits(self):
        place, share = self.lots.randrange(3), self.lots.choice((0.5, 1.5))
        self.others_at[place] = self.loop.time()
        self.gate.allow(place, max(LEAST[place], round(self.gate.limits[place] * share)))

    def read_much(self, count):
        asker = self.venue._asker
        calls = (reads.income_since(0, 10**15), reads.account(), reads.commission_rate(BTC))
        for _ in range(count):
            call = self.lots.choice(calls)
            urgency = self.lots.choice((Urgency.READ, Urgency.AUDIT, Urgency.TRADE))
            self.reading.append(asyncio.ensure_future(asker.read(call, urgency=urgency)))

    async def keep_reading(self):
        """Use up what there is, as long as the storm lasts."""
        asker, urgency = self.venue._asker, self.lots.choice(list(Urgency))
        while self.floor.is_storm:
            if urgency is Urgency.PROTECT:
                self.ask_after_nothing()
                await asyncio.sleep(self.lots.choice((0.01, 0.1)))
            else:
                await asker.read(reads.account(), urgency=urgency)
                await asyncio.sleep(0.1)

    def ask_after_nothing(self):
        name = ClOrdId(f"hf.1.{next(self.strangers)}.0.E.x")
        self.venue.query(QueryOrder(account=MAIN, symbol=BTC, cl_ord_id=name, is_conditional=False))

    async def calm_down(self):
        """Settle, and wait until nobody waits for anything any more."""
        await self.settle()
        until = self.loop.time() + ROOM_S
        while self.is_busy and self.loop.time() < until:  # noqa: ASYNC110 - of many things
            await asyncio.sleep(1.0)
        self.wrong += self.judge_calm()

    @property
    def is_busy(self):
        asker, desk = self.venue._asker, self.venue._desk
        waits = [not each.done() for each in self.reading] + [bool(desk._asked_after)]
        waits += [bool(self.venue._orders._waiting), self.tasks_left > 0]
        is_shut = self.loop.time() < self.floor.told_until + self.vague_s
        flights, awaited = asker.budget._flights, self.venue._books.awaits
        return any((*waits, is_shut, asker._reading, asker.is_held, flights, awaited))

    @property
    def tasks_left(self):
        return max(0, self.venue._background._running - self.quiet_tasks)

    def judge_calm(self):
        """See that nothing is left over, and that it is known that there is room."""
        venue, asker, now = self.venue, self.venue._asker, self.clock.now()
        left = {
            "reads": [each for each in self.reading if not each.done()],
            "questions": venue._desk._asked_after,
            "under way": venue._desk._under_way,
            "unanswered": venue._orders._waiting,
            "flights": asker.budget._flights,
            "held": venue.held,
            "tasks": self.tasks_left,
        }
        wrong: list[object] = [("left over", what, each) for what, each in left.items() if each]
        wrong += [
            ("more is remembered than can be spent", window.limit)
            for window in asker.budget._windows
            if len(window._spent) > max(window.amount, window.limit.amount)
        ]
        if venue.order_room_at(now) > now + WINDOW_END_S * NS_PER_S:
            wrong.append(("no room for orders", venue.order_room_at(now) - now))
        return wrong

    # Judging

    def judge(self):
        wrong = super().judge() + self.gate.wrong + self.judge_bans()
        told = [m for _, m in self.heard if isinstance(m, VenueFailure) and m.failure == "limits"]
        if told and not (self.gate.refusals or self.gate.bans or "overload" in self.floor.ills):
            wrong.append(("told of limits that were not met", told))
        return wrong

    def judge_bans(self):
        """See that bans are told, and told truly."""
        told = [(at, m) for at, m in self.heard if isinstance(m, AddressBanned)]
        is_untold = self.gate.bans_heard and not told
        wrong: list[object] = []
        if is_untold:
            wrong.append(("a ban was not told", self.gate.ban_ends))
        for at, message in told:
            until = message.until_ts / NS_PER_S - BASE_MS / 1000 - self.clock.ahead_ms / 1000
            ends = [end for began, end in self.gate.ban_ends if began <= at]
            latest = max([*ends, self.floor.told_until], default=0.0) + self.vague_s
            earliest = min([*ends, at + UNNAMED_S if self.gate.is_vague else math.inf])
            if not ends or (self.knows_time and not earliest - 0.01 <= until <= latest):
                wrong.append(("a ban that is none was told", at, until, self.gate.ban_ends))
        return wrong

    @property
    def vague_s(self):
        """How much later than it is an end may be told: one that is torn off, or in seconds."""
        is_slow, is_vague = "slow" in self.floor.ills, self.gate.is_vague
        stepped_s = abs(self.floor.off_ms) / 1000 + STEP_S if not self.knows_time else 0.0
        return TRUE_S + is_slow * ANSWER_S + is_vague * UNNAMED_S + stepped_s

    def judge_rate(self):
        kept, log = self.floor.log, self.floor.log
        self.floor.log = [each for each in log if each.method in METHODS.values()]
        try:
            return super().judge_rate()
        finally:
            self.floor.log = kept

    def judge_time(self, asked):
        latest = max(asked.at + FENCE_S, self.calm_at + 16.0 + 2 * WINDOW_END_S)
        latest = max(latest, self.floor.told_until + 2.0) + 5.0
        if asked.doubted and (asked.doubt_over is None or asked.doubt_over > latest):
            return [("in doubt for too long", asked.doubt_over, latest, asked)]
        if asked.told_at > asked.at + WINDOW_S + ANSWER_S + 0.1:
            return [("its outcome was told late", asked.told_at, asked)]
        is_urgent = ends_risk(asked)
        if is_urgent and asked.is_free and not (asked.sent and asked.sent[0].at == asked.at):
            return [("what ends risk had to wait", asked)]
        is_mistimed = any(getattr(told, "code", None) == MISTIMED for told in asked.bad)
        had_to_wait = self.floor.ills or self.gate.bans or self.gate.stepped_at > asked.at
        if is_urgent and asked.is_free and is_mistimed and not had_to_wait:
            return [("what ends risk was refused for its time", asked)]
        return []

    def begin(self, method, *what):
        self.places = (0,) if method in (CANCEL, ALGO_CANCEL) else (1, 2)
        super().begin(method, *what)

    def is_held(self):
        """Tell whether what ends risk may have to wait now: nothing that we ask else is a reason."""
        now = self.loop.time()
        if self.floor.closed_until and now < self.floor.told_until + self.vague_s:
            return True
        return any(
            now - self.others_at[place] < 2 * WINDOWS_S[place]
            or self.spent_on_risk(place) + 1 > int(KEPT[place] * self.gate.limits[place])
            for place in self.places
        )

    def spent_on_risk(self, place):
        since = self.loop.time() - WINDOWS_S[place]
        methods = (PLACE, ALGO_PLACE) if place else (CANCEL, ALGO_CANCEL)
        asked = [a for a in self.asked if a.method in methods and a.at >= since - WINDOW_S]
        measured = sum(s.method == TIME and s.at >= since for s in self.floor.log)
        tries = sum(max(1, len(each.sent)) for each in asked if ends_risk(each))
        return tries + (0 if place else measured)


def ends_risk(asked):
    """Tell whether it is a stop, an exit or a cancel."""
    if asked.method == PLACE:
        return asked.command.order.reduce_only
    return asked.method in (CANCEL, ALGO_CANCEL, ALGO_PLACE)
