"""The list of mutants. Each must be noticed; the first twelve are those of the protocol's table."""

from __future__ import annotations

from . import accounts, engine, feeds, read, roads, shells
from .parts import PARTS
from .patching import Known, Mutant

BOOKS = ("at rest", "one booking per trade", "fold", "crash")
HEARD = ("heard", "at rest")
APART = ("its own account", "at rest", "stops", "new risk")
LIMITS = ("limits",)
LOST = ("stream", "request", "road")
PAIR = (Known(83, 40.0, accounts=2),)
"""A run with two accounts."""

MUTANTS = (
    Mutant("trade-id dedupe", engine.forget_trade_ids, BOOKS),
    Mutant(
        "intent before the send",
        shells.send_before_the_journal,
        ("at rest", "facts first", "fold"),
        ("kill",),
    ),
    Mutant(
        "a time-out is no failure",
        engine.take_a_time_out_for_a_failure,
        ("absent", "one order per intent", "at rest", "worst case"),
        LOST,
    ),
    Mutant(
        "no second id in doubt", engine.try_again_under_a_new_id, ("one order per intent",), LOST
    ),
    Mutant(
        "absent only past the fence",
        engine.believe_not_found_at_once,
        ("absent", "one order per intent", "at rest"),
        LOST,
    ),
    Mutant("missed fills are fetched", engine.fetch_no_missed_fills, BOOKS, LOST),
    Mutant("the cursor overlaps", engine.move_the_cursor_to_the_present, BOOKS, LOST),
    Mutant(
        "doubt keeps its reserve",
        engine.free_what_is_in_doubt,
        ("worst case",),
        ("fog", "cut_early"),
    ),
    Mutant(
        "an end waits for its fills",
        engine.end_orders_before_their_fills,
        ("end before fills", "worst case"),
        ("fog", "stream"),
    ),
    Mutant(
        "an amendment reserves its larger side",
        engine.free_the_larger_side_of_an_amendment,
        ("worst case",),
        ("fog", "cut_early", "delay"),
        400,
    ),
    Mutant("the audit", shells.audit_nothing, ("at rest", "stops"), LOST),
    Mutant(
        "the fence is measured at the question",
        engine.measure_the_fence_at_the_answer,
        ("absent", "one order per intent", "at rest"),
        ("fog", "cut_early", "delay_answer"),
        400,
    ),
    Mutant(
        "silence is doubted",
        engine.never_doubt_what_is_not_answered,
        ("at rest",),
        known=(Known(881, 42),),
    ),
    Mutant("entries in RUNNING alone", engine.trade_outside_running, ("new risk",)),
    Mutant("the kill switch", engine.trade_under_the_kill_switch, ("new risk",)),
    Mutant("limits", engine.check_no_limit, ("worst case", "new risk", "limits")),
    Mutant("what only closes is reduce-only", engine.let_what_closes_open, ("new risk", "limits")),
    Mutant("open orders count", engine.count_open_orders_for_nothing, ("worst case",)),
    Mutant("stops are placed", engine.place_no_stops, ("stops", "at rest")),
    Mutant("one stop for each parent", engine.leave_old_stops, ("at rest", "absent")),
    Mutant(
        "ids are used once",
        engine.use_ids_again,
        ("one order per id", "at rest", "one order per intent", "facts first", "crash"),
        ("kill",),
    ),
    Mutant("the journal remembers everything", engine.remember_beside_the_journal, ("fold",)),
    Mutant("profit is booked once", engine.count_profit_twice, BOOKS),
    Mutant("fees are exact", engine.round_fees, BOOKS),
    Mutant("funding is booked", engine.book_no_funding, BOOKS, ("market",)),
    Mutant(
        "what a turn opened is its entry's",
        engine.leave_to_nobody_what_a_turn_opened,
        ("at rest",),
        ("stream", "request"),
        known=(Known(15_004_026, 18), Known(12_320_019, 18), Known(12_320_047, 18)),
    ),
    Mutant("strangers are taken on", engine.adopt_no_strangers, ("at rest",)),
    Mutant(
        "commit before the send",
        shells.send_before_the_commit,
        ("at rest", "facts first", "fold", "one order per id"),
        ("kill",),
    ),
    Mutant(
        "a failed shell stops",
        shells.go_on_after_a_failure,
        ("fold", "at rest", "facts first", "one order per intent", "crash"),
        ("kill", "disk"),
    ),
    Mutant(
        "unknown is not refused",
        shells.take_the_unknown_for_refused,
        ("absent", "at rest", "one order per intent", "worst case"),
        ("request",),
    ),
    Mutant(
        "nothing in doubt is resent",
        shells.send_again_what_is_in_doubt,
        ("one order per id", "at rest", "one order per intent", "absent"),
        ("request",),
    ),
    Mutant(
        "conditional orders are listed",
        shells.forget_the_second_endpoint,
        ("at rest", "stops"),
        ("kill", "road"),
    ),
    Mutant(
        "requests keep their time",
        shells.stamp_requests_anew,
        ("absent", "one order per intent", "at rest"),
        LOST,
        400,
    ),
    Mutant(
        "the tail behind a snapshot is folded",
        shells.recover_from_an_empty_state,
        ("fold", "at rest", "crash"),
        ("kill",),
    ),
    Mutant("commits are synced", shells.sync_nothing, ("durable",), ("kill",)),
    Mutant("an epoch is synced", shells.give_an_epoch_out_unsynced, ("durable",), ("kill",)),
    Mutant(
        "no epoch comes twice",
        shells.count_epochs_by_the_journal_alone,
        ("one order per id",),
        known=(Known(60_400_119, 18),),
    ),
    Mutant(
        "one owner writes",
        shells.let_two_owners_write,
        ("fold", "crash", "facts first", "at rest", "run"),
        ("zombie",),
    ),
    Mutant("torn facts are set aside", shells.leave_a_torn_tail, ("at rest",), ("kill",)),
    Mutant(
        "nothing is handled before the epoch",
        shells.handle_before_the_epoch_begins,
        ("facts first", "fold", "one order per id", "one order per intent", "at rest", "crash"),
        known=(Known(8_004_692, 18),),
    ),
    Mutant(
        "own fills are booked whatever the clock says",
        engine.go_by_the_venues_clock_alone,
        BOOKS,
        known=(Known(8_009_783, 18),),
    ),
    Mutant(
        "limits go by the dearer price",
        engine.value_by_the_mark_alone,
        ("worst case",),
        known=(Known(11_000_806, 18),),
    ),
    Mutant(
        "no parent adopts what came before it",
        engine.believe_any_parent,
        ("stops", "at rest"),
        known=(Known(10_003_577, 18),),
    ),
    Mutant(
        "a size is learned before it is booked past",
        engine.believe_every_size,
        ("at rest", "crash"),
        known=(Known(30_006_985, 12, ("power_cut",)),),
    ),
    Mutant(
        "books are begun at rest",
        engine.begin_books_that_move,
        ("at rest", "needless"),
        known=(Known(28_942_216, 18),),
    ),
    Mutant(
        "no fill before its order has a name",
        shells.book_what_nobody_names,
        ("at rest",),
        known=(Known(32_027_052, 18),),
    ),
    Mutant("a trade comes once", feeds.show_what_is_repeated, HEARD, (), needs_feed=True),
    Mutant(
        "what was shown is not shown again",
        feeds.forget_what_was_shown,
        HEARD,
        ("replayed_frames",),
        needs_feed=True,
    ),
    Mutant(
        "a venue may count anew",
        feeds.believe_no_new_count,
        HEARD,
        ("exchange_restart",),
        needs_feed=True,
    ),
    Mutant(
        "a lost market is asked for again",
        feeds.ask_for_nothing_anew,
        HEARD,
        ("market_cut",),
        needs_feed=True,
    ),
    Mutant(
        "a silent market is doubted",
        feeds.trust_in_silence,
        HEARD,
        ("market_silent",),
        needs_feed=True,
    ),
    Mutant(
        "a deaf connection is told",
        feeds.believe_the_deaf,
        ("heard",),
        ("feed", "exchange"),
        needs_feed=True,
        known=(Known(20_000_757, 18, ("feed", "exchange")),),
    ),
    Mutant(
        "a lost market is told", feeds.tell_no_loss, ("heard",), ("market_cut",), needs_feed=True
    ),
    Mutant(
        "missing marks are told",
        feeds.miss_no_marks,
        ("heard",),
        ("marks_missing",),
        needs_feed=True,
    ),
    Mutant(
        "missing trades are told",
        feeds.tell_no_gap,
        ("heard",),
        known=(Known(1_783, 18),),
    ),
    Mutant(
        "no entry where the market is cut off",
        feeds.trade_on_what_is_cut_off,
        ("heard",),
        ("feed",),
        needs_feed=True,
    ),
    Mutant("a part of a bar is none", feeds.show_parts_of_bars, HEARD, needs_feed=True),
    Mutant(
        "a bar has each of its trades", feeds.leave_out_what_closes_a_bar, HEARD, needs_feed=True
    ),
    Mutant("a stop is tried again", engine.close_at_any_refusal, ("needless",), LOST),
    Mutant(
        "the margin is spent before it is saved",
        engine.close_long_before_the_margin_is_used_up,
        ("needless",),
    ),
    Mutant(
        "a settlement is taken at its word",
        engine.take_no_settlement_at_its_word,
        ("at rest",),
        known=(Known(20_000_183, 40),),
    ),
    Mutant(
        "what we ask for is no sign of life",
        engine.take_requests_for_signs_of_life,
        ("at rest",),
        known=(Known(20_005_146, 40),),
    ),
    Mutant("settings are read", shells.read_no_settings, ("at rest",), LOST),
    Mutant("what is isolated is known", engine.know_nothing_isolated, ("at rest",), LOST),
    Mutant("each account's own venue", accounts.send_all_to_the_main_venue, APART, known=PAIR),
    Mutant(
        "each account's own reports",
        accounts.hear_all_as_of_the_main_account,
        APART,
        known=PAIR,
    ),
    Mutant(
        "each account is audited", accounts.audit_the_main_account_alone, APART, LOST, known=PAIR
    ),
    # What was found by reading, and the limits that no oracle minded.
    Mutant("orders are counted", read.count_no_orders, LIMITS, known=(Known(12_350_049, 18),)),
    Mutant("exposure is bounded", read.bound_no_exposure, LIMITS, known=(Known(12_350_002, 18),)),
    Mutant("losses are bounded", read.bear_any_loss, LIMITS, known=(Known(12_353_721, 18),)),
    Mutant("pace is bounded", read.hurry, LIMITS, known=(Known(12_350_002, 18),)),
    Mutant(
        "limits hold over all accounts",
        read.look_at_one_account,
        LIMITS,
        known=(Known(12_350_093, 40, accounts=2),),
    ),
    Mutant(
        "no answer is unknown",
        read.take_no_answer_for_done,
        ("answered",),
        known=(Known(12_351_138, 18),),
    ),
    Mutant(
        "an end is no success",
        read.take_any_end_for_done,
        ("answered",),
        known=(Known(12_350_557, 18),),
    ),
    Mutant(
        "what never arrived is told",
        read.take_what_never_arrived_for_done,
        ("answered",),
        known=(Known(12_350_235, 18),),
    ),
    Mutant(
        "a request has its own orders",
        read.count_stops_for_a_request,
        ("answered",),
        known=(Known(12_350_079, 18),),
    ),
    Mutant(
        "what is under way is adjusted for",
        read.adjust_by_the_position_alone,
        ("answered",),
        known=(Known(12_350_003, 18),),
    ),
    Mutant(
        "a request that is repeated is one",
        read.place_again_what_is_asked_again,
        ("answered",),
        known=(Known(12_350_186, 18),),
    ),
    Mutant(
        "a cancel that was too early is asked for again",
        read.forget_a_cancel_that_was_too_early,
        ("answered",),
        known=(Known(12_352_567, 18),),
    ),
    Mutant(
        "an API that is deaf is left",
        read.trust_in_an_open_api,
        ("answered",),
        known=(Known(12_350_221, 18),),
    ),
    Mutant(
        "no amendment goes past its own stop",
        read.amend_past_its_own_stop,
        ("sides",),
        known=(Known(12_350_296, 18),),
    ),
    Mutant(
        "stops are judged by where an order fills",
        read.judge_stops_by_the_limit,
        ("sides",),
        known=(Known(12_350_007, 18),),
    ),
    Mutant(
        "what is closed is not opened again",
        read.leave_the_rest_of_a_closed_entry,
        ("sides",),
        known=(Known(12_350_081, 24),),
    ),
    Mutant(
        "strangers are told of once",
        read.tell_of_each_stranger,
        ("alarms",),
        known=(Known(12_350_013, 18),),
    ),
    Mutant(
        "a refused close is told of once",
        read.tell_of_each_refused_close,
        ("alarms",),
        known=(Known(12_351_166, 18),),
    ),
    Mutant(
        "a lost link is told",
        read.tell_no_link,
        ("alarms",),
        known=(Known(12_354_015, 40, ("road", "stream"), 2),),
    ),
    Mutant("a strategy is told of its last fill", read.tell_no_last_fill, ("told",)),
    Mutant(
        "settlements belong to their trades",
        read.leave_settlements_out_of_trades,
        ("ledger",),
        known=(Known(12_350_374, 18),),
    ),
    *roads.ROADS,
    *PARTS,
)
