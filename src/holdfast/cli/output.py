"""How commands answer: tables for people, one JSON document for programs."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

WIDTH_IN_FILES = 400
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


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; a column whose name ends in > stands to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title:
        print(title)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        name = column.removesuffix(">")
        table.add_column(name, justify="right" if column != name else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    # A file or a pipe has no width: no line is broken there.
    Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_IN_FILES).print(table)


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
    return f"{float(text):{'+' if signed else ''},.2f}"


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
