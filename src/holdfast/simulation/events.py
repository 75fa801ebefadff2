"""What goes wrong beside the exchange's own faults: one function a kind, and the table of them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from decimal import Decimal

from ..exchange_server.faults import Kind, Rule, Script
from ..model import messages as msg
from ..model.errors import TradingError
from ..runtime.live import LiveSession
from .disk import Killing
from .faults import SHAPES, Fault
from .world import World

ONCE = frozenset(
    {
        *("silent_stream", "disconnect", "listen_key_expired", "too_many_requests", "banned"),
        "market_silent",
    }
)
"""Faults of the exchange that strike a number of times, not for a time."""


def strike(world: World, fault: Fault, *, is_left_out: bool) -> None:
    """Let a fault begin. One that is left out draws its lots all the same."""
    shape = SHAPES[fault.kind]
    if shape.rule is not None:
        counts = None if shape.times == (1, 1) and fault.kind not in ONCE else fault.count
        rule = Rule(
            kind=shape.rule,
            probability=0.0 if is_left_out else fault.chance,
            on=shape.on,
            until_s=fault.for_s,
            delay_ms=fault.delay_ms,
            count=counts,
        )
        seed = random.Random(f"{world.seed}/{fault.number}").getrandbits(32)
        world.bourse.venue.faults.give(Script(faults=[rule], seed=seed), world.venue_now())
    elif not is_left_out:
        EVENTS[fault.kind](world, fault)


def _refuse(world: World, fault: Fault) -> None:
    world.road.refuses_until = world.loop.time() + fault.for_s


def _swallow(world: World, fault: Fault) -> None:
    world.road.swallows_until = world.loop.time() + fault.for_s


def _cut_sockets(world: World, _: Fault) -> None:
    world.fired["cut_sockets"] += world.road.cut_sockets()


def _cut_before(world: World, fault: Fault) -> None:
    world.road.cuts_before += fault.count


def _cut_after(world: World, fault: Fault) -> None:
    world.road.cuts_after += fault.count


def _cut_early(world: World, fault: Fault) -> None:
    world.road.cuts_early += fault.count
    world.road.late_s = fault.delay_ms / 1000


def _bend_frames(world: World, fault: Fault) -> None:
    strange = world.road.strange
    strange.frames_until = world.loop.time() + fault.for_s
    strange.chance = fault.chance


def _bend_answers(world: World, fault: Fault) -> None:
    strange = world.road.strange
    strange.answers_until = world.loop.time() + fault.for_s
    strange.chance = fault.chance


def _replay_frames(world: World, fault: Fault) -> None:
    """Tell the stream's last frames again when it is opened anew; most often it is at once."""
    world.road.strange.replays += fault.count
    world.road.cut_sockets()


def _fog(world: World, fault: Fault) -> None:
    """Let the exchange stagger as it does in a rush: nobody is answered, and all comes late."""
    lots = random.Random(f"{world.seed}/{fault.number}")
    world.fire("fog")
    for kind, on, delay_ms in FOG:
        rule = Rule(
            kind=kind,
            probability=round(lots.uniform(0.3, 0.9), 2),
            on=on,
            until_s=fault.for_s,
            delay_ms=lots.randint(*delay_ms),
        )
        script = Script(faults=[rule], seed=lots.getrandbits(32))
        world.bourse.venue.faults.give(script, world.venue_now())
    world.rush(fault.for_s)


FOG: tuple[tuple[Kind, str, tuple[int, int]], ...] = (
    (Kind.UNKNOWN_EXECUTED, "P* */order", (0, 0)),
    (Kind.READ_LAG, "*", (500, 1_900)),
    (Kind.DELAY_FRAME, "*_UPDATE*", (1_000, 9_000)),
    (Kind.DELAY_ANSWER, "GET *", (1_000, 9_000)),
    (Kind.DELAY, "PUT */order", (500, 4_500)),
)
"""What makes a fog: rules of the exchange, where they strike, and how long they hold things up."""


def _skew(world: World, fault: Fault) -> None:
    def back() -> None:
        world.skew_ns = 0

    world.skew_ns = fault.delay_ms * 1_000_000
    world.fire("clock_skew")
    world.later(fault.for_s, back)


def _jump(world: World, fault: Fault) -> None:
    world.skew_ns = fault.delay_ms * 1_000_000
    world.fire("clock_jump")


def _freeze(world: World, fault: Fault) -> None:
    process = world.process
    if process is None or process.is_dead or process.is_frozen:
        return
    world.fire("freeze")
    process.freeze()
    world.later(fault.for_s, lambda: None if process.is_dead else process.thaw())


def _kill(world: World, fault: Fault) -> None:
    world.disk.killing = Killing(fault.count, fault.word)


def _kill_any_time(world: World, _: Fault) -> None:
    if world.process is not None and not world.process.is_dead:
        world.fire("kill_any_time")
        world.process.die("killed")


def _kill_starting(world: World, fault: Fault) -> None:
    world.starting_kill = fault
    if world.process is not None and not world.process.is_dead:
        world.process.die("killed")


def _power_cut(world: World, fault: Fault) -> None:
    """Let the power go a moment after a write, when its commands have left and it is not synced."""
    left = fault.count

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            world.disk.on_write = lambda: None
            world.later(fault.delay_ms / 1000, lambda: _lose_power(world))

    world.disk.on_write = count


