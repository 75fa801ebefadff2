"""The loop of the simulation: virtual time, drawn order, processes that die and freeze."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.simulation.loop import SimLoop, Stuck
from holdfast.simulation.process import Crash, Process


def loop_of(seed):
    return SimLoop(str(seed))  # type: ignore[abstract]


def order_of_five(seed):
    seen: list[int] = []

    async def main():
        loop = asyncio.get_running_loop()
        for number in range(5):
            loop.call_later(1.0, seen.append, number)
        await asyncio.sleep(2.0)

    loop_of(seed).run(main())
    return seen


def test_an_hour_takes_no_time():
    loop = loop_of(1)
    loop.run(asyncio.sleep(3600.0))

    assert loop.time() == 3600.0


def test_what_is_due_at_once_comes_in_an_order_drawn_from_the_seed():
    orders = {tuple(order_of_five(seed)) for seed in range(20)}

    assert len(orders) > 10
    assert order_of_five(7) == order_of_five(7)


def test_what_became_ready_first_runs_first():
    seen: list[int] = []

    async def main():
        loop = asyncio.get_running_loop()
        for number in range(5):
            loop.call_soon(seen.append, number)
        await asyncio.sleep(0)

    loop_of(3).run(main())

    assert seen == [0, 1, 2, 3, 4]


def test_time_outs_and_groups_work():
    async def main():
        async with asyncio.TaskGroup() as group:
            late = group.create_task(asyncio.sleep(5.0, "late"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await asyncio.sleep(2.0)
        return late.result()

    assert loop_of(1).run(main()) == "late"


def test_a_world_in_which_nothing_can_happen_is_told():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        loop_of(1).run(main())


def living(deeds):
    """Return a main task that starts a process which works, and lets one thing happen to it."""

    async def work(log):
        try:
            while True:
                await asyncio.sleep(1.0)
                log.append(asyncio.get_running_loop().time())
        finally:
            log.append("finally")

    async def main():
        log: list = []
        ended: list = []
        process = Process(asyncio.get_running_loop(), 1, ended.append)  # type: ignore[arg-type]
        process.start(work(log))
        await asyncio.sleep(2.5)
        await deeds(process)
        await asyncio.sleep(3.0)
        return log, ended

    return main()


def test_a_process_that_was_killed_runs_no_finally():
    async def kill(process):
        process.die("killed")

    log, ended = loop_of(1).run(living(kill))

    assert log == [1.0, 2.0]
    assert [process.reason for process in ended] == ["killed"]


def test_a_frozen_process_goes_on_where_it_was():
    async def freeze(process):
        process.freeze()
        await asyncio.sleep(10.0)
        process.thaw()

    log, ended = loop_of(1).run(living(freeze))

    assert log[:5] == [1.0, 2.0, 12.5, 13.5, 14.5]
    assert ended == []


def test_a_crash_in_a_task_ends_its_process_and_no_other():
    async def main():
        ended: list = []
        loop = asyncio.get_running_loop()
        process = Process(loop, 1, ended.append)  # type: ignore[arg-type]

        async def fall():
            await asyncio.sleep(1.0)
            raise process.crash("fell")

        process.start(fall())
        await asyncio.sleep(2.0)
        return ended

    assert [process.reason for process in loop_of(1).run(main())] == ["fell"]
    assert issubclass(Crash, SystemExit)


@pytest.mark.parametrize(("is_killed", "expected"), [(False, ["closed"]), (True, [])])
def test_an_async_generator_that_nobody_reads_any_more_is_closed_by_the_living_alone(
    is_killed, expected
):
    async def numbers(log):
        try:
            yield 1
        finally:
            await asyncio.sleep(0.5)
            log.append("closed")

    async def read(log):
        async for _ in numbers(log):
            break
        await asyncio.sleep(5.0)

    async def main():
        log: list = []
        process = Process(asyncio.get_running_loop(), 1, lambda _: None)  # type: ignore[arg-type]
        process.start(read(log))
        await asyncio.sleep(0.2)
        if is_killed:
            process.die("killed")
        await asyncio.sleep(1.0)
        return log

    assert loop_of(1).run(main()) == expected
