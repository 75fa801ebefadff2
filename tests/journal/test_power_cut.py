"""A power cut: what was synced is there afterwards, whatever became of what was not.

A disk writes sectors of 512 bytes, in any order, and may not have come to the file's new length.
Sectors of the log behind the last sync are kept, lost or garbled here as lots fall.
"""

from __future__ import annotations

import random
import shutil
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal import open_journal, upkeep
from holdfast.journal.inspect import verify
from tests.journal.samples import fill, fills

SECTOR = 512
SYNCED, WRITTEN = 20, 45


class Cut(NamedTuple):
    """What the disk was told to keep, and what was on its way."""

    folder: object
    synced_bytes: int


def _live_until_the_cut(durability, folder, image):
    journal = open_journal(folder / "a.db", durability=durability)
    log = folder / "a.db-wal"
    for fact in fills(SYNCED):
        journal.append([fact])
        if durability == "power":
            journal.sync()  # waits for the commit, which syncs
    journal.sync()
    synced_bytes = log.stat().st_size
    for start in range(SYNCED + 1, WRITTEN + 1, 5):
        journal.append(fills(5, start=start))
    vars(journal)["_committer"].flush()  # written, and the machine has not come to syncing it
    for file in (folder / "a.db", log):
        shutil.copy(file, image)
    journal.close()
    return Cut(image, synced_bytes)


@pytest.fixture(scope="module", params=["process", "power"])
def cut(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "SYNC_EVERY_S", 60)  # the thread must not come in between
        live, image = tmp_path_factory.mktemp("live"), tmp_path_factory.mktemp("image")
        return _live_until_the_cut(request.param, live, image)


def _lose(log, synced_bytes, fate, length):
    """Let the lots say which sectors behind the sync came through."""
    body = bytearray(log.read_bytes())
    for at in range(synced_bytes, len(body), SECTOR):
        drawn = fate.random()
        if drawn < 0.4:
            body[at : at + SECTOR] = bytes(len(body[at : at + SECTOR]))
        elif drawn < 0.5:
            body[at : at + SECTOR] = fate.randbytes(len(body[at : at + SECTOR]))
    log.write_bytes(body[: synced_bytes + int(length * (len(body) - synced_bytes))])


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), length=st.floats(0, 1))
def test_what_was_synced_survives_and_the_rest_is_a_prefix(cut, tmp_path_factory, seed, length):
    folder = tmp_path_factory.mktemp("cut")
    shutil.copytree(cut.folder, folder, dirs_exist_ok=True)
    path = folder / "a.db"
    _lose(path.with_name("a.db-wal"), cut.synced_bytes, random.Random(seed), length)
    journal = open_journal(path)
    left = journal.sequence

    assert SYNCED <= left <= WRITTEN
    assert list(journal.replay()) == fills(left)
    assert journal.epoch == 2
    journal.append([fill(left + 1)])
    journal.close()
    assert verify(path).is_ok
    shutil.rmtree(folder)


def test_a_disk_that_kept_everything_lost_nothing(cut, tmp_path):
    shutil.copytree(cut.folder, tmp_path, dirs_exist_ok=True)
    journal = open_journal(tmp_path / "a.db")

    assert journal.sequence == WRITTEN
    assert journal.findings == []
    journal.close()
