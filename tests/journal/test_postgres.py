"""A server can go away, and a process can lose it without noticing."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.journal.reading import READS_TRIED
from holdfast.model.errors import Fenced, JournalError
from tests.journal.samples import commit, fill, fills

pytestmark = pytest.mark.postgres

_DROP_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_dropped_connection_comes_back_and_nothing_is_lost_or_doubled(postgres):
    journal = postgres.open()
    for number in range(1, 31):
        journal.append([fill(number)])
        if number % 10 == 0:
            postgres.execute(_DROP_ALL)
    journal.save_snapshot(30, b"state")
    postgres.execute(_DROP_ALL)
    journal.sync()

    assert list(journal.replay()) == fills(30)
    assert journal.load_snapshot() == (30, b"state")
    journal.close()
    assert verify(postgres.where).is_ok


def test_commit_whose_answer_was_lost_is_not_repeated(postgres, monkeypatch):
    journal = postgres.open()
    store = journal._committer._store
    insert = store._insert
    calls = []

    def insert_and_lose_the_answer(rows):
        insert(rows)
        calls.append(len(rows))
        if len(calls) == 1:
            postgres.execute(_DROP_ALL)
            insert([(99, *rows[0][1:])])  # any statement: it finds the connection gone

    monkeypatch.setattr(store, "_insert", insert_and_lose_the_answer)
    journal.append(fills(2))
    journal.sync()

    assert calls == [2]
    assert list(journal.replay()) == fills(2)
    journal.close()


def _lose_connection(connection):
    connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


def test_connections_lost_one_after_the_other_are_one_outage(postgres, monkeypatch):
    """A server that restarts drops more than one; only time says that it stays away."""
    journal = postgres.open()
    store = journal._committer._store
    insert = store._insert
    losses = iter(range(5))

    def insert_over_a_lost_connection(rows):
        for _ in losses:
            _lose_connection(store.sql)
        insert(rows)

    monkeypatch.setattr(store, "_insert", insert_over_a_lost_connection)
    commit(journal, fills(2))

    assert next(losses, None) is None
    assert list(journal.replay()) == fills(2)
    journal.close()


def test_connection_that_is_lost_over_and_over_fails_the_journal(postgres, monkeypatch):
    monkeypatch.setattr("holdfast.journal.postgres.RECONNECT_S", 1.0)
    journal = postgres.open()
    store = journal._committer._store
    tries = []

    def lose(_):
        tries.append(1)
        _lose_connection(store.sql)

    monkeypatch.setattr(store, "_insert", lose)

    with pytest.raises(JournalError, match=r"did not come back within 1 s"):
        commit(journal, [fill(1)])
    assert 2 <= len(tries) <= 6
    journal.close()


def test_read_over_a_connection_that_breaks_is_made_again(postgres):
    journal = postgres.open()
    reads = []

    def read(connection):
        reads.append(1)
        if len(reads) < READS_TRIED:
            _lose_connection(connection)
        return connection.exec_driver_sql("SELECT 7").scalar()

    assert journal._tables._read(read) == 7
    assert len(reads) == READS_TRIED
    with pytest.raises(JournalError, match="terminating connection"):
        journal._tables._read(_lose_connection)
    journal.close()


async def test_owner_that_was_dropped_and_overtaken_is_told_so(postgres):
    zombie = postgres.open()
    told = asyncio.get_running_loop().create_future()
    zombie.on_failure = told.set_result
    owner = postgres.open_despite_owner()
    zombie.append([fill(1)])

    assert isinstance(await told, Fenced)
    assert "epoch 1 has lost it to epoch 2, process" in str(zombie.failure)
    zombie.close()
    owner.close()


def test_zombie_with_a_living_connection_inserts_nothing(postgres):
    """The lock is gone but the connection is not: only the statement's own check is left."""
    zombie = postgres.open()
    zombie._committer._store.sql.exec_driver_sql("SELECT pg_advisory_unlock_all()")
    owner = postgres.open()

    with pytest.raises(Fenced):
        commit(zombie, [fill(1)])
    assert list(owner.replay()) == []
    zombie.close()
    owner.close()


def test_new_owner_waits_for_an_insert_under_way(postgres):
    """Else it would fold a history that still grows."""
    zombie = postgres.open()
    commit(zombie, [fill(1)])
    zombie._committer._store.sql.exec_driver_sql("SELECT pg_advisory_unlock_all()")
    successors = []
    with psycopg.connect(postgres.where, options="-c search_path=holdfast") as obstacle:
        obstacle.execute("INSERT INTO facts VALUES (2, 1, 1, 1, '', '', '')")
        zombie.append([fill(2)])  # under way: waits to learn whether there is a fact 2
        _wait_for_locks(postgres, 1, zombie)
        opening = threading.Thread(target=lambda: successors.append(postgres.open()))
        opening.start()
        _wait_for_locks(postgres, 2, zombie)
        obstacle.rollback()
    opening.join()
    zombie.sync()
    (successor,) = successors

    assert (successor.epoch, successor.sequence) == (2, 2)
    assert list(successor.replay()) == fills(2)
    zombie.close()
    successor.close()


def _wait_for_locks(postgres, count, journal):
    """Return once so many backends wait for a lock; a statement gives up after 10 s."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock'"
    )
    while postgres.execute(waiting)[0][0] < count:
        assert journal.failure is None


def test_server_that_stays_away_fails_the_journal(postgres, monkeypatch):
    monkeypatch.setattr("holdfast.journal.postgres.RECONNECT_S", 0.3)
    journal = postgres.open()
    store = journal._committer._store
    monkeypatch.setattr(store, "_engine", store._engine.execution_options())
    name = postgres.execute("SELECT current_database()")[0][0]
    admin = postgres.where.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(_DROP_ALL.replace("current_database()", f"'{name}'"))
        journal.append([fill(1)])
        with pytest.raises(JournalError, match="did not come back within"):
            journal.sync()
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    journal.close()


def test_journals_of_one_database_do_not_meet(postgres_url):
    first = open_journal(f"{postgres_url}&journal=alpha")
    second = open_journal(f"{postgres_url}&journal=beta")
    first.append(fills(2))
    second.append([fill(7)])

    assert list(first.replay()) == fills(2)
    assert list(second.replay()) == [fill(7)]
    first.close()
    second.close()


@pytest.fixture
def poor(postgres):
    """The journal's address for a role that may make no schema."""
    name = postgres.execute("SELECT current_database()")[0][0]
    postgres.execute(f"CREATE ROLE poor_{name} LOGIN")
    yield postgres.where.replace("postgres:@", f"poor_{name}:@"), f"poor_{name}"
    postgres.execute(f"DROP OWNED BY poor_{name} CASCADE")
    postgres.execute(f"DROP ROLE poor_{name}")


def test_a_schema_that_was_made_for_the_role_is_taken(postgres, poor):
    where, role = poor
    with pytest.raises(JournalError, match=r"permission denied.*a schema of the journal's name"):
        open_journal(where)
    postgres.execute(f"CREATE SCHEMA holdfast AUTHORIZATION {role}")
    journal = open_journal(where)
    journal.append(fills(2))
    journal.close()

    assert verify(where).facts == 2
