"""Show what would become of a wish: size, orders, and every risk rule's word on them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..model.values import MAIN
from .options import Account, AsJson, ConfigFile, DataDir, Place, symbol_of
from .output import amount, print_json, print_table, tell_notes

Plan = dict[str, Any]


def explain(
    symbol: Annotated[str, typer.Argument(help="For example BTCUSDT.")],
    side: Annotated[str, typer.Argument(help="BUY, SELL or CLOSE.")],
    quantity: Annotated[
        str | None, typer.Option("--quantity", help="Else the sizing rules decide.")
    ] = None,
    price: Annotated[str | None, typer.Option("--price", help="Limit price.")] = None,
    stop_loss: Annotated[str | None, typer.Option("--stop-loss", help="Price.")] = None,
    take_profit: Annotated[str | None, typer.Option("--take-profit", help="Price.")] = None,
    algo: Annotated[
        str,
        typer.Option("--algo", help="In parts: twap:over=10m,slices=6 or iceberg:show=0.5."),
    ] = "",
    strategy: Annotated[str, typer.Option("--strategy", help="Whose signal it is.")] = "operator",
    strength: Annotated[float, typer.Option("--strength", help="0 to 1.", min=0, max=1)] = 1.0,
    account: Account = MAIN,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole way of an order by hand through the running session, or of a signal.

    Nothing is sent or recorded. With --strategy it is of that strategy's signal, which has the stop
    and the target of the settings where it names none; without, it is what `place` would do.
    """
    found = (
        Place(data_dir, config)
        .client()
        .post(
            "/v1/explain",
            symbol=symbol_of(symbol),
            side=side,
            quantity=quantity,
            type="MARKET" if price is None else "LIMIT",
            price=price,
            stop_loss=stop_loss,
            take_profit=take_profit,
            algo=algo,
            strategy=strategy,
            strength=strength,
            account=account,
        )
    )
    if as_json:
        print_json(found)
    else:
        print_explanation(found["explanation"])
        tell_notes(found)


def print_explanation(found: Plan) -> None:
    """Write an explanation for people."""
    for plan in found["plans"]:
        _print_plan(plan)
    if found["denial"]:
        print(f"denied by {found['denial']['rule']}: {found['denial']['reason']}")
    elif not found["plans"]:
        print("nothing would be done")
    elif found["passed"]:
        print("all rules pass: it would be sent")


def _print_plan(plan: Plan) -> None:
    price = f" at {amount(plan['price'])}" if plan["price"] else ""
    exits = [
        f"{name} {amount(plan[key])}"
        for name, key in (("stop", "stop_loss"), ("target", "take_profit"))
        if plan[key]
    ]
    with_exits = f", {', '.join(exits)}" if exits else ""
    print(
        f"{plan['side']} {amount(plan['quantity'])} {plan['symbol']} {plan['type']}{price} "
        f"({plan['role'].lower()}, {plan['algo']}{with_exits})"
    )
    rows = [
        [
            "pass" if verdict["passed"] else "REFUSE",
            verdict["rule"],
            amount(verdict.get("value")),
            amount(verdict.get("limit")),
            verdict.get("reason", ""),
        ]
        for verdict in plan["verdicts"]
    ]
    print_table("", ["", "Rule", "Value>", "Limit>", "Reason"], rows)
    refused = [verdict["rule"] for verdict in plan["verdicts"] if not verdict["passed"]]
    if refused:
        what = "reduce-only: it can only close" if plan["reduced"] else "refused"
        print(f"{what}, by {', '.join(refused)}")
