"""Old facts are archived beside a session, once a day, by a process of its own."""

from __future__ import annotations

import asyncio
import io
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from holdfast.journal import archives, archiving, open_journal
from holdfast.journal.inspect import verify
from holdfast.model.config_kinds import DatabaseUrl
from holdfast.model.values import NS_PER_DAY
from holdfast.runtime import archiver, beat
from holdfast.runtime.rotation import Rotation
from tests.journal.samples import fills
from tests.runtime.session_desk import config_in, running

PATIENCE_S = 100.0
SPARE = 20


def _grown(path, count=3_000):
    journal = open_journal(path)
    journal.append(fills(count))
    journal.save_snapshot(count, b"state")
    journal.close()
    return f"sqlite:///{path}"


def _oldest(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT min(sequence) FROM facts").fetchone()[0]


async def _until_idle(rotation):
    async with asyncio.timeout(PATIENCE_S):
        while rotation.is_busy:  # noqa: ASYNC110 - a process of its own tells of nothing
            await asyncio.sleep(0.02)


async def test_old_facts_are_archived_once_a_day(tmp_path, caplog):
    caplog.set_level("INFO", "holdfast.journal")
    path = tmp_path / "a.db"
    rotation = Rotation(_grown(path), SPARE)
    rotation.look(5 * NS_PER_DAY + 1)
    await _until_idle(rotation)

    left = archiving.KEPT_FACTS + SPARE
    assert _oldest(path) == 3_000 - left + 1
    assert f"archived facts 1 to {3_000 - left}" in caplog.text
    assert verify(path).facts == 3_000
    rotation.look(6 * NS_PER_DAY - 1)
    assert not rotation.is_busy
    rotation.look(6 * NS_PER_DAY)
    assert rotation.is_busy
    await rotation.close()


async def test_the_address_is_taken_as_settings_hold_it(tmp_path):
    path = tmp_path / "a.db"
    rotation = Rotation(DatabaseUrl(_grown(path)), SPARE)
    rotation.look(NS_PER_DAY)
    await _until_idle(rotation)
    await rotation.close()

    assert _oldest(path) > 1


@pytest.mark.parametrize(
    ("where", "spare"), [("sqlite:///nowhere.db", None), ("memory:", 20)], ids=["off", "memory"]
)
async def test_nothing_is_started_where_nothing_is_to_be_archived(where, spare):
    rotation = Rotation(where, spare)
    rotation.look(NS_PER_DAY)

    assert not rotation.is_busy


async def test_what_went_wrong_is_logged_and_the_session_goes_on(tmp_path, caplog):
    rotation = Rotation(f"sqlite:///{tmp_path / 'none.db'}", SPARE)
    rotation.look(NS_PER_DAY)
    await _until_idle(rotation)

    assert "old facts were not archived: there is no journal" in caplog.text


async def test_a_session_that_ends_ends_its_archiver(tmp_path):
    path = tmp_path / "a.db"
    rotation = Rotation(_grown(path), SPARE)
    rotation.look(NS_PER_DAY)
    await rotation.close()

    assert not rotation.is_busy
    assert verify(path).facts == 3_000


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
async def test_an_archiver_that_is_ended_at_work_leaves_no_process_behind(tmp_path):
    path = tmp_path / "a.db"
    where = _grown(path)
    for _ in range(5):  # one that dies at once shows nothing
        rotation = Rotation(where, SPARE)
        rotation.look(NS_PER_DAY)
        archiver_id = await _at_work()
        await rotation.close()

        assert not _is_there(archiver_id)
    assert verify(path).facts == 3_000


async def _at_work():
    async with asyncio.timeout(PATIENCE_S):
        while not (archiver_id := _archiver()):  # noqa: ASYNC110 - it tells of nothing
            await asyncio.sleep(0.005)
    return archiver_id


def _is_there(process_id):
    return Path(f"/proc/{process_id}").exists()


def _archiver():
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    for each in children.split():
        if b"archiver" in Path(f"/proc/{each}/cmdline").read_bytes():
            return each
    return ""


async def test_the_archiver_takes_no_module_from_the_folder_it_runs_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gzip.py").write_text("raise SystemExit('a notebook of the desk')")
    path = tmp_path / "a.db"
    rotation = Rotation(_grown(path), SPARE)
    rotation.look(NS_PER_DAY)
    await _until_idle(rotation)

    assert _oldest(path) > 1


_INTERRUPTED = """
import asyncio, os, signal, sys
from pathlib import Path
from holdfast.runtime.rotation import Rotation

async def main():
    rotation = Rotation(sys.argv[1], 20)
    rotation.look(1)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while not children.read_text():
        await asyncio.sleep(0)
    os.killpg(0, signal.SIGINT)
    while rotation.is_busy:
        await asyncio.sleep(0.01)

signal.signal(signal.SIGINT, lambda *_: None)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked for in /proc")
def test_a_ctrl_c_does_not_reach_the_archiver(tmp_path):
    path = tmp_path / "a.db"
    where = _grown(path)
    command = [sys.executable, "-c", _INTERRUPTED, where]
    subprocess.run(command, check=True, start_new_session=True, timeout=PATIENCE_S)

    assert _oldest(path) > 1


def test_an_archiver_that_outlives_its_session_keeps_no_other_from_starting(tmp_path, monkeypatch):
    """Whoever kills a session with -9 leaves its archiver behind, and may start anew at once."""
    path = tmp_path / "a.db"
    asked = msgspec.json.encode({"where": _grown(path), "spare": SPARE})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(asked)))
    monkeypatch.setattr(os, "nice", lambda _: None)
    owners = []

    def write(*args, honest=archives.write):
        owners.append(open_journal(path))
        return honest(*args)

    monkeypatch.setattr(archives, "write", write)
    assert archiver.main() == 0

    (owner,) = owners
    owner.append(fills(1, start=3_001))
    owner.close()
    assert _oldest(path) > 1
    assert verify(path).facts == 3_001


async def test_a_session_has_its_old_facts_archived_once_it_has_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(beat, "HEARTBEAT_S", 0.05)
    looks = []
    monkeypatch.setattr(Rotation, "look", lambda self, now: looks.append((self._spare, now)))
    monkeypatch.setattr(beat, "SNAPSHOT_FACTS", 1)
    async with running(tmp_path, service=None, archive_facts=50_000) as desk:
        await desk.until(lambda: looks)

        assert looks[0] == (50_000, desk.service.now())
        assert config_in(tmp_path).archive_facts == 1_000_000
