"""A session of several accounts, and beside it one for each account alone.

Rule: what a session does on an account is what it would do if it had that account alone. Each solo
session hears what is said of its account, and to all; in the place of all other accounts it has one
that never trades (`GHOST`), whose books agree, and which has ended, when those of the others have.
Orders are given the names there that they have here, and equity is sampled when it is here, which
is for all at once as soon as it is due for one and no mark of any is in doubt: nothing else is
shared.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import Counter
from decimal import Decimal
from typing import Any
from unittest import mock

import msgspec

from holdfast.engine import housekeeping
from holdfast.engine.core import Core
from holdfast.engine.engine import Engine
from holdfast.engine.housekeeping import can_be_left
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.errors import ConfigError
from holdfast.model.market import MarkPrice, Trade
from holdfast.model.values import MAIN, NS_PER_DAY, NS_PER_S, ZERO, AccountId, OrderRole
from holdfast.model.values import TradingSessionStatus as Status
from holdfast.runtime.accounts import check_left_behind
from tests.engine.lifecycle_venue import OTHER, REFUSED, Books, House
from tests.engine.rig import Rig

THIRD, GHOST, OTHERS = AccountId("other2"), AccountId("ghost"), AccountId("others")
OF_ALL = frozenset({"session_error", "stop_cut_off", "strategy_stopped", "banned"})
"""Alarms that are of the session, whichever account they name."""

NAMED = (ev.OrderSubmitted, ev.OrderDenied)
WISHED = (ev.SignalReceived, ev.ParentStarted)
LEVERAGE = {MAIN: 10, OTHER: 3, THIRD: 20}
VAST, TINY = Decimal(10**9), Decimal("1e-15")


class Owners:
    """Whose each fact and command is, by the facts alone; None for what is of the session."""

    def __init__(self):
        self.orders, self.parents, self.intents = {}, {}, {}

    def of(self, fact):
        if isinstance(fact, ev.OrderSubmitted | ev.OrderDenied | ev.OrderAdopted):
            self.orders[fact.order.cl_ord_id] = fact.order.account
            return fact.order.account
        if isinstance(fact, ev.SignalReceived):
            self.intents[fact.intent_id] = fact.signal.account
            return fact.signal.account
        if isinstance(fact, ev.ParentStarted):
            self.parents[fact.parent_id] = fact.account
            return fact.account
        if isinstance(fact, ev.AlarmRaised) and fact.code in OF_ALL:
            return None
        return self._by_name(fact)

    def of_command(self, command):
        return (
            command.order.account
            if isinstance(command, cmd.SubmitOrder)
            else self._by_name(command)
        )

    def _by_name(self, what):
        if hasattr(what, "account"):
            return what.account
        if hasattr(what, "cl_ord_id"):
            return self.orders[what.cl_ord_id]
        if hasattr(what, "parent_id"):
            return self.parents[what.parent_id]
        if hasattr(what, "intent_id"):
            return self.intents[what.intent_id]
        return None


class Solo:
    """A session that has one of the accounts alone."""

    def __init__(self, account, settings, facts):
        self.account = account
        self.engine = Engine(settings, facts)
        self.script, self.news, self.asked = [], [], []

    @property
    def state(self):
        return self.engine.state

    def hear(self, message, now):
        outcome = self.engine.handle(message, now)
        self.news += outcome.facts
        self.asked += outcome.commands

    def said(self, kinds):
        """Return the facts of some kinds that this message has led to, here and in all."""
        core = self.engine.core
        facts = core.facts if core.facts is not self._before else []
        here = [f for f in (*self.news, *facts) if isinstance(f, kinds)]
        return here, [f for f in self.script if isinstance(f, kinds)]

    def begin(self, script):
        self._before = self.engine.core.facts
        self.script, self.news, self.asked = script, [], []

    def next(self, kinds):
        """Return the fact that is to come next of some kinds; None where none is."""
        here, there = self.said(kinds)
        return there[len(here)] if len(here) < len(there) else None


SOLOS: dict[int, Solo] = {}


@contextlib.contextmanager
def names_of_all():
    """Have orders, parents and intents be named alone as they are in the session of all."""
    intent, parent, order = Core.next_intent, Core.next_parent, Core.next_cl_ord_id
    is_due, are_in_doubt = housekeeping._is_sample_due, housekeeping._are_in_doubt
    is_doubted = False  # in the session of all, by a mark of any account

    def named(core, kinds, name, otherwise):
        solo = SOLOS.get(id(core))
        found = solo.next(kinds) if solo is not None else None
        return otherwise() if found is None else name(found)

    def next_cl_ord_id(core, *owner):
        return named(core, NAMED, lambda f: f.order.cl_ord_id, lambda: order(core, *owner))

    def next_parent(core):
        return named(core, ev.ParentStarted, lambda f: f.parent_id, lambda: parent(core))

    def next_intent(core):
        return named(core, WISHED, lambda f: f.intent_id, lambda: intent(core))

    def is_sample_due(core, accounts):
        nonlocal is_doubted
        solo = SOLOS.get(id(core))
        if solo is None:
            is_doubted = are_in_doubt(core, accounts)
            return is_due(core, accounts)
        is_sampled = solo.next(ev.EquitySampled) is not None
        own = [name for name in accounts if name != GHOST]
        assert is_sampled or is_doubted or not is_due(core, own), f"no sample: {own}"
        return is_sampled

    with (
        mock.patch.multiple(
            Core, next_cl_ord_id=next_cl_ord_id, next_parent=next_parent, next_intent=next_intent
        ),
        mock.patch.object(housekeeping, "_is_sample_due", is_sample_due),
    ):
        yield
    SOLOS.clear()


class Joint(Rig):
    """The session of all; what it says is held against what each says alone."""

    def __init__(self, **settings):
        super().__init__(**settings)
        limits = msgspec.structs.replace(
            self.settings.limits,
            max_portfolio_exposure_pct=None,
            max_portfolio_daily_loss_pct=None,
            max_portfolio_drawdown_pct=None,
        )
        self.alone = msgspec.structs.replace(self.settings, limits=limits)
        self.solos: dict[AccountId, Solo] = {}
        self.house: Any = None  # which lets it know itself
        self.owners = Owners()
        self.looked, self.looked_since_kill = set(), set()
        self.seen: Counter[str] = Counter()

    # Processes

    def begin_alone(self, names):
        """Begin each account's own session with its part of the journal."""
        SOLOS.clear()
        self.solos, self.owners = {}, Owners()
        self.looked.clear()
        self.looked_since_kill.clear()
        parts: dict[AccountId, list[ev.Event]] = {name: [] for name in names}
        for fact in self.facts:
            owner = self.owners.of(fact)
            for name, part in parts.items():
                if owner in {name, None}:
                    part.append(self._alone(name, fact))
        for name, part in parts.items():
            solo = self.solos[name] = Solo(name, self.alone, part)
            SOLOS[id(solo.engine.core)] = solo
            self._compare_orders(solo)

    def _alone(self, name, fact):
        """Return a fact as the account's own session has it."""
        if isinstance(fact, ev.EpochStarted):
            accounts = (name, GHOST) if name in fact.accounts else (GHOST,)
            return msgspec.structs.replace(fact, accounts=accounts)
        return self._renamed(name, fact)

    def _renamed(self, name, fact):
        """Return a fact with the name that a stranger's order has on its own account."""
        if isinstance(fact, ev.OrderAdopted):
            own = self.own_name(name, fact.order.cl_ord_id)
            if own != fact.order.cl_ord_id:
                order = msgspec.structs.replace(fact.order, cl_ord_id=own)
                return msgspec.structs.replace(fact, order=order)
            return fact
        known = getattr(fact, "cl_ord_id", "")
        own = self.own_name(name, known)
        return fact if own == known else msgspec.structs.replace(fact, cl_ord_id=own)

    def own_name(self, name, cl_ord_id):
        if not cl_ord_id.startswith("order-"):
            return cl_ord_id
        number = cl_ord_id.removeprefix("order-")
        return self.house.names[name][number]

    # Messages

    def hear(self, message):
        if type(message) in {Trade, MarkPrice}:
            for solo in self.solos.values():
                solo.engine.handle(message, self.now)
            return super().hear(message)
        if isinstance(message, msg.StartSession):
            self.begin_alone(message.accounts)
        before, refusal, outcome = self.state.status, None, None
        try:
            outcome = super().hear(message)
        except REFUSED as error:
            refusal, self.news, self.asked = error, [], []
        owners = [(self.owners.of(fact), fact) for fact in self.news]
        strange = [f for owner, f in owners if owner not in {*self.solos, None}]
        assert all(_may_be_said(message, fact) for fact in strange), strange
        asked = [(self.owners.of_command(c), c) for c in self.asked]
        astray = [each for each in asked if each[0] not in {*self.solos, None}]
        assert not astray, astray
        heard_by = self._whose(message)
        for name, solo in self.solos.items():
            solo.begin([self._renamed(name, f) for owner, f in owners if owner == name])
            if before is Status.STARTING and isinstance(message, msg.VenueSnapshot):
                self._show_others(solo)
            if heard_by in {name, None}:
                self._hear_alone(solo, message, refusal)
            self._follow(solo)
            self._compare(solo, [c for owner, c in asked if owner == name])
        self._look_at_all(message, before)
        if refusal is not None:
            raise refusal
        return outcome

    def _whose(self, message):
        if isinstance(message, msg.CancelRequest):
            return self.owners.orders.get(message.cl_ord_id)
        if isinstance(message, msg.TimerFired):
            return self.owners.parents.get(message.parent_id)
        return getattr(message, "account", None)

    def _hear_alone(self, solo, message, refusal):
        if isinstance(message, msg.StartSession):
            message = msgspec.structs.replace(message, accounts=(solo.account, GHOST))
        if own := getattr(message, "cl_ord_id", ""):
            own = self.own_name(solo.account, own)
            message = msgspec.structs.replace(message, cl_ord_id=own)
        said = ""
        try:
            solo.hear(message, self.now)
        except REFUSED as error:
            said = str(error)
        solo.engine.core.unseen.add(OTHERS)
        assert said == (str(refusal) if refusal else ""), f"on {solo.account} alone"

    def _show_others(self, solo):
        """Tell an account's own session that the books of the others agree, once they all do."""
        status, starts = self.state.status, solo.state.status is Status.STARTING
        has_started = status not in {Status.STARTING, Status.ERROR}
        has_started = has_started and (starts or status is not Status.STOPPED)
        is_told = solo.state.account(GHOST).opened_ts and not starts
        if has_started and not is_told:
            ghost = msg.VenueSnapshot(
                account=GHOST,
                asked_ts=self.now,
                taken_ts=self.now,
                orders=(),
                positions=(),
                balances={},
            )
            solo.hear(ghost, self.now)

    def _follow(self, solo):
        """Tell an account's own session what has become of the others."""
        self._show_others(solo)
        status = self.state.status
        if status is Status.ERROR and solo.state.status is not status:
            solo.hear(msg.FailSession(reason=self.state.status_reason), self.now)

    def _compare(self, solo, asked):
        state, alone, name = self.state, solo.state, solo.account
        facts = [f for f in solo.news if _owner(solo, f) == name]
        script = solo.script
        has_ended = state.status is Status.STOPPED and alone.status is Status.STOPPING
        if has_ended:  # for the last time, each account's equity was sampled
            assert can_be_left(alone), f"STOPPED, and {name} can't be left"
            facts = [f for f in facts if not isinstance(f, ev.EquitySampled)]
            script = [f for f in script if not isinstance(f, ev.EquitySampled)]
        else:
            assert state.status is alone.status, f"{state.status}, {alone.status} on {name} alone"
        self._compare_facts(name, script, facts)
        own = [c for c in solo.asked if self.owners.of_command(c) == name]
        own = [c for c in own if not isinstance(c, cmd.Notify)]
        ours = [self._renamed_command(name, c) for c in asked]
        assert ours == own, f"{name}: {ours} and alone {own}"
        if has_ended:
            return
        for what in ("positions", "accounts", "leverages", "odd_modes", "message_times"):
            assert _part(getattr(state, what), name) == _part(getattr(alone, what), name), what
        for what in ("breakers", "differences"):
            ours, theirs = getattr(state, what), getattr(alone, what)
            assert _named(ours, name) == _named(theirs, name), what
        market, other = self.engine.core.market, solo.engine.core.market
        assert _part(market.isolated, name) == _part(other.isolated, name)
        cut_off = market.accounts_cut_off.get(name)
        assert cut_off == other.accounts_cut_off.get(name)

    def _renamed_command(self, name, command):
        known = getattr(command, "cl_ord_id", "")
        own = self.own_name(name, known)
        if own == known:
            return command
        return msgspec.structs.replace(command, cl_ord_id=own, venue_order_id="")

    def _compare_facts(self, name, ours, alone):
        assert len(ours) == len(alone), f"{name}: {ours} and alone {alone}"
        for fact, own in zip(ours, alone, strict=True):
            if isinstance(fact, NAMED) and fact.verdicts:
                self._look_at_sums(name, fact)
                fact, own = _judged_alone(fact), _judged_alone(own)  # noqa: PLW2901
            fact, own = _untold(fact), _untold(own)  # noqa: PLW2901
            assert fact == own, f"{name}: {fact}\nand alone\n{own}"

    def _compare_orders(self, solo):
        """Hold the fold of an account's facts against its part of the fold of all."""
        state, alone, name = self.state, solo.state, solo.account
        for what in ("positions", "accounts", "instruments", "leverages", "odd_modes"):
            assert _part(getattr(state, what), name) == _part(getattr(alone, what), name), what
        for what in ("breakers", "differences"):
            ours, theirs = getattr(state, what), getattr(alone, what)
            assert _named(ours, name) == _named(theirs, name), what
        ours = {n: o for n, o in state.orders.items() if o.request.account == name and o.is_ours}
        assert ours == {n: o for n, o in alone.orders.items() if o.is_ours}
        parents = {n: p for n, p in state.parents.items() if p.start.account == name}
        assert parents == alone.parents
        assert _part(state.live_parents, name) == _part(alone.live_parents, name)

    # What is of all

    def _look_at_sums(self, name, fact):
        values = {v.rule: v.value for v in fact.verdicts}
        if (share := values.get("portfolio_exposure")) is None or not share:
            return
        gross, equity = ZERO, ZERO
        for each, solo in self.solos.items():
            own = self._equity(solo)
            equity += own
            if each == name:
                gross += values["leverage"] * own
            else:
                gross += solo.engine.core.exposure.gross(each)
        self.seen["sums"] += 1
        assert abs(share - gross / equity) < TINY, f"{share} is {gross} of {equity}"
        days = [(self._began(s), self._equity(s)) for s in self.solos.values() if _has_day(s)]
        began, left = (
            (sum(each, ZERO) for each in zip(*days, strict=True)) if days else (ZERO, ZERO)
        )
        if began > ZERO:
            self.seen["losses"] += 1
            assert abs(values["portfolio_loss"] - (began - left) / began) < TINY, f"{days}"
        peak = self.state.portfolio_peaks.get("USDT", ZERO)
        peaks = sum(
            (s.state.account(n).benchmark("USDT").peak_equity for n, s in self.solos.items()), ZERO
        )
        assert peak <= peaks
        if peak > ZERO:
            fall = max((peak - equity) / peak, ZERO)
            assert abs(values["portfolio_drawdown"] - fall) < TINY

    def _began(self, solo):
        """Return what an account began the day with; what it is worth, where it has not begun."""
        known = solo.state.account(solo.account).benchmark("USDT")
        return known.day_equity if known.day >= self.now // NS_PER_DAY else self._equity(solo)

    def _equity(self, solo):
        """Return what an account is worth, open profit by the worse of mark and market."""
        state, market = solo.state, solo.engine.core.market
        total = state.account(solo.account).wallet("USDT")
        for (account, symbol), held in state.positions.items():
            if account != solo.account or not held.qty:
                continue
            mark, price = market.mark(symbol), market.price(symbol)
            profit = held.qty * ((mark or held.entry_price) - held.entry_price)
            if (
                mark
                and price
                and abs(mark - price) > solo.engine.core.settings.limits.price_collar_pct * price
            ):
                profit = min(profit, held.qty * (price - held.entry_price))
            total += profit
        return total

    def _look_at_all(self, message, before):
        """See that the session waits for each account, and for no longer."""
        state = self.state
        if isinstance(message, msg.VenueSnapshot):
            self.looked.add(message.account)
            if state.account(message.account).opened_ts:
                self.looked_since_kill.add(message.account)
        if isinstance(message, msg.EngageKillSwitch):
            self.looked_since_kill.clear()
        has_all = all(
            name in solo.engine.core.start_looks and not _named(solo.state.differences, name)
            for name, solo in self.solos.items()
        )
        if before is Status.STARTING and state.status in {Status.RUNNING, Status.PAUSED}:
            assert has_all
            assert self.looked == set(self.solos)
        if before is Status.STARTING and isinstance(message, msg.VenueSnapshot):
            assert not has_all or state.status is not before
        clean = [not _risky(solo) for solo in self.solos.values()]
        told = [f for f in self.news if isinstance(f, ev.KillSwitchVerified)]
        is_proven = all(clean) and self.looked_since_kill == set(self.solos)
        assert not told or is_proven
        if isinstance(message, msg.VenueSnapshot) and state.is_killed and is_proven:
            assert state.is_kill_verified
        if isinstance(message, msg.Tick) and state.status is Status.STOPPING:
            left = all(
                can_be_left(s.state) and not s.engine.core.unseen - {OTHERS}
                for s in self.solos.values()
            )
            assert not left


