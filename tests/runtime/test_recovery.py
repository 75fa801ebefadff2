"""A start from a snapshot stands where a start from all facts does, and says when it would not."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from holdfast.journal import MemoryJournal, open_journal
from holdfast.model.values import SessionId
from holdfast.runtime import beat, recovery
from holdfast.runtime.figures import Figures
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.stats import fold_session
from tests.laws.road import bad
from tests.laws.steps import script
from tests.laws.world import World
from tests.runtime.session_desk import BTC, crash_image, running

S, OTHER = SessionId("s"), SessionId("other")


@pytest.fixture(scope="module")
def facts():
    return World(bad(7)).run(script(7, 120)).journal.facts


def _saved_at(facts, at):
    """Return a journal of all facts with a snapshot at one of them, as its owner leaves it."""
    journal = MemoryJournal(facts[:at])
    recovered = StateRecoveryService(journal).recover()
    figures = Figures(S)
    figures.recall(journal, recovered, is_resumed=True)
    StateRecoveryService(journal).save(recovered.engine.state, figures.rest(at))
    journal.append(facts[at:])
    return journal.reopen()


@pytest.mark.parametrize(("kept", "reads"), [(recovery.TAIL_KEPT, 1), (10, 2)])
def test_state_and_statistics_go_on_from_the_snapshot(facts, monkeypatch, kept, reads):
    monkeypatch.setattr(recovery, "TAIL_KEPT", kept)
    at = len(facts) // 2
    journal = _saved_at(facts, at)
    replay, asked = journal.replay, []

    def replay_and_note(after=0):
        asked.append(after)
        return replay(after)

    monkeypatch.setattr(journal, "replay", replay_and_note)
    recovered = StateRecoveryService(journal).recover()
    figures = Figures(S)
    figures.recall(journal, recovered, is_resumed=True)

    assert recovered.facts_folded == len(facts) - at
    assert (
        recovered.engine.state == StateRecoveryService(MemoryJournal(facts)).recover().engine.state
    )
    assert figures.stats() == fold_session(facts, S)
    assert asked == [at] * reads
    assert recovered.tail is None


def test_statistics_of_another_session_are_counted_anew(facts):
    journal = _saved_at(facts, len(facts) // 2)
    figures = Figures(OTHER)
    figures.recall(journal, StateRecoveryService(journal).recover(), is_resumed=True)

    assert figures.rest(len(facts)) == _counted(facts, OTHER).rest(len(facts))


def _counted(facts, session_id):
    figures, journal = Figures(session_id), MemoryJournal(facts)
    figures.recall(journal, StateRecoveryService(journal).recover(), is_resumed=True)
    return figures


def test_statistics_that_missed_a_fact_are_not_kept(facts):
    figures = _counted(facts, S)

    assert figures.rest(len(facts) + 1) == b""
    assert figures.rest(len(facts))


def test_a_snapshot_of_other_code_is_not_used(facts, monkeypatch):
    """A field that is new would read back with its default, though the facts say otherwise."""
    journal = _saved_at(facts, 20)
    assert StateRecoveryService(journal).recover().from_snapshot == 20
    monkeypatch.setattr(recovery, "form", lambda: "0.2.0 abc")
    recovered = StateRecoveryService(journal).recover()

    assert recovered.from_snapshot == 0
    assert recovered.facts_folded == len(facts)
    assert StateRecoveryService(journal).check() == ""


def test_a_snapshot_of_an_earlier_build_is_not_used(facts, monkeypatch, tmp_path):
    """It is of the same version and shape, and folds a fact otherwise."""
    folder = shutil.copytree(recovery.FOLDING[0], tmp_path / "engine")
    monkeypatch.setattr(recovery, "FOLDING", (folder,))
    monkeypatch.setattr(recovery, "form", recovery.form.__wrapped__)
    journal = _saved_at(facts, 20)
    assert StateRecoveryService(journal).recover().from_snapshot == 20
    with (folder / "folds.py").open("a") as file:
        file.write("changed = True\n")
    recovered = StateRecoveryService(journal).recover()

    assert recovered.from_snapshot == 0
    assert StateRecoveryService(journal).check() == ""


def test_a_snapshot_is_compared_with_the_fold_of_its_facts(facts):
    at = len(facts) // 2
    journal = _saved_at(facts, at)
    service = StateRecoveryService(journal)
    assert service.check() == ""
    state, _ = service.load()
    _, payload = journal.load_snapshot()
    figures = recovery._decode(payload).figures

    service._journal.save_snapshot(at, _snapshot(state, _counted(facts, S).rest(len(facts))))
    assert (
        service.check() == f"the statistics in the snapshot at {at} are not the fold of its facts"
    )
    state.order_seq += 1
    service._journal.save_snapshot(at, _snapshot(state, figures))
    assert service.check() == f"the snapshot at {at} is not the fold of its facts"


def _snapshot(state, figures):
    return msgspec.msgpack.encode(recovery.Snapshot(recovery.form(), state, figures))


async def test_a_killed_session_goes_on_counting_from_its_snapshot(tmp_path, monkeypatch):
    monkeypatch.setattr(beat, "HEARTBEAT_S", 0.02)
    monkeypatch.setattr(beat, "SNAPSHOT_FACTS", 10)
    async with running(tmp_path / "a") as desk:
        await desk.service.place_order(BTC, "BUY", "0.01", stop_loss=44_000)
        journal = desk.service.live.journal
        await desk.until(lambda: (journal.load_snapshot() or (0, b""))[0] >= 10)
        await desk.feed.price(45_100)
        await desk.service.place_order(BTC, "BUY", "0.005", stop_loss=44_000)
        image = crash_image(tmp_path / "a", tmp_path / "b")

    async with running(image, feed=desk.feed.again()) as after:
        live = after.service.live
        assert live.figures.stats() == fold_session(live.journal.replay())
        assert live.figures.stats().fills == 2
    reader = open_journal(image / "holdfast.db", read_only=True)
    assert StateRecoveryService(reader).check() == ""
    assert (reader.load_snapshot() or (0, b""))[0] == reader.sequence
    reader.close()
