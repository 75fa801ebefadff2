"""`holdfast run`: what it says at its end, and every way in which it may fail."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from holdfast.cli import main
from holdfast.cli.driving import MOMENT_S
from holdfast.cli.ending import FIELDS, Result, books_code, figures_of
from holdfast.cli.exit_codes import ExitCode
from holdfast.cli.run import seconds_of
from holdfast.journal import open_journal
from holdfast.model.errors import InputError
from holdfast.model.messages import VenueSnapshot
from holdfast.stats import SessionStats
from holdfast.venues import PaperVenue
from tests.cli.desk import FAST, environment, recording, rows, run_json, start


def play(feed, *more):
    return ["run", "--feed", feed, "--speed", "max", "-s", FAST, "--data-dir", "d", *more]


# The end


def test_the_document_tells_the_whole_session(finished):
    document = json.loads(finished.text)

    assert set(FIELDS) <= set(document)
    assert document["status"] == "STOPPED"
    assert document["error"] is None
    assert document["fills"] > 0
    assert document["trades"] > 0
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}
    assert document["symbols"] == ["SOLUSDT"]
    assert document["strategies"] == ["sma_cross"]
    assert document["restarts"] == 0


def test_the_figures_add_up(finished):
    document = {k: v for k, v in json.loads(finished.text).items() if isinstance(v, str)}
    grew = Decimal(document["equity_end"]) - Decimal(document["equity_start"])
    net = Decimal(document["realized"]) - Decimal(document["fees"]) + Decimal(document["funding"])

    assert Decimal(document["pnl"]) == net
    assert grew == net + Decimal(document["unrealized"])


def test_the_figures_have_the_form_of_a_replays(capsys, finished, tmp_path):
    """Whoever compares a session with its replay reads both with one program."""
    ran = json.loads(finished.text)
    arguments = [finished.feed, "-s", FAST, "--data-dir", tmp_path / "again", "--no-report"]
    replayed = run_json(capsys, "replay", *arguments)[1]

    figures = figures_of(SessionStats())
    assert figures.keys() <= ran.keys() & replayed.keys()
    assert {name: type(ran[name]) for name in figures} == {
        name: type(replayed[name]) for name in figures
    }


def test_the_report_is_written_and_the_control_file_is_gone(finished):
    document = json.loads(finished.text)
    report = finished.data / "reports" / f"{document['session_id']}.html"

    assert document["report"] == str(report)
    assert "Equity and drawdown" in report.read_text()
    assert not (finished.data / "control.json").exists()


def test_books_that_differ_at_the_end_are_named_and_end_in_another_code(
    capsys, tmp_path, monkeypatch
):
    calls = []

    def read_wrong(self, command):
        """Answer as an exchange whose balance somebody moved since the start."""
        hear = self._hear
        calls.append(command)

        def add(message):
            if isinstance(message, VenueSnapshot) and len(calls) > 1:
                balances = {"USDT": message.balances["USDT"] + 5}
                message = msgspec.structs.replace(message, balances=balances)
            hear(message)

        self._hear = add
        try:
            read(self, command)
        finally:
            self._hear = hear

    read = PaperVenue.resync
    monkeypatch.setattr(PaperVenue, "resync", read_wrong)
    code, document, err = run_json(capsys, *play(recording(tmp_path, rows(9)), "--no-report"))

    assert code == ExitCode.ALARM
    assert document["books"]["balance_diff"] == "5"
    assert re.fullmatch(
        r"balance USDT is [0-9.]+ here and [0-9.]+ at the venue", *document["differences"]
    )
    assert f"the books differ: {document['differences'][0]}" in err


def test_books_that_can_not_be_read_at_the_end_are_no_success(capsys):
    assert books_code(None) is ExitCode.VENUE
    assert "could not be read" in capsys.readouterr().err


def test_a_session_that_ends_before_all_was_answered_is_no_success(capsys, tmp_path, monkeypatch):
    for name in ("submit", "query"):
        monkeypatch.setattr(PaperVenue, name, lambda _, command: None)
    code, document, err = run_json(capsys, *play(recording(tmp_path), "--no-report"))

    assert document["status"] == "STOPPING"
    assert code == ExitCode.VENUE
    assert "the next start carries the stop out" in err


def test_how_a_session_ended_does_not_depend_on_who_reads_it(tmp_path, monkeypatch):
    """As `holdfast run | head` with the shell's pipefail."""
    for name in ("submit", "query"):
        monkeypatch.setattr(PaperVenue, name, lambda _, command: None)
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as unread:
        monkeypatch.setattr("sys.stdout", unread)
        code = main([*map(str, play(recording(tmp_path), "--no-report"))])

    assert code == ExitCode.VENUE


