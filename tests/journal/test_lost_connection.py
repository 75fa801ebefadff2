"""A connection that is lost on our side alone: the server holds its lock on, and does not know."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress

import psycopg
import pytest
from sqlalchemy import make_url

from holdfast.journal import open_journal
from holdfast.journal.inspect import verify
from holdfast.journal.server import lock_key
from holdfast.model.errors import JournalError
from tests.journal.samples import commit, fill, fills

pytestmark = pytest.mark.postgres

DROP_OWNER = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"


class Relay:
    """Stands between us and a server; `cut` loses what there is on our side, and on ours alone."""

    def __init__(self, folder, address):
        self._behind = f"{address.query['host']}/.s.PGSQL.5432"
        there = address.update_query_dict({"host": str(folder)})
        self.where = there.render_as_string(hide_password=False)
        self._ours, self._threads = [], []
        self._with_server = ExitStack()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self._run(self._accept)

    def _run(self, work, *args):
        self._threads.append(threading.Thread(target=work, args=args))
        self._threads[-1].start()

    def _accept(self):
        with suppress(OSError):  # it is closed
            while True:
                ours, _ = self._listening.accept()
                server = self._with_server.enter_context(socket.socket(socket.AF_UNIX))
                self._with_server.callback(server.shutdown, socket.SHUT_RDWR)
                server.connect(self._behind)
                self._ours.append(ours)
                self._run(_pass_on, ours, server)
                self._run(_pass_on, server, ours)

    def cut(self):
        while self._ours:
            with self._ours.pop() as ours, suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self.cut()
        with suppress(OSError):  # the server has ended it
            self._with_server.close()
        for thread in self._threads:
            thread.join()
        self._listening.close()


def _pass_on(source, target):
    with suppress(OSError):  # lost: the other end hears nothing of it
        while data := source.recv(65536):
            target.sendall(data)


@pytest.fixture
def relay(postgres_url, tmp_path_factory):
    relay = Relay(tmp_path_factory.mktemp("r"), make_url(postgres_url))
    yield relay
    relay.close()


def test_an_owner_comes_back_though_the_server_holds_on_to_what_it_lost(relay, postgres_url):
    journal = open_journal(relay.where)
    commit(journal, fills(2))
    for number in (3, 4):
        relay.cut()
        commit(journal, [fill(number)])

    assert list(journal.replay()) == fills(4)
    journal.close()
    assert verify(postgres_url).is_ok


def test_a_lock_that_somebody_else_has_is_left_to_him(relay, postgres, monkeypatch):
    """He has come in between, and not yet raised the epoch."""
    monkeypatch.setattr("holdfast.journal.postgres.RECONNECT_S", 1.0)
    journal = open_journal(relay.where)
    commit(journal, fills(2))
    relay.cut()
    with psycopg.connect(postgres.where, autocommit=True) as other:
        postgres.execute(DROP_OWNER)
        other.execute("SELECT pg_advisory_lock(%s)", (lock_key("holdfast holdfast"),))
        with pytest.raises(JournalError, match="did not come back within 1 s"):
            commit(journal, [fill(3)])
        assert other.execute("SELECT 1").fetchone() == (1,)
    journal.close()
