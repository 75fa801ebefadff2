"""What is answered when nothing runs: from the journal, and the kill switch into it."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.journal import open_journal
from holdfast.model import events as ev
from holdfast.runtime.control_wire import builtins
from holdfast.runtime.recovery import StateRecoveryService
from holdfast.stats import fold_session
from tests.cli.desk import environment, run_json, start


def test_status_answers_from_the_journal_and_says_so(capsys, finished):
    code, document, _ = run_json(capsys, "status", "--data-dir", finished.data)
    ran = json.loads(finished.text)

    assert code == 0
    assert document["is_running"] is False
    assert "no session is running" in document["note"]
    assert document["session"]["id"] == ran["session_id"]
    assert document["session"]["status"] == "STOPPED"
    assert document["session"]["total_pnl"] == ran["pnl"]
    assert Decimal(document["metrics"]["equity"]) == Decimal(ran["equity_end"])


def test_orders_positions_and_stats_answer_from_the_journal(capsys, finished):
    ran = json.loads(finished.text)
    orders = run_json(capsys, "orders", "--data-dir", finished.data)[1]
    everything = run_json(capsys, "orders", "--all", "--data-dir", finished.data)[1]
    positions = run_json(capsys, "positions", "--data-dir", finished.data)[1]
    stats = run_json(capsys, "stats", "--data-dir", finished.data)[1]

    assert all(order["status"] == "NEW" for order in orders["orders"])
    assert len(everything["orders"]) == ran["orders"] + ran["denied"]
    assert len(positions["positions"]) <= 1
    assert stats["stats"]["fills"] == ran["fills"]


@pytest.mark.parametrize("command", ["status", "orders", "positions", "stats"])
def test_what_a_snapshot_tells_is_not_read_fact_by_fact(capsys, finished, monkeypatch, command):
    """A journal of weeks has millions of them, and somebody waits for the answer."""
    begun_behind = []

    def open_watched(where, **options):
        journal = open_journal(where, **options)
        replay = journal.replay

        def replay_watched(after=0):
            begun_behind.append(after)
            return replay(after)

        monkeypatch.setattr(journal, "replay", replay_watched)
        return journal

    monkeypatch.setattr("holdfast.cli.journaled.open_journal", open_watched)
    code, found, _ = run_json(capsys, command, "--data-dir", finished.data)

    assert code == 0
    assert begun_behind
    assert min(begun_behind) > 0
    if command == "stats":
        journal = open_journal(finished.data / "holdfast.db", read_only=True)
        assert found["stats"] == builtins(fold_session(journal.replay()))
        journal.close()


@pytest.mark.parametrize("command", ["status", "orders", "positions", "stats"])
def test_people_are_told_that_nothing_runs(capsys, finished, command):
    assert main([command, "--data-dir", str(finished.data)]) == 0

    out, err = capsys.readouterr()
    assert "no session is running" in out + err


def test_the_text_of_stats_is_the_reports(capsys, finished):
    main(["stats", "--data-dir", str(finished.data)])

    out = capsys.readouterr().out
    assert f"Session {json.loads(finished.text)['session_id']}" in out
    assert "Profit factor" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["place", "BTCUSDT", "BUY", "1"],
        ["cancel", "--all"],
        ["modify", "x", "--price", "1"],
        ["close", "BTCUSDT"],
        ["adjust", "BTCUSDT", "1"],
        ["pause"],
        ["resume"],
        ["stop"],
        ["metrics"],
        ["explain", "BTCUSDT", "BUY"],
    ],
)
def test_what_needs_a_session_says_how_to_start_one(capsys, finished, arguments):
    assert main([*arguments, "--data-dir", str(finished.data)]) == 6
    assert f"holdfast run --data-dir {finished.data}" in capsys.readouterr().err


def test_status_of_a_folder_where_nothing_ever_ran(capsys, tmp_path):
    assert main(["status", "--data-dir", str(tmp_path / "new")]) == 6
    assert not (tmp_path / "new").exists()


def made(path):
    """Make an empty journal, as a session that never began leaves it."""
    path.parent.mkdir(exist_ok=True)
    open_journal(path).close()


@pytest.mark.parametrize("command", [["kill"], ["release", "--yes", "--operator", "ann"]])
def test_the_switch_makes_no_journal_where_there_is_none(capsys, tmp_path, command):
    folder = tmp_path / "tpyo"

    assert main([*command, "--data-dir", str(folder)]) == 6
    assert f"no session runs in {folder}, and there is no journal there" in capsys.readouterr().err
    assert not folder.exists()

    folder.mkdir()
    code, document, _ = run_json(capsys, *command, "--data-dir", folder)
    assert (code, document["exit_code"]) == (6, 6)
    assert list(folder.iterdir()) == []


@pytest.mark.postgres
def test_a_server_without_a_journal_is_one_where_nothing_ever_ran(
    capsys, tmp_path, monkeypatch, postgres_url
):
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", postgres_url)
    assert main(["status", "--data-dir", str(tmp_path)]) == 6
    assert "none ever ran there" in capsys.readouterr().err


def test_kill_and_release_are_latched_in_the_journal(capsys, tmp_path):
    folder = ["--data-dir", str(tmp_path / "d")]
    made(tmp_path / "d" / "holdfast.db")
    assert main(["kill", "--reason", "smoke", *folder]) == 0
    killed = run_json(capsys_drained(capsys), "status", *folder)[1]
    assert main(["release", "--yes", "--operator", "ann", *folder]) == 0
    released = run_json(capsys_drained(capsys), "status", *folder)[1]

    assert (killed["is_killed"], killed["kill_reason"]) == (True, "smoke")
    assert released["is_killed"] is False
    assert main(["release", "--yes", "--operator", "ann", *folder]) == 2
    assert "not engaged" in capsys.readouterr().err


def capsys_drained(capsys):
    capsys.readouterr()
    return capsys


def test_a_kill_is_left_where_somebody_has_the_journal_and_does_not_answer(
    capsys, tmp_path, monkeypatch
):
    """A session that hangs while it starts owns the journal, and can't be asked yet."""
    monkeypatch.setattr("holdfast.cli.kill.TRIES_MAX", 2)
    monkeypatch.setattr("holdfast.cli.kill.TRY_EVERY_S", 0)
    journal = open_journal(tmp_path / "holdfast.db")
    try:
        assert main(["kill", "--data-dir", str(tmp_path)]) == 4
    finally:
        journal.close()
    told = capsys.readouterr().err
    assert "NOTHING WAS CANCELLED YET" in told
    assert "is owned by process" in told

    assert main(["run", "--data-dir", str(tmp_path), "--for", "1s", "--no-report"]) == 0
    assert run_json(capsys_drained(capsys), "status", "--data-dir", tmp_path)[1]["is_killed"]


