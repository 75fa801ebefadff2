"""Whole runs: the product in a hostile world, judged at the venue's side."""

from __future__ import annotations

import pytest

from holdfast.simulation.bourse import OTHER
from holdfast.simulation.events import strike
from holdfast.simulation.faults import chosen
from holdfast.simulation.run import play
from holdfast.simulation.spec import Spec
from holdfast.simulation.world import World

SECOND_IS_STRUCK = (
    (12_074_004, "settings_at_hand"),
    (12_074_014, "settings_at_hand"),
    (12_074_072, "hard_times"),
    (12_074_081, "heritage"),
)


def test_a_quiet_hour_hand_has_nothing_to_hide():
    verdict = play(Spec(seed=1, storm_s=40, kinds=frozenset()))

    assert verdict.violations == ()
    assert verdict.fills > 10


@pytest.mark.parametrize("seed", range(10))
def test_no_order_is_lost_or_doubled_in_a_storm(seed):
    verdict = play(Spec(seed=seed, storm_s=40))

    assert verdict.violations == ()


def test_orders_by_hand_while_a_process_starts_take_no_ids_of_the_owner_before():
    # The power was cut, the tail of the journal lost: an id of the epoch before was given again.
    assert play(Spec(seed=8_004_692, storm_s=18)).violations == ()


def test_an_order_whose_parent_a_power_cut_took_fills_no_other_parent_of_its_number():
    assert play(Spec(seed=10_003_577, storm_s=18)).violations == ()


def test_a_frame_that_was_bent_before_it_was_dropped_tells_nothing():
    assert play(Spec(seed=10_077_892, storm_s=18)).violations == ()


def test_a_fill_whose_order_is_not_listed_yet_is_booked_under_its_name():
    # Its number was all that was known: the order waited for ever for what was booked under it.
    assert play(Spec(seed=10_077_045, storm_s=18)).violations == ()


def test_a_process_that_froze_in_its_start_is_not_judged_by_what_its_successor_wrote():
    assert play(Spec(seed=12_121_025, storm_s=18)).violations == ()


def test_what_an_amendment_filled_that_a_power_cut_took_is_booked():
    kinds = frozenset({"power_cut"})
    assert play(Spec(seed=30_006_985, storm_s=12, kinds=kinds)).violations == ()


def test_books_are_not_begun_with_a_balance_that_moved_while_it_was_read():
    assert play(Spec(seed=40_000_473, storm_s=18)).violations == ()


def test_what_a_stranger_filled_stays_known_to_the_judge_when_the_process_is_gone():
    kinds = frozenset({"power_cut"})
    assert play(Spec(seed=30_070_504, storm_s=12, kinds=kinds)).violations == ()


@pytest.mark.parametrize(
    "seed",
    [30_040_278, 30_045_529, 30_089_445, 30_091_266],
    ids=["books", "in part", "instant", "held back"],
)
def test_a_beginning_and_an_order_that_a_power_cut_took_in_the_midst_are_made_good(seed):
    kinds = frozenset({"power_cut"})
    assert play(Spec(seed=seed, storm_s=12, kinds=kinds)).violations == ()


def test_whatever_happened_while_the_machine_was_off_for_long_is_made_good(monkeypatch):
    monkeypatch.setattr("holdfast.simulation.absence.ABSENT", 1.0)
    verdict = play(Spec(seed=52_000_001, storm_s=18))

    assert (verdict.fired["machine_off"], verdict.violations) == (1, ())


def test_what_a_zombie_wishes_is_not_judged_by_where_its_successor_is():
    assert play(Spec(seed=10_044_186, storm_s=18, accounts=1)).violations == ()


@pytest.mark.parametrize(
    "seed", [8_007_444, 11_000_790, 30_060_016], ids=["unheard", "heard", "just heard"]
)
def test_what_a_stranger_filled_is_no_order_of_ours_past_its_limit(seed):
    assert play(Spec(seed=seed, storm_s=18, accounts=1)).violations == ()


def test_what_an_order_of_a_lost_journal_fills_is_known_once_its_execution_is_listed():
    assert play(Spec(seed=14_110_929, storm_s=18)).violations == ()


