"""Requests over the WebSocket API: one connection, answers told apart by their ids.

Rule 1: what was written and is unanswered when the connection ends may have been carried out.
Rule 2: where a session can be logged on (Ed25519), no request is signed; else each one is. Until
        the logon is answered, each one is signed too.
Rule 3: a connection may be open, answer pings, and carry nothing out. While a request waits for its
        answer for long, and for a while after one that had none or several in a row that failed,
        others are sent elsewhere; likewise behind a firewall's first refusal.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ...model.errors import VenueUnavailable
from ..limits import HTTP_BANNED, HTTP_TOO_MANY, Urgency
from .asking import READ_WINDOW_NS, Asker
from .codec import BadFrame, Call, WsReply, read_reply, reads, ws_request
from .complaints import Complaints
from .counters import counts_of, retry_after_of
from .outcomes import NO_ANSWER, Ask
from .rest import ANSWER_S, FAILING, WALLED, Reply
from .sign import Credentials
from .streams import Ears, Stream, Watch
from .wire import Wire

UNANSWERED_MAX = 1000
"""Requests under way at once; a further one is told that nothing was sent."""

SLOW_S = 2.0
"""How long a request may be unanswered before others are sent elsewhere."""

DEAF_S = 60.0
"""For how long they are, once one had no answer at all."""

FAILURES_MAX = 3
"""Answers that the venue failed, or connections that broke before there was one to a command, from
which on it is the same; a command that is answered otherwise in between makes good for them.
"""

REFUSING = frozenset({HTTP_TOO_MANY, HTTP_BANNED})
COMMANDS = frozenset({"POST", "PUT", "DELETE"})
UNKNOWN_KEY, UNSIGNED = 401, frozenset({-1022, -1102, -2014, -2015})
"""What an unsigned request is answered on a session that is not logged on: status, or codes."""

_log = logging.getLogger("holdfast.venue")


class _Asked(NamedTuple):
    """A request that has no answer yet, and when it left, in the loop's time."""

    answer: asyncio.Future[Reply]
    left: float
    is_signed: bool
    is_command: bool


