"""Examine machine, settings and venue before a session does, and say the way out of each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .exit_codes import ExitCode
from .options import AsJson, ConfigFile, DatabaseUrl, DataDir
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..model.config import LoadedConfig
    from ..venues import Finding


def doctor(
    symbols: Annotated[str | None, typer.Option("--symbols", help="BTCUSDT,ETHUSDT ...")] = None,
    venue: Annotated[
        str | None, typer.Option("--venue", help="Whose account: paper, binance_futures.")
    ] = None,
    feed: Annotated[str | None, typer.Option("--feed", help="As of run.")] = None,
    testnet: Annotated[
        bool | None,
        typer.Option("--testnet/--mainnet", help="Which of the venue's two markets. Testnet."),
    ] = None,
    dry_run: Annotated[
        bool | None,
        typer.Option("--dry-run/--live", help="Simulated account, or the configured venue's."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: NAME=VALUE, as config show lists. Repeatable."),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Check settings, disk, journal, and the way to the venue: time, contracts, key, streams.

    Nothing is traded or set. The exit code is that of the first check that failed.
    """
    from ..model.config import TradingConfig
    from .run import CHECKS, execute, overrides_of

    flags = {
        "symbols": symbols,
        "venue": venue,
        "feed": feed,
        "testnet": testnet,
        "dry_run": dry_run,
        "data_dir": data_dir,
        "database_url": database_url,
    }
    loaded = TradingConfig.load(config, overrides=overrides_of(settings, flags))
    for check in CHECKS:
        check(loaded)
    return execute(_examine(loaded, as_json=as_json))


async def _examine(loaded: LoadedConfig, *, as_json: bool) -> int:
    from ..model.config_keys import secrets_of
    from ..model.errors import ConfigError
    from ..runtime.doctor import examine
    from ..runtime.redaction import Redactor

    try:
        redactor = Redactor(secrets_of(loaded.config))
    except ConfigError:  # the examination says so, and shows no secret
        each = [loaded.config.of_account(name) for name in loaded.config.account_names]
        redactor = Redactor(text for one in each for text in (one.api_key, one.api_secret))
    found = [finding async for finding in examine(loaded)]
    code = exit_code(found)
    rows = [
        {
            "check": finding.check,
            "health": finding.health.value,
            "told": redactor.clean(finding.told),
            "way_out": redactor.clean(finding.way_out),
        }
        for finding in found
    ]
    if as_json:
        print_json({"is_ok": code is ExitCode.OK, "exit_code": int(code), "checks": rows})
    else:
        _print(rows)
    return code


def _print(rows: list[dict[str, str]]) -> None:
    shown = [[row["health"], row["check"], row["told"]] for row in rows]
    print_table("", ["", "Check", "Found"], shown)
    for row in rows:
        if row["way_out"]:
            print(f"\n{row['check']}: {row['way_out']}")


def exit_code(found: list[Finding]) -> ExitCode:
    """Return the code of the first check that failed; 0 where none did."""
    from ..venues import Area, Health

    codes = {
        Area.SETTINGS: ExitCode.USAGE,
        Area.VENUE: ExitCode.VENUE,
        Area.JOURNAL: ExitCode.JOURNAL,
    }
    bad = (codes[finding.area] for finding in found if finding.health is Health.FAILED)
    return next(bad, ExitCode.OK)
