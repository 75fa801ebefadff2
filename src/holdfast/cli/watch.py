"""Watch a session from outside: a process of its own, with a key that may only read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import TradingError, VenueError
from ..runtime.unread import has_room
from .exit_codes import ExitCode
from .options import AsJson, ConfigFile, DatabaseUrl, DataDir, Place
from .output import print_json, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.config import TradingConfig
    from ..runtime.watch import Look, Watch
    from ..runtime.watch_sights import Sight

INTERVAL_S = 5.0
UNREAD = ("blind", "journal_unread")
"""Alarms of a side that can't be read: the exit code says which. That of any other is `ALARM`."""

REFRESH_S = 1.0
"""How often the line of a live view is written anew."""


def watch(
    once: Annotated[
        bool, typer.Option("--once", help="Look until it is clear how things stand, then end.")
    ] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.2, help="Seconds between two looks.")
    ] = INTERVAL_S,
    patience: Annotated[
        float | None,
        typer.Option("--patience", min=0.0, help="Seconds that a difference may stay. 20."),
    ] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> int:
    """Compare the venue's books with the journal, and alarm where they part or nobody is at work.

    It asks with HOLDFAST_WATCH_API_KEY, a key that may read and nothing else, and can place
    nothing. Run it beside the session, or on another machine where the journal is on a server.
    Alarms go to the log; with --once the exit code is 8 where there is one.
    """
    from ..runtime.watch import PATIENCE_S

    settings = Place(data_dir, config, database_url).config()
    given = PATIENCE_S if patience is None else patience
    return _execute(settings, interval, given, is_once=once, as_json=as_json)


def _execute(
    settings: TradingConfig, interval: float, patience: float, *, is_once: bool, as_json: bool
) -> int:
    from ..model.config_keys import secrets_in, watch_keys_of
    from ..runtime.logs import logging_to
    from ..runtime.notices import LogNotifier
    from ..runtime.watch import Watch
    from ..runtime.watch_venue import open_view
    from .run import execute

    view = open_view(settings)
    secrets = (*secrets_in(settings), *watch_keys_of(settings)[:2])  # the session's stay its own
    with logging_to(
        settings.log_dir / "watch",
        level=settings.log_level,
        console_level="WARNING",
        secrets=tuple(str(secret) for secret in secrets),
    ):
        made = Watch(settings, view, LogNotifier(), patience_s=patience)
        return execute(_look_on(made, interval, is_once=is_once, as_json=as_json))


async def _look_on(made: Watch, interval: float, *, is_once: bool, as_json: bool) -> int:
    """Look again and again, until it is clear (`is_once`) or for ever."""
    import asyncio

    shown = _Shown(as_json=as_json)
    try:
        while True:
            try:
                look = await made.look()
            except TradingError as error:
                is_more = any(each.kind not in UNREAD for each in made.alarms)
                if is_once and not is_more and (made.alarms or not isinstance(error, VenueError)):
                    raise
                shown.fail(error, made.alarms)
                if is_once and is_more:
                    return ExitCode.ALARM
            else:
                shown.show(look)
                if is_once and look.is_decided:
                    return ExitCode.ALARM if look.alarms else ExitCode.OK
            await shown.wait(interval)
    except asyncio.CancelledError:
        if made.alarms:
            return ExitCode.ALARM
        return ExitCode.INTERRUPTED if is_once else ExitCode.OK
    finally:
        await made.close()


class _Shown:
    """Writes looks: a line each, on a terminal one line that is written anew each second.

    Where nobody reads, lines are left out: a watcher that waited for its reader would see nothing.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._is_live = sys.stdout.isatty() and not as_json
        self._look: Look | None = None

    def show(self, look: Look) -> None:
        self._look = look
        if not has_room(sys.stdout):
            return
        if self._as_json:
            import msgspec

            print_json({**msgspec.to_builtins(look), "is_ok": not look.alarms})
        elif not self._is_live:
            print(_line(look, 0.0), flush=True)

    def fail(self, error: TradingError, alarms: Sequence[Sight]) -> None:
        """Tell that a look came to nothing. What the last one showed is no longer written anew."""
        if self._is_live and self._look is not None and has_room(sys.stdout):
            print()
        self._look = None
        if not has_room(sys.stdout if self._as_json else sys.stderr):
            return
        if self._as_json:
            import msgspec

            told = {"error": str(error), "kind": type(error).__name__}
            is_ok = False if alarms else None
            print_json({"is_ok": is_ok, **told, "alarms": msgspec.to_builtins(alarms)})
        else:
            warn(f"no look was possible: {error}")

    async def wait(self, seconds: float) -> None:
        """Wait for the next look, and keep the line fresh."""
        import asyncio
        import time

        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            if self._is_live and self._look is not None and has_room(sys.stdout):
                print(f"\r\x1b[2K{_line(self._look, passed)}", end="", flush=True)
            await asyncio.sleep(min(REFRESH_S, seconds - passed))


def _line(look: Look, passed: float) -> str:
    from .output import money, time_of

    clock = time_of(_iso(look.ts)).split()[-1]
    held = ", ".join(f"{money(amount)} {asset}" for asset, amount in look.balances.items())
    if look.alarms:
        state = "ALARM " + "; ".join(sight.told for sight in look.alarms)
    elif look.sights:
        state = f"looking again at {', '.join(sight.kind for sight in look.sights)}"
    else:
        state = "the books agree" if look.is_compared else "the books move: not compared"
    facts = f"fact {look.sequence:,}, {look.facts_age_s + passed:.0f} s ago"
    return (
        f"{clock}  {look.status} epoch {look.epoch}  {facts}  {look.positions} positions, "
        f"{look.open_orders} orders, {held}  {state}"
    )


def _iso(ts: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ts / 1e9, UTC).isoformat()
