"""The venue's error codes and what each means, request by request. State: November 2026.

Three questions decide a row: can the request have been carried out, may the same be sent again,
and who must act. Only what the venue documents as refused is final.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Ask(enum.Enum):
    """What was asked."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"
    QUERY = "QUERY"  # any read
    SETTING = "SETTING"  # leverage, margin type, listen key, dead-man switch: may be repeated


class Kind(enum.Enum):
    """What became of a request."""

    FINAL = "FINAL"  # refused; nothing happened and the same again will not help
    IN_DOUBT = "IN_DOUBT"  # it may have happened: never resend, resolve by id
    RETRY_LATER = "RETRY_LATER"  # nothing happened; the same may be sent while its fence lasts
    TREAT_AS_SUCCESS = "TREAT_AS_SUCCESS"  # it is as was wanted
    STOP = "STOP"  # refused, and so will be all others: key, permission, account
    QUERY = "QUERY"  # the order is another than we thought: ask after it


class Then(enum.Enum):
    """What to do besides."""

    NOTHING = ""
    SYNC_CLOCK = "SYNC_CLOCK"
    RENEW_LISTEN_KEY = "RENEW_LISTEN_KEY"
    RESYNC = "RESYNC"  # our picture of positions and orders is off
    REFRESH_CONTRACTS = "REFRESH_CONTRACTS"  # a filter is not what we thought
    CHECK_MODE = "CHECK_MODE"  # hedge mode or one-way is not what we thought
    REDUCE_ONLY = "REDUCE_ONLY"  # nothing opens here for now; tell a person


class Row(NamedTuple):
    """One outcome for each request."""

    submit: Kind
    cancel: Kind
    replace: Kind
    query: Kind
    setting: Kind
    then: Then = Then.NOTHING
    failure: str = ""
    delay_ms: int = 0

    def kind(self, ask: Ask) -> Kind:
        """Return the outcome for a request."""
        return self[_COLUMNS[ask]]  # type: ignore[return-value]  # the first five are kinds


_COLUMNS = {each: place for place, each in enumerate(Ask)}

F, D, R, OK, S, Q = (
    Kind.FINAL,
    Kind.IN_DOUBT,
    Kind.RETRY_LATER,
    Kind.TREAT_AS_SUCCESS,
    Kind.STOP,
    Kind.QUERY,
)

#                 submit cancel replace query setting
REFUSED = Row(F, F, F, F, F)
UNKNOWN = Row(D, D, D, R, R, failure="venue", delay_ms=500)
UNDOCUMENTED = Row(D, D, D, R, R, failure="venue", delay_ms=500)
UNREADABLE = Row(D, D, D, F, F, failure="venue")
"""A refusal whose body broke off, or is nobody's whom we know: -1006 (unknown) comes with 400 too.
"""

ASK_FIRST = Row(Q, Q, Q, R, R, failure="venue", delay_ms=200)
UNAVAILABLE = Row(R, R, R, R, R, failure="venue", delay_ms=200)
OVERLOADED = Row(R, R, R, R, R, failure="limits", delay_ms=200)
SLOW_DOWN = Row(R, R, R, R, R, failure="limits", delay_ms=1000)
WALLED_OFF = Row(R, R, R, R, R, failure="limits", delay_ms=60_000)
"""The wait is for the road that it stands before; another one may be tried at once."""

NOT_SERVED = Row(F, F, F, F, F, failure="limits")
"""Where this address is, by law: to wait changes nothing, and is said at once."""

LOCKED_OUT = Row(S, S, S, S, S, failure="auth")
GONE = Row(F, F, F, F, F, failure="venue")
MISTIMED = Row(F, F, F, R, R, then=Then.SYNC_CLOCK)
"""A question is asked again, once the clock was measured, with a time of its own. A command goes
with the journal's time, which its fence stands on; it is refused, unless it ends risk: then it is
sent once more in the venue's time (`OrderDesk`). See `ClockOffset.is_off` too.
"""

NOT_THERE = Row(F, Q, Q, F, F)
UNCHANGED = Row(F, F, F, F, OK)
RECHECK = Row(F, F, F, F, F, then=Then.RESYNC)
MISFIT = Row(F, F, F, F, F, then=Then.REFRESH_CONTRACTS)
WRONG_MODE = Row(F, F, F, F, F, then=Then.CHECK_MODE)
RESTRICTED = Row(F, F, F, F, F, then=Then.REDUCE_ONLY)
CLOSING_ALONE = Row(F, F, F, F, F, then=Then.REDUCE_ONLY, failure="limits")
"""All of the account may only reduce: asking on gains nothing, and a person must hear of it."""

