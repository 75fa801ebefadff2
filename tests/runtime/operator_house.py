"""A session, its control server, its disk and its venues in one process, on a virtual clock.

The session, its lives, what it answers over the wire and its journal are the product's own. A
process may be killed at any instant, at any of its journal's writes, and lose its power.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from contextvars import Context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.exchange.catalog import known_instrument
from holdfast.journal import JOURNALS
from holdfast.journal.codec import decode
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.config import TradingConfig
from holdfast.model.errors import OutcomeUnknownError, TradingError
from holdfast.model.market import MarkPrice, Quote, Trade
from holdfast.model.values import MAIN, NS_PER_S, OrderRole, Symbol
from holdfast.runtime import assembly, runner
from holdfast.runtime.clock import WallClock
from holdfast.runtime.control import ControlServer
from holdfast.runtime.control_client import _checked
from holdfast.runtime.control_file import AnswerLost, NoSessionRunning
from holdfast.runtime.service import LiveTradingService
from holdfast.simulation.disk import SCHEME, Disk, Killing, open_disk
from holdfast.simulation.loop import SimLoop
from holdfast.simulation.process import Process
from holdfast.venues import VENUES
from tests.runtime.operator_venue import CALM, Bench, Road

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
PRICES = {BTC: 50_000.0, ETH: 3_000.0}
SECOND = "second"
START = 1_790_000_000 * NS_PER_S
PATIENCE_S = 90.0
"""How long a request may take: what the client waits for an answer."""


class Feed:
    """Shows one price of each symbol for ever; `moves` change it."""

    name, default_timeframe, is_live, pace, start_ts = "law", "1m", True, 1.0, 0

    def __init__(self, house, symbols):
        self.symbols = tuple(symbols)
        self._house = house
        self.news = asyncio.Queue[Any]()
        house.feeds.append(self)

    def instruments(self):
        return [found for each in self.symbols if (found := known_instrument(each))]

    def history(self, symbol, timeframe, before_ts, count):
        return []

    async def messages(self, after_ts=0):
        while True:
            yield [await self.news.get()]


class Guard:
    """Calls hooks without a timer of the process: one that dies here would leave it behind."""

    budget_ns = 1 << 62

    def __init__(self, budget_ms):
        """Take no notice of the budget."""

    def start(self):
        """Take no timer."""

    stop = start

    def call(self, hook, *args):
        hook(*args)


class Pipe(asyncio.Transport):
    """A connection in memory: collects what a server writes."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.text, self._is_closing = answer, b"", False

    def write(self, data):
        self.text += bytes(data)
        head, _, body = self.text.partition(b"\r\n\r\n")
        lengths = [row for row in head.lower().split(b"\r\n") if row.startswith(b"content-length")]
        if lengths and len(body) >= int(lengths[0].split(b":")[1]) and not self.answer.done():
            self.answer.set_result((int(head.split()[1]), body))

    def is_closing(self):
        return self._is_closing

    def close(self):
        self._is_closing = True

    abort = close


