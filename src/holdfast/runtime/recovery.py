"""From a journal to an engine: the newest snapshot, and every fact behind it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..engine.engine import Engine
from ..engine.forgetting import trade_name
from ..engine.state import State
from ..model.messages import FundingPayment, VenueSnapshot, WalletChange
from ..model.settings import EngineSettings
from ..model.values import TradingSessionStatus
from ..ports import Journal

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came back. `was_running` is of a process that ended without stopping its session."""

    engine: Engine
    facts_folded: int
    from_snapshot: int  # sequence; 0 when all facts were folded
    was_running: bool


class StateRecoveryService:
    """Loads and saves the fold of a journal.

    Args:
        journal: the record; owned by this process when something is to be saved.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def recover(self, settings: EngineSettings | None = None, *, read_lag_ns: int = 0) -> Recovered:
        """Fold the journal into an engine.

        Raises:
            JournalCorrupt: a fact was altered or lost; nothing is guessed.
        """
        state, sequence = self.load()
        folded = 0
        for fact in self._journal.replay(sequence):
            state.apply(fact)
            folded += 1
        was_running = state.status is not TradingSessionStatus.STOPPED
        engine = Engine(settings or EngineSettings(), state=state, read_lag_ns=read_lag_ns)
        return Recovered(engine, folded, sequence, was_running)

    def load(self) -> tuple[State, int]:
        """Return the newest usable snapshot and its sequence; an empty state and 0 without one."""
        found = self._journal.load_snapshot()
        if found is None:
            return State(), 0
        sequence, payload = found
        try:
            return _decode(payload), sequence
        except msgspec.MsgspecError:
            return State(), 0  # of another version: the facts tell it all

    @staticmethod
    def time_of(snapshot: VenueSnapshot, state: State) -> int:
        """Return the time of the newest thing in a snapshot that the state has not booked; or 0.

        A simulated exchange keeps what it does before it tells it: after a crash it may have
        lived on, on the feed's time, past the last fact.
        """
        seen = state.account(snapshot.account).changes_seen
        times = [change.venue_ts for change in snapshot.changes if _id_of(change) not in seen]
        for trade in snapshot.trades:
            name = trade_name(trade.account, trade.symbol, trade.trade_id)
            is_ours = trade.cl_ord_id in state.orders
            if name not in state.trades_seen and is_ours:
                times.append(trade.venue_ts)
        return max(times, default=0)

    def save(self, state: State) -> None:
        """Keep the state as it is now. It is the fold of everything appended so far."""
        self._journal.save_snapshot(self._journal.sequence, _encode(state))


def _id_of(change: FundingPayment | WalletChange) -> str:
    return change.payment_id if isinstance(change, FundingPayment) else change.change_id