_GROUPS: tuple[tuple[Row, tuple[int, ...]], ...] = (
    (UNKNOWN, (-1000, -1006, -1007, -1010)),
    (ASK_FIRST, (-1001,)),
    (LOCKED_OUT, (-1002, -1011, -1022, -1099, -1109, -2014, -2015, -2017, -4056, -4057, -4109)),
    (SLOW_DOWN, (-1003, -1015)),
    (OVERLOADED, (-1008,)),
    (GONE, (-1016,)),
    (MISTIMED, (-1021, -5028)),
    (REFUSED, (-1004, -1005, -1014, -1020, -1023, -1112, -1120, -1127)),
    (MISFIT, (-1013, -1111, -1121)),
    (REFUSED, (-1100, -1101, -1102, -1103, -1104, -1105, -1108, -1110, -1113, -1114)),
    (REFUSED, (-1115, -1116, -1117, -1118, -1119, -1122, -1126, -1128, -1130, -1136)),
    (Row(F, F, F, F, F, then=Then.RENEW_LISTEN_KEY), (-1125,)),
    (REFUSED, (-2010, -2012, -2016, -2018, -2019, -2020, -2021, -2024, -2025, -2026, -2027, -2028)),
    (NOT_THERE, (-2011, -2013)),
    (RECHECK, (-2022, -4118)),
    (RESTRICTED, (-4105, -4106, -4107, -4189, -4401, -4402)),
    (CLOSING_ALONE, (-2023, -4087, -4088, -4192, -4400)),
    (MISFIT, (-4140, -4141, -4144, -5024)),
    (MISFIT, (-4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4016, -4023, -4024)),
    (MISFIT, (-4183, -4184, -4210, -4211)),
    (REFUSED, (-4131, -4164, -5029)),  # too little on the other side, or of it
    (REFUSED, (-4015, -4028, -4045, -4050, -4051, -4120, -4130, -4137, -4138, -4142, -4161)),
    (REFUSED, (-4047, -4048, -4067, -4068, -4531)),  # a mode can't be changed just now
    (UNCHANGED, (-4046, -4052, -4059, -4171)),
    (WRONG_MODE, (-1106, -4060, -4061, -4062)),  # -1106: reduceOnly, which hedge mode has none of
    (REFUSED, (-4084, -4202, -4203, -4205, -4206, -4208, -4209, -4403)),
    (Row(Q, F, F, F, F), (-4116,)),  # our id is open there: the earlier request did arrive
    (Row(F, Q, Q, F, F), (-4117,)),  # it is triggering: soon it is an ordinary order
    (REFUSED, (-5021, -5022, -5025, -5026, -5037, -5038, -5039, -5040, -5041, -5047)),
    (Row(F, F, OK, F, F), (-5027,)),
    (Row(F, F, R, F, F, delay_ms=200), (-5043,)),
)

CODES = {code: row for row, codes in _GROUPS for code in codes}

RANGES: tuple[tuple[range, Row], ...] = (
    (range(-1099, -999), UNKNOWN),  # server and network: nobody knows
    (range(-1199, -1099), REFUSED),  # the request's shape
    (range(-2099, -1999), REFUSED),  # order processing
    (range(-4999, -3999), REFUSED),  # filters, settings, permissions
    (range(-5999, -4999), REFUSED),  # order execution
)
"""Codes without a row, answered with a 4xx. Newer codes appear inside these ranges."""

SERVER_TEXTS: tuple[tuple[str, Row], ...] = (
    ("unknown error, please check your request", UNKNOWN),
    ("service unavailable.", UNAVAILABLE),
    ("internal error; unable to process your request", ASK_FIRST),
    ("request throttled by system-level protection", OVERLOADED),
    ("server is currently overloaded", OVERLOADED),
    ("request occur unknown error", UNKNOWN),
)
"""Beginnings of the texts that tell answers without a code, or 5xx, apart; case folded.

Another text, a page of a proxy's above all, does not tell whether the request went through.
"""

HTTP: dict[int, Row] = {
    400: UNREADABLE,
    401: LOCKED_OUT,
    403: WALLED_OFF,  # the firewall in front of the venue
    404: GONE,
    408: UNKNOWN,
    418: SLOW_DOWN,
    429: SLOW_DOWN,
    451: NOT_SERVED,
}

HTTP_MEANINGS = {
    403: "the firewall in front of the venue refuses this address",
    418: "the venue has banned this address for too many requests",
    429: "too many requests from this address",
    451: "the venue does not serve the place where this address is",
}
"""What is told where the venue itself has no words, or those of a wall in front of it."""
