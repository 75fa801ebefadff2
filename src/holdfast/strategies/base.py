"""What users subclass: hooks that hear the market, and the ways to wish for something."""

from __future__ import annotations

import enum
import numbers
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from ..model.errors import StrategyError
from ..model.events import OrderFilled
from ..model.market import Bar, Quote, Trade
from ..model.order_book import OrderBook
from ..model.order_wish import OrderWish, Wish
from ..model.signal import SignalGenerated
from ..model.values import (
    ZERO,
    Amount,
    ClOrdId,
    OrderType,
    SignalType,
    StrategyId,
    Symbol,
    TimeInForce,
    to_decimal,
)
from .context import Context, OrderUpdate

__all__ = ["HOOKS", "Context", "OrderUpdate", "Strategy", "overridden_hooks"]

HOOKS = (
    "on_start",
    "on_bar",
    "on_trade",
    "on_quote",
    "on_book",
    "on_fill",
    "on_order",
    "on_stop",
)

E = TypeVar("E", bound=enum.Enum)
Emit = Callable[[Wish], None]


class Strategy:
    """Hears the market through hooks and answers with `signal`.

    Hooks are plain functions, called one at a time. They must return soon: the engine waits.
    What a strategy remembers is its own affair and is built anew from `warmup_bars` bars of
    history after a restart; what it holds it asks of `ctx.position`, since a stop may have
    closed it. The constructor's parameters are the strategy's parameters.
    """

    timeframes: tuple[str, ...] = ()
    """Bars wanted, as in ("1m", "1h"); empty takes the feed's default."""

    warmup_bars: int = 0
    """Bars of history wanted before the first live one, for each symbol and timeframe."""

    account: str = ""
    """The account that is traded, by its name in the settings; empty takes the main one."""

    # On the class, so that a subclass whose constructor forgets `super().__init__()` works too.
    _strategy_id: StrategyId | None = None
    _emit: Emit | None = None
    _ctx: Context | None = None

    @property
    def ctx(self) -> Context:
        """Return the window that the runner opened.

        Raises:
            StrategyError: no runner has bound this strategy yet.
        """
        if self._ctx is None:
            raise self._unbound("ctx")
        return self._ctx

    def bind(self, strategy_id: StrategyId, emit: Emit, ctx: Context) -> None:
        """Join the strategy to the runner that will call its hooks and take its signals."""
        self._strategy_id = strategy_id
        self._emit = emit
        self._ctx = ctx

    def on_start(self, ctx: Context) -> None:
        """Hear that the session begins; history follows."""

    def on_bar(self, bar: Bar) -> None:
        """Hear a closed bar."""

    def on_trade(self, trade: Trade) -> None:
        """Hear a trade on the tape."""

    def on_quote(self, quote: Quote) -> None:
        """Hear a change of the best bid or ask."""

    def on_book(self, book: OrderBook) -> None:
        """Hear that an order book changed, or was lost (`book.is_whole`).

        A session whose strategy has this hook asks its live feed for whole books, and keeps them
        by the venue's update ids. Recordings show what they have.
        """

    def on_fill(self, fill: OrderFilled) -> None:
        """Hear that an order of this strategy executed, in part or in full."""

    def on_order(self, update: OrderUpdate) -> None:
        """Hear how an order of this strategy fares."""

    def on_stop(self) -> None:
        """Hear that the session ends; signals are not heard any more."""

    def signal(  # noqa: PLR0913, PLR0917 - all that may be wished for
        self,
        signal_type: SignalType | str,
        symbol: str,
        quantity: Amount | None = None,
        order_type: OrderType | str | None = None,
        price: Amount | None = None,
        stop_loss: Amount | None = None,
        take_profit: Amount | None = None,
        strength: float = 1.0,
        *,
        time_in_force: TimeInForce | str = TimeInForce.GTC,
        algo: str = "",
        reason: str = "",
        signal_id: str = "",
    ) -> None:
        """Wish for a trade. Nothing happens while the strategy warms up.

        Enumerations may be given by name: "BUY", "LIMIT", "IOC".

        Args:
            quantity: base units, above 0; None lets the sizing rules decide.
            order_type: None takes the engine's choice.
            price: above 0; a LIMIT needs one, and a MARKET is denied with one.
            stop_loss: a price; None takes the configured distance, 0 asks for none.
            take_profit: as `stop_loss`.
            strength: above 0, up to 1; scales the quantity, or what the sizing rules give.
            algo: works the entry in parts: "twap:over=10m,slices=6" or "iceberg:show=0.5".
            signal_id: makes a repeated wish harmless: the same id is acted on once.

        Raises:
            StrategyError: a value can't be used, or no runner has bound this strategy.
        """
        if self._emit is None or self._ctx is None or self._strategy_id is None:
            raise self._unbound("signal")
        if self._ctx.is_warming_up:
            return
        try:
            wish = SignalGenerated(
                symbol=Symbol(_text(symbol, "symbol")),
                signal_type=_member(SignalType, signal_type, "signal_type"),
                strategy_id=self._strategy_id,
                quantity=_positive(quantity, "quantity"),
                order_type=OrderType.MARKET
                if order_type is None
                else _member(OrderType, order_type, "order_type"),
                price=_positive(price, "price"),
                time_in_force=_member(TimeInForce, time_in_force, "time_in_force"),
                stop_loss=_not_negative(stop_loss, "stop_loss"),
                take_profit=_not_negative(take_profit, "take_profit"),
                strength=_strength(strength),
                algo=_text(algo, "algo"),
                signal_id=_text(signal_id, "signal_id"),
                reason=_text(reason, "reason"),
                ts=self._ctx.now(),
            )
            if wish.order_type is OrderType.LIMIT and wish.price is None:
                raise ValueError("a LIMIT needs a price, was None")  # noqa: TRY301
        except ValueError as error:
            raise StrategyError(f"signal of {self._strategy_id} for {symbol}: {error}") from error
        self._emit(wish)

    def cancel(self, order_id: str, reason: str = "") -> None:
        """Wish for an open entry of this strategy back. Nothing happens while it warms up.

        One that goes on in parts ends with any of its parts, one that has filled included.

        A wish for an order of others, for a stop or a target, is refused, and so the log says; one
        for an order that has ended meanwhile comes to nothing.

        Args:
            order_id: as `ctx.orders`, `ctx.parts` and `on_order` name it (`cl_ord_id`).

        Raises:
            StrategyError: a value can't be used, or no runner has bound this strategy.
        """
        self._wish_for("cancel", order_id, is_cancel=True, reason=reason)

    def modify(
        self, order_id: str, price: Amount | None = None, quantity: Amount | None = None
    ) -> None:
        """Wish for another price or quantity of an open limit entry of this strategy.

        The risk rules look at the larger of old and new; what they or the exchange refuse leaves
        the order as it is, and `on_order` hears why. Nothing happens while it warms up.

        Args:
            order_id: as `ctx.orders` and `on_order` name it (`cl_ord_id`).
            price: above 0, rounded to the tick as a signal's is; None keeps it.
            quantity: of the whole order, above what has executed; None keeps it.

        Raises:
            StrategyError: a value can't be used, or no runner has bound this strategy.
        """
        self._wish_for("modify", order_id, price=price, quantity=quantity)

    def _wish_for(  # noqa: PLR0913 - what may be said of an order
        self,
        what: str,
        order_id: str,
        *,
        is_cancel: bool = False,
        price: Amount | None = None,
        quantity: Amount | None = None,
        reason: str = "",
    ) -> None:
        if self._emit is None or self._ctx is None or self._strategy_id is None:
            raise self._unbound(what)
        if self._ctx.is_warming_up:
            return
        try:
            if not is_cancel and price is None and quantity is None:
                raise ValueError("a price or a quantity is needed, both were None")  # noqa: TRY301
            wish = OrderWish(
                strategy_id=self._strategy_id,
                cl_ord_id=ClOrdId(_text(order_id, "order_id")),
                is_cancel=is_cancel,
                qty=_positive(quantity, "quantity"),
                price=_positive(price, "price"),
                reason=_text(reason, "reason"),
                ts=self._ctx.now(),
            )
        except ValueError as error:
            raise StrategyError(f"{what} of {self._strategy_id}: {error}") from error
        self._emit(wish)

    def _unbound(self, what: str) -> StrategyError:
        name = type(self).__name__
        return StrategyError(
            f"{name}.{what} was used before a runner bound the strategy: "
            "use it in hooks, not in the constructor"
        )


