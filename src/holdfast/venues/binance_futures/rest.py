"""One request over HTTP, one answer, and whether a byte of it left.

Rule 1: nothing is sent twice here.
Rule 2: no error's text names an address with its query: keys and signatures stay out of logs.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple, Protocol

import msgspec

from ...model.errors import OutcomeUnknownError, VenueUnavailable
from .codec import Call, RateLimit, read_error, rest_request
from .counters import UNSAID, Counts, counts_in, retry_after_s
from .outcomes import HTTP_OK, HTTP_SERVER, NO_ANSWER
from .sign import Credentials
from .wire import HttpReply, Wire

NO_ANSWER_BUT_OK = 502
"""What a success counts as whose body is none: a page of a proxy, a refusal, or nothing."""

WALLED = 403
FAILING = frozenset({NO_ANSWER, WALLED, 408, *HTTP_SERVER})
"""The statuses of a road that fails: another one may not."""

BEGINNING = 64
REFUSAL_MAX = 2048
"""The most bytes of a refusal: what is longer is looked at by who wanted it."""

ANSWER_S = 10.0
"""How long an answer is waited for: longer than any receive window in use."""


class Reply(NamedTuple):
    """What came of one request.

    `status` is `NO_ANSWER` where none came, and then `was_sent` tells whether the request may
    have been received. `counts` is what the venue counts of ours, `limits` what it allows where it
    says that too.
    """

    status: int
    body: bytes | msgspec.Raw = b""
    code: int | None = None
    text: str = ""
    was_sent: bool = True
    counts: Counts = UNSAID
    retry_after_s: float | None = None
    limits: tuple[RateLimit, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Tell whether the body is the answer to what was asked."""
        return self.status in HTTP_OK


class Road(Protocol):
    """A way to the venue."""

    def begin(self, call: Call) -> Awaitable[Reply] | None:
        """Write a request before returning; None, and nothing is written, where it can't be."""

    async def send(self, call: Call) -> Reply:
        """Send once and wait, within bounds. Never raises for what the road did."""


class RestClient:
    """REST of one venue, for one account or, without credentials, for its public part."""

    def __init__(
        self,
        wire: Wire,
        base_url: str,
        credentials: Credentials | None = None,
    ) -> None:
        self._wire = wire
        self._base_url = base_url
        self._credentials = credentials
        self.is_failing = False
        """Whether the last request had no answer, or none of the venue's own."""

    def begin(self, call: Call) -> None:
        """Say that HTTP has no hot road: a connection may have to be made first."""

    async def send(self, call: Call) -> Reply:
        """Send once; see `Road`."""
        reply = await self._send(call)
        self.is_failing = reply.status in FAILING
        return reply

    async def _send(self, call: Call) -> Reply:
        request = rest_request(call, self._credentials)
        url = self._base_url + request.target
        try:
            got = await self._wire.request(request.verb, url, request.headers, ANSWER_S)
        except VenueUnavailable as error:
            return Reply(NO_ANSWER, text=str(error), was_sent=False)
        except OutcomeUnknownError as error:
            return Reply(NO_ANSWER, text=str(error))
        return _reply(got)


def _is_answer(body: bytes) -> bool:
    """Tell whether a body may be what was asked for: JSON, and no refusal."""
    start = body[:BEGINNING].lstrip()
    if not start.startswith((b"{", b"[")):
        return False
    if start[:1] == b"[" or len(body) > REFUSAL_MAX or b'"code"' not in body:
        return True
    code = read_error(body).code
    return code is None or code > 0


def _reply(got: HttpReply) -> Reply:
    counts = counts_in(got.headers)
    if got.status in HTTP_OK and _is_answer(got.body):
        return Reply(got.status, got.body, counts=counts)
    error = read_error(got.body)
    return Reply(
        NO_ANSWER_BUT_OK if got.status in HTTP_OK else got.status,
        got.body,
        code=error.code,
        text=error.msg,
        counts=counts,
        retry_after_s=retry_after_s(got.headers),
    )
