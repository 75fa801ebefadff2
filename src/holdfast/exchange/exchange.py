"""The simulated exchange: requests and market data in, what an exchange would say out.

Pure and deterministic: time is handed in, ids are counted, nothing is read from outside. One
instance serves any number of accounts and symbols (linear perpetuals, one-way, cross margin).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from ..model.instrument import Instrument
from ..model.margin import max_notional_at
from ..model.market import (
    MarketData,
    Trade,
)
from ..model.messages import (
    ExecType,
    ExecutionReport,
    FundingPayment,
    Request,
    VenuePosition,
    WalletChange,
)
from ..model.values import ZERO, AccountId, NewOrder, OrderStatus, Side, Symbol, plain
from . import (
    admission,
    amendment,
    consequences,
    filters,
    incoming,
    matching,
    rows,
    storage,
    timetable,
)
from . import refusals as no
from .answers import refused, rejected, report
from .books import NOTHING, Books
from .ledger import (
    DEFAULT_LEVERAGE,
    AccountMargin,
    SymbolMargin,
    account_margin,
    liquidation_at,
    symbol_margin,
)
from .liquidity import Liquidity
from .market import Market
from .orders import OrderKey, SelfTrade, VenueOrder
from .outputs import Output
from .refusals import Refusal
from .shown import shown


class Exchange:
    """Matching, accounts, margin, funding and liquidation of one venue.

    Every call that may change something returns what was said because of it, in order;
    `drain_changes` then hands out what storage must keep, and `load` takes it back.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument] = (),
        *,
        liquidity: Liquidity | None = None,
        default_leverage: int = DEFAULT_LEVERAGE,
    ) -> None:
        self._books = Books(liquidity or Liquidity(), default_leverage)
        self._markets = self._books.markets
        for instrument in instruments:
            self.add_instrument(instrument)

    # Accounts and contracts

    def add_instrument(self, instrument: Instrument) -> None:
        """List a contract, or replace the filters of one that is listed."""
        known = self._markets.get(instrument.symbol)
        if known is None:
            self._markets[instrument.symbol] = Market(instrument, self._books.model)
        elif known.instrument == instrument:
            return
        else:
            known.instrument = known.display.instrument = instrument
        self._books.mark_market(instrument.symbol)

    def instruments(self) -> list[Instrument]:
        return [market.instrument for market in self._markets.values()]

    def has_account(self, account: AccountId) -> bool:
        return account in self._books.accounts

    def deposit(
        self, account: AccountId, amount: Decimal, now: int, asset: str = "USDT"
    ) -> Sequence[Output]:
        """Put money in, or take it out with a negative amount; opens the account."""
        opened = self._books.account(account)
        self._books.move_wallet(opened, asset, amount, "deposit", now)
        return self._books.flush()

    def set_leverage(self, account: AccountId, symbol: Symbol, leverage: int) -> Refusal | None:
        """Change what a position ties up; None when done."""
        market = self._markets.get(symbol)
        if market is None:
            return Refusal(no.BAD_SYMBOL, f"{symbol} is not traded here")
        brackets = market.instrument.brackets
        most = max((bracket.max_leverage for bracket in brackets), default=leverage)
        if not 1 <= leverage <= most:
            return Refusal(no.BAD_LEVERAGE, f"leverage must be 1 to {most}, was {leverage}")
        row = self.symbol_margin(account, symbol)
        allowed = max_notional_at(brackets, leverage)
        if allowed is not None and abs(row.notional) > allowed:
            return Refusal(
                no.MAX_POSITION,
                f"notional {plain(abs(row.notional))} is above {plain(allowed)}, "
                f"the most at {leverage}x",
            )
        self._books.account(account).leverages[symbol] = leverage
        self._books.mark_account(account)
        return None

    def leverage(self, account: AccountId, symbol: Symbol) -> int:
        opened = self._books.accounts.get(account)
        default = self._books.default_leverage
        return opened.leverages.get(symbol, default) if opened else default

    # Requests

    def submit(
        self, order: NewOrder, now: int, self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    ) -> Sequence[Output]:
        """Take an order, or refuse it with a REJECTED report."""
        market = self._markets.get(order.symbol)
        refusal = self._form_refusal(order, market, now)
        if refusal is not None or market is None:
            assert refusal is not None
            return [rejected(order, refusal, now)]
        kept = VenueOrder(
            asked=order,
            order_type=order.order_type,
            qty=order.qty,
            price=order.price,
            created_ts=now,
            updated_ts=now,
            self_trade=self_trade,
        )
        is_conditional = order.order_type.is_conditional
        refusal = admission.would_trigger(kept, market) if is_conditional else None
        if not is_conditional:
            refusal = admission.refusal_of(self._books, kept)
        if refusal is not None:
            return [rejected(order, refusal, now)]
        self._accept(kept, market, now)
        return self._books.flush()

    def _form_refusal(self, order: NewOrder, market: Market | None, now: int) -> Refusal | None:
        if market is None:
            return Refusal(no.BAD_SYMBOL, f"{order.symbol} is not traded here")
        if order.account not in self._books.accounts:
            return Refusal(no.BAD_ACCOUNT, f"there is no account {order.account}")
        mark = market.display.mark_price()
        return filters.refusal_of(order, market.instrument, mark, now) or admission.slot_refusal(
            self._books, order
        )

    def _accept(self, order: VenueOrder, market: Market, now: int) -> None:
        if order.asked.order_type.is_conditional:
            order.algo_id = self._books.next_id("order_id")
            order.seq = self._books.next_id("seq")
            self._books.open_order(order)
            market.wait(order)
            self._books.say_of(order, ExecType.NEW, now)
        else:
            order.order_id = self._books.next_id("order_id")
            self._books.open_order(order)
            matching.execute(self._books, order, now)
            if order.is_open:
                self._books.moved[order.account, order.symbol] = None  # may crowd out another
        if order.asked.expire_ts is not None:
            self._books.alarm = min(self._books.alarm, order.asked.expire_ts)
        consequences.settle(self._books, market, now)

    def cancel(
        self, key: OrderKey, now: int, *, is_conditional: bool | None = None
    ) -> Sequence[Output]:
        """Take an order back. `is_conditional` says which kind is meant; None takes either.

        A conditional order that was triggered is an ordinary one.
        """
        order = self._open(key)
        if order is None or is_conditional is (not order.is_waiting):
            text = f"there is no open order {key.cl_ord_id} in {key.symbol}"
            return [refused(key, Request.CANCEL, Refusal(no.CANCEL_REJECTED, text))]
        self._books.end(order, OrderStatus.CANCELED, now)
        return self._books.flush()

    def cancel_all(
        self, account: AccountId, symbol: Symbol, now: int, *, is_conditional: bool | None = None
    ) -> Sequence[Output]:
        """Take every order of a symbol back."""
        for order in self.open_orders(account, symbol):
            if is_conditional is None or is_conditional is order.is_waiting:
                self._books.end(order, OrderStatus.CANCELED, now)
        return self._books.flush()

    def replace(self, key: OrderKey, qty: Decimal, price: Decimal, now: int) -> Sequence[Output]:
        """Amend a resting limit order; `qty` is the new total. It goes to the end of its line."""
        order = self._open(key)
        refusal = amendment.refusal_of(self._books, order, qty, price)
        if refusal is not None or order is None:
            assert refusal is not None
            return [refused(key, Request.REPLACE, refusal)]
        amendment.amend(self._books, order, qty, price, now)
        consequences.settle(self._books, self._markets[key.symbol], now)
        return self._books.flush()

    def _open(self, key: OrderKey) -> VenueOrder | None:
        opened = self._books.accounts.get(key.account)
        order = opened.orders.get(key.cl_ord_id) if opened else None
        return order if order is not None and order.symbol == key.symbol else None

    # Time and the market

    def tick(self, now: int) -> Sequence[Output]:
        """Let what is due by now happen: good-till dates and funding."""
        if now < self._books.alarm:
            return NOTHING
        timetable.be_due(self._books, now)
        return self._books.flush()

    def on_market(self, message: MarketData, now: int) -> Sequence[Output]:
        """Take market data in and return what it set off; mostly nothing, and then at once."""
        books = self._books
        if now >= books.alarm:
            timetable.be_due(books, now)
        market = self._markets.get(message.symbol)
        if market is None:
            return books.flush()
        display = market.display
        if type(message) is Trade and market.low < message.price < market.high and display.has_tape:
            display.last = message.price  # no order can be concerned
            if market.holders and not display.has_mark:
                consequences.on_balance(books, market, now)
            return books.flush()
        incoming.take_in(books, market, message, now)
        return books.flush()

    # Questions

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

    def incomes_since(self, account: AccountId, ts: int = 0) -> list[FundingPayment | WalletChange]:
        """Return funding and wallet changes from `ts` on that memory still holds."""
        return [i for i in self._books.incomes if i.account == account and i.venue_ts >= ts]

    def balances(self, account: AccountId) -> dict[str, Decimal]:
        """Return the wallet balance of each asset."""
        opened = self._books.accounts.get(account)
        return dict(opened.wallets) if opened else {}

    def positions(self, account: AccountId) -> list[VenuePosition]:
        """Return the open positions."""
        opened = self._books.accounts.get(account)
        return [
            VenuePosition(symbol=each.symbol, qty=each.qty, entry_price=each.entry_price)
            for each in (opened.positions.values() if opened else ())
            if each.qty
        ]

    def margin(self, account: AccountId, asset: str = "USDT") -> AccountMargin:
        """Sum the account up: balance, margin tied up, maintenance, what is available."""
        books = self._books
        return account_margin(books.account(account), self._markets, asset, books.default_leverage)

    def symbol_margin(self, account: AccountId, symbol: Symbol) -> SymbolMargin:
        """Work out one symbol's position and margin.

        Raises:
            KeyError: the symbol is not traded here.
        """
        books = self._books
        return symbol_margin(books.account(account), self._markets[symbol], books.default_leverage)

    def liquidation_price(self, account: AccountId, symbol: Symbol) -> Decimal | None:
        """Return the mark that takes the account down, all else as it is; None: no such price."""
        instrument = self._markets[symbol].instrument
        total = self.margin(account, instrument.margin_asset)
        return liquidation_at(self.symbol_margin(account, symbol), total, instrument)

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

    def mark_price(self, symbol: Symbol) -> Decimal | None:
        market = self._markets.get(symbol)
        return market.display.mark_price() if market else None

    # Storage

    @property
    def has_changes(self) -> bool:
        return self._books.has_changes

    def drain_changes(self) -> list[rows.Row]:
        """Hand out what storage must keep since the last time, each thing as it stands now."""
        return self._books.drain_changes()

    def load(self, kept: Iterable[rows.Row], now: int) -> None:
        """Take back, on a new exchange, what storage kept.

        Raises:
            ValueError: a row can't be read.
        """
        storage.load(self._books, kept)
        timetable.set_alarm(self._books, now)
