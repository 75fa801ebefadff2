"""Real processes that trade at the other venue in a storm, and are killed there again and again."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from contextlib import asynccontextmanager

from holdfast.harness.ledger import Ledger
from holdfast.model.values import MAIN
from tests.cli.desk import environment
from tests.other_venue.keys import KEY, SECRET
from tests.other_venue.storm import SYMBOLS, Storm, habits_of, lose_frames
from tests.other_venue.street import street

STORM_S = 30.0
CALM_S = 60.0
LIFE_S = (3.0, 9.0)
TRADED = 3
ENDED = 4
"""The exit code of a start that the venue did not answer: whoever watches over it starts again."""

HAND = "web_"
"""How the orders of others are called: what they did before the books began is in no book."""

SETTINGS = """
symbols = "{symbols}"
strategies = ["holdfast.harness.trader:Trader:seed={seed},share=0.1,quiet={quiet}"]
leverage = 10
position_size_pct = "1"
read_lag_ns = "1s"
recv_window_ns = "1s"
clock_skew_ns = "100ms"
audit_interval_ns = "2s"
breaker_threshold = 1000
max_executions = 1000

[risk]
disabled = ["correlation", "volatility", "duplicate"]

[venue]
name = "binance_futures"
rest_url = "{url}"
isolated = {isolated}
dead_man_s = {dead_man_s}
"""


class Killing:
    """One storm, in which processes of a session follow each other in a folder."""

    def __init__(self, seed, market, folder):
        self.lots = random.Random(seed)
        self.storm = Storm(seed, market, None)
        self.market, self.folder = market, folder
        self.ledger = Ledger(f"sqlite:///{folder}/holdfast-data/holdfast.db")
        self.kills = 0
        self.codes: list = []  # of processes that ended by themselves
        self.process: asyncio.subprocess.Process
        (folder / "holdfast.toml").write_text(
            SETTINGS.format(
                symbols=",".join(SYMBOLS),
                seed=seed,
                quiet=folder / "quiet",
                url=market.url,
                isolated=str(seed % 5 < 2).lower(),
                dead_man_s=1 + seed % 3,
            )
        )

    async def start(self):
        keys = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "holdfast", "run", "--no-report"),
            cwd=self.folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**environment(), **keys},
        )

    async def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
            self.kills += 1

    async def blow(self):
        """Let everything happen, and kill whoever lives; then let it be calm."""
        await self.begin()
        end = time.monotonic() + STORM_S
        while (now := time.monotonic()) < end:
            await self.start()
            await self.live(min(end, now + self.lots.uniform(*LIFE_S)))
            await self.kill()
        (self.folder / "quiet").touch()
        self.market.call(self.storm.clear)

    async def begin(self):
        """Let the first process live until it trades."""
        await self.start()
        async with asyncio.timeout(CALM_S):
            while len(self.market.names_placed()) < TRADED:
                await asyncio.sleep(0.1)
                await self.storm.move()
        await self.kill()

    async def live(self, end):
        storm = self.storm
        roles = (storm.move, storm.trouble, storm.cut, storm.meddle, storm.seize)
        weights = (12, 1, 1, storm.seed % 4 == 0, storm.seed % 3 == 1)
        while time.monotonic() < end:
            await asyncio.sleep(self.lots.uniform(0, 0.2))
            await self.lots.choices(roles, weights)[0]()
            await self.go_on()

    async def go_on(self):
        """Start again what has ended by itself."""
        if self.process.returncode is not None:
            self.codes.append(self.process.returncode)
            await self.start()

    async def calm(self):
        """Wait until the journal and the venue say the same; return what they say."""
        await self.start()
        end = time.monotonic() + CALM_S
        while (ours := self.ours()) != (theirs := self.theirs()) and time.monotonic() < end:
            await asyncio.sleep(0.3)
            await self.go_on()
        return ours, theirs

    def ours(self):
        self.ledger.read()
        state, account = self.ledger.state, self.ledger.state.account(MAIN)
        return (
            {asset: account.wallet(asset) for asset in account.assets() if account.wallet(asset)},
            {key[1]: held.qty for key, held in state.positions.items() if held.qty},
            sorted(order.cl_ord_id for order in state.all_open_orders()),
            sorted(
                name
                for name, each in self.ledger.fills.items()
                for fill in each
                if not fill.cl_ord_id.startswith(HAND)
            ),
            state.status.name,
        )

    def theirs(self):
        fills = list(self.market.venue.books.fills)
        names = sorted(
            (each.order.symbol, str(each.trade_id))
            for each in fills
            if not each.order.client_id.startswith(HAND)
        )
        return (*self.market.books(), names, "RUNNING")


@asynccontextmanager
async def killing(folder, seed):
    with street(*habits_of(seed)) as market:
        lose_frames(market.venue, random.Random(f"frames {seed}"))
        one = Killing(seed, market, folder)
        try:
            yield one
        finally:
            await one.kill()
