"""Options that many commands share, and what they lead to: which session is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import ConfigError, InputError, TradingError

if TYPE_CHECKING:  # pydantic takes a fifth of a second to import
    from ..model.config import LoadedConfig, TradingConfig
    from ..runtime.control_client import ControlClient
    from ..runtime.control_file import Endpoint

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of journal, logs and reports.", show_default=False),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file instead of holdfast.toml.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Account = Annotated[
    str, typer.Option("--account", help="Which account, where the session has several.")
]


def _checked(url: str | None) -> str | None:
    """Refuse a URL with a password before anything is done."""
    return without_password(url)


def without_password(url: str | None, option: str = "--database-url") -> str | None:
    """Return a database URL that a command line names, where there is no password in it.

    Raises:
        ConfigError: there is one, which every user of this machine can read.
    """
    if has_password(url):
        raise ConfigError(
            f"{option} takes no URL with a password, because every user of this machine can read a "
            "command line; put the URL into HOLDFAST_DATABASE_URL or .env, or the password "
            "into ~/.pgpass"
        )
    return url


def has_password(url: str | None) -> bool:
    """Tell whether a text is a database's URL and shows a password."""
    if not url:
        return False
    from ..model.config_kinds import MASK
    from ..model.config_kinds import DatabaseUrl as Url

    bare = Url(url.replace(":@", "@", 1))  # an empty password is none
    return bare.shown not in {bare, MASK}


_JOURNAL = "Journal: sqlite:///FILE or postgresql://..."
DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help=_JOURNAL, callback=_checked)
]
UrgentDatabaseUrl = Annotated[str | None, typer.Option("--database-url", help=_JOURNAL)]
"""Of what is not to be refused for its words: a kill."""


FROM_HOME = "~"
"""A shell hands `--data-dir=~/hf` on as it stands; the settings know where that is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which session is meant, as far as the options say it."""

    data_dir: Path | None = None
    config_file: Path | None = None
    database_url: str | None = None

    def load(self, *, is_strict: bool = True) -> LoadedConfig:
        """Read the settings.

        Raises:
            ConfigError: they hold a mistake.
        """
        from ..model.config import TradingConfig

        given = {"data_dir": self.data_dir, "database_url": self.database_url}
        return TradingConfig.load(self.config_file, overrides=given, is_strict=is_strict)

    def config(self) -> TradingConfig:
        """Return the settings, as far as they tell which session is meant."""
        return self.load(is_strict=False).config

    def folder(self) -> Path:
        """Return the data folder; the settings are read only where no option names it as it is."""
        named = self.data_dir
        if named is None or str(named).startswith(FROM_HOME):
            return self.config().data_dir
        return named

    def client(self) -> ControlClient:
        """Return a client of the session that runs there.

        Raises:
            NoSessionRunning: none does, or one with another journal than was named.
        """
        from ..runtime.control_client import ControlClient
        from ..runtime.control_file import NoSessionRunning

        client = ControlClient(self.folder())
        if not self.means(client.endpoint):
            raise NoSessionRunning(
                f"the session that runs in {self.folder().absolute()} (process "
                f"{client.endpoint.pid}) has the journal {client.endpoint.journal}, which is not "
                "the one that was named: nothing was asked of it"
            )
        return client

    def means(self, found: Endpoint) -> bool:
        """Tell whether a session has the journal that was named; any does where none was."""
        if self.database_url is None or not found.journal:
            return True
        from ..journal.inspect import last_owner
        from ..runtime.left_kill import journal_of

        config = self.config()
        if journal_of(config) == found.journal:
            return True
        try:  # a server has several names
            owner = last_owner(config.database_url)
        except TradingError:
            return False
        return owner is not None and owner.is_beside and owner.pid == found.pid


def symbol_of(text: str) -> str:
    """Return a symbol as venues write it.

    Raises:
        InputError: it is empty, as a variable of the shell that is not set.
    """
    if not (symbol := text.strip().upper()):
        raise InputError("say which symbol: it was empty")
    return symbol
