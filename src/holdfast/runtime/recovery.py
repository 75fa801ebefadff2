"""From a journal to an engine: the newest snapshot, and every fact behind it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path

import msgspec

from .. import __version__
from ..engine.engine import Engine
from ..engine.forgetting import trade_name
from ..engine.state import State
from ..model.events import Event
from ..model.messages import AccountChange, FundingPayment, SettlementPayment, VenueSnapshot
from ..model.settings import EngineSettings
from ..model.values import TradingSessionStatus
from ..ports import Journal
from ..stats import AtRest, SessionFold
from ..stats.context import OWNERS_REMEMBERED

TAIL_KEPT = 10_000
"""So many facts behind a snapshot are kept for whoever else folds them; more are read twice."""


_HOUSE = Path(__file__).parents[1]
FOLDING = (_HOUSE / "engine", _HOUSE / "model", _HOUSE / "stats")
"""Where the code is that facts are folded by."""


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The folds of a journal up to one of its facts."""

    form: str  # of the code that folded
    state: State
    figures: bytes = b""  # the session's `SessionFold` at rest; none where nobody counted


class _Form(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of a snapshot, which can be read whatever follows."""

    form: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode
_decode_form = msgspec.msgpack.Decoder(_Form).decode


@cache
def form() -> str:
    """Return what tells this code's snapshots from those of another version.

    A field that is new would read back with its default, though the facts say otherwise; and how
    much is remembered is a part of the fold, as is what the code makes of a fact: two builds of
    one version may differ in that.
    """
    shapes = f"{msgspec.inspect.multi_type_info([State, AtRest])} {OWNERS_REMEMBERED}"
    digest = sha256(shapes.encode())
    for file in sorted(each for folder in FOLDING for each in folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return f"{__version__} {digest.hexdigest()[:16]}"


@dataclass(slots=True)
class Recovered:
    """What came back. `was_running` is of a process that ended without stopping its session."""

    engine: Engine
    facts_folded: int
    from_snapshot: int  # sequence; 0 when all facts were folded
    was_running: bool
    figures: bytes = b""  # the session's statistics at the snapshot
    tail: list[Event] | None = None  # the facts behind the snapshot, unless they are too many

    def take_tail(self) -> list[Event] | None:
        """Hand the tail over, once: nobody else needs it, and it is large."""
        tail, self.tail = self.tail, None
        return tail


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
        snapshot, sequence = self._load()
        state = snapshot.state if snapshot else State()
        figures = snapshot.figures if snapshot else b""
        folded = 0
        tail: list[Event] = []
        for fact in self._journal.replay(sequence):
            state.apply(fact)
            folded += 1
            if folded <= TAIL_KEPT:
                tail.append(fact)
        is_whole = snapshot is not None and folded == len(tail)
        was_running = state.status is not TradingSessionStatus.STOPPED
        engine = Engine(settings or EngineSettings(), state=state, read_lag_ns=read_lag_ns)
        return Recovered(engine, folded, sequence, was_running, figures, tail if is_whole else None)

    def load(self) -> tuple[State, int]:
        """Return the newest usable snapshot and its sequence; an empty state and 0 without one."""
        snapshot, sequence = self._load()
        return (snapshot.state, sequence) if snapshot else (State(), 0)

    def _load(self) -> tuple[Snapshot | None, int]:
        found = self._journal.load_snapshot()
        if found is None:
            return None, 0
        sequence, payload = found
        try:
            if _decode_form(payload).form == form():
                return _decode(payload), sequence
        except msgspec.MsgspecError:
            pass
        return None, 0  # of another version: the facts tell it all

    def check(self) -> str:
        """Fold the facts alone up to the snapshot; say where it differs, "" where it does not.

        A snapshot that is not there or is another version's is not used, and so not wrong.

        Raises:
            JournalCorrupt: a fact was altered or lost.
        """
        snapshot, sequence = self._load()
        if snapshot is None:
            return ""
        state, figures = State(), SessionFold(snapshot.state.session_id)
        for fact in islice(self._journal.replay(), sequence):
            state.apply(fact)
            figures.apply(fact)
        if state != snapshot.state:
            return f"the snapshot at {sequence} is not the fold of its facts"
        if snapshot.figures and figures.rest() != snapshot.figures:
            return f"the statistics in the snapshot at {sequence} are not the fold of its facts"
        return ""

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

    def save(self, state: State, figures: bytes = b"") -> None:
        """Keep the folds as they are now. They are of everything appended so far."""
        snapshot = Snapshot(form(), state, figures)
        self._journal.save_snapshot(self._journal.sequence, _encode(snapshot))


def _id_of(change: AccountChange) -> str:
    if isinstance(change, SettlementPayment):
        return change.settlement_id
    return change.payment_id if isinstance(change, FundingPayment) else change.change_id
