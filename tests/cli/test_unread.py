"""What becomes of a session, or a watcher, whose lines nobody reads."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest

from holdfast.cli.watch import _Shown
from holdfast.model.errors import NetworkError
from holdfast.runtime.control_client import ControlClient
from tests.cli.desk import environment, full_pipe
from tests.cli.test_watch import LOOK


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.mark.parametrize("ends_by", ["a command", "a signal"])
def test_a_reader_that_stopped_reading_holds_no_session_up(tmp_path, ends_by):
    """As `holdfast run 2>&1 | less` does, and a log collector that hangs."""
    read_end, write_end = full_pipe()
    command = [sys.executable, "-m", "holdfast", "run", "--data-dir", "d", "--speed", "600"]
    with (
        os.fdopen(read_end, "rb") as reader,
        subprocess.Popen(
            command, cwd=tmp_path, env=environment(), stdout=write_end, stderr=write_end
        ) as process,
    ):
        os.close(write_end)
        try:
            until((tmp_path / "d" / "control.json").exists)
            client = ControlClient(tmp_path / "d", timeout_s=20)
            until(lambda: client.get("/v1/status")["session"]["status"] == "RUNNING")
            if ends_by == "a command":
                assert client.post("/v1/stop")["session"]["status"] == "STOPPED"
            else:
                process.send_signal(signal.SIGTERM)
                until(lambda: not (tmp_path / "d" / "control.json").exists())
            said = reader.read()  # who reads again gets the end of it, and lets the process go
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
    assert b"Ended STOPPED" in said


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_stopped_reading_does_not_blind_a_watcher(monkeypatch, as_json):
    read_end, write_end = full_pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "w") as unread:
        monkeypatch.setattr("sys.stdout", unread)
        monkeypatch.setattr("sys.stderr", unread)
        shown = _Shown(as_json=as_json)

        def look():
            shown.show(LOOK)
            shown.fail(NetworkError("no route"), [])

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(5)
        is_held = looking.is_alive()
        monkeypatch.undo()
        os.set_blocking(reader.fileno(), False)
        reader.read()
        looking.join(5)
    assert not is_held


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_takes_nothing_from_a_session_s_end(tmp_path, number):
    """Nothing can be written any more: neither the picture, nor what stops it, nor the summary."""
    ours, terminal = pty.openpty()
    command = [sys.executable, "-m", "holdfast", "run", "--data-dir", "d", "--speed", "600"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**environment(), "TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        try:
            shown = b""
            while b"RUNNING" not in shown:
                shown += os.read(ours, 65_536)
            os.close(ours)
            process.send_signal(number)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
    assert len(list((tmp_path / "d" / "reports").iterdir())) == 1
