"""The table of judges beside the first oracles, and all of them in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ..exchange import Output
from ..model.events import Event
from .alarms import Alarms
from .answers import Answers
from .judge import Judge
from .ledger import Ledger
from .limits import Limits
from .needless import Needless
from .parts import Parts
from .sides import Sides
from .told import Told

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World


class Judges:
    """All judges of a run. Each is asked only for what it wants to hear."""

    def __init__(self, world: World) -> None:
        self.needless, self.answers = Needless(world), Answers(world)
        self.limits, self.told, self.parts = Limits(world), Told(world), Parts(world)
        everybody: tuple[Judge, ...] = (
            *(self.needless, self.answers, self.limits, self.told),
            *(Alarms(world), Sides(world), Ledger(world), self.parts),
        )
        self._all = everybody
        self._on_facts = [each.hear_facts for each in everybody if _wants(each, "hear_facts")]
        self._on_venue = [each.hear_venue for each in everybody if _wants(each, "hear_venue")]
        self._on_look = [each.look for each in everybody if _wants(each, "look")]

    def begin(self, live: LiveSession) -> None:
        for each in self._all:
            each.begin(live)

    def hear_facts(self, facts: Iterable[Event]) -> None:
        for hear in self._on_facts:
            hear(facts)

    def hear_venue(self, outputs: Sequence[Output], now: int) -> None:
        for hear in self._on_venue:
            hear(outputs, now)

    def look(self) -> None:
        for look in self._on_look:
            look()

    def judge_rest(self, live: LiveSession) -> None:
        for each in self._all:
            each.judge_rest(live)


class Calls(Protocol):
    """Who calls hooks."""

    def call(self, hook: Callable[..., object], *args: object) -> None: ...


class Guard:
    """Calls hooks without a look at the wall clock, and lets judges hear of them.

    Args:
        inner: what calls them, where somebody hears the market too.
    """

    budget_ns = 1 << 62

    def __init__(self, told: Told, inner: Calls | None = None) -> None:
        self._told, self._inner = told, inner

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def call(self, hook: Callable[..., object], *args: object) -> None:
        self._told.hear_hook(hook, args)
        if self._inner is None:
            hook(*args)
        else:
            self._inner.call(hook, *args)


def _wants(judge: Judge, name: str) -> bool:
    return getattr(type(judge), name) is not getattr(Judge, name)
