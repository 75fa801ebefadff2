"""The file by which a session's owner finds its control API: where it is, and the token for it.

Rule: only its owner may read or write it. One that others could have read or changed is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from ..model.errors import ConfigError, OutcomeUnknownError, SessionStateError

FILE_NAME = "control.json"
SIZE_MAX = 4096
OWNER_ONLY = 0o600


class NoSessionRunning(SessionStateError):
    """No process runs a session in that data folder."""


class NotAnswering(SessionStateError):
    """The session's process lives and does not answer: nothing was asked of it."""


class AnswerLost(OutcomeUnknownError):
    """The session was told to do something, and ended before it had answered."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a session is reached, and whether it had come to run. `repr` hides the token.

    `journal` is the name of its journal; "" where the process does not say.
    """

    url: str
    token: str
    pid: int
    session: str
    is_running: bool = False
    journal: str = ""

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r}, pid={self.pid}, session={self.session!r})"


def write_endpoint(data_dir: Path, endpoint: Endpoint) -> Path:
    """Write the file, readable by this user alone from its first byte on.

    Raises:
        ConfigError: the folder can't be written to.
    """
    path = data_dir / FILE_NAME
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, OWNER_ONLY)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, OWNER_ONLY)
            json.dump(asdict(endpoint), file)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} can't be written: {error.strerror}; name another folder with --data-dir"
        ) from error
    return path


def remove_endpoint(data_dir: Path, token: str) -> None:
    """Remove the file if it is still the one of this token."""
    path = data_dir / FILE_NAME
    try:
        if json.loads(path.read_bytes()).get("token") == token:
            path.unlink()
    except (OSError, ValueError):
        return  # it is gone, or somebody else's


def read_endpoint(data_dir: Path) -> Endpoint:
    """Return where the session of a data folder is reached.

    Raises:
        NoSessionRunning: there is no file, or the process that wrote it is gone.
        ConfigError: others could have read or changed the file, or it is none of ours.
    """
    path = data_dir / FILE_NAME
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise nothing_runs(data_dir) from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    try:
        _check_owner(path, os.fstat(fd))
        endpoint = _parse(path, os.read(fd, SIZE_MAX))
    finally:
        os.close(fd)
    if not is_alive(endpoint.pid):
        raise nothing_runs(data_dir)
    return endpoint


def nothing_runs(data_dir: Path) -> NoSessionRunning:
    """Return the error to raise where no session is to be found."""
    place = data_dir.absolute()  # a relative one is another in another folder
    return NoSessionRunning(
        f"no session runs in {place}; start one with: holdfast run --data-dir {place}"
    )


def is_alive(pid: int) -> bool:
    """Tell whether a process of that id exists."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def not_answering(pid: int, seconds: float) -> NotAnswering:
    """Return the error to raise where a session's process stands, or is busy for long."""
    is_stopped = _process_state(pid) in ("T", "t")
    why = (
        f"it is stopped, as by Ctrl-Z or SIGSTOP: kill -CONT {pid} lets it go on"
        if is_stopped
        else "it hangs, or is busy: try once more"
    )
    return NotAnswering(
        f"process {pid} runs the session, but does not answer within {seconds:g} s, so nothing was "
        f"asked of it; {why}; or end it with kill -9 {pid}: the next start goes on where it was"
    )


def _process_state(pid: int) -> str:
    """Return the letter that Linux has for what a process does; "" where nobody says."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].strip()[:1]


def _check_owner(path: Path, found: os.stat_result) -> None:
    way_out = "stop the session, remove the file, and start the session again"
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path} is no plain file; {way_out}")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"{path} belongs to user {found.st_uid}, you are {os.geteuid()}: "
            "ask as the user who runs the session"
        )
    if stat.S_IMODE(found.st_mode) != OWNER_ONLY:
        raise ConfigError(
            f"{path} has mode {stat.S_IMODE(found.st_mode):03o}, expected 600: others may have "
            f"read or changed it; {way_out}"
        )


def _parse(path: Path, text: bytes) -> Endpoint:
    try:
        found = json.loads(text)
        return Endpoint(
            url=str(found["url"]),
            token=str(found["token"]),
            pid=int(found["pid"]),
            session=str(found["session"]),
            is_running=bool(found.get("is_running")),
            journal=str(found.get("journal", "")),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} does not say where a session is; remove it") from error