def test_a_price_that_jumps_behind_an_order_makes_it_no_larger_than_it_was_judged():
    assert play(Spec(seed=9_000_427, storm_s=18)).violations == ()


def test_a_session_whose_ticks_fall_on_the_looks_at_it_comes_to_rest():
    assert play(Spec(seed=13_013_348, storm_s=18)).violations == ()


@pytest.mark.parametrize("seed", [13_010_845, 13_014_684, 13_014_822])
def test_entries_of_another_account_and_settlements_are_not_a_strategys_to_be_told(seed):
    assert play(Spec(seed=seed, storm_s=18)).violations == ()


def test_a_target_that_is_refused_for_good_keeps_no_session_from_ending():
    assert play(Spec(seed=13_012_780, storm_s=18)).violations == ()


def test_a_stop_between_the_last_price_and_the_middle_of_the_book_is_not_passed():
    assert play(Spec(seed=16_001_602, storm_s=18)).violations == ()


def test_a_kill_that_flattens_closes_what_the_end_of_a_session_kept():
    assert play(Spec(seed=17_003_907, storm_s=18)).violations == ()


def test_what_is_heard_while_books_are_begun_counts_in_the_limits_of_what_follows():
    assert play(Spec(seed=18_008_602, storm_s=18)).violations == ()


def test_equal_transfers_one_after_the_other_are_no_difference_that_stays():
    assert play(Spec(seed=18_012_150, storm_s=18)).violations == ()


def test_a_request_that_a_full_disk_lost_has_not_sent_what_has_its_number():
    assert play(Spec(seed=18_018_801, storm_s=18)).violations == ()


def test_fills_behind_the_opening_are_booked_though_the_venues_clock_was_set_back():
    assert play(Spec(seed=18_019_605, storm_s=18)).violations == ()


def test_what_a_killed_process_wrote_and_did_not_tell_is_known_to_the_next():
    assert play(Spec(seed=18_019_739, storm_s=18)).violations == ()


def test_what_strangers_lost_unheard_limits_no_order():
    assert play(Spec(seed=18_022_011, storm_s=18)).violations == ()


def test_a_missing_stop_that_was_told_is_told_though_what_is_held_changes():
    assert play(Spec(seed=18_045_423, storm_s=18)).violations == ()


def test_a_stop_that_goes_while_nobody_can_look_is_told_of_by_books_unread():
    assert play(Spec(seed=18_048_527, storm_s=18)).violations == ()


def test_trades_of_an_exchange_that_counts_anew_are_heard_at_once():
    assert play(Spec(seed=18_050_474, storm_s=18)).violations == ()


def test_a_lost_order_of_another_prefix_is_no_strategys_to_be_told_of():
    assert play(Spec(seed=18_051_050, storm_s=18)).violations == ()


def test_a_breaker_that_opens_and_closes_by_turns_is_no_alarm_each_time():
    assert play(Spec(seed=18_200_721, storm_s=18)).violations == ()


def test_small_transfers_that_are_unheard_limit_no_order():
    assert play(Spec(seed=18_205_258, storm_s=18)).violations == ()


def test_a_stop_that_goes_on_is_told_of_at_each_start_that_cuts_it_off():
    assert play(Spec(seed=18_215_018, storm_s=18)).violations == ()


def test_what_a_power_cut_kept_from_the_journal_is_no_message():
    assert play(Spec(seed=18_308_301, storm_s=18)).violations == ()


@pytest.mark.parametrize(
    "seed",
    [19_010_593, 19_010_577, 19_011_771, 19_021_502],
    ids=["a mark far off", "a withdrawal", "a stranger's trade closed", "a liquidation"],
)
def test_no_limit_is_passed_where_an_account_seems_richer_or_is_moved_unheard(seed):
    assert play(Spec(seed=seed, storm_s=18)).violations == ()


def test_what_a_stranger_traded_in_the_millisecond_in_which_books_are_begun_is_in_them():
    """The exchange tells times in milliseconds, and the judge had its nanoseconds."""
    assert play(Spec(seed=21_101_106, storm_s=18, accounts=2)).violations == ()


def test_what_a_zombie_tells_its_own_strategy_is_not_due_in_the_life_that_follows():
    assert play(Spec(seed=19_038_232, storm_s=18)).violations == ()


