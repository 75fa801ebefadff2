"""A torn end is cut, kept and reported; damage anywhere else stops the journal."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.journal.torn import TAIL_FACTS
from holdfast.journal.wal import lost_frames
from holdfast.model.errors import JournalCorrupt, JournalError
from tests.journal.samples import commit, fill, fills

WAL_HEADER = 32
WAL_FRAME = 24 + 4096


def _write(place, count):
    journal = place.open()
    journal.append(fills(count))
    journal.close()


def _bend(place, sequence):
    place.execute("UPDATE facts SET payload = '{' WHERE sequence = ?", sequence)


def _kept(path):
    return sorted(path.parent.glob(f"{path.name}*.cut-*"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE facts SET hash = 'text' WHERE sequence = 10",
        "UPDATE facts SET version = 0.5 WHERE sequence = 3",
        "UPDATE meta SET epoch = 'text'",
        "UPDATE meta SET schema_version = x'00'",
        "UPDATE archives SET last = 'text'",
        "UPDATE archives SET file = x'00'",
    ],
)
def test_column_of_another_kind_is_damage_and_no_bug(sqlite, change):
    _write(sqlite, 10)
    sqlite.execute("INSERT INTO archives SELECT 1, 2, 'old', hash FROM facts WHERE sequence = 2")
    sqlite.execute("DELETE FROM facts WHERE sequence < 3")
    sqlite.execute(change)

    with suppress(JournalError):
        assert not verify(sqlite.path).is_ok
    with suppress(JournalError), closing(sqlite.open()) as journal:
        list(journal.replay(2))


@pytest.mark.parametrize("torn", [1, 3])
def test_torn_end_is_cut_kept_and_reported(sqlite, torn):
    _write(sqlite, 10)
    for sequence in range(11 - torn, 11):
        _bend(sqlite, sequence)
    journal = sqlite.open()

    assert journal.sequence == 10 - torn
    assert list(journal.replay()) == fills(10 - torn)
    (finding,) = journal.findings
    (kept,) = _kept(sqlite.path)
    assert kept.name in finding
    assert str(11 - torn) in finding
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line[0] for line in lines] == list(range(11 - torn, 11))
    journal.append([fill(77)])
    journal.close()
    assert verify(sqlite.path).is_ok


def test_cut_happens_once(sqlite):
    _write(sqlite, 10)
    _bend(sqlite, 10)
    sqlite.open().close()
    journal = sqlite.open()

    assert journal.findings == []
    journal.close()


def test_snapshot_past_the_cut_goes_with_it(sqlite):
    journal = sqlite.open()
    journal.append(fills(10))
    journal.save_snapshot(10, b"state")
    journal.close()
    _bend(sqlite, 10)
    journal = sqlite.open()

    assert journal.load_snapshot() is None
    assert len(journal.findings) == 1
    journal.close()
    assert sqlite.execute("SELECT count(*) FROM snapshots") == [(0,)]


@pytest.mark.parametrize("sequence", [1, 5, 9])
def test_altered_fact_before_the_end_stops_the_journal(database, sequence):
    _write(database, 10)
    _bend(database, sequence)

    with pytest.raises(JournalCorrupt, match=f"fact {sequence} "):
        database.open()
    reader = open_journal(database.where, read_only=True)
    with pytest.raises(JournalCorrupt, match=f"fact {sequence} was altered"):
        list(reader.replay())
    reader.close()


def test_altered_fact_far_from_the_end_stops_the_replay(database):
    _write(database, 2 * TAIL_FACTS)
    _bend(database, 17)
    journal = database.open()
    replay = journal.replay()

    assert [next(replay) for _ in range(16)] == fills(16)
    with pytest.raises(JournalCorrupt, match="fact 17 was altered"):
        next(replay)
    journal.close()


@pytest.mark.parametrize("sequence", [1, 5, 9])
def test_missing_fact_stops_the_journal(database, sequence):
    _write(database, 10)
    database.execute("DELETE FROM facts WHERE sequence = ?", sequence)

    with pytest.raises(JournalCorrupt, match=f"fact {sequence} is missing"):
        database.open()


def test_too_long_an_end_to_be_torn_stops_the_journal(sqlite):
    _write(sqlite, TAIL_FACTS + 20)
    sqlite.execute("UPDATE facts SET payload = '{' WHERE sequence > 20")

    with pytest.raises(JournalCorrupt, match=r"fact 21 was altered.*, and so on to the end"):
        sqlite.open()


@pytest.mark.postgres
def test_damaged_last_fact_stops_a_server_journal(postgres):
    """A server commits whole or not at all: that is no torn end."""
    _write(postgres, 5)
    _bend(postgres, 5)

    with pytest.raises(JournalCorrupt, match="fact 5 is damaged"):
        postgres.open()


def test_whole_fact_of_an_unknown_kind_is_never_cut(sqlite, monkeypatch):
    journal = sqlite.open()
    row = journal._chain.rows(fills(1))[0]
    journal.close()
    from holdfast.journal.codec import GENESIS, link

    payload = row[5].replace("OrderFilled", "OrderTeleported")
    columns = (*row[:4], b"OrderTeleported", payload.encode())
    sqlite.execute(
        "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(*row[:4], "OrderTeleported", payload, link(GENESIS, columns)),
    )
    journal = sqlite.open()

    assert journal.findings == []
    with pytest.raises(JournalCorrupt, match=r"fact 1 \(OrderTeleported, version 1\)"):
        list(journal.replay())
    journal.close()


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """What a killed process leaves: 30 facts, most of them in the log alone."""
    path = tmp_path_factory.mktemp("live") / "a.db"
    image = tmp_path_factory.mktemp("crashed")
    journal = open_journal(path, durability="power")
    for fact in fills(30):
        commit(journal, [fact])
    for file in (path, path.with_name("a.db-wal")):
        shutil.copy(file, image)
    journal.close()
    return image


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """Where images of a crash are put, one at a time."""
    return tmp_path_factory.mktemp("workshop")


def _image(crashed, workshop):
    shutil.rmtree(workshop)
    shutil.copytree(crashed, workshop)
    return workshop / "a.db", workshop / "a.db-wal"


def test_whole_log_is_recovered_without_a_word(crashed, workshop):
    path, _ = _image(crashed, workshop)
    journal = open_journal(path)

    assert list(journal.replay()) == fills(30)
    assert journal.findings == []
    assert journal.epoch == 2
    journal.close()


def _check_recovery(path):
    """Whatever the log has lost: a prefix of the facts is left, and new ones go behind it."""
    journal = open_journal(path)
    left = journal.sequence
    assert list(journal.replay()) == fills(left)
    assert journal.epoch == 2
    findings = journal.findings
    journal.append([fill(99)])
    journal.close()
    assert verify(path).is_ok
    return left, findings


@settings(max_examples=25)
@given(where=st.floats(0, 1))
def test_truncated_log_leaves_a_prefix(crashed, workshop, where):
    path, log = _image(crashed, workshop)
    size = int(where * log.stat().st_size)
    with log.open("r+b") as file:
        file.truncate(size)
    left, findings = _check_recovery(path)

    # A log that ends between two frames looks as if the rest had never been written.
    is_torn = size > WAL_HEADER and (size - WAL_HEADER) % WAL_FRAME >= 24
    assert bool(findings) == is_torn
    assert len(_kept(path)) == is_torn
    assert left == 30 or where < 1


@settings(max_examples=40)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_garbled_log_never_loses_facts_in_silence(crashed, workshop, where, bit):
    path, log = _image(crashed, workshop)
    body = bytearray(log.read_bytes())
    body[int(where * len(body))] ^= 1 << bit
    log.write_bytes(body)
    left, findings = _check_recovery(path)

    assert left == 30 or findings
    assert bool(findings) == bool(_kept(path))


def test_garbled_header_of_the_log_is_reported(crashed, workshop):
    path, log = _image(crashed, workshop)
    with log.open("r+b") as file:
        file.seek(9)
        file.write(b"\xff")
    left, findings = _check_recovery(path)

    assert left == 0
    assert "header of a.db-wal is damaged" in findings[0]


def test_epoch_never_comes_again_even_when_the_log_is_lost(crashed, workshop):
    path, log = _image(crashed, workshop)
    log.unlink()
    journal = open_journal(path)

    assert journal.epoch == 2
    journal.close()


def _commit_under_way(path):
    """Leave what a process leaves that is killed while it writes the frames of a commit."""
    journal = open_journal(path)
    commit(journal, fills(5))
    log = path.with_name("a.db-wal")
    before = log.stat().st_size
    big = sqlite3.connect(path, isolation_level=None)
    big.execute("PRAGMA wal_autocheckpoint = 0")
    big.execute("CREATE TABLE other (x)")
    big.execute("BEGIN")
    big.executemany("INSERT INTO other VALUES (?)", [("x" * 3000,)] * 20)
    big.execute("COMMIT")
    image = shutil.copytree(path.parent, path.parent.with_name("image")) / "a.db"
    big.close()
    journal.close()
    size = image.with_name("a.db-wal").stat().st_size
    assert size > before + 10 * WAL_FRAME
    with image.with_name("a.db-wal").open("r+b") as file:
        file.truncate(size - WAL_FRAME)  # the frame that ends it
    return image


def test_commit_that_was_under_way_is_no_loss(tmp_path):
    (tmp_path / "live").mkdir()
    journal = open_journal(_commit_under_way(tmp_path / "live" / "a.db"))

    assert journal.findings == []
    assert journal.sequence == 5
    journal.close()


@pytest.fixture
def moved_by_another(tmp_path):
    """A killed owner's journal whose log another program is moving, for as long as is said."""
    live = tmp_path / "live"
    live.mkdir()
    journal = open_journal(live / "a.db")
    commit(journal, fills(5))
    path = shutil.copytree(live, tmp_path / "image") / "a.db"
    journal.close()
    reader = sqlite3.connect(path, isolation_level=None)  # who moves waits for it
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM facts").fetchall()
    mover = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    beside = sqlite3.connect(path, isolation_level=None, timeout=0)

    def begin(seconds):
        mover.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        moving.append(
            threading.Thread(target=mover.execute, args=("PRAGMA wal_checkpoint(RESTART)",))
        )
        moving[0].start()
        with suppress(sqlite3.OperationalError):
            while True:  # it lets nobody write while it waits
                beside.execute("BEGIN IMMEDIATE")
                beside.execute("ROLLBACK")
        return path

    moving: list[threading.Thread] = []
    yield begin
    moving[0].join()
    for each in (reader, mover, beside):
        each.close()


