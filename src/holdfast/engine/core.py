"""What every decision is made with: the state, the market, and the two ways out.

`emit` records a fact and folds it; `send` asks the outside world for something. Nothing else
leaves the engine.
"""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..model import commands as cmd
from ..model import events as ev
from ..model.ids import Owner, make_cl_ord_id
from ..model.settings import EngineSettings
from ..model.values import (
    NS_PER_S,
    AccountId,
    ClOrdId,
    IntentId,
    Key,
    NewOrder,
    OrderRole,
    OrderType,
    ParentId,
    StrategyId,
    Symbol,
    TradingSessionStatus,
    Verdict,
)
from .exposure import Exposure
from .market import Isolated, Market
from .order import Order, RequestState
from .risk import RiskContext, Samples, assess, first_refusal
from .session import TRANSITIONS, check_move
from .state import State

if TYPE_CHECKING:
    from .beginning import FirstLook
    from .looking import Uncompared
    from .odd_status import OddStatus

TRY_AGAIN_NS = 60 * NS_PER_S
"""How long to wait before what the venue has probably no way to do is tried again."""


FILLS_KEPT = 500
"""How many of the latest fills are at hand, to tell by what the venue's books trail."""

_MAY_SETTLE = (ev.ReplaceRejected, ev.OrderReplaced, ev.OrderReported, ev.FillRecognized)
"""What shows an order to have filled, or to owe nothing any more, where that was open."""


