"""What is said to the cancels and amendments of one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..model import events as ev
from ..model.values import ClOrdId
from .shell import Shell

Answer = ev.OrderReplaced | ev.ReplaceRejected | ev.CancelRejected


@contextmanager
def answers_to(shell: Shell, cl_ord_id: ClOrdId) -> Iterator[list[Answer]]:
    """Collect what is said to cancels and amendments of one order while the block runs."""
    found: list[Answer] = []

    def hear(facts: Sequence[ev.Event]) -> None:
        found.extend(
            fact for fact in facts if isinstance(fact, Answer) and fact.cl_ord_id == cl_ord_id
        )

    shell.listeners.append(hear)
    try:
        yield found
    finally:
        shell.listeners.remove(hear)


def of_amendment(answers: list[Answer]) -> ev.OrderReplaced | ev.ReplaceRejected | None:
    """Return what was said first to an amendment; what follows is of later ones."""
    return next((each for each in answers if not isinstance(each, ev.CancelRejected)), None)
