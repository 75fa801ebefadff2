"""A folder of one's own for each command, and a finished session to look into."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from holdfast.cli import main
from tests.cli.desk import FAST, recording


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """No settings from the outside: not from the environment, not from the current folder."""
    for name in [name for name in os.environ if name.startswith("HOLDFAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _hangups_are_heard():
    """As in a terminal: below `nohup` they are ignored, also by the processes that are started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The data folder of a session that has ended, and what it said of itself."""
    folder = tmp_path_factory.mktemp("finished")
    feed, data, out = recording(folder), folder / "data", folder / "out.json"
    with out.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.stdout", file)
        arguments = ["--feed", str(feed), "--speed", "max", "-s", FAST, "--data-dir", str(data)]
        code = main(["run", *arguments, "--json"])
    assert code == 0
    return SimpleNamespace(data=data, feed=feed, text=out.read_text())
