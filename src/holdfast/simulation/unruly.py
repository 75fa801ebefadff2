"""A strategy that does all that it must not: it raises, floods, repeats, asks for the absurd.

What it may not do it tries; what it is refused it takes for granted, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import ClassVar
from zlib import crc32

from ..model.errors import StrategyError
from ..model.events import OrderFilled
from ..model.market import Quote, Trade
from ..strategies import OrderUpdate, Strategy
from .adversaries import Adversary
from .churner import UINT32_MAX

FLOOD = 40
NUMBERS: tuple[object, ...] = (
    *(0, -1, 1, 7, 1e-9, 1e-3, 0.1 + 0.2, 1e15, 1e300, float("nan"), float("inf"), -0.0, True),
    *("nan", "1e999999", "0.001", "-5", "", "0,5", b"1", [], None, 10**30, Decimal("sNaN")),
    *(Decimal("1e-28"), Decimal("1E+20"), Decimal("0.00123456789"), Decimal("Infinity")),
)
WORDS: tuple[object, ...] = (
    *("BUY", "SELL", "CLOSE", "buy", "", "HOLD", 1, None),
    *("x" * 5_000, "\ud800", "\x00", "öäü", "a.b.c", " "),
)
ERRORS: tuple[type[BaseException], ...] = (
    *(ValueError, ZeroDivisionError, RecursionError, MemoryError, SystemExit, GeneratorExit),
    *(StopIteration, AssertionError, BaseException, TimeoutError, OSError, KeyError),
)


class Speechless(Exception):
    """An error that can't be told."""

    def __str__(self) -> str:
        raise RuntimeError("there are no words for it")

    __repr__ = __str__


class Unruly(Strategy):
    """Misbehaves at about every fourth trade.

    Args:
        fails: whether it raises now and then, and so is taken off.
    """

    def __init__(self, seed: str, strike: Callable[[str], None], *, fails: bool) -> None:
        self._seed = seed
        self._strike = strike
        self._fails = fails

    def on_trade(self, trade: Trade) -> None:
        self._act(trade.symbol, trade.price, f"t{trade.ts}")

    def on_quote(self, quote: Quote) -> None:
        self._act(quote.symbol, quote.bid, f"q{quote.ts}", rare=8)

    def on_fill(self, fill: OrderFilled) -> None:
        self._act(fill.symbol, float(fill.price), f"f{fill.trade_id}", rare=2)

    def on_order(self, update: OrderUpdate) -> None:
        self._act(update.symbol, 1.0, f"o{update.cl_ord_id}{update.status}", rare=4)

    def on_stop(self) -> None:
        if self._fails:
            raise ERRORS[crc32(self._seed.encode()) % len(ERRORS)]

    def _act(self, symbol: str, price: float, what: str, rare: int = 1) -> None:
        drawn = crc32(f"{self._seed}/{symbol}/{what}".encode())
        if drawn > UINT32_MAX // 4 // rare:
            return
        lots = Random(drawn)
        acts = (self._absurd, self._flood, self._repeat, self._turn, self._past, self._odd)
        act = lots.choice(acts)
        self._strike(act.__name__.strip("_"))
        act(lots, symbol, price)
        if self._fails and lots.random() < 0.05:
            self._strike("raise")
            raise lots.choice((*ERRORS, Speechless))

    def _try(self, *args: object, **fields: object) -> None:
        try:
            self.signal(*args, **fields)  # type: ignore[arg-type]  # that is the point
        except (StrategyError, TypeError, ArithmeticError):
            self._strike("refused")

    def _absurd(self, lots: Random, symbol: str, _: float) -> None:
        names = ("quantity", "price", "stop_loss", "take_profit", "strength")
        fields = {name: lots.choice(NUMBERS) for name in lots.sample(names, lots.randint(1, 3))}
        kind = lots.choice(("BUY", "SELL", "CLOSE"))
        self._try(kind, symbol, order_type=lots.choice((None, "LIMIT", "MARKET")), **fields)

    def _odd(self, lots: Random, symbol: str, _: float) -> None:
        where = lots.choice((symbol, symbol.lower(), "DOGEUSDT", "", "BTCUSDT_260925", 5))
        names = ("order_type", "time_in_force", "algo", "reason", "signal_id")
        fields = {name: lots.choice(WORDS) for name in lots.sample(names, lots.randint(0, 2))}
        self._try(lots.choice(WORDS), where, **fields)

    def _flood(self, lots: Random, symbol: str, price: float) -> None:
        for _ in range(FLOOD):
            near = Decimal(repr(price)) * (1 - Decimal(lots.randint(-40, 40)) / 10_000)
            kind = lots.choice(("BUY", "SELL", "BUY", "SELL", "CLOSE"))
            is_limit = kind != "CLOSE" and lots.random() < 0.7
            self._try(
                kind,
                symbol,
                quantity=Decimal(lots.choice((5, 60, 300))) / near,
                order_type="LIMIT" if is_limit else "MARKET",
                price=near if is_limit else None,
                stop_loss=lots.choice((None, 0)),
            )

    def _repeat(self, lots: Random, symbol: str, _: float) -> None:
        name = f"always{lots.randint(1, 3)}"
        for _ in range(3):
            self._try(lots.choice(("BUY", "SELL")), symbol, signal_id=name)

    def _turn(self, lots: Random, symbol: str, _: float) -> None:
        for kind in ("BUY", "SELL", "CLOSE", "CLOSE", "SELL", "BUY")[: lots.randint(2, 6)]:
            self._try(kind, symbol, strength=lots.choice((1.0, 0.01, 1e-300)))

    def _past(self, lots: Random, symbol: str, price: float) -> None:
        """Ask for exits on the wrong side, at the price itself, or so near that they trigger."""
        kind = lots.choice(("BUY", "SELL"))
        near = Decimal(repr(price))
        moves = [Decimal(lots.choice(("-0.5", "-0.0001", "0", "0.0001", "3"))) for _ in range(2)]
        self._try(kind, symbol, stop_loss=near * (1 + moves[0]), take_profit=near * (1 + moves[1]))


class Misrule(Adversary):
    """Has such a strategy beside the others."""

    name = "unruly"
    share: ClassVar[float] = 0.03

    def strategies(self) -> tuple[Strategy, ...]:
        """Return a new one, of each life's own."""
        fails = self.lots.random() < 0.5
        return (Unruly(f"{self.world.seed}/{self.lots.random()}", self.strike, fails=fails),)
