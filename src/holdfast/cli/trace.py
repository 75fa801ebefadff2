"""Show the why of an order: its signal, the rules' verdicts, its facts and what protects it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, ConfigFile, DatabaseUrl, DataDir, Place
from .output import amount, print_json, print_pairs, print_table, text_of

if TYPE_CHECKING:
    from ..model.events import Event, OrderTimed
    from ..runtime.order_trace import OrderTrace

_OWN = ("ts", "cl_ord_id", "order", "verdicts", "signal", "account", "symbol", "recv_window_ns")
"""Fields that the headings tell already."""


def trace(
    order_id: Annotated[str, typer.Argument(help="The order's id, as in hf.2.1a.7.E.sma_cross.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show how an order came to be and what became of it, from the journal; also while a session
    runs, and of a replay with --database-url.
    """
    from ..runtime.order_trace import trace_order
    from . import journaled

    with journaled.reading(Place(data_dir, config, database_url).config()) as journal:
        found = trace_order(journal.replay, order_id)
    document = _document(found)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _document(trace: OrderTrace) -> dict[str, Any]:
    from ..model.values import plain
    from ..runtime.control_wire import builtins

    price = trace.avg_px
    document: dict[str, Any] = builtins(
        {
            "order": trace.order,
            "signal": trace.signal.signal if trace.signal else None,
            "intent_id": trace.order.intent_id or None,
            "signal_denial": trace.denial,
            "parent": trace.parent,
            "verdicts": trace.verdicts,
            "timing": _timing(trace.timed),
            "steps": [_step(fact, since) for fact, since in trace.steps()],
            "left_out": trace.left_out,
            "fills": trace.fills,
            "filled_qty": plain(trace.cum_qty),
            "average_price": None if price is None else plain(price),
            "exits": [
                {"order": one.order, "steps": [_step(fact, since) for fact, since in one.steps()]}
                for one in trace.exits
            ],
        }
    )
    return document


def _timing(timed: OrderTimed | None) -> dict[str, int | None] | None:
    """Return what the order's steps took, nanoseconds, and the whole way where it is known."""
    if timed is None:
        return None
    rest = timed.decision_ns + timed.record_ns + timed.send_ns
    return {
        "strategy_ns": timed.strategy_ns,
        "decision_ns": timed.decision_ns,
        "record_ns": timed.record_ns,
        "send_ns": timed.send_ns,
        "total_ns": rest if timed.strategy_ns is None else rest + timed.strategy_ns,
    }


def _step(fact: Event, since_ns: int | None) -> dict[str, Any]:
    from ..runtime.control_wire import builtins
    from ..runtime.views import when

    fields: dict[str, Any] = builtins(fact)
    told = {name: value for name, value in fields.items() if name not in (*_OWN, "type")}
    return {
        "time": when(fact.ts),
        "ts": fact.ts,
        "since_ns": since_ns,
        "fact": type(fact).__name__,
        "fields": {name: value for name, value in told.items() if value not in (None, "")},
    }


def _print(found: dict[str, Any]) -> None:
    order, signal, parent = found["order"], found["signal"], found["parent"]
    price = order.get("price") or order.get("trigger_price")
    print_pairs(
        f"{order['cl_ord_id']}: {order['side']} {amount(order['qty'])} {order['symbol']}",
        [
            ("type", order.get("order_type", "MARKET")),
            ("price", amount(price)),
            ("for", _role(order)),
            ("strategy", text_of(order.get("strategy_id"))),
            ("signal", _signal_told(signal)),
            ("algorithm", _parent_told(parent)),
            ("filled", _filled_told(found["filled_qty"], found["average_price"])),
        ],
    )  # fmt: skip
    if found["verdicts"]:
        rows = [
            [
                "pass" if verdict["passed"] else "REFUSE",
                verdict["rule"],
                amount(verdict.get("value")),
                amount(verdict.get("limit")),
                verdict.get("reason") or "",
            ]
            for verdict in found["verdicts"]
        ]
        print_table("\nRisk rules", ["", "Rule", "Value>", "Limit>", "Reason"], rows)
        if order.get("reduce_only"):
            print("It went out all the same, reduce-only: it could only close.")
    else:
        print("\nNo risk rule was asked: the order could only close.")
    _print_timing(found["timing"])
    _print_steps("\nWhat happened", found["steps"])
    if found["left_out"]:
        print(f"and {found['left_out']:,} facts more")
    for one in found["exits"]:
        exit_order = one["order"]
        role = _role(exit_order)
        at = amount(exit_order.get("trigger_price") or exit_order.get("price"))
        title = (
            f"\n{role} {exit_order['cl_ord_id']}: {exit_order['side']} {amount(exit_order['qty'])}"
        )
        _print_steps(f"{title}{f' at {at}' if at else ''}", one["steps"])


def _filled_told(qty: str, price: str | None) -> str:
    if qty == "0":
        return "nothing"
    return f"{qty} at {amount(price)}" if price else f"{qty}, at a price that nobody told"


_STEPS = {
    "strategy_ns": "market frame in, decoded, shown to the strategy, its wish",
    "decision_ns": "algorithm, sizes and risk rules",
    "record_ns": "facts on record",
    "send_ns": "order written and signed, frame out",
    "total_ns": "all",
}


def _print_timing(timing: dict[str, int | None] | None) -> None:
    if timing is None:
        return
    rows = [
        [f"{taken / 1e3:,.0f}", told]
        for name, told in _STEPS.items()
        if (taken := timing[name]) is not None
    ]
    print_table("\nIts way out", ["us>", "Step"], rows)


def _role(order: dict[str, Any]) -> str:
    from ..model.values import OrderRole

    return OrderRole(order.get("role", OrderRole.ENTRY.value)).name.lower().replace("_", " ")


def _signal_told(signal: dict[str, Any] | None) -> str:
    if signal is None:
        return ""
    why = f": {signal['reason']}" if signal.get("reason") else ""
    return f"{signal['signal_type']}, strength {signal.get('strength', 1.0):g}{why}"


def _parent_told(parent: dict[str, Any] | None) -> str:
    if parent is None:
        return ""
    exits = [
        f"{name} {amount(parent[key])}"
        for name, key in (("stop", "stop_loss"), ("target", "take_profit"))
        if parent.get(key)
    ]
    return ", ".join([f"{parent['algo']} (parent {parent['parent_id']})", *exits])


def _print_steps(title: str, steps: list[dict[str, Any]]) -> None:
    rows = [
        [
            step["time"][:26].rstrip("Z").replace("T", " "),
            "" if step["since_ns"] is None else f"+{step['since_ns'] / 1e6:,.3f}",
            step["fact"],
            ", ".join(f"{name} {text_of(value)}" for name, value in step["fields"].items()
                      if not isinstance(value, dict)),
        ]
        for step in steps
    ]  # fmt: skip
    print_table(title, ["Time", "ms>", "Fact", "What it says"], rows)
