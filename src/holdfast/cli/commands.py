"""Every command: where it is, and what it does in a line. Nothing is imported to list them."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """`place` is module:name in this package; the name is a function, or a dict of them."""

    place: str
    summary: str


COMMANDS: dict[str, dict[str, Command]] = {
    "Trading": {
        "run": Command("run:run", "Run a trading session"),
        "replay": Command("replay:replay", "Replay recorded markets; sweep parameters; compare"),
        "status": Command("session:status", "Show the session and how the account stands"),
        "pause": Command("session:pause", "Take no new risk; exits and stops go on"),
        "resume": Command("session:resume", "Take new risk again"),
        "stop": Command("session:stop", "End the session in an orderly way"),
        "kill": Command("kill:kill", "Block and cancel everything at once, restarts included"),
        "release": Command("kill:release", "Release the kill switch"),
    },
    "Orders and positions": {
        "orders": Command("orders:orders", "List open orders"),
        "positions": Command("positions:positions", "List open positions"),
        "place": Command("orders:place", "Place an order"),
        "cancel": Command("orders:cancel", "Take an order back, or all entries"),
        "modify": Command("orders:modify", "Amend a resting limit order"),
        "close": Command("positions:close", "Close a position at the market"),
        "adjust": Command("positions:adjust", "Trade a position to a signed target"),
        "explain": Command("explain:explain", "Show what would become of a signal, rule by rule"),
    },
    "Figures and records": {
        "stats": Command("figures:stats", "Show the session's figures"),
        "metrics": Command("figures:metrics", "Show how the account stands at this moment"),
        "trace": Command("trace:trace", "Show the why of an order, from signal to fill"),
        "journal": Command("journal:COMMANDS", "Verify, follow or export the record of facts"),
        "watch": Command("watch:watch", "Compare the venue with the journal from outside; alarm"),
    },
    "Practice": {
        "pack": Command("pack:pack", "Turn recorded trades into columns, read much faster"),
        "exchange": Command("exchange:exchange", "Run a simulated exchange on a port"),
        "simulate": Command("simulate:simulate", "Trade in a world where everything goes wrong"),
    },
    "Set-up": {
        "doctor": Command("doctor:doctor", "Examine settings, disk, journal and venue"),
        "config": Command("config:COMMANDS", "Show or check the settings, and their sources"),
        "strategies": Command("strategies:strategies", "List the strategies and their parameters"),
        "new": Command("strategies:COMMANDS", "Write a strategy to start from"),
    },
}
"""By heading, in the order in which `holdfast --help` shows them."""


def all_commands() -> dict[str, Command]:
    """Return the commands by name."""
    return {name: command for group in COMMANDS.values() for name, command in group.items()}


def overview() -> str:
    """Return the text of `holdfast --help`."""
    from . import exit_codes

    lines = ["Usage: holdfast COMMAND [OPTIONS]", ""]
    lines += ["Run trading strategies around the clock, and never lose track of an order."]
    for heading, commands in COMMANDS.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {name:<11} {command.summary}" for name, command in commands.items()]
    codes = (exit_codes.__doc__ or "").split("\n\n")[1]
    return "\n".join(
        [
            *lines,
            "",
            "Options of most commands:",
            "  -h, --help  Show what it takes     --json   Answer with one JSON document",
            "  --debug     Show tracebacks        --config, --data-dir  Which session is meant",
            "",
            "Exit codes:",
            codes,
            "",
            "Try: holdfast run --for 60s",
        ]
    )
