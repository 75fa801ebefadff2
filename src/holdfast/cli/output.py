"""How commands answer: tables for people, one JSON document for programs."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

WIDTH_IN_FILES = 400
TEXT_LEAST = 12
"""How narrow a column of texts may become before a table is no more to be read."""

NEWLINE = "\n"


def print_json(document: Mapping[str, Any]) -> None:
    """Write one JSON document to stdout: one line, or indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:  # a locale that has no such letter, or a path that is no text
        text = json.dumps(document, indent=indent)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_utf8() -> None:
    """Have stdout take every letter as it is, whatever the locale: lines for programs follow."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def never_fail_on_letters() -> None:
    """Have stdout and stderr write what the locale has no letter for as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def visible(text: str, keep: str = "") -> str:
    """Write what would steer a terminal as an escape: texts may be the venue's, or a file's.

    Args:
        keep: control characters that are meant, such as a line's end.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


Rows = list[list[str]]


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, is_whole: bool = False
) -> None:
    """Write a table; a column whose name ends in > stands to the right.

    On a terminal that is too narrow texts are broken between words, figures never: where even that
    does not fit, each row becomes a block of its own.

    Args:
        is_whole: nothing may be broken, such as ids that are to be copied.
    """
    from rich.console import Console

    if title:
        print(title)
    told = [[visible(cell) for cell in row] for row in rows]
    # A file or a pipe has no width: no line is broken there.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES)
    if sys.stdout.isatty() and _least(columns, told, is_whole=is_whole) > console.width:
        _print_blocks(columns, told, console.width)
        return
    console.print(_table(columns, told, is_whole=is_whole))


def _table(columns: Sequence[str], rows: Rows, *, is_whole: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        name = column.removesuffix(">")
        is_figure = column != name
        table.add_column(
            name,
            justify="right" if is_figure else "left",
            overflow="fold",
            no_wrap=is_figure or is_whole,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _least(columns: Sequence[str], rows: Rows, *, is_whole: bool) -> int:
    """Return how wide a table must be at least, two between its columns."""
    from rich.cells import cell_len

    width = 2 * (len(columns) - 1)
    for place, column in enumerate(columns):
        cells = [column.removesuffix(">"), *(row[place] for row in rows)]
        longest = max(map(cell_len, cells))
        is_text = not (is_whole or column.endswith(">"))
        width += min(longest, TEXT_LEAST) if is_text else longest
    return width


def _print_blocks(columns: Sequence[str], rows: Rows, width: int) -> None:
    """Write each row as lines of names and values: no value is broken, what is empty left out."""
    names = [column.removesuffix(">") for column in columns]
    for row in rows:
        line = ""
        for name, value in zip(names, row, strict=True):
            pair = f"{name} {value}".lstrip() if value else ""
            if line and pair and len(f"{line}   {pair}") > width:
                print(line)
                line = f"  {pair}"
            elif pair:
                line = f"{line}   {pair}" if line else pair
        print(line)


def print_pairs(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Write names and values, one pair a line."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    if title:
        print(title)
    for name, value in shown:
        print(f"  {name:<{width}}  {visible(value)}")


UNHEARD = "n/a"
"""What stands for a figure that needs a mark price, where nobody hears the market."""


def warn(text: str) -> None:
    """Tell a person something beside the answer; nobody may be there to hear it."""
    with contextlib.suppress(OSError):
        print(f"holdfast: {visible(text, keep=NEWLINE)}", file=sys.stderr)


def tell_notes(found: dict[str, Any]) -> None:
    """Tell a person what stands beside an answer."""
    for note in found.get("notes", ()):
        warn(note)


def text_of(value: object) -> str:
    """Write a JSON value for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(text_of(item) for item in value)
    return str(value)


def time_of(text: str | None) -> str:
    """Write an ISO time for people, to the second; "" for None."""
    if not text:
        return ""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def money(text: str | float | None, *, signed: bool = False) -> str:
    """Write an amount with two decimals; "" for None."""
    if text is None:
        return ""
    return f"{float(text):{'+' if signed else ''}z,.2f}"


def share(text: str | float | None) -> str:
    """Write a fraction in percent; "" for None."""
    return "" if text is None else f"{float(text):.2%}"


def amount(text: str | None) -> str:
    """Write a price or quantity to eight significant digits where it has many; "" for None."""
    if text is None:
        return ""
    is_long = len(text.lstrip("-0.").replace(".", "")) > 12
    return f"{float(text):.8g}" if is_long else text


def account_column(found: list[dict[str, Any]]) -> list[str]:
    """Return the name of a column for accounts where some row is of another than the main one."""
    from ..model.values import MAIN

    return ["Account"] if any(row["account"] != MAIN for row in found) else []
