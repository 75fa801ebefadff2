"""A kill that was left is of one journal: another's session in the same folder leaves it alone."""

from __future__ import annotations

import signal
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url

from holdfast.cli import main
from holdfast.journal import open_journal
from holdfast.model.config import TradingConfig
from holdfast.model.events import KillSwitchEngaged
from holdfast.runtime.control_file import Endpoint, read_endpoint, write_endpoint
from holdfast.runtime.left_kill import journal_of, kill_left_for, leave_kill
from tests.cli.desk import start
from tests.cli.test_hanging import PATIENCE_S, answers, is_killed, standing, until

STILL = """from holdfast import Strategy


class Still(Strategy):
    def on_stop(self) -> None:
        pass
"""


def lived(folder, *words):
    """Let a session live for a second whose strategy trades nothing.

    A paper account takes no orders of two journals: what one has placed is not the other's.
    """
    still = folder.parent / "still.py"
    still.write_text(STILL)
    place = ["--data-dir", str(folder), "--strategy", f"{still}:Still"]
    assert main(["run", *place, *words, "--speed", "1", "--for", "1s", "--no-report"]) == 0


@pytest.fixture
def folder(tmp_path):
    """A data folder with a kill that was left for its own journal."""
    data = tmp_path / "data"
    lived(data)
    config = TradingConfig(data_dir=data)
    leave_kill(data, "smoke", flatten=True, journal=journal_of(config))
    return data


@pytest.mark.parametrize("inside", [True, False], ids=["in the folder", "elsewhere"])
def test_a_start_with_another_journal_does_not_obey_it_and_leaves_it(folder, capsys, inside):
    other = f"sqlite:///{folder if inside else folder.parent}/other.db"
    lived(folder, "--database-url", other)
    assert "is for another journal" in (folder / "logs/trading/holdfast.log").read_text()
    journal = open_journal(other, read_only=True)
    assert not [fact for fact in journal.replay() if isinstance(fact, KillSwitchEngaged)]
    journal.close()

    assert is_killed(capsys, folder)
    lived(folder)
    assert is_killed(capsys, folder)
    assert not list(folder.glob("kill*.json"))


def test_a_session_with_another_journal_obeys_only_its_own(folder):
    other = f"sqlite:///{folder}/other.db"
    process = start(folder, "run", "--data-dir", folder, "--database-url", other, "--no-report")
    try:
        until((folder / "control.json").exists)
        until(lambda: answers(folder).get("session", {}).get("status") == "RUNNING")
        config = TradingConfig(data_dir=folder, database_url=other)
        path = leave_kill(folder, "fire", flatten=False, journal=journal_of(config))
        until(lambda: answers(folder).get("kill_reason") == "fire")
        until(lambda: not path.exists())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)

    assert (folder / "kill.json").exists()


def test_a_kill_is_left_for_the_journal_that_the_session_there_has(tmp_path):
    """Whoever types it names the folder, and need not know of the journal."""
    other = f"sqlite:///{tmp_path}/other.db"
    with standing(tmp_path, "--database-url", other) as (data, process):
        assert main(["kill", "--data-dir", str(data)]) == 4
        process.send_signal(signal.SIGCONT)

        until(lambda: answers(data).get("is_killed"))


def test_a_release_is_not_of_the_kill_that_another_journal_was_left(folder, capsys):
    other = f"sqlite:///{folder}/other.db"
    lived(folder, "--database-url", other)
    place = ["--data-dir", str(folder), "--database-url", other]
    assert main(["kill", *place]) == 0
    assert main(["release", "--yes", "--operator", "me", *place]) == 0

    assert is_killed(capsys, folder)


def test_a_second_kill_of_another_journal_takes_the_first_away_from_nobody(folder, capsys):
    other = TradingConfig(data_dir=folder, database_url=f"sqlite:///{folder}/other.db")
    leave_kill(folder, "fire", flatten=False, journal=journal_of(other))

    assert is_killed(capsys, folder)
    lived(folder)
    assert is_killed(capsys, folder)
    lived(folder, "--database-url", other.database_url)
    assert not list(folder.glob("kill*.json"))


@pytest.mark.parametrize(
    ("one", "same", "another"),
    [
        ("//me:secret@db/trade", "//you@db:5432/trade?journal=holdfast", "//me@db/other"),
        ("//localhost/trade?journal=a", "//127.0.0.1/trade?journal=a", "//localhost/trade"),
        ("///trade?host=db", "//db/trade", "///trade"),
    ],
)
def test_a_servers_journal_is_known_whoever_asks(tmp_path, one, same, another):
    def named(url):
        return journal_of(TradingConfig(data_dir=tmp_path, database_url=f"postgresql:{url}"))

    assert named(one) == named(same) != named(another)
    assert "secret" not in named(one)


