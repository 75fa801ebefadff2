"""One request over HTTP, one answer, and whether a byte of it left.

Rule 1: nothing is sent twice here. aiohttp's own second try, which may repeat a DELETE or a PUT
        that was already written, is switched off.
Rule 2: no error's text names an address with its query: keys and signatures stay out of logs.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import aiohttp
import msgspec
import yarl

from .codec import Call, read_error, rest_request
from .outcomes import HTTP_OK, NO_ANSWER
from .sign import Credentials

CONNECT_S = 5.0
ANSWER_S = 10.0
"""How long an answer is waited for: longer than any receive window in use."""

CONNECTIONS_MAX = 20
KEEP_ALIVE_S = 60.0
BODY_MAX = 32 * 1024 * 1024

WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
ORDERS_10S_HEADER = "X-MBX-ORDER-COUNT-10S"
ORDERS_1M_HEADER = "X-MBX-ORDER-COUNT-1M"
COUNT_HEADERS = (WEIGHT_HEADER, ORDERS_10S_HEADER, ORDERS_1M_HEADER)


class Reply(NamedTuple):
    """What came of one request.

    `status` is `NO_ANSWER` where none came, and then `was_sent` tells whether the request may
    have been received. `counts` is what the venue counts of ours: weight of a minute, orders of
    ten seconds, orders of a minute; -1 where it did not say.
    """

    status: int
    body: bytes | msgspec.Raw = b""
    code: int | None = None
    text: str = ""
    was_sent: bool = True
    counts: tuple[int, int, int] = (-1, -1, -1)
    retry_after_s: float | None = None

    @property
    def is_ok(self) -> bool:
        """Tell whether the body is the answer to what was asked."""
        return self.status in HTTP_OK


class Road(Protocol):
    """A way to the venue."""

    async def send(self, call: Call) -> Reply:
        """Send once and wait, within bounds. Never raises for what the road did."""


def told(error: BaseException) -> str:
    """Say what went wrong without quoting an address or a header."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or type(error).__name__}"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def open_session() -> aiohttp.ClientSession:
    """Open what requests and sockets go through. Close it."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=60
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S),
        headers={"User-Agent": "holdfast"},
    )
    # aiohttp has no public switch for this one. See Rule 1.
    session._retry_connection = False  # noqa: SLF001
    return session


class RestClient:
    """REST of one venue, for one account or, without credentials, for its public part."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        credentials: Credentials | None = None,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._credentials = credentials

    async def send(self, call: Call) -> Reply:
        """Send once; see `Road`."""
        request = rest_request(call, self._credentials)
        url = yarl.URL(self._base_url + request.target, encoded=True)
        try:
            async with self._session.request(
                request.verb, url, headers=request.headers, allow_redirects=False
            ) as response:
                body = await response.read()
                return _reply(response, body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Reply(NO_ANSWER, text=told(error), was_sent=False)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Reply(NO_ANSWER, text=told(error))


def _reply(response: aiohttp.ClientResponse, body: bytes) -> Reply:
    headers = response.headers
    counts = (
        _number(headers.get(WEIGHT_HEADER)),
        _number(headers.get(ORDERS_10S_HEADER)),
        _number(headers.get(ORDERS_1M_HEADER)),
    )
    if response.status in HTTP_OK:
        return Reply(response.status, body, counts=counts)
    error = read_error(body)
    seconds = _number(headers.get("Retry-After"))
    return Reply(
        response.status,
        body,
        code=error.code,
        text=error.msg,
        counts=counts,
        retry_after_s=float(seconds) if seconds >= 0 else None,
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else -1