def test_kill_waits_for_a_session_that_is_just_ending(tmp_path, monkeypatch):
    journal = open_journal(tmp_path / "holdfast.db")
    monkeypatch.setattr("time.sleep", lambda _: journal.close())

    assert main(["kill", "--data-dir", str(tmp_path)]) == 0


def test_release_without_anybody_to_ask_says_how(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    assert main(["release", "--data-dir", str(tmp_path)]) == 2
    assert "--yes --operator NAME" in capsys.readouterr().err


def test_release_asks_and_takes_no_for_an_answer(capsys, tmp_path, monkeypatch):
    folder = ["--data-dir", str(tmp_path)]
    made(tmp_path / "holdfast.db")
    main(["kill", *folder])
    answers = iter(["no"])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(answers))

    assert main(["release", *folder]) == 2
    assert "not released" in capsys.readouterr().err


def test_verify_works_the_books_out_from_the_facts(capsys, finished):
    code, document, _ = run_json(capsys, "journal", "verify", "--data-dir", finished.data)
    ran = json.loads(finished.text)
    wallet = document["wallets"][0]["wallet"]

    assert code == 0
    assert document["is_ok"] is True
    assert wallet["deposits"] == "10000"
    assert Decimal(wallet["realized"]) - Decimal(wallet["fees"]) == Decimal(ran["pnl"])
    assert main(["journal", "verify", "--data-dir", str(finished.data)]) == 0
    assert "the journal is whole" in capsys.readouterr().out