def test_no_reason_steers_the_terminal_that_it_is_shown_on(capsys):
    """It may be a venue's own text, or that of whoever stopped the session."""
    clears = "\x1b[2J"
    document = {
        "status": "STOPPED",
        "reason": clears,
        "books": {"positions_diff": "0", "balance_diff": "0"},
        "report": None,
        "stopped_strategies": {"mine": clears},
    }
    figures = SessionStats(denials={"link": 1}, denial_reasons={"link": clears})
    Result(document, figures, []).print()

    assert "\x1b" not in capsys.readouterr().out


def test_a_report_goes_where_it_is_asked_for_or_nowhere(capsys, tmp_path):
    feed = recording(tmp_path, rows(40))
    asked = run_json(capsys, *play(feed, "--report", tmp_path / "r.html"))[1]
    none = run_json(capsys, *play(feed, "--no-report"))[1]

    assert asked["report"] == str(tmp_path / "r.html")
    assert (tmp_path / "r.html").exists()
    assert none["report"] is None


def test_a_report_that_can_not_be_written_takes_nothing_else_down(capsys, tmp_path):
    feed = recording(tmp_path, rows(40))
    code, document, err = run_json(capsys, *play(feed, "--report", feed / "report.html"))

    assert (code, document["status"], document["report"]) == (0, "STOPPED", None)
    assert "no report" in err


def test_people_get_lines_and_the_report(capsys, tmp_path):
    assert main([str(a) for a in play(recording(tmp_path), "--no-report")]) == 0

    out = capsys.readouterr().out
    assert re.search(r"^session [0-9a-f-]{36} RUNNING: sma_cross on SOLUSDT", out, re.MULTILINE)
    assert " FILL     " in out
    assert "Profit factor" in out
    assert "the books agree with the venue's" in out


def test_a_time_that_is_over_stops_the_session(capsys):
    code, document, _ = run_json(
        capsys,
        "run",
        "--for",
        "200ms",
        "--data-dir",
        "d",
        "--no-report",
        "--balance",
        "5000",
        "--symbols",
        "btcusdt",
        "--seed",
        "7",
        "-s",
        "rsi",
        "-s",
        "ema_cross:fast=3",
    )

    assert (code, document["status"], document["reason"]) == (0, "STOPPED", "its time is over")
    assert 0.2 <= document["duration_s"] < 10
    assert document["equity_start"] == "5000"
    assert document["symbols"] == ["BTCUSDT"]
    assert document["strategies"] == ["rsi", "ema_cross"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("5m", 300), ("2h", 7200), ("90", 90), ("250ms", 0.25)]
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert seconds_of(text, "--for") == seconds


@pytest.mark.parametrize("text", ["", "0", "-5s", "soon", "5 parsecs", "nan", "inf"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InputError, match="--for"):
        seconds_of(text, "--for")


def test_a_killed_journal_blocks_the_next_session(capsys, tmp_path):
    Path("d").mkdir()
    open_journal(Path("d/holdfast.db")).close()
    assert main(["kill", "--data-dir", "d", "--reason", "smoke"]) == 0
    capsys.readouterr()
    document = run_json(capsys, *play(recording(tmp_path), "--no-report"))[1]

    assert document["orders"] == 0
    assert document["denials"] == {"kill_switch": document["signals"]}


# Failures


def failed(capsys, *arguments):
    code, document, err = run_json(capsys, *arguments)
    assert document["status"] == "ERROR"
    assert set(FIELDS) <= set(document)
    assert "Traceback" not in err
    return code, document["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--feed", "nowhere.csv"], "nowhere.csv"),
        (["--speed", "fast"], "speed must be a number or max"),
        (["--for", "never"], "--for takes a time"),
        (["--balance", "-1"], "--initial-balance"),
        (["--set", "max_positions"], "NAME=VALUE"),
        (
            ["--set", "max_positions=3", "--set", "limits.max_positions=4", "--for", "1s"],
            "max_positions twice",
        ),
        (
            ["--set", "testnet=true", "--set", "use_testnet=false", "--for", "1s"],
            "testnet twice",
        ),
        (["--set", "max_postions=3"], "did you mean max_positions?"),
        (["--set", "venue=nyse"], "venue must be one of paper"),
        (
            ["--symbols", "BTCUSDT,NOPE", "--for", "5s"],
            "--symbols: the synthetic feed does not know NOPE,",
        ),
        (["--symbols", "BTCUSD", "--for", "5s"], "did you mean BTCUSDT?"),
        (["--config", "none.toml"], "none.toml"),
        (["-s", "sma_crss"], "sma_cross"),
        (["-s", "sma_cross:fast=many"], "fast"),
        (["--data-dir", "file/data"], "file"),
        (["--database-url", "mysql://x/y"], "mysql"),
    ],
)
def test_a_start_that_fails_says_what_to_change(capsys, tmp_path, arguments, said):
    (tmp_path / "file").write_text("")
    code, error = failed(capsys, "run", "--data-dir", "d", *arguments)

    assert code == 2
    assert said in error
    assert not (tmp_path / "d" / "control.json").exists()


