"""What a person was answered, beside what the exchange did.

Rule 1: what was refused, or never sent, is not at the exchange, and does not come there later.
Rule 2: what was done is done: an order is there, one that was taken back is not open, an amended
        one is as it was asked to be, a close has closed.
Rule 3: a request that is told once more, under its own id, leads to no second order.
Rule 4: the kill switch is proven, and a session STOPPED, when nothing of ours that could open rests
        at the exchange.
Rule 5: an order that was asked back does not rest for ever because it was not there yet.
Nothing is said of what was told to be unknown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ..exchange import VenueOrder
from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.values import ZERO, ClOrdId, Key, OrderRole, TradingSessionStatus
from .judge import Judge

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World

UNKNOWN_CODES = (-2011, -2013)
"""With which the exchange says that there is no such order."""


class Wish(msgspec.Struct):
    """What a person asked for: what for, where, and what had left for it at once."""

    what: str
    key: Key | None = None
    sent: list[ClOrdId] = []
    qty: Decimal | None = None
    price: Decimal | None = None
    amended: int = 0  # which amendment of its order it was


class Answers(Judge):
    """Judges the answers of one run."""

    oracle = "answered"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.amendments: Counter[ClOrdId] = Counter()
        self._refused: list[tuple[Wish, str]] = []
        self._of_request: dict[str, str] = {}  # parent -> the request's own id
        self._orders_of: defaultdict[str, set[str]] = defaultdict(set)
        self._called_back: dict[ClOrdId, int | None] = {}  # -> the code of its last refusal
        self._status = TradingSessionStatus.STOPPED

    # What happens

    def hear_facts(self, facts: Iterable[ev.Event]) -> None:
        for fact in facts:
            match fact:
                case ev.ReplaceRequested():
                    self.amendments[fact.cl_ord_id] += 1
                case ev.CancelRequested() | ev.CancelRejected() | ev.OrderAdopted():
                    self._call_back(fact)
                case ev.ParentStarted():  # of one that a full disk lost, the number comes again
                    self._of_request[str(fact.parent_id)] = fact.request_id
                case ev.OrderSubmitted(order=order) if order.role is OrderRole.ENTRY:
                    if name := self._of_request.get(str(order.parent_id), ""):
                        self._orders_of[name].add(order.cl_ord_id)
                case ev.KillSwitchVerified():
                    self._judge_quiet("the kill switch is said to be proven")
                case ev.SessionChanged():
                    self._judge_status(fact)
                case _:
                    pass

    def _call_back(self, fact: ev.CancelRequested | ev.CancelRejected | ev.OrderAdopted) -> None:
        if isinstance(fact, ev.OrderAdopted):
            if self._has_forgotten:  # the wish went with the journal
                self._called_back.pop(fact.order.cl_ord_id, None)
        else:
            code = fact.code if isinstance(fact, ev.CancelRejected) else None
            self._called_back[fact.cl_ord_id] = code

    def _judge_status(self, fact: ev.SessionChanged) -> None:
        before, self._status = self._status, fact.status
        ends = (TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED)
        if (before, fact.status) == ends:
            self._judge_quiet("the session is told to have stopped")

    def _judge_quiet(self, what: str) -> None:
        live = self.world.live
        if live is None or self.world.process is None:
            return
        for order in self._risky():
            self.say(f"{what}, and {order.cl_ord_id} is open at the exchange")

    def _is_nobodys(self, name: ClOrdId) -> bool:
        """Tell whether an order of another prefix was lost with a journal, and is a stranger's."""
        live = self.world.live
        known = None if live is None else live.engine.state.orders.get(name)
        return self._has_forgotten and known is not None and not known.is_ours

    def _risky(self) -> list[VenueOrder]:
        """Return the entries of ours that are open at the exchange."""
        found = []
        for account in self.world.accounts.session_names:
            for order in self.world.bourse.exchange.open_orders(account):
                owner = parse_cl_ord_id(order.cl_ord_id)
                if owner is None or owner.role is not OrderRole.ENTRY:
                    continue
                if not self._is_nobodys(order.cl_ord_id):
                    found.append(order)
        return found

    # What is answered

    def done(self, wish: Wish) -> None:
        """Judge what was told to be done."""
        if wish.what == "place":
            for name in wish.sent:
                if name not in self.world.oracles.seen:
                    self.say(f"{name} was told to be placed, and never reached the exchange")
        elif wish.what in {"close", "adjust"}:
            self._judge_close(wish)
        else:
            self._judge_change(wish)

    def refused(self, wish: Wish, error: str) -> None:
        """Judge what was told not to be done, now and at the end."""
        was_sent = wish.what != "modify" or self.amendments[wish.sent[0]] >= wish.amended
        if was_sent:  # else the next amendment has its number
            self._refused.append((wish, error))
        self._judge_refused(wish, error)

    def _judge_refused(self, wish: Wish, error: str) -> None:
        if wish.what == "modify":
            there = self._there(wish)
            asked = (wish.qty, wish.price)
            is_last = self.amendments[wish.sent[0]] == wish.amended
            if there is None or there.symbol in self.world.meddler.amended:
                return  # somebody else may have amended it to just that
            if is_last and (there.qty, there.price) == asked:
                self.say(f"{there.cl_ord_id} is amended though it was refused: {error:.80}")
        elif wish.what == "cancel" or (wish.what == "adjust" and not error.startswith("Venue")):
            return  # of what was to be opened; what closes has gone out
        elif wish.what != "place" and " ended with " in error:
            return  # it was taken, and did less than it was for
        elif len(wish.sent) == 1 and wish.sent[0] in self.world.oracles.seen:
            self.say(f"{wish.sent[0]} was told to have failed and was taken: {error:.80}")

    def _judge_change(self, wish: Wish) -> None:
        there = self._there(wish)
        if there is None or not there.is_open:
            return
        if wish.what == "cancel":
            self.say(f"{there.cl_ord_id} was told to be cancelled and is open")
        elif self.amendments[wish.sent[0]] != wish.amended or self.world.fired["meddling"]:
            return  # it was amended once more, here or there
        elif (there.qty, there.price) != (wish.qty, wish.price):
            asked = f"{wish.qty} at {wish.price}, is {there.qty} at {there.price}"
            self.say(f"{there.cl_ord_id} was told to be amended to {asked}")

    def _judge_close(self, wish: Wish) -> None:
        """Judge a position that was to be closed, or to be of some size, `qty`."""
        live = self.world.live
        assert wish.key is not None
        if live is None or live.engine.state.position(wish.key).qty == (wish.qty or ZERO):
            return  # whatever has brought it there
        account = self.world.accounts.venue_names[wish.key[0]]
        for name in wish.sent:
            there = self.world.accounts.order(wish.key[1], name, account)
            if name not in self.world.oracles.seen:
                self.say(f"{name}, which was to {wish.what}, never reached the exchange")
            elif there is not None and not there.is_open and there.cum_qty < there.qty:
                filled = f"{there.cum_qty} of {there.qty}"
                self.say(f"{name} was to {wish.what}, ended with {filled}, and was told as done")

    def _there(self, wish: Wish) -> VenueOrder | None:
        assert wish.key is not None
        account = self.world.accounts.venue_names[wish.key[0]]
        return self.world.accounts.order(wish.key[1], wish.sent[0], account)

    # At rest

    def judge_rest(self, live: LiveSession) -> None:
        for wish, error in self._refused:
            self._judge_refused(wish, error)
        for name, orders in self._orders_of.items():
            there = sorted(orders & self.world.oracles.seen)
            if len(there) > 1 and not self._has_forgotten:
                self.say(f"request {name} led to {', '.join(there)}")
        for order in self._risky():
            code = self._called_back.get(order.cl_ord_id)
            if code in UNKNOWN_CODES and order.leaves_qty > ZERO:
                self.say(f"{order.cl_ord_id} was asked back before it was there, and rests")

    @property
    def _has_forgotten(self) -> bool:
        """Tell whether a journal was lost that knew of requests, or two had numbers for them."""
        fired = self.world.fired
        return any(fired[each] for each in ("power_cut_lost_tail", "amnesia", "zombie"))
