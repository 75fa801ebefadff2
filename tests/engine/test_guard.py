"""Stops and targets, whatever becomes of what is asked of the venue and of what is told of it.

A storm of wishes, hands, strangers, crashes and faults, then a calm: each holding that asked for a
stop has just that at the venue, nothing rests that guards nothing, and the books are the venue's.
On the way: none is without its stop for long and nobody is told, no stop goes before another has
come, and no more is closed than is held, by what is known.
"""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.cover import WORKING, cover
from holdfast.engine.engine import Engine
from holdfast.engine.protection import REFUSALS_MAX
from holdfast.engine.refusals import is_unfit
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import MAIN, NS_PER_S, ZERO, OrderRole, OrderStatus
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.guard_storm import DOERS, KEY, Storm
from tests.engine.guard_venue import CALM, GuardVenue, Weather

STOP, TARGET, EXIT = OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT, OrderRole.EXIT
PROTECTIVE = (STOP, TARGET)
CALM_S = 80

FORGOTTEN_MAX_S = (45, 400)
"""How long a holding may have no stop at the venue: what took it away was told of by nobody. A
venue that forgets orders again and again is believed less and less.
"""

KNOWN_MAX_S = 12
"""How long it may be known to have none before a person is told: 5 s since it last had one."""

TOLD_MAX = 3
EXPECTED_ALARMS = frozenset(
    {
        "algo_short",
        "close_refused",
        "closed_by_venue",
        "contract_halted",
        "order_adopted",
        "order_appeared",
        "order_forgotten",
        "protection_closed",
        "protection_missing",
        "strategy_stopped",
        "turn_short",
    }
)
OF_WHAT_WAS_LOST = frozenset({"order_appeared", "order_forgotten"})
"""Where the venue has lost all memory of an order, and in no other case."""

OF_THE_STORM = frozenset({"contract_halted", "strategy_stopped"})
"""What happens there again and again is told of as often."""


class Watch:
    """Looks at the venue each second, and at all that is asked of it."""

    def __init__(self, venue):
        self.venue = venue
        self.venue.on_sent = self._look_at
        self.since = {}
        self.found = []

    def look(self):
        """See that no holding is without its stop for too long."""
        venue, state = self.venue, self.venue.rig.state
        if venue.is_down or state.status is Status.STARTING:
            self.since.clear()
            return
        seen = {}
        for parent in state.live_parents_of(KEY):
            held = cover(state, parent)
            if parent.start.stop_loss is None or not held or self._is_closing(parent):
                continue
            if parent.is_alarmed or venue.qty * parent.side.sign < held:
                continue
            if self._known(parent, held) < held:
                seen["known", parent.parent_id] = KNOWN_MAX_S
            if self._there(parent, held) < held:
                seen["there", parent.parent_id] = FORGOTTEN_MAX_S[venue.has_forgotten]
        self.since = {each: self.since.get(each, venue.now) for each in seen}
        for each, ts in self.since.items():
            if (venue.now - ts) / NS_PER_S > seen[each]:
                self.found.append(f"{each} has no stop, and no alarm")

    def _is_closing(self, parent):
        orders = self.venue.rig.state.open_orders_of(KEY)
        return any(o.role is EXIT and o.side is not parent.side for o in orders)

    def _stops(self, parent):
        return [o for o in self.venue.rig.state.children(parent) if o.role is STOP]

    def _known(self, parent, held):
        """Return how much is guarded by what the session knows."""
        stops = (o for o in self._stops(parent) if o.is_open and o.status in WORKING)
        return sum((held if o.request.close_position else o.leaves_qty for o in stops), ZERO)

    def _there(self, parent, held):
        names = (o.cl_ord_id for o in self._stops(parent))
        stops = [self.venue.orders[name] for name in names if name in self.venue.orders]
        return sum(
            (held if o.asked.close_position else o.leaves_qty for o in stops if o.is_open), ZERO
        )

    # What is asked for

    def _look_at(self, command):
        state = self.venue.rig.state
        if isinstance(command, cmd.CancelOrder):
            self._look_at_cancel(state.orders[command.cl_ord_id])
        elif isinstance(command, cmd.SubmitOrder):
            order = command.order
            if not (order.role is OrderRole.ENTRY or order.reduce_only):
                self.found.append(f"{order.cl_ord_id} may open")
            parent = state.parents[order.parent_id]
            if order.role in PROTECTIVE:
                self._look_for_another(parent, order)
            if order.role is EXIT and parent.legs:
                self._look_at_close(parent)

    def _look_at_cancel(self, order):
        """See that a stop has a successor before it goes."""
        state, venue = self.venue.rig.state, self.venue
        parent = state.parents.get(order.request.parent_id)
        asked = (f for f in venue.rig.news if isinstance(f, ev.CancelRequested))
        reasons = {f.reason for f in asked if f.cl_ord_id == order.cl_ord_id}
        if order.role is not STOP or not parent or reasons != {"protection"}:
            return
        held = cover(state, parent)
        is_of_all = not order.request.close_position and order.leaves_qty == held
        if not is_of_all and not venue.instrument.takes(held):
            return  # dust that others hold a part of may be left without
        others = [o for o in self._stops(parent) if o is not order and o.is_open]
        others = [o for o in others if o.status in WORKING and o.cl_ord_id in venue.taken]
        if held and not any(o.request.close_position or o.leaves_qty >= held for o in others):
            self.found.append(f"{order.cl_ord_id} goes before another has come")

    def _look_for_another(self, parent, order):
        mine = (o for o in self.venue.rig.state.children(parent) if o.role is order.role)
        if sum(o.status is OrderStatus.PENDING_NEW for o in mine) > 1:
            self.found.append(f"{order.cl_ord_id} goes while another is on its way")

    def _look_at_close(self, parent):
        """See that no more is closed than is held, by what is known."""
        state = self.venue.rig.state
        exits = (o for o in state.children(parent) if o.is_open and o.role is not OrderRole.ENTRY)
        closing = sum((o.leaves_qty for o in exits if o.role is EXIT or o.is_closing), ZERO)
        if closing > cover(state, parent):
            self.found.append(f"{parent.parent_id} closes {closing} of {cover(state, parent)}")


