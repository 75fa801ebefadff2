"""Law 1: fold(journal) == state, at every prefix of the journal; nothing is remembered elsewhere.

The world compares after every message, byte for byte, with the fold of what the journal reads
back as; every life begins from such a fold, every third one from a snapshot and what came later.
"""

from __future__ import annotations

import msgspec
from hypothesis import given, settings

from holdfast.engine.engine import Engine
from holdfast.engine.state import State
from holdfast.model import events as ev
from tests.laws.checks import law_1
from tests.laws.road import bad
from tests.laws.scripts import played, roads, scripts
from tests.laws.steps import script
from tests.laws.world import SETTINGS, World, encode


@settings(max_examples=60)
@given(roads, scripts())
def test_the_fold_of_the_journal_is_the_state_after_every_message(road, steps):
    assert played(road, steps, law_1) == []


def test_a_state_that_was_encoded_at_any_prefix_goes_on_the_same():
    facts = World(bad(7)).run(script(7, 120)).journal.facts
    resumed, straight = State(), State()
    for fact in msgspec.json.decode(msgspec.json.encode(facts), type=list[ev.Event]):
        straight.apply(fact)
        resumed = msgspec.msgpack.decode(encode(resumed), type=State)
        resumed.apply(fact)

        assert encode(resumed) == encode(straight)


def test_an_engine_keeps_nothing_of_its_own():
    """What is beside the state is the market, which is input, and what one message works with."""
    core = Engine(SETTINGS).core

    assert set(core.__slots__) == {
        *("state", "settings", "read_lag_ns"),  # the fold, and what it was started with
        *("market", "exposure", "_samples"),  # the market as seen, and views of both
        *("now", "facts", "settled", "commands"),  # of the message at hand
        "asked_after",  # when questions were last asked: nothing that is booked hangs on it
        *("start_looks", "kill_looks"),  # which accounts were looked at: a restart looks anew
        "uncompared",  # how many of these compared nothing: a restart counts anew
        "first_looks",  # what the first look of books that are begun has shown: begun anew
        "heard_early",  # what was heard before they began: they begin with a look behind it
        "fills",  # the latest, as the state has them: a restart goes by the venue's list of them
        *("opening_looks", "unbooked_looks"),  # looks in vain: a restart counts anew
        "unread_since",  # since when books are asked for in vain: a restart counts anew
        "doubted_since",  # since when a mark that is off is waited for: a restart waits anew
        "unseen",  # which a start has not looked at yet, before a stop may end: a restart looks anew
        "banned_until",  # who bans our address until when: told anew at each start
        "unlisted_ts",  # what is off the venue's list: told anew at each start
        "odd_statuses",  # statuses that nobody knows: told anew by the next question
        "told",  # what people were told of that comes again and again: told anew at each start
        "told_halts",  # which status of a contract that does not trade: told anew at each start
        "tried_ts",  # when what is hard to close was last tried: a restart tries anew
        "told_left",  # which orders that can only close were told of: a restart tells once more
    }
