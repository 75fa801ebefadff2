"""What stops a journal is said in words that name the place and the way out."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.journal import open_journal
from holdfast.journal.problems import explain, explained
from holdfast.model.errors import ConfigError, Fenced, JournalCorrupt, JournalError
from tests.journal.samples import commit, fill, fills

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def impatient(monkeypatch):
    """Wait a twentieth of a second for other programs."""
    monkeypatch.setattr("holdfast.journal.sqlite.BUSY_TIMEOUT_S", 0.05)


@pytest.mark.parametrize("read_only", [False, True])
def test_file_that_is_no_database_is_left_alone(tmp_path, read_only):
    path = tmp_path / "notes.txt"
    path.write_text("not a journal, " * 100)

    with pytest.raises(JournalError, match=r"notes\.txt: the file is no SQLite database"):
        open_journal(path, read_only=read_only)
    assert path.read_text() == "not a journal, " * 100


@pytest.mark.parametrize("read_only", [False, True])
def test_foreign_database_is_left_alone(tmp_path, read_only):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()

    with pytest.raises(JournalError, match=r"shop\.db is .*no journal"):
        open_journal(path, read_only=read_only)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]
    connection.close()


def test_empty_file_becomes_a_journal(tmp_path):
    (tmp_path / "a.db").touch()
    journal = open_journal(tmp_path / "a.db")

    assert journal.epoch == 1
    journal.close()


def test_journal_of_a_newer_version_is_refused(database):
    database.open().close()
    database.execute("UPDATE meta SET schema_version = 99")

    for read_only in (False, True):
        with pytest.raises(JournalError, match=r"newer Holdfast .schema 99.*upgrade"):
            open_journal(database.where, read_only=read_only)


def test_reading_where_there_is_no_journal_is_refused(tmp_path, postgres_url):
    with pytest.raises(JournalError, match=r"no journal .*a\.db"):
        open_journal(tmp_path / "a.db", read_only=True)
    with pytest.raises(JournalError, match="is no journal"):
        open_journal(postgres_url, read_only=True)


def test_missing_directory_is_a_setting_to_change(tmp_path):
    with pytest.raises(ConfigError, match=r"no directory .*nowhere"):
        open_journal(tmp_path / "nowhere" / "a.db")


def test_directory_in_the_files_place_is_a_setting_to_change(tmp_path):
    (tmp_path / "a.db").mkdir()

    with pytest.raises(ConfigError, match=r"a\.db: the file can't be opened"):
        open_journal(tmp_path / "a.db")


_OPEN_READ_ONLY_DIRECTORY = """
import sys
from holdfast.journal import open_journal
from holdfast.model.errors import ConfigError
import holdfast.journal.sqlite, os
if os.getuid() == 0:
    os.setuid(65534)  # the superuser may write anywhere
try:
    open_journal(sys.argv[1])
except ConfigError as error:
    print(error)
"""


@pytest.fixture
def open_directory():
    """A directory that other users reach, as pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(0o555, "can't make the lock file"), (0o000, "directory can't be reached|the lock file")],
)
def test_directory_without_access_is_a_setting_to_change(open_directory, mode, reason):
    directory = open_directory / "journals"
    directory.mkdir()
    directory.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_READ_ONLY_DIRECTORY, str(directory / "a.db")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    directory.chmod(0o755)

    assert re.search(reason, done.stdout), done.stderr
    assert "Permission denied" in done.stdout


def test_unknown_scheme_and_durability_are_settings_to_change(tmp_path):
    with pytest.raises(ConfigError, match="mysql: expected sqlite, postgresql, memory"):
        open_journal("mysql://root@db/journal")
    with pytest.raises(ConfigError, match="durability must be process or power, was 'none'"):
        open_journal(tmp_path / "a.db", durability="none")


def _fill_up(journal):
    for _ in range(200):
        commit(journal, fills(10, start=journal.sequence + 1))