def rage(seed, weather, doers, acts, apart_s):
    """Let a storm rage."""
    lots = random.Random(seed)
    venue = GuardVenue(lots, weather)
    storm, watch = Storm(venue, doers), Watch(venue)
    venue.run_until(venue.now + 4 * NS_PER_S)
    for _ in range(acts):
        storm.act()
        end = venue.now + int(lots.expovariate(1 / apart_s) * NS_PER_S) + 1
        while venue.now < end:
            venue.run_until(min(end, venue.now + NS_PER_S))
            watch.look()
    return venue, storm, watch


def leave(seed, weather, doers, acts, apart_s):
    """Stop the session in a storm; return the venue in the moment in which it has ended."""
    venue, storm, watch = rage(seed, weather, doers, acts, apart_s)
    storm.hear(msg.StopSession(reason="x", flatten=venue.lots.random() < 0.3))
    for second in range(2 * CALM_S):
        if venue.rig.session() is Status.STOPPED:
            break
        if second == CALM_S:
            venue.weather = CALM
        venue.run_until(venue.now + NS_PER_S)
        watch.look()
    return venue, watch


def play(seed, weather, doers, acts, apart_s):
    """Let a storm rage, and calm down; return what the venue has then, and what was seen."""
    venue, storm, watch = rage(seed, weather, doers, acts, apart_s)
    venue.weather, venue.kept = CALM, None
    for _ in range(CALM_S):
        venue.run_until(venue.now + NS_PER_S)
        storm.calm()
        watch.look()
    return venue, watch


def faults(venue, watch):
    """Say all that is not as it must be."""
    return [
        *watch.found,
        *_of_the_session(venue),
        *_of_the_books(venue),
        *_of_the_orders(venue),
        *_of_the_stops(venue),
    ]


def left_behind(venue, watch):
    """Say what a session that has ended should not have left so."""
    found = list(watch.found)
    if venue.rig.session() is not Status.STOPPED:
        return [*found, f"{venue.rig.session()}: {venue.rig.state.status_reason}"]
    works = [o for o in venue.orders.values() if o.is_open and o.asked.role is OrderRole.ENTRY]
    found += [f"{o.asked.cl_ord_id} works on" for o in works]
    is_told = venue.rig.qty() == venue.qty and _are_fills_told(venue)
    if is_told:  # else something has filled in this very moment
        found += _of_the_stops(venue)
    return found


def _are_fills_told(venue):
    """Tell whether it is known of each order what it has filled, and of no child's fill alone."""
    ours = venue.rig.state.open_orders_of(KEY)
    known = [(venue.orders[o.cl_ord_id], o) for o in ours if o.cl_ord_id in venue.orders]
    return all(there.cum_qty <= order.cum_qty for there, order in known)


def _of_the_session(venue):
    rig, found = venue.rig, []
    if rig.session() is not Status.RUNNING or rig.state.differences:
        found.append(f"{rig.session()}: {rig.state.status_reason}, {rig.state.differences}")
    alarms = Counter((fact.code, fact.text) for fact in rig.ever(ev.AlarmRaised))
    for (code, text), count in alarms.items():
        is_expected = code in EXPECTED_ALARMS and (
            venue.has_forgotten or code not in OF_WHAT_WAS_LOST
        )
        if not is_expected or (count > TOLD_MAX and code not in OF_THE_STORM):
            found.append(f"alarm {code}, {count} times: {text}")
    if Engine(rig.settings, rig.facts).state != rig.state:
        found.append("the fold is another")
    return found


