"""`holdfast doctor` against an exchange on a port, in health and in every sickness."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.exchange_server import rest_account
from holdfast.journal import open_journal
from holdfast.model.errors import TradingError
from holdfast.model.values import NS_PER_S
from holdfast.runtime import doctor as doctor_module
from holdfast.runtime import machine
from holdfast.runtime.clock import WallClock
from holdfast.venues import VENUES
from holdfast.venues.binance_futures import examination
from tests.cli import acme
from tests.venues.binance_futures.adapter_street import street

LINES = [
    "settings", "disk", "fsync", "journal", "owner", "REST", "clock", "BTCUSDT", "key",
    "permissions", "account", "public stream", "market stream", "private stream", "WebSocket API",
    "limits",
]  # fmt: skip


@pytest.fixture
def market():
    """An exchange whose best price moves, as the one that quotes are told of."""
    with street() as market, moving(market):
        yield market


@contextmanager
def moving(market):
    is_over = threading.Event()

    def move():
        while not is_over.wait(0.1):
            market.last = 50_001.0 if market.last == 50_000.0 else 50_000.0

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield
    finally:
        is_over.set()
        mover.join()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(examination, "FIRST_S", 3.0)


def asked(market, *more, key="test", secret="test"):
    """Write the keys where they belong, and return the command."""
    dotenv = Path(".env")
    dotenv.write_text(f"BINANCE_API_KEY={key}\nBINANCE_API_SECRET={secret}\n")
    dotenv.chmod(0o600)
    settings = [word for each in (f"rest_url={market.url}", *more) for word in ("--set", each)]
    return ["doctor", "--venue", "binance_futures", "--data-dir", "d", *settings]


def examine(capsys, arguments):
    """Return the exit code and each check's row by its name."""
    code = main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == code
    assert document["is_ok"] == (code == 0)
    return code, {row["check"]: row for row in document["checks"]}


def sick(rows, health="failed"):
    """Return the rows that failed; each has a way out."""
    found = {name: row for name, row in rows.items() if row["health"] == health}
    assert all(row["way_out"] for row in found.values())
    return found


def test_in_health_every_check_is_told(capsys, market):
    code, rows = examine(capsys, asked(market))

    assert code == 0
    assert list(rows) == LINES
    assert not sick(rows)
    assert rows["permissions"]["health"] == "skipped"
    assert "tick 0.10, lot 0.001" in rows["BTCUSDT"]["told"]
    assert "holds 10000 USDT" in rows["account"]["told"]
    assert "of 2400 weight of a minute" in rows["limits"]["told"]
    assert "not there yet" in rows["journal"]["told"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [("multiAssetsMargin", "multi-assets"), ("dualSidePosition", "hedge mode")],
)
def test_an_account_that_is_set_otherwise_is_told_with_the_way_out(
    capsys, market, monkeypatch, setting, said
):
    config = rest_account._config
    monkeypatch.setattr(rest_account, "_config", lambda ctx: {**config(ctx), setting: True})

    code, rows = examine(capsys, asked(market))

    assert code != 0
    assert rows["account"]["health"] == "failed"
    assert said in rows["account"]["told"]


def test_people_get_a_table_and_the_ways_out(capsys, market):
    assert main(asked(market, secret="wr0ng-one")) == 4

    out = capsys.readouterr().out
    assert "failed    key" in out
    assert "\nkey: see that key and secret belong together" in out
    assert "wr0ng-one" not in out


def test_nothing_is_changed(capsys, market, tmp_path):
    before = market.books()
    examine(capsys, asked(market))

    assert market.books() == before
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [({"secret": "wrong"}, "Signature"), ({"key": "unknown"}, "API-key")],
    ids=["secret", "key"],
)
def test_a_wrong_key_is_told_and_what_needs_it_is_skipped(capsys, market, keys, said):
    code, rows = examine(capsys, asked(market, **keys))

    assert code == 4
    assert list(sick(rows)) == ["key"]
    assert said in rows["key"]["told"]
    assert rows["private stream"]["health"] == "skipped"
    assert rows["public stream"]["health"] == "ok"


