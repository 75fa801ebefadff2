"""A session of the journal beside its replay."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING

from .output import print_json, print_pairs, print_table, warn
from .replaying import Place, Told, code_of, played

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from ..model.config import TradingConfig
    from ..model.values import AccountId
    from ..runtime.replay import Replayed
    from ..runtime.replay_compare import Drift, Pair, Recorded
    from ..runtime.replay_sweep import Job
    from ..stats import RoundTrip

PAIRS_SHOWN = 40
DOWN_NS_TOLD = 60_000_000_000


def compared(
    job: Job,
    strategy: list[str] | None,
    session_id: str,
    place: Place,
    *,
    has_balance: bool,
    as_json: bool,
) -> int:
    """Replay the time of a session and show how far the two drifted apart.

    Args:
        has_balance: the deposit was asked for; else it is each account's first equity.
    """
    from dataclasses import replace

    from ..runtime.control_wire import builtins
    from ..runtime.replay_compare import compare, recorded
    from ..runtime.replay_report import write_drift
    from ..stats import round_trips
    from . import journaled

    with journaled.reading(job.config) as journal:
        session = recorded(journal.replay(), session_id)
    symbols = job.config.symbols or session.symbols
    trips = session.between(job.start_ts, job.end_ts, symbols)
    config = job.config.model_copy(update={"symbols": symbols})
    job = replace(
        job,
        config=config if has_balance else _begun_with(config, session.equity),
        start_ts=max(job.start_ts, session.started_ts),
        end_ts=min(job.end_ts or session.ended_ts + 1, session.ended_ts + 1),
    )
    names = tuple(strategy or session.strategies)
    alone = copy(place)
    alone.report = None
    done, document, facts = played(job, names, alone, is_quiet=as_json)
    _warn(session, trips, done)
    drift = compare(trips, round_trips(facts()))
    title = f"Session {session.session_id} beside its replay {done.session_id}"
    place.have(lambda path: write_drift(path, job, drift, title))
    document |= {
        "compared": session.session_id,
        "report": str(place.report) if place.report else None,
        "drift": builtins(drift.summary()),
    }
    if as_json:
        print_json({**document, "pairs": builtins([_pair(pair) for pair in drift.pairs])})
    else:
        _print_drift(title, drift, document["drift"])
        if place.report:
            print(f"Report: {place.report}")
    return code_of(done)


def _begun_with(config: TradingConfig, equity: dict[AccountId, Decimal]) -> TradingConfig:
    """Return the settings with what each account of a session began with."""
    from ..model.values import MAIN, AccountId

    def deposit(name: AccountId) -> Told:
        known = config.of_account(name).initial_balance
        return {"initial_balance": equity.get(name, known)}

    others = {
        name: each.model_copy(update=deposit(AccountId(name)))
        for name, each in config.accounts.items()
    }
    return config.model_copy(update={**deposit(MAIN), "accounts": others})


def _warn(session: Recorded, trips: Sequence[RoundTrip], done: Replayed) -> None:
    """Say what keeps session and replay from being alike."""
    from ..model.values import plain
    from ..runtime.replay_said import span_said

    begun, ended = done.figures.started_ts, done.now
    outside = sum(not begun <= trip.entry_ts <= trip.exit_ts <= ended for trip in trips)
    if outside:
        span = span_said(begun, ended)
        warn(f"{outside} trades of the session are outside of what was replayed, {span}")
    if session.down_ns >= DOWN_NS_TOLD:
        down = timedelta(seconds=session.down_ns // 1_000_000_000)
        warn(f"the session was down for {down} in all; its replay trades all the time")
    if session.other_fees:
        paid = ", ".join(f"{plain(fee)} {asset}" for asset, fee in session.other_fees.items())
        warn(f"the session's profits are before fees of {paid}; the replay's are behind all fees")


def _pair(pair: Pair) -> Told:
    return {
        "session": pair.session,
        "replay": pair.replay,
        "entry_ms": pair.entry_ms,
        "entry_bp": pair.entry_bp,
        "exit_ms": pair.exit_ms,
        "exit_bp": pair.exit_bp,
        "pnl": pair.pnl,
    }


def _print_drift(title: str, drift: Drift, summary: Told) -> None:
    from ..runtime.views import when

    rows = []
    if len(drift.pairs) > PAIRS_SHOWN:
        title += f": the {PAIRS_SHOWN} of {len(drift.pairs)} trades that are furthest apart"
    for pair in drift.furthest(PAIRS_SHOWN):
        trip = pair.session or pair.replay
        assert trip is not None, "a pair has a side"
        there = "both" if pair.session and pair.replay else "session" if pair.session else "replay"
        rows.append(
            [
                f"{when(trip.entry_ts):%Y-%m-%d %H:%M:%S}",
                trip.symbol,
                "long" if trip.side.sign > 0 else "short",
                there,
                *(_number_told(value) for value in (pair.entry_ms, pair.entry_bp)),
                *(_number_told(value) for value in (pair.exit_ms, pair.exit_bp)),
                f"{pair.pnl:+z,.2f}",
            ]
        )
    columns = ["Entered", "Symbol", "Side", "In", "ms>", "Worse, bp>", "Exit ms>", "Worse, bp>"]
    print_table(title, [*columns, "P&L apart>"], rows)
    print_pairs("", [(name.replace("_", " "), _figure_told(summary[name])) for name in summary])


def _figure_told(value: float | str | None) -> str:
    """Write a count as it is, a mean and a profit with two decimals."""
    return "-" if value is None else f"{value}" if type(value) is int else f"{float(value):+z,.2f}"


def _number_told(value: float | None) -> str:
    return "" if value is None else f"{value:+z.2f}"
