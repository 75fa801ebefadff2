"""What must never happen, judged at the venue's side, and what must be true at rest."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ..engine.cover import cover
from ..engine.forgetting import trade_name
from ..engine.state import State
from ..exchange import OrderUpdate, Output, VenueOrder
from ..exchange_server.close_orders import is_close_order
from ..journal.codec import decode
from ..model import events as ev
from ..model.ids import parse_cl_ord_id, venue_closing
from ..model.messages import ExecType
from ..model.values import (
    NS_PER_S,
    ZERO,
    AccountId,
    Key,
    OrderRole,
    ParentId,
    TradingSessionStatus,
)
from .alarms import TELLING
from .odd_account import odd_settings
from .operator import STRANGER
from .rest import (
    UNCOMMITTED,
    books_apart,
    closes_dust,
    is_adopted,
    is_called_back,
    is_heard_of,
    orders_apart,
    out_of_reach,
)
from .unheard import Execution, Fill, Unheard, closed, entered

if TYPE_CHECKING:
    from .world import World

NAKED_S_MAX = 35.0
"""How long after the last look that saw it a stop may be missing without an alarm that says so,
with audits each 10 s; so much longer where they are seldomer."""

SLACK = Decimal("1.05")
"""Prices and equity move between the check and the venue."""

HEARD_NS_MAX = 15 * NS_PER_S
"""A price may be so old by which an order was judged that reaches the venue: stale data, and its
own way there within the receive window."""

_encode = msgspec.msgpack.Encoder().encode


class Oracles:
    """Watches one run. `violations` are sentences, each beginning with the oracle's name."""

    def __init__(self, world: World) -> None:
        self.violations: list[str] = []
        self._world = world
        self._attempts: dict[str, tuple[str, int]] = {}  # order -> intent, and its generation
        self._homes: dict[str, AccountId] = {}  # order -> the exchange's name of its account
        self.accepted: Counter[str] = Counter()  # orders, by the exchange's name of the account
        self._generations: Counter[str] = Counter()
        self._accepted: dict[tuple[str, int], list[str]] = defaultdict(list)
        self.seen: set[str] = set()
        self._naked: dict[str, float] = {}
        self._told_naked: set[str] = set()  # until their stops are told to be back
        self._alarmed: dict[str, float] = {}
        self._canceled: dict[int, float] = {}
        self._asked: dict[str, int] = {}  # order -> number of its last submission or amendment
        self._numbers = itertools.count()
        self._closed: list[Fill] = []  # by what can only close
        self._entered: list[Fill] = []
        self.strange = Unheard(self._numbers)
        self.opened_ts: dict[AccountId, int] = {}  # what was before is in the first balances
        self._shadow = State()
        self._folded, self._looked, self._looked_before = 0, 0.0, 0.0  # the last two in seconds

    def say(self, oracle: str, text: str) -> None:
        line = f"{oracle}: {text}"
        if line not in self.violations:
            self.violations.append(line)
            self._world.log(f"VIOLATION {line}")

    # At every fact

    def hear_facts(self, facts: Sequence[ev.Event]) -> None:
        """Hear facts as the engine makes them, durable or not yet."""
        for fact in facts:
            self._number(fact)
            match fact:
                case ev.ParentStarted(intent_id=intent):
                    self._generations[intent] += 1
                case ev.OrderSubmitted(order=order):
                    intent = order.intent_id
                    self._attempts[order.cl_ord_id] = (intent, self._generations[intent])
                    self._homes[order.cl_ord_id] = self._world.accounts.venue_names[order.account]
                    self._judge_submit(fact)
                case ev.OrderCanceled() | ev.OrderExpired():
                    self._judge_end(fact)
                case ev.ProtectionMissing(parent_id=parent_id):
                    self._told_naked.add(parent_id)
                case ev.ProtectionRestored(parent_id=parent_id):
                    self._told_naked.discard(parent_id)
                case ev.AlarmRaised():
                    if fact.code == "order_appeared":
                        self.say("absent", fact.text)
                    self._alarmed[fact.code] = self._world.loop.time()
                case _:
                    pass

    def _number(self, fact: ev.Event) -> None:
        if isinstance(fact, ev.OrderSubmitted):
            self._asked[fact.order.cl_ord_id] = next(self._numbers)
        elif isinstance(fact, ev.ReplaceRequested):
            self._asked[fact.cl_ord_id] = next(self._numbers)
        elif isinstance(fact, ev.OrderFilled):
            self.strange.hear(trade_name(fact.account, fact.symbol, fact.trade_id))
        elif isinstance(fact, ev.WalletChanged) and fact.asked_ts:
            self.opened_ts[fact.account] = fact.asked_ts

    def _judge_submit(self, fact: ev.OrderSubmitted) -> None:
        live = self._world.live
        if live is None:
            return
        state, order = live.engine.state, fact.order
        if order.reduce_only or order.role is not OrderRole.ENTRY:
            return
        owner = parse_cl_ord_id(order.cl_ord_id)
        if owner is not None and owner.epoch != live.journal.epoch:
            return  # a zombie's, which knows of no successor; what leaves of it is judged elsewhere
        if state.status is TradingSessionStatus.RUNNING and not state.is_killed:
            return
        where = "under the kill switch" if state.is_killed else state.status.value
        self.say("new risk", f"{order.cl_ord_id} was submitted while {where}")

    def _judge_end(self, fact: ev.OrderCanceled | ev.OrderExpired) -> None:
        """See that an order stays open until the fills are booked that its end names."""
        live = self._world.live
        order = None if live is None else live.engine.state.orders.get(fact.cl_ord_id)
        if order is not None and not order.is_open and order.cum_qty < fact.cum_qty:
            text = f"{fact.cl_ord_id} ended with {fact.cum_qty} filled, {order.cum_qty} booked"
            self.say("end before fills", text)

    # At the venue

    def hear_venue(self, outputs: Sequence[Output], now: int) -> None:
        for output in outputs:
            if not isinstance(output, OrderUpdate):
                continue
            report = output.report
            if report.account not in self._world.accounts.session_names:
                continue
            self._note(output)
            if report.exec_type is ExecType.NEW and report.cl_ord_id not in self.seen:
                self.seen.add(report.cl_ord_id)
                self._judge_accepted(output)
            elif report.exec_type is ExecType.NEW and not output.order.algo_id:
                self.say("one order per id", f"{report.cl_ord_id} was accepted twice")
            elif report.exec_type is ExecType.REPLACED and may_open(output.order):
                self._judge_limit(output)

    def _note(self, output: OrderUpdate) -> None:
        """Count what the market did of itself."""
        order, fired = output.order, self._world.fired
        key = self._key_of(order)
        if output.report.exec_type is ExecType.TRADE:
            if order.cl_ord_id in self._asked:
                number, report = self._asked[order.cl_ord_id], output.report
                fills = self._closed if order.asked.reduce_only else self._entered
                fills.append((number, key, order.side, report.last_qty))
            elif self._is_others(order):
                report = output.report
                trade = trade_name(*key, report.trade_id)
                signed = order.side.sign * report.last_qty
                self.strange.note(trade, Execution(key, signed, report.venue_ts))
            fired["partial_fill"] += order.leaves_qty > ZERO
            fired["fill_after_cancel"] += is_called_back(self._world, order.cl_ord_id)
            fired["liquidation_fill"] += order.cl_ord_id.startswith("autoclose-")
        fired["self_trade_expiry"] += order.expiry.name == "SELF_TRADE"

    def _key_of(self, order: VenueOrder) -> Key:
        return self._world.accounts.session_names[order.asked.account], order.symbol

    def _judge_accepted(self, output: OrderUpdate) -> None:
        order = output.order
        owner = parse_cl_ord_id(order.cl_ord_id)
        if owner is None:
            return
        attempt = self._attempts.get(order.cl_ord_id)
        if attempt is None:
            self.say("facts first", f"{order.cl_ord_id} reached the venue without a fact")
            return
        self.accepted[order.asked.account] += 1
        if self._homes[order.cl_ord_id] != order.asked.account:
            self.say("its own account", f"{order.cl_ord_id} is at {order.asked.account}")
        if owner.role is OrderRole.ENTRY and not self._world.judges.parts.works(order.cl_ord_id):
            orders = self._accepted[attempt]
            orders.append(order.cl_ord_id)
            if len(orders) > 1:
                self.say("one order per intent", f"intent {attempt[0]} has {', '.join(orders)}")
        if not order.asked.reduce_only:
            self._judge_limit(output)

    def _is_others(self, order: VenueOrder) -> bool:
        """Tell whether an order is a stranger's, or the exchange's own: a liquidation, say."""
        name, world = order.cl_ord_id, self._world
        return name.startswith(STRANGER) or bool(venue_closing(name)) or is_adopted(world, name)

    def _judge_limit(self, output: OrderUpdate) -> None:
        world, order = self._world, output.order
        account, key = order.asked.account, self._key_of(order)
        is_victim = account == world.accounts.victim
        if is_victim and order.symbol in world.meddler.amended:
            return  # what others made of our orders is nobody's decision here
        exchange = world.bourse.exchange
        held = world.accounts.qty(order.symbol, account) - self.unheard(order)
        resting = [
            (self._asked.get(each.cl_ord_id, 0), key, each.side, each.leaves_qty)
            for each in exchange.open_orders(account, order.symbol)
            if each.side is order.side
            and not each.asked.reduce_only
            and each.cl_ord_id != order.cl_ord_id
            and is_heard_of(world, each.cl_ord_id)
        ]
        own = now.leaves_qty if (now := self._there(order)) else ZERO
        working = sum((qty for *_, qty in resting), own)
        number = self._asked.get(order.cl_ord_id, 0)
        # What closes is never refused: an exit that was sent later may bring others further, and
        # one of before may have closed what strangers opened unheard.
        against = max(-self.unheard(order) * order.side.sign, ZERO)
        exits, entries = (
            [each for each in fills if each[1:3] == (key, order.side)]
            for fills in (self._closed, [*self._entered, *resting])
        )
        done = closed(exits, number, against) + entered(entries, number, against)
        reach = held * order.side.sign + working - done
        if abs(held) >= working and held * order.side.sign < ZERO:
            return
        since = output.report.venue_ts - HEARD_NS_MAX
        price = Decimal(repr(world.market.lowest(order.symbol, since)))
        asset = world.instrument(order.symbol).margin_asset
        is_taken = is_victim and asset == "USDT"
        equity = exchange.margin(account, asset).balance
        equity += world.withdrawals.unheard(order.cl_ord_id, since) if is_taken else ZERO
        if world.live and self.strange.has_any(key[0], number, self.opened_ts.get(key[0], 0)):
            equity = max(equity, world.live.engine.state.account(key[0]).wallet(asset))
        limit = world.setup.boldest * equity * SLACK
        if reach * price > limit:
            text = f"{order.cl_ord_id} reaches {reach * price:.2f}, allowed {limit:.2f}"
            self.say("worst case", text)

    def _there(self, order: VenueOrder) -> VenueOrder | None:
        return self._world.accounts.order(order.symbol, order.cl_ord_id, order.asked.account)

    def unheard(self, order: VenueOrder) -> Decimal:
        """Return how far strangers had moved a position, unheard when an order was decided on."""
        decided, key = self._asked.get(order.cl_ord_id, 0), self._key_of(order)
        return self.strange.moved(key, decided, self.opened_ts.get(key[0], 0))

    # Now and then

    def look(self) -> None:
        """Look at the engine while it runs: fold of the journal, stops."""
        self._looked_before, self._looked = self._looked, self._world.loop.time()
        live, process = self._world.live, self._world.process
        if live is None or process is None or process.is_dead or live.is_closed:
            return
        if live.shell.has_failed or process.is_frozen:
            return
        state = live.engine.state
        if state.epoch == live.journal.epoch and state.status is not TradingSessionStatus.STARTING:
            audit_s = live.engine.core.settings.audit_interval_ns / NS_PER_S
            self._look_at_stops(state, NAKED_S_MAX + max(audit_s - 10, 0))
        else:
            self._naked.clear()
        # What changes beside the journal stays changed: it shows with the next facts, or at rest.
        if not live.shell.has_uncommitted and len(self._world.disk.rows) != self._folded:
            self.check_fold(state, "while it runs")

    def check_fold(self, state: State, when: str) -> None:
        rows = self._world.disk.rows
        if len(rows) < self._folded:
            self._shadow, self._folded = State(), 0
        for row in rows[self._folded :]:
            self._shadow.apply(decode(row))
        self._folded = len(rows)
        if _encode(self._shadow) != _encode(state):
            self.say("fold", f"the fold of the journal is not the state, {when}")

    def forget_fold(self) -> None:
        self._shadow, self._folded = State(), 0

    def _look_at_stops(self, state: State, naked_s_max: float) -> None:
        now, naked = self._looked, {}
        out = out_of_reach(self._world, state, is_told="breaker_open" in self._alarmed)
        for parent_id, text in self._naked_parents(state, is_exact=False):
            since = self._naked.get(parent_id, self._looked_before)
            is_out = state.parents[ParentId(parent_id)].key[0] in out
            naked[parent_id] = since = now if is_out else since
            is_told = parent_id in self._told_naked or any(
                told >= since for code, told in self._alarmed.items() if code in TELLING
            )
            if now - since > naked_s_max and not is_told:
                self.say("stops", f"{text} for {now - since:.0f} s, and no alarm")
        self._naked = naked

    def _naked_parents(self, state: State, *, is_exact: bool = True) -> list[tuple[str, str]]:
        """Return parents whose stops at the venue are not what they hold.

        One with fills that nobody has heard of yet is left out unless all must be exact.
        """
        found = []
        for parent in state.parents.values():
            held = cover(state, parent)
            if parent.start.stop_loss is None or not held:
                continue
            symbol, accounts = parent.key[1], self._world.accounts
            account, find = accounts.venue_names[parent.key[0]], accounts.order
            orders = [o for c in parent.children if (o := find(symbol, c, account)) is not None]
            known = [state.orders.get(order.cl_ord_id) for order in orders]
            booked = [None if each is None else each.cum_qty for each in known]
            is_there = accounts.qty(symbol, account) * parent.side.sign >= held
            if not is_exact and (not is_there or booked != [order.cum_qty for order in orders]):
                continue
            stops = [o for o in orders if o.is_open and role_of(o.cl_ord_id) is OrderRole.STOP_LOSS]
            if not stops and closes_dust(self._world, account, symbol):
                continue
            sizes = [held if is_close_order(stop) else stop.leaves_qty for stop in stops]
            covered = sum(sizes, ZERO)
            if covered != held if is_exact else covered < held:
                text = f"parent {parent.parent_id} holds {held}, its stops are {sizes}"
                found.append((str(parent.parent_id), text))
        return found

    # At rest

    def restless(self) -> list[str]:
        """Say what is still under way."""
        world, live = self._world, self._world.live
        process = world.process
        if live is None or process is None or process.is_dead:
            return ["no process"]
        if live.shell.has_failed or world.lives is None:
            return ["the session has failed"]
        state = live.engine.state
        found = []
        if state.status is not TradingSessionStatus.RUNNING:
            found.append(f"the session is {state.status.value}: {state.status_reason}")
        if live.shell.has_uncommitted:
            found.append(UNCOMMITTED)
        found += orders_apart(world, state)
        found += books_apart(world, state)
        found += [text for _, text in self._naked_parents(state)]
        if state.differences:
            found.append(f"the books differ: {state.differences}")
        found += odd_settings(world, live.engine)
        if world.hearing is not None:
            found += world.hearing.restless()
        return found

    def judge_rest(self) -> None:
        """Say what is wrong with a world that had its time to come to rest."""
        for text in self.restless():
            self.say("at rest", text)
        live = self._world.live
        if live is None or self.violations:
            return
        self.check_fold(live.engine.state, "at rest")
        self._judge_trades()
        self._world.judges.judge_rest(live)

    def _judge_trades(self) -> None:
        booked: Counter[str] = Counter()
        for fact in (decode(row) for row in self._world.disk.rows if row[4] == b"OrderFilled"):
            assert isinstance(fact, ev.OrderFilled)
            booked[f"{fact.account} {fact.symbol} {fact.trade_id}"] += 1
        for name, count in booked.items():
            if count > 1:
                self.say("one booking per trade", f"{name} was booked {count} times")


def role_of(cl_ord_id: str) -> OrderRole | None:
    """Return what an order is for, as its id says; None for others' orders."""
    owner = parse_cl_ord_id(cl_ord_id)
    return None if owner is None else owner.role


def may_open(order: VenueOrder) -> bool:
    """Tell whether an order is one of ours that could do more than close."""
    return parse_cl_ord_id(order.cl_ord_id) is not None and not order.asked.reduce_only
