"""Notice what somebody else sets: leverage, cross or isolated margin, hedge and multi-assets mode.

The stream tells of most of it; of the position mode, and of what was set while it was down, only
reading does. Rule 1: a symbol's margin mode is set back where nothing is open in it; where
something is, it is gone by. Rule 2: modes of the whole account are told, and left: only who may
hold other positions can say what hangs on them. Rule 3: what is read may be older than what the
stream has told: it undoes none of it, and is looked at again once it can't be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal

import msgspec

from ...model.errors import NetworkError, VenueRefused
from ...model.messages import (
    AccountMode,
    IsolatedWallets,
    MarginModeSet,
    VenueMessage,
    VenueSnapshot,
)
from ...model.values import AccountId, Symbol
from ..limits import Urgency
from . import codec
from .asking import Asker
from .codec import BadFrame, Others, reads
from .codec.books import SymbolConfig
from .codec.user_events import BooksMoved
from .contract_list import ContractList
from .joining import HEDGED, MULTI_ASSETS, change
from .settings import BinanceSettings

LOOK_EVERY_S = 60.0
"""How often the settings are read though nobody tells that they have changed."""

LOOK_LEAST_S = 2.0
"""How long at least after the last look."""

_log = logging.getLogger("holdfast.venue")


class AccountSettings:
    """Compares an account's settings with what is wanted. Run `run` in a task.

    Args:
        say: is given what the engine must know.
    """

    def __init__(
        self,
        asker: Asker,
        account: AccountId,
        settings: BinanceSettings,
        contracts: ContractList,
        say: Callable[[VenueMessage], None],
    ) -> None:
        self._asker = asker
        self._account = account
        self._settings = settings
        self._contracts = contracts
        self._say = say
        self._news = asyncio.Event()
        self._has_listed = False
        self._is_behind = False  # the last look found no room, or no answer
        self._problem = ""
        self._told: set[Symbol] = set()  # whose margin mode is not ours, and can't be
        self._told_ts = 0  # when the stream last told of a mode
        self._asset_mode: tuple[int, bool] = (0, False)  # when it told of that, and what it is
        self._isolated: dict[Symbol, Decimal] = {}

    def want(self) -> None:
        """Look soon."""
        self._news.set()

    def heard(self, books: BooksMoved) -> None:
        """Hear of positions after something happened: what stands for each alone is in it."""
        if books.reason == codec.MARGIN_TYPE_CHANGE:
            self._told_ts = self._asker.clock.now()
            self.want()
        news = {s: w for s, w in books.isolated.items() if w or self._isolated.get(s)}
        if news:
            self._isolated |= news
            qtys = {s: qty for (s, _), qty in books.qtys.items() if s in news}
            self._say(IsolatedWallets(account=self._account, wallets=news, qtys=qtys))

    def switched(self, *, is_multi_assets: bool) -> None:
        """Hear that the asset mode was set: what opens next must know at once."""
        self._told_ts = self._asker.clock.now()
        self._asset_mode = self._told_ts, is_multi_assets
        if is_multi_assets:
            self._tell_mode(MULTI_ASSETS)
        self.want()

    def say_books(self, message: VenueMessage) -> None:
        """Pass on what was read of the books: with the first, the contracts as they are now.

        A session lists those that `connect` returned as it begins, and something may have been set
        since.
        """
        if isinstance(message, VenueSnapshot) and not self._has_listed:
            self._has_listed = True
            self._contracts.tell_all()
        self._say(message)

    async def run(self) -> None:
        """Look now and then, and when there is news, for ever."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self.look()
            except (BadFrame, NetworkError, VenueRefused) as error:
                _log.warning("the account's settings can't be read, or not be set: %s", error)
            await asyncio.sleep(LOOK_LEAST_S)

    async def look(self) -> None:
        """Read the settings, and see to what is not as it was.

        After one that came to nothing, a look goes before the audits that may have left it no room.

        Raises:
            NetworkError, VenueRefused, BadFrame: they can't be read, or not be set back.
        """
        urgency = Urgency.TRADE if self._is_behind else Urgency.AUDIT
        self._is_behind = True
        answered = await self._asker.read(reads.account_config(), urgency=urgency)
        is_read = answered.is_ok
        if is_read:
            config = codec.account_config(answered.reply.body)
            await self._compare_account(self._as_told(config, answered.asked_ts), urgency)
        answered = await self._asker.read(reads.symbol_config(), urgency=urgency)
        if not answered.is_ok:
            return
        self._is_behind = not is_read
        asked_ts = answered.asked_ts
        if self._may_be_older(asked_ts, self._told_ts):
            self.want()
        ours = Others(self._contracts.symbols, _log.debug)
        for row in codec.symbol_configs(answered.reply.body, ours):
            symbol = Symbol(row.symbol)
            leverage = self._contracts.leverage(symbol)
            if leverage is None:
                continue
            if row.leverage != leverage:
                self._take_leverage(symbol, row.leverage, asked_ts)
            await self._compare_margin(row, urgency)

    def _may_be_older(self, asked_ts: int, told_ts: int) -> bool:
        """Tell whether what was asked for then may be older than what the stream told."""
        return asked_ts < told_ts + self._settings.read_lag_ns

    def _as_told(self, config: codec.AccountConfig, asked_ts: int) -> codec.AccountConfig:
        """Return what was read, but for what the stream knows better."""
        told_ts, is_multi_assets = self._asset_mode
        if not self._may_be_older(asked_ts, told_ts):
            return config
        return msgspec.structs.replace(config, multi_assets_margin=is_multi_assets)

    def _take_leverage(self, symbol: Symbol, leverage: int, asked_ts: int) -> None:
        if self._may_be_older(asked_ts, self._contracts.told_at(symbol)):
            self.want()
        else:
            self._contracts.set_leverage(symbol, leverage)

    async def _compare_account(self, config: codec.AccountConfig, urgency: Urgency) -> None:
        if config.dual_side_position and self._settings.switch_to_one_way:
            try:
                await change(self._asker, reads.set_hedge_mode(is_on=False), urgency)
                config = msgspec.structs.replace(config, dual_side_position=False)
            except VenueRefused as error:
                _log.warning("hedge mode can't be left: %s", error)
        problems = (HEDGED if config.dual_side_position else "", MULTI_ASSETS)
        self._tell_mode(problems[0] or (problems[1] if config.multi_assets_margin else ""))

    def _tell_mode(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._say(AccountMode(account=self._account, problem=problem))

    async def _compare_margin(self, row: SymbolConfig, urgency: Urgency) -> None:
        symbol = Symbol(row.symbol)
        if row.is_isolated is self._settings.is_isolated:
            self._told.discard(symbol)
            return
        mode = "isolated" if row.is_isolated else "cross"
        call = reads.set_margin_type(symbol, is_isolated=self._settings.is_isolated)
        try:
            await change(self._asker, call, urgency)
        except VenueRefused as error:
            if symbol not in self._told:
                self._told.add(symbol)
                self._tell_margin(symbol, f"was set to {mode} margin, which is gone by: {error}")
            return
        self._told.discard(symbol)
        self._tell_margin(symbol, f"was set to {mode} margin, and has been set back")

    def _tell_margin(self, symbol: Symbol, what: str) -> None:
        _log.warning("%s %s", symbol, what)
        self._say(MarginModeSet(account=self._account, symbol=symbol, text=f"{symbol} {what}"))
