"""What a person is told, and how often: an alarm that comes again and again is read by nobody.

Rule 1: one alarm is not told more than twice within a minute, in the same words, however long what
        it tells of lasts. A connection that comes and goes is news each time; that a contract takes
        no orders, or ends, or the address is banned, is told at each start.
Rule 2: what somebody else places in a symbol is told of once in ten minutes.
Rule 3: an account whose stream is not open is told of, and no entry goes out there: nobody would
        hear what became of it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..journal.codec import decode
from ..model import events as ev
from ..model.values import AccountId, NewOrder, OrderRole, TradingSessionStatus
from .judge import Judge
from .process import running

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World

AGAIN_S, TIMES_MAX = 60.0, 2
USUAL_S = 600.0
DEAF_S_MAX = 20.0
"""How long an account's stream may be gone before a person must have been told."""

TELLING = frozenset(
    {
        *("protection_missing", "protection_closed", "close_refused", "turn_short"),
        *("emergency_close", "link_down", "breaker_open", "account_mode", "contract_halted"),
        *("books_differ", "session_error", "order_lost", "books_unread"),
    }
)
"""Alarms that tell a person that what is held may be unguarded: see the oracle of stops."""

PARENTS_KEPT, STARTS_KEPT = 50, 50

HEARD_S_MAX = 2.0
"""How soon a stream that is gone is known to be."""

_FORGETS = ("power_cut_lost_tail", "amnesia", "zombie")
_OF_A_HOLDING = ("protection_closed", "protection_missing", "turn_short")
_AT_EACH_START = ("contract_halted", "contract_ends", "banned", "stop_cut_off")
_COME_AND_GO = ("link_down", "account_mode", "margin_mode")
_UNDER_WAY = (TradingSessionStatus.RUNNING, TradingSessionStatus.PAUSED)

Name = tuple[str, str, str, str]


class Alarms(Judge):
    """Judges the alarms of one run."""

    oracle = "alarms"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lost = 0
        self._told: defaultdict[Name, list[tuple[float, int]]] = defaultdict(list)  # as strangers
        self._strangers: dict[tuple[str, str], tuple[float, int]] = {}  # when, by which clock
        self._deaf: dict[AccountId, float] = {}  # since when
        self._down: dict[AccountId, float] = {}  # when it was told last, in this life
        self._parents: defaultdict[tuple[str, str], deque[float]] = defaultdict(
            lambda: deque(maxlen=PARENTS_KEPT)
        )
        self._starts: deque[float] = deque(maxlen=STARTS_KEPT)

    def begin(self, live: LiveSession) -> None:
        self._deaf, self._down = {}, {}
        self._starts.append(self.world.loop.time())
        lost = sum(self.world.fired[each] for each in _FORGETS)
        if lost != self._lost:  # facts are gone, or were told by two at once
            self._lost = lost
            self._told.clear()
        kept = {
            (fact.account, fact.symbol, fact.ts)
            for fact in map(decode, self.world.disk.rows)
            if isinstance(fact, ev.AlarmRaised)
        }  # what a process that was killed did not put on record was told to nobody
        for name, times in self._told.items():
            times[:] = [each for each in times if (name[1], name[2], each[1]) in kept]
        self._strangers = {
            key: told for key, told in self._strangers.items() if (*key, told[1]) in kept
        }

    def hear_facts(self, facts: Iterable[ev.Event]) -> None:
        if running() is not self.world.process:
            return  # a zombie's, which knows of no successor
        for fact in facts:
            if isinstance(fact, ev.AlarmRaised):
                self._judge(fact)
            elif isinstance(fact, ev.OrderSubmitted):
                self._judge_entry(fact.order)
            elif isinstance(fact, ev.ParentStarted):
                self._parents[fact.account, fact.symbol].append(self.world.loop.time())

    def _judge_entry(self, order: NewOrder) -> None:
        """See that nothing is opened where nothing is heard."""
        live, since = self.world.live, self._deaf.get(order.account)
        known = None if live is None else live.engine.state.orders.get(order.cl_ord_id)
        if live is None or since is None or known is None or known.request is not order:
            return  # all is heard, or it is a zombie's: what leaves of it is judged elsewhere
        held = live.engine.state.position(order.key).qty * order.side.sign
        is_entry = order.role is OrderRole.ENTRY and not order.reduce_only
        account = self.world.accounts.venue_names[order.account]
        if not is_entry or account in self._heard() or held <= -order.qty:
            return
        process = self.world.process
        gone_at = self.world.road.gone_at.get((process, account), 0.0) if process else 0.0
        since = max(since, gone_at)  # it may have come and gone between two looks
        if self.world.loop.time() - since > HEARD_S_MAX:
            self.say(f"{order.cl_ord_id} goes out, and the stream of {order.account} is down")

    def _judge(self, fact: ev.AlarmRaised) -> None:
        now = self.world.loop.time()
        if fact.code == "link_down":
            self._down[fact.account] = now
        if fact.code in _COME_AND_GO:
            return
        told = self._told[fact.code, fact.account, fact.symbol, fact.text]
        told[:] = [*(each for each in told if now - each[0] < AGAIN_S), (now, fact.ts)]
        if len(told) > TIMES_MAX + self._news(fact, now):
            self.say(f"{fact.code} was told {len(told)} times in a minute: {fact.text}")
        if fact.code == "order_adopted" and "of somebody else" in fact.text:
            self._judge_stranger(fact, now)

    def _news(self, fact: ev.AlarmRaised, now: float) -> int:
        """Return how many holdings of a symbol are new: each has a stop of its own to tell of.

        Of what is told at each start: how many starts.
        """
        began: Iterable[float] = ()
        if fact.code in _OF_A_HOLDING:
            began = self._parents[fact.account, fact.symbol]
        elif fact.code in _AT_EACH_START:
            began = self._starts
        return sum(1 for at in began if now - at < AGAIN_S)

    def _judge_stranger(self, fact: ev.AlarmRaised, now: float) -> None:
        key = (fact.account, fact.symbol)
        before, self._strangers[key] = self._strangers.get(key), (now, fact.ts)
        if before is not None and now - before[0] < USUAL_S:
            ago = now - before[0]
            self.say(f"{fact.symbol}: somebody else's orders were told of {ago:.0f} s ago")

    def _heard(self) -> set[str]:
        """Return the exchange's names of the accounts whose streams are open."""
        process = self.world.process
        return {
            each.account
            for each in self.world.road.sockets
            if each.process is process and each.is_users and each.is_open
        }

    def look(self) -> None:
        """See whose stream has been gone for long, and whether that was told."""
        world, now = self.world, self.world.loop.time()
        live, process = world.live, world.process
        if live is None or process is None or process.is_dead or process.is_frozen:
            self._deaf = {}
            return
        has_begun = live.shell.has_begun and not live.shell.has_failed
        if live.status not in _UNDER_WAY or not has_begun:
            self._deaf = {}
            return
        open_ones = self._heard()
        for name, account in world.accounts.venue_names.items():
            if account in open_ones:
                self._deaf.pop(name, None)
                continue
            since = self._deaf.setdefault(name, now)
            if now - since > DEAF_S_MAX and name not in self._down:
                self.say(f"{name}: its stream has been gone for {now - since:.0f} s, and no alarm")
