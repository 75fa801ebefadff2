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
    name = f"{fact.signal.strategy_id} {fact.signal.signal_id}"
    if fact.signal.signal_id and name not in state.intents:  # the first to have it was acted on
        _remember_intent(state, name, fact.intent_id)


def signal_denied(state: State, fact: ev.SignalDenied) -> None:
    """Let a wish that began nothing come again under its name; a turn may have closed by now."""
    newest = next(reversed(state.parents.values()), None)
    if newest is None or newest.start.intent_id != fact.intent_id:
        _free_name(state, fact.intent_id)


def order_denied(state: State, fact: ev.OrderDenied) -> None:
    """Let a wish come again under its name whose only order was denied, where none follows.

    A request keeps its id: who asks once more is answered as before.
    """
    newest = [parent for parent, _ in zip(reversed(state.parents.values()), range(2), strict=False)]
    alone = [parent for parent in newest if parent.start.intent_id == fact.order.intent_id]
    if len(alone) != 1 or alone[0].parent_id != fact.order.parent_id:
        return
    is_over = alone[0].attempts == 1 and alone[0].wake_ts is None
    if is_over and not alone[0].start.request_id:
        _free_name(state, fact.order.intent_id)


def _free_name(state: State, intent_id: IntentId) -> None:
    """Forget the name of the newest wish, where it is that one's."""
    name = next(reversed(state.intents), "")
    if name and state.intents[name] == intent_id:
        del state.intents[name]


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
    parent.is_untold = fact.is_untold
    retire(state, parent)
