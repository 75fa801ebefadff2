"""The first stage: facts are safe in plain files before the database has them."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal import claim, commit, open_journal, sqlite, stage, upkeep
from holdfast.journal.archiving import archive
from holdfast.journal.inspect import tail, verify
from holdfast.journal.sqlite import sqlite_tables
from holdfast.model.errors import Fenced, JournalError, JournalLocked
from tests.journal.samples import commit as commit_all
from tests.journal.samples import fill, fills


@pytest.fixture
def unmoved(monkeypatch):
    """Let nothing be moved unless it is asked for."""
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 600)


def _stages(path):
    return sorted(each.name for each in path.parent.iterdir() if ".stage-" in each.name)


def _count(path):
    with sqlite3.connect(path) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM facts")
    connection.close()
    return count


def _crash(journal, path, image):
    """Return a copy of all files, as kill -9 leaves them."""
    shutil.copytree(path.parent, image)
    journal.close()
    return image / path.name


def _image(tmp_path, count=30, *, batch=1):
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    journal = open_journal(path)
    for start in range(1, count + 1, batch):
        journal.append(fills(batch, start=start))
    return _crash(journal, path, tmp_path / "image")


@pytest.mark.usefixtures("unmoved")
def test_facts_that_were_not_moved_come_back_after_a_kill(tmp_path):
    path = _image(tmp_path)
    assert _count(path) == 0
    journal = open_journal(path)

    assert list(journal.replay()) == fills(30)
    assert _count(path) == 30
    assert journal.findings == []
    journal.append([fill(31)])
    journal.close()
    assert verify(path).last_sequence == 31


@pytest.mark.usefixtures("unmoved")
def test_journal_behind_a_symbolic_link_is_the_one_that_it_leads_to(tmp_path):
    """SQLite keeps its log beside the file itself; so are the first stage and the lock."""
    path, link = tmp_path / "disk" / "a.db", tmp_path / "data" / "b.db"
    path.parent.mkdir()
    link.parent.mkdir()
    link.symlink_to(path)
    journal = open_journal(link)
    journal.append(fills(3))

    with pytest.raises(JournalLocked):
        open_journal(path)
    assert verify(link).facts == verify(path).facts == 3
    journal.close()
    assert [each.name for each in link.parent.iterdir()] == ["b.db"]
    journal = open_journal(path)
    assert list(journal.replay()) == fills(3)
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_reader_sees_facts_that_were_not_moved(tmp_path):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(10))
    journal.sync()
    journal.append(fills(5, start=11))
    reader = open_journal(path, read_only=True)

    assert reader.sequence == 15
    assert reader.head == journal.head
    assert list(reader.replay()) == fills(15)
    assert list(reader.replay(after=12)) == fills(3, start=13)
    assert verify(path).facts == 15
    assert [record.fact for record in tail(path, 8)] == fills(8, start=8)
    reader.close()
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_reader_goes_on_where_facts_are_moved_meanwhile(tmp_path):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(10))
    reader = open_journal(path, read_only=True)
    replay = reader.replay()
    seen = [next(replay) for _ in range(4)]
    journal.sync()
    journal.append(fills(5, start=11))
    seen += replay

    assert seen == fills(15)
    reader.close()
    journal.close()


READS = {
    "sequence": (lambda tables: tables.last_sequence(), 10),
    "hash": (lambda tables: len(tables.hash_at(10)), 32),
    "rows": (lambda tables: [row[0] for row in tables.checked_rows(3)], list(range(4, 11))),
    "newest": (lambda tables: [row[0] for row in tables.newest_rows(4)], [7, 8, 9, 10]),
}


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize("read", READS)
def test_reader_misses_nothing_that_moves_between_its_two_looks(tmp_path, read):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(5))
    journal.sync()
    journal.append(fills(5, start=6))
    tables = sqlite_tables(path)
    staged, looks = tables._staged, []
    assert staged is not None

    def moved_before(sequence, head):
        looks.append(sequence)
        if len(looks) > 1:
            return staged(sequence, head)
        journal.sync()  # and the file is gone, as a full one is
        return []

    tables._staged = moved_before
    take, expected = READS[read]

    assert take(tables) == expected
    tables.close()
    journal.close()


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize("read", READS)
def test_reader_misses_nothing_that_is_being_taken_over(tmp_path, monkeypatch, read):
    """The next owner renames the files before it reads them."""
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(5))
    journal.sync()
    journal.append(fills(5, start=6))
    tables = sqlite_tables(path)

    def read_bytes(file, honest=Path.read_bytes):
        stage.take_over(path)
        return honest(file)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    take, expected = READS[read]

    assert take(tables) == expected
    tables.close()
    with suppress(Fenced):
        journal.close()


def test_thread_moves_facts_by_itself(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    journal = open_journal(path)
    store = vars(journal)["_committer"]._store
    insert, moved = store.insert, threading.Event()

    def insert_and_tell(rows):
        insert(rows)
        moved.set()

    monkeypatch.setattr(store, "insert", insert_and_tell)
    journal.append(fills(3))

    assert moved.wait(5)
    assert _count(path) == 3
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_full_files_go_once_the_database_has_them(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "STAGE_BYTES", 2_000)
    path = tmp_path / "a.db"
    journal = open_journal(path)
    for fact in fills(40):
        journal.append([fact])
    before = _stages(path)
    journal.sync()
    assert _stages(path) == before  # the database had not been synced when they were moved
    journal.append([fill(41)])
    journal.sync()

    assert len(before) > 5
    assert _stages(path) == before[-1:]
    assert list(journal.replay()) == fills(41)
    journal.close()
    assert _stages(path) == []


@pytest.mark.usefixtures("unmoved")
def test_facts_over_several_files_come_back_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "STAGE_BYTES", 1_000)
    path = _image(tmp_path, 60)
    assert len(_stages(path)) > 9
    journal = open_journal(path)

    assert list(journal.replay()) == fills(60)
    journal.close()
    assert _stages(path) == []


@pytest.mark.usefixtures("unmoved")
@settings(max_examples=40)
@given(where=st.floats(0, 1), garbled=st.booleans())
def test_torn_file_leaves_a_prefix_and_is_kept(tmp_path_factory, where, garbled):
    path = _image(tmp_path_factory.mktemp("torn"), 24, batch=3)
    (name,) = _stages(path)
    file = path.with_name(name)
    body = bytearray(file.read_bytes())
    at = min(int(where * len(body)), len(body) - 1)
    if garbled:
        body[at] ^= 0x41
    else:
        del body[at:]
    file.write_bytes(body)
    journal = open_journal(path)
    left = journal.sequence

    assert left % 3 == 0
    assert list(journal.replay()) == fills(left)
    kept = list(path.parent.glob("*.cut-*"))
    assert len(kept) == len(journal.findings) <= 1
    assert left < 24 or not garbled
    if garbled:
        assert kept[0].name in journal.findings[0]
        assert kept[0].read_bytes() == body
    journal.append([fill(99)])
    journal.close()
    assert verify(path).is_ok


@pytest.mark.usefixtures("unmoved")
def test_torn_text_that_is_no_text_leaves_a_prefix_and_is_kept(tmp_path):
    """A sector that a power cut kept from the disk may hold any bytes, as of another file."""
    path = _image(tmp_path, 24, batch=3)
    file = path.with_name(_stages(path)[0])
    body = bytearray(file.read_bytes())
    at = body.index(b"hf-1-13")
    body[at : at + 2] = b"\xff\xfe"
    file.write_bytes(body)
    reader = open_journal(path, read_only=True)
    assert list(reader.replay()) == fills(12)
    reader.close()
    journal = open_journal(path)

    assert list(journal.replay()) == fills(12)
    assert len(journal.findings) == 1
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_crash_while_facts_are_moved_doubles_none(tmp_path, monkeypatch):
    """The database has them, and the files were not removed any more."""
    path = _image(tmp_path)
    copies = {each: path.with_name(each).read_bytes() for each in _stages(path)}
    open_journal(path).close()
    for name, content in copies.items():
        path.with_name(f"{name}.taken").write_bytes(content)
    journal = open_journal(path)

    assert list(journal.replay()) == fills(30)
    assert journal.findings == []
    journal.close()
    assert _stages(path) == []


@pytest.mark.usefixtures("unmoved")
def test_files_behind_a_restored_backup_are_set_aside(tmp_path):
    """The database is older than what the files follow: nothing is invented in between."""
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    journal = open_journal(path)
    journal.append(fills(10))
    journal.sync()
    backup = shutil.copytree(path.parent, tmp_path / "backup") / "a.db"
    for name in _stages(backup):
        backup.with_name(name).unlink()
    journal.append(fills(10, start=11))
    journal.sync()
    journal.close()
    journal = open_journal(path)
    journal.append(fills(5, start=21))
    image = _crash(journal, path, tmp_path / "image")
    for name in _stages(image):
        shutil.copy(image.with_name(name), backup.with_name(name))
    journal = open_journal(backup)

    assert list(journal.replay()) == fills(10)
    assert len(journal.findings) == 1
    journal.close()
    assert verify(backup).is_ok


@pytest.mark.usefixtures("unmoved")
def test_former_owner_is_refused_before_its_command_leaves(tmp_path):
    path = tmp_path / "a.db"
    former = open_journal(path)
    former.append([fill(1)])
    path.with_name("a.db.lock").unlink()  # what a meddler does
    owner = open_journal(path)
    sent = []

    with pytest.raises(Fenced, match="epoch 1 has lost it to epoch 2"):
        former.append([fill(2)], lambda: sent.append("order"))
    owner.append([fill(3)])
    owner.sync()
    assert sent == []
    assert list(owner.replay()) == [fill(1), fill(3)]
    former.close()
    owner.close()
    assert verify(path).is_ok


def test_former_owner_that_ends_leaves_the_files_of_the_next_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    former = open_journal(path)
    former.append([fill(1)])
    former.sync()
    path.with_name("a.db.lock").unlink()  # what a meddler does
    owner = open_journal(path)
    monkeypatch.setattr(vars(owner)["_committer"], "move", lambda: None)
    owner.append([fill(2)])
    former.close()

    monkeypatch.undo()
    owner.append([fill(3)])
    owner.close()
    assert verify(path).facts == 3


def test_what_a_former_owner_had_written_is_known_to_the_next(tmp_path):
    """Frozen between its write and its command: the command may still leave, so it is on record."""
    path = tmp_path / "a.db"
    former = open_journal(path)
    taken_over = []

    def freeze():
        path.with_name("a.db.lock").unlink()
        taken_over.append(open_journal(path))

    former.append([fill(1)], freeze)
    (owner,) = taken_over

    assert list(owner.replay()) == [fill(1)]
    owner.close()
    with suppress(Fenced):  # where its thread has not come to it before
        former.close()


def test_archive_has_what_was_not_moved(tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 600)
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    journal = open_journal(path)
    journal.append(fills(1500))
    journal.save_snapshot(1500, b"state")
    journal.append(fills(200, start=1501))
    image = _crash(journal, path, tmp_path / "image")
    moved = archive(image)

    assert moved is not None
    report = verify(image)
    assert (report.is_ok, report.facts) == (True, 1700)


FULL = """
import resource, signal, sys
from holdfast.journal import open_journal, upkeep
from holdfast.model.errors import JournalError
from tests.journal.samples import fill
upkeep.SYNC_EVERY_S = 600
journal = open_journal(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
done = 0
try:
    for number in range(1, 1000):
        journal.append([fill(number)], lambda: None)
        done = number
except JournalError as error:
    print(done, str(error))
"""


def test_full_disk_is_told_before_a_command_leaves(tmp_path):
    path = tmp_path / "a.db"
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    ).stdout
    done, _, problem = said.partition(" ")

    assert 10 < int(done) < 999
    assert "the disk is full: free some space, then start again (a.db.stage-1000001: " in problem
    journal = open_journal(path)
    assert list(journal.replay()) == fills(int(done))
    journal.close()
    assert verify(path).is_ok


@pytest.mark.usefixtures("unmoved")
def test_next_file_that_cannot_be_made_ends_the_journal_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "STAGE_BYTES", 1_000)
    journal = open_journal(tmp_path / "a.db")
    (tmp_path / "a.db.stage-1000002").mkdir()  # in its way

    def append_all():
        for fact in fills(20):
            journal.append([fact])

    with pytest.raises(JournalError, match=r"the disk failed to write.*a\.db\.stage-1000002"):
        append_all()
    journal.close()
    (tmp_path / "a.db.stage-1000002").rmdir()
    journal = open_journal(tmp_path / "a.db")

    assert 0 < journal.sequence < 20
    assert list(journal.replay()) == fills(journal.sequence)
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_writer_waits_for_a_database_that_falls_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(commit, "QUEUE_FACTS_MAX", 20)
    journal = open_journal(tmp_path / "a.db")
    behind = []
    for fact in fills(100):
        journal.append([fact])
        behind.append(journal.sequence - _count(tmp_path / "a.db"))

    assert list(journal.replay()) == fills(100)
    assert max(behind) == 21
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_former_owner_that_moves_while_the_next_one_begins_is_told_so(tmp_path, monkeypatch):
    """The next owner has moved what it found, and has no epoch yet."""
    path = tmp_path / "a.db"
    former = open_journal(path)
    former.append(fills(2))
    told = []

    def next_epoch(*args, honest=claim.next_epoch):
        with pytest.raises(Fenced, match="epoch 1 has lost it to a process that takes it over"):
            former.sync()
        told.append(args)
        return honest(*args)

    monkeypatch.setattr(claim, "next_epoch", next_epoch)
    path.with_name("a.db.lock").unlink()  # what a meddler does
    owner = open_journal(path)

    assert told
    assert list(owner.replay()) == fills(2)
    former.close()
    owner.close()
    assert verify(path).is_ok


@pytest.mark.usefixtures("unmoved")
def test_former_owner_that_moves_while_the_next_one_does_does_not_stop_it(tmp_path, monkeypatch):
    """It had looked for its file just before that was taken, and what it moves is the same."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "a.db"
    former = open_journal(path)
    former.append(fills(2))
    monkeypatch.setattr(vars(vars(former)["_committer"])["_stage"], "check", lambda: None)

    def staged(*place, honest=stage.Staged):
        with suppress(JournalError):  # the database is the next one's by now
            former.sync()
        return honest(*place)

    monkeypatch.setattr(claim, "Staged", staged)
    path.with_name("a.db.lock").unlink()  # what a meddler does
    owner = open_journal(path)

    assert list(owner.replay()) == fills(2)
    former.close()
    owner.close()
    assert verify(path).is_ok


def test_former_owner_that_commits_while_the_epoch_is_raised_is_followed(tmp_path, monkeypatch):
    """What it commits is in the next owner's chain, or is refused."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "a.db"
    former = open_journal(path, durability="power")

    def epoch_row(*row, honest=claim.epoch_row):
        with suppress(JournalError):  # the database is the next one's by now
            commit_all(former, fills(2))
        return honest(*row)

    monkeypatch.setattr(claim, "epoch_row", epoch_row)
    path.with_name("a.db.lock").unlink()  # what a meddler does
    owner = open_journal(path, durability="power")
    commit_all(owner, [fill(3)])

    assert owner.sequence == len(list(owner.replay()))
    former.close()
    owner.close()
    assert verify(path).is_ok


@pytest.mark.usefixtures("unmoved")
def test_what_a_locked_database_did_not_take_goes_in_ahead_of_what_follows(tmp_path, monkeypatch):
    """Two threads move: one meets the lock, and the other comes when it has just gone."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "a.db"
    journal = open_journal(path)
    move = vars(journal)["_committer"].move
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        journal.append(fills(3))
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalError, match="locked"):
            move()
    journal.append(fills(2, start=4))
    move()

    journal.close()
    assert _count(path) == 5
    assert verify(path).facts == 5


