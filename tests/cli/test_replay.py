"""`holdfast replay` and `holdfast trace`, as a user meets them."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.cli.replay import _time
from holdfast.feeds import RecordingFeed
from holdfast.journal import open_journal
from holdfast.model.config import TradingConfig
from holdfast.model.events import OrderFilled, OrderSubmitted
from holdfast.model.messages import PauseSession
from holdfast.model.values import OrderRole, Side, Symbol
from holdfast.runtime.replay import Terms
from holdfast.runtime.replay_report import write_walk
from holdfast.runtime.replay_sweep import Fold, Job, Row
from holdfast.stats import SessionStats
from tests.engine.rig import Rig

START_MS = 1_746_374_400_000


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bars(tmp_path):
    """Write six hours of bars that swing, so that averages cross."""
    path = tmp_path / "BTCUSDT-1m.csv"
    lines = ["open_time,open,high,low,close,volume"]
    for minute in range(360):
        before, after = (60_000 + 200 * math.sin(m / 20) for m in (minute - 1, minute))
        high, low = max(before, after) + 5, min(before, after) - 5
        lines.append(
            f"{START_MS + minute * 60_000},{before:.1f},{high:.1f},{low:.1f},{after:.1f},10"
        )
    path.write_text("\n".join(lines))
    return path


def told(capsys, *arguments):
    """Run a command with --json; return its exit code and its document."""
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def replayed(capsys, bars, *arguments):
    return told(capsys, "replay", bars, "-s", "sma_cross", "--data-dir", "data", *arguments)


def test_a_replay_leaves_a_journal_and_a_report(capsys, bars):
    code, found = replayed(capsys, bars)

    assert code == 0
    assert (found["status"], found["error"]) == ("STOPPED", None)
    assert found["fills"] > 4
    assert found["books"] == {"positions_diff": "0", "balance_diff": "0"}
    assert "plotly" in Path(found["report"]).read_text().lower()
    journal = open_journal(found["journal"], read_only=True)
    fills = [fact for fact in journal.replay() if isinstance(fact, OrderFilled)]
    journal.close()
    assert len(fills) == found["fills"]


def test_two_replays_trade_alike(capsys, bars):
    first, second = (replayed(capsys, bars, "--no-report", "--no-journal")[1] for _ in range(2))

    for name in ("fills", "pnl", "fees", "equity_end", "denials"):
        assert first[name] == second[name]
    assert (first["journal"], first["report"]) == (None, None)


TERMS = "Latency 50 ms each way; fees 0.02 % and 0.05 %; half spread 0.01 %; begun with 10,000.00"


def head_of(found):
    """Return what a report says before its figures, as a reader sees it."""
    page = Path(found["report"]).read_text()
    return page[page.rindex("<h1>") : page.rindex('<div class="cards">')].replace("&amp;", "&")


def test_a_report_says_what_was_replayed_and_on_what_terms(capsys, bars):
    terms = ("--latency", "50ms", "--fees", "2bp,5bp")
    _, found = replayed(capsys, bars, *terms)

    head = head_of(found)
    assert "sma_cross on BTCUSDT, venue paper" in head
    assert f"Recordings: {bars}" in head
    assert TERMS in head


@pytest.mark.parametrize("more", [(), ("--walk-forward", "2")])
def test_a_sweeps_report_says_so_too(capsys, bars, more):
    given = ("--from", "2025-05-04T16:30", "--latency", "50ms", "--fees", "2bp,5bp")
    grid = ("--grid", "fast=5,10", "--jobs", "1")
    _, found = replayed(capsys, bars, *given, *grid, *more)

    head = head_of(found)
    assert "<p>sma_cross</p>" in head
    assert "2025-05-04 16:3" in head
    assert f"Recordings: {bars}" in head
    assert TERMS in head


def test_the_contracts_own_fees_are_named_as_such(capsys, bars):
    _, found = replayed(capsys, bars)

    assert "No latency; the contract's own fees; half spread 0.01 %" in head_of(found).replace(
        "&#x27;", "'"
    )


def test_people_are_told_figures_and_where_things_are(capsys, bars):
    assert main(["replay", str(bars), "--data-dir", "data"]) == 0

    out = capsys.readouterr().out
    assert "Total P&L" in out
    assert "the books agree with the exchange's" in out
    assert "Journal: data/replays/" in out


def test_what_the_exchange_rejects_is_told_with_its_reason(capsys, bars):
    """Nothing fills at such a latency: every request is outside of its window."""
    late = (bars, "-s", "sma_cross", "--latency", "20s", "--no-report", "--no-journal")
    assert main(["replay", *map(str, late)]) == 0

    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.startswith("Rejected by the venue: ")]
    assert "was good for 5000000000 ns" in line
    found = told(capsys, "replay", *late)[1]
    assert line == (
        f"Rejected by the venue: {found['rejected']:,} of {found['orders']:,}, "
        f"the last: {found['rejection_reason']}"
    )


def test_fees_are_those_that_were_asked_for(capsys, bars):
    _, usual = replayed(capsys, bars, "--no-report", "--fees", "2bp,5bp")
    _, double = replayed(capsys, bars, "--no-report", "--fees", "0.0004,0.001")

    assert float(double["fees"]) == pytest.approx(2 * float(usual["fees"]), rel=1e-6)


def test_from_and_to_cut_the_recording(capsys, bars):
    _, found = replayed(
        capsys, bars, "--no-report", "--from", "2025-05-04T17:00", "--to", "2025-05-04T18:00"
    )

    assert found["started_at"].startswith("2025-05-04T17:0")
    assert found["feed_duration_s"] <= 3600


def test_a_time_behind_the_recordings_end_is_an_error(capsys, bars):
    code, found = replayed(capsys, bars, "--no-report", "--from", "2025-06-01")

    assert code == 2
    assert "no market data from 2025-06-01T00:00:00" in found["error"]


def test_a_part_of_a_second_counts_in_a_time():
    assert _time("2025-05-04T16:00:00.750", "--from") == START_MS * 10**6 + 750 * 10**6


def test_a_walk_forward_ends_with_the_recording(capsys, bars):
    arguments = ("--grid", "fast=5,10", "--walk-forward", "2", "--jobs", "1", "--no-report")
    _, whole = replayed(capsys, bars, *arguments)
    _, asked_too_far = replayed(capsys, bars, *arguments, "--to", "2025-06-01")

    assert asked_too_far == whole


def test_the_profit_out_of_sample_is_that_of_the_folds(tmp_path):
    def tested(realized, open_):
        job = Job(TradingConfig(), "sma_cross", (), Terms(), (("fast", "5"),), 1, 2)
        return Row(job, SessionStats(total_pnl=Decimal(realized), unrealized_pnl=Decimal(open_)))

    folds = [Fold(each, each) for each in (tested(10, -4), tested(5, 20))]
    write_walk(tmp_path / "walk.html", folds[0].tested.job, folds, "pnl")

    page = (tmp_path / "walk.html").read_text()
    assert "+6.00" in page
    assert "+25.00" in page
    assert '<span>Profit out of sample</span><b class="good">+31.00</b>' in page


def test_latency_moves_every_fill(capsys, bars):
    def first_fill(found):
        journal = open_journal(found["journal"], read_only=True)
        facts = list(journal.replay())
        journal.close()
        sent = next(fact for fact in facts if isinstance(fact, OrderSubmitted))
        fill = next(fact for fact in facts if isinstance(fact, OrderFilled))
        return fill.venue_ts - sent.ts, fill.ts - sent.ts

    _, near = replayed(capsys, bars, "--no-report")
    _, far = replayed(capsys, bars, "--no-report", "--latency", "80ms")

    assert first_fill(near) == (0, 0)
    assert first_fill(far) == (80_000_000, 160_000_000)


def test_a_sweep_gives_what_single_replays_give(capsys, bars):
    code, found = replayed(
        capsys, bars, "--grid", "fast=5:10:5", "--grid", "slow=20,40", "--jobs", "2"
    )

    assert code == 0
    assert len(found["points"]) == 4
    assert "heatmap" in Path(found["report"]).read_text()
    point = found["points"][0]
    spec = "sma_cross:" + ",".join(f"{name}={value}" for name, value in point["point"].items())
    _, alone = told(
        capsys, "replay", bars, "-s", spec, "--data-dir", "data", "--no-report", "--no-journal"
    )
    for name in ("pnl", "fills", "fees", "unrealized", "denials"):
        assert alone[name] == point[name]
    assert point["value"] == pytest.approx(float(alone["pnl"]) + float(alone["unrealized"]))


def test_a_point_that_can_not_be_run_says_why_and_the_others_go_on(capsys, bars):
    _, found = replayed(capsys, bars, "--no-report", "--grid", "fast=10,30", "--jobs", "1")

    errors = {point["point"]["fast"]: point["error"] for point in found["points"]}
    assert errors["10"] is None
    assert "fast" in errors["30"]


def test_a_walk_forward_tests_behind_where_it_trained(capsys, bars):
    code, found = replayed(
        capsys, bars, "--grid", "fast=5,10", "--walk-forward", "2", "--jobs", "1"
    )

    assert code == 0
    assert len(found["folds"]) == 2
    for fold in found["folds"]:
        assert fold["train_from"] < fold["test_from"] < fold["test_to"]
        assert fold["trained"]["point"] == fold["tested"]["point"]
    assert found["folds"][0]["test_from"] == found["folds"][1]["train_from"]


def test_nothing_is_tried_that_no_training_has_found(capsys, bars):
    """In the second of three parts nothing was recorded: nothing is known for the third."""
    rows = bars.read_text().splitlines()
    bars.write_text("\n".join(rows[:121] + rows[241:]))

    code, found = replayed(
        capsys, bars, "--grid", "fast=5,10", "--walk-forward", "2", "--jobs", "1"
    )

    tested = found["folds"][1]["tested"]
    assert "no market data" in found["folds"][1]["trained"]["error"]
    assert tested["error"].startswith("nothing was found in training: ")
    assert tested["fills"] == 0
    assert code == 7


def test_a_session_and_its_replay_are_laid_side_by_side(capsys, bars):
    main(["run", "--feed", str(bars), "--speed", "max", "--dry-run", "--no-report",
          "--data-dir", "data", "--json"])  # fmt: skip
    capsys.readouterr()

    code, found = told(capsys, "replay", bars, "--compare", "last", "--data-dir", "data")

    assert code == 0
    assert found["drift"]["trades_in_both"] > 2
    assert found["drift"]["only_in_session"] == found["drift"]["only_in_replay"] == 0
    assert found["drift"]["pnl_drift"] == "0"
    assert {pair["entry_bp"] for pair in found["pairs"]} == {0.0}
    assert "Session and replay" in Path(found["report"]).read_text()


def test_a_comparison_of_a_part_of_the_time_leaves_the_other_trades_out(capsys, bars):
    main(["run", "--feed", str(bars), "-s", "sma_cross", "--speed", "max", "--no-report",
          "--data-dir", "data", "--json"])  # fmt: skip
    capsys.readouterr()
    compared = ("replay", bars, "--compare", "last", "--data-dir", "data", "--no-report")

    _, whole = told(capsys, *compared)
    _, part = told(capsys, *compared, "--to", "2025-05-04T19:30")

    assert part["drift"]["only_in_session"] == part["drift"]["only_in_replay"] == 0
    assert 0 < part["drift"]["trades_in_both"] < whole["drift"]["trades_in_both"]
    assert part["drift"]["pnl_drift"] == "0"

    _, behind = told(capsys, *compared, "--from", "2025-05-04T18:30")

    assert behind["drift"]["only_in_session"] == 0
    assert 0 < behind["drift"]["trades_in_both"] < whole["drift"]["trades_in_both"]


def test_trades_of_symbols_that_are_not_replayed_are_not_compared(capsys, bars):
    other = bars.with_name("ETHUSDT-1m.csv")
    lines = bars.read_text().splitlines()
    stamps = [line.partition(",")[0] for line in lines[1:-7]]
    moves = [line.partition(",")[2] for line in lines[8:]]  # seven minutes later: no twin of BTC
    rows = [f"{stamp},{move}" for stamp, move in zip(stamps, moves, strict=True)]
    other.write_text("\n".join([lines[0], *rows]))
    main(["run", "--feed", f"{bars},{other}", "-s", "sma_cross", "--speed", "max", "--no-report",
          "--symbols", "BTCUSDT,ETHUSDT", "--data-dir", "data", "--set", "max_correlation=1",
          "--json"])  # fmt: skip
    capsys.readouterr()
    compared = ("replay", bars, other, "--compare", "last", "--data-dir", "data", "--no-report")

    _, both = told(capsys, *compared)
    _, found = told(capsys, *compared, "--symbols", "BTCUSDT")

    assert {pair["session"]["symbol"] for pair in both["pairs"]} == {"BTCUSDT", "ETHUSDT"}

    assert {pair["session"]["symbol"] for pair in found["pairs"]} == {"BTCUSDT"}
    assert found["drift"]["only_in_session"] == 0


def test_trades_that_the_recording_can_not_have_are_said_to_be_outside_of_it(capsys, bars):
    main(["run", "--feed", str(bars), "-s", "sma_cross", "--speed", "max", "--no-report",
          "--data-dir", "data", "--json"])  # fmt: skip
    capsys.readouterr()
    lines = bars.read_text().splitlines()
    short = bars.with_name("short") / bars.name
    short.parent.mkdir()
    short.write_text("\n".join(lines[:180]))

    code = main(["replay", str(short), "--compare", "last", "--data-dir", "data", "--json"])

    said = capsys.readouterr()
    outside = json.loads(said.out)["drift"]["only_in_session"]
    assert code == 0
    assert outside > 0
    assert said.err.startswith(f"holdfast: {outside} trades of the session are outside of what was")


def test_a_comparison_begins_with_the_balance_that_is_asked_for(capsys, bars):
    main(["run", "--feed", str(bars), "-s", "sma_cross", "--speed", "max", "--no-report",
          "--data-dir", "data", "--json"])  # fmt: skip
    capsys.readouterr()
    compared = ("replay", bars, "--compare", "last", "--data-dir", "data", "--no-report")

    assert told(capsys, *compared)[1]["equity_start"] == "10000"
    assert told(capsys, *compared, "--balance", "7000")[1]["equity_start"] == "7000"


def test_each_account_of_a_comparison_begins_with_what_it_had(capsys, bars):
    """Here the settings name no deposit of the second: a live account's is at the exchange."""
    accounts = ("--set", "accounts.second.leverage=3")
    strategies = ("-s", "sma_cross", "-s", "sma_cross:fast=5,slow=9,account=second")
    main(["run", "--feed", str(bars), *strategies, "--speed", "max", "--no-report", "--dry-run",
          "--data-dir", "data", *accounts, "--set", "accounts.second.initial_balance=700",
          "--json"])  # fmt: skip
    capsys.readouterr()
    compared = ("replay", bars, "--compare", "last", "--data-dir", "data", "--no-report")

    _, found = told(capsys, *compared, *accounts)

    assert found["equity_start"] == "10700"
    assert found["drift"]["only_in_session"] == found["drift"]["only_in_replay"] == 0
    assert found["drift"]["pnl_drift"] == "0"


