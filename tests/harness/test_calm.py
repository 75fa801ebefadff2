"""What ends a session in a calm, and is the storm's doing all the same."""

from __future__ import annotations

import pytest

from holdfast.harness.calm import HELD_UP_S, _is_of_storm
from holdfast.venues.binance_futures import adapter

HELD_UP = "holdfast: the account's stream did not open in 15 s: it took too long"


@pytest.mark.parametrize(
    ("words", "calm_s", "is_so"),
    [
        ("the session failed: JournalError: journal a.db: the disk is full", 20.0, True),
        (HELD_UP, 3.6, True),
        (HELD_UP, HELD_UP_S, False),  # it began in the calm: nothing held it up
        ("holdfast: the venue's books could not be read", 3.6, False),
    ],
)
def test_a_start_that_was_held_up_is_the_storms_for_as_long_as_it_waits(words, calm_s, is_so):
    assert _is_of_storm(words, calm_s) is is_so


def test_what_is_the_storms_is_what_a_start_waits_for():
    assert HELD_UP_S == adapter.STREAM_PATIENCE_S