def test_log_that_another_program_is_moving_is_waited_for(moved_by_another):
    """An archiver that outlived its session, or a program that copies databases."""
    journal = open_journal(moved_by_another(0.3))

    assert journal.findings == []
    assert journal.sequence == 5
    journal.close()


def test_log_that_another_program_keeps_on_moving_is_no_damage(moved_by_another, monkeypatch):
    monkeypatch.setattr("holdfast.journal.claim.BUSY_TIMEOUT_S", 0.05)
    path = moved_by_another(1)

    with pytest.raises(JournalError, match="another program has kept the database locked"):
        open_journal(path)
    assert list(path.parent.glob("*.cut-*")) == []


def test_commit_that_was_under_way_and_is_garbled_is_reported(tmp_path):
    (tmp_path / "live").mkdir()
    path = _commit_under_way(tmp_path / "live" / "a.db")
    with path.with_name("a.db-wal").open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"?")
    journal = open_journal(path)

    assert len(journal.findings) == 1
    assert journal.sequence == 5
    journal.close()


def test_frames_of_a_log_that_started_over_are_not_taken_for_torn(tmp_path):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    commit(journal, fills(500))
    vars(journal)["_sync"].__self__.checkpoint()
    journal.append([fill(501)])
    image = shutil.copytree(tmp_path, tmp_path / "image") / "a.db"
    journal.close()
    journal = open_journal(image)

    assert journal.findings == []
    assert journal.sequence == 501
    journal.close()


def test_no_log_has_nothing_to_lose(tmp_path):
    assert lost_frames(tmp_path / "none-wal", 0) == ""


def test_truncated_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(200))
    journal.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3 * 4096)

    with pytest.raises(JournalCorrupt, match=r"a\.db: pages of the database are damaged"):
        open_journal(path)
