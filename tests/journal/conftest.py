"""The kinds of journal as fixtures."""

from __future__ import annotations

import pytest

from tests.journal.places import Memory, Postgres, Sqlite


def _make(kind, request):
    if kind == "memory":
        return Memory()
    if kind == "postgres":
        return Postgres(request.getfixturevalue("postgres_url"))
    return Sqlite(request.getfixturevalue("tmp_path") / "a.db", kind)


_POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(params=["memory", "process", "power", _POSTGRES])
def place(request):
    return _make(request.param, request)


@pytest.fixture(params=["process", "power", _POSTGRES])
def database(request):
    """A place that outlives the process."""
    return _make(request.param, request)


@pytest.fixture(params=["power", _POSTGRES])
def grouped(request):
    """A place whose journal commits on a thread."""
    return _make(request.param, request)


@pytest.fixture(params=["process", "power"])
def sqlite(request):
    return _make(request.param, request)


@pytest.fixture
def postgres(request):
    return _make("postgres", request)
