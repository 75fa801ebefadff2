"""The bus tells everyone who asked, in order, and nobody's failure is another's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.errors import InputError
from holdfast.runtime import bus as bus_module
from holdfast.runtime.bus import EventBus


class Ear:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def __call__(self, event: object) -> None:
        self.heard.append(event)

    async def later(self, event: object) -> None:
        await asyncio.sleep(0)
        self.heard.append(event)


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


def test_handler_hears_its_topic_and_no_other(bus):
    ear = Ear()
    bus.subscribe("order.filled", ear)

    bus.publish("order.filled", 1)
    bus.publish("order", 2)
    bus.publish("order.filled.partly", 3)

    assert ear.heard == [1]


def test_star_hears_everything(bus):
    ear = Ear()
    bus.subscribe("order.filled", Ear())
    bus.subscribe("*", ear)

    bus.publish("order.filled", 1)
    bus.publish("nobody.else.asked", 2)

    assert ear.heard == [1, 2]


def test_handlers_run_in_the_order_of_their_subscription(bus):
    order = []
    bus.subscribe("*", lambda e: order.append("first"))
    bus.subscribe("a", lambda e: order.append("second"))
    bus.subscribe("*", lambda e: order.append("third"))

    bus.publish("a", None)

    assert order == ["first", "second", "third"]


async def test_asynchronous_handler_gets_events_one_after_the_other_in_order(bus):
    running, seen = 0, []

    async def handler(event: int) -> None:
        nonlocal running
        running += 1
        assert running == 1
        for _ in range(event % 3):
            await asyncio.sleep(0)
        seen.append(event)
        running -= 1

    bus.subscribe("n", handler)
    for n in range(50):
        bus.publish("n", n)
    assert seen == []

    assert await bus.drain()
    assert seen == list(range(50))
    assert bus.errors == 0


async def test_slow_handler_does_not_hold_up_another(bus):
    gate, fast = asyncio.Event(), Ear()
    bus.subscribe("n", lambda event: gate.wait())
    bus.subscribe("n", fast.later)
    bus.publish("n", 1)

    assert not await bus.drain(timeout_s=0.01)
    assert fast.heard == [1]
    gate.set()
    assert await bus.drain()


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
async def test_raising_handler_disturbs_nobody_is_logged_with_its_topic_and_counted(
    bus, caplog, kind
):
    def plain(event: object) -> None:
        raise ValueError("torn")

    async def asynchronous(event: object) -> None:
        raise ValueError("torn")

    before, after = Ear(), Ear()
    bus.subscribe("order.filled", before)
    bus.subscribe("order.filled", plain if kind == "plain" else asynchronous)
    bus.subscribe("order.filled", after)

    with caplog.at_level(logging.ERROR, "holdfast.bus"):
        bus.publish("order.filled", 1)
        bus.publish("order.filled", 2)
        await bus.drain()

    assert before.heard == after.heard == [1, 2]
    assert bus.errors == 2
    assert all("order.filled" in text and "torn" in text for text in caplog.messages)


async def test_handler_goes_on_after_an_event_that_it_failed_on(bus):
    ear = Ear()

    async def handler(event: int) -> None:
        if event == 1:
            raise ValueError(event)
        ear(event)

    bus.subscribe("n", handler)
    for n in range(3):
        bus.publish("n", n)
    await bus.drain()

    assert ear.heard == [0, 2]
    assert bus.errors == 1


async def test_handler_that_awaits_something_cancelled_goes_on(bus):
    ear = Ear()

    async def handler(event: int) -> None:
        if event == 0:
            lost = asyncio.get_running_loop().create_future()
            lost.cancel()
            await lost
        ear(event)

    bus.subscribe("n", handler)
    bus.publish("n", 0)
    bus.publish("n", 1)
    await bus.drain()

    assert ear.heard == [1]
    assert bus.errors == 1


async def test_events_beyond_the_bound_are_refused_the_newest_first(bus, monkeypatch, caplog):
    monkeypatch.setattr(bus_module, "PENDING_MAX", 3)
    ear = Ear()
    bus.subscribe("n", ear.later)

    for n in range(10):
        bus.publish("n", n)
    await bus.drain()

    assert ear.heard == [0, 1, 2]
    assert bus.refused == 7
    assert len(caplog.messages) == 3  # the 1st, 2nd and 4th: a flood does not flood the log


def test_asynchronous_handler_without_a_loop_is_an_error_of_its_own(bus):
    ear = Ear()
    bus.subscribe("n", ear.later)
    bus.subscribe("n", ear)

    bus.publish("n", 1)

    assert ear.heard == [1]
    assert bus.errors == 1


def test_bus_works_on_one_loop_after_another(bus):
    ear = Ear()
    bus.subscribe("n", ear.later)

    async def session(n: int) -> None:
        bus.publish("n", n)
        await bus.drain()

    asyncio.run(session(1))
    asyncio.run(session(2))

    assert ear.heard == [1, 2]


def test_loop_that_ends_with_events_waiting_drops_them_quietly(bus):
    ear = Ear()
    bus.subscribe("n", ear.later)

    async def session(count: int) -> None:
        for n in range(count):
            bus.publish("n", n)

    asyncio.run(session(5))
    heard = list(ear.heard)
    asyncio.run(session(1))

    assert heard == []
    assert bus.errors == 0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda ear: ear.later,
        lambda ear: partial(lambda hear, event: hear(event), ear.later),
        lambda ear: lambda event: asyncio.ensure_future(ear.later(event)),
    ],
    ids=["method", "lambda", "future"],
)
async def test_whatever_can_be_awaited_is(bus, wrap):
    ear = Ear()
    bus.subscribe("n", wrap(ear))

    bus.publish("n", 1)
    bus.publish("n", 2)
    await bus.drain()

    assert ear.heard == [1, 2]


def test_unsubscribed_handler_hears_no_more(bus):
    ear = Ear()
    end = bus.subscribe("a", ear)
    bus.subscribe("b", ear)
    bus.subscribe("c", ear)

    end()
    end()
    assert bus.unsubscribe("b", ear)
    assert not bus.unsubscribe("b", ear)
    for topic in "abc":
        bus.publish(topic, topic)

    assert ear.heard == ["c"]


def test_handler_that_is_unsubscribed_by_an_earlier_one_is_not_called(bus):
    ear = Ear()
    ends: list[Callable[[], None]] = []
    bus.subscribe("a", lambda event: ends[0]())
    ends.append(bus.subscribe("a", ear))

    bus.publish("a", 1)

    assert ear.heard == []


def test_handler_that_is_subscribed_meanwhile_hears_the_next_event(bus):
    ear = Ear()
    bus.subscribe("a", lambda event: bus.subscribe("a", ear) if event == 1 else None)

    bus.publish("a", 1)
    bus.publish("a", 2)

    assert ear.heard == [2]


async def test_events_that_wait_for_an_unsubscribed_handler_are_dropped(bus):
    ear = Ear()
    bus.subscribe("a", ear.later)
    bus.publish("a", 1)

    bus.unsubscribe("a", ear.later)
    await bus.drain()

    assert ear.heard == []


async def test_handler_that_publishes_and_drains_from_within_does_not_wait_for_itself(bus):
    ear = Ear()

    async def handler(event: int) -> None:
        if event < 3:
            bus.publish("n", event + 1)
        assert await bus.drain()
        ear(event)

    bus.subscribe("n", handler)
    bus.publish("n", 0)
    await bus.drain()

    assert ear.heard == [0, 1, 2, 3]
    assert bus.errors == 0


async def test_close_drains_then_cancels_what_is_stuck_and_ends_all_subscriptions(bus):
    ear, cancelled = Ear(), Ear()

    async def stuck(event: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled(event)
            raise

    bus.subscribe("a", ear.later)
    bus.subscribe("a", stuck)
    bus.publish("a", 1)
    bus.publish("a", 2)
    await bus.close(timeout_s=0.01)

    assert ear.heard == [1, 2]
    assert cancelled.heard == [1]
    assert not bus.has_subscribers("a")
    assert bus.errors == 0


@pytest.mark.parametrize("topic", ["", "order.*", "**"])
def test_topic_is_a_name_or_a_star(bus, topic):
    with pytest.raises(InputError, match="dotted name"):
        bus.subscribe(topic, print)


def test_handler_must_be_callable(bus):
    with pytest.raises(InputError, match=r"handler of order\.filled must be callable, was 7"):
        bus.subscribe("order.filled", 7)


def note(heard: list[Any], number: int) -> Callable[[object], None]:
    return lambda event: heard.append((number, event))


TOPICS = st.sampled_from(["a", "b", "a.b", "*"])
STEPS = st.lists(st.tuples(st.sampled_from(["on", "off", "tell"]), TOPICS), max_size=40)


@given(STEPS)
def test_bus_tells_what_a_plain_list_of_subscriptions_would(steps: list[tuple[str, str]]):
    bus = EventBus()
    heard: list[Any] = []
    expected: list[Any] = []
    model: list[tuple[str, int, Callable[[], None]]] = []
    for number, (step, topic) in enumerate(steps):
        if step == "on":
            model.append((topic, number, bus.subscribe(topic, note(heard, number))))
        elif step == "off" and model:
            model.pop(number % len(model))[2]()
        elif step == "tell":
            hearers = [n for t, n, _ in model if t in (topic, "*")]
            assert bus.has_subscribers(topic) == bool(hearers)
            bus.publish(topic, number)
            expected += [(n, number) for n in hearers]

    assert heard == expected
