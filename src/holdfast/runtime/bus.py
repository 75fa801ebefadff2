"""Tell whoever asked to hear it what happened: events by topic, in order, harmless to the teller.

Rule 1: handlers of a topic run in the order of their subscription.
Rule 2: an asynchronous handler gets its events one after the other, in the order of `publish`.
Rule 3: what a handler does, its publisher and the other handlers never feel. It is logged and
        counted.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..model.errors import InputError

Handler = Callable[[Any], object]
"""Takes an event. What it returns counts only when it can be awaited."""

EVERYTHING = "*"
PENDING_MAX = 10_000
"""Events that wait for one asynchronous handler; the newest are refused beyond it."""

DRAIN_S_MAX = 10.0

_LOG = logging.getLogger("holdfast.bus")


class EventBus:
    """Topics are dotted names such as "order.filled"; "*" hears all of them.

    Belongs to the thread of one running loop. `errors` counts what handlers raised, `refused`
    the events that found an asynchronous handler's queue full.
    """

    def __init__(self) -> None:
        self.errors = 0
        self.refused = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._subscriptions: list[_Subscription] = []  # in the order of subscription
        self._routes: dict[str, tuple[_Subscription, ...]] = {}
        self._everything: tuple[_Subscription, ...] = ()

    def subscribe(self, topic: str, handler: Handler) -> Callable[[], None]:
        """Have a handler, plain or asynchronous, called with each event of a topic.

        Returns:
            What ends this subscription; calling it again does nothing.

        Raises:
            InputError: the topic is empty, or the handler can't be called.
        """
        if not topic or (EVERYTHING in topic and topic != EVERYTHING):
            raise InputError(f"a topic is a dotted name or {EVERYTHING}, was {topic!r}")
        if not callable(handler):
            raise InputError(f"the handler of {topic} must be callable, was {handler!r:.80}")
        subscription = _Subscription(self, topic, handler)
        self._subscriptions.append(subscription)
        self._route()
        return lambda: self._end(subscription)

    def unsubscribe(self, topic: str, handler: Handler) -> bool:
        """End a handler's oldest subscription to a topic; tell whether there was one.

        Events that wait for it are dropped.
        """
        for subscription in self._subscriptions:
            if subscription.topic == topic and subscription.handler == handler:
                self._end(subscription)
                return True
        return False

    def has_subscribers(self, topic: str) -> bool:
        """Tell whether anybody would hear an event; cheap, so ask before making one."""
        return topic in self._routes or bool(self._everything)

    def is_subscribed(self, topic: str) -> bool:
        """Tell whether a handler asked for this very topic; one that hears everything did not."""
        return topic in self._routes

    def publish(self, topic: str, event: object) -> None:
        """Call the topic's handlers; asynchronous ones run later, on the loop."""
        for subscription in self._routes.get(topic, self._everything):
            if subscription.is_live:
                subscription.hear(topic, event)

    async def drain(self, timeout_s: float = DRAIN_S_MAX) -> bool:
        """Wait until asynchronous handlers have done their work, and tell whether they have."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while tasks := self._tasks():
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.wait(tasks, timeout=left)
        return True

    async def close(self, timeout_s: float = DRAIN_S_MAX) -> None:
        """Drain, cancel what is left, and end all subscriptions."""
        await self.drain(timeout_s)
        tasks = self._tasks()
        for subscription in tuple(self._subscriptions):
            self._end(subscription)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def count_error(self, topic: str, handler: Handler, error: BaseException) -> None:
        """Log and count what a handler raised."""
        self.errors += 1
        _LOG.error("handler %s of %s failed: %r", _name(handler), topic, error, exc_info=error)

    def count_refusal(self, topic: str, handler: Handler) -> None:
        """Log and count an event that a handler's full queue had no room for."""
        self.refused += 1
        if self.refused.bit_count() == 1:  # at 1, 2, 4, 8 ...: a flood shall not flood the log
            _LOG.error(
                "handler %s of %s is %d events behind; %d refused so far",
                _name(handler),
                topic,
                PENDING_MAX,
                self.refused,
            )

    def start_worker(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Hold a task until it is done.

        Raises:
            RuntimeError: no loop is running.
        """
        try:
            worker = asyncio.get_running_loop().create_task(work)
        except RuntimeError:
            work.close()
            raise
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)
        return worker

    def _tasks(self) -> set[asyncio.Task[None]]:
        """Return the workers at work, the caller's own aside: it would wait for itself."""
        return self._workers - {asyncio.current_task()}

    def _end(self, subscription: _Subscription) -> None:
        if subscription.is_live:
            subscription.end()
            self._subscriptions.remove(subscription)
            self._route()

    def _route(self) -> None:
        every = self._subscriptions
        self._everything = tuple(s for s in every if s.topic == EVERYTHING)
        self._routes = {
            topic: tuple(s for s in every if s.topic in (topic, EVERYTHING))
            for topic in {s.topic for s in every}
        }


class _Subscription:
    """A handler of a topic, and the events that wait for it where it is asynchronous."""

    __slots__ = ("_bus", "_waiting", "_worker", "handler", "is_live", "topic")

    def __init__(self, bus: EventBus, topic: str, handler: Handler) -> None:
        self.topic = topic
        self.handler = handler
        self.is_live = True
        self._worker: asyncio.Task[None] | None = None
        self._bus = bus
        self._waiting: deque[tuple[str, Awaitable[object]]] = deque()

    def hear(self, topic: str, event: object) -> None:
        try:
            # Calling a coroutine function runs nothing of it yet: this is plain or asynchronous.
            result = self.handler(event)
            if result is not None and inspect.isawaitable(result):
                self._queue(topic, result)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            self._bus.count_error(topic, self.handler, error)

    def end(self) -> None:
        self.is_live = False
        while self._waiting:
            _discard(self._waiting.popleft()[1])

    def _queue(self, topic: str, work: Awaitable[object]) -> None:
        if len(self._waiting) >= PENDING_MAX:
            _discard(work)
            self._bus.count_refusal(topic, self.handler)
            return
        if self._worker is None or self._worker.done():
            try:
                self._worker = self._bus.start_worker(self._work())
            except RuntimeError:
                _discard(work)
                raise
        self._waiting.append((topic, work))

    async def _work(self) -> None:
        """Do what waits; over when nothing does, so that an idle bus holds no task."""
        try:
            while self._waiting:
                topic, work = self._waiting.popleft()
                await self._do(topic, work)
                await asyncio.sleep(0)  # a long queue must not keep the loop to itself
        finally:
            while self._waiting:  # cancelled: what was not begun will not be
                _discard(self._waiting.popleft()[1])

    async def _do(self, topic: str, work: Awaitable[object]) -> None:
        try:
            await work
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._bus.count_error(topic, self.handler, error)  # something that it awaited
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            self._bus.count_error(topic, self.handler, error)


def _discard(work: Awaitable[object]) -> None:
    """Drop what will not be awaited, without a warning that it never was."""
    if inspect.iscoroutine(work):
        work.close()
    elif isinstance(work, asyncio.Future):
        work.cancel()


def _name(handler: Handler) -> str:
    return getattr(handler, "__qualname__", None) or type(handler).__name__