@pytest.mark.usefixtures("unmoved")
def test_former_owner_is_refused_where_it_goes_on_to_its_next_file(tmp_path, monkeypatch):
    """The next owner has read what there was, and looks for no further file."""
    monkeypatch.setattr(stage, "STAGE_BYTES", 2_000)
    path = tmp_path / "a.db"
    former = open_journal(path)
    former.append(fills(3))
    path.with_name("a.db.lock").unlink()  # what a meddler does
    owner = open_journal(path)
    owner.append([fill(4)])
    before, sent = _stages(path), []

    with pytest.raises(Fenced, match="epoch 1 has lost it to epoch 2"):
        former.append(fills(5, start=4), lambda: sent.append("order"))
    assert sent == []
    assert _stages(path) == before
    former.close()
    image = _crash(owner, path, tmp_path.with_name(f"{tmp_path.name}-image"))
    journal = open_journal(image)
    assert list(journal.replay()) == fills(4)
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_no_file_that_a_former_owner_makes_meanwhile_escapes_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "STAGE_BYTES", 2_000)
    path = tmp_path / "a.db"
    former = open_journal(path)
    former.append(fills(3))
    looks = []

    def stage_files(of, honest=stage.stage_files):
        found = honest(of)
        looks.append(found)
        if len(looks) == 1:
            former.append(fills(5, start=4))  # goes on to its next file
        return found

    monkeypatch.setattr(stage, "stage_files", stage_files)
    taken = stage.take_over(path)

    assert len(taken) == 2
    with pytest.raises(Fenced):
        former.append([fill(9)])
    assert [each.name for each in taken] == _stages(path)
    former.close()


