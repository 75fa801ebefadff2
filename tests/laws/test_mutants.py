"""Every law was seen to fail: each mutant takes one mechanism out, and the checkers notice.

A checker that passes an engine without the mechanism would prove nothing of the one with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import msgspec
import pytest

from holdfast.engine import core as engine_core
from holdfast.engine import (
    exits,
    folds,
    forgetting,
    housekeeping,
    protection,
    reconcile,
    reports,
    wish_folds,
)
from holdfast.engine.core import Core
from holdfast.engine.order import Order, RequestState
from holdfast.engine.risk import RULES
from holdfast.engine.state import State
from holdfast.exchange import Liquidity
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import NS_PER_S, ZERO, OrderRole, OrderStatus, OrderType, Side, Verdict
from holdfast.venues.paper_faults import Fault, Faults
from tests.laws.checks import violations
from tests.laws.road import GOOD, Road, bad
from tests.laws.steps import ALL, BTC, ORDERS, POSITIONS, script
from tests.laws.test_law_10_bounds import SMALL
from tests.laws.world import Broken, World


class Mutant(NamedTuple):
    """What to break, which law must notice, and within how many scripts of which kind."""

    name: str
    breaks: Callable[[pytest.MonkeyPatch], None]
    noticed_by: tuple[str, ...]
    kinds: tuple[str, ...] = ALL
    seeds: int = 40
    road: Callable[[int], Road] = bad
    world: type[World] = World
    play: Callable[[World], World] | None = None  # what is rare is not left to the scripts


def slow(seed):
    """Half of all fills are lost, and the answers to what was asked come late."""
    return Road(seed=seed, lost=50, late=60, requests=10)


def passes(name):
    return lambda order, ctx: Verdict(rule=name, passed=True)


def forget_trade_ids(patch):
    numbers = iter(range(10**9))
    patch.setattr(reports, "trade_name", lambda *_: f"{next(numbers)}")


def believe_not_found_at_once(patch):
    patch.setattr(Core, "fence_after", lambda self, ts: 0)


def take_a_time_out_for_a_failure(patch):
    def doubt(core, order, reason, _=None):
        if order.status is OrderStatus.PENDING_NEW:
            core.emit(ev.OrderRejected(ts=core.now, cl_ord_id=order.cl_ord_id, reason=reason))

    patch.setattr(reports, "doubt", doubt)
    patch.setattr(reconcile, "doubt", doubt)


def leaves(patch, of):
    original = vars(Order)["leaves_qty"].fget
    patch.setattr(Order, "leaves_qty", property(lambda self: of(self, original(self))))


def free_what_is_in_doubt(patch):
    leaves(patch, lambda order, qty: ZERO if order.is_in_doubt else qty)


def count_what_is_answered_alone(patch):
    pending = OrderStatus.PENDING_NEW
    leaves(patch, lambda order, qty: ZERO if order.status is pending else qty)


def free_the_larger_side_of_an_amendment(patch):
    def of(order, qty):
        is_asked = order.replace is not RequestState.NONE and order.ending is None
        return order.qty - order.cum_qty if is_asked and order.is_open else qty

    leaves(patch, of)


def forget_exits_that_may_have_traded(patch):
    patch.setattr(exits, "closable", lambda qty, side: ZERO)
    patch.setattr(exits, "traded", lambda *_, **__: None)


def end_orders_before_their_fills(patch):
    def end(self, trigger, cum_qty, reason):
        self._move(trigger)

    patch.setattr(Order, "_end", end)


def trade_outside_running(patch):
    patch.setitem(RULES, "session", passes("session"))


def trade_under_the_kill_switch(patch):
    patch.setitem(RULES, "kill_switch", passes("kill_switch"))


def let_everything_pass(patch):
    patch.setattr(Core, "judge", lambda self, order: ())


def let_what_closes_open(patch):
    patch.setattr(engine_core, "replace", lambda order, **_: order)


def place_no_stops(patch):
    original = protection._plan_role

    def plan_role(parent, role, qty, orders, now):
        steps = original(parent, role, qty, orders, now)
        is_stop = role is OrderRole.STOP_LOSS
        return [s for s in steps if not (is_stop and isinstance(s, protection.Place))]

    patch.setattr(protection, "_plan_role", plan_role)


def take_the_old_stop_back_first(patch):
    original = protection._plan_role

    def plan_role(parent, role, qty, orders, now):
        steps = original(parent, role, qty, orders, now)
        if any(isinstance(step, protection.Place) for step in steps):
            old = [o for o in orders if o.is_open and o.cancel is RequestState.NONE]
            return [*(protection.Withdraw(o) for o in old), *steps]
        return steps

    patch.setattr(protection, "_plan_role", plan_role)


def leave_the_second_stop(patch):
    original = protection._plan_role

    def plan_role(parent, role, qty, orders, now):
        steps = original(parent, role, qty, orders, now)
        return [s for s in steps if not (qty and isinstance(s, protection.Withdraw))]

    patch.setattr(protection, "_plan_role", plan_role)


def act_on_a_wish_as_often_as_it_is_heard(patch):
    patch.setattr(wish_folds, "_remember_intent", lambda *_: None)


def give_two_wishes_one_intent(patch):
    patch.setattr(wish_folds, "_count_intent", lambda state, intent_id: None)


def use_ids_again(patch):
    def count_attempt(state, order):
        parent = state.parents.get(order.parent_id)
        if parent is not None:
            parent.attempts += 1
            parent.children.append(order.cl_ord_id)

    patch.setattr(folds, "_count_attempt", count_attempt)


def fetch_no_missed_fills(patch):
    patch.setattr(reconcile, "_book_missed", lambda core, snapshot: None)


def never_doubt_what_is_not_answered(patch):
    patch.setattr(housekeeping, "doubt_unanswered", lambda *_: None)


def remember_beside_the_journal(patch):
    original = Core.cancel

    def cancel(self, order, reason, **more):
        original(self, order, reason, **more)
        order.reason = reason

    patch.setattr(Core, "cancel", cancel)


def count_profit_twice(patch):
    original = State.apply

    def apply(self, fact):
        if isinstance(fact, ev.OrderFilled) and fact.realized_pnl:
            fact = msgspec.structs.replace(fact, realized_pnl=fact.realized_pnl * 2)
        original(self, fact)

    patch.setattr(State, "apply", apply)


def round_fees(patch):
    original = State.apply

    def apply(self, fact):
        if isinstance(fact, ev.OrderFilled):
            fact = msgspec.structs.replace(fact, fee=round(fact.fee, 4) + Decimal(0))
        original(self, fact)

    patch.setattr(State, "apply", apply)


def forget_nothing(patch):
    for name, bound in SMALL.items():
        patch.setattr(forgetting, name, bound)
    patch.setattr(folds, "bury", lambda state, cl_ord_id: state.closed_orders.append(cl_ord_id))


def retry_at_once(patch):
    patch.setattr(protection, "RETRY_NS", 0)
    patch.setattr(protection, "REFUSALS_MAX", 10**9)


def change_nothing(patch):
    """The world itself is the mutant."""


class SendFirst(World):
    """Lets commands go before their facts are written."""

    def carry_out(self, outcome):
        for command in outcome.commands:
            self._send(command)
        self._commit(outcome.facts)


class NoAudit(World):
    """Never compares its books while all seems well."""

    def _second(self):
        self._next_audit = self._next_tick + 1
        super()._second()


def cancel_while_a_fill_is_missing(world: World) -> World:
    """A fill's report is lost, the cancel's names it, and the books take three seconds to come."""
    wanted: dict = {"symbol": BTC, "side": Side.BUY, "qty": Decimal("0.015")}
    kind: dict = {"order_type": OrderType.LIMIT, "price": Decimal(49_900)}
    world.hear(msg.PlaceRequest(**wanted, **kind))
    world.pass_time(2 * NS_PER_S)
    world.delivery.silent_until = world.now + NS_PER_S
    world.show(BTC, 49_800.0, 0.014)
    world.pass_time(2 * NS_PER_S)
    world.delivery.answers_take_ns = 3 * NS_PER_S
    [order] = world.state.all_open_orders()
    world.hear(msg.CancelRequest(cl_ord_id=order.cl_ord_id))
    world.pass_time(NS_PER_S // 10)
    world.hear(msg.PlaceRequest(**wanted))
    return world.run([])


def stop_out_where_nobody_buys(world: World) -> World:
    """An entry fills on the way past its stop, and there is nobody to close it with."""
    world.venue.exchange._markets[BTC].display.model = Liquidity(beyond_touch=None)
    world.quote(BTC, 0.0)
    world.hear(
        msg.PlaceRequest(
            symbol=BTC,
            side=Side.BUY,
            qty=Decimal("0.004"),
            order_type=OrderType.LIMIT,
            price=Decimal(49_900),
            stop_loss=Decimal(49_800),
        )
    )
    world.pass_time(NS_PER_S)
    with contextlib.suppress(Broken):
        world.show(BTC, 49_700.0, 1.0)
        world.pass_time(3 * NS_PER_S)
    return world.run([]) if not world.violations else world


def lose_a_cancel_without_a_word(world: World) -> World:
    """A cancel never arrives, and nobody says that its outcome is unknown."""
    place = msg.PlaceRequest(
        symbol=BTC,
        side=Side.BUY,
        qty=Decimal("0.004"),
        order_type=OrderType.LIMIT,
        price=Decimal(49_000),
    )
    world.hear(place)
    world.pass_time(NS_PER_S)
    [order] = world.state.all_open_orders()
    world.venue._faults = Faults(requests={world.venue._requests + 1: Fault.NOT_EXECUTED})
    world.hear(msg.CancelRequest(cl_ord_id=order.cl_ord_id))
    world.delivery.drop()
    return world.run([])


MUTANTS = [
    Mutant("trade-id dedupe", forget_trade_ids, ("law 3", "law 6")),
    Mutant("the fence", believe_not_found_at_once, ("law 7",)),
    Mutant("a time-out is no failure", take_a_time_out_for_a_failure, ("law 7",)),
    Mutant("doubt keeps its reserve", free_what_is_in_doubt, ("law 8",)),
    Mutant("in flight counts", count_what_is_answered_alone, ("law 8",), ORDERS),
    Mutant(
        "amendments at their larger side",
        free_the_larger_side_of_an_amendment,
        ("law 8",),
        ("place", "modify"),
        60,
        slow,
    ),
    Mutant(
        "a final status waits for fills",
        end_orders_before_their_fills,
        ("law 8",),
        play=cancel_while_a_fill_is_missing,
    ),
    Mutant(
        "exits that may have traded count",
        forget_exits_that_may_have_traded,
        ("law 8",),
        ("signal", "quote", "market", "close", "adjust"),
        60,
        slow,
    ),
    Mutant("entries in RUNNING alone", trade_outside_running, ("law 5",)),
    Mutant("the kill switch", trade_under_the_kill_switch, ("law 5",)),
    Mutant("what adds risk is checked", let_everything_pass, ("law 8",)),
    Mutant("what only closes is reduce-only", let_what_closes_open, ("law 5",)),
    Mutant("stops are placed", place_no_stops, ("law 9",)),
    Mutant("the new stop first", take_the_old_stop_back_first, ("law 9",), POSITIONS),
    Mutant("one stop for each parent", leave_the_second_stop, ("law 9",), POSITIONS),
    Mutant("a wish is acted on once", act_on_a_wish_as_often_as_it_is_heard, ("law 7",)),
    Mutant("an intent for each wish", give_two_wishes_one_intent, ("law 7",)),
    Mutant("ids are used once", use_ids_again, ("law",)),
    Mutant("missed fills are fetched", fetch_no_missed_fills, ("law 6", "law 3")),
    Mutant(
        "silence is doubted",
        never_doubt_what_is_not_answered,
        ("at rest",),
        play=lose_a_cancel_without_a_word,
    ),
    Mutant("the journal remembers everything", remember_beside_the_journal, ("law 1",)),
    Mutant("profit is booked once", count_profit_twice, ("law 3",)),
    Mutant("fees are exact", round_fees, ("law 3",)),
    Mutant("memory is bounded", forget_nothing, ("law 10",)),
    Mutant("refusals are paced", retry_at_once, ("law 10",), play=stop_out_where_nobody_buys),
    Mutant("facts before commands", change_nothing, ("law 4",), world=SendFirst),
    Mutant("the audit", change_nothing, ("law 6", "law 3", "at rest"), world=NoAudit),
]


def played(mutant: Mutant, world: World, seed: int) -> list[str]:
    if mutant.play is not None:
        return violations(mutant.play(world))
    return violations(world.run(script(seed, 70, mutant.kinds)))


def first_found(mutant: Mutant) -> int | None:
    """Play scripts until the law notices; return the seed of the first in which it does."""
    for seed in range(mutant.seeds if mutant.play is None else 1):
        found = played(mutant, mutant.world(_road(mutant, seed)), seed)
        if any(each.startswith(mutant.noticed_by) for each in found):
            return seed
    return None


def _road(mutant: Mutant, seed: int) -> Road:
    return mutant.road(seed) if mutant.play is None else GOOD


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_missing_mechanism_is_noticed(mutant, monkeypatch):
    with monkeypatch.context() as patch:
        mutant.breaks(patch)
        seed = first_found(mutant)
    assert seed is not None

    assert played(mutant, World(_road(mutant, seed)), seed) == []


@pytest.mark.parametrize("kinds", [ALL, ORDERS, POSITIONS], ids=["all", "orders", "positions"])
def test_the_engine_as_it_is_violates_nothing_in_the_same_scripts(kinds):
    for seed in range(12):
        assert violations(World(bad(seed)).run(script(seed, 70, kinds))) == []
