"""The product in a world: lives of a session on its disk, network, clock and market."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from ..engine.state import State
from ..model.values import MAIN, SessionId
from ..ports import Feed
from ..runtime.assembly import assemble, load_strategies
from ..runtime.broker import LiveBrokerAdapter
from ..runtime.clock import WallClock
from ..runtime.live import LiveSession
from ..runtime.parts import plan_of
from ..strategies import Strategy
from ..venues import Wiring
from ..venues.binance_futures.adapter import BinanceFuturesVenue
from ..venues.binance_futures.opening import settings_of
from ..venues.binance_futures.settings import ONE_BY_ONE_MAX, endpoints
from .accounts import SECOND
from .bourse import SECRET
from .churner import Churner, Listener
from .hearing import Ear
from .judges import Guard
from .live_feed import live_feed
from .market import SimFeed
from .network import SimWire
from .process import Process

if TYPE_CHECKING:
    from .world import World

REST_URL = "http://exchange"
MANY = 0.5
"""In how many of the runs audits are those of a session with many symbols."""


async def make_life(world: World, process: Process) -> LiveSession:
    """Return one life of the session, not yet begun."""
    ear = None if world.hearing is None else world.hearing.ear(process)
    config = world.setup.config
    broker = LiveBrokerAdapter(lambda wiring: _venue(world, wiring, process), config)
    openers = {name: broker.open for name in world.accounts.venue_names if name != MAIN}
    parts = await assemble(
        config,
        world.setup.symbols,
        feed=_feed(world, process, ear),
        broker=broker,
        session_id=SessionId(f"session-{world.disk.epoch + 1}"),
        clock=WallClock(world.machine_now, world.venue_now),
        keeps_files=False,
        openers=openers,
    )
    for finding in parts.journal.findings:
        world.notify("alarm", finding)
    if parts.journal.epoch == world.disk.epoch:  # else it froze on the way, and others wrote on
        world.oracles.check_fold(parts.recovered.engine.state, "at a start")
    _recall(world, parts.recovered.engine.state)
    made, described = load_strategies(_strategies(world))
    # Once the storm is over nobody wishes for anything: the world must come to rest.
    plan = plan_of(parts, "portfolio", made, described, lambda _: world.is_calm)
    judges = (world.oracles, world, world.withdrawals, world.judges)
    listeners = [judge.hear_facts for judge in judges]
    if ear is not None:
        listeners.append(ear.hear_facts)
    live = LiveSession(config, plan, parts, world, listeners=listeners)
    live.runner.guard = Guard(world.judges.told, ear)  # type: ignore[assignment]  # all it uses
    world.judges.begin(live)
    if ear is not None:
        ear.live = live
    return live


def _recall(world: World, state: State) -> None:
    """Let the oracles know what a process has read that its forerunner did not live to tell."""
    world.oracles.strange.recall(state)
    for name, books in state.accounts.items():
        if books.opened_ts:
            world.oracles.opened_ts.setdefault(name, books.opened_ts)


def _feed(world: World, process: Process, ear: Ear | None) -> Feed:
    """Return what a process sees of the market: straight, or over the exchange's streams."""
    if ear is None:
        feed = SimFeed(world.market, world.machine_now(), world.setup.symbols)
        world.feeds.append((feed, process))
        return feed
    return live_feed(world.market.symbols, REST_URL, world.machine_now, world.road, ear)


def _strategies(world: World) -> list[str | Strategy]:
    if world.spec.strategy:
        return [world.spec.strategy]
    first = Listener if world.has_live_feed else Churner
    made: list[str | Strategy] = [first(f"{world.seed}/a"), Churner(f"{world.seed}/b", 0.08)]
    unruly = [strategy for each in world.against for strategy in each.strategies()]
    others = [Churner(f"{world.seed}/c", 0.12)] if world.accounts.are_two else []
    for other in others:
        other.account = SECOND
    return [*made[world.setup.strategies_left_out :], *unruly, *others]


def _venue(world: World, wiring: Wiring, process: Process) -> BinanceFuturesVenue:
    config = wiring.config
    name = world.accounts.venue_names[wiring.account]
    lots = f"{world.seed}/jitter/{process.number}"
    venue = BinanceFuturesVenue(
        name,
        SECRET,
        clock=wiring.clock,
        account=wiring.account,
        known=wiring.known,
        settings=msgspec.structs.replace(
            settings_of(config),
            endpoints=endpoints(testnet=True, rest_url=REST_URL),
            one_by_one_max=0 if _audits_as_of_many(world.seed) else ONE_BY_ONE_MAX,
        ),
        open_wire=lambda: SimWire(world.road, process, name),
        lifetime_s=world.stream_lifetime_s,
        random=random.Random(lots if wiring.account == MAIN else f"{lots}/{name}").random,
    )
    process.clock_offsets.append(lambda: venue._asker.offset)  # noqa: SLF001 - it tells it in words
    return venue


def _audits_as_of_many(seed: str) -> bool:
    """Tell whether audits are those of a session with more symbols than a simulation has."""
    return random.Random(f"{seed}/many").random() < MANY
