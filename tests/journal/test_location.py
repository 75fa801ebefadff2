"""A journal is named by a path or a URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.journal import MemoryJournal, open_journal
from holdfast.journal.location import scheme_of, sqlite_path


@pytest.mark.parametrize(
    ("where", "scheme"),
    [
        ("state.db", "sqlite"),
        (Path("postgresql://odd"), "sqlite"),
        ("sqlite:///state.db", "sqlite"),
        ("sqlite+pysqlite:////srv/state.db", "sqlite"),
        ("postgres://h/x", "postgresql"),
        ("postgresql+psycopg://h/x", "postgresql"),
        ("memory:", "memory"),
        (":memory:", "memory"),
        ("sqlite:///:memory:", "memory"),
        ("mysql://h/x", "mysql"),
    ],
)
def test_scheme_says_where_a_journal_is_kept(where, scheme):
    assert scheme_of(where) == scheme


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("state.db", "state.db"),
        (Path("/srv/state.db"), "/srv/state.db"),
        ("sqlite:///state.db", "state.db"),
        ("sqlite:////srv/state.db", "/srv/state.db"),
    ],
)
def test_path_of_an_sqlite_url(where, path):
    assert sqlite_path(where) == Path(path)


@pytest.mark.parametrize("name", ["a b.db", "a?b.db", "a#b%20.db", "ä.db"])
def test_odd_file_names_are_taken_as_they_are(tmp_path, name):
    open_journal(tmp_path / name).close()

    assert (tmp_path / name).is_file()


def test_memory_needs_no_database():
    assert isinstance(open_journal("memory:"), MemoryJournal)
