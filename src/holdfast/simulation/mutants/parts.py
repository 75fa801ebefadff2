"""Mutants of entries that go out in parts."""

from __future__ import annotations

from ...engine import engine, parents, requests
from ...engine.algos import ALGOS, STARTED, Action, Algo, Moment, iceberg
from ...engine.algos.base import Terms
from .patching import Known, Mutant, Patch


def count_no_part_that_is_under_way(patch: Patch) -> None:
    def left(moment: Moment) -> object:
        return moment.parent.start.qty - moment.parent.filled_qty

    patch.attr(Moment, "left", property(left))


def set_no_timer_again(patch: Patch) -> None:
    patch.attr(parents, "rearm", lambda _core: None)
    patch.attr(requests, "rearm", lambda _core: None)


def go_on_behind_a_close(patch: Patch) -> None:
    patch.attr(Moment, "is_closed_in_part", property(lambda _moment: False))


def forget_the_next_part(patch: Patch) -> None:
    """Neither what has filled brings the next, nor the look behind it."""

    def react(moment: Moment, terms: Terms) -> list[Action]:
        return iceberg.react(moment, terms) if moment.cause is STARTED else []

    patch.attr(engine, "_child_ended", lambda *_: None)
    patch.item(ALGOS, "iceberg", Algo(react, iceberg.check))


PARTS = (
    Mutant(
        "a part that is under way counts",
        count_no_part_that_is_under_way,
        ("parts",),
        known=(Known(14_500_572, 18),),
    ),
    Mutant(
        "parts go on behind a crash",
        set_no_timer_again,
        ("parts",),
        known=(Known(14_500_572, 18),),
    ),
    Mutant(
        "what closes a part ends the rest",
        go_on_behind_a_close,
        ("parts",),
        known=(Known(28_928_788, 18),),
    ),
    Mutant(
        "a part that has filled has its next",
        forget_the_next_part,
        ("parts",),
        known=(Known(14_500_901, 8), Known(33_300_297, 12)),
    ),
)
