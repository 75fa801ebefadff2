"""The life of a trading session: which state may follow which.

Rule: every way a session may move is in `TRANSITIONS`. A pair that is absent is illegal.
"""

from __future__ import annotations

from ..model.errors import SessionStateError
from ..model.values import TradingSessionStatus as S

TRANSITIONS: dict[S, frozenset[S]] = {
    S.STOPPED: frozenset({S.STARTING}),
    S.STARTING: frozenset(
        {
            S.RUNNING,
            S.PAUSED,  # it was paused when the process died
            S.STOPPING,  # stopped before the venue had answered
            S.ERROR,
        }
    ),
    S.RUNNING: frozenset({S.PAUSED, S.STOPPING, S.ERROR}),
    S.PAUSED: frozenset({S.RUNNING, S.STOPPING, S.ERROR}),
    S.STOPPING: frozenset({S.STOPPED, S.ERROR}),
    S.ERROR: frozenset({S.STOPPED}),
}


def check_move(status: S, target: S, *, is_killed: bool = False) -> None:
    """Refuse a move that the table does not have.

    Raises:
        SessionStateError: naming both states and what is possible instead.
    """
    if target in TRANSITIONS[status]:
        return
    possible = ", ".join(sorted(s.value for s in TRANSITIONS[status]))
    if target is status:
        wrong = f"the session is {status.value} already"
        wrong += (
            ", and the kill switch is engaged: an operator must release it" if is_killed else ""
        )
    else:
        wrong = f"a session that is {status.value} can't become {target.value}"
    raise SessionStateError(f"{wrong}; it can become {possible}")