class OrdersSocket:
    """A road for orders. `stream.run` keeps it open; `is_up` tells whether it is worth trying.

    Args:
        admit: returns when a connection may be made, which costs weight; False where none may.
        on_too_many: see `Ears`; what refuses a connection here refuses requests on any road.
        on_refusal: hears a 429 or 418 that nobody waits for, or does any more.
    """

    def __init__(  # noqa: PLR0913 - what a connection consists of
        self,
        wire: Wire,
        url: str,
        credentials: Credentials,
        random: Callable[[], float],
        watch: Watch | None = None,
        *,
        admit: Callable[[], Awaitable[bool]] | None = None,
        on_too_many: Callable[[float, bool], None] = lambda _seconds, _is_ban: None,
        on_refusal: Callable[[Reply], None] = lambda _: None,
    ) -> None:
        self._admit = admit
        self._on_refusal = on_refusal
        self._url = url
        self._credentials = credentials
        self._ids = itertools.count(1)
        self._waiting: dict[int, _Asked] = {}  # the oldest first
        self._heard = 0.0
        self._deaf_until = 0.0
        self._failures = 0
        self._is_logged_on = False
        self._complaints = Complaints(_log)
        ears = Ears(self._on_frame, self._on_up, self._on_up, self._on_down, on_too_many)
        self.stream = Stream(wire, "the WebSocket API", self._address, ears, random, watch)
        self.log_on: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"OrdersSocket({self._url}, is_up={self.is_up})"

    @property
    def is_up(self) -> bool:
        """Tell whether a request should be sent this way: it is open, and answers."""
        now = asyncio.get_running_loop().time()
        oldest = next(iter(self._waiting.values()), None)
        is_slow = oldest is not None and now - oldest.left > SLOW_S
        return self.stream.is_up and not is_slow and now >= self._deaf_until

    async def _address(self) -> str:
        """Return where to connect, once the limits let us."""
        if self._admit is not None and not await self._admit():
            raise VenueUnavailable("no room within the venue's limits")
        return self._url

    def begin(self, call: Call) -> Awaitable[Reply] | None:
        """Write a request at once; see `Road`."""
        if len(self._waiting) >= UNANSWERED_MAX:
            return None
        number = next(self._ids)
        signer = None if self._is_logged_on else self._credentials
        if not self.stream.send(ws_request(call, number, signer)):
            return None
        loop = asyncio.get_running_loop()
        asked = _Asked(
            loop.create_future(),
            loop.time(),
            is_signed=signer is not None,
            is_command=call.route.verb in COMMANDS,
        )
        self._waiting[number] = asked
        return self._answer(number, asked)

    async def _answer(self, number: int, asked: _Asked) -> Reply:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asked.answer
        except TimeoutError:
            self._doubt(asked)
            return Reply(NO_ANSWER, text="no answer came in time")
        finally:
            self._waiting.pop(number, None)

    def _doubt(self, asked: _Asked) -> None:
        """Have others sent elsewhere; of a connection that said nothing since, make a new one."""
        self._shun("did not answer")
        if self._heard < asked.left:
            self.stream.give_up("a request was not answered")

    def _count_failures(self, reply: WsReply, asked: _Asked) -> None:
        """Have others sent elsewhere where the venue fails again and again on this way.

        That a question is answered says nothing of orders.
        """
        if reply.status == WALLED:
            self._shun("has a firewall before it that refuses us")
        elif reply.status in FAILING:
            self._count_failure()
        elif asked.is_command:
            self._failures = 0

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            self._shun("fails again and again")

    def _shun(self, why: str) -> None:
        self._failures = 0
        self._deaf_until = asyncio.get_running_loop().time() + DEAF_S
        _log.warning("the WebSocket API %s: orders go over REST for %g s", why, DEAF_S)

    async def send(self, call: Call) -> Reply:
        """Send once; see `Road`."""
        answer = self.begin(call)
        if answer is not None:
            return await answer
        if len(self._waiting) >= UNANSWERED_MAX:
            return Reply(NO_ANSWER, text=f"{UNANSWERED_MAX} are under way", was_sent=False)
        return Reply(NO_ANSWER, text="the connection is down", was_sent=False)

    async def authenticate(self, asker: Asker) -> None:
        """Log the session on, where the key may, and within the limits."""
        if not self._credentials.signer.can_log_on:
            return
        call = reads.log_on()
        answered = await asker.ask(
            lambda ts: reads.at(call, ts, READ_WINDOW_NS),
            call.cost,
            Ask.SETTING,
            Urgency.TRADE,
            roads=lambda: self,
        )
        self._is_logged_on = answered.is_ok and self.is_up
        if not answered.is_ok:
            _log.warning("the WebSocket API did not log us on: %s", answered.outcome.reason)

    def _on_up(self) -> None:
        self._is_logged_on = False
        if self.log_on is not None:
            self.log_on()

    def _on_down(self, reason: str) -> None:
        self._is_logged_on = False
        unanswered = [each for each in self._waiting.values() if not each.answer.done()]
        if any(asked.is_command for asked in unanswered):
            self._count_failure()
        for asked in unanswered:
            asked.answer.set_result(Reply(NO_ANSWER, text=f"connection lost: {reason}"))

    def _on_frame(self, raw: bytes) -> None:
        try:
            reply = read_reply(raw)
        except BadFrame as error:
            self._complaints.warn(str(error))
            return
        number = _number(reply.id)
        if number is not None:
            self._heard = asyncio.get_running_loop().time()
            asked = self._waiting.get(number)
            if asked is not None and not asked.answer.done():
                self._count_failures(reply, asked)
                asked.answer.set_result(self._heard_of(asked, reply))
            elif reply.status in REFUSING:
                self._on_refusal(_as_reply(reply))
        elif reply.status in REFUSING:
            self._on_refusal(_as_reply(reply))
        elif not reply.is_ok:
            self._is_logged_on = False  # the key was revoked, or the logon is over
            text = reply.error.msg if reply.error is not None else f"status {reply.status}"
            self._complaints.warn(f"the WebSocket API says: {text}")

    def _heard_of(self, asked: _Asked, reply: WsReply) -> Reply:
        """Return an answer; of what was refused for want of a signature, that nothing was sent."""
        code = reply.error.code if reply.error is not None else None
        if asked.is_signed or reply.is_ok or (reply.status != UNKNOWN_KEY and code not in UNSIGNED):
            return _as_reply(reply)
        self._is_logged_on = False
        return Reply(NO_ANSWER, text="the session was not logged on any more", was_sent=False)


def _number(told: int | str | None) -> int | None:
    """Return the number of a request; one that comes back as text is one all the same."""
    if isinstance(told, str):
        return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None
    return told


def _as_reply(reply: WsReply) -> Reply:
    limits = reply.rate_limits
    counts, error = counts_of(limits), reply.error
    if reply.is_ok:
        return Reply(reply.status, reply.result, counts=counts, limits=limits)
    if error is None:
        return Reply(reply.status, b"", counts=counts, limits=limits)
    return Reply(
        reply.status,
        b"",
        code=error.code,
        text=error.msg,
        counts=counts,
        retry_after_s=retry_after_of(error),
        limits=limits,
    )
