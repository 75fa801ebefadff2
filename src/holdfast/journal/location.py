"""Read what a user writes to name a journal: a path, or a URL."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ..model.errors import ConfigError

_ALIASES = {"postgres": "postgresql"}
_MEMORY = {"memory:", "memory://", ":memory:", "sqlite://", "sqlite:///:memory:"}


def scheme_of(where: str | Path) -> str:
    """Return the scheme of a URL without its driver; a plain path is SQLite's."""
    if str(where) in _MEMORY:
        return "memory"
    scheme, separator, _ = str(where).partition("://")
    if isinstance(where, Path) or not separator:
        return "sqlite"
    scheme = scheme.partition("+")[0].lower()
    return _ALIASES.get(scheme, scheme)


def sqlite_path(where: str | Path) -> Path:
    """Return the file of `state.db`, `sqlite:///state.db` or `sqlite:////srv/state.db`.

    Of a link it is the file that it leads to: SQLite keeps its log beside that one.

    Raises:
        ConfigError: it is said to be in a home that is not known.
    """
    path = where
    if not isinstance(path, Path):
        _, separator, rest = path.partition("://")
        named = Path(rest.removeprefix("/") if separator else path)
        try:
            path = named.expanduser()
        except RuntimeError:
            raise ConfigError(f"journal {named}: nobody's home is known by that name") from None
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 - no raise


_HERE = {"", "localhost", "127.0.0.1", "::1"}
_USUAL_PORT, _USUAL_JOURNAL = 5432, "holdfast"


def server_place(url: str) -> str:
    """Name a journal on a server, whoever asks for it; "" where the URL is none."""
    try:
        parts = urlsplit(url)
        asked, port = parse_qs(parts.query), parts.port
    except ValueError:
        return ""
    host = parts.hostname or asked.get("host", [""])[0]
    where = "localhost" if host in _HERE else host
    journal = asked.get("journal", [_USUAL_JOURNAL])[0]
    return f"{scheme_of(url)}://{where}:{port or _USUAL_PORT}{parts.path}?journal={journal}"