def test_a_good_answer_between_failures_begins_a_new_row_of_them():
    assert play(Spec(seed=18_722_306, storm_s=18)).violations == ()


def test_a_contract_that_ends_is_told_of_at_each_start():
    assert play(Spec(seed=18_718_701, storm_s=18)).violations == ()


def test_what_a_lost_journal_was_asked_for_is_asked_of_no_later_one():
    assert play(Spec(seed=18_703_984, storm_s=18)).violations == ()


@pytest.mark.parametrize("seed", [14_111_354, 14_122_410, 14_128_381, 18_214_029])
def test_what_the_first_look_at_an_account_trailed_halts_nothing(seed):
    assert play(Spec(seed=seed, storm_s=18)).violations == ()


def test_a_cancel_whose_refusal_a_full_disk_kept_from_the_record_is_not_told_as_done():
    assert play(Spec(seed=18_502_831, storm_s=18)).violations == ()


def test_a_late_entry_takes_nothing_from_a_turn_that_came_behind_it():
    assert play(Spec(seed=18_026_291, storm_s=18)).violations == ()


def test_trades_that_are_swallowed_before_the_first_leave_its_bar_out():
    assert play(Spec(seed=18_028_480, storm_s=18)).violations == ()


def test_what_others_make_of_an_order_of_ours_is_not_held_against_the_session():
    assert play(Spec(seed=13_007_801, storm_s=18)).violations == ()


def test_a_first_order_is_booked_where_our_clock_is_ahead_of_the_venues():
    # By our clock its fills were older than the books: they were taken to be in them already.
    assert play(Spec(seed=8_009_783, storm_s=18, accounts=1)).violations == ()


def test_a_mark_that_stays_wrong_for_a_second_makes_no_position_small():
    assert play(Spec(seed=11_000_806, storm_s=18, accounts=1)).violations == ()


def test_two_fills_of_one_size_that_are_listed_late_are_no_difference_seen_twice():
    assert play(Spec(seed=12_003_181, storm_s=18)).violations == ()


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_an_exchange_that_is_started_again_costs_no_order(seed):
    verdict = play(Spec(seed=seed, storm_s=30, kinds=chosen(["exchange"])))

    assert verdict.violations == ()
    assert verdict.fired["exchange_restart"] > 0
    assert verdict.fills > 0


def test_what_a_new_connection_tells_again_is_heard_once():
    assert play(Spec(seed=84, storm_s=18)).violations == ()


def test_what_a_deaf_connection_missed_behind_a_restart_of_the_exchange_is_told():
    # Nothing was known of the new count of trades, so that no number could show the gap.
    assert play(Spec(seed=20_000_757, storm_s=18)).violations == ()


def test_a_trade_of_before_the_exchange_counted_anew_is_not_taken_for_the_next_one():
    assert play(Spec(seed=23_004_004, storm_s=18)).violations == ()


def test_trades_that_a_silent_connection_kept_back_until_it_was_replaced_are_told():
    assert play(Spec(seed=192, storm_s=18)).violations == ()


def test_a_market_that_comes_over_the_exchanges_streams_is_traded_on():
    spec = Spec(seed=7, storm_s=40)
    assert World(spec, strike).has_live_feed
    assert not World(Spec(seed=3), strike).has_live_feed

    verdict = play(spec)

    assert verdict.violations == ()
    assert verdict.fills > 5


@pytest.mark.parametrize("seed", [0, 1, 3, 5, 6])  # in 2 and 4 one is cut off for nearly all of it
def test_two_accounts_of_one_session_lose_nothing(seed):
    verdict = play(Spec(seed=seed, storm_s=40, accounts=2, keeps_log=True))

    assert verdict.violations == ()
    fills = [line for line in verdict.log if "  OrderFilled " in line]
    assert any("account=second" in line for line in fills)
    assert not all("account=second" in line for line in fills)


def test_what_two_accounts_trade_with_each_other_is_a_last_price():
    assert play(Spec(seed=12_072_119, storm_s=18, accounts=2)).violations == ()


@pytest.mark.parametrize(("seed", "name"), SECOND_IS_STRUCK)
def test_adversaries_strike_the_second_account_too_and_it_is_judged(seed, name):
    world = World(Spec(seed=seed, storm_s=18, accounts=2), strike)
    assert world.accounts.victim == OTHER

    verdict = play(world.spec)
    assert verdict.violations == ()
    assert verdict.fired[name] > 0


