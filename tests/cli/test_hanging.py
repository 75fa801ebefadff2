"""A session's process that stands, as after Ctrl-Z: what its operator is told, and soon."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager

import pytest

from holdfast.cli import kill, main
from holdfast.journal import open_journal
from holdfast.model.config import TradingConfig
from holdfast.model.ids import epoch_at
from holdfast.runtime import control_client
from holdfast.runtime.control_client import ControlClient
from holdfast.runtime.control_file import (
    FILE_NAME,
    Endpoint,
    NotAnswering,
    read_endpoint,
    write_endpoint,
)
from holdfast.runtime.left_kill import leave_kill, record_left
from tests.cli.desk import run_json, start

PATIENCE_S = 30


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def answers(data):
    try:
        return ControlClient(data).get("/v1/status")
    except NotAnswering:  # the machine is busy
        return {}


@contextmanager
def standing(tmp_path, *words):
    """Yield a data folder whose session was stopped by a signal, and how to let it go on."""
    data = tmp_path / "data"
    process = start(tmp_path, "run", "--data-dir", data, "--no-report", *words)
    try:
        until(lambda: (data / FILE_NAME).exists() and read_endpoint(data).is_running)
        until(lambda: answers(data))  # its loop has turned
        process.send_signal(signal.SIGSTOP)
        yield data, process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(control_client, "ANSWER_S", 0.3, raising=False)


def is_killed(capsys, data):
    """Ask the journal, where no session runs."""
    capsys.readouterr()  # what a session before has said
    return run_json(capsys, "status", "--data-dir", data)[1]["is_killed"]


def test_what_is_asked_of_a_process_that_stands_is_refused_soon_and_the_way_out_said(
    tmp_path, capsys
):
    with standing(tmp_path) as (data, process):
        began = time.monotonic()
        for words in (["pause"], ["status"], ["stop"], ["cancel", "--all"]):
            assert main([*words, "--data-dir", str(data)]) == 2, words
            told = capsys.readouterr().err
            assert f"process {process.pid} runs the session, but does not answer" in told
            assert f"kill -CONT {process.pid} lets it go on" in told
        assert time.monotonic() - began < 10


def test_a_refused_request_is_not_carried_out_when_the_process_goes_on(tmp_path):
    with standing(tmp_path) as (data, process):
        assert main(["pause", "--data-dir", str(data)]) == 2
        process.send_signal(signal.SIGCONT)
        until(lambda: answers(data))  # what was asked before would have been heard before

        until(lambda: answers(data).get("session", {}).get("status") == "RUNNING")


def test_a_kill_of_a_process_that_stands_is_obeyed_when_it_goes_on(tmp_path, capsys):
    with standing(tmp_path) as (data, process):
        assert main(["kill", "--reason", "smoke", "--data-dir", str(data)]) == 4
        assert "NOTHING WAS CANCELLED YET" in capsys.readouterr().err
        process.send_signal(signal.SIGCONT)

        until(lambda: answers(data).get("is_killed"))

        until(lambda: answers(data).get("kill_reason") == "smoke")
        until(lambda: not (data / "kill.json").exists())


def test_a_kill_of_a_process_that_is_ended_instead_blocks_the_next_start(tmp_path, capsys):
    with standing(tmp_path) as (data, process):
        assert main(["kill", "--data-dir", str(data)]) == 4
        process.kill()
        process.wait(PATIENCE_S)

    arguments = ["run", "--data-dir", data, "--for", "1s", "--no-report"]
    assert run_json(capsys, *arguments)[0] == 0
    assert is_killed(capsys, data)
    assert not (data / "kill.json").exists()


def test_a_release_is_of_the_kill_too_that_was_left(tmp_path, capsys):
    data = tmp_path / "data"
    assert main(["run", "--data-dir", str(data), "--for", "1s", "--no-report"]) == 0
    leave_kill(data, "smoke", flatten=False)

    assert main(["release", "--yes", "--operator", "me", "--data-dir", str(data)]) == 0

    assert not is_killed(capsys, data)
    assert not (data / "kill.json").exists()


def test_a_kill_that_was_left_and_not_yet_obeyed_is_shown(tmp_path, capsys):
    data = tmp_path / "data"
    assert main(["run", "--data-dir", str(data), "--for", "1s", "--no-report"]) == 0
    leave_kill(data, "smoke", flatten=False)

    capsys.readouterr()
    shown = run_json(capsys, "status", "--data-dir", data)[1]
    assert shown["is_killed"]
    assert shown["kill_reason"] == "smoke (left in kill.json: the next start obeys it)"


def test_a_left_kill_gives_no_order_id_again_where_the_journal_was_lost(tmp_path):
    """Epochs of a paper account count from one, but not behind a journal that is gone."""
    data = tmp_path / "data"
    data.mkdir()
    leave_kill(data, "smoke", flatten=False)

    record_left(TradingConfig(data_dir=data))

    journal = open_journal(data / "holdfast.db", read_only=True)
    assert journal.epoch >= epoch_at(time.time_ns()) - 60
    journal.close()


@pytest.mark.parametrize("text", ["", "{", '{"reason": 1}', "[]"])
def test_a_kill_whose_words_can_t_be_read_is_obeyed_all_the_same(tmp_path, capsys, text):
    data = tmp_path / "data"
    data.mkdir()
    (data / "kill.json").write_text(text)

    assert main(["run", "--data-dir", str(data), "--for", "1s", "--no-report"]) == 0

    assert is_killed(capsys, data)


def test_a_process_that_goes_on_says_how_long_it_stood(tmp_path):
    with standing(tmp_path) as (data, process):
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        log = data / "logs" / "trading" / "holdfast.log"

        until(lambda: "the session stood still for" in log.read_text())


def test_a_kill_is_not_left_where_the_journals_owner_does_not_look(tmp_path, capsys, monkeypatch):
    """In another folder the next session would obey it, and the one that was meant never."""
    monkeypatch.setattr(kill, "TRIES_MAX", 1)
    others = tmp_path / "others"
    others.mkdir()
    journal = open_journal(tmp_path / "holdfast.db")
    try:
        where = f"sqlite:///{tmp_path / 'holdfast.db'}"
        code = main(["kill", "--data-dir", str(others), "--database-url", where])
    finally:
        journal.close()

    assert code == 5
    told = capsys.readouterr().err
    assert "NOTHING WAS CANCELLED, AND NO KILL IS ON RECORD" in told
    assert "is owned by process" in told
    assert list(others.iterdir()) == []


@pytest.mark.parametrize("is_alive", [True, False], ids=["another's session", "a dead one"])
def test_a_kill_is_not_left_in_a_folder_whose_session_has_another_journal(
    tmp_path, capsys, monkeypatch, is_alive
):
    monkeypatch.setattr(kill, "TRIES_MAX", 1)
    hers, mine = tmp_path / "hers", tmp_path / "mine"
    her_pid = os.getppid() if is_alive else 2**22 + 1
    for folder, pid in ((hers, her_pid), (mine, os.getpid())):
        folder.mkdir()
        url = "http://127.0.0.1:1"
        write_endpoint(folder, Endpoint(url, "t", pid, session="s", journal="holdfast.db"))
    owner = open_journal(mine / "holdfast.db")
    try:
        where = f"sqlite:///{mine / 'holdfast.db'}"
        code = main(["kill", "--data-dir", str(hers), "--database-url", where])
    finally:
        owner.close()

    told = capsys.readouterr().err
    assert "NOTHING WAS CANCELLED, AND NO KILL IS ON RECORD" in told
    assert f"name that process's own with --data-dir {mine}" in told
    assert code == 5
    assert [path.name for path in hers.iterdir()] == [FILE_NAME]


def test_a_kill_that_can_t_be_left_says_that_nothing_was_cancelled(tmp_path, capsys):
    with standing(tmp_path) as (data, process):
        (data / "kill.json").mkdir()
        assert main(["kill", "--data-dir", str(data)]) == 2
        (data / "kill.json").rmdir()

        told = capsys.readouterr().err
        assert "NOTHING WAS CANCELLED, AND NO KILL IS ON RECORD" in told
        assert f"process {process.pid} runs the session" in told
        assert [p.name for p in data.iterdir() if p.name.startswith(".kill")] == []


def test_a_kill_whose_process_stops_before_it_has_answered_is_left_too(
    tmp_path, capsys, monkeypatch
):
    """It was asked, in a socket that dies with the process: ended, that one would never know."""
    monkeypatch.setattr(ControlClient, "_see_that_it_answers", lambda _: None)
    monkeypatch.setitem(ControlClient.__init__.__kwdefaults__, "timeout_s", 0.5)
    with standing(tmp_path) as (data, process):
        assert main(["kill", "--data-dir", str(data)]) == 4
        assert "NOBODY KNOWS WHETHER IT WAS OBEYED" in capsys.readouterr().err
        process.kill()
        process.wait(PATIENCE_S)

    assert run_json(capsys, "run", "--data-dir", data, "--for", "1s", "--no-report")[0] == 0
    assert is_killed(capsys, data)


@pytest.mark.parametrize("is_anothers", [False, True])
def test_a_kill_is_left_where_the_control_file_is_not_to_be_trusted(tmp_path, capsys, is_anothers):
    if is_anothers and os.geteuid():
        pytest.skip("who is not root can give no file to somebody else")
    data = tmp_path / "data"
    process = start(tmp_path, "run", "--data-dir", data, "--no-report")
    try:
        until(lambda: (data / FILE_NAME).exists() and read_endpoint(data).is_running)
        if is_anothers:
            os.chown(data / FILE_NAME, 12345, -1)
        else:
            (data / FILE_NAME).chmod(0o644)
        assert main(["kill", "--data-dir", str(data)]) == 4
        told = capsys.readouterr().err
        assert "NOTHING WAS CANCELLED YET" in told
        assert ("belongs to user" if is_anothers else "has mode 644") in told
        assert "kill.json" in told

        os.chown(data / FILE_NAME, os.geteuid(), -1)
        (data / FILE_NAME).chmod(0o600)
        until(lambda: answers(data).get("is_killed"))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
