"""A market with depth at the other venue: levels on either side of a spread, which orders eat.

Levels lie `STEP` of the price apart and hold a few lots each. What was eaten is back at the next
beat, or when the price moves.
"""

from __future__ import annotations

from decimal import Decimal

STEP = Decimal("0.0001")
LEVELS = 6
SIZES = (3, 2, 4, 2, 3, 5)
"""In units of the symbol, from the best level on."""
UNITS = {"BTCUSDT": 1, "ETHUSDT": 10}


class Depth:
    """One symbol's book beside our own orders: [price, quantity] from the best level on."""

    def __init__(self, symbol, price, contract):
        self.tick = contract["tick"]
        self.unit = contract["lot"] * UNITS.get(symbol, 1)
        self.levels_there = LEVELS
        self.sides: dict = {}
        self.refill(price)

    def refill(self, price):
        """Put the levels about a price."""
        step = max(self.tick, price * STEP // self.tick * self.tick)
        self.sides = {
            sign: [
                [price + sign * step * (1 + at), self.unit * SIZES[at % len(SIZES)]]
                for at in range(self.levels_there)
            ]
            for sign in (1, -1)
        }

    def best(self, sign):
        """Return the best price for an order of that sign, None where nothing is left."""
        return self.sides[sign][0][0] if self.sides[sign] else None

    def there(self, sign, limit=None):
        """Return how much an order of that sign would get, up to its limit."""
        return sum(qty for price, qty in self.sides[sign] if within(price, limit, sign))

    def eat(self, sign, qty, limit=None):
        """Take a quantity off the levels; yield (price, quantity) of each."""
        levels = self.sides[sign]
        while qty and levels and within(levels[0][0], limit, sign):
            price, there = levels[0]
            taken = min(qty, there)
            qty -= taken
            levels[0][1] -= taken
            if not levels[0][1]:
                del levels[0]
            yield price, taken


def within(price, limit, sign):
    return limit is None or (price - limit) * sign <= 0
