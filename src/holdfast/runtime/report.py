"""A session's report: one HTML file that opens offline, and a text for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from ..model.errors import InputError
from ..model.events import Event
from ..model.instrument import split_symbol
from ..model.market import Bar
from ..model.values import MAIN, NS_PER_S, ZERO, AccountId, SessionId, Symbol, plain
from ..stats import Breakdown, RoundTrip, SessionStats
from .report_page import Cell, cards, chart, note, of_trades, page, ratio_said, table
from .report_rows import OrderRow, Rows, collect

YEARLY_FROM = timedelta(days=1)
"""From what length on a session's ratios are shown: shorter ones tell nothing of a year."""


CENT = Decimal("0.01")


def write_report(  # noqa: PLR0913 - what a page says beside the figures
    path: Path,
    facts: Iterable[Event],
    *,
    bars: Mapping[Symbol, Sequence[Bar]] | None = None,
    session_id: SessionId | None = None,
    before: bytes = b"",
    title: str = "Trading session",
    lines: Sequence[str] = (),
) -> SessionStats:
    """Write a session's report (None: the last session's) and return its figures.

    Args:
        bars: what the price charts draw; without them they draw the prices of fills.
        before: see `collect`.
        lines: said under the title, behind the session's own.

    Raises:
        InputError: no such session is in the facts, or the file can't be written.
    """
    # Plotly takes half a second to import, and nothing else needs it.
    from .report_charts import equity_chart, plotly_script, price_chart  # noqa: PLC0415

    fold, rows = collect(facts, session_id, before)
    if session_id is not None and not fold.was_seen:
        raise InputError(f"no session {session_id!r} in the journal")
    stats = fold.stats()
    body = [cards(_headline(stats)), _alarms(rows)]
    if points := fold.curve.points:
        body.append(chart("Equity and drawdown", equity_chart(points, ", ".join(rows.margins))))
    drawn = {symbol: seen for symbol, seen in (bars or {}).items() if seen}
    for symbol in sorted({*drawn, *(fill.symbol for fill in rows.fills)}):
        fills = [fill for fill in rows.fills if fill.symbol == symbol]
        owners = [str(fold.owner_of(fill.cl_ord_id)) for fill in fills]
        prices = price_chart(drawn.get(symbol, ()), fills, owners, split_symbol(symbol)[1])
        body.append(chart(symbol, prices))
    body += _tables(stats, rows)
    document = page(title, [*_subtitle(stats, rows), *lines], body, plotly_script())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: the report can't be written: {error.strerror}") from error
    return stats


def text_report(stats: SessionStats) -> str:
    """Return the headline figures as aligned lines, and a line for each strategy and symbol, and
    for each account where there are several.
    """
    figures = [(name, cell.text) for name, cell in _headline(stats)]
    width = max(len(name) for name, _ in figures)
    lines = [f"Session {stats.session_id or '(unnamed)'}"]
    lines += [f"  {name:<{width}}  {text:>16}" for name, text in figures]
    parted: list[tuple[str, Mapping[str, Breakdown]]] = [
        ("Strategy", {str(k): v for k, v in stats.by_strategy.items()}),
        ("Symbol", {str(k): v for k, v in stats.by_symbol.items()}),
        ("Account", _by_account(stats)),
    ]
    for title, parts in parted:
        lines += _breakdown_lines(title, parts)
    if apart := _apart(stats):
        lines += ["", apart]
    if stats.denials:
        ranked = sorted(stats.denials.items(), key=lambda item: (-item[1], item[0]))
        lines += ["", "Denied by rule, and the last reason"]
        lines += [
            f"  {rule:<20}  {count:>6}  {stats.denial_reasons.get(rule, '')}".rstrip()
            for rule, count in ranked
        ]
    if stats.rejected:
        share = f"{stats.rejected:,} of {stats.orders:,}"
        lines += ["", f"Rejected by the venue: {share}, the last: {stats.rejection_reason}"]
    return "\n".join(lines)


def _apart(stats: SessionStats) -> str:
    """Say why the rows of the strategies make another sum than the total, where they do."""
    of_trips = sum((part.net_pnl for part in stats.by_strategy.values()), ZERO)
    if not stats.by_strategy or abs(of_trips - stats.total_pnl) < CENT:
        return ""
    return (
        f"The rows add up to {of_trips:+z,.2f}, the total is {stats.total_pnl:+z,.2f}: a row counts"
        " trades that ended, each whole, what it cost before the session began included; the total"
        " counts what the session moved in the wallet, funding, charges and what is still open"
        " included."
    )


