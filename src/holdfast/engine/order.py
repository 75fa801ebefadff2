"""The life of an order, and the small machines beside it.

Rule: every way an order may change status is in `TRANSITIONS`. A pair that is absent is illegal.
Whether a cancel or an amendment is under way, and whether the order itself is in doubt, are
questions of their own: answering one never disturbs the others.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from ..model import events as ev
from ..model.errors import IllegalTransition
from ..model.ids import is_by_number
from ..model.values import ZERO, ClOrdId, Key, NewOrder, OrderRole, OrderStatus, Side, TradeId


class Trigger(enum.Enum):
    """What may move an order."""

    __hash__ = object.__hash__  # there is one of each; `Enum` hashes the name, in Python

    ACCEPT = "ACCEPT"
    TRIGGER = "TRIGGER"
    REJECT = "REJECT"
    PARTIAL_FILL = "PARTIAL_FILL"
    FILL = "FILL"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"
    LOSE = "LOSE"


S, T = OrderStatus, Trigger

_APPEARS = {
    # It was declared absent or refused, and shows up all the same: it is what it is.
    T.ACCEPT: S.NEW,
    T.TRIGGER: S.TRIGGERED,
    T.PARTIAL_FILL: S.PARTIALLY_FILLED,
    T.FILL: S.FILLED,
    T.CANCEL: S.CANCELED,
    T.EXPIRE: S.EXPIRED,
}

TRANSITIONS: dict[OrderStatus, dict[Trigger, OrderStatus]] = {
    S.PENDING_NEW: {
        T.ACCEPT: S.NEW,
        T.TRIGGER: S.TRIGGERED,  # the trigger can outrun the acknowledgement
        T.REJECT: S.REJECTED,
        T.PARTIAL_FILL: S.PARTIALLY_FILLED,  # so can a fill
        T.FILL: S.FILLED,
        T.CANCEL: S.CANCELED,
        T.EXPIRE: S.EXPIRED,  # IOC and FOK
        T.LOSE: S.NEVER_ARRIVED,
    },
    S.NEW: {
        T.ACCEPT: S.NEW,  # redelivered
        T.TRIGGER: S.TRIGGERED,
        T.REJECT: S.REJECTED,  # a conditional order's child is refused when it triggers
        T.PARTIAL_FILL: S.PARTIALLY_FILLED,
        T.FILL: S.FILLED,
        T.CANCEL: S.CANCELED,
        T.EXPIRE: S.EXPIRED,
    },
    S.TRIGGERED: {
        T.ACCEPT: S.TRIGGERED,  # late acknowledgement, or the child's own
        T.TRIGGER: S.TRIGGERED,
        T.REJECT: S.REJECTED,
        T.PARTIAL_FILL: S.PARTIALLY_FILLED,
        T.FILL: S.FILLED,
        T.CANCEL: S.CANCELED,
        T.EXPIRE: S.EXPIRED,
    },
    S.PARTIALLY_FILLED: {
        T.ACCEPT: S.PARTIALLY_FILLED,  # late acknowledgement
        T.TRIGGER: S.PARTIALLY_FILLED,
        T.PARTIAL_FILL: S.PARTIALLY_FILLED,
        T.FILL: S.FILLED,
        T.CANCEL: S.CANCELED,
        T.EXPIRE: S.EXPIRED,
    },
    S.FILLED: {T.ACCEPT: S.FILLED, T.TRIGGER: S.FILLED},
    S.CANCELED: {
        T.ACCEPT: S.CANCELED,
        T.TRIGGER: S.CANCELED,
        T.PARTIAL_FILL: S.CANCELED,  # venues do report a fill after the cancel
        T.FILL: S.FILLED,
        T.CANCEL: S.CANCELED,
        T.EXPIRE: S.CANCELED,  # two reports of one end
    },
    S.EXPIRED: {
        T.ACCEPT: S.EXPIRED,
        T.TRIGGER: S.EXPIRED,
        T.PARTIAL_FILL: S.EXPIRED,
        T.FILL: S.FILLED,
        T.CANCEL: S.EXPIRED,
        T.EXPIRE: S.EXPIRED,
    },
    S.REJECTED: {T.REJECT: S.REJECTED, **_APPEARS},
    S.NEVER_ARRIVED: {T.LOSE: S.NEVER_ARRIVED, **_APPEARS},
    S.DENIED: {},  # it never left us
}


UNKNOWN = frozenset({-2011, -2013})
"""Codes by which the venue knows no such order."""

ABSENT = frozenset({S.NEVER_ARRIVED, S.REJECTED})
"""What says that the venue does not have it."""


class RequestState(enum.Enum):
    """How a cancel or an amendment of ours stands."""

    NONE = "NONE"
    PENDING = "PENDING"  # asked, not yet answered
    IN_DOUBT = "IN_DOUBT"  # no answer will come: asked after until the fence


_REQUESTS = frozenset(
    {
        ev.CancelRequested,
        ev.CancelRejected,
        ev.CancelInDoubt,
        ev.ReplaceRequested,
        ev.ReplaceRejected,
        ev.ReplaceInDoubt,
    }
)


class Order(msgspec.Struct):
    """One order and everything that has happened to it.

    `qty` and `price` are the present ones, after amendments. `reported_qty` is the venue's
    count of what has executed; it may be ahead of `cum_qty`, what we have booked. `ending` is
    the final status that waits for fills which the venue has named and we have not seen.
    `fence_ts` is set while the order is in doubt: past it the order can no longer arrive.
    `may_close` is the most that a reduce-only order may have closed unheard; see `exits`.
    """

    request: NewOrder
    status: OrderStatus
    created_ts: int
    qty: Decimal
    price: Decimal | None
    updated_ts: int = 0
    heard_ts: int = 0  # when the venue last said something of it; what we ask for is no word of it
    venue_order_id: str = ""
    cum_qty: Decimal = ZERO
    cum_quote: Decimal = ZERO
    priced_qty: Decimal = ZERO  # how much of `cum_qty` was heard with its price
    fees: Decimal = ZERO  # in the margin asset
    reported_qty: Decimal = ZERO
    trade_ids: list[TradeId] = []
    ending: OrderStatus | None = None
    fence_ts: int | None = None
    cancel: RequestState = RequestState.NONE
    cancel_asked_ts: int = 0
    cancel_is_early: bool = False  # it was asked for before the order was known to be there
    cancel_is_pause: bool = False  # it was asked for by a pause, and by nobody since
    cancel_fence_ts: int = 0
    cancel_rejected_ts: int = 0  # the last time that the venue would not
    replace: RequestState = RequestState.NONE
    replace_asked_ts: int = 0
    replace_fence_ts: int = 0
    replace_qty: Decimal = ZERO
    replace_price: Decimal = ZERO
    replaced_ts: int = 0  # the venue's time of the present quantity and price
    reason: str = ""
    code: int | None = None  # of the venue's refusal
    is_ours: bool = True
    is_adopted: bool = False  # met half way: the venue's count alone tells how far it has come
    may_close: Decimal = ZERO
    is_unwanted: bool = False  # nobody counts on it any more: see `_move` and `_refuse_cancel`

    @property
    def cl_ord_id(self) -> ClOrdId:
        """Return the client order id."""
        return self.request.cl_ord_id

    @property
    def number_alone(self) -> str:
        """Return the venue's number of an order that it knows by no other name of ours; else ""."""
        is_by_name = self.is_ours or not is_by_number(self.cl_ord_id, self.venue_order_id)
        return "" if is_by_name else self.venue_order_id

    @property
    def key(self) -> Key:
        """Return the (account, symbol) pair."""
        return self.request.key

    @property
    def side(self) -> Side:
        """Return the side."""
        return self.request.side

    @property
    def role(self) -> OrderRole:
        """Return what the order is for."""
        return self.request.role

    @property
    def is_open(self) -> bool:
        """Tell whether the order may still trade, or still owes fills that the venue named."""
        return self.status.is_open

    @property
    def is_waiting(self) -> bool:
        """Tell whether the venue keeps it among its untriggered conditional orders."""
        before_trigger = (OrderStatus.PENDING_NEW, OrderStatus.NEW)
        return self.request.order_type.is_conditional and self.status in before_trigger

    @property
    def is_closing(self) -> bool:
        """Tell whether it is a conditional order that trades right now."""
        has_triggered = self.status in {OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED}
        return self.request.order_type.is_conditional and has_triggered

    @property
    def is_in_doubt(self) -> bool:
        """Tell whether it is unknown if the order ever arrived."""
        return self.fence_ts is not None

    @property
    def is_refused(self) -> bool:
        """Tell whether the venue declined it: it said so, or what nobody knows and has none."""
        is_absent = self.status is OrderStatus.NEVER_ARRIVED and self.code is not None
        return self.status is OrderStatus.REJECTED or is_absent

    @property
    def leaves_qty(self) -> Decimal:
        """Return the most that may still execute, an amendment under way included."""
        if not self.is_open:
            return ZERO
        if self.ending is not None:
            return max(self.reported_qty - self.cum_qty, ZERO)
        return max(max(self.qty, self.replace_qty) - self.cum_qty, ZERO)

    @property
    def avg_px(self) -> Decimal | None:
        """Return the average price of the fills that were heard; None before the first."""
        return self.cum_quote / self.priced_qty if self.priced_qty else None

    def apply(self, fact: ev.OrderFact | ev.OrderFilled) -> None:
        """Fold one fact in.

        Raises:
            IllegalTransition: the fact has no meaning in the present status.
        """
        match fact:
            case ev.OrderFilled() | ev.FillRecognized():
                self._fill(fact)
            case ev.OrderAccepted():
                self.venue_order_id = fact.venue_order_id or self.venue_order_id
                self._move(Trigger.ACCEPT)
            case ev.OrderRejected():
                self.reason, self.code = fact.reason, fact.code
                self._move(Trigger.REJECT)
            case ev.OrderTriggered():
                self._move(Trigger.TRIGGER)
            case ev.OrderCanceled():
                self._end(Trigger.CANCEL, fact.cum_qty, fact.reason)
            case ev.OrderExpired():
                self._end(Trigger.EXPIRE, fact.cum_qty, fact.reason)
            case ev.OrderReported():
                self.reported_qty = max(self.reported_qty, fact.cum_qty)
                self.fence_ts = None
                self._count_as_reported()
            case ev.OrderInDoubt():
                self.fence_ts, self.code = fact.fence_ts, fact.code
            case ev.OrderNeverArrived():
                self._move(Trigger.LOSE)
            case _:
                self._apply_request(fact)
        self.updated_ts = fact.ts
        self.heard_ts = self.heard_ts if type(fact) in _REQUESTS else fact.ts

    @property
    def known_ts(self) -> int:
        """Return when it was last known to be there, or on its way."""
        return max(self.created_ts, self.heard_ts)

    def _apply_request(self, fact: ev.OrderFact) -> None:
        match fact:
            case ev.CancelRequested():
                self.cancel_is_pause = fact.is_pause
                if self.cancel is not RequestState.IN_DOUBT:  # else what was sent is in doubt still
                    was_early = self.cancel is RequestState.PENDING and self.cancel_is_early
                    self.cancel, self.cancel_asked_ts = RequestState.PENDING, fact.ts
                    self.cancel_is_early = was_early or self.status is OrderStatus.PENDING_NEW
            case ev.CancelRejected():
                self._refuse_cancel(fact)
            case ev.CancelInDoubt():
                self.cancel, self.cancel_fence_ts = RequestState.IN_DOUBT, fact.fence_ts
            case ev.ReplaceRequested():
                self.replace, self.replace_asked_ts = RequestState.PENDING, fact.ts
                self.replace_qty, self.replace_price = fact.qty, fact.price
            case ev.OrderReplaced():
                self.qty, self.price = fact.qty, fact.price
                self.replaced_ts = fact.venue_ts or self.replaced_ts
                self._answer_replace()
            case ev.ReplaceRejected():
                self._answer_replace()
            case ev.ReplaceInDoubt():
                self.replace, self.replace_fence_ts = RequestState.IN_DOUBT, fact.fence_ts
            case _:
                raise IllegalTransition(f"{self.cl_ord_id}: no order fact {type(fact).__name__}")

    def _refuse_cancel(self, fact: ev.CancelRejected) -> None:
        self.cancel, self.cancel_rejected_ts = RequestState.NONE, fact.ts
        is_for_good, self.cancel_is_pause = not self.cancel_is_pause, False
        # It was there before the order was, or behind its trigger, whichever is heard first.
        is_gone = fact.code in UNKNOWN and self.request.order_type.is_conditional
        is_missed = self.cancel_is_early or (is_gone and self.role is OrderRole.ENTRY)
        if self.is_open and is_missed and is_for_good:
            self.is_unwanted = True

    def _answer_replace(self) -> None:
        self._forget_replace()
        if self.is_open and self.cum_qty >= self.qty:
            self._move(Trigger.FILL)  # it filled while a larger quantity was asked for
        elif self.status is OrderStatus.FILLED and self.cum_qty < self.qty:
            self.status = OrderStatus.PARTIALLY_FILLED  # it is larger than was known

    def _forget_replace(self) -> None:
        self.replace, self.replace_qty, self.replace_price = RequestState.NONE, ZERO, ZERO

    def _fill(self, fill: ev.OrderFilled | ev.FillRecognized) -> None:
        if not self.is_adopted:
            self._count(fill)  # first: it refuses what can't be
        self.cum_quote += fill.qty * fill.price
        self.priced_qty += fill.qty if fill.price else ZERO  # without one no list has it

    def _count(self, fill: ev.OrderFilled | ev.FillRecognized) -> None:
        done = self.cum_qty + fill.qty
        limit = max(self.qty, self.replace_qty)
        if done > limit:
            raise IllegalTransition(
                f"{self.cl_ord_id}: trade {fill.trade_id} of {fill.qty} makes {done}, "
                f"more than the order's {limit}"
            )
        if done > self.qty:  # the amendment under way has arrived, though nobody has heard so
            self.qty, self.price = self.replace_qty, self.replace_price
        self.cum_qty = done
        self.reported_qty = max(self.reported_qty, done)
        self.trade_ids.append(fill.trade_id)
        self._move(Trigger.FILL if done >= limit else Trigger.PARTIAL_FILL)
        self._settle()

    def _count_as_reported(self) -> None:
        """Of an adopted order some fills were booked before it was known, and some may be again."""
        if not self.is_adopted or not self.is_open or self.reported_qty == self.cum_qty:
            return
        self.cum_qty = self.reported_qty
        is_done = self.cum_qty == max(self.qty, self.replace_qty)
        self._move(Trigger.FILL if is_done else Trigger.PARTIAL_FILL)

    def _end(self, trigger: Trigger, cum_qty: Decimal, reason: str) -> None:
        """Take a final report; it stands once the fills that it names have been booked."""
        self.reason = reason or self.reason
        self.reported_qty = max(self.reported_qty, cum_qty)
        if self.is_adopted:
            self.cum_qty = self.reported_qty
        if self.reported_qty <= self.cum_qty or not self.is_open:
            self._move(trigger)
            return
        self.ending = self._target(trigger)
        self.fence_ts = None
        self._answer_requests()

    def _settle(self) -> None:
        if self.ending is not None and self.cum_qty >= self.reported_qty and self.is_open:
            self.status = self.ending
        if not self.is_open:
            self.ending = None
            self._answer_requests()

    def _target(self, trigger: Trigger) -> OrderStatus:
        target = TRANSITIONS[self.status].get(trigger)
        if target is None:
            raise IllegalTransition(f"{self.cl_ord_id}: {trigger.value} while {self.status.value}")
        return target

    def _move(self, trigger: Trigger) -> None:
        was_absent, self.status = self.status in ABSENT, self._target(trigger)
        if was_absent and self.is_open:  # it was declared absent, and it appeared
            self.is_unwanted = True
        self.fence_ts = None
        if not self.is_open:
            self.ending = None
            self._answer_requests()

    def _answer_requests(self) -> None:
        """An order that has ended needs no answer to a cancel or an amendment any more."""
        self.cancel = RequestState.NONE
        self._forget_replace()
