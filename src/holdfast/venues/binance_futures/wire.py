"""The seam between the venue's rules and a network: sockets and HTTP requests, as protocols.

Rule 1: everything that the adapter and the live feed send or hear goes through a `Wire`. `net` is
        the real one; another one may be a network in memory under a clock of its own.
Rule 2: a wire has no rules of the venue: no retries, no watchdogs, no pings of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears one socket. Calls come on the loop's thread, straight from what was received.

    `on_frame` is given whole messages, in order; the first may come before `open_socket` returns.
    `on_closed` is told once, with the reason, when the other side or the road ended the socket.
    After it, and after our own `close`, nothing is heard.
    """

    on_frame: Callable[[bytes], None]
    on_pong: Callable[[], None]
    on_closed: Callable[[str], None]


class Socket(Protocol):
    """One open WebSocket."""

    def send(self, frame: bytes | str) -> bool:
        """Write a text message at once; False where nothing was written."""

    def ping(self) -> None:
        """Ask for a pong."""

    def close(self) -> None:
        """Let go of it, for good. What was written still leaves."""


class HttpReply(NamedTuple):
    """An HTTP answer. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire(Protocol):
    """A way to the venue. Texts of errors name no address: it may hold a key."""

    async def open_socket(self, url: str, ears: Ears) -> Socket:
        """Open a WebSocket.

        Raises:
            VenueUnavailable: nothing opened.
        """

    async def request(
        self, verb: str, url: str, headers: Mapping[str, str], timeout_s: float
    ) -> HttpReply:
        """Send one request, once, and wait for its answer. The address is encoded already.

        Raises:
            VenueUnavailable: nothing was written.
            OutcomeUnknownError: it may have arrived.
        """

    async def close(self) -> None:
        """Let go of every connection."""