class Core:
    """The hands of the engine. One message is handled at a time.

    `read_lag_ns` is how far the venue's answers to queries may trail its books. What a restart asks
    anew is no fact: when each open order was last asked after (`asked_after`), how often an account
    was looked at in vain to begin its books (`opening_looks`), what that has shown (`first_looks`)
    and when an execution was last heard before they began (`heard_early`), the latest fills
    (`fills`), how often a look was not compared (`unbooked_looks`), which accounts were looked at
    since the kill switch was engaged (`kill_looks`), whose books have agreed since the start
    (`start_looks`), or for how long nothing was compared (`uncompared`), which were not looked at
    since and may have something of ours (`unseen`), when a contract was first heard to be off the
    venue's list (`unlisted_ts`), since when an account's books are asked for in vain
    (`unread_since`), and what is due waits for a mark that is off (`doubted_since`), until when a
    venue has banned our address, by the account that heard of it (`banned_until`), what people were
    told of that comes again and again (`told`: the alarm and whose, with its time), which status of
    a contract that does not trade (`told_halts`) and which exits by hand that outlive their
    position (`told_left`) they were told of, statuses by words that nobody knows (`odd_statuses`),
    and when what is hard to close was last tried (`tried_ts`).
    """

    __slots__ = (
        "_samples",
        "asked_after",
        "banned_until",
        "commands",
        "doubted_since",
        "exposure",
        "facts",
        "fills",
        "first_looks",
        "heard_early",
        "kill_looks",
        "market",
        "now",
        "odd_statuses",
        "opening_looks",
        "read_lag_ns",
        "settings",
        "settled",
        "start_looks",
        "state",
        "told",
        "told_halts",
        "told_left",
        "tried_ts",
        "unbooked_looks",
        "uncompared",
        "unlisted_ts",
        "unread_since",
        "unseen",
    )

    def __init__(self, state: State, settings: EngineSettings, read_lag_ns: int) -> None:
        self.state = state
        self.settings = settings
        self.market = Market(settings.limits.sample_s)
        self.exposure = Exposure(state, self.market)
        self.read_lag_ns = read_lag_ns
        self._samples = Samples(self.market)
        self.now = 0
        self.asked_after: dict[ClOrdId, int] = {}
        self.first_looks: dict[AccountId, FirstLook] = {}
        self.opening_looks: Counter[AccountId] = Counter()
        self.heard_early: dict[AccountId, int] = {}
        self.fills: deque[ev.OrderFilled] = deque(maxlen=FILLS_KEPT)
        self.unbooked_looks: Counter[AccountId] = Counter()
        self.uncompared: dict[AccountId, Uncompared] = {}
        self.kill_looks: set[AccountId] = set()
        self.start_looks: set[AccountId] = set()
        self.unseen: set[AccountId] = set()
        self.banned_until: dict[AccountId, int] = {}
        self.unread_since: dict[AccountId, int] = {}
        self.doubted_since: dict[tuple[str, ...], int] = {}
        self.unlisted_ts: dict[Key, int] = {}
        self.odd_statuses: dict[ClOrdId, OddStatus] = {}
        self.told: dict[tuple[str, AccountId, str], int] = {}
        self.told_halts: dict[Key, str] = {}
        self.tried_ts: dict[Key, int] = {}
        self.told_left: set[ClOrdId] = set()
        self.facts: list[ev.Event] = []
        self.settled: list[ev.Event] = []  # of them, what an order ended by and does not say so
        self.commands: list[cmd.Command] = []

    def begin(self, now: int) -> None:
        """Make ready for one message."""
        self.now = now
        self.facts, self.commands = [], []
        self.settled = []

    def emit(self, fact: ev.Event) -> None:
        """Record a fact and fold it."""
        if isinstance(fact, _MAY_SETTLE):
            self._settle(fact)
        else:
            self.state.apply(fact)
        if type(fact) is ev.OrderFilled:
            self.fills.append(fact)
        self.facts.append(fact)

    def _settle(self, fact: ev.Event) -> None:
        """Fold a fact that says nothing of an end, and note the order that ends by it."""
        order = self.state.orders.get(fact.cl_ord_id)  # type: ignore[union-attr]  # by its type
        was_open = order is not None and order.is_open
        self.state.apply(fact)
        if order is not None and was_open and not order.is_open:
            self.settled.append(fact)

    def send(self, command: cmd.Command) -> None:
        """Ask the outside world for something, once the facts so far are safe."""
        self.commands.append(command)

    def alarm(
        self, code: str, text: str, account: AccountId | None = None, symbol: str = ""
    ) -> None:
        """Record that a person should look, and tell one."""
        main = next(iter(self.state.accounts), AccountId("main"))
        self.emit(
            ev.AlarmRaised(
                ts=self.now,
                code=code,
                text=text,
                account=account or main,
                symbol=Symbol(symbol),
            )
        )
        has_several = account is not None and len(self.state.named_accounts) > 1
        where = f" on account {account}" if has_several else ""
        self.send(cmd.Notify(level="alarm", text=f"{code}{where}: {text}"))

    def move(self, status: TradingSessionStatus, reason: str) -> None:
        """Move the session.

        Raises:
            SessionStateError: the table does not have that move.
        """
        check_move(self.state.status, status, is_killed=self.state.is_killed)
        self.emit(ev.SessionChanged(ts=self.now, status=status, reason=reason))

    def fail(self, reason: str) -> None:
        """Stop taking risk because something can't be explained; exits go on."""
        if TradingSessionStatus.ERROR not in TRANSITIONS[self.state.status]:
            return
        self.move(TradingSessionStatus.ERROR, reason)
        self.alarm("session_error", reason)
        self.cancel_entries(f"session error: {reason}")

    def cancel_entries(
        self, reason: str, *, is_pause: bool = False, with_exits: bool = False
    ) -> None:
        """Ask for every order back that could add risk; see `entries`."""
        for order in self.entries(with_exits=with_exits):
            self.cancel(order, reason, is_pause=is_pause)

    def entries(self, *, with_exits: bool = False) -> list[Order]:
        """Return our open orders that could add risk; with exits those too that rest in the book,
        and can only close.
        """
        ours = [order for order in self.state.all_open_orders() if order.is_ours]
        if with_exits:
            return [o for o in ours if o.role is OrderRole.ENTRY or _is_exit_in_book(o)]
        return [o for o in ours if o.role is OrderRole.ENTRY and not o.request.reduce_only]

    def is_held_back(self, order: Order) -> bool:
        """Tell whether a pause that goes on has asked for an order back that was not there yet."""
        is_paused = self.state.status is TradingSessionStatus.PAUSED
        return is_paused and self.settings.cancel_entries_on_pause and order.cancel_is_early

    def cancel_openers(self, orders: list[Order], reason: str) -> None:
        """Ask for our entries among these back: what is being closed is not opened once more."""
        for order in orders:
            if order.is_ours and order.role is OrderRole.ENTRY:
                self.cancel(order, reason)

    def is_time_to_try(self, key: Key) -> bool:
        """Tell whether to try once more what the venue has probably no way to do."""
        return self.now - self.tried_ts.get(key, 0) >= TRY_AGAIN_NS

    def isolate(self, key: Key, wallet: Decimal, qty: Decimal | None = None) -> None:
        """Note what stands for a position alone; 0 where the cross wallet does.

        `qty` is the position that it stands for, the one known where that is not told.
        """
        if wallet:
            held = self.state.position(key).qty if qty is None else qty
            self.market.isolated[key] = Isolated(wallet, held)
        else:
            self.market.isolated.pop(key, None)

    # Ids

    def next_intent(self) -> IntentId:
        """Name a new wish."""
        return IntentId(f"{self.state.epoch}-{self.state.intent_seq + 1}")

    def next_parent(self) -> ParentId:
        """Name a new parent."""
        return ParentId(str(self.state.parent_seq + 1))

    def next_cl_ord_id(self, parent_id: ParentId, role: OrderRole, strategy: StrategyId) -> ClOrdId:
        """Name a new order, so that its owner can be read off the name."""
        return make_cl_ord_id(
            Owner(
                self.settings.order_prefix,
                self.state.epoch,
                self.state.order_seq + 1,
                int(parent_id) if parent_id else 0,
                role,
                strategy,
            )
        )

    # Risk

    def risk_context(self) -> RiskContext:
        """Return what the rules may look at, as of now."""
        return RiskContext(
            self.state, self.market, self.exposure, self.settings, self.now, self._samples
        )

    def judge(self, order: NewOrder) -> tuple[Verdict, ...]:
        """Return what every rule says, also of what could only close as things are; nothing of a
        reduce-only order.
        """
        return () if order.reduce_only else assess(order, self.risk_context())

    # Orders

    def submit(self, order: NewOrder) -> bool:
        """Check an order, reserve its worst case, and send it; tell whether it went out.

        One that a rule refuses, and that can only close, goes out reduce-only: what it closes may
        be gone when it comes to the venue.
        """
        verdicts = self.judge(order)
        refusal = first_refusal(verdicts)
        if refusal is not None:
            if self.risk_context().adds_risk(order):
                self.deny(order, refusal.rule, refusal.reason, verdicts)
                return False
            order = replace(order, reduce_only=True)
        window = self.settings.recv_window_ns
        self.emit(
            ev.OrderSubmitted(ts=self.now, order=order, verdicts=verdicts, recv_window_ns=window)
        )
        self.send(cmd.SubmitOrder(order=order, ts=self.now, recv_window_ns=window))
        return True

    def deny(
        self, order: NewOrder, rule: str, reason: str, verdicts: tuple[Verdict, ...] = ()
    ) -> None:
        """Record that an order does not go out."""
        self.emit(
            ev.OrderDenied(ts=self.now, order=order, rule=rule, reason=reason, verdicts=verdicts)
        )

    def cancel(self, order: Order, reason: str, *, is_pause: bool = False) -> None:
        """Ask for an order back, unless that has been asked already.

        What a pause has asked for is on record once more where it is to be for good.

        Args:
            is_pause: what it is a part of goes on when the session does.
        """
        is_asked = order.cancel is not RequestState.NONE
        is_for_good = order.cancel_is_pause and not is_pause
        if is_asked and not is_for_good:
            return
        if not order.is_open or order.ending:
            return
        self.emit(
            ev.CancelRequested(
                ts=self.now, cl_ord_id=order.cl_ord_id, reason=reason, is_pause=is_pause
            )
        )
        if is_asked:
            return
        self.send(
            cmd.CancelOrder(
                account=order.request.account,
                symbol=order.request.symbol,
                cl_ord_id=order.cl_ord_id,
                is_conditional=order.is_waiting,
                ts=self.now,
                recv_window_ns=self.settings.recv_window_ns,
                venue_order_id=order.number_alone,
            )
        )

    def replace(self, order: Order, qty: Decimal, price: Decimal) -> None:
        """Ask for another quantity or price of a resting order."""
        self.emit(ev.ReplaceRequested(ts=self.now, cl_ord_id=order.cl_ord_id, qty=qty, price=price))
        self.send(
            cmd.ReplaceOrder(
                account=order.request.account,
                symbol=order.request.symbol,
                cl_ord_id=order.cl_ord_id,
                side=order.side,
                qty=qty,
                price=price,
                ts=self.now,
                recv_window_ns=self.settings.recv_window_ns,
                venue_order_id=order.number_alone,
            )
        )

    def query(self, order: Order) -> None:
        """Ask what became of an order."""
        self.send(
            cmd.QueryOrder(
                account=order.request.account,
                symbol=order.request.symbol,
                cl_ord_id=order.cl_ord_id,
                is_conditional=order.request.order_type.is_conditional,
                is_short=order.reported_qty > order.cum_qty,
                venue_order_id=order.number_alone,
            )
        )

    def resync(self, account: AccountId, reason: str) -> None:
        """Ask for the venue's books, with every execution that we may have missed."""
        books, first = self.state.account(account), self.first_looks.get(account)
        begins = self.now if first is None else first.since_ts
        since = max(books.trades_until, books.opened_ts) or begins
        self.send(cmd.Resync(account=account, reason=reason, trades_since=since - self.overlap_ns))

    @property
    def overlap_ns(self) -> int:
        """Return how far back of the last known execution to look again."""
        return self.read_lag_ns + self.settings.clock_skew_ns

    def fence_after(self, ts: int) -> int:
        """Return when a request stamped `ts` can no longer be accepted, nor be unseen."""
        settings = self.settings
        return ts + settings.recv_window_ns + settings.clock_skew_ns + self.read_lag_ns


def _is_exit_in_book(order: Order) -> bool:
    return order.role is OrderRole.EXIT and order.request.order_type is OrderType.LIMIT
