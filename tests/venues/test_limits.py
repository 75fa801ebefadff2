from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.values import NS_PER_DAY, NS_PER_MS, NS_PER_S
from holdfast.venues.binance_futures.clock_offset import SKEW_MAX_NS, ClockOffset
from holdfast.venues.limits import (
    ARRIVAL_NS,
    FLIGHT_NS,
    HEARD_LONGER_NS,
    IN_USE,
    JITTER_NS,
    MINUTE_NS,
    TAKEN,
    Budget,
    Lateness,
    Limit,
    Urgency,
    Window,
    backoff_ns,
)

S = NS_PER_S
NOW = 1_700_000_000 * S + 17 * S  # a minute's 37th second
LIMITS = (
    Limit("weight", 2400, 60 * S),
    Limit("orders 10s", 300, 10 * S),
    Limit("orders 1m", 1200, 60 * S),
)
SMALL = (
    Limit("weight", 40, 60 * S),
    Limit("orders 10s", 10, 10 * S),
    Limit("orders 1m", 30, 60 * S),
)
CANCEL, ORDER, READ = (1, 0, 0), (0, 1, 1), (5, 0, 0)


def budget(limits=LIMITS, draw=0.0):
    return Budget(limits, lambda: draw)


def spend_all(taken, cost, urgency, now=NOW):
    count = 0
    while taken.take(cost, urgency, now) == TAKEN:
        count += 1
    return count


# Laws

costs = st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2))
asks = st.lists(
    st.tuples(st.integers(0, 4_000), costs, st.sampled_from(list(Urgency))), max_size=120
)


@given(asks)
def test_no_limit_is_exceeded_in_any_window(steps):
    taken, now, left = budget(SMALL), NOW, []
    for wait_ms, cost, urgency in steps:
        now += wait_ms * NS_PER_MS
        if taken.take(cost, urgency, now) == TAKEN:
            left.append((now, cost))

    for place, limit in enumerate(SMALL):
        for begin, _ in left:
            inside = sum(c[place] for ts, c in left if begin <= ts < begin + limit.window_ns)
            assert inside <= limit.amount


