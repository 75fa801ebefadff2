"""What a key may do besides trading futures, asked before the first order.

Only the real venue tells: its test markets, and other hosts that speak its language, have no
such question (`sapi`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...model.errors import NetworkError, VenueError, VenueRefused
from ..limits import Urgency
from . import codec
from .asking import Asker
from .codec import BadFrame, reads
from .joining import refusal
from .outcomes import Ask

AGAIN_S = 60.0
"""How long after a start that was not told is asked once more."""

_log = logging.getLogger("holdfast.venue")


async def check_permissions(
    asker: Asker, *, withdrawals_allowed: bool, was_traded: bool = False
) -> bool:
    """Refuse a key that could empty the account, and warn of one that works from anywhere.

    Args:
        asker: asks the host that knows, which is not the futures' own.
        withdrawals_allowed: takes such a key all the same, with a warning.
        was_traded: something may be open, which somebody must look after: an answer that does not
            come is warned of.

    Returns:
        Whether it is known what the key may do.

    Raises:
        VenueRefused: the key may withdraw, or may not trade futures.
        NetworkError: there was no answer that can be read.
    """
    try:
        found = await _restrictions(asker)
    except VenueError as error:
        is_gone_by = was_traded and isinstance(error, NetworkError)
        if not withdrawals_allowed and not is_gone_by:
            raise
        _log.warning("what the key may do is not known: %s", error)
        return False
    if not found.enable_futures:
        raise VenueRefused("the API key may not trade futures: enable it in its settings")
    if found.enable_withdrawals and not withdrawals_allowed:
        raise VenueRefused(
            "the API key may withdraw funds, which no trading needs: switch withdrawals off in "
            "its settings, or set allow_withdrawals"
        )
    if found.enable_withdrawals:
        _log.warning("the API key may withdraw funds: anybody who reads it can empty the account")
    if not found.ip_restrict:
        _log.warning("the API key works from any address: restrict it to this machine's")
    return True


async def check_again(asker: Asker, tell: Callable[[str], None]) -> None:
    """Ask once more, after a while, what a key may do that may not withdraw; tell of what is wrong.

    What is open is looked after meanwhile, and goes on to be.
    """
    await asyncio.sleep(AGAIN_S)
    try:
        await check_permissions(asker, withdrawals_allowed=False)
    except NetworkError as error:
        _log.warning("what the key may do is still not known, see its settings: %s", error)
    except VenueRefused as error:
        _log.error("%s", error)
        tell(str(error))


async def _restrictions(asker: Asker) -> codec.KeyRestrictions:
    call = reads.key_restrictions()
    answered = await asker.read(call, ask=Ask.QUERY, urgency=Urgency.PROTECT)
    if not answered.is_ok:
        raise refusal(answered, call)
    try:
        return codec.key_restrictions(answered.reply.body)
    except BadFrame as error:
        raise NetworkError(str(error)) from error
