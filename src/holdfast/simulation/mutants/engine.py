"""Mutants of the engine: the steps that carry the promise, and what risk and protection rest on."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from ...engine import (
    beginning,
    comparing,
    engine,
    holdings,
    housekeeping,
    protection,
    quiet,
    reconcile,
    reports,
    strangers,
    wish_folds,
)
from ...engine import core as engine_core
from ...engine.core import Core
from ...engine.exposure import Exposure
from ...engine.order import Order, RequestState
from ...engine.parent import Parent
from ...engine.risk import RULES
from ...engine.state import State
from ...model import events as ev
from ...model import messages as msg
from ...model.ids import Owner
from ...model.values import ZERO, OrderRole, OrderStatus, ParentId, Verdict
from ..settings_at_hand import SettingsAtHand
from .patching import Patch


def forget_trade_ids(patch: Patch) -> None:
    numbers = iter(range(10**9))
    patch.attr(reports, "trade_name", lambda *_: f"{next(numbers)}")


def believe_not_found_at_once(patch: Patch) -> None:
    patch.attr(Core, "fence_after", lambda _self, _ts: 0)


def measure_the_fence_at_the_answer(patch: Patch) -> None:
    original = reports.on_not_found

    def on_not_found(core: Core, answer: msg.OrderNotFound) -> None:
        original(core, msgspec.structs.replace(answer, asked_ts=core.now))

    patch.item(engine._HANDLERS, msg.OrderNotFound, on_not_found)  # noqa: SLF001


def take_a_time_out_for_a_failure(patch: Patch) -> None:
    def doubt(core: Core, order: Order, reason: str, _: int | None = None) -> None:
        if order.status is OrderStatus.PENDING_NEW:
            core.emit(ev.OrderRejected(ts=core.now, cl_ord_id=order.cl_ord_id, reason=reason))

    patch.attr(reports, "doubt", doubt)
    patch.attr(reconcile, "doubt", doubt)


def try_again_under_a_new_id(patch: Patch) -> None:
    original = reports.doubt

    def doubt(core: Core, order: Order, reason: str, code: int | None = None) -> None:
        is_new = order.status is OrderStatus.PENDING_NEW and not order.is_in_doubt
        original(core, order, reason, code)
        if is_new and order.role is OrderRole.ENTRY:
            asked = order.request
            name = core.next_cl_ord_id(asked.parent_id, asked.role, asked.strategy_id)
            core.submit(msgspec.structs.replace(asked, cl_ord_id=name))

    patch.attr(reports, "doubt", doubt)


def _leaves(patch: Patch, of: Callable[[Order, Decimal], Decimal]) -> None:
    original = vars(Order)["leaves_qty"].fget
    patch.attr(Order, "leaves_qty", property(lambda self: of(self, original(self))))


def free_what_is_in_doubt(patch: Patch) -> None:
    _leaves(patch, lambda order, qty: ZERO if order.is_in_doubt else qty)


def free_the_larger_side_of_an_amendment(patch: Patch) -> None:
    def of(order: Order, qty: Decimal) -> Decimal:
        is_asked = order.replace is not RequestState.NONE and order.ending is None
        return order.qty - order.cum_qty if is_asked and order.is_open else qty

    _leaves(patch, of)


def end_orders_before_their_fills(patch: Patch) -> None:
    def end(self: Order, trigger: object, _cum_qty: Decimal, _reason: str) -> None:
        self._move(trigger)  # type: ignore[arg-type]

    patch.attr(Order, "_end", end)


def fetch_no_missed_fills(patch: Patch) -> None:
    patch.attr(reconcile, "_book_missed", lambda _core, _snapshot: None)


def move_the_cursor_to_the_present(patch: Patch) -> None:
    """No overlap, and past what has only just been asked for."""

    def resync(self: Core, account: str, reason: str) -> None:
        from ...model.commands import Resync  # noqa: PLC0415

        self.send(Resync(account=account, reason=reason, trades_since=self.now))  # type: ignore[arg-type]

    patch.attr(Core, "resync", resync)


def never_doubt_what_is_not_answered(patch: Patch) -> None:
    patch.attr(housekeeping, "doubt_unanswered", lambda *_: None)


def passes(name: str) -> Callable[..., Verdict]:
    return lambda _order, _ctx: Verdict(rule=name, passed=True)


def trade_outside_running(patch: Patch) -> None:
    patch.item(RULES, "session", passes("session"))


def trade_under_the_kill_switch(patch: Patch) -> None:
    patch.item(RULES, "kill_switch", passes("kill_switch"))


def check_no_limit(patch: Patch) -> None:
    patch.attr(Core, "judge", lambda _self, _order: ())


def let_what_closes_open(patch: Patch) -> None:
    patch.attr(engine_core, "replace", lambda order, **_: order)


def _without(patch: Patch, kept: Callable[[list[protection.Step]], list[protection.Step]]) -> None:
    original = protection._plan_role  # noqa: SLF001 - what is taken apart

    def plan_role(
        parent: Parent, role: OrderRole, size: tuple[Decimal, bool], orders: list[Order], now: int
    ) -> list[protection.Step]:
        steps = original(parent, role, size, orders, now)
        return kept(steps) if role is OrderRole.STOP_LOSS else steps

    patch.attr(protection, "_plan_role", plan_role)


def place_no_stops(patch: Patch) -> None:
    """And tell nobody."""
    _without(patch, lambda steps: [s for s in steps if not isinstance(s, protection.Place)])
    patch.attr(protection, "_watch", lambda _core, _parent: None)


def leave_old_stops(patch: Patch) -> None:
    _without(patch, lambda steps: [s for s in steps if not isinstance(s, protection.Withdraw)])


def close_at_any_refusal(patch: Patch) -> None:
    """As if a stop that was refused, or never arrived, were one that the price is past."""
    original = protection._failure  # noqa: SLF001 - what is taken apart

    def failure(parent: Parent, children: list[Order]) -> protection.Failure | None:
        refused = (o for o in children if o.role is OrderRole.STOP_LOSS)
        is_refused = any(o.status is OrderStatus.REJECTED for o in refused)
        failed = protection.Failure("its stop was refused")
        return failed if is_refused else original(parent, children)

    patch.attr(protection, "_failure", failure)


def close_long_before_the_margin_is_used_up(patch: Patch) -> None:
    patch.attr(housekeeping, "MARGIN_RATIO_MAX", Decimal("0.001"))
    patch.attr(quiet, "_SAFE", 0.0)


def use_ids_again(patch: Patch) -> None:
    def next_id(self: Core, parent_id: str, role: OrderRole, strategy: str) -> str:
        from ...model.ids import PREFIX, make_cl_ord_id  # noqa: PLC0415

        parent = int(parent_id) if parent_id else 0
        seq = self.state.order_seq + 1
        return make_cl_ord_id(Owner(PREFIX, 1, seq, parent, role, strategy))  # type: ignore[arg-type]

    patch.attr(Core, "next_cl_ord_id", next_id)


def remember_beside_the_journal(patch: Patch) -> None:
    original = Core.cancel

    def cancel(self: Core, order: Order, reason: str, *, is_pause: bool = False) -> None:
        original(self, order, reason, is_pause=is_pause)
        order.reason = reason

    patch.attr(Core, "cancel", cancel)


def _booking(patch: Patch, change: Callable[[ev.OrderFilled], ev.OrderFilled]) -> None:
    original = State.apply

    def apply(self: State, fact: ev.Event) -> None:
        original(self, change(fact) if isinstance(fact, ev.OrderFilled) else fact)

    patch.attr(State, "apply", apply)


def count_profit_twice(patch: Patch) -> None:
    _booking(patch, lambda f: msgspec.structs.replace(f, realized_pnl=f.realized_pnl * 2))


def round_fees(patch: Patch) -> None:
    _booking(patch, lambda f: msgspec.structs.replace(f, fee=round(f.fee, 4) + Decimal(0)))


def book_no_funding(patch: Patch) -> None:
    patch.attr(reconcile, "on_funding", lambda _core, _payment: None)
    patch.item(engine._HANDLERS, msg.FundingPayment, lambda _core, _payment: None)  # noqa: SLF001


def leave_to_nobody_what_a_turn_opened(patch: Patch) -> None:
    patch.attr(holdings, "_give_to_turned", lambda _state, _fill, _opened: None)


def go_by_the_venues_clock_alone(patch: Patch) -> None:
    """Take a fill for part of the opening where it is older by the clocks, whoever sent it."""

    def is_before_the_books(core: Core, report: msg.ExecutionReport) -> bool:
        opened_ts = core.state.account(report.account).opened_ts
        return not opened_ts or report.venue_ts < opened_ts

    patch.attr(reports, "is_before_the_books", is_before_the_books)
    patch.attr(reconcile, "is_before_the_books", is_before_the_books)


def value_by_the_mark_alone(patch: Patch) -> None:
    patch.attr(Exposure, "dearest", Exposure.mark)


def believe_any_parent(patch: Patch) -> None:
    """Give an order that is taken on to whoever has its parent's number, or gets it."""

    def parent_of(_core: Core, _report: msg.ExecutionReport, owner: Owner) -> ParentId:
        return ParentId(str(owner.parent) if owner.parent else "")

    patch.attr(strangers, "_parent_of", parent_of)


