"""The command line with several accounts: what is run, what is shown, and what the page says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.model.config import TradingConfig
from holdfast.model.config_accounts import AccountFields
from tests.cli.desk import FAST, recording, run_json

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "accounts.md").read_text("utf-8")
SETTINGS = f"""\
strategies = ["{FAST}", "{FAST},account=second"]
position_size_pct = 0.5
disabled = "correlation,volatility,duplicate"

[accounts.second]
leverage = 2
initial_balance = 5000
"""


@pytest.fixture
def ended(capsys, tmp_path):
    """The document of a session on two accounts that has ended, in this folder."""
    Path("holdfast.toml").write_text(SETTINGS)
    words = ["run", "--feed", recording(tmp_path), "--speed", "max", "--data-dir", "d"]
    code, document, _ = run_json(capsys, *words)
    assert code == 0
    return document


def test_a_session_on_two_accounts_says_which_and_its_report_has_both(ended, capsys):
    assert ended["accounts"] == {"main": "paper", "second": "paper"}
    assert ended["books"] == {"positions_diff": "0", "balance_diff": "0"}
    assert ended["fills"] > 3
    page = Path(ended["report"]).read_text()
    assert "<h2>Accounts</h2>" in page
    assert "SOLUSDT (second)" in page

    assert main(["stats", "--data-dir", "d"]) == 0
    assert re.search(r"^second +\d", capsys.readouterr().out, re.MULTILINE)


def test_status_and_positions_name_the_accounts_when_nothing_runs(ended, capsys):
    assert main(["status", "--data-dir", "d"]) == 0
    shown = capsys.readouterr().out
    assert "Account main" in shown
    assert "Account second" in shown

    _, document, _ = run_json(capsys, "positions", "--data-dir", "d")
    held = {position["account"] for position in document["positions"]}
    assert main(["positions", "--data-dir", "d"]) == 0
    assert ("Account" in capsys.readouterr().out) == ("second" in held)
    assert main(["orders", "--all", "--data-dir", "d"]) == 0
    assert "Account" in capsys.readouterr().out


def test_with_one_account_no_account_is_named(capsys, tmp_path):
    words = ["run", "--feed", recording(tmp_path), "--speed", "max", "--data-dir", "d"]
    code, document, _ = run_json(capsys, *words, "--strategy", FAST)
    assert code == 0
    assert "accounts" not in document
    assert "Accounts" not in Path(document["report"]).read_text()

    for command in (["status"], ["positions"], ["orders", "--all"], ["stats"]):
        assert main([*command, "--data-dir", "d"]) == 0
        assert "ccount" not in capsys.readouterr().out
    assert Path("d/account").read_text() == "paper\n"


def test_set_gives_a_setting_to_the_account_alone_and_no_secret(capsys):
    given = ["--set", "accounts.second.leverage=2", "--set", "leverage=7"]
    code, document, err = run_json(capsys, "run", "--for", "1s", "--data-dir", "d", *given)
    assert (code, document["error"]) == (0, None), err
    assert document["accounts"] == {"main": "paper", "second": "paper"}

    assert main(["run", "--set", "accounts.second.api_secret=hidden"]) == 2
    assert "--set takes no accounts.second.api_secret" in capsys.readouterr().err


def test_an_unknown_venue_of_an_account_names_its_place(capsys):
    Path("holdfast.toml").write_text('[accounts.second]\nvenue = "papr"\n')

    assert main(["run", "--data-dir", "d"]) == 2
    told = capsys.readouterr().err
    assert "holdfast.toml:2: venue must be one of" in told
    assert "was 'papr'; did you mean paper?" in told


def test_a_strategy_of_no_account_is_a_mistake_of_the_user(capsys, tmp_path):
    words = ["run", "--feed", str(recording(tmp_path)), "--strategy", f"{FAST},account=nobody"]

    assert main([*words, "--data-dir", "d"]) == 2
    assert "bound to the account 'nobody', and there is none" in capsys.readouterr().err


def test_the_pages_example_is_sound_and_its_table_is_whole():
    example = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])
    venue = example.pop("venue")["name"]
    config = TradingConfig(venue=venue, **example)

    assert config.account_names == ("main", "second")
    table = PAGE.split("## What an account may say")[1].split("A name has")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(AccountFields.model_fields)
    assert json.loads(config.model_dump_json())["accounts"]["second"]["leverage"] == 3
