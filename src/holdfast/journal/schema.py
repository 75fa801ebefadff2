"""The journal's tables, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

tables = MetaData()

# SQLite keeps rows in the order of a key of type INTEGER and needs no second index for it.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

facts = Table(
    "facts",
    tables,
    Column("sequence", _Sequence, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("ts", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
epochs = Table(
    "epochs",
    tables,
    Column("epoch", _Sequence, primary_key=True, autoincrement=False),
    Column("owner", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("session_id", Text),
)
snapshots = Table(
    "snapshots",
    tables,
    Column("sequence", _Sequence, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
# Files beside an SQLite database, or `bodies` on a server, with the facts from `first` to `last`.
archives = Table(
    "archives",
    tables,
    Column("first", _Sequence, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("file", Text, nullable=False),
    Column("head", LargeBinary, nullable=False),
)
# On a server alone: an archive's compressed facts, in pieces that follow each other.
bodies = Table(
    "archive_bodies",
    tables,
    Column("first", _Sequence, primary_key=True, autoincrement=False),
    Column("piece", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
# One row. Its epoch is the lease: whoever writes a fact names the epoch that it holds.
meta = Table(
    "meta",
    tables,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("schema_version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
)