def adopt_no_strangers(patch: Patch) -> None:
    patch.attr(reports, "meet_stranger", lambda _core, _report: None)


def act_on_wishes_under_one_intent(patch: Patch) -> None:
    patch.attr(wish_folds, "_count_intent", lambda _state, _intent_id: None)


def count_open_orders_for_nothing(patch: Patch) -> None:
    _leaves(patch, lambda order, qty: ZERO if order.role is OrderRole.ENTRY else qty)


def believe_every_size(patch: Patch) -> None:
    patch.attr(reports, "is_size_known", lambda *_, **__: True)


def begin_books_that_move(patch: Patch) -> None:
    def at_once(_: Core, snapshot: msg.VenueSnapshot) -> int:
        return snapshot.sure_ts or snapshot.asked_ts

    patch.attr(beginning, "_begins_at", at_once)
    # Most of what that does wrong is put right behind it.
    patch.attr(comparing, "is_of_the_first_look", lambda *_: False)


def take_no_settlement_at_its_word(patch: Patch) -> None:
    """Book what the ledger says, and keep the position."""
    patch.attr(comparing, "take_settled", lambda _core, _snapshot: None)


def take_requests_for_signs_of_life(patch: Patch) -> None:
    """Put off the time at which an order may be gone whenever something is asked of it."""
    patch.attr(Order, "known_ts", property(lambda order: order.updated_ts))


def know_nothing_isolated(patch: Patch) -> None:
    """Let the whole account stand for a position that somebody isolated."""
    patch.attr(Core, "isolate", lambda _self, _key, _wallet: None)
    patch.attr(SettingsAtHand, "share", 1.0)
