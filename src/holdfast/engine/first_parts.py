"""Plans in parts that are judged by their first, which begins them: what is refused as a whole."""

from __future__ import annotations

from msgspec.structs import replace

from ..model import events as ev
from ..model.values import (
    NO_ID,
    NS_PER_S,
    RUNNING,
    ClOrdId,
    IntentId,
    NewOrder,
    ParentId,
    Verdict,
)
from .algos import STARTED, Moment, SendChild, find
from .core import Core
from .parent import Parent
from .parents import Plan, begin, child, on_the_lot
from .parts import is_worked, name_of
from .risk import assess, duplicate, first_refusal, kill_switch, session


def first_part(core: Core, plan: Plan) -> NewOrder:
    """Return the first order that a plan would send, without an id; what it begins with."""
    pattern = replace(plan.pattern, cl_ord_id=ClOrdId("?"))
    start = ev.ParentStarted(
        ts=core.now,
        parent_id=ParentId("?"),
        intent_id=IntentId("?"),
        symbol=pattern.symbol,
        side=pattern.side,
        qty=pattern.qty,
        algo=plan.algo,
        order=pattern,
    )
    algo, terms = find(plan.algo)
    parent = Parent(start)
    actions = algo.react(Moment(parent, (), STARTED, core.now), terms)
    parts = [action.qty for action in actions if isinstance(action, SendChild)]
    return replace(pattern, qty=on_the_lot(core, parent, parts[0])) if parts else pattern


def judge_first(core: Core, plan: Plan, part: NewOrder) -> tuple[Verdict, ...]:
    """Return what every rule says of the first of a plan's parts, which begins them.

    Of one that can only close as things are `duplicate` alone is asked: what follows a repeat would
    go past flat. Where nothing new is begun all are: no part would follow it.
    """
    context = core.risk_context()
    context.legs = plan.legs
    verdicts = assess(part, context)
    if context.adds_risk(part) or _is_called_off(core):
        return verdicts
    return tuple(each for each in verdicts if each.rule == duplicate.NAME)


_ENDING = frozenset({kill_switch.NAME, session.NAME})


def _is_called_off(core: Core) -> bool:
    """Tell whether what begins now would be worked no further than its first part."""
    return core.state.is_killed or core.state.status is not RUNNING


def is_refused_at_once(core: Core, plan: Plan, intent_id: IntentId, request_id: str) -> bool:
    """Tell whether a rule refuses the first of a plan's parts; then that is on record, and all."""
    _, terms = find(plan.algo)
    if not terms:
        return False
    part = first_part(core, plan)
    verdicts = _compare(core, plan, judge_first(core, plan, part))
    refusal = first_refusal(verdicts)
    if refusal is None:
        return False
    _refuse(core, replace(plan, pattern=part), intent_id, refusal, verdicts, request_id)
    return True


def is_refused_as_a_whole(core: Core, plan: Plan, intent_id: IntentId) -> bool:
    """Tell whether a plan in parts is one that has just begun, once more, or one of while nothing
    new is begun; then that is on record.

    Of any other refusal the parts that follow may be free; of a repeat they would be, and double
    what was wished for. The rule alone compares with what went out, which the first part of the one
    before need not have done: where that goes on all the same, the wishes are compared.
    """
    _, terms = find(plan.algo)
    if not terms or not (_is_called_off(core) or _just_begun(core, plan)):
        return False
    part = first_part(core, plan)
    verdicts = _compare(core, plan, judge_first(core, plan, part))
    rules = {duplicate.NAME} | _ENDING
    refusal = first_refusal(each for each in verdicts if each.rule in rules)
    if refusal is None:
        return False
    _refuse(core, replace(plan, pattern=part), intent_id, refusal, verdicts)
    return True


def _compare(core: Core, plan: Plan, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return verdicts as they are where a plan is one that goes on already, once more."""
    for each in _just_begun(core, plan):
        if is_worked(core.state, each) and _is_same(plan, each):
            verdicts = tuple(_repeats(core, each, verdict) for verdict in verdicts)
    return verdicts


def _just_begun(core: Core, plan: Plan) -> list[Parent]:
    """Return what such plans began within the window of `duplicate`; sizes go by the equity."""
    since = core.now - core.settings.limits.duplicate_window_s * NS_PER_S
    pattern = plan.pattern
    wanted = (pattern.key, pattern.side, pattern.strategy_id, plan.algo)
    found: list[Parent] = []
    for each in reversed(core.state.parents.values()):
        if each.start.ts <= since:
            break  # the rest is older still
        if (each.key, each.side, each.strategy_id, each.start.algo) == wanted:
            found.append(each)
    return found


def _is_same(plan: Plan, parent: Parent) -> bool:
    """Tell whether a plan is for what has begun already; at the market its limit is of its time."""
    new, old = plan.pattern, parent.start.order
    is_at_market = plan.is_at_market and parent.start.is_at_market
    is_same_price = is_at_market or new.price == old.price
    return (new.qty, new.order_type) == (old.qty, old.order_type) and is_same_price


def _repeats(core: Core, begun: Parent, verdict: Verdict) -> Verdict:
    """Return a verdict as it is of what has begun already; other rules' stay as they are."""
    if verdict.rule != duplicate.NAME or not verdict.passed:
        return verdict
    age_ns, window_s = core.now - begun.start.ts, core.settings.limits.duplicate_window_s
    return duplicate.again(f"{name_of(begun)} is the same, begun", age_ns, window_s)


def _refuse(  # noqa: PLR0913, PLR0917 - what a refusal consists of
    core: Core,
    part: Plan,
    intent_id: IntentId,
    refusal: Verdict,
    verdicts: tuple[Verdict, ...],
    request_id: str = "",
) -> None:
    """Put it on record that nothing of a plan goes out; its first part stands for all."""
    alone = replace(part, pattern=replace(part.pattern, cl_ord_id=NO_ID), algo="direct")
    parent_id = begin(core, alone, intent_id, request_id)
    order = child(core, core.state.parents[parent_id], part.pattern.qty)
    core.deny(order, refusal.rule, refusal.reason, verdicts)
