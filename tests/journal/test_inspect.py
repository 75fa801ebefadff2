"""Looking into a journal from outside, beside its owner or after it."""

from __future__ import annotations

import csv
import io
import json
import threading
from decimal import Decimal

import msgspec
import pytest

from holdfast.journal import OwnedJournal, open_journal
from holdfast.journal.export import export
from holdfast.journal.inspect import Record, tail, verify
from holdfast.journal.reading import Tables
from holdfast.model.errors import ConfigError, JournalCorrupt, JournalError
from holdfast.model.events import Event, OrderSubmitted
from holdfast.model.values import ClOrdId, NewOrder, Side, Symbol
from tests.journal.samples import commit, fill, fills


@pytest.fixture
def running(database):
    journal = database.open()
    journal.append(fills(12))
    journal.sync()
    yield journal
    journal.close()


def test_verify_says_what_there_is(database, running):
    running.save_snapshot(12, b"state")
    running.sync()
    report = verify(database.where)

    assert report.is_ok
    assert (report.facts, report.first_sequence, report.last_sequence) == (12, 1, 12)
    assert (report.first_ts, report.last_ts) == (fill(1).ts, fill(12).ts)
    assert (report.epochs, report.broken_at) == (1, None)


def test_verify_of_an_empty_journal_is_well(database):
    database.open().close()
    report = verify(database.where)

    assert (report.is_ok, report.facts, report.first_sequence) == (True, 0, 0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE snapshots SET hash = payload", "snapshot at 12 is damaged"),
        ("UPDATE snapshots SET sequence = 40", "snapshot at 40 is ahead"),
        ("UPDATE meta SET epoch = 0", "newest epoch is 0, but 1"),
    ],
)
def test_verify_looks_beside_the_facts(database, running, change, problem):
    running.save_snapshot(12, b"state")
    running.sync()
    database.execute(change)
    report = verify(database.where)

    assert problem in report.problem
    assert (report.facts, report.broken_at) == (12, None)


READS_LOOKED_AT = 12


def _saving_at(owner, number, patch):
    """Have the owner go on, and save, before one of a reader's reads of the database."""
    left = [number]

    def read(self, take, original=Tables._read):
        left[0] -= 1
        if left[0] == -1:
            commit(owner, [fill(owner.sequence + 1)])
            owner.save_snapshot(owner.sequence, b"newer")
            owner.sync()
        return original(self, take)

    patch.setattr(Tables, "_read", read)


@pytest.mark.parametrize("number", range(READS_LOOKED_AT))
def test_verify_beside_an_owner_that_saves_meanwhile_finds_nothing_wrong(
    database, running, monkeypatch, number
):
    running.save_snapshot(12, b"state")
    running.sync()
    _saving_at(running, number, monkeypatch)

    assert verify(database.where).problem == ""


@pytest.mark.parametrize("number", range(READS_LOOKED_AT))
def test_reader_beside_an_owner_that_saves_meanwhile_has_a_snapshot(
    database, running, monkeypatch, number
):
    running.save_snapshot(12, b"state")
    running.sync()
    reader = open_journal(database.where, read_only=True)
    _saving_at(running, number, monkeypatch)

    assert reader.load_snapshot() in [(12, b"state"), (13, b"newer")]
    assert reader.findings == []
    reader.close()


def test_verify_of_no_journal_is_refused(tmp_path):
    with pytest.raises(JournalError, match="there is no journal"):
        verify(tmp_path / "a.db")
    with pytest.raises(ConfigError, match="memory can't be looked into"):
        verify("memory:")


def test_tail_gives_the_last_facts_oldest_first(database, running):
    records = list(tail(database.where, 3))

    assert records == [Record(number, 1, fill(number).ts, fill(number)) for number in (10, 11, 12)]
    assert records[0].kind == "OrderFilled"
    assert list(tail(database.where, 0)) == []
    assert len(list(tail(database.where, 100))) == 12


def test_tail_follows_the_owner_until_stopped(database, running, monkeypatch):
    monkeypatch.setattr("holdfast.journal.inspect.FOLLOW_EVERY_S", 0.01)
    stop = threading.Event()
    records = tail(database.where, 1, follow=True, stop=stop)
    heard = [next(records).fact]
    running.append(fills(2, start=13))
    running.sync()
    heard += [next(records).fact, next(records).fact]
    stop.set()

    assert heard == fills(3, start=12)
    assert list(records) == []


