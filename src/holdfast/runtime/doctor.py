"""Examine all that a session with these settings would need, from the disk to the venue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec

from ..journal import open_journal
from ..model.config import LoadedConfig, TradingConfig
from ..model.errors import ConfigError, TradingError
from ..model.values import MAIN, AccountId
from ..venues import EXAMINERS, PAPER, Area, Finding, Wiring
from ..venues.findings import failed, ok, skipped, warned
from .account_mark import check_folder, check_recorded, configured_text
from .accounts import check_left_behind
from .assembly import opener_of
from .clock import WallClock
from .machine import examine_machine, is_made
from .proxies import WAY_OUT, unused_proxy
from .recovery import StateRecoveryService


async def examine(loaded: LoadedConfig) -> AsyncIterator[Finding]:
    """Yield the findings as they come."""
    config = loaded.config
    for warning in loaded.warnings:
        yield warned("settings", warning, "see holdfast config show", Area.SETTINGS)
    if not loaded.warnings:
        yield ok("settings", f"{len(loaded.sources)} given, and they hold together")
    for finding in (*examine_machine(config), *_records(config)):
        yield finding
    if told := unused_proxy(config):
        yield warned("proxy", told, WAY_OUT)
    async for finding in _account(config, MAIN):
        yield finding
    for name in config.account_names[1:]:
        async for finding in _account(config.of_account(name), name):
            yield msgspec.structs.replace(finding, check=f"{finding.check} ({name})")


def _records(config: TradingConfig) -> Iterator[Finding]:
    """Tell where a start would refuse the journal: its records are of other accounts."""
    names = [name for name in config.account_names if _is_known(config.of_account(name))]
    texts = {name: configured_text(config.of_account(name)) for name in names}
    try:
        if not is_made(config.database_url):
            return
        journal = open_journal(config.database_url, read_only=True)
        try:
            state = StateRecoveryService(journal).recover().engine.state
        finally:
            journal.close()
        check_left_behind(state, config.account_names)
        check_recorded(config.data_dir, state.markets, texts)
        if state.session_id:
            check_folder(config.data_dir, texts)
    except ConfigError as error:
        way_out = "name another place with --data-dir, or put back what the settings were"
        yield failed("records", str(error), way_out, Area.SETTINGS)
    except TradingError:
        return  # the journal's own finding tells of it


def _is_known(config: TradingConfig) -> bool:
    """Tell whether what an account's venue calls itself is known without it."""
    return config.dry_run or config.venue == PAPER or config.venue in EXAMINERS


async def _account(config: TradingConfig, account: AccountId) -> AsyncIterator[Finding]:
    """Examine one account, by its own settings."""
    name = config.feed if config.venue == PAPER else config.venue
    wiring = Wiring(config=config, account=account, clock=WallClock(), symbols=config.symbols)
    if name in EXAMINERS and (account == MAIN or config.venue != PAPER):
        async for finding in EXAMINERS[name](wiring):
            yield finding
    elif config.venue == PAPER or config.dry_run:
        yield skipped("venue", f"a simulated account on the feed {config.feed} needs none")
    else:
        yield await _knock(wiring)


async def _knock(wiring: Wiring) -> Finding:
    """Connect to a venue that has no examiner, ask nothing, and leave."""
    name = wiring.config.venue
    try:
        venue = opener_of(wiring.config)(wiring)
        try:
            await venue.connect((), lambda _: None)
        finally:
            await venue.close()
    except TradingError as error:
        return failed("venue", f"{name}: {error}", "see the settings of section venue")
    return ok("venue", f"{name} takes the account")
