"""What could come of everything that is open: positions and orders, as if each order filled.

The worst case of one symbol is the larger of "every buy fills, no sell does" and the reverse;
orders in flight and in doubt count like resting ones, amendments at their larger side, and
reduce-only orders add nothing of their own, but may close the position before others trade, and
may have done so unheard before fills that we have heard of: see `exits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ..model.instrument import is_worth
from ..model.margin import initial_margin, maintenance_margin, unrealized_pnl
from ..model.values import BUY, ZERO, AccountId, Key, NewOrder
from .market import Market
from .state import State


class Reach(NamedTuple):
    """How far a position can go: `longest` and `shortest` are signed quantities."""

    longest: Decimal
    shortest: Decimal
    price: Decimal  # what a unit is valued at: the dearest, or the highest price asked for

    @property
    def size(self) -> Decimal:
        """Return the largest size it can reach either way."""
        return max(self.longest, -self.shortest, ZERO)

    @property
    def notional(self) -> Decimal:
        """Return the value of that size."""
        return self.size * self.price


class Pool(NamedTuple):
    """Positions that one purse stands for: `wallet` and their open profit.

    `ratio` is the maintenance margin that they need over both; liquidation comes at 1.
    """

    keys: list[Key]
    wallet: Decimal
    ratio: Decimal


class Exposure:
    """Values an engine's state at the market's prices. Holds nothing of its own."""

    __slots__ = ("_market", "_state")

    def __init__(self, state: State, market: Market) -> None:
        self._state = state
        self._market = market

    def mark(self, key: Key) -> Decimal:
        """Return the mark price; the entry price where none was heard, nor told with the books."""
        return self._market.mark(key[1]) or self._state.position(key).entry_price

    def dearest(self, key: Key) -> Decimal:
        """Return the higher of mark and reference price; while both are silent what `mark` is.

        Limits go by it: a mark that is wrong, or late, must make no position small.
        """
        market = self._market.of(key[1])
        mark, reference = market.mark, market.reference
        price = market.decimal(max(reference, mark) or market.told)
        return price or self._state.position(key).entry_price

    def unrealized(self, key: Key) -> Decimal:
        """Return the open profit of one position, in the margin asset."""
        position = self._state.positions.get(key)
        if position is None or not position.qty:
            return ZERO
        mark = self._market.mark(key[1]) or position.entry_price
        return unrealized_pnl(position.qty, position.entry_price, mark)

    def keys(self, account: AccountId) -> list[Key]:
        """Return the keys of an account that have a position or an open order."""
        state, keys = self._state, dict[Key, None]()
        for key, held in state.positions.items():
            if held.qty and key[0] == account:
                keys[key] = None
        for key, ids in state.open_orders.items():
            if ids and key[0] == account:
                keys[key] = None
        return list(keys)

    def equity(self, account: AccountId, asset: str) -> Decimal:
        """Return wallet and open profit in one margin asset: what backs its contracts."""
        state = self._state
        total = state.account(account).wallet(asset)
        for key, held in state.positions.items():
            if held.qty and key[0] == account and state.settled_in(key) == asset:
                total += self.unrealized(key)
        return total

    def backing(self, key: Key) -> Decimal:
        """Return the equity that a contract's limits are shares of: its margin asset's."""
        return self.equity(key[0], self._state.settled_in(key))

    def shown_assets(self, account: AccountId) -> list[str]:
        """Return the margin assets whose sum is shown of an account: those worth the first."""
        assets = self._state.margin_assets(account)
        return [asset for asset in assets if is_worth(asset, assets[0])]

    def shown_wallet(self, account: AccountId) -> Decimal:
        """Return the wallets of all margin assets, dollars one for one. No limit goes by it."""
        books = self._state.account(account)
        return sum(map(books.wallet, self.shown_assets(account)), ZERO)

    def shown_equity(self, account: AccountId) -> Decimal:
        """Return the equity in all margin assets, dollars one for one. No limit goes by it."""
        return sum((self.equity(account, a) for a in self.shown_assets(account)), ZERO)

    def addable(self, accounts: Sequence[AccountId]) -> list[AccountId]:
        """Return the accounts whose shown equity may be added to the first one's."""
        firsts = {account: self.shown_assets(account)[0] for account in accounts}
        return [each for each in accounts if is_worth(firsts[each], firsts[accounts[0]])]

    def reach(self, key: Key, extra: NewOrder | None = None) -> Reach:
        """Return the worst case of a symbol, with one more order if given.

        An open order with the id of `extra` is left out: `extra` stands for what it becomes.
        """
        if not self._state.open_orders.get(key):
            return self._reach_alone(key, extra)
        sells_buys = [ZERO, ZERO]  # what may open: sells, then buys
        closing, held = [ZERO, ZERO], [ZERO, ZERO]  # of exits: their sum, and the most of one
        price = self.dearest(key)
        for order in self._state.open_orders_of(key):
            request = order.request
            if extra is not None and request.cl_ord_id == extra.cl_ord_id:
                continue
            is_buy = request.side is BUY
            if not request.reduce_only:
                sells_buys[is_buy] += order.leaves_qty
                waits_for = request.dearest if request.order_type.is_conditional else ZERO
                price = max(price, waits_for, order.price or ZERO, order.replace_price)
                continue
            closing[is_buy] += min(order.leaves_qty, order.may_close)
            held[is_buy] = max(held[is_buy], order.may_close)
        if extra is not None and not extra.reduce_only:
            sells_buys[extra.side is BUY] += extra.qty
            price = max(price, extra.dearest)
        qty = self._state.position(key).qty
        longest = qty + min(closing[True], held[True]) + sells_buys[True]
        shortest = qty - min(closing[False], held[False]) - sells_buys[False]
        return Reach(longest, shortest, price)

    def _reach_alone(self, key: Key, extra: NewOrder | None) -> Reach:
        """Return the worst case where no order is open: the same, in fewer steps."""
        longest = shortest = self._state.position(key).qty
        price = self.dearest(key)
        if extra is not None and not extra.reduce_only:
            if extra.side is BUY:
                longest += extra.qty
            else:
                shortest -= extra.qty
            price = max(price, extra.dearest)
        return Reach(longest, shortest, price)

    def gross(self, account: AccountId, extra: NewOrder | None = None) -> Decimal:
        """Return the worst-case sum of absolute notionals over an account."""
        keys = dict.fromkeys(self.keys(account))
        if extra is not None:
            keys[extra.key] = None
        return sum(
            (self.reach(k, extra if extra and k == extra.key else None).notional for k in keys),
            ZERO,
        )

    def gross_now(self, account: AccountId, asset: str | None = None) -> Decimal:
        """Return the sum of absolute notionals of the positions as they are; of one asset's."""
        state = self._state
        return sum(
            (
                abs(state.position(k).qty) * self.mark(k)
                for k in state.open_keys()
                if k[0] == account and asset in {None, state.settled_in(k)}
            ),
            ZERO,
        )

    def initial_margin(self, account: AccountId, extra: NewOrder | None = None) -> Decimal:
        """Return the margin that the worst case ties up at the configured leverages."""
        keys = dict.fromkeys(self.keys(account))
        if extra is not None:
            keys[extra.key] = None
        total = ZERO
        for key in keys:
            reach = self.reach(key, extra if extra and key == extra.key else None)
            total += self.tied(key, reach.notional)
        return total

    def tied(self, key: Key, notional: Decimal) -> Decimal:
        """Return the margin that so much of a contract ties up: what is isolated, at least."""
        needed = initial_margin(notional, self._state.leverages.get(key, 1))
        is_apart = key in self._market.isolated and self._holds(key)
        return max(needed, self._isolated(key)) if is_apart else needed

    def _holds(self, key: Key) -> bool:
        held = self._state.positions.get(key)
        return held is not None and bool(held.qty)

    def maintenance_margin(self, account: AccountId) -> Decimal:
        """Return what the positions as they are must keep to stay open."""
        keys = [key for key in self._state.open_keys() if key[0] == account]
        return sum(map(self._maintenance, keys), ZERO)

    def _maintenance(self, key: Key) -> Decimal:
        instrument = self._state.instruments.get(key)
        if instrument is None:
            return ZERO
        notional = abs(self._state.position(key).qty) * self.mark(key)
        return maintenance_margin(instrument.brackets, notional)

    def margin_ratio(self, account: AccountId) -> Decimal:
        """Return maintenance margin over what backs it, where it is worst."""
        return max((pool.ratio for pool in self.margin_pools(account)), default=ZERO)

    def margin_pools(self, account: AccountId) -> list[Pool]:
        """Return an account's positions by what stands for them.

        The cross ones of a margin asset have its wallet, less what is isolated; each isolated one
        has that part alone, and no other's loss or profit is its own.
        """
        pools = []
        for asset, keys in self._state.open_keys_by_asset(account).items():
            isolated = {k: self._isolated(k) for k in keys if k in self._market.isolated}
            wallet = self._state.account(account).wallet(asset) - sum(isolated.values(), ZERO)
            if cross := [key for key in keys if key not in isolated]:
                pools.append(self._pool(cross, wallet))
            pools += [self._pool([key], own) for key, own in isolated.items()]
        return pools

    def _isolated(self, key: Key) -> Decimal:
        """Return what stands for a position alone: where it has moved since, what it ties up."""
        told, held = self._market.isolated[key], self._state.position(key)
        if held.qty == told.qty:
            return told.wallet
        return initial_margin(abs(held.qty) * held.entry_price, self._state.leverages.get(key, 1))

    def pool_of(self, key: Key) -> Pool:
        """Return what stands for a position, with all that it stands for; for a flat one, 0."""
        found = (pool for pool in self.margin_pools(key[0]) if key in pool.keys)
        return next(found, Pool([key], ZERO, ZERO))

    def _pool(self, keys: list[Key], wallet: Decimal) -> Pool:
        needed = sum(map(self._maintenance, keys), ZERO)
        equity = wallet + sum(map(self.unrealized, keys), ZERO)
        short = Decimal(1) if needed else ZERO
        return Pool(keys, wallet, needed / equity if equity > ZERO else short)