def test_full_disk_stops_the_journal(sqlite):
    journal = sqlite.open()
    store = journal._committer._store
    journal.append(fills(3))
    journal.sync()
    (pages,) = store.pragma("page_count")
    store.pragma(f"max_page_count = {pages}")

    with pytest.raises(JournalError, match="the disk is full: free some space"):
        _fill_up(journal)
    assert isinstance(journal.failure, JournalError)
    with pytest.raises(JournalError, match="the disk is full"):
        journal.append([fill(1)])
    journal.close()
    journal = sqlite.open()
    assert list(journal.replay()) == fills(journal.sequence)
    journal.close()


def test_file_that_may_not_grow_stops_the_journal(sqlite):
    """The kernel itself refuses to write, as it does for a quota."""
    journal = sqlite.open()
    journal.append(fills(3))
    journal.sync()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = sqlite.path.with_name("a.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5_000, limits[1]))
    try:
        with pytest.raises(JournalError, match=r"a\.db: the disk"):
            _fill_up(journal)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    journal.close()


def test_database_locked_by_another_program_stops_the_journal(sqlite, impatient):
    journal = sqlite.open()
    meddler = sqlite3.connect(sqlite.path, isolation_level=None)
    meddler.execute("BEGIN IMMEDIATE")

    with pytest.raises(JournalError, match="another program has kept the database locked"):
        commit(journal, [fill(1)])
    meddler.execute("ROLLBACK")
    meddler.close()
    with pytest.raises(JournalError, match="locked"):
        journal.append([fill(1)])
    journal.close()


def test_database_locked_by_another_program_is_not_opened(sqlite, impatient):
    sqlite.open().close()
    meddler = sqlite3.connect(sqlite.path, isolation_level=None)
    meddler.execute("BEGIN EXCLUSIVE")

    with pytest.raises(JournalError, match="another program has kept the database locked"):
        sqlite.open()
    meddler.close()
    sqlite.open().close()


async def test_failure_on_the_thread_is_told_on_the_loop_behind_the_commits(grouped):
    journal = grouped.open()
    heard = []
    failed = asyncio.Event()

    def hear(error):
        heard.append(error)
        failed.set()

    journal.on_failure = hear
    journal.append([fill(1)], lambda: heard.append("committed"))
    await asyncio.to_thread(journal.sync)
    grouped.execute("UPDATE meta SET epoch = 7")
    journal.append([fill(2)], lambda: heard.append("never"))
    await failed.wait()

    assert heard == ["committed", journal.failure]
    assert isinstance(journal.failure, Fenced)
    with pytest.raises(Fenced):
        journal.append([fill(3)])
    journal.close()


async def test_who_listens_late_is_told_at_once(grouped):
    journal = grouped.open()
    grouped.execute("UPDATE meta SET epoch = 7")
    with pytest.raises(Fenced):
        commit(journal, [fill(1)])
    told = asyncio.get_running_loop().create_future()
    journal.on_failure = told.set_result

    assert isinstance(await told, Fenced)
    journal.close()


def test_database_that_does_not_keep_up_stops_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.journal.commit.QUEUE_FACTS_MAX", 10)
    journal = open_journal(tmp_path / "a.db", durability="power")

    with pytest.raises(JournalError, match="more than 10 facts wait"):
        journal.append(fills(11))
    with pytest.raises(JournalError, match="more than 10 facts wait"):
        journal.append([fill(1)])
    journal.close()


def test_failed_sync_ends_the_journal(tmp_path, monkeypatch):
    journal = open_journal(tmp_path / "a.db")
    monkeypatch.setattr("holdfast.journal.upkeep.SYNC_EVERY_S", 60)
    monkeypatch.setattr("holdfast.journal.upkeep._sync_file", _fail_to_sync)
    journal.append([fill(1)])

    with pytest.raises(JournalError, match="failed to sync: Input/output error"):
        journal.sync()
    with pytest.raises(JournalError, match="failed to sync"):
        journal.append([fill(2)])
    journal.close()


async def test_failed_sync_of_the_thread_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.journal.upkeep._sync_file", _fail_to_sync)
    journal = open_journal(tmp_path / "a.db")
    told = asyncio.get_running_loop().create_future()
    journal.on_failure = told.set_result
    journal.append([fill(1)])

    assert "failed to sync" in str(await told)
    with pytest.raises(JournalError, match="failed to sync"):
        journal.append([fill(2)])
    journal.close()


def _fail_to_sync(_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_fact_that_is_no_json_is_refused_and_leaves_no_gap(database):
    journal = database.open()

    with pytest.raises(JournalError, match="OrderFilled can't be written as JSON"):
        journal.append([fill(1), fill(2).__class__(**{**_fields(fill(2)), "trade_id": "\ud800"})])
    journal.append([fill(1)])
    assert list(journal.replay()) == [fill(1)]
    journal.close()


def _fields(fact):
    return {name: getattr(fact, name) for name in fact.__struct_fields__}


def test_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[postgres\]'"):
        open_journal("postgresql://localhost/trading")


def test_server_that_is_down_is_named_without_its_password():
    with pytest.raises(
        JournalError, match=r"holdfast at 127\.0\.0\.1/trading: connection"
    ) as caught:
        open_journal("postgresql://trader:geheim@127.0.0.1:1/trading")

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://u:geheim@h:port/x", "postgres://h/x?journal=A;B"])
def test_unreadable_server_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigError) as caught:
        open_journal(url)

    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("SQLITE_IOERR_READ", JournalError, "the disk failed"),
        ("SQLITE_CORRUPT_VTAB", JournalCorrupt, "pages of the database are damaged"),
        ("", JournalError, "a.db: boom"),
    ],
)
def test_sqlite_errors_are_told_by_their_names(name, kind, text):
    error = sqlite3.OperationalError("boom")
    error.sqlite_errorname = name
    found = explain(error, "a.db")

    assert type(found) is kind
    assert text in str(found)


