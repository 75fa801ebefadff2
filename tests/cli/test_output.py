"""What is written where the locale has no letter for it, and where a text would steer a terminal."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from holdfast.cli import entry, main
from holdfast.cli.happenings import Happenings
from holdfast.journal import open_journal
from holdfast.model import events as ev
from holdfast.model.errors import VenueRefused
from tests.cli.desk import environment

WORDS = "Größe 日本 😀"
STEERING = "\x1b]0;owned\x07\x1b[2J\n\rfake"


def told(folder, encoding, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments, "--data-dir", folder],
        env={**environment(), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done


@pytest.fixture
def worded(tmp_path):
    """A journal with words that not every locale can write."""
    journal = open_journal(tmp_path / "holdfast.db")
    journal.append([ev.KillSwitchEngaged(ts=1, reason=WORDS, flatten=False)])
    journal.close()
    return tmp_path


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_locale_keeps_an_answer_back(worded, encoding):
    done = told(worded, encoding, "status")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"nothing new is opened: Gr" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_document_is_json_in_every_locale(worded, encoding):
    status = told(worded, encoding, "status", "--json")
    tail = told(worded, encoding, "journal", "tail", "--json")
    export = told(worded, encoding, "journal", "export", "-")

    assert json.loads(status.stdout.decode(encoding))["kill_reason"] == WORDS
    assert json.loads(tail.stdout)["fact"]["reason"] == WORDS
    assert json.loads(export.stdout)["fact"]["reason"] == WORDS


def test_a_folder_whose_name_is_no_text_is_told_as_json(tmp_path):
    done = told(f"{tmp_path}/\udcff", "utf-8", "status", "--json")

    assert done.returncode == 2
    assert "expected a folder's name in UTF-8" in json.loads(done.stdout)["error"]


def test_no_text_of_others_steers_the_terminal(capsys, monkeypatch, tmp_path):
    journal = open_journal(tmp_path / "holdfast.db")
    journal.append([ev.KillSwitchEngaged(ts=1, reason=STEERING, flatten=False)])
    journal.close()

    def refuse(*_):
        raise VenueRefused(STEERING)

    for command in (["status"], ["journal", "tail"]):
        assert main([*command, "--data-dir", str(tmp_path)]) == 0
    monkeypatch.setattr(entry, "_load", refuse)
    main(["orders"])
    out, err = capsys.readouterr()

    assert "\\x1b[2J" in out
    assert "\\x1b[2J" in err
    assert not set("\x1b\x07\r") & set(out + err)
    assert not [line for line in out.splitlines() if line.startswith("fake")]


def test_no_line_of_a_session_steers_the_terminal():
    happenings = Happenings()
    happenings.add(1, "DENIED", STEERING)

    assert happenings.lines[0].text == "\\x1b]0;owned\\x07\\x1b[2J\\n\\rfake"