def test_the_trades_that_are_furthest_apart_are_shown_and_the_rest_counted(
    capsys, bars, monkeypatch
):
    monkeypatch.setattr("holdfast.cli.replay_compare.PAIRS_SHOWN", 2)
    run = ("run", "--feed", bars, "-s", "sma_cross", "--speed", "max", "--data-dir", "data")
    told(capsys, *run)
    tighter = ("--set", "position_size_pct=0.09")

    code = main(
        ["replay", str(bars), "--compare", "last", "--data-dir", "data", "--no-report", *tighter]
    )

    assert code == 0
    out = capsys.readouterr().out
    code, found = told(capsys, "replay", bars, "--compare", "last", "--data-dir", "data", *tighter)
    apart = sorted((abs(Decimal(pair["pnl"])) for pair in found["pairs"]), reverse=True)
    shown = [abs(Decimal(line.split()[-1])) for line in out.splitlines() if " BTCUSDT " in line]
    assert f"the 2 of {len(apart)} trades that are furthest apart" in out
    assert sorted(shown, reverse=True) == [round(pnl, 2) for pnl in apart[:2]]


def test_a_session_that_the_journal_does_not_have_is_named(capsys, bars):
    main(["run", "--feed", str(bars), "--speed", "max", "--dry-run", "--no-report",
          "--data-dir", "data", "--json"])  # fmt: skip
    capsys.readouterr()

    code, found = told(capsys, "replay", bars, "--compare", "nobody", "--data-dir", "data")

    assert code == 2
    assert "'nobody'" in found["error"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--fees", "5bp"], "MAKER,TAKER"),
        (["--fees", "2,5"], "fraction below 1"),
        (["--latency", "soon"], "--latency takes a time"),
        (["--from", "yesterday"], "--from takes a time"),
        (["--grid", "fast"], "NAME=FROM:TO:STEP"),
        (["--grid", "fast=50:5:5"], "must go up"),
        (["--walk-forward", "3"], "needs a --grid"),
        (["--by", "luck", "--grid", "fast=5,6"], "--by must be one of pnl"),
        (["--queue", "much"], "--queue must be a number"),
        (["--queue=-5"], "--queue must not be negative, was -5"),
        (["--half-spread=-1bp"], "--half-spread must not be negative"),
        (["--latency=-1s"], "--latency"),
        (["--latency", "50"], "with its unit, such as 50ms or 1s, was '50'"),
        (["--strategy", "sma_cross:fast"], "expected name=value,name=value, was 'fast'"),
        (["--latency", "1.2.3"], "--latency takes a time"),
        (["--latency", "²"], "--latency takes a time"),
        (["--grid", "fast=,"], "NAME=FROM:TO:STEP"),
        (["--grid", "fast=1:9e999999:1e-999999"], "in numbers of common size"),
        (["--compare", "last", "--grid", "fast=5,6"], "--compare makes one replay"),
        (["--compare", "last", "--walk-forward", "3"], "--compare makes one replay"),
        (["--grid", "fast=nan:5:1"], "in numbers, was 'fast=nan:5:1'"),
        (["--grid", "fast=1:5:inf"], "in numbers, was 'fast=1:5:inf'"),
        (["--grid", "fast=5,10,5"], "names 5 twice, was 'fast=5,10,5'"),
        (["--to", "2025-05-04T16:00"], "begins at 2025-05-04T16:01:00"),
        (
            ["--from", "2025-05-04T18:00", "--to", "2025-05-04T17:00"],
            "--to must be later than --from",
        ),
    ],
)
def test_wrong_options_are_told_with_what_was_expected(capsys, bars, arguments, what):
    code, found = replayed(capsys, bars, *arguments)

    assert code == 2
    assert what in found["error"]


