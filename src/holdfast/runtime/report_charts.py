"""The charts of a report, as pieces of HTML that need plotly.js once in the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from ..model.events import OrderFilled
from ..model.market import Bar
from ..model.values import Side, plain
from ..stats import Point

BLUE, GREEN, RED = "#3b82f6", "#16a34a", "#dc2626"
CANDLES_MAX = 400
"""With more bars their closes are drawn as a line."""

FILLS_FEW, FILLS_MANY = 100, 600
"""With more fills than these in a chart their marks are smaller: they hid the price."""

# Grey on nothing can be read on a light page and on a dark one.
_GREY, _GRID = "#8a8f98", "rgba(138,143,152,0.18)"
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "showSendToCloud": False,  # plotly offers to upload a chart to its makers by default
    "modeBarButtonsToRemove": ["sendChartToCloud", "lasso2d", "select2d"],
}


def plotly_script() -> str:
    """Return plotly.js itself, to be put into a script element."""
    return str(get_plotlyjs())


def equity_chart(points: Sequence[Point], asset: str) -> str:
    """Draw the equity curve, in an asset or several, with its drawdown below."""
    times = _times(point.ts for point in points)
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06
    )
    equity = [float(point.equity) for point in points]
    drawdown = [-100 * point.drawdown for point in points]
    figure.add_scatter(x=times, y=equity, name="Equity", line={"color": BLUE, "width": 2})
    figure.add_scatter(
        x=times,
        y=drawdown,
        name="Drawdown",
        line={"color": RED, "width": 1},
        fill="tozeroy",
        fillcolor="rgba(220,38,38,0.18)",
        row=2,
        col=1,
    )
    figure.update_yaxes(title_text=f"equity, {asset}", tickformat=",", row=1, col=1)
    figure.update_yaxes(title_text="drawdown %", row=2, col=1)
    return _html(figure, height=420)


def price_chart(
    bars: Sequence[Bar], fills: Sequence[OrderFilled], owners: Sequence[str], quote: str
) -> str:
    """Draw one symbol's price, where it is known, and where was bought and sold.

    Args:
        owners: the strategy of each fill.
        quote: the asset that prices are in.
    """
    figure = go.Figure()
    if bars and len(bars) <= CANDLES_MAX:
        figure.add_candlestick(
            x=_times(bar.open_ts for bar in bars),
            open=[bar.open for bar in bars],
            high=[bar.high for bar in bars],
            low=[bar.low for bar in bars],
            close=[bar.close for bar in bars],
            name="Price",
            increasing={"line": {"color": _GREY, "width": 1}, "fillcolor": "rgba(0,0,0,0)"},
            decreasing={"line": {"color": _GREY, "width": 1}, "fillcolor": _GREY},
        )
    else:
        line = (
            [(bar.ts, bar.close) for bar in bars]
            if bars
            else [(fill.ts, float(fill.price)) for fill in fills]
        )
        figure.add_scatter(
            x=_times(ts for ts, _ in line),
            y=[price for _, price in line],
            name="Price" if bars else "Price of fills",
            line={"color": _GREY, "width": 1},
        )
    for side, name, mark, colour in (
        (Side.BUY, "Bought", "triangle-up", GREEN),
        (Side.SELL, "Sold", "triangle-down", RED),
    ):
        own = [(f, owner) for f, owner in zip(fills, owners, strict=True) if f.side is side]
        figure.add_scatter(
            x=_times(fill.ts for fill, _ in own),
            y=[float(fill.price) for fill, _ in own],
            text=[f"{plain(fill.qty)} · {escape(owner)}" for fill, owner in own],
            name=name,
            mode="markers",
            marker={"symbol": mark, "color": colour, **_marker_of(len(fills))},
        )
    figure.update_yaxes(tickformat=",", title_text=f"price, {quote}")
    figure.update_layout(xaxis_rangeslider_visible=False)
    return _html(figure, height=340)


def _marker_of(fills: int) -> dict[str, float]:
    """Return how marks look so that the price behind them can still be seen."""
    if fills <= FILLS_FEW:
        return {"size": 11}
    return {"size": 7, "opacity": 0.7} if fills <= FILLS_MANY else {"size": 4, "opacity": 0.45}


def heat_map(
    across: Sequence[str],
    down: Sequence[str],
    values: Sequence[Sequence[float | None]],
    names: tuple[str, str, str],
    middle: float | None = None,
) -> str:
    """Draw a figure over two parameters; None where there is none.

    Args:
        names: of the parameter across, the one down, and the figure.
        middle: what is neither good nor bad; None where the figure knows none.
    """
    figure = go.Figure()
    figure.add_heatmap(
        x=list(across),
        y=list(down),
        z=[list(row) for row in values],
        colorscale="Blues" if middle is None else "RdYlGn",
        zmid=middle,
        colorbar={"title": {"text": names[2]}},
        hovertemplate=f"{names[0]} %{{x}}, {names[1]} %{{y}}: %{{z:,.4g}}<extra></extra>",
    )
    figure.update_xaxes(title_text=names[0], type="category")
    figure.update_yaxes(title_text=names[1], type="category")
    return _html(figure, height=480, top=40, hovermode="closest")


def line_chart(
    across: Sequence[str], values: Sequence[float | None], names: tuple[str, str]
) -> str:
    """Draw a figure over one parameter; `names` are the parameter's and the figure's."""
    figure = go.Figure()
    figure.add_scatter(x=list(across), y=list(values), mode="lines+markers", line={"color": BLUE})
    figure.update_xaxes(title_text=names[0], type="category")
    figure.update_yaxes(title_text=names[1])
    return _html(figure, height=360, top=40)


def _times(stamps: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Return plotly's own kind of time; it shows no less than a microsecond."""
    return np.fromiter((ts // 1000 for ts in stamps), dtype="int64").astype("datetime64[us]")


def _html(figure: go.Figure, *, height: int, top: int = 16, hovermode: str = "x unified") -> str:
    """Write a chart; without a legend its buttons need a `top` of their own."""
    figure.update_layout(
        height=height,
        margin={"l": 64, "r": 16, "t": top, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GREY, "family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "y": 1.08, "x": 0},
        hovermode=hovermode,
        hoverlabel={"bgcolor": "#1f2430", "font": {"color": "#e8eaee"}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": _GREY, "activecolor": BLUE},
        template="none",
    )
    figure.update_xaxes(gridcolor=_GRID, linecolor=_GRID, zeroline=False)
    figure.update_yaxes(
        gridcolor=_GRID, linecolor=_GRID, zeroline=False, automargin=True, title_standoff=14
    )
    figure.update_yaxes(exponentformat="none")  # a drawdown of -600µ per cent nobody reads
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=_CONFIG))