def test_verify_finds_an_altered_fact(capsys, finished, tmp_path):
    copy = tmp_path / "copy.db"
    with sqlite3.connect(finished.data / "holdfast.db") as ours, sqlite3.connect(copy) as other:
        ours.backup(other)
        other.execute("UPDATE facts SET payload = replace(payload, '10000', '20000')")
    ours.close()
    other.close()

    assert main(["journal", "verify", "--database-url", f"sqlite:///{copy}"]) == 5
    assert "damaged at fact" in capsys.readouterr().err


def test_verify_finds_a_snapshot_that_is_not_the_fold(capsys, finished, tmp_path):
    copy = shutil.copytree(finished.data, tmp_path / "copy")
    journal = open_journal(copy / "holdfast.db")
    service = StateRecoveryService(journal)
    state, _ = service.load()
    state.order_seq += 1
    service.save(state)
    journal.close()

    assert main(["journal", "verify", "--data-dir", str(copy)]) == 5
    assert "is not the fold of its facts" in capsys.readouterr().err


def test_archive_moves_old_facts_and_the_others_read_them_there(
    capsys, finished, tmp_path, monkeypatch
):
    monkeypatch.setattr("holdfast.journal.archiving.KEPT_FACTS", 10)
    folder = ["--data-dir", shutil.copytree(finished.data, tmp_path / "copy")]
    before = run_json(capsys, "journal", "verify", *folder)[1]
    code, document, _ = run_json(capsys, "journal", "archive", *folder)

    assert code == 0
    assert [each["first"] for each in document["archived"]] == [1]
    assert (tmp_path / "copy" / document["archived"][0]["file"]).exists()
    assert run_json(capsys, "journal", "verify", *folder)[1] == before
    assert main(["journal", "archive", *map(str, folder)]) == 0
    assert "nothing to archive" in capsys.readouterr().out


