"""What is promised of a session's life, held against all that it says, sends and does.

The watch keeps its own account of what was asked for and what was told, by the messages alone.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from holdfast.engine import quiet
from holdfast.engine.engine import Engine
from holdfast.engine.session import TRANSITIONS
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.messages import ExecType
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import NS_PER_S, ZERO, OrderRole
from holdfast.model.values import TradingSessionStatus as Status

HOUR_NS, MINUTE_NS = 3600 * NS_PER_S, 60 * NS_PER_S
THRESHOLD = 5
TOLD_MAX = 3
NEWS = frozenset({"contract_ends", "contract_halted", "strategy_stopped", "turn_short"})
"""What is news each time: see the law of parts for the second."""

AWHILE_NS = 40 * NS_PER_S
"""How long what a stranger has traded may not be known yet, nor closed."""


class Watch:
    """Knows what a session may do, and notes what it does all the same (`found`)."""

    def __init__(self):
        self.house: Any = None  # which it is told of by the house itself
        self.found = []
        self.is_killed, self.kill_flat, self.verified = False, False, 0
        self.is_paused, self.stop, self.has_failed = False, "", False
        self.stopped, self.cut, self.odd = set(), {}, set()
        self.failures, self.opened = {}, {}
        self.alarms: Counter[tuple[str, ...]] = Counter()
        self.status = Status.STOPPED
        self.sent: Counter[type] = Counter()
        self.timers: Counter[tuple[str, int]] = Counter()
        self._until, self._message = 0, None

    @property
    def expected(self):
        """Return where a session must come to stand, left alone."""
        if self.has_failed:
            return Status.ERROR
        if self.stop:
            return Status.STOPPED
        return Status.PAUSED if self.is_paused else Status.RUNNING

    @property
    def wants_flat(self):
        return self.stop == "flat" or (self.is_killed and self.kill_flat)

    def _note(self, text):
        self.found.append(f"{(self.house.now - self.house.began) / NS_PER_S:.3f} {text}")

    # What is said to the session

    def begins(self, *, is_resumed):
        self.status = Status.STOPPED
        self.cut, self.odd = {}, set()
        self.alarms.clear()
        self.has_failed = False  # what had to be stopped in ERROR goes on with its stop
        if not is_resumed:
            self.is_paused, self.stop = False, ""
            self.stopped = set()

    def hears(self, message):
        self._until, self._message = 0, message
        if isinstance(message, msg.Tick):
            self._until = quiet.until(self.house.rig.engine.core)

    def left(self, message):
        """Take a word that was put on record while no process ran."""
        self._follow(message)

    def told(self, message, news, *, is_cut):
        """Take what became of a message; of one whose process died of it, what is on record."""
        if not is_cut:
            self._follow(message)
            self._look_at_answer(message, news)
        for fact in news:
            self._look_at_fact(message, fact)
        if is_cut:
            self.reads(Engine(self.house.rig.settings, self.house.rig.facts).state)

    def _follow(self, message):
        match message:
            case msg.PauseSession():
                self.is_paused = True
            case msg.ResumeSession():
                self.is_paused = False
            case msg.StopSession():
                self.stop = "flat" if message.flatten else self.stop or "keep"
            case msg.EngageKillSwitch():
                self.is_killed, self.verified = True, 0
                self.kill_flat |= message.flatten
            case msg.ReleaseKillSwitch():
                self.is_killed = self.kill_flat = False
            case msg.FailSession():
                self.has_failed |= self.status is not Status.STOPPED
            case msg.ResetSession():
                self.has_failed = False
            case msg.StrategyFailed():
                self.stopped.add(message.strategy_id)
            case msg.StrategyAttached():
                self.stopped.discard(message.strategy_id)
            case _:
                self._follow_venue(message)

    def _follow_venue(self, message):
        now = self.house.now
        match message:
            case msg.VenueLink(is_up=False):
                self.cut[message.account] = 0
            case msg.VenueLink() if message.account in self.cut:
                self.cut[message.account] = now
            case msg.VenueSnapshot() if self.cut.get(message.account):
                if message.asked_ts >= self.cut[message.account]:
                    del self.cut[message.account]
            case msg.AccountMode(problem=""):
                self.odd.discard(message.account)
            case msg.AccountMode():
                self.odd.add(message.account)
            case msg.VenueFailure():
                self._fail(message.account, message.failure)
            case _:
                pass

    def _fail(self, account, failure):
        now, name = self.house.now, (account, failure)
        if now - self.opened.get(name, -HOUR_NS) < MINUTE_NS:
            return
        is_half_open = name in self.opened
        times = [ts for ts in self.failures.get(name, []) if now - ts < HOUR_NS]
        self.failures[name] = [*times, now]
        if is_half_open or len(times) + 1 >= THRESHOLD:
            self.opened[name] = now

    def reads(self, state):
        """Take what a process that died, or lost its power, has left on record."""
        self.is_killed, self.kill_flat = state.is_killed, state.kill_flattens
        self.verified = int(state.is_kill_verified)
        self.has_failed = state.status is Status.ERROR
        is_starting = state.status is Status.STARTING
        self.is_paused = state.status is Status.PAUSED or (is_starting and state.was_paused)
        self.stop = ("flat" if state.stop_flattens else "keep") if state.is_to_stop else ""
        self.stopped = set(state.stopped_strategies)
        self.failures, self.opened = {}, {}
        for name, each in state.breakers.items():
            self.failures[tuple(name.split(" "))] = list(each.failures)
            if each.opened_ts and each.state.name != "CLOSED":
                self.opened[tuple(name.split(" "))] = each.opened_ts

    # What it says

    def _look_at_answer(self, message, news):
        kinds = Counter(type(fact) for fact in news)
        match message:
            case msg.Tick():
                if self.house.now < self._until and (news or self.house.rig.engine.core.commands):
                    commands = self.house.rig.engine.core.commands
                    self._note(f"a tick that was to decide nothing led to {news} {commands}")
            case msg.EngageKillSwitch() if kinds[ev.KillSwitchEngaged] != 1:
                self._note("a kill is not on record")
            case msg.PlaceRequest() if not kinds[ev.ParentStarted]:
                self._note("an order by hand was answered by nothing")
            case SignalGenerated() if not kinds[ev.ParentStarted] + kinds[ev.SignalDenied]:
                self._note("a signal was answered by nothing")
            case msg.CloseRequest():
                self._look_at_close(message)
            case msg.ExecutionReport(exec_type=ExecType.NEW) if "web" not in message.cl_ord_id:
                self._recover(message.account)
            case _:
                pass

    def _recover(self, account):
        for name in [name for name in self.failures if name[0] == account]:
            if self.house.now - self.opened.get(name, -HOUR_NS) >= MINUTE_NS:
                self.failures.pop(name)
                self.opened.pop(name, None)

    def _look_at_close(self, message):
        state, key = self.house.state, (message.account, message.symbol)
        qty = state.position(key).qty
        if not self.house.accounts[message.account].contracts[message.symbol].can_be_closed:
            return
        closing = sum(
            (
                o.leaves_qty
                for o in state.open_orders_of(key)
                if o.role is OrderRole.EXIT and o.side.sign * qty < 0
            ),
            ZERO,
        )
        if closing < abs(qty) // Decimal("0.1") * Decimal("0.1"):
            self._note(f"a close of {qty} has {closing} on its way")

    def _look_at_fact(self, message, fact):
        match fact:
            case ev.SessionChanged():
                if fact.status not in TRANSITIONS[self.status]:
                    self._note(f"{self.status} became {fact.status}")
                is_told = self.has_failed or isinstance(message, msg.FailSession)
                if fact.status is Status.ERROR and not is_told:
                    self._note(f"it halted: {fact.reason}")
                if fact.status is Status.STOPPED and self.status is Status.STOPPING:
                    self._look_at_end(message)
                self.status = fact.status
            case ev.KillSwitchVerified():
                self.verified += 1
                self._look_at_kill()
            case ev.AlarmRaised():
                name = (fact.code, fact.account, fact.symbol, fact.text)
                self.alarms[name] += 1
                if self.alarms[name] > TOLD_MAX and fact.code not in NEWS:
                    self._note(f"told over and over: {name}")
            case _:
                pass

    def _look_at_end(self, message):
        if isinstance(message, msg.ResetSession):
            self._note("a session that was stopping was reset")
        for books in self.house.accounts.values():
            for order in self.house.entries(books):
                self._note(f"STOPPED, and {order.cl_ord_id} may open")
        if self.wants_flat:
            self._look_for_positions("STOPPED")

    def _look_at_kill(self):
        if not self.is_killed or self.verified > 1:
            self._note(f"the kill switch was proven {self.verified} times")
        for books in self.house.accounts.values():
            for order in self.house.entries(books):
                self._note(f"the kill switch is proven, and {order.cl_ord_id} may open")
        if self.kill_flat:
            self._look_for_positions("the kill switch is proven")

    def _look_for_positions(self, what):
        for books in self.house.accounts.values():
            if self.house.now - books.strangers_ts < AWHILE_NS:
                continue
            for symbol, qty in books.qty.items():
                is_lost = any(
                    o.is_adopted and o.is_ours and o.key == (books.name, symbol)
                    for o in self.house.state.orders.values()
                )  # an entry that was met half way: see the laws of the books
                if qty and books.contracts[symbol].can_be_closed and not is_lost:
                    self._note(f"{what}, and {qty} {symbol} are held on {books.name}")

    # What it sends

    def sends(self, command):
        self.sent[type(command)] += 1
        if isinstance(command, cmd.SetTimer):
            name = (command.parent_id, self.house.now)
            self.timers[name] += 1
            if self.timers[name] > TOLD_MAX:
                self._note(f"wakes itself in a circle: {command}")
        if isinstance(command, cmd.SubmitOrder) and self._adds(command.order):
            self._look_at_entry(command.order)
        if isinstance(command, cmd.SubmitOrder) and not self.wants_flat:
            self._look_at_exit(command.order)

    def _look_at_exit(self, order):
        """See that nobody closes what was to be kept."""
        parent = self.house.state.parents.get(order.parent_id)
        is_exit = parent is not None and parent.start.order.role is OrderRole.EXIT
        if is_exit and isinstance(self._message, msg.Tick):
            self._note(f"{order.cl_ord_id} closes what nobody wanted closed")

    def _adds(self, order):
        if order.reduce_only:
            return False
        state = self.house.state
        reach = state.position(order.key).qty
        for each in state.open_orders_of(order.key):
            if each.side is order.side and not each.request.reduce_only:
                reach += each.leaves_qty * each.side.sign
        return reach * order.side.sign > ZERO

    def _look_at_entry(self, order):
        account, now = order.account, self.house.now
        contract = self.house.accounts[account].contracts[order.symbol]
        opened = [n for n, ts in self.opened.items() if n[0] == account and now - ts < MINUTE_NS]
        against = {
            "the session is not RUNNING": self.status is not Status.RUNNING,
            "it is to be paused": self.is_paused,
            "it is to be stopped": bool(self.stop),
            "it has failed": self.has_failed,
            "it is killed": self.is_killed,
            "its strategy was stopped": order.strategy_id in self.stopped,
            "its account is cut off": account in self.cut,
            "its account is odd": account in self.odd,
            "a breaker is open": bool(opened),
            "its contract is shut": bool(contract.delivery_ts) or not contract.is_trading,
        }
        for why, is_so in against.items():
            if is_so:
                self._note(f"{order.cl_ord_id} goes out, though {why}")