@pytest.mark.parametrize("seed", [12_074_006, 12_074_011, 12_074_023])
def test_contracts_that_end_for_two_accounts_are_judged_on_each(seed):
    verdict = play(Spec(seed=seed, storm_s=18, accounts=2))

    assert verdict.violations == ()
    assert verdict.fired["delisting"] > 0


def test_one_seed_is_one_history():
    runs = [play(Spec(seed=3, storm_s=40)) for _ in range(2)]

    assert runs[0].head == runs[1].head
    assert runs[0].writes > 20


@pytest.mark.parametrize(
    ("seed", "storm_s"), [(12_343_925, 12), (12_370_322, 12), (12_370_721, 12), (12_410_006, 18)]
)
def test_the_judges_of_answers_sides_and_stops_mind_nothing_that_is_none(seed, storm_s):
    assert play(Spec(seed=seed, storm_s=storm_s)).violations == ()


@pytest.mark.parametrize(("seed", "storm_s"), [(12_500_881, 12), (12_712_086, 18)])
def test_fills_heard_out_of_turn_leave_no_part_of_a_position_to_nobody(seed, storm_s):
    assert play(Spec(seed=seed, storm_s=storm_s)).violations == ()


def test_an_order_before_the_first_quote_is_judged_by_what_was_known():
    assert play(Spec(seed=12_502_431, storm_s=12)).violations == ()


def test_a_stream_that_came_and_went_between_two_looks_is_down_since_that_was_heard():
    assert play(Spec(seed=19_045_271, storm_s=18)).violations == ()


def test_what_a_zombie_orders_while_its_successor_starts_is_none_of_the_successors():
    assert play(Spec(seed=19_047_329, storm_s=18)).violations == ()


def test_refusals_that_a_session_with_many_orders_has_forgotten_are_a_cause_all_the_same():
    assert play(Spec(seed=25_006_304, storm_s=18)).violations == ()


def test_settings_are_read_again_though_audits_use_up_what_questions_may():
    assert play(Spec(seed=25_017_353, storm_s=18)).violations == ()


def test_an_order_of_another_prefix_that_was_lost_with_a_journal_keeps_no_stop_from_ending():
    assert play(Spec(seed=25_023_014, storm_s=18)).violations == ()


def test_books_that_were_begun_in_a_life_that_ended_with_that_are_begun():
    assert play(Spec(seed=25_039_078, storm_s=18)).violations == ()


def test_an_alarm_that_was_not_put_on_record_was_told_to_nobody():
    assert play(Spec(seed=25_050_371, storm_s=18)).violations == ()


def test_an_order_that_filled_before_its_books_were_begun_anew_is_over():
    assert play(Spec(seed=25_074_945, storm_s=18)).violations == ()


@pytest.mark.parametrize(
    "seed",
    [25_088_330, 25_089_415, 25_092_651],
    ids=["a close unheard", "a part made larger", "a close by what was heard"],
)
def test_no_session_answers_for_what_others_did_or_what_it_could_not_hear(seed):
    assert play(Spec(seed=seed, storm_s=18)).violations == ()


def test_an_order_that_the_journal_has_kept_is_its_strategys_under_any_prefix():
    assert play(Spec(seed=27_003_131, storm_s=18)).violations == ()


def test_an_order_that_neither_journal_nor_list_shows_is_held_against_nobody():
    assert play(Spec(seed=27_206_296, storm_s=18)).violations == ()


def test_the_first_trade_behind_a_break_tells_of_no_whole_bar():
    assert play(Spec(seed=27_213_535, storm_s=18)).violations == ()


def test_a_loss_is_reckoned_by_the_last_price_heard_though_the_position_is_newer():
    assert play(Spec(seed=27_220_697, storm_s=18)).violations == ()


def test_an_exchange_that_counts_anew_tells_no_trades_of_before_again():
    assert play(Spec(seed=27_500_235, storm_s=18)).violations == ()


def test_an_execution_that_was_not_written_counts_for_no_throttle():
    assert play(Spec(seed=27_500_470, storm_s=18)).violations == ()


