"""The real network behind a `Wire`: picows for sockets, aiohttp for requests.

Rule 1: a frame goes to its ears in the socket's own callback: no queue, no task in between.
Rule 2: nothing is sent twice here. aiohttp's own second try, which may repeat a DELETE or a PUT
        that was already written, is switched off.
Rule 3: no error's text names an address with its query: keys and signatures stay out of logs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping

import aiohttp
import picows
import yarl
from picows import WSMsgType

from ...model.errors import OutcomeUnknownError, VenueUnavailable
from .handshakes import refused
from .wire import Ears, HttpReply, Socket

CONNECT_S = 5.0
"""How long a request waits for a connection, whether one is made or becomes free."""

HANDSHAKE_S = 5.0
CONNECTIONS_MAX = 40
"""How many requests are under way at once; see `turns` too."""

KEEP_ALIVE_S = 60.0
FRAME_MAX = 8 * 1024 * 1024
"""The most bytes of one message, in one frame or in fragments."""

BODY_MAX = 64 * 1024 * 1024
"""The most bytes of one HTTP answer; the longest list of contracts has some two million."""

FIRST_REFUSAL = 400
"""The least HTTP status that says that what was asked for is not to be had."""

UNSENT_MAX = 1024 * 1024
"""Bytes that may wait in a socket's buffer: more mean that nobody takes them."""

CERTIFICATES = "SSL_CERT_FILE may name a file of authorities to trust"

_socket_log = logging.getLogger("holdfast.venue.socket")
_socket_log.setLevel(logging.WARNING)  # below it, the library writes addresses with their keys