def overridden_hooks(strategy: Strategy) -> frozenset[str]:
    """Return the names of the hooks that do something; the others need not be called."""
    return frozenset(
        name
        for name in HOOKS
        if getattr(getattr(strategy, name), "__func__", None) is not getattr(Strategy, name)
    )


def _member(kind: type[E], value: E | str, name: str) -> E:
    """Return a member of an enumeration, which may be given by name."""
    if type(value) is kind:
        return value
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind)
        raise ValueError(f"{name} must be one of {known}, was {value!r:.80}") from None


def _positive(amount: Amount | None, name: str) -> Decimal | None:
    if amount is None:
        return None
    number = to_decimal(amount, name)
    if number <= ZERO:
        raise ValueError(f"{name} must be > 0, was {amount!r}")
    return number


def _not_negative(amount: Amount | None, name: str) -> Decimal | None:
    if amount is None:
        return None
    number = to_decimal(amount, name)
    if number < ZERO:
        raise ValueError(f"{name} must be >= 0, was {amount!r}")
    return number


def _text(text: object, name: str) -> str:
    """Return a plain text that can be recorded, and read back."""
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a text, was {text!r:.80}")  # noqa: TRY004 - as of all values
    if type(text) is str and text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} must be text that UTF-8 can write, was {text!r:.80}") from None
    return str.__str__(text)  # a subclass, such as numpy's, is not to be recorded


def _strength(strength: object) -> float:
    if not isinstance(strength, numbers.Real) or not 0.0 < float(strength) <= 1.0:
        raise ValueError(f"strength must be above 0 and up to 1, was {strength!r}")
    return float(to_decimal(strength, "strength"))  # type: ignore[arg-type]  # as a library's own
