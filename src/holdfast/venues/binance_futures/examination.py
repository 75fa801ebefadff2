"""Examine the way to the venue: each door is knocked at once, and nothing is changed there.

Rule 1: a check that fails says what a person can do; those behind it that need it are skipped.
Rule 2: no order is placed, no setting set. The one thing made is a listen key, which every
        program of the account shares.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from urllib.parse import quote

from ...model.config_keys import keys_of
from ...model.errors import ConfigError, NetworkError, VenueError, VenueUnavailable
from ...model.instrument import Instrument
from ...model.values import NS_PER_MS, Symbol, plain
from ..findings import Area, Finding, Health, failed, ok, skipped, warned
from ..wiring import Wiring
from . import codec, joining
from .asking import READ_WINDOW_NS, Asker
from .clock_offset import ClockOffset
from .codec import BadFrame, Call, reads, ws_request
from .listen_key import ask_for_key
from .net import NetWire
from .opening import endpoints_of
from .permissions import check_permissions
from .rest import RestClient
from .settings import Endpoints
from .sign import Credentials
from .wire import Ears, Wire

FIRST_S = 8.0
"""How long the first message of a stream is waited for: the slowest comes every five seconds."""

ALL_QUOTES = "!bookTicker"
"""The quotes of all symbols, every five seconds: ours may be quiet, the market never is."""

DEFAULT_SYMBOLS = (Symbol("BTCUSDT"),)
SYMBOLS_MAX = 50
ROADS = "see that nothing between here and there (firewall, proxy, DNS) is in the way"
ROUTES = "see that stream_url names the host alone: each kind of stream has its own path there"
KEY_OUT = (
    "see that key and secret belong together and to this market (testnet keys are others), and "
    "that the key's address list has this machine"
)


async def examine(wiring: Wiring) -> AsyncIterator[Finding]:
    """Yield what is found, door by door; see `Examiner`."""
    wire = NetWire()
    try:
        doors = _Doors(wiring, wire)
        reached = await doors.rest()
        yield reached
        if reached.health is Health.FAILED:
            return
        yield await doors.clock()
        async for finding in doors.contracts():
            yield finding
        credentials = doors.credentials()
        if isinstance(credentials, Finding):
            yield credentials
        else:
            async for finding in doors.account(credentials):
                yield finding
        for stream in await doors.streams():
            yield stream
        yield doors.limits()
    finally:
        await wire.close()


class _Doors:
    """The ways in, and what was learned at one that the next needs."""

    def __init__(self, wiring: Wiring, wire: Wire) -> None:
        self._wiring = wiring
        self._wire = wire
        self._where: Endpoints = endpoints_of(wiring.config)
        self._symbols = (wiring.symbols or DEFAULT_SYMBOLS)[:SYMBOLS_MAX]
        self._asker = self._ask_with(None)
        self._credentials: Credentials | None = None  # once the venue has taken them

    def _ask_with(self, credentials: Credentials | None, url: str = "") -> Asker:
        rest = RestClient(self._wire, url or self._where.rest_url, credentials)
        asker = Asker(rest, self._wiring.clock, random.random, retry_attempts=1)
        asker.offset = ClockOffset(self._wiring.config.clock_skew_ns)
        return asker

    async def rest(self) -> Finding:
        """See that the venue answers at all."""
        url, clock = self._where.rest_url, self._wiring.clock
        asked_ts = clock.now()
        try:
            answered = await joining.require(self._asker, reads.server_time())
            codec.server_time_ms(answered.reply.body)
        except (VenueError, BadFrame) as error:
            return failed("REST", f"{url}: {error}", f"see that rest_url is right, and {ROADS}")
        return ok("REST", f"{url} answers in {(clock.now() - asked_ts) / NS_PER_MS:.0f} ms")

    async def clock(self) -> Finding:
        """Compare the clocks."""
        way_out = "set this machine's clock, and keep it set: chrony, or timedatectl set-ntp true"
        offset = self._asker.offset
        try:
            await joining.check_clock(self._asker)
        except VenueError as error:
            return failed("clock", str(error), way_out)
        told = (
            f"ours is {abs(offset.offset_ns) / NS_PER_MS:.0f} ms "
            f"{'behind' if offset.offset_ns > 0 else 'ahead of'} the venue's, "
            f"known to {offset.error_ns / NS_PER_MS:.0f} ms"
        )
        if abs(offset.offset_ns) - offset.error_ns > offset.most_ns // 2:
            return warned("clock", told, way_out)
        return ok("clock", told)

    async def contracts(self) -> AsyncIterator[Finding]:
        """Read the filters of each symbol."""
        try:
            info = codec.exchange_info(
                (await joining.require(self._asker, reads.exchange_info())).reply.body
            )
        except (VenueError, BadFrame) as error:
            yield failed("contracts", str(error), ROADS)
            return
        self._asker.hear_limits(info.rate_limits)
        for symbol in self._symbols:
            try:
                made = codec.instrument(codec.contract(info, symbol))
            except (ConfigError, BadFrame) as error:
                yield failed(symbol, str(error), "see the setting symbols", Area.SETTINGS)
            else:
                yield self._contract(made)

    def _contract(self, made: Instrument) -> Finding:
        if made.is_ending(self._wiring.clock.now(), self._wiring.config.end_notice_ns):
            told = f"settled by the venue at {made.delivery_time}, nothing is opened there"
            return warned(made.symbol, told, "close what is open, and take it out of symbols")
        return ok(
            made.symbol,
            f"tick {made.tick}, lot {made.lot}, quantity from {made.min_qty}, "
            f"notional from {made.min_notional}",
        )

    def credentials(self) -> Credentials | Finding:
        """Return what signs; a finding where there is nothing, or it can't be used."""
        config = self._wiring.config
        try:
            keys = keys_of(config)
            if keys is not None:
                return Credentials(keys.api_key, keys.api_secret, password=keys.password)
        except ConfigError as error:
            way_out = "see the settings api_key, api_secret, api_secret_file and api_keyring"
            return failed("key", str(error), way_out, Area.SETTINGS)
        if config.venue != "binance_futures" or config.dry_run:
            return skipped("key", "none is set, and a simulated account needs none")
        way_out = "put BINANCE_API_KEY and BINANCE_API_SECRET into the environment or .env"
        return failed("key", "none is set", way_out, Area.SETTINGS)

    async def account(self, credentials: Credentials) -> AsyncIterator[Finding]:
        """See what the key is good for, and that the account is as we trade it."""
        asker = self._ask_with(credentials)
        asker.offset, asker.budget = self._asker.offset, self._asker.budget
        try:
            await joining.require(asker, reads.account_config())
        except VenueError as error:
            yield failed("key", str(error), KEY_OUT)
            return
        self._credentials, self._asker = credentials, asker
        yield ok("key", "the venue takes it")
        yield await self._permissions(credentials)
        try:
            await joining.check_account(asker)
            body = (await joining.require(asker, reads.account())).reply.body
            balances = codec.balances(body)
        except (VenueError, BadFrame) as error:
            yield failed("account", str(error), "set the account as is said")
            return
        held = ", ".join(f"{plain(amount)} {asset}" for asset, amount in balances.items() if amount)
        yield ok("account", f"one-way, single-asset, may trade; holds {held or 'nothing'}")

    async def _permissions(self, credentials: Credentials) -> Finding:
        where = self._where.permissions_url
        if not where:
            return skipped("permissions", "this host can't be asked what the key may do")
        asker = self._ask_with(credentials, where)
        asker.offset = self._asker.offset
        allowed = self._wiring.config.allow_withdrawals
        try:
            await check_permissions(asker, withdrawals_allowed=allowed)
        except VenueError as error:
            return failed("permissions", str(error), "change what the key may do at the venue")
        return ok(
            "permissions", "the key may trade futures" + ("" if allowed else ", not withdraw")
        )

    async def streams(self) -> list[Finding]:
        """Wait for the first message of each stream, all at once."""
        base = self._where.stream_url
        own = [f"{symbol.lower()}@bookTicker" for symbol in self._symbols]
        quotes = "/".join([*own, ALL_QUOTES])
        marks = f"{self._symbols[0].lower()}@markPrice@1s"
        kinds = {
            "public stream": f"{base}/public/stream?streams={quotes}",
            "market stream": f"{base}/market/stream?streams={marks}",
        }
        hear = [self._stream(name, url) for name, url in kinds.items()]
        return list(await asyncio.gather(*hear, self._private_stream(), self._ws_api()))

    async def _stream(self, name: str, url: str) -> Finding:
        try:
            took_s, _ = await first_frame(self._wire, url)
        except VenueUnavailable as error:
            return failed(name, f"{self._where.stream_url}: {error}", f"{ROUTES}; {ROADS}")
        return ok(name, f"the first message came after {took_s * 1000:.0f} ms")

    async def _private_stream(self) -> Finding:
        """Open the account's stream; it is silent until something happens, but answers a ping."""
        name = "private stream"
        if self._credentials is None:
            return skipped(name, "it needs a key that the venue takes")
        try:
            key = quote(await ask_for_key(self._asker), safe="")
            url = f"{self._where.stream_url}/private/ws?listenKey={key}"
            took_s, _ = await first_frame(self._wire, url, pings=True)
        except VenueError as error:
            return failed(name, f"{self._where.stream_url}: {error}", f"{ROUTES}; {ROADS}")
        return ok(name, f"open; a ping was answered after {took_s * 1000:.0f} ms")

    async def _ws_api(self) -> Finding:
        """Ask one thing over the WebSocket API: of the account where we may, else of the book."""
        name, url = "WebSocket API", self._where.ws_api_url
        call = reads.depth(self._symbols[0], 5)
        if self._credentials is not None:
            now = self._asker.offset.venue_time(self._wiring.clock.now())
            call = reads.at(reads.account(), now, READ_WINDOW_NS)
        try:
            took_s, frame = await first_frame(self._wire, url, asks=self._written(call))
            reply = codec.read_reply(frame)
        except (VenueError, BadFrame) as error:
            return failed(name, f"{url}: {error}", f"see that ws_api_url is right, and {ROADS}")
        if not reply.is_ok:
            said = reply.error.msg if reply.error is not None else f"status {reply.status}"
            return failed(name, f"{url}: {said}", KEY_OUT)
        return ok(name, f"answers in {took_s * 1000:.0f} ms")

    def _written(self, call: Call) -> bytes | str:
        return ws_request(call, 1, self._credentials)

    def limits(self) -> Finding:
        """Tell how much of the venue's limits is used, by all programs at this address."""
        budget = self._asker.budget
        used, allowed = budget.used(self._wiring.clock.now()), budget.allowed
        told = ", ".join(f"{used[name]} of {amount} {name}" for name, amount in allowed.items())
        if any(used[name] > amount // 2 for name, amount in allowed.items()):
            return warned("limits", told, "another program uses this address or account: see which")
        return ok("limits", told)


async def first_frame(
    wire: Wire, url: str, *, asks: bytes | str | None = None, pings: bool = False
) -> tuple[float, bytes]:
    """Open a socket and wait for its first message, or its pong; return seconds and message.

    Raises:
        NetworkError: nothing came in time, or it was closed.
        VenueUnavailable: it did not open.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bytes] = loop.create_future()

    def hear(frame: bytes) -> None:
        if not came.done():
            came.set_result(frame)

    def closed(reason: str) -> None:
        if not came.done():
            came.set_exception(NetworkError(reason))

    began = loop.time()
    socket = await wire.open_socket(url, Ears(hear, lambda: hear(b""), closed))
    try:
        if asks is not None:
            socket.send(asks)
        if pings:
            socket.ping()
        async with asyncio.timeout(FIRST_S):
            frame = await came
    except TimeoutError:
        raise NetworkError(f"it opened, but nothing came for {FIRST_S:g} s") from None
    finally:
        socket.close()
    return loop.time() - began, frame
