"""What a session stands at, as a value: the journal's fold, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ..engine.engine import Engine
from ..engine.parent import Parent
from ..engine.state import State
from ..journal import open_journal
from ..model.config import TradingConfig
from ..model.errors import InputError
from ..model.signal import SignalGenerated
from ..model.values import MAIN, ZERO, OrderRole, Side, SignalType, TradingSessionStatus, plain
from .live import LiveSession
from .recovery import StateRecoveryService
from .views import Order, Position, order_view, position_view, when


@dataclass(frozen=True, slots=True)
class PortfolioState:
    """The money by asset, of all accounts together, and whose portfolio it is."""

    portfolio_id: str
    balances: dict[str, Decimal]
    realized_pnl: Decimal
    fees: Decimal
    funding: Decimal


@dataclass(frozen=True, slots=True)
class TradingState:
    """A session's books at one moment."""

    session_id: UUID
    portfolio_state: PortfolioState
    open_orders: list[Order]
    positions: list[Position]
    pending_signals: list[SignalGenerated]
    last_update: datetime
    status: TradingSessionStatus = TradingSessionStatus.STOPPED
    _live: LiveSession | None = field(default=None, repr=False, compare=False)

    def save(self) -> None:
        """Keep a snapshot beside the facts, so that the next start need not fold them all.

        The facts are recorded as they happen: nothing is lost without this. A state that was
        recovered, or that is waiting for a commit, has nothing to save.
        """
        if self._live is not None:
            self._live.save_now()

    @classmethod
    def recover(
        cls, session_id: UUID | str, *, config: TradingConfig | None = None
    ) -> TradingState:
        """Read the state of the journal's last session back, also beside a running one.

        Args:
            config: says where the journal is; None takes the settings of file and environment.

        Raises:
            InputError: the journal's last session is another one.
            ConfigError: the settings can't be read, or the journal's folder is not there.
            JournalError: there is no journal, or it can't be read.
        """
        settings = config or TradingConfig.load().config
        journal = open_journal(settings.database_url, read_only=True)
        try:
            engine = StateRecoveryService(journal).recover(settings.engine_settings()).engine
        finally:
            journal.close()
        if str(session_id) != engine.state.session_id:
            raise InputError(
                f"the journal's last session is {engine.state.session_id or 'none'}, "
                f"not {session_id}"
            )
        return state_of(engine)

    @classmethod
    def of(cls, live: LiveSession) -> TradingState:
        """Return the state of a running session."""
        return state_of(live.engine, live)


def state_of(engine: Engine, live: LiveSession | None = None) -> TradingState:
    """Show an engine's state."""
    state = engine.state
    positions = state.positions.values()
    return TradingState(
        session_id=UUID(state.session_id),
        status=state.status,
        portfolio_state=PortfolioState(
            portfolio_id=state.portfolio_id,
            balances=_balances(state),
            realized_pnl=sum((p.realized_pnl for p in positions), ZERO),
            fees=sum((p.fees for p in positions), ZERO),
            funding=sum((p.funding for p in positions), ZERO),
        ),
        open_orders=[order_view(engine, order) for order in state.all_open_orders()],
        positions=[position_view(engine, key) for key in state.open_keys()],
        pending_signals=_pending(engine),
        last_update=when(state.last_ts),
        _live=live,
    )


def _balances(state: State) -> dict[str, Decimal]:
    """Return what all accounts have of each asset."""
    found: dict[str, Decimal] = {}
    for books in state.accounts.values():
        for asset in sorted(books.assets()):
            found[asset] = found.get(asset, ZERO) + books.wallet(asset)
    return found


def _pending(engine: Engine) -> list[SignalGenerated]:
    """Return the wishes whose entries are still being worked."""
    state = engine.state
    live = [state.parents[i] for ids in state.live_parents.values() for i in ids]
    return [
        _wish(parent)
        for parent in live
        if parent.wake_ts is not None
        or any(o.is_open and o.role is OrderRole.ENTRY for o in state.children(parent))
    ]


def _wish(parent: Parent) -> SignalGenerated:
    start = parent.start
    return SignalGenerated(
        symbol=start.symbol,
        signal_type=SignalType.BUY if start.side is Side.BUY else SignalType.SELL,
        strategy_id=start.strategy_id,
        quantity=start.qty - parent.filled_qty,
        order_type=start.order.order_type,
        price=start.order.price,
        stop_loss=start.stop_loss,
        take_profit=start.take_profit,
        algo=start.algo,
        ts=start.ts,
        account=start.account,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that our books and the exchange's tell differently; None: not there."""

    what: str
    ours: str | None
    theirs: str | None


def reconcile_orders(ours: Sequence[Order], theirs: Sequence[Order]) -> list[Difference]:
    """Compare open orders by id: which are missing on either side, which executed further."""
    mine = {str(o.id): o for o in ours}
    yours = {str(o.id): o for o in theirs}
    found = []
    for name in sorted({*mine, *yours}):
        filled = [_filled(mine.get(name)), _filled(yours.get(name))]
        if filled[0] != filled[1]:
            found.append(Difference(f"order {name}", *map(_executed, filled)))
    return found


def _filled(order: Order | None) -> Decimal | None:
    return None if order is None else order.filled_quantity


def _executed(filled: Decimal | None) -> str | None:
    return None if filled is None else f"{plain(filled)} executed"


def reconcile_positions(ours: Sequence[Position], theirs: Sequence[Position]) -> list[Difference]:
    """Compare positions by symbol, exactly."""
    mine = {_name(p): Decimal(p.quantity) for p in ours if p.quantity}
    yours = {_name(p): Decimal(p.quantity) for p in theirs if p.quantity}
    return [
        Difference(f"position {symbol}", _amount(mine.get(symbol)), _amount(yours.get(symbol)))
        for symbol in sorted({*mine, *yours})
        if mine.get(symbol) != yours.get(symbol)
    ]


def _name(position: Position) -> str:
    """Name a position: its symbol, and its account where that is not the main one."""
    symbol, account = position.symbol, position.account
    return symbol if account == MAIN else f"{symbol} of account {account}"


def _amount(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)