class House:
    """Everything around a session, and the session in it."""

    never_blocks = True  # a thread would keep no virtual time

    def __init__(self, lots, *, weather=CALM, accounts=1, durability="process", **settings):
        self.lots, self.weather = lots, weather
        self.loop = SimLoop(str(lots.random()))  # type: ignore[abstract]  # what is missing is not used
        self.folder = Path(tempfile.mkdtemp(prefix="oplaw"))
        self.disk = Disk(lots=lots, now=self.loop.time)
        self.names = (MAIN, SECOND)[:accounts]
        self.symbols = (BTC, ETH)
        self.strategies = ()
        self.process: Any = None
        self.service: Any = None
        self.control: Any = None
        self.start_error = None
        self.processes, self.feeds, self.fates, self.told = [], [], [], []
        self.cut_off: set[str] = set()
        self.requests, self.roles = {}, {}  # order -> its request's id; -> its role
        self.sent, self.found = [], []
        self.barred = ""  # why nothing new may leave
        self.barred_in = ""  # in which session; "" in all that follow
        self._read, self._parents = 0, {}
        self.prices = dict(PRICES)
        self.goes_on, self.ended = True, asyncio.Event()
        self.cuts_at_send = False  # the power, as the next order leaves
        self.settings = {
            "database_url": f"{SCHEME}://disk",
            "data_dir": self.folder,
            "venue": "law",
            "feed": "law",
            "durability": durability,
            "position_size_pct": "1",
            "max_daily_loss_pct": "0.9",
            "min_free_margin_pct": "0.01",
            "max_leverage": "100",
            "volatility_max": 1000,
            "duplicate_window_s": 0,
            "max_messages": 5000,
            "max_executions": 1000,
            "max_order_notional": 10_000_000,
            "disabled": "correlation",
            "api_key": "main-key",
            "api_secret": "s",
            "accounts": {n: {"api_key": n, "api_secret": "s"} for n in self.names[1:]},
            **settings,
        }
        self.benches = {name: Bench(self, name) for name in self.names}

    def now(self):
        return START + self.loop.now_ns

    def advance(self, ts):
        """Take no notice: the clock is the loop's."""

    def latency(self):
        return round(self.lots.uniform(0.002, self.weather.slow_s), 3)

    def notify(self, level, text):
        self.told.append((level, text))

    # One example

    def run(self, main):
        """Run an example to its end, on this house's clock."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(VENUES, "law", lambda wiring: Road(self, wiring))
            patch.setattr(runner, "HookGuard", Guard)
            patch.setattr(assembly, "WallClock", lambda: WallClock(self.now, self.now))
            patch.setattr(assembly, "time", SimpleNamespace(time_ns=self.now))
            patch.setitem(JOURNALS, SCHEME, (self._open, lambda _: open_disk(self.disk, "process")))
            try:
                self.loop.run(self._live(main))
            finally:
                self.loop.forget()
                for process in self.processes:
                    process.die("it is over")
                    process.bury()
                shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, _where, durability, _owner, least):
        return open_disk(self.disk, durability, least)

    async def _live(self, main):
        market = asyncio.ensure_future(self._market())
        people = asyncio.ensure_future(self._supervise())
        try:
            await main
        finally:
            market.cancel()
            people.cancel()

    async def _market(self):
        while True:
            for symbol in self.symbols:
                self.show(symbol)
            await asyncio.sleep(0.5)

    def show(self, symbol):
        """Show a symbol's price to the exchange, and to whoever listens."""
        price, ts = self.prices[symbol], self.now()
        quote = Quote(
            symbol=symbol, ts=ts, bid=price - 0.5, bid_qty=900.0, ask=price + 0.5, ask_qty=900.0
        )
        for message in (
            quote,
            Trade(symbol=symbol, ts=ts, price=price, qty=5.0),
            MarkPrice(symbol=symbol, ts=ts, mark_price=price),
        ):
            for bench in self.benches.values():
                bench.see(message)
            for feed in self.feeds:
                if symbol in feed.symbols:
                    feed.news.put_nowait(message)

    # Processes

    async def _supervise(self):
        while True:
            if not self.goes_on:
                await asyncio.sleep(0.1)
                continue
            self.start()
            await self.ended.wait()
            await asyncio.sleep(round(self.lots.uniform(0.1, 3), 2))

    def start(self):
        """Start the product's process."""
        self.ended.clear()
        self.feeds.clear()
        self.start_error, self.service, self.control = None, None, None
        self.process = Process(self.loop, len(self.processes) + 1, self._has_ended)
        self.processes.append(self.process)
        self.process.start(self._main(dict(self.settings)))

    def _has_ended(self, process):
        if process is self.process:
            self.ended.set()

    async def _main(self, given):
        try:
            config = TradingConfig(**given)
        except TradingError as error:
            self.start_error = error
            return
        service = LiveTradingService(config=config, notifier=self)
        control = ControlServer(service, self.folder)
        await control._runner.setup()
        self.service, self.control = service, control
        feed = Feed(self, self.symbols)
        try:
            await service.start_session(strategies=self.strategies, symbols=self.symbols, feed=feed)
        except TradingError as error:
            self.start_error = error
            return
        await service.wait()

    def die_of(self, process):
        """Lose the power, unless another process runs by now."""
        if process is self.process:
            self.die(loses_power=True)

    def die(self, *, loses_power=False):
        """Kill the process, this instant."""
        self.process.die("killed")
        if loses_power:
            self._cut_power()
            self._read = min(self._read, len(self.disk.rows))

    def _cut_power(self):
        """Lose some of what was not synced; real storages keep the facts of one moment together."""
        disk = self.disk
        ends = [before for _, before in disk.times if before >= disk.synced]
        if ends:
            del disk.rows[self.lots.choice(ends) :]
            disk.times = [row for row in disk.times if row[1] <= len(disk.rows)]
        if disk.snapshot is not None and disk.snapshot[0] > len(disk.rows):
            disk.snapshot = disk.older_snapshot

    def die_at_a_write(self, write, phase):
        self.disk.killing = Killing(write, phase)

    @property
    def is_up(self):
        return not self.process.is_dead and self.service is not None

    @property
    def state(self):
        return self.service.live.engine.state

    @property
    def session_id(self):
        return str(self.service.live.plan.session_id)

    # What is asked over the wire

    async def ask(self, verb, path, patience_s=PATIENCE_S, **body):
        """Ask the session as another program does; see `ControlClient`."""
        process, control = self.process, self.control
        if process.is_dead or control is None:
            raise NoSessionRunning("no session runs")
        pipe = Pipe(self.loop.create_future())
        given = {k: str(v) if k != "flatten" else v for k, v in body.items() if v is not None}
        for name in ("reduce_only",):
            if name in given:
                given[name] = given[name] == "True"
        text = json.dumps(given).encode()
        lines = (
            f"{verb} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {control.token}",
            f"Content-Length: {len(text)}",
            "Connection: close",
        )
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + text
        self.loop.call_soon(self._connect, control, pipe, request, context=process.context)
        gone = self.loop.create_task(self.ended.wait())
        await asyncio.wait({pipe.answer, gone}, timeout=patience_s, return_when="FIRST_COMPLETED")
        gone.cancel()
        if pipe.answer.done():
            status, answer = pipe.answer.result()
            return _checked(status, answer)
        if process.is_dead:
            raise AnswerLost("the session ended before it had answered")
        self._go_away(pipe, process)
        raise OutcomeUnknownError("no answer in time")

    def _connect(self, control, pipe, request):
        protocol = control._runner.server()
        pipe.protocol = protocol
        protocol.connection_made(pipe)
        protocol.data_received(request)

    def _go_away(self, pipe, process):
        """Hang up without having heard."""
        self.loop.call_soon(lambda: pipe.protocol.connection_lost(None), context=process.context)

    # What is noted

    def note_sent(self, order):
        """Note what leaves the session, and whose it is, by what is on record."""
        rows = self.disk.rows
        for row in rows[self._read :]:
            fact = decode(row)
            if isinstance(fact, ev.ParentStarted):
                self._parents[fact.parent_id] = fact.request_id, fact.order.role
        self._read = len(rows)
        request_id, role = self._parents.get(order.parent_id, ("", OrderRole.ENTRY))
        if request_id and order.role is role:
            self.requests[order.cl_ord_id] = request_id
        self.sent.append((self.loop.time(), order))
        if self.cuts_at_send:
            self.cuts_at_send = False
            self.loop.call_later(0, self.die_of, self.process, context=Context())
        barred = self.barred and self.barred_in in ("", self.session_id)
        if barred and not order.reduce_only and not self._closes(order):
            self.found.append(f"{order.cl_ord_id} left though {self.barred}")

    def _closes(self, order):
        """Tell whether an order does no more than to close what is held, or was a moment ago."""
        held = self.state.position(order.key).qty, self.benches[order.account].qty(order.symbol)
        return any(qty * order.side.sign < 0 and order.qty <= abs(qty) for qty in held)

    def taken_for(self, request_id):
        """Return the orders that the exchange has taken for a request."""
        return [
            (bench, order)
            for bench in self.benches.values()
            for name, order in bench.taken.items()
            if self.requests.get(name) == request_id
        ]

    def held(self):
        """Return the benches by what is held there."""
        return {
            (name, symbol): bench
            for name, bench in self.benches.items()
            for symbol in PRICES
            if bench.qty(symbol)
        }

    def call(self, do, *args):
        """Have the process do something of its own."""
        self.loop.call_soon(do, *args, context=self.process.context)

    def open_orders(self):
        return [(b, each) for b in self.benches.values() for each in b.open_orders()]

    def break_link(self, account, seconds):
        """Break an account's stream for a while; nothing gets there meanwhile."""
        bench = self.benches[account]
        if account in self.cut_off:
            return
        if bench.road is not None:
            down = msg.VenueLink(account=account, is_up=False, reason="broken off")
            bench.road.hear_failure(down)
        self.cut_off.add(account)
        self.loop.call_later(seconds, self.mend_link, account, context=Context())

    def mend_link(self, account):
        bench = self.benches[account]
        if account not in self.cut_off:
            return
        self.cut_off.discard(account)
        if bench.road is not None:
            bench.road.hear_failure(msg.VenueLink(account=account, is_up=True))
