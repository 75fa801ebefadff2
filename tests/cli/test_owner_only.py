"""What a session leaves on the disk is its owner's to read: balances, orders, strategies' words."""

from __future__ import annotations

import os
import stat

import pytest

from holdfast.cli import main
from holdfast.journal import open_journal
from holdfast.journal.archives import Folder
from holdfast.model.config import TradingConfig
from holdfast.runtime.assembly import own_journal
from holdfast.runtime.left_kill import leave_kill
from tests.cli.desk import FAST, recording
from tests.journal.samples import commit, fills


@pytest.fixture(autouse=True)
def _usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def run(data_dir, file, *more):
    arguments = ("run", "--data-dir", data_dir, "--feed", file, "--speed", "max", "-s", FAST)
    assert main([*map(str, (*arguments, *more))]) == 0


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def readable_by_others(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if mode(p) & 0o077)


def test_a_data_folder_that_a_session_makes_is_its_owners_alone(tmp_path):
    run(tmp_path / "in" / "data", recording(tmp_path))

    assert oct(mode(tmp_path / "in" / "data")) == "0o700"


def test_files_in_a_folder_that_others_may_look_into_are_the_owners_alone(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o755)

    run(data, recording(tmp_path))

    assert readable_by_others(data) == []
    assert oct(mode(data)) == "0o755"  # whoever made it has their reasons


def test_a_folder_that_lets_in_its_group_alone_is_meant_so(tmp_path):
    """A watcher, under a user of its own, reads the journal there."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o750)

    run(data, recording(tmp_path))

    assert {oct(mode(p)) for p in data.rglob("*") if p.is_file()} == {"0o640"}
    assert {oct(mode(p)) for p in data.rglob("*") if p.is_dir()} == {"0o750"}


def test_a_log_that_is_begun_anew_is_the_owners_alone(tmp_path):
    from holdfast.runtime.logs import _QuietFile

    log = _QuietFile(tmp_path / "holdfast.log", maxBytes=10, backupCount=2, encoding="utf-8")
    log.doRollover()
    log.close()

    assert readable_by_others(tmp_path) == []


def test_what_a_running_journal_writes_is_the_owners_alone(tmp_path):
    journal = open_journal(tmp_path / "a.db")
    commit(journal, fills(3))

    assert readable_by_others(tmp_path) == []
    assert {p.name.partition("-")[0] for p in tmp_path.iterdir()} >= {"a.db", "a.db.lock"}

    journal.close()


def test_a_report_that_is_asked_for_by_name_follows_the_umask(tmp_path):
    run(tmp_path / "data", recording(tmp_path), "--report", tmp_path / "site" / "report.html")

    assert oct(mode(tmp_path / "site" / "report.html")) == "0o644"
    assert oct(mode(tmp_path / "site")) == "0o755"


@pytest.mark.parametrize(
    "more",
    [(), ("--no-journal",), ("--grid", "fast=2,3", "--jobs", "1")],
    ids=["replay", "without a journal", "sweep"],
)
def test_what_a_replay_leaves_is_the_owners_alone(tmp_path, more):
    data = tmp_path / "in" / "data"
    file = str(recording(tmp_path))

    assert main(["replay", file, "--data-dir", str(data), "-s", "sma_cross", *more]) == 0

    assert readable_by_others(tmp_path / "in") == []
    assert list((data / "replays").glob("*.html"))
    assert oct(mode(data)) == "0o700"


def test_a_replays_report_that_is_asked_for_by_name_follows_the_umask(tmp_path):
    out = tmp_path / "shared.html"
    file = str(recording(tmp_path))

    assert main(["replay", file, "--data-dir", str(tmp_path / "d"), "--out", str(out)]) == 0

    assert oct(mode(out)) == "0o644"


def test_a_database_in_a_folder_of_its_own_is_the_owners_alone(tmp_path):
    own_journal(TradingConfig(database_url=f"sqlite:///{tmp_path / 'db' / 'a.db'}")).close()

    assert oct(mode(tmp_path / "db")) == "0o700"
    assert readable_by_others(tmp_path / "db") == []


def test_who_may_read_a_database_of_before_may_read_what_is_made_beside_it(tmp_path):
    """A watcher under another user read it: it goes on doing so, as with SQLite's own log."""
    open_journal(tmp_path / "a.db").close()
    (tmp_path / "a.db").chmod(0o644)

    journal = open_journal(tmp_path / "a.db")
    commit(journal, fills(3))
    found = {p.name: oct(mode(p)) for p in tmp_path.iterdir() if "stage" in p.name}
    journal.close()
    with Folder(tmp_path / "a.db").new("a.db.archive-1", 1) as file:
        file.write(b"facts")

    assert set(found.values()) == {"0o644"}
    assert oct(mode(tmp_path / "a.db.archive-1")) == "0o644"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may give files away")
def test_what_root_makes_in_somebodys_folder_is_theirs(tmp_path):
    """`sudo holdfast kill` would shut them out of their own journal."""
    os.chown(tmp_path, 65534, 65534)

    leave_kill(tmp_path, "smoke", flatten=True)
    journal = open_journal(tmp_path / "a.db")
    commit(journal, fills(3))
    owners = {p.name: p.stat().st_uid for p in tmp_path.iterdir()}
    journal.close()

    assert {"kill.json", "a.db", "a.db.lock", "a.db-wal"} < set(owners)
    assert set(owners.values()) == {65534}
