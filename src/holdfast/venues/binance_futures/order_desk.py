"""Carry commands out and questions after orders, and say what came of each.

Rule 1: a command is answered exactly once, unless the venue is closed before.
Rule 2: what can't be understood of an answer leaves the order in doubt, never in the air.
Rule 3: while our clock is off, what adds risk is refused here: its fence would lie. What ends risk
        leaves in the venue's time; where that was not known yet and the venue refused the time, it
        is measured and the same is sent once more: a refusal of the time is sure.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ...model.commands import CancelOrder, QueryOrder, ReplaceOrder, SubmitOrder
from ...model.errors import VenueError
from ...model.messages import ExecutionReport, OrderNotFound, VenueMessage
from ...model.values import NS_PER_S, AccountId, OrderRole, OrderStatus
from ...ports import NOT_CONNECTED, NOT_SENT
from ..limits import Urgency
from . import codec
from .answers import ASKS, answer, not_found
from .asking import READ_WINDOW_NS, Answered, Asker, Begun, twice_if_gone
from .codec import BadFrame, Call, OrderNames, requests
from .order_naming import fetch
from .outcomes import Ask, Kind, Outcome, Then
from .rest import Road

Order = SubmitOrder | CancelOrder | ReplaceOrder

CLOSED = Outcome(Kind.FINAL, reason=f"{NOT_CONNECTED}the venue is closed")
_log = logging.getLogger("holdfast.venue")


@dataclass(frozen=True, slots=True)
class Doors:
    """What the desk works through.

    `road` returns where a call goes now; `question_roads` where a question goes at each of its
    tries; `is_open` tells whether a task may be begun; `start`
    begins one, or says False; `tell` takes
    messages, in the order in which they are learned; `follow_up` does what an outcome asks for
    besides; `acknowledged` hears that the stream has something to tell of what left at a time, in
    the loop's.
    """

    road: Callable[[Call], Road]
    question_roads: Callable[[Call], Iterator[Road]]
    is_open: Callable[[], bool]
    start: Callable[[Coroutine[Any, Any, None]], bool]
    tell: Callable[[VenueMessage], None]
    follow_up: Callable[[Outcome], None]
    acknowledged: Callable[[float], None]


class OrderDesk:
    """One account's orders on their way to the venue.

    Args:
        lag_ns: how far the venue's answers may trail what has happened.
    """

    def __init__(
        self, asker: Asker, names: OrderNames, account: AccountId, doors: Doors, lag_ns: int
    ) -> None:
        self._asker = asker
        self._names = names
        self._account = account
        self._doors = doors
        self._lag_ns = lag_ns
        self._asked_after: set[str] = set()
        self._under_way = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def submit(self, command: SubmitOrder) -> None:
        order = command.order
        adds_risk = order.role is OrderRole.ENTRY and not order.reduce_only
        urgency = Urgency.TRADE if adds_risk else Urgency.PROTECT
        if adds_risk and self._asker.offset.is_off:
            reason = f"{NOT_SENT}{self._asker.offset.told}"
            self._conclude(command, Outcome(Kind.FINAL, reason=reason))
            return
        self._begin(command, urgency)

    def cancel(self, command: CancelOrder) -> None:
        self._begin(command, Urgency.PROTECT)

    def replace(self, command: ReplaceOrder) -> None:
        self._begin(command, Urgency.TRADE)

    def query(self, command: QueryOrder) -> None:
        """Ask after an order, unless that is being asked already."""
        if command.cl_ord_id not in self._asked_after:
            self._asked_after.add(command.cl_ord_id)
            if not self._doors.start(self._ask_after(command)):
                self._asked_after.discard(command.cl_ord_id)

    async def idle(self) -> None:
        """Wait until every command has been answered."""
        await self._is_idle.wait()

    # Commands

    def _begin(self, command: Order, urgency: Urgency) -> None:
        """Let a command leave before returning where that is possible, and soon otherwise."""
        offset = self._asker.offset
        is_shifted = urgency is Urgency.PROTECT and offset.is_off and offset.is_sure
        call = self._call(self._in_venue_time(command) if is_shifted else command)
        if not self._doors.is_open():
            self._conclude(command, CLOSED)
            return
        begun = self._asker.begin(call, urgency, _fence(command), self._doors.road(call))
        self._under_way += 1
        self._is_idle.clear()
        left = asyncio.get_running_loop().time()  # here: its event may outrun the task
        self._doors.start(self._carry_out(command, call, urgency, begun, left))

    def _call(self, command: Order) -> Call:
        """Return a command as a request: a child that is taken back goes by its own number.

        The venue may have a name of its own for it.
        """
        if not isinstance(command, CancelOrder) or command.is_conditional:
            return _CALLS[type(command)](command)
        child_id = self._names.child_of(command.cl_ord_id)
        is_its = child_id and self._names.known(command.symbol, child_id) == command.cl_ord_id
        return requests.cancel(command, order_id=child_id if is_its else None)

    def _in_venue_time(self, command: Order) -> Order:
        """Return a command as it is written where our clock is off; its own fence stays."""
        return msgspec.structs.replace(command, ts=self._asker.offset.venue_time(command.ts))

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._is_idle.set()

    async def _carry_out(
        self, command: Order, call: Call, urgency: Urgency, begun: Begun | None, left: float
    ) -> None:
        try:
            answered = await self._send(command, call, urgency, begun)
            is_mistimed = answered.outcome.then is Then.SYNC_CLOCK and urgency is Urgency.PROTECT
            if is_mistimed and await self._learn_time(_fence(command)):
                call = self._call(self._in_venue_time(command))
                answered = await self._send(command, call, urgency, None)
            self._take(command, answered, left)
        except Exception:  # noqa: BLE001 - a fault of ours; the outcome is not known, others go on
            _log.exception("the answer to %s was not understood", type(command).__name__)
            reason = "the answer was not understood"
            self._conclude(command, Outcome(Kind.IN_DOUBT, failure="venue", reason=reason))
        finally:
            self._end()

    async def _learn_time(self, fence_ts: int) -> bool:
        """Measure the venue's time, until a fence at most; tell whether a command may leave."""
        asker = self._asker
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout((fence_ts - asker.clock.now()) / NS_PER_S):
                await asker.sync_clock()
        return asker.offset.is_sure and asker.clock.now() < fence_ts

    async def _send(
        self, command: Order, call: Call, urgency: Urgency, begun: Begun | None
    ) -> Answered:
        return await self._asker.ask(
            lambda _: call,
            call.cost,
            ASKS[type(command)],
            urgency,
            fence_ts=_fence(command),
            roads=lambda: self._doors.road(call),
            begun=begun,
        )

    def _take(self, command: Order, answered: Answered, left: float) -> None:
        if not answered.is_ok:
            self._conclude(command, answered.outcome)
            return
        try:
            report = self._read(command, answered)
            if report is not None:
                report = _of(command, report)
        except BadFrame as error:
            self._conclude(command, Outcome(Kind.IN_DOUBT, failure="venue", reason=str(error)))
            return
        self._doors.acknowledged(left)
        if report is not None:
            self._doors.tell(report)

    def _read(self, command: Order, answered: Answered) -> ExecutionReport | None:
        """Read what a command was answered; None where a query will tell."""
        body, names, account = answered.reply.body, self._names, self._account
        match command:
            case SubmitOrder() if command.order.order_type.is_conditional:
                return codec.algo_placed(body, names, account)
            case CancelOrder() if command.is_conditional:
                report = codec.algo_canceled(body, command, names, answered.asked_ts)
                if report is None:
                    self.query(_question(command))
                return report
            case SubmitOrder() | CancelOrder():
                return codec.acknowledged(body, names, account)
            case ReplaceOrder():
                return codec.amended(body, names, account)

    def _conclude(self, command: Order, outcome: Outcome) -> None:
        """Say what came of a command that was not simply carried out."""
        message = answer(command, outcome, self._asker.clock.now())
        if message is not None:
            self._doors.tell(message)
        self._doors.follow_up(outcome)

    # Questions

    async def _ask_after(self, command: QueryOrder) -> None:
        try:
            message = await self._find(command)
            if command.is_short and command.is_conditional:
                await self._tell_executions(command)
        except BadFrame as error:
            _log.warning("%s", error)
            message = None
        finally:
            self._asked_after.discard(command.cl_ord_id)
        if message is not None:
            self._doors.tell(message)

    async def _find(self, command: QueryOrder) -> ExecutionReport | OrderNotFound | None:
        """Return what became of an order; of a conditional one's child, where there is one."""
        if not command.is_conditional:
            return await self._find_ordinary(command)
        answered = await self._ask(command, None)
        if not answered.is_ok:
            return await self._find_child(command, answered)
        found = codec.algo_queried(
            answered.reply.body, self._names, self._account, asked_ts=answered.asked_ts
        )
        known = _of(command, found.report)
        has_become = found.child_id is not None or found.is_over
        if not has_become or known.status is OrderStatus.FILLED:
            return known
        if found.is_over:  # open it is not, whatever became of its child
            known = msgspec.structs.replace(known, asked_ts=0)
        child = await self._find_ordinary(command, found.child_id)
        # A child that is not shown yet leaves the conditional order as it was told.
        if isinstance(child, ExecutionReport):
            return child
        is_gone = child is not None and found.is_over and self._would_show(known, child)
        return child if is_gone else known

    def _would_show(self, known: ExecutionReport, absent: OrderNotFound) -> bool:
        """Tell whether an answer that knows no child came too late to trail its parent's end."""
        return known.venue_ts + self._lag_ns < self._asker.offset.least_venue_time(absent.asked_ts)

    async def _find_child(
        self, command: QueryOrder, answered: Answered
    ) -> ExecutionReport | OrderNotFound | None:
        """Return what became of a conditional order of which no answer tells, by its child's."""
        absent = self._absent(command, answered)
        child_id = self._names.child_of(command.cl_ord_id)
        if child_id is None:
            return absent
        # A child may be asked for on both roads; its absence alone says nothing.
        child = await self._find_ordinary(command, child_id)
        return child if absent is not None or isinstance(child, ExecutionReport) else None

    async def _find_ordinary(
        self, command: QueryOrder, child_id: int | None = None
    ) -> ExecutionReport | OrderNotFound | None:
        """Return what became of an ordinary order; a child without an id goes by its parent's."""
        ordinary = msgspec.structs.replace(command, is_conditional=False)
        answered = await self._ask(ordinary, child_id)
        if not answered.is_ok:
            return self._absent(command, answered)
        report = codec.queried(
            answered.reply.body,
            self._names,
            self._account,
            asked_ts=answered.asked_ts,
            called=command.cl_ord_id if command.is_conditional else None,
        )
        if self._is_child_of_another(report, command):
            return not_found(command, answered.asked_ts)
        report = _of(command, report)
        if command.is_conditional and report.status is OrderStatus.NEW:
            return msgspec.structs.replace(report, status=OrderStatus.TRIGGERED)
        return report

    def _is_child_of_another(self, report: ExecutionReport, command: QueryOrder) -> bool:
        """Tell whether what was taken for an order by itself is what one of ours has become."""
        child_id = self._names.child_of(report.cl_ord_id)
        return report.cl_ord_id != command.cl_ord_id and report.venue_order_id == str(child_id)

    async def _tell_executions(self, command: QueryOrder) -> None:
        """Tell once more what a conditional order's child has executed.

        Where the venue has a name of its own for the child, and executions were heard before it was
        known whose they are, they are booked under that name.
        """
        child_id = self._names.child_of(command.cl_ord_id)
        if child_id is None:
            return
        call = codec.reads.trades_of(command.symbol, child_id)
        try:
            answered = await fetch(self._asker, call, Urgency.RESOLVE)
            rows = codec.trade_rows(answered.reply.body)
        except VenueError as error:
            _log.warning("the executions of %s can't be read: %s", command.cl_ord_id, error)
            return
        for report in codec.trades(rows, self._names, self._account):
            self._doors.tell(report)

    async def _ask(self, command: QueryOrder, order_id: int | None) -> Answered:
        def make(ts: int) -> Call:
            return requests.query(command, ts, READ_WINDOW_NS, order_id=order_id)

        call = make(0)
        roads = self._doors.question_roads(call)

        def ask() -> Awaitable[Answered]:
            return self._asker.ask(
                make, call.cost, Ask.QUERY, Urgency.RESOLVE, roads=lambda: next(roads)
            )

        return await twice_if_gone(ask)

    def _absent(self, command: QueryOrder, answered: Answered) -> OrderNotFound | None:
        self._doors.follow_up(answered.outcome)
        message = answer(command, answered.outcome, answered.asked_ts)
        return message if isinstance(message, OrderNotFound) else None


_CALLS: dict[type, Callable[[Any], Call]] = {
    SubmitOrder: requests.submit,
    CancelOrder: requests.cancel,
    ReplaceOrder: requests.replace,
}


def _fence(command: Order) -> int:
    """Return our time at which a command may no longer leave."""
    return command.ts + command.recv_window_ns


def _of(command: Order | QueryOrder, report: ExecutionReport) -> ExecutionReport:
    """Return an answer under the name that its order was asked for by.

    Raises:
        BadFrame: it is about another order: what became of ours is not known.
    """
    if isinstance(command, SubmitOrder):
        name, number = command.order.cl_ord_id, ""
    else:
        name, number = command.cl_ord_id, command.venue_order_id
    if number and report.venue_order_id == number:
        return msgspec.structs.replace(report, cl_ord_id=name)
    if report.cl_ord_id != name:
        raise BadFrame(f"asked about {name}, the answer is about {report.cl_ord_id}")
    return report


def _question(command: CancelOrder) -> QueryOrder:
    return QueryOrder(
        account=command.account,
        symbol=command.symbol,
        cl_ord_id=command.cl_ord_id,
        is_conditional=command.is_conditional,
        venue_order_id=command.venue_order_id,
    )
