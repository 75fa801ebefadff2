"""What the journal says, read from outside while its owner lives or is dead.

Folded twice: by the product's own fold, and by the books that add facts up apart from it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

from ..engine.state import State
from ..journal import open_journal
from ..journal.inspect import open_tables
from ..journal.location import scheme_of, sqlite_path
from ..journal.owner import parse_owner
from ..model import events as ev
from ..model.values import ZERO, ClOrdId, NewOrder, OrderRole, Symbol, TradingSessionStatus
from ..stats.books import Books

FillKey = tuple[Symbol, str]
"""Symbol and the exchange's trade id."""


class Ledger:
    """All facts so far; `read` takes in what is new.

    Args:
        lost: epochs whose last facts a power cut took: the exchange may know more of them.
    """

    def __init__(self, url: str, lost: frozenset[int] = frozenset()) -> None:
        self.url = url
        self.lost = lost
        self.facts: list[ev.Event] = []
        self.state = State()
        self.books = Books()
        self.orders: dict[ClOrdId, NewOrder] = {}  # submitted or adopted
        self.submitted: Counter[ClOrdId] = Counter()
        self.adopted: set[ClOrdId] = set()
        self.never_arrived: set[ClOrdId] = set()
        self.fills: dict[FillKey, list[ev.OrderFilled]] = defaultdict(list)
        self.asked: dict[str, Decimal] = defaultdict(lambda: ZERO)  # intent -> its parents' qty
        self.alarms: list[ev.AlarmRaised] = []
        self.running_ts: dict[int, int] = {}  # epoch -> when it first ran
        self._epoch = 0

    def read(self) -> int:
        """Take in what is new; return how many facts that was.

        Raises:
            JournalError: it can't be read.
        """
        if not self._is_made():
            return 0
        journal = open_journal(self.url, read_only=True)
        try:
            before = len(self.facts)
            for fact in journal.replay(before):
                self._take(fact)
            return len(self.facts) - before
        finally:
            journal.close()

    def _take(self, fact: ev.Event) -> None:
        self.facts.append(fact)
        self.state.apply(fact)
        self.books.apply(fact)
        match fact:
            case ev.EpochStarted(epoch=epoch):
                self._epoch = epoch
            case ev.SessionChanged(status=TradingSessionStatus.RUNNING):
                self.running_ts.setdefault(self._epoch, fact.ts)
            case ev.OrderSubmitted(order=order):
                self.orders[order.cl_ord_id] = order
                self.submitted[order.cl_ord_id] += 1
            case ev.OrderAdopted(order=order):
                self.orders.setdefault(order.cl_ord_id, order)
                self.adopted.add(order.cl_ord_id)
            case ev.OrderNeverArrived(cl_ord_id=cl_ord_id):
                self.never_arrived.add(cl_ord_id)
            case ev.OrderFilled():
                self.fills[fact.symbol, fact.trade_id].append(fact)
            case ev.ParentStarted():
                self.asked[fact.intent_id] += fact.qty
            case ev.AlarmRaised():
                self.alarms.append(fact)
            case _:
                pass

    def after_power_cut(self, pid: int) -> Ledger:
        """Return one that begins anew: the process's last facts are gone, their numbers are not."""
        cut = {epoch for epoch, owner in self.owners().items() if owner == pid}
        return Ledger(self.url, self.lost | cut)

    def _is_made(self) -> bool:
        return scheme_of(self.url) != "sqlite" or sqlite_path(self.url).exists()

    def owners(self) -> dict[int, int]:
        """Return the process of each epoch."""
        if not self._is_made():
            return {}
        tables = open_tables(self.url)
        try:
            owners = ((epoch, parse_owner(text)) for epoch, text, _ in tables.epochs())
            return {epoch: owner.pid for epoch, owner in owners if owner is not None}
        finally:
            tables.close()

    def entries_of(self, intent_id: str) -> list[ClOrdId]:
        """Return the entry orders of one intent."""
        return [
            order.cl_ord_id
            for order in self.orders.values()
            if order.intent_id == intent_id and order.role is OrderRole.ENTRY
        ]
