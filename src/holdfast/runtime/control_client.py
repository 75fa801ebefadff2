"""Ask a running session through its control API. Quick: it imports the standard library alone."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..model import errors
from ..model.errors import TradingError
from .control_file import (
    AnswerLost,
    Endpoint,
    NoSessionRunning,
    not_answering,
    nothing_runs,
    read_endpoint,
)

TIMEOUT_S = 90.0
"""How long an answer is waited for: a stop may wait 30 s for the venue's answers, and 30 s for its
books."""

ANSWER_S = 5.0
"""How long a session that is well may take for a question: it answers between two messages."""

PROBE = "/v1/stats"
"""A question that costs little."""

ANSWER_BYTES_MAX = 64_000_000

Answer = dict[str, Any]


class ControlClient:
    """Speaks to the session that runs in a data folder.

    Raises:
        NoSessionRunning: none does.
        ConfigError: its control file is not to be trusted.
    """

    def __init__(self, data_dir: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self.data_dir = data_dir
        self.endpoint: Endpoint = read_endpoint(data_dir)
        self._timeout_s = timeout_s

    def get(self, path: str) -> Answer:
        """Return what the session says.

        Raises:
            TradingError: of the kind that the session raised; NotAnswering where it does not say.
        """
        return _checked(*self._ask("GET", path, None, min(ANSWER_S, self._timeout_s)))

    def post(self, path: str, **body: object) -> Answer:
        """Have the session do something; values of None are left out.

        Raises:
            TradingError: of the kind that the session raised; OutcomeUnknownError where it does
                not answer, AnswerLost where it ends before, NotAnswering where it was not asked.
        """
        self._see_that_it_answers()
        given = {name: _words(value) for name, value in body.items() if value is not None}
        return _checked(*self._ask("POST", path, json.dumps(given).encode(), self._timeout_s))

    def _see_that_it_answers(self) -> None:
        """Let a process that stands have no request that it would act on much later."""
        with contextlib.suppress(NoSessionRunning):  # so the request finds out
            self._ask("GET", PROBE, None, min(ANSWER_S, self._timeout_s))

    def _ask(
        self, method: str, path: str, body: bytes | None, timeout_s: float
    ) -> tuple[int, bytes]:
        place = urlsplit(self.endpoint.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout_s)
        headers = {"Authorization": f"Bearer {self.endpoint.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read(ANSWER_BYTES_MAX)
        except ConnectionRefusedError:
            raise nothing_runs(self.data_dir) from None
        except TimeoutError:
            if body is None:
                raise not_answering(self.endpoint.pid, timeout_s) from None
            raise errors.OutcomeUnknownError(
                f"the session did not answer within {timeout_s:g} s; look at it with: "
                f"holdfast status; if that hangs too, end process {self.endpoint.pid}: the next "
                "start goes on where it was"
            ) from None
        except (http.client.HTTPException, OSError) as error:
            why = f"the session ended before it had answered ({type(error).__name__}: {error})"
            if body is None:
                raise NoSessionRunning(why) from error
            raise AnswerLost(
                f"{why}, and nobody knows what came of it; the next start finds out"
            ) from error
        finally:
            connection.close()
        return response.status, text


def _words(value: object) -> object:
    """Write bytes of a command line that are no text as escapes: nothing fails for its reason."""
    if not isinstance(value, str):
        return value
    return value.encode(errors="backslashreplace").decode()


def _checked(status: int, text: bytes) -> Answer:
    try:
        answer: Answer = json.loads(text)
    except ValueError as error:
        raise NoSessionRunning(f"no session answers there: HTTP {status}, {text[:80]!r}") from error
    if status == http.client.UNAUTHORIZED:
        raise NoSessionRunning("another session answers there: the one of this folder has died")
    if status < http.client.BAD_REQUEST:
        return answer
    told = str(answer.get("error", f"HTTP {status}"))
    raise _error_of(str(answer.get("kind", "")), told, answer.get("code"))


def _error_of(kind: str, text: str, code: int | None) -> TradingError:
    """Return the session's own error, so that whoever catches it here treats it the same."""
    found = getattr(errors, kind, None)
    if kind == NoSessionRunning.__name__:
        found = NoSessionRunning
    if isinstance(found, type) and issubclass(found, TradingError):
        error = found(text)
        if isinstance(error, errors.VenueError):
            error.code = code
        return error
    return TradingError(text)
