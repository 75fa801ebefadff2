"""Several accounts in one session: each is traded as it would be in a session of its own."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model import messages as msg
from holdfast.model.market import MarkPrice
from holdfast.model.values import Side
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.accounts_house import AccountsHouse, names_of_all
from tests.engine.lifecycle_venue import STRATEGIES, SYMBOLS
from tests.engine.test_lifecycle import DEEDS as DEEDS_OF_ONE
from tests.engine.test_lifecycle import WEATHERS
from tests.engine.test_lifecycle import Storm as StormOfOne


class Storm(StormOfOne):
    """Draws what happens on several accounts, and to one that is left out of the settings."""

    def __init__(self, lots, weather, count):
        self.lots, self.names = lots, 0
        self.house: AccountsHouse = AccountsHouse(lots, weather, count=count)
        self.watch = self.house.watch

    def attach_strategy(self):
        name = self.lots.choice(STRATEGIES)
        self.house.hear(self.house.life, msg.StrategyAttached(strategy_id=name, description=""))

    # Money and margin

    def move_money(self):
        books = self._books()
        self.names += 1
        amount = Decimal(self.lots.choice((-20, 5, 1000)))
        reason = self.lots.choice(("TRANSFER", "INSURANCE_CLEAR"))
        names = [books] if self.lots.random() < 0.5 else list(self.house.all.values())
        for each in names:  # paid at once, under one name
            change = msg.WalletChange(
                account=each.name,
                asset="USDT",
                amount=amount,
                reason=reason,
                change_id=f"c{self.names}",
                venue_ts=self.house.now,
            )
            self.house.pay(each, change)

    def pay_funding(self):
        self.names += 1
        symbol = self.lots.choice(SYMBOLS)
        for each in self.house.all.values():
            if each.qty[symbol]:
                payment = msg.FundingPayment(
                    account=each.name,
                    symbol=symbol,
                    amount=-each.qty[symbol] / 10,
                    payment_id=f"f{self.names}",
                    venue_ts=self.house.now,
                )
                self.house.pay(each, payment)

    def mark(self):
        """Let a contract be marked far from its market, or at it."""
        price = self.lots.choice((60.0, 97.0, 100.0, 104.0, 150.0))
        rig, symbol = self.house.rig, self.lots.choice(SYMBOLS)
        rig.hear(MarkPrice(symbol=symbol, ts=self.house.now, mark_price=price))

    def isolate(self):
        books, symbol = self._books(), self.lots.choice(SYMBOLS)
        wallets = {symbol: Decimal(self.lots.choice((0, 5, 50)))}
        self.house.hear(self.house.life, msg.IsolatedWallets(account=books.name, wallets=wallets))

    def call_margin(self):
        message = msg.MarginCalled(account=self._books().name, symbols=SYMBOLS)
        self.house.hear(self.house.life, message)

    def trail(self):
        """Let the books of some accounts be off for a while, all by one amount."""
        names = list(self.house.all)
        self.lots.shuffle(names)
        seconds = self.lots.choice((0.3, 2, 8))
        self.house.trail(names[: self.lots.randint(1, len(names))], seconds)
        for name in self.house.accounts:
            self.house.hear(self.house.life, msg.AuditDue(account=name))

    # Accounts

    def leave_out(self):
        """End the process; the next one's settings have other accounts."""
        names = list(self.house.all)[1:]
        self.house.left_out = {name for name in names if self.lots.random() < 0.5}
        self.die()

    def trade_elsewhere(self):
        """Let somebody trade on any account, one that is left out too."""
        books = self.lots.choice(list(self.house.all.values()))
        side = self.lots.choice(tuple(Side))
        price = self.lots.choice((None, Decimal(98)))
        self.house.strangers_order(books, self.lots.choice(SYMBOLS), side, self._qty(), price)


CALM_S = 60
D = Storm
DEEDS = (
    *DEEDS_OF_ONE,
    *(D.move_money, D.pay_funding, D.mark, D.mark, D.isolate, D.call_margin) * 2,
    *(D.leave_out, D.trade_elsewhere, D.trail) * 3,
)


@given(
    seed=st.integers(0, 2**64),
    weather=st.sampled_from(WEATHERS),
    count=st.sampled_from((2, 2, 3)),
    deeds=st.lists(st.sampled_from(DEEDS), min_size=3, max_size=14),
    seconds=st.integers(3, 40),
)
@settings(max_examples=100)
def test_an_account_is_traded_as_it_would_be_alone(seed, weather, count, deeds, seconds):
    with names_of_all():
        storm = Storm(random.Random(seed), weather, count)
        storm.wait(2)
        storm.blow((*deeds, D.wish, D.place, D.take), seconds)
        storm.calm()
        storm.wait(CALM_S)
        if not storm.house.is_down and storm.house.state.status in {Status.RUNNING, Status.PAUSED}:
            storm.house.look_at_books()
