"""Canaries: secrets that are put in through each source, and looked for in all that comes out.

Everything that a session writes is searched, ends that were forced included: files, output,
tracebacks, what the control API answers, and what other users see of the process.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from holdfast.cli import main
from tests.cli.desk import environment

KEY = "canaryKEYkanarienvogel0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
SECRET = "canarySECRETkanarienvogel9876543210zyxwvutsrqponmlkjihgfedcbaXYZ"
TOKEN_FILES = {"control.json"}  # the operator's own token is kept there
PATIENCE_S = 60

pytestmark = pytest.mark.timeout(180)


def by_environment(folder: Path):
    return {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}


def by_dotenv(folder: Path):
    write(folder / ".env", f"API_KEY={KEY}\nAPI_SECRET={SECRET}\n")
    return {}


def by_toml(folder: Path):
    toml = folder / "holdfast.toml"
    write(toml, toml.read_text() + f'api_key = "{KEY}"\napi_secret = "{SECRET}"\n')
    return {}


def by_file(folder: Path):
    write(folder / "secret", SECRET + "\n")
    return {"HOLDFAST_API_KEY": KEY, "HOLDFAST_API_SECRET_FILE": "secret"}


def by_keyring(folder: Path):
    """Put them into a store of the package keyring; the system's own needs a desktop."""
    (folder / "ring").mkdir()
    entries = {"api_key": KEY, "api_secret": SECRET}
    write(
        folder / "ring" / "canary_ring.py",
        "from keyring.backend import KeyringBackend\n"
        "class Ring(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, username):\n"
        f"        return {entries}[username]\n"
        "    def set_password(self, service, username, password): ...\n",
    )
    path = f"{environment()['PYTHONPATH']}:{folder / 'ring'}"
    backend = {"PYTHON_KEYRING_BACKEND": "canary_ring.Ring", "PYTHONPATH": path}
    return {"HOLDFAST_API_KEYRING": "holdfast", **backend}


SOURCES = [by_environment, by_dotenv, by_toml, by_file, by_keyring]


def write(path: Path, text: str):
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture
def exchange():
    """Open one of its own for each test: all come from one address, whose requests are counted."""
    words = ["exchange", "--symbols", "BTCUSDT", "--seed", "7"]
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words, "--account", f"{KEY}:{SECRET}"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert SECRET not in ready
        yield json.loads(ready)["rest"]
        process.terminate()
        assert SECRET not in process.communicate(timeout=PATIENCE_S)[1]


def settle(folder: Path, url: str):
    """Write the settings without a key, in a folder of their own."""
    folder.mkdir()
    write(
        folder / "holdfast.toml",
        f'symbols = "BTCUSDT"\nlog_level = "DEBUG"\n[venue]\nname = "binance_futures"\n'
        f'rest_url = "{url}"\n',
    )
    return folder


