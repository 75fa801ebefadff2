"""The report at a session's end may take long: who waits for it is told, and may leave it out."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from holdfast.cli import driving, ending
from holdfast.journal import open_journal
from holdfast.model.errors import InputError
from holdfast.runtime.control_file import FILE_NAME, read_endpoint
from holdfast.runtime.report import write_report
from tests.cli.desk import FAST, recording, run_json

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ended(capsys, folder, *more):
    asked = ["--feed", recording(folder), "--speed", "max", "-s", FAST]
    return run_json(capsys, "run", "--data-dir", folder / "data", *asked, *more)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_report_is_written_leaves_out_the_report_alone(
    tmp_path, capsys, monkeypatch, number
):
    monkeypatch.setattr(ending, "write_report", lambda *_, **__: os.kill(os.getpid(), number))

    code, document, err = ended(capsys, tmp_path)

    assert (code, document["status"], document["report"]) == (0, "STOPPED", None)
    assert "no report: it was interrupted" in err
    assert not list((tmp_path / "data" / "reports").iterdir())


def test_a_wish_to_stop_that_comes_twice_takes_no_report_away(tmp_path, capsys, monkeypatch):
    """Some senders send two signals; a session may have ended between them."""
    data = tmp_path / "data"

    def stop_it():
        deadline = time.monotonic() + 30
        while not ((data / FILE_NAME).exists() and read_endpoint(data).is_running):
            assert time.monotonic() < deadline, "it never ran"
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    def written(*args, **names):
        os.kill(os.getpid(), signal.SIGTERM)
        write_report(*args, **names)

    monkeypatch.setattr(driving, "MOMENT_S", 3600.0)
    monkeypatch.setattr(ending, "write_report", written)
    sender = threading.Thread(target=stop_it)
    sender.start()
    code, document, _ = run_json(capsys, "run", "--data-dir", data)
    sender.join()

    assert (code, document["reason"]) == (0, "terminated")
    assert document["report"]


def test_a_terminal_that_is_closed_takes_no_report_away(tmp_path, capsys, monkeypatch):
    write = write_report

    def written(*args, **names):
        os.kill(os.getpid(), signal.SIGHUP)
        write(*args, **names)

    monkeypatch.setattr(ending, "write_report", written)

    assert ended(capsys, tmp_path)[0] == 0
    assert list((tmp_path / "data" / "reports").iterdir())
    assert signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # children would inherit that


def test_a_long_report_is_announced(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ending, "FACTS_MANY", 10)

    assert "facts: Ctrl-C leaves it out" in ended(capsys, tmp_path)[2]


def test_a_report_reads_the_facts_of_its_own_session_alone(tmp_path, capsys, monkeypatch):
    """A journal grows for months; a session's figures need not be folded from all of it."""
    read: list[int] = []

    def written(path, facts, **names):
        kept = list(facts)
        read.append(len(kept))
        return write_report(path, kept, **names)

    monkeypatch.setattr(ending, "write_report", written)
    first = ended(capsys, tmp_path)[1]
    second = ended(capsys, tmp_path)[1]

    assert None not in {first["report"], second["report"]}
    journal = open_journal(tmp_path / "data" / "holdfast.db", read_only=True)
    assert sum(read) == journal.sequence
    journal.close()


def test_a_short_one_is_not(tmp_path, capsys):
    assert "Ctrl-C" not in ended(capsys, tmp_path)[2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
def test_a_log_whose_disk_is_full_takes_no_summary_away(tmp_path, capsys):
    logs = tmp_path / "data" / "logs" / "trading"
    logs.mkdir(parents=True)
    (logs / "holdfast.log").symlink_to("/dev/full")

    code, document, err = ended(capsys, tmp_path)

    assert (code, document["status"]) == (0, "STOPPED")
    assert "can't be written" in err


def test_a_report_that_could_not_be_written_whole_is_not_left(tmp_path, capsys, monkeypatch):
    def half(path, *_, **__):
        path.write_text("<html>")
        raise InputError(f"{path}: the report can't be written: No space left on device")

    monkeypatch.setattr(ending, "write_report", half)

    assert "no report" in ended(capsys, tmp_path)[2]
    assert not list((tmp_path / "data" / "reports").iterdir())
