"""Mutants of what keeps a session's accounts apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ...engine import housekeeping
from ...engine.core import Core
from ...model import commands as cmd
from ...model import messages as msg
from ...model.values import MAIN, AccountId, Symbol
from ...runtime.shell import Shell
from ...venues.binance_futures.adapter import BinanceFuturesVenue
from .patching import Patch


def send_all_to_the_main_venue(patch: Patch) -> None:
    original: Any = vars(Shell)["_carry_out"]

    def carry_out(self: Shell, command: cmd.Command) -> None:
        venues = self._venues
        self._venues = dict.fromkeys(venues, venues[MAIN])
        try:
            original(self, command)
        finally:
            self._venues = venues

    patch.attr(Shell, "_carry_out", carry_out)


def audit_the_main_account_alone(patch: Patch) -> None:
    """Neither time nor a connection that came back leads to another's books being read."""
    original: Any = vars(Core)["resync"]

    def resync(self: Core, account: AccountId, reason: str) -> None:
        if account == MAIN or reason == "start":
            original(self, account, reason)

    patch.attr(Core, "resync", resync)
    patch.attr(housekeeping, "ask_after_doubts", lambda _core: None)


def hear_all_as_of_the_main_account(patch: Patch) -> None:
    """An adapter that forgets whose account it is."""
    original: Callable[..., Any] = vars(BinanceFuturesVenue)["connect"]

    async def connect(
        self: BinanceFuturesVenue,
        symbols: Sequence[Symbol],
        hear: Callable[[Any], None],
    ) -> Any:  # noqa: ANN401
        def tell(message: Any) -> None:  # noqa: ANN401
            if isinstance(message, msg.ExecutionReport):
                message = msgspec.structs.replace(message, account=MAIN)
            hear(message)

        return await original(self, symbols, tell)

    patch.attr(BinanceFuturesVenue, "connect", connect)