def holdfast(folder: Path, env, *words):
    """Run a command and return everything that it said, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *words],
        cwd=folder,
        env={**environment(), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def clean(text: str):
    assert SECRET not in text
    assert KEY not in text
    return text


def files_are_clean(folder: Path):
    """Search all that lies in the data folder; return how much there was."""
    searched = 0
    for path in (folder / "holdfast-data").rglob("*"):
        if path.is_file() and path.name not in TOKEN_FILES:
            found = path.read_bytes()
            assert SECRET.encode() not in found, path
            assert KEY.encode() not in found, path
            searched += len(found)
    return searched


@pytest.mark.e2e
@pytest.mark.parametrize("source", SOURCES)
def test_no_source_leads_to_any_output(tmp_path, exchange, source):
    folder = settle(tmp_path / "s", exchange)
    env = source(folder)
    strategy = ["-s", "sma_cross:fast=2,slow=3,timeframe=1s"]
    code, said = holdfast(folder, env, "run", "--for", "4s", *strategy)
    assert code == 0, said
    clean(said)

    for words in (["config", "show"], ["config", "show", "--json"], ["doctor", "--json"]):
        code, said = holdfast(folder, env, *words)
        assert code == 0, said
        clean(said)
    assert files_are_clean(folder) > 10_000
    exported = folder / "holdfast-data" / "facts.jsonl"
    assert holdfast(folder, env, "journal", "export", str(exported))[0] == 0
    assert files_are_clean(folder) > 10_000


@pytest.mark.e2e
def test_failures_that_are_forced_show_no_secret(tmp_path, exchange):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        refused = f"rest_url=http://127.0.0.1:{nobody.getsockname()[1]}"
        folder = settle(tmp_path / "s", exchange)
        good = by_environment(folder)
        strange = {**good, "BINANCE_API_SECRET": SECRET[::-1]}
        write(
            folder / "mine.py",
            "import os\nfrom holdfast.strategies import Strategy\n"
            "class Mine(Strategy):\n"
            "    def on_quote(self, quote):\n"
            "        raise RuntimeError('secret: ' + os.environ['BINANCE_API_SECRET'])\n",
        )
        for env, words, codes in (
            (strange, [], (4,)),
            (good, ["--set", refused], (4,)),
            (good, ["--debug", "--set", refused], (1,)),
            (strange, ["--debug"], (1,)),
            (good, ["-s", "mine.py:Mine", "--for", "3s"], (7,)),
            (good, ["--set", f"api_secrte={SECRET}"], (2,)),
        ):
            code, said = holdfast(folder, env, "run", "--for", "2s", *words)
            assert code in codes, said
            assert SECRET[::-1] not in said
            clean(said.replace(f"api_secrte={SECRET}", ""))
    files_are_clean(folder)
    log = (folder / "holdfast-data" / "logs" / "trading" / "holdfast.log").read_text()
    assert "RuntimeError" in log


@contextmanager
def ended(process):
    """Let no process outlive its test."""
    try:
        yield
    finally:
        process.terminate()


@pytest.mark.e2e
def test_a_running_session_shows_no_secret_to_others(tmp_path, exchange):
    folder = settle(tmp_path / "s", exchange)
    env = {**environment(), **by_environment(folder)}
    with (
        subprocess.Popen(
            [sys.executable, "-m", "holdfast", "run", "--json"],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
        ended(process),
    ):
        control = folder / "holdfast-data" / "control.json"
        until = time.monotonic() + PATIENCE_S
        while not control.exists() and time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        clean(Path(f"/proc/{process.pid}/cmdline").read_text())
        clean(control.read_text())
        for words in (["status"], ["metrics"], ["stats"], ["orders"], ["positions"]):
            code, said = holdfast(folder, {}, *words, "--json")
            assert code == 0, said
            clean(said)
        for path in ("/v1/session", "/v1/metrics", "/v1/nothing"):
            clean(answer_of(json.loads(control.read_text()), path))
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_S)
    clean(out + err)
    assert json.loads(out)["books"]["balance_diff"] == "0"
    files_are_clean(folder)


def answer_of(control, path):
    """Ask the control API, as anybody with the token may."""
    request = urllib.request.Request(
        control["url"] + path,
        headers={"Authorization": f"Bearer {control['token']}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


@pytest.mark.parametrize("name", ["api_key", "api_secret", "binance_api_secret"])
def test_a_command_line_takes_no_secret(capsys, name):
    assert main(["run", "--data-dir", "d", "--set", f"{name}={SECRET}", "--json"]) == 2

    told = capsys.readouterr()
    assert "every user of this machine can read a command line" in told.err
    assert SECRET not in told.err + told.out


URLS = [
    f"postgresql://me:{SECRET}@127.0.0.1:1/nothing",
    f"postgresql://me@127.0.0.1:1/nothing?password={SECRET}",
]
WAYS = [["--database-url"], ["--set", "database_url"], ["--set", "journal.database_url"]]


@pytest.mark.parametrize("url", URLS, ids=["user", "query"])
@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_command_line_takes_no_password_of_a_journal(capsys, monkeypatch, tmp_path, way, url):
    monkeypatch.chdir(tmp_path)
    words = [*way, url] if len(way) == 1 else [way[0], f"{way[1]}={url}"]
    assert main(["run", *words]) == 2
    told = capsys.readouterr()

    assert "HOLDFAST_DATABASE_URL" in told.err
    assert "~/.pgpass" in told.err
    assert SECRET not in told.out + told.err
    assert list(tmp_path.iterdir()) == []


COMMANDS = [["stats"], ["trace", "x"], ["journal", "verify"], ["release", "--yes"], ["watch"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_takes_a_password_of_a_journal(capsys, command):
    assert main([*command, "--database-url", URLS[0]]) == 2
    assert "HOLDFAST_DATABASE_URL" in capsys.readouterr().err


def test_a_journals_url_without_a_password_is_taken(capsys):
    assert main(["stats", "--database-url", "postgresql://me@127.0.0.1:1/nothing"]) == 5
    assert "command line" not in capsys.readouterr().err


def test_a_kill_is_not_refused_for_a_password_and_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    main(["kill", "--data-dir", str(tmp_path), "--database-url", URLS[0]])
    told = capsys.readouterr()

    assert "takes no URL" not in told.err
    assert SECRET not in told.out + told.err


@pytest.mark.e2e
def test_a_private_key_in_pem_is_kept_as_a_secret_is(tmp_path):
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    canary = pem.splitlines()[1]
    (tmp_path / "me.pub.pem").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    words = ["exchange", "--symbols", "BTCUSDT", "--account", f"me:@{tmp_path}/me.pub.pem"]
    with subprocess.Popen(
        [sys.executable, "-m", "holdfast", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["rest"]
        folder = settle(tmp_path / "s", url)
        write(folder / "me.pem", pem)
        env = {"HOLDFAST_API_KEY": "me", "HOLDFAST_API_SECRET_FILE": "me.pem"}
        code, said = holdfast(folder, env, "run", "--for", "2s", "--json")
        process.terminate()
        process.communicate(timeout=PATIENCE_S)

    assert code == 0, said
    assert canary not in said
    for path in (folder / "holdfast-data").rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes()