@pytest.mark.usefixtures("unmoved")
def test_full_disk_that_removes_no_file_ends_the_journal_in_words(tmp_path, monkeypatch):
    """One that copies on writing, such as Btrfs, needs room to remove a file."""

    def fail(file, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr(stage, "STAGE_BYTES", 1_000)
    journal = open_journal(tmp_path / "a.db")
    for fact in fills(6):
        journal.append([fact])
    journal.sync()
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(JournalError, match="the disk is full"):
        journal.save_snapshot(6, b"state")
    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(JournalError, match="the disk is full"):
        journal.append([fill(7)])
    journal.close()
    journal = open_journal(tmp_path / "a.db")

    assert list(journal.replay()) == fills(6)
    journal.close()


def test_owner_that_can_not_remove_its_file_gives_the_journal_back(tmp_path, monkeypatch):
    """The next life of a session is the same process: it would be locked out by itself."""
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append(fills(3))
    unlink = Path.unlink

    def fail(file, **how):
        if ".stage-" in file.name:
            raise OSError(errno.EROFS, "Read-only file system")
        unlink(file, **how)

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(JournalError, match=r"a\.db\.stage-1000001: Read-only file system"):
        journal.close()
    monkeypatch.undo()
    journal = open_journal(path)

    assert list(journal.replay()) == fills(3)
    journal.close()


@pytest.mark.usefixtures("unmoved")
def test_owner_whose_file_gave_way_to_a_copy_stops(tmp_path):
    """A backup was put in its place: what it writes on is in no file that a start would read."""
    path = tmp_path / "a.db"
    journal = open_journal(path)
    journal.append([fill(1)])
    (name,) = _stages(path)
    copy = shutil.copy(path.with_name(name), tmp_path / "copy")
    copy.rename(path.with_name(name))

    with pytest.raises(Fenced, match="epoch 1 has lost it to a process that takes it over"):
        journal.sync()
    with pytest.raises(Fenced):
        journal.append([fill(2)])
    journal.close()
    assert _stages(path) == [name]


@pytest.mark.usefixtures("unmoved")
@pytest.mark.parametrize("is_file", [False, True])
def test_owner_whose_folder_was_moved_away_stops(tmp_path, is_file):
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    journal = open_journal(path)
    journal.append([fill(1)])
    path.parent.rename(tmp_path / "elsewhere")
    if is_file:
        path.parent.touch()

    with pytest.raises(Fenced, match="epoch 1 has lost it to whoever moved its files"):
        journal.append([fill(2)])
    assert isinstance(journal.failure, Fenced)
    with pytest.raises(Fenced):
        journal.append([fill(2)])
    journal.close()


@pytest.mark.parametrize("durability", ["process", "power"])
def test_process_that_goes_to_another_folder_keeps_its_journal(tmp_path, monkeypatch, durability):
    """A strategy may change the folder that relative names begin at."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "STAGE_BYTES", 1_000)
    journal = open_journal("a.db", durability=durability)
    place = vars(journal)["_sync"].__self__
    journal.append(fills(3))
    monkeypatch.chdir(tmp_path / "elsewhere")
    for fact in fills(20, start=4):
        journal.append([fact])
    place.check_place()

    journal.sync()
    journal.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert _stages(tmp_path / "a.db") == []
    assert verify(tmp_path / "a.db").facts == 23
