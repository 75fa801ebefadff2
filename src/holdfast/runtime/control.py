"""The local control API: how other programs of the same user see and steer a running session.

Rule 1: it listens on the loopback interface alone, and says nothing without the token, which
        stands in a file that only the session's owner can read.
Rule 2: a page in a browser can't reach it: no other host's name is answered to (DNS rebinding),
        and nothing is allowed to other origins.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from ..model import errors
from ..model.errors import ConfigError, TradingError
from .control_client import PROBE, ControlClient
from .control_file import Endpoint, NoSessionRunning, remove_endpoint, write_endpoint
from .control_routes import LEFT_KILL, ROUTES, SERVICE
from .control_wire import document
from .left_kill import Heeding, journal_of, record_left
from .service import LiveTradingService

HOST = "127.0.0.1"
BODY_BYTES_MAX = 64 * 1024
TOKEN_BYTES = 32
CONNECTIONS_MAX = 64
"""Connections that have shown no token; the oldest makes room. Each is a file of the process."""

HEED_S = 1.0
"""How often is looked for a kill that was left while the process did not answer."""

LINGER_S = 2.0
"""How long the end waits for answers that are on their way."""

_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_log = logging.getLogger("holdfast.control")

HTTP_CODES: tuple[tuple[type[Exception], int], ...] = (
    (NoSessionRunning, 410),
    (errors.UnknownOrderError, 404),
    (errors.InputError, 400),
    (errors.ConfigError, 400),
    (errors.SessionStateError, 409),
    (errors.RiskDenied, 403),
    (errors.VenueRefused, 422),
    (errors.OutcomeUnknownError, 504),
    (errors.VenueError, 502),
    (errors.CircuitOpenError, 503),
    (errors.JournalError, 503),
    (ValueError, 400),
)
"""The first that fits; anything else is 500."""

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlServer:
    """Serves one session. `bind` takes the port before the session begins, `announce` writes
    the control file once it owns the journal, `close` ends both.

    Args:
        port: 0 takes a free one.
    """

    def __init__(self, service: LiveTradingService, data_dir: Path, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.url = ""
        self._data_dir = data_dir
        self._port = port
        self._known: set[web.RequestHandler] = set()  # asking just now, with the token
        self._service = service
        self._left_kill = Heeding(service, data_dir)
        app = _app(service, self._left_kill, _guard(self.token, self._known))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=LINGER_S)
        self._listening: asyncio.Server | None = None
        self._heeding: asyncio.Task[None] | None = None

    async def bind(self) -> None:
        """Take the port, and put a kill on record that was left for a session before.

        Raises:
            ConfigError: it is taken, or may not be used, or the folder has another session.
            JournalError: the kill can't be put on record.
        """
        _check_alone(self._data_dir, journal_of(self._service.config))
        record_left(self._service.config)
        taken = _listen(self._port)
        self.url = f"http://{HOST}:{taken.getsockname()[1]}"
        await self._runner.setup()
        self._listening = await asyncio.get_running_loop().create_server(self._let_in, sock=taken)
        self._heeding = asyncio.create_task(self._heed(), name="holdfast-left-kill")

    async def _heed(self) -> None:
        while True:
            await asyncio.sleep(HEED_S)
            try:
                await self._left_kill.look()
            except TradingError:
                continue  # it stays, and is looked at again
            except Exception:  # noqa: BLE001 - a fault of ours; the next look may succeed
                _log.exception("a kill that was left was not understood")

    def _let_in(self) -> web.RequestHandler:
        """Take a connection; see `CONNECTIONS_MAX`."""
        server = self._runner.server
        assert server is not None, "it is set up"
        others = [each for each in server.connections if each not in self._known]
        open_ones = [each for each in others if each.transport is not None]
        if len(open_ones) >= CONNECTIONS_MAX:
            open_ones[0].force_close()
        return server()

    def announce(self, session_id: str, *, is_running: bool = False) -> None:
        """Write where the session is reached, and whether it has come to run.

        Raises:
            ConfigError: the data folder can't be written to.
        """
        endpoint = Endpoint(
            url=self.url,
            token=self.token,
            pid=os.getpid(),
            session=session_id,
            is_running=is_running,
            journal=journal_of(self._service.config),
        )
        write_endpoint(self._data_dir, endpoint)

    def withdraw(self) -> None:
        """Remove the control file."""
        remove_endpoint(self._data_dir, self.token)

    async def close(self) -> None:
        """Remove the control file and give the port back; answers under way are sent."""
        self.withdraw()
        if self._heeding is not None:
            self._heeding.cancel()
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()


def _check_alone(folder: Path, journal: str) -> None:
    """Refuse a folder that a session with another journal has: its control file would be gone.

    A session with the same journal meets that one's owner.

    Raises:
        ConfigError: one runs there.
    """
    try:
        client = ControlClient(folder)
        there = client.endpoint
        if there.pid == os.getpid() or there.journal in {"", journal}:
            return
        client.get(PROBE)
    except (NoSessionRunning, ConfigError):  # it has died, or the file is none
        return
    except TradingError:
        _log.debug("the session there does not answer, or has no answer yet")
    raise ConfigError(
        f"another session runs in {folder.absolute()} (process {there.pid}), with the journal "
        f"{there.journal}: name another folder with --data-dir"
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be had: {error.strerror}"
        raise ConfigError(
            f"port {port} of {HOST} {why}; set control_port to another one, or to 0 for a free one"
        ) from error
    listener.setblocking(False)
    return listener


def _app(service: LiveTradingService, left_kill: Heeding, guard: Middleware) -> web.Application:
    guards = [_errors_told, guard]
    app = web.Application(middlewares=guards, client_max_size=BODY_BYTES_MAX)
    app[SERVICE] = service
    app[LEFT_KILL] = left_kill
    for (method, path), handler in ROUTES.items():
        app.router.add_route(method, path, handler)
    return app


def _guard(token: str, known: set[web.RequestHandler]) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: _Next) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _failure(401, "Unauthorized", "a token is needed: it is in control.json")
        if not _is_loopback(request.headers.get("Host", "")):
            return _failure(403, "ForbiddenHost", "only loopback names are answered to")
        known.add(request.protocol)
        try:
            return await handler(request)
        finally:
            known.discard(request.protocol)

    return guard


def _is_loopback(host: str) -> bool:
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    return (name if name and port.isdigit() else host).lower() in _HOSTS


@web.middleware
async def _errors_told(request: web.Request, handler: _Next) -> web.StreamResponse:
    """Turn what went wrong into an answer; nothing of the inside is shown."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _failure(error.status, "InputError", f"{error.status} {error.reason}")
    except (TradingError, ValueError) as error:
        code = next((code for kind, code in HTTP_CODES if isinstance(error, kind)), 500)
        kind = type(error).__name__ if isinstance(error, TradingError) else "InputError"
        return _failure(code, kind, str(error), getattr(error, "code", None))
    except Exception:  # noqa: BLE001 - a handler may raise anything; the session goes on
        _log.exception("%s %s failed", request.method, request.path)
        return _failure(500, "InternalError", "an error of Holdfast itself; the log has it")


def _failure(status: int, kind: str, text: str, code: int | None = None) -> web.Response:
    """Answer with an error; `code` is the venue's, None where it had no part in it."""
    body = document({"error": text, "kind": kind, "code": code})
    return web.Response(body=body, status=status, content_type="application/json")
