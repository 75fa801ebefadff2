"""An account at the simulated exchange, and a road to it that may be slow, refuse, lose or break."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from holdfast.exchange import messages
from holdfast.exchange.answers import refused, rejected
from holdfast.exchange.orders import OrderKey
from holdfast.exchange.outputs import Output
from holdfast.exchange.refusals import Refusal
from holdfast.model import commands as cmd
from holdfast.model import messages as msg
from holdfast.model.errors import NetworkError
from holdfast.ports import NOT_CONNECTED, Capabilities
from holdfast.venues import PaperSettings, PaperVenue
from holdfast.venues.paper_requests import REQUESTS, key_of, news, unknown

NO = "no such luck"
"""What the venue says of what it refuses."""


@dataclass(frozen=True)
class Weather:
    """How likely each request meets which fate, and how long things take."""

    refused: float = 0
    unsent: float = 0
    lost: float = 0  # never arrives
    mute: float = 0  # arrives, and nobody says so
    late: float = 0  # arrives much later, and nobody says so
    slow_s: float = 0.05


CALM = Weather()


class Bench:
    """One account at the exchange, which outlives every process."""

    def __init__(self, house, name):
        self.name, self.house = name, house
        settings = PaperSettings(initial_balance=Decimal(1_000_000), leverage=20)
        self.paper = PaperVenue(account=name, settings=settings, clock=house)
        self.taken = {}  # every order that was ever taken, as it was asked for
        self.refused = {}  # why those were refused that were, here or on the road
        self.road = None  # the one that is listened to

    async def connect(self, symbols, road):
        self.road = road
        return await self.paper.connect(symbols, self.say)

    def say(self, message):
        report = isinstance(message, msg.ExecutionReport)
        if report and message.exec_type is msg.ExecType.REJECTED:
            self.refused[message.cl_ord_id] = message.reason
        if self.road is not None:
            self.road.carry(message)

    def see(self, message):
        self.paper.on_market(message)

    def execute(self, command, *, is_told):
        self.paper._time()
        outputs = self.paper._execute(command)
        if isinstance(command, cmd.SubmitOrder):
            order = command.order
            if self.order(order.cl_ord_id, order.symbol) is not None:
                self.taken[order.cl_ord_id] = order
        self.paper._settle(outputs if is_told else news(outputs))

    def order(self, cl_ord_id, symbol):
        key = OrderKey(self.name, symbol, cl_ord_id)
        return self.paper.exchange.query(key, is_conditional=None)

    def open_orders(self):
        return self.paper.exchange.open_orders(self.name)

    def qty(self, symbol):
        held = self.paper.exchange.positions(self.name)
        return sum(p.qty for p in held if p.symbol == symbol)


class Road:
    """One process's way to an account: a `Venue`."""

    name = "law"
    capabilities = Capabilities(
        order_types=frozenset(),
        times_in_force=frozenset(),
        has_dead_man_switch=False,
        read_lag_ns=0,
        is_simulated=False,
    )

    def __init__(self, house, wiring):
        self.account, self.house, self.wiring = wiring.account, house, wiring
        self.bench = house.benches[wiring.account]
        self.process = house.process
        self._hear = None
        self._due = 0.0

    async def connect(self, symbols, hear):
        await asyncio.sleep(self.house.latency())
        if self.account in self.house.cut_off:
            raise NetworkError("no route to the exchange")
        self._hear = hear
        return await self.bench.connect(symbols, self)

    async def close(self):
        self._hear = None
        if self.bench.road is self:
            self.bench.road = None

    # What is told

    def carry(self, message):
        """Tell the session, in order, a little later; a broken stream tells nothing."""
        if self.account in self.house.cut_off:
            return
        loop = self.house.loop
        self._due = max(self._due, loop.time() + self.house.latency())
        loop.call_at(self._due, self.hear, message, context=self.process.context)

    def hear(self, message):
        if self._hear is not None:
            self._hear(message)

    # What is asked

    def submit(self, command):
        self.house.note_sent(command.order)
        self._leave(command)

    def cancel(self, command):
        self._leave(command)

    def replace(self, command):
        self._leave(command)

    def _later(self, seconds, do, *args, **kwargs):
        def act():
            do(*args, **kwargs)

        self.house.loop.call_later(seconds, act, context=Context())

    def _leave(self, command):
        house, w = self.house, self.house.weather
        fates = {"refused": w.refused, "unsent": w.unsent, "lost": w.lost, "mute": w.mute}
        fates["late"] = w.late
        fate = house.lots.choices([*fates, "done"], [*fates.values(), 1 - sum(fates.values())])[0]
        if self.account in house.cut_off:
            fate = "unsent"
        house.fates.append((fate, command))
        wait = house.latency()
        if fate == "done":
            self._later(wait, self.bench.execute, command, is_told=True)
        elif fate == "refused":
            self._later(wait, self._refuse, command, NO, -2022)
        elif fate == "unsent":
            self._later(wait, self._refuse, command, f"{NOT_CONNECTED}reset", None)
        else:
            if fate != "lost":
                late = house.lots.uniform(1, 5) if fate == "late" else wait
                self._later(late, self.bench.execute, command, is_told=False)
            self._later(house.lots.choice((0.1, 3)), self.carry, unknown(command))

    def _refuse(self, command, reason, code):
        no, answers = Refusal(code or 0, reason), list[Output]()
        if isinstance(command, cmd.SubmitOrder):
            answers.append(rejected(command.order, no, self.house.now()))
            self.bench.refused[command.order.cl_ord_id] = reason
        else:
            answers.append(refused(key_of(command), REQUESTS[type(command)], no))
        for message in messages(answers):
            self.carry(msgspec.structs.replace(message, code=code))

    def query(self, command):
        if self.account not in self.house.cut_off:
            self._later(self.house.latency(), self.bench.paper.query, command)

    def resync(self, command):
        if self.account in self.house.cut_off:
            failure = msg.VenueFailure(account=self.account, failure="venue", reason="no route")
            self._later(0.1, self.hear_failure, failure)
            return
        self._later(self.house.latency(), self.bench.paper.resync, command)

    def hear_failure(self, failure):
        self.house.loop.call_soon(self.hear, failure, context=self.process.context)
