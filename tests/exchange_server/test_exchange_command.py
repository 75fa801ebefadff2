"""`holdfast exchange` as a process: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from holdfast.cli import main

READY_S = 30


def start(*arguments):
    feed = () if "--feed" in arguments else ("--feed", "none")
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "exchange", *feed, *arguments],
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


def read(url):
    with urllib.request.urlopen(url, timeout=READY_S) as answer:
        return json.load(answer)


@pytest.mark.e2e
def test_a_live_feed_brings_another_exchanges_market_with_its_candles():
    source = start("--feed", "synthetic", "--symbols", "ETHUSDT", "--unlimited")
    try:
        url = json.loads(source.stdout.readline())["rest"]
        copy = start("--feed", "binance", "--feed-url", url, "--symbols", "ETHUSDT")
        try:
            rest = json.loads(copy.stdout.readline())["rest"]
            end = time.monotonic() + READY_S
            while not (trades := read(f"{rest}/fapi/v1/trades?symbol=ETHUSDT")):
                assert time.monotonic() < end, "no trade came"
                time.sleep(0.1)
            candles = read(f"{rest}/fapi/v1/klines?symbol=ETHUSDT&interval=1m&limit=100")
            original = read(f"{url}/fapi/v1/klines?symbol=ETHUSDT&interval=1m&limit=100")
            heard = {each["price"] for each in trades}
            while not heard <= {
                each["p"] for each in read(f"{url}/fapi/v1/aggTrades?symbol=ETHUSDT")
            }:
                assert time.monotonic() < end, "what was heard is none of its trades"
                time.sleep(0.1)  # an aggregate is listed once it is whole
            copy.send_signal(signal.SIGINT)
            _, errors = copy.communicate(timeout=READY_S)
        finally:
            copy.kill()
            copy.wait()
    finally:
        source.kill()
        source.communicate()

    assert (copy.returncode, errors) == (0, "")
    told = {each[0]: each[:6] for each in original}
    assert sum(told.get(each[0]) == each[:6] for each in candles) >= 95  # the newest still grow


def test_a_live_feed_without_a_network_is_told(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code = main(["exchange", "--feed", "binance", "--feed-url", f"http://127.0.0.1:{port}"])
    told = capsys.readouterr()

    assert code != 0
    assert "GET /fapi/v1/exchangeInfo: not sent" in told.err
    assert f"127.0.0.1:{port}" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--fault", "gremlins"], "kinds: unknown_executed"),
        (["--account", "alone"], "an account is a key, a colon, and a secret"),
        (["--balance", "much"], "balance must be a number"),
        (["--balance", "-1"], "balance must not be negative"),
        (["--feed", "/nowhere/at.csv"], "no such file"),
        (["--fault", "delay:2"], "fault 'delay:2': probability of delay must be 0 to 1, was 2.0\n"),
        (["--faults", "/nowhere/at.toml"], "at.toml can't be read: No such file or directory\n"),
        (["--feed", "binance", "--feed-url", "ftp://host"], "must begin with http://"),
        (["--feed", "binance", "--speed", "60"], "speed must be 1, was 60"),
        (["--feed", "binance", "--speed", "max"], "speed must be 1, was max"),
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