def _by_account(stats: SessionStats) -> dict[str, Breakdown]:
    """Return each account's part; nothing where only the main one has traded."""
    parts = {str(k): v for k, v in stats.by_account.items()}
    return {} if set(parts) <= {MAIN} else parts


def _breakdown_lines(title: str, parts: Mapping[str, Breakdown]) -> list[str]:
    if not parts:
        return []
    head = f"{title:<20}  {'trades':>6}  {'won':>7}  {'net P&L':>13}  {'fills':>6}"
    return ["", head] + [
        f"{name[:20]:<20}  {part.total_trades:>6}  {of_trades(part, f'{part.win_rate:.1%}'):>7}  "
        f"{part.net_pnl:>+z13,.2f}  {part.fills:>6}"
        for name, part in sorted(parts.items())
    ]


def _headline(stats: SessionStats) -> list[tuple[str, Cell]]:
    figures = [
        ("Total P&L", _signed(stats.total_pnl)),
        ("Trades", Cell(f"{stats.total_trades:,}")),
        ("Win rate", Cell(of_trades(stats, f"{stats.win_rate:.1%}"))),
        ("Profit factor", Cell(of_trades(stats, ratio_said(stats.profit_factor)))),
        ("Max drawdown", Cell(f"{stats.max_drawdown:.2%}")),
        ("Sharpe ratio", Cell(_yearly(stats, stats.sharpe_ratio))),
        ("Sortino ratio", Cell(_yearly(stats, stats.sortino_ratio))),
        ("Fees", Cell(_money(stats.fees))),
        ("Funding", _signed(stats.funding)),
        ("Unrealized P&L", _signed(stats.unrealized_pnl)),
        ("Equity", Cell(_money(stats.equity_end))),
        ("Expectancy", _of_a_trade(stats, stats.expectancy)),
        ("Best trade", _of_a_trade(stats, stats.best_trade)),
        ("Worst trade", _of_a_trade(stats, stats.worst_trade)),
        ("Orders", Cell(f"{stats.orders:,}")),
        ("Fills", Cell(f"{stats.fills:,}")),
        ("Denied", Cell(f"{stats.denied:,}")),
        ("Order to venue, median", Cell(_median(stats))),
    ]
    if stats.charges:
        figures.insert(8, ("Charges", Cell(_money(stats.charges))))
    if stats.rejected:
        figures.insert(-1, ("Rejected", Cell(f"{stats.rejected:,}")))
    others = [(f"Fees in {asset}", Cell(plain(fee))) for asset, fee in stats.other_fees.items()]
    return figures + others


def _subtitle(stats: SessionStats, rows: Rows) -> list[str]:
    if not stats.started_ts:
        return []
    whole = timedelta(seconds=round(stats.duration.total_seconds()))
    span = f"{_time(stats.started_ts)} to {_time(stats.ended_ts)} UTC, {whole}"
    return [f"Session {stats.session_id or '(unnamed)'}", span, *_traded_where(rows)]


def _traded_where(rows: Rows) -> list[str]:
    """Say which strategies traded what, as they were named, and at which venue."""
    if (begun := rows.begun) is None:
        return []
    strategies = ", ".join(rows.strategies.values()) or "no strategy"
    symbols = f" on {', '.join(begun.symbols)}" if begun.symbols else ""
    where = f"{strategies}{symbols}, venue {begun.venue}"
    return [where, f"Money in {', '.join(rows.margins)}"]


_TRIPS = (
    "Closed", "Symbol", "Side", "Strategy", "Held>", "Quantity>", "Entry>", "Exit>", "Fees>",
    "Net P&L>",
)  # fmt: skip
_ORDERS = (
    "Time", "Symbol", "Side", "Type", "For", "Strategy", "Quantity>", "Price>", "Filled>",
    "Average>", "Status", "Reason*", "Id",
)  # fmt: skip


def _alarms(rows: Rows) -> str:
    told = [
        [Cell(_time(a.ts)), Cell(a.code), Cell(a.symbol), Cell(a.text)]
        for a in reversed(rows.alarms)
    ]
    return table("Alarms", ["Time", "Code", "Symbol", "Text*"], told)