def test_a_strategy_file_that_fails_names_its_line(capsys, tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n1 / 0\n")
    code, error = failed(capsys, "run", "--data-dir", "d", "-s", "mine.py:Mine")

    assert code == 2
    assert "mine.py:2" in error


def test_a_strategy_that_fails_while_it_runs_is_taken_off_and_the_session_goes_on(capsys, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from holdfast.strategies import Strategy\n"
        "class Mine(Strategy):\n"
        "    def on_bar(self, bar):\n"
        "        raise RuntimeError('mine own')\n"
    )
    code, document, err = run_json(capsys, *play(recording(tmp_path), "-s", "mine.py:Mine"))

    assert (code, document["status"]) == (0, "STOPPED")
    assert document["fills"] > 0
    assert "mine own" in err
    assert list(document["stopped_strategies"]) == ["mine"]
    assert "mine own" in document["stopped_strategies"]["mine"]


def test_a_session_whose_every_strategy_was_taken_off_says_so_and_ends_with_7(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from holdfast.strategies import Strategy\n"
        "class Mine(Strategy):\n"
        "    def on_bar(self, bar):\n"
        "        raise RuntimeError('mine own')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "run", "--data-dir", "d", "--feed", recording(tmp_path),
         "--speed", "max", "--no-report", "-s", "mine.py:Mine"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 7
    assert "Strategy mine was TAKEN OFF" in done.stdout
    assert "mine own" in done.stdout


def test_a_long_warm_up_is_told_of_and_can_be_interrupted(tmp_path):
    long = ("--symbols", "BTCUSDT", "-s", "sma_cross:fast=20,slow=120,timeframe=1h")
    with start(tmp_path, "run", "--data-dir", "d", "--no-report", *long) as process:
        told = next(line for line in process.stderr if "warming up" in line)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert "the strategies are shown the bars before now" in told
    assert "stopping in an orderly way" in err
    assert "Traceback" not in err
    assert "RUNNING  equity" not in out  # it never came to trade


def test_a_taken_port_starts_nothing(capsys, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, error = failed(capsys, "run", "--data-dir", "d", "--set", f"control_port={port}")

    assert code == 2
    assert f"port {port}" in error
    assert "control_port" in error
    assert not (tmp_path / "d" / "holdfast.db").exists()


def test_a_journal_that_is_taken_names_its_owner(capsys, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "control.json").write_text("the owner's")
    journal = open_journal(tmp_path / "d" / "holdfast.db")
    try:
        code, error = failed(capsys, "run", "--data-dir", "d")
    finally:
        journal.close()

    assert code == 5
    assert "is owned by process" in error
    assert (tmp_path / "d" / "control.json").read_text() == "the owner's"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1700009000000,100,10", "expected 7 columns"),
        ("1700009000000,nan,101,99,100,5,1700009059999", "open must be a number, was 'nan'"),
        ("1700009000000,1,inf,99,100,5,1700009059999", "high must be a number, was 'inf'"),
    ],
)
def test_a_recording_that_is_damaged_at_its_head_starts_nothing(capsys, tmp_path, line, said):
    lines = list(rows())
    lines[150] = line
    code, error = failed(capsys, *play(recording(tmp_path, lines)))

    assert code == 2
    assert "SOLUSDT-1m.csv:152: " + said in error


def test_a_recording_that_is_damaged_later_ends_the_session_in_error(capsys, tmp_path):
    lines = list(rows(1800))
    lines[1700] = "1700102000000,nan,101,99,100,5,1700102059999"
    code, document, err = run_json(capsys, *play(recording(tmp_path, lines), "--no-report"))

    assert (code, document["status"]) == (7, "ERROR")
    assert "SOLUSDT-1m.csv:1702: open must be a number, was 'nan'" in document["error"]
    assert document["fills"] > 0
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}
    assert "Traceback" not in err


