"""Everything the exchange remembers, and the few ways in which it changes.

Whatever must outlive the process is marked when it changes; `drain_changes` hands it out as rows
and `load` takes them back. Prices are not kept: after a restart the market speaks first.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..model.instrument import Instrument, as_money
from ..model.messages import AccountChange, ExecType, ExecutionReport, WalletChange
from ..model.values import ZERO, AccountId, OrderStatus, Symbol, TradeId
from . import rows
from .answers import report
from .coverage import SAME_FUNDING_NS
from .fees import Fee, fee_of
from .ledger import Account, Position, cross_wallet, leverage_of
from .liquidity import Liquidity
from .market import Market
from .orders import Expiry, PositionSide, VenueOrder
from .outputs import AccountUpdate, OrderUpdate, Output, PositionShown

CLOSED_ORDERS_KEPT = 2_000
"""Closed orders of one account that can still be asked after."""

TRADES_KEPT = 10_000
"""Executions, and wallet changes, that are kept in memory; storage may keep more."""

MARGIN_MOVES_KEPT = 2_000
"""Moves between cross and isolated wallets that can still be asked after."""

NOTHING: tuple[Output, ...] = ()
NEVER = 2**63 - 1


class Fill(NamedTuple):
    """One execution, as one of its two orders sees it."""

    qty: Decimal
    price: Decimal
    ts: int
    trade_id: int
    is_maker: bool = False
    forced_rate: Decimal | None = None  # of the fee, where the exchange itself closed the position

    def fee_rate(self, instrument: Instrument) -> Decimal:
        if self.forced_rate is not None:
            return self.forced_rate
        return instrument.maker_fee if self.is_maker else instrument.taker_fee


class Books:
    """Accounts, markets, orders and counters. Rules live in the modules that call this one."""

    def __init__(self, model: Liquidity, default_leverage: int) -> None:
        self.model = model
        self.default_leverage = default_leverage
        self.accounts: dict[AccountId, Account] = {}
        self.markets: dict[Symbol, Market] = {}
        self.by_id: dict[int, VenueOrder] = {}
        self.counters = rows.Counters()
        self.trades: deque[ExecutionReport] = deque(maxlen=TRADES_KEPT)
        self.incomes: deque[AccountChange] = deque(maxlen=TRADES_KEPT)
        self.margin_moves: dict[int, rows.MarginMove] = {}  # oldest first
        self.moved: dict[tuple[AccountId, Symbol], None] = {}  # positions, since the last look
        self.same_funding_ns = SAME_FUNDING_NS
        self.leaves_late_funding = False  # somebody asks the venue's history for it
        self.heard_since = 0  # when the market first spoke in this life
        self.alarm = NEVER  # when an order expires or funding is due, at the earliest
        self._out: list[Output] = []
        self._dirty: dict[tuple[str, str], None] = {}  # in the order of the first change
        self._appended: list[rows.Row] = []

    # What is said

    def say(self, output: Output) -> None:
        self._out.append(output)

    def say_of(self, order: VenueOrder, exec_type: ExecType, now: int) -> None:
        """Tell what happened to an order, and mark it as changed."""
        order.updated_ts = now
        self.mark_order(order)
        self.say(OrderUpdate(report=report(order, exec_type, now), order=copy.copy(order)))

    def flush(self) -> Sequence[Output]:
        """Hand over what was said since the last time."""
        if not self._out:
            return NOTHING
        out, self._out = self._out, []
        return out

    # Money

    def account(self, account_id: AccountId) -> Account:
        """Return an account, opened at its first mention."""
        found = self.accounts.get(account_id)
        if found is None:
            found = self.accounts[account_id] = Account(account_id)
            self.mark_account(account_id)
        return found

    def pay(self, account: Account, asset: str, amount: Decimal) -> None:
        account.wallets[asset] = account.wallets.get(asset, ZERO) + amount
        self.mark_account(account.account_id)

    def move_wallet(self, account: Account, asset: str, amount: Decimal, why: str, ts: int) -> None:
        """Book money that came or went for another reason than trading, and tell."""
        self.pay(account, asset, amount)
        change = WalletChange(
            account=account.account_id,
            asset=asset,
            amount=amount,
            reason=why,
            change_id=f"{why}-{self.next_id('change_id')}",
            venue_ts=ts,
        )
        reason = "INSURANCE_CLEAR" if why == "insurance" else why.upper()
        self.say(self.wallet_update(account, asset, ts, reason=reason, change=amount))
        self.record_income(change)

    def wallet_update(
        self, account: Account, asset: str, ts: int, *, reason: str, change: Decimal
    ) -> AccountUpdate:
        return AccountUpdate(
            account=account.account_id,
            venue_ts=ts,
            reason=reason,
            asset=asset,
            wallet=account.wallets[asset],
            cross_wallet=cross_wallet(account, self.markets, asset),
            change=change,
        )

    def position_update(
        self,
        position: Position,
        ts: int,
        *,
        reason: str,
        change: Decimal = ZERO,
        is_wide: bool = False,
    ) -> AccountUpdate:
        """Make the news of a position; `is_wide` shows the symbol's other ones beside it."""
        account, market = self.accounts[position.account], self.markets[position.symbol]
        mark = market.display.worth()
        shown = [position]
        if is_wide:
            shown = [account.seen(position.symbol, side) for side in PositionSide]
        update = self.wallet_update(
            account, market.instrument.margin_asset, ts, reason=reason, change=change
        )
        return msgspec.structs.replace(
            update,
            symbol=position.symbol,
            is_isolated=position.symbol in account.isolated,
            positions=tuple(_shown(each, mark) for each in shown),
        )

    def record_margin_move(self, move: rows.MarginMove) -> None:
        self.margin_moves[move.number] = move
        self._dirty[rows.MARGIN_MOVE, str(move.number)] = None
        if len(self.margin_moves) > MARGIN_MOVES_KEPT:
            gone = next(iter(self.margin_moves))
            del self.margin_moves[gone]
            self._dirty[rows.MARGIN_MOVE, str(gone)] = None

    def record_income(self, income: AccountChange) -> None:
        self.incomes.append(income)
        self._appended.append(rows.appended(rows.INCOME, income))
        self.say(income)

    # Fills

    def fill(self, order: VenueOrder, fill: Fill) -> None:
        """Book one execution: wallet, position, order; and tell it."""
        account, market = self.account(order.account), self.markets[order.symbol]
        instrument, (qty, price, now) = market.instrument, fill[:3]
        worth = as_money(price * qty * fill.fee_rate(instrument))
        is_forced = fill.forced_rate is not None
        fee = fee_of(self, account, instrument, worth, is_forced=is_forced)
        position = account.position(order.symbol, order.position_side)
        before = position.qty
        self._note_holders(market, now)
        realized = position.book(qty * order.side.sign, price, fee.own)
        if order.symbol in account.isolated:
            leverage = leverage_of(account, market, self.default_leverage)
            position.isolate(before, price, leverage)
        self.pay(account, instrument.margin_asset, realized - fee.own)
        beside = self._burn(account, fee)
        self.mark_position(position)
        order.cum_qty += qty
        order.cum_quote += qty * price
        order.updated_ts = now
        is_done = order.cum_qty >= order.qty
        order.status = OrderStatus.FILLED if is_done else OrderStatus.PARTIALLY_FILLED
        is_wide = account.is_hedged and abs(position.qty) < abs(before)
        update = self.position_update(position, now, reason="ORDER", is_wide=is_wide)
        self.say(msgspec.structs.replace(update, beside=beside) if beside else update)
        trade = msgspec.structs.replace(
            report(order, ExecType.TRADE, now),
            last_qty=qty,
            last_px=price,
            trade_id=TradeId(str(fill.trade_id)),
            fee=fee.amount,
            fee_asset=fee.asset,
            realized_pnl=realized,
            is_maker=fill.is_maker,
        )
        self._record_trade(trade, order)
        if is_done:
            self._retire(order)

    def _note_holders(self, market: Market, now: int) -> None:
        """Note who has held until now, where history is asked what fell due meanwhile."""
        if not market.holders:
            if not self.leaves_late_funding:
                market.coverage.unknown = ()
            market.coverage.begin(now)
        elif self.leaves_late_funding:
            market.coverage.change(now, market.next_funding_ts, market.holders)

    def _burn(self, account: Account, fee: Fee) -> tuple[tuple[str, Decimal], ...]:
        """Pay a fee that is paid in another asset; return what its wallet is then."""
        if fee.own == fee.amount:
            return ()
        self.pay(account, fee.asset, -fee.amount)
        return ((fee.asset, account.wallets[fee.asset]),)

    def _record_trade(self, trade: ExecutionReport, order: VenueOrder) -> None:
        self.trades.append(trade)
        self._appended.append(rows.appended(rows.TRADE, trade))
        self.mark_order(order)
        self.say(OrderUpdate(report=trade, order=copy.copy(order)))

    def mark_position(self, position: Position) -> None:
        """Note that a position has changed."""
        holders, holder = self.markets[position.symbol].holders, (position.account, position.side)
        if position.qty:
            holders[holder] = position.qty
        else:
            holders.pop(holder, None)
        self.moved[position.account, position.symbol] = None
        self.accounts[position.account].rough.clear()
        self._dirty[rows.POSITION, rows.position_key(position)] = None
        self.mark_market(position.symbol)  # with what it is worth

    # Orders

    def next_id(self, counter: str) -> int:
        """Draw the next of a counter's numbers; they never repeat, not even over restarts."""
        number: int = getattr(self.counters, counter) + 1
        setattr(self.counters, counter, number)
        self._dirty[rows.COUNTERS, ""] = None
        return number

    def open_order(self, order: VenueOrder) -> None:
        """Take an order on."""
        account = self.account(order.account)
        account.orders[order.cl_ord_id] = order
        self.by_id[order.uid] = order
        self.mark_order(order)

    def end(
        self, order: VenueOrder, status: OrderStatus, now: int, *, expiry: Expiry = Expiry.NONE
    ) -> None:
        """End an order before it is filled: CANCELED or EXPIRED."""
        order.status, order.expiry = status, expiry
        if expiry is not Expiry.NONE and not order.reason:
            order.reason = expiry.name.lower().replace("_", " ")
        is_canceled = status is OrderStatus.CANCELED
        self.say_of(order, ExecType.CANCELED if is_canceled else ExecType.EXPIRED, now)
        self._retire(order)

    def _retire(self, order: VenueOrder) -> None:
        self.markets[order.symbol].remove(order)
        account = self.accounts[order.account]
        if account.orders.get(order.cl_ord_id) is order:
            del account.orders[order.cl_ord_id]
        account.close(order)
        if len(account.closed) > CLOSED_ORDERS_KEPT:
            self._forget(account.closed.pop(next(iter(account.closed))))
        if len(account.replaced) > CLOSED_ORDERS_KEPT:
            self._forget(account.replaced.pop(next(iter(account.replaced))))

    def _forget(self, order: VenueOrder) -> None:
        self.by_id.pop(order.order_id, None)
        self.by_id.pop(order.algo_id, None)
        self._dirty[rows.ORDER, str(order.uid)] = None

    # What changed

    @property
    def has_changes(self) -> bool:
        return bool(self._dirty or self._appended)

    def mark_order(self, order: VenueOrder) -> None:
        self._dirty[rows.ORDER, str(order.uid)] = None

    def mark_account(self, account: AccountId) -> None:
        self.accounts[account].rough.clear()
        self._dirty[rows.ACCOUNT, account] = None

    def mark_market(self, symbol: Symbol) -> None:
        self._dirty[rows.MARKET, symbol] = None

    def drain_changes(self) -> list[rows.Row]:
        """Hand out what changed since the last time, each thing once, as it stands now."""
        dirty, self._dirty = self._dirty, {}
        appended, self._appended = self._appended, []
        return [rows.Row(kind, key, self._row(kind, key)) for kind, key in dirty] + appended

    def _row(self, kind: str, key: str) -> bytes | None:
        if kind == rows.ORDER:
            order = self.by_id.get(int(key))
            return None if order is None else rows.encode(order)
        if kind == rows.POSITION:
            account, place = rows.position_of(key)
            return rows.encode(self.accounts[account].position(*place))
        if kind == rows.MARGIN_MOVE:
            move = self.margin_moves.get(int(key))
            return None if move is None else rows.encode(move)
        if kind == rows.ACCOUNT:
            return rows.encode(rows.AccountRow.of(self.accounts[AccountId(key)]))
        if kind == rows.MARKET:
            return rows.encode(rows.MarketRow.of(self.markets[Symbol(key)]))
        return rows.encode(self.counters)


def _shown(position: Position, mark: Decimal | None) -> PositionShown:
    mark = mark or position.entry_price
    return PositionShown(
        side=position.side,
        qty=position.qty,
        entry_price=position.entry_price,
        break_even_price=position.break_even_price,
        realized=position.realized,
        unrealized=position.qty * (mark - position.entry_price),
        isolated_wallet=position.isolated_wallet,
    )
