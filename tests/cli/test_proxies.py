"""A proxy that the environment names is not taken, and that is said where it matters."""

from __future__ import annotations

import pytest

from holdfast.cli import main
from tests.cli.desk import FAST, recording, run_json

NOWHERE = "http://127.0.0.1:9"
LIVE = ["--feed", "binance", "--symbols", "BTCUSDT", "--set", f"rest_url={NOWHERE}"]
LIVE += ["--set", "stream_url=ws://127.0.0.1:9"]


@pytest.fixture(autouse=True)
def _behind_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@10.0.0.1:3128")


def test_a_start_that_goes_past_a_proxy_says_so(tmp_path, capsys):
    assert main(["run", "--data-dir", str(tmp_path), *LIVE, "--set", "auto_restart=false"]) == 4

    told = capsys.readouterr().err
    assert "HTTPS_PROXY is set, but connections to the exchange take no proxy" in told
    assert "canary" not in told


def test_doctor_says_so_too(tmp_path, capsys):
    _, found, _ = run_json(capsys, "doctor", "--data-dir", tmp_path, *LIVE)

    [row] = [row for row in found["checks"] if row["check"] == "proxy"]
    assert (row["health"], "HTTPS_PROXY" in row["told"]) == ("warning", True)


def test_a_session_that_needs_no_network_says_nothing_of_proxies(tmp_path, capsys):
    file = str(recording(tmp_path))
    main(["run", "--data-dir", str(tmp_path / "d"), "--feed", file, "--speed", "max", "-s", FAST])

    assert "PROXY" not in capsys.readouterr().err
