"""Positions: list, close, adjust."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from ..model.values import MAIN
from ..runtime.control_file import NoSessionRunning
from .options import Account, AsJson, ConfigFile, DataDir, Place, symbol_of
from .output import (
    UNHEARD,
    account_column,
    amount,
    money,
    print_json,
    print_table,
    share,
    tell_notes,
    time_of,
    warn,
)
from .parts import ENDED, print_parts


def positions(data_dir: DataDir = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List open positions; from the journal, without mark prices, when no session runs.

    Realized profit (before fees), fees and funding are the contract's of all time, those of
    positions before this one with them.
    """
    place = Place(data_dir, config)
    try:
        found = place.client().get("/v1/positions")
    except NoSessionRunning:
        from . import journaled

        found = journaled.positions(place.config())
    if as_json:
        print_json(found)
        return
    if "note" in found:
        warn(found["note"])
    print_positions(found["positions"])


def print_positions(found: list[dict[str, Any]]) -> None:
    """Write positions as a table."""
    if not found:
        print("no open positions")
        return
    account = account_column(found)
    columns = [
        *account, "Symbol", "Quantity>", "Entry>", "Mark>", "Unrealized>", "Leverage>", "Margin>",
        "Liquidation at 100%>", "Since", "Realized, all time>", "Fees, all time>",
        "Funding, all time>",
    ]  # fmt: skip
    print_table(
        "", columns, [_row(position, is_named=bool(account)) for position in found], is_whole=True
    )


def _row(position: dict[str, Any], *, is_named: bool) -> list[str]:
    return [
        *([position["account"]] if is_named else []),
        position["symbol"],
        amount(position["quantity"]),
        amount(position["entry_price"]),
        amount(position["mark_price"]) or UNHEARD,
        money(position["unrealized_pnl"], signed=True) or UNHEARD,
        f"{position['leverage']}x",
        money(position["margin"]),
        share(position["margin_ratio"]) or UNHEARD,
        time_of(position["opened_at"]),
        money(position["realized_pnl"], signed=True),
        money(position["fees"]),
        money(position["funding"], signed=True),
    ]


def close(
    symbol: Annotated[str, typer.Argument(help="For example BTCUSDT.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; for the journal.")] = "operator",
    account: Account = MAIN,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Close a position at the market: in every state of the session, and past every limit."""
    path = f"/v1/positions/{quote(symbol_of(symbol), safe='')}/close"
    found = Place(data_dir, config).client().post(path, reason=reason, account=account)
    _tell(found, symbol_of(symbol), as_json=as_json)
    if not as_json:
        print_parts(found["parts"], ENDED)


def adjust(
    symbol: Annotated[str, typer.Argument(help="For example BTCUSDT.")],
    target: Annotated[str, typer.Argument(help="Signed quantity: 0.02 long, -0.02 short.")],
    account: Account = MAIN,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Trade a position to a signed target at the market. What it opens passes the risk rules."""
    name = symbol_of(symbol)
    client = Place(data_dir, config).client()
    found = client.post("/v1/adjust", symbol=name, target=target, account=account)
    _tell(found, name, as_json=as_json)


def _tell(found: dict[str, Any], symbol: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    elif float(found["position"]["quantity"]):
        print_positions([found["position"]])
    else:
        print(f"{symbol} is flat")
    if not as_json:
        tell_notes(found)
