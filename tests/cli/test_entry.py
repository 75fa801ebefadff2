"""The command line's frame: help, usage, exit codes, and what a failure looks like."""

from __future__ import annotations

import errno
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.cli import entry, main
from holdfast.cli.commands import all_commands
from holdfast.cli.exit_codes import ExitCode, code_of
from holdfast.model import errors
from holdfast.runtime.control_file import NoSessionRunning
from tests.cli.desk import environment

HEAVY = ("typer", "rich", "pydantic", "sqlalchemy", "aiohttp", "numpy", "msgspec", "asyncio")


def test_help_imports_nothing_heavy():
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "holdfast", "--help"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in told.stderr.splitlines()
    }

    assert "Usage: holdfast" in told.stdout
    assert imported.isdisjoint(HEAVY)


def test_help_lists_every_command_and_every_exit_code(capsys):
    assert main(["--help"]) == 0

    text = capsys.readouterr().out
    for name, command in all_commands().items():
        assert f"  {name:<11} {command.summary}" in text
    for code in ExitCode:
        assert f"{int(code):>6}  " in text


@pytest.mark.parametrize("name", all_commands())
def test_every_command_explains_itself(capsys, name):
    assert main([name, "--help"]) == 0
    assert f"Usage: holdfast {name}" in capsys.readouterr().out


@pytest.mark.parametrize("group", ["journal", "config", "new"])
def test_a_group_alone_lists_its_commands(capsys, group):
    assert main([group]) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ordres"], "did you mean orders?"),
        (["orders", "--frob"], "No such option: --frob"),
        (["place", "BTCUSDT"], "Missing argument"),
        (["explain", "BTCUSDT", "BUY", "--strength", "7"], "--strength"),
        (["cancel"], "an id, or --all"),
        (["release", "--yes"], "--operator NAME"),
        (["place", "BTCUSDT", "SELL", "-0.01"], "place takes no number below zero, was -0.01"),
        (["run", "--set", "max_positions=x"], "--set max_positions = 'x': expected"),
        (["close", ""], "which symbol: it was empty"),
        (["adjust", " ", "1"], "which symbol: it was empty"),
        (["adjust", " ", "-0.02"], "which symbol: it was empty"),
        (["adjust", "BTCUSDT", "1", "--acount", "x"], "unexpected extra argument"),
        (["modify", "", "--price", "1"], "which order: its id was empty"),
        (["replay", "x.csv", "--half-spread", "-1bp"], "--half-spread must not be negative"),
        (["replay", "x.csv", "--queue", "-5"], "--queue must not be negative, was -5"),
        (["replay", "x.csv", "--from", "9999-12-31"], "--from takes a time from 1970 to 2200"),
        (["replay", "x.csv", "--to", "0001-01-01"], "--to takes a time from 1970 to 2200"),
        (["replay", "x.csv", "--from", "2025-05-05", "--to", "2025-05-04"], "later than --from"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(capsys, arguments, said):
    assert main(arguments) == ExitCode.USAGE

    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("holdfast: ")
    assert (out, "Traceback" in err) == ("", False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError(), 2),
        (errors.FeedError(), 2),
        (errors.StrategyError(), 2),
        (errors.UnknownOrderError(), 2),
        (errors.SessionStateError(), 2),
        (errors.RiskDenied(), 3),
        (errors.VenueRefused(), 4),
        (errors.InsufficientBalanceError(code=-2019), 4),
        (errors.InsufficientBalanceError("margin: ..."), 3),
        (errors.RateLimitError("message_throttle: ..."), 3),
        (errors.NetworkError(), 4),
        (errors.OutcomeUnknownError(), 4),
        (errors.JournalLocked(), 5),
        (errors.JournalCorrupt(), 5),
        (NoSessionRunning(), 6),
        (errors.IllegalTransition(), 1),
        (RuntimeError(), 1),
    ],
)
def test_each_kind_of_error_has_its_code(error, code):
    assert code_of(error) == code


def test_a_failure_is_a_document_for_programs(capsys, tmp_path):
    assert main(["pause", "--data-dir", str(tmp_path), "--json"]) == ExitCode.NOT_RUNNING

    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["status"] == "ERROR"
    assert (document["kind"], document["exit_code"]) == ("NoSessionRunning", 6)
    assert document["error"] in err


def failing(error):
    def load(name):
        def call(*_, **__):
            raise error

        return call

    return load


def test_an_unexpected_error_is_told_in_a_line(capsys, monkeypatch):
    monkeypatch.setattr(entry, "_load", failing(ZeroDivisionError("api_key=Q7x9")))

    assert main(["orders"]) == ExitCode.UNEXPECTED
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError" in err
    assert "Q7x9" not in err


@pytest.mark.parametrize("is_explained", [False, True])
def test_a_full_disk_has_the_disks_code_whichever_file_met_it_first(
    capsys, monkeypatch, is_explained
):
    full = OSError(errno.ENOSPC, "No space left on device", "logs/holdfast.log")

    def fail(*_):
        if is_explained:
            raise errors.ConfigError("control.json can't be written: No space left") from full
        raise full

    monkeypatch.setattr(entry, "_run", fail)

    assert main(["run"]) == ExitCode.JOURNAL
    said = capsys.readouterr().err
    assert "No space left" in said
    assert "unexpected" not in said


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setattr(entry, "_load", failing(ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        main(["orders", "--debug"])


def test_an_interrupt_has_its_own_code(capsys, monkeypatch):
    monkeypatch.setattr(entry, "_load", failing(KeyboardInterrupt()))

    assert main(["orders"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "holdfast: interrupted\n"


def test_an_interrupt_inside_a_command_has_it_too(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.cli.strategies.strategies", interrupted)

    assert main(["strategies"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "holdfast: interrupted\n"


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("holdfast ")


def test_a_session_runs_on_a_terminal_though_its_input_is_closed(tmp_path):
    """A program that starts others may hand on no input; the session fell over it."""
    leader, terminal = pty.openpty()
    run = f"{sys.executable} -m holdfast run --data-dir data --for 1s --no-report <&-"
    ran = subprocess.run(
        ["sh", "-c", run],
        cwd=tmp_path,
        env=environment(),
        stdout=terminal,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(terminal)
    os.close(leader)

    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed):
    """A cron job may have none."""
    command = f"{sys.executable} -m holdfast strategies {closed}"

    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_whose_disk_is_full_is_told_of_without_a_traceback(tmp_path, options):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", "config", "show", *options],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 5
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
