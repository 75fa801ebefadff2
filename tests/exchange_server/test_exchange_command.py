"""`holdfast exchange` as a process: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from holdfast.cli import main

READY_S = 30


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "exchange", "--feed", "none", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


@pytest.mark.e2e
def test_it_says_where_it_is_and_ends_on_ctrl_c(tmp_path):
    process = start("--data-dir", str(tmp_path), "--account", "me:hidden", "--symbols", "btcusdt")
    ready = json.loads(process.stdout.readline())
    with urllib.request.urlopen(f"{ready['rest']}/fapi/v1/exchangeInfo", timeout=READY_S) as answer:
        listing = json.load(answer)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=READY_S)

    assert ready["event"] == "ready"
    assert ready["ws_api"].endswith("/ws-fapi/v1")
    assert ready["accounts"] == [{"account": "me", "key": "me", "secret": "***"}]
    assert [each["symbol"] for each in listing["symbols"]] == ["BTCUSDT"]
    assert (process.returncode, rest, errors) == (0, "", "")
    assert (tmp_path / "exchange.db").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--fault", "gremlins"], "kinds: unknown_executed"),
        (["--account", "alone"], "an account is a key, a colon, and a secret"),
        (["--balance", "much"], "balance must be a number"),
        (["--balance", "-1"], "balance must not be negative"),
        (["--feed", "/nowhere/at.csv"], "no such file"),
        (["--faults", "/nowhere/at.toml"], "can't be read"),
    ],
)
def test_a_mistake_is_told_in_a_line(arguments, text, capsys):
    code = main(["exchange", *arguments])
    told = capsys.readouterr()

    assert code == 2
    assert text in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_port_in_use_is_told(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = main(["exchange", "--feed", "none", "--port", port])

    assert code == 2
    assert f"port {port} of 127.0.0.1 is in use" in capsys.readouterr().err