def test_a_missing_key_is_the_settings_fault(capsys, market):
    arguments = ["doctor", "--venue", "binance_futures", "--set", f"rest_url={market.url}"]
    code, rows = examine(capsys, [*arguments, "--data-dir", "d"])

    assert code == 2
    assert "BINANCE_API_KEY" in sick(rows)["key"]["way_out"]


def test_a_dry_run_needs_no_key(capsys, market):
    arguments = ["doctor", "--feed", "binance", "--set", f"rest_url={market.url}"]
    code, rows = examine(capsys, [*arguments, "--data-dir", "d"])

    assert code == 0
    assert rows["key"]["health"] == "skipped"
    assert rows["market stream"]["health"] == "ok"
    assert rows["WebSocket API"]["health"] == "ok"


def test_a_wrong_address_ends_the_examination_there(capsys):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        arguments = ["doctor", "--feed", "binance", "--set", f"rest_url={url}", "--data-dir", "d"]
        code, rows = examine(capsys, arguments)

    assert code == 4
    assert list(sick(rows)) == ["REST"]
    assert url in rows["REST"]["told"]
    assert "rest_url" in rows["REST"]["way_out"]


@pytest.mark.parametrize(
    ("setting", "check"),
    [("stream_url", "public stream"), ("ws_api_url", "WebSocket API")],
)
def test_a_wrong_address_of_one_door_is_that_door_s(capsys, market, setting, check):
    code, rows = examine(capsys, asked(market, f"{setting}=ws://127.0.0.1:9/nowhere"))

    assert code == 4
    assert check in sick(rows)
    assert rows["key"]["health"] == "ok"


def test_a_clock_that_is_off_is_told_with_how_far(capsys, market, monkeypatch):
    class Ahead(WallClock):
        def now(self):
            return super().now() + 5 * NS_PER_S

    monkeypatch.setattr(doctor_module, "WallClock", Ahead)
    code, rows = examine(capsys, asked(market))

    assert code == 4
    assert "5.0 s ahead of the venue's" in sick(rows)["clock"]["told"]
    assert "chrony" in rows["clock"]["way_out"]


def test_a_stream_that_says_nothing_is_told(capsys, market, monkeypatch):
    monkeypatch.setattr(examination, "FIRST_S", 1.0)
    market.goes_wrong("silent_stream", "*", count=None)
    code, rows = examine(capsys, asked(market))

    assert code == 4
    assert "nothing came for 1 s" in sick(rows)["market stream"]["told"]
    assert rows["WebSocket API"]["health"] == "ok"


def test_a_path_too_many_is_met_with_silence_and_told(capsys, market):
    """The exchange routes strictly, as the real one does."""
    streams = market.url.replace("http", "ws") + "/market/ws"
    code, rows = examine(capsys, asked(market, f"stream_url={streams}"))

    assert code == 4
    assert "stream_url names the host alone" in sick(rows)["public stream"]["way_out"]


def test_a_symbol_of_which_nothing_is_told_is_not_taken_for_a_silent_stream(capsys, monkeypatch):
    """Its best price stands still: the quotes of all symbols come all the same."""
    monkeypatch.setattr(examination, "FIRST_S", 8.0)
    with street() as market:
        code, rows = examine(capsys, asked(market))

    assert (code, list(sick(rows))) == (0, [])


def test_a_symbol_that_is_not_traded_there_is_the_settings_fault(capsys, market):
    code, rows = examine(capsys, [*asked(market), "--symbols", "BTCUSDT,NOPEUSDT"])

    assert code == 2
    assert list(sick(rows)) == ["NOPEUSDT"]
    assert rows["BTCUSDT"]["health"] == "ok"


def test_a_secret_s_file_that_is_open_to_others_is_told(capsys, market, tmp_path):
    path = tmp_path / "secret"
    path.write_text("test")
    path.chmod(0o644)
    arguments = [*asked(market, secret=""), "--set", f"api_secret_file={path}"]
    code, rows = examine(capsys, arguments)
    assert code == 2
    assert "(mode 0644): chmod 600" in sick(rows)["key"]["told"]

    path.chmod(0o600)

    assert not sick(examine(capsys, arguments)[1])


