"""What the pages of replays say before their figures: of what, and on what terms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ..model.values import NS_PER_S, plain
from ..stats import SessionStats
from .replay import Terms
from .replay_sweep import Job

FILES_NAMED = 5


def terms_said(job: Job) -> list[str]:
    """Return what was read, and the terms that the simulated exchange traded on."""
    named = list(job.files[:FILES_NAMED])
    if len(job.files) > FILES_NAMED:
        named.append(f"and {len(job.files) - FILES_NAMED} more")
    terms = [*_terms(job.terms), f"begun with {job.config.initial_balance:,.2f}"]
    return [f"Recordings: {', '.join(named)}", "; ".join(terms)]


def job_said(job: Job, ran: Sequence[SessionStats]) -> list[str]:
    """Return the strategy, the time that its replays took from the recordings, and the terms."""
    symbols = job.config.symbols
    lines = [f"{job.strategy} on {', '.join(symbols)}" if symbols else job.strategy]
    if known := [stats for stats in ran if stats.started_ts]:
        begun, ended = (
            min(stats.started_ts for stats in known),
            max(stats.ended_ts for stats in known),
        )
        lines.append(span_said(begun, ended))
    return [*lines, *terms_said(job)]


def span_said(begun: int, ended: int) -> str:
    """Write a span of time and its length."""
    whole = timedelta(seconds=round((ended - begun) / NS_PER_S))
    return f"{time_said(begun)} to {time_said(ended)} UTC, {whole}"


def time_said(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"


def _terms(terms: Terms) -> list[str]:
    latency = terms.latency_ns / 1e6
    fees = (terms.maker_fee, terms.taker_fee)
    told = [
        f"Latency {latency:g} ms each way" if latency else "No latency",
        "the contract's own fees" if None in fees else f"fees {' and '.join(map(_percent, fees))}",
        f"half spread {_percent(terms.liquidity.half_spread)}",
    ]
    if (queue := terms.liquidity.unknown_queue) is not None:
        told.append(f"{plain(queue)} ahead of a resting order")
    return told


def _percent(share: Decimal | None) -> str:
    return "" if share is None else f"{plain(share * 100)} %"
