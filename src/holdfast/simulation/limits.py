"""The limits, reckoned once more from the exchange's books, by other code than the engine's.

Judged is each order that may open, when the exchange takes it, by the settings of the life that
decided on it. What was decided later is left out, and where a price or an equity may have moved
since, the one that is kindest of the last seconds counts.

Rule 1: an order is no larger than one may be; orders in a symbol, and symbols, are no more than
        may be open; positions and orders together reach no further than they may, gross, net, and
        over all accounts.
Rule 2: nothing is opened while more is lost, since the day's start or from the peak, than may be;
        and nothing is refused for a loss that there is not.
Rule 3: no more messages, and no more executions of a strategy, within their time than may be.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exchange import OrderUpdate, Output, VenueOrder
from ..model import events as ev
from ..model.ids import parse_cl_ord_id
from ..model.messages import ExecType
from ..model.settings import RiskLimits
from ..model.values import NS_PER_S, ZERO, AccountId, OrderRole, Symbol
from .judge import Judge
from .loss import Losses

if TYPE_CHECKING:
    from ..runtime.live import LiveSession
    from .world import World

SLACK = Decimal("1.05")
"""Prices and equity move between the check and the exchange."""

HEARD_NS_MAX = 15 * NS_PER_S
"""How old the price may be that an order was judged by."""

KEPT = 2_000
NEAR = Decimal("0.1")


class Decision(NamedTuple):
    """When an order was decided on, in numbers of decisions, by which limits, and as what.

    `unheard` is what equity may have been off by then: `Losses.swing_unheard`.
    """

    number: int
    limits: RiskLimits
    qty: Decimal
    price: Decimal | None
    unheard: Mapping[AccountId, Decimal]


class Limits(Judge):
    """Judges the limits of one run."""

    oracle = "limits"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._limits: RiskLimits | None = None
        self._numbers = 0
        self._decided: dict[str, Decision] = {}
        self._seen: set[str] = set()
        self._newest: dict[AccountId, int] = {}  # by the exchange's names: the last accepted
        self._messages: defaultdict[AccountId, deque[int]] = defaultdict(_kept)
        self._executions: defaultdict[str, deque[int]] = defaultdict(_kept)
        self._owners: dict[str, str] = {}
        self.losses = Losses(world, self.say)

    def begin(self, live: LiveSession) -> None:
        self._limits = live.engine.core.settings.limits

    # What is decided

    def hear_facts(self, facts: Iterable[ev.Event]) -> None:
        for fact in facts:
            match fact:
                case ev.OrderSubmitted(order=order):
                    if order.role is OrderRole.ENTRY and not order.reduce_only:
                        self._judge_pace(fact)
                    self._decide(order.cl_ord_id, order.qty, order.price)
                    self._owners[order.cl_ord_id] = order.strategy_id
                    self._messages[order.account].append(fact.ts)
                case ev.ReplaceRequested() | ev.CancelRequested():
                    if isinstance(fact, ev.ReplaceRequested):
                        self._decide(fact.cl_ord_id, fact.qty, fact.price)
                    if (account := self._account_of(fact.cl_ord_id)) is not None:
                        self._messages[account].append(fact.ts)
                case ev.OrderFilled():
                    owner = parse_cl_ord_id(fact.cl_ord_id)
                    if owner is not None and owner.role is OrderRole.ENTRY:
                        strategy = self._owners.get(fact.cl_ord_id, "")
                        self._executions[strategy].append(fact.ts)
                case ev.EpochStarted():
                    self._begin_anew(fact)
                    self.losses.hear(fact, self._limits)
                case _:
                    self.losses.hear(fact, self._limits)

    def _begin_anew(self, fact: ev.EpochStarted) -> None:
        """Leave out what a process had decided on and could not write: it never left."""
        if not fact.is_resumed:
            self._messages.clear()
            self._executions.clear()
        live = self.world.live
        if live is None:
            return
        state = live.engine.state
        _keep_written(self._messages, state.message_times)
        _keep_written(self._executions, state.execution_times)

    def _decide(self, cl_ord_id: str, qty: Decimal, price: Decimal | None) -> None:
        assert self._limits is not None
        self._numbers += 1
        unheard = self.losses.swing_unheard() if is_close(self._limits) else {}
        self._decided[cl_ord_id] = Decision(self._numbers, self._limits, qty, price, unheard)

    def _account_of(self, cl_ord_id: str) -> AccountId | None:
        live = self.world.live
        order = None if live is None else live.engine.state.orders.get(cl_ord_id)  # type: ignore[call-overload]
        return None if order is None else order.request.account

    def _judge_pace(self, fact: ev.OrderSubmitted) -> None:
        limits, live, order = self._limits, self.world.live, fact.order
        if limits is None or live is None or self._is_blind:
            return
        since = fact.ts - limits.message_window_s * NS_PER_S
        count = sum(1 for ts in self._messages[order.account] if ts > since) + 1
        if count > limits.max_messages - limits.message_reserve and self._applies(
            limits, "message_throttle"
        ):
            self.say(f"{order.cl_ord_id} is message {count} in {limits.message_window_s} s")
        since = fact.ts - limits.execution_window_s * NS_PER_S
        count = sum(1 for ts in self._executions[order.strategy_id] if ts > since)
        if count >= limits.max_executions and self._applies(limits, "execution_throttle"):
            text = f"{count} executions of {order.strategy_id} in {limits.execution_window_s} s"
            self.say(f"{order.cl_ord_id} goes out behind {text}")

    @staticmethod
    def _applies(limits: RiskLimits, rule: str) -> bool:
        return rule not in limits.disabled

    @property
    def _is_blind(self) -> bool:
        """Tell whether facts were lost, so that the session knows less than we do."""
        fired = self.world.fired
        return bool(fired["power_cut_lost_tail"] or fired["amnesia"] or fired["zombie"])

    @property
    def is_alone(self) -> bool:
        """Tell whether nobody but the session trades, or moves money, on its accounts."""
        fired = self.world.fired
        return not any(fired[each] for each in OTHERS)

    # What is taken

    def hear_venue(self, outputs: Sequence[Output], now: int) -> None:
        for output in outputs:
            if not isinstance(output, OrderUpdate):
                continue
            report, order = output.report, output.order
            if report.exec_type is ExecType.NEW:
                is_first = order.cl_ord_id not in self._seen
                self._seen.add(order.cl_ord_id)
            else:
                is_first = report.exec_type is ExecType.REPLACED and self._is_as_decided(order)
            if is_first and order.cl_ord_id in self._decided:
                self._judge_taken(output)

    def _is_as_decided(self, order: VenueOrder) -> bool:
        """Tell whether an amended order is what its session made of it, and nobody else."""
        decided = self._decided.get(order.cl_ord_id)
        return decided is not None and (order.qty, order.price) == (decided.qty, decided.price)

    def _judge_taken(self, output: OrderUpdate) -> None:
        order, account = output.order, output.order.asked.account
        number, limits, *_ = self._decided[order.cl_ord_id]
        is_late = number < self._newest.get(account, 0)
        self._newest[account] = max(number, self._newest.get(account, 0))
        owner = parse_cl_ord_id(order.cl_ord_id)
        is_entry = owner is not None and owner.role is OrderRole.ENTRY
        if is_late or not is_entry or order.asked.reduce_only or self._is_blind:
            return
        since = output.report.venue_ts - HEARD_NS_MAX
        book = Book(self.world, account, since, self._before(number))
        self._judge_size(order, limits, book)
        if self.is_alone:
            self._judge_reach(order, limits, book)
            self.losses.judge(order, account, limits, self._decided[order.cl_ord_id].unheard)

    def _before(self, number: int) -> set[str]:
        """Return the orders that were decided on no later."""
        return {name for name, decided in self._decided.items() if decided.number <= number}

    def _judge_size(self, order: VenueOrder, limits: RiskLimits, book: Book) -> None:
        name, notional = order.cl_ord_id, book.worth(order, order.leaves_qty)
        if self._applies(limits, "order_notional") and notional > limits.max_order_notional * SLACK:
            self.say(f"{name} is worth {notional:.2f}, at most {limits.max_order_notional}")
        if not order.asked.order_type.is_conditional and self._applies(limits, "open_orders"):
            count = sum(1 for each in book.working(order.symbol) if not each.is_waiting)
            if count > limits.max_open_orders:
                self.say(f"{name} makes {count} orders in {order.symbol}")

    def _judge_reach(self, order: VenueOrder, limits: RiskLimits, book: Book) -> None:
        name, asset = order.cl_ord_id, self.world.instrument(order.symbol).margin_asset
        if self._applies(limits, "max_positions"):
            symbols = book.symbols()
            if len(symbols) > limits.max_positions:
                self.say(f"{name} makes {len(symbols)} positions, of {', '.join(symbols)}")
        gross, equity = book.gross(asset), book.equity(asset)
        self._judge_share(name, "gross_exposure", gross, equity, limits.max_gross_exposure_pct)
        self._judge_share(name, "leverage", gross, equity, limits.max_leverage)
        net = book.net(asset, order)
        self._judge_share(name, "net_exposure", net, equity, limits.max_net_exposure_pct)
        most = limits.max_portfolio_exposure_pct
        if most is None or not self._applies(limits, "portfolio_exposure"):
            return
        for other in book.others():
            gross, equity = gross + other.gross(asset), equity + other.equity(asset)
        self._judge_share(name, "portfolio_exposure", gross, equity, most)

    def _judge_share(
        self, name: str, rule: str, reach: Decimal, equity: Decimal, limit: Decimal | None
    ) -> None:
        live = self.world.live
        if limit is None or live is None or rule in live.engine.core.settings.limits.disabled:
            return
        if reach > limit * equity * SLACK:
            self.say(f"{name}: {rule} reaches {reach:.2f} of {equity:.2f}, at most {limit}")

    def look(self) -> None:
        if self._limits is not None and is_close(self._limits):
            self.losses.look()


class Book:
    """What one account holds and has open at the exchange, as far as an order could know of it."""

    def __init__(self, world: World, account: AccountId, since: int, known: set[str]) -> None:
        self._world, self._account = world, account
        self._since, self._known = since, known
        exchange = world.bourse.exchange
        self._held = {each.symbol: each.qty for each in exchange.positions(account)}
        self._orders = [
            order
            for order in exchange.open_orders(account)
            if order.cl_ord_id in known and not order.asked.reduce_only
        ]

    def others(self) -> list[Book]:
        """Return the session's other accounts."""
        names = self._world.accounts.session_names
        return [
            Book(self._world, each, self._since, self._known)
            for each in names
            if each != self._account
        ]

    def working(self, symbol: Symbol) -> list[VenueOrder]:
        return [order for order in self._orders if order.symbol == symbol]

    def symbols(self) -> list[str]:
        """Return what could be held."""
        return sorted({*self._held, *(order.symbol for order in self._orders)})

    def price(self, symbol: Symbol) -> Decimal:
        """Return the lowest of the last prices."""
        return Decimal(repr(self._world.market.lowest(symbol, self._since)))

    def worth(self, order: VenueOrder, qty: Decimal) -> Decimal:
        """Return what a quantity of an order is worth, at least: it waits for its price."""
        asked = order.asked
        waits_for = max(order.price or ZERO, asked.trigger_price or ZERO)
        return qty * max(self.price(order.symbol), waits_for)

    def equity(self, asset: str) -> Decimal:
        return self._world.bourse.exchange.margin(self._account, asset).balance

    def gross(self, asset: str) -> Decimal:
        return sum((self._reach(each) for each in self._settled_in(asset)), ZERO)

    def _settled_in(self, asset: str) -> list[Symbol]:
        symbols = [Symbol(each) for each in self.symbols()]
        return [s for s in symbols if self._world.instrument(s).margin_asset == asset]

    def _reach(self, symbol: Symbol) -> Decimal:
        """Return the worst case of a symbol."""
        held = self._held.get(symbol, ZERO)
        return max(abs(held + self._side(symbol, 1)), abs(held - self._side(symbol, -1))) * (
            self.price(symbol)
        )

    def _side(self, symbol: Symbol, sign: int) -> Decimal:
        orders = self.working(symbol)
        return sum((each.leaves_qty for each in orders if each.side.sign == sign), ZERO)

    def net(self, asset: str, order: VenueOrder) -> Decimal:
        """Return the worst case towards an order's side; what offsets it at the highest price."""
        total, sign = ZERO, order.side.sign
        for symbol in self._settled_in(asset):
            qty = self._held.get(symbol, ZERO) * sign + self._side(symbol, sign)
            low, high = self._world.market.range_since(symbol, self._since)
            total += qty * Decimal(repr(low if qty > ZERO else high))
        return total


def is_close(limits: RiskLimits) -> bool:
    """Tell whether some limit of a loss is near enough to be reached, so that it is followed."""
    together = (limits.max_portfolio_daily_loss_pct, limits.max_portfolio_drawdown_pct)
    found = (limits.max_daily_loss_pct, limits.max_drawdown_pct, *together)
    return any(each is not None and each < NEAR for each in found)


def _keep_written(heard: Mapping[Any, deque[int]], written: Mapping[Any, Iterable[int]]) -> None:
    for name, times in heard.items():
        known = set(written.get(name, ()))
        kept = [ts for ts in times if ts in known]
        times.clear()
        times.extend(kept)


def _kept() -> deque[int]:
    return deque(maxlen=KEPT)


OTHERS = (
    *("stranger", "meddling", "heritage", "hard_times", "delisting", "settings_at_hand"),
    *("odd_orders", "liquidation", "liquidation_fill", "deleveraging", "contracts", "amnesia"),
    *("long_lists", "copies"),
)
"""Who or what moves the account beside the session, by the names of their deeds."""