bursts = st.lists(
    st.tuples(
        st.sampled_from((0, 2_700, 9_300, 10_000)),
        st.integers(1, 12),
        st.sampled_from((0, 300, ARRIVAL_NS // NS_PER_MS)),
    ),
    max_size=8,
)


@given(bursts)
def test_no_window_of_the_venue_is_overrun_however_long_each_is_on_its_way(steps):
    """What left in two windows arrives in one: the first of them slowly, the second at once."""
    taken, now = budget(SMALL), NOW
    counted: Counter[tuple[Limit, int]] = Counter()
    for wait_ms, count, way_ms in steps:
        now += wait_ms * NS_PER_MS
        for _ in range(count):
            if taken.take((1, 1, 1), Urgency.PROTECT, now) == TAKEN:
                arrives = now + way_ms * NS_PER_MS
                counted.update((limit, arrives // limit.window_ns) for limit in SMALL)

    assert all(count <= limit.amount for (limit, _), count in counted.items())


@given(asks)
def test_who_waits_as_told_gets_through(steps):
    """The answer is never later than needed, and true where nobody else asks in between."""
    taken, now = budget(SMALL), NOW
    for wait_ms, cost, urgency in steps:
        now += wait_ms * NS_PER_MS
        due = taken.take(cost, urgency, now)
        if due != TAKEN:
            assert due > now
            assert taken.when(cost, urgency, due - 1) > due - 1
            assert taken.take(cost, urgency, due) == TAKEN
            now = due


told = st.sampled_from(["", "", "", "count", "ban", "full"])
any_costs = st.one_of(costs, st.tuples(st.integers(0, 50), st.integers(0, 12), st.just(1)))


@given(st.lists(st.tuples(st.integers(0, 4_000), any_costs, st.sampled_from(list(Urgency)), told)))
def test_what_fits_is_what_need_not_wait(steps):
    taken, now = budget(SMALL), NOW
    for wait_ms, cost, urgency, news in steps:
        now += wait_ms * NS_PER_MS
        if news == "count":
            taken.hear_count(1, 8, now)
        elif news == "ban":
            taken.hear_refusal(429, now, retry_after_s=1)
        elif news == "full":
            taken.hear_full(now, retry_after_s=1)
        assert taken.fits(cost, urgency, now) is (taken.when(cost, urgency, now) <= now)
        taken.spend(cost, now)


@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=60), st.sampled_from([0, 5]))
def test_cancels_get_through_while_new_orders_wait(waits_ms, weight):
    taken, now = budget(), NOW
    for wait_ms in waits_ms:
        now += wait_ms * NS_PER_MS
        spend_all(taken, (weight, 1, 1), Urgency.TRADE, now)

    assert taken.take((weight, 1, 1), Urgency.TRADE, now) > now
    assert taken.take(CANCEL, Urgency.PROTECT, now) == TAKEN
    assert taken.take(ORDER, Urgency.PROTECT, now) == TAKEN  # a stop or an exit


@given(
    st.integers(0, 3 * 86_400_000),
    st.lists(st.tuples(st.integers(0, 86_400_000), costs, st.sampled_from(list(Urgency)))),
)
def test_nothing_leaves_before_the_end_of_a_ban(length_ms, steps):
    taken = budget()
    end_ms = NOW // NS_PER_MS + length_ms
    text = f"Way too many requests; IP banned until {end_ms}. Please use the websocket."
    until = taken.hear_refusal(418, NOW, text=text)
    now = NOW
    for wait_ms, cost, urgency in steps:
        now += wait_ms * NS_PER_MS
        due = taken.take(cost, urgency, now)
        if now <= end_ms * NS_PER_MS:
            assert due > end_ms * NS_PER_MS
    assert end_ms * NS_PER_MS < until <= (end_ms + 1) * NS_PER_MS + HEARD_LONGER_NS


# Urgencies


def test_each_urgency_leaves_room_to_the_more_urgent():
    taken = budget()
    reads = spend_all(taken, CANCEL, Urgency.READ)
    audits = spend_all(taken, CANCEL, Urgency.AUDIT)
    trades = spend_all(taken, CANCEL, Urgency.TRADE)
    protections = spend_all(taken, CANCEL, Urgency.PROTECT)

    assert reads == int(2400 * IN_USE * 0.6)
    assert audits > 300
    assert trades > 200
    assert protections > 300
    assert reads + audits + trades + protections == int(2400 * IN_USE)


def test_what_an_order_costs_is_taken_of_all_limits_or_of_none():
    taken = budget(SMALL)
    spend_all(taken, ORDER, Urgency.TRADE)
    before = taken.used(NOW)
    assert taken.take((3, 1, 1), Urgency.TRADE, NOW) != TAKEN

    assert taken.used(NOW) == before


def test_asking_when_takes_nothing():
    taken = budget()
    assert taken.when(READ, Urgency.READ, NOW) == NOW

    assert set(taken.used(NOW).values()) == {0}


def test_a_request_dearer_than_its_share_waits_for_an_empty_window():
    taken = budget(SMALL)
    taken.take((1, 0, 0), Urgency.READ, NOW)

    assert taken.take((38, 0, 0), Urgency.READ, NOW) == NOW + 60 * S + ARRIVAL_NS
    assert taken.take((38, 0, 0), Urgency.READ, NOW + 60 * S + ARRIVAL_NS) == TAKEN


# The venue's word


def test_retry_after_is_honoured_to_the_second():
    taken = budget()
    taken.hear_refusal(429, NOW, retry_after_s=7)

    assert taken.take(CANCEL, Urgency.PROTECT, NOW + 7 * S - 1) == NOW + 7 * S
    assert taken.take(CANCEL, Urgency.PROTECT, NOW + 7 * S) == TAKEN


def test_a_429_without_a_time_waits_for_the_next_full_minute():
    taken = budget()
    until = taken.hear_refusal(429, NOW)

    assert until == (NOW // MINUTE_NS + 1) * MINUTE_NS + HEARD_LONGER_NS
    assert taken.when(CANCEL, Urgency.PROTECT, NOW) == until


@given(st.integers(0, SKEW_MAX_NS), st.integers(0, 10**12))
def test_nothing_leaves_early_where_our_clock_is_ahead(ahead, after):
    """Who knocks before the end by the venue's clock is refused anew, and banned for longer."""
    venue = NOW + after
    minute, ten = ((venue // each + 1) * each for each in (MINUTE_NS, 10 * S))
    ban_ms = venue // NS_PER_MS + 5_000
    ours = venue + ahead
    banned = budget().hear_refusal(418, ours, text=f"IP banned until {ban_ms}.")

    assert budget().hear_refusal(429, ours) - ahead >= minute
    assert budget().hear_full(ours) - ahead >= ten
    assert banned - ahead > ban_ms * NS_PER_MS


@given(st.integers(-2 * MINUTE_NS, 2 * MINUTE_NS), st.integers(0, 10**12))
def test_a_clock_whose_error_is_known_waits_as_long_as_the_venue_says(ahead, after):
    venue = NOW + after
    ban_ms = venue // NS_PER_MS + 5_000
    text = f"IP banned until {ban_ms}."
    until = budget().hear_refusal(418, venue + ahead, text=text, late=Lateness(ahead, ahead))

    assert until - ahead == (ban_ms + 1) * NS_PER_MS
    minute = budget().hear_refusal(429, venue + ahead, late=Lateness(ahead, ahead)) - ahead
    assert minute % MINUTE_NS == 0
    assert minute > venue


@given(
    st.integers(-20 * MINUTE_NS, 20 * MINUTE_NS),
    st.integers(0, SKEW_MAX_NS // 2),
    st.integers(-100, 100),
    st.integers(0, 10**12),
)
def test_windows_end_by_the_venues_clock_however_far_off_ours_is(ahead, error, share, after):
    """A minute behind a step of this machine's clock, stops and cancels stood still for as long."""
    venue = NOW + after
    ours, measured = venue + ahead, ahead + error * share // 100
    late = Lateness(measured - error, measured + error)
    minute, ten = ((venue // each + 1) * each for each in (MINUTE_NS, 10 * S))
    is_plain = (venue + 2 * error) // (10 * S) == venue // (10 * S)
    counted = budget()
    counted.hear_count(0, 2390, ours, late=late)

    for until, over, length in (
        (budget().hear_refusal(429, ours, late=late), minute, MINUTE_NS),
        (budget().hear_full(ours, late=late), ten, 10 * S),
        (counted.when(CANCEL, Urgency.PROTECT, ours), minute, MINUTE_NS),
    ):
        assert over <= until - ahead <= over + 2 * error + (0 if is_plain else length)


@given(
    st.integers(-20 * MINUTE_NS, 20 * MINUTE_NS),
    st.integers(0, SKEW_MAX_NS),
    st.integers(0, SKEW_MAX_NS),
)
def test_a_clock_that_was_compared_is_late_by_what_it_was_and_what_the_way_took(ahead, there, back):
    offset, venue = ClockOffset(), NOW
    offset.hear(venue - there + ahead, venue + back + ahead, venue // NS_PER_MS)
    least, most = offset.late

    assert most == HEARD_LONGER_NS if not offset.is_sure else least <= ahead <= most
    assert most - least <= there + back + 2 * NS_PER_MS


def test_a_ban_that_never_ends_is_not_believed():
    until = budget().hear_refusal(418, NOW, text="IP banned until 9999999999999.")

    assert until == NOW + 3 * NS_PER_DAY + HEARD_LONGER_NS


def test_a_ban_without_an_end_lasts_two_minutes():
    assert budget().hear_refusal(418, NOW) == NOW + 120 * S


def test_the_later_of_two_ends_holds():
    taken = budget()
    ban = taken.hear_refusal(418, NOW, retry_after_s=300)

    assert taken.hear_refusal(429, NOW + S, retry_after_s=1) == ban
    text = f"IP banned until {NOW // NS_PER_MS + 900_000}."
    assert taken.hear_refusal(418, NOW, retry_after_s=1, text=text) > NOW + 900 * S


def test_too_many_orders_hold_back_orders_alone():
    taken = budget()
    until = taken.hear_full(NOW, "Too many new orders; current limit is 300 orders per 10 SECOND.")

    assert until == NOW // (10 * S) * 10 * S + 10 * S + HEARD_LONGER_NS
    assert taken.take(ORDER, Urgency.PROTECT, NOW) >= until
    assert taken.take(CANCEL, Urgency.PROTECT, NOW) == TAKEN
    minute = taken.hear_full(NOW, "current limit is 1200 orders per MINUTE.")
    assert minute == (NOW // MINUTE_NS + 1) * MINUTE_NS + HEARD_LONGER_NS
    assert taken.when(ORDER, Urgency.TRADE, NOW) == minute


def test_what_others_use_is_counted_until_the_venues_window_is_over():
    taken = budget()
    taken.hear_count(0, 2390, NOW)
    over = (NOW // MINUTE_NS + 1) * MINUTE_NS + HEARD_LONGER_NS

    assert taken.take(CANCEL, Urgency.PROTECT, NOW) == over
    assert taken.take(CANCEL, Urgency.PROTECT, over - 1) == over
    assert taken.take(CANCEL, Urgency.PROTECT, over) == TAKEN


def test_what_we_used_ourselves_is_not_counted_again_when_the_venue_tells_it():
    taken = budget()
    spend_all(taken, CANCEL, Urgency.READ)
    ours = taken.used(NOW)["weight"]
    taken.hear_count(0, ours + 10, NOW + S)
    taken.hear_count(0, ours + 10, NOW + 2 * S)
    taken.hear_count(0, ours - 50, NOW + 3 * S)  # an answer that was overtaken

    assert taken.used(NOW + 3 * S)["weight"] == ours + 10
    assert taken.used(NOW + 30 * S)["weight"] == ours  # a new minute of the venue's
    assert taken.used(NOW + 60 * S + ARRIVAL_NS)["weight"] == 0


def test_what_the_venue_has_told_counts_until_its_window_ends_though_our_own_is_over():
    """Ours of the minute before hid what others used in this one, and was then forgotten."""
    taken = budget(SMALL)
    taken.spend((20, 0, 0), NOW)
    taken.hear_count(0, 30, NOW + 28 * S)  # the next minute's 5th second
    assert taken.used(NOW + 59 * S)["weight"] == 30

    taken.spend((2, 0, 0), NOW + 61 * S)
    assert taken.used(NOW + 62 * S)["weight"] == 32
    assert taken.when((5, 0, 0), Urgency.TRADE, NOW + 62 * S) == NOW + 83 * S + HEARD_LONGER_NS
    assert taken.used(NOW + 83 * S + HEARD_LONGER_NS)["weight"] == 2


def test_a_count_of_the_window_before_does_not_hold_back_this_one():
    """Its answer was on its way while the minute ended: a cancel waited for the whole next one."""
    taken, asked_ts = budget(), NOW + 22 * S + 900 * NS_PER_MS
    over = NOW + 23 * S + HEARD_LONGER_NS
    taken.hear_count(0, 2390, asked_ts + 200 * NS_PER_MS, asked_ts=asked_ts)
    assert taken.when(CANCEL, Urgency.PROTECT, over - 1) == over
    taken.hear_count(0, 2391, over + S, asked_ts=asked_ts)

    assert taken.take(CANCEL, Urgency.PROTECT, over + S) == TAKEN


def test_a_count_holds_until_the_window_ends_by_the_venues_clock():
    """Ours is 3 s behind: what is told behind its full minute is of the next one."""
    taken, late_ns = budget(), -3 * S
    at = NOW + 21 * S  # the minute's 58th second by ours, the next one's first by the venue's
    taken.hear_count(0, 2390, at, late=Lateness(late_ns, late_ns))

    assert taken.when(CANCEL, Urgency.PROTECT, at) == NOW + 83 * S + late_ns


def test_an_answer_that_was_overtaken_says_nothing_though_the_clock_was_measured_anew():
    taken, known = budget(), Lateness(0, 10 * NS_PER_MS)
    taken.hear_count(0, 2000, NOW, late=Lateness(0, 0))
    taken.hear_count(0, 50, NOW + S, late=known)
    assert taken.used(NOW + S)["weight"] == 2000

    taken.hear_count(0, 50, NOW + 24 * S, late=known)  # of the next minute
    assert taken.used(NOW + 24 * S)["weight"] == 50


def test_a_count_beyond_the_limit_is_not_believed():
    """It counts more than a window, or the limit is larger than was told; else it would refuse."""
    taken = budget()
    taken.hear_count(0, 2401, NOW)
    taken.hear_count(1, 5000, NOW)

    assert set(taken.used(NOW).values()) == {0}
    assert taken.take(CANCEL, Urgency.PROTECT, NOW) == TAKEN


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 40)), max_size=40))
def test_what_is_counted_is_never_less_than_what_the_venue_said_last(steps):
    taken, now = budget(SMALL), NOW
    for wait_ms, count in steps:
        now += wait_ms * NS_PER_MS
        taken.take(READ, Urgency.READ, now)
        taken.hear_count(0, count, now)
        assert taken.used(now)["weight"] >= count
        due = taken.when(CANCEL, Urgency.PROTECT, now)
        assert due <= now + MINUTE_NS + HEARD_LONGER_NS
        if due > now:
            assert taken.when(CANCEL, Urgency.PROTECT, due) == due


def test_another_limit_of_the_venue_takes_effect():
    taken = budget()
    taken.hear_limit(0, 6000)
    assert spend_all(taken, CANCEL, Urgency.PROTECT) == int(6000 * IN_USE)

    taken.hear_limit(0, 0)
    assert taken.used(NOW)["weight"] == int(6000 * IN_USE)


# Those who wait


@given(st.floats(0, 1, exclude_max=True))
def test_those_who_wait_are_spread_and_never_early(draw):
    taken = budget(draw=draw)
    taken.hear_refusal(429, NOW, retry_after_s=7)

    due = taken.take(CANCEL, Urgency.PROTECT, NOW)
    assert NOW + 7 * S <= due < NOW + 7 * S + JITTER_NS
    assert due == NOW + 7 * S + int(draw * JITTER_NS)


def test_one_read_of_a_kind_is_on_its_way():
    taken = budget()
    assert taken.begin("snapshot", NOW)
    assert not taken.begin("snapshot", NOW + S)
    assert taken.begin("time", NOW)

    taken.end("snapshot")
    assert taken.begin("snapshot", NOW + S)
    assert taken.begin("snapshot", NOW + S + FLIGHT_NS)  # the last one was lost
    taken.end("never begun")


def test_waits_double_and_differ():
    assert [backoff_ns(200, n, lambda: 0.0) for n in range(3)] == [200, 400, 800]
    assert backoff_ns(200, 1, lambda: 0.999) == pytest.approx(500, abs=1)


def test_a_cost_of_another_shape_is_our_bug():
    with pytest.raises(ValueError, match="zip"):
        budget().take((1,), Urgency.READ, NOW)


def test_a_ban_is_remembered_however_often_another_address_is_refused():
    banned, other = Window(LIMITS[0]), Window(LIMITS[0])
    known = weakref.ref(banned)
    Budget(LIMITS[:1], lambda: 0.0, banned).hear_refusal(418, NOW)
    for _ in range(20):
        Budget(LIMITS[:1], lambda: 0.0, other).hear_refusal(429, NOW)
    del banned
    gc.collect()

    assert known() is not None
