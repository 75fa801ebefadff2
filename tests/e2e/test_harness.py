"""Fifty kills of real processes over real sockets, and a broken product that is found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cli.desk import environment

JOBS = str(max(3, min(4, os.cpu_count() or 1)))

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def harness(folder, *words):
    command = [sys.executable, "-m", "holdfast.simulation.dev", "kill", "--json", *words]
    done = subprocess.run(
        [*command, "--jobs", JOBS, "--folder", str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done, json.loads(done.stdout) if done.stdout else {}


def test_fifty_kills_lose_and_double_nothing_and_every_fault_has_struck(tmp_path):
    done, found = harness(tmp_path / "kept", "--kills", "50", "--seed", "2026")

    assert found["violations"] == 0, done.stderr
    assert found["faults_that_never_struck"] == [], done.stderr
    assert found["kills"] >= 50
    assert found["fills"] > 50
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "kept").exists()  # nothing is kept of what went well


@pytest.mark.postgres
def test_kills_and_dropped_clients_of_a_journal_on_a_server_lose_nothing(tmp_path, postgres_server):
    words = ["--kills", "6", "--seed", "402", "--server", postgres_server]
    words += ["--only", "kill_session", "kill_exchange", "database_cut", "database_locked"]
    done, found = harness(tmp_path / "kept", *words)

    assert found["violations"] == 0, done.stderr
    assert found["kills"] == 6
    assert found["faults"]["database_cut"] > 0
    assert found["fills"] > 10


def test_a_product_that_places_no_stops_is_found_out_and_all_is_kept(tmp_path):
    words = ["--kills", "5", "--seed", "1", "--without", "stops are placed", "--patience", "15"]
    done, found = harness(tmp_path / "kept", *words)

    assert done.returncode == 1
    assert found["violations"] > 0, done.stderr
    [story, *_] = (tmp_path / "kept").glob("seed-*/story.txt")
    assert "stops: parent" in story.read_text()
    assert (story.parent / "kept" / "data" / "holdfast.db").exists()
