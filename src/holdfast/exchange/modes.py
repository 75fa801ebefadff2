"""How an account trades: leverage, cross or isolated margin, one-way or hedged.

A mode is changed only while nothing depends on it: no open order, no position.
"""

from __future__ import annotations

from decimal import Decimal

from ..model.margin import initial_margin, max_notional_at
from ..model.values import ZERO, AccountId, Symbol, plain
from . import refusals as no
from .books import Books
from .ledger import Account, SymbolMargin, account_margin, leverage_of, symbol_margin
from .market import Market
from .orders import VenueOrder
from .pools import pool_margin, pool_of
from .refusals import Refusal
from .rows import MarginMove


def set_leverage(books: Books, account: Account, market: Market, leverage: int) -> Refusal | None:
    """Change what positions of a symbol tie up."""
    instrument = market.instrument
    most = max((bracket.max_leverage for bracket in instrument.brackets), default=leverage)
    if not 1 <= leverage <= most:
        return Refusal(no.BAD_LEVERAGE, f"leverage must be 1 to {most}, was {leverage}")
    if leverage != leverage_of(account, market, books.default_leverage):
        refusal = _leverage_refusal(books, account, market, leverage)
        if refusal is not None:
            return refusal
    account.leverages[instrument.symbol] = leverage
    books.mark_account(account.account_id)
    return None


def _leverage_refusal(
    books: Books, account: Account, market: Market, leverage: int
) -> Refusal | None:
    """Check that what is held, were all orders of a side to fill, is allowed and paid for."""
    instrument, default, more = market.instrument, books.default_leverage, ZERO
    allowed = max_notional_at(instrument.brackets, leverage)
    for side in account.sides:
        row = symbol_margin(account, market, default, side)
        if row.is_isolated and row.position.qty and leverage < row.leverage:
            return Refusal(
                no.ISOLATED_LEVERAGE,
                f"{leverage}x is below {row.leverage}x, and the isolated position is open",
            )
        reach = max(abs(row.notional + row.bid_notional), abs(row.notional - row.ask_notional))
        if allowed is not None and reach > allowed:
            return Refusal(
                no.MAX_POSITION,
                f"notional {plain(reach)} is above {plain(allowed)}, the most at {leverage}x",
            )
        more += initial_margin(reach, leverage) - row.position_margin - row.order_margin
    if more <= ZERO:
        return None
    total = pool_margin(books, account, instrument.margin_asset)
    if more <= total.headroom:
        return None
    asset = instrument.margin_asset
    return Refusal(
        no.LEVERAGE_LACKS_MARGIN,
        f"{leverage}x ties up {plain(more)} {asset} more, {plain(total.available)} is available",
    )


def set_margin_type(
    books: Books, account: Account, market: Market, now: int, *, is_isolated: bool
) -> Refusal | None:
    """Let a symbol's positions have margin of their own, or all that the account has."""
    symbol = market.instrument.symbol
    if is_isolated is (symbol in account.isolated):
        return Refusal(no.SAME_MARGIN_TYPE, f"{symbol} is that already")
    if any(order.symbol == symbol for order in account.orders.values()):
        return Refusal(no.HAS_OPEN_ORDERS, f"orders in {symbol} are open")
    if any(each.symbol == symbol for each in account.held()):
        return Refusal(no.HAS_POSITION, f"a position in {symbol} is open")
    if is_isolated and account.is_multi_assets:
        return Refusal(no.ISOLATED_HAS_ASSETS, "the account is in multi-assets mode")
    if is_isolated:
        account.isolated[symbol] = None
    else:
        del account.isolated[symbol]
    books.mark_account(account.account_id)
    asset = market.instrument.margin_asset
    account.wallets.setdefault(asset, ZERO)
    for side in account.sides:
        position = account.seen(symbol, side)
        books.say(books.position_update(position, now, reason="MARGIN_TYPE_CHANGE"))
    return None


def set_position_mode(books: Books, account: Account, *, is_hedged: bool) -> Refusal | None:
    """Let an account hold a long and a short position of a symbol at once, or one position."""
    if is_hedged is account.is_hedged:
        return Refusal(no.SAME_POSITION_MODE, "it is that already")
    if account.orders:
        return Refusal(no.MODE_HAS_OPEN_ORDERS, f"{len(account.orders)} orders are open")
    if account.held():
        return Refusal(no.MODE_HAS_POSITION, f"{len(account.held())} positions are open")
    account.is_hedged = is_hedged
    books.mark_account(account.account_id)
    return None