def test_a_file_that_is_not_there_is_named(capsys):
    code, found = told(capsys, "replay", "nothing.csv", "--data-dir", "data")

    assert code == 2
    assert "nothing.csv" in found["error"]


def test_a_strategy_that_is_not_there_leaves_no_file_behind(capsys, bars):
    code, found = told(capsys, "replay", bars, "-s", "no_such_thing", "--data-dir", "data")

    assert code == 2
    assert "no_such_thing" in found["error"]
    assert not Path("data").exists()


# trace


@pytest.fixture
def session(capsys, bars):
    _, found = replayed(capsys, bars, "--no-report", "--latency", "50ms")
    journal = open_journal(found["journal"], read_only=True)
    facts = list(journal.replay())
    journal.close()
    return f"sqlite:///{found['journal']}", facts


def test_an_order_is_traced_from_its_signal_to_its_stop(capsys, session):
    url, facts = session
    fill = next(fact for fact in facts if isinstance(fact, OrderFilled))

    code, found = told(capsys, "trace", fill.cl_ord_id, "--database-url", url)

    assert code == 0
    assert found["signal"]["strategy_id"] == "sma_cross"
    assert "cross" in found["signal"]["reason"]
    rules = {verdict["rule"]: verdict for verdict in found["verdicts"]}
    assert float(rules["position_size"]["value"]) <= float(rules["position_size"]["limit"])
    assert found["parent"]["algo"] == "bracket"
    kinds = [step["fact"] for step in found["steps"]]
    assert kinds[:5] == [
        "SignalReceived", "ParentStarted", "OrderSubmitted", "OrderAccepted", "OrderFilled",
    ]  # fmt: skip
    assert found["steps"][3]["since_ns"] == 100_000_000
    assert found["filled_qty"] == found["order"]["qty"]
    roles = {step["order"]["role"] for step in found["exits"]}
    assert {OrderRole.STOP_LOSS.value, OrderRole.TAKE_PROFIT.value} <= roles


