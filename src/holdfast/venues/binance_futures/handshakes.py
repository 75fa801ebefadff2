"""What it means when the venue, or the wall in front of it, refuses a handshake.

Rule: who was refused on purpose does not knock again at once. A ban (418) grows with each try; the
      firewall (403) and the law of a place (451) do not change within seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from ...model.errors import RateLimitError, VenueUnavailable
from ...model.values import NS_PER_S
from ..limits import HTTP_BANNED, HTTP_TOO_MANY, refused_until
from .counters import retry_after_s
from .outcome_rows import HTTP_MEANINGS

SHUT_OUT_S = 30.0
"""How long nothing is tried where it is not for the number of our requests."""

SHUT_OUT = (403, 451)

HOSTS_MAX = 8
_BANNED_UNTIL: dict[str, float] = {}
"""Until when hosts want no handshake of ours, in the loop's time: a session that begins anew must
not knock at once.
"""


class TooMany(RateLimitError):
    """The venue counts our requests, and wants none of this address for a while."""


class Banned(TooMany):
    """It has banned the address."""


TOO_MANY = {HTTP_TOO_MANY: TooMany, HTTP_BANNED: Banned}


def refused(status: int, headers: Mapping[str, str], body: bytes, now: int) -> VenueUnavailable:
    """Return what a handshake's answer means; a RateLimitError says when to come again.

    Args:
        headers: their names in lower case.
        now: the wall's time (ns).
    """
    named_s, told = retry_after_s(headers), f"HTTP {status}"
    if status in HTTP_MEANINGS:
        told += f": {HTTP_MEANINGS[status]}"
    if status in SHUT_OUT:
        wait_s = max(SHUT_OUT_S, named_s or 0.0)
        return RateLimitError(told, retry_after=wait_s)
    if status in TOO_MANY:
        text = body.decode(errors="replace")
        wait_s = (refused_until(status, now, retry_after_s=named_s, text=text) - now) / NS_PER_S
        return TOO_MANY[status](told, retry_after=wait_s)
    return VenueUnavailable(told)


def check_ban(address: str) -> None:
    """Stay away from a host that has banned us.

    Raises:
        RateLimitError: it has, and the ban is not over.
    """
    host = urlsplit(address).netloc
    left_s = _BANNED_UNTIL.get(host, 0.0) - asyncio.get_running_loop().time()
    if left_s > 0.0:
        text = f"{host} has banned this address, as was heard before"
        raise RateLimitError(text, retry_after=left_s)


def note_ban(address: str, error: TooMany) -> None:
    """Remember for how long a host wants no connection."""
    host = urlsplit(address).netloc
    _BANNED_UNTIL[host] = asyncio.get_running_loop().time() + error.retry_after
    if len(_BANNED_UNTIL) > HOSTS_MAX:
        del _BANNED_UNTIL[next(iter(_BANNED_UNTIL))]
