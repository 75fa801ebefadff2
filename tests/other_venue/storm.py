"""A storm at the other venue: many troubles at once, on all roads, while somebody trades.

What happens is drawn from a seed; when it happens is the machine's, so that a seed is a mixture of
troubles and no replay.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from contextlib import asynccontextmanager
from decimal import Decimal

from holdfast.model.errors import TradingError
from tests.other_venue.depth import LEVELS
from tests.other_venue.street import BTC, QUICK, session, street

ETH = "ETHUSDT"
SYMBOLS = (BTC, ETH)
STORM_S = 8.0
CALM_S = 45.0
LOTS = {BTC: Decimal("0.001"), ETH: Decimal("0.01")}
TICKS = {BTC: Decimal("0.1"), ETH: Decimal("0.01")}
START = {BTC: Decimal(50_000), ETH: Decimal(2_000)}
HABITS = (
    ("lite_late", "fills_first", "no_trade_events", ""),
    ("late_events", ""),
    ("late_replies", ""),
    ("children_first", ""),
    ("other_child_names", ""),
    ("replays", ""),
    ("newest_first", ""),
    ("lags", ""),
    ("late_trades", ""),
    ("wide_ids", "own_numbers", ""),
    ("three_trades", ""),
    ("bnb_fees", ""),
    ("shrinks", ""),
    ("results", ""),
    ("wrapped", ""),
    ("bare_texts", "wordless", ""),
    ("texts", "numbers", "nulls", "sparse", ""),
    ("close_each", "close_silently", ""),
    ("depth", ""),
    ("batched", ""),
    ("backwards", ""),
    ("taken_over_words", ""),
)
"""One of each line is drawn."""

KINDS = (
    *("unknown", "unavailable", "internal", "timeout_done", "bus_done", "throttled", "mistimed"),
    *("too_many", "page", "page_done", "reset", "reset_done", "half", "slow", "mute"),
    *("unknown_done", "internal_done", "mute_done"),
)
PLACES = (
    *("order.*", "algoOrder.*", "order.place", "*order.cancel", "order.status", "v2/account.*"),
    *("POST /fapi/v1/order", "POST /fapi/v1/algoOrder", "DELETE *", "GET */openOrders"),
    *("GET */openAlgoOrders", "GET */userTrades", "GET */positionRisk", "GET *", "*listenKey"),
    *("WS /private/*", "WS /ws-fapi/*"),
)


class Storm:
    """One storm. `market` is the venue, `one` the session."""

    def __init__(self, seed, market, one):
        self.seed, self.lots = seed, random.Random(seed)
        self.market, self.one = market, one
        self.fundings = itertools.count()
        self.is_over = self.has_meddled = False
        self.refused: Counter = Counter()

    async def blow(self):
        """Let everything happen for a while, then let it be calm."""
        await self.one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
        roles = {self.trade: 0.1, self.move: 0.15, self.trouble: 0.6, self.cut: 0.8}
        if self.seed % 4 == 0:
            roles[self.meddle] = 1.0
        if self.seed % 3 == 1:
            roles[self.seize] = 1.5
        async with asyncio.TaskGroup() as group:
            for role, pause in roles.items():
                group.create_task(self.again(role, pause))
            await asyncio.sleep(STORM_S)
            self.is_over = True
        self.market.call(self.clear)

    def clear(self):
        venue = self.market.venue
        venue.troubles.clear()
        venue.losses = 0.0
        venue.books.part = Decimal(1)
        venue.books.thin(LEVELS)

    async def again(self, role, pause):
        while not self.is_over:
            await asyncio.sleep(self.lots.uniform(0, 2 * pause))
            await role()

    async def trade(self):
        act = self.lots.choice((self.enter, self.enter, self.enter, self.leave, self.change))
        try:
            async with asyncio.timeout(20):
                await act(self.lots.choice(SYMBOLS))
        except TradingError as error:
            self.refused[type(error).__name__] += 1
            # it was told that it was not done, or not known; the books say whether that is so

    async def enter(self, symbol):
        lots, service = self.lots, self.one.service
        side = lots.choice(("BUY", "SELL"))
        sign = 1 if side == "BUY" else -1
        price = self.market.venue.books.prices[symbol]
        given = {"stop_loss": near(price, -sign * 0.02, symbol)}
        if lots.random() < 0.4:
            given["take_profit"] = near(price, sign * 0.01, symbol)
        qty = LOTS[symbol] * lots.randint(5, 12)
        drawn = lots.random()
        if drawn < 0.2:
            await self.wait_for(symbol, side, qty, given)
            return
        if drawn < 0.5:
            algo = lots.choice(("", "", "", "twap:over=4s,slices=3"))
            await service.place_order(symbol, side, qty * 3 if algo else qty, algo=algo, **given)
            return
        limit = near(price, -sign * lots.uniform(0, 0.004), symbol)
        tif = lots.choice(("GTC", "GTC", "IOC", "FOK", "GTX"))
        await service.place_order(symbol, side, qty, "LIMIT", limit, time_in_force=tif, **given)

    async def wait_for(self, symbol, side, qty, given):
        """Enter by a conditional order; what it becomes may rest."""
        lots, sign = self.lots, 1 if side == "BUY" else -1
        price = self.market.venue.books.prices[symbol]
        kind = lots.choice(("STOP", "STOP_MARKET", "TAKE_PROFIT", "TRAILING_STOP_MARKET"))
        trigger = near(price, sign * 0.002 * (-1 if kind.startswith("TAKE") else 1), symbol)
        more = {"trigger_price": trigger}
        if kind.startswith("TRAILING"):
            more = {"callback_rate": "0.3"}
        elif not kind.endswith("MARKET"):
            more["price"] = near(trigger, -sign * 0.001, symbol)
        await self.one.service.place_order(symbol, side, qty, kind, **more, **given)

    async def leave(self, symbol):
        held = self.one.books()[1].get(symbol)
        if held and self.lots.random() < 0.3:
            await self.one.service.adjust_position(symbol, held / 2 // LOTS[symbol] * LOTS[symbol])
        elif held:
            await self.one.service.close_position(symbol)

    async def change(self, symbol):
        resting = [
            order
            for order in self.one.state.all_open_orders()
            if order.request.symbol == symbol and order.price and not order.request.reduce_only
        ]
        if not resting:
            return
        order = self.lots.choice(resting)
        if self.lots.random() < 0.5:
            await self.one.service.cancel_order(order.cl_ord_id)
        else:
            price = near(order.price, self.lots.uniform(-0.002, 0.002), symbol)
            await self.one.service.modify_order(order.cl_ord_id, new_price=price)

    async def move(self):
        symbol = self.lots.choice(SYMBOLS)
        price = self.market.venue.books.prices[symbol]
        far = 0.03 if self.lots.random() < 0.1 else 0.003
        price = near(price, self.lots.uniform(-far, far), symbol)
        if abs(price / START[symbol] - 1) < Decimal("0.2"):
            self.market.venue.books.part = Decimal(self.lots.choice(("0.3", "0.5", "1")))
            if self.market.venue.books.depths:
                self.market.venue.books.thin(self.lots.choice((1, 3, LEVELS)))
            self.market.price(price, symbol)

    async def meddle(self):
        """Do what somebody else does with the account: trade at the market, or leave an order."""
        symbol, side = self.lots.choice(SYMBOLS), self.lots.choice(("BUY", "SELL"))
        books, qty = self.market.venue.books, LOTS[symbol] * self.lots.randint(1, 4)
        self.has_meddled = True
        if self.lots.random() < 0.2:
            self.market.call(
                lambda: [books.prevented(each, "EXPIRED") for each in books.open_orders(symbol)]
            )
            return
        kind, price = "MARKET", None
        if self.lots.random() < 0.4:
            kind, price = "LIMIT", near(books.prices[symbol], -0.01 * (side == "BUY"), symbol)
        self.market.call(lambda: books.placed_by_hand(symbol, side, qty, kind, price))

    async def seize(self):
        """Let the venue close some of a position, or move an isolated one's margin."""
        symbol, books = self.lots.choice(SYMBOLS), self.market.venue.books
        ends, share = self.lots.random() < 0.5, self.lots.choice((1, 2, 3, 3))
        self.market.call(lambda: seize_some(books, symbol, share, ends=ends))

    async def trouble(self):
        kind, place = self.lots.choice(KINDS), self.lots.choice(PLACES)
        self.market.trouble(kind, place, self.lots.choice((1, 1, 1, 3)))

    async def cut(self):
        lots, venue = self.lots, self.market.venue
        match lots.randrange(9):
            case 0:
                self.market.close("users", lots.choice((1000, 1001, 0, None)))
            case 1:
                self.market.close("orders", lots.choice((1000, 1001, 0, None)))
            case 2 if lots.random() < 0.3:
                self.market.close("markets", lots.choice((1000, 1001, 0, None)))
            case 3 if lots.random() < 0.3:
                self.market.call(venue.expire_key)
            case 4 if lots.random() < 0.3:
                self.market.call(venue.users.clear)
            case 5:
                # No two of a period are alike: a payment is known by its amount.
                rate = f"0.0001{next(self.fundings):03}"
                self.market.call(lambda: venue.books.fund(lots.choice(SYMBOLS), rate))
            case 6:
                self.market.call(lambda: setattr(venue, "losses", lots.choice((0.0, 0.1, 0.5))))
            case 7 if lots.random() < 0.2:
                self.market.restart(lambda: None)
            case 8 if lots.random() < 0.3:
                self.market.call(lambda: venue.log_off(is_told=lots.random() < 0.5))
            case _:
                pass

    # Afterwards

    async def calm(self):
        """Wait until here and there are the same, and each position has its stop."""
        await self.until(lambda: self.one.books() == self.market.books())
        if not self.has_meddled:  # a stranger may trade against what is protected
            await self.until(self.is_protected)
        await self.until(lambda: self.one.status == "RUNNING")
        await self.until(lambda: self.one.books() == self.market.books())

    def is_protected(self):
        return self.market.protected() == self.market.books()[1]

    async def until(self, condition):
        try:
            async with asyncio.timeout(CALM_S):
                while not condition():  # noqa: ASYNC110 - whatever it is, no event tells of it
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"{self.one.books()} here, {self.market.books()} there, stops of "
                f"{self.market.protected()}, {self.one.status}"
            ) from None

    def unlike(self):
        """Return the orders that filled otherwise than we have it."""
        orders = self.market.call(
            lambda: [(o.client_id, o.done) for o in self.market.venue.books.orders.values()]
        )
        known = self.one.state.orders
        return [
            (name, done, known.get(name) and known[name].cum_qty)
            for name, done in orders
            if name.startswith("hf.") and name in known and known[name].cum_qty != done
        ]


