"""What stands between us and the server, and what kind of database is there."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading

import psycopg
import pytest
from sqlalchemy import make_url

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.model.errors import ConfigError
from tests.journal.samples import commit, fill, fills

pytestmark = pytest.mark.postgres


class _Pooler(socketserver.BaseRequestHandler):
    """Passes all on but the options of a connection's start, as poolers do that are told to."""

    behind = ""  # the server's socket

    def handle(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.behind)
            (length,) = struct.unpack(">I", self.request.recv(4, socket.MSG_WAITALL))
            body = self.request.recv(length - 4, socket.MSG_WAITALL)
            version, words = body[:4], body[4:-1].split(b"\0")[:-1]
            pairs = zip(words[::2], words[1::2], strict=True)
            left = b"".join(b"%b\0%b\0" % pair for pair in pairs if pair[0] != b"options") + b"\0"
            server.sendall(struct.pack(">I", 8 + len(left)) + version + left)
            back = threading.Thread(target=_pass_on, args=(server, self.request))
            back.start()
            _pass_on(self.request, server)
            back.join()


def _pass_on(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_RDWR)


class _Listener(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def pooled(postgres_url, tmp_path_factory):
    """The address of a database behind a pooler."""
    address = make_url(postgres_url)
    folder = tmp_path_factory.mktemp("p")
    behind = {"behind": f"{address.query['host']}/.s.PGSQL.5432"}
    pooler = type("Pooler", (_Pooler,), behind)
    with _Listener(str(folder / ".s.PGSQL.5432"), pooler) as listener:
        serving = threading.Thread(target=listener.serve_forever)
        serving.start()
        there = address.update_query_dict({"host": str(folder)})
        yield there.render_as_string(hide_password=False)
        listener.shutdown()
        serving.join()


def test_a_pooler_that_drops_the_settings_is_refused(postgres_url, pooled):
    """All journals behind it would be one: the first one's facts would be the second one's."""
    for where in (f"{pooled}&journal=alpha", f"{pooled}&journal=beta"):
        with pytest.raises(ConfigError, match=r"pooler .* connect to the server itself"):
            open_journal(where)
        with pytest.raises(ConfigError, match="pooler"):
            verify(where)
    with psycopg.connect(postgres_url) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'alpha')"
        assert connection.execute(query).fetchone() == (0,)


@pytest.fixture
def latin(postgres_server):
    """The address of a database that has no letter for most names."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    yield postgres_server.replace("/postgres?", "/latin?")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE latin WITH (FORCE)")


def test_no_journal_is_made_in_a_database_that_can_not_hold_every_letter(latin):
    """The first fact that names such a contract would end the session, and each that follows."""
    with pytest.raises(ConfigError, match=r"latin.* LATIN1.* ENCODING 'UTF8'"):
        open_journal(latin)


@pytest.mark.parametrize("name", ["user", "select", "public"])
def test_a_journal_may_have_a_name_that_is_a_word_of_the_servers(postgres_url, name):
    journal = open_journal(f"{postgres_url}&journal={name}")
    commit(journal, [*fills(2), fill(3)])
    journal.close()

    assert verify(f"{postgres_url}&journal={name}").facts == 3


@pytest.mark.parametrize(
    "setting", ["default_transaction_isolation = serializable", "lock_timeout = '50ms'"]
)
def test_what_a_database_is_set_to_does_not_end_a_session(postgres, setting):
    """Somebody holds the row of the epoch, and lets it go: a backup, a look, a script."""
    name = postgres.execute("SELECT current_database()")[0][0]
    postgres.execute(f"ALTER DATABASE {name} SET {setting}")
    journal = postgres.open()
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock' AND now() - query_start > '200ms'"
    )
    with psycopg.connect(postgres.where, options="-c search_path=holdfast") as other:
        other.execute("UPDATE meta SET name = name")
        journal.append([fill(1)])
        while not postgres.execute(waiting)[0][0]:
            assert journal.failure is None
        other.commit()
    journal.sync()

    assert list(journal.replay()) == [fill(1)]
    journal.close()


def test_options_that_a_user_gives_are_kept_beside_ours(postgres_url):
    """Some servers are told by them which database is meant, or which role."""
    where = f"{postgres_url}&options=-c%20work_mem%3D7MB%20-c%20search_path%3Dother"
    journal = open_journal(where)
    commit(journal, fills(2))
    sql = vars(journal)["_committer"]._store.sql

    assert sql.exec_driver_sql("SHOW work_mem").scalar() == "7MB"
    assert list(journal.replay()) == fills(2)
    journal.close()
