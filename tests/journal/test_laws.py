"""Laws over any history: what is appended is what replays; no altered byte goes unseen."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.journal import MemoryJournal, open_journal
from holdfast.journal.inspect import verify
from holdfast.model.errors import JournalError
from tests.journal.places import Postgres
from tests.journal.samples import HISTORIES, fills


def _check_history(journal, history):
    """Append batches, and compare the replay at every prefix."""
    expected = []
    for batch in history:
        journal.append(batch)
        expected += batch
        assert list(journal.replay()) == expected
    for after in range(len(expected) + 1):
        assert list(journal.replay(after)) == expected[after:]
    assert journal.sequence == len(expected)


def _check_whole(where, history):
    report = verify(where)
    assert (report.is_ok, report.problem) == (True, "")
    assert report.facts == sum(map(len, history))


@given(HISTORIES)
def test_what_is_appended_replays_from_memory(history):
    _check_history(MemoryJournal(), history)


@settings(max_examples=20)
@given(HISTORIES, st.sampled_from(["process", "power"]))
def test_what_is_appended_replays_from_sqlite(history, durability):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.db"
        journal = open_journal(path, durability=durability)
        _check_history(journal, history)
        head = journal.head
        journal.close()
        _check_whole(path, history)
        journal = open_journal(path)
        assert journal.head == head
        assert list(journal.replay()) == [fact for batch in history for fact in batch]
        journal.close()


_names = (f"law{number}" for number in itertools.count())


@pytest.mark.postgres
@settings(max_examples=8)
@given(history=HISTORIES)
def test_what_is_appended_replays_from_postgres(postgres_server, history):
    where = f"{postgres_server}&journal={next(_names)}"
    journal = open_journal(where)
    _check_history(journal, history)
    journal.close()
    _check_whole(where, history)


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A journal of 40 facts in three epochs, at rest, its log already moved to the database."""
    path = tmp_path_factory.mktemp("closed") / "a.db"
    for life in range(3):
        journal = open_journal(path)
        journal.append(fills(14, start=14 * life + 1)[: 40 - 14 * life])
        journal.close()
    return path


def _altered(value, data):
    if isinstance(value, int):
        return value ^ (1 << data.draw(st.integers(0, 40), label="bit"))
    body = bytearray(value.encode() if isinstance(value, str) else value)
    body[data.draw(st.integers(0, len(body) - 1), label="byte")] ^= 1 << data.draw(
        st.integers(0, 7), label="bit"
    )
    return bytes(body)


_COLUMNS = ["sequence", "epoch", "ts", "version", "kind", "payload", "hash"]


@given(data=st.data(), sequence=st.integers(1, 40), column=st.sampled_from(_COLUMNS))
def test_one_flipped_bit_in_a_row_is_found(closed, data, sequence, column):
    with tempfile.TemporaryDirectory() as directory:
        path = Path(shutil.copy(closed, directory))
        _flip(path, sequence, column, data)
        report = verify(path)

    assert not report.is_ok
    # A sequence that became another one may show at its old place or at its new one.
    assert report.broken_at == sequence or column == "sequence"


def _flip(path, sequence, column, data):
    connection = sqlite3.connect(path, isolation_level=None)
    query = f"SELECT {column} FROM facts WHERE sequence = ?"
    (value,) = connection.execute(query, (sequence,)).fetchone()
    altered = _altered(value, data)
    to = "CAST(? AS TEXT)" if column in ("kind", "payload") else "?"
    if column == "sequence":
        connection.execute("DELETE FROM facts WHERE sequence = ?", (altered,))
    connection.execute(f"UPDATE facts SET {column} = {to} WHERE sequence = ?", (altered, sequence))
    connection.close()


@settings(max_examples=80)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_in_the_file_passes_off_other_facts(closed, where, bit):
    """Somewhere in the file, free space and indexes included: seen, or harmless."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(shutil.copy(closed, directory))
        body = bytearray(path.read_bytes())
        body[int(where * len(body))] ^= 1 << bit
        path.write_bytes(body)
        try:
            if not verify(path).is_ok:
                return
            reader = open_journal(path, read_only=True)
        except JournalError:
            return
        assert list(reader.replay()) == fills(40)
        reader.close()


@pytest.mark.postgres
@pytest.mark.parametrize("column", _COLUMNS[1:])
def test_a_changed_column_is_found_on_postgres(postgres_url, column):
    place = Postgres(postgres_url)
    journal = place.open()
    journal.append(fills(5))
    journal.close()
    to = {"kind": "'OrderFille'", "payload": "replace(payload, 't3', 't4')", "hash": "'x'"}
    place.execute(
        f"UPDATE facts SET {column} = {to.get(column, f'{column} + 1')} WHERE sequence = 3"
    )

    assert verify(postgres_url).broken_at == 3
