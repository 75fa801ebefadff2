"""What is left of a session when it has ended: figures, the books beside the venue's, a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..journal import open_journal
from ..model.errors import TradingError
from ..model.market import Bar, timeframe_ns
from ..model.values import MAIN, NS_PER_S, SessionId, Symbol, TradingSessionStatus
from ..owner_only import make_file, make_folder
from ..ports import Feed
from ..runtime.books import BooksReport
from ..runtime.control_wire import builtins
from ..runtime.figures import Before
from ..runtime.report import text_report, write_report
from ..runtime.service import LiveTradingService
from ..stats import SessionStats
from .driving import Ending
from .exit_codes import ExitCode
from .output import NEWLINE, visible, warn

BARS_MAX = 600
"""Bars of one price chart in the report."""

FACTS_MANY = 200_000
"""A journal of so many takes more than a second to read: whoever waits for its report is told."""

_MINUTE = "1m"
AROUND = 10
"""Minutes drawn before a session that is too short for bars of its own."""

_FRAMES = ("1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h", "1d")

FIELDS = (
    "session_id", "status", "reason", "error", "duration_s", "signals", "denied", "orders", "fills",
    "trades", "pnl", "fees", "charges", "funding", "unrealized", "equity_start", "equity_end",
    "max_drawdown",
    "books", "differences", "report", "venue", "feed", "symbols", "strategies", "restarts",
    "stopped_strategies",
)  # fmt: skip


def failed_document() -> dict[str, Any]:
    """Return what a session that never ran says of itself: nothing, under every name."""
    return dict.fromkeys(FIELDS)


@dataclass(frozen=True, slots=True)
class Result:
    """What to tell of a session that has ended."""

    document: dict[str, Any]
    figures: SessionStats
    positions: Sequence[str]

    def print(self) -> None:
        """Tell people."""
        document = self.document
        print(visible(text_report(self.figures), keep=NEWLINE))
        if self.positions:
            print("\nStill open: " + "; ".join(self.positions))
        for name, why in document["stopped_strategies"].items():
            print(visible(f"\nStrategy {name} was TAKEN OFF: {why}"))
        because = f" ({visible(document['reason'])})" if document["reason"] else ""
        print(f"\nEnded {document['status']}{because}; {_books_told(document['books'])}")
        if document["report"]:
            print(f"Report: {document['report']}")


def _books_told(books: dict[str, str | None]) -> str:
    if None in books.values():
        return "the venue's books could not be read"
    if set(books.values()) == {"0"}:
        return "the books agree with the venue's"
    positions, balance = books["positions_diff"], books["balance_diff"]
    return f"THE BOOKS DIFFER from the venue's: positions by {positions}, balance by {balance}"


def books_code(books: BooksReport | None) -> ExitCode:
    """Say what differs between the books, where something does, and return the exit code for it."""
    if books is None:
        warn("the venue's books could not be read at the end")
        return ExitCode.VENUE
    for difference in books.differences:
        warn(f"the books differ: {difference}")
    return ExitCode.ALARM if books.differences else ExitCode.OK


def figures_of(stats: SessionStats) -> dict[str, Any]:
    """Return the figures, each under its name in a document."""
    return {
        "signals": stats.signals,
        "denied": stats.denied,
        "denials": stats.denials,
        "denial_reasons": stats.denial_reasons,
        "orders": stats.orders,
        "rejected": stats.rejected,
        "rejection_reason": stats.rejection_reason,
        "fills": stats.fills,
        "trades": stats.total_trades,
        "win_rate": stats.win_rate,
        "profit_factor": stats.profit_factor,
        "sharpe_ratio": stats.sharpe_ratio,
        "sortino_ratio": stats.sortino_ratio,
        "max_drawdown": stats.max_drawdown,
        "pnl": stats.total_pnl,
        "realized": stats.realized_pnl,
        "unrealized": stats.unrealized_pnl,
        "fees": stats.fees,
        "charges": stats.charges,
        "funding": stats.funding,
        "equity_start": stats.equity_start,
        "equity_end": stats.equity_end,
    }


def finish(
    service: LiveTradingService, ending: Ending, report: Path | None, *, wants_report: bool
) -> Result:
    """Write the report and collect what there is to tell."""
    session, config, figures = service.session(), service.config, ending.figures
    path = report or config.data_dir / "reports" / f"{session.id}.html"
    if wants_report and not _write(service, path, figures, is_ours=report is None):
        wants_report = False
    books = service.books
    document: dict[str, Any] = builtins(
        {
            "session_id": session.id,
            "status": TradingSessionStatus.ERROR if ending.is_error else session.status,
            "reason": ending.reason,
            "error": ending.reason if ending.is_error else None,
            "duration_s": round(ending.seconds, 3),
            "feed_duration_s": figures.duration.total_seconds(),
            "started_at": session.started_at,
            "stopped_at": session.stopped_at,
            **figures_of(figures),
            "books": {
                "positions_diff": books.positions_diff if books else None,
                "balance_diff": books.balance_diff if books else None,
            },
            "differences": books.differences if books else None,
            "report": str(path) if wants_report else None,
            "venue": service.live.venue.name,
            **_accounts(service),
            "feed": config.feed,
            "speed": config.speed,
            "symbols": session.symbols,
            "strategies": session.strategies,
            "stopped_strategies": dict(service.live.engine.state.stopped_strategies),
            "restarts": service.restarts,
            "data_dir": str(config.data_dir),
        }
    )
    return Result(document, figures, _open_positions(service))


def _accounts(service: LiveTradingService) -> dict[str, object]:
    """Return each account's venue, where there is more than one."""
    venues = service.live.accounts.venues
    return {"accounts": {n: v.name for n, v in venues.items()}} if len(venues) > 1 else {}


