"""Old facts leave the database for a file beside it, and are read as if they had never left."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection

from holdfast.journal import archives, archiving, claim, open_journal, wal
from holdfast.journal.archiving import archive
from holdfast.journal.export import export
from holdfast.journal.inspect import tail, verify
from holdfast.journal.owner import FileLock, Owner
from holdfast.journal.reading import Tables
from holdfast.model.errors import ConfigError, JournalCorrupt, JournalError, JournalLocked
from tests.journal.samples import fill, fills

ROOT = Path(__file__).resolve().parents[2]
KEPT = 10


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch):
    monkeypatch.setattr(archiving, "KEPT_FACTS", KEPT)


def _grow(path, count, snapshot_at):
    journal = open_journal(path)
    journal.append(fills(count, start=journal.sequence + 1))
    journal.save_snapshot(snapshot_at, b"state")
    journal.close()


@pytest.fixture
def path(tmp_path):
    """A journal of 90 facts in two archives and the database, with a snapshot at fact 75."""
    path = tmp_path / "a.db"
    _grow(path, 50, 50)
    archive(path)
    _grow(path, 40, 75)
    archive(path)
    return path


def _replayed(path, after=0):
    reader = open_journal(path, read_only=True)
    try:
        return list(reader.replay(after))
    finally:
        reader.close()


def test_facts_before_the_snapshot_are_moved_and_the_newest_stay(tmp_path):
    path = tmp_path / "a.db"
    _grow(path, 50, 50)
    first = archive(path)
    _grow(path, 40, 75)
    second = archive(path)

    assert first is not None
    assert second is not None
    assert first[:3] == (1, 40, "a.db.archive-000000000001-000000000040.gz")
    assert second[:3] == (41, 74, "a.db.archive-000000000041-000000000074.gz")
    assert archive(path) is None
    assert _replayed(path) == fills(90)


@pytest.mark.parametrize("after", [0, 1, 38, 39, 40, 73, 74, 75, 89, 90])
def test_replay_goes_through_the_archives(path, after):
    assert _replayed(path, after) == fills(90 - after, start=after + 1)


def test_verify_export_and_tail_go_through_the_archives(path):
    report, out = verify(path), io.StringIO()
    export(path, "jsonl", out)

    assert (report.is_ok, report.facts, report.first_sequence) == (True, 90, 1)
    assert [json.loads(line)["sequence"] for line in out.getvalue().splitlines()] == [*range(1, 91)]
    for count in (3, 16, 17, 60, 90, 200):
        assert [r.fact for r in tail(path, count)] == fills(90)[-count:]


def test_the_owner_goes_on_where_it_was(path):
    journal = open_journal(path)
    journal.append([fill(91)])

    assert (journal.sequence, journal.load_snapshot()) == (91, (75, b"state"))
    assert list(journal.replay()) == fills(91)
    journal.close()


def test_a_reader_goes_on_where_facts_are_archived_under_it(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.journal.reading.PAGE_FACTS", 7)
    path = tmp_path / "a.db"
    _grow(path, 60, 55)
    reader = open_journal(path, read_only=True)
    replay = reader.replay()
    seen = [next(replay) for _ in range(9)]
    archive(path)

    assert seen + list(replay) == fills(60)
    reader.close()


@pytest.mark.parametrize("is_beside", [False, True])
def test_facts_that_leave_the_table_take_little_room_in_the_log(tmp_path, monkeypatch, is_beside):
    """An archive is begun with little more room than its own: the log must not take the rest."""
    monkeypatch.setattr(archiving, "PAUSE", 0)
    monkeypatch.setattr(archiving, "DROPPED_FACTS", 5)
    monkeypatch.setattr(archiving, "LOGGED_FACTS", 100)
    path, log = tmp_path / "a.db", tmp_path / "a.db-wal"
    _grow(path, 2_000, 2_000)
    sizes = []
    remove = sqlalchemy.delete

    def remove_and_look(table):
        sizes.append(log.stat().st_size)
        return remove(table)

    monkeypatch.setattr(archiving, "delete", remove_and_look)
    archive(path, is_beside=is_beside)

    assert len(sizes) > 300
    assert max(sizes) < 700_000  # all of it is 3 MB


def test_without_a_snapshot_nothing_is_archived(tmp_path):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(50))
    journal.close()

    with pytest.raises(JournalError, match=r"no snapshot to archive before \(none was made\)"):
        archive(path)


def test_a_journal_is_archived_beside_its_owner_who_goes_on(tmp_path):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(90))
    journal.save_snapshot(75, b"state")
    moved = archive(path)
    journal.append([fill(91)])

    assert moved is not None
    assert moved[:2] == (1, 74)
    assert list(journal.replay()) == fills(91)
    assert journal.load_snapshot() == (75, b"state")
    journal.close()
    assert verify(path).facts == 91
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT min(sequence) FROM facts").fetchone() == (75,)


@pytest.mark.parametrize("number", range(9))
def test_an_owner_that_saves_meanwhile_does_not_end_the_archiving(tmp_path, monkeypatch, number):
    """Between two looks of the archiver the snapshot went past the fact that had been the last."""
    path, left = tmp_path / "a.db", [number]
    journal = open_journal(path)
    journal.append(fills(90))
    journal.save_snapshot(75, b"state")

    def read(self, take, honest=Tables._read):
        left[0] -= 1
        if left[0] == -1:
            journal.append(fills(5, start=91))
            journal.save_snapshot(95, b"newer")
        return honest(self, take)

    monkeypatch.setattr(Tables, "_read", read)

    assert archive(path, is_beside=True) is not None
    monkeypatch.undo()
    journal.close()
    assert verify(path).facts == 95


def test_an_archiver_that_commits_while_a_start_looks_at_the_log_tears_nothing(
    tmp_path, monkeypatch
):
    """A session that was killed has left it behind; what it writes is not what was lost."""
    path = tmp_path / "live" / "a.db"
    archived: list[Path] = []
    path.parent.mkdir()
    _grow(path, 50, 50)
    journal = open_journal(path)
    journal.append([fill(51)])
    journal.sync()
    image = shutil.copytree(path.parent, tmp_path / "image") / path.name
    journal.close()

    def lost_frames(log, recovered, honest=wal.lost_frames):
        if not archived:
            with suppress(JournalError):  # the database is the start's by now
                archive(image, is_beside=True)
            archived.append(log)
        return honest(log, recovered)

    monkeypatch.setattr(claim, "lost_frames", lost_frames)
    monkeypatch.setattr("holdfast.journal.sqlite.BUSY_TIMEOUT_S", 0.05)
    journal = open_journal(image)

    assert archived
    assert journal.findings == []
    journal.close()
    assert verify(image).facts == 51


def test_two_archivers_do_not_meet(path):
    lock = FileLock(path.with_name("a.db.archiving"), Owner.here())

    with pytest.raises(JournalLocked, match="is being archived by another process"):
        archive(path)
    lock.release()


def test_what_may_stay_stays_and_a_little_more_is_left_until_it_is_worth_an_archive(tmp_path):
    path = tmp_path / "a.db"
    _grow(path, 90, 80)

    assert archive(path, spare=75) is None  # 79 old facts, of which 75 may stay: 4 are too few
    moved = archive(path, spare=40)
    assert moved is not None
    assert moved[:2] == (1, 39)
    assert _replayed(path) == fills(90)


def test_many_facts_make_several_archives(tmp_path, monkeypatch):
    monkeypatch.setattr(archiving, "ARCHIVE_FACTS_MAX", 30)
    path = tmp_path / "a.db"
    _grow(path, 90, 90)
    moved = list(iter(lambda: archive(path), None))

    assert [each[:2] for each in moved] == [(1, 30), (31, 60), (61, 80)]
    assert _replayed(path) == fills(90)


def test_only_a_journal_that_outlives_its_process_is_archived(tmp_path):
    with pytest.raises(ConfigError, match="memory is not archived"):
        archive("memory:")
    with pytest.raises(JournalError, match="there is no journal"):
        archive(tmp_path / "none.db")


def _archives(path):
    return sorted(path.parent.glob("a.db.archive-*.gz"))


def _remove(place):
    place.unlink()


def _truncate(place):
    place.write_bytes(place.read_bytes()[:-20])


def _flip(place):
    body = bytearray(place.read_bytes())
    body[len(body) // 2] ^= 4
    place.write_bytes(body)


def _lines(place, change):
    lines = gzip.decompress(place.read_bytes()).splitlines(keepends=True)
    place.write_bytes(gzip.compress(b"".join(change(lines))))


def _alter(place):
    _lines(place, lambda lines: [line.replace(b"64000.10", b"64000.11") for line in lines])


def _drop_a_line(place):
    _lines(place, lambda lines: [*lines[:5], *lines[6:]])


def _end_early(place):
    _lines(place, lambda lines: lines[:-1])


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (_remove, "is missing: put it back"),
        (_truncate, "is damaged behind fact"),
        (_flip, "is damaged behind fact|was altered"),
        (_alter, "was altered"),
        (_drop_a_line, "is missing, the next one is"),
        (_end_early, "ends at fact"),
    ],
)
def test_a_harmed_archive_is_found_and_a_start_does_not_need_it(path, number, harm, problem):
    harm(_archives(path)[number])
    report = verify(path)

    assert not report.is_ok
    with pytest.raises(JournalCorrupt, match=problem):
        _replayed(path)
    assert report.broken_at is not None
    assert (report.broken_at > 40) == bool(number)
    journal = open_journal(path)
    assert journal.load_snapshot() == (75, b"state")
    assert list(journal.replay(75)) == fills(15, start=76)
    journal.close()


def test_an_archive_of_another_journal_is_found(path, tmp_path):
    other = tmp_path / "other" / "a.db"
    other.parent.mkdir()
    journal = open_journal(other)
    journal.append(fills(50, start=7))
    journal.save_snapshot(50, b"state")
    journal.close()
    archive(other)
    shutil.copy(_archives(other)[0], _archives(path)[0])

    # Its own chain is whole; it does not lead to the next file.
    assert verify(path).broken_at == 41


def test_a_refused_snapshot_folds_from_the_archives(path):
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE snapshots SET payload = 'other'")
    journal = open_journal(path)

    assert journal.load_snapshot() is None
    assert list(journal.replay()) == fills(90)
    journal.close()


def test_a_full_disk_leaves_everything_in_the_database(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    _grow(path, 50, 50)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("holdfast.journal.archives.os.fsync", full)
    with pytest.raises(JournalError, match=r"can't be written: No space left.*nothing was moved"):
        archive(path)
    monkeypatch.undo()
    assert verify(path).facts == 50
    assert _archives(path) == []
    assert not list(tmp_path.glob("*.part"))


def test_what_was_archived_is_told_though_its_room_can_not_be_given_back(tmp_path, monkeypatch):
    """SQLite writes a whole copy to make a file smaller, for which there may be no room."""

    execute = Connection.exec_driver_sql

    def full(connection, statement, *how):
        if statement == "VACUUM":
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error
        return execute(connection, statement, *how)

    told: list[Any] = []
    path = tmp_path / "a.db"
    _grow(path, 50, 50)
    monkeypatch.setattr(archiving, "FREE_PAGES_MAX", -1)
    monkeypatch.setattr(Connection, "exec_driver_sql", full)
    moved = archive(path, tell=told.append)

    assert moved is not None
    assert moved[:2] == (1, 40)
    assert "is not given back to the file system" in told[0]
    assert "the disk is full" in told[0]
    assert len(told) == 1
    assert _replayed(path) == fills(50)


def test_an_archive_leaves_the_session_the_room_that_it_needs(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    _grow(path, 50, 50)
    monkeypatch.setattr(archives, "ROOM_BYTES", 2**62)

    with pytest.raises(JournalError, match="MB are free beside it"):
        archive(path)
    assert sorted(each.name for each in tmp_path.iterdir() if "archive-" in each.name) == []


def test_what_a_killed_archiver_has_begun_does_not_stay(tmp_path):
    path = tmp_path / "a.db"
    _grow(path, 50, 50)
    begun = tmp_path / "a.db.archive-000000000001-000000000030.gz.part"
    begun.write_bytes(b"half")
    other = tmp_path / "b.db.archive-000000000001-000000000030.gz.part"
    other.write_bytes(b"of another journal")
    archive(path)

    assert not begun.exists()
    assert other.exists()


_KILLED_AT_EACH_LINE = """
import os, shutil, signal, sys
from pathlib import Path
from holdfast.journal import archives, archiving
archiving.KEPT_FACTS, archiving.FREE_PAGES_MAX, archiving.DROPPED_FACTS = 10, 0, 20
CODES = {f.__code__ for f in (archiving.archive, archiving._move, archiving._drop,
                              archives.Folder.new.__wrapped__,
                              archives.write, archives.check, archives.sync_directory)}