def test_tail_shows_the_last_facts(capsys, finished):
    assert main(["journal", "tail", "-n", "3", "--data-dir", str(finished.data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert any("SessionChanged" in line and "status=STOPPED" in line for line in lines)

    main(["journal", "tail", "-n", "9", "--data-dir", str(finished.data)])
    assert "0E-" not in capsys.readouterr().out
    main(["journal", "tail", "-n", "2", "--data-dir", str(finished.data), "--json"])
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [fact["sequence"] for fact in facts] == [facts[0]["sequence"], facts[0]["sequence"] + 1]


def test_export_writes_a_line_a_fact(capsys, finished, tmp_path):
    verified = run_json(capsys, "journal", "verify", "--data-dir", finished.data)[1]
    out = tmp_path / "facts.csv"
    code, document, _ = run_json(capsys, "journal", "export", out, "--data-dir", finished.data)

    assert code == 0
    assert (document["facts"], document["form"]) == (verified["report"]["facts"], "csv")
    assert len(out.read_text().splitlines()) == document["facts"] + 1
    assert (
        main(["journal", "export", "x.txt", "--form", "xml", "--data-dir", str(finished.data)]) == 2
    )


def test_a_reader_that_has_had_enough_is_no_error(finished):
    """`holdfast journal export - | head -1` ends quietly."""
    process = start(finished.data, "journal", "export", "-", "--data-dir", finished.data)
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert json.loads(first)["sequence"] == 1
    assert (process.wait(), err) == (0, "")


def test_an_amount_that_was_booked_twice_fails_programs_too(capsys, tmp_path):
    twice = ev.WalletChanged(ts=2, asset="USDT", amount=Decimal(5), reason="opening", change_id="o")
    journal = open_journal(tmp_path / "holdfast.db")
    journal.append([twice, twice])
    journal.close()
    folder = ["--data-dir", tmp_path]

    code, document, _ = run_json(capsys, "journal", "verify", *folder)
    assert (code, document["exit_code"], document["is_ok"]) == (5, 5, False)
    assert document["booked_twice"] == ["payment o of account main: booked 2 times"]
    assert main(["journal", "verify", *map(str, folder)]) == 5
    assert "booked more than once: payment o" in capsys.readouterr().out


def test_the_figures_of_another_journal_are_read_there(capsys, finished, tmp_path):
    where = ["--database-url", f"sqlite:///{finished.data / 'holdfast.db'}"]
    code, document, err = run_json(capsys, "stats", *where, "--data-dir", tmp_path)

    assert code == 0
    assert document["stats"]["fills"] == json.loads(finished.text)["fills"]
    assert ("note" in document, err) == (False, "")


def test_kill_and_release_reach_the_journal_that_the_session_was_given(capsys, tmp_path):
    where = ["--data-dir", str(tmp_path / "d"), "--database-url", f"sqlite:///{tmp_path}/other.db"]
    made(tmp_path / "other.db")
    assert main(["kill", *where]) == 0
    capsys.readouterr()

    assert not (tmp_path / "d" / "holdfast.db").exists()
    assert main(["release", "--yes", "--operator", "ann", *where]) == 0


def test_a_kill_that_met_nobody_says_so_and_where(capsys, tmp_path):
    """The data folder is relative by default: a kill from elsewhere must not look like one."""
    made(Path("holdfast-data/holdfast.db"))
    made(tmp_path / "d" / "holdfast.db")
    assert main(["kill"]) == 0
    assert "NO SESSION RUNS in holdfast-data: nothing was cancelled" in capsys.readouterr().out

    document = run_json(capsys, "kill", "--data-dir", tmp_path / "d")[1]
    assert (document["is_running"], document["data_dir"]) == (False, str(tmp_path / "d"))


def test_a_kill_is_not_refused_for_what_somebody_else_calls_his_variables(capsys, monkeypatch):
    made(Path("holdfast-data/holdfast.db"))
    monkeypatch.setenv("SYMBOL", "BTCUSDT")
    assert main(["config", "check"]) == 2
    assert "environment SYMBOL is no setting; did you mean SYMBOLS?" in capsys.readouterr().err

    assert main(["kill"]) == 0
    assert run_json(capsys_drained(capsys), "status")[1]["is_killed"] is True


@pytest.mark.parametrize("arguments", [["status", "--json"], ["journal", "tail", "--json"]])
def test_a_failure_that_nobody_reads_keeps_its_code_and_is_no_traceback(tmp_path, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)

    assert done.returncode in (2, 6)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


CLOSED = (
    ["trace", "x", "--database-url", "sqlite:///closed/holdfast.db"],
    ["journal", "tail", "--database-url", "sqlite:///closed/holdfast.db"],
    ["doctor", "--database-url", "sqlite:///closed/holdfast.db"],
    ["doctor", "--data-dir", "closed/data"],
)


def test_a_folder_that_is_closed_to_this_user_is_told_in_words(capsys, tmp_path, monkeypatch):
    """Root may read all, so the system's answer is given in its place."""
    closed = tmp_path / "closed"
    ask = os.stat

    def refuse(path, *arguments, **named):
        if closed in Path(os.fsdecode(path)).absolute().parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return ask(path, *arguments, **named)

    closed.mkdir()
    monkeypatch.setattr("os.stat", refuse)
    codes = [main(arguments) for arguments in CLOSED]

    out, err = capsys.readouterr()
    assert codes == [2, 2, 5, 5]
    assert "unexpected" not in err
    assert err.count("closed/holdfast.db can't be reached: Permission denied") == 2
    assert "closed/holdfast.db can't be reached: Permission denied" in out
    assert "closed/data/holdfast.db can't be reached: Permission denied" in out


@pytest.mark.parametrize("command", [["kill"], ["journal", "archive"]])
def test_whoever_finds_torn_facts_first_says_so(capsys, finished, tmp_path, command):
    """The next session finds none: they have been set aside by then."""
    folder = shutil.copytree(finished.data, tmp_path / "copy")
    with closing(sqlite3.connect(folder / "holdfast.db")) as database, database:
        last = "(SELECT max(sequence) FROM facts)"
        database.execute(f"UPDATE facts SET hash = payload WHERE sequence = {last}")
    main([*command, "--data-dir", str(folder)])

    assert "torn at the end of the journal and cut; kept in holdfast.db.cut-" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("command", ["stop", "kill", "status"])
def test_where_no_session_was_found_is_told_in_full(capsys, tmp_path, monkeypatch, command):
    """The settings' folder is a relative one, and a person may be elsewhere than the session."""
    monkeypatch.chdir(tmp_path)

    assert main([command, "--data-dir", "hf"]) == 6
    assert f"no session runs in {tmp_path / 'hf'}" in capsys.readouterr().err
