"""Draw a session on a terminal, four times a second, on a thread of its own.

The loop only takes a frame of plain values; rich draws the newest one whenever it gets to it.
"""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta
from decimal import Decimal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..model.values import plain
from ..runtime.service import LiveTradingService
from ..stats import SessionStats
from .frame import Camera, Frame
from .happenings import Happenings, Line, Silent

FRAMES_PER_S = 4
_log = logging.getLogger("holdfast.session")
WIDTH_MAX = 120
HINT = "Ctrl-C stops in an orderly way; twice leaves at once"
_BLOCKS = "▁▂▃▄▅▆▇█"
_STATUS_STYLES = {"RUNNING": "bold green", "PAUSED": "bold yellow", "ERROR": "bold red"}
_LINE_STYLES = {
    "FILL": "cyan",
    "DENIED": "yellow",
    "REJECTED": "yellow",
    "DOUBT": "bold yellow",
    "ALARM": "bold red",
    "KILL": "bold red",
    "STRATEGY": "bold red",
    "SESSION": "bold",
}


class LiveView(Silent):
    """Draws on the terminal and leaves it clean."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._camera: Camera | None = None
        self._frame: Frame | None = None
        self._live: Live | None = None
        self._told = ""

    def hear_early(self, line: Line) -> None:
        """Say at once what a start waits for, and what is amiss; the picture shows what follows."""
        if self._live is None and (early := line.early):
            self.tell(early)

    def begin(self, service: LiveTradingService, happenings: Happenings) -> None:
        """Begin to draw."""
        self._camera = Camera(service, happenings)
        live = _Picture(
            console=self._console,
            refresh_per_second=FRAMES_PER_S,
            get_renderable=self._draw,
            transient=True,
            redirect_stderr=False,
        )
        with contextlib.suppress(OSError):  # the terminal was closed: nobody looks
            live.start()
            self._live = live

    def refresh(self, figures: SessionStats) -> None:
        """Take the next frame."""
        if self._camera is not None:
            self._frame = self._camera.take(figures)

    def tell(self, text: str) -> None:
        """Write a message below the picture, from its thread: a terminal may be held (Ctrl-S)."""
        if self._live is None:
            super().tell(text)
        self._told = text

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None

    def _draw(self) -> RenderableType:
        if self._frame is None:
            return Text("starting ...")
        return draw(self._frame, self._console.width, self._told)


class _Picture(Live):
    """Goes on after a picture that could not be drawn: one that stands still looks like news."""

    def refresh(self) -> None:
        """Draw once, if that can be."""
        try:
            super().refresh()
        except Exception as error:  # noqa: BLE001 - the thread that draws must not end
            _log.debug("the picture could not be drawn: %r", error)


def draw(frame: Frame, width: int = WIDTH_MAX, told: str = "") -> RenderableType:
    """Return a picture of one moment, with a message in the place of the hint at its foot."""
    return Group(
        _head(frame, min(width, WIDTH_MAX)),
        *(Text(f"CUT OFF: {text}", style="bold red") for text in frame.cut_off),
        _positions(frame, min(width, WIDTH_MAX)),
        _orders(frame, min(width, WIDTH_MAX)),
        _happened(frame, min(width, WIDTH_MAX)),
        Text(told, style="bold") if told else Text(HINT, style="dim"),
    )


def _head(frame: Frame, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(ratio=3)
    grid.add_column(ratio=2)
    grid.add_row(_account(frame), _counters(frame))
    status = Text.assemble(
        (frame.status, _STATUS_STYLES.get(frame.status, "bold")),
        ("  KILL SWITCH ENGAGED", "bold white on red") if frame.is_killed else "",
    )
    title = Text.assemble("Holdfast  ", status)
    took = timedelta(seconds=int(frame.elapsed_s))
    subtitle = Text(f"{frame.feed_time:%Y-%m-%d %H:%M:%S} UTC, running for {took}", style="dim")
    return Panel(grid, title=title, subtitle=subtitle, title_align="left", width=width)


def _account(frame: Frame) -> RenderableType:
    pairs = Table.grid(padding=(0, 2))
    equity = Text.assemble(
        (f"{frame.equity:,.2f}", "bold"),
        "  ",
        sparkline(frame.curve),
        no_wrap=True,
        overflow="crop",
    )
    change = frame.figures.total_pnl
    pairs.add_row("Equity", equity)
    pairs.add_row("Realized", _signed(change))
    pairs.add_row("Unrealized", _signed(frame.unrealized))
    pairs.add_row("Exposure", f"{frame.exposure:,.2f}")
    pairs.add_row("Free margin", f"{frame.free_margin:,.2f}")
    pairs.add_row("Drawdown", f"{frame.figures.max_drawdown:.2%} at most")
    return pairs


def _counters(frame: Frame) -> RenderableType:
    figures = frame.figures
    pairs = Table.grid(padding=(0, 2))
    pairs.add_row("Account", frame.account)
    pairs.add_row("Feed", frame.feed)
    pairs.add_row("Strategies", _strategies(frame))
    pairs.add_row("Signals", f"{figures.signals:,} ({figures.denied:,} denied)")
    pairs.add_row("Orders", f"{figures.orders:,} ({figures.fills:,} fills)")
    pairs.add_row("Trades", f"{figures.total_trades:,}, {figures.win_rate:.0%} won")
    pairs.add_row("Fees", f"{figures.fees:,.2f}")
    return pairs


def _strategies(frame: Frame) -> Text:
    text = Text(", ".join(frame.strategies) or "none", no_wrap=True, overflow="ellipsis")
    for name in frame.stopped_strategies:
        text.append(f" {name} stopped", style="bold red")
    return text


def _positions(frame: Frame, width: int) -> RenderableType:
    table = _table("Positions", width)
    for name in ("Symbol", "Quantity>", "Entry>", "Mark>", "P&L>", "Stop>", "Target>"):
        _column(table, name)
    for row in frame.positions:
        table.add_row(
            row.symbol,
            plain(row.qty),
            _price(row.entry),
            _price(row.mark),
            _signed(row.pnl),
            Text("none", style="bold red") if row.stop is None else _price(row.stop),
            "" if row.target is None else _price(row.target),
        )
    return _filled(table, frame.positions_hidden, "no positions")


def _orders(frame: Frame, width: int) -> RenderableType:
    if not frame.orders:
        return Group()
    table = _table("Working orders", width)
    for name in ("Symbol", "Order", "Status"):
        _column(table, name)
    for row in frame.orders:
        table.add_row(row.symbol, row.what, row.status)
    return _filled(table, frame.orders_hidden, "")


def _happened(frame: Frame, width: int) -> RenderableType:
    lines = [_line(line, width) for line in frame.lines] or [Text("nothing yet", style="dim")]
    return Group(Text("Last", style="bold"), *lines, Text(""))


def _line(line: Line, width: int) -> Text:
    style = _LINE_STYLES.get(line.kind, "")
    text = Text.assemble((f"{line.clock} ", "dim"), (f"{line.kind:<9}", style), line.text)
    text.truncate(width, overflow="ellipsis")
    return text


def _table(title: str, width: int) -> Table:
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        width=width,
    )


def _column(table: Table, name: str) -> None:
    bare = name.removesuffix(">")
    table.add_column(bare, justify="right" if bare != name else "left", no_wrap=True)


def _filled(table: Table, hidden: int, empty: str) -> RenderableType:
    if hidden:
        table.add_row(Text(f"and {hidden} more", style="dim"))
    if not table.row_count:
        return Group(
            Text(table.title.plain if isinstance(table.title, Text) else "", "bold"),
            Text(empty, style="dim"),
            Text(""),
        )
    return Group(table, Text(""))


def _signed(amount: Decimal) -> Text:
    style = "green" if amount > 0 else "red" if amount < 0 else ""
    return Text(f"{amount:+,.2f}", style=style)


def _price(price: Decimal) -> str:
    """Show a price; an average may have 28 digits."""
    return plain(price) if len(price.as_tuple().digits) <= 10 else plain(Decimal(f"{price:.8g}"))


def sparkline(values: tuple[float, ...]) -> Text:
    """Draw values as a row of small bars, the lowest to the highest."""
    if len(values) < 2:
        return Text("")
    low, high = min(values), max(values)
    span = high - low
    top = len(_BLOCKS) - 1
    bars = "".join(_BLOCKS[round((v - low) / span * top) if span else 0] for v in values)
    return Text(bars, style="green" if values[-1] >= values[0] else "red")
