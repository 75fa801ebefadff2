"""A server that gave way to a replica has what that one had: perhaps not all that was confirmed."""

from __future__ import annotations

import psycopg
import pytest

from holdfast.journal.inspect import verify
from holdfast.model.errors import Fenced, JournalError
from tests.journal.samples import commit, fill, fills

pytestmark = pytest.mark.postgres

_DROP_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def _fail_over(postgres, *changes):
    """Leave the database as a replica has it that lags, and drop everybody."""
    for change in changes:
        postgres.execute(change)
    postgres.execute(_DROP_ALL)


@pytest.mark.parametrize("lost", [3, 5])
def test_what_a_replica_has_not_heard_of_is_told_and_nothing_goes_in_behind_it(postgres, lost):
    journal = postgres.open()
    commit(journal, fills(5))
    _fail_over(postgres, f"DELETE FROM facts WHERE sequence > {5 - lost}")

    with pytest.raises(JournalError, match=r"facts up to 5 .* does not have fact 5") as told:
        commit(journal, [fill(6)])
    assert not isinstance(told.value, Fenced)
    journal.close()
    report = verify(postgres.where)
    assert (report.is_ok, report.facts) == (True, 5 - lost)


def test_a_snapshot_of_what_a_replica_has_not_heard_of_is_told_alike(postgres):
    journal = postgres.open()
    commit(journal, fills(5))
    _fail_over(postgres, "DELETE FROM facts WHERE sequence > 2")
    journal.save_snapshot(5, b"state")

    with pytest.raises(JournalError, match="does not have fact 5"):
        journal.sync()
    journal.close()


def test_facts_that_are_others_than_were_confirmed_are_not_followed(postgres):
    """The replica was owned by another meanwhile, and that one has lost its own epoch since."""
    journal = postgres.open()
    commit(journal, fills(5))
    _fail_over(postgres, "UPDATE facts SET hash = 'other' WHERE sequence = 5")

    with pytest.raises(JournalError, match="does not have fact 5"):
        commit(journal, [fill(6)])
    journal.close()


def test_an_epoch_that_a_replica_has_not_heard_of_is_no_other_owner(postgres):
    """Who is fenced off leaves its entries to the next owner: here there is none."""
    postgres.open().close()
    journal = postgres.open()
    commit(journal, fills(5))
    _fail_over(
        postgres,
        "DELETE FROM facts",
        "UPDATE meta SET epoch = 1",
        "DELETE FROM epochs WHERE epoch = 2",
    )

    with pytest.raises(JournalError, match="has gone back to epoch 1") as told:
        commit(journal, [fill(6)])
    assert not isinstance(told.value, Fenced)
    journal.close()


def test_an_owner_that_has_all_goes_on_over_the_new_server(postgres):
    journal = postgres.open()
    commit(journal, fills(5))
    _fail_over(postgres)
    commit(journal, fills(2, start=6))
    journal.close()

    assert verify(postgres.where).facts == 7


def test_a_replica_that_is_not_yet_a_server_is_waited_for(postgres):
    journal = postgres.open()
    commit(journal, fills(2))
    name = postgres.execute("SELECT current_database()")[0][0]
    _fail_over(postgres, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    journal.append([fill(3)])
    seen = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^WITH lease'"
    while not postgres.execute(seen)[0][0]:
        assert journal.failure is None
    with psycopg.connect(postgres.where, autocommit=True) as admin:
        admin.execute("SET default_transaction_read_only = off")
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    journal.sync()

    assert list(journal.replay()) == fills(3)
    journal.close()
