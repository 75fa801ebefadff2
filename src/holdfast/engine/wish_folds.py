"""How wishes and the parents that serve them change the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import events as ev
from ..model.values import RUNNING, IntentId
from . import forgetting, holdings
from .forgetting import bound, retire
from .parent import Parent

if TYPE_CHECKING:
    from .state import State


def signal_received(state: State, fact: ev.SignalReceived) -> None:
    _count_intent(state, fact.intent_id)
    if fact.signal.signal_id:
        _remember_intent(
            state, f"{fact.signal.strategy_id} {fact.signal.signal_id}", fact.intent_id
        )


def _count_intent(state: State, intent_id: IntentId) -> None:
    """Several parents may serve one intent: it is counted at its first mention."""
    if intent_id != state.last_intent:
        state.last_intent = intent_id
        state.intent_seq += 1


def _remember_intent(state: State, name: str, intent_id: IntentId) -> None:
    state.intents[name] = intent_id
    bound(state.intents, forgetting.INTENTS_REMEMBERED)


def parent_started(state: State, fact: ev.ParentStarted) -> None:
    parent = Parent(fact, is_called_off=state.is_killed or state.status is not RUNNING)
    state.parents[fact.parent_id] = parent
    state.live_parents.setdefault(fact.order.key, []).append(fact.parent_id)
    state.parent_seq += 1
    _count_intent(state, fact.intent_id)
    if fact.request_id:
        _remember_intent(state, f"{fact.strategy_id} {fact.request_id}", fact.intent_id)


def wake_scheduled(state: State, fact: ev.WakeScheduled) -> None:
    parent = state.parents[fact.parent_id]
    parent.wake_ts = fact.due_ts
    holdings.revive(state, parent)


def parent_woken(state: State, fact: ev.ParentWoken) -> None:
    parent = state.parents[fact.parent_id]
    parent.wake_ts = None
    parent.is_over = parent.is_over or fact.is_over
    retire(state, parent)
