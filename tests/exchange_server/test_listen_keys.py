"""Listen keys: one for each account, alive for an hour after the last sign of life."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from holdfast.exchange_server.listen_keys import LENGTH, VALIDITY_NS, ListenKeys, draw_key
from holdfast.model.values import AccountId

A, B = AccountId("a"), AccountId("b")
NOW = 1_700_000_000_000_000_000


def keys() -> ListenKeys:
    numbers = itertools.count(1)
    return ListenKeys(draw=lambda: f"key{next(numbers)}")


def test_drawn_keys_are_64_letters_and_digits_and_differ():
    first, second = draw_key(), draw_key()

    assert len(first) == LENGTH == 64
    assert first.isalnum()
    assert first.isascii()
    assert first != second


def test_asking_again_gives_the_same_key_and_another_hour():
    listen_keys = keys()
    key = listen_keys.start(A, NOW)

    assert listen_keys.start(A, NOW + VALIDITY_NS - 1) == key
    assert listen_keys.keep_alive(A, NOW + 2 * VALIDITY_NS - 2) == key


def test_each_account_has_its_own_key():
    listen_keys = keys()

    assert listen_keys.start(A, NOW) != listen_keys.start(B, NOW)
    assert listen_keys.account_of("key2") == B


def test_a_key_can_be_kept_alive_until_its_hour_is_over():
    listen_keys = keys()
    key = listen_keys.start(A, NOW)

    assert listen_keys.keep_alive(A, NOW + VALIDITY_NS - 1) == key
    assert listen_keys.keep_alive(A, NOW + 2 * VALIDITY_NS - 1) is None


def test_after_its_hour_a_new_key_is_drawn():
    listen_keys = keys()
    listen_keys.start(A, NOW)

    assert listen_keys.start(A, NOW + VALIDITY_NS) == "key2"
    assert listen_keys.account_of("key1") is None


def test_an_account_without_a_key_has_nothing_to_keep_alive():
    assert keys().keep_alive(A, NOW) is None


def test_a_closed_key_is_worthless_and_the_next_one_is_new():
    listen_keys = keys()
    key = listen_keys.start(A, NOW)

    assert listen_keys.close(A) == key
    assert listen_keys.close(A) is None
    assert listen_keys.account_of(key) is None
    assert listen_keys.start(A, NOW) == "key2"


def test_expired_keys_are_told_once():
    listen_keys = keys()
    listen_keys.start(A, NOW)
    listen_keys.start(B, NOW + 5)

    assert listen_keys.expire_due(NOW + VALIDITY_NS) == [("key1", A)]
    assert listen_keys.expire_due(NOW + VALIDITY_NS) == []
    assert listen_keys.account_of("key1") is None
    assert listen_keys.account_of("key2") == B


def test_a_key_can_be_made_to_expire_early():
    listen_keys = keys()
    key = listen_keys.start(A, NOW)

    assert listen_keys.expire(A) == (key, A)
    assert listen_keys.expire(A) is None


_steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "keep_alive", "close", "expire_due"]),
        st.sampled_from([A, B]),
        st.integers(0, VALIDITY_NS * 3 // 2),
    ),
    max_size=40,
)


@given(_steps)
def test_a_key_belongs_to_one_account_and_an_account_to_one_key(steps):
    listen_keys, now = keys(), NOW
    heard: dict[AccountId, int] = {}
    for what, account, passed in steps:
        now += passed
        if what == "expire_due":
            listen_keys.expire_due(now)
        elif what == "close":
            listen_keys.close(account)
            heard.pop(account, None)
        else:
            was_good = now < heard.get(account, 0)
            key = getattr(listen_keys, what)(account, now)
            assert (key is not None) == (what == "start" or was_good)
            if key is not None:
                heard[account] = now + VALIDITY_NS
                assert listen_keys.account_of(key) == account
                assert listen_keys.key_of(account) == key


def test_a_key_replaced_before_anybody_looked_is_told_as_expired_all_the_same():
    listen_keys = keys()
    listen_keys.start(A, NOW)
    listen_keys.start(A, NOW + VALIDITY_NS)

    assert listen_keys.expire_due(NOW + VALIDITY_NS) == [("key1", A)]
    assert listen_keys.expire_due(NOW + VALIDITY_NS) == []
    assert listen_keys.key_of(A) == "key2"
