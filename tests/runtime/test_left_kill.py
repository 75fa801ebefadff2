"""A kill that was left for a session: obeyed once, by what it says, and where there is one alone."""

from __future__ import annotations

import json
import subprocess
import sys

from holdfast.journal import open_journal
from holdfast.model.events import KillSwitchEngaged
from holdfast.runtime.left_kill import leave_kill
from tests.runtime.control_desk import running

NO_FILES_LEFT = """
import os, resource, sys
from pathlib import Path
from holdfast.model.config import TradingConfig
from holdfast.runtime.left_kill import record_left

config = TradingConfig(data_dir=Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.open("/dev/null", os.O_RDONLY)
except OSError:
    record_left(config)
"""


def kills(desk):
    journal = open_journal(desk.service.config.database_url, read_only=True)
    try:
        return [fact for fact in journal.replay() if isinstance(fact, KillSwitchEngaged)]
    finally:
        journal.close()


def test_a_process_that_can_open_no_more_files_takes_nothing_for_a_kill(tmp_path):
    """It looks for one every second: out of files for a moment, it would have killed itself."""
    command = [sys.executable, "-c", NO_FILES_LEFT, tmp_path]
    ran = subprocess.run(command, capture_output=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, b"")  # it had nothing to put on record


async def test_a_kill_that_can_t_be_removed_is_obeyed_once(tmp_path):
    async with running(tmp_path) as desk:
        (desk.service.config.data_dir / "kill.json").mkdir()
        for _ in range(3):
            await desk.server._left_kill.look()

        assert len(kills(desk)) == 1


async def test_a_release_is_of_the_kill_too_that_a_running_session_has_not_looked_at(tmp_path):
    async with running(tmp_path) as desk:
        leave_kill(desk.service.config.data_dir, "smoke", flatten=False)
        await desk.post("/v1/release", operator="me")
        await desk.server._left_kill.look()

        assert not (await desk.get("/v1/status"))["is_killed"]
        assert len(kills(desk)) == 1


def test_a_second_kill_does_not_take_back_that_positions_are_to_be_closed(tmp_path):
    leave_kill(tmp_path, "smoke", flatten=True)
    path = leave_kill(tmp_path, "fire", flatten=False)

    words = json.loads(path.read_text())
    assert (words["reason"], words["flatten"]) == ("fire", True)