def test_an_entry_is_judged_by_trades_where_quotes_are_silent():
    assert play(Spec(seed=27_513_398, storm_s=18)).violations == ()


def test_a_zombie_ends_no_entry_in_parts_of_its_successor():
    assert play(Spec(seed=26_600_182, storm_s=18)).violations == ()


def test_a_price_of_minutes_ago_is_still_one_that_a_stop_was_past():
    assert play(Spec(seed=26_907_966, storm_s=18)).violations == ()


def test_an_adjustment_goes_by_what_its_own_order_did():
    assert play(Spec(seed=60_000_864, storm_s=12)).violations == ()


def test_a_cancel_by_hand_that_met_a_trigger_takes_back_what_rests():
    assert play(Spec(seed=27_610_196, storm_s=18)).violations == ()


def test_a_stop_taken_back_by_hand_in_a_ban_can_be_missed_until_the_ban_is_over():
    assert play(Spec(seed=27_718_563, storm_s=18)).violations == ()


def test_what_has_become_too_small_to_trade_is_guarded_by_what_closes_it():
    assert play(Spec(seed=27_732_759, storm_s=18)).violations == ()


def test_what_somebody_trades_beside_the_settings_was_not_known_to_a_limit():
    assert play(Spec(seed=27_739_001, storm_s=18)).violations == ()


def test_a_contract_that_was_left_out_is_guarded_by_its_terms_of_now():
    assert play(Spec(seed=27_728_884, storm_s=18)).violations == ()


def test_margin_that_a_hand_has_just_put_in_may_be_unheard_of():
    assert play(Spec(seed=27_805_635, storm_s=18)).violations == ()


def test_what_a_meddler_has_amended_to_what_is_then_refused_is_not_held_against_the_answer():
    assert play(Spec(seed=28_001_377, storm_s=18)).violations == ()


def test_of_executions_of_one_instant_the_numbers_tell_what_closed_what():
    assert play(Spec(seed=27_912_821, storm_s=18)).violations == ()


def test_a_stop_that_was_taken_away_behind_the_end_of_a_session_may_come_too_late():
    # The session had stopped and its process was about to end: the price was past the new one.
    assert play(Spec(seed=28_407_725, storm_s=18)).violations == ()


def test_a_transfer_while_the_first_look_is_on_its_way_is_counted_once():
    assert play(Spec(seed=28_410_891, storm_s=18)).violations == ()


def test_what_moves_in_a_look_of_many_seconds_with_which_books_are_begun_is_counted_once():
    assert play(Spec(seed=27_913_060, storm_s=18)).violations == ()


def test_a_finished_stop_whose_child_nobody_could_tell_of_is_not_open_again():
    assert play(Spec(seed=28_943_176, storm_s=18)).violations == ()


def test_a_loss_that_a_fill_under_way_makes_was_not_known_to_a_limit():
    assert play(Spec(seed=30_103_211, storm_s=18)).violations == ()


def test_a_write_that_died_half_way_was_promised_to_nobody():
    assert play(Spec(seed=33_017_826, storm_s=18)).violations == ()


def test_an_order_that_a_later_entry_overtook_is_judged_by_what_the_venue_had_closed_between():
    assert play(Spec(seed=33_040_168, storm_s=18)).violations == ()


def test_what_was_paid_in_unheard_backs_nothing_yet():
    assert play(Spec(seed=33_043_896, storm_s=18)).violations == ()


def test_an_order_that_a_later_entry_overtook_is_judged_so_while_that_one_rests():
    assert play(Spec(seed=33_068_709, storm_s=18)).violations == ()


def test_a_stop_that_is_gone_on_a_silent_stream_is_missed_by_the_next_audit():
    assert play(Spec(seed=33_075_051, storm_s=18)).violations == ()


def test_what_an_account_that_is_not_heard_has_gained_makes_no_refusal_wrong():
    assert play(Spec(seed=33_072_605, storm_s=18)).violations == ()


def test_what_its_strategy_turned_away_from_in_parts_has_no_next_part():
    assert play(Spec(seed=14_500_559, storm_s=18)).violations == ()


def test_the_first_bars_of_strategies_that_begin_late_wait_behind_a_hole():
    assert play(Spec(seed=33_500_195, storm_s=18)).violations == ()
