"""The venue's books, read with a key of the watcher's own and over a wire that can only ask.

Law: nothing here can place, amend or cancel an order, nor change a setting. The wire refuses all
but GET and opens no socket, whatever the code above it asks for.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from ..model.config import TradingConfig
from ..model.config_keys import watch_keys_of
from ..model.errors import ConfigError, NetworkError, VenueError, VenueRefused
from ..model.messages import ExecutionReport
from ..model.values import MAIN, AccountId, Symbol
from ..venues.binance_futures import codec, joining
from ..venues.binance_futures.asking import BAD_SYMBOL, Asker
from ..venues.binance_futures.codec import BadFrame, Call, OrderNames, Others, reads
from ..venues.binance_futures.complaints import Complaints
from ..venues.binance_futures.net import NetWire
from ..venues.binance_futures.order_naming import fetch
from ..venues.binance_futures.rest import RestClient
from ..venues.binance_futures.settings import endpoints
from ..venues.binance_futures.sign import Credentials
from ..venues.binance_futures.wire import Ears, HttpReply, Socket
from ..venues.limits import Urgency
from .clock import WallClock
from .watch_sights import Seen

ONE_BY_ONE_MAX = 20
"""Symbols whose orders are asked for one by one: above it all at once weighs less."""

_log = logging.getLogger("holdfast.watch")


class VenueView(Protocol):
    """Looks at one account, and can do nothing else."""

    account: AccountId

    async def open(self) -> None:
        """Find out that the venue answers, and takes the key.

        Raises:
            VenueError: it does not; the text says why.
        """

    async def look(self, symbols: Sequence[Symbol]) -> Seen:
        """Read the books: positions, wallets, and open orders of these symbols and of those held.

        Raises:
            VenueError: they can't be read.
        """

    async def close(self) -> None: ...


class AskingWire(NetWire):
    """A network that lets questions out, and nothing else."""

    async def open_socket(self, url: str, ears: Ears) -> Socket:
        raise AssertionError("a watcher opens no socket")

    async def request(
        self, verb: str, url: str, headers: Mapping[str, str], timeout_s: float
    ) -> HttpReply:
        """Send a GET; see `Wire`."""
        if verb != "GET":
            raise AssertionError(f"a watcher only asks: {verb} is refused")
        return await super().request(verb, url, headers, timeout_s)


class BinanceFuturesView:
    """An account at Binance USD-M Futures.

    Raises:
        ConfigError: there is no key for it.
    """

    account = MAIN

    def __init__(self, config: TradingConfig) -> None:
        keys = watch_keys_of(config)
        self._credentials = Credentials(keys.api_key, keys.api_secret)
        self._where = endpoints(testnet=config.testnet, rest_url=config.rest_url)
        self._clock = WallClock()
        self._names = OrderNames()
        self._oddities = Complaints(_log)
        self._wire: AskingWire | None = None

    def __repr__(self) -> str:
        return f"BinanceFuturesView({self._where.rest_url})"

    async def open(self) -> None:
        await self.close()
        self._wire = wire = AskingWire()
        self._asker = self._ask_with(wire, self._where.rest_url)
        await joining.check_clock(self._asker)
        await joining.require(self._asker, reads.account_config())
        if self._where.permissions_url:
            await self._check_key(wire)

    def _ask_with(self, wire: AskingWire, url: str) -> Asker:
        return Asker(RestClient(wire, url, self._credentials), self._clock, random.random)

    async def _check_key(self, wire: AskingWire) -> None:
        """Refuse a key that may do more than read: here it would only be a danger."""
        asker = self._ask_with(wire, self._where.permissions_url)
        asker.offset = self._asker.offset
        answered = await joining.require(asker, reads.key_restrictions())
        try:
            found = codec.key_restrictions(answered.reply.body)
        except BadFrame as error:
            raise NetworkError(str(error)) from error
        if found.enable_futures or found.enable_withdrawals:
            what = "withdraw funds" if found.enable_withdrawals else "trade"
            raise VenueRefused(f"the watcher's key may {what}: take one that may only read")

    async def look(self, symbols: Sequence[Symbol]) -> Seen:
        try:
            held, wallets = await asyncio.gather(
                self._get(reads.positions()), self._get(reads.account())
            )
            positions = codec.positions(
                held, Others(frozenset(symbols), self._oddities.warn)
            ).positions
            balances = codec.balances(wallets)
            wanted = sorted({*symbols, *(each.symbol for each in positions)})
            others = Others(frozenset(wanted), self._oddities.warn)
            asked = wanted if len(wanted) <= ONE_BY_ONE_MAX else [None]
            orders = await self._orders(asked, others)
        except BadFrame as error:
            raise VenueError(f"the books can't be read: {error}") from error
        return Seen(
            orders=tuple(orders),
            positions={each.symbol: each.qty for each in positions if each.qty},
            balances=balances,
        )

    async def _orders(
        self, symbols: Sequence[Symbol | None], others: Others
    ) -> list[ExecutionReport]:
        asked_ts = self._clock.now()
        listed = await asyncio.gather(*(self._list(reads.open_orders(each)) for each in symbols))
        waiting = await asyncio.gather(
            *(self._list(reads.open_algo_orders(each)) for each in symbols)
        )
        found: list[ExecutionReport] = []
        for read, bodies in ((codec.open_orders, listed), (codec.open_algo_orders, waiting)):
            for body in bodies:
                if body is not None:
                    found += read(body, self._names, self.account, asked_ts=asked_ts, others=others)
        return found

    async def _list(self, call: Call) -> bytes | msgspec.Raw | None:
        """Read a symbol's list; None where its contract is gone: what was open there is, too."""
        try:
            return await self._get(call)
        except VenueError as error:
            if error.code != BAD_SYMBOL:
                raise
            return None

    async def _get(self, call: Call) -> bytes | msgspec.Raw:
        return (await fetch(self._asker, call, Urgency.READ)).reply.body

    async def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


VIEWS: dict[str, Callable[[TradingConfig], VenueView]] = {"binance_futures": BinanceFuturesView}
"""By the venue's name."""


def open_view(config: TradingConfig) -> VenueView:
    """Return a view of the configured venue, not yet open.

    Raises:
        ConfigError: the venue can't be watched, or there is no key for it.
    """
    if config.dry_run or config.venue not in VIEWS:
        name = "a dry run" if config.dry_run else f"the venue {config.venue}"
        raise ConfigError(
            f"{name} has no books of its own to look at: only {', '.join(VIEWS)} can be watched"
        )
    return VIEWS[config.venue](config)