class PicoSocket(picows.WSListener):
    """A WebSocket of picows."""

    def __init__(self, ears: Ears) -> None:
        super().__init__()
        self._ears = ears
        self._transport: picows.WSTransport | None = None
        self._fragments: list[bytes] = []
        self._is_over = False

    def send(self, frame: bytes | str) -> bool:
        transport = self._transport
        if transport is None or self._is_over or transport.is_disconnected:
            return False
        under = transport.underlying_transport
        if under.is_closing() or under.get_write_buffer_size() > UNSENT_MAX:
            return False
        transport.send(WSMsgType.TEXT, frame.encode() if isinstance(frame, str) else frame)
        return True

    def ping(self) -> None:
        if self._transport is not None and not self._is_over:
            self._transport.send_ping()

    def close(self) -> None:
        self._is_over = True
        if self._transport is not None:
            self._transport.send_close(picows.WSCloseCode.OK)
            self._transport.disconnect()

    @property
    def is_open(self) -> bool:
        """Tell whether the handshake was gone through."""
        return self._transport is not None

    # What picows calls

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        if self._is_over:  # nobody waits for it any more
            transport.disconnect(graceful=False)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if self._is_over:
            return
        kind = frame.msg_type
        if kind == WSMsgType.TEXT or kind == WSMsgType.BINARY:  # noqa: PLR1714 - no tuple a frame
            if frame.fin:
                self._ears.on_frame(frame.get_payload_as_bytes())
            else:
                self._fragments = [frame.get_payload_as_bytes()]
        elif kind == WSMsgType.CONTINUATION:
            self._continue(transport, frame)
        elif kind == WSMsgType.PONG:
            self._ears.on_pong()
        elif kind == WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()
            self._end(f"the venue closed the connection ({_close_code(frame)})")

    def _continue(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self._fragments.append(frame.get_payload_as_bytes())
        if sum(map(len, self._fragments)) > FRAME_MAX:
            transport.disconnect(graceful=False)
            self._end(f"a message has more than {FRAME_MAX} bytes")
        elif frame.fin:
            message, self._fragments = b"".join(self._fragments), []
            self._ears.on_frame(message)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._end("the connection was lost")

    def _end(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._ears.on_closed(reason)

    def pause_writing(self) -> None:
        """What waits is looked at where more is to be written."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""


def _close_code(frame: picows.WSFrame) -> int:
    if not frame.payload_size:
        return 1005
    return int.from_bytes(frame.get_payload_as_bytes()[:2], "big")


class _Pool:
    """Connections of one time, kept for the next request, and the requests under way on them."""

    def __init__(self) -> None:
        self.under_way = 0
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=60
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "holdfast"},
        )
        # aiohttp has no public switch for this one. See Rule 2.
        self.session._retry_connection = False  # noqa: SLF001


class NetWire:
    """Sockets and requests over a real network. Make it on a running loop, and close it.

    A request that times out takes all connections of its time out of use: what has swallowed one
    (a router that forgot them, say) has swallowed the others, and each would cost a wait like that.
    """

    def __init__(self) -> None:
        self._pool = _Pool()
        self._left: set[_Pool] = set()  # whose last requests are still under way
        self._tls: ssl.SSLContext | None = None

    async def open_socket(self, url: str, ears: Ears) -> Socket:
        """Open a WebSocket; see `Wire`."""
        made = PicoSocket(ears)
        try:
            await picows.ws_connect(
                lambda: made,
                url,
                ssl_context=self._tls_context() if url.startswith("wss:") else None,
                disconnect_on_exception=False,
                websocket_handshake_timeout=HANDSHAKE_S,
                logger_name=_socket_log,
                max_frame_size=FRAME_MAX,
                max_redirects=0,
                use_aiofastnet=False,
            )
        except picows.WSHandshakeError as error:
            raise _refused(error) from None
        except (picows.WSError, OSError, TimeoutError) as error:
            raise VenueUnavailable(told(error)) from None
        except asyncio.CancelledError:
            made.close()
            raise
        if not made.is_open:
            raise VenueUnavailable("the connection was lost in the handshake")
        return made

    def _tls_context(self) -> ssl.SSLContext:
        """Return what checks certificates: against the system's authorities, or SSL_CERT_FILE's."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def request(
        self, verb: str, url: str, headers: Mapping[str, str], timeout_s: float
    ) -> HttpReply:
        """Send one request; see `Wire`."""
        limits = aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_S, sock_connect=CONNECT_S)
        pool = self._pool
        pool.under_way += 1
        try:
            async with pool.session.request(
                verb,
                yarl.URL(url, encoded=True),
                headers=headers,
                timeout=limits,
                allow_redirects=False,
                ssl=self._tls_context() if url.startswith("https:") else True,
            ) as response:
                body = await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise VenueUnavailable(told(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error, TimeoutError):
                self._leave(pool)
            raise OutcomeUnknownError(told(error)) from None
        finally:
            pool.under_way -= 1
            await self._close_left()
        named = {name.lower(): value for name, value in response.headers.items()}
        return HttpReply(response.status, named, body)

    def _leave(self, pool: _Pool) -> None:
        if pool is self._pool:
            self._left.add(pool)
            self._pool = _Pool()

    async def _close_left(self) -> None:
        for pool in [each for each in self._left if not each.under_way]:
            self._left.discard(pool)
            await pool.session.close()

    async def close(self) -> None:
        """Close the connections; sockets are closed by whom they were opened for."""
        for pool in (self._pool, *self._left):
            await pool.session.close()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read a body, within bounds; of one that breaks off and comes with a refusal, what came.

    A refusal's status says the most of it: above all that nothing may be asked for a while.
    """
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > BODY_MAX:
                raise OutcomeUnknownError(f"the answer has more than {BODY_MAX} bytes")
    except aiohttp.ClientPayloadError:
        if response.status < FIRST_REFUSAL:
            raise
    return bytes(body)


def _refused(error: picows.WSHandshakeError) -> VenueUnavailable:
    """Return why a handshake failed: what was answered, where anything was."""
    answer = error.response
    if answer is None:
        return VenueUnavailable(told(error))
    named = {name.lower(): value for name, value in answer.headers.items()}
    return refused(int(answer.status), named, error.raw_body or b"", time.time_ns())


def told(error: BaseException) -> str:
    """Say what went wrong without quoting an address or a header."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{error.host}:{error.port}: {told(error.certificate_error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); {CERTIFICATES}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or type(error).__name__}"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
