"""Facts as an older version wrote them are read as today's."""

from __future__ import annotations

import pytest

from holdfast.journal import open_journal, upcast
from holdfast.journal.codec import GENESIS, link
from holdfast.journal.inspect import verify
from holdfast.model.errors import JournalCorrupt
from holdfast.model.events import AlarmRaised
from tests.journal.samples import fill


@pytest.fixture
def aged(sqlite):
    """A journal whose only fact is an alarm as a made-up version 1 wrote it."""
    sqlite.open().close()
    payload = b'{"type":"AlarmSounded","ts":5,"message":"disk slow"}'
    columns = (1, 1, 5, 1, b"AlarmSounded", payload)
    sqlite.execute(
        "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(1, 1, 5, 1, "AlarmSounded", payload.decode(), link(GENESIS, columns)),
    )
    return sqlite


@pytest.fixture
def third_version(monkeypatch):
    """Version 2 renamed the kind, version 3 its field and gave it a code."""

    def rename_kind(fact):
        return {**fact, "type": "AlarmRaised"}

    def rename_field(fact):
        text = fact.pop("message")
        return {**fact, "text": text, "code": "legacy"}

    monkeypatch.setattr(upcast, "VERSION", 3)
    monkeypatch.setitem(upcast.UPCASTS, ("AlarmSounded", 1), rename_kind)
    monkeypatch.setitem(upcast.UPCASTS, ("AlarmRaised", 2), rename_field)


def test_fact_of_an_older_shape_reads(aged, third_version):
    journal = aged.open()
    journal.append([fill(1)])

    assert list(journal.replay()) == [
        AlarmRaised(ts=5, code="legacy", text="disk slow"),
        fill(1),
    ]
    journal.close()
    assert aged.execute("SELECT version FROM facts ORDER BY sequence") == [(1,), (3,)]
    assert aged.execute("SELECT schema_version FROM meta") == [(3,)]
    assert open_journal(aged.path, read_only=True).sequence == 2


def test_fact_of_an_older_shape_without_its_step_stops_the_replay(aged):
    journal = aged.open()

    with pytest.raises(JournalCorrupt, match=r"fact 1 \(AlarmSounded, version 1\)"):
        list(journal.replay())
    journal.close()


def test_verify_takes_older_shapes_for_whole(aged, third_version):
    assert verify(aged.path).problem == ""