def _may_be_said(message, fact):
    """Tell whether a fact may be of an account that is left out: the end of work there, or time."""
    if isinstance(message, msg.StartSession):
        return isinstance(fact, ev.ParentWoken | ev.AlarmRaised)
    return isinstance(fact, ev.BreakerChanged) and fact.state == "HALF_OPEN"


def _untold(fact):
    """Leave the names of strangers' orders out of what is said to people."""
    for field in ("text", "reason"):
        told = getattr(fact, field, "")
        if "order-" in told or "web-" in told:
            text = re.sub(r"(order-n|web-)\d+", "another's", told)
            fact = msgspec.structs.replace(fact, **{field: text})
    return fact


def _judged_alone(fact):
    """Leave out what is judged over all accounts: sums, and how fast a strategy trades."""
    verdicts = (v for v in fact.verdicts if not v.rule.startswith("portfolio_"))
    plain = [
        msgspec.structs.replace(v, value=None) if v.rule == "execution_throttle" else _untold(v)
        for v in verdicts
    ]
    return msgspec.structs.replace(fact, verdicts=tuple(plain))


def _has_day(solo):
    return solo.state.account(solo.account).benchmark("USDT").day >= 0


def _risky(solo):
    state = solo.state
    entries = [o for o in state.all_open_orders() if o.is_ours and o.role is OrderRole.ENTRY]
    return bool(entries) or (state.kill_flattens and bool(state.open_keys()))


