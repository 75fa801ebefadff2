"""A session's figures, and how the account stands."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from ..model.values import MAIN
from ..runtime.control_file import NoSessionRunning
from .options import Account, AsJson, ConfigFile, DatabaseUrl, DataDir, Place
from .output import (
    NEWLINE,
    amount,
    money,
    print_json,
    print_pairs,
    share,
    text_of,
    time_of,
    visible,
    warn,
)


def stats(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the figures of the running session, or of the last one; with --database-url of the last
    one in that journal, such as a replay's.
    """
    found = _stats(Place(data_dir, config, database_url))
    if as_json:
        print_json(found)
        return
    if "note" in found:
        warn(found["note"])
    print(visible(report_of(found["stats"]), keep=NEWLINE))


def _stats(place: Place) -> dict[str, Any]:
    if place.database_url is None:
        with suppress(NoSessionRunning):
            return place.client().get("/v1/stats")
    from ..runtime.control_wire import builtins
    from . import journaled

    found = {"stats": builtins(journaled.stats(place.config()))}
    return found if place.database_url else {"note": journaled.NOTE, **found}


def report_of(figures: dict[str, Any]) -> str:
    """Write figures that came as JSON as the session's own report does."""
    import msgspec

    from ..runtime.report import text_report
    from ..stats import SessionStats

    # A ratio that is infinite has no number in JSON.
    ratios = ("profit_factor", "sortino_ratio", "sharpe_ratio")
    given = {k: float("inf") if k in ratios and v is None else v for k, v in figures.items()}
    return text_report(msgspec.convert(given, SessionStats, str_keys=True, strict=False))


def metrics(
    account: Account = MAIN,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show how an account of the running session stands at this moment."""
    query = urlencode({"account": account})
    found = Place(data_dir, config).client().get(f"/v1/metrics?{query}")
    if as_json:
        print_json(found)
        return
    shown = found["metrics"]
    print_pairs(
        "",
        [
            ("Time", time_of(shown["time"])),
            ("Equity", money(shown["equity"])),
            ("Wallet", money(shown["wallet"])),
            ("Unrealized", money(shown["unrealized_pnl"], signed=True)),
            ("Today", money(shown["daily_pnl"], signed=True)),
            ("Exposure", money(shown["total_exposure"])),
            ("Leverage", amount(shown["leverage"])),
            ("Free margin", money(shown["free_margin"])),
            ("Margin ratio", share(shown["margin_ratio"])),
            ("Positions", text_of(shown["position_count"])),
            ("Open orders", text_of(shown["open_orders"])),
            ("In doubt", text_of(shown["orders_in_doubt"])),
            ("Without stop", text_of(shown["without_stop"])),
            ("STOP MISSING", text_of(shown["unprotected"] or None)),
            ("Kill switch", "ENGAGED" if shown["is_killed"] else ""),
        ],
    )