def test_an_order_is_traced_for_people(capsys, session):
    url, facts = session
    fill = next(fact for fact in facts if isinstance(fact, OrderFilled))

    assert main(["trace", fill.cl_ord_id, "--database-url", url]) == 0

    out = capsys.readouterr().out
    assert "golden cross" in out or "death cross" in out
    assert "position_size" in out
    assert "+100.000" in out
    assert "stop loss hf." in out


def test_an_order_that_went_out_past_a_rule_is_told_to_close_alone(capsys, tmp_path):
    rig = Rig()
    rig.hold("1")
    rig.hear(PauseSession(reason="lunch"))
    name = rig.place(Side.SELL, "1")
    journal = open_journal(tmp_path / "a.db")
    journal.append(rig.facts)
    journal.close()

    assert main(["trace", name, "--database-url", f"sqlite:///{tmp_path}/a.db"]) == 0

    out = capsys.readouterr().out
    assert "REFUSE" in out
    assert "the session is PAUSED" in out
    assert "It went out all the same, reduce-only" in out


def test_an_order_that_nobody_knows_is_told(capsys, session):
    code, found = told(capsys, "trace", "hf.9.9.9.E.none", "--database-url", session[0])

    assert code == 2
    assert "no order hf.9.9.9.E.none" in found["error"]


