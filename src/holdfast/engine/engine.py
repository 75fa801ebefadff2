"""The engine: a message comes in, facts and commands come out.

Follow one signal: `handle` -> `signals.on_signal` -> `parents.start_parent` (the algorithm) ->
`Core.submit` (risk) -> (facts, commands). The venue's answer comes back through `handle` ->
`reports.on_report` -> `State.apply` -> `protection.guard`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ..model import commands as cmd
from ..model import events as ev
from ..model import market as mkt
from ..model import messages as msg
from ..model.errors import IllegalTransition, InputError, SessionStateError, UnknownOrderError
from ..model.order_wish import OrderWish
from ..model.settings import EngineSettings
from ..model.signal import SignalGenerated
from ..model.values import ENTRY, NS_PER_S, ClOrdId, Key, TradingSessionStatus
from . import (
    bans,
    beginning,
    contracts,
    housekeeping,
    left_behind,
    looking,
    order_wishes,
    parents,
    parts,
    protection,
    reconcile,
    reports,
    requests,
    signals,
    turns,
)
from .algos import Cause
from .core import Core
from .early_ticks import on_early_tick
from .explaining import Explanation, explain
from .market import CutOff
from .state import State


class Outcome(msgspec.Struct, frozen=True):
    """What one message led to. The shell journals the facts, then carries out the commands."""

    facts: list[ev.Event]
    commands: list[cmd.Command]


_NOTHING = Outcome([], [])

MARGIN_CALL_NS = 600 * NS_PER_S
"""How long a margin call of an account is not told of again."""


class Engine:
    """The deterministic core of a trading session (the specification's OrderExecutionBridge).

    All it remembers is in `state`, the fold of its facts; what it sees of the market comes with
    the messages. The same messages at the same times give the same facts.

    Args:
        settings: limits and policies.
        facts: the journal so far, folded in before the first message.
        state: a fold to go on from, as a snapshot gave it; `facts` come behind it.
        read_lag_ns: how far the venue's answers to queries may trail its books.
    """

    def __init__(
        self,
        settings: EngineSettings,
        facts: Iterable[ev.Event] = (),
        *,
        state: State | None = None,
        read_lag_ns: int = 0,
    ) -> None:
        self._core = Core(state or State(), settings, read_lag_ns)
        for fact in facts:
            self.state.apply(fact)

    @property
    def state(self) -> State:
        """Return the fold; read it, never change it."""
        return self._core.state

    @property
    def core(self) -> Core:
        """Return what reads the state and the market: exposure, prices, rules."""
        return self._core

    def handle(self, message: msg.Message, now: int) -> Outcome:
        """Decide what a message means, apply it, and say what to do about it.

        Args:
            now: when the shell received it, nanoseconds UTC; the engine has no clock.

        Raises:
            IllegalTransition: a report contradicts an order's status, or a bug here; the state may
                be half changed: throw this engine away, fold the journal, reconcile.
            Fenced: another process owns the account.
            InputError, SessionStateError, UnknownOrderError: an operator's request can't be
                carried out; nothing was changed.
        """
        kind = type(message)
        if kind in _MARKET:
            self._core.market.see(message)  # type: ignore[arg-type]  # by its type it is one
            return _NOTHING
        core = self._core
        core.begin(now if _begins_anew(message) else max(now, self.state.last_ts))
        try:
            _HANDLERS[kind](core, message)
        except (InputError, SessionStateError, UnknownOrderError) as error:
            if core.facts:
                raise IllegalTransition(f"refused behind {core.facts[-1]}: {error}") from error
            raise
        _follow_up(core)
        return Outcome(core.facts, core.commands)

    def explain(self, wish: SignalGenerated | msg.PlaceRequest, now: int) -> Explanation:
        """Show what would become of a wish, sending and recording nothing; see `explaining`."""
        self._core.begin(max(now, self.state.last_ts))
        return explain(self._core, wish)


def _begins_anew(message: msg.Message) -> bool:
    """Tell whether time may start over: a new session on an older recording."""
    return type(message) is msg.StartSession and not message.is_resumed


_MARKET = frozenset(
    {
        mkt.Trade,
        mkt.Quote,
        mkt.Bar,
        mkt.MarkPrice,
        mkt.Funding,
        mkt.BookSnapshot,
        mkt.BookDelta,
    }
)


def _follow_up(core: Core) -> None:
    """After the facts of one message: work parents on, protect positions, end what has ended."""
    facts = core.facts
    ended: set[ClOrdId] = set()  # each once: its last fills and its end may come all at once
    for fact in facts:  # what an algorithm does next adds to them
        if type(fact) is ev.ParentWoken:
            turns.on_woken(core, fact)
        elif type(fact) in _ENDINGS or fact in core.settled:
            _child_ended(core, fact.cl_ord_id, ended)  # type: ignore[union-attr]  # by its type
    touched: dict[Key, None] = {}
    for fact in facts:
        if key := _key_of(core, fact):
            touched[key] = None
    for key in touched:
        protection.guard(core, key)
    for fact in facts:
        if type(fact) is ev.OrderFilled:
            left_behind.tell_left(core, (fact.account, fact.symbol))
    if touched:
        housekeeping.finish_stop(core)


_ENDINGS: frozenset[type[ev.Fact]] = frozenset(
    {
        ev.OrderFilled,
        ev.OrderRejected,
        ev.OrderCanceled,
        ev.OrderExpired,
        ev.OrderNeverArrived,
    }
)


def _child_ended(core: Core, cl_ord_id: ClOrdId, ended: set[ClOrdId]) -> None:
    if cl_ord_id in ended:
        return
    ended.add(cl_ord_id)
    order = core.state.orders.get(cl_ord_id)
    if order is not None and not order.is_open and order.request.parent_id:
        if order.role is ENTRY:
            parents.advance(core, order.request.parent_id, Cause.CHILD_CLOSED)
        turns.on_end(core, order)


def _key_of(core: Core, fact: ev.Event) -> Key | None:
    """Return the key whose protection a fact may have touched."""
    kind = type(fact)
    if kind is ev.OrderFilled or kind is ev.PositionAdopted:
        return (fact.account, fact.symbol)  # type: ignore[union-attr]  # by its type it has both
    if kind is ev.OrderTimed:
        return None
    if kind is ev.OrderSubmitted:
        return fact.order.key  # type: ignore[union-attr]
    cl_ord_id = getattr(fact, "cl_ord_id", None)
    order = core.state.orders.get(cl_ord_id) if cl_ord_id else None
    if order is None or (kind is ev.OrderInDoubt and order.request.account in core.unseen):
        return None  # time alone brings a doubt: it waits for the look at the account's books
    return order.key


# The session


def _start(core: Core, message: msg.StartSession) -> None:
    if not message.is_resumed:
        requests.tell_left(core)
    is_kept = bool(core.state.to_flatten) and core.settings.mismatch_policy != "flatten"
    said = msgspec.structs.asdict(message)
    core.emit(ev.EpochStarted(ts=core.now, keeps_taken_over=is_kept, **said))
    core.move(TradingSessionStatus.STARTING, "resumed" if message.is_resumed else "started")
    parts.end_left_out(core)
    core.start_looks.clear()
    core.uncompared.clear()
    known = {name for name, books in core.state.accounts.items() if books.opened_ts}
    core.unseen = {*message.accounts} if message.is_resumed else known & {*message.accounts}
    for account in message.accounts:
        core.resync(account, "start")


def _fail(core: Core, message: msg.FailSession) -> None:
    core.fail(message.reason)


def _reset(core: Core, message: msg.ResetSession) -> None:
    core.move(TradingSessionStatus.STOPPED, message.reason)


def _snapshot(core: Core, snapshot: msg.VenueSnapshot) -> None:
    core.unread_since.pop(snapshot.account, None)
    is_compared = reconcile.on_snapshot(core, snapshot)
    looking.note_look(core, snapshot, is_compared=is_compared)
    if core.state.account(snapshot.account).opened_ts:
        core.unseen.discard(snapshot.account)
    housekeeping.verify_kill(core, snapshot.account)
    if core.state.status is not TradingSessionStatus.STARTING:
        return
    has_all = core.start_looks.issuperset(core.state.named_accounts)
    if has_all and not core.state.differences:
        if core.state.was_stopping:
            requests.stop_on(core)
        else:
            paused = core.state.was_paused
            status = TradingSessionStatus.PAUSED if paused else TradingSessionStatus.RUNNING
            core.move(status, "reconciled with the venue")
            requests.tell_block(core)
        housekeeping.on_tick(core)
        parents.rearm(core)


def _report(core: Core, report: msg.ExecutionReport) -> None:
    reports.on_report(core, report)
    if report.exec_type is msg.ExecType.NEW and core.state.breakers:
        order = core.state.orders.get(report.cl_ord_id)
        if order is not None and order.is_ours:  # others have roads of their own
            housekeeping.on_success(core, report.account)


def _mode(core: Core, message: msg.AccountMode) -> None:
    if message.problem == core.state.odd_modes.get(message.account, ""):
        return
    core.emit(ev.AccountModeChanged(ts=core.now, account=message.account, problem=message.problem))
    if message.problem:
        core.alarm("account_mode", f"nothing new is opened: {message.problem}", message.account)


def _isolated(core: Core, message: msg.IsolatedWallets) -> None:
    for symbol, wallet in message.wallets.items():
        core.isolate((message.account, symbol), wallet, message.qtys.get(symbol))


def _margin_mode(core: Core, message: msg.MarginModeSet) -> None:
    core.alarm("margin_mode", message.text, message.account, message.symbol)


def _margin_call(core: Core, message: msg.MarginCalled) -> None:
    place = ("margin_call", message.account, "")
    told_ts = core.told.get(place)
    if told_ts is None or core.now - told_ts >= MARGIN_CALL_NS:
        core.told[place] = core.now
        text = f"the venue warns of the liquidation of {', '.join(message.symbols)}"
        core.alarm("margin_call", text, message.account)


def _market_link(core: Core, link: msg.MarketLink) -> None:
    core.market.of(link.symbol).cut_off = "" if link.is_up else link.reason or "nothing comes"


def _link(core: Core, link: msg.VenueLink) -> None:
    cut_off = core.market.accounts_cut_off
    if not link.is_up:
        cut_off[link.account] = CutOff(link.reason or "the venue can't be reached", 0)
    elif link.account in cut_off:
        cut_off[link.account] = cut_off[link.account]._replace(up_ts=core.now)
        core.uncompared.pop(link.account, None)
    if link.is_up:
        core.resync(link.account, link.reason or "the connection came back")
    else:
        core.alarm("link_down", link.reason or "the venue can't be reached", link.account)


def _failure(core: Core, failure: msg.VenueFailure) -> None:
    housekeeping.on_failure(core, failure.account, failure.failure, failure.reason)


def _tick(core: Core, _: msg.Tick) -> None:
    if core.state.status is TradingSessionStatus.STARTING:
        on_early_tick(core)
    else:
        housekeeping.on_tick(core)


def _audit(core: Core, audit: msg.AuditDue) -> None:
    housekeeping.mind_unread(core, audit.account)
    core.resync(audit.account, audit.reason)


def _timer(core: Core, timer: msg.TimerFired) -> None:
    parents.wake(core, timer.parent_id)


def _timed(core: Core, message: msg.OrderTimed) -> None:
    if message.cl_ord_id in core.state.orders:
        core.emit(ev.OrderTimed(ts=core.now, **msgspec.structs.asdict(message)))


def _attached(core: Core, message: msg.StrategyAttached) -> None:
    core.emit(
        ev.StrategyStarted(
            ts=core.now, strategy_id=message.strategy_id, description=message.description
        )
    )


def _strategy_failed(core: Core, message: msg.StrategyFailed) -> None:
    core.emit(
        ev.StrategyStopped(ts=core.now, strategy_id=message.strategy_id, reason=message.reason)
    )
    core.alarm("strategy_stopped", f"{message.strategy_id}: {message.reason}")
    housekeeping.take_back_unwanted(core)


# Each handler takes its own kind of message, which no single signature can say.
_HANDLERS: dict[type, Callable[..., None]] = {  # type: ignore[explicit-any]
    SignalGenerated: signals.on_signal,
    OrderWish: order_wishes.on_order_wish,
    msg.ExecutionReport: _report,
    msg.RequestRefused: reports.on_refused,
    msg.OutcomeUnknown: reports.on_outcome_unknown,
    msg.OrderNotFound: reports.on_not_found,
    msg.FundingPayment: reconcile.on_funding,
    msg.WalletChange: beginning.on_wallet_change,
    msg.SettlementPayment: contracts.on_settlement,
    msg.VenueSnapshot: _snapshot,
    msg.InstrumentListed: contracts.on_listed,
    msg.IsolatedWallets: _isolated,
    msg.AccountMode: _mode,
    msg.MarginModeSet: _margin_mode,
    msg.MarginCalled: _margin_call,
    msg.VenueLink: _link,
    msg.MarketLink: _market_link,
    msg.VenueFailure: _failure,
    msg.AddressBanned: bans.on_banned,
    msg.Tick: _tick,
    msg.AuditDue: _audit,
    msg.TimerFired: _timer,
    msg.OrderTimed: _timed,
    msg.StartSession: _start,
    msg.PauseSession: requests.on_pause,
    msg.ResumeSession: requests.on_resume,
    msg.StopSession: requests.on_stop,
    msg.FailSession: _fail,
    msg.ResetSession: _reset,
    msg.EngageKillSwitch: requests.on_kill,
    msg.ReleaseKillSwitch: requests.on_release,
    msg.PlaceRequest: requests.on_place,
    msg.CancelRequest: requests.on_cancel,
    msg.ModifyRequest: requests.on_modify,
    msg.CloseRequest: requests.on_close,
    msg.AdjustRequest: requests.on_adjust,
    msg.StrategyAttached: _attached,
    msg.StrategyFailed: _strategy_failed,
}
