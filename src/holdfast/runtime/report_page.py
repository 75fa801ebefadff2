"""The page of a report: HTML and its style. Every text goes through `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple, Protocol


class Cell(NamedTuple):
    """A table's cell or a figure; `tone` is "good", "bad" or ""."""

    text: str
    tone: str = ""


class Counted(Protocol):
    """What has trades, or none."""

    @property
    def total_trades(self) -> int: ...


def of_trades(found: Counted, text: str) -> str:
    """Return what is said of trades where there are some: of none there is no rate."""
    return text if found.total_trades else "n/a"


def ratio_said(value: float) -> str:
    """Write a ratio, which may be infinite."""
    return "∞" if value == float("inf") else f"{value:z.2f}"


# The page asks nothing of any network: a strategy's name can't make it either.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)

_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --text: #1c2028;
  --faint: #667085; --line: #e3e6eb; --good: #15803d; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --page: #12151b; --card: #1b1f28; --text: #e6e8ec;
  --faint: #98a1b0; --line: #2c323e; --good: #4ade80; --bad: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px 24px 64px; max-width: 1320px; background: var(--page);
  color: var(--text); font: 14px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0; font-size: 24px; } h2 { margin: 32px 0 10px; font-size: 16px; }
p { margin: 2px 0; color: var(--faint); }
.cards { display: grid; gap: 12px; margin-top: 20px;
  grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); }
.card, .box { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.card { padding: 12px 14px; } .box { padding: 8px; overflow: auto; max-height: 560px; }
.card b { display: block; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.card span { color: var(--faint); font-size: 12px; }
.good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { position: sticky; top: -8px; background: var(--card); color: var(--faint); font-size: 12px;
  font-weight: 600; text-align: left; }
th, td { padding: 6px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.wide { white-space: normal; min-width: 220px; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; } .number { text-align: right; }
"""


def page(title: str, lines: Iterable[str], body: Iterable[str], script: str) -> str:
    """Compose the whole document.

    Args:
        lines: said under the title.
        body: pieces that are HTML already.
        script: trusted JavaScript that the pieces need.
    """
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<script>{script}</script></head>"
        f"<body><h1>{escape(title)}</h1>{said}{''.join(body)}</body></html>\n"
    )


def cards(figures: Iterable[tuple[str, Cell]]) -> str:
    """Show headline figures, each under its name."""
    shown = "".join(
        f'<div class="card"><span>{escape(name)}</span>'
        f'<b class="{cell.tone}">{escape(cell.text)}</b></div>'
        for name, cell in figures
    )
    return f'<div class="cards">{shown}</div>'


def note(text: str) -> str:
    """Say something beside a table; nothing where there is nothing to say."""
    return f"<p>{escape(text)}</p>" if text else ""


def chart(title: str, html: str) -> str:
    """Put a chart, which is HTML already, under its title."""
    return f'<h2>{escape(title)}</h2><div class="box">{html}</div>'


def table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, total: int | None = None
) -> str:
    """Show a table; nothing where it has no rows.

    Args:
        heads: column names: those that end in ">" are set to the right, in "*" may wrap.
        total: how many there are where not all are shown.
    """
    marks = [
        "number" if head.endswith(">") else "wide" if head.endswith("*") else "" for head in heads
    ]
    drawn = [
        "".join(
            f'<td class="{mark} {cell.tone}">{escape(cell.text)}</td>'
            for mark, cell in zip(marks, row, strict=True)
        )
        for row in rows
    ]
    if not drawn:
        return ""
    head = "".join(
        f'<th class="{mark}">{escape(name.rstrip(">*"))}</th>'
        for mark, name in zip(marks, heads, strict=True)
    )
    part = f" (the newest {len(drawn):,} of {total:,})" if total and total > len(drawn) else ""
    lines = "".join(f"<tr>{line}</tr>" for line in drawn)
    return (
        f'<h2>{escape(title)}{part}</h2><div class="box"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
