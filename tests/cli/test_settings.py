"""config, strategies, new."""

from __future__ import annotations

import json

import pytest

from holdfast.cli import main
from holdfast.runtime.strategy_loading import load_strategy
from tests.cli.desk import recording, run_json


def test_show_says_where_each_setting_came_from_and_hides_secrets(capsys, tmp_path, monkeypatch):
    (tmp_path / "holdfast.toml").write_text('leverage = 7\napi_key = "cAn4ry1"\n')
    monkeypatch.setenv("HOLDFAST_API_SECRET", "cAn4ry2")
    code, document, err = run_json(capsys, "config", "show", "--data-dir", "here")

    assert code == 0
    assert document["settings"]["trading.leverage"] == {"value": "7", "source": "holdfast.toml:1"}
    assert document["settings"]["journal.data_dir"]["source"] == "--data-dir"
    assert document["settings"]["trading.dry_run"]["source"] == "default"
    assert "cAn4ry" not in json.dumps(document) + err


def test_check_lists_every_mistake(capsys, tmp_path):
    (tmp_path / "holdfast.toml").write_text("leverage = 700\nmax_postions = 3\n")

    assert main(["config", "check"]) == 2
    err = capsys.readouterr().err
    assert "holdfast.toml:1" in err
    assert "did you mean max_positions?" in err


def test_check_refuses_what_a_start_would(capsys, tmp_path):
    (tmp_path / "holdfast.toml").write_text('disabled = "leverge"\nvenue = "binance"\n')

    assert main(["config", "check"]) == 2
    err = capsys.readouterr().err
    assert "holdfast.toml:1: disabled: there is no rule leverge" in err
    assert "holdfast.toml:2: venue must be one of" in err


def test_the_log_is_where_and_as_loud_as_settings_say(capsys, tmp_path):
    for level in ("debug", "warning"):
        words = ["--set", f"log_dir={level}", "--set", f"log_level={level}", "--set", "seed=3"]
        run_json(capsys, "run", "--feed", recording(tmp_path), "--speed", "max", *words)

    loud, quiet = (
        (tmp_path / level / "holdfast.log").read_text() for level in ("debug", "warning")
    )
    assert " INFO " in loud
    assert " INFO " not in quiet


def test_check_is_content_with_nothing_given(capsys):
    assert main(["config", "check"]) == 0
    assert "the settings are sound" in capsys.readouterr().out


def test_path_names_the_file_that_is_read(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text("")
    code, document, _ = run_json(capsys, "config", "path", "--config", "mine.toml")

    assert code == 0
    assert document["toml"] == {"path": str(tmp_path / "mine.toml"), "exists": True}


def test_a_new_strategy_can_be_loaded(capsys, tmp_path):
    code, document, _ = run_json(capsys, "new", "strategy", "MyRSIBreakout")

    assert code == 0
    assert document["file"] == "my_rsi_breakout.py"
    assert load_strategy(document["spec"])[1].warmup_bars == 20


def test_a_new_strategy_overwrites_nothing(capsys, tmp_path):
    (tmp_path / "mine.py").write_text("precious")

    assert main(["new", "strategy", "Mine"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mine.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["my-strategy", "1st", "class", "Strategy"])
def test_a_new_strategy_needs_a_name_that_python_takes(capsys, tmp_path, name):
    assert main(["new", "strategy", name]) == 2
    assert list(tmp_path.iterdir()) == []


def test_strategies_are_listed_with_their_parameters(capsys):
    code, document, _ = run_json(capsys, "strategies")
    by_name = {one["name"]: one for one in document["strategies"]}

    assert code == 0
    assert by_name["sma_cross"]["parameters"].startswith("fast=10,slow=30")
    assert all(one["description"] for one in document["strategies"])
    assert main(["strategies"]) == 0
    assert "sma_cross" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('venue = "binance"', "holdfast.toml:1: venue must be one of paper, binance_futures"),
        ('symbols = "BTC/USDT"', "holdfast.toml:1: the synthetic feed does not know BTC/USDT"),
        ('strategies = ["sma_crss"]', "holdfast.toml:1: no strategy 'sma_crss'"),
        ('strategies = ["sma_cross:fst=3"]', "holdfast.toml:1: sma_cross has no parameter 'fst'"),
        ('feed = "none.csv"', "holdfast.toml:1: no such file: none.csv"),
        ('database_url = "mysql://x"', "holdfast.toml:1: no journal is kept at mysql"),
        ('disabled = ["fees"]', "holdfast.toml:1: disabled: there is no rule fees"),
        ('strategies = ["rsi:account=other"]', "holdfast.toml:1: rsi is bound to the account"),
    ],
)
def test_check_looks_for_what_the_settings_name(capsys, tmp_path, line, said):
    """A start would refuse it."""
    (tmp_path / "holdfast.toml").write_text(line)

    assert main(["config", "check"]) == 2
    assert said in capsys.readouterr().err


def test_shares_that_are_written_in_percent_are_told_so(capsys, tmp_path):
    (tmp_path / "holdfast.toml").write_text("max_daily_loss_pct = 2\n")
    assert main(["config", "check"]) == 2
    assert "max_daily_loss_pct = 2: expected a number above 0 up to 1; it is a fraction" in (
        capsys.readouterr().err
    )

    (tmp_path / "holdfast.toml").write_text("take_profit_pct = 5\n")
    assert main(["config", "check"]) == 0
    assert "take_profit_pct = 5 is 500% of the price; it is a fraction: 0.02 is 2 %" in (
        capsys.readouterr().err
    )


def test_a_folder_whose_name_is_no_text_is_refused(capsys):
    """A journal's address, and all that is said of it, is text."""
    assert main(["run", "--for", "1s", "--data-dir", "bad\udce4"]) == 2
    assert "--data-dir = bad\\udce4: expected a folder's name in UTF-8" in capsys.readouterr().err
