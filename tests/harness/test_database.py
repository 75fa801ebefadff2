"""What the harness does to a journal's server."""

from __future__ import annotations

import pytest

from holdfast.harness.database import PostgresDatabase


@pytest.mark.postgres
def test_who_drops_a_servers_clients_goes_on_watching(postgres_server):
    psycopg = pytest.importorskip("psycopg")
    database = PostgresDatabase(postgres_server)
    try:
        watching = [vars(database)["_engine"].connect() for _ in range(2)]
        client = psycopg.connect(database.url)

        assert database.drop_clients() == 1
        assert [each.exec_driver_sql("SELECT 1").scalar() for each in watching] == [1, 1]
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
        for each in watching:
            each.close()
    finally:
        database.close(is_kept=False)
