"""The lock file of a journal, and who looks at it."""

from __future__ import annotations

import fcntl
import os

import pytest

from holdfast.journal.owner import FileLock, Owner
from holdfast.model.errors import JournalLocked


@pytest.fixture
def glance(tmp_path):
    """The lock, shared by somebody who asks who has it."""
    fd = os.open(tmp_path / "a.db.lock", os.O_CREAT | os.O_RDONLY, 0o600)
    fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    yield fd
    os.close(fd)


def test_one_who_only_asks_for_the_owner_keeps_no_session_from_starting(
    tmp_path, glance, monkeypatch
):
    monkeypatch.setattr(
        "holdfast.journal.owner.time.sleep", lambda _s: fcntl.flock(glance, fcntl.LOCK_UN)
    )

    FileLock(tmp_path / "a.db.lock", Owner.here()).release()


def test_one_who_keeps_the_lock_is_an_owner(tmp_path, glance):
    with pytest.raises(JournalLocked, match="owned by another process"):
        FileLock(tmp_path / "a.db.lock", Owner.here())
