"""The account's stream: its key, kept alive, and its connection.

Rule 1: the key is never deleted: the venue gives the account one key, and another program of the
        same account may be listening on it.
Rule 2: a stream whose key is no longer the account's is left: it is open, and silent for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from urllib.parse import quote

from ...model.errors import VenueUnavailable
from ..limits import Urgency
from .asking import Answered, Asker
from .codec import BadFrame, ListenKeyExpired, UserEvent, UserStream, listen_key, reads
from .complaints import Complaints
from .outcomes import Ask, Then
from .streams import Ears, Stream, Watch
from .wire import Wire

KEEP_ALIVE_S = 25 * 60.0
KEEP_ALIVE_RETRY_S = 60.0
GAPS_S = 1.0
"""Gaps within so long after one that was told are told as one."""

_log = logging.getLogger("holdfast.venue")


async def ask_for_key(asker: Asker) -> str:
    """Ask for a listen key, the same one while it lives.

    Raises:
        VenueUnavailable: there is none; the text does not quote the answer.
    """
    answered = await asker.read(reads.start_listen_key(), ask=Ask.SETTING, urgency=Urgency.PROTECT)
    if not answered.is_ok:
        raise VenueUnavailable(f"no listen key was given: {answered.outcome.reason}")
    try:
        key = listen_key(answered.reply.body)
    except BadFrame:
        raise VenueUnavailable("the answer with the listen key can't be read") from None
    if not key:  # a stream without one opens, and is silent
        raise VenueUnavailable("the answer names no listen key")
    return key


class UserChannel:
    """Hears the account's events. Run `stream.run` and `keep_alive` in tasks.

    Args:
        on_events: is given what each frame tells.
        on_link: hears True when the stream came back, False with the reason when it was lost.
        on_gap: a frame could not be read: what it told must be fetched.
    """

    def __init__(  # noqa: PLR0913 - what a channel consists of
        self,
        wire: Wire,
        stream_url: str,
        asker: Asker,
        reader: UserStream,
        *,
        on_events: Callable[[Sequence[UserEvent]], None],
        on_link: Callable[[bool, str], None],
        on_gap: Callable[[str], None],
        random: Callable[[], float],
        watch: Watch | None = None,
    ) -> None:
        self._asker = asker
        self._reader = reader
        self._stream_url = stream_url
        self._on_events = on_events
        self._on_link = on_link
        self._on_gap = on_gap
        ears = Ears(
            self._on_frame,
            self._on_up,
            self._use_key,
            on_down=self._on_down,
            on_too_many=asker.hear_stream_refused,
        )
        self.stream = Stream(wire, "the account's stream", self._address, ears, random, watch)
        self._key = self._next_key = ""  # of the connection in use, and of the one to come
        self._complaints, self._faults = Complaints(_log), Complaints(_log)
        self._gap_timer: asyncio.TimerHandle | None = None
        self._gap_reason = ""  # of a gap that was not told yet

    def __repr__(self) -> str:
        return f"UserChannel({self._stream_url}, is_up={self.stream.is_up})"

    async def _address(self) -> str:
        """Ask for a key, and return where it is to be used."""
        self._next_key = await ask_for_key(self._asker)
        return f"{self._stream_url}/private/ws?listenKey={quote(self._next_key, safe='')}"

    async def keep_alive(self) -> None:
        """Tell the venue, for ever, that somebody listens."""
        wait_s = KEEP_ALIVE_S
        while True:
            await asyncio.sleep(wait_s)
            key = self._key
            answered = await self._asker.read(
                reads.keep_listen_key(), ask=Ask.SETTING, urgency=Urgency.PROTECT
            )
            wait_s = KEEP_ALIVE_S if answered.is_ok else KEEP_ALIVE_RETRY_S
            if answered.outcome.then is Then.RENEW_LISTEN_KEY:
                self.stream.give_up("the listen key is over")
            elif self._key == key and _key_in(answered) not in {"", key}:
                self.stream.give_up("the listen key is another")  # its end was told to nobody

    def _on_frame(self, raw: bytes) -> None:
        try:
            events = self._reader.read(raw)
            for event in events:
                if isinstance(event, ListenKeyExpired):
                    self._expired(event)
            self._on_events(events)
        except BadFrame as error:
            self._complaints.warn(str(error))
            self._tell_gap("an event could not be read")
        except Exception as error:  # noqa: BLE001 - a fault of ours; what it told is fetched
            self._faults.warn("an event was not understood", error)
            self._tell_gap("an event was not understood")

    def _tell_gap(self, reason: str) -> None:
        """Tell of a gap at once; of those right behind it when they are over."""
        if self._gap_timer is not None:
            self._gap_reason = reason
            return
        self._on_gap(reason)
        self._gap_timer = asyncio.get_running_loop().call_later(GAPS_S, self._gaps_over)

    def _gaps_over(self) -> None:
        reason, self._gap_reason, self._gap_timer = self._gap_reason, "", None
        if reason:
            self._tell_gap(reason)

    def _expired(self, event: ListenKeyExpired) -> None:
        if event.listen_key in ("", self._key):
            self.stream.give_up("the listen key has expired")

    def _use_key(self) -> None:
        self._key = self._next_key

    def _on_up(self) -> None:
        self._use_key()
        self._on_link(True, "")

    def _on_down(self, reason: str) -> None:
        self._on_link(False, reason)


def _key_in(answered: Answered) -> str:
    """Return the key that an answer names; "" where it names none, or is a refusal."""
    try:
        return listen_key(answered.reply.body) if answered.is_ok else ""
    except BadFrame:
        return ""