def _tables(stats: SessionStats, rows: Rows) -> list[str]:
    counts = sorted(stats.denials.items(), key=lambda item: -item[1])
    denials = [
        [Cell(_time(d.ts)), Cell(d.rule), Cell(d.what), Cell(d.strategy), Cell(d.reason)]
        for d in reversed(rows.denials)
    ]
    trips = [_trip_row(trip) for trip in reversed(rows.trips)]
    orders = [_order_row(row) for row in reversed(rows.orders.values())]
    return [
        _breakdown_table("Strategies", {str(k): v for k, v in stats.by_strategy.items()}),
        note(_apart(stats)),
        _breakdown_table("Symbols", {str(k): v for k, v in stats.by_symbol.items()}),
        _breakdown_table("Accounts", _by_account(stats)),
        table("Round trips", _TRIPS, trips, total=stats.total_trades),
        table(
            "Denied, by rule",
            ["Rule", "Count>"],
            [[Cell(rule), Cell(f"{count:,}")] for rule, count in counts],
        ),
        table(
            "Denials",
            ["Time", "Rule", "What", "Strategy", "Reason*"],
            denials,
            total=stats.denied,
        ),
        table("Orders", _ORDERS, orders, total=stats.orders),
    ]


def _breakdown_table(title: str, parts: Mapping[str, Breakdown]) -> str:
    return table(
        title,
        ["Name", "Trades>", "Won>", "Lost>", "Win rate>", "Net P&L>", "Fills>", "Volume>"],
        [
            [
                Cell(name),
                Cell(f"{part.total_trades:,}"),
                Cell(f"{part.winning_trades:,}"),
                Cell(f"{part.losing_trades:,}"),
                Cell(of_trades(part, f"{part.win_rate:.1%}")),
                _signed(part.net_pnl),
                Cell(f"{part.fills:,}"),
                Cell(_money(part.volume)),
            ]
            for name, part in sorted(parts.items())
        ],
    )


def _trip_row(trip: RoundTrip) -> list[Cell]:
    held = timedelta(seconds=(trip.exit_ts - trip.entry_ts) // NS_PER_S)
    return [
        Cell(_time(trip.exit_ts)),
        Cell(_traded(trip.account, trip.symbol)),
        Cell("long" if trip.side.sign > 0 else "short"),
        Cell(trip.strategy_id),
        Cell(str(held)),
        Cell(plain(trip.qty)),
        Cell(_price(trip.entry_price)),
        Cell(_price(trip.exit_price or None)),
        Cell(_money(trip.fees)),
        _signed(trip.net_pnl),
    ]


def _order_row(row: OrderRow) -> list[Cell]:
    order = row.order
    price = order.price if order.price is not None else order.trigger_price
    return [
        Cell(_time(row.ts)),
        Cell(_traded(order.account, order.symbol)),
        Cell(order.side.value),
        Cell(order.order_type.value),
        Cell(order.role.name.lower().replace("_", " ")),
        Cell(order.strategy_id),
        Cell(plain(order.qty)),
        Cell(_price(price)),
        Cell(plain(row.cum_qty)),
        Cell(_price(row.avg_px)),
        Cell(row.status.lower().replace("_", " ")),
        Cell(row.reason),
        Cell(order.cl_ord_id),
    ]


def _traded(account: AccountId, symbol: Symbol) -> str:
    return symbol if account == MAIN else f"{symbol} ({account})"


def _time(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"


def _money(amount: Decimal) -> str:
    return f"{amount:z,.2f}"


def _signed(amount: Decimal) -> Cell:
    tone = "good" if amount > ZERO else "bad" if amount < ZERO else ""
    return Cell(f"{amount:+z,.2f}" if amount else "0.00", tone)


def _price(price: Decimal | None) -> str:
    """Show a price; an average, which may have 28 digits, to eight significant ones."""
    if price is None:
        return ""
    return plain(price) if len(price.as_tuple().digits) <= 12 else plain(Decimal(f"{price:.8g}"))


def _of_a_trade(stats: SessionStats, amount: Decimal) -> Cell:
    return _signed(amount) if stats.total_trades else Cell("n/a")


def _median(stats: SessionStats) -> str:
    return f"{stats.to_accept.p50_ms:.2f} ms" if stats.to_accept.count else "n/a"


def _yearly(stats: SessionStats, ratio: float) -> str:
    """Write a ratio that is made of a year: minutes do not tell of one."""
    return ratio_said(ratio) if stats.duration >= YEARLY_FROM else "n/a"
