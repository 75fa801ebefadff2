"""A replay whose figures are not those of its strategies says so, and ends with a code for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.model.values import TradingSessionStatus
from holdfast.runtime import replay as replay_module
from holdfast.runtime.books import BooksReport
from tests.cli.desk import environment

STRATEGIES = '''
import os
import signal

from holdfast import Strategy


class Dies(Strategy):
    """Buys, and raises an error some bars later."""

    def __init__(self, after: int = 5) -> None:
        self.after, self.count = after, 0

    def on_bar(self, bar):
        self.count += 1
        if self.count == 2:
            self.signal("BUY", bar.symbol, 0.001, stop_loss=0)
        if self.count > self.after:
            raise ValueError("out of luck")


class Killed(Strategy):
    """Ends its process where it is told to, as the kernel does for want of memory."""

    def __init__(self, after: int = 5) -> None:
        if after == 2:
            os._exit(9)

    def on_bar(self, bar):
        """Do nothing."""


class Interrupted(Strategy):
    """Tells what Ctrl-C does to its process."""

    def __init__(self, after: int = 5) -> None:
        raise ValueError(signal.getsignal(signal.SIGINT))


class Talks(Strategy):
    """Says something in every way there is."""

    def on_bar(self, bar):
        print("printed")
        self.ctx.log("logged")
'''


@pytest.fixture(autouse=True)
def _recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(STRATEGIES)
    lines = ["open_time,open,high,low,close,volume"]
    for minute in range(30):
        opened = 60_000 + 10 * minute
        row = (opened, opened + 15, opened - 5, opened + 10, 10)
        lines.append(",".join(map(str, (1_746_374_400_000 + minute * 60_000, *row))))
    (tmp_path / "BTCUSDT-1m.csv").write_text("\n".join(lines))


def _replay(*arguments):
    return main(["replay", "BTCUSDT-1m.csv", "--no-report", "--no-journal", *arguments])


def test_a_strategy_that_was_taken_off_is_told_once_and_in_the_exit_code(capsys):
    assert _replay("-s", "mine.py:Dies") == 7

    said = capsys.readouterr().err
    assert said == (
        "holdfast: strategy dies was taken off: ValueError: out of luck in on_bar at mine.py:19\n"
    )


def test_a_program_hears_which_strategy_was_taken_off(capsys):
    assert _replay("-s", "mine.py:Dies", "--json") == 7

    found = json.loads(capsys.readouterr().out)
    why = "ValueError: out of luck in on_bar at mine.py:19"
    assert found["stopped_strategies"] == {"dies": why}
    assert found["error"] == f"dies was taken off: {why}"


def test_a_point_whose_strategy_was_taken_off_is_never_the_best(capsys):
    """It holds what it bought for ever, and may look better than those that ran through."""
    assert _replay("-s", "mine.py:Dies", "--grid", "after=5,100", "--jobs", "1", "--json") == 0

    told = capsys.readouterr()
    found = json.loads(told.out)["points"]
    assert [point["point"]["after"] for point in found] == ["100", "5"]
    assert [bool(point["error"]) for point in found] == [False, True]
    assert told.err == ""


def test_a_process_that_dies_takes_no_other_point_of_a_sweep_along(capsys):
    grid = ("--grid", "after=1:6:1", "--jobs", "2", "--json")
    assert _replay("-s", "mine.py:Killed", *grid) == 0

    found = json.loads(capsys.readouterr().out)["points"]
    errors = {point["point"]["after"]: point["error"] for point in found}
    assert [after for after, error in errors.items() if error] == ["2"]
    assert sorted(errors) == ["1", "2", "3", "4", "5", "6"]
    assert errors["2"].startswith("its process died")


def test_ctrl_c_ends_the_processes_of_a_sweep_at_once(capsys):
    """Each would end its replay otherwise, and begin the next one: the shell gets it all."""
    grid = ("--grid", "after=1,2", "--jobs", "2", "--json")
    _replay("-s", "mine.py:Interrupted", *grid)

    points = json.loads(capsys.readouterr().out)["points"]
    assert all(point["error"].endswith(": 0") for point in points), points  # SIG_DFL


@pytest.mark.parametrize("spec", ["kept.py:Kept", "kept:Kept"])
def test_what_a_module_keeps_is_not_shared_by_the_points_of_a_sweep(capsys, tmp_path, spec):
    """Else what a point makes depends on which others its process had before."""
    (tmp_path / "beside.py").write_text("seen = []\n")
    (tmp_path / "kept.py").write_text(
        "from holdfast import Strategy\n"
        "import beside\n"
        "class Kept(Strategy):\n"
        "    bars = []\n"
        "    def __init__(self, n: int = 1) -> None:\n"
        "        self.n = n\n"
        "    def on_bar(self, bar):\n"
        "        self.bars.append(bar)\n"
        "        beside.seen.append(bar)\n"
        "        if len(self.bars) == 5 and len(beside.seen) == 5:\n"
        "            self.signal('BUY', bar.symbol, 0.01)\n"
    )
    assert _replay("-s", spec, "--grid", "n=1,2,3", "--jobs", "1", "--json") == 0

    points = json.loads(capsys.readouterr().out)["points"]
    assert [point["fills"] for point in points] == [1, 1, 1]


def test_what_a_strategy_says_goes_to_stderr(capsys):
    assert _replay("-s", "mine.py:Talks", "--json") == 0

    told = capsys.readouterr()
    assert json.loads(told.out)["stopped_strategies"] == {}
    assert "printed\n" in told.err
    assert "talks: logged\n" in told.err


def test_a_time_without_data_is_told_in_one_line(capsys):
    assert _replay("--from", "2030-01-01") == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line == "holdfast: no market data from 2030-01-01T00:00:00 on"


@pytest.mark.parametrize(
    ("books", "code", "said"),
    [
        (None, 4, "the venue's books could not be read at the end"),
        (
            BooksReport(Decimal(1), Decimal(0), ("position BTCUSDT is 1 here and 0 at the venue",)),
            8,
            "the books differ: position BTCUSDT is 1 here and 0 at the venue",
        ),
    ],
    ids=["unread", "differ"],
)
def test_books_that_differ_give_the_code_that_a_session_ends_with(
    capsys, monkeypatch, books, code, said
):
    async def compared(_):
        return books

    monkeypatch.setattr(replay_module, "read_and_compare", compared)

    assert _replay() == code
    assert said in capsys.readouterr().err
    assert _replay("--grid", "fast=5,6", "--jobs", "1") == 7


def test_a_session_that_halts_in_a_replay_is_an_error(capsys, monkeypatch):
    """It ends as a session does, when the recording is over: halted, and not in an exception."""
    halted = property(lambda _: TradingSessionStatus.ERROR)
    monkeypatch.setattr("holdfast.runtime.replay.LiveSession.status", halted)

    assert _replay("--json") == 7
    assert json.loads(capsys.readouterr().out)["status"] == "ERROR"


@pytest.mark.parametrize("more", [[], ["--grid", "fast=5,6", "--jobs", "1"]], ids=["one", "sweep"])
def test_a_report_that_can_not_be_written_costs_no_figures(capsys, more):
    arguments = ["replay", "BTCUSDT-1m.csv", "--no-journal", "--out", "/proc/no/x.html", *more]

    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "0:29:01 of market" in told.out or "2 replays, 0 failed" in told.out
    assert "no report: /proc/no/x.html" in told.err
    assert "Report:" not in told.out


@pytest.mark.parametrize("more", [[], ["-s", "sma_cross", "--grid", "fast=2,3"]])
def test_a_symbol_of_the_settings_that_no_file_has_is_left_out(capsys, tmp_path, more):
    """They are a session's: the README's replay is made beside them."""
    (tmp_path / "holdfast.toml").write_text('symbols = ["BTCUSDT", "ETHUSDT"]\n')
    assert _replay(*more) == 0
    assert "no file has" not in capsys.readouterr().out

    (tmp_path / "holdfast.toml").write_text('symbols = ["SOLUSDT", "ETHUSDT"]\n')
    assert _replay(*more) == 0

    assert _replay(*more, "--symbols", "BTCUSDT,ETHUSDT") == 2
    assert "no file has ETHUSDT" in capsys.readouterr().err


def test_a_replay_of_a_time_behind_the_recording_is_refused(capsys):
    """It showed an account with nothing in it, whose books agreed."""
    assert _replay("--from", "2025-06-01") == 2
    out, err = capsys.readouterr()
    assert "no market data from 2025-06-01T00:00:00 on" in err
    assert "Equity" not in out


SLOW = """
import os
import time
from pathlib import Path

