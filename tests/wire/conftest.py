"""An exchange as a process, and a client in an environment of its own that works against it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).resolve().parent / "clients"
RUN_S = 60
KEY, SECRET = "wire", "hush"
FAILURE = "failure"

FAULTS = (
    "too_many_requests@GET /fapi/v1/openInterest",
    "unknown_executed@POST /fapi/v1/countdownCancelAll",
)
"""What every client meets where it asks for just these."""


@contextmanager
def exchange():
    """Run `holdfast exchange` with an account of ours, and give its URLs."""
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    command = [sys.executable, "-m", "holdfast", "exchange", "--port", "0", "--seed", "7"]
    command += ["--symbols", "BTCUSDT,ETHUSDT", "--account", f"{KEY}:{SECRET}", "--strict-routing"]
    with subprocess.Popen(
        [*command, *faults],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=RUN_S)
    assert (process.returncode, rest, errors) == (0, "", "")


def run(environment, script):
    """Let a client's script work against a fresh exchange and return what it saw, or its failure."""
    home = ROOT / ".venv-clients" / environment
    if not (home / ".installed").exists():
        pytest.skip(f".venv-clients/{environment} is not there; `make test` makes it")
    with exchange() as urls:
        addresses = [urls["rest"], urls["streams"], urls["ws_api"]]
        done = subprocess.run(
            [str(home / "bin" / "python"), str(CLIENTS / script), KEY, SECRET, *addresses],
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
            env={name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        )
    if done.returncode:
        return {FAILURE: done.stderr[-4000:]}
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def what_it_saw(tmp_path_factory, request):
    """Return what a client saw; it works once, however many test processes ask."""
    place = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # pytest-xdist: one directory for each process
        place = place.parent

    def seen(environment, script):
        kept = place / f"{script}.json"
        with (place / f"{script}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_text(json.dumps(run(environment, script)))
        found = json.loads(kept.read_text())
        assert FAILURE not in found, found[FAILURE]
        return found

    return seen
