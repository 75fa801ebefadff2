"""Tables on terminals of any width: a figure or an id that is broken is read, or copied, wrong."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import Any

import pytest

from tests.cli.desk import environment

BOLD = re.compile("\x1b\\[[0-9]*m")

ORDER = {
    "id": "hf1-3f9a8c21b7-5a1000000000017-stop",
    "account": "main",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "reduce_only": True,
    "order_type": "STOP_MARKET",
    "quantity": "0.016",
    "price": None,
    "trigger_price": "98234.50",
    "filled_quantity": "0",
    "average_price": None,
    "status": "PARTIALLY_FILLED",
    "is_in_doubt": False,
    "strategy_id": "sma_cross",
    "created_at": "2026-11-30T20:41:07+00:00",
    "reason": "",
}
POSITION = {
    "account": "main",
    "symbol": "BTCUSDT",
    "quantity": "0.016",
    "entry_price": "100234.50",
    "mark_price": "100250.10",
    "unrealized_pnl": "0.2496",
    "realized_pnl": "-1.25",
    "fees": "0.80",
    "funding": "-0.01",
    "leverage": "10",
    "margin": "160.40",
    "margin_ratio": "0.0123",
    "opened_at": "2026-11-30T20:41:07+00:00",
}
OF_ORDERS: list[Any] = [
    ORDER["id"], "BTCUSDT", "SELL reduce", "STOP_MARKET", "0.016", "98234.50", "PARTIALLY_FILLED",
    "sma_cross", "2026-11-30 20:41:07",
]  # fmt: skip
OF_POSITIONS: list[Any] = [
    "BTCUSDT", "0.016", "100234.50", "100250.10", "+0.25", "-1.25", "0.80", "-0.01", "10x",
    "160.40", "1.23%", "2026-11-30 20:41:07",
]  # fmt: skip
CALLS: dict[str, tuple[str, Any, list[Any]]] = {
    "orders": ("from holdfast.cli.orders import print_orders as show", ORDER, OF_ORDERS),
    "positions": (
        "from holdfast.cli.positions import print_positions as show",
        POSITION,
        OF_POSITIONS,
    ),
}


def on_terminal(width, statement, row):
    """Return the lines that a terminal of so many columns is written."""
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    code = f"import json, sys; {statement}; show(json.loads(sys.argv[1]))"
    given = {k: v for k, v in environment().items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-c", code, json.dumps([row, row])],
        env={**given, "TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        told = b""
        try:
            while part := os.read(ours, 65536):
                told += part
        except OSError:  # Linux says so that nobody writes any more
            pass
    os.close(ours)
    assert process.returncode == 0, told
    return BOLD.sub("", told.decode()).splitlines()


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("command", list(CALLS))
def test_no_figure_and_no_id_is_broken_or_left_out(command, width):
    statement, row, values = CALLS[command]
    lines = on_terminal(width, statement, row)
    assert max(map(len, lines)) <= width
    for value in values:
        assert sum(value in line for line in lines) == 2, (value, lines)


def test_a_wide_terminal_has_a_line_for_each():
    statement, row, values = CALLS["positions"]
    lines = on_terminal(200, statement, row)
    assert [sum(value in line for value in values) for line in lines[-2:]] == [len(values)] * 2


RISK = """from holdfast.cli.output import print_table
def show(rows):
    print_table("", ["", "Rule", "Value>", "Limit>", "Reason"], rows)"""


@pytest.mark.parametrize("width", [80, 50, 30])
def test_a_long_reason_is_broken_between_words_and_no_figure_is(width):
    row = ["no", "max_exposure", "1234567.89", "1000000.00", "it would be more than is allowed"]
    statement = f"exec({RISK!r})"
    told = on_terminal(width, statement, row)
    assert max(len(line) for line in told if "Reason it" not in line) <= max(width, 36)
    assert sum("1234567.89" in line for line in told) == 2
    assert sum("1000000.00" in line for line in told) == 2
