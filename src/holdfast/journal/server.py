"""Where a journal on a PostgreSQL server is, and how the server is spoken to."""

from __future__ import annotations

import importlib.util
import re
from hashlib import sha256

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from ..model.errors import ConfigError
from .bodies import ServerShelf
from .reading import Tables

DEFAULT_NAME = "holdfast"

STATEMENT_TIMEOUT_S = 10
"""How long the server may take over one statement."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

# The server drops the lock of an owner whose machine vanished: after about 5 + 3 * 2 seconds.
_OPTIONS = (
    "-c search_path={name} -c synchronous_commit=on -c client_encoding=UTF8 "
    f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000} -c lock_timeout=0 "
    # Who waits for the row of the epoch looks at it again then, and fails in no other way.
    r"-c default_transaction_isolation=read\ committed "
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
)
_KEEPALIVES = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def lock_key(text: str) -> int:
    """Return the number of an advisory lock."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], signed=True)


def parse(url: str) -> tuple[URL, str]:
    """Return the server's address and the journal's name."""
    if importlib.util.find_spec("psycopg") is None:
        raise ConfigError("a PostgreSQL journal needs psycopg: pip install 'holdfast[postgres]'")
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # Its text quotes the URL, password and all.
        raise ConfigError(
            "the journal's URL can't be read: postgresql://user@host:5432/database is the form"
        ) from None
    name = address.query.get("journal", DEFAULT_NAME)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"the journal's name must be up to 40 of a-z, 0-9 and _, a letter first: was {name!r}"
        )
    return address.difference_update_query(["journal"]).set(drivername="postgresql+psycopg"), name


def place_of(address: URL, name: str) -> str:
    return f"{name} at {address.host or address.query.get('host', 'localhost')}/{address.database}"


def tables_of(address: URL, name: str) -> Tables:
    engine = create_engine(
        address,
        isolation_level="AUTOCOMMIT",
        connect_args=_connect_args(address, name),
        pool_size=1,
        max_overflow=3,
        pool_pre_ping=True,
    )
    place = place_of(address, name)
    _check_each(engine, place, name)
    return Tables(engine, place, ServerShelf(engine, place))


def engine_of(address: URL, name: str) -> Engine:
    engine = create_engine(
        address,
        isolation_level="AUTOCOMMIT",
        connect_args=_connect_args(address, name),
        poolclass=NullPool,
    )
    _check_each(engine, place_of(address, name), name)
    return engine


def _connect_args(address: URL, name: str) -> dict[str, str | int]:
    given = address.query.get("options", ())
    texts = (given,) if isinstance(given, str) else given
    return {**_KEEPALIVES, "options": " ".join((*texts, _OPTIONS.format(name=name)))}


def _check_each(engine: Engine, place: str, name: str) -> None:
    """See that each connection is set as it was asked to be: a pooler may leave that out."""

    def check(connection: DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SHOW search_path")
        (found,) = cursor.fetchone() or ("",)
        cursor.close()
        if found != name:
            raise ConfigError(
                f"journal {place}: its settings do not reach the server (there search_path is "
                f"{found}): a pooler is in between; connect to the server itself"
            )

    event.listen(engine, "connect", check)