# pack


def test_trades_are_packed_and_replayed_alike(capsys, tmp_path):
    lines = ["id,price,qty,quote_qty,time,is_buyer_maker"]
    for number in range(3_000):
        price = 60_000 + 50 * math.sin(number / 90)
        lines.append(f"{number},{price:.1f},0.01,600,{START_MS + number * 500},true")
    csv = tmp_path / "BTCUSDT-trades.csv"
    csv.write_text("\n".join(lines))

    code, packed = told(capsys, "pack", csv, "packed/BTCUSDT-trades.npy")
    assert (code, packed["trades"]) == (0, 3_000)
    runs = [
        told(capsys, "replay", path, "--data-dir", "data", "--no-report")[1]
        for path in (csv, packed["file"])
    ]

    assert runs[0]["fills"] > 0
    for name in ("fills", "pnl", "fees", "equity_end"):
        assert runs[0][name] == runs[1][name]


def test_a_packed_capture_is_known_to_have_the_numbers_of_the_venue(capsys, tmp_path):
    lines = [
        f'{START_MS + n}000000 {{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":'
        f'{START_MS + n},"s":"BTCUSDT","a":{n},"p":"60000.1","q":"1","f":{n},"l":{n},'
        f'"T":{START_MS + n},"m":true}}}}\n'
        for n in range(5)
    ]
    capture = tmp_path / "btcusdt_20250504"
    capture.write_text("".join(lines))

    code, packed = told(capsys, "pack", capture, "BTCUSDT-x.npy")

    assert (code, packed["trades"]) == (0, 5)
    assert RecordingFeed(packed["file"]).is_numbered(Symbol("BTCUSDT"))


