"""A ban of the address: told once, with its end, and told when it is over."""

from __future__ import annotations

from holdfast.engine import quiet
from holdfast.model import commands as cmd
from holdfast.model import events as ev
from holdfast.model import messages as msg
from holdfast.model.values import NS_PER_S, AccountId
from tests.engine.rig import Rig


def ban(rig, seconds, **fields):
    until = rig.now + seconds * NS_PER_S
    rig.hear(msg.AddressBanned(until_ts=until, text=f"banned until {until}", **fields))


def bans(rig):
    return [fact.text for fact in rig.ever(ev.AlarmRaised) if fact.code == "banned"]


def infos(rig):
    return [c.text for c in rig.commands if isinstance(c, cmd.Notify) and c.level == "info"]


def test_a_ban_is_told_once_however_often_it_is_heard_of_and_so_is_its_end():
    rig = Rig()
    first = f"banned until {rig.now + 120 * NS_PER_S}"
    ban(rig, 120)
    rig.wait(30)
    ban(rig, 90)
    rig.wait(89)
    assert (bans(rig), infos(rig)) == ([first], [])

    rig.wait(5)
    assert len(infos(rig)) == 1
    assert "the ban is over" in infos(rig)[0]


def test_the_next_ban_is_told_and_so_is_one_that_has_become_longer():
    rig = Rig()
    ban(rig, 120)
    rig.wait(130)
    ban(rig, 240)
    ban(rig, 3600)
    rig.wait(250)

    assert (len(bans(rig)), len(infos(rig))) == (3, 1)


def test_a_ban_of_an_address_is_told_once_for_all_its_accounts():
    rig = Rig()
    ban(rig, 120)
    ban(rig, 121, account=AccountId("other"))
    rig.wait(130)

    assert (len(bans(rig)), len(infos(rig))) == (1, 1)


def test_no_tick_at_which_a_ban_is_over_is_left_out():
    rig = Rig()
    rig.tick()
    ban(rig, 20)

    assert quiet.until(rig.engine.core) == rig.now + 20 * NS_PER_S
