"""A process that is killed at any line of taking a journal over, writing it and leaving it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from tests.journal.samples import fills

ROOT = Path(__file__).resolve().parents[2]

_KILLED_OWNERS = """
import os, shutil, signal, sys
from pathlib import Path
from holdfast.journal import archives, open_journal, sqlite, stage, upkeep
from tests.journal.samples import fill, fills
pristine, work, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
stage.STAGE_BYTES = 3_000  # so that there are several

def in_child(act):
    child = os.fork()
    if not child:
        act()
        os._exit(0)
    return os.waitpid(child, 0)[1]

def leave_something():
    journal = open_journal(pristine / "a.db")
    journal.append(fills(60))
    journal.sync()
    journal.save_snapshot(60, b"state")
    journal._committer.move = vars(journal)["_sync"].__self__.fill = lambda: None
    for number in range(61, 91):
        journal.append([fill(number)])
    with stage.stage_files(pristine / "a.db")[-1].open("ab") as file:
        file.write(b"torn")
    os.kill(os.getpid(), signal.SIGKILL)

def lines_until(victim):
    seen, count = {}, 0
    def local(frame, event, _):
        nonlocal count
        line = (frame.f_code, frame.f_lineno)
        if event == "line" and seen.get(line, 0) < 3:
            seen[line] = seen.get(line, 0) + 1
            if count == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
        return local
    sys.settrace(lambda frame, *_: local if "/holdfast/journal/" in frame.f_code.co_filename else None)

def one_life(folder, victim):
    lines_until(victim)
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    journal = open_journal(folder / "a.db")
    for number in range(91, 111):
        journal.append([fill(number)], lambda: os.write(said, b"."))
        if number == 100:
            journal.save_snapshot(100, b"state")
    journal.close()

in_child(leave_something)
for number in range(0, 10**6, step):
    folder = work / str(number)
    shutil.copytree(pristine, folder)
    if not os.WIFSIGNALED(in_child(lambda: one_life(folder, number))):
        break
"""


@pytest.mark.e2e
@pytest.mark.timeout(600)  # a process a line, on a machine that may be busy
def test_an_owner_killed_at_any_line_loses_nothing_and_doubles_nothing(tmp_path):
    pristine, work = tmp_path / "pristine", tmp_path / "work"
    pristine.mkdir()
    work.mkdir()
    step = os.environ.get("HOLDFAST_LINES_STEP", "19")
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_OWNERS, str(pristine), str(work), step],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )
    assert done.returncode == 0, done.stderr
    folders = sorted(work.iterdir(), key=lambda folder: int(folder.name))

    assert len(folders) > 20
    for folder in folders:
        said = folder / "said"
        journal = open_journal(folder / "a.db")
        found = list(journal.replay())
        journal.close()
        left = {path.name for path in folder.iterdir() if ".stage-" in path.name}
        assert found == fills(len(found)), folder.name
        assert len(found) >= 90 + (said.stat().st_size if said.exists() else 0), folder.name
        assert all(".cut-" in name for name in left), (folder.name, left)
        assert len(left) == 1, (folder.name, left)  # the torn end of the life before
        assert verify(folder / "a.db").is_ok