def test_records_of_another_account_are_told_as_a_start_refuses_them(capsys, market):
    assert main(["run", "--for", "0.1s", "--data-dir", "d", "--no-report", "--json"]) == 0
    capsys.readouterr()
    code, rows = examine(capsys, asked(market))

    assert (code, list(sick(rows))) == (2, ["records"])
    assert "holds the records of paper" in rows["records"]["told"]
    assert "--data-dir" in rows["records"]["way_out"]
    assert "records" not in examine(capsys, [*asked(market), "--dry-run"])[1]


# The machine


def test_a_simulated_account_needs_no_venue(capsys):
    code, rows = examine(capsys, ["doctor", "--data-dir", "d"])

    assert code == 0
    assert list(rows) == ["settings", "disk", "fsync", "journal", "owner", "venue"]


def test_a_journal_in_use_names_its_owner(capsys, tmp_path):
    (tmp_path / "d").mkdir()
    journal = open_journal(tmp_path / "d" / "holdfast.db")
    try:
        code, rows = examine(capsys, ["doctor", "--data-dir", "d"])
    finally:
        journal.close()

    assert code == 0
    assert f"process {os.getpid()}" in sick(rows, "warning")["owner"]["told"]
    assert "epoch 1" in rows["journal"]["told"]
    assert examine(capsys, ["doctor", "--data-dir", "d"])[1]["owner"]["health"] == "ok"


@pytest.mark.postgres
def test_a_journal_on_a_server_in_use_names_its_owner(capsys, postgres_url):
    arguments = ["doctor", "--data-dir", "d", "--database-url", postgres_url]
    journal = open_journal(postgres_url)
    try:
        code, rows = examine(capsys, arguments)
        assert code == 0
        assert f"process {os.getpid()}" in sick(rows, "warning")["owner"]["told"]
        assert "epoch 1" in rows["journal"]["told"]
        journal.sync()  # it is still the owner
    finally:
        journal.close()
    other = postgres_url + ("&" if "?" in postgres_url else "?") + "journal=other"

    assert examine(capsys, arguments)[1]["owner"]["told"] == "nobody has it"
    code, rows = examine(capsys, [*arguments[:-1], other])
    assert (code, rows["owner"]["told"]) == (0, "nobody has it")
    assert "not there yet" in rows["journal"]["told"]


def test_a_server_that_is_not_there_fails(capsys, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/nothing")
    code, rows = examine(capsys, ["doctor", "--data-dir", "d"])

    assert code == 5
    assert sorted(sick(rows)) == ["journal", "owner"]
    assert "hush" not in str(rows)


def test_a_file_that_is_no_journal_fails(capsys, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "holdfast.db").write_text("something else entirely" * 100)
    code, rows = examine(capsys, ["doctor", "--data-dir", "d"])

    assert code == 5
    assert list(sick(rows)) == ["journal"]


def test_a_full_disk_fails_and_one_that_fills_up_warns(capsys, monkeypatch):
    monkeypatch.setattr(machine, "FREE_LEAST", 2**80)
    code, rows = examine(capsys, ["doctor", "--data-dir", "d"])
    assert (code, list(sick(rows))) == (5, ["disk"])

    monkeypatch.setattr(machine, "FREE_LEAST", 0)
    monkeypatch.setattr(machine, "FREE_GOOD", 2**80)

    assert list(sick(examine(capsys, ["doctor", "--data-dir", "d"])[1], "warning")) == ["disk"]


def test_a_folder_that_takes_no_write_fails(capsys, monkeypatch):
    def refuse(fd):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", refuse)
    code, rows = examine(capsys, ["doctor", "--data-dir", "d"])

    assert (code, list(sick(rows))) == (5, ["fsync"])
    assert "Read-only file system" in rows["fsync"]["told"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_venue_without_an_examiner_is_connected_to_and_left(capsys, monkeypatch, is_there):
    def open_venue(wiring):
        if not is_there:
            raise TradingError("the road is closed")
        return acme.open_venue(wiring)

    monkeypatch.setitem(VENUES, "acme", open_venue)
    code, rows = examine(capsys, ["doctor", "--venue", "acme", "--data-dir", "d"])

    assert code == (0 if is_there else 4)
    assert rows["venue"]["health"] == ("ok" if is_there else "failed")