def _of_the_books(venue):
    rig, found = venue.rig, []
    books = (rig.qty(), rig.state.account(MAIN).wallet("USDT"))
    if books != (venue.qty, venue.wallet):
        found.append(f"books {books}, venue {(venue.qty, venue.wallet)}")
    parents = rig.state.live_parents_of(KEY)
    held = sum((p.open_qty * p.side.sign for p in parents), ZERO)
    is_less = abs(held) < abs(venue.qty) and held * venue.qty >= ZERO
    if held != venue.qty and not (venue.is_shared and is_less):
        found.append(f"parents hold {held} of {venue.qty}")
    return found


def _of_the_orders(venue):
    theirs = {o.asked.cl_ord_id for o in venue.orders.values() if o.is_open}
    ours = {o.cl_ord_id for o in venue.rig.state.all_open_orders()}
    return [f"open on one side alone: {sorted(theirs ^ ours)}"] if theirs != ours else []


def _of_the_stops(venue):
    state = venue.rig.state
    there, wanted = Counter[tuple](), Counter[tuple]()
    for o in venue.orders.values():
        asked = o.asked
        if o.is_open and asked.role in PROTECTIVE:
            size = "all" if asked.close_position else o.leaves_qty
            there[asked.role, asked.parent_id, asked.side, size, asked.trigger_price] += 1
    for parent in state.live_parents_of(KEY):
        held = cover(state, parent)
        for role in PROTECTIVE:
            price = parent.protective_price(role)
            if held and price is not None:
                what = (role, parent.parent_id, parent.side.opposite)
                size = held if there[*what, held, price] else _size(venue, held)
                wanted[*what, size, price] += bool(size)
    missing = [each for each in wanted - there if not _may_miss(venue, *each[:4])]
    surplus = [e for e in there - wanted if not _may_stay(venue, e[0], e[1], e[3])]
    return [f"missing {each}" for each in missing] + [f"too many {each}" for each in surplus]


def _size(venue, held):
    """Return what a new order can have of a holding; one of before the lot grew has all."""
    instrument = venue.instrument
    if instrument.takes(held):
        return held
    if held == abs(venue.qty):
        return "all"
    part = instrument.round_qty(held)
    return part if part >= instrument.min_qty else ZERO


def _may_miss(venue, role, parent_id, side, size):
    """Tell whether an order may be missing: a target that the venue wants none of, or one of dust,
    and a stop of dust that is passed and is being closed.
    """
    orders = venue.rig.state.open_orders_of(KEY)
    closing = {o.side for o in orders if o.request.close_position and o.role is EXIT}
    if size == "all" and (side in closing or role is TARGET):
        return True
    return role is TARGET and _is_given_up(venue, parent_id)


def _may_stay(venue, role, parent_id, size):
    """Tell whether another may rest than is wanted: a target of a part, where the venue wants none
    of the whole, or of dust that can't be closed.
    """
    held = cover(venue.rig.state, venue.rig.state.parents[parent_id])
    if role is TARGET and size != "all" and size <= held and _is_given_up(venue, parent_id):
        return True
    return bool(held) and not venue.instrument.takes(held)


def _is_given_up(venue, parent_id):
    state = venue.rig.state
    targets = (o for o in state.children(state.parents[parent_id]) if o.role is TARGET)
    refused = [o for o in targets if o.is_refused]
    has_ended = state.status is Status.STOPPED  # it does not wait for what never leaves either
    return sum(has_ended or is_unfit(o) for o in refused) >= REFUSALS_MAX


WEATHERS = st.builds(
    Weather,
    faults=st.sampled_from((0.0, 0.1, 0.4)),
    dropped=st.sampled_from((0.0, 0.2, 0.6)),
    repeated=st.sampled_from((0.0, 0.3)),
    unnamed=st.sampled_from((0.0, 0.0, 0.5)),
    lag_s=st.sampled_from((0.0, 0.3, 1.9)),
    slow_s=st.sampled_from((0.1, 1.0, 4.0, 9.0)),
)
OTHERS = sorted(set(DOERS) - {"market", "strategies"})


@given(
    seed=st.integers(0, 2**64),
    weather=WEATHERS,
    others=st.sets(st.sampled_from(OTHERS)),
    acts=st.sampled_from((3, 8, 15, 30)),
    apart_s=st.sampled_from((0.3, 1.0, 5.0)),
)
@settings(max_examples=150)
def test_each_holding_has_its_stop_and_nothing_rests_that_guards_nothing(
    seed, weather, others, acts, apart_s
):
    doers = ("strategies", "market", *sorted(others))
    venue, watch = play(seed, weather, doers, acts, apart_s)

    assert faults(venue, watch) == []


@given(
    seed=st.integers(0, 2**64),
    weather=WEATHERS,
    is_by_hand=st.booleans(),
    acts=st.sampled_from((3, 8, 15)),
    apart_s=st.sampled_from((0.3, 1.0)),
)
@settings(max_examples=75)
def test_a_session_that_ends_leaves_each_holding_with_its_stop(
    seed, weather, is_by_hand, acts, apart_s
):
    doers = ("strategies", "market", *(["hands"] if is_by_hand else []))
    venue, watch = leave(seed, weather, doers, acts, apart_s)

    assert left_behind(venue, watch) == []
