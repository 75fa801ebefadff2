"""The life of a session, whatever is asked of it and whenever its process ends.

A storm of a person's words, wishes, strangers, faults, breaks and crashes; then a calm, in which
the session comes to where it was told to be, and stays there in peace; then a stop.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.engine.housekeeping import can_be_left
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import NS_PER_DAY, NS_PER_S, OrderType, Side, SignalType
from holdfast.model.values import TradingSessionStatus as Status
from tests.engine.lifecycle_venue import CALM, STRATEGIES, SYMBOLS, House, Weather
from tests.engine.lifecycle_watch import Watch

LIFE = {"account_mode", "breaker", "kill_switch", "link", "session", "strategy"}
PEACEFUL = (ev.EquitySampled, ev.BooksAgreed, ev.TradesRead, ev.TradingDayStarted)
CALM_S, QUIET_S, STOP_S = 75, 30, 28
TWAP = "twap:over=20s,slices=4"


class Storm:
    """Draws what happens."""

    def __init__(self, lots, weather, *, has_two):
        self.lots, self.watch = lots, Watch()
        self.house = House(lots, weather, has_two=has_two, watch=self.watch)
        self.names = 0

    def _books(self):
        return self.lots.choice(list(self.house.accounts.values()))

    def _qty(self):
        return Decimal(self.lots.randint(1, 20)) / 10

    # A person

    def pause(self):
        self.house.ask(msg.PauseSession(reason="tea"))

    def resume(self):
        self.house.ask(msg.ResumeSession())

    def stop(self):
        self.house.ask(msg.StopSession(reason="done", flatten=self.lots.random() < 0.5))

    def kill(self):
        self.house.ask(msg.EngageKillSwitch(reason="panic", flatten=self.lots.random() < 0.4))

    def release(self):
        self.house.ask(msg.ReleaseKillSwitch(operator="ann"))

    def fail(self):
        self.house.hear(self.house.life, msg.FailSession(reason="odd"))

    def reset(self):
        if self.house.state.status is Status.ERROR and can_be_left(self.house.state):
            self.house.hear(self.house.life, msg.ResetSession(reason="seen to"))

    def place(self):
        side = self.lots.choice(tuple(Side))
        more: dict[str, Any] = {}
        if self.lots.random() < 0.5:
            price = 99 if side is Side.BUY else 101
            more = {"order_type": OrderType.LIMIT, "price": Decimal(price)}
        if self.lots.random() < 0.5:
            more["stop_loss"] = Decimal(90 if side is Side.BUY else 110)
        symbol, account = self.lots.choice(SYMBOLS), self._books().name
        self.house.ask(
            msg.PlaceRequest(symbol=symbol, side=side, qty=self._qty(), account=account, **more)
        )

    def close(self):
        symbol, account = self.lots.choice(SYMBOLS), self._books().name
        self.house.ask(msg.CloseRequest(symbol=symbol, account=account))

    def adjust(self):
        target = self._qty() * self.lots.choice((-1, 0, 1))
        symbol, account = self.lots.choice(SYMBOLS), self._books().name
        self.house.ask(msg.AdjustRequest(symbol=symbol, target_qty=target, account=account))

    def cancel(self):
        names = [order.cl_ord_id for order in self.house.state.all_open_orders()]
        if names:
            self.house.ask(msg.CancelRequest(cl_ord_id=self.lots.choice(names)))

    # Strategies

    def wish(self):
        kind = self.lots.choice((SignalType.BUY, SignalType.SELL, SignalType.CLOSE))
        more = {}
        if kind is not SignalType.CLOSE:
            is_buy = kind is SignalType.BUY
            more["quantity"] = self._qty()
            if self.lots.random() < 0.5:
                more["stop_loss"] = Decimal(90 if is_buy else 110)
            if self.lots.random() < 0.4:
                more |= {"order_type": OrderType.LIMIT, "price": Decimal(99 if is_buy else 101)}
            elif self.lots.random() < 0.3:
                more |= {"algo": TWAP, "quantity": Decimal(4)}
        signal = SignalGenerated(
            signal_type=kind,
            symbol=self.lots.choice(SYMBOLS),
            strategy_id=self.lots.choice(STRATEGIES),
            account=self._books().name,
            **more,
        )
        self.house.hear(self.house.life, signal)

    def fail_strategy(self):
        name = self.lots.choice(STRATEGIES)
        if name in self.watch.stopped:
            return
        self.house.hear(self.house.life, msg.StrategyFailed(strategy_id=name, reason="raised"))

    def attach_strategy(self):
        name = self.lots.choice(STRATEGIES)
        self.house.hear(self.house.life, msg.StrategyAttached(strategy_id=name, description=""))

    # The venue

    def take(self):
        """Let a resting order fill, or a stop trigger."""
        books = self._books()
        resting = [o for o in books.open_orders() if o.is_waiting or o.asked.price is not None]
        if not resting:
            return
        order = self.lots.choice(resting)
        if order.is_waiting:
            self.house.trigger(books, order)
        else:
            half = (order.leaves_qty / 2).quantize(Decimal("0.1"))
            is_all = self.lots.random() < 0.5 or not half
            self.house.fill(books, order, order.leaves_qty if is_all else half)

    def stranger(self):
        side, price = self.lots.choice(tuple(Side)), self.lots.choice((None, 98, 102))
        price = price and Decimal(price)
        self.house.strangers_order(
            self._books(), self.lots.choice(SYMBOLS), side, self._qty(), price
        )

    def break_link(self):
        books = self._books()
        if books.is_told and not self.house.is_down:
            self.names += 1
            books.is_told = False
            books.is_reachable = self.lots.random() < 0.6
            self.house.hear(
                self.house.life,
                msg.VenueLink(account=books.name, is_up=False, reason=f"broke {self.names}"),
            )
            self.house.after(self.lots.uniform(0.5, 15), self.mend_link, self.house.life, books)

    def mend_link(self, life, books):
        books.is_reachable = True
        if life == self.house.life and not books.is_told:
            books.is_told = True
            self.house.hear(life, msg.VenueLink(account=books.name, is_up=True))

    def vanish(self):
        """Let requests go nowhere for a while, though the stream comes."""
        books = self._books()
        books.is_reachable = False
        self.house.after(self.lots.uniform(0.5, 10), self.appear, books)

    def appear(self, books):
        books.is_reachable = True

    def ban(self):
        self.names += 1
        until = self.house.now + round(self.lots.uniform(5, 30)) * NS_PER_S
        for books in self.house.accounts.values():
            books.banned_until = until
            text = f"banned {self.names}"
            message = msg.AddressBanned(account=books.name, until_ts=until, text=text)
            self.house.hear(self.house.life, message)

    def failure(self):
        books, kind = self._books(), self.lots.choice(("venue", "limits"))
        for _ in range(self.lots.choice((1, 2, 5))):
            message = msg.VenueFailure(account=books.name, failure=kind, reason="503")
            self.house.hear(self.house.life, message)

    def mode(self):
        books = self._books()
        self.names += 1
        books.problem = "" if books.problem else f"hedge mode {self.names}"
        message = msg.AccountMode(account=books.name, problem=books.problem)
        self.house.hear(self.house.life, message)

    def announce(self):
        """Say that a contract ends, halts, or goes on."""
        books, symbol = self._books(), self.lots.choice(SYMBOLS)
        known = books.contracts[symbol]
        if known.delivery_ts or not known.is_trading:
            changes = {"delivery_ts": 0, "status": "TRADING"}
        else:
            changes = self.lots.choice(
                (
                    {"delivery_ts": self.house.now + NS_PER_DAY // 2},
                    {"status": "PRE_SETTLE"},
                    {"status": "PENDING_TRADING"},
                )
            )
        books.contracts[symbol] = msgspec.structs.replace(known, **changes)
        self.house.list_contract(books, symbol)

    def die(self):
        self.house.die(self.lots.choice((0.5, 3, 15)))

    def die_in_the_act(self):
        kept = self.lots.choice((0, 0.3, 0.6, 1, 1, 1))
        self.house.die_in_the_act(self.lots.choice((0.5, 3)), kept)

    def lose_power(self):
        self.house.lose_power(8)  # a machine's start takes longer than orders are on their way

    # All of it

    def blow(self, deeds, seconds):
        end = self.house.now + seconds * NS_PER_S
        while self.house.now < end:
            wait_s = self.lots.choice((0, 0.02, 0.3, 1, 3))
            self.house.run_until(self.house.now + round(wait_s * 1000) * 1_000_000)
            deed = self.lots.choice(deeds)
            deed(self)
            if self.lots.random() < 0.1:
                deed(self)

    def calm(self):
        """Let all roads be well, and all that was announced be taken back."""
        house = self.house
        house.weather, house.kept = CALM, None
        for books in house.accounts.values():
            books.banned_until = 0
            self.mend_link(house.life, books)
            if books.problem:
                books.problem = ""
                house.hear(house.life, msg.AccountMode(account=books.name))
            for symbol, known in books.contracts.items():
                is_shut = known.delivery_ts or not known.is_trading
                if is_shut and (not known.can_be_closed or self.lots.random() < 0.5):
                    changes = {"delivery_ts": 0, "status": "TRADING"}
                    books.contracts[symbol] = msgspec.structs.replace(known, **changes)
                    house.list_contract(books, symbol)
            for order in books.open_orders():
                if order.asked.price is None and not order.is_waiting:
                    house.after(0, house.execute, books, order)

    def wait(self, seconds):
        self.house.run_until(self.house.now + seconds * NS_PER_S)


D = Storm
DEEDS = (
    *(D.wish,) * 8,
    *(D.place,) * 4,
    *(D.take,) * 6,
    *(D.pause, D.resume) * 2,
    *(D.kill, D.release) * 2,
    *(D.stop, D.fail, D.reset),
    *(D.close, D.adjust, D.cancel),
    *(D.fail_strategy, D.attach_strategy),
    *(D.stranger, D.break_link, D.vanish, D.ban, D.failure, D.mode, D.announce),
    *(D.die, D.die_in_the_act, D.die_in_the_act, D.lose_power),
)
WEATHERS = (
    CALM,
    Weather(slow_s=2),
    Weather(faults=0.2, dropped=0.2, slow_s=1),
    Weather(faults=0.5, dropped=0.4, slow_s=4),
)


@given(
    seed=st.integers(0, 2**64),
    weather=st.sampled_from(WEATHERS),
    has_two=st.booleans(),
    deeds=st.lists(st.sampled_from(DEEDS), min_size=3, max_size=12),
    seconds=st.integers(3, 40),
)
@settings(max_examples=120)
def test_a_session_comes_to_where_it_was_told_to_be(seed, weather, has_two, deeds, seconds):
    lots = random.Random(seed)
    storm = Storm(lots, weather, has_two=has_two)
    if lots.random() < 0.8:
        storm.wait(lots.choice((1, 3)))
    storm.blow((*deeds, D.wish, D.place, D.take), seconds)
    storm.calm()
    storm.wait(CALM_S)
    assert storm.watch.found == []
    look_at_peace(storm)
    look_that_it_trades(storm)
    if not storm.house.is_down:
        look_at_the_end(storm, flatten=lots.random() < 0.5)
    assert storm.watch.found == []


def look_that_it_trades(storm):
    """See that a session which runs takes new risk wherever it may."""
    house, watch = storm.house, storm.watch
    if watch.expected is not Status.RUNNING or watch.is_killed:
        return
    for books in house.accounts.values():
        for symbol, known in books.contracts.items():
            is_shut = known.delivery_ts or not known.is_trading
            side, before = Side.SELL if books.qty[symbol] < 0 else Side.BUY, books.qty[symbol]
            request = msg.PlaceRequest(symbol=symbol, side=side, qty=Decimal(1), account=books.name)
            assert house.ask(request) is None
            denied = [f.rule for f in house.rig.news if isinstance(f, ev.OrderDenied)]
            storm.wait(3)
            if is_shut:
                assert books.qty[symbol] == before
            elif denied:
                assert not LIFE.intersection(denied)
            else:
                assert books.qty[symbol] == before + side.sign


def look_at_peace(storm):
    """See that the session stands where it was told to, as the venue does, and is quiet."""
    house, watch = storm.house, storm.watch
    assert not house.is_down
    state = house.state
    assert state.status is watch.expected
    assert state.is_killed is watch.is_killed
    held = {key: p.qty for key, p in state.positions.items() if p.qty}
    assert held == {
        (b.name, symbol): qty
        for b in house.accounts.values()
        for symbol, qty in b.qty.items()
        if qty
    }
    ours = {o.cl_ord_id for o in state.all_open_orders()}
    assert ours == {o.asked.cl_ord_id for b in house.accounts.values() for o in b.open_orders()}
    if watch.is_killed:
        assert state.is_kill_verified
        assert not (watch.kill_flat and held)
    is_pause = watch.expected is Status.PAUSED and not house.rig.settings.cancel_entries_on_pause
    if watch.is_killed or (watch.expected is not Status.RUNNING and not is_pause):
        assert not any(house.entries(books) for books in house.accounts.values())
    for books in house.accounts.values():
        shut = [s for s, c in books.contracts.items() if c.delivery_ts or not c.is_trading]
        assert not any(order.symbol in shut for order in house.entries(books))
    for order in state.all_open_orders():
        is_entry = order.is_ours and not order.request.reduce_only
        assert not (is_entry and order.request.strategy_id in watch.stopped)
    due = [
        p.parent_id
        for p in state.parents.values()
        if p.wake_ts and p.wake_ts < house.now - NS_PER_S
    ]
    assert not due or state.status is not Status.RUNNING
    before, facts = watch.sent.copy(), len(house.rig.facts)
    storm.wait(QUIET_S)
    news = [f for f in house.rig.facts[facts:] if not isinstance(f, PEACEFUL)]
    assert news == []
    sent = watch.sent - before
    assert {kind.__name__: n for kind, n in sent.items()} == {"Resync": 3 * len(house.accounts)}


def look_at_the_end(storm, *, flatten):
    """Stop the session, and see what it leaves at the venue."""
    house, watch = storm.house, storm.watch
    house.goes_on = False
    for order in house.state.all_open_orders():
        if order.is_adopted and order.is_ours:  # its wish is gone, with the power
            house.ask(msg.CancelRequest(cl_ord_id=order.cl_ord_id))
    if flatten or watch.expected is not Status.ERROR:
        assert house.ask(msg.StopSession(reason="over", flatten=flatten)) is None
    storm.wait(STOP_S)
    if house.state.status is Status.ERROR:
        assert can_be_left(house.state)
        house.hear(house.life, msg.ResetSession(reason="over"))
    assert house.state.status is Status.STOPPED
    for books in house.accounts.values():
        assert house.entries(books) == []
        assert not flatten or not any(books.qty.values())
