"""The four kinds of journal behind one face, so that one suite of tests holds for all."""

from __future__ import annotations

import sqlite3

import psycopg

from holdfast.journal import MemoryJournal, open_journal


class Memory:
    """Each opening is the next life of the same record."""

    where = "memory:"

    def __init__(self):
        self.newest = None

    def open(self):
        self.newest = self.newest.reopen() if self.newest else MemoryJournal()
        return self.newest

    def open_despite_owner(self):
        return self.open()


class Sqlite:
    def __init__(self, path, durability):
        self.where = str(path)
        self.path = path
        self.durability = durability

    def open(self, **options):
        return open_journal(self.path, durability=self.durability, **options)

    def open_despite_owner(self):
        """What a meddler does who deletes the lock file."""
        self.path.with_name(f"{self.path.name}.lock").unlink()
        return self.open()

    def execute(self, statement, *values):
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


class Postgres:
    def __init__(self, url):
        self.where = url

    def open(self, **options):
        return open_journal(self.where, **options)

    def open_despite_owner(self):
        """What the server does that drops a connection: the lock goes with it."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return self.open()

    def execute(self, statement, *values):
        options = "-c search_path=holdfast"
        with psycopg.connect(self.where, autocommit=True, options=options) as connection:
            cursor = connection.execute(statement.replace("?", "%s"), values or None)
            return cursor.fetchall() if cursor.description else []