def test_a_time_is_taken_to_the_microsecond():
    """Rounded to seconds, --from would leave out what it names."""
    assert _time("2025-05-04T12:30:00.75", "--from") == 1_746_361_800_750_000_000


def test_a_sweep_of_which_every_point_failed_has_not_gone_well(capsys, bars):
    code, found = replayed(capsys, bars, "--no-report", "--grid", "nosuch=3,4")
    assert code == 7
    assert all("no parameter 'nosuch'" in point["error"] for point in found["points"])
    for more in ((), ("--walk-forward", "2")):
        replayed(capsys, bars, "--grid", "nosuch=3,4", *more, "--out", "failed.html")
        assert "-inf" not in Path("failed.html").read_text().partition("<script")[0]
        assert "-inf" not in Path("failed.html").read_text().rpartition("</script>")[2]

    code, found = replayed(capsys, bars, "--no-report", "--grid", "fast=5,-1")
    assert code == 0
    assert [bool(point["error"]) for point in found["points"]] == [False, True]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("BTCUSDT-05.csv", "BTCUSDT-06.csv"), "BTCUSDT-06.csv must end in .npy"),
        (("BTCUSDT-05.csv", "BTCUSDT-06.npy"), "BTCUSDT-06.npy is there already"),
        (("BTCUSDT-06.npy", "BTCUSDT-06.npy"), "BTCUSDT-06.npy is there already"),
    ],
)
def test_packing_writes_over_no_recording(capsys, tmp_path, names, said):
    """A glob for the files to pack names one of them last."""
    rows = [f"{n},60000.1,0.01,600,{START_MS + n},true" for n in range(5)]
    for name in ("BTCUSDT-05.csv", "BTCUSDT-06.csv"):
        (tmp_path / name).write_text("\n".join(rows))
    assert main(["pack", "BTCUSDT-06.csv", "BTCUSDT-06.npy"]) == 0
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    capsys.readouterr()

    assert main(["pack", *names]) == 2

    assert said in capsys.readouterr().err
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before
