"""The exchange's side: its own request and frame logic, without sockets.

Requests come as HTTP would bring them, sockets as WebSockets: text in, text out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from ..exchange import Exchange, Liquidity, VenueOrder
from ..exchange.books import Fill
from ..exchange_server import ApiKey, ServerSettings
from ..exchange_server.app import KEY_HEADER, METHODS, Asked, Door, Reply
from ..exchange_server.broadcast import Broadcast
from ..exchange_server.limits import Limits
from ..exchange_server.listen_keys import ListenKeys
from ..exchange_server.methods import Broken
from ..exchange_server.outbox import Outbox
from ..exchange_server.sinks import Sink
from ..exchange_server.streams import connect
from ..exchange_server.tape import Tape
from ..exchange_server.venue import Venue
from ..exchange_server.ws_api import Talk
from ..exchange_server.ws_session import Session
from ..feeds import FeedSettings
from ..model.market import MarketData
from ..model.values import (
    ZERO,
    AccountId,
    ClOrdId,
    NewOrder,
    OrderType,
    Side,
    Symbol,
    TimeInForce,
)
from .answer import Answer
from .dropping import HeardDelivery
from .market import listed

ACCOUNT, OTHER = AccountId("test"), AccountId("other")
SECRET = "test"  # noqa: S105 - of accounts that nobody has
ADDRESS = "10.0.0.1"
API_PATH = "/ws-fapi/v1"
PULSE_S = 1.0
BALANCE = Decimal(10_000)
UNSENT_MAX = 8 * 1024 * 1024

_encode = msgspec.json.Encoder().encode


class Cable:
    """The transport under an `Outbox`: takes frames apart again and hands on their texts."""

    def __init__(self, deliver: Callable[[bytes], None], cut: Callable[[], None]) -> None:
        self._deliver = deliver
        self._cut = cut
        self.is_cut = False

    def write(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            size, head = data[start + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[start + 2 : start + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[start + 2 : start + 10], "big"), 10
            self._deliver(data[start + head : start + head + size])
            start += head + size

    def is_closing(self) -> bool:
        return self.is_cut

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        if not self.is_cut:
            self.is_cut = True
            self._cut()


class FarEnd:
    """The exchange's end of one socket."""

    def __init__(self, hear: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self.hear = hear
        self.close = close


class Bourse:
    """One exchange with its accounts, on the loop's time.

    Args:
        draw_key: draws listen keys.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        clock: Callable[[], int],
        settings: ServerSettings,
        draw_key: Callable[[], str],
    ) -> None:
        contracts = [listed(symbol) for symbol in symbols]
        self.venue = Venue(settings, contracts, clock=clock)
        for asset in {each.margin_asset: None for each in contracts if each.margin_asset != "USDT"}:
            for key in settings.keys:
                self.venue.deposit(key.account, settings.balance, asset)
        self.venue.listen_keys = ListenKeys(draw=draw_key)
        self.is_down = False
        self.restarts = 0
        self._tasks: set[asyncio.Task[Any]] = set()  # what is being answered
        self._door = Door(self.venue)
        self._broadcast = Broadcast(self.venue, METHODS)
        self.dropped: Callable[[bytes], None] = lambda _: None
        self.restarted: Callable[[], None] = lambda: None
        self._broadcast.hub.delivery = HeardDelivery(
            self.venue.faults, self.venue.now, self._on_drop
        )

    @property
    def exchange(self) -> Exchange:
        return self.venue.exchange

    def _on_drop(self, frame: bytes) -> None:
        self.dropped(frame)

    def on_outputs(self, sink: Sink) -> None:
        self.venue.sinks.append(sink)

    def show(self, message: MarketData) -> None:
        """Show what the market does, to an exchange that is there."""
        if not self.is_down:
            self.venue.on_market(message)

    def go_down(self) -> None:
        """Be gone: what was being answered is neither carried out nor answered any more."""
        self.is_down = True
        for task in tuple(self._tasks):
            task.cancel()

    def come_back(self) -> None:
        """Be there again, with the books, and without what no book keeps.

        Listen keys are worth nothing, public trades are counted from one again, and nobody has
        asked for too much. Orders, trades of the account and their numbers go on.
        """
        if not self.is_down:
            return
        venue = self.venue
        for key in venue.settings.keys:
            venue.listen_keys.close(key.account)
        venue.limits = Limits(venue.settings.limits)
        for tape in tuple(venue.tapes.values()):
            venue.tapes[tape.symbol] = Tape(tape.instrument)
        self._broadcast._market._lanes.clear()  # noqa: SLF001 - it forgets nothing of itself
        self._broadcast._users._waiting.clear()  # noqa: SLF001
        self.restarts += 1
        self.is_down = False
        self.restarted()

    def pulse(self) -> None:
        """Let what is due happen, and be told."""
        if self.is_down:
            return
        self.venue.tick()
        self._broadcast.pulse()

    def deleverage(self, account: AccountId, symbol: Symbol, price: Decimal) -> None:
        """Close half of a position at a price, as automatic deleveraging does."""
        books, now = self.exchange._books, self.venue.now()  # noqa: SLF001 - it has none of its own
        held = next(p.qty for p in self.exchange.positions(account) if p.symbol == symbol)
        instrument = next(i for i in self.exchange.instruments() if i.symbol == symbol)
        qty = max(instrument.round_qty(abs(held) / 2), instrument.lot)
        asked = NewOrder(
            cl_ord_id=ClOrdId("adl_autoclose"),
            account=account,
            symbol=symbol,
            side=Side.SELL if held > ZERO else Side.BUY,
            qty=qty,
            order_type=OrderType.LIMIT,
            price=price,
            time_in_force=TimeInForce.IOC,
        )
        order = VenueOrder(
            asked=asked,
            order_type=OrderType.LIMIT,
            qty=qty,
            price=price,
            order_id=books.next_id("order_id"),
            created_ts=now,
            updated_ts=now,
        )
        books.open_order(order)
        books.fill(order, Fill(qty, price, now, books.next_id("trade_id")))
        self.venue._settle(books.flush(), now)  # noqa: SLF001 - as every change of the core is

    async def request(self, verb: str, url: str, headers: Mapping[str, str]) -> Answer:
        """Answer a request.

        Raises:
            Broken: there is no answer.
        """
        parts = urlsplit(url)
        key = next((v for k, v in headers.items() if k.upper() == KEY_HEADER), None)
        asked = Asked(verb, parts.path, parts.query, "", key, ADDRESS)
        reply = await self._answered(self._door.reply(asked))
        named = {name.lower(): value for name, value in reply.headers.items()}
        return Answer(reply.status, named, _encode(reply.body))

    async def _answered(self, answer: Coroutine[Any, Any, Reply]) -> Reply:
        task = asyncio.current_task()
        if self.is_down or task is None:
            answer.close()
            raise Broken(is_reset=True)
        self._tasks.add(task)
        try:
            return await answer
        except asyncio.CancelledError:
            raise Broken(is_reset=True) from None
        finally:
            self._tasks.discard(task)

    def open(self, url: str, deliver: Callable[[bytes], None], cut: Callable[[], None]) -> FarEnd:
        """Take a socket in; `deliver` is given texts, `cut` hears that we end it."""
        parts = urlsplit(url)
        cable = Cable(deliver, cut)
        outbox = Outbox(cable, lambda: None, UNSENT_MAX)  # type: ignore[arg-type]  # all it uses
        if parts.path == API_PATH:
            return self._api(outbox, cable)
        connection = connect(self._broadcast.hub, outbox, unquote(parts.path), parts.query)

        def close() -> None:
            cable.is_cut = True
            connection.close()

        return FarEnd(lambda _: None, close)

    def _api(self, outbox: Outbox, cable: Cable) -> FarEnd:
        session = Session(self.venue.keys, self.venue.now(), returns_limits=True)
        talk = Talk(self.venue, METHODS, session, outbox, ADDRESS)
        restarts = self.restarts

        def hear(text: bytes) -> None:
            if self.is_down or self.restarts != restarts:
                return  # it was on its way to an exchange that is gone
            task = asyncio.get_running_loop().create_task(talk.hear(text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        def close() -> None:
            cable.is_cut = True
            talk.close()

        return FarEnd(hear, close)


def open_bourse(
    seed: str, symbols: tuple[Symbol, ...], accounts: Sequence[AccountId], now: Callable[[], int]
) -> Bourse:
    """Open an exchange of a seed's own, with these accounts."""
    keys = Random(f"{seed}/keys")
    settings = ServerSettings(
        feed=FeedSettings(source="none"),
        symbols=symbols,
        keys=tuple(ApiKey(key=name, secret=SECRET, account=name) for name in accounts),
        balance=BALANCE,
        liquidity=Liquidity(),
    )
    return Bourse(symbols, now, settings, lambda: f"{keys.getrandbits(256):064x}")
