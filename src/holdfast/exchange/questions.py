"""What may be asked of the exchange: everything that changes nothing."""

from __future__ import annotations

from decimal import Decimal

from ..model.instrument import Instrument
from ..model.messages import (
    AccountChange,
    ExecType,
    ExecutionReport,
    VenuePosition,
)
from ..model.values import ZERO, AccountId, Side, Symbol
from . import liquidation, matching, modes
from .answers import report
from .books import Books
from .ledger import (
    Account,
    AccountMargin,
    Position,
    SymbolMargin,
    account_margin,
    leverage_of,
    symbol_margin,
)
from .market import Settled
from .orders import OrderKey, PositionSide, VenueOrder
from .pools import pool_margin, pool_of
from .rows import MarginMove
from .shown import shown, touch


class Questions:
    """Answers from the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._markets = books.markets

    # Contracts and modes

    def instruments(self) -> list[Instrument]:
        return [market.instrument for market in self._markets.values()]

    def has_account(self, account: AccountId) -> bool:
        return account in self._books.accounts

    def margin_moves(self, account: AccountId, symbol: Symbol) -> list[MarginMove]:
        """Return what was moved in and out of a symbol's isolated positions, oldest first."""
        return modes.margin_moves(self._books, account, symbol)

    def is_multi_assets(self, account: AccountId) -> bool:
        opened = self._books.accounts.get(account)
        return opened is not None and opened.is_multi_assets

    def burns_fees(self, account: AccountId) -> bool:
        opened = self._books.accounts.get(account)
        return opened is not None and opened.burns_fees

    def pool(self, account: AccountId, asset: str) -> tuple[str, ...]:
        """Return the assets that stand for an asset's cross positions, itself first."""
        return pool_of(self._books, self._seen(account), asset)

    def pool_margin(self, account: AccountId, asset: str) -> AccountMargin:
        """Sum up all that the same wallets stand for; see `margin`."""
        return pool_margin(self._books, self._seen(account), asset)

    def is_hedged(self, account: AccountId) -> bool:
        opened = self._books.accounts.get(account)
        return opened is not None and opened.is_hedged

    def sides(self, account: AccountId) -> tuple[PositionSide, ...]:
        """Return which positions of a symbol the account can have."""
        return self._seen(account).sides

    def is_isolated(self, account: AccountId, symbol: Symbol) -> bool:
        opened = self._books.accounts.get(account)
        return opened is not None and symbol in opened.isolated

    def leverage(self, account: AccountId, symbol: Symbol) -> int:
        market, default = self._markets.get(symbol), self._books.default_leverage
        return leverage_of(self._seen(account), market, default) if market else default

    def _seen(self, account: AccountId) -> Account:
        """Return an account to look at, an empty one where there is none."""
        return self._books.accounts.get(account) or Account(account)

    # Orders and money

    def open_orders(self, account: AccountId, symbol: Symbol | None = None) -> list[VenueOrder]:
        """Return open orders, oldest first, conditional ones included."""
        opened = self._books.accounts.get(account)
        orders = opened.orders.values() if opened else ()
        found = [order for order in orders if symbol is None or order.symbol == symbol]
        return sorted(found, key=lambda order: order.uid)

    def query(self, key: OrderKey, *, is_conditional: bool | None = None) -> VenueOrder | None:
        """Return an order by its client id: the open one, else the last one that had the id.

        Asked for a conditional order (`is_conditional`), one that was triggered is found too;
        asked for an ordinary one, a conditional order is found once it was triggered.
        """
        opened = self._books.accounts.get(key.account)
        if opened is None:
            return None
        order = opened.orders.get(key.cl_ord_id) or opened.closed.get(key.cl_ord_id)
        if order is None or order.symbol != key.symbol:
            return None
        if is_conditional is None:
            return order
        return order if (order.algo_id if is_conditional else order.order_id) else None

    def order_by_id(self, number: int) -> VenueOrder | None:
        """Return an order by its order id or its conditional id."""
        return self._books.by_id.get(number)

    def status(self, order: VenueOrder, now: int) -> ExecutionReport:
        """Say how an order stands, as the answer to a query."""
        return report(order, ExecType.STATUS, now)

    def trades_since(self, account: AccountId, ts: int = 0) -> list[ExecutionReport]:
        """Return the account's executions from `ts` on that memory still holds, oldest first."""
        return [t for t in self._books.trades if t.account == account and t.venue_ts >= ts]

    def incomes_since(self, account: AccountId, ts: int = 0) -> list[AccountChange]:
        """Return funding and wallet changes from `ts` on that memory still holds."""
        return [i for i in self._books.incomes if i.account == account and i.venue_ts >= ts]

    def holders(self, symbol: Symbol) -> int:
        """Return how many positions are open in a symbol."""
        return len(self._books.markets[symbol].holders)

    def balances(self, account: AccountId) -> dict[str, Decimal]:
        """Return the wallet balance of each asset."""
        opened = self._books.accounts.get(account)
        return dict(opened.wallets) if opened else {}

    def positions(self, account: AccountId, now: int = 0) -> list[VenuePosition]:
        """Return the open positions; a mark that is too old now is none."""
        return [
            VenuePosition(
                symbol=each.symbol,
                qty=each.qty,
                entry_price=each.entry_price,
                isolated_wallet=each.isolated_wallet,
                mark_price=self._books.markets[each.symbol].display.told_mark(now),
            )
            for each in self.held(account)
        ]

    def held(self, account: AccountId) -> list[Position]:
        """Return the open positions with all that is known of them."""
        opened = self._books.accounts.get(account)
        return opened.held() if opened else []

    def margin(self, account: AccountId, asset: str = "USDT") -> AccountMargin:
        """Sum the account up: balance, margin tied up, maintenance, what is available."""
        books = self._books
        return account_margin(self._seen(account), self._markets, asset, books.default_leverage)

    def symbol_margin(
        self, account: AccountId, symbol: Symbol, side: PositionSide = PositionSide.BOTH
    ) -> SymbolMargin:
        """Work out one position and its margin.

        Raises:
            KeyError: the symbol is not traded here.
        """
        books, market = self._books, self._markets[symbol]
        return symbol_margin(self._seen(account), market, books.default_leverage, side)

    def liquidation_price(
        self, account: AccountId, symbol: Symbol, side: PositionSide = PositionSide.BOTH
    ) -> Decimal | None:
        """Return the mark that liquidates a position, all else as it is; None: no such price."""
        opened = self._seen(account)
        return liquidation.level(self._books, self._markets[symbol], opened, side)

    def offered(
        self, symbol: Symbol, taker: Side, levels_max: int
    ) -> list[tuple[Decimal, Decimal | None]]:
        """Return price and quantity of what a taker may have, best price first, each price once.

        A quantity of None is without bound; nothing lies behind it.
        """
        found: dict[Decimal, Decimal | None] = {}
        market = self._markets.get(symbol)
        for offer in matching.offers(market, taker, None) if market else ():
            qty = offer.order.leaves_qty if offer.order else offer.level and offer.level.qty
            if len(found) >= levels_max and offer.price not in found:
                break
            if qty is None:
                found[offer.price] = None
                break
            if qty > 0:
                found[offer.price] = (found.get(offer.price) or ZERO) + qty
        return list(found.items())

    def shown(self, symbol: Symbol, taker: Side) -> dict[float, float]:
        """Return quantity by price of what a taker may have: quickly, in floats, in no order."""
        market = self._markets.get(symbol)
        return shown(market, taker) if market else {}

    def touch(self, symbol: Symbol, taker: Side) -> tuple[float, float] | None:
        """Return the best price and its quantity, quickly; None where `offered` must tell."""
        market = self._markets.get(symbol)
        return touch(market, taker) if market else None

    def fundings(self, symbol: Symbol) -> list[Settled]:
        """Return what was charged of a symbol's funding since the start, oldest first."""
        return list(self._markets[symbol].fundings)

    def mark_price(self, symbol: Symbol) -> Decimal | None:
        market = self._markets.get(symbol)
        return market.display.mark_price() if market else None
