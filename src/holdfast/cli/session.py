"""Look at the session and steer it: status, pause, resume, stop."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import typer

from ..model.errors import TradingError
from ..model.values import TradingSessionStatus
from ..runtime.control_file import NoSessionRunning
from .exit_codes import UNFINISHED, ExitCode
from .options import AsJson, ConfigFile, DataDir, Place
from .output import (
    UNHEARD,
    money,
    print_json,
    print_pairs,
    share,
    tell_notes,
    text_of,
    time_of,
    visible,
    warn,
)
from .parts import part_line

Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the journal.")]


def status(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the session and how the account stands; from the journal when nothing runs."""
    place = Place(data_dir, config)
    try:
        found = place.client().get("/v1/status")
    except NoSessionRunning:
        from . import journaled

        found = journaled.status(place.config())
    if as_json:
        print_json(found)
    else:
        print_status(found)


def print_status(found: dict[str, Any]) -> None:
    """Write a status for people."""
    session, metrics = found["session"], found["metrics"] or {}
    metrics = {} if found.get("accounts") else metrics  # each has its own line
    killed = f"ENGAGED, {_blocked(found)}" if found["is_killed"] else ""
    stopped = found.get("stopped_strategies", {})
    print_pairs(
        found.get("note", ""),
        [
            ("Session", session["id"]),
            ("Status", f"{session['status']}{_because(session['reason'])}"),
            ("Kill switch", killed),
            ("CUT OFF", "; ".join(found.get("cut_off", ()))),
            ("Started", time_of(session["started_at"])),
            ("Feed time", time_of(found["time"])),
            ("Feed", text_of(found.get("feed_source"))),
            ("Venue", "" if "accounts" in found else text_of(found.get("venue"))),
            ("Symbols", text_of(session["symbols"])),
            ("Strategies", text_of(session["strategies"])),
            ("Stopped", "; ".join(f"{name}: {reason}" for name, reason in stopped.items())),
            ("Restarts", text_of(found.get("restarts") or None)),
            *_accounts(found.get("accounts", {})),
            ("Equity", _equity(metrics)),
            ("Realized P&L", money(session["total_pnl"], signed=True)),
            ("Unrealized", money(metrics.get("unrealized_pnl"), signed=True)),
            ("Today", money(metrics.get("daily_pnl"), signed=True)),
            ("Free margin", money(metrics.get("free_margin"))),
            ("Margin ratio", share(metrics.get("margin_ratio"))),
            ("Positions", text_of(metrics.get("position_count"))),
            ("Open orders", text_of(metrics.get("open_orders"))),
            ("In doubt", text_of(metrics.get("orders_in_doubt") or None)),
            ("Without stop", text_of(metrics.get("without_stop") or None)),
            ("STOP MISSING", text_of(metrics.get("unprotected") or None)),
            ("In parts", "; ".join(part_line(whole) for whole in found.get("parts", ()))),
            ("Trades", text_of(session["total_trades"])),
        ],
    )


def _equity(metrics: dict[str, Any]) -> str:
    """Write an equity; of when it is where nobody has reckoned it since, and that nobody can."""
    if not metrics:
        return ""
    at = metrics.get("equity_at")
    return f"{_or_unheard(money(metrics['equity']))}{f' as of {time_of(at)}' if at else ''}"


def _or_unheard(figure: str) -> str:
    return figure or UNHEARD


def _accounts(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a line for each account; none where there is one alone."""
    return [(f"Account {name}", _account(row)) for name, row in found.items()]


def _account(row: dict[str, Any]) -> str:
    metrics = row["metrics"]
    parts = [
        row.get("venue", ""),
        f"equity {_or_unheard(money(metrics['equity']))}",
        f"unrealized {_or_unheard(money(metrics['unrealized_pnl'], signed=True))}",
        f"today {_or_unheard(money(metrics['daily_pnl'], signed=True))}",
        f"free margin {_or_unheard(money(metrics['free_margin']))}",
        f"margin ratio {_or_unheard(share(metrics['margin_ratio']))}",
        f"positions {text_of(metrics['position_count'])}",
        f"open orders {text_of(metrics['open_orders'])}",
        f"in doubt {metrics['orders_in_doubt']}" if metrics["orders_in_doubt"] else "",
        f"without stop {metrics['without_stop']}" if metrics["without_stop"] else "",
        f"STOP MISSING {metrics['unprotected']}" if metrics["unprotected"] else "",
    ]
    return ", ".join(filter(None, parts))


def _blocked(found: dict[str, Any]) -> str:
    return f"nothing new is opened: {found['kill_reason']}"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def pause(
    reason: Reason = "operator",
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take no new risk. Exits and stops go on; resting entries are taken back."""
    found = Place(data_dir, config).client().post("/v1/pause", reason=reason)
    _tell(found, as_json=as_json)
    if found["session"]["status"] == TradingSessionStatus.ERROR.value:
        warn(
            "the session is between two lives; the pause is on record, and the next begins with it"
        )


def resume(
    reason: Reason = "operator",
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take new risk again."""
    found = Place(data_dir, config).client().post("/v1/resume", reason=reason)
    _tell(found, as_json=as_json)
    if found["is_killed"]:
        warn(f"the kill switch is engaged, {_blocked(found)}. holdfast release lifts it")


def stop(
    flatten: Annotated[
        bool | None,
        typer.Option(
            "--flatten/--keep",
            help="Close positions, or leave them with their stops.",
            show_default=False,
        ),
    ] = None,
    reason: Reason = "operator",
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Take entries back, end the session, and return when it has ended."""
    place = Place(data_dir, config)
    try:
        found = place.client().post("/v1/stop", reason=reason, flatten=flatten)
    except NoSessionRunning as error:
        raise (_not_flat(place, error) if flatten else error) from None
    _tell(found, as_json=as_json)
    status = found["session"]["status"]
    if status == TradingSessionStatus.ERROR.value:
        return ExitCode.SESSION_ERROR
    if status != TradingSessionStatus.STOPPING.value:
        return ExitCode.OK
    warn(UNFINISHED)
    return ExitCode.VENUE


def _not_flat(place: Place, error: NoSessionRunning) -> NoSessionRunning:
    """Add what is held to the news that nothing runs: whoever wants it closed must know."""
    from . import journaled

    held = ""
    with contextlib.suppress(TradingError):  # there is no journal, or it can't be read
        held = journaled.held(place.config())
    return NoSessionRunning(f"{error}; {held}") if held else error


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        session = found["session"]
        print(visible(f"{session['status']}{_because(session['reason'])}"))
        tell_notes(found)
