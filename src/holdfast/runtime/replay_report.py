"""The pages of sweeps, walk-forwards and comparisons, in the dress of a session's report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from ..model.errors import InputError
from ..model.values import plain
from ..stats import RoundTrip
from .replay_compare import Drift, Pair
from .replay_said import job_said, terms_said, time_said
from .replay_sweep import Fold, Job, Row, written
from .report_page import Cell, cards, chart, of_trades, page, ratio_said, table

COLUMNS = (
    "Profit>", "Trades>", "Win rate>", "Profit factor>", "Drawdown>", "Sharpe>", "Fees>", "Fault*",
)  # fmt: skip


MIDDLES = {"pnl": 0.0, "sharpe": 0.0, "sortino": 0.0, "profit_factor": 1.0}
"""Where a figure is neither good nor bad: the best of bad points is not green."""


def write_sweep(
    path: Path, job: Job, axes: Mapping[str, Sequence[str]], rows: Sequence[Row], by: str
) -> None:
    """Write a sweep's page: a heat map where there are two axes, a line for one, and a table."""
    from .report_charts import plotly_script  # noqa: PLC0415 - half a second to import

    body = [cards(_best_told(rows, by))]
    if len(axes) in (1, 2):
        body.append(chart(f"{by} over {' and '.join(axes)}", _map(axes, rows, by)))
    names = list(axes)
    ranked = sorted(rows, key=lambda row: -row.figure(by))
    body.append(
        table(
            "All points, the best first",
            [*(f"{name}>" for name in names), *COLUMNS],
            [[*(Cell(value) for _, value in row.job.point), *_cells(row)] for row in ranked],
        )
    )
    said = [f"{len(rows)} replays", *job_said(job, [row.figures for row in rows])]
    _write(path, page("Parameter sweep", said, body, plotly_script()))


def write_walk(path: Path, job: Job, folds: Sequence[Fold], by: str) -> None:
    """Write a walk-forward's page."""
    rows = []
    for fold in folds:
        given = ", ".join(f"{name}={value}" for name, value in fold.tested.job.point)
        span = f"{time_said(fold.tested.job.start_ts)} to {time_said(fold.tested.job.end_ts or 0)}"
        trained = Cell("" if fold.trained.fault else f"{fold.trained.figure(by):,.4g}")
        rows.append([Cell(span), Cell(given), trained, *_cells(fold.tested)])
    total = sum((_profit(fold.tested) for fold in folds), Decimal(0))
    said = [("Folds", Cell(f"{len(folds)}")), ("Profit out of sample", _signed(total))]
    titles = ["Tested", "Best in training", f"{by} in training>", *COLUMNS]
    lines = job_said(job, [each.figures for fold in folds for each in (fold.trained, fold.tested)])
    _write(path, page("Walk-forward", lines, [cards(said), table("Folds", titles, rows)], ""))


def write_drift(path: Path, job: Job, drift: Drift, title: str) -> None:
    """Write a comparison's page."""
    said = [
        (name.replace("_", " ").capitalize(), Cell(_told(value)))
        for name, value in drift.summary().items()
    ]
    columns = [
        "Entered", "Symbol", "Side", "Strategy", "Quantity>", "Net P&L>", "Replay's>", "Entry>",
        "Replay's>", "Later, ms>", "Worse, bp>", "Exit>", "Replay's>", "Later, ms>", "Worse, bp>",
    ]  # fmt: skip
    rows = [_pair_row(pair) for pair in drift.pairs]
    lines = [title, *terms_said(job)]
    _write(
        path, page("Session and replay", lines, [cards(said), table("Trades", columns, rows)], "")
    )


def _pair_row(pair: Pair) -> list[Cell]:
    real, made = pair.session, pair.replay
    trip = real or made
    assert trip is not None, "a pair has a side"
    return [
        Cell(time_said(trip.entry_ts)),
        Cell(trip.symbol),
        Cell("long" if trip.side.sign > 0 else "short"),
        Cell(trip.strategy_id),
        Cell(plain(trip.qty)),
        _signed(real.net_pnl) if real else Cell("none"),
        _signed(made.net_pnl) if made else Cell("none"),
        _price(real, "entry_price"),
        _price(made, "entry_price"),
        Cell(_told(pair.entry_ms)),
        Cell(_told(pair.entry_bp)),
        _price(real, "exit_price"),
        _price(made, "exit_price"),
        Cell(_told(pair.exit_ms)),
        Cell(_told(pair.exit_bp)),
    ]


def _price(trip: RoundTrip | None, name: str) -> Cell:
    return Cell("" if trip is None else f"{getattr(trip, name):.8g}")


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:+z.2f}"
    return f"{value:+z,.2f}" if isinstance(value, Decimal) else str(value)


def _best_told(rows: Sequence[Row], by: str) -> list[tuple[str, Cell]]:
    best = max(rows, key=lambda row: row.figure(by))
    if best.fault:
        return [("Best", Cell("none: every point failed"))]
    given = ", ".join(f"{name}={value}" for name, value in best.job.point)
    return [("Best", Cell(given)), (by, Cell(written(best.figure(by), by)))]


def _map(axes: Mapping[str, Sequence[str]], rows: Sequence[Row], by: str) -> str:
    from .report_charts import heat_map, line_chart  # noqa: PLC0415 - half a second to import

    known = {tuple(value for _, value in row.job.point): row.figure(by) for row in rows}
    known = {place: value for place, value in known.items() if math.isfinite(value)}
    (x, across), *rest = axes.items()
    if not rest:
        return line_chart(across, [known.get((value,)) for value in across], (x, by))
    y, down = rest[0]
    heat = [[known.get((one, other)) for one in across] for other in down]
    return heat_map(across, down, heat, (x, y, by), MIDDLES.get(by))


def _cells(row: Row) -> list[Cell]:
    stats = row.figures
    if row.fault:
        return [Cell("")] * (len(COLUMNS) - 1) + [Cell(row.fault)]
    return [
        _signed(_profit(row)),
        Cell(f"{stats.total_trades:,}"),
        Cell(of_trades(stats, f"{stats.win_rate:.1%}")),
        Cell(of_trades(stats, ratio_said(stats.profit_factor))),
        Cell(f"{stats.max_drawdown:.2%}"),
        Cell(f"{stats.sharpe_ratio:.2f}"),
        Cell(f"{stats.fees:,.2f}"),
        Cell(""),
    ]


def _profit(row: Row) -> Decimal:
    """Return what a replay made, what is still open at its end included."""
    return row.figures.total_pnl + row.figures.unrealized_pnl


def _signed(amount: Decimal) -> Cell:
    tone = "good" if amount > 0 else "bad" if amount < 0 else ""
    return Cell(f"{amount:+z,.2f}" if amount else "0.00", tone)


def _write(path: Path, document: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: the report can't be written: {error.strerror}") from error