pristine, work = Path(sys.argv[1]), Path(sys.argv[2])

def lines_until(victim):
    seen = {}
    def local(frame, event, _):
        turn = len(seen) if frame.f_code is archiving._drop.__code__ else 0  # each time it comes
        if event == "line" and (line := (frame.f_code, frame.f_lineno, turn)) not in seen:
            if len(seen) == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            seen[line] = True
        return local
    sys.settrace(lambda frame, *_: local if frame.f_code in CODES else None)

number = 0
while True:
    folder = work / str(number)
    shutil.copytree(pristine, folder)
    child = os.fork()
    if not child:
        lines_until(number)
        archiving.archive(folder / "a.db")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        sys.exit(os.WEXITSTATUS(status))
    number += 1
"""


@pytest.mark.e2e
@pytest.mark.timeout(600)  # a process a line, on a machine that may be busy
def test_a_kill_at_any_line_loses_nothing_and_doubles_nothing(tmp_path):
    pristine, work = tmp_path / "pristine", tmp_path / "work"
    pristine.mkdir()
    work.mkdir()
    _grow(pristine / "a.db", 50, 50)
    archive(pristine / "a.db")
    _grow(pristine / "a.db", 40, 75)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_EACH_LINE, str(pristine), str(work)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    folders = sorted(work.iterdir(), key=lambda folder: int(folder.name))
    states = set()

    assert len(folders) > 40
    for folder in folders:
        path = folder / "a.db"
        report = verify(path)
        assert (report.is_ok, report.facts) == (True, 90), (folder.name, report)
        states.add((len(_archives(path)), archive(path) is not None))
        assert _replayed(path) == fills(90), folder.name
    assert archive(path) is None
    # Killed before there was a file, with a file that was on no record yet, and after that.
    assert states == {(1, True), (2, True), (2, False)}


def test_facts_that_the_database_has_lost_end_the_archiving(tmp_path, monkeypatch):
    path, pages = tmp_path / "a.db", []
    _grow(path, 50, 45)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM facts WHERE sequence <= 40")

    def page(self, *places, honest=Tables._page):
        pages.append(places)
        assert len(pages) < 100, "it is looked for them without end"
        return honest(self, *places)

    monkeypatch.setattr(Tables, "_page", page)

    with pytest.raises(JournalCorrupt, match="fact 1 is missing"):
        archive(path, is_beside=True)


def test_what_may_stay_may_be_more_than_one_archive_holds(tmp_path, monkeypatch):
    """A tenth of it is then more than the largest archive, and is worth one all the same."""
    monkeypatch.setattr(archiving, "ARCHIVE_FACTS_MAX", 20)
    path = tmp_path / "a.db"
    _grow(path, 500, 490)
    moved = list(iter(lambda: archive(path, spare=200), None))

    assert [each[:2] for each in moved] == [(first, first + 19) for first in range(1, 280, 20)]
    assert _replayed(path) == fills(500)
