"""A person, or a program, who asks for something and goes by the answer.

Each request is made through what answers the command line, waits as long as that does, and is
judged by its answer: see `answers`. What has no answer is asked once more under the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

import msgspec

from ..engine.order import Order
from ..model import messages as msg
from ..model.errors import OutcomeUnknownError, TradingError
from ..model.events import Event, OrderDenied, OrderSubmitted
from ..model.instrument import Instrument
from ..model.values import MAIN, ClOrdId, Key, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from ..runtime.operations import Operations
from ..runtime.sent import sent_for
from ..runtime.views import Order as Shown
from .accounts import SECOND
from .adversaries import Adversary
from .answers import Wish

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World

PAUSE_S = (0.3, 2.5)
FAR = ("0", "0.0004", "0.003")
REPEATED_MAX = 20
CHASES = 0.2
"""How often an order runs after the market, with a stop."""


class Desk(Operations):
    """What is asked at one moment, and what left for it at once."""

    def __init__(self, live: LiveSession, wish: Wish) -> None:
        super().__init__(live)
        self._wish = wish

    def _sent(self, facts: list[Event]) -> list[ClOrdId]:
        self._wish.sent = super()._sent(facts)
        return self._wish.sent


class Petitioner(Adversary):
    """Asks by hand, and believes what it is told."""

    name = "petitioner"
    share: ClassVar[float] = 0.08

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._asked: list[msg.PlaceRequest] = []

    async def run(self) -> None:
        while True:
            await asyncio.sleep(round(self.lots.uniform(*PAUSE_S), 3))
            self._act()

    def _act(self) -> None:
        world, lots = self.world, self.lots
        acts: tuple[Act, ...] = (
            *(Petitioner._place,) * 3,
            *(
                Petitioner._cancel,
                Petitioner._modify,
                Petitioner._close,
                Petitioner._adjust,
                Petitioner._adjust_twice,
            ),
            Petitioner._again,
        )
        act = lots.choice(acts)
        account = lots.choice((MAIN, SECOND)) if world.accounts.are_two else MAIN
        key: Key = (account, lots.choice(world.market.symbols))
        process, live = world.process, world.live
        if process is None or process.is_dead or process.is_frozen or live is None:
            return
        wish = Wish(act.__name__.strip("_"), key)
        asked = act(self, Desk(live, wish), wish)
        if asked is not None:
            world.loop.create_task(self._wait(wish, asked), context=process.context)

    async def _wait(self, wish: Wish, asked: Awaitable[object]) -> None:
        answers, what = self.world.judges.answers, wish.what
        try:
            answer = await asked
        except OutcomeUnknownError:
            self.strike(f"{what}: unknown")
        except TradingError as error:
            self.strike(f"{what}: {type(error).__name__}")
            answers.refused(wish, f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - a person would see a traceback
            self.world.oracles.say("crash", f"{what}: {type(error).__name__}: {error}")
        else:
            if isinstance(answer, Shown) and answer.status is OrderStatus.PENDING_NEW:
                self.strike(f"{what}: no answer yet")
                return
            self.strike(f"{what}: done")
            answers.done(wish)

    # What is asked for

    def _place(self, desk: Desk, wish: Wish) -> Awaitable[object]:
        assert wish.key is not None
        lots, (account, symbol) = self.lots, wish.key
        instrument = self.world.instrument(symbol)
        price = Decimal(repr(self.world.market.prices[symbol]))
        side, far = lots.choice((Side.BUY, Side.SELL)), Decimal(lots.choice(FAR))
        is_limit = lots.random() < 0.7
        times = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTX)
        near = instrument.round_price(price * (1 - side.sign * far))
        request = msg.PlaceRequest(
            symbol=symbol,
            side=side,
            qty=instrument.round_qty(Decimal(lots.choice((150, 400))) / price),
            order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
            price=near if is_limit else None,
            time_in_force=lots.choice(times) if is_limit else TimeInForce.GTC,
            reduce_only=lots.random() < 0.2,
            request_id=f"asked-{len(self._asked)}",
            account=account,
        )
        if is_limit and not request.reduce_only and lots.random() < CHASES:
            request = self._chasing(request, instrument, price)
        self._asked.append(request)
        return desk.place(request)

    def _chasing(
        self, request: msg.PlaceRequest, instrument: Instrument, price: Decimal
    ) -> msg.PlaceRequest:
        """Have an order reach the market, with a stop on either side of that."""
        sign, far = request.side.sign, Decimal(self.lots.choice(("0.001", "-0.004")))
        return msgspec.structs.replace(
            request,
            price=instrument.round_price(price * (1 + sign * Decimal("0.003"))),
            stop_loss=instrument.round_price(price * (1 + sign * far)),
            time_in_force=TimeInForce.GTC,
        )

    def _again(self, desk: Desk, wish: Wish) -> Awaitable[object] | None:
        """Ask for one of the last orders once more, as if it had not been answered."""
        if not self._asked:
            return None
        wish.what = "place"
        return desk.place(self.lots.choice(self._asked[-REPEATED_MAX:]))

    def _cancel(self, desk: Desk, wish: Wish) -> Awaitable[object] | None:
        order = self._any(wish, is_limit=False)
        return None if order is None else desk.cancel(order.cl_ord_id)

    def _modify(self, desk: Desk, wish: Wish) -> Awaitable[object] | None:
        order = self._any(wish, is_limit=True)
        if order is None or order.price is None:
            return None
        instrument, lots = self.world.instrument(order.request.symbol), self.lots
        share, move = (Decimal(lots.choice(each)) for each in (("0.5", "1", "1.5"), FAR))
        wish.qty = instrument.round_qty(order.qty * share)
        wish.price = instrument.round_price(order.price * (1 + lots.choice((-1, 1)) * move))
        is_same = (wish.qty, wish.price) == (order.qty, order.price)
        wish.amended = self.world.judges.answers.amendments[order.cl_ord_id] + 1
        return None if is_same else desk.modify(order.cl_ord_id, wish.price, wish.qty)

    def _any(self, wish: Wish, *, is_limit: bool) -> Order | None:
        live = self.world.live
        orders = [] if live is None else live.engine.state.all_open_orders()
        found = [
            each
            for each in orders
            if each.role is OrderRole.ENTRY
            and (not is_limit or each.request.order_type is OrderType.LIMIT)
        ]
        if not found:
            return None
        order = self.lots.choice(found)
        wish.sent, wish.key = [order.cl_ord_id], order.key
        return order

    def _close(self, desk: Desk, wish: Wish) -> Awaitable[object]:
        assert wish.key is not None
        return desk.close(wish.key[1], "petitioner", wish.key[0])

    def _adjust(self, desk: Desk, wish: Wish) -> Awaitable[object]:
        assert wish.key is not None
        account, symbol = wish.key
        wish.qty = self._target(wish)
        return desk.adjust(symbol, wish.qty, account)

    def _adjust_twice(self, _desk: Desk, wish: Wish) -> None:
        """Ask for one adjustment twice at the same moment: together they are no more than one."""
        assert wish.key is not None
        live, (account, symbol) = self.world.live, wish.key
        request = msg.AdjustRequest(symbol=symbol, target_qty=self._target(wish), account=account)
        if live is None or live.shell.has_failed:
            return
        with contextlib.suppress(TradingError):
            first, second = (live.shell.ask(request).facts for _ in range(2))
            orders = [fact for fact in first if isinstance(fact, OrderSubmitted)]
            is_denied = any(isinstance(fact, OrderDenied) for fact in first)
            is_whole = not is_denied and len(orders) == len(sent_for(first))  # no stop acts too
            if is_whole and any(isinstance(fact, OrderSubmitted) for fact in second):
                self.world.judges.answers.say(f"{symbol} was adjusted twice, as it was asked twice")
            self.strike("adjust twice")

    def _target(self, wish: Wish) -> Decimal:
        assert wish.key is not None
        price = Decimal(repr(self.world.market.prices[wish.key[1]]))
        size = self.world.instrument(wish.key[1]).round_qty(Decimal(400) / price)
        return size * self.lots.choice((-1, 0, 1))


Act = Callable[[Petitioner, Desk, Wish], Awaitable[object] | None]
