"""What the harness does to a machine is done for real: its clock, its disk, its database."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from holdfast.harness.clock import MachineClock, build_shim
from holdfast.harness.database import PostgresDatabase, SqliteDatabase
from holdfast.harness.disk import Disk
from holdfast.harness.faults import KINDS, TROUBLES_MAX, chosen, draw_life, with_owed
from holdfast.harness.launcher import Launcher
from holdfast.harness.ledger import Ledger
from holdfast.journal import open_journal
from holdfast.model import events as ev
from holdfast.model.errors import InputError

FOLLOW = (
    "import ctypes, sys, time\n"
    "assert ctypes.CDLL(None).holdfast_clock_follow(sys.argv[1].encode()) == 0\n"
    "for _ in sys.stdin:\n"
    "    print(time.time_ns(), time.monotonic_ns(), flush=True)\n"
)


@pytest.fixture
def shim(tmp_path):
    made = build_shim(tmp_path)
    if made is None:
        pytest.skip("there is no C compiler here")
    return made


def test_a_process_sees_its_wall_clock_jump_and_its_monotonic_clock_go_on(tmp_path, shim):
    clock = MachineClock(tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(clock.path)],
        env={**os.environ, "LD_PRELOAD": str(shim)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def read(to: Any = process.stdin, of: Any = process.stdout):
            to.write("\n")
            to.flush()
            return [int(word) for word in of.readline().split()]

        wall, monotonic = read()
        assert abs(wall - time.time_ns()) < 5e9
        clock.set(3_600_000_000_000)
        later, steady = read()
        clock.set(0)
        back, _ = read()
        assert process.stdin
        process.stdin.close()

    assert later - wall > 3_599e9
    assert 0 <= steady - monotonic < 60e9
    assert back < later


def test_a_full_disk_takes_no_more_until_it_is_freed(tmp_path):
    disk = Disk(tmp_path / "disk")
    try:
        with start_writer(disk.folder) as writer:
            assert say(writer) == "ok"
            disk.fill(writer.pid)
            full = [say(writer) for _ in range(40)]
            disk.free(writer.pid)
            again = say(writer)
            writer.stdin.close()
    finally:
        disk.close()

    assert "No space left on device" in full or "File too large" in full, disk.how
    assert again == "ok"


WRITER = (
    "import sys\n"
    "for _ in sys.stdin:\n"
    "    try:\n"
    "        with open('holdfast.db-wal', 'ab', buffering=0) as file:\n"
    "            file.write(b'x' * 4096)\n"
    "        print('ok', flush=True)\n"
    "    except OSError as error:\n"
    "        print(error.strerror, flush=True)\n"
)


def start_writer(folder) -> Any:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def say(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


KILLED = (
    "import os, signal, sys\n"
    "from pathlib import Path\n"
    "from holdfast.harness.disk import Disk\n"
    "Disk(Path(sys.argv[1]))\n"
    "os.kill(os.getpid(), signal.SIGKILL)\n"
)


def test_the_disk_of_a_killed_harness_is_given_back_by_the_next(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "left")], check=False)

    disk = Disk(tmp_path / "disk")
    try:
        assert not (tmp_path / "left").is_mount()
        assert (tmp_path / "disk").is_mount() is disk.is_mounted
    finally:
        disk.close()


def test_where_nothing_can_be_mounted_files_of_the_process_may_not_grow(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.harness.disk._run", lambda *_: False)
    disk = Disk(tmp_path / "disk")

    with start_writer(disk.folder) as writer:
        assert say(writer) == "ok"
        disk.fill(writer.pid)
        assert "File too large" in [say(writer) for _ in range(40)]
        disk.free(writer.pid)
        assert say(writer) == "ok"
        limit = resource.prlimit(writer.pid, resource.RLIMIT_FSIZE)[0]
        writer.stdin.close()

    assert disk.how == "RLIMIT_FSIZE"
    assert limit == resource.RLIM_INFINITY


def test_a_locked_database_can_be_written_by_nobody_else(tmp_path):
    path = tmp_path / "holdfast.db"
    locker = SqliteDatabase(path)
    assert not locker.lock("EXCLUSIVE")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE facts (n)")
    other = sqlite3.connect(path, timeout=0)

    assert locker.lock("EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("INSERT INTO facts VALUES (1)")
    locker.unlock()

    other.execute("INSERT INTO facts VALUES (1)")
    other.close()


def test_a_power_cut_takes_what_was_not_synced_and_the_database_keeps_the_rest(tmp_path):
    path = tmp_path / "holdfast.db"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        owner.stdout.readline()
        owner.kill()
    written = Ledger(f"sqlite:///{path}")
    written.read()

    lost = SqliteDatabase(path).lose_unsynced(Random(1))

    found = written.after_power_cut(owner.pid)
    found.read()
    assert lost > 0
    assert len(written.facts) == 3
    assert found.lost == {1}
    assert found.facts == written.facts[: len(found.facts)]
    assert len(found.facts) < 3


OWNER = (
    "import os, signal, sys, time\n"
    "from holdfast.journal import open_journal\n"
    "from holdfast.journal.commit import StagedCommit\n"
    "from holdfast.model import events as ev\n"
    "StagedCommit.move = lambda self: None\n"  # the power goes before anything is moved
    "journal = open_journal(f'sqlite:///{sys.argv[1]}')\n"
    "for ts in (1, 2, 3):\n"
    "    journal.append([ev.AlarmRaised(ts=ts, code=str(ts), text=str(ts))])\n"
    "print('ok', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.mark.postgres
def test_a_server_is_locked_drops_its_clients_and_says_when_something_was_committed(
    postgres_server,
):
    database = PostgresDatabase(postgres_server)
    assert not database.lock("EXCLUSIVE")  # there is no journal yet
    journal = open_journal(database.url)
    before = database.committed()
    journal.append([ev.AlarmRaised(ts=1, code="a", text="a")])
    journal.sync()

    assert database.committed() != before
    assert database.lock("IMMEDIATE")
    database.unlock()
    assert database.drop_clients() > 0
    journal.append([ev.AlarmRaised(ts=2, code="b", text="b")])
    journal.close()
    ledger = Ledger(database.url)
    assert ledger.read() == 2
    database.close(is_kept=False)


async def test_processes_are_told_when_they_end_and_can_be_killed(tmp_path):
    launcher = Launcher(tmp_path, None)
    await launcher.open()
    try:
        good = await launcher.start("good", ["--version"], tmp_path, {})
        bad = await launcher.start("bad", ["nonsense"], tmp_path, {})
        await good.ended.wait()
        await bad.ended.wait()
        words = ["exchange", "--feed", "none", "--symbols", "BTCUSDT"]
        killed = await launcher.start("killed", words, tmp_path, {})

        assert await killed.kill()
    finally:
        await launcher.close()

    assert (good.code, bad.code, killed.code) == (0, 2, -signal.SIGKILL)
    assert good.out.read_text().startswith("holdfast ")
    assert "nonsense" in bad.last_words()
    assert not await killed.kill()


async def test_nothing_outlives_the_interpreter_that_it_was_forked_from(tmp_path):
    launcher = Launcher(tmp_path, None)
    await launcher.open()
    words = ["exchange", "--feed", "none", "--symbols", "BTCUSDT"]
    process = await launcher.start("orphan", words, tmp_path, {})

    assert launcher._zygote
    assert launcher._reader
    launcher._zygote.kill()
    await launcher._zygote.wait()
    deadline = time.monotonic() + 5
    while is_alive(process.pid) and time.monotonic() < deadline:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.01)

    assert not is_alive(process.pid)
    with pytest.raises(RuntimeError):
        await launcher._reader


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_same_seed_draws_the_same_lives_and_every_kind_is_drawn():
    one, two = ([draw_life(Random(f"{n}"), KINDS) for n in range(300)] for _ in range(2))

    assert one == two
    assert {life.kill for life in one} | {t.kind for life in one for t in life.troubles} == set(
        KINDS
    )
    assert max(len(life.troubles) for life in one) <= TROUBLES_MAX
    lives = [draw_life(Random(f"{n}"), ("stall",)) for n in range(50)]
    assert {life.kill for life in lives} == {"kill_session"}
    assert {t.kind for life in lives for t in life.troubles} == {"stall"}


def test_what_has_not_struck_yet_is_given_a_life_that_is_long_enough():
    lots = Random("1")
    life = next(each for each in (draw_life(lots, KINDS) for _ in range(99)) if each.is_early)

    longer = with_owed(life, lots, "disk_full")

    assert not longer.is_early
    assert longer.end_s > 3
    assert [t.kind for t in longer.troubles].count("disk_full") == 1
    assert len(longer.troubles) <= TROUBLES_MAX


def test_a_fault_that_is_none_is_refused_by_name():
    with pytest.raises(InputError, match="earthquake"):
        chosen(["cut", "earthquake"])
