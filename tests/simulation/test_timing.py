"""What a run measures: how long repairs, doubts and starts take in its own time."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from holdfast.simulation.faults import chosen
from holdfast.simulation.run import play
from holdfast.simulation.spec import Spec
from holdfast.simulation.tally import Tally
from holdfast.simulation.timing import DOUBT, FILL, REPAIR, REPAIR_S_MAX, START


def dropping(seed):
    return play(Spec(seed=seed, storm_s=40, kinds=chosen(["drop_frame"])))


def test_what_a_dropped_frame_told_is_in_the_books_within_15_s():
    verdicts = [dropping(seed) for seed in range(4)]
    repairs = [each for verdict in verdicts for each in verdict.spans.get(REPAIR, ())]

    assert [v.violations for v in verdicts] == [()] * len(verdicts)
    assert len(repairs) > 5
    assert max(repairs) <= REPAIR_S_MAX


def test_an_audit_waits_for_no_full_minute_of_the_venues_weights():
    # Its looks had used what reads may: the next stood for 19 s, and so did a stop that lacked.
    verdict = play(Spec(seed=185, storm_s=42, kinds=chosen(["drop_frame"])))

    assert verdict.violations == ()
    assert max(verdict.spans[REPAIR]) <= REPAIR_S_MAX


def test_a_slow_repair_is_a_violation(monkeypatch):
    monkeypatch.setattr("holdfast.simulation.world.REPAIR_S_MAX", 0.5)

    assert any(v.startswith("repair: ") for v in dropping(0).violations)


@pytest.mark.parametrize("seed", [201, 275, 298])
def test_faults_that_are_alone_have_nobody_beside_them(seed):
    """Where the exchange is in maintenance, as an adversary has it there, doubts last as long."""
    spec = Spec(seed=seed, storm_s=42, kinds=chosen(["cut_early"]))
    opposed, alone = play(spec), play(msgspec.structs.replace(spec, alone=True))

    assert max(opposed.spans[DOUBT]) > 100
    assert max(alone.spans.get(DOUBT, [0.0])) < 5
    assert alone.violations == ()
    assert not {"hard_times", "meddling", "machine_off", "petitioner"} & set(+Counter(alone.fired))


def test_starts_and_fills_are_timed():
    verdict = play(Spec(seed=1, storm_s=15, kinds=frozenset()))

    assert len(verdict.spans[START]) == 1
    assert len(verdict.spans[FILL]) == verdict.fills


def test_tallies_add_up():
    whole, first, second = Tally(), Tally(), Tally()
    verdicts = [play(Spec(seed=seed, storm_s=12)) for seed in range(2)]
    for verdict, part in zip(verdicts, (first, second), strict=True):
        whole.add(verdict)
        part.add(verdict)
    first.merge(second)

    assert first == whole