def test_a_session_after_one_that_failed_starts_as_ever(capsys, tmp_path):
    lines = list(rows(1800))
    lines[1700] = "torn"
    assert run_json(capsys, *play(recording(tmp_path, lines), "--no-report"))[0] == 7
    late = list(rows(start_ms=1_800_000_000_000))
    code, document, _ = run_json(capsys, *play(recording(tmp_path, late), "--no-report"))

    assert (code, document["status"]) == (0, "STOPPED")
    assert document["fills"] > 0
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}


# As a process


def wait_for(process, text):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines) + process.stderr.read())


def test_an_interrupt_stops_in_an_orderly_way_and_leaves_the_report(tmp_path):
    with start(tmp_path, "run", "--data-dir", "d") as process:
        wait_for(process, "RUNNING")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert "stopping in an orderly way" in err
    assert "Ended STOPPED (interrupted)" in out
    assert len(list((tmp_path / "d" / "reports").iterdir())) == 1
    assert not (tmp_path / "d" / "control.json").exists()


def test_a_second_signal_leaves_at_once_and_the_next_start_goes_on(tmp_path, capsys):
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from holdfast.strategies import Strategy\n"
        "class Slow(Strategy):\n"
        "    def on_bar(self, bar): pass\n"
        "    def on_stop(self):\n"
        "        print('stopping slowly', flush=True)\n"
        "        time.sleep(50)\n"
    )
    budget = ["--set", "hook_budget_ms=60000"]
    with start(tmp_path, "run", "--data-dir", "d", "-s", "slow.py:Slow", *budget) as process:
        wait_for(process, "RUNNING")
        process.send_signal(signal.SIGINT)
        wait_for(process, "stopping slowly")
        time.sleep(MOMENT_S)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "left at once" in err
    assert main(["status", "--data-dir", "d"]) == 0  # its control file counts as none


def test_stdout_holds_the_document_and_nothing_else(tmp_path):
    feed = recording(tmp_path, rows(60))
    with start(tmp_path, *play(feed, "--json", "--no-report")) as process:
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert json.loads(out)["status"] == "STOPPED"
    assert out.count("\n") == 1


def test_a_closed_pipe_disturbs_no_session_and_another_process_can_stop_it(tmp_path, capsys):
    with start(tmp_path, "run", "--data-dir", "d", "--speed", "60") as process:
        wait_for(process, "RUNNING")
        process.stdout.close()
        status = run_json(capsys, "status", "--data-dir", "d")[1]
        code, stopped, _ = run_json(capsys, "stop", "--data-dir", "d")
        process.wait(timeout=60)
        process.stderr.close()

    assert (status["is_running"], status["session"]["status"]) == (True, "RUNNING")
    assert (code, stopped["session"]["status"]) == (0, "STOPPED")
    assert main(["pause", "--data-dir", "d"]) == 6


def test_files_named_by_the_command_keep_their_places_when_a_strategy_goes_elsewhere(
    tmp_path, capsys, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine.py").write_text(
        "import os\nfrom holdfast import Strategy\n\nclass Mine(Strategy):\n"
        "    def on_start(self, ctx):\n        os.chdir('elsewhere')\n"
    )
    monkeypatch.chdir(tmp_path)
    asked = ["run", "--feed", recording(tmp_path).name, "--speed", "max", "-s", "mine.py:Mine"]
    code, document, _ = run_json(capsys, *asked, "--data-dir", "d", "--report", "report.html")

    assert (code, document["report"]) == (0, str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").exists()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_feed_whose_name_is_misspelled_is_told_the_names(capsys, tmp_path):
    _, document, _ = run_json(capsys, "run", "--feed", "binanse", "--data-dir", tmp_path)

    assert document["error"].startswith("no such file: binanse;")
    assert "feeds by name are synthetic, binance" in document["error"]


@pytest.mark.parametrize(
    "option", ["--data-dir=~no-one/d", "--feed=~no-one/x.csv", "--database-url=sqlite:///~no-one/a"]
)
def test_a_home_that_is_not_known_is_a_mistake_that_is_told(capsys, option):
    code, document, _ = run_json(capsys, "run", option)

    assert code == 2
    assert "nobody's home" in document["error"]