def test_complaint_that_quotes_damaged_text_is_corruption():
    """SQLite names a bad table in bytes that need not be UTF-8; the driver trips over them."""
    with pytest.raises(JournalCorrupt, match="damaged"), explained("a.db"):
        b"malformed schema (f\xe3cts)".decode()


def test_a_servers_text_is_one_line():
    """Drivers write hints on lines of their own."""
    told = explain(RuntimeError("connection refused\n\tIs the server running?\n"), "here")

    assert str(told) == "journal here: connection refused Is the server running?"


_OPEN_AS_ANOTHER = """
import os, sys
from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.model.errors import JournalCorrupt, JournalError
import holdfast.journal.sqlite
os.setuid(65534)
for act in (open_journal, verify):
    try:
        if problem := getattr(act(sys.argv[1]), "problem", ""):
            print(act.__name__, True, problem)
    except JournalError as error:
        print(act.__name__, isinstance(error, JournalCorrupt), error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="another user is needed")
@pytest.mark.parametrize("kind", ["stage", "archive"])
def test_file_of_another_user_is_named_and_not_told_to_be_damaged(open_directory, kind):
    """Somebody ran one command as another user, such as root."""
    path = open_directory / "a.db"
    journal = open_journal(path)
    commit(journal, fills(50))
    journal.close()
    closed = path.with_name(f"a.db.{kind}-1")
    if kind == "stage":
        closed.write_bytes(b"facts")
    else:
        closed.write_bytes(b"old facts")
        with closing(sqlite3.connect(path)) as database, database:
            row = "SELECT 1, 40, ?, hash FROM facts WHERE sequence = 40"
            database.execute(f"INSERT INTO archives {row}", (closed.name,))
            database.execute("DELETE FROM facts WHERE sequence <= 40")
    for each in open_directory.iterdir():
        each.chmod(0o666)
    closed.chmod(0o600)
    open_directory.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", _OPEN_AS_ANOTHER, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )

    told = done.stdout.splitlines()
    assert told, done.stderr
    assert all(re.search(rf"False .*{closed.name}.*: Permission denied", line) for line in told)


def test_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("holdfast.journal.owner.fcntl.flock", no_locks)

    with pytest.raises(JournalError, match=r"a\.db\.lock can't be locked: No locks available"):
        open_journal(tmp_path / "a.db")