def _owner(solo, fact):
    if isinstance(fact, ev.OrderSubmitted | ev.OrderDenied | ev.OrderAdopted):
        return fact.order.account
    if isinstance(fact, ev.SignalReceived):
        return fact.signal.account
    if isinstance(fact, ev.AlarmRaised) and fact.code in OF_ALL:
        return None
    if hasattr(fact, "account"):
        return fact.account
    is_own = any(hasattr(fact, name) for name in ("cl_ord_id", "parent_id", "intent_id"))
    return solo.account if is_own else None


def _part(found, name):
    """Return what is of an account among what goes by account, or by account and symbol."""
    return {k: v for k, v in found.items() if name in {k, k[0]} and v != []}


def _named(found, name):
    return {k: v for k, v in found.items() if k.startswith(f"{name} ")}


class AccountsHouse(House):
    """Venues where executions and payments have one name on two accounts, and orders of others."""

    RIG: Any = Joint
    NAMES: tuple[AccountId, ...] = (MAIN, OTHER, THIRD)
    LIMITS = {  # noqa: RUF012
        "max_portfolio_exposure_pct": VAST,
        "max_portfolio_daily_loss_pct": VAST,
        "max_portfolio_drawdown_pct": VAST,
    }

    def __init__(self, lots, weather, *, count):
        self.all: dict[AccountId, Books] = {}
        self.is_alike = lots.random() < 0.5
        self.NAMES = self.NAMES[:count]
        self.SETTINGS = {"mismatch_policy": lots.choice(("halt", "adopt", "adopt", "flatten"))}
        self.left_out = set()
        self.gaps: dict[AccountId, tuple[int, str, Decimal]] = {}
        super().__init__(lots, weather, has_two=True, watch=Silent())

    # Processes

    def begin(self):
        if not self.is_down:
            return
        if not self.all:
            self._open()
        self.accounts = self._named()
        super().begin()

    def _open(self):
        self.all, self.rig.house = dict(self.accounts), self
        self._numbers = self._names
        self.names: dict[AccountId, dict[str, str]] = {name: {} for name in self.all}
        self.changes: dict[AccountId, list[Any]] = {name: [] for name in self.all}
        self.counters = {name: itertools.count(1) for name in self.all}
        for books in self.all.values():
            if self.lots.random() < 0.3:
                books.wallet = Decimal(self.lots.choice((50, 300)))

    def _named(self):
        """Leave accounts out of the settings where that is asked for, and the session lets it."""
        state = Engine(self.rig.settings, self.rig.facts).state
        names = tuple(name for name in self.all if name not in self.left_out)
        open_ones = {key[0] for key in state.open_keys()}
        open_ones |= {key[0] for key, ids in state.open_orders.items() if ids}
        said = ""
        try:
            check_left_behind(state, names)
        except ConfigError as error:
            said, names = str(error), tuple(self.all)
        held = open_ones.difference(name for name in self.all if name not in self.left_out)
        assert bool(said) is bool(held)
        assert not said or any(f"[accounts.{name}]" in said for name in held)
        for name, books in self.all.items():
            books.is_told = name in names
            if name not in names:
                self.rig.seen["left out"] += 1
        return {name: self.all[name] for name in names}

    def books_of(self, name):
        return self.all[name]  # an answer may come when its account is left out

    def list_contract(self, books, symbol):
        listed = msg.InstrumentListed(
            account=books.name,
            instrument=books.contracts[symbol],
            leverage=LEVERAGE[books.name],
        )
        self.hear(self.life, listed)

    # Names

    def fill(self, books, order, part):
        self._names = self.counters[books.name] if self.is_alike else self._numbers
        super().fill(books, order, part)
        self._names = self._numbers

    def strangers_order(self, books, symbol, side, qty, price):
        self._names = _twice(
            self.counters[books.name] if self.is_alike else self._numbers, self._numbers
        )
        super().strangers_order(books, symbol, side, qty, price)
        self._names = self._numbers
        name = next(reversed(books.orders))
        self.names[books.name][books.orders[name].number] = name

    # Money

    def pay(self, books, change):
        books.wallet += change.amount
        self.changes[books.name].append(change)
        if books.is_told and self.lots.random() >= self.weather.dropped:
            self.after(self.soon(), self.hear, self.life, change)

    def _told_books(self, life, books, snapshot):
        since, until = snapshot.trades_since, snapshot.taken_ts
        changes = tuple(c for c in self.changes[books.name] if since <= c.venue_ts <= until)
        snapshot = msgspec.structs.replace(snapshot, changes=changes)
        gone_ts, what, gap = self.gaps.get(books.name, (0, "", ZERO))
        if gone_ts > self.now:
            snapshot = _off(snapshot, what, gap)
        super()._told_books(life, books, snapshot)

    def look_at_books(self):
        """See that each account that is traded has what its venue has."""
        for name, books in self.accounts.items():
            held = {key[1]: p.qty for key, p in self.state.positions.items() if key[0] == name}
            assert {k: v for k, v in held.items() if v} == {k: v for k, v in books.qty.items() if v}
            assert self.state.account(name).wallet("USDT") == books.wallet

    def trail(self, names, seconds):
        """Let what is read of accounts be off for a while, by what has moved one of them last."""
        books = self.lots.choice(list(self.all.values()))
        what, gap = "USDT", Decimal(-3)
        if books.trades and self.lots.random() < 0.6:
            trade = books.trades[-1]
            what, gap = trade.symbol, -trade.last_qty * trade.side.sign
        elif changes := self.changes[books.name]:
            gap = -changes[-1].amount
        for name in names:
            self.gaps[name] = (self.now + round(seconds * NS_PER_S), what, gap)


def _off(snapshot, what, gap):
    """Return a look that is off by an amount of money, or of a position."""
    if what == "USDT":
        balances = {"USDT": snapshot.balances["USDT"] + gap}
        return msgspec.structs.replace(snapshot, balances=balances)
    found = {each.symbol: each for each in snapshot.positions}
    flat = msg.VenuePosition(symbol=what, qty=ZERO, entry_price=Decimal(100))
    known = found.pop(what, flat)
    moved = msgspec.structs.replace(known, qty=known.qty + gap)
    positions = (*found.values(), *([moved] if moved.qty else []))
    return msgspec.structs.replace(snapshot, positions=positions)


def _twice(first, then):
    """Yield a name, and then a number."""
    yield next(first)
    yield from then


class Silent:
    """Looks at nothing: the accounts' own sessions do."""

    def __init__(self):
        self.stopped = set()
        self.house = None

    def __getattr__(self, name):
        return lambda *_, **__: None
