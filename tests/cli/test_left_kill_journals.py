"""A kill that was left is of one journal: another's session in the same folder leaves it alone."""

from __future__ import annotations

import signal

import pytest

from holdfast.cli import main
from holdfast.journal import open_journal
from holdfast.model.config import TradingConfig
from holdfast.model.events import KillSwitchEngaged
from holdfast.runtime.left_kill import journal_of, leave_kill
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
