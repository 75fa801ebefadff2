"""Files that are taken away from under a journal's owner: what it writes on would be lost."""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress

import pytest

from holdfast.journal import open_journal, upkeep
from holdfast.model.errors import Fenced, JournalCorrupt, JournalError
from tests.journal.samples import commit, fill, fills


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("is_restored", [False, True])
def test_owner_whose_database_alone_was_replaced_or_removed_stops(
    tmp_path, durability, is_restored
):
    """Its log is still in its place, and at its end SQLite would remove it with all that is new."""
    path = tmp_path / "a.db"
    open_journal(path).close()
    shutil.copy(path, tmp_path / "backup")
    journal = open_journal(path, durability=durability)
    commit(journal, fills(3))
    delivery, failed = vars(journal)["_delivery"], threading.Event()
    fail = delivery.fail

    def fail_and_tell(error, **how):
        fail(error, **how)
        failed.set()

    delivery.fail = fail_and_tell
    if is_restored:
        (tmp_path / "backup").replace(path)
    else:
        path.unlink()

    assert failed.wait(5)
    with pytest.raises(Fenced, match="moved away or replaced"):
        journal.append([fill(4)])
    with suppress(Fenced):
        journal.close()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(84), b"no database" * 999])
def test_owner_whose_files_give_way_to_what_is_no_journal_is_fenced_all_the_same(
    tmp_path, monkeypatch, content
):
    """A backup may be half copied: who has lost the journal must not ask for its entries back."""
    monkeypatch.setattr(upkeep, "SYNC_EVERY_S", 600)
    path = tmp_path / "a.db"
    journal = open_journal(path)
    commit(journal, fills(3))
    (tmp_path / "elsewhere").mkdir()
    for each in list(tmp_path.glob("a.db*")):
        each.rename(tmp_path / "elsewhere" / each.name)
    path.write_bytes(content)

    with pytest.raises(Fenced, match="whoever moved its files"):
        journal.append([fill(4)])
    with suppress(JournalError):
        journal.close()


def test_log_of_another_database_spoils_a_backup_and_the_way_out_is_told(tmp_path):
    """SQLite plays a log into whatever it is beside: a backup must not be put next to an old one."""
    path, backup, log = tmp_path / "a.db", tmp_path / "backup", tmp_path / "a.db-wal"
    journal = open_journal(path)
    commit(journal, fills(100))
    journal.close()
    shutil.copy(path, backup)
    journal = open_journal(path)
    commit(journal, fills(900, start=101))
    vars(journal)["_sync"].__self__.checkpoint()
    commit(journal, fills(30, start=1001))  # the log has started over
    shutil.copy(log, tmp_path / "left")  # as a killed owner leaves it
    journal.close()
    shutil.copy(backup, path)
    shutil.copy(tmp_path / "left", log)

    with pytest.raises(JournalCorrupt, match=r"damaged: move the journal away .* its -wal, "):
        open_journal(path)
    for each in (path, log, tmp_path / "a.db-shm"):
        each.rename(each.with_name(f"old-{each.name}"))
    shutil.copy(backup, path)
    journal = open_journal(path)
    assert journal.sequence == 100
    journal.close()