def seize_some(books, symbol, share, *, ends):
    """Liquidate (`ends`: its orders too) or deleverage one part of so many, in two trades."""
    held = books.position(symbol)
    lots = abs(held.qty) // LOTS[symbol] // share
    if held.margin:
        books.move_margin(symbol, 1)
    if not lots:
        return
    price = books.prices[symbol]
    parts = [(LOTS[symbol] * (lots // 2), price), (LOTS[symbol] * (lots - lots // 2), price)]
    if ends:
        books.end_orders(symbol)
    name = f"autoclose-{books.now()}" if ends else "adl_autoclose"
    books.closed_by_venue(symbol, name, [each for each in parts if each[0]])
    if ends:
        books.insured(symbol, "-0.5")


def near(price, share, symbol):
    """Return a price so far from another one, on the tick."""
    return (price * Decimal(1 + share) // TICKS[symbol]) * TICKS[symbol]


def habits_of(seed):
    lots = random.Random(f"habits {seed}")
    return [each for each in (lots.choice(row) for row in HABITS) if each]


@asynccontextmanager
async def storm(folder, seed):
    """Open a street and a session there for one storm."""
    with street(*habits_of(seed), key="ed25519" if seed % 4 == 2 else "hmac") as market:
        lose_frames(market.venue, random.Random(f"frames {seed}"))
        given = {"symbols": SYMBOLS, "read_lag_s": 1.0, "breaker_threshold": 1000, **QUICK}
        given |= {
            "isolated": seed % 5 < 2,
            "over_ws": seed % 3 != 0,
            "max_positions": 10,
            "max_executions": 1000,
        }
        async with session(folder, market, **given) as one:
            yield Storm(seed, market, one)


def lose_frames(venue, lots):
    """Let frames of the user stream be lost, or come twice, as often as `losses` says."""
    send, venue.losses = venue._send_user, 0.0

    def send_some(text):
        drawn = lots.random()
        if drawn < venue.losses:
            return
        send(text)
        if drawn > 0.97 and venue.losses:
            send(text)

    venue._send_user = send_some
