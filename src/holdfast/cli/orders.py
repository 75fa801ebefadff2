"""Orders by hand: list, place, cancel, modify."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from ..model.errors import InputError
from ..model.values import MAIN, OrderStatus
from ..runtime.control_file import NoSessionRunning
from .exit_codes import ExitCode
from .options import Account, AsJson, ConfigFile, DataDir, Place, symbol_of
from .output import (
    account_column,
    amount,
    print_json,
    print_table,
    tell_notes,
    time_of,
    warn,
)
from .parts import ENDED, print_parts


def orders(
    all_: Annotated[
        bool, typer.Option("--all", help="Ended orders too, as far as they are remembered.")
    ] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List open orders; from the journal when no session runs."""
    place_ = Place(data_dir, config)
    try:
        found = place_.client().get(f"/v1/orders{'?all=1' if all_ else ''}")
    except NoSessionRunning:
        from . import journaled

        found = journaled.orders(place_.config(), open_only=not all_)
    if as_json:
        print_json(found)
        return
    if "note" in found:
        warn(found["note"])
    print_orders(found["orders"], empty="no orders" if all_ else "no open orders")
    print_parts(found["parts"], "Going on in parts")


def print_orders(found: list[dict[str, Any]], *, empty: str = "no orders") -> None:
    """Write orders as a table."""
    if not found:
        print(empty)
        return
    account = account_column(found)
    columns = [
        "Id", *account, "Symbol", "Side", "Type", "Quantity>", "Price>", "Trigger>", "Filled>",
        "Average>", "Status", "Strategy", "Since", "Reason",
    ]  # fmt: skip
    print_table(
        "", columns, [_row(order, is_named=bool(account)) for order in found], is_whole=True
    )


def _row(order: dict[str, Any], *, is_named: bool) -> list[str]:
    doubt = " (in doubt)" if order["is_in_doubt"] else ""
    return [
        order["id"] or "",
        *([order["account"]] if is_named else []),
        order["symbol"],
        order["side"] + (" reduce" if order["reduce_only"] else ""),
        order["order_type"],
        amount(order["quantity"]),
        amount(order["price"]),
        amount(order["trigger_price"]),
        amount(order["filled_quantity"]),
        amount(order["average_price"]),
        f"{order['status']}{doubt}",
        order["strategy_id"],
        time_of(order["created_at"]),
        order["reason"],
    ]


def place(
    symbol: Annotated[str, typer.Argument(help="For example BTCUSDT.")],
    side: Annotated[str, typer.Argument(help="BUY or SELL.")],
    quantity: Annotated[str, typer.Argument(help="In base units, a multiple of the lot.")],
    type_: Annotated[
        str, typer.Option("--type", help="MARKET, LIMIT, STOP_MARKET, TRAILING_STOP_MARKET ...")
    ] = "",
    price: Annotated[str | None, typer.Option("--price", help="Limit price.")] = None,
    trigger_price: Annotated[
        str | None, typer.Option("--trigger-price", help="Where a conditional order wakes up.")
    ] = None,
    callback_rate: Annotated[
        str | None, typer.Option("--callback-rate", help="Of a trailing stop, percent: 1 is 1 %.")
    ] = None,
    activation_price: Annotated[
        str | None,
        typer.Option("--activation-price", help="Where a trailing stop sets out."),
    ] = None,
    tif: Annotated[
        str, typer.Option("--tif", help="GTC, IOC, FOK, GTX (post-only) or GTD.")
    ] = "GTC",
    expire_at: Annotated[
        str | None, typer.Option("--expire-at", help="When GTD ends: 2026-12-01T08:00:00Z.")
    ] = None,
    stop_loss: Annotated[
        str | None, typer.Option("--stop-loss", help="Price of a stop for what fills.")
    ] = None,
    take_profit: Annotated[
        str | None, typer.Option("--take-profit", help="Price at which to take the profit.")
    ] = None,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Close only; never open or turn.")
    ] = False,
    algo: Annotated[
        str,
        typer.Option(
            "--algo", help="Work it in parts: twap:over=10m,slices=6 or iceberg:show=0.5."
        ),
    ] = "",
    request_id: Annotated[
        str, typer.Option("--request-id", help="A repeated id places nothing a second time.")
    ] = "",
    account: Account = MAIN,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Place an order. It passes the same risk rules as a strategy's."""
    found = (
        Place(data_dir, config)
        .client()
        .post(
            "/v1/orders",
            symbol=symbol_of(symbol),
            side=side,
            quantity=quantity,
            type=type_ or ("LIMIT" if price is not None and trigger_price is None else "MARKET"),
            price=price,
            trigger_price=trigger_price,
            callback_rate=callback_rate,
            activation_price=activation_price,
            tif=tif,
            expire_at=expire_at,
            stop_loss=stop_loss,
            take_profit=take_profit,
            reduce_only=reduce_only,
            algo=algo,
            request_id=request_id,
            account=account,
        )
    )
    _tell(found, as_json=as_json)
    if found["order"]["status"] in _CAME_TO_NOTHING:
        warn(f"this part did not come about, and the others go on: {found['order']['reason']}")
    if not _is_unanswered(found["order"]):
        return ExitCode.OK
    warn("the venue has not answered: the order may or may not be there; it counts in full")
    return ExitCode.VENUE


