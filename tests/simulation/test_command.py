"""`holdfast simulate`: what users see of a batch, of one seed, and of a mistake."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from holdfast.cli import main
from holdfast.cli import simulate as command
from holdfast.cli.exit_codes import ExitCode
from holdfast.cli.simulated import write_page
from holdfast.simulation.against import ADVERSARIES
from holdfast.simulation.batch import judge, kills_of
from holdfast.simulation.faults import HOW_IT_SHOWS, SHAPES, chosen, draw_plan
from holdfast.simulation.spec import Spec
from holdfast.simulation.story import replay_command
from holdfast.simulation.tally import EVERY_KIND_FROM, Failure, Tally, what_of

QUICK = ["--minutes", "0.3", "--jobs", "1"]
BOT = """
from holdfast import Strategy

class Bot(Strategy):
    def on_trade(self, trade):
        if not self.ctx.position(trade.symbol):
            self.signal("BUY", trade.symbol, stop_loss=trade.price * 0.98)
"""


def test_a_batch_is_told_as_json(capsys):
    assert main(["simulate", "--seeds", "2", *QUICK, "--json"]) == ExitCode.OK

    document = json.loads(capsys.readouterr().out)
    assert (document["runs"], document["failures"]) == (2, 0)
    assert document["orders"] > 0


def test_one_seed_is_told_with_its_faults(capsys):
    assert main(["simulate", "--seed", "5", "--minutes", "0.3"]) == ExitCode.OK

    said = capsys.readouterr().out
    assert "Seed 5" in said
    assert "Survived 1 run:" in said


def test_a_bot_of_ones_own_is_taken(tmp_path, capsys):
    path = tmp_path / "bot.py"
    path.write_text(BOT)
    arguments = ["--seed", "1", "--minutes", "0.3", "--strategy", f"{path}:Bot", "--json"]

    assert main(["simulate", *arguments]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["orders"] > 0
    assert document["strategies_tried_nothing"] is False


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("self.signal('BUY', trade.symbol)", ExitCode.OK, "Your strategy would have survived"),
        ("1 / 0", ExitCode.UNEXPECTED, "ZeroDivisionError"),
        ("pass", ExitCode.UNEXPECTED, "Nothing was tried"),
    ],
)
def test_a_bot_is_told_what_it_did_and_whether_it_lived(tmp_path, capsys, body, code, said):
    path = tmp_path / "bot.py"
    head = "from holdfast import Strategy\n\nclass Bot(Strategy):\n    def on_trade(self, trade):\n"
    path.write_text(f"{head}        {body}\n")

    assert main(["simulate", "--seeds", "1", *QUICK, "--strategy", f"{path}:Bot"]) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("runs", [["--seeds", "1"], ["--seed", "0"]], ids=["batch", "one seed"])
def test_a_document_says_that_nothing_was_tried(tmp_path, capsys, runs):
    path = tmp_path / "bot.py"
    path.write_text(BOT.replace("if not", "if False and"))
    arguments = [*runs, *QUICK, "--strategy", f"{path}:Bot", "--json"]

    assert main(["simulate", *arguments]) == ExitCode.UNEXPECTED
    document = json.loads(capsys.readouterr().out)
    assert (document["strategies_tried_nothing"], document["exit_code"]) == (True, 1)


def test_a_bot_hears_bars_of_a_minute(tmp_path, capsys):
    """Were a symbol silent for seconds, none of its longer bars would have been heard whole."""
    path = tmp_path / "bot.py"
    path.write_text(
        "from holdfast import Strategy\n\nclass Bot(Strategy):\n"
        "    timeframes = ('1m',)\n\n    def on_bar(self, bar):\n"
        "        self.signal('BUY', bar.symbol)\n"
    )
    arguments = ["--seed", "1", "--minutes", "3.5", "--faults", "none"]

    assert main(["simulate", *arguments, "--strategy", f"{path}:Bot"]) == ExitCode.OK
    (wishes,) = re.findall(r"wishes +(\d+)", capsys.readouterr().out)
    assert int(wishes) >= 2 * 3


@pytest.mark.parametrize("which", [["--seeds", "2"], ["--seed", "1"]])
def test_a_report_is_left_as_a_page(tmp_path, capsys, which):
    bot, page = tmp_path / "bot.py", tmp_path / "reports" / "r.html"
    bot.write_text(BOT)
    arguments = [*which, *QUICK, "--strategy", f"{bot}:Bot", "--report", str(page)]

    assert main(["simulate", *arguments]) == ExitCode.OK

    text = page.read_text()
    for said in (
        "Your strategy would have survived",
        f"0.3 minutes, all faults, {bot}:Bot",
        "What your strategy did",
        '<td class=" ">fills</td>',
        "Faults that struck",
        "start to trading",
    ):
        assert said in text
    assert "Runs that failed" not in text


def test_a_report_names_what_failed_and_how_to_play_it_again(tmp_path):
    spec = Spec(seed=1, storm_s=18, faults="kill", kinds=chosen(["kill"]))
    failed = Failure(seed=7, violations=("stops: of <b>x</b>",))
    write_page(tmp_path / "r.html", Tally(runs=3, failures=1, failed=[failed]), spec, ())

    text = (tmp_path / "r.html").read_text()
    assert "1 of 3 runs failed" in text
    assert "stops: of &lt;b&gt;x&lt;/b&gt;" in text
    assert "holdfast simulate --seed 7 --minutes 0.3 --faults kill" in text


def test_a_report_that_can_not_be_written_costs_no_verdict(tmp_path, capsys):
    there = tmp_path / "file"
    there.write_text("")

    assert main(["simulate", "--seed", "5", *QUICK, "--report", str(there / "r.html")]) == 0
    told = capsys.readouterr()
    assert "no report" in told.err
    assert "Survived 1 run:" in told.out


def test_a_bot_that_is_not_there_is_told_before_anything_runs(tmp_path, capsys):
    path = tmp_path / "bot.py"
    path.write_text(BOT)

    assert main(["simulate", "--strategy", f"{path}:Nope"]) == ExitCode.USAGE
    assert "Bot" in capsys.readouterr().err


def test_a_total_goes_on_where_it_stopped(tmp_path, capsys):
    path = tmp_path / "total.json"
    for _ in range(2):
        assert main(["simulate", "--seeds", "2", *QUICK, "--total", str(path)]) == ExitCode.OK
    assert main(["simulate", "--seeds", "4", *QUICK, "--json"]) == ExitCode.OK
    at_once = json.loads(capsys.readouterr().out.splitlines()[-1])

    kept = json.loads(path.read_text())
    assert (kept["next_seed"], kept["runs"]) == (4, 4)
    assert kept["orders"] == at_once["orders"]


def test_a_total_of_something_else_is_not_added_to(tmp_path, capsys):
    path = str(tmp_path / "total.json")
    assert main(["simulate", "--seeds", "1", *QUICK, "--total", path]) == ExitCode.OK

    arguments = ["--minutes", "0.4", "--jobs", "1", "--total", path]
    assert main(["simulate", "--seeds", "1", *arguments]) == ExitCode.USAGE
    assert "0.3 minutes" in capsys.readouterr().err


def test_faults_alone_are_told_as_such_and_played_again_so():
    spec = Spec(seed=5, storm_s=18, faults="kill", kinds=chosen(["kill"]), alone=True)

    assert replay_command(spec) == "holdfast simulate --seed 5 --minutes 0.3 --faults kill --alone"
    assert what_of(spec, "") == "0.3 minutes, kill and nobody else"


def test_an_unknown_fault_is_answered_with_those_there_are(capsys):
    assert main(["simulate", "--faults", "earthquake"]) == ExitCode.USAGE

    assert "power_cut" in capsys.readouterr().err


def test_a_failing_seed_is_told_with_its_replay(capsys, monkeypatch):
    """The product has no seed that fails at hand, so that one is made to."""
    spec = Spec(seed=5, storm_s=18, faults="kill", kinds=chosen(["kill"]))
    failed = msgspec.structs.replace(judge(spec), violations=("stops: of hf.1.2.3.E.x",))
    monkeypatch.setattr("holdfast.simulation.batch.judge", lambda *_: failed)
    monkeypatch.setattr("holdfast.simulation.shrink.shrink", lambda verdict: verdict)
    tally = Tally()
    tally.add(failed)

    assert command._tell(tally, spec, as_json=False) == ExitCode.UNEXPECTED
    said = capsys.readouterr().out
    assert "holdfast simulate --seed 5 --minutes 0.3 --faults kill" in said
    assert "stops: of hf.1.2.3.E.x" in said


def test_a_batch_in_which_a_kind_of_fault_never_struck_is_told():
    tally = Tally(runs=EVERY_KIND_FROM)
    tally.fired["gap"] = 1

    assert tally.idle_kinds({"gap", "zombie"}) == ["zombie"]
    assert Tally(runs=1).idle_kinds({"zombie"}) == []


def test_a_batch_in_which_an_adversary_never_struck_is_told():
    tally = Tally(runs=EVERY_KIND_FROM)
    names = [name for kind in SHAPES for name in HOW_IT_SHOWS.get(kind, (kind,))]
    tally.fired = dict.fromkeys([*names, *(each.name for each in ADVERSARIES)], 1)
    del tally.fired["one_road"], tally.fired["one_cut_off"]

    assert tally.idle_kinds(SHAPES) == ["one_road"]
    assert tally.idle_kinds({"gap"}) == []


def test_every_kind_of_fault_is_drawn():
    drawn = {
        fault.kind
        for seed in range(200)
        for fault in draw_plan(str(seed), 90.0, chosen([]), has_live_feed=True)
    }

    assert drawn == set(SHAPES)


@pytest.mark.parametrize("phase", ["before", "torn", "after"])
def test_a_run_that_is_killed_at_a_write_comes_back(phase):
    base = Spec(seed=6, storm_s=15, kinds=frozenset())
    specs = list(kills_of(base, (phase,), step=25))
    verdicts = [judge(spec) for spec in specs]

    assert [v.violations for v in verdicts] == [()] * len(verdicts)
    assert all(v.fired[f"kill_{phase}"] == 1 for v in verdicts)
