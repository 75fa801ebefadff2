"""Binance USD-M Futures behind the Venue port.

Rule: a lost stream is told, and told again when it is back: what was missed is fetched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random as chance
from collections.abc import Callable, Mapping, Sequence

from ...model.commands import CancelOrder, QueryOrder, ReplaceOrder, Resync, SubmitOrder
from ...model.instrument import Instrument
from ...model.messages import (
    ExecutionReport,
    FundingPayment,
    InstrumentListed,
    MarginCalled,
    OrderNotFound,
    VenueFailure,
    VenueLink,
    VenueMessage,
)
from ...model.values import MAIN, AccountId, OrderType, Symbol, TimeInForce
from ...ports import Capabilities, Clock
from ..limits import Budget, Urgency
from . import codec, joining
from .account_settings import AccountSettings
from .answers import failure
from .asking import Asker
from .background import Background
from .bans import Bans
from .bookkeeping import LOOK_BACK_NS, Bookkeeping
from .clock_offset import ClockOffset
from .codec import OrderNames, UserEvent, UserStream
from .codec.requests import ORDER_COST
from .codec.user_events import AssetModeSet, BooksMoved, LeverageSet, MarginCall
from .contract_list import ContractList
from .counters import CONNECTING
from .dead_man import DeadMan
from .listen_key import UserChannel
from .net import NetWire
from .order_desk import Doors, OrderDesk
from .orders_ws import OrdersSocket
from .outcomes import Outcome, Then
from .permissions import check_again, check_permissions
from .rest import RestClient
from .roads import Roads
from .settings import BinanceSettings
from .sign import Credentials
from .snapshot import Books
from .streams import LIFETIME_S, Watch
from .time_keeping import keep_time, measure
from .wire import Wire

STREAM_PATIENCE_S = 15.0
"""How long `connect` waits for the account's stream, once there is room to ask for its key."""

ORDERS_PATIENCE_S = 3.0
"""How long `connect` waits for the WebSocket API, which is not indispensable."""

EVENT_PATIENCE_S = 5.0
"""How long the stream may be silent about an order that was acknowledged."""

AUDIT = "audit"
"""The reason of a resync that nothing but time asks for: it may wait, and be cheap."""

CLOSE_PATIENCE_S = 2.0

_log = logging.getLogger("holdfast.venue")


