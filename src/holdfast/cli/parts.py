"""What goes on in parts, as a table and as a line."""

from __future__ import annotations

from typing import Any

from .output import account_column, amount, print_table, time_of

ENDED = "Ended: nothing more of it is sent"


def print_parts(found: list[dict[str, Any]], title: str) -> None:
    """Write what goes on in parts, or was ended, as a table; nothing where nothing is."""
    if not found:
        return
    account = account_column(found)
    columns = [
        "Id", *account, "Symbol", "Side", "Type", "Quantity>", "Price>", "Filled>", "Algorithm",
        "Strategy", "Since",
    ]  # fmt: skip
    print_table(title, columns, [_part_row(whole, is_named=bool(account)) for whole in found])


def _part_row(whole: dict[str, Any], *, is_named: bool) -> list[str]:
    return [
        whole["id"],
        *([whole["account"]] if is_named else []),
        whole["symbol"],
        whole["side"],
        whole["order_type"],
        amount(whole["quantity"]),
        amount(whole["price"]),
        amount(whole["filled_quantity"]),
        whole["algo"],
        whole["strategy_id"],
        time_of(whole["created_at"]),
    ]


def part_line(whole: dict[str, Any]) -> str:
    """Name one in a line: `7 twap:over=10m,slices=6 BUY 1.5 BTCUSDT, 0.5 filled`."""
    qty, filled = amount(whole["quantity"]), amount(whole["filled_quantity"])
    return f"{whole['id']} {whole['algo']} {whole['side']} {qty} {whole['symbol']}, {filled} filled"