def set_asset_mode(books: Books, account: Account, *, is_multi_assets: bool) -> Refusal | None:
    """Let all dollars stand for all that settles in dollars, or each asset for its own."""
    if is_multi_assets is account.is_multi_assets:
        return Refusal(no.SAME_ASSET_MODE, "it is that already")
    if account.orders:
        return Refusal(no.ASSETS_HAVE_OPEN_ORDERS, f"{len(account.orders)} orders are open")
    if is_multi_assets and account.isolated:
        return Refusal(no.ASSETS_HAVE_ISOLATED, f"{', '.join(account.isolated)} is isolated")
    for asset in () if is_multi_assets else pool_of(books, account, "USDT"):
        own = account_margin(account, books.markets, asset, books.default_leverage)
        if own.wallet < ZERO or own.headroom < ZERO:
            text = f"what settles in {asset} lacks {plain(max(-own.headroom, -own.wallet))}"
            return Refusal(no.ASSETS_LACK_MARGIN, text)
    account.is_multi_assets = is_multi_assets
    books.mark_account(account.account_id)
    return None


def mode_refusal(account: Account, order: VenueOrder) -> Refusal | None:
    """Check that an order names a position that the account can have, and how it moves it."""
    side = order.position_side
    if side not in account.sides:
        mode = "hedged" if account.is_hedged else "one-way"
        return Refusal(no.OTHER_POSITION_SIDE, f"the account is {mode}, the order is {side.value}")
    if order.asked.reduce_only and account.is_hedged and not side.is_closed_by(order.side):
        what = f"a {order.side.value} order adds to the {side.value} position"
        return Refusal(no.REDUCE_ONLY_CONFLICT, what)
    return None


def move_margin(
    books: Books, account: Account, row: SymbolMargin, amount: Decimal, now: int
) -> Refusal | None:
    """Put margin into an isolated position, or take it out with a negative amount."""
    position = row.position
    asset = books.markets[position.symbol].instrument.margin_asset
    refusal = _move_refusal(books, account, row, amount)
    if refusal is not None:
        return refusal
    position.isolated_wallet += amount
    books.mark_position(position)
    books.say(books.position_update(position, now, reason="MARGIN_TRANSFER", change=-amount))
    books.record_margin_move(
        MarginMove(
            number=books.next_id("change_id"),
            account=account.account_id,
            symbol=position.symbol,
            side=position.side,
            asset=asset,
            amount=amount,
            ts=now,
        )
    )
    return None


def _move_refusal(
    books: Books, account: Account, row: SymbolMargin, amount: Decimal
) -> Refusal | None:
    if row.position.side not in account.sides:
        return Refusal(no.OTHER_POSITION_SIDE, f"there is no {row.position.side.value} position")
    if not row.is_isolated:
        return Refusal(no.ONLY_ISOLATED, f"{row.position.symbol} is cross")
    if not row.position.qty:
        return Refusal(no.NO_POSITION_FOR_MARGIN, f"no position in {row.position.symbol} is open")
    if not amount:
        return Refusal(no.AMOUNT_NOT_POSITIVE, f"amount was {plain(amount)}")
    if amount < ZERO:
        return _removal_refusal(row, -amount)
    asset = books.markets[row.position.symbol].instrument.margin_asset
    total = pool_margin(books, account, asset)
    if amount > total.available:
        return Refusal(
            no.CROSS_LACKS, f"{plain(amount)} {asset} is above {plain(total.available)} available"
        )
    return None


def _removal_refusal(row: SymbolMargin, amount: Decimal) -> Refusal | None:
    """Leave an isolated position its initial margin at the mark, losses counted in full."""
    spare = row.position.isolated_wallet + min(ZERO, row.unrealized) - row.position_margin
    if amount <= spare:
        return None
    return Refusal(
        no.ISOLATED_LACKS, f"{plain(amount)} is above {plain(max(ZERO, spare))} that may be taken"
    )


def margin_moves(books: Books, account: AccountId, symbol: Symbol) -> list[MarginMove]:
    """Return what was moved in and out of a symbol's isolated positions, oldest first."""
    return [
        each
        for each in books.margin_moves.values()
        if each.account == account and each.symbol == symbol
    ]
