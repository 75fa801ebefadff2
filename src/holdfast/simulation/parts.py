"""The judge of entries that go out in parts.

Rule 1: what the exchange has of all parts, filled and open, is never more than was wished for; no
        more fills either, but for what somebody made larger by hand.
Rule 2: no slice is larger than two of the first, and none is sent behind what ends trading, or a
        stop or target of its own that has filled.
Rule 3: at rest nothing is forgotten: a part that has filled has its next, and a time that has come
        was heeded, unless something has ended the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from ..engine.algos import find, twap
from ..exchange import OrderUpdate, Output, VenueOrder
from ..model import events as ev
from ..model.signal import SignalGenerated
from ..model.values import ZERO, ClOrdId, OrderRole, Side, SignalType, TradingSessionStatus
from .judge import Judge
from .process import running

if TYPE_CHECKING:
    from ..engine.parent import Parent
    from ..engine.state import State
    from ..runtime.live import LiveSession
    from .world import World

PARTED = ("twap:", "iceberg:")
_PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)
_ENDS = frozenset({TradingSessionStatus.STOPPING, TradingSessionStatus.STOPPED})


class Parts(Judge):
    """Judges the parts of one run."""

    oracle = "parts"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._started: dict[str, ev.ParentStarted] = {}
        self._parents: dict[ClOrdId, str] = {}  # of entries
        self._exits: dict[ClOrdId, str] = {}  # stops and targets
        self._sizes: dict[ClOrdId, Decimal] = {}
        self._filled: dict[str, dict[str, Decimal]] = {}  # by trade: a killed process tells twice
        self._grown: dict[str, Decimal] = {}
        self._wished: dict[ClOrdId, Decimal] = {}  # by our own amendments
        self._shrunk: dict[ClOrdId, Decimal] = {}  # those that the exchange has carried out
        self._there: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
        self._ended: set[str] = set()  # by what ends trading, or their strategy
        self._wish: SignalGenerated | None = None  # the last that was heard

    def hear_facts(self, facts: Iterable[ev.Event]) -> None:
        for fact in facts:
            match fact:
                case ev.EpochStarted():
                    self._begin(fact)
                case ev.ParentStarted() if fact.algo.startswith(PARTED):
                    self._add(fact)
                case ev.OrderSubmitted():
                    self._judge_sent(fact)
                case ev.ReplaceRequested():
                    self._wished[fact.cl_ord_id] = fact.qty
                case ev.OrderReplaced() if fact.cl_ord_id in self._sizes:
                    self._grow(fact)
                case ev.OrderFilled() if fact.cl_ord_id in self._parents:
                    self._judge_filled(fact)
                case ev.OrderFilled() if fact.cl_ord_id in self._exits:
                    self._ended.add(self._exits[fact.cl_ord_id])
                case _:
                    self._ended.update(self._ended_by(fact))

    @property
    def _is_zombies(self) -> bool:
        """Tell whether what is heard is a zombie's: no journal takes it any more."""
        return running() is not self.world.process

    def _ended_by(self, fact: ev.Event) -> Iterable[str]:
        if self._is_zombies:
            return ()
        match fact:
            case ev.SignalReceived(signal=signal):
                self._wish = signal
                return ()
            case ev.ParentWoken(parent_id=each, is_over=True) if self._is_turned_from(each):
                return {each}
            case ev.KillSwitchEngaged():
                return set(self._started)
            case ev.SessionChanged(status=status) if status in _ENDS:
                return set(self._started)
            case ev.AlarmRaised(code="algo_short", text=text):
                return {text.split()[2]}
            case ev.StrategyStopped(strategy_id=own):
                return {i for i, start in self._started.items() if start.strategy_id == own}
            case _:
                return ()

    def _is_turned_from(self, parent_id: str) -> bool:
        """Tell whether the last wish was the opposite of a parent's, or to close, by its owner."""
        start, wish = self._started.get(parent_id), self._wish
        if start is None or wish is None or wish.strategy_id != start.strategy_id:
            return False
        if (wish.account, wish.symbol) != start.order.key:
            return False
        if wish.signal_type is SignalType.CLOSE:
            return wish.quantity is None
        return (wish.signal_type is SignalType.BUY) != (start.order.side is Side.BUY)

    def _add(self, fact: ev.ParentStarted) -> None:
        """Begin anew with a parent: an earlier one of its id was forgotten."""
        self._started[fact.parent_id] = fact
        self._filled[fact.parent_id], self._grown[fact.parent_id] = {}, ZERO
        self._ended.discard(fact.parent_id)
        self._there.pop(fact.parent_id, None)

    def _begin(self, fact: ev.EpochStarted) -> None:
        """Know what the journal knows: one that was lost gives parents' ids a second time."""
        if self._is_zombies:
            return
        self._started.clear()
        if self._is_blind:
            self._there.clear()
        live = self.world.live
        if live is None:
            return
        for parent in live.engine.state.parents.values():
            if parent.start.algo.startswith(PARTED):
                self._started[parent.parent_id] = parent.start
                self._filled.setdefault(parent.parent_id, {})
                if parent.wake_ts is not None:  # what ended it did not get on record
                    self._ended.discard(parent.parent_id)
                self._grown.setdefault(parent.parent_id, ZERO)
        if not fact.is_resumed:
            self._ended |= set(self._started)

    def _judge_sent(self, fact: ev.OrderSubmitted) -> None:
        order = fact.order
        start = self._started.get(order.parent_id)
        if start is not None and order.role in _PROTECTIVE:
            self._exits[order.cl_ord_id] = start.parent_id
        if start is None or order.role is not OrderRole.ENTRY:
            return
        if start.parent_id in self._ended:
            self.say(f"{order.cl_ord_id} goes out behind the end of {start.parent_id}")
        self._parents[order.cl_ord_id] = start.parent_id
        self._sizes[order.cl_ord_id] = order.qty
        if start.algo.startswith("twap:"):
            slices = twap.read(find(start.algo)[1]).slices
            if order.qty > 2 * start.qty / slices:
                self.say(f"{order.cl_ord_id} is {order.qty}, of {start.qty} in {slices} slices")

    def works(self, cl_ord_id: ClOrdId) -> bool:
        """Tell whether an order is such a part."""
        return cl_ord_id in self._parents

    def hear_venue(self, outputs: Sequence[Output], now: int) -> None:
        del now
        for output in outputs:
            if isinstance(output, OrderUpdate) and output.order.cl_ord_id in self._parents:
                self._judge_there(output.order)

    def _judge_there(self, order: VenueOrder) -> None:
        parent_id = self._parents[order.cl_ord_id]
        start, there = self._started.get(parent_id), self._there[parent_id]
        reach = order.cum_qty + (order.leaves_qty if order.is_open else ZERO)
        asked = self._shrunk.get(order.cl_ord_id, order.asked.qty)
        there[order.cl_ord_id] = min(reach, asked)  # what others make larger is none of ours
        total = sum(there.values(), ZERO)
        if start is not None and total > start.qty and not self._is_blind:
            self.say(f"{', '.join(there)} come to {total} at the exchange, of {start.qty}")

    def _grow(self, fact: ev.OrderReplaced) -> None:
        parent_id, wished = self._parents[fact.cl_ord_id], self._wished.get(fact.cl_ord_id)
        if wished == fact.qty < self._sizes[fact.cl_ord_id]:
            self._shrunk[fact.cl_ord_id] = wished
        more = max(fact.qty - self._sizes[fact.cl_ord_id], ZERO)
        self._sizes[fact.cl_ord_id] = max(fact.qty, self._sizes[fact.cl_ord_id])
        self._grown[parent_id] += more

    def _judge_filled(self, fact: ev.OrderFilled) -> None:
        parent_id = self._parents[fact.cl_ord_id]
        start = self._started.get(parent_id)
        if start is None:
            return
        self._filled[parent_id][fact.trade_id] = fact.qty
        most, total = (
            start.qty + self._grown[parent_id],
            sum(self._filled[parent_id].values(), ZERO),
        )
        if total > most and not self._is_blind:
            self.say(f"{fact.cl_ord_id} fills {total} in all, of {most}")

    @property
    def _is_blind(self) -> bool:
        fired = self.world.fired
        return bool(fired["power_cut_lost_tail"] or fired["amnesia"] or fired["zombie"])

    def judge_rest(self, live: LiveSession) -> None:
        state = live.engine.state
        for parent in state.parents.values():
            if not parent.start.algo.startswith(PARTED):
                continue
            if parent.wake_ts is not None and parent.wake_ts < state.last_ts - 2_000_000_000:
                self.say(f"parent {parent.parent_id} was to be woken at {parent.wake_ts}")
            elif self._is_forgotten(state, parent):
                self.say(f"parent {parent.parent_id} has no next part: {parent.start.algo}")

    def _is_forgotten(self, state: State, parent: Parent) -> bool:
        """Tell whether an iceberg's last part has filled, and no next one is there."""
        entries = [o for o in state.children(parent) if o.role is OrderRole.ENTRY]
        if not entries or not parent.start.algo.startswith("iceberg:") or self._is_blind:
            return False
        is_over = parent.filled_qty >= parent.start.qty or parent.wake_ts is not None
        was_closed = parent.open_qty < parent.filled_qty - parent.turned_qty
        if is_over or was_closed or parent.parent_id in self._ended:
            return False
        return all(each.cum_qty == each.qty and not each.is_open for each in entries)
