"""The pre-trade checks, for those who want to ask before they act."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from ..engine.explaining import Explanation
from ..model.errors import InputError
from ..model.signal import SignalGenerated
from ..model.values import Verdict, plain
from .service import LiveTradingService


class PretradeRiskValidator:
    """Asks a running session's rules about a signal, sending nothing.

    The named checks judge `signal`, or the last one that was validated when it is None, also by a
    `validate_signal` of a class of yours: in the same task first, else in any. Of a signal that is
    denied before any rule is asked none says that it passes.

    Raises:
        InputError: a named check has no signal to judge.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "validate_signal" in vars(cls):
            cls.validate_signal = _noting(cls.validate_signal)  # type: ignore[assignment, method-assign]

    def __init__(self, service: LiveTradingService) -> None:
        self._service = service
        self._signal: SignalGenerated | None = None

    def explain(self, signal: SignalGenerated) -> Explanation:
        """Show the whole pipeline: what would be sent, and what every rule says of it."""
        return self._service.explain(signal)

    async def validate_signal(self, signal: SignalGenerated) -> bool:
        """Tell whether a signal would pass every rule. Closing always does."""
        self._note(signal)
        explanation = self.explain(signal)
        return explanation.denial is None and not failed(explanation)

    async def check_position_size(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether the position stays within its share of equity."""
        return self._passes("position_size", signal)

    async def check_leverage(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether the account's leverage stays within its limit."""
        return self._passes("leverage", signal)

    async def check_margin_requirements(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether enough margin stays free."""
        return self._passes("margin", signal)

    async def check_daily_loss_limit(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether the day's loss is within its limit."""
        return self._passes("daily_loss", signal)

    async def check_max_positions(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether there is room for one more position."""
        return self._passes("max_positions", signal)

    async def check_correlation_limits(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether the position would not double another one's risk."""
        return self._passes("correlation", signal)

    async def check_volatility_filters(self, signal: SignalGenerated | None = None) -> bool:
        """Tell whether the market's volatility is within its band."""
        return self._passes("volatility", signal)

    def _passes(self, rule: str, signal: SignalGenerated | None) -> bool:
        asked = signal or _validated.get({}).get(self, self._signal)
        if asked is None:
            raise InputError(f"{rule}: no signal to judge; give one or validate one first")
        explanation = self.explain(asked)
        return explanation.denial is None and all(v.rule != rule for v in failed(explanation))

    def _note(self, signal: SignalGenerated) -> None:
        """Have the named checks judge this one, and what runs beside them its own."""
        self._signal = signal
        known = WeakKeyDictionary(_validated.get({}))
        known[self] = signal
        _validated.set(known)


_validated: ContextVar[Mapping[PretradeRiskValidator, SignalGenerated]] = ContextVar("validated")
"""The last signal of each validator, by task."""

Validate = Callable[[Any, SignalGenerated], Coroutine[Any, Any, bool]]


def _noting(validate: Validate) -> Validate:
    """Let the named checks know the signal that is validated."""

    @functools.wraps(validate)
    async def validate_signal(self: PretradeRiskValidator, signal: SignalGenerated) -> bool:
        self._note(signal)
        return await validate(self, signal)

    return validate_signal


def failed(explanation: Explanation) -> list[Verdict]:
    """Return the verdicts that keep an order from going out."""
    return list(explanation.refusals)


def explanation_lines(explanation: Explanation) -> list[str]:
    """Write an explanation for a person, a line each."""
    lines = []
    judged = zip(explanation.plans, explanation.verdicts, explanation.reduced, strict=True)
    for plan, verdicts, is_reduced in judged:
        order = plan.pattern
        lines.append(
            f"{order.role.name} {order.side.value} {plain(order.qty)} {order.symbol} "
            f"{order.order_type.value} by {plan.algo}"
        )
        lines += [_line(verdict) for verdict in verdicts] or ["  reduce-only: no rule is asked"]
        lines += ["  it can only close, and goes out reduce-only"] if is_reduced else []
    if explanation.denial is not None:
        lines.append(f"denied by {explanation.denial.rule}: {explanation.denial.reason}")
    return lines


def _line(verdict: Verdict) -> str:
    mark = "ok" if verdict.passed else "NO"
    value = "-" if verdict.value is None else plain(verdict.value)
    limit = "-" if verdict.limit is None else plain(verdict.limit)
    return f"  {mark} {verdict.rule:<20} {value:>14} of {limit:>10}  {verdict.reason}".rstrip()
