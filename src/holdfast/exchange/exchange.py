"""The simulated exchange: requests and market data in, what an exchange would say out.

Pure and deterministic: time is handed in, ids are counted, nothing is read from outside. One
instance serves any number of accounts and symbols (linear perpetuals).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from ..model.instrument import Instrument
from ..model.market import Funding, MarketData, Trade
from ..model.messages import ExecType, Request
from ..model.values import AccountId, NewOrder, OrderStatus, Symbol
from . import (
    admission,
    amendment,
    consequences,
    filters,
    funding,
    incoming,
    liquidation,
    making,
    matching,
    modes,
    quiet,
    rows,
    settlement,
    storage,
    timetable,
)
from . import refusals as no
from .answers import refused, rejected
from .books import NOTHING, Books
from .ledger import (
    DEFAULT_LEVERAGE,
    symbol_margin,
)
from .liquidity import Liquidity
from .market import Market
from .orders import ORDINARY, Fate, OrderKey, PositionSide, SelfTrade, VenueOrder
from .outputs import Output
from .questions import Questions
from .refusals import Refusal


class Exchange(Questions):
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
        speed: float = 1.0,
    ) -> None:
        super().__init__(Books(liquidity or Liquidity(), default_leverage))
        self._books.same_funding_ns = funding.same_funding_ns(speed)
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
            known.list_as(instrument)
            self._books.alarm = 0  # what fell due in a halt is paid when it ends
        self._books.mark_market(instrument.symbol)

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
        return modes.set_leverage(self._books, self._books.account(account), market, leverage)

    def set_margin_type(
        self, account: AccountId, symbol: Symbol, now: int, *, is_isolated: bool
    ) -> Refusal | Sequence[Output]:
        """Let a symbol's margin be isolated, or cross."""
        books, market = self._books, self._markets[symbol]
        opened = books.account(account)
        refusal = modes.set_margin_type(books, opened, market, now, is_isolated=is_isolated)
        return refusal or books.flush()

    def set_position_mode(self, account: AccountId, *, is_hedged: bool) -> Refusal | None:
        """Let the account hold long and short at once (hedged), or one position (one-way)."""
        opened = self._books.account(account)
        return modes.set_position_mode(self._books, opened, is_hedged=is_hedged)

    def set_asset_mode(self, account: AccountId, *, is_multi_assets: bool) -> Refusal | None:
        """Let all dollars stand for all that settles in dollars, or each asset for its own."""
        opened = self._books.account(account)
        return modes.set_asset_mode(self._books, opened, is_multi_assets=is_multi_assets)

    def set_fee_burn(self, account: AccountId, *, is_on: bool) -> None:
        """Let the account's fees be paid in BNB, or in the margin asset alone."""
        self._books.account(account).burns_fees = is_on
        self._books.mark_account(account)

    def move_margin(
        self, account: AccountId, symbol: Symbol, side: PositionSide, amount: Decimal, now: int
    ) -> Refusal | Sequence[Output]:
        """Put margin into an isolated position, or take it out with a negative amount."""
        books, market = self._books, self._markets[symbol]
        opened = books.account(account)
        row = symbol_margin(opened, market, books.default_leverage, side)
        return modes.move_margin(books, opened, row, amount, now) or books.flush()

    # Requests

    def submit(
        self,
        order: NewOrder,
        now: int,
        self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER,
        position_side: PositionSide = PositionSide.BOTH,
        *,
        fate: Fate = ORDINARY,
    ) -> Sequence[Output]:
        """Take an order, or refuse it with a REJECTED report.

        A hedged account names the position; an order that can only reduce it is reduce-only.
        """
        if position_side.is_closed_by(order.side) and not order.reduce_only:
            order = msgspec.structs.replace(order, reduce_only=True)
        market = self._markets.get(order.symbol)
        kept = VenueOrder(
            asked=order,
            order_type=order.order_type,
            qty=order.qty,
            price=order.price,
            created_ts=now,
            updated_ts=now,
            self_trade=self_trade,
            position_side=position_side,
            is_protected=fate.is_protected,
        )
        refusal = self._form_refusal(kept, market, now)
        if refusal is not None or market is None:
            assert refusal is not None
            return [rejected(order, refusal, now)]
        if order.order_type.is_conditional:
            refusal = admission.would_trigger(kept, market)
        else:
            refusal = admission.refusal_of(self._books, kept)
        if refusal is not None:
            return [rejected(order, refusal, now)]
        self._accept(kept, market, now, fate)
        return self._books.flush()

    def _form_refusal(self, order: VenueOrder, market: Market | None, now: int) -> Refusal | None:
        if market is None:
            return Refusal(no.BAD_SYMBOL, f"{order.symbol} is not traded here")
        account = self._books.accounts.get(order.account)
        if account is None:
            return Refusal(no.BAD_ACCOUNT, f"there is no account {order.account}")
        mark = market.display.mark_price()
        return (
            settlement.refusal_of(order.asked, order.position_side, market)
            or filters.refusal_of(order.asked, market.instrument, mark, now)
            or modes.mode_refusal(account, order)
            or admission.slot_refusal(self._books, order.asked)
        )

    def _accept(self, order: VenueOrder, market: Market, now: int, fate: Fate) -> None:
        if order.asked.order_type.is_conditional:
            order.algo_id = self._books.next_id("order_id")
            order.seq = self._books.next_id("seq")
            self._books.open_order(order)
            market.wait(order)
            self._books.say_of(order, ExecType.NEW, now)
        else:
            order.order_id = self._books.next_id("order_id")
            self._books.open_order(order)
            matching.execute(self._books, order, now, fate)
            if order.is_open:
                self._books.moved[order.account, order.symbol] = None  # may crowd out another
        if order.asked.expire_ts is not None:
            self._books.alarm = min(self._books.alarm, order.asked.expire_ts)
        consequences.settle(self._books, market, now)

    def cancel(
        self,
        key: OrderKey,
        now: int,
        *,
        is_conditional: bool | None = None,
        filled_first: Decimal | None = None,
    ) -> Sequence[Output]:
        """Take an order back. `is_conditional` says which kind is meant; None takes either.

        A conditional order that was triggered is an ordinary one. `filled_first` is the part of
        a resting order that fills before the cancel gets to it, on order.
        """
        order = self._open(key)
        if order is None or is_conditional is (not order.is_waiting):
            text = f"there is no open order {key.cl_ord_id} in {key.symbol}"
            return [refused(key, Request.CANCEL, Refusal(no.CANCEL_REJECTED, text))]
        if filled_first is not None and order.order_id:
            making.fill_first(self._books, order, filled_first, now)
            if not order.is_open:
                text = f"{key.cl_ord_id} was filled before its cancel came"
                consequences.settle(self._books, self._markets[key.symbol], now)
                refusal = Refusal(no.CANCEL_REJECTED, text)
                return [*self._books.flush(), refused(key, Request.CANCEL, refusal)]
        self._books.end(order, OrderStatus.CANCELED, now)
        if filled_first is not None:
            consequences.settle(self._books, self._markets[key.symbol], now)
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

    # What the exchange does of itself, on order

    def force_liquidation(
        self, account: AccountId, symbol: Symbol, side: PositionSide, now: int
    ) -> Sequence[Output]:
        """Liquidate a position, whatever its margin: a cross one with all other cross ones."""
        books, opened = self._books, self._books.account(account)
        if opened.qty(symbol, side):
            if symbol in opened.isolated:
                liquidation.liquidate_isolated(books, opened, opened.position(symbol, side), now)
            else:
                asset = self._markets[symbol].instrument.margin_asset
                liquidation.liquidate(books, opened, asset, now)
            consequences.settle(books, self._markets[symbol], now)
        return books.flush()

    def force_adl(
        self, account: AccountId, symbol: Symbol, side: PositionSide, qty: Decimal, now: int
    ) -> Sequence[Output]:
        """Deleverage a position by so much."""
        books, opened = self._books, self._books.account(account)
        if opened.qty(symbol, side):
            liquidation.deleverage(books, opened.position(symbol, side), qty, now)
            consequences.settle(books, self._markets[symbol], now)
        return books.flush()

    def force_funding(self, symbol: Symbol, rate: float, now: int) -> Sequence[Output]:
        """Let a symbol's funding fall due now; the announced one comes all the same."""
        market = self._markets[symbol]
        funding.pay_out_of_turn(self._books, market, rate, now, now)
        consequences.on_balance(self._books, market, now)
        return self._books.flush()

    def settle(
        self, symbol: Symbol, terms: settlement.Terms, status: str, now: int
    ) -> Sequence[Output]:
        """End a contract's orders, close its positions at a price, and give it its last status."""
        market = self._markets[symbol]
        settlement.settle(self._books, market, terms, now)
        self.add_instrument(msgspec.structs.replace(market.instrument, status=status))
        return self._books.flush()

    # Time and the market

    def tick(self, now: int) -> Sequence[Output]:
        """Let what is due by now happen: good-till dates and funding."""
        if now < self._books.alarm:
            return NOTHING
        timetable.be_due(self._books, now)
        return self._books.flush()

    def pay_missed(self, missed: Funding, now: int) -> Sequence[Output]:
        """Book a funding that fell due while nobody heard of it."""
        market = self._markets.get(missed.symbol)
        if market is not None:
            funding.pay_missed(self._books, market, missed, now)
        return self._books.flush()

    def unpaid_since(self) -> dict[Symbol, int]:
        """Return of which symbols some funding may be unpaid, and since when."""
        known = ((symbol, market.coverage) for symbol, market in self._markets.items())
        return {symbol: each.complete_ts + 1 for symbol, each in known if each.is_owed}

    def leave_late_funding(self) -> None:
        """Charge what falls due in time alone: the venue's history is asked for the rest."""
        self._books.leaves_late_funding = True

    def settle_funding(self, symbol: Symbol, until: int, *, is_last: bool = False) -> None:
        """Take it that history has told all that fell due until then, or all that it ever will."""
        market = self._markets[symbol]
        market.coverage.settle(until, market.next_funding_ts, is_last=is_last)
        self._books.mark_market(symbol)

    def on_market(self, message: MarketData, now: int) -> Sequence[Output]:
        """Take market data in and return what it set off; mostly nothing, and then at once."""
        books = self._books
        if now >= books.alarm:
            timetable.be_due(books, now)
        market = self._markets.get(message.symbol)
        if market is None or not market.instrument.can_be_closed:
            return books.flush()
        display = market.display
        if (
            type(message) is Trade
            and market.low < message.price < market.high
            and display.has_tape
            and message.ts <= display.mark_until
        ):
            display.last, display.last_ts = message.price, message.ts  # no order is concerned
            if market.holders and not display.has_mark:
                consequences.on_balance(books, market, now)
            return books.flush()
        incoming.take_in(books, market, message, now)
        return books.flush()

    # What need not be looked at

    @property
    def due_ts(self) -> int:
        """Return when something falls due by itself next."""
        return self._books.alarm

    def marks_until(self, now: int) -> int:
        """Return when a mark grows too old next."""
        return quiet.marks_until(self._books, now)

    def band(self, symbol: Symbol, now: int) -> quiet.Band:
        """Return the prices between which a trade changes nothing but the last price."""
        market = self._markets.get(symbol)
        return quiet.EVERYWHERE if market is None else quiet.band(self._books, market, now)

    def pass_over(self, trade: Trade) -> None:
        """Take the last of some trades inside the band, which were not looked at."""
        market = self._markets.get(trade.symbol)
        if market is not None:
            market.display.last, market.display.last_ts = trade.price, trade.ts

    # Storage

    @property
    def has_changes(self) -> bool:
        return self._books.has_changes

    def drain_changes(self) -> list[rows.Row]:
        """Hand out what storage must keep since the last time, each thing as it stands now."""
        return self._books.drain_changes()

    def remember_marks(self) -> None:
        """Let the next changes hold what each position is worth now, for the next life."""
        for symbol, market in self._markets.items():
            if market.holders:
                self._books.mark_market(symbol)

    def load(self, kept: Iterable[rows.Row], now: int) -> None:
        """Take back, on a new exchange, what storage kept.

        Raises:
            ValueError: a row can't be read.
        """
        storage.load(self._books, kept, now)
        timetable.set_alarm(self._books, now)
