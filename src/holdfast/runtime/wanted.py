"""What a session was asked to be: each of its lives is made from it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from ..feeds import FEEDS
from ..journal.location import scheme_of, sqlite_path
from ..model.config import TradingConfig
from ..model.config_keys import KEY_FILES, anchored_secret
from ..model.config_kinds import DatabaseUrl
from ..model.errors import InputError
from ..model.values import Symbol
from ..ports import Feed, Notifier
from ..strategies import Strategy
from .parts import Plan
from .strategy_loading import anchored_spec

T = TypeVar("T")


class Templates:
    """Names, and strategies as they were before they had heard anything.

    The first life gets the very objects that were given, so that whoever made them can look at
    them; later ones get copies of what those were like at first. A strategy that can't be
    copied is used again as it is, of which `tell` says once what to do. Files keep their places
    when the process goes to another folder.
    """

    def __init__(self, specs: Sequence[str | Strategy]) -> None:
        _check_list(specs, "strategies")
        specs = [anchored_spec(spec) if isinstance(spec, str) else spec for spec in specs]
        self._next = tuple(specs)
        self._kept = tuple(_copied(spec) for spec in specs)
        pairs = zip(specs, self._kept, strict=True)
        self._untold = [_why_uncopied(spec) for spec, kept in pairs if kept is spec]

    def fresh(self) -> tuple[str | Strategy, ...]:
        """Return what the next life is to be made with."""
        specs, self._next = self._next, tuple(_copied(spec) for spec in self._kept)
        return specs

    def tell(self, notifier: Notifier) -> None:
        """Say, once, which strategies will go into a life that follows with what they remember."""
        untold, self._untold = self._untold, []
        for text in filter(None, untold):
            notifier.notify("warning", text)


def _copied(spec: str | Strategy) -> str | Strategy:
    try:
        return copy.deepcopy(spec)
    except Exception:  # noqa: BLE001 - a user's object may hold a socket, a thread, anything
        return spec


def _why_uncopied(spec: str | Strategy) -> str:
    """Say of a strategy that can't be copied what comes of that; "" of all others."""
    try:
        copy.deepcopy(spec)
    except Exception as error:  # noqa: BLE001 - see above
        name, why = type(spec).__name__, f"{type(error).__name__}: {error}"
        return (
            f"{name} can't be copied ({why:.200}): after a failure of the session it is used again "
            f"as it is, with what it remembers; name it as FILE.py:{name} to have it made anew"
        )
    return ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of `start_session`, as they count. A `portfolio_id` of "" leaves it open."""

    portfolio_id: str
    strategies: Templates
    symbols: tuple[Symbol, ...]
    is_dry: bool
    feed: Feed | None
    executes: bool | None
    new_portfolio_id: str = field(default_factory=lambda: str(uuid4()))

    def differs_from(self, plan: Plan) -> str:
        """Say how a life is another than was asked for; "" where it is not."""
        own, asked = plan.portfolio_id, self.portfolio_id
        if not asked or asked == own:
            return ""
        return f"the session goes on that was cut off, and so its portfolio {own}, not {asked}"


def anchored(config: TradingConfig) -> TradingConfig:
    """Return the same settings with absolute names of files in the place of relative ones.

    A strategy may change the folder that relative ones begin at, to that of its model for one. A
    life that follows a failed one would open another journal there, and know of nothing.
    """
    found: dict[str, object] = {**_absolute(config, _FILES)}
    if scheme_of(config.database_url) == "sqlite":
        database = sqlite_path(config.database_url).absolute()
        found["database_url"] = DatabaseUrl(f"sqlite:///{database}")
    if config.feed not in FEEDS and _names_files(config.feed):
        found["feed"] = str(Path(config.feed).absolute())
    found |= _key_file(config.api_secret)
    found["accounts"] = {
        name: each.model_copy(
            update=_absolute(each, ("api_secret_file",)) | _key_file(each.api_secret)
        )
        for name, each in config.accounts.items()
    }
    return config.model_copy(update=found)


def _names_files(feed: str) -> bool:
    """Tell recorded files, or a folder of them, from a feed's name that is misspelled.

    Those that are named from somebody's home have a place of their own.
    """
    if feed.startswith("~") or not feed.strip():
        return False
    return any(mark in feed for mark in "/.*") or Path(feed).exists()


_FILES = ("data_dir", "log_dir", "api_secret_file", "watch_api_secret_file")


def _absolute(settings: object, names: Sequence[str]) -> dict[str, object]:
    found: dict[str, Path | None] = {name: getattr(settings, name) for name in names}
    return {name: path.absolute() for name, path in found.items() if path is not None}


def _key_file(api_secret: str) -> dict[str, object]:
    """Return a secret that names a private key's file, with that in its place; nothing else."""
    if not api_secret.endswith(KEY_FILES):
        return {}
    return {"api_secret": anchored_secret(api_secret)}


def symbols_of(names: Sequence[str]) -> tuple[Symbol, ...]:
    """Return symbols in capitals, each once.

    Raises:
        InputError: it is no list of names.
    """
    _check_list(names, "symbols")
    return tuple(dict.fromkeys(symbol_of(name) for name in names))


def symbol_of(name: str) -> Symbol:
    """Return a symbol in capitals.

    Raises:
        InputError: it is no text.
    """
    if not isinstance(name, str):
        raise InputError(f"symbol must be a text like BTCUSDT, was {name!r:.80}")
    return Symbol(name.strip().upper())


def words_of(reason: object) -> str:
    """Return a reason as a text that can be recorded, whatever it is: a kill waits for no words."""
    return f"{reason}".encode(errors="backslashreplace").decode()


def _check_list(names: Sequence[T], what: str) -> None:
    """Refuse one name where several belong: its letters would be taken for them."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise InputError(f"{what} must be a list of names, was {names!r:.80}")
