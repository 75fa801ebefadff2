"""Everything the engine remembers. Rebuilt by folding the journal; changed by nothing else."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..model import events as ev
from ..model.instrument import Instrument, split_symbol
from ..model.values import (
    AccountId,
    ClOrdId,
    IntentId,
    Key,
    ParentId,
    SessionId,
    StrategyId,
    Symbol,
    TradingSessionStatus,
)
from .account import AccountState
from .breaker import Breaker
from .difference import Difference
from .folds import FOLDS
from .holdings import Closed
from .order import Order
from .parent import Parent
from .position import PositionState


class State(msgspec.Struct):
    """The fold of all facts. What could grow for ever has a bound in `folds`."""

    status: TradingSessionStatus = TradingSessionStatus.STOPPED
    status_reason: str = ""
    session_id: SessionId = SessionId("")
    portfolio_id: str = ""
    session_started_ts: int = 0
    epoch: int = 0
    last_ts: int = 0
    was_paused: bool = False  # when the process before this one ended
    was_stopping: bool = False  # the same: a stop that was asked for is still to be carried out
    is_killed: bool = False
    kill_flattens: bool = False  # the kill switch asked for flat
    stop_flattens: bool = False  # the stop did: the word of the one does not end the other's
    is_kill_verified: bool = False  # the venue has no order of ours left that could add risk
    kill_reason: str = ""
    order_seq: int = 0  # within the epoch
    parent_seq: int = 0
    intent_seq: int = 0
    last_intent: IntentId = IntentId("")
    instruments: dict[Key, Instrument] = {}
    leverages: dict[Key, int] = {}
    accounts: dict[AccountId, AccountState] = {}
    positions: dict[Key, PositionState] = {}
    orders: dict[ClOrdId, Order] = {}  # open ones, and the closed ones of late
    open_orders: dict[Key, list[ClOrdId]] = {}
    closed_orders: list[ClOrdId] = []
    denied_orders: list[ClOrdId] = []  # never sent
    parents: dict[ParentId, Parent] = {}
    live_parents: dict[Key, list[ParentId]] = {}
    closed_parents: list[ParentId] = []
    trades_seen: dict[str, int] = {}  # "account symbol trade id" -> when
    nameless_fills: dict[str, Closed] = {}  # the same: what fills of no order of ours have closed
    intents: dict[str, IntentId] = {}  # "strategy signal id" -> its intent
    strategies: dict[StrategyId, str] = {}  # running ones -> description
    stopped_strategies: dict[StrategyId, str] = {}  # -> reason
    named_strategies: tuple[str, ...] = ()  # that this epoch began with
    left_strategies: tuple[str, ...] = ()  # that an earlier one ran, and which have something open
    symbols: tuple[Symbol, ...] = ()  # that this epoch trades; () where all that are listed
    named_accounts: tuple[AccountId, ...] = ()  # the same: those that are traded
    traded_symbols: dict[AccountId, tuple[Symbol, ...]] = {}  # the same, by account; {}: all listed
    markets: dict[AccountId, str] = {}  # whose facts these are: of each account ever traded
    breakers: dict[str, Breaker] = {}  # "account failure"
    odd_modes: dict[AccountId, str] = {}  # how an account is set that is not as we trade it
    message_times: dict[AccountId, list[int]] = {}
    execution_times: dict[StrategyId, list[int]] = {}
    recent_orders: dict[ClOrdId, int] = {}  # when they went, the newest last
    to_flatten: dict[Key, Decimal] = {}  # what is left of what was taken over to be closed
    differences: dict[str, Difference] = {}  # "account what" -> what the last look found
    sampled_equity: dict[str, Decimal] = {}  # "account asset"; see `portfolio`
    equity_times: dict[str, int] = {}  # the same: when each was sampled
    portfolio_peaks: dict[str, Decimal] = {}  # by margin asset

    def apply(self, fact: ev.Event) -> None:
        """Fold one fact in. The only method that changes trading state."""
        FOLDS[type(fact)](self, fact)
        self.last_ts = fact.ts

    # Reading

    @property
    def is_flattening(self) -> bool:
        """Tell whether the kill switch or the stop asked for flat."""
        return self.kill_flattens or self.stop_flattens

    @property
    def is_to_stop(self) -> bool:
        """Tell whether a stop was asked for and is not carried out yet.

        In ERROR it is one that was to flatten, and one that a start was to carry out which failed.
        """
        if self.status is TradingSessionStatus.ERROR:
            return self.stop_flattens or self.was_stopping
        was_starting = self.status is TradingSessionStatus.STARTING
        is_stopping = self.status is TradingSessionStatus.STOPPING
        return is_stopping or (was_starting and self.was_stopping)

    def account(self, account: AccountId) -> AccountState:
        """Return an account, empty when nothing was ever booked on it."""
        return self.accounts.get(account) or AccountState()

    def first_margin_asset(self, account: AccountId) -> str:
        """Return the asset that the first contract ever listed is settled in."""
        for key, instrument in self.instruments.items():
            if key[0] == account:
                return instrument.margin_asset
        return "USDT"

    def margin_assets(self, account: AccountId) -> list[str]:
        """Return the assets that what is traded, and what is held, is settled in; one at least.

        Each stands for its own contracts alone. The first is the first contract's.
        """
        found = dict[str, None]()
        for key, instrument in self.instruments.items():
            if key[0] == account and (not self.symbols or key[1] in self.symbols):
                found[instrument.margin_asset] = None
        for key, position in self.positions.items():
            if position.qty and key[0] == account:
                found[self.settled_in(key)] = None
        return list(found) or [self.first_margin_asset(account)]

    def settled_in(self, key: Key) -> str:
        """Return the asset that a contract is settled in; by its name where it is not traded."""
        instrument = self.instruments.get(key)
        return instrument.margin_asset if instrument else split_symbol(key[1])[1]

    def known_to(self, account: AccountId) -> dict[Symbol, Instrument]:
        """Return all contracts that were ever traded, as they are on an account or on another."""
        own = {key[1]: each for key, each in self.instruments.items() if key[0] == account}
        return {key[1]: each for key, each in self.instruments.items()} | own

    def contract(self, key: Key) -> Instrument | None:
        """Return a contract that was ever traded on an account of this session."""
        return self.instruments.get(key) if key[0] in self.named_accounts else None

    def traded(self, key: Key) -> Instrument | None:
        """Return a contract that is traded in this session; None for others, known ones too."""
        return None if self.is_left_out(key) else self.contract(key)

    def is_left_out(self, key: Key) -> bool:
        """Tell whether an account of this session trades other contracts alone."""
        return key[1] not in self.traded_symbols.get(key[0], (key[1],))

    def position(self, key: Key) -> PositionState:
        """Return a position, flat when there is none."""
        return self.positions.get(key) or PositionState()

    def open_orders_of(self, key: Key) -> list[Order]:
        """Return the open orders of one symbol, oldest first."""
        return [self.orders[i] for i in self.open_orders.get(key, ())]

    def all_open_orders(self) -> list[Order]:
        """Return every open order, by symbol, oldest first."""
        return [self.orders[i] for ids in self.open_orders.values() for i in ids]

    def live_parents_of(self, key: Key) -> list[Parent]:
        """Return the parents of one symbol that hold or work something, oldest first."""
        return [self.parents[i] for i in self.live_parents.get(key, ())]

    def children(self, parent: Parent) -> list[Order]:
        """Return a parent's orders that are still remembered, oldest first."""
        return [self.orders[i] for i in parent.children if i in self.orders]

    def open_keys(self) -> list[Key]:
        """Return the keys that have a position."""
        return [key for key, position in self.positions.items() if position.qty]

    def open_keys_by_asset(self, account: AccountId) -> dict[str, list[Key]]:
        """Return an account's keys that have a position, by what they are settled in."""
        found: dict[str, list[Key]] = {}
        for key in self.open_keys():
            if key[0] == account:
                found.setdefault(self.settled_in(key), []).append(key)
        return found