def test_export_to_jsonl_has_every_fact(database, running):
    out = io.StringIO()

    assert export(database.where, "jsonl", out) == 12
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["sequence"], line["epoch"]) for line in lines] == [(n, 1) for n in range(1, 13)]
    assert [msgspec.convert(line["fact"], Event) for line in lines] == fills(12)


def test_export_to_csv_has_the_fields_of_the_order_inside(database, running, tmp_path):
    order = NewOrder(
        cl_ord_id=ClOrdId("hf-9"), symbol=Symbol("ETHUSDT"), side=Side.SELL, qty=Decimal("1.5")
    )
    running.append([OrderSubmitted(ts=1_500_000, order=order, verdicts=(), recv_window_ns=5)])
    running.sync()

    assert export(database.where, "csv", tmp_path / "facts.csv") == 13
    with (tmp_path / "facts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["kind"], rows[0]["qty"], rows[0]["price"]) == ("OrderFilled", "0.5", "64000.10")
    assert (rows[12]["symbol"], rows[12]["side"], rows[12]["qty"]) == ("ETHUSDT", "SELL", "1.5")
    assert rows[12]["time"] == "1970-01-01T00:00:00.001500+00:00"
    assert msgspec.json.decode(rows[3]["payload"], type=Event) == fill(4)


def test_export_stops_at_an_altered_fact(database, running):
    database.execute("UPDATE facts SET ts = 5 WHERE sequence = 3")
    out = io.StringIO()

    with pytest.raises(JournalCorrupt, match="fact 3 was altered"):
        export(database.where, "jsonl", out)
    assert len(out.getvalue().splitlines()) == 2


def test_export_to_a_bad_form_or_place_is_a_setting_to_change(database, running, tmp_path):
    with pytest.raises(ConfigError, match="jsonl or csv, was 'xml'"):
        export(database.where, "xml", io.StringIO())
    with pytest.raises(ConfigError, match="can't write"):
        export(database.where, "csv", tmp_path / "none" / "facts.csv")


@pytest.mark.parametrize("name", ["rows", "epochs", "snapshot"])
def test_what_can_not_be_read_is_not_told_to_be_damaged(database, running, monkeypatch, name):
    """Who is told of damage puts a backup in the place of a journal that is whole."""

    def fail(*_):
        raise JournalError("the server is away")

    monkeypatch.setattr(Tables, name, fail)

    with pytest.raises(JournalError, match="the server is away"):
        verify(database.where)


def test_verify_beside_a_takeover_finds_nothing_wrong(sqlite, monkeypatch):
    """The next owner comes between two questions."""
    sqlite.open().close()
    epochs = Tables.epochs
    owners: list[OwnedJournal] = []

    def epochs_and_another(self):
        found = epochs(self)
        if not owners:
            owners.append(sqlite.open())
        return found

    monkeypatch.setattr(Tables, "epochs", epochs_and_another)

    assert verify(sqlite.where).problem == ""
    owners[0].close()


@pytest.mark.parametrize("name", ["a.db", "a.db-wal", "a.db.lock", "link"])
def test_export_does_not_write_over_the_journal_itself(tmp_path, name):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    commit(journal, fills(3))
    (tmp_path / "link").symlink_to(path)

    with pytest.raises(ConfigError, match=r"is a file of the journal"):
        export(path, "jsonl", tmp_path / name)
    assert verify(path).facts == 3
    journal.close()


def test_export_may_go_beside_the_journal(tmp_path):
    path = tmp_path / "a.db"
    open_journal(path).close()

    assert export(path, "jsonl", tmp_path / "a.jsonl") == 0


def test_reader_whose_journal_gave_way_to_another_is_told_so(tmp_path):
    """Who folds on and on, as the watch does, would put one journal's facts onto another's."""
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    journal = open_journal(path)
    commit(journal, fills(3))
    reader = open_journal(path, read_only=True)
    assert list(reader.replay()) == fills(3)
    journal.close()
    path.parent.rename(tmp_path / "old")
    path.parent.mkdir()
    journal = open_journal(path)
    commit(journal, fills(5, start=11))

    with pytest.raises(JournalCorrupt, match="fact 3 is not the one that was read before"):
        list(reader.replay(3))
    assert list(reader.replay()) == fills(5, start=11)
    assert list(reader.replay(5)) == []
    reader.close()
    journal.close()