def _lose_power(world: World) -> None:
    process = world.process
    could_sync = process is not None and not process.is_dead and not process.is_frozen
    world.disk.promises = could_sync  # the dead sync nothing, and promise nothing
    if process is not None and not process.is_dead:
        process.die("power cut")
    lost = world.disk.cut_power()
    world.fire("power_cut")
    if lost:
        world.fired["power_cut_lost_tail"] += 1
        world.log(f"{lost} facts are lost")
        world.oracles.forget_fold()


def _zombie(world: World, fault: Fault) -> None:
    """The process is frozen, another one takes over, and then the first wakes up."""
    process = world.process
    if process is None or process.is_dead or process.is_frozen:
        return
    world.fire("zombie")
    process.freeze()
    process.has_lost_lock = True
    world.wake.set()
    world.live = world.lives = None
    world.later(fault.for_s, lambda: None if process.is_dead else process.thaw())


def _disk_full(world: World, fault: Fault) -> None:
    def free() -> None:
        world.disk.is_full = False

    world.disk.is_full = True
    world.fire("disk_full")
    world.later(fault.for_s, free)


def _sync_error(world: World, fault: Fault) -> None:
    def mend() -> None:
        world.disk.fails_to_sync = False

    world.disk.fails_to_sync = True
    world.fire("sync_error")
    live, process = world.live, world.process
    if world.setup.config.durability == "process" and live and process and not process.is_dead:
        world.loop.call_soon(_upkeep_fails, live, context=process.context)
    world.later(fault.for_s, mend)


def _upkeep_fails(live: LiveSession) -> None:
    """The thread beside the journal syncs, and can't: it says so."""
    with contextlib.suppress(TradingError):
        live.journal.sync()
    failure = live.journal.failure
    if failure is not None and live.journal.on_failure is not None:
        live.journal.on_failure(failure)


def _gap(world: World, fault: Fault) -> None:
    symbol = random.Random(f"{world.seed}/{fault.number}").choice(world.market.symbols)
    world.market.step(symbol, fault.delay_ms / 1000)
    world.fire("gap")


def _fund(world: World, fault: Fault) -> None:
    for symbol in world.market.symbols:
        world.market.fund(symbol, fault.delay_ms / 10_000)
    world.fire("funding")


def _liquidate(world: World, _: Fault) -> None:
    """The mark goes where the account can't follow, and comes back."""
    for symbol in world.market.symbols:
        held = world.accounts.qty(symbol)
        if held:
            price = world.market.prices[symbol]
            world.market.mark(symbol, price * (0.01 if held > 0 else 20.0))
            world.market.mark(symbol, price)
            world.fire("liquidation")
            return


def _deleverage(world: World, fault: Fault) -> None:
    """Take part of a position away, for another account's sake."""
    symbol = random.Random(f"{world.seed}/{fault.number}").choice(world.market.symbols)
    if world.accounts.qty(symbol) and not world.bourse.is_down:
        price = Decimal(str(world.market.prices[symbol]))
        world.bourse.deleverage(world.accounts.victim, symbol, price)
        world.fire("deleveraging")


def _restart_exchange(world: World, fault: Fault) -> None:
    """The exchange's process ends, and another one takes its books on."""
    if world.bourse.is_down:
        return
    world.fire("exchange_restart")
    world.bourse.go_down()
    world.road.cut_sockets()
    world.road.strange.forget_market()
    world.later(fault.for_s, world.bourse.come_back)


def _stale(world: World, fault: Fault) -> None:
    world.stale.begin()
    world.later(fault.for_s, world.stale.end)


def _pause(world: World, fault: Fault) -> None:
    world.ask(msg.PauseSession(reason="operator"))
    world.fire("pause")
    world.later(fault.for_s, lambda: world.ask(msg.ResumeSession(reason="operator")))


def _stop(world: World, fault: Fault) -> None:
    world.fire("stop")
    world.stop_session(flatten=fault.word == "flatten")


def _kill_switch(world: World, fault: Fault) -> None:
    world.fire("kill_switch")
    world.ask(msg.EngageKillSwitch(reason="operator", flatten=fault.word == "flatten"))
    world.later(fault.for_s, lambda: world.ask(msg.ReleaseKillSwitch(operator="somebody")))


EVENTS: dict[str, Callable[[World, Fault], None]] = {
    "refused": _refuse,
    "swallowed": _swallow,
    "cut_sockets": _cut_sockets,
    "cut_before": _cut_before,
    "cut_after": _cut_after,
    "cut_early": _cut_early,
    "fog": _fog,
    "strange_frames": _bend_frames,
    "strange_answers": _bend_answers,
    "replayed_frames": _replay_frames,
    "clock_skew": _skew,
    "clock_jump": _jump,
    "freeze": _freeze,
    "kill": _kill,
    "kill_any_time": _kill_any_time,
    "kill_starting": _kill_starting,
    "power_cut": _power_cut,
    "zombie": _zombie,
    "disk_full": _disk_full,
    "sync_error": _sync_error,
    "gap": _gap,
    "funding": _fund,
    "liquidation": _liquidate,
    "deleveraging": _deleverage,
    "stale_reads": _stale,
    "exchange_restart": _restart_exchange,
    "pause": _pause,
    "stop": _stop,
    "kill_switch": _kill_switch,
}
