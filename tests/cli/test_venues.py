"""The dict of venues is what a session is opened through, by command line and by programs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from holdfast import ConfigError, LiveTradingService, TradingConfig
from holdfast.venues import VENUES, Wiring, later
from tests.cli import acme
from tests.cli.desk import FAST, environment, recording, run_json
from tests.runtime.session_desk import BTC, ScriptedFeed, running


@pytest.fixture
def with_acme(monkeypatch):
    monkeypatch.setitem(VENUES, "acme", acme.open_venue)  # the one line


def test_a_venue_is_one_file_and_one_line(capsys, tmp_path, with_acme):
    feed = recording(tmp_path)
    asked = ["--venue", "acme", "--live", "--feed", feed, "--speed", "max", "-s", FAST]
    code, document, err = run_json(capsys, "run", *asked, "--data-dir", "d", "--no-report")

    assert code == 0, err
    assert document["venue"] == "acme"
    assert document["fills"] > 0
    assert document["books"] == {"positions_diff": "0", "balance_diff": "0"}
    assert (tmp_path / "d" / "acme.db").exists()
    assert not (tmp_path / "d" / "paper.db").exists()


async def test_a_program_trades_at_the_venue_that_its_settings_name(tmp_path, with_acme):
    config = TradingConfig(venue="acme", data_dir=tmp_path, log_trades=False)
    service = LiveTradingService(config=config)
    async with running(tmp_path, service=service) as desk:
        order = await desk.service.place_order(BTC, "BUY", "0.01")

        assert desk.service.live.venue.name == "acme"
        assert order.filled_quantity == order.quantity


def test_a_dry_run_opens_the_simulated_account_instead(capsys, tmp_path, with_acme):
    feed = recording(tmp_path)
    asked = ["--venue", "acme", "--dry-run", "--feed", feed, "--speed", "max", "-s", FAST]
    code, document, _ = run_json(capsys, "run", *asked, "--data-dir", "d", "--no-report")

    assert (code, document["venue"]) == (0, "paper")
    assert not (tmp_path / "d" / "acme.db").exists()


def test_a_venue_without_a_feed_of_its_own_asks_for_one(capsys, with_acme):
    code, document, _ = run_json(capsys, "run", "--venue", "acme", "--data-dir", "d")

    assert code == 2
    assert "acme has no feed of its own: name one with --feed" in document["error"]


@pytest.mark.parametrize("written", [["--set", "symbols=ethusdt"], ["--symbols", "ethusdt"]])
def test_a_setting_counts_the_same_as_the_flag_of_its_name(capsys, written):
    asked = ["run", "--for", "200ms", "--data-dir", "d", "--no-report", *written]

    assert run_json(capsys, *asked)[1]["symbols"] == ["ETHUSDT"]


async def test_a_program_is_told_which_venues_there_are(tmp_path):
    service = LiveTradingService(config=TradingConfig(venue="nyse", data_dir=tmp_path))
    with pytest.raises(ConfigError, match=r"venue must be one of paper, .* was 'nyse'"):
        await service.start_session("p", [], [BTC], feed=ScriptedFeed())


def test_a_venue_is_loaded_when_it_is_opened_and_not_before():
    code = (
        "import sys, holdfast.venues\n"
        "heavy = {'aiohttp', 'cryptography', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'holdfast.venues.binance_futures' not in sys.modules\n"
        "assert 'binance_futures' in holdfast.venues.VENUES\n"
    )

    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)


def test_a_venue_that_is_named_is_the_one_that_is_loaded(tmp_path):
    config = TradingConfig(venue="binance_futures", api_key="k", api_secret="s", isolated=True)
    venue = later("binance_futures.opening")(Wiring(config=config, clock=ScriptedClock()))

    assert (venue.name, venue.capabilities.is_simulated) == ("binance_futures", False)


class ScriptedClock:
    def now(self):
        return 1

    def advance(self, ts):
        pass


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--venue", "binance"], "did you mean binance_futures?"),
        (["--venue", "binanse"], "did you mean binance_futures?"),
        (["--live"], "--live needs a real venue, and venue is paper (default)"),
        (["--venue", "binance_futures"], "needs an API key; put BINANCE_API_KEY"),
        (["--set", "rest_url=127.0.0.1:9000"], "expected a URL such as http://127.0.0.1:9000"),
        (["--set", "stream_url=http://x"], "expected a URL such as ws://127.0.0.1:9000"),
        (["--set", "rest_url=http://me:pass@x"], "without a password"),
        (["--feed", "binance", "--speed", "60"], "is live and can't be hurried"),
    ],
)
def test_a_venue_that_can_not_be_opened_says_what_to_change(capsys, arguments, said):
    code, document, _ = run_json(capsys, "run", "--data-dir", "d", *arguments)

    assert code == 2
    assert said in document["error"]


def test_a_recording_can_not_be_traded_at_a_real_venue(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BINANCE_API_KEY", "k")
    monkeypatch.setenv("BINANCE_API_SECRET", "s")
    asked = ["--venue", "binance_futures", "--feed", recording(tmp_path), "--data-dir", "d"]
    code, document, _ = run_json(capsys, "run", *asked)

    assert code == 2
    assert "needs a live feed" in document["error"]
    assert "--dry-run" in document["error"]


def test_a_folder_keeps_to_one_account(capsys, tmp_path, with_acme):
    feed = recording(tmp_path)
    asked = ["run", "--feed", feed, "--speed", "max", "-s", FAST, "--data-dir", "d", "--no-report"]
    assert run_json(capsys, *asked)[0] == 0
    code, document, _ = run_json(capsys, *asked, "--venue", "acme")

    assert code == 2
    assert "/d holds the records of paper; acme needs one of its own" in document["error"]


def test_a_journal_keeps_to_one_account_whatever_the_folder(capsys, tmp_path, with_acme):
    """Two folders may name one database: a server's above all."""
    asked = ["run", "--feed", recording(tmp_path), "--speed", "max", "-s", FAST, "--no-report"]
    asked += ["--database-url", f"sqlite:///{tmp_path / 'shared.db'}"]
    assert run_json(capsys, *asked, "--data-dir", "d")[0] == 0
    code, document, _ = run_json(capsys, *asked, "--data-dir", "e", "--venue", "acme")

    assert code == 2
    assert "/e holds the records of paper; acme needs one of its own" in document["error"]
    assert not (tmp_path / "e" / "account").exists()


def test_a_start_that_came_to_nothing_does_not_take_the_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BINANCE_API_KEY", "k")
    monkeypatch.setenv("BINANCE_API_SECRET", "some-secret")
    nowhere = ["--venue", "binance_futures", "--set", "rest_url=http://127.0.0.1:9"]
    assert run_json(capsys, "run", *nowhere, "--data-dir", "d", "--symbols", "BTCUSDT")[0] == 4

    asked = ["run", "--feed", recording(tmp_path), "--speed", "max", "-s", FAST, "--no-report"]

    assert run_json(capsys, *asked, "--data-dir", "d")[0] == 0


def test_a_venue_that_can_not_be_reached_points_to_the_doctor(capsys):
    asked = ["--feed", "binance", "--symbols", "BTCUSDT", "--set", "rest_url=http://127.0.0.1:9"]
    code, document, err = run_json(capsys, "run", "--data-dir", "d", *asked)

    assert code == 4
    assert "127.0.0.1:9" in document["error"]
    assert "holdfast doctor, with the same settings, examines the way" in err