class BinanceFuturesVenue:
    """One account.

    Args:
        api_secret: an HMAC secret, or a private key (Ed25519, RSA) as PEM text or file name.
        clock: must be the wall's: the venue compares.
        random: draws from 0 to 1, for jitter.
        open_wire: opens what everything is sent and heard through.
        known: contracts that were traded before: one that is gone by now does not end a start.
        budget: of the venue's limits, where others draw from it too; its own when None.
        lifetime_s: how old a connection of the account's stream becomes before it is replaced.

    Raises:
        ConfigError: the key or the secret can't be used.
    """

    name = "binance_futures"

    def __init__(  # noqa: PLR0913 - what an account consists of
        self,
        api_key: str,
        api_secret: str,
        *,
        clock: Clock,
        account: AccountId = MAIN,
        settings: BinanceSettings | None = None,
        password: str | None = None,
        random: Callable[[], float] = chance.random,
        open_wire: Callable[[], Wire] = NetWire,
        budget: Budget | None = None,
        known: Mapping[Symbol, Instrument] | None = None,
        lifetime_s: float = LIFETIME_S,
    ) -> None:
        self._credentials = Credentials(api_key, api_secret, password=password)
        self._settings = settings or BinanceSettings()
        self._account = account
        self._clock = clock
        self._random = random
        self._open_wire = open_wire
        self._budget = budget
        self._known = known or {}
        self._watch = Watch(lifetime_s=lifetime_s)
        self._names = OrderNames()
        self._hear: Callable[[VenueMessage], None] | None = None
        self.on_failure: Callable[[Exception], None] = lambda _: None
        self._background = Background(self._failed)
        self._wire: Wire | None = None
        self._has_been_up = False
        self._orders: OrdersSocket | None = None
        self._channel: UserChannel | None = None

    def __repr__(self) -> str:
        return f"BinanceFuturesVenue({self._settings.endpoints.rest_url}, {self._account})"

    @property
    def account(self) -> AccountId:
        return self._account

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            order_types=frozenset(OrderType),
            times_in_force=frozenset(TimeInForce),
            has_dead_man_switch=bool(self._settings.dead_man_s),
            read_lag_ns=self._settings.read_lag_ns,
            is_simulated=False,
        )

    # Joining and leaving

    async def connect(
        self, symbols: Sequence[Symbol], hear: Callable[[VenueMessage], None]
    ) -> Sequence[tuple[Instrument, int]]:
        """Join; see `Venue`. Without symbols only questions are answered: no stream is opened."""
        wire = self._wire = self._open_wire()
        self._furnish(wire, symbols)
        try:
            await joining.check_clock(self._asker)
            await joining.check_account(
                self._asker, switch_to_one_way=bool(symbols) and self._settings.switch_to_one_way
            )
            await self._background.open()
            if symbols:
                await self._check_permissions(wire)
            self._hear = hear
            self._background.start(self._books.run())
            if not symbols:
                return []
            found = await joining.contracts(self._asker, self._settings, symbols, self._known)
            self._contracts.begin(found)
            self._books.symbols = tuple(symbols)
            await self._open_streams(wire)
        except BaseException:
            await self.close()
            raise
        return found.traded

    def _furnish(self, wire: Wire, symbols: Sequence[Symbol]) -> None:
        """Make what works through a wire."""
        settings, account = self._settings, self._account
        self._rest = RestClient(wire, settings.endpoints.rest_url, self._credentials)
        self._asker = asker = Asker(
            self._rest,
            self._clock,
            self._random,
            retry_attempts=settings.retry_attempts,
            budget=self._budget,
        )
        asker.offset = ClockOffset(settings.clock_skew_ns)
        asker.on_ban = Bans(account, lambda: self._hear).heard
        start = self._background.start
        roads = Roads(self._rest, lambda: self._orders)
        doors = Doors(
            roads.of_order,
            roads.of_question,
            self._background.is_open,
            start,
            self._tell,
            self._follow_up,
            self._acknowledged,
        )
        self._desk = OrderDesk(asker, self._names, account, doors, settings.read_lag_ns)
        self._dead_man = DeadMan(asker, settings, symbols)
        self._contracts = listed = ContractList(asker, self._list, settings)
        self._account_settings = own = AccountSettings(asker, account, settings, listed, self._say)
        lag_ns, apart_max = settings.read_lag_ns, settings.one_by_one_max
        books = Books(asker, self._names, account, lag_ns, apart_max)
        self._books = Bookkeeping(books, lag_ns, own.say_books, self._dead_man.heard)
        self._books.unlisted = lambda: listed.unlisted

    async def _check_permissions(self, wire: Wire) -> None:
        """Ask what the key may do, where there is somebody to be asked; see `permissions`."""
        allowed, was_traded = self._settings.allow_withdrawals, bool(self._known)
        if not (where := self._settings.endpoints.permissions_url):
            _log.info("what the key may do is not checked: this host can't be asked")
            return
        rest, tries = RestClient(wire, where, self._credentials), 0 if was_traded else 3
        asker = Asker(rest, self._clock, self._random, retry_attempts=tries)
        asker.offset = self._asker.offset
        is_told = await check_permissions(asker, withdrawals_allowed=allowed, was_traded=was_traded)
        if not is_told and not allowed:
            self._background.start(check_again(asker, self._tell_failure))

    async def _open_streams(self, wire: Wire) -> None:
        """Open the account's stream, which we need, and the WebSocket API, which helps.

        Raises:
            NetworkError: the stream does not open.
        """
        where, start = self._settings.endpoints, self._background.start
        self._channel = UserChannel(
            wire,
            where.stream_url,
            self._asker,
            UserStream(self._names, self._account),
            on_events=self._on_events,
            on_link=self._on_link,
            on_gap=self._fetch_missed,
            random=self._random,
            watch=self._watch,
        )
        start(self._channel.stream.run())
        start(self._channel.keep_alive())
        start(self._dead_man.beat())
        start(keep_time(self._asker, self._tell_failure))
        start(self._contracts.keep())
        start(self._account_settings.run())
        if self._settings.orders_over_ws:
            self._orders = orders = self._open_orders_socket(wire)
            start(orders.stream.run())
        await joining.until_up(self._channel.stream, self._asker, STREAM_PATIENCE_S)
        if self._orders is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ORDERS_PATIENCE_S):
                    await self._orders.stream.went_up.wait()

    def _open_orders_socket(self, wire: Wire) -> OrdersSocket:
        orders = OrdersSocket(
            wire,
            self._settings.endpoints.ws_api_url,
            self._credentials,
            self._random,
            admit=lambda: self._asker.admit(CONNECTING, Urgency.TRADE),
            on_too_many=self._asker.hear_refused,
            on_refusal=self._asker.hear_refusal,
        )
        if self._credentials.signer.can_log_on:
            orders.log_on = lambda: self._background.start(orders.authenticate(self._asker))
        return orders

    async def close(self) -> None:
        """Wait a moment for answers, then let go of everything. Orders stay as they are."""
        if self._wire is None:
            return
        if self._hear is not None:
            await self._dead_man.disarm(self._hear_last())
        self._hear = None
        await self._background.close()
        wire, self._wire = self._wire, None
        await wire.close()

    async def _hear_last(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_PATIENCE_S):
                await self._desk.idle()
        except TimeoutError:
            _log.warning("requests were unanswered at the end")

    def _failed(self, error: Exception) -> None:
        self.on_failure(error)

    def _tell_failure(self, reason: str) -> None:
        self._say(VenueFailure(account=self._account, failure="venue", reason=reason))

    # Commands

    def submit(self, command: SubmitOrder) -> None:
        self._dead_man.sent(command)
        self._desk.submit(command)

    def cancel(self, command: CancelOrder) -> None:
        self._desk.cancel(command)

    def replace(self, command: ReplaceOrder) -> None:
        self._desk.replace(command)

    def query(self, command: QueryOrder) -> None:
        self._desk.query(command)

    def resync(self, command: Resync) -> None:
        if self._background.is_open():
            self._books.want(command.trades_since, is_audit=command.reason == AUDIT)
            return
        self._tell_failure("the books can't be read: the venue is closed")

    @property
    def awaits(self) -> str:
        """Say what the books wait for; see `Telling`."""
        return self._books.awaits

    @property
    def held(self) -> str:
        """Say what a limit holds requests back for; see `Telling`."""
        return self._asker.awaits if self._asker.is_held else ""

    def order_room_at(self, now: int) -> int:
        """Return when a new order may leave; see `Limited`."""
        return self._asker.budget.when(ORDER_COST, Urgency.TRADE, now)

    def _acknowledged(self, since: float) -> None:
        if self._channel is not None:
            self._channel.stream.expect(EVENT_PATIENCE_S, since)

    def _follow_up(self, outcome: Outcome) -> None:
        counted = failure(outcome, self._account)
        if counted is not None:
            self._say(counted)
        match outcome.then:
            case Then.SYNC_CLOCK:
                self._background.start(measure(self._asker, self._tell_failure))
            case Then.RESYNC:
                self._fetch_missed(f"the venue said: {outcome.reason}")
            case Then.REFRESH_CONTRACTS:
                self._background.start(self._contracts.refresh())
            case Then.CHECK_MODE:
                self._account_settings.want()
            case Then.REDUCE_ONLY:
                _log.warning("the venue restricts us: %s", outcome.reason)
            case _:
                pass

    def _fetch_missed(self, reason: str) -> None:
        """Have the books compared: to the engine, a link that is up asks for that, if it is."""
        if self._channel is None or self._channel.stream.is_up:
            self._say(VenueLink(account=self._account, is_up=True, reason=reason))
        else:
            self._books.want(self._clock.now() - LOOK_BACK_NS)

    # Telling

    def _list(self, made: Instrument, leverage: int) -> None:
        self._say(InstrumentListed(account=self._account, instrument=made, leverage=leverage))

    def _say(self, message: VenueMessage) -> None:
        if self._hear is not None:
            self._hear(message)

    def _tell(self, message: VenueMessage) -> None:
        """Pass on what is learned of orders; entries that are open or gone move the countdown."""
        match message:
            case ExecutionReport():
                self._dead_man.heard(message)
            case OrderNotFound():
                self._dead_man.not_found(message)
            case _:
                pass
        self._say(message)

    def _on_link(self, is_up: bool, reason: str) -> None:
        if not is_up or self._has_been_up:
            self._say(VenueLink(account=self._account, is_up=is_up, reason=reason))
        if is_up and self._has_been_up:
            self._account_settings.want()
        self._has_been_up = True

    def _on_events(self, events: Sequence[UserEvent]) -> None:
        for event in events:
            match event:
                case ExecutionReport():
                    self._tell(event)
                case codec.WalletMoved():
                    self._books.heard_of(event)
                case BooksMoved():
                    self._account_settings.heard(event)
                case LeverageSet(symbol=symbol, leverage=leverage):
                    self._contracts.hear_leverage(symbol, leverage)
                case MarginCall(symbols=symbols):
                    self._say(MarginCalled(account=self._account, symbols=symbols))
                case AssetModeSet(is_multi_assets=is_multi_assets):
                    self._account_settings.switched(is_multi_assets=is_multi_assets)
                case FundingPayment():
                    self._say(event)
                case _:
                    pass
