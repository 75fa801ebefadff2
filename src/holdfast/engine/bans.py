"""Bans of our address by a venue: a person is told of each once, and of its end."""

from __future__ import annotations

from ..model import commands as cmd
from ..model import messages as msg
from ..model.values import NS_PER_S
from .core import Core

SAME_NS = 60 * NS_PER_S
"""Ends so near to one another are one ban's: each account of the address hears of it."""


def on_banned(core: Core, ban: msg.AddressBanned) -> None:
    """Tell of a ban that is news, or has become longer."""
    is_known = any(abs(ban.until_ts - until) < SAME_NS for until in core.banned_until.values())
    core.banned_until[ban.account] = ban.until_ts
    if not is_known:
        core.alarm("banned", ban.text, ban.account)


def tell_ends(core: Core) -> None:
    """Say that the last ban is over."""
    if not core.banned_until:
        return
    left = {each: ts for each, ts in core.banned_until.items() if ts > core.now}
    core.banned_until = left
    if not left:
        text = "the ban is over: the venue is asked again, and orders go out"
        core.send(cmd.Notify(level="info", text=text))
