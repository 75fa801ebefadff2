"""The market that both sides see: seeded walks, put to the exchange through its back door.

It goes on where it was when the exchange comes back, and costs the exchange nothing to start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp

from .scene import SYMBOLS

HOME = dict(zip(SYMBOLS, (50_000.0, 3_000.0, 150.0, 0.5), strict=True))
DIGITS = dict(zip(SYMBOLS, (1, 2, 2, 4), strict=True))
RANGE = (0.7, 1.4)
"""How far a price strays from where it began."""

STEP_S = 0.05
STEPS = 3
"""Trades that are shown at once."""

MOVE = 0.0004
DEPTH = (0.3, 40.0)
"""What stands at the touch, in thousands of money: thin at times, so that orders fill in parts."""

Put = Callable[[list[dict[str, object]]], Awaitable[object]]


class Market:
    """Walks until cancelled; `put` shows messages to the exchange."""

    def __init__(self, seed: int, put: Put) -> None:
        self._lots = Random(f"{seed}/market")
        self._prices = dict(HOME)
        self._put = put

    async def run(self) -> None:
        """Move the market; an exchange that is not there sees nothing."""
        while True:
            messages = [m for _ in range(STEPS) for m in self._step(self._lots.choice(SYMBOLS))]
            await self._show(messages)
            await asyncio.sleep(STEP_S)

    async def open(self) -> None:
        """Show the first prices of all."""
        await self._show([m for symbol in SYMBOLS for m in self._step(symbol)])

    async def _show(self, messages: list[dict[str, object]]) -> None:
        with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
            await self._put(messages)

    def _step(self, symbol: str) -> list[dict[str, object]]:
        lots, digits, home = self._lots, DIGITS[symbol], HOME[symbol]
        move = lots.gauss(0.0, MOVE)
        before = self._prices[symbol]
        if not RANGE[0] < before * (1 + move) / home < RANGE[1]:
            move = -move
        price = self._prices[symbol] = round(before * (1 + move), digits)
        tick = 10.0**-digits
        qty, bid_qty, ask_qty = (
            round(1000.0 / price * lots.uniform(*DEPTH), 3) + 0.001 for _ in range(3)
        )
        about: dict[str, object] = {"symbol": symbol, "ts": 0}
        return [
            {"type": "Trade", **about, "price": price, "qty": qty},
            {
                "type": "Quote",
                **about,
                "bid": round(price - tick, digits),
                "bid_qty": bid_qty,
                "ask": round(price + tick, digits),
                "ask_qty": ask_qty,
            },
            {"type": "MarkPrice", **about, "mark_price": price},
        ]