def _open_positions(service: LiveTradingService) -> list[str]:
    state = service.live.engine.state
    return [
        f"{state.position(key).qty:+f} {key[1]} @ {state.position(key).entry_price:.8g}"
        + ("" if key[0] == MAIN else f" on {key[0]}")
        for key in state.open_keys()
    ]


def _write(
    service: LiveTradingService, path: Path, figures: SessionStats, *, is_ours: bool
) -> bool:
    """Write the HTML report; a failure is told and takes nothing else down."""
    try:
        if is_ours:
            make_folder(path.parent)
            make_file(path)
        before = service.live.figures.before if service.live.figures else Before()
        journal = open_journal(service.config.database_url, read_only=True)
        try:
            if (count := journal.sequence - before.sequence) >= FACTS_MANY:
                warn(f"writing the report of {count:,} facts: Ctrl-C leaves it out")
            write_report(
                path,
                journal.replay(before.sequence),
                bars=_bars(service, figures),
                session_id=SessionId(str(service.session().id)),
                before=before.fold,
            )
        finally:
            journal.close()
    except (TradingError, OSError) as error:
        warn(f"no report: {error}")
    except KeyboardInterrupt:
        warn("no report: it was interrupted")
    else:
        return True
    if is_ours:  # half of it would be taken for all
        with suppress(OSError):
            path.unlink()
    return False


def _bars(service: LiveTradingService, figures: SessionStats) -> dict[Symbol, Sequence[Bar]]:
    live = service.live
    return bars_of(live.feed, live.plan.symbols, figures, live.now())


def bars_of(
    feed: Feed, symbols: Iterable[Symbol], figures: SessionStats, now: int
) -> dict[Symbol, Sequence[Bar]]:
    """Return what the price charts draw, in a time frame that fits the session's length.

    Feeds may have no bars that are so short: Binance has none below a minute.
    """
    frame, count = chart_frame(figures.started_ts, figures.ended_ts)
    minutes = count * timeframe_ns(frame) // timeframe_ns(_MINUTE) + AROUND
    found: dict[Symbol, Sequence[Bar]] = {}
    try:
        for symbol in symbols:
            found[symbol] = list(feed.history(symbol, frame, now, count))
            if not found[symbol] and timeframe_ns(frame) < timeframe_ns(_MINUTE):
                found[symbol] = list(feed.history(symbol, _MINUTE, now, minutes))
    except (TradingError, ValueError):
        return {}  # the charts draw the fills alone
    return found


def chart_frame(start_ts: int, end_ts: int) -> tuple[str, int]:
    """Return the time frame that a span is drawn in, and how many bars that makes."""
    length = max(end_ts - start_ts, NS_PER_S)
    frame = next((f for f in _FRAMES if length // timeframe_ns(f) <= BARS_MAX), _FRAMES[-1])
    return frame, min(BARS_MAX, length // timeframe_ns(frame) + 1)