_CAME_TO_NOTHING = (OrderStatus.REJECTED.value, OrderStatus.NEVER_ARRIVED.value)


def _is_unanswered(order: dict[str, Any]) -> bool:
    return bool(order["is_in_doubt"]) or order["status"] == OrderStatus.PENDING_NEW.value


def cancel(
    order_id: Annotated[str, typer.Argument(help="The order's id.", show_default=False)] = "",
    all_: Annotated[bool, typer.Option("--all", help="All entries; stops stay.")] = False,
    exits: Annotated[
        bool,
        typer.Option(
            "--exits",
            help="With --all: what can only close and was placed by hand too, but for the stops of "
            "what is held.",
        ),
    ] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take an order back, or with --all every order that could open a position.

    What goes on in parts ends by the id of any part, or by its number, and with --all.
    """
    if bool(order_id) == all_:
        raise InputError("say which order: an id, or --all")
    if exits and not all_:
        raise InputError("--exits goes with --all; one order is taken back by its id alone")
    client = Place(data_dir, config).client()
    name = "all" if all_ else quote(order_id, safe="")
    found = client.post(f"/v1/orders/{name}/cancel", **({"exits": True} if exits else {}))
    if as_json:
        print_json(found)
    else:
        _tell_cancelled(found)


def _tell_cancelled(found: dict[str, Any]) -> None:
    parts, stay = found["parts"], found.get("stay", [])
    taken = found["orders"] if "orders" in found else [found["order"]]
    if taken or not (parts or stay):
        print_orders(taken, empty="there was nothing to cancel")
    print_parts(parts, ENDED)
    if stay:
        what = "1 stop or exit stays" if len(stay) == 1 else f"{len(stay)} stops and exits stay"
        print(f"{what}: {', '.join(stay)}")
    for failed, reason in found.get("failed", {}).items():
        warn(f"{failed}: {reason}")
    tell_notes(found)


def modify(
    order_id: Annotated[str, typer.Argument(help="The order's id.")],
    price: Annotated[str | None, typer.Option("--price", help="New limit price.")] = None,
    quantity: Annotated[
        str | None, typer.Option("--quantity", help="New total, the executed part included.")
    ] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Amend a resting limit order. What is not given stays as it is."""
    if not order_id:
        raise InputError("say which order: its id was empty")
    client = Place(data_dir, config).client()
    path = f"/v1/orders/{quote(order_id, safe='')}/modify"
    _tell(client.post(path, price=price, quantity=quantity), as_json=as_json)


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_orders([found["order"]])
    tell_notes(found)
