"""What settings say between the lives of one journal, and what becomes of all that is open.

Each life trades with settings of its own, and ends by a kill, a failure or a stop. The next has
others: fewer symbols, accounts or strategies, other limits, policies, prefixes; or wrong ones, with
which nothing begins and nothing changes.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.cli.exit_codes import ExitCode, code_of
from holdfast.model.errors import ConfigError, TradingError
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import ClOrdId, NewOrder, Side, SignalType, StrategyId
from holdfast.strategies import Strategy
from tests.runtime.operator_house import BTC, ETH, SECOND, House
from tests.runtime.operator_venue import CALM, Weather

WAIT_S = 25
"""How long a life is left alone before it is looked at."""


class Alpha(Strategy):
    """Wishes for what the test has it wish for."""

    def on_stop(self):
        """Hear of the end, as one of the hooks."""


class Beta(Alpha):
    """Another one."""


STRATEGIES = (Alpha, Beta)
CHANGES = {
    "position_size_pct": ("1", "0.0001"),
    "max_positions": (10, 1),
    "max_order_notional": (10_000_000, 100),
    "stop_loss_pct": ("0.02", "0.08"),
    "take_profit_pct": ("0.05", "0"),
    "use_market_orders": (True, False),
    "audit_interval_ns": ("10s", "1s", "1h"),
    "query_interval_ns": ("1s", "10s"),
    "durability": ("process", "power"),
    "mismatch_policy": ("halt", "adopt", "flatten"),
    "foreign_order_policy": ("adopt", "cancel", "halt"),
    "on_stop": ("keep", "flatten"),
    "cancel_entries_on_pause": (True, False),
    "auto_restart": (True, True, False),
    "order_prefix": ("hf", "hf", "hf", "zz"),
    "max_open_orders": (200, 1),
    "leverage": (5, 20, 1),
}
WRONG: tuple[dict[str, object], ...] = (
    {"dry_run": True},
    {"venue": "nowhere"},
    {"disabled": "kill_switch"},
    {"disabled": "no_such_rule"},
    {"strategies": ("no_such_strategy",)},
    {"symbols": ("NOPEUSDT",)},
    {"testnet": False},
    {"accounts": {SECOND: {"api_key": "main-key", "api_secret": "s"}}},
    {"accounts": {SECOND: {"api_key": "k", "api_secret": "s", "symbols": ("NOPEUSDT",)}}},
)
LEAST = {"position_size_pct": "0.0001", "max_order_notional": 100}
"""Limits that are less than any order here."""


class Owner:
    """Whoever writes the settings, and looks at what they lead to."""

    def __init__(self, house):
        self.house, self.lots = house, house.lots
        self.life = 0
        self.may = set()  # keys that are traded now
        self.known = set()  # strategies that there are now
        self.odd = set()  # keys in which somebody else has traded
        self.is_killed = self.is_paused = self.was_barred = False

    def say(self, text):
        self.house.found.append(f"life {self.life}, {self.house.loop.time():.1f}: {text}")

    # The settings

    def choose(self):
        """Write settings anew."""
        lots, house = self.lots, self.house
        for name in lots.sample(sorted(CHANGES), lots.randint(0, 4)):
            house.settings[name] = lots.choice(CHANGES[name])
        house.symbols = lots.choice(((BTC, ETH), (BTC, ETH), (BTC,), (ETH,)))
        chosen = lots.choice((STRATEGIES, STRATEGIES, (Alpha,), (Beta,), ()))
        house.strategies = tuple(each() for each in chosen)
        self.known = {StrategyId(each.__name__) for each in chosen}
        accounts = {}
        if lots.random() < 0.6:
            own = lots.choice(((), (), (ETH,), (BTC,)))
            accounts[SECOND] = {"api_key": "second", "api_secret": "s", "symbols": own}
        house.settings["accounts"] = accounts
        self.may = {("main", symbol) for symbol in house.symbols}
        for name, own in accounts.items():
            self.may |= {(name, symbol) for symbol in own["symbols"] or house.symbols}

    # What is open

    def held(self):
        return {key: bench.qty(key[1]) for key, bench in self.house.held().items()}

    def stops(self):
        """Return what guards each position at the exchange: price and quantity of each."""
        found = Counter[Any]()
        for bench, order in self.house.open_orders():
            asked = order.asked
            if asked.reduce_only and asked.order_type.name == "STOP_MARKET":
                found[bench.name, asked.symbol, asked.trigger_price, order.leaves_qty] += 1
        return found

    def entries(self):
        return {
            o.cl_ord_id: o.asked for _, o in self.house.open_orders() if not o.asked.reduce_only
        }

    # A life

    async def live(self):
        """Begin a life, or be refused; return whether it lives."""
        house, self.life = self.house, self.life + 1
        house.start()
        end = house.loop.time() + 240
        while house.loop.time() < end:
            if house.process.is_dead or (house.service and house.service.is_running()):
                break
            await asyncio.sleep(0.2)
        if house.start_error is not None:
            return False
        if house.process.is_dead:
            self.say(f"the start ended: {house.process.reason}")
            return False
        if not house.service.is_running():
            self.say("the start has no end")
            return False
        return True

    def wish(self):
        """Have a strategy, or the operator, wish for something."""
        lots, house = self.lots, self.house
        if not house.is_up or not house.service.is_running():
            return
        names = [*sorted(self.known), "operator"]
        account = lots.choice(sorted(house.names))
        symbol, kind = lots.choice((BTC, ETH)), lots.choice(("BUY", "SELL", "CLOSE"))
        price = Decimal(str(house.prices[symbol]))
        sign, more = (1 if kind == "BUY" else -1), dict[str, Any]()
        unit = 1 if symbol == BTC else 10
        if kind != "CLOSE":
            more["quantity"] = Decimal(lots.randint(10, 40) * unit) / 1000
            if lots.random() < 0.5:
                more["stop_loss"] = (price * (1 - sign * Decimal("0.05"))).quantize(Decimal(1))
            if lots.random() < 0.4:
                away = Decimal(lots.choice(("0.002", "-0.01")))
                more["order_type"], more["price"] = (
                    "LIMIT",
                    (price * (1 + sign * away)).quantize(Decimal(1)),
                )
            if lots.random() < 0.2:
                more |= {"algo": "twap:over=20s,slices=2"}
        signal = SignalGenerated(
            symbol=symbol,
            signal_type=SignalType(kind),
            strategy_id=StrategyId(lots.choice(names)),
            account=account,
            **more,
        )
        hear = house.service.live.shell.hear
        house.loop.call_soon(hear, signal, context=house.process.context)

    async def trade(self):
        for _ in range(self.lots.randint(1, 8)):
            self.wish()
            await asyncio.sleep(self.lots.choice((0.05, 0.5, 2)))

    async def steer(self):
        """Say a word that outlives the process."""
        house, word = self.house, self.lots.choice(("pause", "resume", "kill", "release"))
        try:
            await house.ask("POST", f"/v1/{word}", operator="ann" if word == "release" else None)
        except TradingError:
            return
        if word in ("pause", "resume"):
            self.is_paused = word == "pause"
        else:
            self.is_killed = word == "kill"

    def meddle(self):
        """Let somebody else trade while nobody is there."""
        house, lots = self.house, self.lots
        bench, symbol = lots.choice(list(house.benches.values())), lots.choice((BTC, ETH))
        side, qty = lots.choice(tuple(Side)), Decimal(lots.randint(10, 90)) / 100
        name = ClOrdId(f"web-{self.life}-{len(self.odd)}")
        order = NewOrder(cl_ord_id=name, account=bench.name, symbol=symbol, side=side, qty=qty)
        bench.paper._settle(bench.paper.exchange.submit(order, house.now()))
        self.odd.add((bench.name, symbol))

    async def look(self):
        """See, once all is calm, that nothing held is forgotten."""
        house = self.house
        house.weather = CALM
        await asyncio.sleep(WAIT_S)
        if not (house.is_up and house.service.is_running()):
            self.say(f"it has ended: {house.service.fault if house.service else ''}")
            return
        self._look_at_status()
        accounts = {"main", *house.settings["accounts"]}
        held = {key: qty for key, qty in self.held().items() if key[0] in accounts}
        state = house.state
        ours = {k: p.qty for k, p in state.positions.items() if p.qty and k[0] in accounts}
        if held != ours and state.status.name != "ERROR":
            self.say(f"held are {held}, known {ours}")
        self._look_at_entries(accounts)
        guarded = Counter[Any]()
        for (account, symbol, _, qty), count in self.stops().items():
            guarded[account, symbol] += qty * count
        for key, qty in held.items():
            if guarded[key] < abs(qty) and key not in self.odd:
                self.say(f"{key} is {qty}, and {guarded[key]} of it is guarded")

    def _look_at_status(self):
        state = self.house.state
        if state.is_killed is not self.is_killed:
            self.say(f"is_killed {state.is_killed}, was told {self.is_killed}")
        if self.is_paused and state.status.name not in ("PAUSED", "ERROR"):
            self.say(f"it is {state.status.name}, and was told to pause")
        if state.status.name == "ERROR" and not self.odd:
            self.say(f"it is in ERROR: {state.status_reason}")

    def _look_at_entries(self, accounts):
        for name, asked in self.entries().items():
            is_left = asked.account in accounts and asked.key not in self.may
            if is_left or asked.strategy_id not in {*self.known, "operator"}:
                self.say(f"{name} of {asked.strategy_id} rests in {asked.key}")

    async def end(self):
        """End a life one way or another."""
        house = self.house
        way = self.lots.choice(("die", "die", "power", "stop", "flat"))
        is_over = way in ("stop", "flat") or house.state.status.name == "ERROR"
        if is_over or not house.settings.get("auto_restart", True):
            self.is_paused = False  # another session follows
        if way == "die":
            house.die()
        elif way == "power":
            house.die(loses_power=True)
        else:
            flatten = {"stop": None, "flat": True}[way]
            try:
                await house.ask("POST", "/v1/stop", flatten=flatten)
            except TradingError as error:
                self.say(f"the stop was answered by {error!r}")
            await asyncio.sleep(2)
            if not house.process.is_dead:
                self.say("it goes on behind its stop")
                house.die()

    async def refuse(self):
        """Try to start with wrong settings: nothing may come of it."""
        house, lots = self.house, self.lots
        right = dict(house.settings), house.strategies, house.symbols
        wrong = dict(lots.choice(WRONG))
        if "symbols" in wrong:
            house.symbols = wrong.pop("symbols")
        if "strategies" in wrong:
            house.strategies = wrong.pop("strategies")
        house.settings = {**house.settings, **wrong}
        before = self.all_there()
        is_alive = await self.live()
        if is_alive:
            self.say(f"it runs with {wrong} {house.strategies} {house.symbols}")
            house.die()
        else:
            self.judge_refusal(before)
        house.settings, house.strategies, house.symbols = right

    def all_there(self):
        house = self.house
        open_ = sorted(order.cl_ord_id for _, order in house.open_orders())
        return len(house.disk.rows), self.held(), open_, len(house.fates)

    def judge_refusal(self, before):
        error = self.house.start_error
        if error is None:
            return
        if code_of(error) in (ExitCode.OK, ExitCode.UNEXPECTED):
            self.say(f"refused with {code_of(error)}: {error!r}")
        if before != self.all_there():
            self.say(f"refused ({error}), and {before} became {self.all_there()}")


def judge_sent(owner, since):
    """See that nothing left that the settings do not allow, but what closes."""
    house = owner.house
    for _, order in house.sent[since:]:
        if order.reduce_only:
            continue
        if order.key not in owner.may:
            owner.say(f"{order.cl_ord_id} opens {order.key}: traded are {sorted(owner.may)}")
        if order.strategy_id not in {*owner.known, "operator"}:
            owner.say(f"{order.cl_ord_id} is of {order.strategy_id}, which is not there")
        least = [name for name, value in LEAST.items() if house.settings.get(name) == value]
        if (least or owner.was_barred) and not closes(house, order, owner.odd):
            owner.say(f"{order.cl_ord_id} left, with {least} {owner.was_barred}")


def closes(house, order, odd):
    """Tell whether an order may have closed what was held when it left."""
    held = {o.side for _, o in house.sent if o.key == order.key and o is not order}
    is_held = bool(house.benches[order.account].qty(order.symbol))
    return is_held or order.key in odd or any(side is not order.side for side in held)


async def begin(owner):
    """Choose settings and start with them; tell whether a life has begun."""
    house, lots = owner.house, owner.house.lots
    owner.choose()
    had, rests = owner.held(), {asked.key for asked in owner.entries().values()}
    stops = owner.stops()
    if lots.random() < 0.3 and house.disk.rows:
        await owner.refuse()
    if lots.random() < 0.15 and house.disk.rows:
        owner.meddle()
    before = owner.all_there()
    if not house.settings.get("auto_restart", True):
        owner.is_paused = False
    if not await owner.live():
        left_out = {account for account, _ in {*rests, *had}} - {
            "main",
            *house.settings["accounts"],
        }
        if not (left_out and isinstance(house.start_error, ConfigError)):
            owner.say(f"refused: {house.start_error!r}")
        owner.judge_refusal(before)
        return False
    owner.was_barred = owner.is_killed or owner.is_paused
    if lots.random() < 0.4:
        await asyncio.sleep(20)
        if not owner.odd and owner.held() == had and owner.stops() != stops:
            owner.say(f"the stops were {stops}, and are {owner.stops()}")
    return True


async def example(house, lives):
    owner = Owner(house)
    house.goes_on = False
    for _ in range(lives):
        sent = len(house.sent)
        if await begin(owner):
            await owner.trade()
            judge_sent(owner, sent)
            if house.lots.random() < 0.3:
                await owner.steer()
            await owner.look()
            judge_sent(owner, sent)
            await owner.end()
        if house.found:
            return


WEATHERS = (
    CALM,
    Weather(slow_s=0.5),
    Weather(slow_s=6),
    Weather(refused=0.1, unsent=0.1, lost=0.1, mute=0.1, late=0.1, slow_s=1),
)


@given(
    seed=st.integers(0, 2**64),
    weather=st.sampled_from(WEATHERS),
    lives=st.integers(2, 5),
)
@settings(max_examples=40)
def test_nothing_held_is_forgotten_whatever_the_settings_become(seed, weather, lives):
    house = House(random.Random(seed), weather=weather, accounts=2)
    house.run(example(house, lives))
    assert house.found == []