from holdfast import Strategy


class Slow(Strategy):
    def __init__(self, after: int = 5) -> None:
        Path(f"begun-{os.getpid()}").touch()

    def on_bar(self, bar):
        time.sleep(2)  # thirty of them
"""


def _slow_sweep(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    sweep = [
        "BTCUSDT-1m.csv",
        "--no-report",
        "--set",
        "hook_budget_ms=10000",
        "--grid",
        "after=1:6:1",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "replay", *sweep, "-s", "slow.py:Slow"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for(what):
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_interrupt_of_a_sweep_alone_does_not_wait_for_what_is_under_way(tmp_path):
    with _slow_sweep(tmp_path) as sweep:
        _wait_for(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
        sweep.send_signal(signal.SIGINT)
        _, err = sweep.communicate(timeout=20)
    assert (sweep.returncode, "Traceback" in err) == (130, False)


@pytest.mark.parametrize("wait_s", [0, 0.1, 0.3])
def test_ctrl_c_while_a_sweeps_processes_start_spills_no_traceback(tmp_path, wait_s):
    with _slow_sweep(tmp_path) as sweep:
        children = Path(f"/proc/{sweep.pid}/task/{sweep.pid}/children")
        _wait_for(lambda: len(children.read_text().split()) >= 2)
        time.sleep(wait_s)  # where its imports are by then
        os.killpg(sweep.pid, signal.SIGINT)
        _, err = sweep.communicate(timeout=20)
    assert (sweep.returncode, err) == (130, "holdfast: interrupted\n")
