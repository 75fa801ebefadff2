"""What a user can do with a running session, one call each: orders, positions, figures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from ..engine.order import RequestState
from ..engine.parent import Parent
from ..engine.parents import goes_on
from ..model import events as ev
from ..model import messages as msg
from ..model.errors import (
    InputError,
    OutcomeUnknownError,
    RiskDenied,
    SessionStateError,
    TradingError,
    UnknownOrderError,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)
from ..model.values import (
    ZERO,
    AccountId,
    Amount,
    ClOrdId,
    Key,
    OrderStatus,
)
from .answers import answers_to, of_amendment
from .live import LiveSession
from .recorded import as_recorded
from .refusals import denial_error, room_in_s, venue_error
from .sent import orders_of_request, sent_for, under_way
from .shortfall import check_filled, shortfall_of
from .user_orders import placed_id, positive, request_of
from .views import (
    Metrics,
    Order,
    OrderResult,
    Position,
    amount,
    metrics_view,
    order_view,
    position_view,
)
from .wanted import symbol_of
from .wholes import still_opened, whole_of, whole_view

ANSWER_PATIENCE_S = 10.0
"""How long a call waits for the venue's word on an order; later it comes by events."""


class Operations:
    """Acts on one life of a session.

    Raises:
        OutcomeUnknownError: in whatever waits for the venue's word, where the life fails first, and
            in all but `place` where none has come in `ANSWER_PATIENCE_S`.
    """

    def __init__(self, live: LiveSession) -> None:
        self.live = live
        self._engine = live.engine
        self._shell = live.shell

    async def place(self, request: msg.PlaceRequest) -> Order:
        """Take an order on and wait for the venue's first word.

        A part that did not come about is returned as it is where others follow. An order in doubt
        is waited for too, a while: it comes back with `is_in_doubt` where nobody knows yet
        whether it arrived.

        Raises:
            InputError: the request contradicts itself.
            RiskDenied: a rule refused; nothing was sent.
            InsufficientBalanceError: the margin does not cover it, by our books or the venue's.
            RateLimitError: our own throttle refused, or the venue's limits; nothing was done.
            NetworkError: there is no connection; nothing was sent.
            VenueUnavailable: it never reached the venue.
            VenueRefused: the venue declined.
        """
        outcome = self._shell.ask(request)
        for fact in outcome.facts:
            if isinstance(fact, ev.OrderDenied):
                raise denial_error(fact, self._engine.core.settings.limits)
        sent = self._sent(outcome.facts) if outcome.facts else self._known(as_recorded(request))
        if not sent:
            raise TradingError(f"nothing came of {request.side.value} {request.symbol}")
        await self._answered(sent[0])
        state = self._engine.state
        if goes_on(state, state.orders[sent[0]]):
            return order_view(self._engine, state.orders[sent[0]])
        return self._accepted(sent[0])

    def _sent(self, facts: list[ev.Event]) -> list[ClOrdId]:
        return sent_for(facts)

    def _known(self, request: msg.PlaceRequest) -> list[ClOrdId]:
        """Find the order that an earlier request of the same id led to.

        Raises:
            UnknownOrderError: that is so long ago that it is remembered no more.
        """
        orders, intent = orders_of_request(self._engine.state, request)
        if intent and not orders:
            was = f"{request.request_id} was acted on before, and its order is remembered no more"
            raise UnknownOrderError(f"{was}: nothing was placed now")
        if orders and orders[0].status is OrderStatus.DENIED:
            raise RiskDenied(orders[0].reason)
        return [order.cl_ord_id for order in orders]

    async def _answered(self, cl_ord_id: ClOrdId) -> None:
        order = self._engine.state.orders[cl_ord_id]
        await self._has_come(lambda: order.status is not OrderStatus.PENDING_NEW)

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the venue's word.

        Raises:
            OutcomeUnknownError: it has not come; or this life failed first.
        """
        if not await self._has_come(condition):
            raise OutcomeUnknownError(
                f"{what}: no answer within {ANSWER_PATIENCE_S:g} s, and nobody knows yet what came "
                "of it; look at what became of it before you ask once more"
            )

    async def _has_come(self, condition: Callable[[], bool]) -> bool:
        """Wait a while for the venue's word, and tell whether it came.

        Raises:
            OutcomeUnknownError: this life failed first, perhaps before anything was sent.
        """
        has_come = await self._shell.until(condition, ANSWER_PATIENCE_S)
        if not has_come:
            self._check_life()
        return has_come

    def _check_life(self) -> None:
        """Refuse to say what came of a request whose last word may be on no record.

        Raises:
            OutcomeUnknownError: this life has failed.
        """
        if self._shell.has_failed:
            raise OutcomeUnknownError(
                f"the session failed before the venue had answered: {self._shell.failed.result()}; "
                "look at what became of it before you ask once more"
            )

    def _accepted(self, cl_ord_id: ClOrdId) -> Order:
        order = self._engine.state.orders[cl_ord_id]
        if order.status is OrderStatus.REJECTED:
            raise self._error(order.reason, order.code)
        if order.status is OrderStatus.NEVER_ARRIVED:
            raise VenueUnavailable(f"{cl_ord_id} never reached the venue: nothing was done")
        return order_view(self._engine, order)

    def _error(self, reason: str, code: int | None) -> VenueError:
        venue, now = self.live.venue, self.live.now()
        return venue_error(reason, code, room_in_s(venue, now))

    async def submit(self, order: Order, request_id: str = "") -> Order:
        """Take a user's order on and wait for the venue's first word."""
        self.account(order.account)
        return await self.place(request_of(order, request_id))

    async def execute(self, order: Order) -> OrderResult:
        """Take an order on; what went wrong is in the result, not raised."""
        try:
            placed = await self.submit(order)
        except (TradingError, ValueError) as error:
            return OrderResult(success=False, order_id=None, error=str(error), order=order)
        order.follow(placed)
        error_text = shortfall_of(placed)
        return OrderResult(
            success=not error_text, order_id=placed.id, error=error_text, order=placed
        )

    async def cancel(self, order_id: str | None, reason: str = "operator") -> Order:
        """Take an order back and wait for the venue's word; what goes on in parts ends with any.

        Raises:
            UnknownOrderError: no such order.
            SessionStateError: it has ended already, and nothing follows it.
            VenueError: the venue would not, or was not reached, and the order is still open.
        """
        cl_ord_id = placed_id(order_id)
        if not self.is_open(cl_ord_id) and (whole := whole_of(self.live, cl_ord_id)):
            return await self._end(whole[0], cl_ord_id, reason)
        with answers_to(self._shell, cl_ord_id) as answers:
            self._shell.ask(msg.CancelRequest(cl_ord_id=cl_ord_id, reason=reason))
            order = self._engine.state.orders[cl_ord_id]
            await self._until(
                lambda: (
                    not order.is_open
                    or (order.cancel is RequestState.NONE and not order.is_unwanted)
                ),
                f"the cancel of {cl_ord_id}",
            )
        if order.is_open:
            refusals = [each for each in answers if isinstance(each, ev.CancelRejected)]
            if refusals:
                raise self._error(refusals[-1].reason, refusals[-1].code)
            self._check_life()
        return order_view(self._engine, order)

    async def _end(self, whole: Parent, name: ClOrdId, reason: str) -> Order:
        """End what goes on in parts, and wait until what rests of it is taken back."""
        facts = self._shell.ask(msg.CancelRequest(cl_ord_id=name, reason=reason)).facts
        for fact in facts:
            if isinstance(fact, ev.CancelRequested):
                with suppress(SessionStateError):  # it has just ended by itself
                    await self.cancel(fact.cl_ord_id, reason)
        state = self._engine.state
        order = state.orders.get(name)
        return whole_view(state, whole) if order is None else order_view(self._engine, order)

    async def modify(
        self,
        order_id: str | None,
        new_price: Amount | None = None,
        new_quantity: Amount | None = None,
    ) -> Order:
        """Amend a limit order and wait for the venue's word.

        Raises:
            UnknownOrderError: no such order.
            SessionStateError: it has ended, is in doubt, or is being amended.
            InputError: it is no limit order, or nothing would change.
            RiskDenied: a rule refused the larger order.
            VenueError: the venue would not, or was not reached; the order stands as it was.
        """
        cl_ord_id = placed_id(order_id)
        request = msg.ModifyRequest(
            cl_ord_id=cl_ord_id,
            qty=None if new_quantity is None else positive(new_quantity, "new_quantity"),
            price=None if new_price is None else positive(new_price, "new_price"),
        )
        with answers_to(self._shell, cl_ord_id) as answers:
            outcome = self._shell.ask(request)
            asked = next((f for f in outcome.facts if isinstance(f, ev.ReplaceRequested)), None)
            if asked is None:
                denials = [each for each in answers if isinstance(each, ev.ReplaceRejected)]
                raise RiskDenied(denials[-1].reason if denials else "it was not sent")
            order = self._engine.state.orders[cl_ord_id]
            await self._until(
                lambda: bool(of_amendment(answers)) or order.replace is RequestState.NONE,
                f"the amendment of {cl_ord_id}",
            )
        self._check_amended(asked, of_amendment(answers))
        return order_view(self._engine, order)

    def _check_amended(
        self, asked: ev.ReplaceRequested, answer: ev.OrderReplaced | ev.ReplaceRejected | None
    ) -> None:
        """Refuse to call an order amended that is not."""
        if answer is None:
            self._check_ended_by(asked)
        elif isinstance(answer, ev.ReplaceRejected):
            raise self._error(answer.reason, answer.code)
        elif (answer.qty, answer.price) != (asked.qty, asked.price):
            there = f"{answer.qty:f} at {answer.price:f}"
            raise VenueRefused(f"{asked.cl_ord_id} is {there}: somebody else has amended it")

    def _check_ended_by(self, asked: ev.ReplaceRequested) -> None:
        """See that an amendment ended its order, since as much as it asked for had filled.

        Raises:
            OutcomeUnknownError: it ended otherwise, and nothing tells what it was by then.
        """
        self._check_life()
        self._accepted(asked.cl_ord_id)
        order = self._engine.state.orders[asked.cl_ord_id]
        status = order.ending or order.status
        if status is not OrderStatus.CANCELED or order.reported_qty < asked.qty:
            raise OutcomeUnknownError(
                f"{asked.cl_ord_id} is {status.value}, and nobody has heard whether it was amended "
                "before that"
            )

    def order(self, order_id: str | None) -> Order:
        """Return an order.

        Raises:
            UnknownOrderError: none of that id is remembered.
        """
        order = self._engine.state.orders.get(placed_id(order_id))
        if order is None:
            raise UnknownOrderError(f"no order {order_id} is known")
        return order_view(self._engine, order)

    def is_open(self, cl_ord_id: ClOrdId) -> bool:
        """Tell whether an order is known and has not ended."""
        order = self._engine.state.orders.get(cl_ord_id)
        return order is not None and order.is_open

    def orders(self, *, open_only: bool = True) -> list[Order]:
        """Return the open orders, or all that are remembered, oldest first."""
        state = self._engine.state
        chosen = state.all_open_orders() if open_only else list(state.orders.values())
        chosen.sort(key=lambda order: order.created_ts)
        return [order_view(self._engine, order) for order in chosen]

    def positions(self) -> list[Position]:
        """Return the open positions."""
        return [position_view(self._engine, key) for key in self._engine.state.open_keys()]

    def account(self, name: str) -> AccountId:
        """Return the account that a caller names; the main one for "".

        Raises:
            InputError: the session has none of that name.
        """
        names = self.live.accounts.names
        if name and name not in names:
            raise InputError(f"there is no account {name!r:.40}; accounts are {', '.join(names)}")
        return AccountId(name) if name else self.live.venue.account

    def _elsewhere(self, key: Key) -> str:
        """Say which other accounts have a position of a symbol; "" where none has."""
        held = self._engine.state.open_keys()
        others = [account for account, symbol in held if symbol == key[1]]
        return f" on {key[0]}; there is one on {', '.join(others)}" if others else ""

    async def close(self, symbol: str, reason: str, account: str = "") -> Position:
        """Close a position at the market; entries in that symbol are taken back.

        Raises:
            InputError: there is no such position.
            VenueRefused: the venue declined, or ended the order before all of it had filled.
            VenueUnavailable: the order never reached the venue.
        """
        key = (self.account(account), symbol_of(symbol))
        state = self._engine.state
        if not state.position(key).qty:
            where = f"{self._elsewhere(key)}{still_opened(state, key)}"
            raise InputError(f"there is no position in {key[1]}{where}")
        request = msg.CloseRequest(symbol=key[1], reason=reason, account=key[0])
        sent = self._sent(self._shell.ask(request).facts)
        orders = [state.orders[i] for i in sent]
        await self._until(
            lambda: (
                not state.position(key).qty or bool(orders and not any(o.is_open for o in orders))
            ),
            f"the close of {key[1]}",
        )
        self._done(sent, key, ZERO, sent)
        return position_view(self._engine, key)

    async def adjust(self, symbol: str, target_quantity: Amount, account: str = "") -> Position:
        """Trade a position to a signed target at the market.

        Raises:
            InputError: the target is no multiple of the lot, or the symbol is not traded.
            RiskDenied: a rule refused what would be opened.
            VenueRefused: the venue declined, or ended the order before all of it had filled.
            VenueUnavailable: the order never reached the venue.
        """
        key = (self.account(account), symbol_of(symbol))
        target = amount(target_quantity, "target_quantity")
        request = msg.AdjustRequest(symbol=key[1], target_qty=target, account=key[0])
        facts = self._shell.ask(request).facts
        own = self._sent(facts)  # it may all be under way already
        sent = [*own, *under_way(self._engine.state, key)]
        orders = [self._engine.state.orders[i] for i in sent]
        await self._until(lambda: not any(o.is_open for o in orders), f"the adjustment of {key[1]}")
        self._done(sent, key, target, own)
        for fact in facts:
            if isinstance(fact, ev.OrderDenied):
                raise denial_error(fact, self._engine.core.settings.limits)
        return position_view(self._engine, key)

    def _done(self, sent: list[ClOrdId], key: Key, target: Decimal, own: list[ClOrdId]) -> None:
        """See that orders brought a position to where it was to be, and that our own were taken.

        Raises:
            VenueRefused: the venue declined one, or ended it before it had filled.
            VenueUnavailable: one never reached the venue.
        """
        for cl_ord_id in sent:
            held = self._engine.state.position(key).qty
            if held == target:
                return
            if cl_ord_id in own:
                self._accepted(cl_ord_id)
            check_filled(self._engine.state.orders[cl_ord_id], held)

    def metrics(self, now: int, account: str = "") -> Metrics:
        """Return how an account stands."""
        return metrics_view(self._engine, self.account(account), now)