@contextmanager
def session_of(folder, journal):
    """Run a session with a journal of its own in a folder."""
    process = start(folder, "run", "--data-dir", folder, "--database-url", journal, "--no-report")
    try:
        until((folder / "control.json").exists)
        until(lambda: answers(folder).get("session", {}).get("status") == "RUNNING")
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def hers_and_mine(tmp_path, monkeypatch):
    """A session with a journal of its own, and another journal in the folder, which has none."""
    monkeypatch.setattr("holdfast.cli.kill.TRIES_MAX", 2)
    hers, mine = (f"sqlite:///{tmp_path}/{name}.db" for name in ("hers", "mine"))
    open_journal(mine).close()
    with session_of(tmp_path, hers):
        yield hers, mine


def test_a_kill_of_a_journal_is_not_obeyed_by_another_ones_session(tmp_path, hers_and_mine, capsys):
    hers, mine = hers_and_mine
    place = ["--data-dir", str(tmp_path), "--database-url"]
    assert main(["kill", *place, mine]) == 0
    assert "NO SESSION RUNS" in (told := capsys.readouterr().out)
    assert "with the journal mine.db" in told
    assert not answers(tmp_path)["is_killed"]

    owner = open_journal(mine)  # its session, whose control file hers has replaced
    assert main(["kill", *place, mine]) == 4
    assert main(["release", "--yes", "--operator", "me", *place, mine]) == 5
    owner.close()
    assert not answers(tmp_path)["is_killed"]
    assert kill_left_for(TradingConfig(data_dir=tmp_path, database_url=mine))
    assert not kill_left_for(TradingConfig(data_dir=tmp_path, database_url=hers))

    assert main(["kill", *place, hers]) == 0
    assert answers(tmp_path)["is_killed"]
    assert main(["release", "--yes", "--operator", "me", *place, mine]) == 0
    assert answers(tmp_path)["is_killed"]
    assert main(["release", "--yes", "--operator", "me", *place, hers]) == 0
    assert not answers(tmp_path)["is_killed"]


@pytest.mark.postgres
def test_a_servers_journal_is_known_by_its_owner_under_another_name(
    tmp_path, postgres_url, monkeypatch
):
    monkeypatch.setattr("holdfast.runtime.control_client.ANSWER_S", 2.0)
    address = make_url(postgres_url)
    (tmp_path / "server").symlink_to(address.query["host"], target_is_directory=True)
    alias = address.update_query_dict({"host": str(tmp_path / "server")})
    place = [
        "--data-dir",
        str(tmp_path),
        "--database-url",
        alias.render_as_string(hide_password=False),
    ]
    with session_of(tmp_path, postgres_url) as process:
        assert main(["kill", *place]) == 0
        assert answers(tmp_path)["is_killed"]
        assert main(["release", "--yes", "--operator", "me", *place]) == 0
        assert not answers(tmp_path)["is_killed"]

        process.send_signal(signal.SIGSTOP)
        assert main(["kill", *place]) == 4
        process.send_signal(signal.SIGCONT)
        until(lambda: answers(tmp_path).get("is_killed"))


def test_a_kill_of_a_journal_that_is_not_there_stops_nobody(tmp_path, hers_and_mine, capsys):
    place = ["--data-dir", str(tmp_path), "--database-url", f"sqlite:///{tmp_path}/tpyo.db"]
    assert main(["kill", *place]) == 6
    assert "no session has the journal tpyo.db" in capsys.readouterr().err
    assert not answers(tmp_path)["is_killed"]


def test_a_session_takes_no_folder_that_another_journals_has(tmp_path, hers_and_mine, capsys):
    """Who asks the one there would speak to the other: its address would be gone."""
    _, mine = hers_and_mine
    hers = read_endpoint(tmp_path).pid
    words = ["--database-url", mine, "--for", "1s", "--no-report"]
    assert main(["run", "--data-dir", str(tmp_path), *words]) == 2
    told = capsys.readouterr().err
    assert f"another session runs in {tmp_path}" in told
    assert "with the journal hers.db: name another folder with --data-dir" in told
    assert read_endpoint(tmp_path).pid == hers


def test_a_session_takes_a_folder_whose_session_has_died(tmp_path):
    """Its process's number may have been given to another."""
    endpoint = Endpoint(url="http://127.0.0.1:1", token="t", pid=1, session="s", journal="hers.db")
    write_endpoint(tmp_path, endpoint)
    lived(tmp_path)
