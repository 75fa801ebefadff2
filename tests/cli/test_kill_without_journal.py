"""A kill that the journal can't take at that moment: it is left in the folder, and obeyed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from holdfast.cli import kill, main
from holdfast.journal import open_journal
from holdfast.journal.owner import FileLock, Owner
from holdfast.model.config import TradingConfig
from holdfast.model.errors import NetworkError
from holdfast.model.values import TradingSessionStatus
from holdfast.runtime import lives
from holdfast.runtime.control import ControlServer
from holdfast.runtime.left_kill import kill_left_for
from tests.cli.test_hanging import is_killed
from tests.runtime.session_desk import Away, running

NOBODY_LISTENS = "postgresql://bot@127.0.0.1:1/trade"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    open_journal(folder / "holdfast.db").close()
    return folder


def test_a_kill_is_left_where_another_program_keeps_the_journal_locked(data, capsys):
    with closing(sqlite3.connect(data / "holdfast.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert main(["kill", "--reason", "smoke", "--data-dir", str(data)]) == 4
        told = capsys.readouterr().err
    assert "NOTHING WAS CANCELLED YET" in told
    assert "another program has kept the database locked" in told
    assert str(data / "kill.json") in told

    assert main(["run", "--data-dir", str(data), "--for", "1s", "--no-report"]) == 0
    assert is_killed(capsys, data)


def test_a_kill_is_left_for_a_journal_whose_server_is_down(tmp_path, capsys):
    code = main(["kill", "--data-dir", str(tmp_path), "--database-url", NOBODY_LISTENS])

    assert code == 4
    assert "NOTHING WAS CANCELLED YET" in capsys.readouterr().err
    assert kill_left_for(TradingConfig(data_dir=tmp_path, database_url=NOBODY_LISTENS))
    assert not kill_left_for(TradingConfig(data_dir=tmp_path))


def test_a_kill_is_left_where_the_lock_can_t_be_made(data, capsys):
    lock = data / "holdfast.db.lock"
    lock.unlink()
    lock.mkdir()
    assert main(["kill", "--data-dir", str(data)]) == 4
    assert "NOTHING WAS CANCELLED YET" in capsys.readouterr().err
    assert (data / "kill.json").exists()


def test_a_kill_that_neither_the_journal_nor_the_folder_takes_is_loud(data, capsys):
    (data / "kill.json").mkdir()
    with closing(sqlite3.connect(data / "holdfast.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert main(["kill", "--data-dir", str(data)]) == 2
    assert "NOTHING WAS CANCELLED, AND NO KILL IS ON RECORD" in capsys.readouterr().err


def test_a_mistake_in_the_journals_name_is_one_of_a_kill_too(tmp_path, capsys):
    assert main(["kill", "--data-dir", str(tmp_path), "--database-url", "mysql://me@db/x"]) == 2
    assert "no journal is kept at mysql" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


async def test_a_kill_between_two_lives_is_obeyed_though_the_journal_could_not_be_asked(
    tmp_path, monkeypatch, capsys
):
    """The session waits for the exchange, and `holdfast journal archive` has its journal."""
    monkeypatch.setattr(lives, "RESTART_DELAY_S", 0.01)
    monkeypatch.setattr(kill, "TRIES_MAX", 2)
    async with running(tmp_path) as desk:
        control = ControlServer(desk.service, tmp_path)
        await control.bind()
        control.announce(str(desk.service.session().id), is_running=True)
        away = Away(monkeypatch)
        desk.service.live.shell.fail(NetworkError("the connection was lost"))
        await desk.until(lambda: desk.service._lives._is_away)
        lock = FileLock(tmp_path / "holdfast.db.lock", Owner.here())
        code = await asyncio.to_thread(main, ["kill", "--data-dir", str(tmp_path)])
        lock.release()
        assert code == 4
        assert "NOTHING WAS CANCELLED YET" in capsys.readouterr().err

        await desk.until(lambda: desk.state.is_killed)
        away.most = 0
        await desk.until(lambda: desk.status is TradingSessionStatus.RUNNING)
        assert desk.state.is_killed
        assert not (tmp_path / "kill.json").exists()
        await control.close()
