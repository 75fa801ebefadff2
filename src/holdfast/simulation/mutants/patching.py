"""Replace attributes and table rows for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, NamedTuple


class Patch:
    """What was replaced, and how to undo it."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def attr(self, owner: Any, name: str, value: object) -> None:  # noqa: ANN401 - whatever has it
        before = vars(owner)[name]
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    def item(self, table: MutableMapping[Any, Any], key: object, value: object) -> None:
        before = table[key]
        self._undo.append(lambda: table.__setitem__(key, before))
        table[key] = value

    def undo(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()


class Known(NamedTuple):
    """A run in which something rare has happened: so long a storm, no kinds meaning all faults."""

    seed: int
    storm_s: float
    kinds: tuple[str, ...] = ()
    accounts: int = 1


class Mutant(NamedTuple):
    """What is taken out, and which oracles may notice it.

    `kinds` are the faults under which it is looked for, none meaning all; `seeds` is how many
    runs are tried at most. `known` are played before all others; `needs_feed` leaves out seeds
    whose market does not come over the streams.
    """

    name: str
    breaks: Callable[[Patch], None]
    noticed_by: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    seeds: int = 200
    known: tuple[Known, ...] = ()
    needs_feed: bool = False

    @property
    def oracles(self) -> tuple[str, ...]:
        """Return who may notice it: books that differ are told of before the world is at rest."""
        early = ("needless",) if "at rest" in self.noticed_by else ()
        return (*self.noticed_by, *early)


@contextmanager
def applied(mutant: Mutant | None) -> Iterator[None]:
    """Run with a mutant, or without one."""
    patch = Patch()
    try:
        if mutant is not None:
            mutant.breaks(patch)
        yield
    finally:
        patch.undo()
