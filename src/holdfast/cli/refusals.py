"""What a start would refuse of settings whose values are sound: names of what is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..feeds import FEEDS
from ..feeds.files import find_files
from ..journal import check_kept
from ..model.config import LoadedConfig, TradingConfig
from ..model.errors import TradingError
from ..runtime.assembly import check_disabled_rules, load_strategies
from ..runtime.seats import bindings_of
from .run import DEFAULT_STRATEGY, check_symbols, check_venue

Look = Callable[[TradingConfig], object]


def refusals(loaded: LoadedConfig) -> list[str]:
    """Return every one, each with its place."""
    found = []
    for check in (check_venue, check_symbols):
        try:
            check(loaded)
        except TradingError as error:
            found.append(str(error))
    config = loaded.config
    for setting, look in _looks(config):
        try:
            look(config)
        except TradingError as error:
            found.append(f"{loaded.source_of(setting)}: {error}")
    return found


def _looks(config: TradingConfig) -> Iterator[tuple[str, Look]]:
    yield "disabled", check_disabled_rules
    yield "database_url", lambda config: check_kept(config.database_url)
    if config.feed and config.feed not in FEEDS:
        yield "feed", lambda config: find_files(config.feed)
    for spec in config.strategies or (DEFAULT_STRATEGY,):
        yield "strategies", lambda config, spec=spec: _load(config, spec)  # type: ignore[misc]  # bound


def _load(config: TradingConfig, spec: str) -> None:
    made, _ = load_strategies([spec])
    bindings_of(made, config.account_names)
