"""What would become of a wish, shown and not done."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.messages import PlaceRequest
from ..model.signal import SignalGenerated
from ..model.values import NewOrder, Verdict
from . import parents, signals
from .algos import find
from .core import Core
from .first_parts import first_part, judge_first
from .requests import plan_of
from .risk import assess, first_refusal


@dataclass(frozen=True, slots=True)
class Explanation:
    """The pipeline of one wish: each plan with every rule's verdict, or the early denial.

    `reduced` tells of each plan whether it would go out reduce-only, since a rule refuses it and
    it can only close as things are.
    """

    plans: tuple[parents.Plan, ...]
    verdicts: tuple[tuple[Verdict, ...], ...]
    reduced: tuple[bool, ...]
    denial: signals.Denial | None

    @property
    def refusals(self) -> tuple[Verdict, ...]:
        """Return the verdicts that keep an order from going out."""
        kept = zip(self.verdicts, self.reduced, strict=True)
        return tuple(v for each, is_reduced in kept for v in each if not (v.passed or is_reduced))


def explain(core: Core, wish: SignalGenerated | PlaceRequest) -> Explanation:
    """Show what would become of a wish, sending and recording nothing.

    Raises:
        InputError, SessionStateError: it is an order by hand, and would be refused with that.
    """
    if isinstance(wish, PlaceRequest):
        return _explained(core, [plan_of(core, wish)], None)
    return _explained(core, *signals.prepare(core, wish))


def _explained(core: Core, plans: list[parents.Plan], denial: signals.Denial | None) -> Explanation:
    judged = [_judge(core, plan, first_part(core, plan)) for plan in plans]
    return Explanation(
        plans=tuple(plans),
        verdicts=tuple(verdicts for verdicts, _ in judged),
        reduced=tuple(is_reduced for _, is_reduced in judged),
        denial=denial,
    )


def _judge(core: Core, plan: parents.Plan, order: NewOrder) -> tuple[tuple[Verdict, ...], bool]:
    """Return what `Core.submit` would go by, and whether it would make an order reduce-only."""
    if order.reduce_only:
        return (), False
    context = core.risk_context()
    context.legs = plan.legs
    verdicts = assess(order, context)
    if first_refusal(verdicts) is None or context.adds_risk(order):
        return verdicts, False
    is_in_parts = bool(find(plan.algo)[1])  # a repeat of such is refused as a whole
    return verdicts, not is_in_parts or first_refusal(judge_first(core, plan, order)) is None
