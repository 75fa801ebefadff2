"""What storage would hold of an exchange, and whether an exchange loaded from it is the same."""

from __future__ import annotations

from holdfast.exchange import Exchange, Liquidity
from holdfast.exchange.rows import INCOME, TRADE, Row


class Shelf:
    """Rows as storage keeps them: replaced by key, or appended."""

    def __init__(self):
        self.kept: dict[tuple[str, str], Row] = {}
        self.appended: list[Row] = []

    def put(self, rows):
        for row in rows:
            if row.kind in (TRADE, INCOME):
                self.appended.append(row)
            elif row.payload is None:
                self.kept.pop((row.kind, row.key), None)
            else:
                self.kept[row.kind, row.key] = row

    def exchange(self, liquidity: Liquidity, now: int) -> Exchange:
        found = Exchange(liquidity=liquidity)
        found.load([*self.kept.values(), *self.appended], now)
        return found


def contents(exchange: Exchange) -> dict:
    """Lay open everything that must outlive the process."""
    books = exchange._books
    return {
        "accounts": {
            name: (
                dict(each.wallets),
                dict(each.leverages),
                each.is_hedged,
                list(each.isolated),
                dict(each.positions),
                dict(each.orders),
                each.closed,
                each.replaced,
            )
            for name, each in books.accounts.items()
        },
        "lines": {
            symbol: (
                [order.uid for order in market.buys],
                [order.uid for order in market.sells],
                [order.uid for order in market.waiting],
                market.holders,
                market.funded_ts,
                market.instrument,
            )
            for symbol, market in books.markets.items()
        },
        "ids": set(books.by_id),
        "counters": books.counters,
        "margin moves": dict(books.margin_moves),
        "trades": list(books.trades),
        "incomes": list(books.incomes),
    }
