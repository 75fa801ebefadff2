"""The table of outcomes against the protocol's, code by code."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.engine.parent import NOT_OF_THE_ORDER
from holdfast.venues.binance_futures.outcome_rows import (
    CODES,
    GONE,
    LOCKED_OUT,
    MISTIMED,
    RANGES,
    UNKNOWN,
    Kind,
    Row,
)
from holdfast.venues.binance_futures.outcomes import NO_ANSWER, Ask, Then, classify
from tests.venues.binance_futures.reference import REFERENCE

MESSAGES, PROTOCOL = REFERENCE / "error_messages.json", REFERENCE / "PROTOCOL.md"
ORDER_ASKS = (Ask.SUBMIT, Ask.CANCEL, Ask.REPLACE)
EVERY = tuple(Ask)


def kinds(status, code, text="", asks=ORDER_ASKS):
    return {classify(ask, status, code, text).kind for ask in asks}


@pytest.mark.parametrize(
    ("status", "code", "text", "kind"),
    [
        (503, None, "Unknown error, please check your request or try again later.", Kind.IN_DOUBT),
        (503, -1000, "Unknown error, please check your request or try again later.", Kind.IN_DOUBT),
        (503, None, "Service Unavailable.", Kind.RETRY_LATER),
        (503, None, " service unavailable.\n", Kind.RETRY_LATER),
        (503, None, "<html>Service Unavailable.</html>", Kind.IN_DOUBT),
        (503, None, "<h1>503 Service Unavailable</h1>", Kind.IN_DOUBT),
        (503, None, "Service Unavailable", Kind.IN_DOUBT),
        (
            503,
            -1001,
            "Internal error; unable to process your request. Please try again.",
            Kind.QUERY,
        ),
        (503, None, "Internal error; unable to process your request.", Kind.QUERY),
        (
            503,
            -1008,
            "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
            Kind.RETRY_LATER,
        ),
        (503, None, "Request throttled by system-level protection.", Kind.RETRY_LATER),
        (500, None, "Request occur unknown error.", Kind.IN_DOUBT),
        (502, None, "Bad Gateway", Kind.IN_DOUBT),
        (504, None, "", Kind.IN_DOUBT),
        (500, -4999, "not documented", Kind.IN_DOUBT),
        (408, -1007, "Timeout waiting for response from backend server.", Kind.IN_DOUBT),
        (408, None, "", Kind.IN_DOUBT),
        (400, -1006, "", Kind.IN_DOUBT),
        (NO_ANSWER, None, "", Kind.IN_DOUBT),
        (301, None, "", Kind.IN_DOUBT),
    ],
)
def test_5xx_and_silence_are_told_apart(status, code, text, kind):
    assert kinds(status, code, text) == {kind}


@given(st.integers(500, 599), st.none() | st.integers(-9999, -1), st.text(max_size=40))
def test_a_5xx_that_nobody_documented_is_in_doubt(status, code, text):
    if code in CODES or text.strip().casefold().startswith("service unavailable."):
        return
    assert kinds(status, code, text) == {Kind.IN_DOUBT}


@given(st.integers(0, 599), st.none() | st.integers(-9999, 300), st.text(max_size=60))
def test_a_read_or_a_setting_is_never_in_doubt_and_an_answer_always_comes(status, code, text):
    for ask in EVERY:
        outcome = classify(ask, status, code, text)
        assert outcome.kind in Kind
        if ask in (Ask.QUERY, Ask.SETTING):
            assert outcome.kind is not Kind.IN_DOUBT


@given(st.integers(300, 599) | st.just(0), st.none() | st.integers(0, 300), st.text(max_size=60))
def test_nothing_but_a_2xx_is_a_success_without_a_code(status, code, text):
    assert Kind.TREAT_AS_SUCCESS not in kinds(status, code, text, EVERY)


@pytest.mark.parametrize("code", [None, 200, 0])
def test_a_2xx_is_a_success(code):
    assert kinds(200, code, "success", EVERY) == {Kind.TREAT_AS_SUCCESS}


def test_a_refused_entry_of_an_accepted_batch_is_refused():
    assert classify(Ask.SUBMIT, 200, -2019, "Margin is insufficient.").kind is Kind.FINAL


@pytest.mark.parametrize(
    ("ask", "status", "code", "kind"),
    [
        (Ask.SUBMIT, 400, -4116, Kind.QUERY),
        (Ask.CANCEL, 400, -2011, Kind.QUERY),
        (Ask.REPLACE, 400, -2013, Kind.QUERY),
        (Ask.QUERY, 400, -2013, Kind.FINAL),
        (Ask.CANCEL, 400, -4117, Kind.QUERY),
        (Ask.REPLACE, 400, -5027, Kind.TREAT_AS_SUCCESS),
        (Ask.REPLACE, 400, -5043, Kind.RETRY_LATER),
        (Ask.SETTING, 400, -4046, Kind.TREAT_AS_SUCCESS),
        (Ask.SETTING, 400, -4059, Kind.TREAT_AS_SUCCESS),
        (Ask.SETTING, 400, -4171, Kind.TREAT_AS_SUCCESS),
        (Ask.SETTING, 400, -4047, Kind.FINAL),
        (Ask.SUBMIT, 400, -1021, Kind.FINAL),
        (Ask.SUBMIT, 400, -5028, Kind.FINAL),
        (Ask.QUERY, 400, -1021, Kind.RETRY_LATER),
        (Ask.SUBMIT, 429, -1015, Kind.RETRY_LATER),
        (Ask.CANCEL, 429, -1003, Kind.RETRY_LATER),
        (Ask.QUERY, 418, -1003, Kind.RETRY_LATER),
        (Ask.SUBMIT, 418, None, Kind.RETRY_LATER),
        (Ask.SUBMIT, 403, None, Kind.RETRY_LATER),
        (Ask.SUBMIT, 451, 0, Kind.FINAL),
        (Ask.QUERY, 451, None, Kind.FINAL),
        (Ask.SUBMIT, 401, -2015, Kind.STOP),
        (Ask.SUBMIT, 400, -1022, Kind.STOP),
        (Ask.CANCEL, 401, None, Kind.STOP),
        (Ask.SUBMIT, 404, None, Kind.FINAL),
        (Ask.SUBMIT, 400, None, Kind.IN_DOUBT),  # -1006 comes with 400: it may have been that
        (Ask.CANCEL, 400, None, Kind.IN_DOUBT),
        (Ask.REPLACE, 413, None, Kind.IN_DOUBT),
        (Ask.QUERY, 400, None, Kind.FINAL),
        (Ask.SETTING, 400, None, Kind.FINAL),
        (Ask.SUBMIT, 400, -4120, Kind.FINAL),
        (Ask.SUBMIT, 400, -4130, Kind.FINAL),
        (Ask.SUBMIT, 400, -5022, Kind.FINAL),
        (Ask.REPLACE, 400, -5025, Kind.FINAL),
    ],
)
def test_what_the_protocol_says_of_single_codes(ask, status, code, kind):
    assert classify(ask, status, code).kind is kind


@pytest.mark.parametrize(
    ("code", "then"),
    [
        (-1021, Then.SYNC_CLOCK),
        (-5028, Then.SYNC_CLOCK),
        (-1125, Then.RENEW_LISTEN_KEY),
        (-2022, Then.RESYNC),
        (-4118, Then.RESYNC),
        (-4014, Then.REFRESH_CONTRACTS),
        (-4023, Then.REFRESH_CONTRACTS),
        (-1111, Then.REFRESH_CONTRACTS),
        (-4061, Then.CHECK_MODE),
        (-2023, Then.REDUCE_ONLY),
        (-4400, Then.REDUCE_ONLY),
        (-2019, Then.NOTHING),
    ],
)
def test_what_is_to_be_done_besides(code, then):
    assert classify(Ask.SUBMIT, 400, code).then is then


def test_what_shuts_us_out_is_told_in_words():
    place = "the venue does not serve the place where this address is"
    assert classify(Ask.QUERY, 451, None).reason == f"HTTP 451: {place}"
    told = classify(Ask.QUERY, 451, 0, "restricted location").reason
    assert told == f"HTTP 451: {place}: restricted location"
    assert classify(Ask.QUERY, 403, None).reason.startswith("HTTP 403: the firewall")
    assert classify(Ask.QUERY, 418, -1003, "IP banned until 1").reason == "IP banned until 1"


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (401, -2015, "auth"),
        (400, -1022, "auth"),
        (429, -1003, "limits"),
        (429, -1015, "limits"),
        (503, -1008, "limits"),
        (403, None, "limits"),
        (451, 0, "limits"),
        (503, None, "venue"),
        (NO_ANSWER, None, "venue"),
        (400, -2019, ""),
        (400, -2011, ""),
        (400, -4400, "limits"),  # the account may reduce alone, for a while
        (400, -4192, "limits"),
        (400, -4105, ""),  # the symbol alone
    ],
)
def test_what_a_circuit_breaker_counts(status, code, failure):
    assert classify(Ask.SUBMIT, status, code).failure == failure


def test_every_final_refusal_of_an_order_is_documented():
    """The ranges whose codes end an order are those in which every known code is a refusal."""
    ends = [codes for codes, row in RANGES if row.submit is Kind.FINAL]
    in_doubt = [code for code, row in CODES.items() if row.submit is Kind.IN_DOUBT]

    assert not [code for code in in_doubt if any(code in codes for codes in ends)]
    assert kinds(400, -1098) == {Kind.IN_DOUBT}
    assert kinds(400, -7001) == {Kind.IN_DOUBT}
    assert kinds(400, -4998) == {Kind.FINAL}


def test_a_refusal_of_sender_time_or_service_says_nothing_of_an_order():
    """Nor does one that was to be tried again, and whose tries were used up."""
    of_others = {c for c, row in CODES.items() if row in (LOCKED_OUT, MISTIMED, GONE)}
    put_off = {c for c, row in CODES.items() if row.submit is Kind.RETRY_LATER}

    assert of_others | put_off | {None} == NOT_OF_THE_ORDER


def test_doubt_never_hides_behind_a_resend():
    """Whatever may have executed is never classed as to be sent again."""
    for row in [*CODES.values(), UNKNOWN]:
        assert (row.submit is Kind.IN_DOUBT) <= (row.failure == "venue")
        assert len(row) == len(Row._fields)
    assert CODES[-1000].submit is CODES[-1006].submit is CODES[-1007].submit is Kind.IN_DOUBT


def test_the_reason_names_what_happened():
    assert classify(Ask.SUBMIT, 400, -2019, "Margin is insufficient.").reason.startswith("Margin")
    assert classify(Ask.SUBMIT, 502, None).reason == "HTTP 502"
    assert classify(Ask.QUERY, 404, None, "no such page").reason == "HTTP 404: no such page"
    assert classify(Ask.SUBMIT, NO_ANSWER, None, "broken pipe").reason == "broken pipe"
    assert classify(Ask.SUBMIT, NO_ANSWER, None).reason == "no answer came"
    assert classify(Ask.SUBMIT, 503, None, "Service Unavailable.").delay_ns == 200_000_000


@pytest.mark.skipif(not MESSAGES.exists(), reason=f"no reference data at {MESSAGES}")
def test_every_documented_code_has_a_row_or_lies_in_a_range():
    codes = [int(code) for code in json.loads(MESSAGES.read_text())]
    without = [c for c in codes if c not in CODES and not any(c in r for r, _ in RANGES)]

    assert len(codes) > 200
    assert not without
    # Left to the ranges: what an order or a read of ours cannot meet (options, transfers,
    # a contract's own definition).
    left = [code for code in codes if code not in CODES]
    assert all(code <= -4000 or code in (-1108, -1136) for code in left), left


def test_a_row_for_each_code_stands_once():
    from holdfast.venues.binance_futures.outcome_rows import _GROUPS

    listed = [code for _, codes in _GROUPS for code in codes]
    assert sorted(listed) == sorted(set(listed))


F, D, R, OK, S, Q = (
    Kind.FINAL, Kind.IN_DOUBT, Kind.RETRY_LATER, Kind.TREAT_AS_SUCCESS, Kind.STOP, Kind.QUERY
)  # fmt: skip
LINES = (
    # The protocol's table, line by line: codes, HTTP status; submit, cancel, replace, query,
    # setting; and what to do besides.
    ((-1000,), 503, (D, D, D, R, R), Then.NOTHING),
    ((-1001,), 503, (Q, Q, Q, R, R), Then.NOTHING),
    ((-1002, -2014, -2015, -2017), 401, (S, S, S, S, S), Then.NOTHING),
    ((-1003,), 429, (R, R, R, R, R), Then.NOTHING),
    ((-1006, -1007), 408, (D, D, D, R, R), Then.NOTHING),
    ((-1008,), 503, (R, R, R, R, R), Then.NOTHING),
    ((-1013, -1111), 400, (F, F, F, F, F), Then.REFRESH_CONTRACTS),
    ((-1100, -1101, -1102, -1103, -1104, -1105), 400, (F, F, F, F, F), Then.NOTHING),
    ((-1114, -1115, -1116, -1117, -1118, -1119), 400, (F, F, F, F, F), Then.NOTHING),
    ((-1120, -1128, -1130), 400, (F, F, F, F, F), Then.NOTHING),
    ((-1015,), 429, (R, R, R, R, R), Then.NOTHING),
    ((-1020, -4084), 400, (F, F, F, F, F), Then.NOTHING),
    ((-1021, -5028), 400, (F, F, F, R, R), Then.SYNC_CLOCK),
    ((-1022,), 400, (S, S, S, S, S), Then.NOTHING),
    ((-1125,), 400, (F, F, F, F, F), Then.RENEW_LISTEN_KEY),
    ((-2010,), 400, (F, F, F, F, F), Then.NOTHING),
    ((-2011, -2013), 400, (F, Q, Q, F, F), Then.NOTHING),
    ((-2018, -2019, -2024, -4050, -4051), 400, (F, F, F, F, F), Then.NOTHING),
    ((-2020, -4131, -5041), 400, (F, F, F, F, F), Then.NOTHING),
    ((-2021, -4142), 400, (F, F, F, F, F), Then.NOTHING),
    ((-2022, -4118), 400, (F, F, F, F, F), Then.RESYNC),
    ((-2023,), 400, (F, F, F, F, F), Then.REDUCE_ONLY),
    ((-2025, -4045), 400, (F, F, F, F, F), Then.NOTHING),
    ((-2026, -4137, -4138), 400, (F, F, F, F, F), Then.NOTHING),
    ((-1106, -4060, -4061, -4062), 400, (F, F, F, F, F), Then.CHECK_MODE),
    ((-2027, -2028, -4028, -4161), 400, (F, F, F, F, F), Then.NOTHING),
    ((-4202, -4203, -4205, -4206, -4208, -4209), 400, (F, F, F, F, F), Then.NOTHING),
    ((-4001, -4002, -4003, -4004, -4005), 400, (F, F, F, F, F), Then.REFRESH_CONTRACTS),
    ((-4013, -4014, -4023, -4016, -4024), 400, (F, F, F, F, F), Then.REFRESH_CONTRACTS),
    ((-4183, -4184, -4210, -4211), 400, (F, F, F, F, F), Then.REFRESH_CONTRACTS),
    ((-4015,), 400, (F, F, F, F, F), Then.NOTHING),
    ((-4046, -4059, -4171), 400, (F, F, F, F, OK), Then.NOTHING),
    ((-4047, -4048, -4067, -4068, -4531), 400, (F, F, F, F, F), Then.NOTHING),
    ((-4087, -4088, -4105, -4106, -4107), 400, (F, F, F, F, F), Then.REDUCE_ONLY),
    ((-4189, -4192, -4400, -4401), 400, (F, F, F, F, F), Then.REDUCE_ONLY),
    ((-1121, -4140, -4141, -5024), 400, (F, F, F, F, F), Then.REFRESH_CONTRACTS),
    ((-4109,), 400, (S, S, S, S, S), Then.NOTHING),
    ((-4116,), 400, (Q, F, F, F, F), Then.NOTHING),
    ((-4117,), 400, (F, Q, Q, F, F), Then.NOTHING),
    ((-4120, -4130, -4164, -5029), 400, (F, F, F, F, F), Then.NOTHING),
    ((-5021, -5022), 400, (F, F, F, F, F), Then.NOTHING),
    ((-5025, -5026, -5047), 400, (F, F, F, F, F), Then.NOTHING),
    ((-5027,), 400, (F, F, OK, F, F), Then.NOTHING),
    ((-5043,), 400, (F, F, R, F, F), Then.NOTHING),
    ((-5037, -5038, -5039, -5040), 400, (F, F, F, F, F), Then.NOTHING),
)


@pytest.mark.parametrize(("codes", "status", "kinds_", "then"), LINES)
def test_table_agrees_with_the_protocol_line_by_line(codes, status, kinds_, then):
    for code in codes:
        told = [classify(ask, status, code) for ask in Ask]
        assert tuple(each.kind for each in told) == kinds_, code
        assert {each.then for each in told} == {then}, code


@pytest.mark.skipif(not PROTOCOL.exists(), reason=f"no reference data at {PROTOCOL}")
def test_no_line_of_the_protocol_is_left_out():
    table = PROTOCOL.read_text().split("| code | meaning |")[1].split("---\n\n## 7")[0]
    named: set[int] = set()
    for line in table.splitlines():
        cell = line.split("|")[1] if line.startswith("| -") else ""
        named |= {int(code) for code in re.findall(r"-\d{4}", cell)}
    listed = {code for codes, *_ in LINES for code in codes}

    assert len(named) > 80
    assert named <= listed
