"""A journal on a server is archived there, beside its owner, and read as if nothing had moved."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.journal import archiving, bodies, open_journal
from holdfast.journal.archiving import archive
from holdfast.journal.export import export
from holdfast.journal.inspect import tail, verify
from holdfast.model.errors import JournalCorrupt, JournalLocked
from holdfast.runtime.recovery import StateRecoveryService
from tests.journal.samples import fill, fills

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch):
    monkeypatch.setattr(archiving, "KEPT_FACTS", 10)
    monkeypatch.setattr(archiving, "ARCHIVE_FACTS_MAX", 50)
    monkeypatch.setattr(bodies, "PIECE_BYTES", 700)  # so that a body has several


@pytest.fixture
def where(postgres):
    """A journal of 90 facts in two archives and the table, with a snapshot at fact 75."""
    _grow(postgres.where)
    assert [each[:2] for each in iter(lambda: archive(postgres.where), None)] == [(1, 50), (51, 74)]
    return postgres.where


def _grow(where):
    journal = open_journal(where)
    journal.append(fills(90))
    journal.save_snapshot(75, b"state")
    journal.close()


def _replayed(where, after=0):
    reader = open_journal(where, read_only=True)
    try:
        return list(reader.replay(after))
    finally:
        reader.close()


@pytest.mark.parametrize("after", [0, 1, 49, 50, 51, 73, 74, 75, 90])
def test_replay_goes_through_the_archives(where, after):
    assert _replayed(where, after) == fills(90 - after, start=after + 1)


def test_facts_leave_the_table_and_bodies_come_in_pieces(where, postgres):
    assert postgres.execute("SELECT min(sequence), max(sequence) FROM facts") == [(75, 90)]
    assert postgres.execute("SELECT count(*) > 2 FROM archive_bodies") == [(True,)]


def test_verify_export_and_tail_go_through_the_archives(where):
    report, out = verify(where), io.StringIO()
    export(where, "jsonl", out)

    assert (report.is_ok, report.facts, report.first_sequence) == (True, 90, 1)
    assert [json.loads(line)["sequence"] for line in out.getvalue().splitlines()] == [*range(1, 91)]
    for count in (3, 16, 17, 60, 90):
        assert [r.fact for r in tail(where, count)] == fills(90)[-count:]


def test_a_restart_goes_on_from_the_snapshot_or_from_the_archives(where, postgres):
    journal = open_journal(where)
    journal.append([fill(91)])

    assert (journal.sequence, journal.load_snapshot()) == (91, (75, b"state"))
    recovered = StateRecoveryService(journal).recover()  # that state is none of today's: all facts
    assert recovered.facts_folded == 91
    journal.close()


def test_a_journal_is_archived_beside_its_owner_who_goes_on(postgres):
    _grow(postgres.where)
    journal = open_journal(postgres.where)
    while archive(postgres.where):
        journal.append([fill(journal.sequence + 1)])
        journal.sync()

    assert journal.sequence == 92
    assert list(journal.replay()) == fills(92)
    journal.close()
    assert verify(postgres.where).is_ok


def test_two_archivers_do_not_meet(where, monkeypatch):
    def meet(*_):
        with pytest.raises(JournalLocked, match="being archived by somebody else"):
            archive(where)

    monkeypatch.setattr(archiving, "_drop", meet)
    archive(where)


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        ("DELETE FROM archive_bodies WHERE first = 1", "is missing: restore a backup"),
        ("DELETE FROM archive_bodies WHERE first = 1 AND piece = 1", "is damaged behind fact"),
        ("UPDATE archive_bodies SET body = '' WHERE first = 1 AND piece = 1", "is damaged"),
    ],
)
def test_a_harmed_archive_is_found_and_a_start_does_not_need_it(where, postgres, harm, problem):
    postgres.execute(harm)

    assert not verify(where).is_ok
    with pytest.raises(JournalCorrupt, match=problem):
        _replayed(where)
    journal = open_journal(where)
    assert journal.load_snapshot() == (75, b"state")
    journal.close()


_KILLED_AT_EACH_LINE = """
import json, os, signal, sys
from holdfast.journal import archives, archiving, bodies, open_journal
from holdfast.journal.inspect import open_tables, verify
from tests.journal.samples import fills
archiving.KEPT_FACTS, archiving.DROPPED_FACTS, bodies.PIECE_BYTES = 10, 30, 900
CODES = {f.__code__ for f in (archiving.archive, archiving._move, archiving._drop, archives.write,
                              archives.check, bodies._Pieces._keep,
                              bodies.ServerShelf.new.__wrapped__)}

def lines_until(victim):
    seen = {}
    def local(frame, event, _):
        turn = len(seen) if frame.f_code is archiving._drop.__code__ else 0
        if event == "line" and (line := (frame.f_code, frame.f_lineno, turn)) not in seen:
            if len(seen) == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            seen[line] = True
        return local
    sys.settrace(lambda frame, *_: local if frame.f_code in CODES else None)

number = archived = 0
where = ""
while True:
    if archived or not number:  # else the last victim has left it as it was
        where = f"{sys.argv[1]}{number}"
        journal = open_journal(where)
        journal.append(fills(90))
        journal.save_snapshot(75, b"state")
        journal.close()
    child = os.fork()
    if not child:
        lines_until(number)
        archiving.archive(where)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    report, tables = verify(where), open_tables(where)
    archived, left = tables.archived(), len(tables.newest_rows(100))
    tables.close()
    print(json.dumps([number, os.WIFSIGNALED(status), report.is_ok, report.facts, archived, left]))
    if not os.WIFSIGNALED(status):
        sys.exit(os.WEXITSTATUS(status))
    number += 1
"""


@pytest.mark.e2e
@pytest.mark.timeout(600)  # a process a line, on a machine that may be busy
def test_a_kill_at_any_line_loses_nothing_and_doubles_nothing(postgres):
    named = f"{postgres.where}{'&' if '?' in postgres.where else '?'}journal=killed_"
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_EACH_LINE, named],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert len(rows) > 30
    assert all(row[2:4] == [True, 90] for row in rows), rows
    assert {row[4] for row in rows} == {0, 74}
    # Nothing moved; on record, and all still there; some gone; done.
    assert {90, 60, 16} <= {row[5] for row in rows if row[4]}
